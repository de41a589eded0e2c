/* json.h: find a few values in a JSON text, by path, in one pass and without a tree.
 *
 * A `json_paths` is a set of paths compiled into a trie; each path carries a small
 * number, its slot. json_scan() walks a text once and reports each value that lies at
 * one of the paths, in the order of the text. Everything else is skipped unread.
 *
 * A path is a list of keys joined by dots; "[]" after a key stands for every element
 * of the array under it. The empty path is the whole text.
 *     choices[].delta.content      usage.prompt_tokens      error      token_ids
 * A path may be a prefix of another: both are reported, the outer one after its inner
 * ones (its length is known only then).
 *
 * Structure and numbers are held to RFC 8259, and NaN and Infinity are numbers too, as
 * Python's json writes them. Strings are found by their quotes with escapes honoured, but
 * not decoded or looked into. Keys match by their raw bytes (no server escapes its keys).
 * The scan never reads past the end, and its time is linear in the length. */
#ifndef TT_JSON_H
#define TT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_MAX_DEPTH 64    /* deeper texts are JSON_MALFORMED */
#define JSON_MAX_NODES 256   /* keys over all paths of one set */

typedef enum {
    JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT
} json_type;

/* One value found. `start` and `length` are its bytes in the text: of a string, what
 * stands between the quotes, escapes and all; of an array or object, brackets included.
 * `count`: elements of an array, members of an object, else 0. */
typedef struct {
    int slot;
    json_type type;
    const char *start;
    size_t length;
    int64_t count;
} json_match;

typedef struct json_paths json_paths;

/* A new empty set, or NULL when memory is out. json_paths_free(NULL) is allowed. */
json_paths *json_paths_new(void);
void json_paths_free(json_paths *paths);

/* Adds a path (NUL-terminated) with its slot (0..127). 0; -1 when the path is
 * malformed, too deep, already present, or the set is full. */
int json_paths_add(json_paths *paths, const char *path, int slot);

/* json_scan's answers below zero. */
#define JSON_MALFORMED (-1)  /* not JSON, or cut short; matches so far are kept */

/* Scans text[0..length) and writes at most `room` matches; further ones are dropped.
 * Returns how many matches were written, or JSON_MALFORMED with *found set to the
 * number that were. `found` may be NULL. White space around the value is allowed;
 * anything else after it is JSON_MALFORMED. Reads only; keeps no state: one set may be
 * scanned with from several threads. */
int json_scan(const json_paths *paths, const char *text, size_t length,
              json_match *matches, int room, int *found);

/* The integer of a JSON_NUMBER match ("12", "12.0", "1e3"); `otherwise` for any other type,
 * for a fraction, or outside int64. */
int64_t json_integer(const json_match *match, int64_t otherwise);

#endif

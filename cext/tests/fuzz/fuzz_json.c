/* Texts of any kind. What is found is JSON by itself and reads the same alone as within the whole; a whole text that is
 * good is malformed when a bracket or a byte is missing; white space around it changes nothing. */
#include "parse/json.h"
#include "support/pieces.h"

#define ROOM 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_paths *some_paths(const char *const *paths) {
    json_paths *set = json_paths_new();
    if (!set)
        abort();
    for (int slot = 0; paths[slot]; slot++)
        if (json_paths_add(set, paths[slot], slot) != 0)
            abort();
    return set;
}

static void check_match(const json_paths *whole, const json_match *match, const char *text, size_t length) {
    bool string = match->type == JSON_STRING;
    if (match->start < text + string || match->start + match->length + string > text + length || match->count < 0)
        abort();
    json_match alone;
    const char *start = match->start - string;
    size_t bytes = match->length + 2 * string;
    char *exact = malloc(bytes);
    if (!exact)
        abort();
    memcpy(exact, start, bytes);
    if (json_scan(whole, exact, bytes, &alone, 1, NULL) != 1 || alone.type != match->type
        || alone.length != match->length || alone.count != match->count
        || json_integer(&alone, -7) != json_integer(match, -7))
        abort();
    if ((match->type >= JSON_STRING) && json_scan(whole, exact, bytes - 1, &alone, 1, NULL) != JSON_MALFORMED)
        abort();
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const paths[] = {
        "choices[].delta.content", "choices[].delta", "choices[]", "usage.prompt_tokens", "usage", "id", "error", "a",
        "a.b", "a[]", "a[][]", "a[].b", "[]", "created", "", NULL,
    };
    static const char *const only_whole[] = {"", NULL};
    static json_paths *set, *whole;
    if (!set) {
        set = some_paths(paths);
        whole = some_paths(only_whole);
    }
    json_match matches[ROOM], padded[ROOM];
    int found = -1, found_padded = -1;
    char *exact = malloc(size ? size : 1), *wide = malloc(size + 4);
    if (!exact || !wide)
        abort();
    if (size)
        memcpy(exact, data, size);
    memcpy(wide, "\n ", 2);
    memcpy(wide + 2, exact, size);
    memcpy(wide + 2 + size, " \r", 2);
    int answer = json_scan(set, exact, size, matches, ROOM, &found);
    int answer_padded = json_scan(set, wide, size + 4, padded, ROOM, &found_padded);
    if (found < 0 || found > ROOM || (answer != found && answer != JSON_MALFORMED) || answer != answer_padded)
        abort();
    /* A number that the end of a text cuts ("1." or "-") is malformed either way, but may show before the blank does. */
    if (answer >= 0 && found != found_padded)
        abort();
    for (int i = 0; i < found; i++) {
        if (answer >= 0 && (matches[i].slot != padded[i].slot || matches[i].length != padded[i].length
                            || matches[i].start - exact + 2 != padded[i].start - wide))
            abort();
        check_match(whole, &matches[i], exact, size);
    }
    if (answer >= 0 && found < ROOM && matches[found - 1].slot != 14)
        abort();   /* the whole text is the last match */
    free(exact);
    free(wide);
    return 0;
}

#include "parse/json.h"

#include <stdlib.h>
#include <string.h>

#define NO_SLOT (-1)

/* A key of the trie, or the elements of an array (key NULL). `first` heads the list of keys
 * under it, `element` is what lies under "[]"; both are NULL where no path goes on. */
typedef struct node {
    uint64_t prefix;            /* the key's first eight bytes, zeros after its end */
    uint64_t lengths;           /* bit n: a key below has a length that is n modulo 64 */
    struct node *first, *next, *element;
    char *key;
    size_t key_length;
    int slot;
} node;

struct json_paths {
    int count;
    node nodes[JSON_MAX_NODES]; /* nodes[0] is the root; nodes never move */
};

/* An array or object that the scan is inside of. */
typedef struct {
    const node *node;           /* NULL where no path leads */
    const char *start;
    int64_t count;
    char closer;
} frame;

/* Bytes that a word comparison can look at, the rest being zero. Little-endian order, as on
 * x86-64 and aarch64: the first byte of the text is the lowest of the word. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "json.c compares words in little-endian order"
#endif

static inline uint64_t load_word(const char *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

static inline uint64_t first_bytes(uint64_t word, size_t length) {
    return length >= 8 ? word : word & ((UINT64_C(1) << (8 * length)) - 1);
}

/* ---- paths ---------------------------------------------------------------------- */

json_paths *json_paths_new(void) {
    json_paths *paths = calloc(1, sizeof *paths);
    if (!paths)
        return NULL;
    paths->count = 1;
    paths->nodes[0].slot = NO_SLOT;
    return paths;
}

void json_paths_free(json_paths *paths) {
    if (!paths)
        return;
    for (int i = 0; i < paths->count; i++)
        free(paths->nodes[i].key);
    free(paths);
}

static node *new_node(json_paths *paths) {
    if (paths->count == JSON_MAX_NODES)
        return NULL;
    node *fresh = &paths->nodes[paths->count++];
    *fresh = (node){.slot = NO_SLOT};
    return fresh;
}

static node *element_of(json_paths *paths, node *at) {
    if (!at->element)
        at->element = new_node(paths);
    return at->element;
}

static node *key_of(json_paths *paths, node *at, const char *key, size_t length) {
    for (node *child = at->first; child; child = child->next)
        if (child->key_length == length && memcmp(child->key, key, length) == 0)
            return child;
    char *copy = malloc(length);
    if (!copy)
        return NULL;
    node *child = new_node(paths);
    if (!child) {
        free(copy);
        return NULL;
    }
    memcpy(copy, key, length);
    memcpy(&child->prefix, key, length < 8 ? length : 8);
    child->key = copy;
    child->key_length = length;
    child->next = at->first;
    at->first = child;
    at->lengths |= UINT64_C(1) << (length & 63);
    return child;
}

/* Whether the path is well formed and at most JSON_MAX_DEPTH deep: nothing of a bad path may be left in the trie. */
static bool path_is_good(const char *path) {
    int depth = 0;
    const char *p = path;
    while (*p) {
        size_t key = strcspn(p, ".[]\"\\");
        if (key == 0 && !(p == path && *p == '['))
            return false;
        p += key;
        depth += key > 0;
        for (; p[0] == '[' && p[1] == ']'; p += 2)
            depth++;
        if (depth > JSON_MAX_DEPTH)
            return false;
        if (*p == '.' && p[1] != '\0')
            p++;
        else if (*p)
            return false;
    }
    return true;
}

int json_paths_add(json_paths *paths, const char *path, int slot) {
    if (slot < 0 || slot > 127 || !path_is_good(path))
        return -1;
    node *at = &paths->nodes[0];
    for (const char *p = path; *p && at;) {
        if (*p == '.')
            p++;
        if (*p == '[') {
            at = element_of(paths, at);
            p += 2;
        } else {
            size_t length = strcspn(p, ".[");
            at = key_of(paths, at, p, length);
            p += length;
        }
    }
    if (!at || at->slot != NO_SLOT)
        return -1;
    at->slot = slot;
    return 0;
}

/* ---- scanning ------------------------------------------------------------------- */

/* The quote that ends the string whose first byte is p; NULL when there is none. Most strings are short,
 * so a few words are looked at in place before memchr is called, which runs at memory speed. */
static inline const char *string_end(const char *p, const char *end) {
    const char *start = p;
    for (;;) {
        const char *quote = NULL;
        for (int words = 0; words < 4 && end - p >= 8; words++, p += 8) {
            uint64_t zeros = load_word(p) ^ UINT64_C(0x2222222222222222);   /* a quote becomes a zero byte */
            uint64_t hit = (zeros - UINT64_C(0x0101010101010101)) & ~zeros & UINT64_C(0x8080808080808080);
            if (hit) {
                quote = p + (__builtin_ctzll(hit) >> 3);
                break;
            }
        }
        if (!quote && !(quote = p < end ? memchr(p, '"', (size_t)(end - p)) : NULL))
            return NULL;
        /* Escaped when an odd number of backslashes stands before it. Each run is looked at once, since
         * the next search begins after this quote. */
        const char *back = quote;
        while (back > start && back[-1] == '\\')
            back--;
        if (((quote - back) & 1) == 0)
            return quote;
        p = start = quote + 1;
    }
}

static inline const node *find_key(const node *at, const char *key, size_t length, const char *end) {
    if (!(at->lengths >> (length & 63) & 1))
        return NULL;
    uint64_t word = 0;
    if (end - key >= 8)
        word = load_word(key);
    else
        memcpy(&word, key, (size_t)(end - key));
    word = first_bytes(word, length);
    for (const node *child = at->first; child; child = child->next)
        if (child->prefix == word && child->key_length == length
            && (length <= 8 || memcmp(child->key + 8, key + 8, length - 8) == 0))
            return child;
    return NULL;
}

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static inline const char *skip_digits(const char *p, const char *end) {
    while (p < end && is_digit(*p))
        p++;
    return p;
}

static inline const char *skip_space(const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
        p++;
    return p;
}

static inline const char *skip_word(const char *p, const char *end, const char *word, size_t length) {
    return (size_t)(end - p) >= length && memcmp(p, word, length) == 0 ? p + length : NULL;
}

/* The end of the number at p, by the grammar of RFC 8259, section 6; NULL when it is none. Infinity and NaN are
 * accepted too: Python's json, behind most servers, writes them into logprobs. */
static const char *skip_number(const char *p, const char *end) {
    if (p < end && *p == 'N')
        return skip_word(p, end, "NaN", 3);
    if (p < end && *p == '-')
        p++;
    if (p == end)
        return NULL;
    if (*p == 'I')
        return skip_word(p, end, "Infinity", 8);
    if (!is_digit(*p))
        return NULL;
    p = *p == '0' ? p + 1 : skip_digits(p + 1, end);
    if (p < end && *p == '.') {
        const char *digits = p + 1;
        p = skip_digits(digits, end);
        if (p == digits)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        const char *digits = p;
        p = skip_digits(digits, end);
        if (p == digits)
            return NULL;
    }
    return p;
}

int json_scan(const json_paths *paths, const char *text, size_t length,
              json_match *matches, int room, int *found) {
    frame stack[JSON_MAX_DEPTH];
    frame *top = stack;                 /* the innermost open container, when depth > 0 */
    int depth = 0;
    const char *p = text, *const end = text + length;
    const node *at = &paths->nodes[0];  /* where the coming value lies; NULL off all paths */
    int count = 0;

#define EMIT(node_, type_, start_, length_, count_)                                                          \
    do {                                                                                                     \
        if ((node_) && (node_)->slot != NO_SLOT && count < room)                                             \
            matches[count++] = (json_match){(node_)->slot, type_, start_, (size_t)(length_), count_};        \
    } while (0)

value:
    p = skip_space(p, end);
    if (p == end)
        goto malformed;
    const char *start = p;
    json_type type;
    switch (*p) {
    case '"':
        p = string_end(start + 1, end);
        if (!p)
            goto malformed;
        EMIT(at, JSON_STRING, start + 1, p - start - 1, 0);
        p++;
        goto after_value;
    case '{':
    case '[':
        if (depth == JSON_MAX_DEPTH)
            goto malformed;
        top = &stack[depth++];
        *top = (frame){at, start, 0, *p == '{' ? '}' : ']'};
        p = skip_space(p + 1, end);
        if (p == end)
            goto malformed;
        if (*p == top->closer)
            goto close;
        if (top->closer == '}')
            goto key;
        at = at ? at->element : NULL;
        goto value;
    case 't': p = skip_word(p, end, "true", 4); type = JSON_TRUE; break;
    case 'f': p = skip_word(p, end, "false", 5); type = JSON_FALSE; break;
    case 'n': p = skip_word(p, end, "null", 4); type = JSON_NULL; break;
    default: p = skip_number(p, end); type = JSON_NUMBER; break;
    }
    if (!p)
        goto malformed;
    EMIT(at, type, start, p - start, 0);

after_value:
    p = skip_space(p, end);
    if (depth == 0) {
        if (p != end)
            goto malformed;
        if (found)
            *found = count;
        return count;
    }
    if (p == end)
        goto malformed;
    top->count++;
    if (*p == ',') {
        p++;
        if (top->closer == '}')
            goto key;
        at = top->node ? top->node->element : NULL;
        goto value;
    }
    if (*p != top->closer)
        goto malformed;
close:
    p++;
    EMIT(top->node, top->closer == '}' ? JSON_OBJECT : JSON_ARRAY, top->start, p - top->start, top->count);
    if (--depth)
        top--;
    goto after_value;

key:
    p = skip_space(p, end);
    if (p == end || *p != '"')
        goto malformed;
    const char *name = p + 1;
    p = string_end(name, end);
    if (!p)
        goto malformed;
    at = top->node ? find_key(top->node, name, (size_t)(p - name), end) : NULL;
    p = skip_space(p + 1, end);
    if (p == end || *p != ':')
        goto malformed;
    p++;
    goto value;

malformed:
    if (found)
        *found = count;
    return JSON_MALFORMED;
#undef EMIT
}

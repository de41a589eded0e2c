/* pieces.h: feeds bytes to a parser in pieces, each in memory of just its size that is overwritten and freed after it was
 * read, so that a read past its end and a span kept beyond its time both show under a sanitizer; and a record of what came
 * out, to compare one cutting with another. */
#ifndef TT_PIECES_H
#define TT_PIECES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char *bytes; size_t length, capacity; } record;

static inline void record_bytes(record *to, const void *bytes, size_t length) {
    if (to->length + length > to->capacity) {
        to->capacity = (to->length + length) * 2 + 256;
        to->bytes = realloc(to->bytes, to->capacity);
        if (!to->bytes)
            abort();
    }
    if (length)
        memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static inline void record_number(record *to, int64_t number) { record_bytes(to, &number, sizeof number); }

/* The length first, so that two texts cannot run into each other. */
static inline void record_text(record *to, const char *text, size_t length) {
    record_number(to, (int64_t)length);
    record_bytes(to, text, length);
}

static inline int record_equal(const record *a, const record *b) {
    return a->length == b->length && (a->length == 0 || memcmp(a->bytes, b->bytes, a->length) == 0);
}

static inline void record_free(record *it) {
    free(it->bytes);
    *it = (record){0};
}

typedef void feed_function(void *reader, const char *p, const char *end);

static inline void feed_piece(feed_function *feed, void *reader, const char *bytes, size_t length) {
    char *copy = malloc(length ? length : 1);
    if (!copy)
        abort();
    if (length)
        memcpy(copy, bytes, length);
    feed(reader, copy, copy + length);
    memset(copy, 0xAA, length);
    free(copy);
}

static inline uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;   /* xorshift64 (Marsaglia 2003) */
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Pieces of random sizes: mostly a few bytes, sometimes many, sometimes none. */
static inline void feed_random(feed_function *feed, void *reader, const char *bytes, size_t length, uint64_t seed) {
    seed = seed * 2654435761u + 1;
    for (size_t at = 0; at < length;) {
        uint64_t r = next_random(&seed);
        size_t most = (r >> 60) < 10 ? 8 : 200, piece = (size_t)(r % most);
        if (piece > length - at)
            piece = length - at;
        feed_piece(feed, reader, bytes + at, piece);
        at += piece;
    }
}

#endif

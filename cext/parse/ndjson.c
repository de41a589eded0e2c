#include "parse/ndjson.h"

#include <stdlib.h>
#include <string.h>

void ndjson_init(ndjson *framer) { *framer = (ndjson){0}; }

void ndjson_free(ndjson *framer) {
    free(framer->line.bytes);
    ndjson_init(framer);
}

void ndjson_reset(ndjson *framer) { ndjson_free(framer); }

/* false: too long, or memory out. */
static bool hold(ndjson *framer, const char *bytes, size_t length) {
    sse_buffer *line = &framer->line;
    if (length > NDJSON_MAX_LINE - line->length)
        return false;
    if (line->length + length > line->capacity) {
        size_t capacity = line->capacity ? line->capacity : 512;
        while (capacity < line->length + length)
            capacity *= 2;
        char *grown = realloc(line->bytes, capacity);
        if (!grown)
            return false;
        line->bytes = grown;
        line->capacity = capacity;
    }
    if (length)
        memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
    return true;
}

static sse_result fail(ndjson *framer, const char **p, const char *end) {
    framer->failed = true;
    *p = end;
    return SSE_TOO_LARGE;
}

static bool is_blank(const char *line, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

/* A line without its LF. false: there is nothing in it. */
static bool take_line(const char *line, size_t length, size_t end_bytes, sse_event *event) {
    if (is_blank(line, length))
        return false;
    size_t wire_bytes = length + end_bytes;
    if (line[length - 1] == '\r')
        length--;
    *event = (sse_event){.data = line, .data_length = length, .name = "", .wire_bytes = (uint32_t)wire_bytes, .has_data = true};
    return true;
}

sse_result ndjson_next(ndjson *framer, const char **p, const char *end, sse_event *event) {
    while (!framer->failed && *p < end) {
        const char *at = *p, *stop = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((stop ? stop : end) - at);
        if (length > NDJSON_MAX_LINE)
            return fail(framer, p, end);
        if (!stop || framer->line.length) {
            if (!hold(framer, at, length))
                return fail(framer, p, end);
            if (!stop) {
                *p = end;
                return SSE_MORE;
            }
            at = framer->line.bytes;
            length = framer->line.length;
            framer->line.length = 0;
        }
        *p = stop + 1;
        if (take_line(at, length, 1, event))
            return SSE_EVENT;
    }
    return framer->failed ? fail(framer, p, end) : SSE_MORE;
}

sse_result ndjson_finish(ndjson *framer, sse_event *event) {
    if (framer->failed)
        return SSE_TOO_LARGE;
    size_t length = framer->line.length;
    framer->line.length = 0;
    return length && take_line(framer->line.bytes, length, 0, event) ? SSE_EVENT : SSE_MORE;
}

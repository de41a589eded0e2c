#include "response/stream_internal.h"

#include <stdlib.h>
#include <string.h>

bool stream_buffer_append(stream_buffer *b, const char *bytes, size_t length, size_t limit) {
    if (length > limit - b->length)
        return false;
    if (!length)
        return true;
    if (b->length + length > b->capacity) {
        size_t capacity = b->capacity ? b->capacity : 4096;
        while (capacity < b->length + length)
            capacity *= 2;
        char *grown = realloc(b->bytes, capacity);
        if (!grown)
            return false;
        b->bytes = grown;
        b->capacity = capacity;
    }
    memcpy(b->bytes + b->length, bytes, length);
    b->length += length;
    return true;
}

void stream_buffer_free(stream_buffer *b) {
    free(b->bytes);
    *b = (stream_buffer){0};
}

void stream_keep_error(stream *s, const char *bytes, size_t length) {
    s->remarked = false;
    s->error.length = 0;
    stream_buffer_append(&s->error, bytes, length < STREAM_MAX_ERROR ? length : STREAM_MAX_ERROR, STREAM_MAX_ERROR);
}

void stream_keep_error_about(stream *s, const char *text, const char *bytes, size_t length) {
    static const size_t shown = 160;
    stream_keep_error(s, text, strlen(text));
    stream_buffer_append(&s->error, bytes, length < shown ? length : shown, STREAM_MAX_ERROR);
}

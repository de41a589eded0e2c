/* put.h: functions that write text into a buffer that is large enough. Each returns the end of the text. */
#ifndef TT_SERVER_PUT_H
#define TT_SERVER_PUT_H

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/apis/wire.h"

static inline char *put(char *out, const char *bytes, size_t length) {
    memcpy(out, bytes, length);
    return out + length;
}

#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

static inline char *put_text(char *out, const char *text) { return put(out, text, strlen(text)); }

/* Writes formatted text, at most WIRE_MAX_HEAD bytes. */
__attribute__((format(printf, 2, 3)))
static inline char *put_format(char *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out, WIRE_MAX_HEAD, format, arguments);
    va_end(arguments);
    return out + (length < WIRE_MAX_HEAD ? length : WIRE_MAX_HEAD - 1);
}

/* Writes the words of tokens first .. first+count-1. */
static inline char *put_words(char *out, int32_t first, int32_t count) {
    for (int32_t token = first; token < first + count; token++) {
        size_t length;
        const char *word = wire_word(token, &length);
        out = put(out, word, length);
    }
    return out;
}

/* Writes the words after the reasoning, up to token `end`. */
static inline char *put_visible(char *out, const wire_answer *answer, int32_t end) {
    return put_words(out, answer->reasoning, end > answer->reasoning ? end - answer->reasoning : 0);
}

/* Writes "event: name" and a line end unless name is NULL, then "data: ". */
static inline char *put_lead(char *out, const wire_answer *answer, const char *name) {
    const wire_options *options = answer->options;
    if (name) {
        out = put_text(out, options->space ? "event: " : "event:");
        out = put_text(out, name);
        out = put_text(out, wire_line_end(options));
    }
    return put_text(out, options->space ? "data: " : "data:");
}

#endif

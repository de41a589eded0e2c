/* http1_fields.h: the lines of a response's head. Included by http1*.c alone. */
#ifndef TT_HTTP1_FIELDS_H
#define TT_HTTP1_FIELDS_H

#include "parse/http1.h"

/* Reads a status line, HTTP/1.x SP three digits [SP reason] (RFC 9112, section 4; the last space is often left out).
 * Returns NULL, or a static text that says what is wrong. */
const char *http1_take_status(http1 *parser, const char *line, size_t length);

/* Reads a header line, or a line of the trailers, whose values are not used. Returns NULL, or a static text that says what is wrong. */
const char *http1_take_field(http1 *parser, const char *line, size_t length, bool trailer);

static inline bool is_control(unsigned char c) { return c < 32 && c != '\t'; }

static inline bool is_digit(char c) { return (unsigned char)(c - '0') < 10; }

static inline int hex_value(char c) {
    if (is_digit(c))
        return c - '0';
    unsigned char letter = (unsigned char)((c | 32) - 'a');
    return letter < 6 ? letter + 10 : -1;
}

#endif

#include "parse/http1.h"
#include "parse/http1_fields.h"

#include <stdlib.h>
#include <string.h>

/* What the parser waits for:
 *
 *   STATUS ──▶ FIELDS ──┬─▶ LENGTH_BODY ─────────────────────────────────────────▶ DONE
 *      ▲          │     ├─▶ CLOSE_BODY ──(http1_finish)────────────────────────────▲
 *      └── 1xx ───┘     └─▶ SIZE ─▶ SIZE_DIGITS ─▶ EXTENSION ─▶ CHUNK ─▶ CHUNK_END    │
 *                             ▲                       │                     │       │
 *                             └───────────────────────┼─────────────────────┘       │
 *                                                     └── size 0 ─▶ TRAILERS ───────┘
 *
 * Lines of heads and trailers are taken whole, through parser->line when a buffer cuts them. Chunk sizes are read
 * byte by byte, so that the many cuts there cost no memory. */
enum {
    STATUS, FIELDS, LENGTH_BODY, CLOSE_BODY, SIZE, SIZE_DIGITS, EXTENSION, CHUNK, CHUNK_END, TRAILERS, DONE, FAILED
};

#define MAX_INTERIM 64      /* interim responses before one response */

void http1_init(http1 *parser) {
    *parser = (http1){.state = STATUS, .content_length = -1, .retry_after_s = -1, .content_type = HTTP1_TYPE_OTHER};
}

void http1_free(http1 *parser) {
    free(parser->line);
    http1_init(parser);
}

void http1_reset(http1 *parser) { http1_free(parser); }

static void forget_line(http1 *parser) {
    free(parser->line);
    parser->line = NULL;
    parser->line_length = parser->line_capacity = 0;
    parser->head_bytes = 0;
}

static http1_result fail(http1 *parser, const char *error) {
    forget_line(parser);
    parser->state = FAILED;
    parser->keep_alive = false;
    parser->error = error;
    return HTTP1_ERROR;
}

/* The head is complete. NULL, or what is wrong with it. */
static const char *end_head(http1 *parser) {
    forget_line(parser);
    if (parser->status == 101)
        return "101 Switching Protocols, which was not asked for";
    if (parser->status < 200) {
        uint16_t interim = parser->interim;
        if (interim == MAX_INTERIM)
            return "too many interim responses";
        http1_init(parser);
        parser->interim = interim + 1;
        return NULL;
    }
    /* RFC 9112, section 6.3: the codings rule over the length, and without chunked at their end the close ends the body.
     * Section 6.1: HTTP/1.0 knows no codings, so a connection that used one there is not trusted again. */
    if (parser->status == 204 || parser->status == 304) {
        parser->chunked = false;
        parser->state = DONE;
    } else if (parser->seen_transfer_encoding) {
        parser->close_delimited = !parser->chunked;
        parser->state = parser->chunked ? SIZE : CLOSE_BODY;
    } else if (parser->content_length >= 0) {
        parser->remaining = parser->content_length;
        parser->state = LENGTH_BODY;
    } else {
        parser->close_delimited = true;
        parser->state = CLOSE_BODY;
    }
    parser->keep_alive = !parser->seen_close && !parser->close_delimited
                         && (parser->version_minor >= 1 || (parser->seen_keep_alive && !parser->seen_transfer_encoding));
    return NULL;
}

/* ---- lines ------------------------------------------------------------------------ */

typedef enum { LINE_MORE, LINE_WHOLE, LINE_TOO_LONG, LINE_NO_MEMORY } line_result;

/* Takes the next line, without its end (LF or CRLF); a cut one is kept for the next buffer. */
static line_result take_line(http1 *parser, const char **p, const char *end, http1_span *line) {
    size_t available = (size_t)(end - *p);
    const char *lf = available ? memchr(*p, '\n', available) : NULL;
    size_t length = lf ? (size_t)(lf - *p) : available;
    if (length > HTTP1_MAX_HEAD - parser->head_bytes)
        return LINE_TOO_LONG;
    parser->head_bytes += (uint32_t)length;
    *line = (http1_span){*p, length};
    if ((!lf || parser->line_length) && length) {
        uint32_t needed = parser->line_length + (uint32_t)length;
        if (needed > parser->line_capacity) {
            uint32_t capacity = needed < 256 ? 256 : needed > HTTP1_MAX_HEAD / 2 ? HTTP1_MAX_HEAD : needed * 2;
            char *grown = realloc(parser->line, capacity);
            if (!grown)
                return LINE_NO_MEMORY;
            parser->line = grown;
            parser->line_capacity = capacity;
        }
        memcpy(parser->line + parser->line_length, *p, length);
        parser->line_length = needed;
    }
    if (!lf) {
        *p = end;
        return LINE_MORE;
    }
    *p = lf + 1;
    if (parser->head_bytes == HTTP1_MAX_HEAD)
        return LINE_TOO_LONG;
    parser->head_bytes++;
    if (parser->line_length) {
        *line = (http1_span){parser->line, parser->line_length};
        parser->line_length = 0;
    }
    if (line->length && line->start[line->length - 1] == '\r')
        line->length--;
    return LINE_WHOLE;
}

/* ---- the body --------------------------------------------------------------------- */

static http1_result take_body(http1 *parser, const char **p, const char *end, http1_span *body) {
    size_t available = (size_t)(end - *p);
    size_t length = (uint64_t)parser->remaining < available ? (size_t)parser->remaining : available;
    *body = (http1_span){*p, length};
    *p += length;
    parser->remaining -= (int64_t)length;
    return HTTP1_BODY;
}

/* One byte of the line that gives a chunk's size. NULL, or what is wrong with it. */
static inline const char *take_size_byte(http1 *parser, char c) {
    if (parser->head_bytes++ == HTTP1_MAX_HEAD)
        return "a chunk extension that is too long";
    if (c == '\n') {
        if (parser->state == SIZE)
            return "a chunk without a size";
        parser->head_bytes = 0;
        parser->lone_lf = !parser->after_cr;
        parser->after_cr = false;
        parser->state = parser->remaining ? CHUNK : TRAILERS;
        return NULL;
    }
    if (parser->after_cr)
        return "a CR without LF after a chunk size";
    if (parser->state != EXTENSION) {
        int digit = hex_value(c);
        if (digit >= 0) {
            if (parser->remaining > INT64_MAX >> 4)
                return "a chunk size beyond 63 bits";
            parser->remaining = parser->remaining << 4 | digit;
            parser->state = SIZE_DIGITS;
            return NULL;
        }
        if (parser->state == SIZE || (c != '\r' && c != ';' && c != ' ' && c != '\t'))
            return "a chunk size that is not hexadecimal";
        parser->state = EXTENSION;
        parser->bare_size = c != ';';
    } else if (parser->bare_size && c != '\r') {
        if (c == ';')
            parser->bare_size = false;
        else if (c != ' ' && c != '\t')
            return "a chunk size that is not hexadecimal";
    }
    if (c == '\r')
        parser->after_cr = true;
    else if (is_control((unsigned char)c))
        return "a control character in a chunk extension";
    return NULL;
}

http1_result http1_next(http1 *parser, const char **p, const char *end, http1_span *body) {
    const char *error = NULL;
    http1_span line;
    for (;;) {
        switch (parser->state) {
        case STATUS:
        case FIELDS:
        case TRAILERS:
            switch (take_line(parser, p, end, &line)) {
            case LINE_MORE: return HTTP1_MORE;
            case LINE_TOO_LONG: return fail(parser, "a head or trailer that is too long");
            case LINE_NO_MEMORY: return fail(parser, "no memory for a head or trailer");
            case LINE_WHOLE: break;
            }
            if (parser->state == STATUS) {
                if (line.length == 0)
                    continue;   /* a stray blank line before the response, as llhttp allows */
                error = http1_take_status(parser, line.start, line.length);
                parser->state = FIELDS;
            } else if (line.length) {
                error = http1_take_field(parser, line.start, line.length, parser->state == TRAILERS);
            } else if (parser->state == TRAILERS) {
                forget_line(parser);
                parser->state = DONE;
            } else {
                error = end_head(parser);
                if (!error && parser->state != STATUS)
                    return HTTP1_HEADERS;
            }
            if (error)
                return fail(parser, error);
            continue;

        case LENGTH_BODY:
            if (parser->remaining == 0) {
                parser->state = DONE;
                continue;
            }
            return *p == end ? HTTP1_MORE : take_body(parser, p, end, body);

        case CLOSE_BODY:
            if (*p == end)
                return HTTP1_MORE;
            *body = (http1_span){*p, (size_t)(end - *p)};
            *p = end;
            return HTTP1_BODY;

        case SIZE:
        case SIZE_DIGITS:
        case EXTENSION:
            if (*p == end)
                return HTTP1_MORE;
            error = take_size_byte(parser, *(*p)++);
            if (error)
                return fail(parser, error);
            continue;

        case CHUNK:
            if (*p == end)
                return HTTP1_MORE;
            if (parser->remaining)
                return take_body(parser, p, end, body);
            parser->state = CHUNK_END;
            continue;

        case CHUNK_END:
            if (*p == end)
                return HTTP1_MORE;
            if (**p == '\r' && !parser->after_cr) {
                parser->after_cr = true;
                (*p)++;
                continue;
            }
            /* A lone LF must be this server's way, or a body one byte short would pass. */
            if (**p != '\n' || !(parser->after_cr || parser->lone_lf))
                return fail(parser, "a chunk longer than its size");
            parser->after_cr = false;
            parser->state = SIZE;
            (*p)++;
            continue;

        case DONE: return HTTP1_COMPLETE;
        default: return HTTP1_ERROR;
        }
    }
}

http1_result http1_finish(http1 *parser) {
    switch (parser->state) {
    case CLOSE_BODY: parser->state = DONE; return HTTP1_COMPLETE;
    case DONE: return HTTP1_COMPLETE;
    case FAILED: return HTTP1_ERROR;
    case STATUS:
        if (!parser->head_bytes && !parser->interim)
            return HTTP1_MORE;
        return fail(parser, "the connection closed inside the head");
    case FIELDS: return fail(parser, "the connection closed inside the head");
    case LENGTH_BODY:
        if (parser->remaining == 0) {
            parser->state = DONE;
            return HTTP1_COMPLETE;
        }
        return fail(parser, "the connection closed before the end of the body");
    default: return fail(parser, "the connection closed inside the chunked body");
    }
}

/* http1.h: an incremental parser of HTTP/1.1 responses, as a client meets them.
 *
 * Bytes go in as they arrive, cut anywhere; http1_next() hands out one thing at a time:
 *
 *     const char *p = buffer, *end = buffer + n;
 *     http1_span body;
 *     for (;;)
 *         switch (http1_next(&parser, &p, end, &body)) {
 *         case HTTP1_MORE:     return;             // p == end: feed the next bytes
 *         case HTTP1_HEADERS:  ...                 // status and header fields are known
 *         case HTTP1_BODY:     use(body);          // a piece of the decoded body
 *         case HTTP1_COMPLETE: ...                 // p may be < end: bytes after the message
 *         case HTTP1_ERROR:    close; parser.error says what was wrong
 *         }
 *
 * The body is decoded from Content-Length, chunked (extensions and trailers are
 * skipped) or close-delimited framing; spans point into the caller's buffer, no byte
 * of a body is copied. Interim responses (1xx but 101) are skipped, up to 64 of them; `interim` counts them.
 * Transfer-Encoding rules over Content-Length. A line may end in LF alone; the rest of the framing is held to RFC 9112.
 * 204 and 304 have no body. An error is a state: the parser then answers HTTP1_ERROR
 * for ever, and never reads past `end`.
 *
 * Per connection it owns at most HTTP1_MAX_HEAD bytes, and none between messages. */
#ifndef TT_HTTP1_H
#define TT_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP1_MAX_HEAD 65536   /* status line and headers (trailers likewise), in bytes */

typedef enum { HTTP1_MORE, HTTP1_HEADERS, HTTP1_BODY, HTTP1_COMPLETE, HTTP1_ERROR } http1_result;

typedef enum { HTTP1_TYPE_OTHER, HTTP1_TYPE_SSE, HTTP1_TYPE_JSON, HTTP1_TYPE_NDJSON, HTTP1_TYPE_HTML } http1_type;

typedef struct { const char *start; size_t length; } http1_span;

typedef struct {
    /* known from HTTP1_HEADERS on */
    uint16_t status;
    uint16_t interim;         /* 1xx responses that came before this one */
    uint8_t content_type;     /* http1_type */
    bool chunked;
    bool close_delimited;     /* neither length nor chunks: the close ends it */
    bool keep_alive;          /* the connection may be used again afterwards */
    bool encoded;             /* Content-Encoding other than identity */
    int64_t content_length;   /* -1 when the head names none */
    int32_t retry_after_s;    /* Retry-After in seconds, -1 when absent or a date */
    const char *error;        /* static text, set with HTTP1_ERROR, else NULL */

    /* private */
    uint8_t state;
    bool seen_transfer_encoding, seen_chunked, seen_close, seen_keep_alive;
    bool after_cr, bare_size, lone_lf; /* inside the framing of a chunk */
    uint8_t version_minor;
    int64_t remaining;        /* of the body or of the present chunk */
    uint32_t head_bytes;      /* of this head or trailer, against HTTP1_MAX_HEAD */
    uint32_t line_length, line_capacity;
    char *line;               /* a line cut by the end of a buffer; owned */
} http1;

/* Makes it ready for the first response of a connection. Never fails. */
void http1_init(http1 *parser);

/* Ready for the next response on the same connection; frees what it held. */
void http1_reset(http1 *parser);

/* Frees what it holds. */
void http1_free(http1 *parser);

/* Advances *p as far as one result needs. See above. `body` is written with HTTP1_BODY only. */
http1_result http1_next(http1 *parser, const char **p, const char *end, http1_span *body);

/* The peer closed the connection. HTTP1_COMPLETE: a close-delimited body succeeded, or the
 * message had been complete; HTTP1_MORE: not one byte of a response had come; HTTP1_ERROR: it was
 * cut short (`error` says where). */
http1_result http1_finish(http1 *parser);

#endif

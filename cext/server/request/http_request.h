/* http_request.h: an incremental parser of HTTP/1.1 requests for the simulated server.
 *
 * It takes bytes as they arrive, split at any place. One parser serves one connection, one request after another:
 *
 *     while ((result = request_next(&request, &p, end)) != REQUEST_MORE)
 *         switch (result) {
 *         case REQUEST_HEAD:      ...     // the head is known; the body, if any, follows
 *         case REQUEST_COMPLETE:  answer; request_reset(&request); // p may be < end: the next request
 *         case REQUEST_ERROR:     answer request.error_status, close
 *         }
 *
 * The body (Content-Length or chunked; extensions and trailers are skipped) is collected in one piece. A request with both framings,
 * with two different lengths, or with a folded header line is refused, as RFC 9112 demands. After an error the parser returns
 * REQUEST_ERROR until it is reset. It never reads past `end`.
 *
 * It owns at most REQUEST_MAX_HEAD + REQUEST_MAX_BODY bytes, allocated as they arrive, and no memory between requests. */
#ifndef TT_SERVER_HTTP_H
#define TT_SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_MAX_HEAD (64u << 10)   /* bytes of request line, headers and trailers together */
#define REQUEST_MAX_BODY (64u << 20)
#define REQUEST_PATH_BYTES 256         /* a longer path is truncated; no known path is that long */

typedef enum { REQUEST_MORE, REQUEST_HEAD, REQUEST_COMPLETE, REQUEST_ERROR } request_result;

typedef enum { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER } request_method;

typedef struct {
    /* known from REQUEST_HEAD on */
    request_method method;
    char path[REQUEST_PATH_BYTES];    /* NUL-terminated, without the query */
    bool http_1_0;                    /* the client does not support chunked bodies */
    bool keep_alive;
    bool expects_continue;            /* Expect: 100-continue, and a body follows */
    /* known from REQUEST_COMPLETE on */
    char *body;                       /* owned by the parser until request_reset; NULL when empty */
    size_t body_length;
    uint64_t wire_bytes;              /* bytes of the whole request so far */
    /* set with REQUEST_ERROR */
    uint16_t error_status;
    const char *error;                /* static text */

    /* private */
    uint8_t state;
    bool has_length, chunked;
    uint64_t remaining;               /* bytes left of the body or of the current chunk */
    uint32_t head_bytes;
    size_t body_capacity;
    uint32_t line_length, line_capacity;
    char *line;                       /* owned: a line that a buffer ended within */
} request_parser;

/* Prepares a parser for the first request. Never fails. */
void request_init(request_parser *request);
/* Frees its memory and prepares it for the next request. */
void request_reset(request_parser *request);
/* Parses up to the next result and advances *p. After REQUEST_MORE *p == end. */
request_result request_next(request_parser *request, const char **p, const char *end);

#endif

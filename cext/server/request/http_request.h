/* http_request.h: an incremental parser of HTTP/1.1 requests, as the simulated server meets them.
 *
 * Bytes go in as they arrive, cut anywhere. One parser serves one connection, one request after another:
 *
 *     while ((result = request_next(&request, &p, end)) != REQUEST_MORE)
 *         switch (result) {
 *         case REQUEST_HEAD:      ...     // the head is known; the body, if any, follows
 *         case REQUEST_COMPLETE:  answer; request_reset(&request); // p may be < end: the next request
 *         case REQUEST_ERROR:     answer request.error_status, close
 *         }
 *
 * The body (Content-Length or chunked; extensions and trailers are skipped) is gathered in one piece. A request
 * with both framings, with two lengths that differ, or with a folded header line is refused, as RFC 9112 asks.
 * An error is a state: the parser then answers REQUEST_ERROR until it is reset. It never reads past `end`.
 *
 * It owns at most REQUEST_MAX_HEAD + REQUEST_MAX_BODY bytes, allocated as they come in, and none between requests. */
#ifndef TT_SERVER_HTTP_H
#define TT_SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REQUEST_MAX_HEAD (64u << 10)   /* request line, headers and trailers together, in bytes */
#define REQUEST_MAX_BODY (64u << 20)
#define REQUEST_PATH_BYTES 256         /* a longer path is cut here; no known path is that long */

typedef enum { REQUEST_MORE, REQUEST_HEAD, REQUEST_COMPLETE, REQUEST_ERROR } request_result;

typedef enum { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER } request_method;

typedef struct {
    /* known from REQUEST_HEAD on */
    request_method method;
    char path[REQUEST_PATH_BYTES];    /* NUL-terminated, without the query */
    bool http_1_0;                    /* such a client knows no chunked bodies */
    bool keep_alive;
    bool expects_continue;            /* Expect: 100-continue, and a body follows */
    /* known from REQUEST_COMPLETE on */
    char *body;                       /* owned by the parser until request_reset; NULL when empty */
    size_t body_length;
    uint64_t wire_bytes;              /* of the whole request so far */
    /* set with REQUEST_ERROR */
    uint16_t error_status;
    const char *error;                /* static text */

    /* private */
    uint8_t state;
    bool has_length, chunked;
    uint64_t remaining;               /* of the body or of the present chunk */
    uint32_t head_bytes;
    size_t body_capacity;
    uint32_t line_length, line_capacity;
    char *line;                       /* a line cut by the end of a buffer; owned */
} request_parser;

/* Ready for the first request. Never fails. */
void request_init(request_parser *request);
/* Frees what it held; ready for the next request. */
void request_reset(request_parser *request);
/* Advances *p as far as one result needs; REQUEST_MORE means that *p == end. */
request_result request_next(request_parser *request, const char **p, const char *end);

#endif

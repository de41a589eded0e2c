/* proxy_request.h: an incremental parser of HTTP/1.1 requests that are on their way to somebody else.
 *
 * Unlike http_request.h it refuses nothing that a server might take, gathers no body, and keeps the head as it came:
 *
 *     while ((result = proxy_request_next(&request, &p, end, &body)) != PROXY_REQUEST_MORE)
 *         switch (result) {
 *         case PROXY_REQUEST_HEAD:      ...                // head, path and flags are known
 *         case PROXY_REQUEST_BODY:      use(body);         // a piece of the decoded body, in the caller's buffer
 *         case PROXY_REQUEST_COMPLETE:  ...                // p may be < end: the next request; call proxy_request_reset
 *         case PROXY_REQUEST_ERROR:     ...                // not HTTP/1 as we know it: it can only be passed on
 *         }
 *
 * An error is a state, until the parser is reset. It never reads past `end`. It owns at most PROXY_MAX_HEAD bytes: the
 * head, from its first byte until proxy_request_reset. */
#ifndef TT_PROXY_REQUEST_H
#define TT_PROXY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROXY_MAX_HEAD 65536u

typedef enum {
    PROXY_REQUEST_MORE, PROXY_REQUEST_HEAD, PROXY_REQUEST_BODY, PROXY_REQUEST_COMPLETE, PROXY_REQUEST_ERROR
} proxy_request_result;

typedef enum { PROXY_METHOD_POST, PROXY_METHOD_HEAD, PROXY_METHOD_CONNECT, PROXY_METHOD_OTHER } proxy_method;

typedef struct { const char *start; size_t length; } proxy_span;

typedef struct {
    /* known from PROXY_REQUEST_HEAD on */
    char *head;                  /* owned: the request line and the header lines with their ends, and the blank line */
    uint32_t head_length;
    proxy_method method;
    proxy_span path;             /* within `head`, without the query; of an absolute target its path */
    bool expects_continue;       /* and a body follows */
    bool chunked;
    uint64_t wire_bytes;         /* of the request so far, framing included */

    /* private */
    uint8_t state;
    bool has_length;
    uint32_t head_capacity, line_start, line_bytes;
    uint64_t remaining;          /* of the body or of the present chunk */
} proxy_request;

/* Ready for the first request of a connection. Never fails. */
void proxy_request_init(proxy_request *request);
/* Frees what it held; ready for the next one. */
void proxy_request_reset(proxy_request *request);
/* Has a byte of the present request come? */
static inline bool proxy_request_begun(const proxy_request *request) { return request->wire_bytes > 0; }
/* Advances *p as far as one result needs; PROXY_REQUEST_MORE means that *p == end. `body` is written with PROXY_REQUEST_BODY. */
proxy_request_result proxy_request_next(proxy_request *request, const char **p, const char *end, proxy_span *body);

#endif

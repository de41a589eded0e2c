/* proxy_request.h: an incremental parser of HTTP/1.1 requests that a proxy forwards.
 *
 * Unlike http_request.h it accepts whatever a server might accept, does not collect the body, and keeps the head unchanged:
 *
 *     while ((result = proxy_request_next(&request, &p, end, &body)) != PROXY_REQUEST_MORE)
 *         switch (result) {
 *         case PROXY_REQUEST_HEAD:      ...                // head, path and flags are known
 *         case PROXY_REQUEST_BODY:      use(body);         // a piece of the decoded body, in the caller's buffer
 *         case PROXY_REQUEST_COMPLETE:  ...                // p may be < end: the next request; call proxy_request_reset
 *         case PROXY_REQUEST_ERROR:     ...                // not valid HTTP/1: the bytes can only be forwarded
 *         }
 *
 * After an error the parser returns PROXY_REQUEST_ERROR until it is reset. It never reads past `end`. It owns at most
 * PROXY_MAX_HEAD bytes: the head, from its first byte until proxy_request_reset. */
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
    char *head;                  /* owned: the request line, the header lines and the blank line, with their line ends */
    uint32_t head_length;
    proxy_method method;
    proxy_span path;             /* within `head`: the path of the target without its query */
    bool expects_continue;       /* Expect: 100-continue, and a body follows */
    bool chunked;
    uint64_t wire_bytes;         /* bytes of the request so far, including framing */

    /* private */
    uint8_t state;
    bool has_length;
    uint32_t head_capacity, line_start, line_bytes;
    uint64_t remaining;          /* bytes left of the body or of the current chunk */
} proxy_request;

/* Prepares a parser for the first request of a connection. Never fails. */
void proxy_request_init(proxy_request *request);
/* Frees its memory and prepares it for the next request. */
void proxy_request_reset(proxy_request *request);
/* Returns true when a byte of the current request has arrived. */
static inline bool proxy_request_begun(const proxy_request *request) { return request->wire_bytes > 0; }
/* Parses up to the next result and advances *p. After PROXY_REQUEST_MORE *p == end. PROXY_REQUEST_BODY sets *body. */
proxy_request_result proxy_request_next(proxy_request *request, const char **p, const char *end, proxy_span *body);

#endif

/* proxy.h: a recording reverse proxy: one epoll loop in one native thread.
 *
 * Each client's connection is paired with a connection to the server. Bytes are forwarded as they were read, and parsed only
 * afterwards. No byte is changed. What cannot be parsed (an upgrade, TLS, HTTP/2) is forwarded without being recorded. The proxy
 * sends a response of its own, 502, only when the server cannot be reached.
 *
 *     proxy *p = proxy_new(&config, &error);       // listens
 *     proxy_start(p);                              // makes the thread
 *     ... proxy_read_stats, proxy_take_events, proxy_take_request: from one other thread
 *     proxy_drain(p);                              // accepts no more connections, closes idle ones
 *     proxy_stop(p);                               // closes all connections; open requests end as cancelled
 *     proxy_free(p);
 *
 * A POST whose path ends with the path of a known API has a row. Stamps of the request are arrivals of its bytes from the client;
 * stamps of the response are arrivals of its bytes from the server (stream.h).
 *
 * Memory: about 400 bytes per connection, and PROXY_READ_BYTES in each direction while the receiver is slower than the sender; then
 * the sender is not read from. About 1 KB per open request, plus its body (up to PROXY_MAX_BODY) and what stream.h holds of its
 * response. Bodies, heads and texts of all open requests and of finished rows that were not taken use up to PROXY_HELD_BYTES; a
 * request beyond that is forwarded, and its body is not recorded. Rows that are not taken are dropped and counted beyond
 * PROXY_MAX_ROWS and PROXY_MAX_BLOCKS. */
#ifndef TT_PROXY_H
#define TT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/columns.h"
#include "base/request_record.h"
#include "response/event.h"

#define PROXY_READ_BYTES (128u << 10)
#define PROXY_MAX_BODY (32u << 20)
#define PROXY_HELD_BYTES (512u << 20)
#define PROXY_MAX_ROWS (1u << 17)
#define PROXY_MAX_BLOCKS 2048

typedef enum { PROXY_CHAT, PROXY_COMPLETIONS, PROXY_EMBEDDINGS, PROXY_ENDPOINTS } proxy_endpoint;

typedef struct {
    char host[64];                                      /* numeric address to listen at */
    uint16_t port;                                      /* 0: any free port */
    struct sockaddr_storage upstream;
    socklen_t upstream_length;
    const event_dialect *dialects[PROXY_ENDPOINTS];     /* must outlive the proxy */
    bool needs_end[PROXY_ENDPOINTS];                    /* stream.h */
    bool keep_text;                                     /* keep the output text of responses */
    int64_t connect_timeout_ns;
    int64_t half_closed_ns;                             /* after a client has half-closed: close its connection and cancel
                                                           its requests when nothing moves for this long */
} proxy_config;

/* One finished request. `texts` holds id, finish reason, error and output text one after another; the record has their lengths.
 * record.request_id counts from 0 in the order of the first bytes. scheduled_ns and sent_ns are the arrival of the first byte,
 * bytes_sent is the size of the request, and the connect times are those of the connection to the server. */
typedef struct proxy_row {
    struct proxy_row *next;
    request_record record;
    int64_t received_ns;         /* arrival of the request's last byte; 0: it did not arrive */
    uint8_t endpoint;
    bool body_kept;              /* false: it was too large, incomplete, or there was no memory */
    char *head, *body;           /* owned; the head ends with its blank line */
    size_t head_length, body_length;
    char *texts;                 /* owned */
} proxy_row;

typedef struct {
    uint64_t connections, requests, recorded, events, tokens, coalesced, refused, unfollowed, dropped_rows, dropped_bodies;
    int64_t open_connections, open_requests;
    int64_t oldest_open;         /* the rows of all recorded requests with a lower id can be taken */
    int64_t next_request;        /* the id of the next recorded request */
    int64_t at_ns;               /* when these counters were copied */
    int64_t cpu_user_ns, cpu_system_ns;
} proxy_stats;

typedef struct proxy proxy;

/* Makes a proxy that listens. Returns NULL with *error (static text) and errno: it cannot listen (EADDRINUSE, EACCES, ...), or memory
 * is out. */
proxy *proxy_new(const proxy_config *config, const char **error);
/* Returns the port that it listens at. */
uint16_t proxy_port(const proxy *p);
/* Starts the thread. Returns false with errno. */
bool proxy_start(proxy *p);
/* Accepts no more connections, and closes connections when they are idle. Returns at once. */
void proxy_drain(proxy *p);
/* Ends the thread and closes all connections. Rows can still be taken. */
void proxy_stop(proxy *p);
void proxy_free(proxy *p);

/* Records no further requests; all are still forwarded. */
void proxy_mute(proxy *p);

/* Copies the counters, which are at most 100 ms old. Rows taken after this call include all rows of the requests below oldest_open. */
void proxy_read_stats(proxy *p, proxy_stats *stats);

/* Returns the oldest block of events, or NULL. A block can be taken when it is full, after 100 ms at the latest, and when the proxy
 * has stopped. Give it back with proxy_give_events. */
event_block *proxy_take_events(proxy *p);
void proxy_give_events(proxy *p, event_block *block);
/* Returns the oldest finished request, or NULL. Free it with proxy_row_free. */
proxy_row *proxy_take_request(proxy *p);
void proxy_row_free(proxy *p, proxy_row *row);

#endif

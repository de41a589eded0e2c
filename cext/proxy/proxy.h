/* proxy.h: a recording reverse proxy: one epoll loop in one native thread.
 *
 * Each client's connection is paired with one to the server. Bytes are handed on as they were read, before they are
 * looked at; then the recorder reads along on both sides. It never changes a byte: what it cannot follow (an
 * upgrade, TLS, HTTP/2) goes through unrecorded. Only where the server cannot be reached does it speak itself: 502.
 *
 *     proxy *p = proxy_new(&config, &error);       // listens from here on
 *     proxy_start(p);                              // makes the thread
 *     ... proxy_read_stats, proxy_take_events, proxy_take_requests: from any one other thread
 *     proxy_drain(p);                              // takes no more connections, closes those that are idle
 *     proxy_stop(p);                               // cuts what is left; its rows are cancelled
 *     proxy_free(p);
 *
 * A POST whose path ends like a known API's has a row: stamps of the request are those of its bytes' arrival from the
 * client, stamps of the response those of its bytes' arrival from the server (stream.h).
 *
 * Memory: a connection is some 400 bytes and, while its reader is slower than its writer, PROXY_READ_BYTES each way;
 * then the writer is not read from. An open request is some 1 KB, its body (up to PROXY_MAX_BODY, all of them together
 * and with the finished ones that nobody took yet up to PROXY_HELD_BYTES) and what stream.h holds of its response. What is over
 * is passed on all the same, without its body on the tape. Rows that nobody takes are dropped and counted beyond
 * PROXY_MAX_ROWS and PROXY_MAX_BLOCKS. */
#ifndef TT_PROXY_H
#define TT_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/columns.h"
#include "response/event.h"
#include "base/request_record.h"

#define PROXY_READ_BYTES (128u << 10)
#define PROXY_MAX_BODY (32u << 20)
#define PROXY_HELD_BYTES (512u << 20)
#define PROXY_MAX_ROWS (1u << 17)
#define PROXY_MAX_BLOCKS 2048

typedef enum { PROXY_CHAT, PROXY_COMPLETIONS, PROXY_EMBEDDINGS, PROXY_ENDPOINTS } proxy_endpoint;

typedef struct {
    char host[64];                                      /* to listen at: a numeric address */
    uint16_t port;                                      /* 0: any */
    struct sockaddr_storage upstream;
    socklen_t upstream_length;
    const event_dialect *dialects[PROXY_ENDPOINTS];     /* outlive the proxy */
    bool needs_end[PROXY_ENDPOINTS];                    /* stream.h */
    bool keep_text;                                     /* keep the output text of responses */
    int64_t connect_timeout_ns;
    int64_t half_closed_ns;                             /* how long a client that has ended its side waits for more of the
                                                           server's; then its connection is closed, its rows are cancelled */
} proxy_config;

/* One finished request. Its texts follow each other in `texts`, with the lengths that the record has: id, finish reason, error,
 * output text. record.request_id counts from 0 in the order of the first bytes; record.scheduled_ns = sent_ns = the
 * first byte's arrival; bytes_sent is the request's size; connect times are those of the connection to the server. */
typedef struct proxy_row {
    struct proxy_row *next;
    request_record record;
    int64_t received_ns;         /* the request's last byte arrived; 0: it never did */
    uint8_t endpoint;
    bool body_kept;              /* false: it was too large, or cut short */
    char *head, *body;           /* owned; the head ends with its blank line */
    size_t head_length, body_length;
    char *texts;                 /* owned */
} proxy_row;

typedef struct {
    uint64_t connections, requests, recorded, events, tokens, coalesced, refused, unfollowed, dropped_rows, dropped_bodies;
    int64_t open_connections, open_requests;
    int64_t oldest_open;         /* every recorded request with a lower id has its rows handed over */
    int64_t next_request;        /* the id that the next recorded request will get */
    int64_t at_ns;               /* when these were taken */
    int64_t cpu_user_ns, cpu_system_ns;
} proxy_stats;

typedef struct proxy proxy;

/* NULL with *error (static text) and errno: cannot listen (EADDRINUSE, EACCES, ...), or memory out. */
proxy *proxy_new(const proxy_config *config, const char **error);
uint16_t proxy_port(const proxy *p);
bool proxy_start(proxy *p);
void proxy_drain(proxy *p);
void proxy_stop(proxy *p);
void proxy_free(proxy *p);

/* From now on nothing is recorded, all goes through. */
void proxy_mute(proxy *p);

/* At most 100 ms old. Whatever is taken after this call holds all rows of the requests below oldest_open. */
void proxy_read_stats(proxy *p, proxy_stats *stats);

/* The oldest block of events, or NULL; blocks come when they are full, at the latest after 100 ms, and when the proxy has
 * stopped. Hand it back with proxy_give_events. */
event_block *proxy_take_events(proxy *p);
void proxy_give_events(proxy *p, event_block *block);
/* The oldest finished request, or NULL. Free it with proxy_row_free. */
proxy_row *proxy_take_request(proxy *p);
void proxy_row_free(proxy *p, proxy_row *row);

#endif

/* proxy_internal.h: what the parts of the recording proxy share. Included by proxy*.c alone.
 *
 *   proxy.c           life, listening socket, loop, hand-over of rows
 *   link.c      a client's connection with the server's: moving bytes, back pressure, ends
 *   exchange.c  reading along: from the bytes of both sides to rows */
#ifndef TT_PROXY_INTERNAL_H
#define TT_PROXY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "proxy/proxy.h"
#include "proxy/proxy_request.h"
#include "response/stream.h"

#define MAX_OPEN_EXCHANGES 64       /* pipelined on one connection; then its client is not read from */
#define LINGER_NS (2 * TT_NS_PER_S)
#define FLUSH_NS (100 * TT_NS_PER_MS)

/* One request and its response, as they pass by. */
typedef struct exchange {
    struct exchange *next;              /* on its connection, in the order of the requests */
    struct exchange *older, *newer;     /* of all recorded ones, in the order of their ids */
    bool recorded, is_head, whole;      /* whole: the request's last byte has come */
    bool body_kept;
    uint8_t endpoint;
    int64_t received_ns;
    char *head;                         /* owned, of recorded ones */
    size_t head_length;
    stream_buffer body;
    stream stream;                      /* of one that is not recorded: its HTTP parser alone */
} exchange;

struct link_pair;

typedef struct {
    struct link_pair *link;
    int fd;                             /* -1: none */
    uint32_t watched;                   /* epoll events */
    bool eof;                           /* the peer's direction has ended */
    bool shut;                          /* ours has */
    char *out;                          /* what the kernel did not take yet, owned */
    size_t out_length, out_sent;
} peer;

/* relaying --server ends--> (flush) --> lingering --client's end, 2 s--> dead */
typedef enum { LINK_RELAYING, LINK_LINGERING, LINK_DEAD } link_phase;

typedef struct link_pair {
    peer client, server;
    uint8_t phase;
    bool connecting;
    bool reset_after;                   /* the server's end was a reset: so is ours */
    bool unfollowed;                    /* bytes go through, nobody reads along */
    const char *refused;                /* static text: the server cannot be reached */
    int64_t deadline_ns;                /* of connecting, lingering, or the wait of a half-closed client; INT64_MAX: none */
    int64_t connect_start_ns, connected_ns;
    int64_t request_first_ns;           /* the present request's first byte */
    bool request_user_clock;
    int32_t number;
    uint32_t served, open;
    proxy_request request;
    exchange *receiving;                /* whose request is coming in; NULL between requests */
    exchange *first, *last;
    struct link_pair *previous, *next;       /* of all; next alone: of the dead */
} link_pair;

struct proxy {
    proxy_config config;
    int epoll_fd, listen_fd, wake_fd;
    uint16_t port;
    bool started, accepting, drained;
    _Atomic bool stopping, draining, mute;
    pthread_t thread;
    bool distrust_stamps;               /* the wall clock stepped since the last turn */
    int64_t now_ns, offset_ns, accept_again_ns, flush_ns;
    link_pair *links, *dead;
    exchange *oldest, *newest;
    int64_t next_request;
    stream_shared shared[PROXY_ENDPOINTS];
    event_columns columns;              /* the loop's own */
    proxy_stats stats;                  /* likewise; copied to `published` under the lock */
    char *buffer;
    _Atomic size_t held_bytes;          /* bodies, heads and texts of open requests and of rows */

    pthread_mutex_t lock;               /* guards what follows */
    event_block *blocks, *blocks_last, *given_back;
    uint32_t block_count;
    proxy_row *rows, *rows_last;
    uint32_t row_count;
    proxy_stats published;
};

/* link.c */
void link_open(proxy *p, int fd);
void link_ready(proxy *p, peer *s, uint32_t events);
/* What is to be done with it as time passes. */
void link_check(proxy *p, link_pair *l);
void link_close(proxy *p, link_pair *l, bool reset);

/* exchange.c */
/* Reads along with bytes from the client or from the server. arrival_ns: the best stamp; user_clock: it is read_ns. */
void exchange_client_bytes(proxy *p, link_pair *l, const char *bytes, size_t length, int64_t arrival_ns, bool user_clock);
void exchange_server_bytes(proxy *p, link_pair *l, const char *bytes, size_t length, int64_t arrival_ns, int64_t read_ns,
                           bool user_clock);
/* The server closed its connection. */
void exchange_server_closed(proxy *p, link_pair *l, const char *how);
/* Nothing more can come of what is open. */
void exchange_end_all(proxy *p, link_pair *l, outcome how, const char *text);
/* The connection goes through unrecorded from now on. */
void exchange_stop_following(proxy *p, link_pair *l, const char *text);

/* proxy.c */
void proxy_add_row(proxy *p, proxy_row *row);
void proxy_hand_over_events(proxy *p);

#endif

/* proxy_internal.h: the state that the files of the recording proxy share, and what they offer each other. Included only by
 * the files of this folder.
 *
 * Layers, from the bottom up. A file calls only files of lower layers; tests/cext/test_layers.py holds this list.
 *
 *   1  proxy_request.c  parses requests as they pass
 *      rows.c           finished rows, until another thread takes them
 *   2  exchange.c       the recorder: from the bytes of both directions to rows
 *   3  link.c           a client's connection and its connection to the server: moving bytes, back pressure, closing
 *   4  proxy.c          life, the listening socket, the loop
 *
 * Calls back up: none. */
#ifndef TT_PROXY_INTERNAL_H
#define TT_PROXY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "proxy/proxy.h"
#include "proxy/proxy_request.h"
#include "response/stream.h"

#define MAX_OPEN_EXCHANGES 64       /* pipelined on one connection; with more, the client is not read from */
#define LINGER_NS (2 * TT_NS_PER_S)
#define FLUSH_NS (100 * TT_NS_PER_MS)

/* A request and its response while they pass. */
typedef struct exchange {
    struct exchange *next;              /* on the same connection, in the order of the requests */
    struct exchange *older, *newer;     /* of all recorded exchanges, in the order of their ids */
    bool recorded, is_head, whole;      /* whole: the request's last byte has arrived */
    bool body_kept;
    uint8_t endpoint;
    int64_t received_ns;
    char *head;                         /* owned; NULL when not recorded */
    size_t head_length;
    stream_buffer body;
    stream stream;                      /* when not recorded, only its HTTP parser is used */
} exchange;

struct link_pair;

/* One of the two connections of a pair. */
typedef struct {
    struct link_pair *link;
    int fd;                             /* -1: no connection */
    uint32_t watched;                   /* epoll events */
    bool eof;                           /* the peer sends no more */
    bool shut;                          /* we send no more */
    char *out;                          /* owned: bytes that the kernel has not taken yet */
    size_t out_length, out_sent;
} peer;

/* relaying --server ends--> (flush) --> lingering --client ends, or 2 s--> dead */
typedef enum { LINK_RELAYING, LINK_LINGERING, LINK_DEAD } link_phase;

typedef struct link_pair {
    peer client, server;
    uint8_t phase;
    bool connecting;
    bool reset_after;                   /* the server reset its connection, so the client's is reset too */
    bool unfollowed;                    /* bytes are relayed, and no longer parsed */
    const char *refused;                /* static text: why the server cannot be reached; NULL: it can */
    int64_t deadline_ns;                /* of connecting, lingering, or the wait of a half-closed client; INT64_MAX: none */
    int64_t connect_start_ns, connected_ns;
    int64_t request_first_ns;           /* arrival of the current request's first byte */
    bool request_user_clock;
    int32_t number;
    uint32_t served, open;
    proxy_request request;
    exchange *receiving;                /* the exchange whose request is arriving; NULL between requests */
    exchange *first, *last;
    struct link_pair *previous, *next;  /* in the list of all pairs; `next` also links the dead ones */
} link_pair;

struct proxy {
    proxy_config config;
    int epoll_fd, listen_fd, wake_fd;
    uint16_t port;
    bool started, accepting, drained;
    _Atomic bool stopping, draining, mute;
    pthread_t thread;
    bool distrust_stamps;               /* the wall clock was set during this turn: kernel stamps may be wrong */
    int64_t now_ns, offset_ns, accept_again_ns, flush_ns;
    link_pair *links, *dead;
    exchange *oldest, *newest;
    int64_t next_request;
    stream_shared shared[PROXY_ENDPOINTS];
    event_columns columns;              /* used by the loop alone */
    proxy_stats stats;                  /* used by the loop alone; copied to `published` under the lock */
    char *buffer;
    _Atomic size_t held_bytes;          /* bodies, heads and texts of open requests and of rows */

    pthread_mutex_t lock;               /* guards the fields below */
    event_block *blocks, *blocks_last, *given_back;
    uint32_t block_count;
    proxy_row *rows, *rows_last;
    uint32_t row_count;
    proxy_stats published;
};

/* ---- rows.c ---- */

/* Queues a finished row for proxy_take_request; frees and counts it when the queue is full. Takes ownership. */
void rows_add(proxy *p, proxy_row *row);
/* Queues the closed blocks of events for proxy_take_events, and reuses those that were given back. */
void rows_hand_over_events(proxy *p);

/* ---- exchange.c ---- */

/* Parse bytes from the client or from the server. arrival_ns: the best stamp; user_clock: it is read_ns, the time of the read. */
void exchange_client_bytes(proxy *p, link_pair *l, const char *bytes, size_t length, int64_t arrival_ns, bool user_clock);
void exchange_server_bytes(proxy *p, link_pair *l, const char *bytes, size_t length, int64_t arrival_ns, int64_t read_ns,
                           bool user_clock);
/* The server closed its connection: ends the open exchanges. how: their error text. */
void exchange_server_closed(proxy *p, link_pair *l, const char *how);
/* Ends all open exchanges of a connection with one outcome. */
void exchange_end_all(proxy *p, link_pair *l, outcome how, const char *text);
/* Ends all open exchanges as protocol errors, and stops parsing: the connection is only relayed from now on. */
void exchange_stop_following(proxy *p, link_pair *l, const char *text);

/* ---- link.c ---- */

/* Takes ownership of an accepted socket, and connects to the server. */
void link_open(proxy *p, int fd);
/* Handles an epoll event of one of the two connections. */
void link_ready(proxy *p, peer *s, uint32_t events);
/* Handles what depends on time: deadlines, and closing idle pairs while draining. */
void link_check(proxy *p, link_pair *l);
/* Closes both connections and cancels the open exchanges. reset: close the client's connection with a reset. */
void link_close(proxy *p, link_pair *l, bool reset);

#endif

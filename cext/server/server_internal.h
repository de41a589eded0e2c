/* server_internal.h: what the parts of the simulated server share. Included by server*.c alone.
 *
 *   server.c          life, listening socket, loop, hand-over of rows
 *   due_heap.c     who is due next
 *   connection.c     one connection: reading requests, writing, closing
 *   route.c    from a request to an answer or an error
 *   answer.c   an answer as time passes
 *   pieces.c   what of it comes next, and when
 *   wire.c, server_<family>.c   its bytes, in each API's dialect */
#ifndef TT_SERVER_INTERNAL_H
#define TT_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/clock.h"
#include "response/event.h"
#include "server/server.h"
#include "server/model/prefix_cache.h"
#include "server/apis/dialect.h"
#include "server/request/http_request.h"
#include "server/model/metrics.h"
#include "net/tls.h"

#define NEVER INT64_MAX
#define READ_BYTES (256u << 10)
#define HELD_BYTES (64u << 10)      /* of pipelined requests; more stay in the kernel */
#define SCRATCH_BYTES (64u << 10)
#define LINGER_NS TT_NS_PER_S
#define FLUSH_NS (100 * TT_NS_PER_MS)

/* reading --complete request--> answering --last byte--> reading, or lingering when the connection is to end
 *                                   '--a fault of silence--> stalled        lingering --peer's close, 1 s--> dead */
typedef enum { CONN_READING, CONN_ANSWERING, CONN_STALLED, CONN_LINGERING, CONN_DEAD } conn_phase;

/* An answer's pieces in their order, the events around the tokens being those of its dialect; STAGE_FULL is an answer that is no stream. */
typedef enum {
    STAGE_HEAD, STAGE_BEFORE, STAGE_TOKENS, STAGE_BETWEEN, STAGE_FAULT, STAGE_AFTER, STAGE_END, STAGE_OVER, STAGE_FULL
} answer_stage;

typedef struct {
    int64_t due_ns;                 /* of the next chunk of tokens */
    int32_t token, event;           /* the next ones */
    uint8_t stage, step;            /* step: of STAGE_BEFORE, STAGE_BETWEEN and STAGE_AFTER */
} answer_cursor;

typedef struct {
    wire_answer wire;
    answer_cursor at;
    api_request ask;                 /* its model is not valid any more */
    uint64_t key;
    int64_t head_due_ns, handed_ns; /* handed_ns: the last write */
    int64_t content_length;
    server_fault fault;
    int32_t dimensions;
    bool keep_alive;
    server_request_row row;
} server_answer;

typedef struct conn {
    int fd;
    uint32_t watched;               /* epoll events */
    uint8_t phase;
    bool peer_closed;               /* or half-closed: nothing more to read */
    bool blocked;                   /* the socket's buffer is full */
    uint32_t served;
    int32_t number;
    uint32_t heap_index;            /* UINT32_MAX: not due */
    bool read_kernel_clock;
    int64_t read_ns;                /* when the last bytes arrived */
    request_parser request;
    char *held;                     /* bytes of the next requests, owned */
    size_t held_length;
    char *out;                      /* what the kernel did not take yet, owned */
    size_t out_length, out_sent;
    tls *tls;                       /* NULL: none */
    server_answer answer;
    struct conn *previous, *next;   /* of all connections; next alone: of the dead */
} conn;

typedef struct { int64_t due_ns; conn *conn; } heap_entry;

typedef struct { heap_entry *entries; uint32_t count, capacity; } due_heap;

struct server {
    server_config config;
    int epoll_fd, listen_fd, wake_fd;
    uint16_t port;
    bool started, accepting;
    _Atomic bool stopping;
    pthread_t thread;
    int64_t now_ns;                 /* a recent reading of the clock */
    int64_t accept_again_ns, flush_ns;
    due_heap heap;
    conn *connections, *dead;
    uint64_t nonce, next_request;
    body_reader reader;
    prefix_cache cache;
    server_metrics metrics;
    server_stats stats;             /* the loop's own; copied to `shared` under the lock */
    char *read_buffer, *scratch;
    size_t scratch_bytes;
    tls_context *tls;               /* NULL: plain */
    char *cipher_buffer;            /* with it: what is read, before read_buffer */

    pthread_mutex_t lock;           /* guards what follows, and columns but for its open block */
    event_columns columns;
    server_request_row *rows;       /* a ring */
    size_t rows_capacity, rows_first, rows_count;
    server_stats shared;
};

/* due_heap.c */
bool heap_reserve(due_heap *heap, uint32_t count);
void heap_free(due_heap *heap);
void heap_set(due_heap *heap, conn *c, int64_t due_ns);   /* NEVER takes it out */

/* connection.c */
void conn_open(server *s, int fd);
void conn_readable(server *s, conn *c);
void conn_writable(server *s, conn *c);
void conn_due(server *s, conn *c);
void conn_close(server *s, conn *c, bool reset);
void conn_linger(server *s, conn *c);
void conn_watch(server *s, conn *c, uint32_t events);
/* Bytes that the kernel took; -1: the connection is broken. Under TLS all are taken and encrypted, now_ns is
 * then read again, and what of that the kernel does not take blocks the connection. */
ssize_t conn_send(server *s, conn *c, const char *bytes, size_t length);
/* Sends, and keeps what the kernel does not take. false: the connection is broken, or memory out. */
bool conn_send_all(server *s, conn *c, const char *bytes, size_t length);
/* The answer is complete: the next request, or the end of the connection. Does not read what is held. */
void conn_answered(server *s, conn *c);
void conn_read_held(server *s, conn *c);

/* route.c */
void route_request(server *s, conn *c);
void route_refuse(server *s, conn *c, server_endpoint endpoint, uint16_t status, wire_shape shape, const char *message,
                  const char *param);

/* answer.c */
void answer_start(server *s, conn *c, const api_request *ask);
void answer_advance(server *s, conn *c);
/* The connection goes: the row is written. */
void answer_abandon(server *s, conn *c);
/* What the row of a request for an answer says from the start. */
void answer_begin_row(server *s, conn *c, server_endpoint endpoint);
void answer_end_row(server *s, conn *c, outcome how);

/* server.c */
void server_add_event(server *s, int64_t request, int32_t event, int64_t handed_ns, event_kind kind, int32_t tokens,
                      int32_t bytes, bool coalesced);
void server_add_request(server *s, const server_request_row *row);

#endif

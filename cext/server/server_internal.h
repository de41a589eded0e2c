/* server_internal.h: the state that the files of the simulated server share, and what they offer each other. Included only
 * by the files of this folder.
 *
 * Layers, from the bottom up. A file calls only files of lower layers; tests/cext/test_layers.py holds this list. The
 * files of apis/, model/ and request/ have headers of their own.
 *
 *   1  model/        the simulated model: latencies, prefix cache, metrics
 *      request/      HTTP and JSON of requests
 *   2  apis/         the bytes of responses, one file per API
 *   3  due_heap.c    which connection has something to do next
 *      truth.c       rows of what was done, until another thread takes them
 *      pieces.c      an answer as a sequence of pieces: which is next, when it may leave, its bytes
 *   4  connection.c  opening, writing, closing
 *   5  respond.c     responses that are sent at once: pages and errors
 *   6  answer.c      an answer over time
 *   7  route.c       from a request to an answer, a page or an error
 *   8  ready.c       connections that can be read or written, or whose time has come
 *   9  server.c      life, the listening socket, the loop
 *
 * Calls back up: none. */
#ifndef TT_SERVER_INTERNAL_H
#define TT_SERVER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "base/clock.h"
#include "net/tls.h"
#include "response/event.h"
#include "server/apis/dialect.h"
#include "server/model/metrics.h"
#include "server/model/prefix_cache.h"
#include "server/request/http_request.h"
#include "server/server.h"

#define NEVER INT64_MAX
#define READ_BYTES (256u << 10)
#define HELD_BYTES (64u << 10)      /* upper limit of buffered pipelined requests; further bytes stay in the kernel */
#define SCRATCH_BYTES (64u << 10)
#define LINGER_NS TT_NS_PER_S
#define FLUSH_NS (100 * TT_NS_PER_MS)

/* reading --complete request--> answering --last byte--> reading, or lingering if the connection ends
 *                                   '--STALL or SILENT--> stalled           lingering --peer closes, or 1 s--> dead */
typedef enum { CONN_READING, CONN_ANSWERING, CONN_STALLED, CONN_LINGERING, CONN_DEAD } conn_phase;

/* Stages of an answer, in order. The events of BEFORE, BETWEEN and AFTER are those of its dialect. FULL: an answer without a stream. */
typedef enum {
    STAGE_HEAD, STAGE_BEFORE, STAGE_TOKENS, STAGE_BETWEEN, STAGE_FAULT, STAGE_AFTER, STAGE_END, STAGE_OVER, STAGE_FULL
} answer_stage;

typedef struct {
    int64_t due_ns;                 /* due time of the next chunk of tokens */
    int32_t token, event;           /* number of the next token and the next event */
    uint8_t stage, step;            /* step: place in the events of STAGE_BEFORE, STAGE_BETWEEN or STAGE_AFTER */
} answer_cursor;

typedef struct {
    wire_answer wire;
    answer_cursor at;
    api_request request;            /* without its model, whose memory was freed */
    uint64_t key;
    int64_t head_due_ns, handed_ns; /* handed_ns: when the last write was handed to the kernel */
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
    bool peer_closed;               /* the peer has closed at least its direction: there is nothing more to read */
    bool blocked;                   /* the socket's send buffer is full */
    uint32_t served;
    int32_t number;
    uint32_t heap_index;            /* UINT32_MAX: not due */
    bool read_kernel_clock;
    int64_t read_ns;                /* when the last bytes arrived */
    request_parser request;
    char *held;                     /* owned: bytes of the next requests */
    size_t held_length;
    char *out;                      /* owned: bytes that the kernel has not taken yet */
    size_t out_length, out_sent;
    tls *tls;                       /* owned; NULL: no TLS */
    server_answer answer;
    struct conn *previous, *next;   /* in the list of all connections; `next` also links the dead ones */
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
    server_stats stats;             /* used by the loop alone; copied to `shared` under the lock */
    char *read_buffer, *scratch;
    size_t scratch_bytes;
    tls_context *tls;               /* NULL: no TLS */
    char *cipher_buffer;            /* with TLS: ciphertext is read here, and decrypted into read_buffer */

    pthread_mutex_t lock;           /* guards the fields below, except the open block of `columns` */
    event_columns columns;
    server_request_row *rows;       /* a ring */
    size_t rows_capacity, rows_first, rows_count;
    server_stats shared;
};

/* ---- due_heap.c ---- */

/* Makes room for `count` connections. Returns false when memory is out. */
bool heap_reserve(due_heap *heap, uint32_t count);
void heap_free(due_heap *heap);
/* Inserts or moves a connection; NEVER removes it. The heap must have room for all open connections. */
void heap_set(due_heap *heap, conn *c, int64_t due_ns);

/* ---- truth.c ---- */

/* Appends an event to the open block. handed_ns: when it was handed to the kernel. */
void truth_add_event(server *s, int64_t request, int32_t event, int64_t handed_ns, event_kind kind, int32_t tokens,
                     int32_t bytes, bool coalesced);
/* Closes the open block of events, so that it can be taken. */
void truth_close_block(server *s);
/* Begins the row of the request on `c`, which has just arrived. */
void truth_begin_row(server *s, conn *c, server_endpoint endpoint);
/* Ends the row of the request on `c`, if it has one, and frees the answer's text. */
void truth_end_row(server *s, conn *c, outcome how);

/* ---- connection.c ---- */

/* Takes ownership of an accepted socket. */
void conn_open(server *s, int fd);
/* Closes a connection and ends the row of its request; reset: with RST. Its memory is freed after the current batch of events. */
void conn_close(server *s, conn *c, bool reset);
/* Ends our direction, and discards what the peer still sends until it closes, for 1 s at most. */
void conn_linger(server *s, conn *c);
/* Sets the epoll events that are watched. */
void conn_watch(server *s, conn *c, uint32_t events);
/* Starts the time after which an idle connection is closed. */
void conn_wait_idle(server *s, conn *c);
/* Sends bytes. Returns how many were taken, or -1 if the connection is broken. Without TLS the kernel takes as many as fit. Under TLS
 * all are encrypted, then now_ns is read again; what the kernel does not take blocks the connection. */
ssize_t conn_send(server *s, conn *c, const char *bytes, size_t length);
/* Sends bytes and keeps those that the kernel does not take. Returns false when the connection is broken or memory is out. */
bool conn_send_all(server *s, conn *c, const char *bytes, size_t length);
/* Sends what TLS has encrypted. Returns false when the connection is broken. */
bool conn_flush(server *s, conn *c);
/* The answer is complete: waits for the next request, or ends the connection. Does not parse the bytes in `held`. */
void conn_answered(server *s, conn *c);

/* ---- respond.c ---- */

/* Sends a head and a body, and leaves the answer in STAGE_OVER: call answer_advance next. */
void respond_whole(server *s, conn *c, server_endpoint endpoint, wire_head *head, const char *body, size_t length);
/* Responds with the status of `head` and an error body. param: the field that is wrong, or NULL. Call answer_advance next. */
void respond_error(server *s, conn *c, server_endpoint endpoint, wire_head head, wire_shape shape, const char *message,
                   const char *param);
/* Refuses a request with a status. Call answer_advance next. */
void respond_refusal(server *s, conn *c, server_endpoint endpoint, uint16_t status, wire_shape shape, const char *message,
                     const char *param);

/* ---- answer.c ---- */

/* Begins the answer to a request: looks up its prompts in the prefix cache and sets its due times. Call answer_advance next. */
void answer_start(server *s, conn *c, const api_request *request);
/* Sends the pieces of the answer that are due, and sets when the next one is due. Does nothing unless the connection is answering. */
void answer_advance(server *s, conn *c);

/* ---- route.c ---- */

/* Answers the request on `c`, which is complete. */
void route_request(server *s, conn *c);
/* Answers a request that cannot be parsed; the connection ends with the answer. */
void route_bad_request(server *s, conn *c);

/* ---- ready.c ---- */

/* epoll has reported the connection as readable. */
void ready_to_read(server *s, conn *c);
/* epoll has reported the connection as writable. */
void ready_to_write(server *s, conn *c);
/* The connection's time in the heap has come. */
void ready_due(server *s, conn *c);

#endif

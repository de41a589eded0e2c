/* server.h: a simulated LLM server: one epoll loop in one native thread.
 *
 * It answers the APIs of api_kind (body.h) with meaningless words at exact times. Token k of an answer is due at received + ttft
 * + the first k draws of itl. These due times are absolute, so they do not drift, and no token is handed to the kernel earlier.
 * When the server is late, all due events of one stream are sent in one write.
 *
 * With cache_blocks it has a prefix cache: the blocks of each prompt are looked up and entered in the order in which requests are
 * complete (blocks.h, prefix_cache.h). The usage reports the cached tokens. The draw of ttft is scaled by the share of the
 * prompt's tokens that are not cached; at least one token is always computed.
 *
 *     server *s = server_new(&config, &error);      // listens
 *     server_start(s);                              // makes the thread
 *     ... server_port, server_read_stats, server_take_events, server_take_requests: from one other thread
 *     server_stop(s);                               // ends the thread soon; open streams end as cancelled
 *     server_free(s);
 *
 * Memory: about 600 bytes per connection and 1 KB per open stream, plus the requests' bodies. Events are not composed before the
 * client has room for them. With config.truth, rows are kept until they are taken: up to SERVER_MAX_BLOCKS * EVENT_ROWS events and
 * SERVER_MAX_REQUEST_ROWS requests; further rows are dropped and counted. */
#ifndef TT_SERVER_H
#define TT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/columns.h"
#include "base/request_record.h"
#include "server/apis/wire.h"
#include "server/model/draw.h"

#define SERVER_MAX_BLOCKS 2048
#define SERVER_MAX_REQUEST_ROWS (1 << 20)
#define SERVER_MODEL_BYTES 64
#define SERVER_MAX_BLOCK_TOKENS (1u << 20)

/* What goes wrong with an answer. CUT, RESET, STALL and ERROR happen after `fault_after` of its tokens. */
typedef enum {
    FAULT_NONE,
    FAULT_STATUS,      /* an error status instead of an answer */
    FAULT_REDIRECT,    /* 307 to the same path under /redirected, where requests are answered */
    FAULT_ERROR,       /* an error event in the stream; without a stream, status 500 */
    FAULT_CUT,         /* the connection is closed within the body */
    FAULT_RESET,       /* the connection is reset within the body */
    FAULT_STALL,       /* nothing more is sent within the body; the connection stays open */
    FAULT_SILENT,      /* no byte is sent; the connection stays open */
    FAULT_LENGTH       /* Content-Length is 100 bytes too long, then the connection is closed */
} server_fault;

#define HEADERS_WITH_FIRST (-1)

typedef struct {
    char host[64];               /* a numeric IPv4 or IPv6 address */
    uint16_t port;               /* 0: any free port */
    char unix_path[108];         /* listen at this Unix socket instead of host and port; empty: do not */
    const char *certificate_file, *key_file;   /* PEM: use TLS; NULL: no TLS. Only server_new reads them */
    char model[SERVER_MODEL_BYTES];  /* model in /v1/models and in answers to requests without one; no quotes or backslashes */
    uint64_t seed;
    draw_distribution ttft, itl;
    int32_t default_tokens, dimensions;
    wire_options wire;
    int64_t headers_ns;          /* send the head this long after the request, but no later than the first event; or
                                    HEADERS_WITH_FIRST */
    int64_t keepalive_ns;        /* send a keepalive after this long without an event; 0: never */
    bool interim;                /* send 100 Continue before each head */
    uint32_t split_bytes;        /* split each write into pieces of this many bytes; 0: do not */
    uint32_t close_after;        /* close a connection after this many requests; 0: never */
    int64_t idle_close_ns;       /* close a connection without a request after this long; 0: never */
    server_fault fault;
    int32_t fault_after;
    double fault_share;          /* share of the requests for answers that are faulty, 0 to 1 */
    uint16_t fault_status;
    int64_t retry_after_s;       /* Retry-After of 429 and 503; -1: no such header */
    uint32_t cache_blocks;       /* capacity of the prefix cache; 0: no cache */
    uint32_t block_tokens;       /* with a cache: tokens per block */
    bool truth;                  /* keep rows of requests and events */
} server_config;

typedef enum {
    ENDPOINT_MODELS = API_COUNT, ENDPOINT_TAGS, ENDPOINT_HEALTH, ENDPOINT_METRICS, ENDPOINT_OTHER, ENDPOINT_COUNT
} server_endpoint;   /* values below ENDPOINT_MODELS are an api_kind */

/* What was done for one request for an answer. Times are CLOCK_MONOTONIC in ns; 0: it did not happen. */
typedef struct {
    int64_t request;             /* its number from 0, in the order in which requests were complete */
    int64_t received_ns;         /* arrival of its last byte: the kernel's stamp if kernel_clock */
    int64_t headers_ns, first_event_ns, first_token_ns, last_token_ns, end_ns;   /* read just before send() */
    int64_t bytes_received, bytes_sent;
    int32_t cached_tokens;       /* tokens of the prompt that were cached; -1: there is no cache */
    int32_t prompt_tokens, asked_tokens, output_tokens, events, output_events, connection;
    uint16_t status;             /* 0: no response was sent */
    uint8_t endpoint, outcome;   /* server_endpoint; outcome (request_record.h) */
    bool kernel_clock, reused, stream, done_marker;
    char id[WIRE_ID_BYTES];      /* empty when the response has none */
    char model[SERVER_MODEL_BYTES];  /* cut at 63 bytes */
} server_request_row;

typedef struct {
    uint64_t requests, events, tokens, sends, wakes, connections, dropped_rows;
    int64_t open_streams, peak_streams, open_connections;
    int64_t cpu_user_ns, cpu_system_ns;   /* CPU time of the loop's thread so far */
} server_stats;

typedef struct server server;

/* Makes a server that listens. Returns NULL with *error (static text) and errno: it cannot listen (EADDRINUSE, EACCES, ...), TLS is not
 * possible (EPROTO), or memory is out. */
server *server_new(const server_config *config, const char **error);
/* Returns the port that it listens at. */
uint16_t server_port(const server *s);
/* Starts the thread. Returns false with errno. */
bool server_start(server *s);
/* Ends the thread and closes all connections. Rows can still be taken. */
void server_stop(server *s);
void server_free(server *s);

/* Copies the counters, which are at most 100 ms old. */
void server_read_stats(server *s, server_stats *stats);

/* Returns the oldest block of events, or NULL. request_id is the request's number; arrival_ns and read_ns are the time just before
 * the event was handed to the kernel; coalesced: a later event was in the same write. A block can be taken when it is full, after
 * 100 ms at the latest, and when the server has stopped. Give it back with server_give_events. */
event_block *server_take_events(server *s);
void server_give_events(server *s, event_block *block);
/* Writes up to `room` finished requests, the oldest first. Returns how many. */
size_t server_take_requests(server *s, server_request_row *rows, size_t room);

#endif

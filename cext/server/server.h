/* server.h: a simulated LLM server: one epoll loop in one native thread.
 *
 * It answers the APIs of api_kind (body.h) with words that mean nothing, at times that mean
 * much: token k of an answer is due at received + ttft + the first k draws of itl, an absolute schedule
 * that does not drift, and is never handed to the kernel before. When the server is late, the due events of one stream
 * leave in one write.
 *
 * With cache_blocks it has a prefix cache: the blocks of each prompt are looked up and entered in the order in which
 * requests are complete (blocks.h, prefix_cache.h). The usage tells the cached tokens, and the draw of ttft is
 * scaled by the share of the prompt's tokens that are not cached, of at least one token: the last is computed always.
 *
 *     server *s = server_new(&config, &error);      // listens from here on
 *     server_start(s);                              // makes the thread
 *     ... server_port, server_read_stats, server_take_events, server_take_requests: from any one other thread
 *     server_stop(s);                               // ends the thread: bounded, streams are cut as cancelled
 *     server_free(s);
 *
 * Memory: some 600 bytes per connection and 1 KB per open stream beside the requests' bodies; answers that a client
 * does not read are not composed. With config.truth, rows wait for whoever takes them, at most
 * SERVER_MAX_BLOCKS * EVENT_ROWS events and SERVER_MAX_REQUEST_ROWS requests; more are dropped and counted. */
#ifndef TT_SERVER_H
#define TT_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/columns.h"
#include "base/request_record.h"
#include "server/model/draw.h"
#include "server/apis/wire.h"

#define SERVER_MAX_BLOCKS 2048
#define SERVER_MAX_REQUEST_ROWS (1 << 20)
#define SERVER_MODEL_BYTES 64
#define SERVER_MAX_BLOCK_TOKENS (1u << 20)

/* What goes wrong with an answer, after `fault_after` of its tokens where that makes sense. */
typedef enum {
    FAULT_NONE,
    FAULT_STATUS,      /* an error response instead of an answer */
    FAULT_REDIRECT,    /* 307 to the same path under /redirected, which is served well */
    FAULT_ERROR,       /* an error event in the stream (500 where there is no stream) */
    FAULT_CUT,         /* the connection is closed within the body */
    FAULT_RESET,       /* likewise, with RST */
    FAULT_STALL,       /* silence within the body, the connection stays open */
    FAULT_SILENT,      /* the request is never answered, the connection stays open */
    FAULT_LENGTH       /* Content-Length is 100 bytes too long; then the connection is closed */
} server_fault;

#define HEADERS_WITH_FIRST (-1)

typedef struct {
    char host[64];               /* a numeric IPv4 or IPv6 address */
    uint16_t port;               /* 0: any */
    char unix_path[108];         /* listen at this Unix socket instead; empty: at host and port */
    const char *certificate_file, *key_file;   /* PEM: speak TLS; NULL: plain. Read by server_new alone */
    char model[SERVER_MODEL_BYTES];  /* of /v1/models, and of requests that name none; no quotes or backslashes */
    uint64_t seed;
    draw_distribution ttft, itl;
    int32_t default_tokens, dimensions;
    wire_options wire;
    int64_t headers_ns;          /* how long after the request the head goes out, at the latest with the first event */
    int64_t keepalive_ns;        /* 0: never */
    bool interim;                /* 100 Continue before each head */
    uint32_t split_bytes;        /* each write is cut into pieces of so many bytes; 0: not at all */
    uint32_t close_after;        /* requests per connection; 0: any number */
    int64_t idle_close_ns;       /* 0: never */
    server_fault fault;
    int32_t fault_after;
    double fault_share;          /* of the requests for answers */
    uint16_t fault_status;
    int64_t retry_after_s;       /* with 429 and 503; -1: not told */
    uint32_t cache_blocks;       /* of the prefix cache; 0: there is none */
    uint32_t block_tokens;       /* with a cache: tokens of one block */
    bool truth;                  /* keep rows of requests and events */
} server_config;

typedef enum {
    ENDPOINT_MODELS = API_COUNT, ENDPOINT_TAGS, ENDPOINT_HEALTH, ENDPOINT_METRICS, ENDPOINT_OTHER, ENDPOINT_COUNT
} server_endpoint;   /* below ENDPOINT_MODELS: an api_kind */

/* What was done for one request for an answer, in CLOCK_MONOTONIC ns; 0: did not happen. */
typedef struct {
    int64_t request;             /* its number, in the order in which requests were complete */
    int64_t received_ns;         /* its last byte arrived: kernel stamp where there is one */
    int64_t headers_ns, first_event_ns, first_token_ns, last_token_ns, end_ns;   /* read just before send() */
    int64_t bytes_received, bytes_sent;
    int32_t cached_tokens;       /* of the prompt; -1: there is no cache */
    int32_t prompt_tokens, asked_tokens, output_tokens, events, output_events, connection;
    uint16_t status;             /* 0: none was sent */
    uint8_t endpoint, outcome;   /* outcome: as in request_record.h */
    bool kernel_clock, reused, stream, done_marker;
    char id[WIRE_ID_BYTES];      /* empty when the response has none */
    char model[SERVER_MODEL_BYTES];  /* cut at 63 bytes */
} server_request_row;

typedef struct {
    uint64_t requests, events, tokens, sends, wakes, connections, dropped_rows;
    int64_t open_streams, peak_streams, open_connections;
    int64_t cpu_user_ns, cpu_system_ns;   /* of the loop's thread so far */
} server_stats;

typedef struct server server;

/* NULL with *error (text of static storage) and errno: cannot listen (EADDRINUSE, EACCES, ...), no TLS (EPROTO), or memory out. */
server *server_new(const server_config *config, const char **error);
uint16_t server_port(const server *s);
bool server_start(server *s);
void server_stop(server *s);
void server_free(server *s);

void server_read_stats(server *s, server_stats *stats);

/* The oldest block of events, or NULL; request_id is the request's number, arrival_ns = read_ns = when it was handed to
 * the kernel, coalesced says that a later event left in the same write. Blocks come when they are full, at the latest after
 * 100 ms, and when the server has stopped. Hand it back with server_give_events. */
event_block *server_take_events(server *s);
void server_give_events(server *s, event_block *block);
/* Up to `room` finished requests. */
size_t server_take_requests(server *s, server_request_row *rows, size_t room);

#endif

/* runs.h: whole runs of the reactor against the simulated server, both native, in one process. The test plays the controller: it
 * writes the requests into the channel, those of followers when they are asked for, and takes the measurements out of it. */
#ifndef TT_RUNS_H
#define TT_RUNS_H

#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "channel/feed.h"
#include "channel/outbox.h"
#include "reactor/reactor.h"
#include "base/request_record.h"
#include "server/server.h"
#include "support/check.h"

enum { ROWS = 400, TOKENS = 6, FIRST_ID = 1000 };

/* What came back of a run. */
typedef struct {
    int outcomes[8];
    int requests, events, tokens, retries, reused, early;
    reactor_status status;             /* the last one */
    request_record records[ROWS];      /* by row; request_id 0: there was none */
    char errors[ROWS][128];
    int64_t start_ns, took_ns;
} totals;

/* What all runs speak: plain, unless a test sets these. */
static tls_context *run_tls;
static const char *run_certificate, *run_key;

static server *start_server(const server_config *config) {
    const char *error = NULL;
    server *s = server_new(config, &error);
    if (!s || !server_start(s)) {
        fprintf(stderr, "the server does not start: %s\n", error);
        abort();
    }
    return s;
}

static void stop_server(server *s) {
    server_stop(s);
    server_free(s);
}

static server_config quick_server(void) {
    server_config config = {.host = "127.0.0.1", .model = "m", .default_tokens = TOKENS, .dimensions = 4, .fault_share = 1,
                            .fault_status = 500, .retry_after_s = -1, .certificate_file = run_certificate, .key_file = run_key};
    config.ttft = (draw_distribution){.shape = DRAW_CONSTANT, .a_ns = 2e6};
    config.itl = (draw_distribution){.shape = DRAW_CONSTANT, .a_ns = 1e6};
    config.wire = (wire_options){.done = true, .space = true, .tokens_per_chunk = 1};
    return config;
}

/* A port of the loopback address that nobody listens on. */
static inline uint16_t dead_port(void) {
    server_config config = quick_server();
    server *s = start_server(&config);
    uint16_t port = server_port(s);
    stop_server(s);
    return port;
}

static reactor_config make_config(const event_dialect *dialect, uint16_t port) {
    reactor_config config = {.route = {.address_length = sizeof(struct sockaddr_in), .stamps = true, .tls = run_tls}, .dialect = dialect,
                             .connect_timeout_ns = 2 * TT_NS_PER_S, .read_timeout_ns = TT_NS_PER_S / (run_tls ? 2 : 5),
                             .idle_timeout_ns = 4 * TT_NS_PER_S, .horizon_ns = TT_NS_PER_S / 5, .feed_limit = 1 << 20,
                             .max_connections = 64, .reuse = true, .keep_text = true, .needs_end = true};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(&config.route.address, &address, sizeof address);
    return config;
}

/* One frame of the feed; its length. */
static size_t put_frame(char *frame, int64_t row) {
    char body[256];
    int body_length = snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
                               "\"one two\"}],\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                               "\"max_tokens\":%d}", TOKENS);
    feed_header header = {.row = row};
    header.length = snprintf(frame + sizeof header, 500, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: "
                             "application/json\r\nContent-Length: %d\r\n\r\n%s", body_length, body);
    memcpy(frame, &header, sizeof header);
    return sizeof header + (size_t)header.length;
}

static void write_whole(int fd, const char *bytes, size_t length) {
    if (write(fd, bytes, length) != (ssize_t)length)
        abort();
}

/* The roots' requests, in one write: many small ones would fill a socket's queue before anybody reads. */
static void feed_requests(int fd, const reactor_rows *rows) {
    static char frames[(ROWS + 1) * 600];
    size_t length = 0;
    for (int64_t row = 0; row < rows->count; row++)
        if (!rows->links || rows->links->parent[row] < 0)
            length += put_frame(frames + length, row);
    feed_header end = {FEED_END, 0};
    memcpy(frames + length, &end, sizeof end);
    write_whole(fd, frames, length + sizeof end);
}

static void take_records(const char *p, uint32_t rows, totals *sum) {
    for (; rows; rows--) {
        request_record record;
        memcpy(&record, p, sizeof record);
        int64_t row = record.request_id - FIRST_ID;
        const char *error = p + sizeof record + record.id_length + record.finish_length;
        p = error + record.error_length + record.text_length;
        sum->requests++;
        sum->outcomes[record.outcome]++;
        sum->tokens += record.output_events;
        sum->retries += record.retries;
        sum->reused += record.connection_reused;
        sum->early += record.sent_ns && record.sent_ns < record.scheduled_ns;
        CHECK(record.end_ns > 0);
        CHECK(row >= 0 && row < ROWS && !sum->records[row].request_id);     /* none comes twice */
        sum->records[row] = record;
        snprintf(sum->errors[row], sizeof sum->errors[row], "%.*s", (int)record.error_length, error);
    }
}

/* Takes whole frames off the front of what was read. `wanted`: where followers' requests go. */
static size_t take_frames(const char *bytes, size_t length, int wanted, totals *sum) {
    size_t at = 0;
    outbox_header header;
    while (length - at >= sizeof header) {
        memcpy(&header, bytes + at, sizeof header);
        if (length - at - sizeof header < header.length)
            break;
        const char *p = bytes + at + sizeof header;
        at += sizeof header + header.length;
        if (header.type == OUTBOX_EVENTS)
            sum->events += (int)header.rows;
        else if (header.type == OUTBOX_STATUS)
            memcpy(&sum->status, p, sizeof sum->status);
        else if (header.type == OUTBOX_REQUESTS)
            take_records(p, header.rows, sum);
        for (uint32_t i = 0; header.type == OUTBOX_WANTS && i < header.rows; i++) {
            char frame[600];
            int64_t row;
            memcpy(&row, p + i * sizeof row, sizeof row);
            write_whole(wanted, frame, put_frame(frame, row));
        }
    }
    return at;
}

typedef struct { int fd, wanted; char *buffer; size_t held; } controller;

static void read_frames(controller *ours, totals *sum) {
    ssize_t n;
    while ((n = recv(ours->fd, ours->buffer + ours->held, (1 << 20) - ours->held, MSG_DONTWAIT)) > 0) {
        ours->held += (size_t)n;
        size_t used = take_frames(ours->buffer, ours->held, ours->wanted, sum);
        memmove(ours->buffer, ours->buffer + used, ours->held - used);
        ours->held -= used;
    }
}

/* A whole run. Row i has the id FIRST_ID + i; the caller sets none. `give_up_after_ns` of 0 lets it end by itself. */
static totals run(reactor_config config, reactor_rows rows, int64_t give_up_after_ns) {
    static int64_t ids[ROWS];
    int fds[2], wanted[2];
    totals sum = {0};
    controller ours = {.buffer = malloc(1 << 20)};
    for (int row = 0; row < ROWS; row++)
        ids[row] = FIRST_ID + row;
    if (!ours.buffer || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, wanted) != 0)
        abort();
    int room = 1 << 20;
    setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    ours.fd = fds[1];
    ours.wanted = wanted[1];
    config.channel_fd = fds[0];
    config.follower_feed_fd = wanted[0];
    rows.request_ids = ids;
    reactor *r = reactor_new(&config, &rows);
    CHECK(r != NULL);
    feed_requests(ours.fd, &rows);
    sum.start_ns = clock_mono_ns() + 20 * TT_NS_PER_MS;
    int64_t stop_at = give_up_after_ns ? sum.start_ns + give_up_after_ns : INT64_MAX;
    reactor_begin(r, sum.start_ns);
    while (clock_mono_ns() < sum.start_ns + 20 * TT_NS_PER_S) {
        poll(&(struct pollfd){.fd = reactor_fd(r), .events = POLLIN}, 1, 10);
        bool finished = reactor_run(r, TT_NS_PER_MS);
        read_frames(&ours, &sum);
        if (finished)
            break;
        if (clock_mono_ns() > stop_at) {
            stop_at = INT64_MAX;
            reactor_stop(r);
            reactor_cancel(r);
        }
    }
    sum.took_ns = clock_mono_ns() - sum.start_ns;
    read_frames(&ours, &sum);
    CHECK_NUMBER(ours.held, 0);
    CHECK_NUMBER(sum.status.done, 1);
    CHECK_NUMBER(sum.early, 0);
    CHECK_NUMBER(sum.status.finished, sum.requests);
    CHECK_NUMBER(sum.status.active, 0);
    reactor_free(r);
    for (int end = 0; end < 2; end++) {
        close(fds[end]);
        close(wanted[end]);
    }
    free(ours.buffer);
    return sum;
}

#endif

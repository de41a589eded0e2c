/* The reactor against the simulated server, both native, in one process: what is sent is answered, what breaks is told,
 * everything has its record, and nothing leaks. */
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../clock.h"
#include "../feed.h"
#include "../outbox.h"
#include "../reactor.h"
#include "../request.h"
#include "../server.h"
#include "check.h"
#include "dialects.h"

enum { ROWS = 120, TOKENS = 6 };

typedef struct {
    int outcomes[8];
    int requests, events, tokens, retries, reused, early, done;
    int64_t finished;
} totals;

static server *start_server(const server_config *config) {
    const char *error = NULL;
    server *s = server_new(config, &error);
    if (!s || !server_start(s)) {
        fprintf(stderr, "the server does not start: %s\n", error);
        abort();
    }
    return s;
}

static server_config quick_server(void) {
    server_config config = {.host = "127.0.0.1", .model = "m", .default_tokens = TOKENS, .dimensions = 4, .fault_share = 1,
                            .fault_status = 500, .retry_after_s = -1};
    config.ttft = (draw_law){.shape = DRAW_CONSTANT, .a_ns = 2e6};
    config.itl = (draw_law){.shape = DRAW_CONSTANT, .a_ns = 1e6};
    config.wire = (wire_options){.done = true, .space = true, .tokens_per_chunk = 1};
    return config;
}

/* All frames in one write: many small ones would fill a socket's queue before anybody reads. */
static void feed_requests(int fd, int rows, const char *model) {
    static char frames[ROWS * 512];
    char body[256];
    size_t length = 0;
    for (int row = 0; row <= rows; row++) {
        feed_header header = {row == rows ? FEED_END : row, 0};
        char *request = frames + length + sizeof header;
        if (row < rows) {
            int body_length = snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":"
                                       "\"one two\"}],\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                                       "\"max_tokens\":%d}", model, TOKENS);
            header.length = snprintf(request, 500, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: "
                                     "application/json\r\nContent-Length: %d\r\n\r\n%s", body_length, body);
        }
        memcpy(frames + length, &header, sizeof header);
        length += sizeof header + (size_t)header.length;
    }
    if (write(fd, frames, length) != (ssize_t)length)
        abort();
}

/* Takes whole frames off the front of what was read. */
static size_t take_frames(const char *bytes, size_t length, totals *sum) {
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
        if (header.type == OUTBOX_STATUS) {
            reactor_status status;
            memcpy(&status, p, sizeof status);
            sum->done = (int)status.done;
            sum->finished = status.finished;
        }
        for (uint32_t row = 0; header.type == OUTBOX_REQUESTS && row < header.rows; row++) {
            request_record record;
            memcpy(&record, p, sizeof record);
            p += sizeof record + record.id_length + record.finish_length + record.error_length + record.text_length;
            sum->requests++;
            sum->outcomes[record.outcome]++;
            sum->tokens += record.output_events;
            sum->retries += record.retries;
            sum->reused += record.connection_reused;
            sum->early += record.sent_ns && record.sent_ns < record.scheduled_ns;
            CHECK(record.end_ns > 0);
        }
    }
    return at;
}

static void read_frames(int fd, char *buffer, size_t *held, totals *sum) {
    ssize_t n;
    while ((n = recv(fd, buffer + *held, (1 << 20) - *held, MSG_DONTWAIT)) > 0) {
        *held += (size_t)n;
        size_t used = take_frames(buffer, *held, sum);
        memmove(buffer, buffer + used, *held - used);
        *held -= used;
    }
}

static reactor_config make_config(const event_dialect *dialect, uint16_t port, int channel) {
    reactor_config config = {.route = {.address_length = sizeof(struct sockaddr_in), .stamps = true}, .channel_fd = channel, .dialect = dialect,
                             .connect_timeout_ns = 2 * TT_NS_PER_S, .read_timeout_ns = TT_NS_PER_S / 5,
                             .idle_timeout_ns = 4 * TT_NS_PER_S, .horizon_ns = TT_NS_PER_S / 5, .feed_limit = 1 << 20,
                             .max_connections = 64, .reuse = true, .keep_text = true, .needs_end = true};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    memcpy(&config.route.address, &address, sizeof address);
    return config;
}

/* A whole run; `give_up_after_ns` of 0 lets it end by itself. */
static totals run(const event_dialect *dialect, uint16_t port, int rows, int64_t gap_ns, int64_t give_up_after_ns) {
    int64_t due[ROWS], ids[ROWS];
    int fds[2];
    totals sum = {0};
    size_t held = 0;
    char *buffer = malloc(1 << 20);
    for (int row = 0; row < rows; row++) {
        due[row] = row * gap_ns;
        ids[row] = 1000 + row;
    }
    if (!buffer || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
        abort();
    reactor_config config = make_config(dialect, port, fds[0]);
    reactor_rows plan = {.count = rows, .due_ns = due, .request_ids = ids};
    reactor *r = reactor_new(&config, &plan);
    CHECK(r != NULL);
    feed_requests(fds[1], rows, "m");
    int64_t begin_ns = clock_mono_ns() + 20 * TT_NS_PER_MS, stop_at = give_up_after_ns ? begin_ns + give_up_after_ns : INT64_MAX;
    reactor_begin(r, begin_ns);
    while (clock_mono_ns() < begin_ns + 20 * TT_NS_PER_S) {
        poll(&(struct pollfd){.fd = reactor_fd(r), .events = POLLIN}, 1, 10);
        bool finished = reactor_run(r, TT_NS_PER_MS);
        read_frames(fds[1], buffer, &held, &sum);
        if (finished)
            break;
        if (clock_mono_ns() > stop_at) {
            stop_at = INT64_MAX;
            reactor_stop(r);
            reactor_cancel(r);
        }
    }
    read_frames(fds[1], buffer, &held, &sum);
    CHECK_NUMBER(held, 0);
    CHECK_NUMBER(sum.done, 1);
    CHECK_NUMBER(sum.early, 0);
    CHECK_NUMBER(sum.finished, sum.requests);
    reactor_free(r);
    close(fds[0]);
    close(fds[1]);
    free(buffer);
    return sum;
}

static void test_all_is_answered(const event_dialect *dialect) {
    server_config config = quick_server();
    server *s = start_server(&config);
    totals sum = run(dialect, server_port(s), ROWS, TT_NS_PER_MS / 2, 0);
    CHECK_NUMBER(sum.requests, ROWS);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], ROWS);
    CHECK_NUMBER(sum.tokens, ROWS * TOKENS);
    CHECK_NUMBER(sum.events, ROWS * (TOKENS + 4));     /* role, finish, usage, [DONE] */
    CHECK(sum.reused > 0);
    server_stop(s);
    server_free(s);
}

static void test_faults_have_their_outcomes(const event_dialect *dialect) {
    static const struct { const char *name; server_fault fault; outcome outcome; } table[] = {
        {"status", FAULT_STATUS, OUTCOME_HTTP_ERROR}, {"error", FAULT_ERROR, OUTCOME_STREAM_ERROR},
        {"cut", FAULT_CUT, OUTCOME_TRUNCATED},        {"reset", FAULT_RESET, OUTCOME_TRUNCATED},
        {"stall", FAULT_STALL, OUTCOME_TIMEOUT},      {"silent", FAULT_SILENT, OUTCOME_TIMEOUT},
        {"length", FAULT_LENGTH, OUTCOME_OK}};         /* [DONE] had come: only HTTP's framing was cut */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        server_config config = quick_server();
        config.fault = table[i].fault;
        config.fault_after = 2;
        check_case = table[i].name;
        server *s = start_server(&config);
        totals sum = run(dialect, server_port(s), 20, TT_NS_PER_MS, 0);
        CHECK_NUMBER(sum.requests, 20);
        CHECK_NUMBER(sum.outcomes[table[i].outcome], 20);
        server_stop(s);
        server_free(s);
    }
    check_case = "";
}

static void test_a_pooled_connection_may_die_unused(const event_dialect *dialect) {
    server_config config = quick_server();
    config.idle_close_ns = 12 * TT_NS_PER_MS;
    server *s = start_server(&config);
    totals sum = run(dialect, server_port(s), ROWS, 20 * TT_NS_PER_MS, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], ROWS);
    server_stop(s);
    server_free(s);
}

static void test_nobody_listens(const event_dialect *dialect) {
    server_config config = quick_server();
    server *s = start_server(&config);
    uint16_t port = server_port(s);
    server_stop(s);
    server_free(s);
    totals sum = run(dialect, port, 10, TT_NS_PER_MS, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_CONNECT_ERROR], 10);
}

static void test_cancelled(const event_dialect *dialect) {
    server_config config = quick_server();
    config.itl = (draw_law){.shape = DRAW_CONSTANT, .a_ns = 1e9};
    server *s = start_server(&config);
    totals sum = run(dialect, server_port(s), ROWS, 10 * TT_NS_PER_MS, 100 * TT_NS_PER_MS);
    CHECK(sum.requests > 0 && sum.requests < ROWS);     /* the rest was never sent: the controller knows which */
    CHECK_NUMBER(sum.outcomes[OUTCOME_CANCELLED], sum.requests);
    server_stop(s);
    server_free(s);
}

static void test_lateness_buckets(void) {
    uint32_t last = 0;
    for (int64_t us = 0; us < 100000; us++) {
        uint32_t bucket = lateness_bucket(us * 1000);
        CHECK(bucket == last || bucket == last + 1);
        last = bucket;
    }
    CHECK_NUMBER(lateness_bucket(-5), 0);
    CHECK(lateness_bucket(INT64_MAX) < LATENESS_BUCKETS);
}

int main(void) {
    event_dialect *dialect = make_dialect(CHAT_PATHS, NULL);
    test_all_is_answered(dialect);
    test_faults_have_their_outcomes(dialect);
    test_a_pooled_connection_may_die_unused(dialect);
    test_nobody_listens(dialect);
    test_cancelled(dialect);
    test_lateness_buckets();
    event_dialect_free(dialect);
    return check_report("reactor");
}

/* The reactor against the simulated server in one process: requests are answered, faults have the right outcomes, each request has a
 * record, and no memory leaks. */
#include "support/certificates.h"
#include "support/dialects.h"
#include "support/runs.h"

enum { COUNT = 120 };

/* Runs requests at a constant distance. */
static totals run_paced(const event_dialect *dialect, uint16_t port, int count, int64_t gap_ns, int64_t give_up_after_ns) {
    int64_t due[ROWS];
    for (int row = 0; row < count; row++)
        due[row] = row * gap_ns;
    return run(make_config(dialect, port), (reactor_rows){.count = count, .due_ns = due}, give_up_after_ns);
}

static void test_all_is_answered(const event_dialect *dialect) {
    server_config config = quick_server();
    server *s = start_server(&config);
    totals sum = run_paced(dialect, server_port(s), COUNT, TT_NS_PER_MS / 2, 0);
    CHECK_NUMBER(sum.requests, COUNT);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], COUNT);
    CHECK_NUMBER(sum.tokens, COUNT * TOKENS);
    CHECK_NUMBER(sum.events, COUNT * (TOKENS + 4));     /* role, finish, usage, [DONE] */
    CHECK(sum.reused > 0);
    stop_server(s);
}

static void test_faults_have_their_outcomes(const event_dialect *dialect) {
    static const struct { const char *name; server_fault fault; outcome outcome; } table[] = {
        {"status", FAULT_STATUS, OUTCOME_HTTP_ERROR}, {"error", FAULT_ERROR, OUTCOME_STREAM_ERROR},
        {"cut", FAULT_CUT, OUTCOME_TRUNCATED},        {"reset", FAULT_RESET, OUTCOME_TRUNCATED},
        {"stall", FAULT_STALL, OUTCOME_TIMEOUT},      {"silent", FAULT_SILENT, OUTCOME_TIMEOUT},
        {"length", FAULT_LENGTH, OUTCOME_OK}};         /* [DONE] had arrived; only the HTTP framing was incomplete */
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        server_config config = quick_server();
        config.fault = table[i].fault;
        config.fault_after = 2;
        check_case = table[i].name;
        server *s = start_server(&config);
        totals sum = run_paced(dialect, server_port(s), 20, TT_NS_PER_MS, 0);
        CHECK_NUMBER(sum.requests, 20);
        CHECK_NUMBER(sum.outcomes[table[i].outcome], 20);
        stop_server(s);
    }
    check_case = "";
}

static void test_a_pooled_connection_may_die_unused(const event_dialect *dialect) {
    server_config config = quick_server();
    int slower = run_tls ? 15 : 1;    /* leave time for a handshake */
    config.idle_close_ns = slower * 12 * TT_NS_PER_MS;
    server *s = start_server(&config);
    totals sum = run_paced(dialect, server_port(s), COUNT / slower, slower * 20 * TT_NS_PER_MS, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], COUNT / slower);
    stop_server(s);
}

static void test_nobody_listens(const event_dialect *dialect) {
    totals sum = run_paced(dialect, dead_port(), 10, TT_NS_PER_MS, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_CONNECT_ERROR], 10);
}

static void test_cancelled(const event_dialect *dialect) {
    server_config config = quick_server();
    config.itl = (draw_distribution){.shape = DRAW_CONSTANT, .a_ns = 1e9};
    server *s = start_server(&config);
    totals sum = run_paced(dialect, server_port(s), COUNT, 10 * TT_NS_PER_MS, 100 * TT_NS_PER_MS);
    CHECK(sum.requests > 0 && sum.requests < COUNT);     /* the rest was not sent; the controller knows which */
    CHECK_NUMBER(sum.outcomes[OUTCOME_CANCELLED], sum.requests);
    stop_server(s);
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

/* The server's certificate is not trusted: each request's error says why. */
static void test_refused(const event_dialect *dialect) {
    char why[TLS_ERROR_BYTES];
    server_config config = quick_server();
    server *s = start_server(&config);
    tls_context *trusting = run_tls;
    run_tls = tls_client(&(tls_client_options){.host = "127.0.0.1"}, why);
    totals sum = run_paced(dialect, server_port(s), 10, TT_NS_PER_MS, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_CONNECT_ERROR], 10);
    CHECK(strstr(sum.errors[9], "certificate is not trusted: unable to get local issuer certificate"));
    tls_context_free(run_tls);
    run_tls = trusting;
    stop_server(s);
}

static void test_all(const event_dialect *dialect) {
    test_all_is_answered(dialect);
    test_faults_have_their_outcomes(dialect);
    test_a_pooled_connection_may_die_unused(dialect);
    test_nobody_listens(dialect);
    test_cancelled(dialect);
}

int main(void) {
    event_dialect *dialect = make_dialect(CHAT_PATHS, NULL);
    test_all(dialect);
    char why[TLS_ERROR_BYTES];
    make_certificates();
    run_tls = tls_client(&(tls_client_options){.host = "127.0.0.1", .ca_file = certificate("ca.pem")}, why);
    run_certificate = certificate("host.pem");
    run_key = certificate("host.key");
    CHECK(run_tls != NULL);
    test_all(dialect);
    test_refused(dialect);
    tls_context_free(run_tls);
    remove_certificates();
    test_lateness_buckets();
    event_dialect_free(dialect);
    return check_report("reactor");
}

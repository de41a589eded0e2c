/* Load control by the reactor against the simulated server: slots, limits, an end, cancellations. The times in the records must agree
 * to the nanosecond. */
#include "support/dialects.h"
#include "support/runs.h"

static const int64_t AT_ONCE[ROWS];

static const request_record *last_record(const totals *sum, int rows) {
    const request_record *last = &sum->records[0];
    for (int row = 1; row < rows; row++)
        if (sum->records[row].end_ns > last->end_ns)
            last = &sum->records[row];
    return last;
}

/* Returns true when one of the requests ended at this time. */
static bool is_an_end(const totals *sum, int rows, int64_t at_ns) {
    for (int row = 0; row < rows; row++)
        if (sum->records[row].end_ns == at_ns)
            return true;
    return false;
}

static bool is_a_first_token(const totals *sum, int rows, int64_t at_ns) {
    for (int row = 0; row < rows; row++)
        if (sum->records[row].first_token_ns == at_ns)
            return true;
    return false;
}

/* Returns the largest number of requests in flight, or without a token, at once. */
static int most_together(const totals *sum, int rows, bool prefilling) {
    int most = 0;
    for (int row = 0; row < rows; row++) {
        int together = 0;
        for (int other = 0; other < rows; other++) {
            const request_record *record = &sum->records[other];
            int64_t until_ns = prefilling && record->first_token_ns ? record->first_token_ns : record->end_ns;
            together += record->sent_ns && record->sent_ns <= sum->records[row].sent_ns && sum->records[row].sent_ns < until_ns;
        }
        most = together > most ? together : most;
    }
    return most;
}

static void check_order(const totals *sum, int rows) {
    for (int row = 1; row < rows; row++)
        CHECK(sum->records[row].sent_ns >= sum->records[row - 1].sent_ns);
}

static void test_slots(const event_dialect *dialect) {
    enum { COUNT = 60, SLOTS = 4 };
    const int64_t opens[SLOTS] = {0, 0, 5 * TT_NS_PER_MS, 20 * TT_NS_PER_MS};
    schedule_slots slots = {opens, SLOTS};
    server_config quick = quick_server();
    server *s = start_server(&quick);
    totals sum = run(make_config(dialect, server_port(s)), (reactor_rows){.count = COUNT, .due_ns = AT_ONCE, .slots = &slots}, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], COUNT);
    CHECK_NUMBER(sum.status.left, 0);
    CHECK_NUMBER(most_together(&sum, COUNT, false), SLOTS);
    check_order(&sum, COUNT);
    int at_openings = 0, connections = 0;
    for (int row = 0; row < COUNT; row++) {
        int64_t at_ns = sum.records[row].scheduled_ns;
        bool opening = false;
        for (int slot = 0; slot < SLOTS; slot++)
            opening |= at_ns == sum.start_ns + opens[slot];
        at_openings += opening;
        CHECK(opening || is_an_end(&sum, COUNT, at_ns));
        for (int other = 0; other < row; other++)                 /* no end made two requests due */
            CHECK(opening || at_ns != sum.records[other].scheduled_ns);
        CHECK_NUMBER(sum.records[row].released_ns, 0);
        if (sum.records[row].connection_id >= connections)
            connections = sum.records[row].connection_id + 1;
    }
    CHECK_NUMBER(at_openings, SLOTS);
    CHECK_NUMBER(connections, SLOTS);
    stop_server(s);
}

static void test_failures_free_their_slots(const event_dialect *dialect) {
    const int64_t opens[8] = {0};
    schedule_slots slots = {opens, 8};
    totals sum = run(make_config(dialect, dead_port()), (reactor_rows){.count = ROWS, .due_ns = AT_ONCE, .slots = &slots}, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_CONNECT_ERROR], ROWS);
    server_config broken = quick_server();
    broken.fault = FAULT_CUT;
    broken.fault_after = 1;
    server *s = start_server(&broken);
    sum = run(make_config(dialect, server_port(s)), (reactor_rows){.count = 60, .due_ns = AT_ONCE, .slots = &slots}, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_TRUNCATED], 60);
    CHECK(most_together(&sum, 60, false) <= 8);
    stop_server(s);
}

static void test_nothing_begins_after_the_end(const event_dialect *dialect) {
    static const struct { const char *name; server_fault fault; outcome outcome; } table[] = {
        {"answers", FAULT_NONE, OUTCOME_OK}, {"silent", FAULT_SILENT, OUTCOME_TIMEOUT}};
    const int64_t opens[4] = {0};
    schedule_slots slots = {opens, 4};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        check_case = table[i].name;
        server_config quick = quick_server();
        quick.fault = table[i].fault;
        server *s = start_server(&quick);
        reactor_config config = make_config(dialect, server_port(s));
        config.stop_ns = 51 * TT_NS_PER_MS;             /* between two ticks */
        totals sum = run(config, (reactor_rows){.count = ROWS, .due_ns = AT_ONCE, .slots = &slots}, 0);
        CHECK(sum.requests >= 4 && sum.requests < ROWS);
        CHECK_NUMBER(sum.outcomes[table[i].outcome], sum.requests);
        CHECK_NUMBER(sum.status.left, ROWS - sum.requests);
        for (int row = 0; row < ROWS; row++) {
            CHECK(!sum.records[row].request_id == (row >= sum.requests));
            CHECK(sum.records[row].scheduled_ns <= sum.start_ns + config.stop_ns);
        }
        stop_server(s);
    }
    check_case = "an open loop";
    int64_t due[10];
    for (int row = 0; row < 10; row++)
        due[row] = row * 1000 * TT_NS_PER_S;
    server_config quick = quick_server();
    server *s = start_server(&quick);
    reactor_config config = make_config(dialect, server_port(s));
    config.stop_ns = 30 * TT_NS_PER_MS;
    totals sum = run(config, (reactor_rows){.count = 10, .due_ns = due}, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], 1);
    CHECK_NUMBER(sum.status.left, 9);
    stop_server(s);
    check_case = "";
}

static void test_caps(const event_dialect *dialect) {
    enum { COUNT = 24, LIMIT = 3 };
    for (int prefilling = 0; prefilling < 2; prefilling++) {
        check_case = prefilling ? "prefilling" : "in flight";
        server_config quick = quick_server();
        server *s = start_server(&quick);
        reactor_config config = make_config(dialect, server_port(s));
        config.max_in_flight = prefilling ? 0 : LIMIT;
        config.max_prefilling = prefilling ? LIMIT : 0;
        totals sum = run(config, (reactor_rows){.count = COUNT, .due_ns = AT_ONCE}, 0);
        CHECK_NUMBER(sum.outcomes[OUTCOME_OK], COUNT);
        CHECK_NUMBER(most_together(&sum, COUNT, prefilling), LIMIT);
        CHECK_NUMBER(sum.status.held, COUNT - LIMIT);
        check_order(&sum, COUNT);
        for (int row = 0; row < COUNT; row++) {
            const request_record *record = &sum.records[row];
            CHECK_NUMBER(record->scheduled_ns, sum.start_ns);
            CHECK_NUMBER(record->released_ns > 0, row >= LIMIT);
            CHECK(record->released_ns <= record->sent_ns);
            if (row >= LIMIT)
                CHECK(prefilling ? is_a_first_token(&sum, COUNT, record->released_ns) : is_an_end(&sum, COUNT, record->released_ns));
        }
        stop_server(s);
    }
    check_case = "room enough";
    server_config quick = quick_server();
    server *s = start_server(&quick);
    reactor_config config = make_config(dialect, server_port(s));
    config.max_in_flight = config.max_prefilling = COUNT;
    totals sum = run(config, (reactor_rows){.count = COUNT, .due_ns = AT_ONCE}, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], COUNT);
    CHECK_NUMBER(sum.status.held, 0);
    stop_server(s);
    check_case = "nobody answers";
    config = make_config(dialect, dead_port());
    config.max_in_flight = config.max_prefilling = 1;
    sum = run(config, (reactor_rows){.count = COUNT, .due_ns = AT_ONCE}, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_CONNECT_ERROR], COUNT);
    check_case = "";
}

static void test_cancelled_as_planned(const event_dialect *dialect) {
    enum { COUNT = 32, SLOTS = 4 };
    const int64_t opens[SLOTS] = {0};
    schedule_slots slots = {opens, SLOTS};
    int64_t after[COUNT];
    for (int row = 0; row < COUNT; row++) {
        const int64_t kinds[] = {-1, 30 * TT_NS_PER_MS, 0, 1000 * TT_NS_PER_S};
        after[row] = kinds[row % 4];
    }
    server_config slow = quick_server();                          /* six tokens take 100 ms in all */
    slow.itl = (draw_distribution){.shape = DRAW_CONSTANT, .a_ns = 20e6};
    server *s = start_server(&slow);
    reactor_rows rows = {.count = COUNT, .due_ns = AT_ONCE, .cancel_after_ns = after, .slots = &slots};
    totals sum = run(make_config(dialect, server_port(s)), rows, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], COUNT / 2);
    CHECK_NUMBER(sum.outcomes[OUTCOME_CANCELLED], COUNT / 2);
    for (int row = 0; row < COUNT; row++) {
        const request_record *record = &sum.records[row];
        bool cancelled = row % 4 == 1 || row % 4 == 2;
        CHECK_NUMBER(record->outcome, cancelled ? OUTCOME_CANCELLED : OUTCOME_OK);
        if (!cancelled)
            continue;
        CHECK(record->end_ns - record->sent_end_ns >= after[row]);
        CHECK(record->output_events < TOKENS);
        CHECK(strstr(sum.errors[row], row % 4 == 1 ? "cancelled by the client 0.03 s after" : "cancelled by the client 0 s after"));
        CHECK(row % 4 == 2 || record->first_token_ns > 0);        /* tokens that had arrived are recorded */
    }
    stop_server(s);
}

/* Many cancellations at once, in random order: each happens on time, the earliest first. */
static void test_cancellations_keep_their_order(const event_dialect *dialect) {
    enum { COUNT = 200 };
    int64_t after[COUNT];
    for (int row = 0; row < COUNT; row++)
        after[row] = (10 + row * 37 % COUNT) * TT_NS_PER_MS / 2;
    server_config silent = quick_server();
    silent.fault = FAULT_SILENT;
    server *s = start_server(&silent);
    reactor_config config = make_config(dialect, server_port(s));
    config.max_connections = COUNT;
    config.read_timeout_ns = 10 * TT_NS_PER_S;
    totals sum = run(config, (reactor_rows){.count = COUNT, .due_ns = AT_ONCE, .cancel_after_ns = after}, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_CANCELLED], COUNT);
    for (int row = 0; row < COUNT; row++) {
        const request_record *record = &sum.records[row];
        CHECK(record->end_ns >= record->sent_end_ns + after[row]);
        for (int other = 0; other < COUNT; other++)
            CHECK(sum.records[other].end_ns >= record->end_ns ||
                  sum.records[other].sent_end_ns + after[other] <= record->sent_end_ns + after[row]);
    }
    stop_server(s);
}

/* Sessions of three turns: the slot is held from the first turn to the last, including think times. */
static void test_a_session_holds_its_slot(const event_dialect *dialect) {
    enum { SESSIONS = 5, TURNS = 3, COUNT = SESSIONS * TURNS, SLOTS = 2 };
    const int64_t opens[SLOTS] = {0};
    schedule_slots slots = {opens, SLOTS};
    int64_t parent[COUNT], think[COUNT];
    for (int row = 0; row < COUNT; row++) {
        parent[row] = row % TURNS ? row - 1 : -1;
        think[row] = row % TURNS ? 3 * TT_NS_PER_MS : 0;
    }
    schedule_links links = {.parent = parent, .think_ns = think};
    reactor_rows rows = {.count = COUNT, .due_ns = AT_ONCE, .links = &links, .slots = &slots};
    server_config quick = quick_server();
    server *s = start_server(&quick);
    totals sum = run(make_config(dialect, server_port(s)), rows, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], COUNT);
    for (int row = SLOTS * TURNS; row < COUNT; row += TURNS) {
        int freed = 0;
        for (int last = TURNS - 1; last < COUNT; last += TURNS)
            freed += sum.records[last].end_ns == sum.records[row].scheduled_ns;
        CHECK_NUMBER(freed, 1);
    }
    check_case = "one at a time";
    reactor_config config = make_config(dialect, server_port(s));
    config.max_in_flight = 1;
    sum = run(config, rows, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_OK], COUNT);
    CHECK_NUMBER(most_together(&sum, COUNT, false), 1);
    stop_server(s);
    check_case = "given up";
    sum = run(make_config(dialect, dead_port()), rows, 0);
    CHECK_NUMBER(sum.outcomes[OUTCOME_CONNECT_ERROR], SESSIONS);  /* the later turns are given up */
    CHECK_NUMBER(sum.requests, SESSIONS);
    check_case = "";
}

static void test_stopped_by_the_user(const event_dialect *dialect) {
    const int64_t opens[4] = {0, 0, 0, 1000 * TT_NS_PER_S};
    schedule_slots slots = {opens, 4};
    server_config slow = quick_server();
    slow.itl = (draw_distribution){.shape = DRAW_CONSTANT, .a_ns = 1e9};
    server *s = start_server(&slow);
    reactor_config config = make_config(dialect, server_port(s));
    config.read_timeout_ns = 10 * TT_NS_PER_S;
    totals sum = run(config, (reactor_rows){.count = ROWS, .due_ns = AT_ONCE, .slots = &slots}, 40 * TT_NS_PER_MS);
    CHECK_NUMBER(sum.outcomes[OUTCOME_CANCELLED], 3);
    CHECK_NUMBER(sum.status.left, ROWS - 3);
    CHECK(last_record(&sum, ROWS)->end_ns - sum.start_ns < 5 * TT_NS_PER_S);
    stop_server(s);
}

int main(void) {
    event_dialect *dialect = make_dialect(CHAT_PATHS, NULL);
    test_slots(dialect);
    test_failures_free_their_slots(dialect);
    test_nothing_begins_after_the_end(dialect);
    test_caps(dialect);
    test_cancelled_as_planned(dialect);
    test_cancellations_keep_their_order(dialect);
    test_a_session_holds_its_slot(dialect);
    test_stopped_by_the_user(dialect);
    event_dialect_free(dialect);
    return check_report("load");
}

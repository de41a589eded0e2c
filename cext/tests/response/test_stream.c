/* One response from bytes to rows, cut at every byte: outcomes, ends, stamps, coalesced events. */
#include <stdlib.h>

#include "response/stream.h"
#include "support/check.h"
#include "support/dialects.h"

#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define CLOSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define TOKEN "data: {\"id\":\"x-1\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"
#define FINISH "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n"
#define USAGE "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2}}\n\n"
#define DONE "data: [DONE]\n\n"
#define JSON_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "

typedef struct {
    const char *name, *bytes;       /* the body is chunked by the test when `chunked` */
    bool chunked, closes;
    outcome outcome;
    end_marker end;
    int events, outputs;
    const char *error;              /* the beginning of the error text */
} response;

static const response RESPONSES[] = {
    {"complete", TOKEN TOKEN FINISH USAGE DONE, true, false, OUTCOME_OK, END_DONE, 5, 2, ""},
    {"finish, no done", TOKEN FINISH, true, false, OUTCOME_OK, END_FINISH, 2, 1, ""},
    {"no end at all", TOKEN TOKEN, true, false, OUTCOME_TRUNCATED, END_LENGTH, 2, 2, "the stream ended without"},
    {"error in the stream", TOKEN "data: {\"error\":{\"message\":\"boom\"}}\n\n" DONE, true, false, OUTCOME_STREAM_ERROR,
     END_DONE, 3, 1, "{\"message\":\"boom\"}"},
    {"last event unfinished", TOKEN "data: [DONE]\n", true, false, OUTCOME_OK, END_DONE, 2, 1, ""},
    {"close ends it", CLOSE_HEAD TOKEN FINISH DONE, false, true, OUTCOME_OK, END_DONE, 3, 1, ""},
    {"close cuts it", CLOSE_HEAD TOKEN, false, true, OUTCOME_TRUNCATED, END_CLOSE, 1, 1, "the stream ended without"},
    {"cut in a chunk", SSE_HEAD "fff\r\n" TOKEN, false, true, OUTCOME_TRUNCATED, END_NONE, 1, 1, "gone"},
    {"cut after done", SSE_HEAD "e\r\n" DONE "\r\n", false, true, OUTCOME_OK, END_DONE, 1, 0, ""},
    {"cut in the head", "HTTP/1.1 200 OK\r\nContent-", false, true, OUTCOME_TRUNCATED, END_NONE, 0, 0, "gone"},
    {"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", false, false, OUTCOME_PROTOCOL_ERROR, END_NONE, 0, 0, ""},
    {"500", "HTTP/1.1 500 Oh\r\nContent-Length: 4\r\n\r\nboom", false, false, OUTCOME_HTTP_ERROR, END_NONE, 0, 0, "boom"},
    {"429", "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n", false, false, OUTCOME_HTTP_ERROR, END_NONE,
     0, 0, ""},
    {"json", JSON_HEAD "54\r\n\r\n{\"choices\":[{\"message\":{\"content\":\"a b\"}}],\"id\":\"x-2\"}", false, false, OUTCOME_OK,
     END_LENGTH, 1, 1, ""},
    {"not json", JSON_HEAD "9\r\n\r\nnot json!", false, false, OUTCOME_PROTOCOL_ERROR, END_NONE, 0, 0, "the response is neither"},
    {"json error", JSON_HEAD "25\r\n\r\n{\"error\":\"out of things\"}", false, false, OUTCOME_STREAM_ERROR, END_LENGTH, 1, 0,
     "out of things"},
    {"html", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>", false, false,
     OUTCOME_PROTOCOL_ERROR, END_NONE, 0, 0, "the server answered with an HTML page"},
    {"nothing", JSON_HEAD "0\r\n\r\n", false, false, OUTCOME_PROTOCOL_ERROR, END_NONE, 0, 0, "the response has no body"},
    {"gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx", false, false, OUTCOME_PROTOCOL_ERROR,
     END_NONE, 0, 0, "the response is compressed"},
};

static size_t wire_bytes(const response *r, char *out, size_t room) {
    if (!r->chunked)
        return (size_t)snprintf(out, room, "%s", r->bytes);
    return (size_t)snprintf(out, room, SSE_HEAD "%zx\r\n%s\r\n0\r\n\r\n", strlen(r->bytes), r->bytes);
}

/* Feeds it in pieces: the piece that ends at byte k arrives at 1000 + k. */
static void feed(stream *s, stream_shared *shared, const char *bytes, size_t length, size_t cut, bool closes) {
    size_t ends[] = {cut, length}, at = 0, left;
    stream_result result = STREAM_MORE;
    for (int i = 0; i < 2 && result == STREAM_MORE; i++) {
        if (ends[i] == at)
            continue;
        char *copy = malloc(ends[i] - at);
        memcpy(copy, bytes + at, ends[i] - at);
        result = stream_bytes(s, shared, copy, ends[i] - at, 1000 + (int64_t)ends[i], 2000 + (int64_t)ends[i], &left);
        free(copy);
        at = ends[i];
    }
    if (closes)
        stream_closed(s, shared, 5000, "gone");
}

static void test_every_response_at_every_cut(const event_dialect *dialect) {
    char bytes[4096];
    for (size_t i = 0; i < sizeof RESPONSES / sizeof *RESPONSES; i++) {
        const response *r = &RESPONSES[i];
        check_case = r->name;
        size_t length = wire_bytes(r, bytes, sizeof bytes);
        for (size_t cut = 0; cut < length; cut++) {
            event_columns columns;
            stream s;
            CHECK(columns_init(&columns));
            stream_shared shared = {.dialect = dialect, .columns = &columns, .needs_end = true, .keep_text = true};
            stream_init(&s);
            stream_begin(&s, 42, 900);
            feed(&s, &shared, bytes, length, cut, r->closes);
            CHECK_NUMBER(s.record.outcome, r->outcome);
            CHECK_NUMBER(s.record.end_marker, r->end);
            CHECK_NUMBER(s.record.events, r->events);
            CHECK_NUMBER(s.record.output_events, r->outputs);
            CHECK_NUMBER(columns.open->rows, r->events);
            CHECK(s.record.end_ns >= s.record.last_token_ns);
            CHECK(strncmp(s.error.length ? s.error.bytes : "", r->error, strlen(r->error)) == 0);
            if (r->outputs && r->outcome == OUTCOME_OK)
                CHECK(s.text.length > 0 && s.record.id_length == 3);
            stream_free(&s);
            columns_free(&columns);
        }
    }
    check_case = "";
}

#define LINES_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
#define PLAIN_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
#define LINE(text) "{\"token\":{\"text\":\"" text "\"}}\n"

/* Reads a response whole, under the dialect of cumulative texts and ends of their own. */
static void read_so_far(stream *s, event_columns *columns, const event_dialect *dialect, const char *bytes, bool lines) {
    size_t left;
    CHECK(columns_init(columns));
    stream_shared shared = {.dialect = dialect, .columns = columns, .needs_end = true, .keep_text = true, .lines = lines};
    stream_init(s);
    stream_begin(s, 1, 0);
    if (stream_bytes(s, &shared, bytes, strlen(bytes), 10, 10, &left) == STREAM_MORE)
        stream_closed(s, &shared, 20, "gone");
}

static const struct {
    const char *name, *bytes;
    bool lines;
    outcome outcome;
    end_marker end;
    int events, outputs;
    const char *text, *error;
} OTHERS[] = {
    {"lines", LINES_HEAD LINE("a") LINE(" b") "{\"done\":true}\n", false, OUTCOME_OK, END_TERMINAL_EVENT, 3, 2, "a b", ""},
    {"lines without their type", PLAIN_HEAD LINE("a") "{\"done\":true}", true, OUTCOME_OK, END_TERMINAL_EVENT, 2, 1, "a", ""},
    {"lines without an end", LINES_HEAD LINE("a"), false, OUTCOME_TRUNCATED, END_CLOSE, 1, 1, "a", "the stream ended without"},
    {"an error among lines", LINES_HEAD LINE("a") "{\"error\":\"no memory\"}\n", false, OUTCOME_STREAM_ERROR, END_CLOSE, 2, 1,
     "a", "no memory"},
    {"a text so far", CLOSE_HEAD "data: {\"text\":\"a\"}\n\ndata: {\"text\":\"a b\"}\n\ndata: {\"text\":\"a b\"}\n\n" DONE, false,
     OUTCOME_OK, END_DONE, 4, 2, "a b", ""},
    {"the whole text ends it", CLOSE_HEAD "data:{\"token\":{\"text\":\"a\"}}\n\n"
     "data:{\"token\":{\"text\":\"b\"},\"generated_text\":\"ab\"}\n\n", false, OUTCOME_OK, END_TERMINAL_EVENT, 2, 2, "ab", ""},
    {"the whole text beside nothing", CLOSE_HEAD "data:{\"token\":{\"text\":\"\"},\"generated_text\":\"ab\"}\n\n", false, OUTCOME_OK,
     END_TERMINAL_EVENT, 1, 0, "", ""},
    {"the whole text alone", JSON_HEAD "23\r\n\r\n{\"generated_text\":\"ab\"}", false, OUTCOME_OK, END_TERMINAL_EVENT, 1, 1, "ab", ""},
};

static void test_lines_and_texts_so_far(const event_dialect *dialect) {
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        event_columns columns;
        stream s;
        check_case = OTHERS[i].name;
        read_so_far(&s, &columns, dialect, OTHERS[i].bytes, OTHERS[i].lines);
        CHECK_NUMBER(s.record.outcome, OTHERS[i].outcome);
        CHECK_NUMBER(s.record.end_marker, OTHERS[i].end);
        CHECK_NUMBER(s.record.events, OTHERS[i].events);
        CHECK_NUMBER(s.record.output_events, OTHERS[i].outputs);
        CHECK_NUMBER(s.record.first_visible_ns, OTHERS[i].outputs ? 10 : 0);
        CHECK_TEXT(s.text.bytes, s.text.length, OTHERS[i].text);
        CHECK(strncmp(s.error.length ? s.error.bytes : "", OTHERS[i].error, strlen(OTHERS[i].error)) == 0);
        stream_free(&s);
        columns_free(&columns);
    }
    check_case = "";
}

static void test_stamps_and_coalescing(const event_dialect *dialect) {
    event_columns columns;
    stream s;
    size_t left;
    CHECK(columns_init(&columns));
    stream_shared shared = {.dialect = dialect, .columns = &columns};
    stream_init(&s);
    stream_begin(&s, 7, 900);
    static const struct { const char *bytes; int64_t at; } reads[] = {
        {CLOSE_HEAD, 1000}, {TOKEN TOKEN, 2000}, {TOKEN "data: {\"choices\"", 3000}, {":[{\"delta\":{\"content\":\"x\"}}]}\n\n", 4000}};
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++)
        stream_bytes(&s, &shared, reads[i].bytes, strlen(reads[i].bytes), reads[i].at, reads[i].at + 5, &left);
    CHECK_NUMBER(s.record.headers_ns, 1000);
    CHECK_NUMBER(s.record.first_token_ns, 2000);
    CHECK_NUMBER(s.record.last_token_ns, 4000);
    const event_block *block = columns.open;
    CHECK_NUMBER(block->rows, 4);
    static const int64_t arrivals[] = {2000, 2000, 3000, 4000};
    static const int coalesced[] = {1, 0, 1, 0};      /* the third shares its read with the beginning of the fourth */
    for (int i = 0; i < 4; i++) {
        CHECK_NUMBER(block->arrival_ns[i], arrivals[i]);
        CHECK_NUMBER(block->read_ns[i], arrivals[i] + 5);
        CHECK_NUMBER(block->coalesced[i], coalesced[i]);
        CHECK_NUMBER(block->event[i], i);
        CHECK_NUMBER(block->request_id[i], 7);
    }
    CHECK_NUMBER(shared.coalesced, 2);
    stream_free(&s);
    columns_free(&columns);
}

static void test_exact_counts(const event_dialect *dialect) {
    static const char *const events[] = {
        "data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"token_ids\":[1,2,3]}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\"},\"token_ids\":[4]}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"b\"}}],\"usage\":{\"completion_tokens\":9}}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"c\"}}],\"usage\":{\"completion_tokens\":11}}\n\n"};
    static const int tokens[] = {3, 1, 5, 2};
    event_columns columns;
    stream s;
    size_t left;
    CHECK(columns_init(&columns));
    stream_shared shared = {.dialect = dialect, .columns = &columns};
    stream_init(&s);
    stream_begin(&s, 1, 0);
    stream_bytes(&s, &shared, CLOSE_HEAD, strlen(CLOSE_HEAD), 1, 1, &left);
    for (int i = 0; i < 4; i++) {
        stream_bytes(&s, &shared, events[i], strlen(events[i]), 10 + i, 10 + i, &left);
        CHECK_NUMBER(columns.open->tokens[i], tokens[i]);
    }
    CHECK_NUMBER(s.record.output_events, 4);
    CHECK_NUMBER(s.record.output_tokens, 11);
    CHECK_NUMBER(shared.tokens, 11);
    stream_free(&s);
    columns_free(&columns);
}

/* A count that comes with the last token alone is that of all. */
static void test_a_count_at_the_end(const event_dialect *dialect) {
    static const char *const events[] = {CLOSE_HEAD TOKEN, TOKEN,
        "data: {\"choices\":[{\"delta\":{\"content\":\"c\"}}],\"usage\":{\"completion_tokens\":3}}\n\n"};
    event_columns columns;
    stream s;
    size_t left;
    CHECK(columns_init(&columns));
    stream_shared shared = {.dialect = dialect, .columns = &columns};
    stream_init(&s);
    stream_begin(&s, 1, 0);
    for (int i = 0; i < 3; i++) {
        stream_bytes(&s, &shared, events[i], strlen(events[i]), 10 + i, 10 + i, &left);
        CHECK_NUMBER(columns.open->tokens[i], -1);
    }
    CHECK_NUMBER(s.record.output_tokens, 3);
    CHECK_NUMBER(s.record.event_tokens, -1);
    stream_free(&s);
    columns_free(&columns);
}

static void test_visible_output(const event_dialect *dialect) {
    static const char *const events[] = {
        CLOSE_HEAD "data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{}]}}]}\n\n", TOKEN, TOKEN};
    event_columns columns;
    stream s;
    size_t left;
    CHECK(columns_init(&columns));
    stream_shared shared = {.dialect = dialect, .columns = &columns};
    stream_init(&s);
    stream_begin(&s, 1, 0);
    for (int i = 0; i < 4; i++)
        stream_bytes(&s, &shared, events[i], strlen(events[i]), 10 + i, 10 + i, &left);
    CHECK_NUMBER(s.record.first_token_ns, 10);
    CHECK_NUMBER(s.record.first_visible_ns, 12);
    CHECK_NUMBER(s.record.last_token_ns, 13);
    stream_free(&s);
    columns_free(&columns);
}

int main(void) {
    event_dialect *dialect = make_dialect(CHAT_PATHS, NULL);
    test_every_response_at_every_cut(dialect);
    test_stamps_and_coalescing(dialect);
    test_exact_counts(dialect);
    test_a_count_at_the_end(dialect);
    test_visible_output(dialect);
    event_dialect_free(dialect);
    dialect = make_dialect(SO_FAR_PATHS, NULL);
    test_lines_and_texts_so_far(dialect);
    event_dialect_free(dialect);
    return check_report("stream");
}

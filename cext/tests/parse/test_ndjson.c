/* What ndjson.h promises, as a table; each row at every cut. */
#include "parse/ndjson.h"
#include "support/check.h"
#include "support/pieces.h"

/* Events are shown as <data|wire bytes>. */
static const struct { const char *stream, *expected; } LINES[] = {
    {"{\"a\":1}\n", "<{\"a\":1}|8>"},
    {"{}\n{}\n", "<{}|3><{}|3>"},
    {"{}\r\n{}\r\n", "<{}|4><{}|4>"},
    {"\n\n{}\n\n", "<{}|3>"},
    {" \t\r\n{}\n", "<{}|3>"},
    {"{}", "<{}|2>"},
    {"{}\n{\"cut\"", "<{}|3><{\"cut\"|6>"},
    {"{}\n \r", "<{}|3>"},
    {"not json\n", "<not json|9>"},
    {" {} \n", "< {} |5>"},
    {"", ""},
    {"\n", ""},
};

typedef struct { ndjson framer; record out; } reader;

static void take(reader *r, const sse_event *event) {
    char number[32];
    CHECK(!event->comment && !event->error_field && event->has_data && event->name_length == 0);
    record_bytes(&r->out, "<", 1);
    record_bytes(&r->out, event->data, event->data_length);
    record_bytes(&r->out, number, (size_t)snprintf(number, sizeof number, "|%u>", event->wire_bytes));
}

static void feed(void *it, const char *p, const char *end) {
    reader *r = it;
    sse_event event;
    while (ndjson_next(&r->framer, &p, end, &event) == SSE_EVENT)
        take(r, &event);
    CHECK(p == end);
}

static void test_lines(void) {
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        check_case = LINES[i].stream;
        size_t length = strlen(LINES[i].stream);
        for (size_t cut = 0; cut <= length; cut++) {
            reader r = {0};
            sse_event event;
            ndjson_init(&r.framer);
            feed_piece(feed, &r, LINES[i].stream, cut);
            feed_piece(feed, &r, LINES[i].stream + cut, length - cut);
            while (ndjson_finish(&r.framer, &event) == SSE_EVENT)
                take(&r, &event);
            CHECK_TEXT(r.out.bytes, r.out.length, LINES[i].expected);
            ndjson_free(&r.framer);
            record_free(&r.out);
        }
    }
    check_case = "";
}

static void test_a_line_that_is_too_long(void) {
    ndjson framer;
    sse_event event;
    size_t length = 1u << 20;
    char *piece = malloc(length);
    memset(piece, 'x', length);
    ndjson_init(&framer);
    sse_result result = SSE_MORE;
    for (size_t sent = 0; sent < NDJSON_MAX_LINE; sent += length) {
        const char *p = piece;
        result = ndjson_next(&framer, &p, piece + length, &event);
        CHECK(result == SSE_MORE && p == piece + length);
    }
    for (int i = 0; i < 2; i++) {
        const char *p = piece;
        result = ndjson_next(&framer, &p, piece + 1, &event);
        CHECK(result == SSE_TOO_LARGE && p == piece + 1);
    }
    CHECK(ndjson_finish(&framer, &event) == SSE_TOO_LARGE);
    ndjson_reset(&framer);
    const char line[] = "{}\n", *p = line;
    CHECK(ndjson_next(&framer, &p, line + 3, &event) == SSE_EVENT);
    ndjson_free(&framer);
    free(piece);
}

int main(void) {
    test_lines();
    test_a_line_that_is_too_long();
    return check_report("ndjson");
}

/* What sse.h promises, as a table; each row at every cut. */
#include "support/check.h"
#include "support/readers.h"

/* Events are shown as <name|data|wire bytes|flags>, flags being c (comment), d (data), e (error field). LF shows as $. */
static const struct { const char *stream; const char *expected; } EVENTS[] = {
    {"data: a\n\n", "<|a|9|d>"},
    {"data:a\n\ndata:  b\n\n", "<|a|8|d><| b|10|d>"},
    {"data: a\r\n\r\ndata: b\r\n\r\n", "<|a|11|d><|b|11|d>"},
    {"data: a\r\rdata: b\r\r", "<|a|9|d><|b|9|d>"},
    {"data: a\n\r\ndata: b\r\n\n", "<|a|9|d><|b|10|d>"},      /* the LF after a lone blank CR is no one's */
    {"data: a\r\n\rdata: b\n\n", "<|a|11|d><|b|9|d>"},        /* after CRLF the blank line's LF is foreseen */
    {"data: a\ndata: b\n\n", "<|a$b|17|d>"},
    {"data: a\r\ndata:\r\ndata: c\r\n\r\n", "<|a$$c|27|d>"},
    {"data\n\n", "<||6|d>"},
    {"data:\n\n", "<||7|d>"},
    {"data\ndata\n\n", "<|$|11|d>"},
    {"event: x\ndata: a\n\n", "<x|a|18|d>"},
    {"data: a\nevent: x\n\n", "<x|a|18|d>"},
    {"event: x\nevent: y\ndata: a\n\n", "<y|a|27|d>"},
    {"event: x\n\n", "<x||10|>"},
    {"id: 7\nretry: 10\n\n", "<||17|>"},
    {"unknown\n\n", "<||9|>"},
    {"\n\n\ndata: a\n\n\n\n", "<|a|9|d>"},
    {"\xEF\xBB\xBF" "data: a\n\n", "<|a|9|d>"},
    {"\xEF\xBB" "data: a\n\n", "<||11|>"},
    {"\xEF\xBB\xBF\xEF\xBB\xBF" "data: a\n\n", "<||12|>"},
    {":\n\n", "<||3|c>"},
    {": ping\r\n\r\n", "<| ping|10|c>"},
    {":a\n:b\n\n", "<|a|3|c><|b|4|c>"},
    {":a\ndata: b\n\n", "<|a|3|c><|b|9|d>"},
    {"data: b\n:a\n\n", "<|b|12|d>"},
    {"data: b\n:a\ndata: c\n\n", "<|b$c|20|d>"},
    {": a :b\n\n", "<| a :b|8|c>"},
    {"a:bc:d\n\n", "<||8|>"},
    {"error: {\"code\":500}\n\n", "<|{\"code\":500}|21|de>"},
    {"event: error\n: it broke\n\n", "<error| it broke|25|>"},
    {"event: other\n: it broke\n\n", "<other||25|>"},
    {"event: error\n: it broke\ndata: {}\n\n", "<error|{}|34|d>"},
    {"data: a\n\ndata: b", "<|a|9|d><|b|7|d>"},
    {"data: b\n", "<|b|8|d>"},
    {"data: b\r", "<|b|8|d>"},
    {"data: b\r\n", "<|b|9|d>"},
    {":b", "<|b|2|c>"},
    {":a\n:b", "<|a|3|c><|b|2|c>"},
    {"data: a\n\n\r\n\r\n", "<|a|9|d>"},
    {"", ""},
    {"\r\n", ""},
    {"\xEF\xBB", "<||2|>"},
    {"dat", "<||3|>"},
    {"data : a\n\n", "<||10|>"},
    {"data: [DONE]\n\n", "<|[DONE]|14|d>"},
};

static void show(const sse_event *event, record *out) {
    char numbers[32];
    record_bytes(out, "<", 1);
    record_bytes(out, event->name, event->name_length);
    record_bytes(out, "|", 1);
    for (size_t i = 0; i < event->data_length; i++)
        record_bytes(out, event->data[i] == '\n' ? "$" : event->data + i, 1);
    int length = snprintf(numbers, sizeof numbers, "|%u|%s%s%s>", event->wire_bytes, event->comment ? "c" : "",
                          event->has_data ? "d" : "", event->error_field ? "e" : "");
    record_bytes(out, numbers, (size_t)length);
}

typedef struct { sse framer; record out; } shower;

static void feed(void *it, const char *p, const char *end) {
    shower *reader = it;
    sse_event event;
    while (sse_next(&reader->framer, &p, end, &event) == SSE_EVENT)
        show(&event, &reader->out);
    CHECK(p == end);
}

static void check_row(const char *stream, size_t length, const char *expected, size_t cut, size_t step) {
    shower reader = {0};
    sse_event event;
    sse_init(&reader.framer);
    if (step)
        for (size_t at = 0; at < length; at += step)
            feed_piece(feed, &reader, stream + at, length - at < step ? length - at : step);
    else {
        feed_piece(feed, &reader, stream, cut);
        feed_piece(feed, &reader, stream + cut, length - cut);
    }
    while (sse_finish(&reader.framer, &event) == SSE_EVENT)
        show(&event, &reader.out);
    CHECK_TEXT(reader.out.bytes, reader.out.length, expected);
    sse_free(&reader.framer);
    record_free(&reader.out);
}

static void frames_at_every_cut(void) {
    for (size_t i = 0; i < sizeof EVENTS / sizeof *EVENTS; i++) {
        const char *stream = EVENTS[i].stream;
        check_case = EVENTS[i].expected;
        for (size_t cut = 0; cut <= strlen(stream); cut++)
            check_row(stream, strlen(stream), EVENTS[i].expected, cut, 0);
        for (size_t step = 1; step < 5; step++)
            check_row(stream, strlen(stream), EVENTS[i].expected, 0, step);
    }
}

/* An event is handed out with the byte that ends it, not with the next one: its stamp depends on it. */
static void waits_for_nothing(void) {
    static const char *const streams[] = {"data: a\n\n", "data: a\r\n\r", "data: a\r\r", ": a\n\n", "data: a\n\r"};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        shower reader = {0};
        check_case = "waits for nothing";
        sse_init(&reader.framer);
        feed_piece(feed, &reader, streams[i], strlen(streams[i]) - 1);
        CHECK_NUMBER(reader.out.length, 0);
        feed_piece(feed, &reader, streams[i] + strlen(streams[i]) - 1, 1);
        CHECK(reader.out.length > 0);
        sse_free(&reader.framer);
        record_free(&reader.out);
    }
}

/* One data line whole in the buffer is handed out where it lies. */
static void copies_nothing_that_is_whole(void) {
    const char stream[] = "event: x\ndata: abc\n\n";
    const char *p = stream;
    sse framer;
    sse_event event;
    sse_init(&framer);
    check_case = "in place";
    CHECK_NUMBER(sse_next(&framer, &p, stream + sizeof stream - 1, &event), SSE_EVENT);
    CHECK(event.data == stream + 15);
    CHECK(event.name == stream + 7);
    CHECK(framer.data.bytes == NULL && framer.line.bytes == NULL && framer.name.bytes == NULL);
    sse_free(&framer);
}

static void bounds_an_event(void) {
    size_t length = SSE_MAX_EVENT + 64;
    char *stream = malloc(length);
    if (!stream)
        abort();
    memset(stream, 'a', length);
    memcpy(stream, "data: ", 6);
    check_case = "too large";
    for (size_t step = length; step > 1000; step /= 17) {
        shower reader = {0};
        sse_event event;
        sse_init(&reader.framer);
        for (size_t at = 0; at < length; at += step)
            feed_piece(feed, &reader, stream + at, length - at < step ? length - at : step);
        const char *more = "\n\ndata: b\n\n", *p = more;
        CHECK_NUMBER(sse_next(&reader.framer, &p, more + 11, &event), SSE_TOO_LARGE);
        CHECK_NUMBER(sse_finish(&reader.framer, &event), SSE_TOO_LARGE);
        CHECK_NUMBER(reader.out.length, 0);
        sse_reset(&reader.framer);
        p = more;
        CHECK_NUMBER(sse_next(&reader.framer, &p, more + 11, &event), SSE_EVENT);
        CHECK_TEXT(event.data, event.data_length, "b");
        sse_free(&reader.framer);
    }
    /* the largest that is allowed: its fields' lines, with their ends, are just the bound */
    stream[SSE_MAX_EVENT - 1] = stream[SSE_MAX_EVENT] = '\n';
    const char *p = stream;
    sse framer;
    sse_event event;
    sse_init(&framer);
    CHECK_NUMBER(sse_next(&framer, &p, stream + SSE_MAX_EVENT + 1, &event), SSE_EVENT);
    CHECK_NUMBER(event.data_length, SSE_MAX_EVENT - 7);
    sse_free(&framer);
    free(stream);
}

int main(void) {
    frames_at_every_cut();
    waits_for_nothing();
    copies_nothing_that_is_whole();
    bounds_an_event();
    return check_report("sse");
}

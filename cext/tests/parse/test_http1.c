/* What http1.h promises, as tables; each row at every cut. */
#include "support/check.h"
#include "support/readers.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

enum { COMPLETE = HTTP1_COMPLETE, BAD = HTTP1_ERROR, NOTHING = HTTP1_MORE };

/* A response that is followed by the peer's close, how it ends and its body. Of a bad one, part of the error. */
static const struct { const char *response; int result; const char *body; } BODIES[] = {
    {OK "Content-Length: 5\r\n\r\nhello", COMPLETE, "hello"},
    {OK "content-LENGTH:5\r\n\r\nhello", COMPLETE, "hello"},
    {OK "Content-Length:  \t 5 \t \r\n\r\nhello", COMPLETE, "hello"},
    {OK "Content-Length: 5, 5\r\nContent-Length: 5\r\n\r\nhello", COMPLETE, "hello"},
    {OK "Content-Length: 0\r\n\r\n", COMPLETE, ""},
    {OK "Content-Length: 00005\r\n\r\nhello", COMPLETE, "hello"},
    {"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", COMPLETE, "hello"},
    {"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello", COMPLETE, "hello"},
    {"HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello", COMPLETE, "hello"},
    {"\r\n\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", COMPLETE, "hello"},
    {OK "\r\nuntil the close", COMPLETE, "until the close"},
    {OK "\r\n", COMPLETE, ""},
    {CHUNKED "5\r\nhello\r\n0\r\n\r\n", COMPLETE, "hello"},
    {CHUNKED "0\r\n\r\n", COMPLETE, ""},
    {CHUNKED "5\nhello\n0\n\n", COMPLETE, "hello"},
    {CHUNKED "A\r\n0123456789\r\n000\r\n\r\n", COMPLETE, "0123456789"},
    {CHUNKED "000000000000000000000000000005\r\nhello\r\n0\r\n\r\n", COMPLETE, "hello"},
    {CHUNKED "2;a=b;c=\"d e\"\r\nhe\r\n3 \t\r\nllo\r\n0 ; x\r\n\r\n", COMPLETE, "hello"},
    {CHUNKED "5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n", COMPLETE, "hello"},
    {OK "transfer-encoding:CHUNKED\r\nContent-Length: 3\r\n\r\n5\r\nhello\r\n0\r\n\r\n", COMPLETE, "hello"},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", COMPLETE, "hi"},
    {OK "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", COMPLETE, "hi"},
    {OK "Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\nhi", COMPLETE, "hi"},
    {OK "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi", COMPLETE, "hi"},
    {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", COMPLETE, ""},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n", COMPLETE, ""},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nContent-Length: 7\r\nConnection: close\r\n\r\n"
     OK "Content-Length: 2\r\n\r\nhi", COMPLETE, "hi"},
    {"HTTP/1.1 500 \xC3\x96\r\nX: \xFF\t\r\nContent-Length: 2\r\n\r\nhi", COMPLETE, "hi"},
    {"", NOTHING, ""},

    {"H", BAD, "inside the head"},
    {OK, BAD, "inside the head"},
    {OK "Content-Length: 5\r\n\r\nhell", BAD, "before the end of the body"},
    {CHUNKED "5\r\nhel", BAD, "inside the chunked body"},
    {CHUNKED "5\r\nhello\r\n", BAD, "inside the chunked body"},
    {CHUNKED "5\r\nhello\r\n0\r\n", BAD, "inside the chunked body"},
    {"HTTP/1.1 100 Continue\r\n\r\n", BAD, "inside the head"},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", BAD, "101"},
    {"HTTP/2.0 200 OK\r\n\r\n", BAD, "status line"},
    {"HTTP/1.x 200 OK\r\n\r\n", BAD, "status line"},
    {"http/1.1 200 OK\r\n\r\n", BAD, "status line"},
    {"HTTP/1.1  200 OK\r\n\r\n", BAD, "three digits"},
    {"HTTP/1.1 20 OK\r\n\r\n", BAD, "three digits"},
    {"HTTP/1.1 2000 OK\r\n\r\n", BAD, "three digits"},
    {"HTTP/1.1 099 OK\r\n\r\n", BAD, "three digits"},
    {"HTTP/1.1 200\tOK\r\n\r\n", BAD, "three digits"},
    {"HTTP/1.1 200 O\rK\r\n\r\n", BAD, "control character"},
    {"<html>\r\n\r\n", BAD, "status line"},
    {"GET / HTTP/1.1\r\n\r\n", BAD, "status line"},
    {OK "no colon\r\n\r\n", BAD, "without a name"},
    {OK ": nameless\r\n\r\n", BAD, "without a name"},
    {OK "Space : before\r\n\r\n", BAD, "without a name"},
    {OK "X: a\r\n folded\r\n\r\n", BAD, "folded"},
    {OK "X: a\rb\r\n\r\n", BAD, "control character"},
    {OK "X: a\x01\r\n\r\n", BAD, "control character"},
    {OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", BAD, "conflicting"},
    {OK "Content-Length: 5, 6\r\n\r\n", BAD, "conflicting"},
    {OK "Content-Length: +5\r\n\r\n", BAD, "no number"},
    {OK "Content-Length: -5\r\n\r\n", BAD, "no number"},
    {OK "Content-Length: 0x5\r\n\r\n", BAD, "no number"},
    {OK "Content-Length: 5 5\r\n\r\n", BAD, "no number"},
    {OK "Content-Length:\r\n\r\n", BAD, "empty"},
    {OK "Content-Length: 9223372036854775808\r\n\r\n", BAD, "63 bits"},
    {OK "Content-Length: 99999999999999999999999999\r\n\r\n", BAD, "63 bits"},
    {OK "Transfer-Encoding: chunked, chunked\r\n\r\n", BAD, "twice"},
    {CHUNKED "\r\nhello", BAD, "hexadecimal"},
    {CHUNKED "\nhello", BAD, "without a size"},
    {CHUNKED "g\r\n", BAD, "hexadecimal"},
    {CHUNKED " 5\r\n", BAD, "hexadecimal"},
    {CHUNKED "-5\r\n", BAD, "hexadecimal"},
    {CHUNKED "0x5\r\n", BAD, "hexadecimal"},
    {CHUNKED "5 5\r\n", BAD, "hexadecimal"},
    {CHUNKED "5\rhello", BAD, "CR without LF"},
    {CHUNKED "5;a\x01\r\n", BAD, "control character"},
    {CHUNKED "8000000000000000\r\n", BAD, "63 bits"},
    {CHUNKED "FFFFFFFFFFFFFFFFFF\r\n", BAD, "63 bits"},
    {CHUNKED "5\nhello\r\n0\r\n\n", COMPLETE, "hello"},
    {CHUNKED "5\r\nhell\r\n0\r\n\r\n", BAD, "longer than its size"},
    {CHUNKED "5\r\nhello\n0\r\n\r\n", BAD, "longer than its size"},
    {CHUNKED "5\r\nhello!\r\n", BAD, "longer than its size"},
    {CHUNKED "5\r\nhello\r\r\n", BAD, "longer than its size"},
    {CHUNKED "0\r\nbad trailer\r\n\r\n", BAD, "without a name"},
};

/* A response and what is known of it after the head. */
static const struct {
    const char *response;
    int status, interim, type, chunked, close_delimited, keep_alive, encoded;
    long long content_length, retry_after_s;
} FACTS[] = {
    {OK "Content-Length: 0\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 0, 1, 0, 0, -1},
    {OK "Content-Length: 0\r\nConnection: close\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 0, 0, 0, 0, -1},
    {OK "Content-Length: 0\r\nConnection: TE , Close\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 0, 0, 0, 0, -1},
    {OK "Content-Length: 0\r\nConnection: closed\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 0, 1, 0, 0, -1},
    {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 0, 0, 0, 0, -1},
    {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 0, 1, 0, 0, -1},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 1, 0, 0, -1, -1},
    {OK "\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 1, 0, 0, -1, -1},
    {OK "Transfer-Encoding: gzip\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 1, 0, 1, -1, -1},
    {CHUNKED "0\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 1, 0, 1, 0, -1, -1},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 1, 0, 0, 0,
     -1, -1},
    {"HTTP/1.1 204 X\r\n\r\n", 204, 0, HTTP1_TYPE_OTHER, 0, 0, 1, 0, -1, -1},
    {"HTTP/1.1 100 X\r\nRetry-After: 9\r\n\r\nHTTP/1.1 429 X\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n", 429, 1,
     HTTP1_TYPE_OTHER, 0, 0, 1, 0, 0, 20},
    {"HTTP/1.1 503 X\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 503, 0, HTTP1_TYPE_OTHER, 0,
     0, 1, 0, 0, -1},
    {OK "Content-Length: 0\r\nContent-Type: text/event-stream\r\n\r\n", 200, 0, HTTP1_TYPE_SSE, 0, 0, 1, 0, 0, -1},
    {OK "Content-Length: 0\r\nContent-Type: Text/Event-Stream ; charset=utf-8\r\n\r\n", 200, 0, HTTP1_TYPE_SSE, 0, 0, 1, 0, 0, -1},
    {OK "Content-Length: 0\r\ncontent-type:application/json;x\r\n\r\n", 200, 0, HTTP1_TYPE_JSON, 0, 0, 1, 0, 0, -1},
    {OK "Content-Length: 0\r\nContent-Type: application/x-ndjson\r\n\r\n", 200, 0, HTTP1_TYPE_NDJSON, 0, 0, 1, 0, 0, -1},
    {OK "Content-Length: 0\r\nContent-Type: text/html\r\n\r\n", 200, 0, HTTP1_TYPE_HTML, 0, 0, 1, 0, 0, -1},
    {OK "Content-Length: 0\r\nContent-Type: text/plain\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 0, 1, 0, 0, -1},
    {OK "Content-Length: 0\r\nContent-Encoding: gzip\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 0, 1, 1, 0, -1},
    {OK "Content-Length: 0\r\nContent-Encoding: identity\r\n\r\n", 200, 0, HTTP1_TYPE_OTHER, 0, 0, 1, 0, 0, -1},
};

typedef struct { http1 parser; http1_result last; record body; } reader;

static void feed(void *it, const char *p, const char *end) {
    reader *now = it;
    http1_span span;
    for (;;) {
        http1_result got = http1_next(&now->parser, &p, end, &span);
        if (got == HTTP1_BODY)
            record_bytes(&now->body, span.start, span.length);
        else if (got == HTTP1_MORE) {
            CHECK(p == end);
            return;
        } else if ((now->last = got) != HTTP1_HEADERS)
            return;
    }
}

static void run(reader *now, const char *response, size_t cut, size_t step) {
    size_t length = strlen(response);
    *now = (reader){.last = HTTP1_MORE};
    http1_init(&now->parser);
    if (step)
        for (size_t at = 0; at < length; at += step)
            feed_piece(feed, now, response + at, length - at < step ? length - at : step);
    else {
        feed_piece(feed, now, response, cut);
        feed_piece(feed, now, response + cut, length - cut);
    }
}

static void end(reader *now) {
    http1_free(&now->parser);
    record_free(&now->body);
}

static void decodes_bodies(void) {
    reader now;
    for (size_t i = 0; i < sizeof BODIES / sizeof *BODIES; i++) {
        const char *response = BODIES[i].response;
        check_case = response;
        for (size_t cut = 0; cut <= strlen(response) + 3; cut++) {
            run(&now, response, cut <= strlen(response) ? cut : 0, cut <= strlen(response) ? 0 : cut - strlen(response));
            http1_result got = http1_finish(&now.parser);
            CHECK_NUMBER(got, BODIES[i].result);
            CHECK(http1_finish(&now.parser) == got);
            if (BODIES[i].result == BAD) {
                CHECK(now.parser.error && strstr(now.parser.error, BODIES[i].body));
                CHECK(!now.parser.keep_alive);
            } else {
                CHECK(now.parser.error == NULL);
                CHECK_TEXT(now.body.bytes, now.body.length, BODIES[i].body);
            }
            CHECK(now.parser.line == NULL);   /* nothing is owned between messages */
            end(&now);
        }
    }
}

static void tells_facts(void) {
    reader now;
    for (size_t i = 0; i < sizeof FACTS / sizeof *FACTS; i++) {
        check_case = FACTS[i].response;
        for (size_t cut = 0; cut <= strlen(FACTS[i].response); cut++) {
            run(&now, FACTS[i].response, cut, 0);
            const http1 *parser = &now.parser;
            CHECK(now.last == HTTP1_COMPLETE || (now.last == HTTP1_HEADERS && parser->close_delimited));
            CHECK_NUMBER(parser->status, FACTS[i].status);
            CHECK_NUMBER(parser->interim, FACTS[i].interim);
            CHECK_NUMBER(parser->content_type, FACTS[i].type);
            CHECK_NUMBER(parser->chunked, FACTS[i].chunked);
            CHECK_NUMBER(parser->close_delimited, FACTS[i].close_delimited);
            CHECK_NUMBER(parser->keep_alive, FACTS[i].keep_alive);
            CHECK_NUMBER(parser->encoded, FACTS[i].encoded);
            CHECK_NUMBER(parser->content_length, FACTS[i].content_length);
            CHECK_NUMBER(parser->retry_after_s, FACTS[i].retry_after_s);
            end(&now);
        }
    }
}

/* A response ends with its last byte, and what follows stays for the next. */
static void leaves_what_follows(void) {
    const char *two = CHUNKED "2\r\nhi\r\n0\r\n\r\n" OK "Content-Length: 3\r\n\r\nbye" "rest";
    const char *p = two, *stop = two + strlen(two);
    http1 parser;
    http1_span body;
    int completed = 0;
    http1_init(&parser);
    check_case = "two responses";
    for (http1_result got; completed < 2;) {
        got = http1_next(&parser, &p, stop, &body);
        CHECK(got == HTTP1_HEADERS || got == HTTP1_BODY || got == HTTP1_COMPLETE);
        if (got == HTTP1_COMPLETE) {
            completed++;
            CHECK(http1_next(&parser, &p, stop, &body) == HTTP1_COMPLETE);
            CHECK_TEXT(body.start, body.length, completed == 1 ? "hi" : "bye");
            http1_reset(&parser);
        }
        if (got == HTTP1_ERROR || got == HTTP1_MORE)
            break;
    }
    CHECK_NUMBER(completed, 2);
    CHECK_TEXT(p, (size_t)(stop - p), "rest");
    http1_free(&parser);
}

/* A peer that never ends its head, its extension, its trailer or its interim responses costs a bounded memory. */
static void bounds_heads(void) {
    static const struct { const char *start, *again, *error; } endless[] = {
        {OK, "X: y\r\n", "too long"},
        {OK "X: ", "y", "too long"},
        {"", "\r\n", "too long"},
        {CHUNKED "1;", "x", "too long"},
        {CHUNKED "0\r\n", "X: y\r\n", "too long"},
        {CHUNKED "0\r\nX: ", "y", "too long"},
        {"", "HTTP/1.1 100 Continue\r\n\r\n", "too many interim"},
        {CHUNKED, "0", "too long"},
    };
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++) {
        reader now = {.last = HTTP1_MORE};
        http1_init(&now.parser);
        check_case = endless[i].start;
        feed_piece(feed, &now, endless[i].start, strlen(endless[i].start));
        for (int n = 0; n < 2 * HTTP1_MAX_HEAD && now.last != HTTP1_ERROR; n++) {
            feed_piece(feed, &now, endless[i].again, strlen(endless[i].again));
            CHECK(now.parser.line_capacity <= HTTP1_MAX_HEAD);
        }
        CHECK_NUMBER(now.last, HTTP1_ERROR);
        CHECK(now.parser.error && strstr(now.parser.error, endless[i].error));
        end(&now);
    }
}

int main(void) {
    decodes_bodies();
    tells_facts();
    leaves_what_follows();
    bounds_heads();
    return check_report("http1");
}

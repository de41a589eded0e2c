/* The promises of proxy_request.h, as tables; each row is split at every byte. */
#include "proxy/proxy_request.h"
#include "support/check.h"
#include "support/pieces.h"

typedef struct { const char *bytes; const char *expected; } row;

static const row ROWS[] = {
    {"GET /health HTTP/1.1\r\n\r\n", "3 /health 24 <>;"},
    {"\r\n\nPOST /v1/x?key=1 HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", "0 /v1/x <hello>;"},
    {"POST http://a:80/v1/x HTTP/1.1\nContent-Length:2\n\nhi", "0 /v1/x <hi>;"},
    {"POST http://a HTTP/1.1\r\n\r\n", "0  26 <>;"},
    {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "1 / 28 <>;"},
    {"CONNECT a:443 HTTP/1.1\r\n\r\n", "2 a:443 26 <>;"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\n\r\n", "0 / <hello!>;"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\nA\n0123456789\n0\n\n", "0 / <0123456789>;"},
    {"POST / HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\nx", "0 / expects <x>;"},
    {"GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n", "3 / 40 <>;"},
    {"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n", "0 /a <x>;3 /b 19 <>;3 /c 19 <>;"},
    {"", ""},
    {"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell", "0 / <hell"},
    {"GET /\r\n\r\n", "error"},
    {"GET / HTTP/2.0\r\n\r\n", "error"},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "error"},
    {"\x16\x03\x01\n\n", "error"},
    {"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", "error"},
    {"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "error"},
    {"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "error"},
    {"POST / HTTP/1.1\r\nContent-Length: 9999999999999999999\r\n\r\n", "error"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "error"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "0 / <error"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n", "0 / <heerror"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1234567890abcdef0\r\n", "0 / <error"},
};

typedef struct { proxy_request request; record out; } reader;

static void say(reader *r, const char *text) { record_bytes(&r->out, text, strlen(text)); }

static void read_piece(void *it, const char *p, const char *end) {
    reader *r = it;
    proxy_span body;
    char text[128];
    for (;;)
        switch (proxy_request_next(&r->request, &p, end, &body)) {
        case PROXY_REQUEST_MORE: CHECK(p == end); return;
        case PROXY_REQUEST_HEAD:
            CHECK_TEXT(r->request.head + r->request.head_length - 1, 1, "\n");
            snprintf(text, sizeof text, "%d %.*s ", r->request.method, (int)r->request.path.length, r->request.path.start);
            say(r, text);
            if (r->request.expects_continue)
                say(r, "expects ");
            if (!r->request.chunked && !r->request.remaining) {
                snprintf(text, sizeof text, "%d ", (int)r->request.wire_bytes);
                say(r, text);
            }
            say(r, "<");
            break;
        case PROXY_REQUEST_BODY: record_bytes(&r->out, body.start, body.length); break;
        case PROXY_REQUEST_COMPLETE:
            say(r, ">;");
            proxy_request_reset(&r->request);
            CHECK(!proxy_request_begun(&r->request));
            break;
        case PROXY_REQUEST_ERROR:
            if (!r->out.length || r->out.bytes[r->out.length - 1] != 'r')
                say(r, "error");
            return;
        }
}

static void try_row(const row *row, size_t cut, uint64_t seed) {
    reader r = {0};
    size_t length = strlen(row->bytes);
    proxy_request_init(&r.request);
    if (seed)
        feed_random(read_piece, &r, row->bytes, length, seed);
    else {
        feed_piece(read_piece, &r, row->bytes, cut);
        feed_piece(read_piece, &r, row->bytes + cut, length - cut);
    }
    CHECK_TEXT(r.out.bytes, r.out.length, row->expected);
    proxy_request_reset(&r.request);
    record_free(&r.out);
}

static void heads_are_bounded(void) {
    static char bytes[PROXY_MAX_HEAD + 2];
    proxy_request request;
    proxy_span body;
    check_case = "a long head";
    memset(bytes, 'a', sizeof bytes);
    proxy_request_init(&request);
    const char *p = bytes, *end = bytes + PROXY_MAX_HEAD;
    CHECK_NUMBER(proxy_request_next(&request, &p, end, &body), PROXY_REQUEST_MORE);
    end++;
    CHECK_NUMBER(proxy_request_next(&request, &p, end, &body), PROXY_REQUEST_ERROR);
    CHECK_NUMBER(proxy_request_next(&request, &p, end, &body), PROXY_REQUEST_ERROR);
    proxy_request_reset(&request);
}

int main(void) {
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        check_case = ROWS[i].bytes;
        for (size_t cut = 0; cut <= strlen(ROWS[i].bytes); cut++)
            try_row(&ROWS[i], cut, 0);
        for (uint64_t seed = 1; seed < 30; seed++)
            try_row(&ROWS[i], 0, seed);
    }
    heads_are_bounded();
    return check_report("proxy_request");
}

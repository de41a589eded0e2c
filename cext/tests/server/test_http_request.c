/* The promises of http_request.h, as tables; each row is split at every byte. */
#include "server/request/http_request.h"
#include "support/check.h"
#include "support/requests.h"

typedef struct { const char *bytes; const char *expected; } row;

/* The output of requests_text() for the bytes. */
static const row ROWS[] = {
    {"GET /health HTTP/1.1\r\n\r\n", "GET /health keep <>;"},
    {"GET /health?x=1&y=/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET /health keep <>;"},
    {"GET http://a:80/v1/models HTTP/1.1\r\n\r\n", "GET /v1/models keep <>;"},
    {"GET HTTP://a HTTP/1.1\r\n\r\n", "GET  keep <>;"},
    {"HEAD / HTTP/1.0\r\n\r\n", "HEAD / 1.0 <>;"},
    {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / 1.0 keep <>;"},
    {"DELETE / HTTP/1.1\nConnection: te, close\n\n", "OTHER / <>;"},
    {"GET / HTTP/1.1\r\nConnection: closed\r\n\r\n", "GET / keep <>;"},
    {"\r\n\nGET / HTTP/1.1\r\n\r\n", "GET / keep <>;"},
    {"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "POST / keep <hello>;"},
    {"POST / HTTP/1.1\r\ncontent-length:\t5 \r\n\r\nhello", "POST / keep <hello>;"},
    {"POST / HTTP/1.1\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", "POST / keep <>;"},
    {"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\nhi", "POST / keep expects <hi>;"},
    {"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi", "POST / 1.0 <hi>;"},
    {"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", "POST / keep <hi>;"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "POST / keep <hello>;"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhe\r\n003 \r\nllo\r\n0\r\nX: y\r\n\r\n", "POST / keep <hello>;"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nA\n0123456789\n0\n\n", "POST / keep <0123456789>;"},
    {"POST /a HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n",
     "POST /a keep <x>;GET /b keep <>;GET /c keep <>;"},
    {"", ""},
    {"GET / HTTP/1.1\r\n", ""},
    {"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell", ""},

    {"GET\r\n\r\n", "400"},
    {"GET /\r\n\r\n", "400"},
    {"GET /a b HTTP/1.1\r\n\r\n", "400"},
    {"GET / HTTPS/1.1\r\n\r\n", "400"},
    {"GET / HTTP/1.1 \r\n\r\n", "400"},
    {"GET / HTTP/2.0\r\n\r\n", "505"},
    {"GET / HTTP/1.2\r\n\r\n", "505"},
    {"\x16\x03\x01\x02\n", "400"},
    {"GET / HTTP/1.1\r\nno colon\r\n\r\n", "400"},
    {"GET / HTTP/1.1\r\n: x\r\n\r\n", "400"},
    {"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", "400"},
    {"GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nContent-Length: \r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nContent-Length: 5x\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nContent-Length: 67108865\r\n\r\n", "413"},
    {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999999\r\n\r\n", "413"},
    {"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "501"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "501"},
    {"POST / HTTP/1.1\r\nExpect: tea\r\n\r\n", "417"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "400"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5 x\r\nhellotoo long\r\n", "400"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n", "400"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4000001\r\n", "413"},
    {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffffff\r\n", "413"},
};

static void check_row(const row *it, size_t cut) {
    request_reader reader;
    size_t length = strlen(it->bytes);
    request_reader_init(&reader);
    feed_piece(request_reader_feed, &reader, it->bytes, cut);
    feed_piece(request_reader_feed, &reader, it->bytes + cut, length - cut);
    CHECK_TEXT(reader.out.bytes, reader.out.length, it->expected);
    request_reader_free(&reader);
}

/* A head of one byte more than the limit is refused, in one piece or several; one of exactly the limit is not. */
static void check_head_bound(void) {
    static char head[REQUEST_MAX_HEAD + 2];
    for (int excess = 0; excess < 2; excess++) {
        size_t length = REQUEST_MAX_HEAD + (size_t)excess;
        memset(head, 'a', length);
        memcpy(head, "GET / HTTP/1.1\r\nA: ", 19);
        memcpy(head + length - 4, "\r\n\r\n", 4);
        for (size_t piece = 1; piece <= length; piece *= 7) {
            request_reader reader;
            request_reader_init(&reader);
            for (size_t at = 0; at < length; at += piece)
                feed_piece(request_reader_feed, &reader, head + at, length - at < piece ? length - at : piece);
            CHECK_TEXT(reader.out.bytes, reader.out.length, excess ? "431" : "GET / keep <>;");
            request_reader_free(&reader);
        }
    }
}

static void check_long_path(void) {
    char request[400] = "GET /";
    memset(request + 5, 'p', 300);
    strcpy(request + 305, " HTTP/1.1\r\n\r\n");
    request_parser parser;
    request_init(&parser);
    const char *p = request;
    CHECK_NUMBER(request_next(&parser, &p, request + strlen(request)), REQUEST_HEAD);
    CHECK_NUMBER(strlen(parser.path), REQUEST_PATH_BYTES - 1);
    request_reset(&parser);
}

int main(void) {
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        check_case = ROWS[i].bytes;
        for (size_t cut = 0; cut <= strlen(ROWS[i].bytes); cut++)
            check_row(&ROWS[i], cut);
        for (uint64_t seed = 1; seed <= 20; seed++) {
            request_reader reader;
            request_reader_init(&reader);
            feed_random(request_reader_feed, &reader, ROWS[i].bytes, strlen(ROWS[i].bytes), seed);
            CHECK_TEXT(reader.out.bytes, reader.out.length, ROWS[i].expected);
            request_reader_free(&reader);
        }
    }
    check_case = "bounds";
    check_head_bound();
    check_long_path();
    return check_report("server_http");
}

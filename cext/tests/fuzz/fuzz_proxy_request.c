/* Requests on their way to somebody else: memory stays sound, a cut changes nothing, the head is kept as it came, and every
 * byte belongs to one request. */
#include "proxy/proxy_request.h"
#include "support/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    proxy_request request;
    record out;
    const char *input;           /* all of it: what a head is compared with */
    uint64_t begun;              /* where in it the present request begins */
    bool failed;
} reader;

static void require(bool condition) {
    if (!condition)
        abort();
}

static void take_head(reader *r) {
    const proxy_request *request = &r->request;
    const char *end = request->head + request->head_length;
    require(request->head_length > 0 && request->head_length <= PROXY_MAX_HEAD && end[-1] == '\n');
    require(memcmp(request->head, r->input + r->begun + request->wire_bytes - request->head_length, request->head_length) == 0);
    require(!request->path.length || (request->path.start >= request->head && request->path.start + request->path.length <= end));
    require(!memchr(request->path.start ? request->path.start : "", '?', request->path.length));
    record_text(&r->out, request->head, request->head_length);
    record_text(&r->out, request->path.start, request->path.length);
    record_number(&r->out, request->method);
    record_number(&r->out, request->chunked << 1 | request->expects_continue);
}

static void read_piece(void *it, const char *p, const char *end) {
    reader *r = it;
    const char *begin = p;
    proxy_span body;
    while (!r->failed)
        switch (proxy_request_next(&r->request, &p, end, &body)) {
        case PROXY_REQUEST_MORE: require(p == end); return;
        case PROXY_REQUEST_HEAD: take_head(r); break;
        case PROXY_REQUEST_BODY:
            require(body.length > 0 && body.start >= begin && body.start + body.length <= p);
            record_bytes(&r->out, body.start, body.length);
            break;
        case PROXY_REQUEST_COMPLETE:
            record_number(&r->out, (int64_t)r->request.wire_bytes);
            r->begun += r->request.wire_bytes;
            proxy_request_reset(&r->request);
            require(!proxy_request_begun(&r->request));
            break;
        case PROXY_REQUEST_ERROR:
            record_text(&r->out, "error", 5);
            require(proxy_request_next(&r->request, &p, end, &body) == PROXY_REQUEST_ERROR);
            r->failed = true;
        }
}

static void read_requests(reader *r, const char *bytes, size_t length, uint64_t seed) {
    *r = (reader){.input = bytes};
    proxy_request_init(&r->request);
    if (seed)
        feed_random(read_piece, r, bytes, length, seed);
    else
        feed_piece(read_piece, r, bytes, length);
    require(r->failed || r->begun + r->request.wire_bytes == length);
    proxy_request_reset(&r->request);
}

/* The last byte chooses the cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    reader whole, cut;
    read_requests(&whole, (const char *)data, size - 1, 0);
    read_requests(&cut, (const char *)data, size - 1, data[size - 1] + UINT64_C(1));
    require(record_equal(&whole.out, &cut.out));
    record_free(&whole.out);
    record_free(&cut.out);
    return 0;
}

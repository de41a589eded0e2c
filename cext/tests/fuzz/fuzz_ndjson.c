/* Lines of any kind: memory stays sound, a cut changes nothing, and every byte belongs to one line at most. */
#include "parse/ndjson.h"
#include "support/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    ndjson framer;
    size_t bytes;
    record out;
} reader;

static void take(reader *r, const sse_event *event) {
    if (event->data_length == 0 || event->data_length > event->wire_bytes || memchr(event->data, '\n', event->data_length))
        abort();
    record_text(&r->out, event->data, event->data_length);
    record_number(&r->out, event->wire_bytes);
    r->bytes += event->wire_bytes;
}

static void feed(void *it, const char *p, const char *end) {
    reader *r = it;
    sse_event event;
    while (ndjson_next(&r->framer, &p, end, &event) == SSE_EVENT)
        take(r, &event);
    if (p != end)
        abort();
}

static void read_stream(reader *r, const char *bytes, size_t length, uint64_t seed) {
    sse_event event;
    *r = (reader){0};
    ndjson_init(&r->framer);
    if (seed)
        feed_random(feed, r, bytes, length, seed);
    else
        feed_piece(feed, r, bytes, length);
    while (ndjson_finish(&r->framer, &event) == SSE_EVENT)
        take(r, &event);
    ndjson_free(&r->framer);
}

/* The last byte chooses the cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    reader whole, cut;
    read_stream(&whole, (const char *)data, size - 1, 0);
    read_stream(&cut, (const char *)data, size - 1, data[size - 1] + UINT64_C(1));
    if (!record_equal(&whole.out, &cut.out) || whole.bytes > size - 1)
        abort();
    record_free(&whole.out);
    record_free(&cut.out);
    return 0;
}

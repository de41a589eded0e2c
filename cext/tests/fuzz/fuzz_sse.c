/* Streams of any kind: memory stays sound, a cut changes nothing, and no byte belongs to two events. */
#include "support/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_stream(sse_reader *reader, const char *bytes, size_t length, uint64_t seed) {
    sse_reader_init(reader, NULL);
    if (seed)
        feed_random(sse_reader_feed, reader, bytes, length, seed);
    else
        feed_piece(sse_reader_feed, reader, bytes, length);
    sse_reader_finish(reader);
}

/* A foreseen LF may be counted that never comes, one an event; else no more bytes than there are. */
static void count_bytes(const char *bytes, size_t length) {
    const char *p = bytes;
    size_t total = 0, events = 0;
    sse framer;
    sse_event event;
    sse_init(&framer);
    while (sse_next(&framer, &p, bytes + length, &event) == SSE_EVENT)
        total += event.wire_bytes, events++;
    while (sse_finish(&framer, &event) == SSE_EVENT)
        total += event.wire_bytes, events++;
    if (total > length + events || events > length)
        abort();
    sse_free(&framer);
}

/* The last byte chooses the cuts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1)
        return 0;
    sse_reader whole, cut;
    read_stream(&whole, (const char *)data, size - 1, 0);
    read_stream(&cut, (const char *)data, size - 1, data[size - 1] + UINT64_C(1));
    if (!record_equal(&whole.out, &cut.out) || whole.events != cut.events)
        abort();
    count_bytes((const char *)data, size - 1);
    sse_reader_free(&whole);
    sse_reader_free(&cut);
    return 0;
}

/* Streams whose events are read by three dialects: spans lie within the data, a cut and white space around change nothing. */
#include "support/dialects.h"
#include "support/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_span(event_span span, const char *data, size_t length) {
    if (span.start && (span.start < data || span.start + span.length > data + length))
        abort();
}

/* The data by itself, in memory of just its size, and again with white space around it. */
static void check_scan(const event_dialect *dialect, const char *data, size_t length) {
    event_scan_result bare, padded;
    record a = {0}, b = {0};
    char *exact = malloc(length ? length : 1), *wide = malloc(length + 4);
    if (!exact || !wide)
        abort();
    if (length)
        memcpy(exact, data, length);
    memcpy(wide, " \t", 2);
    memcpy(wide + 2, exact, length);
    memcpy(wide + 2 + length, "\n ", 2);
    event_scan(dialect, "", 0, exact, length, &bare);
    event_scan(dialect, "", 0, wide, length + 4, &padded);
    const event_span spans[] = {bare.text, bare.finish, bare.id, bare.error, bare.whole};
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        check_span(spans[i], exact, length);
    if ((unsigned)bare.kind >= KIND_COUNT || (bare.malformed && bare.kind != KIND_OTHER) || bare.token_ids < -1
        || bare.input_tokens < -1 || bare.output_tokens < -1 || (bare.kind == KIND_ERROR && !bare.error.start))
        abort();
    record_scan(&a, &bare);
    record_scan(&b, &padded);
    if (!record_equal(&a, &b))
        abort();
    record_free(&a);
    record_free(&b);
    free(exact);
    free(wide);
}

static void check_stream(const event_dialect *dialect, const char *bytes, size_t length, uint64_t seed) {
    sse_reader whole, cut;
    sse_reader_init(&whole, dialect);
    feed_piece(sse_reader_feed, &whole, bytes, length);
    sse_reader_finish(&whole);
    sse_reader_init(&cut, dialect);
    feed_random(sse_reader_feed, &cut, bytes, length, seed);
    sse_reader_finish(&cut);
    if (!record_equal(&whole.out, &cut.out) || whole.tokens != cut.tokens)
        abort();
    sse_reader_free(&whole);
    sse_reader_free(&cut);
}

/* The last byte chooses the cuts and the dialect. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static event_dialect *dialects[3];
    if (!dialects[0]) {
        dialects[0] = make_dialect(CHAT_PATHS, NULL);
        dialects[1] = make_dialect(RESPONSES_PATHS, RESPONSES_TYPES);
        dialects[2] = make_dialect(SO_FAR_PATHS, NULL);
    }
    if (size < 1)
        return 0;
    const event_dialect *dialect = dialects[data[size - 1] % 3];
    check_stream(dialect, (const char *)data, size - 1, data[size - 1] + UINT64_C(1));
    check_scan(dialect, (const char *)data, size - 1);
    return 0;
}

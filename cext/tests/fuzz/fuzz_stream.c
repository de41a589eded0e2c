/* Whole responses through the stream: however they are cut, the same record and the same events come out. */
#include "response/stream.h"
#include "support/dialects.h"
#include "support/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    stream it;
    stream_shared shared;
    event_columns columns;
    stream_result last;
    record out;
} stream_reader;

static void reader_init(stream_reader *r, const event_dialect *dialect, bool lines) {
    *r = (stream_reader){.last = STREAM_MORE};
    if (!columns_init(&r->columns))
        abort();
    r->shared = (stream_shared){.dialect = dialect, .columns = &r->columns, .keep_text = true, .needs_end = true, .lines = lines};
    stream_init(&r->it);
    stream_begin(&r->it, 7, 1);
}

static void reader_feed(void *it, const char *p, const char *end) {
    stream_reader *r = it;
    size_t left;
    if (r->last != STREAM_MORE || p == end)
        return;
    r->last = stream_bytes(&r->it, &r->shared, p, (size_t)(end - p), 100, 200, &left);
    if (left > (size_t)(end - p))
        abort();
}

static void record_block(record *out, const event_block *block) {
    for (uint32_t row = 0; row < block->rows; row++) {
        record_number(out, block->event[row]);
        record_number(out, block->kind[row]);
        record_number(out, block->tokens[row]);
        record_number(out, block->bytes[row]);
    }
}

/* All that must not depend on the cuts. What comes after a whole message does: it is part of a read, or is not. */
static void reader_end(stream_reader *r) {
    if (r->last == STREAM_MORE)
        stream_closed(&r->it, &r->shared, 100, "gone");
    const request_record *record = &r->it.record;
    if (record->outcome > OUTCOME_CANCELLED || record->end_marker > END_CLOSE || record->end_ns != 100
        || record->output_events > record->events || (record->output_events > 0) != (record->first_token_ns > 0)
        || (record->first_visible_ns && !record->first_token_ns))
        abort();
    const int64_t numbers[] = {record->outcome, record->end_marker, record->events, record->output_events, record->http_status,
                               record->input_tokens, record->output_tokens, record->event_tokens, record->headers_ns,
                               record->first_token_ns, record->last_token_ns, record->first_visible_ns, r->shared.tokens};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        record_number(&r->out, numbers[i]);
    record_text(&r->out, r->it.id, record->id_length);
    record_text(&r->out, r->it.finish, record->finish_length);
    record_text(&r->out, r->it.text.bytes, r->it.text.length);
    record_text(&r->out, r->it.error.bytes, r->it.error.length);
    if (!columns_close_block(&r->columns))
        abort();
    event_block *block;
    while ((block = columns_take(&r->columns))) {
        record_block(&r->out, block);
        columns_recycle(&r->columns, block);
    }
}

static void reader_free(stream_reader *r) {
    stream_free(&r->it);
    columns_free(&r->columns);
    record_free(&r->out);
}

/* The last byte chooses the cuts, the dialect and the framing, so that a capture is a seed as it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static event_dialect *dialects[3];
    if (!dialects[0]) {
        dialects[0] = make_dialect(CHAT_PATHS, NULL);
        dialects[1] = make_dialect(RESPONSES_PATHS, RESPONSES_TYPES);
        dialects[2] = make_dialect(SO_FAR_PATHS, NULL);
    }
    if (size < 2)
        return 0;
    stream_reader whole, cut;
    const char *bytes = (const char *)data;
    bool lines = data[size - 1] & 128;
    reader_init(&whole, dialects[data[size - 1] % 3], lines);
    reader_init(&cut, dialects[data[size - 1] % 3], lines);
    feed_piece(reader_feed, &whole, bytes, size - 1);
    feed_random(reader_feed, &cut, bytes, size - 1, data[size - 1] + UINT64_C(1));
    reader_end(&whole);
    reader_end(&cut);
    if (!record_equal(&whole.out, &cut.out))
        abort();
    reader_free(&whole);
    reader_free(&cut);
    return 0;
}

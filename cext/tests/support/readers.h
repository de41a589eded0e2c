/* readers.h: the parsers as readers of pieces (pieces.h): what each hands out goes into a record, in a form that does not
 * depend on how the bytes were cut. */
#ifndef TT_READERS_H
#define TT_READERS_H

#include "response/event.h"
#include "parse/http1.h"
#include "parse/sse.h"
#include "support/pieces.h"

/* ---- sse, with event when there is a dialect -------------------------------------- */

typedef struct {
    sse framer;
    const event_dialect *dialect;
    sse_result last;
    long events, tokens;
    record out;
} sse_reader;

static inline void sse_reader_init(sse_reader *reader, const event_dialect *dialect) {
    *reader = (sse_reader){.dialect = dialect, .last = SSE_MORE};
    sse_init(&reader->framer);
}

static inline void record_span(record *out, event_span span) {
    record_number(out, span.start != NULL);
    record_text(out, span.start, span.length);
}

static inline void record_scan(record *out, const event_scan_result *result) {
    record_number(out, result->kind);
    record_number(out, result->ends | result->done_marker << 1 | result->malformed << 2);
    record_number(out, result->token_ids);
    record_number(out, result->input_tokens);
    record_number(out, result->output_tokens);
    record_number(out, result->cached_tokens);
    record_number(out, result->reasoning_tokens);
    record_span(out, result->text);
    record_span(out, result->finish);
    record_span(out, result->id);
    record_span(out, result->error);
    record_span(out, result->whole);
    record_number(out, result->so_far ? (int)result->kind_unless_grown : -1);
}

static inline void sse_reader_take(sse_reader *reader, const sse_event *event) {
    event_scan_result result;
    reader->events++;
    record_text(&reader->out, event->name, event->name_length);
    record_text(&reader->out, event->data, event->data_length);
    record_number(&reader->out, event->wire_bytes);
    record_number(&reader->out, event->comment | event->has_data << 1 | event->error_field << 2);
    if (!reader->dialect)
        return;
    event_scan(reader->dialect, event->name, event->name_length, event->data, event->data_length, &result);
    record_scan(&reader->out, &result);
    reader->tokens += result.kind == KIND_TOKEN;
}

static inline void sse_reader_feed(void *it, const char *p, const char *end) {
    sse_reader *reader = it;
    sse_event event;
    while ((reader->last = sse_next(&reader->framer, &p, end, &event)) == SSE_EVENT)
        sse_reader_take(reader, &event);
    if (p != end)
        abort();
}

static inline void sse_reader_finish(sse_reader *reader) {
    sse_event event;
    sse_result got;
    while ((got = sse_finish(&reader->framer, &event)) == SSE_EVENT)
        sse_reader_take(reader, &event);
    record_number(&reader->out, got);
}

static inline void sse_reader_free(sse_reader *reader) {
    sse_free(&reader->framer);
    record_free(&reader->out);
}

/* ---- http1, whose body goes to the framer ------------------------------------------ */

typedef struct {
    http1 parser;
    http1_result last;
    long responses;
    record body, out;      /* of the present response; of those before it */
    sse_reader stream;
} http1_reader;

static inline void http1_reader_init(http1_reader *reader, const event_dialect *dialect) {
    *reader = (http1_reader){.last = HTTP1_MORE};
    http1_init(&reader->parser);
    sse_reader_init(&reader->stream, dialect);
}

/* Writes the response down and makes ready for the next. */
static inline void http1_reader_end(http1_reader *reader, http1_result how) {
    const http1 *parser = &reader->parser;
    sse_reader_finish(&reader->stream);
    record_number(&reader->out, how);
    record_text(&reader->out, parser->error ? parser->error : "", parser->error ? strlen(parser->error) : 0);
    record_number(&reader->out, parser->status);
    record_number(&reader->out, parser->interim);
    record_number(&reader->out, parser->content_type);
    record_number(&reader->out, parser->chunked | parser->close_delimited << 1 | parser->keep_alive << 2
                                    | parser->encoded << 3);
    record_number(&reader->out, parser->content_length);
    record_number(&reader->out, parser->retry_after_s);
    record_text(&reader->out, reader->body.bytes, reader->body.length);
    record_text(&reader->out, reader->stream.out.bytes, reader->stream.out.length);
    reader->body.length = reader->stream.out.length = 0;
    reader->last = how;
}

static inline void http1_reader_feed(void *it, const char *p, const char *end) {
    http1_reader *reader = it;
    http1_span body;
    if (reader->last == HTTP1_ERROR)
        return;
    for (;;) {
        http1_result got = http1_next(&reader->parser, &p, end, &body);
        if (p > end)
            abort();
        switch (got) {
        case HTTP1_MORE:
            if (p != end)
                abort();
            return;
        case HTTP1_HEADERS: break;
        case HTTP1_BODY:
            if (body.length == 0)
                abort();
            record_bytes(&reader->body, body.start, body.length);
            sse_reader_feed(&reader->stream, body.start, body.start + body.length);
            break;
        case HTTP1_COMPLETE:
            http1_reader_end(reader, got);
            reader->responses++;
            http1_reset(&reader->parser);
            sse_reset(&reader->stream.framer);
            if (p == end)
                return;
            break;
        case HTTP1_ERROR:
            if (http1_next(&reader->parser, &p, end, &body) != HTTP1_ERROR)
                abort();
            http1_reader_end(reader, got);
            return;
        }
    }
}

static inline void http1_reader_finish(http1_reader *reader) {
    if (reader->last != HTTP1_ERROR)
        http1_reader_end(reader, http1_finish(&reader->parser));
}

static inline void http1_reader_free(http1_reader *reader) {
    http1_free(&reader->parser);
    sse_reader_free(&reader->stream);
    record_free(&reader->body);
    record_free(&reader->out);
}

#endif

#include "response/stream.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A chunk's own line end and the closing chunk may follow the last event of a read without having delayed its stamp in any
 * way that matters; more than these 7 bytes is the beginning of a later event. */
#define TRAILING_FRAMING 8

static bool buffer_append(stream_buffer *b, const char *bytes, size_t length, size_t limit) {
    if (length > limit - b->length)
        return false;
    if (!length)
        return true;
    if (b->length + length > b->capacity) {
        size_t capacity = b->capacity ? b->capacity : 4096;
        while (capacity < b->length + length)
            capacity *= 2;
        char *grown = realloc(b->bytes, capacity);
        if (!grown)
            return false;
        b->bytes = grown;
        b->capacity = capacity;
    }
    memcpy(b->bytes + b->length, bytes, length);
    b->length += length;
    return true;
}

static void buffer_free(stream_buffer *b) {
    free(b->bytes);
    *b = (stream_buffer){0};
}

static uint32_t keep(char *place, size_t room, const char *bytes, size_t length) {
    if (length > room)
        length = room;
    memcpy(place, bytes, length);
    return (uint32_t)length;
}

static void keep_error(stream *s, const char *bytes, size_t length) {
    s->error.length = 0;
    buffer_append(&s->error, bytes, length < STREAM_MAX_ERROR ? length : STREAM_MAX_ERROR, STREAM_MAX_ERROR);
}

void stream_init(stream *s) {
    memset(s, 0, sizeof *s);
    http1_init(&s->http);
    sse_init(&s->framer);
    ndjson_init(&s->lines);
}

void stream_begin(stream *s, int64_t request_id, int64_t scheduled_ns) {
    http1_reset(&s->http);
    sse_reset(&s->framer);
    ndjson_reset(&s->lines);
    buffer_free(&s->body);
    buffer_free(&s->text);
    buffer_free(&s->error);
    s->record = (request_record){
        .request_id = request_id, .scheduled_ns = scheduled_ns, .input_tokens = -1, .output_tokens = -1,
        .cached_tokens = -1, .reasoning_tokens = -1, .retry_after_s = -1};
    s->framing = FRAMED_WHOLE;
    s->uncounted = false;
    s->ended = s->done_marker = s->failed_in_stream = s->has_finish = s->unread = false;
    s->usage_so_far = 0;
    s->text_so_far = 0;
}

void stream_free(stream *s) {
    http1_free(&s->http);
    sse_free(&s->framer);
    ndjson_free(&s->lines);
    buffer_free(&s->body);
    buffer_free(&s->text);
    buffer_free(&s->error);
}

/* What one read has told so far. */
typedef struct {
    int64_t arrival_ns, read_ns;
    event_block *block;        /* the row of the latest event of this read */
    uint32_t row;
    const char *event_end;     /* where the body bytes of that event ended */
} read_state;

static bool is_output(event_kind kind) {
    return kind == KIND_TOKEN || kind == KIND_REASONING || kind == KIND_TOOL_CALL;
}

static bool count_event(stream *s, stream_shared *shared, read_state *now, event_kind kind, int32_t tokens, size_t bytes) {
    if (now->block && !now->block->coalesced[now->row]) {
        now->block->coalesced[now->row] = 1;   /* it was not the last of its read: its stamp is an upper bound */
        shared->coalesced++;
    }
    event_columns *columns = shared->columns;
    event_block *block = columns->open;
    uint32_t row = columns_row(columns);
    request_record *r = &s->record;
    block->request_id[row] = r->request_id;
    block->arrival_ns[row] = now->arrival_ns;
    block->read_ns[row] = now->read_ns;
    block->event[row] = r->events++;
    block->tokens[row] = tokens;
    block->bytes[row] = (int32_t)bytes;
    block->kind[row] = (uint8_t)kind;
    block->coalesced[row] = 0;
    now->block = block;
    now->row = row;
    shared->events++;
    if (!r->first_event_ns)
        r->first_event_ns = now->arrival_ns;
    if (kind == KIND_TOKEN && !r->first_visible_ns)
        r->first_visible_ns = now->arrival_ns;
    if (is_output(kind)) {
        if (!r->first_token_ns)
            r->first_token_ns = now->arrival_ns;
        r->last_token_ns = now->arrival_ns;
        r->output_events++;
        if (tokens < 0)
            r->event_tokens = -1;
        else if (r->event_tokens >= 0)
            r->event_tokens += tokens;
        shared->tokens += tokens < 0 ? 1 : tokens;
    }
    return columns_added(columns);
}

static void take_usage(request_record *r, const event_scan_result *scan) {
    if (scan->input_tokens >= 0)
        r->input_tokens = scan->input_tokens;
    if (scan->output_tokens >= 0)
        r->output_tokens = scan->output_tokens;
    if (scan->cached_tokens >= 0)
        r->cached_tokens = scan->cached_tokens;
    if (scan->reasoning_tokens >= 0)
        r->reasoning_tokens = scan->reasoning_tokens;
}

static void take_facts(stream *s, stream_shared *shared, const event_scan_result *scan) {
    request_record *r = &s->record;
    take_usage(r, scan);
    if (scan->id.start && !r->id_length)
        r->id_length = keep(s->id, sizeof s->id, scan->id.start, scan->id.length);
    if (scan->finish.start) {
        r->finish_length = keep(s->finish, sizeof s->finish, scan->finish.start, scan->finish.length);
        s->has_finish = true;
    }
    if (scan->kind == KIND_ERROR && !s->failed_in_stream) {
        s->failed_in_stream = true;
        keep_error(s, scan->error.start, scan->error.length);
    }
    /* A text beyond the limit is kept up to the limit: the counts then come from the events. */
    if (shared->keep_text && scan->text.start && is_output(scan->kind)) {
        if (scan->so_far)
            s->text.length = 0;
        buffer_append(&s->text, scan->text.start, scan->text.length, STREAM_MAX_TEXT);
    }
    s->ended |= scan->ends;
    s->done_marker |= scan->done_marker;
}

/* Tokens of an output event: counted ids, else the growth of a usage that the server repeats on each chunk. A usage that comes with
 * the last token alone (TGI) is the sum of all, and says nothing of that one. */
static int32_t event_tokens(stream *s, const event_scan_result *scan) {
    int64_t tokens = -1;
    if (scan->token_ids >= 0)
        tokens = scan->token_ids;
    else if (scan->output_tokens >= 0 && !s->uncounted)
        tokens = scan->output_tokens - s->usage_so_far;
    if (scan->output_tokens >= 0)
        s->usage_so_far = scan->output_tokens;
    else if (tokens > 0 && s->usage_so_far <= INT32_MAX)
        s->usage_so_far += tokens;
    s->uncounted |= tokens < 0;
    return tokens >= 0 && tokens <= INT32_MAX ? (int32_t)tokens : -1;
}

static bool take_event(stream *s, stream_shared *shared, read_state *now, const sse_event *event) {
    if (event->comment)
        return count_event(s, shared, now, KIND_COMMENT, -1, event->wire_bytes);
    event_scan_result scan;
    event_scan(shared->dialect, event->error_field ? "error" : event->name, event->error_field ? 5 : event->name_length,
               event->data, event->data_length, &scan);
    if (scan.so_far) {
        if (scan.text.length <= s->text_so_far)
            scan.kind = scan.kind_unless_grown;
        else
            s->text_so_far = scan.text.length;
    }
    take_facts(s, shared, &scan);
    int32_t tokens = is_output(scan.kind) ? event_tokens(s, &scan) : -1;
    return count_event(s, shared, now, scan.kind, tokens, event->wire_bytes);
}

static stream_result broken(stream *s, outcome why, int64_t at_ns, const char *text) {
    stream_fail(s, why, at_ns, text);
    return STREAM_BROKEN;
}

static const char OUT_OF_MEMORY[] = "out of memory in the client";

/* Only observed, and more than is worth holding. */
static stream_result pass_over(stream *s) {
    s->unread = true;
    buffer_free(&s->body);
    sse_reset(&s->framer);
    ndjson_reset(&s->lines);
    return STREAM_MORE;
}

static sse_result next_event(stream *s, const char **p, const char *end, sse_event *event) {
    return s->framing == FRAMED_LINES ? ndjson_next(&s->lines, p, end, event) : sse_next(&s->framer, p, end, event);
}

static sse_result last_event(stream *s, sse_event *event) {
    return s->framing == FRAMED_LINES ? ndjson_finish(&s->lines, event) : sse_finish(&s->framer, event);
}

static stream_result take_body(stream *s, stream_shared *shared, read_state *now, http1_span body) {
    if (s->unread)
        return STREAM_MORE;
    if (s->framing == FRAMED_WHOLE) {
        if (s->record.http_status >= 400) {
            size_t room = STREAM_MAX_ERROR - s->body.length;
            buffer_append(&s->body, body.start, body.length < room ? body.length : room, STREAM_MAX_ERROR);
            return STREAM_MORE;
        }
        if (!buffer_append(&s->body, body.start, body.length, shared->observes ? STREAM_MAX_OBSERVED : STREAM_MAX_BODY))
            return shared->observes ? pass_over(s) : broken(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, "the response is over 64 MB");
        return STREAM_MORE;
    }
    const char *p = body.start, *end = body.start + body.length;
    sse_event event;
    sse_result result;
    while ((result = next_event(s, &p, end, &event)) == SSE_EVENT) {
        if (!take_event(s, shared, now, &event))
            return broken(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, OUT_OF_MEMORY);
        now->event_end = p;
    }
    if (result == SSE_TOO_LARGE)
        return shared->observes ? pass_over(s) : broken(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, "an event of the stream is over 16 MB");
    return STREAM_MORE;
}

static stream_framing framing_of(const stream_shared *shared, const http1 *http) {
    if (http->status != 200)
        return FRAMED_WHOLE;
    if (http->content_type == HTTP1_TYPE_SSE)
        return FRAMED_SSE;
    bool lines = http->content_type == HTTP1_TYPE_NDJSON || (shared->lines && http->content_type != HTTP1_TYPE_HTML);
    return lines ? FRAMED_LINES : FRAMED_WHOLE;
}

static void take_head(stream *s, const stream_shared *shared, int64_t arrival_ns) {
    request_record *r = &s->record;
    r->headers_ns = arrival_ns;
    r->http_status = s->http.status;
    r->retry_after_s = s->http.retry_after_s;
    s->framing = framing_of(shared, &s->http);
    r->streamed = s->framing != FRAMED_WHOLE;
    s->unread = shared->observes && s->http.encoded;
}

/* A body that is no event stream: one event for all of it, since all of its tokens arrived with its last byte. Answers
 * what is wrong with it, or NULL. */
static const char *take_whole_body(stream *s, stream_shared *shared, read_state *now) {
    event_scan_result scan;
    event_scan(shared->dialect, "", 0, s->body.bytes ? s->body.bytes : "", s->body.length, &scan);
    if (scan.malformed)
        return "the response is neither an event stream nor JSON";
    if (scan.whole.start && scan.kind != KIND_ERROR) {
        scan.kind = KIND_TOKEN;
        scan.text = scan.whole;
    }
    take_facts(s, shared, &scan);
    int64_t tokens = scan.output_tokens;
    now->block = NULL;
    event_kind kind = scan.kind == KIND_TOKEN || scan.kind == KIND_ERROR ? scan.kind : KIND_OTHER;
    int32_t count = tokens >= 0 && tokens <= INT32_MAX ? (int32_t)tokens : -1;
    return count_event(s, shared, now, kind, count, s->body.length) ? NULL : OUT_OF_MEMORY;
}

static end_marker ending(const stream *s) {
    if (s->done_marker)
        return END_DONE;
    if (s->ended)
        return END_TERMINAL_EVENT;
    if (s->has_finish)
        return END_FINISH;
    return s->http.close_delimited ? END_CLOSE : END_LENGTH;
}

static void settle(stream *s, stream_shared *shared, read_state *now) {
    request_record *r = &s->record;
    r->end_ns = now->arrival_ns;
    sse_event event;
    while (s->framing != FRAMED_WHOLE && !s->unread && last_event(s, &event) == SSE_EVENT)
        if (!take_event(s, shared, now, &event)) {
            stream_fail(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, OUT_OF_MEMORY);
            return;
        }
    if (r->http_status < 200 || r->http_status > 299) {
        r->outcome = OUTCOME_HTTP_ERROR;
        keep_error(s, s->body.bytes ? s->body.bytes : "", s->body.length);
        return;
    }
    if (s->unread) {
        r->end_marker = s->http.close_delimited ? END_CLOSE : END_LENGTH;
        static const char text[] = "the response was compressed or too large to be read";
        keep_error(s, text, sizeof text - 1);
        return;
    }
    if (s->http.encoded) {
        stream_fail(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, "the response is compressed although identity was asked for");
        return;
    }
    if (s->framing == FRAMED_WHOLE) {
        const char *wrong = s->http.content_type == HTTP1_TYPE_HTML
                                ? "the server answered with an HTML page: is the URL that of an API?"
                            : !s->body.length ? "the response has no body" : take_whole_body(s, shared, now);
        if (wrong) {
            stream_fail(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, wrong);
            return;
        }
    }
    r->end_marker = (uint8_t)ending(s);
    if (s->failed_in_stream)
        r->outcome = OUTCOME_STREAM_ERROR;
    else if (s->framing != FRAMED_WHOLE && shared->needs_end && (r->end_marker == END_LENGTH || r->end_marker == END_CLOSE))
        stream_fail(s, OUTCOME_TRUNCATED, now->arrival_ns, "the stream ended without [DONE], a finish reason or another end of its API's");
}

stream_result stream_bytes(stream *s, stream_shared *shared, const char *bytes, size_t length, int64_t arrival_ns,
                           int64_t read_ns, size_t *left) {
    read_state now = {.arrival_ns = arrival_ns, .read_ns = read_ns};
    const char *p = bytes, *end = bytes + length;
    http1_span body;
    stream_result result = STREAM_MORE;
    s->record.bytes_received += (int64_t)length;
    *left = 0;
    while (result == STREAM_MORE) {
        switch (http1_next(&s->http, &p, end, &body)) {
        case HTTP1_MORE:
            if (now.block && (size_t)(end - now.event_end) > TRAILING_FRAMING && !now.block->coalesced[now.row]) {
                now.block->coalesced[now.row] = 1;
                shared->coalesced++;
            }
            return STREAM_MORE;
        case HTTP1_HEADERS:
            take_head(s, shared, arrival_ns);
            break;
        case HTTP1_BODY:
            result = take_body(s, shared, &now, body);
            break;
        case HTTP1_COMPLETE:
            settle(s, shared, &now);
            *left = (size_t)(end - p);
            result = STREAM_COMPLETE;
            break;
        case HTTP1_ERROR:
            result = broken(s, OUTCOME_PROTOCOL_ERROR, arrival_ns, s->http.error);
            break;
        }
    }
    return result;
}

void stream_closed(stream *s, stream_shared *shared, int64_t at_ns, const char *reason) {
    if (http1_finish(&s->http) == HTTP1_COMPLETE) {
        read_state now = {.arrival_ns = at_ns, .read_ns = at_ns};
        settle(s, shared, &now);
        return;
    }
    stream_fail(s, stream_silent(s) ? OUTCOME_PROTOCOL_ERROR : OUTCOME_TRUNCATED, at_ns, reason);
}

void stream_fail(stream *s, outcome why, int64_t at_ns, const char *text) {
    request_record *r = &s->record;
    r->end_ns = at_ns;
    /* The HTTP framing broke off, but the API's own end had come. */
    if (s->done_marker && !s->failed_in_stream && why != OUTCOME_PROTOCOL_ERROR) {
        r->outcome = OUTCOME_OK;
        r->end_marker = END_DONE;
        return;
    }
    if (s->failed_in_stream) {     /* the error that the server told is the better explanation */
        r->outcome = OUTCOME_STREAM_ERROR;
        return;
    }
    if (r->http_status >= 300 && why != OUTCOME_CANCELLED)
        why = OUTCOME_HTTP_ERROR;  /* what the status says matters more than how its body ended */
    r->outcome = (uint8_t)why;
    if (why == OUTCOME_HTTP_ERROR && s->body.length)
        keep_error(s, s->body.bytes, s->body.length);
    else
        keep_error(s, text, strlen(text));
}

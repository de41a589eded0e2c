#include "response/stream_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A chunk's own line end and the closing chunk may follow the last event of a read without having delayed its stamp in any
 * way that matters; more than these 7 bytes is the beginning of a later event. */
#define TRAILING_FRAMING 8

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
    stream_buffer_free(&s->body);
    stream_buffer_free(&s->text);
    stream_buffer_free(&s->error);
    s->record = (request_record){
        .request_id = request_id, .scheduled_ns = scheduled_ns, .input_tokens = -1, .output_tokens = -1,
        .cached_tokens = -1, .reasoning_tokens = -1, .retry_after_s = -1};
    s->framing = FRAMED_WHOLE;
    s->uncounted = false;
    s->ended = s->done_marker = s->failed_in_stream = s->has_finish = s->unread = s->malformed = s->has_event = s->remarked = false;
    s->usage_so_far = 0;
    s->text_so_far = 0;
}

void stream_free(stream *s) {
    http1_free(&s->http);
    sse_free(&s->framer);
    ndjson_free(&s->lines);
    stream_buffer_free(&s->body);
    stream_buffer_free(&s->text);
    stream_buffer_free(&s->error);
}

static stream_result broken(stream *s, outcome why, int64_t at_ns, const char *text) {
    stream_fail(s, why, at_ns, text);
    return STREAM_BROKEN;
}

/* Only observed, and more than is worth holding. */
static stream_result pass_over(stream *s) {
    s->unread = true;
    stream_buffer_free(&s->body);
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
            stream_buffer_append(&s->body, body.start, body.length < room ? body.length : room, STREAM_MAX_ERROR);
            return STREAM_MORE;
        }
        if (!stream_buffer_append(&s->body, body.start, body.length, shared->observes ? STREAM_MAX_OBSERVED : STREAM_MAX_BODY))
            return shared->observes ? pass_over(s) : broken(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, "the response is over 64 MB");
        return STREAM_MORE;
    }
    const char *p = body.start, *end = body.start + body.length;
    sse_event event;
    sse_result result;
    while ((result = next_event(s, &p, end, &event)) == SSE_EVENT) {
        if (!stream_take_event(s, shared, now, &event))
            return broken(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, STREAM_OUT_OF_MEMORY);
        now->event_end = p;
    }
    if (result == SSE_TOO_LARGE)
        return shared->observes ? pass_over(s) : broken(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, "an event of the stream is over 16 MB");
    if (!s->has_event && s->body.length < STREAM_MAX_ERROR) {   /* it may never have one: see stream_take_eventless */
        size_t room = STREAM_MAX_ERROR - s->body.length;
        stream_buffer_append(&s->body, body.start, body.length < room ? body.length : room, STREAM_MAX_ERROR);
    } else if (s->body.bytes) {
        stream_buffer_free(&s->body);
    }
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
        if (!stream_take_event(s, shared, now, &event)) {
            stream_fail(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, STREAM_OUT_OF_MEMORY);
            return;
        }
    if (r->http_status < 200 || r->http_status > 299) {
        r->outcome = OUTCOME_HTTP_ERROR;
        stream_keep_error(s, s->body.bytes ? s->body.bytes : "", s->body.length);
        return;
    }
    if (s->unread) {
        r->end_marker = s->http.close_delimited ? END_CLOSE : END_LENGTH;
        static const char text[] = "the response was compressed or too large to be read";
        stream_keep_error(s, text, sizeof text - 1);
        return;
    }
    if (s->http.encoded) {
        stream_fail(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, "the response is compressed although identity was asked for");
        return;
    }
    if (s->framing != FRAMED_WHOLE && !s->has_event && s->body.length && !stream_take_eventless(s, shared, now)) {
        stream_fail(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, STREAM_OUT_OF_MEMORY);
        return;
    }
    if (s->framing == FRAMED_WHOLE) {
        const char *wrong = s->http.content_type == HTTP1_TYPE_HTML
                                ? "the server answered with an HTML page: is the URL that of an API?"
                            : !s->body.length ? "the response has no body" : stream_take_whole(s, shared, now);
        if (wrong) {
            stream_fail(s, OUTCOME_PROTOCOL_ERROR, now->arrival_ns, wrong);
            return;
        }
    }
    r->end_marker = (uint8_t)ending(s);
    if (s->remarked && r->output_events)
        s->error.length = 0;
    if (s->failed_in_stream)
        r->outcome = OUTCOME_STREAM_ERROR;
    else if (s->malformed)
        r->outcome = OUTCOME_PROTOCOL_ERROR;
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
        stream_keep_error(s, s->body.bytes, s->body.length);
    else
        stream_keep_error(s, text, strlen(text));
}

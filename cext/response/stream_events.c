#include "response/stream_internal.h"

#include <string.h>

static uint32_t keep(char *place, size_t room, const char *bytes, size_t length) {
    if (length > room)
        length = room;
    memcpy(place, bytes, length);
    return (uint32_t)length;
}

static bool is_output(event_kind kind) {
    return kind == KIND_TOKEN || kind == KIND_REASONING || kind == KIND_TOOL_CALL;
}

/* hidden: an arrival of tokens whose text the server still holds back. */
static bool count_event(stream *s, stream_shared *shared, read_state *now, event_kind kind, bool hidden, int32_t tokens, size_t bytes) {
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
    if (kind == KIND_TOKEN && !hidden && !r->first_visible_ns)
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

static void keep_abort(stream *s, const event_scan_result *scan) {
    if (scan->finish_message.start) {
        stream_keep_error(s, scan->finish_message.start, scan->finish_message.length);
        return;
    }
    static const char text[] = "the server gave the request up: finish reason ";
    stream_keep_error(s, text, sizeof text - 1);
    stream_buffer_append(&s->error, scan->finish.start, scan->finish.length, STREAM_MAX_ERROR);
}

static void take_facts(stream *s, stream_shared *shared, const event_scan_result *scan) {
    request_record *r = &s->record;
    take_usage(r, scan);
    if (scan->id.start && !r->id_length)
        r->id_length = keep(s->id, sizeof s->id, scan->id.start, scan->id.length);
    if (scan->finish.start) {
        r->finish_length = keep(s->finish, sizeof s->finish, scan->finish.start, scan->finish.length);
        s->has_finish = true;
        if (event_is_abort(scan->finish) && !s->failed_in_stream) {
            s->failed_in_stream = true;
            keep_abort(s, scan);
        }
    }
    if (scan->kind == KIND_ERROR && !s->failed_in_stream) {
        s->failed_in_stream = true;
        stream_keep_error(s, scan->error.start, scan->error.length);
    }
    /* A text beyond the limit is kept up to the limit: the counts then come from the events. */
    if (shared->keep_text && scan->text.start && is_output(scan->kind)) {
        if (scan->so_far)
            s->text.length = 0;
        stream_buffer_append(&s->text, scan->text.start, scan->text.length, STREAM_MAX_TEXT);
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

/* An event that says nothing, or nothing that is understood. Output is lost where it was cut off inside its JSON; words that were never
 * JSON ("ping") are let pass. The first event that is not understood is kept, for a response that ends without any output. */
static void take_unknown(stream *s, const event_scan_result *scan, const sse_event *event) {
    if (s->failed_in_stream || s->malformed || !event->data_length)
        return;
    if (scan->malformed && (*event->data == '{' || *event->data == '[')) {
        s->malformed = true;
        stream_keep_error_about(s, "an event is not whole JSON: ", event->data, event->data_length);
    } else if (!s->record.output_events && !s->remarked && !scan->finish.start) {
        stream_keep_error_about(s, "no output was understood; the first event without any: ", event->data, event->data_length);
        s->remarked = true;
    }
}

/* Tokens may arrive before their text does: a parser of reasoning or tool calls holds it back, and the count grows meanwhile. */
static bool hides_tokens(const stream *s, const event_scan_result *scan) {
    return scan->kind == KIND_USAGE && scan->unfinished && !s->uncounted && scan->output_tokens > s->usage_so_far;
}

bool stream_take_event(stream *s, stream_shared *shared, read_state *now, const sse_event *event) {
    if (event->comment)
        return count_event(s, shared, now, KIND_COMMENT, false, -1, event->wire_bytes);
    s->has_event |= event->data_length > 0;
    event_scan_result scan;
    event_scan(shared->dialect, event->error_field ? "error" : event->name, event->error_field ? 5 : event->name_length,
               event->data, event->data_length, &scan);
    if (scan.so_far) {
        if (scan.text.length <= s->text_so_far)
            scan.kind = scan.kind_unless_grown;
        else
            s->text_so_far = scan.text.length;
    }
    bool hidden = hides_tokens(s, &scan);
    if (hidden)
        scan.kind = KIND_TOKEN;
    take_facts(s, shared, &scan);
    if (scan.kind == KIND_OTHER)
        take_unknown(s, &scan, event);
    int32_t tokens = is_output(scan.kind) ? event_tokens(s, &scan) : -1;
    return count_event(s, shared, now, scan.kind, hidden, tokens, event->wire_bytes);
}

const char *stream_take_whole(stream *s, stream_shared *shared, read_state *now) {
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
    if (kind == KIND_OTHER && scan.kind == KIND_OTHER && !scan.finish.start && shared->needs_end && !s->failed_in_stream) {
        stream_keep_error_about(s, "no output was understood in: ", s->body.bytes, s->body.length);
        s->remarked = true;
    }
    return count_event(s, shared, now, kind, false, count, s->body.length) ? NULL : STREAM_OUT_OF_MEMORY;
}

bool stream_take_eventless(stream *s, stream_shared *shared, read_state *now) {
    event_scan_result scan;
    event_scan(shared->dialect, "", 0, s->body.bytes, s->body.length, &scan);
    if (scan.kind == KIND_ERROR) {
        take_facts(s, shared, &scan);
        return count_event(s, shared, now, KIND_ERROR, false, -1, s->body.length);
    }
    s->malformed = true;
    stream_keep_error_about(s, "the stream holds no event; it begins with: ", s->body.bytes, s->body.length);
    return true;
}

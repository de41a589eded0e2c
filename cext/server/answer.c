#include <stdlib.h>
#include <string.h>

#include "server/pieces.h"
#include "server/server_internal.h"

#define GROUP_EVENTS 32       /* upper limit of the pieces of one write */

/* Composes the pieces that are due and belong in one write. Returns its length. */
static size_t compose(server *s, conn *c, piece *pieces, int *count) {
    server_answer *answer = &c->answer;
    const server_config *config = &s->config;
    answer_cursor start = answer->at;
    size_t length = 0, room = wire_event_room(&answer->wire);
    *count = 0;
    if (pieces_due_ns(answer, config) > s->now_ns) {   /* then the keepalive is due */
        piece *ping = &pieces[(*count)++];
        *ping = (piece){.kind = KIND_COMMENT, .after = answer->at};
        length = wire_event_write(&answer->wire, EVENT_PING, 0, 0, s->scratch, &ping->bytes);
        ping->after.event++;
        ping->end = (uint32_t)length;
        return length;
    }
    do {
        uint8_t stage = answer->at.stage;
        piece *made = &pieces[(*count)++];
        length += pieces_next(answer, config, c->request.http_1_0, &answer->at, s->scratch + length, made);
        made->end = (uint32_t)length;
        if (pieces_end_write(config, stage, made))
            break;
    } while (answer->at.stage != STAGE_OVER && !(answer->at.stage == STAGE_FAULT && answer->fault != FAULT_ERROR) &&
             *count < GROUP_EVENTS && length + room <= s->scratch_bytes && pieces_due_ns(answer, config) <= s->now_ns);
    answer->at = start;   /* account() moves it by the pieces that the kernel took */
    return length;
}

/* ---- handing over ---------------------------------------------------------------- */

static void record(server *s, server_answer *answer, const piece *made, int64_t handed_ns, bool coalesced) {
    server_request_row *row = &answer->row;
    if (made->head) {
        row->headers_ns = handed_ns;
        row->status = 200;
    }
    if (made->kind == NO_EVENT)
        return;
    s->stats.events++;
    if (s->config.truth)
        truth_add_event(s, row->request, row->events, handed_ns, (event_kind)made->kind, made->tokens, (int32_t)made->bytes,
                        coalesced);
    row->events++;
    if (!row->first_event_ns)
        row->first_event_ns = handed_ns;
    row->done_marker |= made->kind == KIND_DONE;
    if (!made->tokens)
        return;
    row->output_events++;
    if (row->first_token_ns) {
        metrics_observe(&s->metrics.itl, handed_ns - row->last_token_ns);
    } else {
        row->first_token_ns = handed_ns;
        metrics_observe(&s->metrics.ttft, handed_ns - row->received_ns);
    }
    row->last_token_ns = handed_ns;
    row->output_tokens += made->tokens;
    s->stats.tokens += (uint64_t)made->tokens;
    s->metrics.output_tokens += (uint64_t)made->tokens;
}

/* Records that the kernel took `sent` bytes of the write. A piece that it took in part counts as handed over and its rest is
 * kept; later pieces are composed anew. false: memory out. */
static bool account(server *s, conn *c, const piece *pieces, int count, size_t sent, int64_t handed_ns) {
    server_answer *answer = &c->answer;
    uint32_t start = 0;
    int last_event = -1;
    for (int i = 0; i < count; start = pieces[i].end, i++)
        if ((pieces[i].end <= sent || start < sent) && pieces[i].kind != NO_EVENT)
            last_event = i;
    start = 0;
    for (int i = 0; i < count; start = pieces[i].end, i++) {
        bool whole = pieces[i].end <= sent;
        if (!whole && start >= sent)
            break;
        record(s, answer, &pieces[i], handed_ns, i < last_event);
        answer->at = pieces[i].after;
        if (whole)
            continue;
        c->out_length = pieces[i].end - sent;
        c->out_sent = 0;
        c->out = malloc(c->out_length);
        if (!c->out)
            return false;
        memcpy(c->out, s->scratch + sent, c->out_length);
        sent = pieces[i].end;
        break;
    }
    answer->handed_ns = answer->row.end_ns = handed_ns;
    answer->row.bytes_sent += (int64_t)sent;
    return true;
}

static void finish(server *s, conn *c) {
    server_answer *answer = &c->answer;
    outcome how = (outcome)answer->row.outcome;
    if (answer->wire.prefix) {
        if (answer->fault == FAULT_LENGTH)
            how = OUTCOME_TRUNCATED;
        metrics_count(&s->metrics, answer->row.endpoint, answer->row.status);
    }
    truth_end_row(s, c, how);
    conn_answered(s, c);
}

/* Carries out a fault that sends no bytes: closes, resets or stops sending. */
static void break_off(server *s, conn *c) {
    metrics_count(&s->metrics, c->answer.row.endpoint, c->answer.row.status);
    heap_set(&s->heap, c, NEVER);
    if (c->answer.fault == FAULT_STALL) {
        c->phase = CONN_STALLED;
        if (c->peer_closed)
            conn_close(s, c, false);
        return;
    }
    truth_end_row(s, c, OUTCOME_TRUNCATED);
    c->phase = CONN_READING;
    if (c->answer.fault == FAULT_RESET)
        conn_close(s, c, true);
    else
        conn_linger(s, c);
}

/* Sends an answer without a stream. */
static void send_full(server *s, conn *c) {
    server_answer *answer = &c->answer;
    if (answer->fault == FAULT_ERROR) {
        wire_answer_free(&answer->wire);
        s->stats.open_streams--;
        respond_refusal(s, c, (server_endpoint)answer->row.endpoint, 500, s->config.wire.shape, STREAM_ERROR_MESSAGE, NULL);
        return;
    }
    size_t length;
    char *body = answer->wire.dialect->whole(&answer->wire, &answer->request, answer->dimensions, &length);
    if (!body) {
        conn_close(s, c, false);
        return;
    }
    answer->content_length = (int64_t)length + (answer->fault == FAULT_LENGTH ? 100 : 0);
    char head[2 * WIRE_MAX_HEAD];
    size_t head_length = pieces_write_head(answer, &s->config, c->request.http_1_0, head);
    bool breaks = pieces_break(answer->fault);
    if (breaks)
        length /= 2;
    char *whole = realloc(body, head_length + length);
    if (!whole) {
        free(body);
        conn_close(s, c, false);
        return;
    }
    memmove(whole + head_length, whole, length);
    memcpy(whole, head, head_length);
    answer->row.headers_ns = answer->row.end_ns = answer->handed_ns = s->now_ns = clock_mono_ns();
    answer->row.status = 200;
    answer->row.bytes_sent = (int64_t)(head_length + length);
    answer->at.stage = breaks ? STAGE_FAULT : STAGE_OVER;
    answer->at.token = 1;   /* a fault happens at once */
    if (!breaks && answer->wire.dialect->generates) {
        answer->row.output_tokens = answer->wire.tokens;
        s->stats.tokens += (uint64_t)answer->wire.tokens;
        s->metrics.output_tokens += (uint64_t)answer->wire.tokens;
    }
    bool sent = conn_send_all(s, c, whole, head_length + length);
    free(whole);
    if (!sent)
        conn_close(s, c, false);
}

void answer_advance(server *s, conn *c) {
    server_answer *answer = &c->answer;
    piece pieces[GROUP_EVENTS];
    while (c->phase == CONN_ANSWERING) {
        if (c->blocked) {   /* ready_to_write continues */
            heap_set(&s->heap, c, NEVER);
            return;
        }
        if (answer->at.stage == STAGE_OVER) {
            heap_set(&s->heap, c, NEVER);
            finish(s, c);
            return;
        }
        int64_t due = pieces_due_ns(answer, &s->config), ping_due = pieces_ping_due_ns(answer, &s->config);
        if (ping_due < due)
            due = ping_due;
        if (due > s->now_ns) {
            heap_set(&s->heap, c, due);
            return;
        }
        if (answer->at.stage == STAGE_FULL) {
            send_full(s, c);
            continue;
        }
        if (answer->at.stage == STAGE_FAULT && answer->fault != FAULT_ERROR) {
            break_off(s, c);
            return;
        }
        int count;
        size_t length = compose(s, c, pieces, &count);
        if (pieces[0].kind == KIND_ERROR)
            answer->row.outcome = OUTCOME_STREAM_ERROR;
        s->now_ns = clock_mono_ns();   /* under TLS conn_send reads it again after encrypting */
        ssize_t sent = length ? conn_send(s, c, s->scratch, length) : 0;
        if (sent < 0 || !account(s, c, pieces, count, (size_t)sent, s->now_ns)) {
            conn_close(s, c, false);
            return;
        }
    }
}

/* ---- the start ------------------------------------------------------------------- */

/* Looks up the prompts of the request in the cache, and enters them. Returns how many of their tokens were cached. */
static int32_t visit_cache(server *s) {
    const prompt_blocks *blocks = &s->reader.blocks;
    server_metrics *metrics = &s->metrics;
    int64_t cached = 0;
    size_t first = 0;
    for (size_t i = 0; i < blocks->prompt_count; i++) {
        const block_prompt *prompt = &blocks->prompts[i];
        size_t hits = cache_visit(&s->cache, blocks->keys + first, prompt->blocks - first);
        int64_t tokens = (int64_t)hits * blocks->block_tokens;
        cached += tokens < prompt->tokens ? tokens : prompt->tokens;   /* the last block may be filled in part */
        metrics->queried_blocks += prompt->blocks - first;
        metrics->hit_blocks += hits;
        first = prompt->blocks;
    }
    metrics->cached_tokens += (uint64_t)cached;
    metrics->evicted_blocks = s->cache.evictions;
    metrics->held_blocks = s->cache.count;
    return (int32_t)cached;
}

static double uncached_share(int32_t prompt_tokens, int32_t cached_tokens) {
    int32_t left = prompt_tokens - cached_tokens;
    return cached_tokens > 0 ? (double)(left > 1 ? left : 1) / prompt_tokens : 1;
}

/* Grows the scratch buffer for the largest event of an answer. Returns false when memory is out. */
static bool reserve_scratch(server *s, const wire_answer *answer) {
    size_t room = wire_event_room(answer);
    if (room <= s->scratch_bytes)
        return true;
    char *grown = realloc(s->scratch, room);
    if (!grown)
        return false;
    s->scratch = grown;
    s->scratch_bytes = room;
    return true;
}

void answer_start(server *s, conn *c, const api_request *request) {
    server_answer *answer = &c->answer;
    const server_config *config = &s->config;
    server_request_row *row = &answer->row;
    bool generates = api_generates(request->kind);
    int32_t tokens = generates ? (request->max_tokens > 0 ? request->max_tokens : config->default_tokens) : 0;
    const char *model = request->model ? request->model : config->model;
    size_t model_length = request->model ? request->model_length : strlen(config->model);
    wire_framing framing = generates && request->stream ? config->wire.framing : FRAME_LENGTH;
    if (framing == FRAME_CHUNKED && c->request.http_1_0)
        framing = FRAME_CLOSE;
    if (answer->fault == FAULT_LENGTH)
        framing = FRAME_LENGTH;
    if (framing == FRAME_CLOSE || answer->fault == FAULT_LENGTH)
        answer->keep_alive = false;
    if (!wire_answer_init(&answer->wire, &config->wire, request, tokens, framing, model, model_length, s->nonce,
                          (uint64_t)row->request, clock_unix_ns() / TT_NS_PER_S) ||
        !reserve_scratch(s, &answer->wire)) {
        conn_close(s, c, false);
        return;
    }
    answer->request = *request;
    answer->request.model = NULL;
    answer->request.stream = generates && request->stream;
    answer->dimensions = request->dimensions > 0 ? request->dimensions : config->dimensions;
    row->prompt_tokens = request->prompt_tokens;
    double uncached = 1;
    if (config->cache_blocks && generates) {
        answer->wire.cached_tokens = row->cached_tokens = visit_cache(s);
        uncached = uncached_share(request->prompt_tokens, row->cached_tokens);
    }
    row->asked_tokens = tokens;
    row->stream = answer->request.stream;
    memcpy(row->id, answer->wire.id, sizeof row->id);
    size_t copied = model_length < SERVER_MODEL_BYTES - 1 ? model_length : SERVER_MODEL_BYTES - 1;
    memcpy(row->model, model, copied);
    s->metrics.prompt_tokens += (uint64_t)request->prompt_tokens;
    if (++s->stats.open_streams > s->stats.peak_streams)
        s->stats.peak_streams = s->stats.open_streams;

    c->phase = CONN_ANSWERING;
    free(c->request.body);   /* 10,000 streams must not keep their requests' bodies */
    c->request.body = NULL;
    if (answer->fault == FAULT_SILENT) {
        c->phase = CONN_STALLED;
        return;
    }
    /* A pipelined request begins when the answer before it has been sent. */
    int64_t base_ns = row->received_ns > answer->handed_ns ? row->received_ns : answer->handed_ns;
    answer->at.due_ns = base_ns + (int64_t)((double)draw_ns(&config->ttft, draw_mix(answer->key), 0) * uncached);
    if (!answer->request.stream) {
        answer->at.stage = STAGE_FULL;
        if (tokens > 1)
            answer->at.due_ns += pieces_gaps_ns(config, answer->key, 1, tokens - 1);
    } else {
        answer->head_due_ns = answer->at.due_ns;
        if (config->headers_ns >= 0 && base_ns + config->headers_ns < answer->head_due_ns)
            answer->head_due_ns = base_ns + config->headers_ns;
        if (config->keepalive_ns && base_ns + config->keepalive_ns < answer->head_due_ns)
            answer->head_due_ns = base_ns + config->keepalive_ns;
        if (framing == FRAME_LENGTH)
            answer->content_length = pieces_body_length(answer, config, s->scratch) + (answer->fault == FAULT_LENGTH ? 100 : 0);
    }
}

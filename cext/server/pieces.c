#include "server/pieces.h"

#include <string.h>

/* ---- the schedule ---------------------------------------------------------------- */

bool pieces_break(server_fault fault) {
    return fault == FAULT_ERROR || fault == FAULT_CUT || fault == FAULT_RESET || fault == FAULT_STALL;
}

static bool broken_at(const server_answer *answer, const server_config *config, int32_t token) {
    return pieces_break(answer->fault) && token == config->fault_after;
}

/* Returns the number of tokens in the chunk that starts at `token`. */
static int32_t chunk_tokens(const server_answer *answer, const server_config *config, int32_t token) {
    int32_t end = token + (token && !answer->wire.dialect->one_token_events ? config->wire.tokens_per_chunk : 1);
    if (end > answer->wire.tokens)
        end = answer->wire.tokens;
    if (token < answer->wire.reasoning && end > answer->wire.reasoning)
        end = answer->wire.reasoning;
    if (pieces_break(answer->fault) && token < config->fault_after && end > config->fault_after)
        end = config->fault_after;
    return end - token;
}

int64_t pieces_gaps_ns(const server_config *config, uint64_t key, int32_t first, int32_t count) {
    if (config->itl.shape == DRAW_CONSTANT)
        return (int64_t)config->itl.a_ns * count;
    int64_t sum = 0;
    for (int32_t token = first; token < first + count; token++)
        sum += draw_ns(&config->itl, key, (uint64_t)token);
    return sum;
}

/* Returns the events of a stage, or NULL. */
static const uint8_t *steps_of(const server_answer *answer, uint8_t stage) {
    const wire_dialect *dialect = answer->wire.dialect;
    return stage == STAGE_BEFORE ? dialect->before : stage == STAGE_BETWEEN ? dialect->between : stage == STAGE_AFTER ? dialect->after : NULL;
}

/* Moves the cursor to a step of a stage. If this answer does not have its event, moves to the next step, or to the next stage. */
static void enter(const server_answer *answer, const server_config *config, answer_cursor *at, uint8_t stage, uint8_t step) {
    const uint8_t *steps = steps_of(answer, stage);
    for (; steps[step]; step++)
        if (answer->wire.dialect->kind(&answer->wire, steps[step]) != NO_EVENT) {
            at->stage = stage;
            at->step = step;
            return;
        }
    at->step = 0;
    at->stage = stage == STAGE_AFTER ? STAGE_END : broken_at(answer, config, at->token) ? STAGE_FAULT : STAGE_TOKENS;
}

/* Moves the cursor past a chunk of tokens. */
static void pass_tokens(const server_answer *answer, const server_config *config, answer_cursor *at) {
    if (broken_at(answer, config, at->token)) {
        at->stage = STAGE_FAULT;
    } else if (at->token == answer->wire.tokens) {
        enter(answer, config, at, STAGE_AFTER, 0);
    } else {
        at->due_ns += pieces_gaps_ns(config, answer->key, at->token, chunk_tokens(answer, config, at->token));
        if (at->token == answer->wire.reasoning)
            enter(answer, config, at, STAGE_BETWEEN, 0);
    }
}

int64_t pieces_due_ns(const server_answer *answer, const server_config *config) {
    switch (answer->at.stage) {
    case STAGE_HEAD: return answer->head_due_ns;
    case STAGE_BEFORE: return config->wire.role == PLACE_EARLY ? answer->head_due_ns : answer->at.due_ns;
    case STAGE_TOKENS:
    case STAGE_BETWEEN:
    case STAGE_FULL: return answer->at.due_ns;
    case STAGE_FAULT: return answer->at.token ? 0 : answer->at.due_ns;
    default: return 0;
    }
}

/* A body with a Content-Length and lines of JSON cannot have keepalives. */
int64_t pieces_ping_due_ns(const server_answer *answer, const server_config *config) {
    bool possible = config->keepalive_ns && answer->wire.framing != FRAME_LENGTH && !answer->wire.dialect->lines &&
                    answer->at.stage > STAGE_HEAD && answer->at.stage <= STAGE_BETWEEN;
    return possible ? answer->handed_ns + config->keepalive_ns : NEVER;
}

/* ---- composing ------------------------------------------------------------------- */

size_t pieces_write_head(const server_answer *answer, const server_config *config, bool http_1_0, char *out) {
    size_t length = 0;
    if (config->interim) {
        memcpy(out, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        length = 25;
    }
    wire_head head = {.status = 200, .framing = answer->wire.framing, .length = answer->content_length, .http_1_0 = http_1_0,
                      .keep_alive = answer->keep_alive, .retry_after_s = -1,
                      .trailers = config->wire.trailers && answer->wire.framing == FRAME_CHUNKED,
                      .type = !answer->request.stream ? "application/json"
                              : answer->wire.dialect->lines ? "application/x-ndjson" : "text/event-stream; charset=utf-8"};
    return length + wire_head_write(&head, out + length);
}

/* Returns the step of [DONE] in STAGE_AFTER, or the end of its steps. */
static uint8_t done_step(const server_answer *answer) {
    uint8_t step = 0;
    while (answer->wire.dialect->after[step] && answer->wire.dialect->after[step] != EVENT_DONE)
        step++;
    return step;
}

size_t pieces_next(const server_answer *answer, const server_config *config, bool http_1_0, answer_cursor *at, char *out,
                   piece *made) {
    const wire_dialect *dialect = answer->wire.dialect;
    const wire_options *wire = &config->wire;
    size_t length;
    *made = (piece){.kind = NO_EVENT};
    if (at->stage == STAGE_HEAD) {
        length = pieces_write_head(answer, config, http_1_0, out);
        made->head = true;
        enter(answer, config, at, STAGE_BEFORE, 0);
    } else if (at->stage == STAGE_END) {
        length = wire_end_write(&answer->wire, out);
        at->stage = STAGE_OVER;
    } else if (at->stage == STAGE_TOKENS) {
        int32_t count = chunk_tokens(answer, config, at->token);
        made->kind = at->token < answer->wire.reasoning ? KIND_REASONING : KIND_TOKEN;
        made->event = EVENT_TOKENS;
        made->tokens = count;
        length = wire_event_write(&answer->wire, EVENT_TOKENS, at->token, count, out, &made->bytes);
        at->event++;
        at->token += count;
        pass_tokens(answer, config, at);
    } else if (at->stage == STAGE_FAULT) {
        made->kind = KIND_ERROR;
        made->event = EVENT_ERROR;
        length = wire_event_write(&answer->wire, EVENT_ERROR, at->token, 0, out, &made->bytes);
        at->event++;
        at->stage = STAGE_END;
        if (!dialect->ends_with_error && wire->stream_error == STREAM_ERROR_DATA)
            enter(answer, config, at, STAGE_AFTER, done_step(answer));
    } else {
        made->event = steps_of(answer, at->stage)[at->step];
        made->kind = (int8_t)dialect->kind(&answer->wire, made->event);
        length = wire_event_write(&answer->wire, made->event, at->token, 0, out, &made->bytes);
        at->event++;
        enter(answer, config, at, at->stage, (uint8_t)(at->step + 1));
    }
    made->after = *at;
    return length;
}

/* Real servers send these pieces in a write of their own: the head; the role chunk (or the events that open a stream of another
 * API), unless it shares the first token's write; the last token. */
bool pieces_end_write(const server_config *config, uint8_t stage_before, const piece *made) {
    bool opened = stage_before == STAGE_BEFORE && made->after.stage != STAGE_BEFORE && made->event != EVENT_EMPTY_CHOICE;
    return made->head || (opened && config->wire.role != PLACE_WITH) ||
           (stage_before == STAGE_TOKENS && made->after.stage != STAGE_TOKENS && made->after.stage != STAGE_BETWEEN);
}

int64_t pieces_body_length(const server_answer *answer, const server_config *config, char *scratch) {
    server_answer whole = *answer;
    if (whole.fault != FAULT_ERROR)
        whole.fault = FAULT_NONE;
    piece made;
    int64_t length = 0;
    enter(&whole, config, &whole.at, STAGE_BEFORE, 0);
    while (whole.at.stage != STAGE_OVER)
        length += (int64_t)pieces_next(&whole, config, false, &whole.at, scratch, &made);
    return length;
}

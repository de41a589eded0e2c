/* OpenAI's responses: typed events with their type in the event field too; the last event repeats the whole answer. */
#include <stdlib.h>

#include "response/event.h"
#include "server/apis/dialect.h"
#include "server/apis/put.h"

/* "id":"...","object":"response","created_at":...,"model":"..." */
static char *open_stream(char *p, const wire_answer *answer, const char *model, size_t model_length, int64_t created_s) {
    p = put_format(p, "\"id\":\"%s\",\"object\":\"response\",\"created_at\":%lld,\"model\":\"", answer->id, (long long)created_s);
    p = put(p, model, model_length);
    return PUT(p, "\"");
}

static char *put_usage(char *p, const wire_answer *answer, int32_t tokens) {
    int32_t reasoning = answer->reasoning < tokens ? answer->reasoning : tokens;
    p = put_format(p, "{\"input_tokens\":%d,\"input_tokens_details\":{\"cached_tokens\":%d},\"output_tokens\":%d,", answer->prompt_tokens,
                   answer->cached_tokens > 0 ? answer->cached_tokens : 0, tokens);
    return put_format(p, "\"output_tokens_details\":{\"reasoning_tokens\":%d},\"total_tokens\":%lld}", reasoning,
                      (long long)answer->prompt_tokens + tokens);
}

static char *put_thought(char *p, const wire_answer *answer, int32_t tokens, bool done) {
    p = put_format(p, "{\"type\":\"reasoning\",\"id\":\"rs_%s\",\"summary\":[],\"content\":[", answer->id);
    if (done) {
        p = PUT(p, "{\"type\":\"reasoning_text\",\"text\":\"");
        p = put_words(p, 0, tokens < answer->reasoning ? tokens : answer->reasoning);
        p = PUT(p, "\"}");
    }
    return PUT(p, "]}");
}

static char *put_part(char *p, const wire_answer *answer, int32_t tokens) {
    p = PUT(p, "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":\"");
    p = put_visible(p, answer, tokens);
    return PUT(p, "\"}");
}

static char *put_item(char *p, const wire_answer *answer, int32_t tokens, bool done) {
    p = put_format(p, "{\"type\":\"message\",\"id\":\"msg_%s\",\"role\":\"assistant\",\"status\":\"%s\",\"content\":[", answer->id,
                   done ? "incomplete" : "in_progress");
    if (done)
        p = put_part(p, answer, tokens);
    return PUT(p, "]}");
}

/* Every answer ends at its maximum length, which this API calls incomplete. */
static char *put_response(char *p, const wire_answer *answer, int32_t tokens, bool done) {
    p = PUT(p, "{");
    p = put(p, answer->prefix, answer->prefix_length);
    if (!done)
        return PUT(p, ",\"status\":\"in_progress\",\"error\":null,\"incomplete_details\":null,\"output\":[],\"usage\":null}");
    p = PUT(p, ",\"status\":\"incomplete\",\"error\":null,\"incomplete_details\":{\"reason\":\"max_output_tokens\"},\"output\":[");
    if (answer->reasoning) {
        p = put_thought(p, answer, tokens, true);
        p = PUT(p, ",");
    }
    p = put_item(p, answer, tokens, true);
    p = PUT(p, "],\"usage\":");
    p = put_usage(p, answer, tokens);
    return PUT(p, "}");
}

/* ---- events --------------------------------------------------------------------- */

static int kind_of(const wire_answer *answer, wire_event step) {
    bool thinks = answer->reasoning, speaks = answer->tokens > answer->reasoning;
    switch (step) {
    case EVENT_CREATED: return KIND_ROLE;
    case EVENT_COMPLETED: return KIND_DONE;
    case EVENT_PART_ADDED:
    case EVENT_TEXT_DONE:
    case EVENT_PART_DONE: return speaks || !thinks ? KIND_OTHER : NO_EVENT;
    case EVENT_THOUGHT_DONE:
    case EVENT_THOUGHT_ITEM_DONE: return thinks ? KIND_OTHER : NO_EVENT;
    default: return KIND_OTHER;
    }
}

static char *begin(char *p, const wire_answer *answer, const char *type) {
    p = put_lead(p, answer, type);
    return put_format(p, "{\"type\":\"%s\",", type);
}

/* Writes the place of an event: the item of the reasoning, or that of the message after it. */
static char *put_place(char *p, const wire_answer *answer, bool thought) {
    return put_format(p, "\"item_id\":\"%s_%s\",\"output_index\":%d,\"content_index\":0,", thought ? "rs" : "msg", answer->id,
                      !thought && answer->reasoning);
}

static char *put_tokens(char *p, const wire_answer *answer, int32_t first, int32_t count) {
    bool thought = first < answer->reasoning;
    p = begin(p, answer, thought ? "response.reasoning_text.delta" : "response.output_text.delta");
    p = put_place(p, answer, thought);
    p = PUT(p, "\"delta\":\"");
    p = put_words(p, first, count);
    return PUT(p, "\"}");
}

static char *put_event(char *p, const wire_answer *answer, wire_event event, int32_t tokens, int32_t count) {
    bool thought = answer->reasoning && tokens < answer->reasoning;
    bool silent = answer->reasoning && answer->tokens == answer->reasoning;
    switch (event) {
    case EVENT_TOKENS: return put_tokens(p, answer, tokens, count);
    case EVENT_CREATED:
    case EVENT_IN_PROGRESS:
        p = begin(p, answer, event == EVENT_CREATED ? "response.created" : "response.in_progress");
        p = put_response(PUT(p, "\"response\":"), answer, 0, false);
        break;
    case EVENT_ITEM_ADDED:
        p = put_format(begin(p, answer, "response.output_item.added"), "\"output_index\":%d,\"item\":", !thought && answer->reasoning);
        p = thought ? put_thought(p, answer, 0, false) : put_item(p, answer, 0, false);
        break;
    case EVENT_PART_ADDED:
        p = put_place(begin(p, answer, "response.content_part.added"), answer, thought);
        p = thought ? PUT(p, "\"part\":{\"type\":\"reasoning_text\",\"text\":\"\"}") : put_part(PUT(p, "\"part\":"), answer, 0);
        break;
    case EVENT_THOUGHT_DONE:
        p = put_place(begin(p, answer, "response.reasoning_text.done"), answer, true);
        p = put_words(PUT(p, "\"text\":\""), 0, answer->reasoning);
        p = PUT(p, "\"");
        break;
    case EVENT_THOUGHT_ITEM_DONE:
        p = PUT(begin(p, answer, "response.output_item.done"), "\"output_index\":0,\"item\":");
        p = put_thought(p, answer, answer->reasoning, true);
        break;
    case EVENT_TEXT_DONE:
        p = put_place(begin(p, answer, "response.output_text.done"), answer, false);
        p = put_visible(PUT(p, "\"text\":\""), answer, tokens);
        p = PUT(p, "\"");
        break;
    case EVENT_PART_DONE:
        p = put_place(begin(p, answer, "response.content_part.done"), answer, false);
        p = put_part(PUT(p, "\"part\":"), answer, tokens);
        break;
    case EVENT_ITEM_DONE:
        p = put_format(begin(p, answer, "response.output_item.done"), "\"output_index\":%d,\"item\":", !silent && answer->reasoning);
        p = silent ? put_thought(p, answer, tokens, true) : put_item(p, answer, tokens, true);
        break;
    case EVENT_COMPLETED:
        p = begin(p, answer, "response.incomplete");
        p = put_response(PUT(p, "\"response\":"), answer, tokens, true);
        break;
    default:
        p = put_format(begin(p, answer, "response.failed"), "\"response\":{\"id\":\"%s\",\"object\":\"response\",\"status\":\"failed\",", answer->id);
        p = PUT(p, "\"error\":{\"code\":\"server_error\",\"message\":\"" STREAM_ERROR_MESSAGE "\"}}");
    }
    return PUT(p, "}");
}

static char *whole(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    (void)request, (void)dimensions;
    char *body = malloc(wire_event_room(answer));
    if (body)
        *length = (size_t)(put_response(body, answer, answer->tokens, true) - body);
    return body;
}

const wire_dialect responses_dialect = {
    .name = "responses", .id_prefix = "resp_", .generates = true, .reasons = true, .repeats = true, .ends_with_error = true,
    .before = {EVENT_CREATED, EVENT_IN_PROGRESS, EVENT_ITEM_ADDED, EVENT_PART_ADDED},
    .between = {EVENT_THOUGHT_DONE, EVENT_THOUGHT_ITEM_DONE, EVENT_ITEM_ADDED, EVENT_PART_ADDED},
    .after = {EVENT_TEXT_DONE, EVENT_PART_DONE, EVENT_ITEM_DONE, EVENT_COMPLETED},
    .kind = kind_of, .open = open_stream, .put = put_event, .whole = whole};

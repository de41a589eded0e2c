/* Anthropic's messages: typed events about content blocks. */
#include <stdlib.h>

#include "response/event.h"
#include "server/apis/dialect.h"
#include "server/apis/put.h"

/* "id":"...","type":"message","role":"assistant","model":"...", */
static char *open_stream(char *p, const wire_answer *answer, const char *model, size_t model_length, int64_t created_s) {
    (void)created_s;
    p = put_format(p, "\"id\":\"%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"", answer->id);
    p = put(p, model, model_length);
    return PUT(p, "\",");
}

/* input_tokens does not include cached tokens. */
static char *put_usage(char *p, const wire_answer *answer, int32_t tokens) {
    int32_t cached = answer->cached_tokens > 0 ? answer->cached_tokens : 0;
    return put_format(p, "{\"input_tokens\":%d,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":%d,\"output_tokens\":%d}",
                      answer->prompt_tokens - cached, cached, tokens);
}

static bool speaks(const wire_answer *answer) { return answer->tokens > answer->reasoning; }

static int kind_of(const wire_answer *answer, wire_event step) {
    (void)answer;
    switch (step) {
    case EVENT_CREATED:
    case EVENT_USAGE: return KIND_USAGE;
    case EVENT_DONE: return KIND_DONE;
    default: return KIND_OTHER;
    }
}

static char *begin(char *p, const wire_answer *answer, const char *type) {
    p = put_lead(p, answer, type);
    return put_format(p, "{\"type\":\"%s\"", type);
}

static char *put_event(char *p, const wire_answer *answer, wire_event event, int32_t first, int32_t count) {
    bool thought = answer->reasoning && first < answer->reasoning;
    int block = answer->reasoning && !thought && speaks(answer);
    switch (event) {
    case EVENT_CREATED:
        p = PUT(begin(p, answer, "message_start"), ",\"message\":{");
        p = put(p, answer->prefix, answer->prefix_length);
        p = PUT(p, "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":");
        p = PUT(put_usage(p, answer, 1), "}");
        break;
    case EVENT_PART_ADDED:
        p = put_format(begin(p, answer, "content_block_start"), ",\"index\":%d,\"content_block\":", block);
        p = thought ? PUT(p, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}") : PUT(p, "{\"type\":\"text\",\"text\":\"\"}");
        break;
    case EVENT_TOKENS:
        p = put_format(begin(p, answer, "content_block_delta"), ",\"index\":%d,\"delta\":", block);
        p = thought ? PUT(p, "{\"type\":\"thinking_delta\",\"thinking\":\"") : PUT(p, "{\"type\":\"text_delta\",\"text\":\"");
        p = PUT(put_words(p, first, count), "\"}");
        break;
    case EVENT_THOUGHT_DONE: p = PUT(begin(p, answer, "content_block_stop"), ",\"index\":0"); break;
    case EVENT_PART_DONE: p = put_format(begin(p, answer, "content_block_stop"), ",\"index\":%d", block); break;
    case EVENT_USAGE:
        p = PUT(begin(p, answer, "message_delta"), ",\"delta\":{\"stop_reason\":\"max_tokens\",\"stop_sequence\":null},\"usage\":");
        p = put_usage(p, answer, first);
        break;
    case EVENT_DONE: p = begin(p, answer, "message_stop"); break;
    default:
        p = begin(p, answer, "error");
        p = PUT(p, ",\"error\":{\"type\":\"api_error\",\"message\":\"" STREAM_ERROR_MESSAGE "\"}");
    }
    return PUT(p, "}");
}

static char *whole(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    (void)request, (void)dimensions;
    char *body = malloc(WIRE_MAX_EVENT + (size_t)answer->tokens * 5);
    if (!body)
        return NULL;
    char *p = PUT(body, "{");
    p = put(p, answer->prefix, answer->prefix_length);
    p = PUT(p, "\"content\":[");
    if (answer->reasoning) {
        p = PUT(p, "{\"type\":\"thinking\",\"thinking\":\"");
        p = put_words(p, 0, answer->reasoning);
        p = PUT(p, "\",\"signature\":\"\"},");
    }
    p = PUT(p, "{\"type\":\"text\",\"text\":\"");
    p = put_visible(p, answer, answer->tokens);
    p = PUT(p, "\"}],\"stop_reason\":\"max_tokens\",\"stop_sequence\":null,\"usage\":");
    p = PUT(put_usage(p, answer, answer->tokens), "}");
    *length = (size_t)(p - body);
    return body;
}

static char *put_refusal(char *p, uint16_t status, const char *message, const char *param) {
    const char *type = status == 413 ? "request_too_large" : status == 529 ? "overloaded_error" : status < 500 ? wire_error_type(status) : "api_error";
    return put_format(p, "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"%s%s%s\"}}", type, param ? param : "", param ? ": " : "",
                      message);
}

const wire_dialect messages_dialect = {
    .name = "messages", .id_prefix = "msg_", .generates = true, .reasons = true, .ends_with_error = true,
    .before = {EVENT_CREATED, EVENT_PART_ADDED}, .between = {EVENT_THOUGHT_DONE, EVENT_PART_ADDED},
    .after = {EVENT_PART_DONE, EVENT_USAGE, EVENT_DONE},
    .kind = kind_of, .open = open_stream, .put = put_event, .whole = whole, .error = put_refusal};

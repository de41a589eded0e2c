/* SGLang's own API: every event repeats the text so far. */
#include <stdlib.h>

#include "response/event.h"
#include "server/apis/dialect.h"
#include "server/apis/put.h"

static int kind_of(const wire_answer *answer, wire_event step) {
    return step == EVENT_DONE && answer->options->done ? KIND_DONE : NO_EVENT;
}

static char *put_so_far(char *p, const wire_answer *answer, int32_t tokens) {
    p = put_words(PUT(p, "{\"text\":\""), 0, tokens);
    p = put_format(p, "\",\"meta_info\":{\"id\":\"%s\",\"finish_reason\":", answer->id);
    p = tokens == answer->tokens ? put_format(p, "{\"type\":\"length\",\"length\":%d}", tokens) : PUT(p, "null");
    return put_format(p, ",\"prompt_tokens\":%d,\"weight_version\":\"default\",\"completion_tokens\":%d,\"cached_tokens\":%d}}",
                      answer->prompt_tokens, tokens, answer->cached_tokens > 0 ? answer->cached_tokens : 0);
}

static char *put_event(char *p, const wire_answer *answer, wire_event event, int32_t first, int32_t count) {
    p = put_lead(p, answer, NULL);
    switch (event) {
    case EVENT_TOKENS: return put_so_far(p, answer, first + count);
    case EVENT_DONE: return PUT(p, "[DONE]");
    default: return PUT(p, "{\"error\":{\"message\":\"" STREAM_ERROR_MESSAGE "\"}}");
    }
}

static char *whole(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    (void)request, (void)dimensions;
    char *body = malloc(wire_event_room(answer));
    if (body)
        *length = (size_t)(put_so_far(body, answer, answer->tokens) - body);
    return body;
}

static char *put_refusal(char *p, uint16_t status, const char *message, const char *param) {
    (void)status;
    return put_format(p, "{\"error\":{\"message\":\"%s%s%s\"}}", param ? param : "", param ? " " : "", message);
}

const wire_dialect sglang_dialect = {
    .name = "sglang", .id_prefix = "", .generates = true, .repeats = true, .after = {EVENT_DONE},
    .kind = kind_of, .put = put_event, .whole = whole, .error = put_refusal};

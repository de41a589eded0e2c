/* Hugging Face's Text Generation Inference: one event per token, no space after "data:"; the last event repeats the whole text. */
#include <stdlib.h>

#include "response/event.h"
#include "server/apis/dialect.h"
#include "server/apis/put.h"

static int kind_of(const wire_answer *answer, wire_event step) {
    (void)answer, (void)step;
    return NO_EVENT;
}

static char *put_event(char *p, const wire_answer *answer, wire_event event, int32_t first, int32_t count) {
    if (event == EVENT_ERROR)
        return PUT(p, "data:{\"error\":\"Request failed during generation: " STREAM_ERROR_MESSAGE "\",\"error_type\":\"generation\"}");
    p = put_format(p, "data:{\"index\":%d,\"token\":{\"id\":%d,\"text\":\"", first + 1, 100 + first % 16);
    p = put_words(p, first, count);
    p = PUT(p, "\",\"logprob\":-0.5,\"special\":false},\"generated_text\":");
    if (first + count < answer->tokens)
        return PUT(p, "null,\"details\":null}");
    p = put_words(PUT(p, "\""), 0, answer->tokens);
    if (!answer->include_usage)
        return PUT(p, "\",\"details\":null}");
    return put_format(p, "\",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":%d,\"seed\":null,\"input_length\":%d}}",
                      answer->tokens, answer->prompt_tokens);
}

static char *whole(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    (void)request, (void)dimensions;
    char *body = malloc(WIRE_MAX_EVENT + (size_t)answer->tokens * 5);
    if (!body)
        return NULL;
    char *p = PUT(body, "{\"generated_text\":\"");
    p = put_words(p, 0, answer->tokens);
    p = PUT(p, "\"");
    if (answer->include_usage)
        p = put_format(p, ",\"details\":{\"finish_reason\":\"length\",\"generated_tokens\":%d,\"seed\":null,\"prefill\":[],\"tokens\":[]}",
                       answer->tokens);
    p = PUT(p, "}");
    *length = (size_t)(p - body);
    return body;
}

static char *put_refusal(char *p, uint16_t status, const char *message, const char *param) {
    const char *type = status == 429 ? "overloaded" : status < 500 ? "validation" : "generation";
    return put_format(p, "{\"error\":\"%s%s%s\",\"error_type\":\"%s\"}", param ? param : "", param ? " " : "", message, type);
}

const wire_dialect tgi_dialect = {
    .name = "tgi", .generates = true, .one_token_events = true, .repeats = true, .ends_with_error = true,
    .kind = kind_of, .put = put_event, .whole = whole, .error = put_refusal};

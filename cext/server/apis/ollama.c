/* Ollama's chat and generate: lines of JSON, the last with done: true and the counts. */
#include <stdlib.h>
#include <time.h>

#include "response/event.h"
#include "server/apis/dialect.h"
#include "server/apis/put.h"

/* {"model":"...","created_at":"..." */
static char *open_stream(char *p, const wire_answer *answer, const char *model, size_t model_length, int64_t created_s) {
    (void)answer;
    time_t created = (time_t)created_s;
    struct tm utc;
    gmtime_r(&created, &utc);
    p = PUT(p, "{\"model\":\"");
    p = put(p, model, model_length);
    p = PUT(p, "\",\"created_at\":\"");
    p += strftime(p, 64, "%Y-%m-%dT%H:%M:%SZ", &utc);
    return PUT(p, "\"");
}

static int kind_of(const wire_answer *answer, wire_event step) {
    (void)answer;
    return step == EVENT_DONE ? KIND_DONE : NO_EVENT;
}

/* Writes the words first .. first+count-1: those after the reasoning as output, the others as thinking. */
static char *put_said(char *p, const wire_answer *answer, int32_t first, int32_t count) {
    int32_t thought = first < answer->reasoning ? answer->reasoning - first : 0;
    if (thought > count)
        thought = count;
    bool chat = answer->kind == API_OLLAMA_CHAT;
    p = chat ? PUT(p, ",\"message\":{\"role\":\"assistant\",\"content\":\"") : PUT(p, ",\"response\":\"");
    p = put_words(p, first + thought, count - thought);
    p = PUT(p, "\"");
    if (thought) {
        p = put_words(PUT(p, ",\"thinking\":\""), first, thought);
        p = PUT(p, "\"");
    }
    return chat ? PUT(p, "}") : p;
}

static char *put_end(char *p, const wire_answer *answer, int32_t tokens) {
    return put_format(p, ",\"done\":true,\"done_reason\":\"length\",\"prompt_eval_count\":%d,\"eval_count\":%d}", answer->prompt_tokens, tokens);
}

static char *put_event(char *p, const wire_answer *answer, wire_event event, int32_t first, int32_t count) {
    if (event == EVENT_ERROR)
        return PUT(p, "{\"error\":\"" STREAM_ERROR_MESSAGE "\"}");
    p = put(p, answer->prefix, answer->prefix_length);
    if (event == EVENT_DONE)
        return put_end(put_said(p, answer, first, 0), answer, first);
    return PUT(put_said(p, answer, first, count), ",\"done\":false}");
}

static char *whole(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    (void)request, (void)dimensions;
    char *body = malloc(WIRE_MAX_EVENT + (size_t)answer->tokens * 5);
    if (!body)
        return NULL;
    char *p = put(body, answer->prefix, answer->prefix_length);
    p = put_end(put_said(p, answer, 0, answer->tokens), answer, answer->tokens);
    *length = (size_t)(p - body);
    return body;
}

static char *put_refusal(char *p, uint16_t status, const char *message, const char *param) {
    (void)status;
    return put_format(p, "{\"error\":\"%s%s%s\"}", param ? param : "", param ? " " : "", message);
}

#define OLLAMA .generates = true, .lines = true, .reasons = true, .ends_with_error = true, .after = {EVENT_DONE}, \
               .kind = kind_of, .open = open_stream, .put = put_event, .whole = whole, .error = put_refusal

const wire_dialect ollama_chat_dialect = {.name = "ollama_chat", OLLAMA};
const wire_dialect ollama_generate_dialect = {.name = "ollama_generate", OLLAMA};

/* OpenAI's chat completions, completions and embeddings, in the variants of llama.cpp, vLLM, SGLang, transformers and Azure. */
#include <stdlib.h>

#include "response/event.h"
#include "server/apis/dialect.h"
#include "server/apis/put.h"

/* data: {"id":"...","object":"...","created":...,"model":"...","choices":[ */
static char *open_stream(char *p, const wire_answer *answer, const char *model, size_t model_length, int64_t created_s) {
    static const char *const OBJECTS[] = {"chat.completion.chunk", "text_completion", "list"};
    p = put_lead(p, answer, NULL);
    p = put_format(p, "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%lld,\"model\":\"", answer->id, OBJECTS[answer->kind],
                   (long long)created_s);
    p = put(p, model, model_length);
    return PUT(p, "\",\"choices\":[");
}

static char *put_usage(char *out, const wire_answer *answer, int32_t tokens) {
    int32_t reasoning = answer->reasoning < tokens ? answer->reasoning : tokens;
    out = put_format(out, "\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%lld",
                     answer->prompt_tokens, tokens, (long long)answer->prompt_tokens + tokens);
    if (answer->cached_tokens >= 0)
        out = put_format(out, ",\"prompt_tokens_details\":{\"cached_tokens\":%d}", answer->cached_tokens);
    if (reasoning)
        out = put_format(out, ",\"completion_tokens_details\":{\"reasoning_tokens\":%d}", reasoning);
    return PUT(out, "}");
}

/* ---- events --------------------------------------------------------------------- */

/* An event with usage and without a token is of the kind usage, as in event_scan(). */
static int kind_of(const wire_answer *answer, wire_event step) {
    const wire_options *wire = answer->options;
    bool chat = answer->kind == API_CHAT;
    switch (step) {
    case EVENT_EMPTY_CHOICE: return chat && wire->empty_choice ? KIND_OTHER : NO_EVENT;
    case EVENT_ROLE:
        if (!chat || wire->role == PLACE_NONE)
            return NO_EVENT;
        return answer->continuous_usage ? KIND_USAGE : KIND_ROLE;
    case EVENT_FINISH:
        if (wire->finish == FINISH_ON_LAST)
            return NO_EVENT;
        return wire->finish == FINISH_WITH_USAGE || answer->continuous_usage ? KIND_USAGE : KIND_OTHER;
    case EVENT_USAGE: return answer->include_usage && wire->finish != FINISH_WITH_USAGE ? KIND_USAGE : NO_EVENT;
    case EVENT_DONE: return wire->done ? KIND_DONE : NO_EVENT;
    default: return NO_EVENT;
    }
}

static char *put_tokens(char *p, const wire_answer *answer, int32_t first, int32_t count) {
    p = put(p, answer->prefix, answer->prefix_length);
    bool chat = answer->kind == API_CHAT;
    if (!chat)
        p = PUT(p, "{\"index\":0,\"text\":\"");
    else if (first < answer->reasoning)
        p = PUT(p, "{\"index\":0,\"delta\":{\"reasoning_content\":\"");
    else
        p = PUT(p, "{\"index\":0,\"delta\":{\"content\":\"");
    p = put_words(p, first, count);
    p = chat ? PUT(p, "\"},\"logprobs\":null,\"finish_reason\":") : PUT(p, "\",\"logprobs\":null,\"finish_reason\":");
    bool last = first + count == answer->tokens && answer->options->finish == FINISH_ON_LAST;
    p = last ? PUT(p, "\"length\"}]") : PUT(p, "null}]");
    if (answer->continuous_usage) {
        p = PUT(p, ",");
        p = put_usage(p, answer, first + count);
    }
    return PUT(p, "}");
}

static char *put_finish(char *p, const wire_answer *answer, int32_t tokens) {
    p = put(p, answer->prefix, answer->prefix_length);
    p = answer->kind == API_CHAT ? PUT(p, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\"}]")
                                 : PUT(p, "{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"length\"}]");
    if (answer->continuous_usage || answer->options->finish == FINISH_WITH_USAGE) {
        p = PUT(p, ",");
        p = put_usage(p, answer, tokens);
    }
    return PUT(p, "}");
}

static char *put_error(char *p, const wire_answer *answer) {
    const wire_options *options = answer->options;
    if (options->stream_error == STREAM_ERROR_FIELD)
        p = put_text(p, options->space ? "error: " : "error:");
    else
        p = put_lead(p, answer, options->stream_error == STREAM_ERROR_EVENT ? "error" : NULL);
    return PUT(p, "{\"error\":{\"message\":\"" STREAM_ERROR_MESSAGE "\",\"type\":\"server_error\",\"param\":null,\"code\":500}}");
}

static char *put_event(char *p, const wire_answer *answer, wire_event event, int32_t first, int32_t count) {
    switch (event) {
    case EVENT_TOKENS: return put_tokens(p, answer, first, count);
    case EVENT_FINISH: return put_finish(p, answer, first);
    case EVENT_ERROR: return put_error(p, answer);
    case EVENT_DONE: return PUT(put_lead(p, answer, NULL), "[DONE]");
    default: break;
    }
    p = put(p, answer->prefix, answer->prefix_length);
    if (event == EVENT_EMPTY_CHOICE)
        return PUT(p, "],\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{}}]}");
    if (event == EVENT_ROLE)
        p = PUT(p, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}");
    p = PUT(p, "]");
    if (event == EVENT_USAGE || answer->continuous_usage) {
        p = PUT(p, ",");
        p = put_usage(p, answer, first);
    }
    return PUT(p, "}");
}

/* ---- whole bodies --------------------------------------------------------------- */

static char *completion_body(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    (void)request, (void)dimensions;
    bool chat = answer->kind == API_CHAT;
    int32_t reasoning = answer->reasoning;
    char *body = malloc(answer->prefix_length + 1024 + (size_t)answer->tokens * 6);
    if (!body)
        return NULL;
    char *p = put_format(body, "{\"id\":\"%s\",\"object\":\"%s\"", answer->id, chat ? "chat.completion" : "text_completion");
    const char *rest = strstr(answer->prefix, ",\"created\":");
    p = put(p, rest, answer->prefix_length - (size_t)(rest - answer->prefix));
    p = PUT(p, "{\"index\":0,");
    p = chat ? PUT(p, "\"message\":{\"role\":\"assistant\",") : PUT(p, "\"text\":\"");
    if (reasoning) {
        p = PUT(p, "\"reasoning_content\":\"");
        p = put_words(p, 0, reasoning);
        p = PUT(p, "\",");
    }
    if (chat)
        p = PUT(p, "\"content\":\"");
    p = put_visible(p, answer, answer->tokens);
    p = chat ? PUT(p, "\"}") : PUT(p, "\"");
    p = PUT(p, ",\"logprobs\":null,\"finish_reason\":\"length\"}],");
    p = put_usage(p, answer, answer->tokens);
    p = PUT(p, "}");
    *length = (size_t)(p - body);
    return body;
}

static size_t put_base64(const unsigned char *bytes, size_t length, char *out) {
    static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *p = out;
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        *p++ = ALPHABET[group >> 18];
        *p++ = ALPHABET[group >> 12 & 63];
        *p++ = left > 1 ? ALPHABET[group >> 6 & 63] : '=';
        *p++ = left > 2 ? ALPHABET[group & 63] : '=';
    }
    return (size_t)(p - out);
}

static char *embeddings_body(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    /* Every text gets the same vector of length 1; its components are k/scale for small integers k. */
    size_t vector_room = (size_t)dimensions * 16 + 8;
    float *vector = malloc((size_t)dimensions * sizeof *vector);
    char *rendered = malloc(vector_room);
    char *body = vector && rendered ? malloc(answer->prefix_length + 512 + (size_t)request->inputs * (vector_room + 64)) : NULL;
    if (body) {
        double squares = 0;
        for (int32_t i = 0; i < dimensions; i++)
            squares += (double)((i % 7 + 1) * (i % 7 + 1));
        for (int32_t i = 0; i < dimensions; i++)
            vector[i] = (float)((i & 1 ? -1.0 : 1.0) * (i % 7 + 1) / __builtin_sqrt(squares));
        char *p = rendered;
        if (request->base64) {
            p = PUT(p, "\"");
            p += put_base64((const unsigned char *)vector, (size_t)dimensions * sizeof *vector, p);
            p = PUT(p, "\"");
        } else {
            for (int32_t i = 0; i < dimensions; i++)
                p += snprintf(p, 16, "%c%.8f", i ? ',' : '[', (double)vector[i]);
            p = PUT(p, "]");
        }
        size_t vector_length = (size_t)(p - rendered);
        p = put_format(body, "{\"id\":\"%s\"", answer->id);
        const char *rest = strstr(answer->prefix, ",\"object\":");
        p = put(p, rest, answer->prefix_length - (size_t)(rest - answer->prefix) - strlen(",\"choices\":["));
        p = PUT(p, ",\"data\":[");
        for (int32_t i = 0; i < request->inputs; i++) {
            p = put_format(p, "%s{\"object\":\"embedding\",\"index\":%d,\"embedding\":", i ? "," : "", i);
            p = put(p, rendered, vector_length);
            p = PUT(p, "}");
        }
        p = put_format(p, "],\"usage\":{\"prompt_tokens\":%d,\"total_tokens\":%d}}", answer->prompt_tokens, answer->prompt_tokens);
        *length = (size_t)(p - body);
    }
    free(vector);
    free(rendered);
    return body;
}

/* ---- the APIs ------------------------------------------------------------------- */

#define STREAM_STEPS .before = {EVENT_EMPTY_CHOICE, EVENT_ROLE}, .after = {EVENT_FINISH, EVENT_USAGE, EVENT_DONE}

const wire_dialect chat_dialect = {
    .name = "chat", .id_prefix = "chatcmpl-", .generates = true, .reasons = true, STREAM_STEPS, .kind = kind_of,
    .open = open_stream, .put = put_event, .whole = completion_body};

const wire_dialect completions_dialect = {
    .name = "completions", .id_prefix = "cmpl-", .generates = true, STREAM_STEPS, .kind = kind_of,
    .open = open_stream, .put = put_event, .whole = completion_body};

const wire_dialect embeddings_dialect = {
    .name = "embeddings", .id_prefix = "embd-", .open = open_stream, .whole = embeddings_body};

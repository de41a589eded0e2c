#include "server_wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server_draw.h"

/* Each is one token of SmolLM2's tokenizer and of most others, with the space before it; the first also without. */
#define WORD(text) {text, sizeof text - 1}
static const struct { const char *text; size_t length; } WORDS[16] = {
    WORD(" love"), WORD(" time"), WORD(" list"), WORD(" page"), WORD(" zone"), WORD(" role"), WORD(" move"), WORD(" hero"),
    WORD(" man"), WORD(" win"), WORD(" can"), WORD(" her"), WORD(" son"), WORD(" pan"), WORD(" fan"), WORD(" pin")};

const char *wire_word(int32_t token, size_t *length) {
    bool first = token == 0;
    *length = WORDS[token & 15].length - first;
    return WORDS[token & 15].text + first;
}

static const char *const LINE_ENDS[] = {"\n", "\r\n", "\r"};

static inline char *put(char *out, const char *bytes, size_t length) {
    memcpy(out, bytes, length);
    return out + length;
}

#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

static inline char *put_text(char *out, const char *text) { return put(out, text, strlen(text)); }

static char *put_line_end(char *out, const wire_options *options) { return put_text(out, LINE_ENDS[options->line]); }

__attribute__((format(printf, 2, 3)))
static char *put_format(char *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    out += vsnprintf(out, WIRE_MAX_HEAD, format, arguments);
    va_end(arguments);
    return out;
}

/* ---- one answer ----------------------------------------------------------------- */

static const char *const ID_PREFIXES[] = {"chatcmpl", "cmpl", "embd"};

bool wire_answer_init(wire_answer *answer, const wire_options *options, const server_ask *ask, int32_t tokens,
                      wire_framing framing, const char *model, size_t model_length, uint64_t nonce, uint64_t number,
                      int64_t created_s) {
    static const char *const OBJECTS[] = {"chat.completion.chunk", "text_completion", "list"};
    *answer = (wire_answer){.options = options, .kind = ask->kind, .framing = framing, .tokens = tokens,
                            .include_usage = ask->include_usage || options->continuous_usage || ask->continuous_usage,
                            .continuous_usage = ask->continuous_usage || options->continuous_usage,
                            .prompt_tokens = ask->prompt_tokens, .cached_tokens = -1};
    snprintf(answer->id, sizeof answer->id, "%s-%016llx", ID_PREFIXES[ask->kind],
             (unsigned long long)draw_mix(nonce ^ number));
    answer->prefix = malloc(256 + model_length);
    if (!answer->prefix)
        return false;
    char *p = put_text(answer->prefix, options->space ? "data: " : "data:");
    answer->lead_length = (uint32_t)(p - answer->prefix);
    p = put_format(p, "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%lld,\"model\":\"", answer->id, OBJECTS[ask->kind],
                   (long long)created_s);
    p = put(p, model, model_length);
    p = PUT(p, "\",\"choices\":[");
    answer->prefix_length = (uint32_t)(p - answer->prefix);
    return true;
}

void wire_answer_free(wire_answer *answer) {
    free(answer->prefix);
    answer->prefix = NULL;
}

static char *put_usage(char *out, const wire_answer *answer, int32_t tokens) {
    int32_t reasoning = answer->kind == ASK_CHAT ? answer->options->reasoning_tokens : 0;
    if (reasoning > tokens)
        reasoning = tokens;
    out = put_format(out, "\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d,\"total_tokens\":%lld",
                     answer->prompt_tokens, tokens, (long long)answer->prompt_tokens + tokens);
    if (answer->cached_tokens >= 0)
        out = put_format(out, ",\"prompt_tokens_details\":{\"cached_tokens\":%d}", answer->cached_tokens);
    if (reasoning)
        out = put_format(out, ",\"completion_tokens_details\":{\"reasoning_tokens\":%d}", reasoning);
    return PUT(out, "}");
}

static inline char *put_words(char *out, int32_t first, int32_t count) {
    for (int32_t token = first; token < first + count; token++) {
        size_t length;
        const char *word = wire_word(token, &length);
        out = put(out, word, length);
    }
    return out;
}

/* ---- framing -------------------------------------------------------------------- */

/* A chunk's payload is written where it will lie if its size has three digits, and moved if not. */
#define SIZE_ROOM 5

static char *close_chunk(const wire_answer *answer, char *start, char *payload, char *end) {
    size_t size = (size_t)(end - payload);
    char line[32], *p = line;
    for (int shift = size >= 0x1000 ? 12 : size >= 0x100 ? 8 : size >= 0x10 ? 4 : 0; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[size >> shift & 15];
    p = answer->options->chunk_extensions ? PUT(p, ";part=token\r\n") : PUT(p, "\r\n");
    size_t line_length = (size_t)(p - line);
    if (start + line_length != payload)
        memmove(start + line_length, payload, size);
    memcpy(start, line, line_length);
    return PUT(start + line_length + size, "\r\n");
}

/* ---- events --------------------------------------------------------------------- */

static char *put_tokens(char *p, const wire_answer *answer, int32_t first, int32_t count) {
    p = put(p, answer->prefix, answer->prefix_length);
    bool chat = answer->kind == ASK_CHAT;
    if (!chat)
        p = PUT(p, "{\"index\":0,\"text\":\"");
    else if (first < answer->options->reasoning_tokens)
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
    p = answer->kind == ASK_CHAT ? PUT(p, "{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"length\"}]")
                                 : PUT(p, "{\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"length\"}]");
    if (answer->continuous_usage || answer->options->finish == FINISH_WITH_USAGE) {
        p = PUT(p, ",");
        p = put_usage(p, answer, tokens);
    }
    return PUT(p, "}");
}

static const char STREAM_ERROR[] =
    "{\"error\":{\"message\":\"the engine died\",\"type\":\"server_error\",\"param\":null,\"code\":500}}";

static char *put_error(char *p, const wire_answer *answer) {
    const wire_options *options = answer->options;
    if (options->stream_error == STREAM_ERROR_EVENT) {
        p = put_text(p, options->space ? "event: error" : "event:error");
        p = put_line_end(p, options);
    }
    if (options->stream_error == STREAM_ERROR_FIELD)
        p = put_text(p, options->space ? "error: " : "error:");
    else
        p = put(p, answer->prefix, answer->lead_length);
    return PUT(p, STREAM_ERROR);
}

size_t wire_event_write(const wire_answer *answer, wire_event event, int32_t first, int32_t count, char *out,
                        uint32_t *event_bytes) {
    const wire_options *options = answer->options;
    char *payload = answer->framing == FRAME_CHUNKED ? out + SIZE_ROOM : out;
    char *p = payload;
    switch (event) {
    case EVENT_TOKENS: p = put_tokens(p, answer, first, count); break;
    case EVENT_EMPTY_CHOICE:
        p = put(p, answer->prefix, answer->prefix_length);
        p = PUT(p, "],\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":{}}]}");
        break;
    case EVENT_ROLE:
        p = put(p, answer->prefix, answer->prefix_length);
        p = PUT(p, "{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,\"finish_reason\":null}]");
        if (answer->continuous_usage) {
            p = PUT(p, ",");
            p = put_usage(p, answer, first);
        }
        p = PUT(p, "}");
        break;
    case EVENT_FINISH: p = put_finish(p, answer, first); break;
    case EVENT_USAGE:
        p = put(p, answer->prefix, answer->prefix_length);
        p = PUT(p, "],");
        p = put_usage(p, answer, first);
        p = PUT(p, "}");
        break;
    case EVENT_DONE:
        p = put(p, answer->prefix, answer->lead_length);
        p = PUT(p, "[DONE]");
        break;
    case EVENT_ERROR: p = put_error(p, answer); break;
    case EVENT_PING: p = options->ping == PING_BARE ? PUT(p, ":") : PUT(p, ": ping"); break;
    }
    p = put_line_end(p, options);
    p = put_line_end(p, options);
    *event_bytes = (uint32_t)(p - payload);
    if (answer->framing == FRAME_CHUNKED)
        p = close_chunk(answer, out, payload, p);
    return (size_t)(p - out);
}

size_t wire_end_write(const wire_answer *answer, char *out) {
    if (answer->framing != FRAME_CHUNKED)
        return 0;
    char *p = answer->options->chunk_extensions ? PUT(out, "0;last\r\n") : PUT(out, "0\r\n");
    if (answer->options->trailers)
        p = put_format(p, "X-Output-Tokens: %d\r\n", answer->tokens);
    p = PUT(p, "\r\n");
    return (size_t)(p - out);
}

/* ---- heads and errors ----------------------------------------------------------- */

static const char *reason(uint16_t status) {
    switch (status) {
    case 200: return "OK";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 413: return "Content Too Large";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 529: return "Site is overloaded";
    default: return "Unknown";
    }
}

size_t wire_head_write(const wire_head *head, char *out) {
    char *p = put_format(out, "HTTP/1.1 %u %s\r\nserver: tokentape\r\ncontent-type: %s\r\n", head->status,
                         reason(head->status), head->type);
    if (head->framing == FRAME_CHUNKED)
        p = PUT(p, "transfer-encoding: chunked\r\n");
    else if (head->framing == FRAME_LENGTH)
        p = put_format(p, "content-length: %lld\r\n", (long long)head->length);
    if (head->trailers)
        p = PUT(p, "trailer: X-Output-Tokens\r\n");
    if (head->retry_after_s >= 0)
        p = put_format(p, "retry-after: %lld\r\n", (long long)head->retry_after_s);
    if (head->location)
        p = put_format(p, "location: %s\r\n", head->location);
    if (head->allow)
        p = put_format(p, "allow: %s\r\n", head->allow);
    if (!head->keep_alive)
        p = PUT(p, "connection: close\r\n");
    else if (head->http_1_0)
        p = PUT(p, "connection: keep-alive\r\n");
    p = PUT(p, "\r\n");
    return (size_t)(p - out);
}

static const char *error_type(uint16_t status) {
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

size_t wire_error_write(wire_shape shape, uint16_t status, const char *message, const char *param, char *out,
                        const char **type) {
    int length = 0;
    switch (shape) {
    case SHAPE_OPENAI:
        *type = "application/json";
        length = snprintf(out, WIRE_MAX_ERROR, "{\"error\":{\"message\":\"%s%s%s\",\"type\":\"%s\",\"param\":%s%s%s,\"code\":%u}}",
                          param ? param : "", param ? " " : "", message, error_type(status), param ? "\"" : "",
                          param ? param : "null", param ? "\"" : "", status);
        break;
    case SHAPE_FASTAPI:
        *type = "application/json";
        length = snprintf(out, WIRE_MAX_ERROR, "{\"detail\":\"%s\"}", message);
        break;
    case SHAPE_TEXT:
        *type = "text/plain; charset=utf-8";
        length = snprintf(out, WIRE_MAX_ERROR, "%s", reason(status));
        break;
    case SHAPE_HTML:
        *type = "text/html";
        length = snprintf(out, WIRE_MAX_ERROR,
                          "<html>\r\n<head><title>%u %s</title></head>\r\n<body>\r\n<center><h1>%u %s</h1></center>\r\n"
                          "<hr><center>proxy</center>\r\n</body>\r\n</html>\r\n",
                          status, reason(status), status, reason(status));
        break;
    }
    return (size_t)length;
}

/* ---- whole bodies --------------------------------------------------------------- */

char *wire_completion_body(const wire_answer *answer, size_t *length) {
    static const char CHAT_OBJECT[] = "chat.completion", TEXT_OBJECT[] = "text_completion";
    bool chat = answer->kind == ASK_CHAT;
    int32_t reasoning = chat ? answer->options->reasoning_tokens : 0;
    if (reasoning > answer->tokens)
        reasoning = answer->tokens;
    char *body = malloc(answer->prefix_length + 1024 + (size_t)answer->tokens * 6);
    if (!body)
        return NULL;
    char *p = put_format(body, "{\"id\":\"%s\",\"object\":\"%s\"", answer->id, chat ? CHAT_OBJECT : TEXT_OBJECT);
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
    p = put_words(p, reasoning, answer->tokens - reasoning);
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

char *wire_embeddings_body(const wire_answer *answer, const server_ask *ask, int32_t dimensions, size_t *length) {
    /* One vector of length 1 stands for every text: its components are k/scale for small integers k. */
    size_t vector_room = (size_t)dimensions * 16 + 8;
    float *vector = malloc((size_t)dimensions * sizeof *vector);
    char *rendered = malloc(vector_room);
    char *body = vector && rendered ? malloc(answer->prefix_length + 512 + (size_t)ask->inputs * (vector_room + 64)) : NULL;
    if (body) {
        double squares = 0;
        for (int32_t i = 0; i < dimensions; i++)
            squares += (double)((i % 7 + 1) * (i % 7 + 1));
        for (int32_t i = 0; i < dimensions; i++)
            vector[i] = (float)((i & 1 ? -1.0 : 1.0) * (i % 7 + 1) / __builtin_sqrt(squares));
        char *p = rendered;
        if (ask->base64) {
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
        for (int32_t i = 0; i < ask->inputs; i++) {
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

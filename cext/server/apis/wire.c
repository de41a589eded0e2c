#include "server/apis/wire.h"

#include <stdlib.h>

#include "server/apis/dialect.h"
#include "server/apis/put.h"
#include "server/model/draw.h"

/* Each word is one token of SmolLM2's tokenizer and of most others, with the space before it; the first word also without. */
#define WORD(text) {text, sizeof text - 1}
static const struct { const char *text; size_t length; } WORDS[16] = {
    WORD(" love"), WORD(" time"), WORD(" list"), WORD(" page"), WORD(" zone"), WORD(" role"), WORD(" move"), WORD(" hero"),
    WORD(" man"), WORD(" win"), WORD(" can"), WORD(" her"), WORD(" son"), WORD(" pan"), WORD(" fan"), WORD(" pin")};

const char *wire_word(int32_t token, size_t *length) {
    bool first = token == 0;
    *length = WORDS[token & 15].length - first;
    return WORDS[token & 15].text + first;
}

const char *wire_line_end(const wire_options *options) {
    static const char *const LINE_ENDS[] = {"\n", "\r\n", "\r"};
    return LINE_ENDS[options->line];
}

/* ---- one answer ----------------------------------------------------------------- */

const wire_dialect *dialect_of(api_kind kind) {
    static const wire_dialect *const DIALECTS[API_COUNT] = {
        &chat_dialect, &completions_dialect, &embeddings_dialect, &responses_dialect, &messages_dialect,
        &ollama_chat_dialect, &ollama_generate_dialect, &tgi_dialect, &triton_dialect, &kserve_dialect, &sglang_dialect,
        &rankings_dialect, &cohere_rankings_dialect, &tei_rankings_dialect};
    return DIALECTS[kind];
}

bool wire_answer_init(wire_answer *answer, const wire_options *options, const api_request *request, int32_t tokens,
                      wire_framing framing, const char *model, size_t model_length, uint64_t nonce, uint64_t number,
                      int64_t created_s) {
    const wire_dialect *dialect = dialect_of(request->kind);
    *answer = (wire_answer){.options = options, .dialect = dialect, .kind = request->kind, .framing = framing, .tokens = tokens,
                            .include_usage = request->include_usage || options->continuous_usage || request->continuous_usage,
                            .continuous_usage = request->continuous_usage || options->continuous_usage,
                            .prompt_tokens = request->prompt_tokens, .cached_tokens = -1};
    if (dialect->reasons)
        answer->reasoning = options->reasoning_tokens < tokens ? options->reasoning_tokens : tokens;
    if (dialect->id_prefix)
        snprintf(answer->id, sizeof answer->id, "%s%016llx", dialect->id_prefix, (unsigned long long)draw_mix(nonce ^ number));
    answer->prefix = malloc(256 + model_length);
    if (!answer->prefix)
        return false;
    if (dialect->open)
        answer->prefix_length = (uint32_t)(dialect->open(answer->prefix, answer, model, model_length, created_s) - answer->prefix);
    return true;
}

void wire_answer_free(wire_answer *answer) {
    free(answer->prefix);
    answer->prefix = NULL;
}

/* ---- framing -------------------------------------------------------------------- */

/* A chunk's payload is written where it belongs if its size has three digits; otherwise it is moved. */
#define SIZE_ROOM 5

static char *close_chunk(const wire_answer *answer, char *start, char *payload, char *end) {
    size_t size = (size_t)(end - payload);
    char line[32], *p = line;
    for (int shift = (31 - __builtin_clz((unsigned)size | 1)) & ~3; shift >= 0; shift -= 4)
        *p++ = "0123456789abcdef"[size >> shift & 15];
    p = answer->options->chunk_extensions ? PUT(p, ";part=token\r\n") : PUT(p, "\r\n");
    size_t line_length = (size_t)(p - line);
    if (start + line_length != payload)
        memmove(start + line_length, payload, size);
    memcpy(start, line, line_length);
    return PUT(start + line_length + size, "\r\n");
}

/* The longest word has five bytes. An event of the responses API repeats the text at most once. */
size_t wire_event_room(const wire_answer *answer) {
    return WIRE_MAX_EVENT + (answer->dialect->repeats ? (size_t)answer->tokens * 5 : 0);
}

size_t wire_event_write(const wire_answer *answer, wire_event event, int32_t first, int32_t count, char *out,
                        uint32_t *event_bytes) {
    const wire_options *options = answer->options;
    char *payload = answer->framing == FRAME_CHUNKED ? out + SIZE_ROOM : out;
    char *p = payload;
    if (event == EVENT_PING)
        p = options->ping == PING_BARE ? PUT(p, ":") : PUT(p, ": ping");
    else
        p = answer->dialect->put(p, answer, event, first, count);
    if (answer->dialect->lines) {
        p = PUT(p, "\n");
    } else {
        p = put_text(p, wire_line_end(options));
        p = put_text(p, wire_line_end(options));
    }
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

const char *wire_error_type(uint16_t status) {
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

size_t wire_error_write(wire_shape shape, const wire_dialect *dialect, uint16_t status, const char *message,
                        const char *param, char *out, const char **type) {
    int length = 0;
    if (shape == SHAPE_API && (!dialect || !dialect->error))
        shape = SHAPE_OPENAI;
    switch (shape) {
    case SHAPE_API:
        *type = "application/json";
        length = (int)(dialect->error(out, status, message, param) - out);
        break;
    case SHAPE_OPENAI:
        *type = "application/json";
        length = snprintf(out, WIRE_MAX_ERROR, "{\"error\":{\"message\":\"%s%s%s\",\"type\":\"%s\",\"param\":%s%s%s,\"code\":%u}}",
                          param ? param : "", param ? " " : "", message, wire_error_type(status), param ? "\"" : "",
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

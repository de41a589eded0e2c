/* The sizes that wire.h and dialect.h promise, for every event of every API with the longest names and counts. */
#define _GNU_SOURCE   /* memmem */
#include <stdlib.h>

#include "parse/json.h"
#include "server/apis/dialect.h"
#include "support/check.h"

/* Writes into memory of exactly the promised size, so that the sanitizer finds a byte too many. Returns the memory. */
static size_t write_event(const wire_answer *answer, wire_event event, int32_t first, int32_t count) {
    char *out = malloc(wire_event_room(answer));
    uint32_t bytes;
    size_t length = wire_event_write(answer, event, first, count, out, &bytes);
    CHECK(length <= wire_event_room(answer) && bytes <= length);
    free(out);
    return length;
}

/* Checks that the data of an event, or the line, is JSON. */
static void check_json(const wire_answer *answer, wire_event event, int32_t first, int32_t count) {
    char *out = malloc(wire_event_room(answer));
    uint32_t bytes;
    wire_answer bare = *answer;
    bare.framing = FRAME_CLOSE;
    size_t length = wire_event_write(&bare, event, first, count, out, &bytes);
    const char *data = answer->dialect->lines ? out : strstr(out, "data:");
    json_paths *paths = json_paths_new();
    CHECK(data != NULL);
    if (data) {
        data += answer->dialect->lines ? 0 : 5;
        size_t size = length - (size_t)(data - out);
        bool done = size >= 7 && memcmp(data, " [DONE]", 7) == 0;
        CHECK(done || json_scan(paths, data, size, NULL, 0, NULL) != JSON_MALFORMED);
    }
    json_paths_free(paths);
    free(out);
}

static void check_steps(const wire_answer *answer, const uint8_t *steps, int32_t tokens) {
    for (; *steps; steps++)
        if (answer->dialect->kind(answer, *steps) != NO_EVENT) {
            write_event(answer, *steps, tokens, 0);
            check_json(answer, *steps, tokens, 0);
        }
}

static void check_answer(api_kind kind, const wire_options *options, int32_t tokens, int32_t cached) {
    static char model[API_MAX_MODEL];
    memset(model, 'm', sizeof model);
    api_request request = {.kind = kind, .stream = true, .include_usage = true, .prompt_tokens = INT32_MAX / 2, .inputs = API_MAX_INPUTS};
    wire_answer answer;
    CHECK(wire_answer_init(&answer, options, &request, tokens, FRAME_CHUNKED, model, sizeof model, 7, 8, INT32_MAX));
    answer.cached_tokens = cached;
    const wire_dialect *dialect = answer.dialect;
    size_t length;
    char *body = dialect->whole(&answer, &request, 64, &length);
    json_paths *paths = json_paths_new();
    CHECK(body && json_scan(paths, body, length, NULL, 0, NULL) != JSON_MALFORMED);
    json_paths_free(paths);
    free(body);
    if (dialect->put) {
        check_steps(&answer, dialect->before, 0);
        check_steps(&answer, dialect->between, answer.reasoning);
        check_steps(&answer, dialect->after, tokens);
        int32_t most = tokens < WIRE_MAX_CHUNK_TOKENS ? tokens : WIRE_MAX_CHUNK_TOKENS;
        write_event(&answer, EVENT_TOKENS, tokens - most, most);
        check_json(&answer, EVENT_TOKENS, tokens - 1, 1);
        check_json(&answer, EVENT_TOKENS, 0, 1);
        write_event(&answer, EVENT_ERROR, tokens, 0);
        write_event(&answer, EVENT_PING, tokens, 0);
    }
    wire_answer_free(&answer);
}

static void check_refusals(api_kind kind) {
    static const uint16_t statuses[] = {400, 401, 403, 404, 413, 429, 500, 503, 529};
    static char message[WIRE_MAX_ERROR];
    memset(message, 'x', 512);
    json_paths *paths = json_paths_new();
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char *out = malloc(WIRE_MAX_ERROR);
        const char *type;
        size_t length = wire_error_write(SHAPE_API, dialect_of(kind), statuses[i], message, i & 1 ? "param" : NULL, out, &type);
        CHECK(length < WIRE_MAX_ERROR && json_scan(paths, out, length, NULL, 0, NULL) != JSON_MALFORMED);
        CHECK(memmem(out, length, message, 512) != NULL);
        CHECK(strcmp(type, "application/json") == 0);
        free(out);
    }
    json_paths_free(paths);
}

int main(void) {
    static const int32_t tokens[] = {1, 2, 5000}, reasoning[] = {0, 1, 100000};
    for (int kind = 0; kind < API_COUNT; kind++) {
        check_case = dialect_of((api_kind)kind)->name;
        CHECK(api_generates((api_kind)kind) == dialect_of((api_kind)kind)->generates);
        for (int i = 0; i < 9; i++) {
            wire_options options = {.done = true, .space = true, .empty_choice = true, .continuous_usage = true, .line = LINE_CRLF,
                                    .chunk_extensions = true, .tokens_per_chunk = 1, .reasoning_tokens = reasoning[i / 3]};
            check_answer((api_kind)kind, &options, tokens[i % 3], i & 1 ? -1 : 1000);
        }
        check_refusals((api_kind)kind);
    }
    return check_report("server_wire");
}

/* parsers_bench.c: CPU time of the parsers per event, without sockets: http1, sse and event over a chat stream in memory.
 *
 *     gcc -O3 -std=gnu11 -Icext -o build/parsers_bench benchmarks/parsers_bench.c \
 *         cext/parse/*.c cext/response/event.c
 *     build/parsers_bench
 *
 * Each line is the best of 15 passes over 20,000 events, in nanoseconds per event: all parsers with reads of the given size, then
 * each parser alone. The last line is one JSON text that is mostly one long string, like a long request body, in GB/s. */
#include "base/clock.h"
#include "response/event.h"
#include "parse/http1.h"
#include "parse/json.h"
#include "parse/sse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENTS 20000
#define PASSES 15
#define BODY_BYTES 900000

static const struct { const char *path; event_role role; } CHAT[] = {
    {"choices[].delta.content", ROLE_TEXT},
    {"choices[].message.content", ROLE_TEXT},
    {"choices[].delta.reasoning_content", ROLE_REASONING},
    {"choices[].delta.reasoning", ROLE_REASONING},
    {"choices[].delta.tool_calls", ROLE_TOOL},
    {"choices[].delta.function_call", ROLE_TOOL},
    {"choices[].delta.role", ROLE_SPEAKER},
    {"choices[].finish_reason", ROLE_FINISH},
    {"choices[].token_ids", ROLE_TOKEN_IDS},
    {"usage.prompt_tokens", ROLE_INPUT_TOKENS},
    {"usage.completion_tokens", ROLE_OUTPUT_TOKENS},
    {"usage.prompt_tokens_details.cached_tokens", ROLE_CACHED_TOKENS},
    {"usage.completion_tokens_details.reasoning_tokens", ROLE_REASONING_TOKENS},
    {"id", ROLE_ID},
    {"error", ROLE_ERROR},
};

/* 212 bytes of data with its field name and blank line, as the common servers write it. */
static const char EVENT[] =
    "data: {\"id\":\"chatcmpl-be8bc1728ea7e38b\",\"object\":\"chat.completion.chunk\",\"created\":1795343377,"
    "\"model\":\"llama-3.1-8b-chat\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" the\"},\"logprobs\":null,"
    "\"finish_reason\":null}]}\n\n";

static int64_t best_ns(int64_t best, int64_t now) { return now < best ? now : best; }

/* Parses the response once in reads of `step` bytes. Returns the number of token events. */
static long chain(const event_dialect *dialect, const char *text, size_t length, size_t step) {
    http1 parser;
    sse framer;
    http1_span body;
    sse_event event;
    event_scan_result result;
    long tokens = 0;
    http1_init(&parser);
    sse_init(&framer);
    for (size_t at = 0; at < length; at += step) {
        const char *p = text + at, *end = p + (length - at < step ? length - at : step);
        for (http1_result got; (got = http1_next(&parser, &p, end, &body)) != HTTP1_MORE;) {
            if (got == HTTP1_COMPLETE || got == HTTP1_ERROR)
                break;
            if (got != HTTP1_BODY)
                continue;
            const char *b = body.start;
            while (sse_next(&framer, &b, body.start + body.length, &event) == SSE_EVENT) {
                event_scan(dialect, event.name, event.name_length, event.data, event.data_length, &result);
                tokens += result.kind == KIND_TOKEN;
            }
        }
    }
    sse_free(&framer);
    http1_free(&parser);
    return tokens;
}

int main(void) {
    event_dialect *dialect = event_dialect_new();
    json_paths *paths = json_paths_new();
    size_t event_bytes = strlen(EVENT);
    char *text = malloc(EVENTS * (event_bytes + 16) + 256), *plain = malloc(EVENTS * event_bytes);
    char *request = malloc(BODY_BYTES + 64);
    if (!dialect || !paths || !text || !plain || !request)
        return 1;
    for (size_t i = 0; i < sizeof CHAT / sizeof *CHAT; i++)
        if (event_dialect_path(dialect, CHAT[i].path, CHAT[i].role) != 0)
            return 1;
    size_t length = (size_t)sprintf(text, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                          "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < EVENTS; i++) {
        length += (size_t)sprintf(text + length, "%zx\r\n%s\r\n", event_bytes, EVENT);
        memcpy(plain + (size_t)i * event_bytes, EVENT, event_bytes);
    }
    length += (size_t)sprintf(text + length, "0\r\n\r\n");
    printf("an event of %zu bytes of stream\n", event_bytes);

    static const size_t STEPS[] = {65536, 4096, 1448, 223, 100};
    for (size_t s = 0; s < sizeof STEPS / sizeof *STEPS; s++) {
        int64_t best = INT64_MAX;
        for (int pass = 0; pass < PASSES; pass++) {
            int64_t start = clock_mono_ns();
            if (chain(dialect, text, length, STEPS[s]) != EVENTS)
                return 1;
            best = best_ns(best, clock_mono_ns() - start);
        }
        printf("http1 + sse + event, reads of %5zu bytes: %6.1f ns\n", STEPS[s], (double)best / EVENTS);
    }

    int64_t http_ns = INT64_MAX, sse_ns = INT64_MAX, event_ns = INT64_MAX, json_ns = INT64_MAX;
    for (int pass = 0; pass < PASSES; pass++) {
        const char *p = text;
        http1 parser;
        http1_span body;
        long pieces = 0;
        int64_t start = clock_mono_ns();
        http1_init(&parser);
        for (http1_result got; (got = http1_next(&parser, &p, text + length, &body)) != HTTP1_COMPLETE;)
            pieces += got == HTTP1_BODY;
        http_ns = best_ns(http_ns, clock_mono_ns() - start);
        http1_free(&parser);

        sse framer;
        sse_event event;
        long events = 0;
        p = plain;
        start = clock_mono_ns();
        sse_init(&framer);
        while (sse_next(&framer, &p, plain + EVENTS * event_bytes, &event) == SSE_EVENT)
            events++;
        sse_ns = best_ns(sse_ns, clock_mono_ns() - start);
        sse_free(&framer);

        event_scan_result result;
        long tokens = 0;
        start = clock_mono_ns();
        for (int i = 0; i < EVENTS; i++) {
            event_scan(dialect, "", 0, plain + (size_t)i * event_bytes + 6, event_bytes - 8, &result);
            tokens += result.kind == KIND_TOKEN;
        }
        event_ns = best_ns(event_ns, clock_mono_ns() - start);
        if (pieces != EVENTS || events != EVENTS || tokens != EVENTS)
            return 1;
    }
    printf("http1 alone %.1f ns, sse alone %.1f ns, event alone %.1f ns\n", (double)http_ns / EVENTS,
           (double)sse_ns / EVENTS, (double)event_ns / EVENTS);

    if (json_paths_add(paths, "max_tokens", 0) != 0)
        return 1;
    size_t request_bytes = (size_t)sprintf(request, "{\"prompt\":\"");
    for (int i = 0; i < BODY_BYTES; i++)
        request[request_bytes++] = (char)("a long text with\\n some \\\" in it; "[i % 34]);
    request_bytes += (size_t)sprintf(request + request_bytes, "\",\"max_tokens\":12}");
    json_match match;
    for (int pass = 0; pass < PASSES; pass++) {
        int64_t start = clock_mono_ns();
        if (json_scan(paths, request, request_bytes, &match, 1, NULL) != 1)
            return 1;
        json_ns = best_ns(json_ns, clock_mono_ns() - start);
    }
    printf("a request of %zu bytes with a quote every 34: %.2f GB/s\n", request_bytes, (double)request_bytes / (double)json_ns);
    memset(request + 11, 'a', BODY_BYTES);
    json_ns = INT64_MAX;
    for (int pass = 0; pass < PASSES; pass++) {
        int64_t start = clock_mono_ns();
        if (json_scan(paths, request, request_bytes, &match, 1, NULL) != 1)
            return 1;
        json_ns = best_ns(json_ns, clock_mono_ns() - start);
    }
    printf("the same without quotes: %.2f GB/s\n", (double)request_bytes / (double)json_ns);
    free(text);
    free(plain);
    free(request);
    json_paths_free(paths);
    event_dialect_free(dialect);
    return 0;
}

/* wire.h: the bytes of the simulated server's responses: heads, framing, errors, and what all APIs share.
 *
 * Pure functions from what is asked to bytes in the caller's buffer: no socket, no clock. A streamed response
 * is composed event by event: what does not change within it (id, time, model) is rendered once into
 * wire_answer.prefix, so that an event costs a few copies. What an API's events look like: dialect.h. */
#ifndef TT_SERVER_WIRE_H
#define TT_SERVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/request/body.h"

#define WIRE_MAX_CHUNK_TOKENS 256
#define WIRE_MAX_EVENT 8192      /* bytes of any one event with its framing, but for a text that it repeats (wire_event_room) */
#define WIRE_MAX_HEAD 1024       /* bytes of any response head */
#define WIRE_MAX_ERROR 2048      /* bytes of any error body */
#define WIRE_ID_BYTES 40

/* Where the role chunk goes: an event and a write of its own just before the first token (vLLM), in the first token's
 * write (llama.cpp), right after the head (transformers serve), nowhere. Completions have none. */
typedef enum { PLACE_BEFORE, PLACE_WITH, PLACE_EARLY, PLACE_NONE } wire_role;
/* The finish reason: in a chunk of its own (llama.cpp), on the last content chunk (vLLM), in one chunk
 * with the usage, asked for or not (transformers serve). */
typedef enum { FINISH_ALONE, FINISH_ON_LAST, FINISH_WITH_USAGE } wire_finish;
typedef enum { LINE_LF, LINE_CRLF, LINE_CR } wire_line;
typedef enum { FRAME_CHUNKED, FRAME_LENGTH, FRAME_CLOSE } wire_framing;
/* The body of an error before the stream: OpenAI's object, FastAPI's {"detail": ...}, text/plain, a proxy's HTML page, the API's
 * own. */
typedef enum { SHAPE_OPENAI, SHAPE_FASTAPI, SHAPE_TEXT, SHAPE_HTML, SHAPE_API } wire_shape;
/* An error within a stream of OpenAI's chat and completions; other APIs have a form of their own. data: {"error": ...} and [DONE] (vLLM, SGLang); event: error (Dynamo, Anthropic); an
 * error: field (old llama.cpp). */
typedef enum { STREAM_ERROR_DATA, STREAM_ERROR_EVENT, STREAM_ERROR_FIELD } wire_stream_error;
/* A keepalive: ": ping" (sse-starlette) or a bare ":" (llama.cpp). */
typedef enum { PING_TEXT, PING_BARE } wire_ping;

typedef struct {
    wire_role role;
    wire_finish finish;
    wire_line line;
    wire_framing framing;
    wire_shape shape;
    wire_stream_error stream_error;
    wire_ping ping;
    bool done;                   /* data: [DONE] at the end */
    bool space;                  /* a space after "data:" */
    bool empty_choice;           /* first of all an event with choices: [] and filter results (Azure) */
    bool continuous_usage;       /* usage on every chunk, asked for or not */
    bool chunk_extensions, trailers;
    int32_t tokens_per_chunk;    /* the first chunk has one token, those after it this many */
    int32_t reasoning_tokens;    /* of a chat answer's tokens, the first so many are reasoning_content */
} wire_options;

/* The events of all APIs; what each is called there stands in its server_<family>.c. */
typedef enum {
    EVENT_NONE, EVENT_TOKENS, EVENT_ERROR, EVENT_PING,
    EVENT_EMPTY_CHOICE, EVENT_ROLE, EVENT_FINISH, EVENT_USAGE, EVENT_DONE,
    EVENT_CREATED, EVENT_IN_PROGRESS, EVENT_ITEM_ADDED, EVENT_PART_ADDED, EVENT_TEXT_DONE, EVENT_PART_DONE, EVENT_ITEM_DONE,
    EVENT_THOUGHT_DONE, EVENT_THOUGHT_ITEM_DONE, EVENT_COMPLETED
} wire_event;

struct wire_dialect;

/* One response being made. */
typedef struct {
    const wire_options *options;
    const struct wire_dialect *dialect;
    api_kind kind;
    wire_framing framing;
    bool include_usage, continuous_usage;
    int32_t prompt_tokens, tokens;
    int32_t reasoning;           /* so many of the tokens, the first */
    int32_t cached_tokens;       /* -1: the usage says nothing of them */
    uint32_t prefix_length;
    char *prefix;                /* owned: what an API's events have in common */
    char id[WIRE_ID_BYTES];
} wire_answer;

/* Renders the prefix. model: raw bytes of a JSON string. number: makes the id, unique under one nonce.
 * false: memory out. The answer's include_usage, tokens and prompt_tokens are taken from ask and tokens;
 * cached_tokens is -1. */
bool wire_answer_init(wire_answer *answer, const wire_options *options, const api_request *ask, int32_t tokens,
                      wire_framing framing, const char *model, size_t model_length, uint64_t nonce, uint64_t number,
                      int64_t created_s);
void wire_answer_free(wire_answer *answer);

/* How many bytes any event of the answer has at most, with its framing. */
size_t wire_event_room(const wire_answer *answer);
/* One event with its framing. first, count: its tokens (EVENT_TOKENS), or tokens so far in
 * `first` otherwise. Returns the bytes written; *event_bytes is what of them a reader of events sees. */
size_t wire_event_write(const wire_answer *answer, wire_event event, int32_t first, int32_t count, char *out,
                        uint32_t *event_bytes);
/* What ends the body: the last chunk, trailers. Nothing when it is not chunked. At most WIRE_MAX_EVENT bytes. */
size_t wire_end_write(const wire_answer *answer, char *out);

typedef struct {
    uint16_t status;
    const char *type;            /* Content-Type */
    wire_framing framing;
    int64_t length;              /* with FRAME_LENGTH */
    bool keep_alive;
    bool http_1_0;
    bool trailers;
    int64_t retry_after_s;       /* -1: no such header */
    const char *location;        /* NULL: none */
    const char *allow;           /* NULL: none */
} wire_head;

/* At most WIRE_MAX_HEAD bytes. */
size_t wire_head_write(const wire_head *head, char *out);

/* The body of an error, at most WIRE_MAX_ERROR bytes, and its Content-Type in *type. param may be NULL, and so may the
 * dialect, which SHAPE_API asks for. */
size_t wire_error_write(wire_shape shape, const struct wire_dialect *dialect, uint16_t status, const char *message,
                        const char *param, char *out, const char **type);
/* What OpenAI calls an error of that status. */
const char *wire_error_type(uint16_t status);

/* The word of an answer's token, its leading space included, as it is sent. */
const char *wire_word(int32_t token, size_t *length);
const char *wire_line_end(const wire_options *options);

#endif

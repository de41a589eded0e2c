/* wire.h: the bytes of the simulated server's responses: heads, framing, errors, and what all APIs share.
 *
 * Pure functions that write into the caller's buffer; they use no socket and no clock. A streamed response is composed event by
 * event. The part that its events share (id, time, model) is rendered once into wire_answer.prefix, so that an event costs a few
 * copies. dialect.h has what the events of an API look like. */
#ifndef TT_SERVER_WIRE_H
#define TT_SERVER_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/request/body.h"

#define WIRE_MAX_CHUNK_TOKENS 256
#define WIRE_MAX_EVENT 8192      /* bytes of any event with its framing, without a text that it repeats (wire_event_room) */
#define WIRE_MAX_HEAD 1024       /* bytes of any response head */
#define WIRE_MAX_ERROR 2048      /* bytes of any error body */
#define WIRE_ID_BYTES 40

/* Place of the role chunk: in an event and a write of its own just before the first token (vLLM), in the first token's write
 * (llama.cpp), right after the head (transformers serve), nowhere. Completions have no role. */
typedef enum { PLACE_BEFORE, PLACE_WITH, PLACE_EARLY, PLACE_NONE } wire_role;
/* Place of the finish reason: in a chunk of its own (llama.cpp), on the last content chunk (vLLM), in one chunk with the usage, even
 * without stream_options (transformers serve). */
typedef enum { FINISH_ALONE, FINISH_ON_LAST, FINISH_WITH_USAGE } wire_finish;
typedef enum { LINE_LF, LINE_CRLF, LINE_CR } wire_line;
typedef enum { FRAME_CHUNKED, FRAME_LENGTH, FRAME_CLOSE } wire_framing;
/* Body of an error before the stream: OpenAI's object, FastAPI's {"detail": ...}, text/plain, the HTML page of a proxy, the API's own
 * form. */
typedef enum { SHAPE_OPENAI, SHAPE_FASTAPI, SHAPE_TEXT, SHAPE_HTML, SHAPE_API } wire_shape;
/* An error within a stream of OpenAI's chat and completions: data: {"error": ...} and [DONE] (vLLM, SGLang); event: error (Dynamo,
 * Anthropic); an error: field (old llama.cpp). Other APIs have forms of their own. */
typedef enum { STREAM_ERROR_DATA, STREAM_ERROR_EVENT, STREAM_ERROR_FIELD } wire_stream_error;
/* A keepalive comment: ": ping" (sse-starlette) or ":" (llama.cpp). */
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
    bool empty_choice;           /* the first event has choices: [] and filter results (Azure) */
    bool continuous_usage;       /* usage on every chunk, even without stream_options */
    bool chunk_extensions, trailers;
    int32_t tokens_per_chunk;    /* tokens per chunk; the first chunk always has one */
    int32_t reasoning_tokens;    /* this many of a chat answer's first tokens are reasoning_content */
} wire_options;

/* The events of all APIs. Each API's file maps them to the names on the wire. */
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
    int32_t reasoning;           /* this many of the first tokens are reasoning */
    int32_t cached_tokens;       /* -1: the usage does not report them */
    uint32_t prefix_length;
    char *prefix;                /* owned: what all events of the answer begin with */
    char id[WIRE_ID_BYTES];
} wire_answer;

/* Makes an answer and renders its prefix. Takes include_usage, continuous_usage and prompt_tokens from request; cached_tokens is -1.
 * model: raw bytes of a JSON string. number: makes the id, which is unique under one nonce. Returns false when memory is out. */
bool wire_answer_init(wire_answer *answer, const wire_options *options, const api_request *request, int32_t tokens,
                      wire_framing framing, const char *model, size_t model_length, uint64_t nonce, uint64_t number,
                      int64_t created_s);
void wire_answer_free(wire_answer *answer);

/* Returns the upper limit of bytes of any event of the answer with its framing. */
size_t wire_event_room(const wire_answer *answer);
/* Writes one event with its framing. first, count: the tokens of EVENT_TOKENS; for other events `first` is the number of tokens so
 * far. Returns the bytes written; *event_bytes: those of the event without the framing of chunks. */
size_t wire_event_write(const wire_answer *answer, wire_event event, int32_t first, int32_t count, char *out,
                        uint32_t *event_bytes);
/* Writes the end of a chunked body: the last chunk and trailers, at most WIRE_MAX_EVENT bytes. Returns the bytes written; 0 without
 * chunks. */
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

/* Writes a head, at most WIRE_MAX_HEAD bytes. Returns the bytes written. */
size_t wire_head_write(const wire_head *head, char *out);

/* Writes the body of an error, at most WIRE_MAX_ERROR bytes, and sets *type to its Content-Type. Returns the bytes written. param and
 * dialect may be NULL; only SHAPE_API uses the dialect. */
size_t wire_error_write(wire_shape shape, const struct wire_dialect *dialect, uint16_t status, const char *message,
                        const char *param, char *out, const char **type);
/* Returns OpenAI's type of an error with that status. */
const char *wire_error_type(uint16_t status);

/* Returns the word of an answer's token as it is sent, with its leading space. */
const char *wire_word(int32_t token, size_t *length);
const char *wire_line_end(const wire_options *options);

#endif

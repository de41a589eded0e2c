/* dialect.h: what the answers of an API look like, as a table of functions. Each file of this folder defines the dialects of one
 * family of APIs.
 *
 * A streamed answer is a list of events: those `before` the tokens, the tokens, those `after`; and those `between` reasoning
 * and visible output. The part that all events of an answer share is rendered once, by `open`. */
#ifndef TT_SERVER_DIALECT_H
#define TT_SERVER_DIALECT_H

#include "server/apis/wire.h"

#define NO_EVENT (-1)

typedef struct wire_dialect {
    const char *name;            /* name of the endpoint, as on the tape */
    const char *id_prefix;       /* NULL: answers have no id */
    bool generates;              /* answers have output tokens */
    bool lines;                  /* streams are lines of JSON */
    bool one_token_events;       /* an event holds one token at most */
    bool reasons;                /* reasoning can be told from output */
    bool repeats;                /* events may repeat the whole text */
    bool ends_with_error;        /* an error ends the stream, without [DONE] */
    uint8_t before[5], between[5], after[5];   /* of wire_event, ended by EVENT_NONE */
    /* Returns the kind that a client sees in a step (event_kind), or NO_EVENT: this answer does not have the event. */
    int (*kind)(const wire_answer *answer, wire_event step);
    /* Writes the prefix: at most 256 bytes and the model. Returns its end. NULL: no prefix. */
    char *(*open)(char *out, const wire_answer *answer, const char *model, size_t model_length, int64_t created_s);
    /* Writes an event without the line ends after it. Returns its end. first, count: as for wire_event_write. */
    char *(*put)(char *out, const wire_answer *answer, wire_event event, int32_t first, int32_t count);
    /* Returns the body of an answer without a stream, which the caller frees; NULL: memory is out. */
    char *(*whole)(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length);
    /* Writes the JSON of an error, at most WIRE_MAX_ERROR bytes. Returns its end. NULL: OpenAI's form. */
    char *(*error)(char *out, uint16_t status, const char *message, const char *param);
} wire_dialect;

/* In the order of api_kind; dialect_of returns the one of an API. */
extern const wire_dialect chat_dialect, completions_dialect, embeddings_dialect, responses_dialect, messages_dialect,
    ollama_chat_dialect, ollama_generate_dialect, tgi_dialect, triton_dialect, kserve_dialect, sglang_dialect,
    rankings_dialect, cohere_rankings_dialect, tei_rankings_dialect;

const wire_dialect *dialect_of(api_kind kind);

/* The message of an error within a stream. */
#define STREAM_ERROR_MESSAGE "the engine died"

#endif

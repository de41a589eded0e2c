/* dialect.h: what an API's answers look like, as a table of functions. One server_<family>.c holds each family.
 *
 * A streamed answer is a list of events: those `before` the tokens, the tokens, those `after`; and `between` reasoning
 * and visible output. What does not change within an answer is rendered once, by `open`. */
#ifndef TT_SERVER_DIALECT_H
#define TT_SERVER_DIALECT_H

#include "server/apis/wire.h"

#define NO_EVENT (-1)

typedef struct wire_dialect {
    const char *name;            /* of the endpoint, as on the tape */
    const char *id_prefix;       /* NULL: answers have no id that a client could find */
    bool generates;
    bool lines;                  /* streams are lines of JSON */
    bool one_token_events;
    bool reasons;                /* it can tell reasoning from output */
    bool repeats;                /* events may repeat all of the text */
    bool ends_with_error;        /* nothing comes after an error in the stream, not even [DONE] */
    uint8_t before[5], between[5], after[5];   /* of wire_event, ended by EVENT_NONE */
    /* The kind that a client sees in a step (event.h), or NO_EVENT: this answer has none. */
    int (*kind)(const wire_answer *answer, wire_event step);
    /* Writes the prefix, at most 256 bytes beside the model. NULL: there is none. */
    char *(*open)(char *out, const wire_answer *answer, const char *model, size_t model_length, int64_t created_s);
    /* Writes an event without the line ends after it. first, count: as for wire_event_write. */
    char *(*put)(char *out, const wire_answer *answer, wire_event event, int32_t first, int32_t count);
    /* The body of an answer that is no stream, allocated; NULL: memory out. */
    char *(*whole)(const wire_answer *answer, const api_request *ask, int32_t dimensions, size_t *length);
    /* The JSON of a refusal, at most WIRE_MAX_ERROR bytes. NULL: OpenAI's. */
    char *(*error)(char *out, uint16_t status, const char *message, const char *param);
} wire_dialect;

/* In the order of api_kind. */
extern const wire_dialect chat_dialect, completions_dialect, embeddings_dialect, responses_dialect, messages_dialect,
    ollama_chat_dialect, ollama_generate_dialect, tgi_dialect, triton_dialect, kserve_dialect, sglang_dialect,
    rankings_dialect, cohere_rankings_dialect, tei_rankings_dialect;

const wire_dialect *dialect_of(api_kind kind);

/* The message of an error within a stream. */
#define STREAM_ERROR_MESSAGE "the engine died"

#endif

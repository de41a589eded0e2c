/* event.h: what one streamed event means: a token, a role, usage, an end, an error.
 *
 * The core knows no API. An API hands over a `dialect`: which JSON path plays which part
 * (ROLE_*), and which values of its "type" field say what the event is. event_scan() then reads
 * one event's data and says which kind it is, with the spans and numbers that were found. */
#ifndef TT_EVENT_H
#define TT_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kinds of the tape's events table, in this order. */
typedef enum {
    KIND_TOKEN, KIND_REASONING, KIND_TOOL_CALL, KIND_ROLE, KIND_USAGE, KIND_DONE, KIND_ERROR, KIND_COMMENT, KIND_OTHER,
    KIND_COUNT
} event_kind;

/* The part that a path plays. */
typedef enum {
    ROLE_TEXT,             /* string: visible output; a non-empty one makes a token */
    ROLE_REASONING,        /* string: hidden thought; a non-empty one makes a reasoning event */
    ROLE_TOOL,             /* anything but null, "", [] and {}: a tool call */
    ROLE_SPEAKER,          /* string: the role chunk */
    ROLE_FINISH,           /* string: the finish reason */
    ROLE_INPUT_TOKENS,     /* integers of the usage; any of them makes a usage event of what is no token */
    ROLE_OUTPUT_TOKENS,
    ROLE_CACHED_TOKENS,
    ROLE_REASONING_TOKENS,
    ROLE_TOKEN_IDS,        /* array: the tokens of this event, one element each */
    ROLE_ID,               /* string: the server's id of the response */
    ROLE_ERROR,            /* anything but null: the error object or text */
    ROLE_TYPE,             /* string: looked up among the dialect's types */
    ROLE_END,              /* true: this event ends the stream */
    ROLE_TEXT_SO_FAR,      /* string: all visible output up to here (SGLang); a token where it is longer than before */
    ROLE_WHOLE_TEXT,       /* string: all visible output; it ends a stream (TGI), and is the text of a response that is none */
    ROLE_INPUT_BESIDE,     /* integer: input tokens that ROLE_INPUT_TOKENS does not count (Anthropic's cache_creation) */
    ROLE_CACHED_BESIDE,    /* integer: cached tokens, likewise (Anthropic's cache_read_input_tokens) */
    ROLE_MEDIA,            /* anything but null, "", [] and {}: visible output that is not text (audio, images); makes a token */
    ROLE_FINISH_MESSAGE,   /* string: why the server gave the request up, beside a finish reason of "abort" or "error" */
    ROLE_COUNT
} event_role;

typedef struct event_dialect event_dialect;

event_dialect *event_dialect_new(void);
void event_dialect_free(event_dialect *dialect);
/* A path (json.h) and its part. Several paths may play one part. 0, or -1 as json_paths_add. */
int event_dialect_path(event_dialect *dialect, const char *path, event_role role);
/* A value of the ROLE_TYPE field: an event of that type is of `kind`. For KIND_TOKEN, KIND_REASONING and KIND_TOOL_CALL
 * the event must also carry a non-empty ROLE_TEXT, ROLE_REASONING or ROLE_TOOL value, else it is KIND_OTHER; text at a ROLE_TEXT path
 * counts as of the type's kind (Responses puts three kinds under "delta"). KIND_DONE ends the stream. A type that is not
 * listed makes KIND_OTHER (KIND_USAGE when it carries usage), whatever text it repeats (response.output_text.done repeats it all).
 * 0; -1 when there are 64 already, the name is over 63 bytes or listed already. */
int event_dialect_type(event_dialect *dialect, const char *type, event_kind kind);

typedef struct { const char *start; size_t length; } event_span;   /* start NULL: absent. Escapes stay. */

typedef struct {
    event_kind kind;
    bool unfinished;           /* ROLE_FINISH is null: more of the response follows (never set for a dialect with types) */
    bool ends;                 /* the stream ends with this event ("[DONE]", a KIND_DONE type, ROLE_END, ROLE_WHOLE_TEXT) */
    bool done_marker;          /* it was "[DONE]" */
    bool malformed;            /* data that is neither JSON nor a known word: kind is KIND_OTHER, no span or number is set */
    int32_t token_ids;         /* elements under ROLE_TOKEN_IDS, -1 when absent (or null) */
    int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;   /* -1 when absent; the input with what stands beside it */
    event_span text;           /* first non-empty ROLE_TEXT or ROLE_TEXT_SO_FAR (else ROLE_REASONING, ROLE_TOOL) value */
    bool so_far;               /* text is all of it up to here: where it is not longer than before, the event's kind is kind_unless_grown */
    event_kind kind_unless_grown;
    event_span whole;          /* ROLE_WHOLE_TEXT, be it empty */
    event_span finish, id;
    event_span finish_message;
    event_span error;          /* ROLE_ERROR's value; of another KIND_ERROR the whole data */
} event_scan_result;

/* Reads an event's data. name: the SSE event field ("error" makes KIND_ERROR of whatever the data is; may be
 * empty). error > token > reasoning > tool_call > done > usage > role > other where several hold. Rules beyond the roles:
 * - "[DONE]" (white space around it allowed) is KIND_DONE;
 * - data that starts with ':' is a comment sent as data, and empty data is one too: KIND_COMMENT;
 * - an empty text with token_ids > 0 is a token: its bytes wait for the rest of a character;
 * - an event without output, usage, finish reason and role is looked through for an error in the shapes that servers are known to
 *   send, whatever the dialect says (event_is_error): then it is KIND_ERROR;
 * - a finish reason on a content chunk leaves it a token; alone ("delta":{}) it makes KIND_OTHER, or KIND_USAGE with usage. */
void event_scan(const event_dialect *dialect, const char *name, size_t name_length,
                const char *data, size_t data_length, event_scan_result *result);

/* Whether a JSON text tells of an error in a shape that no dialect needs to name: {"object":"error",...}, {"type":"error",...},
 * {"status":"error",...}, a non-empty "error", "errors", "error_message" or "detail", or a "message" beside a numeric "code" or
 * "status" of 400 or more. */
bool event_is_error(const char *data, size_t length);

/* Whether a finish reason says that the server gave the request up ("abort", "aborted", "error"). */
bool event_is_abort(event_span finish);

#endif

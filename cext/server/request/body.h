/* body.h: what the JSON body of a request asks the simulated server for.
 *
 * Prompts are counted, never tokenised: token ids count exactly, and a text counts one token per word (a run of
 * bytes other than space, tab and line ends, escaped or not), over all messages and all parts of the type text.
 * That is what a tokenizer says of prompts made of words that are one token each. */
#ifndef TT_SERVER_BODY_H
#define TT_SERVER_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parse/json.h"
#include "server/request/blocks.h"

#define API_MAX_TOKENS (1 << 20)     /* output tokens of one request */
#define API_MAX_INPUTS 2048          /* texts of one embeddings request, as OpenAI's */
#define API_MAX_DIMENSIONS 4096
#define API_MAX_MODEL 512            /* bytes of a model's name */
#define API_MAX_PARTS (1 << 20)      /* messages, parts and prompts of one request */

/* The APIs, in the order of wire.c's dialects and of server_endpoint. */
typedef enum {
    API_CHAT, API_COMPLETION, API_EMBEDDING, API_RESPONSES, API_MESSAGES, API_OLLAMA_CHAT, API_OLLAMA_GENERATE, API_TGI, API_TRITON,
    API_KSERVE, API_SGLANG, API_NIM_RANKING, API_COHERE_RANKING, API_TEI_RANKING, API_COUNT
} api_kind;

/* Whether an answer has output tokens. */
static inline bool api_generates(api_kind kind) { return kind != API_EMBEDDING && kind < API_NIM_RANKING; }

typedef struct {
    api_kind kind;
    bool stream;
    bool include_usage;              /* stream_options.include_usage, or what the API has for it */
    bool continuous_usage;           /* stream_options.continuous_usage_stats */
    bool base64;                     /* encoding_format: base64 */
    int32_t max_tokens;              /* max_completion_tokens, else max_tokens; -1 when absent */
    int32_t prompt_tokens;
    int32_t inputs;                  /* texts to embed, passages to rank */
    int32_t dimensions;              /* -1 when absent */
    const char *model;               /* as it stands in the body: escapes stay; NULL when absent */
    size_t model_length;
} api_request;

/* What reads bodies: compiled paths, the matches of one scan, and the blocks of the last body's prompts (of those to be
 * answered in tokens, when block_tokens is not 0). Not for two threads at once. */
typedef struct {
    json_paths *paths[API_COUNT];
    json_paths *elements[API_COUNT]; /* the elements of a list of prompts or inputs */
    json_match *matches;
    int room;
    prompt_blocks blocks;
} body_reader;

/* block_tokens: 0 when no blocks are wanted. false: memory out; body_reader_free is allowed nevertheless. */
bool body_reader_init(body_reader *reader, uint32_t block_tokens);
void body_reader_free(body_reader *reader);

/* Fills *request; its model points into body. NULL, or why the body is refused (static text; *param names
 * the field or is NULL): the server answers 400 then. */
const char *body_read(body_reader *reader, api_kind kind, const char *body, size_t length, api_request *request,
                     const char **param);

/* Words of a JSON string's raw bytes. */
int64_t body_count_words(const char *text, size_t length);

#endif

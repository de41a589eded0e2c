/* body.h: parses the JSON body of a request to the simulated server.
 *
 * Prompts are counted, not tokenised. Each token id counts as one token. A text counts one token per word, where a word is a run of
 * bytes without space, tab and line ends (escaped or not), over all messages and all parts of the type text. This is the true number
 * of tokens for prompts made of words that are one token each. */
#ifndef TT_SERVER_BODY_H
#define TT_SERVER_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parse/json.h"
#include "server/request/blocks.h"

#define API_MAX_TOKENS (1 << 20)     /* output tokens of one request */
#define API_MAX_INPUTS 2048          /* texts of one embeddings request; OpenAI's limit */
#define API_MAX_DIMENSIONS 4096
#define API_MAX_MODEL 512            /* bytes of a model's name */
#define API_MAX_PARTS (1 << 20)      /* messages, parts and prompts of one request */

/* The APIs, in the order of wire.c's dialects and of server_endpoint. */
typedef enum {
    API_CHAT, API_COMPLETION, API_EMBEDDING, API_RESPONSES, API_MESSAGES, API_OLLAMA_CHAT, API_OLLAMA_GENERATE, API_TGI, API_TRITON,
    API_KSERVE, API_SGLANG, API_NIM_RANKING, API_COHERE_RANKING, API_TEI_RANKING, API_COUNT
} api_kind;

/* Returns true when the answers of an API have output tokens. */
static inline bool api_generates(api_kind kind) { return kind != API_EMBEDDING && kind < API_NIM_RANKING; }

typedef struct {
    api_kind kind;
    bool stream;
    bool include_usage;              /* stream_options.include_usage, or the API's equivalent */
    bool continuous_usage;           /* stream_options.continuous_usage_stats */
    bool base64;                     /* encoding_format: base64 */
    int32_t max_tokens;              /* max_completion_tokens, else max_tokens; -1 when absent */
    int32_t prompt_tokens;
    int32_t inputs;                  /* texts to embed, passages to rank */
    int32_t dimensions;              /* -1 when absent */
    const char *model;               /* raw bytes within the body, with JSON escapes; NULL when absent */
    size_t model_length;
} api_request;

/* A parser of bodies: compiled paths, the matches of one scan, and the blocks of the last body's prompts (if the API generates
 * tokens and block_tokens is not 0). Not for two threads at once. */
typedef struct {
    json_paths *paths[API_COUNT];
    json_paths *elements[API_COUNT]; /* paths to the elements of a list of prompts or inputs */
    json_match *matches;
    int room;
    prompt_blocks blocks;
} body_reader;

/* Makes a parser. block_tokens: 0: compute no blocks. Returns false when memory is out; body_reader_free must be called even then. */
bool body_reader_init(body_reader *reader, uint32_t block_tokens);
void body_reader_free(body_reader *reader);

/* Parses a body into *request, whose model points into the body. Returns NULL, or static text that says why the body is refused;
 * *param is then the field that is wrong, or NULL. The server answers such a body with 400. */
const char *body_read(body_reader *reader, api_kind kind, const char *body, size_t length, api_request *request,
                     const char **param);

/* Returns the number of words in the raw bytes of a JSON string. */
int64_t body_count_words(const char *text, size_t length);

#endif

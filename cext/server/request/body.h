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

#define ASK_MAX_TOKENS (1 << 20)     /* output tokens of one request */
#define ASK_MAX_INPUTS 2048          /* texts of one embeddings request, as OpenAI's */
#define ASK_MAX_DIMENSIONS 4096
#define ASK_MAX_MODEL 512            /* bytes of a model's name */
#define ASK_MAX_PARTS (1 << 20)      /* messages, parts and prompts of one request */

/* The APIs, in the order of wire.c's dialects and of server_endpoint. */
typedef enum {
    ASK_CHAT, ASK_COMPLETION, ASK_EMBEDDING, ASK_RESPONSES, ASK_MESSAGES, ASK_OLLAMA_CHAT, ASK_OLLAMA_GENERATE, ASK_TGI, ASK_TRITON,
    ASK_KSERVE, ASK_SGLANG, ASK_NIM_RANKING, ASK_COHERE_RANKING, ASK_TEI_RANKING, ASK_KINDS
} ask_kind;

/* Whether an answer has output tokens. */
static inline bool ask_generates(ask_kind kind) { return kind != ASK_EMBEDDING && kind < ASK_NIM_RANKING; }

typedef struct {
    ask_kind kind;
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
} server_ask;

/* What reads bodies: compiled paths, the matches of one scan, and the blocks of the last body's prompts (of those to be
 * answered in tokens, when block_tokens is not 0). Not for two threads at once. */
typedef struct {
    json_paths *paths[ASK_KINDS];
    json_paths *elements[ASK_KINDS]; /* the elements of a list of prompts or inputs */
    json_match *matches;
    int room;
    prompt_blocks blocks;
} ask_reader;

/* block_tokens: 0 when no blocks are wanted. false: memory out; ask_reader_free is allowed nevertheless. */
bool ask_reader_init(ask_reader *reader, uint32_t block_tokens);
void ask_reader_free(ask_reader *reader);

/* Fills *ask; its model points into body. NULL, or why the body is refused (static text; *param names
 * the field or is NULL): the server answers 400 then. */
const char *ask_read(ask_reader *reader, ask_kind kind, const char *body, size_t length, server_ask *ask,
                     const char **param);

/* Words of a JSON string's raw bytes. */
int64_t ask_count_words(const char *text, size_t length);

#endif

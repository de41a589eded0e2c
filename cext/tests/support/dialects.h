/* dialects.h: a dialect with every part in it, for tests. */
#ifndef TT_DIALECTS_H
#define TT_DIALECTS_H

#include "response/event.h"

#include <stdlib.h>

typedef struct { const char *path; event_role role; } dialect_path;
typedef struct { const char *name; event_kind kind; } dialect_type;

static const dialect_path CHAT_PATHS[] = {
    {"choices[].delta.content", ROLE_TEXT},
    {"choices[].message.content", ROLE_TEXT},
    {"choices[].text", ROLE_TEXT},
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
    {"stop", ROLE_END},
    {0},
};

static const dialect_path RESPONSES_PATHS[] = {
    {"type", ROLE_TYPE},
    {"delta", ROLE_TEXT},
    {"delta.thinking", ROLE_REASONING},
    {"delta.partial_json", ROLE_TOOL},
    {"delta.text", ROLE_TEXT},
    {"response.id", ROLE_ID},
    {"response.error", ROLE_ERROR},
    {"response.usage.input_tokens", ROLE_INPUT_TOKENS},
    {"response.usage.output_tokens", ROLE_OUTPUT_TOKENS},
    {0},
};

static const dialect_type RESPONSES_TYPES[] = {
    {"response.created", KIND_ROLE},
    {"response.output_text.delta", KIND_TOKEN},
    {"response.reasoning_text.delta", KIND_REASONING},
    {"response.function_call_arguments.delta", KIND_TOOL_CALL},
    {"content_block_delta", KIND_TOKEN},
    {"message_delta", KIND_USAGE},
    {"ping", KIND_COMMENT},
    {"response.completed", KIND_DONE},
    {"response.failed", KIND_ERROR},
    {0},
};

static const dialect_path SO_FAR_PATHS[] = {
    {"text", ROLE_TEXT_SO_FAR},
    {"token.text", ROLE_TEXT},
    {"generated_text", ROLE_WHOLE_TEXT},
    {"meta_info.completion_tokens", ROLE_OUTPUT_TOKENS},
    {"usage.input_tokens", ROLE_INPUT_TOKENS},
    {"usage.cache_read_input_tokens", ROLE_CACHED_BESIDE},
    {"usage.cache_creation_input_tokens", ROLE_INPUT_BESIDE},
    {"done", ROLE_END},
    {"error", ROLE_ERROR},
    {0},
};

static inline event_dialect *make_dialect(const dialect_path *paths, const dialect_type *types) {
    event_dialect *dialect = event_dialect_new();
    if (!dialect)
        abort();
    for (; paths->path; paths++)
        if (event_dialect_path(dialect, paths->path, paths->role) != 0)
            abort();
    for (; types && types->name; types++)
        if (event_dialect_type(dialect, types->name, types->kind) != 0)
            abort();
    return dialect;
}

#endif

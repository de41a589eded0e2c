#include "server/request/body.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLOT_MODEL, SLOT_STREAM, SLOT_INCLUDE_USAGE, SLOT_CONTINUOUS, SLOT_MAX_TOKENS, SLOT_MAX_COMPLETION, SLOT_PROMPT,
    SLOT_TEXT, SLOT_ENCODING, SLOT_DIMENSIONS, SLOT_ELEMENT, SLOT_TENSOR, SLOT_TENSOR_DATA
};

typedef struct { const char *path; int slot; } path_slot;

/* What an API accepts as a prompt. */
typedef enum {
    PROMPT_ITEMS,      /* a list that is not empty; all texts in it are counted */
    PROMPT_TOKENS,     /* a text, a list of texts, a list of token ids, or a list of such lists */
    PROMPT_TEXT,       /* a text, or a list of token ids */
    PROMPT_ANY,        /* a text, or a list of items */
    PROMPT_TENSORS     /* a list of named tensors */
} prompt_form;

#define GENERATION {"model", SLOT_MODEL}, {"stream", SLOT_STREAM}
#define MESSAGES {"messages", SLOT_PROMPT}, {"messages[].content", SLOT_TEXT}, {"messages[].content[].text", SLOT_TEXT}
#define OPENAI_USAGE {"stream_options.include_usage", SLOT_INCLUDE_USAGE}, {"stream_options.continuous_usage_stats", SLOT_CONTINUOUS}, \
                     {"max_tokens", SLOT_MAX_TOKENS}, {"max_completion_tokens", SLOT_MAX_COMPLETION}

#define MOST_PATHS 12

static const struct {
    const char *prompt;          /* the name of the field */
    prompt_form form;
    bool streams;                /* the default of "stream" */
    path_slot paths[MOST_PATHS];
    const char *elements;
} APIS[API_COUNT] = {
    [API_CHAT] = {"messages", PROMPT_ITEMS, false, {GENERATION, OPENAI_USAGE, MESSAGES}, NULL},
    [API_COMPLETION] = {"prompt", PROMPT_TOKENS, false, {GENERATION, OPENAI_USAGE, {"prompt", SLOT_PROMPT}}, "prompt[]"},
    [API_EMBEDDING] = {"input", PROMPT_TOKENS, false,
                       {{"model", SLOT_MODEL}, {"encoding_format", SLOT_ENCODING}, {"dimensions", SLOT_DIMENSIONS}, {"input", SLOT_PROMPT}},
                       "input[]"},
    [API_RESPONSES] = {"input", PROMPT_ANY, false,
                       {GENERATION, {"max_output_tokens", SLOT_MAX_TOKENS}, {"instructions", SLOT_TEXT}, {"input", SLOT_PROMPT},
                        {"input[].content", SLOT_TEXT}, {"input[].content[].text", SLOT_TEXT}}, NULL},
    [API_MESSAGES] = {"messages", PROMPT_ITEMS, false,
                      {GENERATION, {"max_tokens", SLOT_MAX_TOKENS}, {"system", SLOT_TEXT}, {"system[].text", SLOT_TEXT}, MESSAGES}, NULL},
    [API_OLLAMA_CHAT] = {"messages", PROMPT_ITEMS, true, {GENERATION, {"options.num_predict", SLOT_MAX_TOKENS}, MESSAGES}, NULL},
    [API_OLLAMA_GENERATE] = {"prompt", PROMPT_TEXT, true,
                             {GENERATION, {"options.num_predict", SLOT_MAX_TOKENS}, {"system", SLOT_TEXT}, {"prompt", SLOT_PROMPT}}, NULL},
    [API_TGI] = {"inputs", PROMPT_TEXT, false,
                 {{"parameters.max_new_tokens", SLOT_MAX_TOKENS}, {"parameters.details", SLOT_INCLUDE_USAGE}, {"inputs", SLOT_PROMPT}}, NULL},
    [API_TRITON] = {"text_input", PROMPT_TEXT, false,
                    {{"max_tokens", SLOT_MAX_TOKENS}, {"parameters.max_tokens", SLOT_MAX_TOKENS}, {"text_input", SLOT_PROMPT}}, NULL},
    [API_KSERVE] = {"inputs", PROMPT_TENSORS, false,
                    {{"inputs[].name", SLOT_TENSOR}, {"inputs[].data[]", SLOT_TENSOR_DATA}, {"inputs", SLOT_PROMPT}}, NULL},
    [API_SGLANG] = {"text", PROMPT_TEXT, false,
                    {{"stream", SLOT_STREAM}, {"sampling_params.max_new_tokens", SLOT_MAX_TOKENS}, {"text", SLOT_PROMPT},
                     {"input_ids", SLOT_PROMPT}}, NULL},
    [API_NIM_RANKING] = {"passages", PROMPT_ITEMS, false,
                         {{"model", SLOT_MODEL}, {"query.text", SLOT_TEXT}, {"passages", SLOT_PROMPT}, {"passages[].text", SLOT_TEXT}}, NULL},
    [API_COHERE_RANKING] = {"documents", PROMPT_ITEMS, false,
                            {{"model", SLOT_MODEL}, {"query", SLOT_TEXT}, {"documents", SLOT_PROMPT}, {"documents[]", SLOT_TEXT},
                             {"documents[].text", SLOT_TEXT}}, NULL},
    [API_TEI_RANKING] = {"texts", PROMPT_ITEMS, false, {{"query", SLOT_TEXT}, {"texts", SLOT_PROMPT}, {"texts[]", SLOT_TEXT}}, NULL},
};

static json_paths *compile(const path_slot *list, int count) {
    json_paths *paths = json_paths_new();
    for (int i = 0; paths && i < count && list[i].path; i++)
        if (json_paths_add(paths, list[i].path, list[i].slot) != 0) {
            json_paths_free(paths);
            return NULL;
        }
    return paths;
}

bool body_reader_init(body_reader *reader, uint32_t block_tokens) {
    *reader = (body_reader){.room = 256};
    blocks_init(&reader->blocks, block_tokens);
    reader->matches = malloc((size_t)reader->room * sizeof *reader->matches);
    bool ready = reader->matches != NULL;
    for (int kind = 0; ready && kind < API_COUNT; kind++) {
        path_slot elements = {APIS[kind].elements, SLOT_ELEMENT};
        reader->paths[kind] = compile(APIS[kind].paths, MOST_PATHS);
        reader->elements[kind] = elements.path ? compile(&elements, 1) : NULL;
        ready = reader->paths[kind] && (reader->elements[kind] || !elements.path);
    }
    return ready;
}

void body_reader_free(body_reader *reader) {
    for (int kind = 0; kind < API_COUNT; kind++) {
        json_paths_free(reader->paths[kind]);
        json_paths_free(reader->elements[kind]);
    }
    free(reader->matches);
    blocks_free(&reader->blocks);
    *reader = (body_reader){0};
}

/* Scans a text and makes room for all matches. Returns their number, JSON_MALFORMED, or -2 for more than API_MAX_PARTS. */
static int scan(body_reader *reader, const json_paths *paths, const char *body, size_t length) {
    for (;;) {
        int found = json_scan(paths, body, length, reader->matches, reader->room, NULL);
        if (found < reader->room)
            return found;
        if (reader->room >= API_MAX_PARTS)
            return -2;
        json_match *grown = realloc(reader->matches, (size_t)reader->room * 4 * sizeof *grown);
        if (!grown)
            return -2;
        reader->matches = grown;
        reader->room *= 4;
    }
}

/* Computed without branches: see body_count_words. */
static inline int is_space(unsigned char c) { return (c == ' ') | (c == '\t') | (c == '\n') | (c == '\r'); }

int64_t body_count_words(const char *text, size_t length) {
    int64_t words = 0;
    if (!length || !memchr(text, '\\', length)) {
        /* Without branches, and with one-byte counters in blocks too short to overflow them, the compiler makes vector code. */
        if (length)
            words = !is_space((unsigned char)text[0]);
        for (size_t at = 1; at < length; at += 128) {
            size_t end = length - at < 128 ? length : at + 128;
            uint8_t starts = 0;
            for (size_t i = at; i < end; i++)
                starts += (uint8_t)(is_space((unsigned char)text[i - 1]) & !is_space((unsigned char)text[i]));
            words += starts;
        }
        return words;
    }
    bool inside = false;
    for (size_t i = 0; i < length; i++) {
        bool space = is_space((unsigned char)text[i]);
        if (text[i] == '\\' && i + 1 < length) {
            char escaped = text[++i];
            space = escaped == 'n' || escaped == 't' || escaped == 'r';
        }
        words += !space && !inside;
        inside = !space;
    }
    return words;
}

static bool wants_blocks(const body_reader *reader, api_kind kind) {
    return reader->blocks.block_tokens && api_generates(kind);
}

/* Returns the number of tokens of a piece of a prompt: a text or a list of ids. */
static int64_t count_piece(body_reader *reader, api_kind kind, const json_match *piece) {
    bool text = piece->type == JSON_STRING;
    if (!wants_blocks(reader, kind))
        return text ? body_count_words(piece->start, piece->length) : piece->count;
    return text ? blocks_add_text(&reader->blocks, piece->start, piece->length)
                : blocks_add_ids(&reader->blocks, piece->start, piece->length);
}

static void end_prompt(body_reader *reader, api_kind kind) {
    if (wants_blocks(reader, kind))
        blocks_end_prompt(&reader->blocks);
}

/* Counts the tokens of a prompt that is one text or one list of token ids. Returns NULL or why it is refused. */
static const char *count_text(body_reader *reader, const json_match *prompt, api_request *request, int64_t *tokens) {
    bool ids = prompt->type == JSON_ARRAY && prompt->count > 0;
    if (prompt->type != JSON_STRING && !ids)
        return "must be a text, or a list of token ids";
    *tokens += count_piece(reader, request->kind, prompt);
    return NULL;
}

/* Counts the tokens of a prompt or input: a text, a list of token ids, or a list of either. Returns NULL or why it is refused. */
static const char *count_prompt(body_reader *reader, const json_match *prompt, const char *body, size_t length,
                                api_request *request, int64_t *tokens) {
    request->inputs = 1;
    if (prompt->type == JSON_STRING) {
        *tokens = count_piece(reader, request->kind, prompt);
        end_prompt(reader, request->kind);
        return NULL;
    }
    if (prompt->type != JSON_ARRAY || prompt->count == 0)
        return "must be a text, a list of texts, a list of token ids, or a list of such lists";
    const char *first = prompt->start + 1;
    while (is_space((unsigned char)*first))
        first++;
    if (*first != '"' && *first != '[') {
        if (*first < '0' || *first > '9')
            return "must hold texts or token ids";
        *tokens = prompt->count;
        count_piece(reader, request->kind, prompt);
        end_prompt(reader, request->kind);
        return NULL;
    }
    int found = scan(reader, reader->elements[request->kind], body, length);
    if (found < 0)
        return "holds too many texts";
    *tokens = 0;
    for (int i = 0; i < found; i++) {
        const json_match *element = &reader->matches[i];
        if (element->type != JSON_STRING && element->type != JSON_ARRAY)
            return "must hold texts or lists of token ids";
        *tokens += count_piece(reader, request->kind, element);
        end_prompt(reader, request->kind);
    }
    request->inputs = found;
    return NULL;
}

/* Reads a whole number from 1 to `most`; null becomes -1. Returns NULL or why it is refused. */
static const char *read_count(const json_match *match, int64_t most, int32_t *count) {
    if (match->type == JSON_NULL)
        return NULL;
    int64_t number = json_integer(match, 0);
    if (number < 1 || number > most)
        return most == API_MAX_TOKENS ? "must be an integer from 1 to 1048576" : "must be an integer from 1 to 4096";
    *count = (int32_t)number;
    return NULL;
}

static const char *read_flag(const json_match *match, bool *flag) {
    if (match->type != JSON_TRUE && match->type != JSON_FALSE && match->type != JSON_NULL)
        return "must be true or false";
    *flag = match->type == JSON_TRUE;
    return NULL;
}

static const char *read_model(const json_match *match, api_request *request) {
    if (match->type != JSON_STRING)
        return "must be a string";
    if (match->length > API_MAX_MODEL)
        return "is over 512 bytes";
    request->model = match->start;
    request->model_length = match->length;
    return NULL;
}

/* What is checked after the whole body has been read. */
typedef struct {
    json_match prompt;           /* slot -1: the body has no prompt */
    int64_t tokens;
    int32_t max_tokens, max_completion;
    bool length_follows;         /* the current tensor holds max_tokens */
} body_facts;

static const char *take(body_reader *reader, const json_match *match, api_request *request, body_facts *facts, const char **param) {
    static const char MAX_TOKENS[] = "max_tokens";
    switch (match->slot) {
    case SLOT_MODEL: *param = "model"; return read_model(match, request);
    case SLOT_STREAM: *param = "stream"; return match->type == JSON_NULL ? NULL : read_flag(match, &request->stream);
    case SLOT_INCLUDE_USAGE: *param = "stream_options"; return read_flag(match, &request->include_usage);
    case SLOT_CONTINUOUS: *param = "stream_options"; return read_flag(match, &request->continuous_usage);
    case SLOT_MAX_TOKENS: *param = MAX_TOKENS; return read_count(match, API_MAX_TOKENS, &facts->max_tokens);
    case SLOT_MAX_COMPLETION:
        *param = "max_completion_tokens";
        return read_count(match, API_MAX_TOKENS, &facts->max_completion);
    case SLOT_DIMENSIONS: *param = "dimensions"; return read_count(match, API_MAX_DIMENSIONS, &request->dimensions);
    case SLOT_ENCODING:
        *param = "encoding_format";
        request->base64 = match->type == JSON_STRING && match->length == 6 && memcmp(match->start, "base64", 6) == 0;
        if (!request->base64 && match->type != JSON_NULL &&
            (match->type != JSON_STRING || match->length != 5 || memcmp(match->start, "float", 5) != 0))
            return "must be float or base64";
        return NULL;
    case SLOT_TENSOR:
        facts->length_follows = match->length == sizeof MAX_TOKENS - 1 && memcmp(match->start, MAX_TOKENS, match->length) == 0;
        return NULL;
    case SLOT_TENSOR_DATA:
        *param = MAX_TOKENS;
        if (facts->length_follows)
            return read_count(match, API_MAX_TOKENS, &facts->max_tokens);
        /* fall through */
    case SLOT_TEXT:
        if (match->type == JSON_STRING)
            facts->tokens += count_piece(reader, request->kind, match);
        return NULL;
    default: facts->prompt = *match; return NULL;
    }
}

static const char *count_all(body_reader *reader, const char *body, size_t length, api_request *request, body_facts *facts) {
    const json_match *prompt = &facts->prompt;
    prompt_form form = APIS[request->kind].form;
    if (form == PROMPT_TOKENS)
        return count_prompt(reader, prompt, body, length, request, &facts->tokens);
    const char *refusal = NULL;
    if (form == PROMPT_TEXT || (form == PROMPT_ANY && prompt->type == JSON_STRING))
        refusal = count_text(reader, prompt, request, &facts->tokens);
    else if (prompt->type != JSON_ARRAY || !prompt->count)
        refusal = request->kind == API_CHAT ? "must be a list of messages that is not empty" : "must be a list that is not empty";
    else if (!api_generates(request->kind))
        request->inputs = prompt->count < API_MAX_INPUTS ? (int32_t)prompt->count : API_MAX_INPUTS + 1;
    end_prompt(reader, request->kind);
    return refusal;
}

const char *body_read(body_reader *reader, api_kind kind, const char *body, size_t length, api_request *request,
                     const char **param) {
    *request = (api_request){.kind = kind, .max_tokens = -1, .dimensions = -1, .inputs = 1, .stream = APIS[kind].streams};
    *param = NULL;
    blocks_restart(&reader->blocks);
    int found = length ? scan(reader, reader->paths[kind], body, length) : JSON_MALFORMED;
    if (found == JSON_MALFORMED)
        return "the body is not valid JSON";
    if (found < 0)
        return "the request has too many parts";
    while (length && is_space((unsigned char)*body))
        body++, length--;
    if (*body != '{')
        return "the body must be a JSON object";

    body_facts facts = {.prompt.slot = -1, .max_tokens = -1, .max_completion = -1};
    for (int i = 0; i < found; i++) {
        const char *refusal = take(reader, &reader->matches[i], request, &facts, param);
        if (refusal)
            return refusal;
    }
    *param = APIS[kind].prompt;
    if (facts.prompt.slot < 0)
        return "is required";
    const char *refusal = count_all(reader, body, length, request, &facts);
    if (refusal)
        return refusal;
    if (request->inputs > API_MAX_INPUTS && !api_generates(kind))
        return "holds more than 2048 texts";
    *param = NULL;
    request->max_tokens = facts.max_completion > 0 ? facts.max_completion : facts.max_tokens;
    request->prompt_tokens = (int32_t)facts.tokens;
    return NULL;
}

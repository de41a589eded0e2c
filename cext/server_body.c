#include "server_body.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLOT_MODEL, SLOT_STREAM, SLOT_INCLUDE_USAGE, SLOT_CONTINUOUS, SLOT_MAX_TOKENS, SLOT_MAX_COMPLETION, SLOT_PROMPT,
    SLOT_TEXT, SLOT_ENCODING, SLOT_DIMENSIONS, SLOT_ELEMENT
};

typedef struct { const char *path; int slot; } path_slot;

static const path_slot GENERATION_PATHS[] = {
    {"model", SLOT_MODEL}, {"stream", SLOT_STREAM}, {"stream_options.include_usage", SLOT_INCLUDE_USAGE},
    {"stream_options.continuous_usage_stats", SLOT_CONTINUOUS}, {"max_tokens", SLOT_MAX_TOKENS},
    {"max_completion_tokens", SLOT_MAX_COMPLETION}, {NULL, 0}};
static const path_slot CHAT_PATHS[] = {
    {"messages", SLOT_PROMPT}, {"messages[].content", SLOT_TEXT}, {"messages[].content[].text", SLOT_TEXT}, {NULL, 0}};
static const path_slot COMPLETION_PATHS[] = {{"prompt", SLOT_PROMPT}, {NULL, 0}};
static const path_slot EMBEDDING_PATHS[] = {
    {"model", SLOT_MODEL}, {"encoding_format", SLOT_ENCODING}, {"dimensions", SLOT_DIMENSIONS}, {"input", SLOT_PROMPT},
    {NULL, 0}};
static const path_slot PROMPT_ELEMENTS[] = {{"prompt[]", SLOT_ELEMENT}, {NULL, 0}};
static const path_slot INPUT_ELEMENTS[] = {{"input[]", SLOT_ELEMENT}, {NULL, 0}};

static bool add_paths(json_paths **paths, const path_slot *list) {
    if (!*paths && !(*paths = json_paths_new()))
        return false;
    for (; list->path; list++)
        if (json_paths_add(*paths, list->path, list->slot) != 0)
            return false;
    return true;
}

bool ask_reader_init(ask_reader *reader, uint32_t block_tokens) {
    *reader = (ask_reader){.room = 256};
    blocks_init(&reader->blocks, block_tokens);
    reader->matches = malloc((size_t)reader->room * sizeof *reader->matches);
    return reader->matches && add_paths(&reader->paths[ASK_CHAT], GENERATION_PATHS) &&
           add_paths(&reader->paths[ASK_CHAT], CHAT_PATHS) &&
           add_paths(&reader->paths[ASK_COMPLETION], GENERATION_PATHS) &&
           add_paths(&reader->paths[ASK_COMPLETION], COMPLETION_PATHS) &&
           add_paths(&reader->paths[ASK_EMBEDDING], EMBEDDING_PATHS) &&
           add_paths(&reader->elements[ASK_COMPLETION], PROMPT_ELEMENTS) &&
           add_paths(&reader->elements[ASK_EMBEDDING], INPUT_ELEMENTS);
}

void ask_reader_free(ask_reader *reader) {
    for (int kind = 0; kind < ASK_KINDS; kind++) {
        json_paths_free(reader->paths[kind]);
        json_paths_free(reader->elements[kind]);
    }
    free(reader->matches);
    blocks_free(&reader->blocks);
    *reader = (ask_reader){0};
}

/* Scans with room for every match. Their number, JSON_MALFORMED, or -2 when there are more than ASK_MAX_PARTS. */
static int scan(ask_reader *reader, const json_paths *paths, const char *body, size_t length) {
    for (;;) {
        int found = json_scan(paths, body, length, reader->matches, reader->room, NULL);
        if (found < reader->room)
            return found;
        if (reader->room >= ASK_MAX_PARTS)
            return -2;
        json_match *grown = realloc(reader->matches, (size_t)reader->room * 4 * sizeof *grown);
        if (!grown)
            return -2;
        reader->matches = grown;
        reader->room *= 4;
    }
}

/* Bits, not branches: see ask_count_words. */
static inline int is_space(unsigned char c) { return (c == ' ') | (c == '\t') | (c == '\n') | (c == '\r'); }

int64_t ask_count_words(const char *text, size_t length) {
    int64_t words = 0;
    if (!length || !memchr(text, '\\', length)) {
        /* No branch, and counts of a byte each within blocks that cannot overflow them: vector code comes of it. */
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

static bool wants_blocks(const ask_reader *reader, ask_kind kind) {
    return reader->blocks.block_tokens && kind != ASK_EMBEDDING;
}

/* The tokens of one piece of a prompt: a text or a list of ids. */
static int64_t count_piece(ask_reader *reader, ask_kind kind, const json_match *piece) {
    bool text = piece->type == JSON_STRING;
    if (!wants_blocks(reader, kind))
        return text ? ask_count_words(piece->start, piece->length) : piece->count;
    return text ? blocks_add_text(&reader->blocks, piece->start, piece->length)
                : blocks_add_ids(&reader->blocks, piece->start, piece->length);
}

static void end_prompt(ask_reader *reader, ask_kind kind) {
    if (wants_blocks(reader, kind))
        blocks_end_prompt(&reader->blocks);
}

/* The tokens of a prompt or input: a text, a list of token ids, or a list of either. NULL or why not. */
static const char *count_prompt(ask_reader *reader, const json_match *prompt, const char *body, size_t length,
                                server_ask *ask, int64_t *tokens) {
    ask->inputs = 1;
    if (prompt->type == JSON_STRING) {
        *tokens = count_piece(reader, ask->kind, prompt);
        end_prompt(reader, ask->kind);
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
        count_piece(reader, ask->kind, prompt);
        end_prompt(reader, ask->kind);
        return NULL;
    }
    int found = scan(reader, reader->elements[ask->kind], body, length);
    if (found < 0)
        return "holds too many texts";
    *tokens = 0;
    for (int i = 0; i < found; i++) {
        const json_match *element = &reader->matches[i];
        if (element->type != JSON_STRING && element->type != JSON_ARRAY)
            return "must hold texts or lists of token ids";
        *tokens += count_piece(reader, ask->kind, element);
        end_prompt(reader, ask->kind);
    }
    ask->inputs = found;
    return NULL;
}

/* A count between 1 and most; -1 for null. */
static const char *read_count(const json_match *match, int64_t most, int32_t *count) {
    if (match->type == JSON_NULL)
        return NULL;
    int64_t number = json_integer(match, 0);
    if (number < 1 || number > most)
        return most == ASK_MAX_TOKENS ? "must be an integer from 1 to 1048576" : "must be an integer from 1 to 4096";
    *count = (int32_t)number;
    return NULL;
}

static const char *read_flag(const json_match *match, bool *flag) {
    if (match->type != JSON_TRUE && match->type != JSON_FALSE && match->type != JSON_NULL)
        return "must be true or false";
    *flag = match->type == JSON_TRUE;
    return NULL;
}

static const char *read_model(const json_match *match, server_ask *ask) {
    if (match->type != JSON_STRING)
        return "must be a string";
    if (match->length > ASK_MAX_MODEL)
        return "is over 512 bytes";
    ask->model = match->start;
    ask->model_length = match->length;
    return NULL;
}

const char *ask_read(ask_reader *reader, ask_kind kind, const char *body, size_t length, server_ask *ask,
                     const char **param) {
    static const char *const PROMPT_NAMES[] = {"messages", "prompt", "input"};
    *ask = (server_ask){.kind = kind, .max_tokens = -1, .dimensions = -1, .inputs = 1};
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

    int32_t max_tokens = -1, max_completion = -1;
    int64_t tokens = 0;
    json_match prompt = {.slot = -1};
    const char *refusal = NULL;
    for (int i = 0; i < found && !refusal; i++) {
        const json_match *match = &reader->matches[i];
        switch (match->slot) {
        case SLOT_MODEL: *param = "model"; refusal = read_model(match, ask); break;
        case SLOT_STREAM: *param = "stream"; refusal = read_flag(match, &ask->stream); break;
        case SLOT_INCLUDE_USAGE: *param = "stream_options"; refusal = read_flag(match, &ask->include_usage); break;
        case SLOT_CONTINUOUS: *param = "stream_options"; refusal = read_flag(match, &ask->continuous_usage); break;
        case SLOT_MAX_TOKENS: *param = "max_tokens"; refusal = read_count(match, ASK_MAX_TOKENS, &max_tokens); break;
        case SLOT_MAX_COMPLETION:
            *param = "max_completion_tokens";
            refusal = read_count(match, ASK_MAX_TOKENS, &max_completion);
            break;
        case SLOT_DIMENSIONS:
            *param = "dimensions";
            refusal = read_count(match, ASK_MAX_DIMENSIONS, &ask->dimensions);
            break;
        case SLOT_ENCODING:
            *param = "encoding_format";
            ask->base64 = match->type == JSON_STRING && match->length == 6 && memcmp(match->start, "base64", 6) == 0;
            if (!ask->base64 && match->type != JSON_NULL &&
                (match->type != JSON_STRING || match->length != 5 || memcmp(match->start, "float", 5) != 0))
                refusal = "must be float or base64";
            break;
        case SLOT_TEXT:
            if (match->type == JSON_STRING)
                tokens += count_piece(reader, kind, match);
            break;
        default: prompt = *match; break;
        }
    }
    if (refusal)
        return refusal;
    *param = PROMPT_NAMES[kind];
    if (prompt.slot < 0)
        return "is required";
    if (kind == ASK_CHAT)
        refusal = prompt.type == JSON_ARRAY && prompt.count ? NULL : "must be a list of messages that is not empty";
    else
        refusal = count_prompt(reader, &prompt, body, length, ask, &tokens);
    if (refusal)
        return refusal;
    if (kind == ASK_EMBEDDING && ask->inputs > ASK_MAX_INPUTS)
        return "holds more than 2048 texts";
    if (kind == ASK_CHAT)
        end_prompt(reader, kind);
    *param = NULL;
    ask->max_tokens = max_completion > 0 ? max_completion : max_tokens;
    ask->prompt_tokens = (int32_t)tokens;
    return NULL;
}

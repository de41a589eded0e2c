#include "response/event.h"

#include "parse/json.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TYPES 64
#define TYPE_BYTES 64        /* of a type's name, with its NUL */
#define USUAL_MATCHES 32     /* on the stack: a chunk of one choice has under ten */
#define MOST_MATCHES 4096    /* on the heap: a fake stream of many choices in one event */

typedef struct {
    char name[TYPE_BYTES];
    uint8_t length;
    uint8_t kind;
} typed;

struct event_dialect {
    json_paths *paths;       /* a path's slot is its role */
    int type_count;
    typed types[MAX_TYPES];
};

event_dialect *event_dialect_new(void) {
    event_dialect *dialect = calloc(1, sizeof *dialect);
    if (!dialect)
        return NULL;
    dialect->paths = json_paths_new();
    if (!dialect->paths) {
        free(dialect);
        return NULL;
    }
    return dialect;
}

void event_dialect_free(event_dialect *dialect) {
    if (!dialect)
        return;
    json_paths_free(dialect->paths);
    free(dialect);
}

int event_dialect_path(event_dialect *dialect, const char *path, event_role role) {
    if ((unsigned)role >= ROLE_COUNT)
        return -1;
    return json_paths_add(dialect->paths, path, (int)role);
}

static const typed *find_type(const event_dialect *dialect, const char *name, size_t length) {
    for (const typed *type = dialect->types; type < dialect->types + dialect->type_count; type++)
        if (type->length == length && memcmp(type->name, name, length) == 0)
            return type;
    return NULL;
}

int event_dialect_type(event_dialect *dialect, const char *type, event_kind kind) {
    size_t length = strlen(type);
    if (length >= TYPE_BYTES || dialect->type_count == MAX_TYPES || (unsigned)kind >= KIND_COUNT
        || find_type(dialect, type, length))
        return -1;
    typed *fresh = &dialect->types[dialect->type_count++];
    memcpy(fresh->name, type, length + 1);
    fresh->length = (uint8_t)length;
    fresh->kind = (uint8_t)kind;
    return 0;
}

/* What the values at the dialect's paths said, before it is weighed. */
typedef struct {
    event_span text, reasoning, tool, media;   /* the first non-empty of each */
    event_span type;
    int64_t beside;                        /* input tokens that stand beside the input's own count */
    bool has_text, has_reasoning;          /* a string was there, be it empty */
    bool speaker, usage, error, end, unfinished;
} findings;

static inline bool is_empty(const json_match *match) {
    switch (match->type) {
    case JSON_STRING: return match->length == 0;
    case JSON_ARRAY:
    case JSON_OBJECT: return match->count == 0;
    default: return match->type == JSON_NULL;
    }
}

static inline void keep_first(event_span *span, const json_match *match) {
    if (!span->start && !is_empty(match))
        *span = (event_span){match->start, match->length};
}

static inline void keep_count(int64_t *count, const json_match *match, findings *seen) {
    int64_t value = json_integer(match, -1);
    if (value < 0)
        return;
    *count = value;
    seen->usage = true;
}

static inline void add_beside(const json_match *match, findings *seen) {
    int64_t value = json_integer(match, -1);
    if (value > 0 && value <= INT32_MAX && seen->beside <= INT32_MAX)
        seen->beside += value;
}

static inline void take(const json_match *match, findings *seen, event_scan_result *result) {
    bool string = match->type == JSON_STRING;
    switch ((event_role)match->slot) {
    case ROLE_TEXT:
        seen->has_text |= string;
        if (string)
            keep_first(&seen->text, match);
        break;
    case ROLE_REASONING:
        seen->has_reasoning |= string;
        if (string)
            keep_first(&seen->reasoning, match);
        break;
    case ROLE_TOOL: keep_first(&seen->tool, match); break;
    case ROLE_SPEAKER: seen->speaker |= string && match->length; break;
    case ROLE_FINISH:
        if (string)
            keep_first(&result->finish, match);
        seen->unfinished |= match->type == JSON_NULL;
        break;
    case ROLE_FINISH_MESSAGE:
        if (string)
            keep_first(&result->finish_message, match);
        break;
    case ROLE_MEDIA: keep_first(&seen->media, match); break;
    case ROLE_INPUT_TOKENS: keep_count(&result->input_tokens, match, seen); break;
    case ROLE_OUTPUT_TOKENS: keep_count(&result->output_tokens, match, seen); break;
    case ROLE_CACHED_TOKENS: keep_count(&result->cached_tokens, match, seen); break;
    case ROLE_REASONING_TOKENS: keep_count(&result->reasoning_tokens, match, seen); break;
    case ROLE_TOKEN_IDS:
        if (match->type == JSON_ARRAY) {
            int64_t sum = (result->token_ids < 0 ? 0 : result->token_ids) + match->count;
            result->token_ids = sum < INT32_MAX ? (int32_t)sum : INT32_MAX;
        }
        break;
    case ROLE_ID:
        if (string)
            keep_first(&result->id, match);
        break;
    case ROLE_ERROR:
        if (match->type != JSON_NULL && !seen->error) {
            seen->error = true;
            result->error = (event_span){match->start, match->length};
        }
        break;
    case ROLE_TYPE:
        if (string && !seen->type.start)
            seen->type = (event_span){match->start, match->length};
        break;
    case ROLE_END: seen->end |= match->type == JSON_TRUE; break;
    case ROLE_TEXT_SO_FAR:
        if (string && !seen->text.start) {
            keep_first(&seen->text, match);
            result->so_far = seen->text.start != NULL;
        }
        break;
    case ROLE_WHOLE_TEXT:
        if (string && !result->whole.start)
            result->whole = (event_span){match->start, match->length};
        break;
    case ROLE_CACHED_BESIDE:
        keep_count(&result->cached_tokens, match, seen);
        add_beside(match, seen);
        break;
    case ROLE_INPUT_BESIDE: add_beside(match, seen); break;
    case ROLE_COUNT: break;
    }
}

/* Whether the data was JSON. The common case needs no memory; an event with more values than fit on the stack
 * is read again with room for them. */
static bool read_values(const event_dialect *dialect, const char *data, size_t length,
                        findings *seen, event_scan_result *result) {
    json_match usual[USUAL_MATCHES], *matches = usual, *many = NULL;
    int found;
    bool good = json_scan(dialect->paths, data, length, usual, USUAL_MATCHES, &found) != JSON_MALFORMED;
    if (good && found == USUAL_MATCHES && (many = malloc(MOST_MATCHES * sizeof *many))) {
        matches = many;
        json_scan(dialect->paths, data, length, many, MOST_MATCHES, &found);
    }
    if (good)
        for (int i = 0; i < found; i++)
            take(&matches[i], seen, result);
    free(many);
    if (result->input_tokens >= 0 && result->input_tokens <= INT32_MAX)
        result->input_tokens += seen->beside;
    return good;
}

/* What the text makes of an event, `text_kind` being what a ROLE_TEXT value counts as; KIND_OTHER when there is
 * none. An empty text with token ids is a token whose bytes wait for the rest of a character. */
static event_kind kind_of_text(const findings *seen, const event_scan_result *result, event_kind text_kind) {
    if (seen->text.start || seen->media.start)
        return text_kind;
    if (seen->reasoning.start)
        return KIND_REASONING;
    if (seen->tool.start)
        return KIND_TOOL_CALL;
    if (result->token_ids > 0 && seen->has_text)
        return text_kind;
    if (result->token_ids > 0 && seen->has_reasoning)
        return KIND_REASONING;
    return KIND_OTHER;
}

static inline bool carries_text(event_kind kind) {
    return kind == KIND_TOKEN || kind == KIND_REASONING || kind == KIND_TOOL_CALL;
}

static event_kind weigh(const event_dialect *dialect, const findings *seen, event_scan_result *result) {
    event_kind said = KIND_OTHER;           /* by the type */
    event_kind kind = KIND_OTHER;           /* by the text */
    if (dialect->type_count && seen->type.start) {
        const typed *type = find_type(dialect, seen->type.start, seen->type.length);
        if (type && carries_text((event_kind)type->kind))
            kind = kind_of_text(seen, result, (event_kind)type->kind);
        else if (type)
            said = (event_kind)type->kind;
    } else {
        kind = kind_of_text(seen, result, KIND_TOKEN);
        if (seen->speaker)
            said = KIND_ROLE;
    }
    result->ends = seen->end || said == KIND_DONE || result->whole.start;
    if (seen->error || said == KIND_ERROR)
        return KIND_ERROR;
    if (kind != KIND_OTHER)
        return kind;
    if (result->ends)
        return KIND_DONE;
    return seen->usage ? KIND_USAGE : said;
}

static void settle(const event_dialect *dialect, const findings *seen, event_scan_result *result) {
    result->kind = weigh(dialect, seen, result);
    result->unfinished = seen->unfinished && !dialect->type_count;
    result->text = seen->text.start ? seen->text : seen->reasoning.start ? seen->reasoning : seen->tool;
    if (!result->so_far)
        return;
    findings same = *seen;
    same.text = (event_span){0};
    result->kind_unless_grown = weigh(dialect, &same, result);
}

static inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

void event_scan(const event_dialect *dialect, const char *name, size_t name_length,
                const char *data, size_t data_length, event_scan_result *result) {
    *result = (event_scan_result){.kind = KIND_OTHER, .token_ids = -1, .input_tokens = -1,
                                  .output_tokens = -1, .cached_tokens = -1, .reasoning_tokens = -1};
    while (data_length && is_space(*data))
        data++, data_length--;
    while (data_length && is_space(data[data_length - 1]))
        data_length--;

    bool named_error = name_length == 5 && memcmp(name, "error", 5) == 0;
    if (!named_error) {
        if (data_length == 0 || *data == ':') {
            result->kind = KIND_COMMENT;
            return;
        }
        if (data_length == 6 && memcmp(data, "[DONE]", 6) == 0) {
            result->kind = KIND_DONE;
            result->ends = result->done_marker = true;
            return;
        }
    }
    findings seen = {0};
    if (read_values(dialect, data, data_length, &seen, result)) {
        settle(dialect, &seen, result);
        if (result->kind == KIND_OTHER && !result->finish.start && event_is_error(data, data_length))
            result->kind = KIND_ERROR;
    } else {
        result->malformed = !named_error;
    }
    if (named_error)
        result->kind = KIND_ERROR;
    if (result->kind == KIND_ERROR && !result->error.start && data_length)
        result->error = (event_span){data, data_length};
}

/* What event.h promises, as a table. */
#include "support/check.h"
#include "support/dialects.h"

enum { ENDS = 1, DONE_MARKER = 2, MALFORMED = 4 };

typedef struct {
    const char *name, *data;
    event_kind kind;
    int flags;
    const char *text, *finish, *error;   /* NULL: absent */
    int token_ids, input_tokens, output_tokens;
} row;

#define NO_COUNTS -1, -1, -1
#define DELTA(inside) "{\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{" inside "}}]}"
#define CHOICE(inside) "{\"choices\":[{" inside "}]}"

static const row CHAT_ROWS[] = {
    {"", DELTA("\"content\":\"hi\""), KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"content\":\" \""), KIND_TOKEN, 0, " ", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"content\":\"\\n\\\"\""), KIND_TOKEN, 0, "\\n\\\"", NULL, NULL, NO_COUNTS},
    {"", " " DELTA("\"content\":\"hi\"") "\n", KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"role\":\"assistant\",\"content\":\"hi\""), KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"role\":\"assistant\",\"content\":\"\""), KIND_ROLE, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", DELTA("\"role\":\"assistant\",\"content\":null"), KIND_ROLE, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", DELTA("\"role\":\"assistant\""), KIND_ROLE, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", DELTA("\"role\":null"), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", DELTA(""), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", DELTA("\"content\":\"\""), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", DELTA("\"content\":[\"hi\"]"), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", "{\"choices\":[]}", KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", CHOICE("\"text\":\"hi\""), KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", CHOICE("\"message\":{\"content\":\"all of it\"}"), KIND_TOKEN, 0, "all of it", NULL, NULL, NO_COUNTS},
    {"", "{\"choices\":[{\"text\":\"\"},{\"text\":\"b\"},{\"text\":\"c\"}]}", KIND_TOKEN, 0, "b", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"reasoning_content\":\"hm\""), KIND_REASONING, 0, "hm", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"reasoning\":\"hm\",\"content\":\"\""), KIND_REASONING, 0, "hm", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"reasoning\":\"hm\",\"content\":\"hi\""), KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"tool_calls\":[{\"index\":0}]"), KIND_TOOL_CALL, 0, "[{\"index\":0}]", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"tool_calls\":[]"), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", DELTA("\"tool_calls\":null"), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", DELTA("\"function_call\":{}"), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", DELTA("\"function_call\":{\"name\":\"f\"}"), KIND_TOOL_CALL, 0, "{\"name\":\"f\"}", NULL, NULL, NO_COUNTS},
    {"", DELTA("\"tool_calls\":[1],\"content\":\"hi\""), KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
    /* an empty text with token ids waits for the rest of its character */
    {"", CHOICE("\"delta\":{\"content\":\"\"},\"token_ids\":[240]"), KIND_TOKEN, 0, NULL, NULL, NULL, 1, -1, -1},
    {"", CHOICE("\"delta\":{\"reasoning\":\"\"},\"token_ids\":[240]"), KIND_REASONING, 0, NULL, NULL, NULL, 1, -1, -1},
    {"", CHOICE("\"delta\":{\"content\":\"\"},\"token_ids\":[]"), KIND_OTHER, 0, NULL, NULL, NULL, 0, -1, -1},
    {"", CHOICE("\"delta\":{\"content\":\"\"},\"token_ids\":null"), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", CHOICE("\"delta\":{},\"token_ids\":[240]"), KIND_OTHER, 0, NULL, NULL, NULL, 1, -1, -1},
    {"", CHOICE("\"delta\":{\"content\":\"hi\"},\"token_ids\":[1,2,3]"), KIND_TOKEN, 0, "hi", NULL, NULL, 3, -1, -1},
    {"", "{\"choices\":[{\"text\":\"a\",\"token_ids\":[1]},{\"text\":\"b\",\"token_ids\":[2,3]}]}", KIND_TOKEN, 0, "a", NULL, NULL,
     3, -1, -1},
    /* endings */
    {"", CHOICE("\"delta\":{},\"finish_reason\":\"stop\""), KIND_OTHER, 0, NULL, "stop", NULL, NO_COUNTS},
    {"", CHOICE("\"delta\":{\"content\":\"x\"},\"finish_reason\":\"length\""), KIND_TOKEN, 0, "x", "length", NULL, NO_COUNTS},
    {"", "{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":0}}", KIND_USAGE,
     0, NULL, "stop", NULL, -1, 3, 0},
    {"", "{\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}}", KIND_USAGE, 0, NULL, NULL, NULL, -1, 3, 5},
    {"", "{\"choices\":[],\"usage\":null}", KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", "{\"usage\":{\"prompt_tokens\":null,\"completion_tokens\":-1}}", KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", "{\"usage\":{\"prompt_tokens\":\"3\",\"completion_tokens\":1.5}}", KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", "{\"choices\":[{\"text\":\"x\"}],\"usage\":{\"prompt_tokens\":3}}", KIND_TOKEN, 0, "x", NULL, NULL, -1, 3, -1},
    {"", "{\"choices\":[{\"delta\":{\"role\":\"assistant\"}}],\"usage\":{\"prompt_tokens\":3}}", KIND_USAGE, 0, NULL, NULL, NULL, -1,
     3, -1},
    {"", "[DONE]", KIND_DONE, ENDS | DONE_MARKER, NULL, NULL, NULL, NO_COUNTS},
    {"", " [DONE]\r\n", KIND_DONE, ENDS | DONE_MARKER, NULL, NULL, NULL, NO_COUNTS},
    {"", "{\"stop\":true}", KIND_DONE, ENDS, NULL, NULL, NULL, NO_COUNTS},
    {"", "{\"stop\":true,\"usage\":{\"prompt_tokens\":3}}", KIND_DONE, ENDS, NULL, NULL, NULL, -1, 3, -1},
    {"", "{\"stop\":true,\"choices\":[{\"text\":\"x\"}]}", KIND_TOKEN, ENDS, "x", NULL, NULL, NO_COUNTS},
    {"", "{\"stop\":false}", KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", "{\"stop\":1}", KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    /* errors */
    {"", "{\"error\":{\"code\":500}}", KIND_ERROR, 0, NULL, NULL, "{\"code\":500}", NO_COUNTS},
    {"", "{\"error\":\"no\",\"choices\":[{\"text\":\"x\"}]}", KIND_ERROR, 0, "x", NULL, "no", NO_COUNTS},
    {"", "{\"error\":null,\"choices\":[{\"text\":\"x\"}]}", KIND_TOKEN, 0, "x", NULL, NULL, NO_COUNTS},
    {"error", "it broke", KIND_ERROR, 0, NULL, NULL, "it broke", NO_COUNTS},
    {"error", " {\"code\":500} ", KIND_ERROR, 0, NULL, NULL, "{\"code\":500}", NO_COUNTS},
    {"error", "{\"error\":{\"code\":500}}", KIND_ERROR, 0, NULL, NULL, "{\"code\":500}", NO_COUNTS},
    {"error", "", KIND_ERROR, 0, NULL, NULL, NULL, NO_COUNTS},
    {"error", "[DONE]", KIND_ERROR, 0, NULL, NULL, "[DONE]", NO_COUNTS},
    {"errors", "it broke", KIND_OTHER, MALFORMED, NULL, NULL, NULL, NO_COUNTS},
    /* no JSON */
    {"", "", KIND_COMMENT, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", " ", KIND_COMMENT, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", ": OPENROUTER PROCESSING", KIND_COMMENT, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", "[DONE", KIND_OTHER, MALFORMED, NULL, NULL, NULL, NO_COUNTS},
    {"", "DONE", KIND_OTHER, MALFORMED, NULL, NULL, NULL, NO_COUNTS},
    {"", "{\"choices\":[{\"text\":\"x\"}]", KIND_OTHER, MALFORMED, NULL, NULL, NULL, NO_COUNTS},
    {"", "17", KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", "{\"type\":\"response.created\",\"choices\":[{\"text\":\"x\"}]}", KIND_TOKEN, 0, "x", NULL, NULL, NO_COUNTS},
};

#define TYPED(type, rest) "{\"type\":\"" type "\"" rest "}"

static const row RESPONSES_ROWS[] = {
    {"", TYPED("response.created", ""), KIND_ROLE, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", TYPED("response.created", ",\"response\":{\"usage\":{\"input_tokens\":1}}"), KIND_USAGE, 0, NULL, NULL, NULL, -1, 1, -1},
    {"", TYPED("response.output_text.delta", ",\"delta\":\"hi\""), KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", TYPED("response.output_text.delta", ",\"delta\":\"\""), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", TYPED("response.output_text.delta", ""), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", TYPED("response.output_text.done", ",\"delta\":\"hi\""), KIND_OTHER, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", TYPED("response.reasoning_text.delta", ",\"delta\":\"hm\""), KIND_REASONING, 0, "hm", NULL, NULL, NO_COUNTS},
    {"", TYPED("response.function_call_arguments.delta", ",\"delta\":\"{\""), KIND_TOOL_CALL, 0, "{", NULL, NULL, NO_COUNTS},
    {"", TYPED("response.completed", ",\"response\":{\"error\":null,\"usage\":{\"input_tokens\":1,\"output_tokens\":2}}"), KIND_DONE,
     ENDS, NULL, NULL, NULL, -1, 1, 2},
    {"", TYPED("response.failed", ",\"response\":{\"error\":{\"code\":1}}"), KIND_ERROR, 0, NULL, NULL, "{\"code\":1}", NO_COUNTS},
    {"", TYPED("response.failed", ""), KIND_ERROR, 0, NULL, NULL, "{\"type\":\"response.failed\"}", NO_COUNTS},
    {"", TYPED("content_block_delta", ",\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}"), KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", TYPED("content_block_delta", ",\"delta\":{\"thinking\":\"hm\"}"), KIND_REASONING, 0, "hm", NULL, NULL, NO_COUNTS},
    {"", TYPED("content_block_delta", ",\"delta\":{\"partial_json\":\"{\"}"), KIND_TOOL_CALL, 0, "{", NULL, NULL, NO_COUNTS},
    {"", TYPED("content_block_delta", ",\"delta\":{\"partial_json\":\"\"}"), KIND_OTHER, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", TYPED("message_delta", ""), KIND_USAGE, 0, NULL, NULL, NULL, NO_COUNTS},
    {"ping", TYPED("ping", ""), KIND_COMMENT, 0, NULL, NULL, NULL, NO_COUNTS},
    {"", TYPED("unheard.of", ",\"delta\":\"hi\""), KIND_OTHER, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", TYPED("unheard.of", ",\"response\":{\"usage\":{\"input_tokens\":1}}"), KIND_USAGE, 0, NULL, NULL, NULL, -1, 1, -1},
    {"", "{\"delta\":\"hi\"}", KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
    {"", "{\"type\":null,\"delta\":\"hi\"}", KIND_TOKEN, 0, "hi", NULL, NULL, NO_COUNTS},
};

static void check_span(event_span got, const char *expected) {
    CHECK((got.start != NULL) == (expected != NULL));
    if (got.start && expected)
        CHECK_TEXT(got.start, got.length, expected);
}

static void check_rows(const event_dialect *dialect, const row *rows, size_t count) {
    for (const row *at = rows; at < rows + count; at++) {
        event_scan_result got;
        check_case = at->data;
        event_scan(dialect, at->name, strlen(at->name), at->data, strlen(at->data), &got);
        CHECK_NUMBER(got.kind, at->kind);
        CHECK_NUMBER(got.ends * ENDS | got.done_marker * DONE_MARKER | got.malformed * MALFORMED, at->flags);
        check_span(got.text, at->text);
        check_span(got.finish, at->finish);
        check_span(got.error, at->error);
        CHECK_NUMBER(got.token_ids, at->token_ids);
        CHECK_NUMBER(got.input_tokens, at->input_tokens);
        CHECK_NUMBER(got.output_tokens, at->output_tokens);
    }
}

static void reads_all_counts(void) {
    event_dialect *dialect = make_dialect(CHAT_PATHS, NULL);
    event_scan_result got;
    const char *data = "{\"id\":\"c\\u0031\",\"usage\":{\"prompt_tokens\":36,\"completion_tokens\":12.0,"
                       "\"prompt_tokens_details\":{\"cached_tokens\":24},\"completion_tokens_details\":{\"reasoning_tokens\":1e1}}}";
    check_case = "counts";
    event_scan(dialect, NULL, 0, data, strlen(data), &got);
    CHECK_NUMBER(got.kind, KIND_USAGE);
    CHECK_NUMBER(got.input_tokens, 36);
    CHECK_NUMBER(got.output_tokens, 12);
    CHECK_NUMBER(got.cached_tokens, 24);
    CHECK_NUMBER(got.reasoning_tokens, 10);
    check_span(got.id, "c\\u0031");
    event_scan(dialect, NULL, 0, NULL, 0, &got);
    CHECK_NUMBER(got.kind, KIND_COMMENT);
    event_dialect_free(dialect);
}

/* One event with many choices has more values than the usual room, and its usage comes last. */
static void reads_a_fake_stream(void) {
    event_dialect *dialect = make_dialect(CHAT_PATHS, NULL);
    event_scan_result got;
    char data[16384];
    check_case = "many choices";
    for (int choices = 1; choices <= 128; choices++) {
        size_t length = (size_t)sprintf(data, "{\"choices\":[");
        for (int i = 0; i < choices; i++)
            length += (size_t)sprintf(data + length, "%s{\"text\":\"c%d\",\"finish_reason\":\"stop\",\"token_ids\":[1,2]}",
                                      i ? "," : "", i);
        length += (size_t)sprintf(data + length, "],\"usage\":{\"completion_tokens\":%d}}", 2 * choices);
        event_scan(dialect, "", 0, data, length, &got);
        CHECK_NUMBER(got.kind, KIND_TOKEN);
        CHECK_NUMBER(got.token_ids, 2 * choices);
        CHECK_NUMBER(got.output_tokens, 2 * choices);
        check_span(got.text, "c0");
    }
    event_dialect_free(dialect);
}

static void refuses_bad_dialects(void) {
    event_dialect *dialect = event_dialect_new();
    char name[80];
    check_case = "a bad dialect";
    CHECK_NUMBER(event_dialect_path(dialect, "a..b", ROLE_TEXT), -1);
    CHECK_NUMBER(event_dialect_path(dialect, "a", ROLE_COUNT), -1);
    CHECK_NUMBER(event_dialect_path(dialect, "a", ROLE_TEXT), 0);
    CHECK_NUMBER(event_dialect_path(dialect, "a", ROLE_TEXT), -1);
    CHECK_NUMBER(event_dialect_path(dialect, "b", ROLE_TEXT), 0);
    memset(name, 'x', sizeof name);
    name[64] = '\0';
    CHECK_NUMBER(event_dialect_type(dialect, name, KIND_TOKEN), -1);
    name[63] = '\0';
    CHECK_NUMBER(event_dialect_type(dialect, name, KIND_TOKEN), 0);
    CHECK_NUMBER(event_dialect_type(dialect, name, KIND_TOKEN), -1);
    CHECK_NUMBER(event_dialect_type(dialect, "x", KIND_COUNT), -1);
    for (int i = 1; i < 64; i++) {
        snprintf(name, sizeof name, "t%d", i);
        CHECK_NUMBER(event_dialect_type(dialect, name, KIND_TOKEN), 0);
    }
    CHECK_NUMBER(event_dialect_type(dialect, "one more", KIND_TOKEN), -1);
    event_dialect_free(dialect);
    event_dialect_free(NULL);
}

/* Text so far and whole texts, and input tokens that stand beside the input's own count. */
static void reads_what_is_cumulative(void) {
    static const char grown[] = "{\"text\":\"a b\",\"meta_info\":{\"completion_tokens\":2}}";
    static const char last[] = "{\"token\":{\"text\":\"\"},\"generated_text\":\"a b\"}";
    static const char usage[] = "{\"usage\":{\"input_tokens\":1,\"cache_read_input_tokens\":31,\"cache_creation_input_tokens\":8}}";
    event_dialect *dialect = make_dialect(SO_FAR_PATHS, NULL);
    event_scan_result got;
    event_scan(dialect, "", 0, grown, strlen(grown), &got);
    CHECK(got.so_far && got.kind == KIND_TOKEN && got.kind_unless_grown == KIND_USAGE && !got.ends);
    CHECK_TEXT(got.text.start, got.text.length, "a b");
    CHECK_NUMBER(got.output_tokens, 2);
    event_scan(dialect, "", 0, last, strlen(last), &got);
    CHECK(!got.so_far && got.kind == KIND_DONE && got.ends && !got.text.start);
    CHECK_TEXT(got.whole.start, got.whole.length, "a b");
    event_scan(dialect, "", 0, usage, strlen(usage), &got);
    CHECK_NUMBER(got.input_tokens, 40);
    CHECK_NUMBER(got.cached_tokens, 31);
    event_dialect_free(dialect);
}

int main(void) {
    event_dialect *chat = make_dialect(CHAT_PATHS, NULL);
    event_dialect *responses = make_dialect(RESPONSES_PATHS, RESPONSES_TYPES);
    check_rows(chat, CHAT_ROWS, sizeof CHAT_ROWS / sizeof *CHAT_ROWS);
    check_rows(responses, RESPONSES_ROWS, sizeof RESPONSES_ROWS / sizeof *RESPONSES_ROWS);
    event_dialect_free(chat);
    event_dialect_free(responses);
    reads_all_counts();
    reads_a_fake_stream();
    reads_what_is_cumulative();
    refuses_bad_dialects();
    return check_report("event");
}

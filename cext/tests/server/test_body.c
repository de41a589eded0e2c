/* The promises of body.h, as tables. */
#include "server/request/body.h"
#include "support/check.h"

#include <stdlib.h>

typedef struct {
    api_kind kind;
    const char *body;
    const char *refusal;         /* part of the text; NULL: the body is accepted, with: */
    int32_t prompt_tokens, max_tokens, inputs;
} row;

#define MESSAGES(content) "{\"messages\":[{\"role\":\"user\",\"content\":" content "}]"

static const row ROWS[] = {
    {API_CHAT, MESSAGES("\"\"") "}", NULL, 0, -1, 1},
    {API_CHAT, MESSAGES("\"one\"") "}", NULL, 1, -1, 1},
    {API_CHAT, MESSAGES("\"  one two\\nthree\\tfour \"") "}", NULL, 4, -1, 1},
    {API_CHAT, MESSAGES("\"a\\\"b c\\\\ d\"") "}", NULL, 3, -1, 1},
    {API_CHAT, MESSAGES("\"\xE4\xBD\xA0\xE5\xA5\xBD \xF0\x9F\x98\x80\"") "}", NULL, 2, -1, 1},
    {API_CHAT, MESSAGES("[{\"type\":\"text\",\"text\":\"a b\"},{\"type\":\"image_url\",\"image_url\":{}},{\"type\":\"text\",\"text\":\"c\"}]") "}", NULL, 3, -1, 1},
    {API_CHAT, "{\"messages\":[{\"content\":\"a b\"},{\"content\":null},{\"content\":\"c\"}],\"max_tokens\":7}", NULL, 3, 7, 1},
    {API_CHAT, MESSAGES("\"a\"") ",\"max_tokens\":7,\"max_completion_tokens\":9}", NULL, 1, 9, 1},
    {API_CHAT, MESSAGES("\"a\"") ",\"max_tokens\":null}", NULL, 1, -1, 1},
    {API_CHAT, " \n" MESSAGES("\"a\"") ",\"n\":3,\"tools\":[{\"content\":\"x y\"}]} ", NULL, 1, -1, 1},
    {API_COMPLETION, "{\"prompt\":\"a b c\"}", NULL, 3, -1, 1},
    {API_COMPLETION, "{\"prompt\":[1,2,3,4]}", NULL, 4, -1, 1},
    {API_COMPLETION, "{\"prompt\":[ [1,2],[3] ]}", NULL, 3, -1, 2},
    {API_COMPLETION, "{\"prompt\":[\"a b\",\"c\"]}", NULL, 3, -1, 2},
    {API_EMBEDDING, "{\"input\":\"a b\"}", NULL, 2, -1, 1},
    {API_EMBEDDING, "{\"input\":[\"a b\",\"c\",\"d\"]}", NULL, 4, -1, 3},
    {API_EMBEDDING, "{\"input\":[5,6]}", NULL, 2, -1, 1},
    {API_RESPONSES, "{\"input\":\"a b\",\"instructions\":\"c\",\"max_output_tokens\":7}", NULL, 3, 7, 1},
    {API_RESPONSES, "{\"input\":[{\"role\":\"user\",\"content\":\"a b\"},{\"content\":[{\"type\":\"input_text\",\"text\":\"c\"}]}]}", NULL, 3, -1, 1},
    {API_MESSAGES, "{\"system\":\"a b\",\"max_tokens\":7,\"messages\":[{\"role\":\"user\",\"content\":\"c\"}]}", NULL, 3, 7, 1},
    {API_OLLAMA_CHAT, MESSAGES("\"a b\"") ",\"options\":{\"num_predict\":7}}", NULL, 2, 7, 1},
    {API_OLLAMA_GENERATE, "{\"prompt\":\"a b\",\"system\":\"c\",\"options\":{\"num_predict\":7}}", NULL, 3, 7, 1},
    {API_TGI, "{\"inputs\":\"a b\",\"parameters\":{\"max_new_tokens\":7,\"details\":true}}", NULL, 2, 7, 1},
    {API_TRITON, "{\"text_input\":\"a b\",\"max_tokens\":7}", NULL, 2, 7, 1},
    {API_TRITON, "{\"text_input\":\"a b\",\"parameters\":{\"max_tokens\":7}}", NULL, 2, 7, 1},
    {API_KSERVE, "{\"inputs\":[{\"name\":\"text_input\",\"data\":[\"a b\"]},{\"name\":\"max_tokens\",\"data\":[7]},{\"name\":\"seed\",\"data\":[5]}]}", NULL, 2, 7, 1},
    {API_SGLANG, "{\"text\":\"a b\",\"sampling_params\":{\"max_new_tokens\":7}}", NULL, 2, 7, 1},
    {API_SGLANG, "{\"input_ids\":[4,5,6]}", NULL, 3, -1, 1},
    {API_NIM_RANKING, "{\"query\":{\"text\":\"q\"},\"passages\":[{\"text\":\"a b\"},{\"text\":\"c\"}]}", NULL, 4, -1, 2},
    {API_COHERE_RANKING, "{\"query\":\"q\",\"documents\":[\"a b\",{\"text\":\"c\"}]}", NULL, 4, -1, 2},
    {API_TEI_RANKING, "{\"query\":\"q\",\"texts\":[\"a b\",\"c\",\"d\"]}", NULL, 5, -1, 3},

    {API_TGI, "{\"inputs\":[]}", "must be a text", 0, 0, 0},
    {API_RESPONSES, "{\"input\":[]}", "list that is not empty", 0, 0, 0},
    {API_KSERVE, "{\"inputs\":[{\"name\":\"max_tokens\",\"data\":[0]}]}", "integer from 1", 0, 0, 0},
    {API_TEI_RANKING, "{\"texts\":\"a\"}", "list that is not empty", 0, 0, 0},
    {API_CHAT, "", "not valid JSON", 0, 0, 0},
    {API_CHAT, "{", "not valid JSON", 0, 0, 0},
    {API_CHAT, "[]", "JSON object", 0, 0, 0},
    {API_CHAT, "{}", "is required", 0, 0, 0},
    {API_CHAT, "{\"messages\":\"a\"}", "list of messages", 0, 0, 0},
    {API_CHAT, "{\"messages\":[]}", "list of messages", 0, 0, 0},
    {API_CHAT, MESSAGES("\"a\"") ",\"stream\":1}", "true or false", 0, 0, 0},
    {API_CHAT, MESSAGES("\"a\"") ",\"max_tokens\":0}", "integer from 1", 0, 0, 0},
    {API_CHAT, MESSAGES("\"a\"") ",\"max_tokens\":1.5}", "integer from 1", 0, 0, 0},
    {API_CHAT, MESSAGES("\"a\"") ",\"max_tokens\":\"5\"}", "integer from 1", 0, 0, 0},
    {API_CHAT, MESSAGES("\"a\"") ",\"max_tokens\":1048577}", "integer from 1", 0, 0, 0},
    {API_CHAT, MESSAGES("\"a\"") ",\"model\":5}", "must be a string", 0, 0, 0},
    {API_COMPLETION, "{\"prompt\":null}", "list of token ids", 0, 0, 0},
    {API_COMPLETION, "{\"prompt\":[]}", "list of token ids", 0, 0, 0},
    {API_COMPLETION, "{\"prompt\":[null]}", "token ids", 0, 0, 0},
    {API_COMPLETION, "{\"prompt\":[\"a\",5]}", "lists of token ids", 0, 0, 0},
    {API_EMBEDDING, "{\"input\":\"a\",\"encoding_format\":\"hex\"}", "float or base64", 0, 0, 0},
    {API_EMBEDDING, "{\"input\":\"a\",\"dimensions\":5000}", "integer from 1 to 4096", 0, 0, 0},
};

static void check_flags(body_reader *reader) {
    static const char BODY[] = MESSAGES("\"a\"") ",\"model\":\"m \\\"x\",\"stream\":true,"
                               "\"stream_options\":{\"include_usage\":true,\"continuous_usage_stats\":true}}";
    api_request request;
    const char *param;
    CHECK(body_read(reader, API_CHAT, BODY, sizeof BODY - 1, &request, &param) == NULL);
    CHECK(request.stream && request.include_usage && request.continuous_usage);
    CHECK_TEXT(request.model, request.model_length, "m \\\"x");
    static const char EMBED[] = "{\"input\":\"a\",\"encoding_format\":\"base64\",\"dimensions\":7}";
    CHECK(body_read(reader, API_EMBEDDING, EMBED, sizeof EMBED - 1, &request, &param) == NULL);
    CHECK(request.base64);
    CHECK_NUMBER(request.dimensions, 7);
    static const char BAD[] = MESSAGES("\"a\"") ",\"max_tokens\":-3}";
    CHECK(body_read(reader, API_CHAT, BAD, sizeof BAD - 1, &request, &param) != NULL);
    CHECK_TEXT(param, strlen(param), "max_tokens");
}

/* More parts than the initial room, and more words than a vector register has bytes. */
static void check_many(body_reader *reader) {
    enum { PARTS = 3000 };
    char *body = malloc(64 * PARTS), *p = body;
    p += sprintf(p, "{\"messages\":[");
    for (int i = 0; i < PARTS; i++)
        p += sprintf(p, "%s{\"content\":\"one two three\"}", i ? "," : "");
    p += sprintf(p, "]}");
    api_request request;
    const char *param;
    CHECK(body_read(reader, API_CHAT, body, (size_t)(p - body), &request, &param) == NULL);
    CHECK_NUMBER(request.prompt_tokens, 3 * PARTS);
    free(body);
}

static void check_rows(uint32_t block_tokens) {
    body_reader reader;
    CHECK(body_reader_init(&reader, block_tokens));
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        check_case = ROWS[i].body;
        size_t length = strlen(ROWS[i].body);
        char *body = malloc(length ? length : 1);   /* of exactly its size, so that the sanitizer finds a read past the end */
        memcpy(body, ROWS[i].body, length);
        api_request request;
        const char *param, *refusal = body_read(&reader, ROWS[i].kind, body, length, &request, &param);
        CHECK((refusal != NULL) == (ROWS[i].refusal != NULL));
        if (refusal && ROWS[i].refusal)
            CHECK(strstr(refusal, ROWS[i].refusal) != NULL);
        if (!refusal) {
            CHECK_NUMBER(request.prompt_tokens, ROWS[i].prompt_tokens);
            CHECK_NUMBER(request.max_tokens, ROWS[i].max_tokens);
            CHECK_NUMBER(request.inputs, ROWS[i].inputs);
        }
        free(body);
    }
    check_case = "flags";
    check_flags(&reader);
    check_case = "many";
    check_many(&reader);
    body_reader_free(&reader);
}

/* Without blocks, and with blocks so small that every count crosses their ends. */
int main(void) {
    check_rows(0);
    check_rows(2);
    return check_report("server_body");
}

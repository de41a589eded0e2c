/* Scores of passages: NVIDIA NIM, Cohere, and Hugging Face's Text Embeddings Inference. Passage k of n has the score 1 / (k + 1). */
#include <stdlib.h>

#include "server/apis/dialect.h"
#include "server/apis/put.h"

#define ENTRY_BYTES 64

static char *put_scores(char *p, int32_t passages, const char *score) {
    for (int32_t i = 0; i < passages; i++)
        p = put_format(p, "%s{\"index\":%d,\"%s\":%.6f}", i ? "," : "", i, score, 1.0 / (i + 1));
    return p;
}

static char *scores_body(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    (void)dimensions;
    char *body = malloc(1024 + (size_t)request->inputs * ENTRY_BYTES);
    if (!body)
        return NULL;
    char *p = body;
    if (answer->kind == API_NIM_RANKING) {
        p = put_scores(PUT(p, "{\"rankings\":["), request->inputs, "logit");
        p = put_format(p, "],\"usage\":{\"prompt_tokens\":%d,\"total_tokens\":%d}}", answer->prompt_tokens, answer->prompt_tokens);
    } else if (answer->kind == API_COHERE_RANKING) {
        p = put_format(p, "{\"id\":\"%s\",\"results\":[", answer->id);
        p = put_scores(p, request->inputs, "relevance_score");
        p = put_format(p, "],\"meta\":{\"api_version\":{\"version\":\"2\"},\"billed_units\":{\"search_units\":1},\"tokens\":{\"input_tokens\":%d}}}",
                       answer->prompt_tokens);
    } else {
        p = PUT(put_scores(PUT(p, "["), request->inputs, "score"), "]");
    }
    *length = (size_t)(p - body);
    return body;
}

static char *nim_refusal(char *p, uint16_t status, const char *message, const char *param) {
    return put_format(p, "{\"object\":\"error\",\"message\":\"%s%s%s\",\"detail\":{},\"type\":\"%s\"}", param ? param : "", param ? " " : "",
                      message, wire_error_type(status));
}

static char *cohere_refusal(char *p, uint16_t status, const char *message, const char *param) {
    (void)status;
    return put_format(p, "{\"message\":\"%s%s%s\"}", param ? param : "", param ? " " : "", message);
}

static char *tei_refusal(char *p, uint16_t status, const char *message, const char *param) {
    const char *type = status == 429 ? "Overloaded" : status == 503 ? "Unhealthy" : status < 500 ? "Validation" : "Backend";
    return put_format(p, "{\"error\":\"%s%s%s\",\"error_type\":\"%s\"}", param ? param : "", param ? " " : "", message, type);
}

const wire_dialect rankings_dialect = {.name = "rankings", .whole = scores_body, .error = nim_refusal};
const wire_dialect cohere_rankings_dialect = {.name = "cohere_rankings", .id_prefix = "", .whole = scores_body, .error = cohere_refusal};
const wire_dialect tei_rankings_dialect = {.name = "tei_rankings", .whole = scores_body, .error = tei_refusal};

/* Triton's generate extension, whose streams have no end marker, and KServe's inference protocol. */
#include <stdlib.h>

#include "response/event.h"
#include "server/apis/dialect.h"
#include "server/apis/put.h"

/* {"model_name":"...","model_version":"1", */
static char *open_stream(char *p, const wire_answer *answer, const char *model, size_t model_length, int64_t created_s) {
    (void)answer, (void)created_s;
    p = PUT(p, "{\"model_name\":\"");
    p = put(p, model, model_length);
    return PUT(p, "\",\"model_version\":\"1\",");
}

static int kind_of(const wire_answer *answer, wire_event step) {
    (void)answer, (void)step;
    return NO_EVENT;
}

static char *put_output(char *p, const wire_answer *answer, int32_t first, int32_t count) {
    p = put(p, answer->prefix, answer->prefix_length);
    p = PUT(p, "\"sequence_end\":false,\"sequence_id\":0,\"sequence_start\":false,\"text_output\":\"");
    return PUT(put_words(p, first, count), "\"}");
}

static char *put_event(char *p, const wire_answer *answer, wire_event event, int32_t first, int32_t count) {
    p = put_lead(p, answer, NULL);
    return event == EVENT_ERROR ? PUT(p, "{\"error\":\"" STREAM_ERROR_MESSAGE "\"}") : put_output(p, answer, first, count);
}

static char *generated(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    (void)request, (void)dimensions;
    char *body = malloc(WIRE_MAX_EVENT + (size_t)answer->tokens * 5);
    if (body)
        *length = (size_t)(put_output(body, answer, 0, answer->tokens) - body);
    return body;
}

static char *inferred(const wire_answer *answer, const api_request *request, int32_t dimensions, size_t *length) {
    (void)request, (void)dimensions;
    char *body = malloc(WIRE_MAX_EVENT + (size_t)answer->tokens * 5);
    if (!body)
        return NULL;
    char *p = put(body, answer->prefix, answer->prefix_length);
    p = PUT(p, "\"outputs\":[{\"name\":\"text_output\",\"datatype\":\"BYTES\",\"shape\":[1],\"data\":[\"");
    p = PUT(put_words(p, 0, answer->tokens), "\"]}]}");
    *length = (size_t)(p - body);
    return body;
}

static char *put_refusal(char *p, uint16_t status, const char *message, const char *param) {
    (void)status;
    return put_format(p, "{\"error\":\"%s%s%s\"}", param ? param : "", param ? " " : "", message);
}

const wire_dialect triton_dialect = {
    .name = "triton", .generates = true, .ends_with_error = true,
    .kind = kind_of, .open = open_stream, .put = put_event, .whole = generated, .error = put_refusal};

const wire_dialect kserve_dialect = {
    .name = "kserve", .generates = true, .open = open_stream, .whole = inferred, .error = put_refusal};

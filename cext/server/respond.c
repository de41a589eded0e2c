#include <stdlib.h>
#include <string.h>

#include "server/server_internal.h"

void respond_whole(server *s, conn *c, server_endpoint endpoint, wire_head *head, const char *body, size_t length) {
    char bytes[WIRE_MAX_HEAD];
    head->framing = FRAME_LENGTH;
    head->length = (int64_t)length;
    head->http_1_0 = c->request.http_1_0;
    head->keep_alive = c->answer.keep_alive;
    size_t head_length = wire_head_write(head, bytes);
    metrics_count(&s->metrics, endpoint, head->status);
    c->phase = CONN_ANSWERING;
    c->answer.at.stage = STAGE_OVER;
    c->answer.row.headers_ns = c->answer.row.end_ns = c->answer.handed_ns = s->now_ns = clock_mono_ns();
    c->answer.row.status = head->status;
    c->answer.row.bytes_sent = (int64_t)(head_length + length);
    if (c->request.method == METHOD_HEAD)
        length = 0;
    char *whole = malloc(head_length + length);
    bool sent = false;
    if (whole) {
        memcpy(whole, bytes, head_length);
        if (length)
            memcpy(whole + head_length, body, length);
        sent = conn_send_all(s, c, whole, head_length + length);
        free(whole);
    }
    if (!sent)
        conn_close(s, c, false);
}

void respond_error(server *s, conn *c, server_endpoint endpoint, wire_head head, wire_shape shape, const char *message,
                   const char *param) {
    char body[WIRE_MAX_ERROR];
    const wire_dialect *dialect = endpoint < ENDPOINT_MODELS ? dialect_of((api_kind)endpoint) : NULL;
    size_t length = wire_error_write(shape, dialect, head.status, message, param, body, &head.type);
    if (c->answer.row.request >= 0)
        c->answer.row.outcome = OUTCOME_HTTP_ERROR;
    respond_whole(s, c, endpoint, &head, body, length);
}

void respond_refusal(server *s, conn *c, server_endpoint endpoint, uint16_t status, wire_shape shape, const char *message,
                  const char *param) {
    if (!c->request.keep_alive)
        c->answer.keep_alive = false;
    if (endpoint == ENDPOINT_OTHER)
        c->answer.row.request = -1;   /* only requests for answers have a row */
    bool overloaded = status == 429 || status == 503;
    wire_head head = {.status = status, .retry_after_s = overloaded ? s->config.retry_after_s : -1};
    respond_error(s, c, endpoint, head, shape, message, param);
}

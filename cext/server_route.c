#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server_internal.h"

static const char REDIRECTED[] = "/redirected";

typedef struct { const char *path; server_endpoint endpoint; request_method method; } route;

static const route ROUTES[] = {
    {"/v1/chat/completions", ENDPOINT_CHAT, METHOD_POST},
    {"/v1/completions", ENDPOINT_COMPLETIONS, METHOD_POST},
    {"/v1/embeddings", ENDPOINT_EMBEDDINGS, METHOD_POST},
    {"/v1/models", ENDPOINT_MODELS, METHOD_GET},
    {"/health", ENDPOINT_HEALTH, METHOD_GET},
    {"/metrics", ENDPOINT_METRICS, METHOD_GET},
};
static const char *const ENDPOINT_NAMES[ENDPOINT_COUNT] = {"chat", "completions", "embeddings", "models", "health", "metrics", "other"};

static const route *find_route(const char *path) {
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++)
        if (strcmp(path, ROUTES[i].path) == 0)
            return &ROUTES[i];
    return NULL;
}

/* ---- responses of one piece ------------------------------------------------------ */

/* Sends head and body, and ends the answer as soon as the kernel has taken them. */
static void respond(server *s, conn *c, server_endpoint endpoint, wire_head *head, const char *body, size_t length) {
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
    if (sent)
        answer_advance(s, c);
    else
        conn_close(s, c, false);
}

static void refuse(server *s, conn *c, server_endpoint endpoint, wire_head head, wire_shape shape, const char *message,
                   const char *param) {
    char body[WIRE_MAX_ERROR];
    size_t length = wire_error_write(shape, head.status, message, param, body, &head.type);
    if (c->answer.row.request >= 0)
        c->answer.row.outcome = OUTCOME_HTTP_ERROR;
    respond(s, c, endpoint, &head, body, length);
}

void route_refuse(server *s, conn *c, server_endpoint endpoint, uint16_t status, wire_shape shape, const char *message,
                  const char *param) {
    if (!c->request.keep_alive)
        c->answer.keep_alive = false;
    if (endpoint == ENDPOINT_OTHER)
        c->answer.row.request = -1;   /* what is no request for an answer has no row */
    bool overloaded = status == 429 || status == 503;
    wire_head head = {.status = status, .retry_after_s = overloaded ? s->config.retry_after_s : -1};
    refuse(s, c, endpoint, head, shape, message, param);
}

static void serve_page(server *s, conn *c, server_endpoint endpoint) {
    wire_head head = {.status = 200, .type = "application/json", .retry_after_s = -1};
    char text[256];
    char *page = NULL;
    size_t length;
    if (endpoint == ENDPOINT_METRICS) {
        head.type = "text/plain; version=0.0.4; charset=utf-8";
        page = metrics_page(&s->metrics, ENDPOINT_NAMES, s->stats.open_streams, s->stats.open_connections, &length);
        if (!page) {
            conn_close(s, c, false);
            return;
        }
    } else if (endpoint == ENDPOINT_HEALTH) {
        length = strlen(strcpy(text, "{\"status\":\"ok\"}"));
    } else {
        length = (size_t)snprintf(text, sizeof text,
                                  "{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\",\"created\":%lld,"
                                  "\"owned_by\":\"tokentape\"}]}",
                                  s->config.model, (long long)(clock_unix_ns() / TT_NS_PER_S));
    }
    respond(s, c, endpoint, &head, page ? page : text, length);
    free(page);
}

/* ---- requests for answers -------------------------------------------------------- */

static bool faulty(const server_config *config, uint64_t key) {
    return config->fault != FAULT_NONE && draw_unit(key ^ UINT64_C(0xfa017), 0) < config->fault_share;
}

static void serve_answer(server *s, conn *c, server_endpoint endpoint, bool redirected) {
    server_answer *answer = &c->answer;
    const server_config *config = &s->config;
    answer_begin_row(s, c, endpoint);
    server_ask ask;
    const char *param;
    const char *refusal = ask_read(&s->reader, (ask_kind)endpoint, c->request.body, c->request.body_length, &ask, &param);
    if (refusal) {
        route_refuse(s, c, endpoint, 400, SHAPE_OPENAI, refusal, param);
        return;
    }
    answer->key = draw_key(config->seed, (uint64_t)answer->row.request);
    answer->fault = faulty(config, answer->key) ? config->fault : FAULT_NONE;
    if (answer->fault == FAULT_STATUS) {
        route_refuse(s, c, endpoint, config->fault_status, config->wire.shape, "the simulated server was told to refuse this request", NULL);
    } else if (answer->fault == FAULT_REDIRECT && !redirected) {
        char location[REQUEST_PATH_BYTES + sizeof REDIRECTED];
        snprintf(location, sizeof location, "%s%s", REDIRECTED, c->request.path);
        refuse(s, c, endpoint, (wire_head){.status = 307, .retry_after_s = -1, .location = location}, SHAPE_OPENAI, "look elsewhere", NULL);
    } else {
        answer_start(s, c, &ask);
    }
}

void route_request(server *s, conn *c) {
    const request_parser *request = &c->request;
    int64_t handed_ns = c->answer.handed_ns;
    c->answer = (server_answer){.handed_ns = handed_ns, .row.request = -1};
    c->served++;
    c->answer.keep_alive = request->keep_alive && c->served != s->config.close_after;
    bool redirected = strncmp(request->path, REDIRECTED, sizeof REDIRECTED - 1) == 0;
    const route *found = find_route(request->path + (redirected ? sizeof REDIRECTED - 1 : 0));
    if (!found) {
        route_refuse(s, c, ENDPOINT_OTHER, 404, SHAPE_OPENAI, "there is nothing at this path", NULL);
    } else if (request->method != found->method && !(request->method == METHOD_HEAD && found->method == METHOD_GET)) {
        wire_head head = {.status = 405, .retry_after_s = -1, .allow = found->method == METHOD_POST ? "POST" : "GET, HEAD"};
        refuse(s, c, ENDPOINT_OTHER, head, SHAPE_OPENAI, "this path does not know the method", NULL);
    } else if (found->method == METHOD_GET) {
        serve_page(s, c, found->endpoint);
    } else {
        serve_answer(s, c, found->endpoint, redirected);
    }
}

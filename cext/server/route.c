#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/server_internal.h"

static const char REDIRECTED[] = "/redirected";

/* What decides whether an answer is a stream: the body or the path. */
typedef enum { STREAM_AS_ASKED, STREAM_ALWAYS, STREAM_NEVER } stream_rule;

/* A path; a '*' in it stands for any model name. */
typedef struct { const char *path; int endpoint; request_method method; stream_rule stream; } route;

static const route ROUTES[] = {
    {"/v1/chat/completions", API_CHAT, METHOD_POST, STREAM_AS_ASKED},
    {"/v1/completions", API_COMPLETION, METHOD_POST, STREAM_AS_ASKED},
    {"/v1/embeddings", API_EMBEDDING, METHOD_POST, STREAM_NEVER},
    {"/v1/responses", API_RESPONSES, METHOD_POST, STREAM_AS_ASKED},
    {"/v1/messages", API_MESSAGES, METHOD_POST, STREAM_AS_ASKED},
    {"/api/chat", API_OLLAMA_CHAT, METHOD_POST, STREAM_AS_ASKED},
    {"/api/generate", API_OLLAMA_GENERATE, METHOD_POST, STREAM_AS_ASKED},
    {"/generate_stream", API_TGI, METHOD_POST, STREAM_ALWAYS},
    {"/generate", API_SGLANG, METHOD_POST, STREAM_AS_ASKED},   /* also TGI's path; the body tells which API is meant */
    {"/v2/models/*/generate_stream", API_TRITON, METHOD_POST, STREAM_ALWAYS},
    {"/v2/models/*/generate", API_TRITON, METHOD_POST, STREAM_NEVER},
    {"/v2/models/*/infer", API_KSERVE, METHOD_POST, STREAM_NEVER},
    {"/v1/ranking", API_NIM_RANKING, METHOD_POST, STREAM_NEVER},
    {"/v2/rerank", API_COHERE_RANKING, METHOD_POST, STREAM_NEVER},
    {"/rerank", API_TEI_RANKING, METHOD_POST, STREAM_NEVER},
    {"/v1/models", ENDPOINT_MODELS, METHOD_GET, STREAM_NEVER},
    {"/api/tags", ENDPOINT_TAGS, METHOD_GET, STREAM_NEVER},
    {"/health", ENDPOINT_HEALTH, METHOD_GET, STREAM_NEVER},
    {"/v2/health/live", ENDPOINT_HEALTH, METHOD_GET, STREAM_NEVER},
    {"/v2/health/ready", ENDPOINT_HEALTH, METHOD_GET, STREAM_NEVER},
    {"/v2/models/*/ready", ENDPOINT_HEALTH, METHOD_GET, STREAM_NEVER},
    {"/metrics", ENDPOINT_METRICS, METHOD_GET, STREAM_NEVER},
};

_Static_assert(ENDPOINT_COUNT == METRICS_ENDPOINTS, "every endpoint is counted");

/* Returns the end of a model's name in a path. The name is copied into JSON, so it ends before any character that JSON escapes. */
static const char *name_end(const char *name) {
    while (*name && *name != '/' && *name != '"' && *name != '\\' && (unsigned char)*name > ' ')
        name++;
    return name;
}

/* Returns true when a path matches a route; sets *model to the model's name in it, or to NULL. */
static bool fits(const route *route, const char *path, const char **model, size_t *model_length) {
    const char *star = strchr(route->path, '*');
    *model = NULL;
    if (!star)
        return strcmp(path, route->path) == 0;
    size_t before = (size_t)(star - route->path);
    if (strncmp(path, route->path, before) != 0)
        return false;
    *model = path + before;
    const char *end = name_end(*model);
    *model_length = (size_t)(end - *model);
    return *model_length && strcmp(end, star + 1) == 0;
}

static const route *find_route(const char *path, const char **model, size_t *model_length) {
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++)
        if (fits(&ROUTES[i], path, model, model_length))
            return &ROUTES[i];
    *model = NULL;
    return NULL;
}

/* ---- pages ----------------------------------------------------------------------- */

static const char *const *endpoint_names(void) {
    static const char *names[ENDPOINT_COUNT] = {
        [ENDPOINT_MODELS] = "models", [ENDPOINT_TAGS] = "tags", [ENDPOINT_HEALTH] = "health", [ENDPOINT_METRICS] = "metrics",
        [ENDPOINT_OTHER] = "other"};
    for (int kind = 0; kind < API_COUNT; kind++)
        names[kind] = dialect_of((api_kind)kind)->name;
    return names;
}

static void serve_page(server *s, conn *c, server_endpoint endpoint) {
    wire_head head = {.status = 200, .type = "application/json", .retry_after_s = -1};
    char text[256];
    char *page = NULL;
    size_t length;
    if (endpoint == ENDPOINT_METRICS) {
        head.type = "text/plain; version=0.0.4; charset=utf-8";
        page = metrics_page(&s->metrics, endpoint_names(), s->stats.open_streams, s->stats.open_connections, &length);
        if (!page) {
            conn_close(s, c, false);
            return;
        }
    } else if (endpoint == ENDPOINT_HEALTH) {
        length = strlen(strcpy(text, "{\"status\":\"ok\"}"));
    } else if (endpoint == ENDPOINT_TAGS) {
        length = (size_t)snprintf(text, sizeof text, "{\"models\":[{\"name\":\"%s\",\"model\":\"%s\"}]}", s->config.model, s->config.model);
    } else {
        length = (size_t)snprintf(text, sizeof text,
                                  "{\"object\":\"list\",\"data\":[{\"id\":\"%s\",\"object\":\"model\",\"created\":%lld,"
                                  "\"owned_by\":\"tokentape\"}]}",
                                  s->config.model, (long long)(clock_unix_ns() / TT_NS_PER_S));
    }
    respond_whole(s, c, endpoint, &head, page ? page : text, length);
    free(page);
}

/* ---- requests for answers -------------------------------------------------------- */

static bool faulty(const server_config *config, uint64_t key) {
    return config->fault != FAULT_NONE && draw_unit(key ^ UINT64_C(0xfa017), 0) < config->fault_share;
}

/* Reads a request's body. Returns NULL, or why it is refused. SGLang and TGI share a path: a body that is not SGLang's is tried as
 * TGI's. */
static const char *read_body(server *s, conn *c, const route *route, api_request *parsed, const char **param) {
    request_parser *request = &c->request;
    const char *refusal = body_read(&s->reader, (api_kind)route->endpoint, request->body, request->body_length, parsed, param);
    if (refusal && route->endpoint == API_SGLANG) {
        api_request other;
        const char *other_param;
        if (!body_read(&s->reader, API_TGI, request->body, request->body_length, &other, &other_param)) {
            *parsed = other;
            c->answer.row.endpoint = API_TGI;
            return NULL;
        }
    }
    return refusal;
}

static void serve_answer(server *s, conn *c, const route *route, const char *model, size_t model_length, bool redirected) {
    server_answer *answer = &c->answer;
    const server_config *config = &s->config;
    truth_begin_row(s, c, (server_endpoint)route->endpoint);
    api_request parsed;
    const char *param;
    const char *refusal = read_body(s, c, route, &parsed, &param);
    server_endpoint endpoint = (server_endpoint)answer->row.endpoint;
    if (refusal) {
        respond_refusal(s, c, endpoint, 400, SHAPE_API, refusal, param);
        return;
    }
    if (route->stream != STREAM_AS_ASKED)
        parsed.stream = route->stream == STREAM_ALWAYS;
    if (model) {
        parsed.model = model;
        parsed.model_length = model_length;
    }
    answer->key = draw_key(config->seed, (uint64_t)answer->row.request);
    answer->fault = faulty(config, answer->key) ? config->fault : FAULT_NONE;
    if (answer->fault == FAULT_STATUS) {
        respond_refusal(s, c, endpoint, config->fault_status, config->wire.shape, "the simulated server was told to refuse this request", NULL);
    } else if (answer->fault == FAULT_REDIRECT && !redirected) {
        char location[REQUEST_PATH_BYTES + sizeof REDIRECTED];
        snprintf(location, sizeof location, "%s%s", REDIRECTED, c->request.path);
        respond_error(s, c, endpoint, (wire_head){.status = 307, .retry_after_s = -1, .location = location}, SHAPE_OPENAI, "look elsewhere", NULL);
    } else {
        answer_start(s, c, &parsed);
    }
}

void route_request(server *s, conn *c) {
    const request_parser *request = &c->request;
    int64_t handed_ns = c->answer.handed_ns;
    c->answer = (server_answer){.handed_ns = handed_ns, .row.request = -1};
    c->served++;
    c->answer.keep_alive = request->keep_alive && c->served != s->config.close_after;
    bool redirected = strncmp(request->path, REDIRECTED, sizeof REDIRECTED - 1) == 0;
    const char *model;
    size_t model_length = 0;
    const route *found = find_route(request->path + (redirected ? sizeof REDIRECTED - 1 : 0), &model, &model_length);
    if (!found) {
        respond_refusal(s, c, ENDPOINT_OTHER, 404, SHAPE_OPENAI, "there is nothing at this path", NULL);
    } else if (request->method != found->method && !(request->method == METHOD_HEAD && found->method == METHOD_GET)) {
        wire_head head = {.status = 405, .retry_after_s = -1, .allow = found->method == METHOD_POST ? "POST" : "GET, HEAD"};
        respond_error(s, c, ENDPOINT_OTHER, head, SHAPE_OPENAI, "this path does not support the method", NULL);
    } else if (found->method == METHOD_GET) {
        serve_page(s, c, (server_endpoint)found->endpoint);
    } else {
        serve_answer(s, c, found, model, model_length, redirected);
    }    answer_advance(s, c);
}

void route_bad_request(server *s, conn *c) {
    c->request.keep_alive = false;
    respond_refusal(s, c, ENDPOINT_OTHER, c->request.error_status, SHAPE_OPENAI, c->request.error, NULL);
    answer_advance(s, c);
}

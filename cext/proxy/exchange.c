#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "proxy/proxy_internal.h"

/* ---- one exchange ----------------------------------------------------------------- */

static bool path_ends(proxy_span path, const char *end) {
    size_t length = strlen(end);
    return path.length >= length && memcmp(path.start + path.length - length, end, length) == 0;
}

/* Returns the API of a path; PROXY_ENDPOINTS: the request is not recorded. Any prefix is allowed: Azure's deployments, a base path. */
static proxy_endpoint endpoint_of(const proxy_request *request) {
    if (request->method != PROXY_METHOD_POST)
        return PROXY_ENDPOINTS;
    if (path_ends(request->path, "/chat/completions"))
        return PROXY_CHAT;
    if (path_ends(request->path, "/completions"))
        return PROXY_COMPLETIONS;
    return path_ends(request->path, "/embeddings") ? PROXY_EMBEDDINGS : PROXY_ENDPOINTS;
}

static void begin_record(proxy *p, link_pair *l, exchange *e) {
    e->recorded = e->body_kept = true;
    stream_begin(&e->stream, p->next_request++, l->request_first_ns);
    request_record *r = &e->stream.record;
    r->sent_ns = l->request_first_ns;
    r->user_clock = l->request_user_clock;
    r->connection_id = l->number;
    r->connection_reused = l->served > 0;
    e->head = l->request.head;      /* take it from the parser, which no longer needs it */
    e->head_length = l->request.head_length;
    l->request.head = NULL;
    atomic_fetch_add(&p->held_bytes, e->head_length);
    e->older = p->newest;
    if (p->newest)
        p->newest->newer = e;
    else
        p->oldest = e;
    p->newest = e;
    p->stats.recorded++;
    p->stats.open_requests++;
}

static bool exchange_begin(proxy *p, link_pair *l) {
    exchange *e = calloc(1, sizeof *e);
    if (!e)
        return false;
    stream_init(&e->stream);
    e->is_head = l->request.method == PROXY_METHOD_HEAD;
    e->endpoint = (uint8_t)endpoint_of(&l->request);
    if (e->endpoint != PROXY_ENDPOINTS && !atomic_load_explicit(&p->mute, memory_order_relaxed))
        begin_record(p, l, e);
    if (l->last)
        l->last->next = e;
    else
        l->first = e;
    l->last = l->receiving = e;
    l->served++;
    l->open++;
    p->stats.requests++;
    return true;
}

static void drop_body(proxy *p, exchange *e) {
    atomic_fetch_sub(&p->held_bytes, e->body.capacity);
    free(e->body.bytes);
    e->body = (stream_buffer){0};
}

/* Keeps a piece of a request's body; drops the body when it is too large or memory is out. */
static void keep_body(proxy *p, exchange *e, const char *bytes, size_t length) {
    if (!e->body_kept)
        return;
    stream_buffer *body = &e->body;
    size_t needed = body->length + length, capacity = body->capacity ? body->capacity : 4096;
    while (capacity < needed)
        capacity *= 2;
    char *grown = body->bytes;
    if (capacity != body->capacity) {
        bool room = needed <= PROXY_MAX_BODY && atomic_load(&p->held_bytes) + capacity - body->capacity <= PROXY_HELD_BYTES;
        grown = room ? realloc(body->bytes, capacity) : NULL;
        if (!grown) {
            drop_body(p, e);
            e->body_kept = false;
            p->stats.dropped_bodies++;
            return;
        }
        atomic_fetch_add(&p->held_bytes, capacity - body->capacity);
        body->bytes = grown;
        body->capacity = capacity;
    }
    memcpy(body->bytes + body->length, bytes, length);
    body->length = needed;
}

static char *join_texts(const stream *s) {
    const request_record *r = &s->record;
    size_t length = (size_t)r->id_length + r->finish_length + r->error_length + r->text_length;
    char *texts = malloc(length ? length : 1), *at = texts;
    if (!texts)
        return NULL;
    const struct { const char *bytes; uint32_t length; } parts[] = {
        {s->id, r->id_length}, {s->finish, r->finish_length}, {s->error.bytes, r->error_length}, {s->text.bytes, r->text_length}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].length)
            memcpy(at, parts[i].bytes, parts[i].length);
        at += parts[i].length;
    }
    return texts;
}

/* Makes the row of an exchange, which takes over its head, body and texts. */
static void write_row(proxy *p, link_pair *l, exchange *e) {
    request_record *r = &e->stream.record;
    r->connect_start_ns = l->connect_start_ns;
    r->connected_ns = l->connected_ns;
    if (l->receiving == e)
        r->bytes_sent = (int64_t)l->request.wire_bytes;
    r->error_length = (uint32_t)e->stream.error.length;
    r->text_length = (uint32_t)e->stream.text.length;
    proxy_row *row = malloc(sizeof *row);
    char *texts = row ? join_texts(&e->stream) : NULL;
    if (!texts) {
        free(row);
        p->stats.dropped_rows++;
        drop_body(p, e);
        return;
    }
    atomic_fetch_add(&p->held_bytes, r->text_length);
    *row = (proxy_row){.record = *r, .received_ns = e->received_ns, .endpoint = e->endpoint, .texts = texts,
                       .body_kept = e->body_kept && e->whole, .head = e->head, .head_length = e->head_length,
                       .body = e->body.bytes, .body_length = e->body.length};
    /* The row counts the body's length in held_bytes, not its spare capacity. */
    atomic_fetch_sub(&p->held_bytes, e->body.capacity - e->body.length);
    e->head = NULL;
    e->head_length = 0;
    e->body = (stream_buffer){0};
    rows_add(p, row);
}

/* Removes the first exchange of a connection, and makes its row. Its record must have an outcome. */
static void remove_first(proxy *p, link_pair *l) {
    exchange *e = l->first;
    if (e->recorded) {
        write_row(p, l, e);
        atomic_fetch_sub(&p->held_bytes, e->head_length);
        if (e->older)
            e->older->newer = e->newer;
        else
            p->oldest = e->newer;
        if (e->newer)
            e->newer->older = e->older;
        else
            p->newest = e->older;
        p->stats.open_requests--;
    }
    l->first = e->next;
    if (!l->first)
        l->last = NULL;
    if (l->receiving == e)
        l->receiving = NULL;   /* answered before the request was complete: its other bytes belong to no row */
    l->open--;
    stream_free(&e->stream);
    free(e->head);
    free(e->body.bytes);
    free(e);
}

/* ---- the ends ---------------------------------------------------------------------- */

void exchange_end_all(proxy *p, link_pair *l, outcome how, const char *text) {
    while (l->first) {
        if (l->first->recorded)
            stream_fail(&l->first->stream, how, p->now_ns, text);
        remove_first(p, l);
    }
}

void exchange_stop_following(proxy *p, link_pair *l, const char *text) {
    exchange_end_all(p, l, OUTCOME_PROTOCOL_ERROR, text);
    l->unfollowed = true;
    proxy_request_reset(&l->request);
    p->stats.unfollowed++;
}

static const char CLIENT_GONE[] = "the client went away before the end of the response";

void exchange_server_closed(proxy *p, link_pair *l, const char *how) {
    for (; l->first; remove_first(p, l)) {
        exchange *e = l->first;
        if (!e->recorded)
            continue;
        stream_closed(&e->stream, &p->shared[e->endpoint], p->now_ns, how);
        uint8_t outcome = e->stream.record.outcome;
        /* A server stops when its client leaves. The outcome is that of the end that came first. */
        if (l->client.eof && (outcome == OUTCOME_TRUNCATED || outcome == OUTCOME_PROTOCOL_ERROR))
            stream_fail(&e->stream, OUTCOME_CANCELLED, p->now_ns, CLIENT_GONE);
    }
}

/* ---- bytes from the client -------------------------------------------------------------- */

void exchange_client_bytes(proxy *p, link_pair *l, const char *bytes, size_t length, int64_t arrival_ns, bool user_clock) {
    const char *at = bytes, *end = bytes + length;
    proxy_span body;
    while (!l->unfollowed) {
        if (!proxy_request_begun(&l->request) && at < end) {
            l->request_first_ns = arrival_ns;
            l->request_user_clock = user_clock;
        }
        switch (proxy_request_next(&l->request, &at, end, &body)) {
        case PROXY_REQUEST_MORE: return;
        case PROXY_REQUEST_HEAD:
            if (l->request.method == PROXY_METHOD_CONNECT)
                exchange_stop_following(p, l, "the connection became a tunnel");
            else if (!exchange_begin(p, l))
                exchange_stop_following(p, l, "out of memory in the recorder");
            break;
        case PROXY_REQUEST_BODY:
            if (l->receiving && l->receiving->recorded)
                keep_body(p, l->receiving, body.start, body.length);
            break;
        case PROXY_REQUEST_COMPLETE:
            if (l->receiving) {
                exchange *e = l->receiving;
                e->whole = true;
                e->received_ns = arrival_ns;
                e->stream.record.bytes_sent = (int64_t)l->request.wire_bytes;
                e->stream.record.user_clock |= user_clock;
                l->receiving = NULL;
            }
            proxy_request_reset(&l->request);
            break;
        case PROXY_REQUEST_ERROR: exchange_stop_following(p, l, "the recorder cannot follow what the client sends"); break;
        }
    }
}

/* ---- bytes from the server ------------------------------------------------------------- */

/* Parses a response to a request that is not recorded. Returns how many bytes follow it; -1: it is not valid HTTP. */
static int64_t skip_response(exchange *e, const char *bytes, size_t length, bool *complete) {
    const char *at = bytes, *end = bytes + length;
    http1_span body;
    *complete = false;
    for (;;)
        switch (http1_next(&e->stream.http, &at, end, &body)) {
        case HTTP1_MORE: return 0;
        case HTTP1_BODY: break;
        case HTTP1_HEADERS:
            if (!e->is_head)   /* a response to HEAD has no body, even if its head announces one */
                break;
            /* fall through */
        case HTTP1_COMPLETE: *complete = true; return end - at;
        case HTTP1_ERROR: return -1;
        }
}

void exchange_server_bytes(proxy *p, link_pair *l, const char *bytes, size_t length, int64_t arrival_ns, int64_t read_ns,
                           bool user_clock) {
    const char *end = bytes + length;
    while (bytes < end && !l->unfollowed) {
        exchange *e = l->first;
        size_t left = 0;
        bool complete = false;
        if (!e) {
            exchange_stop_following(p, l, "");   /* bytes without a request: the server gives up an idle connection */
            return;
        }
        if (e->recorded) {
            e->stream.record.user_clock |= user_clock;
            stream_result result =
                stream_bytes(&e->stream, &p->shared[e->endpoint], bytes, (size_t)(end - bytes), arrival_ns, read_ns, &left);
            if (result == STREAM_BROKEN) {
                remove_first(p, l);
                exchange_stop_following(p, l, "the recorder could not follow an earlier response on the connection");
                return;
            }
            complete = result == STREAM_COMPLETE;
        } else {
            int64_t rest = skip_response(e, bytes, (size_t)(end - bytes), &complete);
            if (rest < 0) {
                exchange_stop_following(p, l, "the recorder could not follow an earlier response on the connection");
                return;
            }
            left = (size_t)rest;
        }
        if (!complete)
            return;
        remove_first(p, l);
        bytes = end - left;
    }
}

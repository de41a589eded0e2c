#include "reactor/reactor_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void list_first(conn_list *list, conn *c) {
    c->previous = NULL;
    c->next = list->first;
    if (list->first)
        list->first->previous = c;
    else
        list->last = c;
    list->first = c;
    list->count++;
    c->list = list;
}

static void list_last(conn_list *list, conn *c) {
    c->next = NULL;
    c->previous = list->last;
    if (list->last)
        list->last->next = c;
    else
        list->first = c;
    list->last = c;
    list->count++;
    c->list = list;
}

void pool_unlist(conn *c) {
    conn_list *list = c->list;
    if (c->previous)
        c->previous->next = c->next;
    else
        list->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    else
        list->last = c->previous;
    c->next = c->previous = NULL;
    c->list = NULL;
    list->count--;
}

void pool_idle(reactor *r, conn *c) {
    c->state = CONN_IDLE;
    c->active_ns = r->now_ns;
    list_first(&r->idle, c);
    r->blocked = false;
}

void pool_assign(reactor *r, conn *c, feed_item *item, int64_t row, uint8_t retries) {
    stream_begin(&c->stream, r->request_ids[row], schedule_due(&r->plan, row));
    request_record *record = &c->stream.record;
    record->connection_id = c->id;
    record->connection_reused = c->served > 0;
    record->connect_start_ns = c->opened_ns;
    record->retries = retries;
    record->released_ns = item->released_ns;
    c->item = item;
    c->length = item->length;
    c->sent = 0;
    c->row = row;
    c->assigned = true;
    c->prefilling = true;
    c->pooled = c->state == CONN_IDLE;
    c->active_ns = r->now_ns;
    r->retained += item->length;
    pool_unlist(c);
    if (c->state == CONN_IDLE)
        c->state = CONN_BUSY;
}

void pool_release_item(reactor *r, conn *c) {
    if (c->item) {
        r->retained -= c->length;
        free(c->item);
        c->item = NULL;
    }
}

void pool_queue_handshake(reactor *r, conn *c, uint32_t events) {
    if (!c->handshake_mask) {
        c->next_handshake = NULL;
        if (r->handshakes_last)
            r->handshakes_last->next_handshake = c;
        else
            r->handshakes = c;
        r->handshakes_last = c;
    }
    c->handshake_mask |= events;
}

void pool_unqueue_handshake(reactor *r, conn *c) {
    if (!c->handshake_mask)
        return;
    conn *before = NULL;
    for (conn *at = r->handshakes; at != c; at = at->next_handshake)
        before = at;
    if (before)
        before->next_handshake = c->next_handshake;
    else
        r->handshakes = c->next_handshake;
    if (r->handshakes_last == c)
        r->handshakes_last = before;
    c->handshake_mask = 0;
}

void pool_drop(reactor *r, conn *c) {
    if (c->list)
        pool_unlist(c);
    pool_unqueue_handshake(r, c);
    pool_release_item(r, c);
    transport_close(&c->line);
    stream_free(&c->stream);
    conn *last = r->conns[--r->conn_count];
    r->conns[c->index] = last;
    last->index = c->index;
    c->state = CONN_DEAD;
    c->next = r->dead;
    r->dead = c;
    r->blocked = false;
}

void pool_recycle_dead(reactor *r) {
    while (r->dead) {
        conn *c = r->dead;
        r->dead = c->next;
        c->next = r->spare;
        r->spare = c;
    }
}

conn *pool_open(reactor *r) {
    if (r->conn_count >= r->config.max_connections) {
        errno = EMFILE;
        return NULL;
    }
    if (r->conn_count == r->conn_capacity) {
        uint32_t capacity = r->conn_capacity ? r->conn_capacity * 2 : 256;
        conn **grown = realloc(r->conns, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        r->conns = grown;
        r->conn_capacity = capacity;
    }
    conn *c = r->spare;
    if (c)
        r->spare = c->next;
    else if (!(c = malloc(sizeof *c)))
        return NULL;
    memset(c, 0, sizeof *c);
    c->cancel_at_ns = SCHEDULE_NEVER;
    stream_init(&c->stream);
    c->opened_ns = c->active_ns = clock_mono_ns();
    int error = -transport_open(&c->line, &r->config.route);
    if (!error && !pool_watch(r, c->line.fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, c)) {
        error = errno;
        transport_close(&c->line);
    }
    if (error) {
        c->next = r->spare;
        r->spare = c;
        errno = error == ENFILE || error == ENOBUFS ? EMFILE : error;
        return NULL;
    }
    c->id = r->next_connection_id++;
    c->index = r->conn_count;
    r->conns[r->conn_count++] = c;
    c->state = CONN_CONNECTING;
    list_last(&r->opening, c);
    return c;
}

bool pool_watch(reactor *r, int fd, uint32_t events, void *tag) {
    struct epoll_event event = {.events = events, .data.ptr = tag};
    return epoll_ctl(r->epfd, EPOLL_CTL_ADD, fd, &event) == 0;
}

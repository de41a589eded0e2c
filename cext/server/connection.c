#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server_internal.h"

/* ---- life ----------------------------------------------------------------------- */

void conn_wait_idle(server *s, conn *c) {
    heap_set(&s->heap, c, s->config.idle_close_ns ? s->now_ns + s->config.idle_close_ns : NEVER);
}

void conn_open(server *s, int fd) {
    conn *c = calloc(1, sizeof *c);
    if (!c || !heap_reserve(&s->heap, (uint32_t)s->stats.open_connections + 1)) {
        free(c);
        close(fd);
        return;
    }
    c->fd = fd;
    c->heap_index = UINT32_MAX;
    c->number = (int32_t)(s->stats.connections & INT32_MAX);
    c->watched = EPOLLIN;
    if (s->tls && !(c->tls = tls_new(s->tls))) {
        free(c);
        close(fd);
        return;
    }
    request_init(&c->request);
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = c}) != 0) {
        tls_free(c->tls);
        free(c);
        close(fd);
        return;
    }
    c->next = s->connections;
    if (c->next)
        c->next->previous = c;
    s->connections = c;
    s->stats.connections++;
    s->stats.open_connections++;
    conn_wait_idle(s, c);
}

void conn_close(server *s, conn *c, bool reset) {
    if (c->phase == CONN_DEAD)
        return;
    if (c->phase == CONN_ANSWERING || c->phase == CONN_STALLED)
        truth_end_row(s, c, c->phase == CONN_STALLED ? OUTCOME_TIMEOUT : OUTCOME_CANCELLED);
    heap_set(&s->heap, c, NEVER);
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(c->fd);   /* also removes it from the epoll set */
    request_reset(&c->request);
    free(c->held);
    free(c->out);
    tls_free(c->tls);
    c->held = c->out = NULL;
    c->tls = NULL;
    c->phase = CONN_DEAD;
    if (c->previous)
        c->previous->next = c->next;
    else
        s->connections = c->next;
    if (c->next)
        c->next->previous = c->previous;
    /* Events of the current batch may still point to it, so it is freed after them. */
    c->next = s->dead;
    s->dead = c;
    s->stats.open_connections--;
    s->accept_again_ns = 0;
}

/* Closing with unread bytes would send a reset, which can overtake the answer. So the connection is half-closed first. */
void conn_linger(server *s, conn *c) {
    if (c->tls && c->answer.fault != FAULT_CUT) {   /* a cut sends no close_notify */
        tls_close(c->tls);
        conn_flush(s, c);
    }
    if (c->peer_closed || shutdown(c->fd, SHUT_WR) != 0) {
        conn_close(s, c, false);
        return;
    }
    c->phase = CONN_LINGERING;
    conn_watch(s, c, EPOLLIN);
    heap_set(&s->heap, c, s->now_ns + LINGER_NS);
}

void conn_watch(server *s, conn *c, uint32_t events) {
    if (c->peer_closed)
        events &= ~(uint32_t)EPOLLIN;   /* the end of the stream would stay readable */
    if (events == c->watched)
        return;
    c->watched = events;
    epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){.events = events, .data.ptr = c});
}

/* ---- writing -------------------------------------------------------------------- */

/* Sends as much as the kernel takes now; if some is left, waits for EPOLLOUT. Returns the bytes taken, or -1 if the connection is broken. */
static ssize_t send_raw(server *s, conn *c, const char *bytes, size_t length) {
    size_t sent = 0;
    size_t piece = s->config.split_bytes ? s->config.split_bytes : length;
    while (sent < length) {
        size_t part = length - sent < piece ? length - sent : piece;
        ssize_t taken = send(c->fd, bytes + sent, part, MSG_NOSIGNAL | MSG_DONTWAIT);
        s->stats.sends++;
        if (taken < 0) {
            if (errno == EINTR)
                continue;
            if (errno != EAGAIN && errno != ENOBUFS)
                return -1;
            break;
        }
        sent += (size_t)taken;
        if ((size_t)taken < part)
            break;
    }
    if (sent < length) {
        c->blocked = true;
        conn_watch(s, c, c->watched | EPOLLOUT);
    }
    return (ssize_t)sent;
}

bool conn_flush(server *s, conn *c) {
    const char *out;
    size_t waiting = tls_out(c->tls, &out);
    if (!waiting)
        return true;
    ssize_t sent = send_raw(s, c, out, waiting);
    if (sent > 0)
        tls_sent(c->tls, (size_t)sent);
    return sent >= 0;
}

ssize_t conn_send(server *s, conn *c, const char *bytes, size_t length) {
    if (!c->tls)
        return send_raw(s, c, bytes, length);
    if (!tls_write(c->tls, bytes, length))
        return -1;
    s->now_ns = clock_mono_ns();
    return conn_flush(s, c) ? (ssize_t)length : -1;
}

bool conn_send_all(server *s, conn *c, const char *bytes, size_t length) {
    ssize_t sent = 0;
    if (!c->out && (sent = conn_send(s, c, bytes, length)) < 0)
        return false;
    size_t rest = length - (size_t)sent;
    if (rest == 0)
        return true;
    char *out = realloc(c->out, c->out_length + rest);
    if (!out)
        return false;
    memcpy(out + c->out_length, bytes + sent, rest);
    c->out = out;
    c->out_length += rest;
    return true;
}

void conn_answered(server *s, conn *c) {
    bool keep = c->answer.keep_alive;
    request_reset(&c->request);
    if (!keep) {
        conn_linger(s, c);
        return;
    }
    c->phase = CONN_READING;
    if (c->held_length == 0)
        conn_wait_idle(s, c);
}

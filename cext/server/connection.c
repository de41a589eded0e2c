#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server_internal.h"

static bool flush(server *s, conn *c);

/* ---- life ----------------------------------------------------------------------- */

static void wait_idle(server *s, conn *c) {
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
    wait_idle(s, c);
}

void conn_close(server *s, conn *c, bool reset) {
    if (c->phase == CONN_DEAD)
        return;
    if (c->phase == CONN_ANSWERING || c->phase == CONN_STALLED)
        answer_abandon(s, c);
    heap_set(&s->heap, c, NEVER);
    if (reset)
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(c->fd);   /* also takes it out of the epoll set */
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
    /* Events of this batch may still point to it: it is freed after them. */
    c->next = s->dead;
    s->dead = c;
    s->stats.open_connections--;
    s->accept_again_ns = 0;
}

/* Ends our direction and discards what the peer still sends: closing with unread bytes would be a reset, which
 * can overtake the answer. */
void conn_linger(server *s, conn *c) {
    if (c->tls && c->answer.fault != FAULT_CUT) {   /* a cut says no goodbye */
        tls_close(c->tls);
        flush(s, c);
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
        events &= ~(uint32_t)EPOLLIN;   /* the end of the stream stays readable for ever */
    if (events == c->watched)
        return;
    c->watched = events;
    epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &(struct epoll_event){.events = events, .data.ptr = c});
}

/* ---- reading -------------------------------------------------------------------- */

/* One read of the socket, with the kernel's stamp of its last byte where there is one. */
static ssize_t receive_raw(server *s, conn *c, char *buffer, size_t room) {
    union { char bytes[CMSG_SPACE(sizeof(struct timespec))]; struct cmsghdr align; } control;
    struct iovec part = {.iov_base = buffer, .iov_len = room};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(c->fd, &message, MSG_DONTWAIT);
    if (got <= 0)
        return got;
    c->read_ns = s->now_ns = clock_mono_ns();
    c->read_kernel_clock = false;
    for (struct cmsghdr *part_of = CMSG_FIRSTHDR(&message); part_of; part_of = CMSG_NXTHDR(&message, part_of))
        if (part_of->cmsg_level == SOL_SOCKET && part_of->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(part_of), sizeof stamp);
            int64_t stamp_ns = (int64_t)stamp.tv_sec * TT_NS_PER_S + stamp.tv_nsec - clock_offset_ns();
            /* A step of the wall clock can put the stamp anywhere. */
            if (stamp_ns <= c->read_ns && stamp_ns > c->read_ns - 60 * TT_NS_PER_S) {
                c->read_ns = stamp_ns;
                c->read_kernel_clock = true;
            }
        }
    return got;
}

/* One read into read_buffer. -1 with EAGAIN: nothing for the application came with it. */
static ssize_t receive(server *s, conn *c) {
    if (!c->tls)
        return receive_raw(s, c, s->read_buffer, READ_BYTES);
    ssize_t raw = receive_raw(s, c, s->cipher_buffer, READ_BYTES);
    if (raw <= 0)
        return raw;
    size_t got;
    tls_state state = tls_receive(c->tls, s->cipher_buffer, (size_t)raw, s->read_buffer, READ_BYTES + TLS_HELD, &got);
    bool sent = flush(s, c);
    if (got)
        return (ssize_t)got;
    if (state == TLS_CLOSED)
        return 0;
    errno = state == TLS_FAILED || !sent ? EPROTO : EAGAIN;
    return -1;
}

static bool hold(conn *c, const char *bytes, size_t length) {
    char *held = realloc(c->held, c->held_length + length);
    if (!held)
        return false;
    memcpy(held + c->held_length, bytes, length);
    c->held = held;
    c->held_length += length;
    return true;
}

static void feed(server *s, conn *c, const char *p, const char *end) {
    while (c->phase == CONN_READING) {
        switch (request_next(&c->request, &p, end)) {
        case REQUEST_MORE: return;
        case REQUEST_HEAD:
            if (c->request.expects_continue && !conn_send_all(s, c, "HTTP/1.1 100 Continue\r\n\r\n", 25))
                conn_close(s, c, false);
            break;
        case REQUEST_COMPLETE: route_request(s, c); break;
        case REQUEST_ERROR:
            c->request.keep_alive = false;
            route_refuse(s, c, ENDPOINT_OTHER, c->request.error_status, SHAPE_OPENAI, c->request.error, NULL);
            break;
        }
    }
    if (p < end && (c->phase == CONN_ANSWERING || c->phase == CONN_STALLED)) {
        if (!hold(c, p, (size_t)(end - p)))
            conn_close(s, c, false);
        else if (c->held_length >= HELD_BYTES)
            conn_watch(s, c, c->watched & ~(uint32_t)EPOLLIN);
    }
}

void conn_read_held(server *s, conn *c) {
    while (c->phase == CONN_READING && c->held_length) {
        char *held = c->held;
        size_t length = c->held_length;
        c->held = NULL;
        c->held_length = 0;
        conn_watch(s, c, c->watched | EPOLLIN);
        feed(s, c, held, held + length);
        free(held);
    }
    if (c->phase == CONN_READING && c->peer_closed)
        conn_close(s, c, false);
}

void conn_readable(server *s, conn *c) {
    ssize_t got = receive(s, c);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            conn_close(s, c, false);
        else if (c->tls && c->phase == CONN_READING && c->request.wire_bytes == 0)
            wait_idle(s, c);   /* a handshake is no idleness */
    } else if (got == 0) {
        /* An answer in progress goes on: the peer may have closed its direction alone. If it is gone, the next
         * write but one says so. */
        c->peer_closed = true;
        if (c->phase == CONN_ANSWERING)
            conn_watch(s, c, c->watched);
        else
            conn_close(s, c, false);
    } else if (c->phase == CONN_READING) {
        heap_set(&s->heap, c, NEVER);
        feed(s, c, s->read_buffer, s->read_buffer + got);
    } else if (c->phase == CONN_ANSWERING || c->phase == CONN_STALLED) {
        if (!hold(c, s->read_buffer, (size_t)got))
            conn_close(s, c, false);
        else if (c->held_length >= HELD_BYTES)
            conn_watch(s, c, c->watched & ~(uint32_t)EPOLLIN);
    }
}

/* ---- writing -------------------------------------------------------------------- */

/* As much as the kernel takes now; what is left waits for conn_writable. -1: broken. */
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

/* Sends what TLS has encrypted. false: broken. */
static bool flush(server *s, conn *c) {
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
    return flush(s, c) ? (ssize_t)length : -1;
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

void conn_writable(server *s, conn *c) {
    const char *cipher;
    if (c->tls && !flush(s, c)) {
        conn_close(s, c, false);
        return;
    }
    if (c->tls && tls_out(c->tls, &cipher))
        return;
    if (c->out) {
        ssize_t sent = conn_send(s, c, c->out + c->out_sent, c->out_length - c->out_sent);
        if (sent < 0) {
            conn_close(s, c, false);
            return;
        }
        c->out_sent += (size_t)sent;
        if (c->out_sent < c->out_length)
            return;
        free(c->out);
        c->out = NULL;
        c->out_length = c->out_sent = 0;
    }
    c->blocked = false;
    conn_watch(s, c, c->watched & ~(uint32_t)EPOLLOUT);
    if (c->phase == CONN_ANSWERING)
        answer_advance(s, c);
    conn_read_held(s, c);
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
        wait_idle(s, c);
}

void conn_due(server *s, conn *c) {
    if (c->phase != CONN_ANSWERING) {   /* idle or lingering for long enough */
        conn_close(s, c, false);
        return;
    }
    answer_advance(s, c);
    conn_read_held(s, c);
}

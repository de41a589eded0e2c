#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "server/server_internal.h"

/* ---- reading -------------------------------------------------------------------- */

/* Reads the socket once and sets read_ns: the kernel's stamp of the last byte if there is one, else the time of the read. */
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
            /* The stamp can be any value if the wall clock was set. */
            if (stamp_ns <= c->read_ns && stamp_ns > c->read_ns - 60 * TT_NS_PER_S) {
                c->read_ns = stamp_ns;
                c->read_kernel_clock = true;
            }
        }
    return got;
}

/* Reads the socket once into read_buffer. Returns like recv(); -1 with EAGAIN: the read held no bytes of the application. */
static ssize_t receive(server *s, conn *c) {
    if (!c->tls)
        return receive_raw(s, c, s->read_buffer, READ_BYTES);
    ssize_t raw = receive_raw(s, c, s->cipher_buffer, READ_BYTES);
    if (raw <= 0)
        return raw;
    size_t got;
    tls_state state = tls_receive(c->tls, s->cipher_buffer, (size_t)raw, s->read_buffer, READ_BYTES + TLS_HELD, &got);
    bool sent = conn_flush(s, c);
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
        case REQUEST_ERROR: route_bad_request(s, c); break;
        }
    }
    if (p < end && (c->phase == CONN_ANSWERING || c->phase == CONN_STALLED)) {
        if (!hold(c, p, (size_t)(end - p)))
            conn_close(s, c, false);
        else if (c->held_length >= HELD_BYTES)
            conn_watch(s, c, c->watched & ~(uint32_t)EPOLLIN);
    }
}

static void read_held(server *s, conn *c) {
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

void ready_to_read(server *s, conn *c) {
    ssize_t got = receive(s, c);
    if (got < 0) {
        if (errno != EAGAIN && errno != EINTR)
            conn_close(s, c, false);
        else if (c->tls && c->phase == CONN_READING && c->request.wire_bytes == 0)
            conn_wait_idle(s, c);   /* a connection in its handshake is not idle */
    } else if (got == 0) {
        /* An answer in progress goes on: the peer may have closed only its direction. If it is gone, the second write from now
         * fails. */
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

/* ---- continuing ----------------------------------------------------------------- */

void ready_to_write(server *s, conn *c) {
    const char *cipher;
    if (c->tls && !conn_flush(s, c)) {
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
    read_held(s, c);
}

void ready_due(server *s, conn *c) {
    if (c->phase != CONN_ANSWERING) {   /* it was idle or lingering until its deadline */
        conn_close(s, c, false);
        return;
    }
    answer_advance(s, c);
    read_held(s, c);
}

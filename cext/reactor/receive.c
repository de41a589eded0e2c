#include "reactor/reactor_internal.h"

#include <errno.h>
#include <string.h>

/* Returns the stamp of a read on CLOCK_MONOTONIC: the kernel's if there is one and it can be right, else read_ns. */
static int64_t arrival(reactor *r, stream *s, int64_t stamp_unix_ns, int64_t read_ns) {
    if (stamp_unix_ns && !r->distrust_stamps) {
        int64_t stamp = stamp_unix_ns - r->offset_ns;
        if (stamp <= read_ns)
            return stamp;
        if (stamp - read_ns < STEP_NS)
            return read_ns;              /* the two clocks are read 30 ns apart */
        r->status.clock_steps++;
    }
    s->record.user_clock = 1;
    return read_ns;
}

/* The response is complete: ends the request, and keeps or closes the connection. left: bytes after the response. */
static void completed(reactor *r, conn *c, size_t left) {
    bool reusable = r->config.reuse && stream_keep_alive(&c->stream) && left == 0 && c->sent == c->length;
    end_request(r, c);
    if (reusable)
        pool_idle(r, c);
    else
        pool_drop(r, c);
    send_waiting(r);
}

void receive_all(reactor *r, conn *c, uint32_t mask) {
    for (;;) {
        transport_read read;
        int64_t n = transport_receive(&c->line, r->buffers, &read);
        if (n == -EAGAIN || n == -EWOULDBLOCK)
            return;
        r->now_ns = clock_mono_ns();
        if (c->state == CONN_IDLE) {     /* the server closed it, or sent bytes without a request */
            pool_drop(r, c);
            return;
        }
        if (n <= 0) {
            end_broken(r, c, (int)-n);
            return;
        }
        c->active_ns = r->now_ns;
        size_t left;
        stream *s = &c->stream;
        stream_result result =
            stream_bytes(s, &r->shared, read.bytes, (size_t)n, arrival(r, s, read.stamp_ns, r->now_ns), r->now_ns, &left);
        if (c->prefilling && s->record.first_token_ns)
            limits_count_first_token(r, c);
        switch (result) {
        case STREAM_MORE:
            if (c->item && c->sent == c->length)
                pool_release_item(r, c);
            break;
        case STREAM_COMPLETE:
            completed(r, c, left);
            break;
        case STREAM_BROKEN:
            end_request(r, c);
            pool_drop(r, c);
            break;
        }
        if (c->state == CONN_DEAD)
            return;
        send_due(r);
        /* Edge-triggered: a short read has emptied the socket, unless the server's close comes after the data. */
        if (c->state == CONN_DEAD || (!read.more && !(mask & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))))
            return;
    }
}

void receive_ready(reactor *r, conn *c, uint32_t mask) {
    if (c->state == CONN_BUSY && c->sent < c->length && !c->error && mask & EPOLLOUT)
        send_more(r, c);
    if (c->state != CONN_DEAD && mask & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        receive_all(r, c, mask);
}

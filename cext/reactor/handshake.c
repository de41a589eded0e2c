#include "reactor/reactor_internal.h"

#define HANDSHAKES_PER_TURN 2

/* A step towards a connection that can be used. */
static void advance(reactor *r, conn *c, uint32_t mask) {
    char text[TRANSPORT_TEXT];
    bool open = transport_advance(&c->line, &r->config.route, r->buffers, text);
    r->now_ns = clock_mono_ns();
    if (text[0])
        end_handshake(r, c, text);
    else if (open && c->assigned) {
        c->state = CONN_BUSY;
        send_more(r, c);
    } else if (open) {
        pool_unlist(c);
        pool_idle(r, c);
        send_waiting(r);
    }
    if ((c->state == CONN_IDLE || c->state == CONN_BUSY) && mask & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        receive_all(r, c, mask);
}

void open_ready(reactor *r, conn *c, uint32_t mask) {
    if (c->line.step == TRANSPORT_CONNECTING && !(mask & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        return;
    if (!r->config.route.tls) {
        advance(r, c, mask);
        return;
    }
    transport_connected(&c->line, r->now_ns);
    if (!c->shake_mask) {
        c->next_shaking = NULL;
        if (r->shaking_last)
            r->shaking_last->next_shaking = c;
        else
            r->shaking = c;
        r->shaking_last = c;
    }
    c->shake_mask |= mask;
}

void open_forget(reactor *r, conn *c) {
    if (!c->shake_mask)
        return;
    conn *before = NULL;
    for (conn *at = r->shaking; at != c; at = at->next_shaking)
        before = at;
    if (before)
        before->next_shaking = c->next_shaking;
    else
        r->shaking = c->next_shaking;
    if (r->shaking_last == c)
        r->shaking_last = before;
    c->shake_mask = 0;
}

bool open_some(reactor *r) {
    bool any = r->shaking;
    for (int i = 0; i < HANDSHAKES_PER_TURN && r->shaking; i++) {
        conn *c = r->shaking;
        uint32_t mask = c->shake_mask;
        open_forget(r, c);
        advance(r, c, mask);
        send_due(r);
    }
    return any;
}

#include "reactor/reactor_internal.h"

#define HANDSHAKES_PER_TURN 2

/* Does one step of opening a connection, and uses the connection if it is open then. */
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

void handshake_ready(reactor *r, conn *c, uint32_t mask) {
    if (c->line.step == TRANSPORT_CONNECTING && !(mask & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
        return;
    if (!r->config.route.tls) {
        advance(r, c, mask);
        return;
    }
    transport_connected(&c->line, r->now_ns);
    pool_queue_handshake(r, c, mask);
}

bool handshake_continue_some(reactor *r) {
    bool any = r->handshakes;
    for (int i = 0; i < HANDSHAKES_PER_TURN && r->handshakes; i++) {
        conn *c = r->handshakes;
        uint32_t mask = c->handshake_mask;
        pool_unqueue_handshake(r, c);
        advance(r, c, mask);
        send_due(r);
    }
    return any;
}

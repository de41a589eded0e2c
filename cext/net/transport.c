#include "net/transport.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/socket.h"

#define MOST_WAITING (1u << 20)   /* upper limit of ciphertext that the peer does not read */

int transport_open(transport *t, const transport_route *route) {
    *t = (transport){.fd = socket_connect((const struct sockaddr *)&route->address, route->address_length, route->stamps)};
    return t->fd < 0 ? t->fd : 0;
}

/* Sends the ciphertext that TLS holds. Returns 0 when all of it is sent, else -errno. */
static int flush(transport *t) {
    const char *out;
    size_t waiting;
    while ((waiting = tls_out(t->tls, &out))) {
        int64_t n = socket_send(t->fd, out, waiting);
        if (n < 0)
            return (int)n;
        tls_sent(t->tls, (size_t)n);
    }
    return 0;
}

/* ---- opening --------------------------------------------------------------------- */

static bool fail(char *text, const char *reason) {
    snprintf(text, TRANSPORT_TEXT, "%s", reason);
    return false;
}

static bool is_waiting(int64_t result) { return result == -EAGAIN || result == -EWOULDBLOCK; }

/* Parses bytes of the proxy's response to CONNECT. Returns true when the tunnel is open; false: the response is incomplete, or `text`
 * says what is wrong. No bytes may follow its head, since the server does not send first. */
static bool take_answer(transport *t, const char *bytes, size_t length, char *text) {
    const char *p = bytes;
    http1_span body;
    switch (http1_next(t->answer, &p, bytes + length, &body)) {
    case HTTP1_MORE:
        return false;
    case HTTP1_ERROR:
        snprintf(text, TRANSPORT_TEXT, "the proxy's response to CONNECT is not HTTP: %s", t->answer->error);
        return false;
    default:
        break;
    }
    /* RFC 9110, 9.3.6: any 2xx opens the tunnel and has no body, even if its head announces one. */
    if (t->answer->status < 200 || t->answer->status > 299) {
        const char *advice = t->answer->status == 407 ? ": put a user and a password into the proxy's URL" : "";
        snprintf(text, TRANSPORT_TEXT, "the proxy refuses the tunnel with status %u%s", t->answer->status, advice);
        return false;
    }
    if (p < bytes + length)
        return fail(text, "the proxy sent further bytes after its response to CONNECT");
    return true;
}

static bool tunnel(transport *t, const transport_route *route, transport_buffers *buffers, char *text) {
    int64_t stamp, n;
    while (t->tunnel_sent < route->tunnel_length) {
        n = socket_send(t->fd, route->tunnel + t->tunnel_sent, route->tunnel_length - t->tunnel_sent);
        if (is_waiting(n))
            break;
        if (n < 0)
            return fail(text, strerror((int)-n));
        t->tunnel_sent += (size_t)n;
    }
    while (!is_waiting(n = socket_receive(t->fd, buffers->read, TRANSPORT_READ, &stamp))) {
        if (n <= 0)
            return fail(text, n ? strerror((int)-n) : "the proxy closed the connection before it opened the tunnel");
        if (take_answer(t, buffers->read, (size_t)n, text))
            return true;
        if (text[0])
            return false;
    }
    return false;
}

static bool handshake(transport *t, transport_buffers *buffers, char *text) {
    int64_t n = 0, stamp;
    size_t got;
    tls_state state;
    do {
        state = tls_receive(t->tls, buffers->read, (size_t)n, buffers->plain, sizeof buffers->plain, &got);
        int error = flush(t);          /* also sends the alert that tells the server why we refuse */
        if (state == TLS_FAILED)
            return fail(text, tls_error(t->tls));
        if (error && !is_waiting(error))
            return fail(text, strerror(-error));
        if (got || state == TLS_CLOSED)
            return fail(text, "the server sent data before it got a request: is it an HTTP server?");
        if (state == TLS_OPEN) {
            t->tls_ns = clock_mono_ns();
            return true;
        }
        n = socket_receive(t->fd, buffers->read, TRANSPORT_READ, &stamp);
    } while (n > 0);
    if (!is_waiting(n))
        fail(text, n ? strerror((int)-n) : "the server closed the connection during the TLS handshake");
    return false;
}

void transport_connected(transport *t, int64_t now_ns) {
    if (t->step == TRANSPORT_CONNECTING && !t->connected_ns)
        t->connected_ns = now_ns;
}

bool transport_advance(transport *t, const transport_route *route, transport_buffers *buffers, char text[TRANSPORT_TEXT]) {
    text[0] = 0;
    if (t->step == TRANSPORT_CONNECTING) {
        int error = socket_error(t->fd);
        if (error)
            return fail(text, strerror(error));
        if (!t->connected_ns)
            t->connected_ns = clock_mono_ns();
        t->step = route->tunnel ? TRANSPORT_TUNNEL : TRANSPORT_HANDSHAKE;
        if (route->tunnel) {
            if (!(t->answer = malloc(sizeof *t->answer)))
                return fail(text, strerror(ENOMEM));
            http1_init(t->answer);
        }
    }
    if (t->step == TRANSPORT_TUNNEL) {
        if (!tunnel(t, route, buffers, text))
            return false;
        http1_free(t->answer);
        free(t->answer);
        t->answer = NULL;
        t->step = TRANSPORT_HANDSHAKE;
    }
    if (t->step == TRANSPORT_HANDSHAKE && route->tls) {
        if (!t->tls && !(t->tls = tls_new(route->tls)))
            return fail(text, strerror(ENOMEM));
        if (!handshake(t, buffers, text))
            return false;
    }
    t->step = TRANSPORT_OPEN;
    return true;
}

const char *transport_lack(const transport *t) {
    static const char *const lacks[] = {"no connection", "no response of the proxy", "no TLS handshake", "no request"};
    return lacks[t->step];
}

/* ---- open ------------------------------------------------------------------------ */

int64_t transport_receive(transport *t, transport_buffers *buffers, transport_read *read) {
    if (!t->tls) {
        int64_t n = socket_receive(t->fd, buffers->read, TRANSPORT_READ, &read->stamp_ns);
        read->bytes = buffers->read;
        read->more = n == TRANSPORT_READ;
        return n;
    }
    read->bytes = buffers->plain;
    while (tls_state_of(t->tls) == TLS_OPEN) {
        int64_t n = socket_receive(t->fd, buffers->read, TRANSPORT_READ, &read->stamp_ns);
        if (n <= 0)
            return n;
        size_t got;
        tls_state state = tls_receive(t->tls, buffers->read, (size_t)n, buffers->plain, sizeof buffers->plain, &got);
        /* Sends a response to a key update, or an alert. What the kernel does not take now is sent with the next write. A peer that
         * keeps asking for responses and reads none is given up. */
        const char *out;
        if (is_waiting(flush(t)) && tls_out(t->tls, &out) > MOST_WAITING)
            return -ENOBUFS;
        read->more = n == TRANSPORT_READ || state != TLS_OPEN;
        if (got)
            return (int64_t)got;
    }
    return tls_state_of(t->tls) == TLS_CLOSED ? 0 : -EPROTO;
}

int transport_seal(transport *t, const char *bytes, size_t length) {
    if (!t->tls || t->sealed)
        return 0;
    size_t piece = length < TLS_RECORD ? length : TLS_RECORD;
    if (!tls_write(t->tls, bytes, piece))
        return tls_state_of(t->tls) == TLS_FAILED ? -EPROTO : -ENOMEM;
    t->sealed = piece;
    return 0;
}

int64_t transport_write(transport *t, const char *bytes, size_t length) {
    if (!t->tls)
        return socket_send(t->fd, bytes, length);
    int error = flush(t);
    if (error)
        return error;
    size_t sent = t->sealed;
    t->sealed = 0;
    return (int64_t)sent;
}

bool transport_was_cut(const transport *t) { return t->tls && tls_state_of(t->tls) == TLS_OPEN; }

const char *transport_reason(const transport *t) { return t->tls ? tls_error(t->tls) : ""; }

void transport_close(transport *t) {
    if (t->tls) {
        tls_close(t->tls);
        flush(t);                      /* as much as the kernel takes; the rest is lost */
        tls_free(t->tls);
    }
    if (t->answer) {
        http1_free(t->answer);
        free(t->answer);
    }
    close(t->fd);
    t->tls = NULL;
    t->answer = NULL;
}

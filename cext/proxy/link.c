#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"
#include "proxy/proxy_internal.h"

#define NO_DEADLINE INT64_MAX
#define OLDEST_STAMP_NS (60 * TT_NS_PER_S)

static const char CLIENT_GONE[] = "the client went away before the end of the response";
static const char SILENCE[] = "the client had ended its side, and then the server was silent for too long";

static peer *other(peer *s) { return s == &s->link->client ? &s->link->server : &s->link->client; }
static bool is_client(const peer *s) { return s == &s->link->client; }

/* ---- epoll events ------------------------------------------------------------------- */

static uint32_t wanted(peer *s) {
    link_pair *l = s->link;
    uint32_t events = 0;
    if (s->out || (!is_client(s) && l->connecting))
        events |= EPOLLOUT;
    bool may_read = l->phase == LINK_LINGERING ? is_client(s) : !other(s)->out;
    if (is_client(s) && l->open >= MAX_OPEN_EXCHANGES && l->phase == LINK_RELAYING && !l->refused)
        may_read = false;
    if (!s->eof && may_read && !(l->connecting && !is_client(s)))
        events |= EPOLLIN;
    return events;
}

/* Updates the epoll set. A server's socket without wanted events is removed from it: epoll would report its hang-up again and again
 * while its last bytes wait for the client. A client's socket stays in it, so that a reset is seen at once. */
static void update_watched(proxy *p, link_pair *l) {
    peer *peers[] = {&l->client, &l->server};
    for (int i = 0; i < 2 && l->phase != LINK_DEAD; i++) {
        peer *s = peers[i];
        uint32_t events = s->fd < 0 ? 0 : wanted(s);
        if (s->fd < 0 || events == s->watched)
            continue;
        struct epoll_event event = {.events = events, .data.ptr = s};
        int how = is_client(s) ? EPOLL_CTL_MOD : !events ? EPOLL_CTL_DEL : !s->watched ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        if (epoll_ctl(p->epoll_fd, how, s->fd, &event) == 0)
            s->watched = events;
    }
}

/* A client that has half-closed may still read or may be gone; only sending to it would show that. While
 * bytes move, it is assumed to be there: the deadline is set anew. */
static void extend_deadline(proxy *p, link_pair *l) {
    if (l->client.eof && l->phase == LINK_RELAYING && !l->connecting)
        l->deadline_ns = p->now_ns + p->config.half_closed_ns;
}

static void drop_unsent(peer *s) {
    free(s->out);
    s->out = NULL;
    s->out_length = s->out_sent = 0;
}

/* ---- life --------------------------------------------------------------------------- */

static void close_server(link_pair *l) {
    if (l->server.fd >= 0)
        close(l->server.fd);   /* with unread bytes this sends a reset, and the server stops at once */
    l->server.fd = -1;
    l->server.watched = 0;
    l->connecting = false;
    drop_unsent(&l->server);
}

void link_close(proxy *p, link_pair *l, bool reset) {
    if (l->phase == LINK_DEAD)
        return;
    exchange_end_all(p, l, OUTCOME_CANCELLED, CLIENT_GONE);
    if (reset)
        setsockopt(l->client.fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(l->client.fd);
    close_server(l);
    drop_unsent(&l->client);
    proxy_request_reset(&l->request);
    l->phase = LINK_DEAD;
    if (l->previous)
        l->previous->next = l->next;
    else
        p->links = l->next;
    if (l->next)
        l->next->previous = l->previous;
    l->next = p->dead;   /* events of this turn may still point to it; it is freed after them */
    p->dead = l;
    p->stats.open_connections--;
    p->accept_again_ns = 0;
}

/* The server's connection has ended: sends the client what is left, then closes its connection. */
static void end_client(proxy *p, link_pair *l) {
    close_server(l);
    l->phase = LINK_LINGERING;
    l->deadline_ns = NO_DEADLINE;
    if (l->client.out)
        return;
    if (l->reset_after || l->client.eof || shutdown(l->client.fd, SHUT_WR) != 0) {
        link_close(p, l, l->reset_after);
        return;
    }
    l->client.shut = true;
    l->deadline_ns = p->now_ns + LINGER_NS;
}

static bool is_idle(const link_pair *l) { return !l->first && !proxy_request_begun(&l->request) && !l->client.out && !l->server.out; }

/* ---- the server cannot be reached ------------------------------------------------------ */

static bool send_bytes(proxy *p, peer *to, const char *bytes, size_t length);

static void answer_refused(proxy *p, link_pair *l) {
    if (l->unfollowed) {
        link_close(p, l, false);
        return;
    }
    if (!l->first || !(l->first->whole || l->request.expects_continue))
        return;   /* a response in the middle of the request could get lost */
    char body[256], response[512];
    int length = snprintf(body, sizeof body, "{\"error\":{\"message\":\"tokentape record: %s\",\"type\":\"bad_gateway\",\"code\":502}}",
                          l->refused);
    length = snprintf(response, sizeof response,
                      "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
                      length, body);
    p->stats.refused++;
    exchange_end_all(p, l, OUTCOME_CONNECT_ERROR, l->refused);
    if (send_bytes(p, &l->client, response, (size_t)length))
        end_client(p, l);
}

static void refuse(proxy *p, link_pair *l, const char *why) {
    close_server(l);
    l->deadline_ns = NO_DEADLINE;
    if (!l->first && !proxy_request_begun(&l->request) && !l->unfollowed)
        return;   /* no request has begun: the next byte tries to connect again */
    l->refused = why;
    answer_refused(p, l);
}

static const char *reason(int error) {
    switch (error) {
    case ECONNREFUSED: return "the server refuses connections";
    case ETIMEDOUT: return "the server does not answer";
    case EMFILE:
    case ENFILE: return "the recorder has no file descriptor left for a connection to the server";
    default: return "the server cannot be reached";
    }
}

static void dial(proxy *p, link_pair *l) {
    l->connect_start_ns = clock_mono_ns();
    int fd = socket_connect((const struct sockaddr *)&p->config.upstream, p->config.upstream_length, true);
    if (fd < 0) {
        refuse(p, l, reason(-fd));
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    l->server.fd = fd;
    l->connecting = true;
    l->deadline_ns = p->now_ns + p->config.connect_timeout_ns;
}

void link_open(proxy *p, int fd) {
    link_pair *l = calloc(1, sizeof *l);
    if (!l || epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &l->client}) != 0) {
        free(l);
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, sizeof(int));
    l->client = (peer){.link = l, .fd = fd, .watched = EPOLLIN};
    l->server = (peer){.link = l, .fd = -1};
    l->number = (int32_t)(p->stats.connections++ & INT32_MAX);
    l->deadline_ns = NO_DEADLINE;
    proxy_request_init(&l->request);
    l->next = p->links;
    if (l->next)
        l->next->previous = l;
    p->links = l;
    p->stats.open_connections++;
    dial(p, l);
    update_watched(p, l);
}

/* ---- moving bytes ------------------------------------------------------------------------ */

/* Sends bytes and keeps those that the kernel does not take. Returns false when the connection failed. A client's is then closed; a
 * server's stays open, since its last bytes may still be read. */
static bool send_bytes(proxy *p, peer *to, const char *bytes, size_t length) {
    link_pair *l = to->link;
    int64_t sent = 0;
    if (to->shut)
        return false;
    if (!to->out && !(l->connecting && !is_client(to))) {
        sent = socket_send(to->fd, bytes, length);
        if (sent == -EAGAIN || sent == -ENOBUFS)
            sent = 0;
    }
    size_t rest = sent < 0 ? 0 : length - (size_t)sent;
    if (rest && sent >= 0) {
        char *out = realloc(to->out, to->out_length + rest);
        if (out) {
            memcpy(out + to->out_length, bytes + sent, rest);
            to->out = out;
            to->out_length += rest;
        } else {
            sent = -ENOMEM;
        }
    }
    if (sent >= 0)
        return true;
    if (is_client(to)) {
        link_close(p, l, false);
    } else {
        drop_unsent(to);
        to->shut = true;
    }
    return false;
}

/* Closes our direction to the server once the client has half-closed and all its bytes are sent. */
static void half_close_server(link_pair *l) {
    if (l->client.eof && !l->server.shut && !l->server.out && l->server.fd >= 0 && !l->connecting) {
        shutdown(l->server.fd, SHUT_WR);
        l->server.shut = true;
    }
}

static void flush_out(proxy *p, peer *s) {
    link_pair *l = s->link;
    while (s->out) {
        int64_t sent = socket_send(s->fd, s->out + s->out_sent, s->out_length - s->out_sent);
        if (sent == -EAGAIN || sent == -ENOBUFS)
            return;
        if (sent < 0) {
            if (is_client(s)) {
                link_close(p, l, false);
                return;
            }
            s->shut = true;
            drop_unsent(s);
            return;
        }
        s->out_sent += (size_t)sent;
        extend_deadline(p, l);
        if (s->out_sent == s->out_length)
            drop_unsent(s);
    }
    if (l->phase == LINK_LINGERING)
        end_client(p, l);
    else
        half_close_server(l);
}

static void client_ended(proxy *p, link_pair *l) {
    l->client.eof = true;
    if (l->refused || is_idle(l)) {
        link_close(p, l, false);
    } else if (proxy_request_begun(&l->request) && !l->unfollowed) {
        exchange_end_all(p, l, OUTCOME_CANCELLED, "the client went away while it sent the request");
        link_close(p, l, false);
    } else {
        half_close_server(l);   /* the client may still read. If it is gone, the second write from now fails */
        extend_deadline(p, l);
    }
}

static void server_ended(proxy *p, link_pair *l, bool reset) {
    l->server.eof = true;
    l->reset_after = reset;
    exchange_server_closed(p, l, reset ? "the server reset the connection" : "the server closed the connection");
    end_client(p, l);
}

static void relay(proxy *p, peer *from) {
    link_pair *l = from->link;
    peer *to = other(from);
    int64_t stamp_ns, got = socket_receive(from->fd, p->buffer, PROXY_READ_BYTES, &stamp_ns);
    if (got == -EAGAIN)
        return;
    int64_t read_ns = p->now_ns = clock_mono_ns();
    if (l->phase == LINK_LINGERING) {
        if (got <= 0)
            link_close(p, l, false);
        return;
    }
    if (got <= 0) {
        if (!is_client(from))
            server_ended(p, l, got < 0);
        else if (got < 0)
            link_close(p, l, false);
        else
            client_ended(p, l);
        return;
    }
    extend_deadline(p, l);
    if (is_client(from) && l->server.fd < 0 && !l->refused)
        dial(p, l);
    if (to->fd >= 0 && !send_bytes(p, to, p->buffer, (size_t)got) && is_client(to))
        return;
    int64_t arrival_ns = stamp_ns - p->offset_ns;
    bool user_clock = !stamp_ns || p->distrust_stamps || arrival_ns > read_ns || arrival_ns < read_ns - OLDEST_STAMP_NS;
    if (user_clock)
        arrival_ns = read_ns;
    if (l->unfollowed)
        return;
    if (!is_client(from)) {
        exchange_server_bytes(p, l, p->buffer, (size_t)got, arrival_ns, read_ns, user_clock);
    } else {
        exchange_client_bytes(p, l, p->buffer, (size_t)got, arrival_ns, user_clock);
        if (l->server.fd < 0 && !l->refused)
            refuse(p, l, "the server cannot be reached");
        else if (l->refused)
            answer_refused(p, l);
    }
}

static void connected(proxy *p, link_pair *l) {
    int error = socket_error(l->server.fd);
    if (error) {
        refuse(p, l, reason(error));
        return;
    }
    l->connecting = false;
    l->connected_ns = clock_mono_ns();
    l->deadline_ns = NO_DEADLINE;
    flush_out(p, &l->server);
    half_close_server(l);
    extend_deadline(p, l);
}

void link_ready(proxy *p, peer *s, uint32_t events) {
    link_pair *l = s->link;
    if (l->phase == LINK_DEAD || s->fd < 0)
        return;
    bool broken = events & (EPOLLERR | EPOLLHUP);
    if (!is_client(s) && l->connecting) {
        connected(p, l);
    } else {
        if (events & EPOLLOUT)
            flush_out(p, s);
        if (l->phase != LINK_DEAD && s->fd >= 0 && (events & EPOLLIN || (broken && s->watched & EPOLLIN))) {
            relay(p, s);
        } else if (l->phase != LINK_DEAD && broken && s->fd >= 0) {
            if (is_client(s)) {
                link_close(p, l, false);
            } else {
                drop_unsent(s);   /* its last bytes are read when the client has room for them */
                s->shut = true;
            }
        }
    }
    update_watched(p, l);
}

void link_check(proxy *p, link_pair *l) {
    if (p->now_ns >= l->deadline_ns) {
        if (l->phase == LINK_LINGERING) {
            link_close(p, l, false);
            return;
        }
        if (!l->connecting && l->client.eof) {
            exchange_end_all(p, l, OUTCOME_CANCELLED, SILENCE);
            link_close(p, l, false);
            return;
        }
        refuse(p, l, "the server does not answer in time");
        update_watched(p, l);
    }
    if (p->drained && l->phase == LINK_RELAYING && is_idle(l) && !l->unfollowed)
        link_close(p, l, false);
}

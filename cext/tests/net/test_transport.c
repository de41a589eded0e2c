/* One connection whose peer is played by the test: connecting, a proxy's tunnel, TLS, back pressure, and all kinds of ends. */
#define _GNU_SOURCE   /* accept4 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/transport.h"
#include "support/certificates.h"
#include "support/check.h"

static const char CONNECT[] = "CONNECT host:443 HTTP/1.1\r\nHost: host:443\r\n\r\n";

static transport_buffers buffers;
static transport_route route;
static int listener;

static void listen_somewhere(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    route = (transport_route){.address_length = sizeof address, .stamps = true};
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&route.address, &route.address_length) != 0)
        abort();
}

/* Every wait below has this limit. */
static void wait_at(int fd, short events, int line) {
    if (poll(&(struct pollfd){.fd = fd, .events = events}, 1, 5000) != 1) {
        fprintf(stderr, "test_transport.c:%d: %s: nothing came\n", line, check_case);
        remove_certificates();
        exit(1);
    }
}
#define wait_for(fd, events) wait_at(fd, events, __LINE__)

/* Makes a TCP connection. Returns the peer's end. */
static int dial(transport *t) {
    CHECK_NUMBER(transport_open(t, &route), 0);
    wait_for(t->fd, POLLOUT);
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(peer >= 0);
    return peer;
}

/* The kernel begins to stamp some time after the first socket has asked for stamps (a work queue switches a static key). So another
 * connection asks for them, and bytes are sent through it until one has a stamp. It stays open to keep the stamps on. */
static void await_stamps(void) {
    static transport other;
    char text[TRANSPORT_TEXT];
    transport_read read_ = {0};
    int peer = dial(&other);
    CHECK(transport_advance(&other, &route, &buffers, text));
    for (int tries = 0; tries < 100000 && !read_.stamp_ns; tries++) {
        CHECK_NUMBER(write(peer, "x", 1), 1);
        wait_for(other.fd, POLLIN);
        CHECK_NUMBER(transport_receive(&other, &buffers, &read_), 1);
    }
    CHECK(read_.stamp_ns > 0);
}

static int64_t write_next(transport *t, const char *bytes, size_t length) {
    int error = transport_seal(t, bytes, length);
    return error ? error : transport_write(t, bytes, length);
}

static void test_plain(void) {
    transport t;
    char text[TRANSPORT_TEXT], heard[16];
    transport_read read_;
    int peer = dial(&t);
    CHECK(transport_advance(&t, &route, &buffers, text));
    CHECK(t.connected_ns > 0 && t.tls_ns == 0);
    CHECK_NUMBER(transport_receive(&t, &buffers, &read_), -EAGAIN);
    CHECK_NUMBER(write_next(&t, "hello", 5), 5);
    wait_for(peer, POLLIN);
    CHECK_NUMBER(read(peer, heard, sizeof heard), 5);
    CHECK_NUMBER(write(peer, "world", 5), 5);
    wait_for(t.fd, POLLIN);
    CHECK_NUMBER(transport_receive(&t, &buffers, &read_), 5);
    CHECK_TEXT(read_.bytes, 5, "world");
    CHECK(read_.stamp_ns > 0 && !read_.more);
    close(peer);
    wait_for(t.fd, POLLIN);
    CHECK_NUMBER(transport_receive(&t, &buffers, &read_), 0);
    CHECK(!transport_was_cut(&t));
    transport_close(&t);
}

static void test_no_listener(void) {
    struct sockaddr_in address;
    memcpy(&address, &route.address, sizeof address);
    transport t;
    char text[TRANSPORT_TEXT];
    close(listener);
    int opened = transport_open(&t, &route);
    if (opened == 0) {
        wait_for(t.fd, POLLOUT);
        CHECK(!transport_advance(&t, &route, &buffers, text));
        CHECK_TEXT(text, strlen(text), "Connection refused");
        transport_close(&t);
    } else
        CHECK_NUMBER(opened, -ECONNREFUSED);
    listen_somewhere();
}

/* The proxy's response arrives in pieces of several sizes. */
static void test_tunnel(void) {
    static const struct { const char *answer, *text; } table[] = {
        {"HTTP/1.1 200 Connection established\r\n\r\n", ""},
        {"HTTP/1.0 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n", ""},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n", ""},
        {"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n",
         "the proxy refuses the tunnel with status 407: put a user and a password into the proxy's URL"},
        {"HTTP/1.1 502 Bad\r\n\r\n", "the proxy refuses the tunnel with status 502"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "the proxy's response to CONNECT is not HTTP: "},
        {"HTTP/1.1 200 OK\r\n\r\n+", "the proxy sent further bytes after its response to CONNECT"},
        {"HTTP/1.1 200 OK\r\n", "the proxy closed the connection before it opened the tunnel"},
    };
    route.tunnel = CONNECT;
    route.tunnel_length = sizeof CONNECT - 1;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        for (size_t piece = 1; piece < 80; piece += piece < 4 ? 1 : 25) {
            check_case = table[i].answer;
            transport t;
            char text[TRANSPORT_TEXT] = "", heard[256];
            int peer = dial(&t);
            bool open = transport_advance(&t, &route, &buffers, text);
            CHECK(!open && !text[0]);
            wait_for(peer, POLLIN);
            CHECK_TEXT(heard, (size_t)read(peer, heard, sizeof heard), CONNECT);
            size_t length = strlen(table[i].answer);
            for (size_t at = 0; at < length && !open && !text[0]; at += piece) {
                size_t part = length - at < piece ? length - at : piece;
                CHECK_NUMBER(write(peer, table[i].answer + at, part), part);
                wait_for(t.fd, POLLIN);
                open = transport_advance(&t, &route, &buffers, text);
            }
            close(peer);
            if (!open && !text[0]) {
                wait_for(t.fd, POLLIN);
                open = transport_advance(&t, &route, &buffers, text);
            }
            bool own_bytes = strchr(table[i].answer, '+');
            CHECK_NUMBER(open, !table[i].text[0] || (own_bytes && text[0] == 0));   /* a further byte in a read of its own is not seen */
            CHECK(own_bytes || strncmp(text, table[i].text, strlen(table[i].text)) == 0);
            transport_close(&t);
        }
    check_case = "";
    route.tunnel = NULL;
}

/* Writes ciphertext of the test's end to the socket, as much as the kernel takes. */
static void push(tls *from, int fd) {
    const char *out;
    size_t waiting;
    while ((waiting = tls_out(from, &out))) {
        ssize_t n = write(fd, out, waiting);
        if (n < 0)
            return;
        tls_sent(from, (size_t)n);
    }
}

/* Reads what has arrived at the peer, and appends its plaintext to `plain`. Returns the bytes appended. */
static size_t pull(tls *to, int fd, char *plain, size_t room) {
    static char cipher[TRANSPORT_READ], piece[TRANSPORT_READ + TLS_HELD];
    size_t total = 0, got;
    ssize_t n;
    while ((n = read(fd, cipher, sizeof cipher)) > 0) {
        tls_receive(to, cipher, (size_t)n, piece, sizeof piece, &got);
        CHECK(total + got <= room);
        memcpy(plain + total, piece, got);
        total += got;
    }
    return total;
}

/* Makes a connection under TLS. Returns the peer's end. */
static int handshake(transport *t, tls *server) {
    char text[TRANSPORT_TEXT], none[8];
    int peer = dial(t);
    for (int i = 0; i < 8 && !transport_advance(t, &route, &buffers, text); i++) {
        CHECK_TEXT(text, strlen(text), "");
        wait_for(peer, POLLIN);
        pull(server, peer, none, sizeof none);
        push(server, peer);
        if (tls_state_of(server) == TLS_HANDSHAKE || t->step != TRANSPORT_OPEN)
            wait_for(t->fd, POLLIN);
    }
    CHECK_NUMBER(t->step, TRANSPORT_OPEN);
    CHECK(t->tls_ns >= t->connected_ns);
    pull(server, peer, none, sizeof none);     /* the client's last message of the handshake */
    push(server, peer);                        /* and the server's session tickets */
    return peer;
}

static void test_tls(tls_context *serving, bool cut) {
    transport t;
    transport_read read_;
    char heard[64];
    tls *server = tls_new(serving);
    int peer = handshake(&t, server);
    CHECK_NUMBER(write_next(&t, "hello", 5), 5);
    wait_for(peer, POLLIN);
    CHECK_TEXT(heard, pull(server, peer, heard, sizeof heard), "hello");
    CHECK(tls_write(server, "wor", 3) && tls_write(server, "ld", 2));
    push(server, peer);
    wait_for(t.fd, POLLIN);
    int64_t n;
    while ((n = transport_receive(&t, &buffers, &read_)) == -EAGAIN)
        wait_for(t.fd, POLLIN);
    CHECK_TEXT(read_.bytes, (size_t)n, "world");
    CHECK(read_.stamp_ns > 0);
    if (!cut)
        tls_close(server);
    push(server, peer);
    close(peer);
    wait_for(t.fd, POLLIN);
    CHECK_NUMBER(transport_receive(&t, &buffers, &read_), 0);
    CHECK_NUMBER(transport_was_cut(&t), cut);
    transport_close(&t);
    tls_free(server);
}

/* Writes more than the kernel takes at once: after -EAGAIN the same bytes are written again. All bytes arrive once and in order. */
static void test_back_pressure(tls_context *serving) {
    enum { LENGTH = 8 << 20 };
    transport t;
    tls *server = tls_new(serving);
    int peer = handshake(&t, server), waits = 0;
    char *bytes = malloc(LENGTH), *heard = malloc(LENGTH);
    size_t sent = 0, got = 0;
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (char)(i * 7 + i / 1000);
    while (sent < LENGTH) {
        int64_t n = write_next(&t, bytes + sent, LENGTH - sent);
        if (n == -EAGAIN) {
            waits++;
            got += pull(server, peer, heard + got, LENGTH - got);
            CHECK(got >= sent || got + (4 << 20) > sent);
            continue;
        }
        CHECK(n > 0 && n <= TLS_RECORD);
        sent += n > 0 ? (size_t)n : LENGTH;
    }
    while (got < LENGTH) {
        wait_for(peer, POLLIN);
        got += pull(server, peer, heard + got, LENGTH - got);
    }
    CHECK(waits > 0);
    CHECK(memcmp(bytes, heard, LENGTH) == 0);
    transport_close(&t);
    close(peer);
    tls_free(server);
    free(bytes);
    free(heard);
}

static void test_garbage_instead_of_tls(tls_context *serving, const char *garbage, size_t length, const char *reason) {
    transport t;
    transport_read read_;
    tls *server = tls_new(serving);
    int peer = handshake(&t, server);
    CHECK_NUMBER(write(peer, garbage, length), length);
    wait_for(t.fd, POLLIN);
    int64_t n;
    while ((n = transport_receive(&t, &buffers, &read_)) == -EAGAIN)
        wait_for(t.fd, POLLIN);
    CHECK_NUMBER(n, -EPROTO);
    CHECK_TEXT(transport_reason(&t), strlen(transport_reason(&t)), reason);
    CHECK_NUMBER(transport_receive(&t, &buffers, &read_), -EPROTO);
    CHECK_NUMBER(write_next(&t, "x", 1), -EPROTO);
    transport_close(&t);
    close(peer);
    tls_free(server);
}

static void test_handshakes_that_end(void) {
    static const struct { const char *answer, *text; } table[] = {
        {"", "the server closed the connection during the TLS handshake"},
        {"HTTP/1.1 400 Bad Request\r\n\r\n", "the TLS handshake failed: wrong version number (is it a plain http port?)"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        transport t;
        char text[TRANSPORT_TEXT], hello[4096];
        int peer = dial(&t);
        CHECK(!transport_advance(&t, &route, &buffers, text) && !text[0]);
        wait_for(peer, POLLIN);
        CHECK(read(peer, hello, sizeof hello) > 100);
        CHECK_NUMBER(write(peer, table[i].answer, strlen(table[i].answer)), strlen(table[i].answer));
        close(peer);
        wait_for(t.fd, POLLIN);
        CHECK(!transport_advance(&t, &route, &buffers, text));
        CHECK_TEXT(text, strlen(text), table[i].text);
        transport_close(&t);
    }
}

int main(void) {
    char why[TLS_ERROR_BYTES];
    make_certificates();
    listen_somewhere();
    await_stamps();
    test_plain();
    test_no_listener();
    test_tunnel();
    tls_context *serving = tls_server(certificate("host.pem"), certificate("host.key"), why);
    route.tls = tls_client(&(tls_client_options){.host = "localhost", .ca_file = certificate("ca.pem")}, why);
    CHECK(serving && route.tls);
    test_tls(serving, false);
    test_tls(serving, true);
    test_back_pressure(serving);
    test_garbage_instead_of_tls(serving, "HTTP/1.1 500 Oh\r\n\r\n", 19, "TLS broke: wrong version number");
    static const char noise[] = "\x17\x03\x03\0\x20 thirty-two bytes that are noise";
    test_garbage_instead_of_tls(serving, noise, sizeof noise - 1, "TLS broke: decryption failed or bad record mac");
    test_handshakes_that_end();
    tls_context_free(serving);
    tls_context_free(route.tls);
    close(listener);
    remove_certificates();
    return check_report("transport");
}

/* TLS between a client and a server in memory: bytes split at any place arrive complete, certificates are verified, corrupt bytes fail,
 * and a close differs from a cut. */
#include <stdint.h>

#include "net/tls.h"
#include "support/certificates.h"
#include "support/check.h"

enum { WIRE = 1 << 20, PLAIN = WIRE + TLS_HELD };

static char plain[PLAIN], wire[WIRE];

/* The two ends of a connection. */
typedef struct { tls *client, *server; } pair;

static tls_context *client_of(const char *host, const char *ca_file, bool insecure) {
    char why[TLS_ERROR_BYTES] = "";
    tls_context *context = tls_client(&(tls_client_options){.host = host, .ca_file = ca_file, .insecure = insecure}, why);
    CHECK_TEXT(why, strlen(why), "");
    return context;
}

static tls_context *server_of(const char *certificate_file) {
    char why[TLS_ERROR_BYTES] = "";
    tls_context *context = tls_server(certificate(certificate_file), certificate("host.key"), why);
    CHECK_TEXT(why, strlen(why), "");
    return context;
}

/* Moves the ciphertext of one end to the other in pieces; appends the plaintext to *at. */
static bool carry(tls *from, tls *to, size_t piece, char *text, size_t *at) {
    const char *out;
    size_t waiting = tls_out(from, &out), got;
    if (!waiting)
        return false;
    memcpy(wire, out, waiting);
    tls_sent(from, waiting);
    for (size_t sent = 0; sent < waiting; sent += piece) {
        size_t part = waiting - sent < piece ? waiting - sent : piece;
        /* A copy of exactly this size, so that the sanitizer finds a read beyond it. */
        char *copy = malloc(part);
        memcpy(copy, wire + sent, part);
        tls_receive(to, copy, part, plain, part + TLS_HELD, &got);
        free(copy);
        memcpy(text + *at, plain, got);
        *at += got;
    }
    return true;
}

/* Moves ciphertext in both directions until neither end has any. */
static pair handshake(tls_context *client, tls_context *server, size_t piece) {
    pair p = {tls_new(client), tls_new(server)};
    char nothing[64];
    size_t got, at = 0;
    tls_receive(p.client, NULL, 0, plain, TLS_HELD, &got);
    while (carry(p.client, p.server, piece, nothing, &at) || carry(p.server, p.client, piece, nothing, &at))
        continue;
    CHECK_NUMBER(at, 0);
    return p;
}

static void free_pair(pair p) {
    tls_free(p.client);
    tls_free(p.server);
}

static void test_cut_anywhere(void) {
    static char text[200000], heard[200000];
    tls_context *client = client_of("localhost", certificate("ca.pem"), false), *server = server_of("host.pem");
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 31 + i / 251);
    const size_t pieces[] = {1, 2, 3, 5, 7, 64, 1000, 16384, 16406, 65536, WIRE};
    const size_t lengths[] = {1, 2, 100, 16383, 16384, 16385, 40000, 200000};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        pair p = handshake(client, server, pieces[i]);
        CHECK_NUMBER(tls_state_of(p.client), TLS_OPEN);
        CHECK_NUMBER(tls_state_of(p.server), TLS_OPEN);
        CHECK_NUMBER(tls_resumed(p.client), i > 0);     /* with the session of the connection before */
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
            size_t at = 0;
            CHECK(tls_write(p.server, text, lengths[k]));
            carry(p.server, p.client, pieces[i], heard, &at);
            CHECK(at == lengths[k] && memcmp(heard, text, at) == 0);
            at = 0;
            CHECK(tls_write(p.client, text, lengths[k]));
            carry(p.client, p.server, pieces[i], heard, &at);
            CHECK(at == lengths[k] && memcmp(heard, text, at) == 0);
        }
        tls_close(p.client);     /* otherwise OpenSSL does not resume the session */
        free_pair(p);
    }
    tls_context_free(client);
    tls_context_free(server);
}

/* One call returns the plaintext of many records in one read. */
static void test_one_read_is_one_piece(void) {
    tls_context *client = client_of("::1", certificate("ca.pem"), false), *server = server_of("host.pem");
    pair p = handshake(client, server, WIRE);
    char heard[64];
    size_t at = 0;
    for (int i = 0; i < 10; i++)
        CHECK(tls_write(p.server, "abc", 3));
    carry(p.server, p.client, WIRE, heard, &at);
    CHECK_TEXT(heard, at, "abcabcabcabcabcabcabcabcabcabc");
    free_pair(p);
    tls_context_free(client);
    tls_context_free(server);
}

static void test_verification(void) {
    const struct { const char *host, *ca, *certificate; bool insecure; const char *error; } table[] = {
        {"localhost", "ca.pem", "host.pem", false, ""},
        {"127.0.0.1", "ca.pem", "host.pem", false, ""},
        {"::1", "ca.pem", "host.pem", false, ""},
        {"localhost", "host.pem", "host.pem", false, ""},     /* the certificate itself or an intermediate one can be the trusted one */
        {"localhost", NULL, "host.pem", false, "the server's certificate is not trusted: unable to get local issuer certificate"},
        {"example.com", "ca.pem", "host.pem", false, "the server's certificate is not trusted: hostname mismatch"},
        {"127.0.0.2", "ca.pem", "host.pem", false, "the server's certificate is not trusted: IP address mismatch"},
        {"localhost", "ca.pem", "old.pem", false, "the server's certificate is not trusted: certificate has expired"},
        {"example.com", NULL, "old.pem", true, ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        check_case = table[i].error[0] ? table[i].error : table[i].host;
        tls_context *client = client_of(table[i].host, table[i].ca ? certificate(table[i].ca) : NULL, table[i].insecure);
        tls_context *server = server_of(table[i].certificate);
        for (int again = 0; again < 2; again++) {     /* a refused server is refused the second time too */
            pair p = handshake(client, server, WIRE);
            bool refused = table[i].error[0] != 0;
            CHECK_NUMBER(tls_state_of(p.client), refused ? TLS_FAILED : TLS_OPEN);
            CHECK_TEXT(tls_error(p.client), strlen(tls_error(p.client)), table[i].error);
            CHECK_NUMBER(tls_state_of(p.server), refused ? TLS_FAILED : TLS_OPEN);     /* it got an alert */
            free_pair(p);
        }
        tls_context_free(client);
        tls_context_free(server);
    }
    check_case = "";
}

static void test_a_close_is_no_cut(void) {
    tls_context *client = client_of("localhost", certificate("ca.pem"), false), *server = server_of("host.pem");
    pair p = handshake(client, server, WIRE);
    char heard[64];
    const char *out;
    size_t at = 0, got;
    CHECK(tls_write(p.server, "last", 4));
    tls_close(p.server);
    tls_close(p.server);
    carry(p.server, p.client, WIRE, heard, &at);
    CHECK_TEXT(heard, at, "last");
    CHECK_NUMBER(tls_state_of(p.client), TLS_CLOSED);
    CHECK_NUMBER(tls_receive(p.client, "more", 4, plain, PLAIN, &got), TLS_CLOSED);
    CHECK_NUMBER(got, 0);
    CHECK(tls_write(p.client, "still", 5));     /* our direction is open */
    carry(p.client, p.server, WIRE, heard, &at);
    CHECK_TEXT(heard, at, "laststill");
    CHECK_NUMBER(tls_out(p.server, &out), 0);
    free_pair(p);
    tls_context_free(client);
    tls_context_free(server);
}

static void test_what_is_no_tls(void) {
    tls_context *client = client_of("localhost", certificate("ca.pem"), false), *server = server_of("host.pem");
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    size_t got;
    tls *t = tls_new(client);
    CHECK_NUMBER(tls_receive(t, NULL, 0, plain, TLS_HELD, &got), TLS_HANDSHAKE);
    CHECK_NUMBER(tls_receive(t, answer, sizeof answer - 1, plain, PLAIN, &got), TLS_FAILED);
    static const char expected[] = "the TLS handshake failed: wrong version number (is it a plain http port?)";
    CHECK_TEXT(tls_error(t), strlen(tls_error(t)), expected);
    CHECK(!tls_write(t, "x", 1));
    tls_free(t);

    uint64_t random = 1;
    for (int round = 0; round < 400; round++) {
        char garbage[600];
        for (size_t i = 0; i < sizeof garbage; i++)
            garbage[i] = (char)((random = random * 6364136223846793005u + 1442695040888963407u) >> 56);
        if (round % 2) {     /* begin with a record header, so that parsing gets further */
            garbage[0] = (char)(20 + round % 5);
            garbage[1] = 3;
            garbage[2] = (char)(round % 5);
            garbage[3] = (char)(round % 3);
        }
        t = tls_new(round % 4 < 2 ? client : server);
        tls_receive(t, NULL, 0, plain, TLS_HELD, &got);
        tls_receive(t, garbage, sizeof garbage, plain, PLAIN, &got);
        CHECK_NUMBER(got, 0);
        CHECK(tls_state_of(t) == TLS_FAILED || tls_state_of(t) == TLS_HANDSHAKE);
        tls_free(t);
    }
    tls_context_free(client);
    tls_context_free(server);
}

/* With any byte changed, only the correct plaintext before it is returned. */
static void test_a_flipped_byte(void) {
    tls_context *client = client_of("localhost", certificate("ca.pem"), false), *server = server_of("host.pem");
    for (size_t at = 0; at < 60; at++) {
        pair p = handshake(client, server, WIRE);
        const char *out;
        size_t got;
        CHECK(tls_write(p.server, "one", 3) && tls_write(p.server, "two", 3));
        size_t waiting = tls_out(p.server, &out);
        memcpy(wire, out, waiting);
        if (at < waiting)
            wire[at] ^= 0x20;
        tls_receive(p.client, wire, waiting, plain, PLAIN, &got);
        CHECK(got == 0 || (got == 3 && memcmp(plain, "one", 3) == 0) || (at >= waiting && got == 6));
        if (at < waiting)
            CHECK(tls_state_of(p.client) == TLS_FAILED || tls_state_of(p.client) == TLS_OPEN);   /* open: a changed length waits for more bytes */
        free_pair(p);
    }
    tls_context_free(client);
    tls_context_free(server);
}

static void test_bad_files(void) {
    char why[TLS_ERROR_BYTES];
    CHECK(!tls_client(&(tls_client_options){.host = "h", .ca_file = certificate("none.pem")}, why));
    CHECK(strstr(why, "none.pem holds no certificates in PEM form: No such file or directory"));
    CHECK(!tls_server(certificate("names"), certificate("host.key"), why));
    CHECK(strstr(why, "names holds no certificate in PEM form"));
    CHECK(!tls_server(certificate("host.pem"), certificate("ca.key"), why));
    CHECK(strstr(why, "ca.key holds no key in PEM form for this certificate: key values mismatch"));
}

int main(void) {
    make_certificates();
    test_cut_anywhere();
    test_one_read_is_one_piece();
    test_verification();
    test_a_close_is_no_cut();
    test_what_is_no_tls();
    test_a_flipped_byte();
    test_bad_files();
    remove_certificates();
    return check_report("tls");
}

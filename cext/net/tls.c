#include "net/tls.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/tls_library.h"

#define OUT_KEPT 4096          /* a larger buffer of outgoing ciphertext is freed when it is empty */

struct tls_context {
    SSL_CTX *context;
    bool is_client;
    char *server_name;         /* for SNI; NULL when the host is an address */
    SSL_SESSION *session;      /* owned: the last one that the server gave, or NULL */
};

/* One connection; the data of the BIO through which OpenSSL reads and writes. */
struct tls {
    SSL *ssl;
    const tls_context *context;
    tls_state state;
    bool closing;
    const char *in, *in_end;   /* ciphertext of the current tls_receive; not owned */
    char *out;                 /* owned: ciphertext to send lies from out_start to out_end */
    size_t out_start, out_end, out_room;
    char error[TLS_ERROR_BYTES];
};

static const tls_library *openssl;
static BIO_METHOD *spans;      /* shared by all connections, never freed */

/* ---- the BIO --------------------------------------------------------------------- */

static int span_read(BIO *bio, char *buffer, int room) {
    tls *t = openssl->BIO_get_data(bio);
    openssl->BIO_clear_flags(bio, TLS_BIO_RETRY_ALL);
    size_t left = (size_t)(t->in_end - t->in);
    if (!left || room <= 0) {
        openssl->BIO_set_flags(bio, TLS_BIO_RETRY_READ);
        return -1;
    }
    size_t n = left < (size_t)room ? left : (size_t)room;
    memcpy(buffer, t->in, n);
    t->in += n;
    return (int)n;
}

static int span_write(BIO *bio, const char *bytes, int length) {
    tls *t = openssl->BIO_get_data(bio);
    openssl->BIO_clear_flags(bio, TLS_BIO_RETRY_ALL);
    if (length <= 0)
        return 0;
    size_t needed = t->out_end + (size_t)length;
    if (needed > t->out_room) {
        size_t capacity = t->out_room ? t->out_room : OUT_KEPT;
        while (capacity < needed)
            capacity *= 2;
        char *grown = realloc(t->out, capacity);
        if (!grown)
            return -1;         /* without the retry flag: the connection fails */
        t->out = grown;
        t->out_room = capacity;
    }
    memcpy(t->out + t->out_end, bytes, (size_t)length);
    t->out_end = needed;
    return length;
}

static long span_control(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == TLS_BIO_FLUSH;   /* the one command that every BIO must support; no other is supported */
}

/* ---- life ------------------------------------------------------------------------ */

bool tls_load(char why[TLS_ERROR_BYTES]) {
    if (spans)
        return true;
    openssl = tls_library_load(why, TLS_ERROR_BYTES);
    if (!openssl)
        return false;
    BIO_METHOD *method = openssl->BIO_meth_new(openssl->BIO_get_new_index() | TLS_BIO_SOURCE_SINK, "tokentape");
    if (!method || !openssl->BIO_meth_set_read(method, span_read) || !openssl->BIO_meth_set_write(method, span_write) ||
        !openssl->BIO_meth_set_ctrl(method, span_control)) {
        snprintf(why, TLS_ERROR_BYTES, "out of memory");
        return false;
    }
    spans = method;
    return true;
}

static const char *reason(void) {
    unsigned long error = openssl->ERR_peek_error();
    const char *words = openssl->ERR_reason_error_string(error);
    if (!words && error & TLS_SYSTEM_ERROR)
        return strerror((int)(error & (TLS_SYSTEM_ERROR - 1)));
    return words ? words : "unknown reason";
}

/* OpenSSL calls this with each new session. A new connection tries to resume the newest one, since servers forget old ones. */
static int keep_session(SSL *ssl, SSL_SESSION *session) {
    tls_context *c = openssl->SSL_CTX_get_ex_data(openssl->SSL_get_SSL_CTX(ssl), 0);
    if (c->session)
        openssl->SSL_SESSION_free(c->session);
    c->session = session;
    return 1;                  /* we own it now */
}

static tls_context *context_new(bool is_client, char *why) {
    if (!tls_load(why))
        return NULL;
    openssl->ERR_clear_error();
    tls_context *c = calloc(1, sizeof *c);
    if (c)
        c->context = openssl->SSL_CTX_new(is_client ? openssl->TLS_client_method() : openssl->TLS_server_method());
    if (!c || !c->context) {
        snprintf(why, TLS_ERROR_BYTES, "OpenSSL cannot be initialized: %s", c ? reason() : "out of memory");
        free(c);
        return NULL;
    }
    c->is_client = is_client;
    openssl->SSL_CTX_ctrl(c->context, TLS_CTRL_MIN_VERSION, TLS_VERSION_1_2, NULL);
    openssl->SSL_CTX_ctrl(c->context, TLS_CTRL_MODE, TLS_MODE_RELEASE_BUFFERS, NULL);
    return c;
}

static bool is_address(const char *host) {
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* Loads the certificates to trust. Returns false with `why`. */
static bool load_store(SSL_CTX *context, const tls_client_options *options, char *why) {
    if (options->ca_file) {
        if (openssl->SSL_CTX_load_verify_locations(context, options->ca_file, NULL))
            return true;
        snprintf(why, TLS_ERROR_BYTES, "%.120s holds no certificates in PEM form: %.60s", options->ca_file, reason());
        return false;
    }
    /* Each of these may be missing. Without any, every certificate is refused, and the handshake's error says so. */
    openssl->SSL_CTX_set_default_verify_paths(context);
    if (options->store_file)
        openssl->SSL_CTX_load_verify_locations(context, options->store_file, NULL);
    if (options->store_dir)
        openssl->SSL_CTX_load_verify_locations(context, NULL, options->store_dir);
    openssl->ERR_clear_error();
    return true;
}

/* Requires a certificate for this name or address. Returns false when OpenSSL refuses the name. */
static bool expect_host(tls_context *c, const char *host) {
    X509_VERIFY_PARAM *param = openssl->SSL_CTX_get0_param(c->context);
    openssl->X509_VERIFY_PARAM_set_hostflags(param, TLS_NO_PARTIAL_WILDCARDS);
    openssl->X509_VERIFY_PARAM_set_flags(param, TLS_PARTIAL_CHAIN);   /* trust an intermediate certificate of --cacert, as curl does */
    if (is_address(host))
        return openssl->X509_VERIFY_PARAM_set1_ip_asc(param, host);
    return (c->server_name = strdup(host)) && openssl->X509_VERIFY_PARAM_set1_host(param, host, 0);
}

tls_context *tls_client(const tls_client_options *options, char why[TLS_ERROR_BYTES]) {
    static const unsigned char http_1_1[] = "\x08http/1.1";   /* RFC 7301: a length byte before each name */
    tls_context *c = context_new(true, why);
    if (!c)
        return NULL;
    openssl->SSL_CTX_set_verify(c->context, options->insecure ? TLS_VERIFY_NONE : TLS_VERIFY_PEER, NULL);
    openssl->SSL_CTX_ctrl(c->context, TLS_CTRL_SESSION_CACHE, TLS_CACHE_CLIENT | TLS_CACHE_NO_STORE, NULL);
    openssl->SSL_CTX_sess_set_new_cb(c->context, keep_session);
    if (!options->insecure && !load_store(c->context, options, why)) {
        tls_context_free(c);
        return NULL;
    }
    if (!openssl->SSL_CTX_set_ex_data(c->context, 0, c) || !expect_host(c, options->host) ||
        openssl->SSL_CTX_set_alpn_protos(c->context, http_1_1, sizeof http_1_1 - 1) != 0) {   /* this one returns 0 on success */
        snprintf(why, TLS_ERROR_BYTES, "the host name %.100s cannot be used for TLS", options->host);
        tls_context_free(c);
        return NULL;
    }
    return c;
}

tls_context *tls_server(const char *certificate_file, const char *key_file, char why[TLS_ERROR_BYTES]) {
    tls_context *c = context_new(false, why);
    if (!c)
        return NULL;
    if (!openssl->SSL_CTX_use_certificate_chain_file(c->context, certificate_file))
        snprintf(why, TLS_ERROR_BYTES, "%.120s holds no certificate in PEM form: %.60s", certificate_file, reason());
    else if (!openssl->SSL_CTX_use_PrivateKey_file(c->context, key_file, TLS_FILE_PEM))
        snprintf(why, TLS_ERROR_BYTES, "%.120s holds no key in PEM form for this certificate: %.60s", key_file, reason());
    else if (!openssl->SSL_CTX_check_private_key(c->context))
        snprintf(why, TLS_ERROR_BYTES, "the key does not belong to the certificate: %s", reason());
    else
        return c;
    tls_context_free(c);
    return NULL;
}

void tls_context_free(tls_context *c) {
    if (!c)
        return;
    if (c->session)
        openssl->SSL_SESSION_free(c->session);
    openssl->SSL_CTX_free(c->context);
    free(c->server_name);
    free(c);
}

tls *tls_new(tls_context *context) {
    tls *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->context = context;
    t->ssl = openssl->SSL_new(context->context);
    BIO *bio = t->ssl ? openssl->BIO_new(spans) : NULL;
    if (!bio) {
        tls_free(t);
        return NULL;
    }
    openssl->BIO_set_data(bio, t);
    openssl->BIO_set_init(bio, 1);
    openssl->SSL_set_bio(t->ssl, bio, bio);   /* takes ownership of the BIO */
    if (!context->is_client) {
        openssl->SSL_set_accept_state(t->ssl);
        return t;
    }
    openssl->SSL_set_connect_state(t->ssl);
    bool named = !context->server_name || openssl->SSL_ctrl(t->ssl, TLS_CTRL_HOST_NAME, 0, context->server_name);
    if (!named || (context->session && !openssl->SSL_set_session(t->ssl, context->session))) {
        tls_free(t);
        return NULL;
    }
    return t;
}

void tls_free(tls *t) {
    if (!t)
        return;
    if (t->ssl)
        openssl->SSL_free(t->ssl);
    free(t->out);
    free(t);
}

/* ---- work ------------------------------------------------------------------------ */

static const char *advice(const char *words) {
    if (strcmp(words, "wrong version number") == 0 || strcmp(words, "packet length too long") == 0)
        return " (is it a plain http port?)";
    return "";
}

static void fail(tls *t) {
    long verified = t->context->is_client ? openssl->SSL_get_verify_result(t->ssl) : TLS_VERIFY_OK;
    const char *words = reason();
    if (t->state == TLS_HANDSHAKE && verified != TLS_VERIFY_OK && strcmp(words, "certificate verify failed") == 0)
        snprintf(t->error, sizeof t->error, "the server's certificate is not trusted: %s",
                 openssl->X509_verify_cert_error_string(verified));
    else if (t->state == TLS_HANDSHAKE)
        snprintf(t->error, sizeof t->error, "the TLS handshake failed: %s%s", words, advice(words));
    else
        snprintf(t->error, sizeof t->error, "TLS broke: %s", words);
    t->state = TLS_FAILED;
    openssl->ERR_clear_error();
}

/* Sets the state after a call of OpenSSL that did not succeed. */
static void settle(tls *t, int result) {
    int error = openssl->SSL_get_error(t->ssl, result);
    if (error == TLS_ERROR_WANT_READ)
        return;
    if (error == TLS_ERROR_ZERO_RETURN)
        t->state = TLS_CLOSED;
    else
        fail(t);
}

tls_state tls_receive(tls *t, const void *bytes, size_t length, char *plain, size_t room, size_t *got) {
    *got = 0;
    if (t->state == TLS_CLOSED || t->state == TLS_FAILED)
        return t->state;
    t->in = bytes;
    t->in_end = t->in + length;
    openssl->ERR_clear_error();   /* SSL_get_error reads the thread's error queue */
    int result;
    if (t->state == TLS_HANDSHAKE) {
        result = openssl->SSL_do_handshake(t->ssl);
        if (result == 1)
            t->state = TLS_OPEN;
        else
            settle(t, result);
    }
    while (t->state == TLS_OPEN) {
        size_t n = 0;
        result = openssl->SSL_read_ex(t->ssl, plain + *got, room - *got, &n);
        if (result != 1) {
            settle(t, result);
            break;
        }
        *got += n;
        if (t->in == t->in_end)
            break;             /* OpenSSL reads one record at a time from the BIO, so it holds no more plaintext either */
    }
    t->in = t->in_end = NULL;
    return t->state;
}

tls_state tls_state_of(const tls *t) { return t->state; }

bool tls_write(tls *t, const void *plain, size_t length) {
    if (t->state != TLS_OPEN && t->state != TLS_CLOSED)   /* the peer may have closed only its direction */
        return false;
    size_t written = 0;
    openssl->ERR_clear_error();
    if (length && (openssl->SSL_write_ex(t->ssl, plain, length, &written) != 1 || written != length)) {
        fail(t);
        return false;
    }
    return true;
}

void tls_close(tls *t) {
    if (t->closing || (t->state != TLS_OPEN && t->state != TLS_CLOSED))
        return;
    t->closing = true;
    openssl->ERR_clear_error();
    openssl->SSL_shutdown(t->ssl);   /* 0: ours is sent; the peer's is not waited for */
}

size_t tls_out(const tls *t, const char **bytes) {
    size_t waiting = t->out_end - t->out_start;
    *bytes = waiting ? t->out + t->out_start : NULL;
    return waiting;
}

void tls_sent(tls *t, size_t length) {
    t->out_start += length;
    if (t->out_start < t->out_end)
        return;
    t->out_start = t->out_end = 0;
    if (t->out_room > OUT_KEPT) {
        free(t->out);
        t->out = NULL;
        t->out_room = 0;
    }
}

const char *tls_error(const tls *t) { return t->error; }

bool tls_resumed(const tls *t) { return openssl->SSL_session_reused(t->ssl); }

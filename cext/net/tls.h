/* tls.h: TLS without sockets. Ciphertext goes in as it was read, plaintext comes out at once; what must be sent is kept until the
 * caller has written it. So one read of a socket keeps its one stamp, whatever was encrypted in it.
 *
 *     tls_state state = tls_receive(t, bytes, n, plain, room, &got);    // n of 0 begins a client's handshake
 *     use(plain, got);                                                  // before the state: a close may come with the last bytes
 *     while ((waiting = tls_out(t, &out))) tls_sent(t, write(fd, out, waiting));
 *
 * OpenSSL (1.1.1 or 3) does the work. It is not linked but loaded when TLS is first asked for, so that no installation
 * needs its headers and a program without TLS never needs it: libssl.so.3 of this process (the one of Python's ssl
 * module) or of the system. tls_load() says what is missing.
 *
 * Peers must speak TLS 1.2 at least; a client offers http/1.1 by ALPN and resumes the last session that the server gave it.
 * Memory: about 40 KB a connection with OpenSSL 3.0, most of it its own; 16 KB more while a record is incomplete. */
#ifndef TT_TLS_H
#define TT_TLS_H

#include <stdbool.h>
#include <stddef.h>

#define TLS_ERROR_BYTES 256
#define TLS_RECORD 16384            /* plaintext of one record at most (RFC 8446, 5.1) */
#define TLS_HELD (TLS_RECORD + 512) /* of an incomplete record, bytes that earlier reads may have left within */

typedef struct tls_context tls_context;   /* what the connections of one side share; of one thread */
typedef struct tls tls;                   /* one connection */

typedef struct {
    const char *host;               /* the name or the address that the certificate must be for */
    const char *ca_file;            /* certificates to trust (PEM) instead of the system's; NULL: the system's */
    const char *store_file, *store_dir;   /* where the system's may lie beside where OpenSSL looks; or NULL */
    bool insecure;                  /* trust any certificate */
} tls_client_options;

/* Loads OpenSSL once; later calls only answer. false: `why` says what is missing. Not for two threads at once. */
bool tls_load(char why[TLS_ERROR_BYTES]);

/* NULL with `why`: no OpenSSL, or a file that holds no certificates. Copies the options. */
tls_context *tls_client(const tls_client_options *options, char why[TLS_ERROR_BYTES]);
/* Likewise, from a certificate with its chain and its key (PEM). */
tls_context *tls_server(const char *certificate_file, const char *key_file, char why[TLS_ERROR_BYTES]);
void tls_context_free(tls_context *context);

/* NULL: memory out. */
tls *tls_new(tls_context *context);
void tls_free(tls *t);

typedef enum {
    TLS_HANDSHAKE,     /* the handshake goes on */
    TLS_OPEN,
    TLS_CLOSED,      /* the peer has said that it sends no more (close_notify) */
    TLS_FAILED       /* tls_error() says why; what tls_out() holds tells the peer */
} tls_state;

/* Takes all of the ciphertext and gives all plaintext that it completes: `room` is at least length + TLS_HELD. */
tls_state tls_receive(tls *t, const void *bytes, size_t length, char *plain, size_t room, size_t *got);
tls_state tls_state_of(const tls *t);

/* Encrypts into what waits to be sent. Only while open. false: memory out, or TLS_FAILED. */
bool tls_write(tls *t, const void *plain, size_t length);

/* Adds our close_notify to what waits to be sent, once. */
void tls_close(tls *t);

/* Ciphertext that waits to be sent, and how much of it was. */
size_t tls_out(const tls *t, const char **bytes);
void tls_sent(tls *t, size_t length);

/* Why it failed, in words, as in "the server's certificate was refused: certificate has expired". */
const char *tls_error(const tls *t);

/* Was the handshake short because a session was resumed? */
bool tls_resumed(const tls *t);

#endif

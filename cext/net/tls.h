/* tls.h: TLS without sockets. The caller passes ciphertext as it was read and gets the plaintext at once; ciphertext to send is kept
 * until the caller has written it. So all plaintext of one read of a socket has the stamp of that read.
 *
 *     tls_state state = tls_receive(t, bytes, n, plain, room, &got);    // with n == 0 a client begins its handshake
 *     use(plain, got);                                                  // before checking the state: the last bytes and the close may come together
 *     while ((waiting = tls_out(t, &out))) tls_sent(t, write(fd, out, waiting));
 *
 * It uses OpenSSL (1.1.1 or 3), which is not linked but loaded when TLS is first used. So no installation needs its headers, and
 * a program without TLS never needs the library. It takes the libssl of this process (that of Python's ssl module) or of the
 * system. tls_load() says what is missing.
 *
 * Peers must use TLS 1.2 or later. A client offers http/1.1 by ALPN and resumes the last session that the server gave it.
 * Memory: about 40 KB a connection, most of it in OpenSSL 3.0; 16 KB more while a record is incomplete. */
#ifndef TT_TLS_H
#define TT_TLS_H

#include <stdbool.h>
#include <stddef.h>

#define TLS_ERROR_BYTES 256
#define TLS_RECORD 16384            /* upper limit of the plaintext of one record (RFC 8446, 5.1) */
#define TLS_HELD (TLS_RECORD + 512) /* upper limit of bytes of an incomplete record that earlier reads left in OpenSSL */

typedef struct tls_context tls_context;   /* shared by the connections of a client or a server, in one thread */
typedef struct tls tls;                   /* one connection */

typedef struct {
    const char *host;               /* name or address for which the certificate must be valid */
    const char *ca_file;            /* certificates to trust (PEM) instead of the system's; NULL: the system's */
    const char *store_file, *store_dir;   /* further places of the system's certificates, besides those that OpenSSL knows; or NULL */
    bool insecure;                  /* trust any certificate */
} tls_client_options;

/* Loads OpenSSL, once. Returns false with `why`: what is missing. Not for two threads at once. */
bool tls_load(char why[TLS_ERROR_BYTES]);

/* Makes a client's context; copies the options. Returns NULL with `why`: there is no OpenSSL, or a file holds no certificates. */
tls_context *tls_client(const tls_client_options *options, char why[TLS_ERROR_BYTES]);
/* Makes a server's context from a certificate with its chain and its key (PEM). Returns NULL with `why`. */
tls_context *tls_server(const char *certificate_file, const char *key_file, char why[TLS_ERROR_BYTES]);
void tls_context_free(tls_context *context);

/* Makes a connection. Returns NULL when memory is out. */
tls *tls_new(tls_context *context);
void tls_free(tls *t);

typedef enum {
    TLS_HANDSHAKE,   /* the handshake is not finished */
    TLS_OPEN,
    TLS_CLOSED,      /* the peer sends no more (close_notify) */
    TLS_FAILED       /* tls_error() says why; tls_out() may hold an alert for the peer */
} tls_state;

/* Takes all of the ciphertext and writes all plaintext that it completes. room: at least length + TLS_HELD. */
tls_state tls_receive(tls *t, const void *bytes, size_t length, char *plain, size_t room, size_t *got);
tls_state tls_state_of(const tls *t);

/* Encrypts bytes and adds them to the ciphertext to send. Only while open. Returns false when memory is out or the state is
 * TLS_FAILED. */
bool tls_write(tls *t, const void *plain, size_t length);

/* Adds our close_notify to the ciphertext to send, once. */
void tls_close(tls *t);

/* Returns the length of the ciphertext to send, which *bytes points to. */
size_t tls_out(const tls *t, const char **bytes);
/* Removes ciphertext that was sent. */
void tls_sent(tls *t, size_t length);

/* Returns why it failed, as text: "the server's certificate is not trusted: certificate has expired". */
const char *tls_error(const tls *t);

/* Returns true when the handshake resumed a session. */
bool tls_resumed(const tls *t);

#endif

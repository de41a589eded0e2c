/* transport.h: one connection to the server: TCP or a Unix socket, through a proxy's tunnel where there is one, under TLS where
 * that is asked for.
 *
 *     transport_open      the kernel begins to connect
 *     transport_advance   whenever epoll reports it, until it is open: connected, the tunnel is there, the handshake is done
 *     transport_receive, transport_seal and transport_write     bytes of the application
 *     transport_close     says goodbye (close_notify) and closes
 *
 * Reading is one recvmsg with the kernel's stamp, whatever lies above: all that one read decrypts to has the stamp of its
 * ciphertext. */
#ifndef TT_TRANSPORT_H
#define TT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "parse/http1.h"
#include "net/tls.h"

#define TRANSPORT_READ 65536
#define TRANSPORT_TEXT 320     /* bytes of a reason, with its NUL */

/* Where connections go; outlives them. */
typedef struct {
    struct sockaddr_storage address;   /* of the server, or of the proxy before it */
    socklen_t address_length;
    bool stamps;                       /* ask for the kernel's receive stamps */
    const char *tunnel;                /* the whole CONNECT request for the proxy; NULL: no tunnel */
    size_t tunnel_length;
    tls_context *tls;                  /* NULL: no TLS */
} transport_route;

/* What connections of one thread read into. */
typedef struct {
    char read[TRANSPORT_READ];
    char plain[TRANSPORT_READ + TLS_HELD];
} transport_buffers;

typedef enum { TRANSPORT_CONNECTING, TRANSPORT_TUNNEL, TRANSPORT_HANDSHAKE, TRANSPORT_OPEN } transport_step;

typedef struct {
    int fd;
    uint8_t step;                      /* transport_step */
    int64_t connected_ns, tls_ns;      /* the kernel's connection; the end of the handshake (0: no TLS) */
    http1 *answer;                     /* the proxy's, while tunnelling; owned */
    size_t tunnel_sent;
    tls *tls;                          /* NULL: none, or not yet; owned */
    size_t sealed;                     /* bytes of the last write that are encrypted and not wholly sent */
} transport;

/* 0 or -errno. A full backlog of a Unix socket is -EAGAIN. */
int transport_open(transport *t, const transport_route *route);

/* The kernel's connection may be there: if it is, since now. For those who advance it later. */
void transport_connected(transport *t, int64_t now_ns);

/* The descriptor is ready for something: goes on. true when it is open; false with text[0] == 0: not yet, else it failed and
 * `text` says why. */
bool transport_advance(transport *t, const transport_route *route, transport_buffers *buffers, char text[TRANSPORT_TEXT]);

/* What it does not have yet, for a message: "no connection", "no TLS handshake". */
const char *transport_lack(const transport *t);

/* What transport_receive has to say beside its bytes. */
typedef struct {
    const char *bytes;       /* in the buffers, until the next call */
    int64_t stamp_ns;        /* as socket_receive: the kernel's stamp, CLOCK_REALTIME, or 0 */
    bool more;               /* the socket may hold more: call again */
} transport_read;

/* Bytes of the application, 0 at the end of the stream, -EAGAIN when there are none now, or -errno: -EPROTO when TLS broke. */
int64_t transport_receive(transport *t, transport_buffers *buffers, transport_read *read);

/* Makes the next bytes ready to be written: TLS encrypts as many of them as one record takes. 0 or -errno. */
int transport_seal(transport *t, const char *bytes, size_t length);

/* Hands them to the kernel, and does nothing besides. Bytes that it has taken wholly, or -errno; after -EAGAIN the same bytes are
 * sealed and written again. */
int64_t transport_write(transport *t, const char *bytes, size_t length);

/* After an end of the stream: was it cut off under TLS, without close_notify? */
bool transport_was_cut(const transport *t);

/* In words, after -EPROTO. */
const char *transport_reason(const transport *t);

void transport_close(transport *t);

#endif

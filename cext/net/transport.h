/* transport.h: one connection to the server over TCP or a Unix socket, optionally through a proxy's tunnel and under TLS.
 *
 *     transport_open      the kernel begins to connect
 *     transport_advance   call it on every epoll event until the connection is open: it connects, tunnels, does the handshake
 *     transport_receive, transport_seal and transport_write     bytes of the application
 *     transport_close     sends close_notify under TLS, and closes
 *
 * Reading is always one recvmsg with the kernel's stamp: all bytes that one read decrypts to have the stamp of its ciphertext. */
#ifndef TT_TRANSPORT_H
#define TT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "net/tls.h"
#include "parse/http1.h"

#define TRANSPORT_READ 65536
#define TRANSPORT_TEXT 320     /* bytes of an error text, with its NUL */

/* Where connections go. It must outlive them. */
typedef struct {
    struct sockaddr_storage address;   /* of the server, or of the proxy before it */
    socklen_t address_length;
    bool stamps;                       /* ask for the kernel's receive stamps */
    const char *tunnel;                /* the whole CONNECT request for the proxy; NULL: no tunnel */
    size_t tunnel_length;
    tls_context *tls;                  /* NULL: no TLS */
} transport_route;

/* Buffers that all connections of a thread read into. */
typedef struct {
    char read[TRANSPORT_READ];
    char plain[TRANSPORT_READ + TLS_HELD];
} transport_buffers;

typedef enum { TRANSPORT_CONNECTING, TRANSPORT_TUNNEL, TRANSPORT_HANDSHAKE, TRANSPORT_OPEN } transport_step;

typedef struct {
    int fd;
    uint8_t step;                      /* transport_step */
    int64_t connected_ns, tls_ns;      /* when the kernel's connection was made; the end of the handshake (0: no TLS) */
    http1 *answer;                     /* owned: parser of the proxy's response to CONNECT; NULL otherwise */
    size_t tunnel_sent;
    tls *tls;                          /* owned; NULL: no TLS, or not yet */
    size_t sealed;                     /* bytes of the last write that are encrypted and not completely sent */
} transport;

/* Begins to connect. Returns 0 or -errno; -EAGAIN: the backlog of a Unix socket is full. */
int transport_open(transport *t, const transport_route *route);

/* Sets connected_ns if the connection is new. For callers that call transport_advance later than epoll reported the connection. */
void transport_connected(transport *t, int64_t now_ns);

/* Continues after an epoll event. Returns true when the connection is open. Otherwise text[0] == 0: it is not open yet; else it
 * failed, and `text` says why. */
bool transport_advance(transport *t, const transport_route *route, transport_buffers *buffers, char text[TRANSPORT_TEXT]);

/* Returns what is missing until the connection is open, for a message: "no connection", "no TLS handshake". */
const char *transport_lack(const transport *t);

/* Results of transport_receive besides its return value. */
typedef struct {
    const char *bytes;       /* in the buffers, valid until the next call */
    int64_t stamp_ns;        /* the kernel's stamp as from socket_receive: CLOCK_REALTIME in ns, or 0 */
    bool more;               /* the socket may hold more: call again */
} transport_read;

/* Reads bytes of the application. Returns their number, 0 at the end of the stream, -EAGAIN if there are none now, or another
 * -errno; -EPROTO: TLS failed. */
int64_t transport_receive(transport *t, transport_buffers *buffers, transport_read *read);

/* Prepares the next bytes for transport_write: TLS encrypts as many as one record holds. Returns 0 or -errno. */
int transport_seal(transport *t, const char *bytes, size_t length);

/* Hands the prepared bytes to the kernel, and does nothing else. Returns the bytes that were taken completely, or -errno. After
 * -EAGAIN call transport_seal and transport_write again with the same bytes. */
int64_t transport_write(transport *t, const char *bytes, size_t length);

/* After the end of the stream: returns true when TLS was used and the server closed without close_notify. */
bool transport_was_cut(const transport *t);

/* After -EPROTO: returns the error as text. */
const char *transport_reason(const transport *t);

void transport_close(transport *t);

#endif

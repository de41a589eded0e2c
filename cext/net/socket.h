/* socket.h: one TCP connection as the kernel sees it: opening, sending, receiving with the kernel's stamp. */
#ifndef TT_SOCKET_H
#define TT_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Opens a non-blocking socket to the address and begins to connect. The descriptor, or -errno. Sets TCP_NODELAY (a
 * request is one write, and must not wait for an ACK), asks for kernel stamps (SO_TIMESTAMPNS) when `stamps`, and on the loopback
 * device takes cubic: BBR, some hosts' default, paces the first writes of a connection. */
int socket_connect(const struct sockaddr *address, socklen_t length, bool stamps);

/* The pending error of a socket (SO_ERROR): 0 when connected. */
int socket_error(int fd);

/* One recvmsg. Bytes received, 0 at the end of the stream, or -errno. *stamp_ns: the kernel's receive stamp of the last
 * segment read, CLOCK_REALTIME in ns; 0 when the kernel gave none. */
int64_t socket_receive(int fd, void *buffer, size_t room, int64_t *stamp_ns);

/* One send. Bytes taken by the kernel or -errno. */
int64_t socket_send(int fd, const void *bytes, size_t length);

#endif

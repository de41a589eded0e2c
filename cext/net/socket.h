/* socket.h: system calls on one TCP or Unix connection: connecting, sending, receiving with the kernel's stamp. */
#ifndef TT_SOCKET_H
#define TT_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Opens a non-blocking socket and begins to connect to the address. Returns the descriptor or -errno. Sets TCP_NODELAY, since a
 * request is one write and must not wait for an ACK. With `stamps` it asks for the kernel's receive stamps (SO_TIMESTAMPNS). On
 * the loopback device it sets the congestion control cubic: BBR, the default of some hosts, paces the first writes. */
int socket_connect(const struct sockaddr *address, socklen_t length, bool stamps);

/* Returns the pending error of a socket (SO_ERROR); 0: it is connected. */
int socket_error(int fd);

/* Does one recvmsg. Returns the bytes received, 0 at the end of the stream, or -errno. *stamp_ns: the kernel's receive stamp of
 * the last segment read, CLOCK_REALTIME in ns; 0: the kernel gave none. */
int64_t socket_receive(int fd, void *buffer, size_t room, int64_t *stamp_ns);

/* Does one send. Returns the bytes that the kernel took, or -errno. */
int64_t socket_send(int fd, const void *bytes, size_t length);

#endif

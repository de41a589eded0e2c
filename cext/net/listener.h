/* listener.h: listening sockets for the simulated server and the recorder. */
#ifndef TT_LISTENER_H
#define TT_LISTENER_H

#include <stdint.h>

/* Listens at a numeric IPv4 or IPv6 address. *port: the port, or 0 for any free one, which is then written there. Accepted
 * sockets inherit TCP_NODELAY, kernel receive stamps and the congestion control cubic. Returns a non-blocking descriptor, or -1
 * with *error (static text) and errno. */
int listener_open(const char *host, uint16_t *port, const char **error);

/* Listens at a Unix socket. Replaces the socket file of a server that no longer runs. Returns a non-blocking descriptor, or -1 with
 * *error (static text) and errno. */
int listener_open_unix(const char *path, const char **error);

/* Raises the soft limit of open files to the hard limit. */
void listener_raise_open_files(void);

#endif

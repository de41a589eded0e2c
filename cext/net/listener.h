/* listener.h: a listening socket, as the simulated server and the recorder want it. */
#ifndef TT_LISTENER_H
#define TT_LISTENER_H

#include <stdint.h>

/* Listens at a numeric IPv4 or IPv6 address. *port: 0 takes any, and becomes the one it is. The descriptor, non-blocking;
 * accepted sockets inherit TCP_NODELAY, kernel stamps and cubic. -1 with *error (static text) and errno. */
int listener_open(const char *host, uint16_t *port, const char **error);

/* Listens at a Unix socket; a file left by a server that is gone is taken away. The descriptor, or -1 likewise. */
int listener_open_unix(const char *path, const char **error);

/* Raises the soft limit of open files to the hard one. */
void listener_raise_open_files(void);

#endif

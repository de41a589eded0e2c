/* floor.c: the lowest CPU cost of a client on this kernel: epoll, recv, a sum of bytes.
 *
 *     floor PORT STREAMS REQUEST_FILE [STREAMS_PER_MS]
 *
 * Opens STREAMS connections to 127.0.0.1:PORT, sends the file's bytes on each, and reads until the server closes
 * (the request asks for `Connection: close`). Edge-triggered, so that the kernel does not ask a drained socket again; one
 * recv per readable socket. It parses nothing, stamps nothing and keeps nothing. Prints one line of JSON: what it read, CLOCK_MONOTONIC
 * of the first and the last byte, and its own CPU time. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TURN 512

static char buffer[1 << 16];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static int open_stream(int epfd, uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0)
        die("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    struct epoll_event watch = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &watch) < 0)
        die("epoll_ctl");
    return fd;
}

int main(int argc, char **argv) {
    if (argc < 4 || argc > 5) {
        fprintf(stderr, "usage: floor PORT STREAMS REQUEST_FILE [STREAMS_PER_MS]\n");
        return 2;
    }
    uint16_t port = (uint16_t)atoi(argv[1]);
    int streams = atoi(argv[2]), per_ms = argc > 4 ? atoi(argv[4]) : 10;
    FILE *file = fopen(argv[3], "rb");
    if (!file)
        die(argv[3]);
    size_t length = fread(buffer, 1, sizeof buffer, file);
    char *request = malloc(length ? length : 1);
    if (!request)
        die("malloc");
    memcpy(request, buffer, length);
    fclose(file);
    int epfd = epoll_create1(0);
    if (epfd < 0)
        die("epoll_create1");

    static struct epoll_event events[TURN];
    int64_t begin_ns = now_ns(), first_ns = 0, last_ns = 0, bytes = 0, reads = 0, wakes = 0;
    int opened = 0, closed = 0, failed = 0;
    while (closed < streams) {
        while (opened < streams && (now_ns() - begin_ns) * per_ms / 1000000 >= opened) {
            int fd = open_stream(epfd, port);
            if (send(fd, request, length, MSG_NOSIGNAL) != (ssize_t)length)
                die("send");
            opened++;
        }
        int n = epoll_wait(epfd, events, TURN, opened < streams ? 1 : -1);
        wakes += n > 0;
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            for (;;) {
                ssize_t got = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
                if (got > 0) {
                    reads++;
                    if (!bytes)
                        first_ns = now_ns();
                    bytes += got;
                    /* epoll will report more data, but not a close that has already been reported with this data. */
                    if ((size_t)got < sizeof buffer && !(events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)))
                        break;
                    continue;
                }
                if (got < 0 && errno == EAGAIN)
                    break;
                failed += got < 0;
                last_ns = now_ns();
                close(fd);
                closed++;
                break;
            }
        }
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("{\"bytes\": %lld, \"reads\": %lld, \"wakes\": %lld, \"failed\": %d, \"first_ns\": %lld, \"last_ns\": %lld, "
           "\"user_s\": %.6f, \"system_s\": %.6f}\n",
           (long long)bytes, (long long)reads, (long long)wakes, failed, (long long)first_ns, (long long)last_ns,
           seconds(used.ru_utime), seconds(used.ru_stime));
    free(request);
    close(epfd);
    return failed ? 1 : 0;
}

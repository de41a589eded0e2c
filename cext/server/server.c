#define _GNU_SOURCE   /* accept4, ppoll, RUSAGE_THREAD */
#include "server/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/time_slice.h"
#include "net/listener.h"
#include "server/server_internal.h"

#define READY_EVENTS 512
#define DUE_PER_TURN 512        /* upper limit of streams that are continued before sockets are checked again */
#define ACCEPTS_PER_TURN 256
#define ACCEPT_PAUSE_NS (100 * TT_NS_PER_MS)

/* ---- counters -------------------------------------------------------------------- */

void server_read_stats(server *s, server_stats *stats) {
    pthread_mutex_lock(&s->lock);
    *stats = s->shared;
    pthread_mutex_unlock(&s->lock);
}

static int64_t timeval_ns(struct timeval t) { return (int64_t)t.tv_sec * TT_NS_PER_S + t.tv_usec * TT_NS_PER_US; }

/* Makes the events so far and the counters visible to other threads. */
static void publish(server *s) {
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) == 0) {
        s->stats.cpu_user_ns = timeval_ns(usage.ru_utime);
        s->stats.cpu_system_ns = timeval_ns(usage.ru_stime);
    }
    truth_close_block(s);
    pthread_mutex_lock(&s->lock);
    s->shared = s->stats;
    pthread_mutex_unlock(&s->lock);
    s->flush_ns = s->now_ns + FLUSH_NS;
}

/* ---- the loop -------------------------------------------------------------------- */

static void set_accepting(server *s, bool accepting) {
    if (s->accepting == accepting)
        return;
    s->accepting = accepting;
    epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->listen_fd,
              &(struct epoll_event){.events = accepting ? EPOLLIN : 0, .data.ptr = &s->listen_fd});
}

static void accept_all(server *s) {
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            conn_open(s, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The listening socket stays readable: stop watching it until a connection closes. */
            s->accept_again_ns = s->now_ns + ACCEPT_PAUSE_NS;
            set_accepting(s, false);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

/* Waits until a descriptor is ready, or until `until_ns` and not less. The thread's timer slack, 50 us by default, is kept: it
 * combines neighbouring tokens into one wake-up, and the rows have the time at which each was really sent. */
static int wait_ready(server *s, struct epoll_event *ready, int64_t until_ns) {
    int64_t rest_ns = until_ns > s->now_ns ? until_ns - s->now_ns : 0;
    struct timespec timeout = {.tv_sec = rest_ns / TT_NS_PER_S, .tv_nsec = rest_ns % TT_NS_PER_S};
    static _Atomic bool no_pwait2;
    if (!no_pwait2) {
        int count = (int)syscall(SYS_epoll_pwait2, s->epoll_fd, ready, READY_EVENTS, &timeout, NULL, (size_t)0);
        if (count >= 0 || errno != ENOSYS)
            return count;
        no_pwait2 = true;
    }
    struct pollfd watched = {.fd = s->epoll_fd, .events = POLLIN};   /* ppoll takes ns, epoll_wait only ms */
    int count = ppoll(&watched, 1, &timeout, NULL);
    return count > 0 ? epoll_wait(s->epoll_fd, ready, READY_EVENTS, 0) : count;
}

static void serve_due(server *s) {
    for (int i = 0; i < DUE_PER_TURN && s->heap.count; i++) {
        if (s->heap.entries[0].due_ns > s->now_ns) {
            s->now_ns = clock_mono_ns();
            if (s->heap.entries[0].due_ns > s->now_ns)
                return;
        }
        ready_due(s, s->heap.entries[0].conn);
    }
}

static void serve_ready(server *s, const struct epoll_event *ready) {
    if (ready->data.ptr == &s->listen_fd) {
        accept_all(s);
        return;
    }
    if (ready->data.ptr == &s->wake_fd)
        return;
    conn *c = ready->data.ptr;
    if (c->phase == CONN_DEAD)
        return;
    if (ready->events & (EPOLLERR | EPOLLHUP)) {
        conn_close(s, c, false);
        return;
    }
    if (ready->events & EPOLLIN)
        ready_to_read(s, c);
    if (c->phase != CONN_DEAD && ready->events & EPOLLOUT)
        ready_to_write(s, c);
}

static void free_dead(server *s) {
    while (s->dead) {
        conn *next = s->dead->next;
        free(s->dead);
        s->dead = next;
    }
}

static void *run(void *argument) {
    server *s = argument;
    struct epoll_event ready[READY_EVENTS];
    time_slice_request_short();
    s->now_ns = clock_mono_ns();
    publish(s);
    while (!atomic_load_explicit(&s->stopping, memory_order_relaxed)) {
        serve_due(s);
        free_dead(s);
        int64_t until_ns = s->flush_ns;
        if (s->heap.count && s->heap.entries[0].due_ns < until_ns)
            until_ns = s->heap.entries[0].due_ns;
        int count = wait_ready(s, ready, until_ns);
        s->now_ns = clock_mono_ns();
        s->stats.wakes++;
        for (int i = 0; i < count; i++)
            serve_ready(s, &ready[i]);
        free_dead(s);
        if (!s->accepting && s->now_ns >= s->accept_again_ns)
            set_accepting(s, true);
        if (s->now_ns >= s->flush_ns)
            publish(s);
    }
    while (s->connections)
        conn_close(s, s->connections, false);
    free_dead(s);
    publish(s);
    return NULL;
}

/* ---- life ------------------------------------------------------------------------ */

/* Prepares TLS if it is configured. Returns false with errno, and *error for a bad certificate. */
static bool prepare_tls(server *s, const char **error) {
    static char why[TLS_ERROR_BYTES];
    if (!s->config.certificate_file)
        return true;
    s->cipher_buffer = malloc(READ_BYTES);
    if (!s->cipher_buffer)
        return false;
    s->tls = tls_server(s->config.certificate_file, s->config.key_file, why);
    if (!s->tls) {
        *error = why;
        errno = EPROTO;
    }
    return s->tls;
}

static int open_listener(server *s, const char **error) {
    if (s->config.unix_path[0])
        return listener_open_unix(s->config.unix_path, error);
    return listener_open(s->config.host, &s->port, error);
}

server *server_new(const server_config *config, const char **error) {
    server *s = calloc(1, sizeof *s);
    *error = "out of memory";
    if (!s)
        return NULL;
    s->config = *config;
    s->port = config->port;
    s->epoll_fd = s->listen_fd = s->wake_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    listener_raise_open_files();
    if (getrandom(&s->nonce, sizeof s->nonce, 0) != sizeof s->nonce)
        s->nonce = (uint64_t)clock_unix_ns();
    s->read_buffer = malloc(READ_BYTES + TLS_HELD);
    s->scratch = malloc(SCRATCH_BYTES);
    s->scratch_bytes = SCRATCH_BYTES;
    s->now_ns = clock_mono_ns();
    s->accepting = true;
    cache_init(&s->cache, config->cache_blocks);
    s->metrics.has_cache = config->cache_blocks;
    bool ready = s->read_buffer && s->scratch && heap_reserve(&s->heap, 256) && columns_init(&s->columns) &&
                 body_reader_init(&s->reader, config->cache_blocks ? config->block_tokens : 0) && prepare_tls(s, error) &&
                 (s->listen_fd = open_listener(s, error)) >= 0;
    if (ready) {
        *error = "cannot make an epoll set";
        s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        ready = s->epoll_fd >= 0 && s->wake_fd >= 0 &&
                epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd,
                          &(struct epoll_event){.events = EPOLLIN, .data.ptr = &s->listen_fd}) == 0 &&
                epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd,
                          &(struct epoll_event){.events = EPOLLIN, .data.ptr = &s->wake_fd}) == 0;
    }
    if (!ready) {
        int cause = errno;
        server_free(s);
        errno = cause;
        return NULL;
    }
    *error = NULL;
    return s;
}

uint16_t server_port(const server *s) { return s->port; }

bool server_start(server *s) {
    sigset_t all, before;   /* other threads of the program handle signals */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    s->started = pthread_create(&s->thread, NULL, run, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return s->started;
}

static void stop_listening(server *s) {
    if (s->listen_fd < 0)
        return;
    if (s->config.unix_path[0])
        unlink(s->config.unix_path);
    close(s->listen_fd);
    s->listen_fd = -1;
}

void server_stop(server *s) {
    if (!s->started)
        return;
    atomic_store(&s->stopping, true);
    if (write(s->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0 && errno != EAGAIN)
        perror("tokentape: eventfd");   /* the loop checks `stopping` every 100 ms anyway */
    pthread_join(s->thread, NULL);
    s->started = false;
    stop_listening(s);
}

void server_free(server *s) {
    if (!s)
        return;
    server_stop(s);
    stop_listening(s);
    int fds[] = {s->epoll_fd, s->wake_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    heap_free(&s->heap);
    columns_free(&s->columns);
    body_reader_free(&s->reader);
    cache_free(&s->cache);
    free(s->rows);
    free(s->read_buffer);
    free(s->scratch);
    free(s->cipher_buffer);
    tls_context_free(s->tls);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

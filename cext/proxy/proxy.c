#define _GNU_SOURCE   /* accept4, RUSAGE_THREAD */
#include "proxy/proxy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time_slice.h"
#include "net/listener.h"
#include "proxy/proxy_internal.h"

#define READY_EVENTS 512
#define ACCEPTS_PER_TURN 256
#define ACCEPT_PAUSE_NS (100 * TT_NS_PER_MS)
#define STEP_NS TT_NS_PER_MS    /* the wall clock was set if it moved by more than this against CLOCK_MONOTONIC */

/* ---- counters ---------------------------------------------------------------------- */

static int64_t timeval_ns(struct timeval t) { return (int64_t)t.tv_sec * TT_NS_PER_S + t.tv_usec * TT_NS_PER_US; }

/* Makes the rows and then the counters visible to other threads, in this order: the counters describe rows that can be taken. */
static void publish(proxy *p) {
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) == 0) {
        p->stats.cpu_user_ns = timeval_ns(usage.ru_utime);
        p->stats.cpu_system_ns = timeval_ns(usage.ru_stime);
    }
    if (!columns_close_block(&p->columns)) {
        p->stats.dropped_rows += p->columns.open->rows;
        p->columns.open->rows = 0;
    }
    rows_hand_over_events(p);
    p->stats.events = p->stats.tokens = p->stats.coalesced = 0;
    for (int i = 0; i < PROXY_ENDPOINTS; i++) {
        p->stats.events += (uint64_t)p->shared[i].events;
        p->stats.tokens += (uint64_t)p->shared[i].tokens;
        p->stats.coalesced += (uint64_t)p->shared[i].coalesced;
    }
    p->stats.at_ns = p->now_ns;
    p->stats.next_request = p->next_request;
    p->stats.oldest_open = p->oldest ? p->oldest->stream.record.request_id : p->next_request;
    pthread_mutex_lock(&p->lock);
    p->published = p->stats;
    pthread_mutex_unlock(&p->lock);
    p->flush_ns = p->now_ns + FLUSH_NS;
}

void proxy_read_stats(proxy *p, proxy_stats *stats) {
    pthread_mutex_lock(&p->lock);
    *stats = p->published;
    pthread_mutex_unlock(&p->lock);
}

/* ---- the loop --------------------------------------------------------------------- */

static void set_accepting(proxy *p, bool accepting) {
    if (p->accepting == accepting)
        return;
    p->accepting = accepting;
    epoll_ctl(p->epoll_fd, EPOLL_CTL_MOD, p->listen_fd,
              &(struct epoll_event){.events = accepting ? EPOLLIN : 0, .data.ptr = &p->listen_fd});
}

static void accept_all(proxy *p) {
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(p->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            link_open(p, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            /* The listening socket stays readable: stop watching it until a connection closes. */
            p->accept_again_ns = p->now_ns + ACCEPT_PAUSE_NS;
            set_accepting(p, false);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void free_dead(proxy *p) {
    while (p->dead) {
        link_pair *next = p->dead->next;
        free(p->dead);
        p->dead = next;
    }
}

static void check_links(proxy *p) {
    for (link_pair *l = p->links, *next; l; l = next) {
        next = l->next;
        link_check(p, l);
    }
}

static void start_draining(proxy *p) {
    p->drained = true;
    close(p->listen_fd);   /* also removes it from the epoll set */
    p->listen_fd = -1;
    check_links(p);
}

static void sample_clocks(proxy *p) {
    int64_t offset = clock_offset_at(&p->now_ns);
    int64_t moved = offset - p->offset_ns;
    p->distrust_stamps = moved > STEP_NS || moved < -STEP_NS;
    p->offset_ns = offset;
}

static void *run(void *argument) {
    proxy *p = argument;
    struct epoll_event ready[READY_EVENTS];
    time_slice_request_short();
    publish(p);
    while (!atomic_load_explicit(&p->stopping, memory_order_relaxed)) {
        int64_t rest_ns = p->flush_ns - clock_mono_ns();
        int timeout_ms = rest_ns > 0 ? (int)((rest_ns + TT_NS_PER_MS - 1) / TT_NS_PER_MS) : 0;
        int count = epoll_wait(p->epoll_fd, ready, READY_EVENTS, timeout_ms);
        sample_clocks(p);
        for (int i = 0; i < count; i++) {
            void *who = ready[i].data.ptr;
            if (who == &p->listen_fd) {
                if (!p->drained)
                    accept_all(p);
            } else if (who == &p->wake_fd) {
                uint64_t wakes;
                if (read(p->wake_fd, &wakes, sizeof wakes) < 0 && errno != EAGAIN)
                    perror("tokentape: eventfd");
            } else {
                link_ready(p, who, ready[i].events);
            }
        }
        free_dead(p);
        if (p->columns.closed)
            rows_hand_over_events(p);
        if (!p->drained && atomic_load_explicit(&p->draining, memory_order_relaxed))
            start_draining(p);
        if (!p->drained && !p->accepting && p->now_ns >= p->accept_again_ns)
            set_accepting(p, true);
        if (p->now_ns >= p->flush_ns) {
            check_links(p);
            free_dead(p);
            publish(p);
        }
    }
    p->now_ns = clock_mono_ns();
    while (p->links) {
        exchange_end_all(p, p->links, OUTCOME_CANCELLED, "the recorder was stopped");
        link_close(p, p->links, false);
    }
    free_dead(p);
    publish(p);
    return NULL;
}

/* ---- life ------------------------------------------------------------------------- */

proxy *proxy_new(const proxy_config *config, const char **error) {
    proxy *p = calloc(1, sizeof *p);
    *error = "out of memory";
    if (!p)
        return NULL;
    p->config = *config;
    p->port = config->port;
    p->epoll_fd = p->listen_fd = p->wake_fd = -1;
    p->accepting = true;
    pthread_mutex_init(&p->lock, NULL);
    listener_raise_open_files();
    p->now_ns = clock_mono_ns();
    p->offset_ns = clock_offset_ns();
    p->buffer = malloc(PROXY_READ_BYTES);
    bool ready = p->buffer && columns_init(&p->columns) && (p->listen_fd = listener_open(config->host, &p->port, error)) >= 0;
    for (int i = 0; i < PROXY_ENDPOINTS; i++)
        p->shared[i] = (stream_shared){.dialect = config->dialects[i], .columns = &p->columns, .keep_text = config->keep_text,
                                       .needs_end = config->needs_end[i], .observes = true};
    if (ready) {
        *error = "cannot make an epoll set";
        p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        ready = p->epoll_fd >= 0 && p->wake_fd >= 0 &&
                epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->listen_fd,
                          &(struct epoll_event){.events = EPOLLIN, .data.ptr = &p->listen_fd}) == 0 &&
                epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, p->wake_fd,
                          &(struct epoll_event){.events = EPOLLIN, .data.ptr = &p->wake_fd}) == 0;
    }
    if (!ready) {
        int cause = errno;
        proxy_free(p);
        errno = cause;
        return NULL;
    }
    *error = NULL;
    return p;
}

uint16_t proxy_port(const proxy *p) { return p->port; }

bool proxy_start(proxy *p) {
    sigset_t all, before;   /* other threads of the program handle signals */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    p->started = pthread_create(&p->thread, NULL, run, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return p->started;
}

static void wake(proxy *p) {
    if (write(p->wake_fd, &(uint64_t){1}, sizeof(uint64_t)) < 0 && errno != EAGAIN)
        perror("tokentape: eventfd");   /* the loop checks `stopping` and `draining` every 100 ms anyway */
}

void proxy_drain(proxy *p) {
    atomic_store(&p->draining, true);
    wake(p);
}

void proxy_mute(proxy *p) { atomic_store(&p->mute, true); }

void proxy_stop(proxy *p) {
    if (!p->started)
        return;
    atomic_store(&p->stopping, true);
    wake(p);
    pthread_join(p->thread, NULL);
    p->started = false;
}

void proxy_free(proxy *p) {
    if (!p)
        return;
    proxy_stop(p);
    int fds[] = {p->listen_fd, p->epoll_fd, p->wake_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    for (proxy_row *row; (row = proxy_take_request(p));)
        proxy_row_free(p, row);
    for (event_block *block; (block = proxy_take_events(p));)
        proxy_give_events(p, block);
    if (p->columns.open)
        rows_hand_over_events(p);
    columns_free(&p->columns);
    free(p->buffer);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* send_order.h: the workers of a run send their requests in one common order.
 *
 * Requests that are due a few us apart belong to several workers, and each worker is late by a few us of its own. Without
 * coordination they would be sent in a different order. So the workers share a page of memory with one line per worker. In
 * its line a worker announces the number of the request that it sends next; it does so before its first request too. A worker
 * with a due request looks at the lines of the others. The worker with the earliest request does not wait. */
#ifndef TT_SEND_ORDER_H
#define TT_SEND_ORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SEND_ORDER_NONE INT64_MAX

typedef struct {
    _Alignas(64) _Atomic int64_t next;   /* number of a request in the plan, or SEND_ORDER_NONE; 0 before the worker's first
                                            announcement */
} send_order_line;

typedef struct {
    send_order_line *lines;  /* NULL: there are no other workers */
    int32_t own, count;      /* this worker's line; number of lines */
} send_order;

/* Returns the size of the page in bytes for `count` workers. */
static inline int64_t send_order_size(int32_t count) { return (int64_t)sizeof(send_order_line) * count; }

/* Maps the page from a file of send_order_size(count) zero bytes; the caller keeps the descriptor. Returns false with errno. */
bool send_order_open(send_order *o, int fd, int32_t own, int32_t count);
void send_order_close(send_order *o);

/* Announces that this worker sends no request below `next` any more. */
static inline void send_order_announce(const send_order *o, int64_t next) {
    /* An unchanged value is not stored again: that would take the line out of the other workers' caches. */
    if (o->lines && atomic_load_explicit(&o->lines[o->own].next, memory_order_relaxed) != next)
        atomic_store_explicit(&o->lines[o->own].next, next, memory_order_release);
}

/* Waits until no other worker has a request below this one to send, but not beyond until_ns (CLOCK_MONOTONIC). */
void send_order_wait(const send_order *o, int64_t request, int64_t until_ns);

#endif

/* send_order.h: the workers of a run send in one order.
 *
 * Requests that are due a few us apart lie with several workers, and each worker is late by some us of its own: without a word
 * between them they would change places. So the workers share a page with a line for each of them, in which it says what it sends
 * next, and that before its first request; who has something due looks at the others' lines. Whoever has the earliest request
 * waits for nobody. */
#ifndef TT_SEND_ORDER_H
#define TT_SEND_ORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SEND_ORDER_NONE INT64_MAX

typedef struct {
    _Alignas(64) _Atomic int64_t next;   /* a request's number in the plan, or SEND_ORDER_NONE; 0 at first: it has not begun */
} send_order_line;

typedef struct {
    send_order_line *lines;       /* NULL: nobody to agree with */
    int32_t own, count;
} send_order;

/* Maps the page, a file of send_order_size(count) zero bytes; it stays the caller's. false: errno. */
bool send_order_open(send_order *o, int fd, int32_t own, int32_t count);
static inline int64_t send_order_size(int32_t count) { return (int64_t)sizeof(send_order_line) * count; }
void send_order_close(send_order *o);

/* Everything before `next` has left, or shall not be waited for. */
static inline void send_order_announce(const send_order *o, int64_t next) {
    if (o->lines && atomic_load_explicit(&o->lines[o->own].next, memory_order_relaxed) != next)   /* others' caches hold the line */
        atomic_store_explicit(&o->lines[o->own].next, next, memory_order_release);
}

/* Returns when every request below this one has been passed, at the latest at until_ns (CLOCK_MONOTONIC). */
void send_order_wait(const send_order *o, int64_t request, int64_t until_ns);

#endif

/* reactor.h: sends requests when they are due and stamps what comes back.
 *
 * One epoll descriptor holds every socket, a timerfd and the channel to the controller. The descriptor is registered in an
 * event loop (nested epoll); when it becomes readable the loop calls reactor_run(), which needs no GIL and makes no Python
 * object. reactor_run() stays for up to `budget_ns`, waiting in its own epoll: so a busy run pays for the outer loop once
 * in many events, and the outer loop is never kept waiting for longer than that.
 *
 * Memory: a connection is about 1 KB (40 KB under TLS), plus the cut line or event that it waits to complete; requests ahead of their time are bounded
 * by `feed_limit`, measurements on their way by OUTBOX_LIMIT; bodies kept for a second try by RETAIN_LIMIT.
 *
 * Load is controlled in three ways beside due times. Slots make it a closed loop (schedule.h). Caps hold back what is due while
 * too many requests are under way, or without their first token; order is kept, and the record says when the cap let it go. From
 * stop_ns on nothing begins any more; what is under way goes on.
 *
 * A request that meets a dead pooled connection (closed by the server while it was idle, before one byte of response) is sent once more on a
 * fresh one, and the record says so (retries). */
#ifndef TT_REACTOR_H
#define TT_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "response/event.h"
#include "schedule/schedule.h"
#include "net/transport.h"

typedef struct {
    transport_route route;       /* what it points to outlives the reactor */
    int channel_fd;              /* feed in, outbox out; non-blocking use, stays the caller's */
    const event_dialect *dialect;/* outlives the reactor */
    int64_t connect_timeout_ns, read_timeout_ns;
    int64_t idle_timeout_ns;     /* a pooled connection is closed after this long: servers close theirs after 5 s */
    int64_t horizon_ns;          /* connections are opened this long before they are needed */
    int64_t spin_ns;             /* poll instead of sleeping this long before a due time; 0: sleep */
    size_t feed_limit;           /* bytes of requests that wait in the worker */
    uint32_t max_connections;    /* open at once; further requests wait, and are late */
    bool reuse;                  /* pool connections */
    bool keep_text, needs_end, lines;   /* stream.h */
    int follower_feed_fd;               /* followers' requests come in here, after they were asked for (OUTBOX_WANTS) */
    bool live_history;           /* a follower's request is written from the reply before it: ask only after that */
    bool go_on_after_failure;    /* what follows a failed request is sent all the same */
    uint32_t max_in_flight;      /* what is due waits while so many requests are under way; 0: no such cap */
    uint32_t max_prefilling;     /* likewise, so many that neither have a token nor have ended */
    int64_t stop_ns;             /* after the start: no request begins later; 0: never */
    int send_order_fd;                /* of the page that the workers share (send_order.h); without others: send_order_workers is 0 */
    int32_t send_order_worker, send_order_workers;   /* which line is ours, of how many */
} reactor_config;

/* What is sent, and when. */
typedef struct {
    int64_t count;
    const int64_t *due_ns;         /* schedule.h */
    const int64_t *request_ids;    /* the tape's: their number in the plan */
    const int64_t *cancel_after_ns;/* the client closes the connection so long after the request was sent; -1: never. NULL: none is cancelled */
    const schedule_links *links;   /* NULL: no row follows another */
    const schedule_slots *slots;   /* NULL: no closed loop */
} reactor_rows;

#define LATENESS_BUCKETS 128

/* A status frame; all times CLOCK_MONOTONIC ns, counters since the start. */
typedef struct {
    int64_t at_ns;
    int64_t sent, finished, succeeded, active, connections;
    int64_t tokens, events, coalesced;
    int64_t busy_ns;             /* time not spent waiting */
    int64_t longest_turn_ns;     /* longest time between two waits since the last status */
    int64_t starved;             /* requests that were due before the controller had delivered them */
    int64_t blocked;             /* requests that were due while all connections were taken */
    int64_t clock_steps;         /* times the wall clock jumped against the monotonic one */
    int64_t waited_ns;           /* time spent waiting for the controller to read */
    int64_t held;                /* requests that a cap held back when they were due */
    int64_t left;                /* rows that had not begun when sending was stopped */
    int64_t done;                /* 1: the last frame */
    uint32_t lateness[LATENESS_BUCKETS];   /* counts by lateness_bucket() */
} reactor_status;

/* Quarter-octave buckets of a lateness in us: 0, 1, 2, 3, then four buckets for each doubling. */
static inline uint32_t lateness_bucket(int64_t lateness_ns) {
    uint64_t us = lateness_ns > 0 ? (uint64_t)lateness_ns / 1000 : 0;
    if (us < 4)
        return (uint32_t)us;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(us);
    uint32_t bucket = (octave - 1) * 4 + (uint32_t)(us >> (octave - 2) & 3);
    return bucket < LATENESS_BUCKETS ? bucket : LATENESS_BUCKETS - 1;
}

typedef struct reactor reactor;

/* NULL with errno set: descriptors or memory are out, or EINVAL: what schedule_init refuses, or a cancel_after_ns below -1.
 * Copies the arrays. */
reactor *reactor_new(const reactor_config *config, const reactor_rows *rows);
void reactor_free(reactor *r);

/* The epoll descriptor to watch for reading. */
int reactor_fd(const reactor *r);

/* due_ns[i] + start_ns is when row i is sent. Requests are read ahead, but none is sent, before this. */
void reactor_begin(reactor *r, int64_t start_ns);

/* Works for about budget_ns, and where there is nothing to do until the next tick, 20 ms at most. true: everything is finished, measured and handed over. */
bool reactor_run(reactor *r, int64_t budget_ns);

/* Sends nothing more; streams go on. Returns how many rows will never be sent. */
int64_t reactor_stop(reactor *r);

/* Ends every open stream as cancelled, after reactor_stop. */
void reactor_cancel(reactor *r);

#endif

/* reactor.h: sends requests when they are due and stamps what arrives.
 *
 * One epoll descriptor holds every socket, a timerfd and the channel to the controller. The descriptor is registered in an
 * event loop (nested epoll). When it becomes readable, the loop calls reactor_run(), which needs no GIL and makes no Python
 * object. reactor_run() stays for up to `budget_ns` and waits in its own epoll set. So a busy run pays for the outer loop
 * once in many events, and the outer loop never waits longer than that.
 *
 * Memory: about 1 KB a connection (40 KB under TLS), plus the incomplete line or event that it holds. Requests read ahead of
 * time are bounded by `feed_limit`, measurements on their way to the controller by OUTBOX_LIMIT, request bytes kept for a
 * second try by RETAIN_LIMIT.
 *
 * Besides due times, three things control the load. Slots make a closed loop (schedule.h). Limits hold back due requests while
 * too many requests are in flight or have no first token; the order of requests stays, and the record says when the limit
 * released a request. After stop_ns no request begins; requests in flight go on.
 *
 * If the server closed a pooled connection while it was idle, the request that meets it has no byte of a response. That
 * request is sent once more on a new connection, and its record says so (retries). */
#ifndef TT_REACTOR_H
#define TT_REACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/transport.h"
#include "response/event.h"
#include "schedule/schedule.h"

typedef struct {
    transport_route route;        /* what it points to must outlive the reactor */
    int channel_fd;               /* stream socket to the controller: requests in (feed.h), measurements out (outbox.h). Used
                                     without blocking; the caller closes it */
    const event_dialect *dialect; /* must outlive the reactor */
    int64_t connect_timeout_ns, read_timeout_ns;
    int64_t idle_timeout_ns;      /* close a pooled connection after this long: servers close theirs after 5 s */
    int64_t horizon_ns;           /* open connections this long before they are needed */
    int64_t spin_ns;              /* poll instead of sleeping this long before a due time; 0: sleep */
    size_t feed_limit;            /* bytes of requests that may wait in the worker */
    uint32_t max_connections;     /* open at once; with all of them busy, due requests wait and are late */
    bool reuse;                   /* keep connections for further requests */
    bool keep_text, needs_end, lines;   /* stream.h */
    int follower_feed_fd;         /* stream socket for followers' requests, which the worker asks for (OUTBOX_WANTS) */
    bool live_history;            /* a follower's request contains the response before it: ask for it only after that response */
    bool go_on_after_failure;     /* send the followers of a failed request all the same */
    uint32_t max_in_flight;       /* upper limit of requests in flight; 0: no limit */
    uint32_t max_prefilling;      /* upper limit of requests in flight without a first token; 0: no limit */
    int64_t stop_ns;              /* begin no request later than this after the start; 0: no end */
    int send_order_fd;            /* the page that the workers share (send_order.h) */
    int32_t send_order_worker, send_order_workers;   /* this worker's number, and how many share the page; 0: there is no page */
} reactor_config;

/* What is sent, and when. */
typedef struct {
    int64_t count;
    const int64_t *due_ns;          /* schedule.h */
    const int64_t *request_ids;     /* ids on the tape: the requests' numbers in the plan */
    const int64_t *cancel_after_ns; /* close the connection this long after the request was sent; -1: never. NULL: all -1 */
    const schedule_links *links;    /* NULL: no row follows another */
    const schedule_slots *slots;    /* NULL: no closed loop */
} reactor_rows;

#define LATENESS_BUCKETS 128

/* A status frame. Times are CLOCK_MONOTONIC in ns; counters count from the start. */
typedef struct {
    int64_t at_ns;
    int64_t sent, finished, succeeded, active, connections;
    int64_t tokens, events, coalesced;
    int64_t busy_ns;             /* time not spent waiting */
    int64_t longest_turn_ns;     /* longest time between two waits since the last status frame */
    int64_t starved;             /* requests that were due before the controller had delivered them */
    int64_t blocked;             /* requests that were due while all connections were busy */
    int64_t clock_steps;         /* times the wall clock jumped against CLOCK_MONOTONIC */
    int64_t waited_ns;           /* time spent waiting for the controller to read */
    int64_t held;                /* requests that a limit held back when they were due */
    int64_t left;                /* rows that had not begun when sending was stopped */
    int64_t done;                /* 1: the last frame */
    uint32_t lateness[LATENESS_BUCKETS];   /* counts by lateness_bucket() */
} reactor_status;

/* Returns the bucket of a lateness. Buckets in us: 0, 1, 2, 3, then four for each doubling. */
static inline uint32_t lateness_bucket(int64_t lateness_ns) {
    uint64_t us = lateness_ns > 0 ? (uint64_t)lateness_ns / 1000 : 0;
    if (us < 4)
        return (uint32_t)us;
    uint32_t octave = 63 - (uint32_t)__builtin_clzll(us);
    uint32_t bucket = (octave - 1) * 4 + (uint32_t)(us >> (octave - 2) & 3);
    return bucket < LATENESS_BUCKETS ? bucket : LATENESS_BUCKETS - 1;
}

typedef struct reactor reactor;

/* Makes a reactor; copies the arrays. Returns NULL with errno: EINVAL if schedule_init refuses the rows or a cancel_after_ns is
 * below -1, else what the system lacks (descriptors, memory). */
reactor *reactor_new(const reactor_config *config, const reactor_rows *rows);
void reactor_free(reactor *r);

/* Returns the epoll descriptor to watch for reading. */
int reactor_fd(const reactor *r);

/* Sets the start: row i is due at start_ns + due_ns[i] on CLOCK_MONOTONIC. Before this call requests are read ahead and none is
 * sent. */
void reactor_begin(reactor *r, int64_t start_ns);

/* Works for about budget_ns, and up to 20 ms longer if nothing happens until the next tick. Returns true when all requests have
 * ended and all measurements are handed over. */
bool reactor_run(reactor *r, int64_t budget_ns);

/* Begins no more requests; requests in flight go on. Returns how many rows will not be sent. */
int64_t reactor_stop(reactor *r);

/* Ends every request in flight as cancelled. Call reactor_stop first. */
void reactor_cancel(reactor *r);

#endif

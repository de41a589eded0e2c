/* reactor_internal.h: what the parts of the reactor share. Included by reactor*.c alone. Along the flow of a request:
 *
 *   reactor.c           life, loop, housekeeping
 *   timer.c     when the loop wakes
 *   requests.c    the bytes of the requests, by row, as the controller delivers them
 *   pool.c      the connections: opened, idle, closed
 *   handshake.c      what they need before they can be used: the tunnel, the handshake
 *   limits.c       whether what is due may go
 *   send.c      what is due finds its connection and is written
 *   receive.c   what comes back is stamped and read
 *   cancel.c    requests that the client gives up after a time
 *   end.c       how a request ends, and what follows it
 *   report.c    records, events and status on their way to the controller */
#ifndef TT_REACTOR_INTERNAL_H
#define TT_REACTOR_INTERNAL_H

#include <sys/epoll.h>

#include "base/clock.h"
#include "base/columns.h"
#include "channel/feed.h"
#include "schedule/send_order.h"
#include "channel/outbox.h"
#include "reactor/reactor.h"
#include "schedule/schedule.h"
#include "response/stream.h"
#include "net/transport.h"

#define TURN_EVENTS 256
#define STEP_NS TT_NS_PER_MS              /* the two clocks moved apart by more: somebody set the wall clock */

/*  opened      open (transport.h)            assigned          response whole
 *     CONNECTING ────────▶ IDLE ───────────────▶ BUSY ────────────▶ IDLE or DEAD
 *     A request that finds no idle connection waits, in order, for the first that comes free or is made; as many
 *     handshakes are under way as requests wait. Only a second try is bound to its CONNECTING connection: it must be a fresh one.
 *     DEAD: closed; its memory waits for the end of the turn, since epoll may have reported it already. */
typedef enum { CONN_CONNECTING, CONN_IDLE, CONN_BUSY, CONN_DEAD } conn_state;

typedef struct conn {
    stream stream;
    transport line;
    conn_state state;
    bool assigned;
    bool pooled;                /* the request found it idle: the server may have closed it meanwhile */
    bool prefilling;            /* its request has no token yet */
    int error;                  /* errno of a send that failed while a response may still wait to be read */
    int32_t id, served;
    uint32_t index;             /* in reactor.conns */
    int64_t opened_ns, active_ns;
    int64_t cancel_at_ns;       /* SCHEDULE_NEVER: not at all */
    uint32_t cancel_place;      /* in reactor.cancels */
    feed_item *item;            /* the request; NULL once it cannot be sent again */
    size_t sent, length;        /* bytes of the request: taken by the kernel, in all */
    int64_t row;
    uint32_t handshake_mask;        /* what epoll reported while its handshake waits for its turn; 0: it does not wait */
    struct conn *next_handshake;
    struct conn_list *list;     /* the list that it is in, or NULL */
    struct conn *next, *previous;   /* in that list; `next` also in the dead and free lists */
} conn;

typedef struct conn_list { conn *first, *last; uint32_t count; } conn_list;

struct reactor {
    reactor_config config;
    schedule plan;
    send_order order;               /* with the other workers */
    int64_t *request_ids;
    feed feed;                  /* roots' requests, in order */
    feed wanted;                /* followers' requests, as they were asked for; its descriptor is -1 when there are none */
    feed_item *waiting, *waiting_last;   /* due, and without a connection yet; the first due comes first */
    uint32_t waiting_count;
    int connect_errno;          /* why the connection for the request in hand could not be opened; 0: it could */
    feed_item **ready;          /* by row: a follower's request that is here */
    uint8_t *parked;            /* by row: due, but its request is not here yet */
    int64_t parked_count, rows;
    int64_t *cancel_after_ns;   /* by row; NULL: none is cancelled */
    conn **cancels;             /* a heap of the connections whose requests will be cancelled, the first one first */
    uint32_t cancel_count, cancel_capacity;
    int64_t prefilling;         /* requests under way without a token */
    int64_t room_ns;            /* when the latest cap that held something back had room again */
    outbox outbox;
    event_columns columns;
    stream_shared shared;
    int epfd, timerfd;
    int64_t armed_ns, set_ns;   /* for when the timer is set, and since when */
    int64_t next_tick_ns, now_ns, offset_ns;
    int64_t lead_ns;            /* so long before a due time the timer ends a sleep */
    int64_t poll_left_ns;       /* of this tick */
    bool distrust_stamps;       /* in this turn: the wall clock has just moved */
    int64_t deferred_since_ns;            /* since when housekeeping waits; 0: it does not */
    bool feed_ready, feed_full, wanted_ready, asking, stopped, done;
    bool blocked, capped, starving;   /* what is due waits: for a connection to come free, for a cap, for its bytes */
    conn **conns;
    uint32_t conn_count, conn_capacity, sweep_at;
    conn_list idle;             /* pooled; the one used last comes first, so that the others can grow old and go */
    conn_list opening;          /* handshake under way, no request yet; the oldest comes first */
    conn *handshakes, *handshakes_last;   /* a step of the handshake waits; the first comes first */
    conn *dead, *spare;
    int32_t next_connection_id;
    int64_t reserved;           /* requests in sight for which a connection should be ready */
    size_t retained;            /* bytes of requests kept for a second try */
    char *records;              /* finished requests, not yet framed */
    size_t records_length, records_capacity;
    uint32_t records_rows, ticks;
    int64_t busy_ns;
    reactor_status status;
    transport_buffers *buffers;
    struct epoll_event events[TURN_EVENTS];
};

/* timer.c */
#define TIMER_POLL_SHARE 10        /* polling takes one part in so many of the time, at most */
/* Is something due so soon that a sleep would miss it? */
bool timer_is_close(const reactor *r);
/* Is something due so soon that housekeeping, which takes up to 100 us, would make it late? Once a turn: it says no now and then. */
bool timer_defers_housekeeping(reactor *r);
/* Nothing but this timer wakes us when no socket does: it must be armed whenever reactor_run returns. */
void timer_arm(reactor *r, bool at_once);
/* epoll has reported it. woken_ns: when it ended a sleep; 0: something else was reported with it. */
void timer_fired(reactor *r, int64_t woken_ns);

/* requests.c */
/* The followers' channel; nothing when there are none. false: errno. */
bool requests_prepare(reactor *r);
void requests_read(reactor *r);
void requests_read_followers(reactor *r);
/* A row's request, or NULL: it is not here yet. */
feed_item *requests_take(reactor *r, int64_t row);
/* It waits for a connection to come free, and is late. */
void requests_put_back(reactor *r, int64_t row, feed_item *item);

/* pool.c */
/* A new connection, or NULL with errno: EMFILE when no more may be open. */
conn *pool_open(reactor *r);
void pool_idle(reactor *r, conn *c);
void pool_unlist(conn *c);
/* The request cannot be sent again any more. */
void pool_release_item(reactor *r, conn *c);
/* Closes it. What it was doing has been settled by the caller. */
void pool_drop(reactor *r, conn *c);
/* At the end of a turn: dead connections' memory may be used again. */
void pool_recycle_dead(reactor *r);
bool pool_watch(reactor *r, int fd, uint32_t events, void *tag);

/* limits.c */
/* Is there no room for one more request under the caps? */
bool limits_are_reached(const reactor *r);
/* A request begins: it counts from now on. Sets item->released_ns. */
void limits_count_start(reactor *r, feed_item *item);
/* It has its first token. */
void limits_count_first_token(reactor *r, conn *c);
/* It has ended; `prefilling`: without a token. */
void limits_count_end(reactor *r, bool prefilling, int64_t end_ns);

/* handshake.c */
/* epoll has reported a connection that is not open yet. A step of a TLS handshake, up to a millisecond of work, waits until what has
 * arrived is read. */
void handshake_ready(reactor *r, conn *c, uint32_t mask);
/* Some of the steps that wait; where any is left, the next turn comes at once. false: none waited. */
bool handshake_continue_some(reactor *r);
/* The connection goes. */
void pool_unqueue_handshake(reactor *r, conn *c);

/* send.c */
/* Everything that is due. */
void send_due(reactor *r);
/* Is something held back, though it may be due? */
static inline bool is_held_back(const reactor *r) { return r->blocked || r->capped || r->starving; }
/* Opens connections for what is in sight. */
void send_prepare(reactor *r);
/* Idle connections go to the requests that wait. */
void send_waiting(reactor *r);
/* The first request that waits for a connection waits no longer. */
feed_item *requests_take_waiting(reactor *r);
/* The request goes out on this connection, at once or when its handshake is done. */
void send_on(reactor *r, conn *c, feed_item *item, int64_t row, uint8_t retries);
/* Writes what the kernel has not taken yet. */
void send_more(reactor *r, conn *c);
/* Nothing more begins. */
void send_stop(reactor *r);
/* Is it later than stop_ns? */
static inline bool is_past_stop(const reactor *r) {
    return r->config.stop_ns && !r->stopped && r->plan.start_ns != SCHEDULE_NEVER && r->now_ns - r->plan.start_ns > r->config.stop_ns;
}

/* receive.c */
/* epoll has reported a connection. */
void receive_ready(reactor *r, conn *c, uint32_t mask);
/* Reads what has arrived. Where epoll has reported the connection, `mask` says what; else 0. */
void receive_all(reactor *r, conn *c, uint32_t mask);

/* cancel.c */
/* The request on this connection was sent at sent_ns: it is cancelled in its time, if it is to be. */
void cancel_add(reactor *r, conn *c, int64_t sent_ns);
/* It ended before. */
void cancel_remove(reactor *r, conn *c);
/* Ends those whose time has come, with all that has arrived for them until now. */
void cancel_due(reactor *r);
/* When the next one's time comes, or SCHEDULE_NEVER. */
static inline int64_t cancel_next_at(const reactor *r) {
    return r->cancel_count ? r->cancels[0]->cancel_at_ns : SCHEDULE_NEVER;
}

/* end.c */
/* The record is settled: it is handed over, and what follows is due from now on, or never. */
void end_request(reactor *r, conn *c);
/* Ends the request on a connection that is of no more use. */
void end_failed(reactor *r, conn *c, outcome why, const char *text);
/* The request got no connection. `failed`: the one whose handshake it waited for, or NULL. */
void end_unassigned(reactor *r, feed_item *item, uint8_t retries, const conn *failed, outcome why, const char *text);
/* A handshake failed. When fewer are left than requests wait, the first of those has no connection to wait for. */
void end_handshake(reactor *r, conn *c, const char *text);
/* A connection broke under its request: `error` is an errno, 0 for a close. */
void end_broken(reactor *r, conn *c, int error);

/* report.c */
/* A measurement that cannot be kept must not be lost in silence: the worker ends, the controller reports it. */
_Noreturn void report_out_of_memory(void);
void report_request(reactor *r, stream *s);
void report_flush_records(reactor *r);
void report_flush_events(reactor *r, bool all);
void report_status(reactor *r);
/* Asks the controller for followers' requests. */
void report_wants(reactor *r, const int64_t *rows, int64_t count);

#endif

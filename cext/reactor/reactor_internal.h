/* reactor_internal.h: the state that the files of the reactor share, and what they offer each other. Included only
 * by the files of this folder.
 *
 * Layers, from the bottom up. A file calls only files of lower layers; tests/cext/test_layers.py holds this list.
 *
 *   1  report.c     queues finished requests, events and status for the controller
 *      limits.c     the limits of requests in flight and of requests without a first token
 *      timer.c      when the loop wakes up
 *      pool.c       connections: opening, idle, assigned to a request, closed
 *   2  requests.c   the bytes of the requests, as the controller delivers them
 *      cancel.c     which requests the client gives up, and when
 *   3  end.c        how a request ends, and what becomes due after it
 *   4  send.c       finds a connection for each request that is due, and writes it
 *   5  receive.c    stamps and reads what arrives
 *   6  handshake.c  tunnels and TLS handshakes of new connections
 *   7  reactor.c    life, the loop, housekeeping
 *
 * Calls back up: none. */
#ifndef TT_REACTOR_INTERNAL_H
#define TT_REACTOR_INTERNAL_H

#include <sys/epoll.h>

#include "base/clock.h"
#include "base/columns.h"
#include "channel/feed.h"
#include "channel/outbox.h"
#include "net/transport.h"
#include "reactor/reactor.h"
#include "response/stream.h"
#include "schedule/schedule.h"
#include "schedule/send_order.h"

#define TURN_EVENTS 256
#define STEP_NS TT_NS_PER_MS    /* the wall clock was set if it moved by more than this against CLOCK_MONOTONIC */

/*  pool_open    transport is open        pool_assign, send       response complete
 *     CONNECTING ───────────────▶ IDLE ───────────────────▶ BUSY ─────────────────▶ IDLE or DEAD
 *
 * A request that finds no idle connection waits in a queue. The first connection that becomes idle, old or new, takes the
 * first request of the queue; as many handshakes are under way as requests wait. Only a second try is assigned to its
 * connection while that is still CONNECTING, because it must be a fresh one.
 * DEAD: closed. Its memory is reused only after the turn, since epoll may already have reported an event for it. */
typedef enum { CONN_CONNECTING, CONN_IDLE, CONN_BUSY, CONN_DEAD } conn_state;

typedef struct conn {
    stream stream;
    transport line;
    conn_state state;
    bool assigned;              /* it has a request */
    bool pooled;                /* it was idle when it got its request: the server may have closed it in the meantime */
    bool prefilling;            /* its request has no token yet */
    int error;                  /* errno of a failed send, kept while a response may still wait to be read; else 0 */
    int32_t id, served;
    uint32_t index;             /* in reactor.conns */
    int64_t opened_ns, active_ns;
    int64_t cancel_at_ns;       /* SCHEDULE_NEVER: its request is not cancelled */
    uint32_t cancel_place;      /* in reactor.cancels */
    feed_item *item;            /* owned: the request's bytes; NULL once they are not needed for a second try */
    size_t sent, length;        /* bytes of the request: taken by the kernel so far, in all */
    int64_t row;
    uint32_t handshake_mask;    /* epoll events of a handshake step that waits in reactor.handshakes; 0: none waits */
    struct conn *next_handshake;
    struct conn_list *list;     /* the list that holds it, or NULL */
    struct conn *next, *previous;   /* in that list; `next` also links the dead and the spare ones */
} conn;

typedef struct conn_list { conn *first, *last; uint32_t count; } conn_list;

struct reactor {
    reactor_config config;
    schedule plan;
    send_order order;           /* shared with the other workers */
    int64_t *request_ids;
    feed feed;                  /* requests of roots, in order */
    feed follower_feed;         /* requests of followers, in the order in which they were asked for; fd is -1 without followers */
    feed_item *waiting, *waiting_last;   /* due requests that wait for a connection, in order of their due times */
    uint32_t waiting_count;
    int connect_errno;          /* why no connection could be opened for the request in hand; 0: one could */
    feed_item **ready;          /* by row: the request of a follower that has arrived and is not sent yet */
    uint8_t *parked;            /* by row: 1 if a follower is due and its request has not arrived */
    int64_t parked_count, rows;
    int64_t *cancel_after_ns;   /* by row; NULL: no request is cancelled */
    conn **cancels;             /* a binary heap of connections by cancel_at_ns */
    uint32_t cancel_count, cancel_capacity;
    int64_t prefilling;         /* requests in flight without a token */
    int64_t room_ns;            /* when a limit that held back requests last had room again */
    outbox outbox;
    event_columns columns;
    stream_shared shared;
    int epfd, timerfd;
    int64_t armed_ns, set_ns;   /* the time for which the timer is set (0: not set), and when it was set */
    int64_t next_tick_ns, now_ns, offset_ns;
    int64_t lead_ns;            /* how long before a due time the timer ends a sleep */
    int64_t poll_left_ns;       /* polling that this tick may still do */
    bool distrust_stamps;       /* the wall clock was set during this turn: kernel stamps may be wrong */
    int64_t deferred_since_ns;  /* since when housekeeping is put off; 0: it is not */
    bool feed_ready, feed_full, follower_feed_ready;
    bool asking;                /* this turn asked the controller for requests of followers */
    bool stopped, done;
    bool blocked, limited, starving;   /* a due request is held back: no connection is free, a limit, its bytes are missing */
    conn **conns;
    uint32_t conn_count, conn_capacity, sweep_at;
    conn_list idle;             /* the most recently used first, so that the others grow old and are closed */
    conn_list opening;          /* handshake under way and no request assigned; the oldest first */
    conn *handshakes, *handshakes_last;   /* a queue of connections with a handshake step to do */
    conn *dead, *spare;
    int32_t next_connection_id;
    int64_t reserved;           /* requests within the horizon for which a connection should be ready */
    size_t retained;            /* bytes of requests kept for a second try */
    char *records;              /* finished requests that are not yet in a frame */
    size_t records_length, records_capacity;
    uint32_t records_rows, ticks;
    int64_t busy_ns;
    reactor_status status;
    transport_buffers *buffers;
    struct epoll_event events[TURN_EVENTS];
};

/* Returns true when something holds back due requests. */
static inline bool is_held_back(const reactor *r) { return r->blocked || r->limited || r->starving; }

/* Returns true when it is later than config.stop_ns and sending has not been stopped yet. */
static inline bool is_past_stop(const reactor *r) {
    return r->config.stop_ns && !r->stopped && r->plan.start_ns != SCHEDULE_NEVER && r->now_ns - r->plan.start_ns > r->config.stop_ns;
}

/* Returns when the next request is to be cancelled, or SCHEDULE_NEVER. */
static inline int64_t cancel_next_at(const reactor *r) {
    return r->cancel_count ? r->cancels[0]->cancel_at_ns : SCHEDULE_NEVER;
}

/* ---- report.c ---- */

/* Prints a message and aborts. A measurement that cannot be kept must not be lost in silence: the controller sees the worker end
 * and reports it. */
_Noreturn void report_out_of_memory(void);
/* Appends the stream's record to the finished requests. */
void report_request(reactor *r, stream *s);
/* Queues the finished requests for the controller. */
void report_flush_records(reactor *r);
/* Queues the closed blocks of events; with `all` the open block too. */
void report_flush_events(reactor *r, bool all);
/* Queues a status frame. */
void report_status(reactor *r);
/* Asks the controller for the requests of `count` followers. */
void report_wants(reactor *r, const int64_t *rows, int64_t count);

/* ---- limits.c ---- */

/* Returns true when one more request would exceed a limit. */
bool limits_are_reached(const reactor *r);
/* Counts a request as in flight. Sets item->released_ns if a limit held it back. */
void limits_count_start(reactor *r, feed_item *item);
/* Counts the first token of the request on `c`. */
void limits_count_first_token(reactor *r, conn *c);
/* Counts the end of a request. prefilling: it ended without a token. */
void limits_count_end(reactor *r, bool prefilling, int64_t end_ns);

/* ---- timer.c ---- */

#define TIMER_POLL_SHARE 10     /* polling takes at most one part in this many of the time */
/* Returns true when a request is due so soon that a sleep would end too late. */
bool timer_is_close(const reactor *r);
/* Returns true when a request is due so soon that housekeeping, which takes up to 100 us, would make it late. Call it once a turn;
 * it returns false now and then, so that housekeeping is put off for 2 ms at most. */
bool timer_defers_housekeeping(reactor *r);
/* Sets the timer for the next thing to do; at_once: for now. The timer alone wakes the loop when no socket does, so it must be
 * set whenever reactor_run returns. */
void timer_arm(reactor *r, bool at_once);
/* epoll has reported the timer. woken_ns: when it ended a sleep; 0: another event was reported with it. */
void timer_fired(reactor *r, int64_t woken_ns);

/* ---- pool.c ---- */

/* Opens a connection in the state CONN_CONNECTING and puts it into `opening`. Returns it, or NULL with errno; EMFILE: no more
 * connections may be open. */
conn *pool_open(reactor *r);
/* Makes a connection idle. */
void pool_idle(reactor *r, conn *c);
/* Removes a connection from its list. */
void pool_unlist(conn *c);
/* Assigns a request to an idle or connecting connection and removes it from its list. Takes ownership of item. An idle
 * connection becomes busy; a connecting one stays so until its handshake is done. */
void pool_assign(reactor *r, conn *c, feed_item *item, int64_t row, uint8_t retries);
/* Frees the bytes of the connection's request: it cannot be sent again. */
void pool_release_item(reactor *r, conn *c);
/* Closes a connection. The caller has ended its request. */
void pool_drop(reactor *r, conn *c);
/* Makes the memory of dead connections available again. Called between turns. */
void pool_recycle_dead(reactor *r);
/* Adds a connection to the queue of handshake steps, or the events to those with which it already waits there. */
void pool_queue_handshake(reactor *r, conn *c, uint32_t events);
/* Removes a connection from that queue. */
void pool_unqueue_handshake(reactor *r, conn *c);
/* Adds a descriptor to the epoll set. Returns false with errno. */
bool pool_watch(reactor *r, int fd, uint32_t events, void *tag);

/* ---- requests.c ---- */

/* Prepares the channel of the followers' requests, if the plan has followers. Returns false with errno. */
bool requests_prepare(reactor *r);
/* Does one step of reading roots' requests. Returns false when the controller has closed a channel or broken the protocol. */
bool requests_read(reactor *r);
/* Does one step of reading followers' requests. */
void requests_read_followers(reactor *r);
/* Takes the request of a row, which the caller then owns; NULL: it has not arrived. */
feed_item *requests_take(reactor *r, int64_t row);
/* Puts back a request that requests_take returned. */
void requests_put_back(reactor *r, int64_t row, feed_item *item);
/* Appends a request to those that wait for a connection. */
void requests_wait(reactor *r, feed_item *item);
/* Takes the first request that waits for a connection; there must be one. */
feed_item *requests_take_waiting(reactor *r);

/* ---- cancel.c ---- */

/* Schedules the planned cancellation, if any, of the request on `c`, which was sent at sent_ns. */
void cancel_add(reactor *r, conn *c, int64_t sent_ns);
/* Removes it: the request has ended. */
void cancel_remove(reactor *r, conn *c);

/* ---- end.c ---- */

/* Ends the request on `c`, whose record is complete: reports it, and makes due what follows it. */
void end_request(reactor *r, conn *c);
/* Ends the request on `c` as failed, and closes the connection. */
void end_failed(reactor *r, conn *c, outcome why, const char *text);
/* Ends a request that got no connection. Frees item. failed: the connection for whose handshake it waited, or NULL. */
void end_unassigned(reactor *r, feed_item *item, uint8_t retries, const conn *failed, outcome why, const char *text);
/* Closes a connection whose handshake failed, and ends the request assigned to it. Without one, the first waiting request ends if
 * fewer handshakes are left than requests wait. */
void end_handshake(reactor *r, conn *c, const char *text);
/* Closes a busy connection that broke; error: an errno, or 0 if the server closed it. The request is assigned to a new connection
 * if it may be sent a second time, and ends otherwise. */
void end_broken(reactor *r, conn *c, int error);

/* ---- send.c ---- */

/* Sends every request that is due. */
void send_due(reactor *r);
/* Opens connections for the requests that become due within the horizon. */
void send_prepare(reactor *r);
/* Sends waiting requests on idle connections. */
void send_waiting(reactor *r);
/* Writes the rest of the request on `c`. */
void send_more(reactor *r, conn *c);
/* Begins no more requests. */
void send_stop(reactor *r);

/* ---- receive.c ---- */

/* Handles an event of a connection that is open: writes the rest of its request, and reads. mask: what epoll reported. */
void receive_ready(reactor *r, conn *c, uint32_t mask);
/* Reads all that has arrived. mask: what epoll reported; 0: nothing was reported. */
void receive_all(reactor *r, conn *c, uint32_t mask);

/* ---- handshake.c ---- */

/* Handles an event of a connection that is not open yet. A step of a TLS handshake takes up to a millisecond of CPU, so it is
 * queued until the data that has arrived is read. */
void handshake_ready(reactor *r, conn *c, uint32_t mask);
/* Does up to two of the queued steps; the next turn of the loop, which begins at once, does more. Returns true when one was queued. */
bool handshake_continue_some(reactor *r);

#endif

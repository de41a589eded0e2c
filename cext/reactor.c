#include "reactor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "columns.h"
#include "conn.h"
#include "feed.h"
#include "outbox.h"
#include "schedule.h"
#include "stream.h"

#define READ_BUFFER 65536
#define TURN_EVENTS 256
#define TICK_NS (20 * TT_NS_PER_MS)       /* housekeeping */
#define STATUS_TICKS 10
#define SWEEP_SHARE 16                    /* a tick looks at this share of the connections, and at no fewer than SWEEP_MIN */
#define SWEEP_MIN 256
#define PREOPEN_AT_ONCE 256               /* handshakes begun ahead of need that may be under way */
#define RETAIN_LIMIT (64u << 20)
#define STEP_NS TT_NS_PER_MS              /* the two clocks moved apart by more: somebody set the wall clock */
#define RECORDS_FLUSH 65536

/*  opened            handshake done          assigned          response whole
 *     CONNECTING ────────▶ IDLE ───────────────▶ BUSY ────────────▶ IDLE or DEAD
 *     A request that finds no idle connection waits, in order, for the first that comes free or is made; as many
 *     handshakes are under way as requests wait. Only a second try is bound to its CONNECTING connection: it must be a fresh one.
 *     DEAD: closed; its memory waits for the end of the turn, since epoll may have reported it already. */
typedef enum { CONN_CONNECTING, CONN_IDLE, CONN_BUSY, CONN_DEAD } conn_state;

typedef struct conn {
    stream stream;
    int fd;
    conn_state state;
    bool assigned;
    bool pooled;                /* the request found it idle: the server may have closed it meanwhile */
    int error;                  /* errno of a send that failed while a response may still wait to be read */
    int32_t id, served;
    uint32_t index;             /* in reactor.conns */
    int64_t opened_ns, connected_ns, active_ns;
    feed_item *item;            /* the request; NULL once it cannot be sent again */
    size_t sent, length;        /* bytes of the request: taken by the kernel, in all */
    int64_t row;
    struct conn_list *list;     /* the list that it is in, or NULL */
    struct conn *next, *previous;   /* in that list; `next` also in the dead and free lists */
} conn;

typedef struct conn_list { conn *first, *last; uint32_t count; } conn_list;

struct reactor {
    reactor_config config;
    schedule plan;
    int64_t *request_ids;
    feed feed;                  /* roots' requests, in order */
    feed wanted;                /* followers' requests, as they were asked for; its descriptor is -1 when there are none */
    feed_item *waiting, *waiting_last;   /* due, and without a connection yet; the first due comes first */
    uint32_t waiting_count;
    int connect_errno;          /* why the connection for the request in hand could not be opened; 0: it could */
    feed_item **ready;          /* by row: a follower's request that is here */
    uint8_t *parked;            /* by row: due, but its request is not here yet */
    int64_t parked_count, rows;
    outbox outbox;
    event_columns columns;
    stream_shared shared;
    int epfd, timerfd;
    int64_t armed_ns, next_tick_ns, now_ns, offset_ns;
    bool distrust_stamps;       /* in this turn: the wall clock has just moved */
    bool feed_ready, feed_full, wanted_ready, blocked, starving, stopped, done;
    conn **conns;
    uint32_t conn_count, conn_capacity, sweep_at;
    conn_list idle;             /* pooled; the one used last comes first, so that the others can grow old and go */
    conn_list opening;          /* handshake under way, no request yet; the oldest comes first */
    conn *dead, *spare;
    int32_t next_connection_id;
    int64_t reserved;           /* requests in sight for which a connection should be ready */
    size_t retained;            /* bytes of requests kept for a second try */
    char *records;              /* finished requests, not yet framed */
    size_t records_length, records_capacity;
    uint32_t records_rows, ticks;
    int64_t busy_ns;
    reactor_status status;
    char *buffer;
    struct epoll_event events[TURN_EVENTS];
};

static void send_due(reactor *r);

/* ---- records ---- */

static void out_of_memory(void) {
    /* A measurement that cannot be kept must not be lost in silence: the worker ends, the controller reports it. */
    fputs("tokentape: the worker is out of memory\n", stderr);
    abort();
}

static void flush_records(reactor *r) {
    if (!r->records_rows)
        return;
    outbox_frame *frame = outbox_frame_new(OUTBOX_REQUESTS, r->records_rows, r->records_length);
    if (!frame)
        out_of_memory();
    memcpy(outbox_payload(frame), r->records, r->records_length);
    outbox_queue(&r->outbox, frame);
    r->records_length = 0;
    r->records_rows = 0;
}

static void put_record(reactor *r, stream *s) {
    s->record.error_length = (uint32_t)s->error.length;
    s->record.text_length = (uint32_t)s->text.length;
    struct { const void *bytes; size_t length; } parts[] = {
        {&s->record, sizeof s->record}, {s->id, s->record.id_length}, {s->finish, s->record.finish_length},
        {s->error.bytes, s->error.length}, {s->text.bytes, s->text.length}};
    size_t total = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        total += parts[i].length;
    if (r->records_length + total > r->records_capacity) {
        size_t capacity = (r->records_length + total) * 2;
        char *grown = realloc(r->records, capacity);
        if (!grown)
            out_of_memory();
        r->records = grown;
        r->records_capacity = capacity;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i].length) {
            memcpy(r->records + r->records_length, parts[i].bytes, parts[i].length);
            r->records_length += parts[i].length;
        }
    r->records_rows++;
    if (r->records_length > RECORDS_FLUSH)
        flush_records(r);
}

static void flush_events(reactor *r, bool all) {
    if (all && !columns_close_block(&r->columns))
        out_of_memory();
    event_block *block;
    while ((block = columns_take(&r->columns))) {
        if (!outbox_queue_events(&r->outbox, block))
            out_of_memory();
        columns_recycle(&r->columns, block);
    }
}

static void queue_status(reactor *r) {
    reactor_status *status = &r->status;
    status->at_ns = r->now_ns;
    status->connections = r->conn_count;
    status->tokens = r->shared.tokens;
    status->events = r->shared.events;
    status->coalesced = r->shared.coalesced;
    status->busy_ns = r->busy_ns;
    status->waited_ns = r->outbox.waited_ns;
    status->done = r->done;
    outbox_frame *frame = outbox_frame_new(OUTBOX_STATUS, 1, sizeof *status);
    if (!frame)
        out_of_memory();
    memcpy(outbox_payload(frame), status, sizeof *status);
    outbox_queue(&r->outbox, frame);
    status->longest_turn_ns = 0;
}

/* Asks the controller for followers' requests. */
static void queue_wants(reactor *r, const int64_t *rows, int64_t count) {
    outbox_frame *frame = outbox_frame_new(OUTBOX_WANTS, (uint32_t)count, (size_t)count * sizeof *rows);
    if (!frame)
        out_of_memory();
    memcpy(outbox_payload(frame), rows, (size_t)count * sizeof *rows);
    outbox_queue(&r->outbox, frame);
    r->reserved += count;
}

/* ---- connections ---- */

static void list_first(conn_list *list, conn *c) {
    c->previous = NULL;
    c->next = list->first;
    if (list->first)
        list->first->previous = c;
    else
        list->last = c;
    list->first = c;
    list->count++;
    c->list = list;
}

static void list_last(conn_list *list, conn *c) {
    c->next = NULL;
    c->previous = list->last;
    if (list->last)
        list->last->next = c;
    else
        list->first = c;
    list->last = c;
    list->count++;
    c->list = list;
}

static void list_remove(conn *c) {
    conn_list *list = c->list;
    if (c->previous)
        c->previous->next = c->next;
    else
        list->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    else
        list->last = c->previous;
    c->next = c->previous = NULL;
    c->list = NULL;
    list->count--;
}

static void make_idle(reactor *r, conn *c) {
    c->state = CONN_IDLE;
    c->active_ns = r->now_ns;
    list_first(&r->idle, c);
    r->blocked = false;
}

static void release_item(reactor *r, conn *c) {
    if (c->item) {
        r->retained -= c->length;
        free(c->item);
        c->item = NULL;
    }
}

/* Closes it. What it was doing has been settled by the caller. */
static void drop(reactor *r, conn *c) {
    if (c->list)
        list_remove(c);
    release_item(r, c);
    close(c->fd);
    stream_free(&c->stream);
    conn *last = r->conns[--r->conn_count];
    r->conns[c->index] = last;
    last->index = c->index;
    c->state = CONN_DEAD;
    c->next = r->dead;
    r->dead = c;
    r->blocked = false;
}

static void bury_dead(reactor *r) {
    while (r->dead) {
        conn *c = r->dead;
        r->dead = c->next;
        c->next = r->spare;
        r->spare = c;
    }
}

/* A new connection, or NULL with errno: EMFILE when no more may be open. */
static conn *open_conn(reactor *r) {
    if (r->conn_count >= r->config.max_connections) {
        errno = EMFILE;
        return NULL;
    }
    if (r->conn_count == r->conn_capacity) {
        uint32_t capacity = r->conn_capacity ? r->conn_capacity * 2 : 256;
        conn **grown = realloc(r->conns, capacity * sizeof *grown);
        if (!grown)
            return NULL;
        r->conns = grown;
        r->conn_capacity = capacity;
    }
    conn *c = r->spare;
    if (c)
        r->spare = c->next;
    else if (!(c = malloc(sizeof *c)))
        return NULL;
    memset(c, 0, sizeof *c);
    stream_init(&c->stream);
    c->opened_ns = c->active_ns = clock_mono_ns();
    c->fd = conn_dial((const struct sockaddr *)&r->config.address, r->config.address_length, r->config.stamps);
    struct epoll_event watch = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (c->fd < 0 || epoll_ctl(r->epfd, EPOLL_CTL_ADD, c->fd, &watch) < 0) {
        int error = c->fd < 0 ? -c->fd : errno;
        if (c->fd >= 0)
            close(c->fd);
        c->next = r->spare;
        r->spare = c;
        errno = error == ENFILE || error == ENOBUFS ? EMFILE : error;
        return NULL;
    }
    c->id = r->next_connection_id++;
    c->index = r->conn_count;
    r->conns[r->conn_count++] = c;
    c->state = CONN_CONNECTING;
    list_last(&r->opening, c);
    return c;
}

/* ---- requests ---- */

/* What follows a request is due from now on, or never. */
static void follow(reactor *r, const request_record *record, int64_t row) {
    if (!r->plan.parent || r->stopped)
        return;
    if (record->outcome == OUTCOME_OK || r->config.go_on_after_failure)
        schedule_ended(&r->plan, row, record->end_ns);
    else
        schedule_give_up(&r->plan, row);
}

static void finish(reactor *r, conn *c) {
    put_record(r, &c->stream);
    if (r->plan.parent && r->config.live_history)
        flush_records(r);                /* the controller writes what follows from this reply */
    follow(r, &c->stream.record, c->row);
    r->status.finished++;
    r->status.active--;
    r->status.succeeded += c->stream.record.outcome == OUTCOME_OK;
    release_item(r, c);
    c->assigned = false;
    c->served++;
}

static void send_request(reactor *r, conn *c);

static void assign(reactor *r, conn *c, feed_item *item, int64_t row, uint8_t retries) {
    stream_begin(&c->stream, r->request_ids[row], schedule_due(&r->plan, row));
    request_record *record = &c->stream.record;
    record->connection_id = c->id;
    record->connection_reused = c->served > 0;
    record->connect_start_ns = c->opened_ns;
    record->retries = retries;
    c->item = item;
    c->length = item->length;
    c->sent = 0;
    c->row = row;
    c->assigned = true;
    c->pooled = c->state == CONN_IDLE;
    c->active_ns = r->now_ns;
    r->retained += item->length;
    if (c->state == CONN_CONNECTING) {
        list_remove(c);
        return;                          /* sent when the handshake is done */
    }
    c->state = CONN_BUSY;
    send_request(r, c);
}

/* Ends the request on a connection that is of no more use. */
static void fail(reactor *r, conn *c, outcome why, const char *text) {
    stream_fail(&c->stream, why, r->now_ns, text);
    finish(r, c);
    drop(r, c);
}

/* The request got no connection. `failed`: the one whose handshake it waited for, or NULL. */
static void fail_unassigned(reactor *r, feed_item *item, uint8_t retries, const conn *failed, outcome why, const char *text) {
    stream s;
    stream_init(&s);
    stream_begin(&s, r->request_ids[item->row], schedule_due(&r->plan, item->row));
    s.record.connect_start_ns = failed ? failed->opened_ns : r->now_ns;
    s.record.connection_id = failed ? failed->id : -1;
    s.record.retries = retries;
    stream_fail(&s, why, r->now_ns, text);
    put_record(r, &s);
    follow(r, &s.record, item->row);
    r->status.finished++;
    r->status.active--;
    stream_free(&s);
    free(item);
}

static feed_item *waiting_take(reactor *r) {
    feed_item *item = r->waiting;
    r->waiting = item->next;
    if (!r->waiting)
        r->waiting_last = NULL;
    r->waiting_count--;
    item->next = NULL;
    return item;
}

/* Idle connections go to the requests that wait. */
static void serve_waiting(reactor *r) {
    while (r->waiting && r->idle.first) {
        conn *c = r->idle.first;
        feed_item *item = waiting_take(r);
        list_remove(c);
        assign(r, c, item, item->row, 0);
    }
}

/* A handshake failed. When fewer are left than requests wait, the first of those has no connection to wait for. */
static void handshake_failed(reactor *r, conn *c, const char *text) {
    if (c->assigned) {
        fail(r, c, OUTCOME_CONNECT_ERROR, text);
        return;
    }
    if (r->waiting_count >= r->opening.count)
        fail_unassigned(r, waiting_take(r), 0, c, OUTCOME_CONNECT_ERROR, text);
    drop(r, c);
}

/* A connection broke under its request: `error` is an errno, 0 for a close. */
static void broke(reactor *r, conn *c, int error) {
    stream *s = &c->stream;
    if (c->item && c->pooled && stream_silent(s) && !s->record.retries) {
        feed_item *item = c->item;
        int64_t row = c->row;
        c->item = NULL;
        r->retained -= c->length;
        drop(r, c);
        conn *fresh = open_conn(r);
        if (fresh)
            assign(r, fresh, item, row, 1);
        else
            fail_unassigned(r, item, 1, NULL, OUTCOME_CONNECT_ERROR, strerror(errno));
        return;
    }
    bool silent = stream_silent(s);
    if (!error && silent)
        error = c->error;
    bool reset = error == ECONNRESET || error == EPIPE;
    char text[128];
    if (error && !reset)
        snprintf(text, sizeof text, "the connection broke: %s", strerror(error));
    else
        snprintf(text, sizeof text, "the server %s the connection %s", reset ? "reset" : "closed",
                 !silent ? "before the response was complete"
                 : c->sent < c->length ? "before the request was sent" : "without a response");
    if (error)
        stream_fail(s, silent ? OUTCOME_PROTOCOL_ERROR : OUTCOME_TRUNCATED, r->now_ns, text);
    else
        stream_closed(s, &r->shared, r->now_ns, text);
    finish(r, c);
    drop(r, c);
}

static void send_request(reactor *r, conn *c) {
    request_record *record = &c->stream.record;
    if (!record->connected_ns)
        record->connected_ns = c->connected_ns;
    while (c->sent < c->length) {
        int64_t before = clock_mono_ns();
        int64_t n = conn_write(c->fd, c->item->bytes + c->sent, c->length - c->sent);
        if (n == -EAGAIN || n == -EWOULDBLOCK)
            return;                      /* EPOLLOUT brings us back */
        if (n == -EPIPE || n == -ECONNRESET) {
            /* The server hung up on us, perhaps after an answer (413, 401) that is still to be read: epoll reports the
             * hang-up, and receive() comes to what stands before it. */
            c->error = (int)-n;
            return;
        }
        if (n < 0) {
            broke(r, c, (int)-n);
            return;
        }
        if (!record->sent_ns) {
            record->sent_ns = before;
            r->status.lateness[lateness_bucket(before - record->scheduled_ns)]++;
            r->status.sent += record->retries == 0;
        }
        c->sent += (size_t)n;
        record->bytes_sent += n;
        c->active_ns = before;
    }
    record->sent_end_ns = clock_mono_ns();
    if (r->plan.parent && !r->config.live_history) {
        int64_t rows[64], count = schedule_want_early(&r->plan, c->row, rows, 64);
        if (count)
            queue_wants(r, rows, count);
    }
    if (!c->pooled || r->retained > RETAIN_LIMIT)
        release_item(r, c);              /* no second try */
}

static void stop_sending(reactor *r) {
    schedule_stop(&r->plan);
    r->parked_count = 0;
    r->reserved = 0;
    r->stopped = true;
    r->feed.discard = true;
    r->feed_ready = true;
}

static feed_item *take_item(reactor *r, int64_t row) {
    if (!r->plan.parent || r->plan.parent[row] < 0)
        return feed_take(&r->feed, row);
    feed_item *item = r->ready[row];
    r->ready[row] = NULL;
    return item;
}

/* It waits for a connection to come free, and is late. */
static void put_back(reactor *r, int64_t row, feed_item *item) {
    if (r->plan.parent && r->plan.parent[row] >= 0) {
        r->ready[row] = item;
        return;
    }
    item->next = r->feed.first;
    r->feed.first = item;
    if (!r->feed.last)
        r->feed.last = item;
    r->feed.waiting_bytes += item->length;
    r->feed.waiting_rows++;
}

/* A root whose request is not here holds up those behind it, in the plan's order; a follower holds up nobody. True: go on. */
static bool is_missing(reactor *r, int64_t row) {
    if (r->plan.parent && r->plan.parent[row] >= 0) {
        schedule_pop(&r->plan);
        r->parked[row] = 1;
        r->parked_count++;
        r->status.starved++;
        return true;
    }
    r->status.starved += !r->starving;
    r->starving = true;
    if (r->feed.ended || r->feed.closed)
        stop_sending(r);                 /* the controller gave up: it knows which rows it never sent */
    return false;
}

static bool must_wait(const reactor *r) { return r->waiting || !r->idle.first; }

/* Makes sure that a handshake is under way for one more request that waits. False: no more connections may be open. Another
 * failure is the request's own: `connect_errno`. */
static bool can_send(reactor *r) {
    r->connect_errno = 0;
    if (!must_wait(r) || r->opening.count > r->waiting_count || open_conn(r))
        return true;
    r->connect_errno = errno;
    return errno != EMFILE || !r->conn_count;
}

/* Sends it, or has it wait for a connection that is being made. */
static void send_or_wait(reactor *r, feed_item *item) {
    r->status.active++;
    if (r->reserved)
        r->reserved--;
    if (r->connect_errno)
        fail_unassigned(r, item, 0, NULL, OUTCOME_CONNECT_ERROR, strerror(r->connect_errno));
    else if (must_wait(r)) {
        item->next = NULL;
        if (r->waiting_last)
            r->waiting_last->next = item;
        else
            r->waiting = item;
        r->waiting_last = item;
        r->waiting_count++;
    } else {
        conn *c = r->idle.first;
        list_remove(c);
        assign(r, c, item, item->row, 0);
    }
    r->now_ns = clock_mono_ns();
}

static void send_due(reactor *r) {
    while (!r->blocked && schedule_next_at(&r->plan) <= r->now_ns) {
        schedule_step step = schedule_peek(&r->plan);
        if (step.kind == SCHEDULE_WANT) {
            schedule_pop(&r->plan);
            queue_wants(r, &step.row, 1);
            continue;
        }
        feed_item *item = take_item(r, step.row);
        if (!item) {
            if (is_missing(r, step.row))
                continue;
            return;
        }
        r->starving = false;
        r->feed_ready |= r->feed_full;
        if (!can_send(r)) {
            put_back(r, step.row, item);
            r->status.blocked++;
            r->blocked = true;
            return;
        }
        schedule_pop(&r->plan);
        send_or_wait(r, item);
    }
}

static void preopen(reactor *r) {
    if (r->stopped)
        return;
    r->reserved += schedule_come_into_sight(&r->plan, r->now_ns, r->config.horizon_ns);
    while ((int64_t)r->idle.count + r->opening.count < r->reserved && r->opening.count < PREOPEN_AT_ONCE)
        if (!open_conn(r))
            return;                      /* the request that needs it will meet the error, and tell */
}

/* ---- receiving ---- */

/* The read's stamp on CLOCK_MONOTONIC: the kernel's when it is there and can be true. */
static int64_t arrival(reactor *r, stream *s, int64_t stamp_unix_ns, int64_t read_ns) {
    if (stamp_unix_ns && !r->distrust_stamps) {
        int64_t stamp = stamp_unix_ns - r->offset_ns;
        if (stamp <= read_ns)
            return stamp;
        if (stamp - read_ns < STEP_NS)
            return read_ns;              /* the two clocks are read 30 ns apart */
        r->status.clock_steps++;
    }
    s->record.user_clock = 1;
    return read_ns;
}

/* The response is whole: back to the pool, or closed. */
static void completed(reactor *r, conn *c, size_t left) {
    bool reusable = r->config.reuse && stream_keep_alive(&c->stream) && left == 0 && c->sent == c->length;
    finish(r, c);
    if (reusable)
        make_idle(r, c);
    else
        drop(r, c);
    serve_waiting(r);
}

static void receive(reactor *r, conn *c, uint32_t mask) {
    for (;;) {
        int64_t stamp;
        int64_t n = conn_receive(c->fd, r->buffer, READ_BUFFER, &stamp);
        if (n == -EAGAIN || n == -EWOULDBLOCK)
            return;
        r->now_ns = clock_mono_ns();
        if (c->state == CONN_IDLE) {     /* closed by the server, or bytes that nobody asked for */
            drop(r, c);
            return;
        }
        if (n <= 0) {
            broke(r, c, (int)-n);
            return;
        }
        c->active_ns = r->now_ns;
        size_t left;
        stream *s = &c->stream;
        switch (stream_bytes(s, &r->shared, r->buffer, (size_t)n, arrival(r, s, stamp, r->now_ns), r->now_ns, &left)) {
        case STREAM_MORE:
            if (c->item && c->sent == c->length)
                release_item(r, c);
            break;
        case STREAM_COMPLETE:
            completed(r, c, left);
            break;
        case STREAM_BROKEN:
            finish(r, c);
            drop(r, c);
            break;
        }
        if (c->state == CONN_DEAD)
            return;
        send_due(r);
        /* Edge-triggered: a short read has emptied the socket, unless the peer's close waits behind the data. */
        if (c->state == CONN_DEAD || (n < READ_BUFFER && !(mask & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))))
            return;
    }
}

static void on_conn(reactor *r, conn *c, uint32_t mask) {
    if (c->state == CONN_DEAD)
        return;
    if (c->state == CONN_CONNECTING) {
        if (!(mask & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
            return;
        int error = conn_error(c->fd);
        if (error) {
            handshake_failed(r, c, strerror(error));
            return;
        }
        c->connected_ns = clock_mono_ns();
        if (c->assigned) {
            c->state = CONN_BUSY;
            send_request(r, c);
        } else {
            list_remove(c);
            make_idle(r, c);
            serve_waiting(r);
        }
    } else if (c->state == CONN_BUSY && c->sent < c->length && !c->error && mask & EPOLLOUT)
        send_request(r, c);
    if (c->state != CONN_DEAD && mask & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        receive(r, c, mask);
}

/* ---- housekeeping ---- */

static void check_timeouts(reactor *r, conn *c) {
    int64_t silent = r->now_ns - c->active_ns;
    char text[96];
    if (c->state == CONN_CONNECTING && r->now_ns - c->opened_ns > r->config.connect_timeout_ns) {
        snprintf(text, sizeof text, "no connection after %.3g s", (double)r->config.connect_timeout_ns / 1e9);
        handshake_failed(r, c, text);
    } else if (c->state == CONN_BUSY && silent > r->config.read_timeout_ns) {
        snprintf(text, sizeof text, "the server sent nothing for %.3g s", (double)r->config.read_timeout_ns / 1e9);
        fail(r, c, OUTCOME_TIMEOUT, text);
    } else if (c->state == CONN_IDLE && silent > r->config.idle_timeout_ns)
        drop(r, c);
}

static void sweep(reactor *r) {
    uint32_t share = r->conn_count / SWEEP_SHARE;
    for (uint32_t n = share < SWEEP_MIN ? SWEEP_MIN : share; n && r->conn_count; n--) {
        if (r->sweep_at >= r->conn_count)
            r->sweep_at = 0;
        conn *c = r->conns[r->sweep_at];
        check_timeouts(r, c);
        if (c->state != CONN_DEAD)      /* else another took its place */
            r->sweep_at++;
        if (r->sweep_at == r->conn_count)
            return;
    }
}

static void tick(reactor *r) {
    r->next_tick_ns = r->now_ns + TICK_NS;
    sweep(r);
    preopen(r);
    if (++r->ticks % STATUS_TICKS == 0) {
        flush_records(r);
        flush_events(r, true);
        queue_status(r);
    }
}

static void read_feed(reactor *r) {
    feed_result result = feed_step(&r->feed);
    r->feed_ready = result == FEED_PROGRESS;
    r->feed_full = result == FEED_FULL;  /* goes on when a request has left */
    if (result == FEED_BROKEN)
        r->feed.closed = true;
    if ((r->feed.closed || r->wanted.closed) && !r->stopped) {
        stop_sending(r);
        reactor_cancel(r);
    }
}

static void read_wanted(reactor *r) {
    feed_result result = feed_step(&r->wanted);
    r->wanted_ready = result == FEED_PROGRESS;
    if (result == FEED_BROKEN)
        r->wanted.closed = true;
    feed_item *item;
    while ((item = r->wanted.first) && feed_take(&r->wanted, item->row)) {
        int64_t row = item->row;
        if (r->stopped || row >= r->rows || r->ready[row]) {
            free(item);
            continue;
        }
        r->ready[row] = item;
        if (r->parked[row]) {            /* it had been due before */
            r->parked[row] = 0;
            r->parked_count--;
            schedule_again(&r->plan, row);
        }
    }
}

/* Nothing but this timer wakes us when no socket does: it must be armed whenever reactor_run returns. */
static void arm_timer(reactor *r, bool at_once) {
    int64_t wake = at_once ? r->now_ns : r->next_tick_ns;
    if (!r->blocked && !r->starving) {
        int64_t due = schedule_next_at(&r->plan);
        if (due != SCHEDULE_NEVER && due - r->config.spin_ns < wake)
            wake = due - r->config.spin_ns;
    }
    if (wake == r->armed_ns)
        return;
    struct itimerspec spec = {.it_value = {.tv_sec = wake / TT_NS_PER_S, .tv_nsec = wake % TT_NS_PER_S}};
    timerfd_settime(r->timerfd, TFD_TIMER_ABSTIME, &spec, NULL);
    r->armed_ns = wake;
}

/* A connection that has waited for its next token has left the caches: its lines are fetched while the one before it is
 * still being read. `who` may be another descriptor's tag: a prefetch harms nobody. */
static void prefetch_conn(const char *who) {
    for (size_t at = 0; at < sizeof(conn); at += 64)
        __builtin_prefetch(who + at, 1);
}

static void sample_clocks(reactor *r) {
    int64_t offset = clock_offset_at(&r->now_ns);
    int64_t moved = offset - r->offset_ns;
    r->distrust_stamps = moved > STEP_NS || moved < -STEP_NS;
    r->status.clock_steps += r->distrust_stamps;
    r->offset_ns = offset;
}

static bool hand_over(reactor *r) {
    flush_records(r);
    flush_events(r, true);
    r->done = true;
    queue_status(r);
    outbox_write(&r->outbox, true);
    return true;
}

static bool is_finished(const reactor *r) {
    return r->plan.start_ns != SCHEDULE_NEVER && r->plan.left == 0 && r->status.active == 0 && r->parked_count == 0;
}

bool reactor_run(reactor *r, int64_t budget_ns) {
    int64_t leave_ns = clock_mono_ns() + budget_ns;
    if (r->done)
        return true;
    for (;;) {
        /* Without a timeout: one of its own would have the kernel program the clock for each sleep, and the armed timer, at the
         * latest that of the next tick, ends every wait. */
        int timeout_ms = r->now_ns < leave_ns ? -1 : 0;
        if (r->feed_ready || r->wanted_ready ||
            (r->config.spin_ns && !r->blocked && !r->starving &&
             schedule_next_at(&r->plan) - r->now_ns <= r->config.spin_ns))
            timeout_ms = 0;
        arm_timer(r, false);
        int n = epoll_wait(r->epfd, r->events, TURN_EVENTS, timeout_ms);
        sample_clocks(r);
        int64_t begin_ns = r->now_ns;
        send_due(r);
        for (int i = 0; i < n; i++) {
            void *who = r->events[i].data.ptr;
            if (i + 1 < n)
                prefetch_conn(r->events[i + 1].data.ptr);
            if (who == &r->timerfd)
                r->armed_ns = 0;
            else if (who == &r->feed)
                r->feed_ready = true;
            else if (who == &r->wanted)
                r->wanted_ready = true;
            else
                on_conn(r, who, r->events[i].events);
        }
        if (r->now_ns >= r->next_tick_ns)
            tick(r);
        if (r->feed_ready)
            read_feed(r);
        if (r->wanted_ready)
            read_wanted(r);
        send_due(r);
        bury_dead(r);
        if (r->columns.closed)
            flush_events(r, false);
        if (r->outbox.first)
            outbox_write(&r->outbox, false);
        int64_t end_ns = clock_mono_ns();
        if (n > 0) {
            r->busy_ns += end_ns - begin_ns;
            if (end_ns - begin_ns > r->status.longest_turn_ns)
                r->status.longest_turn_ns = end_ns - begin_ns;
        }
        r->now_ns = end_ns;
        if (is_finished(r))
            return hand_over(r);
        if (end_ns >= leave_ns) {
            arm_timer(r, r->feed_ready || r->wanted_ready);
            return false;
        }
    }
}

int64_t reactor_stop(reactor *r) {
    int64_t left = r->plan.left + r->parked_count;
    stop_sending(r);
    if (r->plan.start_ns == SCHEDULE_NEVER)
        schedule_begin(&r->plan, 0);
    return left;
}

void reactor_cancel(reactor *r) {
    r->now_ns = clock_mono_ns();
    for (uint32_t i = r->conn_count; i-- > 0;)
        if (r->conns[i]->assigned)
            fail(r, r->conns[i], OUTCOME_CANCELLED, "cancelled");
    while (r->waiting)
        fail_unassigned(r, waiting_take(r), 0, NULL, OUTCOME_CANCELLED, "cancelled");
    bury_dead(r);
}

void reactor_begin(reactor *r, int64_t start_ns) {
    schedule_begin(&r->plan, start_ns);
    r->now_ns = clock_mono_ns();
    preopen(r);
    arm_timer(r, false);
}

int reactor_fd(const reactor *r) { return r->epfd; }

static bool watch(int epfd, int fd, uint32_t events, void *tag) {
    struct epoll_event event = {.events = events, .data.ptr = tag};
    return epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &event) == 0;
}

/* What followers need; nothing when there are none. */
static bool prepare_followers(reactor *r) {
    r->wanted.fd = -1;
    if (!r->plan.parent)
        return true;
    r->ready = calloc((size_t)r->rows + 1, sizeof *r->ready);
    r->parked = calloc((size_t)r->rows + 1, 1);
    return r->ready && r->parked && feed_init(&r->wanted, r->config.wanted_fd, r->config.feed_limit) &&
           watch(r->epfd, r->config.wanted_fd, EPOLLIN | EPOLLRDHUP | EPOLLET, &r->wanted);
}

reactor *reactor_new(const reactor_config *config, const int64_t *due_ns, const int64_t *request_ids, int64_t rows,
                     const schedule_links *links) {
    reactor *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->config = *config;
    r->feed.fd = -1;
    r->epfd = epoll_create1(EPOLL_CLOEXEC);
    r->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    r->buffer = malloc(READ_BUFFER);
    r->request_ids = malloc((size_t)(rows ? rows : 1) * sizeof *request_ids);
    outbox_init(&r->outbox, config->channel_fd);
    r->rows = rows;
    int bad = schedule_init(&r->plan, due_ns, rows, links);
    if (bad || r->epfd < 0 || r->timerfd < 0 || !r->buffer || !r->request_ids || !columns_init(&r->columns) ||
        !feed_init(&r->feed, config->channel_fd, config->feed_limit) ||
        !watch(r->epfd, r->timerfd, EPOLLIN | EPOLLET, &r->timerfd) ||
        !watch(r->epfd, config->channel_fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &r->feed) || !prepare_followers(r)) {
        int error = bad < -1 ? EINVAL : errno ? errno : ENOMEM;
        reactor_free(r);
        errno = error;
        return NULL;
    }
    if (rows)
        memcpy(r->request_ids, request_ids, (size_t)rows * sizeof *request_ids);
    r->shared = (stream_shared){.dialect = config->dialect, .columns = &r->columns, .keep_text = config->keep_text,
                                .needs_end = config->needs_end, .lines = config->lines};
    r->now_ns = clock_mono_ns();
    r->offset_ns = clock_offset_ns();
    r->next_tick_ns = r->now_ns + TICK_NS;
    r->feed_ready = true;
    arm_timer(r, false);
    return r;
}

void reactor_free(reactor *r) {
    if (!r)
        return;
    while (r->conn_count)
        drop(r, r->conns[0]);
    bury_dead(r);
    while (r->spare) {
        conn *next = r->spare->next;
        free(r->spare);
        r->spare = next;
    }
    if (r->epfd >= 0)
        close(r->epfd);
    if (r->timerfd >= 0)
        close(r->timerfd);
    outbox_free(&r->outbox);
    feed_free(&r->feed);
    columns_free(&r->columns);
    while (r->waiting)
        free(waiting_take(r));
    if (r->ready) {
        for (int64_t row = 0; row < r->rows; row++)
            free(r->ready[row]);
        feed_free(&r->wanted);
    }
    free(r->ready);
    free(r->parked);
    schedule_free(&r->plan);
    free(r->request_ids);
    free(r->conns);
    free(r->records);
    free(r->buffer);
    free(r);
}

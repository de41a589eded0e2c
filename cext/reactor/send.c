#include "reactor/reactor_internal.h"

#include <errno.h>
#include <string.h>

/* Another worker is waited for until this long after the due time: the kernel rarely pauses a worker longer. */
#define SEND_ORDER_PATIENCE_NS (5 * TT_NS_PER_MS)
#define PREOPEN_AT_ONCE 256               /* upper limit of handshakes in progress that were begun ahead of need */
#define RETAIN_LIMIT (64u << 20)

/* Returns the id of the root that is sent next. Returns SEND_ORDER_NONE while due requests are held back: other workers must not
 * wait for them. */
static int64_t next_root(const reactor *r) {
    return r->plan.next < r->plan.rows && !is_held_back(r) ? r->request_ids[r->plan.next] : SEND_ORDER_NONE;
}

/* Sends a request on the first idle connection. */
static void send_on_idle(reactor *r, feed_item *item) {
    conn *c = r->idle.first;
    pool_assign(r, c, item, item->row, 0);
    send_more(r, c);
}

void send_waiting(reactor *r) {
    while (r->waiting && r->idle.first)
        send_on_idle(r, requests_take_waiting(r));
}

void send_more(reactor *r, conn *c) {
    request_record *record = &c->stream.record;
    if (!record->connected_ns) {
        record->connected_ns = c->line.connected_ns;
        record->tls_ns = c->line.tls_ns;
    }
    while (c->sent < c->length) {
        const char *rest = c->item->bytes + c->sent;
        int64_t n = transport_seal(&c->line, rest, c->length - c->sent), before = clock_mono_ns();
        send_order_announce(&r->order, next_root(r));
        if (n == 0)
            n = transport_write(&c->line, rest, c->length - c->sent);
        if (n == -EAGAIN || n == -EWOULDBLOCK)
            return;                      /* continues with EPOLLOUT */
        if (n == -EPIPE || n == -ECONNRESET) {
            /* The server closed the connection, perhaps after a response (413, 401) that is still to be read. epoll reports
             * the close, and receive_all() reads the response first. */
            c->error = (int)-n;
            return;
        }
        if (n < 0) {
            end_broken(r, c, (int)-n);
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
    cancel_add(r, c, record->sent_end_ns);
    if (r->plan.parent && !r->config.live_history) {
        int64_t rows[64], count = schedule_want_early(&r->plan, c->row, rows, 64);
        if (count)
            report_wants(r, rows, count);
    }
    if (!c->pooled || r->retained > RETAIN_LIMIT)
        pool_release_item(r, c);         /* no second try */
}

void send_stop(reactor *r) {
    r->status.left += schedule_stop(&r->plan) + r->parked_count;
    r->parked_count = 0;
    r->reserved = 0;
    r->stopped = true;
    r->feed.discard = true;
    r->feed_ready = true;
}

static bool is_follower(const reactor *r, int64_t row) { return r->plan.parent && r->plan.parent[row] >= 0; }

/* Handles a due row whose request has not arrived. A root holds up the roots after it, because they leave in order; a follower is
 * parked. Returns true to go on with other rows. */
static bool is_missing(reactor *r, int64_t row) {
    if (is_follower(r, row)) {
        schedule_pop(&r->plan);
        r->parked[row] = 1;
        r->parked_count++;
        r->status.starved++;
        return true;
    }
    r->status.starved += !r->starving;
    r->starving = true;
    if (r->feed.ended || r->feed.closed)
        send_stop(r);                    /* the controller gave up; it knows which rows it did not deliver */
    return false;
}

static bool must_wait(const reactor *r) { return r->waiting || !r->idle.first; }

/* Makes sure that a connection is idle or being opened for one more request. Returns false when no more connections may be
 * open. Any other failure is the request's own: connect_errno. */
static bool can_send(reactor *r) {
    r->connect_errno = 0;
    if (!must_wait(r) || r->opening.count > r->waiting_count || pool_open(r))
        return true;
    r->connect_errno = errno;
    return (errno != EMFILE && errno != EAGAIN) || !r->conn_count;   /* EAGAIN: the backlog of a Unix socket is full */
}

/* Sends a request, lets it wait for a connection that is being opened, or ends it with connect_errno. */
static void send_or_wait(reactor *r, feed_item *item) {
    limits_count_start(r, item);
    if (r->reserved && (!r->plan.slots || is_follower(r, item->row)))
        r->reserved--;
    if (r->connect_errno)
        end_unassigned(r, item, 0, NULL, OUTCOME_CONNECT_ERROR, strerror(r->connect_errno));
    else if (must_wait(r))
        requests_wait(r, item);
    else
        send_on_idle(r, item);
    r->now_ns = clock_mono_ns();
}

static void send_all_due(reactor *r) {
    while (!r->blocked && !r->limited && schedule_next_at(&r->plan) <= r->now_ns) {
        if (is_past_stop(r)) {
            send_stop(r);
            return;
        }
        schedule_step step = schedule_peek(&r->plan);
        if (step.kind == SCHEDULE_WANT) {
            schedule_pop(&r->plan);
            report_wants(r, &step.row, 1);
            continue;
        }
        if (limits_are_reached(r)) {
            r->limited = true;
            return;
        }
        feed_item *item = requests_take(r, step.row);
        if (!item) {
            if (is_missing(r, step.row))
                continue;
            return;
        }
        r->starving = false;
        r->feed_ready |= r->feed_full;
        if (!can_send(r)) {
            requests_put_back(r, step.row, item);
            r->status.blocked++;
            r->blocked = true;
            return;
        }
        if (!is_follower(r, step.row))
            send_order_wait(&r->order, r->request_ids[step.row], schedule_due(&r->plan, step.row) + SEND_ORDER_PATIENCE_NS);
        schedule_pop(&r->plan);
        send_or_wait(r, item);
    }
}

void send_due(reactor *r) {
    send_all_due(r);
    send_order_announce(&r->order, next_root(r));
}

void send_prepare(reactor *r) {
    if (r->stopped)
        return;
    r->reserved += schedule_come_into_sight(&r->plan, r->now_ns, r->config.horizon_ns);
    int64_t wanted = r->reserved + schedule_slots_in_sight(&r->plan, r->now_ns, r->config.horizon_ns);
    if (r->config.max_in_flight && wanted > r->config.max_in_flight - r->status.active)
        wanted = r->config.max_in_flight - r->status.active;
    while ((int64_t)r->idle.count + r->opening.count < wanted && r->opening.count < PREOPEN_AT_ONCE)
        if (!pool_open(r))
            return;                      /* the request that needs the connection will meet the error and report it */
}

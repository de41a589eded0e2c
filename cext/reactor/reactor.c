#include "reactor/reactor_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TICK_NS (20 * TT_NS_PER_MS)       /* housekeeping */
#define STATUS_TICKS 10
#define SWEEP_SHARE 16                    /* a tick checks one part in this many of the connections, and at least SWEEP_MIN */
#define SWEEP_MIN 256

static void check_timeouts(reactor *r, conn *c) {
    int64_t silent = r->now_ns - c->active_ns;
    char text[96];
    if (c->state == CONN_CONNECTING && r->now_ns - c->opened_ns > r->config.connect_timeout_ns) {
        snprintf(text, sizeof text, "%s after %.3g s", transport_lack(&c->line), (double)r->config.connect_timeout_ns / 1e9);
        end_handshake(r, c, text);
    } else if (c->state == CONN_BUSY && silent > r->config.read_timeout_ns) {
        snprintf(text, sizeof text, "the server sent nothing for %.3g s", (double)r->config.read_timeout_ns / 1e9);
        end_failed(r, c, OUTCOME_TIMEOUT, text);
    } else if (c->state == CONN_IDLE && silent > r->config.idle_timeout_ns)
        pool_drop(r, c);
}

static void sweep(reactor *r) {
    uint32_t share = r->conn_count / SWEEP_SHARE;
    for (uint32_t n = share < SWEEP_MIN ? SWEEP_MIN : share; n && r->conn_count; n--) {
        if (r->sweep_at >= r->conn_count)
            r->sweep_at = 0;
        conn *c = r->conns[r->sweep_at];
        check_timeouts(r, c);
        if (c->state != CONN_DEAD)      /* a dead one was replaced by the last */
            r->sweep_at++;
        if (r->sweep_at == r->conn_count)
            return;
    }
}

static void tick(reactor *r) {
    r->next_tick_ns = r->now_ns + TICK_NS;
    r->poll_left_ns = TICK_NS / TIMER_POLL_SHARE;
    sweep(r);
    if (is_past_stop(r))
        send_stop(r);
    send_prepare(r);
    if (++r->ticks % STATUS_TICKS == 0) {
        report_flush_records(r);
        report_flush_events(r, true);
        report_status(r);
    }
}

/* Fetches a connection into the caches while the one before it is still being read: it has left them while it waited for its next
 * token. `who` may be the tag of another descriptor; a prefetch of any address is harmless. */
static void prefetch_conn(const char *who) {
    for (size_t at = 0; at < sizeof(conn); at += 64)
        __builtin_prefetch(who + at, 1);
}

/* Cancels the requests whose planned cancellation is due, after reading all that has arrived for them. */
static void cancel_due(reactor *r) {
    for (uint32_t n = r->cancel_count; n && cancel_next_at(r) <= r->now_ns; n--) {
        conn *c = r->cancels[0];
        int64_t row = c->row, after_ns = r->cancel_after_ns[row];
        receive_all(r, c, 0);
        if (c->state != CONN_BUSY || c->row != row)
            continue;                    /* it ended with what arrived */
        char text[96];
        snprintf(text, sizeof text, "cancelled by the client %.6g s after it was sent, as planned", (double)after_ns / 1e9);
        end_failed(r, c, OUTCOME_CANCELLED, text);
    }
}

static void sample_clocks(reactor *r) {
    int64_t offset = clock_offset_at(&r->now_ns);
    int64_t moved = offset - r->offset_ns;
    r->distrust_stamps = moved > STEP_NS || moved < -STEP_NS;
    r->status.clock_steps += r->distrust_stamps;
    r->offset_ns = offset;
}

static void connection_ready(reactor *r, conn *c, uint32_t mask) {
    if (c->state == CONN_CONNECTING)
        handshake_ready(r, c, mask);
    else if (c->state != CONN_DEAD)
        receive_ready(r, c, mask);
}

static bool hand_over(reactor *r) {
    report_flush_records(r);
    report_flush_events(r, true);
    r->done = true;
    report_status(r);
    outbox_write(&r->outbox, true);
    return true;
}

static bool is_finished(const reactor *r) {
    return r->plan.start_ns != SCHEDULE_NEVER && r->plan.left == 0 && r->status.active == 0 && r->parked_count == 0;
}

/* Does the work that can wait until due requests are sent. Returns true when a handshake step was queued. */
static bool keep_house(reactor *r) {
    bool opened = handshake_continue_some(r);
    if (r->now_ns >= r->next_tick_ns)
        tick(r);
    if (r->feed_ready && !requests_read(r) && !r->stopped) {
        send_stop(r);                   /* the controller has closed the channel: it will not read the results */
        reactor_cancel(r);
    }
    if (r->follower_feed_ready)
        requests_read_followers(r);
    send_due(r);
    if (r->columns.closed)
        report_flush_events(r, false);
    if (r->outbox.first)
        outbox_write(&r->outbox, false);
    r->asking = false;
    return opened;
}

bool reactor_run(reactor *r, int64_t budget_ns) {
    int64_t leave_ns = clock_mono_ns() + budget_ns;
    if (r->done)
        return true;
    for (;;) {
        /* No timeout: the armed timer ends every wait, at the latest at the next tick, and a timeout would make the kernel program
         * the clock for each sleep. */
        bool close = timer_is_close(r);
        bool sleeps = r->now_ns < leave_ns && !close && !r->feed_ready && !r->follower_feed_ready && !r->handshakes;
        if (sleeps)
            timer_arm(r, false);
        int64_t before_ns = r->now_ns;
        int n = epoll_wait(r->epfd, r->events, TURN_EVENTS, sleeps ? -1 : 0);
        sample_clocks(r);
        int64_t begin_ns = r->now_ns;
        if (close && n == 0)
            r->poll_left_ns -= begin_ns - before_ns;
        send_due(r);
        cancel_due(r);
        for (int i = 0; i < n; i++) {
            void *who = r->events[i].data.ptr;
            if (i + 1 < n)
                prefetch_conn(r->events[i + 1].data.ptr);
            if (who == &r->timerfd) {
                timer_fired(r, n == 1 ? begin_ns : 0);
            } else if (who == &r->feed)
                r->feed_ready = true;
            else if (who == &r->follower_feed)
                r->follower_feed_ready = true;
            else
                connection_ready(r, who, r->events[i].events);
            cancel_due(r);
        }
        bool deferred = timer_defers_housekeeping(r), kept = !deferred && keep_house(r);
        pool_recycle_dead(r);
        int64_t end_ns = clock_mono_ns();
        if (n > 0 || kept) {
            r->busy_ns += end_ns - begin_ns;
            if (end_ns - begin_ns > r->status.longest_turn_ns)
                r->status.longest_turn_ns = end_ns - begin_ns;
        }
        r->now_ns = end_ns;
        if (is_finished(r))
            return hand_over(r);
        if (end_ns >= leave_ns && !deferred) {
            timer_arm(r, r->feed_ready || r->follower_feed_ready || r->handshakes);
            return false;
        }
    }
}

int64_t reactor_stop(reactor *r) {
    int64_t left = r->plan.left + r->parked_count;
    send_stop(r);
    if (r->plan.start_ns == SCHEDULE_NEVER)
        schedule_begin(&r->plan, 0);
    return left;
}

void reactor_cancel(reactor *r) {
    r->now_ns = clock_mono_ns();
    for (uint32_t i = r->conn_count; i-- > 0;)
        if (r->conns[i]->assigned)
            end_failed(r, r->conns[i], OUTCOME_CANCELLED, "cancelled");
    while (r->waiting)
        end_unassigned(r, requests_take_waiting(r), 0, NULL, OUTCOME_CANCELLED, "cancelled");
    pool_recycle_dead(r);
}

void reactor_begin(reactor *r, int64_t start_ns) {
    schedule_begin(&r->plan, start_ns);
    r->now_ns = clock_mono_ns();
    send_prepare(r);
    timer_arm(r, false);
}

int reactor_fd(const reactor *r) { return r->epfd; }

/* Copies the columns of the rows that the schedule does not copy. Returns 0; -1: memory is out; -2: a cancel_after_ns is below
 * -1. */
static int take_rows(reactor *r, const reactor_rows *rows) {
    size_t size = (size_t)(rows->count ? rows->count : 1) * sizeof(int64_t);
    r->rows = rows->count;
    r->request_ids = malloc(size);
    r->cancel_after_ns = rows->cancel_after_ns ? malloc(size) : NULL;
    if (!r->request_ids || (rows->cancel_after_ns && !r->cancel_after_ns))
        return -1;
    for (int64_t row = 0; row < rows->count; row++) {
        r->request_ids[row] = rows->request_ids[row];
        if (!rows->cancel_after_ns)
            continue;
        if (rows->cancel_after_ns[row] < -1)
            return -2;
        r->cancel_after_ns[row] = rows->cancel_after_ns[row];
    }
    return 0;
}

reactor *reactor_new(const reactor_config *config, const reactor_rows *rows) {
    reactor *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->config = *config;
    r->feed.fd = -1;
    r->epfd = epoll_create1(EPOLL_CLOEXEC);
    r->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    r->buffers = malloc(sizeof *r->buffers);
    outbox_init(&r->outbox, config->channel_fd);
    int bad = take_rows(r, rows);
    if (!bad)
        bad = schedule_init(&r->plan, rows->due_ns, rows->count, rows->links, rows->slots);
    if (bad || r->epfd < 0 || r->timerfd < 0 || !r->buffers || !columns_init(&r->columns) ||
        !feed_init(&r->feed, config->channel_fd, config->feed_limit) ||
        (config->send_order_workers &&
         !send_order_open(&r->order, config->send_order_fd, config->send_order_worker, config->send_order_workers)) ||
        !pool_watch(r, r->timerfd, EPOLLIN | EPOLLET, &r->timerfd) ||
        !pool_watch(r, config->channel_fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, &r->feed) || !requests_prepare(r)) {
        int error = bad < -1 ? EINVAL : errno ? errno : ENOMEM;
        reactor_free(r);
        errno = error;
        return NULL;
    }
    r->shared = (stream_shared){.dialect = config->dialect, .columns = &r->columns, .keep_text = config->keep_text,
                                .needs_end = config->needs_end, .lines = config->lines};
    r->now_ns = clock_mono_ns();
    r->offset_ns = clock_offset_ns();
    r->next_tick_ns = r->now_ns + TICK_NS;
    r->lead_ns = 100 * TT_NS_PER_US;     /* until sleeps have been measured */
    r->poll_left_ns = TICK_NS / TIMER_POLL_SHARE;
    r->feed_ready = true;
    timer_arm(r, false);
    return r;
}

void reactor_free(reactor *r) {
    if (!r)
        return;
    while (r->conn_count)
        pool_drop(r, r->conns[0]);
    pool_recycle_dead(r);
    while (r->spare) {
        conn *next = r->spare->next;
        free(r->spare);
        r->spare = next;
    }
    if (r->epfd >= 0)
        close(r->epfd);
    if (r->timerfd >= 0)
        close(r->timerfd);
    send_order_announce(&r->order, SEND_ORDER_NONE);
    send_order_close(&r->order);
    outbox_free(&r->outbox);
    feed_free(&r->feed);
    columns_free(&r->columns);
    while (r->waiting)
        free(requests_take_waiting(r));
    if (r->ready) {
        for (int64_t row = 0; row < r->rows; row++)
            free(r->ready[row]);
        feed_free(&r->follower_feed);
    }
    free(r->ready);
    free(r->parked);
    schedule_free(&r->plan);
    free(r->request_ids);
    free(r->cancel_after_ns);
    free(r->cancels);
    free(r->conns);
    free(r->records);
    free(r->buffers);
    free(r);
}

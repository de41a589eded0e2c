#include "reactor/reactor_internal.h"

#include <stdlib.h>

feed_item *requests_take(reactor *r, int64_t row) {
    if (!r->plan.parent || r->plan.parent[row] < 0)
        return feed_take(&r->feed, row);
    feed_item *item = r->ready[row];
    r->ready[row] = NULL;
    return item;
}

void requests_put_back(reactor *r, int64_t row, feed_item *item) {
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

void requests_wait(reactor *r, feed_item *item) {
    item->next = NULL;
    if (r->waiting_last)
        r->waiting_last->next = item;
    else
        r->waiting = item;
    r->waiting_last = item;
    r->waiting_count++;
}

feed_item *requests_take_waiting(reactor *r) {
    feed_item *item = r->waiting;
    r->waiting = item->next;
    if (!r->waiting)
        r->waiting_last = NULL;
    r->waiting_count--;
    item->next = NULL;
    return item;
}

bool requests_read(reactor *r) {
    feed_result result = feed_step(&r->feed);
    r->feed_ready = result == FEED_PROGRESS;
    r->feed_full = result == FEED_FULL;  /* reading continues when a request has been taken */
    if (result == FEED_BROKEN)
        r->feed.closed = true;
    return !r->feed.closed && !r->follower_feed.closed;
}

void requests_read_followers(reactor *r) {
    feed_result result = feed_step(&r->follower_feed);
    r->follower_feed_ready = result == FEED_PROGRESS;
    if (result == FEED_BROKEN)
        r->follower_feed.closed = true;
    feed_item *item;
    while ((item = r->follower_feed.first) && feed_take(&r->follower_feed, item->row)) {
        int64_t row = item->row;
        if (r->stopped || row >= r->rows || r->ready[row]) {
            free(item);
            continue;
        }
        r->ready[row] = item;
        if (r->parked[row]) {            /* it was due before it arrived */
            r->parked[row] = 0;
            item->missed = true;
            r->parked_count--;
            schedule_again(&r->plan, row);
        }
    }
}

bool requests_prepare(reactor *r) {
    r->follower_feed.fd = -1;
    if (!r->plan.parent)
        return true;
    r->ready = calloc((size_t)r->rows + 1, sizeof *r->ready);
    r->parked = calloc((size_t)r->rows + 1, 1);
    return r->ready && r->parked && feed_init(&r->follower_feed, r->config.follower_feed_fd, r->config.feed_limit) &&
           pool_watch(r, r->config.follower_feed_fd, EPOLLIN | EPOLLRDHUP | EPOLLET, &r->follower_feed);
}

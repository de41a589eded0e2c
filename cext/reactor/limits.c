#include "reactor/reactor_internal.h"

bool limits_are_reached(const reactor *r) {
    return (r->config.max_in_flight && r->status.active >= r->config.max_in_flight) ||
           (r->config.max_prefilling && r->prefilling >= r->config.max_prefilling);
}

/* A request ended or has its first token: lets the loop try again what a limit holds back. Requests leave in order, so every
 * request that was due before at_ns has waited for this. */
static void make_room(reactor *r, int64_t at_ns) {
    if (r->limited) {
        r->limited = false;
        r->room_ns = at_ns;
    }
}

void limits_count_start(reactor *r, feed_item *item) {
    r->status.active++;
    r->prefilling++;
    if (!item->missed && schedule_due(&r->plan, item->row) < r->room_ns) {
        item->released_ns = r->room_ns;
        r->status.held++;
    }
}

void limits_count_first_token(reactor *r, conn *c) {
    c->prefilling = false;
    r->prefilling--;
    make_room(r, c->stream.record.first_token_ns);
}

void limits_count_end(reactor *r, bool prefilling, int64_t end_ns) {
    r->status.active--;
    r->prefilling -= prefilling;
    make_room(r, end_ns);
}

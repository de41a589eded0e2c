#include "reactor/reactor_internal.h"

#include <stdlib.h>

static void place(reactor *r, uint32_t at, conn *c) {
    r->cancels[at] = c;
    c->cancel_place = at;
}

static void rise(reactor *r, uint32_t at, conn *c) {
    for (; at && r->cancels[(at - 1) / 2]->cancel_at_ns > c->cancel_at_ns; at = (at - 1) / 2)
        place(r, at, r->cancels[(at - 1) / 2]);
    place(r, at, c);
}

static void sink(reactor *r, uint32_t at, conn *c) {
    for (;;) {
        uint32_t below = 2 * at + 1;
        if (below + 1 < r->cancel_count && r->cancels[below + 1]->cancel_at_ns < r->cancels[below]->cancel_at_ns)
            below++;
        if (below >= r->cancel_count || r->cancels[below]->cancel_at_ns >= c->cancel_at_ns)
            break;
        place(r, at, r->cancels[below]);
        at = below;
    }
    place(r, at, c);
}

void cancel_add(reactor *r, conn *c, int64_t sent_ns) {
    if (!r->cancel_after_ns || r->cancel_after_ns[c->row] < 0)
        return;
    if (r->cancel_count == r->cancel_capacity) {
        uint32_t capacity = r->cancel_capacity ? r->cancel_capacity * 2 : 256;
        conn **grown = realloc(r->cancels, capacity * sizeof *grown);
        if (!grown)
            report_out_of_memory();
        r->cancels = grown;
        r->cancel_capacity = capacity;
    }
    c->cancel_at_ns = sent_ns + r->cancel_after_ns[c->row];
    rise(r, r->cancel_count++, c);
}

void cancel_remove(reactor *r, conn *c) {
    if (c->cancel_at_ns == SCHEDULE_NEVER)
        return;
    c->cancel_at_ns = SCHEDULE_NEVER;
    conn *last = r->cancels[--r->cancel_count];
    uint32_t at = c->cancel_place;
    if (last == c)
        return;
    if (at && r->cancels[(at - 1) / 2]->cancel_at_ns > last->cancel_at_ns)
        rise(r, at, last);
    else
        sink(r, at, last);
}

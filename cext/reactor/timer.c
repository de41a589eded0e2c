#include "reactor/reactor_internal.h"

#include <sys/timerfd.h>

#define LEAD_MAX_NS (200 * TT_NS_PER_US)
#define LEAD_STEP_NS 100
#define DEFER_NS (100 * TT_NS_PER_US)      /* put off housekeeping this long before a due time */
#define DEFER_LIMIT_NS (2 * TT_NS_PER_MS)  /* but no longer than this without a break */
#define DEFER_ROWS 16                      /* with fewer requests at hand, reading requests comes first */

/* A sleep ends 10 to 100 us late, because an idle processor needs that long to wake up. So the timer is set earlier, by the lateness
 * that 31 of 32 sleeps do not exceed (there the steps up and down balance). The rest of the wait is polled, as long as polling
 * takes at most one part in TIMER_POLL_SHARE of the time. config.spin_ns is the user's own lead, without that limit. */
static void learn_lead(reactor *r, int64_t late_ns) {
    r->lead_ns += late_ns > r->lead_ns ? 31 * LEAD_STEP_NS : -LEAD_STEP_NS;
    r->lead_ns = r->lead_ns > LEAD_MAX_NS ? LEAD_MAX_NS : r->lead_ns < 0 ? 0 : r->lead_ns;
}

static int64_t lead(const reactor *r) {
    int64_t own_ns = r->poll_left_ns > 0 ? r->lead_ns : 0;
    return own_ns > r->config.spin_ns ? own_ns : r->config.spin_ns;
}

bool timer_is_close(const reactor *r) {
    return !is_held_back(r) && schedule_next_at(&r->plan) - r->now_ns <= lead(r);
}

/* Returns true when no request that has still to be read can be due next. */
static bool is_supplied(const reactor *r) {
    return !r->follower_feed_ready && !r->asking && (!r->feed_ready || r->feed.waiting_rows >= DEFER_ROWS);
}

bool timer_defers_housekeeping(reactor *r) {
    int64_t since = r->deferred_since_ns;
    r->deferred_since_ns = 0;
    if (is_held_back(r) || schedule_next_at(&r->plan) - r->now_ns > DEFER_NS || !is_supplied(r))
        return false;
    if (since && r->now_ns - since > DEFER_LIMIT_NS)
        return false;
    r->deferred_since_ns = since ? since : r->now_ns;
    return true;
}

void timer_arm(reactor *r, bool at_once) {
    int64_t wake = at_once ? r->now_ns : r->next_tick_ns;
    if (!is_held_back(r)) {
        int64_t due = schedule_next_at(&r->plan);
        if (due != SCHEDULE_NEVER && due - lead(r) < wake)
            wake = due - lead(r);
    }
    if (cancel_next_at(r) < wake)
        wake = cancel_next_at(r);
    if (wake == r->armed_ns)
        return;
    struct itimerspec spec = {.it_value = {.tv_sec = wake / TT_NS_PER_S, .tv_nsec = wake % TT_NS_PER_S}};
    timerfd_settime(r->timerfd, TFD_TIMER_ABSTIME, &spec, NULL);
    r->armed_ns = wake;
    r->set_ns = r->now_ns;
}

void timer_fired(reactor *r, int64_t woken_ns) {
    if (woken_ns && r->armed_ns > r->set_ns)
        learn_lead(r, woken_ns - r->armed_ns);
    r->armed_ns = 0;
}

/* clock.h: the two clocks of a run, in integer nanoseconds.
 *
 * CLOCK_MONOTONIC is the clock of every due time, stamp and deadline: timerfd counts
 * in it, and it never steps. The kernel stamps received segments in CLOCK_REALTIME,
 * so clock_offset_ns() tells how far the two lie apart at this instant; it is sampled
 * anew at every drain, because a step of the wall clock moves it.
 * CLOCK_MONOTONIC_RAW is not used: it agrees with neither timerfd nor the stamps. */
#ifndef TT_CLOCK_H
#define TT_CLOCK_H

#include <stdint.h>
#include <time.h>

#define TT_NS_PER_S INT64_C(1000000000)
#define TT_NS_PER_MS INT64_C(1000000)
#define TT_NS_PER_US INT64_C(1000)

static inline int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * TT_NS_PER_S + now.tv_nsec;
}

/* Nanoseconds on CLOCK_MONOTONIC. */
static inline int64_t clock_mono_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

/* Nanoseconds since 1970 on CLOCK_REALTIME. */
static inline int64_t clock_unix_ns(void) { return clock_ns(CLOCK_REALTIME); }

#define CLOCK_CLOSE_NS 1000

/* CLOCK_REALTIME - CLOCK_MONOTONIC, in ns, and the time on the latter. A thread that loses its core between two readings would
 * take its absence for an offset, so the one is read between two of the other, and again unless those are close. */
static inline int64_t clock_offset_at(int64_t *mono_ns) {
    int64_t before = clock_mono_ns(), closest = INT64_MAX, offset = 0;
    for (int tries = 0; tries < 4 && closest > CLOCK_CLOSE_NS; tries++) {
        int64_t unix_ns = clock_unix_ns(), after = clock_mono_ns();
        if (after - before < closest) {
            closest = after - before;
            offset = unix_ns - before - closest / 2;
        }
        before = after;
    }
    *mono_ns = before;
    return offset;
}

static inline int64_t clock_offset_ns(void) {
    int64_t mono_ns;
    return clock_offset_at(&mono_ns);
}

#endif

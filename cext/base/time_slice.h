/* time_slice.h: a thread that waits for exact times asks the kernel for short turns. */
#ifndef TT_TIME_SLICE_H
#define TT_TIME_SLICE_H

#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TIME_SLICE_SHORT_NS 100000     /* the shortest that the kernel gives */

/* sched_setattr(2); its header does not go with libc's <sched.h>. */
typedef struct {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
} time_slice_attributes;

/* Who asks for short turns need not wait, when it wakes up, for the end of another's long one, 3 ms by default (since Linux 6.12;
 * older kernels take no notice). A thread whose policy the user has chosen keeps it, and a sandbox may forbid the calls: then turns
 * stay as long as they are. */
static inline void time_slice_request_short(void) {
    time_slice_attributes mine = {0};
    if (syscall(SYS_sched_getattr, 0, &mine, sizeof mine, 0) != 0 || mine.policy != SCHED_OTHER)
        return;
    mine.runtime_ns = TIME_SLICE_SHORT_NS;
    (void)syscall(SYS_sched_setattr, 0, &mine, 0);
}

#endif

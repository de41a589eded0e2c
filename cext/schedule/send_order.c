#include "schedule/send_order.h"

#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/clock.h"

#define SPIN_NS (10 * TT_NS_PER_US)   /* after this the core is yielded: the other worker may need it */

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

bool send_order_open(send_order *o, int fd, int32_t own, int32_t count) {
    *o = (send_order){.own = own, .count = count};
    void *page = mmap(NULL, (size_t)send_order_size(count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        return false;
    o->lines = page;
    return true;
}

void send_order_close(send_order *o) {
    if (o->lines)
        munmap(o->lines, (size_t)send_order_size(o->count));
    o->lines = NULL;
}

static bool is_first(const send_order *o, int64_t request) {
    for (int32_t i = 0; i < o->count; i++)
        if (i != o->own && atomic_load_explicit(&o->lines[i].next, memory_order_acquire) < request)
            return false;
    return true;
}

void send_order_wait(const send_order *o, int64_t request, int64_t until_ns) {
    if (!o->lines || is_first(o, request))
        return;
    int64_t now_ns = clock_mono_ns(), yield_ns = now_ns + SPIN_NS;
    while (!is_first(o, request) && (now_ns = clock_mono_ns()) < until_ns) {
        if (now_ns < yield_ns)
            relax();
        else
            sched_yield();
    }
}

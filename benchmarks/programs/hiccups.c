/* hiccups.c: measures how late the machine itself wakes a thread.
 *
 * Sleeps until absolute times 1 ms apart and records how late each wake-up is. It runs at real-time priority if it may, so that the
 * lateness comes from the machine (hypervisor, interrupts) and not from the program that is measured at the same time. On SIGTERM it
 * prints one line of JSON, with the wake-ups and their lateness in us, and exits. It uses about 0.3 % of a core. */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#define PERIOD_NS 1000000
#define MOST 3600000 /* an hour */

static volatile sig_atomic_t ended;

static void end(int number) {
    (void)number;
    ended = 1;
}

static int ascending(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int64_t ns(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

int main(void) {
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    prctl(PR_SET_TIMERSLACK, 1ul);
    int fifo = sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10}) == 0;
    uint32_t *late = malloc(MOST * sizeof *late);
    if (!late)
        return 1;
    size_t n = 0;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    int64_t due = ns(t);
    while (!ended && n < MOST) {
        due += PERIOD_NS;
        t = (struct timespec){.tv_sec = due / 1000000000, .tv_nsec = due % 1000000000};
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
            break;
        clock_gettime(CLOCK_MONOTONIC, &t);
        late[n++] = (uint32_t)((ns(t) - due) / 1000);
        if (ns(t) > due + PERIOD_NS)
            due = ns(t);
    }
    qsort(late, n, sizeof *late, ascending);
    if (n)
        printf("{\"fifo\": %s, \"wakes\": %zu, \"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u, \"max_us\": %u}\n",
               fifo ? "true" : "false", n, late[n / 2], late[n * 99 / 100], late[n * 999 / 1000], late[n - 1]);
    free(late);
    return n ? 0 : 1;
}

/* schedule.h: which request is due, from an absolute int64 schedule. Pure: the caller reads the clock.
 *
 * Due times are relative to a start that is set once (schedule_begin) and ascending. Two cursors walk them: one
 * hands out requests when they are due, in order, never early, never skipping; the other runs `horizon` ahead of it
 * and says how many requests come into sight, so that connections can be opened before they are needed. */
#ifndef TT_SCHEDULE_H
#define TT_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_NEVER INT64_MAX

typedef struct {
    int64_t *due_ns;       /* relative to start_ns; owned */
    int64_t rows;
    int64_t start_ns;      /* SCHEDULE_NEVER until schedule_begin */
    int64_t next;          /* row that is sent next */
    int64_t seen;          /* rows that came into sight so far */
} schedule;

/* Copies the due times. 0; -1 memory out; -2 a due time is negative or below the one before it. */
int schedule_init(schedule *plan, const int64_t *due_ns, int64_t rows);
void schedule_free(schedule *plan);

/* Row 0's due time becomes start_ns + due_ns[0], on the caller's clock. */
void schedule_begin(schedule *plan, int64_t start_ns);

/* Absolute due time of a row. */
static inline int64_t schedule_due(const schedule *plan, int64_t row) { return plan->start_ns + plan->due_ns[row]; }

/* Absolute due time of the row that is next; SCHEDULE_NEVER when there is none or it has not begun. */
static inline int64_t schedule_next_due(const schedule *plan) {
    if (plan->next >= plan->rows || plan->start_ns == SCHEDULE_NEVER)
        return SCHEDULE_NEVER;
    return schedule_due(plan, plan->next);
}

/* The caller sends the row that was next. */
static inline void schedule_pop(schedule *plan) {
    plan->next++;
    if (plan->seen < plan->next)
        plan->seen = plan->next;
}

/* How many rows became due before now + horizon since the last call. */
int64_t schedule_come_into_sight(schedule *plan, int64_t now_ns, int64_t horizon_ns);

/* Nothing is due any more. Returns how many rows were left. */
int64_t schedule_stop(schedule *plan);

#endif

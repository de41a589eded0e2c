/* schedule.h: which request is due, by an absolute schedule in int64 ns or by free slots. It reads no clock: the caller passes times.
 *
 * A row is a root or a follower. A root is due at a time that is known before the start. A follower is due a think time after the
 * end of the row that it follows, and with `floors` not before its own recorded time. It may wait for further rows (fan-in): its
 * think time then begins at the end of the last of them, and it is given up when one of them is given up. Due times are relative
 * to a start that is set once (schedule_begin). Rows are handed out when they are due, never earlier; roots in their order,
 * without skipping one.
 *
 * Slots make a closed loop: a root is due when a slot is free, and its own due time does not count. A slot opens at its time. The
 * next root takes it. The slot is free again when this root, and all rows that follow it, have ended or been given up. So the due
 * time of a root is the time when its slot became free, and as many sessions are in flight as slots are open.
 *
 * The bytes of a follower's request are not at hand in advance. A step of the kind SCHEDULE_WANT comes `ahead_ns` before its due
 * time, so that the caller can ask for them.
 *
 * A second cursor runs ahead and counts the roots, or the slots' openings, within a horizon, so that connections can be opened
 * before they are needed. */
#ifndef TT_SCHEDULE_H
#define TT_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_NEVER INT64_MAX

typedef enum { SCHEDULE_SEND, SCHEDULE_WANT } schedule_kind;

typedef struct {
    int64_t at_ns;         /* relative to the start */
    int64_t row;
    schedule_kind kind;
} schedule_step;

typedef struct {
    int64_t *due_ns;       /* relative to start_ns; SCHEDULE_NEVER while unknown: for a follower until the rows before it have
                              ended, for a root in a closed loop until a slot is free */
    int64_t rows;
    int64_t start_ns;      /* SCHEDULE_NEVER before schedule_begin */
    int64_t next;          /* the root that is handed out next */
    int64_t seen;          /* roots of the rows below this one have been counted as in sight */
    int64_t left;          /* rows that are neither handed out nor given up */
    int64_t ahead_ns;
    /* for followers; NULL without them */
    int64_t *parent, *think_ns, *floor_ns, *first_child, *child;
    uint8_t *state;        /* bits: the caller has asked for its request; it was given up */
    int64_t *waits, *ends_ns;      /* by row: how many rows it still waits for, and the latest end of those that have ended; NULL
                                      without fan-in */
    schedule_step *heap;   /* a binary heap of followers' steps by time; at most one per row */
    int64_t heap_count;
    /* for slots; NULL without them */
    int64_t *opens_ns, *free_ns;   /* when each slot opens; a ring of the times at which used slots became free */
    int64_t slots, opened, slots_seen, free_first, free_count;
    int64_t *root, *open_rows;     /* with followers: the root of each row; by root: rows of its session that have not ended */
} schedule;

/* Which row follows which. */
typedef struct {
    const int64_t *parent;     /* the row, above it, that each row follows; -1: a root. NULL: all rows are roots */
    const int64_t *think_ns;   /* from the end of the last row that it waits for; not negative */
    bool floors;               /* a follower is not due before its own due_ns either */
    int64_t ahead_ns;          /* time between a follower's SCHEDULE_WANT and its due time */
    /* Further rows that followers wait for: fan_in_row[i], which has a parent, waits for fan_in_parent[i], which is above it. With
     * slots both must belong to one session. */
    const int64_t *fan_in_row, *fan_in_parent;
    int64_t fan_in_count;
} schedule_links;

/* A closed loop. */
typedef struct {
    const int64_t *opens_ns;   /* when each slot opens, relative to the start; ascending */
    int64_t count;             /* 0: no slots; due times count */
} schedule_slots;

/* Makes a schedule and copies the arrays. links and slots may be NULL. Returns 0, or:
 *     -1  memory is out
 *     -2  a due time or a slot's opening is negative, or a root's due time or an opening is below the one before it
 *     -3  a row waits for a row that is not above it, a think time is negative, or a fan-in is of a root or leaves its session */
int schedule_init(schedule *plan, const int64_t *due_ns, int64_t rows, const schedule_links *links, const schedule_slots *slots);
void schedule_free(schedule *plan);

/* Sets the start, on the caller's clock: row 0 is due at start_ns + due_ns[0]. */
void schedule_begin(schedule *plan, int64_t start_ns);

/* Returns the absolute due time of a row; for a follower only valid once its step has been handed out. */
static inline int64_t schedule_due(const schedule *plan, int64_t row) { return plan->start_ns + plan->due_ns[row]; }

/* Returns the absolute time of the next step; SCHEDULE_NEVER: there is none, or schedule_begin was not called. */
static inline int64_t schedule_next_at(const schedule *plan) {
    int64_t at = SCHEDULE_NEVER;
    if (plan->start_ns == SCHEDULE_NEVER)
        return at;
    if (plan->next < plan->rows)
        at = plan->due_ns[plan->next];
    if (plan->heap_count && plan->heap[0].at_ns < at)
        at = plan->heap[0].at_ns;
    return at == SCHEDULE_NEVER ? at : plan->start_ns + at;
}

/* Returns the next step. Call it only when schedule_next_at does not return SCHEDULE_NEVER. */
schedule_step schedule_peek(const schedule *plan);

/* Removes the next step. After a SCHEDULE_WANT the row's SCHEDULE_SEND follows when it is due. */
void schedule_pop(schedule *plan);

/* Adds the step of a follower again, which was handed out and could not be sent. */
void schedule_again(schedule *plan, int64_t row);

/* Returns how many roots are due before now + horizon that earlier calls did not count; 0 with slots. */
int64_t schedule_come_into_sight(schedule *plan, int64_t now_ns, int64_t horizon_ns);

/* Returns how many unused slots open before now + horizon; at most the number of roots that are left. */
int64_t schedule_slots_in_sight(schedule *plan, int64_t now_ns, int64_t horizon_ns);

/* Writes the followers of a row whose think time is below ahead_ns, at most `room`, and marks them as asked for: their requests
 * must be asked for before the row ends. Returns how many it wrote. */
int64_t schedule_want_early(schedule *plan, int64_t row, int64_t *wanted, int64_t room);

/* A row ended at end_ns (absolute). Adds the steps of the rows for which it was the last one that they waited for, and frees its slot
 * if its session is over. */
void schedule_ended(schedule *plan, int64_t row, int64_t end_ns);

/* A row ended at end_ns (absolute), and the rows that wait for it, directly or not, are given up: they will not be due. Returns
 * how many rows this call gave up. */
int64_t schedule_give_up(schedule *plan, int64_t row, int64_t end_ns);

/* Ends the schedule: no row is due any more. Returns how many rows were neither handed out nor given up. */
int64_t schedule_stop(schedule *plan);

#endif

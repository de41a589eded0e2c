/* schedule.h: which request is due, from an absolute int64 schedule or when a slot is free. Pure: the caller reads the clock.
 *
 * A row is a root, due at a time that is known before the start, or it follows another row: it is due a think time after that
 * one's end, and with `floors` not before its own recorded time. It may wait for further rows besides (a fan-in): its think time
 * then begins at the end of whichever of them all ends last, and when one of them is given up, so is it. Due times are relative to a start that is set once
 * (schedule_begin). Rows are handed out when they are due, never early; roots in order, never skipping one.
 *
 * With slots it is a closed loop: a root is due when a slot is free, whatever its own time says. A slot opens at its time; the
 * root that is due first takes it, and it is free again from the moment when that one, and all that follows it, has ended or been
 * given up. So the due time of a root is the instant when its slot came free, and as many sessions are under way as slots are open.
 *
 * What a follower sends is not at hand before it is needed: a step of the kind SCHEDULE_WANT comes `ahead_ns` before its due
 * time, so that the caller can ask for it.
 *
 * A second cursor runs ahead of the roots' (or of the slots' openings) and says how many come into sight, so that connections can
 * be opened before they are needed. */
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
    int64_t *due_ns;       /* relative to start_ns; of a follower SCHEDULE_NEVER until what it follows has ended, and with slots
                              of a root until one is free */
    int64_t rows;
    int64_t start_ns;      /* SCHEDULE_NEVER until schedule_begin */
    int64_t next;          /* root that is sent next */
    int64_t seen;          /* rows up to which roots came into sight */
    int64_t left;          /* rows neither handed out nor given up */
    int64_t ahead_ns;
    /* of followers; NULL when there are none */
    int64_t *parent, *think_ns, *floor_ns, *first_child, *child;
    uint8_t *state;        /* bits: the caller has asked for it, or it was given up */
    int64_t *waits, *ends_ns;      /* how many rows it still waits for, and the latest end of the others; NULL when none waits
                                      for more than its parent */
    schedule_step *heap;   /* steps of followers, the earliest first; at most one a row */
    int64_t heap_count;
    /* of slots; NULL when there are none */
    int64_t *opens_ns, *free_ns;   /* when each opens; a ring: since when each one that was given back is free */
    int64_t slots, opened, slots_seen, free_first, free_count;
    int64_t *root, *open_rows;     /* with followers: the root of each row; by root: rows that may still be under way */
} schedule;

/* What followers follow. */
typedef struct {
    const int64_t *parent;     /* row, below this one, or -1: a root; NULL: all are */
    const int64_t *think_ns;   /* from the end of the last that it waits for, not negative */
    bool floors;               /* a follower is not due before its own due_ns either */
    int64_t ahead_ns;
    /* Further rows that followers wait for: also_row[i], which has a parent, for also_parent[i], which stands above it. With slots
     * both are of one session. */
    const int64_t *also_row, *also_parent;
    int64_t also_count;
} schedule_links;

/* A closed loop. */
typedef struct {
    const int64_t *opens_ns;   /* relative to the start, ascending */
    int64_t count;             /* 0: no slots, due times decide */
} schedule_slots;

/* Copies the arrays. links and slots may be NULL. 0; -1 memory out; -2 a due time is negative or a root's below that of the one
 * before, and likewise of slots; -3 a row that another waits for does not stand above that one, a think time is negative, or a
 * further wait is of a root or leaves its session. */
int schedule_init(schedule *plan, const int64_t *due_ns, int64_t rows, const schedule_links *links, const schedule_slots *slots);
void schedule_free(schedule *plan);

/* Row 0's due time becomes start_ns + due_ns[0], on the caller's clock. */
void schedule_begin(schedule *plan, int64_t start_ns);

/* Absolute due time of a row; of a follower only once its step came. */
static inline int64_t schedule_due(const schedule *plan, int64_t row) { return plan->start_ns + plan->due_ns[row]; }

/* Absolute time of the next step; SCHEDULE_NEVER when there is none, or it has not begun. */
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

/* The next step; only when schedule_next_at is not SCHEDULE_NEVER. */
schedule_step schedule_peek(const schedule *plan);

/* The caller takes that step. After SCHEDULE_WANT the row's SCHEDULE_SEND comes when it is due. */
void schedule_pop(schedule *plan);

/* A follower that was handed out could not be sent: its step comes again. */
void schedule_again(schedule *plan, int64_t row);

/* How many roots became due before now + horizon since the last call; with slots 0. */
int64_t schedule_come_into_sight(schedule *plan, int64_t now_ns, int64_t horizon_ns);

/* How many slots that nobody has held yet open before now + horizon, and there are roots for. */
int64_t schedule_slots_in_sight(schedule *plan, int64_t now_ns, int64_t horizon_ns);

/* A row's followers that will be due so soon after its end that they must be asked for now: writes at most `room` of them and
 * returns how many. They are marked as asked for. */
int64_t schedule_want_early(schedule *plan, int64_t row, int64_t *wanted, int64_t room);

/* A row ended at end_ns (absolute): steps begin of what waited for it alone by now; where it was the last of its slot, that is free. */
void schedule_ended(schedule *plan, int64_t row, int64_t end_ns);

/* Likewise, but what waits for it, and what waits for that, will never be due. Returns how many rows were not given up before. */
int64_t schedule_give_up(schedule *plan, int64_t row, int64_t end_ns);

/* Nothing is due any more. Returns how many rows were left. */
int64_t schedule_stop(schedule *plan);

#endif

#include "schedule/schedule.h"

#include <stdlib.h>
#include <string.h>

enum { WANTED = 1, GIVEN_UP = 2 };

static bool is_root(const schedule *plan, int64_t row) { return !plan->parent || plan->parent[row] < 0; }

static void skip_followers(const schedule *plan, int64_t *row) {
    while (*row < plan->rows && !is_root(plan, *row))
        ++*row;
}

static int64_t *copied(const int64_t *values, int64_t rows) {
    int64_t *copy = malloc((size_t)(rows ? rows : 1) * sizeof *copy);
    if (copy && rows)
        memcpy(copy, values, (size_t)rows * sizeof *copy);
    return copy;
}

/* Lists the rows that wait for row r, as followers or by fan-in, in child[first_child[r] .. first_child[r + 1]). */
static bool list_children(schedule *plan, const schedule_links *links) {
    size_t rows = (size_t)plan->rows;
    plan->first_child = calloc(rows + 2, sizeof *plan->first_child);
    plan->child = malloc((rows + (size_t)links->fan_in_count + 1) * sizeof *plan->child);
    if (!plan->first_child || !plan->child)
        return false;
    int64_t *count = plan->first_child + 1;   /* shifted by one: filling the lists turns each end into the next beginning */
    for (int64_t row = 0; row < plan->rows; row++)
        if (!is_root(plan, row))
            count[plan->parent[row] + 1]++;
    for (int64_t i = 0; i < links->fan_in_count; i++)
        count[links->fan_in_parent[i] + 1]++;
    for (size_t row = 1; row <= rows; row++)
        count[row] += count[row - 1];
    for (int64_t row = 0; row < plan->rows; row++)
        if (!is_root(plan, row))
            plan->child[count[plan->parent[row]]++] = row;
    for (int64_t i = 0; i < links->fan_in_count; i++)
        plan->child[count[links->fan_in_parent[i]]++] = links->fan_in_row[i];
    return true;
}

static bool count_waits(schedule *plan, const schedule_links *links) {
    plan->waits = malloc(((size_t)plan->rows + 1) * sizeof *plan->waits);
    plan->ends_ns = calloc((size_t)plan->rows + 1, sizeof *plan->ends_ns);
    if (!plan->waits || !plan->ends_ns)
        return false;
    for (int64_t row = 0; row < plan->rows; row++)
        plan->waits[row] = !is_root(plan, row);
    for (int64_t i = 0; i < links->fan_in_count; i++)
        plan->waits[links->fan_in_row[i]]++;
    return true;
}

static bool links_are_right(const schedule_links *links, int64_t rows) {
    for (int64_t row = 0; row < rows; row++) {
        int64_t parent = links->parent[row];
        if (parent >= row || (parent >= 0 && links->think_ns[row] < 0))
            return false;
    }
    for (int64_t i = 0; i < links->fan_in_count; i++) {
        int64_t row = links->fan_in_row[i], parent = links->fan_in_parent[i];
        if (parent < 0 || parent >= row || row >= rows || links->parent[row] < 0)
            return false;
    }
    return true;
}

static int link_rows(schedule *plan, const schedule_links *links) {
    if (!links_are_right(links, plan->rows))
        return -3;
    plan->ahead_ns = links->ahead_ns;
    plan->parent = copied(links->parent, plan->rows);
    plan->think_ns = copied(links->think_ns, plan->rows);
    plan->state = calloc((size_t)plan->rows + 1, 1);
    plan->heap = malloc(((size_t)plan->rows + 1) * sizeof *plan->heap);
    if (links->floors && !(plan->floor_ns = copied(plan->due_ns, plan->rows)))
        return -1;
    if (!plan->parent || !plan->think_ns || !plan->state || !plan->heap || !list_children(plan, links))
        return -1;
    if (links->fan_in_count && !count_waits(plan, links))
        return -1;
    for (int64_t row = 0; row < plan->rows; row++)
        if (!is_root(plan, row))
            plan->due_ns[row] = SCHEDULE_NEVER;
    return 0;
}

/* Returns when the earliest free slot became free or opens. */
static int64_t slot_at(const schedule *plan) {
    int64_t at = plan->opened < plan->slots ? plan->opens_ns[plan->opened] : SCHEDULE_NEVER;
    if (plan->free_count && plan->free_ns[plan->free_first] < at)
        at = plan->free_ns[plan->free_first];
    return at;
}

/* Makes the next root due when a slot is free. */
static void offer_slot(schedule *plan) {
    if (plan->next < plan->rows)
        plan->due_ns[plan->next] = slot_at(plan);
}

/* Takes the slot that made the next root due. */
static void take_slot(schedule *plan) {
    if (plan->free_count && plan->free_ns[plan->free_first] == slot_at(plan)) {
        plan->free_first = (plan->free_first + 1) % plan->slots;
        plan->free_count--;
    } else if (++plan->opened > plan->slots_seen)
        plan->slots_seen = plan->opened;
}

/* `count` rows of a session have ended or been given up, the last of them at end_ns: frees its slot if none is left. */
static void leave_slot(schedule *plan, int64_t row, int64_t count, int64_t end_ns) {
    if (!plan->slots)
        return;
    if (plan->root) {
        int64_t *open = &plan->open_rows[plan->root[row]];
        *open -= count;
        if (*open)
            return;
    }
    /* Ends come in order, except for slots with a pause (reactor/end.c): keep the ring sorted. */
    int64_t place = plan->free_first + plan->free_count++, free_ns = end_ns - plan->start_ns;
    for (; place > plan->free_first && plan->free_ns[(place - 1) % plan->slots] > free_ns; place--)
        plan->free_ns[place % plan->slots] = plan->free_ns[(place - 1) % plan->slots];
    plan->free_ns[place % plan->slots] = free_ns;
    offer_slot(plan);
}

/* Finds the root of each row, and counts the rows of each session. */
static bool count_sessions(schedule *plan) {
    plan->root = malloc(((size_t)plan->rows + 1) * sizeof *plan->root);
    plan->open_rows = calloc((size_t)plan->rows + 1, sizeof *plan->open_rows);
    if (!plan->root || !plan->open_rows)
        return false;
    for (int64_t row = 0; row < plan->rows; row++) {
        plan->root[row] = is_root(plan, row) ? row : plan->root[plan->parent[row]];
        plan->open_rows[plan->root[row]]++;
    }
    return true;
}

/* Returns false when a row waits for a row of another session. With slots that could block: the other session may wait for a slot
 * that this one holds. */
static bool stays_in_session(const schedule *plan, const schedule_links *links) {
    for (int64_t i = 0; links && i < links->fan_in_count; i++)
        if (plan->root[links->fan_in_row[i]] != plan->root[links->fan_in_parent[i]])
            return false;
    return true;
}

static int make_slots(schedule *plan, const schedule_slots *slots, const schedule_links *links) {
    for (int64_t slot = 0; slot < slots->count; slot++)
        if (slots->opens_ns[slot] < (slot ? slots->opens_ns[slot - 1] : 0))
            return -2;
    plan->opens_ns = copied(slots->opens_ns, slots->count);
    plan->free_ns = malloc((size_t)slots->count * sizeof *plan->free_ns);
    if (!plan->opens_ns || !plan->free_ns || (plan->parent && !count_sessions(plan)))
        return -1;
    if (plan->parent && !stays_in_session(plan, links))
        return -3;
    plan->slots = slots->count;
    for (int64_t row = 0; row < plan->rows; row++)
        plan->due_ns[row] = SCHEDULE_NEVER;
    return 0;
}

int schedule_init(schedule *plan, const int64_t *due_ns, int64_t rows, const schedule_links *links, const schedule_slots *slots) {
    bool linked = links && links->parent;
    *plan = (schedule){.rows = rows, .start_ns = SCHEDULE_NEVER, .left = rows};
    int64_t last = 0;
    for (int64_t row = 0; row < rows; row++) {
        bool root = !linked || links->parent[row] < 0;
        if (due_ns[row] < (root ? last : 0))
            return -2;
        if (root)
            last = due_ns[row];
    }
    plan->due_ns = copied(due_ns, rows);
    if (!plan->due_ns)
        return -1;
    int bad = linked ? link_rows(plan, links) : 0;
    skip_followers(plan, &plan->next);
    if (!bad && slots && slots->count && !(bad = make_slots(plan, slots, links)))
        offer_slot(plan);
    return bad;
}

void schedule_free(schedule *plan) {
    free(plan->due_ns);
    free(plan->parent);
    free(plan->think_ns);
    free(plan->floor_ns);
    free(plan->first_child);
    free(plan->child);
    free(plan->state);
    free(plan->waits);
    free(plan->ends_ns);
    free(plan->heap);
    free(plan->opens_ns);
    free(plan->free_ns);
    free(plan->root);
    free(plan->open_rows);
    *plan = (schedule){.start_ns = SCHEDULE_NEVER};
}

void schedule_begin(schedule *plan, int64_t start_ns) { plan->start_ns = start_ns; }

/* Orders steps by time, then by row, so that the order does not depend on how the heap grew. */
static bool before(schedule_step a, schedule_step b) { return a.at_ns < b.at_ns || (a.at_ns == b.at_ns && a.row < b.row); }

static void heap_push(schedule *plan, schedule_step step) {
    int64_t at = plan->heap_count++;
    for (; at > 0 && before(step, plan->heap[(at - 1) / 2]); at = (at - 1) / 2)
        plan->heap[at] = plan->heap[(at - 1) / 2];
    plan->heap[at] = step;
}

static schedule_step heap_pop(schedule *plan) {
    schedule_step first = plan->heap[0], last = plan->heap[--plan->heap_count];
    int64_t at = 0;
    for (;;) {
        int64_t below = 2 * at + 1;
        if (below + 1 < plan->heap_count && before(plan->heap[below + 1], plan->heap[below]))
            below++;
        if (below >= plan->heap_count || !before(plan->heap[below], last))
            break;
        plan->heap[at] = plan->heap[below];
        at = below;
    }
    plan->heap[at] = last;
    return first;
}

static bool root_is_next(const schedule *plan) {
    return plan->next < plan->rows && (!plan->heap_count || plan->due_ns[plan->next] <= plan->heap[0].at_ns);
}

schedule_step schedule_peek(const schedule *plan) {
    if (root_is_next(plan))
        return (schedule_step){plan->due_ns[plan->next], plan->next, SCHEDULE_SEND};
    return plan->heap[0];
}

void schedule_pop(schedule *plan) {
    if (root_is_next(plan)) {
        plan->next++;
        skip_followers(plan, &plan->next);
        if (plan->seen < plan->next)
            plan->seen = plan->next;
        plan->left--;
        if (plan->slots) {
            take_slot(plan);
            offer_slot(plan);
        }
        return;
    }
    schedule_step step = heap_pop(plan);
    if (step.kind == SCHEDULE_WANT) {
        plan->state[step.row] = WANTED;
        heap_push(plan, (schedule_step){plan->due_ns[step.row], step.row, SCHEDULE_SEND});
    } else
        plan->left--;
}

void schedule_again(schedule *plan, int64_t row) {
    heap_push(plan, (schedule_step){plan->due_ns[row], row, SCHEDULE_SEND});
    plan->left++;
}

int64_t schedule_come_into_sight(schedule *plan, int64_t now_ns, int64_t horizon_ns) {
    if (plan->start_ns == SCHEDULE_NEVER || plan->slots)
        return 0;
    int64_t limit = now_ns - plan->start_ns + horizon_ns, count = 0;
    for (;;) {
        skip_followers(plan, &plan->seen);
        if (plan->seen >= plan->rows || plan->due_ns[plan->seen] >= limit)
            return count;
        plan->seen++;
        count++;
    }
}

int64_t schedule_slots_in_sight(schedule *plan, int64_t now_ns, int64_t horizon_ns) {
    if (plan->start_ns == SCHEDULE_NEVER)
        return 0;
    int64_t limit = now_ns - plan->start_ns + horizon_ns;
    while (plan->slots_seen < plan->slots && plan->opens_ns[plan->slots_seen] < limit)
        plan->slots_seen++;
    int64_t coming = plan->slots_seen - plan->opened, rows = plan->rows - plan->next;
    return coming < rows ? coming : rows;
}

int64_t schedule_want_early(schedule *plan, int64_t row, int64_t *wanted, int64_t room) {
    int64_t count = 0;
    if (!plan->parent)
        return 0;
    for (int64_t i = plan->first_child[row]; i < plan->first_child[row + 1] && count < room; i++) {
        int64_t child = plan->child[i];
        if (!plan->state[child] && plan->think_ns[child] < plan->ahead_ns) {
            plan->state[child] = WANTED;
            wanted[count++] = child;
        }
    }
    return count;
}

/* Counts the end of a row that `child` waits for. Returns true when it was the last one; *end_ns becomes the latest end of all. */
static bool was_last(schedule *plan, int64_t child, int64_t *end_ns) {
    if (!plan->waits)
        return true;
    if (plan->ends_ns[child] < *end_ns)
        plan->ends_ns[child] = *end_ns;
    *end_ns = plan->ends_ns[child];
    return --plan->waits[child] == 0 && !(plan->state[child] & GIVEN_UP);
}

void schedule_ended(schedule *plan, int64_t row, int64_t end_ns) {
    leave_slot(plan, row, 1, end_ns);
    if (!plan->parent)
        return;
    for (int64_t i = plan->first_child[row]; i < plan->first_child[row + 1]; i++) {
        int64_t child = plan->child[i], end = end_ns;
        if (!was_last(plan, child, &end))
            continue;
        int64_t due = end - plan->start_ns + plan->think_ns[child];
        if (plan->floor_ns && due < plan->floor_ns[child])
            due = plan->floor_ns[child];
        plan->due_ns[child] = due;
        if (plan->state[child] & WANTED)
            heap_push(plan, (schedule_step){due, child, SCHEDULE_SEND});
        else
            heap_push(plan, (schedule_step){due - plan->ahead_ns, child, SCHEDULE_WANT});
    }
}

/* Gives up all rows below `row`. They have no step in the heap, so its free end has room for the list of them. */
static int64_t give_up_below(schedule *plan, int64_t row) {
    schedule_step *found = plan->heap + plan->heap_count;
    int64_t count = 0;
    for (int64_t done = 0;; row = found[done++].row) {
        for (int64_t i = plan->first_child[row]; i < plan->first_child[row + 1]; i++) {
            int64_t child = plan->child[i];
            if (plan->state[child] & GIVEN_UP)
                continue;
            plan->state[child] |= GIVEN_UP;
            found[count++].row = child;
        }
        if (done == count)
            return count;
    }
}

int64_t schedule_give_up(schedule *plan, int64_t row, int64_t end_ns) {
    int64_t count = plan->parent ? give_up_below(plan, row) : 0;
    plan->left -= count;
    leave_slot(plan, row, count + 1, end_ns);
    return count;
}

int64_t schedule_stop(schedule *plan) {
    int64_t left = plan->left;
    plan->left = 0;
    plan->rows = plan->seen = plan->next;
    plan->heap_count = 0;
    return left;
}

#include "schedule.h"

#include <stdlib.h>
#include <string.h>

int schedule_init(schedule *plan, const int64_t *due_ns, int64_t rows) {
    *plan = (schedule){.rows = rows, .start_ns = SCHEDULE_NEVER};
    for (int64_t row = 0; row < rows; row++)
        if (due_ns[row] < (row ? due_ns[row - 1] : 0))
            return -2;
    plan->due_ns = malloc((size_t)(rows ? rows : 1) * sizeof *due_ns);
    if (!plan->due_ns)
        return -1;
    if (rows)
        memcpy(plan->due_ns, due_ns, (size_t)rows * sizeof *due_ns);
    return 0;
}

void schedule_free(schedule *plan) {
    free(plan->due_ns);
    *plan = (schedule){.start_ns = SCHEDULE_NEVER};
}

void schedule_begin(schedule *plan, int64_t start_ns) { plan->start_ns = start_ns; }

int64_t schedule_come_into_sight(schedule *plan, int64_t now_ns, int64_t horizon_ns) {
    if (plan->start_ns == SCHEDULE_NEVER)
        return 0;
    int64_t before = plan->seen;
    int64_t limit = now_ns - plan->start_ns + horizon_ns;
    while (plan->seen < plan->rows && plan->due_ns[plan->seen] < limit)
        plan->seen++;
    return plan->seen - before;
}

int64_t schedule_stop(schedule *plan) {
    int64_t left = plan->rows - plan->next;
    plan->rows = plan->seen = plan->next;
    return left;
}

/* The schedule by a table of instants, without a clock. */
#include "../schedule.h"
#include "check.h"

static void test_never_early_never_skipping(void) {
    const int64_t due[] = {0, 0, 10, 10, 25};
    schedule plan;
    CHECK_NUMBER(schedule_init(&plan, due, 5), 0);
    CHECK(schedule_next_due(&plan) == SCHEDULE_NEVER);
    schedule_begin(&plan, 1000);
    static const struct { int64_t now; int64_t sent; } table[] = {{999, 0}, {1000, 2}, {1009, 2}, {1010, 4}, {1024, 4}, {1025, 5}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        while (schedule_next_due(&plan) <= table[i].now)
            schedule_pop(&plan);
        CHECK_NUMBER(plan.next, table[i].sent);
    }
    CHECK(schedule_next_due(&plan) == SCHEDULE_NEVER);
    schedule_free(&plan);
}

static void test_sight(void) {
    const int64_t due[] = {0, 5, 100, 200};
    schedule plan;
    schedule_init(&plan, due, 4);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 0, 1000), 0);   /* it has not begun */
    schedule_begin(&plan, 0);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 0, 6), 2);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 0, 6), 0);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 95, 6), 1);
    for (int i = 0; i < 4; i++)
        schedule_pop(&plan);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 1000, 6), 0);   /* what was sent is not seen again */
    schedule_free(&plan);
}

static void test_stop(void) {
    const int64_t due[] = {1, 2, 3};
    schedule plan;
    schedule_init(&plan, due, 3);
    schedule_begin(&plan, 0);
    schedule_pop(&plan);
    CHECK_NUMBER(schedule_stop(&plan), 2);
    CHECK_NUMBER(schedule_stop(&plan), 0);
    CHECK(schedule_next_due(&plan) == SCHEDULE_NEVER);
    schedule_free(&plan);
}

static void test_refused(void) {
    schedule plan;
    CHECK_NUMBER(schedule_init(&plan, (const int64_t[]){3, 2}, 2), -2);
    schedule_free(&plan);
    CHECK_NUMBER(schedule_init(&plan, (const int64_t[]){-1}, 1), -2);
    schedule_free(&plan);
    CHECK_NUMBER(schedule_init(&plan, NULL, 0), 0);
    schedule_begin(&plan, 0);
    CHECK(schedule_next_due(&plan) == SCHEDULE_NEVER);
    schedule_free(&plan);
}

int main(void) {
    test_never_early_never_skipping();
    test_sight();
    test_stop();
    test_refused();
    return check_report("schedule");
}

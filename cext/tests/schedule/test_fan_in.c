/* Rows that wait for several rows (fan-in), by tables of times. */
#include "schedule/schedule.h"
#include "support/check.h"

static void check_step(schedule *plan, int64_t at, int64_t row, schedule_kind kind) {
    CHECK_NUMBER(schedule_next_at(plan), at);
    schedule_step step = schedule_peek(plan);
    CHECK_NUMBER(step.row, row);
    CHECK_NUMBER(step.kind, kind);
    schedule_pop(plan);
}

/* A diamond: 3 follows 2 and also waits for 1; 4 follows 3. */
static const int64_t DIAMOND[] = {-1, 0, 0, 2, 3}, DIAMOND_THINK[] = {0, 0, 5, 10, 0};

static void test_a_fan_in_waits_for_the_last_end(void) {
    static const int64_t fan_in_row[] = {3}, fan_in_parent[] = {1};
    const schedule_links links = {.parent = DIAMOND, .think_ns = DIAMOND_THINK, .ahead_ns = 100,
                                  .fan_in_row = fan_in_row, .fan_in_parent = fan_in_parent, .fan_in_count = 1};
    const int64_t due[5] = {0};
    int64_t wanted[4];
    for (int first = 1; first <= 2; first++) {
        schedule plan;
        CHECK_NUMBER(schedule_init(&plan, due, 5, &links, NULL), 0);
        schedule_begin(&plan, 1000);
        check_step(&plan, 1000, 0, SCHEDULE_SEND);
        CHECK_NUMBER(schedule_want_early(&plan, 0, wanted, 4), 2);
        schedule_ended(&plan, 0, 1010);
        check_step(&plan, 1010, 1, SCHEDULE_SEND);
        CHECK_NUMBER(schedule_want_early(&plan, 1, wanted, 4), 1);     /* asked for when the first of them is sent */
        CHECK_NUMBER(wanted[0], 3);
        check_step(&plan, 1015, 2, SCHEDULE_SEND);
        CHECK_NUMBER(schedule_want_early(&plan, 2, wanted, 4), 0);
        schedule_ended(&plan, first, 1100);
        CHECK(schedule_next_at(&plan) == SCHEDULE_NEVER);
        schedule_ended(&plan, 3 - first, 1050);                        /* reported later, although it ended earlier */
        check_step(&plan, 1110, 3, SCHEDULE_SEND);
        CHECK_NUMBER(plan.left, 1);
        schedule_free(&plan);
    }
}

/* 4 waits for 1, 2 and 3, which all follow 0. */
static void test_a_fan_in_of_three_in_any_order(void) {
    static const int64_t parent[] = {-1, 0, 0, 0, 3, -1}, think[] = {0, 0, 0, 0, 7, 0};
    static const int64_t fan_in_row[] = {4, 4}, fan_in_parent[] = {1, 2}, due[] = {0, 1, 2, 3, 400, 500};
    static const int orders[6][3] = {{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
    for (int order = 0; order < 6; order++)
        for (int floors = 0; floors < 2; floors++) {
            schedule plan;
            const schedule_links links = {.parent = parent, .think_ns = think, .floors = floors,
                                          .fan_in_row = fan_in_row, .fan_in_parent = fan_in_parent, .fan_in_count = 2};
            CHECK_NUMBER(schedule_init(&plan, due, 6, &links, NULL), 0);
            schedule_begin(&plan, 0);
            schedule_pop(&plan);
            schedule_ended(&plan, 0, 10);
            for (int i = 0; i < 6; i++)
                schedule_pop(&plan);                                   /* each one's WANT and SEND */
            for (int i = 0; i < 3; i++) {
                CHECK_NUMBER(schedule_next_at(&plan), 500);
                schedule_ended(&plan, orders[order][i], 100 + 50 * i);
            }
            check_step(&plan, floors ? 400 : 207, 4, SCHEDULE_WANT);
            check_step(&plan, floors ? 400 : 207, 4, SCHEDULE_SEND);
            schedule_free(&plan);
        }
}

static void test_a_fan_in_is_given_up_once(void) {
    static const int64_t fan_in_row[] = {3, 4}, fan_in_parent[] = {1, 1};
    const schedule_links links = {.parent = DIAMOND, .think_ns = DIAMOND_THINK,
                                  .fan_in_row = fan_in_row, .fan_in_parent = fan_in_parent, .fan_in_count = 2};
    const int64_t opens[] = {0};
    const schedule_slots slots = {opens, 1};
    const int64_t due[5] = {0};
    for (int failing = 1; failing <= 3; failing++) {                   /* bits: which of the two rows that it waits for fail */
        schedule plan;
        CHECK_NUMBER(schedule_init(&plan, due, 5, &links, &slots), 0);
        schedule_begin(&plan, 0);
        schedule_pop(&plan);
        schedule_ended(&plan, 0, 10);
        for (int i = 0; i < 4; i++)
            schedule_pop(&plan);
        int64_t given_up = 0;
        for (int row = 1; row <= 2; row++) {
            CHECK_NUMBER(plan.free_count, 0);
            if (failing & row)
                given_up += schedule_give_up(&plan, row, 20);
            else
                schedule_ended(&plan, row, 20);
        }
        CHECK_NUMBER(given_up, 2);
        CHECK(plan.left == 0 && plan.free_count == 1 && schedule_next_at(&plan) == SCHEDULE_NEVER);
        schedule_free(&plan);
    }
}

/* 0 with 1, 2 and 3 below it, and 4. */
static const int64_t TREE[] = {-1, 0, 1, 0, -1}, NO_THINK[5] = {0};

static void test_fan_in_refused(void) {
    static const struct { int64_t row, parent; } edges[] = {{2, 2}, {2, 3}, {2, -1}, {4, 1}, {5, 1}};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        schedule plan;
        const schedule_links links = {.parent = TREE, .think_ns = NO_THINK, .fan_in_row = &edges[i].row,
                                      .fan_in_parent = &edges[i].parent, .fan_in_count = 1};
        CHECK_NUMBER(schedule_init(&plan, NO_THINK, 5, &links, NULL), -3);
        schedule_free(&plan);
    }
    const int64_t parent[] = {-1, -1, 1}, fan_in_row[] = {2}, fan_in_parent[] = {0}, opens[] = {0};
    const schedule_links links = {.parent = parent, .think_ns = NO_THINK, .fan_in_row = fan_in_row, .fan_in_parent = fan_in_parent,
                                  .fan_in_count = 1};
    const schedule_slots slots = {opens, 1};
    schedule plan;
    CHECK_NUMBER(schedule_init(&plan, NO_THINK, 3, &links, NULL), 0);       /* it waits for the end of another session */
    schedule_free(&plan);
    CHECK_NUMBER(schedule_init(&plan, NO_THINK, 3, &links, &slots), -3);    /* not allowed if each session holds a slot */
    schedule_free(&plan);
}

int main(void) {
    test_a_fan_in_waits_for_the_last_end();
    test_a_fan_in_of_three_in_any_order();
    test_a_fan_in_is_given_up_once();
    test_fan_in_refused();
    return check_report("fan_in");
}

/* The schedule, by tables of times, without a clock. */
#include "schedule/schedule.h"
#include "support/check.h"

static void test_never_early_never_skipping(void) {
    const int64_t due[] = {0, 0, 10, 10, 25};
    schedule plan;
    CHECK_NUMBER(schedule_init(&plan, due, 5, NULL, NULL), 0);
    CHECK(schedule_next_at(&plan) == SCHEDULE_NEVER);
    schedule_begin(&plan, 1000);
    static const struct { int64_t now; int64_t sent; } table[] = {{999, 0}, {1000, 2}, {1009, 2}, {1010, 4}, {1024, 4}, {1025, 5}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        while (schedule_next_at(&plan) <= table[i].now)
            schedule_pop(&plan);
        CHECK_NUMBER(plan.next, table[i].sent);
    }
    CHECK(schedule_next_at(&plan) == SCHEDULE_NEVER);
    schedule_free(&plan);
}

static void test_sight(void) {
    const int64_t due[] = {0, 5, 100, 200};
    schedule plan;
    schedule_init(&plan, due, 4, NULL, NULL);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 0, 1000), 0);   /* it has not begun */
    schedule_begin(&plan, 0);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 0, 6), 2);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 0, 6), 0);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 95, 6), 1);
    for (int i = 0; i < 4; i++)
        schedule_pop(&plan);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 1000, 6), 0);   /* rows that were handed out are not counted again */
    schedule_free(&plan);
}

static void test_stop(void) {
    const int64_t due[] = {1, 2, 3};
    schedule plan;
    schedule_init(&plan, due, 3, NULL, NULL);
    schedule_begin(&plan, 0);
    schedule_pop(&plan);
    CHECK_NUMBER(schedule_stop(&plan), 2);
    CHECK_NUMBER(schedule_stop(&plan), 0);
    CHECK(schedule_next_at(&plan) == SCHEDULE_NEVER);
    schedule_free(&plan);
}

static void test_refused(void) {
    schedule plan;
    CHECK_NUMBER(schedule_init(&plan, (const int64_t[]){3, 2}, 2, NULL, NULL), -2);
    schedule_free(&plan);
    CHECK_NUMBER(schedule_init(&plan, (const int64_t[]){-1}, 1, NULL, NULL), -2);
    schedule_free(&plan);
    CHECK_NUMBER(schedule_init(&plan, NULL, 0, NULL, NULL), 0);
    schedule_begin(&plan, 0);
    CHECK(schedule_next_at(&plan) == SCHEDULE_NEVER);
    schedule_free(&plan);
}

/* 0 ends, 1 follows after 10, 2 follows 1 at once, 3 follows 0 after 1000; 4 is a root. */
static const int64_t DUE[] = {0, 5, 6, 7, 50};
static const int64_t PARENT[] = {-1, 0, 1, 0, -1};
static const int64_t THINK[] = {0, 10, 0, 1000, 0};

static void check_step(schedule *plan, int64_t at, int64_t row, schedule_kind kind) {
    CHECK_NUMBER(schedule_next_at(plan), at);
    schedule_step step = schedule_peek(plan);
    CHECK_NUMBER(step.row, row);
    CHECK_NUMBER(step.kind, kind);
    schedule_pop(plan);
}

static void test_followers(void) {
    schedule plan;
    schedule_links links = {.parent = PARENT, .think_ns = THINK, .ahead_ns = 100};
    int64_t wanted[4];
    CHECK_NUMBER(schedule_init(&plan, DUE, 5, &links, NULL), 0);
    schedule_begin(&plan, 1000);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 1000, 60), 2);        /* roots only */
    check_step(&plan, 1000, 0, SCHEDULE_SEND);
    CHECK_NUMBER(schedule_want_early(&plan, 0, wanted, 4), 1);         /* 3 has a long think time and is asked for later */
    CHECK_NUMBER(wanted[0], 1);
    CHECK_NUMBER(schedule_want_early(&plan, 0, wanted, 4), 0);
    schedule_ended(&plan, 0, 1020);
    check_step(&plan, 1030, 1, SCHEDULE_SEND);
    CHECK_NUMBER(schedule_due(&plan, 1), 1030);
    schedule_again(&plan, 1);
    check_step(&plan, 1030, 1, SCHEDULE_SEND);
    check_step(&plan, 1050, 4, SCHEDULE_SEND);
    schedule_ended(&plan, 1, 1060);
    check_step(&plan, 960, 2, SCHEDULE_WANT);                          /* it was not asked for yet, so at once */
    check_step(&plan, 1060, 2, SCHEDULE_SEND);
    check_step(&plan, 1920, 3, SCHEDULE_WANT);
    CHECK_NUMBER(plan.left, 1);
    check_step(&plan, 2020, 3, SCHEDULE_SEND);
    CHECK(plan.left == 0 && schedule_next_at(&plan) == SCHEDULE_NEVER);
    schedule_free(&plan);
}

static void test_floors_and_giving_up(void) {
    schedule plan;
    const int64_t due[] = {0, 500, 600, 700, 800};
    schedule_links links = {.parent = PARENT, .think_ns = THINK, .floors = true};
    const int64_t parent[] = {-1, 0, 1, 0, 3};
    links.parent = parent;
    CHECK_NUMBER(schedule_init(&plan, due, 5, &links, NULL), 0);
    schedule_begin(&plan, 0);
    schedule_pop(&plan);
    schedule_ended(&plan, 0, 100);
    check_step(&plan, 500, 1, SCHEDULE_WANT);                          /* its recorded time is later than end + think time */
    check_step(&plan, 500, 1, SCHEDULE_SEND);
    CHECK_NUMBER(schedule_give_up(&plan, 1, 0), 1);
    check_step(&plan, 1100, 3, SCHEDULE_WANT);
    check_step(&plan, 1100, 3, SCHEDULE_SEND);
    CHECK_NUMBER(plan.left, 1);
    CHECK_NUMBER(schedule_give_up(&plan, 3, 0), 1);
    CHECK_NUMBER(plan.left, 0);
    schedule_free(&plan);
}

static void test_slots(void) {
    schedule plan;
    const int64_t opens[] = {0, 30};
    schedule_slots slots = {opens, 2};
    CHECK_NUMBER(schedule_init(&plan, (const int64_t[5]){0}, 5, NULL, &slots), 0);
    CHECK_NUMBER(schedule_slots_in_sight(&plan, 0, 1000), 0);          /* it has not begun */
    schedule_begin(&plan, 1000);
    CHECK_NUMBER(schedule_come_into_sight(&plan, 1000, 1000), 0);
    CHECK_NUMBER(schedule_slots_in_sight(&plan, 1000, 30), 1);
    check_step(&plan, 1000, 0, SCHEDULE_SEND);
    CHECK_NUMBER(schedule_slots_in_sight(&plan, 1000, 30), 0);
    CHECK_NUMBER(schedule_slots_in_sight(&plan, 1000, 31), 1);
    CHECK_NUMBER(schedule_next_at(&plan), 1030);                       /* the other slot opens */
    schedule_ended(&plan, 0, 1010);
    check_step(&plan, 1010, 1, SCHEDULE_SEND);                         /* the first slot is free before that */
    CHECK_NUMBER(schedule_due(&plan, 1), 1010);
    check_step(&plan, 1030, 2, SCHEDULE_SEND);
    CHECK_NUMBER(schedule_slots_in_sight(&plan, 1030, 1000), 0);
    CHECK(schedule_next_at(&plan) == SCHEDULE_NEVER && plan.left == 2);
    CHECK_NUMBER(schedule_give_up(&plan, 2, 1040), 0);
    schedule_ended(&plan, 1, 1041);
    check_step(&plan, 1040, 3, SCHEDULE_SEND);
    check_step(&plan, 1041, 4, SCHEDULE_SEND);
    schedule_ended(&plan, 3, 1050);
    CHECK(schedule_next_at(&plan) == SCHEDULE_NEVER && plan.left == 0);
    schedule_free(&plan);
}

/* 0 with 1, 2 and 3 below it, and 4. */
static void test_a_slot_is_held_by_all_that_follows(void) {
    schedule plan;
    const int64_t opens[] = {0};
    schedule_slots slots = {opens, 1};
    schedule_links links = {.parent = PARENT, .think_ns = THINK};
    for (int failing = 0; failing < 2; failing++) {
        CHECK_NUMBER(schedule_init(&plan, DUE, 5, &links, &slots), 0);
        schedule_begin(&plan, 0);
        check_step(&plan, 0, 0, SCHEDULE_SEND);
        schedule_ended(&plan, 0, 100);
        check_step(&plan, 110, 1, SCHEDULE_WANT);
        check_step(&plan, 110, 1, SCHEDULE_SEND);
        if (failing)
            CHECK_NUMBER(schedule_give_up(&plan, 1, 200), 1);
        else {
            schedule_ended(&plan, 1, 200);
            check_step(&plan, 200, 2, SCHEDULE_WANT);
            check_step(&plan, 200, 2, SCHEDULE_SEND);
            schedule_ended(&plan, 2, 300);
        }
        check_step(&plan, 1100, 3, SCHEDULE_WANT);
        check_step(&plan, 1100, 3, SCHEDULE_SEND);
        CHECK(schedule_next_at(&plan) == SCHEDULE_NEVER);
        schedule_ended(&plan, 3, 1200);
        check_step(&plan, 1200, 4, SCHEDULE_SEND);
        CHECK_NUMBER(plan.left, 0);
        schedule_free(&plan);
    }
}

/* Random sessions through a few slots, on a simulated clock: the earliest event happens next. */
static void test_sessions_through_slots(void) {
    enum { COUNT = 300, SLOTS = 4 };
    static int64_t due[COUNT], parent[COUNT], think[COUNT], ends[COUNT], root[COUNT], rest[COUNT];
    static int64_t fan_in_row[COUNT], fan_in_parent[COUNT], also[COUNT], last[COUNT];
    static bool lost[COUNT];
    const int64_t opens[SLOTS] = {0, 10, 10, 200};
    uint32_t seed = 7;
#define DRAW(n) ((seed = seed * 1664525u + 1013904223u) >> 8) % (n)
    for (int round = 0; round < 20; round++) {
        schedule plan;
        schedule_slots slots = {opens, SLOTS};
        schedule_links links = {.parent = parent, .think_ns = think, .ahead_ns = DRAW(50),
                                .fan_in_row = fan_in_row, .fan_in_parent = fan_in_parent};
        memset(rest, 0, sizeof rest);
        for (int row = 0; row < COUNT; row++) {
            parent[row] = row && DRAW(3) ? row - 1 - (int64_t)(DRAW(row < 5 ? row : 5)) : -1;
            think[row] = DRAW(40);
            root[row] = parent[row] < 0 ? row : root[parent[row]];
            rest[root[row]]++;
            ends[row] = -1;
            last[row] = 0;
            lost[row] = false;
            also[row] = row - 1 - (int64_t)(DRAW(10));
            if (parent[row] < 0 || also[row] < 0 || root[also[row]] != root[row])
                also[row] = -1;
            else if (round % 2) {
                fan_in_row[links.fan_in_count] = row;
                fan_in_parent[links.fan_in_count++] = also[row];
            }
        }
        CHECK_NUMBER(schedule_init(&plan, due, COUNT, &links, &slots), 0);
        schedule_begin(&plan, 0);
        int64_t now = 0, over = 0;
        int sessions = 0, under_way = 0, most = 0;
        for (;;) {
            int64_t first = -1;
            for (int row = 0; row < COUNT; row++)
                if (ends[row] > 0 && (first < 0 || ends[row] < ends[first]))
                    first = row;
            int64_t next = schedule_next_at(&plan);
            if (first < 0 && next == SCHEDULE_NEVER)
                break;
            if (first >= 0 && ends[first] <= next) {
                now = ends[first];
                int64_t given_up = 0, gone = 0;
                if (DRAW(8)) {
                    last[first] = now;
                    schedule_ended(&plan, first, now);
                } else {
                    lost[first] = true;
                    given_up = schedule_give_up(&plan, first, now);
                }
                for (int64_t row = first + 1; row < COUNT; row++) {
                    bool goes = (parent[row] >= 0 && lost[parent[row]]) || (links.fan_in_count && also[row] >= 0 && lost[also[row]]);
                    gone += goes && !lost[row];
                    lost[row] |= goes;
                }
                CHECK_NUMBER(given_up, gone);
                over += 1 + given_up;
                rest[root[first]] -= 1 + given_up;
                sessions -= !rest[root[first]];
                ends[first] = -2;
                under_way--;
                continue;
            }
            schedule_step step = schedule_peek(&plan);
            now = next > now ? next : now;
            schedule_pop(&plan);
            if (step.kind == SCHEDULE_WANT)
                continue;
            sessions += parent[step.row] < 0;
            most = sessions > most ? sessions : most;
            CHECK(sessions <= SLOTS && ends[step.row] == -1 && !lost[step.row]);
            if (parent[step.row] >= 0) {
                int64_t after = last[parent[step.row]], besides = links.fan_in_count ? also[step.row] : -1;
                if (besides >= 0 && last[besides] > after)
                    after = last[besides];
                CHECK(besides < 0 || last[besides]);
                CHECK_NUMBER(schedule_due(&plan, step.row), after + think[step.row]);
            }
            ends[step.row] = now + 1 + DRAW(60);
            under_way++;
        }
        CHECK_NUMBER(over, COUNT);
        CHECK_NUMBER(most, SLOTS);
        CHECK(sessions == 0 && under_way == 0 && plan.left == 0);
        schedule_free(&plan);
    }
#undef DRAW
}

static void test_slots_refused(void) {
    schedule plan;
    const int64_t descending[] = {3, 2}, negative[] = {-1, 2};
    schedule_slots slots = {descending, 2};
    CHECK_NUMBER(schedule_init(&plan, DUE, 3, NULL, &slots), -2);
    schedule_free(&plan);
    slots.opens_ns = negative;
    CHECK_NUMBER(schedule_init(&plan, DUE, 3, NULL, &slots), -2);
    schedule_free(&plan);
}

static void test_links_refused(void) {
    schedule plan;
    const int64_t ahead[] = {-1, 2, 0}, negative[] = {0, -1, 0};
    schedule_links links = {.parent = ahead, .think_ns = THINK};
    CHECK_NUMBER(schedule_init(&plan, DUE, 3, &links, NULL), -3);
    schedule_free(&plan);
    links = (schedule_links){.parent = PARENT, .think_ns = negative};
    CHECK_NUMBER(schedule_init(&plan, DUE, 3, &links, NULL), -3);
    schedule_free(&plan);
}

int main(void) {
    test_followers();
    test_floors_and_giving_up();
    test_slots();
    test_a_slot_is_held_by_all_that_follows();
    test_sessions_through_slots();
    test_slots_refused();
    test_links_refused();
    test_never_early_never_skipping();
    test_sight();
    test_stop();
    test_refused();
    return check_report("schedule");
}

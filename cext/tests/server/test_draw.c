/* The distributions of draw.h have the mean and the standard deviation that they were given. */
#include "server/model/draw.h"
#include "support/check.h"

#include <math.h>

enum { DRAWS = 200000 };

static void check_law(const char *name, draw_distribution law, double mean, double deviation, double least, double most) {
    check_case = name;
    uint64_t key = draw_key(1, 2);
    double sum = 0, squares = 0;
    int outside = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        double value = (double)draw_ns(&law, key, i);
        sum += value;
        squares += value * value;
        outside += value < least || value > most;
    }
    double got = sum / DRAWS, spread = sqrt(fmax(squares / DRAWS - got * got, 0));
    CHECK(fabs(got - mean) <= 0.005 * mean + 1);   /* the standard error is below 0.1 % */
    CHECK(fabs(spread - deviation) <= 0.02 * deviation + 1);
    CHECK_NUMBER(outside, 0);
}

int main(void) {
    check_law("constant", (draw_distribution){DRAW_CONSTANT, 5e7, 0}, 5e7, 0, 5e7, 5e7);
    check_law("uniform", (draw_distribution){DRAW_UNIFORM, 4e7, 6e7}, 5e7, 2e7 / sqrt(12), 4e7, 6e7);
    check_law("normal", (draw_distribution){DRAW_NORMAL, 5e7, 5e6}, 5e7, 5e6, 1e7, 9e7);
    check_law("lognormal", (draw_distribution){DRAW_LOGNORMAL, 5e7, 1e7}, 5e7, 1e7, 1, 3e8);
    check_law("no spread", (draw_distribution){DRAW_LOGNORMAL, 5e7, 0}, 5e7, 0, 5e7 - 1, 5e7);
    /* The lower half of N(0, s) becomes zero: mean s/sqrt(2 pi), variance s^2 (1/2 - 1/(2 pi)). */
    check_law("cut off", (draw_distribution){DRAW_NORMAL, 0, 1e7}, 1e7 / sqrt(2 * M_PI), 1e7 * sqrt(0.5 - 0.5 / M_PI), 0, 1e8);

    check_case = "purity";
    draw_distribution law = {DRAW_UNIFORM, 0, 1e9};
    CHECK_NUMBER(draw_ns(&law, draw_key(7, 3), 5), draw_ns(&law, draw_key(7, 3), 5));
    CHECK(draw_ns(&law, draw_key(7, 3), 5) != draw_ns(&law, draw_key(7, 4), 5));
    CHECK(draw_ns(&law, draw_key(7, 3), 5) != draw_ns(&law, draw_key(8, 3), 5));
    CHECK(draw_ns(&law, draw_key(7, 3), 5) != draw_ns(&law, draw_key(7, 3), 6));
    return check_report("server_draw");
}

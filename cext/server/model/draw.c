#include "server/model/draw.h"

#include <math.h>

#define CENTURY_NS 3.15e18

/* Returns a standard normal draw, made from two uniform draws (Box and Muller, 1958). */
static double standard_normal(uint64_t key, uint64_t index) {
    double radius = sqrt(-2.0 * log(draw_unit(key, 2 * index)));
    return radius * cos(2.0 * M_PI * draw_unit(key, 2 * index + 1));
}

int64_t draw_ns(const draw_distribution *distribution, uint64_t key, uint64_t index) {
    double value = distribution->a_ns;
    switch (distribution->shape) {
    case DRAW_CONSTANT: break;
    case DRAW_UNIFORM: value += (distribution->b_ns - distribution->a_ns) * draw_unit(key, index); break;
    case DRAW_NORMAL: value += distribution->b_ns * standard_normal(key, index); break;
    case DRAW_LOGNORMAL: {
        /* exp(N(m, s^2)) has mean exp(m + s^2/2) and variance (exp(s^2) - 1) mean^2. Solved for m and s. */
        double variance = log1p(distribution->b_ns * distribution->b_ns / (distribution->a_ns * distribution->a_ns));
        value *= exp(sqrt(variance) * standard_normal(key, index) - variance / 2);
        break;
    }
    }
    return value > 0 ? (int64_t)fmin(value, CENTURY_NS) : 0;
}

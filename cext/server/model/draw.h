/* draw.h: seeded random draws of durations.
 *
 * A draw is a pure function of (distribution, key, index), and the key is a pure function of (seed, request number). So neither the
 * order of requests nor other requests change the durations of a request. */
#ifndef TT_SERVER_DRAW_H
#define TT_SERVER_DRAW_H

#include <stdint.h>

typedef enum { DRAW_CONSTANT, DRAW_UNIFORM, DRAW_NORMAL, DRAW_LOGNORMAL } draw_shape;

/* A distribution of durations in ns. CONSTANT: a. UNIFORM: from a to b. NORMAL and LOGNORMAL: a is the mean and b the standard
 * deviation of the duration itself; a normal draw below zero becomes zero. */
typedef struct { draw_shape shape; double a_ns, b_ns; } draw_distribution;

/* The finalizer of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014): a
 * bijection whose outputs for successive inputs look independent. */
static inline uint64_t draw_mix(uint64_t z) {
    z += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Returns the key of a request. */
static inline uint64_t draw_key(uint64_t seed, uint64_t request) { return draw_mix(draw_mix(seed) + request); }

/* Returns a draw that is uniform in (0, 1). */
static inline double draw_unit(uint64_t key, uint64_t index) {
    return ((double)(draw_mix(key ^ draw_mix(index)) >> 11) + 0.5) * 0x1p-53;
}

/* Returns draw number `index` of a distribution in ns: not negative, at most a century. */
int64_t draw_ns(const draw_distribution *distribution, uint64_t key, uint64_t index);

#endif

/* Sums in NumPy's order: pairwise, in eight lanes. */
#ifndef HEALER_SUMS_H
#define HEALER_SUMS_H

#include <math.h>

enum { LANES = 8, LEAF = 128 }; /* LEAF: of NumPy's pairwise summation */

#pragma GCC diagnostic ignored "-Wpsabi" /* no function that is called takes or returns lanes */

typedef float Lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

static inline __attribute__((always_inline)) Lanes lanes(const float *from) { return *(const Lanes *)from; }

static inline __attribute__((always_inline)) float across(Lanes r) {
    return ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
}

/* The sum of what `TERM` makes of each x, given m. */
#define SUMMING(NAME, TERM)                                                                        \
    static float NAME(const float *a, long n, float m) {                                           \
        (void)m;                                                                                   \
        if (n > LEAF) {                                                                            \
            long half = n / 2 - n / 2 % LANES;                                                     \
            return NAME(a, half, m) + NAME(a + half, n - half, m);                                 \
        }                                                                                          \
        float sum = 0;                                                                             \
        long i = 0;                                                                                \
        if (n >= LANES) {                                                                          \
            Lanes x = lanes(a), r = TERM;                                                          \
            for (i = LANES; i < n - n % LANES; i += LANES) {                                       \
                x = lanes(a + i);                                                                  \
                r += TERM;                                                                         \
            }                                                                                      \
            sum = across(r);                                                                       \
        }                                                                                          \
        for (; i < n; i++) {                                                                       \
            float x = a[i];                                                                        \
            sum += TERM;                                                                           \
        }                                                                                          \
        return sum;                                                                                \
    }

SUMMING(sum_of, (x))
SUMMING(sum_of_squares, ((x - m) * (x - m)))
SUMMING(sum_of_cubes, ((x - m) * (x - m) * (x - m)))

static float deviation(const float *a, long n) {
    float mean = sum_of(a, n, 0) / (float)n;
    return sqrtf(sum_of_squares(a, n, mean) / (float)n);
}

#endif

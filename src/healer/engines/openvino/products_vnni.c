/* Sums of bytes by AVX-512 VNNI: each number of weights, four bytes of a row, meets those of 16 tokens
 * twice, in as many registers as hide how long a product takes. */
#include "groups.h"

#include <stddef.h>

enum { ROWS = 8 }; /* of weights at a time: 16 sums in registers, and two of activations */

int vnni_products_usable(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

static Shapes begin(void) { return (Shapes){0}; }
static void end(Shapes before) { (void)before; }

INLINE __m512i number(const uint8_t *bytes) {
    int32_t four;
    __builtin_memcpy(&four, bytes, sizeof four);
    return _mm512_set1_epi32(four);
}

/* Adds a part's sums, times its scale, to those before. */
INLINE void add_part(__m512i sum[ROWS], const float *scale, int32_t to[][LANES]) {
    UNROLLED for (int r = 0; r < ROWS; r++) {
        __m512 before = _mm512_load_ps(to[r]), each = _mm512_cvtepi32_ps(sum[r]);
        _mm512_store_ps(to[r], _mm512_fmadd_ps(each, _mm512_loadu_ps(scale), before));
        sum[r] = _mm512_setzero_si512();
    }
}

/* Rows from `row` on of one block; without scales the sums are integers. */
INLINE void add_rows(Weights weights, int block, int row, const Tile *x, const Tile *x2, int apart,
                     long steps, Ahead *next, const float *scale, const float *scale2, Sums sums,
                     Sums sums2) {
    __m512i sum[ROWS], sum2[ROWS];
    int each = (int)up_to(next->each, 2 * LANES / ROWS);
    UNROLLED for (int r = 0; r < ROWS; r++) {
        sum[r] = sum2[r] = _mm512_setzero_si512();
        _mm512_store_si512(sums[row + r], sum[r]), _mm512_store_si512(sums2[row + r], sum[r]);
    }
    const uint8_t *from = weights.at[block] + row * weights.row;
    for (long i = 0; i < steps; i++, from += weights.step, x += apart, x2 += apart) {
        for (int c = 0; c < LANES; c++) {
            __m512i a = _mm512_load_si512((*x)[c]), b = _mm512_load_si512((*x2)[c]);
            UNROLLED for (int r = 0; r < ROWS; r++) {
                __m512i w = number(from + r * weights.row + 4 * c);
                sum[r] = _mm512_dpbusd_epi32(sum[r], w, a);
                sum2[r] = _mm512_dpbusd_epi32(sum2[r], w, b);
            }
        }
        fetch(next, each);
        if (scale && (i % PART == PART - 1 || i == steps - 1)) {
            add_part(sum, scale + i / PART * LANES, &sums[row]);
            add_part(sum2, scale2 + i / PART * LANES, &sums2[row]);
        }
    }
    if (scale) return;
    UNROLLED for (int r = 0; r < ROWS; r++) {
        _mm512_store_si512(sums[row + r], sum[r]);
        _mm512_store_si512(sums2[row + r], sum2[r]);
    }
}

KERNEL void add_up(Weights weights, const Tile *x, const Tile *x2, int apart, long steps,
                   Ahead *next, const float *scale, const float *scale2, Sums sums[4]) {
    for (int block = 0; block < 2; block++)
        for (int row = 0; row < LANES; row += ROWS) {
            Sums *to = sums + 2 * block;
            if (scale)
                add_rows(weights, block, row, x, x2, apart, steps, next, scale, scale2, to[0],
                         to[1]);
            else
                add_rows(weights, block, row, x, x2, apart, steps, next, NULL, NULL, to[0], to[1]);
        }
}

const Unit vnni_unit = {begin, end, add_up};

/* Sums of bytes by AVX-512 VNNI: each number of weights, four bytes of a row, meets those of 16 tokens
 * twice, in as many registers as hide how long a product takes. */
#include "groups.h"

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

/* Rows from `row` on of one block. */
INLINE void add_rows(const Tile *weights, int row, const Tile *x, const Tile *x2, int apart,
                     long steps, Ahead next, Sums sums, Sums sums2) {
    __m512i sum[ROWS], sum2[ROWS];
    UNROLLED for (int r = 0; r < ROWS; r++) sum[r] = sum2[r] = _mm512_setzero_si512();
    for (long i = 0; i < steps; i++, weights += 2, x += apart, x2 += apart) {
        for (int c = 0; c < LANES; c++) {
            __m512i a = _mm512_load_si512((*x)[c]), b = _mm512_load_si512((*x2)[c]);
            UNROLLED for (int r = 0; r < ROWS; r++) {
                __m512i w = number((*weights)[row + r] + 4 * c);
                sum[r] = _mm512_dpbusd_epi32(sum[r], w, a);
                sum2[r] = _mm512_dpbusd_epi32(sum2[r], w, b);
            }
        }
        fetch(next, i);
    }
    UNROLLED for (int r = 0; r < ROWS; r++) {
        _mm512_store_si512(sums[row + r], sum[r]);
        _mm512_store_si512(sums2[row + r], sum2[r]);
    }
}

KERNEL void add_up(const Tile *weights, const Tile *x, const Tile *x2, int apart, long steps,
                   Ahead next, Sums sums[4]) {
    for (int block = 0; block < 2; block++)
        for (int row = 0; row < LANES; row += ROWS) {
            add_rows(weights + block, row, x, x2, apart, steps, next, sums[2 * block],
                     sums[2 * block + 1]);
            next.rows = 0;
        }
}

const Unit vnni_unit = {begin, end, add_up};

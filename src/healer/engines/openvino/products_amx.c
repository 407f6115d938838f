/* Sums of bytes by AMX, the matrix unit. Weights go into it as they are stored, 16 rows of them at a
 * time. Two blocks of rows meet both bytes of 16 tokens, or one byte of 32: four products for four
 * loads, and no register is left. */
#include "groups.h"

#if defined(__x86_64__) && __has_include(<amxbf16intrin.h>) && !defined(HEALER_WITHOUT_AMX)

int amx_products_usable(void) { return amx_usable(); }

static Shapes begin(void) { return use_full_registers(); }
static void end(Shapes before) { put_back(before); }

KERNEL void add_up(Weights weights, const Tile *x, const Tile *x2, int apart, long steps,
                   Ahead *next, const float *scale, const float *scale2, Sums sums[4]) {
    (void)scale, (void)scale2; /* parts are not for this unit: it would wait for each */
    ZERO(0); ZERO(1); ZERO(2); ZERO(3);
    for (long i = 0; i < steps; i++, x += apart, x2 += apart) {
        const uint8_t *w = weights.at[0] + i * weights.step, *w2 = weights.at[1] + i * weights.step;
        LOAD(4, w, weights.row); LOAD(6, x, STEP); ADD_BYTES(0, 4, 6);
        LOAD(7, x2, STEP); ADD_BYTES(1, 4, 7);
        LOAD(5, w2, weights.row); ADD_BYTES(2, 5, 6); ADD_BYTES(3, 5, 7);
        fetch(next, next->each);
    }
    STORE(0, sums[0]); STORE(1, sums[1]); STORE(2, sums[2]); STORE(3, sums[3]);
}

const Unit amx_unit = {begin, end, add_up};

#else /* another processor, or a compiler older than AMX */

int amx_products_usable(void) { return 0; }
const Unit amx_unit = {0};

#endif

/* What products of many tokens leave to a unit of the processor: sums of bytes. */
#ifndef HEALER_GROUPS_H
#define HEALER_GROUPS_H

#include "amx.h"
#include "products.h"

typedef uint8_t Tile[LANES][STEP];
typedef int32_t Sums[LANES][LANES]; /* (rows, tokens) */

/* Two blocks of rows that will be copied next, and are fetched from memory while others are multiplied:
 * two streams, each in order, come sooner than one, and far sooner than a stream of each row. `left`
 * registers of a row of `width`, whose next row is `skip` bytes from its end, and `count` of either
 * block are still to be fetched. */
typedef struct {
    const uint8_t *at[2];
    long skip, left, width, count;
    int each; /* at every step */
} Ahead;

INLINE void fetch(Ahead *next, int each) {
    for (int i = 0; i < each && next->count; i++, next->count--) {
        _mm_prefetch((const char *)next->at[0], _MM_HINT_T1);
        _mm_prefetch((const char *)next->at[1], _MM_HINT_T1);
        long on = STEP;
        if (--next->left == 0) on += next->skip, next->left = next->width;
        next->at[0] += on, next->at[1] += on;
    }
}

/* Two blocks of LANES rows of weights: bytes from one row to the next, and from one register of a row
 * to the next. */
typedef struct {
    const uint8_t *at[2];
    long row, step;
} Weights;

/* `add_up` makes the sums of both blocks, each with two tiles of activations, `apart` tiles after one
 * another: so often between `begin` and `end`. With scales (parts, LANES) the sums are float32, each
 * part's times its own. */
typedef struct Unit {
    Shapes (*begin)(void);
    void (*end)(Shapes before);
    void (*add_up)(Weights weights, const Tile *x, const Tile *x2, int apart, long steps,
                   Ahead *next, const float *scale, const float *scale2, Sums sums[4]);
} Unit;

#pragma GCC visibility push(hidden)

extern const Unit amx_unit, vnni_unit;
int amx_products_usable(void);
int vnni_products_usable(void);

long group_scratch(long tokens, long columns, After after, int bytes, int parted);
void multiply_groups(const Products *products, const Unit *unit, int threads);

#pragma GCC visibility pop

#endif

/* What products of many tokens leave to a unit of the processor: sums of bytes. */
#ifndef HEALER_GROUPS_H
#define HEALER_GROUPS_H

#include "amx.h"
#include "products.h"

typedef uint8_t Tile[LANES][STEP];
typedef int32_t Sums[LANES][LANES]; /* (rows, tokens) */

/* Rows that will be copied next, and are fetched from memory while others are multiplied. */
typedef struct {
    const uint8_t *from;
    long columns;
    int rows;
} Ahead;

INLINE void fetch(Ahead next, long step) {
    for (int r = 0; r < next.rows; r++)
        _mm_prefetch((const char *)next.from + r * next.columns + step * STEP, _MM_HINT_T1);
}

/* `add_up` makes the sums of two blocks of LANES rows, which take turns in `weights`, each with two
 * tiles of activations, `apart` tiles after one another: so often between `begin` and `end`. With
 * scales (parts, LANES) the sums are float32, each part's times its own. */
typedef struct Unit {
    Shapes (*begin)(void);
    void (*end)(Shapes before);
    void (*add_up)(const Tile *weights, const Tile *x, const Tile *x2, int apart, long steps,
                   Ahead next, const float *scale, const float *scale2, Sums sums[4]);
} Unit;

#pragma GCC visibility push(hidden)

extern const Unit amx_unit, vnni_unit;
int amx_products_usable(void);
int vnni_products_usable(void);

long group_scratch(long tokens, long columns, After after, int bytes, int parted);
void multiply_groups(const Products *products, const Unit *unit, int threads);

#pragma GCC visibility pop

#endif

/* What is measured of a view, in one call: the work of `texture.py`, which says what each figure is. */
#ifndef HEALER_TEXTURE_H
#define HEALER_TEXTURE_H

#include <stdint.h>

enum {
    GREENS = 4,  /* octaves of the green plane */
    OCTAVES = 5, /* of light and of the two colours */
    PARTS = 4,   /* the view is parted into so many rows, and columns */
    CODES = 10,  /* of binary patterns */
    BLOCK = 8,   /* a side, in pixels, of a block of directions */
};

/* As `MEASURES` in texture.py. */
typedef struct {
    float alike, green[GREENS];
    float energy, cos2, sin2, cos4;
    float deviation, cubes, means[PARTS * PARTS], squares[PARTS * PARTS];
    float dips[2], peaks[2], depth[2], height[2];
    float patterns[2][CODES];
    float light, band_light[OCTAVES];
    float moments[OCTAVES][3][3], cubed[OCTAVES], fourth[OCTAVES];
} Measures;

/* A view of `rows` by `columns` pixels, RGB, at least 32 each, and where its measures go. `sample` is
 * (3, rows / 4, columns / 4) colours, rounded up from the halved picture's; `blocks` are the means of
 * (cos2, sin2, energy) by block. `work` has room for as many floats as `healer_texture_work` says. */
typedef struct {
    const uint8_t *pixels;
    long rows, columns;
    float *sample, *blocks, *work;
    Measures *found;
} View;

#endif

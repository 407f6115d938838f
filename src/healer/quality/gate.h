/* What the gate measures of a view: the work of texture.py and stains.py, which say what each figure
 * is. */
#ifndef HEALER_GATE_H
#define HEALER_GATE_H

#include <stdint.h>

enum {
    GREENS = 4,  /* octaves of the green plane */
    OCTAVES = 5, /* of light and of the two colours */
    PARTS = 4,   /* the view is parted into so many rows, and columns */
    CODES = 10, /* of binary patterns */
    BLOCK = 8, /* a side, in pixels, of a block of directions */
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

enum { CUBE = 16 * 16 * 16, /* colours that are counted apart */ THIRDS = 3 /* of densities */ };

/* As `STAIN` and `COLOURS` in stains.py. */
typedef struct {
    float middle[3], spread[3], products[3];
    float saturation, grey;
    float inside[THIRDS], x[THIRDS], y[THIRDS];
} Stain;

typedef struct {
    float ground[3], mean[3], spread[3], correlation[3];
    float saturated, lowest[3], tissue, dark;
    Stain stains[2];
} Colours;

/* `pixels` colours, three planes, multiples of a quarter below 256; and where what is measured of them
 * goes. `density_of` is of each of 256 levels of light. Of the stains against the ground, and against
 * black: `density` (2, 3, pixels); `share`, `x`, `y` and `saturation` (2, pixels). `work` has room for
 * two numbers a pixel. */
typedef struct {
    const float *planes;
    long pixels;
    const float *density_of;
    float *density, *share, *x, *y, *saturation, *work;
    int32_t *cube;
    Colours *found;
} Sample;

#endif

/* Texture: what texture.py measures.
 *
 * Sums are taken in NumPy's order, so that a figure is the same to the last bit whether this or NumPy
 * measured it. Only sums of products, which NumPy leaves to BLAS, are summed in an order of our own.
 */
#include "gate.h"
#include "sums.h"

#include <string.h>

typedef struct {
    float *at;
    long rows, columns;
} Plane;

static Plane halved(Plane from, float *to) {
    Plane half = {to, from.rows / 2, from.columns / 2};
    for (long row = 0; row < half.rows; row++) {
        const float *upper = from.at + 2 * row * from.columns, *lower = upper + from.columns;
        for (long column = 0; column < half.columns; column++) {
            float even = upper[2 * column] + lower[2 * column];
            float odd = upper[2 * column + 1] + lower[2 * column + 1];
            to[row * half.columns + column] = (even + odd) * 0.25f;
        }
    }
    return half;
}

/* One row of what halving `fine` to `coarse` takes away. */
static void octave_row(Plane fine, Plane coarse, long row, float *to) {
    const float *from = fine.at + row * fine.columns;
    const float *mean = coarse.at + row / 2 * coarse.columns;
    for (long column = 0; column < coarse.columns; column++) {
        to[2 * column] = from[2 * column] - mean[column];
        to[2 * column + 1] = from[2 * column + 1] - mean[column];
    }
}

static void octave(Plane fine, Plane coarse, float *to) {
    for (long row = 0; row < 2 * coarse.rows; row++)
        octave_row(fine, coarse, row, to + row * 2 * coarse.columns);
}

static int can_be_halved(Plane plane) { return plane.rows >= 4 && plane.columns >= 4; }

/* Deviations of green's octaves; what halving makes of it lies behind `halves`. */
static void measure_greens(Plane green, Plane half, float *halves, float *band, float *found) {
    for (long at = 0; at < GREENS; at++) {
        octave(green, half, band);
        found[at] = deviation(band, 4 * half.rows * half.columns);
        if (at + 1 == GREENS || !can_be_halved(half)) return;
        halves += half.rows * half.columns;
        green = half;
        half = halved(green, halves);
    }
}

static void mean_blocks(const float *a, long stride, long rows, long columns, long height,
                        long width, float *to) {
    for (long row = 0; row < rows; row++)
        for (long column = 0; column < columns; column++) {
            const float *block = a + row * height * stride + column * width;
            float sum = 0;
            for (long line = 0; line < height; line++) sum += sum_of(block + line * stride, width, 0);
            *to++ = sum / (float)(height * width);
        }
}

static void measure_directions(Plane grey, float *work, float *blocks, Measures *found) {
    long rows = grey.rows - 2, columns = grey.columns - 2, n = rows * columns;
    float *restrict cos2 = work, *restrict sin2 = work + n;
    float *restrict energy = work + 2 * n, *restrict cos4 = work + 3 * n;
    for (long row = 0; row < rows; row++) {
        const float *above = grey.at + row * grey.columns + 1;
        const float *here = above + grey.columns, *below = here + grey.columns;
        for (long column = 0; column < columns; column++) {
            float dx = here[column + 1] - here[column - 1], dy = below[column] - above[column];
            float xx = dx * dx, yy = dy * dy, xy = dx * dy, cos = xx - yy, sin = 2 * xy;
            long at = row * columns + column;
            energy[at] = xx + yy;
            cos2[at] = cos;
            sin2[at] = sin;
            cos4[at] = (cos * cos - sin * sin) / (energy[at] + 1);
        }
    }
    found->cos2 = sum_of(cos2, n, 0);
    found->sin2 = sum_of(sin2, n, 0);
    found->energy = sum_of(energy, n, 0);
    found->cos4 = sum_of(cos4, n, 0);
    long down = rows / BLOCK, right = columns / BLOCK;
    for (long layer = 0; layer < 3; layer++)
        mean_blocks(work + layer * n, columns, down, right, BLOCK, BLOCK,
                    blocks + layer * down * right);
}

static void measure_sameness(Plane grey, float *work, Measures *found) {
    long n = grey.rows * grey.columns, height = grey.rows / PARTS, width = grey.columns / PARTS;
    for (long i = 0; i < n; i++) work[i] = grey.at[i] * grey.at[i];
    mean_blocks(grey.at, grey.columns, PARTS, PARTS, height, width, found->means);
    mean_blocks(work, grey.columns, PARTS, PARTS, height, width, found->squares);
    float mean = sum_of(grey.at, n, 0) / (float)n;
    found->deviation = sqrtf(sum_of_squares(grey.at, n, mean) / (float)n);
    found->cubes = sum_of_cubes(grey.at, n, mean) / (float)n;
}

static inline float least(float a, float b) { return a < b ? a : b; }
static inline float most(float a, float b) { return a > b ? a : b; }

static void measure_blobs(Plane grey, float *work, int at, Measures *found) {
    long rows = grey.rows - 2, columns = grey.columns - 2, n = rows * columns;
    float *restrict dips = work, *restrict peaks = work + n;
    long deep = 0, high = 0;
    for (long row = 0; row < rows; row++) {
        const float *above = grey.at + row * grey.columns + 1;
        const float *here = above + grey.columns, *below = here + grey.columns;
        int of_row = 0, peaks_of_row = 0;
        for (long column = 0; column < columns; column++) {
            float up = above[column], down = below[column];
            float left = here[column - 1], right = here[column + 1], inner = here[column];
            float dip = most(least(least(up, down), least(left, right)) - inner, 0);
            float peak = most(inner - most(most(up, down), most(left, right)), 0);
            dips[row * columns + column] = dip;
            peaks[row * columns + column] = peak;
            of_row += dip > 2;
            peaks_of_row += peak > 2;
        }
        deep += of_row;
        high += peaks_of_row;
    }
    found->dips[at] = (float)deep;
    found->peaks[at] = (float)high;
    found->depth[at] = sum_of(dips, n, 0);
    found->height[at] = sum_of(peaks, n, 0);
}

/* A row of binary patterns: how many of the eight around are lighter, or CODES - 1. */
static void pattern_row(const float *above, const float *here, const float *below, long columns,
                        int32_t *restrict codes) {
    for (long column = 0; column < columns; column++) {
        float centre = here[column] + 2;
        int32_t a = above[column - 1] > centre, b = above[column] > centre;
        int32_t c = above[column + 1] > centre, d = here[column + 1] > centre;
        int32_t e = below[column + 1] > centre, f = below[column] > centre;
        int32_t g = below[column - 1] > centre, h = here[column - 1] > centre;
        int32_t changes = (a ^ b) + (b ^ c) + (c ^ d) + (d ^ e) + (e ^ f) + (f ^ g) + (g ^ h) + (h ^ a);
        int32_t count = a + b + c + d + e + f + g + h;
        codes[column] = changes > 2 ? CODES - 1 : count;
    }
}

static void measure_patterns(Plane grey, int32_t *codes, float *found) {
    long counts[CODES] = {0};
    for (long row = 1; row < grey.rows - 1; row++) {
        const float *here = grey.at + row * grey.columns + 1;
        pattern_row(here - grey.columns, here, here + grey.columns, grey.columns - 2, codes);
        for (long column = 0; column < grey.columns - 2; column++) counts[codes[column]]++;
    }
    for (int code = 0; code < CODES; code++) found[code] = (float)counts[code];
}

enum { PRODUCTS = 8 }; /* light, warm, purple by each other; light cubed, and its fourth power */

/* Adds the products of one row of the three layers to `sums`. */
static void add_products(const float *light, const float *warm, const float *purple, long n,
                         double *sums) {
    Lanes r[PRODUCTS];
    memset(r, 0, sizeof r);
    long i = 0;
    for (; i + LANES <= n; i += LANES) {
        Lanes l = lanes(light + i), w = lanes(warm + i), p = lanes(purple + i), square = l * l;
        r[0] += square, r[1] += l * w, r[2] += l * p, r[3] += w * w, r[4] += w * p, r[5] += p * p;
        r[6] += square * l, r[7] += square * square;
    }
    for (int at = 0; at < PRODUCTS; at++) sums[at] += across(r[at]);
    for (; i < n; i++) {
        float l = light[i], w = warm[i], p = purple[i], square = l * l;
        float terms[PRODUCTS] = {square, l * w, l * p, w * w, w * p, p * p, square * l, square * square};
        for (int at = 0; at < PRODUCTS; at++) sums[at] += terms[at];
    }
}

static void measure_band(const Plane *fine, const Plane *coarse, float *work, int at,
                         Measures *found) {
    long rows = 2 * coarse[0].rows, columns = 2 * coarse[0].columns;
    float *warm = work, *purple = work + columns, *light = work + 2 * columns;
    double sums[PRODUCTS] = {0};
    for (long row = 0; row < rows; row++) {
        octave_row(fine[0], coarse[0], row, light + row * columns);
        octave_row(fine[1], coarse[1], row, warm);
        octave_row(fine[2], coarse[2], row, purple);
        add_products(light + row * columns, warm, purple, columns, sums);
    }
    static const int of[3][3] = {{0, 1, 2}, {1, 3, 4}, {2, 4, 5}};
    for (int one = 0; one < 3; one++)
        for (int other = 0; other < 3; other++)
            found->moments[at][one][other] = (float)sums[of[one][other]];
    found->cubed[at] = (float)sums[6];
    found->fourth[at] = (float)sums[7];
    found->band_light[at] = deviation(light, rows * columns);
}

/* The three layers lie at `work`, and what halving makes of them behind. */
static void measure_scales(long rows, long columns, float *work, Measures *found) {
    long n = rows * columns;
    Plane fine[3], coarse[3];
    for (int layer = 0; layer < 3; layer++) fine[layer] = (Plane){work + layer * n, rows, columns};
    found->light = deviation(work, n);
    float *free = work + 3 * n;
    for (int at = 0; at < OCTAVES && can_be_halved(fine[0]); at++) {
        for (int layer = 0; layer < 3; layer++) {
            coarse[layer] = halved(fine[layer], free);
            free += coarse[layer].rows * coarse[layer].columns;
        }
        measure_band(fine, coarse, free, at, found);
        memcpy(fine, coarse, sizeof fine);
    }
}

/* The layers of light_warm_purple, from bytes; and green. */
static void part_layers(const View *view, float *restrict green, float *restrict layers) {
    long n = view->rows * view->columns;
    const uint8_t *pixels = view->pixels;
    float *restrict warm = layers + n, *restrict purple = layers + 2 * n;
    for (long i = 0; i < n; i++) {
        int32_t r = pixels[3 * i], g = pixels[3 * i + 1], b = pixels[3 * i + 2];
        green[i] = (float)g;
        layers[i] = (float)(r + b + 2 * g) * 0.25f;
        warm[i] = (float)(r - b);
        purple[i] = (float)(r + b - 2 * g) * 0.5f;
    }
}

static long count_alike(const View *view) {
    long count = 0;
    for (long row = 0; row < view->rows; row++) {
        const uint8_t *green = view->pixels + 3 * row * view->columns + 1;
        int of_row = 0;
        for (long column = 1; column < view->columns; column++)
            of_row += green[3 * column] == green[3 * column - 3];
        count += of_row;
    }
    return count;
}

/* Every second pixel of the halved picture, and of its rows. */
static void take_sample(const View *view, float *to) {
    for (int colour = 0; colour < 3; colour++)
        for (long row = 0; row < view->rows / 2; row += 2)
            for (long column = 0; column < view->columns / 2; column += 2) {
                const uint8_t *upper = view->pixels + 3 * (2 * row * view->columns + 2 * column) + colour;
                const uint8_t *lower = upper + 3 * view->columns;
                *to++ = (float)(upper[0] + upper[3] + lower[0] + lower[3]) * 0.25f;
            }
}

void MEASURE_TEXTURE(const View *view) {
    long n = view->rows * view->columns;
    Measures *found = view->found;
    memset(found, 0, sizeof *found);
    float *layers = view->work, *green = layers + 3 * n, *halves = green + n;
    part_layers(view, green, layers);
    take_sample(view, view->sample);
    found->alike = (float)count_alike(view);
    Plane half = halved((Plane){green, view->rows, view->columns}, halves);
    long quarter = half.rows * half.columns;
    float *free = halves + 2 * quarter; /* of halves: a third of n at most, and twice a quarter */
    measure_greens((Plane){green, view->rows, view->columns}, half, halves, free, found->green);
    Plane coarse = {halves + quarter, half.rows / 2, half.columns / 2};
    measure_directions(half, free, view->blocks, found);
    measure_sameness(half, free, found);
    measure_blobs(half, free, 0, found);
    measure_blobs(coarse, free, 1, found);
    measure_patterns(half, (int32_t *)free, found->patterns[0]);
    measure_patterns(coarse, (int32_t *)free, found->patterns[1]);
    measure_scales(view->rows, view->columns, layers, found);
}

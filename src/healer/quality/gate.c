/* The gate's measures for any processor, and which of the two to call. */
#define MEASURE_TEXTURE texture_plainly
#define MEASURE_COLOUR colour_plainly
#include "colour_body.h"
#include "texture_body.h"

void texture_avx2(const View *view);
void colour_avx2(const Sample *sample);

static int has_avx2(void) {
#if defined(__x86_64__) && !defined(HEALER_WITHOUT_AVX2)
    return __builtin_cpu_supports("avx2");
#else
    return 0;
#endif
}

#if !defined(__x86_64__) || defined(HEALER_WITHOUT_AVX2)
#define texture_avx2 texture_plainly
#define colour_avx2 colour_plainly
#endif

/* `Measures` and `Colours` are so many floats, or texture.py and stains.py are of another Healer. */
long healer_measures(void) { return sizeof(Measures) / sizeof(float); }
long healer_colours(void) { return sizeof(Colours) / sizeof(float); }

long healer_texture_work(long rows, long columns) {
    return 6 * rows * columns + 4 * columns; /* three layers, green, its halves, and a band */
}

void healer_texture(const uint8_t *pixels, long rows, long columns, float *sample, float *blocks,
                    float *work, float *found) {
    View view = {pixels, rows, columns, sample, blocks, work, (Measures *)found};
    (has_avx2() ? texture_avx2 : texture_plainly)(&view);
}

/* `arrays` are density, share, x, y, saturation and work, one behind the other. */
void healer_colour(const float *planes, long pixels, const float *density_of, float *arrays,
                   int32_t *cube, float *found) {
    float *share = arrays + 6 * pixels;
    Sample sample = {planes, pixels,           density_of,       arrays,
                     share,  share + 2 * pixels, share + 4 * pixels, share + 6 * pixels,
                     share + 8 * pixels, cube, (Colours *)found};
    (has_avx2() ? colour_avx2 : colour_plainly)(&sample);
}

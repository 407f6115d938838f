/* What the gate measures of texture: for any processor, and which of the two to call. */
#define MEASURE_TEXTURE measure_plainly
#include "texture_body.h"

void measure_texture_avx2(const View *view);

long healer_texture_work(long rows, long columns) {
    return 6 * rows * columns + 4 * columns; /* three layers, green, its halves, and a band */
}

/* `Measures` is so many floats, or texture.py was written for another. */
long healer_texture_floats(void) { return sizeof(Measures) / sizeof(float); }

void healer_texture(const uint8_t *pixels, long rows, long columns, float *sample, float *blocks,
                    float *work, float *found) {
    View view = {pixels, rows, columns, sample, blocks, work, (Measures *)found};
#if defined(__x86_64__) && !defined(HEALER_WITHOUT_AVX2)
    if (__builtin_cpu_supports("avx2")) {
        measure_texture_avx2(&view);
        return;
    }
#endif
    measure_plainly(&view);
}

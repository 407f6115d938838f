/* What the gate measures of texture, for x86 processors with AVX2. */
#if defined(__x86_64__) && !defined(HEALER_WITHOUT_AVX2)
#pragma GCC target("avx2")
#define MEASURE_TEXTURE measure_texture_avx2
#include "texture_body.h"
#endif

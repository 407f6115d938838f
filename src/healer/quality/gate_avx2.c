/* The gate's measures for x86 processors with AVX2. */
#if defined(__x86_64__) && !defined(HEALER_WITHOUT_AVX2)
#pragma GCC target("avx2")
#define MEASURE_TEXTURE texture_avx2
#define MEASURE_COLOUR colour_avx2
#include "colour_body.h"
#include "texture_body.h"
#endif

/* What the kernels of products have in common: activations x weightsᵀ, with weights of 8 bits.
 *
 * An activation is rounded against the highest of its token: to 16 bits, held as two bytes of its own
 * sign, 256 · high + low, or where `healer optimize` found that enough to 8, which takes half as long.
 * Bytes are what the processor multiplies fastest, and two of them leave 1e-4 of a token's highest
 * activation, so that next to nothing is lost besides the weights' own rounding. Sums are exact, in
 * 32-bit integers. */
#ifndef HEALER_PRODUCTS_H
#define HEALER_PRODUCTS_H

#include <immintrin.h>
#include <stdint.h>

enum {
    LANES = 16,      /* 32-bit values in a register; tokens in a group */
    STEP = 64,       /* bytes in a register */
    HIGHEST = 32512, /* of an activation's 16 bits: 127 · 256 */
    HIGHEST_BYTE = 127,
    PART = 2,        /* registers' bytes that are rounded on their own */
};

/* (rows, columns), a row for each output: a weight is (value - zero) · scale. Without `bias`, none is
 * added. */
typedef struct {
    const uint8_t *values, *zero;
    const float *scale, *bias;
    long rows, columns;
} Matrix;

/* What becomes of a product: nothing, GELU (its tanh form), or GELU times that with `up`. */
typedef enum { PLAIN, GELU, GATED } After;

/* `x` is (tokens, columns), and there are `count` products of it: `out` of each is (tokens, rows). A
 * gated one has `a` and then `up`, of as many rows. An activation is `bytes` long, 1 or 2; that of a
 * single token is always 2, as only its weights take time. With `parted`, which takes one byte, PART
 * columns of a token at a time are rounded against the highest of them. */
typedef struct {
    const float *x;
    const Matrix *const *matrices;
    float *const *outs;
    void *scratch;
    long tokens;
    After after;
    int count, bytes, parted;
} Products;

#pragma GCC visibility push(hidden)

/* Bytes that a product of one token is worked out in, aligned to 64. */
long token_scratch(long columns);

/* Rounds the activations, into the scratch, and multiplies. */
void multiply_token(const Products *products, int threads);

#pragma GCC visibility pop

#define KERNEL __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))) static
#define INLINE KERNEL inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 16")

INLINE __mmask16 first(long count) {
    return count >= LANES ? 0xffff : count > 0 ? (1 << count) - 1 : 0;
}

INLINE __mmask64 first_bytes(long count) {
    return count >= STEP ? ~0ull : count > 0 ? (1ull << count) - 1 : 0;
}

static inline long up_to(long count, long each) { return (count + each - 1) / each; }

/* NaN where any activation is not finite, so that none is lost. */
INLINE float highest(const float *x, long count) {
    __m512 top = _mm512_setzero_ps(), nothing = top;
    for (long c = 0; c < count; c += LANES) {
        __m512 each = _mm512_maskz_loadu_ps(first(count - c), x + c);
        top = _mm512_max_ps(top, _mm512_abs_ps(each));
        nothing = _mm512_fmadd_ps(each, _mm512_setzero_ps(), nothing);
    }
    return _mm512_reduce_max_ps(top) + _mm512_reduce_add_ps(nothing);
}

typedef struct {
    __m512i high, low;
} Halves;

INLINE Halves halves(__m512 x, __m512 gain) {
    __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(x, gain));
    __m512i high = _mm512_srai_epi32(_mm512_add_epi32(whole, _mm512_set1_epi32(128)), 8);
    return (Halves){high, _mm512_sub_epi32(whole, _mm512_slli_epi32(high, 8))};
}

/* Sums of both halves as one number, without what the weights' zero added: `total` activations. */
INLINE __m512 joined(__m512i high, __m512i low, __m512 zero, __m512 total) {
    __m512 sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(high), _mm512_set1_ps(256),
                                 _mm512_cvtepi32_ps(low));
    return _mm512_fnmadd_ps(zero, total, sum);
}

/* e^x within 3e-7 of it */
INLINE __m512 exponential(__m512 x) {
    static const float terms[] = {1.3333558e-3f, 9.6181291e-3f, 5.5504109e-2f, 0.24022651f,
                                  0.69314718f, 1};
    x = _mm512_mul_ps(x, _mm512_set1_ps(1.44269504f));
    __m512 rest = _mm512_reduce_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 y = _mm512_setzero_ps();
    UNROLLED for (int i = 0; i < 6; i++) y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(terms[i]));
    return _mm512_scalef_ps(y, _mm512_sub_ps(x, rest));
}

/* x · sigmoid(2u) is x (1 + tanh u) / 2, with u = √(2/π) (x + 0.044715 x³). */
INLINE __m512 gelu(__m512 x) {
    const float twice = -1.59576912f;
    __m512 inner = _mm512_fmadd_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(0.044715f * twice),
                                   _mm512_set1_ps(twice));
    __m512 power = exponential(_mm512_mul_ps(x, inner));
    return _mm512_div_ps(x, _mm512_add_ps(_mm512_set1_ps(1), power));
}

#endif

/* Products with 8-bit weights: what Python calls, and those of a single token. */
#include "products.h"

#include "amx.h"
#include "threads.h"

/* ---- one token: the weights are read once, in order, at the rate that memory gives them ---- */

enum {
    ROWS_AT_ONCE = 64,
    AHEAD = 1024, /* bytes: the processor by itself reads ahead within a page only */
};

/* `x` is the high bytes, then the low ones, each filled up to a whole register. */
typedef struct {
    float scale, total;
    int8_t x[];
} Token;

long token_scratch(long columns) {
    return (long)sizeof(Token) + 2 * STEP * up_to(columns, STEP);
}

KERNEL void round_token(const Products *products) {
    Token *to = products->scratch;
    long columns = products->matrices[0]->columns, filled = STEP * up_to(columns, STEP);
    float top = highest(products->x, columns);
    __m512 gain = _mm512_set1_ps(top > 0 ? HIGHEST / top : 0);
    __m512i high = _mm512_setzero_si512(), low = high;
    for (long c = 0; c < filled; c += LANES) {
        __m512 x = _mm512_maskz_loadu_ps(first(columns - c), products->x + c);
        Halves each = halves(x, gain);
        high = _mm512_add_epi32(high, each.high), low = _mm512_add_epi32(low, each.low);
        _mm_storeu_si128((__m128i *)(to->x + c), _mm512_cvtepi32_epi8(each.high));
        _mm_storeu_si128((__m128i *)(to->x + filled + c), _mm512_cvtepi32_epi8(each.low));
    }
    to->scale = top / HIGHEST;
    to->total = 256.f * _mm512_reduce_add_epi32(high) + _mm512_reduce_add_epi32(low);
}

/* Adds a register of weights times both halves of as many activations. */
#define ADD(high, low, weights, column)                                                            \
    high = _mm512_dpbusd_epi32(high, weights, _mm512_loadu_si512(token->x + (column)));            \
    low = _mm512_dpbusd_epi32(low, weights, _mm512_loadu_si512(token->x + filled + (column)))

/* Of one row; two sums of each half, as one alone would wait for itself. */
INLINE void dot(const Matrix *m, long row, const Token *token, int32_t *to_high, int32_t *to_low) {
    long columns = m->columns, filled = STEP * up_to(columns, STEP), c = 0;
    const uint8_t *values = m->values + row * columns;
    __m512i high = _mm512_setzero_si512(), low = high, high2 = high, low2 = high;
    for (; c + 2 * STEP <= columns; c += 2 * STEP) {
        __m512i w = _mm512_loadu_si512(values + c);
        __m512i w2 = _mm512_loadu_si512(values + c + STEP);
        _mm_prefetch((const char *)values + c + AHEAD, _MM_HINT_T0);
        _mm_prefetch((const char *)values + c + AHEAD + STEP, _MM_HINT_T0);
        ADD(high, low, w, c);
        ADD(high2, low2, w2, c + STEP);
    }
    for (; c < columns; c += STEP) {
        __m512i w = _mm512_maskz_loadu_epi8(first_bytes(columns - c), values + c);
        ADD(high, low, w, c);
    }
    *to_high = _mm512_reduce_add_epi32(_mm512_add_epi32(high, high2));
    *to_low = _mm512_reduce_add_epi32(_mm512_add_epi32(low, low2));
}

/* Of LANES rows. */
INLINE __m512 dots(const Matrix *m, long row, const Token *token) {
    int32_t high[LANES] = {0}, low[LANES] = {0};
    __mmask16 there = first(m->rows - row);
    for (int r = 0; r < LANES && row + r < m->rows; r++)
        dot(m, row + r, token, &high[r], &low[r]);
    __m512i zero = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(there, m->zero + row));
    __m512 sum = joined(_mm512_loadu_si512(high), _mm512_loadu_si512(low),
                        _mm512_cvtepi32_ps(zero), _mm512_set1_ps(token->total));
    __m512 scale = _mm512_mul_ps(_mm512_maskz_loadu_ps(there, m->scale + row),
                                 _mm512_set1_ps(token->scale));
    __m512 bias = m->bias ? _mm512_maskz_loadu_ps(there, m->bias + row) : _mm512_setzero_ps();
    return _mm512_fmadd_ps(sum, scale, bias);
}

/* The products' rows one after another, ROWS_AT_ONCE of each product at a time. */
KERNEL void multiply_rows(const void *given, long index) {
    const Products *products = given;
    const Matrix *const *a = products->matrices;
    float *const *out = products->outs;
    for (long blocks; index >= (blocks = up_to((*a)->rows, ROWS_AT_ONCE)); a++, out++)
        index -= blocks;
    long end = (index + 1) * ROWS_AT_ONCE < (*a)->rows ? (index + 1) * ROWS_AT_ONCE : (*a)->rows;
    for (long row = index * ROWS_AT_ONCE; row < end; row += LANES) {
        __m512 y = dots(*a, row, products->scratch);
        if (products->after != PLAIN) y = gelu(y);
        if (products->after == GATED) y = _mm512_mul_ps(y, dots(a[1], row, products->scratch));
        _mm512_mask_storeu_ps(*out + row, first((*a)->rows - row), y);
    }
}

void multiply_token(const Products *products, int threads) {
    long blocks = 0;
    for (int i = 0; i < products->count; i++)
        blocks += up_to(products->matrices[i]->rows, ROWS_AT_ONCE);
    round_token(products);
    share(multiply_rows, products, blocks, threads);
}

/* ---- what Python calls ---- */

int healer_products_run(void) { return amx_usable(); }

/* Bytes that healer_products needs to work in, aligned to 64; 0 for a shape it cannot do. */
long healer_products_scratch(long tokens, long columns, int after, int bytes) {
    return tokens == 1 ? token_scratch(columns) : group_scratch(tokens, columns, after, bytes);
}

void healer_products(const float *x, long tokens, const Matrix *const *matrices, float *const *outs,
                     int count, void *scratch, int after, int bytes, int threads) {
    Products products = {.x = x, .matrices = matrices, .outs = outs, .scratch = scratch,
                         .tokens = tokens, .after = after, .count = count, .bytes = bytes};
    if (tokens == 1)
        multiply_token(&products, threads);
    else
        multiply_groups(&products, threads);
}

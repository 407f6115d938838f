/* Products with 8-bit weights: what Python calls, and those of a single token. */
#include "groups.h"
#include "threads.h"

/* ---- one token: the weights are read once, in order, at the rate that memory gives them ---- */

enum { AHEAD = 2048 }; /* bytes: the processor by itself reads ahead within a page only */

/* `x` is the high bytes, then the low ones, each filled up to a whole register. */
typedef struct {
    float scale, total;
    _Alignas(STEP) int8_t x[];
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

/* The sums of each, in order. */
INLINE __m128i totals(__m512i a, __m512i b, __m512i c, __m512i d) {
    __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
    __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

/* Two rows of weights with both halves of the activations, and what is fetched after their ends. */
typedef struct {
    const uint8_t *row[2], *next[2];
} Pair;

/* Adds a register of both rows times both halves of as many activations. */
#define ADD(w, w2, c)                                                                              \
    do {                                                                                           \
        __m512i x = _mm512_load_si512(token->x + (c));                                             \
        __m512i x2 = _mm512_load_si512(token->x + filled + (c));                                   \
        high = _mm512_dpbusd_epi32(high, w, x), low = _mm512_dpbusd_epi32(low, w, x2);             \
        high2 = _mm512_dpbusd_epi32(high2, w2, x), low2 = _mm512_dpbusd_epi32(low2, w2, x2);       \
    } while (0)

INLINE __m128i dot(Pair pair, long columns, const Token *token) {
    long filled = STEP * up_to(columns, STEP), end = filled > AHEAD ? filled - AHEAD : 0, c = 0;
    const uint8_t *ahead = pair.row[0] + AHEAD, *ahead2 = pair.row[1] + AHEAD;
    __m512i high = _mm512_setzero_si512(), low = high, high2 = high, low2 = high;
    for (; c + STEP <= columns; c += STEP) {
        __m512i w = _mm512_loadu_si512(pair.row[0] + c), w2 = _mm512_loadu_si512(pair.row[1] + c);
        if (c == end) ahead = pair.next[0] - end, ahead2 = pair.next[1] - end;
        _mm_prefetch((const char *)ahead + c, _MM_HINT_T0);
        _mm_prefetch((const char *)ahead2 + c, _MM_HINT_T0);
        ADD(w, w2, c);
    }
    if (c < columns) {
        __mmask64 there = first_bytes(columns - c);
        __m512i w = _mm512_maskz_loadu_epi8(there, pair.row[0] + c);
        __m512i w2 = _mm512_maskz_loadu_epi8(there, pair.row[1] + c);
        ADD(w, w2, c);
    }
    return totals(high, low, high2, low2);
}

/* Of LANES rows, sums of their products with the high bytes and with the low ones. */
typedef int32_t Halved[LANES][2];

/* LANES rows of two matrices, or of two places in one: two streams of weights, each in order, come
 * from memory sooner than one. */
INLINE void dots(const Matrix *m, long row, const Matrix *m2, long row2, const Token *token,
                 Halved sums, Halved sums2) {
    long rows = m->rows - row, rows2 = m2->rows - row2, columns = m->columns;
    const uint8_t *at = m->values + row * columns, *at2 = m2->values + row2 * columns;
    for (long r = 0; r < LANES && r < rows; r++, at += columns, at2 += columns) {
        const uint8_t *second = r < rows2 ? at2 : at;
        __m128i both = dot((Pair){{at, second}, {at + columns, second + columns}}, columns, token);
        _mm_storel_epi64((__m128i *)sums[r], both);
        _mm_storel_epi64((__m128i *)sums2[r], _mm_unpackhi_epi64(both, both));
    }
}

INLINE __m512 result(const Matrix *m, long row, const Token *token, const Halved sums) {
    __mmask16 there = first(m->rows - row);
    __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    __m512i some = _mm512_load_si512(sums[0]), others = _mm512_load_si512(sums[LANES / 2]);
    __m512i high = _mm512_permutex2var_epi32(some, even, others);
    __m512i low = _mm512_permutex2var_epi32(some, odd, others);
    __m512i zero = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(there, m->zero + row));
    __m512 sum = joined(high, low, _mm512_cvtepi32_ps(zero), _mm512_set1_ps(token->total));
    __m512 scale = _mm512_mul_ps(_mm512_maskz_loadu_ps(there, m->scale + row),
                                 _mm512_set1_ps(token->scale));
    __m512 bias = m->bias ? _mm512_maskz_loadu_ps(there, m->bias + row) : _mm512_setzero_ps();
    return _mm512_fmadd_ps(sum, scale, bias);
}

INLINE void write(const Matrix *m, long row, __m512 y, float *out) {
    _mm512_mask_storeu_ps(out + row, first(m->rows - row), y);
}

static long half(const Matrix *m) { return LANES * up_to(m->rows, 2 * LANES); }

KERNEL void multiply_gated(const void *given, long index) {
    const Products *products = given;
    const Token *token = products->scratch;
    const Matrix *a = products->matrices[0], *up = products->matrices[1];
    _Alignas(STEP) Halved sums = {0}, up_sums = {0};
    long row = index * LANES;
    dots(a, row, up, row, token, sums, up_sums);
    __m512 y = _mm512_mul_ps(gelu(result(a, row, token, sums)), result(up, row, token, up_sums));
    write(a, row, y, products->outs[0]);
}

/* LANES rows of each half of one of the products, which follow one another. */
KERNEL void multiply_halves(const void *given, long index) {
    const Products *products = given;
    const Token *token = products->scratch;
    const Matrix *const *a = products->matrices;
    float *const *out = products->outs;
    _Alignas(STEP) Halved sums = {0}, sums2 = {0};
    for (; index * LANES >= half(*a); a++, out++) index -= half(*a) / LANES;
    long row = index * LANES, row2 = row + half(*a);
    dots(*a, row, *a, row2, token, sums, sums2);
    __m512 y = result(*a, row, token, sums), y2 = result(*a, row2, token, sums2);
    int plain = products->after == PLAIN;
    write(*a, row, plain ? y : gelu(y), *out);
    write(*a, row2, plain ? y2 : gelu(y2), *out);
}

void multiply_token(const Products *products, int threads) {
    long gated = up_to(products->matrices[0]->rows, LANES), blocks = 0;
    round_token(products);
    if (products->after == GATED) {
        share_in_order(multiply_gated, products, gated, threads);
        return;
    }
    for (int i = 0; i < products->count; i++) blocks += half(products->matrices[i]) / LANES;
    share_in_order(multiply_halves, products, blocks, threads);
}

/* ---- what Python calls ---- */

static const Unit *const units[] = {&vnni_unit, &amx_unit};

/* Whether this machine has the unit, numbered as in products.py. */
int healer_products_run(int unit) { return unit ? amx_products_usable() : vnni_products_usable(); }

/* As products.py numbers them: an activation's bytes, or one byte in parts. */
enum { IN_PARTS = 3 };

static int bytes_of(int numbers) { return numbers == IN_PARTS ? 1 : numbers; }

/* Bytes that healer_products needs to work in, aligned to 64; 0 for a shape it cannot do. */
long healer_products_scratch(long tokens, long columns, int after, int numbers) {
    if (tokens == 1) return token_scratch(columns);
    return group_scratch(tokens, columns, after, bytes_of(numbers), numbers == IN_PARTS);
}

/* In parts by VNNI alone. */
void healer_products(const float *x, long tokens, const Matrix *const *matrices, float *const *outs,
                     int count, void *scratch, int after, int numbers, int unit, int threads) {
    Products products = {.x = x, .matrices = matrices, .outs = outs, .scratch = scratch,
                         .tokens = tokens, .after = after, .count = count,
                         .bytes = bytes_of(numbers), .parted = numbers == IN_PARTS};
    if (tokens == 1)
        multiply_token(&products, threads);
    else
        multiply_groups(&products, units[unit], threads);
}

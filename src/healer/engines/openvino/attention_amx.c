/* Bidirectional attention in bfloat16, for x86 processors with AMX.
 *
 * out = softmax(q kᵀ / √width) v for each head, without a mask. Products of bfloat16 are exact and
 * are summed in float32, so that what is rounded is q, k and v (not at all where they are bfloat16
 * already) and the weights.
 *
 * The matrix unit multiplies so fast that moving its operands and the exponentials take most of the
 * time. So, as in FlashAttention (arXiv 2205.14135), 16 queries meet 32 keys at a time, and their
 * results never leave the registers. Everything is turned so that a query has a lane of its own:
 * scores are (keys, queries) and results (channels, queries). While the matrix unit makes the next
 * scores and adds the last values, the exponentials of the scores between are taken. Weights are
 * against a score that follows the highest one only when it is far behind (floating point does not
 * mind), and a channel of ones among the values sums them as they were rounded.
 */
#include "attention.h"

#include "amx.h"
#include "threads.h"

#if defined(__x86_64__) && __has_include(<amxbf16intrin.h>) && !defined(HEALER_WITHOUT_AMX)

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define KERNEL __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"))) static
#define INLINE KERNEL inline __attribute__((always_inline))

enum {
    LANES = 16,       /* float32 values in a register; queries in a group */
    KEYS = 32,        /* keys in a block */
    STEPS = 3,        /* products of a score, each over 32 channels */
    WIDE = 32 * STEPS, /* channels of q and k with empty ones */
    ROWS = 5 * LANES, /* channels of v, one of ones and empty ones */
    SLACK = 16,       /* weights reach 2^SLACK before those so far are scaled down */
};

/* A block of keys with their values, as bfloat16. */
typedef struct {
    uint16_t k[KEYS][WIDE], v[ROWS][KEYS];
} Block;

/* A group of queries, as pairs of channels, with their results so far: these are against weights
 * of 1 at the score `top`, which is log2. */
typedef struct {
    _Alignas(64) uint32_t q[WIDE / 2][LANES];
    float out[ROWS][LANES], top[LANES];
} Group;

typedef float Scores[KEYS][LANES];
typedef uint32_t Weights[KEYS / 2][LANES]; /* pairs of keys */

static Block *blocks_of(const Job *job, long head) {
    return (Block *)job->scratch + head * (job->keys / KEYS);
}

/* ---- between float32 and bfloat16 ---- */

INLINE __mmask16 first(long count) {
    return count >= LANES ? 0xffff : count > 0 ? (1 << count) - 1 : 0;
}

INLINE __m512i rounded(__m512 high, __m512 low) {
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

static const _Alignas(64) uint16_t ALTERNATING[] = {
    0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
    8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31,
};

INLINE __m512i paired(__m512 even, __m512 odd, __m512i alternating) {
    return _mm512_permutexvar_epi16(alternating, rounded(odd, even));
}

/* Where the same channel of 16 tokens lies. */
INLINE __m512i column(const Job *job) {
    __m512i each = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    return _mm512_mullo_epi32(each, _mm512_set1_epi32((int)job->stride));
}

/* Those of 16 tokens from `x` on that are there, which `there` of them are. */
INLINE __m512 gather(const float *x, long there, __m512i at) {
    return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), first(there), at, x, sizeof *x);
}

/* Channel `width` of a query is 1 and of a key 0, or where there is no key what leaves no weight. */
KERNEL void prepare_keys(const Job *job, const float *k, long there, Block *to) {
    for (int t = 0; t < KEYS; t++) {
        int channels = t < there ? job->width : 0;
        for (int c = 0; c < WIDE; c += 2 * LANES) {
            const float *x = k + t * job->stride + c;
            __m512 low = _mm512_maskz_loadu_ps(first(channels - c), x);
            __m512 high = _mm512_maskz_loadu_ps(first(channels - c - LANES), x + LANES);
            _mm512_store_si512(&to->k[t][c], rounded(high, low));
        }
        if (t >= there) to->k[t][job->width] = 0xff7f; /* the lowest bfloat16 */
    }
}

/* Channel `width` is 1, so that a sum of values with their weights has that of the weights. */
KERNEL void prepare_values(const Job *job, const float *v, long there, Block *to) {
    __m512i at = column(job);
    __m512 one = _mm512_set1_ps(1);
    for (int c = 0; c < ROWS; c++) {
        __m512 low = _mm512_setzero_ps(), high = low;
        if (c < job->width) {
            low = gather(v + c, there, at);
            high = gather(v + c + LANES * job->stride, there - LANES, at);
        } else if (c == job->width) {
            low = _mm512_maskz_mov_ps(first(there), one);
            high = _mm512_maskz_mov_ps(first(there - LANES), one);
        }
        _mm512_store_si512(to->v[c], rounded(high, low));
    }
}

KERNEL void prepare_block(const void *given, long index) {
    const Job *job = given;
    long blocks = job->keys / KEYS, token = index % blocks * KEYS, head = index / blocks;
    long at = token * job->stride + head * job->width;
    Block *to = blocks_of(job, head) + index % blocks;
    prepare_keys(job, job->k + at, job->tokens - token, to);
    prepare_values(job, job->v + at, job->tokens - token, to);
}

KERNEL void prepare_group(const Job *job, const float *q, long there, Group *to) {
    __m512i at = column(job), alternating = _mm512_load_si512(ALTERNATING);
    for (int c = 0; c < WIDE; c += 2) {
        __m512 x[2];
        for (int i = 0; i < 2; i++)
            x[i] = c + i < job->width ? gather(q + c + i, there, at)
                                      : _mm512_set1_ps(c + i == job->width);
        _mm512_store_si512(to->q[c / 2], paired(x[0], x[1], alternating));
    }
    memset(to->out, 0, sizeof to->out);
    for (int r = 0; r < LANES; r++) to->top[r] = -FLT_MAX;
}

KERNEL void finish(const Job *job, const Group *group, long there, float *out) {
    __m512i at = column(job);
    __m512 gain = _mm512_div_ps(_mm512_set1_ps(1), _mm512_load_ps(group->out[job->width]));
    for (int c = 0; c < job->width; c++) {
        __m512 x = _mm512_mul_ps(_mm512_load_ps(group->out[c]), gain);
        _mm512_mask_i32scatter_ps(out + c, first(there), at, x, sizeof *out);
    }
}

/* ---- the matrix unit ----
 *
 * Of its eight registers, 0 to 4 are results, 5 is scores, and 6 and 7 are what is multiplied. */

#define ADD(register) ADD_BFLOAT16(register, 6, 7)
#define EACH(do) do(0) do(1) do(2) do(3) do(4)

INLINE void load_out(const Group *group) {
#define LOAD_OUT(i) LOAD(i, group->out[i * LANES], 64);
    EACH(LOAD_OUT)
#undef LOAD_OUT
}

INLINE void store_out(Group *group) {
#define STORE_OUT(i) STORE(i, group->out[i * LANES]);
    EACH(STORE_OUT)
#undef STORE_OUT
}

INLINE void add_score(const Block *block, const Group *group, int keys, int step) {
    LOAD(6, &block->k[keys][2 * LANES * step], sizeof block->k[0]);
    LOAD(7, group->q[LANES * step], 64);
    ADD(5);
}

/* ---- one group of queries ---- */

/* 2^x within 0.01 %, exactly 1 at 0; 0 far below. */
INLINE __m512 power_of_2(__m512 x) {
    __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); /* x - floor(x) */
    __m512 y = _mm512_fmadd_ps(f, _mm512_set1_ps(0.0782680f), _mm512_set1_ps(0.2263077f));
    y = _mm512_fmadd_ps(f, y, _mm512_set1_ps(0.6954243f));
    return _mm512_scalef_ps(_mm512_fmadd_ps(f, y, _mm512_set1_ps(1)), x); /* times 2^floor(x) */
}

INLINE void weigh(Scores scores, Weights to, int pair, __m512 scale, __m512 top,
                  __m512i alternating) {
    __m512 even = _mm512_fmsub_ps(_mm512_load_ps(scores[2 * pair]), scale, top);
    __m512 odd = _mm512_fmsub_ps(_mm512_load_ps(scores[2 * pair + 1]), scale, top);
    _mm512_store_si512(to[pair], paired(power_of_2(even), power_of_2(odd), alternating));
}

/* Adds the weighted values of the last block, weighs the scores of this one and makes those of the
 * next, all at once: what the matrix unit does is cut into pieces between those of the others.
 * Returns the highest score of each query, before scaling. */
INLINE __m512 step(const Block *last, Weights weighted, Scores scores, Weights to, __m512 scale,
                   const Group *group, const Block *next, Scores next_scores) {
    __m512i alternating = _mm512_load_si512(ALTERNATING);
    __m512 high = _mm512_set1_ps(-INFINITY), top = _mm512_load_ps(group->top);
    int pair = 0;
#define WEIGH()                                                        \
    high = _mm512_max_ps(high, _mm512_load_ps(scores[2 * pair]));     \
    high = _mm512_max_ps(high, _mm512_load_ps(scores[2 * pair + 1])); \
    weigh(scores, to, pair++, scale, top, alternating);
    LOAD(7, weighted, 64);
#define ADD_VALUES(i)                 \
    LOAD(6, last->v[i * LANES], 64); \
    ADD(i);                           \
    WEIGH()
    EACH(ADD_VALUES)
#undef ADD_VALUES
    for (int keys = 0; keys < KEYS; keys += LANES) {
        ZERO(5);
        for (int i = 0; i < STEPS; i++) {
            add_score(next, group, keys, i);
            WEIGH()
            if (pair < KEYS / 2) { WEIGH() }
        }
        STORE(5, next_scores[keys]);
    }
#undef WEIGH
    return high;
}

INLINE void score(const Block *block, const Group *group, Scores to) {
    for (int keys = 0; keys < KEYS; keys += LANES) {
        ZERO(5);
        for (int i = 0; i < STEPS; i++) add_score(block, group, keys, i);
        STORE(5, to[keys]);
    }
}

/* The scores of a block once more, as they were far above what their weights were against: results
 * so far become those against weights of 1 at `high`. */
KERNEL void weigh_again(Group *group, __m512 high, Scores scores, Weights to, __m512 scale) {
    __m512i alternating = _mm512_load_si512(ALTERNATING);
    __m512 before = _mm512_load_ps(group->top), top = _mm512_max_ps(before, high);
    __m512 less = power_of_2(_mm512_sub_ps(before, top));
    store_out(group);
    for (int c = 0; c < ROWS; c++)
        _mm512_store_ps(group->out[c], _mm512_mul_ps(_mm512_load_ps(group->out[c]), less));
    _mm512_store_ps(group->top, top);
    load_out(group);
    for (int pair = 0; pair < KEYS / 2; pair++) weigh(scores, to, pair, scale, top, alternating);
}

/* A group meets all keys of its head. */
KERNEL void meet(const Job *job, const Block *blocks, Group *group) {
    _Alignas(4096) Scores scores[2]; /* so that loads do not wait for stores a page away */
    _Alignas(64) Weights weights[2] = {0}; /* no block is the last at first: nothing is added */
    long count = job->keys / KEYS;
    __m512 scale = _mm512_set1_ps(1.44269504f / sqrtf((float)job->width)); /* log2(e) */
    load_out(group);
    score(blocks, group, scores[0]);
    for (long i = 0; i <= count; i++) { /* past the end, only to add the values of the last */
        int now = i % 2;
        const Block *last = blocks + (i ? i - 1 : 0), *next = blocks + (i + 1 < count ? i + 1 : 0);
        __m512 high = step(last, weights[!now], scores[now], weights[now], scale, group, next,
                           scores[!now]);
        high = _mm512_mul_ps(high, scale);
        __m512 far = _mm512_add_ps(_mm512_load_ps(group->top), _mm512_set1_ps(SLACK));
        if (_mm512_cmp_ps_mask(high, far, _CMP_GT_OQ))
            weigh_again(group, high, scores[now], weights[now], scale);
    }
    store_out(group);
}

KERNEL void attend_group(const void *given, long index) {
    const Job *job = given;
    Group group;
    long groups = (job->tokens + LANES - 1) / LANES, token = index % groups * LANES;
    long head = index / groups, there = job->tokens - token;
    long at = token * job->stride + head * job->width;
    prepare_group(job, job->q + at, there, &group);
    Shapes before = use_full_registers();
    meet(job, blocks_of(job, head), &group);
    put_back(before);
    finish(job, &group, there, job->out + at);
}

/* ---- the kernel ---- */

static long up_to_block(long count) { return (count + KEYS - 1) / KEYS * KEYS; }

long amx_scratch(long tokens, int heads, int width) {
    if (width >= ROWS) return 0;
    return heads * (up_to_block(tokens) / KEYS) * (long)sizeof(Block);
}

void amx_attention(Job *job, int threads) {
    job->keys = up_to_block(job->tokens);
    share(prepare_block, job, job->heads * (job->keys / KEYS), threads);
    share(attend_group, job, job->heads * ((job->tokens + LANES - 1) / LANES), threads);
}

#else /* another processor, or a compiler older than AMX */

long amx_scratch(long tokens, int heads, int width) { return (void)tokens, (void)heads, (void)width, 0; }
void amx_attention(Job *job, int threads) { (void)job, (void)threads; }

#endif

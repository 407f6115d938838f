/* Bidirectional attention in 16-bit integers, for x86 processors with AVX-512 VNNI.
 *
 * out = softmax(q kᵀ / √width) v for each head, without a mask. One instruction (vpdpwssd) does
 * twice the products of a float32 one, and loses only what rounding to 13 bits loses. 8 bits
 * (vpdpbusd) would be a third faster still, but lose ten times more, and far more where a few keys
 * or channels stand out.
 *
 * As in FlashAttention (arXiv 2205.14135), 32 queries meet 96 keys at a time, so that scores and
 * weights stay in the first cache. Each query has a lane of its own: nothing is summed across
 * lanes. What leaves the result as it is makes the rounding small (after SageAttention,
 * arXiv 2410.02367):
 *   - the mean of k moves all scores of a query alike, so it is left out;
 *   - the mean of q becomes a float32 bias of each key;
 *   - a factor for each channel, in q and its inverse in k, lets both reach equally far;
 *   - the mean of v is added at the end, since the weights of a query sum to one;
 *   - weights are rounded against the highest of their block, and summed as rounded.
 */
#include "attention.h"

#include "threads.h"

#include <float.h>
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define KERNEL __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))) static
#define INLINE KERNEL inline __attribute__((always_inline))

enum {
    LANES = 16,       /* 32-bit values in a register */
    ROWS = 2 * LANES, /* queries at a time */
    TILE = 12,        /* keys, or channels of v, at a time: 24 of 32 registers are their sums */
    BLOCK = 8 * TILE, /* keys whose weights share a scale */
    WIDEST = 96,      /* channels of a head */
    /* No sum may reach 2³¹: neither WIDEST · MOST · MOST nor BLOCK · 2^WEIGHT_BITS · MOST_V. */
    MOST = 4095,
    MOST_V = 2730,
    WEIGHT_BITS = 13,
};

/* A head as integers. A lane of vpdpwssd adds two products: `k` is (keys, wide), so these are of
 * neighbouring channels, and `v` is (keys / 2, wide, 2), so these are of neighbouring keys. */
typedef struct {
    int16_t *k, *v;
    float *scale, *bias; /* a key's score is its product times scale plus bias, and is log2 */
    float q_mean[WIDEST], q_gain[WIDEST], v_mean[WIDEST], v_step[WIDEST];
    int finite;
} Head;

static long aligned(long bytes) { return (bytes + 63) / 64 * 64; }

static long head_bytes(long keys, int wide) {
    return aligned(sizeof(Head)) + 2 * aligned(keys * wide * 2) + 2 * aligned(keys * 4);
}

static Head *head_at(const Job *job, long index) {
    long numbers = aligned(job->keys * job->wide * 2);
    char *at = job->scratch + index * head_bytes(job->keys, job->wide);
    Head *head = (Head *)at;
    head->k = (int16_t *)(at + aligned(sizeof(Head)));
    head->v = head->k + numbers / 2;
    head->scale = (float *)(head->v + numbers / 2);
    head->bias = head->scale + aligned(job->keys * 4) / 4;
    return head;
}

/* ---- from float32 to integers, 16 channels at a time ---- */

INLINE __mmask16 lanes(int channels, int c) {
    int left = channels - c;
    return left >= LANES ? 0xffff : left > 0 ? (1 << left) - 1 : 0;
}

/* Channels from `c`, less their means, times their gains. */
INLINE __m512 centred(const float *row, const float *mean, const float *gain, int width, int c) {
    __m512 x = _mm512_maskz_loadu_ps(lanes(width, c), row + c);
    return _mm512_mul_ps(_mm512_sub_ps(x, _mm512_loadu_ps(mean + c)), _mm512_loadu_ps(gain + c));
}

/* The mean of each channel over all tokens, and how far from it any token is. */
KERNEL void measure(const Job *job, const float *x, float *mean, float *reach) {
    for (int c = 0; c < job->wide; c += LANES) {
        __mmask16 there = lanes(job->width, c);
        __m512 sum = _mm512_setzero_ps(), low = _mm512_set1_ps(INFINITY), high = -low;
        for (long t = 0; t < job->tokens; t++) {
            __m512 row = _mm512_maskz_loadu_ps(there, x + t * job->stride + c);
            sum = _mm512_add_ps(sum, row);
            low = _mm512_min_ps(low, row);
            high = _mm512_max_ps(high, row);
        }
        __m512 middle = _mm512_div_ps(sum, _mm512_set1_ps((float)job->tokens));
        _mm512_storeu_ps(mean + c, middle);
        _mm512_storeu_ps(reach + c, _mm512_max_ps(high - middle, middle - low));
    }
}

/* A row of q or k, to `to`; returns what a step of its integers is worth. */
INLINE float quantise(const Job *job, const float *row, const float *mean, const float *gain,
                      int16_t *to) {
    __m512 top = _mm512_setzero_ps();
    for (int c = 0; c < job->wide; c += LANES)
        top = _mm512_max_ps(top, _mm512_abs_ps(centred(row, mean, gain, job->width, c)));
    float reach = _mm512_reduce_max_ps(top);
    __m512 steps = _mm512_set1_ps(reach > 0 ? MOST / reach : 0);
    for (int c = 0; c < job->wide; c += LANES) {
        __m512 x = _mm512_mul_ps(centred(row, mean, gain, job->width, c), steps);
        _mm512_mask_cvtepi32_storeu_epi16(to + c, lanes(job->wide, c), _mm512_cvtps_epi32(x));
    }
    return reach / MOST;
}

KERNEL void prepare_keys(const Job *job, Head *head, const float *k, const float *mean,
                         const float *gain) {
    for (long t = 0; t < job->keys; t++) {
        const float *row = k + t * job->stride;
        int16_t *to = head->k + t * job->wide;
        if (t < job->tokens) {
            head->scale[t] = quantise(job, row, mean, gain, to);
            __m512 sum = _mm512_setzero_ps();
            for (int c = 0; c < job->wide; c += LANES)
                sum += centred(row, mean, gain, job->width, c) *
                       _mm512_loadu_ps(head->q_mean + c) * _mm512_loadu_ps(head->q_gain + c);
            head->bias[t] = _mm512_reduce_add_ps(sum);
        } else {
            memset(to, 0, sizeof *to * job->wide);
            head->scale[t] = 0;
            head->bias[t] = -FLT_MAX; /* an empty key has no weight */
        }
    }
}

KERNEL void prepare_values(const Job *job, Head *head, const float *v, const float *steps) {
    for (long t = 0; t < job->keys; t++)
        for (int c = 0; c < job->wide; c += LANES) {
            __m512i x = _mm512_setzero_si512();
            if (t < job->tokens)
                x = _mm512_cvtps_epi32(
                    centred(v + t * job->stride, head->v_mean, steps, job->width, c));
            int32_t *pair = (int32_t *)head->v + t / 2 * job->wide + c;
            __mmask16 there = lanes(job->wide, c);
            if (t % 2) /* the even key's halves of the pairs are there already */
                x = _mm512_or_si512(_mm512_slli_epi32(x, 16), _mm512_maskz_loadu_epi32(there, pair));
            else
                x = _mm512_and_si512(x, _mm512_set1_epi32(0xffff));
            _mm512_mask_storeu_epi32(pair, there, x);
        }
}

KERNEL void prepare_head(const void *given, long index) {
    const Job *job = given;
    Head *head = head_at(job, index);
    long at = index * job->width;
    float k_mean[WIDEST], k_gain[WIDEST] = {0}, steps[WIDEST] = {0};
    float q_reach[WIDEST], k_reach[WIDEST], v_reach[WIDEST], all = 0;
    measure(job, job->q + at, head->q_mean, q_reach);
    measure(job, job->k + at, k_mean, k_reach);
    measure(job, job->v + at, head->v_mean, v_reach);
    memset(head->q_gain, 0, sizeof head->q_gain);
    for (int c = 0; c < job->width; c++) {
        float even = 1;
        if (q_reach[c] > 0 && k_reach[c] > 0) even = sqrtf(k_reach[c]) / sqrtf(q_reach[c]);
        head->q_gain[c] = even * 1.44269504f / sqrtf((float)job->width); /* log2(e): 2^x is cheap */
        k_gain[c] = 1 / even;
        head->v_step[c] = v_reach[c] / MOST_V;
        steps[c] = v_reach[c] > 0 ? MOST_V / v_reach[c] : 0;
        all += head->q_mean[c] + k_mean[c] + head->v_mean[c] + v_reach[c];
        all += (fabsf(head->q_mean[c]) + q_reach[c]) * k_reach[c]; /* as far as a score can go */
    }
    head->finite = isfinite(all);
    prepare_keys(job, head, job->k + at, k_mean, k_gain);
    prepare_values(job, head, job->v + at, steps);
}

/* Queries from `row` on, turned: `to` is (wide / 2, ROWS) pairs of channels. */
KERNEL void prepare_queries(const Job *job, const Head *head, const float *q, long row,
                            int32_t (*to)[ROWS], float *scale) {
    int32_t pairs[WIDEST / 2];
    for (int r = 0; r < ROWS; r++) {
        long token = row + r < job->tokens ? row + r : job->tokens - 1;
        scale[r] = quantise(job, q + token * job->stride, head->q_mean, head->q_gain,
                            (int16_t *)pairs);
        for (int i = 0; i < job->wide / 2; i++) to[i][r] = pairs[i];
    }
}

/* ---- products; assembly, as compilers given the intrinsic copy its sums about ---- */

INLINE __m512i add_products(__m512i sum, __m512i a, __m512i b) {
    __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

INLINE __m512i pair_everywhere(const int16_t *pair) {
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return _mm512_set1_epi32(both);
}

/* Named variables, as compilers keep those in registers, and arrays not always. */
#define EACH(do) do(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11)
#define BEGIN(i) __m512i low##i = _mm512_setzero_si512(), high##i = low##i;

INLINE __m512 score(__m512i product, __m512 scale, const Head *head, long key, float *to) {
    __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(product), scale);
    x = _mm512_fmadd_ps(x, _mm512_set1_ps(head->scale[key]), _mm512_set1_ps(head->bias[key]));
    _mm512_store_ps(to, x);
    return x;
}

/* Scores (TILE, ROWS) of keys from `key` on; `top` are the highest of each query so far. */
INLINE void scores(const Job *job, const Head *head, long key, int32_t (*q)[ROWS],
                   const __m512 *scale, float (*to)[ROWS], __m512 *top) {
    const int16_t *k = head->k + key * job->wide;
    int wide = job->wide;
    EACH(BEGIN)
    for (int c = 0; c < wide; c += 2) {
        __m512i low = _mm512_load_si512(q[c / 2]), high = _mm512_load_si512(q[c / 2] + LANES), x;
#define STEP(i)                            \
    x = pair_everywhere(k + i * wide + c); \
    low##i = add_products(low##i, low, x); \
    high##i = add_products(high##i, high, x);
        EACH(STEP)
#undef STEP
    }
    __m512 top0 = top[0], top1 = top[1];
#define END(i)                                                                  \
    top0 = _mm512_max_ps(top0, score(low##i, scale[0], head, key + i, to[i])); \
    top1 = _mm512_max_ps(top1, score(high##i, scale[1], head, key + i, to[i] + LANES));
    EACH(END)
#undef END
    top[0] = top0, top[1] = top1;
}

/* 2^x within 0.01 %, exactly 1 at 0; 0 far below. */
INLINE __m512 power_of_2(__m512 x) {
    __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); /* x - floor(x) */
    __m512 y = _mm512_fmadd_ps(f, _mm512_set1_ps(0.0782680f), _mm512_set1_ps(0.2263077f));
    y = _mm512_fmadd_ps(f, y, _mm512_set1_ps(0.6954243f));
    return _mm512_scalef_ps(_mm512_fmadd_ps(f, y, _mm512_set1_ps(1)), x); /* times 2^floor(x) */
}

/* Weights of `keys` scores (keys, ROWS) against `top`: `to` is (keys / 2, ROWS) pairs of keys. */
INLINE void weigh(int keys, float (*scores)[ROWS], const __m512 *top, int32_t (*to)[ROWS],
                  __m512i *sum) {
    for (int r = 0; r < 2; r++) {
        __m512 zero = _mm512_sub_ps(top[r], _mm512_set1_ps(WEIGHT_BITS));
        __m512i all = _mm512_setzero_si512();
        for (int t = 0; t < keys; t += 2) {
            __m512 even = _mm512_load_ps(scores[t] + r * LANES);
            __m512 odd = _mm512_load_ps(scores[t + 1] + r * LANES);
            __m512i a = _mm512_cvtps_epi32(power_of_2(_mm512_sub_ps(even, zero)));
            __m512i b = _mm512_cvtps_epi32(power_of_2(_mm512_sub_ps(odd, zero)));
            a = _mm512_or_si512(a, _mm512_slli_epi32(b, 16));
            all = add_products(all, a, _mm512_set1_epi16(1));
            _mm512_store_si512(to[t / 2] + r * LANES, a);
        }
        sum[r] = all;
    }
}

INLINE void add_to(float *to, __m512i sum, __m512 gain) {
    _mm512_store_ps(to, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), gain, _mm512_load_ps(to)));
}

/* Adds `keys` values, weighted, times `gain`, to `out` (wide, ROWS). */
INLINE void add_values(int keys, int wide, int32_t (*weights)[ROWS], const int16_t *v,
                       const __m512 *gain, float (*out)[ROWS]) {
    for (int c = 0; c < wide; c += TILE) {
        EACH(BEGIN)
        for (int t = 0; t < keys; t += 2) {
            const int16_t *pairs = v + t * wide + 2 * c;
            __m512i low = _mm512_load_si512(weights[t / 2]), x;
            __m512i high = _mm512_load_si512(weights[t / 2] + LANES);
#define STEP(i)                            \
    x = pair_everywhere(pairs + 2 * i);    \
    low##i = add_products(low##i, low, x); \
    high##i = add_products(high##i, high, x);
            EACH(STEP)
#undef STEP
        }
#define END(i)                              \
    add_to(out[c + i], low##i, gain[0]);    \
    add_to(out[c + i] + LANES, high##i, gain[1]);
        EACH(END)
#undef END
    }
}

/* ---- ROWS queries of one head ---- */

typedef struct {
    _Alignas(64) float out[WIDEST][ROWS];
    __m512 top[2], sum[2]; /* `out` and `sum` are against weights of 1 at the score `top` */
} State;

/* The weights of a block are against `top`, those before it against the highest so far. */
INLINE void join(int wide, State *state, const __m512 *top, const __m512i *sum, __m512 *gain) {
    for (int r = 0; r < 2; r++) {
        __m512 over = _mm512_max_ps(state->top[r], top[r]);
        if (_mm512_cmp_ps_mask(over, state->top[r], _CMP_GT_OQ)) {
            __m512 less = power_of_2(_mm512_sub_ps(state->top[r], over));
            state->sum[r] = _mm512_mul_ps(state->sum[r], less);
            for (int c = 0; c < wide; c++) {
                float *x = state->out[c] + r * LANES;
                _mm512_store_ps(x, _mm512_mul_ps(_mm512_load_ps(x), less));
            }
        }
        state->top[r] = over;
        gain[r] = power_of_2(_mm512_sub_ps(top[r], over));
        state->sum[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r]), gain[r], state->sum[r]);
    }
}

KERNEL void finish(const Job *job, const Head *head, long row, const State *state, float *out) {
    float sum[ROWS];
    memcpy(sum, state->sum, sizeof sum);
    for (int r = 0; r < ROWS && row + r < job->tokens; r++) {
        float *to = out + (row + r) * job->stride;
        for (int c = 0; c < job->width; c++) {
            float x = state->out[c][r] / sum[r] * head->v_step[c] + head->v_mean[c];
            to[c] = head->finite ? x : NAN; /* integers would hide what is no number */
        }
    }
}

KERNEL void attend_rows(const void *given, long index) {
    const Job *job = given;
    long blocks = (job->tokens + ROWS - 1) / ROWS, row = index % blocks * ROWS;
    long at = index / blocks * job->width;
    const Head *head = head_at(job, index / blocks);
    _Alignas(64) int32_t q[WIDEST / 2][ROWS], weights[BLOCK / 2][ROWS];
    _Alignas(64) float found[BLOCK][ROWS], steps[ROWS];
    State state = {0};
    prepare_queries(job, head, job->q + at, row, q, steps);
    __m512 scale[2] = {_mm512_load_ps(steps), _mm512_load_ps(steps + LANES)};
    __m512 lowest = _mm512_set1_ps(-FLT_MAX);
    state.top[0] = state.top[1] = lowest;
    for (long key = 0; key < job->keys; key += BLOCK) {
        int keys = job->keys - key < BLOCK ? (int)(job->keys - key) : BLOCK;
        __m512 top[2] = {lowest, lowest}, gain[2];
        __m512i sum[2];
        for (int t = 0; t < keys; t += TILE)
            scores(job, head, key + t, q, scale, found + t, top);
        weigh(keys, found, top, weights, sum);
        join(job->wide, &state, top, sum, gain);
        add_values(keys, job->wide, weights, head->v + key * job->wide, gain, state.out);
    }
    finish(job, head, row, &state, job->out + at);
}

/* ---- the kernel ---- */

int vnni_usable(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni");
}

static long up_to_tile(long count) { return (count + TILE - 1) / TILE * TILE; }

long vnni_scratch(long tokens, int heads, int width) {
    if (width > WIDEST) return 0;
    return heads * head_bytes(up_to_tile(tokens), (int)up_to_tile(width));
}

void vnni_attention(Job *job, int threads) {
    job->keys = up_to_tile(job->tokens), job->wide = (int)up_to_tile(job->width);
    share(prepare_head, job, job->heads, threads);
    share(attend_rows, job, job->heads * ((job->tokens + ROWS - 1) / ROWS), threads);
}

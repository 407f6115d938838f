/* One token through all layers of Gemma 3's text model (transformers, modeling_gemma3.py).
 *
 * A token takes as long as its weights take to be read, if nothing waits between them: so it is one
 * call, with products of products.c and the little that is between them here, in float32. */
#include "products.h"
#include "threads.h"

#include <string.h>

/* Norms scale by `…_norm` (hidden,), those of queries and keys (width,). `turn` is (2, width), the
 * cosines and sines of this token's angles. Of past positions `keys` and `values` (groups, held,
 * width) are given; `own_keys` and `own_values` (groups, capacity, width) are those since, and take
 * this token's. `window` is how many positions it sees, its own among them. */
typedef struct {
    const Matrix *queries, *keys, *values, *out, *gate, *up, *down;
    const float *input_norm, *query_norm, *key_norm, *attended_norm, *feed_norm, *fed_norm;
    const float *turn, *past_keys, *past_values;
    float *own_keys, *own_values;
    long held, window;
} Layer;

/* `heads` of queries share `groups` of keys and values, each `width` long. */
typedef struct {
    const Layer *layers;
    const Matrix *embedding, *head;
    const float *last_norm;
    float embedding_scale, epsilon, query_scale;
    long count, hidden, between, heads, groups, width, capacity;
} Decoder;

/* What is worked out in; `scores` is (heads, positions). */
typedef struct {
    float *x, *normed, *queries, *keys, *values, *seen, *wide, *narrow, *scores;
    void *rounded;
} Work;

typedef struct {
    const Decoder *decoder;
    const Layer *layer;
    const Work *work;
    long own;
} Attending;

static long aligned(long floats) { return LANES * up_to(floats, LANES); }

static long longest(long a, long b) { return a > b ? a : b; }

static Work work_of(const Decoder *d, float *scratch) {
    Work work = {.x = scratch};
    work.normed = work.x + aligned(d->hidden);
    work.queries = work.normed + aligned(d->hidden);
    work.keys = work.queries + aligned(d->heads * d->width);
    work.values = work.keys + aligned(d->groups * d->width);
    work.seen = work.values + aligned(d->groups * d->width);
    work.wide = work.seen + aligned(d->heads * d->width);
    work.narrow = work.wide + aligned(d->between);
    work.rounded = work.narrow + aligned(d->hidden);
    long widest = longest(longest(d->hidden, d->between), d->heads * d->width);
    work.scores = (float *)((char *)work.rounded + STEP * up_to(token_scratch(widest), STEP));
    return work;
}

/* Bytes that healer_decode needs to work in, aligned to 64, with at most so many positions. */
long healer_decode_scratch(const Decoder *d, long positions) {
    float from[1];
    Work work = work_of(d, from);
    return (char *)work.scores - (char *)from + (long)sizeof(float) * d->heads * positions;
}

/* ---- between the products ---- */

KERNEL float squares(const float *x, long count) {
    __m512 sum = _mm512_setzero_ps();
    for (long i = 0; i < count; i += LANES) {
        __m512 each = _mm512_maskz_loadu_ps(first(count - i), x + i);
        sum = _mm512_fmadd_ps(each, each, sum);
    }
    return _mm512_reduce_add_ps(sum);
}

/* `x` over the root of its mean square, times `gain`. */
KERNEL void norm(const Decoder *d, const float *x, const float *gain, long count, float *to) {
    __m512 mean = _mm512_set1_ps(squares(x, count) / count + d->epsilon);
    __m512 scale = _mm512_div_ps(_mm512_set1_ps(1), _mm512_sqrt_ps(mean));
    for (long i = 0; i < count; i += LANES) {
        __mmask16 there = first(count - i);
        __m512 each = _mm512_mul_ps(_mm512_maskz_loadu_ps(there, x + i), scale);
        each = _mm512_mul_ps(each, _mm512_maskz_loadu_ps(there, gain + i));
        _mm512_mask_storeu_ps(to + i, there, each);
    }
}

static void add(float *x, const float *more, long count) {
    for (long i = 0; i < count; i++) x[i] += more[i];
}

/* Each of so many heads is normed and turned by its position. */
static void place(const Decoder *d, const Layer *layer, const float *gain, long heads, float *x) {
    long half = d->width / 2;
    const float *cosine = layer->turn, *sine = cosine + d->width;
    for (long head = 0; head < heads; head++, x += d->width) {
        norm(d, x, gain, d->width, x);
        for (long i = 0; i < half; i++) {
            float low = x[i], high = x[half + i];
            x[i] = low * cosine[i] - high * sine[i];
            x[half + i] = high * cosine[half + i] + low * sine[half + i];
        }
    }
}

/* ---- attention ---- */

enum { AT_ONCE = 4 }; /* positions: their values stay in the nearest cache for all heads */

INLINE float dot(const float *a, const float *b, long count) {
    __m512 sum = _mm512_setzero_ps(), sum2 = sum;
    long i = 0;
    for (; i + 2 * LANES <= count; i += 2 * LANES) {
        sum = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum);
        sum2 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + LANES), _mm512_loadu_ps(b + i + LANES), sum2);
    }
    for (; i < count; i += LANES) {
        __mmask16 there = first(count - i);
        __m512 x = _mm512_maskz_loadu_ps(there, a + i);
        sum = _mm512_fmadd_ps(x, _mm512_maskz_loadu_ps(there, b + i), sum);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(sum, sum2));
}

/* Of so many positions, at most AT_ONCE: values times their weights, on top of `to`. */
INLINE void add_values(float *to, const float *values, const float *weights, long positions,
                       long width) {
    for (long i = 0; i < width; i += LANES) {
        __mmask16 there = first(width - i);
        __m512 sum = _mm512_maskz_loadu_ps(there, to + i);
        for (long p = 0; p < positions; p++) {
            __m512 x = _mm512_maskz_loadu_ps(there, values + p * width + i);
            sum = _mm512_fmadd_ps(x, _mm512_set1_ps(weights[p]), sum);
        }
        _mm512_mask_storeu_ps(to + i, there, sum);
    }
}

INLINE void fetch(const float *from, long count) {
    for (long i = 0; i < count; i += LANES) _mm_prefetch((const char *)(from + i), _MM_HINT_T0);
}

INLINE void softmax(float *scores, long count) {
    __m512 top = _mm512_set1_ps(-3.4e38f), sum = _mm512_setzero_ps();
    for (long i = 0; i < count; i += LANES) {
        __mmask16 there = first(count - i);
        top = _mm512_mask_max_ps(top, there, top, _mm512_maskz_loadu_ps(there, scores + i));
    }
    top = _mm512_set1_ps(_mm512_reduce_max_ps(top));
    for (long i = 0; i < count; i += LANES) {
        __mmask16 there = first(count - i);
        __m512 x = _mm512_maskz_loadu_ps(there, scores + i);
        x = exponential(_mm512_sub_ps(x, top));
        sum = _mm512_mask_add_ps(sum, there, sum, x);
        _mm512_mask_storeu_ps(scores + i, there, x);
    }
    float scale = 1 / _mm512_reduce_add_ps(sum);
    for (long i = 0; i < count; i++) scores[i] *= scale;
}

/* Some of a group's positions, one after another in memory. */
typedef struct {
    const float *keys, *values;
    long count;
} Positions;

/* Those that the token sees: of the past, and of those since. */
static void split(const Attending *job, long group, Positions parts[2]) {
    const Layer *layer = job->layer;
    long width = job->decoder->width, all = layer->held + job->own;
    long start = all > layer->window ? all - layer->window : 0;
    long past = start < layer->held ? start : layer->held, own = start - past;
    long at = (group * layer->held + past) * width;
    long own_at = (group * job->decoder->capacity + own) * width;
    parts[0] = (Positions){layer->past_keys + at, layer->past_values + at, layer->held - past};
    parts[1] = (Positions){layer->own_keys + own_at, layer->own_values + own_at, job->own - own};
}

/* Scores of some positions, (shared, `apart`). */
INLINE void score(const Decoder *d, const float *queries, Positions part, long apart, float *to) {
    long width = d->width, shared = d->heads / d->groups;
    for (long i = 0; i < part.count; i++) {
        const float *key = part.keys + i * width;
        fetch(key + AT_ONCE * width, width);
        for (long head = 0; head < shared; head++)
            to[head * apart + i] = d->query_scale * dot(queries + head * width, key, width);
    }
}

INLINE void add_up(const Decoder *d, const float *weights, Positions part, long apart, float *seen) {
    long width = d->width, shared = d->heads / d->groups;
    for (long i = 0; i < part.count; i += AT_ONCE) {
        long count = part.count - i < AT_ONCE ? part.count - i : AT_ONCE;
        const float *values = part.values + i * width;
        fetch(values + AT_ONCE * width, AT_ONCE * width);
        for (long head = 0; head < shared; head++)
            add_values(seen + head * width, values, weights + head * apart + i, count, width);
    }
}

/* The query heads that share a group's keys and values, which are read once for all of them. */
KERNEL void attend(const void *given, long group) {
    const Attending *job = given;
    const Decoder *d = job->decoder;
    long shared = d->heads / d->groups, all = job->layer->held + job->own;
    const float *queries = job->work->queries + group * shared * d->width;
    float *seen = job->work->seen + group * shared * d->width;
    float *scores = job->work->scores + group * shared * all;
    Positions parts[2];
    split(job, group, parts);
    long past = parts[0].count, count = past + parts[1].count;
    score(d, queries, parts[0], count, scores);
    score(d, queries, parts[1], count, scores + past);
    for (long head = 0; head < shared; head++) softmax(scores + head * count, count);
    memset(seen, 0, sizeof(float) * shared * d->width);
    add_up(d, scores, parts[0], count, seen);
    add_up(d, scores + past, parts[1], count, seen);
}

/* ---- layers ---- */

static void multiply(const float *x, const Matrix *const *matrices, float *const *outs, int count,
                     After after, const Work *work, int threads) {
    Products products = {.x = x, .matrices = matrices, .outs = outs, .scratch = work->rounded,
                         .tokens = 1, .after = after, .count = count, .bytes = 2};
    multiply_token(&products, threads);
}

/* `own` positions since the past, this token's the last. */
static void self_attention(const Decoder *d, const Layer *layer, const Work *work, long own,
                           int threads) {
    const Matrix *const three[] = {layer->queries, layer->keys, layer->values};
    float *const outs[] = {work->queries, work->keys, work->values};
    norm(d, work->x, layer->input_norm, d->hidden, work->normed);
    multiply(work->normed, three, outs, 3, PLAIN, work, threads);
    place(d, layer, layer->query_norm, d->heads, work->queries);
    place(d, layer, layer->key_norm, d->groups, work->keys);
    for (long group = 0; group < d->groups; group++) {
        long at = (group * d->capacity + own - 1) * d->width, size = sizeof(float) * d->width;
        memcpy(layer->own_keys + at, work->keys + group * d->width, size);
        memcpy(layer->own_values + at, work->values + group * d->width, size);
    }
    Attending job = {d, layer, work, own};
    share(attend, &job, d->groups, threads);
    multiply(work->seen, &layer->out, &work->narrow, 1, PLAIN, work, threads);
    norm(d, work->narrow, layer->attended_norm, d->hidden, work->narrow);
    add(work->x, work->narrow, d->hidden);
}

static void feed_forward(const Decoder *d, const Layer *layer, const Work *work, int threads) {
    const Matrix *const both[] = {layer->gate, layer->up};
    norm(d, work->x, layer->feed_norm, d->hidden, work->normed);
    multiply(work->normed, both, &work->wide, 1, GATED, work, threads);
    multiply(work->wide, &layer->down, &work->narrow, 1, PLAIN, work, threads);
    norm(d, work->narrow, layer->fed_norm, d->hidden, work->narrow);
    add(work->x, work->narrow, d->hidden);
}

static void embed(const Decoder *d, long token, float *x) {
    const Matrix *m = d->embedding;
    const uint8_t *values = m->values + token * m->columns;
    for (long i = 0; i < m->columns; i++)
        x[i] = ((float)values[i] - (float)m->zero[token]) * m->scale[token] * d->embedding_scale;
}

/* Logits of what follows `token`, before which there are `own` positions since the past. */
void healer_decode(const Decoder *d, long token, long own, float *logits, void *scratch,
                   int threads) {
    Work work = work_of(d, scratch);
    embed(d, token, work.x);
    for (long i = 0; i < d->count; i++) {
        self_attention(d, &d->layers[i], &work, own + 1, threads);
        feed_forward(d, &d->layers[i], &work, threads);
    }
    norm(d, work.x, d->last_norm, d->hidden, work.normed);
    multiply(work.normed, &d->head, &logits, 1, PLAIN, &work, threads);
}

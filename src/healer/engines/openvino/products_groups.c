/* Products of many tokens with 8-bit weights, by whichever unit of the processor is fastest.
 *
 * A block of rows of weights is fetched once, in order, for as many tokens as the cache holds: so memory
 * is read at its full rate, and weights need no other form than the one they are stored in. For many
 * tokens it is copied, so that no register of it lies across two lines of the cache. Activations
 * are turned, so that a token has a lane of its own: results are (rows, tokens), and turned back as they
 * are written. */
#include "groups.h"

#include "threads.h"

enum {
    MOST_STEPS = 40,        /* of a register's bytes, that a block of rows is copied for */
    CACHED = 1200 * 1024,   /* bytes of activations that a core's cache holds besides */
    STREAMED = 4096 * 1024, /* bytes of output that no cache is to be filled with */
    MANY = 12,              /* groups of tokens that a copy is worth its time for */
};

/* Columns are cut into `chunks` of `steps` registers. `rounded` is (chunks, groups, steps, bytes)
 * tiles of (columns / 4, tokens, 4), `totals` (chunks, groups, LANES) sums of activations. `scale` is
 * (groups, LANES), or with `parts` of a chunk (chunks, groups, parts, LANES), which are in its sums. */
typedef struct {
    const Products *products;
    const Unit *unit;
    const Matrix *a, *up; /* of one product */
    float *out;
    Tile *rounded;
    float *totals, *scale;
    long groups, chunks, steps, parts;
    long chunk, block, across; /* groups at a time; blocks of rows */
    int streamed;
} Job;

static Job job_of(const Products *products) {
    long steps = up_to(products->matrices[0]->columns, STEP);
    Job job = {.products = products, .a = products->matrices[0],
               .groups = up_to(products->tokens, LANES), .chunks = up_to(steps, MOST_STEPS)};
    job.steps = up_to(steps, job.chunks);
    job.parts = products->parted ? up_to(job.steps, PART) : 0;
    job.rounded = products->scratch;
    job.totals = (float *)(job.rounded + products->bytes * job.chunks * job.groups * job.steps);
    job.scale = job.totals + LANES * job.chunks * job.groups;
    return job;
}

long group_scratch(long tokens, long columns, After after, int bytes, int parted) {
    if (after != PLAIN && columns > MOST_STEPS * STEP) return 0; /* not of parts of a sum */
    long groups = up_to(tokens, LANES), steps = up_to(columns, STEP);
    long chunks = up_to(steps, MOST_STEPS), tiles = bytes * chunks * groups * up_to(steps, chunks);
    long scales = parted ? chunks * up_to(up_to(steps, chunks), PART) : 1;
    return tiles * (long)sizeof(Tile) + groups * (chunks + scales) * STEP;
}

static Tile *rounded_at(const Job *job, long chunk, long group) {
    return job->rounded + job->products->bytes * job->steps * (chunk * job->groups + group);
}

static float *totals_at(const Job *job, long chunk, long group) {
    return job->totals + LANES * (chunk * job->groups + group);
}

static float *scale_at(const Job *job, long chunk, long group) {
    return job->scale + LANES * (job->parts ? job->parts * (chunk * job->groups + group) : group);
}

/* (16, 16) numbers of 32 bits, each row a register, to columns. */
INLINE void turn(__m512i r[LANES]) {
    __m512i t[LANES];
    UNROLLED for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    UNROLLED for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLLED for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    UNROLLED for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* ---- activations ---- */

/* Turns a tile, and returns the sums of its tokens on top of `sum`. */
INLINE __m512i turn_tile(const Tile from, Tile to, __m512i sum) {
    __m512i r[LANES];
    UNROLLED for (int t = 0; t < LANES; t++) r[t] = _mm512_loadu_si512(from[t]);
    turn(r);
    UNROLLED for (int t = 0; t < LANES; t++) {
        sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(1), r[t]);
        _mm512_store_si512(to[t], r[t]);
    }
    return sum;
}

/* A group's activations from `column` on, as a tile (tokens, columns) of each byte. */
INLINE void round_step(const Job *job, const float *x, long there, long column, const float *gain,
                       Tile to[2]) {
    int bytes = job->products->bytes;
    for (int t = 0; t < LANES; t++, x += job->a->columns)
        for (int c = 0; c < STEP; c += LANES) {
            long left = t < there ? job->a->columns - column - c : 0;
            __m512 each = _mm512_maskz_loadu_ps(first(left), x + column + c);
            Halves parts = halves(each, _mm512_set1_ps(gain[t]));
            __m512i high = parts.high;
            if (bytes == 1) high = _mm512_add_epi32(_mm512_slli_epi32(high, 8), parts.low);
            _mm_store_si128((__m128i *)&to[0][t][c], _mm512_cvtepi32_epi8(high));
            if (bytes == 2)
                _mm_store_si128((__m128i *)&to[1][t][c], _mm512_cvtepi32_epi8(parts.low));
        }
}

/* Of so many columns from `column` on: what activations are multiplied with, and results again. */
INLINE void set_scales(const Job *job, long group, long column, long columns, float *gain,
                       float *scale) {
    long there = job->products->tokens - group * LANES, left = job->a->columns - column;
    const float *x = job->products->x + group * LANES * job->a->columns + column;
    int most = job->products->bytes == 2 ? HIGHEST : HIGHEST_BYTE;
    for (long t = 0; t < LANES; t++, x += job->a->columns) {
        float top = t < there ? highest(x, columns < left ? columns : left) : 0;
        scale[t] = top / most, gain[t] = top > 0 ? most / top : 0;
    }
}

/* The sums of so many tokens' activations of one part, times its scale, on top of `total`. */
INLINE __m512 part_total(const Job *job, long chunk, long group, long step, __m512i sum,
                         __m512 total) {
    const float *scale = scale_at(job, chunk, group) + step / PART * LANES;
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(scale), total);
}

KERNEL void round_chunk(const Job *job, long chunk, long group, float *gain) {
    int bytes = job->products->bytes;
    long there = job->products->tokens - group * LANES;
    const float *x = job->products->x + group * LANES * job->a->columns;
    Tile *to = rounded_at(job, chunk, group);
    __m512i high = _mm512_setzero_si512(), low = high;
    __m512 total = _mm512_setzero_ps();
    for (long step = 0; step < job->steps; step++, to += bytes) {
        _Alignas(64) Tile parts[2];
        long column = (chunk * job->steps + step) * STEP;
        float *scale = scale_at(job, chunk, group) + step / PART * LANES;
        if (job->parts && step % PART == 0)
            set_scales(job, group, column, PART * STEP, gain, scale);
        round_step(job, x, there, column, gain, parts);
        high = turn_tile(parts[0], to[0], high);
        if (bytes == 2) low = turn_tile(parts[1], to[1], low);
        if (job->parts && (step % PART == PART - 1 || step == job->steps - 1)) {
            total = part_total(job, chunk, group, step, high, total);
            high = _mm512_setzero_si512();
        }
    }
    total = _mm512_add_ps(total, _mm512_cvtepi32_ps(high));
    if (bytes == 2)
        total = _mm512_fmadd_ps(total, _mm512_set1_ps(256), _mm512_cvtepi32_ps(low));
    _mm512_storeu_ps(totals_at(job, chunk, group), total);
}

KERNEL void round_group(const void *given, long group) {
    const Job *job = given;
    float gain[LANES];
    if (!job->parts)
        set_scales(job, group, 0, job->a->columns, gain, job->scale + group * LANES);
    for (long chunk = 0; chunk < job->chunks; chunk++) round_chunk(job, chunk, group, gain);
}

/* ---- weights ---- */

/* LANES rows from `column` on, into every second tile: tile by tile, as what lies 2 KiB apart shares
 * two places of a cache. What fills them up does not matter: activations are 0 there, and rows past the
 * last are not written. */
INLINE void copy_rows(const Matrix *m, long row, long column, long steps, Tile *to) {
    long rows = m->rows - row < LANES ? m->rows - row : LANES;
    const uint8_t *from = m->values + row * m->columns + column;
    for (long step = 0; step < steps; step++, from += STEP, to += 2) {
        __mmask64 there = first_bytes(m->columns - column - step * STEP);
        for (long r = 0; r < rows; r++)
            _mm512_store_si512((*to)[r], _mm512_maskz_loadu_epi8(there, from + r * m->columns));
    }
}

INLINE Weights in_place(const Matrix *m, long row, const Matrix *m2, long row2, long column) {
    const uint8_t *at = m->values + row * m->columns, *at2 = m2->values + row2 * m2->columns;
    return (Weights){{at + column, at2 + column}, m->columns, STEP};
}

/* Whether LANES rows and what is read after their ends belong to the matrix. */
INLINE int inside(const Matrix *m, long row, long column, long steps) {
    return (row + LANES) * m->columns - m->columns + column + steps * STEP <= m->rows * m->columns;
}

/* ---- products ---- */

/* Sums of a block of rows with a group's activations; without `low` these are bytes, and with parts
 * float32. */
typedef struct {
    const int32_t (*high)[LANES], (*low)[LANES];
} Sum;

INLINE __m512 row_of(const Job *job, const Matrix *m, long row, long group, Sum sum, int r) {
    long at = row + r < m->rows ? row + r : m->rows - 1;
    __m512 zero = _mm512_set1_ps(m->zero[at]);
    __m512 total = _mm512_loadu_ps(totals_at(job, job->chunk, group));
    __m512i high = _mm512_load_si512(sum.high[r]);
    __m512 each = job->parts ? (__m512)high : _mm512_cvtepi32_ps(high);
    __m512 y = sum.low ? joined(high, _mm512_load_si512(sum.low[r]), zero, total)
                       : _mm512_fnmadd_ps(zero, total, each);
    __m512 scale = _mm512_set1_ps(m->scale[at]);
    if (!job->parts) scale = _mm512_mul_ps(_mm512_loadu_ps(job->scale + group * LANES), scale);
    float bias = m->bias && job->chunk == 0 ? m->bias[at] : 0;
    return _mm512_fmadd_ps(y, scale, _mm512_set1_ps(bias));
}

/* (rows, tokens) to where they belong in the output, on top of what earlier chunks left there. */
INLINE void write(const Job *job, long row, long group, __m512i rows[LANES]) {
    long width = job->a->rows, there = job->products->tokens - group * LANES;
    __mmask16 inside = first(width - row);
    turn(rows);
    UNROLLED for (int t = 0; t < LANES; t++) {
        float *to = job->out + (group * LANES + t) * width + row;
        __mmask16 mine = t < there ? inside : 0;
        __m512 y = (__m512)rows[t];
        if (job->chunk) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mine, to));
        if (job->streamed && mine == 0xffff)
            _mm512_stream_ps(to, y);
        else
            _mm512_mask_storeu_ps(to, mine, y);
    }
}

/* A block of rows for a group, each with its row of `up` where there is that. */
INLINE void finish(const Job *job, After after, long row, long group, Sum sum, Sum up) {
    __m512i rows[LANES];
    UNROLLED for (int r = 0; r < LANES; r++) {
        __m512 y = row_of(job, job->a, row, group, sum, r);
        if (after != PLAIN) y = gelu(y);
        if (after == GATED) y = _mm512_mul_ps(y, row_of(job, job->up, row, group, up, r));
        rows[r] = (__m512i)y;
    }
    write(job, row, group, rows);
}

/* `sums` are those of the first block of rows, with one tile of activations and another, and of the
 * second: both bytes of a group, or the bytes of two groups. */
INLINE void finish_all(const Job *job, After after, int bytes, long row, long group, long end,
                       const Sums *sums) {
    for (int i = 0; i < 3 - bytes && group + i < end; i++) {
        Sum one = {sums[i], bytes == 2 ? sums[1] : NULL};
        Sum other = {sums[2 + i], bytes == 2 ? sums[3] : NULL};
        finish(job, after, row, group + i, one, other);
        if (after != GATED && row + LANES < job->a->rows)
            finish(job, after, row + LANES, group + i, other, other);
    }
}

/* What this thread copies after the blocks of `index`, in so many shares. */
INLINE Ahead ahead(const Job *job, long index, long shares) {
    int gated = job->products->after == GATED;
    long columns = job->a->columns, row = (index + 1) % job->across * (gated ? LANES : 2 * LANES);
    const uint8_t *from = job->a->values + row * columns, *second = from + LANES * columns;
    if (gated) second = job->up->values + row * columns;
    if (row + LANES >= job->a->rows && !gated) second = from;
    long start = job->chunk * job->steps * STEP;
    return (Ahead){.at = {from + start, second + start}, .skip = columns - job->steps * STEP,
                   .left = job->steps, .width = job->steps, .count = LANES * job->steps,
                   .each = (int)up_to(LANES, shares)};
}

/* Two blocks of rows with a block of groups. */
INLINE void multiply(const Job *job, After after, int bytes, long index) {
    _Alignas(64) Tile weights[2 * MOST_STEPS];
    _Alignas(64) Sums sums[4];
    const Matrix *second = after == GATED ? job->up : job->a;
    long row = index % job->across * (after == GATED ? LANES : 2 * LANES);
    long column = job->chunk * job->steps * STEP, start = index / job->across * job->block;
    long end = start + job->block < job->groups ? start + job->block : job->groups;
    int each = 3 - bytes; /* groups */
    long row2 = after == GATED ? row : row + LANES;
    Weights rows = in_place(job->a, row, second, row2, column);
    if (end - start >= MANY || !inside(job->a, row2, column, job->steps)) {
        copy_rows(job->a, row, column, job->steps, weights);
        copy_rows(second, row2, column, job->steps, weights + 1);
        rows = (Weights){{weights[0][0], weights[1][0]}, STEP, 2 * sizeof(Tile)};
    }
    unsigned rounding = _mm_getcsr(); /* numbers next to 0 cost as much time as a hundred others */
    _mm_setcsr(rounding | _MM_FLUSH_ZERO_ON | _MM_DENORMALS_ZERO_ON);
    Shapes before = job->unit->begin();
    Ahead next = ahead(job, index, up_to(end - start, each));
    for (long group = start; group < end; group += each) {
        const Tile *x = rounded_at(job, job->chunk, group), *x2 = x + 1;
        const float *scale = job->parts ? scale_at(job, job->chunk, group) : NULL, *scale2 = scale;
        if (bytes == 1 && group + 1 < end) {
            x2 = x + job->steps;
            if (scale) scale2 += job->parts * LANES;
        } else if (bytes == 1) {
            x2 = x;
        }
        job->unit->add_up(rows, x, x2, bytes, job->steps, &next, scale, scale2, sums);
        finish_all(job, after, bytes, row, group, end, sums);
    }
    job->unit->end(before);
    _mm_setcsr(rounding);
}

#define MULTIPLY(after, bytes)                                            \
    KERNEL void multiply_##after##_##bytes(const void *job, long index) { \
        multiply(job, after, bytes, index);                               \
    }
MULTIPLY(PLAIN, 1)
MULTIPLY(PLAIN, 2)
MULTIPLY(GELU, 1)
MULTIPLY(GELU, 2)
MULTIPLY(GATED, 1)
MULTIPLY(GATED, 2)

static Task *const multiplications[][2] = {
    [PLAIN] = {multiply_PLAIN_1, multiply_PLAIN_2},
    [GELU] = {multiply_GELU_1, multiply_GELU_2},
    [GATED] = {multiply_GATED_1, multiply_GATED_2},
};

static void multiply_one(Job *job, int index, int threads) {
    const Products *products = job->products;
    job->a = products->matrices[index], job->out = products->outs[index];
    if (products->after == GATED) job->up = products->matrices[index + 1];
    long rows = job->a->rows, bytes = (long)sizeof(float) * products->tokens * rows;
    long most = CACHED / (products->bytes * job->steps * (long)sizeof(Tile));
    long blocks = up_to(job->groups, most);
    Task *task = multiplications[products->after][products->bytes - 1];
    job->block = up_to(job->groups, blocks);
    job->across = up_to(rows, products->after == GATED ? LANES : 2 * LANES);
    job->streamed = bytes > STREAMED && rows % LANES == 0 && (uintptr_t)job->out % STEP == 0;
    for (job->chunk = 0; job->chunk < job->chunks; job->chunk++)
        share_in_order(task, job, job->across * blocks, threads);
}

void multiply_groups(const Products *products, const Unit *unit, int threads) {
    Job job = job_of(products);
    job.unit = unit;
    share(round_group, &job, job.groups, threads);
    for (int i = 0; i < products->count; i++) multiply_one(&job, i, threads);
}

/* What the kernels of attention have in common. */
#ifndef HEALER_ATTENTION_H
#define HEALER_ATTENTION_H

/* `q`, `k`, `v` and `out` are (tokens, heads * width), and a row of them `stride` numbers. `keys` are
 * the tokens, and `wide` the channels, with empty ones up to what a kernel takes at a time. */
typedef struct {
    const float *q, *k, *v;
    float *out;
    char *scratch;
    long tokens, keys, stride;
    int heads, width, wide;
} Job;

#pragma GCC visibility push(hidden) /* else one of another library's could be called */

/* A kernel: whether this machine has it, the bytes it works in (0 for a shape it cannot do), and
 * attention itself. */
int vnni_usable(void);
long vnni_scratch(long tokens, int heads, int width);
void vnni_attention(Job *job, int threads);

long amx_scratch(long tokens, int heads, int width);
void amx_attention(Job *job, int threads);

#pragma GCC visibility pop

#endif

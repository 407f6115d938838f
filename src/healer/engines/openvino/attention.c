/* Bidirectional attention for x86 processors: what Python calls. Each kernel is in a file of its own:
 * 16-bit integers for AVX-512 VNNI, bfloat16 for AMX. */
#include "attention.h"

#include "amx.h"

typedef struct {
    int (*usable)(void);
    long (*scratch)(long tokens, int heads, int width);
    void (*attend)(Job *job, int threads);
} Kernel;

/* In the order that attention.py numbers them. */
static const Kernel kernels[] = {
    {vnni_usable, vnni_scratch, vnni_attention},
    {amx_usable, amx_scratch, amx_attention},
};

int healer_attention_runs(int kernel) { return kernels[kernel].usable(); }

/* Bytes that healer_attention needs to work in, aligned to 64; 0 for a shape it cannot do. */
long healer_attention_scratch(int kernel, long tokens, int heads, int width) {
    if (tokens < 1 || heads < 1 || width < 1) return 0;
    return kernels[kernel].scratch(tokens, heads, width);
}

/* All arrays are float32 (tokens, heads * width). */
void healer_attention(int kernel, const float *q, const float *k, const float *v, float *out,
                      void *scratch, long tokens, int heads, int width, int threads) {
    Job job = {
        .q = q, .k = k, .v = v, .out = out, .scratch = scratch,
        .tokens = tokens, .stride = (long)heads * width, .heads = heads, .width = width,
    };
    kernels[kernel].attend(&job, threads);
}

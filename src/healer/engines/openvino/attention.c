/* Bidirectional attention for x86 processors: what Python calls, and threads. Each kernel is in a file
 * of its own: 16-bit integers for AVX-512 VNNI, bfloat16 for AMX. */
#define _GNU_SOURCE /* affinity */
#include "attention.h"

#include <pthread.h>
#include <sched.h>

enum { MOST_THREADS = 256 };

static void *work(void *argument) {
    Job *job = argument;
    for (long i; (i = atomic_fetch_add(&job->next, 1)) < job->tasks;) job->task(job, i);
    return NULL;
}

/* OpenVINO binds the thread that asks it to one processor, and new threads are bound as their maker
 * is: so what was allowed when this was loaded is remembered. */
static cpu_set_t allowed;
__attribute__((constructor)) static void remember(void) {
    if (sched_getaffinity(0, sizeof allowed, &allowed)) CPU_ZERO(&allowed);
}

/* The caller works too, and alone where no thread can be had. */
void share(Job *job, void (*task)(const Job *, long), long tasks, int threads) {
    pthread_t others[MOST_THREADS];
    pthread_attr_t attributes;
    int started = 0;
    pthread_attr_init(&attributes);
    if (CPU_COUNT(&allowed)) pthread_attr_setaffinity_np(&attributes, sizeof allowed, &allowed);
    job->task = task, job->tasks = tasks;
    atomic_store(&job->next, 0);
    while (started < threads - 1 && started < MOST_THREADS &&
           !pthread_create(&others[started], &attributes, work, job))
        started++;
    work(job);
    while (started) pthread_join(others[--started], NULL);
    pthread_attr_destroy(&attributes);
}

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

/* A pool of threads, which wait for the next call: a thread that is made for a millisecond's work
 * would do it on the processor of its maker, beside it. */
#define _GNU_SOURCE /* affinity */
#include "threads.h"

#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

enum {
    MOST_THREADS = 256,
    PATIENCE = 4000, /* looks at what is waited for before a thread sleeps: it often comes at once */
};

typedef struct {
    Task *task;
    const void *job;
    long tasks, parts; /* so many parts of what is left are begun at a time, or single tasks */
    atomic_long next;
} Shared;

/* `shared` is what there is to do now, if anything, and `places` how many may still join; `working`
 * have. They are looked at under the lock, `calls` and `working` also without. */
static struct {
    pthread_mutex_t turn, lock;
    pthread_cond_t called, left;
    Shared *shared;
    atomic_ulong calls;
    atomic_int working;
    int started, places;
} pool = {.turn = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER,
          .called = PTHREAD_COND_INITIALIZER, .left = PTHREAD_COND_INITIALIZER};

/* OpenVINO binds the thread that asks it to one processor, and new threads are bound as their maker
 * is: so what was allowed when this was loaded is remembered. */
static cpu_set_t allowed;

/* A forked process has none of its parent's threads. */
static void forget(void) {
    pool.started = pool.working = 0;
    pool.shared = NULL;
    pthread_mutex_init(&pool.turn, NULL), pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.called, NULL), pthread_cond_init(&pool.left, NULL);
}

__attribute__((constructor)) static void prepare(void) {
    if (sched_getaffinity(0, sizeof allowed, &allowed)) CPU_ZERO(&allowed);
    pthread_atfork(NULL, NULL, forget);
}

/* The tasks from `*from` to the end that is returned are the caller's. */
static long take(Shared *shared, long *from) {
    *from = atomic_load(&shared->next);
    for (;;) {
        long left = shared->tasks - *from, count = shared->parts ? left / shared->parts : 1;
        if (left <= 0) return *from;
        if (count < 1) count = 1;
        if (atomic_compare_exchange_weak(&shared->next, from, *from + count)) return *from + count;
    }
}

static void work(Shared *shared) {
    for (long i, end; (end = take(shared, &i)) > i;)
        for (; i < end; i++) shared->task(shared->job, i);
}

static void *wait_for_calls(void *unused) {
    unsigned long seen = 0;
    for (;;) {
        for (int i = 0; i < PATIENCE && atomic_load(&pool.calls) == seen; i++) _mm_pause();
        pthread_mutex_lock(&pool.lock);
        while (atomic_load(&pool.calls) == seen) pthread_cond_wait(&pool.called, &pool.lock);
        seen = atomic_load(&pool.calls);
        Shared *shared = pool.places > 0 ? pool.shared : NULL;
        if (shared) {
            pool.places--, pool.working++;
            pthread_mutex_unlock(&pool.lock);
            work(shared);
            pthread_mutex_lock(&pool.lock);
            if (--pool.working == 0) pthread_cond_signal(&pool.left);
        }
        pthread_mutex_unlock(&pool.lock);
    }
    return unused;
}

/* Threads for `count` helpers, or as many as can be had. */
static void start(int count) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (CPU_COUNT(&allowed)) pthread_attr_setaffinity_np(&attributes, sizeof allowed, &allowed);
    while (pool.started < count &&
           !pthread_create(&thread, &attributes, wait_for_calls, NULL))
        pool.started++;
    pthread_attr_destroy(&attributes);
}

static void call(Shared *shared, int helpers) {
    pthread_mutex_lock(&pool.lock);
    pool.shared = shared, pool.places = helpers;
    atomic_fetch_add(&pool.calls, 1);
    pthread_cond_broadcast(&pool.called);
    pthread_mutex_unlock(&pool.lock);
}

/* A thread that has not joined by now is not waited for. */
static void await(void) {
    for (int i = 0; i < PATIENCE && atomic_load(&pool.working); i++) _mm_pause();
    pthread_mutex_lock(&pool.lock);
    pool.shared = NULL, pool.places = 0;
    while (pool.working) pthread_cond_wait(&pool.left, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

/* The caller works too, and alone where no thread can be had or all work for another. */
static void share_parts(Shared shared, int threads) {
    long tasks = shared.tasks;
    int helpers = threads < tasks ? threads - 1 : (int)tasks - 1;
    if (helpers > MOST_THREADS) helpers = MOST_THREADS;
    if (helpers < 1 || pthread_mutex_trylock(&pool.turn)) {
        work(&shared);
        return;
    }
    start(helpers);
    call(&shared, helpers);
    work(&shared);
    await();
    pthread_mutex_unlock(&pool.turn);
}

void share(Task *task, const void *job, long tasks, int threads) {
    share_parts((Shared){.task = task, .job = job, .tasks = tasks}, threads);
}

void share_in_order(Task *task, const void *job, long tasks, int threads) {
    share_parts((Shared){.task = task, .job = job, .tasks = tasks, .parts = 2L * threads}, threads);
}

/* Work shared between threads. */
#ifndef HEALER_THREADS_H
#define HEALER_THREADS_H

#pragma GCC visibility push(hidden) /* else one of another library's could be called */

typedef void Task(const void *job, long index);

/* Does each of so many tasks once, on so many threads, the caller's among them. */
void share(Task *task, const void *job, long tasks, int threads);

/* The same, each thread many in a row: first long rows of tasks, then ever shorter ones. */
void share_in_order(Task *task, const void *job, long tasks, int threads);

#pragma GCC visibility pop

#endif

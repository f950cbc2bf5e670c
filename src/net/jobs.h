/*
 * net/jobs.h: a bounded queue of jobs, threads that run them, and jobs that come round.
 *
 * Limits   `max` waiting jobs; E_BUSY beyond. A recurring job that finds it full comes later.
 * Stop     jobs_stop takes no more jobs, runs those that wait, and ends the threads.
 * Threads  any; LOCK_NET_JOBS.
 */
#ifndef NET_JOBS_H
#define NET_JOBS_H

#include <pthread.h>

#include "base/lock.h"
#include "base/str.h"

struct job {
	void (*fn)(void *arg);
	void  *arg;
};

struct jobs_every;
struct jobs {
	struct lock         lock;
	pthread_cond_t      more;
	struct job         *ring;
	size_t              max, head, n;
	pthread_t          *threads;
	int                 threads_n;
	struct jobs_every  *every; /* a list */
	bool                stopping;
};

int  jobs_init(struct jobs *, size_t max);
int  jobs_start(struct jobs *, int threads);
int  jobs_add(struct jobs *, void (*fn)(void *), void *arg);
int  jobs_every(struct jobs *, int64_t every_ms, void (*fn)(void *), void *arg);
void jobs_tick(struct jobs *, int64_t now);
void jobs_stop(struct jobs *);
void jobs_done(struct jobs *);

#endif

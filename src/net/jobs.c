#include "net/jobs.h"

#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

struct jobs_every {
	struct jobs_every *next;
	struct jobs       *jobs;
	struct job         job;
	int64_t            every_ms;
	int64_t            due;
	bool               busy; /* waits or runs: never twice at once */
};

int
jobs_init(struct jobs *j, size_t max)
{
	*j = (struct jobs){ .max = max };
	lock_init(&j->lock, LOCK_NET_JOBS);
	pthread_cond_init(&j->more, NULL);
	j->ring = mem_zalloc(max * sizeof(*j->ring));
	if (j->ring != NULL)
		return 0;
	jobs_done(j);
	return E_NOMEM;
}

void
jobs_done(struct jobs *j)
{
	while (j->every != NULL) {
		struct jobs_every *e = j->every;

		j->every = e->next;
		mem_free(e);
	}
	mem_free(j->threads);
	mem_free(j->ring);
	pthread_cond_destroy(&j->more);
	lock_done(&j->lock);
}

/* With the lock held. */
static int
push(struct jobs *j, struct job job)
{
	if (j->n == j->max)
		return E_BUSY;
	j->ring[(j->head + j->n++) % j->max] = job;
	pthread_cond_signal(&j->more);
	return 0;
}

int
jobs_add(struct jobs *j, void (*fn)(void *), void *arg)
{
	LOCK_SCOPE(&j->lock);

	if (j->stopping)
		return E_BUSY;
	return push(j, (struct job){ fn, arg });
}

/* False when there is none and none will come. */
static bool
next_job(struct jobs *j, struct job *ret)
{
	LOCK_SCOPE(&j->lock);

	while (j->n == 0 && !j->stopping)
		lock_wait(&j->lock, &j->more);
	if (j->n == 0)
		return false;
	*ret = j->ring[j->head];
	j->head = (j->head + 1) % j->max;
	j->n--;
	return true;
}

/* What takes long stands behind what somebody waits for at this moment: the workers' commands. On
 * Linux a nice value is a thread's. */
enum { JOB_NICE = 10 };

static void *
job_main(void *arg)
{
	struct jobs *j = arg;
	struct job   job;

	setpriority(PRIO_PROCESS, (id_t)gettid(), JOB_NICE);
	while (next_job(j, &job))
		job.fn(job.arg);
	return NULL;
}

int
jobs_start(struct jobs *j, int threads)
{
	j->threads = mem_zalloc((size_t)threads * sizeof(*j->threads));
	if (j->threads == NULL)
		return E_NOMEM;
	for (; j->threads_n < threads; j->threads_n++)
		if (pthread_create(&j->threads[j->threads_n], NULL, job_main, j) != 0)
			return E_NOMEM;
	return 0;
}

void
jobs_stop(struct jobs *j)
{
	lock_take(&j->lock);
	j->stopping = true;
	pthread_cond_broadcast(&j->more);
	lock_give(&j->lock);
	for (int i = 0; i < j->threads_n; i++)
		pthread_join(j->threads[i], NULL);
	j->threads_n = 0;
}

/* --- jobs that come round --- */

static void
run_every(void *arg)
{
	struct jobs_every *e = arg;

	e->job.fn(e->job.arg);
	lock_take(&e->jobs->lock);
	e->due = clock_mono_ms() + e->every_ms;
	e->busy = false;
	lock_give(&e->jobs->lock);
}

int
jobs_every(struct jobs *j, int64_t every_ms, void (*fn)(void *), void *arg)
{
	struct jobs_every *e = MEM_NEW(struct jobs_every);

	if (e == NULL)
		return E_NOMEM;
	e->jobs = j;
	e->job = (struct job){ fn, arg };
	e->every_ms = every_ms;
	e->due = clock_mono_ms() + every_ms;
	LOCK_SCOPE(&j->lock);
	e->next = j->every;
	j->every = e;
	return 0;
}

void
jobs_tick(struct jobs *j, int64_t now)
{
	LOCK_SCOPE(&j->lock);

	for (struct jobs_every *e = j->every; e != NULL && !j->stopping; e = e->next)
		if (!e->busy && e->due <= now && push(j, (struct job){ run_every, e }) == 0)
			e->busy = true;
}

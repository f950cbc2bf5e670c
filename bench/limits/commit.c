/* Group commit to a bare append log: threads write records and wait for a sync they share. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/own.h"
#include "limits/limits.h"

enum { RECORD_BYTES = 5 * 1024, THREADS_MAX = 64, LOG_MAX_BYTES = 64 * 1024 * 1024 };

struct log {
	int             fd;
	pthread_mutex_t mutex;
	pthread_cond_t  synced_more;
	uint64_t        written, synced; /* records */
	bool            syncing;
	bool            failed;
	uint64_t        syncs;
	atomic_bool     stop;
};

/* Writes all blocks once: they are allocated and the disk's own bookkeeping is done. */
static int
allocate(int fd)
{
	static const char zeros[64 * 1024];

	for (off_t at = 0; at < LOG_MAX_BYTES; at += (off_t)sizeof(zeros))
		if (pwrite(fd, zeros, sizeof(zeros), at) != (ssize_t)sizeof(zeros))
			return E_IO;
	return fsync(fd) < 0 ? E_IO : 0;
}

/* Records go round in a file of a fixed size. */
static bool
write_record(struct log *l, const char *record)
{
	uint64_t slots = LOG_MAX_BYTES / RECORD_BYTES;
	off_t    at = (off_t)(l->written++ % slots * RECORD_BYTES);

	return pwrite(l->fd, record, RECORD_BYTES, at) == RECORD_BYTES;
}

/* With the mutex held: returns when record `n` is on disk. One thread syncs for all. */
static void
wait_synced(struct log *l, uint64_t n)
{
	while (l->synced < n && !l->failed) {
		if (l->syncing) {
			pthread_cond_wait(&l->synced_more, &l->mutex);
			continue;
		}
		uint64_t covers = l->written;

		l->syncing = true;
		pthread_mutex_unlock(&l->mutex);
		int r = fdatasync(l->fd);
		pthread_mutex_lock(&l->mutex);
		l->syncing = false;
		l->failed |= r < 0;
		l->synced = covers;
		l->syncs++;
		pthread_cond_broadcast(&l->synced_more);
	}
}

static void *
committer(void *arg)
{
	struct log *l = arg;
	char        record[RECORD_BYTES];
	uint64_t    mine;

	memset(record, 'r', sizeof(record));
	while (!atomic_load(&l->stop)) {
		pthread_mutex_lock(&l->mutex);
		l->failed |= !write_record(l, record);
		mine = l->written;
		wait_synced(l, mine);
		if (l->failed)
			atomic_store(&l->stop, true);
		pthread_mutex_unlock(&l->mutex);
	}
	return NULL;
}

static int
measure(struct log *l, unsigned threads, double seconds)
{
	pthread_t          thread[THREADS_MAX];
	struct limits_span span = limits_begin();
	uint64_t           before = l->written, syncs = l->syncs, n;

	atomic_store(&l->stop, false);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, committer, l) != 0)
			return limits_failed("group-commit", "no thread");
	usleep((useconds_t)(seconds * 1e6));
	atomic_store(&l->stop, true);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	span = limits_since(span);
	n = l->written - before;
	if (l->failed)
		return limits_failed("group-commit", "the log cannot be written");
	limits_print(json_pack("{s:s,s:i,s:f,s:f,s:f}", "limit", "group-commit", "threads", threads,
	    "per_second", (double)n / span.seconds, "cpu_us", span.cpu_us / (double)n, "syncs",
	    (double)(l->syncs - syncs) / span.seconds));
	return 0;
}

int
limit_group_commit(const struct limits_options *o)
{
	static const unsigned threads[] = { 1, 8, 32, 64 };
	struct log            l = { .mutex = PTHREAD_MUTEX_INITIALIZER,
			       .synced_more = PTHREAD_COND_INITIALIZER };
	char                  path[4096];
	int                   r = 0;

	if (snprintf(path, sizeof(path), "%s/bench-limits.XXXXXX", o->dir) >= (int)sizeof(path))
		return limits_failed("group-commit", "the folder's name is too long");
	l.fd = mkostemp(path, O_CLOEXEC);
	if (l.fd < 0)
		return limits_failed("group-commit", "no file in the folder");
	unlink(path);
	if (allocate(l.fd) < 0)
		r = limits_failed("group-commit", "no room for the log");
	for (size_t i = 0; i < ARRAY_LEN(threads) && r == 0; i++)
		r = measure(&l, threads[i], o->seconds);
	close(l.fd);
	return r;
}

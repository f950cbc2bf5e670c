/*
 * Commits a second and processor time of one, when T threads commit and wait: what a delivery
 * costs the storage engine. Each commit is about ten puts, one of them a blob of BYTES.
 *
 *   bench/kv-commit DIR [THREADS [SECONDS [BYTES]]]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/pack.h"
#include "kv/open.h"

struct bench {
	struct kv    *kv;
	size_t        bytes;
	char         *text;
	atomic_bool   stop;
	atomic_ulong  commits;
	atomic_int    err;
	atomic_ulong  next_account;
};

static void
put_number(struct kv_batch *b, const char *prefix, uint64_t n, struct str value)
{
	OWN_BUF struct buf key = BUF_INIT(64);

	buf_str(&key, str_c(prefix));
	pack_be64(&key, n);
	kv_put(b, buf_view(&key), value);
}

static void
delivery(struct bench *bench, struct kv_batch *b, uint64_t account, uint64_t n)
{
	struct kv_blob_id id;
	struct str        text = str_of(bench->text, bench->bytes);

	kv_batch_reset(b);
	kv_blob_id_new(&id);
	kv_batch_blob(b, &id, str_head(text, bench->bytes / 3), str_skip(text, bench->bytes / 3));
	kv_ref(b, &id, account, n);
	kv_put(b, STR("A"), str_head(text, 64));
	kv_put(b, STR("b\0\0\0\1"), str_head(text, 90));
	put_number(b, "c", n, str_head(text, 60));
	put_number(b, "e", n, str_head(text, 20));
	put_number(b, "f", n, str_head(text, 700));
	put_number(b, "m", n, str_head(text, 110));
	put_number(b, "t", n * 0x9E3779B97F4A7C15u, str_head(text, 16));
}

static void *
run(void *arg)
{
	struct bench             *bench = arg;
	uint64_t                  account = atomic_fetch_add(&bench->next_account, 1), version = 0;
	struct kv_part            part = { KV_ACCOUNT, account };
	OWN_BATCH struct kv_batch b;
	kv_ticket                 ticket;
	int                       r;

	kv_batch_init(&b);
	r = kv_version(bench->kv, part, &version);
	while (r == 0 && !atomic_load(&bench->stop)) {
		delivery(bench, &b, account, version);
		r = kv_commit(bench->kv, part, version, version + 1, &b, &ticket);
		if (r == 0)
			r = kv_wait(bench->kv, ticket);
		version++;
		atomic_fetch_add(&bench->commits, 1);
	}
	if (r < 0)
		atomic_store(&bench->err, r);
	return NULL;
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
measure(struct bench *bench, unsigned threads, int64_t ms)
{
	pthread_t *t = calloc(threads, sizeof(*t));
	int64_t    start = clock_mono_ms();
	double     cpu = cpu_seconds(), busy, seconds;

	for (unsigned i = 0; i < threads; i++)
		pthread_create(&t[i], NULL, run, bench);
	while (clock_mono_ms() < start + ms)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	atomic_store(&bench->stop, true);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	seconds = (double)(clock_mono_ms() - start) / 1000;
	busy = cpu_seconds() - cpu;
	/* What is still in memory costs its flush too. */
	kv_drop(TAKE(bench->kv));
	printf("threads %u  commits/s %.0f  processor us a commit %.1f, with the last flush %.1f\n",
	    threads, (double)atomic_load(&bench->commits) / seconds,
	    busy * 1e6 / (double)atomic_load(&bench->commits),
	    (cpu_seconds() - cpu) * 1e6 / (double)atomic_load(&bench->commits));
	free(t);
}

static unsigned
number(int argc, char **argv, int i, unsigned otherwise)
{
	uint32_t v = otherwise;

	if (i < argc && str_to_u32(str_c(argv[i]), &v) < 0)
		v = otherwise;
	return v;
}

int
main(int argc, char **argv)
{
	struct bench       bench = { .bytes = number(argc, argv, 4, 5000) };
	OWN_BUF struct buf detail = BUF_INIT(4096);
	int                r;

	if (argc < 2) {
		fprintf(stderr, "usage: kv-commit DIR [THREADS [SECONDS [BYTES]]]\n");
		return 64;
	}
	r = kv_rocks_open(argv[1], NULL, &detail, &bench.kv);
	if (r < 0) {
		fprintf(stderr, "%s: %.*s\n", error_row(r)->text, STR_ARG(buf_view(&detail)));
		return 1;
	}
	/* Text that compresses about as well as mail does: half of it repeats. */
	bench.text = calloc(1, bench.bytes + 1000);
	for (size_t i = 0; i < bench.bytes + 1000; i++)
		bench.text[i] = i % 64 < 32 ? (char)('a' + i % 26) : (char)(' ' + rand() % 90);
	measure(&bench, number(argc, argv, 2, 1), 1000 * (int64_t)number(argc, argv, 3, 5));
	free(bench.text);
	return atomic_load(&bench.err) < 0;
}

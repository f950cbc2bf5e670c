/* What only the engine on disk can show: restarts, kill -9, locks, copies, full disks. */
#include "env.h"
#include "kv/engine.h"
#include "kv/open.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>


static struct kv *
kv_of(void **state)
{
	return ((struct env *)*state)->kv;
}

static const char *
dir_of(void **state)
{
	return ((struct env *)*state)->dir;
}

static void
reopen(void **state)
{
	struct env *e = *state;

	kv_drop(TAKE(e->kv));
	assert_ok(e->open(e));
}

/* Commit n of a partition: three records, a blob, a reference. Whole or not at all. */
enum { RECORDS = 3, BODY = 2000 };

static void
number_key(struct buf *key, uint64_t n, int i)
{
	buf_printf(key, "r/%08llu/%d", (unsigned long long)n, i);
}

static int
commit_number(struct kv *kv, struct kv_part part, uint64_t n, kv_ticket *ret)
{
	OWN_BATCH struct kv_batch b;
	struct kv_blob_id         id;
	char                      body[BODY];

	kv_batch_init(&b);
	kv_blob_id_new(&id);
	fill(body, sizeof(body), n);
	kv_batch_blob(&b, &id, STR("H: v\r\n\r\n"), str_of(body, sizeof(body)));
	kv_ref(&b, &id, part.id, n);
	for (int i = 0; i < RECORDS; i++) {
		OWN_BUF struct buf key = BUF_INIT(64);

		number_key(&key, n, i);
		kv_put(&b, buf_view(&key), str_of((const char *)id.b, sizeof(id.b)));
	}
	return kv_commit(kv, part, n, n + 1, &b, ret);
}

static void
check_blob(struct kv *kv, struct str id_bytes, uint64_t n)
{
	OWN_BUF struct buf got = BUF_INIT(BODY);
	struct kv_blob_id  id;
	char               want[BODY];
	uint64_t           refs;

	assert_int_equal(id_bytes.n, sizeof(id.b));
	memcpy(id.b, id_bytes.p, sizeof(id.b));
	fill(want, sizeof(want), n);
	assert_ok(kv_blob_body(kv, &id, 0, BODY, &got));
	assert_memory_equal(got.p, want, BODY);
	assert_ok(kv_blob_refs(kv, &id, &refs));
	assert_int_equal(refs, 1);
}

/* Exactly the commits below the version are there, whole. Gives the version. */
static uint64_t
check_numbers(struct kv *kv, struct kv_part part)
{
	uint64_t     n = version(kv, part);
	OWN(kv_iter) it = NULL;
	struct str   key, value;

	assert_ok(kv_scan(kv, part, STR_NONE, STR_NONE, false, &it));
	for (uint64_t i = 0; i < n * RECORDS; i++) {
		OWN_BUF struct buf want = BUF_INIT(64);

		assert_int_equal(kv_iter_next(it, &key, &value), 1);
		number_key(&want, i / RECORDS, (int)(i % RECORDS));
		assert_true(str_eq(key, buf_view(&want)));
		if (i % RECORDS == 0)
			check_blob(kv, value, i / RECORDS);
	}
	assert_int_equal(kv_iter_next(it, &key, &value), 0);
	return n;
}

static void
commit_numbers(struct kv *kv, struct kv_part part, uint64_t from, uint64_t to)
{
	kv_ticket t = 0;

	for (; from < to; from++)
		assert_ok(commit_number(kv, part, from, &t));
	assert_ok(kv_wait(kv, t));
}

static void
test_restart_keeps_all(void **state)
{
	OWN_BUF struct buf got = BUF_INIT(KV_BLOB_PIECE);
	struct kv_blob_id  id;
	char              *piece = malloc(KV_BLOB_PIECE);

	kv_blob_id_new(&id);
	fill(piece, KV_BLOB_PIECE, 0);
	assert_ok(kv_blob_put_header(kv_of(state), &id, STR("H")));
	assert_ok(kv_blob_put_piece(kv_of(state), &id, 0, str_of(piece, KV_BLOB_PIECE)));
	/* More than a memtable, so that tables and blob files are made too. */
	for (uint64_t n = 0; n < 4000; n += 1000) {
		commit_numbers(kv_of(state), PART, n, n + 1000);
		reopen(state);
		assert_int_equal(check_numbers(kv_of(state), PART), n + 1000);
	}
	assert_ok(kv_blob_body(kv_of(state), &id, 0, KV_BLOB_PIECE, &got));
	assert_memory_equal(got.p, piece, KV_BLOB_PIECE);
	free(piece);
}

/* --- children: this program again, as main's "ROLE DIR". RocksDB's threads do not outlive a fork,
 * so a child that uses it begins afresh. It talks on descriptors 3 (out) and 4 (in). --- */

enum { CHILD_OUT = 3, CHILD_IN = 4, CHILD_SKIPS = 77 };

struct child {
	pid_t pid;
	int   out, in; /* our ends */
};

static void
child_start(struct child *c, const char *role, const char *dir)
{
	int out[2], in[2];

	assert_ok(pipe2(out, O_CLOEXEC));
	assert_ok(pipe2(in, O_CLOEXEC));
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		/* Twice, so that neither end is overwritten where the numbers overlap. */
		int o = fcntl(out[1], F_DUPFD, 10), i = fcntl(in[0], F_DUPFD, 10);

		dup2(o, CHILD_OUT);
		dup2(i, CHILD_IN);
		close(o);
		close(i);
		execl("/proc/self/exe", "kv-rocks", role, dir, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	close(in[0]);
	c->out = out[0];
	c->in = in[1];
}

static int
child_end(struct child *c)
{
	int status;

	close(c->out);
	close(c->in);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	return status;
}

/* --- kill -9 --- */

enum { WRITERS = 4, CONFIRMATIONS = 2000 };

struct confirmed {
	uint64_t writer, version;
};

struct writer {
	struct kv *kv;
	uint64_t   number;
};

/* Commits for ever. Writer 0 alternates between two partitions, which shows the order. */
static void *
write_for_ever(void *arg)
{
	struct writer *w = arg;
	struct kv_part part = { KV_ACCOUNT, w->number };
	kv_ticket      t = 0;

	for (uint64_t n = 0;; n++) {
		struct confirmed c = { w->number, n + 1 };
		int              r = commit_number(w->kv, part, n, &t);

		if (r == 0 && w->number == 0)
			r = commit_number(w->kv, (struct kv_part){ KV_QUEUE, 0 }, n, &t);
		if (r == 0)
			r = kv_wait(w->kv, t);
		if (r < 0 || write(CHILD_OUT, &c, sizeof(c)) != (ssize_t)sizeof(c))
			_exit(1);
	}
}

static int
child_writes(const char *dir)
{
	struct writer w[WRITERS];
	pthread_t     thread;
	struct kv    *kv;

	if (env_rocks_open(dir, &kv) < 0)
		return 2;
	for (unsigned i = 0; i < WRITERS; i++) {
		w[i] = (struct writer){ kv, i };
		pthread_create(&thread, NULL, write_for_ever, &w[i]);
	}
	for (;;)
		pause();
}

static void
test_kill_loses_nothing_confirmed(void **state)
{
	struct env      *e = *state;
	uint64_t         sure[WRITERS] = { 0 }, first, second;
	struct confirmed c;
	struct child     child;
	int              got = 0;

	kv_drop(TAKE(e->kv));
	child_start(&child, "writes", e->dir);
	/* The pipe is read to its end: what was confirmed up to the very kill counts. */
	while (read(child.out, &c, sizeof(c)) == (ssize_t)sizeof(c)) {
		assert_true(c.writer < WRITERS && c.version > sure[c.writer]);
		sure[c.writer] = c.version;
		if (++got == CONFIRMATIONS)
			assert_ok(kill(child.pid, SIGKILL));
	}
	assert_true(WIFSIGNALED(child_end(&child)));
	assert_true(got >= CONFIRMATIONS);

	assert_ok(e->open(e));
	for (uint64_t i = 0; i < WRITERS; i++)
		assert_true(check_numbers(e->kv, (struct kv_part){ KV_ACCOUNT, i }) >= sure[i]);
	first = version(e->kv, (struct kv_part){ KV_ACCOUNT, 0 });
	second = check_numbers(e->kv, (struct kv_part){ KV_QUEUE, 0 });
	assert_true(second >= sure[0]);
	assert_true(first == second || first == second + 1);
}

/* --- one process at a time --- */

static int
child_holds(const char *dir)
{
	struct kv *kv;
	char       c;

	if (env_rocks_open(dir, &kv) < 0 || write(CHILD_OUT, "o", 1) != 1)
		return 1;
	(void)!read(CHILD_IN, &c, 1); /* until the parent closes its end */
	kv_drop(kv);
	return 0;
}

static void
test_second_process_is_refused(void **state)
{
	const struct kv_rocks_options read_only = { .read_only = true };
	struct env                   *e = *state;
	OWN_BUF struct buf            detail = BUF_INIT(1000);
	struct kv                    *other = NULL;
	struct child                  child;
	char                          c;
	int                           status;

	/* The same process cannot either. */
	assert_int_equal(kv_rocks_open(e->dir, NULL, &detail, &other), E_IN_USE);
	assert_true(str_find(buf_view(&detail), str_c(e->dir)) < detail.n);
	kv_drop(TAKE(e->kv));
	child_start(&child, "holds", e->dir);
	assert_int_equal(read(child.out, &c, 1), 1);
	assert_int_equal(env_rocks_open(e->dir, &other), E_IN_USE);
	assert_int_equal(kv_rocks_open(e->dir, &read_only, NULL, &other), E_IN_USE);
	assert_null(other);
	status = child_end(&child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_ok(e->open(e));
}

static void
test_read_only(void **state)
{
	const struct kv_rocks_options read_only = { .read_only = true };
	struct env                   *e = *state;
	struct kv_blob_id             id;
	OWN_BUF struct buf            detail = BUF_INIT(1000);
	char                          nowhere[100];
	kv_ticket                     t;

	commit_numbers(e->kv, PART, 0, 50);
	kv_drop(TAKE(e->kv));
	assert_ok(kv_rocks_open(e->dir, &read_only, NULL, &e->kv));
	assert_int_equal(check_numbers(e->kv, PART), 50);
	assert_int_equal(commit_number(e->kv, PART, 50, &t), E_READ_ONLY);
	kv_blob_id_new(&id);
	assert_int_equal(kv_blob_put_header(e->kv, &id, STR("H")), E_READ_ONLY);
	assert_int_equal(kv_heal(e->kv), E_READ_ONLY);
	assert_int_equal(check_numbers(e->kv, PART), 50);
	reopen(state);
	commit_numbers(e->kv, PART, 50, 60);

	snprintf(nowhere, sizeof(nowhere), "%s/nowhere", e->dir);
	kv_drop(TAKE(e->kv));
	assert_true(kv_rocks_open(nowhere, &read_only, &detail, &e->kv) < 0);
	assert_true(detail.n > 0);
	assert_ok(e->open(e));
}

static void
test_snapshot(void **state)
{
	struct kv         *kv = kv_of(state), *copy;
	OWN_BUF struct buf detail = BUF_INIT(4096);
	char               dir[64];

	env_dir_make(dir);
	assert_true(kv_snapshot_to(kv, dir, &detail) < 0); /* the folder must be new */
	assert_true(detail.n > 0);
	commit_numbers(kv, PART, 0, 300);
	assert_ok(rmdir(dir));
	assert_ok(kv_snapshot_to(kv, dir, NULL));
	commit_numbers(kv, PART, 300, 400);
	assert_ok(env_rocks_open(dir, &copy));
	assert_int_equal(check_numbers(copy, PART), 300);
	commit_numbers(copy, PART, 300, 310);
	kv_drop(copy);
	assert_int_equal(check_numbers(kv, PART), 400);
	env_dir_remove(dir);
}

struct snapshot_writer {
	struct kv  *kv;
	atomic_bool stop;
};

static void *
write_until_stopped(void *arg)
{
	struct snapshot_writer *w = arg;
	kv_ticket               t;

	for (uint64_t n = 0; !atomic_load(&w->stop); n++) {
		if (commit_number(w->kv, PART, n, &t) < 0 ||
		    commit_number(w->kv, (struct kv_part){ KV_QUEUE, 0 }, n, &t) < 0)
			return w;
	}
	return NULL;
}

static void
test_snapshot_during_commits(void **state)
{
	struct snapshot_writer w = { .kv = kv_of(state) };
	pthread_t              thread;
	void                  *wrong;
	struct kv             *copy;
	char                   dirs[4][100];
	uint64_t               a, b;

	assert_ok(pthread_create(&thread, NULL, write_until_stopped, &w));
	for (int i = 0; i < 4; i++) {
		snprintf(dirs[i], sizeof(dirs[i]), "%s/copy-%d", dir_of(state), i);
		assert_ok(kv_snapshot_to(w.kv, dirs[i], NULL));
	}
	atomic_store(&w.stop, true);
	pthread_join(thread, &wrong);
	assert_null(wrong);
	for (int i = 0; i < 4; i++) {
		assert_ok(env_rocks_open(dirs[i], &copy));
		a = check_numbers(copy, PART);
		b = check_numbers(copy, (struct kv_part){ KV_QUEUE, 0 });
		assert_true(a == b || a == b + 1);
		kv_drop(copy);
	}
}

static void
test_damaged_store_says_so(void **state)
{
	struct env        *e = *state;
	OWN_BUF struct buf detail = BUF_INIT(4096);
	char               path[100];
	FILE              *f;

	kv_drop(TAKE(e->kv));
	snprintf(path, sizeof(path), "%s/CURRENT", e->dir);
	f = fopen(path, "w");
	fputs("garbage", f);
	fclose(f);
	assert_int_equal(kv_rocks_open(e->dir, NULL, &detail, &e->kv), E_CORRUPT);
	assert_true(detail.n > 0);
	env_dir_remove(e->dir);
	assert_ok(e->open(e)); /* a new one, for the teardown */
}

/* --- failing writes --- */

/* Writes until the engine gives up; everything confirmed until then is counted. */
static int
write_until_it_fails(struct kv *kv, uint64_t *sure)
{
	uint64_t  n = version(kv, PART);
	kv_ticket t;
	int       r = 0;

	for (; r == 0 && n < 100000; n++) {
		r = commit_number(kv, PART, n, &t);
		if (r == 0)
			r = kv_wait(kv, t);
		if (r == 0)
			*sure = n + 1;
	}
	return r;
}

/* The engine failed with `err`, and cannot heal yet: it refuses writes, and reads go on. */
static void
check_failed(struct kv *kv, int err, uint64_t sure)
{
	struct kv_blob_id id;
	uint64_t          n = version(kv, PART), generation = kv_generation(kv);
	kv_ticket         t;

	kv_blob_id_new(&id);
	assert_false(kv_healthy(kv));
	assert_int_equal(commit_number(kv, PART, n, &t), err);
	assert_int_equal(kv_blob_put_header(kv, &id, STR("H")), err);
	/* It cannot be healed, but what is visible is on disk from now on, and may be told: where
	 * it was not already, reads are of a new generation. */
	assert_true(kv_heal(kv) < 0);
	assert_true(kv_generation(kv) != generation || n == sure);
	assert_true(check_numbers(kv, PART) <= n);
	n = version(kv, PART);
	assert_true(n >= sure);
	assert_int_equal(commit_number(kv, PART, n, &t), err);
	generation = kv_generation(kv);
	assert_true(kv_heal(kv) < 0);
	assert_true(kv_generation(kv) == generation);
	assert_int_equal(check_numbers(kv, PART), n);
}

static void
check_healed(struct kv *kv, uint64_t sure, uint64_t generation)
{
	uint64_t n;

	assert_ok(kv_heal(kv));
	assert_true(kv_healthy(kv));
	assert_true(kv_generation(kv) != generation);
	n = check_numbers(kv, PART);
	assert_true(n >= sure);
	commit_numbers(kv, PART, n, n + 100);
	assert_int_equal(check_numbers(kv, PART), n + 100);
}

static void
limit_files(rlim_t bytes)
{
	struct rlimit limit;

	assert_ok(getrlimit(RLIMIT_FSIZE, &limit));
	limit.rlim_cur = bytes;
	assert_ok(setrlimit(RLIMIT_FSIZE, &limit));
}

/* No file may grow beyond 1 MB: the log's write fails in the middle of a record. */
static void
test_failed_write_and_heal(void **state)
{
	struct kv *kv = kv_of(state);
	uint64_t   sure = 0, generation = kv_generation(kv);

	signal(SIGXFSZ, SIG_IGN);
	commit_numbers(kv, PART, 0, 10);
	limit_files(1 << 20);
	assert_int_equal(write_until_it_fails(kv, &sure), E_IO);
	check_failed(kv, E_IO, sure);
	limit_files(RLIM_INFINITY);
	assert_true(sure > 10);
	check_healed(kv, sure, generation);
	reopen(state);
	assert_true(check_numbers(kv_of(state), PART) >= sure + 100);
}

/* --- failures while others read and write --- */

struct busy {
	struct kv        *kv;
	struct kv_blob_id blob;
	atomic_bool       stop;
	atomic_int        reads;
};

/* What was on disk before is there all the time. NULL, or what went wrong. */
static void *
read_all_the_time(void *arg)
{
	struct busy       *b = arg;
	OWN_BUF struct buf got = BUF_INIT(100);

	while (!atomic_load(&b->stop)) {
		buf_reset(&got);
		if (kv_get(b->kv, PART, STR("k"), &got) < 0 ||
		    kv_blob_header(b->kv, &b->blob, &got) < 0)
			return "cannot be read";
		if (!str_eq(buf_view(&got), STR("vH")))
			return "something else was read";
		atomic_fetch_add(&b->reads, 1);
	}
	return NULL;
}

/* Whether it is taken or not. */
static void *
write_all_the_time(void *arg)
{
	const struct kv_part other = { KV_ACCOUNT, 77 };
	struct busy         *b = arg;

	while (!atomic_load(&b->stop)) {
		OWN_BATCH struct kv_batch batch;
		uint64_t                  n;
		kv_ticket                 t;

		kv_batch_init(&batch);
		kv_put(&batch, STR("k"), STR("w"));
		if (kv_version(b->kv, other, &n) == 0 &&
		    kv_commit(b->kv, other, n, n + 1, &batch, &t) == 0)
			kv_wait(b->kv, t);
	}
	return NULL;
}

/* The store fails, falls back to what is on disk, and comes back, under those who use it. */
static void
test_heals_under_load(void **state)
{
	enum { THREADS = 4, ROUNDS = 4, READS = 50 };
	struct busy b = { .kv = kv_of(state) };
	pthread_t   thread[THREADS];
	char        probe[100];
	void       *wrong;

	kv_blob_id_new(&b.blob);
	assert_ok(kv_blob_put_header(b.kv, &b.blob, STR("H")));
	put1(b.kv, PART, version(b.kv, PART), "k", "v");
	snprintf(probe, sizeof(probe), "%s/probe", dir_of(state));
	for (int i = 0; i < THREADS; i++)
		assert_ok(pthread_create(&thread[i], NULL,
		    i == 0 ? write_all_the_time : read_all_the_time, &b));
	for (int i = 0; i < ROUNDS; i++) {
		int before, r;

		assert_ok(mkdir(probe, 0700)); /* so that the disk seems to take no writes */
		b.kv->ops->set_failed(b.kv, E_IO);
		assert_true(kv_heal(b.kv) < 0);
		before = atomic_load(&b.reads);
		while (atomic_load(&b.reads) < before + READS)
			sched_yield();
		assert_ok(rmdir(probe));
		while ((r = kv_heal(b.kv)) == E_BUSY)
			sched_yield();
		assert_ok(r);
	}
	atomic_store(&b.stop, true);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &wrong);
		assert_null(wrong);
	}
	assert_true(kv_healthy(b.kv));
}

/* A disk of its own that is full in earnest: a small tmpfs, in a namespace of a child. */
static int
mount_small_disk(const char *dir)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -1;
	return mount("tmpfs", dir, "tmpfs", 0, "size=48m");
}

static void
check_on_small_disk(const char *dir)
{
	char       path[100], filler[100];
	struct kv *kv;
	uint64_t   sure = 0, generation;
	int        fd;

	snprintf(path, sizeof(path), "%s/store", dir);
	snprintf(filler, sizeof(filler), "%s/filler", dir);
	assert_ok(env_rocks_open(path, &kv));
	generation = kv_generation(kv);
	commit_numbers(kv, PART, 0, 10);
	fd = open(filler, O_WRONLY | O_CREAT, 0600);
	assert_true(fd >= 0);
	assert_ok(posix_fallocate(fd, 0, 36 << 20));
	assert_int_equal(write_until_it_fails(kv, &sure), E_DISK_FULL);
	check_failed(kv, E_DISK_FULL, sure);
	assert_ok(ftruncate(fd, 0));
	close(fd);
	check_healed(kv, sure, generation);
	kv_drop(kv);
	assert_ok(env_rocks_open(path, &kv));
	assert_true(check_numbers(kv, PART) >= sure + 100);
	kv_drop(kv);
}

static void
test_full_disk_and_heal(void **state)
{
	struct child child;
	int          status;

	child_start(&child, "small-disk", dir_of(state));
	status = child_end(&child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CHILD_SKIPS) {
		print_message("no right to mount a small disk: not tested\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, env_rocks, env_done)

static void
test_on_small_disk(void **state)
{
	check_on_small_disk(*state);
}

static int
run_child(const char *role, char *dir)
{
	const struct CMUnitTest small_disk[] = {
		cmocka_unit_test_prestate(test_on_small_disk, dir),
	};

	if (strcmp(role, "writes") == 0)
		return child_writes(dir);
	if (strcmp(role, "holds") == 0)
		return child_holds(dir);
	return mount_small_disk(dir) < 0 ? CHILD_SKIPS
					 : cmocka_run_group_tests(small_disk, NULL, NULL);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_restart_keeps_all),
		TEST(test_kill_loses_nothing_confirmed),
		TEST(test_second_process_is_refused),
		TEST(test_read_only),
		TEST(test_snapshot),
		TEST(test_snapshot_during_commits),
		TEST(test_damaged_store_says_so),
		TEST(test_failed_write_and_heal),
		TEST(test_full_disk_and_heal),
		TEST(test_heals_under_load),
	};

	if (argc == 3)
		return run_child(argv[1], argv[2]);
	return cmocka_run_group_tests_name("kv_rocks", tests, NULL, NULL);
}

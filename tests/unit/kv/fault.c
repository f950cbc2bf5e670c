/* Failing operations and allocations, slow syncs, crashes and traces, on the memory engine. */
#include "env.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kv/open.h"

static struct kv *
kv_of(void **state)
{
	return ((struct env *)*state)->kv;
}

static void
test_counts_and_fails(void **state)
{
	struct kv         *kv = kv_of(state);
	OWN_BUF struct buf got = BUF_INIT(100);
	OWN(kv_iter)       it = NULL;
	struct str         key, value;
	uint64_t           v;

	put1(kv, PART, 0, "a", "1"); /* commit, wait */
	kv_fault_set(kv, 0, false, 0);
	assert_value(kv, PART, "a", "1");
	assert_scan(kv, PART, STR_NONE, STR_NONE, false, "a"); /* the scan and its first step */
	assert_int_equal(version(kv, PART), 1);
	assert_int_equal(kv_fault_set(kv, 2, false, E_IO), 4);
	assert_value(kv, PART, "a", "1");
	assert_int_equal(kv_get(kv, PART, STR("a"), &got), E_IO);
	assert_value(kv, PART, "a", "1"); /* not sticky */
	kv_fault_set(kv, 2, true, E_CORRUPT);
	assert_ok(kv_scan(kv, PART, STR_NONE, STR_NONE, false, &it));
	assert_int_equal(kv_iter_next(it, &key, &value), E_CORRUPT);
	assert_int_equal(kv_iter_next(it, &key, &value), E_CORRUPT);
	assert_int_equal(kv_version(kv, PART, &v), E_CORRUPT);
	assert_true(kv_healthy(kv)); /* a failed read is not a failed store */
}

static void
test_failed_write_needs_heal(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	uint64_t                  generation = kv_generation(kv);
	kv_ticket                 t;

	put1(kv, PART, 0, "a", "1");
	kv_batch_init(&b);
	kv_put(&b, STR("b"), STR("2"));
	t = commit(kv, PART, 1, &b);
	kv_fault_set(kv, 1, false, E_DISK_FULL);
	assert_int_equal(kv_wait(kv, t), E_DISK_FULL);
	assert_false(kv_healthy(kv));
	assert_int_equal(kv_commit(kv, PART, 2, 3, &b, &t), E_DISK_FULL);
	assert_value(kv, PART, "b", "2");
	assert_ok(kv_heal(kv));
	assert_true(kv_generation(kv) != generation);
	/* What was seen and never confirmed is gone. */
	assert_absent(kv, PART, "b");
	assert_int_equal(version(kv, PART), 1);
	put1(kv, PART, 1, "b", "3");
	/* E_NOMEM changes nothing and fails nothing. */
	kv_fault_set(kv, 1, false, E_NOMEM);
	assert_int_equal(kv_commit(kv, PART, 2, 3, &b, &t), E_NOMEM);
	assert_true(kv_healthy(kv));
	put1(kv, PART, 2, "c", "4");
}

/* --- a script that fails at every one of its operations in turn --- */

enum { MAILS = 3 };

static void
mail_key(char key[16], uint64_t n)
{
	snprintf(key, 16, "mail/%llu", (unsigned long long)n);
}

static int
mail_blob(struct kv *kv, struct kv_batch *b, uint64_t n, struct kv_blob_id *id)
{
	char body[200];
	int  r;

	fill(body, sizeof(body), n);
	kv_blob_id_new(id);
	if (n % 2 == 0) {
		kv_batch_blob(b, id, STR("H\r\n"), str_of(body, sizeof(body)));
		return 0;
	}
	r = kv_blob_put_header(kv, id, STR("H\r\n"));
	return r < 0 ? r : kv_blob_put_piece(kv, id, 0, str_of(body, sizeof(body)));
}

static int
mail_add(struct kv *kv, uint64_t n)
{
	OWN_BATCH struct kv_batch b;
	struct kv_blob_id         id;
	uint64_t                  at;
	char                      key[16];
	kv_ticket                 t;
	int                       r;

	kv_batch_init(&b);
	r = kv_version(kv, PART, &at);
	if (r == 0)
		r = mail_blob(kv, &b, n, &id);
	if (r < 0)
		return r;
	mail_key(key, n);
	kv_put(&b, str_c(key), str_of((const char *)id.b, sizeof(id.b)));
	kv_ref(&b, &id, PART.id, n);
	r = kv_commit(kv, PART, at, at + 1, &b, &t);
	return r < 0 ? r : kv_wait(kv, t);
}

static int
mail_id(struct kv *kv, uint64_t n, struct kv_blob_id *id)
{
	OWN_BUF struct buf got = BUF_INIT(100);
	char               key[16];
	int                r;

	mail_key(key, n);
	r = kv_get(kv, PART, str_c(key), &got);
	if (r == 0)
		memcpy(id->b, got.p, sizeof(id->b));
	return r;
}

static int
mail_remove(struct kv *kv, uint64_t n)
{
	OWN_BATCH struct kv_batch b;
	struct kv_blob_id         id;
	uint64_t                  at;
	char                      key[16];
	kv_ticket                 t;
	int                       r;

	kv_batch_init(&b);
	mail_key(key, n);
	r = mail_id(kv, n, &id);
	if (r == 0)
		r = kv_version(kv, PART, &at);
	if (r < 0)
		return r;
	kv_del(&b, str_c(key));
	kv_unref(&b, &id, PART.id, n);
	r = kv_commit(kv, PART, at, at + 1, &b, &t);
	if (r == 0)
		r = kv_blob_release(kv, &id);
	return r < 0 ? r : kv_wait(kv, t);
}

/* How far the script was told that it came. */
struct progress {
	uint64_t added, removed;
};

static int
script(struct kv *kv, struct progress *p)
{
	size_t removed;
	int    r;

	for (uint64_t n = 0; n < MAILS; n++) {
		r = mail_add(kv, n);
		if (r < 0)
			return r;
		p->added = n + 1;
	}
	for (uint64_t n = 0; n + 1 < MAILS; n++) {
		r = mail_remove(kv, n);
		if (r < 0)
			return r;
		p->removed = n + 1;
	}
	return kv_blob_collect(kv, clock_real_ms() + 1, 100, &removed);
}

static void
check_mail(struct kv *kv, struct str id_bytes, uint64_t n)
{
	OWN_BUF struct buf got = BUF_INIT(1000);
	struct kv_blob_id  id;
	uint64_t           refs;
	char               want[200];

	assert_int_equal(id_bytes.n, sizeof(id.b));
	memcpy(id.b, id_bytes.p, sizeof(id.b));
	fill(want, sizeof(want), n);
	assert_ok(kv_blob_body(kv, &id, 0, sizeof(want), &got));
	assert_memory_equal(got.p, want, sizeof(want));
	buf_reset(&got);
	assert_ok(kv_blob_header(kv, &id, &got));
	assert_ok(kv_blob_refs(kv, &id, &refs));
	assert_int_equal(refs, 1);
}

/* Whole mails n = removed..added of what the version counts; what was confirmed is in it. */
static void
check_store(struct kv *kv, const struct progress *p)
{
	uint64_t     v = version(kv, PART), first = v > MAILS ? v - MAILS : 0;
	uint64_t     end = v > MAILS ? MAILS : v;
	OWN(kv_iter) it = NULL;
	struct str   key, value;
	char         want[16];

	assert_true(end >= p->added && first >= p->removed);
	assert_ok(kv_scan(kv, PART, STR_NONE, STR_NONE, false, &it));
	for (; first < end; first++) {
		mail_key(want, first);
		assert_int_equal(kv_iter_next(it, &key, &value), 1);
		assert_true(str_eq(key, str_c(want)));
		check_mail(kv, value, first);
	}
	assert_int_equal(kv_iter_next(it, &key, &value), 0);
}

/* After the failure: a healed store that is whole, has what was confirmed, and goes on. */
static void
check_after(struct kv *kv, const struct progress *p)
{
	struct kv_part meta = { KV_META, 0 };
	size_t         removed;

	assert_ok(kv_heal(kv));
	check_store(kv, p);
	assert_ok(kv_blob_collect(kv, clock_real_ms() + 1, 100, &removed));
	check_store(kv, p);
	put1(kv, meta, version(kv, meta), "k", "v");
}

static void
fail_each_operation(bool sticky, int err)
{
	unsigned long made, nth = 1;

	do {
		struct kv      *inner;
		OWN(kv)         kv = NULL;
		struct progress p = { 0 };
		int             r;

		assert_ok(kv_mem_open(&inner));
		assert_ok(kv_fault_open(inner, &kv));
		kv_fault_set(kv, nth, sticky, err);
		r = script(kv, &p);
		made = kv_fault_set(kv, 0, false, 0);
		assert_int_equal(r, nth <= made ? err : 0);
		check_after(kv, &p);
	} while (nth++ <= made);
	assert_true(made > 20);
}

static void
test_every_operation_may_fail(void **state)
{
	(void)state;
	fail_each_operation(false, E_NOMEM);
	fail_each_operation(false, E_IO);
	fail_each_operation(true, E_IO);
	fail_each_operation(true, E_DISK_FULL);
}

/* Needs a build with -Dfaults=true; in others no allocation fails and one round shows it. */
static void
test_every_allocation_may_fail(void **state)
{
	unsigned long made = 0, nth = 1;

	(void)state;
	do {
		OWN(kv)         kv = NULL;
		struct progress p = { 0 };
		int             r;

		assert_ok(kv_mem_open(&kv));
		mem_fault_set(nth, 0);
		r = script(kv, &p);
		made = mem_fault_set(0, 0);
		assert_int_equal(r, nth <= made ? E_NOMEM : 0);
		assert_true(kv_healthy(kv));
		check_after(kv, &p);
	} while (nth++ <= made);
}

/* --- crashes and slow disks --- */

static void
test_crash_keeps_what_was_durable(void **state)
{
	OWN(kv)                   kv = NULL;
	OWN(kv)                   next = NULL;
	OWN_BATCH struct kv_batch b;
	OWN_BUF struct buf        got = BUF_INIT(10);
	kv_ticket                 t;

	(void)state;
	assert_ok(kv_mem_open(&kv));
	put1(kv, PART, 0, "sure", "1");
	kv_batch_init(&b);
	kv_put(&b, STR("unsure"), STR("1"));
	t = commit(kv, PART, 1, &b);
	assert_ok(kv_mem_crash(kv, &next));
	assert_int_equal(kv_get(kv, PART, STR("sure"), &got), E_IO);
	assert_int_equal(kv_wait(kv, t), E_IO);
	assert_int_equal(kv_commit(kv, PART, 2, 3, &b, &t), E_IO);
	assert_int_equal(kv_heal(kv), E_IO);
	assert_value(next, PART, "sure", "1");
	assert_absent(next, PART, "unsure");
	assert_int_equal(version(next, PART), 1);
	put1(next, PART, 1, "unsure", "2");
}

struct waiter {
	struct kv  *kv;
	kv_ticket   ticket;
	atomic_bool waited;
	int         r;
};

static void *
run_waiter(void *arg)
{
	struct waiter *w = arg;

	w->r = kv_wait(w->kv, w->ticket);
	atomic_store(&w->waited, true);
	return NULL;
}

static void
test_slow_sync_holds_nobody_else(void **state)
{
	struct kv                *kv = kv_of(state);
	OWN_BATCH struct kv_batch b;
	struct waiter             w = { .kv = kv };
	pthread_t                 thread;
	int64_t                   start = clock_mono_ms();

	kv_batch_init(&b);
	kv_put(&b, STR("a"), STR("1"));
	w.ticket = commit(kv, PART, 0, &b);
	kv_fault_slow(kv, 300);
	assert_ok(pthread_create(&thread, NULL, run_waiter, &w));
	/* Meanwhile commits and reads go on; nothing of it is durable. */
	commit(kv, PART, 1, &b);
	assert_value(kv, PART, "a", "1");
	assert_false(kv_is_durable(kv, w.ticket));
	assert_false(atomic_load(&w.waited));
	assert_ok(pthread_join(thread, NULL));
	assert_ok(w.r);
	assert_true(clock_mono_ms() - start >= 290);
	assert_true(kv_is_durable(kv, w.ticket));
	start = clock_mono_ms();
	assert_ok(kv_wait(kv, w.ticket)); /* is there already: no sync */
	assert_true(clock_mono_ms() - start < 250);
	kv_fault_slow(kv, 0);
}

static void
test_heal_waits_for_readers_but_not_for_ever(void **state)
{
	struct kv   *kv = kv_of(state);
	OWN(kv_iter) it = NULL;
	struct str   key, value;

	put1(kv, PART, 0, "a", "1");
	assert_ok(kv_scan(kv, PART, STR_NONE, STR_NONE, false, &it));
	kv_fault_set(kv, 1, false, E_IO);
	assert_true(kv_blob_release(kv, &(struct kv_blob_id){ { 1 } }) < 0);
	assert_int_equal(kv_heal(kv), E_BUSY);
	assert_int_equal(kv_iter_next(it, &key, &value), 1);
	kv_iter_drop(TAKE(it));
	assert_ok(kv_heal(kv));
}

/* --- trace --- */

static void
test_trace_lines(void **state)
{
	static const char WANT[] = "commit account/7 0>1 bytes=9 ticket=1 = OK\n"
				   "wait ticket=1 = OK\n"
				   "get account/7 key=a\\x00\\x5cb bytes=2 = OK\n"
				   "get account/7 key=none bytes=0 = NOT_FOUND\n"
				   "scan account/7 from= to=x reverse = OK\n"
				   "version directory/0 version=0 = OK\n"
				   "drop = OK\n";
	struct kv                *inner, *kv;
	OWN_BATCH struct kv_batch b;
	OWN_BUF struct buf        got = BUF_INIT(10);
	char                      lines[2000];
	ssize_t                   n;
	int                       fds[2];

	(void)state;
	assert_ok(pipe(fds));
	assert_ok(kv_mem_open(&inner));
	assert_ok(kv_trace_open(inner, fds[1], &kv));
	kv_batch_init(&b);
	kv_put(&b, STR("a\0\\b"), STR("vv"));
	assert_ok(kv_wait(kv, commit(kv, PART, 0, &b)));
	assert_ok(kv_get(kv, PART, STR("a\0\\b"), &got));
	assert_absent(kv, PART, "none");
	{
		OWN(kv_iter) it = NULL;

		assert_ok(kv_scan(kv, PART, STR_NONE, STR("x"), true, &it));
	}
	version(kv, (struct kv_part){ KV_DIRECTORY, 0 });
	kv_drop(kv);
	n = read(fds[0], lines, sizeof(lines) - 1);
	assert_true(n > 0);
	lines[n] = '\0';
	assert_string_equal(lines, WANT);
	close(fds[0]);
	close(fds[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, env_fault, env_done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counts_and_fails),
		TEST(test_failed_write_needs_heal),
		cmocka_unit_test(test_every_operation_may_fail),
		cmocka_unit_test(test_every_allocation_may_fail),
		cmocka_unit_test(test_crash_keeps_what_was_durable),
		TEST(test_slow_sync_holds_nobody_else),
		TEST(test_heal_waits_for_readers_but_not_for_ever),
		cmocka_unit_test(test_trace_lines),
	};

	return cmocka_run_group_tests_name("kv_fault, kv_trace and kv_mem", tests, NULL, NULL);
}

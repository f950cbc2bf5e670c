/*
 * When the disk engine syncs, how often, and what a failing sync does. This program has its own
 * fdatasync, which RocksDB calls too: it counts, may fail, and may be held up.
 */
#include "env.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int      syncs;
static atomic_int      fail_with;   /* errno, or 0 */
static atomic_int      good_before; /* so many go well before one fails */
static pthread_mutex_t door = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t  moved = PTHREAD_COND_INITIALIZER;
static bool            shut;
static int             held; /* syncs at the shut door */

int
fdatasync(int fd)
{
	int e;

	atomic_fetch_add(&syncs, 1);
	pthread_mutex_lock(&door);
	held++;
	pthread_cond_broadcast(&moved);
	while (shut)
		pthread_cond_wait(&moved, &door);
	held--;
	pthread_mutex_unlock(&door);
	e = atomic_load(&fail_with);
	if (e == 0 || atomic_fetch_sub(&good_before, 1) > 0)
		return (int)syscall(SYS_fdatasync, fd);
	errno = e;
	return -1;
}

static void
fail_syncs(int errno_value, int after)
{
	atomic_store(&good_before, after);
	atomic_store(&fail_with, errno_value);
}

static void
door_shut(void)
{
	pthread_mutex_lock(&door);
	shut = true;
	pthread_mutex_unlock(&door);
}

static void
door_await_one(void)
{
	pthread_mutex_lock(&door);
	while (held == 0)
		pthread_cond_wait(&moved, &door);
	pthread_mutex_unlock(&door);
}

static void
door_open(void)
{
	pthread_mutex_lock(&door);
	shut = false;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&door);
}

static struct kv *
kv_of(void **state)
{
	return ((struct env *)*state)->kv;
}

static kv_ticket
commit_one(struct kv *kv, uint64_t account)
{
	struct kv_part            part = { KV_ACCOUNT, account };
	OWN_BATCH struct kv_batch b;

	kv_batch_init(&b);
	kv_put(&b, STR("k"), STR("v"));
	return commit(kv, part, version(kv, part), &b);
}

static void
test_wait_syncs_once(void **state)
{
	struct kv *kv = kv_of(state);
	int        before = atomic_load(&syncs);
	kv_ticket  first, last;

	first = commit_one(kv, 1);
	commit_one(kv, 2);
	last = commit_one(kv, 1);
	assert_int_equal(atomic_load(&syncs), before);
	assert_ok(kv_wait(kv, first));
	assert_int_equal(atomic_load(&syncs), before + 1);
	assert_ok(kv_wait(kv, last)); /* was on disk with the first */
	assert_int_equal(atomic_load(&syncs), before + 1);
	assert_ok(kv_wait(kv, commit_one(kv, 3)));
	assert_int_equal(atomic_load(&syncs), before + 2);
}

struct waiter {
	pthread_t  thread;
	struct kv *kv;
	kv_ticket  ticket;
	int        r;
};

static void *
run_waiter(void *arg)
{
	struct waiter *w = arg;

	w->r = kv_wait(w->kv, w->ticket);
	return NULL;
}

static void
waiter_start(struct waiter *w, struct kv *kv, kv_ticket ticket)
{
	*w = (struct waiter){ .kv = kv, .ticket = ticket };
	assert_ok(pthread_create(&w->thread, NULL, run_waiter, w));
}

static void
test_commits_go_on_during_a_sync(void **state)
{
	enum { LATE = 20 };
	struct kv    *kv = kv_of(state);
	struct waiter early, late[LATE];
	int           before = atomic_load(&syncs);

	door_shut();
	waiter_start(&early, kv, commit_one(kv, 1));
	door_await_one();
	/* The disk is busy: commits and reads do not care, and who waits now shares one sync. */
	for (uint64_t i = 0; i < LATE; i++)
		waiter_start(&late[i], kv, commit_one(kv, 100 + i));
	assert_value(kv, (struct kv_part){ KV_ACCOUNT, 100 }, "k", "v");
	assert_false(kv_is_durable(kv, early.ticket));
	door_open();
	assert_ok(pthread_join(early.thread, NULL));
	assert_ok(early.r);
	for (int i = 0; i < LATE; i++) {
		assert_ok(pthread_join(late[i].thread, NULL));
		assert_ok(late[i].r);
		assert_true(kv_is_durable(kv, late[i].ticket));
	}
	assert_int_equal(atomic_load(&syncs), before + 2);
}

/* Those who wait without a thread. */
struct async {
	struct kv_waiter waiter;
	struct kv       *kv;
	kv_ticket        ticket;
	atomic_int       woken;
};

static void
on_wake(struct kv_waiter *w)
{
	atomic_fetch_add(&CONTAINER_OF(w, struct async, waiter)->woken, 1);
}

static void
async_await(struct async *a)
{
	for (int i = 0; i < 10000 && atomic_load(&a->woken) == 0; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&a->woken), 1);
}

/* Registers n of them behind a leader that is held up at the door. */
static void
async_start(struct async *a, int n, struct kv *kv, struct waiter *leader)
{
	door_shut();
	waiter_start(leader, kv, commit_one(kv, 1));
	door_await_one();
	for (int i = 0; i < n; i++) {
		a[i] = (struct async){ .waiter.wake = on_wake, .kv = kv };
		a[i].ticket = commit_one(kv, 100 + (uint64_t)i);
		assert_int_equal(kv_wait_or_wake(kv, a[i].ticket, &a[i].waiter), 1);
		assert_int_equal(atomic_load(&a[i].woken), 0);
	}
}

static void
test_waiting_without_a_thread(void **state)
{
	enum { N = 20 };
	struct kv    *kv = kv_of(state);
	struct waiter leader;
	struct async  a[N], alone = { .waiter.wake = on_wake };
	int           before = atomic_load(&syncs);

	async_start(a, N, kv, &leader);
	door_open();
	for (int i = 0; i < N; i++) {
		async_await(&a[i]);
		assert_ok(kv_wait_or_wake(kv, a[i].ticket, &a[i].waiter));
	}
	assert_ok(pthread_join(leader.thread, NULL));
	assert_int_equal(atomic_load(&syncs), before + 2);
	/* When nobody syncs the caller does, and is not woken. */
	assert_ok(kv_wait_or_wake(kv, commit_one(kv, 1), &alone.waiter));
	assert_int_equal(atomic_load(&syncs), before + 3);
	assert_int_equal(atomic_load(&alone.woken), 0);
}

static void
test_failed_sync_wakes_those_without_a_thread(void **state)
{
	enum { N = 3 };
	struct kv    *kv = kv_of(state);
	struct waiter leader;
	struct async  a[N];

	async_start(a, N, kv, &leader);
	fail_syncs(EIO, 0);
	door_open();
	for (int i = 0; i < N; i++) {
		async_await(&a[i]);
		assert_int_equal(kv_wait_or_wake(kv, a[i].ticket, &a[i].waiter), E_IO);
	}
	assert_ok(pthread_join(leader.thread, NULL));
	fail_syncs(0, 0);
	assert_ok(kv_heal(kv));
	assert_int_equal(kv_wait_or_wake(kv, a[0].ticket, &a[0].waiter), E_IO); /* for good */
	assert_ok(kv_wait(kv, commit_one(kv, 1)));
}

static void
test_failed_sync_fails_all_that_wait(void **state)
{
	struct kv    *kv = kv_of(state);
	struct waiter leader, other;
	kv_ticket     sure = commit_one(kv, 1);
	uint64_t      generation = kv_generation(kv);

	assert_ok(kv_wait(kv, sure));
	door_shut();
	waiter_start(&leader, kv, commit_one(kv, 1));
	door_await_one();
	waiter_start(&other, kv, commit_one(kv, 2));
	fail_syncs(EIO, 0);
	door_open();
	assert_ok(pthread_join(leader.thread, NULL));
	assert_ok(pthread_join(other.thread, NULL));
	assert_int_equal(leader.r, E_IO);
	assert_int_equal(other.r, E_IO);
	assert_false(kv_healthy(kv));
	assert_int_equal(version(kv, (struct kv_part){ KV_ACCOUNT, 1 }), 2); /* visible */
	assert_ok(kv_wait(kv, sure));

	/* While syncs fail it cannot be healed, and stays as it is. */
	generation = kv_generation(kv);
	assert_int_equal(kv_heal(kv), E_IO);
	assert_true(kv_generation(kv) == generation);
	assert_int_equal(version(kv, (struct kv_part){ KV_ACCOUNT, 1 }), 2);
	fail_syncs(0, 0);
	assert_ok(kv_heal(kv));
	assert_true(kv_generation(kv) > generation);
	assert_true(version(kv, (struct kv_part){ KV_ACCOUNT, 1 }) >= 1);
	assert_ok(kv_wait(kv, sure));
	assert_int_equal(kv_wait(kv, leader.ticket), E_IO); /* for good */
	assert_ok(kv_wait(kv, commit_one(kv, 1)));
}

static void
test_full_disk_is_told_apart(void **state)
{
	struct kv *kv = kv_of(state);
	kv_ticket  t = commit_one(kv, 1);

	fail_syncs(ENOSPC, 0);
	assert_int_equal(kv_wait(kv, t), E_DISK_FULL);
	assert_int_equal(kv_heal(kv), E_DISK_FULL);
	fail_syncs(0, 0);
	assert_ok(kv_heal(kv));
	assert_ok(kv_wait(kv, commit_one(kv, 1)));
}

/* The disk looks well again and then fails while the store is opened: reads go on all the same. */
static void
test_failed_reopening(void **state)
{
	struct kv     *kv = kv_of(state);
	struct kv_part part = { KV_ACCOUNT, 1 };
	kv_ticket      sure = commit_one(kv, 1), t;
	uint64_t       generation = kv_generation(kv);

	assert_ok(kv_wait(kv, sure));
	t = commit_one(kv, 1);
	fail_syncs(EIO, 0);
	assert_int_equal(kv_wait(kv, t), E_IO);
	fail_syncs(EIO, 1);
	assert_int_equal(kv_heal(kv), E_IO);
	assert_false(kv_healthy(kv));
	assert_true(kv_generation(kv) > generation);
	assert_value(kv, part, "k", "v");
	assert_scan(kv, part, STR_NONE, STR_NONE, false, "k");
	fail_syncs(0, 0);
	generation = kv_generation(kv);
	assert_ok(kv_heal(kv));
	assert_true(kv_generation(kv) > generation);
	assert_value(kv, part, "k", "v");
	assert_ok(kv_wait(kv, sure));
	assert_ok(kv_wait(kv, commit_one(kv, 1)));
}

/* Also after a failed test: nothing may stay at the door. */
static int
teardown(void **state)
{
	fail_syncs(0, 0);
	door_open();
	return env_done(state);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, env_rocks, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wait_syncs_once),
		TEST(test_commits_go_on_during_a_sync),
		TEST(test_waiting_without_a_thread),
		TEST(test_failed_sync_wakes_those_without_a_thread),
		TEST(test_failed_sync_fails_all_that_wait),
		TEST(test_full_disk_is_told_apart),
		TEST(test_failed_reopening),
	};

	return cmocka_run_group_tests_name("syncs of kv_rocks", tests, NULL, NULL);
}

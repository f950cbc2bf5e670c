/* Threads on shared accounts: writers, a watcher that follows the change log, and accounts that
 * come and go. */
#include "env.h"
#include "kv/open.h"
#include "store/journal.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { WRITERS = 4, ROUNDS = 150, ACCOUNTS = 6 };

/* cmocka cannot fail a test from another thread: the first broken line is noted. */
static atomic_int broken;

#define CHECK(cond)                                                                              \
	do {                                                                                     \
		int none_ = 0;                                                                   \
		if (!(cond))                                                                     \
			atomic_compare_exchange_strong(&broken, &none_, __LINE__);               \
	} while (0)
#define CHECK_OK(expr) CHECK((expr) == 0)

struct writer {
	pthread_t   thread;
	struct env *e;
	unsigned    rand;
	uint64_t    appended;
};

static unsigned
pick(struct writer *w, unsigned n)
{
	w->rand = w->rand * 1103515245 + 12345;
	return (w->rand >> 16) % n;
}

static void
append(struct writer *w, struct account *a, mailbox_id box)
{
	const struct append_options opt = { 0 };
	OWN(ingest)                 in = NULL;
	struct appended             done;

	CHECK_OK(ingest_new(w->e->store, 1000, &in));
	CHECK_OK(ingest_write(in, STR("Message-ID: <x@y>\r\n\r\nbody")));
	CHECK_OK(ingest_end(in));
	CHECK_OK(message_append(a, box, in, &opt, &ACTOR, &done));
	CHECK_OK(store_wait(w->e->store, done.ticket));
	w->appended++;
}

static void
change(struct writer *w, struct account *a, mailbox_id box, mailbox_id other)
{
	const struct flag_change flags = { .op = FLAGS_ADD, .flags.system = 1u << pick(w, 5) };
	OWN_RANGES struct ranges uids = { 0 };
	struct copied            copied = { 0 };
	uint32_t                 at = 1, lo = 1 + pick(w, 200);

	CHECK_OK(ranges_add(&uids, lo, lo + pick(w, 5)));
	switch (pick(w, 4)) {
	case 0:
		CHECK_OK(message_expunge(a, box, &uids, true, 1, &ACTOR, NULL, &at));
		break;
	case 1:
		CHECK_OK(message_move(a, box, &uids, 1, other, &ACTOR, &copied, &at));
		break;
	case 2:
		CHECK_OK(message_copy(a, box, &uids, other, &ACTOR, &copied));
		break;
	default:
		CHECK_OK(message_change_flags(a, box, &uids, 1, &flags, &ACTOR, NULL, &at));
		break;
	}
	ranges_done(&copied.from);
	ranges_done(&copied.to);
}

static void
look(struct account *a, mailbox_id box)
{
	OWN_RANGES struct ranges uids = { 0 };
	OWN(message_iter)        it = NULL;
	struct mailbox_status    s;
	struct message_facts     facts;
	struct message           m;
	uint32_t                 recent, last = 0;
	uint64_t                 modseq;
	int                      r;

	CHECK_OK(mailbox_view(a, box, true, &s, &uids, &recent, &modseq));
	CHECK(ranges_count(&uids) == s.messages);
	CHECK_OK(message_scan(a, box, 1, UINT32_MAX, SCAN_RECORDS_FACTS, &it));
	while ((r = message_iter_next(it, &m, &facts)) > 0) {
		CHECK(m.uid > last && facts.envelope.n != 0);
		last = m.uid;
	}
	CHECK(r == 0);
	CHECK_OK(account_barrier(a));
}

/* A POP3 session: each message is seen once, and is there although others work on it. */
static void
poll_mail(struct writer *w, struct account *a)
{
	static const char *const   NAMES[] = { "phone", "desk" };
	const struct device_counts counts = { 1, 10, 0, 0 };
	struct actor               actor = { .protocol = ACTOR_POP3 };
	struct pop3_removal        rm = { .mark = 1 };
	struct device_view         v;
	uint32_t                   which[64], n = 0;
	bool                       done = false;

	actor.device = str_c(NAMES[pick(w, 2)]);
	CHECK_OK(device_seen(a, &actor, &rm.device));
	CHECK_OK(device_view_open(&v, a, rm.device));
	while (atomic_load(&broken) == 0 && !done)
		CHECK_OK(device_view_load(&v, &done));
	for (uint32_t i = 0; i < v.n; i++) {
		struct message m;

		CHECK(i == 0 || v.m[i - 1].email < v.m[i].email);
		v.m[i].marks = pick(w, 3) == 0;
		if (v.m[i].marks != 0) {
			CHECK_OK(device_view_message(a, v.inbox, &v.m[i], &m));
			if (n < ARRAY_LEN(which))
				which[n++] = i;
		}
	}
	CHECK_OK(journal_fetched(a, v.m, which, n, &actor));
	rm.m = v.m;
	rm.n = v.n;
	for (done = false; atomic_load(&broken) == 0 && !done;)
		CHECK_OK(pop3_remove_part(a, &rm, &actor, &done));
	CHECK_OK(device_count(a, rm.device, ACTOR_POP3, &counts));
	device_view_done(&v);
}

static void *
write_much(void *arg)
{
	struct writer *w = arg;
	OWN(account)   a = NULL;
	mailbox_id     inbox, sent;

	CHECK_OK(account_open(w->e->store, ACCOUNT, &a));
	CHECK_OK(mailbox_find(a, STR("INBOX"), &inbox));
	CHECK_OK(mailbox_find(a, STR("Sent"), &sent));
	for (int i = 0; i < ROUNDS && atomic_load(&broken) == 0; i++) {
		append(w, a, inbox);
		change(w, a, inbox, sent);
		if (i % 8 == 0)
			look(a, pick(w, 2) == 0 ? inbox : sent);
		if (i % 10 == 0)
			poll_mail(w, a);
	}
	return NULL;
}

/* --- the watcher --- */

struct watcher {
	pthread_t     thread;
	struct env   *e;
	sem_t         woken;
	atomic_bool   stop;
	struct ranges inbox;
	uint64_t      modseq;
};

static void
wake(void *arg)
{
	sem_post(&((struct watcher *)arg)->woken);
}

static int
follow(void *arg, const struct change *c)
{
	struct watcher *w = arg;

	if (c->mailbox != w->e->inbox)
		return 0;
	if (c->kind == CHANGE_APPEND)
		CHECK_OK(ranges_add(&w->inbox, c->uid_lo, c->uid_hi));
	if (c->kind == CHANGE_EXPUNGE)
		CHECK_OK(ranges_remove(&w->inbox, c->uid_lo, c->uid_hi));
	return 0;
}

static void *
watch_all(void *arg)
{
	struct watcher *w = arg;
	OWN(account)    a = NULL;
	struct watch    watch = { .notify = wake, .arg = w };

	CHECK_OK(account_open(w->e->store, ACCOUNT, &a));
	account_watch(a, &watch);
	sem_post(&w->woken);
	while (!atomic_load(&w->stop)) {
		sem_wait(&w->woken);
		CHECK_OK(change_scan(a, w->modseq, 0, follow, w, &w->modseq));
	}
	account_unwatch(a, &watch);
	CHECK_OK(change_scan(a, w->modseq, 0, follow, w, &w->modseq));
	return NULL;
}

static void
test_one_account(void **state)
{
	struct env    *e = *state;
	struct writer  writers[WRITERS];
	struct watcher watcher = { .e = e };

	atomic_store(&broken, 0);
	sem_init(&watcher.woken, 0, 0);
	pthread_create(&watcher.thread, NULL, watch_all, &watcher);
	for (unsigned i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .e = e, .rand = i + 1 };
		pthread_create(&writers[i].thread, NULL, write_much, &writers[i]);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	atomic_store(&watcher.stop, true);
	sem_post(&watcher.woken);
	pthread_join(watcher.thread, NULL);
	assert_int_equal(atomic_load(&broken), 0);
	assert_string_equal(list_of(&watcher.inbox), uids_in(e, e->inbox));
	assert_int_equal(status(e, e->inbox).uidnext, WRITERS * ROUNDS + 1);
	ranges_done(&watcher.inbox);
	sem_destroy(&watcher.woken);
	env_verify(e);
}

/* --- accounts come and go --- */

/* Opens accounts, more than may stay in memory, and writes to them; some are removed meanwhile. */
static void *
visit(void *arg)
{
	struct writer *w = arg;

	for (int i = 0; i < ROUNDS && atomic_load(&broken) == 0; i++) {
		const struct append_options opt = { 0 };
		OWN(account)                a = NULL;
		OWN(ingest)                 in = NULL;
		struct appended             done;
		mailbox_id                  inbox;
		device_id                   device;
		int                         r;

		r = account_open(w->e->store, 100 + pick(w, ACCOUNTS), &a);
		if (r == 0)
			r = mailbox_find(a, STR("INBOX"), &inbox);
		CHECK_OK(ingest_new(w->e->store, 1000, &in));
		CHECK_OK(ingest_write(in, STR("A: 1\r\n\r\nx")));
		CHECK_OK(ingest_end(in));
		if (r == 0)
			r = message_append(a, inbox, in, &opt, &ACTOR, &done);
		if (r == 0)
			r = device_seen(a, &ACTOR, &device);
		if (r == 0)
			r = account_barrier(a);
		CHECK(r == 0 || r == E_NOT_FOUND);
		w->appended += r == 0;
		if (pick(w, 20) == 0)
			CHECK_OK(store_tend(w->e->store));
	}
	return NULL;
}

static void
test_accounts_come_and_go(void **state)
{
	static const struct quota none;
	struct env               *e = *state;
	struct writer             visitors[WRITERS];

	atomic_store(&broken, 0);
	for (account_id id = 100; id < 100 + ACCOUNTS; id++)
		assert_ok(account_create(e->store, id, &none, &ACTOR));
	for (unsigned i = 0; i < WRITERS; i++) {
		visitors[i] = (struct writer){ .e = e, .rand = i + 1 };
		pthread_create(&visitors[i].thread, NULL, visit, &visitors[i]);
	}
	assert_ok(account_remove(e->store, 101));
	assert_ok(account_remove(e->store, 103));
	for (unsigned i = 0; i < WRITERS; i++)
		pthread_join(visitors[i].thread, NULL);
	assert_int_equal(atomic_load(&broken), 0);
	env_verify(e);
}

static int
env_few(void **state)
{
	struct env *e;

	env_mem(state);
	e = *state;
	account_drop(e->a);
	e->a = NULL;
	store_drop(e->store);
	e->options.accounts_max = 2;
	assert_ok(kv_mem_open(&e->inner));
	assert_ok(kv_fault_open(e->inner, &e->kv));
	assert_ok(store_open(e->kv, &e->options, NULL, &e->store));
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_account, env_mem, env_done),
#ifndef __SANITIZE_THREAD__ /* the library's own synchronisation is not visible to it */
		cmocka_unit_test_setup_teardown(test_one_account, env_rocks, env_done),
#endif
		cmocka_unit_test_setup_teardown(test_accounts_come_and_go, env_few, env_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

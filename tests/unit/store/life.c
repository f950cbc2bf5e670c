/* Tests of what time, failures and other sessions do to a store: change log, watchers,
 * housekeeping, reopening, crashes. */
#include "env.h"

#include <stdlib.h>

#include "base/clock.h"
#include "kv/open.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static int
keep_any(void *arg, const struct expunged *x)
{
	*(struct expunged *)arg = *x;
	return 0;
}

/* --- the change log --- */

struct seen {
	char   text[2000];
	size_t n;
	int    stop;
};

static int
note_change(void *arg, const struct change *c)
{
	struct seen *s = arg;

	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, "%s%c%u:%u-%u",
	    s->n != 0 ? " " : "", "?AFEM"[c->kind], c->mailbox, c->uid_lo, c->uid_hi);
	return s->stop;
}

static const char *
changes(struct env *e, uint64_t since, mailbox_id id)
{
	static struct seen s;
	uint64_t           upto;

	s = (struct seen){ 0 };
	assert_ok(change_scan(e->a, since, id, note_change, &s, &upto));
	assert_true(upto == account_modseq(e->a));
	return s.text;
}

static void
test_change_log(void **state)
{
	struct env *e = *state;
	uint64_t    since = account_modseq(e->a), upto;
	mailbox_id  sent = box(e, "Sent");
	struct seen s = { .stop = 77 };

	assert_string_equal(changes(e, since, 0), "");
	assert_string_equal(changes(e, 0, 0), "M1:0-0 M2:0-0 M3:0-0 M4:0-0 M5:0-0 M6:0-0");
	put(e, 0, "A: 1\r\n\r\nx");
	put(e, 0, "A: 1\r\n\r\nx");
	put(e, sent, "A: 1\r\n\r\nx");
	set_flags(e, e->inbox, "1:2", FLAGS_ADD, FLAG_DELETED);
	expunge_all(e, e->inbox, NULL);
	assert_string_equal(
	    changes(e, since, 0), "A1:1-1 A1:2-2 A3:1-1 F1:1-2 E1:1-2");
	assert_string_equal(changes(e, since, e->inbox), "A1:1-1 A1:2-2 F1:1-2 E1:1-2");
	assert_string_equal(changes(e, since + 3, 0), "F1:1-2 E1:1-2");
	assert_string_equal(changes(e, account_modseq(e->a), 0), "");
	assert_string_equal(changes(e, UINT64_MAX, 0), "");
	assert_int_equal(change_scan(e->a, since, 0, note_change, &s, &upto), 77);
	assert_string_equal(s.text, "A1:1-1");
	box(e, "new");
	assert_string_equal(changes(e, account_modseq(e->a) - 1, 0), "M7:0-0");
}

static void
note_wake(void *arg)
{
	++*(int *)arg;
}

static void
test_watch(void **state)
{
	struct env  *e = *state;
	int          woken = 0, other = 0;
	struct watch w = { .notify = note_wake, .arg = &woken };
	struct watch v = { .notify = note_wake, .arg = &other };

	account_watch(e->a, &w);
	account_watch(e->a, &v);
	put(e, 0, "A: 1\r\n\r\nx");
	assert_int_equal(woken, 1);
	set_flags(e, e->inbox, "1", FLAGS_ADD, FLAG_SEEN);
	set_flags(e, e->inbox, "1", FLAGS_ADD, FLAG_SEEN);
	assert_int_equal(woken, 2);
	account_unwatch(e->a, &w);
	put(e, 0, "A: 1\r\n\r\nx");
	assert_int_equal(woken, 2);
	assert_int_equal(other, 3);
	account_unwatch(e->a, &v);
}

/* --- housekeeping --- */

static void
test_purge_and_trim(void **state)
{
	struct env     *e = *state;
	struct message  m;
	struct appended done;
	uint64_t        since, refs, upto;
	struct seen     s = { 0 };

	put(e, 0, "Message-ID: <a@x>\r\n\r\nx");
	put(e, 0, "Message-ID: <b@x>\r\n\r\nx");
	m = get(e, e->inbox, 1);
	expunge_all(e, e->inbox, "1");
	since = account_modseq(e->a);
	assert_ok(store_tend(e->store));
	assert_ok(kv_blob_refs(e->kv, &m.blob, &refs));
	assert_int_equal(refs, 1);
	clock_test_advance(20ll * DAY_MS);
	expunge_all(e, e->inbox, "2");
	clock_test_advance(11ll * DAY_MS);
	assert_ok(store_tend(e->store));
	assert_ok(kv_blob_refs(e->kv, &m.blob, &refs));
	assert_int_equal(refs, 0);
	assert_int_equal(expunged_restore(e->a, m.email, e->inbox, &ACTOR, &done), E_NOT_FOUND);
	assert_int_equal(change_scan(e->a, since - 1, 0, note_change, &s, &upto), E_NOT_FOUND);
	assert_string_equal(changes(e, since, 0), "E1:2-2");
	env_verify(e);
	assert_ok(expunged_restore(e->a, 2, e->inbox, &ACTOR, &done));
	/* The purged Message-ID leads nowhere; the other still does. */
	put(e, 0, "In-Reply-To: <a@x>\r\n\r\nx");
	put(e, 0, "In-Reply-To: <b@x>\r\n\r\nx");
	assert_true(get(e, e->inbox, 4).thread == get(e, e->inbox, 4).email);
	assert_true(get(e, e->inbox, 5).thread == 2);
	clock_test_advance(100ll * DAY_MS);
	assert_ok(store_tend(e->store));
	assert_string_equal(changes(e, account_modseq(e->a) - 1, 0), "");
	env_verify(e);
	clock_test_advance(-131ll * DAY_MS);
}

/* A copy takes the Message-ID over; the thread outlives the original. */
static void
test_thread_of_a_copy(void **state)
{
	struct env *e = *state;
	mailbox_id  sent = box(e, "Sent");

	put(e, 0, "Message-ID: <a@x>\r\n\r\nx");
	copy_from_inbox(e, "1", sent, "1", "1");
	expunge_all(e, e->inbox, "1");
	clock_test_advance(31ll * DAY_MS);
	assert_ok(store_tend(e->store));
	put(e, 0, "In-Reply-To: <a@x>\r\n\r\nx");
	assert_true(get(e, e->inbox, 2).thread == 1);
	env_verify(e);
	clock_test_advance(-31ll * DAY_MS);
}

/* What a crash left of a body that nobody took in is collected. */
static void
test_collect(void **state)
{
	struct env       *e = *state;
	OWN(ingest)       in = NULL;
	char             *p = noise(3 * KV_BLOB_PIECE, 1);
	size_t            removed = 0;

	assert_ok(ingest_new(e->store, UINT64_MAX, &in));
	assert_ok(ingest_write(in, str_of(p, 3 * KV_BLOB_PIECE)));
	free(p);
	ingest_drop(TAKE(in));
	assert_ok(store_tend(e->store));
	clock_test_advance(2ll * DAY_MS);
	assert_ok(store_tend(e->store));
	assert_ok(kv_blob_collect(e->kv, clock_real_ms(), 100, &removed));
	assert_int_equal(removed, 0);
	clock_test_advance(-2ll * DAY_MS);
}

/* --- the engine fails and comes back --- */

static void
test_heal(void **state)
{
	struct env     *e = *state;
	struct appended done;
	int             woken = 0;
	struct watch    w = { .notify = note_wake, .arg = &woken };
	OWN(ingest)     in = take_in(e->store, STR("A: 1\r\n\r\nx"));
	const struct append_options opt = { 0 };
	uint32_t        n;

	put(e, 0, "A: 1\r\n\r\nx");
	assert_ok(account_barrier(e->a));
	put(e, 0, "A: 2\r\n\r\nx");
	kv_fault_set(e->kv, 1, true, E_DISK_FULL);
	assert_int_equal(account_barrier(e->a), E_DISK_FULL);
	kv_fault_set(e->kv, 0, false, 0);
	assert_int_equal(
	    try_append(e, e->inbox, STR("x"), (struct flags){ 0 }, &done), E_DISK_FULL);
	account_watch(e->a, &w);
	assert_ok(store_tend(e->store));
	account_unwatch(e->a, &w);
	assert_int_equal(woken, 1);
	/* The old handle is of no use; a new one sees what was on disk. */
	assert_int_equal(account_barrier(e->a), E_CONFLICT);
	assert_int_equal(mailbox_subscribe(e->a, STR("x"), true, &ACTOR), E_CONFLICT);
	env_account(e);
	/* What was not on disk for sure may be there or not. */
	n = status(e, e->inbox).messages;
	assert_true(n == 1 || (n == 2 && e->dir[0] != '\0'));
	assert_int_equal(message_append(e->a, e->inbox, in, &opt, &ACTOR, &done), E_CONFLICT);
	put(e, 0, "A: 3\r\n\r\nx");
	assert_ok(account_barrier(e->a));
	/* Versions that were seen before the failure do not come again. */
	assert_true(account_modseq(e->a) > 1 << 20);
	put(e, 0, "A: 3\r\n\r\nx");
	env_verify(e);
}

struct breaker {
	struct env *e;
	bool        armed;
};

/* While a commit is being published: all is synced, then the engine fails and is reopened. */
static void
break_and_heal(void *arg)
{
	const struct kv_part      part = { KV_QUEUE, 1 };
	struct breaker           *b = arg;
	OWN_BATCH struct kv_batch batch;
	kv_ticket                 ticket;

	kv_batch_init(&batch);
	if (!b->armed)
		return;
	b->armed = false;
	kv_put(&batch, STR("key"), STR("value"));
	assert_ok(kv_commit(b->e->kv, part, 0, 1, &batch, &ticket));
	assert_ok(kv_wait(b->e->kv, ticket));
	kv_fault_set(b->e->kv, 1, false, E_IO);
	assert_int_equal(kv_commit(b->e->kv, part, 1, 2, &batch, &ticket), E_IO);
	kv_fault_set(b->e->kv, 0, false, 0);
	assert_ok(kv_heal(b->e->kv));
}

/* The engine was reopened on the way to the second mailbox: its message is taken back, because
 * nobody can tell whether the blob is still there. */
static void
test_reopening_on_the_way(void **state)
{
	struct env                 *e = *state;
	const struct append_options opt = { 0 };
	OWN(ingest)                 in = take_in(e->store, STR("A: 1\r\n\r\nx"));
	struct breaker              b = { e, false };
	struct watch                w = { .notify = break_and_heal, .arg = &b };
	mailbox_id                  sent = box(e, "Sent");
	struct expunged             x = { 0 };
	struct appended             done;

	account_watch(e->a, &w);
	assert_ok(message_append(e->a, e->inbox, in, &opt, &ACTOR, &done));
	b.armed = true;
	assert_int_equal(message_append(e->a, sent, in, &opt, &ACTOR, &done), E_CONFLICT);
	account_unwatch(e->a, &w);
	env_account(e);
	assert_string_equal(uids_in(e, e->inbox), "1");
	assert_string_equal(uids_in(e, sent), "");
	assert_int_equal(status(e, sent).uidnext, 2);
	assert_ok(expunged_scan(e->a, keep_any, &x));
	assert_int_equal(x.mailbox, sent);
	env_verify(e);
}

/* Somebody else wrote into the partition: the account is read again. */
static void
test_conflict(void **state)
{
	const struct kv_part      part = { KV_ACCOUNT, ACCOUNT };
	struct env               *e = *state;
	OWN_BATCH struct kv_batch batch;
	uint64_t                  version;
	struct appended           done;
	kv_ticket                 ticket;

	put(e, 0, "A: 1\r\n\r\nx");
	kv_batch_init(&batch);
	assert_ok(kv_version(e->kv, part, &version));
	assert_ok(kv_commit(e->kv, part, version, version + 5, &batch, &ticket));
	assert_int_equal(try_append(e, e->inbox, STR("x"), (struct flags){ 0 }, &done), E_CONFLICT);
	done = put(e, 0, "A: 2\r\n\r\nx");
	assert_true(done.uid == 2 && done.modseq == version + 6);
	env_verify(e);
}

/* All that was waited for is there after a crash, and no more than what was done. */
static void
test_crash(void **state)
{
	struct env *e = *state;

	for (int round = 0; round < 5; round++) {
		uint32_t uid;

		put(e, 0, "A: 1\r\n\r\nx");
		uid = put(e, 0, "A: 2\r\n\r\nx").uid;
		assert_ok(account_barrier(e->a));
		put(e, 0, "A: 3\r\n\r\nx");
		set_flags(e, e->inbox, "1:100", FLAGS_ADD, FLAG_SEEN);
		env_crash(e);
		get(e, e->inbox, uid);
		env_verify(e);
	}
}

#define ON_MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)
#define ON_ROCKS(f) { #f " (rocks)", f, env_rocks, env_done, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MEM(test_change_log),
		ON_MEM(test_watch),
		ON_MEM(test_purge_and_trim),
		ON_ROCKS(test_purge_and_trim),
		ON_MEM(test_thread_of_a_copy),
		ON_MEM(test_collect),
		ON_MEM(test_heal),
		ON_ROCKS(test_heal),
		ON_MEM(test_reopening_on_the_way),
		ON_MEM(test_conflict),
		ON_MEM(test_crash),
		ON_ROCKS(test_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests of the journal: what it tells of each message, and putting back what a device removed. */
#include "devices.h"

#include "base/clock.h"
#include "store/journal.h"

static const struct actor ADMIN = { .protocol = ACTOR_ADMIN };

/* --- reading --- */

struct told {
	char     text[4000];
	size_t   n;
	unsigned stop; /* after so many; 0: never */
	unsigned count;
	uint64_t modseq;
};

static int
tell(void *arg, const struct journal_event *ev)
{
	static const char *const WHAT[] = {
		"delivered", "appended", "copied", "moved", "read", "unread", "flagged",
		"unflagged", "flags", "fetched", "hidden", "removed", "restored", "purged"
	};
	struct told *t = arg;

	t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n, "%s%s:%llu@%u/%u",
	    t->n != 0 ? " " : "", WHAT[ev->what], (unsigned long long)ev->email, ev->mailbox,
	    ev->uid);
	if (ev->from != 0)
		t->n += (size_t)snprintf(
		    t->text + t->n, sizeof(t->text) - t->n, "<%u", ev->from);
	if (ev->protocol == ACTOR_POP3)
		t->n += (size_t)snprintf(t->text + t->n, sizeof(t->text) - t->n, "(%.*s)",
		    STR_ARG(ev->device));
	assert_true(ev->modseq >= t->modseq);
	t->modseq = ev->modseq;
	return ++t->count == t->stop;
}

static const char *
journal(struct env *e, const struct journal_query *query)
{
	static struct told t;

	t = (struct told){ 0 };
	assert_ok(journal_scan(e->a, query, tell, &t));
	return t.text;
}

static const char *
of_message(struct env *e, email_id email)
{
	return journal(e, &(struct journal_query){ .email = email });
}

static void
test_what_is_told(void **state)
{
	struct env         *e = *state;
	mailbox_id          sent = box(e, "Sent");
	const struct actor  phone = pop3("phone");
	struct device_view  v;
	struct appended     done;
	struct journal_query q = { 0 };
	struct told         t = { .stop = 2 };
	const uint32_t      which[] = { 0, 1 };

	put_some(e, 3);
	set_flags(e, e->inbox, "1:2", FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED);
	set_flags(e, e->inbox, "2", FLAGS_REMOVE, FLAG_SEEN);
	set_flags(e, e->inbox, "3", FLAGS_ADD, FLAG_ANSWERED);
	copy_from_inbox(e, "1", sent, "1", "1");
	v = view(e, "phone");
	assert_ok(journal_fetched(e->a, v.m, which, 2, &phone));
	device_view_done(&v);
	removes(e, "phone", "1:2");
	expunge_all(e, e->inbox, "3");
	assert_ok(expunged_restore(e->a, 3, sent, &ACTOR, &done));
	assert_string_equal(of_message(e, 1), "appended:1@1/1 read:1@1/1 flagged:1@1/1 "
	    "fetched:1@1/1(phone) moved:1@6/1<1(phone)");
	assert_string_equal(of_message(e, 2), "appended:2@1/2 read:2@1/2 flagged:2@1/2 "
	    "unread:2@1/2 fetched:2@1/2(phone) moved:2@6/2<1(phone)");
	assert_string_equal(of_message(e, 3),
	    "appended:3@1/3 flags:3@1/3 removed:3@1/3 restored:3@3/2");
	assert_string_equal(of_message(e, 4), "copied:4@3/1");
	assert_string_equal(of_message(e, 5), "");
	/* Many events of one commit, and going on behind one. */
	assert_int_equal(journal_scan(e->a, &q, tell, &t), 1);
	assert_string_equal(t.text, "appended:1@1/1 appended:2@1/2");
	q.after = t.modseq;
	assert_true(str_starts(str_c(journal(e, &q)), STR("appended:3@1/3 read:1@1/1")));
	clock_test_advance(1000);
	q = (struct journal_query){ .since_ms = clock_real_ms() };
	set_flags(e, sent, "1", FLAGS_REPLACE, 0);
	assert_string_equal(journal(e, &q), "unread:4@3/1 unflagged:4@3/1");
	clock_test_advance(-1000);
	env_verify(e);
}

static void
test_pop3_policies_are_told(void **state)
{
	struct env *e = *state;

	put_some(e, 5);
	assert_ok(device_policy_set(e->a, login(e, "keep"), POP3_KEEP, &ACTOR));
	assert_ok(device_policy_set(e->a, login(e, "read"), POP3_READ, &ACTOR));
	assert_ok(device_policy_set(e->a, login(e, "delete"), POP3_DELETE, &ACTOR));
	removes(e, "keep", "1");
	removes(e, "read", "2");
	removes(e, "delete", "3");
	removes(e, "keep", "3");
	assert_string_equal(of_message(e, 1), "appended:1@1/1 hidden:1@1/1(keep)");
	assert_string_equal(of_message(e, 2), "appended:2@1/2 read:2@1/2(read) hidden:2@1/2(read)");
	assert_string_equal(
	    of_message(e, 3), "appended:3@1/3 removed:3@1/3(delete) hidden:3@0/0(keep)");
	clock_test_advance(29 * DAY_MS);
	put_some(e, 1);
	clock_test_advance(2 * DAY_MS);
	assert_ok(store_tend(e->store));
	assert_string_equal(of_message(e, 3), "purged:3@0/0");
	clock_test_advance(-31 * DAY_MS);
	env_verify(e);
}

/* --- putting back --- */

static struct journal_restore
put_back(struct env *e, const char *device, int64_t since_ms)
{
	struct journal_restore r = {
		.since_ms = since_ms, .any_device = device == NULL, .device = str_c(device)
	};
	bool                   done = false;

	while (!done)
		assert_ok(journal_restore_part(e->a, &r, &ADMIN, &done));
	env_verify(e);
	return r;
}

static void
test_put_back(void **state)
{
	struct env            *e = *state;
	mailbox_id             trash = box(e, "Trash"), work = box(e, "Work");
	OWN_RANGES struct ranges uids = uids_of("1");
	struct copied          copied = { 0 };
	struct journal_restore r;
	uint64_t               thread;
	uint32_t               next;

	put_some(e, 8);
	set_flags(e, e->inbox, "2", FLAGS_ADD, FLAG_FLAGGED | FLAG_SEEN);
	thread = get(e, e->inbox, 2).thread;
	removes(e, "phone", "1:4");
	removes(e, "desk", "5:6");
	/* 1 was put away by the user, 3 is expunged from the trash. */
	assert_ok(message_move(e->a, trash, &uids, 0, work, &ACTOR, &copied, &next));
	expunge_all(e, trash, "3");
	r = put_back(e, "phone", 0);
	assert_int_equal(r.restored, 3);
	assert_int_equal(r.unhidden, 4);
	assert_string_equal(sees(e, "phone"), "1 2 3 4 5 6 7 8");
	assert_string_equal(sees(e, "desk"), "1 2 3 4 7 8");
	assert_int_equal(status(e, e->inbox).messages, 5);
	assert_int_equal(status(e, work).messages, 1);
	assert_string_equal(uids_in(e, trash), "5:6");
	for (uint32_t uid = 9; uid < 12; uid++)
		if (get(e, e->inbox, uid).email == 2) {
			assert_int_equal(
			    get(e, e->inbox, uid).flags.system, FLAG_FLAGGED | FLAG_SEEN);
			assert_true(get(e, e->inbox, uid).thread == thread);
		}
	/* Again is harmless. */
	r = put_back(e, "phone", 0);
	assert_true(r.restored == 0 && r.unhidden == 0);
	r = put_back(e, NULL, 0);
	assert_int_equal(r.restored, 2);
	assert_string_equal(sees(e, "desk"), "1 2 3 4 5 6 7 8");
	assert_string_equal(uids_in(e, trash), "");
	r = put_back(e, "nobody", 0);
	assert_true(r.restored == 0 && r.unhidden == 0);
	ranges_done(&copied.from);
	ranges_done(&copied.to);
}

/* One entry that cannot be read takes nothing else along. */
static void
test_damaged_entry(void **state)
{
	struct env            *e = *state;
	struct journal_restore r = { .any_device = true };
	uint64_t               damaged;
	bool                   done = false;

	put_some(e, 3);
	removes(e, "phone", "1");
	damaged = status(e, e->inbox).highest_modseq;
	removes(e, "phone", "2:3");
	assert_ok(account_barrier(e->a));
	put_raw(e, key_log(damaged), STR("\x01"));
	env_crash(e);
	assert_null(strstr(of_message(e, 1), "moved:"));
	assert_non_null(strstr(of_message(e, 3), "moved:3"));
	while (!done)
		assert_ok(journal_restore_part(e->a, &r, &ADMIN, &done));
	assert_int_equal(r.restored, 2);
}

static void
test_put_back_policies(void **state)
{
	struct env            *e = *state;
	struct journal_restore r;
	int64_t                since;

	put_some(e, 6);
	assert_ok(device_policy_set(e->a, login(e, "phone"), POP3_DELETE, &ACTOR));
	removes(e, "phone", "1");
	clock_test_advance(DAY_MS);
	since = clock_real_ms();
	removes(e, "phone", "2");
	assert_ok(device_policy_set(e->a, login(e, "phone"), POP3_READ, &ACTOR));
	set_flags(e, e->inbox, "4", FLAGS_ADD, FLAG_SEEN);
	removes(e, "phone", "3:4");
	assert_ok(device_policy_set(e->a, login(e, "phone"), POP3_KEEP, &ACTOR));
	removes(e, "phone", "5");
	assert_ok(device_policy_set(e->a, login(e, "phone"), POP3_ARCHIVE, &ACTOR));
	removes(e, "phone", "6");
	assert_string_equal(uids_in(e, e->inbox), "3:5");
	r = put_back(e, "phone", since);
	assert_int_equal(r.restored, 2);
	assert_int_equal(r.unhidden, 5);
	assert_int_equal(r.unread, 1);
	assert_string_equal(uids_in(e, e->inbox), "3:5,7:8");
	assert_int_equal(get(e, e->inbox, 3).flags.system, 0);
	assert_int_equal(get(e, e->inbox, 4).flags.system, FLAG_SEEN);
	assert_string_equal(sees(e, "phone"), "2 3 4 5 6");
	assert_string_equal(sees(e, "desk"), "1 2 3 4 5 6");
	clock_test_advance(-DAY_MS);
}

/* What an IMAP device expunged or moved to the trash; what it sorted stays; a mailbox is gone. */
static void
test_put_back_imap(void **state)
{
	struct env              *e = *state;
	mailbox_id               trash = box(e, "Trash"), work = box(e, "Work");
	OWN_RANGES struct ranges two = uids_of("2"), three = uids_of("3");
	struct copied            copied = { 0 };
	struct journal_restore   r;
	uint32_t                 next;

	put_some(e, 3);
	put(e, work, "A: 1\r\n\r\nx");
	set_flags(e, e->inbox, "1", FLAGS_ADD, FLAG_DELETED);
	expunge_all(e, e->inbox, NULL);
	assert_ok(message_move(e->a, e->inbox, &two, 0, trash, &ACTOR, &copied, &next));
	assert_ok(message_move(e->a, e->inbox, &three, 0, work, &ACTOR, &copied, &next));
	r = put_back(e, "phone", 0);
	assert_int_equal(r.restored, 2);
	assert_string_equal(uids_in(e, e->inbox), "4:5");
	assert_int_equal(get(e, e->inbox, 4).flags.system, 0);
	assert_int_equal(status(e, work).messages, 2);
	assert_ok(mailbox_delete(e->a, STR("Work"), &ACTOR));
	r = put_back(e, "phone", 0);
	assert_int_equal(r.restored, 2);
	assert_string_equal(uids_in(e, e->inbox), "4:7");
	ranges_done(&copied.from);
	ranges_done(&copied.to);
}

static void
test_put_back_over_quota(void **state)
{
	const struct quota     quota = { .storage_max = 9 * 7 };
	struct env            *e = *state;
	struct journal_restore r = { .any_device = true };
	bool                   done = false;
	int                    err = 0;

	put_some(e, 6);
	assert_ok(account_quota_set(e->a, &quota, &ACTOR));
	assert_ok(device_policy_set(e->a, login(e, "phone"), POP3_DELETE, &ACTOR));
	removes(e, "phone", "1:6");
	put_some(e, 3);
	while (err == 0 && !done)
		err = journal_restore_part(e->a, &r, &ADMIN, &done);
	assert_int_equal(err, E_OVER_QUOTA_TEMP);
	assert_int_equal(r.restored, 4);
	assert_int_equal(journal_restore_part(e->a, &r, &ADMIN, &done), E_OVER_QUOTA_TEMP);
	assert_int_equal(r.restored, 4);
	assert_string_equal(sees(e, "phone"), "1 2 3 4 5 6 7 8 9");
	env_verify(e);
	assert_ok(account_quota_set(e->a, &(struct quota){ 0 }, &ACTOR));
	put_back(e, NULL, 0);
	assert_int_equal(status(e, e->inbox).messages, 9);
}

static void
test_put_back_many(void **state)
{
	enum { N = 2300 };
	struct env            *e = *state;
	struct journal_restore r;

	put_some(e, N);
	removes(e, "phone", "1:2300");
	assert_int_equal(status(e, e->inbox).messages, 0);
	r = put_back(e, "phone", 0);
	assert_true(r.restored == N && r.unhidden == N);
	assert_int_equal(status(e, e->inbox).messages, N);
}

#define ON_MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)
#define ON_ROCKS(f) { #f " (rocks)", f, env_rocks, env_done, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MEM(test_what_is_told),
		ON_MEM(test_pop3_policies_are_told),
		ON_MEM(test_put_back),
		ON_ROCKS(test_put_back),
		ON_MEM(test_damaged_entry),
		ON_MEM(test_put_back_policies),
		ON_MEM(test_put_back_imap),
		ON_MEM(test_put_back_over_quota),
		ON_MEM(test_put_back_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

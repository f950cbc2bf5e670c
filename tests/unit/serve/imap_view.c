/* Tests of serve/imap/view.h: the news of a mailbox, from the change log and without it. */
#include "imap_rig.h"

#include "base/clock.h"
#include "base/error.h"

static const struct actor ACTOR = { .protocol = ACTOR_ADMIN };

static void
change_flags(struct account *a, mailbox_id id, uint32_t lo, uint32_t hi)
{
	const struct flag_change change = { .op = FLAGS_ADD, .flags.system = FLAG_FLAGGED };
	OWN_RANGES struct ranges uids = { 0 };
	uint32_t                 next = 0;

	ranges_add(&uids, lo, hi);
	assert_int_equal(message_change_flags(a, id, &uids, 0, &change, &ACTOR, NULL, &next),
	    0);
}

static void
expunge(struct account *a, mailbox_id id, uint32_t lo, uint32_t hi)
{
	OWN_RANGES struct ranges uids = { 0 };
	uint32_t                 next = 0;

	ranges_add(&uids, lo, hi);
	assert_int_equal(message_expunge(a, id, &uids, true, 0, &ACTOR, NULL, &next), 0);
}

static void
check_set(const struct ranges *s, uint32_t lo, uint32_t hi)
{
	assert_int_equal(ranges_count(s), hi - lo + 1);
	assert_int_equal(ranges_min(s), lo);
	assert_int_equal(ranges_max(s), hi);
}

/* Ten messages; then two are flagged, two go, two come of which one goes again. */
static struct view *
view_with_news(struct rig *r, struct account *a)
{
	struct mailbox_status status;
	struct view          *v;
	mailbox_id            id;

	assert_int_equal(mailbox_find(a, STR("INBOX"), &id), 0);
	rig_fill(r, "INBOX", 1, 10);
	assert_int_equal(view_open(a, id, false, &status, &v), 0);
	assert_int_equal(view_recent_count(v), 10);
	assert_false(view_has_news(v, true));
	change_flags(a, id, 2, 3);
	expunge(a, id, 5, 6);
	rig_fill(r, "INBOX", 11, 2);
	expunge(a, id, 11, 11);
	change_flags(a, id, 12, 12);
	return v;
}

static void
check_news(struct view *v)
{
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(view_collect(v), 0);
		check_set(&v->changed, 2, 3);
		check_set(&v->gone, 5, 6);
		check_set(&v->added, 12, 12);
		check_set(&v->uids, 1, 10); /* the numbers stay as they were told */
		assert_int_equal(view_number(v, 7), 7);
		assert_int_equal(v->modseq, account_modseq(v->account));
	}
}

static void
test_from_log(void **state)
{
	struct rig *r = *state;
	OWN(account) a = rig_account(r);
	OWN(view) v = view_with_news(r, a);

	check_news(v);
}

/* A client that slept for longer than the log is kept. */
static void
test_without_log(void **state)
{
	struct rig *r = *state;
	OWN(account) a = rig_account(r);
	OWN(view) v = view_with_news(r, a);

	clock_test_advance((int64_t)40 * 24 * 3600 * 1000);
	for (int i = 0; i < 20; i++)
		assert_int_equal(store_tend(r->server.store), 0);
	check_news(v);
}

static void
test_own(void **state)
{
	struct rig *r = *state;
	OWN(account) a = rig_account(r);
	struct mailbox_status status;
	struct view          *v;
	mailbox_id            id;
	uint64_t              begun;

	assert_int_equal(mailbox_find(a, STR("INBOX"), &id), 0);
	rig_fill(r, "INBOX", 1, 40);
	assert_int_equal(view_open(a, id, false, &status, &v), 0);
	/* One's own changes are no news, however many they are. */
	for (uint32_t u = 1; u <= 30; u++) {
		begun = view_own_begin(v);
		change_flags(a, id, u, u);
		view_own_end(v, begun);
	}
	assert_int_equal(view_collect(v), 0);
	assert_false(view_has_news(v, true));
	/* Somebody else's, at the same moment, are. */
	begun = view_own_begin(v);
	change_flags(a, id, 31, 31);
	change_flags(a, id, 32, 32);
	view_own_end(v, begun);
	assert_int_equal(view_collect(v), 0);
	check_set(&v->changed, 31, 32);
	view_drop(v);
}

static void
test_gone(void **state)
{
	struct rig *r = *state;
	OWN(account) a = rig_account(r);
	OWN(view) v = NULL;
	struct mailbox_status status;
	mailbox_id            id;

	assert_int_equal(mailbox_create(a, STR("box"), 0, &ACTOR, &id), 0);
	assert_int_equal(view_open(a, id, false, &status, &v), 0);
	assert_int_equal(mailbox_rename(a, STR("box"), STR("crate"), &ACTOR), 0);
	assert_int_equal(view_collect(v), 0);
	assert_int_equal(mailbox_delete(a, STR("crate"), &ACTOR), 0);
	assert_int_equal(view_collect(v), E_NO_MAILBOX);
	assert_true(v->deleted);
}

static void
test_account_gone(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	play(r, "2> a1 IDLE\n2< + idling\n");
	assert_int_equal(account_remove(r->server.store, r->account), 0);
	play(r, "1> a1 NOOP\n");
	play(r, "2< * BYE This account was removed.\n");
	assert_null(client_line(r, &r->clients[2]).p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_from_log),
		RIG_TEST(test_without_log),
		RIG_TEST(test_own),
		RIG_TEST(test_gone),
		RIG_TEST(test_account_gone),
	};

	return cmocka_run_group_tests_name("imap_view", tests, NULL, NULL);
}

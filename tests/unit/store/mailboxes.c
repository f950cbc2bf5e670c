/* Tests of accounts and their mailboxes. */
#include "env.h"

#include "base/clock.h"
#include "base/pack.h"
#include "kv/open.h"
#include "store/keys.h"

static const struct quota NONE;

/* The list as "name(flags)" words. */
static const char *
listing(struct env *e)
{
	static char          text[4096];
	OWN_ARENA struct arena arena = ARENA_INIT(1 << 20);
	struct mailbox_info   *info;
	size_t                 n, at = 0;

	assert_ok(mailbox_list(e->a, &arena, &info, &n));
	text[0] = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%.*s%s%s%s%s",
		    i != 0 ? " " : "", STR_ARG(info[i].name), info[i].subscribed ? "+" : "",
		    info[i].no_select ? "!" : "", info[i].has_children ? ">" : "",
		    info[i].id == 0 ? "?" : "");
	return text;
}

#define assert_list(e, want) assert_string_equal(listing(e), want)

static int
create(struct env *e, const char *name)
{
	mailbox_id id;

	return mailbox_create(e->a, str_c(name), 0, &ACTOR, &id);
}

static int
delete(struct env *e, const char *name)
{
	return mailbox_delete(e->a, str_c(name), &ACTOR);
}

static int
rename_box(struct env *e, const char *from, const char *to)
{
	return mailbox_rename(e->a, str_c(from), str_c(to), &ACTOR);
}

static int
find(struct env *e, const char *name)
{
	mailbox_id id;

	return mailbox_find(e->a, str_c(name), &id);
}

static void
test_account_life(void **state)
{
	struct env     *e = *state;
	struct account *b = NULL;
	mailbox_id      id;
	struct quota    quota = { 1000, 10 }, got;
	struct quota_usage use;

	assert_list(e, "INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+");
	assert_ok(mailbox_find_use(e->a, USE_TRASH, &id));
	assert_int_equal(id, box(e, "Trash"));
	assert_int_equal(mailbox_find_use(e->a, USE_ALL, &id), E_NO_MAILBOX);
	assert_int_equal(account_create(e->store, ACCOUNT, &NONE, &ACTOR), E_EXISTS);
	assert_int_equal(account_open(e->store, 8, &b), E_NOT_FOUND);
	assert_ok(account_create(e->store, 8, &quota, &ACTOR));
	assert_ok(account_open(e->store, 8, &b));
	account_quota(b, &got, &use);
	assert_true(got.storage_max == 1000 && got.count_max == 10 && use.count == 0);
	assert_int_equal(account_number(b), 8);
	env_verify(e);
	assert_ok(account_remove(e->store, 8));
	assert_int_equal(mailbox_find(b, STR("INBOX"), &id), E_NOT_FOUND);
	assert_int_equal(account_barrier(b), E_NOT_FOUND);
	account_drop(b);
	assert_int_equal(account_open(e->store, 8, &b), E_NOT_FOUND);
	/* The id is used up. */
	assert_int_equal(account_create(e->store, 8, &NONE, &ACTOR), E_EXISTS);
	assert_int_equal(account_remove(e->store, 8), E_NOT_FOUND);
	env_verify(e);
}

static void
test_removal_takes_everything(void **state)
{
	struct env        *e = *state;
	struct kv_part     part = { KV_ACCOUNT, ACCOUNT };
	struct message     m, n;
	OWN(kv_iter)       it = NULL;
	struct str         k, v;
	uint64_t           refs;

	put(e, 0, "A: 1\r\n\r\none");
	put(e, 0, "A: 2\r\n\r\ntwo");
	m = get(e, e->inbox, 1);
	n = get(e, e->inbox, 2);
	expunge_all(e, e->inbox, "2");
	assert_ok(account_remove(e->store, ACCOUNT));
	assert_ok(kv_blob_refs(e->kv, &m.blob, &refs));
	assert_int_equal(refs, 0);
	assert_ok(kv_blob_refs(e->kv, &n.blob, &refs));
	assert_int_equal(refs, 0);
	assert_ok(kv_scan(e->kv, part, STR("\1"), STR_NONE, false, &it));
	assert_int_equal(kv_iter_next(it, &k, &v), 1);
	assert_str(k, "A");
	assert_int_equal(kv_iter_next(it, &k, &v), 0);
}

static void
check_format(uint32_t format, int wanted)
{
	struct kv              *kv;
	struct store           *store = NULL;
	OWN_BATCH struct kv_batch batch;
	OWN_BUF struct buf      value = BUF_INIT(16), detail = BUF_INIT(1000);
	kv_ticket               ticket;

	kv_batch_init(&batch);
	assert_ok(kv_mem_open(&kv));
	pack_u32(&value, format);
	kv_put(&batch, STR("format"), buf_view(&value));
	assert_ok(kv_commit(kv, (struct kv_part){ KV_META, 0 }, 0, 1, &batch, &ticket));
	assert_int_equal(store_open(kv, NULL, &detail, &store), wanted);
	assert_true(wanted == 0 || (store == NULL && detail.n > 10));
	store_drop(store);
}

static void
test_other_formats_are_refused(void **state)
{
	(void)state;
	check_format(STORE_FORMAT, 0);
	check_format(STORE_FORMAT + 1, E_FORMAT_NEWER);
	check_format(STORE_FORMAT - 1, E_FORMAT_OLDER);
}

static void
test_create_and_find(void **state)
{
	struct env *e = *state;
	mailbox_id  a, b;

	assert_ok(create(e, "work/2024/Q1"));
	assert_list(e, "INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+ work> work/2024> work/2024/Q1");
	assert_int_equal(create(e, "work/2024"), E_EXISTS);
	assert_int_equal(create(e, "inbox"), E_EXISTS);
	assert_int_equal(create(e, "a//b"), E_CANNOT);
	assert_ok(create(e, "inbox/notes"));
	assert_ok(mailbox_find(e->a, STR("InBox/notes"), &a));
	assert_ok(mailbox_find(e->a, STR("INBOX/notes"), &b));
	assert_int_equal(a, b);
	assert_int_equal(find(e, "INBOX/Notes"), E_NO_MAILBOX);
	assert_int_equal(find(e, "a//b"), E_NO_MAILBOX);
	assert_ok(mailbox_create(e->a, STR("Spam"), USE_JUNK, &ACTOR, &a));
	assert_ok(mailbox_find_use(e->a, USE_JUNK, &b));
	assert_int_equal(b, box(e, "Junk"));
	env_verify(e);
}

static void
test_limit_of_mailboxes(void **state)
{
	struct env *e = *state;

	/* Six are there at the start; mailboxes_max is 10 here. */
	assert_ok(create(e, "a/b/c"));
	assert_int_equal(create(e, "d/e"), E_LIMIT);
	assert_ok(create(e, "d"));
	assert_int_equal(create(e, "e"), E_LIMIT);
	assert_int_equal(rename_box(e, "d", "x/y"), E_LIMIT);
	assert_ok(delete(e, "d"));
	assert_ok(create(e, "e"));
	for (char name[] = "sub-a"; name[4] <= 'z'; name[4]++)
		if (mailbox_subscribe(e->a, str_c(name), true, &ACTOR) == E_LIMIT) {
			assert_int_equal(name[4], 'a' + 20 - 6);
			env_verify(e);
			return;
		}
	fail();
}

static void
test_subscribe(void **state)
{
	struct env *e = *state;
	uint64_t    modseq;

	assert_ok(mailbox_subscribe(e->a, STR("not/there"), true, &ACTOR));
	assert_ok(mailbox_subscribe(e->a, STR("Junk"), false, &ACTOR));
	modseq = account_modseq(e->a);
	assert_ok(mailbox_subscribe(e->a, STR("Junk"), false, &ACTOR));
	assert_ok(mailbox_subscribe(e->a, STR("inbox"), true, &ACTOR));
	assert_true(account_modseq(e->a) == modseq);
	assert_list(e, "INBOX+ Archive+ Drafts+ Junk Sent+ Trash+ not/there+?");
	assert_int_equal(mailbox_subscribe(e->a, STR("x/"), true, &ACTOR), E_CANNOT);
	assert_ok(create(e, "not/there"));
	assert_list(e, "INBOX+ Archive+ Drafts+ Junk Sent+ Trash+ not> not/there+");
	env_verify(e);
}

static void
test_delete(void **state)
{
	struct env  *e = *state;
	mailbox_id   top, again;
	uint32_t     uidvalidity;

	assert_ok(create(e, "top/low"));
	top = box(e, "top");
	uidvalidity = status(e, top).uidvalidity;
	assert_ok(mailbox_subscribe(e->a, STR("top"), true, &ACTOR));
	put(e, top, "A: 1\r\n\r\nx");
	put(e, top, "A: 2\r\n\r\nx");
	assert_int_equal(delete(e, "INBOX"), E_CANNOT);
	assert_int_equal(delete(e, "inbox"), E_CANNOT);
	assert_int_equal(delete(e, "nothing"), E_NO_MAILBOX);
	assert_int_equal(delete(e, "//"), E_NO_MAILBOX);
	assert_ok(delete(e, "top"));
	assert_list(e, "INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+ top!> top/low");
	assert_int_equal(find(e, "top"), E_NO_MAILBOX);
	assert_int_equal(delete(e, "top"), E_HAS_CHILDREN);
	env_verify(e);
	/* It comes back with another UIDVALIDITY and without the messages. */
	assert_ok(mailbox_create(e->a, STR("top"), 0, &ACTOR, &again));
	assert_int_not_equal(again, top);
	assert_true(status(e, again).uidvalidity > uidvalidity);
	assert_int_equal(status(e, again).messages, 0);
	assert_list(e, "INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+ top> top/low");
	assert_ok(delete(e, "top/low"));
	assert_ok(delete(e, "top"));
	assert_int_equal(find(e, "top"), E_NO_MAILBOX);
	assert_list(e, "INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+");
	env_verify(e);
}

static int
count_expunged(void *arg, const struct expunged *x)
{
	assert_int_equal(x->protocol, ACTOR_IMAP);
	++*(unsigned *)arg;
	return 0;
}

/* More messages than one commit takes. */
static void
test_delete_of_a_large_mailbox(void **state)
{
	struct env *e = *state;
	mailbox_id  big = box(e, "big");
	unsigned    n = 0;

	for (int i = 0; i < 2500; i++)
		put(e, big, "A: 1\r\n\r\nx");
	assert_ok(delete(e, "big"));
	assert_ok(expunged_scan(e->a, count_expunged, &n));
	assert_int_equal(n, 2500);
	env_verify(e);
}

static void
test_rename(void **state)
{
	struct env *e = *state;
	mailbox_id  b;

	assert_ok(create(e, "a/b/c"));
	b = box(e, "a/b");
	put(e, b, "A: 1\r\n\r\nx");
	assert_ok(mailbox_subscribe(e->a, STR("a/b"), true, &ACTOR));
	assert_int_equal(rename_box(e, "nothing", "x"), E_NO_MAILBOX);
	assert_int_equal(rename_box(e, "a", "Sent"), E_EXISTS);
	assert_int_equal(rename_box(e, "a", "inbox"), E_EXISTS);
	assert_int_equal(rename_box(e, "a", "a"), E_EXISTS);
	assert_int_equal(rename_box(e, "a", "a/b/d"), E_CANNOT);
	assert_int_equal(rename_box(e, "a", "x/"), E_CANNOT);
	assert_ok(rename_box(e, "a", "new/top"));
	assert_list(e, "INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+ a/b+? new> new/top> new/top/b> "
	               "new/top/b/c");
	assert_int_equal(box(e, "new/top/b"), b);
	assert_string_equal(uids_in(e, b), "1");
	/* "ab" is no child of "a". */
	assert_ok(create(e, "p"));
	assert_ok(create(e, "pq/r"));
	assert_ok(rename_box(e, "p", "s"));
	assert_ok(find(e, "pq/r"));
	env_verify(e);
}

static void
test_rename_to_names_that_are_too_long(void **state)
{
	struct env *e = *state;
	char        wide[MAILBOX_NAME_MAX];
	mailbox_id  id;

	memset(wide, 'w', sizeof(wide));
	assert_ok(create(e, "a/b"));
	assert_int_equal(
	    mailbox_rename(e->a, STR("a"), str_of(wide, sizeof(wide)), &ACTOR), E_CANNOT);
	assert_ok(find(e, "a/b"));
	assert_ok(mailbox_rename(e->a, STR("a"), str_of(wide, sizeof(wide) - 2), &ACTOR));
	wide[sizeof(wide) - 2] = '/';
	wide[sizeof(wide) - 1] = 'b';
	assert_ok(mailbox_find(e->a, str_of(wide, sizeof(wide)), &id));
	env_verify(e);
}

static void
test_rename_inbox(void **state)
{
	struct env *e = *state;
	mailbox_id  old;

	put_flags(e, 0, "A: 1\r\n\r\nx", FLAG_SEEN);
	put(e, 0, "A: 2\r\n\r\nx");
	assert_ok(create(e, "INBOX/child"));
	assert_int_equal(rename_box(e, "inbox", "Sent"), E_EXISTS);
	assert_int_equal(rename_box(e, "inbox", "old//mail"), E_CANNOT);
	assert_ok(rename_box(e, "inbox", "old/mail"));
	old = box(e, "old/mail");
	assert_string_equal(uids_in(e, e->inbox), "");
	assert_int_equal(status(e, e->inbox).uidnext, 3);
	assert_string_equal(uids_in(e, old), "1:2");
	assert_int_equal(status(e, old).unseen, 1);
	assert_ok(find(e, "INBOX/child"));
	env_verify(e);
}

static void
test_uidvalidity_grows(void **state)
{
	struct env *e = *state;
	uint32_t    last = 0;
	mailbox_id  last_id = 0;

	for (int i = 0; i < 20; i++) {
		mailbox_id id;
		uint32_t   now;

		assert_ok(mailbox_create(e->a, STR("again"), 0, &ACTOR, &id));
		now = status(e, id).uidvalidity;
		assert_true(now > last && id > last_id);
		last = now;
		last_id = id;
		put(e, id, "A: 1\r\n\r\nx");
		assert_ok(delete(e, "again"));
		if (i == 10)
			env_account(e);
	}
	/* The clock goes back: it grows all the same. */
	clock_test_advance(-3600 * 1000);
	assert_true(status(e, box(e, "again")).uidvalidity > last);
	clock_test_advance(3600 * 1000);
}

static void
test_view_claims_recent(void **state)
{
	struct env              *e = *state;
	OWN_RANGES struct ranges uids = { 0 };
	struct mailbox_status    s;
	uint32_t                 recent;
	uint64_t                 modseq;

	put_flags(e, 0, "A: 1\r\n\r\nx", FLAG_SEEN);
	put(e, 0, "A: 2\r\n\r\nx");
	assert_ok(mailbox_view(e->a, e->inbox, false, &s, &uids, &recent, &modseq));
	assert_int_equal(s.recent, 2);
	assert_int_equal(recent, 1);
	assert_int_equal(s.first_unseen, 2);
	assert_string_equal(list_of(&uids), "1:2");
	ranges_done(&uids);
	/* A session that only examines claims nothing. */
	assert_ok(mailbox_view(e->a, e->inbox, true, &s, &uids, &recent, &modseq));
	assert_int_equal(s.recent, 2);
	assert_int_equal(recent, 1);
	assert_true(modseq == account_modseq(e->a));
	ranges_done(&uids);
	assert_int_equal(status(e, e->inbox).recent, 0);
	put(e, 0, "A: 3\r\n\r\nx");
	assert_ok(mailbox_view(e->a, e->inbox, true, &s, &uids, &recent, &modseq));
	assert_int_equal(s.recent, 1);
	assert_int_equal(recent, 3);
	/* What cannot be written down does not keep anybody from reading. */
	put(e, 0, "A: 4\r\n\r\nx");
	assert_ok(account_barrier(e->a));
	kv_fault_set(e->kv, 1, true, E_DISK_FULL);
	ranges_done(&uids);
	assert_ok(mailbox_view(e->a, e->inbox, true, &s, &uids, &recent, &modseq));
	assert_int_equal(s.recent, 1);
	kv_fault_set(e->kv, 0, false, 0);
}

/* Handles share one state; a removed account takes its handles along. */
static void
test_two_handles(void **state)
{
	struct env     *e = *state;
	struct account *other;

	assert_ok(account_open(e->store, ACCOUNT, &other));
	put(e, 0, "A: 1\r\n\r\nx");
	assert_true(account_modseq(other) == account_modseq(e->a));
	assert_ok(mailbox_subscribe(other, STR("x"), true, &ACTOR));
	assert_list(e, "INBOX+ Archive+ Drafts+ Junk+ Sent+ Trash+ x+?");
	account_drop(other);
}

static void
test_unused_accounts_are_let_go(void **state)
{
	struct env     *e = *state;
	struct account *a;

	/* accounts_max is 3 here. */
	for (account_id id = 100; id < 110; id++)
		assert_ok(account_create(e->store, id, &NONE, &ACTOR));
	for (int round = 0; round < 3; round++)
		for (account_id id = 100; id < 110; id++) {
			mailbox_id inbox;

			assert_ok(account_open(e->store, id, &a));
			assert_ok(mailbox_find(a, STR("INBOX"), &inbox));
			assert_true(account_number(a) == id);
			account_drop(a);
		}
	env_verify(e);
}

static int
env_small(void **state)
{
	struct env *e;

	env_mem(state);
	e = *state;
	account_drop(e->a);
	e->a = NULL;
	store_drop(e->store);
	e->options = (struct store_options){ .accounts_max = 3, .mailboxes_max = 10 };
	assert_ok(kv_mem_open(&e->inner));
	assert_ok(kv_fault_open(e->inner, &e->kv));
	assert_ok(store_open(e->kv, &e->options, NULL, &e->store));
	assert_ok(account_create(e->store, ACCOUNT, &NONE, &ACTOR));
	env_account(e);
	return 0;
}

#define ON_MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)
#define ON_ROCKS(f) { #f " (rocks)", f, env_rocks, env_done, NULL }
#define ON_SMALL(f) cmocka_unit_test_setup_teardown(f, env_small, env_done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MEM(test_account_life),
		ON_ROCKS(test_account_life),
		ON_MEM(test_removal_takes_everything),
		cmocka_unit_test(test_other_formats_are_refused),
		ON_MEM(test_create_and_find),
		ON_SMALL(test_limit_of_mailboxes),
		ON_MEM(test_subscribe),
		ON_MEM(test_delete),
		ON_ROCKS(test_delete),
		ON_MEM(test_delete_of_a_large_mailbox),
		ON_MEM(test_rename),
		ON_ROCKS(test_rename),
		ON_MEM(test_rename_to_names_that_are_too_long),
		ON_MEM(test_rename_inbox),
		ON_MEM(test_uidvalidity_grows),
		ON_MEM(test_view_claims_recent),
		ON_MEM(test_two_handles),
		ON_SMALL(test_unused_accounts_are_let_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * store/repair.h: the records of a store are damaged one way or another, and it is repaired into a
 * new one: that agrees with itself, and has all messages with their bytes.
 */
#include "env.h"
#include "kv/open.h"
#include "store/records.h"
#include "store/repair.h"

#include <stdio.h>

enum { MESSAGES = 6, LARGE = 300 << 10 };
static const struct kv_part PART = { KV_ACCOUNT, ACCOUNT };

struct scene {
	struct env *e;      /* the damaged store */
	mailbox_id  work;
	struct kv  *kv;     /* the same, opened without the mail model */
	struct env  fixed;  /* what came of it */
	char        scratch[80];
	struct store_repair done;
};

/* --- the store: three messages in INBOX, three in Work; one was expunged --- */

static const char *
letter(unsigned i)
{
	static char text[LARGE + 200];
	int         n = snprintf(text, sizeof(text), "Message-ID: <%u@example.org>\r\n"
            "Subject: letter %u\r\n\r\nbody of %u\r\n", i, i, i);

	if (i == 2) {
		memset(text + n, 'x', LARGE);
		text[n + LARGE] = '\0';
	}
	return text;
}

static void
begin(void **state, struct scene *s)
{
	struct env *e = *state;
	unsigned    number;

	*s = (struct scene){ .e = e };
	s->work = box(e, "Work");
	for (unsigned i = 1; i <= MESSAGES; i++)
		put_flags(e, i <= 3 ? e->inbox : s->work, letter(i), i % 2 != 0 ? FLAG_SEEN : 0);
	put(e, e->inbox, "Subject: expunged\r\n\r\n");
	expunge_all(e, e->inbox, "4");
	assert_ok(keyword_number(e->a, STR("$Work"), true, &ACTOR, &number));
	account_drop(TAKE(e->a));
	store_drop(TAKE(e->store));
	assert_ok(kv_rocks_open(e->dir, NULL, NULL, &s->kv));
}

static void
change(struct scene *s, struct kv_batch *b)
{
	uint64_t  version;
	kv_ticket ticket;

	assert_ok(kv_version(s->kv, PART, &version));
	assert_ok(kv_commit(s->kv, PART, version, version + 1, b, &ticket));
	kv_batch_done(b);
}

static void
lose_record(struct scene *s, struct key key)
{
	OWN_BUF struct buf value = BUF_INIT(KV_VALUE_MAX);
	struct kv_batch    b;

	assert_ok(kv_get(s->kv, PART, key_str(&key), &value)); /* it was there */
	kv_batch_init(&b);
	kv_del(&b, key_str(&key));
	change(s, &b);
}

static void
put_record(struct scene *s, struct key key, struct str value)
{
	struct kv_batch b;

	kv_batch_init(&b);
	kv_put(&b, key_str(&key), value);
	change(s, &b);
}

/* --- repairing --- */

static void
repair(struct scene *s)
{
	struct kv_files files = { 0 };
	char            dir[80];
	struct kv      *to;

	kv_drop(TAKE(s->kv));
	snprintf(dir, sizeof(dir), "%s/new", s->e->dir);
	snprintf(s->scratch, sizeof(s->scratch), "%s/scratch", s->e->dir);
	assert_ok(kv_rocks_open(dir, NULL, NULL, &to));
	assert_ok(store_repair(s->e->dir, s->scratch, to, &files, &s->done));
	assert_int_equal(files.n_damages, 0);
	assert_ok(kv_rocks_open(dir, NULL, NULL, &to));
	assert_ok(store_open(to, NULL, NULL, &s->fixed.store));
	env_account(&s->fixed);
	env_verify(&s->fixed);
}

/* Is the letter in the mailbox, with all its bytes? The UID, or 0. */
static uint32_t
find_letter(struct scene *s, mailbox_id id, unsigned i)
{
	OWN(message_iter)  it = NULL;
	struct message     m;
	const char        *want = letter(i);
	uint32_t           uid = 0;

	assert_ok(message_scan(s->fixed.a, id, 1, UINT32_MAX, SCAN_RECORDS, &it));
	while (message_iter_next(it, &m, NULL) == 1) {
		OWN_BUF struct buf got = BUF_INIT(1 << 20);

		assert_ok(message_read(s->fixed.a, &m, 0, (size_t)m.size, &got));
		if (str_eq(buf_view(&got), str_c(want)))
			uid = m.uid;
	}
	return uid;
}

static void
end(struct scene *s)
{
	account_drop(TAKE(s->fixed.a));
	store_drop(TAKE(s->fixed.store));
	assert_ok(kv_rocks_open(s->e->dir, NULL, NULL, &s->kv));
	assert_ok(store_open(TAKE(s->kv), NULL, NULL, &s->e->store));
}

/* All letters are where they were. */
static void
check_letters(struct scene *s)
{
	for (unsigned i = 1; i <= MESSAGES; i++)
		assert_int_not_equal(find_letter(s, i <= 3 ? s->fixed.inbox : s->work, i), 0);
	assert_int_equal(status(&s->fixed, s->fixed.inbox).messages, 3);
	assert_int_equal(status(&s->fixed, s->work).messages, 3);
	assert_int_equal(s->done.lost, 0);
}

/* --- tests --- */

static void
test_sound(void **state)
{
	struct scene s;

	begin(state, &s);
	repair(&s);
	check_letters(&s);
	assert_true(s.done.accounts == 1 && s.done.messages == MESSAGES);
	assert_true(s.done.mended == 0 && s.done.recovered == 0);
	assert_string_equal(uids_in(&s.fixed, s.fixed.inbox), "1:3");
	end(&s);
}

static void
test_missing_place_and_facts(void **state)
{
	struct scene s;

	begin(state, &s);
	lose_record(&s, key_place(1));
	lose_record(&s, key_facts(s.e->inbox, 2));
	put_record(&s, key_facts(s.work, 1), STR("\1"));
	put_record(&s, key_place(3), STR("not a place"));
	repair(&s);
	check_letters(&s);
	assert_string_equal(uids_in(&s.fixed, s.fixed.inbox), "1:3");
	assert_true(s.done.mended >= 4 && s.done.recovered == 0);
	end(&s);
}

/* Rows that belong to no message go. */
static void
test_rows_of_nothing(void **state)
{
	struct scene s;

	begin(state, &s);
	put_record(&s, key_facts(s.work, 99), STR("x"));
	put_record(&s, key_thread(&(struct msgid_hash){ { 7 } }), STR("\1\1\x63"));
	put_record(&s, key_log(3), STR("not a change"));
	repair(&s);
	check_letters(&s);
	assert_true(s.done.mended >= 3);
	end(&s);
}

static void
test_missing_mailbox_record(void **state)
{
	struct mailbox_info *boxes;
	struct arena         arena = ARENA_INIT(1 << 20);
	struct scene         s;
	size_t               n;
	bool                 found = false;

	begin(state, &s);
	lose_record(&s, key_mailbox(s.work));
	repair(&s);
	check_letters(&s);
	assert_ok(mailbox_list(s.fixed.a, &arena, &boxes, &n));
	for (size_t i = 0; i < n; i++)
		found = found || (boxes[i].id == s.work &&
		    str_starts(boxes[i].name, STR("Recovered/")));
	assert_true(found);
	arena_done(&arena);
	end(&s);
}

static void
test_wrong_counters(void **state)
{
	OWN_BUF struct buf    value = BUF_INIT(4096), wrong = BUF_INIT(4096);
	struct account_record account;
	struct mailbox_record inbox;
	struct key            key = key_account();
	struct scene          s;

	begin(state, &s);
	assert_ok(kv_get(s.kv, PART, key_str(&key), &value));
	assert_ok(account_record_unpack(buf_view(&value), &account));
	account.usage.storage += 5;
	account.usage.count = 77;
	account.next_email = 1;
	account_record_pack(&account, &wrong);
	put_record(&s, key, buf_view(&wrong));
	key = key_mailbox(s.e->inbox);
	buf_reset(&value);
	buf_reset(&wrong);
	assert_ok(kv_get(s.kv, PART, key_str(&key), &value));
	assert_ok(mailbox_record_unpack(buf_view(&value), &inbox));
	inbox.messages = 9;
	inbox.unseen = 0;
	inbox.size = 1;
	inbox.uidnext = 2;
	mailbox_record_pack(&inbox, &wrong);
	put_record(&s, key, buf_view(&wrong));
	repair(&s);
	check_letters(&s);
	assert_true(status(&s.fixed, s.fixed.inbox).uidnext > 3);
	assert_string_equal(uids_in(&s.fixed, s.fixed.inbox), "1:3");
	end(&s);
}

/* The message comes back in its mailbox, under a new UID. */
static void
test_unreadable_message_record(void **state)
{
	struct scene s;

	begin(state, &s);
	put_record(&s, key_message(s.e->inbox, 2), STR("\1 not a message"));
	lose_record(&s, key_message(s.work, 3));
	repair(&s);
	check_letters(&s);
	assert_true(s.done.recovered == 2 && s.done.messages == MESSAGES - 2);
	assert_true(find_letter(&s, s.fixed.inbox, 2) > 3);
	assert_true(find_letter(&s, s.work, 6) > 3);
	end(&s);
}

static void
test_missing_account_record(void **state)
{
	struct scene s;

	begin(state, &s);
	lose_record(&s, key_account());
	repair(&s);
	check_letters(&s);
	end(&s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, env_rocks, env_done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sound),
		TEST(test_missing_place_and_facts),
		TEST(test_rows_of_nothing),
		TEST(test_missing_mailbox_record),
		TEST(test_wrong_counters),
		TEST(test_unreadable_message_record),
		TEST(test_missing_account_record),
	};

	return cmocka_run_group_tests_name("repair", tests, NULL, NULL);
}

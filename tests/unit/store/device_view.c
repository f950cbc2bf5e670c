/* Tests of what POP3 devices see and remove: policies, many devices, what time and others do. */
#include "devices.h"

#include "base/clock.h"
#include "store/device_records.h"
#include "store/device_verify.h"
#include "store/uidl.h"

static void
policy(struct env *e, const char *name, enum pop3_policy p)
{
	assert_ok(device_policy_set(e->a, login(e, name), p, &ACTOR));
}

/* --- devices --- */

static void
test_many_devices(void **state)
{
	struct env *e = *state;

	put_some(e, 5);
	assert_string_equal(sees(e, "phone"), "1 2 3 4 5");
	assert_int_equal(removes(e, "phone", "2:3"), 2);
	assert_string_equal(sees(e, "phone"), "1 4 5");
	assert_string_equal(sees(e, "desk"), "1 2 3 4 5");
	assert_string_equal(uids_in(e, e->inbox), "1,4:5");
	assert_string_equal(uids_in(e, box(e, "Trash")), "1:2");
	env_verify(e);
	assert_int_equal(removes(e, "desk", "3:4"), 2);
	assert_string_equal(sees(e, "phone"), "1 4 5");
	assert_string_equal(sees(e, "desk"), "1 2 5");
	assert_string_equal(uids_in(e, e->inbox), "1,5");
	assert_int_equal(removes(e, "phone", "4"), 1);
	assert_string_equal(sees(e, "phone"), "1 5");
	/* One that comes for the first time sees all. */
	assert_string_equal(sees(e, "new"), "1 2 3 4 5");
	assert_int_equal(removes(e, "new", "1:5"), 5);
	assert_string_equal(sees(e, "new"), "");
	assert_string_equal(sees(e, "phone"), "1 5");
	assert_string_equal(sees(e, "desk"), "1 2 5");
	assert_string_equal(uids_in(e, e->inbox), "");
	put_some(e, 1);
	assert_string_equal(sees(e, "new"), "6");
	env_verify(e);
	assert_ok(account_barrier(e->a));
	env_crash(e);
	assert_string_equal(sees(e, "new"), "6");
	assert_string_equal(sees(e, "desk"), "1 2 5 6");
	env_verify(e);
}

static void
test_policies(void **state)
{
	struct env     *e = *state;
	mailbox_id      archive = box(e, "Archive"), trash = box(e, "Trash");
	struct appended done;

	put_some(e, 5);
	policy(e, "keep", POP3_KEEP);
	policy(e, "read", POP3_READ);
	policy(e, "archive", POP3_ARCHIVE);
	policy(e, "delete", POP3_DELETE);
	removes(e, "keep", "1");
	removes(e, "read", "2");
	removes(e, "archive", "3");
	removes(e, "trash", "4");
	removes(e, "delete", "5");
	assert_string_equal(uids_in(e, e->inbox), "1:2");
	assert_int_equal(get(e, e->inbox, 1).flags.system, 0);
	assert_int_equal(get(e, e->inbox, 2).flags.system, FLAG_SEEN);
	assert_true(get(e, archive, 1).email == 3);
	assert_true(get(e, trash, 1).email == 4);
	assert_string_equal(sees(e, "keep"), "2 3 4 5");
	assert_string_equal(sees(e, "read"), "1 3 4 5");
	assert_string_equal(sees(e, "archive"), "1 2 4 5");
	assert_string_equal(sees(e, "trash"), "1 2 3 5");
	assert_string_equal(sees(e, "delete"), "1 2 3 4");
	env_verify(e);
	/* One that was expunged by its policy comes back. */
	assert_ok(expunged_restore(e->a, 5, e->inbox, &ACTOR, &done));
	assert_string_equal(sees(e, "delete"), "1 2 3 4");
	assert_string_equal(sees(e, "keep"), "2 3 4 5");
	env_verify(e);
	expunge_all(e, e->inbox, "6");
	/* The policy of the account is for devices without one. */
	assert_ok(pop3_options_set(
	    e->a, &(struct pop3_options){ .policy = POP3_DELETE }, &ACTOR));
	removes(e, "trash", "1");
	assert_string_equal(uids_in(e, e->inbox), "2");
	assert_string_equal(uids_in(e, trash), "1");
	env_verify(e);
}

/* What others do with messages that have left. */
static void
test_others(void **state)
{
	struct env              *e = *state;
	mailbox_id               trash = box(e, "Trash"), work = box(e, "Work");
	OWN_RANGES struct ranges uids = uids_of("1"), second = uids_of("2");
	struct copied            copied = { 0 };
	struct appended          done;
	uint32_t                 next;

	put_some(e, 6);
	removes(e, "phone", "1:5");
	/* 1 comes back: phone has it already, desk gets it once. */
	assert_ok(message_move(e->a, trash, &uids, 0, e->inbox, &ACTOR, &copied, &next));
	assert_string_equal(sees(e, "phone"), "6");
	assert_string_equal(sees(e, "desk"), "1 2 3 4 5 6");
	/* 2 goes to another mailbox: still there. */
	assert_ok(message_move(e->a, trash, &second, 0, work, &ACTOR, &copied, &next));
	assert_string_equal(sees(e, "desk"), "1 2 3 4 5 6");
	env_verify(e);
	/* 3 and 4 are expunged: over for all. 4 is restored into INBOX. */
	expunge_all(e, trash, "3:4");
	assert_string_equal(sees(e, "desk"), "1 2 5 6");
	assert_ok(expunged_restore(e->a, 4, e->inbox, &ACTOR, &done));
	assert_string_equal(sees(e, "desk"), "1 2 4 5 6");
	assert_string_equal(sees(e, "phone"), "6");
	env_verify(e);
	/* A user moves the rest out of INBOX: not by POP3, so no device sees it. */
	assert_ok(mailbox_rename(e->a, STR("INBOX"), STR("old"), &ACTOR));
	assert_string_equal(sees(e, "desk"), "2 5");
	env_verify(e);
	ranges_done(&copied.from);
	ranges_done(&copied.to);
}

/* A session goes on with what it saw. */
static void
test_while_others_work(void **state)
{
	struct env         *e = *state;
	struct device_view  v;
	struct message      m;
	const struct actor  actor = pop3("phone");
	struct pop3_removal rm = { .mark = 1 };
	bool                done = false;

	put_some(e, 3);
	v = view(e, "phone");
	removes(e, "desk", "1");
	expunge_all(e, e->inbox, "2");
	for (uint32_t i = 0; i < v.n; i++) {
		assert_ok(device_view_message(e->a, v.inbox, &v.m[i], &m));
		assert_true(m.email == i + 1);
		v.m[i].marks = 1;
	}
	rm.device = v.device;
	rm.m = v.m;
	rm.n = v.n;
	assert_ok(pop3_remove_part(e->a, &rm, &actor, &done));
	assert_true(done && rm.removed_n == 3);
	assert_string_equal(sees(e, "phone"), "");
	assert_string_equal(sees(e, "desk"), "3");
	/* Again, as after a lost answer. */
	rm = (struct pop3_removal){ .device = v.device, .m = v.m, .n = v.n, .mark = 1 };
	assert_ok(pop3_remove_part(e->a, &rm, &actor, &done));
	assert_string_equal(sees(e, "desk"), "3");
	device_view_done(&v);
	clock_test_advance(31 * DAY_MS);
	assert_ok(store_tend(e->store));
	assert_ok(store_tend(e->store));
	clock_test_advance(-31 * DAY_MS);
	env_verify(e);
	assert_int_equal(device_view_message(
	    e->a, e->inbox, &(struct view_message){ .email = 2, .uid = 2 }, &m), E_MESSAGE_GONE);
	rm.device = 99;
	assert_int_equal(pop3_remove_part(e->a, &rm, &actor, &done), E_NOT_FOUND);
	assert_int_equal(device_view_open(&v, e->a, 99), E_NOT_FOUND);
	device_view_done(&v);
}

/* --- time and room --- */

static void
test_retention(void **state)
{
	struct env     *e = *state;
	mailbox_id      trash = box(e, "Trash");
	struct appended done;

	put_some(e, 4);
	policy(e, "delete", POP3_DELETE);
	removes(e, "phone", "1");
	removes(e, "delete", "2");
	clock_test_advance(20 * DAY_MS);
	removes(e, "phone", "3");
	assert_ok(store_tend(e->store));
	assert_string_equal(sees(e, "desk"), "1 2 3 4");
	clock_test_advance(11 * DAY_MS);
	assert_ok(store_tend(e->store));
	/* 1 is expunged now, and restorable for the same time again; 2 is gone. */
	assert_string_equal(sees(e, "desk"), "3 4");
	assert_string_equal(uids_in(e, trash), "2");
	env_verify(e);
	assert_int_equal(expunged_restore(e->a, 2, e->inbox, &ACTOR, &done), E_NOT_FOUND);
	assert_ok(expunged_restore(e->a, 1, e->inbox, &ACTOR, &done));
	assert_string_equal(sees(e, "desk"), "1 3 4");
	clock_test_advance(20 * DAY_MS);
	assert_ok(store_tend(e->store));
	assert_string_equal(sees(e, "desk"), "1 4");
	assert_string_equal(uids_in(e, trash), "");
	env_verify(e);
	clock_test_advance(-51 * DAY_MS);
}

/* A POP3 user who deletes frees room, though the mail can still be restored. */
static void
test_room(void **state)
{
	struct env        *e = *state;
	const struct quota quota = { .storage_max = 10 * 9 };
	struct quota       q;
	struct quota_usage use;
	struct appended    done;

	assert_ok(account_quota_set(e->a, &quota, &ACTOR));
	put_some(e, 10); /* of 9 bytes */
	assert_int_equal(account_quota_check(e->a, 20), E_OVER_QUOTA_TEMP);
	removes(e, "phone", "1:3");
	account_quota(e->a, &q, &use);
	assert_int_equal(use.storage, 90);
	assert_int_equal(account_quota_check(e->a, 40), E_OVER_QUOTA_TEMP);
	assert_int_equal(account_quota_check(e->a, 101), E_OVER_QUOTA);
	assert_int_equal(
	    try_append(e, e->inbox, STR("A: 1\r\n\r\n 123456789 123456789 1"), (struct flags){ 0 },
	        &done), E_OVER_QUOTA_TEMP);
	assert_string_equal(uids_in(e, box(e, "Trash")), "1:3");
	assert_ok(account_quota_check(e->a, 18));
	assert_string_equal(uids_in(e, box(e, "Trash")), "1:3");
	assert_ok(try_append(
	    e, e->inbox, STR("A: 1\r\n\r\n 123456789"), (struct flags){ 0 }, &done));
	assert_string_equal(uids_in(e, box(e, "Trash")), "3");
	account_quota(e->a, &q, &use);
	assert_int_equal(use.storage, 90);
	/* The other devices have not lost them. */
	assert_string_equal(sees(e, "desk"), "1 2 3 4 5 6 7 8 9 10 11");
	env_verify(e);
	put_some(e, 1);
	assert_int_equal(
	    try_append(e, e->inbox, STR("A: 1\r\n\r\nx"), (struct flags){ 0 }, &done),
	    E_OVER_QUOTA_TEMP);
	/* Over quota nothing is refused. */
	assert_int_equal(removes(e, "phone", "4:11"), 8);
	put_some(e, 1);
	env_verify(e);
}

/* Three devices that download and delete, each at its own pace, over a hundred days: each gets
 * every message exactly once. */
static void
test_hundred_days(void **state)
{
	enum { DAYS = 100, A_DAY = 4 };
	static const struct {
		const char      *name;
		int              every;
		enum pop3_policy policy;
	} DEVICES[] = { { "phone", 1, POP3_DELETE }, { "desk", 7, POP3_TRASH },
		{ "tablet", 20, POP3_ARCHIVE } };
	struct env *e = *state;
	unsigned    got[ARRAY_LEN(DEVICES)][DAYS * A_DAY + 1] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(DEVICES); i++)
		policy(e, DEVICES[i].name, DEVICES[i].policy);
	for (int day = 1; day <= DAYS; day++) {
		put_some(e, A_DAY);
		for (size_t i = 0; i < ARRAY_LEN(DEVICES); i++) {
			struct device_view v;

			if (day % DEVICES[i].every != 0)
				continue;
			v = view(e, DEVICES[i].name);
			for (uint32_t k = 0; k < v.n; k++)
				got[i][v.m[k].email]++;
			device_view_done(&v);
			removes(e, DEVICES[i].name, "1:1000");
		}
		clock_test_advance(DAY_MS);
		assert_ok(store_tend(e->store));
		if (day % 25 == 0)
			env_verify(e);
	}
	for (size_t i = 0; i < ARRAY_LEN(DEVICES); i++)
		for (int n = 1; n <= DAYS * A_DAY; n++)
			assert_int_equal(got[i][n],
			    n <= DAYS / DEVICES[i].every * DEVICES[i].every * A_DAY ? 1 : 0);
	assert_string_equal(uids_in(e, e->inbox), "");
	clock_test_advance(-DAYS * DAY_MS);
}

/* --- parts --- */

static void
test_parts(void **state)
{
	enum { N = 2500 };
	const struct actor  actor = pop3("phone");
	struct env         *e = *state;
	struct device_view  v;
	struct pop3_removal rm;
	mailbox_id          trash = box(e, "Trash");
	bool                done = false;
	unsigned            parts = 1;
	uint64_t            modseq;

	put_some(e, N);
	v = view(e, "phone");
	assert_int_equal(v.n, N);
	for (uint32_t i = 0; i < N; i++)
		v.m[i].marks = i % 2 == 0 || i > 1000 ? 1 : 0;
	rm = (struct pop3_removal){ .device = v.device, .m = v.m, .n = v.n, .mark = 1 };
	modseq = account_modseq(e->a);
	assert_ok(pop3_remove_part(e->a, &rm, &actor, &done));
	/* What is to be removed is written down first. */
	assert_int_equal(account_modseq(e->a), modseq + 2);
	assert_false(done);
	assert_int_equal(rm.removed_n, 1000);
	assert_int_equal(status(e, trash).messages, 1000);
	assert_ok(account_barrier(e->a));
	if (e->dir[0] == '\0')
		env_crash(e);
	v.a = e->a;
	while (!done) {
		assert_ok(pop3_remove_part(e->a, &rm, &actor, &done));
		parts++;
	}
	assert_int_equal(parts, 2);
	assert_int_equal(rm.removed_n, 2000);
	assert_int_equal(status(e, e->inbox).messages, 500);
	device_view_done(&v);
	v = view(e, "phone");
	assert_int_equal(v.n, 500);
	device_view_done(&v);
	v = view(e, "desk");
	assert_int_equal(v.n, N);
	device_view_done(&v);
	removes(e, "phone", "1:2500");
	assert_string_equal(sees(e, "phone"), "");
	env_verify(e);
}

/* --- a removal that is cut short --- */

static uint64_t
removed_n(struct env *e, const char *name)
{
	OWN_ARENA struct arena arena = ARENA_INIT(1 << 20);
	struct device_info    *info;
	const device_id        id = login(e, name);
	size_t                 n;

	assert_ok(device_list(e->a, &arena, &info, &n));
	for (size_t i = 0; i < n; i++)
		if (info[i].id == id)
			return info[i].use[ACTOR_POP3].removed_n;
	return 0;
}

enum { MANY = 3500 };

/* All but every 1,000th of MANY, and the process ends after so many parts. */
static void
cut_short(struct env *e, unsigned parts)
{
	const struct actor  actor = pop3("phone");
	struct device_view  v;
	struct pop3_removal rm;
	bool                done = false;

	put_some(e, MANY);
	v = view(e, "phone");
	for (uint32_t i = 0; i < v.n; i++)
		v.m[i].marks = i % 1000 != 999;
	rm = (struct pop3_removal){ .device = v.device, .m = v.m, .n = v.n, .mark = 1 };
	while (parts-- > 0)
		assert_ok(pop3_remove_part(e->a, &rm, &actor, &done));
	assert_false(done);
	device_view_done(&v);
	assert_ok(account_barrier(e->a));
	if (e->dir[0] == '\0')
		env_crash(e);
	else
		env_restart(e);
}

/* Whoever reads the mail next finds all of it removed, and counted once. */
static void
test_cut_short(void **state)
{
	struct env *e = *state;

	cut_short(e, 2);
	assert_int_equal(status(e, e->inbox).messages, MANY - 2000);
	env_verify(e);
	assert_string_equal(sees(e, "phone"), "1000 2000 3000");
	assert_string_equal(uids_in(e, e->inbox), "1000,2000,3000");
	assert_int_equal(status(e, box(e, "Trash")).messages, MANY - 3);
	assert_int_equal(removed_n(e, "phone"), MANY - 3);
	env_verify(e);
	/* Nothing is left to be done, and nothing is done twice. */
	assert_int_equal(removes(e, "phone", "1000"), 1);
	assert_int_equal(removed_n(e, "phone"), MANY - 2);
	env_verify(e);
}

/* Also where no POP3 program comes. */
static void
test_cut_short_and_tended(void **state)
{
	struct env *e = *state;

	cut_short(e, 1);
	for (unsigned i = 0; i < 5; i++)
		assert_ok(store_tend(e->store));
	assert_string_equal(uids_in(e, e->inbox), "1000,2000,3000");
	assert_int_equal(removed_n(e, "phone"), MANY - 3);
	env_verify(e);
}

/* The rows of sessions that are still at work are theirs. */
static void
test_not_cut_short(void **state)
{
	const struct actor  actor = pop3("phone");
	struct env         *e = *state;
	struct device_view  v;
	struct pop3_removal rm;
	bool                done = false;

	put_some(e, MANY);
	v = view(e, "phone");
	for (uint32_t i = 0; i < v.n; i++)
		v.m[i].marks = 1;
	rm = (struct pop3_removal){ .device = v.device, .m = v.m, .n = v.n, .mark = 1 };
	assert_ok(pop3_remove_part(e->a, &rm, &actor, &done));
	assert_ok(store_tend(e->store));
	device_view_done(&v);
	v = view(e, "phone");
	assert_int_equal(v.n, MANY - 1000);
	assert_int_equal(status(e, e->inbox).messages, MANY - 1000);
	device_view_done(&v);
}

/* Somebody deleted the trash: it is made again. Where none can be made, mail stays. */
static void
test_no_trash(void **state)
{
	struct env *e = *state;
	mailbox_id  trash;

	put_some(e, 2);
	assert_ok(mailbox_delete(e->a, STR("Trash"), &ACTOR));
	removes(e, "phone", "1");
	assert_ok(mailbox_find_use(e->a, USE_TRASH, &trash));
	assert_string_equal(uids_in(e, trash), "1");
	assert_ok(mailbox_delete(e->a, STR("Trash"), &ACTOR));
	/* 1 was expunged with its mailbox, not by the device. */
	assert_string_equal(sees(e, "desk"), "2");
	for (int i = 0; i < 10000; i++) {
		char       name[32];
		mailbox_id id;

		snprintf(name, sizeof(name), "m%d", i);
		if (mailbox_create(e->a, str_c(name), 0, &ACTOR, &id) == E_LIMIT)
			break;
	}
	removes(e, "phone", "2");
	assert_string_equal(sees(e, "phone"), "");
	assert_string_equal(uids_in(e, e->inbox), "2");
	env_verify(e);
}

/* --- alarm --- */

static bool
alarm_due(struct env *e, const char *name)
{
	const struct actor  actor = pop3(name);
	const device_id     id = login(e, name);
	struct device_alarm alarm;
	bool                due = false, again = true;

	assert_ok(device_alarm_due(e->a, id, &due, &alarm));
	if (!due)
		return false;
	assert_true(alarm.removed_n >= ALARM_MIN && alarm.since_ms > 0);
	/* One writes the letter; when it could not be sent, it is still due. */
	assert_ok(device_alarm_due(e->a, id, &again, &alarm));
	assert_false(again);
	assert_ok(device_alarm_end(e->a, id, &actor, false));
	assert_ok(device_alarm_due(e->a, id, &again, &alarm));
	assert_true(again);
	assert_ok(device_alarm_end(e->a, id, &actor, true));
	return true;
}

static int64_t
alarm_ms(struct env *e, const char *name)
{
	OWN_ARENA struct arena arena = ARENA_INIT(1 << 20);
	struct device_info    *info;
	device_id              id = login(e, name);
	size_t                 n;

	assert_ok(device_list(e->a, &arena, &info, &n));
	for (size_t i = 0; i < n; i++)
		if (info[i].id == id)
			return info[i].alarm_ms;
	return -1;
}

static void
test_alarm(void **state)
{
	struct env *e = *state;

	put_some(e, 20);
	login(e, "old");
	removes(e, "old", "1:10");
	assert_false(alarm_due(e, "old"));
	removes(e, "old", "11");
	assert_true(alarm_due(e, "old"));
	assert_true(alarm_ms(e, "old") > 0);
	assert_false(alarm_due(e, "old"));
	put_some(e, 20);
	removes(e, "old", "21:40");
	assert_false(alarm_due(e, "old"));
	/* Few messages are no reason, nor those that stay. */
	assert_ok(account_barrier(e->a));
	env_crash(e);
	assert_false(alarm_due(e, "old"));
	policy(e, "keeps", POP3_KEEP);
	removes(e, "keeps", "1:40");
	assert_false(alarm_due(e, "keeps"));
	/* After 30 days without it, it is a new one again. */
	removes(e, "old", "12:20");
	put_some(e, 10);
	clock_test_advance(31 * DAY_MS);
	login(e, "old");
	clock_test_advance(6 * DAY_MS);
	removes(e, "old", "41:49");
	assert_true(alarm_due(e, "old"));
	/* One that is seen all the time is not. */
	put_some(e, 10);
	clock_test_advance(10 * DAY_MS);
	removes(e, "old", "50:60");
	assert_false(alarm_due(e, "old"));
	/* Switched off; and another share. */
	assert_ok(pop3_options_set(e->a, &(struct pop3_options){ .alarm_off = true }, &ACTOR));
	put_some(e, 10);
	login(e, "third");
	removes(e, "third", "61:66");
	assert_false(alarm_due(e, "third"));
	assert_ok(pop3_options_set(e->a, &(struct pop3_options){ .alarm_percent = 90 }, &ACTOR));
	assert_false(alarm_due(e, "third"));
	assert_ok(pop3_options_set(e->a, &(struct pop3_options){ .alarm_percent = 50 }, &ACTOR));
	assert_true(alarm_due(e, "third"));
	clock_test_advance(-47 * DAY_MS);
}

/* Whoever has the password may come by ever new tags: the owner is not flooded. */
static void
test_alarms_of_a_day(void **state)
{
	struct env *e = *state;
	char        name[] = "tag-0", range[16];
	unsigned    due = 0;

	for (unsigned i = 0; i < ALARMS_A_DAY + 2; i++, name[4]++) {
		put_some(e, 10);
		login(e, name);
		snprintf(range, sizeof(range), "%u:%u", i * 10 + 1, i * 10 + 10);
		removes(e, name, range);
		due += alarm_due(e, name);
	}
	assert_int_equal(due, ALARMS_A_DAY);
	clock_test_advance(2 * DAY_MS);
	name[4]--;
	assert_true(alarm_due(e, name));
	clock_test_advance(-2 * DAY_MS);
}

/* --- check and repair --- */

static size_t
faults(struct env *e)
{
	const struct verify v = { 0 };
	size_t              n = 0;

	assert_ok(store_verify(e->store, &v, &n));
	return n;
}

static void
test_check_and_repair(void **state)
{
	struct env        *e = *state;
	struct store_repair rep = { 0 };
	OWN_BUF struct buf value = BUF_INIT(200);
	struct left_record left = { .when_ms = 1, .device = 1, .policy = POP3_TRASH, .mailbox = 1 };
	struct device_view v;
	device_id          phone;

	put_some(e, 4);
	phone = login(e, "phone");
	removes(e, "phone", "2:3");
	assert_ok(account_barrier(e->a));
	env_crash(e);
	assert_int_equal(faults(e), 0);
	put_raw(e, key_device(50), STR("\x01junk"));
	put_raw(e, key_device(51), STR("\x09newer"));
	hidden_record_pack(0, &value);
	put_raw(e, key_hidden(60, 1), buf_view(&value));     /* no such device */
	put_raw(e, key_hidden(phone, 1000), buf_view(&value)); /* no such id yet */
	put_raw(e, key_hidden(phone, 4), buf_view(&value));  /* touches 2:3 */
	put_raw(e, key_options(), STR("\x01"));
	buf_reset(&value);
	left_record_pack(&left, &value);
	put_raw(e, key_left(1), buf_view(&value));           /* in INBOX */
	put_raw(e, key_left(77), buf_view(&value));          /* nowhere */
	put_raw(e, key_left(2), STR("\x01"));
	put_raw(e, key_uidl(1), STR("same"));
	put_raw(e, key_uidl(2), STR("same"));
	put_raw(e, key_uidl(3), STR("b d"));
	put_raw(e, key_uidl(88), STR("nobody"));
	env_crash(e);
	assert_int_equal(faults(e), 12);
	/* Damage shuts nobody out. */
	v = view(e, "desk");
	assert_int_equal(v.n, 4);
	device_view_done(&v);
	assert_int_equal(login(e, "desk"), 52);
	assert_ok(device_repair(e->store, ACCOUNT, &rep));
	assert_int_equal(rep.mended, 12);
	env_verify(e);
	/* What was sound is kept; the joined ids, too. */
	assert_string_equal(sees(e, "phone"), "1");
	assert_string_equal(sees(e, "desk"), "1 3 4");
	assert_ok(uidl_get(e->a, 1, &value));
}

#define ON_MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)
#define ON_ROCKS(f) { #f " (rocks)", f, env_rocks, env_done, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MEM(test_many_devices),
		ON_ROCKS(test_many_devices),
		ON_MEM(test_policies),
		ON_MEM(test_others),
		ON_MEM(test_while_others_work),
		ON_MEM(test_retention),
		ON_MEM(test_room),
		ON_MEM(test_hundred_days),
		ON_MEM(test_parts),
		ON_ROCKS(test_parts),
		ON_MEM(test_cut_short),
		ON_ROCKS(test_cut_short),
		ON_MEM(test_cut_short_and_tended),
		ON_MEM(test_not_cut_short),
		ON_MEM(test_no_trash),
		ON_MEM(test_alarm),
		ON_MEM(test_alarms_of_a_day),
		ON_MEM(test_check_and_repair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

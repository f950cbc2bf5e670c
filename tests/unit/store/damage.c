/*
 * A damaged block of a table, with the records or the facts of some messages: the mailbox is served
 * all the same, each of these messages is an error of its own, and nothing is lost by it.
 */
#include "env.h"
#include "kv/salvage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/pack.h"

enum { MESSAGES = 600, STEP = 512 };

/* --- wounds --- */

struct hit {
	char     kind;
	unsigned n, other;
};

static bool
is_of_kind(struct str disk_key, char kind)
{
	struct kv_row row;

	kv_row_read(disk_key, &row);
	return row.kind == KV_ROW_RECORD && row.part.kind == KV_ACCOUNT && row.key.n > 0 &&
	    row.key.p[0] == kind;
}

static void
take_damage(void *arg, const struct kv_damage *d)
{
	struct hit *hit = arg;

	if (is_of_kind(d->from, hit->kind) && is_of_kind(d->to, hit->kind))
		hit->n++;
	else
		hit->other++;
}

/* Flips a bit at `at`. */
static void
flip(const char *path, off_t at)
{
	int  fd = open(path, O_RDWR | O_CLOEXEC);
	char c = 0;

	assert_true(fd >= 0 && pread(fd, &c, 1, at) == 1);
	c ^= 1;
	assert_int_equal(pwrite(fd, &c, 1, at), 1);
	close(fd);
}

/* A block that has records of this kind only. */
static bool
wound_file(const char *dir, const char *path, char kind)
{
	int   fd = open(path, O_RDONLY | O_CLOEXEC);
	off_t n = lseek(fd, 0, SEEK_END);

	close(fd);
	for (off_t at = STEP; at < n; at += STEP) {
		struct hit      hit = { .kind = kind };
		struct kv_files files = { .damage = take_damage, .arg = &hit };

		flip(path, at);
		assert_ok(kv_files_check(dir, &files));
		if (hit.n == 1 && hit.other == 0)
			return true;
		flip(path, at);
	}
	return false;
}

static void
wound(struct env *e, char kind)
{
	DIR           *d;
	struct dirent *entry;
	bool           done = false;

	account_drop(TAKE(e->a));
	store_drop(TAKE(e->store));
	d = opendir(e->dir);
	assert_non_null(d);
	while (!done && (entry = readdir(d)) != NULL) {
		char path[400];

		snprintf(path, sizeof(path), "%s/%s", e->dir, entry->d_name);
		if (str_ends(str_c(path), STR(".sst")))
			done = wound_file(e->dir, path, kind);
	}
	closedir(d);
	assert_true(done);
	env_restart(e);
}

/* --- what is left --- */

static void
fill_inbox(struct env *e)
{
	for (unsigned i = 1; i <= MESSAGES; i++) {
		char text[100];

		snprintf(text, sizeof(text), "Subject: letter %u\r\n\r\nbody of %u\r\n", i, i);
		put_flags(e, e->inbox, text, i % 2 != 0 ? FLAG_SEEN : 0);
	}
}

static struct mailbox_status
view(struct env *e, struct ranges *ret)
{
	struct mailbox_status status;
	uint32_t              recent_from;
	uint64_t              modseq;

	assert_ok(mailbox_view(e->a, e->inbox, false, &status, ret, &recent_from, &modseq));
	assert_int_equal(status.messages, ranges_count(ret));
	return status;
}

static bool
is_letter(struct env *e, uint32_t uid)
{
	OWN_BUF struct buf got = BUF_INIT(1000);
	struct message     m;
	char               want[40];
	int                r = message_get(e->a, e->inbox, uid, &m);

	if (r == E_CORRUPT)
		return false;
	assert_ok(r);
	assert_ok(message_read(e->a, &m, 0, 1000, &got));
	snprintf(want, sizeof(want), "body of %u\r\n", uid);
	assert_true(str_ends(buf_view(&got), str_c(want)));
	return true;
}

/* Every message is told, or told to be unreadable, in order. How many are unreadable. */
static unsigned
scan(struct env *e, enum message_parts parts, struct ranges *lost)
{
	OWN(message_iter) it = NULL;
	struct message       m;
	struct message_facts facts;
	unsigned             n = 0, bad = 0;
	int                  r;

	assert_ok(message_scan(e->a, e->inbox, 1, MESSAGES, parts, &it));
	while ((r = message_iter_next(it, &m, &facts)) == 1 || r == E_CORRUPT) {
		assert_int_equal(m.uid, ++n);
		if (r == E_CORRUPT) {
			bad++;
			assert_ok(ranges_add(lost, n, n));
		} else if (parts != SCAN_FACTS) {
			assert_int_equal((m.flags.system & FLAG_SEEN) != 0, n % 2 != 0);
		}
	}
	assert_ok(r);
	assert_int_equal(n, MESSAGES);
	return bad;
}

static void
test_lost_records(void **state)
{
	static const enum message_parts PARTS[] = { SCAN_RECORDS, SCAN_RECORDS_FACTS, SCAN_FLAGS,
		SCAN_FLAGS_FACTS };
	struct env              *e = *state;
	OWN_RANGES struct ranges uids = { 0 }, lost = { 0 };
	struct mailbox_status    status;
	unsigned                 n;

	fill_inbox(e);
	wound(e, 'm');
	status = view(e, &uids);
	assert_string_equal(list_of(&uids), "1:600");
	n = scan(e, SCAN_RECORDS, &lost);
	assert_true(n > 1 && n < MESSAGES / 2);
	assert_int_equal(status.damaged, n);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		assert_int_equal(is_letter(e, uid), !ranges_has(&lost, uid));
	for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
		OWN_RANGES struct ranges again = { 0 };

		assert_int_equal(scan(e, PARTS[i], &again), n);
		assert_int_equal(ranges_min(&again), ranges_min(&lost));
	}
	ranges_done(&lost);
	assert_int_equal(scan(e, SCAN_FACTS, &lost), 0); /* these are in other blocks */
}

/* The others can be changed, new ones come; no counter goes wrong, also not by a restart. */
static void
test_changes_beside_lost_records(void **state)
{
	const struct flag_change flag = { FLAGS_ADD, .flags.system = FLAG_FLAGGED };
	struct env              *e = *state;
	OWN_RANGES struct ranges uids = { 0 }, now = { 0 }, lost = { 0 }, changed = { 0 };
	struct copied            copied = { 0 };
	mailbox_id               work = box(e, "Work");
	uint32_t                 next = 0, first;
	unsigned                 n;
	int                      r;

	fill_inbox(e);
	wound(e, 'm');
	view(e, &uids);
	n = scan(e, SCAN_RECORDS, &lost);
	do
		r = message_change_flags(e->a, e->inbox, &uids, next, &flag, &ACTOR, &changed,
		    &next);
	while (r == 0 && next != 0);
	assert_int_equal(r, E_CORRUPT);
	assert_int_equal(ranges_count(&changed), MESSAGES - n);

	first = ranges_min(&lost);
	expunge_all(e, e->inbox, first == 1 ? "600" : "1");
	assert_int_equal(message_copy(e->a, e->inbox, &lost, work, &ACTOR, &copied), E_CORRUPT);
	next = 0;
	assert_int_equal(message_expunge(e->a, e->inbox, &lost, true, 0, &ACTOR, NULL, &next),
	    E_CORRUPT);
	put(e, e->inbox, "Subject: new\r\n\r\n");
	for (int i = 0; i < 2; i++) {
		struct mailbox_status status;

		ranges_done(&now);
		status = view(e, &now);
		assert_int_equal(status.damaged, n);
		assert_int_equal(ranges_count(&now), MESSAGES);
		assert_string_equal(uids_in(e, work), "");
		env_restart(e);
	}
}

static void
test_lost_facts(void **state)
{
	struct env              *e = *state;
	OWN_RANGES struct ranges uids = { 0 }, lost = { 0 };
	unsigned                 n;

	fill_inbox(e);
	wound(e, 'f');
	assert_int_equal(view(e, &uids).damaged, 0);
	assert_int_equal(scan(e, SCAN_RECORDS, &lost), 0);
	n = scan(e, SCAN_RECORDS_FACTS, &lost);
	assert_true(n > 0 && n < MESSAGES / 2);
	ranges_done(&lost);
	assert_int_equal(scan(e, SCAN_FLAGS_FACTS, &lost), n);
	ranges_done(&lost);
	assert_int_equal(scan(e, SCAN_FACTS, &lost), n);
	for (uint32_t uid = 1; uid <= MESSAGES; uid++)
		assert_true(is_letter(e, uid));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, env_rocks, env_done)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lost_records),
		TEST(test_changes_beside_lost_records),
		TEST(test_lost_facts),
	};

	return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}

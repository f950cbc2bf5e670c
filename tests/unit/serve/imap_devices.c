/* Tests of serve/imap: what the ledger of devices learns from a session. */
#include "imap_rig.h"

#include <unistd.h>

#include "store/device.h"
#include "store/journal.h"

/* The device by name, when its session has ended; strings are the arena's. */
static struct device_info
device_named(struct rig *r, const char *name, struct arena *arena)
{
	OWN(account) a = rig_account(r);
	struct device_info *list;
	size_t              n;

	assert_int_equal(device_list(a, arena, &list, &n), 0);
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].name, str_c(name)))
			return list[i];
	fail_msg("no device %s", name);
	return (struct device_info){ 0 };
}

static uint64_t
size_of_first(struct rig *r)
{
	OWN(account) a = rig_account(r);
	mailbox_id     inbox;
	struct message m;

	assert_int_equal(mailbox_find(a, STR("INBOX"), &inbox), 0);
	assert_int_equal(message_get(a, inbox, 1, &m), 0);
	return m.size;
}

static void
test_counts(void **state)
{
	OWN_ARENA struct arena arena = ARENA_INIT(1 << 20);
	struct rig            *r = *state;
	struct device_info     d;
	const struct device_use *use = &d.use[ACTOR_IMAP];
	uint64_t               size;

	rig_fill(r, "INBOX", 0, 9);
	size = size_of_first(r);
	rig_open(r, 1);
	play(r, "1> a0 ID (\"name\" \"Early\" \"version\" \"2\")\n"
	        "1! a0\n"
	        "1> a1 LOGIN alice+phone@example.org secret\n"
	        "1! a1\n");
	assert_true(str_eq(device_named(r, "phone", &arena).client, STR("Early 2")));
	play(r, "1> a2 ID (\"os\" \"x\" \"version\" \"\\xff.5\" \"name\" \"Thunderbird\")\n"
	        "1! a2\n"
	        "1> a3 ID NIL\n"
	        "1! a3\n"
	        "1> a4 SELECT INBOX\n"
	        "1! a4\n"
	        /* four whole messages, one in two pieces, and parts that do not count */
	        "1> a5 FETCH 1:2 BODY.PEEK[]\n"
	        "1! a5\n"
	        "1> a6 FETCH 3 RFC822\n"
	        "1! a6\n"
	        "1> a7 FETCH 4 (BODY.PEEK[]<0.10> BODY.PEEK[]<10.100000>)\n"
	        "1! a7\n"
	        "1> a8 FETCH 5:9 (ENVELOPE BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1])\n"
	        "1! a8\n"
	        /* out of INBOX: one to the Trash, two expunged, one by CLOSE; what is in the Trash
	         * was removed before, what goes to the archive is not */
	        "1> b1 MOVE 1 Trash\n"
	        "1! b1\n"
	        "1> b2 MOVE 1 Archive\n"
	        "1! b2\n"
	        "1> b3 STORE 1:2 +FLAGS.SILENT (\\Deleted)\n"
	        "1! b3\n"
	        "1> b4 EXPUNGE\n"
	        "1! b4\n"
	        "1> b5 STORE 1 +FLAGS.SILENT (\\Deleted)\n"
	        "1! b5\n"
	        "1> b6 CLOSE\n"
	        "1! b6\n"
	        "1> c1 SELECT Trash\n"
	        "1! c1\n"
	        "1> c2 STORE 1 +FLAGS.SILENT (\\Deleted)\n"
	        "1! c2\n"
	        "1> c3 EXPUNGE\n"
	        "1! c3\n"
	        "1> c4 LOGOUT\n"
	        "1! c4\n"
	        "1.\n");
	for (int i = 0; i < 1000; i++) {
		if (device_named(r, "phone", &arena).use[ACTOR_IMAP].fetched_n != 0)
			break;
		usleep(10000); /* the session ends after its last byte */
	}
	d = device_named(r, "phone", &arena);
	assert_true(str_eq(d.client, STR("Thunderbird \xef\xbf\xbd.5")));
	assert_int_equal(use->sessions, 1);
	assert_int_equal(use->fetched_n, 4);
	assert_int_equal(use->fetched_bytes, 4 * size);
	assert_int_equal(use->removed_n, 4);
	assert_int_equal(use->removed_bytes, 4 * size);
	assert_true(use->first_ms > 0 && use->last_ms == use->first_ms);
}

static int
note_device(void *arg, const struct journal_event *e)
{
	uint32_t *n = arg;

	if (e->what == JOURNAL_REMOVED || e->what == JOURNAL_READ) {
		assert_true(str_eq(e->device, STR("tablet")));
		assert_true(str_eq(e->login, STR("alice+tablet@example.org")));
		++*n;
	}
	return 0;
}

static void
test_journal_names_the_device(void **state)
{
	const struct journal_query all = { 0 };
	struct rig                *r = *state;
	OWN(account) a = rig_account(r);
	uint32_t n = 0;

	rig_fill(r, "INBOX", 0, 2);
	rig_open(r, 1);
	play(r, "1> a1 LOGIN alice+tablet@example.org secret\n"
	        "1! a1\n"
	        "1> a2 SELECT INBOX\n"
	        "1! a2\n"
	        "1> a3 STORE 1:2 +FLAGS (\\Deleted \\Seen)\n"
	        "1! a3\n"
	        "1> a4 EXPUNGE\n"
	        "1! a4\n");
	assert_int_equal(journal_scan(a, &all, note_device, &n), 0);
	assert_int_equal(n, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_counts),
		RIG_TEST(test_journal_names_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

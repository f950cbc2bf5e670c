/*
 * Tests of serve/imap: each operation of the store fails once, and (with -Dfaults=true) each
 * allocation. Every command is answered or the connection is closed, and the mailbox is whole.
 */
#include "imap_rig.h"

#include "base/error.h"
#include "base/mem.h"
#include "kv/open.h"

static const char *const SCRIPT[] = {
	"LOGIN alice@example.org secret",
	"SELECT INBOX (CONDSTORE)",
	"FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[HEADER.FIELDS (Subject)])",
	"APPEND INBOX (\\Seen $One) {3+}\r\nabc",
	"FETCH 1:3 (BODY[1])",
	"STORE 1:2 +FLAGS (\\Deleted $Two)",
	"STORE 3 FLAGS.SILENT (\\Flagged)",
	"COPY 3:4 Archive",
	"MOVE 4 Trash",
	"UID SEARCH TEXT body",
	"SEARCH UNSEEN",
	"EXPUNGE",
	"LIST \"\" *",
	"CREATE x/y",
	"RENAME x z",
	"SUBSCRIBE z/y",
	"STATUS z/y (MESSAGES SIZE HIGHESTMODSEQ)",
	"LSUB \"\" *",
	"DELETE z/y",
	"DELETE z",
	"NOOP",
	"CLOSE",
};

static size_t
literal_n(struct str line)
{
	size_t     at = str_rfind_byte(line, '{');
	uint64_t   n;
	struct str digits;

	if (!str_ends(line, STR("}")))
		return 0;
	digits = str_head(str_skip(line, at + 1), line.n - at - 2);
	return str_to_u64(digits, &n) == 0 ? (size_t)n : 0;
}

/* False when the connection was closed. The shape of what comes is checked, not its meaning. */
static bool
hear(struct rig *r, struct client *c, bool *ret_ok)
{
	bool in_message = false;

	for (;;) {
		struct str line = client_line(r, c);
		size_t     n;

		if (line.p == NULL)
			return false;
		if (!in_message && str_starts(line, STR("t "))) {
			*ret_ok = str_starts(line, STR("t OK"));
			return true;
		}
		assert_true(in_message || str_starts(line, STR("* ")));
		n = literal_n(line);
		in_message = n != 0;
		if (n != 0 && !client_skip(c, n))
			return false;
	}
}

static bool
say(struct rig *r, struct client *c, const char *command, bool *ret_ok)
{
	char text[300];
	int  n = snprintf(text, sizeof(text), "t %s\r\n", command);

	return client_try_put(c, str_of(text, (size_t)n)) && hear(r, c, ret_ok);
}

static void
run_script(struct rig *r)
{
	struct client *c = &r->clients[1];
	bool           ok;

	for (size_t i = 0; i < ARRAY_LEN(SCRIPT); i++)
		if (!say(r, c, SCRIPT[i], &ok))
			return;
}

/* As many messages as SELECT says are there, and each can be read. Then it is emptied. */
static void
check_mailbox(struct rig *r, const char *name)
{
	struct client *c = &r->clients[2];
	char           line[100];
	uint32_t       exists = 0, n = 0;
	struct str     got;
	bool           ok;

	snprintf(line, sizeof(line), "t SELECT %s\r\n", name);
	client_put(c, str_c(line));
	do {
		got = client_line(r, c);
		if (str_ends(got, STR(" EXISTS")))
			sscanf(got.p, "* %u", &exists);
	} while (!str_starts(got, STR("t ")));
	assert_true(str_starts(got, STR("t OK")));
	client_put(c, STR("t FETCH 1:* (UID)\r\n"));
	while (!str_starts(got = client_line(r, c), STR("t ")))
		n++;
	assert_int_equal(n, exists);
	assert_true(say(r, c, "FETCH 1:* (FLAGS BODYSTRUCTURE BODY.PEEK[])", &ok) && ok);
	assert_true(say(r, c, "STORE 1:* +FLAGS.SILENT (\\Deleted)", &ok) && ok);
	assert_true(say(r, c, "CLOSE", &ok) && ok);
}

static void
check_all(struct rig *r)
{
	rig_login(r, 2, NULL);
	check_mailbox(r, "INBOX");
	check_mailbox(r, "Archive");
	check_mailbox(r, "Trash");
	rig_close(r, 2);
}

static void
test_store_fails(void **state)
{
	struct rig   *r = *state;
	unsigned long operations = 0, i = 0;

	do {
		rig_fill(r, "INBOX", 1, 5);
		rig_open(r, 1);
		kv_fault_set(r->kv, ++i, false, E_IO);
		run_script(r);
		operations = kv_fault_set(r->kv, 0, false, 0);
		rig_close(r, 1);
		kv_heal(r->kv);
		check_all(r);
	} while (i < operations);
	assert_true(operations > 50);
}

static void
test_memory_fails(void **state)
{
	struct rig   *r = *state;
	unsigned long n = 0, i = 0;

	do {
		rig_fill(r, "INBOX", 1, 5);
		rig_open(r, 1);
		mem_fault_set(i += 1 + i / 300, 0);
		run_script(r);
		n = mem_fault_set(0, 0);
		rig_close(r, 1);
		check_all(r);
	} while (i < n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_store_fails),
		RIG_TEST(test_memory_fails),
	};

	return cmocka_run_group_tests_name("imap_faults", tests, NULL, NULL);
}

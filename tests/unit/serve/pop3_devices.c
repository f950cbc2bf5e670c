/* Tests of serve/pop3 with devices: what each sees, what QUIT does, journal and ledger. */
#include "pop3_rig.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "kv/open.h"
#include "serve/pop3/box.h"
#include "store/journal.h"
#include "store/uidl.h"

#define MESSAGE "From: a@x\r\nSubject: one\r\n\r\nline 1\r\n"

static const struct actor ADMIN = { .protocol = ACTOR_ADMIN };

static void
put_some(struct rig *r, unsigned n)
{
	while (n-- > 0)
		put_message(r, STR(MESSAGE));
}

/* No alarm's letter comes into the Inbox. */
static void
set_policy(struct rig *r, enum pop3_policy policy)
{
	const struct pop3_options options = { .policy = policy, .alarm_off = true };
	mailbox_id                inbox;
	OWN(account)              a = open_inbox(r, &inbox);

	assert_int_equal(pop3_options_set(a, &options, &ADMIN), 0);
}

static void
status_of(struct rig *r, const char *name, struct mailbox_status *ret)
{
	mailbox_id   id;
	OWN(account) a = open_inbox(r, &id);

	assert_int_equal(mailbox_find(a, str_c(name), &id), 0);
	assert_int_equal(mailbox_status(a, id, ret), 0);
}

/* Fetches and deletes all: how many there were. */
static unsigned
empty_box(struct rig *r, const char *login)
{
	struct client *c = client_login_as(r, login);
	char           line[32];
	unsigned       n = 0;

	for (;; n++) {
		snprintf(line, sizeof(line), "RETR %u\r\n", n + 1);
		client_send(c, str_c(line));
		if (str_starts(client_line(c), STR("-ERR")))
			break;
		(void)client_body(c);
		snprintf(line, sizeof(line), "DELE %u", n + 1);
		say(c, line, "+OK");
	}
	say(c, "QUIT", "+OK bye, 0 messages left");
	expect_closed(c);
	client_close(c);
	return n;
}

/* --- the view --- */

static void
test_each_device_has_all_once(void **state)
{
	struct rig    *r = *state;
	struct client *c;
	char           uidls[600];

	set_policy(r, POP3_TRASH);
	put_some(r, 3);
	c = client_login_as(r, "ann+phone@example.com");
	say(c, "UIDL", "+OK");
	(void)client_body(c);
	snprintf(uidls, sizeof(uidls), "%.*s", STR_ARG(buf_view(&c->reply)));
	client_close(c);
	assert_int_equal(empty_box(r, "ann@example.com"), 3);
	assert_int_equal(count_messages(r), 0);
	assert_int_equal(count_trash(r), 3);
	c = client_login_as(r, "ann+phone@example.com");
	say(c, "UIDL", "+OK 3 messages");
	expect_body(c, uidls);
	client_close(c);
	put_some(r, 1);
	/* One that never was here, and one that has taken some. */
	assert_int_equal(empty_box(r, "ann+phone@example.com"), 4);
	assert_int_equal(empty_box(r, "ann+desk@example.com"), 4);
	assert_int_equal(empty_box(r, "ann@example.com"), 1);
	assert_int_equal(empty_box(r, "ann+desk@example.com"), 0);
	assert_int_equal(empty_box(r, "ann+phone@example.com"), 0);
	assert_int_equal(count_messages(r), 0);
}

static void
test_policies(void **state)
{
	static const struct {
		enum pop3_policy policy;
		unsigned         inbox, unseen, archive, trash;
	} want[] = {
		{ POP3_KEEP, 2, 2, 0, 0 }, { POP3_READ, 4, 2, 0, 0 }, { POP3_ARCHIVE, 4, 2, 2, 0 },
		{ POP3_TRASH, 4, 2, 2, 2 }, { POP3_DELETE, 4, 2, 2, 2 },
	};
	struct rig           *r = *state;
	struct mailbox_status status;

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		set_policy(r, want[i].policy);
		put_some(r, 2);
		assert_int_equal(empty_box(r, "ann@example.com"), 2);
		status_of(r, "INBOX", &status);
		assert_int_equal(status.messages, want[i].inbox);
		assert_int_equal(status.unseen, want[i].unseen);
		status_of(r, "Archive", &status);
		assert_int_equal(status.messages, want[i].archive);
		assert_int_equal(count_trash(r), want[i].trash);
		assert_int_equal(empty_box(r, "ann@example.com"), 0);
	}
	assert_int_equal(empty_box(r, "ann+phone@example.com"), 10);
}

/* What was moved in keeps its name; the others have ours. */
static void
test_uidls_that_were_moved_in(void **state)
{
	struct rig       *r = *state;
	const struct uidl uidls[] = { { 1, STR("old-1") }, { 3, STR("!~") } };
	struct client    *c;
	mailbox_id        inbox;
	size_t            bad;
	struct account   *a = open_inbox(r, &inbox);

	put_some(r, 3);
	assert_int_equal(uidl_set(a, uidls, 2, &ADMIN, &bad), 0);
	account_drop(a);
	c = client_login(r);
	for (unsigned i = 0; i < 2; i++) {
		say(c, "UIDL", "+OK");
		expect_body(c, "1 old-1\r\n2 00000000000000010000000000000002\r\n3 !~\r\n");
	}
	say(c, "UIDL 3", "+OK 3 !~");
	say(c, "UIDL 2", "+OK 2 00000000000000010000000000000002");
	say(c, "UIDL 1", "+OK 1 old-1");
	say(c, "DELE 1", "+OK");
	say(c, "QUIT", "+OK");
	client_close(c);
	c = client_login_as(r, "ann+phone@example.com");
	say(c, "UIDL", "+OK");
	expect_body(c, "1 old-1\r\n2 00000000000000010000000000000002\r\n3 !~\r\n");
	client_close(c);
}

/* --- journal and ledger --- */

struct seen {
	unsigned fetched, moved, read;
	bool     fetched_first;
};

static int
note_event(void *arg, const struct journal_event *e)
{
	struct seen *seen = arg;

	if (e->protocol != ACTOR_POP3)
		return 0;
	assert_true(str_eq(e->device, STR("phone")));
	assert_true(str_eq(e->login, STR("ann+phone@example.com")));
	if (e->what == JOURNAL_FETCHED)
		seen->fetched_first = seen->moved == 0;
	seen->fetched += e->what == JOURNAL_FETCHED;
	seen->moved += e->what == JOURNAL_MOVED;
	seen->read += e->what == JOURNAL_READ;
	return 0;
}

static void
check_journal(struct rig *r, struct seen want, struct device_counts counts, unsigned sessions)
{
	OWN_ARENA struct arena      arena = ARENA_INIT(1 << 20);
	const struct journal_query  all = { 0 };
	struct seen                 seen = { .fetched_first = want.fetched_first };
	const struct device_use    *use;
	struct device_info         *list;
	mailbox_id                  inbox;
	OWN(account)                a = open_inbox(r, &inbox);
	size_t                      n;

	assert_int_equal(journal_scan(a, &all, note_event, &seen), 0);
	assert_memory_equal(&seen, &want, sizeof(want));
	assert_int_equal(device_list(a, &arena, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_true(str_eq(list[0].name, STR("phone")));
	use = &list[0].use[ACTOR_POP3];
	assert_int_equal(use->sessions, sessions);
	assert_int_equal(use->fetched_n, counts.fetched_n);
	assert_int_equal(use->fetched_bytes, counts.fetched_bytes);
	assert_int_equal(use->removed_n, counts.removed_n);
	assert_int_equal(use->removed_bytes, counts.removed_bytes);
}

static void
test_journal_and_ledger(void **state)
{
	enum { SIZE = sizeof(MESSAGE) - 1 };
	struct rig    *r = *state;
	struct client *c;

	put_some(r, 3);
	c = client_login_as(r, "ann+phone@example.com");
	client_send(c, STR("RETR 1\r\nRETR 3\r\nTOP 3 999\r\nTOP 2 1\r\n"));
	for (unsigned i = 0; i < 4; i++) {
		expect(c, "+OK");
		(void)client_body(c);
	}
	say(c, "DELE 1", "+OK");
	client_close(c);
	wait_for_conns(r, 0);
	/* Without QUIT nothing was changed, but it is known what was fetched. */
	check_journal(r, (struct seen){ .fetched = 2, .fetched_first = true },
	    (struct device_counts){ 3, (uint64_t)3 * SIZE, 0, 0 }, 1);
	c = client_login_as(r, "ann+phone@example.com");
	client_send(c, STR("RETR 1\r\nRETR 2\r\n"));
	for (unsigned i = 0; i < 2; i++) {
		expect(c, "+OK");
		(void)client_body(c);
	}
	say(c, "DELE 1", "+OK");
	say(c, "QUIT", "+OK bye, 2 messages left");
	/* Before the client knows. */
	check_journal(r,
	    (struct seen){ .fetched = 4, .moved = 1, .read = 1, .fetched_first = true },
	    (struct device_counts){ 5, (uint64_t)5 * SIZE, 1, SIZE }, 2);
	client_close(c);
}

static void
retr_all(struct client *c, unsigned n)
{
	char line[32];

	for (unsigned i = 1; i <= n; i++) {
		snprintf(line, sizeof(line), "RETR %u\r\n", i);
		client_send(c, str_c(line));
		expect(c, "+OK");
		(void)client_body(c);
	}
}

/* A server that is killed loses the notes of POP3_NOTE_MAX messages, or of a minute. */
static void
test_notes_of_a_long_session(void **state)
{
	enum { N = POP3_NOTE_MAX + 4 };
	const uint64_t size = sizeof(MESSAGE) - 1;
	struct rig    *r = *state;
	struct client *c;
	struct seen    seen = { .fetched = POP3_NOTE_MAX, .fetched_first = true };

	put_some(r, N);
	c = client_login_as(r, "ann+phone@example.com");
	retr_all(c, POP3_NOTE_MAX - 1);
	say(c, "NOOP", "+OK");
	check_journal(r, (struct seen){ 0 }, (struct device_counts){ 0 }, 1);
	retr_all(c, POP3_NOTE_MAX);
	say(c, "NOOP", "+OK");
	check_journal(r, seen, (struct device_counts){ 1999, 1999 * size, 0, 0 }, 1);
	clock_test_advance(POP3_NOTE_MS);
	client_send(c, STR("RETR 1004\r\n"));
	expect(c, "+OK");
	(void)client_body(c);
	say(c, "NOOP", "+OK");
	clock_test_advance(-POP3_NOTE_MS);
	seen.fetched++;
	check_journal(r, seen, (struct device_counts){ 2000, 2000 * size, 0, 0 }, 1);
	client_close(c);
	wait_for_conns(r, 0);
	check_journal(r, seen, (struct device_counts){ 2000, 2000 * size, 0, 0 }, 1);
}

/* Looks into the storage for some RETRs and a TOP, in a mailbox of n messages. */
static unsigned long
cost_of_retr(struct rig *r, unsigned n)
{
	struct client *c;
	char           line[64];
	unsigned long  cost;

	put_some(r, n - count_messages(r));
	c = client_login(r);
	kv_fault_set(r->kv, 0, false, 0);
	for (unsigned i = 1; i <= 4; i++) {
		snprintf(line, sizeof(line), "%s %u%s\r\n", i == 4 ? "TOP" : "RETR", i * n / 4,
		    i == 4 ? " 1" : "");
		client_send(c, str_c(line));
		expect(c, "+OK");
		(void)client_body(c);
	}
	say(c, "NOOP", "+OK");
	cost = kv_fault_set(r->kv, 0, false, 0);
	client_close(c);
	wait_for_conns(r, 0);
	return cost;
}

/* RETR reads the message and nothing else, however many there are. */
static void
test_cost_of_retr(void **state)
{
	struct rig   *r = *state;
	unsigned long few = cost_of_retr(r, 8);

	assert_true(few != 0 && few <= 2 * 4);
	assert_int_equal(cost_of_retr(r, 2000), few);
}

/* --- others on the same account --- */

static void
test_removed_account(void **state)
{
	struct rig    *r = *state;
	struct client *c;
	uint64_t       id;

	put_some(r, 3);
	c = client_login(r);
	say(c, "DELE 1", "+OK");
	assert_int_equal(
	    directory_account_remove(r->server.directory, STR("ann@example.com"), &id), 0);
	assert_int_equal(account_remove(r->server.store, id), 0);
	say(c, "RETR 2", "-ERR [AUTH] this account was removed");
	expect_closed(c);
	client_close(c);
}

/* Each has the messages of its beginning, and numbers of its own. */
static void
test_many_sessions(void **state)
{
	enum { N = 8 };
	struct rig    *r = *state;
	struct client *c[N];
	char           line[32], want[64];

	set_policy(r, POP3_TRASH);
	for (unsigned i = 0; i < N; i++) {
		put_some(r, 1);
		c[i] = client_login(r);
	}
	for (unsigned i = 0; i < N; i++) {
		snprintf(want, sizeof(want), "+OK %u %u", i + 1,
		    (i + 1) * (unsigned)strlen(MESSAGE));
		say(c[i], "STAT", want);
		snprintf(line, sizeof(line), "DELE %u", i + 1);
		say(c[i], line, "+OK");
	}
	for (unsigned i = 0; i < N; i++) {
		say(c[i], "RETR 1", i == 0 ? "-ERR no such message" : "+OK");
		if (i != 0)
			(void)client_body(c[i]);
		snprintf(want, sizeof(want), "+OK bye, %u messages left", i);
		say(c[i], "QUIT", want);
		client_close(c[i]);
	}
	assert_int_equal(count_messages(r), 0);
	assert_int_equal(count_trash(r), N);
}

/* Found in Trash by who had it in INBOX at the beginning, and removed from there by the user. */
static void
test_purged_meanwhile(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	put_some(r, 2);
	c = client_login_as(r, "ann+phone@example.com");
	assert_int_equal(empty_box(r, "ann@example.com"), 2);
	say(c, "RETR 1", "+OK");
	(void)client_body(c);
	say(c, "DELE 1", "+OK");
	say(c, "DELE 2", "+OK");
	say(c, "QUIT", "+OK bye, 0 messages left");
	client_close(c);
	assert_int_equal(empty_box(r, "ann+phone@example.com"), 0);
	assert_int_equal(count_trash(r), 2);
}

/* --- settings --- */

static void
refuse(struct rig *r, const char *login, const char *want)
{
	struct client *c = client_open(r);
	char           line[100];

	snprintf(line, sizeof(line), "USER %s", login);
	say(c, line, "+OK");
	say(c, "PASS secret", want);
	say(c, "CAPA", "+OK");
	(void)client_body(c);
	client_close(c);
}

static void
test_login_delay(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	r->server.pop3.login_delay_ms = 60 * 1000;
	client_close(client_login(r));
	refuse(r, "ann@example.com", "-ERR [LOGIN-DELAY] ");
	/* Each device has its own time. */
	client_close(client_login_as(r, "ann+phone@example.com"));
	clock_test_advance(59 * 1000);
	refuse(r, "ann@example.com", "-ERR [LOGIN-DELAY] ");
	clock_test_advance(1000);
	c = client_login(r);
	/* What was refused began no time. */
	say(c, "QUIT", "+OK");
	client_close(c);
}

static void
test_exclusive(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	put_some(r, 1);
	r->server.pop3.exclusive = true;
	c = client_login(r);
	refuse(r, "ann@example.com", "-ERR [IN-USE] another POP3 session is open");
	refuse(r, "ann+phone@example.com", "-ERR [IN-USE] another POP3 session is open");
	put_some(r, 1); /* delivery goes on */
	say(c, "STAT", "+OK 1 ");
	client_close(c);
	wait_for_conns(r, 0);
	c = client_login(r);
	say(c, "STAT", "+OK 2 ");
	say(c, "QUIT", "+OK");
	expect_closed(c);
	client_close(c);
	client_close(client_login(r));
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
	const struct CMUnitTest tests[] = {
		T(test_each_device_has_all_once),
		T(test_policies),
		T(test_uidls_that_were_moved_in),
		T(test_journal_and_ledger),
		T(test_notes_of_a_long_session),
		T(test_cost_of_retr),
		T(test_removed_account),
		T(test_many_sessions),
		T(test_purged_meanwhile),
		T(test_login_delay),
		T(test_exclusive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests of serve/alarm: when the letter comes, what it says, and that it comes once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kv/open.h"
#include "serve/alarm.h"
#include "store/device_view.h"

#define DAY_MS (24ll * 3600 * 1000)

struct rig {
	struct server   server;
	struct account *a;
	mailbox_id      inbox;
};

static int
rig_up(void **state)
{
	const struct quota quota = { .storage_max = 400 }; /* full with what the tests put there */
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	struct rig        *r = MEM_NEW(struct rig);
	struct server     *s = &r->server;
	struct kv         *kv;
	uint64_t           id;

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
	assert_int_equal(kv_mem_open(&kv), 0);
	assert_int_equal(store_open(kv, NULL, NULL, &s->store), 0);
	assert_int_equal(directory_open(kv, &s->directory), 0);
	s->hostname = STR("mail.example.com");
	assert_int_equal(directory_domain_add(s->directory, STR("example.com")), 0);
	assert_int_equal(
	    directory_account_add(s->directory, STR("ann@example.com"), STR(""), &id), 0);
	assert_int_equal(account_create(s->store, id, &quota, &actor), 0);
	assert_int_equal(account_open(s->store, id, &r->a), 0);
	assert_int_equal(mailbox_find(r->a, STR("INBOX"), &r->inbox), 0);
	*state = r;
	return 0;
}

static int
rig_down(void **state)
{
	struct rig *r = *state;

	account_drop(r->a);
	directory_drop(r->server.directory);
	store_drop(r->server.store);
	mem_free(r);
	return 0;
}

/* Each of ten bytes. */
static void
put_some(struct rig *r, int n)
{
	const struct append_options options = { .ignore_quota = true };
	const struct actor          actor = { .protocol = ACTOR_LMTP };
	struct appended             done;

	for (int i = 0; i < n; i++) {
		OWN(ingest) in = NULL;

		assert_int_equal(ingest_new(r->server.store, 1000, &in), 0);
		assert_int_equal(ingest_write(in, STR("A: b\r\n\r\nxx")), 0);
		assert_int_equal(ingest_end(in), 0);
		assert_int_equal(message_append(r->a, r->inbox, in, &options, &actor, &done), 0);
	}
}

/* A POP3 session that removes the newest n messages that the device sees. */
static void
removes(struct rig *r, const char *device, uint32_t n)
{
	const struct actor  actor = { ACTOR_POP3, 7, STR("192.0.2.9"), STR("ann@example.com"),
		 str_c(device) };
	struct device_view  v = { 0 };
	struct pop3_removal rm;
	device_id           id;
	bool                done = false;

	assert_int_equal(device_seen(r->a, &actor, &id), 0);
	assert_int_equal(device_view_open(&v, r->a, id), 0);
	while (!done)
		assert_int_equal(device_view_load(&v, &done), 0);
	assert_true(v.n >= n);
	for (uint32_t i = v.n - n; i < v.n; i++)
		v.m[i].marks = 1;
	rm = (struct pop3_removal){ .device = id, .m = v.m, .n = v.n, .mark = 1 };
	for (done = false; !done;)
		assert_int_equal(pop3_remove_part(r->a, &rm, &actor, &done), 0);
	alarm_after_removal(&r->server, r->a, id, &actor);
	device_view_done(&v);
}

/* How many letters are in the Inbox; the text of the last one. */
static int
letters(struct rig *r, struct buf *text)
{
	OWN(message_iter) it = NULL;
	struct message m;
	int            n = 0;

	assert_int_equal(message_scan(r->a, r->inbox, 1, UINT32_MAX, SCAN_RECORDS, &it), 0);
	while (message_iter_next(it, &m, NULL) == 1) {
		if (m.size == 10)
			continue;
		n++;
		buf_reset(text);
		assert_int_equal(message_read(r->a, &m, 0, SIZE_MAX, text), 0);
	}
	return n;
}

static int
count(struct rig *r)
{
	OWN_BUF struct buf text = BUF_INIT(1 << 20);

	return letters(r, &text);
}

static void
assert_has(const struct buf *text, const char *part)
{
	if (str_find(buf_view(text), str_c(part)) == text->n)
		fail_msg("no \"%s\" in:\n%.*s", part, STR_ARG(buf_view(text)));
}

static void
test_once(void **state)
{
	OWN_BUF struct buf text = BUF_INIT(1 << 20);
	struct rig        *r = *state;

	put_some(r, 60); /* over the quota: the letter comes all the same */
	removes(r, "Ann's phone", 30);
	assert_int_equal(count(r), 0);
	removes(r, "Ann's phone", 30);
	assert_int_equal(letters(r, &text), 1);
	assert_has(&text, "From: Mail server <postmaster@example.com>\r\n");
	assert_has(&text, "\r\nTo: <ann@example.com>\r\n");
	assert_has(&text, "\r\nAuto-Submitted: auto-generated\r\n");
	assert_has(&text, "@mail.example.com>\r\n");
	assert_has(&text, "\r\nSubject: A device removed 60 of 60 messages from your Inbox\r\n");
	assert_has(&text, "  Device:   Ann's phone\r\n  Address:  192.0.2.9\r\n");
	assert_has(&text, "\r\nThey are in your Trash now");
	assert_has(&text, "postrider account restore 'ann@example.com' --since 20");
	assert_has(&text, "Z --by 'Ann'\\''s phone'\r\n");
	assert_has(&text, "--policy keep --device 'Ann'\\''s phone'\r\n");
	/* Neither the same session nor a later one tells again; nor is the letter counted. */
	put_some(r, 20);
	removes(r, "Ann's phone", 20);
	assert_int_equal(count(r), 1);
}

static void
test_few_and_known(void **state)
{
	struct rig *r = *state;

	put_some(r, 4); /* fewer than ALARM_MIN, though all */
	removes(r, "few", 4);
	assert_int_equal(count(r), 0);
	removes(r, "daily", 0);
	for (int day = 0; day < 12; day++) {
		clock_test_advance(DAY_MS);
		put_some(r, 3);
		removes(r, "daily", day < 8 ? 0 : 3);
	}
	assert_int_equal(count(r), 0);
	/* Away for long: it is watched again. */
	clock_test_advance(31 * DAY_MS);
	removes(r, "daily", 20);
	assert_int_equal(count(r), 1);
}

static void
test_options(void **state)
{
	const struct actor  actor = { .protocol = ACTOR_ADMIN };
	struct pop3_options o = { .alarm_off = true };
	OWN_BUF struct buf  text = BUF_INIT(1 << 20);
	struct rig         *r = *state;

	put_some(r, 10);
	assert_int_equal(pop3_options_set(r->a, &o, &actor), 0);
	removes(r, "a", 10);
	assert_int_equal(count(r), 0);
	put_some(r, 10);
	o = (struct pop3_options){ .alarm_percent = 90, .policy = POP3_DELETE };
	assert_int_equal(pop3_options_set(r->a, &o, &actor), 0);
	removes(r, "b", 9);
	assert_int_equal(count(r), 0);
	o.policy = POP3_ARCHIVE;
	assert_int_equal(pop3_options_set(r->a, &o, &actor), 0);
	removes(r, "", 10);
	assert_int_equal(letters(r, &text), 0); /* of the twenty it could see, one was in INBOX */
	put_some(r, 30);
	removes(r, "c", 40);
	assert_int_equal(letters(r, &text), 1);
	assert_has(&text, "\r\nThey are in your archive mailbox now");
}

/* Nothing that a user calls himself gets into the header, ends a line, or leaves its quotes. */
static void
test_names(void **state)
{
	OWN_BUF struct buf  text = BUF_INIT(1 << 20);
	struct alarm_letter l = {
		.address = STR("a'b@example.com"),
		.hostname = STR("h"),
		.device = STR("x\r\nSubject: y\x1b[31m' ; rm"),
		.peer = STR("unix"),
		.policy = POP3_DELETE,
	};

	(void)state;
	alarm_put_letter(&l, &text);
	assert_int_equal(text.err, 0);
	assert_has(&text, "  Device:   x??Subject: y?[31m' ; rm\r\n");
	assert_has(&text, "--by 'x??Subject: y?[31m'\\'' ; rm'\r\n");
	assert_has(&text, "'a'\\''b@example.com'");
	assert_has(&text, "They were deleted.");
	buf_reset(&text);
	l.device = STR_NONE;
	l.policy = POP3_KEEP;
	alarm_put_letter(&l, &text);
	assert_has(&text, "the main login");
	assert_has(&text, "--by ''\r\n");
	for (struct str s = buf_view(&text); s.n > 0;) {
		struct str line = str_cut(&s, '\n');

		assert_true(line.n > 0 && line.n < 100 && line.p[line.n - 1] == '\r');
		assert_true(str_find_byte(str_head(line, line.n - 1), '\r') == line.n - 1);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once, rig_up, rig_down),
		cmocka_unit_test_setup_teardown(test_few_and_known, rig_up, rig_down),
		cmocka_unit_test_setup_teardown(test_options, rig_up, rig_down),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

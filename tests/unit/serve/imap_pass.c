/* IMAP sessions whose login is taken back: waiting, idling, in the middle of an answer or a
 * literal. */
#include "imap_rig.h"

#include "auth/directory.h"
#include "base/error.h"

static void
set_password(struct rig *r, const char *hash)
{
	assert_int_equal(directory_account_set_hash(r->server.directory, STR("alice@example.org"),
	    str_c(hash), SESSIONS_END), 0);
}

#define TAKEN "* BYE [EXPIRED] This password was taken back or changed.\n"

static void
test_a_session_that_waits(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, "INBOX");
	rig_login(r, 2, NULL);
	rig_open(r, 3);
	set_password(r, "{PLAIN}two");
	play(r, "1< " TAKEN "1.\n2< " TAKEN "2.\n3> a NOOP\n3! a\n");
	play(r, "3> b LOGIN alice@example.org secret\n3* b\n");
	play(r, "3> b LOGIN alice@example.org two\n3! b\n3> c NOOP\n3! c\n");
	assert_int_equal(directory_account_enable(
	    r->server.directory, STR("alice@example.org"), false), 0);
	play(r, "3< * BYE [CONTACTADMIN] This account was disabled.\n3.\n");
}

static void
test_idle(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, "INBOX");
	rig_login(r, 2, NULL);
	play(r, "1> a IDLE\n1< + idling\n2> a IDLE\n2< + idling\n");
	set_password(r, "{PLAIN}two");
	play(r, "1< " TAKEN "1.\n2< " TAKEN "2.\n");
}

/* The command is not carried out, whatever comes of its literal. */
static void
test_append_half_way(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, NULL);
	play(r, "1> a APPEND INBOX {100}\n1< + OK\n1> Subject: half\n");
	set_password(r, "{PLAIN}two");
	play(r, "1< " TAKEN "1.\n");
}

/* Commands that came in one write with others are not carried out either. */
static void
test_pipelined(void **state)
{
	struct rig *r = *state;
	struct str  line;
	OWN_BUF struct buf many = BUF_INIT(128 << 10);

	rig_login(r, 1, NULL);
	rig_login(r, 2, NULL);
	for (int i = 0; i < 3000; i++)
		buf_printf(&many, "a%d CREATE m%d\r\n", i, i);
	client_put(&r->clients[1], buf_view(&many));
	client_line(r, &r->clients[1]);
	set_password(r, "{PLAIN}two");
	do
		line = client_line(r, &r->clients[1]);
	while (str_starts(line, STR("a")));
	assert_true(str_starts(line, STR("* BYE [EXPIRED] ")));
	play(r, "1.\n2< " TAKEN "2.\n");
}

/* Nothing can be told from the bytes of a message: it stops. */
static void
test_fetch_half_way(void **state)
{
	struct rig        *r = *state;
	OWN_BUF struct buf big = BUF_INIT(64 << 20);
	struct client     *c = &r->clients[1];
	size_t             n = 0;
	static char        line[1000];

	memset(line, 'x', sizeof(line));
	buf_printf(&big, "a APPEND INBOX {%d+}\r\nSubject: big\r\n\r\n", 16 + 16000 * 1002);
	for (int i = 0; i < 16000; i++)
		buf_printf(&big, "%.1000s\r\n", line);
	buf_str(&big, STR("\r\n"));
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, NULL);
	client_put(c, buf_view(&big));
	play(r, "1! a\n1> b FETCH 1 BODY[]\n");
	client_line(r, c);
	set_password(r, "{PLAIN}two");
	play(r, "2< " TAKEN "2.\n");
	while (n < (32u << 20) && client_skip(c, 4096))
		n += 4096;
	assert_in_range(n, 1, 15 << 20);
	assert_int_equal(str_find(buf_view(&c->in), STR("BYE")), c->in.n);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_a_session_that_waits),
		RIG_TEST(test_idle),
		RIG_TEST(test_append_half_way),
		RIG_TEST(test_pipelined),
		RIG_TEST(test_fetch_half_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

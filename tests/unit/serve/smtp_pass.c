/* Submission sessions whose login is taken back. */
#include "smtp_rig.h"

#include "auth/directory.h"

static int
up(void **state)
{
	int r = rig_up(state);

	((struct rig *)*state)->type = &SUBMISSION_SESSION;
	return r;
}

static struct client *
login(struct rig *r)
{
	struct client *c = client_open(r);

	say(c, "EHLO client.test", "250-");
	say(c, "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=", "235 2.7.0");
	return c;
}

static void
test_421(void **state)
{
	struct rig    *r = *state;
	struct client *waits = login(r), *half = login(r), *chunk = login(r);
	struct client *bare = client_open(r);

	say(bare, "EHLO client.test", "250-");
	say(half, "MAIL FROM:<ann@example.com>", "250");
	say(half, "RCPT TO:<ben@example.com>", "250");
	say(half, "DATA", "354");
	client_send(half, STR("Subject: half\r\n\r\nhalf\r\n"));
	say(chunk, "MAIL FROM:<ann@example.com>", "250");
	say(chunk, "RCPT TO:<ben@example.com>", "250");
	client_send(chunk, STR("BDAT 100 LAST\r\nSubject: half\r\n"));
	assert_int_equal(directory_account_set_hash(r->server.directory, STR("ann@example.com"),
	    STR("{PLAIN}two"), SESSIONS_END), 0);
	expect(waits, "421 4.7.0 this password was taken back or changed");
	expect_closed(waits);
	expect(half, "421 4.7.0");
	expect_closed(half);
	expect(chunk, "421 4.7.0");
	expect_closed(chunk);
	say(bare, "NOOP", "250");
	say(bare, "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=", "535 5.7.8");
	say(bare, "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQB0d28=", "235 2.7.0");
	client_close(waits);
	client_close(half);
	client_close(chunk);
	client_close(bare);
	assert_int_equal(inbox_count(r, r->ben), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_421, up, rig_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

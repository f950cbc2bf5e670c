/* POP3 sessions whose login is taken back: nothing is removed, and no byte is said that could be
 * taken for a part of an answer. */
#include "pop3_rig.h"

#include <unistd.h>

#include "auth/directory.h"

static void
take_back(struct rig *r)
{
	assert_int_equal(directory_account_set_hash(r->server.directory, STR("ann@example.com"),
	    STR("{PLAIN}two"), SESSIONS_END), 0);
}

#define TAKEN "-ERR [AUTH] this password was taken back or changed"

static void
test_nothing_is_removed(void **state)
{
	struct rig    *r = *state;
	struct client *c, *waits;

	put_message(r, STR("Subject: one\r\n\r\n1\r\n"));
	c = client_login(r);
	waits = client_login(r);
	say(c, "DELE 1", "+OK");
	take_back(r);
	expect(waits, TAKEN);
	expect_closed(waits);
	client_send(c, STR("QUIT\r\n"));
	expect(c, TAKEN);
	expect_closed(c);
	client_close(c);
	client_close(waits);
	assert_int_equal(count_messages(r), 1);
	assert_int_equal(count_trash(r), 0);
}

static void
test_half_way_through_a_message(void **state)
{
	struct rig        *r = *state;
	OWN_BUF struct buf big = BUF_INIT(64 << 20);
	struct client     *c, *other;
	char               piece[4096];
	ssize_t            n;

	buf_str(&big, STR("Subject: big\r\n\r\n"));
	for (int i = 0; i < 200000; i++)
		buf_str(&big, STR("a line of sixty-odd bytes, so that there are many\r\n"));
	put_message(r, buf_view(&big));
	c = client_login(r);
	other = client_login(r);
	say(c, "RETR 1", "+OK");
	take_back(r);
	expect(other, TAKEN);
	while ((n = read(c->fd, piece, sizeof(piece))) > 0)
		buf_put(&c->got, piece, (size_t)n);
	assert_in_range(c->got.n, 1, big.n - 1);
	assert_int_equal(str_find(buf_view(&c->got), STR("-ERR")), c->got.n);
	client_close(c);
	client_close(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_is_removed, rig_up, rig_down),
		cmocka_unit_test_setup_teardown(test_half_way_through_a_message, rig_up, rig_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests of serve/pop3 when the storage or the memory fails. */
#include "pop3_rig.h"

#include <sys/socket.h>

#include "base/mem.h"
#include "kv/open.h"

/* QUIT with the storage failing at the nth step: false, and an error is said; all or nothing is
 * removed. */
static bool
quit_with_fault(struct rig *r, unsigned long nth)
{
	struct client *c;
	struct str     line;
	uint32_t       had;
	bool           ok;

	put_three(r);
	had = count_messages(r);
	c = client_login(r);
	say(c, "DELE 1", "+OK");
	say(c, "DELE 3", "+OK");
	kv_fault_set(r->kv, nth, false, E_IO);
	client_send(c, STR("QUIT\r\n"));
	line = client_line(c);
	kv_fault_set(r->kv, 0, false, 0);
	ok = str_starts(line, STR("+OK bye"));
	if (!ok && !str_starts(line, STR("-ERR [SYS/TEMP] some deleted messages")))
		fail_msg("fault %lu: \"%.*s\"", nth, STR_ARG(line));
	expect_closed(c);
	client_close(c);
	(void)kv_heal(r->kv);
	assert_true(count_messages(r) == had - 2 || (!ok && count_messages(r) == had));
	return ok;
}

/* From the last step, the sync, to the first: after a failed write the account is read anew, which
 * are other steps. */
static void
test_update_fails(void **state)
{
	struct rig *r = *state;
	unsigned    failed = 0;

	assert_true(quit_with_fault(r, 0));
	for (unsigned long nth = 12; nth > 0; nth--)
		failed += !quit_with_fault(r, nth);
	assert_in_range(failed, 6, 11);
}

/* Nobody is told of what a crash may still take back. */
static void
test_replies_wait_for_the_disk(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);
	kv_ticket      ticket;

	say(c, "USER ann@example.com", "+OK");
	ticket = put_message_unsynced(r, STR(MESSAGE_1));
	assert_false(kv_is_durable(r->kv, ticket));
	say(c, "PASS secret", "+OK 1 messages");
	assert_true(kv_is_durable(r->kv, ticket));
	client_close(c);
}

static void
test_storage_fails_at_login(void **state)
{
	struct rig    *r = *state;
	unsigned long  nth;
	bool           ok = false;

	put_three(r);
	/* The first step is the look into the cache: without it the password is checked. */
	for (nth = 2; !ok && nth < 100; nth++) {
		struct client *c = client_open(r);
		struct str     line;

		say(c, "USER ann@example.com", "+OK");
		kv_fault_set(r->kv, nth, false, E_IO);
		client_send(c, STR("PASS secret\r\n"));
		line = client_line(c);
		kv_fault_set(r->kv, 0, false, 0);
		ok = str_starts(line, STR("+OK 3 messages"));
		/* Closed without a word when the reply could not be made durable. */
		if (!ok && line.n != 0)
			assert_true(str_starts(line, STR("-ERR [SYS/TEMP]")));
		client_close(c);
		(void)kv_heal(r->kv);
	}
	assert_in_range(nth, 3, 99);
}

/* Each allocation fails in turn (with -Dfaults=true): the session says so or ends, nothing else. */
static void
test_no_memory(void **state)
{
	struct rig *r = *state;
	char        got[4096];

	put_three(r);
	for (unsigned long nth = 1; nth < 120; nth++) {
		struct client *c = client_open(r);

		mem_fault_set(nth, 0);
		client_send(c, STR(SCRIPT));
		while (recv(c->fd, got, sizeof(got), 0) > 0)
			;
		mem_fault_set(0, 0);
		client_close(c);
		wait_for_conns(r, 0);
	}
	assert_int_equal(count_messages(r), 3);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
	const struct CMUnitTest tests[] = {
		T(test_update_fails),
		T(test_replies_wait_for_the_disk),
		T(test_storage_fails_at_login),
		T(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

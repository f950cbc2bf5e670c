/* Tests of serve/imap: greeting, login, states, small commands, bad input. */
#include "imap_rig.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "serve/imap/imap.h"

static void
test_greeting(void **state)
{
	struct rig *r = *state;

	rig_open(r, 1);
	play(r, "1> a1 CAPABILITY\n"
	        "1< * CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE AUTH=PLAIN AUTH=LOGIN\n"
	        "1< a1 OK ~\n"
	        "1> a2 LOGOUT\n"
	        "1< * BYE ~\n"
	        "1< a2 OK ~\n"
	        "1.\n");
}

static void
test_login(void **state)
{
	struct rig *r = *state;

	rig_open(r, 1);
	play(r, "1> a1 LOGIN alice@example.org wrong\n"
	        "1< a1 NO [AUTHENTICATIONFAILED] ~\n"
	        "1> a2 LOGIN \"alice@example.org\" \"secret\"\n"
	        "1< a2 OK [CAPABILITY IMAP4rev1 ~ CONDSTORE~] Logged in.\n"
	        "1> a3 LOGIN alice@example.org secret\n"
	        "1< a3 BAD ~\n");
	rig_open(r, 2);
	play(r, "2> b1 LOGIN {17}\n"
	        "2< + OK\n"
	        "2+ alice@example.org {6+}\\r\\nsecret\\r\\n\n"
	        "2< b1 OK [CAPABILITY ~\n");
}

static void
test_authenticate(void **state)
{
	struct rig *r = *state;

	rig_open(r, 1);
	play(r, "1> a1 AUTHENTICATE PLAIN\n"
	        "1< + \n"
	        "1> AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\n"
	        "1< a1 OK [CAPABILITY ~\n");
	play(r, "2> a1 AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\n"
	        "2< a1 OK [CAPABILITY ~\n"
	        "2> a2 NOOP\n"
	        "2< a2 OK ~\n");
	/* Outlook wants the words as they are. */
	play(r, "3> a1 AUTHENTICATE LOGIN\n"
	        "3< + VXNlcm5hbWU6\n"
	        "3> YWxpY2VAZXhhbXBsZS5vcmc=\n"
	        "3< + UGFzc3dvcmQ6\n"
	        "3> c2VjcmV0\n"
	        "3< a1 OK ~\n");
	play(r, "4> a1 AUTHENTICATE PLAIN\n"
	        "4< + \n"
	        "4> *\n"
	        "4< a1 BAD ~\n"
	        "4> a2 AUTHENTICATE NTLM\n"
	        "4< a2 NO ~\n"
	        "4> a3 NOOP\n"
	        "4< a3 OK ~\n");
}

/* Client n comes from another host: a PROXY header says so. */
static void
open_from_afar(struct rig *r, int n)
{
	static const char          header[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
	                                      "\xc0\0\2\7\xc0\0\2\1\x30\x39\0\x8f";
	const struct listen_options options = {
		.name = "imap",
		.address = STR("127.0.0.1:0"),
		.flags = LISTEN_PROXY,
		.type = &IMAP_SESSION,
		.server = &r->server,
	};
	struct sockaddr_in to = { .sin_family = AF_INET };
	int                port;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(net_listen(r->server.net, &options, &port), 0);
	to.sin_port = htons((uint16_t)port);
	r->clients[n].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	buf_init(&r->clients[n].in, 1 << 20);
	assert_int_equal(connect(r->clients[n].fd, (struct sockaddr *)&to, sizeof(to)), 0);
	client_put(&r->clients[n], str_of(header, sizeof(header) - 1));
}

static void
test_login_disabled(void **state)
{
	struct rig *r = *state;

	open_from_afar(r, 1);
	play(r, "1< * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE LOGINDISABLED] ~\n"
	        "1> a1 LOGIN alice@example.org secret\n"
	        "1< a1 NO [PRIVACYREQUIRED] ~\n"
	        "1> a2 AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\n"
	        "1< a2 NO [PRIVACYREQUIRED] ~\n"
	        "1> a3 SELECT INBOX\n"
	        "1< a3 BAD ~\n");
}

static void
test_states(void **state)
{
	struct rig *r = *state;

	rig_open(r, 1);
	play(r, "1> a1 SELECT INBOX\n"
	        "1< a1 BAD ~\n"
	        "1> a2 FETCH 1 FLAGS\n"
	        "1< a2 BAD ~\n"
	        "1> a3 STARTTLS\n"
	        "1< a3 BAD ~\n"
	        "1> a4 NONSENSE\n"
	        "1< a4 BAD ~\n"
	        "1> \n"
	        "1> a5\n"
	        "1< a5 BAD ~\n"
	        "1> a6 LOGIN alice@example.org secret\n"
	        "1< a6 OK ~\n"
	        "1> a7 FETCH 1 FLAGS\n"
	        "1< a7 BAD No mailbox selected.\n"
	        "1> a8 UID NOOP\n"
	        "1< a8 BAD ~\n"
	        "1> a9 EXAMINE INBOX\n"
	        "1! a9\n"
	        "1> b1 STORE 1 +FLAGS (\\Seen)\n"
	        "1< b1 NO [READ-ONLY] ~\n"
	        "1> b2 UNSELECT\n"
	        "1< b2 OK ~\n"
	        "1> b3 CLOSE\n"
	        "1< b3 BAD ~\n");
}

static void
test_too_many_errors(void **state)
{
	struct rig *r = *state;

	r->server.limits.errors_max = 3;
	rig_open(r, 1);
	play(r, "1> a1 X\n1< a1 BAD ~\n1> a2 X\n1< a2 BAD ~\n1> a3 X\n1< a3 BAD ~\n"
	        "1> a4 X\n1< a4 BAD ~\n1< * BYE Too many errors.\n1.\n");
	/* After login a good command forgives. */
	rig_login(r, 2, NULL);
	for (int i = 0; i < 10; i++)
		play(r, "2> a1 X\n2< a1 BAD ~\n2> a2 NOOP\n2! a2\n");
}

static void
test_limits_before_login(void **state)
{
	struct rig *r = *state;

	rig_open(r, 1);
	play(r, "1> a1 LOGIN {20000}\n"
	        "1< a1 BAD ~\n"
	        "1> a2 LOGIN {20000+}\n"
	        "1< a2 BAD ~\n");
	rig_open(r, 2);
	play(r, "2> a1 LOGIN {2000000+}\n"
	        "2< a1 BAD ~\n"
	        "2< * BYE ~\n"
	        "2.\n");
}

static void
test_misc(void **state)
{
	struct rig *r = *state;

	play(r, "1> a0 ID NIL\n"
	        "1< * ID (\"name\" \"Postrider\")\n"
	        "1< a0 OK ~\n");
	rig_close(r, 1);
	rig_login(r, 1, NULL);
	play(r, "1> a1 ID (\"name\" \"iPhone Mail\" \"version\" NIL)\n"
	        "1< * ID (\"name\" \"Postrider\" \"version\" \"0.1.0\")\n"
	        "1< a1 OK ~\n"
	        "1> a2 NAMESPACE\n"
	        "1< * NAMESPACE ((\"\" \"/\")) NIL NIL\n"
	        "1< a2 OK ~\n"
	        "1> a3 ENABLE CONDSTORE X-NONE\n"
	        "1< * ENABLED CONDSTORE\n"
	        "1< a3 OK ~\n"
	        "1> a4 ENABLE X-NONE\n"
	        "1< * ENABLED\n"
	        "1< a4 OK ~\n"
	        "1> a5 noop\n"
	        "1< a5 OK ~\n");
}

/* Commands in one packet are answered in order; empty lines do no harm. */
static void
test_pipelining(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, "INBOX");
	play(r, "1+ \\r\\na1 NOOP\\r\\n\\r\\na2 CHECK\\r\\na3 IDLE\\r\\nDONE\\r\\na4 NOOP\\r\\n"
	        "a5 UNSELECT\\r\\na6 LOGOUT\\r\\n\n"
	        "1< a1 OK ~\n"
	        "1< a2 OK ~\n"
	        "1< + idling\n"
	        "1< a3 OK ~\n"
	        "1< a4 OK ~\n"
	        "1< a5 OK ~\n"
	        "1< * BYE ~\n"
	        "1< a6 OK ~\n"
	        "1.\n");
}

static void
test_login_time(void **state)
{
	struct rig *r = *state;

	rig_open(r, 1);
	play(r, "1> a1 NOOP\n1< a1 OK ~\n");
	clock_test_advance(r->server.limits.login_idle_ms + 1000);
	play(r, "1< * BYE Idle for too long.\n1.\n");
	rig_login(r, 2, "INBOX");
	clock_test_advance(r->server.limits.login_idle_ms + 1000);
	play(r, "2> a1 NOOP\n2< a1 OK ~\n");
	clock_test_advance(r->server.limits.imap_idle_ms + 1000);
	play(r, "2< * BYE Idle for too long.\n2.\n");
}

static void
test_shutdown(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	play(r, "2> a1 IDLE\n2< + idling\n");
	net_stop(r->server.net);
	play(r, "1< * BYE The server is shutting down.\n1.\n"
	        "2< * BYE The server is shutting down.\n2.\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_greeting),
		RIG_TEST(test_login),
		RIG_TEST(test_authenticate),
		RIG_TEST(test_login_disabled),
		RIG_TEST(test_states),
		RIG_TEST(test_too_many_errors),
		RIG_TEST(test_limits_before_login),
		RIG_TEST(test_misc),
		RIG_TEST(test_pipelining),
		RIG_TEST(test_login_time),
		RIG_TEST(test_shutdown),
	};

	return cmocka_run_group_tests_name("imap_basic", tests, NULL, NULL);
}

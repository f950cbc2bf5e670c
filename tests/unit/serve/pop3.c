/* Tests of serve/pop3: whole sessions over a socketpair, on a server in memory. */
#include "pop3_rig.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* --- before the login --- */

static void
test_greeting_and_capa(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);
	const char    *all = "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nUSER\r\n"
			     "SASL PLAIN LOGIN\r\nEXPIRE NEVER\r\nUTF8 USER\r\nLANG\r\n"
			     "LOGIN-DELAY 2\r\n";
	char           inside[300];

	r->server.pop3.login_delay_ms = 1500;
	say(c, "CAPA", "+OK");
	expect_body(c, all);
	say(c, "auth", "+OK");
	expect_body(c, "PLAIN\r\nLOGIN\r\n");
	say(c, "APOP ann@example.com 0123456789abcdef0123456789abcdef", "-ERR APOP is not offered");
	say(c, "STLS", "-ERR unknown command");
	say(c, "STAT", "-ERR command not allowed now");
	say(c, "NOSUCH", "-ERR unknown command");
	say(c, "", "-ERR unknown command");
	say(c, "QUIT", "+OK bye");
	expect_closed(c);
	client_close(c);
	c = client_login(r);
	snprintf(inside, sizeof(inside), "%sIMPLEMENTATION Postrider 0\r\n", all);
	say(c, "CAPA", "+OK");
	expect_body(c, inside);
	say(c, "UTF8", "-ERR command not allowed now");
	say(c, "AUTH PLAIN", "-ERR command not allowed now");
	say(c, "USER x", "-ERR command not allowed now");
	client_close(c);
}

/* RFC 6856 s2.1, s5: where it is wanted, and not to who knows of it. */
static void
test_utf8_headers_refused(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	put_message(r, STR("Subject: plain\r\n\r\n\303\274\r\n"));
	put_message(r, STR("Subject: \303\274\r\n\r\nx\r\n"));
	c = client_login(r);
	say(c, "RETR 2", "+OK 18 octets");
	expect_body(c, "Subject: \303\274\r\n\r\nx\r\n");
	client_close(c);
	r->server.pop3.utf8_refused = true;
	c = client_login(r);
	say(c, "RETR 1", "+OK 22 octets");
	expect_body(c, "Subject: plain\r\n\r\n\303\274\r\n");
	say(c, "RETR 2", "-ERR [UTF8] ");
	say(c, "TOP 2 0", "-ERR [UTF8] ");
	say(c, "LIST 2", "+OK 2 18");
	say(c, "QUIT", "+OK bye, 2 messages left");
	client_close(c);
	c = client_open(r);
	say(c, "UTF8", "+OK");
	say(c, "USER ann@example.com", "+OK");
	say(c, "PASS secret", "+OK");
	say(c, "RETR 2", "+OK 18 octets");
	expect_body(c, "Subject: \303\274\r\n\r\nx\r\n");
	client_close(c);
}

static void
test_utf8_and_lang(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "UTF8 now", "-ERR syntax error");
	say(c, "UTF8", "+OK");
	say(c, "LANG", "+OK");
	expect_body(c, "en English\r\n");
	say(c, "LANG de", "-ERR no such language here");
	say(c, "LANG EN-gb", "+OK en ");
	say(c, "LANG *", "+OK en ");
	say(c, "LANG en de", "-ERR syntax error");
	say(c, "USER b\xfc@example.com", "-ERR syntax error");
	say(c, "USER b\xc3\xbc@example.com", "+OK");
	say(c, "PASS secret", "-ERR [AUTH] wrong address or password");
	client_close(c);
	c = client_login(r);
	say(c, "LANG en", "+OK en ");
	client_close(c);
}

static void
test_user_and_pass(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "PASS secret", "-ERR command not allowed now");
	say(c, "USER", "-ERR syntax error");
	say(c, "USER ann@example.com", "+OK");
	say(c, "PASS", "-ERR syntax error");
	say(c, "PASS wrong", "-ERR [AUTH] wrong address or password");
	say(c, "PASS secret", "-ERR command not allowed now");
	say(c, "USER nobody@example.com", "+OK");
	say(c, "PASS secret", "-ERR [AUTH] wrong address or password");
	say(c, "USER dora@example.com", "+OK");
	say(c, "PASS secret", "-ERR [AUTH] this account is disabled");
	say(c, "user ANN+phone@example.com ", "+OK");
	say(c, "CAPA", "+OK");
	(void)client_body(c);
	say(c, "pass secret", "+OK 0 messages (0 octets)");
	client_close(c);
	/* A password may have blanks anywhere. */
	assert_int_equal(directory_account_set_hash(r->server.directory, STR("ann@example.com"),
	    STR("{PLAIN} two  words "), SESSIONS_END), 0);
	c = client_open(r);
	say(c, "USER ann@example.com", "+OK");
	say(c, "PASS  two  words ", "+OK");
	client_close(c);
}

static void
test_sasl(void **state)
{
	struct rig    *r = *state;
	struct client *c = client_open(r);

	say(c, "AUTH CRAM-MD5", "-ERR unknown authentication mechanism");
	/* \0ann@example.com\0secret */
	say(c, "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=", "+OK 0 messages");
	client_close(c);
	c = client_open(r);
	say(c, "AUTH plain", "+ ");
	assert_int_equal(c->reply.n, 2);
	say(c, "AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=", "+OK 0 messages");
	client_close(c);
	c = client_open(r);
	say(c, "AUTH PLAIN", "+ ");
	say(c, "*", "-ERR authentication cancelled");
	say(c, "AUTH PLAIN", "+ ");
	say(c, "AGFub===", "-ERR");
	say(c, "AUTH PLAIN =", "-ERR");
	say(c, "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQB3cm9uZw==", "-ERR [AUTH]");
	say(c, "AUTH LOGIN", "+ VXNlcm5hbWU6");
	say(c, "YW5uQGV4YW1wbGUuY29t", "+ UGFzc3dvcmQ6");
	say(c, "c2VjcmV0", "+OK 0 messages");
	client_close(c);
}

/* Behind a proxy header the connection comes from elsewhere, and without TLS. */
static void
test_no_password_without_tls(void **state)
{
	static const unsigned char proxy[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
					     "\xc0\0\2\1\xc0\0\2\2\x30\x39\0\x6e";
	struct rig           *r = *state;
	struct sockaddr_in    to = { AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct listen_options o = { .name = "pop3", .address = STR("127.0.0.1:0"),
		.flags = LISTEN_PROXY, .type = &POP3_SESSION, .server = &r->server };
	struct client        *c;
	int                   fd = socket(AF_INET, SOCK_STREAM, 0), port;

	assert_int_equal(net_listen(r->server.net, &o, &port), 0);
	to.sin_port = htons((uint16_t)port);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	c = client_adopt(fd);
	client_send(c, str_of((const char *)proxy, sizeof(proxy) - 1));
	expect(c, "+OK");
	say(c, "CAPA", "+OK");
	expect_body(c, "TOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
		       "EXPIRE NEVER\r\nUTF8 USER\r\nLANG\r\n");
	say(c, "USER ann@example.com", "-ERR [AUTH] login needs TLS here");
	say(c, "PASS secret", "-ERR [AUTH] login needs TLS here");
	say(c, "AUTH", "-ERR [AUTH] login needs TLS here");
	say(c, "AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBzZWNyZXQ=", "-ERR [AUTH] login needs TLS here");
	client_close(c);
}

/* --- the list --- */

static void
test_stat_list_uidl(void **state)
{
	struct rig    *r = *state;
	struct client *c;
	char           uidl[200];

	put_three(r);
	c = client_login(r);
	say(c, "STAT", "+OK 3 95");
	say(c, "LIST", "+OK 3 messages (95 octets)");
	expect_body(c, "1 48\r\n2 16\r\n3 31\r\n");
	say(c, "LIST 2", "+OK 2 16");
	say(c, "LIST 4", "-ERR no such message");
	say(c, "LIST 0", "-ERR no such message");
	say(c, "LIST 99999999999999999999", "-ERR no such message");
	say(c, "LIST x", "-ERR syntax error");
	say(c, "UIDL", "+OK");
	(void)client_body(c);
	snprintf(uidl, sizeof(uidl), "%.*s", STR_ARG(buf_view(&c->reply)));
	assert_int_equal(strlen(uidl), 3 * (2 + 32 + 2));
	say(c, "UIDL 1", "+OK 1 00000000000000010000");
	assert_memory_equal(c->reply.p + 4, uidl, 34);

	/* Marked messages keep their numbers, and are not there for any command. */
	say(c, "DELE 2", "+OK");
	say(c, "DELE 2", "-ERR no such message");
	say(c, "DELE 9", "-ERR no such message");
	say(c, "LIST 2", "-ERR no such message");
	say(c, "RETR 2", "-ERR no such message");
	say(c, "TOP 2 0", "-ERR no such message");
	say(c, "UIDL 2", "-ERR no such message");
	say(c, "STAT", "+OK 2 79");
	say(c, "LIST", "+OK 2 messages (79 octets)");
	expect_body(c, "1 48\r\n3 31\r\n");
	say(c, "RSET", "+OK 3 messages (95 octets)");
	say(c, "STAT", "+OK 3 95");
	say(c, "NOOP", "+OK");
	say(c, "DELE 1", "+OK");
	say(c, "QUIT", "+OK bye, 2 messages left");
	expect_closed(c);
	client_close(c);
	c = client_login(r);
	/* The same names for those that are left, whatever their numbers. */
	say(c, "UIDL", "+OK");
	(void)client_body(c);
	assert_memory_equal(c->reply.p + 2, uidl + 36 + 2, 32);
	assert_memory_equal(c->reply.p + 36 + 2, uidl + 72 + 2, 32);
	client_close(c);
}

/* A new account under an old address shows no name that a client may know. */
static void
test_uidl_of_a_new_account(void **state)
{
	struct rig        *r = *state;
	const struct quota quota = { 0 };
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	struct client     *c;
	char               before[64];
	uint64_t           id;

	put_message(r, STR(MESSAGE_1));
	c = client_login(r);
	say(c, "UIDL 1", "+OK");
	snprintf(before, sizeof(before), "%.*s", STR_ARG(buf_view(&c->reply)));
	client_close(c);
	assert_int_equal(
	    directory_account_remove(r->server.directory, STR("ann@example.com"), &id), 0);
	assert_int_equal(account_remove(r->server.store, id), 0);
	assert_int_equal(directory_account_add(r->server.directory, STR("ann@example.com"),
	    STR("{PLAIN}secret"), &r->ann), 0);
	assert_int_equal(account_create(r->server.store, r->ann, &quota, &actor), 0);
	put_message(r, STR(MESSAGE_1));
	c = client_login(r);
	say(c, "UIDL 1", "+OK");
	assert_false(str_eq(buf_view(&c->reply), str_c(before)));
	client_close(c);
}

static void
test_many_messages(void **state)
{
	enum { MANY = 20000 };
	struct rig    *r = *state;
	struct client *c;
	struct str     body;
	unsigned       n = 0;

	for (int i = 0; i < MANY; i++)
		put_message(r, STR(MESSAGE_2));
	c = client_login(r);
	say(c, "STAT", "+OK 20000 320000");
	client_send(c, STR("LIST\r\nUIDL\r\nNOOP\r\n"));
	expect(c, "+OK 20000 messages (320000 octets)");
	for (body = client_body(c); body.n > 0; n++) {
		struct str line = str_cut(&body, '\n');
		char       want[32];

		snprintf(want, sizeof(want), "%u 16\r", n + 1);
		assert_true(str_eq(line, str_c(want)));
	}
	assert_int_equal(n, MANY);
	expect(c, "+OK");
	body = client_body(c);
	assert_int_equal(body.n, 9 * 36 + 90 * 37 + 900 * 38 + 9000 * 39 + 10001 * 40);
	expect(c, "+OK nothing done");
	for (unsigned i = 1; i <= MANY; i += 2) {
		char line[32];

		snprintf(line, sizeof(line), "DELE %u", i);
		say(c, line, "+OK");
	}
	say(c, "QUIT", "+OK bye, 10000 messages left");
	expect_closed(c);
	client_close(c);
	assert_int_equal(count_messages(r), MANY / 2);
	assert_int_equal(count_trash(r), MANY / 2);
}

/* --- messages --- */

static void
check_retr(struct client *c, unsigned number, struct str want)
{
	char       line[32], reply[64];
	struct str got;

	snprintf(line, sizeof(line), "RETR %u", number);
	snprintf(reply, sizeof(reply), "+OK %zu octets", want.n);
	say(c, line, reply);
	got = client_body(c);
	if (!str_eq(got, want))
		fail_msg("message %u: got %zu bytes, want %zu", number, got.n, want.n);
}

static const struct str EXACT[] = {
#define V(a) { a, sizeof(a) - 1 }
	V(MESSAGE_1), V(MESSAGE_2), V(""), V("\r\n"), V(".\r\n"), V("..\r\n"), V(".\r\n.\r\n"),
	V("a: b\r\n\r\n.\r\n..\r\n.x\r\n"), V("a: b\r\n\r\n\xff\xfe\r\n"),
	V("a: b\r\n\r\n\rx\r\r\n.\r\n"), V("a: b\r\nno blank line\r\n"), V("-ERR\r\n+OK\r\n"),
#undef V
};

static void
test_retr_is_exact(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	for (size_t i = 0; i < ARRAY_LEN(EXACT); i++)
		put_message(r, EXACT[i]);
	put_message(r, STR(MESSAGE_3));
	put_message(r, STR("a: b\n\nbare\n.\nlines\n"));
	put_message(r, STR("a: b\r\n\r\nnul \0 is not sent\0"));
	c = client_login(r);
	for (size_t i = 0; i < ARRAY_LEN(EXACT); i++)
		check_retr(c, (unsigned)i + 1, EXACT[i]);
	/* The last line gets its end; bare line ends become whole ones; the size counts both. */
	check_retr(c, 13, STR(MESSAGE_3 "\r\n"));
	check_retr(c, 14, STR("a: b\r\n\r\nbare\r\n.\r\nlines\r\n"));
	check_retr(c, 15, STR("a: b\r\n\r\nnul \x80 is not sent\x80\r\n"));
	client_close(c);
}

/* Larger than the pieces, with dots at every place relative to their borders. */
static void
test_large_messages(void **state)
{
	struct rig        *r = *state;
	OWN_BUF struct buf big = BUF_INIT(16 << 20), line = BUF_INIT(16 << 20);
	struct client     *c;

	buf_str(&big, STR("Subject: big\r\n\r\n"));
	while (big.n < 3u << 20)
		buf_str(&big, STR(".\r\n..\r\nx\r\n"));
	put_message(r, buf_view(&big));
	buf_str(&line, STR("Subject: long\r\n\r\n"));
	while (line.n < 5u << 20)
		buf_str(&line, STR("............"));
	buf_str(&line, STR("\r\n.\r\n"));
	put_message(r, buf_view(&line));
	put_message(r, STR(MESSAGE_1));
	c = client_login(r);
	check_retr(c, 1, buf_view(&big));
	check_retr(c, 2, buf_view(&line));
	/* All asked for at once, and taken only later. */
	client_send(c, STR("RETR 1\r\nRETR 2\r\nTOP 1 3\r\nRETR 3\r\nSTAT\r\n"));
	expect(c, "+OK");
	assert_true(str_eq(client_body(c), buf_view(&big)));
	expect(c, "+OK");
	assert_true(str_eq(client_body(c), buf_view(&line)));
	expect(c, "+OK");
	expect_body(c, "Subject: big\r\n\r\n.\r\n..\r\nx\r\n");
	expect(c, "+OK");
	expect_body(c, MESSAGE_1);
	expect(c, "+OK 3 ");
	client_close(c);
}

static void
test_top(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	put_three(r);
	put_message(r, STR("a: only a header\r\n"));
	put_message(r, STR(""));
	c = client_login(r);
	say(c, "TOP 1 0", "+OK");
	expect_body(c, "From: a@x\r\nSubject: one\r\n\r\n");
	say(c, "TOP 1 2", "+OK");
	expect_body(c, "From: a@x\r\nSubject: one\r\n\r\nline 1\r\n.line 2\r\n");
	say(c, "TOP 1 99999999999999999999", "+OK");
	expect_body(c, MESSAGE_1);
	say(c, "TOP 2 5", "+OK");
	expect_body(c, MESSAGE_2);
	say(c, "TOP 3 1", "+OK");
	expect_body(c, MESSAGE_3 "\r\n");
	say(c, "TOP 4 1", "+OK");
	expect_body(c, "a: only a header\r\n");
	say(c, "TOP 5 1", "+OK");
	expect_body(c, "");
	say(c, "TOP 1", "-ERR syntax error");
	say(c, "TOP 1 -1", "-ERR syntax error");
	say(c, "TOP 9 1", "-ERR no such message");
	say(c, "QUIT", "+OK");
	client_close(c);
	assert_int_equal(count_seen(r), 0);
}

static void
test_seen_at_quit(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	put_three(r);
	c = client_login(r);
	check_retr(c, 1, STR(MESSAGE_1));
	check_retr(c, 2, STR(MESSAGE_2));
	client_close(c);
	c = client_login(r);
	assert_int_equal(count_seen(r), 0);
	check_retr(c, 1, STR(MESSAGE_1));
	check_retr(c, 2, STR(MESSAGE_2));
	say(c, "DELE 2", "+OK");
	say(c, "QUIT", "+OK bye, 2 messages left");
	client_close(c);
	assert_int_equal(count_messages(r), 2);
	assert_int_equal(count_seen(r), 1);
}

/* --- more than one session --- */

static void
test_a_lost_connection_removes_nothing(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	put_three(r);
	c = client_login(r);
	say(c, "DELE 1", "+OK");
	say(c, "DELE 2", "+OK");
	client_close(c);
	wait_for_conns(r, 0);
	assert_int_equal(count_messages(r), 3);
	c = client_login(r);
	say(c, "DELE 3", "+OK");
	shutdown(c->fd, SHUT_WR);
	expect_closed(c);
	client_close(c);
	wait_for_conns(r, 0);
	assert_int_equal(count_messages(r), 3);
	/* QUIT that came before the end counts. */
	c = client_login(r);
	client_send(c, STR("DELE 3\r\nQUIT\r\n"));
	shutdown(c->fd, SHUT_WR);
	expect(c, "+OK");
	expect(c, "+OK bye, 2 messages left");
	expect_closed(c);
	client_close(c);
	assert_int_equal(count_messages(r), 2);
	assert_int_equal(count_trash(r), 1);
}

static void
test_two_sessions(void **state)
{
	struct rig    *r = *state;
	struct client *a, *b;

	put_three(r);
	a = client_login(r);
	b = client_login(r);
	put_message(r, STR(MESSAGE_1));
	say(a, "STAT", "+OK 3 95");
	expunge_uid(r, 2);
	/* The snapshot can be read as long as the message could be restored. */
	check_retr(a, 2, STR(MESSAGE_2));
	say(a, "TOP 2 0", "+OK");
	expect_body(a, MESSAGE_2);
	check_retr(a, 1, STR(MESSAGE_1));
	say(a, "DELE 1", "+OK");
	say(a, "DELE 2", "+OK");
	say(b, "DELE 1", "+OK");
	say(b, "DELE 3", "+OK");
	say(a, "QUIT", "+OK bye, 1 messages left");
	say(b, "LIST", "+OK 1 messages");
	expect_body(b, "2 16\r\n");
	say(b, "QUIT", "+OK bye, 1 messages left");
	client_close(a);
	client_close(b);
	assert_int_equal(count_messages(r), 1);
}

/* --- input as it comes --- */

static void
run_script(struct rig *r, size_t cut, size_t step, struct buf *to)
{
	struct client *c = client_open(r);
	struct str     left = STR(SCRIPT);
	struct str     line;

	client_send(c, str_head(left, cut));
	left = str_skip(left, cut);
	while (left.n > 0) {
		usleep(200);
		client_send(c, str_head(left, step));
		left = str_skip(left, step);
	}
	buf_reset(to);
	while ((line = client_line(c)).n > 0 || c->got.n > 0) {
		buf_str(to, line);
		buf_byte(to, '\n');
	}
	client_close(c);
}

static void
test_split_input(void **state)
{
	struct rig        *r = *state;
	OWN_BUF struct buf whole = BUF_INIT(65536), got = BUF_INIT(65536);

	put_three(r);
	run_script(r, sizeof(SCRIPT) - 1, 1, &whole);
	assert_true(str_ends(buf_view(&whole), STR("+OK bye, 3 messages left\n")));
	for (size_t cut = 0; cut < sizeof(SCRIPT); cut++) {
		run_script(r, cut, sizeof(SCRIPT), &got);
		assert_true(str_eq(buf_view(&whole), buf_view(&got)));
	}
	run_script(r, 0, 1, &got);
	assert_true(str_eq(buf_view(&whole), buf_view(&got)));
}

static void
test_bad_input(void **state)
{
	struct rig        *r = *state;
	OWN_BUF struct buf line = BUF_INIT(1 << 20);
	struct client     *c = client_open(r);

	client_send(c, STR("USER a\0b\r\n"));
	expect(c, "-ERR syntax error");
	for (int i = 0; i < 200000; i++)
		buf_byte(&line, 'x');
	buf_str(&line, STR("\r\nCAPA\r\n"));
	client_send(c, buf_view(&line));
	expect(c, "-ERR line too long");
	expect(c, "+OK");
	(void)client_body(c);
	say(c, "AUTH PLAIN", "+ ");
	client_send(c, buf_view(&line));
	expect(c, "-ERR line too long");
	expect(c, "+OK");
	(void)client_body(c);
	for (unsigned i = 0; i < r->server.limits.errors_max - 3; i++)
		say(c, "NOSUCH", "-ERR unknown command");
	say(c, "NOSUCH", "-ERR unknown command");
	expect(c, "-ERR too many errors");
	expect_closed(c);
	client_close(c);
	/* Numbers that are not there are no sign of a broken client. */
	c = client_login(r);
	for (unsigned i = 0; i < 100; i++)
		say(c, "RETR 7", "-ERR no such message");
	client_close(c);
}

/* --- ends --- */

static void
test_shutdown(void **state)
{
	struct rig    *r = *state;
	struct client *a, *b;

	put_three(r);
	a = client_login(r);
	b = client_open(r);
	say(a, "DELE 1", "+OK");
	net_stop(r->server.net);
	expect(a, "-ERR [SYS/TEMP] the server is shutting down");
	expect_closed(a);
	expect(b, "-ERR [SYS/TEMP] the server is shutting down");
	expect_closed(b);
	client_close(a);
	client_close(b);
	assert_int_equal(count_messages(r), 3);
}

/* RFC 1939 s3: closed without a reply, and nothing is removed. */
static void
test_idle(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	put_three(r);
	c = client_login(r);
	say(c, "DELE 1", "+OK");
	clock_test_advance(r->server.limits.login_idle_ms + 1000);
	usleep(500 * 1000);
	say(c, "NOOP", "+OK");
	clock_test_advance(r->server.limits.pop3_idle_ms + 1000);
	expect_closed(c);
	client_close(c);
	assert_int_equal(count_messages(r), 3);
}

/* A session has the messages of its beginning, whatever others do meanwhile. */
static void
test_expunged_by_others_while_read_in_order(void **state)
{
	struct rig    *r = *state;
	struct client *c;

	for (int i = 0; i < 80; i++)
		put_message(r, STR(MESSAGE_1));
	c = client_login(r);
	for (unsigned i = 1; i <= 80; i++) {
		if (i == 5)
			expunge_uid(r, 6);
		if (i == 40)
			put_message(r, STR(MESSAGE_2));
		check_retr(c, i, STR(MESSAGE_1));
	}
	check_retr(c, 3, STR(MESSAGE_1));
	check_retr(c, 4, STR(MESSAGE_1));
	check_retr(c, 79, STR(MESSAGE_1));
	client_close(c);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, rig_up, rig_down)
	const struct CMUnitTest tests[] = {
		T(test_greeting_and_capa),
		T(test_utf8_and_lang),
		T(test_utf8_headers_refused),
		T(test_user_and_pass),
		T(test_sasl),
		T(test_no_password_without_tls),
		T(test_stat_list_uidl),
		T(test_uidl_of_a_new_account),
		T(test_many_messages),
		T(test_retr_is_exact),
		T(test_large_messages),
		T(test_top),
		T(test_expunged_by_others_while_read_in_order),
		T(test_seen_at_quit),
		T(test_a_lost_connection_removes_nothing),
		T(test_two_sessions),
		T(test_split_input),
		T(test_bad_input),
		T(test_shutdown),
		T(test_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

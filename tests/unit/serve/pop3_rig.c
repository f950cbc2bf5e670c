#include "pop3_rig.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "kv/open.h"

enum { CLIENT_MAX = 64 << 20 };

static uint64_t
add_account(struct rig *r, const char *address)
{
	const struct quota quota = { 0 };
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	uint64_t           id;

	assert_int_equal(directory_account_add(r->server.directory, str_c(address),
	    STR("{PLAIN}secret"), &id), 0);
	assert_int_equal(account_create(r->server.store, id, &quota, &actor), 0);
	return id;
}

int
rig_up(void **state)
{
	const struct net_options options = { .workers = 2, .job_threads = 1 };
	struct rig              *r = MEM_NEW(struct rig);
	struct kv               *inner;

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
	assert_int_equal(kv_mem_open(&inner), 0);
	assert_int_equal(kv_fault_open(inner, &r->kv), 0);
	assert_int_equal(store_open(r->kv, NULL, NULL, &r->server.store), 0);
	assert_int_equal(directory_open(r->kv, &r->server.directory), 0);
	assert_int_equal(auth_new(r->server.directory, &r->server.auth), 0);
	assert_int_equal(net_new(&options, &r->server.net), 0);
	r->server.hostname = STR("mail.example.com");
	r->server.version = STR("0");
	server_limits_default(&r->server.limits);
	assert_int_equal(directory_domain_add(r->server.directory, STR("example.com")), 0);
	r->ann = add_account(r, "ann@example.com");
	r->dora = add_account(r, "dora@example.com");
	assert_int_equal(
	    directory_account_enable(r->server.directory, STR("dora@example.com"), false), 0);
	assert_int_equal(net_start(r->server.net), 0);
	*state = r;
	return 0;
}

int
rig_down(void **state)
{
	struct rig *r = *state;

	net_stop(r->server.net);
	net_drop(r->server.net);
	auth_drop(r->server.auth);
	directory_drop(r->server.directory);
	store_drop(r->server.store);
	mem_free(r);
	return 0;
}

/* --- what is in ann's INBOX --- */

struct account *
open_inbox(struct rig *r, mailbox_id *ret)
{
	struct account *a;

	assert_int_equal(account_open(r->server.store, r->ann, &a), 0);
	assert_int_equal(mailbox_find(a, STR("INBOX"), ret), 0);
	return a;
}

kv_ticket
put_message_unsynced(struct rig *r, struct str text)
{
	const struct append_options options = { 0 };
	const struct actor          actor = { .protocol = ACTOR_LMTP };
	struct appended             done;
	mailbox_id                  inbox;
	OWN(account)                a = open_inbox(r, &inbox);
	OWN(ingest)                 in = NULL;

	assert_int_equal(ingest_new(r->server.store, 1 << 30, &in), 0);
	assert_int_equal(ingest_write(in, text), 0);
	assert_int_equal(ingest_end(in), 0);
	assert_int_equal(message_append(a, inbox, in, &options, &actor, &done), 0);
	return done.ticket;
}

void
put_message(struct rig *r, struct str text)
{
	assert_int_equal(store_wait(r->server.store, put_message_unsynced(r, text)), 0);
}

static void
status_of(struct rig *r, struct mailbox_status *ret)
{
	mailbox_id   inbox;
	OWN(account) a = open_inbox(r, &inbox);

	assert_int_equal(mailbox_status(a, inbox, ret), 0);
}

void
put_three(struct rig *r)
{
	put_message(r, STR(MESSAGE_1));
	put_message(r, STR(MESSAGE_2));
	put_message(r, STR(MESSAGE_3));
}

uint32_t
count_messages(struct rig *r)
{
	struct mailbox_status status;

	status_of(r, &status);
	return status.messages;
}

uint32_t
count_seen(struct rig *r)
{
	struct mailbox_status status;

	status_of(r, &status);
	return status.messages - status.unseen;
}

uint32_t
count_trash(struct rig *r)
{
	struct mailbox_status status;
	mailbox_id            id;
	OWN(account)          a = open_inbox(r, &id);

	assert_int_equal(mailbox_find(a, STR("Trash"), &id), 0);
	assert_int_equal(mailbox_status(a, id, &status), 0);
	return status.messages;
}

void
expunge_uid(struct rig *r, uint32_t uid)
{
	const struct actor       actor = { .protocol = ACTOR_IMAP };
	mailbox_id               inbox;
	OWN(account)             a = open_inbox(r, &inbox);
	OWN_RANGES struct ranges uids = { 0 };
	uint32_t                 next;

	assert_int_equal(ranges_add(&uids, uid, uid), 0);
	assert_int_equal(message_expunge(a, inbox, &uids, true, 0, &actor, NULL, &next), 0);
	assert_int_equal(next, 0);
}

/* --- a client --- */

struct client *
client_adopt(int fd)
{
	const struct timeval patience = { .tv_sec = 60 };
	struct client       *c = MEM_NEW(struct client);

	buf_init(&c->got, CLIENT_MAX);
	buf_init(&c->reply, CLIENT_MAX);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	c->fd = fd;
	return c;
}

struct client *
client_open(struct rig *r)
{
	struct client *c;
	int            fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	assert_int_equal(net_adopt(r->server.net, fd[1], &POP3_SESSION, &r->server), 0);
	c = client_adopt(fd[0]);
	expect(c, "+OK mail.example.com ");
	return c;
}

struct client *
client_login_as(struct rig *r, const char *login)
{
	struct client *c = client_open(r);
	char           line[100];

	snprintf(line, sizeof(line), "USER %s", login);
	say(c, line, "+OK");
	say(c, "PASS secret", "+OK");
	return c;
}

struct client *
client_login(struct rig *r)
{
	return client_login_as(r, "ann@example.com");
}

void
client_close(struct client *c)
{
	close(c->fd);
	buf_done(&c->got);
	buf_done(&c->reply);
	mem_free(c);
}

void
client_send(struct client *c, struct str s)
{
	while (s.n > 0) {
		ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL);

		assert_true(n > 0);
		s = str_skip(s, (size_t)n);
	}
}

/* Reads until `end` is there: the bytes up to and with it. 0 when the peer closes before. */
static size_t
read_to(struct client *c, struct str end)
{
	size_t looked = 0;

	for (;;) {
		struct str all = buf_view(&c->got);
		size_t     n = looked + str_find(str_skip(all, looked), end);
		char      *to;
		ssize_t    got;

		if (n < all.n)
			return n + end.n;
		looked = all.n < end.n ? 0 : all.n - end.n;
		to = buf_room(&c->got, 65536);
		assert_non_null(to);
		got = recv(c->fd, to, 65536, 0);
		if (got < 0)
			fail_msg("no reply; so far: %.*s", (int)(all.n < 500 ? all.n : 500), all.p);
		if (got == 0)
			return 0;
		buf_commit(&c->got, (size_t)got);
	}
}

struct str
client_line(struct client *c)
{
	size_t n = read_to(c, STR("\r\n"));

	buf_reset(&c->reply);
	if (n == 0) {
		assert_int_equal(c->got.n, 0);
		return STR_NONE;
	}
	buf_put(&c->reply, c->got.p, n - 2);
	buf_consume(&c->got, n);
	return buf_view(&c->reply);
}

struct str
client_body(struct client *c)
{
	struct str wire;
	size_t     n;

	buf_reset(&c->reply);
	/* An answer of nothing is only the dot. */
	assert_true(read_to(c, STR("\n")) != 0);
	if (str_starts(buf_view(&c->got), STR(".\r\n"))) {
		buf_consume(&c->got, 3);
		return STR_NONE;
	}
	n = read_to(c, STR("\r\n.\r\n"));
	assert_true(n != 0);
	for (wire = str_head(buf_view(&c->got), n - 3); wire.n > 0;) {
		size_t     end = str_find_byte(wire, '\n') - 1;
		struct str line = str_head(wire, end);

		assert_true(wire.p[end] == '\r'); /* no bare LF in any answer */
		assert_false(str_eq(line, STR(".")));
		buf_str(&c->reply, str_skip(line, line.n > 0 && line.p[0] == '.' ? 1 : 0));
		buf_str(&c->reply, STR("\r\n"));
		wire = str_skip(wire, end + 2);
	}
	buf_consume(&c->got, n);
	assert_int_equal(c->reply.err, 0);
	return buf_view(&c->reply);
}

void
expect(struct client *c, const char *want)
{
	struct str got = client_line(c);

	if (!str_starts(got, str_c(want)))
		fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

void
expect_body(struct client *c, const char *want)
{
	struct str got = client_body(c);

	if (!str_eq(got, str_c(want)))
		fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

void
say(struct client *c, const char *line, const char *want)
{
	client_send(c, str_c(line));
	client_send(c, STR("\r\n"));
	expect(c, want);
}

void
expect_closed(struct client *c)
{
	struct str got = client_line(c);

	if (got.n != 0)
		fail_msg("got \"%.*s\", want the end", STR_ARG(got));
}

void
wait_for_conns(struct rig *r, size_t n)
{
	for (int i = 0; i < 2000 && net_conns(r->server.net) != n; i++)
		usleep(1000);
	assert_int_equal(net_conns(r->server.net), n);
}

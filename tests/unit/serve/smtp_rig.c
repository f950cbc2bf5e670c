#include "smtp_rig.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "kv/open.h"
#include "proto/smtp_header.h"

static uint64_t
add_account(struct rig *r, const char *address, uint64_t storage_max)
{
	const struct quota quota = { .storage_max = storage_max };
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	uint64_t           id;

	assert_int_equal(directory_account_add(r->server.directory, str_c(address),
	    STR("{PLAIN}secret"), &id), 0);
	assert_int_equal(account_create(r->server.store, id, &quota, &actor), 0);
	return id;
}

static void
add_alias(struct rig *r, const char *address, const char *target)
{
	const struct str to = str_c(target);

	assert_int_equal(directory_alias_add(r->server.directory, str_c(address), &to, 1), 0);
}

static void
add_people(struct rig *r)
{
	assert_int_equal(directory_domain_add(r->server.directory, STR("example.com")), 0);
	r->ann = add_account(r, "ann@example.com", 0);
	r->ben = add_account(r, "ben@example.com", 0);
	r->cara = add_account(r, "cara@example.com", 2000);
	r->dora = add_account(r, "dora@example.com", 0);
	assert_int_equal(
	    directory_account_enable(r->server.directory, STR("dora@example.com"), false), 0);
	add_alias(r, "both@example.com", "ann@example.com");
	add_alias(r, "both@example.com", "ben@example.com");
	add_alias(r, "ann.other@example.com", "ann@example.com");
	add_alias(r, "trio@example.com", "ann@example.com");
	add_alias(r, "trio@example.com", "cara@example.com");
	add_alias(r, "away@example.com", "ann@example.com");
	add_alias(r, "away@example.com", "someone@elsewhere.test");
}

int
rig_up(void **state)
{
	const struct net_options options = { .workers = 2, .job_threads = 1 };
	struct rig              *r = MEM_NEW(struct rig);

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT, STDERR_FILENO);
	assert_int_equal(kv_mem_open(&r->memory), 0);
	assert_int_equal(kv_fault_open(r->memory, &r->kv), 0);
	assert_int_equal(store_open(r->kv, NULL, NULL, &r->server.store), 0);
	assert_int_equal(directory_open(r->kv, &r->server.directory), 0);
	assert_int_equal(auth_new(r->server.directory, &r->server.auth), 0);
	assert_int_equal(net_new(&options, &r->server.net), 0);
	r->server.hostname = STR("mx.example.com");
	r->server.version = STR("0");
	r->type = &SMTP_SESSION;
	server_limits_default(&r->server.limits);
	add_people(r);
	assert_int_equal(net_start(r->server.net), 0);
	*state = r;
	return 0;
}

static void *
stop_net(void *arg)
{
	net_stop(arg);
	return NULL;
}

void
rig_stop_soon(struct rig *r)
{
	r->stopping = pthread_create(&r->stopper, NULL, stop_net, r->server.net) == 0;
	assert_true(r->stopping);
}

int
rig_down(void **state)
{
	struct rig *r = *state;

	if (r->stopping)
		pthread_join(r->stopper, NULL);
	else
		net_stop(r->server.net);
	net_drop(r->server.net);
	auth_drop(r->server.auth);
	directory_drop(r->server.directory);
	store_drop(r->server.store);
	mem_free(r);
	return 0;
}

/* --- the client --- */

struct client *
client_open(struct rig *r)
{
	const struct timeval patience = { .tv_sec = 60 };
	struct client       *c = MEM_NEW(struct client);
	int                  fd[2];

	buf_init(&c->got, 1 << 20);
	buf_init(&c->reply, 1 << 20);
	/* In one piece: a test that makes allocations fail means the server's. */
	assert_non_null(buf_room(&c->got, 1 << 16));
	assert_non_null(buf_room(&c->reply, 1 << 16));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	setsockopt(fd[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(net_adopt(r->server.net, fd[1], r->type, &r->server), 0);
	c->fd = fd[0];
	expect(c, "220 mx.example.com ");
	return c;
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

/* Moves the first line that was read into the reply; false when none is whole. */
static bool
take_line(struct client *c, bool *is_last)
{
	struct str all = buf_view(&c->got);
	size_t     n = str_find(all, STR("\r\n"));

	if (n == all.n)
		return false;
	assert_true(n >= 4);
	*is_last = all.p[3] == ' ';
	buf_put(&c->reply, all.p, n + 2);
	buf_consume(&c->got, n + 2);
	return true;
}

struct str
client_reply(struct client *c)
{
	bool is_last = false;

	buf_reset(&c->reply);
	while (!is_last) {
		char    chunk[4096];
		ssize_t n;

		if (take_line(c, &is_last))
			continue;
		n = recv(c->fd, chunk, sizeof(chunk), 0);
		if (n < 0)
			fail_msg("no reply; so far: %.*s", STR_ARG(buf_view(&c->got)));
		if (n == 0)
			return STR_NONE;
		buf_put(&c->got, chunk, (size_t)n);
	}
	return buf_view(&c->reply);
}

void
expect(struct client *c, const char *want)
{
	struct str got = client_reply(c);

	if (!str_starts(got, str_c(want)))
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
	struct str got = client_reply(c);

	if (got.n != 0)
		fail_msg("got \"%.*s\", want the end", STR_ARG(got));
}

void
open_mail(struct client *c, const char *hello, const char *from, const char *to)
{
	OWN_BUF struct buf line = BUF_INIT(4096);

	say(c, hello, "250");
	buf_printf(&line, "MAIL FROM:<%s>%c", from, '\0');
	say(c, line.p, "250 2.1.0");
	buf_reset(&line);
	buf_printf(&line, "RCPT TO:<%s>%c", to, '\0');
	say(c, line.p, "250 2.1.5");
}

/* --- what was delivered --- */

static struct account *
open_inbox(struct rig *r, uint64_t account, mailbox_id *ret, struct mailbox_status *ret_status)
{
	struct account *a;

	assert_int_equal(account_open(r->server.store, account, &a), 0);
	assert_int_equal(mailbox_find(a, STR("INBOX"), ret), 0);
	assert_int_equal(mailbox_status(a, *ret, ret_status), 0);
	return a;
}

uint32_t
inbox_count(struct rig *r, uint64_t account)
{
	struct mailbox_status status;
	mailbox_id            inbox;

	account_drop(open_inbox(r, account, &inbox, &status));
	return status.messages;
}

void
inbox_last(struct rig *r, uint64_t account, struct buf *to)
{
	struct mailbox_status status;
	struct message        m;
	mailbox_id            inbox;
	OWN(account)          a = open_inbox(r, account, &inbox, &status);

	assert_true(status.messages > 0);
	assert_int_equal(message_get(a, inbox, status.uidnext - 1, &m), 0);
	assert_int_equal(message_read(a, &m, 0, (size_t)m.size, to), 0);
	assert_int_equal(to->n, m.size);
}

void
check_last(struct rig *r, uint64_t account, struct str want)
{
	OWN_BUF struct buf got = BUF_INIT(128 << 20);
	size_t             end;

	inbox_last(r, account, &got);
	assert_true(str_starts(buf_view(&got), STR("Return-Path: <")));
	end = str_find(buf_view(&got), STR(" +0000\r\n"));
	assert_true(end < got.n);
	if (!str_eq(str_skip(buf_view(&got), end + 8), want))
		fail_msg("stored: %.*s", (int)(got.n < 2000 ? got.n : 2000), got.p);
}

#include "imap_rig.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "kv/open.h"
#include "serve/imap/imap.h"

/* Room is taken beforehand: where the server's allocations are made to fail, ours do not. */
enum { PATIENCE_MS = 60000, LINE_ROOM = 1 << 20 };

static void
make_account(struct rig *r)
{
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	const struct quota quota = { 0 };

	assert_int_equal(directory_domain_add(r->server.directory, STR("example.org")), 0);
	assert_int_equal(directory_account_add(r->server.directory, STR("alice@example.org"),
	    STR("{PLAIN}secret"), &r->account), 0);
	assert_int_equal(account_create(r->server.store, r->account, &quota, &actor), 0);
}

int
rig_setup(void **state)
{
	struct rig            *r = MEM_NEW(struct rig);
	const struct net_options options = { .workers = 2, .job_threads = 1 };
	struct kv               *memory;

	if (getenv("IMAP_TEST_LOG") == NULL)
		log_setup(LOG_ERROR, LOG_FORMAT_TEXT, 2);
	else
		log_setup(LOG_DEBUG, LOG_FORMAT_TEXT, 2);
	for (int i = 0; i < RIG_CLIENTS; i++)
		r->clients[i].fd = -1;
	buf_init(&r->line, LINE_ROOM);
	assert_non_null(buf_room(&r->line, LINE_ROOM));
	r->server.hostname = STR("mail.example.org");
	r->server.version = STR("0.1.0");
	server_limits_default(&r->server.limits);
	assert_int_equal(kv_mem_open(&memory), 0);
	assert_int_equal(kv_fault_open(memory, &r->kv), 0);
	assert_int_equal(store_open(r->kv, NULL, NULL, &r->server.store), 0);
	assert_int_equal(directory_open(r->kv, &r->server.directory), 0);
	assert_int_equal(auth_new(r->server.directory, &r->server.auth), 0);
	assert_int_equal(net_new(&options, &r->server.net), 0);
	make_account(r);
	assert_int_equal(net_start(r->server.net), 0);
	*state = r;
	return 0;
}

int
rig_teardown(void **state)
{
	struct rig *r = *state;

	for (int i = 0; i < RIG_CLIENTS; i++)
		rig_close(r, i);
	net_stop(r->server.net);
	net_drop(r->server.net);
	auth_drop(r->server.auth);
	directory_drop(r->server.directory);
	store_drop(r->server.store);
	buf_done(&r->line);
	mem_free(r);
	return 0;
}

/* --- clients --- */

void
rig_open(struct rig *r, int n)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(net_adopt(r->server.net, fds[0], &IMAP_SESSION, &r->server), 0);
	r->clients[n].fd = fds[1];
	buf_init(&r->clients[n].in, 256 << 20);
	assert_non_null(buf_room(&r->clients[n].in, LINE_ROOM));
	assert_true(str_starts(client_line(r, &r->clients[n]), STR("* OK [CAPABILITY IMAP4rev1 ")));
}

void
rig_login(struct rig *r, int n, const char *select)
{
	char script[200];

	rig_open(r, n);
	snprintf(script, sizeof(script), "%d> l LOGIN alice@example.org secret\n%d! l\n", n, n);
	play(r, script);
	if (select == NULL)
		return;
	snprintf(script, sizeof(script), "%d> s SELECT %s\n%d! s\n", n, select, n);
	play(r, script);
}

void
rig_close(struct rig *r, int n)
{
	struct client *c = &r->clients[n];

	if (c->fd < 0)
		return;
	close(c->fd);
	c->fd = -1;
	buf_done(&c->in);
}

bool
client_try_put(struct client *c, struct str s)
{
	while (s.n > 0) {
		ssize_t n = send(c->fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		s = str_skip(s, (size_t)n);
	}
	return true;
}

void
client_put(struct client *c, struct str s)
{
	assert_true(client_try_put(c, s));
}

/* False at the end of the connection. */
static bool
fill(struct client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };
	char         *to = buf_room(&c->in, 65536);
	ssize_t       n;

	assert_non_null(to);
	if (poll(&p, 1, PATIENCE_MS) <= 0)
		fail_msg("nothing came");
	n = read(c->fd, to, 65536);
	if (n <= 0)
		return false;
	buf_commit(&c->in, (size_t)n);
	return true;
}

bool
client_skip(struct client *c, size_t n)
{
	while (c->in.n < n)
		if (!fill(c))
			return false;
	buf_consume(&c->in, n);
	return true;
}

static bool
read_line(struct rig *r, struct client *c)
{
	size_t end, looked = 0;

	for (;;) {
		end = looked + str_find_byte(str_skip(buf_view(&c->in), looked), '\n');
		if (end < c->in.n)
			break;
		looked = c->in.n;
		if (!fill(c))
			return false;
	}
	buf_reset(&r->line);
	buf_put(&r->line, c->in.p, end);
	buf_consume(&c->in, end + 1);
	if (r->line.n > 0 && r->line.p[r->line.n - 1] == '\r')
		r->line.n--;
	return true;
}

/* On a slow machine every search is a long one. */
static bool
is_progress(struct str line)
{
	return str_starts(line, STR("* OK Searched "));
}

struct str
client_line(struct rig *r, struct client *c)
{
	do {
		if (!read_line(r, c))
			return STR_NONE;
	} while (is_progress(buf_view(&r->line)) && !r->shows_progress);
	return buf_view(&r->line);
}

/* --- scripts --- */

static bool
glob(struct str pattern, struct str text)
{
	while (pattern.n > 0) {
		if (pattern.p[0] == '~') {
			pattern = str_skip(pattern, 1);
			for (size_t i = 0; i <= text.n; i++)
				if (glob(pattern, str_skip(text, i)))
					return true;
			return false;
		}
		if (text.n == 0 || pattern.p[0] != text.p[0])
			return false;
		pattern = str_skip(pattern, 1);
		text = str_skip(text, 1);
	}
	return text.n == 0;
}

static int
hex_digit(char c)
{
	return ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;
}

/* \xNN, \r, \n */
static void
unescape(struct str s, struct buf *to)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '\\' || i + 1 == s.n) {
			buf_byte(to, s.p[i]);
		} else if (s.p[i + 1] == 'x' && i + 3 < s.n) {
			buf_byte(to, (char)(hex_digit(s.p[i + 2]) * 16 + hex_digit(s.p[i + 3])));
			i += 3;
		} else if (s.p[i + 1] == 'r' || s.p[i + 1] == 'n') {
			buf_byte(to, s.p[++i] == 'r' ? '\r' : '\n');
		} else {
			buf_byte(to, s.p[i]);
		}
	}
}

static void
expect_line(struct rig *r, struct client *c, struct str pattern)
{
	struct str got = client_line(r, c);

	if (!glob(pattern, got))
		fail_msg("expected: %.*s\n     got: %.*s", STR_ARG(pattern), STR_ARG(got));
}

/* Piece by piece: what is expected may be bigger than what we want to hold. */
void
client_expect_bytes(struct client *c, struct str want)
{
	while (want.n > 0) {
		size_t n;

		if (c->in.n == 0)
			assert_true(fill(c));
		n = want.n < c->in.n ? want.n : c->in.n;
		if (memcmp(c->in.p, want.p, n) != 0)
			fail_msg("expected: %.*s\n     got: %.*s", STR_ARG(str_head(want, 200)),
			    STR_ARG(str_head(buf_view(&c->in), 200)));
		buf_consume(&c->in, n);
		want = str_skip(want, n);
	}
}

static void
skip_to(struct rig *r, struct client *c, struct str tag, bool must_be_ok)
{
	struct str got;

	do {
		got = client_line(r, c);
		if (got.p == NULL)
			fail_msg("closed before %.*s", STR_ARG(tag));
	} while (!str_starts(got, tag) || got.n <= tag.n || got.p[tag.n] != ' ');
	if (must_be_ok && !str_starts(str_skip(got, tag.n), STR(" OK")))
		fail_msg("not OK: %.*s", STR_ARG(got));
}

static void
play_line(struct rig *r, struct str line)
{
	OWN_BUF struct buf text = BUF_INIT(1 << 20);
	struct client     *c = &r->clients[line.p[0] - '0'];
	char               what = line.p[1];

	if (c->fd < 0)
		rig_open(r, line.p[0] - '0');
	unescape(str_skip(line, 3), &text);
	switch (what) {
	case '>':
		buf_str(&text, STR("\r\n"));
		client_put(c, buf_view(&text));
		break;
	case '+':
		client_put(c, buf_view(&text));
		break;
	case '<':
		expect_line(r, c, str_skip(line, 3));
		break;
	case '=':
		client_expect_bytes(c, buf_view(&text));
		break;
	case '.':
		assert_null(client_line(r, c).p);
		break;
	default:
		skip_to(r, c, buf_view(&text), what == '!');
		break;
	}
}

void
play(struct rig *r, const char *script)
{
	struct str left = str_c(script);

	while (left.n > 0) {
		struct str line = str_cut(&left, '\n');

		if (line.n > 1)
			play_line(r, line);
	}
}

/* --- the store, directly --- */

struct account *
rig_account(struct rig *r)
{
	struct account *a;

	assert_int_equal(account_open(r->server.store, r->account, &a), 0);
	return a;
}

void
rig_fill(struct rig *r, const char *mailbox, int first, int n)
{
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	OWN(account)       a = rig_account(r);
	mailbox_id         id;

	assert_int_equal(mailbox_find(a, str_c(mailbox), &id), 0);
	for (int i = first; i < first + n; i++) {
		OWN(ingest)           in = NULL;
		struct append_options options = { .internal_ms = 1000000000000 + i * 1000 };
		struct appended       done;
		char                  text[300];

		snprintf(text, sizeof(text),
		    "From: Bob <bob@example.net>\r\nTo: alice@example.org\r\n"
		    "Subject: message %d\r\nMessage-ID: <%d@example.net>\r\n\r\nbody %d\r\n",
		    i, i, i);
		assert_int_equal(ingest_new(r->server.store, 1 << 20, &in), 0);
		assert_int_equal(ingest_write(in, str_c(text)), 0);
		assert_int_equal(ingest_end(in), 0);
		assert_int_equal(message_append(a, id, in, &options, &actor, &done), 0);
	}
	assert_int_equal(account_barrier(a), 0);
}

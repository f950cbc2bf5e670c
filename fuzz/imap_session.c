/*
 * Two IMAP sessions on one account fed with any bytes: byte 1 in the input changes over to the
 * other session. They are logged in and have INBOX selected when it begins. The network is played
 * here: each piece of output leaves as soon as it is made, jobs run at once.
 *
 * Holds    whatever comes, what is answered is in shape, and message numbers fit what was told
 * before: EXISTS never shrinks, EXPUNGE and FETCH name messages that are there.
 */

#include "fuzz.h"

#include "base/error.h"
#include "base/log.h"
#include "kv/open.h"
#include "serve/imap/imap.h"
#include "serve/imap/session.h"

enum { SESSIONS = 2, INPUT_MAX = 8192 };

struct conn {
	uint64_t id;
	void *session;
	struct buf in, out;
	bool woken, poked, closed;
	uint64_t literal; /* bytes of a literal in the output that are still to come */
	bool in_line;     /* such a literal was in the middle of a line */
	uint32_t exists;
	const void *view; /* the session's when `exists` was told */
};

static struct server server;
static struct conn conns[SESSIONS];

/* --- net/net.h, as far as a session needs it --- */

struct str
conn_input(struct conn *c)
{
	return buf_view(&c->in);
}
void
conn_consume(struct conn *c, size_t n)
{
	buf_consume(&c->in, n);
}
void
conn_input_max(struct conn *c, size_t n)
{
	(void)c;
	(void)n;
}
struct buf *
conn_output(struct conn *c)
{
	return &c->out;
}
bool
conn_output_full(struct conn *c)
{
	return c->out.n >= 2000;
}
bool
conn_is_tls(struct conn *c)
{
	(void)c;
	return false;
}
bool
conn_can_tls(struct conn *c)
{
	(void)c;
	return true;
}
bool
conn_is_local(struct conn *c)
{
	(void)c;
	return true;
}
uint64_t
conn_id(struct conn *c)
{
	return c->id;
}
struct str
conn_peer(struct conn *c)
{
	(void)c;
	return STR("unix");
}
struct str
conn_tls_version(struct conn *c)
{
	(void)c;
	return STR_NONE;
}
int
conn_tls_binding(struct conn *c, struct str type, struct buf *to)
{
	(void)c;
	(void)type;
	(void)to;
	return E_UNSUPPORTED;
}

void
conn_timeout(struct conn *c, int64_t ms)
{
	(void)c;
	(void)ms;
}
void
conn_deadline(struct conn *c, int64_t ms)
{
	(void)c;
	(void)ms;
}
void
conn_at_boundary(struct conn *c, bool at)
{
	(void)c;
	(void)at;
}
void
conn_peer_ends(struct conn *c)
{
	(void)c;
}
void
conn_poke(struct conn *c)
{
	c->poked = true;
}
void
conn_may_send(struct conn *c)
{
	(void)c;
}
void
conn_wake(struct conn *c)
{
	c->woken = true;
}
void
conn_wake_after(struct conn *c, int64_t ms)
{
	(void)ms;
	c->woken = true;
}
struct net *
conn_net(struct conn *c)
{
	(void)c;
	return NULL;
}

bool
net_stopping(struct net *net)
{
	(void)net;
	return false;
}

int
net_job(struct net *net, void (*fn)(void *arg), void *arg)
{
	(void)net;
	fn(arg);
	return 0;
}

/* --- what is answered --- */

static void
check_number(struct conn *c, struct str line)
{
	uint64_t n = 0;
	struct str digits = str_cut(&line, ' ');

	hold(str_to_u64(digits, &n) == 0);
	if (str_eq(line, STR("EXISTS"))) {
		hold(n >= c->exists);
		c->exists = (uint32_t)n;
	} else if (str_eq(line, STR("EXPUNGE"))) {
		hold(n >= 1 && n <= c->exists);
		c->exists--;
	} else if (str_starts(line, STR("FETCH ("))) {
		hold(n >= 1 && n <= c->exists);
	} else {
		hold(str_eq(line, STR("RECENT")) && n <= c->exists);
	}
}

static uint64_t
literal_at_end(struct str line)
{
	size_t at = str_rfind_byte(line, '{');
	uint64_t n;

	if (!str_ends(line, STR("}")) || at == line.n)
		return 0;
	return str_to_u64(str_of(line.p + at + 1, line.n - at - 2), &n) == 0 ? n : 0;
}

static void
check_line(struct conn *c, struct str line)
{
	if (!c->in_line) {
		hold(line.n > 2);
		if (str_starts(line, STR("* OK [CLOSED]")))
			c->exists = 0;
		if (str_starts(line, STR("* ")) && ascii_is_digit(line.p[2]))
			check_number(c, str_skip(line, 2));
	}
	c->literal = literal_at_end(line);
	hold(c->literal < 1 << 20);
	c->in_line = c->literal != 0;
}

/* Takes the output in lines and literals; a line is never cut, for output is only taken between. */
static void
drain(struct conn *c)
{
	struct str s = buf_view(&c->out);

	hold(c->out.err == 0);
	while (s.n > 0) {
		if (c->literal > 0) {
			size_t n = s.n < c->literal ? s.n : (size_t)c->literal;

			s = str_skip(s, n);
			c->literal -= n;
		} else {
			size_t end = str_find(s, STR("\r\n"));
			struct str line = str_head(s, end);

			if (end == s.n)
				break; /* the rest of the line comes later */
			s = str_skip(s, end + 2);
			check_line(c, line);
		}
	}
	buf_consume(&c->out, c->out.n - s.n);
}

/* Another mailbox, or none: its numbers begin anew. */
static void
forget_numbers(struct conn *c)
{
	const struct imap_session *s = c->session;

	if (s->view != c->view)
		c->exists = 0;
	c->view = s->view;
}

static void
pump(struct conn *c, unsigned why)
{
	for (int turns = 0; !c->closed; turns++) {
		enum step step = IMAP_SESSION.run(c->session, why);

		hold(turns < 100000);
		forget_numbers(c);
		drain(c);
		why = 0;
		if (step == STEP_MORE)
			why = WHY_DRAINED;
		else if (step == STEP_WAIT) {
			hold(c->woken);
			c->woken = false;
			why = WHY_WAKE;
		} else if (step == STEP_NEED) {
			if (!c->poked)
				return;
			c->poked = false;
			why = WHY_POKE;
		} else if (step == STEP_TLS || step == STEP_CLOSE) {
			c->closed = true;
		}
	}
}

/* Sessions that were poked run, until nobody has anything to say. */
static void
feed(struct conn *c, struct str bytes)
{
	buf_str(&c->in, bytes);
	pump(c, WHY_INPUT);
	for (bool again = true; again;) {
		again = false;
		for (int i = 0; i < SESSIONS; i++)
			if (conns[i].poked && conns[i].session != NULL) {
				conns[i].poked = false;
				pump(&conns[i], WHY_POKE);
				again = true;
			}
	}
}

/* --- the stage --- */

static const char MESSAGES[] =
    "a LOGIN a@b.example c\r\n"
    "b APPEND INBOX {35+}\r\nSubject: one\r\nFrom: x@y.z\r\n\r\nbody\r\n\r\n"
    "c APPEND INBOX (\\Seen) {3+}\r\nabc\r\n"
    "d APPEND INBOX (\\Deleted $k) {76+}\r\n"
    "Content-Type: multipart/mixed; "
    "boundary=B\r\n\r\n--B\r\n\r\none\r\n--B\r\n\r\ntwo\r\n--B--\r\n\r\n"
    "e SELECT INBOX\r\n";

static void
open_stage(void)
{
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	const struct quota quota = { 0 };
	struct kv *kv;
	uint64_t id;

	server_limits_default(&server.limits);
	server.hostname = STR("host");
	server.version = STR("0");
	hold(kv_mem_open(&kv) == 0 && store_open(kv, NULL, NULL, &server.store) == 0);
	hold(directory_open(kv, &server.directory) == 0);
	hold(auth_new(server.directory, &server.auth) == 0);
	hold(directory_domain_add(server.directory, STR("b.example")) == 0);
	hold(
	    directory_account_add(server.directory, STR("a@b.example"), STR("{PLAIN}c"), &id) == 0);
	hold(account_create(server.store, id, &quota, &actor) == 0);
	for (int i = 0; i < SESSIONS; i++) {
		conns[i] = (struct conn){ .id = (uint64_t)i + 1 };
		buf_init(&conns[i].in, 1 << 20);
		buf_init(&conns[i].out, CONN_OUTPUT_MAX);
		hold(IMAP_SESSION.open(&server, &conns[i], &conns[i].session) == 0);
		pump(&conns[i], WHY_OPEN);
		feed(&conns[i],
		    str_c(i == 0 ? MESSAGES : "a LOGIN a@b.example c\r\nb SELECT INBOX\r\n"));
		hold(!conns[i].closed && conns[i].exists == 3);
	}
}

static void
close_stage(void)
{
	for (int i = 0; i < SESSIONS; i++) {
		IMAP_SESSION.close(conns[i].session);
		buf_done(&conns[i].in);
		buf_done(&conns[i].out);
	}
	auth_drop(server.auth);
	directory_drop(server.directory);
	store_drop(server.store);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str left = str_of((const char *)data, n);

	if (n > INPUT_MAX)
		return -1;
	log_setup(LOG_ERROR, LOG_FORMAT_TEXT, 2);
	open_stage();
	for (int at = 0; left.n > 0; at = (at + 1) % SESSIONS) {
		struct str part = str_cut(&left, '\1');

		if (!conns[at].closed)
			feed(&conns[at], part);
	}
	close_stage();
	return 0;
}

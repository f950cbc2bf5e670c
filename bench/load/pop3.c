/* The client's side of POP3. */
#include "load/pop3.h"

#include "base/error.h"
#include "load/work.h"

static int
take_ok(struct client *c, const char *to, struct str *ret)
{
	struct str line;
	int        r = feed_line(&c->wire.feed, &line);

	if (r < 0)
		return client_fail(c, r, "answer to %s", to);
	if (!str_starts(line, STR("+OK")) || (line.n > 3 && line.p[3] != ' '))
		return client_fail(c, E_SYNTAX, "%s: %.*s", to, STR_ARG(str_head(line, 200)));
	if (ret != NULL)
		*ret = str_skip(line, 4);
	return 0;
}

static int
ask(struct client *c, const char *command, struct str *ret)
{
	int r;

	buf_str(&c->wire.out, str_c(command));
	buf_str(&c->wire.out, STR("\r\n"));
	r = wire_flush(&c->wire);
	return r < 0 ? client_fail(c, r, "sending %s", command) : take_ok(c, command, ret);
}

/* RFC 2449 s5: a server without CAPA refuses it. */
static int
take_capa(struct client *c)
{
	struct str line;
	int        r;

	c->pipelining = false;
	buf_str(&c->wire.out, STR("CAPA\r\n"));
	if (wire_flush(&c->wire) < 0)
		return client_fail(c, E_CLOSED, "sending CAPA");
	r = feed_line(&c->wire.feed, &line);
	if (r == 0 && str_starts(line, STR("-ERR")))
		return 0;
	while (r == 0 && !str_eq(line, STR("."))) {
		c->pipelining |= str_ieq(line, STR("PIPELINING")) && !c->load->o.no_pipelining;
		r = feed_line(&c->wire.feed, &line);
	}
	return r < 0 ? client_fail(c, r, "answer to CAPA") : 0;
}

static int
pop3_open(struct client *c, const struct endpoint *to, uint64_t account)
{
	char       line[USER_ROOM + 16], room[USER_ROOM];
	struct str user = client_user(c, account, room, sizeof(room));
	int        r = client_connect(c, to);

	if (r == 0)
		r = take_ok(c, "greeting", NULL);
	if (r == 0 && to->starttls) {
		r = ask(c, "STLS", NULL);
		if (r == 0 && wire_start_tls(&c->wire, c->load->tls) < 0)
			r = client_fail(c, E_CLOSED, "TLS handshake");
	}
	snprintf(line, sizeof(line), "USER %.*s", STR_ARG(user));
	if (r == 0)
		r = ask(c, line, NULL);
	snprintf(line, sizeof(line), "PASS %s", c->load->o.password);
	if (r == 0)
		r = ask(c, line, NULL);
	return r < 0 ? r : take_capa(c);
}

/* "5 20480" */
static int
take_stat(struct client *c, uint64_t *ret)
{
	struct str rest, count;
	uint64_t   bytes;
	int        r = ask(c, "STAT", &rest);

	if (r < 0)
		return r;
	count = str_cut(&rest, ' ');
	if (str_to_u64(count, ret) < 0 || str_to_u64(str_cut(&rest, ' '), &bytes) < 0)
		return client_fail(c, E_SYNTAX, "STAT without two numbers");
	return 0;
}

static int
take_uidl(struct client *c, uint64_t expected)
{
	struct str line;
	uint64_t   n, seen = 0;
	int        r = ask(c, "UIDL", NULL);

	while (r == 0) {
		r = feed_line(&c->wire.feed, &line);
		if (r < 0)
			return client_fail(c, r, "answer to UIDL");
		if (str_eq(line, STR(".")))
			break;
		if (str_to_u64(str_cut(&line, ' '), &n) < 0 || n != ++seen || line.n == 0 ||
		    line.n > 70)
			return client_fail(c, E_SYNTAX, "UIDL: wrong line %llu",
			    (unsigned long long)seen);
	}
	if (r == 0 && seen != expected)
		return client_fail(c, E_SYNTAX, "UIDL has %llu lines, STAT said %llu",
		    (unsigned long long)seen, (unsigned long long)expected);
	return r;
}

/* The first line that begins with a dot, but for the very first line; NULL without one. */
static const char *
find_dot_line(struct str text)
{
	struct str  left = text;
	const char *lf;

	while ((lf = feed_find_pair(left, '\n', '.')) != NULL) {
		if (lf > text.p && lf[-1] == '\r')
			return lf + 1;
		left = str_skip(left, (size_t)(lf + 1 - left.p)); /* a bare LF ends no line */
	}
	return NULL;
}

/* A text with dots stuffed, up to its line of one dot. RFC 1939 s3 */
static int
take_text(struct client *c, struct sink *sink)
{
	struct feed *f = &c->wire.feed;
	struct str   line, view;
	const char  *end;
	size_t       n;
	int          r;

	for (;;) {
		/* Whole lines go on in one piece as far as none begins with a dot. */
		view = str_of(f->p, (size_t)(f->end - f->p));
		if (view.n > 0 && view.p[0] != '.') {
			end = find_dot_line(view);
			n = end != NULL ? (size_t)(end - view.p)
					: str_rfind_byte(view, '\n') + 1;
			if (n <= view.n) {
				sink->put(sink, str_head(view, n));
				f->p += n;
			}
		}
		r = feed_line(f, &line);
		if (r < 0)
			return client_fail(c, r, "text of RETR");
		if (str_eq(line, STR(".")))
			return 0;
		if (str_starts(line, STR(".")))
			line = str_skip(line, 1);
		sink->put(sink, str_of(line.p, line.n + 2)); /* CR LF stand behind it */
	}
}

/* How many RETR are asked for before the first is answered, where PIPELINING is announced. */
enum { RETR_AHEAD = 32 };

static int
retrieve(struct client *c, uint64_t n)
{
	struct body_sink body;
	int              r = take_ok(c, "RETR", NULL);

	if (r < 0)
		return r;
	body_sink_init(&body);
	r = take_text(c, &body.sink);
	return r < 0 ? r : work_check_body(c, &body, n);
}

/* Messages `first` to n; commands go in bunches, so that half of those that may be ahead always
 * are. */
static int
retrieve_from(struct client *c, uint64_t first, uint64_t n)
{
	const uint64_t ahead = c->pipelining ? RETR_AHEAD : 1;
	uint64_t       asked = first - 1;
	int            r = 0;

	for (uint64_t i = first; i <= n && r == 0; i++) {
		char line[40];

		if (asked - (i - 1) <= ahead / 2 && asked < n) {
			for (; asked < n && asked < i - 1 + ahead; asked++) {
				snprintf(line, sizeof(line), "RETR %llu\r\n",
				    (unsigned long long)asked + 1);
				buf_str(&c->wire.out, str_c(line));
			}
			if (wire_flush(&c->wire) < 0)
				return client_fail(c, E_CLOSED, "sending RETR");
		}
		r = retrieve(c, i);
	}
	return r;
}

int
pop3_session(struct client *c, const struct endpoint *to, enum pop3_kind kind, uint64_t *ret)
{
	const struct load_options *o = &c->load->o;
	uint64_t                   n = 0, first;
	char                       line[40];
	int                        r;

	r = pop3_open(c, to, c->claim);
	if (r == 0)
		r = take_stat(c, &n);
	if (r == 0 && o->has_expect && n != o->expect)
		return client_fail(c, E_SYNTAX, "STAT has %llu messages, not %llu",
		    (unsigned long long)n, (unsigned long long)o->expect);
	if (r == 0)
		r = take_uidl(c, n);
	first = kind == POP3_NEWEST && n > 0 ? n : 1;
	if (r == 0)
		r = retrieve_from(c, first, n);
	for (uint64_t i = 1; kind == POP3_ALL_DELETE && i <= n && r == 0; i++) {
		snprintf(line, sizeof(line), "DELE %llu", (unsigned long long)i);
		r = ask(c, line, NULL);
	}
	if (r == 0)
		r = ask(c, "QUIT", NULL);
	wire_close(&c->wire);
	if (r == 0)
		*ret = n + 1 - first;
	return r;
}

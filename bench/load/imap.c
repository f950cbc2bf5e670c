/* IMAP commands. */
#include "load/imap.h"

#include <stdarg.h>

#include "base/error.h"
#include "codec/date.h"

void
imap_put_tag(struct client *c)
{
	buf_byte(&c->wire.out, 'a');
	buf_u64(&c->wire.out, ++c->tag);
	buf_byte(&c->wire.out, ' ');
}

void
imap_put(struct client *c, const char *fmt, ...)
{
	char    line[1024];
	va_list ap;
	int     n;

	imap_put_tag(c);
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		c->wire.out.err = E_LIMIT;
	else
		buf_put(&c->wire.out, line, (size_t)n);
	buf_str(&c->wire.out, STR("\r\n"));
}

int
imap_flush(struct client *c)
{
	int r = wire_flush(&c->wire);

	return r < 0 ? client_fail(c, r, "sending a command") : 0;
}

/* Takes answers until one is `wanted`; `never` is wrong here. */
static int
take_until(struct client *c, struct imap_seen *seen, enum imap_took wanted, enum imap_took never,
    const char *text)
{
	enum imap_took took;
	int            r;

	do {
		r = imap_take(c, seen, &took);
		if (r < 0)
			return r;
		if (took == never)
			return client_fail(c, E_SYNTAX, "%s", text);
	} while (took != wanted);
	return 0;
}

int
imap_finish(struct client *c, struct imap_seen *seen)
{
	return take_until(c, seen, IMAP_TAGGED, IMAP_CONTINUE,
	    "the server asks to go on, and should not");
}

int
imap_run(struct client *c, struct imap_seen *seen)
{
	int r = imap_flush(c);

	return r < 0 ? r : imap_finish(c, seen);
}

int
imap_until_continue(struct client *c, struct imap_seen *seen)
{
	return take_until(c, seen, IMAP_CONTINUE, IMAP_TAGGED, "the server does not ask to go on");
}

/* --- a session --- */

static int
start_tls(struct client *c)
{
	struct imap_seen seen = { 0 };
	int              r;

	imap_put(c, "STARTTLS");
	r = imap_run(c, &seen);
	if (r < 0)
		return r;
	r = wire_start_tls(&c->wire, c->load->tls);
	return r < 0 ? client_fail(c, r, "TLS handshake") : 0;
}

int
imap_open(struct client *c, const struct endpoint *to, uint64_t account)
{
	struct imap_seen seen = { 0 };
	enum imap_took   took;
	char             room[USER_ROOM];
	int              r;

	r = client_connect(c, to);
	if (r == 0)
		r = imap_take(c, &seen, &took);
	if (r == 0 && (took != IMAP_UNTAGGED || seen.has_bye))
		return client_fail(c, E_SYNTAX, "no greeting");
	if (r == 0 && to->starttls)
		r = start_tls(c);
	if (r < 0)
		return r;
	imap_put(c, "LOGIN \"%.*s\" \"%s\"", STR_ARG(client_user(c, account, room, sizeof(room))),
	    c->load->o.password);
	return imap_run(c, &seen);
}

int
imap_know(struct client *c, const struct imap_seen *known)
{
	struct imap_seen seen = { 0 };
	int              r;

	if (known != NULL && known->has_capability)
		return 0;
	imap_put(c, "CAPABILITY");
	r = imap_run(c, &seen);
	if (r == 0 && !seen.has_capability)
		return client_fail(c, E_SYNTAX, "no CAPABILITY answer");
	return r;
}

int
imap_select(struct client *c, bool exactly, struct imap_seen *ret)
{
	const struct load_options *o = &c->load->o;
	struct imap_seen           seen = { 0 };
	int                        r;

	imap_put_tag(c);
	buf_str(&c->wire.out, STR("SELECT \""));
	buf_str(&c->wire.out, str_c(o->mailbox));
	buf_str(&c->wire.out, STR("\"\r\n"));
	r = imap_run(c, &seen);
	if (r < 0)
		return r;
	if (!seen.has_exists || !seen.has_flags || seen.uid_validity == 0 || seen.uid_next == 0)
		return client_fail(c, E_SYNTAX,
		    "SELECT without EXISTS, FLAGS, UIDVALIDITY or UIDNEXT");
	if (exactly && o->has_expect && seen.exists != o->expect)
		return client_fail(c, E_SYNTAX, "%llu messages exist, not %llu",
		    (unsigned long long)seen.exists, (unsigned long long)o->expect);
	*ret = seen;
	return 0;
}

void
imap_put_append(struct client *c, uint64_t n, int64_t date_ms)
{
	struct buf *out = &c->wire.out;

	imap_put_tag(c);
	buf_printf(out, "APPEND \"%s\" ", c->load->o.mailbox);
	if (date_ms != 0) {
		buf_byte(out, '"');
		date_put_imap(out, date_ms, 0);
		buf_str(out, STR("\" "));
	}
	buf_printf(out, "{%zu%s}\r\n", corpus_bytes(&c->load->corpus, n),
	    c->literal_plus ? "+" : "");
}

int
imap_append(struct client *c, uint64_t n, int64_t date_ms)
{
	struct imap_seen seen = { 0 };
	int              r;

	imap_put_append(c, n, date_ms);
	if (!c->literal_plus) {
		r = imap_flush(c);
		if (r == 0)
			r = imap_until_continue(c, &seen);
		if (r < 0)
			return r;
	}
	corpus_put(&c->load->corpus, n, &c->wire.out);
	buf_str(&c->wire.out, STR("\r\n"));
	return imap_run(c, &seen);
}

int
imap_status(struct client *c, uint64_t *ret)
{
	struct imap_seen seen = { 0 };
	int              r;

	imap_put(c, "STATUS \"%s\" (MESSAGES)", c->load->o.mailbox);
	r = imap_run(c, &seen);
	if (r == 0 && !seen.has_status)
		return client_fail(c, E_SYNTAX, "no STATUS answer");
	if (r == 0)
		*ret = seen.status_messages;
	return r;
}

int
imap_logout(struct client *c)
{
	struct imap_seen seen = { 0 };
	int              r;

	imap_put(c, "LOGOUT");
	r = imap_run(c, &seen);
	if (r == 0 && !seen.has_bye)
		r = client_fail(c, E_SYNTAX, "LOGOUT without BYE");
	wire_close(&c->wire);
	return r;
}

/* The client's side of SMTP and LMTP. */
#include "load/smtp.h"

#include "base/error.h"

typedef void see_line_fn(struct client *, struct str);

/* Takes one reply, all its lines; each goes to see_line, if there is one. RFC 5321 s4.2.1 */
static int
take_reply(struct client *c, unsigned wanted, const char *to, see_line_fn *see_line)
{
	struct str line, code;
	uint32_t   got;
	int        r;
	bool       more;

	do {
		r = feed_line(&c->wire.feed, &line);
		if (r < 0)
			return client_fail(c, r, "answer to %s", to);
		code = str_head(line, 3);
		if (code.n < 3 || str_to_u32(code, &got) < 0 || got != wanted ||
		    (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-'))
			return client_fail(c, E_SYNTAX, "%s: expected %u, got: %.*s", to, wanted,
			    STR_ARG(line));
		more = line.n > 3 && line.p[3] == '-';
		if (see_line != NULL)
			see_line(c, str_skip(line, 4));
	} while (more);
	return 0;
}

static void
see_extension(struct client *c, struct str line)
{
	c->pipelining |= str_ieq(line, STR("PIPELINING")) && !c->load->o.no_pipelining;
	c->eight_bit |= str_ieq(line, STR("8BITMIME"));
}

static int
send_and_take(struct client *c, const char *command, unsigned wanted, see_line_fn *see_line)
{
	int r;

	buf_str(&c->wire.out, str_c(command));
	buf_str(&c->wire.out, STR("\r\n"));
	r = wire_flush(&c->wire);
	if (r < 0)
		return client_fail(c, r, "sending %s", command);
	return take_reply(c, wanted, command, see_line);
}

int
smtp_open(struct client *c, const struct endpoint *to, bool lmtp)
{
	const char *hello = lmtp ? "LHLO load.test" : "EHLO load.test";
	int         r;

	r = client_connect(c, to);
	if (r == 0)
		r = take_reply(c, 220, "greeting", NULL);
	if (r == 0)
		r = send_and_take(c, hello, 250, see_extension);
	if (r < 0 || !to->starttls)
		return r;
	r = send_and_take(c, "STARTTLS", 220, NULL);
	if (r < 0)
		return r;
	r = wire_start_tls(&c->wire, c->load->tls);
	if (r < 0)
		return client_fail(c, r, "TLS handshake");
	return send_and_take(c, hello, 250, see_extension);
}

/* Sends what is gathered unless more may follow at once. */
static int
step(struct client *c, const char *what, unsigned wanted)
{
	int r;

	if (c->pipelining)
		return 0;
	r = wire_flush(&c->wire);
	return r < 0 ? client_fail(c, r, "sending %s", what) : take_reply(c, wanted, what, NULL);
}

static int
send_envelope(struct client *c, uint64_t n, uint64_t first_account)
{
	struct buf *out = &c->wire.out;
	char        room[USER_ROOM];
	bool        eight_bit = c->eight_bit && corpus_eight_bit(&c->load->corpus, n);
	int         r;

	buf_str(out, STR("MAIL FROM:<sender@load.test>"));
	buf_str(out, eight_bit ? STR(" BODY=8BITMIME\r\n") : STR("\r\n"));
	r = step(c, "MAIL", 250);
	for (unsigned i = 0; i < c->load->o.recipients && r == 0; i++) {
		buf_str(out, STR("RCPT TO:<"));
		buf_str(out, client_user(c, first_account + i, room, sizeof(room)));
		buf_str(out, STR(">\r\n"));
		r = step(c, "RCPT", 250);
	}
	buf_str(out, STR("DATA\r\n"));
	return r < 0 ? r : step(c, "DATA", 354);
}

static int
take_envelope(struct client *c)
{
	int r = wire_flush(&c->wire);

	if (r < 0)
		return client_fail(c, r, "sending MAIL");
	r = take_reply(c, 250, "MAIL", NULL);
	for (unsigned i = 0; i < c->load->o.recipients && r == 0; i++)
		r = take_reply(c, 250, "RCPT", NULL);
	return r < 0 ? r : take_reply(c, 354, "DATA", NULL);
}

int
smtp_deliver(struct client *c, uint64_t n, uint64_t first_account, bool lmtp)
{
	unsigned replies = lmtp ? c->load->o.recipients : 1; /* RFC 2033 s4.2 */
	int      r = send_envelope(c, n, first_account);

	if (r == 0 && c->pipelining)
		r = take_envelope(c);
	if (r < 0)
		return r;
	corpus_put_dotted(&c->load->corpus, n, &c->wire.out);
	r = wire_flush(&c->wire);
	if (r < 0)
		return client_fail(c, r, "sending the message");
	for (unsigned i = 0; i < replies && r == 0; i++)
		r = take_reply(c, 250, "the message", NULL);
	return r;
}

int
smtp_quit(struct client *c)
{
	int r = send_and_take(c, "QUIT", 221, NULL);

	wire_close(&c->wire);
	return r;
}

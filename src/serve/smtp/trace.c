/*
 * The fields that a message gets here: Return-Path and Received (RFC 5321 s4.4), and on submission
 * Date and Message-ID where they are missing (RFC 6409 s8).
 */
#include <sodium.h>

#include "base/clock.h"
#include "base/error.h"
#include "codec/date.h"
#include "serve/smtp/session.h"

/* What a client calls itself goes into a header field: only what a domain or a literal can hold. */
static bool
is_plain_host(struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!ascii_is_alpha(host.p[i]) && !ascii_is_digit(host.p[i]) &&
		    strchr(".-_:[]", host.p[i]) == NULL)
			return false;
	return host.n != 0;
}

static void
put_from(struct smtp_session *s, struct buf *to)
{
	struct str host = buf_view(&s->host), peer = conn_peer(s->conn);
	bool       is_v6 = str_find_byte(peer, ':') != peer.n;

	buf_str(to, STR("Received: from "));
	buf_str(to, is_plain_host(host) ? host : STR("unknown"));
	if (str_find_byte(peer, '.') != peer.n || is_v6) {
		buf_str(to, is_v6 ? STR(" ([IPv6:") : STR(" (["));
		buf_str(to, peer);
		buf_str(to, STR("])"));
	}
}

/* RFC 3848 and RFC 6531 s4.3: S for TLS, A for a login. */
static void
put_with(struct smtp_session *s, struct buf *to)
{
	bool is_tls = conn_is_tls(s->conn);

	buf_str(to, STR(" with "));
	if (s->tx.smtputf8)
		buf_str(to, s->kind->with_utf8);
	else
		buf_str(to, s->extended || is_tls ? s->kind->with : STR("SMTP"));
	if (is_tls)
		buf_byte(to, 'S');
	if (s->logged_in)
		buf_byte(to, 'A');
	if (is_tls) {
		buf_str(to, STR("\r\n\t("));
		buf_str(to, conn_tls_version(s->conn));
		buf_byte(to, ' ');
		buf_str(to, conn_tls_cipher(s->conn));
		buf_byte(to, ')');
	}
}

void
smtp_trace_put(struct smtp_session *s, struct buf *to)
{
	buf_str(to, STR("Return-Path: <"));
	buf_str(to, s->tx.sender);
	buf_str(to, STR(">\r\n"));
	put_from(s, to);
	buf_str(to, STR("\r\n\tby "));
	buf_str(to, s->server->hostname);
	put_with(s, to);
	buf_str(to, STR("\r\n\tid "));
	buf_str(to, s->tx.id);
	if (s->tx.n_rcpts == 1) { /* more would tell them of one another, RFC 5321 s7.2 */
		buf_str(to, STR("\r\n\tfor <"));
		buf_str(to, s->tx.rcpts[0].address);
		buf_byte(to, '>');
	}
	buf_str(to, STR(";\r\n\t"));
	date_put_rfc5322(to, clock_real_ms(), 0);
	buf_str(to, STR("\r\n"));
}

static int
make_edit(struct smtp_session *s)
{
	OWN_BUF struct buf date = BUF_INIT(128);
	unsigned long long noise;
	char              *id;
	int                r;

	buf_str(&date, STR("Date: "));
	date_put_rfc5322(&date, clock_real_ms(), 0);
	buf_str(&date, STR("\r\n"));
	r = date.err < 0 ? date.err : arena_dup(&s->tx.arena, buf_view(&date), &s->tx.edit.date);
	if (r < 0)
		return r;
	randombytes_buf(&noise, sizeof(noise));
	id = arena_printf(&s->tx.arena, "Message-ID: <%.*s.%016llx@%.*s>\r\n", STR_ARG(s->tx.id),
	    noise, STR_ARG(s->server->hostname));
	if (id == NULL)
		return E_NOMEM;
	s->tx.edit.message_id = str_c(id);
	s->tx.edit.drop_bcc = true;
	return 0;
}

int
smtp_trace_begin(struct smtp_session *s)
{
	/* Time, session and number: never the same twice, also after a restart. */
	char *id = arena_printf(&s->tx.arena, "%llx-%llx-%x", (unsigned long long)clock_real_ms(),
	    (unsigned long long)conn_id(s->conn), (unsigned)++s->n_messages);

	if (id == NULL)
		return E_NOMEM;
	s->tx.id = str_c(id);
	return s->kind->edits ? make_edit(s) : 0;
}

/*
 * RETR and TOP. RFC 1939 s5, s7
 *
 * The message is read in pieces and put onto the wire as the client takes them. When it cannot be
 * read to its end, the connection is closed without the final dot: the client must not take a part
 * for the whole.
 */
#include "base/error.h"
#include "base/log.h"
#include "serve/pop3/session.h"

/* How much to read next: a small message at once; of a large one the header, then pieces that lie
 * as the body is stored. 0: all was read. */
static size_t
next_piece(const struct pop3_sending *x)
{
	const struct message *m = &x->message;
	uint64_t              end = m->size;

	if (x->off < m->header_n && (x->is_top || m->size > KV_BLOB_PIECE))
		end = m->header_n;
	else if (x->is_top && x->off >= m->header_n && x->lines == 0)
		return 0;
	return end - x->off < KV_BLOB_PIECE ? (size_t)(end - x->off) : KV_BLOB_PIECE;
}

/* The output from `at` on is still to be stuffed. */
static int
stuff_end(struct pop3_stuff *stuff, struct buf *out, size_t at)
{
	OWN_BUF struct buf rest = BUF_INIT(KV_BLOB_PIECE);

	if (at == out->n)
		return 0;
	buf_put(&rest, out->p + at, out->n - at);
	if (rest.err < 0)
		return rest.err;
	out->n = at;
	pop3_stuff_put(stuff, buf_view(&rest), out);
	return 0;
}

/* Reads and puts one piece of at most n bytes: straight into the output, where most of them may
 * stay as they are. */
static int
put_piece(struct pop3_session *s, size_t n)
{
	struct pop3_sending *x = &s->sending;
	struct buf          *out = conn_output(s->conn);
	size_t               at = out->n;
	struct str           text;
	int                  r = message_read(s->box.account, &x->message, x->off, n, out);

	if (r == 0 && out->n == at)
		r = E_CORRUPT;
	if (r < 0)
		return r;
	text = str_of(out->p + at, out->n - at);
	x->off += text.n;
	if (x->is_top && x->off > x->message.header_n)
		text = str_head(text, pop3_take_lines(text, &x->lines));
	s->sent_bytes += text.n;
	out->n = at + text.n;
	return stuff_end(&x->stuff, out, at + pop3_stuff_plain(&x->stuff, text));
}

static void
log_unread(const struct pop3_session *s, int err)
{
	log_event(LOG_ERROR, "pop3-read-failed", LOG_U("session", conn_id(s->conn)),
	    LOG_U("account", account_number(s->box.account)),
	    LOG_U("email", s->sending.message.email), LOG_ERR(err));
}

enum step
pop3_message_more(struct pop3_session *s)
{
	struct pop3_sending *x = &s->sending;
	size_t               n;
	int                  r;

	while ((n = next_piece(x)) != 0) {
		if (conn_output_full(s->conn))
			return STEP_MORE;
		r = put_piece(s, n);
		if (r < 0) {
			log_unread(s, r);
			return STEP_CLOSE;
		}
	}
	pop3_stuff_end(&x->stuff, conn_output(s->conn));
	/* A TOP of more lines than there are is how fetchmail gets mail that it leaves there. */
	if ((!x->is_top || (x->lines > 0 && x->off == x->message.size)) &&
	    pop3_box_fetched(&s->box, x->of, !x->is_top))
		pop3_note_fetched(s);
	pop3_set_state(s, POP3_TRANSACTION);
	return STEP_DONE;
}

/* Has its header bytes that are not ASCII? 1 or 0. */
static int
has_utf8_header(struct pop3_session *s, const struct message *m)
{
	OWN_BUF struct buf piece = BUF_INIT(KV_BLOB_PIECE);

	for (uint64_t off = 0; off < m->header_n; off += piece.n) {
		uint64_t n = m->header_n - off;
		int      r;

		buf_reset(&piece);
		r = message_read(s->box.account, m, off,
		    n < KV_BLOB_PIECE ? (size_t)n : KV_BLOB_PIECE, &piece);
		if (r < 0 || piece.n == 0)
			return r < 0 ? r : E_CORRUPT;
		for (size_t i = 0; i < piece.n; i++)
			if ((unsigned char)piece.p[i] >= 0x80)
				return 1;
	}
	return 0;
}

/* RFC 6856 s2.1, s5: refused, where that is wanted, to a client that did not say UTF8. */
static int
may_be_sent(struct pop3_session *s, const struct message *m)
{
	int r = s->server->pop3.utf8_refused && !s->utf8 ? has_utf8_header(s, m) : 0;

	return r > 0 ? E_NEED_SMTPUTF8 : r;
}

/* Purged meanwhile, or with its account; or it is for the log. */
static enum step
cannot_read(struct pop3_session *s, int err)
{
	if (err == E_NEED_SMTPUTF8) {
		pop3_err_text(s, err, "its header is in UTF-8: say UTF8 before the login");
		return STEP_DONE;
	}
	if (err != E_NOT_FOUND)
		log_unread(s, err);
	pop3_err(s, err == E_NOT_FOUND ? E_MESSAGE_GONE : err);
	return STEP_DONE;
}

static enum step
send_message(struct pop3_session *s, uint32_t number, bool is_top, uint64_t lines)
{
	struct pop3_sending x = { .is_top = is_top, .lines = lines };
	struct buf         *out = conn_output(s->conn);
	size_t              at = out->n, n;
	int                 r = pop3_box_find(&s->box, number, &x.of);

	if (r < 0) {
		pop3_err_text(s, r, "no such message");
		return STEP_DONE;
	}
	x.message = view_message_bytes(x.of);
	s->sending = x;
	r = may_be_sent(s, &x.message);
	if (r < 0)
		return cannot_read(s, r);
	buf_str(out, STR("+OK "));
	buf_u64(out, pop3_box_size(x.of));
	buf_str(out, STR(" octets\r\n"));
	/* As long as nothing was sent of it, there can be another answer. */
	n = next_piece(&s->sending);
	r = n != 0 ? put_piece(s, n) : 0;
	if (r < 0) {
		out->n = at;
		return cannot_read(s, r);
	}
	if (is_top)
		s->n_top++;
	else
		s->n_retr++;
	pop3_set_state(s, POP3_IN_MESSAGE);
	return STEP_DONE;
}

enum step
pop3_retr(struct pop3_session *s, const union pop3_args *a)
{
	return send_message(s, a->number.n, false, 0);
}

enum step
pop3_top(struct pop3_session *s, const union pop3_args *a)
{
	return send_message(s, a->top.n, true, a->top.lines);
}

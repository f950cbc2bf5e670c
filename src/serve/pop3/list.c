/* STAT, LIST and UIDL. RFC 1939 s5, s7 */
#include "base/error.h"
#include "base/log.h"
#include "serve/pop3/session.h"

enum step
pop3_stat(struct pop3_session *s, const union pop3_args *a)
{
	(void)a;
	pop3_ok(s, "%u %llu", s->box.n_left, (unsigned long long)s->box.size_left);
	return STEP_DONE;
}

static void
put_hex(struct buf *to, uint64_t v)
{
	static const char digits[] = "0123456789abcdef";
	char              out[16];

	for (int i = 15; i >= 0; i--, v >>= 4)
		out[i] = digits[v & 15];
	buf_put(to, out, sizeof(out));
}

static int
put_size(struct pop3_session *s, const struct view_message *m, struct buf *to)
{
	(void)s;
	buf_u64(to, pop3_box_size(m));
	return 0;
}

/* One that was moved in from another server, or our own: neither of its numbers is ever used
 * again, so an account that was removed and made anew under the same address shows no unique-id
 * that a client knows already. */
static int
put_uid(struct pop3_session *s, const struct view_message *m, struct buf *to)
{
	struct str moved_in;
	int        r = uidl_read(&s->listing.uidls, s->box.account, m->email, &moved_in);

	if (r == 1) {
		buf_str(to, moved_in);
		return 0;
	}
	put_hex(to, account_number(s->box.account));
	put_hex(to, m->email);
	return r;
}

static int
put_line(struct pop3_session *s, const struct view_message *m, struct buf *to)
{
	int r;

	buf_u64(to, (uint64_t)(m - s->box.view.m) + 1);
	buf_byte(to, ' ');
	r = s->listing.put(s, m, to);
	buf_str(to, STR("\r\n"));
	return r;
}

/* Of one message. */
static enum step
list_one(struct pop3_session *s, uint32_t number)
{
	struct buf          *out = conn_output(s->conn);
	size_t               at = out->n;
	struct view_message *m;
	int                  r;

	if (pop3_box_find(&s->box, number, &m) < 0) {
		pop3_err_text(s, E_NOT_FOUND, "no such message");
		return STEP_DONE;
	}
	buf_str(out, STR("+OK "));
	r = put_line(s, m, out);
	pop3_listing_done(s);
	if (r < 0) {
		out->n = at;
		pop3_err(s, r);
	}
	return STEP_DONE;
}

void
pop3_listing_done(struct pop3_session *s)
{
	uidl_reader_done(&s->listing.uidls);
	s->listing.next = 0;
}

static enum step
list_with(struct pop3_session *s, const union pop3_args *a, pop3_put_fn *put)
{
	s->listing = (struct pop3_listing){ .put = put };
	if (!a->number.given) {
		pop3_ok(s, "%u messages (%llu octets)", s->box.n_left,
		    (unsigned long long)s->box.size_left);
		pop3_set_state(s, POP3_IN_LIST);
		return STEP_DONE;
	}
	return list_one(s, a->number.n);
}

enum step
pop3_list(struct pop3_session *s, const union pop3_args *a)
{
	return list_with(s, a, put_size);
}

enum step
pop3_uidl(struct pop3_session *s, const union pop3_args *a)
{
	return list_with(s, a, put_uid);
}

/* When something cannot be read the connection is closed without the final dot: the client must not
 * take a part for the whole. */
enum step
pop3_list_more(struct pop3_session *s)
{
	struct buf *out = conn_output(s->conn);

	for (; s->listing.next < s->box.view.n; s->listing.next++) {
		const struct view_message *m = &s->box.view.m[s->listing.next];
		int                        r = 0;

		if (conn_output_full(s->conn))
			return STEP_MORE;
		if ((m->marks & POP3_DELETED) == 0)
			r = put_line(s, m, out);
		if (r < 0) {
			log_event(LOG_ERROR, "pop3-list-failed", LOG_U("session", conn_id(s->conn)),
			    LOG_U("account", account_number(s->box.account)), LOG_ERR(r));
			return STEP_CLOSE;
		}
	}
	pop3_listing_done(s);
	buf_str(out, STR(".\r\n"));
	pop3_set_state(s, POP3_TRANSACTION);
	return STEP_DONE;
}

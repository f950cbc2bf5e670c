/* STAT, LIST and UIDL. RFC 1939 s5, s7 */
#include "base/error.h"
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

static void
put_size(const struct pop3_session *s, const struct pop3_entry *e, struct buf *to)
{
	(void)s;
	buf_u64(to, e->size);
}

/* Neither number is ever used again, so an account that was removed and made anew under the same
 * address shows no unique-id that a client knows already. */
static void
put_uid(const struct pop3_session *s, const struct pop3_entry *e, struct buf *to)
{
	put_hex(to, account_number(s->box.account));
	put_hex(to, e->email);
}

static void
put_line(const struct pop3_session *s, const struct pop3_entry *e, struct buf *to)
{
	buf_u64(to, (uint64_t)(e - s->box.e) + 1);
	buf_byte(to, ' ');
	s->listing.put(s, e, to);
	buf_str(to, STR("\r\n"));
}

static enum step
list_with(struct pop3_session *s, const union pop3_args *a,
    void (*put)(const struct pop3_session *, const struct pop3_entry *, struct buf *))
{
	struct pop3_entry *e;

	s->listing = (struct pop3_listing){ .put = put };
	if (!a->number.given) {
		pop3_ok(s, "%u messages (%llu octets)", s->box.n_left,
		    (unsigned long long)s->box.size_left);
		pop3_set_state(s, POP3_IN_LIST);
		return STEP_DONE;
	}
	if (pop3_box_find(&s->box, a->number.n, &e) < 0) {
		pop3_err_text(s, E_NOT_FOUND, "no such message");
		return STEP_DONE;
	}
	buf_str(conn_output(s->conn), STR("+OK "));
	put_line(s, e, conn_output(s->conn));
	return STEP_DONE;
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

enum step
pop3_list_more(struct pop3_session *s)
{
	struct buf *out = conn_output(s->conn);

	for (; s->listing.next < s->box.n; s->listing.next++) {
		if (conn_output_full(s->conn))
			return STEP_MORE;
		if (!s->box.e[s->listing.next].deleted)
			put_line(s, &s->box.e[s->listing.next], out);
	}
	buf_str(out, STR(".\r\n"));
	pop3_set_state(s, POP3_TRANSACTION);
	return STEP_DONE;
}

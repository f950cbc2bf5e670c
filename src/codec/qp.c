#include "codec/qp.h"

enum { LINE_MAX_CHARS = 76 };

int
qp_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* How many bytes at the front mean themselves whatever follows. */
static size_t
plain_run(struct str s)
{
	size_t n = 0;

	while (n < s.n && s.p[n] != '=' && !is_blank(s.p[n]))
		n++;
	return n;
}

static void
flush_held(struct qp_decoder *d, struct buf *to)
{
	buf_put(to, d->held, d->n);
	d->n = 0;
}

/* A line end after held bytes: a soft break vanishes, blanks go. */
static void
end_line(struct qp_decoder *d, struct buf *to)
{
	if (d->held[0] != '=') {
		if (d->held[d->n - 1] == '\r')
			buf_byte(to, '\r');
		buf_byte(to, '\n');
	}
	d->n = 0;
}

/* Takes c into the held bytes, or settles them; false when c is still to be looked at. */
static bool
decide(struct qp_decoder *d, char c, struct buf *to)
{
	bool escape = d->held[0] == '=';
	char last = d->held[d->n - 1];

	if (c == '\n') {
		if (escape && qp_hex_value(last) >= 0) {
			flush_held(d, to);
			return false;
		}
		end_line(d, to);
		return true;
	}
	if (escape && d->n == 2 && qp_hex_value(last) >= 0 && qp_hex_value(c) >= 0) {
		buf_byte(to, (char)(qp_hex_value(last) << 4 | qp_hex_value(c)));
		d->n = 0;
		return true;
	}
	if (d->n < QP_HELD && last != '\r' && !(escape && qp_hex_value(last) >= 0) &&
	    (is_blank(c) || c == '\r' || (escape && d->n == 1 && qp_hex_value(c) >= 0))) {
		d->held[d->n++] = c;
		return true;
	}
	flush_held(d, to);
	return false;
}

void
qp_decoder_feed(struct qp_decoder *d, struct str s, struct buf *to)
{
	while (s.n != 0 && to->err == 0) {
		size_t run;

		if (d->n != 0) {
			if (decide(d, s.p[0], to))
				s = str_skip(s, 1);
			continue;
		}
		run = plain_run(s);
		buf_str(to, str_head(s, run));
		s = str_skip(s, run);
		if (s.n != 0) {
			d->held[d->n++] = s.p[0];
			s = str_skip(s, 1);
		}
	}
}

void
qp_decoder_end(struct qp_decoder *d, struct buf *to)
{
	bool keep = d->n != 0 && qp_hex_value(d->held[d->n - 1]) >= 0;

	if (keep)
		buf_put(to, d->held, d->n);
	d->n = 0;
}

static void
put_escaped(char c, struct buf *to)
{
	static const char HEX[16] = "0123456789ABCDEF";
	char              three[3] = { '=', HEX[(unsigned char)c >> 4], HEX[c & 15] };

	buf_put(to, three, 3);
}

void
qp_encode(struct str s, struct buf *to)
{
	size_t column = 0;

	for (size_t i = 0; i < s.n; i++) {
		char   c = s.p[i];
		bool   crlf = c == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';
		bool   last = i + 1 == s.n || s.p[i + 1] == '\r' || s.p[i + 1] == '\n';
		bool   plain = (c > ' ' && c <= '~' && c != '=') || (is_blank(c) && !last);
		size_t width = plain ? 1 : 3;

		if (crlf) {
			buf_put(to, "\r\n", 2);
			column = 0;
			i++;
			continue;
		}
		/* The last column belongs to the '=' of a soft break. */
		if (column + width > LINE_MAX_CHARS - 1) {
			buf_put(to, "=\r\n", 3);
			column = 0;
		}
		if (plain)
			buf_byte(to, c);
		else
			put_escaped(c, to);
		column += width;
	}
}

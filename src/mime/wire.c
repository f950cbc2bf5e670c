#include "mime/wire.h"

enum { ESCAPE = 1, LITERAL = 2, NUL = 4 };

static const uint8_t CARE[256] = {
	[0] = LITERAL | NUL, ['\r'] = LITERAL, ['\n'] = LITERAL, ['"'] = ESCAPE, ['\\'] = ESCAPE,
	[0x80 ... 0xff] = LITERAL,
};

static uint8_t
care_for(struct str s)
{
	uint8_t care = 0;

	for (size_t i = 0; i < s.n; i++)
		care |= CARE[(unsigned char)s.p[i]];
	return s.n > WIRE_QUOTED_MAX ? care | LITERAL : care;
}

static void
put_quoted(struct buf *to, struct str s, bool escape)
{
	char  *q = buf_room(to, s.n * 2 + 2);
	size_t n = 0;

	if (q == NULL)
		return;
	q[n++] = '"';
	if (!escape && s.n != 0) {
		memcpy(q + n, s.p, s.n);
		n += s.n;
	}
	for (size_t i = 0; escape && i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			q[n++] = '\\';
		q[n++] = s.p[i];
	}
	q[n++] = '"';
	buf_commit(to, n);
}

static void
put_literal(struct buf *to, struct str s, bool has_nul)
{
	size_t n = s.n;

	for (size_t i = 0; has_nul && i < s.n; i++)
		n += s.p[i] == '\0' ? 2 : 0;
	buf_byte(to, '{');
	buf_u64(to, n);
	buf_put(to, "}\r\n", 3);
	while (has_nul && s.n != 0) {
		buf_str(to, str_cut(&s, '\0'));
		if (s.p[-1] == '\0')
			buf_put(to, "\xef\xbf\xbd", 3);
	}
	buf_str(to, s);
}

void
wire_string(struct buf *to, struct str s)
{
	uint8_t care = care_for(s);

	if ((care & LITERAL) != 0)
		put_literal(to, s, (care & NUL) != 0);
	else
		put_quoted(to, s, (care & ESCAPE) != 0);
}

void
wire_nil(struct buf *to)
{
	buf_put(to, "NIL", 3);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
put_collapsed(struct buf *to, struct str s)
{
	while (s.n != 0) {
		size_t n = 0;

		while (n < s.n && !is_blank(s.p[n]))
			n++;
		buf_str(to, str_head(s, n));
		s = str_skip(s, n);
		if (s.n != 0)
			buf_byte(to, ' ');
		while (s.n != 0 && is_blank(s.p[0]))
			s = str_skip(s, 1);
	}
}

void
wire_text(struct buf *to, struct str s)
{
	bool single = true;

	s = str_trim(s);
	for (size_t i = 0; i < s.n && single; i++)
		single = !is_blank(s.p[i]) || (s.p[i] == ' ' && s.p[i + 1] != ' ');
	if (single) {
		wire_string(to, s);
	} else {
		OWN_BUF struct buf text = BUF_INIT(s.n);

		put_collapsed(&text, s);
		wire_string(to, buf_view(&text));
		if (text.err < 0)
			to->err = text.err;
	}
}

void
wire_unfolded(struct buf *to, struct str s)
{
	OWN_BUF struct buf text = BUF_INIT(s.n);

	while (s.n != 0 && is_blank(s.p[0]))
		s = str_skip(s, 1);
	if (str_find_byte(s, '\r') == s.n && str_find_byte(s, '\n') == s.n) {
		wire_string(to, s);
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		bool crlf = s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n';

		if (!crlf && s.p[i] != '\n')
			buf_byte(&text, s.p[i] == '\r' ? ' ' : s.p[i]);
	}
	wire_string(to, buf_view(&text));
	if (text.err < 0)
		to->err = text.err;
}

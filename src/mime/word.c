/* Encoded words in header fields. RFC 2047; RFC 2231 s5 (language) */
#include "mime/header.h"

#include "base/error.h"
#include "codec/base64.h"
#include "codec/charset.h"
#include "codec/qp.h"

/* Each run of words opens its charset; a field with more of them than RUNS_MAX is made to cost. */
enum { CHARSET_MAX = 64, RUNS_MAX = 500 };

struct word {
	struct str charset;
	struct str text;
	bool       is_base64;
};

/* "=?charset?Q?text?=" at the front of s: its length, or 0. Blanks in the text are let through.
 * *no_end is set when no "?=" follows any more, so that nobody looks for it again. */
static size_t
match_word(struct str s, struct word *w, bool *no_end)
{
	struct str rest = str_skip(s, 2), charset = str_head(rest, CHARSET_MAX);
	size_t     mark = str_find_byte(charset, '?'), end;
	char       kind;

	if (mark == charset.n || mark == 0 || rest.n < mark + 5 || rest.p[mark + 2] != '?')
		return 0;
	for (size_t i = 0; i < mark; i++)
		if ((unsigned char)charset.p[i] <= ' ')
			return 0;
	kind = ascii_lower(rest.p[mark + 1]);
	if (kind != 'q' && kind != 'b')
		return 0;
	charset.n = mark;
	w->charset = str_head(charset, str_find_byte(charset, '*'));
	w->is_base64 = kind == 'b';
	rest = str_skip(rest, mark + 3);
	end = str_find(rest, STR("?="));
	if (end == rest.n) {
		*no_end = true;
		return 0;
	}
	w->text = str_head(rest, end);
	return (size_t)(rest.p - s.p) + end + 2;
}

/* RFC 2047 s4.2: quoted-printable with '_' for the space. */
static void
put_q(struct str s, struct buf *to)
{
	for (size_t i = 0; i < s.n; i++) {
		bool escape = s.p[i] == '=' && i + 2 < s.n && qp_hex_value(s.p[i + 1]) >= 0 &&
		    qp_hex_value(s.p[i + 2]) >= 0;

		if (escape) {
			int high = qp_hex_value(s.p[i + 1]);

			buf_byte(to, (char)(high << 4 | qp_hex_value(s.p[i + 2])));
			i += 2;
		} else if (s.p[i] != '\r' && s.p[i] != '\n') {
			buf_byte(to, s.p[i] == '_' ? ' ' : s.p[i]);
		}
	}
}

static void
put_word(const struct word *w, struct buf *to)
{
	struct base64_decoder d = { 0 };

	if (!w->is_base64) {
		put_q(w->text, to);
		return;
	}
	base64_decoder_feed(&d, w->text, to);
	base64_decoder_end(&d, to);
}

static size_t
blank_run(struct str s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t' || s.p[n] == '\r' || s.p[n] == '\n'))
		n++;
	return n;
}

/* A word may hold line ends and NULs in disguise; they would break what prints the result. */
static void
put_without_breaks(struct buf *from, struct buf *to)
{
	for (size_t i = 0; i < from->n; i++)
		if (from->p[i] == '\r' || from->p[i] == '\n' || from->p[i] == '\0')
			from->p[i] = ' ';
	buf_str(to, buf_view(from));
}

/* Text outside of words: UTF-8, or what was meant by other 8-bit bytes. */
static int
put_plain(struct str s, struct buf *to)
{
	while (s.n != 0) {
		size_t n = 0;
		int    r;

		while (n < s.n && s.p[n] != '\r' && s.p[n] != '\n')
			n++;
		r = charset_to_utf8(STR_NONE, str_head(s, n), to);
		if (r < 0)
			return r;
		s = str_skip(s, n + 1);
	}
	return 0;
}

/* The words at the front of s that follow one another in one charset: decoded as one text, for
 * senders cut characters in two. Returns the length taken, or 0. Words of an unknown charset are
 * put as they are, behind the blanks before them. */
static size_t
take_words(struct str s, struct str blanks, struct buf *to, bool *ret_decoded, bool *no_end)
{
	OWN_BUF struct buf bytes = BUF_INIT(s.n), utf8 = BUF_INIT(s.n * 4 + 16);
	struct word        w, next;
	size_t             taken = match_word(s, &w, no_end), more;
	int                r;

	if (taken == 0)
		return 0;
	put_word(&w, &bytes);
	for (;;) {
		struct str rest = str_skip(s, taken);
		size_t     gap = blank_run(rest);

		rest = str_skip(rest, gap);
		more = str_starts(rest, STR("=?")) ? match_word(rest, &next, no_end) : 0;
		if (more == 0 || !str_ieq(next.charset, w.charset))
			break;
		put_word(&next, &bytes);
		taken += gap + more;
	}
	r = charset_to_utf8(w.charset, buf_view(&bytes), &utf8);
	*ret_decoded = r != E_UNSUPPORTED;
	if (r == E_UNSUPPORTED) {
		r = put_plain(blanks, to);
		if (r == 0)
			r = put_plain(str_head(s, taken), to);
	}
	if (r < 0 || bytes.err < 0)
		to->err = r < 0 ? r : bytes.err;
	put_without_breaks(&utf8, to);
	return taken;
}

static int
decode(struct str s, struct buf *to)
{
	bool after_word = false, no_end = false;
	int  r = 0, runs = 0;

	while (s.n != 0 && r == 0) {
		size_t     at = no_end || runs == RUNS_MAX ? s.n : str_find(s, STR("=?"));
		struct str before = str_head(s, at);
		bool       gap = after_word && blank_run(before) == at;
		size_t     taken = 0;

		/* Blanks between two words are not shown. RFC 2047 s6.2 */
		if (!gap)
			r = put_plain(before, to);
		s = str_skip(s, at);
		if (s.n != 0)
			taken = take_words(s, gap ? before : STR_NONE, to, &after_word, &no_end);
		if (taken == 0) {
			if (gap)
				r = put_plain(before, to);
			after_word = false;
			taken = s.n < 2 ? s.n : 2;
			buf_str(to, str_head(s, taken));
		}
		runs++;
		s = str_skip(s, taken);
		if (r == 0)
			r = to->err;
	}
	return r;
}

int
header_decode(struct str value, struct arena *arena, struct str *ret)
{
	OWN_BUF struct buf text = BUF_INIT(value.n * 4 + 64);
	int                r = decode(str_trim(value), &text);

	return r < 0 ? r : arena_dup(arena, buf_view(&text), ret);
}

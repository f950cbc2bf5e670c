/* The values of an IMAP answer. */
#include "load/lex.h"

#include "base/error.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* What a byte may end, a word or plain text inside quotes; a table, for this is where the time of
 * reading lists goes. BRACKET ends nothing, but wants a look at what follows. */
enum { WORD = 1, RUN = 2, BRACKET = 4 };

static const unsigned char ENDS[256] = { [' '] = WORD, ['('] = WORD, [')'] = WORD, ['['] = BRACKET,
	['\r'] = WORD | RUN, ['\n'] = WORD | RUN, ['"'] = WORD | RUN, ['\\'] = RUN };

static inline bool
ends_word(char c)
{
	return ENDS[(unsigned char)c] & WORD;
}

/* A word that is all there and has no brackets. */
static bool
plain_word(struct feed *f, struct str *ret)
{
	const char *p = f->p;

	while (p < f->end && !(ENDS[(unsigned char)*p] & (WORD | BRACKET)))
		p++;
	if (p == f->end || p == f->p || !ends_word(*p))
		return false;
	*ret = str_of(f->p, (size_t)(p - f->p));
	f->p = p;
	return true;
}

int
lex_word(struct feed *f, struct str *ret)
{
	size_t at = 0;
	int    r, depth = 0;
	char   c;

	if (plain_word(f, ret))
		return 0;
	for (;; at++) {
		if ((size_t)(f->end - f->p) == at) {
			r = f->more(f);
			if (r < 0)
				return r;
		}
		c = f->p[at];
		depth += (c == '[') - (c == ']' && depth > 0);
		if (depth == 0 ? ends_word(c) : c == '\r' || c == '\n')
			break;
	}
	if (at == 0 || depth != 0)
		return E_SYNTAX;
	*ret = str_of(f->p, at);
	f->p += at;
	return 0;
}

/* `{123}` or `{123+}` and its line end, RFC 9051 s4.3; the brace is not taken yet. */
static int
literal_head(struct feed *f, uint64_t *ret)
{
	uint64_t n;
	int      r;

	r = feed_expect(f, '{');
	if (r == 0)
		r = feed_u64(f, &n);
	if (r == 0 && feed_peek(f) == '+')
		f->p++;
	if (r == 0)
		r = feed_expect(f, '}');
	if (r == 0)
		r = feed_crlf(f);
	if (r == 0)
		*ret = n;
	return r;
}

static int
take_literal(struct feed *f, struct sink *sink, struct lex_value *ret)
{
	uint64_t n;
	int      r = literal_head(f, &n);

	if (r == 0)
		r = feed_bytes(f, n, sink);
	if (r == 0)
		*ret = (struct lex_value){ LEX_LITERAL, n };
	return r;
}

/* What needs a look inside quotes. */
static inline bool
ends_run(char c)
{
	return ENDS[(unsigned char)c] & RUN;
}

static int
take_quoted(struct feed *f, struct sink *sink, struct lex_value *ret)
{
	uint64_t n = 0;
	size_t   run;
	int      c;

	f->p++;
	for (;;) {
		c = feed_peek(f);
		if (c < 0)
			return c;
		if (c == '"')
			break;
		if (c == '\\') {
			f->p++;
			c = feed_peek(f);
			if (c != '"' && c != '\\')
				return c < 0 ? c : E_SYNTAX;
		}
		if (c == '\r' || c == '\n')
			return E_SYNTAX;
		for (run = 1; f->p + run < f->end && !ends_run(f->p[run]); run++)
			;
		if (sink != NULL)
			sink->put(sink, str_of(f->p, run));
		f->p += run;
		n += run;
	}
	f->p++;
	*ret = (struct lex_value){ LEX_STRING, n };
	return 0;
}

static int
take_atom(struct feed *f, struct sink *sink, struct lex_value *ret)
{
	struct str word;
	int        r = lex_word(f, &word);

	if (r < 0)
		return r;
	if (str_ieq(word, STR("NIL"))) {
		*ret = (struct lex_value){ LEX_NIL, 0 };
		return 0;
	}
	if (sink != NULL)
		sink->put(sink, word);
	*ret = (struct lex_value){ LEX_ATOM, word.n };
	return 0;
}

/* A text: anything but a list. */
static int
take_text(struct feed *f, struct sink *sink, struct lex_value *ret)
{
	int c = feed_peek(f);

	if (c < 0)
		return c;
	if (c == '"')
		return take_quoted(f, sink, ret);
	if (c == '~') {
		f->p++;
		return take_literal(f, sink, ret);
	}
	if (c == '{')
		return take_literal(f, sink, ret);
	return take_atom(f, sink, ret);
}

/* The first byte of p..end that ends a run, or end. */
static const char *
skip_run(const char *p, const char *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"'), back = _mm_set1_epi8('\\');
	const __m128i cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n');
	__m128i       s, hits;
	unsigned      mask;

	for (; end - p >= (ptrdiff_t)sizeof(s); p += sizeof(s)) {
		s = _mm_loadu_si128((const void *)p);
		hits = _mm_or_si128(
		    _mm_or_si128(_mm_cmpeq_epi8(s, quote), _mm_cmpeq_epi8(s, back)),
		    _mm_or_si128(_mm_cmpeq_epi8(s, cr), _mm_cmpeq_epi8(s, lf)));
		mask = (unsigned)_mm_movemask_epi8(hits);
		if (mask != 0)
			return p + __builtin_ctz(mask);
	}
#endif
	for (; p < end && !ends_run(*p); p++)
		;
	return p;
}

/* A text inside a list that lies whole in the feed: past its end, or NULL. The same texts are
 * taken as by take_text; nobody wants their bytes. */
static const char *
skip_text(const char *p, const char *end)
{
	if (*p == '"') {
		p = skip_run(p + 1, end);
		return p < end && *p == '"' ? p + 1 : NULL;
	}
	if (*p == '{' || *p == '~')
		return NULL;
	if (end - p > 3 && memcmp(p, "NIL", 3) == 0 && (p[3] == ' ' || p[3] == ')'))
		return p + 3;
	while (p < end && !ends_word(*p) && *p != '[')
		p++;
	return p < end && *p != '[' && *p != '"' ? p : NULL;
}

/* As far as all is there: parentheses, blanks and plain texts. Stops before anything else. */
static int
skip_in_list(struct feed *f, unsigned *depth, uint64_t *members)
{
	const char *p = f->p, *next;

	for (; p < f->end; p = next) {
		next = p + 1;
		if (*p == ' ')
			continue;
		if (*p == ')') {
			if (--*depth == 0)
				break;
			continue;
		}
		*members += *depth == 1;
		if (*p == '(') {
			if (++*depth > LEX_DEPTH_MAX)
				return E_LIMIT;
			continue;
		}
		next = skip_text(p, f->end);
		if (next == NULL || next == p) {
			*members -= *depth == 1;
			break;
		}
	}
	f->p = p;
	return 0;
}

/* A list with all that is in it; counts the members of the outermost. */
static int
take_list(struct feed *f, struct lex_value *ret)
{
	struct lex_value inner;
	uint64_t         members = 0;
	unsigned         depth = 1;
	int              r;

	f->p++;
	for (;;) {
		r = skip_in_list(f, &depth, &members);
		if (r == 0)
			r = feed_peek(f);
		if (r < 0)
			return r;
		if (depth == 0)
			break;
		if (*f->p == ' ' || *f->p == '(' || *f->p == ')')
			continue; /* more has come */
		members += depth == 1;
		r = take_text(f, NULL, &inner);
		if (r < 0)
			return r;
	}
	f->p++; /* the parenthesis at which depth became 0 */
	*ret = (struct lex_value){ LEX_LIST, members };
	return 0;
}

int
lex_value(struct feed *f, struct sink *sink, struct lex_value *ret)
{
	int c = feed_peek(f);

	if (c < 0)
		return c;
	return c == '(' ? take_list(f, ret) : take_text(f, sink, ret);
}

int
lex_rest(struct feed *f)
{
	struct str line;
	uint64_t   n;
	size_t     brace;
	int        r;

	for (;;) {
		r = feed_line(f, &line);
		if (r < 0)
			return r;
		if (line.n == 0 || line.p[line.n - 1] != '}')
			return 0;
		brace = str_rfind_byte(line, '{');
		line = str_skip(str_head(line, line.n - 1), brace + 1);
		if (str_ends(line, STR("+")))
			line.n--;
		if (str_to_u64(line, &n) < 0)
			return 0; /* free text that ends so */
		r = feed_bytes(f, n, NULL);
		if (r < 0)
			return r;
	}
}

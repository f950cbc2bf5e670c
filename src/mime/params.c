#include "mime/params.h"

#include "mime/lex.h"

/* "name*2*": base "name", section 2, encoded. "name*" alone is section 0. RFC 2231 s3, s4 */
struct piece {
	struct param param;
	struct str   base;
	uint32_t     section;
	bool         is_piece;
	bool         is_numbered;
	bool         is_encoded;
};

static struct piece
piece_of(struct param p)
{
	struct piece out = { .param = p, .base = p.name };
	struct str   name = p.name;
	size_t       star;

	if (name.n > 1 && name.p[name.n - 1] == '*') {
		out.is_encoded = true;
		name.n--;
	}
	star = str_rfind_byte(name, '*');
	if (star == name.n) {
		out.is_piece = out.is_encoded;
		out.base = name;
	} else if (str_to_u32(str_skip(name, star + 1), &out.section) == 0) {
		out.is_piece = out.is_numbered = true;
		out.base = str_head(name, star);
	}
	return out;
}

static bool
is_before(const struct piece *a, const struct piece *b)
{
	int c = str_icmp(a->base, b->base);

	return c != 0 ? c < 0 : a->section < b->section;
}

/* n is at most PARAMS_MAX. */
static void
sort(struct piece *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		struct piece x = v[i];
		uint32_t     k = i;

		for (; k > 0 && is_before(&x, &v[k - 1]); k--)
			v[k] = v[k - 1];
		v[k] = x;
	}
}

static void
put_percent_escaped(struct buf *to, struct str s)
{
	while (s.n != 0) {
		size_t n = str_find_byte(s, '%');

		buf_str(to, str_head(s, n));
		if (n < s.n)
			buf_put(to, "%25", 3);
		s = str_skip(s, n + 1);
	}
}

/* The text takes all its memory at the first use and never moves: items are slices of it. */
static struct buf *
text_of(struct params *ps)
{
	if (ps->text.p == NULL)
		buf_room(&ps->text, ps->text.max);
	return &ps->text;
}

static struct str
text_since(const struct buf *text, size_t start)
{
	return str_of(text->p != NULL ? text->p + start : "", text->n - start);
}

/* The n pieces of one name, sections 0 to n-1. */
static struct param
join(struct params *ps, const struct piece *v, uint32_t n)
{
	struct param out = { .name = v[0].base };
	size_t       start = ps->text.n;
	bool         encoded = false;

	for (uint32_t i = 0; i < n; i++)
		encoded = encoded || v[i].is_encoded;
	if (encoded && !v[0].is_encoded)
		buf_put(text_of(ps), "''", 2);
	for (uint32_t i = 0; i < n; i++) {
		if (encoded && !v[i].is_encoded)
			put_percent_escaped(text_of(ps), v[i].param.value);
		else
			buf_str(text_of(ps), v[i].param.value);
	}
	/* The base stands before a '*' in the field: a slice one longer. */
	if (encoded)
		out.name = str_of(v[0].param.name.p, v[0].base.n + 1);
	out.value = text_since(&ps->text, start);
	return out;
}

static void
add_group(struct params *ps, const struct piece *v, uint32_t n)
{
	bool whole = n > 1 || v[0].is_numbered;

	for (uint32_t i = 0; i < n; i++)
		whole = whole && v[i].section == i;
	if (whole) {
		ps->item[ps->n++] = join(ps, v, n);
		return;
	}
	for (uint32_t i = 0; i < n; i++)
		ps->item[ps->n++] = v[i].param;
}

static void
add_pieces(struct params *ps, struct piece *v, uint32_t n)
{
	uint32_t from = 0;

	sort(v, n);
	while (from < n) {
		uint32_t to = from + 1;

		while (to < n && str_ieq(v[to].base, v[from].base))
			to++;
		add_group(ps, v + from, to - from);
		from = to;
	}
}

/* To the next ';' or the end. A quoted string is skipped as a whole. */
static void
skip_junk(struct str *s)
{
	struct str ignored;

	while (s->n != 0 && !lex_peek(*s, ';')) {
		if (lex_peek(*s, '"'))
			lex_quoted(s, &ignored);
		else
			*s = str_skip(*s, 1);
	}
}

/* RFC 2045 s5.1 wants quotes around more than a token; senders forget them. */
static struct str
take_bare_value(struct str *s)
{
	size_t     n = 0;
	struct str value;

	while (n < s->n && (unsigned char)s->p[n] > ' ' && s->p[n] != ';' && s->p[n] != '"' &&
	    s->p[n] != '(' && s->p[n] != 0x7f)
		n++;
	value = str_head(*s, n);
	*s = str_skip(*s, n);
	return value;
}

static bool
take_value(struct params *ps, struct str *s, struct str *ret)
{
	size_t start = ps->text.n;

	if (!lex_peek(*s, '"')) {
		*ret = take_bare_value(s);
		return true;
	}
	if (!lex_quoted(s, ret))
		return false;
	if (str_find_byte(*ret, '\\') != ret->n || str_find_byte(*ret, '\r') != ret->n ||
	    str_find_byte(*ret, '\n') != ret->n) {
		lex_put_unquoted(*ret, text_of(ps));
		*ret = text_since(&ps->text, start);
	}
	return true;
}

static bool
take_param(struct params *ps, struct str *s, struct param *ret)
{
	if (!lex_cfws(s, NULL))
		return false;
	ret->name = lex_token(s);
	return lex_cfws(s, NULL) && lex_take(s, '=') && lex_cfws(s, NULL) &&
	    take_value(ps, s, &ret->value);
}

void
params_init(struct params *ps, struct str s, uint32_t max)
{
	struct piece pieces[PARAMS_MAX];
	uint32_t     n_pieces = 0;
	struct param p;

	ps->n = 0;
	/* Each byte of the field comes twice at most: unquoted, and joined with '%' as "%25". */
	ps->text = BUF_INIT(s.n * 4 + 2 * PARAMS_MAX);
	if (max > PARAMS_MAX)
		max = PARAMS_MAX;
	while (ps->n + n_pieces < max && s.n != 0) {
		/* A missing ';' is forgiven where "name=value" follows all the same. */
		bool is_due = lex_take(&s, ';');

		if (!take_param(ps, &s, &p) || (p.name.n == 0 && !is_due)) {
			skip_junk(&s);
			continue;
		}
		pieces[n_pieces] = piece_of(p);
		if (pieces[n_pieces].is_piece)
			n_pieces++;
		else
			ps->item[ps->n++] = p;
	}
	add_pieces(ps, pieces, n_pieces);
}

void
params_done(struct params *ps)
{
	buf_done(&ps->text);
}

struct str
params_get(const struct params *ps, struct str name)
{
	for (uint32_t i = 0; i < ps->n; i++)
		if (str_ieq(ps->item[i].name, name))
			return ps->item[i].value;
	return STR_NONE;
}

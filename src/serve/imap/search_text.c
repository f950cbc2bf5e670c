#include "serve/imap/search_text.h"

#include "base/error.h"
#include "codec/casefold.h"
#include "codec/charset.h"

enum { WORK_MAX = 4 << 20, CARRY_MAX = 64 << 20 };

/* --- the strings --- */

/* In fields a run of blanks is one blank. */
static void
squeeze_blanks(struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		char c = b->p[i] == '\t' ? ' ' : b->p[i];

		if (c != ' ' || n == 0 || b->p[n - 1] != ' ')
			b->p[n++] = c;
	}
	b->n = n;
}

/* Bytes that are no UTF-8 come from clients that say nothing of their charset. */
static int
fold_string(struct str text, bool squeeze, struct arena *a, struct str *ret)
{
	OWN_BUF struct buf utf8 = BUF_INIT(WORK_MAX), folded = BUF_INIT(WORK_MAX);
	int                r = charset_to_utf8(STR_NONE, text, &utf8);

	if (r < 0)
		return r;
	casefold(buf_view(&utf8), &folded);
	if (squeeze)
		squeeze_blanks(&folded);
	return folded.err < 0 ? folded.err : arena_dup(a, buf_view(&folded), ret);
}

/* Names of fields are ASCII: folded they are in capitals. */
static int
fold_name(struct str name, struct arena *a, struct str *ret)
{
	char *p = arena_alloc(a, name.n + 1);

	if (p == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < name.n; i++)
		p[i] = ascii_upper(name.p[i]);
	*ret = str_of(p, name.n);
	return 0;
}

int
search_strings_add(struct search_strings *set, const struct search_new_string *add,
    struct arena *a, size_t *ret)
{
	struct search_string s = { .where = add->where };
	struct str           folded;
	int                  r;

	if (set->n == SEARCH_STRINGS_MAX || add->text.n > SEARCH_STRING_MAX)
		return E_LIMIT;
	if (set->s == NULL)
		set->s = arena_alloc(a, SEARCH_STRINGS_MAX * sizeof(*set->s));
	if (set->s == NULL)
		return E_NOMEM;
	r = fold_string(add->text, s.where == SEARCH_IN_FIELD, a, &folded);
	if (r == 0)
		r = fold_name(add->field, a, &s.field);
	if (r < 0)
		return r;
	find_init(&s.find, folded);
	if (folded.n > set->longest)
		set->longest = folded.n;
	set->in_top |= s.where == SEARCH_IN_FIELD;
	set->beyond |= s.where != SEARCH_IN_FIELD;
	*ret = set->n;
	set->s[set->n++] = s;
	return 0;
}

/* --- one message --- */

void
search_look_init(struct search_look *look, const struct search_strings *set)
{
	*look = (struct search_look){ .strings = set, .carry = BUF_INIT(CARRY_MAX) };
}

void
search_look_done(struct search_look *look)
{
	buf_done(&look->carry);
}

void
search_look_begin(struct search_look *look)
{
	for (size_t i = 0; i < look->strings->n; i++)
		look->known[i] = SEARCH_UNKNOWN;
	look->has_text = look->has_date = false;
	buf_reset(&look->carry);
}

void
search_look_text(struct search_look *look, const struct text *text, bool top_only)
{
	look->text = *text;
	look->has_text = true;
	look->top_only = top_only;
	search_look_date(look, &text->date);
}

void
search_look_date(struct search_look *look, const struct text_date *date)
{
	look->date = *date;
	look->has_date = true;
}

/* A field of that name with the string in its value? */
static bool
has_field(const struct search_string *s, struct str top)
{
	if (!find_has(&s->find, top))
		return false;
	while (top.n != 0) {
		struct str field = str_cut(&top, TEXT_END);
		size_t     colon = str_find_byte(field, ':');

		if (str_eq(str_head(field, colon), s->field) &&
		    find_has(&s->find, str_skip(field, colon + 2)))
			return true;
	}
	return false;
}

static enum search_known
look_for(const struct search_look *look, const struct search_string *s)
{
	const struct text *t = &look->text;
	bool               found;

	switch (s->where) {
	case SEARCH_IN_FIELD:
		found = has_field(s, str_head(t->folded, t->top_n));
		break;
	case SEARCH_IN_BODY:
		found = !look->top_only && find_has(&s->find, str_skip(t->folded, t->head_n));
		break;
	default:
		found = find_has(&s->find, t->folded);
		break;
	}
	if (!found && look->top_only && s->where != SEARCH_IN_FIELD)
		return SEARCH_UNKNOWN;
	return found ? SEARCH_YES : SEARCH_NO;
}

enum search_known
search_look_known(struct search_look *look, size_t i)
{
	if (look->known[i] == SEARCH_UNKNOWN && look->has_text)
		look->known[i] = look_for(look, &look->strings->s[i]);
	return look->known[i];
}

/* --- piece by piece --- */

static void
look_in_piece(struct search_look *look, const struct text_piece *piece, struct str text)
{
	for (size_t i = 0; i < look->strings->n; i++) {
		const struct search_string *s = &look->strings->s[i];
		bool                        found;

		if (look->known[i] == SEARCH_YES)
			continue;
		if (s->where == SEARCH_IN_FIELD)
			found = piece->where == TEXT_IN_TOP && str_ieq(piece->name, s->field) &&
			    find_has(&s->find, str_skip(text, piece->value));
		else
			found = (s->where == SEARCH_IN_TEXT || piece->where == TEXT_IN_BODY) &&
			    find_has(&s->find, text);
		if (found)
			look->known[i] = SEARCH_YES;
	}
}

static bool
is_all_found(const struct search_look *look)
{
	for (size_t i = 0; i < look->strings->n; i++)
		if (look->known[i] != SEARCH_YES)
			return false;
	return true;
}

/* Of a body so much stays as a string may begin in. */
static int
put_piece(void *arg, const struct text_piece *piece)
{
	struct search_look *look = arg;
	size_t              keep = look->strings->longest > 0 ? look->strings->longest - 1 : 0;

	if (piece->where != TEXT_IN_BODY) {
		look_in_piece(look, piece, piece->folded);
		return 0; /* the date may be still to come */
	}
	buf_str(&look->carry, piece->folded);
	if (look->carry.err < 0)
		return look->carry.err;
	look_in_piece(look, piece, buf_view(&look->carry));
	if (piece->is_last)
		buf_reset(&look->carry);
	else if (look->carry.n > keep)
		buf_consume(&look->carry, look->carry.n - keep);
	return is_all_found(look);
}

struct text_sink
search_look_sink(struct search_look *look)
{
	return (struct text_sink){ put_piece, look };
}

void
search_look_end(struct search_look *look, bool top_only)
{
	for (size_t i = 0; i < look->strings->n; i++) {
		const struct search_string *s = &look->strings->s[i];

		if (look->known[i] == SEARCH_YES || (top_only && s->where != SEARCH_IN_FIELD))
			continue;
		look->known[i] = s->where != SEARCH_IN_FIELD && s->find.needle.n == 0
		    ? SEARCH_YES : SEARCH_NO;
	}
}

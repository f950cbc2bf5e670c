#include "store/column.h"

#include "base/error.h"
#include "base/mem.h"

enum { FIRST_SETS = 2, FIRST_CODES = 64 };

void
column_done(struct column *c)
{
	mem_free(c->code);
	mem_free(c->sets);
	*c = (struct column){ 0 };
}

static bool
same(const struct flags *a, const struct flags *b)
{
	return a->system == b->system &&
	    memcmp(a->keywords, b->keywords, sizeof(a->keywords)) == 0;
}

/* Room is for a power of two of sets. */
static int
add_set(struct column *c, const struct flags *flags)
{
	struct flags *sets = c->sets;

	if (c->n_sets == COLUMN_SETS)
		return E_LIMIT;
	if (c->n_sets == 0 || (c->n_sets >= FIRST_SETS && (c->n_sets & (c->n_sets - 1)) == 0)) {
		size_t cap = c->n_sets == 0 ? FIRST_SETS : 2 * c->n_sets;

		sets = mem_realloc(c->sets, cap * sizeof(*sets));
		if (sets == NULL)
			return E_NOMEM;
		c->sets = sets;
	}
	sets[c->n_sets++] = *flags;
	return 0;
}

int
column_code(struct column *c, const struct flags *flags, unsigned char *ret)
{
	size_t i;

	for (i = 0; i < c->n_sets; i++)
		if (same(&c->sets[i], flags))
			break;
	if (i == c->n_sets) {
		int r = add_set(c, flags);

		if (r < 0)
			return r;
	}
	*ret = (unsigned char)i;
	return 0;
}

int
column_push(struct column *c, unsigned char code)
{
	if (c->n == c->cap) {
		size_t         cap = c->cap < FIRST_CODES ? FIRST_CODES : c->cap + c->cap / 2;
		unsigned char *grown = mem_realloc(c->code, cap);

		if (grown == NULL)
			return E_NOMEM;
		c->code = grown;
		c->cap = cap;
	}
	c->code[c->n++] = code;
	return 0;
}

void
column_fit(struct column *c)
{
	unsigned char *fitting = c->n != 0 ? mem_realloc(c->code, c->n) : NULL;

	if (fitting == NULL)
		return;
	c->code = fitting;
	c->cap = c->n;
}

void
column_remove(struct column *c, const struct column_cut *cuts, size_t n_cuts)
{
	size_t to = n_cuts != 0 ? cuts[0].at : c->n;

	for (size_t i = 0; i < n_cuts; i++) {
		size_t from = cuts[i].at + cuts[i].n;
		size_t end = i + 1 < n_cuts ? cuts[i + 1].at : c->n;

		memmove(c->code + to, c->code + from, end - from);
		to += end - from;
	}
	c->n = to;
}

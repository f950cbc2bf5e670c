#include "store/column.h"

#include "base/error.h"
#include "base/mem.h"
#include "codec/date.h"

enum { FIRST_SETS = 2, FIRST_CODES = 64 };

void
column_done(struct column *c)
{
	mem_free(c->code);
	mem_free(c->day);
	mem_free(c->size);
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
column_measure(const struct message *m, struct column_row *ret)
{
	int64_t day = (int64_t)date_day(m->internal_ms, m->internal_zone_min) - COLUMN_DAY_BASE;

	if (day < 0 || day > UINT16_MAX || m->size > UINT32_MAX)
		return E_LIMIT;
	ret->day = (uint16_t)day;
	ret->size = (uint32_t)m->size;
	return 0;
}

size_t
column_bytes(const struct column *c)
{
	size_t row = sizeof(*c->code) + (c->measured ? sizeof(*c->day) + sizeof(*c->size) : 0);

	return c->cap * row + c->n_sets * sizeof(*c->sets);
}

void
column_unmeasure(struct column *c)
{
	mem_free(c->day);
	mem_free(c->size);
	c->day = NULL;
	c->size = NULL;
	c->measured = false;
}

/* What could be had stays, also if the rest could not. */
static int
resize(struct column *c, size_t cap)
{
	unsigned char *code = mem_realloc(c->code, cap * sizeof(*code));
	uint16_t      *day = NULL;
	uint32_t      *size = NULL;

	if (code == NULL)
		return E_NOMEM;
	c->code = code;
	if (c->measured) {
		day = mem_realloc(c->day, cap * sizeof(*day));
		if (day == NULL)
			return E_NOMEM;
		c->day = day;
		size = mem_realloc(c->size, cap * sizeof(*size));
		if (size == NULL)
			return E_NOMEM;
		c->size = size;
	}
	c->cap = cap;
	return 0;
}

int
column_push(struct column *c, const struct column_row *row)
{
	if (c->n == c->cap) {
		int r = resize(c, c->cap < FIRST_CODES ? FIRST_CODES : c->cap + c->cap / 2);

		if (r < 0)
			return r;
	}
	column_set(c, c->n++, row);
	return 0;
}

void
column_set(struct column *c, size_t at, const struct column_row *row)
{
	c->code[at] = row->code;
	if (!c->measured)
		return;
	c->day[at] = row->day;
	c->size[at] = row->size;
}

void
column_fit(struct column *c)
{
	if (c->n == 0)
		return;
	/* Beforehand: an array that could not be made smaller has more room than that. */
	c->cap = c->n;
	(void)resize(c, c->n);
}

static void
move_rows(struct column *c, size_t to, size_t from, size_t n)
{
	memmove(c->code + to, c->code + from, n);
	if (!c->measured)
		return;
	memmove(c->day + to, c->day + from, n * sizeof(*c->day));
	memmove(c->size + to, c->size + from, n * sizeof(*c->size));
}

void
column_remove(struct column *c, const struct column_cut *cuts, size_t n_cuts)
{
	size_t to = n_cuts != 0 ? cuts[0].at : c->n;

	for (size_t i = 0; i < n_cuts; i++) {
		size_t from = cuts[i].at + cuts[i].n;
		size_t end = i + 1 < n_cuts ? cuts[i + 1].at : c->n;

		move_rows(c, to, from, end - from);
		to += end - from;
	}
	c->n = to;
}

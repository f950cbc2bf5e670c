#include "proto/imap_set.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"

/* seq-number */
static int
take_number(struct str *s, uint32_t *ret)
{
	size_t   n = 0;
	uint32_t v;

	if (str_starts(*s, STR("*"))) {
		*s = str_skip(*s, 1);
		*ret = IMAP_STAR;
		return 0;
	}
	while (n < s->n && ascii_is_digit(s->p[n]))
		n++;
	if (str_to_u32(str_head(*s, n), &v) < 0 || v == 0)
		return E_SYNTAX;
	*s = str_skip(*s, n);
	*ret = v;
	return 0;
}

static int
take_range(struct str *s, struct imap_range *ret)
{
	struct imap_range range;

	if (take_number(s, &range.lo) < 0)
		return E_SYNTAX;
	range.hi = range.lo;
	if (str_starts(*s, STR(":"))) {
		*s = str_skip(*s, 1);
		if (take_number(s, &range.hi) < 0)
			return E_SYNTAX;
	}
	*ret = range;
	return 0;
}

static size_t
count_ranges(struct str text)
{
	size_t n = 1;

	for (size_t i = 0; i < text.n; i++)
		n += text.p[i] == ',';
	return n;
}

int
imap_set_parse(struct str text, struct arena *a, struct imap_set *ret)
{
	struct imap_set set = { 0 };
	size_t          n = count_ranges(text);

	if (str_eq(text, STR("$"))) {
		*ret = (struct imap_set){ .saved = true };
		return 0;
	}
	if (n > IMAP_SET_MAX)
		return E_LIMIT;
	set.r = arena_alloc(a, n * sizeof(*set.r));
	if (set.r == NULL)
		return E_NOMEM;
	do {
		if (take_range(&text, &set.r[set.n]) < 0)
			return E_SYNTAX;
		if (++set.n < n) {
			if (!str_starts(text, STR(",")))
				return E_SYNTAX;
			text = str_skip(text, 1);
		}
	} while (set.n < n);
	if (text.n > 0)
		return E_SYNTAX;
	*ret = set;
	return 0;
}

static int
by_lo(const void *a, const void *b)
{
	uint32_t x = ((const struct imap_range *)a)->lo, y = ((const struct imap_range *)b)->lo;

	return x < y ? -1 : x > y;
}

/* ranges_add is cheap at the end only, so the ranges are added in ascending order. */
static int
add_sorted(const struct imap_range *r, size_t n, struct ranges *to)
{
	for (size_t i = 0; i < n; i++)
		if (ranges_add(to, r[i].lo, r[i].hi) < 0) {
			ranges_done(to);
			return E_NOMEM;
		}
	return 0;
}

int
imap_set_close(const struct imap_set *set, uint32_t star, struct ranges *ret)
{
	OWN_MEM struct imap_range *sorted = mem_alloc((set->n + 1) * sizeof(*sorted));
	struct ranges              closed = { 0 };
	size_t                     n = 0;

	if (sorted == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < set->n; i++) {
		struct imap_range r = set->r[i];

		if (star == 0 && (r.lo == IMAP_STAR || r.hi == IMAP_STAR))
			continue;
		r.lo = r.lo == IMAP_STAR ? star : r.lo;
		r.hi = r.hi == IMAP_STAR ? star : r.hi;
		sorted[n++] = r.lo <= r.hi ? r : (struct imap_range){ r.hi, r.lo };
	}
	qsort(sorted, n, sizeof(*sorted), by_lo);
	if (add_sorted(sorted, n, &closed) < 0)
		return E_NOMEM;
	*ret = closed;
	return 0;
}

uint32_t
imap_set_max(const struct imap_set *set)
{
	uint32_t max = 0;

	for (size_t i = 0; i < set->n; i++) {
		max = set->r[i].lo > max ? set->r[i].lo : max;
		max = set->r[i].hi > max ? set->r[i].hi : max;
	}
	return max;
}

bool
imap_set_has_star(const struct imap_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->r[i].lo == IMAP_STAR || set->r[i].hi == IMAP_STAR)
			return true;
	return false;
}

#include "serve/imap/uids.h"

#include "base/error.h"

struct pair {
	uint32_t lo, hi;
};

int
uids_or(const struct ranges *a, const struct ranges *b, struct ranges *ret)
{
	OWN_RANGES struct ranges all = { 0 };
	size_t                   i = 0, j = 0;
	int                      r = 0;

	while (r == 0 && (i < a->n || j < b->n)) {
		const struct range *x;

		if (j == b->n || (i < a->n && a->r[i].lo <= b->r[j].lo))
			x = &a->r[i++];
		else
			x = &b->r[j++];
		r = ranges_add(&all, x->lo, x->hi);
	}
	if (r < 0)
		return r;
	*ret = all;
	all = (struct ranges){ 0 };
	return 0;
}

/* What is left of one range; *j is the first range of `without` that may reach into it. */
static int
minus_one(const struct range *x, const struct ranges *without, size_t *j, struct ranges *to)
{
	uint64_t lo = x->lo;
	int      r = 0;

	while (*j < without->n && without->r[*j].hi < x->lo)
		(*j)++;
	for (size_t k = *j; r == 0 && k < without->n && without->r[k].lo <= x->hi; k++) {
		if (without->r[k].lo > lo)
			r = ranges_add(to, (uint32_t)lo, without->r[k].lo - 1);
		lo = (uint64_t)without->r[k].hi + 1;
		*j = k;
	}
	if (r == 0 && lo <= x->hi)
		r = ranges_add(to, (uint32_t)lo, x->hi);
	return r;
}

int
uids_minus(const struct ranges *a, const struct ranges *without, struct ranges *ret)
{
	OWN_RANGES struct ranges left = { 0 };
	size_t                   j = 0;
	int                      r = 0;

	for (size_t i = 0; r == 0 && i < a->n; i++)
		r = minus_one(&a->r[i], without, &j, &left);
	if (r < 0)
		return r;
	*ret = left;
	left = (struct ranges){ 0 };
	return 0;
}

static void
replace(struct ranges *s, struct ranges with)
{
	ranges_done(s);
	*s = with;
}

int
uids_add_all(struct ranges *s, const struct ranges *more)
{
	struct ranges all = { 0 };
	int           r;

	if (more->n == 0)
		return 0;
	if (more->n == 1)
		return ranges_add(s, more->r[0].lo, more->r[0].hi);
	r = uids_or(s, more, &all);
	if (r == 0)
		replace(s, all);
	return r;
}

int
uids_remove_all(struct ranges *s, const struct ranges *less)
{
	struct ranges left = { 0 };
	int           r;

	if (s->n == 0 || less->n == 0)
		return 0;
	if (less->n == 1)
		return ranges_remove(s, less->r[0].lo, less->r[0].hi);
	r = uids_minus(s, less, &left);
	if (r == 0)
		replace(s, left);
	return r;
}

int
uids_keep_only(struct ranges *s, const struct ranges *of)
{
	struct ranges both = { 0 };
	int           r = ranges_and(s, of, &both);

	if (r == 0)
		replace(s, both);
	return r;
}

int
uids_drop_through(struct ranges *s, uint32_t last)
{
	return last == 0 ? 0 : ranges_remove(s, 1, last);
}

int
uids_drop_from(struct ranges *s, uint32_t first)
{
	return ranges_remove(s, first, UINT32_MAX);
}

int
uids_last(const struct ranges *s, uint32_t n, struct ranges *ret)
{
	uint32_t count = ranges_count(s);
	int      r;

	if (n < count) {
		struct range  from = { ranges_nth(s, count - n + 1), UINT32_MAX, 0 };
		struct ranges tail = { &from, 1, 1 };

		r = ranges_and(s, &tail, ret);
	} else {
		r = ranges_copy(s, ret);
	}
	return r;
}

void
uid_pile_init(struct uid_pile *p)
{
	buf_init(&p->pairs, UID_PILE_MAX);
}

void
uid_pile_done(struct uid_pile *p)
{
	buf_done(&p->pairs);
}

void
uid_pile_add(struct uid_pile *p, uint32_t lo, uint32_t hi)
{
	struct pair *last, add = { lo, hi };

	if (p->pairs.n != 0) {
		last = (struct pair *)(void *)(p->pairs.p + p->pairs.n - sizeof(*last));
		if (last->hi != UINT32_MAX && last->hi + 1 == lo) {
			last->hi = hi;
			return;
		}
		if (hi != UINT32_MAX && hi + 1 == last->lo) {
			last->lo = lo;
			return;
		}
	}
	buf_put(&p->pairs, &add, sizeof(add));
}

static int
compare_pairs(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

int
uid_pile_close(struct uid_pile *p, struct ranges *ret)
{
	OWN_RANGES struct ranges all = { 0 };
	struct pair             *pairs = (struct pair *)(void *)p->pairs.p;
	size_t                   n = p->pairs.n / sizeof(*pairs);
	int                      r = p->pairs.err;

	if (r == 0 && n > 1)
		qsort(pairs, n, sizeof(*pairs), compare_pairs);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = ranges_add(&all, pairs[i].lo, pairs[i].hi);
	if (r < 0)
		return r;
	*ret = all;
	all = (struct ranges){ 0 };
	return 0;
}

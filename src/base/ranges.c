#include "base/ranges.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"

void
ranges_done(struct ranges *s)
{
	mem_free(s->r);
	*s = (struct ranges){ 0 };
}

static int
reserve(struct ranges *s, size_t n)
{
	size_t        cap = s->cap != 0 ? s->cap : 4;
	struct range *r;

	if (n <= s->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	r = mem_realloc(s->r, cap * sizeof(*r));
	if (r == NULL)
		return E_NOMEM;
	s->r = r;
	s->cap = cap;
	return 0;
}

int
ranges_copy(const struct ranges *s, struct ranges *ret)
{
	struct ranges copy = { 0 };

	if (s->n != 0) {
		if (reserve(&copy, s->n) < 0)
			return E_NOMEM;
		memcpy(copy.r, s->r, s->n * sizeof(*s->r));
		copy.n = s->n;
	}
	*ret = copy;
	return 0;
}

size_t
ranges_find(const struct ranges *s, uint32_t v)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->r[mid].hi < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
recount(struct ranges *s, size_t from)
{
	for (size_t i = from; i < s->n; i++)
		s->r[i].before =
		    i == 0 ? 0 : s->r[i - 1].before + (s->r[i - 1].hi - s->r[i - 1].lo + 1);
}

/* Replaces the ranges [at, at+n_old) by n_new ones that the caller then fills; room was made. */
static void
splice(struct ranges *s, size_t at, size_t n_old, size_t n_new)
{
	memmove(s->r + at + n_new, s->r + at + n_old, (s->n - at - n_old) * sizeof(*s->r));
	s->n = s->n - n_old + n_new;
}

int
ranges_add(struct ranges *s, uint32_t lo, uint32_t hi)
{
	size_t at, end;

	if (reserve(s, s->n + 1) < 0)
		return E_NOMEM;
	/* Ranges that overlap or touch [lo, hi] merge with it. */
	at = ranges_find(s, lo > 1 ? lo - 1 : lo);
	for (end = at; end < s->n && (hi == UINT32_MAX || s->r[end].lo <= hi + 1); end++) {
		if (s->r[end].lo < lo)
			lo = s->r[end].lo;
		if (s->r[end].hi > hi)
			hi = s->r[end].hi;
	}
	splice(s, at, end - at, 1);
	s->r[at].lo = lo;
	s->r[at].hi = hi;
	recount(s, at);
	return 0;
}

int
ranges_remove(struct ranges *s, uint32_t lo, uint32_t hi)
{
	struct range left[2];
	size_t       n_left = 0, at = ranges_find(s, lo), end;

	if (reserve(s, s->n + 1) < 0)
		return E_NOMEM;
	for (end = at; end < s->n && s->r[end].lo <= hi; end++) {
		if (s->r[end].lo < lo)
			left[n_left++] = (struct range){ s->r[end].lo, lo - 1, 0 };
		if (s->r[end].hi > hi)
			left[n_left++] = (struct range){ hi + 1, s->r[end].hi, 0 };
	}
	if (end == at)
		return 0;
	splice(s, at, end - at, n_left);
	memcpy(s->r + at, left, n_left * sizeof(*left));
	recount(s, at);
	return 0;
}

int
ranges_and(const struct ranges *a, const struct ranges *b, struct ranges *ret)
{
	struct ranges both = { 0 };
	size_t        i = 0, j = 0;

	while (i < a->n && j < b->n) {
		uint32_t lo = a->r[i].lo > b->r[j].lo ? a->r[i].lo : b->r[j].lo;
		uint32_t hi = a->r[i].hi < b->r[j].hi ? a->r[i].hi : b->r[j].hi;

		if (lo <= hi && ranges_add(&both, lo, hi) < 0) {
			ranges_done(&both);
			return E_NOMEM;
		}
		if (a->r[i].hi < b->r[j].hi)
			i++;
		else
			j++;
	}
	*ret = both;
	return 0;
}

bool
ranges_has(const struct ranges *s, uint32_t v)
{
	size_t i = ranges_find(s, v);

	return i < s->n && s->r[i].lo <= v;
}

uint32_t
ranges_count(const struct ranges *s)
{
	const struct range *last = s->n != 0 ? &s->r[s->n - 1] : NULL;

	return last != NULL ? last->before + (last->hi - last->lo + 1) : 0;
}

uint32_t
ranges_min(const struct ranges *s)
{
	return s->n != 0 ? s->r[0].lo : 0;
}

uint32_t
ranges_max(const struct ranges *s)
{
	return s->n != 0 ? s->r[s->n - 1].hi : 0;
}

uint32_t
ranges_nth(const struct ranges *s, uint32_t i)
{
	size_t lo = 0, hi = s->n;

	if (i == 0 || i > ranges_count(s))
		return 0;
	/* The last range with before < i. */
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->r[mid].before < i)
			lo = mid;
		else
			hi = mid;
	}
	return s->r[lo].lo + (i - s->r[lo].before - 1);
}

uint32_t
ranges_rank(const struct ranges *s, uint32_t v)
{
	size_t i = ranges_find(s, v);

	if (i == s->n)
		return ranges_count(s);
	return s->r[i].before + (v >= s->r[i].lo ? v - s->r[i].lo + 1 : 0);
}

uint32_t
ranges_next(const struct ranges *s, uint32_t v)
{
	size_t i = ranges_find(s, v);

	if (i == s->n)
		return 0;
	return v > s->r[i].lo ? v : s->r[i].lo;
}

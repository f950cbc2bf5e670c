/* The tree of a SEARCH over many messages at once, as far as columns tell. */
#include <limits.h>

#include "base/error.h"
#include "base/mem.h"
#include "serve/imap/search_work.h"

/* A byte a message, 0 or 1: it may match, it matches whatever else is found out. Loops over them
 * have no branches, and all they need in variables of their own: the compiler does many at a
 * time. */
struct masks {
	unsigned char *may, *must;
};

struct block {
	const struct columns *c;
	unsigned char        *spare; /* masks for the lists, a pair for each level */
};

/* So many lists in lists; what is deeper does without columns. */
enum { LEVELS_MAX = 16 };
/* Columns of so many messages are made at once, those of more on a job thread. */
enum { BUILD_INLINE = 5000 };

/* Up to so many sets of flags each is looked for in all of the column; beyond it each message looks
 * its set up. */
enum { FEW_SETS = 8 };

static void
known(const struct block *b, struct masks out)
{
	memcpy(out.must, out.may, b->c->n);
}

/* --- keys --- */

static void
judge_flags(const struct block *b, const bool *yes, struct masks out)
{
	const unsigned char *flags = b->c->flags;
	size_t               n_sets = b->c->n_sets;
	uint32_t             n = b->c->n;

	if (n_sets > FEW_SETS) {
		for (uint32_t i = 0; i < n; i++)
			out.may[i] = yes[flags[i]];
		return;
	}
	memset(out.may, 0, n);
	for (unsigned char set = 0; set < n_sets; set++)
		for (uint32_t i = 0; yes[set] && i < n; i++)
			out.may[i] |= flags[i] == set;
}

static void
judge_flag(const struct block *b, const struct node *node, struct masks out)
{
	const struct columns *c = b->c;
	bool                  yes[UCHAR_MAX + 1] = { false };
	size_t                word = node->keyword / 64;

	for (size_t i = 0; i < c->n_sets; i++)
		yes[i] = node->key->kind == IMAP_KEY_FLAG
		    ? (c->sets[i].system & node->key->flag) != 0
		    : !node->never && (c->sets[i].keywords[word] >> node->keyword % 64 & 1) != 0;
	judge_flags(b, yes, out);
}

static void
judge_day(const struct block *b, const struct imap_key *key, struct masks out)
{
	const uint16_t *day = b->c->day;
	int64_t         at = (int64_t)key->day - COLUMN_DAY_BASE;
	int64_t         lo = key->order == IMAP_DATE_BEFORE ? 0 : at;
	int64_t         hi = key->order == IMAP_DATE_BEFORE ? at - 1
	            : key->order == IMAP_DATE_ON            ? at
	                                                    : UINT16_MAX;
	uint32_t        n = b->c->n;
	uint16_t        first, span;

	lo = lo > 0 ? lo : 0;
	hi = hi < UINT16_MAX ? hi : UINT16_MAX;
	if (lo > hi) {
		memset(out.may, 0, n);
		return;
	}
	first = (uint16_t)lo;
	span = (uint16_t)(hi - lo);
	for (uint32_t i = 0; i < n; i++)
		out.may[i] = (uint16_t)(day[i] - first) <= span;
}

static void
judge_larger(const struct block *b, uint64_t number, struct masks out)
{
	const uint32_t *size = b->c->size;
	uint32_t        than = number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
	uint32_t        n = b->c->n;

	for (uint32_t i = 0; i < n; i++)
		out.may[i] = size[i] > than;
}

static void
judge_smaller(const struct block *b, uint64_t number, struct masks out)
{
	const uint32_t *size = b->c->size;
	uint32_t        n = b->c->n;
	uint32_t        below = number <= UINT32_MAX ? (uint32_t)number : UINT32_MAX;
	bool            all = number > UINT32_MAX;

	for (uint32_t i = 0; i < n; i++)
		out.may[i] = all | (size[i] < below);
}

/* Members of the set have a 1. */
static void
judge_set(const struct block *b, const struct ranges *set, struct masks out)
{
	const struct ranges *uids = &b->c->uids;
	size_t               at = 0, j = uids->n != 0 ? ranges_find(set, uids->r[0].lo) : 0;

	memset(out.may, 0, b->c->n);
	for (size_t i = 0; i < uids->n; i++) {
		const struct range *r = &uids->r[i];

		while (j < set->n && set->r[j].hi < r->lo)
			j++;
		for (size_t k = j; k < set->n && set->r[k].lo <= r->hi; k++) {
			uint32_t lo = set->r[k].lo > r->lo ? set->r[k].lo : r->lo;
			uint32_t hi = set->r[k].hi < r->hi ? set->r[k].hi : r->hi;

			memset(out.may + at + (lo - r->lo), 1, (size_t)(hi - lo) + 1);
		}
		at += (size_t)(r->hi - r->lo) + 1;
	}
}

/* --- the tree --- */

static void judge(const struct search *, const struct block *, const struct node *, struct masks);

static void
judge_list(const struct search *s, const struct block *b, const struct node *node, struct masks out)
{
	uint32_t     n = b->c->n;
	bool         is_and = node->key->kind == IMAP_KEY_AND;
	struct masks one = { b->spare, b->spare + n };
	struct block below = { b->c, b->spare + 2 * (size_t)n };

	memset(out.may, is_and, n);
	memset(out.must, is_and, n);
	for (const struct node *k = node->list; k != NULL; k = k->next) {
		judge(s, &below, k, one);
		for (uint32_t i = 0; is_and && i < n; i++)
			out.may[i] &= one.may[i];
		for (uint32_t i = 0; is_and && i < n; i++)
			out.must[i] &= one.must[i];
		for (uint32_t i = 0; !is_and && i < n; i++)
			out.may[i] |= one.may[i];
		for (uint32_t i = 0; !is_and && i < n; i++)
			out.must[i] |= one.must[i];
	}
}

static void
judge_plain(const struct search *s, const struct block *b, const struct node *node,
    struct masks out)
{
	const struct imap_key *key = node->key;

	switch (key->kind) {
	case IMAP_KEY_AND:
	case IMAP_KEY_OR:
		judge_list(s, b, node, out);
		return;
	case IMAP_KEY_SEQ:
	case IMAP_KEY_UID:
		judge_set(b, &node->set, out);
		break;
	case IMAP_KEY_FLAG:
		if (key->flag == IMAP_FLAG_RECENT)
			judge_set(b, &s->view->recent, out);
		else
			judge_flag(b, node, out);
		break;
	case IMAP_KEY_KEYWORD:
		judge_flag(b, node, out);
		break;
	case IMAP_KEY_LARGER:
		judge_larger(b, key->number, out);
		break;
	case IMAP_KEY_SMALLER:
		judge_smaller(b, key->number, out);
		break;
	case IMAP_KEY_DATE:
		if (key->date == IMAP_DATE_INTERNAL) {
			judge_day(b, key, out);
			break;
		}
		/* fall through */
	default: /* no column tells */
		memset(out.may, 1, b->c->n);
		memset(out.must, 0, b->c->n);
		return;
	}
	known(b, out);
}

static void
judge(const struct search *s, const struct block *b, const struct node *node, struct masks out)
{
	uint32_t n = b->c->n;

	judge_plain(s, b, node, out);
	if (!node->key->negate)
		return;
	for (uint32_t i = 0; i < n; i++) {
		unsigned char may = out.may[i];

		out.may[i] = !out.must[i];
		out.must[i] = !may;
	}
}

/* --- what to look at --- */

static bool
is_of_columns(const struct imap_key *key)
{
	switch (key->kind) {
	case IMAP_KEY_HEADER:
	case IMAP_KEY_BODY:
	case IMAP_KEY_TEXT:
	case IMAP_KEY_MODSEQ:
		return false;
	case IMAP_KEY_DATE:
		return key->date == IMAP_DATE_INTERNAL;
	default:
		return true;
	}
}

/* What the keys from this one on need; *deepest: of lists in lists. */
static void
note(struct search *s, const struct node *node, unsigned depth, unsigned *deepest)
{
	const struct imap_key *key = node->key;

	*deepest = depth > *deepest ? depth : *deepest;
	if (!is_of_columns(key))
		s->beyond_columns = true;
	else if (key->kind == IMAP_KEY_DATE)
		s->columns |= COLUMN_DAYS;
	else if (key->kind == IMAP_KEY_LARGER || key->kind == IMAP_KEY_SMALLER)
		s->columns |= COLUMN_SIZES;
	else if (key->kind == IMAP_KEY_KEYWORD ||
	    (key->kind == IMAP_KEY_FLAG && key->flag != IMAP_FLAG_RECENT))
		s->columns |= COLUMN_FLAGS;
	for (const struct node *n = node->list; n != NULL; n = n->next)
		note(s, n, depth + 1, deepest);
}

void
search_columns_choose(struct search *s)
{
	unsigned depth = 0;

	note(s, s->root, 0, &depth);
	s->levels = depth;
	s->by_columns = (s->columns != 0 || !s->beyond_columns) && depth <= LEVELS_MAX;
	s->builds = s->by_columns && ranges_count(&s->candidates) > BUILD_INLINE &&
	    !columns_at_hand(s->view->account, s->view->mailbox, s->columns);
}

/* The UIDs whose byte is 1. */
static int
gather(const struct columns *c, const unsigned char *may, struct ranges *ret)
{
	for (size_t i = 0; i < c->uids.n; i++) {
		const struct range  *r = &c->uids.r[i];
		size_t               n = (size_t)(r->hi - r->lo) + 1, end;
		const unsigned char *one;

		for (size_t at = 0; at < n && (one = memchr(may + at, 1, n - at)) != NULL;
		     at = end) {
			size_t               first = (size_t)(one - may);
			const unsigned char *zero = memchr(one, 0, n - first);

			end = zero != NULL ? (size_t)(zero - may) : n;
			if (ranges_add(ret, r->lo + (uint32_t)first, r->lo + (uint32_t)end - 1) < 0)
				return E_NOMEM;
		}
		may += n;
	}
	return 0;
}

static int
judge_block(const struct search *s, const struct columns *c, struct ranges *ret)
{
	size_t                 n = c->n;
	OWN_MEM unsigned char *room = mem_alloc(2 * n * (s->levels + 1));
	const struct masks     out = { room, room + n };
	const struct block     block = { c, room + 2 * n };

	if (room == NULL)
		return E_NOMEM;
	judge(s, &block, s->root, out);
	return gather(c, out.may, ret);
}

int
search_columns(const struct search *s, const struct ranges *uids, struct ranges *ret)
{
	OWN_RANGES struct ranges may = { 0 };
	struct columns_want      want = {
		     .mailbox = s->view->mailbox,
		     .lo = ranges_min(uids),
		     .hi = ranges_max(uids),
		     .which = s->columns,
	};

	while (want.lo != 0) {
		OWN_COLUMNS struct columns c = { 0 };
		int                        r = columns_get(s->view->account, &want, &c);

		if (r == 0 && c.n != 0)
			r = judge_block(s, &c, &may);
		if (r < 0)
			return r;
		want.lo = c.next;
	}
	return ranges_and(&may, uids, ret);
}

#include "store/columns.h"

#include "base/error.h"
#include "base/mem.h"
#include "store/state.h"

void
columns_done(struct columns *c)
{
	ranges_done(&c->uids);
	mem_free(c->sets);
	mem_free(c->flags);
	mem_free(c->day);
	mem_free(c->size);
	*c = (struct columns){ 0 };
}

static bool
is_at_hand(const struct index *index, unsigned which)
{
	bool measures = (which & ~(unsigned)COLUMN_FLAGS) != 0;

	return index->loaded && (index->has_flags || index->no_flags) &&
	    (!measures || index->flags.measured || index->no_flags || index->no_measures);
}

bool
columns_at_hand(struct account *a, mailbox_id id, unsigned which)
{
	struct mailbox *box;

	ACCOUNT_SCOPE(a);
	if (account_ready(a) < 0 || account_box(a, id, &box) < 0)
		return true;
	return is_at_hand(&box->index, which);
}

/* The UIDs of the ranks first + 1 to first + n. */
static int
copy_uids(const struct ranges *uids, uint32_t first, uint32_t n, struct ranges *ret)
{
	uint32_t uid = ranges_nth(uids, first + 1);

	for (size_t i = ranges_find(uids, uid); n != 0; i++) {
		uint32_t lo = uids->r[i].lo > uid ? uids->r[i].lo : uid;
		uint32_t hi = uids->r[i].hi - lo < n ? uids->r[i].hi : lo + (n - 1);

		if (ranges_add(ret, lo, hi) < 0)
			return E_NOMEM;
		n -= hi - lo + 1;
	}
	return 0;
}

/* n != 0. */
static int
copy_column(const void *from, size_t n, void *ret)
{
	void *copy = mem_alloc(n);

	if (copy == NULL)
		return E_NOMEM;
	memcpy(copy, from, n);
	*(void **)ret = copy;
	return 0;
}

static int
copy_rows(const struct column *c, uint32_t first, unsigned which, struct columns *ret)
{
	int r = 0;

	ret->n_sets = c->n_sets;
	if ((which & COLUMN_FLAGS) != 0) {
		r = copy_column(c->sets, c->n_sets * sizeof(*c->sets), &ret->sets);
		if (r == 0)
			r = copy_column(c->code + first, ret->n, &ret->flags);
	}
	if (r == 0 && (which & COLUMN_DAYS) != 0)
		r = copy_column(c->day + first, ret->n * sizeof(*c->day), &ret->day);
	if (r == 0 && (which & COLUMN_SIZES) != 0)
		r = copy_column(c->size + first, ret->n * sizeof(*c->size), &ret->size);
	return r;
}

static int
copy(const struct index *index, const struct columns_want *want, struct columns *ret)
{
	const struct ranges *uids = &index->set[0];
	uint32_t             first = want->lo > 1 ? ranges_rank(uids, want->lo - 1) : 0;
	uint32_t             all = ranges_rank(uids, want->hi);
	int                  r;

	if (all <= first)
		return 0;
	ret->n = all - first < COLUMNS_AT_ONCE ? all - first : COLUMNS_AT_ONCE;
	r = copy_uids(uids, first, ret->n, &ret->uids);
	if (r == 0)
		r = copy_rows(&index->flags, first, want->which, ret);
	if (r == 0 && first + ret->n < all)
		ret->next = ranges_max(&ret->uids) + 1;
	return r;
}

int
columns_get(struct account *a, const struct columns_want *want, struct columns *ret)
{
	OWN_COLUMNS struct columns c = { 0 };
	bool                       measures = (want->which & ~(unsigned)COLUMN_FLAGS) != 0;
	struct mailbox            *box;
	int                        r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = account_box(a, want->mailbox, &box);
	if (r == 0)
		r = measures ? index_need_measures(a, box) : index_need_flags(a, box);
	if (r < 0)
		return r == E_NO_MAILBOX ? E_NOT_FOUND : r;
	if (!box->index.has_flags || (measures && !box->index.flags.measured))
		return E_NOT_FOUND;
	r = copy(&box->index, want, &c);
	if (r < 0)
		return r;
	*ret = c;
	c = (struct columns){ 0 };
	return 0;
}

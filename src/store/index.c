#include "store/index.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/state.h"

/* Up to here ranges are put in one by one; beyond it the set is made anew in one pass. */
enum { FEW_RANGES = 8 };

void
index_drop(struct index *index)
{
	for (size_t i = 0; i < INDEX_SETS; i++)
		ranges_done(&index->set[i]);
	index->loaded = false;
}

static int
read_index(struct account *a, mailbox_id id, struct index *index)
{
	struct key       from = key_message(id, 0), to = key_uid_end('m', id, UINT32_MAX);
	OWN(kv_iter)     it = NULL;
	struct str       k, v;
	struct message   m;
	mailbox_id       box;
	uint32_t         uid;
	int              r;

	r = kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, &it);
	if (r < 0)
		return r;
	while ((r = kv_iter_next(it, &k, &v)) > 0) {
		unsigned state;

		if (key_read_uid(k, 'm', &box, &uid) < 0)
			return E_CORRUPT;
		r = message_record_unpack(v, uid, &m);
		if (r < 0)
			return r;
		state = flags_state(&m.flags);
		for (size_t i = 0; i < INDEX_SETS; i++)
			if ((state & 1u << i) != 0 && ranges_add(&index->set[i], uid, uid) < 0)
				return E_NOMEM;
	}
	return r;
}

/* Drops what was not used for long, and the oldest when there are too many. */
static void
make_room(struct account *a, int64_t now_ms)
{
	struct mailbox *oldest = NULL;
	size_t          n = 0;

	for (size_t i = 0; i < a->n_boxes; i++) {
		struct index *index = &a->boxes[i]->index;

		if (!index->loaded)
			continue;
		if (now_ms - index->used_ms > INDEX_IDLE_MS) {
			index_drop(index);
			continue;
		}
		n++;
		if (oldest == NULL || index->used_ms < oldest->index.used_ms)
			oldest = a->boxes[i];
	}
	if (n >= INDEX_MAX)
		index_drop(&oldest->index);
}

int
index_need(struct account *a, struct mailbox *box)
{
	struct index fresh = { 0 };
	int64_t      now_ms = clock_mono_ms();
	int          r;

	if (!box->index.loaded) {
		make_room(a, now_ms);
		r = read_index(a, box->id, &fresh);
		if (r < 0) {
			index_drop(&fresh);
			return r;
		}
		fresh.loaded = true;
		box->index = fresh;
	}
	box->index.used_ms = now_ms;
	return 0;
}

int
index_delta_put(struct index_delta *delta, uint32_t uid, unsigned before, unsigned after)
{
	for (size_t i = 0; i < INDEX_SETS; i++) {
		bool was = (before & 1u << i) != 0, is = (after & 1u << i) != 0;

		if (was != is && ranges_add(is ? &delta->add[i] : &delta->remove[i], uid, uid) < 0)
			return E_NOMEM;
	}
	return 0;
}

void
index_delta_done(struct index_delta *delta)
{
	for (size_t i = 0; i < INDEX_SETS; i++) {
		ranges_done(&delta->add[i]);
		ranges_done(&delta->remove[i]);
	}
}

/* What is in a or in b. */
static int
merge(const struct ranges *a, const struct ranges *b, struct ranges *to)
{
	size_t i = 0, j = 0;

	while (i < a->n || j < b->n) {
		bool          from_a = j == b->n || (i < a->n && a->r[i].lo <= b->r[j].lo);
		struct range *r = from_a ? &a->r[i++] : &b->r[j++];

		if (ranges_add(to, r->lo, r->hi) < 0)
			return E_NOMEM;
	}
	return 0;
}

/* What is in a and not in b. */
static int
subtract(const struct ranges *a, const struct ranges *b, struct ranges *to)
{
	size_t j = 0;

	for (size_t i = 0; i < a->n; i++) {
		uint64_t lo = a->r[i].lo, hi = a->r[i].hi;

		while (j < b->n && b->r[j].hi < lo)
			j++;
		for (size_t k = j; k < b->n && b->r[k].lo <= hi && lo <= hi; k++) {
			if (b->r[k].lo > lo &&
			    ranges_add(to, (uint32_t)lo, b->r[k].lo - 1) < 0)
				return E_NOMEM;
			lo = (uint64_t)b->r[k].hi + 1;
		}
		if (lo <= hi && ranges_add(to, (uint32_t)lo, (uint32_t)hi) < 0)
			return E_NOMEM;
	}
	return 0;
}

static int
apply_few(struct ranges *set, const struct ranges *delta,
    int (*one)(struct ranges *, uint32_t lo, uint32_t hi))
{
	for (size_t i = 0; i < delta->n; i++)
		if (one(set, delta->r[i].lo, delta->r[i].hi) < 0)
			return E_NOMEM;
	return 0;
}

static int
apply_many(struct ranges *set, const struct ranges *delta,
    int (*all)(const struct ranges *, const struct ranges *, struct ranges *))
{
	struct ranges fresh = { 0 };

	if (all(set, delta, &fresh) < 0) {
		ranges_done(&fresh);
		return E_NOMEM;
	}
	ranges_done(set);
	*set = fresh;
	return 0;
}

static int
apply_set(struct ranges *set, const struct ranges *remove, const struct ranges *add)
{
	int r;

	r = remove->n <= FEW_RANGES ? apply_few(set, remove, ranges_remove)
	                            : apply_many(set, remove, subtract);
	if (r < 0)
		return r;
	return add->n <= FEW_RANGES ? apply_few(set, add, ranges_add)
	                            : apply_many(set, add, merge);
}

void
index_apply(struct index *index, const struct index_delta *delta)
{
	if (!index->loaded)
		return;
	for (size_t i = 0; i < INDEX_SETS; i++)
		if (apply_set(&index->set[i], &delta->remove[i], &delta->add[i]) < 0) {
			index_drop(index);
			return;
		}
}

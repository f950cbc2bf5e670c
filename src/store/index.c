#include "store/index.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "store/state.h"

/* Up to here ranges are put in one by one; beyond it the set is made anew in one pass. */
enum { FEW_RANGES = 8, DELTA_ROWS_MAX = 4 << 20 };

void
index_drop(struct index *index)
{
	for (size_t i = 0; i < INDEX_SETS; i++)
		ranges_done(&index->set[i]);
	ranges_done(&index->lost);
	index_drop_flags(index);
	index->loaded = false;
}

void
index_drop_flags(struct index *index)
{
	column_done(&index->flags);
	index->has_flags = false;
}

size_t
index_bytes(const struct index *index)
{
	size_t n = column_bytes(&index->flags);

	for (size_t i = 0; i < INDEX_SETS; i++)
		n += index->set[i].cap * sizeof(struct range);
	return n + index->lost.cap * sizeof(struct range);
}

/* The next message's row; a mailbox with too many different flags, or measures that have no room,
 * goes without. */
static int
read_row(struct index *index, const struct message *m)
{
	struct column_row row = { 0 };
	int               r;

	if (!index->has_flags)
		return 0;
	if (index->flags.measured && column_measure(m, &row) < 0) {
		column_unmeasure(&index->flags);
		index->no_measures = true;
	}
	r = column_code(&index->flags, &m->flags, &row.code);
	if (r == 0)
		r = column_push(&index->flags, &row);
	if (r < 0)
		index_drop_flags(index);
	index->no_flags = r == E_LIMIT;
	return r == E_NOMEM ? r : 0;
}

struct reading {
	struct account       *a;
	const struct mailbox *box;
	struct index         *index;
	uint32_t              next; /* UID to go on with */
};

static int
add_lost(struct reading *r, uint32_t uid)
{
	index_drop_flags(r->index);
	r->index->no_flags = true;
	if (ranges_add(&r->index->set[0], uid, uid) < 0 ||
	    ranges_add(&r->index->lost, uid, uid) < 0)
		return E_NOMEM;
	return 0;
}

static int
add_record(struct reading *r, uint32_t uid, struct str record)
{
	struct message m;
	unsigned       state;
	int            e = message_record_unpack(record, uid, &m);

	r->next = uid + 1;
	if (e < 0)
		return e == E_CORRUPT ? add_lost(r, uid) : e;
	state = flags_state(&m.flags);
	for (size_t i = 0; i < INDEX_SETS; i++)
		if ((state & 1u << i) != 0 && ranges_add(&r->index->set[i], uid, uid) < 0)
			return E_NOMEM;
	return read_row(r->index, &m);
}

/* Up to the end, or to what cannot be read (E_CORRUPT). */
static int
read_records(struct reading *r)
{
	struct key   from = key_message(r->box->id, r->next);
	struct key   to = key_uid_end('m', r->box->id, UINT32_MAX);
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	mailbox_id   box;
	uint32_t     uid;
	int          e;

	e = kv_scan(r->a->store->kv, account_part(r->a), key_str(&from), key_str(&to), false, &it);
	if (e < 0)
		return e;
	while ((e = kv_iter_next(it, &k, &v)) > 0) {
		if (key_read_uid(k, 'm', &box, &uid) < 0)
			return E_CORRUPT;
		e = add_record(r, uid, v);
		if (e < 0)
			return e;
	}
	return e;
}

/* A scan does not get past damage, and a get says that there may be a record. Is there a message?
 */
static int
read_damaged(struct reading *r, uint32_t uid, struct buf *value)
{
	struct key facts = key_facts(r->box->id, uid);
	int        e;

	buf_reset(value);
	e = kv_get(r->a->store->kv, account_part(r->a), key_str(&facts), value);
	if (e == E_NOT_FOUND)
		return 0;
	return e == 0 || e == E_CORRUPT ? add_lost(r, uid) : e;
}

/* UID by UID up to the first record that can be read. 1: there is one, 0: the mailbox ends. */
static int
pass_damage(struct reading *r)
{
	OWN_BUF struct buf value = BUF_INIT(KV_VALUE_MAX);

	for (uint32_t uid = r->next; uid < r->box->rec.uidnext; uid++) {
		struct key key = key_message(r->box->id, uid);
		int        e;

		buf_reset(&value);
		e = kv_get(r->a->store->kv, account_part(r->a), key_str(&key), &value);
		if (e == 0) {
			e = add_record(r, uid, buf_view(&value));
			return e < 0 ? e : 1;
		}
		if (e == E_CORRUPT)
			e = read_damaged(r, uid, &value);
		if (e < 0 && e != E_NOT_FOUND)
			return e;
	}
	return 0;
}

static int
read_index(struct account *a, const struct mailbox *box, struct index *index)
{
	struct reading r = { .a = a, .box = box, .index = index, .next = 1 };
	int            e;

	index->has_flags = true;
	do {
		e = read_records(&r);
		if (e == E_CORRUPT)
			e = pass_damage(&r);
	} while (e > 0);
	return e;
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

static int
read_anew(struct account *a, struct mailbox *box, bool measures)
{
	struct index fresh = { .flags.measured = measures };
	int          r;

	index_drop(&box->index);
	make_room(a, clock_mono_ms());
	r = read_index(a, box, &fresh);
	if (r < 0) {
		index_drop(&fresh);
		return r;
	}
	column_fit(&fresh.flags);
	fresh.loaded = true;
	box->index = fresh;
	return 0;
}

int
index_need(struct account *a, struct mailbox *box)
{
	int r = box->index.loaded ? 0 : read_anew(a, box, false);

	box->index.used_ms = clock_mono_ms();
	return r;
}

int
index_need_flags(struct account *a, struct mailbox *box)
{
	int r = index_need(a, box);

	if (r < 0 || box->index.has_flags || box->index.no_flags)
		return r;
	index_drop(&box->index);
	return index_need(a, box);
}

int
index_need_measures(struct account *a, struct mailbox *box)
{
	struct index *index = &box->index;
	bool          there = index->loaded && (index->no_flags || index->no_measures ||
	    (index->has_flags && index->flags.measured));
	int           r = there ? 0 : read_anew(a, box, true);

	index->used_ms = clock_mono_ms();
	return r;
}

void
index_delta_row(struct index_delta *delta, struct index *index, const struct message *m)
{
	struct index_row put = { .uid = m->uid };

	if (!index->has_flags || delta->rows_lost)
		return;
	if (delta->rows.max == 0)
		buf_init(&delta->rows, DELTA_ROWS_MAX);
	if (index->flags.measured && column_measure(m, &put.row) < 0)
		delta->measures_lost = true;
	/* The code stays good if the commit fails: sets are only added. */
	if (column_code(&index->flags, &m->flags, &put.row.code) < 0) {
		delta->rows_lost = true;
		return;
	}
	buf_put(&delta->rows, &put, sizeof(put));
	delta->rows_lost = delta->rows.err < 0;
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
	buf_done(&delta->rows);
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

/* --- the rows --- */

/* Before the sets change: ranks are those of before. */
static int
remove_rows(struct index *index, const struct ranges *gone)
{
	OWN_MEM struct column_cut *cuts = NULL;

	if (gone->n == 0)
		return 0;
	cuts = mem_alloc(gone->n * sizeof(*cuts));
	if (cuts == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < gone->n; i++)
		cuts[i] = (struct column_cut){
			.at = ranges_rank(&index->set[0], gone->r[i].lo) - 1,
			.n = gone->r[i].hi - gone->r[i].lo + 1,
		};
	column_remove(&index->flags, cuts, gone->n);
	return 0;
}

/* After the sets have changed. */
static int
put_rows(struct index *index, const struct buf *list)
{
	struct index_row put;
	int              r = 0;

	for (size_t at = 0; r == 0 && at < list->n; at += sizeof(put)) {
		size_t rank;

		memcpy(&put, list->p + at, sizeof(put));
		rank = ranges_rank(&index->set[0], put.uid) - 1;
		if (rank < index->flags.n)
			column_set(&index->flags, rank, &put.row);
		else
			r = column_push(&index->flags, &put.row);
	}
	return r;
}

void
index_apply(struct index *index, const struct index_delta *delta)
{
	if (!index->loaded)
		return;
	if (index->has_flags &&
	    (delta->rows_lost || remove_rows(index, &delta->remove[0]) < 0))
		index_drop_flags(index);
	if (delta->measures_lost) {
		column_unmeasure(&index->flags);
		index->no_measures = true;
	}
	for (size_t i = 0; i < INDEX_SETS; i++)
		if (apply_set(&index->set[i], &delta->remove[i], &delta->add[i]) < 0) {
			index_drop(index);
			return;
		}
	if (index->has_flags && put_rows(index, &delta->rows) < 0)
		index_drop_flags(index);
}

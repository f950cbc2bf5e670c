#include "store/hidden.h"

#include "base/error.h"
#include "base/mem.h"
#include "store/device_records.h"
#include "store/ledger.h"

void
spans_done(struct spans *s)
{
	mem_free(s->s);
	*s = (struct spans){ 0 };
}

int
spans_add(struct spans *s, email_id lo, email_id hi)
{
	if (s->n != 0 && lo <= s->s[s->n - 1].hi + 1) {
		if (hi > s->s[s->n - 1].hi)
			s->s[s->n - 1].hi = hi;
		return 0;
	}
	if (s->n == s->cap) {
		size_t       cap = s->cap != 0 ? s->cap * 2 : 4;
		struct span *grown = mem_realloc(s->s, cap * sizeof(*grown));

		if (grown == NULL)
			return E_NOMEM;
		s->s = grown;
		s->cap = cap;
	}
	s->s[s->n++] = (struct span){ lo, hi };
	return 0;
}

bool
spans_has(const struct spans *s, email_id email)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->s[mid].hi < email)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < s->n && s->s[lo].lo <= email;
}

/* --- rows --- */

static int
read_row(struct str key, struct str value, struct span *ret)
{
	device_id device;
	uint64_t  more;
	email_id  lo;
	int       r = key_read_hidden(key, &device, &lo);

	if (r == 0)
		r = hidden_record_unpack(value, &more);
	if (r < 0)
		return r;
	if (more > UINT64_MAX - 1 - lo)
		return E_CORRUPT;
	*ret = (struct span){ lo, lo + more };
	return 0;
}

static int
open_rows(struct account *a, const struct key *from, const struct key *to, bool reverse,
    struct kv_iter **ret)
{
	return kv_scan(
	    a->store->kv, account_part(a), key_str(from), key_str(to), reverse, ret);
}

int
hidden_any(struct account *a, device_id id)
{
	struct key   from = key_hidden(id, 0), to = key_hidden(id, UINT64_MAX);
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r = open_rows(a, &from, &to, false, &it);

	return r < 0 ? r : kv_iter_next(it, &k, &v);
}

static int
add_rows(struct account *a, const struct key *from, const struct key *to, struct spans *rows)
{
	OWN(kv_iter) it = NULL;
	struct span  row;
	struct str   k, v;
	int          r = open_rows(a, from, to, false, &it);

	/* What is damaged hides nothing: the device gets it once more. */
	while (r >= 0 && (r = kv_iter_next(it, &k, &v)) > 0)
		if (read_row(k, v, &row) == 0)
			r = spans_add(rows, row.lo, row.hi);
	return r == E_CORRUPT ? 0 : r;
}

int
hidden_load(struct account *a, device_id id, struct spans *ret)
{
	struct key from = key_hidden(id, 0), to = key_hidden(id, UINT64_MAX);

	return add_rows(a, &from, &to, ret);
}

/* The row that begins at the id, or as the last one before it: 1; 0: none, or none to be read. */
static int
row_at(struct account *a, device_id id, email_id email, struct span *ret)
{
	struct key   from = key_hidden(id, 0), to = key_hidden(id, email + 1);
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r = open_rows(a, &from, &to, true, &it);

	if (r == 0)
		r = kv_iter_next(it, &k, &v);
	return r <= 0 ? r : read_row(k, v, ret) == 0;
}

/* That one, if it reaches up to the id or ends just before it. */
static int
add_row_before(struct account *a, device_id id, email_id email, struct spans *rows)
{
	struct span row;
	int         r = row_at(a, id, email, &row);

	if (r <= 0 || row.hi + 1 < email)
		return r < 0 ? r : 0;
	return spans_add(rows, row.lo, row.hi);
}

/* The rows that overlap the set, or touch it, or lie between. */
static int
rows_around(struct account *a, device_id id, const struct spans *set, struct spans *rows)
{
	email_id   lo = set->s[0].lo, hi = set->s[set->n - 1].hi;
	struct key from = key_hidden(id, lo + 1), to = key_hidden(id, hi + 2);
	int        r = add_row_before(a, id, lo, rows);

	return r < 0 ? r : add_rows(a, &from, &to, rows);
}

/* Makes the rows `old` into `now`. */
static void
put_rows(struct edit *e, device_id id, const struct spans *old, const struct spans *now)
{
	size_t i = 0, j = 0;

	while (i < old->n || j < now->n) {
		const struct span *o = i < old->n ? &old->s[i] : NULL;
		const struct span *n = j < now->n ? &now->s[j] : NULL;
		struct key         key;

		if (n == NULL || (o != NULL && o->lo < n->lo)) {
			key = key_hidden(id, o->lo);
			edit_del(e, &key);
			i++;
			continue;
		}
		if (o == NULL || o->lo != n->lo || o->hi != n->hi) {
			key = key_hidden(id, n->lo);
			hidden_record_pack(n->hi - n->lo, edit_value(e));
			edit_put(e, &key);
		}
		i += o != NULL && o->lo == n->lo;
		j++;
	}
}

static int
merge(const struct spans *a, const struct spans *b, struct spans *to)
{
	size_t i = 0, j = 0;
	int    r = 0;

	while (r == 0 && (i < a->n || j < b->n)) {
		bool               from_a = j == b->n || (i < a->n && a->s[i].lo <= b->s[j].lo);
		const struct span *s = from_a ? &a->s[i++] : &b->s[j++];

		r = spans_add(to, s->lo, s->hi);
	}
	return r;
}

static int
subtract(const struct spans *a, const struct spans *b, struct spans *to)
{
	size_t j = 0;
	int    r = 0;

	for (size_t i = 0; r == 0 && i < a->n; i++) {
		email_id lo = a->s[i].lo, hi = a->s[i].hi;

		while (j < b->n && b->s[j].hi < lo)
			j++;
		for (size_t k = j; r == 0 && k < b->n && b->s[k].lo <= hi && lo <= hi; k++) {
			if (b->s[k].lo > lo)
				r = spans_add(to, lo, b->s[k].lo - 1);
			lo = b->s[k].hi + 1;
		}
		if (r == 0 && lo <= hi)
			r = spans_add(to, lo, hi);
	}
	return r;
}

static uint64_t
count(const struct spans *set)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		n += set->s[i].hi - set->s[i].lo + 1;
	return n;
}

static int
change(struct edit *e, device_id id, const struct spans *set,
    int (*how)(const struct spans *, const struct spans *, struct spans *), uint64_t *less)
{
	OWN_SPANS struct spans old = { 0 }, now = { 0 };
	int                    r;

	if (set->n == 0)
		return 0;
	r = rows_around(e->a, id, set, &old);
	if (r == 0)
		r = how(&old, set, &now);
	if (r < 0)
		return r;
	put_rows(e, id, &old, &now);
	*less += count(&old) - count(&now);
	return 0;
}

int
hidden_add(struct edit *e, device_id id, const struct spans *set)
{
	uint64_t less = 0;

	return change(e, id, set, merge, &less);
}

/* --- what is gone for good --- */

/* The first message there is from `email` on, up to hi; beside those that the commit deletes, whose
 * places are there still. 0: none. */
static int
first_place(struct account *a, struct span among, const email_id *gone, size_t n, email_id *ret)
{
	struct key   from = key_place(among.lo), to = key_place(among.hi + 1);
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	email_id     email;
	int          r = open_rows(a, &from, &to, false, &it);

	*ret = 0;
	while (r >= 0 && (r = kv_iter_next(it, &k, &v)) > 0) {
		r = key_read_place(k, &email);
		if (r < 0)
			return r;
		while (n > 0 && *gone < email) {
			gone++;
			n--;
		}
		if (n == 0 || *gone != email) {
			*ret = email;
			return 0;
		}
	}
	return r;
}

/* The row that emails[0] is in, if any, begins with the first message there is, or goes. */
static int
purge_row(struct edit *e, device_id id, const email_id *emails, size_t n, struct span *row)
{
	email_id   lo;
	struct key key;
	int        r = row_at(e->a, id, emails[0], row);

	if (r > 0 && row->hi >= emails[0])
		r = first_place(e->a, *row, emails, n, &lo);
	else if (r >= 0)
		return 0;
	if (r < 0 || lo == row->lo)
		return r;
	key = key_hidden(id, row->lo);
	edit_del(e, &key);
	if (lo == 0)
		return 0;
	key = key_hidden(id, lo);
	hidden_record_pack(row->hi - lo, edit_value(e));
	edit_put(e, &key);
	return 0;
}

static int
purge_device(struct edit *e, device_id id, const email_id *emails, size_t n)
{
	struct span row = { 0 };
	int         r = hidden_any(e->a, id);

	if (r <= 0)
		return r == E_CORRUPT ? 0 : r;
	for (size_t i = 0; r >= 0 && i < n; i++)
		if (emails[i] > row.hi)
			r = purge_row(e, id, emails + i, n - i, &row);
	/* What is damaged hides nothing, and stays for the repair. */
	return r == E_CORRUPT ? 0 : r;
}

int
hidden_purge(struct edit *e, const email_id *emails, size_t n)
{
	const struct ledger *l;
	int                  r = n != 0 ? ledger_need(e->a) : 0;

	l = e->a->ledger;
	for (size_t i = 0; r >= 0 && n != 0 && i < l->n; i++)
		r = purge_device(e, l->d[i]->id, emails, n);
	return r < 0 ? r : 0;
}

int
hidden_remove(struct edit *e, device_id id, const struct spans *set, uint64_t *n)
{
	return change(e, id, set, subtract, n);
}

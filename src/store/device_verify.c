#include "store/device_verify.h"

#include <stdio.h>

#include "base/error.h"
#include "base/map.h"
#include "store/expunge.h"
#include "store/hidden.h"
#include "store/ledger.h"
#include "store/left.h"
#include "store/name.h"
#include "store/pending.h"
#include "store/uidl.h"

/* One walk over the rows: either faults are reported, or what is wrong goes into the commit. */
struct walk {
	struct account            *a;
	const struct device_check *check; /* NULL: mend */
	struct edit                e;
	struct map                 ids, names, uidls;
	device_id                  device; /* of the row of hidden ids before */
	struct span                last;
	uint64_t                   n_wrong;
};

typedef unsigned long long ull;

/* What is wrong with a row; a text for people. NULL: nothing. */
typedef int look_at(struct walk *, struct str key, struct str value, const char **wrong);

static int
look_at_device(struct walk *w, struct str key, struct str value, const char **wrong)
{
	const struct ledger *l = w->a->ledger;
	struct device_record rec;
	const struct device *d;
	device_id            id;
	int                  r = key_read_device(key, &id);

	if (r == 0)
		r = device_record_unpack(value, &rec);
	if (r < 0)
		return r;
	d = l != NULL ? ledger_find(w->a, id) : NULL;
	if (id == 0 || map_get(&w->names, rec.name) != NULL)
		*wrong = "its name is there twice";
	else if (w->check != NULL && l != NULL && (d == NULL || !str_eq(d->rec.name, rec.name)))
		*wrong = "is another one in memory";
	else if (map_put(&w->names, rec.name, w) < 0)
		return E_NOMEM;
	else
		r = map_put(&w->ids, str_of((const char *)&id, sizeof(id)), w);
	return r;
}

static int
look_at_hidden(struct walk *w, struct str key, struct str value, const char **wrong)
{
	device_id device;
	email_id  lo;
	uint64_t  more;
	int       r = key_read_hidden(key, &device, &lo);

	if (r == 0)
		r = hidden_record_unpack(value, &more);
	if (r < 0)
		return r;
	if (map_get(&w->ids, str_of((const char *)&device, sizeof(device))) == NULL)
		*wrong = "no such device";
	else if (lo >= w->a->rec.next_email || more >= w->a->rec.next_email - lo)
		*wrong = "ids that are not drawn yet";
	else if (device == w->device && lo <= w->last.hi + 1)
		*wrong = "overlaps or touches another";
	if (*wrong == NULL || w->check != NULL) {
		w->device = device;
		w->last = (struct span){ lo, lo + more };
	}
	return 0;
}

static int
look_at_options(struct walk *w, struct str key, struct str value, const char **wrong)
{
	struct pop3_options opt;

	(void)w;
	(void)wrong;
	return key.n != 1 ? E_CORRUPT : options_record_unpack(value, &opt);
}

static int
look_at_pending(struct walk *w, struct str key, struct str value, const char **wrong)
{
	OWN_PENDING struct pending p = { 0 };
	int                        r = pending_read(key, value, &p);

	if (r < 0)
		return r;
	if (map_get(&w->ids, str_of((const char *)&p.device, sizeof(p.device))) == NULL)
		*wrong = "no such device";
	else if (p.left.s[p.left.n - 1].hi >= w->a->rec.next_email)
		*wrong = "ids that are not drawn yet";
	return 0;
}

static int
look_at_left(struct walk *w, struct str key, struct str value, const char **wrong)
{
	const struct mailbox *inbox = account_box_named(w->a, INBOX);
	struct left_record    rec;
	struct place_record   place;
	email_id              email;
	int                   r = key_read_left(key, &email);

	if (r == 0)
		r = left_record_unpack(value, &rec);
	if (r == 0)
		r = place_fetch(w->a, email, &place);
	if (r == E_NOT_FOUND)
		*wrong = "no such message";
	else if (r == 0 && !place.expunged && inbox != NULL && place.mailbox == inbox->id)
		*wrong = "the message is in INBOX";
	return r == E_NOT_FOUND ? 0 : r;
}

static int
look_at_uidl(struct walk *w, struct str key, struct str value, const char **wrong)
{
	struct place_record place;
	email_id            email;
	int                 r = key_read_uidl(key, &email);

	if (r == 0)
		r = uidl_is_valid(value) ? place_fetch(w->a, email, &place) : E_CORRUPT;
	if (r == E_NOT_FOUND)
		*wrong = "no such message";
	else if (r == 0 && map_get(&w->uidls, value) != NULL)
		*wrong = "another message has it, too";
	else if (r == 0)
		return map_put(&w->uidls, value, w);
	return r == E_NOT_FOUND ? 0 : r;
}

/* --- the walk --- */

static const struct {
	char        kind;
	const char *name;
	look_at    *look;
} KINDS[] = {
	{ 'd', "device", look_at_device },
	{ 'h', "hidden ids", look_at_hidden },
	{ 'o', "options of POP3", look_at_options },
	{ 'p', "removal cut short", look_at_pending },
	{ 'q', "removed by POP3", look_at_left },
	{ 'U', "UIDL", look_at_uidl },
};

/* The last number of a key, for people. */
static ull
number_of(struct str key)
{
	ull n = 0;

	for (size_t i = key.n > 9 ? key.n - 8 : 1; i < key.n; i++)
		n = n << 8 | (unsigned char)key.p[i];
	return n;
}

static void
tell(struct walk *w, const char *name, struct str key, const char *wrong)
{
	char text[160];

	snprintf(text, sizeof(text), "%s %llu: %s", name, number_of(key), wrong);
	w->check->fault(w->check->arg, text);
}

/* Hidden ids that overlap are still hidden: the row before takes them in. */
static void
join(struct walk *w, struct str key, struct str value)
{
	device_id  device;
	email_id   lo;
	uint64_t   more;
	struct key before = key_hidden(w->device, w->last.lo);

	if (key_read_hidden(key, &device, &lo) < 0 || hidden_record_unpack(value, &more) < 0 ||
	    device != w->device || lo > w->last.hi + 1 || more >= w->a->rec.next_email - lo)
		return;
	if (lo + more > w->last.hi)
		w->last.hi = lo + more;
	hidden_record_pack(w->last.hi - w->last.lo, edit_value(&w->e));
	edit_put(&w->e, &before);
}

static int
commit_if_full(struct walk *w)
{
	int r;

	if (!edit_is_full(&w->e))
		return 0;
	r = edit_commit(&w->e, EDIT_DURABLE);
	edit_done(&w->e);
	edit_begin(&w->e, w->a, &ACTOR_NOBODY);
	return r;
}

static int
walk_kind(struct walk *w, size_t kind)
{
	struct key   from = key_kind(KINDS[kind].kind), to = key_kind_end(KINDS[kind].kind);
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r;

	r = kv_scan(w->a->store->kv, account_part(w->a), key_str(&from), key_str(&to), false, &it);
	while (r >= 0 && (r = kv_iter_next(it, &k, &v)) > 0) {
		const char *wrong = NULL;

		r = KINDS[kind].look(w, k, v, &wrong);
		if (r == E_CORRUPT || r == E_FORMAT_NEWER) {
			wrong = error_row(r)->text;
			r = 0;
		}
		if (r < 0)
			return r;
		if (wrong == NULL)
			continue;
		w->n_wrong++;
		if (w->check != NULL) {
			tell(w, KINDS[kind].name, k, wrong);
			continue;
		}
		kv_del(&w->e.batch, k);
		if (KINDS[kind].kind == 'h' && w->device != 0)
			join(w, k, v);
		r = commit_if_full(w);
	}
	/* A part of the rows that cannot be read. */
	if (r == E_CORRUPT && w->check != NULL) {
		w->check->fault(w->check->arg, "a part of the records of devices cannot be read");
		r = 0;
	}
	return r;
}

static int
walk_all(struct walk *w)
{
	int r = 0;

	map_init(&w->ids);
	map_init(&w->names);
	map_init(&w->uidls);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(KINDS); i++)
		r = walk_kind(w, i);
	map_done(&w->ids);
	map_done(&w->names);
	map_done(&w->uidls);
	return r;
}

int
device_verify(struct account *a, const struct device_check *check)
{
	struct walk w = { .a = a, .check = check };

	return walk_all(&w);
}

int
device_repair(struct store *store, account_id id, struct store_repair *rep)
{
	OWN(account) a = NULL;
	struct walk  w = { 0 };
	int          r = account_open(store, id, &a);

	/* One that was removed has none. */
	if (r < 0)
		return r == E_NOT_FOUND ? 0 : r;
	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	w.a = a;
	edit_begin(&w.e, a, &ACTOR_NOBODY);
	r = walk_all(&w);
	if (r == 0 && w.e.batch.ops.n != 0)
		r = edit_commit(&w.e, EDIT_DURABLE);
	edit_done(&w.e);
	rep->mended += w.n_wrong;
	return r;
}

#include "store/ledger.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"

/* --- records in memory --- */

int
ledger_set_str(struct str *s, struct str to)
{
	char *copy = NULL;

	if (to.n != 0) {
		copy = mem_alloc(to.n);
		if (copy == NULL)
			return E_NOMEM;
		memcpy(copy, to.p, to.n);
	}
	mem_free((char *)(uintptr_t)s->p);
	*s = str_of(copy, to.n);
	return 0;
}

void
ledger_free_device(struct device *d)
{
	if (d == NULL)
		return;
	mem_free((char *)(uintptr_t)d->rec.name.p);
	mem_free((char *)(uintptr_t)d->rec.client.p);
	for (size_t i = 0; i < ACTOR_PROTOCOLS; i++)
		mem_free((char *)(uintptr_t)d->rec.use[i].peer.p);
	mem_free(d);
}

/* With strings of its own. */
static int
device_new(device_id id, const struct device_record *rec, struct device **ret)
{
	struct device *d = MEM_NEW(struct device);
	int            r = 0;

	if (d == NULL)
		return E_NOMEM;
	d->id = id;
	d->rec = *rec;
	d->rec.name = d->rec.client = STR_NONE;
	for (size_t i = 0; i < ACTOR_PROTOCOLS; i++)
		d->rec.use[i].peer = STR_NONE;
	r = ledger_set_str(&d->rec.name, rec->name);
	if (r == 0)
		r = ledger_set_str(&d->rec.client, rec->client);
	for (size_t i = 0; r == 0 && i < ACTOR_PROTOCOLS; i++)
		r = ledger_set_str(&d->rec.use[i].peer, rec->use[i].peer);
	if (r < 0) {
		ledger_free_device(d);
		return r;
	}
	*ret = d;
	return 0;
}

static void
ledger_free(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++)
		ledger_free_device(l->d[i]);
	mem_free(l->d);
	mem_free(l);
}

void
ledger_drop(struct account *a)
{
	if (a->ledger != NULL)
		ledger_free(a->ledger);
	a->ledger = NULL;
	memset(a->rare, 0, sizeof(a->rare));
	atomic_store_explicit(&a->unsaved_ms, 0, memory_order_relaxed);
}

/* Room for one more. */
static int
make_room(struct ledger *l)
{
	size_t          cap = l->cap != 0 ? l->cap * 2 : 4;
	struct device **d;

	if (l->n < l->cap)
		return 0;
	d = mem_realloc(l->d, cap * sizeof(*d));
	if (d == NULL)
		return E_NOMEM;
	l->d = d;
	l->cap = cap;
	return 0;
}

int
ledger_new(struct account *a, device_id id, const struct device_record *rec, struct device **ret)
{
	int r = make_room(a->ledger);

	return r < 0 ? r : device_new(id, rec, ret);
}

void
ledger_add(struct account *a, struct device *d, struct device *gone)
{
	struct ledger *l = a->ledger;

	for (size_t i = 0; gone != NULL && i < l->n; i++)
		if (l->d[i] == gone) {
			memmove(l->d + i, l->d + i + 1, (l->n - i - 1) * sizeof(struct device *));
			l->n--;
			ledger_free_device(gone);
			gone = NULL;
		}
	l->d[l->n++] = d;
	l->last = d->id;
}

static int
load_device(struct ledger *l, struct str key, struct str value)
{
	struct device_record rec;
	device_id            id;
	int                  r = key_read_device(key, &id);

	if (r == 0)
		l->last = id;
	/* A damaged device is as a new one when it comes again. */
	if (r < 0 || device_record_unpack(value, &rec) < 0)
		return 0;
	r = make_room(l);
	if (r == 0)
		r = device_new(id, &rec, &l->d[l->n]);
	l->n += r == 0;
	return r;
}

static int
load(struct account *a, struct ledger *l)
{
	OWN_BUF struct buf value = BUF_INIT(1024);
	struct key         from = key_kind('d'), to = key_kind_end('d'), options = key_options();
	OWN(kv_iter)       it = NULL;
	struct str         k, v;
	int                r;

	r = kv_get(a->store->kv, account_part(a), key_str(&options), &value);
	/* Whatever the policy was: keeping loses nothing. */
	if (r == 0 && options_record_unpack(buf_view(&value), &l->options) < 0)
		l->options = (struct pop3_options){ .policy = POP3_KEEP };
	if (r == 0 || r == E_NOT_FOUND)
		r = kv_scan(
		    a->store->kv, account_part(a), key_str(&from), key_str(&to), false, &it);
	while (r >= 0 && (r = kv_iter_next(it, &k, &v)) > 0)
		r = load_device(l, k, v);
	return r;
}

int
ledger_need(struct account *a)
{
	struct ledger *l;
	int            r;

	if (a->ledger != NULL)
		return 0;
	l = MEM_NEW(struct ledger);
	if (l == NULL)
		return E_NOMEM;
	r = load(a, l);
	if (r < 0) {
		ledger_free(l);
		return r;
	}
	a->ledger = l;
	return 0;
}

int
ledger_ready(struct account *a)
{
	int r = account_ready(a);

	return r < 0 ? r : ledger_need(a);
}

struct device *
ledger_find(const struct account *a, device_id id)
{
	const struct ledger *l = a->ledger;

	for (size_t lo = 0, hi = l->n; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->d[mid]->id == id)
			return l->d[mid];
		if (l->d[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

struct device *
ledger_named(const struct account *a, struct str name)
{
	for (size_t i = 0; i < a->ledger->n; i++)
		if (str_eq(a->ledger->d[i]->rec.name, name))
			return a->ledger->d[i];
	return NULL;
}

struct str
device_name(struct str name)
{
	struct str s = str_head(name, DEVICE_NAME_MAX);

	/* The bytes that go on a character of UTF-8. */
	while (s.n < name.n && s.n > 0 && ((unsigned char)name.p[s.n] & 0xc0) == 0x80)
		s.n--;
	return s;
}

struct device_use *
ledger_use(struct device *d, enum actor_protocol protocol)
{
	return &d->rec.use[protocol];
}

enum pop3_policy
ledger_policy(const struct account *a, const struct device *d)
{
	if (d != NULL && d->rec.policy != POP3_POLICY_NONE)
		return d->rec.policy;
	if (a->ledger->options.policy != POP3_POLICY_NONE)
		return a->ledger->options.policy;
	return POP3_TRASH;
}

/* --- writing --- */

void
ledger_put(struct edit *e, const struct device *d)
{
	struct key key = key_device(d->id);

	device_record_pack(&d->rec, edit_value(e));
	edit_put(e, &key);
}

void
ledger_unsaved(struct account *a, struct device *d)
{
	d->unsaved = true;
	if (atomic_load_explicit(&a->unsaved_ms, memory_order_relaxed) == 0)
		atomic_store_explicit(&a->unsaved_ms, clock_mono_ms() + 1, memory_order_relaxed);
}

/* What POP3 removes it counts itself: pop3_remove.c. */
void
ledger_removed(struct account *a, const struct actor *actor, uint64_t n, uint64_t bytes)
{
	struct device *d = NULL;

	if (a->ledger != NULL && actor->protocol == ACTOR_IMAP && n != 0)
		d = ledger_named(a, device_name(actor->device));
	if (d == NULL)
		return;
	ledger_use(d, ACTOR_IMAP)->removed_n += n;
	ledger_use(d, ACTOR_IMAP)->removed_bytes += bytes;
	ledger_unsaved(a, d);
}

int
ledger_save(struct account *a)
{
	OWN_EDIT struct edit e = { 0 };
	struct ledger       *l = a->ledger;
	bool                 any = false;
	int                  r;

	if (l == NULL)
		return 0;
	edit_begin(&e, a, &ACTOR_NOBODY);
	for (size_t i = 0; i < l->n; i++)
		if (l->d[i]->unsaved) {
			ledger_put(&e, l->d[i]);
			any = true;
		}
	if (any) {
		r = edit_commit(&e, EDIT_LAZY);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < l->n; i++)
		l->d[i]->unsaved = false;
	atomic_store_explicit(&a->unsaved_ms, 0, memory_order_relaxed);
	return 0;
}

enum { SAVE_AT_ONCE = 64 };

/* Accounts that are to be saved. */
static size_t
list_old(struct store *store, account_id ids[static SAVE_AT_ONCE])
{
	int64_t       now_ms = clock_mono_ms();
	struct map_at at = { 0 };
	size_t        n = 0;

	LOCK_SCOPE(&store->table_lock);
	while (n < SAVE_AT_ONCE && map_next(&store->accounts, &at)) {
		struct account *a = at.value;
		int64_t         ms = atomic_load_explicit(&a->unsaved_ms, memory_order_relaxed);

		if (ms != 0 && now_ms - ms >= DEVICE_SAVE_MS)
			ids[n++] = a->id;
	}
	return n;
}

static int
save_one(struct store *store, account_id id)
{
	OWN(account) a = NULL;
	int          r = account_open(store, id, &a);

	if (r < 0)
		return r;
	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	return r < 0 ? r : ledger_save(a);
}

int
ledger_save_old(struct store *store)
{
	account_id ids[SAVE_AT_ONCE];
	size_t     n = list_old(store, ids);

	for (size_t i = 0; i < n; i++) {
		int r = save_one(store, ids[i]);

		/* One bad account does not hold up the others. */
		if (r < 0 && r != E_CONFLICT && r != E_NOT_FOUND && r != E_CORRUPT)
			return r;
	}
	return 0;
}

/* --- rare rows --- */

enum { RARE_UNKNOWN, RARE_NONE, RARE_SOME };

static unsigned char *
rare_of(struct account *a, char kind)
{
	return &a->rare[kind == 'q' ? 0 : kind == 'p' ? 1 : 2];
}

int
rare_has(struct account *a, char kind)
{
	unsigned char *is = rare_of(a, kind);
	struct key     from = key_kind(kind), to = key_kind_end(kind);
	OWN(kv_iter)   it = NULL;
	struct str     k, v;
	int            r;

	if (*is != RARE_UNKNOWN)
		return *is == RARE_SOME;
	r = kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, &it);
	if (r == 0)
		r = kv_iter_next(it, &k, &v);
	if (r >= 0)
		*is = r > 0 ? RARE_SOME : RARE_NONE;
	return r;
}

void
rare_put(struct account *a, char kind)
{
	*rare_of(a, kind) = RARE_SOME;
}

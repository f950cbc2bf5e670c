/* Housekeeping: what time does to a store. */
#include "base/clock.h"
#include "base/error.h"
#include "store/device_view.h"
#include "store/expunge.h"
#include "store/ledger.h"
#include "store/left.h"
#include "store/pending.h"
#include "store/text_rows.h"

enum {
	TEND_ACCOUNTS = 1000,                /* looked at in one call */
	TEND_PARTS = 20,                     /* parts of work in one call */
	TEND_LOG_ENTRIES = 10000,            /* of the change log, in one part */
	TEND_BLOBS = 1000,                   /* unreferenced blobs in one call */
	TEND_TEXT_MS = 100,                  /* making of texts in one call: 2 % of a core */
	BLOB_AGE_MS = 24 * 3600 * 1000       /* of a blob that nobody will refer to any more */
};

/* What is left of one call. */
struct budget {
	unsigned parts;
	int64_t  text_ms;
};

/* What an account has to be done with. */
struct chores {
	bool removing;
	bool dying;
	bool resume;
	bool purge;
	bool trim;
	bool text;
};

static int
heal(struct store *store)
{
	int r;

	if (kv_healthy(store->kv))
		return 0;
	r = kv_heal(store->kv);
	if (r == 0) {
		/* It is on disk, or lost for good. */
		atomic_store(&store->lazy, 0);
		store_notify_all(store);
	}
	return r;
}

/* The first row of a kind. E_NOT_FOUND. */
static int
first_row(struct store *store, struct kv_part part, char kind, struct buf *key, struct buf *value)
{
	struct key   from = key_kind(kind), to = key_kind_end(kind);
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r;

	buf_reset(key);
	buf_reset(value);
	r = kv_scan(store->kv, part, key_str(&from), key_str(&to), false, &it);
	if (r == 0)
		r = kv_iter_next(it, &k, &v);
	if (r <= 0)
		return r < 0 ? r : E_NOT_FOUND;
	buf_str(key, k);
	buf_str(value, v);
	return key->err < 0 ? key->err : value->err;
}

static int
look_at_log(struct store *store, struct kv_part part, int64_t before_ms, bool *ret)
{
	OWN_BUF struct buf key = BUF_INIT(64), value = BUF_INIT(KV_VALUE_MAX);
	struct log_record  rec;
	int                r = first_row(store, part, 'c', &key, &value);

	if (r == 0)
		r = log_record_unpack(buf_view(&value), &rec);
	if (r == 0)
		*ret = rec.when_ms < before_ms;
	return r == E_NOT_FOUND ? 0 : r;
}

static int
look_at_expunged(struct store *store, struct kv_part part, int64_t before_ms, bool *ret)
{
	OWN_BUF struct buf key = BUF_INIT(64), value = BUF_INIT(KV_VALUE_MAX);
	int64_t            when_ms;
	email_id           email;
	int                r = first_row(store, part, 'x', &key, &value);

	if (r == 0)
		r = key_read_expunged(buf_view(&key), &when_ms, &email);
	if (r == 0)
		*ret = when_ms < before_ms;
	return r == E_NOT_FOUND ? 0 : r;
}

/* A QUIT that the end of a process has cut short. */
static int
look_at_removals(struct store *store, struct kv_part part, bool *ret)
{
	OWN_BUF struct buf         key = BUF_INIT(64), value = BUF_INIT(KV_VALUE_MAX);
	OWN_PENDING struct pending p = { 0 };
	int                        r = first_row(store, part, 'p', &key, &value);

	if (r == 0)
		r = pending_read(buf_view(&key), buf_view(&value), &p);
	if (r == 0)
		*ret = p.when_ms < store->opened_ms;
	/* What is damaged is for check and repair. */
	return r == E_NOMEM || r == E_IO ? r : 0;
}

/* Most accounts have nothing to do: this opens none. */
static int
look(struct store *store, account_id id, int64_t before_ms, struct chores *ret)
{
	OWN_BUF struct buf    value = BUF_INIT(1024);
	struct kv_part        part = { KV_ACCOUNT, id };
	struct key            key = key_account();
	struct account_record rec;
	struct chores         chores = { 0 };
	int                   r;

	r = kv_get(store->kv, part, key_str(&key), &value);
	if (r == 0)
		r = account_record_unpack(buf_view(&value), &rec);
	if (r < 0)
		return r == E_NOT_FOUND ? 0 : r;
	chores.removing = rec.state == ACCOUNT_REMOVING;
	if (rec.state == ACCOUNT_LIVE) {
		chores.dying = rec.n_dying != 0;
		r = look_at_removals(store, part, &chores.resume);
		if (r == 0)
			r = look_at_expunged(store, part, before_ms, &chores.purge);
		if (r == 0)
			r = look_at_log(store, part, before_ms, &chores.trim);
		if (r == 0)
			r = text_is_behind(store, id, rec.next_email, &chores.text);
	}
	*ret = chores;
	return r;
}

/* --- the chores --- */

/* Deletes the entries of the log that are older; those that follow stay without a gap. */
static int
trim_fill(struct edit *e, int64_t before_ms, bool *ret_done)
{
	struct key        from = key_kind('c'), to = key_kind_end('c');
	OWN(kv_iter)      it = NULL;
	struct log_record rec;
	struct str        k, v;
	uint64_t          last = 0;
	unsigned          n = 0;
	int               r;

	r = kv_scan(e->a->store->kv, account_part(e->a), key_str(&from), key_str(&to), false, &it);
	while (r >= 0 && n < TEND_LOG_ENTRIES && (r = kv_iter_next(it, &k, &v)) > 0) {
		r = log_record_unpack(v, &rec);
		if (r < 0 || rec.when_ms >= before_ms)
			break;
		r = key_read_log(k, &last);
		n++;
	}
	if (r < 0)
		return r;
	*ret_done = n < TEND_LOG_ENTRIES;
	if (n == 0)
		return 0;
	to = key_log(last + 1);
	kv_del_range(&e->batch, key_str(&from), key_str(&to));
	e->rec.log_floor = last;
	return edit_commit(e, EDIT_LAZY);
}

static int
trim_part(struct account *a, int64_t before_ms, bool *ret_done)
{
	OWN_EDIT struct edit e = { 0 };
	int                  r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	edit_begin(&e, a, &ACTOR_NOBODY);
	return trim_fill(&e, before_ms, ret_done);
}

static mailbox_id
find_dying(struct account *a)
{
	ACCOUNT_SCOPE(a);
	for (size_t i = 0; i < a->n_boxes; i++)
		if (a->boxes[i]->rec.dying)
			return a->boxes[i]->id;
	return 0;
}

/* One part of whatever is first. */
static int
do_chore(struct account *a, const struct chores *chores, int64_t before_ms, bool *ret_done)
{
	bool done;
	int  r;

	if (chores->dying)
		return bury_part(a, find_dying(a), &ACTOR_NOBODY, ret_done);
	if (chores->resume)
		return pop3_resume_part(a, ret_done);
	if (chores->purge)
		return purge_part(a, before_ms, ret_done);
	/* The log has an entry of the time of each removal. */
	r = left_tend_part(a, before_ms, &done);
	return r < 0 || !done ? r : trim_part(a, before_ms, ret_done);
}

static int
make_texts(struct store *store, account_id id, struct budget *budget)
{
	OWN(account) a = NULL;
	int64_t      start = clock_mono_ms();
	bool         done;
	int          r;

	if (budget->text_ms <= 0)
		return 0;
	r = account_open(store, id, &a);
	if (r == 0)
		r = text_part_make(a, budget->text_ms, &done);
	budget->text_ms -= clock_mono_ms() - start;
	return r;
}

/* Works on one account until it has nothing to do or the parts are used up; its texts come last. */
static int
tend_account(struct store *store, account_id id, int64_t before_ms, struct budget *budget)
{
	while (budget->parts > 0) {
		OWN(account)  a = NULL;
		struct chores chores = { 0 };
		bool          done = false;
		int           r = look(store, id, before_ms, &chores);

		if (r < 0)
			return r;
		if (!(chores.removing || chores.dying || chores.resume || chores.purge ||
		        chores.trim))
			return chores.text ? make_texts(store, id, budget) : 0;
		if (!chores.removing)
			r = account_open(store, id, &a);
		while (r == 0 && !done && budget->parts > 0) {
			budget->parts--;
			r = chores.removing ? account_remove_part(store, id, &done)
			                    : do_chore(a, &chores, before_ms, &done);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Goes on where the last call stopped, and begins anew behind the last account. */
static int
tend_accounts(struct store *store)
{
	int64_t       before_ms = clock_real_ms() - store->options.retention_ms;
	struct budget budget = { .parts = TEND_PARTS, .text_ms = TEND_TEXT_MS };

	for (unsigned n = 0; n < TEND_ACCOUNTS && budget.parts > 0; n++) {
		account_id id;
		int        r = kv_part_next(store->kv, KV_ACCOUNT, store->tend_at, &id);

		if (r == E_NOT_FOUND || id == UINT64_MAX) {
			store->tend_at = 0;
			return 0;
		}
		if (r == 0)
			r = tend_account(store, id, before_ms, &budget);
		/* One bad account does not hold up the others. */
		if (r < 0 && r != E_CONFLICT && r != E_NOT_FOUND && r != E_CORRUPT)
			return r;
		if (budget.parts > 0)
			store->tend_at = id + 1;
	}
	return 0;
}

/* What nobody waits for is on disk then, too: in a quiet server no other sync takes it along. */
static int
settle(struct store *store)
{
	kv_ticket ticket = atomic_exchange(&store->lazy, 0);

	return ticket != 0 ? kv_wait(store->kv, ticket) : 0;
}

static int
tend(struct store *store)
{
	size_t removed;
	int    r = heal(store);

	if (r == 0)
		r = ledger_save_old(store);
	if (r == 0)
		r = tend_accounts(store);
	if (r == 0)
		r = settle(store);
	if (r == 0)
		r = kv_blob_collect(
		    store->kv, clock_real_ms() - BLOB_AGE_MS, TEND_BLOBS, &removed);
	return r;
}

int
store_tend(struct store *store)
{
	int r;

	if (atomic_exchange(&store->tending, true))
		return 0;
	r = tend(store);
	atomic_store(&store->tending, false);
	return r;
}

/* The store and its table of open accounts. */
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/pack.h"
#include "store/kept.h"
#include "store/ledger.h"

static const struct kv_part META = { KV_META, 0 };

static int
judge_format(uint32_t format, struct buf *detail)
{
	if (format == STORE_FORMAT)
		return 0;
	if (format > STORE_FORMAT) {
		if (detail != NULL)
			buf_printf(detail, "the data has format %u, this program knows %d", format,
			    (int)STORE_FORMAT);
		return E_FORMAT_NEWER;
	}
	if (detail != NULL)
		buf_printf(detail,
		    "the data has format %u, this program reads %d only; nothing was "
		    "changed: take the mail out with `postrider export` of the version that wrote "
		    "it, and bring it into a new data folder with `postrider import`", format,
		    (int)STORE_FORMAT);
	return E_FORMAT_OLDER;
}

/* Reads the format of the store, or writes it into a new one. */
static int
check_format(struct kv *kv, struct buf *detail)
{
	OWN_BUF struct buf         value = BUF_INIT(64);
	OWN_BATCH struct kv_batch  batch;
	struct unpack              u;
	uint64_t                   version;
	uint32_t                   format;
	kv_ticket                  ticket;
	int                        r;

	kv_batch_init(&batch);
	r = kv_get(kv, META, STR("format"), &value);
	if (r == 0) {
		u = unpack_of(buf_view(&value));
		format = unpack_u32(&u);
		return unpack_ok(&u) && format != 0 ? judge_format(format, detail) : E_CORRUPT;
	}
	if (r != E_NOT_FOUND)
		return r;
	r = kv_version(kv, META, &version);
	if (r < 0)
		return r;
	pack_u32(&value, STORE_FORMAT);
	kv_put(&batch, STR("format"), buf_view(&value));
	r = value.err < 0 ? value.err : kv_commit(kv, META, version, version + 1, &batch, &ticket);
	return r < 0 ? r : kv_wait(kv, ticket);
}

int
store_open(struct kv *kv, const struct store_options *options, struct buf *detail,
    struct store **ret)
{
	OWN(kv)       owned = kv;
	struct store *store;
	int           r = check_format(kv, detail);

	if (r < 0)
		return r;
	store = MEM_NEW(struct store);
	if (store == NULL)
		return E_NOMEM;
	store->messages = MEM_NEW(struct parts);
	if (store->messages == NULL || parts_init(store->messages, KEPT_BYTES) < 0) {
		mem_free(store->messages);
		mem_free(store);
		return E_NOMEM;
	}
	store->kv = TAKE(owned);
	if (options != NULL)
		store->options = *options;
	if (store->options.retention_ms == 0)
		store->options.retention_ms = (int64_t)EXPUNGED_KEEP_DAYS * 24 * 3600 * 1000;
	if (store->options.accounts_max == 0)
		store->options.accounts_max = ACCOUNTS_MAX;
	if (store->options.mailboxes_max == 0)
		store->options.mailboxes_max = MAILBOXES_MAX;
	store->first_generation = kv_generation(store->kv);
	store->opened_ms = clock_real_ms();
	lock_init(&store->table_lock, LOCK_STORE_TABLE);
	map_init(&store->accounts);
	list_init(&store->idle);
	list_init(&store->keeping);
	*ret = store;
	return 0;
}

struct kv *
store_kv(struct store *store)
{
	return store->kv;
}

int
store_wait(struct store *store, kv_ticket ticket)
{
	return kv_wait(store->kv, ticket);
}

int
store_wait_or_wake(struct store *store, kv_ticket ticket, struct kv_waiter *w)
{
	return kv_wait_or_wake(store->kv, ticket, w);
}

/* --- the table --- */

static struct str
id_key(const account_id *id)
{
	return str_of((const char *)id, sizeof(*id));
}

static void
account_free(struct account *a)
{
	account_forget(a);
	for (unsigned i = 0; i < a->n_keywords; i++)
		mem_free((char *)(uintptr_t)a->keywords[i].p);
	mem_free(a->keywords);
	lock_done(&a->lock);
	lock_done(&a->watch_lock);
	mem_free(a);
}

static struct account *
account_new(struct store *store, account_id id)
{
	struct account *a = MEM_NEW(struct account);

	if (a == NULL)
		return NULL;
	a->store = store;
	a->id = id;
	a->generation = kv_generation(store->kv);
	lock_init(&a->lock, LOCK_ACCOUNT);
	lock_init(&a->watch_lock, LOCK_STORE_WATCH);
	list_init(&a->watchers);
	list_init(&a->turns);
	list_init(&a->idle);
	list_init(&a->keeping);
	map_init(&a->by_name);
	map_init(&a->subscriptions);
	return a;
}

/* Its indexes are no longer those of an idle account. */
static void
count_out(struct account *a)
{
	a->store->kept -= a->kept;
	a->kept = 0;
	list_remove(&a->keeping);
}

/* Nobody uses it. What cannot be written is lost, as in a crash. */
static void
save_devices(struct account *a)
{
	if (atomic_load_explicit(&a->unsaved_ms, memory_order_relaxed) == 0)
		return;
	ACCOUNT_SCOPE(a);
	if (account_ready(a) == 0)
		(void)ledger_save(a);
}

/* Takes it out of the table; the last handle frees it. */
static void
unlink_account(struct account *a)
{
	if (!a->linked)
		return;
	if (a->refs == 0)
		save_devices(a);
	map_del(&a->store->accounts, id_key(&a->id));
	list_remove(&a->idle);
	count_out(a);
	a->linked = false;
	if (a->refs == 0)
		account_free(a);
}

void
store_drop(struct store *store)
{
	if (store == NULL)
		return;
	LIST_EACH_SAFE (it, &store->idle)
		unlink_account(CONTAINER_OF(it, struct account, idle));
	map_done(&store->accounts);
	lock_done(&store->table_lock);
	parts_done(store->messages);
	mem_free(store->messages);
	kv_drop(store->kv);
	mem_free(store);
}

struct account *
table_take(struct store *store, account_id id)
{
	struct account *a;

	LOCK_SCOPE(&store->table_lock);
	a = map_get(&store->accounts, id_key(&id));
	if (a != NULL && account_alive(a) < 0) {
		unlink_account(a);
		a = NULL;
	}
	if (a == NULL) {
		a = account_new(store, id);
		if (a == NULL)
			return NULL;
		if (map_put(&store->accounts, id_key(&id), a) < 0) {
			account_free(a);
			return NULL;
		}
		a->linked = true;
		if (store->accounts.n > store->options.accounts_max && !list_empty(&store->idle))
			unlink_account(CONTAINER_OF(store->idle.next, struct account, idle));
	}
	if (a->refs++ == 0) {
		list_remove(&a->idle);
		count_out(a);
	}
	return a;
}

int
account_open(struct store *store, account_id id, struct account **ret)
{
	OWN(account) a = table_take(store, id);
	int          r;

	if (a == NULL)
		return E_NOMEM;
	lock_take(&a->lock);
	r = account_ready(a);
	lock_give(&a->lock);
	if (r < 0)
		return r;
	*ret = TAKE(a);
	return 0;
}

/* The indexes of accounts that nobody uses have one room together: the longest idle lose theirs. */
static void
keep_indexes(struct account *a)
{
	struct store *store = a->store;

	for (size_t i = 0; i < a->n_boxes; i++)
		a->kept += index_bytes(&a->boxes[i]->index);
	if (a->kept == 0)
		return;
	store->kept += a->kept;
	list_push(&store->keeping, &a->keeping);
	while (store->kept > INDEX_IDLE_BYTES) {
		struct account *oldest =
		    CONTAINER_OF(store->keeping.next, struct account, keeping);

		for (size_t i = 0; i < oldest->n_boxes; i++)
			index_drop(&oldest->boxes[i]->index);
		count_out(oldest);
	}
}

void
account_drop(struct account *a)
{
	struct store *store;

	if (a == NULL)
		return;
	store = a->store;
	LOCK_SCOPE(&store->table_lock);
	if (--a->refs != 0)
		return;
	if (!a->linked) {
		account_free(a);
		return;
	}
	if (!a->loaded || account_alive(a) < 0) {
		unlink_account(a);
		return;
	}
	mem_free(a->recent);
	a->recent = NULL;
	list_push(&store->idle, &a->idle);
	keep_indexes(a);
	if (store->accounts.n > store->options.accounts_max)
		unlink_account(CONTAINER_OF(store->idle.next, struct account, idle));
}

void
store_notify_all(struct store *store)
{
	struct map_at at = { 0 };

	LOCK_SCOPE(&store->table_lock);
	while (map_next(&store->accounts, &at))
		account_notify(at.value);
}

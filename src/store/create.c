/* Accounts come and go. */
#include "base/error.h"
#include "base/mem.h"
#include "store/edit.h"
#include "store/text_rows.h"

enum { REMOVE_MESSAGES = 1000 };

static const struct {
	struct str name;
	unsigned   special_use;
} FIRST_BOXES[] = {
	{ STR("INBOX"), 0 },
	{ STR("Drafts"), USE_DRAFTS },
	{ STR("Sent"), USE_SENT },
	{ STR("Archive"), USE_ARCHIVE },
	{ STR("Junk"), USE_JUNK },
	{ STR("Trash"), USE_TRASH },
};

static void
put_first_boxes(struct edit *e)
{
	char hold[SUBSCRIPTION_KEY_MAX];

	for (size_t i = 0; i < ARRAY_LEN(FIRST_BOXES); i++) {
		mailbox_id            id = e->rec.next_mailbox++;
		struct mailbox_record rec = {
			.special_use = FIRST_BOXES[i].special_use,
			.uidvalidity = edit_uidvalidity(e),
			.uidnext = 1,
			.recent_from = 1,
			.highest_modseq = e->modseq,
			.name = FIRST_BOXES[i].name,
		};

		edit_put_mailbox(e, id, &rec);
		kv_put(&e->batch, key_subscription(rec.name, hold), STR_NONE);
		edit_log_mailbox(e, id);
	}
}

/* With the lock held. */
static int
create(struct account *a, const struct quota *quota, const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	uint64_t             version;
	int                  r;

	r = kv_version(a->store->kv, account_part(a), &version);
	if (r < 0)
		return r;
	if (version != 0)
		return E_EXISTS;
	edit_begin(&e, a, actor);
	e.rec = (struct account_record){
		.state = ACCOUNT_LIVE, .next_mailbox = 1, .next_email = 1, .quota = *quota
	};
	put_first_boxes(&e);
	return edit_commit(&e, EDIT_DURABLE);
}

int
account_create(struct store *store, account_id id, const struct quota *quota,
    const struct actor *actor)
{
	OWN(account) a = table_take(store, id);
	int          r;

	if (a == NULL)
		return E_NOMEM;
	lock_take(&a->lock);
	r = account_alive(a);
	if (r == 0)
		r = create(a, quota, actor);
	lock_give(&a->lock);
	return r < 0 ? r : account_barrier(a);
}

/* --- removal --- */

static int
mark_removed(struct account *a)
{
	OWN_EDIT struct edit e = { 0 };
	int                  r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	edit_begin(&e, a, &ACTOR_NOBODY);
	e.rec.state = ACCOUNT_REMOVING;
	r = edit_commit(&e, EDIT_DURABLE);
	if (r < 0)
		return r;
	atomic_store_explicit(&a->removed, true, memory_order_release);
	account_notify(a);
	return kv_wait(a->store->kv, e.ticket);
}

/* What one part deletes. */
struct removal {
	struct kv_part     part;
	struct kv_batch    batch;
	struct kv_blob_id *blobs; /* REMOVE_MESSAGES */
	size_t             n;
};

/* Takes the reference of a message or an expunged one; both kinds lead to a message. */
static int
remove_row(struct removal *rem, struct str key, struct str value)
{
	struct expunged_record x;
	struct message         m;
	int                    r;

	if (key.p[0] == 'x') {
		r = expunged_record_unpack(value, &x);
		if (r < 0)
			return r;
		value = x.message;
	}
	r = message_record_unpack(value, 0, &m);
	if (r < 0)
		return r;
	kv_unref(&rem->batch, &m.blob, rem->part.id, m.email);
	kv_del(&rem->batch, key);
	rem->blobs[rem->n++] = m.blob;
	return 0;
}

static int
remove_kind(struct store *store, struct removal *rem, char kind)
{
	struct key       from = key_kind(kind), to = key_kind_end(kind);
	OWN(kv_iter)     it = NULL;
	struct str       k, v;
	int              r;

	r = kv_scan(store->kv, rem->part, key_str(&from), key_str(&to), false, &it);
	if (r < 0)
		return r;
	while (rem->n < REMOVE_MESSAGES && (r = kv_iter_next(it, &k, &v)) > 0) {
		r = remove_row(rem, k, v);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : 0;
}

/* No message is left: everything goes but the record that says so. */
static void
remove_rest(struct removal *rem, struct buf *value)
{
	struct key            key = key_account();
	struct key            from = key_kind('A' + 1);
	struct account_record gone = { .state = ACCOUNT_REMOVED };

	account_record_pack(&gone, value);
	kv_put(&rem->batch, key_str(&key), buf_view(value));
	kv_del_range(&rem->batch, key_str(&from), STR("\xff"));
}

static int
remove_part(struct store *store, struct removal *rem, bool *ret_done)
{
	OWN_BUF struct buf value = BUF_INIT(256);
	uint64_t           version;
	kv_ticket          ticket;
	bool               done;
	int                r;

	r = kv_version(store->kv, rem->part, &version);
	if (r == 0)
		r = remove_kind(store, rem, 'm');
	if (r == 0)
		r = remove_kind(store, rem, 'x');
	if (r < 0)
		return r;
	done = rem->n == 0;
	if (done) {
		r = text_remove_all(store, rem->part.id);
		if (r < 0)
			return r;
		remove_rest(rem, &value);
	}
	if (value.err < 0)
		return value.err;
	r = kv_commit(store->kv, rem->part, version, version + 1, &rem->batch, &ticket);
	for (size_t i = 0; r == 0 && i < rem->n; i++)
		r = kv_blob_release(store->kv, &rem->blobs[i]);
	if (r == 0 && done)
		r = kv_wait(store->kv, ticket);
	if (r < 0)
		return r;
	*ret_done = done;
	return 0;
}

int
account_remove_part(struct store *store, account_id id, bool *ret_done)
{
	struct removal rem = { .part = { KV_ACCOUNT, id } };
	int            r;

	rem.blobs = mem_alloc(REMOVE_MESSAGES * sizeof(*rem.blobs));
	if (rem.blobs == NULL)
		return E_NOMEM;
	kv_batch_init(&rem.batch);
	r = remove_part(store, &rem, ret_done);
	kv_batch_done(&rem.batch);
	mem_free(rem.blobs);
	return r;
}

int
account_remove(struct store *store, account_id id)
{
	OWN(account) a = NULL;
	bool         done = false;
	int          r;

	r = account_open(store, id, &a);
	if (r < 0)
		return r;
	r = mark_removed(a);
	while (r == 0 && !done)
		r = account_remove_part(store, id, &done);
	/* The account is gone; store_tend deletes what is left of it. */
	return r == E_CONFLICT ? 0 : r;
}

/* Reading an account into memory, and its table of mailboxes. */
#include "base/error.h"
#include "base/mem.h"
#include "store/carry_put.h"
#include "store/ledger.h"

int
mailbox_new(mailbox_id id, const struct mailbox_record *rec, struct mailbox **ret)
{
	struct mailbox *box = MEM_NEW(struct mailbox);

	if (box == NULL)
		return E_NOMEM;
	box->name = mem_alloc(rec->name.n);
	if (box->name == NULL) {
		mem_free(box);
		return E_NOMEM;
	}
	if (rec->name.n != 0)
		memcpy(box->name, rec->name.p, rec->name.n);
	box->id = id;
	box->rec = *rec;
	box->rec.name = str_of(box->name, rec->name.n);
	*ret = box;
	return 0;
}

void
mailbox_free(struct mailbox *box)
{
	index_drop(&box->index);
	mem_free(box->name);
	mem_free(box);
}

/* The place of the id in the list, or where it would be. */
static size_t
find(const struct account *a, mailbox_id id)
{
	size_t lo = 0, hi = a->n_boxes;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (a->boxes[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct mailbox *
account_box_any(const struct account *a, mailbox_id id)
{
	size_t i = find(a, id);

	return i < a->n_boxes && a->boxes[i]->id == id ? a->boxes[i] : NULL;
}

int
account_box(const struct account *a, mailbox_id id, struct mailbox **ret)
{
	struct mailbox *box = account_box_any(a, id);

	if (box == NULL || box->rec.dying || box->rec.no_select)
		return E_NO_MAILBOX;
	*ret = box;
	return 0;
}

struct mailbox *
account_box_named(const struct account *a, struct str name)
{
	return map_get(&a->by_name, name);
}

int
account_box_add(struct account *a, struct mailbox *box)
{
	size_t at = find(a, box->id);

	if (a->n_boxes == a->cap_boxes) {
		size_t           cap = a->cap_boxes != 0 ? a->cap_boxes * 2 : 8;
		struct mailbox **boxes = mem_realloc(a->boxes, cap * sizeof(struct mailbox *));

		if (boxes == NULL)
			return E_NOMEM;
		a->boxes = boxes;
		a->cap_boxes = cap;
	}
	if (!box->rec.dying && map_put(&a->by_name, box->rec.name, box) < 0)
		return E_NOMEM;
	memmove(a->boxes + at + 1, a->boxes + at, (a->n_boxes - at) * sizeof(struct mailbox *));
	a->boxes[at] = box;
	a->n_boxes++;
	return 0;
}

void
account_box_remove(struct account *a, struct mailbox *box)
{
	size_t at = find(a, box->id);

	if (map_get(&a->by_name, box->rec.name) == box)
		map_del(&a->by_name, box->rec.name);
	a->n_boxes--;
	memmove(a->boxes + at, a->boxes + at + 1, (a->n_boxes - at) * sizeof(struct mailbox *));
	mailbox_free(box);
}

void
account_forget(struct account *a)
{
	for (size_t i = 0; i < a->n_boxes; i++)
		mailbox_free(a->boxes[i]);
	mem_free(a->boxes);
	a->boxes = NULL;
	a->n_boxes = a->cap_boxes = 0;
	map_done(&a->by_name);
	map_done(&a->subscriptions);
	ledger_drop(a);
	mem_free(a->recent);
	a->recent = NULL;
	a->loaded = false;
}

/* --- reading --- */

typedef int load_row(struct account *, struct str key, struct str value);

static int
load_mailbox(struct account *a, struct str key, struct str value)
{
	struct mailbox_record rec;
	struct mailbox       *box;
	mailbox_id            id;
	int                   r;

	r = key_read_mailbox(key, &id);
	if (r < 0)
		return r;
	r = mailbox_record_unpack(value, &rec);
	if (r < 0)
		return r;
	r = mailbox_new(id, &rec, &box);
	if (r < 0)
		return r;
	r = account_box_add(a, box);
	if (r < 0)
		mailbox_free(box);
	return r;
}

static int
load_subscription(struct account *a, struct str key, struct str value)
{
	struct str name;
	int        r = key_read_subscription(key, &name);

	(void)value;
	return r < 0 ? r : map_put(&a->subscriptions, name, a);
}

/* Names that are known stay where they are: sessions may hold them. */
int
account_keyword_add(struct account *a, unsigned number, struct str name)
{
	char *copy;

	if (number < atomic_load_explicit(&a->n_keywords, memory_order_relaxed))
		return 0;
	if (a->keywords == NULL) {
		a->keywords = mem_zalloc(KEYWORD_MAX * sizeof(*a->keywords));
		if (a->keywords == NULL)
			return E_NOMEM;
	}
	copy = mem_alloc(name.n);
	if (copy == NULL)
		return E_NOMEM;
	memcpy(copy, name.p, name.n);
	a->keywords[number] = str_of(copy, name.n);
	atomic_store_explicit(&a->n_keywords, number + 1, memory_order_release);
	return 0;
}

static int
load_keyword(struct account *a, struct str key, struct str value)
{
	unsigned number;
	int      r = key_read_keyword(key, &number);

	if (r < 0)
		return r;
	if (number > atomic_load_explicit(&a->n_keywords, memory_order_relaxed))
		return E_CORRUPT;
	return account_keyword_add(a, number, value);
}

static int
load_kind(struct account *a, char kind, load_row *row)
{
	struct key       from = key_kind(kind), to = key_kind_end(kind);
	OWN(kv_iter)     it = NULL;
	struct str       k, v;
	int              r;

	r = kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, &it);
	if (r < 0)
		return r;
	while ((r = kv_iter_next(it, &k, &v)) > 0) {
		r = row(a, k, v);
		if (r < 0)
			return r;
	}
	return r;
}

static int
load_record(struct account *a)
{
	OWN_BUF struct buf value = BUF_INIT(KV_VALUE_MAX);
	struct key         key = key_account();
	int                r;

	r = kv_get(a->store->kv, account_part(a), key_str(&key), &value);
	if (r < 0)
		return r;
	r = account_record_unpack(buf_view(&value), &a->rec);
	if (r < 0)
		return r;
	return a->rec.state == ACCOUNT_LIVE ? 0 : E_NOT_FOUND;
}

int
account_load(struct account *a)
{
	uint64_t version;
	int      r;

	account_forget(a);
	r = kv_version(a->store->kv, account_part(a), &version);
	if (r < 0)
		return r;
	r = load_record(a);
	if (r < 0)
		return r;
	r = load_kind(a, 'b', load_mailbox);
	if (r < 0)
		return r;
	r = load_kind(a, 'S', load_subscription);
	if (r < 0)
		return r;
	r = load_kind(a, 'k', load_keyword);
	if (r < 0)
		return r;
	atomic_store_explicit(&a->modseq, version, memory_order_release);
	a->load_modseq = version;
	a->gap = a->generation != a->store->first_generation ? MODSEQ_GAP : 0;
	uidl_changed(a);
	a->load = atomic_fetch_add(&a->store->loads, 1) + 1;
	a->loaded = true;
	return 0;
}

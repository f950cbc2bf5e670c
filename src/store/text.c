/* Texts that are kept: reading, keeping and deleting the rows of KV_TEXT. */
#include "store/text.h"

#include "base/error.h"
#include "base/mem.h"
#include "store/state.h"
#include "store/text_rows.h"

enum { KEEP_TRIES = 3, PLACE_MAX = 64 };

static int
get_row(struct account *a, struct key key, struct buf *to)
{
	buf_reset(to);
	return kv_get(a->store->kv, text_part(a->id), key_str(&key), to);
}

/* What cannot be read is as good as not there, and all goes: it is made again. When that fails, the
 * next one who cannot read it tries again. */
static int
give_up(struct account *a, int r)
{
	if (r != E_CORRUPT && r != E_FORMAT_NEWER)
		return r;
	(void)text_remove_all(a->store, a->id);
	return E_NOT_FOUND;
}

/* A page that was never written is empty. */
static int
get_page(struct account *a, uint64_t number, struct buf *hold, struct text_page *ret)
{
	int r = get_row(a, key_text_page(number), hold);

	if (r == 0)
		r = text_page_unpack(buf_view(hold), ret);
	if (r == E_NOT_FOUND) {
		*ret = (struct text_page){ { 0 } };
		r = 0;
	}
	return r;
}

static int
get_chunk(struct account *a, uint64_t number, bool entries_only, struct buf *hold,
    struct text_chunk *ret)
{
	int r = get_row(a, key_text_chunk(number), hold);

	return r < 0 ? r : text_chunk_unpack(buf_view(hold), entries_only, ret);
}

/* --- reading --- */

struct text_reader {
	struct account   *account;
	struct text_page  page;
	uint64_t          page_number;
	bool              has_page;
	struct text_chunk chunk;
	uint64_t          chunk_number; /* 0: none is open */
	struct buf        hold;
};

int
text_reader_new(struct account *a, struct text_reader **ret)
{
	struct text_reader *t = MEM_NEW(struct text_reader);

	if (t == NULL || text_chunk_init(&t->chunk) < 0) {
		mem_free(t);
		return E_NOMEM;
	}
	t->account = a;
	buf_init(&t->hold, KV_VALUE_MAX);
	*ret = t;
	return 0;
}

void
text_reader_drop(struct text_reader *t)
{
	text_chunk_done(&t->chunk);
	buf_done(&t->hold);
	mem_free(t);
}

int
text_locate(struct text_reader *t, email_id email, uint64_t *ret_chunk)
{
	uint64_t number = email / TEXT_PAGE;
	int      r = 0;

	if (!t->has_page || t->page_number != number) {
		t->has_page = false;
		r = get_page(t->account, number, &t->hold, &t->page);
		if (r < 0) {
			*ret_chunk = 0;
			r = give_up(t->account, r);
			return r == E_NOT_FOUND ? 0 : r;
		}
		t->has_page = true;
		t->page_number = number;
	}
	*ret_chunk = t->page.chunk[email % TEXT_PAGE];
	return 0;
}

int
text_open(struct text_reader *t, uint64_t chunk)
{
	int r;

	if (t->chunk_number == chunk)
		return 0;
	t->chunk_number = 0;
	r = get_chunk(t->account, chunk, false, &t->hold, &t->chunk);
	if (r < 0)
		return give_up(t->account, r);
	t->chunk_number = chunk;
	return 0;
}

bool
text_get(struct text_reader *t, const struct message *m, struct text *ret)
{
	const struct text_entry *e = text_chunk_find(&t->chunk, m->email);

	if (t->chunk_number == 0 || e == NULL || e->mark != text_mark(m))
		return false;
	*ret = (struct text){
		.folded = text_entry_text(&t->chunk, e),
		.top_n = e->top_n,
		.head_n = e->head_n,
		.date = e->date,
		.is_large = e->is_large,
	};
	return true;
}

/* --- keeping --- */

struct text_keeper {
	struct account   *account;
	struct text_chunk chunk, kept; /* what came; those of it that are to be written */
	struct text_page  page;
	uint64_t          page_number;
	bool              has_page;
	struct buf        hold, value;
	size_t            written;
};

int
text_keeper_new(struct account *a, struct text_keeper **ret)
{
	OWN(text_keeper) k = MEM_NEW(struct text_keeper);

	if (k == NULL)
		return E_NOMEM;
	k->account = a;
	buf_init(&k->hold, KV_VALUE_MAX);
	buf_init(&k->value, KV_VALUE_MAX);
	if (text_chunk_init(&k->chunk) < 0 || text_chunk_init(&k->kept) < 0)
		return E_NOMEM;
	*ret = TAKE(k);
	return 0;
}

void
text_keeper_drop(struct text_keeper *k)
{
	text_chunk_done(&k->chunk);
	text_chunk_done(&k->kept);
	buf_done(&k->hold);
	buf_done(&k->value);
	mem_free(k);
}

size_t
text_waiting(const struct text_keeper *k)
{
	return k->chunk.n;
}

size_t
text_written(const struct text_keeper *k)
{
	return k->written;
}

static int
load_page(struct text_keeper *k, uint64_t number)
{
	int r;

	if (k->has_page && k->page_number == number)
		return 0;
	k->has_page = false;
	r = get_page(k->account, number, &k->hold, &k->page);
	if (r < 0)
		return r;
	k->has_page = true;
	k->page_number = number;
	return 0;
}

/* Is the message in a mailbox? */
static int
is_live(struct text_keeper *k, email_id email, bool *ret)
{
	struct account     *a = k->account;
	struct key          key = key_place(email);
	struct place_record place;
	int                 r;

	buf_reset(&k->hold);
	r = kv_get(a->store->kv, account_part(a), key_str(&key), &k->hold);
	if (r == 0)
		r = place_record_unpack(buf_view(&k->hold), &place);
	if (r < 0 && r != E_NOT_FOUND)
		return r;
	*ret = r == 0 && !place.expunged;
	return 0;
}

/* Is the text of that email kept by nobody yet? */
static int
is_unkept(struct text_keeper *k, email_id email, bool *ret)
{
	int r = load_page(k, email / TEXT_PAGE);

	*ret = r == 0 && k->page.chunk[email % TEXT_PAGE] == 0;
	return r;
}

/* Packs those that are wanted into k->value. Whether their messages are still there is looked at
 * only when some turned out not to be. */
static int
choose(struct text_keeper *k, bool with_places)
{
	int r = 0;

	k->has_page = false;
	text_chunk_reset(&k->kept);
	for (size_t i = 0; r == 0 && i < k->chunk.n; i++) {
		const struct text_entry *e = &k->chunk.entries[i];
		bool                     wanted;

		r = is_unkept(k, e->email, &wanted);
		if (r == 0 && wanted && with_places)
			r = is_live(k, e->email, &wanted);
		if (r == 0 && wanted)
			r = text_chunk_add(&k->kept, e, text_entry_text(&k->chunk, e));
	}
	buf_reset(&k->value);
	return r < 0 ? r : text_chunk_pack(&k->kept, &k->value);
}

/* With the lock held: are those that were chosen wanted, and their messages there? */
static int
is_as_chosen(struct text_keeper *k, bool *ret)
{
	bool wanted = true;
	int  r = 0;

	k->has_page = false;
	for (size_t i = 0; r == 0 && wanted && i < k->kept.n; i++) {
		r = is_unkept(k, k->kept.entries[i].email, &wanted);
		if (r == 0 && wanted)
			r = is_live(k, k->kept.entries[i].email, &wanted);
	}
	*ret = wanted;
	return r;
}

static void
put_page(struct kv_batch *batch, uint64_t number, const struct text_page *page)
{
	OWN_BUF struct buf value = BUF_INIT(1 + 20 * TEXT_PAGE);
	struct key         key = key_text_page(number);

	for (size_t i = 0; i < TEXT_PAGE; i++) {
		if (page->chunk[i] == 0)
			continue;
		text_page_pack(page, &value);
		break;
	}
	if (value.err < 0)
		batch->ops.err = value.err;
	else if (value.n != 0)
		kv_put(batch, key_str(&key), buf_view(&value));
	else
		kv_del(batch, key_str(&key));
}

/* Each page once, with all of its entries, wherever they are in the chunk. */
static int
put_pages(struct text_keeper *k, struct kv_batch *batch, uint64_t chunk)
{
	bool *done = mem_zalloc(k->kept.n);
	int   r = done != NULL ? 0 : E_NOMEM;

	for (size_t i = 0; r == 0 && i < k->kept.n; i++) {
		uint64_t number = k->kept.entries[i].email / TEXT_PAGE;

		if (done[i])
			continue;
		r = load_page(k, number);
		for (size_t j = i; r == 0 && j < k->kept.n; j++) {
			if (k->kept.entries[j].email / TEXT_PAGE != number)
				continue;
			k->page.chunk[k->kept.entries[j].email % TEXT_PAGE] = chunk;
			done[j] = true;
		}
		if (r == 0)
			put_page(batch, number, &k->page);
	}
	k->has_page = false;
	mem_free(done);
	return r;
}

static int
commit(struct text_keeper *k)
{
	OWN_BATCH struct kv_batch batch;
	struct account           *a = k->account;
	struct kv_part            part = text_part(a->id);
	uint64_t                  version;
	struct key                key;
	kv_ticket                 ticket;
	int                       r;

	kv_batch_init(&batch);
	r = kv_version(a->store->kv, part, &version);
	if (r < 0)
		return r;
	key = key_text_chunk(version + 1);
	kv_put(&batch, key_str(&key), buf_view(&k->value));
	r = put_pages(k, &batch, version + 1);
	if (r == 0)
		r = kv_commit(a->store->kv, part, version, version + 1, &batch, &ticket);
	if (r == 0)
		k->written += k->kept.n;
	return r;
}

/* *ret: it is written, or there is nothing to write. */
static int
try_flush(struct text_keeper *k, bool with_places, bool *ret)
{
	bool as_chosen = true;
	int  r = choose(k, with_places);

	*ret = true;
	if (r < 0 || k->kept.n == 0)
		return r;
	ACCOUNT_SCOPE(k->account);
	r = account_ready(k->account);
	if (r == 0)
		r = is_as_chosen(k, &as_chosen);
	*ret = as_chosen;
	return r < 0 || !as_chosen ? r : commit(k);
}

int
text_flush(struct text_keeper *k)
{
	bool done = k->chunk.n == 0;
	int  r = 0;

	for (int i = 0; r == 0 && !done && i < KEEP_TRIES; i++)
		r = try_flush(k, i > 0, &done);
	text_chunk_reset(&k->chunk);
	return give_up(k->account, r);
}

int
text_keep(struct text_keeper *k, const struct message *m, const struct text *t)
{
	const struct text_entry e = {
		.email = m->email,
		.mark = text_mark(m),
		.date = t->date,
		.is_large = t->is_large,
		.top_n = t->top_n,
		.head_n = t->head_n,
	};
	int                     r = text_chunk_add(&k->chunk, &e, t->folded);

	if (r == 0 && k->chunk.n < TEXT_CHUNK_MESSAGES && k->chunk.plain.n < TEXT_CHUNK_BYTES)
		return 0;
	return r < 0 ? r : text_flush(k);
}

/* --- deleting --- */

int
text_remove_all(struct store *store, account_id id)
{
	OWN_BATCH struct kv_batch batch;
	struct kv_part            part = text_part(id);
	uint64_t                  version;
	kv_ticket                 ticket;
	int                       r;

	kv_batch_init(&batch);
	r = kv_version(store->kv, part, &version);
	if (r < 0 || version == 0)
		return r;
	kv_del_range(&batch, STR("a"), STR("\xff"));
	return kv_commit(store->kv, part, version, version + 1, &batch, &ticket);
}

/* Puts into the batch a chunk without those emails, or its deletion. */
static int
rewrite_chunk(struct text_keeper *k, uint64_t number, const email_id *emails, size_t n,
    struct kv_batch *batch)
{
	struct key key = key_text_chunk(number);
	int        r = get_chunk(k->account, number, false, &k->hold, &k->chunk);

	text_chunk_reset(&k->kept);
	for (size_t i = 0; r == 0 && i < k->chunk.n; i++) {
		const struct text_entry *e = &k->chunk.entries[i];
		bool                     goes = false;

		for (size_t j = 0; !goes && j < n; j++)
			goes = emails[j] == e->email;
		if (!goes)
			r = text_chunk_add(&k->kept, e, text_entry_text(&k->chunk, e));
	}
	if (r < 0)
		return r == E_NOT_FOUND ? 0 : r;
	buf_reset(&k->value);
	if (k->kept.n == 0) {
		kv_del(batch, key_str(&key));
		return 0;
	}
	r = text_chunk_pack(&k->kept, &k->value);
	if (r == 0)
		kv_put(batch, key_str(&key), buf_view(&k->value));
	return r;
}

/* Those of the first email's page that are in one chunk with it: one commit. The emails are swapped
 * so that the rest comes behind *ret_n. */
static int
remove_some(struct text_keeper *k, email_id *emails, size_t n, size_t *ret_n)
{
	OWN_BATCH struct kv_batch batch;
	struct account           *a = k->account;
	uint64_t                  number = emails[0] / TEXT_PAGE, chunk, version;
	size_t                    some = 0;
	kv_ticket                 ticket;
	int                       r;

	kv_batch_init(&batch);
	k->has_page = false;
	r = load_page(k, number);
	if (r < 0)
		return r;
	chunk = k->page.chunk[emails[0] % TEXT_PAGE];
	for (size_t i = 0; i < n; i++) {
		email_id email = emails[i];

		if (email / TEXT_PAGE != number || k->page.chunk[email % TEXT_PAGE] != chunk)
			continue;
		emails[i] = emails[some];
		emails[some++] = email;
	}
	*ret_n = some;
	if (chunk == 0)
		return 0;
	for (size_t i = 0; i < some; i++)
		k->page.chunk[emails[i] % TEXT_PAGE] = 0;
	put_page(&batch, number, &k->page);
	r = rewrite_chunk(k, chunk, emails, some, &batch);
	if (r == 0)
		r = kv_version(a->store->kv, text_part(a->id), &version);
	if (r == 0)
		r = kv_commit(
		    a->store->kv, text_part(a->id), version, version + 1, &batch, &ticket);
	return r;
}

int
text_remove(struct account *a, const email_id *list, size_t n)
{
	OWN(text_keeper)  k = NULL;
	OWN_MEM email_id *emails = mem_alloc((n + 1) * sizeof(*emails));
	size_t            some;
	int               r = emails != NULL ? text_keeper_new(a, &k) : E_NOMEM;

	if (r < 0)
		return r;
	memcpy(emails, list, n * sizeof(*emails));
	for (size_t at = 0; r == 0 && at < n; at += some) {
		ACCOUNT_SCOPE(a);
		some = 0;
		r = account_ready(a);
		if (r == 0)
			r = remove_some(k, emails + at, n - at, &some);
	}
	/* What cannot be read goes with all the others. */
	return r == E_CORRUPT || r == E_FORMAT_NEWER ? text_remove_all(a->store, a->id) : r;
}

int
text_remove_one(struct account *a, email_id email)
{
	OWN_BUF struct buf hold = BUF_INIT(KV_VALUE_MAX);
	OWN(text_keeper)   k = NULL;
	struct text_page   page;
	size_t             some;
	int                r = get_page(a, email / TEXT_PAGE, &hold, &page);

	if (r == 0 && page.chunk[email % TEXT_PAGE] == 0)
		return 0;
	if (r == 0)
		r = text_keeper_new(a, &k);
	if (r == 0)
		r = remove_some(k, &email, 1, &some);
	return r == E_CORRUPT || r == E_FORMAT_NEWER ? text_remove_all(a->store, a->id) : r;
}

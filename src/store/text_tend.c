/* Texts are made in the background, some time after their messages came. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/pack.h"
#include "store/state.h"
#include "store/text_rows.h"

/* So many new messages are worth a chunk; fewer are quickly decoded at a search. */
enum { BEHIND_MIN = 32, BATCH = 256, STATE_MAX = 64 };

struct place {
	email_id   email;
	mailbox_id mailbox;
	uint32_t   uid;
};

/* Where text_tend goes on. What cannot be read begins anew. */
static int
get_next(struct store *store, account_id id, email_id *ret)
{
	OWN_BUF struct buf value = BUF_INIT(STATE_MAX);
	struct key         key = key_text_state();
	struct unpack      u;
	int                r = kv_get(store->kv, text_part(id), key_str(&key), &value);

	*ret = 0;
	if (r < 0)
		return r == E_NOT_FOUND || r == E_LIMIT ? 0 : r;
	u = unpack_of(buf_view(&value));
	if (unpack_u8(&u) == TEXT_VERSION)
		*ret = unpack_u64(&u);
	return 0;
}

/* With the lock held. */
static int
put_next(struct account *a, email_id next)
{
	OWN_BATCH struct kv_batch batch;
	OWN_BUF struct buf        value = BUF_INIT(STATE_MAX);
	struct key                key = key_text_state();
	uint64_t                  version;
	kv_ticket                 ticket;
	int                       r;

	kv_batch_init(&batch);
	pack_u8(&value, TEXT_VERSION);
	pack_u64(&value, next);
	kv_put(&batch, key_str(&key), buf_view(&value));
	r = value.err < 0 ? value.err : kv_version(a->store->kv, text_part(a->id), &version);
	if (r < 0)
		return r;
	return kv_commit(a->store->kv, text_part(a->id), version, version + 1, &batch, &ticket);
}

int
text_is_behind(struct store *store, account_id id, email_id next_email, bool *ret)
{
	email_id next;
	int      r = get_next(store, id, &next);

	if (r < 0)
		return r;
	*ret = next_email > next && next_email - next > BEHIND_MIN;
	return 0;
}

/* The next live messages from *next on, which moves behind them. */
static int
read_places(struct account *a, email_id *next, struct place *places, size_t *ret_n)
{
	struct key          from = key_place(*next), to = key_kind_end('e');
	OWN(kv_iter)        it = NULL;
	struct place_record rec;
	struct str          k, v;
	email_id            email;
	size_t              n = 0;
	int                 r;

	r = kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, &it);
	while (r >= 0 && n < BATCH && (r = kv_iter_next(it, &k, &v)) > 0) {
		r = key_read_place(k, &email);
		if (r == 0)
			r = place_record_unpack(v, &rec);
		if (r < 0)
			break;
		*next = email + 1;
		if (!rec.expunged)
			places[n++] = (struct place){ email, rec.mailbox, rec.uid };
	}
	*ret_n = n;
	return r < 0 ? r : 0;
}

/* Messages of one mailbox are searched together: they come into one chunk. */
static int
by_mailbox(const void *x, const void *y)
{
	const struct place *a = x, *b = y;

	if (a->mailbox != b->mailbox)
		return a->mailbox < b->mailbox ? -1 : 1;
	return a->email < b->email ? -1 : a->email > b->email;
}

struct maker {
	struct account      *account;
	struct text_reader  *reader;
	struct text_builder *builder;
	struct text_keeper  *keeper;
	struct place         places[BATCH];
};

static void
maker_drop(struct maker *m)
{
	if (m->reader != NULL)
		text_reader_drop(m->reader);
	if (m->builder != NULL)
		text_builder_drop(m->builder);
	if (m->keeper != NULL)
		text_keeper_drop(m->keeper);
	mem_free(m);
}
OWN_DEFINE(maker)

static int
maker_new(struct account *a, struct maker **ret)
{
	OWN(maker) m = MEM_NEW(struct maker);
	int        r = m != NULL ? text_reader_new(a, &m->reader) : E_NOMEM;

	if (r == 0)
		r = text_builder_new(a, &m->builder);
	if (r == 0)
		r = text_keeper_new(a, &m->keeper);
	if (r < 0)
		return r;
	m->account = a;
	*ret = TAKE(m);
	return 0;
}

/* A message that cannot be read holds up no other. */
static int
make_one(struct maker *m, const struct place *p)
{
	struct message         message;
	const struct text_want want = { .mailbox = p->mailbox, .message = &message };
	struct text            text;
	uint64_t               chunk;
	int                    r = text_locate(m->reader, p->email, &chunk);

	if (r < 0 || chunk != 0)
		return r;
	r = message_get(m->account, p->mailbox, p->uid, &message);
	if (r == 0)
		r = text_make(m->builder, &want, &text);
	if (r == E_MESSAGE_GONE || r == E_CORRUPT || r == E_FORMAT_NEWER)
		return 0;
	return r < 0 ? r : text_keep(m->keeper, &message, &text);
}

static int
make_batch(struct maker *m, size_t n)
{
	int r = 0;

	qsort(m->places, n, sizeof(m->places[0]), by_mailbox);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = make_one(m, &m->places[i]);
	return r < 0 ? r : text_flush(m->keeper);
}

/* *ret_done when the batch reached the last message. */
static int
make_next(struct maker *m, bool *ret_done)
{
	struct account *a = m->account;
	email_id        next;
	size_t          n = 0;
	int             r = get_next(a->store, a->id, &next);

	if (r == 0)
		r = read_places(a, &next, m->places, &n);
	if (r == 0)
		r = make_batch(m, n);
	if (r < 0)
		return r;
	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	*ret_done = n < BATCH;
	/* What came meanwhile has higher numbers; emails that are gone for good leave gaps. */
	return put_next(a, next);
}

int
text_part_make(struct account *a, int64_t budget_ms, bool *ret_done)
{
	OWN(maker) m = NULL;
	int64_t    end = clock_mono_ms() + budget_ms;
	bool       done = false;
	int        r = maker_new(a, &m);

	while (r == 0 && !done && clock_mono_ms() < end)
		r = make_next(m, &done);
	if (r < 0)
		return r;
	*ret_done = done;
	return 0;
}

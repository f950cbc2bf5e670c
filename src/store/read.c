#include "base/error.h"
#include "base/mem.h"
#include "store/records.h"
#include "store/state.h"

enum { MESSAGE_RECORD_MAX = 512 };

int
message_fetch(struct account *a, mailbox_id id, uint32_t uid, struct message *ret)
{
	OWN_BUF struct buf value = BUF_INIT(MESSAGE_RECORD_MAX);
	struct key         key = key_message(id, uid);
	int                r;

	r = kv_get(a->store->kv, account_part(a), key_str(&key), &value);
	if (r < 0)
		return r == E_NOT_FOUND ? E_MESSAGE_GONE : r;
	return message_record_unpack(buf_view(&value), uid, ret);
}

int
message_get(struct account *a, mailbox_id id, uint32_t uid, struct message *ret)
{
	int r = account_alive(a);

	return r < 0 ? r : message_fetch(a, id, uid, ret);
}

int
message_fetch_facts(struct account *a, mailbox_id id, uint32_t uid, struct buf *to)
{
	struct key key = key_facts(id, uid);
	int        r;

	r = kv_get(a->store->kv, account_part(a), key_str(&key), to);
	return r == E_NOT_FOUND ? E_MESSAGE_GONE : r;
}

int
message_get_facts(struct account *a, mailbox_id id, uint32_t uid, struct buf *hold,
    struct message_facts *ret)
{
	struct facts_record rec;
	size_t              at = hold->n;
	int                 r = account_alive(a);

	if (r == 0)
		r = message_fetch_facts(a, id, uid, hold);
	if (r == 0)
		r = facts_record_unpack(str_skip(buf_view(hold), at), &rec);
	if (r < 0)
		return r;
	*ret = rec.facts;
	return 0;
}

/* --- many --- */

struct message_iter {
	struct kv_iter *messages;
	struct kv_iter *facts; /* NULL when nobody asked */
};

static int
open_iter(struct account *a, char kind, mailbox_id id, const uint32_t *range,
    struct kv_iter **ret)
{
	struct key from = kind == 'm' ? key_message(id, range[0]) : key_facts(id, range[0]);
	struct key to = key_uid_end(kind, id, range[1]);

	return kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, ret);
}

int
message_scan(struct account *a, mailbox_id id, uint32_t lo, uint32_t hi, bool with_facts,
    struct message_iter **ret)
{
	OWN(message_iter) it = MEM_NEW(struct message_iter);
	const uint32_t    range[2] = { lo, hi };
	int               r;

	if (it == NULL)
		return E_NOMEM;
	/* Both snapshots are of one moment. */
	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = open_iter(a, 'm', id, range, &it->messages);
	if (r == 0 && with_facts)
		r = open_iter(a, 'f', id, range, &it->facts);
	if (r < 0)
		return r;
	*ret = TAKE(it);
	return 0;
}

void
message_iter_drop(struct message_iter *it)
{
	if (it == NULL)
		return;
	if (it->messages != NULL)
		kv_iter_drop(it->messages);
	if (it->facts != NULL)
		kv_iter_drop(it->facts);
	mem_free(it);
}

/* Every message has its facts: the two iterators go in step. */
static int
next_facts(struct message_iter *it, uint32_t uid, struct message_facts *ret)
{
	struct facts_record rec;
	struct str          k, v;
	mailbox_id          id;
	uint32_t            at;
	int                 r = kv_iter_next(it->facts, &k, &v);

	if (r < 0)
		return r;
	if (r == 0 || key_read_uid(k, 'f', &id, &at) < 0 || at != uid)
		return E_CORRUPT;
	r = facts_record_unpack(v, &rec);
	if (r < 0)
		return r;
	*ret = rec.facts;
	return 0;
}

int
message_iter_next(struct message_iter *it, struct message *ret, struct message_facts *ret_facts)
{
	struct message_facts facts;
	struct message       m;
	struct str           k, v;
	mailbox_id           id;
	uint32_t             uid;
	int                  r = kv_iter_next(it->messages, &k, &v);

	if (r <= 0)
		return r;
	r = key_read_uid(k, 'm', &id, &uid);
	if (r == 0)
		r = message_record_unpack(v, uid, &m);
	if (r == 0 && it->facts != NULL)
		r = next_facts(it, uid, &facts);
	if (r < 0)
		return r;
	*ret = m;
	if (it->facts != NULL && ret_facts != NULL)
		*ret_facts = facts;
	return 1;
}

/* --- its bytes --- */

/* The part of the blob's header that [off, off+n) wants. */
static int
read_header(struct kv *kv, const struct message *m, uint64_t off, size_t n, struct buf *to)
{
	OWN_BUF struct buf header = BUF_INIT(KV_VALUE_MAX);
	int                r = kv_blob_header(kv, &m->blob, &header);

	if (r < 0)
		return r;
	if (header.n != m->blob_header_n)
		return E_CORRUPT;
	buf_str(to, str_head(str_skip(buf_view(&header), (size_t)off), n));
	return to->err;
}

int
message_read(struct account *a, const struct message *m, uint64_t off, size_t n, struct buf *to)
{
	uint64_t split = m->blob_header_n;
	size_t   of_header = 0;
	int      r = account_alive(a);

	if (r < 0)
		return r;
	if (off >= m->size)
		return 0;
	if (n > m->size - off)
		n = (size_t)(m->size - off);
	if (off < split) {
		of_header = n < split - off ? n : (size_t)(split - off);
		r = read_header(a->store->kv, m, off, of_header, to);
	}
	if (r < 0 || n == of_header)
		return r;
	return kv_blob_body(a->store->kv, &m->blob, off + of_header - split, n - of_header, to);
}

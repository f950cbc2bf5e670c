#include "base/error.h"
#include "base/mem.h"
#include "store/kept.h"
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

enum { READS_RECORDS = 1, READS_FACTS = 2, READS_FLAGS = 4, READS_KEPT = 8 };
/* A longer scan leaves nothing in memory: it would push out what is asked for more often. */
enum { FLAGS_AT_ONCE = 8192, KEEP_AT_ONCE = 256, KEPT_AT_ONCE = 4 * KEEP_AT_ONCE };

static const unsigned READS[] = {
	[SCAN_RECORDS] = READS_RECORDS,
	[SCAN_RECORDS_FACTS] = READS_RECORDS | READS_FACTS,
	[SCAN_FLAGS] = READS_FLAGS,
	[SCAN_FACTS] = READS_FACTS,
	[SCAN_FLAGS_FACTS] = READS_FLAGS | READS_FACTS,
	[SCAN_KEPT] = READS_KEPT | READS_FLAGS,
	[SCAN_KEPT_FACTS] = READS_KEPT | READS_FLAGS | READS_FACTS,
};

/* Flags copied from the index: the account's lock is not held while they are used. */
struct flags_copy {
	uint32_t      *uids;
	unsigned char *codes;
	struct flags  *sets;
	size_t         n, at;
	bool           more; /* messages of the scan behind these */
};

struct message_iter {
	struct account   *a;
	mailbox_id        box;
	unsigned          reads;
	uint32_t          lo, hi; /* what is still to be looked at */
	struct kv_iter   *messages;
	struct kv_iter   *facts;
	struct flags_copy flags;
	uint64_t          load;       /* the account's, when it was opened */
	struct part      *part;       /* the message that was given, from memory */
	bool              keeps;      /* what is read is kept in memory */
	struct str        facts_seen; /* facts_record of the message */
	/* Where the scan meets damage it goes on message by message: */
	bool          alone;
	uint32_t      next; /* behind the last one */
	struct ranges uids;
	struct buf    hold;
};

static void
close_snapshot(struct message_iter *it)
{
	if (it->messages != NULL)
		kv_iter_drop(it->messages);
	if (it->facts != NULL)
		kv_iter_drop(it->facts);
	mem_free(it->flags.uids);
	mem_free(it->flags.sets);
	if (it->part != NULL)
		part_drop(TAKE(it->part));
	it->messages = it->facts = NULL;
	it->flags = (struct flags_copy){ 0 };
}

static int
open_kind(const struct message_iter *it, char kind, struct kv_iter **ret)
{
	struct account *a = it->a;
	struct key      from = kind == 'm' ? key_message(it->box, it->lo)
	                                   : key_facts(it->box, it->lo);
	struct key      to = key_uid_end(kind, it->box, it->hi);

	return kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, ret);
}

static int
copy_flags(struct message_iter *it, const struct index *index)
{
	const struct ranges *uids = &index->set[0];
	size_t               first = it->lo > 1 ? ranges_rank(uids, it->lo - 1) : 0;
	size_t               n = ranges_rank(uids, it->hi) - first;
	size_t               most = (it->reads & READS_KEPT) != 0 ? KEPT_AT_ONCE : FLAGS_AT_ONCE;
	struct flags_copy   *to = &it->flags;
	uint32_t             uid;

	to->more = n > most;
	if (to->more)
		n = most;
	if (n == 0)
		return 0;
	to->uids = mem_alloc(n * (sizeof(*to->uids) + sizeof(*to->codes)));
	to->sets = mem_alloc(index->flags.n_sets * sizeof(*to->sets));
	if (to->uids == NULL || to->sets == NULL)
		return E_NOMEM;
	to->codes = (unsigned char *)(to->uids + n);
	memcpy(to->codes, index->flags.code + first, n);
	memcpy(to->sets, index->flags.sets, index->flags.n_sets * sizeof(*to->sets));
	uid = ranges_nth(uids, (uint32_t)first + 1);
	for (size_t i = 0, r = ranges_find(uids, uid); i < n; r++)
		for (uid = i == 0 ? uid : uids->r[r].lo; i < n && uid <= uids->r[r].hi; i++) {
			to->uids[i] = uid;
			if (uid++ == UINT32_MAX)
				break;
		}
	to->n = n;
	return 0;
}

/* From here on by records, not from memory. */
static void
read_records(struct message_iter *it)
{
	it->reads = (it->reads & ~(unsigned)(READS_FLAGS | READS_KEPT)) | READS_RECORDS;
}

/* The flags, or the records when there is no memory for flags. */
static int
open_flags(struct message_iter *it)
{
	struct mailbox *box;
	int             r = account_box(it->a, it->box, &box);

	/* As for the records, a mailbox that is gone has no messages. */
	if (r == E_NO_MAILBOX)
		return 0;
	if (r == 0)
		r = index_need_flags(it->a, box);
	if (r < 0)
		return r;
	if (box->index.has_flags)
		return copy_flags(it, &box->index);
	read_records(it);
	return 0;
}

/* All of one moment. */
static int
open_snapshot(struct message_iter *it)
{
	int r;

	ACCOUNT_SCOPE(it->a);
	r = account_ready(it->a);
	it->load = it->a->load;
	if (r == 0 && (it->reads & READS_FLAGS) != 0)
		r = open_flags(it);
	if (r == 0 && (it->reads & READS_RECORDS) != 0)
		r = open_kind(it, 'm', &it->messages);
	if (r == 0 && (it->reads & (READS_FACTS | READS_KEPT)) == READS_FACTS)
		r = open_kind(it, 'f', &it->facts);
	return r;
}

int
message_scan(struct account *a, mailbox_id id, uint32_t lo, uint32_t hi, enum message_parts parts,
    struct message_iter **ret)
{
	OWN(message_iter) it = MEM_NEW(struct message_iter);
	int               r;

	if (it == NULL)
		return E_NOMEM;
	it->a = a;
	it->box = id;
	it->reads = READS[parts];
	it->lo = it->next = lo;
	it->hi = hi;
	buf_init(&it->hold, KV_VALUE_MAX);
	r = open_snapshot(it);
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
	close_snapshot(it);
	ranges_done(&it->uids);
	buf_done(&it->hold);
	mem_free(it);
}

/* Every message has its facts: the iterators go in step. uid 0: whichever is next. */
static int
next_facts(struct message_iter *it, uint32_t *uid, struct message_facts *ret)
{
	struct facts_record rec;
	struct str          k, v;
	mailbox_id          id;
	uint32_t            at = 0;
	int                 r = kv_iter_next(it->facts, &k, &v);

	if (r < 0 || (r == 0 && *uid == 0))
		return r;
	if (r == 0 || key_read_uid(k, 'f', &id, &at) < 0 || (*uid != 0 && at != *uid))
		return E_CORRUPT;
	r = facts_record_unpack(v, &rec);
	if (r < 0)
		return r;
	*uid = at;
	it->facts_seen = v;
	*ret = rec.facts;
	return 1;
}

static int
next_record(struct message_iter *it, struct message *ret)
{
	struct str k, v;
	mailbox_id id;
	uint32_t   uid;
	int        r = kv_iter_next(it->messages, &k, &v);

	if (r <= 0)
		return r;
	r = key_read_uid(k, 'm', &id, &uid);
	if (r == 0)
		r = message_record_unpack(v, uid, ret);
	return r < 0 ? r : 1;
}

static int
next_flags(struct message_iter *it, struct message *ret)
{
	struct flags_copy *f = &it->flags;

	if (f->more && f->at == f->n) {
		int r;

		it->lo = f->uids[f->n - 1] + 1;
		close_snapshot(it);
		r = open_snapshot(it);
		if (r < 0)
			return r;
		if (it->messages != NULL)
			return next_record(it, ret);
	}
	if (f->at == f->n)
		return 0;
	*ret = (struct message){ .uid = f->uids[f->at], .flags = f->sets[f->codes[f->at]] };
	f->at++;
	return 1;
}

/* --- from memory --- */

static void
keep(struct message_iter *it, const struct message *m)
{
	const struct kept_at at = { it->load, it->box, m->uid };

	kept_put(it->a->store->messages, &at, m, it->facts_seen);
}

/* The message m->uid, whose flags m has; false when it is not there. */
static bool
find_kept(struct message_iter *it, struct message *m, struct message_facts *ret_facts)
{
	const struct kept_at at = { it->load, it->box, m->uid };
	const struct flags   flags = m->flags;
	struct facts_record  rec;
	struct str           facts;

	if (it->part != NULL)
		part_drop(TAKE(it->part));
	it->part = kept_get(it->a->store->messages, &at, m, &facts);
	if (it->part == NULL)
		return false;
	m->flags = flags;
	if ((it->reads & READS_FACTS) == 0)
		return true;
	if (facts_record_unpack(facts, &rec) < 0)
		return false;
	*ret_facts = rec.facts;
	return true;
}

/* The last one of a scan, which is not in memory: gets cost less than the scans. */
static int
fetch_last(struct message_iter *it, struct message *m, struct message_facts *ret_facts)
{
	struct facts_record rec;
	int                 r = message_fetch(it->a, it->box, m->uid, m);

	if (r == 0 && (it->reads & READS_FACTS) != 0) {
		buf_reset(&it->hold);
		r = message_fetch_facts(it->a, it->box, m->uid, &it->hold);
		if (r == 0)
			r = facts_record_unpack(buf_view(&it->hold), &rec);
		if (r < 0)
			return r;
		*ret_facts = rec.facts;
		it->facts_seen = buf_view(&it->hold);
		keep(it, m);
	}
	return r == E_MESSAGE_GONE ? 0 : r < 0 ? r : 1;
}

enum { REST_IS_READ = 2 };

/* The message that next_flags gave. Where memory ends, the rest is read by scans: REST_IS_READ. */
static int
give_kept(struct message_iter *it, struct message *m, struct message_facts *ret_facts)
{
	int r;

	if (find_kept(it, m, ret_facts))
		return 1;
	if (it->flags.at == it->flags.n && !it->flags.more)
		return fetch_last(it, m, ret_facts);
	it->keeps = it->flags.n - it->flags.at < KEEP_AT_ONCE;
	it->lo = m->uid;
	read_records(it);
	close_snapshot(it);
	r = open_snapshot(it);
	return r < 0 ? r : REST_IS_READ;
}

static int
next_message(struct message_iter *it, struct message *ret, struct message_facts *ret_facts)
{
	int r;

	if ((it->reads & READS_RECORDS) != 0)
		return next_record(it, ret);
	if ((it->reads & READS_FLAGS) == 0)
		return 1;
	r = next_flags(it, ret);
	if (r == 1 && (it->reads & READS_KEPT) != 0)
		r = give_kept(it, ret, ret_facts);
	return r != REST_IS_READ ? r : next_record(it, ret);
}

static int
next_in_step(struct message_iter *it, struct message *ret, struct message_facts *ret_facts)
{
	struct message_facts facts = { 0 };
	struct message       m = { 0 };
	int                  r = next_message(it, &m, &facts);

	if (r == 1 && it->facts != NULL)
		r = next_facts(it, &m.uid, &facts);
	if (r <= 0)
		return r;
	if (it->keeps && it->facts != NULL)
		keep(it, &m);
	it->next = m.uid + 1;
	*ret = m;
	if ((it->reads & READS_FACTS) != 0 && ret_facts != NULL)
		*ret_facts = facts;
	return 1;
}

/* --- where there is damage --- */

static int
go_alone(struct message_iter *it)
{
	struct mailbox *box;
	int             r;

	close_snapshot(it);
	ACCOUNT_SCOPE(it->a);
	r = account_ready(it->a);
	if (r == 0)
		r = account_box(it->a, it->box, &box);
	if (r == 0)
		r = index_need(it->a, box);
	if (r == 0)
		r = ranges_copy(INDEX_ALL(box), &it->uids);
	it->alone = r == 0;
	return r;
}

/* E_MESSAGE_GONE, E_CORRUPT. */
static int
read_alone(struct message_iter *it, uint32_t uid, struct message *ret, struct message_facts *facts)
{
	struct facts_record rec;
	struct message      m = { .uid = uid };
	int                 r;

	/* A message without its facts is no message that is gone. */
	r = message_fetch(it->a, it->box, uid, &m);
	if (r < 0 && (r != E_CORRUPT || (it->reads & (READS_RECORDS | READS_FLAGS)) != 0))
		return r;
	if ((it->reads & READS_FACTS) != 0) {
		buf_reset(&it->hold);
		r = message_fetch_facts(it->a, it->box, uid, &it->hold);
		if (r == 0)
			r = facts_record_unpack(buf_view(&it->hold), &rec);
		if (r < 0)
			return r == E_MESSAGE_GONE ? E_CORRUPT : r;
		if (facts != NULL)
			*facts = rec.facts;
	}
	*ret = m;
	return 0;
}

static int
next_alone(struct message_iter *it, struct message *ret, struct message_facts *facts)
{
	int r = account_alive(it->a);

	while (r == 0) {
		uint32_t uid = it->next != 0 ? ranges_next(&it->uids, it->next) : 0;

		if (uid == 0 || uid > it->hi)
			return 0;
		it->next = uid + 1;
		r = read_alone(it, uid, ret, facts);
		if (r == 0)
			return 1;
		if (r == E_CORRUPT)
			*ret = (struct message){ .uid = uid };
		if (r == E_MESSAGE_GONE)
			r = 0;
	}
	return r;
}

int
message_iter_next(struct message_iter *it, struct message *ret, struct message_facts *ret_facts)
{
	int r = it->alone ? 0 : next_in_step(it, ret, ret_facts);

	if (!it->alone && r != E_CORRUPT)
		return r;
	if (r == E_CORRUPT)
		r = go_alone(it);
	if (r < 0)
		return r == E_NO_MAILBOX ? 0 : r;
	return next_alone(it, ret, ret_facts);
}

/* --- its bytes --- */

int
message_read(struct account *a, const struct message *m, uint64_t off, size_t n, struct buf *to)
{
	struct kv_slice slice = { .header_n = m->blob_header_n, .off = off, .n = n };
	int             r = account_alive(a);

	if (r < 0)
		return r;
	if (off >= m->size)
		return 0;
	if (n > m->size - off)
		slice.n = (size_t)(m->size - off);
	return kv_blob_read(a->store->kv, &m->blob, &slice, to);
}

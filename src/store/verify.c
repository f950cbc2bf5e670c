#include "store/verify.h"

#include <stdarg.h>

#include "base/error.h"
#include "base/mem.h"
#include "store/device_verify.h"
#include "store/name.h"
#include "store/state.h"
#include "store/text_rows.h"

/* A mailbox as its messages make it. */
struct tally {
	mailbox_id            id;
	struct mailbox_record rec;    /* as it is kept; the name is `name` */
	struct name           name;
	struct mailbox_record sum;    /* counters as they should be */
	struct index          index;
};

struct audit {
	struct account       *a;
	struct kv            *kv;
	const struct verify  *v;
	account_id            id;
	size_t                faults;
	uint64_t              version;
	struct account_record rec;
	struct tally         *boxes; /* ascending by id */
	size_t                n_boxes, cap_boxes;
	unsigned              n_keywords;
	uint32_t              n_dying;
	size_t                n_subscriptions;
	struct quota_usage    usage;
	struct map           *refs; /* blob id to the number of messages on it */
	struct message        message; /* of the row at hand */
	struct buf            value;   /* scratch */
};

typedef int check_row(struct audit *, struct str key, struct str value);

static void __attribute__((format(printf, 2, 3)))
fault(struct audit *au, const char *fmt, ...)
{
	char    text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	au->faults++;
	if (au->v->report != NULL)
		au->v->report(au->v->arg, au->id, text);
}

#define FAULT_IF(au, cond, ...)                                                                  \
	do {                                                                                     \
		if (cond)                                                                        \
			fault((au), __VA_ARGS__);                                                \
	} while (0)

typedef unsigned long long ull;

/* A damaged row is a fault of the store; only errors of the engine end the check. */
static int
row_error(struct audit *au, int r, const char *what, uint64_t which)
{
	if (r != E_CORRUPT && r != E_FORMAT_NEWER)
		return r;
	fault(au, "%s %llu cannot be read: %s", what, (ull)which, error_row(r)->text);
	return 0;
}

static int
each_row(struct audit *au, char kind, check_row *check)
{
	struct key   from = key_kind(kind), to = key_kind_end(kind);
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r;

	r = kv_scan(au->kv, account_part(au->a), key_str(&from), key_str(&to), false, &it);
	if (r < 0)
		return r;
	while ((r = kv_iter_next(it, &k, &v)) > 0) {
		r = check(au, k, v);
		if (r < 0)
			return r;
	}
	if (r != E_CORRUPT)
		return r;
	fault(au, "a part of the records of kind '%c' cannot be read", kind);
	return 0;
}

/* The value of a key, in au->value until the next call. E_NOT_FOUND. */
static int
get(struct audit *au, struct key key)
{
	buf_reset(&au->value);
	return kv_get(au->kv, account_part(au->a), key_str(&key), &au->value);
}

/* --- mailboxes --- */

static struct tally *
find_tally(struct audit *au, mailbox_id id)
{
	for (size_t lo = 0, hi = au->n_boxes; lo < hi;) {
		size_t mid = lo + (hi - lo) / 2;

		if (au->boxes[mid].id == id)
			return &au->boxes[mid];
		if (au->boxes[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

static int
add_tally(struct audit *au, mailbox_id id, const struct mailbox_record *rec)
{
	struct tally *t;

	if (au->n_boxes == au->cap_boxes) {
		size_t cap = au->cap_boxes != 0 ? au->cap_boxes * 2 : 16;

		t = mem_realloc(au->boxes, cap * sizeof(*t));
		if (t == NULL)
			return E_NOMEM;
		au->boxes = t;
		au->cap_boxes = cap;
	}
	t = &au->boxes[au->n_boxes++];
	*t = (struct tally){ .id = id, .rec = *rec };
	t->name.n = rec->name.n;
	memcpy(t->name.b, rec->name.p, rec->name.n);
	return 0;
}

static int
check_mailbox(struct audit *au, struct str key, struct str value)
{
	struct mailbox_record rec;
	mailbox_id            id = 0;
	int                   r;

	r = key_read_mailbox(key, &id);
	if (r == 0)
		r = mailbox_record_unpack(value, &rec);
	if (r < 0)
		return row_error(au, r, "mailbox", id);
	FAULT_IF(au, id >= au->rec.next_mailbox, "mailbox %u: id not drawn yet", id);
	FAULT_IF(au, rec.uidvalidity > au->rec.last_uidvalidity,
	    "mailbox %u: uidvalidity not drawn yet", id);
	FAULT_IF(au, rec.highest_modseq > au->version, "mailbox %u: modseq of the future", id);
	FAULT_IF(au, rec.recent_from > rec.uidnext, "mailbox %u: recent_from of the future", id);
	FAULT_IF(au, rec.dying != (rec.name.n == 0), "mailbox %u: name and state disagree", id);
	au->n_dying += rec.dying;
	return add_tally(au, id, &rec);
}

static int
check_names(struct audit *au)
{
	struct map names;
	int        r = 0;

	map_init(&names);
	for (size_t i = 0; r == 0 && i < au->n_boxes; i++) {
		struct tally *t = &au->boxes[i];
		struct name   again;

		if (t->rec.dying)
			continue;
		FAULT_IF(au, name_read(name_str(&t->name), &again) < 0 ||
		    !str_eq(name_str(&again), name_str(&t->name)), "mailbox %u: bad name", t->id);
		FAULT_IF(au, map_get(&names, name_str(&t->name)) != NULL,
		    "mailbox %u: name is there twice", t->id);
		r = map_put(&names, name_str(&t->name), t);
	}
	for (size_t i = 0; r == 0 && i < au->n_boxes; i++) {
		struct str parent = name_parent(name_str(&au->boxes[i].name));

		FAULT_IF(au, parent.n != 0 && map_get(&names, parent) == NULL,
		    "mailbox %u: no level above it", au->boxes[i].id);
	}
	FAULT_IF(au, map_get(&names, INBOX) == NULL, "no INBOX");
	map_done(&names);
	return r;
}

static void
compare_tally(struct audit *au, const struct tally *t)
{
	const struct mailbox_record *is = &t->rec, *should = &t->sum;

#define SAME(field)                                                                              \
	FAULT_IF(au, is->field != should->field,                                                 \
	    "mailbox %u: " #field " is %llu, should be %llu", t->id, (ull)is->field,             \
	    (ull)should->field)
	SAME(messages);
	SAME(unseen);
	SAME(deleted);
	SAME(recent);
	SAME(size);
#undef SAME
	FAULT_IF(au, is->no_select && should->messages != 0,
	    "mailbox %u: a level with messages", t->id);
}

/* --- messages --- */

static int
count_ref(struct audit *au, const struct kv_blob_id *blob)
{
	struct str key = str_of((const char *)blob->b, sizeof(blob->b));
	uintptr_t  n = (uintptr_t)map_get(au->refs, key);

	return map_put(au->refs, key, (void *)(n + 1));
}

/* Header and the last byte, or all of it. */
static int
check_blob(struct audit *au, const struct message *m, const struct tally *t)
{
	OWN_BUF struct buf bytes = BUF_INIT(KV_VALUE_MAX);
	uint64_t           step = KV_BLOB_PIECE, at = m->size > 1 ? m->size - 1 : 0;
	int                r = 0;

	for (at = au->v->read_blobs ? 0 : at; r == 0 && at < m->size; at += step) {
		size_t want = m->size - at < step ? (size_t)(m->size - at) : (size_t)step;

		buf_reset(&bytes);
		r = message_read(au->a, m, at, want, &bytes);
		if (r == 0 && bytes.n != want)
			r = E_CORRUPT;
	}
	if ((r == E_NOT_FOUND || r == E_CORRUPT) && t != NULL)
		fault(au, "mailbox %.*s, UID %u (email %llu): its bytes are damaged or missing",
		    STR_ARG(name_str(&t->name)), m->uid, (ull)m->email);
	else if (r == E_NOT_FOUND || r == E_CORRUPT)
		fault(au, "expunged message (email %llu): its bytes are damaged or missing",
		    (ull)m->email);
	if (r == E_NOT_FOUND || r == E_CORRUPT)
		r = 0;
	return r < 0 ? r : count_ref(au, &m->blob);
}

static void
check_fields(struct audit *au, const struct message *m)
{
	FAULT_IF(au, m->email >= au->rec.next_email || m->thread >= au->rec.next_email,
	    "email %llu: id not drawn yet", (ull)m->email);
	for (unsigned i = au->n_keywords; i < KEYWORD_MAX; i++)
		FAULT_IF(au, (m->flags.keywords[i / 64] >> (i % 64) & 1) != 0,
		    "email %llu: unknown keyword %u", (ull)m->email, i);
}

static int
check_place(struct audit *au, const struct message *m, mailbox_id id)
{
	struct place_record place;
	int                 r = get(au, key_place(m->email));

	if (r == 0)
		r = place_record_unpack(buf_view(&au->value), &place);
	if (r == E_NOT_FOUND) {
		fault(au, "email %llu: no place", (ull)m->email);
		return 0;
	}
	if (r < 0)
		return row_error(au, r, "place of email", m->email);
	FAULT_IF(au, place.expunged || place.mailbox != id || place.uid != m->uid,
	    "email %llu: its place is another", (ull)m->email);
	return 0;
}

static int
check_facts(struct audit *au, const struct message *m, mailbox_id id)
{
	struct facts_record rec;
	int                 r = get(au, key_facts(id, m->uid));

	if (r == 0)
		r = facts_record_unpack(buf_view(&au->value), &rec);
	if (r == E_NOT_FOUND) {
		fault(au, "email %llu: no facts", (ull)m->email);
		return 0;
	}
	return r < 0 ? row_error(au, r, "facts of email", m->email) : 0;
}

static int
tally_message(struct audit *au, struct tally *t, const struct message *m)
{
	unsigned state = flags_state(&m->flags);

	FAULT_IF(au, m->uid >= t->rec.uidnext,
	    "mailbox %u: UID %u is not below UIDNEXT", t->id, m->uid);
	FAULT_IF(au, m->modseq > t->rec.highest_modseq, "mailbox %u: UID %u has a later modseq",
	    t->id, m->uid);
	t->sum.messages++;
	t->sum.size += m->size;
	t->sum.unseen += (state & IS_UNSEEN) != 0;
	t->sum.deleted += (state & IS_DELETED) != 0;
	t->sum.recent += m->uid >= t->rec.recent_from;
	au->usage.storage += m->size;
	au->usage.count++;
	for (size_t i = 0; i < INDEX_SETS; i++)
		if ((state & 1u << i) != 0 && ranges_add(&t->index.set[i], m->uid, m->uid) < 0)
			return E_NOMEM;
	return 0;
}

static int
check_message(struct audit *au, struct str key, struct str value)
{
	struct tally  *t;
	struct message m;
	mailbox_id     id = 0;
	uint32_t       uid = 0;
	int            r;

	r = key_read_uid(key, 'm', &id, &uid);
	if (r == 0)
		r = message_record_unpack(value, uid, &m);
	if (r < 0)
		return row_error(au, r, "message with UID", uid);
	t = find_tally(au, id);
	if (t == NULL) {
		fault(au, "UID %u of mailbox %u: no such mailbox", uid, id);
		return 0;
	}
	check_fields(au, &m);
	r = tally_message(au, t, &m);
	if (r == 0)
		r = check_place(au, &m, id);
	if (r == 0)
		r = check_facts(au, &m, id);
	return r < 0 ? r : check_blob(au, &m, t);
}

static int
check_facts_row(struct audit *au, struct str key, struct str value)
{
	mailbox_id id = 0;
	uint32_t   uid = 0;
	int        r = key_read_uid(key, 'f', &id, &uid);

	(void)value;
	if (r == 0)
		r = get(au, key_message(id, uid));
	if (r == E_NOT_FOUND) {
		fault(au, "facts of UID %u of mailbox %u: no such message", uid, id);
		return 0;
	}
	return r < 0 ? row_error(au, r, "facts of UID", uid) : 0;
}

/* --- places, threads, what was expunged --- */

static int
check_place_row(struct audit *au, struct str key, struct str value)
{
	struct place_record place;
	email_id            email = 0;
	int                 r;

	r = key_read_place(key, &email);
	if (r == 0)
		r = place_record_unpack(value, &place);
	if (r < 0)
		return row_error(au, r, "place of email", email);
	r = get(au, place.expunged ? key_expunged(place.when_ms, email)
	                           : key_message(place.mailbox, place.uid));
	if (r == E_NOT_FOUND) {
		fault(au, "email %llu: nothing in its place", (ull)email);
		return 0;
	}
	if (r < 0 || place.expunged)
		return r;
	r = message_record_unpack(buf_view(&au->value), place.uid, &au->message);
	FAULT_IF(au, r == 0 && au->message.email != email, "email %llu: another one in its place",
	    (ull)email);
	return 0;
}

static int
check_expunged(struct audit *au, struct str key, struct str value)
{
	struct expunged_record rec;
	struct facts_record    facts;
	struct place_record    place;
	struct message         m;
	int64_t                when_ms = 0;
	email_id               email = 0;
	int                    r;

	r = key_read_expunged(key, &when_ms, &email);
	if (r == 0)
		r = expunged_record_unpack(value, &rec);
	if (r == 0)
		r = message_record_unpack(rec.message, rec.uid, &m);
	if (r == 0)
		r = facts_record_unpack(rec.facts, &facts);
	if (r < 0)
		return row_error(au, r, "expunged email", email);
	FAULT_IF(au, m.email != email, "expunged email %llu: holds another", (ull)email);
	check_fields(au, &m);
	r = get(au, key_place(email));
	if (r == 0)
		r = place_record_unpack(buf_view(&au->value), &place);
	if (r < 0 && r != E_NOT_FOUND)
		return row_error(au, r, "place of email", email);
	FAULT_IF(au, r == E_NOT_FOUND || !place.expunged || place.when_ms != when_ms,
	    "expunged email %llu: its place is another", (ull)email);
	return check_blob(au, &m, NULL);
}

static int
check_thread(struct audit *au, struct str key, struct str value)
{
	struct thread_record rec;
	struct msgid_hash    hash;
	int                  r;

	r = key_read_thread(key, &hash);
	if (r == 0)
		r = thread_record_unpack(value, &rec);
	if (r < 0)
		return row_error(au, r, "thread", 0);
	FAULT_IF(au, rec.thread >= au->rec.next_email,
	    "thread %llu: not drawn yet", (ull)rec.thread);
	r = get(au, key_place(rec.email));
	FAULT_IF(au, r == E_NOT_FOUND, "thread %llu: its email %llu is gone", (ull)rec.thread,
	    (ull)rec.email);
	return r == E_NOT_FOUND ? 0 : r;
}

/* --- the rest --- */

static int
check_keyword(struct audit *au, struct str key, struct str value)
{
	unsigned number = 0;
	int      r = key_read_keyword(key, &number);

	if (r < 0)
		return row_error(au, r, "keyword", number);
	FAULT_IF(au, number != au->n_keywords, "keyword %u: out of order", number);
	FAULT_IF(au, value.n == 0 || value.n > KEYWORD_NAME_MAX, "keyword %u: bad name", number);
	FAULT_IF(au, number < keyword_count(au->a) && !str_eq(keyword_name(au->a, number), value),
	    "keyword %u: another name in memory", number);
	au->n_keywords = number + 1;
	return 0;
}

static int
check_subscription(struct audit *au, struct str key, struct str value)
{
	struct str  name;
	struct name again;
	int         r = key_read_subscription(key, &name);

	(void)value;
	au->n_subscriptions++;
	if (r < 0)
		return row_error(au, r, "subscription", 0);
	FAULT_IF(au, name_read(name, &again) < 0, "subscription: bad name");
	FAULT_IF(au, map_get(&au->a->subscriptions, name) == NULL, "subscription: not in memory");
	return 0;
}

static int
check_log(struct audit *au, struct str key, struct str value)
{
	struct log_record rec;
	struct change     change;
	uint64_t          modseq = 0;
	int               r;

	r = key_read_log(key, &modseq);
	if (r == 0)
		r = log_record_unpack(value, &rec);
	while (r == 0 && (r = log_item_next(&rec, &change)) > 0)
		r = 0;
	if (r < 0)
		return row_error(au, r, "change", modseq);
	FAULT_IF(au, modseq > au->version || modseq <= au->rec.log_floor,
	    "change %llu: out of bounds", (ull)modseq);
	return 0;
}

static void
text_fault(void *arg, const char *text)
{
	fault(arg, "%s", text);
}

static int
check_texts(struct audit *au)
{
	const struct text_check check = { text_fault, au };

	return text_verify(au->a, &check);
}

static int
check_devices(struct audit *au)
{
	const struct device_check check = { text_fault, au };

	return device_verify(au->a, &check);
}

static bool
same_ranges(const struct ranges *x, const struct ranges *y)
{
	return x->n == y->n && (x->n == 0 || memcmp(x->r, y->r, x->n * sizeof(*x->r)) == 0);
}

/* What is in memory is what is in kv. */
static void
check_memory(struct audit *au)
{
	const struct account *a = au->a;

	FAULT_IF(au, account_modseq(au->a) != au->version, "memory: another modseq");
	FAULT_IF(au, a->n_boxes != au->n_boxes || a->by_name.n != au->n_boxes - au->n_dying,
	    "memory: another number of mailboxes");
	FAULT_IF(au, a->subscriptions.n != au->n_subscriptions,
	    "memory: another number of subscriptions");
	FAULT_IF(au, a->rec.next_email != au->rec.next_email ||
	    a->rec.next_mailbox != au->rec.next_mailbox ||
	    a->rec.last_uidvalidity != au->rec.last_uidvalidity ||
	    a->rec.usage.storage != au->rec.usage.storage ||
	    a->rec.usage.count != au->rec.usage.count, "memory: another account record");
	for (size_t i = 0; i < au->n_boxes; i++) {
		const struct tally   *t = &au->boxes[i];
		const struct mailbox *box = account_box_any(a, t->id);

		if (box == NULL || !str_eq(box->rec.name, name_str(&t->name)) ||
		    box->rec.uidnext != t->rec.uidnext || box->rec.messages != t->rec.messages ||
		    box->rec.unseen != t->rec.unseen || box->rec.deleted != t->rec.deleted ||
		    box->rec.recent != t->rec.recent || box->rec.size != t->rec.size)
			fault(au, "memory: mailbox %u is another", t->id);
		for (size_t s = 0; box != NULL && box->index.loaded && s < INDEX_SETS; s++)
			FAULT_IF(au, !same_ranges(&box->index.set[s], &t->index.set[s]),
			    "memory: mailbox %u has another index", t->id);
	}
}

static int
check_all(struct audit *au)
{
	static const struct {
		char       kind;
		check_row *check;
	} KINDS[] = {
		{ 'b', check_mailbox }, { 'k', check_keyword }, { 'm', check_message },
		{ 'f', check_facts_row }, { 'e', check_place_row }, { 'x', check_expunged },
		{ 't', check_thread }, { 'c', check_log }, { 'S', check_subscription },
	};
	int r = get(au, key_account());

	if (r == 0)
		r = account_record_unpack(buf_view(&au->value), &au->rec);
	if (r == 0)
		r = kv_version(au->kv, account_part(au->a), &au->version);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(KINDS); i++)
		r = each_row(au, KINDS[i].kind, KINDS[i].check);
	if (r == 0)
		r = check_names(au);
	if (r == 0)
		r = check_texts(au);
	if (r == 0)
		r = check_devices(au);
	if (r < 0)
		return r;
	for (size_t i = 0; i < au->n_boxes; i++)
		compare_tally(au, &au->boxes[i]);
	FAULT_IF(au, au->n_dying != au->rec.n_dying, "number of mailboxes that are being deleted");
	FAULT_IF(au, au->usage.storage != au->rec.usage.storage, "storage is %llu, should be %llu",
	    (ull)au->rec.usage.storage, (ull)au->usage.storage);
	FAULT_IF(au, au->usage.count != au->rec.usage.count, "count is %llu, should be %llu",
	    (ull)au->rec.usage.count, (ull)au->usage.count);
	check_memory(au);
	return 0;
}

/* Has every blob as many references as there are messages on it, at least or exactly? */
static int
check_refs(struct kv *kv, const struct map *refs, bool exactly, const struct verify *v,
    size_t *ret_faults)
{
	struct map_at at = { 0 };
	size_t        faults = 0;

	while (map_next(refs, &at)) {
		uint64_t          should = (uintptr_t)at.value, is;
		struct kv_blob_id blob;
		int               r;

		memcpy(blob.b, at.key.p, sizeof(blob.b));
		r = kv_blob_refs(kv, &blob, &is);
		if (r == E_CORRUPT)
			is = UINT64_MAX;
		else if (r < 0)
			return r;
		if (is != UINT64_MAX && is >= should && (is == should || !exactly))
			continue;
		faults++;
		if (v->report != NULL)
			v->report(v->arg, 0, "a blob has another number of references");
	}
	*ret_faults = faults;
	return 0;
}

/* Damage ends the check of this account, not that of the others. */
static int
end_audit(struct audit *au, int r, size_t *ret_faults)
{
	if (r == E_CORRUPT || r == E_FORMAT_NEWER) {
		fault(au, "the account's own records cannot be read: %s", error_row(r)->text);
		r = 0;
	}
	if (r == 0)
		*ret_faults = au->faults;
	return r;
}

static int
audit_account(struct store *store, account_id id, const struct verify *v, struct map *refs,
    size_t *ret_faults)
{
	OWN(account) a = NULL;
	struct audit au = { .kv = store->kv, .v = v, .refs = refs };
	int          r = account_open(store, id, &a);

	au.id = id;
	if (r < 0)
		return end_audit(&au, r, ret_faults);
	au.a = a;
	buf_init(&au.value, KV_VALUE_MAX);
	lock_take(&a->lock);
	r = account_ready(a);
	if (r == 0)
		r = check_all(&au);
	lock_give(&a->lock);
	buf_done(&au.value);
	for (size_t i = 0; i < au.n_boxes; i++)
		index_drop(&au.boxes[i].index);
	mem_free(au.boxes);
	return end_audit(&au, r, ret_faults);
}

int
store_verify_account(struct store *store, account_id id, const struct verify *v,
    size_t *ret_faults)
{
	struct map refs;
	size_t     of_account = 0, of_refs = 0;
	int        r;

	map_init(&refs);
	r = audit_account(store, id, v, &refs, &of_account);
	if (r == 0)
		r = check_refs(store->kv, &refs, false, v, &of_refs);
	map_done(&refs);
	if (r < 0)
		return r;
	*ret_faults = of_account + of_refs;
	return 0;
}

static int
audit_accounts(struct store *store, const struct verify *v, struct map *refs, size_t *ret_faults)
{
	size_t     faults = 0, n;
	account_id id = 0;
	int        r;

	while ((r = kv_part_next(store->kv, KV_ACCOUNT, id, &id)) == 0) {
		r = audit_account(store, id, v, refs, &n);
		if (r == 0)
			faults += n;
		else if (r != E_NOT_FOUND) /* removed ones have nothing to check */
			return r;
		if (id++ == UINT64_MAX)
			break;
	}
	if (r < 0 && r != E_NOT_FOUND)
		return r;
	*ret_faults = faults;
	return 0;
}

int
store_verify(struct store *store, const struct verify *v, size_t *ret_faults)
{
	struct map refs;
	size_t     of_accounts = 0, of_refs = 0;
	int        r;

	map_init(&refs);
	r = audit_accounts(store, v, &refs, &of_accounts);
	if (r == 0)
		r = check_refs(store->kv, &refs, true, v, &of_refs);
	map_done(&refs);
	if (r < 0)
		return r;
	*ret_faults = of_accounts + of_refs;
	return 0;
}

#include "store/expunge.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "store/hidden.h"
#include "store/ledger.h"
#include "store/left.h"
#include "store/pick.h"
#include "store/text_rows.h"
#include "store/thread.h"

enum { PLACE_BYTES = 64 };

/* --- out of a mailbox --- */

int
expunge_message(struct edit *e, struct edit_box *slot, const struct message *m)
{
	OWN_BUF struct buf     facts = BUF_INIT(KV_VALUE_MAX);
	OWN_BUF struct buf     message = BUF_INIT(KV_VALUE_MAX);
	struct place_record    place = { .expunged = true, .when_ms = e->now_ms };
	struct key             place_key = key_place(m->email);
	struct key             key = key_expunged(e->now_ms, m->email);
	struct expunged_record rec = {
		.mailbox = slot->box->id,
		.uid = m->uid,
		.protocol = e->actor->protocol,
		.peer = str_head(e->actor->peer, ACTOR_STRING_MAX),
		.login = str_head(e->actor->login, ACTOR_STRING_MAX),
	};
	int                    r;

	r = message_fetch_facts(e->a, slot->box->id, m->uid, &facts);
	if (r < 0)
		return r;
	message_record_pack(m, &message);
	edit_fail(e, message.err);
	rec.message = buf_view(&message);
	rec.facts = buf_view(&facts);
	expunged_record_pack(&rec, edit_value(e));
	edit_put(e, &key);
	place_record_pack(&place, edit_value(e));
	edit_put(e, &place_key);
	edit_message_remove(e, slot, m);
	edit_use_less(e, m);
	left_forget(e, m->email);
	return 0;
}

/* Builds one commit of removals. *removed may be NULL. */
static int
expunge_part(struct edit *e, struct pick *p, struct ranges *removed, uint32_t *ret_next)
{
	struct edit_box *slot = edit_box(e, p->box);
	struct message   m;
	uint64_t         bytes = 0;
	unsigned         n = 0;
	int              r = 0;

	while (n < EDIT_MESSAGES && !edit_is_full(e) && (r = pick_next(p, &m)) > 0) {
		r = expunge_message(e, slot, &m);
		if (r == 0 && removed != NULL)
			r = ranges_add(removed, m.uid, m.uid);
		if (r < 0)
			break;
		bytes += m.size;
		n++;
	}
	if (r < 0)
		return r;
	*ret_next = pick_rest(p);
	r = n == 0 ? 0 : edit_commit(e, EDIT_DURABLE);
	/* What lies in the trash was removed before. */
	if (r == 0 && (p->box->rec.special_use & USE_TRASH) == 0)
		ledger_removed(e->a, e->actor, n, bytes);
	return r;
}

int
message_expunge(struct account *a, mailbox_id id, const struct ranges *uids, bool any,
    uint32_t from, const struct actor *actor, struct ranges *removed, uint32_t *ret_next)
{
	OWN_EDIT struct edit     e = { 0 };
	OWN_PICK struct pick     p = { .a = a, .uids = uids, .at = from };
	OWN_RANGES struct ranges gone = { 0 };
	struct ranges            old;
	uint32_t                 next;
	int                      r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = account_box(a, id, &p.box);
	if (r == 0)
		r = index_need(a, p.box);
	if (r == 0 && removed != NULL)
		r = ranges_copy(removed, &gone);
	if (r < 0)
		return r;
	p.in = any ? INDEX_ALL(p.box) : INDEX_DELETED(p.box);
	edit_begin(&e, a, actor);
	r = expunge_part(&e, &p, removed != NULL ? &gone : NULL, &next);
	if (r < 0)
		return r;
	if (removed != NULL) {
		old = *removed;
		*removed = gone;
		gone = old;
	}
	*ret_next = next;
	return 0;
}

/* The mailbox is empty: its record goes, too. */
static int
bury_record(struct edit *e, struct account *a, struct mailbox *box)
{
	struct key key = key_mailbox(box->id);
	int        r;

	edit_del(e, &key);
	e->rec.n_dying--;
	r = edit_commit(e, EDIT_DURABLE);
	if (r < 0)
		return r;
	account_box_remove(a, box);
	return 0;
}

int
bury_part(struct account *a, mailbox_id id, const struct actor *actor, bool *ret_done)
{
	OWN_EDIT struct edit e = { 0 };
	OWN_PICK struct pick p = { .a = a };
	uint32_t             next;
	int                  r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	p.box = account_box_any(a, id);
	if (p.box == NULL || !p.box->rec.dying) {
		*ret_done = true;
		return 0;
	}
	edit_begin(&e, a, actor);
	if (p.box->rec.messages == 0) {
		r = bury_record(&e, a, p.box);
		if (r == 0)
			*ret_done = true;
		return r;
	}
	r = index_need(a, p.box);
	if (r < 0)
		return r;
	p.in = INDEX_ALL(p.box);
	return expunge_part(&e, &p, NULL, &next);
}

/* --- what was expunged --- */

static int
open_expunged(struct account *a, struct kv_iter **ret)
{
	struct key from = key_kind('x'), to = key_kind_end('x');

	return kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, ret);
}

/* One row of 'x'. */
static int
read_row(struct str key, struct str value, struct expunged *ret, struct expunged_record *ret_rec)
{
	struct expunged_record rec;
	struct expunged        x;
	email_id               email;
	int                    r;

	r = key_read_expunged(key, &x.when_ms, &email);
	if (r == 0)
		r = expunged_record_unpack(value, &rec);
	if (r == 0)
		r = message_record_unpack(rec.message, rec.uid, &x.message);
	if (r < 0)
		return r;
	x.mailbox = rec.mailbox;
	x.protocol = rec.protocol;
	x.peer = rec.peer;
	x.login = rec.login;
	*ret = x;
	*ret_rec = rec;
	return 0;
}

int
expunged_scan(struct account *a, int (*fn)(void *arg, const struct expunged *), void *arg)
{
	OWN(kv_iter)           it = NULL;
	struct expunged_record rec;
	struct expunged        x;
	struct str             k, v;
	int                    r = account_alive(a);

	if (r == 0)
		r = open_expunged(a, &it);
	if (r < 0)
		return r;
	while ((r = kv_iter_next(it, &k, &v)) > 0) {
		r = read_row(k, v, &x, &rec);
		if (r == 0)
			r = fn(arg, &x);
		if (r != 0)
			return r;
	}
	return r;
}

int
place_fetch(struct account *a, email_id email, struct place_record *ret)
{
	OWN_BUF struct buf value = BUF_INIT(PLACE_BYTES);
	struct key         key = key_place(email);
	int                r = kv_get(a->store->kv, account_part(a), key_str(&key), &value);

	return r < 0 ? r : place_record_unpack(buf_view(&value), ret);
}

int
expunged_fetch(struct account *a, email_id email, struct buf *to, int64_t *ret_when_ms)
{
	struct place_record place;
	struct key          key;
	int                 r = place_fetch(a, email, &place);

	if (r < 0)
		return r;
	if (!place.expunged)
		return E_NOT_FOUND;
	key = key_expunged(place.when_ms, email);
	r = kv_get(a->store->kv, account_part(a), key_str(&key), to);
	if (r < 0)
		return r == E_NOT_FOUND ? E_CORRUPT : r;
	*ret_when_ms = place.when_ms;
	return 0;
}

int
expunged_put_back(struct edit *e, struct mailbox *box, email_id email,
    const struct quota_usage *more, struct message *m)
{
	OWN_BUF struct buf     value = BUF_INIT(KV_VALUE_MAX);
	struct expunged_record rec;
	struct expunged        x;
	struct key             key;
	int64_t                when_ms;
	int                    r;

	r = expunged_fetch(e->a, email, &value, &when_ms);
	if (r < 0)
		return r;
	key = key_expunged(when_ms, email);
	r = read_row(key_str(&key), buf_view(&value), &x, &rec);
	if (r == 0)
		r = account_room(e->a, more->storage + x.message.size, more->count + 1);
	if (r < 0)
		return r;
	*m = x.message;
	/* It came here by that flag; with it the next EXPUNGE would take it again. */
	m->flags.system &= ~(unsigned)FLAG_DELETED;
	m->save_ms = e->now_ms;
	edit_del(e, &key);
	edit_message_add(e, edit_box(e, box), m, rec.facts);
	edit_use_more(e, m);
	if (left_is_inbox(e->a, box))
		left_forget(e, email);
	return 0;
}

int
expunged_restore(struct account *a, email_id email, mailbox_id to, const struct actor *actor,
    struct appended *ret)
{
	static const struct quota_usage none;
	OWN_EDIT struct edit            e = { 0 };
	struct mailbox                 *box;
	struct message                  m;
	int                             r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = account_box(a, to, &box);
	if (r < 0)
		return r;
	edit_begin(&e, a, actor);
	e.way = CHANGE_BY_RESTORE;
	r = expunged_put_back(&e, box, email, &none, &m);
	if (r == 0)
		r = edit_commit(&e, EDIT_DURABLE);
	if (r < 0)
		return r;
	*ret = (struct appended){
		.uid = m.uid,
		.uidvalidity = box->rec.uidvalidity,
		.email = email,
		.modseq = e.modseq,
		.ticket = e.ticket,
	};
	return 0;
}

/* --- for good --- */

static void
forget_uidl(struct edit *e, email_id email)
{
	struct key key = key_uidl(email);
	int        r = rare_has(e->a, 'U');

	if (r == 1)
		edit_del(e, &key);
	edit_fail(e, r);
}

static int
purge_one(struct edit *e, struct str key, const struct expunged_record *rec,
    const struct message *m)
{
	struct key          place = key_place(m->email);
	struct facts_record facts;
	int                 r = facts_record_unpack(rec->facts, &facts);

	if (r < 0)
		return r;
	if (facts.has_msgid)
		thread_leave(e, &facts.msgid, m->email);
	kv_unref(&e->batch, &m->blob, e->a->id, m->email);
	kv_del(&e->batch, key);
	edit_del(e, &place);
	left_forget(e, m->email);
	forget_uidl(e, m->email);
	edit_log(e, &(struct change){ .kind = CHANGE_PURGED, .email = m->email });
	return 0;
}

/* A part of what is to be purged: the first so many that were expunged before the time. */
struct purge {
	int64_t           before_ms;
	email_id          emails[EDIT_MESSAGES];
	email_id          gone[EDIT_MESSAGES];
	struct kv_blob_id blobs[EDIT_MESSAGES]; /* may be without a reference after the commit */
	size_t            n;                    /* emails whose texts are gone */
	size_t            purged;               /* in gone, and blobs */
};

static int
list_expired(struct account *a, struct purge *p)
{
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int64_t      when_ms;
	int          r = account_alive(a);

	if (r == 0)
		r = open_expunged(a, &it);
	while (r >= 0 && p->n < EDIT_MESSAGES && (r = kv_iter_next(it, &k, &v)) > 0) {
		r = key_read_expunged(k, &when_ms, &p->emails[p->n]);
		if (r < 0 || when_ms >= p->before_ms)
			break;
		p->n++;
	}
	return r < 0 ? r : 0;
}

/* Restored ones are passed over; one that was not listed is left for the next time. */
static bool
is_listed(const struct purge *p, email_id email, size_t *at)
{
	while (*at < p->n && p->emails[*at] != email)
		++*at;
	return *at < p->n;
}

static int
purge_fill(struct edit *e, struct purge *p)
{
	OWN(kv_iter)           it = NULL;
	struct expunged_record rec;
	struct expunged        x;
	struct str             k, v;
	size_t                 at = 0;
	int                    r = open_expunged(e->a, &it);

	while (r >= 0 && p->purged < p->n && (r = kv_iter_next(it, &k, &v)) > 0) {
		r = read_row(k, v, &x, &rec);
		if (r < 0 || !is_listed(p, x.message.email, &at))
			break;
		r = purge_one(e, k, &rec, &x.message);
		p->gone[p->purged] = x.message.email;
		p->blobs[p->purged++] = x.message.blob;
	}
	return r < 0 ? r : 0;
}

static int
by_number(const void *x, const void *y)
{
	const email_id *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

static int
purge(struct account *a, struct purge *p)
{
	OWN_EDIT struct edit e = { 0 };
	int                  r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	edit_begin(&e, a, &ACTOR_NOBODY);
	r = purge_fill(&e, p);
	if (r < 0 || p->purged == 0)
		return r;
	qsort(p->gone, p->purged, sizeof(p->gone[0]), by_number);
	r = hidden_purge(&e, p->gone, p->purged);
	return r < 0 ? r : edit_commit(&e, EDIT_LAZY);
}

int
purge_part(struct account *a, int64_t before_ms, bool *ret_done)
{
	OWN_MEM struct purge *p = MEM_NEW(struct purge);
	int                   r;

	if (p == NULL)
		return E_NOMEM;
	p->before_ms = before_ms;
	/* The texts first: cut short in between, what is left of a message can still be found. */
	r = list_expired(a, p);
	if (r == 0)
		r = text_remove(a, p->emails, p->n);
	if (r == 0)
		r = purge(a, p);
	for (size_t i = 0; r == 0 && i < p->purged; i++)
		r = kv_blob_release(a->store->kv, &p->blobs[i]);
	if (r < 0)
		return r;
	*ret_done = p->n < EDIT_MESSAGES;
	return 0;
}

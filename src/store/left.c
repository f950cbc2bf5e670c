#include "store/left.h"

#include "base/clock.h"
#include "base/error.h"
#include "store/expunge.h"
#include "store/ledger.h"
#include "store/name.h"

void
left_put(struct edit *e, email_id email, const struct left_record *rec)
{
	struct key key = key_left(email);

	left_record_pack(rec, edit_value(e));
	edit_put(e, &key);
	rare_put(e->a, 'q');
}

void
left_forget(struct edit *e, email_id email)
{
	struct key key = key_left(email);
	int        r = rare_has(e->a, 'q');

	if (r == 1)
		r = kv_get(e->a->store->kv, account_part(e->a), key_str(&key), edit_value(e));
	else if (r == 0)
		return;
	if (r == 0)
		edit_del(e, &key);
	else if (r != E_NOT_FOUND)
		edit_fail(e, r);
}

bool
left_is_inbox(const struct account *a, const struct mailbox *box)
{
	return account_box_named(a, INBOX) == box;
}

int
left_scan(struct account *a, email_id from_email, struct kv_iter **ret)
{
	struct key from = key_left(from_email), to = key_kind_end('q');

	return kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, ret);
}

int
left_next(struct kv_iter *it, email_id *ret_email, struct left_record *ret)
{
	struct str k, v;
	int        r;

	/* What is damaged is passed over. */
	while ((r = kv_iter_next(it, &k, &v)) > 0)
		if (key_read_left(k, ret_email) == 0 && left_record_unpack(v, ret) == 0)
			return 1;
	return r == E_CORRUPT ? 0 : r;
}

/* --- trash that POP3 filled --- */

/* 1 and where it is when the message lies in the trash, 0 when it does not. */
static int
in_trash(struct account *a, email_id email, struct mailbox **ret, struct message *ret_m)
{
	struct place_record place;
	struct mailbox     *box;
	int                 r = place_fetch(a, email, &place);

	if (r < 0 || place.expunged)
		return r == E_NOT_FOUND ? 0 : r;
	box = account_box_any(a, place.mailbox);
	if (box == NULL || box->rec.dying || (box->rec.special_use & USE_TRASH) == 0)
		return 0;
	r = message_fetch(a, place.mailbox, place.uid, ret_m);
	if (r < 0)
		return r == E_MESSAGE_GONE ? E_CORRUPT : r;
	*ret = box;
	return 1;
}

/* Has the commit room for messages of the mailbox? */
static bool
has_slot(const struct edit *e, const struct mailbox *box)
{
	for (size_t i = 0; i < e->n_boxes; i++)
		if (e->boxes[i].box == box)
			return true;
	return e->n_boxes < EDIT_BOXES;
}

/* 1: done, 0: the commit has no room for it, or an error. */
static int
expire_one(struct edit *e, email_id email, const struct left_record *rec)
{
	struct key      key = key_left(email);
	struct mailbox *box;
	struct message  m;
	int             r = 0;

	if (rec->policy == POP3_TRASH)
		r = in_trash(e->a, email, &box, &m);
	if (r == 1 && !has_slot(e, box))
		return 0;
	if (r == 1)
		r = expunge_message(e, edit_box(e, box), &m);
	/* What cannot be read stays where it is. */
	if (r < 0 && r != E_CORRUPT && r != E_MESSAGE_GONE)
		return r;
	edit_del(e, &key);
	return 1;
}

static int
expire(struct edit *e, int64_t before_ms, bool *ret_done)
{
	OWN(kv_iter)       it = NULL;
	struct left_record rec;
	email_id           email;
	bool               full = false;
	unsigned           n = 0;
	int                r = left_scan(e->a, 0, &it);

	while (r >= 0 && !full && (r = left_next(it, &email, &rec)) > 0) {
		if (rec.when_ms >= before_ms)
			continue;
		r = expire_one(e, email, &rec);
		n += r == 1;
		full = r == 0 || n == EDIT_MESSAGES || edit_is_full(e);
	}
	if (r < 0)
		return r;
	*ret_done = !full;
	return n == 0 ? 0 : edit_commit(e, EDIT_LAZY);
}

int
left_tend_part(struct account *a, int64_t before_ms, bool *ret_done)
{
	OWN_EDIT struct edit e = { 0 };
	int                  r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = rare_has(a, 'q');
	if (r <= 0) {
		*ret_done = true;
		return r;
	}
	edit_begin(&e, a, &ACTOR_NOBODY);
	return expire(&e, before_ms, ret_done);
}

/* --- room --- */

/* As account_room, when so much was freed. */
static bool
fits(const struct account *a, uint64_t size, const struct quota_usage *freed)
{
	const struct quota *max = &a->rec.quota;
	struct quota_usage  use = a->rec.usage;

	use.storage -= freed->storage;
	use.count -= freed->count;
	return (max->storage_max == 0 ||
	           (size <= max->storage_max && use.storage <= max->storage_max - size)) &&
	    (max->count_max == 0 || use.count < max->count_max);
}

/* 1, or an error. Expunged to make room it may still be read by other devices. */
static int
free_one(struct edit *e, struct mailbox *box, const struct message *m, struct left_record *rec)
{
	int r = expunge_message(e, edit_box(e, box), m);

	if (r < 0)
		return r == E_MESSAGE_GONE ? E_CORRUPT : r;
	rec->policy = POP3_DELETE;
	left_put(e, m->email, rec);
	return 1;
}

/* What can be freed, up to what is needed; puts it into the commit if there is one. Begins at
 * *from, and moves it behind what was looked at. */
static int
free_some(struct account *a, uint64_t size, struct edit *e, struct quota_usage *freed,
    email_id *from)
{
	OWN(kv_iter)       it = NULL;
	struct left_record rec;
	struct mailbox    *box;
	struct message     m;
	email_id           email;
	int                r = left_scan(a, *from, &it);

	for (; r >= 0 && !fits(a, size, freed) && (r = left_next(it, &email, &rec)) > 0;
	     *from = email + 1) {
		if (rec.policy != POP3_TRASH)
			continue;
		if (e != NULL && (freed->count >= EDIT_MESSAGES || edit_is_full(e)))
			return 0;
		r = in_trash(a, email, &box, &m);
		if (r == 1 && e != NULL && !has_slot(e, box))
			return 0;
		if (r == 1 && e != NULL)
			r = free_one(e, box, &m, &rec);
		if (r == 1) {
			freed->storage += m.size;
			freed->count++;
		}
		/* What is damaged stays. */
		if (r == E_CORRUPT)
			r = 0;
	}
	return r < 0 ? r : 0;
}

static int
free_part(struct account *a, uint64_t size, email_id *from)
{
	OWN_EDIT struct edit e = { 0 };
	struct quota_usage   freed = { 0 };
	int                  r;

	edit_begin(&e, a, &ACTOR_NOBODY);
	r = free_some(a, size, &e, &freed, from);
	if (r == 0 && freed.count == 0)
		r = E_OVER_QUOTA_TEMP;
	return r < 0 ? r : edit_commit(&e, EDIT_DURABLE);
}

int
left_make_room(struct account *a, uint64_t size, bool free)
{
	static const struct quota_usage none;
	struct quota_usage              freed = { 0 };
	email_id                        from = 0;
	int                             r = rare_has(a, 'q');

	if (r <= 0)
		return r < 0 ? r : E_OVER_QUOTA_TEMP;
	/* Nothing is taken for what does not fit all the same. */
	r = free_some(a, size, NULL, &freed, &from);
	if (r < 0)
		return r;
	if (!fits(a, size, &freed))
		return E_OVER_QUOTA_TEMP;
	for (from = 0; r == 0 && free && !fits(a, size, &none);)
		r = free_part(a, size, &from);
	return r;
}

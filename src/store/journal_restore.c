/* Putting back what a device removed, entry by entry of the log. */
#include <stdlib.h>

#include "base/error.h"
#include "store/expunge.h"
#include "store/hidden.h"
#include "store/journal_read.h"
#include "store/ledger.h"
#include "store/name.h"

enum { ENTRIES_PART = 10000 };

/* An entry that is undone. */
struct undo {
	struct edit       *e;
	struct log_record  rec;
	mailbox_id         from;    /* the moved ones were there; 0: none is a removal */
	struct buf         emails;  /* that the device sees again */
	struct quota_usage more;    /* that comes in this commit */
	struct journal_restore done;
	int                over;    /* the quota's error */
};

/* --- which entries --- */

static bool
is_wanted(const struct journal_restore *r, const struct log_record *rec)
{
	return rec->when_ms >= r->since_ms && rec->protocol != ACTOR_SYSTEM &&
	    (r->any_device || str_eq(rec->device, r->device));
}

static bool
is_trash(const struct account *a, mailbox_id id)
{
	const struct mailbox *box = account_box_any(a, id);

	return box != NULL && (box->rec.special_use & USE_TRASH) != 0;
}

/* What was moved by this entry, was it removed? */
static bool
removes_by_move(const struct undo *u, const struct change *c)
{
	const struct account *a = u->e->a;

	return c->kind == CHANGE_APPEND && c->way == CHANGE_BY_MOVE && u->from != 0 &&
	    u->from != c->mailbox &&
	    (u->rec.protocol == ACTOR_POP3 ||
	        (is_trash(a, c->mailbox) && !is_trash(a, u->from)));
}

static bool
is_removal(const struct undo *u, const struct change *c)
{
	return c->email != 0 &&
	    ((c->kind == CHANGE_EXPUNGE && c->way == CHANGE_PLAIN) || c->kind == CHANGE_HIDDEN ||
	        removes_by_move(u, c));
}

static bool
has_removal(const struct undo *u)
{
	struct log_record rec = u->rec;
	struct change     c;

	while (log_item_next(&rec, &c) > 0)
		if (is_removal(u, &c))
			return true;
	return false;
}

/* --- one message --- */

/* The mailbox itself, or INBOX when it is gone. */
static struct mailbox *
home(struct account *a, mailbox_id id)
{
	struct mailbox *box;

	return account_box(a, id, &box) == 0 ? box : account_box_named(a, INBOX);
}

static int
move_back(struct undo *u, const struct place_record *place, struct mailbox *to)
{
	struct account *a = u->e->a;
	struct mailbox *at = account_box_any(a, place->mailbox);
	struct message  m;
	int             r;

	if (at == NULL || at == to)
		return 0;
	r = message_fetch(a, place->mailbox, place->uid, &m);
	if (r == 0)
		r = edit_message_move(u->e, edit_box(u->e, at), edit_box(u->e, to), &m);
	u->done.restored += r == 0;
	return r;
}

static int
bring_back(struct undo *u, email_id email, struct mailbox *to)
{
	struct message m;
	int            r;

	if (u->over < 0)
		return 0;
	r = expunged_put_back(u->e, to, email, &u->more, &m);
	if (r == E_OVER_QUOTA || r == E_OVER_QUOTA_TEMP) {
		u->over = r;
		return 0;
	}
	if (r < 0)
		return r;
	u->more.storage += m.size;
	u->more.count++;
	u->done.restored++;
	return 0;
}

/* `was`: where it was; `is`: where the entry moved it to, or 0. */
static int
put_back(struct undo *u, email_id email, mailbox_id was, mailbox_id is)
{
	struct place_record place;
	struct mailbox     *to = home(u->e->a, was);
	int                 r = place_fetch(u->e->a, email, &place);

	if (r < 0 || to == NULL)
		return r == E_NOT_FOUND ? 0 : r;
	if (place.expunged)
		return bring_back(u, email, to);
	return is != 0 && place.mailbox == is ? move_back(u, &place, to) : 0;
}

/* Did the policy that hid it set \Seen? */
static bool
was_marked_read(const struct undo *u, email_id email)
{
	struct log_record rec = u->rec;
	struct change     c;

	while (log_item_next(&rec, &c) > 0)
		if (c.kind == CHANGE_FLAGS && (c.set & FLAG_SEEN) != 0 && c.email <= email &&
		    email - c.email < c.n)
			return true;
	return false;
}

static int
mark_unread(struct undo *u, email_id email)
{
	struct account     *a = u->e->a;
	struct mailbox     *inbox = account_box_named(a, INBOX);
	struct place_record place;
	struct message      m;
	struct flags        flags;
	int                 r = place_fetch(a, email, &place);

	if (r == 0 && (place.expunged || inbox == NULL || place.mailbox != inbox->id))
		return 0;
	if (r == 0)
		r = message_fetch(a, place.mailbox, place.uid, &m);
	if (r < 0)
		return r == E_NOT_FOUND ? 0 : r;
	flags = m.flags;
	flags.system &= ~(unsigned)FLAG_SEEN;
	if (flags.system == m.flags.system)
		return 0;
	edit_message_flags(u->e, edit_box(u->e, inbox), &m, &flags);
	u->done.unread++;
	return 0;
}

static int
undo_one(struct undo *u, const struct change *c, email_id email)
{
	int r = 0;

	if (u->rec.protocol == ACTOR_POP3)
		buf_put(&u->emails, &email, sizeof(email));
	if (c->kind != CHANGE_HIDDEN)
		r = put_back(u, email, c->kind == CHANGE_APPEND ? u->from : c->mailbox,
		    c->kind == CHANGE_APPEND ? c->mailbox : 0);
	else if (was_marked_read(u, email))
		r = mark_unread(u, email);
	/* What is damaged stays where it is. */
	return r == E_CORRUPT || r == E_MESSAGE_GONE ? 0 : r;
}

/* --- one entry --- */

static int
by_number(const void *x, const void *y)
{
	email_id a, b;

	memcpy(&a, x, sizeof(a));
	memcpy(&b, y, sizeof(b));
	return a < b ? -1 : a > b;
}

/* The device sees them again. */
static int
unhide(struct undo *u)
{
	OWN_SPANS struct spans set = { 0 };
	const struct device   *d = ledger_named(u->e->a, u->rec.device);
	size_t                 n = u->emails.n / sizeof(email_id);
	int                    r = u->emails.err;

	if (d == NULL || n == 0)
		return r;
	qsort(u->emails.p, n, sizeof(email_id), by_number);
	for (size_t i = 0; r == 0 && i < n; i++) {
		email_id email;

		memcpy(&email, u->emails.p + i * sizeof(email), sizeof(email));
		r = spans_add(&set, email, email);
	}
	if (r == 0)
		r = hidden_remove(u->e, d->id, &set, &u->done.unhidden);
	return r;
}

static int
undo_entry(struct undo *u)
{
	struct log_record rec = u->rec;
	struct change     c;
	int               r = 0;

	while (log_item_next(&rec, &c) > 0) {
		if (!is_removal(u, &c))
			continue;
		for (uint32_t i = 0; r >= 0 && i < c.n; i++)
			r = undo_one(u, &c, c.email + i);
		if (r < 0)
			return r;
	}
	r = unhide(u);
	if (r < 0 || u->e->batch.ops.n == 0)
		return r;
	return edit_commit(u->e, EDIT_DURABLE);
}

static int
run_undo(struct account *a, struct journal_restore *r, const struct actor *actor, struct str value)
{
	OWN_EDIT struct edit e = { 0 };
	struct undo          u = { .e = &e, .done = *r, .emails = BUF_INIT(KV_VALUE_MAX) };
	int                  err = log_record_unpack(value, &u.rec);

	if (err < 0)
		return err;
	edit_begin(&e, a, actor);
	e.way = CHANGE_BY_RESTORE;
	u.from = journal_moved_from(u.rec);
	if (has_removal(&u))
		err = undo_entry(&u);
	buf_done(&u.emails);
	if (err < 0)
		return err;
	*r = u.done;
	return u.over;
}

/* The next entry that may be undone: 1 and its value, 0 at the end or after many others. */
static int
next_entry(struct account *a, struct journal_restore *r, uint64_t *ret_modseq, struct buf *to,
    bool *ret_end)
{
	OWN(kv_iter)      it = NULL;
	struct log_record rec;
	struct str        k, v;
	int               err = journal_open(a, r->at, &it);

	for (unsigned n = 0; err >= 0 && n < ENTRIES_PART; n++) {
		err = kv_iter_next(it, &k, &v);
		*ret_end = err == 0;
		if (err <= 0)
			return err;
		/* What is damaged is passed over. */
		if (key_read_log(k, ret_modseq) < 0)
			continue;
		if (log_record_unpack(v, &rec) == 0 && is_wanted(r, &rec)) {
			buf_str(to, v);
			return to->err < 0 ? to->err : 1;
		}
		r->at = *ret_modseq;
	}
	return err < 0 ? err : 0;
}

int
journal_restore_part(struct account *a, struct journal_restore *r, const struct actor *actor,
    bool *ret_done)
{
	OWN_BUF struct buf value = BUF_INIT(KV_VALUE_MAX);
	uint64_t           modseq;
	bool               end = false;
	int                err;

	ACCOUNT_SCOPE(a);
	err = ledger_ready(a);
	if (err == 0 && r->at == 0)
		err = journal_seek(a, r->since_ms, &r->at);
	if (err == 0)
		err = next_entry(a, r, &modseq, &value, &end);
	if (err == 1) {
		err = run_undo(a, r, actor, buf_view(&value));
		if (err == 0)
			r->at = modseq;
	}
	if (err < 0)
		return err;
	*ret_done = end;
	return 0;
}

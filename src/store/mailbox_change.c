/* Mailboxes are created, renamed and deleted. */
#include "base/error.h"
#include "base/mem.h"
#include "store/expunge.h"
#include "store/name.h"

/* --- create --- */

/* Mailboxes that a commit makes, from the top level down. */
struct newborn {
	struct mailbox *box[MAILBOX_DEPTH_MAX];
	size_t          n;
};

static void
newborn_done(struct newborn *nb)
{
	while (nb->n > 0)
		mailbox_free(nb->box[--nb->n]);
}
#define OWN_NEWBORN __attribute__((cleanup(newborn_done)))

static int
bear(struct edit *e, struct newborn *nb, struct str name, unsigned special_use)
{
	struct mailbox_record rec = {
		.special_use = special_use,
		.uidvalidity = edit_uidvalidity(e),
		.uidnext = 1,
		.recent_from = 1,
		.highest_modseq = e->modseq,
		.name = name,
	};
	mailbox_id id = e->rec.next_mailbox;
	int        r;

	if (id == UINT32_MAX)
		return E_LIMIT;
	r = mailbox_new(id, &rec, &nb->box[nb->n]);
	if (r < 0)
		return r;
	nb->n++;
	e->rec.next_mailbox++;
	edit_put_mailbox(e, id, &rec);
	edit_log_mailbox(e, id);
	return 0;
}

/* All levels above `name` that are missing. */
static int
bear_parents(struct edit *e, struct newborn *nb, struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		struct str level = str_head(name, i);
		int        r;

		if (name.p[i] != MAILBOX_SEPARATOR || account_box_named(e->a, level) != NULL)
			continue;
		r = bear(e, nb, level, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
check_number(const struct account *a, const struct newborn *nb)
{
	return a->n_boxes + nb->n > a->store->options.mailboxes_max ? E_LIMIT : 0;
}

/* They are in kv. When there is no memory for them, the account is read again. */
static void
take_newborn(struct account *a, struct newborn *nb)
{
	struct newborn all = *nb;

	nb->n = 0;
	for (size_t i = 0; i < all.n; i++) {
		if (account_box_add(a, all.box[i]) == 0)
			continue;
		for (size_t j = i; j < all.n; j++)
			mailbox_free(all.box[j]);
		account_forget(a);
		return;
	}
}

/* A level without messages becomes a mailbox again. */
static int
revive(struct edit *e, struct mailbox *box, unsigned special_use)
{
	struct edit_box *slot = edit_box(e, box);

	slot->rec.no_select = false;
	slot->rec.special_use = special_use;
	slot->rec.uidvalidity = edit_uidvalidity(e);
	slot->rec.highest_modseq = e->modseq;
	edit_log_mailbox(e, box->id);
	return edit_commit(e, EDIT_DURABLE);
}

static int
create(struct edit *e, struct str name, unsigned special_use, mailbox_id *ret)
{
	OWN_NEWBORN struct newborn nb = { 0 };
	struct account            *a = e->a;
	struct mailbox            *box = account_box_named(a, name);
	mailbox_id                 id;
	int                        r;

	if (box != NULL && !box->rec.no_select)
		return E_EXISTS;
	if (box != NULL) {
		id = box->id;
		r = revive(e, box, special_use);
	} else {
		r = bear_parents(e, &nb, name);
		if (r == 0)
			r = bear(e, &nb, name, special_use);
		if (r == 0)
			r = check_number(a, &nb);
		if (r < 0)
			return r;
		id = nb.box[nb.n - 1]->id;
		r = edit_commit(e, EDIT_DURABLE);
		if (r == 0)
			take_newborn(a, &nb);
	}
	if (r < 0)
		return r;
	*ret = id;
	return 0;
}

int
mailbox_create(struct account *a, struct str name, unsigned special_use,
    const struct actor *actor, mailbox_id *ret)
{
	OWN_EDIT struct edit e = { 0 };
	struct name          n;
	int                  r = name_read(name, &n);

	if (r < 0)
		return r;
	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	edit_begin(&e, a, actor);
	return create(&e, name_str(&n), special_use, ret);
}

/* --- rename --- */

/* INBOX stays; its messages go. RFC 9051 s6.3.6 */
static int
rename_inbox(struct account *a, struct str to, const struct actor *actor)
{
	struct ranges  all = { 0 };
	struct copied  copied = { 0 };
	uint32_t       at = 1;
	mailbox_id     inbox, fresh;
	int            r;

	r = mailbox_find(a, INBOX, &inbox);
	if (r == 0)
		r = ranges_add(&all, 1, UINT32_MAX);
	if (r == 0)
		r = mailbox_create(a, to, 0, actor, &fresh);
	while (r == 0 && at != 0)
		r = message_move(a, inbox, &all, at, fresh, actor, &copied, &at);
	ranges_done(&all);
	ranges_done(&copied.from);
	ranges_done(&copied.to);
	return r;
}

/* Puts the record of one mailbox of the tree under its new name. */
static int
rename_one(struct edit *e, const struct mailbox *box, struct str from, struct str to)
{
	struct mailbox_record rec = box->rec;
	struct str            tail = str_skip(rec.name, from.n);
	char                  joined[2 * MAILBOX_NAME_MAX];
	struct name           name;
	int                   r;

	memcpy(joined, to.p, to.n);
	if (tail.n != 0)
		memcpy(joined + to.n, tail.p, tail.n);
	r = name_read(str_of(joined, to.n + tail.n), &name);
	if (r < 0)
		return r;
	rec.name = name_str(&name);
	rec.highest_modseq = e->modseq;
	edit_put_mailbox(e, box->id, &rec);
	edit_log_mailbox(e, box->id);
	return 0;
}

static int
rename_tree(struct edit *e, struct str from, struct str to)
{
	OWN_NEWBORN struct newborn nb = { 0 };
	struct account            *a = e->a;
	int                        r;

	r = bear_parents(e, &nb, to);
	if (r == 0)
		r = check_number(a, &nb);
	for (size_t i = 0; r == 0 && i < a->n_boxes; i++) {
		const struct mailbox *box = a->boxes[i];

		if (box->rec.dying)
			continue;
		if (str_eq(box->rec.name, from) || name_is_below(box->rec.name, from))
			r = rename_one(e, box, from, to);
	}
	if (r == 0)
		r = edit_commit(e, EDIT_DURABLE);
	/* Rare enough that the table is simply read again. */
	if (r == 0)
		account_forget(a);
	return r;
}

int
mailbox_rename(struct account *a, struct str from, struct str to, const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	struct name          old, new;
	int                  r;

	if (name_read(from, &old) < 0)
		return E_NO_MAILBOX;
	r = name_read(to, &new);
	if (r < 0)
		return r;
	if (str_eq(name_str(&old), INBOX))
		return rename_inbox(a, to, actor);
	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	if (account_box_named(a, name_str(&old)) == NULL)
		return E_NO_MAILBOX;
	if (account_box_named(a, name_str(&new)) != NULL)
		return E_EXISTS;
	if (name_is_below(name_str(&new), name_str(&old)))
		return E_CANNOT;
	edit_begin(&e, a, actor);
	return rename_tree(&e, name_str(&old), name_str(&new));
}

/* --- delete --- */

static bool
has_children(const struct account *a, struct str name)
{
	for (size_t i = 0; i < a->n_boxes; i++)
		if (!a->boxes[i]->rec.dying && name_is_below(a->boxes[i]->rec.name, name))
			return true;
	return false;
}

/* The record goes, or stays without a name while there are messages to expunge. */
static void
put_death(struct edit *e, const struct mailbox *box)
{
	struct mailbox_record rec = box->rec;
	struct key            key = key_mailbox(box->id);
	char                  hold[SUBSCRIPTION_KEY_MAX];

	kv_del(&e->batch, key_subscription(rec.name, hold));
	edit_log_mailbox(e, box->id);
	if (rec.messages == 0) {
		edit_del(e, &key);
		return;
	}
	rec.dying = true;
	rec.special_use = 0;
	rec.name = STR_NONE;
	edit_put_mailbox(e, box->id, &rec);
	e->rec.n_dying++;
}

/* The same in memory. */
static void
apply_death(struct account *a, struct mailbox *box)
{
	map_del(&a->subscriptions, box->rec.name);
	map_del(&a->by_name, box->rec.name);
	if (box->rec.messages == 0) {
		account_box_remove(a, box);
		return;
	}
	box->rec.dying = true;
	box->rec.special_use = 0;
	box->rec.name = STR_NONE;
}

/* In its place a level without messages is left for the children. */
static int
bear_level(struct edit *e, struct newborn *nb, struct str name)
{
	int r = bear(e, nb, name, 0);

	if (r < 0)
		return r;
	nb->box[0]->rec.no_select = true;
	edit_put_mailbox(e, nb->box[0]->id, &nb->box[0]->rec);
	return 0;
}

static int
delete(struct edit *e, struct mailbox *box)
{
	OWN_NEWBORN struct newborn nb = { 0 };
	struct account            *a = e->a;
	bool                       parent = has_children(a, box->rec.name);
	int                        r = 0;

	if (box->rec.no_select && parent)
		return E_HAS_CHILDREN;
	put_death(e, box);
	if (parent)
		r = bear_level(e, &nb, box->rec.name);
	if (r == 0)
		r = edit_commit(e, EDIT_DURABLE);
	if (r < 0)
		return r;
	apply_death(a, box);
	take_newborn(a, &nb);
	return 0;
}

/* The first half: the name disappears. */
static int
delete_name(struct account *a, struct str name, const struct actor *actor, mailbox_id *ret)
{
	OWN_EDIT struct edit e = { 0 };
	struct mailbox      *box;
	mailbox_id           id;
	int                  r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	box = account_box_named(a, name);
	if (box == NULL)
		return E_NO_MAILBOX;
	id = box->id;
	edit_begin(&e, a, actor);
	r = delete(&e, box);
	if (r < 0)
		return r;
	*ret = id;
	return 0;
}

int
mailbox_delete(struct account *a, struct str name, const struct actor *actor)
{
	struct name n;
	mailbox_id  id;
	bool        done = false;
	int         r;

	if (name_read(name, &n) < 0)
		return E_NO_MAILBOX;
	if (str_eq(name_str(&n), INBOX))
		return E_CANNOT;
	r = delete_name(a, name_str(&n), actor, &id);
	if (r < 0)
		return r;
	/* The mailbox is gone. What fails of its messages, store_tend does. */
	while (!done && bury_part(a, id, actor, &done) == 0)
		;
	return 0;
}

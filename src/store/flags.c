#include "base/error.h"
#include "store/edit.h"
#include "store/pick.h"

static struct flags
changed_flags(const struct flags *old, const struct flag_change *change)
{
	struct flags f = *old;

	switch (change->op) {
	case FLAGS_REPLACE:
		return change->flags;
	case FLAGS_ADD:
		f.system |= change->flags.system;
		for (size_t i = 0; i < ARRAY_LEN(f.keywords); i++)
			f.keywords[i] |= change->flags.keywords[i];
		return f;
	case FLAGS_REMOVE:
		f.system &= ~change->flags.system;
		for (size_t i = 0; i < ARRAY_LEN(f.keywords); i++)
			f.keywords[i] &= ~change->flags.keywords[i];
		return f;
	}
	return f;
}

static bool
same_flags(const struct flags *a, const struct flags *b)
{
	return a->system == b->system &&
	    memcmp(a->keywords, b->keywords, sizeof(a->keywords)) == 0;
}

/* The UIDs that a part reports; they join the caller's when it is committed. */
struct outcome {
	struct ranges modified;
	struct ranges changed;
	bool          any; /* changed */
};

static void
outcome_done(struct outcome *o)
{
	ranges_done(&o->modified);
	ranges_done(&o->changed);
}

/* RFC 7162 s3.1.3: the condition is checked message by message. */
static int
change_one(struct edit *e, struct edit_box *slot, struct message *m,
    const struct flag_change *change, struct outcome *out)
{
	struct flags flags;

	if (change->has_unchanged_since && m->modseq > change->unchanged_since)
		return ranges_add(&out->modified, m->uid, m->uid);
	flags = changed_flags(&m->flags, change);
	if (same_flags(&flags, &m->flags))
		return 0;
	edit_message_flags(e, slot, m, &flags);
	out->any = true;
	return ranges_add(&out->changed, m->uid, m->uid);
}

static int
change_part(struct edit *e, struct pick *p, const struct flag_change *change,
    struct outcome *out, uint32_t *ret_next)
{
	struct edit_box *slot = edit_box(e, p->box);
	struct message   m;
	int              r = 0;

	for (unsigned n = 0; n < EDIT_MESSAGES && (r = pick_next(p, &m)) > 0; n++) {
		r = change_one(e, slot, &m, change, out);
		if (r < 0)
			break;
	}
	if (r < 0)
		return r;
	*ret_next = pick_rest(p);
	return out->any ? edit_commit(e, EDIT_DURABLE) : 0;
}

/* The caller's sets as they will be: a part that fails leaves them alone. */
static int
outcome_begin(struct outcome *o, const struct ranges *modified, const struct ranges *changed)
{
	if (modified != NULL && ranges_copy(modified, &o->modified) < 0)
		return E_NOMEM;
	if (changed != NULL && ranges_copy(changed, &o->changed) < 0)
		return E_NOMEM;
	return 0;
}

static void
outcome_give(struct ranges *mine, struct ranges *caller)
{
	struct ranges old;

	if (caller == NULL)
		return;
	old = *caller;
	*caller = *mine;
	*mine = old;
}

/* The messages that can be changed. */
static int
readable(struct mailbox *box, struct ranges *ret)
{
	const struct ranges *lost = INDEX_LOST(box);
	int                  r = ranges_copy(INDEX_ALL(box), ret);

	for (size_t i = 0; r == 0 && i < lost->n; i++)
		r = ranges_remove(ret, lost->r[i].lo, lost->r[i].hi);
	return r;
}

/* Are messages asked for whose records cannot be read? */
static bool
asks_for_lost(const struct mailbox *box, const struct ranges *uids)
{
	const struct ranges *lost = &box->index.lost;

	for (size_t i = 0; i < lost->n; i++) {
		uint32_t first = ranges_next(uids, lost->r[i].lo);

		if (first != 0 && first <= lost->r[i].hi)
			return true;
	}
	return false;
}

int
message_change_flags(struct account *a, mailbox_id id, const struct ranges *uids, uint32_t from,
    const struct flag_change *change, const struct actor *actor, struct ranges *changed,
    uint32_t *ret_next)
{
	OWN_EDIT struct edit                               e = { 0 };
	OWN_PICK struct pick                               p = { .a = a, .uids = uids, .at = from };
	__attribute__((cleanup(outcome_done))) struct outcome out = { 0 };
	OWN_RANGES struct ranges                           sound = { 0 };
	struct flag_change                                 clipped = *change;
	uint32_t                                           next;
	int                                                r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = account_box(a, id, &p.box);
	if (r == 0)
		r = index_need(a, p.box);
	if (r == 0)
		r = outcome_begin(&out, change->modified, changed);
	if (r == 0 && INDEX_LOST(p.box)->n != 0)
		r = readable(p.box, &sound);
	if (r < 0)
		return r;
	flags_clip(a, &clipped.flags);
	p.no_modseq = !clipped.has_unchanged_since;
	p.in = INDEX_LOST(p.box)->n != 0 ? &sound : INDEX_ALL(p.box);
	edit_begin(&e, a, actor);
	r = change_part(&e, &p, &clipped, &out, &next);
	if (r < 0)
		return r;
	outcome_give(&out.modified, change->modified);
	outcome_give(&out.changed, changed);
	if (next == 0 && asks_for_lost(p.box, uids))
		return E_CORRUPT;
	*ret_next = next;
	return 0;
}

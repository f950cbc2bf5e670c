/* What a POP3 device removes: a part of QUIT. */
#include "base/error.h"
#include "store/device_view.h"
#include "store/expunge.h"
#include "store/hidden.h"
#include "store/ledger.h"
#include "store/left.h"
#include "store/name.h"

/* One part while it is built. */
struct part {
	struct edit        *e;
	struct device      *d;
	enum pop3_policy    policy;
	struct mailbox     *inbox;
	struct edit_box    *from, *to; /* INBOX; of archive and trash */
	struct spans        hide;
	struct pop3_removal so_far;
	uint64_t            left_n; /* that leave INBOX */
};

/* --- where to --- */

static const struct {
	enum special_use use;
	struct str       name;
} TARGETS[] = {
	[POP3_ARCHIVE] = { USE_ARCHIVE, STR("Archive") },
	[POP3_TRASH] = { USE_TRASH, STR("Trash") },
	[POP3_DELETE] = { 0, STR_NONE },
};

/* An error that will be gone when it is tried again. */
static bool
is_passing(int r)
{
	return r == E_NOMEM || r == E_IO || r == E_DISK_FULL || r == E_CONFLICT || r == E_NOT_FOUND;
}

/* 0 when there is no such mailbox and none can be made. */
static int
find_target(struct account *a, enum pop3_policy policy, const struct actor *actor, mailbox_id *ret)
{
	int r;

	*ret = 0;
	if (policy < POP3_ARCHIVE || policy >= POP3_DELETE)
		return 0;
	r = mailbox_find_use(a, TARGETS[policy].use, ret);
	if (r == E_NO_MAILBOX)
		r = mailbox_create(a, TARGETS[policy].name, TARGETS[policy].use, actor, ret);
	if (r == E_EXISTS)
		r = mailbox_find(a, TARGETS[policy].name, ret);
	if (r < 0)
		*ret = 0;
	return is_passing(r) ? r : 0;
}

/* --- one message --- */

enum { ELSEWHERE, IN_INBOX, PURGED };

/* Where is it? */
static int
find(const struct part *p, const struct view_message *vm, struct message *ret)
{
	struct account     *a = p->e->a;
	struct place_record place;
	int                 r = E_MESSAGE_GONE;

	if (vm->uid != 0)
		r = message_fetch(a, p->inbox->id, vm->uid, ret);
	if (r == 0 && ret->email == vm->email)
		return IN_INBOX;
	if (r < 0 && r != E_MESSAGE_GONE)
		return r;
	r = place_fetch(a, vm->email, &place);
	if (r == E_NOT_FOUND)
		return PURGED;
	if (r == 0 && (place.expunged || place.mailbox != p->inbox->id))
		return ELSEWHERE;
	if (r == 0)
		r = message_fetch(a, place.mailbox, place.uid, ret);
	return r < 0 ? r : IN_INBOX;
}

static void
log_hidden(struct part *p, email_id email, const struct message *m)
{
	const struct change c = {
		.kind = CHANGE_HIDDEN,
		.mailbox = m != NULL ? p->inbox->id : 0,
		.uid_lo = m != NULL ? m->uid : 0,
		.email = email,
	};

	edit_log(p->e, &c);
}

static void
note_left(struct part *p, const struct message *m)
{
	const struct left_record rec = {
		.when_ms = p->e->now_ms,
		.device = p->d->id,
		.policy = p->policy,
		.mailbox = p->inbox->id,
		.blob = m->blob,
		.size = m->size,
		.header_n = m->header_n,
		.blob_header_n = m->blob_header_n,
		.wire_more = m->wire_more,
	};

	left_put(p->e, m->email, &rec);
	p->left_n++;
}

static void
mark_read(struct part *p, struct message *m)
{
	struct flags flags = m->flags;

	if ((flags.system & FLAG_SEEN) != 0)
		return;
	flags.system |= FLAG_SEEN;
	edit_message_flags(p->e, p->from, m, &flags);
}

static int
move_away(struct part *p, struct message *m)
{
	int r = edit_message_move(p->e, p->from, p->to, m);

	if (r == 0)
		note_left(p, m);
	return r;
}

static int
treat(struct part *p, struct message *m)
{
	int r;

	switch (p->policy) {
	case POP3_ARCHIVE:
	case POP3_TRASH:
		return move_away(p, m);
	case POP3_DELETE:
		r = expunge_message(p->e, p->from, m);
		if (r == 0)
			note_left(p, m);
		return r;
	case POP3_READ:
		mark_read(p, m);
		break;
	case POP3_POLICY_NONE:
	case POP3_KEEP:
		break;
	}
	log_hidden(p, m->email, m);
	return 0;
}

static int
remove_one(struct part *p, const struct view_message *vm)
{
	struct message m;
	int            where = find(p, vm, &m);
	int            r = where < 0 ? where : 0;

	if (where == IN_INBOX)
		r = treat(p, &m);
	else if (where == ELSEWHERE)
		log_hidden(p, vm->email, NULL);
	/* What is damaged stays where it is, and the device is rid of it. */
	if (r == E_CORRUPT || r == E_MESSAGE_GONE)
		r = 0;
	if (r == 0 && where != PURGED)
		r = spans_add(&p->hide, vm->email, vm->email);
	p->so_far.removed_n++;
	p->so_far.removed_bytes += vm->size;
	return r;
}

/* --- the part --- */

static void
count(struct part *p, const struct pop3_removal *before)
{
	struct device_use   *use = ledger_use(p->d, ACTOR_POP3);
	struct device_alarm *watch = &p->d->rec.watch;
	uint64_t             inbox_n = watch->removed_n + p->inbox->rec.messages;

	use->removed_n += p->so_far.removed_n - before->removed_n;
	use->removed_bytes += p->so_far.removed_bytes - before->removed_bytes;
	if (watch->since_ms == 0)
		return;
	/* What came since the watch began is a part of the Inbox, too. */
	watch->inbox_n = watch->inbox_n > inbox_n ? watch->inbox_n : inbox_n;
	watch->removed_n += p->left_n;
}

static int
fill(struct part *p)
{
	struct pop3_removal *rm = &p->so_far;
	int                  r = 0;

	for (uint32_t n = 0; r == 0 && rm->at < rm->n; rm->at++) {
		if ((rm->m[rm->at].marks & rm->mark) == 0)
			continue;
		if (n++ == POP3_REMOVE_PART || edit_is_full(p->e))
			break;
		r = remove_one(p, &rm->m[rm->at]);
	}
	return r;
}

static int
commit(struct part *p, struct pop3_removal *rm)
{
	const struct device_record before = p->d->rec;
	struct device             *d = p->d;
	int                        r = hidden_add(p->e, d->id, &p->hide);

	if (r < 0)
		return r;
	count(p, rm);
	ledger_put(p->e, d);
	r = edit_commit(p->e, EDIT_DURABLE);
	/* After a conflict the ledger is another one. */
	if (r < 0 && r != E_CONFLICT)
		d->rec = before;
	else if (r == 0)
		d->unsaved = false;
	return r;
}

static int
begin(struct part *p, mailbox_id target, const struct pop3_removal *rm, struct account *a)
{
	struct mailbox *to = NULL;
	int             r = account_ready(a);

	if (r == 0)
		r = ledger_need(a);
	if (r < 0)
		return r;
	p->so_far = *rm;
	p->d = ledger_find(a, rm->device);
	p->inbox = account_box_named(a, INBOX);
	if (p->d == NULL || p->inbox == NULL)
		return E_NOT_FOUND;
	p->policy = ledger_policy(a, p->d);
	if (p->policy != POP3_ARCHIVE && p->policy != POP3_TRASH)
		return 0;
	if (target == 0 || account_box(a, target, &to) < 0 || to == p->inbox)
		p->policy = POP3_KEEP;
	return 0;
}

static int
remove_part(struct account *a, mailbox_id target, struct pop3_removal *rm,
    const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	struct part          p = { .e = &e };
	int                  r;

	ACCOUNT_SCOPE(a);
	r = begin(&p, target, rm, a);
	if (r < 0)
		return r;
	edit_begin(&e, a, actor);
	p.from = edit_box(&e, p.inbox);
	if (p.policy == POP3_ARCHIVE || p.policy == POP3_TRASH) {
		p.to = edit_box(&e, account_box_any(a, target));
		e.way = CHANGE_BY_MOVE;
	}
	r = fill(&p);
	if (r == 0 && p.hide.n != 0)
		r = commit(&p, rm);
	spans_done(&p.hide);
	if (r == 0)
		*rm = p.so_far;
	return r;
}

int
pop3_remove_part(struct account *a, struct pop3_removal *rm, const struct actor *actor,
    bool *ret_done)
{
	enum pop3_policy policy;
	mailbox_id       target;
	int              r = device_policy(a, rm->device, &policy);

	if (r == 0)
		r = find_target(a, policy, actor, &target);
	if (r == 0)
		r = remove_part(a, target, rm, actor);
	if (r == 0)
		*ret_done = rm->at == rm->n;
	return r;
}

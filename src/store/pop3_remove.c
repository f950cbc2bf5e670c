/* What a POP3 device removes: a part of QUIT. */
#include "base/error.h"
#include "base/mem.h"
#include "store/device_view.h"
#include "store/expunge.h"
#include "store/hidden.h"
#include "store/ledger.h"
#include "store/left.h"
#include "store/name.h"
#include "store/pending.h"

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

	/* One of several parts was counted when it was written down. */
	if (before->pending == 0) {
		use->removed_n += p->so_far.removed_n - before->removed_n;
		use->removed_bytes += p->so_far.removed_bytes - before->removed_bytes;
	}
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

/* What is still to be removed. */
static int
find_left(const struct pop3_removal *rm, struct spans *ret)
{
	int r = 0;

	for (uint32_t i = rm->at; r == 0 && i < rm->n; i++)
		if ((rm->m[i].marks & rm->mark) != 0)
			r = spans_add(ret, rm->m[i].email, rm->m[i].email);
	for (size_t i = 0; r == 0 && rm->rest != NULL && i < rm->rest->n; i++)
		r = spans_add(ret, rm->rest->s[i].lo, rm->rest->s[i].hi);
	return r;
}

static int
put_left(struct edit *e, const struct pop3_removal *rm)
{
	OWN_SPANS struct spans left = { 0 };
	const struct pending   p = {
		.device = rm->device,
		.modseq = rm->pending,
		.when_ms = rm->pending_ms,
		.actor = *e->actor,
	};
	int r = rm->pending != 0 ? find_left(rm, &left) : 0;

	if (r == 0 && rm->pending != 0)
		pending_put(e, &p, &left);
	return r;
}

static int
commit_device(struct edit *e, struct device *d, const struct device_record *before)
{
	int r;

	ledger_put(e, d);
	r = edit_commit(e, EDIT_DURABLE);
	/* After a conflict the ledger is another one. */
	if (r < 0 && r != E_CONFLICT)
		d->rec = *before;
	else if (r == 0)
		d->unsaved = false;
	return r;
}

static int
commit(struct part *p, struct pop3_removal *rm)
{
	const struct device_record before = p->d->rec;
	int r = p->hide.n != 0 ? hidden_add(p->e, p->d->id, &p->hide) : 0;

	if (r == 0)
		r = put_left(p->e, &p->so_far);
	if (r < 0)
		return r;
	count(p, rm);
	return commit_device(p->e, p->d, &before);
}

static int
begin(struct part *p, mailbox_id target, const struct pop3_removal *rm, struct account *a)
{
	struct mailbox *to = NULL;
	int             r = ledger_ready(a);

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

/* With the lock held. */
static int
remove_some(struct account *a, mailbox_id target, struct pop3_removal *rm,
    const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	struct part          p = { .e = &e };
	int                  r = begin(&p, target, rm, a);

	if (r < 0)
		return r;
	edit_begin(&e, a, actor);
	p.from = edit_box(&e, p.inbox);
	if (p.policy == POP3_ARCHIVE || p.policy == POP3_TRASH) {
		p.to = edit_box(&e, account_box_any(a, target));
		e.way = CHANGE_BY_MOVE;
	}
	r = fill(&p);
	if (r == 0 && (p.hide.n != 0 || rm->pending != 0))
		r = commit(&p, rm);
	spans_done(&p.hide);
	if (r == 0)
		*rm = p.so_far;
	return r;
}

static int
remove_part(struct account *a, mailbox_id target, struct pop3_removal *rm,
    const struct actor *actor)
{
	ACCOUNT_SCOPE(a);
	return remove_some(a, target, rm, actor);
}

/* --- several parts --- */

static bool
is_long(const struct pop3_removal *rm)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < rm->n && n <= POP3_REMOVE_PART; i++)
		n += (rm->m[i].marks & rm->mark) != 0;
	return n > POP3_REMOVE_PART;
}

static void
count_all(const struct pop3_removal *rm, struct device_use *use)
{
	for (uint32_t i = 0; i < rm->n; i++)
		if ((rm->m[i].marks & rm->mark) != 0) {
			use->removed_n++;
			use->removed_bytes += rm->m[i].size;
		}
}

/* From this commit on all of it is removed, whatever happens. */
static int
write_down(struct account *a, struct pop3_removal *rm, const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	struct pop3_removal  all = *rm;
	struct device_record before;
	struct device       *d;
	int                  r;

	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r < 0)
		return r;
	d = ledger_find(a, rm->device);
	if (d == NULL)
		return E_NOT_FOUND;
	before = d->rec;
	edit_begin(&e, a, actor);
	all.pending = e.modseq;
	all.pending_ms = e.now_ms;
	r = put_left(&e, &all);
	if (r < 0)
		return r;
	count_all(rm, ledger_use(d, ACTOR_POP3));
	r = commit_device(&e, d, &before);
	if (r == 0)
		*rm = all;
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
	if (r == 0 && rm->at == 0 && rm->pending == 0 && is_long(rm))
		r = write_down(a, rm, actor);
	if (r == 0)
		r = remove_part(a, target, rm, actor);
	if (r == 0)
		*ret_done = rm->at == rm->n;
	return r;
}

/* --- what was cut short --- */

/* The first messages of it; its spans are the rest then. */
static uint32_t
take_some(struct pending *p, struct view_message *m)
{
	uint32_t n = 0;
	size_t   i = 0;

	while (i < p->left.n && n < POP3_REMOVE_PART) {
		m[n++] = (struct view_message){ .email = p->left.s[i].lo, .marks = 1 };
		if (p->left.s[i].lo++ == p->left.s[i].hi)
			i++;
	}
	p->left.n -= i;
	memmove(p->left.s, p->left.s + i, p->left.n * sizeof(*p->left.s));
	return n;
}

static int
drop(struct account *a, const struct pending *p)
{
	static const struct spans nothing;
	OWN_EDIT struct edit      e = { 0 };

	edit_begin(&e, a, &ACTOR_NOBODY);
	pending_put(&e, p, &nothing);
	return edit_commit(&e, EDIT_LAZY);
}

/* Whose is the first one? 1, 0 when there is none, or an error. */
static int
find_cut_short(struct account *a, device_id *ret)
{
	OWN_PENDING struct pending p = { 0 };
	int                        r;

	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	while (r >= 0 && (r = pending_first(a, &p)) == 1 && ledger_find(a, p.device) == NULL) {
		r = drop(a, &p);
		pending_done(&p);
	}
	*ret = p.device;
	return r;
}

/* Another session may have done it by now. */
static int
resume(struct account *a, device_id device, mailbox_id target, struct view_message *m)
{
	OWN_PENDING struct pending p = { 0 };
	struct pop3_removal        rm = { .device = device, .m = m, .mark = 1 };
	int                        r;

	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r == 0)
		r = pending_first(a, &p);
	if (r != 1 || p.device != device)
		return r < 0 ? r : 0;
	rm.n = take_some(&p, m);
	rm.pending = p.modseq;
	rm.pending_ms = p.when_ms;
	rm.rest = &p.left;
	return remove_some(a, target, &rm, &p.actor);
}

int
pop3_resume_part(struct account *a, bool *ret_done)
{
	const struct actor   actor = { .protocol = ACTOR_POP3 };
	struct view_message *m;
	enum pop3_policy     policy;
	mailbox_id           target;
	device_id            device;
	int                  r = find_cut_short(a, &device);

	*ret_done = r == 0;
	if (r <= 0)
		return r;
	r = device_policy(a, device, &policy);
	if (r == 0)
		r = find_target(a, policy, &actor, &target);
	if (r < 0)
		return r;
	m = mem_alloc(POP3_REMOVE_PART * sizeof(*m));
	if (m == NULL)
		return E_NOMEM;
	r = resume(a, device, target, m);
	mem_free(m);
	return r;
}

#include "store/mailbox.h"

#include "base/error.h"
#include "base/mem.h"
#include "store/edit.h"
#include "store/name.h"

int
mailbox_find(struct account *a, struct str name, mailbox_id *ret)
{
	struct name     n;
	struct mailbox *box;
	int             r = name_read(name, &n);

	/* What cannot be a name is none. */
	if (r < 0)
		return E_NO_MAILBOX;
	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	box = account_box_named(a, name_str(&n));
	if (box == NULL || box->rec.no_select)
		return E_NO_MAILBOX;
	*ret = box->id;
	return 0;
}

int
mailbox_find_use(struct account *a, enum special_use use, mailbox_id *ret)
{
	int r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	for (size_t i = 0; i < a->n_boxes; i++) {
		const struct mailbox_record *rec = &a->boxes[i]->rec;

		if ((rec->special_use & use) != 0 && !rec->dying && !rec->no_select) {
			*ret = a->boxes[i]->id;
			return 0;
		}
	}
	return E_NO_MAILBOX;
}

/* --- the list --- */

struct listing {
	struct account      *a;
	struct arena        *arena;
	struct mailbox_info *info; /* those of mailboxes first, ascending by id */
	size_t               n;
	size_t               n_boxes;
};

static struct mailbox_info *
find_info(struct listing *l, mailbox_id id)
{
	size_t lo = 0, hi = l->n_boxes;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->info[mid].id <= id)
			lo = mid;
		else
			hi = mid;
	}
	return &l->info[lo];
}

static int
list_boxes(struct listing *l)
{
	for (size_t i = 0; i < l->a->n_boxes; i++) {
		const struct mailbox *box = l->a->boxes[i];
		struct mailbox_info  *info = &l->info[l->n];

		if (box->rec.dying)
			continue;
		*info = (struct mailbox_info){
			.id = box->id,
			.uidvalidity = box->rec.uidvalidity,
			.special_use = box->rec.special_use,
			.no_select = box->rec.no_select,
			.subscribed = map_get(&l->a->subscriptions, box->rec.name) != NULL,
		};
		if (arena_dup(l->arena, box->rec.name, &info->name) < 0)
			return E_NOMEM;
		l->n++;
	}
	l->n_boxes = l->n;
	return 0;
}

/* Names that are subscribed without a mailbox. */
static int
list_subscriptions(struct listing *l)
{
	struct map_at at = { 0 };

	while (map_next(&l->a->subscriptions, &at)) {
		struct mailbox_info *info = &l->info[l->n];

		if (account_box_named(l->a, at.key) != NULL)
			continue;
		*info = (struct mailbox_info){ .subscribed = true };
		if (arena_dup(l->arena, at.key, &info->name) < 0)
			return E_NOMEM;
		l->n++;
	}
	return 0;
}

static void
list_children(struct listing *l)
{
	for (size_t i = 0; i < l->n_boxes; i++) {
		struct str            name = name_parent(l->info[i].name);
		const struct mailbox *parent;

		if (name.n == 0)
			continue;
		parent = account_box_named(l->a, name);
		if (parent != NULL)
			find_info(l, parent->id)->has_children = true;
	}
}

static int
compare_info(const void *a, const void *b)
{
	const struct mailbox_info *x = a, *y = b;
	bool                       x_inbox = str_eq(x->name, INBOX);
	bool                       y_inbox = str_eq(y->name, INBOX);

	if (x_inbox != y_inbox)
		return x_inbox ? -1 : 1;
	return str_cmp(x->name, y->name);
}

static int
list_all(struct listing *l)
{
	size_t most = l->a->n_boxes + l->a->subscriptions.n;
	int    r;

	l->info = arena_alloc(l->arena, most * sizeof(*l->info));
	if (l->info == NULL)
		return E_NOMEM;
	r = list_boxes(l);
	if (r == 0)
		r = list_subscriptions(l);
	if (r < 0)
		return r;
	list_children(l);
	qsort(l->info, l->n, sizeof(*l->info), compare_info);
	return 0;
}

int
mailbox_list(struct account *a, struct arena *arena, struct mailbox_info **ret, size_t *ret_n)
{
	struct listing l = { .a = a, .arena = arena };
	int            r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	r = list_all(&l);
	if (r < 0)
		return r;
	*ret = l.info;
	*ret_n = l.n;
	return 0;
}

int
mailbox_subscribe(struct account *a, struct str name, bool on, const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	char                 hold[SUBSCRIPTION_KEY_MAX];
	struct mailbox      *box;
	struct name          n;
	int                  r = name_read(name, &n);

	if (r < 0)
		return r;
	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	if ((map_get(&a->subscriptions, name_str(&n)) != NULL) == on)
		return 0;
	box = account_box_named(a, name_str(&n));
	edit_begin(&e, a, actor);
	edit_log_mailbox(&e, box != NULL ? box->id : 0);
	if (!on) {
		kv_del(&e.batch, key_subscription(name_str(&n), hold));
		r = edit_commit(&e, EDIT_DURABLE);
		if (r == 0)
			map_del(&a->subscriptions, name_str(&n));
		return r;
	}
	/* Names without a mailbox may be subscribed, but not without end. */
	if (a->subscriptions.n >= 2 * a->store->options.mailboxes_max)
		return E_LIMIT;
	if (map_put(&a->subscriptions, name_str(&n), a) < 0)
		return E_NOMEM;
	kv_put(&e.batch, key_subscription(name_str(&n), hold), STR_NONE);
	r = edit_commit(&e, EDIT_DURABLE);
	if (r < 0)
		map_del(&a->subscriptions, name_str(&n));
	return r;
}

/* --- state --- */

static struct mailbox_status
status_of(const struct mailbox *box)
{
	const struct mailbox_record *rec = &box->rec;

	return (struct mailbox_status){
		.uidvalidity = rec->uidvalidity,
		.uidnext = rec->uidnext,
		.messages = rec->messages,
		.unseen = rec->unseen,
		.deleted = rec->deleted,
		.recent = rec->recent,
		.size = rec->size,
		.highest_modseq = rec->highest_modseq,
	};
}

int
mailbox_status(struct account *a, mailbox_id id, struct mailbox_status *ret)
{
	struct mailbox *box;
	int             r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = account_box(a, id, &box);
	if (r < 0)
		return r;
	*ret = status_of(box);
	return 0;
}

/* The recent messages belong to the session that asks. When that cannot be written they stay
 * recent for the next one too, which RFC 3501 s2.3.2 allows. */
static int
claim_recent(struct account *a, struct mailbox *box)
{
	OWN_EDIT struct edit      e = { 0 };
	struct edit_box          *slot;

	edit_begin(&e, a, &ACTOR_NOBODY);
	slot = edit_box(&e, box);
	slot->rec.recent = 0;
	slot->rec.recent_from = slot->rec.uidnext;
	return edit_commit(&e, EDIT_LAZY);
}

int
mailbox_view(struct account *a, mailbox_id id, bool read_write, struct mailbox_status *ret,
    struct ranges *ret_uids, uint32_t *ret_recent_from, uint64_t *ret_modseq)
{
	struct mailbox_status status;
	OWN_RANGES struct ranges uids = { 0 };
	struct mailbox       *box;
	uint32_t              recent_from;
	int                   r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = account_box(a, id, &box);
	if (r == 0)
		r = index_need(a, box);
	if (r == 0)
		r = ranges_copy(INDEX_ALL(box), &uids);
	if (r < 0)
		return r;
	status = status_of(box);
	status.first_unseen = ranges_min(INDEX_UNSEEN(box));
	status.damaged = ranges_count(INDEX_LOST(box));
	recent_from = box->rec.recent_from;
	if (read_write && status.recent != 0 && claim_recent(a, box) == E_CONFLICT)
		return E_CONFLICT;
	*ret = status;
	*ret_uids = uids;
	uids = (struct ranges){ 0 };
	*ret_recent_from = recent_from;
	*ret_modseq = account_modseq(a);
	return 0;
}

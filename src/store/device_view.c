#include "store/device_view.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "store/expunge.h"
#include "store/hidden.h"
#include "store/ledger.h"
#include "store/left.h"
#include "store/name.h"

/* --- opening and loading --- */

static int
open_view(struct device_view *v)
{
	struct mailbox *inbox;
	int             r;

	ACCOUNT_SCOPE(v->a);
	r = ledger_ready(v->a);
	if (r < 0)
		return r;
	inbox = account_box_named(v->a, INBOX);
	if (inbox == NULL)
		return E_NO_MAILBOX;
	if (ledger_find(v->a, v->device) == NULL)
		return E_NOT_FOUND;
	v->inbox = inbox->id;
	v->uid_end = inbox->rec.uidnext;
	r = rare_has(v->a, 'q');
	v->left = r == 1;
	if (r >= 0)
		r = rare_has(v->a, 'p');
	v->resuming = r == 1;
	return r < 0 ? r : hidden_load(v->a, v->device, v->hidden);
}

int
device_view_open(struct device_view *v, struct account *a, device_id device)
{
	*v = (struct device_view){ .a = a, .device = device, .uid_at = 1 };
	v->hidden = MEM_NEW(struct spans);
	return v->hidden == NULL ? E_NOMEM : open_view(v);
}

void
device_view_done(struct device_view *v)
{
	if (v->hidden != NULL)
		spans_done(v->hidden);
	mem_free(v->hidden);
	mem_free(v->m);
	*v = (struct device_view){ 0 };
}

static int
add(struct device_view *v, const struct view_message *vm)
{
	if (spans_has(v->hidden, vm->email))
		return 0;
	if (v->n == v->cap) {
		uint32_t             cap = v->cap < 64 ? 64 : v->cap + v->cap / 2;
		struct view_message *grown = mem_realloc(v->m, cap * sizeof(*grown));

		if (grown == NULL)
			return E_NOMEM;
		v->m = grown;
		v->cap = cap;
	}
	v->m[v->n++] = *vm;
	return 0;
}

static int
add_message(struct device_view *v, const struct message *m)
{
	const struct view_message vm = {
		.email = m->email,
		.size = m->size,
		.blob = m->blob,
		.header_n = m->header_n,
		.blob_header_n = m->blob_header_n,
		.wire_more = m->wire_more,
		.uid = m->uid,
		.was_seen = (m->flags.system & FLAG_SEEN) != 0,
	};

	return add(v, &vm);
}

static int
add_left(struct device_view *v, email_id email, const struct left_record *rec)
{
	const struct view_message vm = {
		.email = email,
		.size = rec->size,
		.blob = rec->blob,
		.header_n = rec->header_n,
		.blob_header_n = rec->blob_header_n,
		.wire_more = rec->wire_more,
		.was_seen = true,
	};

	return add(v, &vm);
}

/* A part of INBOX. What cannot be read is passed over. */
static int
load_inbox(struct device_view *v)
{
	OWN(message_iter) it = NULL;
	struct message    m = { 0 };
	int               r;

	r = message_scan(v->a, v->inbox, v->uid_at, v->uid_end - 1, SCAN_RECORDS, &it);
	if (r < 0)
		return r;
	r = 1;
	for (unsigned i = 0; r == 1 && i < VIEW_LOAD_PART && v->n < VIEW_MESSAGES_MAX; i++) {
		r = message_iter_next(it, &m, NULL);
		if (r == 1) {
			r = add_message(v, &m) < 0 ? E_NOMEM : 1;
		} else if (r == E_CORRUPT && m.uid >= v->uid_at) {
			v->n_damaged++;
			r = 1;
		}
		if (r == 1)
			v->uid_at = m.uid + 1;
	}
	if (r < 0)
		return r;
	if (r == 0 || v->n >= VIEW_MESSAGES_MAX)
		v->uid_at = v->uid_end;
	return 0;
}

static int
open_left(struct device_view *v, struct kv_iter **ret)
{
	int r;

	ACCOUNT_SCOPE(v->a);
	r = account_ready(v->a);
	return r < 0 ? r : left_scan(v->a, v->left_at, ret);
}

/* A part of what has left it. */
static int
load_left(struct device_view *v)
{
	OWN(kv_iter)       it = NULL;
	struct left_record rec;
	email_id           email;
	int                r = open_left(v, &it);

	for (unsigned i = 0; r >= 0 && i < VIEW_LOAD_PART; i++) {
		r = left_next(it, &email, &rec);
		if (r == 1 && v->n < VIEW_MESSAGES_MAX)
			r = add_left(v, email, &rec) < 0 ? E_NOMEM : 1;
		if (r <= 0)
			break;
		v->left_at = email + 1;
	}
	v->left = r > 0;
	return r < 0 ? r : 0;
}

static int
by_email(const void *x, const void *y)
{
	const struct view_message *a = x, *b = y;

	return a->email < b->email ? -1 : a->email > b->email;
}

/* Mostly they are in order. One that left INBOX while it was read is there twice. */
static void
put_in_order(struct device_view *v)
{
	bool     sorted = true;
	uint32_t n = 0;

	for (uint32_t i = 1; sorted && i < v->n; i++)
		sorted = v->m[i - 1].email < v->m[i].email;
	if (sorted)
		return;
	qsort(v->m, v->n, sizeof(*v->m), by_email);
	for (uint32_t i = 0; i < v->n; i++)
		if (n == 0 || v->m[n - 1].email != v->m[i].email)
			v->m[n++] = v->m[i];
	v->n = n;
}

/* A removal that was cut short comes first; then the view begins anew. */
static int
finish_removals(struct device_view *v)
{
	bool done;
	int  r = pop3_resume_part(v->a, &done);

	if (r < 0 || !done)
		return r;
	spans_done(v->hidden);
	r = open_view(v);
	v->resuming = false;
	return r;
}

int
device_view_load(struct device_view *v, bool *ret_done)
{
	int r = 0;

	if (v->resuming) {
		*ret_done = false;
		return finish_removals(v);
	}
	if (v->uid_at < v->uid_end)
		r = load_inbox(v);
	else if (v->left)
		r = load_left(v);
	if (r < 0)
		return r;
	*ret_done = v->uid_at >= v->uid_end && !v->left;
	if (*ret_done) {
		put_in_order(v);
		spans_done(v->hidden);
	}
	return 0;
}

/* --- one message --- */

static int
fetch_expunged(struct account *a, email_id email, struct message *ret)
{
	OWN_BUF struct buf     value = BUF_INIT(KV_VALUE_MAX);
	struct expunged_record rec;
	int64_t                when_ms;
	int                    r = expunged_fetch(a, email, &value, &when_ms);

	if (r == 0)
		r = expunged_record_unpack(buf_view(&value), &rec);
	return r < 0 ? r : message_record_unpack(rec.message, 0, ret);
}

int
message_find(struct account *a, email_id email, struct message *ret, mailbox_id *ret_mailbox)
{
	struct place_record place;
	int                 r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = place_fetch(a, email, &place);
	if (r == 0)
		r = place.expunged ? fetch_expunged(a, email, ret)
		                   : message_fetch(a, place.mailbox, place.uid, ret);
	if (r == 0 && ret->email != email)
		r = E_CORRUPT;
	if (r < 0)
		return r == E_NOT_FOUND ? E_MESSAGE_GONE : r;
	*ret_mailbox = place.expunged ? 0 : place.mailbox;
	return 0;
}

int
device_view_message(struct account *a, mailbox_id inbox, const struct view_message *vm,
    struct message *ret)
{
	struct message m;
	mailbox_id     mailbox;
	int            r = E_MESSAGE_GONE;

	if (vm->uid != 0)
		r = message_get(a, inbox, vm->uid, &m);
	/* It may have been moved by now, and after a repair the UID may be another message's. */
	if (r == E_MESSAGE_GONE || (r == 0 && m.email != vm->email))
		r = message_find(a, vm->email, &m, &mailbox);
	if (r == 0)
		*ret = m;
	return r;
}

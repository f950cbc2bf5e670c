#include "store/carry.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"
#include "store/carry_put.h"
#include "store/expunge.h"
#include "store/hidden.h"
#include "store/ledger.h"
#include "store/left.h"
#include "store/name.h"

/* --- UIDLs that are taken --- */

struct uidl_taken {
	account_id account;
	uint64_t   stamp; /* of the account when they were read; 0: not yet */
	struct map texts;
};

enum { READER_MAX = 1 << 30 };

int
uidl_taken_new(struct uidl_taken **ret)
{
	struct uidl_taken *t = MEM_NEW(struct uidl_taken);

	if (t == NULL)
		return E_NOMEM;
	map_init(&t->texts);
	*ret = t;
	return 0;
}

static void
forget(struct uidl_taken *t)
{
	map_done(&t->texts);
	map_init(&t->texts);
	t->stamp = 0;
}

void
uidl_taken_drop(struct uidl_taken *t)
{
	if (t == NULL)
		return;
	map_done(&t->texts);
	mem_free(t);
}

static int
add_row(void *arg, const struct uidl *u)
{
	struct uidl_taken *t = arg;

	return map_put(&t->texts, u->text, t);
}

/* Reads them unless they are those of this account as it is now. */
static int
refresh(struct uidl_taken *t, struct account *a)
{
	int r;

	if (t->stamp != 0 && t->account == a->id && t->stamp == a->uidl_stamp)
		return 0;
	forget(t);
	r = rare_has(a, 'U');
	if (r == 1)
		r = uidl_scan(a, add_row, t);
	if (r < 0)
		return r;
	t->account = a->id;
	t->stamp = a->uidl_stamp;
	return 0;
}

static int
check(struct uidl_taken *t, struct account *a, email_id email, struct str text)
{
	const struct uidl u = { email, text };
	int               r = uidl_is_valid(text) ? uidl_check_own(a, &u) : E_SYNTAX;

	if (r == 0)
		r = refresh(t, a);
	if (r < 0)
		return r;
	return map_get(&t->texts, text) != NULL ? E_EXISTS : 0;
}

/* --- putting --- */

static int
put_uidl(struct edit *e, email_id email, struct uidl_taken *t, struct str text)
{
	struct key key = key_uidl(email);
	int        r = check(t, e->a, email, text);

	if (r == 0)
		r = map_put(&t->texts, text, t);
	if (r < 0)
		return r;
	buf_str(edit_value(e), text);
	edit_put(e, &key);
	rare_put(e->a, 'U');
	return 0;
}

static int
put_hidden(struct edit *e, email_id email, const struct carried *c)
{
	struct span        one = { email, email };
	const struct spans set = { .s = &one, .n = 1 };
	int                r = ledger_need(e->a);

	for (size_t i = 0; r == 0 && i < c->n_hidden; i++)
		if (ledger_find(e->a, c->hidden[i]) != NULL)
			r = hidden_add(e, c->hidden[i], &set);
	return r;
}

static void
put_left(struct edit *e, const struct mailbox *box, const struct message *m,
    const struct carried *c)
{
	const struct mailbox    *inbox = account_box_named(e->a, INBOX);
	const struct left_record rec = {
		.when_ms = c->left_ms,
		.device = c->left_device,
		.policy = c->left_policy,
		.mailbox = inbox != NULL ? inbox->id : 0,
		.blob = m->blob,
		.size = m->size,
		.header_n = m->header_n,
		.blob_header_n = m->blob_header_n,
		.wire_more = m->wire_more,
	};

	if (inbox != NULL && inbox != box &&
	    (c->left_policy == POP3_ARCHIVE || c->left_policy == POP3_TRASH))
		left_put(e, m->email, &rec);
}

int
carry_put(struct edit *e, const struct mailbox *box, const struct message *m,
    const struct append_options *opt, int *ret_uidl_err)
{
	const struct carried *c = opt->carried;
	OWN(uidl_taken) own = NULL;
	struct uidl_taken *taken = opt->taken;
	int                r = 0;

	*ret_uidl_err = 0;
	if (c->uidl.n != 0) {
		if (taken == NULL)
			r = uidl_taken_new(&own);
		if (r == 0)
			r = put_uidl(e, m->email, taken != NULL ? taken : own, c->uidl);
		if (r == E_SYNTAX || r == E_EXISTS) {
			*ret_uidl_err = r;
			r = 0;
		}
	}
	if (r == 0 && c->n_hidden != 0)
		r = put_hidden(e, m->email, c);
	if (r == 0)
		put_left(e, box, m, c);
	return r;
}

void
carry_committed(struct account *a, const struct append_options *opt, int err)
{
	if (opt->carried->uidl.n == 0)
		return;
	if (err == 0)
		uidl_changed(a);
	if (opt->taken != NULL)
		opt->taken->stamp = err == 0 ? a->uidl_stamp : 0;
}

int
carry_unhide(struct account *a, email_id email, const struct actor *actor)
{
	OWN_EDIT struct edit e = { 0 };
	struct span          one = { email, email };
	const struct spans   set = { .s = &one, .n = 1 };
	uint64_t             n = 0;
	int                  r;

	ACCOUNT_SCOPE(a);
	r = ledger_ready(a);
	if (r < 0)
		return r;
	edit_begin(&e, a, actor);
	for (size_t i = 0; r == 0 && i < a->ledger->n; i++)
		r = hidden_remove(&e, a->ledger->d[i]->id, &set, &n);
	return r < 0 || n == 0 ? r : edit_commit(&e, EDIT_DURABLE);
}

/* --- reading --- */

struct carry_reader {
	struct account     *a;
	struct arena        arena;
	struct device_info *devices;
	struct spans       *hidden;   /* of each */
	device_id          *from;     /* room for the answer */
	size_t              n;
	struct map          left;     /* left_record by email */
	struct buf          uidl;
};

static struct str
email_key(const email_id *email)
{
	return str_of((const char *)email, sizeof(*email));
}

static int
load_hidden(struct carry_reader *rd)
{
	int r = device_list(rd->a, &rd->arena, &rd->devices, &rd->n);

	if (r < 0)
		return r;
	rd->hidden = arena_alloc(&rd->arena, (rd->n + 1) * sizeof(*rd->hidden));
	rd->from = arena_alloc(&rd->arena, (rd->n + 1) * sizeof(*rd->from));
	if (rd->hidden == NULL || rd->from == NULL) {
		rd->n = 0;
		return E_NOMEM;
	}
	for (size_t i = 0; r == 0 && i < rd->n; i++)
		r = hidden_load(rd->a, rd->devices[i].id, &rd->hidden[i]);
	return r;
}

static int
load_left(struct carry_reader *rd)
{
	OWN(kv_iter)       it = NULL;
	struct left_record rec, *kept;
	email_id           email;
	int                r = left_scan(rd->a, 0, &it);

	while (r >= 0 && (r = left_next(it, &email, &rec)) > 0) {
		kept = arena_alloc(&rd->arena, sizeof(*kept));
		if (kept == NULL)
			return E_NOMEM;
		*kept = rec;
		r = map_put(&rd->left, email_key(&email), kept);
	}
	return r;
}

int
carry_reader_new(struct account *a, struct carry_reader **ret)
{
	OWN(carry_reader) rd = MEM_NEW(struct carry_reader);
	int r;

	if (rd == NULL)
		return E_NOMEM;
	rd->a = a;
	arena_init(&rd->arena, READER_MAX);
	map_init(&rd->left);
	buf_init(&rd->uidl, UIDL_MAX);
	r = load_hidden(rd);
	if (r == 0) {
		ACCOUNT_SCOPE(a);
		r = load_left(rd);
	}
	if (r == 0)
		*ret = TAKE(rd);
	return r;
}

void
carry_reader_drop(struct carry_reader *rd)
{
	if (rd == NULL)
		return;
	for (size_t i = 0; i < rd->n; i++)
		spans_done(&rd->hidden[i]);
	map_done(&rd->left);
	buf_done(&rd->uidl);
	arena_done(&rd->arena);
	mem_free(rd);
}

static int
read_uidl(struct carry_reader *rd, email_id email)
{
	int r;

	buf_reset(&rd->uidl);
	r = uidl_get(rd->a, email, &rd->uidl);
	if (r != E_NOT_FOUND)
		return r < 0 ? r : rd->uidl.err;
	buf_reset(&rd->uidl);
	buf_printf(&rd->uidl, "%016" PRIx64 "%016" PRIx64, rd->a->id, email);
	return rd->uidl.err;
}

int
carry_read(struct carry_reader *rd, email_id email, struct carried *ret)
{
	const struct left_record *left = map_get(&rd->left, email_key(&email));
	struct carried            c = { .hidden = rd->from };
	int                       r = read_uidl(rd, email);

	if (r < 0)
		return r;
	c.uidl = buf_view(&rd->uidl);
	for (size_t i = 0; i < rd->n; i++)
		if (spans_has(&rd->hidden[i], email))
			rd->from[c.n_hidden++] = rd->devices[i].id;
	if (left != NULL) {
		c.left_policy = left->policy;
		c.left_ms = left->when_ms;
		c.left_device = left->device;
	}
	*ret = c;
	return 0;
}

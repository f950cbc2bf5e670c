#include "store/repair.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "store/device_verify.h"
#include "store/repair_rows.h"
#include "store/state.h"

enum { COMMIT_BYTES = 8 << 20 };

void
repair_say(struct store_repair *rep, account_id id, const char *fmt, ...)
{
	char    text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (rep->report != NULL)
		rep->report(rep->arg, id, text);
}

int
orphans_add(struct orphans *list, const struct orphan *o)
{
	if (list->n == list->cap) {
		size_t         cap = list->cap != 0 ? list->cap * 2 : 256;
		struct orphan *grown = mem_realloc(list->o, cap * sizeof(*grown));

		if (grown == NULL)
			return E_NOMEM;
		list->o = grown;
		list->cap = cap;
	}
	list->o[list->n++] = *o;
	return 0;
}

struct str
repair_envelope_next(struct str *s)
{
	struct str is;
	size_t     n;
	uint64_t   len;

	while (s->n > 0 && (s->p[0] == ' ' || s->p[0] == '('))
		*s = str_skip(*s, 1);
	if (s->n > 0 && s->p[0] == '"') {
		*s = str_skip(*s, 1);
		n = str_find_byte(*s, '"');
		is = str_head(*s, n);
		*s = str_skip(*s, n + 1);
		return is;
	}
	n = str_find_byte(*s, '}');
	if (s->n > 0 && s->p[0] == '{' && n < s->n &&
	    str_to_u64(str_of(s->p + 1, n - 1), &len) == 0) {
		is = str_head(str_skip(*s, n + 3), (size_t)len);
		*s = str_skip(*s, n + 3 + (size_t)len);
		return is;
	}
	*s = str_skip(*s, 3);
	return STR_NONE;
}

int
repair_read_whole(struct store *store, const struct message *m, bool *ret_whole, bool *ret_header)
{
	OWN_BUF struct buf bytes = BUF_INIT(KV_VALUE_MAX);
	uint64_t           body_n = m->size - m->blob_header_n, at = 0;
	int                r = kv_blob_header(store->kv, &m->blob, &bytes);

	*ret_header = r == 0 && bytes.n == m->blob_header_n;
	*ret_whole = *ret_header && m->size >= m->blob_header_n;
	for (; *ret_whole && at < body_n; at += KV_BLOB_PIECE) {
		size_t want = body_n - at < KV_BLOB_PIECE ? (size_t)(body_n - at) : KV_BLOB_PIECE;

		buf_reset(&bytes);
		r = kv_blob_body(store->kv, &m->blob, at, want, &bytes);
		*ret_whole = r == 0 && bytes.n == want;
	}
	return r == 0 || r == E_NOT_FOUND || r == E_CORRUPT ? 0 : r;
}

/* --- the rows, as they come --- */

struct intake {
	struct kv      *kv;
	struct kv_part  part; /* kind 0: none yet */
	uint64_t        now;  /* its version in the new store */
	uint64_t        last; /* its version as far as it can be told */
	struct kv_batch batch;
	struct orphans  refs;
};

static int
commit(struct intake *in, uint64_t next)
{
	kv_ticket ticket;
	int       r = kv_commit(in->kv, in->part, in->now, next, &in->batch, &ticket);

	kv_batch_reset(&in->batch);
	if (r == 0)
		in->now = next;
	return r;
}

static int
end_part(struct intake *in)
{
	if (in->part.kind == 0)
		return 0;
	return commit(in, in->last > in->now ? in->last : in->now + 1);
}

static int
enter_part(struct intake *in, struct kv_part part)
{
	int r;

	if (in->part.kind == part.kind && in->part.id == part.id)
		return 0;
	r = end_part(in);
	in->part = part;
	in->now = in->last = 0;
	return r;
}

static int
take_version(void *arg, struct kv_part part, uint64_t version)
{
	struct intake *in = arg;
	int            r = enter_part(in, part);

	in->last = version > in->last ? version : in->last;
	return r;
}

/* The version of an account whose version row is lost is at least every modseq in it. */
static void
note_modseq(struct intake *in, struct str key, struct str value)
{
	struct mailbox_record box;
	struct message        m;
	mailbox_id            id;
	uint32_t              uid;
	uint64_t              modseq = 0;

	if (in->part.kind != KV_ACCOUNT)
		return;
	if (key_read_log(key, &modseq) < 0 && key_read_uid(key, 'm', &id, &uid) == 0 &&
	    message_record_unpack(value, uid, &m) == 0)
		modseq = m.modseq;
	else if (key_read_mailbox(key, &id) == 0 && mailbox_record_unpack(value, &box) == 0)
		modseq = box.highest_modseq;
	in->last = modseq > in->last ? modseq : in->last;
}

static int
take_record(void *arg, struct kv_part part, struct str key, struct str value)
{
	struct intake *in = arg;
	int            r;

	if (part.kind == KV_TEXT)
		return 0;
	r = enter_part(in, part);
	if (r < 0)
		return r;
	note_modseq(in, key, value);
	kv_put(&in->batch, key, value);
	return in->batch.ops.n < COMMIT_BYTES ? 0 : commit(in, in->now + 1);
}

static int
take_ref(void *arg, const struct kv_blob_id *blob, uint64_t account, uint64_t email)
{
	struct intake      *in = arg;
	const struct orphan o = { .account = account, .email = email, .blob = *blob };

	return orphans_add(&in->refs, &o);
}

static int
by_email(const void *x, const void *y)
{
	const struct orphan *a = x, *b = y;

	if (a->account != b->account)
		return a->account < b->account ? -1 : 1;
	return a->email < b->email ? -1 : a->email > b->email;
}

static int
take_in(const char *from, const char *scratch, struct intake *in, struct kv_files *files)
{
	struct kv_salvage s = { .record = take_record, .version = take_version, .ref = take_ref,
		.arg = in, .blobs_to = in->kv };
	int               r = kv_salvage(from, scratch, files, &s);

	if (r == 0)
		r = end_part(in);
	if (r == 0 && in->refs.n > 0)
		qsort(in->refs.o, in->refs.n, sizeof(*in->refs.o), by_email);
	return r;
}

/* --- all accounts --- */

static int
each_account(struct store *store, enum repair_jump jump, struct orphans *refs,
    struct store_repair *rep)
{
	account_id id = 0;
	int        r;

	for (; (r = kv_part_next(store->kv, KV_ACCOUNT, id, &id)) == 0; id++) {
		r = repair_account(store, id, jump, refs, rep);
		if (r == 0)
			r = repair_orphans(store, id, refs, rep);
		if (r == 0)
			r = device_repair(store, id, rep);
		if (r < 0)
			return r;
		rep->accounts++;
	}
	return r == E_NOT_FOUND ? 0 : r;
}

/* Damage outside of blob files may have taken records, and the knowledge of what was given out. */
struct watch_files {
	struct kv_files *files;
	void           (*damage)(void *arg, const struct kv_damage *);
	void            *arg;
	bool             records;
};

static void
note_damage(void *arg, const struct kv_damage *d)
{
	struct watch_files *w = arg;

	if (!str_ends(str_c(d->file), STR(".blob")))
		w->records = true;
	if (w->damage != NULL)
		w->damage(w->arg, d);
}

static void
note_note(void *arg, const char *file, const char *what)
{
	struct watch_files *w = arg;

	if (w->files->note != NULL)
		w->files->note(w->arg, file, what);
}

int
store_repair(const char *from, const char *scratch, struct kv *to, struct kv_files *files,
    struct store_repair *rep)
{
	struct watch_files w = { files, files->damage, files->arg, false };
	struct kv_files    inner = {
		.damage = note_damage, .note = note_note, .doubt = note_damage, .arg = &w
	};
	struct intake      in = { .kv = to };
	OWN(kv)            owned = to;
	OWN(store)         store = NULL;
	int                r;

	kv_batch_init(&in.batch);
	r = take_in(from, scratch, &in, &inner);
	kv_batch_done(&in.batch);
	files->n_damages = inner.n_damages;
	files->n_doubts = inner.n_doubts;
	files->n_files = inner.n_files;
	files->bytes = inner.bytes;
	if (r == 0)
		r = store_open(TAKE(owned), NULL, NULL, &store);
	if (r == 0)
		r = each_account(store, w.records ? JUMP_AHEAD : JUMP_NONE, &in.refs, rep);
	mem_free(in.refs.o);
	return r;
}

int
store_renew(struct kv *kv, struct store_repair *rep)
{
	struct orphans none = { 0 };
	OWN(store)     store = NULL;
	int            r = store_open(kv, NULL, NULL, &store);

	return r == 0 ? each_account(store, JUMP_RENEW, &none, rep) : r;
}

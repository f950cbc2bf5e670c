/* One account of a salvaged store is made to agree with itself. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "store/ingest.h"
#include "store/repair_rows.h"
#include "store/state.h"

enum {
	COMMIT_BYTES = 4 << 20,
	JUMP_UID = 1 << 20, JUMP_EMAIL = 1 << 20, JUMP_MAILBOX = 1000, JUMP_MODSEQ = 1 << 20,
	UID_ROOM = 1 << 24 /* below this many UIDs left a new UIDVALIDITY is better than a jump */
};

typedef unsigned long long ull;

struct box {
	mailbox_id            id;
	struct mailbox_record rec; /* counters are worked out; the name is `name` */
	struct name           name;
	bool                  is_new; /* its record is lost */
};

struct fix {
	struct store         *store;
	struct kv            *kv;
	account_id            id;
	struct store_repair  *rep;
	enum repair_jump      jump;
	uint64_t              version;
	uint64_t              modseq; /* of what is made anew */
	struct account_record rec;
	struct box           *boxes;
	size_t                n_boxes, cap_boxes;
	unsigned              n_keywords; /* that are needed */
	struct kv_batch       batch;
	struct buf            value, value2;
	struct orphans       *refs;
	bool                  log_bad;
};

static struct kv_part
part_of(const struct fix *f)
{
	return (struct kv_part){ KV_ACCOUNT, f->id };
}

static int
commit(struct fix *f)
{
	kv_ticket ticket;
	int       r = kv_commit(f->kv, part_of(f), f->version, f->version + 1, &f->batch, &ticket);

	kv_batch_reset(&f->batch);
	if (r == 0)
		f->version++;
	return r;
}

static int
commit_when_full(struct fix *f)
{
	return f->batch.ops.n >= COMMIT_BYTES ? commit(f) : 0;
}

static int
get(struct fix *f, struct key key, struct buf *to)
{
	buf_reset(to);
	return kv_get(f->kv, part_of(f), key_str(&key), to);
}

static void
put(struct fix *f, struct key key, const struct buf *value)
{
	if (value->err < 0 && f->batch.ops.err == 0)
		f->batch.ops.err = value->err;
	kv_put(&f->batch, key_str(&key), buf_view(value));
}

typedef int fix_row(struct fix *, struct str key, struct str value);

static int
each_row(struct fix *f, char kind, fix_row *fn)
{
	struct key   from = key_kind(kind), to = key_kind_end(kind);
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r = kv_scan(f->kv, part_of(f), key_str(&from), key_str(&to), false, &it);

	if (r < 0)
		return r;
	while ((r = kv_iter_next(it, &k, &v)) > 0) {
		r = fn(f, k, v);
		if (r == 0)
			r = commit_when_full(f);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : commit(f);
}

static int
drop_row(struct fix *f, struct str key, struct str value)
{
	(void)value;
	kv_del(&f->batch, key);
	f->rep->mended++;
	return 0;
}

/* --- mailboxes --- */

static struct box *
find_box(struct fix *f, mailbox_id id)
{
	for (size_t i = 0; i < f->n_boxes; i++)
		if (f->boxes[i].id == id)
			return &f->boxes[i];
	return NULL;
}

static struct box *
find_named(struct fix *f, struct str name)
{
	for (size_t i = 0; i < f->n_boxes; i++)
		if (!f->boxes[i].rec.dying && str_eq(name_str(&f->boxes[i].name), name))
			return &f->boxes[i];
	return NULL;
}

static uint32_t
new_uidvalidity(struct fix *f)
{
	uint32_t now = (uint32_t)(clock_real_ms() / 1000);

	f->rec.last_uidvalidity = now > f->rec.last_uidvalidity ? now : f->rec.last_uidvalidity + 1;
	return f->rec.last_uidvalidity;
}

static int
add_box(struct fix *f, mailbox_id id, const struct mailbox_record *rec, struct box **ret)
{
	struct box *b;

	if (f->n_boxes == f->cap_boxes) {
		size_t      cap = f->cap_boxes != 0 ? f->cap_boxes * 2 : 16;
		struct box *grown = mem_realloc(f->boxes, cap * sizeof(*grown));

		if (grown == NULL)
			return E_NOMEM;
		f->boxes = grown;
		f->cap_boxes = cap;
	}
	b = &f->boxes[f->n_boxes++];
	*b = (struct box){ .id = id, .rec = *rec };
	b->name.n = rec->name.n;
	memcpy(b->name.b, rec->name.p, rec->name.n);
	*ret = b;
	return 0;
}

static void
set_name(struct box *b, const char *name)
{
	b->name.n = strlen(name);
	memcpy(b->name.b, name, b->name.n);
	b->rec.dying = false;
}

static int
make_box(struct fix *f, mailbox_id id, const char *name, struct box **ret)
{
	struct mailbox_record rec = { .uidnext = 1, .recent_from = 1, .name = str_c(name) };
	int                   r = add_box(f, id, &rec, ret);

	if (r < 0)
		return r;
	(*ret)->is_new = true;
	if (id >= f->rec.next_mailbox)
		f->rec.next_mailbox = id + 1;
	f->rep->mended++;
	return 0;
}

/* A mailbox that has messages and no record. The first one was INBOX. */
static int
lost_box(struct fix *f, mailbox_id id, struct box **ret)
{
	char name[64];

	if (id == 1 && find_named(f, INBOX) == NULL)
		snprintf(name, sizeof(name), "INBOX");
	else
		snprintf(name, sizeof(name), "Recovered/%u", id);
	repair_say(f->rep, f->id, "the name of mailbox %u is lost: it is \"%s\" now", id, name);
	return make_box(f, id, name, ret);
}

static int
read_box(struct fix *f, struct str key, struct str value)
{
	struct mailbox_record rec;
	struct box           *b;
	mailbox_id            id;

	if (key_read_mailbox(key, &id) < 0 || mailbox_record_unpack(value, &rec) < 0 ||
	    rec.name.n > MAILBOX_NAME_MAX)
		return drop_row(f, key, value);
	if (id >= f->rec.next_mailbox)
		f->rec.next_mailbox = id + 1;
	if (rec.uidvalidity > f->rec.last_uidvalidity)
		f->rec.last_uidvalidity = rec.uidvalidity;
	rec.messages = rec.unseen = rec.deleted = rec.recent = 0;
	rec.size = 0;
	rec.dying = rec.name.n == 0;
	return add_box(f, id, &rec, &b);
}

/* --- messages --- */

static void
say_lost(struct fix *f, const struct message *m, mailbox_id box, const char *how)
{
	struct box         *b = find_box(f, box);
	struct facts_record facts = { 0 };
	struct str          envelope, date, subject;
	struct key          key = key_facts(box, m->uid);

	if (get(f, key, &f->value2) == 0)
		facts_record_unpack(buf_view(&f->value2), &facts);
	envelope = facts.facts.envelope;
	date = repair_envelope_next(&envelope);
	subject = repair_envelope_next(&envelope);
	repair_say(f->rep, f->id, "%s: mailbox %.*s, UID %u, %llu bytes, date \"%.*s\", subject "
	    "\"%.*s\"",
	    how, b != NULL ? (int)b->name.n : 0, b != NULL ? b->name.b : "", m->uid, (ull)m->size,
	    (int)(date.n < 60 ? date.n : 60), date.p != NULL ? date.p : "",
	    (int)(subject.n < 200 ? subject.n : 200), subject.p != NULL ? subject.p : "");
}

/* Reads the message again, as at its delivery. */
static int
make_facts(struct fix *f, const struct message *m, struct key key)
{
	OWN(ingest)        in = NULL;
	OWN_BUF struct buf bytes = BUF_INIT(KV_VALUE_MAX);
	int                r = ingest_new(f->store, UINT64_MAX, &in);

	if (r == 0)
		r = kv_blob_header(f->kv, &m->blob, &bytes);
	if (r == 0)
		r = ingest_write(in, buf_view(&bytes));
	for (uint64_t at = m->blob_header_n; r == 0 && at < m->size; at += KV_BLOB_PIECE) {
		size_t want = m->size - at < KV_BLOB_PIECE ? (size_t)(m->size - at) : KV_BLOB_PIECE;

		buf_reset(&bytes);
		r = kv_blob_body(f->kv, &m->blob, at - m->blob_header_n, want, &bytes);
		if (r == 0)
			r = ingest_write(in, buf_view(&bytes));
	}
	if (r == 0)
		r = ingest_end(in);
	if (r == 0)
		put(f, key, &in->facts);
	f->rep->mended++;
	return r;
}

static bool
facts_ok(struct fix *f, struct key key)
{
	struct facts_record rec;

	return get(f, key, &f->value2) == 0 &&
	    facts_record_unpack(buf_view(&f->value2), &rec) == 0;
}

static void
count_flags(struct fix *f, const struct flags *flags)
{
	for (unsigned i = f->n_keywords; i < KEYWORD_MAX; i++)
		if ((flags->keywords[i / 64] >> (i % 64) & 1) != 0)
			f->n_keywords = i + 1;
}

static void
count_message(struct fix *f, struct box *b, const struct message *m)
{
	unsigned state = flags_state(&m->flags);

	b->rec.messages++;
	b->rec.size += m->size;
	b->rec.unseen += (state & IS_UNSEEN) != 0;
	b->rec.deleted += (state & IS_DELETED) != 0;
	if (m->uid >= b->rec.uidnext)
		b->rec.uidnext = m->uid + 1;
	b->rec.recent += m->uid >= b->rec.recent_from;
	if (m->modseq > b->rec.highest_modseq)
		b->rec.highest_modseq = m->modseq;
	f->rec.usage.storage += m->size;
	f->rec.usage.count++;
	count_flags(f, &m->flags);
	if (m->email >= f->rec.next_email)
		f->rec.next_email = m->email + 1;
	if (m->thread >= f->rec.next_email)
		f->rec.next_email = m->thread + 1;
}

static void
put_place(struct fix *f, email_id email, const struct place_record *place)
{
	struct key key = key_place(email);

	buf_reset(&f->value2);
	place_record_pack(place, &f->value2);
	if (get(f, key, &f->value) == 0 && str_eq(buf_view(&f->value), buf_view(&f->value2)))
		return;
	f->rep->mended++;
	put(f, key, &f->value2);
}

static struct orphan *
find_orphan(struct fix *f, email_id email)
{
	for (size_t lo = 0, hi = f->refs->n; lo < hi;) {
		size_t         mid = lo + (hi - lo) / 2;
		struct orphan *o = &f->refs->o[mid];

		if (o->account == f->id && o->email == email)
			return o;
		if (o->account < f->id || (o->account == f->id && o->email < email))
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/* Its bytes are not whole. */
static void
lose(struct fix *f, const struct message *m, mailbox_id box, bool header)
{
	struct orphan *o = find_orphan(f, m->email);

	say_lost(f, m, box, header && o != NULL ? "body lost, header kept with a notice" : "lost");
	f->rep->lost++;
	if (o == NULL) {
		struct key place = key_place(m->email);

		kv_del(&f->batch, key_str(&place));
		return;
	}
	o->is_over = !header;
	o->is_notice = true;
	o->mailbox = box;
	o->m = *m;
}

static int
fix_message(struct fix *f, struct str key, struct str value)
{
	struct message m;
	mailbox_id     id;
	uint32_t       uid;
	struct box    *b;
	bool           whole, header;
	int            r;

	if (key_read_uid(key, 'm', &id, &uid) < 0 || message_record_unpack(value, uid, &m) < 0)
		return drop_row(f, key, value);
	r = repair_read_whole(f->store, &m, &whole, &header);
	b = find_box(f, id);
	if (r == 0 && b == NULL && id != 0)
		r = lost_box(f, id, &b);
	if (r < 0)
		return r;
	if (!whole || id == 0) {
		lose(f, &m, id, header && m.blob_header_n > 0);
		kv_del(&f->batch, key);
		/* Its UID was used. */
		if (b != NULL && uid >= b->rec.uidnext)
			b->rec.uidnext = uid + 1;
		return 0;
	}
	b->rec.no_select = false;
	count_message(f, b, &m);
	if (!facts_ok(f, key_facts(id, uid)))
		r = make_facts(f, &m, key_facts(id, uid));
	put_place(f, m.email, &(struct place_record){ .mailbox = id, .uid = uid });
	kv_ref(&f->batch, &m.blob, f->id, m.email);
	f->rep->messages++;
	return r;
}

static int
fix_expunged(struct fix *f, struct str key, struct str value)
{
	struct expunged_record rec;
	struct facts_record    facts;
	struct message         m;
	int64_t                when_ms;
	email_id               email;
	bool                   whole = false, header;
	int                    r = 0;

	if (key_read_expunged(key, &when_ms, &email) < 0 ||
	    expunged_record_unpack(value, &rec) < 0 ||
	    message_record_unpack(rec.message, rec.uid, &m) < 0 || m.email != email ||
	    facts_record_unpack(rec.facts, &facts) < 0)
		return drop_row(f, key, value);
	r = repair_read_whole(f->store, &m, &whole, &header);
	if (r < 0)
		return r;
	if (!whole) {
		repair_say(f->rep, f->id, "lost: an expunged message of %llu bytes", (ull)m.size);
		return drop_row(f, key, value);
	}
	count_flags(f, &m.flags);
	if (email >= f->rec.next_email || m.thread >= f->rec.next_email)
		f->rec.next_email = (email > m.thread ? email : m.thread) + 1;
	put_place(f, email, &(struct place_record){ .expunged = true, .when_ms = when_ms });
	kv_ref(&f->batch, &m.blob, f->id, email);
	return 0;
}

static int
fix_facts(struct fix *f, struct str key, struct str value)
{
	mailbox_id id;
	uint32_t   uid;
	int        r;

	if (key_read_uid(key, 'f', &id, &uid) < 0)
		return drop_row(f, key, value);
	r = get(f, key_message(id, uid), &f->value);
	return r == E_NOT_FOUND ? drop_row(f, key, value) : r;
}

/* 1: the place is that of a message or an expunged one, 0: it is not. */
static int
place_ok(struct fix *f, email_id email, const struct place_record *p)
{
	struct message m;
	int            r = get(f, p->expunged ? key_expunged(p->when_ms, email)
	                                      : key_message(p->mailbox, p->uid), &f->value2);

	if (r < 0)
		return r == E_NOT_FOUND ? 0 : r;
	return p->expunged || (message_record_unpack(buf_view(&f->value2), p->uid, &m) == 0 &&
	    m.email == email);
}

static int
fix_place(struct fix *f, struct str key, struct str value)
{
	struct place_record p;
	struct orphan      *o;
	email_id            email;
	int                 r;

	if (key_read_place(key, &email) < 0)
		return drop_row(f, key, value);
	if (email >= f->rec.next_email)
		f->rec.next_email = email + 1;
	if (place_record_unpack(value, &p) < 0)
		return drop_row(f, key, value);
	r = place_ok(f, email, &p);
	if (r != 0)
		return r < 0 ? r : 0;
	o = find_orphan(f, email);
	if (!p.expunged) {
		struct box *b = find_box(f, p.mailbox);

		/* Its UID was used, too. */
		if (b != NULL && p.uid >= b->rec.uidnext)
			b->rec.uidnext = p.uid + 1;
		if (o != NULL) {
			o->mailbox = p.mailbox;
		} else {
			say_lost(f, &(struct message){ .uid = p.uid }, p.mailbox,
			    "lost: neither its record nor its reference is left");
			f->rep->lost++;
		}
	} else if (o != NULL && !o->is_notice) {
		o->is_over = true; /* it was expunged: it does not come back */
	}
	return drop_row(f, key, value);
}

/* References without a place: their messages' records are lost. */
static int
mark_orphans(struct fix *f)
{
	for (size_t i = 0; i < f->refs->n; i++) {
		struct orphan *o = &f->refs->o[i];
		int            r;

		if (o->account != f->id)
			continue;
		if (o->email >= f->rec.next_email)
			f->rec.next_email = o->email + 1;
		r = get(f, key_place(o->email), &f->value);
		if (r < 0 && r != E_NOT_FOUND)
			return r;
		o->is_lost = r == E_NOT_FOUND;
	}
	return 0;
}

/* --- the rest --- */

static int
fix_thread(struct fix *f, struct str key, struct str value)
{
	struct thread_record rec;
	struct msgid_hash    hash;
	int                  r;

	if (key_read_thread(key, &hash) < 0 || thread_record_unpack(value, &rec) < 0)
		return drop_row(f, key, value);
	r = get(f, key_place(rec.email), &f->value);
	if (r < 0)
		return r == E_NOT_FOUND ? drop_row(f, key, value) : r;
	if (rec.thread >= f->rec.next_email)
		f->rec.next_email = rec.thread + 1;
	return 0;
}

static int
fix_log(struct fix *f, struct str key, struct str value)
{
	struct log_record rec;
	struct change     change;
	uint64_t          modseq;
	int               r = key_read_log(key, &modseq);

	if (r == 0)
		r = log_record_unpack(value, &rec);
	while (r == 0 && (r = log_item_next(&rec, &change)) > 0)
		r = 0;
	if (r < 0)
		f->log_bad = true;
	return r < 0 || modseq <= f->rec.log_floor ? drop_row(f, key, value) : 0;
}

static int
drop_log(struct fix *f, struct str key, struct str value)
{
	(void)value;
	kv_del(&f->batch, key);
	return 0;
}

static int
fix_subscription(struct fix *f, struct str key, struct str value)
{
	struct str  name;
	struct name again;

	if (key_read_subscription(key, &name) < 0 || name_read(name, &again) < 0)
		return drop_row(f, key, value);
	return 0;
}

static int
count_keyword(struct fix *f, struct str key, struct str value)
{
	unsigned number;

	if (key_read_keyword(key, &number) < 0 || value.n == 0 || value.n > KEYWORD_NAME_MAX)
		return drop_row(f, key, value);
	f->n_keywords = number >= f->n_keywords ? number + 1 : f->n_keywords;
	return 0;
}

/* Numbers are given out without gaps: a name that is lost gets another. */
static int
fix_keywords(struct fix *f)
{
	int r = each_row(f, 'k', count_keyword);

	for (unsigned i = 0; r == 0 && i < f->n_keywords; i++) {
		r = get(f, key_keyword(i), &f->value);
		if (r != E_NOT_FOUND)
			continue;
		buf_reset(&f->value);
		buf_printf(&f->value, "Lost-keyword-%u", i);
		put(f, key_keyword(i), &f->value);
		repair_say(f->rep, f->id, "the name of keyword %u is lost: it is Lost-keyword-%u "
		    "now", i,
		    i);
		f->rep->mended++;
		r = 0;
	}
	return r;
}

/* --- names, counters --- */

static int
fix_parents(struct fix *f)
{
	for (size_t i = 0; i < f->n_boxes; i++) { /* what is added is looked at, too */
		struct str  parent = name_parent(name_str(&f->boxes[i].name));
		char        name[MAILBOX_NAME_MAX + 1];
		struct box *made;

		if (f->boxes[i].rec.dying || parent.n == 0 || find_named(f, parent) != NULL)
			continue;
		snprintf(name, sizeof(name), "%.*s", STR_ARG(parent));
		if (make_box(f, f->rec.next_mailbox, name, &made) < 0)
			return E_NOMEM;
	}
	return 0;
}

static int
fix_names(struct fix *f)
{
	struct box *made;

	for (size_t i = 0; i < f->n_boxes; i++) {
		struct box *b = &f->boxes[i];
		struct name again;
		char        name[64];

		if (b->rec.dying)
			continue;
		if (name_read(name_str(&b->name), &again) == 0 &&
		    str_eq(name_str(&again), name_str(&b->name)) &&
		    find_named(f, name_str(&b->name)) == b)
			continue;
		snprintf(name, sizeof(name), "Recovered/%u", b->id);
		set_name(b, name);
		f->rep->mended++;
	}
	if (find_named(f, INBOX) == NULL && make_box(f, f->rec.next_mailbox, "INBOX", &made) < 0)
		return E_NOMEM;
	return fix_parents(f);
}

static void
put_boxes(struct fix *f)
{
	f->rec.n_dying = 0;
	for (size_t i = 0; i < f->n_boxes; i++) {
		struct box *b = &f->boxes[i];

		if (f->jump == JUMP_AHEAD && !b->is_new &&
		    UINT32_MAX - b->rec.uidnext > UID_ROOM)
			b->rec.uidnext += JUMP_UID;
		else if (f->jump != JUMP_NONE || b->is_new)
			b->rec.uidvalidity = new_uidvalidity(f);
		if (b->rec.recent_from > b->rec.uidnext)
			b->rec.recent_from = b->rec.uidnext;
		if (f->jump != JUMP_NONE || b->is_new || b->rec.highest_modseq > f->modseq)
			b->rec.highest_modseq = f->modseq;
		b->rec.name = name_str(&b->name);
		if (b->rec.dying)
			b->rec.name = STR_NONE;
		f->rec.n_dying += b->rec.dying;
		buf_reset(&f->value);
		mailbox_record_pack(&b->rec, &f->value);
		put(f, key_mailbox(b->id), &f->value);
	}
}

static int
finish(struct fix *f)
{
	kv_ticket ticket;
	int       r = f->jump != JUMP_NONE || f->log_bad ? each_row(f, 'c', drop_log) : 0;

	if (r < 0)
		return r;
	f->modseq = f->version + 1 + (f->jump != JUMP_NONE ? JUMP_MODSEQ : 0);
	if (f->jump != JUMP_NONE || f->log_bad)
		f->rec.log_floor = f->modseq;
	if (f->jump != JUMP_NONE) {
		f->rec.next_email += JUMP_EMAIL;
		f->rec.next_mailbox += JUMP_MAILBOX;
	}
	put_boxes(f);
	buf_reset(&f->value);
	account_record_pack(&f->rec, &f->value);
	put(f, key_account(), &f->value);
	r = kv_commit(f->kv, part_of(f), f->version, f->modseq, &f->batch, &ticket);
	kv_batch_reset(&f->batch);
	return r;
}

/* --- the account --- */

static int
read_account(struct fix *f)
{
	int r = get(f, key_account(), &f->value);

	if (r == 0)
		r = account_record_unpack(buf_view(&f->value), &f->rec);
	if (r == E_NOT_FOUND || r == E_CORRUPT || r == E_FORMAT_NEWER) {
		repair_say(f->rep, f->id, "its own record is lost: it has no quota now");
		f->rec = (struct account_record){ .state = ACCOUNT_LIVE, .next_mailbox = 1,
			.next_email = 1 };
		if (f->jump == JUMP_NONE)
			f->jump = JUMP_AHEAD;
		r = 0;
	}
	f->rec.usage = (struct quota_usage){ 0 };
	return r;
}

/* Rows that a removed account left, or whose deletion is lost. */
static int
empty_account(struct fix *f)
{
	static const char KINDS[] = "SUbcdefhkmoqtx";
	int               r = 0;

	for (const char *k = KINDS; r == 0 && *k != '\0'; k++)
		r = each_row(f, *k, drop_log);
	for (size_t i = 0; i < f->refs->n; i++)
		if (f->refs->o[i].account == f->id)
			f->refs->o[i].is_lost = false;
	return r;
}

static int
fix_all(struct fix *f)
{
	static const struct {
		char     kind;
		fix_row *fn;
	} KINDS[] = {
		{ 'b', read_box }, { 'm', fix_message }, { 'x', fix_expunged }, { 'e', fix_place },
		{ 'f', fix_facts }, { 't', fix_thread }, { 'c', fix_log }, { 'S',
		    fix_subscription },
	};
	int r = kv_version(f->kv, part_of(f), &f->version);

	if (r == 0)
		r = read_account(f);
	if (r < 0)
		return r;
	if (f->rec.state != ACCOUNT_LIVE)
		return empty_account(f);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(KINDS); i++)
		r = each_row(f, KINDS[i].kind, KINDS[i].fn);
	if (r == 0)
		r = mark_orphans(f);
	if (r == 0)
		r = fix_keywords(f);
	if (r == 0)
		r = fix_names(f);
	return r == 0 ? finish(f) : r;
}

int
repair_account(struct store *store, account_id id, enum repair_jump jump, struct orphans *refs,
    struct store_repair *rep)
{
	struct fix f = { .store = store, .kv = store->kv, .id = id, .jump = jump, .refs = refs,
		.rep = rep, .value = BUF_INIT(KV_VALUE_MAX), .value2 = BUF_INIT(KV_VALUE_MAX) };
	int        r;

	kv_batch_init(&f.batch);
	r = fix_all(&f);
	kv_batch_done(&f.batch);
	buf_done(&f.value);
	buf_done(&f.value2);
	mem_free(f.boxes);
	return r;
}

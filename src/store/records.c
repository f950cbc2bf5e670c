#include "store/records.h"

#include "base/error.h"
#include "base/pack.h"

enum { VERSION = 1, FACTS_VERSION = 3 };
enum { MAILBOX_NO_SELECT = 1, MAILBOX_DYING = 2 };
enum { PLACE_LIVE = 1, PLACE_EXPUNGED = 2 };

int
record_open(struct str value, uint8_t newest, struct unpack *ret)
{
	struct unpack u = unpack_of(value);
	uint8_t       version = unpack_u8(&u);

	if (version > newest)
		return E_FORMAT_NEWER;
	if (version == 0)
		return E_CORRUPT;
	*ret = u;
	return version;
}

static int
open_record(struct str value, struct unpack *ret)
{
	int r = record_open(value, VERSION, ret);

	return r < 0 ? r : 0;
}

/* Numbers that are 32 bits wide here; a larger one makes the record bad. */
static uint32_t
unpack_var32(struct unpack *u)
{
	uint64_t v = unpack_var(u);

	if (v > UINT32_MAX)
		u->bad = true;
	return (uint32_t)v;
}

void
account_record_pack(const struct account_record *rec, struct buf *to)
{
	pack_u8(to, VERSION);
	pack_u8(to, (uint8_t)rec->state);
	pack_var(to, rec->next_mailbox);
	pack_var(to, rec->next_email);
	pack_u32(to, rec->last_uidvalidity);
	pack_var(to, rec->quota.storage_max);
	pack_var(to, rec->quota.count_max);
	pack_var(to, rec->usage.storage);
	pack_var(to, rec->usage.count);
	pack_var(to, rec->log_floor);
	pack_var(to, rec->n_dying);
}

int
account_record_unpack(struct str value, struct account_record *ret)
{
	struct account_record rec = { 0 };
	struct unpack         u;
	int                   r = open_record(value, &u);

	if (r < 0)
		return r;
	rec.state = unpack_u8(&u);
	rec.next_mailbox = unpack_var32(&u);
	rec.next_email = unpack_var(&u);
	rec.last_uidvalidity = unpack_u32(&u);
	rec.quota.storage_max = unpack_var(&u);
	rec.quota.count_max = unpack_var(&u);
	rec.usage.storage = unpack_var(&u);
	rec.usage.count = unpack_var(&u);
	rec.log_floor = unpack_var(&u);
	rec.n_dying = unpack_var32(&u);
	if (!unpack_ok(&u) || rec.state < ACCOUNT_LIVE || rec.state > ACCOUNT_REMOVED)
		return E_CORRUPT;
	*ret = rec;
	return 0;
}

void
mailbox_record_pack(const struct mailbox_record *rec, struct buf *to)
{
	pack_u8(to, VERSION);
	pack_u8(to, (uint8_t)((rec->no_select ? MAILBOX_NO_SELECT : 0) |
	    (rec->dying ? MAILBOX_DYING : 0)));
	pack_u8(to, (uint8_t)rec->special_use);
	pack_u32(to, rec->uidvalidity);
	pack_u32(to, rec->uidnext);
	pack_var(to, rec->messages);
	pack_var(to, rec->unseen);
	pack_var(to, rec->deleted);
	pack_var(to, rec->recent);
	pack_var(to, rec->recent_from);
	pack_var(to, rec->size);
	pack_var(to, rec->highest_modseq);
	pack_str(to, rec->name);
}

int
mailbox_record_unpack(struct str value, struct mailbox_record *ret)
{
	struct mailbox_record rec = { 0 };
	struct unpack         u;
	uint8_t               bits;
	int                   r = open_record(value, &u);

	if (r < 0)
		return r;
	bits = unpack_u8(&u);
	rec.no_select = (bits & MAILBOX_NO_SELECT) != 0;
	rec.dying = (bits & MAILBOX_DYING) != 0;
	rec.special_use = unpack_u8(&u);
	rec.uidvalidity = unpack_u32(&u);
	rec.uidnext = unpack_u32(&u);
	rec.messages = unpack_var32(&u);
	rec.unseen = unpack_var32(&u);
	rec.deleted = unpack_var32(&u);
	rec.recent = unpack_var32(&u);
	rec.recent_from = unpack_var32(&u);
	rec.size = unpack_var(&u);
	rec.highest_modseq = unpack_var(&u);
	rec.name = unpack_str(&u);
	if (!unpack_ok(&u) || rec.name.n > MAILBOX_NAME_MAX)
		return E_CORRUPT;
	*ret = rec;
	return 0;
}

static void
pack_keywords(const struct flags *flags, struct buf *to)
{
	unsigned char bits[KEYWORD_MAX / 8];
	size_t        n = 0;

	for (size_t i = 0; i < sizeof(bits); i++) {
		bits[i] = (unsigned char)(flags->keywords[i / 8] >> (i % 8 * 8));
		if (bits[i] != 0)
			n = i + 1;
	}
	pack_str(to, str_of((const char *)bits, n));
}

static void
unpack_keywords(struct unpack *u, struct flags *flags)
{
	struct str bits = unpack_str(u);

	if (bits.n > KEYWORD_MAX / 8) {
		u->bad = true;
		return;
	}
	for (size_t i = 0; i < bits.n; i++)
		flags->keywords[i / 8] |= (uint64_t)(unsigned char)bits.p[i] << (i % 8 * 8);
}

void
message_record_pack(const struct message *m, struct buf *to)
{
	pack_u8(to, VERSION);
	pack_u8(to, (uint8_t)m->flags.system);
	pack_var(to, m->modseq);
	pack_keywords(&m->flags, to);
	pack_u64(to, (uint64_t)m->internal_ms);
	pack_u16(to, (uint16_t)m->internal_zone_min);
	pack_u64(to, (uint64_t)m->save_ms);
	pack_var(to, m->email);
	pack_var(to, m->thread);
	buf_put(to, m->blob.b, sizeof(m->blob.b));
	pack_var(to, m->size);
	pack_var(to, m->header_n);
	pack_var(to, m->blob_header_n);
	if (m->wire_more != 0)
		pack_var(to, m->wire_more);
}

int
message_record_unpack(struct str value, uint32_t uid, struct message *ret)
{
	struct message m = { .uid = uid };
	struct unpack  u;
	struct str     blob;
	int            r = open_record(value, &u);

	if (r < 0)
		return r;
	m.flags.system = unpack_u8(&u);
	m.modseq = unpack_var(&u);
	unpack_keywords(&u, &m.flags);
	m.internal_ms = (int64_t)unpack_u64(&u);
	m.internal_zone_min = (int16_t)unpack_u16(&u);
	m.save_ms = (int64_t)unpack_u64(&u);
	m.email = unpack_var(&u);
	m.thread = unpack_var(&u);
	blob = unpack_bytes(&u, sizeof(m.blob.b));
	m.size = unpack_var(&u);
	m.header_n = unpack_var(&u);
	m.blob_header_n = unpack_var32(&u);
	if (u.left.n != 0)
		m.wire_more = unpack_var32(&u);
	if (!unpack_ok(&u) || m.header_n > m.size || m.blob_header_n > m.size)
		return E_CORRUPT;
	memcpy(m.blob.b, blob.p, sizeof(m.blob.b));
	*ret = m;
	return 0;
}

void
facts_record_pack(const struct facts_record *rec, struct buf *to)
{
	const struct message_facts *f = &rec->facts;
	const struct str            slices[] = {
		f->fields, f->envelope, f->body, f->body_structure, f->parts
	};

	pack_u8(to, FACTS_VERSION);
	pack_str(to, rec->has_msgid ? str_of((const char *)rec->msgid.b, sizeof(rec->msgid.b))
	                            : STR_NONE);
	for (size_t i = 0; i < ARRAY_LEN(slices); i++)
		pack_var(to, slices[i].n);
	for (size_t i = 0; i < ARRAY_LEN(slices); i++)
		buf_str(to, slices[i]);
}

/* Where the slices of a version stand: version 1 has no fields. */
enum { FACTS_SLICES = 5 };
static const size_t FACTS_ORDER[FACTS_VERSION][FACTS_SLICES] = {
#define SLICE(name) offsetof(struct message_facts, name)
	{ SLICE(envelope), SLICE(body), SLICE(body_structure), SLICE(parts) },
	{ SLICE(envelope), SLICE(body), SLICE(body_structure), SLICE(parts), SLICE(fields) },
	{ SLICE(fields), SLICE(envelope), SLICE(body), SLICE(body_structure), SLICE(parts) },
#undef SLICE
};

int
facts_record_unpack(struct str value, struct facts_record *ret)
{
	struct message_facts f = { 0 };
	struct str          *slices[FACTS_SLICES];
	struct unpack        u;
	struct str           hash;
	int                  version = record_open(value, FACTS_VERSION, &u);
	const size_t         n = version == 1 ? FACTS_SLICES - 1 : FACTS_SLICES;

	if (version < 0)
		return version;
	hash = unpack_str(&u);
	for (size_t i = 0; i < n; i++) {
		slices[i] = (struct str *)((char *)&f + FACTS_ORDER[version - 1][i]);
		if (version != 1)
			slices[i]->n = (size_t)unpack_var(&u);
	}
	for (size_t i = 0; i < n; i++)
		*slices[i] = version == 1 ? unpack_str(&u) : unpack_bytes(&u, slices[i]->n);
	if (!unpack_ok(&u) || (hash.n != 0 && hash.n != sizeof(ret->msgid.b)))
		return E_CORRUPT;
	ret->has_msgid = hash.n != 0;
	ret->msgid = (struct msgid_hash){ { 0 } };
	if (hash.n != 0)
		memcpy(ret->msgid.b, hash.p, sizeof(ret->msgid.b));
	ret->facts = f;
	return 0;
}

void
place_record_pack(const struct place_record *rec, struct buf *to)
{
	pack_u8(to, VERSION);
	pack_u8(to, rec->expunged ? PLACE_EXPUNGED : PLACE_LIVE);
	if (rec->expunged) {
		pack_u64(to, (uint64_t)rec->when_ms);
	} else {
		pack_var(to, rec->mailbox);
		pack_var(to, rec->uid);
	}
}

int
place_record_unpack(struct str value, struct place_record *ret)
{
	struct place_record rec = { 0 };
	struct unpack       u;
	uint8_t             state;
	int                 r = open_record(value, &u);

	if (r < 0)
		return r;
	state = unpack_u8(&u);
	rec.expunged = state == PLACE_EXPUNGED;
	if (rec.expunged) {
		rec.when_ms = (int64_t)unpack_u64(&u);
	} else {
		rec.mailbox = unpack_var32(&u);
		rec.uid = unpack_var32(&u);
	}
	if (!unpack_ok(&u) || state < PLACE_LIVE || state > PLACE_EXPUNGED)
		return E_CORRUPT;
	*ret = rec;
	return 0;
}

void
thread_record_pack(const struct thread_record *rec, struct buf *to)
{
	pack_u8(to, VERSION);
	pack_var(to, rec->thread);
	pack_var(to, rec->email);
}

int
thread_record_unpack(struct str value, struct thread_record *ret)
{
	struct thread_record rec = { 0 };
	struct unpack        u;
	int                  r = open_record(value, &u);

	if (r < 0)
		return r;
	rec.thread = unpack_var(&u);
	rec.email = unpack_var(&u);
	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret = rec;
	return 0;
}

void
expunged_record_pack(const struct expunged_record *rec, struct buf *to)
{
	pack_u8(to, VERSION);
	pack_var(to, rec->mailbox);
	pack_var(to, rec->uid);
	pack_u8(to, (uint8_t)rec->protocol);
	pack_str(to, rec->peer);
	pack_str(to, rec->login);
	pack_str(to, rec->message);
	pack_str(to, rec->facts);
}

int
expunged_record_unpack(struct str value, struct expunged_record *ret)
{
	struct expunged_record rec = { 0 };
	struct unpack          u;
	int                    r = open_record(value, &u);

	if (r < 0)
		return r;
	rec.mailbox = unpack_var32(&u);
	rec.uid = unpack_var32(&u);
	rec.protocol = unpack_u8(&u);
	rec.peer = unpack_str(&u);
	rec.login = unpack_str(&u);
	rec.message = unpack_str(&u);
	rec.facts = unpack_str(&u);
	if (!unpack_ok(&u))
		return E_CORRUPT;
	*ret = rec;
	return 0;
}

void
log_record_pack(const struct log_record *rec, struct buf *to)
{
	pack_u8(to, LOG_VERSION);
	pack_u64(to, (uint64_t)rec->when_ms);
	pack_u8(to, (uint8_t)rec->protocol);
	pack_var(to, rec->session);
	pack_str(to, rec->peer);
	pack_str(to, rec->login);
	pack_str(to, rec->device);
	buf_str(to, rec->items);
}

int
log_record_unpack(struct str value, struct log_record *ret)
{
	struct log_record rec = { 0 };
	struct unpack     u;
	int               version = record_open(value, LOG_VERSION, &u);

	if (version < 0)
		return version;
	rec.version = (unsigned)version;
	rec.when_ms = (int64_t)unpack_u64(&u);
	rec.protocol = unpack_u8(&u);
	rec.session = unpack_var(&u);
	rec.peer = unpack_str(&u);
	rec.login = unpack_str(&u);
	if (version != 1)
		rec.device = unpack_str(&u);
	if (!unpack_ok(&u))
		return E_CORRUPT;
	rec.items = u.left;
	*ret = rec;
	return 0;
}

void
log_item_pack(const struct change *c, struct buf *to)
{
	pack_u8(to, (uint8_t)(c->kind | c->way << 4));
	pack_var(to, c->mailbox);
	pack_var(to, c->uid_lo);
	pack_var(to, c->n - 1);
	pack_var(to, c->email);
	if (c->kind != CHANGE_FLAGS)
		return;
	pack_u8(to, (uint8_t)c->set);
	pack_u8(to, (uint8_t)c->cleared);
}

/* What version 1 does not have. */
static void
unpack_item_rest(struct unpack *u, struct change *c)
{
	c->way = c->kind >> 4;
	c->kind &= 15;
	c->email = unpack_var(u);
	if (c->kind != CHANGE_FLAGS)
		return;
	c->set = unpack_u8(u);
	c->cleared = unpack_u8(u);
}

int
log_item_next(struct log_record *rec, struct change *ret)
{
	struct unpack u = unpack_of(rec->items);
	struct change c = { 0 };

	if (rec->items.n == 0)
		return 0;
	c.kind = unpack_u8(&u);
	c.mailbox = unpack_var32(&u);
	c.uid_lo = unpack_var32(&u);
	c.n = unpack_var32(&u) + 1;
	c.uid_hi = c.uid_lo != 0 ? c.uid_lo + (c.n - 1) : 0;
	if (rec->version != 1)
		unpack_item_rest(&u, &c);
	if (!unpack_ok(&u) || c.kind < CHANGE_APPEND || c.kind > CHANGE_PURGED ||
	    c.way > CHANGE_BY_RESTORE || c.n == 0 || c.uid_hi < c.uid_lo)
		return E_CORRUPT;
	rec->items = u.left;
	*ret = c;
	return 1;
}

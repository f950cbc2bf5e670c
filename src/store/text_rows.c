#include "store/text_rows.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/pack.h"
#include "codec/lz.h"

enum { BIT_DATE = 1, BIT_LARGE = 2 };

struct kv_part
text_part(account_id id)
{
	return (struct kv_part){ KV_TEXT, id };
}

struct key
key_text_state(void)
{
	return key_kind('a');
}

static struct key
numbered(char kind, uint64_t v)
{
	struct key k = key_kind(kind);

	for (int shift = 56; shift >= 0; shift -= 8)
		k.b[k.n++] = (char)(v >> shift);
	return k;
}

struct key
key_text_chunk(uint64_t chunk)
{
	return numbered('c', chunk);
}

struct key
key_text_page(uint64_t page)
{
	return numbered('d', page);
}

int
key_read_text(struct str key, char kind, uint64_t *ret)
{
	struct unpack u = unpack_of(key);
	bool          is_kind = unpack_u8(&u) == (uint8_t)kind;
	uint64_t      v = unpack_be64(&u);

	if (!is_kind || !unpack_ok(&u) || u.left.n != 0)
		return E_CORRUPT;
	*ret = v;
	return 0;
}

/* The half that was drawn. */
uint64_t
text_mark(const struct message *m)
{
	uint64_t v;

	_Static_assert(sizeof(m->blob.b) == 16, "a blob's id has two halves");
	memcpy(&v, m->blob.b + 8, sizeof(v));
	return v;
}

/* --- chunks --- */

int
text_chunk_init(struct text_chunk *c)
{
	*c = (struct text_chunk){ .plain = BUF_INIT(TEXT_PLAIN_MAX + 1) };
	c->entries = mem_alloc(TEXT_CHUNK_MESSAGES * sizeof(*c->entries));
	return c->entries != NULL ? 0 : E_NOMEM;
}

void
text_chunk_done(struct text_chunk *c)
{
	mem_free(c->entries);
	buf_done(&c->plain);
}

void
text_chunk_reset(struct text_chunk *c)
{
	c->n = c->hint = 0;
	buf_reset(&c->plain);
}

struct str
text_entry_text(const struct text_chunk *c, const struct text_entry *e)
{
	return e->n == 0 ? STR_NONE : str_of(c->plain.p + e->at, e->n);
}

int
text_chunk_add(struct text_chunk *c, const struct text_entry *entry, struct str folded)
{
	struct text_entry *e = &c->entries[c->n];

	if (c->n == TEXT_CHUNK_MESSAGES || folded.n > TEXT_PLAIN_MAX - c->plain.n)
		return E_LIMIT;
	buf_str(&c->plain, folded);
	if (c->plain.err < 0)
		return c->plain.err;
	*e = *entry;
	e->n = folded.n;
	e->at = c->plain.n - folded.n;
	c->n++;
	return 0;
}

static void
pack_entry(const struct text_entry *e, struct buf *to)
{
	pack_var(to, e->email);
	pack_u64(to, e->mark);
	pack_u8(to, (uint8_t)((e->date.is_there ? BIT_DATE : 0) | (e->is_large ? BIT_LARGE : 0)));
	if (e->date.is_there)
		pack_u32(to, (uint32_t)e->date.day);
	pack_var(to, e->top_n);
	pack_var(to, e->head_n);
	pack_var(to, e->n);
}

int
text_chunk_pack(const struct text_chunk *c, struct buf *to)
{
	int r;

	pack_u8(to, TEXT_VERSION);
	pack_var(to, c->n);
	for (size_t i = 0; i < c->n; i++)
		pack_entry(&c->entries[i], to);
	pack_var(to, c->plain.n);
	r = lz_pack(buf_view(&c->plain), to);
	return r < 0 ? r : to->err;
}

static struct text_entry
unpack_entry(struct unpack *u)
{
	struct text_entry e = { .email = unpack_var(u), .mark = unpack_u64(u) };
	uint8_t           bits = unpack_u8(u);

	e.is_large = (bits & BIT_LARGE) != 0;
	e.date.is_there = (bits & BIT_DATE) != 0;
	if (e.date.is_there)
		e.date.day = (int32_t)unpack_u32(u);
	e.top_n = unpack_var(u);
	e.head_n = unpack_var(u);
	e.n = unpack_var(u);
	return e;
}

static int
unpack_entries(struct unpack *u, struct text_chunk *c, size_t *ret_bytes)
{
	uint64_t n = unpack_var(u);
	size_t   at = 0;

	if (n > TEXT_CHUNK_MESSAGES)
		return E_CORRUPT;
	for (; c->n < n; c->n++) {
		struct text_entry *e = &c->entries[c->n];

		*e = unpack_entry(u);
		e->at = at;
		if (!unpack_ok(u) || e->top_n > e->head_n || e->head_n > e->n ||
		    e->n > TEXT_PLAIN_MAX - at)
			return E_CORRUPT;
		at += e->n;
	}
	*ret_bytes = at;
	return 0;
}

int
text_chunk_unpack(struct str value, bool entries_only, struct text_chunk *c)
{
	struct unpack u = unpack_of(value);
	size_t        bytes = 0;
	int           r = unpack_u8(&u) == TEXT_VERSION ? 0 : E_CORRUPT;

	text_chunk_reset(c);
	if (r == 0)
		r = unpack_entries(&u, c, &bytes);
	if (r == 0 && (unpack_var(&u) != bytes || !unpack_ok(&u)))
		r = E_CORRUPT;
	if (r == 0 && !entries_only)
		r = lz_unpack(u.left, bytes, &c->plain);
	if (r < 0)
		text_chunk_reset(c);
	return r;
}

const struct text_entry *
text_chunk_find(struct text_chunk *c, email_id email)
{
	for (size_t i = 0; i < c->n; i++) {
		size_t at = (c->hint + i) % c->n;

		if (c->entries[at].email == email) {
			c->hint = at + 1;
			return &c->entries[at];
		}
	}
	return NULL;
}

/* --- pages --- */

void
text_page_pack(const struct text_page *p, struct buf *to)
{
	pack_u8(to, TEXT_VERSION);
	for (size_t i = 0, n; i < TEXT_PAGE; i += n) {
		for (n = 1; i + n < TEXT_PAGE && p->chunk[i + n] == p->chunk[i]; n++)
			;
		pack_var(to, n);
		pack_var(to, p->chunk[i]);
	}
}

int
text_page_unpack(struct str value, struct text_page *ret)
{
	struct unpack    u = unpack_of(value);
	struct text_page p;
	size_t           at = 0;

	if (unpack_u8(&u) != TEXT_VERSION)
		return E_CORRUPT;
	while (at < TEXT_PAGE) {
		uint64_t n = unpack_var(&u), chunk = unpack_var(&u);

		if (!unpack_ok(&u) || n == 0 || n > TEXT_PAGE - at)
			return E_CORRUPT;
		for (; n > 0; n--)
			p.chunk[at++] = chunk;
	}
	*ret = p;
	return 0;
}

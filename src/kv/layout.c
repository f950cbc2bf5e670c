#include "kv/layout.h"

#include "base/error.h"

enum { VERSION = 0, BLOB_ROWS = 0xF0, BLOB_PARTS = 0xF1 };

static void
put(struct layout_key *k, const void *p, size_t n)
{
	if (n != 0)
		memcpy(k->b + k->n, p, n);
	k->n += n;
}

static void
put_byte(struct layout_key *k, unsigned char c)
{
	k->b[k->n++] = (char)c;
}

static void
put_be(struct layout_key *k, uint64_t v, size_t width)
{
	for (size_t i = width; i > 0; i--)
		put_byte(k, (unsigned char)(v >> (8 * (i - 1))));
}

/* Turns a key into the first one behind all that begin with it. No prefix here is all 0xFF. */
static void
step_over(struct layout_key *k)
{
	while (k->b[k->n - 1] == (char)0xFF)
		k->n--;
	k->b[k->n - 1]++;
}

void
layout_version(struct layout_key *k, struct kv_part part)
{
	k->n = 0;
	put_byte(k, VERSION);
	put_byte(k, (unsigned char)part.kind);
	put_be(k, part.id, 8);
}

int
layout_version_parse(struct str key, struct kv_part *ret)
{
	struct unpack u = unpack_of(key);
	uint8_t       first = unpack_u8(&u);
	uint8_t       kind = unpack_u8(&u);
	uint64_t      id = unpack_be64(&u);

	if (!unpack_ok(&u) || u.left.n != 0 || first != VERSION)
		return E_CORRUPT;
	*ret = (struct kv_part){ (enum kv_kind)kind, id };
	return 0;
}

void
layout_record(struct layout_key *k, struct kv_part part, struct str key)
{
	k->n = 0;
	put_byte(k, (unsigned char)part.kind);
	put_be(k, part.id, 8);
	put(k, key.p, key.n);
}

void
layout_record_end(struct layout_key *k, struct kv_part part)
{
	layout_record(k, part, STR_NONE);
	step_over(k);
}

void
layout_range(struct kv_part part, const struct kv_range *range, struct layout_key *from,
    struct layout_key *to)
{
	/* The smallest key that is not empty is one zero byte. */
	layout_record(from, part, range->from.n != 0 ? range->from : STR("\0"));
	if (range->to.n != 0)
		layout_record(to, part, range->to);
	else
		layout_record_end(to, part);
}

static void
blob_prefix(struct layout_key *k, unsigned char first, const struct kv_blob_id *id)
{
	k->n = 0;
	put_byte(k, first);
	put(k, id->b, sizeof(id->b));
}

void
layout_blob_part(struct layout_key *k, const struct kv_blob_id *id, uint32_t part)
{
	blob_prefix(k, BLOB_PARTS, id);
	put_be(k, part, 4);
}

void
layout_blob_rows(struct layout_key *k, const struct kv_blob_id *id)
{
	blob_prefix(k, BLOB_ROWS, id);
}

void
layout_blob_rows_end(struct layout_key *k, const struct kv_blob_id *id)
{
	blob_prefix(k, BLOB_ROWS, id);
	step_over(k);
}

void
layout_has_part(struct layout_key *k, const struct kv_blob_id *id, uint32_t part)
{
	blob_prefix(k, BLOB_ROWS, id);
	put_byte(k, LAYOUT_HAS_PART);
	put_be(k, part, 4);
}

void
layout_has_ref(struct layout_key *k, const struct kv_blob_id *id, struct str ref)
{
	blob_prefix(k, BLOB_ROWS, id);
	put_byte(k, LAYOUT_HAS_REF);
	put(k, ref.p, ref.n);
}

void
layout_lost_ref(struct layout_key *k, const struct kv_blob_id *id, struct str ref)
{
	blob_prefix(k, BLOB_ROWS, id);
	put_byte(k, LAYOUT_LOST_REF);
	put(k, ref.p, ref.n);
}

int
layout_row_parse(struct str key, struct layout_row *ret)
{
	struct unpack     u = unpack_of(key);
	uint8_t           first = unpack_u8(&u);
	struct str        id = unpack_bytes(&u, sizeof(ret->id.b));
	uint8_t           tag = unpack_u8(&u);
	struct layout_row row = { .tag = (enum layout_tag)tag };

	if (tag == LAYOUT_HAS_PART)
		row.part = unpack_be32(&u);
	else if (tag == LAYOUT_HAS_REF || tag == LAYOUT_LOST_REF)
		row.ref = unpack_bytes(&u, KV_REF_N);
	else
		return E_CORRUPT;
	if (!unpack_ok(&u) || u.left.n != 0 || first != BLOB_ROWS)
		return E_CORRUPT;
	memcpy(row.id.b, id.p, sizeof(row.id.b));
	*ret = row;
	return 0;
}

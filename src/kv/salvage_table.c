/* RocksDB's block-based tables (.sst). */
#include "base/error.h"
#include "kv/salvage_files.h"

enum { FOOTER = 53, FOOTER_FIXED = 12, INDEX_DEPTH = 3, INDEX_TWO_LEVELS = 2 };
enum { TRY_MAX = 256 << 10, SUM_USUAL = 4 };
enum { TYPE_DELETE = 0, TYPE_VALUE = 1, TYPE_SINGLE = 7, TYPE_BLOB_INDEX = 0x11 };
static const uint64_t MAGIC = 0x88E241B785F4CFF7;

struct handle {
	uint64_t off, n;
};

struct table {
	struct salvage_file       *file;
	const struct salvage_sink *sink;
	unsigned                   sum_type;
	struct handle              meta, index, properties, ranges;
	bool                       user_keys, deltas; /* of the index */
	unsigned                   index_type;
	uint64_t                   data_end; /* blocks of data lie one after the other */
	struct buf                 last;  /* the key up to which blocks were read, for reports */
};

static struct handle
read_handle(struct unpack *u)
{
	struct handle h = { .off = unpack_var(u) };

	h.n = unpack_var(u);
	return h;
}

/* A block, checked and inflated. E_CORRUPT. */
static int
read_block(const struct table *t, struct handle h, struct buf *to)
{
	OWN_BUF struct buf raw = BUF_INIT(SALVAGE_BLOCK_MAX);
	char              *p;
	int                r;

	if (h.n > SALVAGE_BLOCK_MAX - SALVAGE_TRAILER || h.off > t->file->size ||
	    h.n + SALVAGE_TRAILER > t->file->size - h.off)
		return E_CORRUPT;
	p = buf_grow(&raw, (size_t)h.n + SALVAGE_TRAILER);
	if (p == NULL)
		return raw.err;
	r = salvage_file_read(t->file, h.off, p, raw.n);
	if (r < 0)
		return r;
	if (!salvage_sum_ok(t->sum_type, p, (size_t)h.n))
		return E_CORRUPT;
	buf_reset(to);
	return salvage_inflate((unsigned char)p[h.n], str_of(p, (size_t)h.n), to);
}

/* --- the entries of a block: keys share their beginning with the one before --- */

struct cursor {
	struct unpack u;
	struct buf    key;
	struct str    value;
	bool          index_deltas;
	struct handle handle; /* of an index with deltas */
};

static int
cursor_begin(struct cursor *c, struct str block, bool index_deltas)
{
	struct unpack tail;
	uint64_t      n_restarts, room;

	*c = (struct cursor){ .index_deltas = index_deltas, .key = BUF_INIT(SALVAGE_BLOCK_MAX) };
	if (block.n < 4)
		return E_CORRUPT;
	tail = unpack_of(str_skip(block, block.n - 4));
	n_restarts = unpack_u32(&tail);
	room = (n_restarts & 0x7FFFFFFF) * 4 + 4;
	if (room > block.n && (n_restarts >> 31) == 0)
		return E_CORRUPT;
	if ((n_restarts >> 31) != 0) { /* a hash index stands between: n restarts, n buckets */
		uint16_t buckets;

		if (block.n < 6)
			return E_CORRUPT;
		tail = unpack_of(str_skip(block, block.n - 6));
		buckets = unpack_u16(&tail);
		room += (uint64_t)buckets + 2;
		if (room > block.n)
			return E_CORRUPT;
	}
	c->u = unpack_of(str_head(block, block.n - (size_t)room));
	return 0;
}

static int64_t
unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

static void
cursor_handle(struct cursor *c, bool shared)
{
	if (!shared) {
		c->handle = read_handle(&c->u);
		return;
	}
	c->handle.off += c->handle.n + SALVAGE_TRAILER;
	c->handle.n += (uint64_t)unzigzag(unpack_var(&c->u));
}

/* 1, 0 at the end, or an error. */
static int
cursor_next(struct cursor *c)
{
	uint64_t shared, own, n_value;

	if (c->u.left.n == 0)
		return 0;
	shared = unpack_var(&c->u);
	own = unpack_var(&c->u);
	n_value = c->index_deltas ? 0 : unpack_var(&c->u);
	if (!unpack_ok(&c->u) || shared > c->key.n || own > c->u.left.n)
		return E_CORRUPT;
	c->key.n = (size_t)shared;
	buf_str(&c->key, unpack_bytes(&c->u, (size_t)own));
	if (c->key.err < 0)
		return c->key.err;
	if (c->index_deltas)
		cursor_handle(c, shared != 0);
	else
		c->value = unpack_bytes(&c->u, (size_t)n_value);
	return unpack_ok(&c->u) ? 1 : E_CORRUPT;
}

/* --- metadata --- */

static int
read_footer(struct table *t)
{
	char          bytes[FOOTER];
	struct unpack u = unpack_of(str_of(bytes, sizeof(bytes))), end;
	uint32_t      version;
	bool          filled = false;
	int           r;

	if (t->file->size < FOOTER)
		return E_CORRUPT;
	r = salvage_file_read(t->file, t->file->size - FOOTER, bytes, FOOTER);
	if (r < 0)
		return r;
	end = unpack_of(str_of(bytes + FOOTER - FOOTER_FIXED, FOOTER_FIXED));
	version = unpack_u32(&end);
	if (unpack_u64(&end) != MAGIC)
		return E_CORRUPT;
	if (version < 2 || version > 5)
		return E_UNSUPPORTED;
	t->sum_type = unpack_u8(&u);
	t->meta = read_handle(&u);
	t->index = read_handle(&u);
	if (!unpack_ok(&u) || u.left.n < FOOTER_FIXED || !salvage_sum_known(t->sum_type))
		return E_CORRUPT;
	for (size_t i = 0; i + FOOTER_FIXED < u.left.n; i++)
		filled = filled || u.left.p[i] != 0;
	if (filled)
		salvage_damage(t->file, t->file->size - FOOTER, FOOTER, "the end of a table is "
		    "damaged; no record is in it");
	return 0;
}

typedef void meta_row(struct table *, struct str key, struct str value);

static void
take_meta(struct table *t, struct str key, struct str value)
{
	struct unpack u = unpack_of(value);

	if (str_eq(key, STR("rocksdb.properties")))
		t->properties = read_handle(&u);
	else if (str_eq(key, STR("rocksdb.range_del")))
		t->ranges = read_handle(&u);
}

static void
take_property(struct table *t, struct str key, struct str value)
{
	struct unpack u = unpack_of(value);

	if (str_eq(key, STR("rocksdb.index.key.is.user.key")))
		t->user_keys = unpack_var(&u) != 0;
	else if (str_eq(key, STR("rocksdb.index.value.is.delta.encoded")))
		t->deltas = unpack_var(&u) != 0;
	else if (str_eq(key, STR("rocksdb.block.based.table.index.type")))
		t->index_type = unpack_u32(&u);
}

static int
read_meta(struct table *t, struct handle h, meta_row *row)
{
	OWN_BUF struct buf block = BUF_INIT(SALVAGE_BLOCK_MAX);
	struct cursor      c;
	int                r = read_block(t, h, &block);

	if (r < 0)
		return r;
	r = cursor_begin(&c, buf_view(&block), false);
	while (r == 0 && (r = cursor_next(&c)) > 0) {
		row(t, buf_view(&c.key), c.value);
		r = 0;
	}
	buf_done(&c.key);
	return r;
}

/* The other blocks of the metadata (filters, dictionaries) are only checked. */
static int
check_meta(struct table *t)
{
	OWN_BUF struct buf block = BUF_INIT(SALVAGE_BLOCK_MAX), other = BUF_INIT(SALVAGE_BLOCK_MAX);
	struct cursor      c;
	int                r = read_block(t, t->meta, &block);

	if (r < 0)
		return r;
	r = cursor_begin(&c, buf_view(&block), false);
	while (r == 0 && (r = cursor_next(&c)) > 0) {
		struct unpack u = unpack_of(c.value);
		struct handle h = read_handle(&u);

		r = read_block(t, h, &other);
		if (r == E_CORRUPT || r == E_UNSUPPORTED) {
			salvage_damage(t->file, h.off, h.n, "a block that helps to find records "
			    "is damaged; "
			    "no record is in it");
			r = 0;
		}
	}
	buf_done(&c.key);
	return r;
}

/* --- data --- */

/* A deletion of a range hides rows; the mail model knows what is left of a removed account. */
static int
take_row(struct table *t, struct str key, struct str value)
{
	struct unpack        u = unpack_of(str_skip(key, key.n - 8));
	uint64_t             tail = key.n >= 8 ? unpack_u64(&u) : UINT64_MAX;
	struct salvage_entry e = { .seq = tail >> 8, .value = value };

	if (key.n < 8)
		return E_CORRUPT;
	e.key = str_head(key, key.n - 8);
	switch (tail & 0xFF) {
	case TYPE_VALUE:
		e.kind = SALVAGE_PUT;
		break;
	case TYPE_DELETE:
	case TYPE_SINGLE:
		e.kind = SALVAGE_DEL;
		e.value = STR_NONE;
		break;
	case TYPE_BLOB_INDEX:
		e.kind = SALVAGE_INDEX;
		e.value = STR_NONE;
		break;
	default:
		return E_UNSUPPORTED;
	}
	return t->sink->fn != NULL ? t->sink->fn(t->sink->arg, &e) : 0;
}

static struct str
user_key(const struct table *t, struct str key)
{
	return t->user_keys || key.n < 8 ? key : str_head(key, key.n - 8);
}

static void
lost_block(struct table *t, struct handle h, struct str upto)
{
	struct kv_damage d = { .off = h.off, .n = h.n, .from = buf_view(&t->last), .to = upto,
		.what = "a block of records is damaged" };

	salvage_damage_keys(t->file, &d);
}

static int
read_data(struct table *t, struct handle h, struct str upto)
{
	OWN_BUF struct buf block = BUF_INIT(SALVAGE_BLOCK_MAX);
	struct cursor      c = { .key = BUF_INIT(0) };
	int                r;

	if (h.off < t->data_end)
		return E_CORRUPT;
	t->data_end = h.off + h.n + SALVAGE_TRAILER;
	r = read_block(t, h, &block);
	if (r == 0)
		r = cursor_begin(&c, buf_view(&block), false);
	while (r == 0 && (r = cursor_next(&c)) > 0)
		r = take_row(t, buf_view(&c.key), c.value);
	buf_done(&c.key);
	if (r == E_CORRUPT || r == E_UNSUPPORTED) {
		lost_block(t, h, upto);
		r = 0;
	}
	buf_reset(&t->last);
	buf_str(&t->last, upto);
	return r;
}

static int
read_index(struct table *t, struct handle h, unsigned depth)
{
	OWN_BUF struct buf block = BUF_INIT(SALVAGE_BLOCK_MAX);
	struct cursor      c = { .key = BUF_INIT(0) };
	int                r = depth > 0 ? read_block(t, h, &block) : E_CORRUPT;

	if (r == 0)
		r = cursor_begin(&c, buf_view(&block), t->deltas);
	while (r == 0 && (r = cursor_next(&c)) > 0) {
		struct unpack u = unpack_of(c.value);
		struct handle at = t->deltas ? c.handle : read_handle(&u);

		if (t->index_type == INDEX_TWO_LEVELS && depth == INDEX_DEPTH)
			r = read_index(t, at, depth - 1);
		else
			r = read_data(t, at, user_key(t, buf_view(&c.key)));
	}
	buf_done(&c.key);
	return r;
}

/* Does the block hold rows of a store, in their order? An index or a filter does not. */
static bool
holds_rows(struct str block)
{
	OWN_BUF struct buf before = BUF_INIT(SALVAGE_BLOCK_MAX);
	struct cursor      c;
	struct kv_row      row;
	int                r = cursor_begin(&c, block, false);

	while (r == 0 && (r = cursor_next(&c)) > 0) {
		struct str key = buf_view(&c.key);

		r = key.n > 8 && str_cmp(buf_view(&before), key) != 0 ? 0 : E_CORRUPT;
		if (r == 0)
			kv_row_read(str_head(key, key.n - 8), &row);
		if (r == 0 && (row.kind == KV_ROW_OTHER ||
		    str_cmp(str_head(buf_view(&before), before.n > 8 ? before.n - 8 : 0),
		        str_head(key, key.n - 8)) > 0))
			r = E_CORRUPT;
		buf_reset(&before);
		buf_str(&before, key);
	}
	buf_done(&c.key);
	return r == 0;
}

/* Without its index a table's blocks are found one after the other: they lie without a gap. */
static int
read_without_index(struct table *t)
{
	OWN_BUF struct buf raw = BUF_INIT(TRY_MAX), block = BUF_INIT(SALVAGE_BLOCK_MAX);
	struct handle      h = { 0 };

	t->data_end = 0;
	while (h.off < t->file->size) {
		uint64_t left = t->file->size - h.off;
		int      r;

		buf_reset(&raw);
		if (buf_grow(&raw, left < TRY_MAX ? (size_t)left : TRY_MAX) == NULL)
			return raw.err;
		r = salvage_file_read(t->file, h.off, raw.p, raw.n);
		if (r < 0)
			return r;
		h.n = salvage_sum_find(t->sum_type, buf_view(&raw));
		if (h.n == 0)
			return 0;
		r = read_block(t, h, &block);
		if (r == 0 && holds_rows(buf_view(&block)))
			r = read_data(t, h, STR_NONE);
		if (r < 0 && r != E_CORRUPT && r != E_UNSUPPORTED)
			return r;
		h.off += h.n + SALVAGE_TRAILER;
	}
	return 0;
}

static int
read_table(struct table *t)
{
	int r = read_footer(t);

	if (r == 0)
		r = read_meta(t, t->meta, take_meta);
	if (r == 0)
		r = read_meta(t, t->properties, take_property);
	if (r == 0)
		r = check_meta(t);
	return r == 0 ? read_index(t, t->index, INDEX_DEPTH) : r;
}

int
salvage_table_read(struct salvage_file *file, const struct salvage_sink *sink)
{
	struct table t = { .file = file, .sink = sink, .last = BUF_INIT(SALVAGE_BLOCK_MAX) };
	int          r = read_table(&t);

	if (r == E_CORRUPT || r == E_UNSUPPORTED) {
		salvage_damage(file, 0, 0, r == E_CORRUPT
		    ? "the table's list of its blocks is damaged"
		    : "written in a form that this program does not know");
		if (!salvage_sum_known(t.sum_type))
			t.sum_type = SUM_USUAL;
		r = sink->fn != NULL ? read_without_index(&t) : 0;
	}
	buf_done(&t.last);
	return r == E_CORRUPT ? 0 : r;
}

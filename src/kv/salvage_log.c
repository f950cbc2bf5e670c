/* RocksDB's log files: the write-ahead log and the MANIFEST. */
#include "base/error.h"
#include "base/mem.h"
#include "kv/salvage_files.h"

enum { BLOCK = 32 << 10, HEAD = 7, HEAD_RECYCLED = 11, RECORD_MAX = 128 << 20, SECTOR = 512 };
enum { TYPE_ZERO, TYPE_FULL, TYPE_FIRST, TYPE_MIDDLE, TYPE_LAST, TYPE_RECYCLED = 5, TYPE_MAX = 8 };

struct reader {
	struct salvage_file *file;
	salvage_record_fn   *fn;
	void                *arg;
	struct salvage_log   log;
	char                 block[BLOCK];
	size_t               n;  /* bytes in the block */
	uint64_t             at; /* of the block in the file */
	struct buf           record;
	bool                 open; /* a first piece was seen */
};

struct piece {
	unsigned   type;
	size_t     n; /* with its head */
	struct str bytes;
};

enum verdict { PIECE_OK, PIECE_BAD, PIECE_SHORT, PIECE_END };

static bool
is_zero(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static enum verdict
piece_at(const struct reader *r, size_t off, struct piece *ret)
{
	struct unpack u = unpack_of(str_of(r->block + off, r->n - off));
	uint32_t      crc = unpack_u32(&u);
	size_t        n = unpack_u16(&u), head;

	ret->type = unpack_u8(&u);
	if (!unpack_ok(&u))
		return PIECE_SHORT;
	if (ret->type == TYPE_ZERO && n == 0 && crc == 0)
		return PIECE_END; /* room that was never written */
	if (ret->type == TYPE_ZERO || ret->type > TYPE_MAX)
		return PIECE_BAD;
	head = ret->type >= TYPE_RECYCLED ? HEAD_RECYCLED : HEAD;
	if (off + head + n > BLOCK)
		return PIECE_BAD;
	if (off + head + n > r->n)
		return PIECE_SHORT;
	if (salvage_crc_mask(salvage_crc(0, r->block + off + 6, head - 6 + n)) != crc)
		return PIECE_BAD;
	ret->n = head + n;
	ret->bytes = str_of(r->block + off + head, n);
	if (ret->type >= TYPE_RECYCLED)
		ret->type -= TYPE_RECYCLED - TYPE_FULL;
	return PIECE_OK;
}

static void
damaged(struct reader *r, uint64_t off, uint64_t n, const char *what)
{
	r->log.n_damages++;
	r->open = false;
	salvage_damage(r->file, off, n, what);
}

/* Puts a piece to the record under way; hands a whole one out. */
static int
take(struct reader *r, const struct piece *p, size_t off)
{
	int e;

	if (p->type == TYPE_FULL || p->type == TYPE_FIRST) {
		if (r->open)
			damaged(r, r->at + off, 0, "the end of a record is missing");
		buf_reset(&r->record);
		r->open = true;
	} else if (!r->open) {
		return 0; /* the rest of a record whose beginning is damaged, and was reported */
	}
	buf_str(&r->record, p->bytes);
	if (r->record.err < 0)
		return r->record.err;
	if (p->type != TYPE_FULL && p->type != TYPE_LAST)
		return 0;
	r->open = false;
	e = r->fn != NULL ? r->fn(r->arg, buf_view(&r->record)) : 0;
	if (e == E_CORRUPT) {
		damaged(r, r->at + off, r->record.n, "a record makes no sense");
		e = 0;
	}
	r->log.n_records++;
	return e;
}

/* Where to go on behind a bad piece: where in the block the next sound one begins. */
static size_t
resync(const struct reader *r, size_t off)
{
	struct piece p;

	for (size_t at = off + 1; at + HEAD <= r->n; at++)
		if (piece_at(r, at, &p) == PIECE_OK)
			return at;
	return r->n;
}

/* A power cut leaves a last record whose later sectors were never written: from somewhere in this
 * block on there are only zeros, to the end of the file. */
static bool
is_torn(const struct reader *r, size_t off)
{
	uint64_t last = r->at + off; /* the last byte that is not zero */
	char     bytes[SECTOR];

	for (uint64_t at = r->at + off; at < r->file->size; at += SECTOR) {
		uint64_t left = r->file->size - at;
		size_t   n = left < SECTOR ? (size_t)left : SECTOR;

		if (salvage_file_read(r->file, at, bytes, n) < 0)
			return false;
		for (size_t i = 0; i < n; i++)
			last = bytes[i] != 0 ? at + i : last;
		if (last >= r->at + BLOCK)
			return false;
	}
	return r->file->size - last > SECTOR;
}

/* *ret_off moves behind what was read; E_NOT_FOUND: nothing comes any more. */
static int
step(struct reader *r, size_t *ret_off)
{
	struct piece p;
	size_t       off = *ret_off, next;
	bool         last_block = r->at + r->n == r->file->size;

	switch (piece_at(r, off, &p)) {
	case PIECE_OK:
		*ret_off = off + p.n;
		return take(r, &p, off);
	case PIECE_SHORT:
		if (last_block && resync(r, off) == r->n) {
			r->log.torn = true;
			r->log.torn_at = r->at + off;
			return E_NOT_FOUND;
		}
		break;
	case PIECE_END:
		if (is_zero(r->block + off, r->n - off)) {
			*ret_off = r->n;
			return 0;
		}
		break;
	case PIECE_BAD:
		break;
	}
	next = resync(r, off);
	if (next == r->n && is_torn(r, off)) {
		r->log.torn = true;
		r->log.torn_at = r->at + off;
		return E_NOT_FOUND;
	}
	damaged(r, r->at + off, next - off, "the checksum of a record of the log is wrong");
	*ret_off = next;
	return 0;
}

static int
read_block(struct reader *r)
{
	int e = 0;

	for (size_t off = 0; e == 0 && off < r->n;) {
		if (BLOCK - off < HEAD)
			return 0; /* filler */
		e = step(r, &off);
	}
	return e;
}

static int
read_all(struct reader *r)
{
	int e = 0;

	for (; e == 0 && r->at < r->file->size; r->at += BLOCK) {
		uint64_t left = r->file->size - r->at;

		r->n = left < BLOCK ? (size_t)left : BLOCK;
		e = salvage_file_read(r->file, r->at, r->block, r->n);
		if (e == E_CORRUPT) {
			damaged(r, r->at, r->n, "cannot be read");
			e = 0;
			continue;
		}
		if (e == 0)
			e = read_block(r);
	}
	if (r->open && !r->log.torn) {
		r->log.torn = true;
		r->log.torn_at = r->file->size;
	}
	return e == E_NOT_FOUND ? 0 : e;
}

int
salvage_log_read(
    struct salvage_file *file, salvage_record_fn *fn, void *arg, struct salvage_log *ret)
{
	struct reader *r = MEM_NEW(struct reader);
	int            e;

	if (r == NULL)
		return E_NOMEM;
	r->file = file;
	r->fn = fn;
	r->arg = arg;
	buf_init(&r->record, RECORD_MAX);
	e = read_all(r);
	if (e == 0)
		*ret = r->log;
	buf_done(&r->record);
	mem_free(r);
	return e;
}

/* --- a record of the write-ahead log --- */

enum {
	OP_DELETE = 0, OP_VALUE = 1, OP_MERGE = 2, OP_LOG_DATA = 3, OP_CF_DELETE = 4,
	OP_CF_VALUE = 5, OP_SINGLE = 7, OP_CF_SINGLE = 8, OP_NOOP = 13, OP_CF_RANGE = 14,
	OP_RANGE = 15
};

/* 1: an entry, 0: something without one, or E_CORRUPT. */
static int
read_op(struct unpack *u, struct salvage_entry *e, uint64_t *columns)
{
	uint8_t op = unpack_u8(u);
	bool    has_column = op == OP_CF_DELETE || op == OP_CF_VALUE || op == OP_CF_SINGLE ||
	    op == OP_CF_RANGE;

	if (op == OP_NOOP)
		return 0;
	if (op == OP_LOG_DATA)
		return unpack_str(u), 0;
	*columns |= 1ULL << (has_column ? unpack_var(u) % 64 : 0);
	e->value = STR_NONE;
	e->key = unpack_str(u);
	switch (op) {
	case OP_VALUE:
	case OP_CF_VALUE:
		e->kind = SALVAGE_PUT;
		e->value = unpack_str(u);
		return 1;
	case OP_DELETE:
	case OP_SINGLE:
	case OP_CF_DELETE:
	case OP_CF_SINGLE:
		e->kind = SALVAGE_DEL;
		return 1;
	case OP_RANGE:
	case OP_CF_RANGE:
		unpack_str(u);
		e->seq++;
		return 0;
	default:
		return E_CORRUPT;
	}
}

int
salvage_batch_read(struct str record, const struct salvage_sink *sink, struct salvage_batch *ret)
{
	struct unpack        u = unpack_of(record);
	struct salvage_entry e = { .seq = unpack_u64(&u) };
	uint32_t             count = unpack_u32(&u);

	*ret = (struct salvage_batch){ .first = e.seq, .end = e.seq + count };
	while (unpack_ok(&u) && u.left.n > 0) {
		int r = read_op(&u, &e, &ret->columns);

		if (r < 0 || !unpack_ok(&u))
			return E_CORRUPT;
		if (r == 0)
			continue;
		r = sink->fn != NULL ? sink->fn(sink->arg, &e) : 0;
		if (r != 0)
			return r;
		e.seq++;
	}
	return unpack_ok(&u) ? 0 : E_CORRUPT;
}

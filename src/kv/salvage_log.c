/* RocksDB's log files: the write-ahead log and the MANIFEST. */
#include "base/error.h"
#include "base/mem.h"
#include "kv/salvage_files.h"

enum { BLOCK = 32 << 10, HEAD = 7, HEAD_RECYCLED = 11, RECORD_MAX = 128 << 20, SECTOR = 512 };
enum { TYPE_ZERO, TYPE_FULL, TYPE_FIRST, TYPE_MIDDLE, TYPE_LAST, TYPE_RECYCLED = 5, TYPE_MAX = 8 };

/* What was passed over, until it is known whether something of the log lies behind it. */
struct gap {
	uint64_t at, end;  /* end 0: there is none */
	bool     zeros;    /* nothing else */
	bool     is_short; /* begins with a piece that the file is too short for */
};

struct reader {
	struct salvage_file           *file;
	const struct salvage_log_sink *sink;
	struct salvage_log             log;
	char                           block[BLOCK];
	size_t                         n;  /* bytes in the block */
	uint64_t                       at; /* of the block in the file */
	struct buf                     record;
	bool                           open;  /* a first piece was seen */
	bool                           stale; /* it was not of this log */
	struct gap                     gap;
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

static void
pass_over(struct reader *r, const struct gap *part)
{
	struct gap *gap = &r->gap;

	if (gap->end == 0)
		*gap = *part;
	else
		gap->zeros = gap->zeros && part->zeros;
	gap->end = part->end;
}

/* Something of this log lies behind it: it was there before, too. */
static void
gap_is_lost(struct reader *r)
{
	const struct gap *gap = &r->gap;

	if (gap->end != 0)
		damaged(r, gap->at, gap->end - gap->at,
		    gap->zeros ? "zeros in the place of records"
		               : "the checksum of a record of the log is wrong");
	r->gap = (struct gap){ 0 };
}

/* Behind a gap there may be what a file had that lay there earlier. */
static bool
is_stale(const struct reader *r, const struct piece *p)
{
	if (p->type != TYPE_FULL && p->type != TYPE_FIRST)
		return r->stale;
	return r->gap.end != 0 && r->sink->is_later != NULL &&
	    !r->sink->is_later(r->sink->arg, p->bytes);
}

/* Puts a piece to the record under way; hands a whole one out. */
static int
take(struct reader *r, const struct piece *p, size_t off)
{
	int e;

	r->stale = is_stale(r, p);
	if (r->stale) {
		pass_over(r, &(struct gap){ .end = r->at + off + p->n });
		return 0;
	}
	gap_is_lost(r);
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
	e = r->sink->fn != NULL ? r->sink->fn(r->sink->arg, buf_view(&r->record)) : 0;
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

/* *ret_off moves behind what was read. */
static int
step(struct reader *r, size_t *ret_off)
{
	struct piece p;
	size_t       off = *ret_off;
	struct gap   part = { .at = r->at + off };

	switch (piece_at(r, off, &p)) {
	case PIECE_OK:
		*ret_off = off + p.n;
		return take(r, &p, off);
	case PIECE_END:
		part.zeros = is_zero(r->block + off, r->n - off);
		break;
	case PIECE_SHORT:
		part.is_short = true;
		break;
	case PIECE_BAD:
		break;
	}
	*ret_off = part.zeros ? r->n : resync(r, off);
	part.end = r->at + *ret_off;
	pass_over(r, &part);
	return 0;
}

/* --- the end --- */

/* A power cut leaves a last record whose later sectors were never written: from somewhere in the
 * block on there are only zeros, to the end of the file. */
static bool
ends_in_zeros(const struct reader *r, uint64_t from)
{
	uint64_t last = from, limit = from - from % BLOCK + BLOCK;
	char     bytes[SECTOR];

	for (uint64_t at = from; at < r->file->size; at += SECTOR) {
		uint64_t left = r->file->size - at;
		size_t   n = left < SECTOR ? (size_t)left : SECTOR;

		if (salvage_file_read(r->file, at, bytes, n) < 0)
			return false;
		for (size_t i = 0; i < n; i++)
			last = bytes[i] != 0 ? at + i : last;
		if (last >= limit)
			return false;
	}
	return r->file->size - last > SECTOR;
}

/* Is that a piece that was written to its end, where the file ends, and changed since? Then its
 * length is right, or its checksum with this length. */
static bool
ends_in_whole_piece(struct reader *r, uint64_t from)
{
	uint64_t      block = from - from % BLOCK;
	size_t        n = (size_t)(r->file->size - from);
	char          head[HEAD], *p = r->block + from % BLOCK;
	struct unpack u = unpack_of(str_of(head, HEAD));
	uint32_t      crc;
	size_t        length;
	uint8_t       type;

	if (r->file->size - block > BLOCK || n < HEAD)
		return false;
	if (salvage_file_read(r->file, from, p, n) < 0)
		return true;
	memcpy(head, p, HEAD);
	crc = unpack_u32(&u);
	length = unpack_u16(&u);
	type = unpack_u8(&u);
	if (length == n - HEAD && type >= TYPE_FULL && type <= TYPE_LAST)
		return true;
	for (char t = TYPE_FULL; t <= TYPE_LAST; t++) {
		p[HEAD - 1] = t;
		if (salvage_crc_mask(salvage_crc(0, p + HEAD - 1, n - HEAD + 1)) == crc)
			return true;
	}
	return false;
}

/* Nothing of this log lies behind the gap. A write-ahead log may end in anything: what was not
 * synced when the power went. Of a MANIFEST RocksDB does not open that. */
static bool
is_unfinished(struct reader *r)
{
	const struct gap *gap = &r->gap;

	if (ends_in_zeros(r, gap->at))
		return true;
	return (gap->is_short || r->sink->is_later != NULL) && !ends_in_whole_piece(r, gap->at);
}

static void
finish(struct reader *r)
{
	bool torn = r->open;

	if (r->gap.end != 0 && !r->gap.zeros) {
		torn = is_unfinished(r);
		if (!torn)
			gap_is_lost(r);
	}
	if (!torn)
		return;
	r->log.torn = true;
	r->log.torn_at = r->gap.end != 0 ? r->gap.at : r->file->size;
	if (r->gap.end != 0 && !r->gap.zeros && !r->gap.is_short &&
	    !ends_in_zeros(r, r->gap.at))
		r->log.noise_n = r->file->size - r->gap.at;
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
			gap_is_lost(r);
			damaged(r, r->at, r->n, "cannot be read");
			e = 0;
			continue;
		}
		if (e == 0)
			e = read_block(r);
	}
	if (e == 0)
		finish(r);
	return e;
}

int
salvage_log_read(
    struct salvage_file *file, const struct salvage_log_sink *sink, struct salvage_log *ret)
{
	struct reader *r = MEM_NEW(struct reader);
	int            e;

	if (r == NULL)
		return E_NOMEM;
	r->file = file;
	r->sink = sink;
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

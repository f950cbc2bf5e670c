#include "base/error.h"
#include "kv/flat.h"

int
flat_part_get(struct flat *f, const struct kv_blob_id *id, uint32_t part, struct flat_value *ret)
{
	struct layout_key key;

	layout_blob_part(&key, id, part);
	return f->engine->get(f, LAYOUT_BLOB, layout_view(&key), ret);
}

static void
write_part(struct flat *f, struct flat_write *w, const struct kv_blob_id *id, uint32_t part,
    struct str value)
{
	struct layout_key key;

	layout_has_part(&key, id, part);
	f->engine->write_put(f, w, LAYOUT_RECORD, layout_view(&key), STR_NONE);
	layout_blob_part(&key, id, part);
	f->engine->write_put(f, w, LAYOUT_BLOB, layout_view(&key), value);
}

/* A head with a home. A batch that failed may be on disk nevertheless, and be tried again after a
 * reopening, for another email: then the blob has its home already, and gets a plain reference. */
static int
write_home(struct flat *f, struct flat_write *w, const struct kv_blob_id *id,
    const struct kv_head *head, struct str value)
{
	struct layout_key key;
	struct flat_value there;
	int               r = E_NOT_FOUND;

	if (tickets_generation(&f->tickets) > 1)
		r = flat_part_get(f, id, KV_PART_HEAD, &there);
	if (r == E_NOT_FOUND) {
		layout_blob_part(&key, id, KV_PART_HEAD);
		f->engine->write_put(f, w, LAYOUT_BLOB, layout_view(&key), value);
		return 0;
	}
	if (r < 0)
		return r;
	f->engine->unpin(&there);
	layout_has_ref(&key, id, head->home);
	f->engine->write_put(f, w, LAYOUT_RECORD, layout_view(&key), STR_NONE);
	return 0;
}

int
flat_write_new_part(struct flat *f, struct flat_write *w, const struct kv_blob_id *id,
    uint32_t part, struct str value)
{
	struct kv_head head;

	if (part == KV_PART_HEAD && kv_head_parse(value, &head) == 0 && head.home.n != 0)
		return write_home(f, w, id, &head, value);
	write_part(f, w, id, part, value);
	return 0;
}

int
flat_blob_put(struct kv *kv, const struct kv_blob_id *id, uint32_t part, struct str value)
{
	struct flat       *f = flat_of(kv);
	struct flat_write *w;
	int                r = tickets_err(&f->tickets);

	if (r < 0)
		return r;
	GATE_SCOPE(&f->gate);
	w = f->engine->write_new(f);
	if (w == NULL)
		return E_NOMEM;
	write_part(f, w, id, part, value);
	return flat_write_now(f, w);
}

/* --- reading --- */

/* A part held still: as it was read lately, or by the engine. */
struct held {
	struct str        bytes;
	struct part      *kept; /* NULL: by the engine */
	struct flat_value value;
};

static int
part_hold(struct flat *f, const struct kv_blob_id *id, uint32_t number, struct held *ret)
{
	struct part *kept = parts_get(&f->parts, id, number);
	int          r;

	if (kept == NULL) {
		r = flat_part_get(f, id, number, &ret->value);
		if (r < 0)
			return r;
		kept = parts_put(&f->parts, id, number, ret->value.bytes);
		if (kept != NULL)
			f->engine->unpin(&ret->value);
	}
	ret->kept = kept;
	ret->bytes = kept != NULL ? part_bytes(kept) : ret->value.bytes;
	return 0;
}

static void
part_let_go(struct flat *f, struct held *h)
{
	if (h->kept != NULL)
		part_drop(h->kept);
	else
		f->engine->unpin(&h->value);
}

int
flat_blob_header(struct kv *kv, const struct kv_blob_id *id, struct buf *to)
{
	struct flat      *f = flat_of(kv);
	struct held       part;
	struct kv_head    head;
	int               r;

	GATE_SCOPE(&f->gate);
	r = part_hold(f, id, KV_PART_HEAD, &part);
	if (r < 0)
		return r;
	r = kv_head_parse(part.bytes, &head);
	if (r == 0)
		buf_str(to, head.header);
	part_let_go(f, &part);
	return r < 0 ? r : to->err;
}

/* A stretch of one piece of the body. */
struct slice {
	uint32_t piece;
	size_t   off, n;
};

static int
slice_append(struct str piece, const struct slice *s, struct buf *to)
{
	if (s->off > piece.n || s->n > piece.n - s->off)
		return E_CORRUPT;
	buf_put(to, piece.p + s->off, s->n);
	return to->err;
}

/* From the head, when the body lies there. E_NOT_FOUND: look for the piece. */
static int
slice_from_head(struct flat *f, const struct kv_blob_id *id, const struct slice *s, struct buf *to)
{
	struct held       part;
	struct kv_head    head;
	int               r = part_hold(f, id, KV_PART_HEAD, &part);

	if (r < 0)
		return r;
	r = kv_head_parse(part.bytes, &head);
	if (r == 0)
		r = head.whole ? slice_append(head.body, s, to) : E_NOT_FOUND;
	part_let_go(f, &part);
	return r;
}

static int
slice_read(struct flat *f, const struct kv_blob_id *id, const struct slice *s, struct buf *to)
{
	struct held       part;
	int               r = E_NOT_FOUND;

	if (s->piece == 0)
		r = slice_from_head(f, id, s, to);
	if (r != E_NOT_FOUND)
		return r;
	r = part_hold(f, id, s->piece + 1, &part);
	if (r < 0)
		return r;
	r = slice_append(part.bytes, s, to);
	part_let_go(f, &part);
	return r;
}

int
flat_blob_body(
    struct kv *kv, const struct kv_blob_id *id, uint64_t off, size_t n, struct buf *to)
{
	struct flat *f = flat_of(kv);
	size_t       had = to->n;
	int          r = 0;

	if (off / KV_BLOB_PIECE >= UINT32_MAX - 1)
		return E_CORRUPT;
	GATE_SCOPE(&f->gate);
	while (n > 0 && r == 0) {
		struct slice s = { (uint32_t)(off / KV_BLOB_PIECE), off % KV_BLOB_PIECE, n };

		if (s.n > KV_BLOB_PIECE - s.off)
			s.n = KV_BLOB_PIECE - s.off;
		r = slice_read(f, id, &s, to);
		if (r == E_NOT_FOUND && to->n > had)
			r = E_CORRUPT;
		off += s.n;
		n -= s.n;
	}
	if (r < 0)
		to->n = had;
	return r;
}

/* From the header on, with what of the body lies beside it. */
static int
read_head(struct flat *f, const struct kv_blob_id *id, const struct kv_slice *s, struct buf *to)
{
	struct held       part;
	struct kv_head    head;
	struct str        tail;
	int               r;

	GATE_SCOPE(&f->gate);
	r = part_hold(f, id, KV_PART_HEAD, &part);
	if (r < 0)
		return r;
	r = kv_head_parse(part.bytes, &head);
	if (r == 0 && head.header.n != s->header_n)
		r = E_CORRUPT;
	if (r == 0) {
		tail = str_skip(head.header, (size_t)s->off);
		buf_room(to, s->n);
		buf_str(to, str_head(tail, s->n));
		if (s->n > tail.n && head.whole)
			buf_str(to, str_head(head.body, s->n - tail.n));
		if (s->n > tail.n && head.whole && s->n - tail.n > head.body.n)
			r = E_CORRUPT;
	}
	part_let_go(f, &part);
	return r < 0 ? r : to->err;
}

int
flat_blob_read(
    struct kv *kv, const struct kv_blob_id *id, const struct kv_slice *s, struct buf *to)
{
	size_t had = to->n, got;
	int    r;

	if (s->off >= s->header_n)
		return flat_blob_body(kv, id, s->off - s->header_n, s->n, to);
	r = read_head(flat_of(kv), id, s, to);
	got = to->n - had;
	if (r == 0 && got < s->n)
		r = flat_blob_body(kv, id, 0, s->n - got, to);
	if (r < 0)
		to->n = had;
	return r == E_NOT_FOUND && got != 0 ? E_CORRUPT : r;
}

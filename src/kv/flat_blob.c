#include "base/error.h"
#include "kv/flat.h"

enum {
	COLLECT_LOOK = 50000,  /* rows that one kv_blob_collect looks at */
	COLLECT_AT_ONCE = 256  /* blobs it notes down before it deletes them */
};

void
flat_write_part(struct flat *f, struct flat_write *w, const struct kv_blob_id *id, uint32_t part,
    struct str value)
{
	struct layout_key key;

	layout_has_part(&key, id, part);
	f->engine->write_put(f, w, LAYOUT_RECORD, layout_view(&key), STR_NONE);
	layout_blob_part(&key, id, part);
	f->engine->write_put(f, w, LAYOUT_BLOB, layout_view(&key), value);
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
	flat_write_part(f, w, id, part, value);
	return flat_write_now(f, w);
}

/* --- reading --- */

/* A part held still by the engine, until unpin. */
static int
part_get(struct flat *f, const struct kv_blob_id *id, uint32_t part, struct flat_value *ret)
{
	struct layout_key key;

	layout_blob_part(&key, id, part);
	return f->engine->get(f, LAYOUT_BLOB, layout_view(&key), ret);
}

int
flat_blob_header(struct kv *kv, const struct kv_blob_id *id, struct buf *to)
{
	struct flat      *f = flat_of(kv);
	struct flat_value value;
	struct kv_head    head;
	int               r;

	GATE_SCOPE(&f->gate);
	r = part_get(f, id, KV_PART_HEAD, &value);
	if (r < 0)
		return r;
	r = kv_head_parse(value.bytes, &head);
	if (r == 0)
		buf_str(to, head.header);
	f->engine->unpin(&value);
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
	struct flat_value value;
	struct kv_head    head;
	int               r = part_get(f, id, KV_PART_HEAD, &value);

	if (r < 0)
		return r;
	r = kv_head_parse(value.bytes, &head);
	if (r == 0)
		r = head.whole ? slice_append(head.body, s, to) : E_NOT_FOUND;
	f->engine->unpin(&value);
	return r;
}

static int
slice_read(struct flat *f, const struct kv_blob_id *id, const struct slice *s, struct buf *to)
{
	struct flat_value value;
	int               r = E_NOT_FOUND;

	if (s->piece == 0)
		r = slice_from_head(f, id, s, to);
	if (r != E_NOT_FOUND)
		return r;
	r = part_get(f, id, s->piece + 1, &value);
	if (r < 0)
		return r;
	r = slice_append(value.bytes, s, to);
	f->engine->unpin(&value);
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
	struct flat_value value;
	struct kv_head    head;
	struct str        tail;
	int               r;

	GATE_SCOPE(&f->gate);
	r = part_get(f, id, KV_PART_HEAD, &value);
	if (r < 0)
		return r;
	r = kv_head_parse(value.bytes, &head);
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
	f->engine->unpin(&value);
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

/* --- references --- */

static int
rows_scan(struct flat *f, const struct kv_blob_id *id, struct kv_iter **ret)
{
	struct layout_key from, to;

	layout_blob_rows(&from, id);
	layout_blob_rows_end(&to, id);
	return flat_scan_raw(
	    f, &(struct flat_range){ layout_view(&from), layout_view(&to), false, 0 }, ret);
}

int
flat_blob_refs(struct kv *kv, const struct kv_blob_id *id, uint64_t *ret)
{
	OWN(kv_iter)      it = NULL;
	struct layout_row row;
	struct str        key, value;
	uint64_t          n = 0;
	int               r = rows_scan(flat_of(kv), id, &it);

	if (r < 0)
		return r;
	while ((r = kv_iter_next(it, &key, &value)) == 1) {
		r = layout_row_parse(key, &row);
		if (r < 0)
			return r;
		if (row.tag == LAYOUT_HAS_REF)
			n++;
	}
	if (r == 0)
		*ret = n;
	return r;
}

/* The deletion of all parts into w. 1, or 0 when there is a reference (or no part), or an error. */
static int
release_build(struct flat *f, const struct kv_blob_id *id, struct flat_write *w)
{
	OWN(kv_iter)      it = NULL;
	struct layout_key key;
	struct layout_row row;
	struct str        k, v;
	int               r = rows_scan(f, id, &it), some = 0;

	if (r < 0)
		return r;
	while ((r = kv_iter_next(it, &k, &v)) == 1) {
		r = layout_row_parse(k, &row);
		if (r < 0)
			return r;
		if (row.tag == LAYOUT_HAS_REF)
			return 0;
		layout_blob_part(&key, id, row.part);
		f->engine->write_del(f, w, LAYOUT_BLOB, layout_view(&key));
		f->engine->write_del(f, w, LAYOUT_RECORD, k);
		some = 1;
	}
	return r < 0 ? r : some;
}

/* 1 when the blob was deleted, 0 when it is in use or not there. */
static int
release(struct flat *f, const struct kv_blob_id *id)
{
	struct flat_write *w = f->engine->write_new(f);
	kv_ticket          ticket;
	int                r;

	if (w == NULL)
		return E_NOMEM;
	/* One step under the lock: no commit adds a reference between the look and the deletion. */
	lock_take(&f->write_lock);
	r = tickets_err(&f->tickets);
	if (r == 0)
		r = release_build(f, id, w);
	if (r == 1) {
		r = flat_apply(f, w, &ticket);
		r = r < 0 ? r : 1;
	}
	lock_give(&f->write_lock);
	f->engine->write_free(w);
	return r;
}

int
flat_blob_release(struct kv *kv, const struct kv_blob_id *id)
{
	struct flat *f = flat_of(kv);
	int          r;

	GATE_SCOPE(&f->gate);
	r = release(f, id);
	return r < 0 ? r : 0;
}

/* --- collecting --- */

/* A walk over the rows of blobs made before a time, that notes those without a reference. */
struct harvest {
	struct kv_blob_id next; /* where to go on; all zero: from the start */
	struct kv_blob_id at;   /* the blob of the last row */
	bool              is_free; /* no reference of it was seen yet */
	bool              end;  /* nothing is left behind `next` */
	size_t            looked;
	size_t            n, max;
	struct kv_blob_id found[COLLECT_AT_ONCE];
};

static void
id_of_time(struct kv_blob_id *id, int64_t ms)
{
	*id = (struct kv_blob_id){ 0 };
	for (int i = 0; i < 6; i++)
		id->b[i] = (unsigned char)((uint64_t)ms >> (8 * (5 - i)));
}

static void
harvest_close_blob(struct harvest *h)
{
	if (h->is_free)
		h->found[h->n++] = h->at;
	h->is_free = false;
}

/* false: enough for now, go on at h->next. */
static bool
harvest_row(struct harvest *h, const struct layout_row *row)
{
	h->looked++;
	if (memcmp(row->id.b, h->at.b, sizeof(h->at.b)) != 0) {
		harvest_close_blob(h);
		h->next = row->id;
		if (h->n == h->max || h->looked > COLLECT_LOOK)
			return false;
		h->at = row->id;
		h->is_free = true;
	}
	if (row->tag == LAYOUT_HAS_REF)
		h->is_free = false;
	return true;
}

static int
harvest(struct flat *f, const struct kv_blob_id *before, struct harvest *h)
{
	struct layout_key from, to;
	OWN(kv_iter)      it = NULL;
	struct layout_row row;
	struct str        k, v;
	int               r;

	h->n = 0;
	h->at = (struct kv_blob_id){ 0 };
	h->is_free = false;
	layout_blob_rows(&from, &h->next);
	layout_blob_rows(&to, before);
	r = flat_scan_raw(
	    f, &(struct flat_range){ layout_view(&from), layout_view(&to), false, 0 }, &it);
	if (r < 0)
		return r;
	while ((r = kv_iter_next(it, &k, &v)) == 1) {
		r = layout_row_parse(k, &row);
		if (r < 0)
			return r;
		if (!harvest_row(h, &row))
			return 0;
	}
	if (r < 0)
		return r;
	harvest_close_blob(h);
	h->end = true;
	return 0;
}

static int
release_found(struct flat *f, const struct harvest *h, size_t *removed)
{
	for (size_t i = 0; i < h->n; i++) {
		int r = release(f, &h->found[i]);

		if (r < 0)
			return r;
		*removed += (size_t)r;
	}
	return 0;
}

static struct kv_blob_id
collected_get(struct flat *f)
{
	LOCK_SCOPE(&f->write_lock);
	return f->collected;
}

static void
collected_set(struct flat *f, const struct harvest *h)
{
	LOCK_SCOPE(&f->write_lock);
	f->collected = h->end ? (struct kv_blob_id){ 0 } : h->next;
}

int
flat_blob_collect(struct kv *kv, int64_t before_ms, size_t max, size_t *ret_removed)
{
	struct flat      *f = flat_of(kv);
	struct kv_blob_id before;
	struct harvest    h = { .next = collected_get(f) };
	size_t            removed = 0;
	int               r = 0;

	id_of_time(&before, before_ms);
	GATE_SCOPE(&f->gate);
	while (r == 0 && !h.end && removed < max && h.looked <= COLLECT_LOOK) {
		h.max = max - removed < COLLECT_AT_ONCE ? max - removed : COLLECT_AT_ONCE;
		r = harvest(f, &before, &h);
		if (r == 0)
			r = release_found(f, &h, &removed);
	}
	if (r < 0)
		return r;
	collected_set(f, &h);
	*ret_removed = removed;
	return 0;
}

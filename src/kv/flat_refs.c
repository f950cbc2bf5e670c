/* References of blobs; their release, and the collection of what nobody refers to. */
#include "base/error.h"
#include "kv/flat.h"

enum {
	COLLECT_LOOK = 50000,  /* rows that one kv_blob_collect looks at */
	COLLECT_AT_ONCE = 256  /* blobs it notes down before it deletes them */
};

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

/* 1 and the next row, with its key until the next call; 0 at the end, or an error. */
static int
row_next(struct kv_iter *it, struct layout_row *ret, struct str *ret_key)
{
	struct str value;
	int        r = kv_iter_next(it, ret_key, &value);

	if (r == 1 && (r = layout_row_parse(*ret_key, ret)) == 0)
		r = 1;
	return r;
}

/* The reference a blob was born with. */
struct home {
	bool there;
	char ref[KV_REF_N];
};

/* It never changes: who needs it under the lock reads it before. */
static int
home_read(struct flat *f, const struct kv_blob_id *id, struct home *ret)
{
	struct flat_value value;
	struct kv_head    head;
	int               r = flat_part_get(f, id, KV_PART_HEAD, &value);

	*ret = (struct home){ 0 };
	if (r < 0)
		return r == E_NOT_FOUND ? 0 : r;
	r = kv_head_parse(value.bytes, &head);
	if (r == 0 && head.home.n != 0) {
		ret->there = true;
		memcpy(ret->ref, head.home.p, KV_REF_N);
	}
	f->engine->unpin(&value);
	return r;
}

static bool
row_is_home(const struct layout_row *row, const struct home *home)
{
	return home->there && str_eq(row->ref, str_of(home->ref, KV_REF_N));
}

int
flat_blob_refs(struct kv *kv, const struct kv_blob_id *id, uint64_t *ret)
{
	struct flat      *f = flat_of(kv);
	OWN(kv_iter)      it = NULL;
	struct layout_row row;
	struct home       home;
	struct str        key;
	uint64_t          n = 0;
	int               r = rows_scan(f, id, &it);

	if (r == 0)
		r = home_read(f, id, &home);
	if (r < 0)
		return r;
	while ((r = row_next(it, &row, &key)) == 1) {
		if (row.tag == LAYOUT_HAS_REF)
			n++;
		if (row_is_home(&row, &home))
			home.there = false; /* counted, or taken back */
	}
	if (r == 0)
		*ret = n + home.there;
	return r;
}

/* --- release --- */

struct survey {
	bool any;    /* a row */
	bool used;
	bool litter; /* rows of lost references that tell nothing, since it is not the home */
};

static int
survey(struct flat *f, const struct kv_blob_id *id, const struct home *home, struct survey *ret)
{
	struct survey     s = { .used = home->there };
	OWN(kv_iter)      it = NULL;
	struct layout_row row;
	struct str        k;
	int               r = rows_scan(f, id, &it);

	if (r < 0)
		return r;
	while ((r = row_next(it, &row, &k)) == 1) {
		s.any = true;
		if (row_is_home(&row, home))
			s.used = false;
		else if (row.tag == LAYOUT_LOST_REF)
			s.litter = true;
		if (row.tag == LAYOUT_HAS_REF) {
			s.used = true;
			r = 0;
			break;
		}
	}
	if (r == 0)
		*ret = s;
	return r;
}

static void
delete_part(struct flat *f, struct flat_write *w, const struct kv_blob_id *id, uint32_t part)
{
	struct layout_key key;

	layout_blob_part(&key, id, part);
	f->engine->write_del(f, w, LAYOUT_BLOB, layout_view(&key));
	parts_forget(&f->parts, id, part);
}

/* What is to go into w: all of a blob, or only the litter of one in use. */
static int
release_build(struct flat *f, const struct kv_blob_id *id, const struct home *home, bool used,
    struct flat_write *w)
{
	OWN(kv_iter)      it = NULL;
	struct layout_row row;
	struct str        k;
	int               r = rows_scan(f, id, &it);

	if (r < 0)
		return r;
	while ((r = row_next(it, &row, &k)) == 1) {
		if (used && row.tag == LAYOUT_HAS_REF)
			return 0;
		if (used && (row.tag == LAYOUT_HAS_PART || row_is_home(&row, home)))
			continue;
		f->engine->write_del(f, w, LAYOUT_RECORD, k);
		if (row.tag != LAYOUT_HAS_PART)
			continue;
		delete_part(f, w, id, row.part);
	}
	if (r == 0 && !used && home->there)
		delete_part(f, w, id, KV_PART_HEAD);
	return r;
}

/* Under the write lock: no commit adds a reference between the look and the deletion. */
static int
release_locked(struct flat *f, const struct kv_blob_id *id, const struct home *home,
    struct flat_write *w)
{
	struct survey s = { 0 };
	kv_ticket     ticket;
	int           r = tickets_err(&f->tickets);

	if (r == 0)
		r = survey(f, id, home, &s);
	if (r < 0 || !s.any || (s.used && !s.litter))
		return r;
	r = release_build(f, id, home, s.used, w);
	if (r == 0)
		r = flat_apply(f, w, &ticket);
	return r < 0 ? r : !s.used;
}

/* 1 when the blob was deleted, 0 when it is in use or not there. */
static int
release(struct flat *f, const struct kv_blob_id *id)
{
	struct flat_write *w;
	struct home        home;
	int                r = home_read(f, id, &home);

	if (r < 0)
		return r;
	w = f->engine->write_new(f);
	if (w == NULL)
		return E_NOMEM;
	lock_take(&f->write_lock);
	r = release_locked(f, id, &home, w);
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
	struct str        k;
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
	while ((r = row_next(it, &row, &k)) == 1) {
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

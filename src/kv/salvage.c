/* What the files still hold, put together: of each record the latest version. */
#include "kv/salvage.h"

#include <rocksdb/c.h>

#include "base/error.h"
#include "kv/engine.h"
#include "kv/layout.h"
#include "kv/rocks.h"
#include "kv/salvage_files.h"

enum { BLOB_FIRST = 0xF0 }; /* kinds of partitions are below */

static bool
is_blob_part(struct str key, struct kv_row *row)
{
	struct layout_key again;
	struct unpack     u;

	if (key.n != LAYOUT_BLOB_N + 4)
		return false;
	memcpy(row->blob.b, key.p + 1, sizeof(row->blob.b));
	u = unpack_of(str_skip(key, LAYOUT_BLOB_N));
	row->piece = unpack_be32(&u);
	layout_blob_part(&again, &row->blob, row->piece);
	return str_eq(layout_view(&again), key);
}

static bool
is_blob_row(struct str key, struct kv_row *row)
{
	struct layout_row parsed;
	struct unpack     u;

	if (layout_row_parse(key, &parsed) < 0)
		return false;
	row->blob = parsed.id;
	row->is_ref = parsed.tag == LAYOUT_HAS_REF;
	row->is_lost_ref = parsed.tag == LAYOUT_LOST_REF;
	if (parsed.tag == LAYOUT_HAS_PART)
		return true;
	u = unpack_of(parsed.ref);
	row->account = unpack_be64(&u);
	row->email = unpack_be64(&u);
	return true;
}

void
kv_row_read(struct str key, struct kv_row *ret)
{
	struct kv_row row = { .kind = KV_ROW_OTHER };
	struct unpack u = unpack_of(key);
	uint8_t       kind = unpack_u8(&u);

	if (is_blob_part(key, &row)) {
		row.kind = KV_ROW_BLOB;
	} else if (is_blob_row(key, &row)) {
		row.kind = KV_ROW_BLOB_ROW;
	} else if (layout_version_parse(key, &row.part) == 0) {
		row.kind = KV_ROW_RECORD;
	} else if (kind >= KV_META && kind < BLOB_FIRST && key.n > LAYOUT_PART_N) {
		row.kind = KV_ROW_RECORD;
		row.part = (struct kv_part){ (enum kv_kind)kind, unpack_be64(&u) };
		row.key = str_skip(key, LAYOUT_PART_N);
	}
	*ret = row;
}

/* --- the scratch store: disk key to seq:8 kind:1 value --- */

struct scratch {
	rocksdb_options_t      *options;
	rocksdb_readoptions_t  *read;
	rocksdb_writeoptions_t *write;
	rocksdb_t              *db;
	struct kv_salvage      *to;
	const struct kv_files  *files;
	struct buf              value;
};

static int
failed(char *text)
{
	return text == NULL ? 0 : rocks_error(text, NULL);
}

static int
scratch_open(struct scratch *s, const char *dir)
{
	char *text = NULL;

	s->options = rocksdb_options_create();
	s->read = rocksdb_readoptions_create();
	s->write = rocksdb_writeoptions_create();
	rocksdb_options_set_create_if_missing(s->options, 1);
	rocksdb_options_set_error_if_exists(s->options, 1);
	rocksdb_options_set_compression(s->options, rocksdb_lz4_compression);
	rocksdb_writeoptions_disable_WAL(s->write, 1);
	s->db = rocksdb_open(s->options, dir, &text);
	return failed(text);
}

static void
scratch_close(struct scratch *s, const char *dir)
{
	char *text = NULL;

	if (s->db != NULL)
		rocksdb_close(s->db);
	rocksdb_destroy_db(s->options, dir, &text);
	rocksdb_free(text);
	rocksdb_writeoptions_destroy(s->write);
	rocksdb_readoptions_destroy(s->read);
	rocksdb_options_destroy(s->options);
	buf_done(&s->value);
}

/* 1: there is a version as late as this one. */
static int
is_known(struct scratch *s, const struct salvage_entry *e)
{
	char                    *text = NULL;
	rocksdb_pinnableslice_t *slice;
	struct unpack            u;
	uint64_t                 seq;
	size_t                   n;
	const char              *p;

	slice = rocksdb_get_pinned(s->db, s->read, e->key.p, e->key.n, &text);
	if (text != NULL)
		return failed(text);
	if (slice == NULL)
		return 0;
	p = rocksdb_pinnableslice_value(slice, &n);
	u = unpack_of(str_of(p, n));
	seq = unpack_u64(&u);
	rocksdb_pinnableslice_destroy(slice);
	return seq >= e->seq;
}

static int
keep(struct scratch *s, const struct salvage_entry *e)
{
	char *text = NULL;
	int   r = is_known(s, e);

	if (r != 0)
		return r < 0 ? r : 0;
	buf_reset(&s->value);
	pack_u64(&s->value, e->seq);
	pack_u8(&s->value, e->kind);
	buf_str(&s->value, e->value);
	if (s->value.err < 0)
		return s->value.err;
	rocksdb_put(s->db, s->write, e->key.p, e->key.n, s->value.p, s->value.n, &text);
	return failed(text);
}

/* The reference in a head becomes one as any other: its row, and no home in the new store. */
static int
keep_head(struct scratch *s, const struct kv_row *row, const struct salvage_entry *e)
{
	struct kv           *kv = s->to->blobs_to;
	struct salvage_entry ref = { .seq = e->seq, .kind = SALVAGE_PUT };
	struct layout_key    key;
	struct kv_head       head;
	int                  r;

	if (kv_head_parse(e->value, &head) < 0)
		return 0;
	s->to->n_blob_parts++;
	if (head.home.n != 0) {
		layout_has_ref(&key, &row->blob, head.home);
		ref.key = layout_view(&key);
		r = keep(s, &ref);
		if (r < 0)
			return r;
	}
	buf_reset(&s->value);
	buf_str(&s->value, e->value);
	if (s->value.err < 0)
		return s->value.err;
	s->value.p[0] &= ~KV_HEAD_HOME;
	return kv != NULL ? kv->ops->blob_put(kv, &row->blob, row->piece, buf_view(&s->value)) : 0;
}

static int
keep_blob(struct scratch *s, const struct kv_row *row, const struct salvage_entry *e)
{
	struct kv *kv = s->to->blobs_to;

	if (row->piece == KV_PART_HEAD)
		return keep_head(s, row, e);
	s->to->n_blob_parts++;
	return kv != NULL ? kv->ops->blob_put(kv, &row->blob, row->piece, e->value) : 0;
}

static int
take_row(void *arg, const struct salvage_entry *e)
{
	struct scratch *s = arg;
	struct kv_row   row;

	kv_row_read(e->key, &row);
	if (row.kind == KV_ROW_OTHER)
		return E_CORRUPT;
	if (row.kind == KV_ROW_BLOB && row.piece == KV_PART_HEAD) {
		const struct salvage_entry known = {
			.kind = e->kind, .seq = e->seq, .key = e->key
		};
		int                        r = keep(s, &known);

		if (r < 0)
			return r;
	}
	if (e->kind == SALVAGE_INDEX)
		return 0; /* the value comes from its blob file */
	if (row.kind == KV_ROW_BLOB)
		return e->kind == SALVAGE_PUT ? keep_blob(s, &row, e) : 0;
	return keep(s, e);
}

static int
take_blob(void *arg, const struct salvage_entry *e)
{
	struct kv_row row;

	kv_row_read(e->key, &row);
	return row.kind == KV_ROW_BLOB ? keep_blob(arg, &row, e) : E_CORRUPT;
}

/* --- handing out --- */

/* Blob files keep what was deleted until they are rewritten. 1: the blob is not deleted. When
 * tables are damaged, what they do not know may be in use. */
static int
is_in_use(struct scratch *s, const struct kv_blob_id *blob)
{
	char             *text = NULL, *p;
	size_t            n;
	struct layout_key key;
	struct unpack     u;
	uint8_t           kind;

	layout_blob_part(&key, blob, KV_PART_HEAD);
	p = rocksdb_get(s->db, s->read, key.b, key.n, &n, &text);
	if (text != NULL)
		return failed(text);
	if (p == NULL)
		return s->files->n_damages != 0;
	u = unpack_of(str_of(p, n));
	unpack_u64(&u);
	kind = unpack_u8(&u);
	rocksdb_free(p);
	return kind != SALVAGE_DEL;
}

/* A reference, unless it was taken back later: that has a row of its own. */
static int
hand_out_ref(struct scratch *s, struct str key, const struct kv_row *row, uint64_t seq)
{
	struct salvage_entry lost = { .seq = seq + 1 };
	struct layout_key    k;
	int                  r;

	layout_lost_ref(&k, &row->blob, str_skip(key, key.n - KV_REF_N));
	lost.key = layout_view(&k);
	r = is_known(s, &lost);
	if (r != 0 || s->to->ref == NULL)
		return r < 0 ? r : 0;
	r = seq == 0 ? is_in_use(s, &row->blob) : 1;
	if (r <= 0)
		return r;
	return s->to->ref(s->to->arg, &row->blob, row->account, row->email);
}

static int
hand_out(struct scratch *s, struct str key, struct str kept)
{
	struct kv_salvage *to = s->to;
	struct unpack      u = unpack_of(kept);
	uint64_t           seq = unpack_u64(&u);
	struct kv_row      row;

	if (unpack_u8(&u) != SALVAGE_PUT)
		return 0;
	kv_row_read(key, &row);
	if (row.kind == KV_ROW_BLOB)
		return 0;
	if (row.kind == KV_ROW_BLOB_ROW)
		return row.is_ref ? hand_out_ref(s, key, &row, seq) : 0;
	if (row.key.n == 0)
		return to->version != NULL ? to->version(to->arg, row.part, unpack_u64(&u)) : 0;
	return to->record != NULL ? to->record(to->arg, row.part, row.key, u.left) : 0;
}

static struct str
key_at(rocksdb_iterator_t *it)
{
	struct str k;

	k.p = rocksdb_iter_key(it, &k.n);
	return k;
}

static int
hand_out_at(struct scratch *s, rocksdb_iterator_t *it)
{
	struct str v;

	v.p = rocksdb_iter_value(it, &v.n);
	return hand_out(s, key_at(it), v);
}

/* All versions lie before all records; each is handed out before those of its partition. */
static bool
version_is_next(rocksdb_iterator_t *versions, rocksdb_iterator_t *records)
{
	struct kv_part part;

	if (!rocksdb_iter_valid(versions) || layout_version_parse(key_at(versions), &part) < 0)
		return false;
	return !rocksdb_iter_valid(records) ||
	    str_cmp(str_skip(key_at(versions), 1), str_head(key_at(records), LAYOUT_PART_N)) <= 0;
}

static int
hand_out_all(struct scratch *s)
{
	rocksdb_iterator_t *versions = rocksdb_create_iterator(s->db, s->read);
	rocksdb_iterator_t *records = rocksdb_create_iterator(s->db, s->read);
	char               *text = NULL;
	int                 r = 0;

	rocksdb_iter_seek_to_first(versions);
	rocksdb_iter_seek(records, "\1", 1);
	while (r == 0) {
		rocksdb_iterator_t *it = version_is_next(versions, records) ? versions : records;

		if (!rocksdb_iter_valid(it))
			break;
		r = hand_out_at(s, it);
		rocksdb_iter_next(it);
	}
	if (r == 0)
		rocksdb_iter_get_error(records, &text);
	if (r == 0 && text == NULL)
		rocksdb_iter_get_error(versions, &text);
	if (text != NULL)
		r = failed(text);
	rocksdb_iter_destroy(versions);
	rocksdb_iter_destroy(records);
	return r;
}

int
kv_salvage(const char *dir, const char *scratch, struct kv_files *files, struct kv_salvage *to)
{
	struct scratch             s = {
		.to = to, .files = files, .value = BUF_INIT(SALVAGE_BLOCK_MAX)
	};
	const struct salvage_sinks sinks = { { take_row, &s }, { take_blob, &s } };
	int                        r = scratch_open(&s, scratch);

	if (r == 0)
		r = salvage_walk(dir, files, &sinks);
	if (r == 0)
		r = hand_out_all(&s);
	scratch_close(&s, scratch);
	return r;
}

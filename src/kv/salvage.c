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
	if (!row->is_ref)
		return true;
	u = unpack_of(str_skip(key, key.n - 16));
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
	} else if (kind >= KV_META && kind < BLOB_FIRST && key.n >= LAYOUT_PART_N) {
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
keep_blob(struct scratch *s, const struct kv_row *row, struct str value)
{
	struct kv     *kv = s->to->blobs_to;
	struct kv_head head;

	if (row->piece == KV_PART_HEAD && kv_head_parse(value, &head) < 0)
		return 0;
	s->to->n_blob_parts++;
	return kv != NULL ? kv->ops->blob_put(kv, &row->blob, row->piece, value) : 0;
}

static int
take_row(void *arg, const struct salvage_entry *e)
{
	struct scratch *s = arg;
	struct kv_row   row;
	char           *text = NULL;
	int             r;

	kv_row_read(e->key, &row);
	if (row.kind == KV_ROW_OTHER)
		return E_CORRUPT;
	if (e->kind == SALVAGE_INDEX)
		return 0; /* the value comes from its blob file */
	if (row.kind == KV_ROW_BLOB)
		return e->kind == SALVAGE_PUT ? keep_blob(s, &row, e->value) : 0;
	r = is_known(s, e);
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

static int
take_blob(void *arg, const struct salvage_entry *e)
{
	struct kv_row row;

	kv_row_read(e->key, &row);
	return row.kind == KV_ROW_BLOB ? keep_blob(arg, &row, e->value) : E_CORRUPT;
}

/* --- handing out --- */

static int
hand_out(struct kv_salvage *to, struct str key, struct str kept)
{
	struct unpack u = unpack_of(kept);
	struct kv_row row;

	unpack_u64(&u);
	if (unpack_u8(&u) != SALVAGE_PUT)
		return 0;
	kv_row_read(key, &row);
	if (row.kind == KV_ROW_BLOB_ROW)
		return row.is_ref && to->ref != NULL
		    ? to->ref(to->arg, &row.blob, row.account, row.email) : 0;
	if (row.key.n == 0)
		return to->version != NULL ? to->version(to->arg, row.part, unpack_u64(&u)) : 0;
	return to->record != NULL ? to->record(to->arg, row.part, row.key, u.left) : 0;
}

static int
hand_out_all(struct scratch *s)
{
	rocksdb_iterator_t *it = rocksdb_create_iterator(s->db, s->read);
	char               *text = NULL;
	int                 r = 0;

	for (rocksdb_iter_seek_to_first(it); r == 0 && rocksdb_iter_valid(it);
	     rocksdb_iter_next(it)) {
		struct str k, v;

		k.p = rocksdb_iter_key(it, &k.n);
		v.p = rocksdb_iter_value(it, &v.n);
		r = hand_out(s->to, k, v);
	}
	if (r == 0) {
		rocksdb_iter_get_error(it, &text);
		r = failed(text);
	}
	rocksdb_iter_destroy(it);
	return r;
}

int
kv_salvage(const char *dir, const char *scratch, struct kv_files *files, struct kv_salvage *to)
{
	struct scratch             s = { .to = to, .value = BUF_INIT(SALVAGE_BLOCK_MAX) };
	const struct salvage_sinks sinks = { { take_row, &s }, { take_blob, &s } };
	int                        r = scratch_open(&s, scratch);

	if (r == 0)
		r = salvage_walk(dir, files, &sinks);
	if (r == 0)
		r = hand_out_all(&s);
	scratch_close(&s, scratch);
	return r;
}

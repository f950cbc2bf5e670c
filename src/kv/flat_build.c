/* From a batch to changes of the maps. */
#include "base/error.h"
#include "kv/flat.h"

enum { VERSION_N = 8 };

static void
write_ref(struct flat *f, struct flat_write *w, const struct kv_op *op)
{
	struct kv_blob_id id;
	struct layout_key key;

	memcpy(id.b, op->key.p, sizeof(id.b));
	layout_has_ref(&key, &id, str_skip(op->key, sizeof(id.b)));
	if (op->kind == KV_OP_REF) {
		f->engine->write_put(f, w, LAYOUT_RECORD, layout_view(&key), STR_NONE);
		return;
	}
	f->engine->write_del(f, w, LAYOUT_RECORD, layout_view(&key));
	/* It may be the one in the blob's head; nobody looks. */
	layout_lost_ref(&key, &id, str_skip(op->key, sizeof(id.b)));
	f->engine->write_put(f, w, LAYOUT_RECORD, layout_view(&key), STR_NONE);
}

static int
write_part(struct flat *f, struct flat_write *w, const struct kv_op *op)
{
	struct unpack     u = unpack_of(str_skip(op->key, sizeof(struct kv_blob_id)));
	struct kv_blob_id id;

	memcpy(id.b, op->key.p, sizeof(id.b));
	return flat_write_new_part(f, w, &id, unpack_be32(&u), op->value);
}

static int
write_op(struct flat *f, struct flat_write *w, struct kv_part part, const struct kv_op *op)
{
	struct layout_key key, end;

	switch (op->kind) {
	case KV_OP_PUT:
		layout_record(&key, part, op->key);
		f->engine->write_put(f, w, LAYOUT_RECORD, layout_view(&key), op->value);
		break;
	case KV_OP_DEL:
		layout_record(&key, part, op->key);
		f->engine->write_del(f, w, LAYOUT_RECORD, layout_view(&key));
		break;
	case KV_OP_DEL_RANGE:
		layout_range(part, &(struct kv_range){ op->key, op->value, false }, &key, &end);
		if (str_cmp(layout_view(&key), layout_view(&end)) < 0)
			f->engine->write_del_range(f, w, layout_view(&key), layout_view(&end));
		break;
	case KV_OP_REF:
	case KV_OP_UNREF:
		write_ref(f, w, op);
		break;
	case KV_OP_PART:
		return write_part(f, w, op);
	}
	return 0;
}

int
flat_build(struct flat *f, const struct kv_step *step, const struct kv_batch *b,
    struct flat_write *w)
{
	struct unpack     u = unpack_of(buf_view(&b->ops));
	struct layout_key key;
	struct kv_op      op;
	char              version[VERSION_N];
	int               r = 0;

	while (r == 0 && kv_op_next(&u, &op) == 1)
		r = write_op(f, w, step->part, &op);
	for (int i = 0; i < VERSION_N; i++)
		version[i] = (char)(step->next >> (8 * i));
	layout_version(&key, step->part);
	f->engine->write_put(f, w, LAYOUT_RECORD, layout_view(&key), str_of(version, VERSION_N));
	return r;
}

#include <inttypes.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "kv/engine.h"
#include "kv/open.h"

/* A line is "operation arguments = result"; it goes out by one write, whole or cut at the end. */
enum { LINE_MAX_BYTES = 512, SHOWN_KEY_BYTES = 48 };

struct trace {
	struct kv  kv;
	struct kv *inner;
	int        fd;
};

static struct trace *
trace_of(struct kv *kv)
{
	return CONTAINER_OF(kv, struct trace, kv);
}

static const char *
kind_name(enum kv_kind kind)
{
	switch (kind) {
	case KV_META:
		return "meta";
	case KV_DIRECTORY:
		return "directory";
	case KV_ACCOUNT:
		return "account";
	case KV_QUEUE:
		return "queue";
	case KV_TEXT:
		return "text";
	}
	return "?";
}

static void
show_part(struct buf *b, struct kv_part part)
{
	buf_printf(b, " %s/%" PRIu64, kind_name(part.kind), part.id);
}

static void
show_key(struct buf *b, const char *name, struct str key)
{
	buf_printf(b, " %s=", name);
	for (size_t i = 0; i < key.n && i < SHOWN_KEY_BYTES; i++) {
		char c = key.p[i];

		if (c > ' ' && c < 0x7F && c != '\\')
			buf_byte(b, c);
		else
			buf_printf(b, "\\x%02x", (unsigned char)c);
	}
	if (key.n > SHOWN_KEY_BYTES)
		buf_str(b, STR("..."));
}

static void
show_blob(struct buf *b, const struct kv_blob_id *id)
{
	buf_byte(b, ' ');
	for (size_t i = 0; i < sizeof(id->b); i++)
		buf_printf(b, "%02x", id->b[i]);
}

/* Ends the line with the result and writes it. Gives the result back. */
static int
finish(struct trace *t, struct buf *b, int r)
{
	ssize_t n;

	buf_printf(b, " = %s\n", r < 0 ? error_row(r)->name : "OK");
	/* A trace that cannot be written is not worth a failed operation. */
	n = write(t->fd, b->p, b->n);
	(void)n;
	return r;
}

#define LINE(name)                                                                               \
	struct trace      *t = trace_of(kv);                                                     \
	OWN_BUF struct buf line = BUF_INIT(LINE_MAX_BYTES);                                      \
	buf_str(&line, STR(name))

static void
trace_drop(struct kv *kv)
{
	LINE("drop");
	finish(t, &line, 0);
	kv_drop(t->inner);
	mem_free(t);
}

static int
trace_version(struct kv *kv, struct kv_part part, uint64_t *ret)
{
	int r;

	LINE("version");
	show_part(&line, part);
	r = kv_version(t->inner, part, ret);
	if (r == 0)
		buf_printf(&line, " version=%" PRIu64, *ret);
	return finish(t, &line, r);
}

static int
trace_get(struct kv *kv, struct kv_part part, struct str key, struct buf *to)
{
	size_t had = to->n;
	int    r;

	LINE("get");
	show_part(&line, part);
	show_key(&line, "key", key);
	r = kv_get(t->inner, part, key, to);
	buf_printf(&line, " bytes=%zu", to->n - had);
	return finish(t, &line, r);
}

static int
trace_scan(struct kv *kv, struct kv_part part, const struct kv_range *range, struct kv_iter **ret)
{
	LINE("scan");
	show_part(&line, part);
	show_key(&line, "from", range->from);
	show_key(&line, "to", range->to);
	if (range->reverse)
		buf_str(&line, STR(" reverse"));
	return finish(t, &line, t->inner->ops->scan(t->inner, part, range, ret));
}

static int
trace_part_next(struct kv *kv, enum kv_kind kind, uint64_t from, uint64_t *ret)
{
	LINE("part_next");
	show_part(&line, (struct kv_part){ kind, from });
	return finish(t, &line, kv_part_next(t->inner, kind, from, ret));
}

static int
trace_commit(
    struct kv *kv, const struct kv_step *step, const struct kv_batch *b, kv_ticket *ret)
{
	int r;

	LINE("commit");
	show_part(&line, step->part);
	buf_printf(&line, " %" PRIu64 ">%" PRIu64 " bytes=%zu", step->expect, step->next, b->ops.n);
	r = t->inner->ops->commit(t->inner, step, b, ret);
	if (r == 0)
		buf_printf(&line, " ticket=%" PRIu64, *ret);
	return finish(t, &line, r);
}

static int
trace_wait(struct kv *kv, kv_ticket ticket, struct kv_waiter *w)
{
	LINE("wait");
	buf_printf(&line, " ticket=%" PRIu64, ticket);
	return finish(t, &line, t->inner->ops->wait(t->inner, ticket, w));
}

static bool
trace_is_durable(struct kv *kv, kv_ticket ticket)
{
	return kv_is_durable(trace_of(kv)->inner, ticket);
}

static int
trace_blob_put(struct kv *kv, const struct kv_blob_id *id, uint32_t part, struct str value)
{
	LINE("blob_put");
	show_blob(&line, id);
	buf_printf(&line, " part=%" PRIu32 " bytes=%zu", part, value.n);
	return finish(t, &line, t->inner->ops->blob_put(t->inner, id, part, value));
}

static int
trace_blob_header(struct kv *kv, const struct kv_blob_id *id, struct buf *to)
{
	LINE("blob_header");
	show_blob(&line, id);
	return finish(t, &line, kv_blob_header(t->inner, id, to));
}

static int
trace_blob_body(
    struct kv *kv, const struct kv_blob_id *id, uint64_t off, size_t n, struct buf *to)
{
	LINE("blob_body");
	show_blob(&line, id);
	buf_printf(&line, " off=%" PRIu64 " bytes=%zu", off, n);
	return finish(t, &line, kv_blob_body(t->inner, id, off, n, to));
}

static int
trace_blob_read(
    struct kv *kv, const struct kv_blob_id *id, const struct kv_slice *s, struct buf *to)
{
	LINE("blob_read");
	show_blob(&line, id);
	buf_printf(&line, " header=%zu off=%" PRIu64 " bytes=%zu", s->header_n, s->off, s->n);
	return finish(t, &line, kv_blob_read(t->inner, id, s, to));
}

static int
trace_blob_refs(struct kv *kv, const struct kv_blob_id *id, uint64_t *ret)
{
	LINE("blob_refs");
	show_blob(&line, id);
	return finish(t, &line, kv_blob_refs(t->inner, id, ret));
}

static int
trace_blob_release(struct kv *kv, const struct kv_blob_id *id)
{
	LINE("blob_release");
	show_blob(&line, id);
	return finish(t, &line, kv_blob_release(t->inner, id));
}

static int
trace_blob_collect(struct kv *kv, int64_t before_ms, size_t max, size_t *ret_removed)
{
	int r;

	LINE("blob_collect");
	buf_printf(&line, " before=%" PRId64 " max=%zu", before_ms, max);
	r = kv_blob_collect(t->inner, before_ms, max, ret_removed);
	if (r == 0)
		buf_printf(&line, " removed=%zu", *ret_removed);
	return finish(t, &line, r);
}

static uint64_t
trace_generation(struct kv *kv)
{
	return kv_generation(trace_of(kv)->inner);
}

static bool
trace_healthy(struct kv *kv)
{
	return kv_healthy(trace_of(kv)->inner);
}

static void
trace_set_failed(struct kv *kv, int err)
{
	struct kv *inner = trace_of(kv)->inner;

	inner->ops->set_failed(inner, err);
}

static int
trace_heal(struct kv *kv)
{
	LINE("heal");
	return finish(t, &line, kv_heal(t->inner));
}

static int
trace_snapshot_to(struct kv *kv, const char *dir, struct buf *detail)
{
	LINE("snapshot_to");
	show_key(&line, "dir", str_c(dir));
	return finish(t, &line, kv_snapshot_to(t->inner, dir, detail));
}

static const struct kv_ops TRACE_OPS = {
	.drop = trace_drop,
	.version = trace_version,
	.get = trace_get,
	.scan = trace_scan,
	.part_next = trace_part_next,
	.commit = trace_commit,
	.wait = trace_wait,
	.is_durable = trace_is_durable,
	.blob_put = trace_blob_put,
	.blob_header = trace_blob_header,
	.blob_body = trace_blob_body,
	.blob_read = trace_blob_read,
	.blob_refs = trace_blob_refs,
	.blob_release = trace_blob_release,
	.blob_collect = trace_blob_collect,
	.generation = trace_generation,
	.healthy = trace_healthy,
	.set_failed = trace_set_failed,
	.heal = trace_heal,
	.snapshot_to = trace_snapshot_to,
};

int
kv_trace_open(struct kv *inner, int fd, struct kv **ret)
{
	struct trace *t = MEM_NEW(struct trace);

	if (t == NULL)
		return E_NOMEM;
	t->kv.ops = &TRACE_OPS;
	t->inner = inner;
	t->fd = fd;
	*ret = &t->kv;
	return 0;
}

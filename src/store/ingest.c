#include "store/ingest.h"

#include <assert.h>

#include "base/error.h"
#include "base/mem.h"
#include "codec/bare.h"
#include "store/fields.h"
#include "store/records.h"

int
ingest_new(struct store *store, uint64_t size_max, struct ingest **ret)
{
	OWN(ingest) in = MEM_NEW(struct ingest);
	int         r;

	if (in == NULL)
		return E_NOMEM;
	in->store = store;
	in->generation = kv_generation(store->kv);
	in->size_max = size_max;
	in->line_begins = true;
	in->last = '\n';
	arena_init(&in->arena, INGEST_ARENA_MAX);
	buf_init(&in->header, BLOB_HEADER_MAX);
	buf_init(&in->piece, KV_BLOB_PIECE);
	buf_init(&in->facts, KV_VALUE_MAX);
	r = message_parser_new(NULL, &in->arena, &in->parser);
	if (r < 0)
		return r;
	kv_blob_id_new(&in->blob);
	*ret = TAKE(in);
	return 0;
}

void
ingest_drop(struct ingest *in)
{
	if (in == NULL)
		return;
	arena_done(&in->arena);
	buf_done(&in->header);
	buf_done(&in->piece);
	buf_done(&in->facts);
	mem_free(in);
}

uint64_t
ingest_size(const struct ingest *in)
{
	return in->size;
}

uint32_t
ingest_wire_more(const struct ingest *in)
{
	uint64_t more = in->bare_lf_n + (in->last == '\n' ? 0 : 2);

	return more <= UINT32_MAX ? (uint32_t)more : 0;
}

/* --- the bytes --- */

/* How many bytes of s belong to the header section; in_body is set when it ends there. */
static size_t
header_bytes(struct ingest *in, struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		const char *end;

		if (in->line_begins) {
			if (s.p[i] == '\n') {
				in->in_body = true;
				return i + 1;
			}
			in->line_begins = s.p[i] == '\r' && !in->after_cr;
			in->after_cr = in->line_begins;
			if (in->line_begins) {
				i++;
				continue;
			}
		}
		end = memchr(s.p + i, '\n', s.n - i);
		if (end == NULL)
			return s.n;
		i = (size_t)(end - s.p) + 1;
		in->line_begins = true;
	}
	return s.n;
}

static void
put_header(struct ingest *in, struct str *s)
{
	size_t n = header_bytes(in, *s), room = BLOB_HEADER_MAX - in->header.n;

	if (n >= room) {
		n = room;
		in->in_body = true;
	}
	buf_put(&in->header, s->p, n);
	in->err = in->header.err;
	*s = str_skip(*s, n);
}

static void
put_body(struct ingest *in, struct str s)
{
	while (in->err == 0 && s.n != 0) {
		struct str part;

		if (in->piece.n == KV_BLOB_PIECE) {
			in->err = kv_blob_put_piece(
			    in->store->kv, &in->blob, in->n_pieces++, buf_view(&in->piece));
			buf_reset(&in->piece);
			continue;
		}
		part = str_head(s, KV_BLOB_PIECE - in->piece.n);
		buf_str(&in->piece, part);
		in->err = in->piece.err;
		s = str_skip(s, part.n);
	}
}

int
ingest_write(struct ingest *in, struct str bytes)
{
	assert(!in->ended);
	if (in->err < 0)
		return in->err;
	if (bytes.n > in->size_max || in->size > in->size_max - bytes.n) {
		in->err = E_TOO_BIG;
		return in->err;
	}
	if (bytes.n == 0)
		return 0;
	in->size += bytes.n;
	in->bare_lf_n += bare_lf_count(bytes, in->last);
	in->last = bytes.p[bytes.n - 1];
	in->err = message_parser_feed(in->parser, bytes);
	if (in->err == 0 && !in->in_body)
		put_header(in, &bytes);
	put_body(in, bytes);
	return in->err;
}

/* --- what was found out --- */

static void
describe(struct ingest *in, const struct message_summary *sum)
{
	OWN_BUF struct buf  parts = BUF_INIT(KV_VALUE_MAX), fields = BUF_INIT(KV_VALUE_MAX);
	struct facts_record rec = {
		.facts = { .envelope = sum->envelope,
		    .body = sum->body,
		    .body_structure = sum->body_structure },
	};

	message_links_read(sum, &in->links);
	message_parts_pack(sum, &parts);
	/* Of a giant header, the part that follows is not here. */
	if (sum->header_n <= in->header.n)
		fields_pack(str_head(buf_view(&in->header), (size_t)sum->header_n), &fields);
	rec.has_msgid = in->links.has_own;
	rec.msgid = in->links.own;
	rec.facts.parts = buf_view(&parts);
	rec.facts.fields = buf_view(&fields);
	facts_record_pack(&rec, &in->facts);
	in->header_n = sum->header_n;
	in->err = parts.err < 0 ? parts.err : fields.err < 0 ? fields.err : in->facts.err;
}

static void
conclude(struct ingest *in)
{
	struct message_summary sum;

	in->err = message_parser_end(in->parser, &sum);
	if (in->err == 0)
		describe(in, &sum);
	arena_done(&in->arena);
	in->parser = NULL;
}

/* A body of more than one piece is written now, all of it. */
static void
finish_blob(struct ingest *in)
{
	if (in->piece.n != 0)
		in->err = kv_blob_put_piece(
		    in->store->kv, &in->blob, in->n_pieces++, buf_view(&in->piece));
	if (in->err == 0)
		in->err = kv_blob_put_header(in->store->kv, &in->blob, buf_view(&in->header));
	in->written = in->err == 0;
	buf_done(&in->piece);
}

int
ingest_end(struct ingest *in)
{
	if (in->err < 0)
		return in->err;
	conclude(in);
	if (in->err == 0 && in->n_pieces != 0)
		finish_blob(in);
	in->ended = true;
	return in->err;
}

int
ingest_ready(const struct ingest *in)
{
	if (in->err < 0)
		return in->err;
	if (!in->ended)
		return E_STATE;
	return in->generation == kv_generation(in->store->kv) ? 0 : E_CONFLICT;
}

void
ingest_put(const struct ingest *in, struct kv_batch *batch)
{
	if (!in->written)
		kv_batch_blob(batch, &in->blob, buf_view(&in->header), buf_view(&in->piece));
}

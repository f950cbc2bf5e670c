/* Messages whose records are lost come back through the store's own calls. */
#include "base/error.h"
#include "base/mem.h"
#include "store/ingest.h"
#include "store/repair_rows.h"
#include "store/state.h"

#define RECOVERED STR("Recovered")

typedef unsigned long long ull;

static const struct actor REPAIR = { .protocol = ACTOR_SYSTEM };

/* How many bytes the body has from `at` on, up to n: the longest stretch that can be read. */
static size_t
readable(struct store *store, const struct kv_blob_id *blob, uint64_t at, size_t n)
{
	OWN_BUF struct buf bytes = BUF_INIT(KV_BLOB_PIECE);
	size_t             lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo + 1) / 2;

		buf_reset(&bytes);
		if (kv_blob_body(store->kv, blob, at, mid, &bytes) == 0)
			lo = mid;
		else
			hi = mid - 1;
	}
	return lo;
}

static int
feed_body(struct store *store, const struct kv_blob_id *blob, struct ingest *in)
{
	OWN_BUF struct buf bytes = BUF_INIT(KV_BLOB_PIECE);

	for (uint64_t at = 0;; at += KV_BLOB_PIECE) {
		size_t n = readable(store, blob, at, KV_BLOB_PIECE);
		int    r = 0;

		buf_reset(&bytes);
		if (n != 0)
			r = kv_blob_body(store->kv, blob, at, n, &bytes);
		if (r == 0 && n != 0)
			r = ingest_write(in, buf_view(&bytes));
		if (r < 0 || n < KV_BLOB_PIECE)
			return r;
	}
}

/* The header without what describes the body, and a notice. */
static int
feed_notice(struct str header, const struct message *m, struct ingest *in)
{
	OWN_BUF struct buf to = BUF_INIT(KV_VALUE_MAX + 4096);
	bool               skip = false;

	while (header.n > 0) {
		size_t     n = str_find_byte(header, '\n');
		struct str line = str_head(header, n < header.n ? n + 1 : n);

		header = str_skip(header, line.n);
		if (str_trim(line).n == 0)
			break;
		if (line.p[0] != ' ' && line.p[0] != '\t')
			skip = str_istarts(line, STR("Content-")) ||
			    str_istarts(line, STR("MIME-Version:"));
		if (!skip)
			buf_str(&to, line);
	}
	buf_printf(&to, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
	    "The header of this message could be read after damage to the disk; its body could "
	    "not.\r\n"
	    "The message had %llu bytes.\r\n", (ull)m->size);
	return to.err < 0 ? to.err : ingest_write(in, buf_view(&to));
}

static int
target(struct account *a, const struct orphan *o, mailbox_id *ret)
{
	struct mailbox_status status;
	int                   r;

	*ret = o->mailbox;
	if (o->mailbox != 0 && mailbox_status(a, o->mailbox, &status) == 0)
		return 0;
	r = mailbox_find(a, RECOVERED, ret);
	if (r != E_NO_MAILBOX && r != E_NOT_FOUND)
		return r;
	r = mailbox_create(a, RECOVERED, 0, &REPAIR, ret);
	return r == 0 ? mailbox_subscribe(a, RECOVERED, true, &REPAIR) : r;
}

/* A blob's id begins with the time when it was made. */
static int64_t
blob_time(const struct kv_blob_id *blob)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | blob->b[i];
	return ms;
}

static int
read_again(struct store *store, const struct orphan *o, struct ingest *in)
{
	OWN_BUF struct buf header = BUF_INIT(KV_VALUE_MAX);
	int                r = kv_blob_header(store->kv, &o->blob, &header);

	if (r == 0 && o->is_notice)
		r = feed_notice(buf_view(&header), &o->m, in);
	else if (r == 0)
		r = ingest_write(in, buf_view(&header));
	if (r == 0 && !o->is_notice)
		r = feed_body(store, &o->blob, in);
	return r == 0 ? ingest_end(in) : r;
}

static int
bring_back(struct store *store, struct account *a, const struct orphan *o,
    struct store_repair *rep)
{
	OWN(ingest) in = NULL;
	struct append_options opt = { .ignore_quota = true, .internal_ms = blob_time(&o->blob) };
	struct appended       done;
	mailbox_id            to;
	int                   r = ingest_new(store, UINT64_MAX, &in);

	if (o->is_notice) {
		opt.flags = o->m.flags;
		opt.internal_ms = o->m.internal_ms;
		opt.internal_zone_min = o->m.internal_zone_min;
	}
	if (r == 0)
		r = read_again(store, o, in);
	if (r == E_NOT_FOUND || r == E_CORRUPT) {
		repair_say(rep, a->id, "lost: a message (email %llu) of which neither record nor "
		    "header "
		    "is left", (ull)o->email);
		rep->lost++;
		return 0;
	}
	if (r == 0)
		r = target(a, o, &to);
	if (r == 0)
		r = message_append(a, to, in, &opt, &REPAIR, &done);
	if (r < 0 || o->is_notice)
		return r;
	repair_say(rep, a->id, "recovered without its flags: email %llu of %llu bytes, mailbox %u, "
	    "new UID %u", (ull)o->email, (ull)ingest_size(in), to, done.uid);
	rep->recovered++;
	return 0;
}

int
repair_orphans(struct store *store, account_id id, const struct orphans *refs,
    struct store_repair *rep)
{
	OWN(account) a = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < refs->n; i++) {
		const struct orphan *o = &refs->o[i];

		if (o->account != id || !o->is_lost || o->is_over)
			continue;
		if (a == NULL)
			r = account_open(store, id, &a);
		if (r == E_NOT_FOUND)
			return 0;
		if (r == 0)
			r = bring_back(store, a, o, rep);
	}
	return r;
}

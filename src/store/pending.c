#include "store/pending.h"

#include "base/error.h"
#include "base/pack.h"
#include "store/ledger.h"
#include "store/name.h"
#include "store/records.h"

enum { VERSION = 1 };

void
pending_put(struct edit *e, const struct pending *p, const struct spans *left)
{
	struct key  key = key_pending(p->device, p->modseq);
	struct buf *to;
	email_id    next = 0;

	if (left->n == 0) {
		edit_del(e, &key);
		return;
	}
	to = edit_value(e);
	pack_u8(to, VERSION);
	pack_u64(to, (uint64_t)p->when_ms);
	pack_str(to, p->actor.device);
	pack_str(to, p->actor.login);
	pack_str(to, p->actor.peer);
	pack_var(to, left->n);
	for (size_t i = 0; i < left->n; i++) {
		pack_var(to, left->s[i].lo - next);
		pack_var(to, left->s[i].hi - left->s[i].lo);
		next = left->s[i].hi + 1;
	}
	edit_put(e, &key);
	rare_put(e->a, 'p');
}

static int
read_spans(struct unpack *u, struct spans *to)
{
	uint64_t n = unpack_var(u);
	email_id next = 0;
	int      r = 0;

	for (uint64_t i = 0; r == 0 && i < n && unpack_ok(u); i++) {
		uint64_t gap = unpack_var(u), more = unpack_var(u);

		if (gap > INT64_MAX - next || more > INT64_MAX - next - gap)
			return E_CORRUPT;
		r = spans_add(to, next + gap, next + gap + more);
		next += gap + more + 1;
	}
	return r == 0 && (!unpack_ok(u) || n == 0) ? E_CORRUPT : r;
}

int
pending_read(struct str key, struct str value, struct pending *ret)
{
	struct unpack u;
	int           r = key_read_pending(key, &ret->device, &ret->modseq);

	if (r == 0)
		r = record_open(value, VERSION, &u);
	if (r < 0)
		return r;
	ret->when_ms = (int64_t)unpack_u64(&u);
	ret->actor = (struct actor){ .protocol = ACTOR_POP3 };
	ret->actor.device = unpack_str(&u);
	ret->actor.login = unpack_str(&u);
	ret->actor.peer = unpack_str(&u);
	spans_done(&ret->left);
	return read_spans(&u, &ret->left);
}

int
pending_first(struct account *a, struct pending *ret)
{
	struct key   from = key_kind('p'), to = key_kind_end('p');
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r = rare_has(a, 'p');

	*ret = (struct pending){ .value = BUF_INIT(KV_VALUE_MAX) };
	if (r == 1)
		r = kv_scan(
		    a->store->kv, account_part(a), key_str(&from), key_str(&to), false, &it);
	while (r >= 0 && it != NULL && (r = kv_iter_next(it, &k, &v)) > 0) {
		buf_reset(&ret->value);
		buf_str(&ret->value, v);
		if (ret->value.err < 0)
			return ret->value.err;
		if (pending_read(k, buf_view(&ret->value), ret) == 0 &&
		    ret->modseq <= a->load_modseq)
			return 1;
	}
	return r == E_CORRUPT ? 0 : r;
}

void
pending_done(struct pending *p)
{
	spans_done(&p->left);
	buf_done(&p->value);
}

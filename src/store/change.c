/* The change log, read. */
#include "base/error.h"
#include "store/state.h"

struct log_reader {
	mailbox_id mailbox; /* 0: all */
	int (*fn)(void *arg, const struct change *);
	void *arg;
};

/* A snapshot of the log behind `since`, and the modseq that it reaches up to. */
static int
open_log(struct account *a, uint64_t since, struct kv_iter **ret, uint64_t *ret_upto)
{
	struct key from, to = key_kind_end('c');
	int        r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	if (since < a->rec.log_floor)
		return E_NOT_FOUND;
	from = since == UINT64_MAX ? to : key_log(since + 1);
	r = kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, ret);
	if (r < 0)
		return r;
	*ret_upto = account_modseq(a);
	return 0;
}

static int
read_entry(const struct log_reader *l, struct str key, struct str value)
{
	struct log_record rec;
	struct change     change;
	uint64_t          modseq;
	int               r;

	r = key_read_log(key, &modseq);
	if (r == 0)
		r = log_record_unpack(value, &rec);
	if (r < 0)
		return r;
	while ((r = log_item_next(&rec, &change)) > 0) {
		if (change.kind > CHANGE_MAILBOX ||
		    (l->mailbox != 0 && l->mailbox != change.mailbox))
			continue;
		change.modseq = modseq;
		r = l->fn(l->arg, &change);
		if (r != 0)
			return r;
	}
	return r;
}

int
change_scan(struct account *a, uint64_t since, mailbox_id mailbox,
    int (*fn)(void *arg, const struct change *), void *arg, uint64_t *ret_modseq)
{
	const struct log_reader reader = { mailbox, fn, arg };
	OWN(kv_iter)            it = NULL;
	struct str              k, v;
	uint64_t                upto;
	int                     r;

	/* Mostly nothing happened. */
	if (account_modseq(a) == since && account_alive(a) == 0) {
		*ret_modseq = since;
		return 0;
	}
	r = open_log(a, since, &it, &upto);
	if (r < 0)
		return r;
	while ((r = kv_iter_next(it, &k, &v)) > 0) {
		r = read_entry(&reader, k, v);
		if (r != 0)
			return r;
	}
	if (r < 0)
		return r;
	*ret_modseq = upto;
	return 0;
}

/* The change log, read. */
#include "base/error.h"
#include "store/state.h"

struct log_reader {
	mailbox_id mailbox; /* 0: all */
	int (*fn)(void *arg, const struct change *);
	void *arg;
};

/* What is behind `since`: commits that memory has, or a snapshot of the log; and the modseq that it
 * reaches up to. */
struct log_view {
	struct recent_commit commits[RECENT_COMMITS];
	int                  n;  /* -1: the snapshot */
	struct kv_iter      *it;
	uint64_t             upto;
};

static int
open_log(struct account *a, uint64_t since, struct log_view *ret)
{
	struct key from, to = key_kind_end('c');
	int        r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	if (since < a->rec.log_floor)
		return E_NOT_FOUND;
	ret->upto = account_modseq(a);
	ret->n = recent_get(a->recent, since, ret->commits);
	if (ret->n >= 0)
		return 0;
	if (a->recent == NULL)
		a->recent = recent_new(ret->upto);
	from = since == UINT64_MAX ? to : key_log(since + 1);
	return kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false,
	    &ret->it);
}

static int
read_items(const struct log_reader *l, uint64_t modseq, struct log_record *rec)
{
	struct change change;
	int           r;

	while ((r = log_item_next(rec, &change)) > 0) {
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

static int
read_commits(const struct log_reader *l, const struct log_view *log)
{
	int r = 0;

	for (int i = 0; r == 0 && i < log->n; i++) {
		const struct recent_commit *c = &log->commits[i];
		struct log_record           rec = {
			          .version = LOG_VERSION,
			          .items = str_of((const char *)c->items, c->n),
		};

		r = read_items(l, c->modseq, &rec);
	}
	return r;
}

static int
read_snapshot(const struct log_reader *l, struct kv_iter *it)
{
	struct log_record rec;
	struct str        k, v;
	uint64_t          modseq;
	int               r;

	while ((r = kv_iter_next(it, &k, &v)) > 0) {
		r = key_read_log(k, &modseq);
		if (r == 0)
			r = log_record_unpack(v, &rec);
		if (r == 0)
			r = read_items(l, modseq, &rec);
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
	struct log_view         log;
	int                     r;

	/* Mostly nothing happened. */
	if (account_modseq(a) == since && account_alive(a) == 0) {
		*ret_modseq = since;
		return 0;
	}
	log.it = NULL;
	r = open_log(a, since, &log);
	if (r < 0)
		return r;
	if (log.n >= 0) {
		r = read_commits(&reader, &log);
	} else {
		r = read_snapshot(&reader, log.it);
		kv_iter_drop(log.it);
	}
	if (r == 0)
		*ret_modseq = log.upto;
	return r;
}

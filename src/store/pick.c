#include "store/pick.h"

#include "base/error.h"
#include "store/kept.h"

/* From so many UIDs in a row on, a scan is cheaper than gets. */
enum { RUN_MIN = 4 };

void
pick_done(struct pick *p)
{
	if (p->run != NULL)
		kv_iter_drop(p->run);
	p->run = NULL;
}

uint32_t
pick_rest(const struct pick *p)
{
	uint32_t uid = p->at != 0 ? p->at : 1;

	for (;;) {
		uint32_t wanted;

		uid = ranges_next(p->in, uid);
		if (uid == 0 || (p->end != 0 && uid > p->end) || uid == UINT32_MAX)
			return 0;
		wanted = p->uids != NULL ? ranges_next(p->uids, uid) : uid;
		if (wanted == uid || wanted == 0)
			return wanted;
		uid = wanted;
	}
}

/* The end of the range that v is in. */
static uint32_t
range_end(const struct ranges *s, uint32_t v)
{
	size_t lo = 0, hi = s->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->r[mid].hi < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return s->r[lo].hi;
}

static int
open_run(struct pick *p, uint32_t uid)
{
	uint32_t   end = range_end(p->in, uid);
	struct key from, to;

	if (p->uids != NULL && range_end(p->uids, uid) < end)
		end = range_end(p->uids, uid);
	p->run_end = end;
	/* A scan may meet damage that lies beside it. */
	if (end - uid < RUN_MIN || INDEX_LOST(p->box)->n != 0)
		return 0;
	from = key_message(p->box->id, uid);
	to = key_uid_end('m', p->box->id, end);
	return kv_scan(p->a->store->kv, account_part(p->a), key_str(&from), key_str(&to), false,
	    &p->run);
}

static int
next_of_run(struct pick *p, uint32_t uid, struct message *ret)
{
	struct str k, v;
	mailbox_id id;
	uint32_t   at;
	int        r = kv_iter_next(p->run, &k, &v);

	if (r < 0)
		return r;
	/* The index says that it is there. */
	if (r == 0 || key_read_uid(k, 'm', &id, &at) < 0 || at != uid)
		return E_CORRUPT;
	return message_record_unpack(v, uid, ret);
}

static int
get_one(const struct pick *p, uint32_t uid, struct message *ret)
{
	const struct index  *index = &p->box->index;
	const struct kept_at at = { p->a->load, p->box->id, uid };
	struct part         *part = NULL;

	if (p->no_modseq && index->has_flags)
		part = kept_get(p->a->store->messages, &at, ret, NULL);
	if (part == NULL)
		return message_fetch(p->a, p->box->id, uid, ret);
	part_drop(part);
	ret->flags = index->flags.sets[index->flags.code[ranges_rank(&index->set[0], uid) - 1]];
	return 0;
}

int
pick_next(struct pick *p, struct message *ret)
{
	uint32_t uid = pick_rest(p);
	int      r = 0;

	if (uid == 0)
		return 0;
	if (p->run != NULL && uid > p->run_end)
		pick_done(p);
	if (p->run == NULL)
		r = open_run(p, uid);
	if (r == 0)
		r = p->run != NULL ? next_of_run(p, uid, ret)
		                   : get_one(p, uid, ret);
	if (r < 0)
		return r == E_MESSAGE_GONE ? E_CORRUPT : r;
	p->at = uid + 1;
	return 1;
}

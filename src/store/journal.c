#include "store/journal_read.h"

#include "base/error.h"
#include "store/edit.h"
#include "store/name.h"

enum { SEEK_ENOUGH = 64 };

struct reader {
	const struct journal_query *query;
	int (*fn)(void *arg, const struct journal_event *);
	void *arg;
};

/* --- from items to events --- */

static enum journal_what
how_it_came(const struct log_record *rec, const struct change *c)
{
	switch (c->way) {
	case CHANGE_BY_COPY:
		return JOURNAL_COPIED;
	case CHANGE_BY_MOVE:
		return JOURNAL_MOVED;
	case CHANGE_BY_RESTORE:
		return JOURNAL_RESTORED;
	case CHANGE_PLAIN:
		break;
	}
	return rec->protocol == ACTOR_SMTP || rec->protocol == ACTOR_LMTP ||
	        rec->protocol == ACTOR_SUBMISSION
	    ? JOURNAL_DELIVERED
	    : JOURNAL_APPENDED;
}

/* What one change of flags is to people: an event for each. */
static const struct {
	unsigned          flag;
	enum journal_what set, cleared;
} FLAG_EVENTS[] = {
	{ FLAG_SEEN, JOURNAL_READ, JOURNAL_UNREAD },
	{ FLAG_FLAGGED, JOURNAL_FLAGGED, JOURNAL_UNFLAGGED },
};

static int
tell(const struct reader *rd, struct journal_event *ev, enum journal_what what)
{
	ev->what = what;
	return rd->fn(rd->arg, ev);
}

static int
tell_flags(const struct reader *rd, struct journal_event *ev)
{
	const unsigned named = FLAG_SEEN | FLAG_FLAGGED;
	int            r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(FLAG_EVENTS); i++) {
		if ((ev->set & FLAG_EVENTS[i].flag) != 0)
			r = tell(rd, ev, FLAG_EVENTS[i].set);
		else if ((ev->cleared & FLAG_EVENTS[i].flag) != 0)
			r = tell(rd, ev, FLAG_EVENTS[i].cleared);
	}
	if (r == 0 && (((ev->set | ev->cleared) & ~named) != 0 || (ev->set | ev->cleared) == 0))
		r = tell(rd, ev, JOURNAL_FLAGS);
	return r;
}

static int
tell_one(const struct reader *rd, const struct log_record *rec, const struct change *c,
    struct journal_event *ev)
{
	switch (c->kind) {
	case CHANGE_APPEND:
		return tell(rd, ev, how_it_came(rec, c));
	case CHANGE_FLAGS:
		return tell_flags(rd, ev);
	case CHANGE_EXPUNGE:
		return tell(rd, ev, JOURNAL_REMOVED);
	case CHANGE_FETCHED:
		return tell(rd, ev, JOURNAL_FETCHED);
	case CHANGE_HIDDEN:
		return tell(rd, ev, JOURNAL_HIDDEN);
	case CHANGE_PURGED:
		return tell(rd, ev, JOURNAL_PURGED);
	case CHANGE_MAILBOX:
		break;
	}
	return 0;
}

/* Moving is a removal here and an addition there in one commit: told once, by the latter. */
static bool
is_told(const struct change *c)
{
	return c->kind != CHANGE_MAILBOX &&
	    !(c->kind == CHANGE_EXPUNGE && c->way != CHANGE_PLAIN);
}

static int
tell_item(const struct reader *rd, const struct log_record *rec, const struct change *c,
    const struct journal_event *common)
{
	email_id wanted = rd->query->email;
	uint32_t first = 0, last = c->n - 1;
	int      r = 0;

	if (wanted != 0) {
		if (c->email == 0 || wanted < c->email || wanted - c->email > last)
			return 0;
		first = last = (uint32_t)(wanted - c->email);
	}
	for (uint32_t i = first; r == 0 && i <= last; i++) {
		struct journal_event ev = *common;

		ev.mailbox = c->mailbox;
		ev.from = c->way != CHANGE_PLAIN && c->kind == CHANGE_APPEND ? common->from : 0;
		ev.email = c->email != 0 ? c->email + i : 0;
		ev.uid = c->uid_lo != 0 ? c->uid_lo + i : 0;
		ev.set = c->set;
		ev.cleared = c->cleared;
		r = tell_one(rd, rec, c, &ev);
		if (i == UINT32_MAX)
			break;
	}
	return r;
}

mailbox_id
journal_moved_from(struct log_record rec)
{
	struct change c;

	while (log_item_next(&rec, &c) > 0)
		if (c.kind == CHANGE_EXPUNGE && c.way != CHANGE_PLAIN)
			return c.mailbox;
	return 0;
}

static int
read_entry(const struct reader *rd, struct str key, struct str value)
{
	struct journal_event common = { 0 };
	struct log_record    rec;
	struct change        c;
	int                  r;

	/* What is damaged is passed over. */
	if (key_read_log(key, &common.modseq) < 0 || log_record_unpack(value, &rec) < 0 ||
	    rec.when_ms < rd->query->since_ms)
		return 0;
	common.when_ms = rec.when_ms;
	common.protocol = rec.protocol;
	common.peer = rec.peer;
	common.login = rec.login;
	common.device = rec.device;
	common.from = journal_moved_from(rec);
	while (log_item_next(&rec, &c) > 0) {
		r = is_told(&c) ? tell_item(rd, &rec, &c, &common) : 0;
		if (r != 0)
			return r;
	}
	return 0;
}

int
journal_open(struct account *a, uint64_t after, struct kv_iter **ret)
{
	struct key to = key_kind_end('c');
	struct key from = after == UINT64_MAX ? to : key_log(after + 1);

	return kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, ret);
}

/* --- since --- */

/* The commit after `modseq`: 1 and its time, 0 when there is none. */
static int
time_after(struct account *a, uint64_t modseq, uint64_t *ret_modseq, int64_t *ret_ms)
{
	OWN(kv_iter)      it = NULL;
	struct log_record rec;
	struct str        k, v;
	int               r = journal_open(a, modseq, &it);

	if (r == 0)
		r = kv_iter_next(it, &k, &v);
	if (r <= 0)
		return r;
	r = key_read_log(k, ret_modseq);
	if (r == 0)
		r = log_record_unpack(v, &rec);
	if (r < 0)
		return r;
	*ret_ms = rec.when_ms;
	return 1;
}

int
journal_seek(struct account *a, int64_t since_ms, uint64_t *after)
{
	uint64_t lo = *after > a->rec.log_floor ? *after : a->rec.log_floor;
	uint64_t hi = account_modseq(a);

	if (since_ms < JOURNAL_CLOCK_MS)
		return 0;
	while (lo < hi && hi - lo > SEEK_ENOUGH) {
		uint64_t mid = lo + (hi - lo) / 2, at;
		int64_t  when_ms = 0; /* for gcc with TSan */
		int      r = time_after(a, mid, &at, &when_ms);

		/* With damage in the way it is read from the beginning. */
		if (r < 0)
			return r == E_CORRUPT ? 0 : r;
		if (r == 1 && when_ms < since_ms - JOURNAL_CLOCK_MS)
			lo = at;
		else
			hi = mid;
	}
	if (lo > *after)
		*after = lo;
	return 0;
}

static int
open_log(struct account *a, const struct journal_query *query, struct kv_iter **ret)
{
	uint64_t after = query->after;
	int      r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = journal_seek(a, query->since_ms, &after);
	return r < 0 ? r : journal_open(a, after, ret);
}

int
journal_scan(struct account *a, const struct journal_query *query,
    int (*fn)(void *arg, const struct journal_event *), void *arg)
{
	const struct reader reader = { query, fn, arg };
	OWN(kv_iter)        it = NULL;
	struct str          k, v;
	int                 r = open_log(a, query, &it);

	while (r == 0 && (r = kv_iter_next(it, &k, &v)) > 0)
		r = read_entry(&reader, k, v);
	return r;
}

/* --- what was fetched --- */

int
journal_fetched(struct account *a, const struct view_message *m, const uint32_t *which, uint32_t n,
    const struct actor *actor)
{
	OWN_EDIT struct edit  e = { 0 };
	const struct mailbox *inbox;
	int                   r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0 || n == 0)
		return r;
	inbox = account_box_named(a, INBOX);
	edit_begin(&e, a, actor);
	for (uint32_t i = 0; i < n; i++) {
		const struct view_message *vm = &m[which[i]];
		struct change              c = { .kind = CHANGE_FETCHED, .email = vm->email };

		if (vm->uid != 0 && inbox != NULL) {
			c.mailbox = inbox->id;
			c.uid_lo = vm->uid;
		}
		edit_log(&e, &c);
	}
	return edit_commit(&e, EDIT_LAZY);
}

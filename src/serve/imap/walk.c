#include "serve/imap/walk.h"

#include "base/error.h"

/* Reading over a message that is not asked for costs less than opening a scan behind it. */
enum { GAP_MAX = 24, FACTS_MAX = 64 << 20 };

void
walk_init(struct walk *w, struct account *account, mailbox_id mailbox, const struct ranges *set,
    enum message_parts parts)
{
	*w = (struct walk){
		.account = account,
		.mailbox = mailbox,
		.set = set,
		.parts = parts,
		.next = ranges_min(set),
		.hold = BUF_INIT(FACTS_MAX),
	};
}

void
walk_pause(struct walk *w)
{
	if (w->iter != NULL)
		message_iter_drop(w->iter);
	w->iter = NULL;
	buf_done(&w->hold);
}

/* The last UID of the stretch that begins at w->next: of all ranges that lie close together. */
static uint32_t
stretch_end(const struct walk *w)
{
	const struct ranges *s = w->set;
	size_t               last = w->at;

	while (last + 1 < s->n && s->r[last + 1].lo - s->r[last].hi <= GAP_MAX)
		last++;
	return s->r[last].hi;
}

/* May memory have what is asked for? Then a scan costs next to nothing. */
static bool
is_in_memory(enum message_parts parts)
{
	return parts == SCAN_FLAGS || parts == SCAN_KEPT || parts == SCAN_KEPT_FACTS;
}

/* A single message: 1 and the message, 0 when it is gone, or an error as walk_next. */
static int
look_up(struct walk *w, struct message *ret, struct message_facts *ret_facts)
{
	bool with_facts = w->parts != SCAN_RECORDS && w->parts != SCAN_FLAGS;
	int  r = 0;

	if (w->parts != SCAN_FACTS)
		r = message_get(w->account, w->mailbox, w->next, ret);
	else
		*ret = (struct message){ .uid = w->next };
	if (r == 0 && with_facts) {
		struct message_facts facts;

		buf_reset(&w->hold);
		r = message_get_facts(w->account, w->mailbox, w->next, &w->hold, &facts);
		if (r == 0 && ret_facts != NULL)
			*ret_facts = facts;
	}
	if (r == E_MESSAGE_GONE)
		return 0;
	if (r == E_CORRUPT)
		*ret = (struct message){ .uid = w->next };
	return r < 0 ? r : 1;
}

/* Moves `at` to the first range that reaches uid; false behind the last. */
static bool
seek(struct walk *w, uint32_t uid)
{
	while (w->at < w->set->n && w->set->r[w->at].hi < uid)
		w->at++;
	return w->at < w->set->n;
}

static void
go_behind(struct walk *w, uint32_t uid)
{
	w->next = uid == UINT32_MAX || !seek(w, uid + 1) ? 0 : uid + 1;
	if (w->next != 0 && w->next < w->set->r[w->at].lo)
		w->next = w->set->r[w->at].lo;
}

int
walk_next(struct walk *w, struct message *ret, struct message_facts *ret_facts)
{
	int r;

	while (w->next != 0) {
		if (w->iter == NULL) {
			uint32_t end = stretch_end(w);

			if (end == w->next && !is_in_memory(w->parts)) {
				r = look_up(w, ret, ret_facts);
				go_behind(w, end);
				if (r != 0)
					return r;
				continue;
			}
			w->iter_hi = end;
			r = message_scan(w->account, w->mailbox, w->next, end, w->parts,
			    &w->iter);
			if (r < 0)
				return r;
		}
		r = message_iter_next(w->iter, ret, ret_facts);
		if (r < 0 && r != E_CORRUPT)
			return r;
		if (r == 0) {
			walk_pause(w);
			go_behind(w, w->iter_hi);
			continue;
		}
		if (ret->uid < w->next)
			continue; /* in a gap */
		seek(w, ret->uid);
		if (ret->uid < w->set->r[w->at].lo)
			continue; /* in a later gap */
		go_behind(w, ret->uid);
		return r;
	}
	walk_pause(w);
	return 0;
}

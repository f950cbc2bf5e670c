#include "serve/pop3/box.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "store/journal.h"

int
pop3_box_open(struct pop3_box *b, struct account *account, device_id device)
{
	int r;

	*b = (struct pop3_box){ .account = account };
	r = device_view_open(&b->view, account, device);
	if (r < 0)
		pop3_box_done(b);
	return r;
}

void
pop3_box_done(struct pop3_box *b)
{
	device_view_done(&b->view);
	ranges_done(&b->seen);
	mem_free(b->fresh);
	if (b->account != NULL)
		account_drop(b->account);
	*b = (struct pop3_box){ 0 };
}

uint64_t
pop3_box_size(const struct view_message *m)
{
	return m->size + m->wire_more;
}

int
pop3_box_load(struct pop3_box *b, bool *ret_done)
{
	bool done;
	int  r = device_view_load(&b->view, &done);

	if (r < 0)
		return r;
	if (done) {
		b->n_left = b->view.n;
		for (uint32_t i = 0; i < b->view.n; i++)
			b->size_left += pop3_box_size(&b->view.m[i]);
	}
	*ret_done = done;
	return 0;
}

int
pop3_box_find(struct pop3_box *b, uint32_t number, struct view_message **ret)
{
	if (number == 0 || number > b->view.n ||
	    (b->view.m[number - 1].marks & POP3_DELETED) != 0)
		return E_NOT_FOUND;
	*ret = &b->view.m[number - 1];
	return 0;
}

void
pop3_box_delete(struct pop3_box *b, struct view_message *m)
{
	m->marks |= POP3_DELETED;
	b->n_left--;
	b->size_left -= pop3_box_size(m);
}

void
pop3_box_reset(struct pop3_box *b)
{
	for (uint32_t i = 0; i < b->view.n; i++) {
		struct view_message *m = &b->view.m[i];

		if ((m->marks & POP3_DELETED) == 0)
			continue;
		m->marks &= (uint8_t)~POP3_DELETED;
		b->n_left++;
		b->size_left += pop3_box_size(m);
	}
}

/* --- what was fetched --- */

static int
by_number(const void *x, const void *y)
{
	const uint32_t *a = x, *b = y;

	return *a < *b ? -1 : *a > *b;
}

/* A message is in a session's journal once. */
static void
add_fresh(struct pop3_box *b, const struct view_message *m)
{
	if (b->fresh == NULL) {
		b->fresh = mem_alloc(POP3_NOTE_MAX * sizeof(*b->fresh));
		b->noted_ms = clock_mono_ms();
	}
	if (b->fresh != NULL && b->n_fresh < POP3_NOTE_MAX)
		b->fresh[b->n_fresh++] = (uint32_t)(m - b->view.m);
}

bool
pop3_box_fetched(struct pop3_box *b, struct view_message *m, bool by_retr)
{
	if ((m->marks & POP3_FETCHED) == 0)
		add_fresh(b, m);
	m->marks |= by_retr ? POP3_FETCHED | POP3_READ_IT : POP3_FETCHED;
	b->fetched.fetched_n++;
	b->fetched.fetched_bytes += pop3_box_size(m);
	return b->n_fresh == POP3_NOTE_MAX || clock_mono_ms() - b->noted_ms >= POP3_NOTE_MS;
}

int
pop3_box_note(struct pop3_box *b, const struct actor *actor)
{
	const struct device_counts counts = b->fetched;
	uint32_t                   n = b->n_fresh;
	int                        r;

	if (counts.fetched_n == 0)
		return 0;
	b->fetched = (struct device_counts){ 0 };
	b->n_fresh = 0;
	b->noted_ms = clock_mono_ms();
	r = device_count(b->account, b->view.device, ACTOR_POP3, &counts);
	if (r < 0 || n == 0)
		return r;
	qsort(b->fresh, n, sizeof(*b->fresh), by_number);
	return journal_fetched(b->account, b->view.m, b->fresh, n, actor);
}

/* --- the end of a session --- */

static bool
becomes_seen(const struct view_message *m)
{
	return (m->marks & (POP3_DELETED | POP3_READ_IT)) == POP3_READ_IT && m->uid != 0 &&
	       !m->was_seen;
}

/* UIDs of what came back into INBOX are in another order than email ids. */
static int
plan_seen(const struct device_view *v, struct ranges *to)
{
	uint32_t *uids, n = 0;
	int       r = 0;

	for (uint32_t i = 0; i < v->n; i++)
		n += becomes_seen(&v->m[i]);
	if (n == 0)
		return 0;
	uids = mem_alloc(n * sizeof(*uids));
	if (uids == NULL)
		return E_NOMEM;
	n = 0;
	for (uint32_t i = 0; i < v->n; i++)
		if (becomes_seen(&v->m[i]))
			uids[n++] = v->m[i].uid;
	qsort(uids, n, sizeof(*uids), by_number);
	for (uint32_t i = 0; r == 0 && i < n; i++)
		r = ranges_add(to, uids[i], uids[i]);
	mem_free(uids);
	return r;
}

static int
plan(struct pop3_box *b)
{
	const struct device_view *v = &b->view;
	int                       r = plan_seen(v, &b->seen);

	if (r < 0)
		return r;
	b->removal = (struct pop3_removal){
		.device = v->device, .m = v->m, .n = v->n, .mark = POP3_DELETED
	};
	b->seen_at = ranges_min(&b->seen);
	b->planned = true;
	return 0;
}

int
pop3_box_remove(struct pop3_box *b, const struct actor *actor, bool *ret_done)
{
	int r = b->planned ? 0 : plan(b);

	if (r < 0)
		return r;
	if (b->n_left == b->view.n) {
		*ret_done = true;
		return 0;
	}
	return pop3_remove_part(b->account, &b->removal, actor, ret_done);
}

int
pop3_box_set_seen(struct pop3_box *b, const struct actor *actor, bool *ret_done)
{
	static const struct flag_change seen = { FLAGS_ADD, .flags = { .system = FLAG_SEEN } };
	int                             r = 0;

	if (b->seen_at != 0)
		r = message_change_flags(b->account, b->view.inbox, &b->seen, b->seen_at, &seen,
		    actor, NULL, &b->seen_at);
	if (r < 0)
		return r;
	*ret_done = b->seen_at == 0;
	return 0;
}

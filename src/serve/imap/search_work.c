/* The workers of a SEARCH. */
#include "serve/imap/search_work.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "serve/imap/walk.h"

/* Kept texts between two looks at the clock; texts that are worth a chunk at the end of a unit. */
enum { CLOCK_EVERY = 64, KEEP_MIN = 16 };

struct candidate {
	struct message    m;
	uint64_t          chunk;  /* 0: its text is not kept */
	enum search_known answer;
};

struct search_worker {
	struct search       *search;
	struct search_look   look;
	uint32_t             unit;
	bool                 busy;    /* with that unit */
	struct candidate    *c;       /* of the unit; room for all of it */
	uint32_t             n;
	uint32_t            *open;    /* those that their records left open, ordered by texts */
	uint32_t             n_open;
	uint32_t             at;      /* in them */
	struct text_reader  *reader;  /* NULL where no texts are read */
	struct text_builder *builder; /* these when they are needed */
	struct text_keeper  *keeper;
	size_t               kept;    /* by the keeper before this unit */
};

void
search_worker_drop(struct search_worker *w)
{
	if (w->reader != NULL)
		text_reader_drop(w->reader);
	if (w->builder != NULL)
		text_builder_drop(w->builder);
	if (w->keeper != NULL)
		text_keeper_drop(w->keeper);
	search_look_done(&w->look);
	mem_free(w->c);
	mem_free(w->open);
	mem_free(w);
}
OWN_DEFINE(search_worker)

static int
worker_new(struct search *s, struct search_worker **ret)
{
	OWN(search_worker) w = MEM_NEW(struct search_worker);
	int                r;

	if (w == NULL)
		return E_NOMEM;
	w->search = s;
	search_look_init(&w->look, &s->strings);
	/* Records alone leave none open: what they find is noted at once. */
	w->c = mem_alloc((s->reads ? s->unit : 1) * sizeof(*w->c));
	w->open = mem_alloc((s->reads ? s->unit : 1) * sizeof(*w->open));
	r = w->c != NULL && w->open != NULL ? 0 : E_NOMEM;
	if (r == 0 && s->reads)
		r = text_reader_new(s->view->account, &w->reader);
	if (r < 0)
		return r;
	*ret = TAKE(w);
	return 0;
}

/* --- the records --- */

/* The UIDs of a unit. */
static int
unit_uids(const struct search *s, uint32_t unit, struct ranges *ret)
{
	const struct ranges *all = &s->candidates;
	uint32_t             count = ranges_count(all), first = unit * s->unit + 1;
	uint32_t             last = count - first < s->unit ? count : first + s->unit - 1;
	uint32_t             lo = ranges_nth(all, first), hi = ranges_nth(all, last);
	size_t               at = 0, end = all->n;
	int                  r = 0;

	while (at < end) { /* the first range that reaches lo */
		size_t mid = at + (end - at) / 2;

		if (all->r[mid].hi < lo)
			at = mid + 1;
		else
			end = mid;
	}
	for (; r == 0 && at < all->n && all->r[at].lo <= hi; at++)
		r = ranges_add(ret, all->r[at].lo > lo ? all->r[at].lo : lo,
		    all->r[at].hi < hi ? all->r[at].hi : hi);
	return r;
}

static int
note_found(struct search_unit *u, const struct message *m)
{
	if (u->found.n == 0)
		u->modseq_first = m->modseq;
	u->modseq_last = m->modseq;
	if (m->modseq > u->modseq)
		u->modseq = m->modseq;
	return ranges_add(&u->found, m->uid, m->uid);
}

/* Takes those out that columns rule out; none are left when they tell all. */
static int
ask_columns(const struct search *s, struct search_unit *u, struct ranges *uids)
{
	OWN_RANGES struct ranges may = { 0 };
	struct ranges            swap = *uids;
	int                      r = search_columns(s, uids, &may);

	if (r < 0)
		return r == E_NOT_FOUND ? 0 : r;
	*uids = may;
	may = swap;
	if (s->beyond_columns)
		return 0;
	u->found = *uids;
	*uids = (struct ranges){ 0 };
	return 0;
}

/* The next candidate, as its record tells. */
static int
take_record(struct search_worker *w)
{
	const struct search *s = w->search;
	struct candidate    *c = &w->c[w->n];

	search_look_begin(&w->look);
	c->answer = search_judge(s, &w->look, &c->m);
	if (!s->reads)
		return c->answer == SEARCH_YES ? note_found(&s->units[w->unit], &c->m) : 0;
	if (c->answer == SEARCH_UNKNOWN)
		w->open[w->n_open++] = w->n;
	if (c->answer != SEARCH_NO)
		w->n++;
	return 0;
}

static int
read_records(struct search_worker *w)
{
	OWN_RANGES struct ranges uids = { 0 };
	const struct search     *s = w->search;
	struct walk              walk;
	int                      r = unit_uids(s, w->unit, &uids);

	w->n = w->n_open = w->at = 0;
	if (r == 0 && s->by_columns)
		r = ask_columns(s, &s->units[w->unit], &uids);
	if (r < 0)
		return r;
	walk_init(&walk, s->view->account, s->view->mailbox, &uids, SCAN_RECORDS);
	/* What cannot be read is not found. */
	while (w->n < s->unit && r >= 0 &&
	    ((r = walk_next(&walk, &w->c[w->n].m, NULL)) == 1 || r == E_CORRUPT))
		r = r == 1 ? take_record(w) : 0;
	walk_pause(&walk);
	return r < 0 ? r : 0;
}

/* --- their texts --- */

static int
by_chunk(const void *x, const void *y, void *arg)
{
	const struct candidate *c = arg;
	const struct candidate *a = &c[*(const uint32_t *)x], *b = &c[*(const uint32_t *)y];

	if (a->chunk != b->chunk)
		return a->chunk < b->chunk ? -1 : 1;
	return a->m.email < b->m.email ? -1 : a->m.email > b->m.email;
}

/* Texts of one chunk are looked at together; those that are not kept come first. */
static int
locate_texts(struct search_worker *w)
{
	bool in_order = true;
	int  r = 0;

	for (uint32_t i = 0; r == 0 && i < w->n_open; i++) {
		struct candidate *c = &w->c[w->open[i]];

		r = text_locate(w->reader, c->m.email, &c->chunk);
		if (i > 0 && by_chunk(&w->open[i - 1], &w->open[i], w->c) > 0)
			in_order = false;
	}
	if (r == 0 && !in_order)
		qsort_r(w->open, w->n_open, sizeof(*w->open), by_chunk, w->c);
	return r;
}

static enum search_known
judge_text(struct search_worker *w, const struct candidate *c, const struct text *t, bool top_only)
{
	search_look_begin(&w->look);
	search_look_text(&w->look, t, top_only);
	return search_judge(w->search, &w->look, &c->m);
}

/* A text that is too large to be had at once. */
static int
judge_large(struct search_worker *w, struct candidate *c, const struct text_want *want)
{
	const struct text_sink sink = search_look_sink(&w->look);
	struct text_date       date;
	int                    r;

	search_look_begin(&w->look);
	r = text_decode(w->builder, want, &sink, &date);
	if (r < 0)
		return r;
	search_look_end(&w->look, want->top_only);
	search_look_date(&w->look, &date);
	c->answer = search_judge(w->search, &w->look, &c->m);
	return 0;
}

/* Decodes it, as much as is wanted, and keeps it when it is all of it. */
static int
judge_decoded(struct search_worker *w, struct candidate *c, const struct text_want *want)
{
	struct text t;
	int         r = text_make(w->builder, want, &t);

	if (r < 0)
		return r;
	/* That it cannot be kept is no fault of the search. */
	if (!want->top_only)
		(void)text_keep(w->keeper, &c->m, &t);
	if (t.is_large)
		return judge_large(w, c, want);
	c->answer = judge_text(w, c, &t, want->top_only);
	return 0;
}

static int
need_builder(struct search_worker *w)
{
	int r = 0;

	if (w->builder == NULL)
		r = text_builder_new(w->search->view->account, &w->builder);
	if (r == 0 && w->keeper == NULL)
		r = text_keeper_new(w->search->view->account, &w->keeper);
	return r;
}

/* The header first, where that may do. is_large: it is known to be. */
static int
judge_unkept(struct search_worker *w, struct candidate *c, bool is_large)
{
	const struct search *s = w->search;
	struct text_want     want = { .mailbox = s->view->mailbox, .message = &c->m };
	int                  r = need_builder(w);

	if (r == 0 && (s->strings.in_top || s->sent_date)) {
		want.top_only = true;
		r = judge_decoded(w, c, &want);
	}
	want.top_only = false;
	if (r == 0 && c->answer == SEARCH_UNKNOWN)
		r = is_large ? judge_large(w, c, &want) : judge_decoded(w, c, &want);
	if (r == E_MESSAGE_GONE) {
		c->answer = SEARCH_NO;
		r = 0;
	}
	return r;
}

/* *ret_quick: its text was at hand. */
static int
judge_open(struct search_worker *w, struct candidate *c, bool *ret_quick)
{
	struct text t = { 0 };
	int         r = c->chunk != 0 ? text_open(w->reader, c->chunk) : E_NOT_FOUND;

	*ret_quick = false;
	if (r < 0 && r != E_NOT_FOUND)
		return r;
	if (r == E_NOT_FOUND || !text_get(w->reader, &c->m, &t) || t.is_large)
		return judge_unkept(w, c, t.is_large);
	c->answer = judge_text(w, c, &t, false);
	*ret_quick = true;
	return 0;
}

/* 1: the time is over. */
static int
judge_texts(struct search_worker *w, int64_t end)
{
	while (w->at < w->n_open) {
		bool quick;
		int  r = judge_open(w, &w->c[w->open[w->at]], &quick);

		if (r < 0)
			return r;
		w->at++;
		if ((!quick || w->at % CLOCK_EVERY == 0) && clock_mono_ms() >= end)
			return 1;
	}
	return 0;
}

/* --- units --- */

/* A handful of new texts waits for more of them; what was begun is brought to an end. */
static void
keep_rest(struct search_worker *w)
{
	if (w->keeper == NULL)
		return;
	if (text_waiting(w->keeper) >= KEEP_MIN || text_written(w->keeper) != w->kept)
		(void)text_flush(w->keeper);
	w->kept = text_written(w->keeper);
}

/* Units behind one that found something do not matter where the first is all that is asked for. */
static void
end_here(struct search *s, uint32_t unit)
{
	uint32_t end = atomic_load_explicit(&s->end, memory_order_relaxed);

	while (unit + 1 < end && !atomic_compare_exchange_weak(&s->end, &end, unit + 1))
		;
}

static int
end_unit(struct search_worker *w)
{
	struct search      *s = w->search;
	struct search_unit *u = &s->units[w->unit];
	int                 r = 0;

	for (uint32_t i = 0; r == 0 && i < w->n; i++)
		if (w->c[i].answer == SEARCH_YES)
			r = note_found(u, &w->c[i].m);
	keep_rest(w);
	w->busy = false;
	if (s->first_only && u->found.n != 0)
		end_here(s, w->unit);
	return r;
}

static bool
take_unit(struct search_worker *w)
{
	struct search *s = w->search;
	uint32_t       unit = atomic_load_explicit(&s->next, memory_order_relaxed);

	/* It does not run on behind the last one, whoever asks how often. */
	do {
		if (unit >= s->n_units ||
		    unit >= atomic_load_explicit(&s->end, memory_order_relaxed))
			return false;
	} while (!atomic_compare_exchange_weak(&s->next, &unit, unit + 1));
	w->unit = unit;
	return true;
}

/* 1: the time is over; 0: the unit is done. */
static int
work_unit(struct search_worker *w, int64_t end)
{
	int r = 0;

	if (!w->busy) {
		r = read_records(w);
		if (r == 0 && w->n_open != 0)
			r = locate_texts(w);
		if (r < 0)
			return r;
		w->busy = true;
	}
	r = judge_texts(w, end);
	return r != 0 ? r : end_unit(w);
}

int
search_work(struct search *s, unsigned number, int64_t budget_ms)
{
	int64_t               end = clock_mono_ms() + budget_ms;
	struct search_worker *w = s->workers[number];
	int                   r = 0;

	if (w == NULL) {
		r = worker_new(s, &w);
		if (r < 0)
			return r;
		s->workers[number] = w;
	}
	do {
		if (!w->busy && !take_unit(w))
			return 0;
		r = work_unit(w, end);
	} while (r == 0 && clock_mono_ms() < end);
	return r < 0 ? r : 1;
}

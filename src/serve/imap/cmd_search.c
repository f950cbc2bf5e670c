/* SEARCH. RFC 3501 s6.4.4, s7.2.5; RFC 4731 (ESEARCH); RFC 7162 s3.1.5, s3.1.6 */
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "serve/imap/search.h"
#include "serve/imap/verbs.h"

/* So long the worker goes on by itself where no message must be read; so long is a turn on the job
 * threads, so that searches do not keep logins waiting. */
enum { INLINE_MS = 10, JOB_MS = 20 };
/* A line to the client after each such time: who has gone is found out by that, and waits for the
 * line are not mistaken for a dead server. */
enum { PROGRESS_MS = 10000 };

struct slot {
	struct run *run;
	unsigned    number;
	int         r;  /* of the last slice */
};

struct run {
	struct conn        *conn;
	struct account     *account;
	struct search      *search;
	struct account_turn turn;   /* one search of an account at a time is on the job threads */
	struct slot         slots[SEARCH_WORKERS_MAX];
	unsigned            n_slots;
	atomic_uint         busy;   /* slices on their way, and who starts them */
	bool                sliced; /* they are to be looked at */
	int64_t             tell_at;
	bool                done;   /* all workers are */
	bool                ended;  /* what they found is joined */
	bool                begun;  /* the answer */
	struct ranges       numbers; /* what was found as message numbers */
	size_t              at;     /* answered up to this range */
	uint32_t            next;   /* SEARCH: and up to this number in it */
};

static void
run_drop(void *job)
{
	struct run *run = job;

	account_turn_leave(run->account, &run->turn);
	if (run->search != NULL)
		search_drop(run->search);
	ranges_done(&run->numbers);
}

static void
my_turn(struct account_turn *turn)
{
	conn_wake(CONTAINER_OF(turn, struct run, turn)->conn);
}

/* As many as there are processors; what is found in memory alone is for one. */
static unsigned
slots_for(const struct search *search)
{
	long     processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = search_workers(search);

	return processors > 0 && n > (unsigned long)processors ? (unsigned)processors : n;
}

/* Its slots as they are before the first slice. */
static void
make_slots(struct run *run)
{
	run->n_slots = slots_for(run->search);
	for (unsigned i = 0; i < run->n_slots; i++)
		run->slots[i] = (struct slot){ .run = run, .number = i, .r = 1 };
}

static int
begin(struct imap_session *s, struct imap_command *c)
{
	struct run *run = ARENA_NEW(&s->arena, struct run);
	int         r;

	if (run == NULL)
		return E_NOMEM;
	run->conn = s->conn;
	run->account = s->account;
	run->turn.go = my_turn;
	run->tell_at = clock_mono_ms() + PROGRESS_MS;
	c->job = run;
	c->drop = run_drop;
	r = search_new(s->view, &c->args.search, &s->arena, &run->search);
	if (r < 0)
		return r;
	if (c->args.search.has_modseq)
		imap_condstore_on(s);
	make_slots(run);
	if (search_reads(run->search))
		return 0;
	r = search_work(run->search, 0, INLINE_MS);
	run->done = r == 0;
	return r < 0 ? r : 0;
}

/* --- slices --- */

/* The one who finishes last wakes the session; until then it is parked, and stays. */
static void
leave(struct run *run)
{
	struct conn *conn = run->conn;

	if (atomic_fetch_sub(&run->busy, 1) == 1)
		conn_wake(conn);
}

static void
slice_job(void *arg)
{
	struct slot *slot = arg;

	slot->r = search_work(slot->run->search, slot->number, JOB_MS);
	leave(slot->run);
}

/* Gives each worker that has something to do a job thread. E_BUSY when there is no room for one. */
static int
start_slices(struct run *run)
{
	unsigned started = 0;
	int      r = 0;

	atomic_store(&run->busy, 1);
	for (unsigned i = 0; r == 0 && i < run->n_slots; i++) {
		if (run->slots[i].r == 0)
			continue;
		atomic_fetch_add(&run->busy, 1);
		r = net_job(conn_net(run->conn), slice_job, &run->slots[i]);
		if (r == 0)
			started++;
		else
			atomic_fetch_sub(&run->busy, 1);
	}
	if (started == 0)
		return r;
	leave(run);
	return 0;
}

/* What the slices came to: an error, or is it all done? Others have their turn next. */
static int
look_at_slices(struct run *run)
{
	account_turn_leave(run->account, &run->turn);
	run->sliced = false;
	run->done = true;
	for (unsigned i = 0; i < run->n_slots; i++) {
		if (run->slots[i].r < 0)
			return run->slots[i].r;
		if (run->slots[i].r == 1)
			run->done = false;
	}
	return 0;
}

/* A line now and then: when the client has gone, writing to it ends the session. */
static bool
tell_progress(struct run *run)
{
	int64_t now = clock_mono_ms();

	if (now < run->tell_at)
		return false;
	run->tell_at = now + PROGRESS_MS;
	buf_printf(conn_output(run->conn), "* OK Searched %u%% of the mailbox\r\n",
	    search_percent(run->search));
	return true;
}

/* The next slices, when it is this search's turn on the account. */
static enum step
go_on(struct run *run, int *ret_err)
{
	if (tell_progress(run))
		return STEP_MORE;
	if (!account_turn_take(run->account, &run->turn))
		return STEP_WAIT;
	*ret_err = start_slices(run);
	run->sliced = *ret_err == 0;
	return *ret_err < 0 ? STEP_DONE : STEP_WAIT;
}

/* --- the answer --- */

static int
to_numbers(struct imap_session *s, const struct ranges *uids, struct ranges *ret)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < uids->n; i++)
		r = ranges_add(
		    ret, view_number(s->view, uids->r[i].lo), view_number(s->view, uids->r[i].hi));
	return r;
}

/* RFC 4731 s3.2: of the messages that are returned. */
static uint64_t
modseq_to_tell(const struct imap_search *ask, const struct search_found *found)
{
	if (ask->returns == IMAP_RETURN_MIN)
		return found->modseq_first;
	if (ask->returns == IMAP_RETURN_MAX)
		return found->modseq_last;
	if (ask->returns == (IMAP_RETURN_MIN | IMAP_RETURN_MAX))
		return found->modseq_first > found->modseq_last ? found->modseq_first
		                                                : found->modseq_last;
	return found->modseq;
}

/* " 2 84 882": true when all of it is put. */
static bool
put_each(struct run *run, const struct ranges *set)
{
	struct buf *out = conn_output(run->conn);

	for (; run->at < set->n; run->at++, run->next = 0) {
		uint32_t v = run->next != 0 ? run->next : set->r[run->at].lo;

		for (; v <= set->r[run->at].hi && v != 0; v++) {
			if (conn_output_full(run->conn)) {
				run->next = v;
				return false;
			}
			buf_byte(out, ' ');
			buf_u64(out, v);
		}
	}
	return true;
}

/* "2,10:11": true when all of it is put. */
static bool
put_ranges(struct run *run, const struct ranges *set)
{
	struct buf *out = conn_output(run->conn);

	for (; run->at < set->n; run->at++) {
		struct ranges one = { .r = &set->r[run->at], .n = 1 };

		if (conn_output_full(run->conn))
			return false;
		if (run->at > 0)
			buf_byte(out, ',');
		imap_put_set(out, &one);
	}
	return true;
}

static enum step
put_search(struct run *run, const struct imap_search *ask, const struct ranges *set)
{
	struct search_found found = search_result(run->search);
	struct buf         *out = conn_output(run->conn);

	if (!run->begun)
		buf_str(out, STR("* SEARCH"));
	run->begun = true;
	if (!put_each(run, set))
		return STEP_MORE;
	if (ask->has_modseq && set->n > 0)
		buf_printf(out, " (MODSEQ %llu)", (unsigned long long)found.modseq);
	buf_str(out, STR("\r\n"));
	return STEP_DONE;
}

static void
begin_esearch(struct buf *out, const struct imap_command *c, const struct ranges *set)
{
	unsigned returns = c->args.search.returns;

	buf_str(out, STR("* ESEARCH (TAG "));
	imap_put_quoted(out, c->tag);
	buf_str(out, c->uid ? STR(") UID") : STR(")"));
	if ((returns & IMAP_RETURN_MIN) != 0 && set->n > 0)
		buf_printf(out, " MIN %u", ranges_min(set));
	if ((returns & IMAP_RETURN_MAX) != 0 && set->n > 0)
		buf_printf(out, " MAX %u", ranges_max(set));
	if ((returns & IMAP_RETURN_COUNT) != 0)
		buf_printf(out, " COUNT %u", ranges_count(set));
	if ((returns & IMAP_RETURN_ALL) != 0 && set->n > 0)
		buf_str(out, STR(" ALL "));
}

static enum step
put_esearch(struct run *run, const struct imap_command *c, const struct ranges *set)
{
	const struct imap_search *ask = &c->args.search;
	struct search_found       found = search_result(run->search);
	struct buf               *out = conn_output(run->conn);

	if (!run->begun)
		begin_esearch(out, c, set);
	run->begun = true;
	if ((ask->returns & IMAP_RETURN_ALL) != 0 && !put_ranges(run, set))
		return STEP_MORE;
	if (ask->has_modseq && set->n > 0)
		buf_printf(out, " MODSEQ %llu", (unsigned long long)modseq_to_tell(ask, &found));
	buf_str(out, STR("\r\n"));
	return STEP_DONE;
}

static enum step
answer(struct imap_session *s, struct imap_command *c, struct run *run)
{
	const struct ranges *uids = search_result(run->search).uids;
	const struct ranges *set = c->uid ? uids : &run->numbers;
	enum step            step;

	if (!c->uid && !run->begun && to_numbers(s, uids, &run->numbers) < 0)
		return imap_fail(s, E_NOMEM);
	step = c->args.search.extended ? put_esearch(run, c, set)
	                               : put_search(run, &c->args.search, set);
	return step == STEP_DONE ? imap_ok(s, "Search completed.") : step;
}

static enum step
failed(struct imap_session *s, int err)
{
	log_event(LOG_WARN, "imap-search-failed", LOG_U("session", conn_id(s->conn)),
	    LOG_U("account", account_number(s->account)), LOG_ERR(err));
	return imap_fail(s, err);
}

enum step
imap_run_search(struct imap_session *s, struct imap_command *c)
{
	enum step   step;
	struct run *run;
	int         r = c->job == NULL ? begin(s, c) : 0;

	if (r < 0)
		return imap_fail(s, r);
	run = c->job;
	if (run->sliced)
		r = look_at_slices(run);
	if (r == 0 && !run->done) {
		step = go_on(run, &r);
		if (r == 0)
			return step;
	}
	if (r == 0 && !run->ended)
		r = search_end(run->search);
	run->ended = true;
	return r < 0 ? failed(s, r) : answer(s, c, run);
}

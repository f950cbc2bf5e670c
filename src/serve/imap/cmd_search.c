/* SEARCH. RFC 3501 s6.4.4, s7.2.5; RFC 4731 (ESEARCH); RFC 7162 s3.1.5, s3.1.6 */
#include "base/error.h"
#include "base/log.h"
#include "serve/imap/search.h"
#include "serve/imap/verbs.h"

/* So long the worker goes on by itself where no message must be read; so long is a turn on a job
 * thread, so that searches do not keep logins waiting. */
enum { INLINE_MS = 10, JOB_MS = 20 };

struct run {
	struct conn   *conn;
	struct search *search;
	int            r;       /* of the last slice */
	bool           begun;   /* the answer */
	struct ranges  numbers; /* what was found as message numbers */
	size_t         at;      /* answered up to this range */
	uint32_t       next;    /* SEARCH: and up to this number in it */
};

static void
run_drop(void *job)
{
	struct run *run = job;

	if (run->search != NULL)
		search_drop(run->search);
	ranges_done(&run->numbers);
}

static int
start(struct imap_session *s, struct imap_command *c)
{
	struct run *run = ARENA_NEW(&s->arena, struct run);
	int         r;

	if (run == NULL)
		return E_NOMEM;
	run->conn = s->conn;
	c->job = run;
	c->drop = run_drop;
	r = search_new(s->view, &c->args.search, &s->arena, &run->search);
	if (r < 0)
		return r;
	if (c->args.search.has_modseq)
		imap_condstore_on(s);
	run->r = search_reads(run->search) ? 1 : search_slice(run->search, INLINE_MS);
	return 0;
}

static void
slice_job(void *arg)
{
	struct run *run = arg;

	run->r = search_slice(run->search, JOB_MS);
	conn_wake(run->conn);
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

enum step
imap_run_search(struct imap_session *s, struct imap_command *c)
{
	struct run *run;
	int         r = c->job == NULL ? start(s, c) : 0;

	if (r < 0)
		return imap_fail(s, r);
	run = c->job;
	if (run->r == 1) {
		r = net_job(conn_net(s->conn), slice_job, run);
		return r < 0 ? imap_fail(s, r) : STEP_WAIT;
	}
	if (run->r < 0) {
		log_event(LOG_WARN, "imap-search-failed", LOG_U("session", conn_id(s->conn)),
		    LOG_U("account", account_number(s->account)), LOG_ERR(run->r));
		return imap_fail(s, run->r);
	}
	return answer(s, c, run);
}

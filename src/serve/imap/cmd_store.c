/* STORE. RFC 3501 s6.4.6, RFC 7162 s3.1.3 (UNCHANGEDSINCE), RFC 2180 s4.2 (expunged messages) */
#include "base/error.h"
#include "serve/imap/uids.h"
#include "serve/imap/verbs.h"

int
imap_flags_resolve(struct imap_session *s, const struct imap_flags *from, bool create,
    struct flags *ret)
{
	struct flags flags = { .system = from->system & FLAG_SYSTEM_ALL };
	struct actor actor = imap_actor(s);
	unsigned     number;
	int          r;

	for (size_t i = 0; i < from->keywords.n; i++) {
		r = keyword_number(s->account, from->keywords.s[i], create, &actor, &number);
		if (r == E_NOT_FOUND)
			continue;
		if (r < 0)
			return r;
		flags.keywords[number / 64] |= (uint64_t)1 << (number % 64);
	}
	*ret = flags;
	return 0;
}

struct store_job {
	struct ranges uids;
	struct ranges modified; /* failed UNCHANGEDSINCE */
	struct ranges gone;     /* of uids, expunged by somebody else */
};

static void
store_job_drop(void *job)
{
	struct store_job *j = job;

	ranges_done(&j->uids);
	ranges_done(&j->modified);
	ranges_done(&j->gone);
}

/* Changes the flags part by part; what became different is added to *changed. */
static int
change_all(struct imap_session *s, struct imap_command *c, struct store_job *j,
    struct ranges *changed)
{
	struct flag_change change = {
		.op = (enum flag_op)c->args.store.op,
		.has_unchanged_since = c->args.store.has_unchanged_since,
		.unchanged_since = c->args.store.unchanged_since,
		.modified = &j->modified,
	};
	struct actor actor = imap_actor(s);
	uint32_t     next = 0;
	int          r;

	r = imap_flags_resolve(s, &c->args.store.flags, change.op != FLAGS_REMOVE, &change.flags);
	if (r < 0)
		return r;
	do {
		OWN_RANGES struct ranges part = { 0 };
		uint64_t                 begun = view_own_begin(s->view);

		r = message_change_flags(s->account, s->view->mailbox, &j->uids, next, &change,
		    &actor, &part, &next);
		if (r == 0 && part.n != 0) {
			view_own_end(s->view, begun);
			r = uids_add_all(changed, &part);
		}
	} while (r == 0 && next != 0);
	return r;
}

/* What of it the client is to be told: all unless .SILENT; with CONDSTORE the new MODSEQ anyway. */
static int
plan_answers(struct imap_session *s, struct imap_command *c, const struct store_job *j,
    const struct ranges *changed)
{
	OWN_RANGES struct ranges stored = { 0 };
	struct view             *v = s->view;
	int                      r;

	if (c->args.store.silent && !s->condstore)
		return 0;
	if (c->args.store.silent && !c->args.store.has_unchanged_since)
		return uids_add_all(&v->marked, changed);
	r = uids_minus(&j->uids, &j->modified, &stored);
	if (r == 0)
		r = uids_remove_all(&stored, &v->gone);
	if (r < 0)
		return r;
	return uids_add_all(c->args.store.silent ? &v->marked : &v->changed, &stored);
}

/* As message numbers, or as UIDs. */
static void
put_modified(struct imap_session *s, struct imap_command *c, const struct store_job *j,
    struct buf *to)
{
	OWN_RANGES struct ranges numbers = { 0 };
	int                      r = 0;

	buf_str(to, STR("[MODIFIED "));
	for (size_t i = 0; !c->uid && r == 0 && i < j->modified.n; i++)
		for (uint32_t u = j->modified.r[i].lo; r == 0 && u <= j->modified.r[i].hi; u++) {
			uint32_t number = view_number(s->view, u);

			r = ranges_add(&numbers, number, number);
			if (u == UINT32_MAX)
				break;
		}
	imap_put_set(to, c->uid ? &j->modified : &numbers);
	buf_str(to, STR("] "));
	if (r < 0)
		to->err = r;
}

static enum step
answer(struct imap_session *s, struct imap_command *c, const struct store_job *j)
{
	OWN_BUF struct buf code = BUF_INIT(IMAP_COMMAND_ARENA_MAX / 4);

	if (j->modified.n != 0)
		put_modified(s, c, j, &code);
	if (code.err < 0)
		return imap_fail(s, code.err);
	if (j->gone.n != 0 && !c->uid)
		return imap_no(s, "%.*sAnother session removed some of these messages.",
		    STR_ARG(j->modified.n != 0 ? buf_view(&code) : STR("[EXPUNGEISSUED] ")));
	if (j->modified.n != 0)
		return imap_ok(s, "%.*sConditional store failed.", STR_ARG(buf_view(&code)));
	return imap_ok(s, "Store completed.");
}

enum step
imap_run_store(struct imap_session *s, struct imap_command *c)
{
	OWN_RANGES struct ranges changed = { 0 };
	struct store_job        *j = ARENA_NEW(&s->arena, struct store_job);
	int                      r;

	if (j == NULL)
		return imap_fail(s, E_NOMEM);
	c->job = j;
	c->drop = store_job_drop;
	if (c->args.store.has_unchanged_since)
		imap_condstore_on(s);
	r = imap_set_uids(s, &c->args.store.set, c->uid, &j->uids);
	if (r == 0 && j->uids.n != 0)
		r = change_all(s, c, j, &changed);
	if (r == 0)
		r = view_collect(s->view);
	if (r == 0)
		r = ranges_and(&j->uids, &s->view->gone, &j->gone);
	if (r == 0)
		r = plan_answers(s, c, j, &changed);
	if (r < 0) {
		/* Part of it may be done, and is not known to the client yet. */
		(void)uids_add_all(&s->view->changed, &changed);
		return imap_fail(s, r);
	}
	return answer(s, c, j);
}

/* FETCH. RFC 3501 s6.4.5, RFC 7162 s3.1.4 (CHANGEDSINCE), RFC 2180 s4.1 (expunged messages) */
#include "base/error.h"
#include "base/log.h"
#include "serve/imap/fetch.h"
#include "serve/imap/uids.h"
#include "serve/imap/verbs.h"

/* \Seen is set for so many messages in one commit, ahead of their bodies: about what goes out in
 * one piece, for a client that hangs up has not seen what did not leave. */
enum { SEEN_BATCH = 100, SEEN_BATCH_BYTES = CONN_OUTPUT_HIGH };

static void
fetch_drop(void *job)
{
	fetch_done(job);
}

static bool
is_asked(const struct fetch *f, const struct message *m)
{
	return !f->ask->has_changed_since || m->modseq > f->ask->changed_since;
}

/* The next messages of the walk that are not \Seen; f->seen_upto is behind the last looked at. */
static int
find_unseen(struct fetch *f, struct ranges *unseen)
{
	struct walk    w = f->walk;
	struct message m;
	uint64_t       bytes = 0;
	int            r = 0, n = 0;

	for (; (r >= 0 || r == E_CORRUPT) && n < SEEN_BATCH && bytes < SEEN_BATCH_BYTES; n++) {
		r = walk_next(&w, &m, NULL);
		if (r != 1 && r != E_CORRUPT)
			break;
		f->seen_upto = m.uid;
		if (r == E_CORRUPT)
			continue;
		bytes += m.size;
		if ((m.flags.system & FLAG_SEEN) == 0 && is_asked(f, &m))
			r = ranges_add(unseen, m.uid, m.uid);
	}
	walk_pause(&w);
	if (r == 0 && n < SEEN_BATCH && bytes < SEEN_BATCH_BYTES)
		f->seen_upto = UINT32_MAX;
	return r < 0 && r != E_CORRUPT ? r : 0;
}

/* The client learns of it in the answers: it is no news to it. */
static int
set_seen(struct fetch *f)
{
	const struct flag_change change = { .op = FLAGS_ADD, .flags.system = FLAG_SEEN };
	OWN_RANGES struct ranges unseen = { 0 };
	struct view             *v = f->session->view;
	struct actor             actor = imap_actor(f->session);
	uint32_t                 next = 0;
	int                      r;

	walk_pause(&f->walk);
	ranges_done(&f->seen);
	r = find_unseen(f, &unseen);
	while (r == 0 && unseen.n != 0) {
		OWN_RANGES struct ranges part = { 0 };
		uint64_t                 begun = view_own_begin(v);

		r = message_change_flags(v->account, v->mailbox, &unseen, next, &change, &actor,
		    &part, &next);
		if (r == 0 && part.n != 0) {
			view_own_end(v, begun);
			r = uids_add_all(&f->seen, &part);
		}
		if (next == 0)
			break;
	}
	return r;
}

static void
log_failure(const struct fetch *f, int err)
{
	log_event(LOG_WARN, "imap-fetch-failed", LOG_U("session", conn_id(f->session->conn)),
	    LOG_U("account", account_number(f->session->account)),
	    LOG_U("mailbox", f->session->view->mailbox), LOG_U("uid", f->now.m.uid),
	    LOG_ERR(err));
}

static enum step
fail(struct fetch *f, int err)
{
	log_failure(f, err);
	if (!f->now.whole)
		return STEP_CLOSE; /* in the midst of a literal */
	return imap_fail(f->session, err);
}

static enum step
answer(struct fetch *f, bool uid)
{
	if (f->n_damaged != 0)
		return imap_fail(f->session, E_CORRUPT);
	if (!uid && f->found < ranges_count(&f->uids))
		return imap_no(f->session,
		    "[EXPUNGEISSUED] Another session removed some of these messages.");
	return imap_ok(f->session, "Fetch completed.");
}

/* Goes on until the output is full or all is told. */
static int
fetch_more(struct fetch *f)
{
	int r = f->now.open ? fetch_message_more(f) : FETCH_DONE;

	while (r == FETCH_DONE) {
		f->now.whole = true;
		if (conn_output_full(f->session->conn))
			return FETCH_FULL;
		if (f->sets_seen && f->walk.next > f->seen_upto) {
			r = set_seen(f);
			if (r < 0)
				return r;
		}
		r = walk_next(&f->walk, &f->now.m, &f->now.facts);
		if (r == E_CORRUPT) { /* the others are told */
			f->n_damaged++;
			f->found++;
			log_failure(f, r);
			r = FETCH_DONE;
			continue;
		}
		if (r <= 0)
			return r;
		r = is_asked(f, &f->now.m) ? fetch_message_begin(f) : FETCH_DONE;
		if (r == E_MESSAGE_GONE) {
			r = FETCH_DONE;
			continue;
		}
		f->found++;
		if (r == FETCH_DONE && f->now.open)
			r = fetch_message_more(f);
	}
	return r;
}

static bool
asks_for_binary(const struct imap_fetch *ask)
{
	for (size_t i = 0; i < ask->n_items; i++)
		if (ask->items[i].kind == IMAP_FETCH_BINARY ||
		    ask->items[i].kind == IMAP_FETCH_BINARY_SIZE)
			return true;
	return false;
}

static int
start(struct imap_session *s, struct imap_command *c)
{
	struct fetch *f = ARENA_NEW(&s->arena, struct fetch);
	int           r;

	if (f == NULL)
		return E_NOMEM;
	if (asks_for_binary(&c->args.fetch))
		return E_UNSUPPORTED;
	c->job = f;
	c->drop = fetch_drop;
	r = fetch_init(f, s, &c->args.fetch, c->uid);
	if (f->has_modseq || f->ask->has_changed_since)
		imap_condstore_on(s);
	if (r == 0)
		r = imap_set_uids(s, &f->ask->set, c->uid, &f->uids);
	if (r == 0 && f->ask->has_changed_since)
		r = view_keep_changed(s->view, f->ask->changed_since, &f->uids);
	walk_init(&f->walk, s->account, s->view->mailbox, &f->uids, fetch_parts(f));
	return r;
}

enum step
imap_run_fetch(struct imap_session *s, struct imap_command *c)
{
	struct fetch *f;
	int           r = c->job == NULL ? start(s, c) : 0;

	if (r < 0)
		return imap_fail(s, r);
	f = c->job;
	r = fetch_more(f);
	walk_pause(&f->walk);
	if (r == FETCH_FULL)
		return STEP_MORE;
	return r < 0 ? fail(f, r) : answer(f, c->uid);
}

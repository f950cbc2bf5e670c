/* SELECT and STORE, one command after the other. */
#include "base/error.h"
#include "base/mem.h"
#include "load/work.h"

int
run_select(struct client *c)
{
	struct imap_seen seen;
	int              r = imap_open(c, &c->load->o.main, c->index);

	while (r == 0 && load_claim(c)) {
		r = imap_select(c, true, &seen);
		if (r == 0)
			load_count(c, 1);
	}
	return r < 0 ? r : imap_logout(c);
}

enum { STORED_MAX = 256 };

/* The n newest messages take turns, at most STORED_MAX for each session: to learn their flags must
 * cost nothing beside the run. Other sessions' changes may come in between. */
struct storing {
	uint64_t before;  /* how many older ones there are */
	uint64_t n;
	uint64_t at;      /* the one of now, from 0 */
	bool     was_told;
	char    *flagged; /* of each, as it is */
};

static uint64_t
place_of(const struct storing *s, const struct imap_fetch *m)
{
	return m->seq - 1 - s->before; /* beyond n for those that do not count */
}

static int
see_flags_before(struct client *c, const struct imap_fetch *m)
{
	struct storing *s = c->own;

	if (place_of(s, m) < s->n && m->has_flags)
		s->flagged[place_of(s, m)] = m->is_flagged;
	return 0;
}

static int
see_stored(struct client *c, const struct imap_fetch *m)
{
	struct storing *s = c->own;

	if (place_of(s, m) == s->at && m->has_flags)
		s->was_told = m->is_flagged == s->flagged[s->at];
	return 0;
}

/* A STORE that changes nothing may go without an answer: so each one changes its message. */
static int
store_once(struct client *c, struct storing *s)
{
	struct imap_seen seen = { .on_fetch = see_stored };
	char            *flagged = &s->flagged[s->at];
	unsigned         seq = (unsigned)(s->before + s->at + 1);
	int              r;

	s->was_told = false;
	*flagged = !*flagged;
	imap_put(c, "STORE %u %cFLAGS (\\Flagged)", seq, *flagged ? '+' : '-');
	r = imap_run(c, &seen);
	if (r == 0 && !s->was_told)
		return client_fail(c, E_SYNTAX, "STORE of message %u: no FETCH with its new flags",
		    seq);
	if (r == 0)
		load_count(c, 1);
	return r;
}

/* Of connections on one account each has its own messages. */
static unsigned
lanes_of(const struct load_options *o)
{
	return (o->connections + o->accounts - 1) / o->accounts;
}

static int
store_loop(struct client *c, struct storing *s)
{
	struct imap_seen seen = { .on_fetch = see_flags_before };
	unsigned         lanes = lanes_of(&c->load->o), lane = c->index / c->load->o.accounts;
	int              r;

	if (s->n < lanes)
		return client_fail(c, E_SYNTAX, "%llu messages are too few for %u sessions",
		    (unsigned long long)s->n, lanes);
	imap_put(c, "FETCH %llu:%llu (FLAGS)", (unsigned long long)s->before + 1,
	    (unsigned long long)(s->before + s->n));
	r = imap_run(c, &seen);
	for (s->at = lane; r == 0 && load_claim(c); s->at += lanes) {
		if (s->at >= s->n)
			s->at = lane;
		r = store_once(c, s);
	}
	return r;
}

int
run_store(struct client *c)
{
	struct storing   s = { 0 };
	struct imap_seen seen;
	uint64_t         most = (uint64_t)STORED_MAX * lanes_of(&c->load->o);
	int              r = imap_open(c, &c->load->o.main, c->index);

	if (r == 0)
		r = imap_select(c, false, &seen);
	if (r < 0)
		return r;
	s.n = seen.exists < most ? seen.exists : most;
	s.before = seen.exists - s.n;
	s.flagged = mem_zalloc(s.n + 1);
	if (s.flagged == NULL)
		return client_fail(c, E_NOMEM, "%llu messages", (unsigned long long)s.n);
	c->own = &s;
	r = store_loop(c, &s);
	c->own = NULL;
	mem_free(s.flagged);
	return r < 0 ? r : imap_logout(c);
}

/* SELECT and STORE, one command after the other. */
#include "base/error.h"
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

/* The one message that a STORE is about. Other sessions' changes may come in between. */
struct storing {
	uint32_t seq;
	bool     flagged; /* as it shall be */
	bool     was_told;
};

static int
see_stored(struct client *c, const struct imap_fetch *m)
{
	struct storing *s = c->own;

	if (m->seq == s->seq && m->has_flags)
		s->was_told = m->is_flagged == s->flagged;
	return 0;
}

static int
store_once(struct client *c, struct storing *s)
{
	struct imap_seen seen = { .on_fetch = see_stored };
	int              r;

	s->was_told = false;
	imap_put(c, "STORE %u %cFLAGS (\\Flagged)", s->seq, s->flagged ? '+' : '-');
	r = imap_run(c, &seen);
	if (r == 0 && !s->was_told)
		return client_fail(c, E_SYNTAX, "STORE of message %u: no FETCH with its new flags",
		    s->seq);
	if (r == 0)
		load_count(c, 1);
	return r;
}

/* Connections on one account take turns over its messages: none stores what another does. */
int
run_store(struct client *c)
{
	struct storing   s = { 0 };
	struct imap_seen seen;
	unsigned         accounts = c->load->o.accounts, connections = c->load->o.connections;
	unsigned         lanes = (connections + accounts - 1) / accounts;
	unsigned         lane = c->index / accounts;
	uint64_t         at = lane;
	int              r = imap_open(c, &c->load->o.main, c->index);

	if (r == 0)
		r = imap_select(c, false, &seen);
	if (r == 0 && seen.exists < lanes)
		r = client_fail(c, E_SYNTAX, "%llu messages are too few for %u sessions",
		    (unsigned long long)seen.exists, lanes);
	c->own = &s;
	s.flagged = true;
	while (r == 0 && load_claim(c)) {
		s.seq = (uint32_t)at + 1;
		r = store_once(c, &s);
		at += lanes;
		if (at >= seen.exists) {
			at = lane;
			s.flagged = !s.flagged;
		}
	}
	c->own = NULL;
	return r < 0 ? r : imap_logout(c);
}

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

/* The one message that a STORE is about. Other sessions' changes may come in between. */
struct storing {
	uint64_t n;
	uint32_t seq;
	bool     was_told;
	char    *flagged; /* of each message, as it is */
};

static int
see_flags_before(struct client *c, const struct imap_fetch *m)
{
	struct storing *s = c->own;

	if (m->seq >= 1 && m->seq <= s->n && m->has_flags)
		s->flagged[m->seq - 1] = m->is_flagged;
	return 0;
}

static int
see_stored(struct client *c, const struct imap_fetch *m)
{
	struct storing *s = c->own;

	if (m->seq == s->seq && m->has_flags)
		s->was_told = m->is_flagged == s->flagged[s->seq - 1];
	return 0;
}

/* A STORE that changes nothing may go without an answer: so each one changes its message. */
static int
store_once(struct client *c, struct storing *s)
{
	struct imap_seen seen = { .on_fetch = see_stored };
	char            *flagged = &s->flagged[s->seq - 1];
	int              r;

	s->was_told = false;
	*flagged = !*flagged;
	imap_put(c, "STORE %u %cFLAGS (\\Flagged)", s->seq, *flagged ? '+' : '-');
	r = imap_run(c, &seen);
	if (r == 0 && !s->was_told)
		return client_fail(c, E_SYNTAX, "STORE of message %u: no FETCH with its new flags",
		    s->seq);
	if (r == 0)
		load_count(c, 1);
	return r;
}

/* Connections on one account take turns over its messages: none stores what another does. */
static int
store_loop(struct client *c, struct storing *s)
{
	struct imap_seen seen = { .on_fetch = see_flags_before };
	unsigned         accounts = c->load->o.accounts;
	unsigned         lanes = (c->load->o.connections + accounts - 1) / accounts;
	uint64_t         at = c->index / accounts;
	int              r;

	if (s->n < lanes)
		return client_fail(c, E_SYNTAX, "%llu messages are too few for %u sessions",
		    (unsigned long long)s->n, lanes);
	imap_put(c, "FETCH 1:%llu (FLAGS)", (unsigned long long)s->n);
	r = imap_run(c, &seen);
	for (; r == 0 && load_claim(c); at += lanes) {
		if (at >= s->n)
			at = c->index / accounts;
		s->seq = (uint32_t)at + 1;
		r = store_once(c, s);
	}
	return r;
}

int
run_store(struct client *c)
{
	struct storing   s = { 0 };
	struct imap_seen seen;
	int              r = imap_open(c, &c->load->o.main, c->index);

	if (r == 0)
		r = imap_select(c, false, &seen);
	if (r < 0)
		return r;
	s.n = seen.exists;
	s.flagged = mem_zalloc(s.n + 1);
	if (s.flagged == NULL)
		return client_fail(c, E_NOMEM, "mailbox of %llu", (unsigned long long)s.n);
	c->own = &s;
	r = store_loop(c, &s);
	c->own = NULL;
	mem_free(s.flagged);
	return r < 0 ? r : imap_logout(c);
}

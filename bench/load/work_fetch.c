/* FETCH 1:* of one thing, and SEARCH: every answer is checked. */
#include "base/error.h"
#include "base/mem.h"
#include "load/work.h"

/* What a conversation of FETCH keeps: which messages this command has answered already. */
struct fetching {
	uint64_t  n;
	uint32_t  round;
	uint32_t *answered_in; /* by message number - 1 */
};

/* Each message once, each number in range. */
static int
check_once(struct client *c, const struct imap_fetch *m)
{
	struct fetching *f = c->own;

	if (m->seq == 0 || m->seq > f->n)
		return client_fail(c, E_SYNTAX, "FETCH of message %u, there are %llu", m->seq,
		    (unsigned long long)f->n);
	if (f->answered_in[m->seq - 1] == f->round)
		return client_fail(c, E_SYNTAX, "message %u came twice", m->seq);
	f->answered_in[m->seq - 1] = f->round;
	return 0;
}

static int
see_flags(struct client *c, const struct imap_fetch *m)
{
	if (!m->has_flags)
		return client_fail(c, E_SYNTAX, "message %u: no FLAGS", m->seq);
	return check_once(c, m);
}

/* A header of some fields ends with an empty line and has nothing behind it. */
static int
see_header(struct client *c, const struct imap_fetch *m)
{
	const struct corpus *corpus = &c->load->corpus;
	uint64_t             least = corpus->id_at > 0 && !c->load->o.any_body ? 200 : 2;

	if (!m->has_body || (m->body.n > 2 && m->body.matched != 4) || m->body.digest.n != 0 ||
	    m->body.n < least)
		return client_fail(c, E_SYNTAX, "message %u: no proper header fields, %llu bytes",
		    m->seq, (unsigned long long)(m->has_body ? m->body.n : 0));
	return check_once(c, m);
}

static int
see_envelope(struct client *c, const struct imap_fetch *m)
{
	if (m->envelope_members != 10 || m->structure_members < 2)
		return client_fail(c, E_SYNTAX, "message %u: ENVELOPE has %llu members", m->seq,
		    (unsigned long long)m->envelope_members);
	return check_once(c, m);
}

static int
see_body(struct client *c, const struct imap_fetch *m)
{
	int r;

	if (!m->has_body)
		return client_fail(c, E_SYNTAX, "message %u: no body", m->seq);
	r = work_check_body(c, &m->body, m->seq);
	return r < 0 ? r : check_once(c, m);
}

static int
fetch_once(struct client *c, const char *items, struct imap_seen seen)
{
	struct fetching *f = c->own;
	int              r;

	f->round++;
	imap_put(c, "FETCH 1:* (%s)", items);
	r = imap_run(c, &seen);
	if (r == 0 && seen.fetches != f->n)
		return client_fail(c, E_SYNTAX, "%llu messages were answered, not %llu",
		    (unsigned long long)seen.fetches, (unsigned long long)f->n);
	if (r == 0)
		load_count(c, seen.fetches);
	return r;
}

static int
open_mailbox(struct client *c, uint64_t *ret_exists)
{
	struct imap_seen seen;
	int              r = imap_open(c, &c->load->o.main, c->index);

	if (r == 0)
		r = imap_select(c, true, &seen);
	if (r == 0 && seen.exists == 0)
		return client_fail(c, E_SYNTAX, "the mailbox is empty");
	if (r == 0)
		*ret_exists = seen.exists;
	return r;
}

static int
fetch(struct client *c, const char *items, int (*see)(struct client *, const struct imap_fetch *))
{
	struct fetching f = { 0 };
	int             r = open_mailbox(c, &f.n);

	if (r < 0)
		return r;
	f.answered_in = mem_zalloc(f.n * sizeof(*f.answered_in));
	if (f.answered_in == NULL)
		return client_fail(c, E_NOMEM, "mailbox of %llu", (unsigned long long)f.n);
	c->own = &f;
	while (r == 0 && load_claim(c))
		r = fetch_once(c, items, (struct imap_seen){ .on_fetch = see });
	c->own = NULL;
	mem_free(f.answered_in);
	return r < 0 ? r : imap_logout(c);
}

int
run_fetch_flags(struct client *c)
{
	return fetch(c, "FLAGS", see_flags);
}

int
run_fetch_header_fields(struct client *c)
{
	return fetch(c, "BODY.PEEK[HEADER.FIELDS (DATE FROM TO CC SUBJECT MESSAGE-ID REFERENCES)]",
	    see_header);
}

int
run_fetch_envelope(struct client *c)
{
	return fetch(c, "ENVELOPE BODYSTRUCTURE", see_envelope);
}

int
run_fetch_bodies(struct client *c)
{
	return fetch(c, "BODY.PEEK[]", see_body);
}

/* --- SEARCH --- */

int
run_search_body(struct client *c)
{
	const struct load_options *o = &c->load->o;
	const char                *word = o->text != NULL ? o->text : "zephyrah";
	uint64_t                   exists = 0, wanted;
	int                        r = open_mailbox(c, &exists);

	if (r < 0)
		return r;
	wanted = o->has_hits ? o->hits : corpus_hits(&c->load->corpus, exists, str_c(word));
	while (r == 0 && load_claim(c)) {
		struct imap_seen seen = { 0 };

		imap_put(c, "SEARCH BODY \"%s\"", word);
		r = imap_run(c, &seen);
		if (r == 0 && (seen.searches != 1 || seen.hits != wanted))
			r = client_fail(c, E_SYNTAX, "SEARCH found %llu, not %llu",
			    (unsigned long long)seen.hits, (unsigned long long)wanted);
		if (r == 0)
			load_count(c, 1);
	}
	return r < 0 ? r : imap_logout(c);
}

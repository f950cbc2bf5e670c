/* Whole sessions: login, a phone's, POP3. */
#include "base/error.h"
#include "load/pop3.h"
#include "load/work.h"

enum { PHONE_NEWEST = 20 };

int
run_login(struct client *c)
{
	int r = 0;

	while (r == 0 && load_claim(c)) {
		r = imap_open(c, &c->load->o.main, c->claim);
		if (r == 0)
			r = imap_logout(c);
		if (r == 0)
			load_count(c, 1);
	}
	return r;
}

/* --- the phone --- */

struct phone {
	uint64_t envelopes, bodies;
	uint32_t newest_uid;
	bool     newest_seen, flag_told;
};

static int
see_envelope(struct client *c, const struct imap_fetch *m)
{
	struct phone *p = c->own;

	if (m->uid == 0 || !m->has_flags || !m->has_size || m->envelope_members != 10)
		return m->envelope_members == 0 && m->has_flags
		    ? 0 /* news of another session's flag */
		    : client_fail(c, E_SYNTAX, "message %u: not all that was asked for", m->seq);
	p->envelopes++;
	if (m->uid > p->newest_uid) {
		p->newest_uid = m->uid;
		p->newest_seen = m->is_seen;
	}
	return 0;
}

static int
see_body(struct client *c, const struct imap_fetch *m)
{
	struct phone *p = c->own;

	if (!m->has_body)
		return 0;
	p->bodies += m->uid == p->newest_uid;
	return work_check_body(c, &m->body, m->seq);
}

static int
see_flag(struct client *c, const struct imap_fetch *m)
{
	struct phone *p = c->own;

	if (m->has_flags && m->uid == p->newest_uid)
		p->flag_told = m->is_seen != p->newest_seen;
	return 0;
}

static int
list_mailboxes(struct client *c)
{
	struct imap_seen seen = { 0 };
	int              r;

	imap_put(c, "LIST \"\" \"*\"");
	r = imap_run(c, &seen);
	if (r == 0 && !seen.has_inbox)
		return client_fail(c, E_SYNTAX, "LIST without INBOX");
	return r;
}

static int
read_newest(struct client *c, struct phone *p, uint64_t exists)
{
	struct imap_seen seen = { .on_fetch = see_envelope };
	uint64_t         n = exists < PHONE_NEWEST ? exists : PHONE_NEWEST;
	int              r;

	if (exists == 0)
		return 0;
	imap_put(c, "FETCH %llu:%llu (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
	    (unsigned long long)(exists - n + 1), (unsigned long long)exists);
	r = imap_run(c, &seen);
	if (r == 0 && p->envelopes != n)
		return client_fail(c, E_SYNTAX, "%llu envelopes, not %llu",
		    (unsigned long long)p->envelopes, (unsigned long long)n);
	if (r < 0)
		return r;
	seen = (struct imap_seen){ .on_fetch = see_body };
	imap_put(c, "UID FETCH %u (UID BODY.PEEK[])", p->newest_uid);
	r = imap_run(c, &seen);
	if (r == 0 && p->bodies != 1)
		return client_fail(c, E_SYNTAX, "%llu bodies, not 1",
		    (unsigned long long)p->bodies);
	if (r < 0)
		return r;
	seen = (struct imap_seen){ .on_fetch = see_flag };
	imap_put(c, "UID STORE %u %cFLAGS (\\Seen)", p->newest_uid, p->newest_seen ? '-' : '+');
	r = imap_run(c, &seen);
	/* Another session on the same account may have done the same: then there is no news. In
	 * `mixed` others may be on any account. */
	if (r == 0 && !p->flag_told && c->load->work->roles == NULL &&
	    c->load->o.connections <= c->load->o.accounts)
		return client_fail(c, E_SYNTAX, "STORE: no FETCH with the new flags");
	return r;
}

static int
phone_session(struct client *c)
{
	struct imap_seen seen = { 0 };
	struct phone     p = { 0 };
	int              r = imap_open(c, &c->load->o.main, c->claim);

	c->own = &p;
	if (r == 0)
		r = list_mailboxes(c);
	if (r == 0)
		r = imap_select(c, true, &seen);
	if (r == 0)
		r = read_newest(c, &p, seen.exists);
	c->own = NULL;
	return r < 0 ? r : imap_logout(c);
}

int
run_phone(struct client *c)
{
	int r = 0;

	while (r == 0 && load_claim(c)) {
		r = phone_session(c);
		if (r == 0)
			load_count(c, 1);
	}
	return r;
}

/* --- POP3 --- */

static int
pop3_sessions(struct client *c, enum pop3_kind kind)
{
	const struct load_options *o = &c->load->o;
	const struct endpoint     *to = o->pop3.addr_n != 0 ? &o->pop3 : &o->main;
	uint64_t                   n;
	int                        r = 0;

	while (r == 0 && load_claim(c)) {
		r = pop3_session(c, to, kind, &n);
		if (r == 0)
			load_count(c, n);
	}
	return r;
}

int
run_pop3(struct client *c)
{
	return pop3_sessions(c, POP3_ALL);
}

int
run_pop3_delete(struct client *c)
{
	return pop3_sessions(c, POP3_ALL_DELETE);
}

int
run_pop3_newest(struct client *c)
{
	return pop3_sessions(c, POP3_NEWEST);
}

void
after_sessions(struct load *l, json_t *answer)
{
	struct stats sum;

	load_sum(l, 0, &sum);
	json_object_set_new(answer, "sessions", json_integer((json_int_t)sum.latency.n));
	json_object_set_new(answer, "tls_resumed", json_integer((json_int_t)sum.resumed));
}

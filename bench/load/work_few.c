/* What a client asks of a mailbox of any size: a few of the newest messages, one somewhere. */
#include "base/error.h"
#include "codec/date.h"
#include "load/work.h"

enum { NEWEST = 20, DATE_ROOM = 40 };

/* Asks once; `box` is what SELECT told. */
typedef int (*ask_fn)(struct client *, const struct imap_seen *box);

static int
ask_again_and_again(struct client *c, ask_fn ask)
{
	struct imap_seen box;
	int              r = imap_open(c, &c->load->o.main, c->index);

	if (r == 0)
		r = imap_select(c, true, &box);
	if (r == 0 && box.exists < NEWEST)
		return client_fail(c, E_SYNTAX, "the mailbox has fewer than %d messages", NEWEST);
	while (r == 0 && load_claim(c)) {
		r = ask(c, &box);
		if (r == 0)
			load_count(c, 1);
	}
	return r < 0 ? r : imap_logout(c);
}

/* --- FETCH --- */

static int
see_flags(struct client *c, const struct imap_fetch *m)
{
	return m->has_flags ? 0 : client_fail(c, E_SYNTAX, "message %u: no FLAGS", m->seq);
}

static int
see_envelope(struct client *c, const struct imap_fetch *m)
{
	if (m->uid != 0 && m->has_flags && m->has_size && m->envelope_members == 10)
		return 0;
	return client_fail(c, E_SYNTAX, "message %u: not all that was asked for", m->seq);
}

static int
see_body(struct client *c, const struct imap_fetch *m)
{
	if (!m->has_body)
		return client_fail(c, E_SYNTAX, "message %u: no body", m->seq);
	return work_check_body(c, &m->body, m->seq);
}

static int
fetch_answered(struct client *c, struct imap_seen seen, uint64_t wanted)
{
	int r = imap_run(c, &seen);

	if (r == 0 && seen.fetches != wanted)
		return client_fail(c, E_SYNTAX, "%llu messages were answered, not %llu",
		    (unsigned long long)seen.fetches, (unsigned long long)wanted);
	return r;
}

static int
ask_flags(struct client *c, const struct imap_seen *box)
{
	imap_put(c, "FETCH %llu:%llu (FLAGS)", (unsigned long long)(box->exists - NEWEST + 1),
	    (unsigned long long)box->exists);
	return fetch_answered(c, (struct imap_seen){ .on_fetch = see_flags }, NEWEST);
}

static int
ask_envelopes(struct client *c, const struct imap_seen *box)
{
	imap_put(c, "FETCH %llu:%llu (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
	    (unsigned long long)(box->exists - NEWEST + 1), (unsigned long long)box->exists);
	return fetch_answered(c, (struct imap_seen){ .on_fetch = see_envelope }, NEWEST);
}

/* All messages in an order that visits the whole mailbox early. */
static int
ask_body(struct client *c, const struct imap_seen *box)
{
	const uint64_t stride = 2654435761; /* a prime: no mailbox size shares a factor with it */

	imap_put(c, "FETCH %llu (BODY.PEEK[])",
	    (unsigned long long)(c->claim * stride % box->exists + 1));
	return fetch_answered(c, (struct imap_seen){ .on_fetch = see_body }, 1);
}

int
run_newest_flags(struct client *c)
{
	return ask_again_and_again(c, ask_flags);
}

int
run_newest_envelopes(struct client *c)
{
	return ask_again_and_again(c, ask_envelopes);
}

int
run_any_body(struct client *c)
{
	return ask_again_and_again(c, ask_body);
}

/* --- SEARCH --- */

static int
search_answered(struct client *c, uint64_t wanted)
{
	struct imap_seen seen = { 0 };
	int              r = imap_run(c, &seen);

	if (r == 0 && (seen.searches != 1 || seen.hits != wanted))
		return client_fail(c, E_SYNTAX, "SEARCH found %llu, not %llu",
		    (unsigned long long)seen.hits, (unsigned long long)wanted);
	return r;
}

static int
ask_search_uid(struct client *c, const struct imap_seen *box)
{
	imap_put(c, "UID SEARCH UID %llu:%llu", (unsigned long long)(box->uid_next - NEWEST),
	    (unsigned long long)(box->uid_next - 1));
	return search_answered(c, NEWEST);
}

/* From the day of the message that is a day older than the newest. */
static int
ask_search_since(struct client *c, const struct imap_seen *box)
{
	uint64_t   n = box->exists < FILL_A_DAY ? 0 : box->exists - FILL_A_DAY;
	uint64_t   first = n / FILL_A_DAY * FILL_A_DAY;
	struct str day;
	OWN_BUF struct buf date = BUF_INIT(DATE_ROOM);

	date_put_imap(&date, work_fill_date_ms(first), 0);
	day = str_trim(buf_view(&date));
	imap_put(c, "UID SEARCH SINCE %.*s", STR_ARG(str_head(day, str_find_byte(day, ' '))));
	return search_answered(c, box->exists - first);
}

int
run_search_uid(struct client *c)
{
	return ask_again_and_again(c, ask_search_uid);
}

int
run_search_since(struct client *c)
{
	return ask_again_and_again(c, ask_search_since);
}

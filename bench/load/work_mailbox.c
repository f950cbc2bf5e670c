/*
 * From SMTP to readable in the mailbox, and filling mailboxes: both compare what was acknowledged
 * with what IMAP shows at the end.
 *
 * Client i looks after accounts i, i + C, i + 2C ...; the phases of all clients are kept apart by
 * a barrier, for which a task looks every few milliseconds.
 */
#include "base/error.h"
#include "base/mem.h"
#include "load/smtp.h"
#include "load/work.h"

enum { PHASE_POLL_US = 2000, READABLE_POLL_US = 20 * 1000, READABLE_MAX_US = 120 * 1000 * 1000,
	FILL_WINDOW = 16 };

struct account {
	uint64_t             before; /* messages in the mailbox at the start */
	atomic_uint_fast64_t sent;   /* acknowledged */
};

struct filling {
	atomic_uint    arrived[2]; /* clients that have come to the barrier */
	struct account account[];
};

static int
make_accounts(struct load *l)
{
	l->shared = mem_zalloc(sizeof(struct filling) + l->o.accounts * sizeof(struct account));
	return l->shared == NULL ? E_NOMEM : 0;
}

/* Returns when all clients are there. The last one calls `then`. */
static void
barrier(struct client *c, unsigned which, void (*then)(struct load *))
{
	struct filling *f = c->load->shared;
	unsigned        all = c->load->o.connections;

	if (atomic_load(&f->arrived[which]) == all - 1 && then != NULL)
		then(c->load);
	atomic_fetch_add(&f->arrived[which], 1);
	while (atomic_load(&f->arrived[which]) < all)
		task_sleep_until(&c->task, now_us() + PHASE_POLL_US);
}

/* --- reading back --- */

static const struct endpoint *
imap_endpoint(const struct client *c)
{
	return c->load->o.imap.addr_n != 0 ? &c->load->o.imap : &c->load->o.main;
}

static int
see_last(struct client *c, const struct imap_fetch *m)
{
	return m->has_body ? work_check_body(c, &m->body, m->seq) : 0;
}

static int
check_last(struct client *c)
{
	struct imap_seen seen = { 0 };
	int              r = imap_select(c, false, &seen);

	if (r < 0 || seen.exists == 0)
		return r;
	seen = (struct imap_seen){ .on_fetch = see_last };
	imap_put(c, "FETCH * (BODY.PEEK[])");
	r = imap_run(c, &seen);
	return r == 0 && seen.fetches == 0 ? client_fail(c, E_SYNTAX, "no body of the last message")
					   : r;
}

/* Waits until the mailbox of account a shows all that was sent, and not more. */
static int
wait_readable(struct client *c, unsigned a)
{
	struct account *account = &((struct filling *)c->load->shared)->account[a];
	uint64_t        sent = atomic_load(&account->sent), wanted = account->before + sent, n = 0;
	int64_t         until = now_us() + READABLE_MAX_US;
	int             r = imap_open(c, imap_endpoint(c), a);

	while (r == 0) {
		r = imap_status(c, &n);
		if (r < 0 || n >= wanted || now_us() > until)
			break;
		task_sleep_until(&c->task, now_us() + READABLE_POLL_US);
	}
	if (r == 0 && n != wanted)
		return client_fail(c, E_SYNTAX, "account %u shows %llu messages, not %llu", a,
		    (unsigned long long)n, (unsigned long long)wanted);
	if (r < 0)
		return r;
	c->stats->ok += sent;
	c->stats->last_us = now_us();
	r = check_last(c);
	return r < 0 ? r : imap_logout(c);
}

static int
each_own_account(struct client *c, int (*visit)(struct client *, unsigned))
{
	int r = 0;

	for (unsigned a = c->index; a < c->load->o.accounts && r == 0; a += c->load->o.connections)
		r = visit(c, a);
	return r;
}

static int
count_before(struct client *c, unsigned a)
{
	struct filling *f = c->load->shared;
	int             r = imap_open(c, imap_endpoint(c), a);

	if (r == 0)
		r = imap_status(c, &f->account[a].before);
	return r < 0 ? r : imap_logout(c);
}

/* --- SMTP to mailbox --- */

int
before_smtp_to_mailbox(struct load *l)
{
	l->o.warm_up = 0;
	return l->o.imap.addr_n == 0 ? E_PARAM : make_accounts(l);
}

static void
add_sent(struct client *c, uint64_t first)
{
	struct filling *f = c->load->shared;

	for (unsigned i = 0; i < c->load->o.recipients; i++)
		atomic_fetch_add(&f->account[(first + i) % c->load->o.accounts].sent, 1);
}

static int
send_all(struct client *c)
{
	int r = smtp_open(c, &c->load->o.main, false);

	while (r == 0 && load_claim(c)) {
		uint64_t first = c->claim * c->load->o.recipients;

		r = smtp_deliver(c, c->claim, first, false);
		if (r < 0)
			break;
		add_sent(c, first);
		load_count(c, 0); /* its time; it counts when it is readable */
	}
	return r < 0 ? r : smtp_quit(c);
}

/* All connections put messages in together; then each looks whether all are readable. */
static int
put_and_read_back(struct client *c, int (*put)(struct client *))
{
	int before = each_own_account(c, count_before), done = 0, read_back = 0;

	barrier(c, 0, load_begin);
	if (before == 0)
		done = put(c);
	barrier(c, 1, NULL);
	if (before == 0)
		read_back = each_own_account(c, wait_readable);
	return before < 0 ? before : done < 0 ? done : read_back;
}

int
run_smtp_to_mailbox(struct client *c)
{
	return put_and_read_back(c, send_all);
}

/* --- fill --- */

int
before_fill(struct load *l)
{
	l->o.warm_up = 0;
	l->o.recipients = 1;
	return l->o.expect == 0 ? E_PARAM : make_accounts(l);
}

int64_t
work_fill_date_ms(uint64_t n)
{
	return FILL_FIRST_MS + (int64_t)n * FILL_STEP_MS;
}

/* With fewer accounts than connections several share one: lane k of n takes every nth message. */
struct lane {
	uint64_t at, step;
};

static struct lane
lane_of(const struct client *c, unsigned a)
{
	unsigned accounts = c->load->o.accounts, connections = c->load->o.connections;

	if (accounts >= connections)
		return (struct lane){ 0, 1 };
	return (struct lane){ c->index / accounts, (connections - a + accounts - 1) / accounts };
}

static void
filled_one(struct client *c, unsigned a)
{
	struct filling *f = c->load->shared;

	atomic_fetch_add(&f->account[a].sent, 1);
	c->stats->last_us = now_us();
	hist_put(&c->stats->latency, (uint64_t)(c->stats->last_us - c->begun_us));
}

static int
fill_by_lmtp(struct client *c, unsigned a)
{
	struct lane lane = lane_of(c, a);
	int         r = 0;

	for (uint64_t n = lane.at; n < c->load->o.expect && r == 0; n += lane.step) {
		c->begun_us = now_us();
		r = smtp_deliver(c, n, a, true);
		if (r == 0)
			filled_one(c, a);
	}
	return r;
}

/* Puts one APPEND without waiting for its answer; for servers with LITERAL+. */
static void
put_append(struct client *c, uint64_t n)
{
	imap_put_append(c, n, work_fill_date_ms(n));
	corpus_put(&c->load->corpus, n, &c->wire.out);
	buf_str(&c->wire.out, STR("\r\n"));
}

static int
append_window(struct client *c, unsigned a, uint64_t *at, uint64_t step)
{
	struct imap_seen seen = { 0 };
	unsigned         put = 0;
	int              r;

	c->begun_us = now_us();
	if (!c->literal_plus) {
		r = imap_append(c, *at, work_fill_date_ms(*at));
		*at += step;
		if (r == 0)
			filled_one(c, a);
		return r;
	}
	for (; put < FILL_WINDOW && *at < c->load->o.expect; put++, *at += step)
		put_append(c, *at);
	r = imap_flush(c);
	for (; put > 0 && r == 0; put--) {
		r = imap_finish(c, &seen);
		if (r == 0)
			filled_one(c, a);
	}
	return r;
}

static int
fill_by_append(struct client *c, unsigned a)
{
	struct lane lane = lane_of(c, a);
	uint64_t    at = lane.at;
	int         r = imap_open(c, &c->load->o.main, a);

	if (r == 0)
		r = imap_know(c, NULL);
	while (r == 0 && at < c->load->o.expect)
		r = append_window(c, a, &at, lane.step);
	return r < 0 ? r : imap_logout(c);
}

static int
fill_own(struct client *c)
{
	const struct load_options *o = &c->load->o;
	bool                       by_lmtp = o->lmtp.addr_n != 0;
	int (*fill)(struct client *, unsigned) = by_lmtp ? fill_by_lmtp : fill_by_append;
	int r = by_lmtp ? smtp_open(c, &o->lmtp, true) : 0;

	if (r == 0)
		r = o->accounts >= o->connections ? each_own_account(c, fill)
						  : fill(c, c->index % o->accounts);
	return r == 0 && by_lmtp ? smtp_quit(c) : r;
}

int
run_fill(struct client *c)
{
	return put_and_read_back(c, fill_own);
}

/* Many sessions in IDLE, and the time from a delivery's 250 to their EXISTS. RFC 9051 s6.3.13 */
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "load/smtp.h"
#include "load/work.h"

enum { POLL_US = 300, FIRST_POLL_US = 5000, DELIVERIES = 100 };

struct idle {
	atomic_uint   ready;   /* sessions in IDLE */
	atomic_uint   ended;   /* sessions that failed before */
	atomic_uint   arrived; /* both */
	atomic_bool   stop;
	atomic_bool   input_ended, delivered;
	pthread_t     input;
	unsigned      n;
	atomic_int   *fd;      /* of each session, to end it */
	_Atomic int64_t *told_us; /* when its last EXISTS came */
};

unsigned
extra_idle(const struct load *l)
{
	return l->o.lmtp.addr_n != 0; /* one that delivers */
}

/* --- the end --- */

static void
stop(struct idle *s)
{
	atomic_store(&s->stop, true);
	for (unsigned i = 0; i < s->n; i++)
		if (atomic_load(&s->fd[i]) >= 0)
			shutdown(atomic_load(&s->fd[i]), SHUT_RDWR);
}

static void
stop_if_over(struct idle *s)
{
	if (atomic_load(&s->input_ended) && atomic_load(&s->delivered))
		stop(s);
}

/* The last session to open tells that all are ready; when some could not, there is no point. */
static void
arrived(struct idle *s)
{
	if (atomic_fetch_add(&s->arrived, 1) + 1 < s->n)
		return;
	if (atomic_load(&s->ended) > 0)
		stop(s);
	else
		fprintf(stderr, "ready\n");
}

static void *
watch_input(void *arg)
{
	struct idle *s = arg;
	char         c[256];

	while (read(STDIN_FILENO, c, sizeof(c)) > 0)
		;
	atomic_store(&s->input_ended, true);
	while (atomic_load(&s->arrived) < s->n)
		usleep(1000);
	stop_if_over(s);
	return NULL;
}

int
before_idle(struct load *l)
{
	struct idle *s = mem_zalloc(sizeof(*s));

	if (s == NULL)
		return E_NOMEM;
	l->shared = s;
	l->o.warm_up = 0;
	s->n = l->o.connections;
	s->delivered = l->o.lmtp.addr_n == 0;
	s->fd = mem_zalloc(s->n * sizeof(*s->fd));
	s->told_us = mem_zalloc(s->n * sizeof(*s->told_us));
	if (s->fd == NULL || s->told_us == NULL)
		return E_NOMEM;
	for (unsigned i = 0; i < s->n; i++)
		s->fd[i] = -1;
	return pthread_create(&s->input, NULL, watch_input, s) == 0 ? 0 : E_NOMEM;
}

void
after_idle(struct load *l, json_t *answer)
{
	struct idle *s = l->shared;

	pthread_cancel(s->input); /* when all failed it may read still */
	pthread_join(s->input, NULL);
	json_object_set_new(answer, "sessions", json_integer(atomic_load(&s->ready)));
	mem_free(s->fd);
	mem_free(s->told_us);
}

/* --- a session --- */

static int
begin_idle(struct client *c)
{
	struct imap_seen seen = { 0 };
	int              r;

	imap_put(c, "IDLE");
	r = imap_flush(c);
	return r < 0 ? r : imap_until_continue(c, &seen);
}

/* The first session of an account goes ahead: the others find its password in the server's cache,
 * and no hundred of them hash the same one at a time. */
static void
wait_for_first(struct client *c, struct idle *s)
{
	unsigned first = c->index % c->load->o.accounts;

	while (first != c->index && atomic_load(&s->fd[first]) < 0 && atomic_load(&s->ended) == 0)
		task_sleep_until(&c->task, now_us() + FIRST_POLL_US);
}

static int
open_session(struct client *c, struct idle *s)
{
	struct imap_seen seen;
	int              r;

	gate_enter(&c->task);
	wait_for_first(c, s);
	r = imap_open(c, &c->load->o.main, c->index);
	if (r == 0)
		r = imap_select(c, false, &seen);
	if (r == 0)
		r = begin_idle(c);
	gate_leave(&c->task);
	return r;
}

/* Holds until stopped, without a time of its own: ten thousand timers would cost. A run ends before
 * the half hour after which a client asks again. */
static int
hold(struct client *c, struct idle *s)
{
	enum imap_took took;
	int            r = 0;

	c->wire.patient = true;
	while (r == 0 && !atomic_load(&s->stop)) {
		struct imap_seen seen = { 0 };

		r = imap_take(c, &seen, &took);
		if (r == 0 && took == IMAP_TAGGED)
			r = client_fail(c, E_SYNTAX, "the server ended IDLE");
		if (seen.has_bye && !atomic_load(&s->stop))
			r = client_fail(c, E_CLOSED, "the server said BYE");
		if (seen.has_exists)
			atomic_store(&s->told_us[c->index], now_us());
	}
	c->wire.patient = false;
	atomic_store(&s->fd[c->index], -1);
	return atomic_load(&s->stop) ? 0 : r;
}

static int
idle_session(struct client *c, struct idle *s)
{
	int r = open_session(c, s);

	if (r < 0) {
		atomic_fetch_add(&s->ended, 1);
		arrived(s);
		return r;
	}
	atomic_store(&s->fd[c->index], c->wire.fd);
	if (c->load->o.lmtp.addr_n == 0)
		c->stats->ok++; /* without deliveries the sessions are what is counted */
	c->stats->last_us = now_us();
	atomic_fetch_add(&s->ready, 1);
	arrived(s);
	return hold(c, s);
}

/* --- the one who delivers --- */

/* Waits until every session of the account was told, and counts how long each took. */
static int
wait_told(struct client *c, struct idle *s, unsigned account, int64_t at_us)
{
	int64_t until_us = at_us + (int64_t)(c->load->o.patience * 1e6), told;

	for (unsigned i = account; i < s->n; i += c->load->o.accounts) {
		for (;;) {
			told = atomic_load(&s->told_us[i]);
			if (told != 0)
				break;
			if (now_us() > until_us)
				return client_fail(c, E_SYNTAX, "session %u saw no EXISTS", i);
			task_sleep_until(&c->task, now_us() + POLL_US);
		}
		/* Negative: told before the 250 was read. */
		if (i + c->load->o.accounts < s->n)
			hist_put(&c->stats->latency, told > at_us ? (uint64_t)(told - at_us) : 0);
		else
			load_count_us(c, 1, told - at_us);
	}
	return 0;
}

static int
deliver_one(struct client *c, struct idle *s, uint64_t n)
{
	unsigned accounts = c->load->o.accounts < s->n ? c->load->o.accounts : s->n;
	unsigned account = (unsigned)((n + 1) * 2654435761u % 4294967291u % accounts);
	int      r;

	for (unsigned i = account; i < s->n; i += c->load->o.accounts)
		atomic_store(&s->told_us[i], 0);
	c->begun_us = now_us();
	r = smtp_deliver(c, n, account, true);
	return r < 0 ? r : wait_told(c, s, account, now_us());
}

static int
deliver_all(struct client *c, struct idle *s)
{
	uint64_t count = c->load->o.count > 0 ? c->load->o.count : DELIVERIES;
	unsigned rate = c->load->o.rate;
	int64_t  start;
	int      r;

	while (atomic_load(&s->ready) < s->n) {
		if (atomic_load(&s->ended) > 0)
			return client_fail(c, E_CANNOT, "not all sessions could be opened");
		task_sleep_until(&c->task, now_us() + 10 * 1000);
	}
	load_begin(c->load);
	start = now_us();
	r = smtp_open(c, &c->load->o.lmtp, true);
	for (uint64_t n = 0; n < count && r == 0; n++) {
		if (rate > 0 && start + (int64_t)(n * 1000000 / rate) > now_us())
			task_sleep_until(&c->task, start + (int64_t)(n * 1000000 / rate));
		r = deliver_one(c, s, n);
	}
	return r < 0 ? r : smtp_quit(c);
}

int
run_idle(struct client *c)
{
	struct idle *s = c->load->shared;
	int          r;

	if (c->index < s->n)
		return idle_session(c, s);
	r = deliver_all(c, s);
	atomic_store(&s->delivered, true);
	stop_if_over(s);
	return r;
}

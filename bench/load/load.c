/* What the works share: claims, counts, errors, names of accounts. */
#include "load/load.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/error.h"

enum { FAILURES_MAX = 1000 };

int64_t
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * (int64_t)1000000 + u.ru_utime.tv_usec +
	    u.ru_stime.tv_usec;
}

bool
load_over(const struct load *l)
{
	if (atomic_load(&l->failures) >= FAILURES_MAX)
		return true;
	if (l->o.count > 0)
		return atomic_load(&l->claimed) >= l->o.count;
	return now_us() >= l->end_us;
}

int64_t
load_end_us(const struct load *l)
{
	return l->o.count > 0 ? 0 : l->end_us;
}

/* The warm-up is over: counts begin. */
static void
begin_measuring(struct load *l)
{
	if (!atomic_exchange(&l->measuring, true)) {
		l->cpu_before_us = cpu_us();
		atomic_store(&l->claimed, 0);
		fprintf(stderr, "measuring\n");
	}
}

void
load_begin(struct load *l)
{
	l->start_us = now_us();
	l->measure_us = l->start_us + (int64_t)(l->o.warm_up * 1e6);
	l->end_us = l->measure_us + (int64_t)(l->o.seconds * 1e6);
	if (l->o.warm_up <= 0)
		begin_measuring(l);
}

bool
load_claim(struct client *c)
{
	struct load *l = c->load;

	c->begun_us = now_us();
	if (c->begun_us >= l->measure_us && !atomic_load(&l->measuring))
		begin_measuring(l);
	if (atomic_load(&l->failures) >= FAILURES_MAX)
		return false;
	c->claim = atomic_fetch_add(&l->claimed, 1);
	if (l->o.count > 0)
		return c->begun_us < l->measure_us || c->claim < l->o.count;
	return c->begun_us < l->end_us;
}

void
load_count_us(struct client *c, uint64_t n, int64_t us)
{
	if (c->begun_us < c->load->measure_us)
		return;
	c->stats->ok += n;
	c->stats->last_us = now_us();
	hist_put(&c->stats->latency, us > 0 ? (uint64_t)us : 0);
}

void
load_count(struct client *c, uint64_t n)
{
	load_count_us(c, n, now_us() - c->begun_us);
}

int
client_fail(struct client *c, int err, const char *fmt, ...)
{
	va_list ap;
	int     n;

	if (c->error[0] != '\0')
		return err;
	va_start(ap, fmt);
	n = vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(c->error) && err != E_SYNTAX)
		snprintf(c->error + n, sizeof(c->error) - (size_t)n, " (%s)", error_row(err)->text);
	return err;
}

struct str
client_user(struct client *c, uint64_t n, char *to, size_t room)
{
	const struct load_options *o = &c->load->o;
	struct str                 format = str_c(o->user_format);
	size_t                     at = str_find(format, STR("%d"));
	int                        len;

	if (at == format.n)
		len = snprintf(to, room, "%s", o->user_format);
	else
		len = snprintf(to, room, "%.*s%llu%s", (int)at, format.p,
		    (unsigned long long)(o->first_account + n % o->accounts), format.p + at + 2);
	return str_of(to, len < 0 || (size_t)len >= room ? 0 : (size_t)len);
}

int
client_connect(struct client *c, const struct endpoint *to)
{
	int r;

	c->wire.bytes = &c->stats->bytes;
	c->literal_plus = c->pipelining = c->eight_bit = false;
	c->tag = c->answered = 0;
	if (to->addr_n == 0)
		return client_fail(c, E_PARAM, "no address was given for a server of this work");
	r = wire_connect(&c->wire, &c->task, to);
	if (r < 0)
		return client_fail(c, r, "connect");
	if (!to->tls)
		return 0;
	r = wire_start_tls(&c->wire, c->load->tls);
	if (r < 0)
		return client_fail(c, r, "TLS handshake");
	if (c->wire.ssl != NULL)
		c->stats->resumed += SSL_session_reused(c->wire.ssl) == 1;
	return 0;
}

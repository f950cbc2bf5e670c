/* The table of the limits, and what they share. */
#include <stdio.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/own.h"
#include "limits/limits.h"

static double
seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static double
clock_seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

struct limits_span
limits_begin(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (struct limits_span){ clock_seconds(CLOCK_MONOTONIC),
		(seconds_of(u.ru_utime) + seconds_of(u.ru_stime)) * 1e6 };
}

struct limits_span
limits_since(struct limits_span begin)
{
	struct limits_span now = limits_begin();

	return (struct limits_span){ now.seconds - begin.seconds, now.cpu_us - begin.cpu_us };
}

double
limits_thread_cpu_us(void)
{
	return clock_seconds(CLOCK_THREAD_CPUTIME_ID) * 1e6;
}

void
limits_print(json_t *o)
{
	json_dumpf(o, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
	printf("\n");
	fflush(stdout);
	json_decref(o);
}

int
limits_failed(const char *limit, const char *why)
{
	limits_print(json_pack("{s:s,s:s}", "limit", limit, "failed", why));
	return E_CANNOT;
}

static const struct row {
	const char *name;
	int (*run)(const struct limits_options *);
} ROWS[] = {
	{ "group-commit", limit_group_commit },
	{ "loopback-copy", limit_loopback_copy },
	{ "round-trips", limit_round_trips },
	{ "sessions", limit_sessions },
	{ "aes-gcm", limit_aes_gcm },
	{ "handshakes", limit_handshakes },
	{ "memcpy", limit_memcpy },
};

static const struct row *
find_row(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++)
		if (strcmp(ROWS[i].name, name) == 0)
			return &ROWS[i];
	return NULL;
}

static int
usage(const char *what)
{
	fprintf(stderr, "bench-limits: %s; see bench/limits/limits.h\n", what);
	return 2;
}

int
main(int argc, char **argv)
{
	struct limits_options o = { 2, "." };
	const struct row     *chosen[ARRAY_LEN(ROWS)];
	size_t                n = 0;
	int                   status = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
			o.seconds = strtod(argv[++i], NULL);
		else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc)
			o.dir = argv[++i];
		else if (n == ARRAY_LEN(ROWS) || (chosen[n++] = find_row(argv[i])) == NULL)
			return usage(argv[i]);
	}
	if (!(o.seconds > 0 && o.seconds < 3600))
		return usage("--seconds");
	for (size_t i = 0; n == 0 && i < ARRAY_LEN(ROWS); i++)
		status |= ROWS[i].run(&o) < 0;
	for (size_t i = 0; i < n; i++)
		status |= chosen[i]->run(&o) < 0;
	return status;
}

/* One run: sets up, starts the threads, adds up, prints the answer. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/mem.h"
#include "load/load.h"
#include "load/tls13.h"

enum { FAILURES_IN_A_ROW = 3 };

/* One thread. */
struct loop_run {
	struct load   *load;
	unsigned       first, n; /* its clients */
	struct client *clients;
	struct stats   stats[LOAD_ROLES];
	pthread_t      thread;
	int            err;
};

static void
note_failure(struct client *c)
{
	struct stats *s = c->stats;

	s->failed++;
	atomic_fetch_add(&c->load->failures, 1);
	if (s->first_error[0] == '\0')
		memcpy(s->first_error, c->error, sizeof(s->first_error));
}

static void
client_main(struct task *t)
{
	struct client     *c = CONTAINER_OF(t, struct client, task);
	const struct work *work = c->load->work;
	uint64_t           ok_before;
	unsigned           in_a_row = 0;
	int                r;

	do {
		ok_before = c->stats->ok;
		c->error[0] = '\0';
		r = work->run(c);
		wire_close(&c->wire);
		if (r < 0) {
			note_failure(c);
			in_a_row = c->stats->ok > ok_before ? 1 : in_a_row + 1;
		}
	} while (r < 0 && !work->once && in_a_row < FAILURES_IN_A_ROW && !load_over(c->load));
}

static int
thread_setup(struct loop_run *run)
{
	run->clients = mem_zalloc(run->n * sizeof(*run->clients));
	if (run->clients == NULL)
		return E_NOMEM;
	for (unsigned i = 0; i < run->n; i++) {
		struct client     *c = &run->clients[i];
		const struct work *work = run->load->work;

		c->task.run = client_main;
		c->load = run->load;
		c->index = run->first + i;
		c->stats = &run->stats[work->role != NULL ? work->role(c->index) : 0];
		if (wire_init(&c->wire) < 0)
			return E_NOMEM;
	}
	return 0;
}

static void *
thread_main(void *arg)
{
	struct loop_run *run = arg;
	struct loop      loop;

	run->err = thread_setup(run);
	if (run->err == 0)
		run->err = loop_init(&loop, run->n);
	if (run->err < 0)
		return NULL;
	run->err = loop_run(&loop, &run->clients[0].task, sizeof(struct client));
	loop_done(&loop);
	for (unsigned i = 0; i < run->n; i++)
		wire_done(&run->clients[i].wire);
	mem_free(run->clients);
	return NULL;
}

static int
run_threads(struct load *l)
{
	const struct load_options *o = &l->o;
	unsigned all = o->connections + (l->work->extra != NULL ? l->work->extra(l) : 0), at = 0;
	int      r = 0;

	l->loops = mem_zalloc(o->threads * sizeof(*l->loops));
	if (l->loops == NULL)
		return E_NOMEM;
	load_begin(l);
	for (unsigned i = 0; i < o->threads; i++) {
		struct loop_run *run = &l->loops[i];

		run->load = l;
		run->first = at;
		run->n = (all - at) / (o->threads - i);
		at += run->n;
		if (pthread_create(&run->thread, NULL, thread_main, run) != 0)
			return E_NOMEM;
	}
	for (unsigned i = 0; i < o->threads; i++) {
		pthread_join(l->loops[i].thread, NULL);
		if (l->loops[i].err < 0)
			r = l->loops[i].err;
	}
	return r;
}

/* --- the answer --- */

void
load_sum(const struct load *l, unsigned role, struct stats *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < l->o.threads; i++) {
		const struct stats *s = &l->loops[i].stats[role];

		ret->ok += s->ok;
		ret->failed += s->failed;
		ret->bytes += s->bytes;
		ret->resumed += s->resumed;
		if (s->last_us > ret->last_us)
			ret->last_us = s->last_us;
		hist_add(&ret->latency, &s->latency);
		if (ret->first_error[0] == '\0')
			memcpy(ret->first_error, s->first_error, sizeof(ret->first_error));
	}
}

static void
add_stats(struct stats *to, const struct stats *from)
{
	to->ok += from->ok;
	to->failed += from->failed;
	to->bytes += from->bytes;
	to->resumed += from->resumed;
	if (from->last_us > to->last_us)
		to->last_us = from->last_us;
	hist_add(&to->latency, &from->latency);
	if (to->first_error[0] == '\0')
		memcpy(to->first_error, from->first_error, sizeof(to->first_error));
}

static json_t *
latency_of(const struct hist *h)
{
	return json_pack("{s:I,s:I,s:I,s:I}", "p50", (json_int_t)hist_percent(h, 50), "p90",
	    (json_int_t)hist_percent(h, 90), "p99", (json_int_t)hist_percent(h, 99), "max",
	    (json_int_t)h->max);
}

json_t *
report_of(const char *work, const struct stats *s, double seconds)
{
	json_t *text = json_stringn(s->first_error, strnlen(s->first_error, ERROR_ROOM));

	if (text == NULL)
		text = json_string("an answer that is not UTF-8");
	return json_pack("{s:s,s:I,s:I,s:o,s:f,s:f,s:o,s:I}", "work", work, "ok", (json_int_t)s->ok,
	    "failed", (json_int_t)s->failed, "first_error", text, "seconds", seconds, "per_second",
	    seconds > 0 ? (double)s->ok / seconds : 0.0, "latency_us", latency_of(&s->latency),
	    "bytes", (json_int_t)s->bytes);
}

/* Prints the object; returns the exit status. */
static int
report(struct load *l)
{
	struct stats all = { 0 }, one;
	json_t      *parts = json_object(), *answer;
	double       seconds;

	for (unsigned role = 0; role < LOAD_ROLES; role++) {
		load_sum(l, role, &one);
		add_stats(&all, &one);
	}
	seconds = all.last_us > l->measure_us ? (double)(all.last_us - l->measure_us) / 1e6 : 0;
	answer = report_of(l->work->name, &all, seconds);
	for (unsigned role = 0; l->work->roles != NULL && l->work->roles[role] != NULL; role++) {
		load_sum(l, role, &one);
		json_object_set_new(parts, l->work->roles[role],
		    report_of(l->work->roles[role], &one, seconds));
	}
	json_object_set_new(answer, "load_cpu_us", json_integer(cpu_us() - l->cpu_before_us));
	if (l->work->roles != NULL)
		json_object_set(answer, "parts", parts);
	json_decref(parts);
	if (l->work->after != NULL)
		l->work->after(l, answer);
	json_dumpf(answer, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	printf("\n");
	json_decref(answer);
	return all.failed > 0 || all.ok == 0 ? 1 : 0;
}

/* --- start --- */

static void
raise_limits(void)
{
	struct rlimit files;

	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

static int
prepare(struct load *l)
{
	int r = l->o.messages != NULL ? corpus_load(&l->corpus, l->o.messages)
				      : corpus_make(&l->corpus, l->o.size);

	if (r < 0) {
		fprintf(stderr, "bench-load: no messages: %s\n", error_row(r)->text);
		return r;
	}
	if (l->corpus.skipped > 0)
		fprintf(stderr, "bench-load: %zu messages left out, %zu used\n", l->corpus.skipped,
		    l->corpus.n_kinds);
	if (l->o.openssl || l->o.resume)
		l->tls = wire_tls_new(l->o.resume);
	r = tls13_setup();
	if (r < 0 || ((l->o.openssl || l->o.resume) && l->tls == NULL)) {
		fprintf(stderr, "bench-load: no TLS\n");
		return E_NOMEM;
	}
	r = l->work->before != NULL ? l->work->before(l) : 0;
	if (r == E_PARAM)
		fprintf(stderr, "bench-load: %s needs more options\n", l->work->name);
	return r;
}

int
main(int argc, char **argv)
{
	static struct load load;
	int                status = 2;

	load.work = argc > 1 ? work_find(argv[1]) : NULL;
	if (load.work == NULL) {
		fprintf(stderr, "usage: bench-load WORK --port N [options]; see load/load.h\n");
		return 2;
	}
	raise_limits();
	if (options_parse(&load.o, argc - 1, argv + 1) == 0 && prepare(&load) == 0 &&
	    run_threads(&load) == 0)
		status = report(&load);
	SSL_CTX_free(load.tls);
	corpus_done(&load.corpus);
	mem_free(load.shared);
	mem_free(load.loops);
	return status;
}

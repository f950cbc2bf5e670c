/*
 * Deliveries a second and processor time of one, when T threads take in a message of 4 KiB, append
 * it and wait until it is on disk; then how fast a mailbox of many messages is opened and scanned.
 *
 *   bench/store-append DIR|mem [THREADS [MESSAGES [ACCOUNTS]]]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/error.h"
#include "kv/open.h"
#include "store/message.h"

struct bench {
	struct store *store;
	struct buf    text;
	unsigned      accounts;
	unsigned      each; /* messages of a thread */
	atomic_uint   threads;
	atomic_int    err;
};

static const struct actor ACTOR = { .protocol = ACTOR_LMTP, .peer = { "192.0.2.1", 9 } };

static void
make_text(struct buf *b)
{
	buf_str(b, STR("Received: from a.example.org (a.example.org [192.0.2.1])\r\n"
	               "\tby mx.example.net with ESMTPS; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
	               "From: \"Anna Example\" <anna@example.org>\r\n"
	               "To: Bob <bob@example.net>, Carol <carol@example.net>\r\n"
	               "Subject: Four kibibytes of two alternatives\r\n"
	               "Date: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
	               "MIME-Version: 1.0\r\n"
	               "Content-Type: multipart/alternative; boundary=\"b1\"\r\n\r\n"
	               "--b1\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"));
	while (b->n < 2200)
		buf_printf(b, "Line %zu of the text, which says little more than that.\r\n", b->n);
	buf_str(b, STR("--b1\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"));
	while (b->n < 4050)
		buf_printf(b, "<p>Line %zu of the text: <b>little</b> more.</p>\r\n", b->n);
	buf_str(b, STR("--b1--\r\n"));
}

static int
deliver(struct bench *bench, account_id id, unsigned thread, unsigned n)
{
	const struct append_options opt = { 0 };
	OWN(account)                a = NULL;
	OWN(ingest)                 in = NULL;
	struct appended             done;
	mailbox_id                  inbox;
	char                        msgid[80];
	int                         r = account_open(bench->store, id, &a);

	snprintf(msgid, sizeof(msgid), "Message-ID: <%u.%u@bench.example>\r\n", thread, n);
	if (r == 0)
		r = mailbox_find(a, STR("INBOX"), &inbox);
	if (r == 0)
		r = ingest_new(bench->store, 1 << 20, &in);
	if (r == 0)
		r = ingest_write(in, str_c(msgid));
	if (r == 0)
		r = ingest_write(in, buf_view(&bench->text));
	if (r == 0)
		r = ingest_end(in);
	if (r == 0)
		r = message_append(a, inbox, in, &opt, &ACTOR, &done);
	return r < 0 ? r : store_wait(bench->store, done.ticket);
}

static void *
run(void *arg)
{
	struct bench *bench = arg;
	unsigned      thread = atomic_fetch_add(&bench->threads, 1);
	int           r = 0;

	for (unsigned n = 0; r == 0 && n < bench->each; n++)
		r = deliver(bench, 1 + (thread * 7919 + n) % bench->accounts, thread, n);
	if (r < 0)
		atomic_store(&bench->err, r);
	return NULL;
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void
measure_deliveries(struct bench *bench, unsigned threads)
{
	pthread_t *t = calloc(threads, sizeof(*t));
	double     cpu = cpu_seconds(), n = (double)threads * bench->each;
	int64_t    start = clock_mono_ms();

	for (unsigned i = 0; i < threads; i++)
		pthread_create(&t[i], NULL, run, bench);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	printf("threads %u  messages/s %.0f  us of processor per message %.1f\n", threads,
	    n * 1000 / (double)(clock_mono_ms() - start + 1), (cpu_seconds() - cpu) * 1e6 / n);
	free(t);
}

/* The first account's INBOX: its UIDs, then all flags, then all envelopes. */
static int
measure_reading(struct bench *bench)
{
	OWN(account)             a = NULL;
	OWN_RANGES struct ranges uids = { 0 };
	struct mailbox_status    s;
	struct message           m;
	struct message_facts     facts;
	mailbox_id               inbox;
	uint32_t                 recent;
	uint64_t                 modseq;
	int64_t                  at[4];
	int                      r = account_open(bench->store, 1, &a);

	if (r == 0)
		r = mailbox_find(a, STR("INBOX"), &inbox);
	at[0] = clock_mono_ms();
	if (r == 0)
		r = mailbox_view(a, inbox, false, &s, &uids, &recent, &modseq);
	for (int with = 0; with < 2; with++) {
		OWN(message_iter) it = NULL;

		at[1 + with] = clock_mono_ms();
		if (r == 0)
			r = message_scan(a, inbox, 1, UINT32_MAX,
			    with == 1 ? SCAN_RECORDS_FACTS : SCAN_RECORDS, &it);
		while (r == 0 && (r = message_iter_next(it, &m, &facts)) > 0)
			r = 0;
	}
	at[3] = clock_mono_ms();
	if (r == 0)
		printf("mailbox of %u: first view %lld ms, flags %lld ms, facts %lld ms\n",
		    s.messages, (long long)(at[1] - at[0]), (long long)(at[2] - at[1]),
		    (long long)(at[3] - at[2]));
	return r;
}

static unsigned
number(int argc, char **argv, int i, unsigned otherwise)
{
	uint32_t v = otherwise;

	if (i < argc && str_to_u32(str_c(argv[i]), &v) < 0)
		v = otherwise;
	return v != 0 ? v : 1;
}

static int
bench_run(struct bench *bench, unsigned threads)
{
	const struct quota none = { 0 };

	for (account_id id = 1; id <= bench->accounts; id++) {
		int r = account_create(bench->store, id, &none, &ACTOR);

		if (r < 0 && r != E_EXISTS)
			return r;
	}
	measure_deliveries(bench, threads);
	if (atomic_load(&bench->err) < 0)
		return atomic_load(&bench->err);
	return measure_reading(bench);
}

int
main(int argc, char **argv)
{
	unsigned           threads = number(argc, argv, 2, 1);
	struct bench       bench = { .accounts = number(argc, argv, 4, 1000) };
	OWN_BUF struct buf detail = BUF_INIT(4096);
	struct kv         *kv;
	int                r;

	if (argc < 2) {
		fprintf(stderr, "usage: store-append DIR|mem [THREADS [MESSAGES [ACCOUNTS]]]\n");
		return 64;
	}
	bench.each = (number(argc, argv, 3, 20000) + threads - 1) / threads;
	buf_init(&bench.text, 8192);
	make_text(&bench.text);
	r = strcmp(argv[1], "mem") == 0 ? kv_mem_open(&kv)
	                                : kv_rocks_open(argv[1], NULL, &detail, &kv);
	if (r == 0)
		r = store_open(kv, NULL, &detail, &bench.store);
	if (r == 0) {
		r = bench_run(&bench, threads);
		store_drop(bench.store);
	}
	if (r < 0)
		fprintf(stderr, "%s %.*s\n", error_row(r)->text, STR_ARG(buf_view(&detail)));
	buf_done(&bench.text);
	return r < 0;
}

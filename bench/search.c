/*
 * SEARCH of a mailbox with many messages of 4 KiB: milliseconds and processor time of the first
 * search and of later ones, on disk.
 *
 *   bench/search DIR [MESSAGES [THREADS [ROUNDS]]]
 *
 * The folder is filled when it is new. Half of the words are drawn from 4000, as in letters; every
 * 1000th message has the word of the search that finds something.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/error.h"
#include "serve/imap/search.h"
#include "kv/open.h"

enum { MESSAGE_BYTES = 4096, WORDS = 4000, HIT_EVERY = 1000 };

static const struct actor ACTOR = { .protocol = ACTOR_LMTP, .peer = { "192.0.2.1", 9 } };

static double
cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static uint32_t
draw(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Frequent words are short and come often, as in a language. */
static void
put_word(struct buf *b, uint32_t *seed)
{
	uint32_t r = draw(seed) % WORDS, word = (uint32_t)((uint64_t)r * r / WORDS);
	uint32_t own = word * 2654435761u + 1;
	uint32_t n = 2 + word % 7 + word / 800;

	for (uint32_t i = 0; i < n; i++)
		buf_byte(b, "etaoinshrdlucmfwypvbgkjqxz"[draw(&own) % (i % 2 == 0 ? 26 : 9)]);
}

static void
make_message(struct buf *b, uint32_t n)
{
	uint32_t seed = n * 7919 + 1;

	buf_printf(b,
	    "Received: from a%u.example.org (a.example.org [192.0.2.%u])\r\n"
	    "\tby mx.example.net with ESMTPS id %08x; Mon, 1 Jan 2024 00:00:00 +0000\r\n"
	    "Message-ID: <%u.%08x@bench.example>\r\n"
	    "From: \"Anna Example\" <anna%u@example.org>\r\n"
	    "To: Bob <bob@example.net>\r\nSubject: ",
	    n % 50, n % 200, draw(&seed), n, draw(&seed), n % 300);
	for (int i = 0; i < 5; i++) {
		put_word(b, &seed);
		buf_byte(b, ' ');
	}
	buf_str(b, STR("\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMIME-Version: 1.0\r\n"
	               "Content-Type: text/plain; charset=utf-8\r\n\r\n"));
	while (b->n < MESSAGE_BYTES) {
		size_t line = b->n;

		while (b->n < line + 66) {
			put_word(b, &seed);
			buf_byte(b, ' ');
		}
		buf_str(b, STR("\r\n"));
	}
	if (n % HIT_EVERY == 0)
		buf_str(b, STR("the needle in the haystack\r\n"));
}

static int
append(struct store *store, struct account *a, mailbox_id inbox, uint32_t n)
{
	const struct append_options opt = { 0 };
	OWN_BUF struct buf          text = BUF_INIT(8192);
	OWN(ingest)                 in = NULL;
	struct appended             done;
	int                         r;

	make_message(&text, n);
	r = ingest_new(store, 1 << 20, &in);
	if (r == 0)
		r = ingest_write(in, buf_view(&text));
	if (r == 0)
		r = ingest_end(in);
	return r < 0 ? r : message_append(a, inbox, in, &opt, &ACTOR, &done);
}

static int
fill(struct store *store, uint32_t n)
{
	const struct quota none = { 0 };
	OWN(account)       a = NULL;
	mailbox_id         inbox;
	double             cpu;
	int                r = account_create(store, 1, &none, &ACTOR);

	if (r == E_EXISTS)
		return 0;
	if (r == 0)
		r = account_open(store, 1, &a);
	if (r == 0)
		r = mailbox_find(a, STR("INBOX"), &inbox);
	cpu = cpu_ms();
	for (uint32_t i = 1; r == 0 && i <= n; i++)
		r = append(store, a, inbox, i);
	if (r == 0)
		r = account_barrier(a);
	printf("append: %.1f us of processor a message\n", (cpu_ms() - cpu) * 1000 / n);
	return r;
}

/* --- searches --- */

struct asked {
	const char       *what;
	enum imap_key_kind kind;
	const char       *field;
	const char       *string;
};

static const struct asked ASKED[] = {
	{ "BODY, no hit", IMAP_KEY_BODY, "", "no such words anywhere" },
	{ "BODY, hits", IMAP_KEY_BODY, "", "needle in the hay" },
	{ "TEXT, no hit", IMAP_KEY_TEXT, "", "no such words anywhere" },
	{ "SUBJECT", IMAP_KEY_HEADER, "Subject", "needle" },
	{ "FROM", IMAP_KEY_HEADER, "From", "anna77@" },
};

struct hand {
	struct search *search;
	unsigned       number;
	int            r;
};

static void *
run(void *arg)
{
	struct hand *hand = arg;

	while ((hand->r = search_work(hand->search, hand->number, 20)) == 1)
		;
	return NULL;
}

static int
work(struct search *s, unsigned threads)
{
	struct hand hands[SEARCH_WORKERS_MAX];
	pthread_t   t[SEARCH_WORKERS_MAX];
	int         r = 0;

	if (threads > SEARCH_WORKERS_MAX)
		threads = SEARCH_WORKERS_MAX;
	for (unsigned i = 0; i < threads; i++) {
		hands[i] = (struct hand){ s, i, 0 };
		if (pthread_create(&t[i], NULL, run, &hands[i]) != 0)
			return E_NOMEM;
	}
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(t[i], NULL);
		if (hands[i].r < 0)
			r = hands[i].r;
	}
	return r;
}

static int
ask(struct view *v, const struct asked *asked, unsigned threads)
{
	OWN_ARENA struct arena   arena = ARENA_INIT(64 << 20);
	OWN(search)              s = NULL;
	struct imap_key          key = { .kind = asked->kind,
		         .name = str_c(asked->field),
		         .text = str_c(asked->string) };
	struct imap_key          root = { .kind = IMAP_KEY_AND, .list = &key };
	const struct imap_search ask = { .key = &root };
	double                   cpu = cpu_ms();
	int64_t                  start = clock_mono_ms();
	int                      r = search_new(v, &ask, &arena, &s);

	if (r == 0)
		r = work(s, threads);
	if (r == 0)
		r = search_end(s);
	if (r < 0)
		return r;
	printf("%-14s %6u found  %6lld ms  %8.1f ms of processor\n", asked->what,
	    ranges_count(search_result(s).uids), (long long)(clock_mono_ms() - start),
	    cpu_ms() - cpu);
	return 0;
}

static int
ask_all(struct store *store, unsigned threads, uint32_t rounds)
{
	OWN(account)          a = NULL;
	OWN(view)             v = NULL;
	struct mailbox_status status;
	mailbox_id            inbox;
	int                   r = account_open(store, 1, &a);

	if (r == 0)
		r = mailbox_find(a, STR("INBOX"), &inbox);
	if (r == 0)
		r = view_open(a, inbox, true, &status, &v);
	for (uint32_t round = 0; r == 0 && round < rounds; round++)
		for (size_t i = 0; r == 0 && i < ARRAY_LEN(ASKED); i++)
			r = ask(v, &ASKED[i], threads);
	return r;
}

static uint32_t
number(int argc, char **argv, int i, uint32_t otherwise)
{
	uint32_t v = otherwise;

	if (i < argc && str_to_u32(str_c(argv[i]), &v) < 0)
		v = otherwise;
	return v != 0 ? v : 1;
}

int
main(int argc, char **argv)
{
	OWN_BUF struct buf detail = BUF_INIT(4096);
	OWN(store)         store = NULL;
	struct kv         *kv;
	int                r;

	if (argc < 2) {
		fprintf(stderr, "usage: search DIR [MESSAGES [THREADS [ROUNDS]]]\n");
		return 64;
	}
	r = kv_rocks_open(argv[1], NULL, &detail, &kv);
	if (r == 0)
		r = store_open(kv, NULL, &detail, &store);
	if (r == 0)
		r = fill(store, number(argc, argv, 2, 10000));
	if (r == 0)
		r = ask_all(store, number(argc, argv, 3, 2), number(argc, argv, 4, 3));
	if (r < 0)
		fprintf(stderr, "%s %.*s\n", error_row(r)->text, STR_ARG(buf_view(&detail)));
	return r < 0;
}

/*
 * What POP3 devices cost in the store: opening a view beside a scan of the same records, and a QUIT
 * that removes 1,000 messages under each policy. Processor time of all threads, commits counted by
 * the account's modseq.
 *
 *   bench/devices DIR|mem [MESSAGES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/error.h"
#include "kv/open.h"
#include "store/journal.h"

enum { REMOVE = 1000 };

struct bench {
	struct store   *store;
	struct account *a;
	mailbox_id      inbox;
	double          began; /* of what is measured */
};

static const struct actor PHONE = {
	.protocol = ACTOR_POP3, .peer = { "192.0.2.1", 9 }, .device = { "phone", 5 }
};

static double
cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	    (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static void
begin(struct bench *b)
{
	b->began = cpu_ms();
}

static void
end(struct bench *b, const char *what, uint32_t n, uint64_t commits)
{
	double ms = cpu_ms() - b->began;

	printf("%-34s %8u messages %8.1f ms %7.2f us each", what, n, ms, ms * 1e3 / (n ? n : 1));
	if (commits != 0)
		printf(" %llu commits", (unsigned long long)commits);
	printf("\n");
}

static int
fill(struct bench *b, unsigned n)
{
	const struct append_options opt = { 0 };
	struct appended             done;
	char                        text[200];
	int                         r = 0;

	for (unsigned i = 0; r == 0 && i < n; i++) {
		OWN(ingest) in = NULL;

		snprintf(text, sizeof(text),
		    "From: a@example.org\r\nSubject: %u\r\nMessage-ID: <%u@x>\r\n\r\ntext\r\n", i,
		    i);
		r = ingest_new(b->store, 1 << 20, &in);
		if (r == 0)
			r = ingest_write(in, str_c(text));
		if (r == 0)
			r = ingest_end(in);
		if (r == 0)
			r = message_append(b->a, b->inbox, in, &opt, &PHONE, &done);
	}
	return r < 0 ? r : account_barrier(b->a);
}

static int
scan(struct bench *b)
{
	OWN(message_iter) it = NULL;
	struct message    m;
	uint32_t          n = 0;
	int               r = message_scan(b->a, b->inbox, 1, UINT32_MAX, SCAN_RECORDS, &it);

	begin(b);
	while (r >= 0 && (r = message_iter_next(it, &m, NULL)) > 0)
		n++;
	end(b, "scan of records", n, 0);
	return r;
}

static int
load(struct device_view *v)
{
	bool done = false;
	int  r = 0;

	while (r == 0 && !done)
		r = device_view_load(v, &done);
	return r;
}

static int
look(struct bench *b, device_id id, const char *what)
{
	struct device_view v;
	int                r;

	begin(b);
	r = device_view_open(&v, b->a, id);
	if (r == 0)
		r = load(&v);
	end(b, what, v.n, 0);
	device_view_done(&v);
	return r;
}

static int
quit(struct bench *b, device_id id, uint32_t n, const char *what)
{
	struct device_view  v;
	struct pop3_removal rm = { .device = id, .mark = 1 };
	uint64_t            modseq = account_modseq(b->a);
	bool                done = false;
	int                 r = device_view_open(&v, b->a, id);

	if (r == 0)
		r = load(&v);
	for (uint32_t i = 0; i < n && i < v.n; i++)
		v.m[i].marks = 1;
	rm.m = v.m;
	rm.n = v.n;
	begin(b);
	while (r == 0 && !done)
		r = pop3_remove_part(b->a, &rm, &PHONE, &done);
	if (r == 0)
		r = account_barrier(b->a);
	end(b, what, rm.removed_n, account_modseq(b->a) - modseq);
	device_view_done(&v);
	return r;
}

static int
put_back(struct bench *b)
{
	struct journal_restore back = { .any_device = true };
	uint64_t               modseq = account_modseq(b->a);
	bool                   done = false;
	int                    r = 0;

	begin(b);
	while (r == 0 && !done)
		r = journal_restore_part(b->a, &back, &PHONE, &done);
	end(b, "restore of all that was removed", (uint32_t)back.restored,
	    account_modseq(b->a) - modseq);
	return r;
}

static int
measure(struct bench *b, unsigned n)
{
	static const char *const NAMES[] = { "keep", "read", "archive", "trash", "delete" };
	char                     what[64];
	device_id                phone, desk;
	struct actor             other = PHONE;
	int                      r = device_seen(b->a, &PHONE, &phone);

	other.device = STR("desk");
	if (r == 0)
		r = device_seen(b->a, &other, &desk);
	for (int i = 0; r >= 0 && i < 3; i++) {
		r = scan(b);
		if (r == 0)
			r = look(b, phone, "view");
	}
	for (unsigned i = 0; r == 0 && i < ARRAY_LEN(NAMES); i++) {
		r = device_policy_set(b->a, phone, (enum pop3_policy)(POP3_KEEP + i), &PHONE);
		snprintf(what, sizeof(what), "QUIT of 1000, %s", NAMES[i]);
		if (r == 0)
			r = quit(b, phone, REMOVE, what);
	}
	if (r == 0)
		r = quit(b, phone, n / 2, "QUIT of half");
	if (r == 0)
		r = look(b, phone, "view of the device");
	if (r == 0)
		r = look(b, desk, "view of another, half has left");
	return r == 0 ? put_back(b) : r;
}

static int
open_all(struct bench *b, const char *dir)
{
	static const struct quota quota;
	struct kv                *kv;
	int                       r;

	r = strcmp(dir, "mem") == 0 ? kv_mem_open(&kv) : kv_rocks_open(dir, NULL, NULL, &kv);
	if (r == 0)
		r = store_open(kv, NULL, NULL, &b->store);
	if (r == 0)
		r = account_create(b->store, 1, &quota, &PHONE);
	if (r == 0)
		r = account_open(b->store, 1, &b->a);
	return r == 0 ? mailbox_find(b->a, STR("INBOX"), &b->inbox) : r;
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	uint64_t     n = 100000;
	int          r;

	if (argc < 2 || (argc > 2 && str_to_u64(str_c(argv[2]), &n) < 0) || n > 1000000)
		return 2;
	r = open_all(&b, argv[1]);
	if (r == 0)
		r = fill(&b, (unsigned)n);
	if (r == 0)
		r = measure(&b, (unsigned)n);
	if (r < 0)
		fprintf(stderr, "failed: %s\n", error_row(r)->text);
	if (b.a != NULL)
		account_drop(b.a);
	store_drop(b.store);
	return r < 0;
}

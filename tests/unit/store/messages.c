/* Tests of messages: in, out, flags, copies, moves, removals, the change log. */
#include "env.h"

#include <stdlib.h>

#include "base/clock.h"
#include "kv/open.h"

enum { DAY_MS = 24 * 3600 * 1000 };

static void
assert_bytes(struct env *e, const struct message *m, const char *want, size_t n)
{
	OWN_BUF struct buf got = BUF_INIT(64 << 20);

	assert_ok(message_read(e->a, m, 0, n + 10, &got));
	assert_int_equal(got.n, n);
	assert_memory_equal(got.p, want, n);
	/* Slices, over the border of header and body too. */
	for (size_t off = 0; off <= n && n < 200; off++)
		for (size_t len = 0; len <= n - off; len++) {
			buf_reset(&got);
			assert_ok(message_read(e->a, m, off, len, &got));
			assert_int_equal(got.n, len);
			assert_memory_equal(len != 0 ? got.p : "", want + off, len);
		}
}

static void
test_bytes_come_back(void **state)
{
	static const char *const TEXTS[] = {
		"", "\r\n", "\n", "x", "A: 1\r\n", "A: 1\r\n\r\n", "A: 1\r\n\r\nbody\r\n",
		"A: 1\n\nbody\n",
		"\r\nonly a body", "A: 1\r\n \r\nB: 2\r\n\r\n\r\n\r\n", "\r\r\nA: 1\r\n\r\nx",
		"A: 1\r\n\r", "A: \xff\xfe\r\n\r\n\x01\x02",
	};
	struct env *e = *state;

	for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
		struct appended done = put(e, 0, TEXTS[i]);
		struct message  m = get(e, e->inbox, done.uid);

		assert_int_equal(done.uid, i + 1);
		assert_int_equal(m.size, strlen(TEXTS[i]));
		assert_bytes(e, &m, TEXTS[i], strlen(TEXTS[i]));
	}
	env_verify(e);
}

/* The same message in chunks of every size has the same blob. */
static void
test_chunks(void **state)
{
	static const char        TEXT[] = "A: 1\r\nB: 2\r\n\r\nbody\r\n.\r\n";
	struct env              *e = *state;
	const struct append_options opt = { 0 };

	for (size_t chunk = 1; chunk < sizeof(TEXT); chunk++) {
		OWN(ingest)     in = NULL;
		struct appended done;
		struct message  m;

		assert_ok(ingest_new(e->store, 1000, &in));
		for (size_t at = 0; at < sizeof(TEXT) - 1; at += chunk)
			assert_ok(ingest_write(
			    in, str_head(str_of(TEXT + at, sizeof(TEXT) - 1 - at), chunk)));
		assert_int_equal(
		    message_append(e->a, e->inbox, in, &opt, &ACTOR, &done), E_STATE);
		assert_ok(ingest_end(in));
		assert_ok(message_append(e->a, e->inbox, in, &opt, &ACTOR, &done));
		m = get(e, e->inbox, done.uid);
		assert_int_equal(m.header_n, 14);
		assert_int_equal(m.blob_header_n, 14);
		assert_bytes(e, &m, TEXT, sizeof(TEXT) - 1);
	}
}

/* Around the limits of pieces and of the header, and with a header that has no end. */
static void
test_sizes(void **state)
{
	static const size_t BODIES[] = { KV_BLOB_PIECE - 1, KV_BLOB_PIECE, KV_BLOB_PIECE + 1,
		2 * KV_BLOB_PIECE, 5 * KV_BLOB_PIECE + 7 };
	static const size_t HEADERS[] = { (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20 };
	struct env         *e = *state;

	for (size_t i = 0; i < ARRAY_LEN(BODIES) + ARRAY_LEN(HEADERS); i++) {
		bool            is_body = i < ARRAY_LEN(BODIES);
		size_t          n = is_body ? BODIES[i] + 8 : HEADERS[i - ARRAY_LEN(BODIES)];
		char           *p = noise(n, (unsigned)i);
		struct appended done;
		struct message  m;

		if (is_body)
			memcpy(p, "A: 1\r\n\r\n", 8);
		else
			memset(p, 'h', n);
		assert_ok(try_append(e, e->inbox, str_of(p, n), (struct flags){ 0 }, &done));
		m = get(e, e->inbox, done.uid);
		assert_int_equal(m.size, n);
		assert_true(m.blob_header_n <= 1 << 20);
		assert_bytes(e, &m, p, n);
		free(p);
	}
	env_verify(e);
}

enum { HUGE = 50 << 20, CHUNK = 100000, ROOM = 64 << 20 };

/* A message that need not be in memory: each byte follows from its place. After a header come lines
 * of 64 bytes, and one of a million. */
static void
huge_bytes(char *to, size_t off, size_t n)
{
	static const char HEADER[] = "Subject: huge\r\n\r\n";

	for (size_t i = 0; i < n; i++) {
		size_t at = off + i;

		if (at < sizeof(HEADER) - 1)
			to[i] = HEADER[at];
		else if (at % 64 < 2 && (at < 4000000 || at > 5000000))
			to[i] = "\r\n"[at % 64];
		else
			to[i] = (char)('a' + (at / 64 + at) % 26);
	}
}

/* Bytes of memory that the process has. */
static size_t
resident(void)
{
	unsigned long total, pages = 0;
	FILE         *f = fopen("/proc/self/statm", "re");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &total, &pages), 2);
	fclose(f);
	return pages * 4096;
}

static void
test_fifty_megabytes(void **state)
{
	struct env                 *e = *state;
	const struct append_options opt = { 0 };
	OWN_BUF struct buf          got = BUF_INIT(CHUNK);
	OWN(ingest)                 in = NULL;
	struct appended             done;
	struct message              m;
	char                       *chunk = malloc(CHUNK);
	size_t                      before = resident(), most = before;

	assert_ok(ingest_new(e->store, HUGE, &in));
	for (size_t at = 0; at < HUGE; at += CHUNK) {
		size_t n = HUGE - at < CHUNK ? HUGE - at : CHUNK;

		huge_bytes(chunk, at, n);
		assert_ok(ingest_write(in, str_of(chunk, n)));
		most = resident() > most ? resident() : most;
	}
	assert_ok(ingest_end(in));
	assert_ok(message_append(e->a, e->inbox, in, &opt, &ACTOR, &done));
	assert_ok(account_barrier(e->a));
	m = get(e, e->inbox, done.uid);
	assert_int_equal(m.size, HUGE);
	for (size_t at = 0; at < HUGE; at += CHUNK) {
		size_t n = HUGE - at < CHUNK ? HUGE - at : CHUNK;

		huge_bytes(chunk, at, n);
		buf_reset(&got);
		assert_ok(message_read(e->a, &m, at, CHUNK, &got));
		assert_int_equal(got.n, n);
		assert_memory_equal(got.p, chunk, n);
		most = resident() > most ? resident() : most;
	}
	free(chunk);
#ifndef POSTRIDER_SANITIZED /* which takes memory of its own */
	assert_true(most - before < ROOM);
#endif
}

static void
test_too_big(void **state)
{
	struct env *e = *state;
	OWN(ingest) in = NULL;

	assert_ok(ingest_new(e->store, 10, &in));
	assert_ok(ingest_write(in, STR("0123456789")));
	assert_int_equal(ingest_write(in, STR("x")), E_TOO_BIG);
	assert_int_equal(ingest_write(in, STR("")), E_TOO_BIG);
	assert_int_equal(ingest_end(in), E_TOO_BIG);
}

/* Several mailboxes and accounts share one blob; the last reference deletes it. */
static void
test_one_blob_for_many(void **state)
{
	static const struct quota   none;
	struct env                 *e = *state;
	const struct append_options opt = { .internal_ms = 1000, .internal_zone_min = 60 };
	OWN(account)                b = NULL;
	OWN(ingest)                 in = take_in(e->store, STR("A: 1\r\n\r\nbody"));
	struct appended             done;
	struct message              m, n;
	mailbox_id                  inbox;
	uint64_t                    refs;

	assert_ok(account_create(e->store, 8, &none, &ACTOR));
	assert_ok(account_open(e->store, 8, &b));
	assert_ok(mailbox_find(b, STR("inbox"), &inbox));
	assert_ok(message_append(e->a, e->inbox, in, &opt, &ACTOR, &done));
	assert_ok(message_append(e->a, box(e, "Sent"), in, &opt, &ACTOR, &done));
	assert_ok(message_append(b, inbox, in, &opt, &ACTOR, &done));
	m = get(e, e->inbox, 1);
	assert_true(m.internal_ms == 1000 && m.internal_zone_min == 60);
	assert_ok(message_get(b, inbox, 1, &n));
	assert_memory_equal(m.blob.b, n.blob.b, sizeof(m.blob.b));
	assert_ok(kv_blob_refs(e->kv, &m.blob, &refs));
	assert_int_equal(refs, 3);
	env_verify(e);
	account_drop(b);
	b = NULL;
	assert_ok(account_remove(e->store, 8));
	assert_bytes(e, &m, "A: 1\r\n\r\nbody", 12);
	env_verify(e);
}

static void
test_scan_and_facts(void **state)
{
	struct env          *e = *state;
	OWN(message_iter)    it = NULL;
	OWN_BUF struct buf   hold = BUF_INIT(1 << 20);
	struct message_facts facts, again;
	struct message       m;
	mailbox_id           other = box(e, "Sent");

	for (int i = 0; i < 20; i++)
		put_flags(e, i % 2 == 0 ? e->inbox : other, "Subject: x\r\n\r\nbody",
		    i % 3 == 0 ? FLAG_SEEN : 0);
	expunge_all(e, e->inbox, "3:4");
	assert_ok(message_scan(e->a, e->inbox, 2, 6, SCAN_RECORDS_FACTS, &it));
	for (uint32_t uid = 2; uid <= 6; uid++) {
		if (uid == 3 || uid == 4)
			continue;
		assert_int_equal(message_iter_next(it, &m, &facts), 1);
		assert_int_equal(m.uid, uid);
		buf_reset(&hold);
		assert_ok(message_get_facts(e->a, e->inbox, uid, &hold, &again));
		assert_true(facts.envelope.n > 0 && str_eq(facts.envelope, again.envelope));
		assert_true(str_eq(facts.body_structure, again.body_structure));
		assert_true(str_eq(facts.parts, again.parts));
	}
	assert_int_equal(message_iter_next(it, &m, &facts), 0);
	message_iter_drop(TAKE(it));
	/* What is changed later is not seen by a scan that has begun. */
	assert_ok(message_scan(e->a, e->inbox, 1, UINT32_MAX, SCAN_RECORDS, &it));
	expunge_all(e, e->inbox, "10");
	for (uint32_t n = 0; n < 8; n++)
		assert_int_equal(message_iter_next(it, &m, NULL), 1);
	assert_int_equal(m.uid, 10);
	assert_int_equal(message_iter_next(it, &m, NULL), 0);
	assert_int_equal(message_get(e->a, e->inbox, 10, &m), E_MESSAGE_GONE);
	assert_int_equal(message_get_facts(e->a, e->inbox, 10, &hold, &facts), E_MESSAGE_GONE);
}

static void
test_keywords(void **state)
{
	struct env  *e = *state;
	unsigned     a, b, c;
	char         name[KEYWORD_NAME_MAX + 2];
	struct flags flags = { 0 };
	struct appended done;

	assert_int_equal(keyword_number(e->a, STR("$Junk"), false, &ACTOR, &a), E_NOT_FOUND);
	assert_ok(keyword_number(e->a, STR("$Junk"), true, &ACTOR, &a));
	assert_ok(keyword_number(e->a, STR("Work"), true, &ACTOR, &b));
	assert_ok(keyword_number(e->a, STR("$JUNK"), true, &ACTOR, &c));
	assert_int_equal(a, c);
	assert_int_not_equal(a, b);
	assert_str(keyword_name(e->a, a), "$Junk");
	assert_int_equal(keyword_number(e->a, STR(""), true, &ACTOR, &c), E_SYNTAX);
	assert_int_equal(keyword_number(e->a, STR("\\Seen"), true, &ACTOR, &c), E_SYNTAX);
	assert_int_equal(keyword_number(e->a, STR("a b"), true, &ACTOR, &c), E_SYNTAX);
	assert_int_equal(keyword_number(e->a, STR("a]"), true, &ACTOR, &c), E_SYNTAX);
	memset(name, 'k', sizeof(name));
	assert_int_equal(
	    keyword_number(e->a, str_of(name, KEYWORD_NAME_MAX + 1), true, &ACTOR, &c), E_SYNTAX);
	for (unsigned i = 2; i < KEYWORD_MAX; i++) {
		snprintf(name, sizeof(name), "k%u", i);
		assert_ok(keyword_number(e->a, str_c(name), true, &ACTOR, &c));
		assert_int_equal(c, i);
	}
	assert_int_equal(keyword_number(e->a, STR("one-more"), true, &ACTOR, &c), E_LIMIT);
	assert_int_equal(keyword_count(e->a), KEYWORD_MAX);
	flags.keywords[3] = 1ull << 63;
	assert_ok(try_append(e, e->inbox, STR("A: 1\r\n\r\n"), flags, &done));
	env_account(e);
	assert_true(get(e, e->inbox, 1).flags.keywords[3] == 1ull << 63);
	assert_str(keyword_name(e->a, 255), "k255");
	env_verify(e);
}

/* Numbers that no keyword has are not kept. */
static void
test_unknown_keywords_are_cut(void **state)
{
	struct env     *e = *state;
	struct flags    flags = { 0xffff, { ~0ull, ~0ull, ~0ull, ~0ull } };
	struct appended done;
	unsigned        n;

	assert_ok(keyword_number(e->a, STR("a"), true, &ACTOR, &n));
	assert_ok(try_append(e, e->inbox, STR("A: 1\r\n\r\n"), flags, &done));
	assert_true(get(e, e->inbox, 1).flags.keywords[0] == 1);
	assert_int_equal(get(e, e->inbox, 1).flags.system, FLAG_SYSTEM_ALL);
	env_verify(e);
}

static void
test_flags(void **state)
{
	struct env *e = *state;
	uint64_t    modseq;

	for (int i = 0; i < 6; i++)
		put(e, 0, "A: 1\r\n\r\nx");
	assert_int_equal(status(e, e->inbox).unseen, 6);
	set_flags(e, e->inbox, "1:3,99", FLAGS_ADD, FLAG_SEEN | FLAG_FLAGGED);
	assert_int_equal(status(e, e->inbox).unseen, 3);
	set_flags(e, e->inbox, "2", FLAGS_REMOVE, FLAG_SEEN);
	set_flags(e, e->inbox, "3", FLAGS_REPLACE, FLAG_DELETED | FLAG_SEEN);
	assert_int_equal(get(e, e->inbox, 1).flags.system, FLAG_SEEN | FLAG_FLAGGED);
	assert_int_equal(get(e, e->inbox, 2).flags.system, FLAG_FLAGGED);
	assert_int_equal(get(e, e->inbox, 3).flags.system, FLAG_DELETED | FLAG_SEEN);
	assert_int_equal(status(e, e->inbox).unseen, 4);
	assert_int_equal(status(e, e->inbox).deleted, 1);
	assert_true(get(e, e->inbox, 3).modseq == account_modseq(e->a));
	/* What changes nothing is no change. */
	modseq = account_modseq(e->a);
	set_flags(e, e->inbox, "3", FLAGS_REPLACE, FLAG_DELETED | FLAG_SEEN);
	set_flags(e, e->inbox, "1:3", FLAGS_REMOVE, FLAG_ANSWERED);
	set_flags(e, e->inbox, "1", FLAGS_ADD, FLAG_SEEN);
	set_flags(e, e->inbox, "50:60", FLAGS_ADD, FLAG_SEEN);
	assert_true(account_modseq(e->a) == modseq);
	env_verify(e);
}

/* RFC 7162 s3.1.3 */
static void
test_unchanged_since(void **state)
{
	struct env              *e = *state;
	struct flag_change       change = { FLAGS_ADD, { .system = FLAG_SEEN }, true, 0, NULL };
	OWN_RANGES struct ranges uids = uids_of("1:4"), modified = { 0 }, changed = { 0 };
	uint32_t                 next = 7;

	for (int i = 0; i < 3; i++)
		put(e, 0, "A: 1\r\n\r\nx");
	set_flags(e, e->inbox, "3", FLAGS_ADD, FLAG_SEEN);
	change.modified = &modified;
	change.unchanged_since = account_modseq(e->a);
	set_flags(e, e->inbox, "2", FLAGS_ADD, FLAG_FLAGGED);
	assert_ok(message_change_flags(
	    e->a, e->inbox, &uids, 1, &change, &ACTOR, &changed, &next));
	assert_int_equal(next, 0);
	assert_string_equal(list_of(&modified), "2");
	assert_string_equal(list_of(&changed), "1");
	assert_int_equal(get(e, e->inbox, 2).flags.system, FLAG_FLAGGED);
	/* 0 fails for all. */
	ranges_done(&modified);
	change.unchanged_since = 0;
	assert_ok(message_change_flags(
	    e->a, e->inbox, &uids, 1, &change, &ACTOR, NULL, &next));
	assert_string_equal(list_of(&modified), "1:3");
}

/* A call does 1000 and says where to go on. */
static void
test_parts(void **state)
{
	struct env              *e = *state;
	struct flag_change       change = { FLAGS_ADD, { .system = FLAG_DELETED }, false, 0, NULL };
	OWN_RANGES struct ranges uids = uids_of("1:4000000000"), changed = { 0 }, removed = { 0 };
	struct copied            copied = { 0 };
	uint32_t                 next;

	for (int i = 0; i < 2300; i++)
		put(e, 0, "A: 1\r\n\r\nx");
	assert_ok(message_change_flags(
	    e->a, e->inbox, &uids, 0, &change, &ACTOR, &changed, &next));
	assert_int_equal(next, 1001);
	assert_string_equal(list_of(&changed), "1:1000");
	for (int calls = 1; next != 0; calls++) {
		assert_ok(message_change_flags(
		    e->a, e->inbox, &uids, next, &change, &ACTOR, &changed, &next));
		assert_true(calls < 3);
	}
	assert_string_equal(list_of(&changed), "1:2300");
	assert_int_equal(status(e, e->inbox).deleted, 2300);
	next = 0;
	do
		assert_ok(message_move(
		    e->a, e->inbox, &uids, next, box(e, "Trash"), &ACTOR, &copied, &next));
	while (next != 0);
	assert_string_equal(list_of(&copied.from), "1:2300");
	assert_string_equal(list_of(&copied.to), "1:2300");
	assert_int_equal(status(e, e->inbox).messages, 0);
	assert_int_equal(status(e, e->inbox).size, 0);
	ranges_done(&copied.from);
	ranges_done(&copied.to);
	do
		assert_ok(message_expunge(
		    e->a, box(e, "Trash"), NULL, false, next, &ACTOR, &removed, &next));
	while (next != 0);
	assert_string_equal(list_of(&removed), "1:2300");
	env_verify(e);
}

static void
move(struct env *e, const char *uids, mailbox_id to, const char *want_from, const char *want_to)
{
	OWN_RANGES struct ranges set = uids_of(uids);
	struct copied            copied = { 0 };
	uint32_t                 next = 1;

	while (next != 0)
		assert_ok(
		    message_move(e->a, e->inbox, &set, next, to, &ACTOR, &copied, &next));
	assert_string_equal(list_of(&copied.from), want_from);
	assert_string_equal(list_of(&copied.to), want_to);
	ranges_done(&copied.from);
	ranges_done(&copied.to);
}

static void
test_copy_and_move(void **state)
{
	struct env    *e = *state;
	mailbox_id     sent = box(e, "Sent"), trash = box(e, "Trash");
	struct message m, c;

	for (int i = 0; i < 5; i++)
		put_flags(e, 0, "A: 1\r\n\r\nx", i == 2 ? FLAG_SEEN | FLAG_FLAGGED : 0);
	expunge_all(e, e->inbox, "2");
	m = get(e, e->inbox, 3);
	clock_test_advance(1000);
	copy_from_inbox(e, "1:4000000000", sent, "1,3:5", "1:4");
	c = get(e, sent, 2);
	assert_true(c.email != m.email && c.thread == m.thread && c.size == m.size);
	assert_int_equal(c.flags.system, m.flags.system);
	assert_true(c.internal_ms == m.internal_ms && c.save_ms > m.save_ms);
	assert_memory_equal(c.blob.b, m.blob.b, sizeof(m.blob.b));
	assert_bytes(e, &c, "A: 1\r\n\r\nx", 9);
	copy_from_inbox(e, "2,77", sent, "", "");
	/* Into the same mailbox: each once. */
	copy_from_inbox(e, "1:4000000000", e->inbox, "1,3:5", "6:9");
	move(e, "3,4", trash, "3:4", "1:2");
	c = get(e, trash, 1);
	assert_true(c.email == m.email && c.thread == m.thread);
	assert_string_equal(uids_in(e, e->inbox), "1,5:9");
	move(e, "1:4000000000", e->inbox, "1,5:9", "10:15");
	assert_string_equal(uids_in(e, e->inbox), "10:15");
	env_verify(e);
	env_account(e);
	env_verify(e);
}

static void
test_copy_to_nowhere(void **state)
{
	struct env              *e = *state;
	OWN_RANGES struct ranges uids = uids_of("1");
	struct copied            copied = { 0 };
	uint32_t                 next;

	put(e, 0, "A: 1\r\n\r\nx");
	assert_int_equal(message_copy(e->a, e->inbox, &uids, 99, &ACTOR, &copied), E_NO_MAILBOX);
	assert_int_equal(message_move(e->a, 99, &uids, 0, e->inbox, &ACTOR, &copied, &next),
	    E_NO_MAILBOX);
	assert_int_equal(
	    message_expunge(e->a, 99, NULL, true, 0, &ACTOR, NULL, &next), E_NO_MAILBOX);
}

/* A copy that takes several commits and fails in the end leaves nothing. */
static void
test_large_copy_is_all_or_nothing(void **state)
{
	struct env              *e = *state;
	OWN_RANGES struct ranges uids = uids_of("1:4000000000");
	struct copied            copied = { 0 };
	struct quota_usage       use, before;
	struct quota             quota;
	mailbox_id               sent = box(e, "Sent");
	unsigned long            ops;
	char                     text[4000] = "Message-ID: <same@id>\r\nSubject: ";

	/* Reading the facts is one operation for each message; the last but one fails. */
	memset(text + strlen(text), 's', sizeof(text) - strlen(text) - 1);
	for (int i = 0; i < 9000; i++)
		put(e, 0, text);
	account_quota(e->a, &quota, &before);
	status(e, sent);
	uids_in(e, e->inbox);
	uids_in(e, sent);
	kv_fault_set(e->kv, 0, false, 0);
	assert_ok(message_copy(e->a, e->inbox, &uids, sent, &ACTOR, &copied));
	ops = kv_fault_set(e->kv, 0, false, 0);
	assert_string_equal(list_of(&copied.to), "1:9000");
	ranges_done(&copied.from);
	ranges_done(&copied.to);
	expunge_all(e, sent, "1:9000");
	kv_fault_set(e->kv, ops - 1, false, E_NOMEM);
	assert_int_equal(message_copy(e->a, e->inbox, &uids, sent, &ACTOR, &copied), E_NOMEM);
	kv_fault_set(e->kv, 0, false, 0);
	assert_int_equal(copied.to.n, 0);
	assert_int_equal(status(e, sent).messages, 0);
	assert_true(status(e, sent).uidnext > 9001 + 2000);
	account_quota(e->a, &quota, &use);
	assert_true(use.count == before.count && use.storage == before.storage);
	env_verify(e);
}

static void
test_quota(void **state)
{
	struct env              *e = *state;
	const struct quota       count = { 0, 3 }, storage = { 100, 0 };
	OWN_RANGES struct ranges uids = uids_of("1:2");
	struct append_options    opt = { .ignore_quota = true };
	OWN(ingest)              in = NULL;
	struct copied            copied = { 0 };
	struct appended          done;
	struct quota             quota;
	struct quota_usage       use;
	char                     big[101];

	put(e, 0, "A: 1\r\n\r\nx");
	put(e, 0, "A: 1\r\n\r\nx");
	assert_ok(account_quota_set(e->a, &count, &ACTOR));
	assert_ok(account_quota_check(e->a, 1));
	assert_int_equal(message_copy(e->a, e->inbox, &uids, e->inbox, &ACTOR, &copied),
	    E_OVER_QUOTA_TEMP);
	assert_string_equal(uids_in(e, e->inbox), "1:2");
	put(e, 0, "A: 1\r\n\r\nx");
	assert_int_equal(account_quota_check(e->a, 1), E_OVER_QUOTA_TEMP);
	assert_int_equal(try_append(e, e->inbox, STR("x"), (struct flags){ 0 }, &done),
	    E_OVER_QUOTA_TEMP);
	in = take_in(e->store, STR("y"));
	assert_ok(message_append(e->a, e->inbox, in, &opt, &ACTOR, &done));
	expunge_all(e, e->inbox, "1:4");
	account_quota(e->a, &quota, &use);
	assert_true(use.count == 0 && use.storage == 0);
	assert_ok(account_quota_set(e->a, &storage, &ACTOR));
	memset(big, 'b', sizeof(big));
	assert_int_equal(
	    try_append(e, e->inbox, str_of(big, 101), (struct flags){ 0 }, &done), E_OVER_QUOTA);
	assert_ok(try_append(e, e->inbox, str_of(big, 100), (struct flags){ 0 }, &done));
	assert_int_equal(try_append(e, e->inbox, str_of(big, 1), (struct flags){ 0 }, &done),
	    E_OVER_QUOTA_TEMP);
	assert_int_equal(expunged_restore(e->a, 1, e->inbox, &ACTOR, &done), E_OVER_QUOTA_TEMP);
	env_verify(e);
}

static void
test_expunge(void **state)
{
	struct env              *e = *state;
	OWN_RANGES struct ranges uids = uids_of("1:3"), removed = { 0 };
	uint32_t                 next;

	for (int i = 0; i < 5; i++)
		put_flags(e, 0, "A: 1\r\n\r\nx", i % 2 == 0 ? FLAG_DELETED : 0);
	/* UID EXPUNGE takes only what has the flag. RFC 4315 s2.1 */
	assert_ok(message_expunge(e->a, e->inbox, &uids, false, 0, &ACTOR, &removed, &next));
	assert_int_equal(next, 0);
	assert_string_equal(list_of(&removed), "1,3");
	assert_string_equal(uids_in(e, e->inbox), "2,4:5");
	expunge_all(e, e->inbox, NULL);
	assert_string_equal(uids_in(e, e->inbox), "2,4");
	expunge_all(e, e->inbox, "4");
	assert_string_equal(uids_in(e, e->inbox), "2");
	env_verify(e);
}

static int
keep_last(void *arg, const struct expunged *x)
{
	struct expunged *last = arg;

	assert_str(x->login, "anna+phone@example.org");
	assert_str(x->peer, "192.0.2.1");
	*last = *x;
	return 0;
}

static void
test_restore(void **state)
{
	struct env     *e = *state;
	struct appended done, again;
	struct expunged x = { 0 };
	mailbox_id      archive = box(e, "Archive");
	struct message  m;

	put(e, 0, "A: 1\r\n\r\nx");
	done = put_flags(e, 0, "A: 2\r\n\r\nyy", FLAG_SEEN | FLAG_DELETED);
	expunge_all(e, e->inbox, NULL);
	assert_ok(expunged_scan(e->a, keep_last, &x));
	assert_true(x.message.email == done.email && x.mailbox == e->inbox && x.message.uid == 2);
	assert_int_equal(expunged_restore(e->a, 1, archive, &ACTOR, &again), E_NOT_FOUND);
	assert_int_equal(expunged_restore(e->a, 99, archive, &ACTOR, &again), E_NOT_FOUND);
	assert_int_equal(expunged_restore(e->a, done.email, 99, &ACTOR, &again), E_NO_MAILBOX);
	assert_ok(expunged_restore(e->a, done.email, archive, &ACTOR, &again));
	assert_true(again.email == done.email && again.uid == 1);
	m = get(e, archive, 1);
	assert_int_equal(m.flags.system, FLAG_SEEN);
	assert_bytes(e, &m, "A: 2\r\n\r\nyy", 10);
	memset(&x, 0, sizeof(x));
	assert_ok(expunged_scan(e->a, keep_last, &x));
	assert_true(x.message.email == 0);
	assert_int_equal(expunged_restore(e->a, done.email, archive, &ACTOR, &again), E_NOT_FOUND);
	env_verify(e);
}

/* A UID is never used again, also when the last one went and the account was read anew. */
static void
test_uids_are_never_reused(void **state)
{
	struct env *e = *state;

	for (uint32_t i = 1; i <= 5; i++) {
		struct appended done = put(e, 0, "A: 1\r\n\r\nx");

		assert_int_equal(done.uid, i);
		assert_int_equal(done.email, i);
		expunge_all(e, e->inbox, "1:100");
		assert_ok(account_barrier(e->a));
		env_restart(e);
	}
	env_verify(e);
}

static void
test_threads(void **state)
{
	struct env *e = *state;
	uint64_t    first;

	put(e, 0, "Message-ID: <a@x>\r\n\r\n");
	first = get(e, e->inbox, 1).thread;
	assert_true(first == get(e, e->inbox, 1).email);
	put(e, 0, "Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n\r\n");
	put(e, 0, "Message-ID: <c@x>\r\nReferences: <a@x> <unknown@x> <b@x>\r\n\r\n");
	put(e, 0, "Message-ID: <d@x>\r\nIn-Reply-To: <nobody@x>\r\n\r\n");
	put(e, 0, "Message-ID: <a@x>\r\n\r\n");
	put(e, 0, "References: <<>< c@x >\r\n\r\n");
	put(e, 0, "References: > < <c@x\r\n\r\n");
	assert_true(get(e, e->inbox, 2).thread == first);
	assert_true(get(e, e->inbox, 3).thread == first);
	assert_true(get(e, e->inbox, 4).thread == get(e, e->inbox, 4).email);
	assert_true(get(e, e->inbox, 5).thread == first);
	assert_true(get(e, e->inbox, 6).thread == first);
	assert_true(get(e, e->inbox, 7).thread == get(e, e->inbox, 7).email);
	env_verify(e);
}

#define ON_MEM(f) cmocka_unit_test_setup_teardown(f, env_mem, env_done)
#define ON_ROCKS(f) { #f " (rocks)", f, env_rocks, env_done, NULL }

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MEM(test_bytes_come_back),
		ON_ROCKS(test_bytes_come_back),
		ON_MEM(test_chunks),
		ON_MEM(test_sizes),
		ON_ROCKS(test_sizes),
		ON_ROCKS(test_fifty_megabytes),
		ON_MEM(test_too_big),
		ON_MEM(test_one_blob_for_many),
		ON_MEM(test_scan_and_facts),
		ON_ROCKS(test_scan_and_facts),
		ON_MEM(test_keywords),
		ON_MEM(test_unknown_keywords_are_cut),
		ON_MEM(test_flags),
		ON_MEM(test_unchanged_since),
		ON_MEM(test_parts),
		ON_MEM(test_copy_and_move),
		ON_ROCKS(test_copy_and_move),
		ON_MEM(test_copy_to_nowhere),
		ON_MEM(test_large_copy_is_all_or_nothing),
		ON_MEM(test_quota),
		ON_MEM(test_expunge),
		ON_MEM(test_restore),
		ON_ROCKS(test_uids_are_never_reused),
		ON_MEM(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

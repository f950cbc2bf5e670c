/*
 * Tests of serve/imap/search.h: a search of texts that are kept finds what one finds that decodes
 * the messages, and both find what a plain look at the decoded pieces finds. Over hostile messages
 * of our own, and over the corpus beside the repository where it is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "codec/casefold.h"
#include "codec/charset.h"
#include "kv/open.h"
#include "serve/imap/search.h"
#include "store/text.h"
#include "store/text_rows.h"

enum { MESSAGES_MAX = 2000, FILE_BYTES = 200 << 10, ROUNDS = 100, NEEDLE_MAX = 40 };

static const struct actor ACTOR = { .protocol = ACTOR_ADMIN };
static const struct quota NO_QUOTA;

struct bed {
	struct kv      *kv;
	struct store   *store;
	struct account *a;
	mailbox_id      inbox;
	struct view    *view;
	uint32_t        n;
	uint32_t        seed;
};

static uint32_t
draw(struct bed *bed, uint32_t n)
{
	bed->seed = bed->seed * 1664525 + 1013904223;
	return n != 0 ? (bed->seed >> 8) % n : 0;
}

/* --- messages --- */

static void
add(struct bed *bed, struct str bytes)
{
	const struct append_options opt = { .internal_ms = 1000000000000 };
	OWN(ingest)                 in = NULL;
	struct appended             done;

	assert_int_equal(ingest_new(bed->store, 64 << 20, &in), 0);
	assert_int_equal(ingest_write(in, bytes), 0);
	assert_int_equal(ingest_end(in), 0);
	assert_int_equal(message_append(bed->a, bed->inbox, in, &opt, &ACTOR, &done), 0);
	bed->n++;
}

static const char *const OWN_MESSAGES[] = {
	"",
	"\r\n",
	"no header, no end",
	"Subject: only a header\r\n",
	"Subject: stra\xc3\x9f" "e STRASSE \xe1\xba\x9e\r\n\r\n"
	"\xce\xa3\xcf\x83\xcf\x82 \xc4\xb0i\xc4\xb1I\r\n",
	"Subject: bad \xff\xfe\xc3 utf-8\r\n\r\nbad \xff\xc3\x28 utf-8 \xf0\x9f\x98\r\n",
	"Subject: e\xcc\x81 and \xc3\xa9\r\n\r\ncombining e\xcc\x81\xcc\xa7\r\n",
	"From: a@b (comment)\r\nFrom: \"x y\" <c@d>, e@f\r\n"
	"no field at all\r\nSubject:\r\n\r\nx\r\n",
	"Subject: a\r\n  \t b\r\n\tc\r\nDate: nonsense\r\nDate: 1 Feb 1994 00:00 +0000\r\n\r\n"
	"\t a \t\r\n",
	"Content-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n--b\r\nContent-Type: text/html;"
	" charset=utf-16\r\nContent-Transfer-Encoding: base64\r\n\r\nAGEAYgBj\r\n--b\r\n"
	"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--b--\r\npost",
	"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	"span=\r\nning a line, =C3=\r\n=9F =E4\r\n",
	"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B4A;z\x1b(B abc\r\n",
	"Content-Type: text/plain; charset=nobody-knows\r\n\r\n"
	"what \x80\x81\r\nline end\nbare\rcr\r\n",
	"Subject: =?utf-8?b?4oCL?= =?x?q?=41?= =?utf-8?q?=FF?=\r\n\r\nx\r\n",
};

static struct bed *filling;

static int
add_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	OWN_BUF struct buf b = BUF_INIT(FILE_BYTES);
	FILE              *f;

	(void)ftw;
	if (type != FTW_F || st->st_size > FILE_BYTES || filling->n >= MESSAGES_MAX)
		return 0;
	f = fopen(path, "rb");
	if (f != NULL && st->st_size > 0 && buf_room(&b, (size_t)st->st_size) != NULL)
		buf_commit(&b, fread(b.p, 1, (size_t)st->st_size, f));
	if (f != NULL)
		fclose(f);
	add(filling, buf_view(&b));
	return 0;
}

static void
add_large(struct bed *bed)
{
	OWN_BUF struct buf b = BUF_INIT(8 << 20);

	buf_str(&b, STR("Subject: large\r\nDate: 3 Feb 1994 10:00:00 +0000\r\n\r\n"));
	while (b.n < TEXT_KEEP_MAX + 5000)
		buf_printf(&b, "line %zu of a text that is not kept\r\n", b.n);
	add(bed, buf_view(&b));
}

static int
setup(void **state)
{
	struct bed           *bed = calloc(1, sizeof(*bed));
	struct mailbox_status status;

	assert_int_equal(kv_mem_open(&bed->kv), 0);
	assert_int_equal(store_open(bed->kv, NULL, NULL, &bed->store), 0);
	assert_int_equal(account_create(bed->store, 1, &NO_QUOTA, &ACTOR), 0);
	assert_int_equal(account_open(bed->store, 1, &bed->a), 0);
	assert_int_equal(mailbox_find(bed->a, STR("INBOX"), &bed->inbox), 0);
	for (size_t i = 0; i < ARRAY_LEN(OWN_MESSAGES); i++)
		add(bed, str_c(OWN_MESSAGES[i]));
	add_large(bed);
	filling = bed;
	if (nftw(CORPUS, add_file, 16, FTW_PHYS) != 0)
		print_message("no corpus: our own messages only\n");
	assert_int_equal(view_open(bed->a, bed->inbox, true, &status, &bed->view), 0);
	bed->seed = 7;
	*state = bed;
	return 0;
}

static int
teardown(void **state)
{
	struct bed *bed = *state;

	view_drop(bed->view);
	account_drop(bed->a);
	store_drop(bed->store);
	free(bed);
	return 0;
}

/* --- the plain way --- */

/* Each piece is ended by 0xFE and its kind. */
static int
keep_piece(void *arg, const struct text_piece *p)
{
	struct buf *b = arg;

	if (p->where == TEXT_IN_BODY) {
		buf_str(b, p->folded);
		if (p->is_last)
			buf_str(b, STR("\xfe" "B"));
		return b->err;
	}
	buf_str(b, p->folded);
	buf_str(b, p->where == TEXT_IN_TOP ? STR("\xfe" "T") : STR("\xfe" "P"));
	return b->err;
}

/* All pieces of a message. */
static void
read_pieces(struct bed *bed, struct text_builder *builder, uint32_t uid, struct buf *to)
{
	const struct text_sink sink = { keep_piece, to };
	struct message         m;
	const struct text_want want = { .mailbox = bed->inbox, .message = &m };
	struct text_date       date;

	assert_int_equal(message_get(bed->a, bed->inbox, uid, &m), 0);
	assert_int_equal(text_decode(builder, &want, &sink, &date), 0);
}

static bool
has(struct str text, struct str needle)
{
	return needle.n == 0 || memmem(text.p, text.n, needle.p, needle.n) != NULL;
}

static void
fold(struct str text, bool squeeze, struct buf *to)
{
	OWN_BUF struct buf utf8 = BUF_INIT(1 << 20), folded = BUF_INIT(1 << 20);

	assert_int_equal(charset_to_utf8(STR_NONE, text, &utf8), 0);
	casefold(buf_view(&utf8), &folded);
	for (size_t i = 0; i < folded.n; i++) {
		char c = squeeze && folded.p[i] == '\t' ? ' ' : folded.p[i];

		if (!squeeze || c != ' ' || to->n == 0 || to->p[to->n - 1] != ' ')
			buf_byte(to, c);
	}
}

static bool
plain_match(struct str pieces, const struct imap_key *key)
{
	OWN_BUF struct buf needle = BUF_INIT(1 << 20), name = BUF_INIT(1 << 10);
	bool               found = key->kind != IMAP_KEY_HEADER && key->text.n == 0;

	fold(key->text, key->kind == IMAP_KEY_HEADER, &needle);
	casefold(key->name, &name);
	buf_str(&name, STR(": "));
	while (pieces.n != 0 && !found) {
		struct str one = str_cut(&pieces, '\xfe');
		char       kind = pieces.p[0];

		pieces = str_skip(pieces, 1);
		if (key->kind == IMAP_KEY_TEXT || (key->kind == IMAP_KEY_BODY && kind == 'B'))
			found = has(one, buf_view(&needle));
		if (key->kind == IMAP_KEY_HEADER && kind == 'T' && str_starts(one, buf_view(&name)))
			found = has(str_skip(one, name.n), buf_view(&needle));
	}
	return found;
}

/* --- searches --- */

/* Two workers, in turns of their own length. */
static void
run(struct bed *bed, struct imap_key *key, struct ranges *ret)
{
	OWN_ARENA struct arena   arena = ARENA_INIT(64 << 20);
	OWN(search)              s = NULL;
	struct imap_key          root = { .kind = IMAP_KEY_AND, .list = key };
	const struct imap_search ask = { .key = &root };
	int                      r[2] = { 1, 1 };

	assert_int_equal(search_new(bed->view, &ask, &arena, &s), 0);
	while (r[0] == 1 || r[1] == 1)
		for (unsigned i = 0; i < 2; i++)
			if (r[i] == 1)
				r[i] = search_work(s, i, draw(bed, 3));
	assert_int_equal(r[0], 0);
	assert_int_equal(r[1], 0);
	assert_int_equal(search_end(s), 0);
	assert_int_equal(ranges_copy(search_result(s).uids, ret), 0);
}

static void
forget_texts(struct bed *bed)
{
	assert_int_equal(text_remove_all(bed->store, 1), 0);
}

static bool
is_kept(struct bed *bed)
{
	OWN(text_reader) r = NULL;
	struct message   m;
	uint64_t         chunk;

	assert_int_equal(text_reader_new(bed->a, &r), 0);
	assert_int_equal(message_get(bed->a, bed->inbox, 1, &m), 0);
	assert_int_equal(text_locate(r, m.email, &chunk), 0);
	return chunk != 0;
}

static void
compare(struct bed *bed, const struct ranges *is, const struct ranges *should,
    const struct imap_key *key, const char *how)
{
	for (uint32_t uid = 1; uid <= bed->n; uid++)
		if (ranges_has(is, uid) != ranges_has(should, uid))
			fail_msg("%s: UID %u, key %d \"%.*s\" \"%.*s\"", how, uid, (int)key->kind,
			    STR_ARG(key->name), STR_ARG(key->text));
}

/* Some bytes out of a message, as they are or folded, sometimes with one of them changed. */
static size_t
make_needle(struct bed *bed, struct str from, char to[static NEEDLE_MAX])
{
	size_t n = draw(bed, 20) == 0 ? 0 : 1 + draw(bed, draw(bed, 2) == 0 ? 4 : NEEDLE_MAX - 1);
	size_t at = draw(bed, (uint32_t)from.n);

	if (n > from.n - at)
		n = from.n - at;
	if (n != 0)
		memcpy(to, from.p + at, n);
	for (size_t i = 0; i < n; i++)
		to[i] = to[i] == '\xfe' ? ' ' : to[i];
	if (n != 0 && draw(bed, 4) == 0)
		to[draw(bed, (uint32_t)n)] = (char)draw(bed, 256);
	return n;
}

static void
one_round(struct bed *bed, struct buf *pieces)
{
	static const char *const        NAMES[] = { "Subject", "FROM", "to", "", "x-mailer", "no" };
	static const enum imap_key_kind KINDS[] = { IMAP_KEY_BODY, IMAP_KEY_TEXT,
		IMAP_KEY_HEADER };
	OWN_RANGES struct ranges should = { 0 }, first = { 0 }, later = { 0 };
	char                     needle[NEEDLE_MAX];
	struct imap_key          key = { .kind = KINDS[draw(bed, 3)] };

	key.name = str_c(NAMES[draw(bed, ARRAY_LEN(NAMES))]);
	key.text = str_of(needle, make_needle(bed,
	    buf_view(&pieces[draw(bed, bed->n)]), needle));
	for (uint32_t uid = 1; uid <= bed->n; uid++)
		if (plain_match(buf_view(&pieces[uid - 1]), &key))
			assert_int_equal(ranges_add(&should, uid, uid), 0);
	if (draw(bed, 10) == 0)
		forget_texts(bed);
	run(bed, &key, &first);
	compare(bed, &first, &should, &key, "first");
	run(bed, &key, &later);
	compare(bed, &later, &should, &key, "later");
}

static void
test_same(void **state)
{
	struct bed       *bed = *state;
	struct buf       *pieces = calloc(bed->n, sizeof(*pieces));
	OWN(text_builder) builder = NULL;

	assert_int_equal(text_builder_new(bed->a, &builder), 0);
	for (uint32_t i = 0; i < bed->n; i++) {
		buf_init(&pieces[i], 16 << 20);
		read_pieces(bed, builder, i + 1, &pieces[i]);
	}
	for (int round = 0; round < ROUNDS; round++)
		one_round(bed, pieces);
	for (uint32_t i = 0; i < bed->n; i++)
		buf_done(&pieces[i]);
	free(pieces);
}

/* Header searches keep nothing, body searches do; the date is that of the text. */
static void
test_kept(void **state)
{
	struct bed              *bed = *state;
	OWN_RANGES struct ranges first = { 0 }, later = { 0 }, none = { 0 };
	struct imap_key          body = { .kind = IMAP_KEY_BODY, .text = STR("no such words") };
	struct imap_key          sent = {
		.kind = IMAP_KEY_DATE, .date = IMAP_DATE_SENT, .order = IMAP_DATE_BEFORE,
		.day = 12000
	};

	forget_texts(bed);
	run(bed, &sent, &first);
	assert_false(is_kept(bed));
	assert_true(first.n != 0);
	run(bed, &body, &none);
	assert_int_equal(none.n, 0);
	assert_true(is_kept(bed));
	run(bed, &sent, &later);
	compare(bed, &later, &first, &sent, "date");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

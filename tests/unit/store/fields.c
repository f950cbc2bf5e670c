/* Tests of store/fields.h: what is kept answers as the header itself would, or not at all. */
#include "env.h"

#include <stdio.h>

#include "base/pack.h"
#include "mime/header.h"
#include "store/fields.h"

static struct arena arena = ARENA_INIT(1 << 20);

/* The answer of the packed fields is the header's. Returns whether there was one. */
static bool
compare_packed(struct str section, struct str packed, const struct str *names, size_t n)
{
	OWN_BUF struct buf  want = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
	struct fields_ask   ask;
	struct fields_found found;
	char               *p;

	arena_reset(&arena);
	assert_ok(fields_ask_make(names, n, &arena, &ask));
	fields_find(&ask, packed, &found);
	if (!found.known)
		return false;
	header_fields(section, names, n, false, &want);
	assert_ok(want.err);
	p = buf_grow(&got, found.bytes + 1);
	assert_ptr_equal(fields_put(&found, packed, p), p + found.bytes);
	assert_int_equal(found.bytes, want.n);
	assert_true(want.n == 0 || memcmp(p, want.p, want.n) == 0);
	return true;
}

static bool
compare(struct str section, const struct str *names, size_t n)
{
	OWN_BUF struct buf packed = BUF_INIT(1 << 20);

	fields_pack(section, &packed);
	assert_ok(packed.err);
	return compare_packed(section, buf_view(&packed), names, n);
}

static void
test_known_fields_are_answered(void **state)
{
	static const struct str TEXT = STR(
	    "Received: from a\r\n\tby b\r\nX-Odd: 1\r\nfrom: one\r\nSUBJECT: folded\r\n over\r\n"
	    "\tlines\r\nTo : blanks before the colon\r\nno field\r\nFrom: two\r\nsubject:\r\n"
	    "Date: \0nul\r\nCc: gr\xfc\xdf\r\n\r\nbody: x\r\n");
	const struct str list[] = {
		STR("FROM"), STR("sUbJeCt"), STR("to"), STR("Date"), STR("cc")
	};
	const struct str absent[] = { STR("From"), STR("X-Nothing"), STR("From") };
	const struct str odd[] = { STR("From"), STR("x-odd") };
	const struct str trace[] = { STR("Received") };
	const struct str empty[] = { STR("From"), STR("") };

	(void)state;
	for (size_t n = 0; n <= ARRAY_LEN(list); n++)
		assert_true(compare(TEXT, list, n));
	assert_true(compare(TEXT, absent, 3));
	/* Names that are in the header, but were not kept. */
	assert_false(compare(TEXT, odd, 2));
	assert_false(compare(TEXT, trace, 1));
	assert_false(compare(TEXT, empty, 2));
	/* The empty line, in all its forms. */
	assert_true(compare(STR("From: a\nTo: b\n\nx"), list, 3));
	assert_true(compare(STR("From: a\r\nTo: b\r\n"), list, 3));
	assert_true(compare(STR("From: a"), list, 3));
	assert_true(compare(STR("\r\nbody"), list, 3));
	assert_true(compare(STR(""), list, 3));
}

static void
test_long_fields_are_left_out(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1 << 20);
	const struct str   to[] = { STR("Subject"), STR("To") }, subject[] = { STR("Subject") };
	const struct str   strange[] = { STR("X-New") };

	(void)state;
	buf_str(&b, STR("Subject: a\r\nTo: b\r\nTo: "));
	while (b.n < FIELDS_BYTES_MAX)
		buf_str(&b, STR("u@example.org,\r\n "));
	buf_str(&b, STR("end@example.org\r\nsubject: c\r\n"));
	assert_false(compare(buf_view(&b), to, 2));
	assert_true(compare(buf_view(&b), subject, 1));
	assert_true(compare(buf_view(&b), strange, 1));
	/* So many names that they cannot all be noted. */
	for (int i = 0; i < 2 * FIELDS_NAMES_MAX; i++)
		buf_printf(&b, "X-%d: y\r\n", i);
	buf_str(&b, STR("\r\n"));
	assert_true(compare(buf_view(&b), subject, 1));
	assert_false(compare(buf_view(&b), strange, 1));
}

/* What records of the second version hold. */
static void
put_old(struct buf *b)
{
	static const struct str FIELDS[] = { STR("From: a\r\n"), STR("To: c\r\n") };

	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
		pack_u8(b, (uint8_t)i); /* From is 0, To is 1 */
		pack_str(b, FIELDS[i]);
	}
	pack_u8(b, 0xff);
	pack_u8(b, 2);    /* CR LF ends the header */
	pack_u8(b, 0);
	pack_var(b, 1 << 4); /* a Subject was too long */
	pack_u16(b, 0x1234);
}

static void
test_old_shape_is_read(void **state)
{
	static const struct str HEADER = STR("From: a\r\nTo: c\r\n\r\n");
	OWN_BUF struct buf      b = BUF_INIT(1000);
	const struct str both[] = { STR("To"), STR("From") }, long_one[] = { STR("Subject") };

	(void)state;
	put_old(&b);
	for (size_t n = 0; n <= 2; n++)
		assert_true(compare_packed(HEADER, buf_view(&b), both, n));
	assert_false(compare_packed(HEADER, buf_view(&b), long_one, 1));
}

static void
test_scattered_fields_are_read_from_the_header(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1 << 16);
	const struct str   to[] = { STR("To") }, cc[] = { STR("Cc") };
	const struct str   both[] = { STR("To"), STR("Cc") };

	(void)state;
	buf_str(&b, STR("Cc: first\r\n"));
	for (int i = 0; i < FIELDS_PIECES; i++)
		buf_str(&b, STR("To: a\r\nCc: b\r\n"));
	assert_true(compare(buf_view(&b), to, 1));
	assert_false(compare(buf_view(&b), cc, 1));
	assert_true(compare(buf_view(&b), both, 2));
	for (int i = 0; i < FIELDS_KEPT_MAX; i++)
		buf_str(&b, STR("Cc:\r\n"));
	assert_true(compare(buf_view(&b), to, 1));
	assert_false(compare(buf_view(&b), both, 2));
}

static void
try_bad_bytes(const struct fields_ask *ask, struct str packed)
{
	struct fields_found found;
	char                room[200];

	fields_find(ask, packed, &found);
	if (found.known)
		assert_true(found.bytes < sizeof(room) &&
		    fields_put(&found, packed, room) == room + found.bytes);
}

/* `b` as it is, cut, and with each byte changed. */
static void
try_damages(const struct fields_ask *ask, struct buf *b)
{
	static const int FLIPS[] = { 0x55, 0x01, 0x80, 0xff };

	for (size_t i = 0; i <= b->n; i++) {
		OWN_BUF struct buf cut = BUF_INIT(1000);

		/* In memory of its own, where a look beyond the end shows. */
		buf_put(&cut, b->p, i);
		try_bad_bytes(ask, buf_view(&cut));
	}
	for (size_t i = 0; i < b->n * ARRAY_LEN(FLIPS); i++) {
		b->p[i / ARRAY_LEN(FLIPS)] ^= (char)FLIPS[i % ARRAY_LEN(FLIPS)];
		try_bad_bytes(ask, buf_view(b));
		b->p[i / ARRAY_LEN(FLIPS)] ^= (char)FLIPS[i % ARRAY_LEN(FLIPS)];
	}
}

static void
test_bad_bytes_give_no_answer(void **state)
{
	OWN_BUF struct buf  b = BUF_INIT(1000);
	const struct str    names[] = { STR("From"), STR("X-Odd") };
	struct fields_ask   ask;
	struct fields_found found;

	(void)state;
	arena_reset(&arena);
	assert_ok(fields_ask_make(names, 2, &arena, &ask));
	fields_find(&ask, STR_NONE, &found);
	assert_false(found.known);
	fields_pack(STR("From: a\r\nX-Odd-One: b\r\nTo: c\r\n\r\n"), &b);
	try_damages(&ask, &b);
	buf_reset(&b);
	put_old(&b);
	try_damages(&ask, &b);
}

static void
test_random_headers(void **state)
{
	static const char *const PIECES[] = { "From", "to", "SUBJECT", "X-Odd", "Received",
		"List-Id", "References", ":", ": ", " :", "\r\n", "\r\n", "\r\n", "\n", "\r",
		"\r\n ", "\n\t", "value", "\xff", "\x01", "a b", "\r\n\r\n" };
	static const struct str  NAMES[] = { STR("from"), STR("To"), STR("subject"), STR("x-ODD"),
		 STR("received"), STR("list-id"), STR("References"), STR("X-None"), STR("") };
	unsigned                 seed = 1, answered = 0;

	(void)state;
	for (int i = 0; i < 30000; i++) {
		OWN_BUF struct buf b = BUF_INIT(4096);
		struct str         names[4];

		for (int k = rand_r(&seed) % 30; k > 0; k--)
			buf_str(&b, str_c(PIECES[(unsigned)rand_r(&seed) % ARRAY_LEN(PIECES)]));
		for (int k = 0; k < 4; k++)
			names[k] = NAMES[(unsigned)rand_r(&seed) % ARRAY_LEN(NAMES)];
		answered += compare(buf_view(&b), names, (unsigned)rand_r(&seed) % 5);
	}
	assert_true(answered > 10000);
}

static int
release(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_fields_are_answered),
		cmocka_unit_test(test_long_fields_are_left_out),
		cmocka_unit_test(test_old_shape_is_read),
		cmocka_unit_test(test_scattered_fields_are_read_from_the_header),
		cmocka_unit_test(test_bad_bytes_give_no_answer),
		cmocka_unit_test(test_random_headers),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}

/* Tests of store/fields.h: what is kept answers as the header itself would, or not at all. */
#include "env.h"

#include <stdio.h>

#include "mime/header.h"
#include "store/fields.h"

static struct arena arena = ARENA_INIT(1 << 20);

/* The answer of the kept fields is the header's. Returns whether there was one. */
static bool
compare(struct str section, const struct str *names, size_t n)
{
	OWN_BUF struct buf packed = BUF_INIT(1 << 20), want = BUF_INIT(1 << 20);
	OWN_BUF struct buf got = BUF_INIT(1 << 20);
	struct fields_ask  ask;
	size_t             n_got;
	char              *p;

	fields_pack(section, &packed);
	assert_ok(packed.err);
	arena_reset(&arena);
	assert_ok(fields_ask_make(names, n, &arena, &ask));
	if (!fields_measure(&ask, buf_view(&packed), &n_got))
		return false;
	header_fields(section, names, n, false, &want);
	assert_ok(want.err);
	p = buf_grow(&got, n_got + 1);
	assert_ptr_equal(fields_put(&ask, buf_view(&packed), p), p + n_got);
	assert_int_equal(n_got, want.n);
	assert_true(want.n == 0 || memcmp(p, want.p, want.n) == 0);
	return true;
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

static void
test_bad_bytes_give_no_answer(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1000);
	const struct str   names[] = { STR("From"), STR("X-Odd") };
	struct fields_ask  ask;
	size_t             n;
	char               room[200];

	(void)state;
	fields_pack(STR("From: a\r\nX-Odd-One: b\r\nTo: c\r\n\r\n"), &b);
	arena_reset(&arena);
	assert_ok(fields_ask_make(names, 2, &arena, &ask));
	assert_false(fields_measure(&ask, STR_NONE, &n));
	for (size_t i = 0; i <= b.n; i++)
		if (fields_measure(&ask, str_of(b.p, i), &n))
			assert_true(n < sizeof(room) && fields_put(&ask, str_of(b.p, i), room) ==
			    room + n);
	for (size_t i = 0; i < b.n; i++) {
		b.p[i] ^= 0x55;
		if (fields_measure(&ask, buf_view(&b), &n))
			assert_true(n < sizeof(room) && fields_put(&ask, buf_view(&b), room) ==
			    room + n);
		b.p[i] ^= 0x55;
	}
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
		cmocka_unit_test(test_bad_bytes_give_no_answer),
		cmocka_unit_test(test_random_headers),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}

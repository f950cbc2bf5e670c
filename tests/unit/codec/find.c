/* Tests of codec/find.h: against the C library's memmem. */
#include "test.h"

#include "codec/find.h"

static size_t
plainly(struct str text, struct str needle)
{
	const char *p = needle.n == 0 ? text.p : memmem(text.p, text.n, needle.p, needle.n);

	if (needle.n == 0)
		return 0;
	return p != NULL ? (size_t)(p - text.p) : text.n;
}

static void
check(struct str text, struct str needle)
{
	struct find f;

	find_init(&f, needle);
	assert_int_equal(find_in(&f, text), plainly(text, needle));
	assert_int_equal(find_has(&f, text), needle.n == 0 || plainly(text, needle) < text.n);
}

static void
test_cases(void **state)
{
	(void)state;
	check(STR(""), STR(""));
	check(STR("A"), STR(""));
	check(STR(""), STR("A"));
	check(STR("A"), STR("A"));
	check(STR("A"), STR("AB"));
	check(STR("AB"), STR("B"));
	check(STR("THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG"), STR("DOG"));
	check(STR("THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG"), STR("THE"));
	check(STR("THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG"), STR("THE LAZY CAT"));
	check(STR("\xff\0\xff\0\0\xff"), STR("\0\0"));
}

static uint32_t
draw(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Texts of few letters, in blocks of just their size: the sanitizer sees a read past the end. */
static void
test_random(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 40000; round++) {
		size_t text_n = draw(&seed) % 300, needle_n = draw(&seed) % 12;
		unsigned letters = 1 + draw(&seed) % 4;
		char  *text = malloc(text_n + 1), *needle = malloc(needle_n + 1);

		for (size_t i = 0; i < text_n; i++)
			text[i] = (char)('A' + draw(&seed) % letters);
		for (size_t i = 0; i < needle_n; i++)
			needle[i] = (char)('A' + draw(&seed) % letters);
		text = realloc(text, text_n != 0 ? text_n : 1);
		check(str_of(text, text_n), str_of(needle, needle_n));
		free(text);
		free(needle);
	}
}

/* At every offset, at the very end too. */
static void
test_places(void **state)
{
	char text[200];

	(void)state;
	for (size_t n = 1; n < sizeof(text); n += 7) {
		for (size_t at = 0; at + 5 <= n; at++) {
			memset(text, 'N', n);
			memcpy(text + at, "NEEDL", 5);
			check(str_of(text, n), STR("NEEDL"));
			check(str_of(text, n), STR("EDL"));
			check(str_of(text, n), STR("L"));
		}
	}
}

/* Everywhere the start agrees: it must not take needle times text. */
static void
test_hostile(void **state)
{
	enum { N = 8 << 20, NEEDLE = 4096 };
	char *text = malloc(N), *needle = malloc(NEEDLE);

	(void)state;
	for (int i = 0; i < N; i++)
		text[i] = "AB"[i % 2];
	for (int i = 0; i < NEEDLE; i++)
		needle[i] = "AB"[i % 2];
	needle[NEEDLE / 2] = 'B';
	check(str_of(text, N), str_of(needle, NEEDLE));
	memcpy(text + N - NEEDLE, needle, NEEDLE);
	check(str_of(text, N), str_of(needle, NEEDLE));
	free(text);
	free(needle);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

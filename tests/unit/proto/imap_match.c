/* proto/imap_match: LIST's patterns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "proto/imap_match.h"

static bool
match(const char *reference, const char *pattern, const char *name)
{
	OWN_ARENA struct arena a = ARENA_INIT(65536);
	struct imap_pattern    p;

	assert_int_equal(imap_pattern_make(str_c(reference), str_c(pattern), '/', &a, &p), 0);
	return imap_pattern_match(&p, str_c(name));
}

static const struct {
	const char *pattern;
	const char *name;
	bool        yes;
} CASES[] = {
	{ "", "", true },           { "", "a", false },
	{ "a", "a", true },         { "a", "A", false },
	{ "a", "ab", false },       { "ab", "a", false },
	{ "*", "", true },          { "*", "a/b/c", true },
	{ "%", "", true },          { "%", "a", true },
	{ "%", "a/b", false },      { "%", "a/", false },
	{ "%/%", "a/b", true },     { "%/%", "a/b/c", false },
	{ "%/%", "a", false },      { "%/*", "a/b/c", true },
	{ "a*", "a", true },        { "a*", "a/b", true },
	{ "a%", "abc", true },      { "a%", "a/b", false },
	{ "*c", "a/bc", true },     { "*c", "a/bcd", false },
	{ "%c", "abc", true },      { "%c", "a/c", false },
	{ "a%c", "abcbc", true },   { "a%b%c", "axbxbxc", true },
	{ "a*b*c", "a/b/c", true }, { "a*b*c", "a/c/b", false },
	{ "*%", "a/b", true },      { "%*", "a/b", true },
	{ "**", "a/b", true },      { "%%", "a/b", false },
	{ "%%", "ab", true },       { "*%*%", "a/b", true },
	{ "*/%", "a/b/c", true },   { "*/%", "a", false },
	{ "%/", "a", false },       { "%/", "a/", true },
	{ "a/%/c", "a/b/c", true }, { "a/%/c", "a/b/d/c", false },
	{ "a/*/c", "a/b/d/c", true }, { "%a", "aaa", true },
	{ "%ab", "aab", true },     { "*ab", "a/aab", true },
	{ "\xc3\xa4*", "\xc3\xa4/x", true }, { "\\*", "\\a", true },
	/* INBOX as the first level, in any case */
	{ "inbox", "INBOX", true }, { "INBOX", "inbox", true },
	{ "iNb%", "INBOX", true },  { "inbox*", "INBOX/x", true },
	{ "inbox/X", "INBOX/x", false }, { "%box", "INBOX", true },
	{ "*OX", "INBOX", true },   { "*oX/*", "INBOX/x", true },
	{ "inboxy", "INBOXY", false }, { "inbox*", "INBOXY", false },
	{ "a/inbox", "a/INBOX", false }, { "i*", "INBOX/i", true },
	{ "*x", "INBOX/X", false }, { "*x/X", "INBOX/X", true },
};

static void
test_patterns(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
		if (match("", CASES[i].pattern, CASES[i].name) != CASES[i].yes)
			fail_msg("%s %s", CASES[i].pattern, CASES[i].name);
}

static void
test_references(void **state)
{
	(void)state;
	assert_true(match("a/", "%", "a/b"));
	assert_false(match("a/", "%", "a"));
	assert_true(match("a", "/%", "a/b"));
	assert_true(match("in", "box", "INBOX"));
	assert_true(match("a*", "*b", "a/b"));
	assert_true(match("a%", "*b", "a/b"));
	assert_true(match("a/", "", "a/"));
}

/* Every pair of short texts over few letters, against the plain definition. */
static bool
plain_match(const char *p, const char *s)
{
	if (*p == '\0')
		return *s == '\0';
	if (*p == '*' || *p == '%') {
		if (plain_match(p + 1, s))
			return true;
		return *s != '\0' && (*p == '*' || *s != '/') && plain_match(p, s + 1);
	}
	return *p == *s && plain_match(p + 1, s + 1);
}

static void
spell(unsigned v, const char *letters, unsigned n_letters, char *to)
{
	for (; v > 0; v /= n_letters)
		*to++ = letters[v % n_letters];
	*to = '\0';
}

static void
test_all_short_patterns(void **state)
{
	char pattern[16], name[16];

	(void)state;
	for (unsigned i = 0; i < 5 * 5 * 5 * 5 * 5; i++) {
		spell(i, "ab/*%", 5, pattern);
		for (unsigned j = 0; j < 3 * 3 * 3 * 3 * 3; j++) {
			spell(j, "ab/", 3, name);
			if (match("", pattern, name) != plain_match(pattern, name))
				fail_msg("%s %s", pattern, name);
		}
	}
}

/* What would take forever with backtracking. */
static void
test_hostile_pattern(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(65536);
	char                   pattern[IMAP_PATTERN_MAX + 1], name[1000];
	struct imap_pattern    p;

	(void)state;
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 3 == 0 ? '*' : i % 3 == 1 ? 'a' : '%';
	pattern[1500] = 'b';
	memset(name, 'a', sizeof(name));
	assert_int_equal(
	    imap_pattern_make(STR_NONE, str_of(pattern, 1501), '/', &a, &p), 0);
	assert_false(imap_pattern_match(&p, str_of(name, sizeof(name))));
	name[999] = 'b';
	assert_true(imap_pattern_match(&p, str_of(name, sizeof(name))));
	assert_int_equal(
	    imap_pattern_make(STR_NONE, str_of(pattern, sizeof(pattern)), '/', &a, &p), E_LIMIT);
	assert_int_equal(
	    imap_pattern_make(str_of(pattern, 2001), str_of(pattern, 2000), '/', &a, &p), E_LIMIT);
	assert_int_equal(
	    imap_pattern_make(str_of(pattern, 2000), str_of(pattern, 2000), '/', &a, &p), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_all_short_patterns),
		cmocka_unit_test(test_hostile_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

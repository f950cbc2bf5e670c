/* Tests of auth/address.h: one spelling for each address, and what is none. */
#include "test.h"

#include "auth/address.h"
#include "auth/directory.h"

static const struct {
	const char *in, *name, *exact;
} GOOD[] = {
	{ "Ann@Example.ORG", "ann@example.org", "Ann@example.org" },
	{ "a.b+c@x.y", "a.b+c@x.y", "a.b+c@x.y" },
	{ "!#$%&'*+-/=?^_`{|}~@x.y", "!#$%&'*+-/=?^_`{|}~@x.y", "!#$%&'*+-/=?^_`{|}~@x.y" },
	{ "root@localhost", "root@localhost", "root@localhost" },
	/* quotes only where they must be */
	{ "\"Ann\"@x.y", "ann@x.y", "Ann@x.y" },
	{ "\"a.b\"@x.y", "a.b@x.y", "a.b@x.y" },
	{ "\"a\\nn\"@x.y", "ann@x.y", "ann@x.y" },
	{ "\"a b\"@x.y", "\"a b\"@x.y", "\"a b\"@x.y" },
	{ "\"a@B\"@x.y", "\"a@b\"@x.y", "\"a@B\"@x.y" },
	{ "\"a\\\"b\\\\c\"@x.y", "\"a\\\"b\\\\c\"@x.y", "\"a\\\"b\\\\c\"@x.y" },
	{ "\"a..b\"@x.y", "\"a..b\"@x.y", "\"a..b\"@x.y" },
	{ "\".a\"@x.y", "\".a\"@x.y", "\".a\"@x.y" },
	/* UTF-8: lower case, composed; the second is e and a combining acute accent */
	{ "J\xc3\x96RG@x.y", "j\xc3\xb6rg@x.y", "J\xc3\x96RG@x.y" },
	{ "Rene\xcc\x81@x.y", "ren\xc3\xa9@x.y", "Rene\xcc\x81@x.y" },
	{ "\xce\x94\xce\x9f\xce\x9a@x.y", "\xce\xb4\xce\xbf\xce\xba@x.y",
	    "\xce\x94\xce\x9f\xce\x9a@x.y" },
	/* the domain as A-labels */
	{ "a@B\xc3\x9c" "CHER.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example" },
	{ "a@XN--BCHER-KVA.example", "a@xn--bcher-kva.example", "a@xn--bcher-kva.example" },
	{ "a@fa\xc3\x9f.de", "a@xn--fa-hia.de", "a@xn--fa-hia.de" },
	{ "a@\xe4\xbe\x8b\xe3\x80\x82\xe6\xb5\x8b\xe8\xaf\x95", "a@xn--fsq.xn--0zwm56d",
	    "a@xn--fsq.xn--0zwm56d" },
};

static const char *const BAD[] = {
	"", "@", "a", "a@", "@x.y", "a@@x.y", "a@b@x.y", "a b@x.y", ".a@x.y", "a.@x.y", "a..b@x.y",
	"\"\"@x.y", "\"a@x.y", "\"a\\\"@x.y", "\"a\"b@x.y", "a\"b\"@x.y", "a@[192.0.2.1]",
	"a@[IPv6:::1]", "a@192.0.2.1", "a@x.y.", "a@.x.y", "a@x..y", "a@-x.y", "a@x-.y", "a@x_y.z",
	"a@x y", "<a@x.y>", "a@x.y>", "a\r@x.y", "\"a\r\"@x.y", "\"a\x01\"@x.y", "\"a\x7f\"@x.y",
	"a@x.y\n", "(c)a@x.y", "a,b@x.y",
	/* not UTF-8, and characters nobody sees */
	"\xff@x.y", "\xc0\x80@x.y", "\xed\xa0\x80@x.y", "a\xc2\xa0@x.y", "a\xe2\x80\x8b" "b@x.y",
	"a\xe2\x80\xae" "b@x.y", "a\xc2\x85@x.y",
	/* no A-label, or one of something else */
	"a@xn--a", "a@xn--\xc3\xa9.y", "a@xn--ls8h\x01.y", "a@\xff.y",
};

static void
test_one_spelling(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct address         got, again;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
		assert_ok(address_parse(str_c(GOOD[i].in), false, &a, &got));
		assert_str(got.name, GOOD[i].name);
		assert_str(got.exact, GOOD[i].exact);
		assert_ok(address_parse(got.name, false, &a, &again));
		assert_str(again.name, GOOD[i].name);
		assert_ok(address_parse(got.exact, false, &a, &again));
		assert_str(again.name, GOOD[i].name);
	}
}

static void
test_what_is_none(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct str             got;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
		if (address_normalise(str_c(BAD[i]), &a, &got) != E_BAD_ADDRESS)
			fail_msg("taken: \"%s\"", BAD[i]);
	assert_int_equal(address_normalise(STR("a\0b@x.y"), &a, &got), E_BAD_ADDRESS);
	assert_int_equal(address_normalise(STR("a@x\0.y"), &a, &got), E_BAD_ADDRESS);
}

static void
test_limits(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct str             got;
	char                   text[2000];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + 64, "@x.y", 4);
	assert_ok(address_normalise(str_of(text, 68), &a, &got));
	memset(text, 'a', sizeof(text));
	memcpy(text + 65, "@x.y", 4);
	assert_int_equal(address_normalise(str_of(text, 69), &a, &got), E_BAD_ADDRESS);

	memset(text, 'a', sizeof(text));
	text[1] = '@';
	for (size_t i = 2 + 63; i < 2 + 253; i += 64)
		text[i] = '.';
	assert_ok(address_normalise(str_of(text, 2 + 253), &a, &got));
	assert_int_equal(got.n, 2 + 253);
	assert_int_equal(address_normalise(str_of(text, 2 + 254), &a, &got), E_BAD_ADDRESS);
	text[2 + 63] = 'a'; /* a label of 64 and more */
	assert_int_equal(address_normalise(str_of(text, 2 + 100), &a, &got), E_BAD_ADDRESS);
	assert_int_equal(address_normalise(str_of(text, sizeof(text)), &a, &got), E_BAD_ADDRESS);
}

/* Whatever is taken has one spelling that stays the same. */
static void
test_every_character(void **state)
{
	char       text[16];
	struct str once, twice;
	unsigned   taken = 0;

	(void)state;
	for (uint32_t c = 0; c < 0x110000; c++) {
		OWN_ARENA struct arena a = ARENA_INIT(16384);
		size_t                 n = 0;

		if (c < 0x80) {
			text[n++] = (char)c;
		} else if (c < 0x800) {
			text[n++] = (char)(0xc0 | (c >> 6));
			text[n++] = (char)(0x80 | (c & 63));
		} else if (c < 0x10000) {
			text[n++] = (char)(0xe0 | (c >> 12));
			text[n++] = (char)(0x80 | ((c >> 6) & 63));
			text[n++] = (char)(0x80 | (c & 63));
		} else {
			text[n++] = (char)(0xf0 | (c >> 18));
			text[n++] = (char)(0x80 | ((c >> 12) & 63));
			text[n++] = (char)(0x80 | ((c >> 6) & 63));
			text[n++] = (char)(0x80 | (c & 63));
		}
		memcpy(text + n, "@x.y", 4);
		if (address_normalise(str_of(text, n + 4), &a, &once) < 0)
			continue;
		taken++;
		assert_ok(address_normalise(once, &a, &twice));
		assert_true(str_eq(once, twice));
	}
	assert_in_range(taken, 100000, 300000);
}

static void
test_tags(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(65536);
	struct str             name, tag;

	(void)state;
	assert_ok(address_cut_tag(STR("a+b+c@x.y"), &a, &name, &tag));
	assert_str(name, "a+b@x.y");
	assert_str(tag, "c");
	assert_ok(address_cut_tag(name, &a, &name, &tag));
	assert_str(name, "a@x.y");
	assert_str(tag, "b");
	assert_int_equal(address_cut_tag(name, &a, &name, &tag), E_NOT_FOUND);
	assert_ok(address_cut_tag(STR("a+@x.y"), &a, &name, &tag));
	assert_str(name, "a@x.y");
	assert_str(tag, "");
	assert_int_equal(address_cut_tag(STR("+a@x.y"), &a, &name, &tag), E_NOT_FOUND);
	assert_int_equal(address_cut_tag(STR("@x.y"), &a, &name, &tag), E_NOT_FOUND);
	assert_ok(address_cut_tag(STR("\"a b+c d\"@x.y"), &a, &name, &tag));
	assert_str(name, "\"a b\"@x.y");
	assert_str(tag, "c d");
	assert_ok(address_cut_tag(STR("\"a+c d\"@x.y"), &a, &name, &tag));
	assert_str(name, "a@x.y");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_spelling),
		cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_every_character),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

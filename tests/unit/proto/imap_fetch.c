/* proto/imap: FETCH, with its sections, and the names that answer them. */
#include "imap_case.h"

static void
dump_fetch(struct buf *b, const struct imap_args *a)
{
	dump_set(b, &a->fetch.set);
	for (size_t i = 0; i < a->fetch.n_items; i++) {
		const struct imap_fetch_item *item = &a->fetch.items[i];

		buf_byte(b, ' ');
		imap_put_item_name(b, item);
		if (item->partial && item->n == INT64_MAX - item->off)
			buf_str(b, STR("+all"));
		else if (item->partial)
			buf_printf(b, "+%llu", (unsigned long long)item->n);
		if (!item->peek)
			buf_byte(b, '!');
	}
	if (a->fetch.has_changed_since)
		buf_printf(b, " since %llu", (unsigned long long)a->fetch.changed_since);
}

static const struct imap_case FETCH[] = {
	{ "FETCH 2:4 (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
	    "2:4 FLAGS BODY[HEADER.FIELDS (DATE FROM)]!" },
	{ "UID FETCH 1:* flags", "UID 1:0 FLAGS" },
	{ "FETCH 1 ALL", "1 FLAGS INTERNALDATE RFC822.SIZE ENVELOPE" },
	{ "FETCH 1 fast", "1 FLAGS INTERNALDATE RFC822.SIZE" },
	{ "FETCH 1 FULL ", "1 FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY" },
	{ "FETCH 1 (ENVELOPE BODY BODYSTRUCTURE UID MODSEQ)",
	    "1 ENVELOPE BODY BODYSTRUCTURE UID MODSEQ" },
	{ "FETCH 1 ( UID  FLAGS UID )", "1 UID FLAGS" },
	{ "FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE)",
	    "1 RFC822! RFC822.HEADER RFC822.TEXT! RFC822.SIZE" },
	{ "FETCH 1 RFC822.PEEK", "1 RFC822" },
	{ "FETCH 1 (RFC822.PEEK RFC822)", "1 RFC822!" },
	{ "FETCH 1 BODY[]", "1 BODY[]!" },
	{ "FETCH 1 body.peek[]", "1 BODY[]" },
	{ "FETCH 1 BODY[TEXT]<0.2048>", "1 BODY[TEXT]<0>+2048!" },
	{ "FETCH 1 BODY.PEEK[1]<393216.393216>", "1 BODY[1]<393216>+393216" },
	{ "FETCH 1 BODY[]<5>", "1 BODY[]<5>+all!" },
	{ "FETCH 1 BODY[]<5.0>", "1 BODY[]<5>+0!" },
	{ "FETCH 1 BODY[]<9223372036854775807.9223372036854775807>",
	    "1 BODY[]<9223372036854775807>+all!" },
	{ "FETCH 1 BODY[]<1.9223372036854775807>", "1 BODY[]<1>+all!" },
	{ "FETCH 1 (BODY[HEADER] BODY[1.HEADER] BODY[TEXT])",
	    "1 BODY[HEADER]! BODY[1.HEADER]! BODY[TEXT]!" },
	{ "FETCH 1 (BODY[1.2.TEXT] BODY[1.2.MIME] BODY[4.2.2])",
	    "1 BODY[1.2.TEXT]! BODY[1.2.MIME]! BODY[4.2.2]!" },
	{ "FETCH 1 BODY.PEEK[1.header.fields.not ( from \"x y\" {2}\r\na] )]<1.2>",
	    "1 BODY[1.HEADER.FIELDS.NOT (FROM \"X Y\" \"A]\")]<1>+2" },
	{ "FETCH 1 BODY[header.fields(to)]", "1 BODY[HEADER.FIELDS (TO)]!" },
	{ "FETCH 1 (BODY[1]BODY[2])", "1 BODY[1]! BODY[2]!" },
	{ "FETCH 1 (BODY[1] BODY[1])", "1 BODY[1]! BODY[1]!" },
	{ "FETCH 1 (BINARY[1.2] BINARY.PEEK[]<0.5> BINARY.SIZE[2])",
	    "1 BINARY[1.2]! BINARY[]<0>+5 BINARY.SIZE[2]" },
	{ "FETCH 1 FLAGS (CHANGEDSINCE 12345)", "1 FLAGS MODSEQ since 12345" },
	{ "UID FETCH 300:500 (FLAGS MODSEQ) (changedsince 0)", "UID 300:500 FLAGS MODSEQ since 0" },
	{ "FETCH 1 (FLAGS)(CHANGEDSINCE 1)", "1 FLAGS MODSEQ since 1" },
	{ "FETCH $ UID", "$ UID" },

	{ "FETCH 1", "BAD argument missing" },
	{ "FETCH FLAGS", "BAD sequence set expected" },
	{ "FETCH 1 ()", "BAD list of FETCH items is empty" },
	{ "FETCH 1 (ALL)", "BAD unknown FETCH item" },
	{ "FETCH 1 ALL FLAGS", "BAD unexpected text after the arguments" },
	{ "FETCH 1 FLAGS UID", "BAD unexpected text after the arguments" },
	{ "FETCH 1 \"FLAGS\"", "BAD word expected" },
	{ "FETCH 1 FOO", "BAD unknown FETCH item" },
	{ "FETCH 1 FLAGS[1]", "BAD unknown FETCH item" },
	{ "FETCH 1 BODYSTRUCTURE[]", "BAD unknown FETCH item" },
	{ "FETCH 1 BODY.PEEK", "BAD unknown FETCH item" },
	{ "FETCH 1 BINARY", "BAD unknown FETCH item" },
	{ "FETCH 1 (FLAGS", "BAD ')' missing" },
	{ "FETCH 1 BODY[", "BAD argument missing" },
	{ "FETCH 1 BODY[1", "BAD bad section, ']' expected" },
	{ "FETCH 1 BODY[FOO]", "BAD unknown section" },
	{ "FETCH 1 BODY[MIME]", "BAD MIME needs a part number" },
	{ "FETCH 1 BODY[0]", "BAD bad part number" },
	{ "FETCH 1 BODY[1.0]", "BAD bad part number" },
	{ "FETCH 1 BODY[4294967296]", "BAD bad part number" },
	{ "FETCH 1 BODY[1.]", "BAD word expected" },
	{ "FETCH 1 BODY[.1]", "BAD unknown section" },
	{ "FETCH 1 BODY[1 TEXT]", "BAD bad section, ']' expected" },
	{ "FETCH 1 BODY[HEADER.FIELDS]", "BAD list of header fields expected" },
	{ "FETCH 1 BODY[HEADER.FIELDS ()]", "BAD list of header fields is empty" },
	{ "FETCH 1 BODY[TEXT (A)]", "BAD bad section, ']' expected" },
	{ "FETCH 1 BODY [TEXT]", "BAD unexpected text after the arguments" },
	{ "FETCH 1 BINARY[1.TEXT]", "BAD BINARY takes a part number only" },
	{ "FETCH 1 BINARY.SIZE[1]<0.1>", "BAD unexpected text after the arguments" },
	{ "FETCH 1 BODY[]<1", "BAD bad partial range" },
	{ "FETCH 1 BODY[]<.1>", "BAD number expected" },
	{ "FETCH 1 BODY[]<0.99999999999999999999>", "BAD number too big" },
	{ "FETCH 1 FLAGS (FOO)", "BAD unknown FETCH modifier" },
	{ "FETCH 1 FLAGS (CHANGEDSINCE)", "BAD blank missing" },
	{ "FETCH 1 FLAGS (CHANGEDSINCE 1", "BAD ')' missing" },
};

static const struct imap_case_kind KIND = { imap_parse_fetch, dump_fetch, false };

static void
test_fetch(void **state)
{
	(void)state;
	case_run(&KIND, FETCH, ARRAY_LEN(FETCH));
}

static void
check_limit(const char *open, const char *member, int n, const char *close)
{
	for (int more = 0; more <= 1; more++) {
		OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
		OWN_BUF struct buf     text = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);

		buf_printf(&text, "a FETCH 1 %s", open);
		for (int i = 0; i < n + more; i++)
			buf_str(&text, str_c(member));
		buf_str(&text, str_c(close));
		assert_int_equal(
		    case_parse(&KIND, buf_view(&text), &a, &got), more == 0 ? 0 : E_LIMIT);
	}
}

static void
test_limits(void **state)
{
	(void)state;
	check_limit("(", "BODY[1] ", IMAP_FETCH_ITEMS_MAX, ")");
	check_limit("BODY[", "7.", IMAP_SECTION_DEPTH_MAX, "TEXT]");
	check_limit("BODY[HEADER.FIELDS (", "x ", IMAP_SECTION_FIELDS_MAX, ")]");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

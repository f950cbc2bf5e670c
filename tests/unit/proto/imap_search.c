/* proto/imap: SEARCH: the tree that a program becomes. */
#include "imap_case.h"

static void
dump_key(struct buf *b, const struct imap_key *key)
{
	static const char *const DATES[] = { "internal", "sent" };
	static const char *const ORDERS[] = { "<", "=", ">=" };

	buf_str(b, key->negate ? STR("!") : STR_NONE);
	switch (key->kind) {
	case IMAP_KEY_AND:
	case IMAP_KEY_OR:
		buf_str(b, key->kind == IMAP_KEY_AND ? STR("(") : STR("or("));
		for (const struct imap_key *k = key->list; k != NULL; k = k->next) {
			dump_key(b, k);
			buf_str(b, k->next != NULL ? STR(" ") : STR_NONE);
		}
		buf_byte(b, ')');
		break;
	case IMAP_KEY_SEQ:
	case IMAP_KEY_UID:
		buf_str(b, key->kind == IMAP_KEY_SEQ ? STR("seq:") : STR("uid:"));
		dump_set(b, &key->set);
		break;
	case IMAP_KEY_FLAG:
		imap_put_system_flags(b, key->flag);
		break;
	case IMAP_KEY_DATE:
		buf_printf(b, "%s%s%d", DATES[key->date], ORDERS[key->order], key->day);
		break;
	case IMAP_KEY_LARGER:
	case IMAP_KEY_SMALLER:
	case IMAP_KEY_MODSEQ:
		buf_str(b, key->kind == IMAP_KEY_LARGER ? STR("larger:")
		        : key->kind == IMAP_KEY_SMALLER ? STR("smaller:") : STR("modseq:"));
		buf_u64(b, key->number);
		break;
	case IMAP_KEY_KEYWORD:
		buf_printf(b, "keyword:%.*s", STR_ARG(key->text));
		break;
	case IMAP_KEY_HEADER:
		buf_printf(b, "%.*s:<%.*s>", STR_ARG(key->name), STR_ARG(key->text));
		break;
	case IMAP_KEY_BODY:
	case IMAP_KEY_TEXT:
		buf_printf(b, "%s:<%.*s>", key->kind == IMAP_KEY_BODY ? "body" : "text",
		    STR_ARG(key->text));
		break;
	}
}

static void
dump_search(struct buf *b, const struct imap_args *a)
{
	if (a->search.extended)
		buf_printf(b, "return %u ", a->search.returns);
	if (a->search.charset.n > 0)
		buf_printf(b, "%.*s ", STR_ARG(a->search.charset));
	buf_str(b, a->search.has_modseq ? STR("modseq ") : STR_NONE);
	dump_key(b, a->search.key);
}

static const struct imap_case SEARCH[] = {
	{ "SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
	    "(\\Flagged internal>=8797 !FROM:<Smith>)" },
	{ "SEARCH TEXT \"string not in mailbox\"", "(text:<string not in mailbox>)" },
	{ "SEARCH CHARSET UTF-8 TEXT {6}\r\n\xd0\x9c\xd0\xbe\xd1\x8f",
	    "UTF-8 (text:<\xd0\x9c\xd0\xbe\xd1\x8f>)" },
	{ "SEARCH charset \"utf-8\" all", "utf-8 (())" },
	{ "SEARCH ALL", "(())" },
	{ "UID SEARCH UID 1:5,9 1:*", "UID (uid:1:5,9 seq:1:0)" },
	{ "SEARCH *", "(seq:0)" },
	{ "SEARCH $", "(seq:$)" },
	{ "SEARCH UID $", "(uid:$)" },
	{ "SEARCH seen UNSEEN deleted UNDELETED answered UNANSWERED",
	    "(\\Seen !\\Seen \\Deleted !\\Deleted \\Answered !\\Answered)" },
	{ "SEARCH FLAGGED UNFLAGGED DRAFT UNDRAFT RECENT OLD NEW",
	    "(\\Flagged !\\Flagged \\Draft !\\Draft \\Recent !\\Recent (\\Recent !\\Seen))" },
	{ "SEARCH NOT NEW", "(!(\\Recent !\\Seen))" },
	{ "SEARCH NOT NOT SEEN", "(\\Seen)" },
	{ "SEARCH NOT UNSEEN", "(\\Seen)" },
	{ "SEARCH NOT 1:3", "(!seq:1:3)" },
	{ "SEARCH KEYWORD $Junk UNKEYWORD \"foo\"", "(keyword:$Junk !keyword:foo)" },
	{ "SEARCH KEYWORD \\Seen", "(keyword:\\Seen)" },
	{ "SEARCH BCC a CC b FROM c SUBJECT d TO \"\"",
	    "(BCC:<a> CC:<b> FROM:<c> SUBJECT:<d> TO:<>)" },
	{ "SEARCH HEADER X-Spam \"\" HEADER {4}\r\nDate x", "(X-Spam:<> Date:<x>)" },
	{ "SEARCH BODY a\xc3\xa4 TEXT \"\xff\\\"\"", "(body:<a\xc3\xa4> text:<\xff\">)" },
	{ "SEARCH BEFORE 1-Jan-1970 ON \"02-jan-1970\" SINCE 31-Dec-1969",
	    "(internal<0 internal=1 internal>=-1)" },
	{ "SEARCH SENTBEFORE 01-Jan-1970 SENTON 29-Feb-2000 SENTSINCE  1-Jan-1970",
	    "(sent<0 sent=11016 sent>=0)" },
	{ "SEARCH LARGER 0 SMALLER 9223372036854775807", "(larger:0 smaller:9223372036854775807)" },
	{ "SEARCH MODSEQ 620162338", "modseq (modseq:620162338)" },
	{ "SEARCH OR NOT MODSEQ 720162338 LARGER 50000",
	    "modseq (or(!modseq:720162338 larger:50000))" },
	{ "SEARCH MODSEQ \"/flags/\\\\draft\" all 620162338", "modseq (modseq:620162338)" },
	{ "SEARCH OR SEEN DRAFT", "(or(\\Seen \\Draft))" },
	{ "SEARCH OR SEEN OR DRAFT OR DELETED ANSWERED FLAGGED",
	    "(or(\\Seen \\Draft \\Deleted \\Answered) \\Flagged)" },
	{ "SEARCH OR OR SEEN DRAFT OR DELETED ANSWERED",
	    "(or(or(\\Seen \\Draft) \\Deleted \\Answered))" },
	{ "SEARCH OR SEEN NOT OR DRAFT DELETED", "(or(\\Seen !or(\\Draft \\Deleted)))" },
	{ "SEARCH (SEEN (DRAFT)) NOT (DELETED ALL)", "((\\Seen (\\Draft)) !(\\Deleted ()))" },
	{ "SEARCH OR (SEEN DRAFT) ( 1 )", "(or((\\Seen \\Draft) (seq:1)))" },
	{ "SEARCH  ALL  ", "(())" },
	{ "SEARCH RETURN (MIN COUNT) FLAGGED", "return 9 (\\Flagged)" },
	{ "SEARCH RETURN () FLAGGED", "return 4 (\\Flagged)" },
	{ "SEARCH return ( max all ) charset utf-8 1", "return 6 utf-8 (seq:1)" },

	{ "SEARCH", "BAD argument missing" },
	{ "SEARCH ", "BAD argument missing" },
	{ "SEARCH ()", "BAD search key expected" },
	{ "SEARCH ALL ()", "BAD search key expected" },
	{ "SEARCH NOT", "BAD argument missing" },
	{ "SEARCH OR", "BAD argument missing" },
	{ "SEARCH OR ALL", "BAD argument missing" },
	{ "SEARCH OR ALL ", "BAD argument missing" },
	{ "SEARCH (ALL", "BAD ')' missing" },
	{ "SEARCH ALL)", "BAD blank missing" },
	{ "SEARCH )", "BAD word expected" },
	{ "SEARCH FOO", "BAD unknown search key" },
	{ "SEARCH \"ALL\"", "BAD word expected" },
	{ "SEARCH 0", "BAD bad sequence set" },
	{ "SEARCH 1,,2", "BAD bad sequence set" },
	{ "SEARCH UID x", "BAD sequence set expected" },
	{ "SEARCH SINCE 1-Feb-94", "BAD bad date" },
	{ "SEARCH SINCE 31-Feb-1994", "BAD bad date" },
	{ "SEARCH SINCE", "BAD argument missing" },
	{ "SEARCH LARGER -1", "BAD number expected" },
	{ "SEARCH LARGER 99999999999999999999", "BAD number too big" },
	{ "SEARCH SUBJECT", "BAD argument missing" },
	{ "SEARCH HEADER x", "BAD argument missing" },
	{ "SEARCH MODSEQ", "BAD argument missing" },
	{ "SEARCH MODSEQ \"/flags/x\" some 1", "BAD unknown entry type" },
	{ "SEARCH CHARSET UTF-8", "BAD argument missing" },
	{ "SEARCH RETURN (FOO) ALL", "BAD unknown SEARCH return option" },
	{ "SEARCH RETURN ALL", "BAD list of return options expected" },
	{ "SEARCH RETURN (ALL)", "BAD argument missing" },
	{ "SEARCH ALL CHARSET UTF-8", "BAD unknown search key" },
};

static const struct imap_case_kind KIND = { imap_parse_search, dump_search, false };

static void
test_search(void **state)
{
	(void)state;
	case_run(&KIND, SEARCH, ARRAY_LEN(SEARCH));
}

static int
parse_repeated(const char *open, const char *middle, const char *close, int n)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	OWN_BUF struct buf     text = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);

	buf_str(&text, STR("a SEARCH "));
	for (int i = 0; i < n; i++)
		buf_str(&text, str_c(open));
	buf_str(&text, str_c(middle));
	for (int i = 0; i < n; i++)
		buf_str(&text, str_c(close));
	return case_parse(&KIND, buf_view(&text), &a, &got);
}

static void
test_limits(void **state)
{
	int deep = IMAP_SEARCH_DEPTH_MAX;

	(void)state;
	assert_int_equal(parse_repeated("(", "ALL", ")", deep), 0);
	assert_int_equal(parse_repeated("(", "ALL", ")", deep + 1), E_LIMIT);
	assert_int_equal(parse_repeated("(", "ALL", ")", 30000), E_LIMIT);
	assert_int_equal(parse_repeated("(", "", "", 60000), E_LIMIT);
	assert_int_equal(parse_repeated("OR ", "ALL", " ALL", deep), 0);
	assert_int_equal(parse_repeated("OR ", "ALL", " ALL", deep + 1), E_LIMIT);
	assert_int_equal(parse_repeated("OR ALL ", "ALL", "", IMAP_SEARCH_KEYS_MAX - 3), 0);
	assert_int_equal(parse_repeated("OR ALL ", "ALL", "", IMAP_SEARCH_KEYS_MAX), E_LIMIT);
	assert_int_equal(parse_repeated("ALL ", "ALL", "", IMAP_SEARCH_KEYS_MAX - 2), 0);
	assert_int_equal(parse_repeated("ALL ", "ALL", "", IMAP_SEARCH_KEYS_MAX), E_LIMIT);
	assert_int_equal(parse_repeated("NOT ", "ALL", "", 15000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

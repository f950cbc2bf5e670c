/* proto/imap: the commands but FETCH and SEARCH: right, odd and wrong. */
#include "imap_case.h"

#define RUN(parse_fn, dump_fn, cases)                                                            \
	case_run(&(struct imap_case_kind){ parse_fn, dump_fn, false }, cases, ARRAY_LEN(cases))

static void
dump_none(struct buf *b, const struct imap_args *a)
{
	(void)a;
	buf_str(b, STR("none"));
}

static const struct imap_case NONE[] = {
	{ "NOOP", "none" },
	{ "noop", "none" },
	{ " NOOP", "none" },
	{ "NOOP  ", "none" },
	{ "UID NOOP", "UID none" },
	{ "UIDX", "none" },
	{ "NOOP x", "BAD unexpected text after the arguments" },
	{ "NOOP\"x\"", "BAD unexpected text after the arguments" },
	{ "", "BAD command name missing or bad" },
	{ "UID", "BAD command name missing or bad" },
	{ "(NOOP)", "BAD command name missing or bad" },
	{ "N\xc3\x96P", "BAD unexpected text after the arguments" },
};

static void
test_none(void **state)
{
	(void)state;
	RUN(imap_parse_none, dump_none, NONE);
}

static void
test_tags(void **state)
{
	static const struct {
		const char *text;
		const char *tag;
	} TAGS[] = {
		{ "a1 NOOP\r\n", "a1" },  { "A142.5-x_y[z]: NOOP", "A142.5-x_y[z]:" },
		{ "a1\r\n", "a1" },       { "a1\n", "a1" },
		{ "a1", "" },             { "", "" },
		{ " a1 NOOP\r\n", "" },   { "+ NOOP\r\n", "" },
		{ "a+ NOOP\r\n", "" },    { "a* NOOP\r\n", "" },
		{ "a\"b NOOP\r\n", "" },  { "a(b NOOP\r\n", "" },
		{ "\xc3\xa4 NOOP\r\n", "" }, { "a\tb NOOP\r\n", "" },
	};
	char long_tag[2000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(TAGS); i++)
		assert_true(str_eq(imap_tag_of(str_c(TAGS[i].text)), str_c(TAGS[i].tag)));
	memset(long_tag, 'a', sizeof(long_tag));
	long_tag[sizeof(long_tag) - 1] = ' ';
	assert_int_equal(imap_tag_of(str_of(long_tag, sizeof(long_tag))).n, 0);
}

/* A bad command has its tag for the answer. */
static void
test_the_tag_survives_a_bad_name(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(4096);
	struct imap_reader     r;
	struct imap_head       head = { 0 };

	(void)state;
	imap_reader_init(&r, STR("tag7 (\r\n"), &a);
	assert_int_equal(imap_read_head(&r, &head), E_SYNTAX);
	assert_true(str_eq(head.tag, STR("tag7")));
	imap_reader_init(&r, STR("* OK\r\n"), &a);
	assert_int_equal(imap_read_head(&r, &head), E_SYNTAX);
	assert_int_equal(head.tag.n, 0);
}

static void
dump_id(struct buf *b, const struct imap_args *a)
{
	for (size_t i = 0; i < a->id.names.n; i++) {
		buf_printf(b, "%.*s=", STR_ARG(a->id.names.s[i]));
		imap_put_nstring(b, a->id.values.s[i], true);
		buf_byte(b, ';');
	}
}

static const struct imap_case ID[] = {
	{ "ID NIL", "" },
	{ "ID", "" },
	{ "ID ()", "" },
	{ "ID ( )", "" },
	{ "ID (\"name\" \"Thunderbird\" \"version\" NIL)", "name=\"Thunderbird\";version=NIL;" },
	{ "ID (\"name\" \"a\" \"version\")", "name=\"a\";version=NIL;" },
	{ "ID (name a)", "name=\"a\";" },
	{ "ID (\"name\" \"a\" ) ", "name=\"a\";" },
	{ "ID (\"name\" {2}\r\n\"a)", "name=\"\\\"a\";" },
	{ "ID (\"name\" \"a\"\"version\" \"1\")", "name=\"a\";version=\"1\";" },
	{ "ID (\"name\" \"a\"", "BAD ')' missing" },
	{ "ID (\"name\" (\"a\"))", "BAD string expected" },
	{ "ID \"name\"", "BAD unexpected text after the arguments" },
};

static void
test_id(void **state)
{
	OWN_BUF struct buf many = BUF_INIT(10000);
	struct imap_case   too_many = { NULL, "LIMIT too many members in a list" };

	(void)state;
	RUN(imap_parse_id, dump_id, ID);
	buf_str(&many, STR("ID ("));
	for (int i = 0; i < 101; i++)
		buf_str(&many, STR("a b "));
	buf_put(&many, ")", 2);
	too_many.line = many.p;
	case_run(&(struct imap_case_kind){ imap_parse_id, dump_id, false }, &too_many, 1);
}

static void
dump_words(struct buf *b, const struct imap_args *a)
{
	dump_list(b, "", &a->words);
}

static const struct imap_case ENABLE[] = {
	{ "ENABLE CONDSTORE", "(CONDSTORE)" },
	{ "ENABLE CONDSTORE QRESYNC utf8=accept ", "(CONDSTORE QRESYNC utf8=accept)" },
	{ "ENABLE", "BAD argument missing" },
	{ "ENABLE \"x\"", "BAD atom expected" },
};

static void
dump_login(struct buf *b, const struct imap_args *a)
{
	buf_printf(b, "<%.*s> <%.*s>", STR_ARG(a->login.user), STR_ARG(a->login.password));
}

static const struct imap_case LOGIN[] = {
	{ "LOGIN SMITH SESAME", "<SMITH> <SESAME>" },
	{ "login  smith@example.com  \"a b\" ", "<smith@example.com> <a b>" },
	{ "LOGIN \"j\\\"\\\\x\" \"\"", "<j\"\\x> <>" },
	{ "LOGIN {4+}\r\nus r {3}\r\n\"(\r", "<us r> <\"(\r>" },
	{ "LOGIN a p%*s\\]s", "<a> <p%*s\\]s>" },
	{ "LOGIN \"\xc3\xbc@x\" \"\xff\"", "<\xc3\xbc@x> <\xff>" },
	{ "LOGIN \xc3\xbc@x p", "<\xc3\xbc@x> <p>" },
	{ "LOGIN a", "BAD argument missing" },
	{ "LOGIN a ", "BAD argument missing" },
	{ "LOGIN", "BAD argument missing" },
	{ "LOGIN a b c", "BAD unexpected text after the arguments" },
	{ "LOGIN a \"b", "BAD quoted string without its end" },
	{ "LOGIN a \"b\\\"", "BAD quoted string without its end" },
	{ "LOGIN a \"b\\", "BAD quoted string without its end" },
	{ "LOGIN \"a\"\"b\"", "BAD blank missing" },
	{ "LOGIN a {5}\r\nab", "BAD bad literal" },
	{ "LOGIN a {5\r\nab", "BAD bad literal" },
	{ "LOGIN a {}\r\nab", "BAD bad literal" },
	{ "LOGIN a {99999999999999999999}\r\nab", "BAD bad literal" },
	{ "LOGIN a {2} ab", "BAD bad literal" },
	{ "LOGIN a (b)", "BAD string expected" },
	{ "LOGIN a\tb", "BAD blank missing" },
};

static void
dump_authenticate(struct buf *b, const struct imap_args *a)
{
	buf_printf(b, "%.*s", STR_ARG(a->authenticate.mechanism));
	if (a->authenticate.has_initial)
		buf_printf(b, " <%.*s>", STR_ARG(a->authenticate.initial));
}

static const struct imap_case AUTHENTICATE[] = {
	{ "AUTHENTICATE PLAIN", "PLAIN" },
	{ "authenticate scram-sha-256 ", "scram-sha-256" },
	{ "AUTHENTICATE PLAIN =", "PLAIN <>" },
	{ "AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=", "PLAIN <dGVzdAB0ZXN0AHRlc3Q=>" },
	{ "AUTHENTICATE \"LOGIN\"", "LOGIN" },
	{ "AUTHENTICATE", "BAD argument missing" },
	{ "AUTHENTICATE PLAIN a b", "BAD unexpected text after the arguments" },
};

static void
dump_set_only(struct buf *b, const struct imap_args *a)
{
	dump_set(b, &a->set);
}

static const struct imap_case UID_EXPUNGE[] = {
	{ "UID EXPUNGE 3000:3002", "UID 3000:3002" },
	{ "UID EXPUNGE *:5,7", "UID 0:5,7" },
	{ "UID EXPUNGE $", "UID $" },
	{ "UID EXPUNGE", "BAD argument missing" },
	{ "UID EXPUNGE 1 2", "BAD unexpected text after the arguments" },
	{ "UID EXPUNGE 0", "BAD bad sequence set" },
	{ "UID EXPUNGE x", "BAD sequence set expected" },
};

static void
dump_copy(struct buf *b, const struct imap_args *a)
{
	dump_set(b, &a->copy.set);
	buf_printf(b, " <%.*s>", STR_ARG(a->copy.mailbox));
}

static const struct imap_case COPY[] = {
	{ "COPY 2:4 MEETING", "2:4 <MEETING>" },
	{ "UID MOVE 42:69,1 \"a b\"", "UID 42:69,1 <a b>" },
	{ "MOVE * {3+}\r\na/b", "0 <a/b>" },
	{ "COPY $ foo", "$ <foo>" },
	{ "COPY 1", "BAD argument missing" },
	{ "COPY foo 1", "BAD sequence set expected" },
	{ "COPY 1 a b", "BAD unexpected text after the arguments" },
};

static void
dump_store(struct buf *b, const struct imap_args *a)
{
	dump_set(b, &a->store.set);
	buf_printf(b, " %s%s", a->store.op == IMAP_STORE_ADD ? "+"
	    : a->store.op == IMAP_STORE_REMOVE ? "-" : "=", a->store.silent ? "silent " : "");
	dump_flags(b, &a->store.flags);
	if (a->store.has_unchanged_since)
		buf_printf(b, " since %llu", (unsigned long long)a->store.unchanged_since);
}

static const struct imap_case STORE[] = {
	{ "STORE 2:4 +FLAGS (\\Deleted)", "2:4 +[\\Deleted]()" },
	{ "UID STORE 1 -flags.silent (\\seen foo $Junk)", "UID 1 -silent [\\Seen](foo $Junk)" },
	{ "STORE 1 FLAGS ()", "1 =[]()" },
	{ "STORE 1 FLAGS ( \\DRAFT  \\Flagged )", "1 =[\\Flagged \\Draft]()" },
	{ "STORE 1 FLAGS \\Seen \\Answered x", "1 =[\\Seen \\Answered](x)" },
	{ "STORE 7,5,9 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\\Deleted)",
	    "7,5,9 +silent [\\Deleted]() since 320162338" },
	{ "STORE 1 ( unchangedsince 0 ) FLAGS x", "1 =[](x) since 0" },
	{ "STORE 1 () FLAGS x", "1 =[](x)" },
	{ "STORE 1 (UNCHANGEDSINCE) FLAGS x", "BAD blank missing" },
	{ "STORE 1 (UNCHANGEDSINCE x) FLAGS x", "BAD number expected" },
	{ "STORE 1 (FOO 1) FLAGS x", "BAD unknown STORE modifier" },
	{ "STORE 1 (UNCHANGEDSINCE 99999999999999999999) FLAGS x", "BAD number too big" },
	{ "STORE 1 +FLAGS", "BAD argument missing" },
	{ "STORE 1 +FLAGS ", "BAD argument missing" },
	{ "STORE 1 +FLAGSX (x)", "BAD FLAGS or FLAGS.SILENT expected" },
	{ "STORE 1 * (x)", "BAD FLAGS or FLAGS.SILENT expected" },
	{ "STORE 1 +FLAGS (\\Recent)", "BAD \\Recent cannot be changed" },
	{ "STORE 1 +FLAGS (\\Foo)", "BAD unknown system flag" },
	{ "STORE 1 +FLAGS (\\*)", "BAD unknown system flag" },
	{ "STORE 1 +FLAGS (\"x\")", "BAD flag expected" },
	{ "STORE 1 +FLAGS (f\xc3\xb6)", "BAD flag expected" },
	{ "STORE 1 +FLAGS (x", "BAD ')' missing" },
	{ "STORE 1 +FLAGS (x) y", "BAD unexpected text after the arguments" },
};

static void
test_messages(void **state)
{
	(void)state;
	RUN(imap_parse_enable, dump_words, ENABLE);
	RUN(imap_parse_login, dump_login, LOGIN);
	RUN(imap_parse_authenticate, dump_authenticate, AUTHENTICATE);
	RUN(imap_parse_uid_expunge, dump_set_only, UID_EXPUNGE);
	RUN(imap_parse_copy, dump_copy, COPY);
	RUN(imap_parse_store, dump_store, STORE);
}

static void
test_nul_in_a_literal(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(4096);
	OWN_BUF struct buf     got = BUF_INIT(4096);
	struct imap_case_kind  kind = { imap_parse_login, dump_login, false };

	(void)state;
	case_parse(&kind, STR("a LOGIN a {2}\r\n\0b\r\n"), &a, &got);
	buf_byte(&got, '\0');
	assert_string_equal(got.p, "BAD NUL byte in a string");
}

static void
dump_append(struct buf *b, const struct imap_args *a)
{
	const struct imap_append *p = &a->append;

	if (p->last) {
		buf_str(b, STR("last"));
		return;
	}
	buf_printf(b, "<%.*s> ", STR_ARG(p->mailbox));
	dump_flags(b, &p->flags);
	if (p->has_date)
		buf_printf(b, " %lld%+d", (long long)p->date_ms, p->zone_min);
	buf_str(b, p->binary ? STR(" binary") : STR_NONE);
	buf_str(b, p->utf8 ? STR(" utf8") : STR_NONE);
}

static const struct imap_case APPEND[] = {
	{ "APPEND saved-messages (\\Seen) {326}", "<saved-messages> [\\Seen]()" },
	{ "APPEND saved-messages {326+}", "<saved-messages> []()" },
	{ "APPEND {3+}\r\na b () ~{0}", "<a b> []() binary" },
	{ "append inbox (\\Seen \\Recent x) \" 1-Jan-1970 01:00:01 +0100\" {5} ",
	    "<inbox> [\\Seen](x) 1000+60" },
	{ "APPEND x \"17-Jul-1996 02:44:25 -0700\" {5}", "<x> []() 837596665000-420" },
	{ "APPEND x UTF8 (~{5+}", "<x> []() binary utf8" },
	{ "APPEND x", "BAD argument missing" },
	{ "APPEND x (\\Foo) {5}", "BAD unknown system flag" },
	{ "APPEND x \\Seen {5}", "BAD message literal expected" },
	{ "APPEND x \"foo\" {5}", "BAD bad date-time" },
	{ "APPEND x \"31-Feb-1996 02:44:25 -0700\" {5}", "BAD bad date-time" },
	{ "APPEND x \"foo\"", "BAD bad date-time" },
	{ "APPEND x {5}\r\nhello", "BAD unexpected text after the arguments" },
	{ "APPEND x ()", "BAD argument missing" },
};

static const struct imap_case APPEND_NEXT[] = {
	{ "X", "last" },
	{ "X ", "last" },
	{ "X)", "last" },
	{ "X (\\Seen) {5}", "<> [\\Seen]()" },
	{ "X {5+}", "<> []()" },
	{ "X) \" 1-Jan-1970 00:00:00 +0000\" {5+}", "<> []() 0+0" },
	{ "X x", "BAD message literal expected" },
};

static void
test_append(void **state)
{
	(void)state;
	RUN(imap_parse_append, dump_append, APPEND);
	RUN(imap_parse_append_next, dump_append, APPEND_NEXT);
}

/* --- mailboxes --- */

static void
dump_mailbox(struct buf *b, const struct imap_args *a)
{
	buf_printf(b, "<%.*s>", STR_ARG(a->mailbox));
}

static const struct imap_case MAILBOX[] = {
	{ "DELETE blurdybloop", "<blurdybloop>" },
	{ "DELETE \"a b\"", "<a b>" },
	{ "DELETE {3}\r\na b", "<a b>" },
	{ "DELETE a]b", "<a]b>" },
	{ "DELETE a%b*c\\d", "<a%b*c\\d>" },
	{ "DELETE INBOX.x", "<INBOX.x>" },
	{ "DELETE \"\"", "<>" },
	{ "DELETE NIL", "<NIL>" },
	{ "DELETE &AOQ-rger/&-x", "<\xc3\xa4rger/&x>" },
	{ "DELETE \"~peter/mail/&U,BTFw-/&ZeVnLIqe-\"",
	    "<~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e>" },
	{ "DELETE \"Entw\xc3\xbcrfe\"", "<Entw\xc3\xbcrfe>" },
	{ "DELETE Entw\xc3\xbcrfe&", "<Entw\xc3\xbcrfe&>" },
	{ "DELETE Entw\xfcrfe", "NO the mailbox name is not valid modified UTF-7" },
	{ "DELETE a&b", "NO the mailbox name is not valid modified UTF-7" },
	{ "DELETE &AOQ", "NO the mailbox name is not valid modified UTF-7" },
	{ "DELETE", "BAD argument missing" },
	{ "DELETE x y", "BAD unexpected text after the arguments" },
};

static const struct imap_case MAILBOX_UTF8[] = {
	{ "DELETE \"Entw\xc3\xbcrfe\"", "<Entw\xc3\xbcrfe>" },
	{ "DELETE a&b", "<a&b>" },
	{ "DELETE &AOQ-", "<&AOQ->" },
	{ "DELETE \"Entw\xfcrfe\"", "NO the mailbox name is not valid UTF-8" },
};

static void
dump_select(struct buf *b, const struct imap_args *a)
{
	buf_printf(b, "<%.*s>", STR_ARG(a->select.mailbox));
	buf_str(b, a->select.condstore ? STR(" condstore") : STR_NONE);
}

static const struct imap_case SELECT[] = {
	{ "SELECT INBOX", "<INBOX>" },
	{ "EXAMINE \"inbox\" ", "<inbox>" },
	{ "SELECT INBOX (CONDSTORE)", "<INBOX> condstore" },
	{ "SELECT INBOX ( condstore )", "<INBOX> condstore" },
	{ "SELECT INBOX ()", "<INBOX>" },
	{ "SELECT INBOX (QRESYNC (1 2))", "BAD unknown SELECT parameter" },
	{ "SELECT INBOX (CONDSTORE", "BAD ')' missing" },
	{ "SELECT", "BAD argument missing" },
};

static void
dump_create(struct buf *b, const struct imap_args *a)
{
	buf_printf(b, "<%.*s> ", STR_ARG(a->create.mailbox));
	dump_list(b, "", &a->create.use);
}

static const struct imap_case CREATE[] = {
	{ "CREATE owatagusiam/", "<owatagusiam/> ()" },
	{ "CREATE MyDrafts (USE (\\Drafts))", "<MyDrafts> (\\Drafts)" },
	{ "CREATE x ( use ( \\Sent \\foo ) )", "<x> (\\Sent \\foo)" },
	{ "CREATE x (USE ())", "<x> ()" },
	{ "CREATE x ()", "<x> ()" },
	{ "CREATE x (FOO)", "BAD unknown CREATE parameter" },
	{ "CREATE x (USE \\Sent)", "BAD list of special uses expected" },
	{ "CREATE x (USE (Sent))", "BAD special use expected" },
	{ "CREATE x (USE (\\))", "BAD atom expected" },
};

static void
dump_rename(struct buf *b, const struct imap_args *a)
{
	buf_printf(b, "<%.*s> <%.*s>", STR_ARG(a->rename.from), STR_ARG(a->rename.to));
}

static const struct imap_case RENAME[] = {
	{ "RENAME blurdybloop sarasoop", "<blurdybloop> <sarasoop>" },
	{ "RENAME INBOX \"&AOQ-\"", "<INBOX> <\xc3\xa4>" },
	{ "RENAME a", "BAD argument missing" },
	{ "RENAME a &", "NO the mailbox name is not valid modified UTF-7" },
};

static void
dump_status(struct buf *b, const struct imap_args *a)
{
	buf_printf(b, "<%.*s> %u", STR_ARG(a->status.mailbox), a->status.items);
}

static const struct imap_case STATUS[] = {
	{ "STATUS blurdybloop (UIDNEXT MESSAGES)", "<blurdybloop> 5" },
	{ "STATUS x (messages recent uidnext uidvalidity unseen)", "<x> 31" },
	{ "STATUS x ( DELETED SIZE HIGHESTMODSEQ HIGHESTMODSEQ ) ", "<x> 224" },
	{ "STATUS x ()", "BAD list of status items is empty" },
	{ "STATUS x (FOO)", "BAD unknown status item" },
	{ "STATUS x MESSAGES", "BAD list of status items expected" },
	{ "STATUS x (MESSAGES", "BAD ')' missing" },
	{ "STATUS x", "BAD argument missing" },
};

static void
dump_list_args(struct buf *b, const struct imap_args *a)
{
	if (a->list.extended)
		buf_printf(b, "%u/%u/%u ", a->list.select, a->list.returns, a->list.status);
	buf_printf(b, "<%.*s> ", STR_ARG(a->list.reference));
	dump_list(b, "", &a->list.patterns);
}

static const struct imap_case LIST[] = {
	{ "LIST \"\" *", "<> (*)" },
	{ "LIST ~/Mail/ %", "<~/Mail/> (%)" },
	{ "LIST \"#news.\" \"comp.mail.*\" ", "<#news.> (comp.mail.*)" },
	{ "LIST \"\" \"\"", "<> ()" },
	{ "LIST \"\" {1}\r\n*", "<> (*)" },
	{ "LIST \"\" &AOQ-%", "<> (\xc3\xa4%)" },
	{ "LIST \"\" a&*", "<> (a&*)" },
	{ "LIST (SUBSCRIBED) \"\" \"*\"", "1/0/0 <> (*)" },
	{ "LIST () \"\" *", "0/0/0 <> (*)" },
	{ "LIST (subscribed RECURSIVEMATCH remote) \"\" (\"INBOX\" Drafts Sent/%)",
	    "7/0/0 <> (INBOX Drafts Sent/%)" },
	{ "LIST \"\" \"%\" RETURN (CHILDREN)", "0/16/0 <> (%)" },
	{ "LIST (SPECIAL-USE) \"\" \"*\"", "8/0/0 <> (*)" },
	{ "LIST \"\" \"*\" RETURN (SPECIAL-USE SUBSCRIBED)", "0/9/0 <> (*)" },
	{ "LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN) CHILDREN)", "0/48/17 <> (%)" },
	{ "LIST \"\" % RETURN ()", "0/0/0 <> (%)" },
	{ "LIST (SPECIAL-USE RECURSIVEMATCH) \"\" *", "12/0/0 <> (*)" },
	{ "LIST (RECURSIVEMATCH) \"\" *", "BAD RECURSIVEMATCH needs another selection option" },
	{ "LIST (FOO) \"\" *", "BAD unknown LIST selection option" },
	{ "LIST \"\" * RETURN (FOO)", "BAD unknown LIST return option" },
	{ "LIST \"\" * RETURN (STATUS)", "BAD list of status items expected" },
	{ "LIST \"\" * RETURN (STATUS (FOO))", "BAD unknown status item" },
	{ "LIST \"\" * RETURN", "BAD argument missing" },
	{ "LIST \"\" * FOO", "BAD unexpected text after the arguments" },
	{ "LIST \"\" (a", "BAD ')' missing" },
	{ "LIST \"\"", "BAD argument missing" },
	{ "LIST", "BAD argument missing" },
};

static const struct imap_case LSUB[] = {
	{ "LSUB \"#news.\" \"comp.%\"", "<#news.> (comp.%)" },
	{ "LSUB \"\" (a b)", "BAD string expected" },
	{ "LSUB (SUBSCRIBED) \"\" *", "BAD string expected" },
};

static void
test_mailboxes(void **state)
{
	(void)state;
	RUN(imap_parse_mailbox, dump_mailbox, MAILBOX);
	case_run(&(struct imap_case_kind){ imap_parse_mailbox, dump_mailbox, true }, MAILBOX_UTF8,
	    ARRAY_LEN(MAILBOX_UTF8));
	RUN(imap_parse_select, dump_select, SELECT);
	RUN(imap_parse_create, dump_create, CREATE);
	RUN(imap_parse_rename, dump_rename, RENAME);
	RUN(imap_parse_status, dump_status, STATUS);
	RUN(imap_parse_list, dump_list_args, LIST);
	RUN(imap_parse_lsub, dump_list_args, LSUB);
}

/* A small arena gives E_NOMEM, never a half result. */
static void
test_no_memory(void **state)
{
	OWN_BUF struct buf    many = BUF_INIT(100000);
	struct imap_case_kind kind = { imap_parse_store, dump_store, false };

	(void)state;
	buf_str(&many, STR("a STORE 1 FLAGS ("));
	for (int i = 0; i < 900; i++)
		buf_printf(&many, "k%d ", i);
	buf_str(&many, STR(")\r\n"));
	for (size_t max = 0; max < 65536; max += 1000) {
		OWN_ARENA struct arena a = ARENA_INIT(max);
		OWN_BUF struct buf     got = BUF_INIT(100000);
		int                    err = case_parse(&kind, buf_view(&many), &a, &got);

		assert_true(err == E_NOMEM || (err == 0 && max > 20000));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_the_tag_survives_a_bad_name),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_nul_in_a_literal),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_mailboxes),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tests of serve/imap: FETCH: items, sections, slices, \Seen, big messages, many messages. */
#include "imap_rig.h"

/* As append by the store: a message of any bytes. */
static void
put_message(struct rig *r, struct str text)
{
	const struct actor          actor = { .protocol = ACTOR_ADMIN };
	const struct append_options options = { .internal_ms = 1000000000000 };
	OWN(account)                a = rig_account(r);
	OWN(ingest)                 in = NULL;
	struct appended             done;
	mailbox_id                  id;

	assert_int_equal(mailbox_find(a, STR("INBOX"), &id), 0);
	assert_int_equal(ingest_new(r->server.store, (uint64_t)1 << 30, &in), 0);
	assert_int_equal(ingest_write(in, text), 0);
	assert_int_equal(ingest_end(in), 0);
	assert_int_equal(message_append(a, id, in, &options, &actor, &done), 0);
}

#define MULTI                                                                                    \
	"From: a@example.org\r\n"                                                                \
	"Subject: outer\r\n"                                                                     \
	"MIME-Version: 1.0\r\n"                                                                  \
	"Content-Type: multipart/mixed; boundary=B\r\n"                                          \
	"\r\n"                                                                                   \
	"preamble\r\n"                                                                           \
	"--B\r\n"                                                                                \
	"Content-Type: text/plain\r\n"                                                           \
	"\r\n"                                                                                   \
	"one\r\n"                                                                                \
	"--B\r\n"                                                                                \
	"Content-Type: message/rfc822\r\n"                                                       \
	"\r\n"                                                                                   \
	"Subject: inner\r\n"                                                                     \
	"X-Two: 2\r\n"                                                                           \
	"\r\n"                                                                                   \
	"inner text\r\n"                                                                         \
	"--B--\r\n"

static void
test_items(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 2);
	rig_login(r, 1, "INBOX");
	play(r, "1> a1 FETCH 1 FAST\n"
	        "1< * 1 FETCH (FLAGS (\\Recent) INTERNALDATE \" 9-Sep-2001 01:46:41 +0000\" "
	        "RFC822.SIZE 111)\n"
	        "1< a1 OK ~\n"
	        "1> a2 UID FETCH 2 (RFC822.SIZE UID)\n"
	        "1< * 2 FETCH (UID 2 RFC822.SIZE 111)\n"
	        "1< a2 OK ~\n"
	        "1> a3 FETCH 1 ENVELOPE\n"
	        "1< * 1 FETCH (ENVELOPE (NIL \"message 1\" ((\"Bob\" NIL \"bob\" \"example.net\")) "
	        "~ \"<1@example.net>\"))\n"
	        "1< a3 OK ~\n"
	        "1> a4 FETCH 1 BODY\n"
	        "1< * 1 FETCH (BODY (\"text\" \"plain\" ~))\n"
	        "1< a4 OK ~\n"
	        "1> a5 FETCH 2 (BODY.PEEK[HEADER.FIELDS (Subject X-None)] BODY.PEEK[TEXT])\n"
	        "1< * 2 FETCH (BODY[HEADER.FIELDS (~)] {22}\n"
	        "1= Subject: message 2\\r\\n\\r\\n BODY[TEXT] {8}\\r\\nbody 2\\r\\n)\\r\\n\n"
	        "1< a5 OK ~\n"
	        "1> a6 FETCH 3 FLAGS\n"
	        "1< a6 BAD ~\n"
	        "1> a7 FETCH 1 (BINARY.PEEK[1])\n"
	        "1< a7 BAD ~\n"
	        "1> a8 FETCH 1 (BODY.PEEK[HEADER.FIELDS.NOT (From To Message-ID)])\n"
	        "1< * 1 FETCH (BODY[HEADER.FIELDS.NOT (~)] {22}\n"
	        "1= Subject: message 1\\r\\n\\r\\n)\\r\\n\n"
	        "1< a8 OK ~\n");
}

static void
test_empty_mailbox(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, "INBOX");
	play(r, "1> a1 FETCH 1:* FLAGS\n1< a1 OK ~\n"
	        "1> a2 UID FETCH 1:* FLAGS\n1< a2 OK ~\n"
	        "1> a3 FETCH 1 FLAGS\n1< a3 BAD ~\n"
	        "1> a4 STORE 1:* +FLAGS (\\Seen)\n1< a4 OK ~\n"
	        "1> a5 UID COPY 1:* Sent\n1< a5 OK ~\n"
	        "1> a6 EXPUNGE\n1< a6 OK ~\n");
}

static void
test_slices(void **state)
{
	struct rig *r = *state;

	put_message(r, STR("Subject: x\r\n\r\n0123456789"));
	rig_login(r, 1, "INBOX");
	play(r, "1> a1 FETCH 1 BODY.PEEK[]<0.5>\n"
	        "1< * 1 FETCH (BODY[]<0> {5}\n"
	        "1= Subje)\\r\\n\n"
	        "1< a1 OK ~\n"
	        "1> a2 FETCH 1 BODY.PEEK[]<20.1000>\n"
	        "1< * 1 FETCH (BODY[]<20> {4}\n"
	        "1= 6789)\\r\\n\n"
	        "1< a2 OK ~\n"
	        /* past the end: an empty string, never a literal of no bytes */
	        "1> a3 FETCH 1 BODY.PEEK[]<24.10>\n"
	        "1< * 1 FETCH (BODY[]<24> \"\")\n"
	        "1< a3 OK ~\n"
	        "1> a4 FETCH 1 BODY.PEEK[]<393216.393216>\n"
	        "1< * 1 FETCH (BODY[]<393216> \"\")\n"
	        "1< a4 OK ~\n"
	        "1> a5 FETCH 1 BODY.PEEK[TEXT]<0.4294967295>\n"
	        "1< * 1 FETCH (BODY[TEXT]<0> {10}\n"
	        "1= 0123456789)\\r\\n\n"
	        "1< a5 OK ~\n"
	        "1> a6 FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]<3.4>\n"
	        "1< * 1 FETCH (BODY[HEADER.FIELDS (~)]<3> {4}\n"
	        "1= ject)\\r\\n\n"
	        "1< a6 OK ~\n");
}

static void
test_seen(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 4);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	play(r, "1> a1 FETCH 1 (BODY.PEEK[TEXT])\n"
	        "1< * 1 FETCH (BODY[TEXT] {8}\n"
	        "1= body 1\\r\\n)\\r\\n\n"
	        "1< a1 OK ~\n"
	        "1> a2 FETCH 1 (BODY[TEXT])\n"
	        "1< * 1 FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT] {8}\n"
	        "1= body 1\\r\\n)\\r\\n\n"
	        "1< a2 OK ~\n"
	        "1> a3 FETCH 1 (BODY[TEXT])\n"
	        "1< * 1 FETCH (BODY[TEXT] {8}\n"
	        "1= body 1\\r\\n)\\r\\n\n"
	        "1< a3 OK ~\n"
	        "2> b1 NOOP\n"
	        "2< * 1 FETCH (FLAGS (\\Seen))\n"
	        "2< b1 OK ~\n"
	        "2> b2 UID FETCH 2 (FLAGS RFC822.TEXT)\n"
	        "2< * 2 FETCH (UID 2 FLAGS (\\Seen) RFC822.TEXT {8}\n"
	        "2= body 2\\r\\n)\\r\\n\n"
	        "2< b2 OK ~\n"
	        "1> a4 NOOP\n"
	        "1< * 2 FETCH (FLAGS (\\Seen \\Recent))\n"
	        "1< a4 OK ~\n"
	        "2> b3 FETCH 3 (RFC822.PEEK RFC822.HEADER)\n"
	        "2* b3\n"
	        "2> b4 FETCH 3 FLAGS\n"
	        "2< * 3 FETCH (FLAGS ())\n"
	        "2< b4 OK ~\n"
	        "2> b5 EXAMINE INBOX\n2! b5\n"
	        "2> b6 FETCH 4 BODY[TEXT]\n"
	        "2< * 4 FETCH (BODY[TEXT] {8}\n"
	        "2= body 4\\r\\n)\\r\\n\n"
	        "2< b6 OK ~\n");
	/* With CONDSTORE the new MODSEQ and the UID go with the flags. */
	play(r, "1> a5 ENABLE CONDSTORE\n1! a5\n"
	        "1> a6 FETCH 3:4 BODY[TEXT]\n"
	        "1< * 3 FETCH (UID 3 FLAGS (\\Seen \\Recent) MODSEQ (~) BODY[TEXT] {8}\n"
	        "1= body 3\\r\\n)\\r\\n\n"
	        "1< * 4 FETCH (UID 4 FLAGS (\\Seen \\Recent) MODSEQ (~) BODY[TEXT] {8}\n"
	        "1= body 4\\r\\n)\\r\\n\n"
	        "1< a6 OK ~\n"
	        "1> a7 NOOP\n1< a7 OK ~\n");
}

static void
test_parts(void **state)
{
	struct rig *r = *state;

	put_message(r, STR(MULTI));
	put_message(r, STR("Subject: plain\r\n\r\nplain text\r\n"));
	rig_login(r, 1, "INBOX");
	play(r, "1> a1 FETCH 1 (BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[2.HEADER] "
	        "BODY.PEEK[2.TEXT] BODY.PEEK[2] BODY.PEEK[2.1] BODY.PEEK[3] BODY.PEEK[1.HEADER])\n"
	        "1= * 1 FETCH (BODY[1] {3}\\r\\none\n"
	        "1=  BODY[1.MIME] {28}\\r\\nContent-Type: text/plain\\r\\n\\r\\n\n"
	        "1=  BODY[2.HEADER] {28}\\r\\nSubject: inner\\r\\nX-Two: 2\\r\\n\\r\\n\n"
	        "1=  BODY[2.TEXT] {10}\\r\\ninner text\n"
	        "1=  BODY[2] {38}\\r\\nSubject: inner\\r\\nX-Two: 2\\r\\n\\r\\ninner text\n"
	        "1=  BODY[2.1] {10}\\r\\ninner text\n"
	        "1=  BODY[3] \"\" BODY[1.HEADER] \"\")\\r\\n\n"
	        "1< a1 OK ~\n"
	        "1> a2 FETCH 1 (BODY.PEEK[2.HEADER.FIELDS (X-Two)] BODY.PEEK[HEADER])\n"
	        "1< * 1 FETCH (BODY[2.HEADER.FIELDS (~)] {12}\n"
	        "1= X-Two: 2\\r\\n\\r\\n BODY[HEADER] {\n"
	        "1* a2\n"
	        "1> a3 FETCH 2 (BODY.PEEK[1] BODY.PEEK[1.MIME])\n"
	        "1= * 2 FETCH (BODY[1] {12}\\r\\nplain text\\r\\n BODY[1.MIME] {18}\\r\\n\n"
	        "1= Subject: plain\\r\\n\\r\\n)\\r\\n\n"
	        "1< a3 OK ~\n");
}

static char
pattern(size_t i)
{
	return i % 77 == 75 ? '\r' : i % 77 == 76 ? '\n' : (char)('A' + (i * 31 + i / 77) % 26);
}

static struct str
big_message(struct buf *b, size_t n)
{
	buf_init(b, n + 100);
	buf_str(b, STR("Subject: big\r\n\r\n"));
	for (size_t i = 0; i < n; i++)
		buf_byte(b, pattern(i));
	return buf_view(b);
}

/* The server keeps a few hundred KiB of it in memory, however slowly it is read. */
static void
test_big_message(void **state)
{
	enum { BYTES = 9 << 20 };
	struct rig      *r = *state;
	OWN_BUF struct buf text = { 0 };
	char               line[100];
	struct str         all = big_message(&text, BYTES);

	put_message(r, all);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	play(r, "1> a1 FETCH 1 (BODY.PEEK[] UID ENVELOPE)\n");
	snprintf(line, sizeof(line), "1< * 1 FETCH (BODY[] {%zu}\n", all.n);
	play(r, line);
	/* While it leaves, somebody else removes it: it comes whole all the same. */
	play(r, "2> b1 STORE 1 +FLAGS (\\Deleted)\n2! b1\n2> b2 EXPUNGE\n2! b2\n");
	client_expect_bytes(&r->clients[1], all);
	play(r, "1<  UID 1 ENVELOPE (NIL \"big\" ~))\n"
	        "1< a1 OK ~\n"
	        "1> a2 NOOP\n"
	        "1< * 1 EXPUNGE\n"
	        "1< * 0 RECENT\n"
	        "1< a2 OK ~\n");
}

static void
test_big_slices(void **state)
{
	enum { BYTES = 3 << 20, SLICE = 393216 };
	struct rig      *r = *state;
	OWN_BUF struct buf text = { 0 };
	char               line[200];
	struct str         all = big_message(&text, BYTES);

	put_message(r, all);
	rig_login(r, 1, "INBOX");
	/* Ten at once, as some clients do, most of them past the end. */
	for (int i = 0; i < 10; i++) {
		snprintf(line, sizeof(line), "1> a%d UID FETCH 1 (BODY.PEEK[]<%d.%d>)\n", i,
		    i * SLICE, SLICE);
		play(r, line);
	}
	for (size_t i = 0; i < 10; i++) {
		struct str         want = str_head(str_skip(all, i * SLICE), SLICE);
		OWN_BUF struct buf expect = BUF_INIT(SLICE + 200);

		if (i * SLICE >= all.n)
			want.n = 0;
		buf_printf(&expect, "* 1 FETCH (UID 1 BODY[]<%zu> ", i * SLICE);
		if (want.n != 0)
			buf_printf(&expect, "{%zu}\r\n", want.n);
		else
			buf_str(&expect, STR("\"\""));
		buf_str(&expect, want);
		buf_str(&expect, STR(")\r\n"));
		client_expect_bytes(&r->clients[1], buf_view(&expect));
		snprintf(line, sizeof(line), "1< a%zu OK ~\n", i);
		play(r, line);
	}
}

static void
test_many_messages(void **state)
{
	enum { MESSAGES = 12000 };
	struct rig *r = *state;
	char          want[100];

	rig_fill(r, "INBOX", 1, MESSAGES);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	play(r, "1> a1 FETCH 1:* (UID FLAGS)\n");
	for (int i = 1; i <= MESSAGES; i++) {
		snprintf(want, sizeof(want), "* %d FETCH (UID %d FLAGS (\\Recent))", i, i);
		assert_true(str_eq(client_line(r, &r->clients[1]), str_c(want)));
	}
	play(r, "1< a1 OK ~\n"
	        "1> a2 STORE 1:* +FLAGS.SILENT (\\Deleted)\n1< a2 OK ~\n"
	        "1> a3 STORE 1:* -FLAGS (\\Seen)\n");
	for (int i = 1; i <= MESSAGES; i++) {
		snprintf(want, sizeof(want), "* %d FETCH (FLAGS (\\Deleted \\Recent))", i);
		assert_true(str_eq(client_line(r, &r->clients[1]), str_c(want)));
	}
	play(r, "1< a3 OK ~\n"
	        "1> a4 EXPUNGE\n");
	for (int i = MESSAGES; i >= 1; i--) {
		snprintf(want, sizeof(want), "* %d EXPUNGE", i);
		assert_true(str_eq(client_line(r, &r->clients[1]), str_c(want)));
	}
	play(r, "1< * 0 RECENT\n1< a4 OK ~\n2> b1 NOOP\n");
	for (int i = MESSAGES; i >= 1; i--) {
		snprintf(want, sizeof(want), "* %d EXPUNGE", i);
		assert_true(str_eq(client_line(r, &r->clients[2]), str_c(want)));
	}
	play(r, "2< b1 OK ~\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_items),
		RIG_TEST(test_empty_mailbox),
		RIG_TEST(test_slices),
		RIG_TEST(test_seen),
		RIG_TEST(test_parts),
		RIG_TEST(test_big_message),
		RIG_TEST(test_big_slices),
		RIG_TEST(test_many_messages),
	};

	return cmocka_run_group_tests_name("imap_fetch", tests, NULL, NULL);
}

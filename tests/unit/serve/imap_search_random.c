/* Random searches of two mailboxes that differ in one message only: its date has no room in memory,
 * so that one mailbox is searched in memory (store/columns.h) and the other by records. */
#include "imap_rig.h"

enum { MESSAGES = 120, SEARCHES = 2500, DEPTH = 4 };

static unsigned
pick(unsigned n)
{
	static unsigned long long state = 88172645463325252ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % n);
}

static const char *const FLAGS[] = { "\\Seen", "\\Flagged", "\\Deleted", "\\Draft", "foo", "bar" };

/* The same line to both. */
static void
both(struct rig *r, const struct buf *line)
{
	client_put(&r->clients[1], buf_view(line));
	client_put(&r->clients[2], buf_view(line));
}

static void
both_done(struct rig *r)
{
	play(r, "1! t\n2! t\n");
}

static void
append(struct rig *r, const char *box, const char *date, unsigned size)
{
	OWN_BUF struct buf line = BUF_INIT(10000);

	buf_printf(&line, "t APPEND %s (%s) \"%s\" {%u+}\r\n", box, FLAGS[size % 6], date, size);
	while (size-- > 0)
		buf_byte(&line, 'x');
	buf_str(&line, STR("\r\n"));
	client_put(&r->clients[1], buf_view(&line));
	play(r, "1! t\n");
}

static void
fill(struct rig *r)
{
	rig_login(r, 1, NULL);
	play(r, "1> t CREATE mem\n1! t\n1> t CREATE odd\n1! t\n");
	append(r, "mem", " 1-Jan-1994 00:00:00 +0000", 1);
	append(r, "odd", " 1-Jan-1850 00:00:00 +0000", 1);
	for (int i = 0; i < MESSAGES; i++) {
		unsigned size = 1 + pick(60);
		char     date[40];

		snprintf(date, sizeof(date), "%2u-Feb-1994 %02u:30:00 %c%02u00", 1 + pick(20),
		    pick(24), pick(2) != 0 ? '+' : '-', pick(13));
		append(r, "mem", date, size);
		append(r, "odd", date, size);
	}
	rig_login(r, 2, NULL);
	play(r, "1> t ENABLE CONDSTORE\n1! t\n2> t ENABLE CONDSTORE\n2! t\n"
	        "1> t SELECT mem\n1! t\n2> t SELECT odd\n2! t\n");
}

static void
put_leaf(struct buf *q)
{
	static const char *const PLAIN[] = { "SEEN", "UNSEEN", "FLAGGED", "UNDELETED", "DRAFT",
		"KEYWORD foo", "UNKEYWORD bar", "KEYWORD never", "ALL", "MODSEQ 1", "TEXT xxxxxx",
		"LARGER 99999999999", "SMALLER 0", "SMALLER 99999999999", "SINCE 1-Jan-0001",
		"BEFORE 31-Dec-9999", "ON 1-Jan-2100" };
	static const char *const DATES[] = { "SINCE", "BEFORE", "ON", "NOT ON" };

	switch (pick(5)) {
	case 0:
		buf_printf(q, "%s %u-Feb-1994", DATES[pick(4)], 1 + pick(22));
		break;
	case 1:
		buf_printf(q, "%s %u", pick(2) != 0 ? "LARGER" : "SMALLER", pick(64));
		break;
	case 2:
		buf_printf(q, "%s%u:%u,%u", pick(2) != 0 ? "UID " : "", 1 + pick(130),
		    1 + pick(130), 1 + pick(130));
		break;
	default:
		buf_str(q, str_c(PLAIN[pick(ARRAY_LEN(PLAIN))]));
	}
}

static void
put_tree(struct buf *q, unsigned depth)
{
	unsigned kind = depth == 0 ? 0 : pick(5);

	switch (kind) {
	case 1:
		buf_str(q, STR("NOT "));
		put_tree(q, depth - 1);
		break;
	case 2:
		buf_str(q, STR("OR "));
		put_tree(q, depth - 1);
		buf_byte(q, ' ');
		put_tree(q, depth - 1);
		break;
	case 3:
		buf_byte(q, '(');
		put_tree(q, depth - 1);
		buf_byte(q, ' ');
		put_tree(q, depth - 1);
		buf_byte(q, ')');
		break;
	default:
		put_leaf(q);
	}
}

/* MODSEQ shows numbers of two mailboxes: they are not compared. */
static struct str
without_modseq(struct str line)
{
	size_t at = str_find(line, STR(" (MODSEQ"));

	return at < line.n ? str_head(line, at) : line;
}

static void
search(struct rig *r)
{
	OWN_BUF struct buf line = BUF_INIT(100000), want = BUF_INIT(100000);
	struct str         got;

	buf_printf(&line, "t %sSEARCH 2:* ", pick(2) != 0 ? "UID " : "");
	put_tree(&line, DEPTH);
	buf_str(&line, STR("\r\n"));
	both(r, &line);
	buf_str(&want, without_modseq(client_line(r, &r->clients[2])));
	got = without_modseq(client_line(r, &r->clients[1]));
	if (!str_eq(got, buf_view(&want)))
		fail_msg("%.*s in memory: %.*s\nby records: %.*s", STR_ARG(buf_view(&line)),
		    STR_ARG(got), STR_ARG(buf_view(&want)));
	both_done(r);
}

static void
change(struct rig *r)
{
	OWN_BUF struct buf line = BUF_INIT(1000);

	if (pick(30) == 0)
		buf_printf(&line, "t UID EXPUNGE %u:*\r\n", 2 + pick(130));
	else
		buf_printf(&line, "t UID STORE %u,%u %cFLAGS.SILENT (%s)\r\n", 2 + pick(130),
		    2 + pick(130), "+-"[pick(2)], FLAGS[pick(6)]);
	both(r, &line);
	both_done(r);
}

static void
test_random(void **state)
{
	struct rig *r = *state;

	fill(r);
	for (int i = 0; i < SEARCHES; i++) {
		if (i % 4 == 0)
			change(r);
		search(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { RIG_TEST(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Several sessions change one mailbox at random. Each client believes only what it was told; in the
 * end what it believes must be what is there. That holds for numbers, UIDs and flags.
 */
#include "imap_rig.h"

enum { CLIENTS = 4, STEPS = 4000, MESSAGES_MAX = 3000 };

enum { SEEN = 1, FLAGGED = 2, DELETED = 4, ANSWERED = 8, KEYWORD = 16, UNKNOWN = 1 << 30 };
static const struct {
	unsigned   bit;
	struct str name;
} FLAGS[] = {
	{ SEEN, STR("\\Seen") },
	{ FLAGGED, STR("\\Flagged") },
	{ DELETED, STR("\\Deleted") },
	{ ANSWERED, STR("\\Answered") },
	{ KEYWORD, STR("$Label") },
};

struct belief {
	uint32_t n;
	uint32_t uid[MESSAGES_MAX];   /* 0: not told */
	unsigned flags[MESSAGES_MAX]; /* UNKNOWN: not told */
	bool     condstore;
	bool     asked; /* a FETCH is under way: what comes need not be news */
};

static uint32_t seed;

static uint32_t
draw(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

static unsigned
read_flags(struct str list)
{
	unsigned flags = 0;

	for (size_t i = 0; i < ARRAY_LEN(FLAGS); i++)
		if (str_find(list, FLAGS[i].name) < list.n)
			flags |= FLAGS[i].bit;
	return flags;
}

/* What stands behind `name`; p == NULL when it is not there. */
static struct str
value_of(struct str line, struct str name)
{
	size_t at = str_find(line, name);

	return at == line.n ? STR_NONE : str_skip(line, at + name.n);
}

static uint32_t
leading_number(struct str *s)
{
	uint32_t v = 0;

	while (s->n > 0 && ascii_is_digit(s->p[0])) {
		v = v * 10 + (uint32_t)(s->p[0] - '0');
		*s = str_skip(*s, 1);
	}
	return v;
}

static void
told_expunge(struct belief *b, uint32_t number)
{
	assert_true(number >= 1 && number <= b->n);
	for (uint32_t i = number; i < b->n; i++) {
		b->uid[i - 1] = b->uid[i];
		b->flags[i - 1] = b->flags[i];
	}
	b->n--;
}

static void
told_exists(struct belief *b, uint32_t n)
{
	assert_true(n >= b->n && n <= MESSAGES_MAX);
	for (; b->n < n; b->n++) {
		b->uid[b->n] = 0;
		b->flags[b->n] = UNKNOWN;
	}
}

static void
told_fetch(struct belief *b, uint32_t number, struct str line)
{
	struct str uid = value_of(line, STR("UID "));
	struct str flags = value_of(line, STR("FLAGS ("));

	assert_true(number >= 1 && number <= b->n);
	if (uid.p != NULL) {
		uint32_t v = leading_number(&uid);

		assert_true(b->uid[number - 1] == 0 || b->uid[number - 1] == v);
		b->uid[number - 1] = v;
	}
	if (flags.p != NULL)
		b->flags[number - 1] = read_flags(str_head(flags, str_find_byte(flags, ')')));
	if (b->condstore && flags.p != NULL && !b->asked)
		assert_true(str_find(line, STR("MODSEQ (")) < line.n);
}

/* Reads up to the tagged answer and believes it. expunges: may they come now? */
static bool
hear(struct rig *r, int n, struct belief *b, bool expunges)
{
	for (;;) {
		struct str line = client_line(r, &r->clients[n]);
		uint32_t   number;

		assert_non_null(line.p);
		if (str_starts(line, STR("t ")))
			return str_starts(line, STR("t OK"));
		assert_true(str_starts(line, STR("* ")));
		line = str_skip(line, 2);
		if (!ascii_is_digit(line.p[0]))
			continue;
		number = leading_number(&line);
		if (str_eq(line, STR(" EXISTS")))
			told_exists(b, number);
		else if (str_starts(line, STR(" FETCH (")))
			told_fetch(b, number, line);
		else if (str_eq(line, STR(" EXPUNGE"))) {
			assert_true(expunges);
			told_expunge(b, number);
		}
	}
}

static void
say(struct rig *r, int n, const char *fmt, ...)
{
	char    text[300], line[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "t %s\r\n", text);
	client_put(&r->clients[n], str_c(line));
}

static unsigned
apply(unsigned flags, char op, unsigned change)
{
	if (op == '+')
		return flags | change;
	return op == '-' ? flags & ~change : change;
}

/* Each of these says one command, and tells whether EXPUNGE may come with its answer. */

/* A STORE, with .SILENT or not. A silent one is believed before the answer comes. */
static bool
do_store(struct rig *r, int n, struct belief *b)
{
	static const char ops[] = "+- ";
	const char        op = ops[draw(3)];
	const unsigned    flag = draw(ARRAY_LEN(FLAGS));
	const bool        silent = draw(2) == 0, uid = draw(2) == 0;
	uint32_t          lo = 1 + draw(b->n), hi = lo + draw(3);
	const bool        known = !uid || b->uid[lo - 1] != 0;

	if (hi > b->n)
		hi = b->n;
	if (uid && known)
		hi = lo;
	if (silent && known)
		for (uint32_t i = lo; i <= hi; i++)
			if (b->flags[i - 1] != UNKNOWN)
				b->flags[i - 1] =
				    apply(b->flags[i - 1], op, FLAGS[flag].bit);
	b->asked = false;
	if (!known)
		say(r, n, "NOOP");
	else if (uid)
		say(r, n, "UID STORE %u %.*sFLAGS%s (%.*s)", b->uid[lo - 1], op == ' ' ? 0 : 1, &op,
		    silent ? ".SILENT" : "", STR_ARG(FLAGS[flag].name));
	else
		say(r, n, "STORE %u:%u %.*sFLAGS%s (%.*s)", lo, hi, op == ' ' ? 0 : 1, &op,
		    silent ? ".SILENT" : "", STR_ARG(FLAGS[flag].name));
	return uid || !known;
}

static bool
do_fetch(struct rig *r, int n, struct belief *b)
{
	uint32_t lo = 1 + draw(b->n), hi = lo + draw(5);

	if (hi > b->n)
		hi = b->n;
	b->asked = true;
	say(r, n, "FETCH %u:%u (UID FLAGS)", lo, hi);
	return false;
}

static bool
do_command(struct rig *r, int n, struct belief *b, const char *command)
{
	b->asked = strstr(command, "FETCH") != NULL;
	say(r, n, "%s", command);
	return true;
}

static bool
step(struct rig *r, int n, struct belief *b)
{
	char text[100];

	switch (b->n == 0 ? 9 : draw(13)) {
	case 0: case 1: case 2: case 3:
		return do_store(r, n, b);
	case 4: case 5: case 6:
		return do_fetch(r, n, b);
	case 7:
		return do_command(r, n, b, "EXPUNGE");
	case 8:
		snprintf(text, sizeof(text), "COPY %u INBOX", 1 + draw(b->n));
		return do_command(r, n, b, text);
	case 9: case 10:
		if (b->n < MESSAGES_MAX / 2)
			return do_command(r, n, b, "APPEND INBOX (\\Answered) {3+}\r\nabc");
		return do_command(r, n, b, "NOOP");
	case 11:
		snprintf(text, sizeof(text), "MOVE %u Trash", 1 + draw(b->n));
		return do_command(r, n, b, text);
	default:
		return do_command(r, n, b, "UID FETCH 1:* (UID FLAGS)");
	}
}

static void
check(struct rig *r, int n, struct belief *b)
{
	struct belief truth = { .condstore = b->condstore };

	(void)hear(r, n, b, do_command(r, n, b, "NOOP"));
	told_exists(&truth, b->n);
	say(r, n, "FETCH 1:* (UID FLAGS MODSEQ)");
	assert_true(hear(r, n, &truth, false));
	for (uint32_t i = 0; i < b->n; i++) {
		assert_int_not_equal(truth.uid[i], 0);
		assert_true(i == 0 || truth.uid[i] > truth.uid[i - 1]);
		if (b->uid[i] != 0)
			assert_int_equal(b->uid[i], truth.uid[i]);
		if (b->flags[i] != UNKNOWN)
			assert_int_equal(b->flags[i], truth.flags[i]);
	}
}

static struct belief beliefs[CLIENTS];

static void
begin(struct rig *r)
{
	const char *given = getenv("IMAP_TEST_SEED");

	seed = given != NULL ? (uint32_t)strtoul(given, NULL, 10) : 4711;
	rig_fill(r, "INBOX", 1, 50);
	for (int n = 0; n < CLIENTS; n++) {
		rig_login(r, n, n == 0 ? "INBOX (CONDSTORE)" : "INBOX");
		beliefs[n] = (struct belief){ .condstore = n == 0 };
		told_exists(&beliefs[n], 50);
	}
}

/* Also with one another the sessions agree. */
static void
check_all(struct rig *r)
{
	for (int n = 0; n < CLIENTS; n++)
		check(r, n, &beliefs[n]);
	for (int n = 1; n < CLIENTS; n++)
		assert_int_equal(beliefs[n].n, beliefs[0].n);
}

static void
test_in_turn(void **state)
{
	struct rig *r = *state;

	begin(r);
	for (int i = 0; i < STEPS; i++) {
		int n = (int)draw(CLIENTS);

		(void)hear(r, n, &beliefs[n], step(r, n, &beliefs[n]));
		if (i % 500 == 499)
			check_all(r);
	}
}

static void
test_at_once(void **state)
{
	struct rig *r = *state;
	bool        expunges[CLIENTS];

	begin(r);
	for (int i = 0; i < STEPS / CLIENTS; i++) {
		for (int n = 0; n < CLIENTS; n++)
			expunges[n] = step(r, n, &beliefs[n]);
		for (int n = 0; n < CLIENTS; n++)
			(void)hear(r, n, &beliefs[n], expunges[n]);
		if (i % 100 == 99)
			check_all(r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_in_turn),
		RIG_TEST(test_at_once),
	};

	return cmocka_run_group_tests_name("imap_random", tests, NULL, NULL);
}

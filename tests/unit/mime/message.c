/* Tests of mime/message.h: offsets, chunks, limits, attacks, packing, finding parts. */
#include "test.h"

#include <dirent.h>

#include "mime/message.h"

static const struct str NESTED = STR(
    "Subject: outer\r\n"
    "Message-ID: <one@x>\r\n"
    "Message-ID: <two@x>\r\n"
    "In-Reply-To: <zero@x>\r\n"
    "References: <a@x>\r\n <b@x>\r\n"
    "Date: Fri, 21 Nov 1997 09:55:06 -0600\r\n"
    "Content-Type: multipart/mixed; boundary=\"b\"\r\n"
    "\r\n"
    "preamble\r\n"
    "--b\r\n"
    "Content-Type: Text/Plain; charset=UTF-8\r\n"
    "Content-Transfer-Encoding: Quoted-Printable\r\n"
    "\r\n"
    "line one\r\n"
    "line two\r\n"
    "--b\r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "Subject: inner\r\n"
    "Content-Type: multipart/alternative; boundary=\"b-\"\r\n"
    "\r\n"
    "--b-\r\n"
    "\r\n"
    "plain\r\n"
    "--b-\r\n"
    "Content-Type: text/html\r\n"
    "\r\n"
    "<p>\r\n"
    "--b---\r\n"
    "--b\r\n"
    "Content-Type: message/rfc822\r\n"
    "\r\n"
    "Subject: lone\r\n"
    "\r\n"
    "text\r\n"
    "\r\n"
    "--b--\r\n"
    "epilogue\r\n");

static struct str
slice(struct str whole, uint64_t off, uint64_t n)
{
	return str_head(str_skip(whole, off), n);
}

static void
test_offsets(void **state)
{
	static const struct {
		struct str header, body;
		uint32_t   lines;
	} WANT[] = {
		{ STR_NONE, STR_NONE, 30 },
		{ STR("Content-Type: Text/Plain; charset=UTF-8\r\n"
		      "Content-Transfer-Encoding: Quoted-Printable\r\n\r\n"),
		    STR("line one\r\nline two"), 1 },
		{ STR("Content-Type: message/rfc822\r\n\r\n"), STR_NONE, 10 },
		{ STR("Subject: inner\r\nContent-Type: multipart/alternative; "
		      "boundary=\"b-\"\r\n\r\n"),
		    STR("--b-\r\n\r\nplain\r\n--b-\r\nContent-Type: "
			"text/html\r\n\r\n<p>\r\n--b---"),
		    7 },
		{ STR("\r\n"), STR("plain"), 0 },
		{ STR("Content-Type: text/html\r\n\r\n"), STR("<p>"), 0 },
		{ STR("Content-Type: message/rfc822\r\n\r\n"), STR("Subject: lone\r\n\r\ntext\r\n"),
		    3 },
		{ STR("Subject: lone\r\n\r\n"), STR("text\r\n"), 1 },
	};
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct str             whole = NESTED;
	struct message_summary s;

	(void)state;
	assert_int_equal(message_parse(whole, NULL, &a, &s), 0);
	assert_int_equal(s.n_parts, ARRAY_LEN(WANT));
	assert_true(check_parts(&s));
	for (uint32_t i = 0; i < s.n_parts; i++) {
		const struct message_part *p = &s.parts[i];

		if (WANT[i].header.p != NULL)
			check_str(slice(whole, p->header_off, p->header_n), WANT[i].header);
		if (WANT[i].body.p != NULL)
			check_str(slice(whole, p->body_off, p->body_n), WANT[i].body);
		assert_int_equal(p->body_lines, WANT[i].lines);
	}
	assert_int_equal(s.size, whole.n);
	assert_int_equal(s.header_n, s.parts[0].header_n);
	assert_int_equal(s.lines, 39);
	check_str(s.parts[1].type, STR("text"));
	check_str(s.parts[1].subtype, STR("plain"));
	check_str(s.parts[1].charset, STR("utf-8"));
	assert_int_equal(s.parts[1].encoding, ENCODING_QP);
}

static void
test_fields_kept(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct message_summary s;

	(void)state;
	assert_int_equal(message_parse(NESTED, NULL, &a, &s), 0);
	check_str(s.subject, STR("outer"));
	check_str(s.message_id, STR("<one@x>"));
	check_str(s.in_reply_to, STR("<zero@x>"));
	check_str(s.references, STR("<a@x> <b@x>"));
	assert_true(s.date_ms == 880127706000);
	assert_int_equal(message_parse(STR("Date: soon\r\n\r\n"), NULL, &a, &s), 0);
	assert_true(s.date_ms == INT64_MIN);
	assert_int_equal(s.subject.n, 0);
}

static void
check_all_steps(struct str whole, const struct message_limits *limits)
{
	OWN_ARENA struct arena a = ARENA_INIT(64 << 20);
	struct message_summary want;

	assert_int_equal(message_parse(whole, limits, &a, &want), 0);
	assert_true(
	    check_wire(want.envelope) && check_wire(want.body) && check_wire(want.body_structure));
	assert_true(check_parts(&want));
	for (size_t step = 1; step <= whole.n && step <= 1000; step += step < 80 ? 1 : 37) {
		OWN_ARENA struct arena b = ARENA_INIT(64 << 20);
		struct message_summary got;

		assert_int_equal(check_parse_in_steps(whole, step, limits, &b, &got), 0);
		if (!check_same(&want, &got))
			fail_msg(
			    "differs in steps of %zu: %.*s", step, STR_ARG(str_head(whole, 2000)));
	}
}

/* Messages of random lines, of those that matter to a parser. */
static void
test_chunks_change_nothing(void **state)
{
	static const struct str LINES[] = { STR("--b\r\n"), STR("--b--\r\n"), STR("--bb\r\n"),
		STR("--bb--\r\n"), STR("--b-\r\n"), STR("--b\n"), STR("--\r\n"), STR("-\r\n"),
		STR("\r\n"), STR("\n"), STR("\r\r\n"), STR("text\r\n"), STR("--bb"), STR("-"),
		STR("\r"), STR("Content-Type: multipart/mixed; boundary=b\r\n"),
		STR("Content-Type: multipart/digest; boundary=bb\r\n"),
		STR("Content-Type: message/rfc822\r\n"), STR("Subject: s\r\n"), STR(" fold\r\n"),
		STR("From: a <b@c>\r\n"), STR("Content-Type: multipart/x; boundary=\"b--\"\r\n"),
		STR("a\0b\r\n") };
	static const struct message_limits TIGHT = { .header_bytes = 60, .depth = 2, .parts = 5 };
	uint32_t x = 7;

	(void)state;
	check_all_steps(NESTED, NULL);
	for (int i = 0; i < 400; i++) {
		OWN_BUF struct buf m = BUF_INIT(100000);
		size_t             n = 1 + (size_t)i % 30;

		for (size_t k = 0; k < n; k++) {
			x = x * 1664525 + 1013904223;
			buf_str(&m, k == 0 && i % 4 != 0 ? LINES[15 + x / 65536 % 2] :
				      k == 1 && i % 4 != 0 ? STR("\r\n") :
							     LINES[x / 65536 % ARRAY_LEN(LINES)]);
		}
		check_all_steps(buf_view(&m), i % 5 == 0 ? &TIGHT : NULL);
	}
}

static void
test_line_ends(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct message_summary s;

	(void)state;
	assert_int_equal(message_parse(STR("A: b\n\nx\ny"), NULL, &a, &s), 0);
	assert_int_equal(s.header_n, 6);
	assert_int_equal(s.lines, 3);
	assert_int_equal(s.parts[0].body_lines, 1);
	/* A bare CR ends nothing. */
	assert_int_equal(message_parse(STR("A: b\r\r\n\rx\r\n\r\ny\rz\r\n"), NULL, &a, &s), 0);
	assert_int_equal(s.header_n, 13);
	assert_int_equal(s.parts[0].body_lines, 1);
	assert_int_equal(message_parse(STR("A: b\r\n\r"), NULL, &a, &s), 0);
	assert_int_equal(s.header_n, 7);
	assert_int_equal(message_parse(STR_NONE, NULL, &a, &s), 0);
	assert_int_equal(s.size, 0);
	assert_int_equal(s.n_parts, 1);
}

static void
put_nest(struct buf *m, int depth, bool messages)
{
	for (int i = 0; i < depth; i++)
		if (messages)
			buf_str(m, STR("Content-Type: message/rfc822\r\n\r\n"));
		else
			buf_printf(m,
			    "Content-Type: multipart/x; boundary=b%06d\r\n\r\n--b%06d\r\n", i, i);
	buf_str(m, STR("\r\nend\r\n"));
}

static void
test_depth_limit(void **state)
{
	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		OWN_ARENA struct arena a = ARENA_INIT(16 << 20);
		OWN_BUF struct buf     m = BUF_INIT(16 << 20);
		struct message_summary s;

		put_nest(&m, 100000, kind == 1);
		assert_int_equal(message_parse(buf_view(&m), NULL, &a, &s), 0);
		assert_int_equal(s.n_parts, 51);
		check_str(s.parts[50].type, STR("application"));
		check_str(s.parts[50].subtype, STR("octet-stream"));
		assert_true(check_parts(&s) && check_wire(s.body_structure));
	}
}

static void
test_parts_limit(void **state)
{
	static const struct message_limits FEW = { .parts = 10 };
	OWN_ARENA struct arena a = ARENA_INIT(16 << 20);
	OWN_BUF struct buf     m = BUF_INIT(16 << 20);
	struct message_summary s;

	(void)state;
	buf_str(&m, STR("Content-Type: multipart/digest; boundary=b\r\n\r\n"));
	for (int i = 0; i < 100000; i++)
		buf_str(&m, STR("--b\r\n\r\n\r\nx\r\n"));
	buf_str(&m, STR("--b--\r\n"));
	assert_int_equal(message_parse(buf_view(&m), NULL, &a, &s), 0);
	assert_int_equal(s.n_parts, 1000);
	assert_true(check_parts(&s) && check_wire(s.body_structure));
	assert_int_equal(message_parse(buf_view(&m), &FEW, &a, &s), 0);
	assert_int_equal(s.n_parts, 10);
	assert_true(check_parts(&s) && check_wire(s.body_structure));
	/* The last part holds all that is left. */
	assert_int_equal(s.parts[9].body_off + s.parts[9].body_n, s.size);
}

static void
test_header_limit(void **state)
{
	static const struct message_limits SMALL = { .header_bytes = 100 };
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	OWN_BUF struct buf     m = BUF_INIT(1 << 20);
	struct message_summary s;

	(void)state;
	buf_str(&m, STR("Subject: early\r\n"));
	for (int i = 0; i < 100; i++)
		buf_str(&m, STR("X: filler\r\n"));
	buf_str(&m, STR("To: late@x\r\n\r\nbody"));
	for (size_t step = 1; step < m.n; step += 97) {
		assert_int_equal(check_parse_in_steps(buf_view(&m), step, &SMALL, &a, &s), 0);
		assert_int_equal(s.parts[0].body_n, 4);
		check_str(s.envelope, STR("(NIL \"early\" NIL NIL NIL NIL NIL NIL NIL NIL)"));
		arena_reset(&a);
	}
}

#define NUL10 "\0\0\0\0\0\0\0\0\0\0"
#define NUL100 NUL10 NUL10 NUL10 NUL10 NUL10 NUL10 NUL10 NUL10 NUL10 NUL10

/* Whatever is in the header, the results fit the store, and the arena the store gives. */
static void
test_floods_are_bounded(void **state)
{
	static const struct {
		struct str before, piece;
	} FLOODS[] = {
		{ STR("From: "), STR(",") },
		{ STR("From: "), STR("a:") },
		{ STR("From: "), STR("\"\0\0\0\0\0\0\" <\"\0\"@a>,") },
		{ STR("From: "), STR("\"" NUL100 NUL100 NUL100 NUL100 NUL100 NUL100 "\" <a@b>,") },
		{ STR("From: \""), STR("\0") },
		{ STR("To: "), STR("<@a,@b:c@d>,") },
		{ STR("Subject: "), STR("\0") },
		{ STR("Subject: "), STR("\"\\") },
		{ STR("Subject: "), STR(" x") },
		{ STR("Content-Type: a/b"), STR(";x=\"\0\"") },
		{ STR("Content-Type: a/b; x=\""), STR("\0") },
		{ STR("Content-Type: a/b"), STR(";x*0*=%") },
		{ STR("Content-Type: a/b"), STR("(") },
		{ STR("Content-Type: a/b"), STR(";x*1=\"%%%%\\%\"") },
		{ STR("Content-Disposition: a"), STR(";\"x") },
		{ STR("Content-Language: a"), STR(",a") },
		{ STR("Content-Type: "), STR("a") },
		{ STR("MIME-Version: 1\r\nContent-ID: "), STR("\0") },
		{ STR(""), STR("From: a@b\r\n") },
		{ STR(""), STR("From: ,,,\r\n") },
		{ STR(""), STR("\r\n ") },
		{ STR(""), STR(" ") },
		{ STR(""), STR(":") },
		{ STR(""), STR("\0") },
		{ STR(""), STR("Content-Type: a/b; c=d\r\n") },
		{ STR("X"), STR("y") },
	};
	enum { MIB = 1 << 20, ARENA_GIVEN = 28 * MIB, STORED_MAX = 14 * MIB };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(FLOODS); i++) {
		OWN_BUF struct buf m = BUF_INIT(100 * MIB), one = BUF_INIT(2 * MIB);
		struct message_summary s;

		buf_str(&one, FLOODS[i].before);
		while (one.n + FLOODS[i].piece.n <= MIB)
			buf_str(&one, FLOODS[i].piece);
		for (int nest = 0; nest < 2; nest++) {
			OWN_ARENA struct arena a = ARENA_INIT(ARENA_GIVEN);

			/* Once as the message's header, once as those of many messages inside. */
			if (nest == 1)
				buf_str(
				    &m, STR("Content-Type: multipart/digest; boundary=b\r\n\r\n"));
			for (int k = 0; k < (nest == 1 ? 8 : 1); k++) {
				buf_str(&m, nest == 1 ? STR("--b\r\n\r\n") : STR_NONE);
				buf_str(&m, buf_view(&one));
				buf_str(&m, STR("\r\n\r\nx\r\n"));
			}
			assert_int_equal(
			    check_parse_in_steps(buf_view(&m), 65536, NULL, &a, &s), 0);
			assert_true(s.envelope.n + s.body.n + s.body_structure.n <= STORED_MAX);
			assert_true(check_wire(s.envelope) && check_wire(s.body) &&
				    check_wire(s.body_structure));
			buf_reset(&m);
		}
	}
}

static void
test_giant_lines(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	OWN_BUF struct buf     m = BUF_INIT(8 << 20);
	struct message_summary s;

	(void)state;
	buf_str(&m, STR("Content-Type: multipart/x; boundary=b\r\n\r\n--b\r\n\r\n"));
	memset(buf_grow(&m, 1 << 20), '-', 1 << 20);
	buf_str(&m, STR("\r\n--"));
	memset(buf_grow(&m, 1 << 20), 'b', 1 << 20);
	buf_str(&m, STR("\r\n\r\n"));
	memset(buf_grow(&m, 1 << 20), 0, 1 << 20);
	buf_str(&m, STR("\r\n--b--"));
	for (size_t step = 1000; step < m.n; step *= 3) {
		assert_int_equal(check_parse_in_steps(buf_view(&m), step, NULL, &a, &s), 0);
		assert_int_equal(s.n_parts, 3);
		assert_int_equal(s.parts[1].body_n, 1 << 20);
		assert_int_equal(s.parts[2].body_n, 1 << 20);
		arena_reset(&a);
	}
}

/* RFC 2046 s5.1.1 has 70 characters; 250 are compared. */
static void
test_long_boundaries(void **state)
{
	(void)state;
	for (int n = 60; n < 400; n += 10) {
		OWN_BUF struct buf m = BUF_INIT(10000);
		char               name[400];

		memset(name, 'x', sizeof(name));
		buf_printf(&m,
		    "Content-Type: multipart/x; "
		    "boundary=\"%.*s\"\r\n\r\n--%.*s\r\n\r\nA\r\n--%.*s--\r\n",
		    n, name, n, name, n, name);
		check_all_steps(buf_view(&m), NULL);
	}
}

static void
test_pack(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	OWN_BUF struct buf     b = BUF_INIT(1 << 20);
	struct message_summary s, back;

	(void)state;
	assert_int_equal(message_parse(NESTED, NULL, &a, &s), 0);
	message_parts_pack(&s, &b);
	assert_int_equal(b.err, 0);
	back = s;
	assert_int_equal(message_parts_unpack(buf_view(&b), &a, &back.parts, &back.n_parts), 0);
	assert_true(check_same(&s, &back));
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(
		    message_parts_unpack(str_head(buf_view(&b), n), &a, &back.parts, &back.n_parts),
		    E_CORRUPT);
	/* Any byte wrong: an error, or parts whose links are sound. */
	for (size_t i = 0; i < b.n; i++) {
		char was = b.p[i];

		b.p[i] = (char)(was ^ (1 << i % 8));
		if (message_parts_unpack(buf_view(&b), &a, &back.parts, &back.n_parts) == 0)
			for (uint32_t k = 0; k < back.n_parts; k++)
				assert_true(back.parts[k].first_child < back.n_parts &&
					    back.parts[k].next < back.n_parts &&
					    (k == 0 || back.parts[k].parent < k));
		b.p[i] = was;
	}
}

static void
check_find(const struct message_summary *s, struct str path, int want)
{
	uint32_t                   numbers[8];
	size_t                     n = 0;
	const struct message_part *p;

	while (path.n != 0)
		assert_int_equal(str_to_u32(str_cut(&path, '.'), &numbers[n++]), 0);
	p = message_part_find(s->parts, s->n_parts, numbers, n);
	assert_int_equal(p == NULL ? -1 : p - s->parts, want);
}

static void
test_find(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
	struct message_summary s;

	(void)state;
	assert_int_equal(message_parse(NESTED, NULL, &a, &s), 0);
	check_find(&s, STR(""), 0);
	check_find(&s, STR("1"), 1);
	check_find(&s, STR("2"), 2);
	check_find(&s, STR("2.1"), 4);
	check_find(&s, STR("2.2"), 5);
	check_find(&s, STR("2.3"), -1);
	check_find(&s, STR("3"), 6);
	check_find(&s, STR("3.1"), 7);
	check_find(&s, STR("3.2"), -1);
	check_find(&s, STR("3.1.1"), -1);
	check_find(&s, STR("4"), -1);
	check_find(&s, STR("0"), -1);
	check_find(&s, STR("1.1"), -1);
	check_find(&s, STR("4294967295"), -1);
	assert_int_equal(message_parse(STR("\r\nx"), NULL, &a, &s), 0);
	check_find(&s, STR("1"), 0);
	check_find(&s, STR("2"), -1);
	check_find(&s, STR("1.1"), -1);
	assert_int_equal(
	    message_parse(STR("Content-Type: message/rfc822\r\n\r\n\r\nx"), NULL, &a, &s), 0);
	check_find(&s, STR("1"), 0);
	check_find(&s, STR("1.1"), 1);
	assert_int_equal(
	    message_parse(STR("Content-Type: multipart/x; boundary=b\r\n\r\n"), NULL, &a, &s), 0);
	check_find(&s, STR("1"), -1);
}

/* Each allocation fails once (in builds with faults); a small arena likewise. */
static void
test_no_memory(void **state)
{
	int r = E_NOMEM;

	(void)state;
	for (unsigned long nth = 1; r != 0; nth++) {
		OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
		struct message_summary s;

		mem_fault_set(nth, 0);
		r = check_parse_in_steps(NESTED, 11, NULL, &a, &s);
		mem_fault_set(0, 0);
		assert_true(r == 0 || r == E_NOMEM);
	}
	r = E_NOMEM;
	for (size_t max = 0; r != 0; max += 16) {
		OWN_ARENA struct arena a = ARENA_INIT(max);
		struct message_summary s;

		r = check_parse_in_steps(NESTED, 11, NULL, &a, &s);
		assert_true(r == 0 || r == E_NOMEM);
		assert_true(max < 32768);
	}
}

/* The messages in ../shared/corpus beside the repository, where there are any. */
static void
check_folder(const char *path, size_t *count)
{
	DIR           *d = opendir(path);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		OWN_BUF struct buf m = BUF_INIT(64 << 20);
		char               name[4096];
		FILE              *f;

		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
		check_folder(name, count);
		f = str_ends(str_c(name), STR(".eml")) ? fopen(name, "r") : NULL;
		if (f == NULL)
			continue;
		buf_commit(&m, fread(buf_room(&m, 1 << 20), 1, 1 << 20, f));
		fclose(f);
		check_all_steps(buf_view(&m), NULL);
		++*count;
	}
	if (d != NULL)
		closedir(d);
}

static void
test_corpus(void **state)
{
	const char *path = getenv("POSTRIDER_CORPUS");
	size_t      count = 0;

	(void)state;
	check_folder(path != NULL ? path : CORPUS, &count);
	if (count == 0)
		skip();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_fields_kept),
		cmocka_unit_test(test_chunks_change_nothing),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_depth_limit),
		cmocka_unit_test(test_parts_limit),
		cmocka_unit_test(test_header_limit),
		cmocka_unit_test(test_floods_are_bounded),
		cmocka_unit_test(test_giant_lines),
		cmocka_unit_test(test_long_boundaries),
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

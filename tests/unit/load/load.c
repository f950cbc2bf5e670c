/* Tests of bench/load: the parser of answers, the histogram, the messages that are known again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/error.h"
#include "base/own.h"
#include "load/corpus.h"
#include "load/hist.h"
#include "load/lex.h"

/* A feed over a text that comes `piece` bytes at a time. */
struct slow {
	struct feed feed;
	struct str  text;
	size_t      at, piece;
	char        room[4096];
};

static int
slow_more(struct feed *f)
{
	struct slow *s = CONTAINER_OF(f, struct slow, feed);
	size_t       have = (size_t)(f->end - f->p);
	struct str   next = str_head(str_skip(s->text, s->at), s->piece);

	if (next.n == 0)
		return E_CLOSED;
	if (have + next.n > sizeof(s->room))
		return E_LIMIT;
	memmove(s->room, f->p, have);
	memcpy(s->room + have, next.p, next.n);
	f->p = s->room;
	f->end = s->room + have + next.n;
	s->at += next.n;
	return 0;
}

static struct feed *
slow_open(struct slow *s, const char *text, size_t piece)
{
	*s = (struct slow){ .feed.more = slow_more, .text = str_c(text), .piece = piece };
	s->feed.p = s->feed.end = s->room;
	return &s->feed;
}

static const size_t PIECES[] = { 1, 2, 3, 7, 4096 };

struct value_row {
	const char   *text; /* and CR LF follows */
	int           err;
	enum lex_kind kind;
	uint64_t      n;
};

static const struct value_row VALUES[] = {
	{ "NIL", 0, LEX_NIL, 0 },
	{ "nil", 0, LEX_NIL, 0 },
	{ "NILS", 0, LEX_ATOM, 4 },
	{ "\"\"", 0, LEX_STRING, 0 },
	{ "\"a\\\"b\\\\\"", 0, LEX_STRING, 4 },
	{ "{5}\r\nab\r\nc", 0, LEX_LITERAL, 5 },
	{ "~{3}\r\na\"(", 0, LEX_LITERAL, 3 },
	{ "{0}\r\n", 0, LEX_LITERAL, 0 },
	{ "()", 0, LEX_LIST, 0 },
	{ "(a \"b)\" {2}\r\n)( NIL (x (y)) z)", 0, LEX_LIST, 6 },
	{ "((a)(b)NIL)", 0, LEX_LIST, 3 },
	{ "BODY[HEADER.FIELDS (DATE \"TO\")]<0>", 0, LEX_ATOM, 34 },
	{ "\"a\\x\"", E_SYNTAX, 0, 0 },
	{ "\"open", E_SYNTAX, 0, 0 },
	{ "(open", E_SYNTAX, 0, 0 },
	{ "BODY[open", E_SYNTAX, 0, 0 },
	{ "{x}", E_SYNTAX, 0, 0 },
	{ "{99999999999999999999}", E_SYNTAX, 0, 0 },
	{ "{9}\r\nshort", E_CLOSED, 0, 0 },
	{ "", E_SYNTAX, 0, 0 },
};

static void
test_values(void **state)
{
	char text[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(VALUES); i++) {
		for (size_t k = 0; k < ARRAY_LEN(PIECES); k++) {
			const struct value_row *row = &VALUES[i];
			struct lex_value        v;
			struct slow             s;
			struct feed            *f;

			snprintf(text, sizeof(text), "%s\r\n", row->text);
			f = slow_open(&s, text, PIECES[k]);
			assert_int_equal(lex_value(f, NULL, &v), row->err);
			if (row->err != 0)
				continue;
			assert_int_equal(v.kind, row->kind);
			assert_int_equal(v.n, row->n);
			assert_int_equal(feed_crlf(f), 0); /* not a byte more was taken */
		}
	}
}

static void
test_lines(void **state)
{
	struct slow s;
	struct str  line;
	uint64_t    n;

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(PIECES); k++) {
		struct feed *f = slow_open(&s, "one\r\n\r\n77 x {4}\r\n\r\n\r\n y\r\nz\nend",
		    PIECES[k]);

		assert_int_equal(feed_line(f, &line), 0);
		assert_int_equal(line.n, 3);
		assert_int_equal(feed_line(f, &line), 0);
		assert_int_equal(line.n, 0);
		assert_int_equal(feed_u64(f, &n), 0);
		assert_int_equal(n, 77);
		assert_int_equal(lex_rest(f), 0); /* over the literal */
		assert_int_equal(feed_line(f, &line), E_SYNTAX); /* a bare LF */
	}
	assert_int_equal(feed_line(slow_open(&s, "no end", 4), &line), E_CLOSED);
	assert_int_equal(feed_u64(slow_open(&s, "x", 4), &n), E_SYNTAX);
}

static void
test_depth(void **state)
{
	char             text[2 * LEX_DEPTH_MAX];
	struct slow      s;
	struct lex_value v;

	(void)state;
	memset(text, '(', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(lex_value(slow_open(&s, text, 64), NULL, &v), E_LIMIT);
}

static void
test_hist(void **state)
{
	struct hist h = { 0 }, sum = { 0 };
	uint64_t    got;

	(void)state;
	assert_int_equal(hist_percent(&h, 50), 0);
	for (uint64_t us = 1; us <= 100000; us++)
		hist_put(&h, us);
	for (unsigned p = 1; p <= 99; p++) {
		got = hist_percent(&h, p);
		assert_true(got >= p * 1000 && got <= p * 1000 + p * 1000 / 32 + 1);
	}
	assert_int_equal(hist_percent(&h, 100), 100000);
	hist_put(&h, UINT64_MAX); /* beyond the last slot */
	assert_int_equal(h.max, UINT64_MAX);
	hist_add(&sum, &h);
	hist_add(&sum, &h);
	assert_int_equal(sum.n, 200002);
	for (uint64_t us = 0; us < 70; us++) { /* exact where it is small, and no slot is skipped */
		struct hist one = { 0 };

		hist_put(&one, us);
		hist_put(&one, 1000);
		got = hist_percent(&one, 50);
		assert_true(got >= us && got <= us + us / 32);
	}
}

/* The body as it is seen when the message comes in pieces behind more header fields. */
static bool
known(const struct corpus *c, struct str message, size_t piece)
{
	struct body_sink b;

	body_sink_init(&b);
	b.sink.put(&b.sink, STR("Received: from x\r\n"));
	for (; message.n > 0; message = str_skip(message, piece))
		b.sink.put(&b.sink, str_head(message, piece));
	return corpus_knows(c, &b);
}

static void
test_corpus(void **state)
{
	struct corpus      c;
	OWN_BUF struct buf one = BUF_INIT(100000);
	OWN_BUF struct buf dotted = BUF_INIT(100000);

	(void)state;
	assert_int_equal(corpus_make(&c, 4096), 0);
	for (uint64_t n = 0; n < 2 * CORPUS_MADE; n++) {
		buf_reset(&one);
		corpus_put(&c, n, &one);
		assert_int_equal(one.n, 4096);
		for (size_t k = 0; k < ARRAY_LEN(PIECES); k++)
			assert_true(known(&c, buf_view(&one), PIECES[k]));
		assert_false(known(&c, str_head(buf_view(&one), 4095), 4096));
		one.p[4000] ^= 1;
		assert_false(known(&c, buf_view(&one), 4096));
	}
	buf_reset(&one);
	corpus_put(&c, 3, &one);
	corpus_put_dotted(&c, 3, &dotted);
	assert_int_equal(dotted.n, 4096 + 3); /* made ones have no dot to stuff */
	assert_memory_equal(dotted.p, one.p, 4096);
	assert_int_equal(corpus_hits(&c, 10000, STR("ZEPHYRAH")), 10000 / CORPUS_MADE + 1);
	assert_int_equal(corpus_hits(&c, 10000, STR("no such word")), 0);
	corpus_done(&c);
	assert_int_equal(corpus_make(&c, 100), E_LIMIT);
	corpus_done(&c);
}

/* One wrong byte, wherever it stands, is another text; a shorter one is, too. */
static void
test_digest(void **state)
{
	static char   text[1000];
	struct digest d;
	uint64_t      right;

	(void)state;
	memset(text, 'a', sizeof(text));
	digest_init(&d);
	digest_put(&d, str_of(text, sizeof(text)));
	right = digest_end(&d);
	for (size_t at = 0; at < sizeof(text); at++) {
		text[at] ^= 1;
		digest_init(&d);
		digest_put(&d, str_of(text, sizeof(text)));
		assert_true(digest_end(&d) != right);
		text[at] ^= 1;
		digest_init(&d);
		digest_put(&d, str_of(text, at));
		assert_true(digest_end(&d) != right);
		digest_put(&d, str_of(text + at, sizeof(text) - at));
		assert_true(digest_end(&d) == right);
	}
}

static void
test_pairs(void **state)
{
	char text[100];

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		memset(text, 'a', sizeof(text));
		assert_null(feed_find_pair(str_of(text, n), '\n', '.'));
		for (size_t at = 0; at + 1 < sizeof(text); at++) {
			memset(text, '.', sizeof(text));
			text[at] = '\n';
			assert_ptr_equal(feed_find_pair(str_of(text, n), '\n', '.'),
			    at + 1 < n ? text + at : NULL);
		}
	}
}

static void
test_dots(void **state)
{
	static const char  TEXT[] = "A: b\n\n.\n..x\nend.\n.y\n";
	char               folder[] = "/tmp/postrider-load.XXXXXX", path[100];
	struct corpus      c;
	OWN_BUF struct buf dotted = BUF_INIT(1000);
	FILE              *file;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/one.eml", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(TEXT, file);
	fclose(file);
	assert_int_equal(corpus_load(&c, folder), 0);
	unlink(path);
	rmdir(folder);
	corpus_put_dotted(&c, 0, &dotted);
	assert_true(str_eq(buf_view(&dotted),
	    STR("A: b\r\n\r\n..\r\n...x\r\nend.\r\n..y\r\n.\r\n")));
	corpus_done(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_hist),
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

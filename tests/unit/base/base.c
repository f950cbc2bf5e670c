/* Tests of base/: slices, buffers, arena, map, pack, ranges, log lines, lock ranks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/ranges.h"

#define assert_str(s, lit)                                                                       \
	do {                                                                                     \
		struct str got_ = (s);                                                           \
		assert_int_equal(got_.n, sizeof(lit) - 1);                                       \
		assert_memory_equal(got_.p, lit, sizeof(lit) - 1);                               \
	} while (0)

static void
test_str(void **state)
{
	struct str s = STR("a,b,,c");
	uint64_t   v;
	uint32_t   w;

	(void)state;
	assert_str(str_cut(&s, ','), "a");
	assert_str(str_cut(&s, ','), "b");
	assert_int_equal(str_cut(&s, ',').n, 0);
	assert_str(str_cut(&s, ','), "c");
	assert_int_equal(s.n, 0);
	assert_true(str_ieq(STR("InBoX"), STR("inbox")));
	assert_true(str_iends(STR("x.EML"), STR(".eml")));
	assert_str(str_trim(STR(" \t a b \r\n")), "a b");
	assert_int_equal(str_find(STR("hello"), STR("ll")), 2);
	assert_int_equal(str_find(STR("hello"), STR("lx")), 5);
	assert_int_equal(str_ifind(STR("heLLo"), STR("llO")), 2);
	assert_int_equal(str_to_u64(STR("18446744073709551615"), &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(str_to_u64(STR("18446744073709551616"), &v), E_SYNTAX);
	assert_int_equal(str_to_u64(STR_NONE, &v), E_SYNTAX);
	assert_int_equal(str_to_u32(STR("4294967296"), &w), E_SYNTAX);
	assert_int_equal(str_to_u32(STR("1x"), &w), E_SYNTAX);
	assert_true(str_cmp(STR("a"), STR("ab")) < 0);
}

static void
test_buf_keeps_its_maximum(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(100);

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_byte(&b, 'x');
	assert_int_equal(b.err, 0);
	buf_byte(&b, 'y');
	assert_int_equal(b.err, E_LIMIT);
	assert_int_equal(b.n, 100);
	buf_reset(&b);
	buf_printf(&b, "%d-%s", 12, "ab");
	buf_u64(&b, UINT64_MAX);
	assert_str(buf_view(&b), "12-ab18446744073709551615");
	buf_consume(&b, 5);
	assert_str(buf_view(&b), "18446744073709551615");
}

static void
test_arena_keeps_its_maximum(void **state)
{
	OWN_ARENA struct arena a = ARENA_INIT(10000);
	char                  *p;

	(void)state;
	for (int i = 0; i < 9; i++)
		assert_non_null(arena_alloc(&a, 1000));
	while ((p = arena_alloc(&a, 100)) != NULL)
		memset(p, 1, 100);
	assert_true(a.used <= 10000);
	arena_reset(&a);
	p = arena_printf(&a, "%s/%d", "x", 7);
	assert_string_equal(p, "x/7");
	assert_null(arena_alloc(&a, SIZE_MAX));
}

static void
test_map(void **state)
{
	struct map m;
	int        values[500];
	char       key[32];
	size_t     seen = 0;

	(void)state;
	map_init(&m);
	for (int i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		assert_int_equal(map_put(&m, str_c(key), &values[i]), 0);
	}
	for (int i = 0; i < 500; i += 2) {
		snprintf(key, sizeof(key), "key-%d", i);
		assert_ptr_equal(map_del(&m, str_c(key)), &values[i]);
		assert_null(map_get(&m, str_c(key)));
	}
	assert_ptr_equal(map_get(&m, STR("key-499")), &values[499]);
	for (struct map_at at = { 0 }; map_next(&m, &at);)
		seen++;
	assert_int_equal(seen, 250);
	map_done(&m);
}

static void
test_pack_comes_back(void **state)
{
	OWN_BUF struct buf b = BUF_INIT(1000);
	struct unpack      u;

	(void)state;
	pack_u8(&b, 200);
	pack_u32(&b, 0xdeadbeef);
	pack_u64(&b, UINT64_MAX - 1);
	pack_be32(&b, 7);
	pack_be64(&b, 1ULL << 40);
	pack_var(&b, 300);
	pack_var(&b, UINT64_MAX);
	pack_str(&b, STR("abc"));
	u = unpack_of(buf_view(&b));
	assert_int_equal(unpack_u8(&u), 200);
	assert_int_equal(unpack_u32(&u), 0xdeadbeef);
	assert_true(unpack_u64(&u) == UINT64_MAX - 1);
	assert_int_equal(unpack_be32(&u), 7);
	assert_true(unpack_be64(&u) == 1ULL << 40);
	assert_int_equal(unpack_var(&u), 300);
	assert_true(unpack_var(&u) == UINT64_MAX);
	assert_str(unpack_str(&u), "abc");
	assert_true(unpack_ok(&u));
	assert_int_equal(unpack_u16(&u), 0);
	assert_false(unpack_ok(&u));
}

/* ranges against a plain array of truth. */
static void
test_ranges_agree_with_an_array(void **state)
{
	enum { N = 64 };
	struct ranges s = { 0 };
	bool          in[N + 1] = { false };
	uint32_t      seed = 12345;

	(void)state;
	for (int step = 0; step < 20000; step++) {
		uint32_t lo, hi, count = 0;

		seed = seed * 1664525 + 1013904223;
		lo = 1 + (seed >> 8) % N;
		hi = lo + (seed >> 20) % 5;
		if (hi > N)
			hi = N;
		if ((seed >> 28) % 2)
			assert_int_equal(ranges_add(&s, lo, hi), 0);
		else
			assert_int_equal(ranges_remove(&s, lo, hi), 0);
		for (uint32_t v = lo; v <= hi; v++)
			in[v] = (seed >> 28) % 2;
		for (uint32_t v = 1; v <= N; v++) {
			count += in[v];
			assert_int_equal(ranges_has(&s, v), in[v]);
			assert_int_equal(ranges_rank(&s, v), count);
			if (in[v])
				assert_int_equal(ranges_nth(&s, count), v);
		}
		assert_int_equal(ranges_count(&s), count);
		assert_int_equal(ranges_nth(&s, count + 1), 0);
		for (size_t i = 1; i < s.n; i++)
			assert_true(s.r[i - 1].hi + 1 < s.r[i].lo);
	}
	ranges_done(&s);
}

static void
test_ranges_at_the_ends(void **state)
{
	struct ranges a = { 0 }, b = { 0 }, both;

	(void)state;
	assert_int_equal(ranges_add(&a, UINT32_MAX, UINT32_MAX), 0);
	assert_int_equal(ranges_add(&a, 1, 1), 0);
	assert_int_equal(ranges_add(&a, 5, 9), 0);
	assert_int_equal(ranges_add(&b, 1, UINT32_MAX), 0);
	assert_int_equal(ranges_and(&a, &b, &both), 0);
	assert_int_equal(ranges_count(&both), 7);
	assert_int_equal(ranges_next(&a, 2), 5);
	assert_int_equal(ranges_next(&a, 10), UINT32_MAX);
	assert_int_equal(ranges_min(&a), 1);
	ranges_done(&both);
	ranges_done(&a);
	ranges_done(&b);
}

static void
test_log_lines(void **state)
{
	static const char *const NAMES[][2] = {
		{ "b\xc3\xbc", "info e n=b\xc3\xbc" },
		{ "a b\xe2\x82\xac\xf0\x9f\x93\xac",
		    "info e n=\"a b\xe2\x82\xac\xf0\x9f\x93\xac\"" },
		{ "\xc2\x9b" "31m", "info e n=\"\\u00c2\\u009b31m\"" },
		{ "\x9b", "info e n=\"\\u009b\"" },
		{ "\xed\xa0\x80", "info e n=\"\\u00ed\\u00a0\\u0080\"" },
		{ "\xc0\x8a", "info e n=\"\\u00c0\\u008a\"" },
		{ "x\xe2\x82", "info e n=\"x\\u00e2\\u0082\"" },
		{ "\x1b[2J", "info e n=\"\\u001b[2J\"" },
	};
	OWN_BUF struct buf     b = BUF_INIT(LOG_LINE_MAX);
	const struct log_field f[] = { LOG_U("session", 7), LOG_C("peer", "::1"),
		LOG_C("text", "a \"b\"\n") };

	(void)state;
	log_format_line(LOG_FORMAT_TEXT, LOG_INFO, "login", f, 3, &b);
	assert_str(buf_view(&b), "info login session=7 peer=::1 text=\"a \\\"b\\\"\\u000a\"");
	/* What strangers type as their name: no byte of it is for a terminal, or breaks JSON. */
	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
		const struct log_field name = LOG_C("n", NAMES[i][0]);

		buf_reset(&b);
		log_format_line(LOG_FORMAT_TEXT, LOG_INFO, "e", &name, 1, &b);
		assert_true(str_eq(buf_view(&b), str_c(NAMES[i][1])));
	}
	buf_reset(&b);
	log_format_line(LOG_FORMAT_JSON, LOG_WARN, "login", f, 2, &b);
	assert_str(
	    buf_view(&b), "\"level\":\"warn\",\"event\":\"login\",\"session\":7,\"peer\":\"::1\"}");
}

/* Reads what is there, at least `n` lines. */
static struct str
read_lines(int fd, char *to, size_t room, int n)
{
	size_t got = 0;

	while (n > 0) {
		ssize_t r = read(fd, to + got, room - got);

		assert_true(r > 0);
		for (ssize_t i = 0; i < r; i++)
			n -= to[got + (size_t)i] == '\n';
		got += (size_t)r;
	}
	return str_of(to, got);
}

static void
test_log_lines_wait(void **state)
{
	char       text[4096];
	struct str got;
	int        fds[2], ready;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	log_setup(LOG_INFO, LOG_FORMAT_JSON, fds[1]);
	log_start();
	log_event(LOG_INFO, "first", LOG_U("n", 1));
	log_event(LOG_DEBUG, "unwanted", LOG_U("n", 0));
	got = read_lines(fds[0], text, sizeof(text), 1);
	assert_true(str_find(got, STR("\"event\":\"first\"")) < got.n);
	/* A warning takes with it what waits. */
	log_event(LOG_INFO, "second", LOG_U("n", 2));
	log_event(LOG_WARN, "third", LOG_U("n", -3));
	assert_int_equal(ioctl(fds[0], FIONREAD, &ready), 0);
	assert_true(ready > 0);
	got = read_lines(fds[0], text, sizeof(text), 2);
	assert_true(str_find(got, STR("second")) < str_find(got, STR("\"third\",\"n\":-3}")));
	assert_true(str_find(got, STR("\"third\",\"n\":-3}")) < got.n);
	/* The end, too; and after it nothing waits. */
	log_event(LOG_INFO, "fourth", LOG_U("n", 4));
	log_stop();
	log_event(LOG_INFO, "fifth", LOG_U("n", 5));
	assert_int_equal(ioctl(fds[0], FIONREAD, &ready), 0);
	got = read_lines(fds[0], text, sizeof(text), 2);
	assert_int_equal(got.n, ready);
	assert_true(str_find(got, STR("fourth")) < str_find(got, STR("fifth")));
	log_setup(LOG_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
	close(fds[0]);
	close(fds[1]);
}

static void
test_every_error_has_a_row(void **state)
{
	(void)state;
	for (int i = 1; i < ERROR_COUNT; i++) {
		const struct error_row *row = error_row(-i);

		assert_non_null(row->name);
		assert_true(row->smtp_code >= 400 && row->smtp_code < 600);
		assert_int_equal(row->smtp_enhanced[0], '0' + row->smtp_code / 100);
		assert_true(row->http_status >= 400);
		assert_true(row->text[0] != '\0');
	}
	assert_string_equal(error_row(-100000)->name, "INTERNAL");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_str),
		cmocka_unit_test(test_buf_keeps_its_maximum),
		cmocka_unit_test(test_arena_keeps_its_maximum),
		cmocka_unit_test(test_map),
		cmocka_unit_test(test_pack_comes_back),
		cmocka_unit_test(test_ranges_agree_with_an_array),
		cmocka_unit_test(test_ranges_at_the_ends),
		cmocka_unit_test(test_log_lines),
		cmocka_unit_test(test_log_lines_wait),
		cmocka_unit_test(test_every_error_has_a_row),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}

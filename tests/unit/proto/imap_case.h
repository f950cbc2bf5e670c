/*
 * tests/unit/proto/imap_case.h: a command line and what it is understood as, for tables of tests.
 *
 * Each line is also cut after every byte, in memory of exactly that size: the parser must end with
 * an error or a result, and the sanitizer sees every read past the end.
 */
#ifndef TESTS_IMAP_CASE_H
#define TESTS_IMAP_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/mem.h"
#include "proto/imap_write.h"

struct imap_case {
	const char *line; /* from the command's name on */
	const char *want; /* what dump writes; "BAD words", "LIMIT words" or "NO words" */
};

struct imap_case_kind {
	imap_parse_fn *parse;
	void         (*dump)(struct buf *, const struct imap_args *);
	bool           utf8;
};

static inline void
dump_list(struct buf *b, const char *label, const struct imap_strs *list)
{
	buf_printf(b, "%s(", label);
	for (size_t i = 0; i < list->n; i++)
		buf_printf(b, i == 0 ? "%.*s" : " %.*s", STR_ARG(list->s[i]));
	buf_byte(b, ')');
}

static inline void
dump_set(struct buf *b, const struct imap_set *set)
{
	if (set->saved)
		buf_byte(b, '$');
	for (size_t i = 0; i < set->n; i++) {
		buf_printf(b, "%s%u", i == 0 ? "" : ",", set->r[i].lo);
		if (set->r[i].hi != set->r[i].lo)
			buf_printf(b, ":%u", set->r[i].hi);
	}
}

static inline void
dump_flags(struct buf *b, const struct imap_flags *flags)
{
	buf_byte(b, '[');
	imap_put_system_flags(b, flags->system);
	buf_byte(b, ']');
	dump_list(b, "", &flags->keywords);
}

static inline int
case_parse(const struct imap_case_kind *kind, struct str text, struct arena *a, struct buf *to)
{
	struct imap_reader r;
	struct imap_head   head;
	struct imap_args   args;
	int                err;

	imap_reader_init(&r, text, a);
	r.utf8 = kind->utf8;
	err = imap_read_head(&r, &head);
	if (err == 0)
		err = kind->parse(&r, &args);
	if (err == 0) {
		buf_str(to, head.uid ? STR("UID ") : STR_NONE);
		kind->dump(to, &args);
		return 0;
	}
	assert_non_null(r.what);
	buf_printf(to, "%s %s",
	    err == E_LIMIT        ? "LIMIT"
	        : err == E_CANNOT ? "NO"
	        : err == E_NOMEM  ? "NOMEM"
	                          : "BAD",
	    r.what);
	return err;
}

static inline void
case_cut(const struct imap_case_kind *kind, struct str text)
{
	for (size_t n = 0; n < text.n; n++) {
		OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
		OWN_BUF struct buf     got = BUF_INIT(1 << 20);
		OWN_MEM char          *copy = mem_alloc(n + 1);

		/* The bytes end where the memory ends. */
		memcpy(copy + 1, text.p, n);
		case_parse(kind, str_of(copy + 1, n), &a, &got);
	}
}

static inline void
case_run(const struct imap_case_kind *kind, const struct imap_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
		OWN_BUF struct buf     text = BUF_INIT(1 << 20);
		OWN_BUF struct buf     got = BUF_INIT(1 << 20);

		buf_printf(&text, "a1 %s\r\n", cases[i].line);
		case_parse(kind, buf_view(&text), &a, &got);
		if (!str_eq(buf_view(&got), str_c(cases[i].want)))
			fail_msg("%s\n got: %.*s\nwant: %s", cases[i].line,
			    STR_ARG(buf_view(&got)), cases[i].want);
		case_cut(kind, buf_view(&text));
	}
}

#endif

/* What the tests of auth/ share. */
#ifndef TESTS_AUTH_TEST_H
#define TESTS_AUTH_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/str.h"

#define assert_str(s, text)                                                                      \
	do {                                                                                     \
		struct str got_ = (s);                                                           \
		const char *want_ = (text);                                                      \
		if (got_.n != strlen(want_) || memcmp(got_.p, want_, got_.n) != 0)               \
			fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got_), want_);             \
	} while (0)

#define assert_ok(call) assert_int_equal((call), 0)

#endif

/* What the tests of mime/ share. */
#ifndef TESTS_MIME_TEST_H
#define TESTS_MIME_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/mem.h"
#include "check.h"

static inline void
check_str_(struct str got, struct str want, const char *file, int line)
{
	if (str_eq(got, want))
		return;
	fprintf(stderr, "got  <%.*s>\nwant <%.*s>\n", STR_ARG(got), STR_ARG(want));
	_fail(file, line);
}
#define check_str(got, want) check_str_((got), (want), __FILE__, __LINE__)

#endif

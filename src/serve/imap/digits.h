/*
 * serve/imap/digits.h: text put through a plain pointer, for lines that are written a million
 * times. The caller has made room: buf_room(out, n), then buf_commit(out, end - p).
 */
#ifndef SERVE_IMAP_DIGITS_H
#define SERVE_IMAP_DIGITS_H

#include <stdint.h>
#include <string.h>

enum { DIGITS_MAX = 20 };

/* Each returns the place behind what it put. */
static inline char *
put_digits(char *p, uint64_t v)
{
	size_t n = 1;

	for (uint64_t rest = v; rest >= 10; rest /= 10)
		n++;
	for (char *d = p + n; d != p; v /= 10)
		*--d = (char)('0' + v % 10);
	return p + n;
}

/* A string literal. */
#define PUT_TEXT(p, lit) ((char *)memcpy((p), lit, sizeof(lit) - 1) + (sizeof(lit) - 1))

#endif

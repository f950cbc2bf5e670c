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
	char  digits[DIGITS_MAX];
	char *d = digits + DIGITS_MAX;
	size_t n;

	do {
		*--d = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	n = (size_t)(digits + DIGITS_MAX - d);
	memcpy(p, d, n);
	return p + n;
}

/* A string literal. */
#define PUT_TEXT(p, lit) ((char *)memcpy((p), lit, sizeof(lit) - 1) + (sizeof(lit) - 1))

#endif

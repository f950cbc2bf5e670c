/*
 * base/str.h: a slice of bytes that somebody else owns: pointer and length, not NUL-terminated.
 *
 * Shape    any bytes, NUL too. An empty slice may have p == NULL.
 * Case     "i" functions fold ASCII letters only.
 * Threads  plain value.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t      n;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf: "%.*s" with STR_ARG(s). */
#define STR_ARG(s) (int)(s).n, ((s).p != NULL ? (s).p : "")

static inline struct str
str_of(const char *p, size_t n)
{
	return (struct str){p, n};
}

static inline struct str
str_c(const char *cstr)
{
	return (struct str){cstr, cstr != NULL ? strlen(cstr) : 0};
}

static inline struct str
str_skip(struct str s, size_t n)
{
	if (n < s.n)
		return (struct str){s.p + n, s.n - n};
	return (struct str){s.p != NULL ? s.p + s.n : NULL, 0};
}

static inline struct str
str_head(struct str s, size_t n)
{
	return n >= s.n ? s : (struct str){s.p, n};
}

static inline bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool        str_ieq(struct str a, struct str b);
int         str_cmp(struct str a, struct str b); /* memcmp order, shorter first */
int         str_icmp(struct str a, struct str b);
bool        str_starts(struct str s, struct str prefix);
bool        str_istarts(struct str s, struct str prefix);
bool        str_ends(struct str s, struct str suffix);
bool        str_iends(struct str s, struct str suffix);
struct str  str_trim(struct str s); /* space, tab, CR, LF at both ends */
/* Offset of the first c, or of the first needle; s.n when absent. */
size_t      str_find_byte(struct str s, char c);
size_t      str_rfind_byte(struct str s, char c);
size_t      str_find(struct str s, struct str needle);
size_t      str_ifind(struct str s, struct str needle);
/* Splits at the first c: returns what is before it, leaves *s behind it; all of *s when absent. */
struct str  str_cut(struct str *s, char c);
/* Decimal digits only, all of s, at least one. 0, or E_SYNTAX (also on overflow). */
int         str_to_u64(struct str s, uint64_t *ret);
int         str_to_u32(struct str s, uint32_t *ret);

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static inline char
ascii_upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool
ascii_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif

#include "codec/base64.h"

#include "base/error.h"

enum { LINE_BYTES = 57, BAD = 0xff, PAD = 0xfe };

static const char ALPHABET[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value of a character plus 1; 0 for one outside the alphabet, so that the table stays short. */
static const uint8_t VALUE1[256] = {
	['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
	['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
	['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
	['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
	['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
	['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
	['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
	['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
	['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
	['/'] = 64,
};

static inline uint32_t
value1(char c)
{
	return VALUE1[(unsigned char)c];
}

static char *
encode_tail(const unsigned char *p, size_t n, char *to)
{
	uint32_t bits = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0);

	to[0] = ALPHABET[bits >> 18];
	to[1] = ALPHABET[bits >> 12 & 63];
	to[2] = n > 1 ? ALPHABET[bits >> 6 & 63] : '=';
	to[3] = '=';
	return to + 4;
}

void
base64_encode(struct str s, struct buf *to)
{
	const unsigned char *p = (const unsigned char *)s.p;
	char                *q = buf_grow(to, (s.n / 3 + (s.n % 3 != 0)) * 4);

	if (q == NULL)
		return;
	for (; s.n >= 3; s.n -= 3, p += 3, q += 4) {
		uint32_t bits = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		q[0] = ALPHABET[bits >> 18];
		q[1] = ALPHABET[bits >> 12 & 63];
		q[2] = ALPHABET[bits >> 6 & 63];
		q[3] = ALPHABET[bits & 63];
	}
	if (s.n != 0)
		encode_tail(p, s.n, q);
}

void
base64_encode_lines(struct str s, struct buf *to)
{
	for (; s.n != 0; s = str_skip(s, LINE_BYTES)) {
		base64_encode(str_head(s, LINE_BYTES), to);
		buf_put(to, "\r\n", 2);
	}
}

/* The last one to three bytes, with their unused bits. */
static int
decode_last(const char *p, size_t n, uint32_t *ret)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < n; i++) {
		if (value1(p[i]) == 0)
			return E_SYNTAX;
		bits = bits << 6 | (value1(p[i]) - 1);
	}
	if ((n == 2 && (bits & 15) != 0) || (n == 3 && (bits & 3) != 0))
		return E_SYNTAX;
	*ret = bits << (6 * (4 - n));
	return 0;
}

int
base64_decode(struct str s, struct buf *to)
{
	size_t   pad = 0, n, start = to->n;
	uint32_t bits;
	char    *q;

	if (s.n % 4 != 0)
		return E_SYNTAX;
	while (pad < 2 && pad < s.n && s.p[s.n - 1 - pad] == '=')
		pad++;
	n = s.n / 4 * 3 - pad;
	q = buf_grow(to, n);
	if (q == NULL)
		return to->err;
	for (; n != 0; s = str_skip(s, 4)) {
		size_t got = n < 3 ? n : 3;

		if (decode_last(s.p, got + 1, &bits) < 0) {
			to->n = start;
			return E_SYNTAX;
		}
		for (size_t i = 0; i < got; i++)
			*q++ = (char)(bits >> (16 - 8 * i));
		n -= got;
	}
	return 0;
}

static void
put_quantum(struct base64_decoder *d, struct buf *to)
{
	uint32_t bits = d->bits << (6 * (4 - d->n));

	for (uint32_t i = 0; i + 1 < d->n; i++)
		buf_byte(to, (char)(bits >> (16 - 8 * i)));
	d->bits = 0;
	d->n = 0;
}

/* Whole quanta without any byte to skip; stops at the first that has one. */
static size_t
decode_run(struct str s, char *q, size_t *ret_put)
{
	size_t i = 0, put = 0;

	for (; i + 4 <= s.n; i += 4, put += 3) {
		uint32_t a = value1(s.p[i]), b = value1(s.p[i + 1]);
		uint32_t c = value1(s.p[i + 2]), d = value1(s.p[i + 3]);
		uint32_t bits = (a - 1) << 18 | (b - 1) << 12 | (c - 1) << 6 | (d - 1);

		if (a == 0 || b == 0 || c == 0 || d == 0)
			break;
		q[put] = (char)(bits >> 16);
		q[put + 1] = (char)(bits >> 8);
		q[put + 2] = (char)bits;
	}
	*ret_put = put;
	return i;
}

void
base64_decoder_feed(struct base64_decoder *d, struct str s, struct buf *to)
{
	while (s.n != 0 && to->err == 0) {
		uint32_t v = value1(s.p[0]);

		if (d->n == 0 && v != 0 && s.n >= 4) {
			size_t most = s.n < 4096 ? s.n : 4096, put;
			char  *q = buf_room(to, most / 4 * 3);

			if (q == NULL)
				return;
			most = decode_run(str_head(s, most), q, &put);
			buf_commit(to, put);
			s = str_skip(s, most);
			if (most != 0)
				continue;
		}
		if (v != 0) {
			d->bits = d->bits << 6 | (v - 1);
			if (++d->n == 4)
				put_quantum(d, to);
		} else if (s.p[0] == '=') {
			put_quantum(d, to);
		}
		s = str_skip(s, 1);
	}
}

void
base64_decoder_end(struct base64_decoder *d, struct buf *to)
{
	put_quantum(d, to);
}

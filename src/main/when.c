#include "main/when.h"

#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "codec/date.h"

enum { DATE_TEXT_MAX = 100 };

static int64_t
unit_ms(char unit)
{
	switch (unit) {
	case 's':
		return 1000;
	case 'm':
		return 60 * 1000;
	case 'h':
		return 3600 * 1000;
	case 'd':
		return 24 * 3600 * 1000;
	case 'w':
		return 7 * 24 * 3600 * 1000;
	default:
		return 0;
	}
}

static int
parse_ago(struct str s, int64_t now_ms, int64_t *ret_ms)
{
	int64_t  unit = s.n > 1 ? unit_ms(s.p[s.n - 1]) : 0;
	uint64_t n;

	if (unit == 0 || str_to_u64(str_head(s, s.n - 1), &n) < 0)
		return E_SYNTAX;
	*ret_ms = n < (uint64_t)(now_ms / unit) ? now_ms - (int64_t)n * unit : 0;
	return 0;
}

/* ISO 8601 has a T before the time and a Z behind it; the dates of mail have not. */
static int
parse_date(struct str s, int64_t *ret_ms)
{
	char text[DATE_TEXT_MAX];
	int  zone;

	if (s.n == 0 || s.n >= sizeof(text))
		return E_SYNTAX;
	memcpy(text, s.p, s.n);
	if (s.n > 10 && text[4] == '-' && text[10] == 'T')
		text[10] = ' ';
	if (ascii_is_digit(text[0]) && text[s.n - 1] == 'Z')
		s.n--;
	return date_parse_rfc5322(str_of(text, s.n), ret_ms, &zone);
}

int
when_parse(struct str s, int64_t now_ms, int64_t *ret_ms)
{
	s = str_trim(s);
	return parse_ago(s, now_ms, ret_ms) == 0 ? 0 : parse_date(s, ret_ms);
}

const char *
when_text(int64_t ms, char to[WHEN_TEXT_MAX])
{
	time_t    s = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0)
		return "never";
	gmtime_r(&s, &tm);
	strftime(to, WHEN_TEXT_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	return to;
}

void
put_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		/* U+0080 to U+009F are controls, too. */
		if (c == 0xc2 && i + 1 < s.n && (unsigned char)s.p[i + 1] < 0xa0) {
			putchar('?');
			i++;
		} else {
			putchar(c < ' ' || c == 127 ? '?' : c);
		}
	}
}

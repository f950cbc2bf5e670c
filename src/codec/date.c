#include "codec/date.h"

#include "base/error.h"
#include "base/own.h"

enum { DAY_S = 86400, ZONE_MAX = 24 * 60 - 1, DATE_ROOM = 40 };

struct parts {
	unsigned year, month, day; /* month and day from 1 */
	unsigned hour, minute, second;
	int      zone_min;
};

static const struct str MONTHS[12] = {
	STR("Jan"), STR("Feb"), STR("Mar"), STR("Apr"), STR("May"), STR("Jun"),
	STR("Jul"), STR("Aug"), STR("Sep"), STR("Oct"), STR("Nov"), STR("Dec"),
};
static const struct str DAYS[7] = {
	STR("Sun"), STR("Mon"), STR("Tue"), STR("Wed"), STR("Thu"), STR("Fri"), STR("Sat"),
};
static const struct {
	struct str name;
	int        hours;
} ZONES[] = {
	{ STR("EDT"), -4 }, { STR("EST"), -5 }, { STR("CDT"), -5 }, { STR("CST"), -6 },
	{ STR("MDT"), -6 }, { STR("MST"), -7 }, { STR("PDT"), -7 }, { STR("PST"), -8 },
};

/* Days since 1970-01-01 in the Gregorian calendar, years counted from March so that the leap day
 * is the last of its year. */
static int64_t
days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t  y = month <= 2 ? year - 1 : year;
	int64_t  era = (y >= 0 ? y : y - 399) / 400;
	unsigned yoe = (unsigned)(y - era * 400);
	unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + (int64_t)(yoe * 365 + yoe / 4 - yoe / 100 + doy) - 719468;
}

static void
civil_of(int64_t days, struct parts *p)
{
	int64_t  z = days + 719468;
	int64_t  era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	p->day = doy - (153 * mp + 2) / 5 + 1;
	p->month = mp < 10 ? mp + 3 : mp - 9;
	p->year = (unsigned)(era * 400 + yoe + (p->month <= 2));
}

static unsigned
month_days(unsigned year, unsigned month)
{
	static const unsigned char N[12] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : N[month - 1];
}

static int
to_ms(const struct parts *p, int64_t *ret_ms)
{
	int64_t s;

	if (p->year < 1 || p->year > 9999 || p->month < 1 || p->month > 12 || p->day < 1 ||
	    p->day > month_days(p->year, p->month) || p->hour > 23 || p->minute > 59 ||
	    p->second > 60 || p->zone_min > ZONE_MAX || p->zone_min < -ZONE_MAX)
		return E_SYNTAX;
	s = days_of(p->year, p->month, p->day) * DAY_S + p->hour * 3600 + p->minute * 60;
	*ret_ms = (s + p->second - p->zone_min * 60) * 1000;
	return 0;
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int
clamp_zone(int zone_min)
{
	return zone_min > ZONE_MAX ? ZONE_MAX : zone_min < -ZONE_MAX ? -ZONE_MAX : zone_min;
}

/* What a clock in the zone shows; returns the day since 1970. */
static int64_t
from_ms(int64_t ms, int zone_min, struct parts *ret)
{
	int64_t local = floor_div(ms, 1000) + (int64_t)zone_min * 60;
	int64_t lo = days_of(1, 1, 1) * DAY_S, hi = days_of(10000, 1, 1) * DAY_S - 1;
	int64_t day;
	unsigned rest;

	local = local < lo ? lo : local > hi ? hi : local;
	day = floor_div(local, DAY_S);
	rest = (unsigned)(local - day * DAY_S);
	civil_of(day, ret);
	ret->hour = rest / 3600;
	ret->minute = rest / 60 % 60;
	ret->second = rest % 60;
	ret->zone_min = zone_min;
	return day;
}

int32_t
date_day(int64_t ms, int zone_min)
{
	struct parts p;

	return (int32_t)from_ms(ms, clamp_zone(zone_min), &p);
}

static char *
put_two(char *p, unsigned v)
{
	p[0] = (char)('0' + v / 10 % 10);
	p[1] = (char)('0' + v % 10);
	return p + 2;
}

static char *
put_word(char *p, struct str word)
{
	memcpy(p, word.p, word.n);
	return p + word.n;
}

/* "2024 09:05:00 +0100" */
static char *
put_time(char *p, const struct parts *t)
{
	unsigned zone = (unsigned)(t->zone_min < 0 ? -t->zone_min : t->zone_min);

	p = put_two(put_two(p, t->year / 100), t->year);
	*p++ = ' ';
	p = put_two(p, t->hour);
	*p++ = ':';
	p = put_two(p, t->minute);
	*p++ = ':';
	p = put_two(p, t->second);
	*p++ = ' ';
	*p++ = t->zone_min < 0 ? '-' : '+';
	return put_two(put_two(p, zone / 60), zone % 60);
}

void
date_put_rfc5322(struct buf *b, int64_t ms, int zone_min)
{
	struct parts t;
	int64_t      day = from_ms(ms, clamp_zone(zone_min), &t);
	char        *room = buf_room(b, DATE_ROOM), *p = room;

	if (p == NULL)
		return;
	p = put_word(put_word(p, DAYS[((day + 4) % 7 + 7) % 7]), STR(", "));
	if (t.day >= 10)
		*p++ = (char)('0' + t.day / 10);
	*p++ = (char)('0' + t.day % 10);
	*p++ = ' ';
	p = put_word(p, MONTHS[t.month - 1]);
	*p++ = ' ';
	buf_commit(b, (size_t)(put_time(p, &t) - room));
}

void
date_put_imap(struct buf *b, int64_t ms, int zone_min)
{
	struct parts t;
	char        *room = buf_room(b, DATE_ROOM), *p = room;

	if (p == NULL)
		return;
	from_ms(ms, clamp_zone(zone_min), &t);
	*p++ = t.day >= 10 ? (char)('0' + t.day / 10) : ' ';
	*p++ = (char)('0' + t.day % 10);
	*p++ = '-';
	p = put_word(p, MONTHS[t.month - 1]);
	*p++ = '-';
	buf_commit(b, (size_t)(put_time(p, &t) - room));
}

/* Digits at the front, at least lo and at most hi of them. */
static bool
take_number(struct str *s, size_t lo, size_t hi, unsigned *ret)
{
	unsigned v = 0;
	size_t   n = 0;

	while (n < hi && n < s->n && ascii_is_digit(s->p[n]))
		v = v * 10 + (unsigned)(s->p[n++] - '0');
	if (n < lo)
		return false;
	*s = str_skip(*s, n);
	*ret = v;
	return true;
}

static bool
take_byte(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

/* 1..12, or 0. */
static unsigned
month_of(struct str word)
{
	for (unsigned i = 0; i < 12; i++)
		if (str_istarts(word, MONTHS[i]))
			return i + 1;
	return 0;
}

static bool
take_imap_date(struct str *s, struct parts *p)
{
	if (!take_number(s, 1, 2, &p->day) || !take_byte(s, '-') || s->n < 3)
		return false;
	p->month = month_of(str_head(*s, 3));
	*s = str_skip(*s, 3);
	return p->month != 0 && take_byte(s, '-') && take_number(s, 4, 4, &p->year);
}

static bool
take_clock(struct str *s, struct parts *p)
{
	return take_number(s, 2, 2, &p->hour) && take_byte(s, ':') &&
	    take_number(s, 2, 2, &p->minute) && take_byte(s, ':') &&
	    take_number(s, 2, 2, &p->second);
}

int
date_parse_imap(struct str s, int64_t *ret_ms, int *ret_zone_min)
{
	struct parts p = { 0 };
	unsigned     hhmm;
	bool         west;

	take_byte(&s, ' ');
	if (!take_imap_date(&s, &p) || !take_byte(&s, ' ') || !take_clock(&s, &p) ||
	    !take_byte(&s, ' '))
		return E_SYNTAX;
	west = take_byte(&s, '-');
	if (!west && !take_byte(&s, '+'))
		return E_SYNTAX;
	if (!take_number(&s, 4, 4, &hhmm) || s.n != 0 || hhmm % 100 > 59)
		return E_SYNTAX;
	p.zone_min = (int)(hhmm / 100 * 60 + hhmm % 100) * (west ? -1 : 1);
	if (to_ms(&p, ret_ms) < 0)
		return E_SYNTAX;
	*ret_zone_min = p.zone_min;
	return 0;
}

int
date_parse_imap_day(struct str s, int32_t *ret_day)
{
	struct parts p = { 0 };
	int64_t      ms;

	if (!take_imap_date(&s, &p) || s.n != 0 || to_ms(&p, &ms) < 0)
		return E_SYNTAX;
	*ret_day = (int32_t)floor_div(ms, 1000 * (int64_t)DAY_S);
	return 0;
}

/* Blanks and comments; a comment without end takes the rest. RFC 5322 s3.2.2 */
static void
skip_cfws(struct str *s)
{
	size_t depth = 0, i = 0;

	for (; i < s->n; i++) {
		char c = s->p[i];

		if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (c == '\\' && depth > 0)
			i++;
		else if (depth == 0 && c != ' ' && c != '\t' && c != '\r' && c != '\n')
			break;
	}
	*s = str_skip(*s, i);
}

static void
skip_between(struct str *s)
{
	do
		skip_cfws(s);
	while (take_byte(s, ',') || take_byte(s, '-') || take_byte(s, '.') || take_byte(s, '/'));
}

static struct str
take_word(struct str *s)
{
	size_t     n = 0;
	struct str word;

	while (n < s->n && ascii_is_alpha(s->p[n]))
		n++;
	word = str_head(*s, n);
	*s = str_skip(*s, n);
	return word;
}

/* RFC 5322 s4.3: years of two and three digits. */
static bool
take_year(struct str *s, unsigned *ret)
{
	size_t had = s->n;

	if (!take_number(s, 2, 5, ret))
		return false;
	if (had - s->n == 2 && *ret < 50)
		*ret += 2000;
	else if (had - s->n <= 3)
		*ret += 1900;
	return true;
}

static bool
take_time(struct str *s, struct parts *p)
{
	struct str at = *s;

	if (!take_number(&at, 1, 2, &p->hour))
		return false;
	skip_cfws(&at);
	if (!take_byte(&at, ':'))
		return false;
	skip_cfws(&at);
	if (!take_number(&at, 1, 2, &p->minute))
		return false;
	*s = at;
	skip_cfws(&at);
	p->second = 0;
	if (!take_byte(&at, ':'))
		return true;
	skip_cfws(&at);
	if (!take_number(&at, 1, 2, &p->second))
		return true;
	if (take_byte(&at, '.'))
		while (at.n != 0 && ascii_is_digit(at.p[0]))
			at = str_skip(at, 1);
	*s = at;
	return true;
}

static void
take_zone(struct str *s, struct parts *p)
{
	struct str word;
	unsigned   hh, mm = 0;

	if (s->n != 0 && (s->p[0] == '+' || s->p[0] == '-')) {
		int sign = s->p[0] == '-' ? -1 : 1;

		*s = str_skip(*s, 1);
		if (!take_number(s, 1, 2, &hh))
			return;
		take_byte(s, ':');
		if (take_number(s, 2, 2, &mm) && mm < 60 && hh < 24)
			p->zone_min = sign * (int)(hh * 60 + mm);
		return;
	}
	word = take_word(s);
	for (size_t i = 0; i < ARRAY_LEN(ZONES); i++)
		if (str_ieq(word, ZONES[i].name))
			p->zone_min = ZONES[i].hours * 60;
}

/* After the month's name: "13 1999" or "13 23:32:54 PST 1999". */
static bool
take_month_first(struct str *s, struct parts *p)
{
	skip_between(s);
	if (!take_number(s, 1, 2, &p->day))
		return false;
	skip_between(s);
	if (!take_time(s, p))
		return take_year(s, &p->year);
	skip_cfws(s);
	if (s->n != 0 && !ascii_is_digit(s->p[0]))
		take_zone(s, p);
	skip_between(s);
	return take_year(s, &p->year);
}

/* After a number of four digits: "-02-13". */
static bool
take_year_first(struct str *s, struct parts *p)
{
	if (!take_byte(s, '-') || !take_number(s, 1, 2, &p->month) || !take_byte(s, '-') ||
	    !take_number(s, 1, 2, &p->day))
		return false;
	if (!take_byte(s, 'T'))
		skip_between(s);
	return true;
}

static bool
take_date(struct str *s, struct parts *p)
{
	struct str word;
	size_t     had;

	for (int words = 0; words < 2; words++) {
		skip_between(s);
		word = take_word(s);
		if (word.n == 0)
			break;
		p->month = month_of(word);
		if (p->month != 0)
			return take_month_first(s, p);
	}
	had = s->n;
	if (!take_number(s, 1, 4, &p->day))
		return false;
	if (had - s->n == 4) {
		p->year = p->day;
		return take_year_first(s, p);
	}
	skip_between(s);
	p->month = month_of(take_word(s));
	skip_between(s);
	return p->month != 0 && take_year(s, &p->year);
}

int
date_parse_rfc5322(struct str s, int64_t *ret_ms, int *ret_zone_min)
{
	struct parts p = { 0 };

	if (!take_date(&s, &p))
		return E_SYNTAX;
	skip_between(&s);
	if (take_time(&s, &p)) {
		skip_cfws(&s);
		take_zone(&s, &p);
	}
	if (to_ms(&p, ret_ms) < 0)
		return E_SYNTAX;
	*ret_zone_min = p.zone_min;
	return 0;
}

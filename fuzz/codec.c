/*
 * Fuzzer of codec/: mailbox names, dates, base64, quoted-printable, charsets, the search form.
 * The first byte chooses the charset and how the text is cut.
 *
 * Holds: what a strict decoder takes, the encoder gives back byte for byte; cutting changes
 * nothing; converted text is UTF-8.
 */

#include "fuzz.h"

#include "base/error.h"
#include "base/own.h"
#include "codec/base64.h"
#include "codec/casefold.h"
#include "codec/charset.h"
#include "codec/date.h"
#include "codec/mutf7.h"
#include "codec/qp.h"
#include "codec/utf8.h"

enum { OUT_MAX = 64 << 20 };

static void
fuzz_names(struct str s)
{
	OWN_BUF struct buf utf8 = BUF_INIT(OUT_MAX), back = BUF_INIT(OUT_MAX),
			   clean = BUF_INIT(OUT_MAX);

	if (mutf7_to_utf8(s, &utf8) == 0) {
		hold(utf8_valid(buf_view(&utf8)));
		mutf7_from_utf8(buf_view(&utf8), &back);
		hold(str_eq(buf_view(&back), s));
	}
	buf_reset(&back);
	buf_reset(&utf8);
	utf8_sanitize(s, &clean);
	hold(utf8_valid(buf_view(&clean)) && (!utf8_valid(s) || str_eq(buf_view(&clean), s)));
	mutf7_from_utf8(buf_view(&clean), &back);
	hold(mutf7_to_utf8(buf_view(&back), &utf8) == 0);
	hold(str_eq(buf_view(&utf8), buf_view(&clean)));
}

static void
fuzz_dates(struct str s)
{
	OWN_BUF struct buf b = BUF_INIT(200);
	int64_t            ms, back;
	int32_t            day;
	int                zone, zone_back;

	if (date_parse_rfc5322(s, &ms, &zone) == 0) {
		date_put_rfc5322(&b, ms, zone);
		hold(date_parse_rfc5322(buf_view(&b), &back, &zone_back) == 0);
		hold(back == ms && zone_back == zone);
		buf_reset(&b);
		date_put_imap(&b, ms, zone);
		hold(date_parse_imap(buf_view(&b), &back, &zone_back) == 0);
		hold(back == ms && zone_back == zone);
	}
	if (date_parse_imap(s, &ms, &zone) == 0)
		hold(date_day(ms, zone) >= -719528);
	if (date_parse_imap_day(s, &day) == 0)
		hold(day >= -719528);
}

static void
fuzz_base64(struct str s, size_t step)
{
	OWN_BUF struct buf    strict = BUF_INIT(OUT_MAX), back = BUF_INIT(OUT_MAX);
	OWN_BUF struct buf    whole = BUF_INIT(OUT_MAX), cut = BUF_INIT(OUT_MAX);
	struct base64_decoder d = { 0 };

	base64_decoder_feed(&d, s, &whole);
	base64_decoder_end(&d, &whole);
	for (size_t at = 0; at < s.n; at += step)
		base64_decoder_feed(&d, str_head(str_skip(s, at), step), &cut);
	base64_decoder_end(&d, &cut);
	hold(str_eq(buf_view(&whole), buf_view(&cut)));
	if (base64_decode(s, &strict) < 0)
		return;
	base64_encode(buf_view(&strict), &back);
	hold(str_eq(buf_view(&back), s) && str_eq(buf_view(&strict), buf_view(&whole)));
}

static void
fuzz_qp(struct str s, size_t step)
{
	OWN_BUF struct buf whole = BUF_INIT(OUT_MAX), cut = BUF_INIT(OUT_MAX),
			   coded = BUF_INIT(OUT_MAX);
	struct qp_decoder  d = { .n = 0 };

	qp_decoder_feed(&d, s, &whole);
	qp_decoder_end(&d, &whole);
	for (size_t at = 0; at < s.n; at += step)
		qp_decoder_feed(&d, str_head(str_skip(s, at), step), &cut);
	qp_decoder_end(&d, &cut);
	hold(str_eq(buf_view(&whole), buf_view(&cut)));
	qp_encode(s, &coded);
	buf_reset(&cut);
	qp_decoder_feed(&d, buf_view(&coded), &cut);
	qp_decoder_end(&d, &cut);
	hold(str_eq(buf_view(&cut), s));
}

static void
fuzz_charset(struct str name, struct str s, size_t step)
{
	OWN_BUF struct buf whole = BUF_INIT(OUT_MAX), cut = BUF_INIT(OUT_MAX),
			   folded = BUF_INIT(OUT_MAX);
	OWN(charset)       c = NULL;

	if (charset_open(name, &c) < 0)
		return;
	hold(charset_to_utf8(name, s, &whole) == 0 && utf8_valid(buf_view(&whole)));
	for (size_t at = 0; at < s.n; at += step)
		charset_feed(c, str_head(str_skip(s, at), step), &cut);
	charset_end(c, &cut);
	hold(str_eq(buf_view(&whole), buf_view(&cut)));
	casefold(buf_view(&whole), &folded);
	hold(folded.err == 0 && utf8_valid(buf_view(&folded)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str NAMES[] = { STR(""), STR("utf-8"), STR("windows-1252"),
		STR("iso-2022-jp"), STR("gb18030"), STR("big5"), STR("shift_jis"), STR("euc-kr"),
		STR("utf-7"), STR("utf-16"), STR("iso-2022-kr"), STR("hz-gb-2312"), STR("cp1258"),
		STR("utf-32"), STR("euc-jp"), STR("koi8-r") };
	struct str s = str_of((const char *)data + 1, size - 1), text = s;
	size_t     step;

	if (size == 0)
		return 0;
	step = 1 + (size_t)(data[0] >> 4);
	fuzz_names(s);
	fuzz_dates(s);
	fuzz_base64(s, step);
	fuzz_qp(s, step);
	fuzz_charset(NAMES[data[0] & 15], s, step);
	fuzz_charset(str_cut(&text, '\n'), text, step);
	return 0;
}

/*
 * The grammar of SMTP on any bytes: command lines, the end of DATA, the edit of a header. The first
 * byte chooses, and cuts the rest in chunks; the result must not depend on where it is cut.
 */

#include "fuzz.h"

#include "base/buf.h"
#include "base/own.h"
#include "proto/smtp.h"
#include "proto/smtp_data.h"
#include "proto/smtp_header.h"

static void
fuzz_lines(struct str text)
{
	static smtp_parse_fn *const PARSERS[] = { smtp_parse_none, smtp_parse_any, smtp_parse_host,
		smtp_parse_mail, smtp_parse_rcpt, smtp_parse_bdat, smtp_parse_auth };

	while (text.n != 0) {
		struct str             verb, args, line = str_cut(&text, '\n');
		OWN_ARENA struct arena a = ARENA_INIT(1 << 20);
		union smtp_args        parsed;

		smtp_split(line, &verb, &args);
		for (size_t i = 0; i < ARRAY_LEN(PARSERS); i++)
			PARSERS[i](args, &a, &parsed);
		if (smtp_parse_mail(args, &a, &parsed) == 0 && parsed.mail.path.address.n != 0)
			hold(parsed.mail.path.address.n <= args.n);
	}
}

/* --- DATA --- */

struct data_result {
	struct buf message;
	size_t     used;
	bool       bare, ended;
};

static void
read_data(struct str wire, size_t step, struct data_result *ret)
{
	struct smtp_data d = { 0 };

	*ret = (struct data_result){ .message = BUF_INIT(8 << 20) };
	while (ret->used < wire.n && d.at != SMTP_DATA_END) {
		struct str chunk = str_head(str_skip(wire, ret->used), step), left = chunk;

		while (left.n > 0 && d.at != SMTP_DATA_END)
			buf_str(&ret->message, smtp_data_next(&d, &left));
		ret->used += chunk.n - left.n;
	}
	ret->bare = d.bare;
	ret->ended = d.at == SMTP_DATA_END;
}

/* The end as RFC 5321 s4.1.1.4 has it, found in the plainest way. */
static size_t
plain_end(struct str wire)
{
	size_t at;

	if (str_starts(wire, STR(".\r\n")))
		return 3;
	at = str_find(wire, STR("\r\n.\r\n"));
	return at == wire.n ? wire.n : at + 5;
}

static void
fuzz_data(struct str wire, size_t step)
{
	struct data_result whole, cut;

	read_data(wire, wire.n, &whole);
	read_data(wire, step, &cut);
	hold(whole.used == cut.used && whole.used == plain_end(wire));
	hold(whole.bare == cut.bare && whole.ended == cut.ended);
	if (!whole.bare)
		hold(str_eq(buf_view(&whole.message), buf_view(&cut.message)));
	buf_done(&whole.message);
	buf_done(&cut.message);
}

/* --- the header --- */

static int
keep(void *arg, struct str s)
{
	buf_str(arg, s);
	return 0;
}

static void
edit(struct str text, size_t step, bool submission, struct buf *to)
{
	static const struct smtp_header_edit SUBMISSION = {
		.drop_bcc = true,
		.date = { "Date: D\r\n", 9 },
		.message_id = { "Message-ID: M\r\n", 15 },
	};
	static const struct smtp_header_edit RELAY = { 0 };
	struct smtp_header                   h;

	smtp_header_init(&h, submission ? &SUBMISSION : &RELAY, keep, to);
	for (size_t off = 0; off < text.n; off += step)
		smtp_header_feed(&h, str_head(str_skip(text, off), step));
	smtp_header_end(&h);
}

static void
fuzz_header(struct str text, size_t step)
{
	OWN_BUF struct buf whole = BUF_INIT(8 << 20), cut = BUF_INIT(8 << 20);
	OWN_BUF struct buf same = BUF_INIT(8 << 20);

	edit(text, text.n, true, &whole);
	edit(text, step, true, &cut);
	hold(str_eq(buf_view(&whole), buf_view(&cut)));
	edit(text, step, false, &same);
	hold(str_eq(buf_view(&same), text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct str text;
	size_t     step;

	if (n < 2)
		return 0;
	text = str_of((const char *)bytes + 1, n - 1);
	step = (size_t)(bytes[0] >> 2) + 1;
	switch (bytes[0] & 3) {
	case 0:
		fuzz_lines(text);
		break;
	case 1:
		fuzz_data(text, step);
		break;
	default:
		fuzz_header(text, step);
	}
	return 0;
}

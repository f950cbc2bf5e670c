/* APPEND. RFC 9051 s6.3.12, RFC 3502 (several messages), RFC 6855 s4 (UTF8) */
#include "base/error.h"
#include "codec/date.h"
#include "proto/imap_read.h"

static void
read_date_time(struct imap_reader *r, struct imap_append *append)
{
	struct str text = ir_string(r);
	int        zone_min = 0;

	if (r->err == 0 && date_parse_imap(text, &append->date_ms, &zone_min) < 0)
		ir_fail(r, "bad date-time");
	append->zone_min = (int16_t)zone_min;
	append->has_date = true;
}

/* "{310}" and the line's end: all of what is left. Its bytes never come here. */
static void
read_message_literal(struct imap_reader *r, struct imap_append *append)
{
	append->binary = ir_take(r, '~');
	if (!ir_take(r, '{'))
		ir_missing(r, "message literal expected");
	ir_u64(r);
	ir_take(r, '+');
	if (!ir_take(r, '}'))
		ir_missing(r, "message literal expected");
}

/* [SP flag-list] [SP date-time] SP literal */
static void
read_message(struct imap_reader *r, struct imap_append *append)
{
	ir_sp(r);
	if (ir_peek(r, '(')) {
		ir_flags(r, false, &append->flags);
		ir_sp(r);
	}
	if (ir_peek(r, '"')) {
		read_date_time(r, append);
		ir_sp(r);
	}
	append->utf8 = ir_take_word(r, STR("UTF8"));
	if (append->utf8) {
		ir_skip_sp(r);
		ir_open(r, "'(' expected after UTF8");
	}
	read_message_literal(r, append);
	/* Nobody can set it, but clients copy the flags they were shown. */
	append->flags.system &= ~(unsigned)IMAP_FLAG_RECENT;
}

int
imap_parse_append(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	args.append.mailbox = ir_mailbox(r);
	read_message(r, &args.append);
	return ir_finish(r, &args, ret);
}

int
imap_parse_append_next(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_take(r, ')');
	args.append.last = ir_at_end(r);
	if (!args.append.last)
		read_message(r, &args.append);
	return ir_finish(r, &args, ret);
}

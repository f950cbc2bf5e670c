/* The commands about mailboxes. RFC 9051 s6.3 */
#include "base/error.h"
#include "proto/imap_read.h"

enum { USE_MAX = 50, PATTERNS_MAX = 100 };

int
imap_parse_mailbox(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	args.mailbox = ir_mailbox(r);
	return ir_finish(r, &args, ret);
}

int
imap_parse_select(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	args.select.mailbox = ir_mailbox(r);
	ir_skip_sp(r);
	if (ir_take(r, '('))
		while (ir_more(r)) {
			/* RFC 7162 s3.1.8 */
			if (!ir_take_word(r, STR("CONDSTORE")))
				ir_fail(r, "unknown SELECT parameter");
			args.select.condstore = true;
		}
	return ir_finish(r, &args, ret);
}

/* use-attr, "\Sent" */
static struct str
read_use(struct imap_reader *r)
{
	struct str s = r->left;

	if (!ir_take(r, '\\'))
		ir_missing(r, "special use expected");
	return str_head(s, 1 + ir_atom(r).n);
}

int
imap_parse_create(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	args.create.mailbox = ir_mailbox(r);
	ir_skip_sp(r);
	if (ir_take(r, '('))
		while (ir_more(r)) {
			/* RFC 6154 s3 */
			if (!ir_take_word(r, STR("USE")))
				ir_fail(r, "unknown CREATE parameter");
			ir_skip_sp(r);
			ir_open(r, "list of special uses expected");
			while (ir_more(r))
				ir_strs_add(r, &args.create.use, read_use(r), USE_MAX);
		}
	return ir_finish(r, &args, ret);
}

int
imap_parse_rename(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	args.rename.from = ir_mailbox(r);
	ir_sp(r);
	args.rename.to = ir_mailbox(r);
	return ir_finish(r, &args, ret);
}

int
imap_parse_status(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	args.status.mailbox = ir_mailbox(r);
	ir_sp(r);
	args.status.items = ir_status_items(r);
	return ir_finish(r, &args, ret);
}

/* --- LIST --- */

static const struct imap_name SELECT_OPTIONS[] = {
	{ STR("SUBSCRIBED"), IMAP_LIST_SUBSCRIBED },
	{ STR("REMOTE"), IMAP_LIST_REMOTE },
	{ STR("RECURSIVEMATCH"), IMAP_LIST_RECURSIVEMATCH },
	{ STR("SPECIAL-USE"), IMAP_LIST_SPECIAL_USE },
};

static void
read_list_select(struct imap_reader *r, struct imap_args *args)
{
	const struct imap_name *row;
	unsigned                base = IMAP_LIST_SUBSCRIBED | IMAP_LIST_SPECIAL_USE;

	args->list.extended = ir_take(r, '(');
	if (!args->list.extended)
		return;
	while (ir_more(r)) {
		row = ir_name_find(SELECT_OPTIONS, ARRAY_LEN(SELECT_OPTIONS), ir_word(r));
		if (row == NULL)
			ir_fail(r, "unknown LIST selection option");
		else
			args->list.select |= row->value;
	}
	/* RFC 9051 s6.3.9.1 */
	if ((args->list.select & IMAP_LIST_RECURSIVEMATCH) != 0 && (args->list.select & base) == 0)
		ir_fail(r, "RECURSIVEMATCH needs another selection option");
	ir_sp(r);
}

static void
read_list_patterns(struct imap_reader *r, struct imap_args *args)
{
	if (!ir_take(r, '(')) {
		ir_strs_add(r, &args->list.patterns, ir_pattern(r), PATTERNS_MAX);
		return;
	}
	args->list.extended = true;
	while (ir_more(r))
		ir_strs_add(r, &args->list.patterns, ir_pattern(r), PATTERNS_MAX);
}

static const struct imap_name RETURN_OPTIONS[] = {
	{ STR("SUBSCRIBED"), IMAP_LIST_SUBSCRIBED },
	{ STR("CHILDREN"), IMAP_LIST_CHILDREN },
	{ STR("SPECIAL-USE"), IMAP_LIST_SPECIAL_USE },
	{ STR("STATUS"), IMAP_LIST_STATUS },
};

static void
read_list_return(struct imap_reader *r, struct imap_args *args)
{
	const struct imap_name *row;

	args->list.extended = true;
	ir_skip_sp(r);
	ir_open(r, "list of return options expected");
	while (ir_more(r)) {
		row = ir_name_find(RETURN_OPTIONS, ARRAY_LEN(RETURN_OPTIONS), ir_word(r));
		if (row == NULL) {
			ir_fail(r, "unknown LIST return option");
			return;
		}
		args->list.returns |= row->value;
		if (row->value == IMAP_LIST_STATUS) {
			ir_skip_sp(r);
			args->list.status = ir_status_items(r);
		}
	}
}

int
imap_parse_list(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	read_list_select(r, &args);
	args.list.reference = ir_pattern(r);
	ir_sp(r);
	read_list_patterns(r, &args);
	ir_skip_sp(r);
	if (ir_take_word(r, STR("RETURN")))
		read_list_return(r, &args);
	return ir_finish(r, &args, ret);
}

int
imap_parse_lsub(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	args.list.reference = ir_pattern(r);
	ir_sp(r);
	ir_strs_add(r, &args.list.patterns, ir_pattern(r), PATTERNS_MAX);
	return ir_finish(r, &args, ret);
}

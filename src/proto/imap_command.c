#include "proto/imap.h"

#include "base/error.h"
#include "proto/imap_read.h"

enum { TAG_MAX = 1000, ID_FIELDS_MAX = 100, ENABLE_MAX = 100 };

void
imap_reader_init(struct imap_reader *r, struct str text, struct arena *a)
{
	*r = (struct imap_reader){ .left = text, .arena = a };
}

/* tag: ASTRING-CHAR except "+" */
static bool
is_tag(char c)
{
	return c > ' ' && c < 0x7f && strchr("(){%*\"\\+", c) == NULL;
}

struct str
imap_tag_of(struct str text)
{
	size_t n = 0;

	while (n < text.n && n <= TAG_MAX && is_tag(text.p[n]))
		n++;
	if (n > TAG_MAX || n == text.n)
		return STR_NONE;
	if (text.p[n] != ' ' && text.p[n] != '\r' && text.p[n] != '\n')
		return STR_NONE;
	return str_head(text, n);
}

int
imap_read_head(struct imap_reader *r, struct imap_head *ret)
{
	struct imap_head head = { .tag = imap_tag_of(r->left) };

	ret->tag = head.tag;
	if (head.tag.n == 0)
		ir_fail(r, "tag missing or bad");
	r->left = str_skip(r->left, head.tag.n);
	ir_sp(r);
	head.uid = ir_take_word(r, STR("UID"));
	if (head.uid)
		ir_sp(r);
	head.name = ir_atom(r);
	if (r->err < 0) {
		r->what = head.tag.n == 0 ? r->what : "command name missing or bad";
		return r->err;
	}
	*ret = head;
	return 0;
}

int
imap_parse_none(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	return ir_finish(r, &args, ret);
}

/* RFC 2971 s3.1, and near misses of it: no list at all, "()", atoms, a name without a value. */
int
imap_parse_id(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };
	struct str       value;

	ir_skip_sp(r);
	if (!ir_take(r, '(')) {
		ir_take_word(r, STR("NIL"));
		return ir_finish(r, &args, ret);
	}
	while (ir_more(r)) {
		ir_strs_add(r, &args.id.names, ir_nstring(r), ID_FIELDS_MAX);
		ir_skip_sp(r);
		value = ir_peek(r, ')') ? STR_NONE : ir_nstring(r);
		ir_strs_add(r, &args.id.values, value, ID_FIELDS_MAX);
	}
	return ir_finish(r, &args, ret);
}

int
imap_parse_enable(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	do {
		ir_sp(r);
		ir_strs_add(r, &args.words, ir_atom(r), ENABLE_MAX);
	} while (!ir_at_end(r));
	return ir_finish(r, &args, ret);
}

int
imap_parse_login(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	args.login.user = ir_astring(r);
	ir_sp(r);
	args.login.password = ir_astring(r);
	return ir_finish(r, &args, ret);
}

int
imap_parse_authenticate(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };
	struct str       initial;

	ir_sp(r);
	args.authenticate.mechanism = ir_astring(r);
	if (!ir_at_end(r)) {
		ir_sp(r);
		initial = ir_astring(r);
		args.authenticate.has_initial = true;
		args.authenticate.initial = str_eq(initial, STR("=")) ? STR_NONE : initial;
	}
	return ir_finish(r, &args, ret);
}

int
imap_parse_uid_expunge(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	ir_set(r, &args.set);
	return ir_finish(r, &args, ret);
}

int
imap_parse_copy(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	ir_set(r, &args.copy.set);
	ir_sp(r);
	args.copy.mailbox = ir_mailbox(r);
	return ir_finish(r, &args, ret);
}

/* "(UNCHANGEDSINCE 5) ", RFC 7162 s3.1.3 */
static void
read_store_modifiers(struct imap_reader *r, struct imap_args *args)
{
	if (!ir_take(r, '('))
		return;
	while (ir_more(r)) {
		if (!ir_take_word(r, STR("UNCHANGEDSINCE")))
			ir_fail(r, "unknown STORE modifier");
		ir_sp(r);
		args->store.has_unchanged_since = true;
		args->store.unchanged_since = ir_u64(r);
	}
	ir_sp(r);
}

int
imap_parse_store(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	ir_set(r, &args.store.set);
	ir_sp(r);
	read_store_modifiers(r, &args);
	args.store.op = ir_take(r, '+') ? IMAP_STORE_ADD
	    : ir_take(r, '-')            ? IMAP_STORE_REMOVE
	                                   : IMAP_STORE_REPLACE;
	args.store.silent = ir_take_word(r, STR("FLAGS.SILENT"));
	if (!args.store.silent && !ir_take_word(r, STR("FLAGS")))
		ir_missing(r, "FLAGS or FLAGS.SILENT expected");
	ir_sp(r);
	ir_flags(r, true, &args.store.flags);
	if ((args.store.flags.system & IMAP_FLAG_RECENT) != 0)
		ir_fail(r, "\\Recent cannot be changed");
	return ir_finish(r, &args, ret);
}

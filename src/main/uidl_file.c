#include "main/uidl_file.h"

#include "base/error.h"
#include "store/uidl.h"

enum column { UID, UIDL, GUID, MESSAGE_ID, COLUMNS };
enum { TAB_COLUMNS_MAX = 64 };

static const char *const NAMES[COLUMNS] = { "uid", "pop3.uidl", "guid", "hdr.message-id" };

static enum column
column_of(struct str name)
{
	enum column c = 0;

	while (c < COLUMNS && !str_eq(name, str_c(NAMES[c])))
		c++;
	return c;
}

static struct str
take_line(struct str *text)
{
	struct str line = str_cut(text, '\n');

	return str_ends(line, STR("\r")) ? str_head(line, line.n - 1) : line;
}

/* --- the two forms --- */

static void
read_tab_names(struct str line, enum column *columns)
{
	for (size_t i = 0; i < TAB_COLUMNS_MAX; i++)
		columns[i] = line.n > 0 ? column_of(str_cut(&line, '\t')) : COLUMNS;
}

static bool
has_column(const enum column *columns, enum column c)
{
	for (size_t i = 0; i < TAB_COLUMNS_MAX; i++)
		if (columns[i] == c)
			return true;
	return false;
}

static void
split_tab(struct str line, const enum column *columns, struct str *values)
{
	for (size_t i = 0; i < TAB_COLUMNS_MAX && line.n > 0; i++) {
		struct str value = str_cut(&line, '\t');

		if (columns[i] < COLUMNS)
			values[columns[i]] = value;
	}
}

/* The first of a name counts: a Message-ID may have blanks, and anything behind them. */
static void
split_flow(struct str line, struct str *values)
{
	while (line.n > 0) {
		struct str  value = str_cut(&line, ' '), name = str_cut(&value, '=');
		enum column c = column_of(name);

		if (c < COLUMNS && values[c].p == NULL)
			values[c] = value;
	}
}

static bool
is_flow(struct str line)
{
	struct str values[COLUMNS] = { 0 };

	if (str_find_byte(line, '\t') < line.n)
		return false;
	split_flow(line, values);
	return values[MESSAGE_ID].p != NULL;
}

bool
uidl_file_is_doveadm(struct str text)
{
	enum column columns[TAB_COLUMNS_MAX];
	struct str  first = take_line(&text);

	read_tab_names(first, columns);
	return has_column(columns, MESSAGE_ID) || is_flow(first);
}

/* --- lines --- */

static const char *
missing(char variable)
{
	switch (variable) {
	case 'u':
		return "the UIDL needs %u: fetch the field uid";
	case 'v':
		return "the UIDL needs %v: say --uidvalidity";
	case 'g':
		return "the UIDL needs %g: fetch the field guid";
	case 'f':
		return "the UIDL needs a file name (%f): import the Maildir itself";
	default:
		return "the UIDL needs a header's MD5 (%m): import the mbox itself";
	}
}

/* NULL, or what is wrong. */
static const char *
make_uidl(const struct uidl_file *f, const struct str *values, struct buf *uidl)
{
	struct uidl_facts facts = { .uidvalidity = f->uidvalidity, .guid = values[GUID] };
	char              variable;
	int               r = 0;

	if (values[UIDL].n != 0) {
		buf_str(uidl, values[UIDL]);
	} else {
		if (str_to_u32(values[UID], &facts.uid) < 0)
			facts.uid = 0;
		r = uidl_format_expand(f->format, &facts, uidl, &variable);
	}
	if (r == E_NOT_FOUND)
		return missing(variable);
	if (r < 0 || uidl->err < 0 || !uidl_is_valid(buf_view(uidl)))
		return "not a UIDL: 1 to 70 visible ASCII characters";
	return NULL;
}

static void
put_line(const struct uidl_file *f, size_t line, const struct str *values, struct buf *to)
{
	OWN_BUF struct buf uidl = BUF_INIT(64 << 10);
	struct str         id = str_trim(values[MESSAGE_ID]);
	const char        *why = "no Message-ID";

	if (id.n != 0)
		why = make_uidl(f, values, &uidl);
	if (why != NULL) {
		f->bad(f->arg, line, why);
		return;
	}
	buf_str(to, buf_view(&uidl));
	buf_byte(to, '\t');
	buf_str(to, id);
}

int
uidl_file_convert(const struct uidl_file *f, struct str text, struct buf *to)
{
	enum column columns[TAB_COLUMNS_MAX];
	struct str  left = text;
	bool        flow = is_flow(take_line(&left));

	left = text;
	if (!flow) {
		read_tab_names(take_line(&left), columns);
		buf_byte(to, '\n');
	}
	for (size_t line = flow ? 1 : 2; left.n > 0; line++) {
		struct str values[COLUMNS] = { 0 }, raw = take_line(&left);

		if (flow)
			split_flow(raw, values);
		else
			split_tab(raw, columns, values);
		if (str_trim(raw).n != 0)
			put_line(f, line, values, to);
		buf_byte(to, '\n');
	}
	return to->err;
}

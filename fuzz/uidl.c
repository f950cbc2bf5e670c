/*
 * Fuzzes what moving in reads: main/uidlist.h, main/uidl_file.h, main/uidl_format.h and the mbox of
 * main/import_files.h. The first byte says which; behind it a line is the format, the rest the
 * file.
 */

#include "fuzz.h"

#include "base/error.h"
#include "base/own.h"
#include "main/import_walk.h"
#include "main/uidl_file.h"
#include "main/uidlist.h"
#include "store/uidl.h"

static size_t
count_lines(struct str text)
{
	size_t n = 0;

	for (; text.n > 0; n++)
		str_cut(&text, '\n');
	return n;
}

static void
is_inside(struct str part, struct str whole)
{
	hold(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

static void
on_bad(void *arg, size_t line, const char *why)
{
	const size_t *lines = arg;

	hold(line >= 1 && line <= *lines && why != NULL);
}

/* --- dovecot-uidlist --- */

static void
check_entry(const struct uidlist *list, size_t i, struct str text)
{
	const struct uidlist_entry *e = list->sorted[i], *before = i > 0 ? list->sorted[i - 1] : e;

	hold(e->uid != 0 && e->name.n != 0 && e->file == NULL);
	hold(before->order <= e->order);
	hold(before->order != e->order || before->uid <= e->uid);
	hold(uidlist_find(list, e->name) == e);
	is_inside(e->name, text);
	is_inside(e->uidl, text);
	is_inside(e->guid, text);
}

static void
read_list(struct str text)
{
	OWN_ARENA struct arena a = ARENA_INIT(1 << 24);
	size_t                 lines = count_lines(text);
	struct uidlist         list;

	if (uidlist_read(text, &a, on_bad, &lines, &list) == 0) {
		hold(list.n < lines);
		for (size_t i = 0; i < list.n; i++)
			check_entry(&list, i, text);
	}
	uidlist_done(&list);
}

/* --- what doveadm prints --- */

static void
read_file(struct str format, struct str text)
{
	OWN_BUF struct buf made = BUF_INIT(1 << 24);
	size_t             lines = count_lines(text), at, n = 0;
	struct uidl_file   f = {
		.format = format, .uidvalidity = 7, .bad = on_bad, .arg = &lines
	};
	struct str left;

	if (uidl_format_check(format, &at) < 0 || !uidl_file_is_doveadm(text))
		return;
	hold(uidl_file_convert(&f, text, &made) == 0);
	left = buf_view(&made);
	for (; left.n > 0; n++) {
		struct str line = str_cut(&left, '\n');

		hold(line.n == 0 || uidl_is_valid(str_cut(&line, '\t')));
	}
	hold(n == lines);
}

/* --- formats --- */

static void
expand(struct str format, struct str name)
{
	const struct uidl_facts facts = { 4711, 1795342244, name, name, name };
	OWN_BUF struct buf      uidl = BUF_INIT(1 << 20);
	size_t                  at = 0;
	char                    variable;
	int                     checked = uidl_format_check(format, &at);
	int                     r = uidl_format_expand(format, &facts, &uidl, &variable);

	hold(at <= format.n);
	if (checked == 0)
		hold(r != E_SYNTAX);
	if (r == E_NOT_FOUND)
		hold(uidl_format_uses(format, variable));
}

/* --- mbox --- */

static int
on_message(void *arg, const char *path, const struct import_message *m)
{
	(void)arg;
	(void)path;
	hold(m->uidl.n == 0 || uidl_is_valid(m->uidl));
	return 0;
}

static void
on_problem(void *arg, const char *path, const char *what)
{
	(void)arg;
	(void)path;
	(void)what;
}

static void
on_doubt(void *arg, const char *path, size_t line, const char *what)
{
	(void)line;
	on_problem(arg, path, what);
}

static void
read_mbox(struct str format, struct str text)
{
	struct import im = {
		.take = on_message,
		.problem = on_problem,
		.doubt = on_doubt,
		.uidl = { .format = format, .given = true, .from_header = format.n % 2 == 0 },
	};
	size_t at;

	if (uidl_format_check(format, &at) == 0)
		hold(import_mbox(&im, "fuzz", text) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_of((const char *)data, size), format;
	char       kind;

	if (in.n == 0)
		return 0;
	kind = in.p[0];
	in = str_skip(in, 1);
	if (kind == 'l') {
		read_list(in);
		return 0;
	}
	format = str_cut(&in, '\n');
	if (kind == 'f')
		read_file(format, in);
	else if (kind == 'x')
		expand(format, in);
	else
		read_mbox(format, in);
	return 0;
}

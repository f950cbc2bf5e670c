#include "main/uidlist.h"

#include <stdlib.h>

#include "base/error.h"

struct reader {
	struct uidlist *list;
	unsigned        version;
	size_t          line;
	void          (*bad)(void *arg, size_t line, const char *why);
	void           *arg;
};

struct str
uidlist_base(struct str file)
{
	return str_head(file, str_find_byte(file, ':'));
}

static int
read_header(struct str line, unsigned *ret_version, uint32_t *ret_uidvalidity)
{
	struct str version = str_cut(&line, ' '), field;

	if (str_eq(version, STR("1"))) {
		*ret_version = 1;
		return str_to_u32(str_cut(&line, ' '), ret_uidvalidity);
	}
	if (!str_eq(version, STR("3")))
		return E_SYNTAX;
	*ret_version = 3;
	while (line.n > 0) {
		field = str_cut(&line, ' ');
		if (str_starts(field, STR("V")))
			return str_to_u32(str_skip(field, 1), ret_uidvalidity);
	}
	return E_SYNTAX;
}

/* One field of version 3, its letter first. */
static const char *
read_field(struct str field, struct uidlist_entry *e)
{
	struct str value = str_skip(field, 1);

	switch (field.n != 0 ? field.p[0] : ' ') {
	case 'P':
		e->has_uidl = true;
		e->uidl = value;
		return NULL;
	case 'G':
		e->guid = value;
		return NULL;
	case 'O':
		return str_to_u32(value, &e->order) < 0 ? "O without a number" : NULL;
	default:
		return NULL;
	}
}

/* NULL, or what is wrong. */
static const char *
read_entry(const struct reader *rd, struct str line, struct uidlist_entry *e)
{
	const char *why = NULL;

	if (str_to_u32(str_cut(&line, ' '), &e->uid) < 0 || e->uid == 0)
		return "no UID";
	while (rd->version == 3 && why == NULL && line.n > 0 && line.p[0] != ':')
		why = read_field(str_cut(&line, ' '), e);
	if (why != NULL)
		return why;
	if (rd->version == 3)
		line = str_skip(line, 1);
	e->name = uidlist_base(line);
	if (e->name.n == 0 || str_find_byte(e->name, '/') < e->name.n ||
	    str_find_byte(e->name, '\0') < e->name.n)
		return "no file name";
	return NULL;
}

static int
read_line(struct reader *rd, struct str line)
{
	struct uidlist       *list = rd->list;
	struct uidlist_entry *e = &list->e[list->n], *before;
	const char           *why;

	*e = (struct uidlist_entry){ .order = UINT32_MAX };
	if (line.n == 0)
		return 0;
	why = read_entry(rd, line, e);
	if (why != NULL) {
		rd->bad(rd->arg, rd->line, why);
		return 0;
	}
	before = map_get(&list->by_name, e->name);
	if (before != NULL) {
		rd->bad(rd->arg, rd->line, "the file stood in an earlier line: this one counts");
		*before = *e;
		return 0;
	}
	list->n++;
	return map_put(&list->by_name, e->name, e);
}

static int
in_order(const void *a, const void *b)
{
	const struct uidlist_entry *const *x = a, *const *y = b;

	if ((*x)->order != (*y)->order)
		return (*x)->order < (*y)->order ? -1 : 1;
	return (*x)->uid < (*y)->uid ? -1 : (*x)->uid > (*y)->uid;
}

static int
sort(struct uidlist *list, struct arena *a)
{
	list->sorted = arena_alloc(a, (list->n + 1) * sizeof(struct uidlist_entry *));
	if (list->sorted == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < list->n; i++)
		list->sorted[i] = &list->e[i];
	qsort(list->sorted, list->n, sizeof(struct uidlist_entry *), in_order);
	return 0;
}

int
uidlist_read(struct str text, struct arena *a, void (*bad)(void *arg, size_t line,
    const char *why), void *arg, struct uidlist *ret)
{
	struct reader rd = { .list = ret, .line = 1, .bad = bad, .arg = arg };
	size_t        lines = 0;
	int           r;

	*ret = (struct uidlist){ 0 };
	map_init(&ret->by_name);
	r = read_header(str_cut(&text, '\n'), &rd.version, &ret->uidvalidity);
	if (r < 0)
		return E_SYNTAX;
	for (struct str left = text; left.n > 0; lines++)
		str_cut(&left, '\n');
	ret->e = arena_alloc(a, (lines + 1) * sizeof(*ret->e));
	if (ret->e == NULL)
		return E_NOMEM;
	while (r == 0 && text.n > 0) {
		rd.line++;
		r = read_line(&rd, str_cut(&text, '\n'));
	}
	return r < 0 ? r : sort(ret, a);
}

void
uidlist_done(struct uidlist *list)
{
	map_done(&list->by_name);
}

struct uidlist_entry *
uidlist_find(const struct uidlist *list, struct str file)
{
	return map_get(&list->by_name, uidlist_base(file));
}

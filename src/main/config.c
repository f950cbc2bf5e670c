#include "main/config.h"

#include <errno.h>
#include <ini.h>
#include <unistd.h>

#include "base/error.h"

const char *const LISTENER_NAMES[LISTENER_COUNT] = { "smtp", "lmtp", "submission", "submissions",
	"imap", "imaps", "pop3", "pop3s" };

enum type { TYPE_TEXT, TYPE_PATH, TYPE_CHOICE, TYPE_LIST, TYPE_NUMBER, TYPE_SIZE, TYPE_TIME };

struct row {
	const char *section, *key;
	enum type   type;
	size_t      offset;
	const char *fallback;
	const char *help;
};

static const struct row ROWS[] = {
#define C(section, key, type, member, fallback, help)                                              \
	{ #section, #key, TYPE_##type, offsetof(struct config, member), fallback, help },
#include "main/config.def"
#undef C
};

/* The members have the types of their rows. */
#define C(section, key, type, member, fallback, help)                                              \
	_Static_assert(__builtin_types_compatible_p(                                               \
			   CONFIG_TYPE_##type, __typeof__(((struct config *)0)->member)),          \
	    #section "." #key);
#include "main/config.def"
#undef C

struct unit {
	const char *name;
	uint64_t    factor;
};
static const struct unit SIZE_UNITS[] = { { "", 1 }, { "k", 1 << 10 }, { "M", 1 << 20 },
	{ "G", 1 << 30 } };
static const struct unit TIME_UNITS[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 },
	{ "h", 3600000 }, { "d", 86400000 } };

enum listener
listener_by_name(struct str name)
{
	int i = 0;

	while (i < LISTENER_COUNT && !str_eq(name, str_c(LISTENER_NAMES[i])))
		i++;
	return (enum listener)i;
}

static int
parse_with_unit(struct str text, const struct unit *units, size_t n_units, uint64_t *ret)
{
	size_t   digits = 0;
	uint64_t v;

	while (digits < text.n && ascii_is_digit(text.p[digits]))
		digits++;
	if (str_to_u64(str_head(text, digits), &v) < 0)
		return E_SYNTAX;
	for (size_t i = 0; i < n_units; i++) {
		if (!str_ieq(str_skip(text, digits), str_c(units[i].name)))
			continue;
		if (__builtin_mul_overflow(v, units[i].factor, &v) || v > INT64_MAX)
			return E_SYNTAX;
		*ret = v;
		return 0;
	}
	return v == 0 && digits == text.n ? (*ret = 0, 0) : E_SYNTAX;
}

static int
parse_list(struct str text, struct arena *a, struct str_list *ret)
{
	struct str_list list = { 0 };

	while (text.n > 0) {
		size_t     n = 0;
		struct str word;

		while (n < text.n && text.p[n] != ' ' && text.p[n] != '\t' && text.p[n] != ',')
			n++;
		word = str_head(text, n);
		text = str_skip(text, n + 1);
		if (word.n == 0)
			continue;
		list.s = arena_grow(a, list.s, list.n * sizeof(word), (list.n + 1) * sizeof(word));
		if (list.s == NULL || arena_dup(a, word, &list.s[list.n]) < 0)
			return E_NOMEM;
		list.n++;
	}
	*ret = list;
	return 0;
}

/* The words of a CHOICE stand in the help's parentheses. */
static bool
is_choice(struct str text, const char *help)
{
	struct str words = str_c(help);

	words = str_skip(words, str_find_byte(words, '(') + 1);
	words = str_head(words, str_find_byte(words, ')'));
	while (words.n > 0)
		if (str_eq(str_cut(&words, ' '), text))
			return true;
	return false;
}

static int
set(struct config *c, const struct row *row, struct str text, struct arena *a)
{
	void *member = (char *)c + row->offset;

	switch (row->type) {
	case TYPE_CHOICE:
		if (!is_choice(text, row->help))
			return E_SYNTAX;
		return arena_dup(a, text, member);
	case TYPE_TEXT:
	case TYPE_PATH:
		return arena_dup(a, text, member);
	case TYPE_LIST:
		return parse_list(text, a, member);
	case TYPE_NUMBER:
		return str_to_u64(text, member);
	case TYPE_SIZE:
		return parse_with_unit(text, SIZE_UNITS, ARRAY_LEN(SIZE_UNITS), member);
	case TYPE_TIME:
		return parse_with_unit(text, TIME_UNITS, ARRAY_LEN(TIME_UNITS), member);
	}
	return E_INTERNAL;
}

int
config_init(struct config *c, struct arena *a)
{
	*c = (struct config){ 0 };
	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
		int r = set(c, &ROWS[i], str_c(ROWS[i].fallback), a);

		if (r < 0)
			return r;
	}
	if (c->hostname.n == 0) {
		char name[256] = "";

		if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
			return arena_dup(a, STR("localhost"), &c->hostname);
		return arena_dup(a, str_c(name), &c->hostname);
	}
	return 0;
}

struct load {
	struct config *config;
	struct arena  *arena;
	const char    *path;
	struct buf    *problem;
	FILE          *file;
	int            line;
	int            err; /* of the first bad line */
};

/* Notes the first problem only: the parser goes on to the end. */
static void
note(struct load *l, int err, const char *what, const char *text, const char *help)
{
	if (l->err < 0)
		return;
	l->err = err;
	buf_printf(l->problem, "%s:%d: %s%s%s", l->path, l->line, what, text, help);
}

/* Called by libinih for each line, which it reads through this; so the line number is known. */
static char *
next_line(char *to, int room, void *arg)
{
	struct load *l = arg;
	char        *line = fgets(to, room, l->file);

	if (line == NULL)
		return NULL;
	l->line++;
	if (strchr(line, '\n') == NULL && !feof(l->file))
		note(l, E_SYNTAX, "line too long", "", "");
	return line;
}

/* Called by libinih for each `key = value`; 0 says that the line is bad. */
static int
on_key(void *arg, const char *section, const char *key, const char *value)
{
	struct load *l = arg;

	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
		const struct row *row = &ROWS[i];
		int               r;

		if (!str_eq(str_c(section), str_c(row->section)) ||
		    !str_eq(str_c(key), str_c(row->key)))
			continue;
		/* An empty hostname keeps the machine's name. */
		if (row->offset == offsetof(struct config, hostname) && value[0] == '\0')
			return 1;
		r = set(l->config, row, str_c(value), l->arena);
		if (r < 0)
			note(l, r, key, ": bad value; it is: ", row->help);
		return 1;
	}
	note(l, E_SYNTAX, "unknown key ", key, section[0] != '\0' ? "" : " (before any [section])");
	return 1;
}

int
config_read(struct config *c, FILE *file, const char *name, struct arena *a, struct buf *problem)
{
	struct load l = { .config = c, .arena = a, .path = name, .problem = problem, .file = file };
	int         bad_line = ini_parse_stream(next_line, &l, on_key, &l);

	if (l.err == 0 && bad_line > 0) {
		l.line = bad_line;
		note(&l, E_SYNTAX, "neither [section] nor key = value", "", "");
	}
	return l.err == 0 && bad_line < 0 ? E_NOMEM : l.err;
}

int
config_load(struct config *c, const char *path, struct arena *a, struct buf *problem)
{
	FILE *file = fopen(path, "re");
	int   r;

	if (file == NULL) {
		buf_printf(problem, "%s: %s", path, strerrordesc_np(errno));
		return E_NOT_FOUND;
	}
	r = config_read(c, file, path, a, problem);
	fclose(file);
	return r;
}

int
config_listen(struct config *c, struct str option, bool first, struct arena *a)
{
	struct str       name = str_cut(&option, '=');
	enum listener    which = listener_by_name(name);
	struct str_list *list;

	if (which == LISTENER_COUNT || option.n == 0)
		return E_SYNTAX;
	if (first)
		memset(c->listen, 0, sizeof(c->listen));
	list = &c->listen[which];
	list->s = arena_grow(a, list->s, list->n * sizeof(option), (list->n + 1) * sizeof(option));
	if (list->s == NULL || arena_dup(a, option, &list->s[list->n]) < 0)
		return E_NOMEM;
	list->n++;
	return 0;
}

static void
show_with_unit(uint64_t v, const struct unit *units, size_t n_units, struct buf *to)
{
	size_t i = n_units - 1;

	while (i > 0 && (v == 0 || v % units[i].factor != 0))
		i--;
	buf_u64(to, v / units[i].factor);
	buf_str(to, str_c(units[i].name));
}

static void
show_value(const struct config *c, const struct row *row, struct buf *to)
{
	const void            *member = (const char *)c + row->offset;
	const struct str_list *list = member;

	switch (row->type) {
	case TYPE_CHOICE:
	case TYPE_TEXT:
	case TYPE_PATH:
		buf_str(to, *(const struct str *)member);
		return;
	case TYPE_LIST:
		for (size_t i = 0; i < list->n; i++)
			buf_printf(to, "%s%.*s", i != 0 ? " " : "", STR_ARG(list->s[i]));
		return;
	case TYPE_NUMBER:
		buf_u64(to, *(const uint64_t *)member);
		return;
	case TYPE_SIZE:
		show_with_unit(*(const uint64_t *)member, SIZE_UNITS, ARRAY_LEN(SIZE_UNITS), to);
		return;
	case TYPE_TIME:
		show_with_unit(
		    (uint64_t) * (const int64_t *)member, TIME_UNITS, ARRAY_LEN(TIME_UNITS), to);
		return;
	}
}

void
config_show(const struct config *c, struct buf *to)
{
	const char *section = "";

	for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
		const struct row *row = &ROWS[i];

		if (!str_eq(str_c(section), str_c(row->section))) {
			section = row->section;
			buf_printf(to, "%s[%s]\n", i != 0 ? "\n" : "", section);
		}
		buf_printf(to, "; %s\n%s = ", row->help, row->key);
		show_value(c, row, to);
		buf_byte(to, '\n');
	}
}

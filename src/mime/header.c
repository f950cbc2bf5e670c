#include "mime/header.h"

#include "base/error.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Length of the field at the front: its first line and the lines that continue it. */
static size_t
field_length(struct str s)
{
	size_t at = 0;

	do {
		const char *end = memchr(s.p + at, '\n', s.n - at);

		if (end == NULL)
			return s.n;
		at = (size_t)(end - s.p) + 1;
	} while (at < s.n && is_blank(s.p[at]));
	return at;
}

static struct str
without_line_end(struct str s)
{
	if (s.n > 0 && s.p[s.n - 1] == '\n')
		s.n--;
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

/* RFC 5322 s2.2: printable ASCII but the colon; blanks before the colon are obsolete (s4.5). */
static struct str
field_name(struct str line)
{
	size_t n = 0, end;

	while (n < line.n && line.p[n] > ' ' && line.p[n] < 0x7f && line.p[n] != ':')
		n++;
	for (end = n; end < line.n && is_blank(line.p[end]); end++)
		;
	return end < line.n && line.p[end] == ':' ? str_head(line, n) : STR_NONE;
}

bool
header_next(struct str *section, struct header_field *ret)
{
	struct str s = *section, name, value;

	if (s.n == 0 || s.p[0] == '\n' || (s.n > 1 && s.p[0] == '\r' && s.p[1] == '\n'))
		return false;
	ret->raw = str_head(s, field_length(s));
	*section = str_skip(s, ret->raw.n);
	value = without_line_end(ret->raw);
	name = field_name(value);
	if (name.n != 0)
		value = str_skip(value, str_find_byte(value, ':') + 1);
	ret->name = name;
	ret->value = value;
	return true;
}

bool
header_find(struct str section, struct str name, struct header_field *ret)
{
	struct header_field f;

	while (header_next(&section, &f)) {
		if (f.name.n == name.n && str_ieq(f.name, name)) {
			*ret = f;
			return true;
		}
	}
	return false;
}

int
header_unfold(struct str value, struct arena *arena, struct str *ret)
{
	char  *p;
	size_t n = 0;

	value = str_trim(value);
	p = arena_alloc(arena, value.n + 1);
	if (p == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != '\r' && value.p[i] != '\n')
			p[n++] = value.p[i];
	*ret = str_of(p, n);
	return 0;
}

static bool
is_named(struct str name, const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (names[i].n == name.n && str_ieq(names[i], name))
			return true;
	return false;
}

void
header_fields(struct str section, const struct str *names, size_t n, bool not, struct buf *to)
{
	struct header_field f;

	while (header_next(&section, &f))
		if (is_named(f.name, names, n) != not)
			buf_str(to, f.raw);
	buf_str(to, str_head(section, str_find_byte(section, '\n') + 1));
}

#include "proto/imap_match.h"

#include "base/error.h"

static bool
is_wild(char c)
{
	return c == '*' || c == '%';
}

int
imap_pattern_make(struct str reference, struct str pattern, char separator, struct arena *a,
    struct imap_pattern *ret)
{
	struct imap_pattern made = { .separator = separator };
	char               *to;
	size_t              n = 0;

	if (reference.n > IMAP_PATTERN_MAX || pattern.n > IMAP_PATTERN_MAX - reference.n)
		return E_LIMIT;
	to = arena_alloc(a, reference.n + pattern.n + 1);
	if (to == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < reference.n + pattern.n; i++) {
		char c = i < reference.n ? reference.p[i] : pattern.p[i - reference.n];

		if (!is_wild(c))
			made.least++;
		if (is_wild(c) && n > 0 && is_wild(to[n - 1])) {
			if (c == '*')
				to[n - 1] = '*';
			continue;
		}
		to[n++] = c;
	}
	made.text = str_of(to, n);
	*ret = made;
	return 0;
}

/* Marks where the pattern can stand when wildcards may be empty. */
static void
pass_wildcards(struct str pattern, bool *at)
{
	for (size_t i = 0; i < pattern.n; i++)
		if (at[i] && is_wild(pattern.p[i]))
			at[i + 1] = true;
}

/* at[i]: the first i bytes of the pattern match what was read of the name. One byte more: */
static void
step(const struct imap_pattern *p, bool *at, char c, bool fold)
{
	at[p->text.n] = false;
	for (size_t i = p->text.n; i-- > 0;) {
		char want = p->text.p[i];

		if (is_wild(want)) {
			at[i] = at[i] && (want == '*' || c != p->separator);
		} else {
			if (want == c || (fold && ascii_lower(want) == ascii_lower(c)))
				at[i + 1] |= at[i];
			at[i] = false;
		}
	}
}

bool
imap_pattern_match(const struct imap_pattern *p, struct str name)
{
	bool       at[IMAP_PATTERN_MAX + 1], inbox;
	struct str rest = name;

	if (name.n < p->least)
		return false;
	if (str_eq(p->text, STR("*")))
		return true;
	inbox = str_ieq(str_cut(&rest, p->separator), STR("INBOX"));
	at[0] = true;
	memset(at + 1, 0, p->text.n);
	pass_wildcards(p->text, at);
	for (size_t j = 0; j < name.n; j++) {
		step(p, at, name.p[j], inbox && j < 5);
		pass_wildcards(p->text, at);
	}
	return at[p->text.n];
}

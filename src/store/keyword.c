#include "base/error.h"
#include "store/edit.h"

/* An atom, RFC 9051 s9 (flag-keyword, ATOM-CHAR). */
static bool
is_atom(struct str s)
{
	if (s.n == 0 || s.n > KEYWORD_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c >= 0x7f || memchr("(){%*\"\\]", c, 8) != NULL)
			return false;
	}
	return true;
}

static int
find(struct account *a, struct str name, unsigned *ret)
{
	unsigned n = keyword_count(a);

	for (unsigned i = 0; i < n; i++)
		if (str_ieq(a->keywords[i], name)) {
			*ret = i;
			return 0;
		}
	return E_NOT_FOUND;
}

/* With the lock held. */
static int
add(struct account *a, struct str name, const struct actor *actor, unsigned *ret)
{
	OWN_EDIT struct edit e = { 0 };
	unsigned             number = keyword_count(a);
	struct key           key = key_keyword(number);
	int                  r;

	if (number == KEYWORD_MAX)
		return E_LIMIT;
	edit_begin(&e, a, actor);
	buf_str(edit_value(&e), name);
	edit_put(&e, &key);
	r = edit_commit(&e, EDIT_DURABLE);
	if (r < 0)
		return r;
	r = account_keyword_add(a, number, name);
	if (r < 0) {
		account_forget(a);
		return r;
	}
	*ret = number;
	return 0;
}

int
keyword_number(struct account *a, struct str name, bool create, const struct actor *actor,
    unsigned *ret)
{
	int r;

	if (!is_atom(name))
		return E_SYNTAX;
	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r < 0)
		return r;
	r = find(a, name, ret);
	return r == E_NOT_FOUND && create ? add(a, name, actor, ret) : r;
}

unsigned
keyword_count(struct account *a)
{
	return atomic_load_explicit(&a->n_keywords, memory_order_acquire);
}

struct str
keyword_name(struct account *a, unsigned number)
{
	return number < keyword_count(a) ? a->keywords[number] : STR_NONE;
}

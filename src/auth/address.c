#include "auth/address.h"

#include <idn2.h>
#include <utf8proc.h>

#include "auth/directory.h"
#include "base/buf.h"
#include "base/error.h"
#include "codec/utf8.h"

enum { TEXT_MAX = 1024 };

struct str
address_local(struct str name)
{
	size_t at = str_rfind_byte(name, '@');

	return at < name.n ? str_head(name, at) : STR_NONE;
}

struct str
address_domain(struct str name)
{
	size_t at = str_rfind_byte(name, '@');

	return at < name.n ? str_skip(name, at + 1) : STR_NONE;
}

/* --- local part --- */

/* atext of RFC 5322 s3.2.3, and any byte of a UTF-8 character (RFC 6531 s3.3). */
static bool
is_atext(char c)
{
	if (ascii_is_alpha(c) || ascii_is_digit(c) || (unsigned char)c >= 0x80)
		return true;
	return c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL;
}

static bool
is_dot_string(struct str s)
{
	bool after_dot = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' ? after_dot : !is_atext(s.p[i]))
			return false;
		after_dot = s.p[i] == '.';
	}
	return !after_dot;
}

/* Characters that are seen: nothing unassigned, invisible, or blank beyond ASCII's space. */
static bool
is_visible(utf8proc_int32_t c)
{
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_CN:
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CS:
	case UTF8PROC_CATEGORY_CO:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return false;
	case UTF8PROC_CATEGORY_ZS:
		return c == ' ';
	case UTF8PROC_CATEGORY_CF:
		return c == 0x200c || c == 0x200d; /* joiners: some scripts are spelt with them */
	default:
		return true;
	}
}

static utf8proc_int32_t
lower(utf8proc_int32_t c, void *data)
{
	(void)data;
	return utf8proc_tolower(c);
}

bool
address_is_visible(struct str s)
{
	for (size_t i = 0; i < s.n;) {
		utf8proc_int32_t c;
		utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)s.p + i,
		    (utf8proc_ssize_t)(s.n - i), &c);

		if (n <= 0 || !is_visible(c))
			return false;
		i += (size_t)n;
	}
	return true;
}

static int
fold_unicode(struct str s, struct arena *a, struct str *ret)
{
	utf8proc_uint8_t *out = NULL;
	utf8proc_ssize_t  n;
	int               r;

	if (!address_is_visible(s))
		return E_BAD_ADDRESS;
	n = utf8proc_map_custom((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &out,
	    UTF8PROC_STABLE | UTF8PROC_COMPOSE, lower, NULL);
	if (n < 0)
		return n == UTF8PROC_ERROR_NOMEM ? E_NOMEM : E_BAD_ADDRESS;
	r = arena_dup(a, str_of((const char *)out, (size_t)n), ret);
	free(out);
	return r;
}

static int
fold(struct str s, struct arena *a, struct str *ret)
{
	char *p;

	if (!utf8_is_ascii(s))
		return fold_unicode(s, a, ret);
	p = arena_alloc(a, s.n + 1);
	if (p == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return E_BAD_ADDRESS;
		p[i] = ascii_lower(s.p[i]);
	}
	*ret = str_of(p, s.n);
	return 0;
}

/* The one spelling of a local part: quotes and backslashes only where they must be. */
static int
spell(struct str plain, struct arena *a, struct str *ret)
{
	OWN_BUF struct buf b = BUF_INIT(2 * TEXT_MAX + 2);

	if (is_dot_string(plain)) {
		*ret = plain;
	} else {
		buf_byte(&b, '"');
		for (size_t i = 0; i < plain.n; i++) {
			if (plain.p[i] == '"' || plain.p[i] == '\\')
				buf_byte(&b, '\\');
			buf_byte(&b, plain.p[i]);
		}
		buf_byte(&b, '"');
		if (b.err < 0)
			return b.err;
		if (arena_dup(a, buf_view(&b), ret) < 0)
			return E_NOMEM;
	}
	return ret->n > ADDRESS_LOCAL_MAX ? E_BAD_ADDRESS : 0;
}

/* Takes the local part off the text: *ret is its plain meaning, without quotes. */
static int
cut_local(struct str *text, struct arena *a, struct str *ret)
{
	struct str s = *text;
	size_t     i, n = 0;
	char      *p;

	if (s.n == 0 || s.p[0] != '"') {
		size_t at = str_find_byte(s, '@');

		*ret = str_head(s, at);
		*text = str_skip(s, at);
		return is_dot_string(*ret) ? 0 : E_BAD_ADDRESS;
	}
	p = arena_alloc(a, s.n);
	if (p == NULL)
		return E_NOMEM;
	for (i = 1; i < s.n && s.p[i] != '"'; i++) {
		if (s.p[i] == '\\' && ++i == s.n)
			return E_BAD_ADDRESS;
		p[n++] = s.p[i];
	}
	if (i == s.n || n == 0)
		return E_BAD_ADDRESS;
	*ret = str_of(p, n);
	*text = str_skip(s, i + 1);
	return 0;
}

/* --- domain --- */

/* Letters, digits and inner hyphens; the last label is not a number (RFC 3696 s2). */
static bool
is_host_name(struct str s)
{
	bool digits = true;

	if (s.n == 0 || s.n > ADDRESS_DOMAIN_MAX || s.p[s.n - 1] == '.')
		return false;
	while (s.n > 0) {
		struct str label = str_cut(&s, '.');

		if (label.n == 0 || label.n > 63 || label.p[0] == '-' ||
		    label.p[label.n - 1] == '-')
			return false;
		digits = true;
		for (size_t i = 0; i < label.n; i++) {
			if (!ascii_is_digit(label.p[i]))
				digits = false;
			if (!ascii_is_digit(label.p[i]) && !ascii_is_alpha(label.p[i]) &&
			    label.p[i] != '-')
				return false;
		}
	}
	return !digits;
}

static int
to_a_labels(struct str s, struct arena *a, struct str *ret)
{
	char *in = arena_cstr(a, s), *out = NULL;
	int   r;

	if (in == NULL)
		return E_NOMEM;
	r = idn2_to_ascii_8z(in, &out, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (r != IDN2_OK)
		return r == IDN2_MALLOC ? E_NOMEM : E_BAD_ADDRESS;
	r = arena_dup(a, str_c(out), ret);
	idn2_free(out);
	return r;
}

int
domain_parse(struct str text, struct arena *a, struct str *ret)
{
	struct str name;
	int        r;

	if (text.n == 0 || text.n > TEXT_MAX || memchr(text.p, '\0', text.n) != NULL)
		return E_BAD_ADDRESS;
	if (!utf8_is_ascii(text)) {
		r = to_a_labels(text, a, &name);
		if (r < 0)
			return r;
		text = name;
	}
	if (!is_host_name(text))
		return E_BAD_ADDRESS;
	r = fold(text, a, &name);
	if (r < 0)
		return r;
	/* An A-label that came as such must be one: compare it with what it stands for. */
	if (str_find(name, STR("xn--")) < name.n) {
		r = to_a_labels(name, a, &name);
		if (r < 0)
			return r;
	}
	*ret = name;
	return 0;
}

/* --- both --- */

static int
join(struct str local, struct str domain, struct arena *a, struct str *ret)
{
	char *p = arena_alloc(a, local.n + 1 + domain.n);

	if (p == NULL)
		return E_NOMEM;
	if (local.n != 0)
		memcpy(p, local.p, local.n);
	p[local.n] = '@';
	memcpy(p + local.n + 1, domain.p, domain.n);
	*ret = str_of(p, local.n + 1 + domain.n);
	return 0;
}

int
address_parse(struct str text, bool catch_all, struct arena *a, struct address *ret)
{
	struct str     plain, low, local = STR_NONE, exact = STR_NONE, domain;
	struct address got;
	int            r = 0;

	if (text.n > TEXT_MAX)
		return E_BAD_ADDRESS;
	if (!catch_all || text.n == 0 || text.p[0] != '@') {
		r = cut_local(&text, a, &plain);
		if (r == 0)
			r = fold(plain, a, &low);
		if (r == 0)
			r = spell(low, a, &local);
		if (r == 0)
			r = spell(plain, a, &exact);
	}
	if (r == 0 && (text.n == 0 || text.p[0] != '@'))
		r = E_BAD_ADDRESS;
	if (r == 0)
		r = domain_parse(str_skip(text, 1), a, &domain);
	if (r == 0)
		r = join(local, domain, a, &got.name);
	if (r == 0)
		r = join(exact, domain, a, &got.exact);
	if (r == 0)
		*ret = got;
	return r;
}

int
address_normalise(struct str text, struct arena *a, struct str *ret)
{
	struct address got;
	int            r = address_parse(text, false, a, &got);

	if (r == 0)
		*ret = got.name;
	return r;
}

int
address_cut_tag(struct str name, struct arena *a, struct str *ret, struct str *ret_tag)
{
	struct str local = address_local(name), base, tag;
	bool       quoted = local.n > 0 && local.p[0] == '"';
	size_t     plus;
	char       again[ADDRESS_LOCAL_MAX + 2];
	int        r;

	if (quoted)
		local = str_of(local.p + 1, local.n - 2);
	plus = str_rfind_byte(local, '+');
	if (plus >= local.n || plus == 0)
		return E_NOT_FOUND;
	base = str_head(local, plus);
	tag = str_skip(local, plus + 1);
	if (!is_dot_string(base)) {
		again[0] = again[base.n + 1] = '"';
		memcpy(again + 1, base.p, base.n);
		base = str_of(again, base.n + 2);
	}
	r = join(base, address_domain(name), a, ret);
	if (r == 0)
		*ret_tag = tag;
	return r;
}

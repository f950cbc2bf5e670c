#include "proto/smtp.h"

#include "base/error.h"
#include "base/own.h"
#include "codec/utf8.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct str
skip_blanks(struct str s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = str_skip(s, 1);
	return s;
}

void
smtp_split(struct str line, struct str *ret_verb, struct str *ret_args)
{
	size_t n = 0;

	while (line.n > 0 && is_blank(line.p[line.n - 1]))
		line.n--;
	while (n < line.n && !is_blank(line.p[n]))
		n++;
	*ret_verb = str_head(line, n);
	*ret_args = skip_blanks(str_skip(line, n));
}

/* --- addresses --- */

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

/* RFC 5322 s3.2.3, with the bytes of UTF-8 (RFC 6531 s3.3). */
static bool
is_atext(unsigned char c)
{
	return c >= 0x80 || ascii_is_alpha((char)c) || ascii_is_digit((char)c) ||
	    is_one_of((char)c, "!#$%&'*+-/=?^_`{|}~");
}

/* Dots may stand anywhere: addresses such as "a..b@" and "a.@" are in daily use. */
static size_t
dot_string_length(struct str s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == '.' || is_atext((unsigned char)s.p[n])))
		n++;
	return n;
}

/* The length of a quoted string with its quotes; 0 when it is none or has no end. */
static size_t
quoted_length(struct str s)
{
	size_t n = 1;

	if (s.n < 2 || s.p[0] != '"')
		return 0;
	for (; n < s.n && s.p[n] != '"'; n++) {
		unsigned char c = (unsigned char)s.p[n];

		if (c == '\\' && ++n == s.n)
			return 0;
		if ((unsigned char)s.p[n] < ' ' || s.p[n] == 0x7f)
			return 0;
	}
	return n < s.n ? n + 1 : 0;
}

/* A name, or an address literal "[192.0.2.1]", "[IPv6:...]". */
static size_t
domain_length(struct str s)
{
	size_t n = 0;

	if (s.n > 0 && s.p[0] == '[') {
		for (n = 1; n < s.n && s.p[n] != ']'; n++)
			if (!ascii_is_digit(s.p[n]) && !ascii_is_alpha(s.p[n]) &&
			    !is_one_of(s.p[n], ".:-"))
				return 0;
		return n > 1 && n < s.n ? n + 1 : 0;
	}
	while (n < s.n && (ascii_is_alpha(s.p[n]) || ascii_is_digit(s.p[n]) ||
	    (unsigned char)s.p[n] >= 0x80 || is_one_of(s.p[n], ".-_")))
		n++;
	return n;
}

/* "@a,@b:" before the mailbox, RFC 5321 appendix C: taken off. */
static int
cut_route(struct str *s)
{
	struct str left = *s;

	if (left.n == 0 || left.p[0] != '@')
		return 0;
	for (;;) {
		size_t n;

		if (left.n == 0 || left.p[0] != '@')
			return E_SYNTAX;
		left = str_skip(left, 1);
		n = domain_length(left);
		if (n == 0 || n == left.n)
			return E_SYNTAX;
		left = str_skip(left, n);
		if (left.p[0] == ':')
			break;
		if (left.p[0] != ',')
			return E_SYNTAX;
		left = str_skip(left, 1);
	}
	*s = str_skip(left, 1);
	return 0;
}

/* Takes the quotes off where nothing inside needs them. All forms of a local part mean the same,
 * RFC 5321 s4.1.2. */
static int
unquote(struct str local, struct str domain, struct arena *a, struct str *ret)
{
	char  *p = arena_alloc(a, local.n + 1 + domain.n);
	size_t n = 0;

	if (p == NULL)
		return E_NOMEM;
	for (size_t i = 1; i < local.n - 1; i++) {
		if (local.p[i] == '\\')
			i++;
		p[n++] = local.p[i];
	}
	if (n == 0 || dot_string_length(str_of(p, n)) != n || p[0] == '.' || p[n - 1] == '.') {
		memcpy(p, local.p, local.n);
		n = local.n;
	}
	if (domain.n != 0) {
		p[n++] = '@';
		memcpy(p + n, domain.p, domain.n);
		n += domain.n;
	}
	*ret = str_of(p, n);
	return 0;
}

/* Takes local@domain or local off *s. */
static int
cut_mailbox(struct str *s, struct arena *a, struct smtp_path *ret)
{
	struct str left = *s, local, domain = STR_NONE;
	bool       is_quoted = left.n > 0 && left.p[0] == '"';
	int        r = 0;

	local = str_head(left, is_quoted ? quoted_length(left) : dot_string_length(left));
	if (local.n == 0)
		return E_BAD_ADDRESS;
	left = str_skip(left, local.n);
	if (left.n > 0 && left.p[0] == '@') {
		left = str_skip(left, 1);
		domain = str_head(left, domain_length(left));
		if (domain.n == 0)
			return E_BAD_ADDRESS;
		left = str_skip(left, domain.n);
	}
	ret->address = str_of(local.p, (size_t)(left.p - local.p));
	ret->is_utf8 = !utf8_is_ascii(ret->address);
	if (!utf8_valid(ret->address))
		return E_BAD_ADDRESS;
	if (is_quoted)
		r = unquote(local, domain, a, &ret->address);
	*s = left;
	return r;
}

/* "FROM:<path>" or "TO:<path>"; what follows the path is left in *s. */
static int
cut_path(struct str *s, struct str keyword, struct arena *a, struct smtp_path *ret)
{
	struct str left;
	bool       has_angle;
	int        r;

	if (!str_istarts(*s, keyword))
		return E_SYNTAX;
	left = skip_blanks(str_skip(*s, keyword.n));
	has_angle = left.n > 0 && left.p[0] == '<';
	if (has_angle)
		left = skip_blanks(str_skip(left, 1));
	*ret = (struct smtp_path){ .address = STR("") };
	if (!has_angle || left.n == 0 || left.p[0] != '>') {
		r = cut_route(&left);
		r = r < 0 ? r : cut_mailbox(&left, a, ret);
		if (r < 0)
			return r;
	}
	if (has_angle) {
		left = skip_blanks(left);
		if (left.n == 0 || left.p[0] != '>')
			return E_BAD_ADDRESS;
		left = str_skip(left, 1);
	}
	if (left.n > 0 && !is_blank(left.p[0]))
		return has_angle ? E_SYNTAX : E_BAD_ADDRESS;
	*s = skip_blanks(left);
	return 0;
}

/* --- parameters --- */

static int
param_size(struct str value, struct smtp_mail *m)
{
	m->has_size = true;
	return value.n > 20 || str_to_u64(value, &m->size) < 0 ? E_PARAM : 0;
}

static int
param_body(struct str value, struct smtp_mail *m)
{
	m->body = str_ieq(value, STR("8BITMIME")) ? SMTP_BODY_8BITMIME : SMTP_BODY_7BIT;
	return m->body == SMTP_BODY_8BITMIME || str_ieq(value, STR("7BIT")) ? 0 : E_PARAM;
}

static int
param_smtputf8(struct str value, struct smtp_mail *m)
{
	m->smtputf8 = true;
	return value.p != NULL ? E_PARAM : 0; /* it has no value */
}

static int
param_auth(struct str value, struct smtp_mail *m)
{
	m->has_auth = true;
	return value.n == 0 ? E_PARAM : 0;
}

static const struct {
	struct str name;
	int (*set)(struct str value, struct smtp_mail *); /* value.p is NULL without "=" */
} MAIL_PARAMS[] = {
	{ { "SIZE", 4 }, param_size },
	{ { "BODY", 4 }, param_body },
	{ { "SMTPUTF8", 8 }, param_smtputf8 },
	{ { "AUTH", 4 }, param_auth },
};

static int
set_param(struct str word, unsigned *seen, struct smtp_mail *m)
{
	struct str value = word;
	struct str name = str_cut(&value, '=');

	if (name.n == word.n)
		value = STR_NONE;
	for (size_t i = 0; i < ARRAY_LEN(MAIL_PARAMS); i++) {
		if (!str_ieq(name, MAIL_PARAMS[i].name))
			continue;
		if (*seen & 1u << i)
			return E_SYNTAX; /* "only one SIZE parameter", RFC 1870 s6 */
		*seen |= 1u << i;
		return MAIL_PARAMS[i].set(value, m);
	}
	return E_PARAM;
}

/* --- what the rows name --- */

int
smtp_parse_none(struct str args, struct arena *a, union smtp_args *ret)
{
	(void)a;
	ret->text = args;
	return args.n == 0 ? 0 : E_SYNTAX;
}

int
smtp_parse_any(struct str args, struct arena *a, union smtp_args *ret)
{
	(void)a;
	ret->text = args;
	return 0;
}

int
smtp_parse_host(struct str args, struct arena *a, union smtp_args *ret)
{
	size_t n = 0;

	(void)a;
	while (n < args.n && args.p[n] > ' ' && args.p[n] < 0x7f)
		n++;
	/* Old clients put words behind the name, RFC 5321 s4.1.1.1. */
	if (n == 0 || (n < args.n && !is_blank(args.p[n])))
		return E_SYNTAX;
	ret->text = str_head(args, n);
	return 0;
}

int
smtp_parse_mail(struct str args, struct arena *a, union smtp_args *ret)
{
	struct smtp_mail m = { 0 };
	unsigned         seen = 0;
	int              r;

	r = cut_path(&args, STR("FROM:"), a, &m.path);
	while (r == 0 && args.n != 0) {
		size_t n = 0;

		while (n < args.n && !is_blank(args.p[n]))
			n++;
		r = set_param(str_head(args, n), &seen, &m);
		args = skip_blanks(str_skip(args, n));
	}
	if (r == 0)
		ret->mail = m;
	return r;
}

int
smtp_parse_rcpt(struct str args, struct arena *a, union smtp_args *ret)
{
	struct smtp_path path;
	int              r;

	r = cut_path(&args, STR("TO:"), a, &path);
	if (r < 0)
		return r;
	if (path.address.n == 0)
		return E_BAD_ADDRESS;
	if (args.n != 0)
		return E_PARAM; /* no extension with a RCPT parameter is announced */
	ret->rcpt = path;
	return 0;
}

int
smtp_parse_bdat(struct str args, struct arena *a, union smtp_args *ret)
{
	struct smtp_bdat b = { 0 };
	struct str       size = str_cut(&args, ' ');

	(void)a;
	args = skip_blanks(args);
	b.last = args.n != 0;
	if (str_to_u64(size, &b.size) < 0 || (b.last && !str_ieq(args, STR("LAST"))))
		return E_SYNTAX;
	ret->bdat = b;
	return 0;
}

int
smtp_parse_auth(struct str args, struct arena *a, union smtp_args *ret)
{
	struct smtp_auth auth = { 0 };

	(void)a;
	auth.mechanism = str_cut(&args, ' ');
	auth.initial = skip_blanks(args);
	auth.has_initial = auth.initial.n != 0;
	if (auth.mechanism.n == 0 || str_find_byte(auth.initial, ' ') != auth.initial.n)
		return E_SYNTAX;
	ret->auth = auth;
	return 0;
}

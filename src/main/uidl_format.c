#include "main/uidl_format.h"

#include <inttypes.h>
#include <openssl/evp.h>

#include "base/error.h"
#include "base/own.h"

enum { VALUE_MAX = 8192, MD5_BYTES = 16 };

struct variable {
	bool       from_end, zeros;
	size_t     offset, width;
	struct str modifiers;
	char       name; /* '%': a percent sign */
};

/* --- the format --- */

static int
read_number(struct str *s, size_t *ret)
{
	size_t n = 0;

	while (s->n > 0 && ascii_is_digit(s->p[0])) {
		n = n * 10 + (size_t)(s->p[0] - '0');
		if (n > UIDL_FORMAT_WIDTH_MAX)
			return E_SYNTAX;
		*s = str_skip(*s, 1);
	}
	*ret = n;
	return 0;
}

static bool
take_char(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_skip(*s, 1);
	return true;
}

/* Sign and zero belong to the number behind them. */
static int
read_widths(struct str *s, struct variable *v)
{
	bool minus = take_char(s, '-');
	int  r;

	v->zeros = take_char(s, '0');
	r = read_number(s, &v->width);
	if (r < 0 || !take_char(s, '.'))
		return r;
	v->offset = v->width;
	v->from_end = minus;
	v->zeros = take_char(s, '0');
	return read_number(s, &v->width);
}

/* What stands behind a '%'. */
static int
read_variable(struct str *s, struct variable *ret)
{
	struct variable v = { 0 };
	size_t          n = 0;
	int             r;

	if (take_char(s, '%')) {
		v.name = '%';
		*ret = v;
		return 0;
	}
	r = read_widths(s, &v);
	if (r < 0)
		return r;
	while (n < s->n && str_find_byte(STR("LUXRM"), s->p[n]) < 5)
		n++;
	v.modifiers = str_head(*s, n);
	*s = str_skip(*s, n);
	if (s->n == 0 || str_find_byte(STR("uvfgm"), s->p[0]) == 5)
		return E_SYNTAX;
	v.name = s->p[0];
	*s = str_skip(*s, 1);
	*ret = v;
	return 0;
}

int
uidl_format_check(struct str format, size_t *ret_at)
{
	struct str      s = format;
	struct variable v;

	*ret_at = 0;
	if (format.n == 0 || format.n > UIDL_FORMAT_MAX)
		return E_SYNTAX;
	while (s.n > 0) {
		*ret_at = format.n - s.n;
		if (!take_char(&s, '%'))
			s = str_skip(s, 1);
		else if (read_variable(&s, &v) < 0)
			return E_SYNTAX;
	}
	return 0;
}

bool
uidl_format_uses(struct str format, char variable)
{
	struct variable v;

	while (format.n > 0)
		if (!take_char(&format, '%'))
			format = str_skip(format, 1);
		else if (read_variable(&format, &v) < 0)
			return false;
		else if (v.name == variable)
			return true;
	return false;
}

/* --- values --- */

static int
put_value(const struct uidl_facts *f, char name, struct buf *to)
{
	switch (name) {
	case 'u':
		if (f->uid != 0)
			buf_printf(to, "%" PRIu32, f->uid);
		break;
	case 'v':
		if (f->uidvalidity != 0)
			buf_printf(to, "%" PRIu32, f->uidvalidity);
		break;
	case 'f':
		buf_str(to, f->filename);
		break;
	case 'g':
		buf_str(to, f->guid);
		break;
	default:
		buf_str(to, f->md5);
		break;
	}
	if (to->err < 0)
		return to->err;
	return to->n != 0 ? 0 : E_NOT_FOUND;
}

static void
put_hex(const unsigned char *p, size_t n, struct buf *to)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(to, "%02x", p[i]);
}

static int
put_md5(struct str bytes, struct buf *to)
{
	unsigned char digest[EVP_MAX_MD_SIZE];

	if (EVP_Digest(bytes.p != NULL ? bytes.p : "", bytes.n, digest, NULL, EVP_md5(), NULL) != 1)
		return E_NOMEM;
	put_hex(digest, MD5_BYTES, to);
	return to->err;
}

static int
replace_by_md5(struct buf *value)
{
	OWN_BUF struct buf hex = BUF_INIT(VALUE_MAX);
	int                r = put_md5(buf_view(value), &hex);

	buf_reset(value);
	buf_str(value, buf_view(&hex));
	return r < 0 ? r : value->err;
}

static int
replace_by_hex(struct buf *value)
{
	uint64_t n = 0;

	/* What is no number is zero. */
	(void)str_to_u64(buf_view(value), &n);
	buf_reset(value);
	buf_printf(value, "%" PRIx64, n);
	return value->err;
}

static void
reverse(struct buf *value)
{
	for (size_t i = 0; i < value->n / 2; i++) {
		char c = value->p[i];

		value->p[i] = value->p[value->n - 1 - i];
		value->p[value->n - 1 - i] = c;
	}
}

static int
modify(struct buf *value, char modifier)
{
	switch (modifier) {
	case 'L':
		for (size_t i = 0; i < value->n; i++)
			value->p[i] = ascii_lower(value->p[i]);
		return 0;
	case 'U':
		for (size_t i = 0; i < value->n; i++)
			value->p[i] = ascii_upper(value->p[i]);
		return 0;
	case 'X':
		return replace_by_hex(value);
	case 'R':
		reverse(value);
		return 0;
	default:
		return replace_by_md5(value);
	}
}

static void
put_cut(const struct variable *v, struct str value, struct buf *to)
{
	size_t skip = v->offset;

	if (v->from_end && v->offset != 0)
		skip = v->offset < value.n ? value.n - v->offset : 0;
	value = str_skip(value, skip);
	if (v->zeros)
		for (size_t n = value.n; n < v->width; n++)
			buf_byte(to, '0');
	else if (v->width != 0)
		value = str_head(value, v->width);
	buf_str(to, value);
}

static int
put_variable(const struct variable *v, const struct uidl_facts *f, struct buf *to)
{
	OWN_BUF struct buf value = BUF_INIT(VALUE_MAX);
	int                r = put_value(f, v->name, &value);

	for (size_t i = 0; r == 0 && i < v->modifiers.n; i++)
		r = modify(&value, v->modifiers.p[i]);
	if (r == 0)
		put_cut(v, buf_view(&value), to);
	return r;
}

int
uidl_format_expand(struct str format, const struct uidl_facts *f, struct buf *to,
    char *ret_variable)
{
	struct variable v;
	int             r = 0;

	while (r == 0 && format.n > 0) {
		if (!take_char(&format, '%')) {
			buf_byte(to, format.p[0]);
			format = str_skip(format, 1);
			continue;
		}
		r = read_variable(&format, &v);
		if (r < 0)
			return r;
		if (v.name == '%')
			buf_byte(to, '%');
		else
			r = put_variable(&v, f, to);
	}
	if (r == E_NOT_FOUND)
		*ret_variable = v.name;
	return r < 0 ? r : to->err;
}

/* --- MD5 of a header --- */

enum which { NONE, ALWAYS, BEFORE_RECEIVED, RECEIVED };

static enum which
which_field(struct str name)
{
	static const struct {
		struct str name;
		enum which which;
	} FIELDS[] = { { STR("Date"), BEFORE_RECEIVED }, { STR("Delivered-To"), ALWAYS },
		{ STR("Message-ID"), BEFORE_RECEIVED }, { STR("Received"), RECEIVED },
		{ STR("X-Delivery-ID"), ALWAYS } };

	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++)
		if (str_ieq(name, FIELDS[i].name))
			return FIELDS[i].which;
	return NONE;
}

static bool
is_folded(struct str line)
{
	return line.n > 0 && (line.p[0] == ' ' || line.p[0] == '\t');
}

/* Gathers the values of the fields that count, line by line, without line ends; of Received the
 * first alone. */
static void
gather(struct str message, struct buf *to)
{
	enum which which = NONE;
	bool       received = false;

	while (message.n > 0) {
		struct str line = str_cut(&message, '\n');
		struct str value = line;

		if (str_ends(line, STR("\r")))
			value = line = str_head(line, line.n - 1);
		if (line.n == 0)
			return;
		if (!is_folded(line)) {
			received = received || which == RECEIVED;
			which = which_field(str_trim(str_cut(&value, ':')));
			while (is_folded(value))
				value = str_skip(value, 1);
		}
		if (which == ALWAYS || (which != NONE && !received))
			buf_str(to, value);
	}
}

int
uidl_header_md5(struct str message, struct buf *to)
{
	OWN_BUF struct buf all = BUF_INIT(1 << 24);

	gather(message, &all);
	if (all.err < 0)
		return all.err;
	return put_md5(buf_view(&all), to);
}

#include "proto/imap_read.h"

#include "base/error.h"
#include "codec/mutf7.h"
#include "codec/utf8.h"

void
ir_latch(struct imap_reader *r, int err, const char *what)
{
	if (r->err < 0)
		return;
	r->err = err;
	r->what = what;
	r->left = STR_NONE;
}

void
ir_fail(struct imap_reader *r, const char *what)
{
	ir_latch(r, E_SYNTAX, what);
}

void
ir_missing(struct imap_reader *r, const char *what)
{
	ir_fail(r, ir_at_end(r) ? "argument missing" : what);
}

const struct imap_name *
ir_name_find(const struct imap_name *names, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(names[i].name, name))
			return &names[i];
	return NULL;
}

/* --- classes of bytes --- */

static bool
is_ctl(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

/* ATOM-CHAR */
static bool
is_atom(char c)
{
	return !is_ctl(c) && (unsigned char)c < 0x80 && strchr("(){ %*\"\\]", c) == NULL;
}

/* ASTRING-CHAR, and what clients put into unquoted names and passwords: "%", "*", "\" and 8-bit. */
static bool
is_astring(char c)
{
	return !is_ctl(c) && strchr("(){ \"", c) == NULL;
}

static bool
is_word(char c)
{
	return is_atom(c) && c != '[' && c != '<';
}

static bool
is_set(char c)
{
	return ascii_is_digit(c) || (c != '\0' && strchr(":,*$", c) != NULL);
}

static bool
is_digit(char c)
{
	return ascii_is_digit(c);
}

static struct str
take_while(struct imap_reader *r, bool (*is)(char))
{
	struct str s = r->left;
	size_t     n = 0;

	while (n < s.n && is(s.p[n]))
		n++;
	r->left = str_skip(s, n);
	return str_head(s, n);
}

static struct str
take_some(struct imap_reader *r, bool (*is)(char), const char *what)
{
	struct str s = take_while(r, is);

	if (s.n == 0)
		ir_missing(r, what);
	return s;
}

/* --- blanks, lists and the end --- */

void
ir_skip_sp(struct imap_reader *r)
{
	while (ir_take(r, ' '))
		;
}

void
ir_sp(struct imap_reader *r)
{
	if (!ir_peek(r, ' '))
		ir_missing(r, "blank missing");
	ir_skip_sp(r);
}

bool
ir_at_end(const struct imap_reader *r)
{
	struct imap_reader at = *r;

	ir_skip_sp(&at);
	ir_take(&at, '\r');
	return at.left.n == 0 || ir_peek(&at, '\n');
}

int
ir_finish(struct imap_reader *r, const struct imap_args *args, struct imap_args *ret)
{
	ir_skip_sp(r);
	ir_take(r, '\r');
	ir_take(r, '\n');
	if (r->left.n > 0)
		ir_fail(r, "unexpected text after the arguments");
	if (r->err == 0)
		*ret = *args;
	return r->err;
}

void
ir_open(struct imap_reader *r, const char *what)
{
	if (!ir_take(r, '('))
		ir_missing(r, what);
	ir_skip_sp(r);
}

bool
ir_more(struct imap_reader *r)
{
	ir_skip_sp(r);
	if (ir_take(r, ')'))
		return false;
	if (ir_at_end(r))
		ir_fail(r, "')' missing");
	return r->err == 0;
}

/* --- words and strings --- */

bool
ir_take_word(struct imap_reader *r, struct str word)
{
	if (!str_istarts(r->left, word))
		return false;
	if (r->left.n > word.n && is_word(r->left.p[word.n]))
		return false;
	r->left = str_skip(r->left, word.n);
	return true;
}

struct str
ir_word(struct imap_reader *r)
{
	return take_some(r, is_word, "word expected");
}

struct str
ir_atom(struct imap_reader *r)
{
	return take_some(r, is_atom, "atom expected");
}

/* A copy of the quoted text without its backslashes. Any byte may follow one. */
static struct str
unescape(struct imap_reader *r, struct str s)
{
	char  *to = arena_alloc(r->arena, s.n);
	size_t n = 0;

	if (to == NULL) {
		ir_latch(r, E_NOMEM, "out of memory");
		return STR_NONE;
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		to[n++] = s.p[i];
	}
	return str_of(to, n);
}

static struct str
read_quoted(struct imap_reader *r)
{
	struct str s = str_skip(r->left, 1);
	size_t     n = 0;
	bool       escaped = false;

	for (; n < s.n && s.p[n] != '"'; n++) {
		if (s.p[n] == '\\') {
			escaped = true;
			n++;
		}
		if (n >= s.n || s.p[n] == '\r' || s.p[n] == '\n' || s.p[n] == '\0')
			break;
	}
	if (n >= s.n || s.p[n] != '"') {
		ir_fail(r, "quoted string without its end");
		return STR_NONE;
	}
	r->left = str_skip(s, n + 1);
	s = str_head(s, n);
	return escaped ? unescape(r, s) : s;
}

/* "{n}" CRLF and n bytes, which imap_frame has put there. */
static struct str
read_literal(struct imap_reader *r)
{
	struct str s = r->left, count;
	uint64_t   n = 0;
	bool       good;

	s = str_skip(s, str_starts(s, STR("~")) ? 2 : 1);
	count = str_cut(&s, '}');
	if (str_ends(count, STR("+")))
		count.n--;
	if (str_starts(s, STR("\r")))
		s = str_skip(s, 1);
	good = str_to_u64(count, &n) == 0 && str_starts(s, STR("\n")) && n <= s.n - 1;
	if (!good) {
		ir_fail(r, "bad literal");
		return STR_NONE;
	}
	r->left = str_skip(s, n + 1);
	s = str_head(str_skip(s, 1), n);
	if (str_find_byte(s, '\0') < s.n)
		ir_fail(r, "NUL byte in a string");
	return s;
}

static bool
is_literal(const struct imap_reader *r)
{
	return ir_peek(r, '{') || str_starts(r->left, STR("~{"));
}

struct str
ir_string(struct imap_reader *r)
{
	if (ir_peek(r, '"'))
		return read_quoted(r);
	if (is_literal(r))
		return read_literal(r);
	ir_missing(r, "string expected");
	return STR_NONE;
}

struct str
ir_astring(struct imap_reader *r)
{
	if (ir_peek(r, '"') || is_literal(r))
		return ir_string(r);
	return take_some(r, is_astring, "string expected");
}

struct str
ir_nstring(struct imap_reader *r)
{
	return ir_take_word(r, STR("NIL")) ? STR_NONE : ir_astring(r);
}

uint64_t
ir_u64(struct imap_reader *r)
{
	struct str digits = take_some(r, is_digit, "number expected");
	uint64_t   v = 0;

	if (r->err == 0 && (str_to_u64(digits, &v) < 0 || v > INT64_MAX))
		ir_fail(r, "number too big");
	return v;
}

void
ir_set(struct imap_reader *r, struct imap_set *set)
{
	struct str text = take_some(r, is_set, "sequence set expected");
	int        err;

	if (r->err < 0)
		return;
	err = imap_set_parse(text, r->arena, set);
	if (err < 0)
		ir_latch(r, err,
		    err == E_SYNTAX     ? "bad sequence set"
		        : err == E_LIMIT ? "too many ranges in the sequence set"
		                         : "out of memory");
}

/* --- mailbox names --- */

/* RFC 3501 s5.1.3. A name with 8-bit bytes is no modified UTF-7, but old clients send it: valid
 * UTF-8 is taken as it is. E_SYNTAX, E_NOMEM. */
static int
to_utf8(struct imap_reader *r, struct str name, struct str *ret)
{
	OWN_BUF struct buf b = BUF_INIT(name.n * 3 + 1);
	int                err;

	if (!r->utf8 && utf8_is_ascii(name) && str_find_byte(name, '&') < name.n) {
		err = mutf7_to_utf8(name, &b);
		if (err == 0)
			err = b.err;
		return err < 0 ? err : arena_dup(r->arena, buf_view(&b), ret);
	}
	if (!utf8_valid(name))
		return E_SYNTAX;
	*ret = name;
	return 0;
}

struct str
ir_mailbox(struct imap_reader *r)
{
	struct str raw = ir_astring(r), name = STR_NONE;
	int        err = to_utf8(r, raw, &name);

	if (err == E_SYNTAX)
		ir_latch(r, E_CANNOT,
		    r->utf8 ? "the mailbox name is not valid UTF-8"
		            : "the mailbox name is not valid modified UTF-7");
	else if (err < 0)
		ir_latch(r, err, "out of memory");
	return name;
}

struct str
ir_pattern(struct imap_reader *r)
{
	struct str raw = ir_astring(r), name = raw;
	int        err = to_utf8(r, raw, &name);

	if (err < 0 && err != E_SYNTAX)
		ir_latch(r, err, "out of memory");
	return name;
}

/* --- lists --- */

void *
ir_room(struct imap_reader *r, void *array, size_t n, size_t size)
{
	/* Full at 0, 4, 8, 16 and so on. */
	bool   full = n == 0 || (n >= 4 && (n & (n - 1)) == 0);
	size_t room = n < 4 ? 4 : n * 2;

	if (full && r->err == 0)
		array = arena_grow(r->arena, n != 0 ? array : NULL, n * size, room * size);
	if (array == NULL)
		ir_latch(r, E_NOMEM, "out of memory");
	return r->err == 0 ? array : NULL;
}

void
ir_strs_add(struct imap_reader *r, struct imap_strs *list, struct str s, size_t max)
{
	struct str *p;

	if (list->n == max)
		ir_latch(r, E_LIMIT, "too many members in a list");
	p = ir_room(r, list->s, list->n, sizeof(*p));
	if (p == NULL)
		return;
	p[list->n++] = s;
	list->s = p;
}

const struct imap_name IMAP_FLAG_NAMES[IMAP_FLAG_COUNT] = {
	{ STR("\\Seen"), IMAP_FLAG_SEEN },
	{ STR("\\Answered"), IMAP_FLAG_ANSWERED },
	{ STR("\\Flagged"), IMAP_FLAG_FLAGGED },
	{ STR("\\Deleted"), IMAP_FLAG_DELETED },
	{ STR("\\Draft"), IMAP_FLAG_DRAFT },
	{ STR("\\Recent"), IMAP_FLAG_RECENT },
};

static void
read_flag(struct imap_reader *r, struct imap_flags *flags)
{
	const struct imap_name *row;
	struct str              name = r->left;

	if (!ir_take(r, '\\')) {
		name = take_some(r, is_atom, "flag expected");
		ir_strs_add(r, &flags->keywords, name, IMAP_KEYWORDS_MAX);
		return;
	}
	name.n = 1 + take_while(r, is_atom).n;
	row = ir_name_find(IMAP_FLAG_NAMES, IMAP_FLAG_COUNT, name);
	if (row == NULL)
		ir_fail(r, "unknown system flag");
	else
		flags->system |= row->value;
}

void
ir_flags(struct imap_reader *r, bool bare, struct imap_flags *flags)
{
	if (ir_take(r, '(')) {
		while (ir_more(r))
			read_flag(r, flags);
		return;
	}
	if (!bare || ir_at_end(r))
		ir_missing(r, "flag list expected");
	while (!ir_at_end(r)) {
		ir_skip_sp(r);
		read_flag(r, flags);
	}
}

static const struct imap_name STATUS_ITEMS[] = {
	{ STR("MESSAGES"), IMAP_STATUS_MESSAGES },
	{ STR("RECENT"), IMAP_STATUS_RECENT },
	{ STR("UIDNEXT"), IMAP_STATUS_UIDNEXT },
	{ STR("UIDVALIDITY"), IMAP_STATUS_UIDVALIDITY },
	{ STR("UNSEEN"), IMAP_STATUS_UNSEEN },
	{ STR("DELETED"), IMAP_STATUS_DELETED },
	{ STR("SIZE"), IMAP_STATUS_SIZE },
	{ STR("HIGHESTMODSEQ"), IMAP_STATUS_HIGHESTMODSEQ },
};

unsigned
ir_status_items(struct imap_reader *r)
{
	const struct imap_name *row;
	unsigned                items = 0;

	ir_open(r, "list of status items expected");
	while (ir_more(r)) {
		row = ir_name_find(STATUS_ITEMS, ARRAY_LEN(STATUS_ITEMS), ir_word(r));
		if (row == NULL)
			ir_fail(r, "unknown status item");
		else
			items |= row->value;
	}
	if (items == 0)
		ir_fail(r, "list of status items is empty");
	return items;
}

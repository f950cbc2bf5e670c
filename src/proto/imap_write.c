#include "proto/imap_write.h"

#include "codec/date.h"
#include "codec/mutf7.h"
#include "codec/utf8.h"
#include "proto/imap_read.h"

enum { QUOTED_MAX = 1000, TEXT_MAX = 200 };

void
imap_put_quoted(struct buf *b, struct str s)
{
	buf_byte(b, '"');
	while (s.n > 0) {
		size_t n = 0;

		while (n < s.n && s.p[n] != '"' && s.p[n] != '\\')
			n++;
		buf_put(b, s.p, n);
		if (n < s.n) {
			buf_byte(b, '\\');
			buf_byte(b, s.p[n]);
		}
		s = str_skip(s, n + 1);
	}
	buf_byte(b, '"');
}

void
imap_put_literal_head(struct buf *b, uint64_t n)
{
	buf_byte(b, '{');
	buf_u64(b, n);
	buf_str(b, STR("}\r\n"));
}

void
imap_put_literal(struct buf *b, struct str s)
{
	if (s.n == 0) {
		buf_str(b, STR("\"\""));
		return;
	}
	imap_put_literal_head(b, s.n);
	buf_str(b, s);
}

static bool
is_quotable(struct str s, bool utf8)
{
	bool eight_bit = false;

	if (s.n > QUOTED_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0')
			return false;
		eight_bit |= (unsigned char)s.p[i] >= 0x80;
	}
	return !eight_bit || (utf8 && utf8_valid(s));
}

void
imap_put_string(struct buf *b, struct str s, bool utf8)
{
	if (is_quotable(s, utf8))
		imap_put_quoted(b, s);
	else
		imap_put_literal(b, s);
}

void
imap_put_nstring(struct buf *b, struct str s, bool utf8)
{
	if (s.p == NULL)
		buf_str(b, STR("NIL"));
	else
		imap_put_string(b, s, utf8);
}

/* An atom that no client can take for something else. */
static bool
is_plain(struct str s)
{
	static const bool special[128] = {
		['('] = true, [')'] = true, ['{'] = true, ['%'] = true, ['*'] = true,
		['"'] = true, ['\\'] = true, ['['] = true, [']'] = true,
	};

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || special[(unsigned char)s.p[i]])
			return false;
	return s.n > 0 && s.n <= QUOTED_MAX && !str_ieq(s, STR("NIL"));
}

void
imap_put_astring(struct buf *b, struct str s, bool utf8)
{
	if (is_plain(s))
		buf_str(b, s);
	else
		imap_put_string(b, s, utf8);
}

/* Is modified UTF-7 the name itself? */
static bool
is_own_mutf7(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < ' ' || name.p[i] > '~' || name.p[i] == '&')
			return false;
	return true;
}

void
imap_put_mailbox(struct buf *b, struct str name, bool utf8)
{
	/* One byte can become five: "&AAE-". */
	OWN_BUF struct buf mutf7 = BUF_INIT(name.n * 5 + 1);

	if (utf8 || is_own_mutf7(name)) {
		imap_put_astring(b, name, utf8);
		return;
	}
	mutf7_from_utf8(name, &mutf7);
	if (mutf7.err < 0 && b->err == 0)
		b->err = mutf7.err;
	imap_put_astring(b, buf_view(&mutf7), false);
}

bool
imap_put_system_flags(struct buf *b, unsigned flags)
{
	bool any = false;

	for (size_t i = 0; i < IMAP_FLAG_COUNT; i++) {
		if ((flags & IMAP_FLAG_NAMES[i].value) == 0)
			continue;
		if (any)
			buf_byte(b, ' ');
		buf_str(b, IMAP_FLAG_NAMES[i].name);
		any = true;
	}
	return any;
}

void
imap_put_set(struct buf *b, const struct ranges *set)
{
	for (size_t i = 0; i < set->n; i++) {
		if (i > 0)
			buf_byte(b, ',');
		buf_u64(b, set->r[i].lo);
		if (set->r[i].hi != set->r[i].lo) {
			buf_byte(b, ':');
			buf_u64(b, set->r[i].hi);
		}
	}
}

void
imap_put_date_time(struct buf *b, int64_t ms, int zone_min)
{
	buf_byte(b, '"');
	date_put_imap(b, ms, zone_min);
	buf_byte(b, '"');
}

/* --- FETCH items --- */

/* In upper case, as the servers that clients know write them. */
static void
put_field_name(struct buf *b, struct str name)
{
	char   upper[64];
	size_t i;

	if (name.n > sizeof(upper)) {
		imap_put_astring(b, name, false);
		return;
	}
	for (i = 0; i < name.n; i++)
		upper[i] = ascii_upper(name.p[i]);
	imap_put_astring(b, str_of(upper, name.n), false);
}

static void
put_section(struct buf *b, const struct imap_section *s)
{
	static const struct str TEXTS[] = {
		[IMAP_SECTION_ALL] = STR(""),
		[IMAP_SECTION_HEADER] = STR("HEADER"),
		[IMAP_SECTION_FIELDS] = STR("HEADER.FIELDS"),
		[IMAP_SECTION_FIELDS_NOT] = STR("HEADER.FIELDS.NOT"),
		[IMAP_SECTION_TEXT] = STR("TEXT"),
		[IMAP_SECTION_MIME] = STR("MIME"),
	};

	buf_byte(b, '[');
	for (size_t i = 0; i < s->n_path; i++) {
		if (i > 0)
			buf_byte(b, '.');
		buf_u64(b, s->path[i]);
	}
	if (s->n_path > 0 && s->text != IMAP_SECTION_ALL)
		buf_byte(b, '.');
	buf_str(b, TEXTS[s->text]);
	for (size_t i = 0; i < s->n_fields; i++) {
		buf_str(b, i == 0 ? STR(" (") : STR(" "));
		put_field_name(b, s->fields[i]);
	}
	buf_str(b, s->n_fields > 0 ? STR(")]") : STR("]"));
}

void
imap_put_item_name(struct buf *b, const struct imap_fetch_item *item)
{
	static const struct str NAMES[] = {
		[IMAP_FETCH_FLAGS] = STR("FLAGS"),
		[IMAP_FETCH_UID] = STR("UID"),
		[IMAP_FETCH_INTERNALDATE] = STR("INTERNALDATE"),
		[IMAP_FETCH_SIZE] = STR("RFC822.SIZE"),
		[IMAP_FETCH_MODSEQ] = STR("MODSEQ"),
		[IMAP_FETCH_ENVELOPE] = STR("ENVELOPE"),
		[IMAP_FETCH_BODY] = STR("BODY"),
		[IMAP_FETCH_BODYSTRUCTURE] = STR("BODYSTRUCTURE"),
		[IMAP_FETCH_RFC822] = STR("RFC822"),
		[IMAP_FETCH_RFC822_HEADER] = STR("RFC822.HEADER"),
		[IMAP_FETCH_RFC822_TEXT] = STR("RFC822.TEXT"),
		[IMAP_FETCH_SECTION] = STR("BODY"),
		[IMAP_FETCH_BINARY] = STR("BINARY"),
		[IMAP_FETCH_BINARY_SIZE] = STR("BINARY.SIZE"),
	};

	buf_str(b, NAMES[item->kind]);
	if (item->kind >= IMAP_FETCH_SECTION)
		put_section(b, &item->section);
	if (item->partial) {
		buf_byte(b, '<');
		buf_u64(b, item->off);
		buf_byte(b, '>');
	}
}

void
imap_put_text(struct buf *b, struct str s)
{
	s = str_head(s, TEXT_MAX);
	for (size_t i = 0; i < s.n; i++)
		buf_byte(b, s.p[i] >= ' ' && s.p[i] <= '~' ? s.p[i] : '?');
}

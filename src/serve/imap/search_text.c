#include "serve/imap/search_text.h"

#include "base/error.h"
#include "codec/casefold.h"
#include "codec/charset.h"
#include "codec/date.h"
#include "mime/address.h"
#include "mime/header.h"
#include "mime/text.h"

enum {
	DECODE_STEP = 16 << 10,   /* bytes of a body decoded at once */
	WORK_MAX = 4 << 20,       /* what they can become, decoded or folded */
	SCRATCH_MAX = 16 << 20,   /* what a field of SEARCH_HEADER_MAX can become, decoded */
	FOLDED_MAX = 64 << 20,    /* and folded, twice; ten bytes of one are the worst */
	FACTS_MAX = 64 << 20
};

void
search_text_init(struct search_text *t, struct account *account, mailbox_id mailbox)
{
	*t = (struct search_text){
		.account = account,
		.mailbox = mailbox,
		.header = BUF_INIT(SEARCH_HEADER_MAX),
		.folded = BUF_INIT(FOLDED_MAX),
		.utf8 = BUF_INIT(WORK_MAX),
		.facts = BUF_INIT(FACTS_MAX),
		.piece = BUF_INIT(KV_BLOB_PIECE),
		.scratch = ARENA_INIT(SCRATCH_MAX),
	};
}

void
search_text_done(struct search_text *t)
{
	buf_done(&t->header);
	buf_done(&t->folded);
	buf_done(&t->utf8);
	buf_done(&t->facts);
	buf_done(&t->piece);
	arena_done(&t->scratch);
}

/* Makes each run of blanks behind `from` one blank: how a field was folded does not matter. */
static void
squeeze_blanks(struct buf *b, size_t from)
{
	size_t n = from;

	for (size_t i = from; i < b->n; i++) {
		char c = b->p[i] == '\t' ? ' ' : b->p[i];

		if (c != ' ' || n == from || b->p[n - 1] != ' ')
			b->p[n++] = c;
	}
	b->n = n;
}

/* Bytes that are no UTF-8 come from clients that say nothing of their charset. */
static int
fold_string(struct str text, bool squeeze, struct arena *a, struct str *ret)
{
	OWN_BUF struct buf utf8 = BUF_INIT(WORK_MAX), folded = BUF_INIT(WORK_MAX);
	int                r = charset_to_utf8(STR_NONE, text, &utf8);

	if (r < 0)
		return r;
	casefold(buf_view(&utf8), &folded);
	if (squeeze)
		squeeze_blanks(&folded, 0);
	return folded.err < 0 ? folded.err : arena_dup(a, buf_view(&folded), ret);
}

int
search_text_add(struct search_text *t, enum search_where where, struct str field, struct str text,
    struct arena *a, size_t *ret)
{
	struct search_string s = { .where = where, .field = field };
	int                  r;

	if (t->n == SEARCH_STRINGS_MAX || text.n > SEARCH_STRING_MAX)
		return E_LIMIT;
	if (t->strings == NULL)
		t->strings = arena_alloc(a, SEARCH_STRINGS_MAX * sizeof(*t->strings));
	if (t->strings == NULL)
		return E_NOMEM;
	r = fold_string(text, where == SEARCH_IN_FIELD, a, &s.folded);
	if (r < 0)
		return r;
	if (s.folded.n > t->longest)
		t->longest = s.folded.n;
	*ret = t->n;
	t->strings[t->n++] = s;
	return 0;
}

void
search_text_begin(struct search_text *t)
{
	for (size_t i = 0; i < t->n; i++)
		t->strings[i].known = SEARCH_UNKNOWN;
	t->has_date = SEARCH_UNKNOWN;
	buf_reset(&t->piece);
	arena_reset(&t->scratch);
}

static bool
is_open(const struct search_text *t, enum search_where where)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->strings[i].where == where && t->strings[i].known == SEARCH_UNKNOWN)
			return true;
	return false;
}

static void
look(struct search_string *s, struct str folded)
{
	if (s->known != SEARCH_UNKNOWN)
		return;
	if (s->folded.n == 0 || str_find(folded, s->folded) < folded.n)
		s->known = SEARCH_YES;
}

/* --- headers --- */

/* Appends what a raw value reads as, folded. */
static int
fold_value(struct search_text *t, struct str raw)
{
	struct str value;
	int        r;

	arena_reset(&t->scratch);
	r = header_decode(raw, &t->scratch, &value);
	if (r < 0 && r != E_LIMIT)
		return r;
	casefold(r == 0 ? value : raw, &t->folded);
	return t->folded.err;
}

static bool
has_addresses(struct str name)
{
	return str_ieq(name, STR("From")) || str_ieq(name, STR("To")) || str_ieq(name, STR("Cc")) ||
	    str_ieq(name, STR("Bcc"));
}

/* Appends the addresses as the envelope has them, "Name <mailbox@domain>", without the comments and
 * quotes that they were written with. */
static int
fold_addresses(struct search_text *t, struct str raw)
{
	OWN_ADDRESS_READER struct address_reader reader;
	struct address                           a;
	int                                      r = 0;

	address_reader_init(&reader, raw);
	while (r == 0 && address_next(&reader, &a)) {
		if (a.kind != ADDRESS_MAILBOX)
			continue;
		buf_byte(&t->folded, '\n');
		r = fold_value(t, a.name);
		buf_str(&t->folded, STR(" <"));
		casefold(a.mailbox, &t->folded);
		buf_byte(&t->folded, '@');
		casefold(a.domain, &t->folded);
		buf_byte(&t->folded, '>');
	}
	return r < 0 ? r : t->folded.err;
}

/* The field's text, "Name: value", decoded and folded; the value begins at *ret_value. */
static int
fold_field(struct search_text *t, const struct header_field *f, size_t *ret_value)
{
	int r;

	buf_reset(&t->folded);
	casefold(f->name, &t->folded);
	buf_str(&t->folded, STR(": "));
	*ret_value = t->folded.n;
	r = fold_value(t, f->value);
	if (r == 0 && has_addresses(f->name))
		r = fold_addresses(t, f->value);
	if (r == 0)
		squeeze_blanks(&t->folded, *ret_value);
	return r;
}

static bool
wants_field(const struct search_string *s, struct str name, bool top)
{
	if (s->known != SEARCH_UNKNOWN || s->where == SEARCH_IN_BODY)
		return false;
	return s->where == SEARCH_IN_TEXT || (top && str_ieq(s->field, name));
}

static int
look_in_field(struct search_text *t, const struct header_field *f, bool top)
{
	size_t value = 0;
	bool   folded = false;
	int    r;

	for (size_t i = 0; i < t->n; i++) {
		struct search_string *s = &t->strings[i];

		if (!wants_field(s, f->name, top))
			continue;
		if (!folded) {
			r = fold_field(t, f, &value);
			if (r < 0)
				return r;
			folded = true;
		}
		look(s, str_skip(buf_view(&t->folded), s->where == SEARCH_IN_FIELD ? value : 0));
	}
	return 0;
}

static void
look_at_date(struct search_text *t, struct str value)
{
	int64_t ms;
	int     zone_min;

	if (t->has_date != SEARCH_UNKNOWN || date_parse_rfc5322(value, &ms, &zone_min) < 0)
		return;
	t->has_date = SEARCH_YES;
	t->date_day = date_day(ms, zone_min);
}

/* top: the message's own header; else that of a part. */
static int
look_in_header(struct search_text *t, struct str section, bool top)
{
	struct header_field f;
	int                 r = 0;

	while (r == 0 && header_next(&section, &f)) {
		if (top && str_ieq(f.name, STR("Date")))
			look_at_date(t, f.value);
		r = look_in_field(t, &f, top);
	}
	return r;
}

int
search_text_header(struct search_text *t, const struct message *m)
{
	uint64_t n = m->header_n < SEARCH_HEADER_MAX ? m->header_n : SEARCH_HEADER_MAX;
	int      r;

	buf_reset(&t->header);
	r = message_read(t->account, m, 0, (size_t)n, &t->header);
	if (r == 0)
		r = look_in_header(t, buf_view(&t->header), true);
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n; i++)
		if (t->strings[i].where == SEARCH_IN_FIELD && t->strings[i].known == SEARCH_UNKNOWN)
			t->strings[i].known = SEARCH_NO;
	if (t->has_date == SEARCH_UNKNOWN)
		t->has_date = SEARCH_NO;
	return 0;
}

/* --- bodies --- */

/* Bytes from `off` on, at most n, at least one unless the message ends there. Whole pieces of the
 * blob are read, and kept: parts lie close together. */
static int
read_at(struct search_text *t, const struct message *m, uint64_t off, uint64_t n, struct str *ret)
{
	struct str got;
	int        r;

	if (off < t->piece_off || off - t->piece_off >= t->piece.n) {
		uint64_t from = off;

		if (off >= m->header_n)
			from -= (off - m->header_n) % KV_BLOB_PIECE;
		buf_reset(&t->piece);
		t->piece_off = from;
		r = message_read(t->account, m, from, KV_BLOB_PIECE, &t->piece);
		if (r < 0)
			return r;
	}
	got = str_skip(buf_view(&t->piece), (size_t)(off - t->piece_off));
	*ret = n < got.n ? str_head(got, (size_t)n) : got;
	return 0;
}

/* New text of a body is in t->utf8. Of the folded text so much stays as a string may begin in. */
static int
look_in_text(struct search_text *t)
{
	size_t keep = t->longest > 0 ? t->longest - 1 : 0;

	casefold(buf_view(&t->utf8), &t->folded);
	buf_reset(&t->utf8);
	if (t->folded.err < 0)
		return t->folded.err;
	for (size_t i = 0; i < t->n; i++)
		if (t->strings[i].where != SEARCH_IN_FIELD)
			look(&t->strings[i], buf_view(&t->folded));
	if (t->folded.n > keep)
		buf_consume(&t->folded, t->folded.n - keep);
	return 0;
}

static int
decode_body(struct search_text *t, const struct message *m, const struct message_part *p,
    struct text_decoder *d)
{
	uint64_t   off = p->body_off, end = p->body_off + p->body_n;
	struct str raw;
	int        r = 0;

	while (r == 0 && off < end) {
		r = read_at(t, m, off, end - off < DECODE_STEP ? end - off : DECODE_STEP, &raw);
		if (r < 0 || raw.n == 0)
			break;
		off += raw.n;
		r = text_decoder_feed(d, raw, &t->utf8);
		if (r == 0)
			r = look_in_text(t);
	}
	if (r == 0)
		r = text_decoder_end(d, &t->utf8);
	return r == 0 ? look_in_text(t) : r;
}

static int
look_in_body(struct search_text *t, const struct message *m, const struct message_part *p)
{
	OWN(text_decoder) d = NULL;
	int               r = text_decoder_new(p->encoding, p->charset, &d);

	buf_reset(&t->utf8);
	buf_reset(&t->folded);
	return r < 0 ? r : decode_body(t, m, p, d);
}

static int
look_in_part_header(struct search_text *t, const struct message *m, const struct message_part *p)
{
	uint64_t n = p->header_n < SEARCH_HEADER_MAX ? p->header_n : SEARCH_HEADER_MAX;
	int      r;

	buf_reset(&t->header);
	r = message_read(t->account, m, p->header_off, (size_t)n, &t->header);
	return r < 0 ? r : look_in_header(t, buf_view(&t->header), false);
}

static bool
is_text(const struct message_part *p)
{
	if (p->is_multipart || p->is_message)
		return false;
	return str_eq(p->type, STR("text")) || str_eq(p->type, STR("message"));
}

static int
look_in_parts(struct search_text *t, const struct message *m, const struct message_part *parts,
    uint32_t n)
{
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		if (i > 0 && is_open(t, SEARCH_IN_TEXT))
			r = look_in_part_header(t, m, &parts[i]);
		if (r == 0 && is_text(&parts[i]) &&
		    (is_open(t, SEARCH_IN_TEXT) || is_open(t, SEARCH_IN_BODY)))
			r = look_in_body(t, m, &parts[i]);
	}
	return r;
}

int
search_text_body(struct search_text *t, const struct message *m)
{
	OWN_ARENA struct arena a = ARENA_INIT(SCRATCH_MAX);
	struct message_facts   facts;
	struct message_part   *parts;
	uint32_t               n;
	int                    r;

	buf_reset(&t->facts);
	r = message_get_facts(t->account, t->mailbox, m->uid, &t->facts, &facts);
	if (r == 0)
		r = message_parts_unpack(facts.parts, &a, &parts, &n);
	if (r == 0)
		r = look_in_parts(t, m, parts, n);
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->n; i++)
		if (t->strings[i].known == SEARCH_UNKNOWN)
			t->strings[i].known = t->strings[i].folded.n == 0 ? SEARCH_YES : SEARCH_NO;
	return 0;
}

/* What a message says: decoded, and folded for comparison. */
#include "base/error.h"
#include "base/mem.h"
#include "codec/casefold.h"
#include "codec/date.h"
#include "mime/address.h"
#include "mime/header.h"
#include "mime/text.h"
#include "store/text.h"

enum {
	DECODE_STEP = 16 << 10,   /* bytes of a body decoded at once */
	WORK_MAX = 4 << 20,       /* what they can become, decoded or folded */
	SCRATCH_MAX = 16 << 20,   /* what a field of TEXT_HEADER_MAX can become, decoded */
	FOLDED_MAX = 64 << 20,    /* and folded, twice; ten bytes of one are the worst */
	FACTS_MAX = 64 << 20
};

struct text_builder {
	struct account         *account;
	const struct text_want *want;
	const struct text_sink *sink;
	struct text_date        date;
	struct buf              header, folded, utf8, facts;
	struct buf              piece;     /* bytes of the message from piece_off on */
	uint64_t                piece_off;
	struct arena            scratch;   /* of one field */
	struct arena            parts;     /* of one message */
	struct buf              whole;     /* of text_make */
	size_t                  top_n, head_n;
};

int
text_builder_new(struct account *a, struct text_builder **ret)
{
	struct text_builder *b = MEM_NEW(struct text_builder);

	if (b == NULL)
		return E_NOMEM;
	*b = (struct text_builder){
		.account = a,
		.header = BUF_INIT(TEXT_HEADER_MAX),
		.folded = BUF_INIT(FOLDED_MAX),
		.utf8 = BUF_INIT(WORK_MAX),
		.facts = BUF_INIT(FACTS_MAX),
		.piece = BUF_INIT(KV_BLOB_PIECE),
		.scratch = ARENA_INIT(SCRATCH_MAX),
		.parts = ARENA_INIT(SCRATCH_MAX),
		.whole = BUF_INIT(TEXT_KEEP_MAX),
	};
	*ret = b;
	return 0;
}

void
text_builder_drop(struct text_builder *b)
{
	buf_done(&b->header);
	buf_done(&b->folded);
	buf_done(&b->utf8);
	buf_done(&b->facts);
	buf_done(&b->piece);
	buf_done(&b->whole);
	arena_done(&b->scratch);
	arena_done(&b->parts);
	mem_free(b);
}

/* --- fields --- */

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

/* Appends what a raw value reads as, folded. */
static int
fold_value(struct text_builder *b, struct str raw)
{
	struct str value;
	int        r;

	arena_reset(&b->scratch);
	r = header_decode(raw, &b->scratch, &value);
	if (r < 0 && r != E_LIMIT)
		return r;
	casefold(r == 0 ? value : raw, &b->folded);
	return b->folded.err;
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
fold_addresses(struct text_builder *b, struct str raw)
{
	OWN_ADDRESS_READER struct address_reader reader;
	struct address                           a;
	int                                      r = 0;

	address_reader_init(&reader, raw);
	while (r == 0 && address_next(&reader, &a)) {
		if (a.kind != ADDRESS_MAILBOX)
			continue;
		buf_byte(&b->folded, '\n');
		r = fold_value(b, a.name);
		buf_str(&b->folded, STR(" <"));
		casefold(a.mailbox, &b->folded);
		buf_byte(&b->folded, '@');
		casefold(a.domain, &b->folded);
		buf_byte(&b->folded, '>');
	}
	return r < 0 ? r : b->folded.err;
}

static int
put_field(struct text_builder *b, const struct header_field *f, enum text_where where)
{
	struct text_piece piece = { .where = where, .name = f->name, .is_last = true };
	int               r;

	buf_reset(&b->folded);
	casefold(f->name, &b->folded);
	buf_str(&b->folded, STR(": "));
	piece.value = b->folded.n;
	r = fold_value(b, f->value);
	if (r == 0 && has_addresses(f->name))
		r = fold_addresses(b, f->value);
	if (r < 0)
		return r;
	squeeze_blanks(&b->folded, piece.value);
	piece.folded = buf_view(&b->folded);
	return b->sink->put(b->sink->arg, &piece);
}

static void
look_at_date(struct text_builder *b, struct str value)
{
	int64_t ms;
	int     zone_min;

	if (b->date.is_there || date_parse_rfc5322(value, &ms, &zone_min) < 0)
		return;
	b->date = (struct text_date){ true, date_day(ms, zone_min) };
}

static int
put_fields(struct text_builder *b, struct str section, enum text_where where)
{
	struct header_field f;
	int                 r = 0;

	while (r == 0 && header_next(&section, &f)) {
		if (where == TEXT_IN_TOP && str_ieq(f.name, STR("Date")))
			look_at_date(b, f.value);
		r = put_field(b, &f, where);
	}
	return r;
}

/* --- bytes --- */

/* Bytes from `off` on, at most n, at least one unless the message ends there. Whole pieces of the
 * blob are read, and kept: parts lie close together. */
static int
read_at(struct text_builder *b, uint64_t off, uint64_t n, struct str *ret)
{
	const struct message *m = b->want->message;
	struct str            got;
	int                   r;

	if (off < b->piece_off || off - b->piece_off >= b->piece.n) {
		uint64_t from = off;

		if (off >= m->header_n)
			from -= (off - m->header_n) % KV_BLOB_PIECE;
		buf_reset(&b->piece);
		b->piece_off = from;
		r = message_read(b->account, m, from, KV_BLOB_PIECE, &b->piece);
		if (r < 0)
			return r;
	}
	got = str_skip(buf_view(&b->piece), (size_t)(off - b->piece_off));
	*ret = n < got.n ? str_head(got, (size_t)n) : got;
	return 0;
}

/* The header section of a part, or its first TEXT_HEADER_MAX bytes. */
static int
read_part_header(struct text_builder *b, const struct message_part *p)
{
	uint64_t   n = p->header_n < TEXT_HEADER_MAX ? p->header_n : TEXT_HEADER_MAX;
	struct str got;
	int        r = 0;

	buf_reset(&b->header);
	while (r == 0 && b->header.n < n) {
		r = read_at(b, p->header_off + b->header.n, n - b->header.n, &got);
		if (r < 0 || got.n == 0)
			break;
		buf_str(&b->header, got);
		r = b->header.err;
	}
	return r;
}

/* --- bodies --- */

/* What was decoded last. */
static int
put_decoded(struct text_builder *b, bool is_last)
{
	struct text_piece piece = { .where = TEXT_IN_BODY, .is_last = is_last };

	buf_reset(&b->folded);
	casefold(buf_view(&b->utf8), &b->folded);
	buf_reset(&b->utf8);
	if (b->folded.err < 0)
		return b->folded.err;
	piece.folded = buf_view(&b->folded);
	return b->sink->put(b->sink->arg, &piece);
}

static int
decode_body(struct text_builder *b, const struct message_part *p, struct text_decoder *d)
{
	uint64_t   off = p->body_off, end = p->body_off + p->body_n;
	struct str raw;
	int        r = 0;

	while (r == 0 && off < end) {
		r = read_at(b, off, end - off < DECODE_STEP ? end - off : DECODE_STEP, &raw);
		if (r < 0 || raw.n == 0)
			break;
		off += raw.n;
		r = text_decoder_feed(d, raw, &b->utf8);
		if (r == 0)
			r = put_decoded(b, false);
	}
	if (r == 0)
		r = text_decoder_end(d, &b->utf8);
	return r == 0 ? put_decoded(b, true) : r;
}

static int
put_body(struct text_builder *b, const struct message_part *p)
{
	OWN(text_decoder) d = NULL;
	int               r = text_decoder_new(p->encoding, p->charset, &d);

	buf_reset(&b->utf8);
	return r < 0 ? r : decode_body(b, p, d);
}

static bool
is_text(const struct message_part *p)
{
	if (p->is_multipart || p->is_message)
		return false;
	return str_eq(p->type, STR("text")) || str_eq(p->type, STR("message"));
}

static int
put_parts(struct text_builder *b)
{
	struct message_facts facts;
	struct message_part *parts;
	uint32_t             n = 0;
	int                  r;

	buf_reset(&b->facts);
	arena_reset(&b->parts);
	r = message_get_facts(
	    b->account, b->want->mailbox, b->want->message->uid, &b->facts, &facts);
	if (r == 0)
		r = message_parts_unpack(facts.parts, &b->parts, &parts, &n);
	for (uint32_t i = 1; r == 0 && i < n; i++) {
		r = read_part_header(b, &parts[i]);
		if (r == 0)
			r = put_fields(b, buf_view(&b->header), TEXT_IN_PART);
	}
	for (uint32_t i = 0; r == 0 && i < n; i++)
		if (is_text(&parts[i]))
			r = put_body(b, &parts[i]);
	return r;
}

static int
decode(struct text_builder *b)
{
	const struct message *m = b->want->message;
	uint64_t              n = m->header_n < TEXT_HEADER_MAX ? m->header_n : TEXT_HEADER_MAX;
	int                   r;

	buf_reset(&b->piece);
	buf_reset(&b->header);
	r = message_read(b->account, m, 0, (size_t)n, &b->header);
	if (r == 0)
		r = put_fields(b, buf_view(&b->header), TEXT_IN_TOP);
	return r != 0 || b->want->top_only ? r : put_parts(b);
}

int
text_decode(struct text_builder *b, const struct text_want *want, const struct text_sink *sink,
    struct text_date *ret)
{
	int r;

	b->want = want;
	b->sink = sink;
	b->date.is_there = false;
	r = decode(b);
	if (r < 0)
		return r;
	*ret = b->date;
	return 0;
}

/* --- all of it --- */

/* The pieces come region by region. */
static int
keep_piece(void *arg, const struct text_piece *piece)
{
	struct text_builder *b = arg;

	buf_str(&b->whole, piece->folded);
	if (piece->is_last)
		buf_byte(&b->whole, TEXT_END);
	if (piece->where == TEXT_IN_TOP)
		b->top_n = b->whole.n;
	if (piece->where != TEXT_IN_BODY)
		b->head_n = b->whole.n;
	return b->whole.err == E_LIMIT && piece->where != TEXT_IN_TOP ? 1 : 0;
}

int
text_make(struct text_builder *b, const struct text_want *want, struct text *ret)
{
	const struct text_sink sink = { keep_piece, b };
	struct text            t = { 0 };
	int                    r;

	buf_reset(&b->whole);
	b->top_n = b->head_n = 0;
	r = text_decode(b, want, &sink, &t.date);
	if (r == 0 && b->whole.err != E_LIMIT)
		r = b->whole.err;
	if (r < 0)
		return r;
	t.is_large = b->whole.err == E_LIMIT;
	if (!t.is_large) {
		t.folded = buf_view(&b->whole);
		t.top_n = b->top_n;
		t.head_n = b->head_n;
	}
	*ret = t;
	return 0;
}

/* One message's answer to FETCH. RFC 3501 s7.4.2, RFC 9051 s7.5.2 */
#include "base/error.h"
#include "mime/header.h"
#include "mime/message.h"
#include "serve/imap/digits.h"
#include "serve/imap/fetch.h"

enum { PARTS_ARENA_MAX = 4 << 20, HEADER_MAX = 16 << 20, FACTS_MAX = 64 << 20 };

/* Bytes of the message that answer a section. RFC 3501 has no word for a part that is not there: as
 * from Dovecot, it is an empty string. */
struct extent {
	bool     missing;
	uint64_t off, n;
};

static bool
names_part(const struct imap_fetch_item *it)
{
	return it->kind == IMAP_FETCH_SECTION && it->section.n_path != 0;
}

static bool
has_section(const struct imap_fetch_item *it)
{
	return it->kind == IMAP_FETCH_SECTION || it->kind == IMAP_FETCH_RFC822 ||
	       it->kind == IMAP_FETCH_RFC822_HEADER || it->kind == IMAP_FETCH_RFC822_TEXT;
}

/* HEADER.FIELDS of the whole message: as a rule the facts have the answer. */
static bool
is_fields(const struct imap_fetch_item *it)
{
	return !it->partial && it->kind == IMAP_FETCH_SECTION && it->section.n_path == 0 &&
	       it->section.text == IMAP_SECTION_FIELDS;
}

static int
make_asks(struct fetch *f)
{
	const struct imap_fetch *ask = f->ask;
	struct arena            *arena = &f->session->arena;
	int                      r = 0;

	f->fields = arena_alloc(arena, ask->n_items * sizeof(*f->fields));
	f->found_fields = arena_alloc(arena, ask->n_items * sizeof(*f->found_fields));
	if (f->fields == NULL || f->found_fields == NULL)
		return E_NOMEM;
	for (size_t i = 0; r == 0 && i < ask->n_items; i++)
		if (is_fields(&ask->items[i]))
			r = fields_ask_make(ask->items[i].section.fields,
			    ask->items[i].section.n_fields, arena, &f->fields[i]);
	return r;
}

/* The same for each message: so it is written once. */
static int
make_names(struct fetch *f)
{
	OWN_BUF struct buf name = BUF_INIT(IMAP_COMMAND_ARENA_MAX / 4);
	struct arena      *arena = &f->session->arena;
	int                r = 0;

	f->names = arena_alloc(arena, f->ask->n_items * sizeof(*f->names));
	if (f->names == NULL)
		return E_NOMEM;
	for (size_t i = 0; r == 0 && i < f->ask->n_items; i++) {
		if (!has_section(&f->ask->items[i]))
			continue;
		buf_reset(&name);
		imap_put_item_name(&name, &f->ask->items[i]);
		buf_byte(&name, ' ');
		r = name.err < 0 ? name.err : arena_dup(arena, buf_view(&name), &f->names[i]);
	}
	return r;
}

int
fetch_init(struct fetch *f, struct imap_session *s, const struct imap_fetch *ask, bool uid)
{
	int r;

	f->session = s;
	f->ask = ask;
	f->put_uid = uid;
	buf_init(&f->now.facts_hold, FACTS_MAX);
	buf_init(&f->now.header, HEADER_MAX);
	buf_init(&f->now.chosen, HEADER_MAX);
	arena_init(&f->now.parts_arena, PARTS_ARENA_MAX);
	for (size_t i = 0; i < ask->n_items; i++) {
		const struct imap_fetch_item *it = &ask->items[i];

		f->has_flags |= it->kind == IMAP_FETCH_FLAGS;
		f->has_modseq |= it->kind == IMAP_FETCH_MODSEQ;
		f->needs_facts |= it->kind == IMAP_FETCH_ENVELOPE || it->kind == IMAP_FETCH_BODY ||
		                  it->kind == IMAP_FETCH_BODYSTRUCTURE || names_part(it) ||
		                  is_fields(it);
		f->has_fields |= is_fields(it);
		f->needs_record |= it->kind == IMAP_FETCH_INTERNALDATE ||
		                   it->kind == IMAP_FETCH_SIZE || it->kind == IMAP_FETCH_MODSEQ ||
		                   (has_section(it) && !is_fields(it));
		f->sets_seen |= !it->peek && has_section(it) &&
		                it->kind != IMAP_FETCH_RFC822_HEADER && !s->view->read_only;
	}
	f->needs_record |= f->sets_seen || ask->has_changed_since;
	r = make_names(f);
	return r < 0 ? r : make_asks(f);
}

void
fetch_done(struct fetch *f)
{
	walk_pause(&f->walk);
	ranges_done(&f->uids);
	ranges_done(&f->seen);
	buf_done(&f->now.facts_hold);
	buf_done(&f->now.header);
	buf_done(&f->now.chosen);
	arena_done(&f->now.parts_arena);
}

/* --- small items --- */

/* The blank between two items. */
static struct buf *
next_item(struct fetch *f)
{
	struct buf *out = conn_output(f->session->conn);

	if (f->now.any)
		buf_byte(out, ' ');
	f->now.any = true;
	return out;
}

/* "NAME 123", and what may follow the number. */
static void
put_number(struct fetch *f, struct str name, uint64_t value, struct str end)
{
	struct buf *out = conn_output(f->session->conn);
	char       *room = buf_room(out, 1 + name.n + DIGITS_MAX + end.n), *p = room;

	if (room == NULL)
		return;
	if (f->now.any)
		*p++ = ' ';
	f->now.any = true;
	memcpy(p, name.p, name.n);
	p = put_digits(p + name.n, value);
	memcpy(p, end.p, end.n);
	buf_commit(out, (size_t)(p + end.n - room));
}

static void
put_uid(struct fetch *f)
{
	put_number(f, STR("UID "), f->now.m.uid, STR(""));
}

static void
put_modseq(struct fetch *f)
{
	put_number(f, STR("MODSEQ ("), f->now.m.modseq, STR(")"));
}

static void
put_flags(struct fetch *f)
{
	struct buf *out = next_item(f);

	buf_str(out, STR("FLAGS ("));
	view_put_flags(f->session->view, out, &f->now.m);
	buf_byte(out, ')');
}

static void
put_fact(struct fetch *f, struct str name, struct str value)
{
	struct buf *out = next_item(f);

	buf_str(out, name);
	buf_str(out, value);
}

static void
put_date(struct fetch *f)
{
	struct buf *out = next_item(f);

	buf_str(out, STR("INTERNALDATE "));
	imap_put_date_time(out, f->now.m.internal_ms, f->now.m.internal_zone_min);
}

/* --- sections: which bytes --- */

static int
unpack_parts(struct fetch *f)
{
	struct fetch_message *now = &f->now;

	if (now->parts != NULL)
		return 0;
	arena_reset(&now->parts_arena);
	return message_parts_unpack(
	    now->facts.parts, &now->parts_arena, &now->parts, &now->n_parts);
}

/* Header and text of a whole message: the one at hand, or one inside a message/rfc822 part. */
static struct extent
message_extent(const struct extent *header, uint64_t end, enum imap_section_text text)
{
	uint64_t body = header->off + header->n;

	switch (text) {
	case IMAP_SECTION_ALL:
		return (struct extent){ false, header->off, end - header->off };
	case IMAP_SECTION_TEXT:
		return (struct extent){ false, body, end - body };
	default:
		return *header;
	}
}

static int
part_extent(struct fetch *f, const struct imap_section *sec, struct extent *ret)
{
	const struct extent        none = { .missing = true };
	const struct message_part *p, *inner;
	struct extent              header;
	int                        r = unpack_parts(f);

	if (r < 0)
		return r;
	p = message_part_find(f->now.parts, f->now.n_parts, sec->path, sec->n_path);
	*ret = none;
	if (p == NULL)
		return 0;
	if (sec->text == IMAP_SECTION_ALL) {
		*ret = (struct extent){ false, p->body_off, p->body_n };
	} else if (sec->text == IMAP_SECTION_MIME) {
		*ret = (struct extent){ false, p->header_off, p->header_n };
	} else if (p->is_message && p->n_children != 0) {
		inner = &f->now.parts[p->first_child];
		header = (struct extent){ false, inner->header_off, inner->header_n };
		*ret = message_extent(&header, p->body_off + p->body_n, sec->text);
	}
	return 0;
}

static int
section_extent(struct fetch *f, const struct imap_fetch_item *it, struct extent *ret)
{
	const struct extent    header = { false, 0, f->now.m.header_n };
	enum imap_section_text text = IMAP_SECTION_ALL;

	if (names_part(it))
		return part_extent(f, &it->section, ret);
	if (it->kind == IMAP_FETCH_SECTION)
		text = it->section.text;
	else if (it->kind == IMAP_FETCH_RFC822_HEADER)
		text = IMAP_SECTION_HEADER;
	else if (it->kind == IMAP_FETCH_RFC822_TEXT)
		text = IMAP_SECTION_TEXT;
	*ret = message_extent(&header, f->now.m.size, text);
	return 0;
}

/* --- sections: putting them --- */

static void
cut(const struct imap_fetch_item *it, uint64_t *off, uint64_t *n)
{
	uint64_t skip;

	if (!it->partial)
		return;
	skip = it->off < *n ? it->off : *n;
	*off += skip;
	*n -= skip;
	if (*n > it->n)
		*n = it->n;
}

/* A read ends where a piece of the body ends, so that none is read twice. */
static size_t
read_size(const struct fetch *f)
{
	uint64_t n = f->now.literal_left;
	uint64_t stop;

	if (f->now.literal_off < f->now.m.header_n)
		stop = f->now.m.header_n - f->now.literal_off + KV_BLOB_PIECE;
	else
		stop = KV_BLOB_PIECE - (f->now.literal_off - f->now.m.header_n) % KV_BLOB_PIECE;
	return (size_t)(n < stop ? n : stop);
}

static int
put_literal_more(struct fetch *f)
{
	struct conn *conn = f->session->conn;
	struct buf  *out = conn_output(conn);

	while (f->now.literal_left > 0) {
		size_t n, had = out->n;
		int    r;

		if (conn_output_full(conn))
			return FETCH_FULL;
		n = read_size(f);
		r = message_read(f->session->account, &f->now.m, f->now.literal_off, n, out);
		if (r < 0)
			return r;
		if (out->n - had != n)
			return out->err < 0 ? out->err : E_CORRUPT;
		f->now.literal_off += n;
		f->now.literal_left -= n;
	}
	f->now.in_literal = false;
	return FETCH_DONE;
}

/* For the ledger of devices. A message that comes in pieces counts with its first one. */
static void
count_fetched(struct fetch *f, const struct imap_fetch_item *it, const struct extent *e)
{
	struct device_counts *counts = &f->session->counts;
	bool                  all = it->kind == IMAP_FETCH_RFC822;

	if (it->kind == IMAP_FETCH_SECTION)
		all = it->section.n_path == 0 && it->section.text == IMAP_SECTION_ALL;
	if (!all)
		return;
	counts->fetched_n += e->off == 0;
	counts->fetched_bytes += e->n;
}

static int
put_extent(struct fetch *f, const struct imap_fetch_item *it, struct extent e)
{
	struct buf *out = next_item(f);

	buf_str(out, f->names[it - f->ask->items]);
	cut(it, &e.off, &e.n);
	if (e.n == 0) {
		buf_str(out, STR("\"\""));
		return FETCH_DONE;
	}
	count_fetched(f, it, &e);
	imap_put_literal_head(out, e.n);
	f->now.in_literal = true;
	f->now.literal_off = e.off;
	f->now.literal_left = e.n;
	return put_literal_more(f);
}

/* HEADER.FIELDS: chosen fields of a header section that is read as a whole. */
static int
put_fields(struct fetch *f, const struct imap_fetch_item *it, struct extent e)
{
	const struct imap_section *sec = &it->section;
	uint64_t                   off = 0, n;
	struct buf                *out;
	int                        r;

	buf_reset(&f->now.header);
	buf_reset(&f->now.chosen);
	r = message_read(f->session->account, &f->now.m, e.off, (size_t)e.n, &f->now.header);
	if (r < 0)
		return r;
	header_fields(buf_view(&f->now.header), sec->fields, sec->n_fields,
	    sec->text == IMAP_SECTION_FIELDS_NOT, &f->now.chosen);
	if (f->now.header.err < 0 || f->now.chosen.err < 0)
		return f->now.header.err < 0 ? f->now.header.err : f->now.chosen.err;
	n = f->now.chosen.n;
	cut(it, &off, &n);
	out = next_item(f);
	buf_str(out, f->names[it - f->ask->items]);
	imap_put_literal(out, str_head(str_skip(buf_view(&f->now.chosen), (size_t)off), (size_t)n));
	return FETCH_DONE;
}

/* How much of the answer the facts know. */
static bool
know_fields(struct fetch *f)
{
	bool all = true;

	for (size_t i = 0; i < f->ask->n_items; i++)
		if (is_fields(&f->ask->items[i])) {
			fields_find(&f->fields[i], f->now.facts.fields, &f->found_fields[i]);
			all &= f->found_fields[i].known;
		}
	return all;
}

/* The same from the facts; false when the header must be read. */
static bool
put_known_fields(struct fetch *f, const struct imap_fetch_item *it)
{
	const size_t               i = (size_t)(it - f->ask->items);
	const struct fields_found *found = &f->found_fields[i];
	const size_t               n = found->bytes;
	const struct str           name = f->names[i];
	struct buf                *out = conn_output(f->session->conn);
	char                      *room, *p;

	if (!found->known)
		return false;
	room = p = buf_room(out, name.n + DIGITS_MAX + 8 + n);
	if (room == NULL)
		return true;
	if (f->now.any)
		*p++ = ' ';
	f->now.any = true;
	p = (char *)memcpy(p, name.p, name.n) + name.n;
	if (n == 0) {
		p = PUT_TEXT(p, "\"\"");
	} else {
		*p++ = '{';
		p = put_digits(p, n);
		p = PUT_TEXT(p, "}\r\n");
		p = fields_put(found, f->now.facts.fields, p);
	}
	buf_commit(out, (size_t)(p - room));
	return true;
}

static int
put_section(struct fetch *f, const struct imap_fetch_item *it)
{
	enum imap_section_text text = it->section.text;
	struct extent          e;
	int                    r;

	if (is_fields(it) && put_known_fields(f, it))
		return FETCH_DONE;
	r = section_extent(f, it, &e);
	if (r < 0)
		return r;
	if (it->kind == IMAP_FETCH_SECTION && !e.missing &&
	    (text == IMAP_SECTION_FIELDS || text == IMAP_SECTION_FIELDS_NOT))
		return put_fields(f, it, e);
	return put_extent(f, it, e);
}

static int
put_item(struct fetch *f, const struct imap_fetch_item *it)
{
	switch (it->kind) {
	case IMAP_FETCH_FLAGS:
		put_flags(f);
		return FETCH_DONE;
	case IMAP_FETCH_UID:
		if (!f->put_uid)
			put_uid(f);
		return FETCH_DONE;
	case IMAP_FETCH_INTERNALDATE:
		put_date(f);
		return FETCH_DONE;
	case IMAP_FETCH_SIZE:
		put_number(f, STR("RFC822.SIZE "), f->now.m.size, STR(""));
		return FETCH_DONE;
	case IMAP_FETCH_MODSEQ:
		put_modseq(f);
		return FETCH_DONE;
	case IMAP_FETCH_ENVELOPE:
		put_fact(f, STR("ENVELOPE "), f->now.facts.envelope);
		return FETCH_DONE;
	case IMAP_FETCH_BODY:
		put_fact(f, STR("BODY "), f->now.facts.body);
		return FETCH_DONE;
	case IMAP_FETCH_BODYSTRUCTURE:
		put_fact(f, STR("BODYSTRUCTURE "), f->now.facts.body_structure);
		return FETCH_DONE;
	default:
		return put_section(f, it);
	}
}

/* --- the message --- */

/* \Seen was just set: that is told in the same answer (RFC 3501 s6.4.5). */
static void
put_seen(struct fetch *f)
{
	if (f->session->condstore && !f->put_uid)
		put_uid(f);
	if (!f->has_flags)
		put_flags(f);
	if (f->session->condstore && !f->has_modseq)
		put_modseq(f);
}

static void
put_line_start(struct fetch *f)
{
	struct buf *out = conn_output(f->session->conn);
	char       *room = buf_room(out, 2 + DIGITS_MAX + 8), *p;

	if (room == NULL)
		return;
	p = put_digits(PUT_TEXT(room, "* "), view_number(f->session->view, f->now.m.uid));
	p = PUT_TEXT(p, " FETCH (");
	buf_commit(out, (size_t)(p - room));
}

enum message_parts
fetch_parts(const struct fetch *f)
{
	const bool needs_modseq = f->has_modseq || f->ask->has_changed_since ||
	                          f->session->condstore;

	if (f->needs_record && needs_modseq)
		return f->needs_facts ? SCAN_RECORDS_FACTS : SCAN_RECORDS;
	if (f->needs_record)
		return f->needs_facts ? SCAN_KEPT_FACTS : SCAN_KEPT;
	if (f->has_flags)
		return f->needs_facts ? SCAN_FLAGS_FACTS : SCAN_FLAGS;
	return f->needs_facts ? SCAN_FACTS : SCAN_FLAGS;
}

int
fetch_message_begin(struct fetch *f)
{
	struct buf *out = conn_output(f->session->conn);
	bool        now_seen = f->seen.n != 0 && ranges_has(&f->seen, f->now.m.uid);
	int         r;

	if (f->has_fields && !know_fields(f) && !f->needs_record) {
		r = message_get(f->session->account, f->session->view->mailbox, f->now.m.uid,
		    &f->now.m);
		if (r < 0)
			return r;
	}
	f->now.open = true;
	f->now.parts = NULL;
	f->now.item = 0;
	f->now.any = false;
	f->now.in_literal = false;
	if (f->has_flags || now_seen)
		view_put_flag_list_for(f->session->view, out, &f->now.m.flags);
	f->now.whole = true;
	f->now.line_at = out->n;
	put_line_start(f);
	if (f->put_uid)
		put_uid(f);
	if (now_seen)
		put_seen(f);
	return FETCH_DONE;
}

/* The walk's bytes will be gone when the rest is put. */
static int
hold_facts(struct fetch *f)
{
	struct message_facts *facts = &f->now.facts;
	struct buf           *hold = &f->now.facts_hold;
	struct str           *slices[] = { &facts->envelope, &facts->body, &facts->body_structure,
		&facts->parts, &facts->fields };
	size_t                at = 0;

	f->now.whole = false;
	if (!f->needs_facts || (hold->n != 0 && facts->envelope.p == hold->p))
		return 0;
	buf_reset(hold);
	for (size_t i = 0; i < ARRAY_LEN(slices); i++)
		buf_str(hold, *slices[i]);
	if (hold->err < 0)
		return hold->err;
	for (size_t i = 0; i < ARRAY_LEN(slices); i++) {
		slices[i]->p = hold->p + at;
		at += slices[i]->n;
	}
	return 0;
}

int
fetch_message_more(struct fetch *f)
{
	struct buf *out = conn_output(f->session->conn);
	int         r = f->now.in_literal ? put_literal_more(f) : FETCH_DONE;

	while (r == FETCH_DONE && f->now.item < f->ask->n_items)
		r = put_item(f, &f->ask->items[f->now.item++]);
	if (r == FETCH_FULL) {
		r = hold_facts(f);
		return r < 0 ? r : FETCH_FULL;
	}
	f->now.open = false;
	if (r < 0) {
		if (f->now.whole)
			out->n = f->now.line_at;
		return r;
	}
	buf_str(out, STR(")\r\n"));
	return FETCH_DONE;
}

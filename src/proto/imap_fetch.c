/* FETCH. RFC 9051 s6.4.5 */
#include "base/error.h"
#include "proto/imap_read.h"

struct item_row {
	struct str           name;
	enum imap_fetch_kind kind;
	bool                 section; /* "[" must follow; else it must not */
	bool                 peek;
};

static const struct item_row ITEMS[] = {
	{ STR("FLAGS"), IMAP_FETCH_FLAGS, false, true },
	{ STR("UID"), IMAP_FETCH_UID, false, true },
	{ STR("BODY.PEEK"), IMAP_FETCH_SECTION, true, true },
	{ STR("BODY"), IMAP_FETCH_SECTION, true, false },
	{ STR("RFC822.SIZE"), IMAP_FETCH_SIZE, false, true },
	{ STR("INTERNALDATE"), IMAP_FETCH_INTERNALDATE, false, true },
	{ STR("ENVELOPE"), IMAP_FETCH_ENVELOPE, false, true },
	{ STR("BODY"), IMAP_FETCH_BODY, false, true },
	{ STR("BODYSTRUCTURE"), IMAP_FETCH_BODYSTRUCTURE, false, true },
	{ STR("MODSEQ"), IMAP_FETCH_MODSEQ, false, true },
	{ STR("RFC822"), IMAP_FETCH_RFC822, false, false },
	{ STR("RFC822.PEEK"), IMAP_FETCH_RFC822, false, true }, /* Outlook */
	{ STR("RFC822.HEADER"), IMAP_FETCH_RFC822_HEADER, false, true },
	{ STR("RFC822.TEXT"), IMAP_FETCH_RFC822_TEXT, false, false },
	{ STR("BINARY.PEEK"), IMAP_FETCH_BINARY, true, true },
	{ STR("BINARY"), IMAP_FETCH_BINARY, true, false },
	{ STR("BINARY.SIZE"), IMAP_FETCH_BINARY_SIZE, true, true },
};

static const struct imap_name SECTION_TEXTS[] = {
	{ STR("HEADER"), IMAP_SECTION_HEADER },
	{ STR("HEADER.FIELDS"), IMAP_SECTION_FIELDS },
	{ STR("HEADER.FIELDS.NOT"), IMAP_SECTION_FIELDS_NOT },
	{ STR("TEXT"), IMAP_SECTION_TEXT },
	{ STR("MIME"), IMAP_SECTION_MIME },
};

/* --- sections --- */

static void
read_section_fields(struct imap_reader *r, struct imap_section *section)
{
	struct imap_strs fields = { 0 };

	ir_skip_sp(r);
	ir_open(r, "list of header fields expected");
	while (ir_more(r))
		ir_strs_add(r, &fields, ir_astring(r), IMAP_SECTION_FIELDS_MAX);
	if (fields.n == 0)
		ir_fail(r, "list of header fields is empty");
	section->fields = fields.s;
	section->n_fields = fields.n;
}

static void
read_section_text(struct imap_reader *r, struct imap_section *section)
{
	const struct imap_name *row =
	    ir_name_find(SECTION_TEXTS, ARRAY_LEN(SECTION_TEXTS), ir_word(r));

	if (row == NULL) {
		ir_fail(r, "unknown section");
		return;
	}
	section->text = row->value;
	if (section->text == IMAP_SECTION_MIME && section->n_path == 0)
		ir_fail(r, "MIME needs a part number");
	if (section->text == IMAP_SECTION_FIELDS || section->text == IMAP_SECTION_FIELDS_NOT)
		read_section_fields(r, section);
}

/* "1.2", "1.2." and so on: true when a text must follow. */
static bool
read_section_path(struct imap_reader *r, struct imap_section *section)
{
	uint32_t *path = NULL;
	size_t    n = 0;
	bool      dot = false;
	uint64_t  v;

	while (r->left.n > 0 && ascii_is_digit(r->left.p[0])) {
		v = ir_u64(r);
		if (v == 0 || v > UINT32_MAX)
			ir_fail(r, "bad part number");
		if (n == IMAP_SECTION_DEPTH_MAX)
			ir_latch(r, E_LIMIT, "part number too deep");
		path = ir_room(r, path, n, sizeof(*path));
		if (path == NULL)
			return false;
		path[n++] = (uint32_t)v;
		dot = ir_take(r, '.');
		if (!dot)
			break;
	}
	section->path = path;
	section->n_path = n;
	return n == 0 ? !ir_peek(r, ']') : dot;
}

static void
read_section(struct imap_reader *r, struct imap_fetch_item *item)
{
	ir_take(r, '[');
	if (read_section_path(r, &item->section)) {
		if (item->kind != IMAP_FETCH_SECTION)
			ir_fail(r, "BINARY takes a part number only");
		read_section_text(r, &item->section);
	}
	if (!ir_take(r, ']'))
		ir_fail(r, "bad section, ']' expected");
}

/* "<0.2048>"; "<0>" is all from there on (RFC 9051 partial-range); a length of 0 is let pass. */
static void
read_partial(struct imap_reader *r, struct imap_fetch_item *item)
{
	if (!ir_take(r, '<'))
		return;
	item->partial = true;
	item->off = ir_u64(r);
	item->n = ir_take(r, '.') ? ir_u64(r) : INT64_MAX;
	if (item->n > INT64_MAX - item->off)
		item->n = INT64_MAX - item->off;
	if (!ir_take(r, '>'))
		ir_fail(r, "bad partial range");
}

/* --- items --- */

static const struct item_row *
find_item(struct str name, bool section)
{
	for (size_t i = 0; i < ARRAY_LEN(ITEMS); i++)
		if (ITEMS[i].section == section && str_ieq(ITEMS[i].name, name))
			return &ITEMS[i];
	return NULL;
}

static void
add_item(struct imap_reader *r, struct imap_fetch *fetch, const struct imap_fetch_item *item)
{
	struct imap_fetch_item *items = fetch->items;

	for (size_t i = 0; i < fetch->n_items && item->kind < IMAP_FETCH_SECTION; i++)
		if (items[i].kind == item->kind) {
			items[i].peek &= item->peek;
			return;
		}
	if (fetch->n_items == IMAP_FETCH_ITEMS_MAX)
		ir_latch(r, E_LIMIT, "too many FETCH items");
	items = ir_room(r, items, fetch->n_items, sizeof(*items));
	if (items == NULL)
		return;
	items[fetch->n_items++] = *item;
	fetch->items = items;
}

static void
add_kind(struct imap_reader *r, struct imap_fetch *fetch, enum imap_fetch_kind kind)
{
	struct imap_fetch_item item = { .kind = kind, .peek = true };

	add_item(r, fetch, &item);
}

static void
read_item(struct imap_reader *r, struct imap_fetch *fetch)
{
	struct str             name = ir_word(r);
	const struct item_row *row = find_item(name, ir_peek(r, '['));
	struct imap_fetch_item item = { 0 };

	if (row == NULL) {
		ir_fail(r, "unknown FETCH item");
		return;
	}
	item.kind = row->kind;
	item.peek = row->peek;
	if (row->section)
		read_section(r, &item);
	if (row->section && row->kind != IMAP_FETCH_BINARY_SIZE)
		read_partial(r, &item);
	add_item(r, fetch, &item);
}

/* RFC 9051 s6.4.5: ALL, FAST and FULL stand alone. */
static bool
take_macro(struct imap_reader *r, struct imap_fetch *fetch)
{
	bool full = ir_take_word(r, STR("FULL"));
	bool all = full || ir_take_word(r, STR("ALL"));

	if (!all && !ir_take_word(r, STR("FAST")))
		return false;
	add_kind(r, fetch, IMAP_FETCH_FLAGS);
	add_kind(r, fetch, IMAP_FETCH_INTERNALDATE);
	add_kind(r, fetch, IMAP_FETCH_SIZE);
	if (all)
		add_kind(r, fetch, IMAP_FETCH_ENVELOPE);
	if (full)
		add_kind(r, fetch, IMAP_FETCH_BODY);
	return true;
}

static void
read_items(struct imap_reader *r, struct imap_fetch *fetch)
{
	if (take_macro(r, fetch))
		return;
	if (!ir_take(r, '(')) {
		read_item(r, fetch);
		return;
	}
	while (ir_more(r))
		read_item(r, fetch);
	if (fetch->n_items == 0)
		ir_fail(r, "list of FETCH items is empty");
}

/* "(CHANGEDSINCE 5)", RFC 7162 s3.1.4 */
static void
read_modifiers(struct imap_reader *r, struct imap_fetch *fetch)
{
	ir_skip_sp(r);
	if (!ir_take(r, '('))
		return;
	while (ir_more(r)) {
		if (!ir_take_word(r, STR("CHANGEDSINCE")))
			ir_fail(r, "unknown FETCH modifier");
		ir_sp(r);
		fetch->has_changed_since = true;
		fetch->changed_since = ir_u64(r);
	}
	if (fetch->has_changed_since)
		add_kind(r, fetch, IMAP_FETCH_MODSEQ);
}

int
imap_parse_fetch(struct imap_reader *r, struct imap_args *ret)
{
	struct imap_args args = { 0 };

	ir_sp(r);
	ir_set(r, &args.fetch.set);
	ir_sp(r);
	read_items(r, &args.fetch);
	read_modifiers(r, &args.fetch);
	return ir_finish(r, &args, ret);
}

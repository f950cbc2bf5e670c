#include "mime/address.h"
#include "mime/entity.h"
#include "mime/header.h"
#include "mime/wire.h"

/* A list that grows past LIST_MAX_BYTES ends there, as does one with an address that is no address:
 * what goes into the store and to clients stays bounded. */
enum { LIST_MAX_BYTES = 256 << 10, ADDRESS_MAX_BYTES = 16 << 10 };

static void
put_nullable(struct str s, bool for_people, struct buf *to)
{
	if (s.p == NULL)
		wire_nil(to);
	else if (for_people)
		wire_text(to, s);
	else
		wire_string(to, s);
}

/* RFC 9051 s7.5.2: (name route mailbox host); a group's start has no host, its end no mailbox. */
static void
put_address(const struct address *a, struct buf *to)
{
	buf_byte(to, '(');
	put_nullable(a->name, true, to);
	if (a->route.p == NULL) {
		buf_str(to, STR(" NIL "));
	} else {
		buf_byte(to, ' ');
		wire_string(to, a->route);
		buf_byte(to, ' ');
	}
	put_nullable(a->mailbox, false, to);
	buf_byte(to, ' ');
	put_nullable(a->domain, false, to);
	buf_byte(to, ')');
}

static bool
is_too_long(const struct address *a)
{
	return a->name.n + a->route.n + a->mailbox.n + a->domain.n > ADDRESS_MAX_BYTES;
}

/* The addresses of one field's value; *left counts down over all fields of that name. */
static void
put_value(struct str value, size_t list_max, uint32_t *left, struct buf *to)
{
	static const struct address              GROUP_END = { .kind = ADDRESS_GROUP_END };
	OWN_ADDRESS_READER struct address_reader r;
	struct address                           a;
	bool                                     in_group = false;

	address_reader_init(&r, value);
	for (; *left > 0 && address_next(&r, &a); --*left) {
		if (to->n > list_max || is_too_long(&a)) {
			*left = 0;
			break;
		}
		put_address(&a, to);
		in_group = r.in_group;
	}
	if (in_group)
		put_address(&GROUP_END, to);
	if (r.text.err < 0)
		to->err = r.text.err;
}

/* All fields of that name, in one list. False, and nothing is put, when there is no address. */
static bool
put_addresses(const struct entity_fields *f, enum entity_field at, uint32_t max, struct buf *to)
{
	struct str          section = f->section;
	struct header_field h;
	size_t              start = to->n, list_max = start + LIST_MAX_BYTES;
	bool                any;

	buf_byte(to, '(');
	if (f->count[at] == 1)
		put_value(f->first[at], list_max, &max, to);
	while (f->count[at] > 1 && header_next(&section, &h))
		if (entity_field_of(h.name) == at)
			put_value(h.value, list_max, &max, to);
	any = to->n > start + 1;
	buf_byte(to, ')');
	if (!any && to->err == 0)
		to->n = start;
	return any;
}

static void
put_again(struct buf *to, size_t at, size_t n)
{
	char *q = buf_grow(to, n);

	if (q != NULL)
		memcpy(q, to->p + at, n);
}

static void
put_value_of(const struct entity_fields *f, enum entity_field at, struct buf *to)
{
	if (f->count[at] == 0)
		wire_nil(to);
	else
		wire_unfolded(to, f->last[at]);
}

void
envelope_put(const struct entity_fields *f, uint32_t max, struct buf *to)
{
	static const enum entity_field PEOPLE[] = { ENTITY_FROM, ENTITY_SENDER, ENTITY_REPLY_TO,
		ENTITY_TO, ENTITY_CC, ENTITY_BCC };
	size_t from = 0, from_n = 0;

	buf_byte(to, '(');
	put_value_of(f, ENTITY_DATE, to);
	buf_byte(to, ' ');
	put_nullable(f->last[ENTITY_SUBJECT], true, to);
	for (size_t i = 0; i < ARRAY_LEN(PEOPLE); i++) {
		bool any;

		buf_byte(to, ' ');
		if (i == 0)
			from = to->n;
		any = put_addresses(f, PEOPLE[i], max, to);
		if (i == 0)
			from_n = to->n - from;
		/* Without an own value Sender and Reply-To are those of From. */
		if (!any && (PEOPLE[i] == ENTITY_SENDER || PEOPLE[i] == ENTITY_REPLY_TO) &&
		    from_n != 0)
			put_again(to, from, from_n);
		else if (!any)
			wire_nil(to);
	}
	buf_byte(to, ' ');
	put_value_of(f, ENTITY_IN_REPLY_TO, to);
	buf_byte(to, ' ');
	put_value_of(f, ENTITY_MESSAGE_ID, to);
	buf_byte(to, ')');
}

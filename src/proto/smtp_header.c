#include "proto/smtp_header.h"

#include "base/own.h"

enum field { FIELD_OTHER, FIELD_BCC, FIELD_RECEIVED, FIELD_DATE, FIELD_MESSAGE_ID };

static const struct {
	struct str name;
	enum field field;
} FIELDS[] = {
	{ { "Bcc", 3 }, FIELD_BCC },
	{ { "Resent-Bcc", 10 }, FIELD_BCC },
	{ { "Received", 8 }, FIELD_RECEIVED },
	{ { "Date", 4 }, FIELD_DATE },
	{ { "Message-ID", 10 }, FIELD_MESSAGE_ID },
};

void
smtp_header_init(struct smtp_header *h, const struct smtp_header_edit *edit, smtp_header_put *put,
    void *arg)
{
	*h = (struct smtp_header){ .edit = edit, .put = put, .arg = arg };
}

static void
put(struct smtp_header *h, struct str s)
{
	if (h->err == 0 && s.n != 0)
		h->err = h->put(h->arg, s);
}

/* Gives out what is pending of this chunk: [*from, to). */
static void
flush(struct smtp_header *h, const char **from, const char *to)
{
	put(h, str_of(*from, (size_t)(to - *from)));
	*from = to;
}

static void
put_missing(struct smtp_header *h)
{
	if (!h->has_date)
		put(h, h->edit->date);
	if (!h->has_message_id)
		put(h, h->edit->message_id);
}

static enum field
field_of(struct str name)
{
	name = str_trim(name); /* "Bcc :" is the obsolete form, RFC 5322 s4.5 */
	for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++)
		if (str_ieq(name, FIELDS[i].name))
			return FIELDS[i].field;
	return FIELD_OTHER;
}

static void
note_field(struct smtp_header *h, enum field f)
{
	h->dropping = f == FIELD_BCC && h->edit->drop_bcc;
	h->received += f == FIELD_RECEIVED;
	h->has_date |= f == FIELD_DATE;
	h->has_message_id |= f == FIELD_MESSAGE_ID;
}

/* The name ends at look.p[n], or is longer than any that is looked for (n == look.n). */
static void
decide(struct smtp_header *h, struct str look, size_t n, const char **from)
{
	char       bytes[SMTP_HEADER_NAME];
	struct str name;
	bool       is_line = n < look.n && look.p[n] == '\n';

	memcpy(bytes, h->held, h->held_n);
	memcpy(bytes + h->held_n, look.p, n);
	name = str_of(bytes, h->held_n + n);
	if (is_line && (name.n == 0 || str_eq(name, STR("\r")))) {
		flush(h, from, look.p);
		put_missing(h);
		h->dropping = false;
		h->at = HEADER_BODY;
	} else {
		note_field(h, is_line ? FIELD_OTHER : field_of(name));
		if (h->dropping)
			flush(h, from, look.p);
		h->at = HEADER_REST;
	}
	/* What was held back stood at the end of the last chunk: nothing of this one is pending. */
	if (!h->dropping)
		put(h, str_of(h->held, h->held_n));
	h->held_n = 0;
}

static void
take_name(struct smtp_header *h, struct str *left, const char **from)
{
	size_t     room = SMTP_HEADER_NAME - h->held_n, n = 0;
	struct str look = str_head(*left, room);

	while (n < look.n && look.p[n] != ':' && look.p[n] != '\n')
		n++;
	if (n < look.n || n == room) {
		decide(h, look, n, from);
		*left = str_skip(*left, n);
		if (h->dropping)
			*from = left->p;
		return;
	}
	flush(h, from, look.p);
	memcpy(h->held + h->held_n, look.p, n);
	h->held_n += n;
	*left = str_skip(*left, n);
	*from = left->p;
}

static void
take_rest(struct smtp_header *h, struct str *left, const char **from)
{
	size_t n = str_find_byte(*left, '\n');

	h->at = n < left->n ? HEADER_START : HEADER_REST;
	*left = str_skip(*left, n < left->n ? n + 1 : n);
	if (h->dropping)
		*from = left->p;
}

int
smtp_header_feed(struct smtp_header *h, struct str bytes)
{
	struct str  left = bytes;
	const char *from = bytes.p;

	while (left.n > 0 && h->at != HEADER_BODY) {
		/* A line that starts with a blank goes on with the field. */
		if (h->at == HEADER_START)
			h->at = left.p[0] == ' ' || left.p[0] == '\t' ? HEADER_REST : HEADER_NAME;
		if (h->at == HEADER_NAME)
			take_name(h, &left, &from);
		else
			take_rest(h, &left, &from);
	}
	if (bytes.n > 0)
		flush(h, &from, bytes.p + bytes.n);
	return h->err;
}

int
smtp_header_end(struct smtp_header *h)
{
	bool is_open = h->at == HEADER_NAME || (h->at == HEADER_REST && !h->dropping);

	if (h->at == HEADER_BODY)
		return h->err;
	put(h, str_of(h->held, h->held_n));
	h->held_n = 0;
	if (is_open && ((!h->has_date && h->edit->date.n != 0) ||
	    (!h->has_message_id && h->edit->message_id.n != 0)))
		put(h, STR("\r\n"));
	put_missing(h);
	h->at = HEADER_BODY;
	return h->err;
}

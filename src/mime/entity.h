/*
 * mime/entity.h: one header section, read for IMAP: envelope and the fields of a body part.
 * RFC 9051 s7.5.2, RFC 3501 s7.4.2; RFC 5322 s3.6; RFC 2045, 2183, 3282, 1864, 2557
 *
 * Shape    out holds three pieces of wire bytes, one after the other:
 *          head      of a multipart: its subtype; else type, subtype, parameters, id, description,
 *                    encoding: all that comes before the size
 *          ext       the extension data, with a blank before each item
 *          envelope  "(...)"; empty when not asked for
 * Limits   as in message.h.
 * Errors   E_NOMEM. What cannot be read gets the defaults of RFC 2045 s5.2.
 * Owner    entity_done releases; slices point into the section or into the entity.
 * Threads  plain value.
 */
#ifndef MIME_ENTITY_H
#define MIME_ENTITY_H

#include "mime/message.h"
#include "mime/params.h"

enum entity_field {
	ENTITY_DATE,
	ENTITY_SUBJECT,
	ENTITY_FROM,
	ENTITY_SENDER,
	ENTITY_REPLY_TO,
	ENTITY_TO,
	ENTITY_CC,
	ENTITY_BCC,
	ENTITY_IN_REPLY_TO,
	ENTITY_MESSAGE_ID,
	ENTITY_REFERENCES,
	ENTITY_MIME_VERSION,
	ENTITY_TYPE,
	ENTITY_ENCODING,
	ENTITY_ID,
	ENTITY_DESCRIPTION,
	ENTITY_MD5,
	ENTITY_DISPOSITION,
	ENTITY_LANGUAGE,
	ENTITY_LOCATION,
	ENTITY_FIELDS
};

/* Raw values by field; p == NULL when it is absent. */
struct entity_fields {
	struct str section;
	struct str first[ENTITY_FIELDS];
	struct str last[ENTITY_FIELDS];
	uint32_t   count[ENTITY_FIELDS];
};

struct entity_want {
	const struct message_limits *limits;
	bool                         envelope; /* a message's own header, not a part's */
	bool                         digest;   /* default type message/rfc822, RFC 2046 s5.1.5 */
	bool                         nest;     /* multipart and message may have parts here */
};

struct entity {
	struct entity_fields fields;
	struct params        params; /* of Content-Type */
	struct str           type, subtype;
	struct str           charset, boundary; /* empty when absent */
	bool                 is_multipart, is_message, is_text;
	enum mime_encoding   encoding;
	struct buf           out;
	size_t               head_n, ext_n;
};

int  entity_read(struct entity *, struct str section, const struct entity_want *);
void entity_done(struct entity *);

static inline struct str
entity_head(const struct entity *e)
{
	return str_of(e->out.p, e->head_n);
}

static inline struct str
entity_ext(const struct entity *e)
{
	return str_of(e->out.p + e->head_n, e->ext_n);
}

static inline struct str
entity_envelope(const struct entity *e)
{
	return str_skip(buf_view(&e->out), e->head_n + e->ext_n);
}

#define OWN_ENTITY __attribute__((cleanup(entity_done)))

/* mime/envelope.c: puts the envelope of these fields. */
void envelope_put(const struct entity_fields *, uint32_t max_addresses, struct buf *to);
/* The field of that name, or ENTITY_FIELDS. */
enum entity_field entity_field_of(struct str name);

#endif

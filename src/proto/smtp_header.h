/*
 * proto/smtp_header.h: the header section of a message on its way in, chunk by chunk: Received
 * fields counted (RFC 5321 s6.3); on submission Bcc taken out (RFC 5322 s3.6.3) and Date and
 * Message-ID put in where missing (RFC 6409 s8.2, s8.3).
 *
 * Output   smtp_header_feed calls put() with slices of the input and of `add`, in order. All else
 *          passes byte for byte. New fields go to the end of the header section.
 * Input    any bytes; the section ends at the first empty line. A field is dropped with its folded
 *          lines. Blanks between name and colon are allowed for.
 * Memory   the struct: at most SMTP_HEADER_NAME bytes of a name are held back.
 * Cost     linear; after the header section nothing is looked at.
 * Errors   the first one that put() returns; nothing is put after it.
 * Threads  plain value.
 * Tests    tests/unit/proto/smtp_header.c   fuzz/smtp.c
 */
#ifndef PROTO_SMTP_HEADER_H
#define PROTO_SMTP_HEADER_H

#include "base/str.h"

enum { SMTP_HEADER_NAME = 32 };

struct smtp_header_edit {
	bool       drop_bcc;
	struct str date;       /* a whole field with CRLF, put in when there is none; or empty */
	struct str message_id; /* the same */
};

typedef int smtp_header_put(void *arg, struct str bytes);

struct smtp_header {
	const struct smtp_header_edit *edit; /* borrowed */
	smtp_header_put               *put;
	void                          *arg;
	int                            err;
	unsigned                       received; /* Received fields so far */
	bool                           has_date, has_message_id;
	enum { HEADER_START, HEADER_NAME, HEADER_REST, HEADER_BODY } at;
	bool                           dropping; /* this field is one that goes */
	size_t                         held_n;
	char                           held[SMTP_HEADER_NAME];
};

void smtp_header_init(struct smtp_header *, const struct smtp_header_edit *, smtp_header_put *,
    void *arg);
int  smtp_header_feed(struct smtp_header *, struct str bytes);
/* The message has ended: a header section without an empty line gets its fields now. */
int  smtp_header_end(struct smtp_header *);

#endif

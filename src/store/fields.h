/*
 * store/fields.h: the header fields that lists of messages show, kept beside the facts of a message
 * so that BODY[HEADER.FIELDS (...)] is answered without its header. RFC 9051 s6.4.5.1
 *
 * Shape    a directory, so that a reader touches only what it is asked for: u8 0xfe, u8 end (bytes
 *          of the empty line: 0 none, 1 LF, 2 CRLF), u8 bits (1: more names were left out than are
 *          listed), u8 number of fields, u8 number of hashes, u64 mask of the codes that were left
 *          out somewhere; for each field that is kept, in the order of the header, u8 code and u16
 *          length; the hashes of the names without a code, u16 each; then the fields as they are.
 * Old      read but no longer written: for each field u8 code, var n, n bytes; u8 0xff; u8 end, u8
 *          bits, var mask, and to the end the hashes.
 * Exact    what is answered is, byte by byte, what header_fields (mime/header.h) chooses from the
 *          header; where that cannot be known, nothing is answered and the header must be read: a
 *          field that has a name without a code, or that was too long to be kept.
 * Limits   FIELDS_BYTES_MAX of fields, FIELDS_KEPT_MAX of them, FIELDS_NAMES_MAX names without a
 *          code; an answer of more than FIELDS_PIECES stretches is none.
 * Errors   bytes that are no such value, or none at all, give no answer.
 * Tests    tests/unit/store/fields.c, tests/unit/serve/imap_fields.c
 */
#ifndef STORE_FIELDS_H
#define STORE_FIELDS_H

#include "base/arena.h"
#include "base/buf.h"

enum { FIELDS_BYTES_MAX = 4096, FIELDS_KEPT_MAX = 255, FIELDS_NAMES_MAX = 64, FIELDS_PIECES = 24 };

/* section: the whole header section with its empty line, if it has one. */
void fields_pack(struct str section, struct buf *to);

/* What a client asks for. */
struct fields_ask {
	uint64_t  codes;
	uint16_t *hashes; /* of names without a code */
	size_t    n_hashes;
	bool      any;    /* may be answered from here at all */
};
int fields_ask_make(const struct str *names, size_t n, struct arena *, struct fields_ask *ret);

/* Where the answer stands in the packed bytes. */
struct fields_found {
	bool     known;  /* else the header must be read */
	uint8_t  end_n;  /* of the empty line */
	uint8_t  n;      /* pieces; neighbours are one */
	uint32_t bytes;  /* of all, with the empty line */
	struct fields_piece {
		uint16_t at, n;
	} piece[FIELDS_PIECES];
};

void  fields_find(const struct fields_ask *, struct str packed, struct fields_found *ret);
/* Writes found->bytes, of the same packed bytes; returns the place behind the last. */
char *fields_put(const struct fields_found *, struct str packed, char *to);

#endif

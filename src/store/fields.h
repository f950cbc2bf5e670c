/*
 * store/fields.h: the header fields that lists of messages show, kept beside the facts of a message
 * so that BODY[HEADER.FIELDS (...)] is answered without its header. RFC 9051 s6.4.5.1
 *
 * Shape    for each field that is kept, in the order of the header: u8 code, var n, the n bytes of
 *          the field as it is; u8 0xff; then u8 end (bytes of the empty line: 0 none, 1 LF,
 *          2 CRLF), u8 bits (1: more names were left out than are listed), var mask of the codes
 *          that were left out somewhere, and to the end the hashes of the names without a code,
 *          u16 each.
 * Exact    what is answered is, byte by byte, what header_fields (mime/header.h) chooses from the
 *          header; where that cannot be known, nothing is answered and the header must be read: a
 *          field that has a name without a code, or that was too long to be kept.
 * Limits   FIELDS_BYTES_MAX of fields, FIELDS_NAMES_MAX names without a code.
 * Errors   bytes that are no such value, or none at all, give no answer.
 * Tests    tests/unit/store/fields.c, tests/unit/serve/imap_fields.c
 */
#ifndef STORE_FIELDS_H
#define STORE_FIELDS_H

#include "base/arena.h"
#include "base/buf.h"

enum { FIELDS_BYTES_MAX = 4096, FIELDS_NAMES_MAX = 64 };

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

/* The bytes that answer: false when the header must be read, else how many they are. */
bool  fields_measure(const struct fields_ask *, struct str packed, size_t *ret);
/* Writes them, after fields_measure; returns the place behind the last. */
char *fields_put(const struct fields_ask *, struct str packed, char *to);

#endif

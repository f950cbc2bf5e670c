/*
 * codec/base64.h: base64 as mail and SASL use it. RFC 4648 s4, RFC 2045 s6.8
 *
 * Cost     linear; the decoder takes four characters at a step.
 * Errors   strict decoding: E_SYNTAX and nothing is put. The lenient decoder never fails.
 *          A full buffer is latched in `to`.
 * Threads  plain values.
 * Tests    tests/unit/codec/base64.c   fuzz/codec.c
 */
#ifndef CODEC_BASE64_H
#define CODEC_BASE64_H

#include "base/buf.h"

/* One line without breaks, padded. */
void base64_encode(struct str, struct buf *to);
/* Lines of 76 characters, each with CRLF: the body of a part. RFC 2045 s6.8 */
void base64_encode_lines(struct str, struct buf *to);
/* The strict form: alphabet and padding only, unused bits zero. 0, E_SYNTAX, or to->err. */
int  base64_decode(struct str, struct buf *to);

/*
 * The lenient form for message bodies, chunk by chunk: other bytes are skipped, padding ends a
 * quantum and decoding goes on behind it (some programs join encoded pieces).
 * The result does not depend on where chunks end.
 */
struct base64_decoder {
	uint32_t bits;
	uint32_t n; /* characters in bits, 0..3 */
};

void base64_decoder_feed(struct base64_decoder *, struct str, struct buf *to);
/* Puts what an unpadded end still holds. */
void base64_decoder_end(struct base64_decoder *, struct buf *to);

#endif

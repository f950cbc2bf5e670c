/*
 * codec/qp.h: quoted-printable. RFC 2045 s6.7
 *
 * Decoder  chunk by chunk; the result does not depend on where chunks end. Never fails: what is no
 *          valid escape stays as it is; blanks before a line end go, as the RFC asks.
 *          At most QP_HELD bytes are held back; a longer run of blanks is text.
 * Threads  plain values.
 * Tests    tests/unit/codec/qp.c   fuzz/codec.c
 */
#ifndef CODEC_QP_H
#define CODEC_QP_H

#include "base/buf.h"

enum { QP_HELD = 128 };

struct qp_decoder {
	char   held[QP_HELD]; /* blanks, or '=' and more: the next byte decides what they mean */
	size_t n;
};

void qp_decoder_feed(struct qp_decoder *, struct str, struct buf *to);
void qp_decoder_end(struct qp_decoder *, struct buf *to);

/* Text with CRLF line ends, in lines of at most 76 characters. A bare CR or LF is escaped. */
void qp_encode(struct str, struct buf *to);

/* 0..15, or -1. */
int qp_hex_value(char c);

#endif

/*
 * codec/mutf7.h: mailbox names of IMAP4rev1: modified UTF-7 to UTF-8 and back. RFC 3501 s5.1.3
 *
 * Shape    every name has exactly one form: what mutf7_to_utf8 takes, mutf7_from_utf8 gives back
 *          byte for byte. Control characters may come out; the mail model decides about them.
 * Errors   E_SYNTAX, nothing is put: 8-bit or control bytes, an open or superfluous shift, ASCII
 *          that could stand for itself, lone surrogates, stray bits. to->err when full.
 * Threads  plain values.
 * Tests    tests/unit/codec/mutf7.c   fuzz/codec.c
 */
#ifndef CODEC_MUTF7_H
#define CODEC_MUTF7_H

#include "base/buf.h"

int  mutf7_to_utf8(struct str name, struct buf *to);
/* Bytes that are not UTF-8 are written as U+FFFD. */
void mutf7_from_utf8(struct str name, struct buf *to);

#endif

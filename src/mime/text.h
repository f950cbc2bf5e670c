/*
 * mime/text.h: the text of a part as UTF-8, for search, previews and the web page.
 *
 * A streaming decoder: transfer encoding, then charset (iconv), bytes that do not decode become
 * U+FFFD. Bounded memory, linear time. Up to 1 KiB of text may come later than its bytes: call
 * text_decoder_end for the rest. Errors: E_NOMEM, and what latches in `to`.
 */
#ifndef MIME_TEXT_H
#define MIME_TEXT_H

#include "base/buf.h"
#include "mime/message.h"

struct text_decoder;
/* charset: any case; empty or unknown: UTF-8 if valid, else windows-1252. */
int  text_decoder_new(enum mime_encoding, struct str charset, struct text_decoder **ret);
int  text_decoder_feed(struct text_decoder *, struct str raw, struct buf *to);
int  text_decoder_end(struct text_decoder *, struct buf *to);
void text_decoder_drop(struct text_decoder *);
OWN_DEFINE(text_decoder)

/* The transfer encoding only: BINARY fetch, attachments. */
int text_decode_transfer(enum mime_encoding, struct str raw, struct buf *to);

#endif

#include "mime/text.h"

#include "base/error.h"
#include "base/mem.h"
#include "codec/base64.h"
#include "codec/charset.h"
#include "codec/qp.h"

enum { STEP = 4096 };

struct text_decoder {
	enum mime_encoding    encoding;
	struct base64_decoder base64;
	struct qp_decoder     qp;
	struct buf            bytes; /* transfer encoding removed, charset not yet converted */
	struct charset       *charset;
};

int
text_decoder_new(enum mime_encoding encoding, struct str charset, struct text_decoder **ret)
{
	OWN(text_decoder) d = MEM_NEW(struct text_decoder);
	int               r;

	if (d == NULL)
		return E_NOMEM;
	d->encoding = encoding;
	buf_init(&d->bytes, STEP + QP_HELD);
	r = charset_open(charset, &d->charset);
	if (r == E_UNSUPPORTED)
		r = charset_open_guess(&d->charset);
	if (r < 0)
		return r;
	*ret = TAKE(d);
	return 0;
}

void
text_decoder_drop(struct text_decoder *d)
{
	if (d == NULL)
		return;
	charset_drop(d->charset);
	buf_done(&d->bytes);
	mem_free(d);
}

static int
convert(struct text_decoder *d, struct buf *to)
{
	if (d->bytes.err < 0)
		return d->bytes.err;
	charset_feed(d->charset, buf_view(&d->bytes), to);
	buf_reset(&d->bytes);
	return to->err;
}

int
text_decoder_feed(struct text_decoder *d, struct str raw, struct buf *to)
{
	if (d->encoding != ENCODING_BASE64 && d->encoding != ENCODING_QP) {
		charset_feed(d->charset, raw, to);
		return to->err;
	}
	for (int r = 0; raw.n != 0; raw = str_skip(raw, STEP)) {
		if (d->encoding == ENCODING_BASE64)
			base64_decoder_feed(&d->base64, str_head(raw, STEP), &d->bytes);
		else
			qp_decoder_feed(&d->qp, str_head(raw, STEP), &d->bytes);
		r = convert(d, to);
		if (r < 0)
			return r;
	}
	return to->err;
}

int
text_decoder_end(struct text_decoder *d, struct buf *to)
{
	int r;

	base64_decoder_end(&d->base64, &d->bytes);
	qp_decoder_end(&d->qp, &d->bytes);
	r = convert(d, to);
	if (r < 0)
		return r;
	charset_end(d->charset, to);
	return to->err;
}

int
text_decode_transfer(enum mime_encoding encoding, struct str raw, struct buf *to)
{
	struct base64_decoder base64 = { 0 };
	struct qp_decoder     qp = { .n = 0 };

	if (encoding == ENCODING_BASE64) {
		base64_decoder_feed(&base64, raw, to);
		base64_decoder_end(&base64, to);
	} else if (encoding == ENCODING_QP) {
		qp_decoder_feed(&qp, raw, to);
		qp_decoder_end(&qp, to);
	} else {
		buf_str(to, raw);
	}
	return to->err;
}

/* The rows of kept texts: any bytes are refused, or give texts that lie within what was unpacked,
 * and that pack to the same again. */

#include "fuzz.h"

#include "base/error.h"
#include "store/text_rows.h"

static void
try_chunk(struct str s)
{
	OWN_BUF struct buf packed = BUF_INIT(KV_VALUE_MAX);
	struct text_chunk  c;
	size_t             sum = 0;

	if (text_chunk_init(&c) < 0)
		abort();
	if (text_chunk_unpack(s, false, &c) == 0) {
		for (size_t i = 0; i < c.n; i++) {
			const struct text_entry *e = &c.entries[i];

			if (e->at + e->n > c.plain.n || e->head_n > e->n || e->top_n > e->head_n)
				abort();
			for (size_t j = 0; j < e->n; j++)
				sum += (unsigned char)c.plain.p[e->at + j];
			if (text_chunk_find(&c, e->email) == NULL)
				abort();
		}
		if (text_chunk_pack(&c, &packed) < 0 ||
		    text_chunk_unpack(buf_view(&packed), sum % 2 == 0, &c) < 0)
			abort();
	}
	text_chunk_done(&c);
}

static void
try_page(struct str s)
{
	OWN_BUF struct buf packed = BUF_INIT(1 << 16);
	struct text_page   page, again;

	if (text_page_unpack(s, &page) < 0)
		return;
	text_page_pack(&page, &packed);
	if (text_page_unpack(buf_view(&packed), &again) < 0 ||
	    memcmp(&page, &again, sizeof(page)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str s = str_of((const char *)data, size);

	try_chunk(s);
	try_page(s);
	return 0;
}

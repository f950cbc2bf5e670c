/* Do the texts that are kept agree with the messages, and with themselves? */
#include <stdarg.h>

#include "base/error.h"
#include "store/state.h"
#include "store/text_rows.h"

struct text_audit {
	struct account          *a;
	const struct text_check *check;
	struct text_chunk        chunk;
	uint64_t                 opened; /* whose entries they are; 0: unknown */
	struct buf               hold;
};

static void __attribute__((format(printf, 2, 3)))
fault(struct text_audit *au, const char *fmt, ...)
{
	char    text[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	au->check->fault(au->check->arg, text);
}

typedef unsigned long long ull;

static int
get(struct text_audit *au, struct kv_part part, struct key key)
{
	buf_reset(&au->hold);
	return kv_get(au->a->store->kv, part, key_str(&key), &au->hold);
}

/* The email's place in the directory names the chunk. */
static int
check_entry(struct text_audit *au, uint64_t chunk, const struct text_entry *e)
{
	struct text_page page;
	int              r = get(au, account_part(au->a), key_place(e->email));

	if (r == E_NOT_FOUND) {
		fault(au, "text of email %llu: no such message", (ull)e->email);
		return 0;
	}
	if (r == 0)
		r = get(au, text_part(au->a->id), key_text_page(e->email / TEXT_PAGE));
	if (r == 0)
		r = text_page_unpack(buf_view(&au->hold), &page);
	if (r == E_NOT_FOUND || (r == 0 && page.chunk[e->email % TEXT_PAGE] != chunk)) {
		fault(au, "text of email %llu: not where the directory says", (ull)e->email);
		return 0;
	}
	return r == E_CORRUPT ? 0 : r; /* the page is told of by itself */
}

static int
check_chunk(struct text_audit *au, struct str key, struct str value)
{
	uint64_t chunk = 0;
	int      r = key_read_text(key, 'c', &chunk);

	if (r == 0)
		r = text_chunk_unpack(value, false, &au->chunk);
	if (r == E_CORRUPT) {
		fault(au, "text chunk %llu cannot be read", (ull)chunk);
		return 0;
	}
	for (size_t i = 0; r == 0 && i < au->chunk.n; i++)
		r = check_entry(au, chunk, &au->chunk.entries[i]);
	return r;
}

static int
check_lead(struct text_audit *au, email_id email, uint64_t chunk)
{
	int r = 0;

	if (au->opened != chunk) {
		au->opened = 0;
		r = get(au, text_part(au->a->id), key_text_chunk(chunk));
		if (r == 0)
			r = text_chunk_unpack(buf_view(&au->hold), true, &au->chunk);
		if (r == 0)
			au->opened = chunk;
	}
	if (r == E_NOT_FOUND || (r == 0 && text_chunk_find(&au->chunk, email) == NULL)) {
		fault(au, "text of email %llu: the directory leads nowhere", (ull)email);
		return 0;
	}
	return r == E_CORRUPT ? 0 : r;
}

static int
check_page(struct text_audit *au, struct str key, struct str value)
{
	struct text_page page;
	uint64_t         number = 0;
	int              r = key_read_text(key, 'd', &number);

	if (r == 0)
		r = text_page_unpack(value, &page);
	if (r == E_CORRUPT) {
		fault(au, "text directory page %llu cannot be read", (ull)number);
		return 0;
	}
	for (size_t i = 0; r == 0 && i < TEXT_PAGE; i++)
		if (page.chunk[i] != 0)
			r = check_lead(au, number * TEXT_PAGE + i, page.chunk[i]);
	return r;
}

static int
each_row(struct text_audit *au, char kind,
    int (*row)(struct text_audit *, struct str key, struct str value))
{
	struct key   from = key_kind(kind), to = key_kind_end(kind);
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r;

	r = kv_scan(au->a->store->kv, text_part(au->a->id), key_str(&from), key_str(&to), false,
	    &it);
	while (r >= 0 && (r = kv_iter_next(it, &k, &v)) > 0)
		r = row(au, k, v);
	return r;
}

int
text_verify(struct account *a, const struct text_check *check)
{
	struct text_audit au = { .a = a, .check = check, .hold = BUF_INIT(KV_VALUE_MAX) };
	int               r = text_chunk_init(&au.chunk);

	if (r == 0)
		r = each_row(&au, 'c', check_chunk);
	if (r == 0)
		r = each_row(&au, 'd', check_page);
	text_chunk_done(&au.chunk);
	buf_done(&au.hold);
	return r;
}

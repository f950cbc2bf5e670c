#include "serve/admin/find.h"

#include "base/error.h"
#include "mime/header.h"
#include "store/journal.h"
#include "store/uidl.h"

enum { EXPUNGED_BYTES_MAX = 64 << 20 };

struct finder {
	struct account *a;
	struct str      id; /* with brackets */
	email_id       *found;
	size_t          n;
};

/* The last string of it, quoted or (with bytes that cannot be quoted) a literal. */
struct str
find_envelope_id(struct str e)
{
	size_t at;

	if (str_ends(e, STR("\")"))) {
		e = str_head(e, e.n - 2);
		at = str_rfind_byte(e, '"');
		while (at < e.n && at > 0 && e.p[at - 1] == '\\')
			at = str_rfind_byte(str_head(e, at - 1), '"');
	} else if (str_ends(e, STR(")")) && !str_ends(e, STR("NIL)"))) {
		e = str_head(e, e.n - 1);
		at = str_rfind_byte(e, '\n');
	} else {
		return STR_NONE;
	}
	return at < e.n ? str_skip(e, at + 1) : STR_NONE;
}

static void
found(struct finder *f, email_id email)
{
	if (f->n < FOUND_MAX)
		f->found[f->n++] = email;
}

static int
look_into(struct finder *f, mailbox_id box)
{
	OWN(message_iter) it = NULL;
	struct message       m;
	struct message_facts facts;
	int r = message_scan(f->a, box, 1, UINT32_MAX, SCAN_RECORDS_FACTS, &it);

	if (r < 0)
		return r;
	while ((r = message_iter_next(it, &m, &facts)) > 0 || r == E_CORRUPT)
		if (r > 0 && str_eq(find_envelope_id(facts.envelope), f->id))
			found(f, m.email);
	return r;
}

static int
note_expunged(void *arg, const struct expunged *x)
{
	struct buf *emails = arg;

	buf_put(emails, &x->message.email, sizeof(x->message.email));
	return emails->err;
}

int
find_header(struct account *a, email_id email, struct buf *to)
{
	struct message m;
	mailbox_id     mailbox;
	int            r = message_find(a, email, &m, &mailbox);

	if (r < 0)
		return r;
	return message_read(a, &m, 0,
	    m.header_n < HEADER_READ_MAX ? (size_t)m.header_n : HEADER_READ_MAX, to);
}

static int
look_into_expunged(struct finder *f)
{
	OWN_BUF struct buf  emails = BUF_INIT(EXPUNGED_BYTES_MAX);
	OWN_BUF struct buf  header = BUF_INIT(HEADER_READ_MAX);
	struct header_field field;
	email_id            email;
	int                 r = expunged_scan(f->a, note_expunged, &emails);

	for (size_t at = 0; r == 0 && at < emails.n; at += sizeof(email)) {
		memcpy(&email, emails.p + at, sizeof(email));
		buf_reset(&header);
		if (find_header(f->a, email, &header) < 0) /* damaged, or purged just now */
			continue;
		if (header_find(buf_view(&header), STR("Message-ID"), &field) &&
		    str_eq(str_trim(field.value), f->id))
			found(f, email);
	}
	return r;
}

static int
by_number(const void *x, const void *y)
{
	email_id a = *(const email_id *)x, b = *(const email_id *)y;

	return a < b ? -1 : a > b;
}

static int
look_for_id(struct finder *f, struct arena *arena)
{
	struct mailbox_info *list;
	size_t               n;
	int                  r = mailbox_list(f->a, arena, &list, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (list[i].id != 0 && !list[i].no_select)
			r = look_into(f, list[i].id);
	if (r == 0)
		r = look_into_expunged(f);
	return r;
}

static int
match_uidl(void *arg, const struct uidl *u)
{
	struct finder *f = arg;

	if (str_eq(u->text, f->id) && (f->n == 0 || f->found[0] != u->email))
		found(f, u->email);
	return 0;
}

/* Our own: the account's number and the email id, in 16 hexadecimal digits each. */
static bool
read_own_uidl(struct account *a, struct str text, email_id *ret)
{
	uint64_t half[2] = { 0, 0 };

	if (text.n != UIDL_OWN_LEN)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		char c = ascii_lower(text.p[i]);

		if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
		half[i / 16] = half[i / 16] << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	*ret = half[1];
	return half[0] == account_number(a);
}

int
find_messages(struct account *a, struct str what, struct arena *arena, email_id **ret,
    size_t *ret_n)
{
	struct finder f = { .a = a, .id = what };
	char         *id;
	uint64_t      number;
	int           r;

	f.found = arena_alloc(arena, FOUND_MAX * sizeof(*f.found));
	id = arena_printf(arena, str_starts(what, STR("<")) ? "%.*s" : "<%.*s>", STR_ARG(what));
	if (f.found == NULL || id == NULL)
		return E_NOMEM;
	/* A UIDL that was moved in may look like a number: both are told. */
	if (read_own_uidl(a, what, &number) ||
	    (what.n < UIDL_OWN_LEN && str_to_u64(what, &number) == 0))
		found(&f, number);
	r = uidl_scan(a, match_uidl, &f);
	if (r == 0 && f.n == 0) {
		f.id = str_c(id);
		r = look_for_id(&f, arena);
	}
	if (r < 0)
		return r;
	qsort(f.found, f.n, sizeof(*f.found), by_number);
	*ret = f.found;
	*ret_n = f.n;
	return f.n != 0 ? 0 : E_NOT_FOUND;
}

#include "store/uidl.h"

#include "base/error.h"
#include "base/map.h"
#include "base/pack.h"
#include "store/carry_put.h"
#include "store/expunge.h"
#include "store/ledger.h"

enum { READ_ROWS = 500, READ_BYTES = READ_ROWS * (8 + 2 + UIDL_MAX) };

/* --- setting --- */

/* What a call is to set, by text and by email; values are entries. */
struct wanted {
	const struct uidl *list;
	size_t             n;
	struct map         by_text, by_email;
	size_t             bad;
};

static struct str
email_key(const email_id *email)
{
	return str_of((const char *)email, sizeof(*email));
}

bool
uidl_is_valid(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x21 || text.p[i] > 0x7e)
			return false;
	return text.n != 0 && text.n <= UIDL_MAX;
}

/* A number as 16 hex digits, as POP3 writes it. */
static bool
read_hex(struct str text, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 16; i++) {
		char c = ascii_lower(text.p[i]);

		if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
			return false;
		v = v << 4 | (uint64_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	*ret = v;
	return true;
}

/* One that POP3 makes for another message of this account, now or later, is taken. That of a
 * message that was purged is free: it may come back by a backup. */
int
uidl_check_own(struct account *a, const struct uidl *u)
{
	struct place_record place;
	uint64_t            account, email;
	int                 r;

	if (u->text.n != UIDL_OWN_LEN || !read_hex(u->text, &account) || account != a->id ||
	    !read_hex(str_skip(u->text, 16), &email) || email == u->email)
		return 0;
	if (email >= a->rec.next_email)
		return E_EXISTS;
	r = place_fetch(a, email, &place);
	if (r == E_NOT_FOUND)
		return 0;
	return r < 0 ? r : E_EXISTS;
}

static int
want_one(struct account *a, struct wanted *w, const struct uidl *u)
{
	const struct uidl  *same;
	struct place_record place;
	int                 r = uidl_is_valid(u->text) ? uidl_check_own(a, u) : E_SYNTAX;

	if (r == 0)
		r = place_fetch(a, u->email, &place);
	if (r < 0)
		return r;
	same = map_get(&w->by_text, u->text);
	if (same != NULL && same->email != u->email)
		return E_EXISTS;
	r = map_put(&w->by_text, u->text, (void *)(uintptr_t)u);
	return r < 0 ? r : map_put(&w->by_email, email_key(&u->email), (void *)(uintptr_t)u);
}

static int
scan(struct account *a, email_id from_email, struct kv_iter **ret)
{
	struct key from = key_uidl(from_email), to = key_kind_end('U');

	return kv_scan(a->store->kv, account_part(a), key_str(&from), key_str(&to), false, ret);
}

/* Does another message have one of them, and keeps it? */
static int
check_others(struct account *a, struct wanted *w)
{
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r = scan(a, 0, &it);

	while (r >= 0 && (r = kv_iter_next(it, &k, &v)) > 0) {
		const struct uidl *mine = map_get(&w->by_text, v);
		email_id           email;

		r = key_read_uidl(k, &email);
		if (r < 0 || mine == NULL || map_get(&w->by_email, email_key(&email)) != NULL)
			continue;
		w->bad = (size_t)(mine - w->list);
		return E_EXISTS;
	}
	return r;
}

static int
check(struct account *a, struct wanted *w)
{
	for (w->bad = 0; w->bad < w->n; w->bad++) {
		int r = want_one(a, w, &w->list[w->bad]);

		if (r < 0)
			return r;
	}
	return check_others(a, w);
}

/* One commit of as many as it may have. */
static int
put_part(struct account *a, const struct wanted *w, const struct actor *actor, size_t *at)
{
	OWN_EDIT struct edit e = { 0 };
	size_t               i;
	int                  r;

	edit_begin(&e, a, actor);
	for (i = *at; i < w->n && !edit_is_full(&e); i++) {
		struct key key = key_uidl(w->list[i].email);

		buf_str(edit_value(&e), w->list[i].text);
		edit_put(&e, &key);
	}
	rare_put(a, 'U');
	r = edit_commit(&e, EDIT_DURABLE);
	if (r < 0)
		return r;
	uidl_changed(a);
	*at = i;
	return 0;
}

void
uidl_changed(struct account *a)
{
	static _Atomic uint64_t last;

	a->uidl_stamp = atomic_fetch_add_explicit(&last, 1, memory_order_relaxed) + 1;
}

static int
set_all(struct account *a, struct wanted *w, const struct actor *actor)
{
	int r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = check(a, w);
	for (size_t at = 0; r == 0 && at < w->n;)
		r = put_part(a, w, actor, &at);
	return r;
}

int
uidl_set(struct account *a, const struct uidl *list, size_t n, const struct actor *actor,
    size_t *ret_bad)
{
	struct wanted w = { .list = list, .n = n };
	int           r;

	map_init(&w.by_text);
	map_init(&w.by_email);
	r = set_all(a, &w, actor);
	map_done(&w.by_text);
	map_done(&w.by_email);
	if (r < 0)
		*ret_bad = w.bad;
	return r;
}

/* --- reading --- */

int
uidl_get(struct account *a, email_id email, struct buf *to)
{
	struct key key = key_uidl(email);
	int        r = account_alive(a);

	return r < 0 ? r : kv_get(a->store->kv, account_part(a), key_str(&key), to);
}

int
uidl_scan(struct account *a, int (*fn)(void *arg, const struct uidl *), void *arg)
{
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	int          r = account_alive(a);

	if (r == 0)
		r = scan(a, 0, &it);
	while (r >= 0 && (r = kv_iter_next(it, &k, &v)) > 0) {
		struct uidl u = { .text = v };

		r = key_read_uidl(k, &u.email);
		if (r == 0)
			r = fn(arg, &u);
		if (r != 0)
			return r;
	}
	return r;
}

/* Rows from `from` on, into the reader. */
static int
fill(struct uidl_reader *rd, struct account *a, email_id from)
{
	OWN(kv_iter) it = NULL;
	struct str   k, v;
	unsigned     n = 0;
	int          r;

	ACCOUNT_SCOPE(a);
	r = account_ready(a);
	if (r == 0)
		r = rare_has(a, 'U');
	if (r == 1)
		r = scan(a, from, &it);
	rd->end = UINT64_MAX;
	while (it != NULL && n < READ_ROWS && (r = kv_iter_next(it, &k, &v)) > 0) {
		email_id email;

		r = key_read_uidl(k, &email);
		if (r < 0)
			break;
		pack_u64(&rd->hold, email);
		pack_str(&rd->hold, str_head(v, UIDL_MAX));
		rd->end = ++n < READ_ROWS ? UINT64_MAX : email + 1;
	}
	return r < 0 ? r : rd->hold.err;
}

/* The next row of what was read; false when there is none. */
static bool
next_row(struct uidl_reader *rd, email_id *ret, struct str *ret_text, size_t *ret_pos)
{
	struct unpack u = unpack_of(str_skip(buf_view(&rd->hold), rd->pos));

	*ret = unpack_u64(&u);
	*ret_text = unpack_str(&u);
	*ret_pos = rd->hold.n - u.left.n;
	return unpack_ok(&u);
}

int
uidl_read(struct uidl_reader *rd, struct account *a, email_id email, struct str *ret)
{
	struct str text;
	email_id   at;
	size_t     pos;
	int        r;

	if (email >= rd->end) {
		if (rd->hold.max == 0)
			buf_init(&rd->hold, READ_BYTES);
		buf_reset(&rd->hold);
		rd->pos = 0;
		rd->end = 0;
		r = fill(rd, a, email);
		if (r < 0) {
			rd->end = 0;
			return r;
		}
	}
	while (next_row(rd, &at, &text, &pos) && at <= email) {
		rd->pos = pos;
		if (at != email)
			continue;
		*ret = text;
		return 1;
	}
	return 0;
}

void
uidl_reader_done(struct uidl_reader *rd)
{
	buf_done(&rd->hold);
	*rd = (struct uidl_reader){ 0 };
}

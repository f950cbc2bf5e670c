/* "append" and "export": messages in and out of a mailbox, streamed in bounded memory. */
#include "base/error.h"
#include "serve/admin/session.h"

/* --- append: account, mailbox, size, flags, keywords, date_ms, zone_min, uidl, hidden, left ---
 * -> uid, uidl_refused */

enum { ZONE_MAX = 24 * 60 };

static const struct {
	const char *name;
	unsigned    flag;
} FLAG_NAMES[] = { { "seen", FLAG_SEEN }, { "answered", FLAG_ANSWERED },
	{ "flagged", FLAG_FLAGGED }, { "deleted", FLAG_DELETED }, { "draft", FLAG_DRAFT } };

static int
read_flags(struct admin *s, struct account *account, struct flags *ret)
{
	struct actor actor = admin_actor(s);
	json_t      *item;
	size_t       i;

	json_array_foreach (json_object_get(s->request, "flags"), i, item) {
		for (size_t k = 0; k < ARRAY_LEN(FLAG_NAMES); k++)
			if (json_is_string(item) &&
			    str_eq(str_c(json_string_value(item)), str_c(FLAG_NAMES[k].name)))
				ret->system |= FLAG_NAMES[k].flag;
	}
	json_array_foreach (json_object_get(s->request, "keywords"), i, item) {
		unsigned number;
		int      r =
		    keyword_number(account, str_c(json_string_value(item)), true, &actor, &number);

		if (r < 0)
			return r;
		ret->keywords[number / 64] |= 1ULL << (number % 64);
	}
	return 0;
}

/* A mailbox that is missing is made. */
static int
find_or_create(struct admin *s, struct account *account, struct str name, mailbox_id *ret)
{
	struct actor actor = admin_actor(s);
	int          r = mailbox_find(account, name, ret);

	if (r != E_NO_MAILBOX)
		return r;
	r = mailbox_create(account, name, 0, &actor, ret);
	if (r == 0)
		r = mailbox_subscribe(account, name, true, &actor);
	return r;
}

static int
open_target(struct admin *s)
{
	struct admin_append *a = &s->append;
	struct str           address, mailbox;
	int                  r = admin_text(s, "account", &address);

	if (r == 0)
		r = admin_text(s, "mailbox", &mailbox);
	if (r == 0)
		r = admin_account(s, address, &a->account);
	if (r < 0)
		return r;
	r = find_or_create(s, a->account, mailbox, &a->mailbox);
	if (r < 0)
		return admin_fail(s, r, mailbox);
	r = read_flags(s, a->account, &a->options.flags);
	if (r == 0)
		r = admin_read_carried(s, a->account, &a->options);
	if (r < 0)
		return r;
	return ingest_new(s->server->store, s->server->limits.message_max, &a->ingest);
}

int
admin_append_begin(struct admin *s)
{
	struct admin_append *a = &s->append;
	const json_t        *size = json_object_get(s->request, "size");
	json_int_t           zone;

	/* Without a size the next line cannot be found. */
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return admin_fail(s, E_SYNTAX, STR("size"));
	*a = (struct admin_append){ .left = (uint64_t)json_integer_value(size) };
	a->options.internal_ms = json_integer_value(json_object_get(s->request, "date_ms"));
	zone = json_integer_value(json_object_get(s->request, "zone_min"));
	if (zone > -ZONE_MAX && zone < ZONE_MAX)
		a->options.internal_zone_min = (int16_t)zone;
	a->err = open_target(s);
	return 0;
}

static int
finish_append(struct admin *s)
{
	struct admin_append *a = &s->append;
	struct actor         actor = admin_actor(s);
	struct appended      done;
	int                  r = ingest_end(a->ingest);

	if (r == 0)
		r = message_append(a->account, a->mailbox, a->ingest, &a->options, &actor, &done);
	if (r < 0)
		return r;
	s->ticket = done.ticket > s->ticket ? done.ticket : s->ticket;
	json_object_set_new(s->reply, "uid", json_integer(done.uid));
	admin_tell_uidl(s, done.uidl_err);
	return 0;
}

enum step
admin_append_take(struct admin *s)
{
	struct admin_append *a = &s->append;
	struct str           in = conn_input(s->conn);

	in = str_head(in, a->left < in.n ? (size_t)a->left : in.n);
	if (in.n == 0 && a->left > 0)
		return STEP_NEED;
	if (a->err == 0)
		a->err = ingest_write(a->ingest, in);
	a->left -= in.n;
	conn_consume(s->conn, in.n);
	if (a->left > 0)
		return STEP_NEED;
	s->err = a->err < 0 ? a->err : finish_append(s);
	return STEP_DONE;
}

/* --- export: account, mailbox (all when missing) --- */

int
admin_export_begin(struct admin *s)
{
	struct admin_export *e = &s->export;
	struct str           address, mailbox;
	int                  r = admin_text(s, "account", &address);
	size_t               n = 0;

	*e = (struct admin_export){ 0 };
	if (r == 0)
		r = admin_account(s, address, &e->account);
	if (r == 0)
		r = mailbox_list(e->account, &s->arena, &e->mailboxes, &e->n_mailboxes);
	if (r < 0)
		return r;
	e->next_uid = 1;
	if (admin_text(s, "mailbox", &mailbox) < 0)
		return 0;
	for (size_t i = 0; i < e->n_mailboxes; i++)
		if (str_eq(e->mailboxes[i].name, mailbox) ||
		    (str_ieq(mailbox, STR("INBOX")) && str_eq(e->mailboxes[i].name, STR("INBOX"))))
			e->mailboxes[n++] = e->mailboxes[i];
	e->n_mailboxes = n;
	return n != 0 ? 0 : admin_fail(s, E_NO_MAILBOX, mailbox);
}

static json_t *
names_of_flags(struct account *account, const struct flags *flags, json_t **ret_keywords)
{
	json_t *names = json_array();

	for (size_t i = 0; i < ARRAY_LEN(FLAG_NAMES); i++)
		if ((flags->system & FLAG_NAMES[i].flag) != 0)
			json_array_append_new(names, json_string(FLAG_NAMES[i].name));
	*ret_keywords = json_array();
	for (unsigned k = 0; k < keyword_count(account); k++) {
		struct str name = keyword_name(account, k);

		if ((flags->keywords[k / 64] >> (k % 64) & 1) != 0)
			json_array_append_new(*ret_keywords, json_stringn(name.p, name.n));
	}
	return names;
}

/* The line before a message's bytes. */
static void
announce(struct admin *s)
{
	struct admin_export       *e = &s->export;
	const struct mailbox_info *mailbox = &e->mailboxes[e->at];
	struct buf                *out = conn_output(s->conn);
	json_t                    *o = json_object(), *keywords;

	json_object_set_new(o, "mailbox", json_stringn(mailbox->name.p, mailbox->name.n));
	json_object_set_new(o, "uid", json_integer(e->message.uid));
	json_object_set_new(o, "size", json_integer((json_int_t)e->message.size));
	json_object_set_new(o, "date_ms", json_integer(e->message.internal_ms));
	json_object_set_new(o, "flags", names_of_flags(e->account, &e->message.flags, &keywords));
	json_object_set_new(o, "keywords", keywords);
	if (json_dump_callback(o, admin_put_json, out, JSON_COMPACT) != 0)
		out->err = E_NOMEM;
	buf_byte(out, '\n');
	json_decref(o);
}

/* Tells of a message that cannot be exported; uid 0: nor can what comes after it in its mailbox. */
static void
tell_damaged(struct admin *s, uint32_t uid, int err)
{
	struct admin_export *e = &s->export;
	struct str           mailbox = e->mailboxes[e->at].name;
	struct buf          *out = conn_output(s->conn);
	json_t              *o = json_object();

	json_object_set_new(o, "damaged", json_true());
	json_object_set_new(o, "mailbox", json_stringn(mailbox.p, mailbox.n));
	json_object_set_new(o, "uid", json_integer(uid));
	json_object_set_new(o, "text", json_string(error_row(err)->text));
	if (json_dump_callback(o, admin_put_json, out, JSON_COMPACT) != 0)
		out->err = E_NOMEM;
	buf_byte(out, '\n');
	json_decref(o);
}

/* The export tells of it and goes on. */
static bool
is_damage(int err)
{
	return err == E_CORRUPT || err == E_NOT_FOUND || err == E_IO;
}

/* Looks for the next message in a mailbox: 1, 0 at its end, or an error: then e->next_uid is behind
 * what cannot be read, or 0. */
static int
look_in_mailbox(struct admin_export *e, mailbox_id id)
{
	OWN(message_iter) it = NULL;
	uint32_t from = e->next_uid;
	int      r;

	e->message = (struct message){ 0 };
	e->next_uid = 0;
	r = message_scan(e->account, id, from, UINT32_MAX, SCAN_RECORDS, &it);
	if (r == 0)
		r = message_iter_next(it, &e->message, NULL);
	if ((r == 1 || r == E_CORRUPT) && e->message.uid >= from)
		e->next_uid = e->message.uid + 1;
	return r;
}

/* What is announced has to be sent: so all of it is read before. */
static int
try_message(const struct admin_export *e)
{
	OWN_BUF struct buf piece = BUF_INIT(KV_BLOB_PIECE);
	int                r = 0;

	for (uint64_t at = 0; r == 0 && at < e->message.size; at += KV_BLOB_PIECE) {
		uint64_t left = e->message.size - at;
		size_t   n = left < KV_BLOB_PIECE ? (size_t)left : KV_BLOB_PIECE;

		buf_reset(&piece);
		r = message_read(e->account, &e->message, at, n, &piece);
		if (r == 0 && piece.n != n)
			r = E_CORRUPT;
	}
	return r;
}

/* Finds the next message that can be read: 1, 0 when there are no more, or an error. 0 with e->at
 * inside: only told of one that cannot. */
static int
next_message(struct admin *s)
{
	struct admin_export *e = &s->export;

	for (; e->at < e->n_mailboxes; e->at++, e->next_uid = 1) {
		mailbox_id id = e->mailboxes[e->at].id;
		int        r;

		if (id == 0 || e->mailboxes[e->at].no_select || e->next_uid == 0)
			continue;
		r = look_in_mailbox(e, id);
		if (r == 0)
			continue;
		if (r == 1)
			r = try_message(e);
		if (r == 0)
			return 1;
		if (!is_damage(r))
			return r;
		tell_damaged(s, e->message.uid, r);
		e->message.size = 0;
		return 0;
	}
	return 0;
}

enum step
admin_export_more(struct admin *s)
{
	struct admin_export *e = &s->export;

	while (!conn_output_full(s->conn)) {
		uint64_t left = e->message.size - e->sent;
		size_t   n = left < KV_BLOB_PIECE ? (size_t)left : KV_BLOB_PIECE;

		if (left == 0) {
			int r = next_message(s);

			e->sent = 0;
			if (r < 0 || (r == 0 && e->at == e->n_mailboxes))
				return s->err = r, STEP_DONE;
			if (r == 1)
				announce(s);
			continue;
		}
		s->err = message_read(e->account, &e->message, e->sent, n, conn_output(s->conn));
		if (s->err < 0)
			return STEP_CLOSE; /* the bytes that were announced cannot be sent */
		e->sent += n;
	}
	return STEP_MORE;
}

void
admin_mail_done(struct admin *s)
{
	ingest_drop(s->append.ingest);
	account_drop(s->append.account);
	account_drop(s->export.account);
	s->append = (struct admin_append){ 0 };
	s->export = (struct admin_export){ 0 };
}

#include "main/restore_mail.h"

#include <sodium.h>
#include <stdio.h>

#include "auth/directory.h"
#include "base/error.h"
#include "base/map.h"
#include "main/restore_carry.h"
#include "main/store_view.h"
#include "serve/admin/admin.h"
#include "store/message.h"

enum { LINE_BYTES = 16 << 10 };

typedef unsigned long long ull;

struct job {
	const struct options *o;
	struct arena         *a;
	struct control        control;
	struct store_view     view;
	struct directory     *directory; /* of the backup */
	struct account       *from;
	struct restore_carry  carry;
	bool                  same_account; /* email ids mean the same in both */
	struct map            there;        /* keys of messages that need not be put back */
	uint64_t              restored, present, failed;
};

/* --- what the server has --- */

static void
key_of_blob(char *to, size_t n, ull email, const char *blob)
{
	snprintf(to, n, "b%llu %s", email, blob);
}

static void
key_of_content(char *to, size_t n, ull size, long long date_ms, const char *envelope)
{
	snprintf(to, n, "c%llu %lld %s", size, date_ms, envelope);
}

static int
note(struct job *j, const char *key)
{
	return map_put(&j->there, str_c(key), j) < 0 ? EXIT_FAILED : EXIT_OK;
}

static int
note_messages(struct job *j, const json_t *list)
{
	json_t *item;
	size_t  i;
	int     r = EXIT_OK;

	json_array_foreach(list, i, item) {
		json_int_t  email, size, date;
		const char *blob, *envelope;
		char        key[160];

		if (json_unpack(item, "[I, s, I, I, s]", &email, &blob, &size, &date,
		    &envelope) != 0)
			return EXIT_FAILED;
		key_of_blob(key, sizeof(key), (ull)email, blob);
		if (j->same_account)
			r = note(j, key);
		key_of_content(key, sizeof(key), (ull)size, (long long)date, envelope);
		if (r == EXIT_OK)
			r = note(j, key);
		if (r != EXIT_OK)
			return r;
	}
	return r;
}

static json_t *
request_for(const struct job *j, const char *op, struct str mailbox)
{
	return json_pack("{s:s, s:s%, s:s%}", "op", op, "account", j->o->account.p,
	    j->o->account.n, "mailbox", mailbox.p, mailbox.n);
}

static int
list_mailbox(struct job *j, struct str mailbox)
{
	json_int_t from = 1;

	while (from != 0) {
		json_t *request = request_for(j, "message-list", mailbox), *reply;
		int     r;

		json_object_set_new(request, "from", json_integer(from));
		r = control_call(&j->control, request, &reply);
		if (r != EXIT_OK)
			return r;
		r = note_messages(j, json_object_get(reply, "messages"));
		from = json_integer_value(json_object_get(reply, "next"));
		json_decref(reply);
		if (r != EXIT_OK)
			return r;
	}
	return EXIT_OK;
}

/* Into another mailbox a message is put back unless it is in that one. */
static bool
counts_as_there(const struct job *j, struct str mailbox)
{
	struct str to = j->o->to;

	return to.n == 0 || str_eq(to, mailbox) ||
	    (str_ieq(to, STR("INBOX")) && str_eq(mailbox, STR("INBOX")));
}

static int
list_server(struct job *j)
{
	json_t *reply, *account, *item;
	size_t  i;
	int     r = control_call(&j->control,
	        json_pack("{s:s, s:[s%]}", "op", "account-show", "addresses", j->o->account.p,
	            j->o->account.n), &reply);

	if (r != EXIT_OK)
		return r;
	account = json_array_get(json_object_get(reply, "accounts"), 0);
	j->same_account = json_integer_value(json_object_get(account, "id")) ==
	    (json_int_t)account_number(j->from);
	json_array_foreach(json_object_get(account, "mailboxes"), i, item) {
		const json_t *name = json_object_get(item, "name");
		struct str    mailbox = str_of(json_string_value(name), json_string_length(name));

		if (counts_as_there(j, mailbox))
			r = list_mailbox(j, mailbox);
		if (r != EXIT_OK)
			break;
	}
	json_decref(reply);
	return r;
}

/* --- one message --- */

static void
to_hex(const unsigned char *p, size_t n, char *to)
{
	sodium_bin2hex(to, 2 * n + 1, p, n);
}

static bool
is_there(const struct job *j, const struct message *m, const struct message_facts *facts)
{
	unsigned char hash[ADMIN_ENVELOPE_HASH];
	char          hex[2 * ADMIN_ENVELOPE_HASH + 1], key[160];

	if (j->same_account) {
		to_hex(m->blob.b, sizeof(m->blob.b), hex);
		key_of_blob(key, sizeof(key), (ull)m->email, hex);
		if (map_get(&j->there, str_c(key)) != NULL)
			return true;
	}
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)facts->envelope.p,
	    facts->envelope.n, NULL, 0);
	to_hex(hash, sizeof(hash), hex);
	key_of_content(key, sizeof(key), (ull)m->size, (long long)m->internal_ms, hex);
	return map_get(&j->there, str_c(key)) != NULL;
}

/* The last string of an ENVELOPE is the Message-ID. */
static bool
has_message_id(const struct message_facts *facts, struct str id)
{
	struct str e = facts->envelope;
	char       quoted[1100];
	int        n = snprintf(quoted, sizeof(quoted), "\"<%.*s>\")", STR_ARG(id));

	return n > 0 && (size_t)n < sizeof(quoted) && str_ends(e, str_of(quoted, (size_t)n));
}

static bool
is_wanted(const struct job *j, const struct message *m, const struct message_facts *facts)
{
	struct str id = j->o->message;
	uint32_t   uid;

	if (id.n == 0)
		return true;
	if (str_to_u32(id, &uid) == 0)
		return m->uid == uid;
	if (str_starts(id, STR("<")) && str_ends(id, STR(">")))
		id = str_of(id.p + 1, id.n - 2);
	return has_message_id(facts, id);
}

static void
put_flags(struct job *j, json_t *request, const struct flags *flags)
{
	static const struct {
		unsigned    flag;
		const char *name;
	} NAMES[] = { { FLAG_SEEN, "seen" }, { FLAG_ANSWERED, "answered" },
		{ FLAG_FLAGGED, "flagged" }, { FLAG_DELETED, "deleted" }, { FLAG_DRAFT, "draft" } };
	json_t *names = json_array(), *keywords = json_array();

	for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
		if ((flags->system & NAMES[i].flag) != 0)
			json_array_append_new(names, json_string(NAMES[i].name));
	for (unsigned k = 0; k < keyword_count(j->from); k++) {
		struct str name = keyword_name(j->from, k);

		if ((flags->keywords[k / 64] >> (k % 64) & 1) != 0)
			json_array_append_new(keywords, json_stringn(name.p, name.n));
	}
	json_object_set_new(request, "flags", names);
	json_object_set_new(request, "keywords", keywords);
}

/* The bytes are read before the server is told of them. */
static int
append(struct job *j, const struct message *m, struct str mailbox)
{
	OWN_BUF struct buf bytes = BUF_INIT((size_t)1 << 30);
	json_t            *request;
	int                r = message_read(j->from, m, 0, (size_t)m->size, &bytes);

	if (r < 0 || bytes.n != m->size) {
		tell("UID %u of the backup cannot be read: %s", m->uid, error_row(r < 0 ? r :
		    E_CORRUPT)->text);
		j->failed++;
		return EXIT_OK;
	}
	request = request_for(j, "append", mailbox);
	json_object_set_new(request, "size", json_integer((json_int_t)m->size));
	json_object_set_new(request, "date_ms", json_integer(m->internal_ms));
	json_object_set_new(request, "zone_min", json_integer(m->internal_zone_min));
	put_flags(j, request, &m->flags);
	restore_carry_message(&j->carry, m->email, request);
	r = control_send(&j->control, request);
	if (r == EXIT_OK)
		r = control_send_bytes(&j->control, buf_view(&bytes));
	if (r == EXIT_OK) {
		json_t *reply;

		r = control_receive(&j->control, &reply);
		if (r != EXIT_OK)
			return r;
		if (control_check(reply) == EXIT_OK)
			j->restored++;
		else
			j->failed++;
		json_decref(reply);
	}
	return r;
}

/* 1: the server had it among what was expunged. */
static int
unexpunge(struct job *j, const struct message *m, struct str mailbox)
{
	json_t *request, *reply;
	bool    done;

	if (!j->same_account)
		return 0;
	request = request_for(j, "unexpunge", mailbox);
	json_object_set_new(request, "email", json_integer((json_int_t)m->email));
	json_object_set_new(request, "unhide", json_boolean(!j->carry.hidden));
	if (control_send(&j->control, request) != EXIT_OK ||
	    control_receive(&j->control, &reply) != EXIT_OK)
		return E_CLOSED;
	done = json_is_true(json_object_get(reply, "ok"));
	json_decref(reply);
	return done;
}

static int
restore_one(struct job *j, const struct message *m, struct str mailbox)
{
	int r = unexpunge(j, m, mailbox);

	if (r < 0)
		return EXIT_FAILED;
	if (r == 0)
		return append(j, m, mailbox);
	j->restored++;
	return EXIT_OK;
}

/* --- all that was asked for --- */

static int
restore_mailbox(struct job *j, const struct mailbox_info *box)
{
	struct str           to = j->o->to.n != 0 ? j->o->to : box->name;
	uint32_t             from = 1;
	struct message       m;
	struct message_facts facts;
	int                  r = EXIT_OK, e = 1;

	while (r == EXIT_OK && e > 0 && from != 0) {
		OWN(message_iter) it = NULL;

		e = message_scan(j->from, box->id, from, UINT32_MAX, SCAN_RECORDS_FACTS, &it);
		while (e >= 0 && (e = message_iter_next(it, &m, &facts)) > 0) {
			if (!is_wanted(j, &m, &facts))
				continue;
			if (!is_there(j, &m, &facts))
				break;
			j->present++;
		}
		if (e > 0) {
			from = m.uid + 1;
			r = restore_one(j, &m, to);
		}
	}
	if (e < 0) {
		tell("mailbox %.*s of the backup cannot be read: %s", STR_ARG(box->name),
		    error_row(e)->text);
		return EXIT_FAILED;
	}
	return r;
}

static int
restore_mailboxes(struct job *j)
{
	struct mailbox_info *list;
	size_t               n, found = 0;
	int                  e = mailbox_list(j->from, j->a, &list, &n), r = EXIT_OK;

	if (e < 0) {
		tell("%s", error_row(e)->text);
		return EXIT_FAILED;
	}
	for (size_t i = 0; r == EXIT_OK && i < n; i++) {
		if (list[i].id == 0 || list[i].no_select ||
		    (j->o->mailbox.n != 0 && !str_eq(j->o->mailbox, list[i].name) &&
		        !(str_ieq(j->o->mailbox, STR("INBOX")) && str_eq(list[i].name,
		        STR("INBOX")))))
			continue;
		found++;
		r = restore_mailbox(j, &list[i]);
	}
	if (r == EXIT_OK && found == 0) {
		tell("the backup has no mailbox %.*s", STR_ARG(j->o->mailbox));
		return EXIT_FAILED;
	}
	return r;
}

static int
open_backup(struct job *j, const char *backup)
{
	OWN_BUF struct buf       detail = BUF_INIT(4096);
	const char              *store = arena_printf(j->a, "%s/store", backup);
	struct directory_account who;
	int                      r = store != NULL ? 0 : E_NOMEM;

	if (r == 0)
		r = store_view_open(store, &detail, &j->view);
	if (r == 0)
		r = directory_open(store_kv(j->view.store), &j->directory);
	if (r < 0) {
		tell("cannot open the backup %s: %s %.*s", backup, error_row(r)->text,
		    STR_ARG(buf_view(&detail)));
		return EXIT_FAILED;
	}
	r = directory_account_get(j->directory, j->o->account, j->a, &who);
	if (r == 0)
		r = account_open(j->view.store, who.id, &j->from);
	if (r == 0)
		return EXIT_OK;
	tell("%.*s in the backup: %s", STR_ARG(j->o->account), error_row(r)->text);
	return EXIT_FAILED;
}

static int
run(struct job *j)
{
	uint32_t uid;
	int      r;

	if (str_to_u32(j->o->message, &uid) == 0 && j->o->mailbox.n == 0) {
		tell("a UID needs --mailbox");
		return EXIT_USAGE;
	}
	r = list_server(j);
	if (r == EXIT_OK)
		r = restore_carry_open(j->from, j->o, j->a, &j->carry);
	if (r == EXIT_OK)
		r = restore_carry_account(&j->carry, &j->control, j->o->account);
	if (r == EXIT_OK)
		r = restore_mailboxes(j);
	printf("%llu restored, %llu still there, %llu failed\n", (ull)j->restored, (ull)j->present,
	    (ull)j->failed);
	if (r == EXIT_OK && j->o->message.n != 0 && j->restored + j->present + j->failed == 0) {
		tell("the backup has no such message");
		return EXIT_FAILED;
	}
	return r == EXIT_OK && j->failed != 0 ? EXIT_PARTLY : r;
}

int
restore_mail(const char *backup, const struct config *config, const struct options *o,
    struct arena *a)
{
	struct job j = { .o = o, .a = a };
	int        r;

	map_init(&j.there);
	r = open_backup(&j, backup);
	if (r == EXIT_OK) {
		r = control_open(config, &j.control);
		if (r == EXIT_OK) {
			r = run(&j);
			control_close(&j.control);
		}
	}
	map_done(&j.there);
	restore_carry_done(&j.carry);
	account_drop(j.from);
	directory_drop(j.directory);
	store_view_close(&j.view);
	return r;
}

/* The operations for backup and restore: a snapshot, what is there, what can be put back. */
#include <sodium.h>

#include "base/error.h"
#include "serve/admin/session.h"

enum { LIST_MAX = 4000 };

/* dir: a new folder on the disk of the store. */
int
admin_run_snapshot(struct admin *s)
{
	OWN_BUF struct buf detail = BUF_INIT(4096);
	struct str         dir;
	char              *path;
	int                r = admin_text(s, "dir", &dir);

	if (r < 0)
		return r;
	path = arena_cstr(&s->arena, dir);
	if (path == NULL)
		return E_NOMEM;
	r = kv_snapshot_to(store_kv(s->server->store), path, &detail);
	return r < 0 ? admin_fail(s, r, detail.n != 0 ? buf_view(&detail) : dir) : 0;
}

static void
put_hex(const unsigned char *p, size_t n, char *to)
{
	static const char DIGITS[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		to[2 * i] = DIGITS[p[i] >> 4];
		to[2 * i + 1] = DIGITS[p[i] & 15];
	}
	to[2 * n] = '\0';
}

static json_t *
describe(const struct message *m, const struct message_facts *facts)
{
	unsigned char hash[ADMIN_ENVELOPE_HASH];
	char          blob[2 * sizeof(m->blob.b) + 1], envelope[2 * sizeof(hash) + 1];

	put_hex(m->blob.b, sizeof(m->blob.b), blob);
	crypto_generichash(hash, sizeof(hash), (const unsigned char *)facts->envelope.p,
	    facts->envelope.n, NULL, 0);
	put_hex(hash, sizeof(hash), envelope);
	return json_pack("[I, s, I, I, s]", (json_int_t)m->email, blob, (json_int_t)m->size,
	    (json_int_t)m->internal_ms, envelope);
}

/* The account and mailbox that a request names; an error is noted with what it is about. */
static int
named_mailbox(struct admin *s, struct account **ret, struct str *ret_name, mailbox_id *ret_box)
{
	struct str address;
	int        r = admin_text(s, "account", &address);

	if (r == 0)
		r = admin_text(s, "mailbox", ret_name);
	if (r == 0)
		r = admin_account(s, address, ret);
	if (r < 0)
		return r;
	r = mailbox_find(*ret, *ret_name, ret_box);
	return r < 0 ? admin_fail(s, r, *ret_name) : 0;
}

/* account, mailbox, from -> messages [email, blob, size, date_ms, hash of the
 * envelope], next (0: no more), id */
int
admin_run_message_list(struct admin *s)
{
	OWN(account) account = NULL;
	OWN(message_iter) it = NULL;
	struct str     name;
	mailbox_id     box;
	struct message       m;
	struct message_facts facts;
	json_t        *list = json_array();
	uint32_t from = (uint32_t)json_integer_value(json_object_get(s->request, "from")), next = 0;
	int      r = named_mailbox(s, &account, &name, &box);

	json_object_set_new(s->reply, "messages", list);
	if (r < 0)
		return r;
	r = message_scan(account, box, from != 0 ? from : 1, UINT32_MAX, SCAN_RECORDS_FACTS, &it);
	if (r < 0)
		return admin_fail(s, r, name);
	while ((r = message_iter_next(it, &m, &facts)) > 0 || r == E_CORRUPT) {
		if (r == E_CORRUPT) /* a restore puts another one beside it */
			continue;
		if (json_array_size(list) == LIST_MAX) {
			next = m.uid;
			break;
		}
		json_array_append_new(list, describe(&m, &facts));
	}
	json_object_set_new(s->reply, "next", json_integer(next));
	json_object_set_new(s->reply, "id", json_integer((json_int_t)account_number(account)));
	return r < 0 ? r : 0;
}

/* account, mailbox, email, unhide: puts a message back that was expunged and is still kept; with
 * unhide devices that had removed it see it again */
int
admin_run_unexpunge(struct admin *s)
{
	OWN(account) account = NULL;
	struct actor    actor = admin_actor(s);
	struct str      name;
	mailbox_id      box;
	struct appended done;
	email_id        email =
	    (email_id)json_integer_value(json_object_get(s->request, "email"));
	int r = named_mailbox(s, &account, &name, &box);

	if (r < 0)
		return r;
	r = expunged_restore(account, email, box, &actor, &done);
	if (r < 0)
		return admin_fail(s, r, name);
	s->ticket = done.ticket > s->ticket ? done.ticket : s->ticket;
	if (!json_is_true(json_object_get(s->request, "unhide")))
		return 0;
	r = carry_unhide(account, email, &actor);
	return r < 0 ? r : account_barrier(account);
}

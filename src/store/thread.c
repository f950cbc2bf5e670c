#include "store/thread.h"

#include <sodium.h>

#include "base/error.h"
#include "mime/message.h"

/* In-Reply-To rarely has more than one; what a hostile one has beyond these is passed over. */
enum { IN_REPLY_TO_MAX = 3 };

/* Takes the next <id> off; false when there is none. */
static bool
next_id(struct str *s, struct str *ret)
{
	struct str rest = str_skip(*s, str_find_byte(*s, '<'));
	size_t     end = str_find_byte(rest, '>');

	if (end == rest.n)
		return false;
	*ret = str_trim(str_of(rest.p + 1, end - 1));
	*s = str_skip(rest, end + 1);
	return true;
}

/* The same from the end. */
static bool
last_id(struct str *s, struct str *ret)
{
	struct str head = str_head(*s, str_rfind_byte(*s, '>'));
	size_t     at = str_rfind_byte(head, '<');

	if (head.n == s->n || at == head.n)
		return false;
	*ret = str_trim(str_skip(head, at + 1));
	*s = str_head(head, at);
	return true;
}

static struct msgid_hash
hash_of(struct str id)
{
	struct msgid_hash h;

	crypto_generichash(h.b, sizeof(h.b), (const unsigned char *)id.p, id.n, NULL, 0);
	return h;
}

static void
add_ref(struct message_links *links, struct str id)
{
	if (id.n != 0 && links->n_refs < MSGID_REFS_MAX)
		links->refs[links->n_refs++] = hash_of(id);
}

void
message_links_read(const struct message_summary *sum, struct message_links *ret)
{
	struct message_links links = { 0 };
	struct str           s = sum->message_id, id;

	if (next_id(&s, &id) && id.n != 0) {
		links.has_own = true;
		links.own = hash_of(id);
	}
	s = sum->in_reply_to;
	while (links.n_refs < IN_REPLY_TO_MAX && next_id(&s, &id))
		add_ref(&links, id);
	s = sum->references;
	while (links.n_refs < MSGID_REFS_MAX && last_id(&s, &id))
		add_ref(&links, id);
	*ret = links;
}

/* The entry of a Message-ID. E_NOT_FOUND. */
static int
look_up(struct edit *e, const struct msgid_hash *hash, struct thread_record *ret)
{
	struct key key = key_thread(hash);
	int        r;

	r = kv_get(e->a->store->kv, account_part(e->a), key_str(&key), edit_value(e));
	if (r < 0)
		return r;
	return thread_record_unpack(buf_view(&e->value), ret);
}

int
thread_join(struct edit *e, const struct message_links *links, email_id email, uint64_t *ret)
{
	struct thread_record rec;
	int                  r = E_NOT_FOUND;

	for (size_t i = 0; r == E_NOT_FOUND && i < links->n_refs; i++)
		r = look_up(e, &links->refs[i], &rec);
	if (r == E_NOT_FOUND && links->has_own)
		r = look_up(e, &links->own, &rec);
	if (r < 0 && r != E_NOT_FOUND)
		return r;
	*ret = r == 0 ? rec.thread : email;
	if (links->has_own)
		thread_keep(e, &links->own, *ret, email);
	return 0;
}

void
thread_keep(struct edit *e, const struct msgid_hash *hash, uint64_t thread, email_id email)
{
	struct key           key = key_thread(hash);
	struct thread_record rec = { .thread = thread, .email = email };

	thread_record_pack(&rec, edit_value(e));
	edit_put(e, &key);
}

void
thread_leave(struct edit *e, const struct msgid_hash *hash, email_id email)
{
	struct key           key = key_thread(hash);
	struct thread_record rec;
	int                  r = look_up(e, hash, &rec);

	if (r == 0 && rec.email == email)
		edit_del(e, &key);
	else if (r < 0 && r != E_NOT_FOUND)
		edit_fail(e, r);
}

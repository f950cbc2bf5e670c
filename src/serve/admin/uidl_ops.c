/*
 * The operation that moves UIDLs in: lines "UIDL TAB Message-ID", as bytes behind the request.
 *
 * All lines are looked at first; when one is bad none is set. A Message-ID that several messages
 * have takes as many lines, in the order of the messages, those of INBOX first.
 */
#include "base/error.h"
#include "base/map.h"
#include "serve/admin/find.h"
#include "store/uidl.h"

enum { BAD_TOLD_MAX = 100 };

struct line {
	struct str   uidl;
	struct str   id;    /* of the message, with brackets */
	email_id     email; /* 0: not found yet */
	struct line *next;  /* with the same id, not found yet */
};

struct mapping {
	struct admin *s;
	struct line  *lines; /* one for each of the file, blank ones too */
	size_t        n, left; /* not found yet */
	struct map    by_id; /* the first line of each id that is wanted */
	json_t       *bad;
	size_t        n_bad;
};

static void
add_bad(struct mapping *m, size_t i, const char *why)
{
	if (m->n_bad++ < BAD_TOLD_MAX)
		json_array_append_new(m->bad,
		    json_pack("{s:I, s:s}", "line", (json_int_t)i + 1, "text", why));
}

/* --- reading --- */

static int
count_lines(struct mapping *m, struct str text)
{
	for (struct str left = text; left.n > 0; m->n++)
		str_cut(&left, '\n');
	m->lines = arena_alloc(&m->s->arena, m->n * sizeof(*m->lines));
	return m->n != 0 && m->lines == NULL ? E_LIMIT : 0;
}

/* Blank lines are none. */
static int
read_line(struct mapping *m, size_t i, struct str text)
{
	struct line *l = &m->lines[i];
	char        *id;

	text = str_trim(text);
	if (text.n == 0)
		return 0;
	l->uidl = str_cut(&text, '\t');
	l->id = str_trim(text);
	if (!uidl_is_valid(l->uidl)) {
		add_bad(m, i, "not a UIDL: 1 to 70 visible ASCII characters, then a TAB");
	} else if (l->id.n == 0) {
		add_bad(m, i, "no Message-ID behind a TAB");
	} else {
		m->left++;
		if (str_starts(l->id, STR("<")))
			return 0;
		id = arena_printf(&m->s->arena, "<%.*s>", STR_ARG(l->id));
		if (id == NULL)
			return E_LIMIT;
		l->id = str_c(id);
	}
	return 0;
}

/* From the last line to the first, so that each chain is in the order of the file. */
static int
index_lines(struct mapping *m)
{
	int r = 0;

	for (size_t i = m->n; r == 0 && i-- > 0;) {
		struct line *l = &m->lines[i];

		if (l->id.n == 0)
			continue;
		l->next = map_get(&m->by_id, l->id);
		r = map_put(&m->by_id, l->id, l);
	}
	return r;
}

static int
read_lines(struct mapping *m)
{
	struct str left = buf_view(&m->s->body);
	int        r = count_lines(m, left);

	for (size_t i = 0; r == 0 && left.n > 0; i++)
		r = read_line(m, i, str_cut(&left, '\n'));
	return r < 0 || m->n_bad != 0 ? r : index_lines(m);
}

/* --- finding the messages --- */

static int
match_mailbox(struct mapping *m, struct account *account, mailbox_id box)
{
	OWN(message_iter) it = NULL;
	struct message       msg;
	struct message_facts facts;
	int r = message_scan(account, box, 1, UINT32_MAX, SCAN_RECORDS_FACTS, &it);

	while (r >= 0 && m->left > 0) {
		struct str   id;
		struct line *l;

		r = message_iter_next(it, &msg, &facts);
		if (r == 0)
			break;
		if (r == E_CORRUPT) /* others may be found */
			r = 0;
		if (r <= 0)
			continue;
		id = find_envelope_id(facts.envelope);
		l = id.n != 0 ? map_get(&m->by_id, id) : NULL;
		if (l == NULL)
			continue;
		l->email = msg.email;
		m->left--;
		r = map_put(&m->by_id, id, l->next);
	}
	return r < 0 ? r : 0;
}

/* mailbox_list has INBOX first. */
static int
match(struct mapping *m, struct account *account)
{
	struct mailbox_info *list;
	size_t               n;
	int                  r = mailbox_list(account, &m->s->arena, &list, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		if (list[i].id != 0 && !list[i].no_select)
			r = match_mailbox(m, account, list[i].id);
	for (size_t i = 0; r == 0 && i < m->n; i++)
		if (m->lines[i].id.n != 0 && m->lines[i].email == 0)
			add_bad(m, i, "the account has no message with this Message-ID");
	return r;
}

/* --- setting --- */

static const char *
reason(int err)
{
	switch (err) {
	case E_SYNTAX:
		return "this UIDL has the form of our own";
	case E_EXISTS:
		return "another message has this UIDL";
	case E_NOT_FOUND:
		return "the message is gone";
	default:
		return NULL;
	}
}

static int
set_all(struct mapping *m, struct account *account, size_t *ret_n)
{
	struct actor actor = admin_actor(m->s);
	struct uidl *list = arena_alloc(&m->s->arena, m->n * sizeof(*list));
	size_t      *line_of = arena_alloc(&m->s->arena, m->n * sizeof(*line_of));
	size_t       n = 0, bad = 0;
	int          r;

	if (m->n != 0 && (list == NULL || line_of == NULL))
		return E_LIMIT;
	for (size_t i = 0; i < m->n; i++) {
		if (m->lines[i].id.n == 0)
			continue;
		line_of[n] = i;
		list[n++] = (struct uidl){ m->lines[i].email, m->lines[i].uidl };
	}
	*ret_n = n;
	r = uidl_set(account, list, n, &actor, &bad);
	if (r == 0)
		return account_barrier(account);
	if (reason(r) != NULL && bad < n) {
		add_bad(m, line_of[bad], reason(r));
		return 0;
	}
	return r;
}

static int
run(struct mapping *m, struct account *account, size_t *n)
{
	int r = read_lines(m);

	if (r == 0 && m->n_bad == 0)
		r = match(m, account);
	return r < 0 || m->n_bad != 0 ? r : set_all(m, account, n);
}

int
admin_run_uidl(struct admin *s)
{
	OWN(account) account = NULL;
	struct mapping m = { .s = s, .bad = json_array() };
	struct str     address;
	size_t         n = 0;
	int            r = admin_text(s, "address", &address);

	json_object_set_new(s->reply, "bad", m.bad);
	if (r == 0)
		r = admin_account(s, address, &account);
	if (r < 0)
		return r;
	map_init(&m.by_id);
	r = run(&m, account, &n);
	map_done(&m.by_id);
	if (r == E_LIMIT)
		return admin_fail(s, r, STR("lines of one file"));
	if (r == 0 && m.n_bad != 0)
		return admin_fail(s, E_PARAM, STR("nothing was set"));
	json_object_set_new(s->reply, "set", json_integer(r == 0 ? (json_int_t)n : 0));
	return r;
}

/*
 * MAIL and RCPT: who sends, and which accounts get it. RFC 5321 s4.1.1.2, s4.1.1.3
 */
#include "base/error.h"
#include "base/log.h"
#include "serve/smtp/session.h"

/* --- MAIL --- */

/* 0, or why this sender or size is not taken. */
static int
check_sender(struct smtp_session *s, const struct smtp_mail *m)
{
	if (m->has_auth && !s->kind->auth)
		return E_PARAM;
	if (m->path.address.n > SMTP_PATH_MAX)
		return E_BAD_ADDRESS;
	if (m->path.is_utf8 && !m->smtputf8)
		return E_NEED_SMTPUTF8;
	if (m->path.address.n != 0 && str_find_byte(m->path.address, '@') == m->path.address.n)
		return E_BAD_ADDRESS;
	if (m->size > s->server->limits.message_max)
		return E_TOO_BIG;
	/* The null path is nobody's: notifications need it (RFC 6409 s3.2). */
	if (s->kind->auth && m->path.address.n != 0)
		return directory_may_send_as(s->server->directory, s->account, m->path.address);
	return 0;
}

static void
log_sender_refused(struct smtp_session *s, struct str sender, int err)
{
	log_event(LOG_INFO, "rejected", LOG_U("session", conn_id(s->conn)),
	    LOG_S("protocol", s->kind->name), LOG_S("peer", conn_peer(s->conn)),
	    LOG_S("login", buf_view(&s->login_as)), LOG_S("from", sender), LOG_ERR(err));
}

enum step
smtp_mail_begin(struct smtp_session *s, const union smtp_args *a)
{
	const struct smtp_mail *m = &a->mail;
	int                     r = check_sender(s, m);

	if (r == 0)
		r = arena_dup(&s->tx.arena, m->path.address, &s->tx.sender);
	if (r == E_BAD_ADDRESS)
		return smtp_fail_text(s, 553, "5.1.7", "bad sender address");
	if (r < 0) {
		log_sender_refused(s, m->path.address, r);
		return smtp_fail(s, r);
	}
	s->tx.smtputf8 = m->smtputf8;
	s->tx.size = m->size;
	smtp_set_state(s, SMTP_MAIL);
	smtp_reply(s, 250, "2.1.0", "sender ok");
	return STEP_DONE;
}

/* --- RCPT --- */

/* A place in an array of the transaction, grown as needed; NULL without memory. */
static void *
add_place(struct arena *a, void *array, uint32_t n, uint32_t *cap, size_t size)
{
	uint32_t more = *cap == 0 ? 2 : *cap * 2;

	if (n < *cap)
		return array;
	array = arena_grow(a, array, *cap * size, more * size);
	if (array != NULL)
		*cap = more;
	return array;
}

static int
find_target(const struct smtp_tx *tx, account_id id, uint32_t *ret)
{
	for (uint32_t i = 0; i < tx->n_targets; i++)
		if (tx->targets[i].id == id) {
			*ret = i;
			return 0;
		}
	return E_NOT_FOUND;
}

/* The index of the account among the targets, opened and added if it is new. */
static int
add_target(struct smtp_session *s, account_id id, struct str address, uint32_t *ret)
{
	struct smtp_tx *tx = &s->tx;
	OWN(account)    account = NULL;
	void           *grown;
	int             r;

	if (find_target(tx, id, ret) == 0)
		return 0;
	if (tx->n_targets == SMTP_TARGETS_MAX)
		return E_TOO_MANY_RCPT;
	grown = add_place(&tx->arena, tx->targets, tx->n_targets, &tx->cap_targets,
	    sizeof(*tx->targets));
	if (grown == NULL)
		return E_NOMEM;
	tx->targets = grown;
	r = account_open(s->server->store, id, &account);
	if (r == E_NOT_FOUND)
		return E_INTERNAL; /* the directory has it, the store does not */
	if (r < 0)
		return r;
	tx->targets[tx->n_targets] = (struct smtp_target){
		.id = id, .account = TAKE(account), .address = address
	};
	*ret = tx->n_targets++;
	return 0;
}

static void
drop_targets(struct smtp_tx *tx, uint32_t from)
{
	while (tx->n_targets > from)
		account_drop(tx->targets[--tx->n_targets].account);
}

/*
 * Is there room for the size that was declared, or for anything at all (RFC 1870 s6.4)? An alias
 * for several accounts is refused only when all of them are full: one full mailbox must not keep a
 * message from the others, and as long as there is no bounce the full one gets it too.
 */
static int
check_room(struct smtp_session *s, const struct smtp_rcpt *rcpt)
{
	uint64_t size = s->tx.size != 0 ? s->tx.size : 1;
	uint32_t full = 0;
	int      r = 0;

	for (uint32_t i = 0; i < rcpt->n_targets; i++) {
		struct smtp_target *t = &s->tx.targets[rcpt->targets[i]];
		int                 no = t->any_size ? 0 : account_quota_check(t->account, size);

		full += no < 0;
		if (no < 0)
			r = no;
		if (no < 0 && rcpt->n_targets > 1)
			t->any_size = true;
	}
	return full == rcpt->n_targets ? r : 0;
}

static int
open_targets(struct smtp_session *s, const struct resolved *to, struct smtp_rcpt *rcpt)
{
	rcpt->targets = arena_alloc(&s->tx.arena, to->n_accounts * sizeof(*rcpt->targets));
	if (rcpt->targets == NULL)
		return E_NOMEM;
	for (size_t i = 0; i < to->n_accounts; i++) {
		int r = add_target(s, to->accounts[i], rcpt->address, &rcpt->targets[i]);

		if (r < 0)
			return r;
		rcpt->n_targets++;
	}
	return check_room(s, rcpt);
}

/* Where the address leads, for this kind of listener. */
static int
resolve(struct smtp_session *s, struct str address, struct resolved *ret)
{
	int r = directory_resolve(s->server->directory, address, &s->command, ret);

	if (r == E_RELAY && s->kind->auth)
		return E_NO_QUEUE;
	if (r < 0)
		return r;
	/* An alias that leads elsewhere: in part would be to lose a part. */
	if (ret->n_remote > 0)
		return E_NO_QUEUE;
	return ret->n_accounts == 0 ? E_NO_USER : 0;
}

static int
add_rcpt(struct smtp_session *s, const struct smtp_path *path)
{
	struct smtp_tx  *tx = &s->tx;
	struct smtp_rcpt rcpt = { 0 };
	struct resolved  to;
	uint32_t         n_targets = tx->n_targets;
	void            *grown;
	int              r;

	if (path->address.n > SMTP_PATH_MAX)
		return E_BAD_ADDRESS;
	if (path->is_utf8 && !tx->smtputf8)
		return E_NEED_SMTPUTF8;
	if (tx->n_rcpts >= s->server->limits.rcpt_max)
		return E_TOO_MANY_RCPT;
	r = resolve(s, path->address, &to);
	if (r < 0)
		return r;
	grown = add_place(&tx->arena, tx->rcpts, tx->n_rcpts, &tx->cap_rcpts, sizeof(*tx->rcpts));
	if (grown == NULL)
		return E_NOMEM;
	tx->rcpts = grown;
	r = arena_dup(&tx->arena, path->address, &rcpt.address);
	if (r == 0)
		r = open_targets(s, &to, &rcpt);
	if (r < 0) {
		drop_targets(tx, n_targets);
		return r;
	}
	tx->rcpts[tx->n_rcpts++] = rcpt;
	return 0;
}

static enum step
refuse_rcpt(struct smtp_session *s, const struct smtp_path *path, int err)
{
	const struct error_row *row = error_row(err);

	log_event(LOG_INFO, "rejected", LOG_U("session", conn_id(s->conn)),
	    LOG_S("protocol", s->kind->name), LOG_S("peer", conn_peer(s->conn)),
	    LOG_S("from", s->tx.sender), LOG_S("to", path->address), LOG_ERR(err));
	/* RFC 6531 s3.5 wants 553 here and 550 at MAIL. */
	smtp_reply(s, err == E_NEED_SMTPUTF8 ? 553 : row->smtp_code, row->smtp_enhanced, row->text);
	return row->smtp_code == 421 ? STEP_CLOSE : smtp_count_refused(s);
}

enum step
smtp_rcpt_add(struct smtp_session *s, const union smtp_args *a)
{
	int r = add_rcpt(s, &a->rcpt);

	if (r < 0)
		return refuse_rcpt(s, &a->rcpt, r);
	smtp_set_state(s, SMTP_RCPT);
	smtp_reply(s, 250, "2.1.5", "recipient ok");
	return STEP_DONE;
}

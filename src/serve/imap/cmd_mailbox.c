/* CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE. RFC 3501 s6.3.3 to s6.3.7, RFC 6154 s3 */
#include "base/error.h"
#include "serve/imap/special.h"
#include "serve/imap/verbs.h"

/* "work/" declares that mailboxes will be made below it; the name is "work". */
static struct str
without_last_separator(struct str name)
{
	if (name.n > 1 && name.p[name.n - 1] == MAILBOX_SEPARATOR)
		name.n--;
	return name;
}

enum step
imap_run_create(struct imap_session *s, struct imap_command *c)
{
	const struct imap_strs *use = &c->args.create.use;
	struct actor            actor = imap_actor(s);
	unsigned                bits = 0;
	mailbox_id              id;
	int                     r;

	for (size_t i = 0; i < use->n; i++) {
		unsigned bit = special_use_bit(use->s[i]);

		/* \All and \Flagged would be views of other mailboxes' messages. */
		if (bit == 0 || bit == USE_ALL || bit == USE_FLAGGED)
			return imap_no(s, "[USEATTR] This special use cannot be given.");
		bits |= bit;
	}
	r = mailbox_create(s->account, without_last_separator(c->args.create.mailbox), bits, &actor,
	    &id);
	return r < 0 ? imap_fail(s, r) : imap_ok(s, "Create completed.");
}

enum step
imap_run_delete(struct imap_session *s, struct imap_command *c)
{
	struct str   name = without_last_separator(c->args.mailbox);
	struct actor actor = imap_actor(s);
	mailbox_id   id = 0;
	int          r;

	(void)mailbox_find(s->account, name, &id);
	r = mailbox_delete(s->account, name, &actor);
	if (r < 0)
		return imap_fail(s, r);
	if (s->view != NULL && id == s->view->mailbox) {
		imap_deselect(s);
		imap_untagged(s, "OK [CLOSED] The selected mailbox was deleted.");
	}
	return imap_ok(s, "Delete completed.");
}

enum step
imap_run_rename(struct imap_session *s, struct imap_command *c)
{
	struct actor actor = imap_actor(s);
	int          r;

	r = mailbox_rename(s->account, without_last_separator(c->args.rename.from),
	    without_last_separator(c->args.rename.to), &actor);
	return r < 0 ? imap_fail(s, r) : imap_ok(s, "Rename completed.");
}

static enum step
subscribe(struct imap_session *s, struct imap_command *c, bool on)
{
	struct actor actor = imap_actor(s);
	int          r;

	r = mailbox_subscribe(s->account, without_last_separator(c->args.mailbox), on, &actor);
	if (r < 0)
		return imap_fail(s, r);
	return imap_ok(s, "%s completed.", on ? "Subscribe" : "Unsubscribe");
}

enum step
imap_run_subscribe(struct imap_session *s, struct imap_command *c)
{
	return subscribe(s, c, true);
}

enum step
imap_run_unsubscribe(struct imap_session *s, struct imap_command *c)
{
	return subscribe(s, c, false);
}

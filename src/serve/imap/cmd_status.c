/* STATUS. RFC 3501 s6.3.10, RFC 7162 s3.1.7 (HIGHESTMODSEQ), RFC 8438 (SIZE) */
#include "base/error.h"
#include "serve/imap/verbs.h"

static void
put_item(struct buf *out, const char *name, uint64_t value)
{
	if (out->p[out->n - 1] != '(')
		buf_byte(out, ' ');
	buf_str(out, str_c(name));
	buf_byte(out, ' ');
	buf_u64(out, value);
}

void
imap_put_status(struct buf *out, const struct mailbox_status *st, unsigned items)
{
	const struct {
		unsigned    bit;
		const char *name;
		uint64_t    value;
	} all[] = {
		{ IMAP_STATUS_MESSAGES, "MESSAGES", st->messages },
		{ IMAP_STATUS_RECENT, "RECENT", st->recent },
		{ IMAP_STATUS_UIDNEXT, "UIDNEXT", st->uidnext },
		{ IMAP_STATUS_UIDVALIDITY, "UIDVALIDITY", st->uidvalidity },
		{ IMAP_STATUS_UNSEEN, "UNSEEN", st->unseen },
		{ IMAP_STATUS_DELETED, "DELETED", st->deleted },
		{ IMAP_STATUS_SIZE, "SIZE", st->size },
		{ IMAP_STATUS_HIGHESTMODSEQ, "HIGHESTMODSEQ", st->highest_modseq },
	};

	buf_byte(out, '(');
	for (size_t i = 0; i < ARRAY_LEN(all) && out->err == 0; i++)
		if ((items & all[i].bit) != 0)
			put_item(out, all[i].name, all[i].value);
	buf_byte(out, ')');
}

enum step
imap_run_status(struct imap_session *s, struct imap_command *c)
{
	struct buf           *out = conn_output(s->conn);
	unsigned              items = c->args.status.items;
	struct mailbox_status status;
	mailbox_id            id;
	int                   r = mailbox_find(s->account, c->args.status.mailbox, &id);

	if (r == 0)
		r = mailbox_status(s->account, id, &status);
	if (r < 0)
		return imap_fail(s, r);
	if ((items & IMAP_STATUS_HIGHESTMODSEQ) != 0)
		imap_condstore_on(s);
	buf_str(out, STR("* STATUS "));
	imap_put_mailbox(out, c->args.status.mailbox, false);
	buf_byte(out, ' ');
	imap_put_status(out, &status, items);
	buf_str(out, STR("\r\n"));
	return imap_ok(s, "Status completed.");
}

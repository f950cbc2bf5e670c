/* Delivery: LMTP, SMTP, APPEND. */
#include "load/smtp.h"
#include "load/work.h"

static int
deliver(struct client *c, bool lmtp)
{
	const struct endpoint *to = lmtp && c->load->o.lmtp.addr_n != 0 ? &c->load->o.lmtp
									: &c->load->o.main;
	int                    r = smtp_open(c, to, lmtp);

	while (r == 0 && load_claim(c)) {
		r = smtp_deliver(c, c->claim, c->claim * c->load->o.recipients, lmtp);
		if (r == 0)
			load_count(c, 1);
	}
	return r < 0 ? r : smtp_quit(c);
}

int
run_lmtp(struct client *c)
{
	return deliver(c, true);
}

int
run_smtp(struct client *c)
{
	return deliver(c, false);
}

int
run_append(struct client *c)
{
	int r = imap_open(c, &c->load->o.main, c->index);

	if (r == 0)
		r = imap_know(c, NULL);
	while (r == 0 && load_claim(c)) {
		r = imap_append(c, c->claim, 0);
		if (r == 0)
			load_count(c, 1);
	}
	return r < 0 ? r : imap_logout(c);
}

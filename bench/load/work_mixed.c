/* All at once, in fixed shares of the connections: what a server sees on a working day. */
#include "base/error.h"
#include "load/work.h"

enum { IDLE_LOOK_US = 200 * 1000 };

enum role { PHONE, LMTP, IDLE, STORE, POP3 };
const char *const mixed_roles[] = { "phone", "lmtp", "idle", "store", "pop3", NULL };

/* Of ten connections. */
static const enum role SHARES[] = { LMTP, PHONE, IDLE, STORE, PHONE, POP3, LMTP, PHONE, IDLE,
	PHONE };

unsigned
role_mixed(unsigned index)
{
	return SHARES[index % ARRAY_LEN(SHARES)];
}

int
before_mixed(struct load *l)
{
	l->o.has_expect = false; /* the mailboxes grow meanwhile */
	return l->o.lmtp.addr_n == 0 || l->o.pop3.addr_n == 0 ? E_PARAM : 0;
}

/* Counts the EXISTS that come while others deliver. */
static int
idle_until_over(struct client *c)
{
	struct imap_seen seen = { 0 };
	enum imap_took   took;
	int              r = imap_open(c, &c->load->o.main, c->index);

	if (r == 0)
		r = imap_select(c, false, &seen);
	imap_put(c, "IDLE");
	if (r == 0)
		r = imap_flush(c);
	if (r == 0)
		r = imap_until_continue(c, &seen);
	seen.exists_count = 0;
	while (r == 0 && !load_over(c->load)) {
		c->wire.until_us = now_us() + IDLE_LOOK_US;
		r = imap_take(c, &seen, &took);
		c->wire.until_us = 0;
		if (r == E_TIMEOUT)
			r = 0;
		else if (r == 0 && (took == IMAP_TAGGED || seen.has_bye))
			r = client_fail(c, E_SYNTAX, "the server ended IDLE");
	}
	buf_str(&c->wire.out, STR("DONE\r\n"));
	if (r == 0)
		r = imap_run(c, &seen);
	c->stats->ok += seen.exists_count;
	c->stats->last_us = now_us();
	return r < 0 ? r : imap_logout(c);
}

int
run_mixed(struct client *c)
{
	switch ((enum role)role_mixed(c->index)) {
	case PHONE:
		return run_phone(c);
	case LMTP:
		return run_lmtp(c);
	case IDLE:
		return idle_until_over(c);
	case STORE:
		return run_store(c);
	case POP3:
		return run_pop3(c);
	}
	return E_INTERNAL;
}

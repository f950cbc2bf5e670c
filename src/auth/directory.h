/*
 * auth/directory.h: domains, accounts' addresses, aliases: who gets mail and who may log in.
 *
 * Addresses  local@domain; both parts are compared without case and normalised (NFC, lower case,
 *            domain as A-label by libidn2). local parts up to 64 bytes, domains up to 255.
 * Durable    each change is on disk when the call returns.
 * Errors     E_EXISTS, E_NOT_FOUND, E_BAD_ADDRESS, E_CANNOT (domain in use), and the storage's.
 * Threads    any. Readers see changes at once: what was found is kept in memory until the next
 *            change (auth/known.h), failures are not.
 */
#ifndef AUTH_DIRECTORY_H
#define AUTH_DIRECTORY_H

#include "base/arena.h"
#include "kv/kv.h"

struct directory;

int  directory_open(struct kv *borrowed, struct directory **ret);
void directory_drop(struct directory *);
OWN_DEFINE(directory)

/* Checks and normalises an address (RFC 5321 s4.1.2, RFC 6531 s3.3). A bare local part is none. */
int address_normalise(struct str address, struct arena *, struct str *ret);

int directory_domain_add(struct directory *, struct str domain);
/* E_CANNOT: there are accounts or aliases in it. */
int directory_domain_remove(struct directory *, struct str domain);
int directory_domain_list(struct directory *, struct arena *, struct str **ret, size_t *ret_n);
int directory_domain_is_local(struct directory *, struct str domain, bool *ret);

struct directory_account {
	uint64_t   id;
	struct str address;
	struct str hash;       /* of the password, "{ARGON2ID}..."; may be empty: no login */
	bool       enabled;
	int64_t    created_ms;
};
/* The domain must be there. Draws an id that was never used. */
int directory_account_add(struct directory *, struct str address, struct str hash,
    uint64_t *ret_id);
int directory_account_get(struct directory *, struct str address, struct arena *,
    struct directory_account *ret);
int directory_account_by_id(struct directory *, uint64_t id, struct arena *,
    struct directory_account *ret);
int directory_account_list(struct directory *, struct arena *, struct directory_account **ret,
    size_t *ret_n);
/* The sessions that logged in with the password before end, or go on; those of app passwords go on.
 */
enum directory_sessions { SESSIONS_END, SESSIONS_KEEP };
int directory_account_set_hash(struct directory *, struct str address, struct str hash,
    enum directory_sessions);
/* off: all its sessions end. */
int directory_account_enable(struct directory *, struct str address, bool on);
/* Its sessions end, aliases to it go too. The id is never used again. */
int directory_account_remove(struct directory *, struct str address, uint64_t *ret_id);

/* An alias stands for one or more addresses, local or remote, or other aliases. "@domain" is the
 * catch-all of a domain. */
struct directory_alias {
	struct str  address;
	struct str *targets;
	size_t      n_targets;
};
/* Adds targets to an alias, which is made when there is none. E_EXISTS when none of them is new, or
 * the address is an account's; E_LIMIT over RESOLVE_MAX targets; E_CANNOT when it names itself. */
int directory_alias_add(struct directory *, struct str address, const struct str *targets,
    size_t n);
/* n = 0: the whole alias; it also goes with its last target. */
int directory_alias_remove(struct directory *, struct str address, const struct str *targets,
    size_t n);
int directory_alias_list(struct directory *, struct arena *, struct directory_alias **ret,
    size_t *ret_n);

/* Where mail for an address goes: account, alias (expanded, each account once, cycles are cut),
 * user+tag, catch-all, in this order. More than RESOLVE_MAX names: E_LIMIT. */
enum { RESOLVE_MAX = 1000 };
struct resolved {
	uint64_t   *accounts;
	size_t      n_accounts;
	struct str *remote;    /* addresses elsewhere that aliases lead to */
	size_t      n_remote;
	struct str  tag;       /* what stood behind '+', or empty; for a single account that of the
	                          alias that led there, if it has one */
};
/* E_NO_USER, E_RELAY (the domain is not ours), E_ACCOUNT_OFF, E_BAD_ADDRESS. <postmaster>, without
 * a domain or in one of ours that has none, goes to postmaster of any domain, or else the first
 * account (RFC 5321 s4.5.1). */
int directory_resolve(struct directory *, struct str address, struct arena *, struct resolved *ret);

/* May the account use this sender address: its own, with a tag, or an alias that leads to it.
 * 0, or E_SENDER_NOT_YOURS. */
int directory_may_send_as(struct directory *, uint64_t account, struct str address);

#endif

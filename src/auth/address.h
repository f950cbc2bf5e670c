/*
 * auth/address.h: mail addresses as the directory compares them. RFC 5321 s4.1.2, RFC 6531 s3.3
 *
 * Shape    local@domain. `name` is what is compared: local part NFC and lower case, quoted only
 *          where it must be; domain as lower-case A-labels (UTS #46). `exact` keeps the local part
 *          as it was given: other servers may tell upper from lower case (RFC 5321 s2.4).
 * Limits   local part 64 bytes, domain 253 (the 255 of RFC 1035 s3.1 less dots), label 63.
 * Errors   E_BAD_ADDRESS (also for address literals, "[192.0.2.1]"), E_NOMEM.
 * Tests    tests/unit/auth/address.c
 */
#ifndef AUTH_ADDRESS_H
#define AUTH_ADDRESS_H

#include "base/arena.h"

enum { ADDRESS_LOCAL_MAX = 64, ADDRESS_DOMAIN_MAX = 253, ADDRESS_MAX = 64 + 1 + 253 };

struct address {
	struct str name;
	struct str exact;
};

/* `catch_all` also takes "@domain". */
int address_parse(struct str text, bool catch_all, struct arena *, struct address *ret);
int domain_parse(struct str text, struct arena *, struct str *ret);

/* Parts of a `name`. */
struct str address_local(struct str name);
struct str address_domain(struct str name);

/* Nothing that moves a terminal's cursor, hides, or turns the text around: no controls, no blanks
 * but ASCII's, of formatting characters the joiners alone. Of valid UTF-8. */
bool address_is_visible(struct str text);

/* The same name without its last "+tag", and the tag. "a+b+c" gives "a+b", and that gives "a".
 * E_NOT_FOUND when there is no tag. */
int address_cut_tag(struct str name, struct arena *, struct str *ret, struct str *ret_tag);

#endif

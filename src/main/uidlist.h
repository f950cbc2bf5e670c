/*
 * main/uidlist.h: dovecot-uidlist, which file of a Maildir has which UID and UIDL.
 *
 * Format     version 3: a line "3 V<uidvalidity> N<next uid> G<guid> ...", then lines
 *            "<uid> [P<uidl>] [G<guid>] [O<order>] [W<size>] [S<size>]... :<file name>". P alone:
 *            the UIDL is the file name. Version 1, Courier's, too: "1 <uidvalidity> <next uid>",
 *            then "<uid> <file name>". Fields that are not known are passed over.
 * Names      without flags: up to the ':'. A file that has several lines has the last one.
 * Limits     UIDLIST_BYTES_MAX.
 * Errors     a bad line is told and left out; without a good first line there is nothing.
 * Source     https://doc.dovecot.org/2.3/admin_manual/mailbox_formats/maildir/
 * Fuzzer     fuzz/uidl.c
 */
#ifndef MAIN_UIDLIST_H
#define MAIN_UIDLIST_H

#include "base/arena.h"
#include "base/map.h"

enum { UIDLIST_BYTES_MAX = 1 << 28 };

struct uidlist_entry {
	uint32_t    uid;
	uint32_t    order;    /* of POP3; UINT32_MAX: none */
	bool        has_uidl;
	struct str  uidl;     /* of the P field; empty: the file name */
	struct str  guid;     /* or empty */
	struct str  name;
	const char *file;     /* the reader's: where it is, or NULL */
};

struct uidlist {
	uint32_t              uidvalidity;
	struct uidlist_entry *e; /* in the order of the file; strings point into the text */
	struct uidlist_entry **sorted; /* by POP3's order, then by UID */
	size_t                n;
	struct map            by_name; /* their entries */
};

/* The text stays put while the list is in use; the entries are in the arena. E_SYNTAX: the first
 * line is bad. E_NOMEM. bad(arg, line number from 1, why) for others. uidlist_done also after an
 * error. */
int  uidlist_read(struct str text, struct arena *, void (*bad)(void *arg, size_t line,
     const char *why), void *arg, struct uidlist *ret);
void uidlist_done(struct uidlist *);
/* The entry of a file, or NULL. */
struct uidlist_entry *uidlist_find(const struct uidlist *, struct str file);
/* A file's name without its flags. */
struct str uidlist_base(struct str file);

#endif

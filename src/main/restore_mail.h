/*
 * main/restore_mail.h: messages of a backup put back into the running server (or, when none runs,
 * into the data folder), with flags, keywords and internal date.
 *
 * Not doubled  a message that is still there: same email id and bytes, or same size, internal date
 *              and envelope, in any mailbox of the account.
 * POP3         main/restore_carry.h tells what comes with a message: its UIDL, devices.
 * Expunged     and still kept by the server: it is put back with its email id. All others get a new
 *              email id.
 */
#ifndef MAIN_RESTORE_MAIL_H
#define MAIN_RESTORE_MAIL_H

#include "main/options.h"

int restore_mail(const char *backup, const struct config *, const struct options *, struct arena *);

#endif

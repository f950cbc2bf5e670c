/*
 * main/restore_carry.h: what POP3 programs know of an account in a backup, put back with its mail:
 * UIDLs, what each device has removed, what left the Inbox by a policy; devices and policies.
 *
 * Message    comes with its UIDL, unless another one has it by now.
 *            It is hidden from the devices that had removed it, where the account has devices of
 *            these names. One that was asked for by its id is shown to all.
 *            It is in the list of those that have not removed it, when it is put back where it was.
 * Account    put back whole: its devices, policies and the alarm's share, where none are set by
 *            now.
 * Errors     told; exit codes.
 */
#ifndef MAIN_RESTORE_CARRY_H
#define MAIN_RESTORE_CARRY_H

#include "main/control.h"
#include "main/options.h"
#include "store/carry.h"

struct restore_carry {
	struct account       *from; /* of the backup */
	struct carry_reader  *reader;
	struct device_info   *devices;
	size_t                n_devices;
	bool                  hidden, left; /* do messages come with these? */
	bool                  account;      /* does it come whole? */
};

/* After an error, too, restore_carry_done. */
int  restore_carry_open(struct account *from, const struct options *, struct arena *,
     struct restore_carry *ret);
void restore_carry_done(struct restore_carry *);
/* Devices and policies, before the mail. */
int  restore_carry_account(const struct restore_carry *, struct control *, struct str address);
/* Adds to the request of "append" what the message has. What cannot be read is left out. */
void restore_carry_message(const struct restore_carry *, email_id, json_t *request);

#endif

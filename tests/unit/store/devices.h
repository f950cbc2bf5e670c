/*
 * tests/unit/store/devices.h: short words for POP3 devices and what they see and remove.
 */
#ifndef TESTS_STORE_DEVICES_H
#define TESTS_STORE_DEVICES_H

#include "env.h"
#include "store/device_view.h"
#include "store/keys.h"

#define DAY_MS (24ll * 3600 * 1000)

struct actor pop3(const char *device);
device_id    login(struct env *, const char *name);
/* To be released by device_view_done. */
struct device_view view(struct env *, const char *name);
/* The email ids that a device sees, as a list. Each of them can be read. */
const char  *sees(struct env *, const char *name);
/* A session that removes some messages of its view: how many. */
uint32_t     removes(struct env *, const char *name, const char *emails);
void         put_some(struct env *, int n); /* of 9 bytes, into INBOX */
/* Puts a row into the account as nobody would. */
void         put_raw(struct env *, struct key, struct str value);

#endif

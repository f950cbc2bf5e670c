/*
 * bench/load/work.h: the workloads' functions, for the table in work.c, and what they share.
 *
 * Errors   a conversation returns 0 when there is nothing left to do, or a negative error after
 *          client_fail told what was wrong.
 */
#ifndef LOAD_WORK_H
#define LOAD_WORK_H

#include "load/imap.h"
#include "load/load.h"

/* E_SYNTAX unless the body is that of a message of the corpus; `n` is for the text. */
int work_check_body(struct client *, const struct body_sink *, uint64_t n);

int run_lmtp(struct client *);
int run_smtp(struct client *);
int run_append(struct client *);

int  run_smtp_to_mailbox(struct client *);
int  before_smtp_to_mailbox(struct load *);

/* The INTERNALDATE of message n of a mailbox that `fill` made: one an hour, from 1975 on. */
enum { FILL_STEP_MS = 3600 * 1000, FILL_A_DAY = 24 };
#define FILL_FIRST_MS 157766400000
int64_t work_fill_date_ms(uint64_t n);

int run_fetch_flags(struct client *);
int run_fetch_header_fields(struct client *);
int run_fetch_envelope(struct client *);
int run_fetch_bodies(struct client *);
int run_search_body(struct client *);

int run_newest_flags(struct client *);
int run_newest_envelopes(struct client *);
int run_any_body(struct client *);
int run_search_uid(struct client *);
int run_search_since(struct client *);

int run_select(struct client *);
int run_store(struct client *);

int run_login(struct client *);
int run_phone(struct client *);
int run_pop3(struct client *);
int run_pop3_delete(struct client *);
int run_pop3_newest(struct client *);
void after_sessions(struct load *, json_t *);

int      run_idle(struct client *);
int      before_idle(struct load *);
void     after_idle(struct load *, json_t *);
unsigned extra_idle(const struct load *);

extern const char *const mixed_roles[];
int      before_mixed(struct load *);
int      run_mixed(struct client *);
unsigned role_mixed(unsigned index);

int before_fill(struct load *);
int run_fill(struct client *);

#endif

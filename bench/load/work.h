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

int run_fetch_flags(struct client *);
int run_fetch_header_fields(struct client *);
int run_fetch_envelope(struct client *);
int run_fetch_bodies(struct client *);
int run_search_body(struct client *);

int run_select(struct client *);
int run_store(struct client *);

int run_login(struct client *);
int run_phone(struct client *);
int run_pop3(struct client *);
int run_pop3_delete(struct client *);
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

/* main/commands.h: what the rows of the command table run; one file each, cmd_*.c. */
#ifndef MAIN_COMMANDS_H
#define MAIN_COMMANDS_H

#include "main/options.h"

int cmd_serve(const struct command *, const struct options *, struct arena *);
int cmd_config_check(const struct command *, const struct options *, struct arena *);
int cmd_config_show(const struct command *, const struct options *, struct arena *);
int cmd_domain(const struct command *, const struct options *, struct arena *);
int cmd_domain_list(const struct command *, const struct options *, struct arena *);
int cmd_account_add(const struct command *, const struct options *, struct arena *);
int cmd_account_password(const struct command *, const struct options *, struct arena *);
int cmd_account_list(const struct command *, const struct options *, struct arena *);
int cmd_account_show(const struct command *, const struct options *, struct arena *);
int cmd_account_change(const struct command *, const struct options *, struct arena *);
int cmd_app_password_add(const struct command *, const struct options *, struct arena *);
int cmd_app_password_list(const struct command *, const struct options *, struct arena *);
int cmd_app_password_restrict(const struct command *, const struct options *, struct arena *);
int cmd_app_password_remove(const struct command *, const struct options *, struct arena *);
int cmd_devices(const struct command *, const struct options *, struct arena *);
int cmd_pop3(const struct command *, const struct options *, struct arena *);
int cmd_journal(const struct command *, const struct options *, struct arena *);
int cmd_account_restore(const struct command *, const struct options *, struct arena *);
int cmd_uidl(const struct command *, const struct options *, struct arena *);
int cmd_alias_add(const struct command *, const struct options *, struct arena *);
int cmd_alias_remove(const struct command *, const struct options *, struct arena *);
int cmd_alias_list(const struct command *, const struct options *, struct arena *);
int cmd_import(const struct command *, const struct options *, struct arena *);
int cmd_export(const struct command *, const struct options *, struct arena *);
int cmd_check(const struct command *, const struct options *, struct arena *);
int cmd_repair(const struct command *, const struct options *, struct arena *);
int cmd_backup(const struct command *, const struct options *, struct arena *);
int cmd_restore(const struct command *, const struct options *, struct arena *);

#endif

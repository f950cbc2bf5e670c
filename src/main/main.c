/* The command table. */
#include "base/mem.h"
#include "main/commands.h"

enum { ARENA_MAX = 1 << 30, ANY = -1 };

static const struct command COMMANDS[] = {
	/* group, name, words from, to, options, run, usage, help */
	{ "serve", NULL, 0, 0, OPT_LISTEN, cmd_serve,
	    "serve [--listen NAME=ADDR:PORT]...",
	    "run the server; with --listen only those listeners" },
	{ "config", "check", 0, 0, OPT_LISTEN, cmd_config_check,
	    "config check", "read the configuration and say what is wrong" },
	{ "config", "show", 0, 0, OPT_LISTEN, cmd_config_show,
	    "config show", "print the configuration in force" },
	{ "domain", "add", 1, 1, 0, cmd_domain, "domain add NAME", "take mail for a domain" },
	{ "domain", "list", 0, 0, 0, cmd_domain_list, "domain list", "print all domains" },
	{ "domain", "remove", 1, 1, 0, cmd_domain, "domain remove NAME",
	    "take no more mail for a domain; its accounts and aliases must be gone" },
	{ "account", "add", 1, ANY, OPT_GENERATE | OPT_HASH, cmd_account_add,
	    "account add [--generate | --password-hash HASH] ADDRESS...",
	    "make accounts; one password serves all" },
	{ "account", "list", 0, 0, 0, cmd_account_list, "account list", "print all accounts" },
	{ "account", "show", 1, ANY, 0, cmd_account_show, "account show ADDRESS...",
	    "print quota, use and mailboxes" },
	{ "account", "password", 1, ANY, OPT_GENERATE | OPT_HASH | OPT_KEEP_SESSIONS,
	    cmd_account_password,
	    "account password [--generate | --password-hash HASH] [--keep-sessions] ADDRESS...",
	    "set a new password; the sessions that came by the old one end" },
	{ "account", "disable", 1, ANY, 0, cmd_account_change, "account disable ADDRESS...",
	    "no login and no new mail, open sessions end; the mail is kept" },
	{ "account", "enable", 1, ANY, 0, cmd_account_change, "account enable ADDRESS...",
	    "undo disable" },
	{ "account", "remove", 1, ANY, 0, cmd_account_change, "account remove ADDRESS...",
	    "delete accounts with all their mail" },
	{ "account", "app-password add", 2, 2, OPT_PROTOCOLS, cmd_app_password_add,
	    "account app-password add ADDRESS NAME [--protocols imap,pop3,submission]",
	    "make a password for one device or program, and print it" },
	{ "account", "app-password list", 1, 1, 0, cmd_app_password_list,
	    "account app-password list ADDRESS", "print them: name, protocols, last use" },
	{ "account", "app-password restrict", 2, 2, OPT_PROTOCOLS, cmd_app_password_restrict,
	    "account app-password restrict ADDRESS NAME --protocols all|imap,pop3,submission",
	    "choose anew what one is for" },
	{ "account", "app-password remove", 2, 2, 0, cmd_app_password_remove,
	    "account app-password remove ADDRESS NAME",
	    "take one back, and end its open sessions" },
	{ "account", "devices", 1, 1, 0, cmd_devices, "account devices ADDRESS",
	    "print who logs in under which name, and what each fetched and removed" },
	{ "account", "pop3", 1, 1, OPT_POLICY | OPT_DEVICE | OPT_ALARM, cmd_pop3,
	    "account pop3 ADDRESS [--policy keep|read|archive|trash|delete|default "
	    "[--device NAME]] [--alarm off|PERCENT]",
	    "print or set what a POP3 program's deletion does with the mail" },
	{ "account", "journal", 1, 1, OPT_MESSAGE | OPT_SINCE, cmd_journal,
	    "account journal ADDRESS [--message ID] [--since TIME]",
	    "print who delivered, read, moved and removed which message, and when" },
	{ "account", "restore", 1, 1, OPT_SINCE | OPT_BY, cmd_account_restore,
	    "account restore ADDRESS --since TIME [--by DEVICE]",
	    "put back what was removed since then; TIME: 2h, 3d, 2026-11-22, "
	    "\"2026-11-22 08:30\"" },
	{ "account", "uidl", 2, 2, OPT_UIDL_FORMAT | OPT_UIDVALIDITY, cmd_uidl,
	    "account uidl ADDRESS FILE [--uidl-format FORMAT] [--uidvalidity N]",
	    "give messages the UIDLs of another server: lines of UIDL, TAB, Message-ID" },
	{ "alias", "add", 2, ANY, 0, cmd_alias_add, "alias add ADDRESS TARGET...",
	    "send mail for ADDRESS to the targets; @DOMAIN catches all" },
	{ "alias", "list", 0, 0, 0, cmd_alias_list, "alias list", "print all aliases" },
	{ "alias", "remove", 1, ANY, 0, cmd_alias_remove, "alias remove ADDRESS [TARGET...]",
	    "remove targets, or the whole alias" },
	{ "import", NULL, 1, ANY, OPT_ACCOUNT | OPT_MAILBOX | OPT_UIDL_FORMAT | OPT_X_UIDL,
	    cmd_import,
	    "import --account ADDRESS [--mailbox NAME] [--uidl-format FORMAT] [--x-uidl] PATH...",
	    "take in .eml files, folders of them, mbox files and Maildirs" },
	{ "export", NULL, 1, 1, OPT_ACCOUNT | OPT_MAILBOX | OPT_FORMAT, cmd_export,
	    "export --account ADDRESS [--mailbox NAME] --format mbox|maildir|eml OUT",
	    "write mail out; OUT is a new file (mbox of one mailbox) or folder" },
	{ "check", NULL, 0, 0, OPT_BLOBS, cmd_check, "check [--blobs]",
	    "look for damage in the data folder, without changing it; no server may run" },
	{ "repair", NULL, 0, 0, OPT_OUT, cmd_repair, "repair [--out DIR]",
	    "make a sound store of what can be read; the damaged one is kept" },
	{ "backup", NULL, 1, 1, OPT_LIST | OPT_VERIFY | OPT_KEEP, cmd_backup,
	    "backup [--keep N | --list | --verify] DIR",
	    "copy all into DIR, while the server runs; what did not change is shared" },
	{ "restore", NULL, 1, 1, OPT_ALL | OPT_ACCOUNT | OPT_MAILBOX | OPT_MESSAGE | OPT_TO,
	    cmd_restore,
	    "restore DIR[/STAMP] --all | --account ADDRESS [--mailbox NAME] [--message ID] [--to "
	    "NAME]",
	    "put back a backup, or mail of an account that is no longer there" },
};

int
main(int argc, char **argv)
{
	OWN_ARENA struct arena arena = ARENA_INIT(ARENA_MAX);
	struct options         options;
	const struct command  *command;
	int                    r;

	r = options_parse(argc, argv, COMMANDS, ARRAY_LEN(COMMANDS), &arena, &options, &command);
	if (r != EXIT_OK || command == NULL)
		return r;
	return command->run(command, &options, &arena);
}

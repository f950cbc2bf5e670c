#include "serve/imap/verbs.h"

enum {
	ANY = IMAP_NOT_AUTH | IMAP_AUTH | IMAP_SELECTED,
	LOGGED_IN = IMAP_AUTH | IMAP_SELECTED,
	BOTH = FORM_PLAIN | FORM_UID
};

/* The commands clients send most come first. */
static const struct imap_verb VERBS[] = {
	/* name, form, legal in, needs, news,
	 *	parse, run, source */
	{ STR("FETCH"), BOTH, IMAP_SELECTED, NEED_NONE, NEWS_KEEP_NUMBERS,
	    imap_parse_fetch, imap_run_fetch, "RFC 3501 s6.4.5" },
	{ STR("STORE"), BOTH, IMAP_SELECTED, NEED_WRITE, NEWS_KEEP_NUMBERS,
	    imap_parse_store, imap_run_store, "RFC 3501 s6.4.6" },
	{ STR("SEARCH"), BOTH, IMAP_SELECTED, NEED_NONE, NEWS_KEEP_NUMBERS,
	    imap_parse_search, imap_run_search, "RFC 3501 s6.4.4" },
	{ STR("COPY"), BOTH, IMAP_SELECTED, NEED_NONE, NEWS_ALL,
	    imap_parse_copy, imap_run_copy, "RFC 3501 s6.4.7" },
	{ STR("MOVE"), BOTH, IMAP_SELECTED, NEED_WRITE, NEWS_ALL,
	    imap_parse_copy, imap_run_move, "RFC 6851 s3.1" },
	{ STR("EXPUNGE"), FORM_PLAIN, IMAP_SELECTED, NEED_WRITE, NEWS_ALL,
	    imap_parse_none, imap_run_expunge, "RFC 3501 s6.4.3" },
	{ STR("EXPUNGE"), FORM_UID, IMAP_SELECTED, NEED_WRITE, NEWS_ALL,
	    imap_parse_uid_expunge, imap_run_expunge, "RFC 4315 s2.1" },
	{ STR("NOOP"), FORM_PLAIN, ANY, NEED_NONE, NEWS_ALL,
	    imap_parse_none, imap_run_noop, "RFC 3501 s6.1.2" },
	{ STR("IDLE"), FORM_PLAIN, LOGGED_IN, OWN_TIMEOUT, NEWS_ALL,
	    imap_parse_none, imap_run_idle, "RFC 2177" },
	{ STR("SELECT"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_NONE,
	    imap_parse_select, imap_run_select, "RFC 3501 s6.3.1" },
	{ STR("EXAMINE"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_NONE,
	    imap_parse_select, imap_run_examine, "RFC 3501 s6.3.2" },
	{ STR("STATUS"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_status, imap_run_status, "RFC 3501 s6.3.10" },
	{ STR("APPEND"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_append, imap_run_append, "RFC 3501 s6.3.11" },
	{ STR("LIST"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_list, imap_run_list, "RFC 3501 s6.3.8" },
	{ STR("LSUB"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_lsub, imap_run_lsub, "RFC 3501 s6.3.9" },
	{ STR("XLIST"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_lsub, imap_run_xlist, "none: LIST with special use, before RFC 6154" },
	{ STR("CLOSE"), FORM_PLAIN, IMAP_SELECTED, NEED_NONE, NEWS_NONE,
	    imap_parse_none, imap_run_close, "RFC 3501 s6.4.2" },
	{ STR("UNSELECT"), FORM_PLAIN, IMAP_SELECTED, NEED_NONE, NEWS_NONE,
	    imap_parse_none, imap_run_unselect, "RFC 3691 s2" },
	{ STR("CHECK"), FORM_PLAIN, IMAP_SELECTED, NEED_NONE, NEWS_ALL,
	    imap_parse_none, imap_run_noop, "RFC 3501 s6.4.1" },
	{ STR("CREATE"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_create, imap_run_create, "RFC 3501 s6.3.3" },
	{ STR("DELETE"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_mailbox, imap_run_delete, "RFC 3501 s6.3.4" },
	{ STR("RENAME"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_rename, imap_run_rename, "RFC 3501 s6.3.5" },
	{ STR("SUBSCRIBE"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_mailbox, imap_run_subscribe, "RFC 3501 s6.3.6" },
	{ STR("UNSUBSCRIBE"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_mailbox, imap_run_unsubscribe, "RFC 3501 s6.3.7" },
	{ STR("NAMESPACE"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_none, imap_run_namespace, "RFC 2342 s5" },
	{ STR("ENABLE"), FORM_PLAIN, LOGGED_IN, NEED_NONE, NEWS_ALL,
	    imap_parse_enable, imap_run_enable, "RFC 5161 s3.1" },
	{ STR("CAPABILITY"), FORM_PLAIN, ANY, NEED_NONE, NEWS_ALL,
	    imap_parse_none, imap_run_capability, "RFC 3501 s6.1.1" },
	{ STR("ID"), FORM_PLAIN, ANY, NEED_NONE, NEWS_ALL,
	    imap_parse_id, imap_run_id, "RFC 2971 s3.1" },
	{ STR("LOGIN"), FORM_PLAIN, IMAP_NOT_AUTH, NEED_PRIVATE | HIDE_TEXT, NEWS_NONE,
	    imap_parse_login, imap_run_login, "RFC 3501 s6.2.3" },
	{ STR("AUTHENTICATE"), FORM_PLAIN, IMAP_NOT_AUTH, NEED_PRIVATE | HIDE_TEXT, NEWS_NONE,
	    imap_parse_authenticate, imap_run_authenticate, "RFC 3501 s6.2.2" },
	{ STR("STARTTLS"), FORM_PLAIN, IMAP_NOT_AUTH, NEED_NONE, NEWS_NONE,
	    imap_parse_none, imap_run_starttls, "RFC 3501 s6.2.1" },
	{ STR("LOGOUT"), FORM_PLAIN, ANY, NEED_NONE, NEWS_NONE,
	    imap_parse_none, imap_run_logout, "RFC 3501 s6.1.3" },
};

const struct imap_verb *
imap_verb_find(struct str name, bool uid)
{
	const unsigned form = uid ? FORM_UID : FORM_PLAIN;

	for (size_t i = 0; i < ARRAY_LEN(VERBS); i++)
		if (VERBS[i].name.n == name.n && (VERBS[i].form & form) != 0 &&
		    str_ieq(VERBS[i].name, name))
			return &VERBS[i];
	return NULL;
}

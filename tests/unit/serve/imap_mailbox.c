/* Tests of serve/imap: LIST and its kin, making and removing mailboxes, STATUS, APPEND. */
#include "imap_rig.h"

static void
test_list(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, NULL);
	play(r, "1> a1 LIST \"\" \"\"\n"
	        "1< * LIST (\\Noselect) \"/\" \"\"\n"
	        "1< a1 OK ~\n"
	        "1> a2 LIST \"\" *\n"
	        "1< * LIST (\\HasNoChildren) \"/\" INBOX\n"
	        "1< * LIST (\\HasNoChildren \\Archive) \"/\" Archive\n"
	        "1< * LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\n"
	        "1< * LIST (\\HasNoChildren \\Junk) \"/\" Junk\n"
	        "1< * LIST (\\HasNoChildren \\Sent) \"/\" Sent\n"
	        "1< * LIST (\\HasNoChildren \\Trash) \"/\" Trash\n"
	        "1< a2 OK ~\n"
	        "1> a3 CREATE work/2024/\n1! a3\n"
	        "1> a4 CREATE \"work/B&APY-se\"\n1! a4\n"
	        "1> a5 LIST \"\" %/%\n"
	        "1< * LIST (\\HasNoChildren) \"/\" work/2024\n"
	        "1< * LIST (\\HasNoChildren) \"/\" work/B&APY-se\n"
	        "1< a5 OK ~\n"
	        "1> a6 LIST work/ %\n"
	        "1< * LIST (\\HasNoChildren) \"/\" work/2024\n"
	        "1< * LIST (\\HasNoChildren) \"/\" work/B&APY-se\n"
	        "1< a6 OK ~\n"
	        "1> a7 LIST \"\" w%\n"
	        "1< * LIST (\\HasChildren) \"/\" work\n"
	        "1< a7 OK ~\n"
	        "1> a8 LIST \"\" inbox\n"
	        "1< * LIST (\\HasNoChildren) \"/\" INBOX\n"
	        "1< a8 OK ~\n"
	        "1> a9 DELETE work\n1! a9\n"
	        "1> b1 LIST \"\" work\n"
	        "1< * LIST (\\Noselect \\HasChildren) \"/\" work\n"
	        "1< b1 OK ~\n"
	        "1> b2 SELECT work\n"
	        "1< b2 NO [NONEXISTENT] ~\n"
	        "1> b3 DELETE work\n"
	        "1< b3 NO [HASCHILDREN] ~\n"
	        "1> b4 CREATE work\n1! b4\n"
	        "1> b5 SELECT work\n1! b5\n");
}

static void
test_list_extended(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 2);
	rig_login(r, 1, NULL);
	play(r, "1> a1 CREATE work/a/b\n1! a1\n"
	        "1> a2 SUBSCRIBE work/a/b\n1! a2\n"
	        "1> a3 LIST (SPECIAL-USE) \"\" *\n"
	        "1< * LIST (\\HasNoChildren \\Archive) \"/\" Archive\n"
	        "1< * LIST (\\HasNoChildren \\Drafts) \"/\" Drafts\n"
	        "1< * LIST (\\HasNoChildren \\Junk) \"/\" Junk\n"
	        "1< * LIST (\\HasNoChildren \\Sent) \"/\" Sent\n"
	        "1< * LIST (\\HasNoChildren \\Trash) \"/\" Trash\n"
	        "1< a3 OK ~\n"
	        "1> a4 LIST \"\" (INBOX w%) RETURN (SUBSCRIBED STATUS (MESSAGES))\n"
	        "1< * LIST (\\Subscribed \\HasNoChildren) \"/\" INBOX\n"
	        "1< * STATUS INBOX (MESSAGES 2)\n"
	        "1< * LIST (\\HasChildren) \"/\" work\n"
	        "1< * STATUS work (MESSAGES 0)\n"
	        "1< a4 OK ~\n"
	        "1> a5 LIST (SUBSCRIBED) \"\" w*\n"
	        "1< * LIST (\\Subscribed \\HasNoChildren) \"/\" work/a/b\n"
	        "1< a5 OK ~\n"
	        "1> a6 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" w%\n"
	        "1< * LIST (\\HasChildren) \"/\" work (\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
	        "1< a6 OK ~\n"
	        "1> a7 LIST (RECURSIVEMATCH) \"\" w%\n"
	        "1< a7 BAD ~\n");
}

static void
test_subscriptions(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, NULL);
	play(r, "1> a1 CREATE x/y\n1! a1\n"
	        "1> a2 SUBSCRIBE x/y\n1! a2\n"
	        "1> a3 LSUB \"\" x*\n"
	        "1< * LSUB (\\HasNoChildren) \"/\" x/y\n"
	        "1< a3 OK ~\n"
	        "1> a4 LSUB \"\" x%\n"
	        "1< * LSUB (\\Noselect \\HasChildren) \"/\" x\n"
	        "1< a4 OK ~\n"
	        "1> a5 UNSUBSCRIBE x/y\n1! a5\n"
	        "1> a6 LSUB \"\" x*\n"
	        "1< a6 OK ~\n"
	        "1> a7 LSUB \"\" Sent\n"
	        "1< * LSUB (\\HasNoChildren \\Sent) \"/\" Sent\n"
	        "1< a7 OK ~\n"
	        "1> a8 SUBSCRIBE gone/name\n1! a8\n"
	        "1> a9 LSUB \"\" g*\n"
	        "1< * LSUB (\\Noselect \\HasNoChildren) \"/\" gone/name\n"
	        "1< a9 OK ~\n"
	        "1> b1 LIST (SUBSCRIBED RECURSIVEMATCH) \"\" g%\n"
	        "1< * LIST (\\NonExistent \\HasChildren) \"/\" gone "
	        "(\"CHILDINFO\" (\"SUBSCRIBED\"))\n"
	        "1< b1 OK ~\n"
	        "1> b2 XLIST \"\" S%\n"
	        "1< * XLIST (\\HasNoChildren \\Sent) \"/\" Sent\n"
	        "1< b2 OK ~\n");
}

static void
test_create_and_rename(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, NULL);
	play(r, "1> a1 CREATE INBOX\n1< a1 NO ~\n"
	        "1> a2 DELETE INBOX\n1< a2 NO [CANNOT] ~\n"
	        "1> a3 CREATE a//b\n1< a3 NO [CANNOT] ~\n"
	        "1> a4 CREATE Sent\n1< a4 NO [ALREADYEXISTS] ~\n"
	        "1> a5 CREATE Notes (USE (\\Flagged))\n1< a5 NO [USEATTR] ~\n"
	        "1> a6 CREATE Notes (USE (\\Important))\n1! a6\n"
	        "1> a7 LIST \"\" Notes\n"
	        "1< * LIST (\\HasNoChildren \\Important) \"/\" Notes\n"
	        "1* a7\n"
	        "1> a8 RENAME Notes deep/er/Notes\n1! a8\n"
	        "1> a9 LIST \"\" d*\n"
	        "1< * LIST (\\HasChildren) \"/\" deep\n"
	        "1< * LIST (\\HasChildren) \"/\" deep/er\n"
	        "1< * LIST (\\HasNoChildren \\Important) \"/\" deep/er/Notes\n"
	        "1* a9\n"
	        "1> b1 RENAME deep shallow\n1! b1\n"
	        "1> b2 LIST \"\" *Notes\n"
	        "1< * LIST (\\HasNoChildren \\Important) \"/\" shallow/er/Notes\n"
	        "1* b2\n"
	        "1> b3 RENAME nothing else\n1< b3 NO [NONEXISTENT] ~\n"
	        "1> b4 RENAME shallow Sent\n1< b4 NO [ALREADYEXISTS] ~\n"
	        "1> b5 DELETE nothing\n1< b5 NO [NONEXISTENT] ~\n");
}

static void
test_append(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, "INBOX");
	play(r, "1> a1 APPEND INBOX (\\Seen $Note) \"17-Jul-1996 02:44:25 -0700\" {24}\n"
	        "1< + OK\n"
	        "1+ Subject: hello\\r\\n\\r\\nbody\\r\n"
	        "1+ \\n\\r\\n\n"
	        "1< * FLAGS ~\n"
	        "1< * OK [PERMANENTFLAGS ~\n"
	        "1< * 1 EXISTS\n"
	        "1< * 1 RECENT\n"
	        "1< a1 OK [APPENDUID ~ 1] ~\n"
	        "1> a2 FETCH 1 (FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\n"
	        "1< * 1 FETCH (FLAGS (\\Seen \\Recent $Note) INTERNALDATE "
	        "\"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 24 BODY[] {24}\n"
	        "1= Subject: hello\\r\\n\\r\\nbody\\r\\n)\\r\\n\n"
	        "1< a2 OK ~\n"
	        /* more in one packet, and a message of no bytes */
	        "1+ a3 APPEND Sent {5+}\\r\\nabcde\\r\\na4 APPEND Sent {0+}\\r\\n\\r\\n\n"
	        "1+ a5 NOOP\\r\\n\n"
	        "1< a3 OK [APPENDUID ~ 1] ~\n"
	        "1< a4 OK [APPENDUID ~ 2] ~\n"
	        "1< a5 OK ~\n"
	        "1> a6 STATUS Sent (MESSAGES SIZE UNSEEN)\n"
	        "1< * STATUS Sent (MESSAGES 2 UNSEEN 2 SIZE 5)\n"
	        "1* a6\n");
}

static void
test_append_refused(void **state)
{
	struct rig *r = *state;

	r->server.limits.message_max = 1000;
	rig_login(r, 1, NULL);
	play(r, "1> a1 APPEND Nowhere {5}\n"
	        "1< a1 NO [TRYCREATE] ~\n"
	        "1+ a2 APPEND Nowhere {5+}\\r\\nabcde\\r\\na3 NOOP\\r\\n\n"
	        "1< a2 NO [TRYCREATE] ~\n"
	        "1< a3 OK ~\n"
	        "1> a4 APPEND INBOX {1001}\n"
	        "1< a4 NO [TOOBIG] ~\n"
	        "1> a5 APPEND INBOX (\\Seen {3}\n"
	        "1< a5 BAD ~\n"
	        "1+ a6 APPEND INBOX {3+}\\r\\nabc {3+}\\r\\ndef\\r\\n\n"
	        "1< a6 BAD ~\n"
	        "1> a7 APPEND INBOX {2000000000+}\n"
	        "1< * BYE [TOOBIG] ~\n"
	        "1< a7 NO [TOOBIG] ~\n"
	        "1.\n");
	/* before login the literal is not even looked at */
	play(r, "2> a1 APPEND INBOX {10}\n2< a1 BAD ~\n2> a2 NOOP\n2< a2 OK ~\n");
}

static void
test_append_over_quota(void **state)
{
	struct rig      *r = *state;
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	const struct quota quota = { .storage_max = 100 };
	OWN(account)       a = rig_account(r);

	assert_int_equal(account_quota_set(a, &quota, &actor), 0);
	rig_login(r, 1, NULL);
	play(r, "1> a1 APPEND INBOX {101}\n"
	        "1< a1 NO [OVERQUOTA] ~\n"
	        "1+ a2 APPEND INBOX {5+}\\r\\nabcde\\r\\n\n"
	        "1! a2\n"
	        "1> a3 APPEND INBOX {96}\n"
	        "1< a3 NO [OVERQUOTA] ~\n"
	        "1> a4 SELECT INBOX\n1! a4\n"
	        "1> a5 COPY 1 Sent\n1! a5\n");
}

static void
test_status(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 3);
	rig_login(r, 1, NULL);
	play(r, "1> a1 STATUS inbox (UIDNEXT UIDVALIDITY UNSEEN RECENT MESSAGES SIZE)\n"
	        "1< * STATUS inbox (MESSAGES 3 RECENT 3 UIDNEXT 4 UIDVALIDITY ~ UNSEEN 3 SIZE ~)\n"
	        "1< a1 OK ~\n"
	        "1> a2 STATUS nowhere (MESSAGES)\n"
	        "1< a2 NO [NONEXISTENT] ~\n"
	        "1> a3 STATUS INBOX ()\n"
	        "1< a3 BAD ~\n");
}

/* LIST of many mailboxes leaves in pieces. */
static void
test_many_mailboxes(void **state)
{
	struct rig      *r = *state;
	const struct actor actor = { .protocol = ACTOR_ADMIN };
	OWN(account)       a = rig_account(r);
	int                n = 0;
	mailbox_id         id;

	for (int i = 0; i < 9000; i++) {
		char name[100];

		snprintf(name, sizeof(name), "a mailbox with quite a long name, number %d", i);
		assert_int_equal(mailbox_create(a, str_c(name), 0, &actor, &id), 0);
	}
	rig_login(r, 1, NULL);
	play(r, "1> a1 LIST \"\" a*\n");
	while (str_starts(client_line(r, &r->clients[1]), STR("* LIST (\\HasNoChildren)")))
		n++;
	assert_int_equal(n, 9000);
	assert_true(str_starts(buf_view(&r->line), STR("a1 OK")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_list),
		RIG_TEST(test_list_extended),
		RIG_TEST(test_subscriptions),
		RIG_TEST(test_create_and_rename),
		RIG_TEST(test_append),
		RIG_TEST(test_append_refused),
		RIG_TEST(test_append_over_quota),
		RIG_TEST(test_status),
		RIG_TEST(test_many_mailboxes),
	};

	return cmocka_run_group_tests_name("imap_mailbox", tests, NULL, NULL);
}

/* Tests of serve/imap: what two sessions on one mailbox tell of each other's changes. */
#include "imap_rig.h"

#include "base/clock.h"

static void
test_select(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 3);
	rig_login(r, 1, NULL);
	play(r, "1> a1 SELECT inbox\n"
	        "1< * FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\n"
	        "1< * OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft "
	        "\\*)] ~\n"
	        "1< * 3 EXISTS\n"
	        "1< * 3 RECENT\n"
	        "1< * OK [UNSEEN 1] ~\n"
	        "1< * OK [UIDVALIDITY ~] ~\n"
	        "1< * OK [UIDNEXT 4] ~\n"
	        "1< * OK [HIGHESTMODSEQ ~] ~\n"
	        "1< a1 OK [READ-WRITE] ~\n");
	rig_login(r, 2, NULL);
	play(r, "2> a1 EXAMINE INBOX\n"
	        "2< * FLAGS ~\n"
	        "2< * OK [PERMANENTFLAGS ()] ~\n"
	        "2< * 3 EXISTS\n"
	        "2< * 0 RECENT\n"
	        "2< * OK [UNSEEN 1] ~\n"
	        "2< * OK [UIDVALIDITY ~] ~\n"
	        "2< * OK [UIDNEXT 4] ~\n"
	        "2< * OK [HIGHESTMODSEQ ~] ~\n"
	        "2< a1 OK [READ-ONLY] ~\n"
	        "2> a2 SELECT Nowhere\n"
	        "2< * OK [CLOSED] ~\n"
	        "2< a2 NO [NONEXISTENT] ~\n"
	        "2> a3 CHECK\n"
	        "2< a3 BAD ~\n");
}

static void
test_flags(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 5);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	play(r, "1> a1 STORE 2:3 +FLAGS (\\Seen)\n"
	        "1< * 2 FETCH (FLAGS (\\Seen \\Recent))\n"
	        "1< * 3 FETCH (FLAGS (\\Seen \\Recent))\n"
	        "1< a1 OK ~\n"
	        "2> a1 NOOP\n"
	        "2< * 2 FETCH (FLAGS (\\Seen))\n"
	        "2< * 3 FETCH (FLAGS (\\Seen))\n"
	        "2< a1 OK ~\n"
	        "2> a2 NOOP\n"
	        "2< a2 OK ~\n"
	        /* nothing changes, but the answer comes all the same */
	        "2> a3 STORE 2 +FLAGS (\\Seen)\n"
	        "2< * 2 FETCH (FLAGS (\\Seen))\n"
	        "2< a3 OK ~\n"
	        "1> a2 NOOP\n"
	        "1< a2 OK ~\n"
	        /* silence is for one's own changes only */
	        "1> a3 STORE 4 +FLAGS.SILENT (\\Flagged)\n"
	        "1< a3 OK ~\n"
	        "2> a4 STORE 4 +FLAGS.SILENT (\\Answered)\n"
	        "2< * 4 FETCH (FLAGS (\\Answered \\Flagged))\n"
	        "2< a4 OK ~\n"
	        "1> a4 UID STORE 5 FLAGS.SILENT (\\Draft)\n"
	        "1< * 4 FETCH (UID 4 FLAGS (\\Answered \\Flagged \\Recent))\n"
	        "1< a4 OK ~\n"
	        "2> a5 UID STORE 5 -FLAGS (\\Draft)\n"
	        "2< * 5 FETCH (UID 5 FLAGS ())\n"
	        "2< a5 OK ~\n");
}

static void
test_keywords(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 2);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	/* The names come before what uses them. */
	play(r, "1> a1 STORE 1 +FLAGS ($Forwarded)\n"
	        "1< * FLAGS (~\\Draft $Forwarded)\n"
	        "1< * OK [PERMANENTFLAGS (~ $Forwarded \\*)] ~\n"
	        "1< * 1 FETCH (FLAGS (\\Recent $Forwarded))\n"
	        "1< a1 OK ~\n"
	        "2> a1 FETCH 1 FLAGS\n"
	        "2< * FLAGS (~\\Draft $Forwarded)\n"
	        "2< * OK [PERMANENTFLAGS (~ $Forwarded \\*)] ~\n"
	        "2< * 1 FETCH (FLAGS ($Forwarded))\n"
	        "2* a1\n"
	        "2> a2 STORE 1 -FLAGS (unknown $forwarded)\n"
	        "2* a2\n"
	        "1> a2 NOOP\n"
	        "1< * 1 FETCH (FLAGS (\\Recent))\n"
	        "1< a2 OK ~\n");
}

static void
test_expunge(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 6);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	play(r, "1> a1 STORE 2,4:5 +FLAGS.SILENT (\\Deleted)\n"
	        "1< a1 OK ~\n"
	        "1> a2 EXPUNGE\n"
	        "1< * 5 EXPUNGE\n"
	        "1< * 4 EXPUNGE\n"
	        "1< * 2 EXPUNGE\n"
	        "1< * 3 RECENT\n"
	        "1< a2 OK ~\n"
	        /* numbers may not move during FETCH, STORE, SEARCH; all other news comes */
	        "2> b1 FETCH 6 (UID)\n"
	        "2< * 6 FETCH (UID 6)\n"
	        "2< b1 OK ~\n"
	        "2> b2 FETCH 1:6 (UID)\n"
	        "2< * 1 FETCH (UID 1)\n"
	        "2< * 3 FETCH (UID 3)\n"
	        "2< * 6 FETCH (UID 6)\n"
	        "2< b2 NO [EXPUNGEISSUED] ~\n"
	        "2> b3 STORE 1:2 +FLAGS (\\Flagged)\n"
	        "2< * 1 FETCH (FLAGS (\\Flagged))\n"
	        "2< b3 NO [EXPUNGEISSUED] ~\n"
	        "1> a3 STORE 3 +FLAGS.SILENT (\\Seen)\n"
	        "1* a3\n"
	        /* a UID that is gone is no error */
	        "2> b4 UID FETCH 1:* (FLAGS)\n"
	        "2< * 1 FETCH (UID 1 FLAGS (\\Flagged))\n"
	        "2< * 3 FETCH (UID 3 FLAGS ())\n"
	        "2< * 6 FETCH (UID 6 FLAGS (\\Seen))\n"
	        "2< * 6 FETCH (UID 6 FLAGS (\\Seen))\n"
	        "2< * 5 EXPUNGE\n"
	        "2< * 4 EXPUNGE\n"
	        "2< * 2 EXPUNGE\n"
	        "2< b4 OK ~\n"
	        "2> b5 FETCH 1:3 (UID)\n"
	        "2< * 1 FETCH (UID 1)\n"
	        "2< * 2 FETCH (UID 3)\n"
	        "2< * 3 FETCH (UID 6)\n"
	        "2< b5 OK ~\n");
}

static void
test_uid_expunge_and_close(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 4);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	play(r, "1> a1 STORE 1:3 +FLAGS.SILENT (\\Deleted)\n1! a1\n"
	        "1> a2 UID EXPUNGE 2:99\n"
	        "1< * 3 EXPUNGE\n"
	        "1< * 2 EXPUNGE\n"
	        "1< * 2 RECENT\n"
	        "1< a2 OK ~\n"
	        "1> a3 CLOSE\n"
	        "1< a3 OK ~\n"
	        "2> b1 NOOP\n"
	        "2< * 3 EXPUNGE\n"
	        "2< * 2 EXPUNGE\n"
	        "2< * 1 EXPUNGE\n"
	        "2< b1 OK ~\n"
	        "2> b2 UNSELECT\n"
	        "2< b2 OK ~\n"
	        "2> b3 STATUS INBOX (MESSAGES)\n"
	        "2< * STATUS INBOX (MESSAGES 1)\n"
	        "2< b3 OK ~\n");
}

static void
test_arrivals(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 2);
	rig_login(r, 1, "INBOX");
	rig_fill(r, "INBOX", 3, 2);
	/* A message is fetched only when its number was told. */
	play(r, "1> a1 UID FETCH 3:* (UID)\n"
	        "1< * 2 FETCH (UID 2)\n"
	        "1< * 4 EXISTS\n"
	        "1< * 4 RECENT\n"
	        "1< a1 OK ~\n"
	        "1> a2 FETCH 3:* (UID FLAGS)\n"
	        "1< * 3 FETCH (UID 3 FLAGS (\\Recent))\n"
	        "1< * 4 FETCH (UID 4 FLAGS (\\Recent))\n"
	        "1< a2 OK ~\n");
	/* Told to one session that could keep it, it is recent for no later one. */
	play(r, "1> a3 UNSELECT\n1! a3\n");
	rig_login(r, 2, NULL);
	play(r, "2> b1 STATUS INBOX (RECENT MESSAGES)\n"
	        "2< * STATUS INBOX (MESSAGES 4 RECENT 0)\n"
	        "2* b1\n");
	/* What was not told stays recent. */
	play(r, "1> a4 SELECT INBOX\n1! a4\n");
	rig_fill(r, "INBOX", 5, 1);
	play(r, "1> a5 UNSELECT\n1! a5\n"
	        "2> b2 STATUS INBOX (RECENT)\n"
	        "2< * STATUS INBOX (RECENT 1)\n"
	        "2* b2\n");
}

/* Came and went between two commands. */
static void
test_come_and_go(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 2);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	rig_fill(r, "INBOX", 3, 2);
	play(r, "2> b1 NOOP\n2! b1\n"
	        "2> b2 STORE 1,3 +FLAGS (\\Deleted)\n2! b2\n"
	        "2> b3 EXPUNGE\n2! b3\n"
	        "1> a1 NOOP\n"
	        "1< * 1 EXPUNGE\n"
	        "1< * 2 EXISTS\n" /* two are recent, as before */
	        "1< a1 OK ~\n"
	        "1> a2 FETCH 1:* (UID)\n"
	        "1< * 1 FETCH (UID 2)\n"
	        "1< * 2 FETCH (UID 4)\n"
	        "1< a2 OK ~\n");
}

static void
test_copy(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 4);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "Archive");
	play(r, "1> a1 STORE 2 +FLAGS.SILENT (\\Seen)\n1! a1\n"
	        "1> a2 COPY 2:3 Archive\n"
	        "1< a2 OK [COPYUID ~ 2:3 1:2] ~\n"
	        "2> b1 NOOP\n"
	        "2< * 2 EXISTS\n"
	        "2< * 2 RECENT\n"
	        "2< b1 OK ~\n"
	        "2> b2 FETCH 1:2 (FLAGS)\n"
	        "2< * 1 FETCH (FLAGS (\\Seen \\Recent))\n"
	        "2< * 2 FETCH (FLAGS (\\Recent))\n"
	        "2* b2\n"
	        "1> a3 UID COPY 77:88 Archive\n"
	        "1< a3 OK ~\n"
	        "1> a4 COPY 1 Nowhere\n"
	        "1< a4 NO [TRYCREATE] ~\n"
	        "1> a5 COPY 9 Archive\n"
	        "1< a5 BAD ~\n"
	        /* into the same mailbox */
	        "1> a6 COPY 1 INBOX\n"
	        "1< * 5 EXISTS\n"
	        "1< * 5 RECENT\n"
	        "1< a6 OK [COPYUID ~ 1 5] ~\n");
	/* A message that somebody else removed. */
	rig_login(r, 3, "INBOX");
	play(r, "3> c1 STORE 2 +FLAGS (\\Deleted)\n3! c1\n3> c2 EXPUNGE\n3! c2\n"
	        "1> a7 COPY 1:3 Archive\n"
	        "1< * 2 EXPUNGE\n"
	        "1< * 4 RECENT\n"
	        "1< a7 NO [EXPUNGEISSUED] ~\n");
}

static void
test_move(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 5);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "Trash");
	rig_login(r, 3, "INBOX");
	play(r, "1> a1 UID MOVE 2,4 Trash\n"
	        "1< * OK [COPYUID ~ 2,4 1:2] ~\n"
	        "1< * 4 EXPUNGE\n"
	        "1< * 2 EXPUNGE\n"
	        "1< * 3 RECENT\n"
	        "1< a1 OK ~\n"
	        "2> b1 NOOP\n"
	        "2< * 2 EXISTS\n"
	        "2< * 2 RECENT\n"
	        "2* b1\n"
	        /* back again, and the client still names the old UID */
	        "2> b2 MOVE 1:2 INBOX\n"
	        "2< * OK [COPYUID ~ 1:2 6:7] ~\n"
	        "2< * 2 EXPUNGE\n"
	        "2< * 1 EXPUNGE\n"
	        "2< * 0 RECENT\n"
	        "2< b2 OK ~\n"
	        "3> c1 NOOP\n"
	        "3< * 4 EXPUNGE\n"
	        "3< * 2 EXPUNGE\n"
	        "3< * 5 EXISTS\n"
	        "3< * 2 RECENT\n"
	        "3< c1 OK ~\n"
	        "1> a2 UID MOVE 2,4 Trash\n"
	        "1< * 5 EXISTS\n"
	        "1< * 5 RECENT\n"
	        "1< a2 OK ~\n"
	        "1> a3 FETCH 1:* UID\n"
	        "1< * 1 FETCH (UID 1)\n"
	        "1< * 2 FETCH (UID 3)\n"
	        "1< * 3 FETCH (UID 5)\n"
	        "1< * 4 FETCH (UID 6)\n"
	        "1< * 5 FETCH (UID 7)\n"
	        "1* a3\n"
	        "1> a4 MOVE 1 Nowhere\n"
	        "1< a4 NO [TRYCREATE] ~\n");
}

static void
test_idle(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 3);
	rig_login(r, 1, "INBOX");
	rig_login(r, 2, "INBOX");
	play(r, "1> a1 IDLE\n1< + idling\n");
	rig_fill(r, "INBOX", 4, 1);
	play(r, "1< * 4 EXISTS\n"
	        "1< * 4 RECENT\n"
	        "2> b1 STORE 1 +FLAGS (\\Seen)\n"
	        "1< * 1 FETCH (FLAGS (\\Seen \\Recent))\n"
	        "2> b2 STORE 2 +FLAGS (\\Deleted)\n"
	        "1< * 2 FETCH (FLAGS (\\Deleted \\Recent))\n"
	        "2> b3 EXPUNGE\n"
	        "1< * 2 EXPUNGE\n"
	        "1< * 3 RECENT\n");
	clock_test_advance(4 * 60 * 1000 + 1000);
	play(r, "1< * OK Still here\n");
	clock_test_advance(4 * 60 * 1000 + 1000);
	play(r, "1< * OK Still here\n"
	        "1+ DONE\\r\\na2 NOOP\\r\\n\n"
	        "1< a1 OK ~\n"
	        "1< a2 OK ~\n"
	        "1> a3 IDLE\n1< + idling\n1> STOP\n1< a3 BAD ~\n"
	        "1> a4 UNSELECT\n1! a4\n"
	        "1> a5 IDLE\n1< + idling\n1> done\n1< a5 OK ~\n");
}

static void
test_deleted_mailbox(void **state)
{
	struct rig *r = *state;

	rig_login(r, 1, NULL);
	play(r, "1> a1 CREATE Gone\n1! a1\n");
	rig_login(r, 2, "Gone");
	rig_login(r, 3, "Gone");
	rig_login(r, 4, "Gone");
	play(r, "3> c1 IDLE\n3< + idling\n"
	        "4> d1 DELETE Gone\n"
	        "4< * OK [CLOSED] ~\n"
	        "4< d1 OK ~\n"
	        "4> d2 CHECK\n"
	        "4< d2 BAD ~\n"
	        "3< * BYE ~\n3.\n"
	        "2> b1 NOOP\n"
	        "2< b1 OK ~\n"
	        "2< * BYE ~\n2.\n");
}

static void
test_rename_inbox(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 3);
	rig_login(r, 1, "INBOX");
	play(r, "1> a1 RENAME INBOX old/mail\n"
	        "1< * 3 EXPUNGE\n"
	        "1< * 2 EXPUNGE\n"
	        "1< * 1 EXPUNGE\n"
	        "1< * 0 RECENT\n"
	        "1< a1 OK ~\n"
	        "1> a2 STATUS old/mail (MESSAGES)\n"
	        "1< * STATUS old/mail (MESSAGES 3)\n"
	        "1* a2\n"
	        "1> a3 CREATE box\n1! a3\n"
	        "1> a4 SELECT box\n1! a4\n"
	        "1> a5 RENAME box crate\n1! a5\n"
	        "1> a6 NOOP\n1< a6 OK ~\n");
}

static void
test_condstore(void **state)
{
	struct rig *r = *state;

	rig_fill(r, "INBOX", 1, 4);
	rig_login(r, 1, NULL);
	play(r, "1> s SELECT INBOX (CONDSTORE)\n1! s\n");
	rig_login(r, 2, "INBOX");
	play(r, "1> a1 STORE 1 +FLAGS.SILENT (\\Seen)\n"
	        "1< * 1 FETCH (UID 1 MODSEQ (~))\n"
	        "1< a1 OK ~\n"
	        "1> a2 STORE 2 +FLAGS (\\Seen)\n"
	        "1< * 2 FETCH (UID 2 FLAGS (\\Seen \\Recent) MODSEQ (~))\n"
	        "1< a2 OK ~\n"
	        "2> b1 FETCH 1 (MODSEQ)\n"
	        "2< * OK [HIGHESTMODSEQ ~] ~\n"
	        "2< * 1 FETCH (MODSEQ (~))\n"
	        "2< * 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (~))\n"
	        "2< * 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (~))\n"
	        "2< b1 OK ~\n"
	        "2> b2 FETCH 1:* (FLAGS) (CHANGEDSINCE 0)\n"
	        "2< * 1 FETCH (FLAGS (\\Seen) MODSEQ (~))\n"
	        "2< * 2 FETCH (FLAGS (\\Seen) MODSEQ (~))\n"
	        "2< * 3 FETCH (FLAGS () MODSEQ (~))\n"
	        "2< * 4 FETCH (FLAGS () MODSEQ (~))\n"
	        "2< b2 OK ~\n"
	        "2> b3 STORE 1:2,4 (UNCHANGEDSINCE 1) +FLAGS (\\Flagged)\n"
	        "2< b3 OK [MODIFIED 1:2,4] ~\n"
	        "2> b4 UID STORE 3:4 (UNCHANGEDSINCE 999999) +FLAGS.SILENT (\\Flagged)\n"
	        "2< * 3 FETCH (UID 3 MODSEQ (~))\n"
	        "2< * 4 FETCH (UID 4 MODSEQ (~))\n"
	        "2< b4 OK ~\n"
	        "2> b5 STATUS INBOX (HIGHESTMODSEQ)\n"
	        "2< * STATUS INBOX (HIGHESTMODSEQ ~)\n"
	        "2< b5 OK ~\n"
	        "2> b6 FETCH 1:* (UID) (CHANGEDSINCE 999999999999)\n"
	        "2< b6 OK ~\n"
	        "2> b7 STORE 1 +FLAGS.SILENT (\\Deleted)\n2! b7\n"
	        "2> b8 EXPUNGE\n"
	        "2< * 1 EXPUNGE\n"
	        "2< b8 OK [HIGHESTMODSEQ ~] ~\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		RIG_TEST(test_select),
		RIG_TEST(test_flags),
		RIG_TEST(test_keywords),
		RIG_TEST(test_expunge),
		RIG_TEST(test_uid_expunge_and_close),
		RIG_TEST(test_arrivals),
		RIG_TEST(test_come_and_go),
		RIG_TEST(test_copy),
		RIG_TEST(test_move),
		RIG_TEST(test_idle),
		RIG_TEST(test_deleted_mailbox),
		RIG_TEST(test_rename_inbox),
		RIG_TEST(test_condstore),
	};

	return cmocka_run_group_tests_name("imap_two", tests, NULL, NULL);
}

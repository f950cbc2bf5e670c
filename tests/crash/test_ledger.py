#!/usr/bin/env python3
"""The ledger's comparison on histories made up: it must see each kind of loss, and no loss where
there is none. Run by `./check crash`, or by hand: python3 tests/crash/test_ledger.py"""
import sys
import unittest
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from ledger import (Append, Box, Copy, Create, Delete, Deliver, Expunge, Ledger, Mark, Move,
                    # noqa: E402
                    Pop3, Rename, Seen, Slot, Store, Subscribe)

ANN, BOB = "ann@x.test", "bob@x.test"
UIDNEXT = 100


class Case(unittest.TestCase):
    """A ledger with one slot, and mailboxes as a dict (account, name) -> {uid: (token, flags)}."""

    def setUp(self):
        self.ledger = Ledger()
        self.slot = self.ledger.slots["s1"] = Slot("s1", ANN)
        self.boxes = {(a, n): {} for a in (ANN, BOB) for n in ("INBOX", "Archive", "Trash")}
        self.numbers = {key: Box(i + 1, UIDNEXT, 1000, 0) for i, key in enumerate(self.boxes)}
        self.subscribed = set()
        self.quota = {}
        self.by_pop3 = Counter()
        self.modseq = {}
        self.damaged = set()

    def put(self, uid, token, *flags, box=(ANN, "INBOX")):
        self.boxes[box][uid] = (token, frozenset(flags))

    def done(self, op, answer=None):
        self.slot.begin(op, b"hash" if hasattr(op, "token") else None)
        for _ in getattr(op, "accounts", (1,)):
            self.slot.ack(answer)

    def append(self, token, uid=None, *flags, mailbox="INBOX"):
        self.done(Append(token, mailbox, flags), uid)

    def faults(self):
        seen = []
        for (account, name), messages in self.boxes.items():
            for uid, (token, flags) in messages.items():
                validity = self.numbers[account, name].uidvalidity
                seen.append(Seen(account, name, validity, uid, token, flags,
                                 self.modseq.get(uid, 5), 10, token not in self.damaged))
        boxes = {key: self.numbers[key]._replace(messages=len(m)) for key, m in self.boxes.items()}
        quota = {a: (sum(10 for s in seen if s.account == a),
                     sum(1 for s in seen if s.account == a))
                 for a in (ANN, BOB)}
        quota.update(self.quota)
        return self.ledger.compare(boxes, seen, self.subscribed, quota, self.by_pop3)

    def good(self):
        self.assertEqual(self.faults(), [])

    def bad(self, word):
        faults = self.faults()
        self.assertTrue(any(word in f for f in faults), (word, faults))


class Acknowledged(Case):
    def test_all_there(self):
        self.append("s1-a", 1, "\\Seen")
        self.put(1, "s1-a", "\\Seen")
        self.good()
        self.good()

    def test_missing(self):
        self.append("s1-a", 1)
        self.bad("missing")

    def test_twice(self):
        self.append("s1-a", 1)
        self.put(1, "s1-a")
        self.put(2, "s1-a")
        self.bad("too many")

    def test_other_bytes(self):
        self.append("s1-a", 1)
        self.put(1, "s1-a")
        self.damaged.add("s1-a")
        self.bad("other bytes")

    def test_other_uid(self):
        self.append("s1-a", 1)
        self.put(2, "s1-a")
        self.bad("missing")

    def test_from_nowhere(self):
        self.put(1, "s1-a")
        self.bad("nobody sent")
        self.put(1, "s9-a")
        self.bad("nobody sent")

    def test_flag_lost_or_back(self):
        self.append("s1-a", 1)
        self.done(Store((0,), "+", ("\\Seen", "W1")))
        self.done(Store((0,), "-", ("W1",)))
        self.put(1, "s1-a", "\\Seen")
        self.good()
        self.put(1, "s1-a")
        self.bad("missing")
        self.put(1, "s1-a", "\\Seen", "W1")
        self.bad("missing")

    def test_expunged_is_back(self):
        self.append("s1-a", 1)
        self.done(Expunge((0,)))
        self.good()
        self.put(1, "s1-a")
        self.bad("too many")

    def test_moved(self):
        self.append("s1-a", 1)
        self.done(Move((0,), "Archive"), [7])
        self.put(7, "s1-a", box=(ANN, "Archive"))
        self.good()
        self.put(1, "s1-a")
        self.bad("too many")

    def test_moved_back(self):
        self.append("s1-a", 1)
        self.done(Move((0,), "Archive"), [7])
        self.put(1, "s1-a")
        self.bad("missing")

    def test_copied(self):
        self.append("s1-a", 1, "\\Seen")
        self.done(Copy((0,), "Archive"), [7])
        self.put(1, "s1-a", "\\Seen")
        self.put(7, "s1-a", "\\Seen", box=(ANN, "Archive"))
        self.good()
        del self.boxes[ANN, "Archive"][7]
        self.bad("missing")

    def test_removed_by_pop3(self):
        """To the trash, once; and counted."""
        self.append("s1-a", 1)
        self.done(Pop3((0,), "trash"))
        self.by_pop3["s1"] = 1
        self.bad("missing")
        self.put(1, "s1-a")
        self.bad("missing")
        self.put(7, "s1-a", box=(ANN, "Trash"))
        self.bad("too many")
        del self.boxes[ANN, "INBOX"][1]
        self.good()
        self.by_pop3["s1"] = 2
        self.bad("removed by its device")

    def test_removed_by_pop3_with_other_policies(self):
        for i, policy in enumerate(("delete", "read", "archive", "keep")):
            self.append(f"s1-{policy}", i + 1)
            self.done(Pop3((i,), policy))
        self.by_pop3["s1"] = 4
        self.put(2, "s1-read", "\\Seen")
        self.put(3, "s1-archive", box=(ANN, "Archive"))
        self.put(4, "s1-keep")
        self.good()
        self.put(1, "s1-delete")
        self.bad("too many")

    def test_delivered_to_two(self):
        self.done(Deliver("s1-a", (ANN, BOB)))
        self.put(1, "s1-a")
        self.put(4, "s1-a", box=(BOB, "INBOX"))
        self.good()
        del self.boxes[BOB, "INBOX"][4]
        self.bad("missing")

    def test_mailboxes(self):
        self.done(Create("s1-1"))
        self.append("s1-a", 1, mailbox="s1-1")
        self.bad("missing: mailbox")
        self.boxes[ANN, "s1-1"], self.numbers[ANN, "s1-1"] = {}, Box(9, 2, 9, 0)
        self.put(1, "s1-a", box=(ANN, "s1-1"))
        self.good()
        self.done(Rename("s1-1", "s1-2"))
        self.bad("mailbox s1-2")
        self.boxes[ANN, "s1-2"] = self.boxes.pop((ANN, "s1-1"))
        self.numbers[ANN, "s1-2"] = self.numbers[ANN, "s1-1"]
        self.good()
        self.done(Delete("s1-2"))
        self.bad("too many: mailbox")
        del self.boxes[ANN, "s1-2"]
        self.good()

    def test_subscription(self):
        self.done(Subscribe("s1-1", True))
        self.bad("subscription")
        self.subscribed.add((ANN, "s1-1"))
        self.good()

    def test_mark_on_a_board(self):
        self.ledger.boards["board"] = ANN
        self.put(1, "board")
        self.good()
        self.done(Mark("board", True))
        self.bad("keyword on board")
        self.put(1, "board", "Ks1", "Ks2")
        self.good()
        self.boxes[ANN, "INBOX"].clear()
        self.bad("board message")


class Open(Case):
    """What was not acknowledged may have happened or not, but whole."""

    def test_append(self):
        self.slot.begin(Append("s1-a", "INBOX", ()), b"")
        self.good()

    def test_append_that_happened(self):
        self.slot.begin(Append("s1-a", "INBOX", ()), b"")
        self.put(3, "s1-a")
        self.good()
        # From now on it is certain.
        self.boxes[ANN, "INBOX"].clear()
        self.bad("missing")

    def test_half_a_store(self):
        self.append("s1-a", 1)
        self.append("s1-b", 2)
        self.slot.begin(Store((0, 1), "+", ("\\Seen",)))
        self.put(1, "s1-a", "\\Seen")
        self.put(2, "s1-b")
        self.bad("missing")

    def test_half_a_move(self):
        self.append("s1-a", 1)
        self.append("s1-b", 2)
        self.slot.begin(Move((0, 1), "Archive"))
        self.put(7, "s1-a", box=(ANN, "Archive"))
        self.put(2, "s1-b")
        self.bad("missing")

    def test_half_a_removal_by_pop3(self):
        self.append("s1-a", 1)
        self.append("s1-b", 2)
        self.slot.begin(Pop3((0, 1), "trash"))
        self.put(1, "s1-a")
        self.put(2, "s1-b")
        self.by_pop3["s1"] = 2
        self.bad("removed by its device")
        self.by_pop3["s1"] = 0
        self.good()
        self.slot.begin(Pop3((0, 1), "trash"))
        self.put(7, "s1-a", box=(ANN, "Trash"))
        del self.boxes[ANN, "INBOX"][1]
        self.bad("missing")

    def test_a_whole_move(self):
        self.append("s1-a", 1)
        self.slot.begin(Move((0,), "Archive"))
        self.put(7, "s1-a", box=(ANN, "Archive"))
        self.good()

    def test_a_prefix_of_a_packet(self):
        self.append("s1-a", 1)
        self.slot.begin(Store((0,), "+", ("W1",)))
        self.slot.begin(Store((0,), "+", ("W2",)))
        self.put(1, "s1-a", "W1")
        self.good()

    def test_not_a_prefix_of_a_packet(self):
        self.append("s1-a", 1)
        self.slot.begin(Store((0,), "+", ("W1",)))
        self.slot.begin(Store((0,), "+", ("W2",)))
        self.put(1, "s1-a", "W2")
        self.bad("missing")

    def test_acknowledged_part_of_a_packet(self):
        self.append("s1-a", 1)
        self.slot.begin(Store((0,), "+", ("W1",)))
        self.slot.begin(Store((0,), "+", ("W2",)))
        self.slot.ack()
        self.put(1, "s1-a")
        self.bad("missing")

    def test_each_recipient_by_itself(self):
        self.slot.begin(Deliver("s1-a", (ANN, BOB)), b"")
        self.put(4, "s1-a", box=(BOB, "INBOX"))
        self.good()

    def test_refused_may_have_happened(self):
        self.slot.begin(Append("s1-a", "INBOX", ()), b"")
        self.slot.refuse("NO")
        self.good()


class Numbers(Case):
    def test_quota(self):
        self.quota[BOB] = (10, 1)
        self.bad("quota")

    def test_uid_again(self):
        self.ledger.told(ANN, 1, 5, "s1-a")
        self.append("s1-b")
        self.put(5, "s1-b")
        self.bad("used again")

    def test_uid_told_twice(self):
        self.ledger.told(ANN, 1, 5, "s1-a")
        self.ledger.told(ANN, 1, 5, "s1-b")
        self.bad("was s1-a")

    def test_new_uid_below_the_old_uidnext(self):
        self.good()
        self.append("s1-b")
        self.put(99, "s1-b")
        self.bad("below the old UIDNEXT")

    def number(self, **change):
        key = (ANN, "INBOX")
        self.numbers[key] = self.numbers[key]._replace(**change)

    def test_uidnext(self):
        self.good()
        self.number(uidnext=99)
        self.bad("UIDNEXT")

    def test_uidnext_and_told(self):
        self.ledger.told(ANN, 1, 100, "s1-a")
        self.slot.removed.add("s1-a")
        self.bad("UIDNEXT")

    def test_modseq(self):
        self.good()
        self.number(modseq=999)
        self.bad("HIGHESTMODSEQ")

    def test_modseq_and_told(self):
        self.ledger.told(ANN, 1, 1, "s1-a", 1001)
        self.bad("HIGHESTMODSEQ")

    def test_modseq_of_a_message(self):
        self.append("s1-a", 1)
        self.put(1, "s1-a")
        self.good()
        self.modseq[1] = 4
        self.bad("MODSEQ fell")

    def test_uidvalidity(self):
        self.good()
        self.number(uidvalidity=2)
        self.bad("two mailboxes")
        self.number(uidvalidity=0)
        self.bad("is not above")

    def test_inbox_gone(self):
        del self.boxes[ANN, "INBOX"]
        self.bad("is gone")

    def test_told_and_gone(self):
        self.slot.begin(Append("s1-a", "INBOX", ()), b"")
        self.ledger.saw(ANN, 1, 3, "s1-a", 5)
        self.bad("it is gone")

    def test_told_and_removed(self):
        self.append("s1-a", 3)
        self.ledger.saw(ANN, 1, 3, "s1-a", 5)
        self.done(Expunge((0,)))
        self.good()


if __name__ == "__main__":
    unittest.main()

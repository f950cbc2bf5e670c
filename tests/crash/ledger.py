"""What was acknowledged, and what the mailboxes must therefore contain.

A *slot* is one user with several connections who does one thing at a time and touches only its own
messages (their tokens begin with the slot's name), its own mailboxes and its own keyword on the
board messages. So each slot has one history, in order, whatever the others do at the same time.

    begin(op)      before the first byte of it is sent
    ack(answer)    the server said that it is done; answers come in the order of begin
    refuse(text)   the server said no

An operation that was begun and not acknowledged may have happened or not, but whole; and of several
that were sent in one packet, only a prefix (commits have one order, and a crash cuts it). What was
refused, and each recipient's copy of a delivery, may be there or not, each by itself.

compare() says which of these states the mailboxes show, or how they differ from the nearest one.
This file knows no sockets: tests/crash/test_ledger.py feeds it histories made up.
"""
import hashlib
import itertools
from collections import Counter, defaultdict, namedtuple

# --- operations: one row a kind; `mids` are a slot's own numbers of its messages ---

Deliver = namedtuple("Deliver", "token accounts")            # into INBOX of each
Append = namedtuple("Append", "token mailbox flags")         # answer: uid
Store = namedtuple("Store", "mids mode flags")               # mode "+", "-" or "="
Copy = namedtuple("Copy", "mids mailbox")                    # answer: uids
Move = namedtuple("Move", "mids mailbox")                    # answer: uids
Expunge = namedtuple("Expunge", "mids")                      # UID EXPUNGE
Pop3 = namedtuple("Pop3", "mids policy")                     # DELE and QUIT by the slot's device
Create = namedtuple("Create", "mailbox")
Rename = namedtuple("Rename", "mailbox to")
Delete = namedtuple("Delete", "mailbox")
Subscribe = namedtuple("Subscribe", "mailbox on")
Mark = namedtuple("Mark", "board on")                        # the slot's keyword on a board message

Msg = namedtuple("Msg", "account mailbox token uid flags")   # uid None: not known yet
# What a mailbox showed after the restart.
Seen = namedtuple("Seen", "account mailbox uidvalidity uid token flags modseq size intact")
Box = namedtuple("Box", "uidvalidity uidnext modseq messages")

FREE, PREFIX, SURE = "free", "prefix", "sure"
POP3_MOVES = {"archive": "Archive", "trash": "Trash"}


class Slot:
    """The state of one slot that is certain, and the operations behind it that are not."""

    def __init__(self, name, account):
        self.name, self.account = name, account
        self.keyword = "K" + name
        self.messages = {}        # mid -> Msg
        self.mailboxes = set()
        self.subscribed = set()
        self.marks = set()
        self.next_mid = 0
        self.by_pop3 = 0          # messages that its device has removed
        self.tail = []            # [op, how sure, answer]
        self.removed = set()      # tokens that were ever asked to go away
        self.tokens = {}          # token -> hash of its bytes, of all that was ever begun

    # --- history ---

    def begin(self, op, digest=None):
        if digest is not None:
            self.tokens[op.token] = digest
        if isinstance(op, (Move, Expunge, Delete, Pop3)):
            self.removed.update(self.tokens_of(op))
        if isinstance(op, Deliver):
            # Accounts commit one by one, so each copy is an operation of its own.
            self.tail += [[Deliver(op.token, (a,)), FREE, None] for a in op.accounts]
        else:
            self.tail.append([op, PREFIX, None])

    def ack(self, answer=None):
        """The oldest open operation is done. A delivery's copies are acknowledged one by one."""
        entry = next(e for e in self.tail if e[1] != SURE and e[2] is None)
        entry[1], entry[2] = SURE, answer
        while self.tail and self.tail[0][1] == SURE:
            op, _, answer = self.tail.pop(0)
            self.apply(op, answer)

    def refuse(self, text):
        entry = next(e for e in self.tail if e[1] != SURE and e[2] is None)
        entry[1], entry[2] = FREE, f"refused: {text}"

    def learn(self, mid, uid):
        """A delivered message was found under this UID."""
        self.messages[mid] = self.messages[mid]._replace(uid=uid)

    # --- effects ---

    def tokens_of(self, op):
        if isinstance(op, Delete):
            return [m.token for m in self.messages.values() if m.mailbox == op.mailbox]
        return [self.messages[i].token for i in op.mids if i in self.messages]

    def add(self, msg):
        self.messages[self.next_mid] = msg
        self.next_mid += 1

    def apply(self, op, answer=None):
        getattr(self, "apply_" + type(op).__name__.lower())(op, answer)

    def apply_deliver(self, op, _):
        for account in op.accounts:
            self.add(Msg(account, "INBOX", op.token, None, frozenset()))

    def apply_append(self, op, uid):
        self.add(Msg(self.account, op.mailbox, op.token, uid, frozenset(op.flags)))

    def apply_store(self, op, _):
        for i in op.mids:
            had, flags = self.messages[i].flags, frozenset(op.flags)
            flags = had | flags if op.mode == "+" else had - flags if op.mode == "-" else flags
            self.messages[i] = self.messages[i]._replace(flags=flags)

    def apply_copy(self, op, uids):
        for i, uid in zip(op.mids, uids or [None] * len(op.mids)):
            self.add(self.messages[i]._replace(mailbox=op.mailbox, uid=uid))

    def apply_move(self, op, uids):
        for i, uid in zip(op.mids, uids or [None] * len(op.mids)):
            self.messages[i] = self.messages[i]._replace(mailbox=op.mailbox, uid=uid)

    def apply_expunge(self, op, _):
        for i in op.mids:
            del self.messages[i]

    def apply_pop3(self, op, _):
        self.by_pop3 += len(op.mids)
        if op.policy == "delete":
            self.apply_expunge(op, None)
        elif op.policy == "read":
            self.apply_store(Store(op.mids, "+", ("\\Seen",)), None)
        elif op.policy in POP3_MOVES:
            self.apply_move(Move(op.mids, POP3_MOVES[op.policy]), None)

    def apply_create(self, op, _):
        self.mailboxes.add(op.mailbox)

    def apply_rename(self, op, _):
        self.mailboxes.discard(op.mailbox)
        self.mailboxes.add(op.to)
        # A subscription stays with the old name, RFC 9051 s6.3.6.
        for i, m in self.messages.items():
            if m.mailbox == op.mailbox:
                self.messages[i] = m._replace(mailbox=op.to)

    def apply_delete(self, op, _):
        self.mailboxes.discard(op.mailbox)
        self.subscribed.discard(op.mailbox)
        for i in [i for i, m in self.messages.items() if m.mailbox == op.mailbox]:
            del self.messages[i]

    def apply_subscribe(self, op, _):
        (self.subscribed.add if op.on else self.subscribed.discard)(op.mailbox)

    def apply_mark(self, op, _):
        (self.marks.add if op.on else self.marks.discard)(op.board)

    # --- what may be there ---

    def copy(self):
        other = Slot(self.name, self.account)
        other.messages, other.next_mid = dict(self.messages), self.next_mid
        other.mailboxes, other.subscribed = set(self.mailboxes), set(self.subscribed)
        other.marks, other.by_pop3 = set(self.marks), self.by_pop3
        other.removed, other.tokens = self.removed, self.tokens
        return other

    def candidates(self):
        """All states that the history allows, the one where everything happened first."""
        free = [i for i, e in enumerate(self.tail) if e[1] == FREE]
        prefix = [i for i, e in enumerate(self.tail) if e[1] == PREFIX]
        for n in range(len(prefix), -1, -1):
            for chosen in itertools.product((True, False), repeat=len(free)):
                took = set(prefix[:n]) | {i for i, yes in zip(free, chosen) if yes}
                state = self.copy()
                for i, (op, sure, answer) in enumerate(self.tail):
                    if sure == SURE or i in took:
                        state.apply(op, answer if sure == SURE else None)
                yield state

    def differences(self, seen, mailboxes, subscribed, marks, by_pop3):
        """How this state differs from what was found; assigns UIDs that were not known."""
        out = []
        want, have = defaultdict(list), defaultdict(list)
        for mid, m in self.messages.items():
            want[m.account, m.mailbox, m.token, m.flags].append(mid)
        for s in seen:
            have[s.account, s.mailbox, s.token, s.flags].append(s.uid)
        for key in want.keys() | have.keys():
            mids, uids = want.get(key, []), list(have.get(key, []))
            for mid in [i for i in mids if self.messages[i].uid is not None]:
                if self.messages[mid].uid in uids:
                    uids.remove(self.messages[mid].uid)
                else:
                    out.append(f"missing: {describe(key)} with UID {self.messages[mid].uid}")
            for mid in [i for i in mids if self.messages[i].uid is None]:
                if uids:
                    self.messages[mid] = self.messages[mid]._replace(uid=uids.pop(0))
                else:
                    out.append(f"missing: {describe(key)}")
            out += [f"too many: {describe(key)} with UID {uid}" for uid in uids]
        for what, w, h in (("mailbox", self.mailboxes, mailboxes),
                           ("subscription", self.subscribed, subscribed),
                           ("keyword on board", self.marks, marks)):
            out += [f"missing: {what} {x}" for x in sorted(w - h)]
            out += [f"too many: {what} {x}" for x in sorted(h - w)]
        if by_pop3 != self.by_pop3:
            out.append(f"removed by its device: {self.by_pop3}, but {by_pop3} were counted")
        return out

    def compare(self, seen, mailboxes, subscribed, marks, by_pop3):
        """Faults; without any the slot goes on from the state that was found."""
        nearest = None
        for state in self.candidates():
            faults = state.differences(seen, mailboxes, subscribed, marks, by_pop3)
            if nearest is None or len(faults) < len(nearest):
                nearest = faults
            if not faults:
                self.messages, self.next_mid = state.messages, state.next_mid
                self.mailboxes, self.subscribed = state.mailboxes, state.subscribed
                self.marks, self.by_pop3 = state.marks, state.by_pop3
                self.tail = []
                return []
        open_ops = [(type(e[0]).__name__, *e) for e in self.tail]
        return [f"slot {self.name}: {f}" for f in nearest] + [
            f"slot {self.name}: not certain was {op}" for op in open_ops]


def describe(key):
    account, mailbox, token, flags = key
    return f"{token} in {account} {mailbox} ({' '.join(sorted(flags))})"


class Ledger:
    """All slots, and what holds for the mailboxes whoever wrote to them."""

    def __init__(self):
        self.slots = {}
        self.boards = {}                     # token -> account
        self.board_hash = {}
        self.uids = {}                       # (account, uidvalidity) -> {uid: token}
        self.told_modseq = Counter()         # (account, uidvalidity) -> the highest told
        self.validity = {}                   # account -> its UIDVALIDITYs at the last look
        self.boxes = {}                      # (account, uidvalidity) -> Box at the last look
        # (account, uidvalidity, uid) -> modseq at the last look
        self.modseqs = {}
        self.watched = []                    # Told to some session since the last look
        self.faults = []

    # --- what sessions were told ---

    def told(self, account, uidvalidity, uid, token, modseq=0):
        """A session was told that this message has this UID (APPENDUID, COPYUID, FETCH)."""
        known = self.uids.setdefault((account, uidvalidity), {})
        if known.setdefault(uid, token) != token:
            self.faults.append(f"UID {uid} of {account} {uidvalidity} is {token}, was {known[uid]}")
        key = (account, uidvalidity)
        self.told_modseq[key] = max(self.told_modseq[key], modseq)

    def saw(self, account, uidvalidity, uid, token, modseq):
        """As told; and unless somebody asks for its removal the message has to stay."""
        self.told(account, uidvalidity, uid, token, modseq)
        self.watched.append((account, uidvalidity, uid, token))

    # --- the comparison after a restart ---

    def compare(self, boxes, seen, subscribed, quota, by_pop3):
        """boxes: (account, name) -> Box; seen: [Seen]; subscribed: {(account, name)};
        quota: account -> (bytes, messages); by_pop3: Counter of what each slot's device removed, as
        the server counts. Returns the faults found, and goes on from what is there."""
        faults, self.faults = self.faults, []
        faults += self.compare_messages(seen)
        faults += self.compare_boxes(boxes, seen)
        faults += self.compare_quota(seen, quota)
        faults += self.compare_slots(boxes, seen, subscribed, by_pop3)
        faults += self.compare_watched(seen)
        self.boxes = {(a, b.uidvalidity): b for (a, _), b in boxes.items()}
        self.modseqs = {(s.account, s.uidvalidity, s.uid): s.modseq for s in seen}
        for s in seen:
            self.told(s.account, s.uidvalidity, s.uid, s.token, s.modseq)
        self.watched = []
        return faults

    def slot_of(self, token):
        return self.slots.get(token.split("-", 1)[0])

    def compare_messages(self, seen):
        faults = []
        for s in seen:
            slot = self.slot_of(s.token)
            if s.token not in self.boards and (slot is None or s.token not in slot.tokens):
                faults.append(f"nobody sent {s.token!r} in {s.account} {s.mailbox} UID {s.uid}")
            elif not s.intact:
                faults.append(f"other bytes: {s.token} in {s.account} {s.mailbox} UID {s.uid}")
            key = (s.account, s.uidvalidity)
            known = self.uids.get(key, {}).get(s.uid)
            if known is not None and known != s.token:
                faults.append(f"UID {s.uid} of {s.account} {s.mailbox} used again: {known}, "
                              f"{s.token}")
            before = self.boxes.get(key)
            if before and known is None and s.uid < before.uidnext:
                faults.append(f"new UID {s.uid} of {s.account} {s.mailbox} is below the old "
                              f"UIDNEXT")
            if s.modseq < self.modseqs.get((*key, s.uid), 0):
                faults.append(f"MODSEQ fell: {s.account} {s.mailbox} UID {s.uid}")
        return faults

    def compare_boxes(self, boxes, seen):
        faults = []
        count = Counter((s.account, s.mailbox) for s in seen)
        top = defaultdict(int)
        for s in seen:
            top[s.account, s.mailbox] = max(top[s.account, s.mailbox], s.modseq)
        faults += self.compare_validity(boxes)
        for (account, name), box in boxes.items():
            what, key = f"{account} {name}", (account, box.uidvalidity)
            before = self.boxes.get(key)
            if before and box.uidnext < before.uidnext:
                faults.append(f"UIDNEXT of {what} fell from {before.uidnext} to {box.uidnext}")
            if before and box.modseq < before.modseq:
                faults.append(f"HIGHESTMODSEQ of {what} fell from {before.modseq} to {box.modseq}")
            if box.modseq < max(self.told_modseq[key], top[account, name]):
                faults.append(f"HIGHESTMODSEQ of {what} is below a MODSEQ that was told")
            if box.uidnext <= max(self.uids.get(key, {0: 0})):
                faults.append(f"UIDNEXT of {what} is not above a UID that was told")
            if box.messages != count[account, name]:
                faults.append(f"STATUS of {what}: {box.messages} messages, FETCH: "
                              f"{count[account, name]}")
        return faults

    def compare_validity(self, boxes):
        """A mailbox keeps its UIDVALIDITY over a rename; a new one has a greater one than any
        before."""
        faults, now = [], defaultdict(set)
        for (account, name), box in boxes.items():
            if box.uidvalidity in now[account]:
                faults.append(f"two mailboxes of {account} have UIDVALIDITY {box.uidvalidity}")
            now[account].add(box.uidvalidity)
        for account, values in now.items():
            before = self.validity.get(account, set())
            faults += [f"a new UIDVALIDITY of {account}, {v}, is not above {max(before)}"
                       for v in values - before if before and v <= max(before)]
            # Those that are gone count too.
            self.validity[account] = values | {max(before | values)}
        fixed = {(a, n) for a in now for n in ("INBOX", "Archive")}
        return faults + [f"{a} {n} is gone" for a, n in sorted(fixed - set(boxes))]

    @staticmethod
    def compare_quota(seen, quota):
        size, count = Counter(), Counter()
        for s in seen:
            size[s.account] += s.size
            count[s.account] += 1
        return [f"quota of {a}: {used}, but its messages are {(size[a], count[a])}"
                for a, used in quota.items() if used != (size[a], count[a])]

    def compare_slots(self, boxes, seen, subscribed, by_pop3):
        by_slot, marks = defaultdict(list), defaultdict(set)
        faults, boards = [], Counter()
        for s in seen:
            if s.token in self.boards:
                boards[s.token] += 1
                for flag in s.flags:
                    marks[flag].add(s.token)
            else:
                # A message's own keywords are its slot's; \Recent was left out by the reader.
                by_slot[s.token.split("-", 1)[0]].append(s)
        faults += [f"board message {t} is there {boards[t]} times"
                   for t in self.boards if boards[t] != 1]
        for name, slot in self.slots.items():
            own = {n for a, n in boxes if a == slot.account and n.startswith(name + "-")}
            subs = {n for a, n in subscribed if a == slot.account and n.startswith(name + "-")}
            faults += slot.compare(by_slot[name], own, subs, marks[slot.keyword], by_pop3[name])
        return faults

    def compare_watched(self, seen):
        there = {(s.account, s.uidvalidity, s.uid) for s in seen}
        faults = []
        for account, uidvalidity, uid, token in self.watched:
            slot = self.slot_of(token)
            removed = slot is not None and token in slot.removed
            if (account, uidvalidity, uid) not in there and not removed:
                faults.append(f"a session was told of {token} UID {uid} in {account}; it is gone")
        return faults


def digest(data):
    return hashlib.blake2b(data, digest_size=16).digest()

"""The load of one round: a process with some threads, each of which plays one slot of the ledger.

Everything a slot does is told to the ledger through a pipe, in order: ("begin", ...) before the
first byte leaves, ("ack", ...) when the server has said so. The process ends when its connections
do.
"""
import base64
import os
import pickle
import random
import re
import struct
import threading
from collections import namedtuple

from harness import PASSWORD, Wire
from imapwire import Imap
from ledger import (Append, Copy, Create, Delete, Deliver, Expunge, Mark, Move, Pop3, Rename,
                    Store, Subscribe, digest)

FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "W1", "W2", "W3")
TOKEN = re.compile(rb"X-Token: (\S+)")
MOST_MESSAGES = 120  # of a slot; then it removes more than it makes

# How often a slot does what.
WEIGHTS = {"lmtp": 12, "smtp": 8, "submission": 4, "append": 12, "store": 20, "batch": 12,
           "copy": 8,
           "move": 8, "expunge": 8, "create": 4, "rename": 2, "delete": 2, "subscribe": 2,
           "mark": 8,
           "look": 5, "pop3": 3}


class Refused(Exception):
    """The server answered, but not with success."""


def letter(token, size):
    """The message of a token: its text is drawn from the token, so its bytes are known."""
    rng = random.Random(token)
    line = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz .", k=70))
    lines = [f"X-Token: {token}", "From: a@sender.test", "To: b@example.test", f"Subject: {token}",
             "Date: Thu, 1 Jan 2026 00:00:00 +0000", f"Message-ID: <{token}@ledger.test>", ""]
    lines += [f"{line[i % 60:]}{i}" for i in range(max(1, size // 50))]
    return ("\r\n".join(lines) + "\r\n").encode()


def size_of_next(rng):
    """Mostly small; some that are more than one value of the engine, few of several pieces."""
    return rng.choices((300, 2000, 30000, 600000), weights=(50, 40, 9, 1))[0]


class Teller:
    """One pipe to the ledger for all threads of a process."""

    def __init__(self, fd):
        self.fd, self.lock = fd, threading.Lock()

    def tell(self, *event):
        data = pickle.dumps(event)
        data = struct.pack("<I", len(data)) + data
        with self.lock:
            while data:
                data = data[os.write(self.fd, data):]


class Player(threading.Thread):
    """Plays one slot until its connections break. Its Slot is a copy that it keeps up itself."""

    def __init__(self, slot, server, teller, game):
        super().__init__(daemon=True)
        self.slot, self.server, self.teller = slot, server, teller
        self.accounts, self.boards = game.accounts, game.boards
        self.policy = game.policies[slot.name]
        self.rng = random.Random(f"{game.seed} {game.round} {slot.name}")
        self.prefix = f"{slot.name}-{game.round}"
        self.serial = 0
        self.imap = None
        self.selected = None
        self.validity = {}
        self.looked = game.last_uid.get(slot.account, 0)
        self.lines = {}

    def run(self):
        why = "stopped"
        try:
            while True:
                self.step()
        except (OSError, EOFError) as e:
            why = str(e)
        except AssertionError as e:
            why = str(e) if "closed" in str(e) else "refused: " + str(e)
        except Refused as e:
            why = "refused: " + str(e)
        finally:
            self.teller.tell("end", self.slot.name, why)

    def step(self):
        weights = dict(WEIGHTS)
        if len(self.slot.messages) > MOST_MESSAGES:
            weights["expunge"] = 60
        name = self.rng.choices(list(weights), weights=list(weights.values()))[0]
        getattr(self, "do_" + name)()

    # --- the ledger's side ---

    def begin(self, op, data=None):
        key = digest(data) if data is not None else None
        self.teller.tell("begin", self.slot.name, op, key)
        self.slot.begin(op, key)

    def ack(self, answer=None):
        self.teller.tell("ack", self.slot.name, answer)
        self.slot.ack(answer)

    def told(self, mailbox, uidvalidity, uid, token):
        self.teller.tell("told", self.slot.account, uidvalidity, uid, token, 0)

    def refuse(self, text):
        self.teller.tell("refuse", self.slot.name, str(text))
        raise Refused(text)

    # --- choosing ---

    def token(self):
        self.serial += 1
        return f"{self.prefix}-{self.serial}"

    def mailbox(self):
        return self.rng.choice(["INBOX", "Archive", *sorted(self.slot.mailboxes)])

    def pick(self, most, mailbox=None):
        """Some own messages of one mailbox whose UIDs are known: (mailbox, mids)."""
        by_box = {}
        for mid, m in self.slot.messages.items():
            if m.account == self.slot.account and m.uid and mailbox in (None, m.mailbox):
                by_box.setdefault(m.mailbox, []).append(mid)
        if not by_box:
            return None, []
        name = self.rng.choice(sorted(by_box))
        return name, self.rng.sample(by_box[name],
                                     min(len(by_box[name]), self.rng.randint(1, most)))

    def uids(self, mids):
        return ",".join(str(self.slot.messages[i].uid) for i in mids)

    # --- connections ---

    def client(self):
        if self.imap is None:
            self.imap = Imap(self.server, self.slot.account)
        return self.imap

    def command(self, text):
        answer = self.client().command(text)
        if not answer.startswith(b"OK"):
            raise Refused(f"{text}: {answer.decode()}")
        return answer

    def select(self, mailbox):
        if self.selected != mailbox:
            self.selected = None
            self.command(f'SELECT "{mailbox}" (CONDSTORE)')
            self.selected = mailbox
            text = b" ".join(self.imap.untagged)
            self.validity[mailbox] = int(re.search(rb"UIDVALIDITY (\d+)", text).group(1))

    def line_client(self, kind):
        """A connection for SMTP, LMTP or submission that was greeted."""
        if kind not in self.lines:
            wire = Wire("127.0.0.1", self.server.ports[kind])
            self.line_reply(wire, b"220")
            wire.send(b"LHLO me.test\r\n" if kind == "lmtp" else b"EHLO me.test\r\n")
            self.line_reply(wire, b"250")
            if kind == "submission":
                word = base64.b64encode(f"\0{self.slot.account}\0{PASSWORD}".encode())
                wire.send(b"AUTH PLAIN " + word + b"\r\n")
                self.line_reply(wire, b"235")
            self.lines[kind] = wire
        return self.lines[kind]

    @staticmethod
    def line_reply(wire, wanted):
        line = b"   -"
        while line[3:4] == b"-":
            line = wire.line()
            if not line:
                raise EOFError("closed")
        if not line.startswith(wanted):
            raise Refused(line.decode())
        return line

    # --- deliveries ---

    def deliver(self, kind):
        wire = self.line_client(kind)
        token, n = self.token(), self.rng.choice((1, 1, 1, 2, 3))
        accounts = tuple(self.rng.sample(self.accounts, n))
        data = letter(token, size_of_next(self.rng))
        sender = self.slot.account if kind == "submission" else "a@sender.test"
        envelope = [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{a}>" for a in accounts), "DATA"]
        wire.send("\r\n".join(envelope) + "\r\n")
        for _ in range(n + 1):
            self.line_reply(wire, b"250")
        self.line_reply(wire, b"354")
        self.begin(Deliver(token, accounts), data)
        wire.send(data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        replies = n if kind == "lmtp" else 1
        for _ in range(replies):
            try:
                self.line_reply(wire, b"250")
            except Refused as e:
                self.refuse(e)
            for _ in range(n // replies):
                self.ack()

    def do_lmtp(self):
        self.deliver("lmtp")

    def do_smtp(self):
        self.deliver("smtp")

    def do_submission(self):
        self.deliver("submission")

    # --- IMAP ---

    def one(self, op, text, data=None, literals=()):
        """One operation, one command. Returns the OK's text."""
        client = self.client()
        self.begin(op, data)
        answer = client.command(text, literals)
        if not answer.startswith(b"OK"):
            self.refuse(f"{text}: {answer.decode()}")
        return answer

    def appenduid(self, op, answer):
        validity, uid = map(int, re.search(rb"APPENDUID (\d+) (\d+)", answer).groups())
        self.told(op.mailbox, validity, uid, op.token)
        return uid

    def copyuid(self, op, text):
        """The new UIDs in the order of op.mids."""
        match = re.search(rb"COPYUID (\d+) (\S+) ([\d:,]+)", text)
        if match is None:
            raise Refused(f"no COPYUID in {text!r}")
        new = dict(zip(spread(match.group(2)), spread(match.group(3))))
        uids = []
        for i in op.mids:
            msg = self.slot.messages[i]
            uids.append(new[msg.uid])
            self.told(op.mailbox, int(match.group(1)), new[msg.uid], msg.token)
        return uids

    def append_parts(self, plus):
        token = self.token()
        data = letter(token, size_of_next(self.rng))
        flags = tuple(self.rng.sample(FLAGS, self.rng.randint(0, 3)))
        op = Append(token, self.mailbox(), flags)
        text = f'APPEND "{op.mailbox}" ({" ".join(flags)}) {{{len(data)}{plus}}}'
        return op, text, data

    def do_append(self):
        op, text, data = self.append_parts("")
        answer = self.one(op, text, data, [data + b"\r\n"])
        self.ack(self.appenduid(op, answer))

    def store_parts(self, mids):
        mode = self.rng.choice("+-=")
        flags = tuple(self.rng.sample(FLAGS, self.rng.randint(1, 3)))
        sign = "" if mode == "=" else mode
        silent = self.rng.choice(("", ".SILENT"))
        text = f"UID STORE {self.uids(mids)} {sign}FLAGS{silent} ({' '.join(flags)})"
        return Store(tuple(mids), mode, flags), text

    def do_store(self):
        mailbox, mids = self.pick(8)
        if mids:
            self.select(mailbox)
            self.one(*self.store_parts(mids))
            self.ack()

    def do_batch(self):
        """Several commands in one packet: a crash leaves a prefix of them."""
        mailbox, mids = self.pick(5)
        if not mids:
            return
        self.select(mailbox)
        ops, packet = [], b""
        for i in range(self.rng.randint(2, 5)):
            kind, data = self.rng.choice(("store", "store", "append", "copy")), None
            if kind == "append":
                op, text, data = self.append_parts("+")
                text = text.encode() + b"\r\n" + data
            elif kind == "copy":
                op = Copy(tuple(mids), self.mailbox())
                text = f'UID COPY {self.uids(mids)} "{op.mailbox}"'.encode()
            else:
                op, text = self.store_parts(mids)
                text = text.encode()
            ops.append((op, data))
            packet += b"b%d " % i + text + b"\r\n"
        for op, data in ops:
            self.begin(op, data)
        self.imap.wire.send(packet)
        for i, (op, _) in enumerate(ops):
            answer = self.imap.finish(b"b%d" % i)
            if not answer.startswith(b"OK"):
                self.refuse(answer.decode())
            uids = None
            if isinstance(op, Append):
                uids = self.appenduid(op, answer)
            elif isinstance(op, Copy):
                uids = self.copyuid(op, answer)
            self.ack(uids)

    def do_copy(self):
        mailbox, mids = self.pick(5)
        if mids:
            self.select(mailbox)
            op = Copy(tuple(mids), self.mailbox())
            answer = self.one(op, f'UID COPY {self.uids(mids)} "{op.mailbox}"')
            self.ack(self.copyuid(op, answer))

    def do_move(self):
        mailbox, mids = self.pick(5)
        to = self.mailbox()
        if mids and to != mailbox:
            self.select(mailbox)
            op = Move(tuple(mids), to)
            self.one(op, f'UID MOVE {self.uids(mids)} "{to}"')
            self.ack(self.copyuid(op, b" ".join(self.imap.untagged)))

    def do_expunge(self):
        mailbox, mids = self.pick(12)
        if mids:
            self.select(mailbox)
            self.one(Store(tuple(mids), "+", ("\\Deleted",)),
                     f"UID STORE {self.uids(mids)} +FLAGS.SILENT (\\Deleted)")
            self.ack()
            self.one(Expunge(tuple(mids)), f"UID EXPUNGE {self.uids(mids)}")
            self.ack()

    def do_mark(self):
        board, uid = self.rng.choice(self.boards[self.slot.account])
        self.select("INBOX")
        on = board not in self.slot.marks
        self.one(Mark(board, on),
                 f"UID STORE {uid} {'+' if on else '-'}FLAGS ({self.slot.keyword})")
        self.ack()

    # --- mailboxes ---

    def do_create(self):
        name = f"{self.slot.name}-{self.rng.randint(1, 6)}"
        if name not in self.slot.mailboxes and len(self.slot.mailboxes) < 4:
            self.one(Create(name), f'CREATE "{name}"')
            self.ack()

    def do_rename(self):
        free = {f"{self.slot.name}-{i}" for i in range(1, 7)} - self.slot.mailboxes
        if self.slot.mailboxes:
            op = Rename(self.rng.choice(sorted(self.slot.mailboxes)), self.rng.choice(sorted(free)))
            self.leave(op.mailbox)
            self.one(op, f'RENAME "{op.mailbox}" "{op.to}"')
            self.ack()

    def do_delete(self):
        if self.slot.mailboxes:
            op = Delete(self.rng.choice(sorted(self.slot.mailboxes)))
            self.leave(op.mailbox)
            self.one(op, f'DELETE "{op.mailbox}"')
            self.ack()

    def leave(self, mailbox):
        if self.selected == mailbox:
            self.select("INBOX")

    def do_subscribe(self):
        if self.slot.mailboxes:
            name = self.rng.choice(sorted(self.slot.mailboxes))
            op = Subscribe(name, name not in self.slot.subscribed)
            self.one(op, f'{"SUBSCRIBE" if op.on else "UNSUBSCRIBE"} "{name}"')
            self.ack()

    # --- looking ---

    def do_look(self):
        """What this session is told of anybody's new mail must outlive a crash. Finds the UIDs of
        the slot's own deliveries too."""
        self.select("INBOX")
        answer = self.command(
            f"UID FETCH {self.looked + 1}:* (UID MODSEQ BODY.PEEK[HEADER.FIELDS (X-Token)])")
        assert answer
        own = {m.token: i for i, m in self.slot.messages.items()
               if m.uid is None and m.account == self.slot.account and m.mailbox == "INBOX"}
        for item in self.imap.fetched():
            head = next((v for k, v in item.items() if k.startswith("BODY[")), b"")
            match = TOKEN.search(head or b"")
            if match is None or "UID" not in item:
                continue
            token, uid = match.group(1).decode(), int(item["UID"])
            self.teller.tell("saw", self.slot.account, self.validity["INBOX"], uid, token,
                             int(item["MODSEQ"][0]))
            if uid > self.looked:
                self.looked = uid
                if token in own:
                    self.teller.tell("learn", self.slot.name, own[token], uid)
                    self.slot.learn(own.pop(token), uid)

    def do_pop3(self):
        """Removes up to three own messages of the INBOX that have no second copy there. The slot is
        a device of its own: what it has removed it does not see again, also where the message
        stays."""
        wire = Wire("127.0.0.1", self.server.ports["pop3"])
        self.pop3_line(wire)
        for text in (f"USER {device_login(self.slot)}", f"PASS {PASSWORD}"):
            wire.send(text + "\r\n")
            self.pop3_line(wire)
        wire.send(b"STAT\r\n")
        last = int(self.pop3_line(wire).split()[1])
        here = {}
        for mid, m in self.slot.messages.items():
            if m.account == self.slot.account and m.mailbox == "INBOX":
                here.setdefault(m.token, []).append(mid)
        wire.send(b"".join(b"TOP %d 0\r\n" % i for i in range(max(1, last - 30), last + 1)))
        mids = []
        for i in range(max(1, last - 30), last + 1):
            try:
                self.pop3_line(wire)
            except Refused:
                continue  # another session has removed it meanwhile
            lines = wire.until(b".\r\n")
            token = next((m.group(1).decode() for m in map(TOKEN.match, lines) if m), None)
            if len(here.get(token, ())) == 1 and len(mids) < 3:
                mids.append((here[token][0], i))
        for _, i in mids:
            wire.send(b"DELE %d\r\n" % i)
            self.pop3_line(wire)
        if mids:
            self.begin(Pop3(tuple(mid for mid, _ in mids), self.policy))
        wire.send(b"QUIT\r\n")
        try:
            self.pop3_line(wire)
        except Refused as e:
            if mids:
                self.refuse(e)
            raise
        if mids:
            self.ack()
        wire.close()

    @staticmethod
    def pop3_line(wire):
        line = wire.line()
        if not line:
            raise EOFError("closed")
        if not line.startswith(b"+OK"):
            raise Refused(line.decode())
        return line


def device_login(slot):
    return slot.account.replace("@", f"+{slot.name}@")


def spread(text):
    """ "3,5:7" as [3, 5, 6, 7]."""
    out = []
    for part in text.decode().split(","):
        lo, _, hi = part.partition(":")
        out += range(int(lo), int(hi or lo) + 1)
    return out


class Game(namedtuple("Game", "seed round accounts boards last_uid policies")):
    """What all slots of a round know: boards is account -> [(token, UID)], last_uid that of INBOX,
    policies what a removal by POP3 means for each slot."""


def play(server, slots, fd, game):
    """The body of a load process."""
    teller = Teller(fd)
    players = [Player(slot, server, teller, game) for slot in slots]
    for player in players:
        player.start()
    for player in players:
        player.join()

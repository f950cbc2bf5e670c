"""POP3 end to end: devices that each take all mail once, with the programs people use; the same
bytes as Dovecot; what a slow reader and a large mailbox do to it."""
import os
import poplib
import pwd
import random
import re
import subprocess
import time

from dovecot import Dovecot, Pipe
from harness import PASSWORD, Server, Wire, eventually
from imapwire import Imap
from messages import sized_message
from popdevices import (Curl, Fetchmail, Getmail, Mpop, Mutt, Poplib, login_of, names_in, quiet,
                        send)
from test_clients import ANN, BEN, letter, server_with, subjects
from test_corpus import all_messages


def test_each_program_has_every_message_once():
    """Eleven devices on one account; all but four delete. What they delete is not lost for the
    others, nor for who comes later."""
    with server_with() as server:
        quiet(server)
        devices = [kind(server, f"{kind.__name__}{keep}".lower(), keep)
                   for kind in (Poplib, Getmail, Fetchmail, Mpop) for keep in (False, True)]
        devices += [Curl(server, "curl", False), Mutt(server, "mutt", False)]
        devices.append(Poplib(server, "", False))
        sent = []
        for day in range(3):
            names = [f"day{day}-{i}" for i in range(3)]
            send(server, *names)
            sent += [name.encode() for name in names]
            for device in devices:
                device.turn()
                assert sorted(device.got) == sent, (device.login, device.keep, day, device.got)
        assert subjects(server) == [] and len(subjects(server, "Trash")) == len(sent)
        late = Poplib(server, "late", False)
        late.turn()
        assert sorted(late.got) == sent
        late.turn()
        assert sorted(late.got) == sent
        for line in server.run("account", "devices", ANN).stdout.splitlines()[1:]:
            assert line.strip(), line


# --- beside Dovecot ---

class DovecotPop3:
    """Its POP3 process on standard input and output, logged in already, on the mail of a
    Dovecot."""

    def __init__(self, dovecot):
        who = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.process = subprocess.Popen(
            ["/usr/lib/dovecot/pop3", "-c", str(dovecot.folder / "dovecot.conf")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, user=who.pw_uid, group=who.pw_gid,
            extra_groups=[],
            env={**os.environ, "USER": "ann", "HOME": str(dovecot.folder)})
        self.wire = Pipe(self.process)

    def send(self, data):
        self.wire.send(data)

    def line(self):
        return self.wire.line()

    @property
    def file(self):
        return self.wire.file

    def close(self):
        self.wire.close()


def ask(wire, command, many=False):
    """The status word, and the lines of the answer as they came."""
    wire.send(command.encode() + b"\r\n")
    raw = wire.file.readline()
    if not many or not raw.startswith(b"+OK"):
        return raw
    lines = [b"+OK"]
    while lines[-1] != b".\r\n":
        lines.append(wire.file.readline())
        assert lines[-1], (command, lines[-5:])
    return b"".join(lines)


def octets(answer):
    """How many there are of the message in an answer: dots that were doubled, and the last line, do
    not count."""
    lines = re.findall(rb".*?\n", answer[len(b"+OK"):], re.S)[:-1]
    return sum(len(line) - line.startswith(b".") for line in lines)


def test_same_bytes_as_dovecot():
    """RETR, TOP and sizes, with two differences: we send no NUL (Dovecot when it is told to), and
    our size counts the line end that is added where the message has none. Of CRs in a row we drop
    none, it all but one."""
    odd = [("no end", b"Subject: x\r\n\r\nno end"),
           ("bare LF", b"Subject: x\n\nbare\n.\n..\nlines\n"),
           ("no end, a dot", b"Subject: x\r\n\r\n."), ("NUL", b"Subject: x\r\n\r\na\0b\r\n\0\r\n"),
           ("CR", b"Subject: x\r\n\r\na\rb\r\n"),
           ("mixed", b"Subject: x\r\nA: b\n\nbare\r\n\n.x\r\n.")]
    messages = [m for m in all_messages() if m[1]] + odd
    with Server() as server, Dovecot() as theirs:
        server.account(ANN)
        ours = Imap(server, ANN)
        for name, message in messages:
            for imap in (ours, theirs):
                assert imap.append("INBOX", message).startswith(b"OK"), name
        ours.close()
        mine, yours = server.connect("pop3"), DovecotPop3(theirs)
        mine.line()
        ask(mine, f"USER {ANN}")
        assert ask(mine, f"PASS {PASSWORD}").startswith(b"+OK")
        assert ask(mine, "STAT").split()[1] == ask(yours,
                                                   "STAT").split()[1] == b"%d" % len(messages)
        total = 0
        for number, (name, message) in enumerate(messages, 1):
            got, want = ask(mine, f"RETR {number}", True), ask(yours, f"RETR {number}", True)
            assert got == want.replace(b"\0", b"\x80"), (name, got[:300], want[:300])
            size = int(ask(mine, f"LIST {number}").split()[2])
            assert size == octets(got), (name, size, octets(got))
            added = 0 if message.endswith(b"\n") else 2
            assert size == int(ask(yours, f"LIST {number}").split()[2]) + added, name
            total += size
            for lines in (0, 1, 7):
                got, want = ask(mine, f"TOP {number} {lines}",
                                True), ask(yours, f"TOP {number} {lines}", True)
                assert got == want.replace(b"\0", b"\x80"), (name, lines, got[-300:], want[-300:])
        assert int(ask(mine, "STAT").split()[2]) == total
        # The same kind of answer to what is wrong.
        for command in ("RETR 0", "RETR 99999", "RETR x", "RETR", "LIST 0", "DELE 99999", "TOP 1",
                        "TOP 1 x", "TOP 0 0",
                        "UIDL 99999", "UIDL x", "NOSUCH", "USER x", "STLS", "AUTH PLAIN", "NOOP",
                        "CAPA x", "RSET", "LAST"):
            answers = [ask(wire, command)[:4]
                       for wire in (mine, yours) if not command.startswith("CAPA")]
            if command == "LAST":  # RFC 1081's, gone since RFC 1460
                answers = answers[:1]
            assert len({a[:3] for a in answers}) <= 1, (command, answers)
        mine.close()
        yours.close()


# --- failure, settings, size ---

def refused(fn):
    try:
        fn()
    except poplib.error_proto as e:
        return str(e)
    raise AssertionError("it was not refused")


def test_settings():
    with Server(config="[pop3]\nlock = exclusive\nlogin_delay = 2s\n") as server:
        server.account(ANN)
        first = server.pop3(ANN)
        assert first.capa()["LOGIN-DELAY"] == ["2"] and first.capa()["EXPIRE"] == ["NEVER"]
        assert "IMPLEMENTATION" in first.capa() and "IMPLEMENTATION" not in server.pop3().capa()
        assert "[IN-USE]" in refused(lambda: server.pop3(login_of("phone")))
        first.quit()
        assert "[LOGIN-DELAY]" in refused(lambda: server.pop3(ANN))
        server.pop3(login_of("phone")).quit()
        time.sleep(2.1)
        server.pop3(ANN).quit()


def test_account_is_removed_meanwhile():
    with server_with(letter("one")) as server:
        pop3 = server.pop3(ANN)
        pop3.dele(1)
        server.run("account", "remove", ANN)
        # Whoever sees it first says so: who ends sessions ([AUTH]), or the storage ([SYS/PERM]).
        told = refused(lambda: pop3.list())
        assert re.search(r"\[(AUTH|SYS/PERM)\] this account was removed", told), told


def test_large_message_in_bounded_memory():
    """50 MB to a reader that takes it slowly, by ten sessions at once."""
    message = sized_message(50_000_000)
    with Server() as server:
        server.account(ANN)
        with server.lmtp() as lmtp:
            lmtp.sendmail(BEN, [ANN], message)
        server.stop()
        server.start()
        server.pop3(ANN).quit()
        before = server.memory("VmRSS")
        wires = [server.connect("pop3") for _ in range(10)]
        for wire in wires:
            wire.line()
            ask(wire, f"USER {ANN}")
            ask(wire, f"PASS {PASSWORD}")
            wire.send(b"RETR 1\r\n")
        sizes = [0] * len(wires)
        for i, wire in enumerate(wires):
            while sizes[i] < 1_000_000:
                sizes[i] += len(wire.read(100_000))
        whole = 0
        while not whole or not tail.endswith(b"\r\n.\r\n"):
            tail = wires[0].file.read1(1 << 20)
            whole += len(tail)
        assert whole + sizes[0] > len(message)
        for wire in wires:
            wire.close()
        grown = server.memory() - before
        assert grown < 100 << 20, f"{grown >> 20} MiB"


def many_messages(n):
    """Seconds for: login, LIST, UIDL, RETR of all pipelined, the same again, QUIT with half of them
    deleted."""
    message = letter("x" * 20, "y" * 500)
    with Server() as server:
        server.account(ANN)
        quiet(server)
        folder = server.folder / "in"
        folder.mkdir()
        for i in range(n):
            (folder / f"{i:06}.eml").write_bytes(message)
        server.run("import", "--account", ANN, str(folder))
        wire = Wire("127.0.0.1", server.ports["pop3"])
        wire.line()
        ask(wire, f"USER {ANN}")
        took = {}

        def clock(name, fn):
            begin = time.monotonic()
            result = fn()
            took[name] = round(time.monotonic() - begin, 3)
            return result

        def read_all(numbers):
            for first in range(0, len(numbers), 100):
                some = numbers[first:first + 100]
                wire.send(b"".join(b"RETR %d\r\n" % i for i in some))
                for _ in some:
                    size = int(wire.line().split()[1])
                    got = wire.read(size + 3)
                    assert got.endswith(b"\r\n.\r\n"), got[-100:]

        assert clock("login", lambda: ask(wire, f"PASS {PASSWORD}")).split()[1] == b"%d" % n
        assert clock("LIST", lambda: ask(wire, "LIST", True)).count(b"\n") == n + 1
        assert clock("UIDL", lambda: ask(wire, "UIDL", True)).count(b"\n") == n + 1
        numbers = list(range(1, n + 1))
        clock("RETR", lambda: read_all(numbers))
        random.Random(1).shuffle(numbers)
        clock("RETR in no order", lambda: read_all(numbers))
        send(server, "new")  # what changes in the account makes no difference to this session
        clock("RETR after a change", lambda: read_all(numbers))
        for i in range(1, n + 1, 2):
            assert ask(wire, f"DELE {i}").startswith(b"+OK")
        assert clock("QUIT",
                     lambda: ask(wire, "QUIT")) == b"+OK bye, %d messages left\r\n" % (n // 2)
        wire.close()
        second = server.pop3(login_of("phone"))
        assert second.stat()[0] == n + 1
        return took


def test_many_messages():
    took = many_messages(2000)
    assert sum(took.values()) < 60, took


def test_sessions_have_their_own_snapshot():
    with server_with(letter("a"), letter("b"), letter("c")) as server:
        first = server.pop3(ANN)
        send(server, "d")
        second = server.pop3(ANN)
        assert first.stat()[0] == 3 and second.stat()[0] == 4
        imap = server.imap(ANN)
        imap.select("INBOX")
        imap.store("2", "+FLAGS", "(\\Deleted)")
        imap.expunge()
        # The session had it: the client gets it, whatever came over IMAP between LIST and RETR.
        assert names_in(b"\n".join(first.retr(2)[1])) == [b"b"]
        first.dele(1)
        first.dele(2)
        second.dele(1)
        second.dele(4)
        first.quit()
        second.quit()
        assert subjects(server) == ["c"]
        third = eventually(lambda: server.pop3(ANN))
        assert third.stat()[0] == 1

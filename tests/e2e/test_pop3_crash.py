"""kill -9 between DELE and QUIT, and within QUIT: of what a client wanted removed all is removed,
or nothing, whatever the policy; the device's view, the mailboxes, the ledger and the journal agree
on which; and a QUIT that is said again does not count twice."""
import contextlib
import random
import re
import time

from harness import DOMAIN, PASSWORD, Server, Wire
from popdevices import login_of, quiet
from test_clients import BEN, letter, subjects

N = 6            # messages of each round, of which the last stays
ROUNDS = 8       # kills
POLICIES = ("keep", "read", "archive", "trash", "delete")


def address_of(policy):
    return f"{policy}@{DOMAIN}"


class Client:
    """One POP3 session, as bytes."""

    def __init__(self, server, login):
        self.wire = Wire("127.0.0.1", server.ports["pop3"])
        self.wire.line()
        for text in (f"USER {login}", f"PASS {PASSWORD}"):
            self.ask(text)

    def ask(self, text):
        self.wire.send(text + "\r\n")
        line = self.wire.line()
        assert line.startswith(b"+OK"), (text, line)
        return line

    def names(self):
        """Subjects in the order of their numbers; nothing is fetched whole."""
        out = []
        for i in range(int(self.ask("STAT").split()[1])):
            self.ask(f"TOP {i + 1} 0")
            out += [line[9:].decode()
                    for line in self.wire.until(b".") if line.startswith(b"Subject: ")]
        return out

    def last_line(self):
        """b"" when the connection broke before it."""
        with contextlib.suppress(OSError):
            return self.wire.line()
        return b""

    def delete(self, n):
        """Marks the first n messages."""
        self.wire.send(b"".join(b"DELE %d\r\n" % (i + 1) for i in range(n)) + b"NOOP\r\n")
        for _ in range(n + 1):
            assert self.wire.line().startswith(b"+OK")

    def quit(self):
        with contextlib.suppress(OSError):
            self.wire.send("QUIT\r\n")
        line = self.last_line()
        self.wire.close()
        return line


def view(server, login):
    client = Client(server, login)
    names = client.names()
    client.wire.close()
    return names


def removed_count(server, policy, device):
    told = server.run("account", "devices", address_of(policy)).stdout
    match = re.search(rf"^{device}\t.*\n\tpop3\t.*removed (\d+) \(", told, re.M)
    return int(match.group(1)) if match else 0


def removal_events(server, policy, device):
    """{subject: how often the journal tells that the device removed it}"""
    out = {}
    for line in server.run("account", "journal", address_of(policy)).stdout.splitlines():
        _, what, _, who, message = line.split("\t")
        if who == f"pop3 127.0.0.1 {device}" and what in ("moved", "removed", "hidden"):
            name = message.split()[-1]
            out[name] = out.get(name, 0) + 1
    return out


def check(server, policy, gone, sent):
    """What `phone` has removed for sure, and nothing else, is removed, everywhere; once."""
    where = {"archive": "Archive", "trash": "Trash"}.get(policy)
    address = address_of(policy)
    stays = [n for n in sent if n not in gone or policy in ("keep", "read")]
    assert subjects(server, login=address) == stays, policy
    for mailbox in ("Archive", "Trash"):
        assert sorted(subjects(server, mailbox, address)) == (sorted(gone) if mailbox == where
                                                              else []), policy
    assert view(server, login_of("phone", address)) == [n for n in sent if n not in gone], policy
    assert view(server, login_of("desk", address)) == sent, policy
    assert removed_count(server, policy, "phone") == len(gone), policy
    assert removal_events(server, policy, "phone") == dict.fromkeys(gone, 1), policy
    if policy == "read":
        imap = server.imap(address)
        imap.select(readonly=True)
        assert len(imap.search(None, "SEEN")[1][0].split()) == len(gone)
        imap.logout()


def kill_in_quit(server, policies, moment, before_quit):
    """A round: new mail, sessions that mark it, QUIT by all, death at the moment. Then all or
    nothing, for each; and the same again until the server says +OK. Returns how many had happened
    before the kill."""
    sessions = {}
    for policy, (gone, sent) in policies.items():
        names = [f"m{len(sent) + i}" for i in range(N)]
        with server.lmtp() as lmtp:
            for name in names:
                lmtp.sendmail(BEN, [address_of(policy)], letter(name))
        sent += names
        client = Client(server, login_of("phone", address_of(policy)))
        there = client.names()
        assert there == [n for n in sent if n not in gone]
        wanted = there[:-1]
        client.delete(len(wanted))
        sessions[policy] = client, wanted
    before_quit()
    for client, _ in sessions.values():
        client.wire.send("QUIT\r\n")
    time.sleep(moment)
    server.kill()
    happened = 0
    told = {policy: client.last_line() for policy, (client, _) in sessions.items()}
    server.start()
    for policy, (client, wanted) in sessions.items():
        gone, sent = policies[policy]
        left = view(server, login_of("phone", address_of(policy)))
        now = [n for n in wanted if n not in left]
        assert now in ([], wanted), (policy, moment, "a part was removed", now)
        assert now or not told[policy].startswith(b"+OK"), (policy, "acknowledged and lost")
        happened += bool(now)
        gone += now
        check(server, policy, gone, sent)
        client.wire.close()
        if not now:  # what a program does at its next turn
            client = Client(server, login_of("phone", address_of(policy)))
            client.delete(len(wanted))
            assert client.quit().startswith(b"+OK")
            gone += wanted
    return happened


def rounds_of_kills(server, moments, before_quit=lambda: None):
    """How many of the QUITs had happened at each kill."""
    policies = {policy: ([], []) for policy in POLICIES}
    for policy in POLICIES:
        server.account(address_of(policy))
        quiet(server, address_of(policy))
        server.run("account", "pop3", address_of(policy), "--policy", policy)
    happened = [kill_in_quit(server, policies, moment, before_quit) for moment in moments]
    for policy, (gone, sent) in policies.items():
        check(server, policy, gone, sent)
    server.stop()
    server.run("check", "--blobs")
    server.start()
    return happened


def test_killed_within_quit():
    rng = random.Random(time.time_ns())
    with Server() as server:
        # Five sessions are through within some milliseconds, or tens of them on a busy machine.
        moments = [0, *(rng.uniform(0, 0.002) for _ in range(ROUNDS - 2)), 0.2]
        happened = rounds_of_kills(server, moments)
        assert happened[-1] == len(POLICIES) and min(happened) < len(POLICIES), happened
        print(f"note: of five QUITs each had happened before the kill: {happened}")


def test_killed_between_dele_and_quit():
    """Nothing is removed; and what is said to be removed is on disk."""
    with Server() as server:
        for policy in POLICIES:
            address = address_of(policy)
            server.account(address)
            quiet(server, address)
            server.run("account", "pop3", address, "--policy", policy)
            with server.lmtp() as lmtp:
                for i in range(3):
                    lmtp.sendmail(BEN, [address], letter(f"m{i}"))
        clients = {policy: Client(server, login_of("phone", address_of(policy)))
                   for policy in POLICIES}
        for client in clients.values():
            client.delete(3)
        server.kill()
        server.start()
        for policy, client in clients.items():
            assert client.quit() == b""
            check(server, policy, [], ["m0", "m1", "m2"])
            client = Client(server, login_of("phone", address_of(policy)))
            client.ask("DELE 2")
            assert client.quit().startswith(b"+OK")
        server.kill()
        server.start()
        for policy in POLICIES:
            check(server, policy, ["m1"], ["m0", "m1", "m2"])


def test_killed_within_a_quit_of_many_parts():
    """QUIT of more than a thousand messages takes several commits, and is all or nothing all the
    same; the moment is searched for."""
    n = 2500
    with Server() as server:
        address, login = address_of("trash"), login_of("phone", address_of("trash"))
        server.account(address)
        quiet(server, address)
        folder = server.folder / "in"
        folder.mkdir()
        for i in range(n):
            (folder / f"{i:06}.eml").write_bytes(letter(f"m{i}"))
        server.run("import", "--account", address, str(folder))
        removed, lo, hi, left = 0, 0.0, 0.4, n
        for _ in range(12):
            client, moment = Client(server, login), (lo + hi) / 2
            client.delete(n)
            client.wire.send("QUIT\r\n")
            time.sleep(moment)
            server.kill()
            answered = client.last_line() != b""
            client.wire.close()
            server.start()
            left = look_at_all(server, n, removed)
            assert left in ((0,) if answered else (0, n)), left
            removed += n - left
            if left == 0 and not answered:
                break
            if left == 0:
                server.run("account", "restore", address, "--since", "1h")
                hi = moment
            else:
                lo = moment
        print(f"note: a kill {moment * 1000:.1f} ms after QUIT: {left} of {n} were left")
        client = Client(server, login)
        client.delete(left)
        assert client.quit().startswith(b"+OK")
        assert look_at_all(server, n, removed - n + left) == 0
        assert len(view(server, login_of("desk", address))) == n


def look_at_all(server, n, before):
    """How many of n the device still sees; `before`: what the ledger counted until the QUIT."""
    address = address_of("trash")
    client = Client(server, login_of("phone", address))
    left = int(client.ask("STAT").split()[1])
    client.wire.close()
    assert len(subjects(server, login=address)) == left
    assert len(subjects(server, "Trash", address)) == n - left
    assert removed_count(server, "trash", "phone") == before + n - left
    return left

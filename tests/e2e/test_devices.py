"""Devices: each POP3 program downloads everything once, what one removes can be put back, and the journal tells who
did what. With Python's clients, getmail and mpop, and the commands of an operator."""
import re
import subprocess

from harness import PASSWORD, Server, eventually
from messages import text

ANN = "ann@example.test"


def phone(name):
    """The address under which a device logs in with the account's password."""
    return ANN.replace("@", f"+{name}@")


def letter(i, subject=None):
    return text("From: ben@example.test", f"To: {ANN}", f"Subject: {subject or f'letter {i}'}",
                f"Message-ID: <letter-{i}@example.test>", "", f"text {i}")


def deliver(server, numbers):
    with server.lmtp() as client:
        for i in numbers:
            client.sendmail("ben@example.test", [ANN], letter(i))


def subject(lines):
    return next(line.decode()[9:] for line in lines if line.startswith(b"Subject: "))


def download(server, login, delete=False, password=PASSWORD, seen=None):
    """A session that fetches what it has not seen, by UIDL, and perhaps removes all: {uidl: subject} of the new."""
    client = server.pop3(login, password)
    uidls = [line.decode().split() for line in client.uidl()[1]]
    new = {}
    for number, uidl in uidls:
        if seen is None or uidl not in seen:
            new[uidl] = subject(client.retr(int(number))[1])
        if delete:
            client.dele(int(number))
    client.quit()
    return new


def lines_of(server, *words):
    return [line.split("\t") for line in server.run(*words).stdout.splitlines()]


def devices(server):
    """{name: {"": the device's own fields, protocol: its fields}}"""
    out, now = {}, None
    for fields in lines_of(server, "account", "devices", ANN):
        if fields[0]:
            now = out[fields[0]] = {"": fields[1:]}
        else:
            now[fields[1]] = fields[2:]
    return out


def journal(server, *options):
    """[(what, mailbox, who, message)]"""
    return [tuple(fields[1:]) for fields in lines_of(server, "account", "journal", ANN, *options)]


def inbox(server, mailbox="INBOX"):
    client = server.imap(ANN)
    try:
        client.select(mailbox, readonly=True)
        return len(client.search(None, "ALL")[1][0].split())
    finally:
        client.logout()


def test_ledger():
    with Server() as server:
        server.account(ANN)
        deliver(server, range(3))
        secret = server.run("account", "app-password", "add", ANN, "Ann's phone").stdout.strip()
        client = server.imap(ANN, secret)
        client.xatom("ID", '("name" "Test\x1b Mailer" "version" "1.5")')
        client.select()
        client.fetch("1:2", "(BODY[])")
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
        client.logout()
        server.submission(phone("desk")).quit()
        server.imap(ANN).logout()
        eventually(lambda: "fetched 2 " in server.run("account", "devices", ANN).stdout)
        for _ in range(2):
            found = devices(server)
            assert set(found) == {"Ann's phone", "desk", "(main login)"}, found
            assert found["Ann's phone"][""] == ["policy trash (the account's)", "client Test? Mailer 1.5"]
            use = found["Ann's phone"]["imap"]
            assert re.fullmatch(r"first 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", use[0]), use
            assert use[2:4] == ["from 127.0.0.1", "1 sessions"], use
            size = len(letter(0)) * 2
            assert re.fullmatch(rf"fetched 2 \({size + 400}[0-9]*|fetched 2 \(\d+ bytes\)", use[4]), use
            assert use[5].startswith("removed 1 ("), use
            assert found["desk"]["submission"][3:] == ["1 sessions", "fetched 0 (0 bytes)", "removed 0 (0 bytes)"]
            server.stop()  # it was only in memory
            server.start()


def test_commands():
    def told(*words):
        done = server.run("account", *words, check=False)
        assert done.returncode != 0 and len(done.stderr.splitlines()) == 1, done
        return done.returncode, done.stderr

    with Server() as server:
        server.account(ANN)
        assert lines_of(server, "account", "pop3", ANN) == [["policy", "trash"], ["alarm", "50"]]
        assert server.run("account", "devices", ANN).stdout == ""
        assert server.run("account", "pop3", ANN, "--policy", "archive", "--alarm", "75%").stdout == ""
        server.imap(phone("desk")).logout()
        server.run("account", "pop3", ANN, "--device", "desk", "--policy", "keep")
        shown = [["policy", "archive"], ["policy", "keep", "desk"], ["alarm", "75"]]
        assert lines_of(server, "account", "pop3", ANN) == shown
        assert devices(server)["desk"][""] == ["policy keep"]
        server.run("account", "pop3", ANN, "--alarm", "off")
        assert ["alarm", "off"] in lines_of(server, "account", "pop3", ANN)
        server.run("account", "pop3", ANN, "--device", "desk", "--policy", "default")
        server.run("account", "pop3", ANN, "--policy", "default")
        assert lines_of(server, "account", "pop3", ANN) == [["policy", "trash"], ["alarm", "off"]]
        for words, status, what in (
                (("pop3", ANN, "--policy", "burn"), 1, "keep, read"), (("pop3", ANN, "--alarm", "0"), 1, "1 to 100"),
                (("pop3", ANN, "--alarm", "101"), 1, "1 to 100"), (("pop3", ANN, "--alarm", "x"), 1, "1 to 100"),
                (("pop3", ANN, "--policy", "keep", "--device", "tv"), 1, "has logged in"),
                (("pop3", ANN, "--device", "desk"), 2, "use it as"), (("pop3", "no@example.test"), 1, "not found"),
                (("devices", "no@example.test"), 1, "not found"), (("journal", "no@example.test"), 1, "not found"),
                (("journal", ANN, "--message", "<none@x>"), 1, "not found"),
                (("journal", ANN, "--since", "soon"), 2, "use it as"), (("restore", ANN), 2, "use it as"),
                (("restore", ANN, "--since", "2026-13-01"), 2, "use it as"),
                (("restore", ANN, "--since", "2h", "--by", "tv"), 1, "tv: not found")):
            got, text_of = told(*words)
            assert (got, what in text_of) == (status, True), (words, got, text_of)
        # The store by itself, without a server.
        server.stop()
        assert "desk" in devices(server)
        server.start()


def test_journal():
    with Server() as server:
        server.account(ANN)
        deliver(server, range(3))
        client = server.imap(phone("tablet"))
        client.select()
        client.fetch("1", "(BODY[])")
        client.store("2", "+FLAGS", "\\Flagged")
        client.store("2", "+FLAGS", "(\\Answered \\Draft)")
        client.uid("MOVE", "1", "Archive")
        client.store("2", "+FLAGS", "\\Deleted")
        client.expunge()
        client.logout()
        who = "imap 127.0.0.1 tablet"
        first = [("delivered", "INBOX", "lmtp 127.0.0.1"), ("read", "INBOX", who), ("moved", "INBOX -> Archive", who)]
        for name in ("<letter-0@example.test>", "letter-0@example.test", "1"):
            found = journal(server, "--message", name)
            assert [event[:3] for event in found] == first, found
            assert all(event[3] == "1 <letter-0@example.test> letter 0" for event in found), found
        found = journal(server, "--message", "letter-1@example.test")
        assert ("flagged", "INBOX", who) in [event[:3] for event in found], found
        assert "flags +answered +draft" in [event[0] for event in found], found
        found = journal(server, "--message", "letter-2@example.test")  # expunged, and still known
        assert found[-1] == ("removed", "INBOX", who, "3 <letter-2@example.test> letter 2"), found
        every = journal(server)
        assert journal(server, "--since", "1h") == every and journal(server, "--since", "2020-01-01") == every
        assert journal(server, "--since", "2099-01-01 08:30") == []
        # Names from outside do not reach the terminal as they are.
        with server.lmtp() as client:
            client.sendmail("ben@example.test", [ANN], letter(9, subject="a\x1b[2Jb =?utf-8?Q?=C2=9Bc=0Ad?="))
        assert journal(server)[-1][3].endswith("> a?[2Jb ?c d"), journal(server)[-1]
        # More events than a page has, some of them of one commit.
        client = server.imap(ANN)
        client.select()
        deliver(server, range(100, 300))
        client.noop()
        for i in range(4):
            client.store("1:*", "+FLAGS" if i % 2 == 0 else "-FLAGS", "\\Flagged")
            client.copy("1:200", "Archive")
        found = journal(server)
        kinds = [event[0] for event in found]
        assert kinds.count("flagged") == 1 + 201 + 202 and kinds.count("copied") == 800, len(found)
        client.logout()


def test_restore():
    """What a phone's IMAP program removed comes back, with its flags, whatever others have removed."""
    with Server() as server:
        server.account(ANN)
        deliver(server, range(6))
        client = server.imap(phone("phone"))
        client.select()
        client.store("1:3", "+FLAGS", "(\\Seen \\Flagged)")
        client.store("1:2", "+FLAGS", "\\Deleted")
        client.expunge()
        client.uid("MOVE", "3", "Trash")
        client.logout()
        client = server.imap(phone("desk"))
        client.select()
        client.store("1", "+FLAGS", "\\Deleted")
        client.expunge()
        client.logout()
        assert inbox(server) == 2
        done = server.run("account", "restore", ANN, "--since", "1h", "--by", "phone")
        assert done.stdout.startswith("3 messages put back, "), done
        client = server.imap(ANN)
        client.select(readonly=True)
        assert len(client.search(None, "ALL")[1][0].split()) == 5
        assert len(client.search(None, "FLAGGED", "SEEN", "UNDELETED")[1][0].split()) == 3
        client.logout()
        assert server.run("account", "restore", ANN, "--since", "1h", "--by", "phone").stdout.startswith("0 messages")
        assert server.run("account", "restore", ANN, "--since", "1h").stdout.startswith("1 messages")
        assert inbox(server) == 6
        assert [e[:3] for e in journal(server, "--message", "letter-5@example.test")][-1][0] == "delivered"
        assert [e[0] for e in journal(server, "--message", "letter-0@example.test")][-1] == "restored"


def test_uidl():
    with Server() as server:
        server.account(ANN)
        deliver(server, range(4))
        deliver(server, [3])  # the same Message-ID twice
        file = server.folder / "uidls"

        def load(content, check=True):
            file.write_bytes(content)
            return server.run("account", "uidl", ANN, str(file), check=check)

        def known():
            client = server.pop3(ANN)
            found = [line.decode().split()[1] for line in client.uidl()[1]]
            client.quit()
            return found
        own = known()
        for content, told in (
                (b"a\t<letter-0@example.test>\nb <letter-1@example.test>\n", ["line 2: not a UIDL"]),
                (b"a\t<letter-0@example.test>\nb\t\n\n\xe9\tx\n", ["line 2: no Message-ID", "line 4: not a UIDL"]),
                (b"a\t<letter-0@example.test>\nb\t<letter-7@example.test>\n", ["line 2: the account has no message"]),
                (b"a\t<letter-0@example.test>\nb\t<letter-0@example.test>\n", ["line 2: the account has no message"]),
                (b"a\t<letter-0@example.test>\na\t<letter-1@example.test>\n", ["line 2: another message has this UIDL"]),
                (own[1].encode() + b"\t<letter-0@example.test>\n", ["line 1: another message has this UIDL"])):
            done = load(content, check=False)
            lines = done.stderr.splitlines()
            assert done.returncode == 1 and "nothing was set" in lines[-1], done
            assert len(lines) == len(told) + 1 and all(t in l for t, l in zip(told, lines)), (lines, told)
            assert known() == own
        good = b"".join(b"UID%d-700\tletter-%d@example.test\r\n" % (i, min(i, 3)) for i in (4, 3, 2, 1))
        # Of two messages with one Message-ID the first in the file is the first in the mailbox.
        assert load(good).stdout == "4 UIDLs set\n"
        assert known() == [own[0], "UID1-700", "UID2-700", "UID4-700", "UID3-700"]
        assert load(b"").stdout == "0 UIDLs set\n"
        assert journal(server, "--message", "UID1-700")[0][3].startswith("2 <letter-1@")
        assert journal(server, "--message", own[0])[0][3].startswith("1 <letter-0@")
        # They go with the message wherever it goes, and a restart does not change them.
        client = server.imap(ANN)
        client.select()
        client.uid("MOVE", "2", "Archive")
        client.select("Archive")
        client.uid("MOVE", "1", "INBOX")
        client.logout()
        server.stop()
        server.start()
        assert sorted(known()) == sorted([own[0], "UID1-700", "UID2-700", "UID4-700", "UID3-700"])
        done = server.run("account", "uidl", ANN, "/nowhere", check=False)
        assert done.returncode == 1 and "cannot read /nowhere" in done.stderr

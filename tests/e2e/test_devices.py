"""Devices: each POP3 program downloads everything once, what one removes can be put back, and the
journal tells who did what. With Python's clients, getmail and mpop, and the commands of an
operator."""
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
    """A session that fetches what it has not seen, by UIDL, and perhaps removes all: {uidl:
    subject} of the new."""
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
            assert found["Ann's phone"][""] == ["policy trash (the account's)",
                                                "client Test? Mailer 1.5"]
            use = found["Ann's phone"]["imap"]
            assert re.fullmatch(r"first 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", use[0]), use
            assert use[2:4] == ["from 127.0.0.1", "1 sessions"], use
            size = len(letter(0)) * 2
            assert re.fullmatch(rf"fetched 2 \({size + 400}[0-9]*|fetched 2 \(\d+ bytes\)",
                                use[4]), use
            assert use[5].startswith("removed 1 ("), use
            assert found["desk"]["submission"][3:] == ["1 sessions", "fetched 0 (0 bytes)",
                                                       "removed 0 (0 bytes)"]
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
        assert server.run("account", "pop3", ANN, "--policy", "archive", "--alarm",
                          "75%").stdout == ""
        server.imap(phone("desk")).logout()
        server.run("account", "pop3", ANN, "--device", "desk", "--policy", "keep")
        shown = [["policy", "archive"], ["policy", "keep", "desk"], ["alarm", "75"]]
        assert lines_of(server, "account", "pop3", ANN) == shown
        assert devices(server)["desk"][""] == ["policy keep"]
        # Before its first login, by its app password.
        server.run("account", "app-password", "add", ANN, "Ann's new phone")
        server.run("account", "pop3", ANN, "--device", "Ann's new phone", "--policy", "keep")
        assert devices(server)["Ann's new phone"] == {"": ["policy keep", "never seen"]}
        server.run("account", "pop3", ANN, "--device", "Ann's new phone", "--policy", "default")
        # And by the +tag of its login, whatever its case.
        server.run("account", "pop3", ANN, "--device", "Tablet", "--policy", "keep")
        assert devices(server)["tablet"] == {"": ["policy keep", "never seen"]}
        deliver(server, [1])
        assert download(server, phone("tablet"), delete=True) and inbox(server) == 1
        assert devices(server)["tablet"][""] == ["policy keep"]
        assert "pop3" in devices(server)["tablet"]
        server.run("account", "pop3", ANN, "--device", "TABLET", "--policy", "default")
        server.run("account", "pop3", ANN, "--alarm", "off")
        assert ["alarm", "off"] in lines_of(server, "account", "pop3", ANN)
        server.run("account", "pop3", ANN, "--device", "desk", "--policy", "default")
        server.run("account", "pop3", ANN, "--policy", "default")
        assert lines_of(server, "account", "pop3", ANN) == [["policy", "trash"], ["alarm", "off"]]
        for words, status, what in (
                (("pop3", ANN, "--policy", "burn"), 1, "keep, read"),
                (("pop3", ANN, "--alarm", "0"), 1, "1 to 100"),
                (("pop3", ANN, "--alarm", "101"), 1, "1 to 100"),
                (("pop3", ANN, "--alarm", "x"), 1, "1 to 100"),
                (("pop3", ANN, "--policy", "keep", "--device", "my tv"), 1,
                 "as the +tag of its login"),
                (("pop3", ANN, "--policy", "keep", "--device", "x" * 65), 1,
                 "as the +tag of its login"),
                (("pop3", ANN, "--policy", "default", "--device", "tv"), 1, "no such device"),
                (("pop3", ANN, "--device", "desk"), 2, "use it as"),
                (("pop3", "no@example.test"), 1, "not found"),
                (("devices", "no@example.test"), 1, "not found"),
                (("journal", "no@example.test"), 1, "not found"),
                (("journal", ANN, "--message", "<none@x>"), 1, "not found"),
                (("journal", ANN, "--since", "soon"), 2, "use it as"),
                (("restore", ANN), 2, "use it as"),
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
        first = [("delivered", "INBOX", "lmtp 127.0.0.1"), ("read", "INBOX", who),
                 ("moved", "INBOX -> Archive", who)]
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
        assert journal(server, "--since", "1h") == every and journal(server, "--since",
                                                                     "2020-01-01") == every
        assert journal(server, "--since", "2099-01-01 08:30") == []
        # Names from outside do not reach the terminal as they are.
        with server.lmtp() as client:
            client.sendmail("ben@example.test", [ANN],
                            letter(9, subject="a\x1b[2Jb =?utf-8?Q?=C2=9Bc=0Ad?="))
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
    """What a phone's IMAP program removed comes back, with its flags, whatever others have
    removed."""
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
        assert server.run("account", "restore", ANN, "--since", "1h", "--by",
                          "phone").stdout.startswith("0 messages")
        assert server.run("account", "restore", ANN, "--since",
                          "1h").stdout.startswith("1 messages")
        assert inbox(server) == 6
        assert [e[:3]
                for e in journal(server, "--message",
                                 "letter-5@example.test")][-1][0] == "delivered"
        assert [e[0]
                for e in journal(server, "--message", "letter-0@example.test")][-1] == "restored"


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
                (b"a\t<letter-0@example.test>\nb <letter-1@example.test>\n",
                 ["line 2: not a UIDL"]),
                (b"a\t<letter-0@example.test>\nb\t\n\n\xe9\tx\n",
                 ["line 2: no Message-ID", "line 4: not a UIDL"]),
                (b"a\t<letter-0@example.test>\nb\t<letter-7@example.test>\n",
                 ["line 2: the account has no message"]),
                (b"a\t<letter-0@example.test>\nb\t<letter-0@example.test>\n",
                 ["line 2: the account has no message"]),
                (b"a\t<letter-0@example.test>\na\t<letter-1@example.test>\n",
                 ["line 2: another message has this UIDL"]),
                (own[1].encode() + b"\t<letter-0@example.test>\n",
                 ["line 1: another message has this UIDL"])):
            done = load(content, check=False)
            lines = done.stderr.splitlines()
            assert done.returncode == 1 and "nothing was set" in lines[-1], done
            assert len(lines) == len(told) + 1 and all(t in l for t, l in zip(told, lines)), (lines,
                                                                                              told)
            assert known() == own
        good = b"".join(b"UID%d-700\tletter-%d@example.test\r\n" % (i, min(i, 3))
                        for i in (4, 3, 2, 1))
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


# --- POP3 ---

def letters_of_alarm(server):
    """The alarm letters in INBOX, as text."""
    client = server.imap(ANN)
    client.select(readonly=True)
    found = client.search(None, "HEADER", "Auto-Submitted", "auto-generated")[1][0].split()
    texts = [client.fetch(n, "(BODY.PEEK[])")[1][0][1].decode() for n in found]
    client.logout()
    return texts


def test_three_devices():
    """Each downloads everything once although the first removes it all; the phone's removal is
    undone, the UIDLs stay; an app password's name is a device as well as a tag."""
    with Server() as server:
        server.account(ANN)
        server.run("account", "pop3", ANN, "--alarm", "off")
        secret = server.run("account", "app-password", "add", ANN, "phone").stdout.strip()
        deliver(server, range(5))
        seen = {"phone": {}, "desk": {}, "tablet": {}}
        every = [f"letter {i}" for i in range(8)]
        seen["phone"] |= download(server, ANN, delete=True, password=secret)
        assert list(seen["phone"].values()) == every[:5]
        assert inbox(server) == 0 and inbox(server, "Trash") == 5
        seen["desk"] |= download(server, phone("desk"), seen=seen["desk"])
        assert seen["desk"] == seen["phone"]
        deliver(server, range(5, 8))
        seen["tablet"] |= download(server, phone("tablet"), delete=True, seen=seen["tablet"])
        assert list(seen["tablet"].values()) == every
        for name in ("phone", "desk"):
            login, password = (ANN, secret) if name == "phone" else (phone(name), PASSWORD)
            new = download(server, login, password=password, seen=seen[name])
            assert list(new.values()) == every[5:], (name, new)
            seen[name] |= new
            assert seen[name] == seen["tablet"]
            assert download(server, login, password=password, seen=seen[name]) == {}
        # A removal by the tag is the same device's.
        assert download(server, phone("phone"), seen=seen["phone"]) == {}

        found = devices(server)
        assert found["phone"]["pop3"][4].startswith("fetched 8 (")
        assert found["phone"]["pop3"][5].startswith("removed 5 (")
        assert found["desk"]["pop3"][5] == "removed 0 (0 bytes)", found["desk"]
        who = "pop3 127.0.0.1 phone"
        events = [event[:3] for event in journal(server, "--message", "letter-0@example.test")]
        assert events[0] == ("delivered", "INBOX", "lmtp 127.0.0.1"), events
        assert ("fetched", "INBOX", who) in events and ("moved", "INBOX -> Trash",
                                                        who) in events, events
        assert any(e[0] == "fetched" and e[2] == "pop3 127.0.0.1 desk" for e in events), events

        done = server.run("account", "restore", ANN, "--since", "1h", "--by", "phone")
        assert done.stdout.startswith("5 messages put back, "), done.stdout
        assert inbox(server) == 5 and inbox(server, "Trash") == 3
        assert journal(server, "--message", "letter-0@example.test")[-1][0] == "restored"
        again = download(server, ANN, password=secret)
        assert again == seen["phone"], again  # the same UIDLs
        for name in ("desk", "tablet"):  # nobody downloads twice
            assert download(server, phone(name), seen=seen[name]) == {}, name


def test_policies():
    """What a removal does, for the account and for a device; the client sees it removed in each
    case."""
    with Server() as server:
        server.account(ANN)
        server.run("account", "pop3", ANN, "--alarm", "off")
        number = 0
        for policy, left, where in (("keep", 2, None), ("read", 2, None), ("archive", 0, "Archive"),
                                    ("trash", 0, "Trash"),
                                    ("delete", 0, None)):
            server.run("account", "pop3", ANN, "--policy", policy)
            before = inbox(server), inbox(server, "Archive"), inbox(server, "Trash")
            deliver(server, range(number, number + 2))
            number += 2
            assert len(download(server, phone("desk"), delete=True)) == 2, policy
            assert download(server, phone("desk")) == {}, policy
            after = inbox(server), inbox(server, "Archive"), inbox(server, "Trash")
            moved = [2 if where == box else 0 for box in ("Archive", "Trash")]
            assert [b - a for a, b in zip(before, after)] == [left, *moved], (policy, before, after)
        client = server.imap(ANN)
        client.select(readonly=True)
        assert client.search(None, "SEEN")[1][0].split() == [b"3", b"4"]
        client.logout()
        server.run("account", "pop3", ANN, "--device", "desk", "--policy", "keep")
        deliver(server, [number])
        download(server, phone("desk"), delete=True)
        assert inbox(server) == 5
        done = server.run("account", "restore", ANN, "--since", "1d")
        assert "2 marked unread again" in done.stdout, done.stdout
        assert done.stdout.startswith("6 messages put back"), done.stdout
        assert inbox(server) == 11
        assert len(download(server, phone("desk"))) == 11


def test_alarm():
    with Server() as server:
        server.account(ANN)
        secret = server.run("account", "app-password", "add", ANN, "Ann's old PC").stdout.strip()
        deliver(server, range(10))
        download(server, ANN, delete=True, password=secret)
        texts = letters_of_alarm(server)
        assert len(texts) == 1, len(texts)
        assert "Subject: A device removed 10 of 10 messages from your Inbox\r\n" in texts[0]
        assert "  Device:   Ann's old PC\r\n  Address:  127.0.0.1\r\n" in texts[0]
        assert "in your Trash now" in texts[0]
        assert "device-alarm" in server.log()
        # Not again, neither by the same device nor by a start; it has no From that could bounce.
        deliver(server, range(10, 20))
        server.stop()
        server.start()
        download(server, ANN, delete=True, password=secret)
        assert letters_of_alarm(server) == []  # it was removed with the rest
        # The command in the letter, as it stands there.
        command = next(line.strip()
                       for line in texts[0].splitlines()
                       if line.strip().startswith("postrider account restore"))
        told = subprocess.run(["sh", "-c",
                               command.replace("postrider", " ".join(map(str, server.command())),
                                               1)],
                              capture_output=True, text=True, timeout=60)
        assert told.returncode == 0 and told.stdout.startswith("21 messages put back"), told
        # A device's share, and none at all.
        for alarm, n_letters in (("off", 0), ("100%", 0), ("99", 1)):
            server.run("account", "pop3", ANN, "--alarm", alarm)
            download(server, phone(f"new-{alarm.strip('%')}"), delete=True)
            texts = letters_of_alarm(server)
            assert len(texts) == n_letters, (alarm, texts)
            server.run("account", "restore", ANN, "--since", "1h")
            client = server.imap(ANN)
            client.select()
            for n in client.search(None, "HEADER", "Auto-Submitted",
                                   "auto-generated")[1][0].split():
                client.store(n, "+FLAGS", "\\Deleted")
            client.expunge()
            client.logout()


def test_getmail_and_mpop():
    """A program that removes and one that keeps, both with all mail once."""
    import test_clients
    with Server() as server:
        server.account(ANN)
        server.run("account", "pop3", ANN, "--alarm", "off")
        deliver(server, range(3))
        folder = server.folder
        (folder / "box").write_text("")
        config = folder / "mpoprc"
        config.write_text(f"""account a
host 127.0.0.1
port {server.ports['pop3']}
user {phone('mpop')}
password {PASSWORD}
auth user
delivery mbox {folder}/box
uidls_file {folder}/uidls
received_header off
""")
        config.chmod(0o600)

        def mpop(keep):
            test_clients.run("mpop", "-C", config, f"--keep={keep}", "a")
            return re.findall(r"^Subject: (.*)$", (folder / "box").read_text(), re.M)
        every = [f"letter {i}" for i in range(4)]
        assert mpop("on") == every[:3] and mpop("off") == every[:3]
        assert inbox(server) == 0
        deliver(server, [3])
        assert list(download(server, phone("desk")).values()) == every
        assert mpop("off") == every
        server.run("account", "restore", ANN, "--since", "1h", "--by", "mpop")
        assert inbox(server) == 4 and mpop("on")[:4] == every

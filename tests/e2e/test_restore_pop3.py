"""restore puts back what POP3 programs know, too: nobody downloads restored mail a second time,
devices and their policies are there again."""
import re

import harness
from harness import Server
from test_backup import Folder
from test_devices import ANN, deliver, download, inbox, phone

TAG = re.compile("[0-9a-f]{32}")


def uidls(server, login=ANN):
    return download(server, login)


def state(server):
    """What an operator sees of devices and policies, without counts that logins change."""
    out = server.run("account", "devices", ANN).stdout
    first = re.findall(r"^(\S*)\t(policy \S+)|^\t(\w+)\t(first \S+ \S+)", out, re.M)
    return first, server.run("account", "pop3", ANN).stdout


def prepared(server):
    """phone keeps what it deletes, desk archives it, tablet only reads; one UIDL was moved in."""
    server.account(ANN)
    server.run("account", "pop3", ANN, "--policy", "archive", "--alarm", "70")
    deliver(server, range(6))
    (server.folder / "map").write_text("OLD.1\t<letter-1@example.test>\n")
    server.run("account", "uidl", ANN, str(server.folder / "map"))
    download(server, phone("tablet"))
    download(server, phone("phone"))
    server.run("account", "pop3", ANN, "--policy", "keep", "--device", "phone")
    client = server.pop3(phone("phone"))
    client.dele(1)
    client.dele(2)
    client.quit()
    client = server.pop3(phone("desk"))
    client.dele(3)
    client.dele(4)
    client.quit()
    seen = {name: uidls(server, phone(name)) for name in ("phone", "desk", "tablet")}
    assert [sorted(s.values()) for s in seen.values()] == [
        [f"letter {i}" for i in which] for which in ((2, 3, 4, 5), (0, 1, 4, 5), range(6))], seen
    return seen


def check(server):
    server.stop()
    server.run("check")
    server.start()


def test_account_that_was_removed():
    """Made anew, its numbers are others; its devices see what they saw, under the same UIDLs."""
    with Server() as server, Folder() as folder:
        seen = prepared(server)
        before = state(server)
        server.run("backup", str(folder))
        server.run("account", "remove", ANN)
        server.account(ANN)
        deliver(server, [9])  # before the restore
        done = server.run("restore", str(folder), "--account", ANN)
        assert done.stdout == "6 restored, 0 still there, 0 failed\n", (done.stdout, done.stderr)
        assert state(server) == before
        assert inbox(server) == 5 and inbox(server, "Archive") == 2
        for name, had in seen.items():
            now = uidls(server, phone(name))
            fresh = {u: s for u, s in now.items() if u not in had}
            assert list(fresh.values()) == ["letter 9"], (name, fresh)
            assert {u: s for u, s in now.items() if u in had} == had, name
        # A second time nothing comes, and what was set meanwhile stays.
        server.run("account", "pop3", ANN, "--policy", "delete", "--device", "phone")
        server.run("account", "pop3", ANN, "--policy", "trash", "--alarm", "off")
        after = state(server)
        assert after != before
        again = server.run("restore", str(folder), "--account", ANN).stdout
        assert again.startswith("0 restored, 6 still there"), again
        assert state(server) == after
        # What the phone removes now goes by its policy.
        download(server, phone("phone"), delete=True)
        assert download(server, phone("phone")) == {}
        check(server)


def test_message_and_mailbox():
    """The account lives, mail is gone for good: it comes back with its UIDL; a copy has another."""
    config = "[store]\nretention = 1s\n"
    with Server(config) as server, Folder() as folder:
        server.account(ANN)
        deliver(server, range(4))
        (server.folder / "map").write_text("OLD.1\t<letter-1@example.test>\n")
        server.run("account", "uidl", ANN, str(server.folder / "map"))
        download(server, phone("phone"))
        client = server.pop3(phone("phone"))
        server.run("account", "pop3", ANN, "--policy", "keep", "--device", "phone")
        client.dele(1)
        client.quit()
        had = uidls(server)
        server.run("backup", str(folder))
        client = server.imap(ANN)
        client.select()
        client.store("1:3", "+FLAGS", "\\Deleted")
        client.expunge()
        client.logout()
        gone(server, had)

        def restore(*words):
            return server.run("restore", str(folder), "--account", ANN, *words).stdout

        # By its id it is for everybody, by its mailbox for those that had not removed it.
        assert restore("--message", "<letter-1@example.test>").startswith("1 restored")
        assert sorted(uidls(server).values()) == ["letter 1", "letter 3"]
        assert restore("--mailbox", "INBOX").startswith("2 restored, 2 still there")
        assert uidls(server) == had
        seen = sorted(uidls(server, phone("phone")).values())
        assert seen == ["letter 1", "letter 2", "letter 3"], seen
        assert restore("--mailbox", "INBOX", "--to", "Beside").startswith("4 restored, 0 still")
        client = server.imap(ANN)
        client.select("Beside")
        client.uid("MOVE", "1:*", "INBOX")
        client.logout()
        now = uidls(server)
        assert len(now) == 8 and {u: s for u, s in now.items() if u in had} == had
        assert all(TAG.fullmatch(u) for u in now if u not in had)
        check(server)


def test_what_is_still_kept():
    """Asked for by its id it is shown again to the device that removed it."""
    with Server() as server, Folder() as folder:
        server.account(ANN)
        server.run("account", "pop3", ANN, "--policy", "delete")
        deliver(server, range(3))
        had = download(server, phone("phone"))
        server.run("backup", str(folder))
        assert download(server, phone("phone"), delete=True) == had and inbox(server) == 0
        done = server.run("restore", str(folder), "--account", ANN, "--message",
                          "<letter-1@example.test>")
        assert done.stdout.startswith("1 restored")
        assert list(download(server, phone("phone")).values()) == ["letter 1"]
        done = server.run("restore", str(folder), "--account", ANN)
        assert done.stdout.startswith("2 restored, 1 still"), done.stdout
        now = download(server, phone("phone"))
        assert list(now.values()) == ["letter 1"] and inbox(server) == 3
        assert uidls(server) == had and now.items() <= had.items()


def gone(server, had):
    """Waits until what was expunged is purged: each find of it by UIDL fails."""
    first = next(u for u, s in had.items() if s == "letter 0")

    def purged():
        events = server.run("account", "journal", ANN, "--message", first, check=False).stdout
        return "\tpurged\t" in events or "<letter-0@" not in events
    harness.eventually(purged, 60, 0.2)



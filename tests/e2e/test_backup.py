"""backup and restore: under load, shared files, one message to all, damage in a backup."""
import random
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import harness
from harness import Server
from imapwire import Imap
from messages import text

FAILED, USAGE, DATA_IN_USE, PARTLY = 1, 2, 3, 4
ANN = "ann@example.test"


def letter(token, size=200):
    return text("From: x@y.test", f"Subject: {token}", f"Message-ID: <{token}@y.test>", "",
                "text " * size)


def deliver(server, *tokens):
    with server.lmtp() as lmtp:
        for token in tokens:
            lmtp.sendmail("x@y.test", [ANN], letter(token))


def subjects(server, mailbox="INBOX", where=None):
    imap = Imap(server, where or ANN)
    found = []
    if imap.select(mailbox):
        imap.command("FETCH 1:* (BODY.PEEK[HEADER.FIELDS (Subject)])")
        for item in imap.fetched():
            value = next(v for k, v in item.items() if k.startswith("BODY["))
            found.append(re.search(rb"Subject: (\S+)", value).group(1).decode())
    imap.close()
    return found


def program(*words):
    return subprocess.run([str(harness.build / "postrider"), *map(str, words)], text=True,
                          capture_output=True, timeout=300)


def stamps(folder):
    return sorted(p for p in Path(folder).iterdir() if not p.name.startswith("."))


class Folder:
    def __enter__(self):
        self.path = Path(tempfile.mkdtemp(prefix="postrider-backup-"))
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path)


def started(server, data):
    """A server on restored data, entered without adding a domain."""
    other = Server(data=data)
    other.start()
    return other


class Writer(threading.Thread):
    """Delivers, and expunges now and then, until it is told to stop."""

    def __init__(self, server):
        super().__init__()
        self.server, self.stopping, self.acknowledged = server, threading.Event(), []

    def run(self):
        imap = self.server.imap(ANN)
        imap.select("Junk")
        with self.server.lmtp() as lmtp:
            for i in range(100000):
                if self.stopping.is_set():
                    break
                lmtp.sendmail("x@y.test", [ANN], letter(f"load-{i}"))
                self.acknowledged.append(f"load-{i}")
                if i % 5 == 0:
                    imap.append("Junk", None, None, letter(f"junk-{i}"))
                    imap.store("1:*", "+FLAGS", "\\Deleted")
                    imap.expunge()
        imap.logout()


def test_backup_under_load():
    with Server() as server, Folder() as folder:
        server.account(ANN)
        writer = Writer(server)
        writer.start()
        try:
            while len(writer.acknowledged) < 30:
                assert writer.is_alive()
            for n in range(3):
                before = list(writer.acknowledged)
                server.run("backup", str(folder / "b"))
                backup = stamps(folder / "b")[-1]
                data = folder / f"data{n}"
                done = program("restore", backup, "--all", "--data", data)
                assert done.returncode == 0, done.stdout + done.stderr
                done = program("check", "--blobs", "--data", data)
                assert done.returncode == 0, done.stdout + done.stderr
                copy = started(server, data)
                try:
                    got = subjects(copy)
                finally:
                    assert copy.stop() == 0
                    shutil.rmtree(copy.folder)
                assert set(before) <= set(got), sorted(set(before) - set(got))[:5]
                assert len(got) == len(set(got))
        finally:
            writer.stopping.set()
            writer.join()
        assert server.run("backup", "--verify", str(folder / "b")).returncode == 0
        assert not [p for p in server.data.iterdir() if p.name.startswith("store.")]


def test_second_backup_copies_little():
    with Server() as server, Folder() as folder:
        server.account(ANN)
        with server.lmtp() as lmtp:
            for i in range(40):
                noise = random.Random(i).randbytes(40000).hex()
                lines = "\r\n".join(noise[k:k + 76] for k in range(0, len(noise), 76))
                lmtp.sendmail("x@y.test", [ANN],
                              text("From: x@y.test", f"Subject: big-{i}", "", lines))
        first = server.run("backup", str(folder)).stdout
        deliver(server, "one-more")
        second = server.run("backup", str(folder)).stdout
        sizes = [list(map(int, re.search(r"(\d+) bytes, (\d+) of them new", out).groups()))
                 for out in (first, second)]
        assert sizes[0][0] == sizes[0][1] > 1_000_000, sizes
        print(f"note: first {sizes[0][1]} bytes, second {sizes[1][1]} of {sizes[1][0]}")
        # Tables may be written anew in between (texts for SEARCH, compaction); bodies are not.
        blobs = [{b.stat().st_ino: b.stat().st_size for b in (p / "store").glob("*.blob")}
                 for p in stamps(folder)]
        assert blobs[0].keys() <= blobs[1].keys()
        new = sum(n for ino, n in blobs[1].items() if ino not in blobs[0])
        assert new < sum(blobs[1].values()) / 10, (sizes, blobs)
        assert sizes[1][1] <= sizes[1][0] - sum(blobs[0].values()), (sizes, blobs)
        assert len(server.run("backup", "--list", str(folder)).stdout.splitlines()) == 2
        server.run("backup", "--keep", "1", str(folder))
        assert len(stamps(folder)) == 1
        assert server.run("backup", "--verify", str(folder)).returncode == 0


def flags(server, mailbox):
    imap = Imap(server, ANN)
    imap.select(mailbox)
    imap.command("FETCH 1:* (FLAGS INTERNALDATE)")
    found = sorted((sorted(item["FLAGS"].split() if isinstance(item["FLAGS"], (bytes, str))
                           else item["FLAGS"]),
                    item["INTERNALDATE"]) for item in imap.fetched())
    imap.close()
    return found


def test_restore_message_mailbox_account():
    with Server() as server, Folder() as folder:
        server.account(ANN)
        deliver(server, *(f"m{i}" for i in range(10)))
        imap = server.imap(ANN)
        imap.create("Work")
        imap.append("Work", "(\\Seen \\Flagged $Hot)", '"03-Nov-2026 10:11:12 +0130"',
                    letter("dated"))
        imap.select("INBOX")
        server.run("backup", str(folder))
        dated = flags(server, "Work")
        imap.store("3:6", "+FLAGS", "\\Deleted")
        imap.expunge()
        imap.delete("Work")
        imap.logout()
        assert len(subjects(server)) == 6

        def restore(*words, code=0):
            done = server.run("restore", str(folder), "--account", ANN, *words, check=False)
            assert done.returncode == code, (words, done.stdout, done.stderr)
            return done.stdout

        assert restore("--message", "<m3@y.test>").startswith("1 restored, 0 still there")
        assert sorted(subjects(server)) == sorted(f"m{i}" for i in (0, 1, 6, 7, 8, 9, 3))
        assert restore("--mailbox", "INBOX", "--message", "5", "--to",
                       "Found").startswith("1 restored")
        assert subjects(server, "Found") == ["m4"]
        assert restore("--mailbox", "INBOX").startswith("2 restored, 8 still there")
        # Into another mailbox: a copy, also of what is still there, but not two.
        assert restore("--mailbox", "INBOX", "--to",
                       "Beside").startswith("10 restored, 0 still there")
        assert restore("--mailbox", "INBOX", "--to",
                       "Beside").startswith("0 restored, 10 still there")
        assert sorted(subjects(server, "Beside")) == sorted(f"m{i}" for i in range(10))
        imap = server.imap(ANN)
        imap.delete("Beside")
        imap.logout()
        assert restore("--mailbox", "Work").startswith("1 restored, 0 still there")
        assert flags(server, "Work") == dated
        assert restore().startswith("0 restored, 11 still there")
        assert "no such message" in server.run("restore", str(folder), "--account", ANN,
                                               "--message",
                                               "<no@y.test>", check=False).stderr
        restore("--mailbox", "Nowhere", code=FAILED)
        restore("--message", "5", code=USAGE)

        # Another account under the same address: its ids mean something else.
        server.run("account", "remove", ANN)
        server.account(ANN)
        assert restore().startswith("11 restored, 0 still there")
        assert restore().startswith("0 restored, 11 still there")
        assert sorted(subjects(server)) == sorted(f"m{i}" for i in range(10))
        assert flags(server, "Work") == dated
        server.stop()
        assert program("check", "--blobs", "--data", server.data).returncode == 0
        server.start()


def numbers(server):
    imap = Imap(server, ANN)
    imap.command("STATUS INBOX (UIDNEXT UIDVALIDITY HIGHESTMODSEQ)")
    found = dict(re.findall(rb"(\w+) (\d+)", imap.untagged[-1]))
    imap.close()
    pop = server.pop3(ANN)
    uidl = [line.split()[1] for line in pop.uidl()[1]]
    pop.quit()
    return {k.decode(): int(v) for k, v in found.items()}, uidl


def test_restored_store_repeats_no_ids():
    """What was delivered after the backup has ids that clients know: they never come again."""
    server = Server()
    with server, Folder() as folder:
        server.account(ANN)
        deliver(server, "old-1", "old-2")
        server.run("backup", str(folder))
        deliver(server, "late-1", "late-2", "late-3")
        late, uidl = numbers(server)
        server.stop()
        done = server.run("restore", str(folder), "--all")
        assert "what was there is kept in" in done.stdout
        server.start()
        assert subjects(server) == ["old-1", "old-2"]
        deliver(server, "new-1", "new-2", "new-3")
        now, again = numbers(server)
        assert now["UIDVALIDITY"] > late["UIDVALIDITY"]
        assert now["HIGHESTMODSEQ"] > late["HIGHESTMODSEQ"]
        assert again[:2] == uidl[:2] and not set(again[2:]) & set(uidl), (uidl, again)


def test_restore_all_is_refused_while_a_server_runs():
    with Server() as server, Folder() as folder:
        server.account(ANN)
        server.run("backup", str(folder))
        assert server.run("restore", str(folder), "--all", check=False).returncode == DATA_IN_USE
        assert server.run("restore", str(folder), check=False).returncode == USAGE
        assert server.run("check", check=False).returncode == DATA_IN_USE


def test_damage_in_a_backup_is_found():
    with Server() as server, Folder() as folder:
        server.account(ANN)
        deliver(server, *(f"m{i}" for i in range(20)))
        server.run("backup", str(folder))
        good = stamps(folder)[0]
        rng, n = random.Random(6), 0
        for name in sorted(p.relative_to(good) for p in good.rglob("*") if p.is_file()
                           and p.stat().st_size):
            bytes_ = bytearray((good / name).read_bytes())
            kept = bytes(bytes_)
            bytes_[rng.randrange(len(bytes_))] ^= 1 << rng.randrange(8)
            (good / name).write_bytes(bytes_)
            assert server.run("backup", "--verify", str(folder),
                              check=False).returncode == FAILED, name
            done = program("restore", good, "--all", "--data", folder / ".new")
            assert done.returncode == FAILED, (name, done.stdout)
            (good / name).write_bytes(kept)
            n += 1
        # The next backup does not share a file that went bad.
        victim = max((good / "store").iterdir(), key=lambda p: p.stat().st_size)
        bytes_ = bytearray(victim.read_bytes())
        bytes_[len(bytes_) // 2] ^= 1
        victim.write_bytes(bytes_)
        server.run("backup", str(folder))
        assert server.run("backup", "--verify", str(stamps(folder)[-1])).returncode == 0
        print(f"note: {n} damaged files, all found")

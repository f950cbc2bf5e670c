"""Torn and bit-flipped files: check finds them, repair saves the rest, a start makes nothing worse.

SEEDS is for a quick run; set POSTRIDER_REPAIR_SEEDS for more by hand.
"""
import hashlib
import os
import random
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

import harness
from harness import PASSWORD, Server
from imapwire import Imap
from messages import text

SEEDS = int(os.environ.get("POSTRIDER_REPAIR_SEEDS", "10"))
SOUND, FAULTS, PARTLY = 0, 1, 4
ANN, BEN = "ann@example.test", "ben@example.test"


def program(*words, timeout=300):
    return subprocess.run([str(harness.build / "postrider"), *map(str, words)], capture_output=True,
                          text=True, errors="replace", timeout=timeout)


class Store:
    """A data folder that was filled and left: cleanly, or by kill -9 (all in the log)."""

    def __init__(self, folder, clean):
        self.path = folder / ("clean" if clean else "killed")
        server = Server(listeners=("imap", "lmtp"))
        with server:
            server.account(ANN, BEN)
            rng = random.Random(8)
            with server.lmtp() as lmtp:
                for i in range(60):
                    body = rng.randbytes((100, 900, 9000, 60000)[i % 4]).hex()
                    lines = "\r\n".join(body[k:k + 76] for k in range(0, len(body), 76))
                    letter = text("From: x@y.test", f"Subject: m{i}", f"Message-ID: <m{i}@y.test>",
                                  "",
                                  lines)
                    lmtp.sendmail("x@y.test", [BEN if i % 3 == 0 else ANN], letter)
            imap = server.imap(ANN)
            imap.select("INBOX")
            imap.create("Work/Deep")
            imap.store("1:10", "+FLAGS", "(\\Seen $Hot)")
            imap.copy("3:9", "Work/Deep")
            imap.append("INBOX", None, None,
                        text("Subject: huge", "", *(["x" * 70 + str(i) for i in range(9000)])))
            imap.logout()
            if clean:
                server.stop()
            else:
                server.kill()
            shutil.copytree(server.data, self.path, ignore=shutil.ignore_patterns("control.sock"))
            server.start()
        self.messages = export(self.path)
        self.files = sorted(p.name for p in (self.path / "store").iterdir()
                            if p.stat().st_size and (p.suffix in (".sst", ".blob", ".log") or
                                                     p.name.startswith(("MANIFEST", "CURRENT"))))


def export(data, codes=(0,)):
    """How often each message is there, by the hash of its bytes."""
    found = Counter()
    with tempfile.TemporaryDirectory() as out:
        for address in (ANN, BEN):
            done = program("export", "--data", data, "--account", address, "--format", "eml",
                           Path(out) / address)
            assert done.returncode in codes, (done.returncode, done.stdout, done.stderr)
        for path in Path(out).rglob("*.eml"):
            found[hashlib.sha256(path.read_bytes()).digest()] += 1
    return found


def damage(path, rng):
    data = bytearray(path.read_bytes())
    at, how = rng.randrange(len(data)), rng.choice(("flip", "flip", "zeros", "cut"))
    if how == "flip":
        data[at] ^= 1 << rng.randrange(8)
    elif how == "zeros":
        data[at] |= 1
        path.write_bytes(data)
        data[at:at + 512] = bytes(len(data[at:at + 512]))
    else:
        del data[at:]
    path.write_bytes(data)
    return how, at


def sums(data):
    return {p.name: hashlib.sha256(p.read_bytes()).digest() for p in (data / "store").iterdir()}


def try_start(data):
    """Starts a server on the data: its log if it refused, None when it served and was stopped."""
    server = Server(data=data, listeners=("imap",))
    try:
        server.start()
        assert server.stop() == 0, server.log()
        return None
    except AssertionError:
        return server.log()
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
        shutil.rmtree(server.folder)


def one_damage(store, name, seed, folder, tally):
    rng = random.Random(f"{store.path.name}/{name}/{seed}")
    data, out = folder / "data", folder / "out"
    shutil.copytree(store.path, data)
    how, at = damage(data / "store" / name, rng)
    label = f"{store.path.name}/{name} {how} at {at} (seed {seed})"
    kind = re.sub(r"^\d+\.|-.*", "", name)
    torn = kind == "log" and how == "cut"  # what a crash leaves
    before = sums(data)

    checked = program("check", "--blobs", "--data", data)
    assert checked.returncode in ((SOUND, FAULTS) if torn else (FAULTS,)), (label, checked.stdout)
    assert sums(data) == before, f"{label}: check changed a file"

    repaired = program("repair", "--data", data, "--out", out)
    assert repaired.returncode in (SOUND, PARTLY), (label, repaired.stdout, repaired.stderr)
    assert sums(data) == before, f"{label}: repair changed the damaged store"
    assert program("check", "--blobs", "--data", out).returncode == SOUND, label
    saved = export(out)
    wrong = saved - store.messages
    notices = repaired.stdout.count("header kept with a notice")
    assert torn or sum(wrong.values()) <= notices, (f"{label}: bytes that never were\n"
                                                    f"{repaired.stdout}")
    lost = sum((store.messages - saved).values())
    reported = int(re.search(r"(\d+) lost;", repaired.stdout).group(1))
    if kind in ("CURRENT", "MANIFEST"):
        assert lost == 0, f"{label}: {lost} lost\n{repaired.stdout}"
    if kind != "log":
        assert lost == reported, f"{label}: {lost} lost, {reported} told\n{repaired.stdout}"

    # A start serves what it can, or refuses and changes nothing: repair saves the same afterwards.
    log = try_start(data)
    if log is not None:
        assert "postrider check" in log, (label, log)
    if not torn:
        shutil.rmtree(out)
        again = program("repair", "--data", data, "--out", out)
        assert again.returncode in (SOUND, PARTLY), (label, again.stdout, again.stderr)
        assert not saved - export(out), f"{label}: the start made it worse"
    tally[kind, how, "refused" if log is not None else "served"] += 1
    tally[kind, how, "messages lost"] += lost
    tally[kind, how, "in reach"] += sum(store.messages.values())
    for path in (data, out):
        shutil.rmtree(path)


def test_damaged_files():
    tally = Counter()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        stores = [Store(folder, True), Store(folder, False)]
        places = [(s, n) for s in stores for n in s.files]
        for seed in range(SEEDS):
            store, name = places[seed % len(places)]
            one_damage(store, name, seed, folder, tally)
    for key in sorted(tally):
        print(f"note: {' '.join(key)}: {tally[key]}")


def test_in_place():
    """The damaged store stays beside the new one; the server serves the new one at once."""
    with Server(listeners=("imap", "lmtp")) as server:
        server.account(ANN)
        with server.lmtp() as lmtp:
            for i in range(20):
                lmtp.sendmail("x@y.test", [ANN], text(f"Subject: m{i}", "", "x" * 60))
        server.stop()
        victim = next((server.data / "store").glob("MANIFEST-*"))
        data = bytearray(victim.read_bytes())
        data[len(data) // 2] ^= 4
        victim.write_bytes(data)
        assert "postrider check" in try_start(server.data)
        assert "postrider repair" in server.run("account", "list", check=False).stderr
        done = server.run("repair")
        kept = re.search(r"kept in (\S+)", done.stdout).group(1)
        assert (Path(kept) / victim.name).read_bytes() == data
        server.start()
        imap = Imap(server, ANN, PASSWORD)
        assert imap.select("INBOX") == 20
        imap.close()


def test_noise_for_the_last_records():
    """What was confirmed last was overwritten: it may be what a power cut leaves, so the server
    starts, and says what it could not read; check does, too."""
    with tempfile.TemporaryDirectory() as folder:
        data = Store(Path(folder), False).path
        log = max((data / "store").glob("*.log"))
        log.write_bytes(log.read_bytes()[:-100_000] + random.Random(3).randbytes(100_000))
        told = rf"{log.name}, 1\d{{5}} bytes at \d+: cannot be read"
        checked = program("check", "--data", data)
        assert checked.returncode == FAULTS and re.search(told, checked.stdout), checked.stdout
        server = Server(data=data, listeners=("imap",))
        try:
            server.start()
            assert re.search(told, server.log()), server.log()
            assert server.stop() == 0
        finally:
            if server.process and server.process.poll() is None:
                server.kill()
            shutil.rmtree(server.folder)
        assert program("check", "--data", data).returncode == SOUND


def test_lost_records_are_made_again():
    """A message whose record is gone comes back with its bytes; UIDs are not used again."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), True)
        tables = [n for n in store.files if n.endswith(".sst")]
        records = min(tables)
        data = store.path / "store" / records
        raw = bytearray(data.read_bytes())
        got = []
        for at in range(200, len(raw) - 3000, 1500):
            raw[at] ^= 1
            data.write_bytes(raw)
            out = Path(folder) / f"out{at}"
            done = program("repair", "--data", store.path, "--out", out)
            assert done.returncode in (SOUND, PARTLY), done.stdout + done.stderr
            recovered = int(re.search(r"(\d+) recovered", done.stdout).group(1))
            saved = Counter()
            for address in (ANN, BEN):
                listed = program("account", "list", "--data", out).stdout
                assert address in listed or "address is lost" in done.stdout, (at, listed,
                                                                               done.stdout)
            if "address is lost" not in done.stdout:
                saved = export(out)
                lost = int(re.search(r"(\d+) lost;", done.stdout).group(1))
                assert not saved - store.messages, (at, done.stdout)
                assert sum((store.messages - saved).values()) == lost < 10, (at, lost, done.stdout)
            got.append(recovered)
            raw[at] ^= 1
        assert sum(got) > 0, "no damage hit the record of a message"
        print(f"note: {len(got)} damaged places, {sum(got)} messages recovered without their "
              f"records")


def wound_records(data):
    """Damages one block of a table that has nothing but records of messages: its UIDs."""
    for path in sorted((data / "store").glob("*.sst")):
        raw = bytearray(path.read_bytes())
        for at in range(500, len(raw), 2000):
            raw[at] ^= 1
            path.write_bytes(raw)
            told = program("check", "--data", data).stdout
            between = re.search(r"between [^)]* message UID (\d+) and [^)]* message UID (\d+)\)",
                                told)
            if between and "1 faults in the files" in told:
                return int(between[1]) + 1, int(between[2])
            raw[at] ^= 1
            path.write_bytes(raw)
    raise AssertionError("no such block")


def test_unreadable_records_are_single_messages():
    """The mailbox is served without them; repair brings them back."""
    total = 400
    with Server(listeners=("imap", "pop3", "lmtp")) as server:
        server.account(ANN)
        with server.lmtp() as lmtp:
            for i in range(1, total + 1):
                lmtp.sendmail("x@y.test", [ANN],
                              text(f"Subject: m{i}", f"Message-ID: <{i}@y.test>", "", "x"))
        server.stop()
        lo, hi = wound_records(server.data)
        server.start()
        imap = Imap(server, ANN, PASSWORD)
        assert imap.select("INBOX") == total
        assert "mailbox-damaged" in server.log()
        lost = []
        for ask in ("FLAGS", "(UID FLAGS RFC822.SIZE)", "BODY.PEEK[]", "(UID FLAGS)"):
            reply = imap.command(f"FETCH 1:* {ask}")
            assert reply.startswith(b"NO [SERVERBUG]"), reply
            got = {item["seq"] for item in imap.fetched()}
            lost.append(sorted(set(range(1, total + 1)) - got))
        assert all(x == lost[0] for x in lost), lost
        assert lo <= lost[0][0] and lost[0][-1] <= hi and len(lost[0]) > 1, (lo, hi, lost[0])
        one = lost[0][0]
        assert imap.command(f"FETCH {one} FLAGS").startswith(b"NO [SERVERBUG]")
        assert imap.command("STORE 1:* +FLAGS.SILENT (\\Flagged)").startswith(b"NO [SERVERBUG]")
        assert imap.command("SEARCH FLAGGED").startswith(b"OK")
        assert len(imap.untagged[-1].split()) - 1 == total - len(lost[0])
        imap.close()
        pop = server.pop3(ANN)
        assert pop.stat()[0] == total - len(lost[0])
        pop.quit()
        server.stop()
        server.start()
        imap = Imap(server, ANN, PASSWORD)
        assert imap.select("INBOX") == total
        imap.close()
        server.stop()
        server.run("repair")
        server.start()
        imap = Imap(server, ANN, PASSWORD)
        assert imap.select("INBOX") == total
        assert imap.command("FETCH 1:* FLAGS").startswith(b"OK")
        imap.close()


def test_export_of_a_damaged_store():
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), True)
        blob = next(n for n in store.files if n.endswith(".blob"))
        path = store.path / "store" / blob
        raw = bytearray(path.read_bytes())
        raw[len(raw) // 2] ^= 1
        path.write_bytes(raw)
        before = sums(store.path)
        saved = export(store.path, (0, PARTLY))
        assert sums(store.path) == before
        assert not saved - store.messages
        assert 1 <= sum((store.messages - saved).values()) <= 2
        # A running server tells of it and goes on, too.
        server = Server(listeners=("imap", "lmtp"), data=store.path)
        server.start()
        assert export(store.path, (0, PARTLY)) == saved
        server.stop()

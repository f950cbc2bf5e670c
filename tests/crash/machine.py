"""The rounds: load, death of the server, restart, comparison with the ledger."""
import os
import pickle
import random
import re
import selectors
import shutil
import signal
import struct
import subprocess
import sys
import time
import traceback
from collections import Counter

import harness
from harness import Server
from imapwire import Imap
from ledger import Box, Ledger, Seen, Slot, digest
from load import Game, device_login, letter, play

ACCOUNTS = tuple(f"{n}@example.test" for n in ("ann", "bob", "cid"))
SLOTS = 24             # each with two to five connections
# What POP3's removals do: the default and others, and another one for the last device of each
# account.
POLICIES = dict(zip(ACCOUNTS, ("trash", "delete", "archive")))
OF_LAST_DEVICE = "read"
PROCESSES = 3
LIFE = 10              # rounds on one store; then a new one
CALM_SECONDS = 120     # a round that takes longer hangs
TEND_SECONDS = 20      # the server looks after unfinished things every 5 s
TRACE = re.compile(rb"(?:(?:Return-Path|Received): [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)*\Z")
# Small memtables: what a round writes fills some, so kills meet flushes and compactions too.
CONFIG = "[store]\nmemtable = 1M\n"


class Fault(Exception):
    """The mailboxes differ from the ledger; the text says how."""


class World:
    """One store with its ledger, over several rounds."""

    def __init__(self, seed, config=None):
        self.seed = seed
        self.server = Server(config=config)
        self.ledger = Ledger()
        self.boards = {a: [] for a in ACCOUNTS}
        self.policies = {}     # by slot
        self.intact = set()    # (account, uidvalidity, uid): their bytes were compared
        self.last_uid = {}
        self.acknowledged = self.kills = self.open = 0
        self.started = False

    def prepare(self):
        self.server.start()
        self.started = True
        self.server.run("domain", "add", harness.DOMAIN)
        self.server.account(*ACCOUNTS)
        for i in range(SLOTS):
            name = f"s{i:02}"
            slot = self.ledger.slots[name] = Slot(name, ACCOUNTS[i % len(ACCOUNTS)])
            self.policies[name] = POLICIES[slot.account]
        for address in ACCOUNTS:  # the ledger expects no letters of alarm
            self.set_pop3(address, "--alarm", "off")
            if POLICIES[address] != "trash":
                self.set_pop3(address, "--policy", POLICIES[address])
        for slot in list(self.ledger.slots.values())[-len(ACCOUNTS):]:
            self.server.pop3(device_login(slot)).quit()
            self.set_pop3(slot.account, "--device", slot.name, "--policy", OF_LAST_DEVICE)
            self.policies[slot.name] = OF_LAST_DEVICE
        for n, account in enumerate(ACCOUNTS):
            imap = Imap(self.server, account)
            for i in range(2):
                token = f"board{n}{i}"
                answer = imap.append("INBOX", letter(token, 100))
                uid = int(re.search(rb"APPENDUID \d+ (\d+)", answer).group(1))
                self.boards[account].append((token, uid))
                self.ledger.boards[token] = account
                self.ledger.board_hash[token] = digest(letter(token, 100))
            imap.close()

    def set_pop3(self, address, *options):
        self.server.run("account", "pop3", address, *options)

    def close(self, keep=False):
        if self.server.process:
            self.server.kill()
        if keep:
            print(f"kept {self.server.folder}")
        else:
            shutil.rmtree(self.server.folder, ignore_errors=True)

    # --- one round ---

    def round(self, number, rng):
        """Load, death, restart, comparison. Raises Fault."""
        clean = rng.random() < 0.15
        loads = self.start_load(f"r{number}")
        self.listen(loads, until=time.monotonic() + rng.uniform(0.1, 3))
        status = self.server.stop() if clean else self.server.kill()
        self.kills += not clean
        odd = self.listen(loads, until=time.monotonic() + CALM_SECONDS)
        if clean and status != 0:
            raise Fault(f"SIGTERM ended the server with {status}")
        if odd and not clean:
            raise Fault("refused in calm: " + "; ".join(odd[:5]))
        if not clean and rng.random() < 0.3:
            self.tear(rng)
        if rng.random() < 0.3:
            self.kills += self.start_and_kill(rng)
        if rng.random() < 0.2:
            self.verify("right after the kill")
        self.server.start()
        self.compare(number % 5 == 4)
        if rng.random() < 0.2:
            if self.server.stop() != 0:
                raise Fault("a clean stop failed")
            self.verify("after a clean stop")
            self.server.start()

    def start_load(self, tag):
        """[(pipe, process id)]"""
        game = Game(self.seed, tag, ACCOUNTS, self.boards, self.last_uid, self.policies)
        slots = list(self.ledger.slots.values())
        loads = []
        sys.stdout.flush()
        for i in range(PROCESSES):
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(read)
                for other, _ in loads:
                    os.close(other)
                run_child(lambda: play(self.server, slots[i::PROCESSES], write, game))
            os.close(write)
            os.set_blocking(read, False)
            loads.append((read, pid))
        self.buffers = {read: b"" for read, _ in loads}
        return loads

    def listen(self, loads, until):
        """Takes events until the time, or until all load processes have ended. Returns what slots
        said that was neither success nor the end of the server."""
        odd = []
        open_pipes = {read for read, _ in loads if read in self.buffers}
        with selectors.DefaultSelector() as selector:
            for read in open_pipes:
                selector.register(read, selectors.EVENT_READ)
            while open_pipes and (left := until - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    data = os.read(key.fd, 1 << 20)
                    if not data:
                        selector.unregister(key.fd)
                        open_pipes.discard(key.fd)
                        del self.buffers[key.fd]
                        os.close(key.fd)
                    else:
                        self.buffers[key.fd] = self.take(self.buffers[key.fd] + data, odd)
        if not open_pipes:
            for _, pid in loads:
                if os.waitpid(pid, 0)[1] != 0:
                    odd.append("a load process failed")
        elif time.monotonic() - until > 0 and self.server.process is None:
            for _, pid in loads:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            raise Fault("connections hang although the server is gone")
        return odd

    def take(self, data, odd):
        at = 0
        while len(data) - at >= 4:
            (n,) = struct.unpack_from("<I", data, at)
            if len(data) - at - 4 < n:
                break
            self.event(pickle.loads(data[at + 4:at + 4 + n]), odd)
            at += 4 + n
        return data[at:]

    def event(self, event, odd):
        kind, who, *rest = event
        slot = self.ledger.slots.get(who)
        if kind == "begin":
            slot.begin(*rest)
        elif kind == "ack":
            slot.ack(*rest)
            self.acknowledged += 1
        elif kind == "refuse":
            slot.refuse(*rest)
        elif kind == "learn":
            slot.learn(*rest)
        elif kind == "told":
            self.ledger.told(who, *rest)
        elif kind == "saw":
            self.ledger.saw(who, *rest)
        elif kind == "end" and rest[0].startswith("refused"):
            odd.append(f"{who}: {rest[0]}")

    def start_and_kill(self, rng):
        """A kill in the middle of the start, while the log is being read."""
        command = self.server.command("serve", "--listen", "imap=127.0.0.1:0")
        with open(self.server.log_path, "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            process.wait(timeout=rng.uniform(0.005, 0.3))
            raise Fault(f"the start after a kill ended with {process.returncode}")
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return 1

    # --- comparison ---

    def verify(self, when):
        """Checksums, counters, places, references: what the store says of itself."""
        done = self.server.run("check", "--blobs", check=False)
        if done.returncode != 0:
            raise Fault(f"postrider check {when}: {done.stdout[-3000:]}{done.stderr[-1000:]}")

    def tear(self, rng):
        """A power cut may leave a log that is longer than what was written: zeros at its end."""
        logs = sorted((self.server.data / "store").glob("*.log"))
        if logs:
            with open(logs[-1], "ab") as log:
                log.write(bytes(rng.choice((1, 7, 100, 4096, 40000))))

    def compare(self, all_bytes):
        boxes, seen, subscribed, quota = {}, [], set(), {}
        for account in ACCOUNTS:
            imap = Imap(self.server, account)
            names = self.names(imap, 'LIST "" "*"')
            # A subscription outlives its mailbox when that is renamed.
            subscribed |= {(account, n) for n in self.names(imap, 'LSUB "" "*"')}
            for name in names:
                boxes[account, name], found = self.look(imap, account, name, all_bytes)
                seen += found
            self.last_uid[account] = boxes[account, "INBOX"].uidnext - 1
            imap.close()
        # Of a mailbox whose deletion was cut short the rest is removed within seconds.
        deadline = time.monotonic() + TEND_SECONDS
        while True:
            quota = read_quota(self.server.run("account", "show", *ACCOUNTS).stdout)
            if not self.ledger.compare_quota(seen, quota) or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        self.open = sum(len(s.tail) for s in self.ledger.slots.values())
        by_pop3 = Counter()
        for account in ACCOUNTS:
            by_pop3 += read_removals(self.server.run("account", "devices", account).stdout)
        faults = self.ledger.compare(boxes, seen, subscribed, quota, by_pop3)
        if faults:
            raise Fault("\n".join(faults[:40]) + f"\n{len(faults)} faults")
        self.stored = len(seen)

    @staticmethod
    def names(imap, command):
        assert imap.command(command).startswith(b"OK")
        return [re.search(rb'(\S+)$', u).group(1).strip(b'"').decode() for u in imap.untagged]

    def look(self, imap, account, name, all_bytes):
        """(Box, [Seen]) of a mailbox."""
        assert imap.command(f'STATUS "{name}" (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)'
                            ).startswith(b"OK")
        status = {k.decode(): int(v) for k, v in re.findall(rb"([A-Z]+) (\d+)", imap.untagged[-1])}
        validity = status["UIDVALIDITY"]
        box = Box(validity, status["UIDNEXT"], status["HIGHESTMODSEQ"], status["MESSAGES"])
        if imap.select(name, "EXAMINE") == 0:
            return box, []
        assert imap.command("UID FETCH 1:* (FLAGS MODSEQ RFC822.SIZE BODY.PEEK[HEADER.FIELDS "
                            "(X-Token)])"
                            ).startswith(b"OK")
        rows = [row(item) for item in imap.fetched()]
        unknown = [uid for uid, *_ in rows if all_bytes
                   or (account, validity, uid) not in self.intact]
        for i in range(0, len(unknown), 500):
            uids = ",".join(map(str, unknown[i:i + 500]))
            assert imap.command(f"UID FETCH {uids} (BODY.PEEK[])").startswith(b"OK")
            for item in imap.fetched():
                key = (account, validity, int(item["UID"]))
                self.intact.discard(key)
                if self.is_intact(item["BODY[]"]):
                    self.intact.add(key)
        seen = [Seen(account, name, validity, uid, token, flags, modseq, size,
                     (account, validity, uid) in self.intact)
                for uid, token, flags, modseq, size in rows]
        return box, seen

    def is_intact(self, data):
        at = data.find(b"X-Token: ")
        token = data[at + 9:].split(b"\r\n", 1)[0].decode(errors="replace")
        slot = self.ledger.slot_of(token)
        wanted = slot.tokens.get(token) if slot else self.ledger.board_hash.get(token)
        return bool(TRACE.match(data[:at])) and digest(data[at:]) == wanted


def row(item):
    head = next(v for k, v in item.items() if k.startswith("BODY["))
    token = re.search(rb"X-Token: (\S+)", head or b"")
    flags = frozenset(f.decode() for f in item["FLAGS"] if f != b"\\Recent")
    return (int(item["UID"]), token.group(1).decode() if token else "no token", flags,
            int(item["MODSEQ"][0]), int(item["RFC822.SIZE"]))


def read_quota(text):
    """account -> (bytes, messages) from `postrider account show`."""
    out, account = {}, None
    for line in text.splitlines():
        if re.fullmatch(r"\S+@\S+", line):
            account = line
        elif match := re.fullmatch(r"  (\d+) messages, (\d+) bytes.*", line):
            out[account] = (int(match.group(2)), int(match.group(1)))
    assert set(out) == set(ACCOUNTS), text
    return out


def read_removals(text):
    """Counter: device -> messages it has removed by POP3, from `postrider account devices`."""
    found = re.findall(r"^(\S+)\t.*(?:\n\t(?!pop3).*)*\n\tpop3\t.*removed (\d+) \(", text, re.M)
    return Counter({name: int(n) for name, n in found})


def run_child(body):
    """Runs body in a forked process, and never returns."""
    status = 1
    try:
        body()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def play_rounds(rounds, seed, keep=False, report=print):
    """Returns a line of figures; raises Fault."""
    rng = random.Random(seed)
    kills = acknowledged = unsure = 0
    world = None
    try:
        for number in range(rounds):
            if number % LIFE == 0:
                if world:
                    world.close()
                world = World(seed, CONFIG if number // LIFE % 2 else None)
                world.prepare()
            before = world.acknowledged, world.kills
            try:
                world.round(number, rng)
            except Exception as e:
                log = world.server.log()[-2000:]
                raise Fault(f"round {number} of seed {seed}: {e}\n{log}") from e
            acknowledged += world.acknowledged - before[0]
            kills += world.kills - before[1]
            unsure += world.open
            report(f"round {number}: {world.acknowledged - before[0]} acknowledged, {world.open} "
                   f"open, "
                   f"{world.stored} messages")
        figures = (f"{rounds} rounds, {kills} kills, {acknowledged} operations acknowledged, "
                   f"{unsure} open at a kill: nothing lost")
        world.close()
        return figures
    except BaseException:
        if world:
            world.close(keep)
        raise

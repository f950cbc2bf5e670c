"""All servers of a run, started and filled once; one of them at a time is awake."""
import sys
from pathlib import Path

from limits import as_dict
from measure import Wrong, compare, run_load, turn
from peers.cyrus import Cyrus
from peers.dovecot import Dovecot
from peers.peer import PASSWORD, Broken, Place
from peers.postfix import Postfix
from peers.postrider import Postrider

KINDS = {"postrider": Postrider, "dovecot": Dovecot, "cyrus": Cyrus}
CORPUS = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"
WARM_UP = 1.0
FILL_SECONDS = 3600


def say(text):
    print(text, file=sys.stderr, flush=True)


class Session:
    """with Session(arguments, names) as servers: servers.measure(work)"""

    def __init__(self, arguments, names):
        self.rounds, self.seconds = arguments.rounds, arguments.seconds
        self.place = Place(arguments.folder, arguments.build)
        self.place.make_certificate()
        self.peers = {name: KINDS[name](self.place) for name in names}
        for peer in self.peers.values():
            peer.cheap_passwords = arguments.plain_passwords
        if "dovecot" in self.peers:
            self.peers["postfix"] = Postfix(self.place).behind(self.peers["dovecot"])
        self.failed = {}  # peers that could not be started, and why
        self.filled = {}  # boxes of a peer that have their messages, or why not

    def __enter__(self):
        for name, peer in self.peers.items():
            try:
                peer.start()
                peer.group.settle()
            except Broken as why:
                self.failed[name] = str(why)
                say(f"{peer.title} is not measured: {why}")
        for peer in self.peers.values():
            peer.pause()
        return self

    def __exit__(self, *why):
        for peer in reversed(list(self.peers.values())):
            peer.stop()

    def versions(self):
        return {name: peer.version() for name, peer in self.peers.items()
                if name not in self.failed}

    def serving(self, work):
        """name of the column -> the peer that does this work."""
        names = [name for name in self.peers if name != "postfix"]
        if work.listener != "smtp":
            return {name: self.peers[name] for name in names}
        fronts = {"postrider": "postrider", "dovecot": "postfix"}
        return {name: self.peers[fronts[name]] for name in names if name in fronts}

    # --- mailboxes ---

    def need_box(self, peer, box):
        """The accounts of a box with their messages; Wrong, each time, when they cannot be had."""
        key = peer.name, box
        if key not in self.filled:
            peer.resume()
            try:
                self.filled[key] = self.fill(peer, box)
            finally:
                peer.pause()
        if self.filled[key]:
            raise Wrong(self.filled[key])

    def fill(self, peer, box):
        try:
            peer.need_accounts(box.addresses())
            if box.messages:
                say(f"    filling {box.name} of {peer.title}")
                words = ["fill", *self.to(peer, "imap"), *self.of(box), "--expect", box.messages,
                         "--connections", 8, *self.text(box.corpus, box.small)]
                run_load(self.place, words, FILL_SECONDS)
                peer.group.settle(20)
        except (Broken, Wrong) as why:
            return f"filling {box.name}: {why}"
        return ""

    # --- the words of bench-load ---

    def to(self, peer, listener):
        return ["--host", "127.0.0.1", "--port", peer.all_ports()[listener]]

    def of(self, box):
        return ["--accounts", box.accounts, "--user-format", box.format, "--password", PASSWORD]

    def text(self, corpus, small=False):
        return ["--messages", CORPUS] if corpus else ["--size", 1024 if small else 4096]

    def words(self, peer, work, seconds):
        words = [work.load, *self.to(peer, work.listener), *self.of(work.box),
                 "--connections", work.connections, "--seconds", seconds,
                 *self.text(work.corpus or work.box.corpus, work.box.small), *work.more]
        for other in work.others:
            words += [f"--{other}", peer.all_ports()[other]]
        if work.box.messages:
            words += ["--expect", work.box.messages]
        return words + ["--tls"] if work.tls else words

    # --- one workload ---

    def measure(self, work):
        """The result of one workload: every round of every server, and the ratios."""
        say(work.title)
        servers = {}
        result = {"name": work.name, "title": work.title, "unit": work.unit, "mark": work.ratio,
                  "cpu_mark": work.cpu_ratio, "needs": as_dict(work.needs), "servers": servers}
        able = self.serving(work)
        for name, peer in able.items():
            servers[name] = {"title": peer.title, "rounds": [],
                             "failed": self.failed.get(peer.name, "")}
            if not servers[name]["failed"]:
                self.attempt(servers[name], lambda: self.warm_up(peer, work))
        for _ in range(self.rounds):
            for name, peer in able.items():
                server = servers[name]
                if not server["failed"]:
                    self.attempt(server, lambda: server["rounds"].append(self.round(peer, work)))
        return compare(result)

    def attempt(self, server, action):
        """A server that answers wrongly has no figures for this work; the others go on."""
        try:
            action()
        except (Wrong, Broken) as why:
            server["failed"] = str(why)
            say(f"    {server['title']}: {why}")

    def warm_up(self, peer, work):
        if (work.corpus or work.box.corpus) and not CORPUS.exists():
            raise Wrong(f"skipped: the corpus is not at {CORPUS}")
        self.need_box(peer, work.box)
        if work.listener not in ("lmtp", "smtp"):
            turn(peer, lambda: self.log_in(peer, work.box))
        turn(peer, lambda: run_load(self.place, self.words(peer, work, WARM_UP), WARM_UP))

    def log_in(self, peer, box):
        """Every account once: its password is then known to the cache of the server."""
        words = ["login", *self.to(peer, "imap"), *self.of(box),
                 "--count", min(box.accounts, 1_000), "--connections", min(4, box.accounts)]
        return run_load(self.place, words, FILL_SECONDS)

    def round(self, peer, work):
        words = self.words(peer, work, self.seconds)
        figures = turn(peer, lambda: run_load(self.place, words, self.seconds))
        say(f"    {peer.title:<22} {figures['per_second']:>12,.0f} {work.unit}/s"
            f" {figures['cpu_us']:>10,.1f} us {figures['memory'] / 2**20:>8,.0f} MiB")
        return figures

"""Connections that do a server harm by being slow, and what others notice of it.

tests/e2e/test_load_limits.py runs some hundred of them and asserts that all others are served in
bounded memory; `tests/crash/run --storm` runs ten thousand, and prints how much longer others wait.
"""
import base64
import contextlib
import multiprocessing
import random
import resource
import socket
import ssl
import threading
import time

from harness import PASSWORD, Server
from imapwire import Imap
from load import letter

BIG_MESSAGES, BIG_BYTES = 40, 250_000     # of the mailbox that slow readers ask for
VICTIM, TARGET, CROWD = "victim@example.test", "target@example.test", "crowd@example.test"


def hello():
    """The first bytes of a TLS client."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    tls = context.wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def plain(user):
    return base64.b64encode(f"\0{user}\0{PASSWORD}".encode())


LOGIN = b"a LOGIN " + TARGET.encode() + b' "' + PASSWORD.encode() + b'"\r\n'
POP3_LOGIN = b"USER " + TARGET.encode() + b"\r\nPASS " + PASSWORD.encode() + b"\r\n"
ENVELOPE = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<" + TARGET.encode() + b">\r\n"
# Kinds: listener, what is sent at once, what is sent a byte at a time (for ever), does it read?
KINDS = {
    "smtp command": ("smtp", b"", b"EHLO " + b"x" * 500, True),
    "smtp data": ("smtp", b"HELO x\r\n" + ENVELOPE + b"DATA\r\n", b"Subject: slow\r\n" * 100, True),
    "smtp chunk": ("smtp", b"EHLO x\r\n" + ENVELOPE + b"BDAT 100000\r\n",
                   b"Subject: slow\r\n" * 100, True),
    "lmtp command": ("lmtp", b"", b"LHLO " + b"x" * 500, True),
    "lmtp data": ("lmtp", b"LHLO x\r\n" + ENVELOPE + b"DATA\r\n", b"Subject: slow\r\n" * 100, True),
    "submission command": ("submission", b"", b"EHLO " + b"x" * 500, True),
    "imap command": ("imap", b"", b"a LOGIN " + b"x" * 500, True),
    "imap literal before login": ("imap", b"a LOGIN {500}\r\n", b"x" * 500, True),
    "pop3 command": ("pop3", b"", b"USER " + b"x" * 240, True),
    "imap handshake": ("imaps", b"", hello(), True),
    "pop3 handshake": ("pop3s", b"", hello(), True),
    "submission handshake": ("submissions", b"", hello(), True),
    "imap literal": ("imap", LOGIN + b"b APPEND INBOX {100000}\r\n", b"x" * 500, True),
    "imap reader": ("imap", LOGIN + b"b EXAMINE INBOX\r\nc FETCH 1:* BODY.PEEK[]\r\n", b"", False),
    "pop3 reader": ("pop3",
                    POP3_LOGIN + b"".join(b"RETR %d\r\n" % (i + 1) for i in range(BIG_MESSAGES)),
                    b"", False),
    "imap idle": ("imap", LOGIN + b"b SELECT Archive\r\nc IDLE\r\n", b"", True),
}
READERS = ("imap reader", "pop3 reader")
# Those that see that the server closes them, soon after a short login_time and idle times.
CLOSED_SOON = ("smtp command", "lmtp command", "submission command", "imap command",
               "imap literal before login", "pop3 command")


class Slow(threading.Thread):
    """Many slow connections in one thread: `n` of the kinds in turn, a byte each every `pause`
    s."""

    def __init__(self, server, kinds, n, pause=1.0):
        super().__init__(daemon=True)
        self.server, self.kinds, self.n, self.pause = server, list(kinds), n, pause
        self.open = []                      # [kind, socket, bytes left to send]
        self.closed = {k: 0 for k in self.kinds}
        self.refused = 0
        self.stopping = threading.Event()
        self.ready = threading.Event()
        self.turns = 0

    def connect(self, kind):
        listener, at_once, drip, reads = KINDS[kind]
        s = socket.socket()
        if not reads:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        s.settimeout(60)
        s.connect(("127.0.0.1", self.server.ports[listener]))
        s.sendall(at_once)
        s.setblocking(False)
        self.open.append([kind, s, drip * 10])

    def run(self):
        for i in range(self.n):
            if self.stopping.is_set():
                break
            try:
                self.connect(self.kinds[i % len(self.kinds)])
            except OSError:
                self.refused += 1
        self.ready.set()
        while not self.stopping.wait(self.pause / 10):
            self.turn()
        for _, s, _ in self.open:
            s.close()

    def turn(self):
        """A tenth of the connections sends its byte."""
        self.turns += 1
        for entry in self.open[self.turns % 10::10]:
            kind, s, left = entry
            try:
                # Who never reads does not learn of the end either.
                alive = not KINDS[kind][3] or self.read(s)
                if alive and left:
                    s.send(left[:1])
                    entry[2] = left[1:]
            except OSError:
                alive = False
            if not alive:
                self.closed[kind] += 1
                s.close()
                entry[1] = None
        self.open = [e for e in self.open if e[1] is not None]

    @staticmethod
    def read(s):
        with contextlib.suppress(BlockingIOError):
            return bool(s.recv(65536))
        return True

    def stop(self):
        self.stopping.set()
        self.join()


class Guesser(threading.Thread):
    """Logs in with wrong passwords, again and again."""

    def __init__(self, server, stopping):
        super().__init__(daemon=True)
        self.server, self.stopping, self.tried = server, stopping, 0

    def run(self):
        while not self.stopping.is_set():
            with contextlib.suppress(OSError, AssertionError):
                imap = Imap(self.server)
                for i in range(5):
                    answer = imap.command(f'LOGIN {TARGET} "guess {i}"')
                    assert not answer.startswith(b"OK"), "a wrong password was taken"
                    self.tried += 1


class Writer(threading.Thread):
    """One of many sessions on one account: writes, changes flags, idles."""

    def __init__(self, server, number, stopping):
        super().__init__(daemon=True)
        self.server, self.number, self.stopping, self.done = server, number, stopping, 0
        self.failed = None

    def run(self):
        try:
            imap = Imap(self.server, CROWD)
            imap.select("INBOX")
            while not self.stopping.is_set():
                answer = imap.append("INBOX", letter(f"w{self.number}-{self.done}", 500))
                assert answer.startswith(b"OK"), answer
                assert imap.command("STORE * +FLAGS (\\Flagged)").startswith((b"OK",
                                                                              b"NO [EXPUNGE"))
                imap.wire.send(b"i IDLE\r\n")
                while not imap.answer().startswith(b"+"):
                    pass
                self.stopping.wait(0.2)
                imap.wire.send(b"DONE\r\n")
                assert imap.finish(b"i").startswith(b"OK")
                self.done += 1
        except BaseException as e:
            if not self.stopping.is_set():
                self.failed = e


class Probe(threading.Thread):
    """An ordinary user: lists, reads a message, sets a flag, gets mail. Keeps how long each
    took."""

    def __init__(self, server, stopping, pause=0.01):
        super().__init__(daemon=True)
        self.server, self.stopping, self.pause = server, stopping, pause
        self.seconds = []
        self.coming = 0  # seconds to connect, log in, and get a mailbox
        self.failed = None

    def run(self):
        try:
            begin = time.monotonic()
            imap = Imap(self.server, VICTIM)
            imap.append("INBOX", letter("probe", 2000))
            imap.select("INBOX")
            lmtp = self.server.lmtp()
            self.coming = time.monotonic() - begin
            data = letter("probe", 2000)
            works = (lambda: imap.fetch(1, "(FLAGS ENVELOPE BODY.PEEK[])"),
                     lambda: imap.command("STORE 1 FLAGS.SILENT (\\Seen)"),
                     lambda: imap.command('LIST "" "*"'),
                     lambda: lmtp.sendmail("a@b.test", [VICTIM], data),
                     lambda: Imap(self.server, VICTIM).close())
            i = 0
            while not self.stopping.is_set() or i < len(works):
                start = time.monotonic()
                works[i % len(works)]()
                self.seconds.append(time.monotonic() - start)
                i += 1
                time.sleep(self.pause)
        except BaseException as e:
            if not self.stopping.is_set():
                self.failed = e


@contextlib.contextmanager
def probing(server, n):
    stopping = threading.Event()
    probes = [Probe(server, stopping) for _ in range(n)]
    for probe in probes:
        probe.start()
    yield probes
    stopping.set()
    for probe in probes:
        probe.join()
        if probe.failed:
            raise probe.failed


def prepare(server):
    server.account(VICTIM, TARGET, CROWD, hashed=True)
    imap = Imap(server, TARGET)
    body = random.Random(1).randbytes(BIG_BYTES // 2).hex().encode()
    lines = b"\r\n".join(body[i:i + 70] for i in range(0, len(body), 70))
    for i in range(BIG_MESSAGES):
        assert imap.append("INBOX", b"Subject: big %d\r\n\r\n" % i + lines).startswith(b"OK")
    imap.close()


def share(seconds, part):
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000


def measure(server, seconds, probes=4):
    """What ordinary users waited for each thing they did, and for the first one, in seconds."""
    with probing(server, probes) as threads:
        time.sleep(seconds)
    return [t for p in threads for t in p.seconds], max(p.coming for p in threads)


@contextlib.contextmanager
def aside(body):
    """Runs body(ready, stopping) in a process of its own: rude clients shall not slow down the
    clients that are measured, but by way of the server."""
    context = multiprocessing.get_context("fork")
    ready, stopping = context.Event(), context.Event()
    process = context.Process(target=body, args=(ready, stopping))
    process.start()
    assert ready.wait(120)
    yield
    stopping.set()
    process.join(60)
    if process.is_alive():
        process.kill()


def slow_crowd(server, connections):
    """Half are slow; the others sit there, as phones do."""
    def body(ready, stopping):
        kinds = [k for k in KINDS if k not in ("imap idle", *READERS)]
        crowds = [Slow(server, ["imap idle"], connections // 2, 20.0),
                  Slow(server, kinds, connections // 2 - connections // 40, 2.0),
                  Slow(server, READERS, connections // 40)]
        for crowd in crowds:
            crowd.start()
            crowd.ready.wait()
        ready.set()
        stopping.wait()
    return body


def crowd_of(make, n):
    """n threads of Guesser or Writer."""
    def body(ready, stopping):
        for i in range(n):
            make(i, stopping).start()
        ready.set()
        stopping.wait()
    return body


TURNS = 3


def storm(connections, seconds, only="", report=print):
    """Prints what ordinary users wait in calm and in each storm, in turns A B A B, and the
    ratio."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    connections = min(connections, hard - 1000)
    storms = ((f"{connections} connections, half slow", slow_crowd, connections),
              ("20 who guess passwords", lambda s, n: crowd_of(lambda i, e: Guesser(s, e), n), 20),
              ("50 sessions write to one account", lambda s,
               n: crowd_of(lambda i, e: Writer(s, i, e), n), 50))
    with Server() as server:
        prepare(server)
        measure(server, 2)
        report(f"{'':36} {'p50 ms':>8} {'p99 ms':>8} {'ratio':>6} {'MiB':>6} {'operations':>10}")

        def line(name, times, calm):
            p99 = share(times, 0.99)
            report(f"{name:36} {share(times, 0.5):8.1f} {p99:8.1f} {p99 / share(calm, 0.99):6.1f} "
                   f"{server.memory('VmRSS') >> 20:6} {len(times):10}")
        for name, body, n in storms:
            if only not in name:
                continue
            calm, stormy, coming = [], [], 0
            for _ in range(TURNS):
                calm += measure(server, seconds / TURNS)[0]
                with aside(body(server, n)):
                    coming = max(coming, measure(server, 0)[1])
                    stormy += measure(server, seconds / TURNS)[0]
            line("calm", calm, calm)
            line(name, stormy, calm)
            report(f"  who comes with them is served after {coming:.1f} s at most")

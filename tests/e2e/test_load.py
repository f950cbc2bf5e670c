"""The load generator: it does every work against Postrider, and it sees every wrong answer."""
import json
import os
import re
import socketserver
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import harness
from harness import Server, Skip

LOAD_SECONDS = 60
ACCOUNTS = 4
BODY = b"one line\r\n..dots\r\nthe last\r\n"
MESSAGE = b"Subject: known\r\nFrom: a@load.test\r\n\r\n" + BODY


def program(name="bench-load"):
    """bench-load of this build, brought up to date."""
    done = subprocess.run(["ninja", "-C", str(harness.build), "--quiet", f"bench/{name}"],
                          capture_output=True, text=True)
    if "unknown target" in done.stderr + done.stdout:
        raise Skip("this build has no tests")
    assert done.returncode == 0, done.stdout + done.stderr
    return harness.build / "bench" / name


def load(where, *words, input=""):
    """(exit status, the answer) of one run."""
    done = subprocess.run([str(w) for w in (where, *words)], input=input, text=True,
                          capture_output=True,
                          timeout=LOAD_SECONDS)
    assert done.stdout.count("\n") == 1, (words, done.returncode, done.stdout, done.stderr)
    return done.returncode, json.loads(done.stdout)


def good(where, *words, ok, **more):
    status, told = load(where, *words, **more)
    assert status == 0 and told["failed"] == 0 and told["first_error"] == "", (words, told)
    assert told["ok"] == ok, (words, told)
    latency = told["latency_us"]
    assert latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["max"], told
    assert told["load_cpu_us"] > 0 and told["seconds"] > 0, told
    return told


# --- every work against the real server ---

def users(server):
    server.run("domain", "add", "bench.test")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda n: server.account(f"user{n}@bench.test", password="secret"),
                      range(1, ACCOUNTS + 1)))


def count_messages(server, n):
    client = server.imap(f"user{n}@bench.test", password="secret")
    count = int(client.select("INBOX")[1][0])
    client.logout()
    return count


def in_all_boxes(server):
    return sum(count_messages(server, n) for n in range(1, ACCOUNTS + 1))


def test_every_work():
    where = program()
    with Server() as server:
        users(server)
        p = server.ports

        def run(work, listener, *words, ok, **more):
            tls = ["--tls"] if listener in ("imaps", "pop3s") else []
            return good(where, work, "--port", p[listener], "--accounts", ACCOUNTS, *tls, *words,
                        ok=ok, **more)

        run("fill", "imap", "--expect", 10, "--connections", 6, ok=40)
        run("fill", "imap", "--expect", 10, "--connections", 3, "--lmtp", p["lmtp"], ok=40)
        run("append", "imap", "--count", 8, "--connections", 4, ok=8)
        run("append", "imaps", "--count", 4, "--size", 300_000, ok=4)
        assert in_all_boxes(server) == 40 + 40 + 8 + 4
        run("lmtp", "lmtp", "--count", 12, "--connections", 3, "--recipients", 2, ok=12)
        run("lmtp", "lmtp", "--count", 4, "--no-pipelining", ok=4)
        run("smtp", "smtp", "--count", 8, "--connections", 2, ok=8)
        run("smtp", "smtp", "--starttls", "--count", 2, ok=2)
        run("smtp-to-mailbox", "smtp", "--imap", p["imap"], "--count", 20, "--connections", 3,
            ok=20)
        run("login", "imap", "--count", 6, "--connections", 3, ok=6)
        run("login", "imaps", "--count", 3, ok=3)
        run("login", "imaps", "--count", 3, "--openssl", ok=3)
        run("login", "imap", "--starttls", "--count", 2, ok=2)
        assert run("login", "imaps", "--resume", "--count", 3, ok=3)["tls_resumed"] == 2
        run("phone", "imap", "--count", 6, "--connections", 2, "--any-body", ok=6)
        run("phone", "imaps", "--count", 4, "--any-body", ok=4)
        run("select", "imap", "--count", 5, ok=5)
        run("store", "imap", "--count", 30, "--connections", 8, "--threads", 2, ok=30)
        told = run("idle", "imaps", "--connections", 12, "--threads", 2, "--deliver", p["lmtp"],
                   "--count", 9, ok=9)
        assert told["sessions"] == 12 and told["latency_us"]["max"] < 5_000_000, told
        run("idle", "imap", "--connections", 3, ok=3)
        in_box = in_all_boxes(server)
        run("pop3", "pop3", "--count", ACCOUNTS, "--any-body", ok=in_box)
        run("pop3", "pop3s", "--count", ACCOUNTS, "--any-body", "--connections", 2, ok=in_box)
        status, told = load(where, "mixed", "--port", p["imaps"], "--tls", "--lmtp", p["lmtp"],
                            "--pop3", p["pop3s"],
                            "--accounts", ACCOUNTS, "--connections", 10, "--seconds", 1,
                            "--any-body")
        assert status == 0 and all(part["ok"] for part in told["parts"].values()), told
        for n in range(1, ACCOUNTS + 1):
            server.run("account", "pop3", f"user{n}@bench.test", "--alarm", "off")
        run("pop3-delete", "pop3", "--count", ACCOUNTS, "--any-body", ok=in_all_boxes(server))
        assert in_all_boxes(server) == 0


def test_every_fetch():
    where = program()
    with Server() as server:
        users(server)
        p, box = server.ports, ["--accounts", 1, "--expect", 200]
        good(where, "fill", "--port", p["imap"], *box, "--connections", 3, ok=200)
        for work in ("fetch-flags", "fetch-header-fields", "fetch-envelope", "fetch-bodies"):
            good(where, work, "--port", p["imap"], *box, "--count", 2, "--connections", 2, ok=400)
            good(where, work, "--port", p["imaps"], "--tls", *box, "--count", 2, ok=400)
        good(where, "fetch-bodies", "--port", p["imaps"], "--tls", "--openssl", *box, "--count", 2,
             ok=400)
        good(where, "search-body", "--port", p["imap"], *box, "--count", 2, ok=2)
        good(where, "phone", "--port", p["imap"], *box, "--count", 2, ok=2)
        good(where, "pop3", "--port", p["pop3"], *box, "--count", 1, ok=200)
        # What is there is not what is expected.
        for words in (["select", "--expect", 201],
                      ["fetch-bodies", "--expect", 200, "--size", 4097],
                      ["search-body", "--expect", 200, "--hits", 7],
                      ["login", "--password", "wrong"]):
            status, told = load(where, *words, "--port", p["imap"], "--accounts", 1, "--count", 1)
            assert status == 1 and told["failed"] and told["first_error"], (words, told)


# --- servers that answer wrongly ---

class Fake(socketserver.ThreadingTCPServer):
    """Says `greeting`, then `answer(line)` to each line; b"" ends the connection."""
    allow_reuse_address, daemon_threads = True, True

    def __init__(self, greeting, answer):
        self.greeting, self.answer = greeting, answer
        super().__init__(("127.0.0.1", 0), FakeSession)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def __exit__(self, *why):
        self.shutdown()
        super().__exit__(*why)

    @property
    def port(self):
        return self.server_address[1]


class FakeSession(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.wfile.write(self.server.greeting)
            state = {}
            for line in self.rfile:
                said = self.server.answer(line.rstrip(b"\r\n").decode(), state)
                if said == b"":
                    return
                self.wfile.write(said or b"")
        except OSError:
            pass


def literal(text):
    return b"{%d}\r\n%s" % (len(text), text)


SELECTED = (b"* FLAGS (\\Flagged)\r\n* 2 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1] ok\r\n"
            b"* OK [UIDNEXT 3] ok\r\n"
            b"TAG OK [READ-WRITE] done\r\n")
ENVELOPE = b'(NIL "s" ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL NIL "<m>")'
STRUCTURE = b'("text" "plain" NIL NIL NIL "7bit" 10 1)'

# What a right server says to each command, by its first words.
IMAP = {
    "LOGIN": b"TAG OK in\r\n",
    "CAPABILITY": b"* CAPABILITY IMAP4rev1\r\nTAG OK done\r\n",
    "LOGOUT": b"* BYE\r\nTAG OK bye\r\n",
    "SELECT": SELECTED,
    "FETCH 1:* (FLAGS": b"* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS (\\Seen $x))\r\nTAG OK done\r\n",
    "FETCH 1:2 (FLAGS": b"* 1 FETCH (FLAGS ())\r\n* 2 FETCH (FLAGS ())\r\nTAG OK done\r\n",
    "FETCH 1:* (ENV": b"".join(b"* %d fetch (BODYSTRUCTURE %s ENVELOPE %s)\r\n" % (n, STRUCTURE,
                                                                                   ENVELOPE)
                               for n in (2, 1)) + b"TAG OK done\r\n",
    "FETCH 1:* (BODY.PEEK[])": b"".join(b"* %d FETCH (UID %d BODY[] %s)\r\n" % (n, n,
                                                                                literal(MESSAGE))
                                        for n in (1, 2)) + b"TAG OK done\r\n",
    "FETCH 1:* (BODY.PEEK[HEADER": b"".join(
        b"* %d FETCH (BODY[HEADER.FIELDS (\"FROM\")] %s)\r\n" % (n,
                                                                 literal(b"From: a@load.test\r\n"
                                                                         b"\r\n"))
        for n in (1, 2)) + b"TAG OK done\r\n",
    "STORE 1": b"* 1 FETCH (FLAGS (\\Flagged))\r\nTAG OK done\r\n",
    "SEARCH": b"* SEARCH 1 2\r\nTAG OK done\r\n",
    "APPEND": b"+ go on\r\n",
    "IDLE": b"+ idling\r\n",
}
LMTP = {
    "LHLO": b"250-fake\r\n250 PIPELINING\r\n", "MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n",
    "DATA": b"354 go\r\n",
    ".": b"250 kept\r\n", "QUIT": b"221 bye\r\n",
}
POP3 = {
    "USER": b"+OK\r\n", "PASS": b"+OK in\r\n", "CAPA": b"+OK\r\nPIPELINING\r\n.\r\n",
    "STAT": b"+OK 1 100\r\n", "UIDL": b"+OK\r\n1 uid\r\n.\r\n",
    "RETR 1": b"+OK\r\n" + MESSAGE.replace(b"\n..", b"\n...") + b".\r\n", "QUIT": b"+OK bye\r\n",
}


def answerer(table, tagged):
    def answer(line, state):
        tag, _, rest = line.partition(" ") if tagged else ("", "", line)
        if tagged and not re.match(r"a\d+ ", line):
            if line == MESSAGE.splitlines()[-1].decode():  # the literal of APPEND is over
                return state.pop("appending").encode() + b" OK [APPENDUID 1 3] kept\r\n"
            return None
        found = [said for words,
                 said in table.items() if (rest == "." if words == "." else rest.startswith(words))]
        if rest.startswith("APPEND"):
            state["appending"] = tag
        return found[0].replace(b"TAG", tag.encode()) if found else None
    return answer


def fake(protocol, changes):
    greeting, table, tagged = {"imap": (b"* OK hello\r\n", IMAP, True),
                               "lmtp": (b"220 hello\r\n", LMTP, False),
                               "pop3": (b"+OK hello\r\n", POP3, False)}[protocol]
    return Fake(changes.get("", greeting), answerer({**table, **changes}, tagged))


def cut(protocol_table, words, old, new):
    """The right answer to `words` with one thing wrong."""
    right = protocol_table[words]
    assert old in right, (words, old)
    return {words: right.replace(old, new, 1)}


BODIES = "FETCH 1:* (BODY.PEEK[])"
FAULTS = [
    ("imap", "select", cut(IMAP, "SELECT", b"* 2 EXISTS\r\n", b"")),
    ("imap", "select", cut(IMAP, "SELECT", b"* 2 EXISTS", b"* 3 EXISTS")),
    ("imap", "select", cut(IMAP, "SELECT", b"UIDVALIDITY 1", b"UIDVALIDITY")),
    ("imap", "select", cut(IMAP, "SELECT", b"TAG OK", b"TAG NO")),
    ("imap", "select", cut(IMAP, "SELECT", b"TAG OK", b"a77 OK")),
    ("imap", "select", cut(IMAP, "SELECT", b"* 0 RECENT\r\n", b"* 0 RECENT\n")),
    ("imap", "fetch-flags", cut(IMAP, "FETCH 1:* (FLAGS", b"* 1 FETCH (FLAGS ())\r\n", b"")),
    ("imap", "fetch-flags", cut(IMAP, "FETCH 1:* (FLAGS", b"* 1 ", b"* 2 ")),
    ("imap", "fetch-flags", cut(IMAP, "FETCH 1:* (FLAGS", b"* 1 ", b"* 3 ")),
    ("imap", "fetch-flags", cut(IMAP, "FETCH 1:* (FLAGS", b"FLAGS ()", b"UID 1")),
    ("imap", "fetch-flags", cut(IMAP, "FETCH 1:* (FLAGS", b"())", b"()")),
    ("imap", "fetch-flags", cut(IMAP, "FETCH 1:* (FLAGS", b"TAG OK", b"TAG BAD")),
    ("imap", "fetch-flags", {"FETCH 1:* (FLAGS": b""}),
    ("imap", "fetch-envelope", cut(IMAP, "FETCH 1:* (ENV", b'"s" ', b"")),
    ("imap", "fetch-envelope",
     cut(IMAP, "FETCH 1:* (ENV", b"ENVELOPE " + ENVELOPE, b"ENVELOPE NIL")),
    ("imap", "fetch-bodies",
     cut(IMAP, BODIES, b"{%d}" % len(MESSAGE), b"{%d}" % (len(MESSAGE) - 1))),
    ("imap", "fetch-bodies",
     cut(IMAP, BODIES, b"{%d}" % len(MESSAGE), b"{%d}" % (len(MESSAGE) + 1))),
    ("imap", "fetch-bodies", cut(IMAP, BODIES, literal(MESSAGE), literal(MESSAGE[:-2]))),
    ("imap", "fetch-bodies", cut(IMAP, BODIES, b"one line", b"one lime")),
    ("imap", "fetch-bodies", cut(IMAP, BODIES, literal(MESSAGE), b"NIL")),
    ("imap", "fetch-header-fields",
     cut(IMAP, "FETCH 1:* (BODY.PEEK[HEADER", literal(b"From: a@load.test\r\n\r\n"),
                                        literal(b"From: a@load.test\r\n"))),
    ("imap", "store", cut(IMAP, "STORE 1", b"* 1 FETCH (FLAGS (\\Flagged))\r\n", b"")),
    ("imap", "store", cut(IMAP, "STORE 1", b"\\Flagged", b"\\Seen")),
    ("imap", "store", cut(IMAP, "STORE 1", b"* 1 ", b"* 2 ")),
    ("imap", "search-body", cut(IMAP, "SEARCH", b" 1 2", b" 2")),
    ("imap", "search-body", cut(IMAP, "SEARCH", b" 1 2", b" 2 2")),
    ("imap", "search-body", cut(IMAP, "SEARCH", b"* SEARCH 1 2\r\n", b"")),
    ("imap", "append", {"APPEND": b"TAG NO full\r\n"}),
    ("imap", "login", {"": b"* BYE busy\r\n"}),
    ("imap", "login", {"": b"hello\r\n"}),
    ("imap", "login", {"LOGIN": b"TAG NO\r\n"}),
    ("imap", "login", cut(IMAP, "LOGOUT", b"* BYE\r\n", b"")),
    ("imap", "idle", {"IDLE": b"+ idling\r\n* BYE\r\n"}),
    ("lmtp", "lmtp", {"": b"421 busy\r\n"}),
    ("lmtp", "lmtp", {"RCPT": b"550 nobody\r\n"}),
    ("lmtp", "lmtp", {"DATA": b"250 what\r\n"}),
    ("lmtp", "lmtp", {".": b"452 4.3.1 full\r\n"}),
    ("lmtp", "lmtp", {".": b""}),
    ("lmtp", "lmtp", {".": b"250 kept\n"}),
    ("pop3", "pop3", {"PASS": b"-ERR\r\n"}),
    ("pop3", "pop3", cut(POP3, "STAT", b"1 ", b"2 ")),
    ("pop3", "pop3", cut(POP3, "UIDL", b"1 uid", b"2 uid")),
    ("pop3", "pop3", cut(POP3, "RETR 1", b"...dots", b"..dots")),
    ("pop3", "pop3", cut(POP3, "RETR 1", b"the last\r\n", b"")),
    ("pop3", "pop3", {"RETR 1": b"-ERR [SYS/TEMP] no\r\n"}),
]


def against_fake(where, folder, protocol, work, changes):
    with fake(protocol, changes) as server:
        words = [work, "--port", server.port, "--accounts", 1, "--messages", folder, "--count", 1]
        if work in ("select", "fetch-flags", "pop3"):
            words += ["--expect", 2 if protocol == "imap" else 1]
        if work == "search-body":
            words += ["--text", "LAST"]
        return load(where, *words)


def test_right_answers_of_others():
    where = program()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "one.eml").write_bytes(MESSAGE)
        for protocol, work in sorted({fault[:2] for fault in FAULTS}):
            status, told = against_fake(where, folder, protocol, work, {})
            assert status == 0 and told["ok"] and not told["failed"], (protocol, work, told)


def test_wrong_answers_are_seen():
    where = program()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4) as pool:
        Path(folder, "one.eml").write_bytes(MESSAGE)
        outcomes = pool.map(lambda fault: (fault, against_fake(where, folder, *fault)), FAULTS)
        for fault, (status, told) in outcomes:
            assert status == 1 and told["failed"] and told["first_error"], (fault, told)


def test_missing_exists_is_seen():
    """An EXISTS that comes before the delivery is no answer to it."""
    where, right = program(), answerer(IMAP, True)
    for early in (b"", b"* 3 EXISTS\r\n"):

        def session(line, state, early=early):
            return b"+ idling\r\n" + early if line.endswith("IDLE") else right(line, state)

        with Fake(b"* OK hello\r\n", session) as imap, fake("lmtp", {}) as lmtp:
            status, told = load(where, "idle", "--port", imap.port, "--deliver", lmtp.port,
                                "--accounts", 1,
                                "--count", 1, "--patience", 0.5)
            assert status == 1 and "no EXISTS" in told["first_error"], (early, told)


def test_limits():
    where = program("bench-limits")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([where, "--seconds", "0.05", "--dir", folder], capture_output=True,
                              text=True)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0 and len(lines) == 17 and not os.listdir(folder), done
        assert all(v > 0 for line in lines for v in line.values() if isinstance(v, float)), lines

"""No acknowledgement leaves before the sync that covers it, on any protocol: seen with strace on
the program as it is shipped."""
import base64
import contextlib
import json
import re
import socket
import threading

from harness import PASSWORD, Server, eventually
from imapwire import Imap
from load import letter
from synctrace import Order, Trace

ANN = "ann@example.test"


@contextlib.contextmanager
def traced():
    with Server() as server:
        server.account(ANN, "bob@example.test")
        yield server


class Lines:
    """A client of SMTP, LMTP, submission or POP3: one line out, one reply back."""

    def __init__(self, server, kind):
        self.wire = server.connect(kind)
        self.reply()

    def reply(self):
        line = self.wire.line()
        while line[3:4] == b"-" and line[:3].isdigit():
            line = self.wire.line()
        assert line[:1] in (b"2", b"3", b"+"), line
        return line.decode()

    def say(self, *lines):
        for line in lines:
            self.wire.send(line + "\r\n")
            answer = self.reply()
        return answer

    def deliver(self, token, sender="x@y.test"):
        self.say(f"MAIL FROM:<{sender}>", f"RCPT TO:<{ANN}>", "DATA")
        self.wire.send(letter(token, 200) + b".\r\n")
        return self.reply()


def line_client(server, kind):
    client = Lines(server, kind)
    client.say("LHLO me.test" if kind == "lmtp" else "EHLO me.test")
    if kind == "submission":
        word = base64.b64encode(f"\0{ANN}\0{PASSWORD}".encode()).decode()
        client.say(f"AUTH PLAIN {word}")
    return client


def test_a_delivery_is_synced_before_its_250():
    with traced() as server:
        clients = {kind: line_client(server, kind) for kind in ("smtp", "lmtp", "submission")}
        with Trace(server) as trace:
            told = {}
            for kind, client in clients.items():
                for i in range(3):
                    since = trace.lines()
                    reply = client.deliver(f"{kind}-{i}",
                                           ANN if kind == "submission" else "x@y.test")
                    told[f"{kind}-{i}"] = (reply, since)
            order = trace.order()
        for token, (reply, since) in told.items():
            order.assert_reply_rests(reply, f"X-Token: {token}")
            order.assert_nothing_open(reply, since)


IMAP_COMMANDS = (
    # command with its tag for a number, what the log must have (or None)
    ("APPEND INBOX {LITERAL}", "X-Token: imap"),
    ("CREATE box-created", "box-created"),
    ("SUBSCRIBE box-subscribed", "box-subscribed"),
    ("UNSUBSCRIBE box-subscribed", "box-subscribed"),
    ("RENAME box-created box-renamed", "box-renamed"),
    ("STORE 1 +FLAGS (kw-added)", "kw-added"),
    ("STORE 1:2 FLAGS (\\Seen)", None),
    ("STORE 2 -FLAGS.SILENT (\\Seen)", None),
    ("FETCH 3 BODY[]", None),  # sets \Seen
    ("COPY 1:2 box-renamed", None),
    ("UID COPY 3 box-renamed", None),
    ("MOVE 1 box-renamed", None),
    ("UID MOVE 4 box-renamed", None),
    ("STORE 1:2 +FLAGS (\\Deleted)", None),
    ("UID EXPUNGE 2", None),
    ("EXPUNGE", None),
    ("DELETE box-renamed", None),
)


def test_an_imap_change_is_synced_before_its_ok():
    with traced() as server:
        imap = Imap(server, ANN)
        for i in range(8):
            imap.append("INBOX", letter(f"old-{i}", 200))
        imap.select("INBOX")
        with Trace(server) as trace:
            since = []
            for command, _ in IMAP_COMMANDS:
                since.append(trace.lines())
                data = letter("imap", 200)
                literal = f"{{{len(data)}}}"
                answer = imap.command(command.replace("{LITERAL}", literal),
                                      [data + b"\r\n"] if "LITERAL" in command else ())
                assert answer.startswith(b"OK"), (command, answer)
            first = imap.count - len(IMAP_COMMANDS) + 1
            order = trace.order()
        for i, (command, token) in enumerate(IMAP_COMMANDS):
            reply = f"t{first + i} OK"
            order.assert_nothing_open(reply, since[i])
            if token:
                order.assert_reply_rests(reply, token)


def test_pop3_quit_is_synced_before_its_ok():
    with traced() as server:
        with server.lmtp() as client:
            for i in range(3):
                client.sendmail("x@y.test", [ANN], letter(f"old-{i}", 200))
        pop3 = Lines(server, "pop3")
        pop3.say(f"USER {ANN}", f"PASS {PASSWORD}", "DELE 1", "DELE 3")
        with Trace(server) as trace:
            reply = pop3.say("QUIT")
            trace.order().assert_nothing_open(reply, 0)


CONTROL_REQUESTS = (
    # request, what the log must have (or None)
    ({"op": "domain-add", "name": "made.test"}, "made.test"),
    ({"op": "account-add", "addresses": ["new@made.test"], "password": "secret words"},
     "new@made.test"),
    ({"op": "account-disable", "addresses": ["new@made.test"]}, None),
    ({"op": "alias-add", "address": "also@made.test", "targets": ["new@made.test"]}, None),
    ({"op": "alias-remove", "address": "also@made.test"}, None),
    ({"op": "account-remove", "addresses": ["new@made.test"]}, None),
)


def test_the_control_socket_syncs_before_it_answers():
    with traced() as server, Trace(server) as trace, socket.socket(socket.AF_UNIX) as s:
        s.connect(str(server.data / "control.sock"))
        file = s.makefile("rw")
        for n, (request, token) in enumerate(CONTROL_REQUESTS, 1):
            since = trace.lines()
            file.write(json.dumps(request) + "\n")
            file.flush()
            assert file.readline() == '{"ok":true}\n', request
            # All answers are alike: the next one begins when this one stands in the trace.
            eventually(lambda: len(trace.order().sends_with("ok")) == n)
            order = trace.order()
            order.assert_nothing_open("ok", since)
            assert token is None or any(token in w.text for w in order.writes), token


def test_other_sessions_see_a_change_after_its_sync():
    """IDLE's EXISTS, and what a session reads that never waits for anybody."""
    with traced() as server:
        idle, reader, lmtp = Imap(server, ANN), Imap(server, ANN), line_client(server, "lmtp")
        idle.select("INBOX")
        reader.select("INBOX")
        idle.wire.send(b"i IDLE\r\n")
        assert idle.wire.line().startswith(b"+")
        with Trace(server) as trace:
            for i in range(1, 6):
                lmtp.deliver(f"seen-{i}")
                while idle.wire.line() != b"* %d EXISTS" % i:
                    pass
                reader.noop()
                reader.fetch(i, "BODY.PEEK[HEADER.FIELDS (X-Token)]")
            order = trace.order()
        for i in range(1, 6):
            order.assert_reply_rests(f"* {i} EXISTS", f"X-Token: seen-{i}")


class Worker(threading.Thread):
    """One of many that change things at once; `told` has (reply, token)."""

    def __init__(self, server, name, kind, rounds):
        super().__init__()
        self.name_, self.kind, self.rounds, self.told = name, kind, rounds, []
        self.client = line_client(server, "lmtp") if kind == "lmtp" else Imap(server, ANN)
        self.failed = None

    def run(self):
        try:
            for i in range(self.rounds):
                token = f"{self.name_}x{i}x"
                if self.kind == "lmtp":
                    # The id of the reply stands in the message's Received field too.
                    reply = self.client.deliver(token)
                    self.told.append((reply, f"X-Token: {token}"))
                else:
                    self.command(token)
        except BaseException as e:
            self.failed = e

    def command(self, token):
        imap = self.client
        tag = f"tag{token}"
        if self.kind == "append":
            data = letter(token, 200)
            imap.wire.send(f"{tag} APPEND INBOX {{{len(data)}+}}\r\n".encode() + data + b"\r\n")
        else:
            imap.wire.send(f"{tag} CREATE box{token}\r\n")
        assert imap.finish(tag.encode()).startswith(b"OK")
        self.told.append((f"{tag} OK",
                          f"box{token}" if self.kind == "create" else f"X-Token: {token}"))


def test_many_at_once():
    """Sessions that share a sync: nobody's reply leaves before the sync that has his own bytes, and
    a reader is told of nothing that is not on disk."""
    with traced() as server:
        workers = [Worker(server, f"w{i}", ("lmtp", "append", "create")[i % 3], 8)
                   for i in range(12)]
        reader = Imap(server, ANN)
        reader.select("INBOX")
        with Trace(server) as trace:
            for worker in workers:
                worker.start()
            seen = set()
            while any(w.is_alive() for w in workers):
                reader.command("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (X-Token)])")
                seen |= set(re.findall(r"X-Token: (\S+)",
                                       repr(reader.untagged).replace("\\r", " ")))
            for worker in workers:
                worker.join()
                if worker.failed:
                    raise worker.failed
            order = trace.order()
        for worker in workers:
            for reply, token in worker.told:
                order.assert_reply_rests(reply, token)
        assert seen
        for token in seen:
            # The reader's answers have it too; the letters themselves came in, they were not sent.
            order.assert_reply_rests(f"X-Token: {token}", f"X-Token: {token}")


def stored(server):
    """Tokens of the INBOX, and names of mailboxes."""
    imap = Imap(server, ANN)
    assert imap.command('LIST "" "*"').startswith(b"OK")
    names = " ".join(u.decode() for u in imap.untagged).split()
    imap.select("INBOX", "EXAMINE")
    assert imap.command("UID FETCH 1:* (BODY.PEEK[HEADER.FIELDS (X-Token)])").startswith(b"OK")
    tokens = [re.search(rb"X-Token: \S+", v).group().decode()
              for item in imap.fetched() for k, v in item.items() if k.startswith("BODY[")]
    imap.close()
    return tokens, names


def test_a_power_cut():
    """The server is killed, and its log is cut to what was synced by then: what the disk would have
    after a power cut, at least. All that was acknowledged is there."""
    for _ in range(3):
        with traced() as server:
            workers = [Worker(server, f"w{i}", ("lmtp", "append", "create")[i % 3], 1000)
                       for i in range(12)]
            logs = list((server.data / "store").glob("*.log"))
            had = {log: log.stat().st_size for log in logs}
            with Trace(server) as trace:
                for worker in workers:
                    worker.start()
                eventually(lambda: sum(len(w.told) for w in workers) > 60)
                server.kill()
                for worker in workers:
                    worker.join()
                order = trace.order()
            cut = 0
            for log in (server.data / "store").glob("*.log"):
                size = had.get(log, 0) + order.synced_bytes(str(log))
                cut += max(0, log.stat().st_size - size)
                with open(log, "r+b") as file:
                    file.truncate(min(size, log.stat().st_size))
            server.start()
            tokens, names = stored(server)
            told = [token for w in workers for _, token in w.told]
            lost = [t for t in told if t not in tokens and t not in names]
            assert not lost, lost
            assert len(tokens) == len(set(tokens))
            print(f"note: {len(told)} acknowledged, {cut} bytes that were not synced cut off")


# --- that these tests can fail ---

GOOD = """\
10 write(7</d/store/000004.log>, "X-Token: a"..., 300) = 300
10 fdatasync(7</d/store/000004.log> <unfinished ...>
11 write(7</d/store/000004.log>, "X-Token: b"..., 300) = 300
10 <... fdatasync resumed>)          = 0
10 sendto(20<TCP:[1->2]>, "250 2.0.0 a\\r\\n", 13, MSG_NOSIGNAL, NULL, 0) = 13
11 fdatasync(7</d/store/000004.log>) = 0
11 sendto(21<TCP:[1->3]>, "250 2.0.0 b\\r\\n", 13, MSG_NOSIGNAL, NULL, 0) = 13
"""


def refused(text, check):
    try:
        check(Order(text))
    except AssertionError:
        return
    raise AssertionError(f"not seen in:\n{text}")


def test_the_trace_is_understood():
    def a(order):
        order.assert_reply_rests("250 2.0.0 a", "X-Token: a")

    def b(order):
        order.assert_reply_rests("250 2.0.0 b", "X-Token: b")

    a(Order(GOOD))
    b(Order(GOOD))
    lines = GOOD.splitlines(keepends=True)
    # A sync that began before the write does not cover it.
    refused("".join(lines[:5] + lines[6:]), b)
    # A reply while the sync is under way; a sync that failed; a sync of another file; no write.
    refused("".join(lines[:3] + [lines[4], lines[3]] + lines[5:]), a)
    refused(GOOD.replace("resumed>)          = 0", "resumed>) = -1 EIO (Input/output error)"), a)
    refused(GOOD.replace("11 fdatasync(7</d/store/000004", "11 fdatasync(8</d/store/000005"), b)
    refused(GOOD.replace("X-Token: b", "other"), b)
    refused(GOOD.replace("250 2.0.0 b", "451 4.3.0"), b)
    assert Order(GOOD).synced_bytes("/d/store/000004.log") == 600
    assert Order("".join(lines[:5] + lines[6:])).synced_bytes("/d/store/000004.log") == 300
    Order(GOOD).assert_nothing_open("250 2.0.0 b", 2)
    refused("".join(lines[:5] + lines[6:]), lambda o: o.assert_nothing_open("250 2.0.0 b", 2))
    refused(GOOD, lambda o: o.assert_nothing_open("250 2.0.0 b", 5))

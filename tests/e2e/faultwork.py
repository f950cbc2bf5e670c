"""What the tests of failing disks, memory and descriptors share: work by each protocol that keeps
what was acknowledged, and readers."""
import contextlib
import json
import poplib
import re
import socket

from harness import PASSWORD, Server, eventually
from imapwire import Imap
from load import letter
from test_sync_order import Lines, line_client

ANN, BOB = "ann@example.test", "bob@example.test"
TEMPORARY = {
    "smtp": re.compile(rb"4\d\d 4\."), "lmtp": re.compile(rb"4\d\d 4\."),
    "submission": re.compile(rb"4\d\d 4\."),
    "imap": re.compile(rb"NO \[(UNAVAILABLE|INUSE|LIMIT)\]|BYE"),
    "pop3": re.compile(rb"-ERR \[SYS/TEMP\]"),
}


# --- one thing done by each protocol; each says b"" for success, or the refusal ---


class Work:
    """Does one thing by each protocol and keeps what was acknowledged."""

    def __init__(self, server, account=ANN, size=500):
        self.server, self.account, self.size = server, account, size
        self.kept = set()      # tokens that must be there
        self.maybe = set()     # tokens of what was refused or cut off
        self.gone = set()      # tokens of what was removed
        self.sizes = {}        # by token
        self.count = 0

    def token(self):
        self.count += 1
        token = f"{self.account[:3]}-{self.count}"
        self.sizes[token] = self.size
        return token

    def attempt(self, protocol, text, fn):
        """fn() gives the server's final line."""
        try:
            line = fn()
        except (AssertionError, OSError, EOFError) as e:
            line = e.args[0] if e.args and isinstance(e.args[0], bytes) else str(e).encode()
            if not line or b"closed" in line or isinstance(e, (OSError, EOFError)):
                return b"closed"  # rather than say what is not on disk
        if line.startswith((b"250", b"OK", b"+OK")):
            return b""
        assert TEMPORARY[protocol].search(line), f"{text}: {line!r} is no temporary failure"
        return line

    def deliver(self, protocol):
        token = self.token()

        def fn():
            client = line_client(self.server, protocol)
            sender = ANN if protocol == "submission" else "x@y.test"
            client.say(f"MAIL FROM:<{sender}>", f"RCPT TO:<{self.account}>", "DATA")
            client.wire.send(letter(token, self.size).replace(b"\r\n.", b"\r\n..") + b".\r\n")
            return client.reply().encode()
        return self.keep(token, self.attempt(protocol, "delivery", fn))

    def append(self):
        token = self.token()
        return self.keep(token, self.attempt("imap", "APPEND", lambda: Imap(
            self.server, self.account).append("INBOX", letter(token, self.size))))

    def keep(self, token, refused):
        (self.maybe if refused else self.kept).add(token)
        return refused

    def store(self):
        def fn():
            imap = Imap(self.server, self.account)
            imap.select("INBOX")
            return imap.command(f"STORE 1 +FLAGS (kw{self.count})")
        self.count += 1
        return self.attempt("imap", "STORE", fn)

    def create(self):
        self.count += 1
        return self.attempt("imap", "CREATE", lambda: Imap(
            self.server, self.account).command(f"CREATE box{self.count}"))

    def remove(self):
        """The first message, by POP3."""
        token = None

        def fn():
            nonlocal token
            pop3 = Lines(self.server, "pop3")
            pop3.say(f"USER {self.account}", f"PASS {PASSWORD}", "TOP 1 0")
            found = re.search(rb"X-Token: (\S+)",
                              b"\n".join(pop3.wire.until(b".\r\n"))).group(1).decode()
            pop3.say("DELE 1")
            token = found
            return pop3.say("QUIT").encode()
        refused = self.attempt("pop3", "QUIT", fn)
        if token:
            self.kept.discard(token)
            self.maybe.discard(token)
            (self.maybe if refused else self.gone).add(token)
        return refused

    def all(self):
        """The refusals (or b"") of every kind of change."""
        return [self.deliver("smtp"), self.deliver("lmtp"), self.deliver("submission"),
                self.append(),
                self.store(), self.create(), self.remove()]

    def works(self):
        return not any(self.all())

    def check(self):
        """All that was acknowledged is there once, with its bytes, and nothing from nowhere."""
        imap = Imap(self.server, self.account)
        imap.select("INBOX", "EXAMINE")
        assert imap.command("UID FETCH 1:* (BODY.PEEK[])").startswith(b"OK")
        found = []
        for item in imap.fetched():
            data = item["BODY[]"]
            token = re.search(rb"X-Token: (\S+)", data).group(1).decode()
            assert data.endswith(letter(token, self.sizes[token])), token
            found.append(token)
        imap.close()
        assert len(found) == len(set(found)), "a message is there twice"
        assert self.kept <= set(found), sorted(self.kept - set(found))
        assert not self.gone & set(found), "a removed message is back"
        assert set(found) <= self.kept | self.maybe


def read_all(server, account=ANN):
    """IMAP and POP3 readers get whole messages."""
    imap = Imap(server, account)
    assert imap.select("INBOX", "EXAMINE") > 0
    assert imap.command("FETCH 1:* (FLAGS ENVELOPE BODY.PEEK[])").startswith(b"OK")
    imap.close()
    pop3 = server.pop3(account)
    assert len(b"".join(pop3.retr(1)[1])) > 0
    with contextlib.suppress(Exception):
        pop3.quit()


def readers_go_on(server, account=ANN):
    """Who has the account open when a write fails is cut off; the next look of the housekeeper
    takes back what is not on disk, and the account can be read again."""
    def reads():
        with contextlib.suppress(AssertionError, OSError, EOFError, poplib.error_proto):
            read_all(server, account)
            return True
    eventually(reads)
    for _ in range(3):
        read_all(server, account)


class Control:
    """The control socket; `fault` needs a build with -Dfaults=true."""

    def __init__(self, server):
        self.path = str(server.data / "control.sock")

    def ask(self, **request):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(60)
            s.connect(self.path)
            s.sendall((json.dumps(request) + "\n").encode())
            line = s.makefile().readline()
        return json.loads(line) if line else {"ok": False, "error": "closed"}

    def fault(self, **what):
        answer = self.ask(op="fault", **what)
        if "unknown command" in str(answer):
            raise AssertionError("this build cannot make faults: meson setup -Dfaults=true")
        return answer

    def heal(self):
        eventually(lambda: self.fault().get("ok"))


@contextlib.contextmanager
def server_with_mail(config=None, data=None):
    with Server(config=config, data=data) as server:
        server.account(ANN, BOB)
        work = Work(server)
        assert work.works()
        yield server, work

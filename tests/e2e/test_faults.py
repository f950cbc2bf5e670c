"""The disk fails, is slow or full, descriptors and memory run out: temporary failures in each protocol's
own words, readers go on, nothing acknowledged is lost, and full service again without a restart."""
import contextlib
import json
import os
import poplib
import re
import resource
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

import harness
from harness import Server, Skip, eventually
from imapwire import Imap
from load import letter
from test_sync_order import line_client

ANN, BOB = "ann@example.test", "bob@example.test"
TEMPORARY = {
    "smtp": re.compile(rb"4\d\d \d?"), "lmtp": re.compile(rb"4\d\d "),
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
            client.say("MAIL FROM:<x@y.test>", f"RCPT TO:<{self.account}>", "DATA")
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

    def all(self):
        """The refusals (or b"") of every kind of change."""
        return [self.deliver("smtp"), self.deliver("lmtp"), self.append(), self.store(), self.create()]

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
    """Who has the account open when a write fails is cut off; the next look of the housekeeper takes
    back what is not on disk, and the account can be read again."""
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
            raise Skip("this build cannot make faults: meson setup -Dfaults=true")
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


# --- the engine fails ---


def test_each_operation_of_the_engine_fails_once():
    """Whatever fails, each protocol says so in its own words, and all goes on after it."""
    with server_with_mail() as (server, work):
        control = Control(server)
        refusals = 0
        for error in ("io", "disk-full"):
            for nth in range(1, 41):
                control.fault(nth=nth, error=error)
                refusals += sum(bool(r) for r in work.all())
                control.heal()
        assert refusals > 40, "the faults were not felt"
        assert work.works()
        work.check()
        print(f"note: {refusals} refusals, {len(work.kept)} messages acknowledged")


def test_a_dead_disk_comes_back():
    """Writes and syncs fail until the disk is back; then all goes on without a restart."""
    with server_with_mail() as (server, work):
        control = Control(server)
        control.fault(nth=1, sticky=True)
        for _ in range(3):
            assert all(work.all())
        control.heal()
        eventually(work.works)
        work.check()
        read_all(server)


def test_after_a_failed_sync_readers_go_on():
    with server_with_mail() as (server, work):
        control = Control(server)
        reader = Imap(server, BOB)
        reader.append("INBOX", letter("bob-1", 200))
        reader.select("INBOX")
        # Once a write has failed the engine takes no more until it was brought back.
        nth, felt = 0, b""
        while not felt:
            nth += 1
            control.fault(nth=nth)
            felt = work.append()
        for _ in range(5):
            answer = reader.command("FETCH 1 (FLAGS BODY.PEEK[])")
            assert answer.startswith(b"OK"), answer
        control.heal()
        assert work.works()
        work.check()


def test_a_slow_disk_delays_only_those_who_write():
    with server_with_mail() as (server, work):
        control = Control(server)
        reader = Imap(server, BOB)
        reader.append("INBOX", letter("bob-1", 200))
        reader.select("INBOX")
        control.fault(slow_ms=1500)
        writers = [threading.Thread(target=work.append) for _ in range(4)]
        for writer in writers:
            writer.start()
        answers = 0
        while any(w.is_alive() for w in writers):
            assert reader.command("FETCH 1 (FLAGS BODY.PEEK[])").startswith(b"OK")
            answers += 1
        assert answers > 10, "a reader waited for the writers' disk"
        control.heal()
        work.check()


def test_each_allocation_fails_once():
    with server_with_mail() as (server, work):
        control = Control(server)
        for nth in [*range(1, 60), *range(60, 400, 17)]:
            control.fault(memory=nth)
            work.all()
        control.heal()
        eventually(work.works)
        work.check()
        read_all(server)


# --- the disk is full ---


@contextlib.contextmanager
def small_disk(megabytes):
    """A folder on a disk of its own; with a file that can be removed to make room."""
    folder = Path(tempfile.mkdtemp(prefix="postrider-disk-"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(folder)],
                          capture_output=True, text=True)
    if done.returncode != 0:
        folder.rmdir()
        raise Skip(f"a small disk cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def fill(folder, leave):
    """A file that takes all room but `leave` bytes."""
    ballast = folder / "ballast"
    with open(ballast, "wb") as f:
        f.truncate(0)
        room = shutil.disk_usage(folder).free - leave
        os.posix_fallocate(f.fileno(), 0, room)
    return ballast


def test_a_full_disk():
    with small_disk(96) as disk:
        with server_with_mail("[store]\nmemtable = 2M\n", disk / "data") as (server, work):
            ballast = fill(disk, 300_000)
            told = {}

            def all_have_told():
                for name, refused in (("smtp", work.deliver("smtp")), ("lmtp", work.deliver("lmtp")),
                                      ("imap", work.append())):
                    if refused and refused != b"closed":
                        told.setdefault(name, refused)
                return len(told) == 3
            work.size = 20000
            eventually(all_have_told, pause=0)
            work.size = 500
            assert told["smtp"].startswith(b"452 4.3.1"), told
            assert told["lmtp"].startswith(b"452 4.3.1"), told
            assert told["imap"].startswith(b"NO [UNAVAILABLE]"), told
            readers_go_on(server)
            pop3 = server.pop3(ANN)
            pop3.dele(1)
            with contextlib.suppress(EOFError):
                try:
                    pop3.quit()
                    raise AssertionError("a removal was acknowledged on a full disk")
                except Exception as e:
                    if "ERR" in str(e):
                        assert "[SYS/TEMP]" in str(e), e
                    elif isinstance(e, AssertionError):
                        raise
            work.check()
            ballast.unlink()
            eventually(work.works)
            work.check()
            read_all(server)


def test_a_full_disk_and_a_kill():
    """What was acknowledged before the disk was full is there after a restart on the full disk."""
    with small_disk(96) as disk:
        with server_with_mail("[store]\nmemtable = 2M\n", disk / "data") as (server, work):
            ballast = fill(disk, 300_000)
            work.size = 20000
            while not work.append():
                pass
            server.kill()
            # A start on a full disk may be refused, in plain words; it must not make things worse.
            done = subprocess.run(server.command("serve", "--listen", "imap=127.0.0.1:0"), text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=20) \
                if not starts(server) else None
            if done is not None:
                assert done.returncode != 0 and "disk is full" in done.stderr, done
            ballast.unlink()
            if server.process is None:
                server.start()
            eventually(work.works)
            work.check()


def starts(server):
    try:
        server.start()
        return True
    except AssertionError:
        server.process = None
        return False


# --- limits of the process ---


@contextlib.contextmanager
def limited(server, what, soft):
    pid = server.process.pid
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (soft, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)


def test_writes_fail_under_a_limit_on_file_sizes():
    """The same as a disk that takes no more, where none can be mounted."""
    with server_with_mail() as (server, work):
        with limited(server, resource.RLIMIT_FSIZE, 4096):
            refused = [work.all() for _ in range(3)]
            assert all(refused[-1]), refused
            readers_go_on(server)
            work.check()
        eventually(work.works)
        work.check()


def test_descriptors_run_out():
    with server_with_mail() as (server, work):
        inside = Imap(server, ANN)
        inside.select("INBOX")
        fds = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        with limited(server, resource.RLIMIT_NOFILE, fds + 5):
            waiting = [socket.create_connection(("127.0.0.1", server.ports["imap"])) for _ in range(30)]
            # Who is in goes on, reading and writing.
            for i in range(5):
                assert inside.append("INBOX", letter(work.token(), work.size)).startswith(b"OK")
                work.kept.add(f"ann-{work.count}")
                assert inside.command("FETCH 1:* (FLAGS BODY.PEEK[HEADER])").startswith(b"OK")
        # Who came meanwhile is served now.
        for s in waiting:
            s.settimeout(60)
            assert s.recv(100).startswith(b"* OK")
            s.close()
        assert work.works()
        work.check()


# --- a folder that cannot be written ---


def test_a_read_only_disk_is_told():
    with small_disk(64) as disk:
        with server_with_mail(None, disk / "data") as (server, work):
            assert server.stop() == 0
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            done = subprocess.run(server.command("serve", "--listen", "imap=127.0.0.1:0"), text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
            assert done.returncode == 1 and done.stderr.strip(), done
            assert re.search("read-only|cannot", done.stderr, re.I), done.stderr
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            server.start()
            work.check()
            assert work.works()

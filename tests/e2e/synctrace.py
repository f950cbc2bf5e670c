"""The order of writes, syncs and replies of a server, read from strace.

A thread of the server goes on only when strace has written down its last step, so what one thread
waits for stands in the trace before what it does next: the order of the lines is the order of
causes.
"""
import re
import shutil
import signal
import subprocess
import tempfile
from collections import namedtuple
from pathlib import Path

from harness import Skip, eventually

CALLS = "write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync_file_range,sendto,sendmsg"
# The files of the engine's log; all that is acknowledged rests on them.
LOG_FILE = re.compile(r"/store/\d+\.log$")

# begin and end are numbers of lines; end is None when the call never returned.
Call = namedtuple("Call", "name path text begin end ok result")

LINE = re.compile(r"(\d+)\s+(?:(\w+)\((\d+)<(.*?)>(.*)|<\.\.\. (\w+) resumed>(.*))$")


def parse(text):
    """The calls of a trace in the order in which they began."""
    calls, open_calls = [], {}
    for number, line in enumerate(text.splitlines()):
        match = LINE.match(line)
        if match is None:
            continue
        thread, name, _, path, rest, resumed, end = match.groups()
        if resumed:
            at = open_calls.pop(thread, None)
            if at is not None:
                calls[at] = calls[at]._replace(end=number, **outcome(end))
        elif rest.endswith("<unfinished ...>"):
            open_calls[thread] = len(calls)
            calls.append(Call(name, path, rest, number, None, False, -1))
        else:
            calls.append(Call(name, path, rest, number, number, **outcome(rest)))
    return calls


def outcome(text):
    match = re.search(r"\)\s+= (-?\d+)[^=]*$", text)
    result = int(match.group(1)) if match else -1
    return {"ok": result >= 0, "result": result}


class Order:
    """What a trace says of the log and of the replies."""

    def __init__(self, text):
        calls = parse(text)
        log = [c for c in calls if LOG_FILE.search(c.path)]
        self.writes = [c for c in log if "write" in c.name]
        self.syncs = [c for c in log if c.name in ("fsync", "fdatasync")]
        self.sends = [c for c in calls if c.name in ("sendto", "sendmsg") or
                      ("write" in c.name and c.path.startswith(("TCP", "UNIX", "socket")))]

    def sends_with(self, text):
        return [s for s in self.sends if text in s.text]

    def is_durable(self, write, before):
        """Did a sync of the same file begin after this write, and end before that line?"""
        return write.end is not None and any(
            s.path == write.path and s.ok and s.begin > write.end and s.end < before
            for s in self.syncs)

    def synced_bytes(self, path):
        """How much of what was written to a log was on disk for sure at the end of the trace."""
        last = max((s.begin for s in self.syncs if s.ok and s.path == path), default=-1)
        return sum(w.result for w in self.writes if w.path == path and w.ok and w.end < last)

    def assert_reply_rests(self, reply, token):
        """Every send with `reply` comes after the log has `token`, and after its sync."""
        sends = self.sends_with(reply)
        assert sends, f"no reply {reply!r} in the trace"
        writes = [w for w in self.writes if token in w.text]
        assert writes, f"{token!r} was never written to the log"
        for send in sends:
            assert any(self.is_durable(w, send.begin) for w in writes), (
                f"the reply {reply!r} left at line {send.begin}, before {token!r} was on disk")

    def assert_nothing_open(self, reply, since):
        """From line `since` to the send with `reply` the log was written, and all of that was
        synced: for a command that nothing else ran beside."""
        sends = [s for s in self.sends_with(reply) if s.begin >= since]
        assert sends, f"no reply {reply!r} in the trace"
        writes = [w for w in self.writes if since <= w.begin < sends[0].begin]
        assert writes, f"nothing was written before the reply {reply!r}"
        for write in writes:
            assert self.is_durable(write, sends[0].begin), (
                f"the reply {reply!r} left at line {sends[0].begin} with a write that was not "
                f"synced")


class Trace:
    """strace on a running server: `with Trace(server) as trace: ...; trace.order()`"""

    def __init__(self, server):
        self.pid = server.process.pid

    def __enter__(self):
        if shutil.which("strace") is None:
            raise Skip("strace is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="postrider-trace-"))
        self.path = self.folder / "trace"
        self.errors = open(self.folder / "errors", "w+")
        self.strace = subprocess.Popen(
            ["strace", "-f", "-y", "-s", "20000", "-o", str(self.path), "-e", "trace=" + CALLS,
             "-p", str(self.pid)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.errors)
        try:
            eventually(lambda: self.attached() or self.strace.poll() is not None)
            if self.strace.poll() is not None:
                self.errors.seek(0)
                raise Skip(f"strace cannot attach: {self.errors.read().strip()[:200]}")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def attached(self):
        """Every thread of the server has a tracer."""
        states = Path(f"/proc/{self.pid}/task").glob("*/status")
        return all(f"TracerPid:\t{self.strace.pid}" in s.read_text() for s in states)

    def __exit__(self, *_):
        if self.strace.poll() is None:
            self.strace.send_signal(signal.SIGINT)
            self.strace.wait(timeout=60)
        self.errors.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def text(self):
        return self.path.read_text(errors="replace")

    def lines(self):
        """How many there are by now; strace writes a line before the thread goes on."""
        return len(self.text().splitlines())

    def order(self):
        return Order(self.text())

"""The processes of one server: started together, their CPU time and memory summed, paused, ended.

With cgroup v2 (any mount of it, also beside v1) the kernel does the sums. Without it /proc is read:
what living processes have used and what they inherited from children they waited for.
"""
import contextlib
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
ENTER = 'echo 0 >"$0" && exec "$@"'  # what a process does before it becomes the server


def cgroup_root():
    """The cgroup v2 folder of this process, or None."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
        at = next((m[1] for m in mounts if m[2] == "cgroup2"), None)
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        own = next((line[3:] for line in lines if line.startswith("0::")), None)
        folder = Path(at + own) if at and own else None
        if folder and os.access(folder, os.W_OK):
            return folder
    return None


def stat_fields(pid):
    """/proc/PID/stat behind the name: state is field 0; None when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def children():
    """All processes of the machine: parent -> children."""
    tree = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat_fields(entry)
            if fields:
                tree.setdefault(int(fields[1]), []).append(int(entry))
    return tree


class Group:
    """The processes of one server. `started` are those we wait for ourselves."""

    def __init__(self, name):
        self.name, self.started, self.folder = name, [], None
        root = cgroup_root()
        if root:
            folder = root / f"postrider-bench-{os.getpid()}-{name}"
            with contextlib.suppress(OSError):
                folder.mkdir()
                self.folder = folder

    def spawn(self, words, **more):
        if self.folder:
            words = ["/bin/sh", "-c", ENTER, str(self.folder / "cgroup.procs"), *words]
        process = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, **more)
        self.started.append(process)
        return process

    def pids(self):
        if self.folder:
            return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]
        tree, found = children(), []
        todo = [p.pid for p in self.started if p.poll() is None]
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += tree.get(pid, [])
        return found

    def cpu_us(self):
        """All CPU time used so far, user and system, of ended processes too."""
        if self.folder:
            for line in (self.folder / "cpu.stat").read_text().splitlines():
                if line.startswith("usage_usec"):
                    return int(line.split()[1])
        fields = [stat_fields(pid) for pid in self.pids()]
        return sum(int(n) for f in fields if f for n in f[11:15]) * TICK_US

    def memory(self):
        """Sum of the proportional set sizes, in bytes."""
        total = 0
        for pid in self.pids():
            with contextlib.suppress(OSError, IndexError):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                total += int(text.partition("\nPss:")[2].split()[0]) * 1024
        return total

    def pause(self):
        if not self.folder:
            self.signal(signal.SIGSTOP)
            return
        (self.folder / "cgroup.freeze").write_text("1")
        for _ in range(200):
            if "frozen 1" in (self.folder / "cgroup.events").read_text():
                return
            time.sleep(0.01)

    def resume(self):
        if self.folder:
            (self.folder / "cgroup.freeze").write_text("0")
        else:
            self.signal(signal.SIGCONT)

    def signal(self, number, pids=None):
        for pid in self.pids() if pids is None else pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def settle(self, most=3.0):
        """Waits until what is left over (flushes, logs) is done: it belongs to its turn."""
        until = time.monotonic() + most
        before = self.cpu_us()
        while time.monotonic() < until:
            time.sleep(0.1)
            now = self.cpu_us()
            if now - before < 5_000:
                return
            before = now

    def end(self, seconds=20):
        """Asks the processes we started to end; then ends what is left of the group."""
        self.resume()
        self.signal(signal.SIGTERM, [p.pid for p in self.started if p.poll() is None])
        until = time.monotonic() + seconds
        while self.pids() and time.monotonic() < until:
            for process in self.started:
                process.poll()
            time.sleep(0.02)
        self.signal(signal.SIGKILL)
        for process in self.started:
            process.wait()
        self.started = []

    def remove(self):
        self.end()
        if self.folder:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    self.folder.rmdir()
                    break
                time.sleep(0.02)


class Peak:
    """with Peak(groups) as peak: the most memory they had at one time, in peak.bytes."""

    PAUSE = 0.5

    def __init__(self, groups):
        self.groups, self.bytes = groups, 0
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def look(self):
        self.bytes = max(self.bytes, sum(group.memory() for group in self.groups))

    def watch(self):
        pause = self.PAUSE
        while not self.over.wait(pause):
            began = time.thread_time()
            self.look()
            pause = max(self.PAUSE, 50 * (time.thread_time() - began))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *why):
        self.over.set()
        self.thread.join()
        self.look()

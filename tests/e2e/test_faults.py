"""The disk is full or read-only, descriptors run out: temporary failures in each protocol's own
words, readers go on, nothing acknowledged is lost, and full service again without a restart."""
import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from faultwork import ANN, read_all, readers_go_on, server_with_mail
from harness import Skip, eventually
from imapwire import Imap
from load import letter


# --- the disk is full ---


@contextlib.contextmanager
def small_disk(megabytes):
    """A folder on a disk of its own; with a file that can be removed to make room."""
    folder = Path(tempfile.mkdtemp(prefix="postrider-disk-"))
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs",
                           str(folder)],
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
                for name in ("smtp", "lmtp", "submission", "imap"):
                    refused = work.append() if name == "imap" else work.deliver(name)
                    if refused and refused != b"closed":
                        told.setdefault(name, refused)
                return len(told) == 4
            work.size = 20000
            eventually(all_have_told, pause=0)
            work.size = 500
            for name in ("smtp", "lmtp", "submission"):
                assert told[name].startswith(b"452 4.3.1"), told
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
            done = subprocess.run(server.command("serve", "--listen", "imap=127.0.0.1:0"),
                                  text=True,
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
            waiting = [socket.create_connection(("127.0.0.1", server.ports["imap"]))
                       for _ in range(30)]
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


def virtual_memory(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmSize"))


def test_memory_runs_out():
    """RocksDB gets what is kept back for it, and the process lives; changes may be refused
    meanwhile."""
    with server_with_mail("[store]\nmemtable = 2M\ncache = 8M\n") as (server, work):
        work.size = 5_000_000
        assert not work.deliver("smtp")
        taken = virtual_memory(server.process.pid)
        if taken > 1 << 36:
            raise Skip("a sanitizer takes all addresses")
        told = {}
        with limited(server, resource.RLIMIT_AS, taken):
            for i in range(9):
                work.size = (2000, 200_000, 5_000_000)[i % 3]
                for name, refused in (("smtp", work.deliver("smtp")), ("imap", work.append())):
                    if refused:
                        told[name] = refused
            with contextlib.suppress(AssertionError, OSError, EOFError):
                read_all(server)  # as far as memory goes
            assert server.process.poll() is None, server.log()
        print(f"note: refused: {told}")
        work.size = 2000
        assert work.works()
        work.check()


# --- a folder that cannot be written ---


def test_a_read_only_disk_is_told():
    with small_disk(64) as disk:
        with server_with_mail(None, disk / "data") as (server, work):
            assert server.stop() == 0
            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
            done = subprocess.run(server.command("serve", "--listen", "imap=127.0.0.1:0"),
                                  text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
            assert done.returncode == 1 and done.stderr.strip(), done
            assert re.search("read-only|cannot", done.stderr, re.I), done.stderr
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
            server.start()
            work.check()
            assert work.works()

"""Dovecot as a second opinion: its IMAP process on standard input and output, logged in already."""
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness import Skip
from imapwire import Imap

PROGRAM = Path("/usr/lib/dovecot/imap")


class Pipe:
    """What imapwire wants of a connection."""

    def __init__(self, process):
        self.process, self.file = process, process.stdout

    def send(self, data):
        self.process.stdin.write(data if isinstance(data, bytes) else data.encode())
        self.process.stdin.flush()

    def line(self):
        return self.file.readline().rstrip(b"\r\n")

    def read(self, n):
        return self.file.read(n)

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


class Dovecot(Imap):
    """with Dovecot() as imap: a client of an empty mailbox."""

    def __init__(self):
        if not PROGRAM.exists():
            raise Skip("Dovecot is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        # Dovecot keeps no mail for root: root's tests run it as nobody.
        who = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        os.chown(self.folder, who.pw_uid, who.pw_gid)
        config = self.folder / "dovecot.conf"
        config.write_text(f"""protocols = imap
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
mail_location = sdbox:{self.folder}/mail
mail_uid = {who.pw_uid}
mail_gid = {who.pw_gid}
first_valid_uid = 0
first_valid_gid = 0
ssl = no
""")
        process = subprocess.Popen([str(PROGRAM), "-c", str(config)], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                   user=who.pw_uid, group=who.pw_gid,
                                   extra_groups=[],
                                   env={**os.environ, "USER": "ann", "HOME": str(self.folder)})
        self.wire = Pipe(process)
        self.count, self.untagged = 0, []
        self.greeting = self.wire.line()
        assert self.greeting.startswith(b"* PREAUTH"), (self.greeting, self.log())

    def log(self):
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

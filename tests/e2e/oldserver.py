"""Dovecot as the server from which somebody moves: its own POP3 programs, its own files.

    with OldServer("maildir", "pop3_uidl_format = %f") as old:
        old.deliver(letter("one"))
        old.uidls()                  # what its POP3 shows, without a network
        with old.serving() as port:  # and with one, for clients
            ...
"""
import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from harness import PASSWORD, Skip

POP3 = Path("/usr/lib/dovecot/pop3")
USER = "ann@example.test"
LOCATIONS = {"maildir": "maildir:{}/mail", "sdbox": "sdbox:{}/mail", "mdbox": "mdbox:{}/mail",
             "mbox": "mbox:{}/mail:INBOX={}/mail/inbox"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class OldServer:
    def __init__(self, kind="maildir", *settings):
        if not POP3.exists() or not shutil.which("doveadm"):
            raise Skip("Dovecot's POP3 server is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.folder.chmod(0o755)
        # Dovecot keeps no mail for root: root's tests run it as nobody.
        self.who = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self.kind = kind
        self.mail = self.folder / "mail"
        self.mail.mkdir()
        self.port = free_port()
        self.own(self.folder, self.mail)
        self.configure(*settings)

    def __enter__(self):
        return self

    def __exit__(self, *why):
        shutil.rmtree(self.folder, ignore_errors=True)

    def own(self, *paths):
        """What tests write is the mail user's."""
        for path in paths:
            os.chown(path, self.who.pw_uid, self.who.pw_gid)

    def configure(self, *settings):
        self.config = self.folder / "dovecot.conf"
        location = LOCATIONS[self.kind].format(self.folder, self.folder)
        self.config.write_text(f"""protocols = pop3
listen = 127.0.0.1
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.folder}/log
mail_location = {location}
mail_uid = {self.who.pw_uid}
mail_gid = {self.who.pw_gid}
first_valid_uid = 0
first_valid_gid = 0
ssl = no
namespace inbox {{
  inbox = yes
}}
disable_plaintext_auth = no
passdb {{
  driver = static
  args = password={PASSWORD.replace(" ", "")}
}}
userdb {{
  driver = static
  args = uid={self.who.pw_uid} gid={self.who.pw_gid} home={self.folder}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {self.port}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
""" + "\n".join(settings) + "\n")

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def run(self, *command, input=b""):
        """As the mail user."""
        done = subprocess.run([str(c) for c in command], input=input, capture_output=True,
                              timeout=120, user=self.who.pw_uid, group=self.who.pw_gid,
                              extra_groups=[],
                              cwd=self.folder,
                              env={**os.environ, "USER": USER, "HOME": str(self.folder)})
        assert done.returncode == 0, (command, done.stderr.decode()[-2000:], self.log())
        return done.stdout

    def doveadm(self, *words, input=b"", output="flow"):
        return self.run("doveadm", "-c", self.config, "-f", output, *words, input=input).decode()

    def deliver(self, *letters):
        for one in letters:
            self.doveadm("save", input=one.replace(b"\r\n", b"\n"))

    def pop3(self, commands):
        out = self.run(POP3, "-c", self.config, input=commands.encode()).replace(b"\r", b"")
        return out.decode(errors="replace")

    def listing(self):
        """The UIDLs in the order of POP3."""
        told = self.pop3("UIDL\r\nQUIT\r\n").split("+OK\n", 1)[1].split("\n.\n")[0]
        return [line.split(" ", 1)[1] for line in told.splitlines() if line != "."]

    def uidls(self):
        """[(UIDL, lines of the message)], likewise."""
        found = self.listing()
        commands = "".join(f"RETR {n + 1}\r\n" for n in range(len(found))) + "QUIT\r\n"
        texts = self.pop3(commands).split(" octets\n")[1:]
        return [(uidl, text.split("\n.\n")[0]) for uidl, text in zip(found, texts)]

    @contextlib.contextmanager
    def serving(self):
        if os.getuid() != 0:
            raise Skip("Dovecot wants to be started as root")
        process = subprocess.Popen(["/usr/sbin/dovecot", "-F", "-c", str(self.config)],
                                   stdin=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError), \
                        socket.create_connection(("127.0.0.1", self.port), timeout=5) as probe:
                    if probe.recv(3) == b"+OK":
                        break
                assert time.monotonic() < deadline and process.poll() is None, self.log()
                time.sleep(0.05)
            yield self.port
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

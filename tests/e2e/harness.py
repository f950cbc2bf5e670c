"""A Postrider server of a test's own: started in a temporary folder on free ports, and ended.

    with Server() as server:
        server.account("ann@example.test")
        imap = server.imap("ann@example.test")
"""
import contextlib
import imaplib
import os
import poplib
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT.parent / "shared" / "corpus"
LISTENERS = ("smtp", "lmtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s")
PASSWORD = "correct horse battery"
DOMAIN = "example.test"
# smtplib would ask the DNS for it, and wait for ten seconds where there is none
OUR_NAME = "client.test"
START_SECONDS = 60

build = ROOT / "build"  # set by run.py

imaplib._MAXLINE = 100_000_000


class Skip(Exception):
    """Raised by a test that cannot run here; the text says why."""


def corpus_files():
    """All messages of the corpus beside the repository; Skip when it is not there."""
    files = sorted(CORPUS.rglob("*.eml"))
    if not files:
        raise Skip(f"the corpus is not at {CORPUS}")
    return files


def crlf(raw):
    """The message as it travels: every line end is CRLF, and the last line has one."""
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    return text if text.endswith(b"\r\n") or not text else text + b"\r\n"


def tls_context():
    """For the self-signed certificate of a test server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Server:
    """One server process. `config` is the text of a configuration file, or None."""

    def __init__(self, config=None, listeners=LISTENERS, env=None, data=None):
        self.folder = Path(tempfile.mkdtemp(prefix="postrider-"))
        self.data = Path(data) if data else self.folder / "data"
        self.listeners = listeners
        self.ports = {}  # by name; the system chooses them
        self.log_path = self.folder / "log"
        self.env = {**os.environ, **(env or {})}
        self.process = None
        self.config = None
        if config is not None:
            self.config = self.folder / "postrider.conf"
            self.config.write_text(config)

    def __enter__(self):
        self.start()
        self.run("domain", "add", DOMAIN)
        return self

    def __exit__(self, kind, value, trace):
        try:
            status = self.stop() if self.process else 0
        finally:
            if kind is not None:
                print(self.log()[-6000:])
            shutil.rmtree(self.folder, ignore_errors=True)
        if kind is None:
            assert status == 0, f"the server ended with {status}:\n{self.log()[-6000:]}"

    # --- life ---

    def command(self, *words):
        base = [str(build / "postrider"), "--data", str(self.data)]
        if self.config:
            base += ["--config", str(self.config)]
        return [*base, *words]

    def start(self, same_ports=False):
        """On the ports of the last start, if asked to: some programs know a mailbox by its port."""
        ports = self.ports if same_ports else {}
        listen = [w for n in self.listeners
                  for w in ("--listen", f"{n}=127.0.0.1:{ports.get(n, 0)}")]
        already = self.times_ready()
        before = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command("serve", *listen),
                                            stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=self.env)
        deadline = time.monotonic() + START_SECONDS
        while self.times_ready() == already:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log()[-6000:]}")
            time.sleep(0.02)
        told = re.findall(r'listening"?[, ].*?name"?[=:]"?(\w+).*?port"?[=:](\d+)',
                          self.log()[before:])
        self.ports = {name: int(port) for name, port in told}

    def times_ready(self):
        """How often the log tells that it was ready, in either format."""
        return len(re.findall(r'[ >]info ready |"event":"ready"', self.log()))

    def stop(self):
        """Asks it to end; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.process = None
        return status

    def kill(self):
        """As a power cut would, for the process."""
        self.process.kill()
        self.process.wait()
        self.process = None

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def memory(self, key="VmHWM"):
        """Bytes of peak (VmHWM) or present (VmRSS) memory."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {key}")

    # --- the command line ---

    def run(self, *words, input=None, check=True):
        """Runs a command; returns the finished process with stdout and stderr as text."""
        done = subprocess.run(self.command(*words), input=input, text=True, capture_output=True,
                              timeout=300, env=self.env)
        if check and done.returncode != 0:
            raise AssertionError(f"{words} ended with {done.returncode}: {done.stderr}")
        return done

    def account(self, *addresses, password=PASSWORD, hashed=False):
        """With `hashed` the password is kept as in earnest, which takes 64 MiB and 100 ms, and so
        does the first login after each start; else as it is written, for tests of something
        else."""
        if hashed:
            self.run("account", "add", *addresses, input=password + "\n")
        else:
            self.run("account", "add", "--password-hash", "{PLAIN}" + password, *addresses)

    # --- clients ---

    def imap(self, login=None, password=PASSWORD, tls=False):
        if tls:
            client = imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=tls_context())
        else:
            client = imaplib.IMAP4("127.0.0.1", self.ports["imap"])
        if login:
            client.login(login, password)
        return client

    def pop3(self, login=None, password=PASSWORD, tls=False):
        poplib._MAXLINE = 100_000_000
        if tls:
            client = poplib.POP3_SSL("127.0.0.1", self.ports["pop3s"], context=tls_context())
        else:
            client = poplib.POP3("127.0.0.1", self.ports["pop3"])
        if login:
            client.user(login)
            client.pass_(password)
        return client

    def smtp(self):
        return smtplib.SMTP("127.0.0.1", self.ports["smtp"], OUR_NAME, timeout=120)

    def lmtp(self):
        return smtplib.LMTP("127.0.0.1", self.ports["lmtp"], OUR_NAME)

    def submission(self, login, password=PASSWORD):
        client = smtplib.SMTP("127.0.0.1", self.ports["submission"], OUR_NAME, timeout=120)
        client.starttls(context=tls_context())
        client.login(login, password)
        return client

    def connect(self, name, tls=False):
        """A bare connection: a Wire."""
        return Wire("127.0.0.1", self.ports[name], tls)


class Wire:
    """A socket that reads lines and literals, for tests that need the bytes themselves."""

    def __init__(self, host, port, tls=False, timeout=60):
        self.sock = socket.create_connection((host, port), timeout=timeout)
        if tls:
            self.sock = tls_context().wrap_socket(self.sock, server_hostname="localhost")
        self.file = self.sock.makefile("rb")

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """One line without its CRLF; b"" at the end of the connection."""
        return self.file.readline().rstrip(b"\r\n")

    def read(self, n):
        return self.file.read(n)

    def until(self, prefix):
        """All lines up to and with the first that begins with prefix."""
        lines = []
        while True:
            raw = self.file.readline()
            if not raw:
                raise AssertionError(f"connection closed before {prefix!r}: {lines[-5:]}")
            lines.append(raw.rstrip(b"\r\n"))
            if raw.startswith(prefix):
                return lines

    def starttls(self):
        self.sock = tls_context().wrap_socket(self.sock, server_hostname="localhost")
        self.file = self.sock.makefile("rb")

    def close(self):
        with contextlib.suppress(OSError):
            self.file.close()
            self.sock.close()


def eventually(what, seconds=30, pause=0.05):
    """Calls what() until it gives something true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        result = what()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(pause)

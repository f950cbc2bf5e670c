"""What all measured servers have in common."""
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from processes import Group

DOMAIN = "bench.test"
PASSWORD = "secret"
PACKAGES = Path(__file__).resolve().parent.parent.parent / "tools" / "packages"


class Broken(Exception):
    """This server cannot be measured; the text says why."""


def free_ports(count):
    """Ports of 127.0.0.1 that nobody has now."""
    socks = [socket.socket() for _ in range(count)]
    try:
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]
    finally:
        for sock in socks:
            sock.close()


def output(*words, **more):
    """Standard output of a command that must succeed."""
    done = subprocess.run([str(w) for w in words], text=True, capture_output=True, **more)
    if done.returncode != 0:
        raise Broken(f"{Path(words[0]).name}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def unpack(word, kept, root):
    """Fetches the Debian packages of a word in tools/packages into `kept`; unpacks to `root`."""
    lines = [line.split() for line in PACKAGES.read_text().splitlines()]
    wanted = [words[1] for words in lines if words and words[0] == word]
    kept.mkdir(exist_ok=True)
    missing = [name for name in wanted if not list(kept.glob(f"{name}_*.deb"))]
    if missing:
        output("apt-get", "download", "-qq", *missing, cwd=kept)
    for name in wanted:
        output("dpkg", "-x", sorted(kept.glob(f"{name}_*.deb"))[-1], root)


class Place:
    """Where a run works: its folder on disk, the build folder, the certificate that all share."""

    def __init__(self, folder, build):
        self.folder, self.build = folder, build
        self.packages = build / "bench-packages"  # fetched once
        self.certificate, self.key = folder / "tls" / "certificate.pem", folder / "tls" / "key.pem"

    def make_certificate(self):
        if self.certificate.exists():
            return
        self.certificate.parent.mkdir(mode=0o755)
        output("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
               "-nodes", "-days", "30", "-subj", "/CN=localhost",
               "-addext", "subjectAltName=DNS:localhost",
               "-keyout", self.key, "-out", self.certificate)
        os.chmod(self.key, 0o644)  # private to the run's folder; every server's user reads it


class Peer:
    """One server. A subclass gives name, title, LISTENERS, configure(), command() and version()."""

    name = title = ""
    cheap_passwords = False  # of Postrider: {PLAIN} instead of Argon2id
    LISTENERS = ()

    def __init__(self, place):
        self.place, self.folder = place, place.folder / self.name
        self.ports, self.accounts, self.up = {}, set(), False
        self.group = Group(self.name)

    # --- what a server of its own kind has to say ---

    def install(self):
        """Makes sure that its programs are there; Broken when they cannot be had."""

    def version(self):
        raise NotImplementedError

    def configure(self):
        """Writes its configuration into self.folder, for self.ports."""

    def command(self):
        """The words that start it in the foreground."""
        raise NotImplementedError

    def environment(self):
        return None

    def add_accounts(self, addresses):
        """Makes accounts with PASSWORD; the server may be running."""
        raise NotImplementedError

    # --- life ---

    def groups(self):
        """The process groups whose CPU time and memory are this server's."""
        return [self.group]

    def all_ports(self):
        """Those of a server behind this one, too."""
        return self.ports

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self):
        self.install()
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o755)
        self.ports = dict(zip(self.LISTENERS, free_ports(len(self.LISTENERS))))
        self.configure()
        self.launch()

    def launch(self):
        with open(self.folder / "log", "ab") as log:
            self.group.spawn(self.command(), stdout=log, stderr=log, env=self.environment(),
                             cwd=self.folder)
        for port in self.ports.values():
            self.wait_for(port)
        self.up = True

    def restart(self):
        """Without the processes that earlier work left; mail and accounts stay."""
        self.group.end()
        self.launch()

    def wait_for(self, port, seconds=30):
        """Until it greets: a master may listen before its children can serve."""
        until = time.monotonic() + seconds
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                    if port in self.tls_ports() or sock.recv(1):
                        return
            except OSError:
                pass
            if time.monotonic() > until or self.group.started[-1].poll() is not None:
                raise Broken(f"port {port} does not answer: {self.log().strip()[-300:]}")
            time.sleep(0.05)

    def tls_ports(self):
        return [port for name, port in self.ports.items() if name in ("imaps", "pop3s")]

    def need_accounts(self, addresses):
        missing = [a for a in addresses if a not in self.accounts]
        if missing:
            self.add_accounts(missing)
            self.accounts.update(missing)

    def pause(self):
        for group in self.groups():
            group.pause()

    def resume(self):
        for group in self.groups():
            group.resume()

    def stop(self):
        self.up = False
        self.group.remove()

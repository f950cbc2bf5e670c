"""Postrider itself: as shipped, with the run's certificate."""
import subprocess
from concurrent.futures import ThreadPoolExecutor

from peers.peer import DOMAIN, PASSWORD, Broken, Peer, output


class Postrider(Peer):
    name, title = "postrider", "Postrider"
    LISTENERS = ("smtp", "lmtp", "imap", "imaps", "pop3", "pop3s")

    def program(self, *words):
        return [self.place.build / "postrider", "--config", self.folder / "postrider.conf",
                "--data", self.folder / "data", *words]

    def version(self):
        return output(self.place.build / "postrider", "--version").strip()

    def configure(self):
        (self.folder / "postrider.conf").write_text(f"""[server]
hostname = localhost
[tls]
certificate = {self.place.certificate}
key = {self.place.key}
""")

    def command(self):
        listen = [word for name, port in self.ports.items()
                  for word in ("--listen", f"{name}=127.0.0.1:{port}")]
        return self.program("serve", *listen)

    def launch(self):
        super().launch()
        output(*self.program("domain", "add", DOMAIN))

    def add_accounts(self, addresses):
        """Some commands at a time: they share syncs."""
        parts = [addresses[first:first + 250] for first in range(0, len(addresses), 250)]
        with ThreadPoolExecutor(16) as pool:
            for _ in pool.map(self.add_some, parts):
                pass

    def add_some(self, addresses):
        stored = ["--password-hash", "{PLAIN}" + PASSWORD] if self.cheap_passwords else []
        words = [str(w) for w in self.program("account", "add", *stored, *addresses)]
        done = subprocess.run(words, input=PASSWORD + "\n", text=True, capture_output=True)
        if done.returncode != 0:
            raise Broken(done.stderr.strip()[-300:])

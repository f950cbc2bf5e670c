"""Cyrus IMAP. Debian does not let it be installed beside Dovecot: its packages are fetched and
unpacked into the run's folder, and it runs from there."""
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from peers.peer import PASSWORD, Broken, Peer, output, unpack

USER = "nobody"
USES = 1_000_000  # sessions that a process serves, one after the other
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # a tmpfs


class Cyrus(Peer):
    name, title = "cyrus", "Cyrus"
    LISTENERS = ("lmtp", "imap", "imaps", "pop3", "pop3s")

    def __init__(self, place):
        super().__init__(place)
        self.fast = None
        self.root = place.folder / "cyrus-programs"
        self.programs = self.root / "usr/lib/cyrus/bin"

    def install(self):
        if os.getuid() != 0:
            raise Broken("Cyrus wants to be started as root")
        if self.root.exists():
            return
        unpack("cyrus", self.place.packages, self.root)
        for program in ("imapd", "lmtpd", "pop3d", "master"):
            libraries = self.run("ldd", self.programs / program).splitlines()
            lost = [line.split()[0] for line in libraries if "not found" in line]
            if lost:
                raise Broken(f"{program} wants libraries that are not there: {' '.join(lost)}")

    def run(self, *words):
        return output(*words, env=self.environment())

    def environment(self):
        folders = [self.root / "usr/lib/x86_64-linux-gnu", self.root / "lib/x86_64-linux-gnu"]
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "LD_LIBRARY_PATH": ":".join(map(str, folders))}

    def version(self):
        text = self.run(self.programs / "cyr_info", "-C", self.folder / "imapd.conf", "version")
        return "Cyrus IMAP " + next((w for w in text.split() if w[:1].isdigit()), "?").split("-")[0]

    def configure(self):
        who = pwd.getpwnam(USER)
        # An imapd in IDLE hears from idled on a socket of its own in config/socket; without the
        # folder it looks once a minute.
        folders = [self.folder / name for name in ("config", "config/socket", "spool", "run")]
        for folder in folders:
            folder.mkdir()
        # Debian has the files of running sessions and the locks under /run: in memory.
        self.fast = Path(tempfile.mkdtemp(prefix="postrider-bench-cyrus-", dir=MEMORY))
        for folder in (self.folder, self.fast, *folders):
            os.chown(folder, who.pw_uid, who.pw_gid)
        (self.folder / "imapd.conf").write_text(f"""configdirectory: {self.folder}/config
proc_path: {self.fast}/proc
mboxname_lockpath: {self.fast}/lock
defaultpartition: default
partition-default: {self.folder}/spool
cyrus_user: {USER}
servername: localhost
virtdomains: userid
hashimapspool: yes
autocreate_quota: 0
autocreate_post: yes
allowplaintext: yes
duplicatesuppression: no
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {self.folder}/sasldb
sasl_mech_list: PLAIN LOGIN
tls_server_cert: {self.place.certificate}
tls_server_key: {self.place.key}
tls_session_timeout: 0
lmtpsocket: {self.folder}/run/lmtp
idlesocket: {self.folder}/run/idle
notifysocket: {self.folder}/run/notify
""")
        services = {"lmtp": "lmtpd -a", "imap": "imapd", "imaps": "imapd -s",
                    "pop3": "pop3d", "pop3s": "pop3d -s"}
        lines = [f'\t{name} cmd="{self.programs}/{words} -U {USES} -C {self.folder}/imapd.conf" '
                 f'listen="127.0.0.1:{self.ports[name]}" prefork={os.cpu_count()} maxchild=-1'
                 for name, words in services.items()]
        recover = f'\trecover cmd="{self.programs}/ctl_cyrusdb -r -C {self.folder}/imapd.conf"'
        idled = f'\tidled cmd="{self.programs}/idled -C {self.folder}/imapd.conf"'
        (self.folder / "cyrus.conf").write_text("\n".join(
            ["START {", recover, idled, "}", "SERVICES {", *lines, "}", "EVENTS {", "}", ""]))

    def command(self):
        return [self.programs / "master", "-C", self.folder / "imapd.conf",
                "-M", self.folder / "cyrus.conf", "-p", self.folder / "run/pid"]

    def stop(self):
        super().stop()
        if self.fast:
            shutil.rmtree(self.fast, ignore_errors=True)

    def add_accounts(self, addresses):
        for address in addresses:
            name, _, domain = address.partition("@")
            words = [self.root / "usr/sbin/saslpasswd2", "-f", self.folder / "sasldb", "-c", "-p",
                     "-u", domain, name]
            done = subprocess.run([str(w) for w in words], input=PASSWORD, text=True,
                                  capture_output=True, env=self.environment())
            if done.returncode != 0:
                raise Broken(f"saslpasswd2: {done.stderr.strip()[-200:]}")
        os.chown(self.folder / "sasldb", pwd.getpwnam(USER).pw_uid, 0)

"""Cyrus IMAP. Debian does not let it be installed beside Dovecot: its packages are fetched and
unpacked into the run's folder, and it runs from there."""
import os
import pwd
import subprocess

from peers.peer import PASSWORD, Broken, Peer, output, unpack

USER = "nobody"


class Cyrus(Peer):
    name, title = "cyrus", "Cyrus"
    LISTENERS = ("lmtp", "imap", "imaps", "pop3", "pop3s")

    def __init__(self, place):
        super().__init__(place)
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
        folders = ("config", "config/socket", "spool", "run")
        for name in folders:
            (self.folder / name).mkdir()
        for name in (".", *folders):
            os.chown(self.folder / name, who.pw_uid, who.pw_gid)
        (self.folder / "imapd.conf").write_text(f"""configdirectory: {self.folder}/config
proc_path: {self.folder}/run/proc
mboxname_lockpath: {self.folder}/run/lock
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
lmtpsocket: {self.folder}/run/lmtp
idlesocket: {self.folder}/run/idle
notifysocket: {self.folder}/run/notify
""")
        services = {"lmtp": "lmtpd -a", "imap": "imapd -U 30", "imaps": "imapd -s -U 30",
                    "pop3": "pop3d -U 30", "pop3s": "pop3d -s -U 30"}
        lines = [f'\t{name} cmd="{self.programs}/{words} -C {self.folder}/imapd.conf" '
                 f'listen="127.0.0.1:{self.ports[name]}" prefork={os.cpu_count()} maxchild=-1'
                 for name, words in services.items()]
        recover = f'\trecover cmd="{self.programs}/ctl_cyrusdb -r -C {self.folder}/imapd.conf"'
        idled = f'\tidled cmd="{self.programs}/idled -C {self.folder}/imapd.conf"'
        (self.folder / "cyrus.conf").write_text("\n".join(
            ["START {", recover, idled, "}", "SERVICES {", *lines, "}", "EVENTS {", "}", ""]))

    def command(self):
        return [self.programs / "master", "-C", self.folder / "imapd.conf",
                "-M", self.folder / "cyrus.conf", "-p", self.folder / "run/pid"]

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

"""Dovecot with sdbox: processes are reused, limits that a benchmark from one address meets raised;
the rest is as shipped.

Its IMAP and POP3 programs are unpacked into the run's folder where another IMAP server is
installed.
"""
import os
import pwd
import shutil
import time
import zlib
from pathlib import Path

from peers.peer import PASSWORD, Broken, Peer, output, unpack

INSTALLED = Path("/usr/lib/dovecot")
SESSIONS = 12_000  # the most that are open at one time
READ_AGAIN_SECONDS = 1.1  # it looks for a changed passwd-file once a second; a miss is remembered


class Dovecot(Peer):
    name, title = "dovecot", "Dovecot"
    LISTENERS = ("lmtp", "imap", "imaps", "pop3", "pop3s")

    def install(self):
        if not shutil.which("dovecot", path="/usr/sbin:/usr/bin"):
            raise Broken("Dovecot is not installed")
        if os.getuid() != 0:
            raise Broken("Dovecot wants to be started as root")
        self.programs = INSTALLED
        if not all((INSTALLED / name).exists() for name in ("imap", "pop3")):
            root = self.place.folder / "dovecot-programs"
            unpack("dovecot", self.place.packages, root)
            self.programs = root / "usr/lib/dovecot"

    def version(self):
        return "Dovecot " + output("/usr/sbin/dovecot", "--version").split()[0]

    def configure(self):
        who = pwd.getpwnam("nobody")
        mail = self.folder / "mail"
        mail.mkdir()
        os.chown(mail, who.pw_uid, who.pw_gid)
        (self.folder / "run").mkdir()
        (self.folder / "passwd").write_text("")
        cores = os.cpu_count()
        (self.folder / "dovecot.conf").write_text(f"""protocols = imap pop3 lmtp
listen = 127.0.0.1
base_dir = {self.folder}/run
state_dir = {self.folder}/run
log_path = {self.folder}/log
mail_location = sdbox:~/sdbox
mail_uid = {who.pw_uid}
mail_gid = {who.pw_gid}
first_valid_uid = 0
first_valid_gid = 0
namespace inbox {{
  inbox = yes
}}

ssl = yes
ssl_cert = <{self.place.certificate}
ssl_key = <{self.place.key}

# Passwords in the clear and a cache: looking one up costs a hash table's get.
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 64 M
auth_cache_ttl = 1 hour
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {self.folder}/passwd
}}
userdb {{
  driver = passwd-file
  args = {self.folder}/passwd
}}

# Login processes in high-performance mode: each serves many connections, one for each core.
{self.login_service("imap")}{self.login_service("pop3")}service lmtp {{
  process_min_avail = {cores}
  inet_listener lmtp {{
    port = {self.ports["lmtp"]}
  }}
  unix_listener lmtp {{
    mode = 0666
  }}
}}
{self.mail_service("imap")}{self.mail_service("pop3")}
{self.helpers()}
# All clients come from one address and may be many.
mail_max_userip_connections = {SESSIONS}
default_process_limit = {SESSIONS}
default_client_limit = {3 * SESSIONS}
default_vsz_limit = 4 G
""")

    def login_service(self, name):
        listeners = "".join(f"""  inet_listener {listener} {{
    port = {self.ports[listener]}
  }}
""" for listener in (name, name + "s"))
        return f"""service {name}-login {{
  executable = {self.programs}/{name}-login
  service_count = 0
  process_min_avail = {os.cpu_count()}
  client_limit = {SESSIONS}
  vsz_limit = 2 G
{listeners}}}
"""

    def mail_service(self, name):
        """One session at a time in a process, which takes the next one when that is over."""
        return f"""service {name} {{
  executable = {self.programs}/{name}
  client_limit = 1
  service_count = 0
  process_min_avail = {os.cpu_count()}
}}
"""

    def helpers(self):
        """Services that Dovecot starts by name, though nothing here uses them."""
        names = ("imap-urlauth", "imap-urlauth-login", "imap-urlauth-worker", "imap-hibernate")
        return "".join(f"service {name} {{\n  executable = {self.programs}/{name}\n}}\n"
                       for name in names)

    def command(self):
        return ["/usr/sbin/dovecot", "-F", "-c", self.folder / "dovecot.conf"]

    def add_accounts(self, addresses):
        with open(self.folder / "passwd", "a") as passwd:
            for address in addresses:
                home = self.folder / "mail" / f"{zlib.crc32(address.encode()) % 256:02x}" / address
                passwd.write(f"{address}:{PASSWORD}::::{home}\n")
        time.sleep(READ_AGAIN_SECONDS)

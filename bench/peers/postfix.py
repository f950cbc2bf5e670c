"""Postfix in front of Dovecot: SMTP in, LMTP over a unix socket to Dovecot; their figures are one
sum."""
import os
import pwd
import subprocess

from peers.peer import DOMAIN, Broken, Peer, output

SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
local     unix - n n - - local
virtual   unix - n n - - virtual
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix(Peer):
    name, title = "postfix", "Postfix and Dovecot"
    LISTENERS = ("smtp",)

    def behind(self, dovecot):
        self.dovecot = dovecot
        return self

    def groups(self):
        return [self.group, self.dovecot.group]

    def all_ports(self):
        return {**self.dovecot.ports, **self.ports}

    def install(self):
        if not os.path.exists("/usr/lib/postfix/sbin/master"):
            raise Broken("Postfix is not installed")
        if os.getuid() != 0:
            raise Broken("Postfix wants to be started as root")
        if not self.dovecot.up:
            raise Broken("Dovecot, which it delivers to, does not run")

    def version(self):
        return "Postfix " + output("/usr/sbin/postconf", "-d", "-h", "mail_version").strip()

    def configure(self):
        config, queue, data = (self.folder / name for name in ("config", "queue", "data"))
        for folder in (config, queue, data):
            folder.mkdir()
        who = pwd.getpwnam("postfix")
        os.chown(data, who.pw_uid, who.pw_gid)
        (config / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = {self.folder}/mail.log
maillog_file_prefixes = {self.folder}
myhostname = localhost.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_maps = static:known
virtual_transport = lmtp:unix:{self.dovecot.folder}/run/lmtp
smtpd_tls_cert_file = {self.place.certificate}
smtpd_tls_key_file = {self.place.key}
smtpd_tls_security_level = may
""")
        (config / "master.cf").write_text(SERVICES.format(port=self.ports["smtp"]))
        subprocess.run(["/usr/sbin/postfix", "-c", str(config), "check"], capture_output=True,
                       check=False)

    def command(self):
        return ["/usr/lib/postfix/sbin/master", "-d", "-c", self.folder / "config"]

    def environment(self):
        return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_CONFIG": str(self.folder / "config")}

    def log(self):
        path = self.folder / "mail.log"
        return super().log() + (path.read_text(errors="replace") if path.exists() else "")

    def add_accounts(self, addresses):
        self.dovecot.need_accounts(addresses)

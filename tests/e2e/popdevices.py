"""Programs that read mail by POP3 (and one by IMAP), each as a device: one turn fetches what the
device has not got yet and, unless it keeps, removes all that is there. The device tells the names
of all that it ever got, and how often it has logged in."""
import re

from harness import PASSWORD
from test_clients import ANN, BEN, letter, run, terminal


def login_of(device, address=ANN):
    return address.replace("@", f"+{device}@") if device else address


def send(server, *names, to=ANN):
    with server.lmtp() as lmtp:
        for name in names:
            lmtp.sendmail(BEN, [to], letter(name))


def quiet(server, address=ANN):
    """No alarm's letter comes between."""
    server.run("account", "pop3", address, "--alarm", "off")


def names_in(raw):
    return re.findall(rb"^Subject: (\S+)", raw, re.M)


class Device:
    protocol = "pop3"

    def __init__(self, server, name, keep, address=ANN, secret=None):
        """With an app password, `secret`, the login is the bare address."""
        self.server, self.name, self.address, self.keep, self.got = server, name, address, keep, []
        self.login = address if secret else login_of(name, address)
        self.password = secret or PASSWORD
        self.folder = server.folder / f"device-{address}-{name}"
        (self.folder / "new").mkdir(parents=True)
        self.known = set()
        self.sessions = 0

    def port(self):
        return self.server.ports[self.protocol]

    def write(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def deliver(self):
        """A program that takes a message as a file."""
        return self.write("deliver",
                          f'#!/bin/sh\nexec cat >"$(mktemp {self.folder}/new/XXXXXXXX)"\n', 0o755)

    def collect(self):
        for path in (self.folder / "new").iterdir():
            self.got += names_in(path.read_bytes())
            path.unlink()


class Poplib(Device):
    fetched_bytes = 0

    def turn(self):
        pop3 = self.server.pop3(self.login, self.password)
        self.sessions += 1
        for line in pop3.uidl()[1]:
            number, uidl = line.split()
            if uidl not in self.known:
                lines = pop3.retr(int(number))[1]
                self.got += names_in(b"\n".join(lines))
                self.fetched_bytes += sum(len(line) + 2 for line in lines)
                self.known.add(uidl)
            if not self.keep:
                pop3.dele(int(number))
        pop3.quit()

    def break_off(self):
        """Marks all as deleted, and is gone."""
        pop3 = self.server.pop3(self.login, self.password)
        self.sessions += 1
        for i in range(pop3.stat()[0]):
            pop3.dele(i + 1)
        pop3.close()


# getmail 6.18 hangs when the child that delivers ends before it has begun to wait for it.
GETMAIL = """
import os, runpy
from getmailcore.baseclasses import ForkingBase
ForkingBase._prepare_child = lambda self: None
ForkingBase._wait_for_child = lambda self, pid: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
runpy.run_path("/usr/bin/getmail", run_name="__main__")
"""


class Getmail(Device):
    retriever = "SimplePOP3Retriever"

    def turn(self):
        self.write("getmailrc", f"""[retriever]
type = {self.retriever}
server = 127.0.0.1
port = {self.port()}
username = {self.login}
password = {self.password}
{'mailboxes = ("INBOX",)' if self.protocol == "imap" else ""}

[destination]
type = MDA_external
path = {self.deliver()}
allow_root_commands = true

[options]
delete = {not self.keep}
read_all = false
""")
        run("/usr/bin/python3", "-c", GETMAIL, f"--getmaildir={self.folder}", cwd=self.folder)
        self.sessions += 1
        self.collect()


class GetmailImap(Getmail):
    """It sees the Inbox as it is for all, not a device's view of it."""
    retriever = "SimpleIMAPRetriever"
    protocol = "imap"


class Fetchmail(Device):
    def turn(self):
        config = self.write("rc", f"""poll 127.0.0.1 service {self.port()} protocol POP3
user "{self.login}" password "{self.password}" sslproto '' mda "{self.deliver()}"
""")
        run("fetchmail", "-f", config, "--idfile", self.folder / "ids", "--pidfile",
            self.folder / "pid", "--uidl",
            *(["--keep"] if self.keep else ["--nokeep", "--flush"]), codes=(0, 1),
            env={"HOME": str(self.folder), "FETCHMAILHOME": str(self.folder)})
        self.sessions += 1
        self.collect()


class Mpop(Device):
    def turn(self):
        config = self.write("rc",
                            f"account default\nhost 127.0.0.1\nport {self.port()}\nauth plain\n"
                            f"user {self.login}\n"
                                  f"password {self.password}\ntls off\n"
                                  f"uidls_file {self.folder}/uidls\n"
                                  f"delivery mda {self.deliver()}\n")
        run("mpop", "-C", config, f"--keep={'on' if self.keep else 'off'}")
        self.sessions += 1
        self.collect()


class Curl(Device):
    """Reads what is new by UIDL, and removes by the numbers; each run is one session."""

    def ask(self, *requests):
        words = []
        for path, *options in requests:
            words += ["-u", f"{self.login}:{self.password}", *options,
                      f"pop3://127.0.0.1:{self.port()}/{path}", "--next"]
        self.sessions += 1
        return run("curl", "-s", *words[:-1])

    def turn(self):
        there = [line.decode().split()
                 for line in self.ask(("", "-X", "UIDL")).splitlines() if line]
        new = [pair for pair in there if pair[1] not in self.known]
        if new:
            self.got += names_in(self.ask(*[(number,) for number, _ in new]))
            self.known.update(uidl for _, uidl in new)
        if there and not self.keep:
            self.ask(*[(number, "-X", "DELE", "-I") for number, _ in there])


class Mutt(Device):
    """Copies what is new to a mailbox of its own, then removes all. Its cache knows them by
    UIDL."""

    def press(self, keys):
        config = self.write("muttrc",
                            f"""set pop_user="{self.login}" pop_pass="{self.password}"
set pop_authenticators="user" ssl_starttls=no ssl_force_tls=no
set message_cachedir="{self.folder}/cache" folder="{self.folder}" wait_key=no
set delete=yes confirmappend=no confirmcreate=no copy=no quit=yes timeout=1 sleep_time=0 move=no
set pop_checkinterval=1000
push "{keys}<quit>"
""")
        # In an empty mailbox it forgets the keys that it was given.
        terminal("mutt", "-n", "-F", config, "-f", f"pop://127.0.0.1:{self.port()}/",
                 home=self.folder, idle_keys=b"q")
        self.sessions += 1

    def turn(self):
        mbox = self.folder / "mbox"
        self.press("<tag-pattern>~U<enter><tag-prefix-cond>"
                   f"<copy-message><kill-line>{mbox}<enter><end-cond>")
        if mbox.exists():
            self.got += names_in(mbox.read_bytes())
            mbox.unlink()
        if not self.keep:
            self.press("<delete-pattern>~A<enter>")

"""Moving in from Dovecot: UIDLs stay, so that POP3 programs that leave mail on the server download
nothing a second time. Each answer is compared with what Dovecot itself shows."""
import re

from harness import PASSWORD, Server
from oldserver import USER, OldServer
from test_clients import run

WORD = PASSWORD.replace(" ", "")
FAILED, USAGE, PARTLY = 1, 2, 4
DEFAULT = "%08Xu%08Xv"


def letter(subject):
    return (f"From: ben@example.test\r\nTo: {USER}\r\nSubject: {subject}\r\n"
            f"Date: Tue, 03 Nov 2026 10:11:12 +0000\r\nMessage-ID: <{subject}@example.test>\r\n"
            f"X-UIDL: x-{subject}\r\n\r\ntext of {subject}\r\n").encode()


def letters(*numbers):
    return [letter(f"letter-{n}") for n in numbers]


def subject(text):
    return re.search(r"^Subject: (\S+)", text, re.M).group(1)


def by_subject(uidls):
    return {subject(text): uidl for uidl, text in uidls}


class NewServer(Server):
    """At the old server's POP3 port, so that a client's files fit."""

    def __init__(self, port=0):
        super().__init__()
        self.at = port

    def command(self, *words):
        return super().command(*(f"pop3=127.0.0.1:{self.at}" if w == "pop3=127.0.0.1:0" else w
                                 for w in words))

    def deliver(self, *some, to=USER):
        with self.lmtp() as lmtp:
            for one in some:
                lmtp.sendmail("ben@example.test", [to], one)

    def uidls(self, login=USER):
        """As those of the old server."""
        pop3 = self.pop3(login, WORD)
        listing = [line.decode().split(" ", 1)[1] for line in pop3.uidl()[1]]
        texts = [b"\n".join(pop3.retr(n + 1)[1]).decode() for n in range(len(listing))]
        pop3.quit()
        return list(zip(listing, texts))

    def take(self, *words, code=0, login=USER):
        done = self.run("import", "--account", login, *map(str, words), check=False)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done


# --- the same client, the same files, another server ---

class Clients:
    """getmail, fetchmail and mpop, each leaving mail on the server: how many letters each has."""

    def __init__(self, folder, port):
        self.folder, self.port = folder, port
        for part in ("getmail/new", "fetchmail", "mpop/md/cur", "mpop/md/new", "mpop/md/tmp"):
            (folder / part).mkdir(parents=True)

    def getmail(self):
        home = self.folder / "getmail"
        # As root getmail delivers by a command only.
        deliver = home / "deliver"
        deliver.write_text(f'#!/bin/sh\nexec cat >"$(mktemp {home}/new/XXXXXXXX)"\n')
        deliver.chmod(0o755)
        (home / "rc").write_text(f"""[retriever]
type = SimplePOP3Retriever
server = 127.0.0.1
port = {self.port}
username = {USER}
password = {WORD}
[destination]
type = MDA_external
path = {deliver}
allow_root_commands = true
[options]
delete = false
read_all = false
""")
        run("getmail", "--getmaildir", home, "--rcfile", "rc")
        return len(list((home / "new").iterdir()))

    def fetchmail(self):
        home = self.folder / "fetchmail"
        config = home / "rc"
        config.write_text(f"""poll 127.0.0.1 service {self.port} protocol POP3
user "{USER}" password "{WORD}" sslproto '' mda "cat >> {home}/mbox"
""")
        config.chmod(0o600)
        run("fetchmail", "-f", config, "--idfile", home / "ids", "--pidfile", home / "pid",
            "--uidl", "--keep", codes=(0, 1),
            env={"HOME": str(home), "FETCHMAILHOME": str(home)})
        return (home / "mbox").read_bytes().count(b"\nSubject:") if (home / "mbox").exists() else 0

    def mpop(self):
        home = self.folder / "mpop"
        config = home / "rc"
        config.write_text(f"account default\nhost 127.0.0.1\nport {self.port}\nauth user\n"
                          f"user {USER}\npassword {WORD}\ntls off\nuidls_file {home}/uidls\n"
                          f"delivery maildir {home}/md\n")
        config.chmod(0o600)
        run("mpop", "-C", config, "--keep=on")
        return len(list((home / "md" / "new").iterdir()))

    def all(self):
        return [self.getmail(), self.fetchmail(), self.mpop()]


def move(settings, options, change=None):
    """All clients download from Dovecot; two do so once more; then they go on with Postrider."""
    with OldServer("maildir", *settings) as old:
        clients = Clients(old.folder / "clients", old.port)
        old.deliver(*letters(0, 1, 2, 3))
        with old.serving():
            assert clients.all() == [4, 4, 4]
            old.deliver(*letters(4, 5))
            assert [clients.getmail(), clients.mpop()] == [6, 6]
        if change is not None:
            old.configure(*change)
            old.deliver(*letters(6))
        want = old.uidls()
        with NewServer(old.port) as server:
            server.account(USER, password=WORD)
            told = server.take(*options, old.mail).stdout
            fresh = len(want)
            assert told.startswith(f"{fresh} imported, 0 failed, {fresh} with the UIDL"), told
            assert [uidl for uidl, _ in server.uidls()] == [uidl for uidl, _ in want]
            assert clients.all() == [fresh, fresh, fresh]
            server.deliver(letter("new"))
            assert clients.all() == [fresh + 1, fresh + 1, fresh + 1]
            assert clients.all() == [fresh + 1, fresh + 1, fresh + 1]


def test_default_format():
    move((), ())


def test_courier_format():
    move(("pop3_uidl_format = %f",), ("--uidl-format", "%f"))


def test_saved_uidls():
    """P fields of dovecot-uidlist: what was told once stays, whatever the setting is now."""
    move(("pop3_uidl_format = %v.%u", "pop3_save_uidl = yes"), (), change=())


# --- formats ---

FORMATS = [DEFAULT, "%08Xv%08Xu", "%v.%u", "%f", "%Mf", "%g", "%u", "%5u-%-3v", "%2.5v-%u",
           "%-3.2v-%u", "%04.6v%u", "%Uf", "%Lf", "%Rv-%Ru", "%%x%u", "%XLUv%Xu", "%010u", "%MUf",
           "%8Mf", "UID%u-%v", "%Xf%u", "%-0.5v%u", "%3.03u%u", "%-12.9f%u"]


def test_formats():
    """Each as Dovecot understands it."""
    with OldServer() as old, NewServer() as server:
        old.deliver(*letters(*range(3)))
        accounts = [f"f{n}@example.test" for n in range(len(FORMATS))]
        server.account(*accounts, password=WORD)
        for text, login in zip(FORMATS, accounts):
            old.configure(f"pop3_uidl_format = {text}")
            want = old.listing()
            told = server.take("--uidl-format", text, old.mail, login=login)
            assert [uidl for uidl, _ in server.uidls(login)] == want, (text, told.stderr)
        for text in ("", "%", "%u%", "%x", "%{uid}", "%08", "%-", "%2000u", "u" * 300):
            done = server.take("--uidl-format", text, old.mail, code=USAGE)
            assert "is no pop3_uidl_format" in done.stderr and done.stdout == "", done


def test_x_uidl_and_subfolders():
    """pop3_reuse_xuidl; mail of other mailboxes has no UIDL, nor has what Dovecot has not seen."""
    with OldServer("maildir", "pop3_reuse_xuidl = yes") as old, NewServer() as server:
        server.account(USER, password=WORD)
        old.doveadm("mailbox", "create", "Work")
        old.deliver(*letters(0, 1))
        old.doveadm("save", "-m", "Work", input=letter("work"))
        want = by_subject(old.uidls())
        assert want == {"letter-0": "x-letter-0", "letter-1": "x-letter-1"}
        plain = letter("late").replace(b"X-UIDL", b"X-Other").replace(b"\r\n", b"\n")
        (old.mail / "new" / "1999999999.M1P1.late").write_bytes(plain)
        assert server.take("--x-uidl", old.mail).stdout == (
            "4 imported, 0 failed, 2 with the UIDL of the old server\n")
        got = by_subject(server.uidls())
        assert re.fullmatch("[0-9a-f]{32}", got.pop("late")), got
        assert got == want


def test_order():
    """POP3's order of Dovecot (O fields) stays, and the order of UIDs behind it."""
    with OldServer() as old, NewServer() as server:
        server.account(USER, password=WORD)
        old.deliver(*letters(*range(6)))
        old.uidls()
        path = old.mail / "dovecot-uidlist"
        lines = path.read_text().splitlines()
        for at, order in ((2, 40), (4, 7), (5, 9)):
            lines[at] = lines[at].replace(" ", f" O{order} ", 1)
        path.write_text("\n".join(lines) + "\n")
        old.own(path)
        want = old.uidls()
        assert [subject(text)[-1] for _, text in want] == list("341025"), want
        server.take(old.mail)
        assert [uidl for uidl, _ in server.uidls()] == [uidl for uidl, _ in want]


SAVED = ("pop3_uidl_format = %v-%u", "pop3_save_uidl = yes")


# --- other places where Dovecot keeps mail ---

def test_boxes_by_backup():
    """sdbox and mdbox by way of a Maildir that doveadm makes; a saved UIDL goes with it."""
    for kind in ("sdbox", "mdbox"):
        with OldServer(kind, *SAVED) as old, NewServer() as server:
            server.account(USER, password=WORD)
            old.deliver(*letters(0, 1, 2))
            old.uidls()
            old.configure()
            old.deliver(*letters(3, 4))
            want = by_subject(old.uidls())
            old.doveadm("-o", "namespace/inbox/separator=.", "backup", f"maildir:{old.folder}/way")
            server.take(old.folder / "way")
            assert by_subject(server.uidls()) == want, kind


def test_boxes_by_mapping():
    """The same by what doveadm tells, in two forms; mail was imported from elsewhere."""
    for kind, output, setting, options in (
            ("sdbox", "tab", (), ()),
            ("mdbox", "flow", ("pop3_uidl_format = %g",), ("--uidl-format", "%g"))):
        with OldServer(kind, *SAVED) as old, NewServer() as server:
            server.account(USER, password=WORD)
            old.deliver(*letters(0, 1, 2))
            old.uidls()
            old.configure(*setting)
            old.deliver(*letters(3, 4))
            want = by_subject(old.uidls())
            server.deliver(*letters(4, 3, 2, 1, 0))
            fields = "uid pop3.uidl guid hdr.message-id"
            path = server.folder / "map"
            path.write_text(old.doveadm("fetch", fields, "mailbox", "INBOX", output=output))
            status = old.doveadm("mailbox", "status", "uidvalidity", "INBOX")
            done = server.run("account", "uidl", USER, str(path), "--uidvalidity",
                              status.split("=")[1].strip(), *options)
            assert done.stdout == "5 UIDLs set\n", done
            assert by_subject(server.uidls()) == want, kind


def test_mbox():
    for setting, options in (("pop3_no_flag_updates = no", ("--uidl-format", DEFAULT)),
                             ("pop3_uidl_format = %m", ("--uidl-format", "%m")),
                             ("pop3_reuse_xuidl = yes", ("--x-uidl",))):
        with OldServer("mbox", setting) as old, NewServer() as server:
            server.account(USER, password=WORD)
            box = old.mail / "inbox"
            folded = letter("folded").replace(
                b"Date:", b"Received: from a\r\n by b;\r\n\t3 Nov 2026\r\n"
                b"Received: from c by d\r\nDelivered-To: ann\r\nDate:")
            begin = b"From ben@example.test Tue Nov  3 10:11:12 2026\n"
            box.write_bytes(b"".join(begin + one.replace(b"\r\n", b"\n") + b"\n"
                                     for one in (*letters(0, 1), folded)))
            old.own(box)
            want = by_subject(old.uidls())
            told = server.take(*options, box).stdout
            assert "3 with the UIDL" in told, told
            assert by_subject(server.uidls()) == want, (options, want)
            # Nobody asked for it: a mail program's mbox may have X-UIDL fields of any server.
            other = "other@example.test"
            server.account(other, password=WORD)
            assert server.take(box, login=other).stdout == "3 imported, 0 failed\n"


def test_mbox_with_forged_headers():
    """UIDVALIDITY is in the first message of an mbox; what is written in others does not count."""
    with NewServer() as server:
        server.account(USER, password=WORD)
        box = server.folder / "box"
        begin = b"From ben@example.test Tue Nov  3 10:11:12 2026\n"
        forged = b"X-IMAPbase: 7 9\nX-UID: 1\n" + letter("forged").replace(b"\r\n", b"\n")
        box.write_bytes(begin + letter("first").replace(b"\r\n", b"\n") + b"\n" + begin + forged)
        told = server.take("--uidl-format", DEFAULT, box).stdout
        assert told == "2 imported, 0 failed\n", told
        assert all(OURS.fullmatch(uidl) for uidl, _ in server.uidls())


# --- what is bad ---

def maildir(folder, names):
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for n, name in enumerate(names):
        (folder / "cur" / f"{name}:2,S").write_bytes(letter(f"letter-{n}"))


def uid(n):
    """The UIDL that the default format makes of it, with UIDVALIDITY 7."""
    return f"{n:08x}00000007"


# The list of the files a, b and c; the exit status; who has the old server's UIDL; what is told.
BAD = [
    ("3 V7 N9\n1 :a\nx :b\n3 :c\n", PARTLY, {"a": uid(1), "c": uid(3)}, ["line 3: no UID"]),
    ("3 V7 N9\n1 :a\n2 Pa b :b\n3 P :c\n", 0, {"a": uid(1), "b": "a", "c": "c"}, []),
    ("3 V7 N9\n1 P" + "u" * 71 + " :a\n2 P\xe9 :b\n", PARTLY, {}, ["more than 70", "not ASCII"]),
    ("3 V7 N9\n1 Psame :a\n2 Psame :b\n", PARTLY, {"a": "same"},
     ["UIDL same: another message has"]),
    ("3 V7 N9\n1 :a\n5 :a\n", PARTLY, {"a": uid(5)}, ["line 3: the file stood"]),
    ("3 V7 N9\n1 Ox :a\n2\n3 :../b\n4 :\n99999999999 :c\n0 :c\n", PARTLY, {},
     ["line 2: O without", "line 3: no file name", "line 4: no file name", "line 5",
      "line 6: no UID", "line 7: no UID"]),
    ("3 V7 N9\n1 :" + "n" * 1000000 + "\n2 " + "W1 " * 100000 + ":b\n", 0, {"b": uid(2)}, []),
    ("", PARTLY, {}, ["line 1: not a list"]),
    ("2 7 9\n1 a\n", PARTLY, {}, ["line 1: not a list"]),
    ("3 N9 Gx\n1 :a\n", PARTLY, {}, ["line 1: not a list"]),
    ("1 7 9\n1 a\n2 b:2,S\n", 0, {"a": uid(1), "b": uid(2)}, []),
    ("3 V7 N9 Gx Z\r\n" + "\0" * 5000 + "\n1 :a\n", PARTLY, {"a": uid(1)}, ["line 2: no UID"]),
]
OURS = re.compile("[0-9a-f]{32}")


def test_bad_lists():
    """Whatever is in the list, all mail comes, and what is wrong is told."""
    with NewServer() as server:
        for n, (text, code, uidls, told) in enumerate(BAD):
            login = f"bad{n}@example.test"
            server.account(login, password=WORD)
            folder = server.folder / f"bad{n}"
            maildir(folder, "abc")
            (folder / "dovecot-uidlist").write_text(text, encoding="latin-1", newline="")
            done = server.take(folder, code=code, login=login)
            assert done.stdout.startswith("3 imported, 0 failed"), (text[:80], done.stdout)
            lines = done.stderr.splitlines()
            assert all(any(t in line for line in lines) for t in told), (text[:80], told, lines)
            got = {"abc"[int(subject(text)[-1])]: uidl for uidl, text in server.uidls(login)}
            assert len(got) == 3
            got = {name: uidl for name, uidl in got.items() if not OURS.fullmatch(uidl)}
            assert got == uidls, (text[:80], got)


def test_a_long_list_of_bad_lines_is_told_in_part():
    with NewServer() as server:
        server.account(USER, password=WORD)
        folder = server.folder / "m"
        maildir(folder, "a")
        (folder / "dovecot-uidlist").write_text("3 V7 N9\n" + "bad\n" * 20000 + "1 :a\n")
        done = server.take(folder, code=PARTLY)
        assert len(done.stderr.splitlines()) <= 101, len(done.stderr.splitlines())
        assert [uidl for uidl, _ in server.uidls()] == [uid(1)]


def test_many():
    """The cost does not grow with the square of the number."""
    with NewServer() as server:
        server.account(USER, password=WORD)
        folder = server.folder / "m"
        names = [f"{n:06}.M1.host" for n in range(1000)]
        maildir(folder, names)
        lines = [f"{n + 1} :{name}\n" for n, name in enumerate(names)]
        (folder / "dovecot-uidlist").write_text("3 V7 N90000\n" + "".join(reversed(lines)))
        told = server.take(folder).stdout
        assert told.startswith("1000 imported, 0 failed, 1000 with"), told
        pop3 = server.pop3(USER, WORD)
        listing = [line.decode().split()[1] for line in pop3.uidl()[1]]
        pop3.quit()
        assert listing == [uid(n + 1) for n in range(1000)]
        server.stop()
        server.run("check")
        server.start()

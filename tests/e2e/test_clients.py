"""Real clients do their ordinary work: in clear (same machine), with STARTTLS, and with TLS."""
import contextlib
import email
import imaplib
import os
import pty
import select
import signal
import smtplib
import subprocess
import time

from harness import PASSWORD, Server, tls_context
from messages import text

ANN, BEN = "ann@example.test", "ben@example.test"
SECURITY = ("plain", "starttls", "tls")


def letter(subject, body="hello"):
    return text(f"From: {BEN}", f"To: {ANN}", f"Subject: {subject}",
                "Date: Tue, 03 Nov 2026 10:11:12 +0000", f"Message-ID: <{subject}@example.test>",
                "", body)


def run(*command, input=None, env=None, codes=(0,), cwd=None):
    """Runs a client; its output is in the error when it ends otherwise than hoped."""
    done = subprocess.run([str(c) for c in command], input=input, capture_output=True, timeout=120,
                          cwd=cwd,
                          env={**os.environ, **(env or {})})
    out = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    assert done.returncode in codes, f"{command[0]} ended with {done.returncode}:\n{out}"
    return done.stdout


@contextlib.contextmanager
def server_with(*letters):
    """A server with Ann and Ben; Ann has the letters."""
    with Server() as server:
        server.account(ANN, BEN)
        if letters:
            with server.lmtp() as lmtp:
                for one in letters:
                    lmtp.sendmail(BEN, [ANN], one)
        yield server


def subjects(server, mailbox="INBOX", login=ANN):
    imap = server.imap(login)
    status, found = imap.select(f'"{mailbox}"', readonly=True)
    assert status == "OK", found
    out = []
    if int(found[0]):
        for item in imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
            if isinstance(item, tuple):
                out.append(email.message_from_bytes(item[1])["subject"])
    imap.logout()
    return out


def port_of(server, protocol, security):
    names = {"imap": ("imap", "imaps"), "pop3": ("pop3", "pop3s"),
             "smtp": ("submission", "submissions")}
    return server.ports[names[protocol][security == "tls"]]


# --- sending ---

def test_curl_sends():
    with server_with() as server:
        path = server.folder / "letter"
        path.write_bytes(letter("curl"))
        for security in SECURITY:
            scheme = "smtps" if security == "tls" else "smtp"
            run("curl", "-sSk", *(["--ssl-reqd"] if security == "starttls" else []), "-u",
                f"{BEN}:{PASSWORD}",
                f"{scheme}://127.0.0.1:{port_of(server, 'smtp', security)}", "--mail-from", BEN,
                "--mail-rcpt", ANN, "-T", path)
        assert subjects(server) == ["curl"] * 3


def test_swaks_sends():
    with server_with() as server:
        for security, option in zip(SECURITY, ((), ("--tls",), ("--tls-on-connect",))):
            for mechanism in ("PLAIN", "LOGIN"):
                run("swaks", "--server", "127.0.0.1", "--port", port_of(server, "smtp", security),
                    *option,
                    "--auth", mechanism, "--auth-user", BEN, "--auth-password", PASSWORD, "--from",
                    BEN,
                    "--to", ANN, "--header", f"Subject: {security} {mechanism}")
        run("swaks", "--server", "127.0.0.1", "--port", server.ports["smtp"], "--from",
            "x@elsewhere.test",
            "--to", ANN, "--tls", "--header", "Subject: from outside")
        run("swaks", "--protocol", "LMTP", "--server", "127.0.0.1", "--port", server.ports["lmtp"],
            "--to", ANN,
            "--header", "Subject: by lmtp")
        # 24: no recipient was taken.
        run("swaks", "--server", "127.0.0.1", "--port", server.ports["smtp"], "--to",
            "who@example.test",
            codes=(24,))
        assert len(subjects(server)) == 8


def test_msmtp_sends():
    with server_with() as server:
        for security in SECURITY:
            tls = {"plain": "tls off", "starttls": "tls on\ntls_starttls on",
                   "tls": "tls on\ntls_starttls off"}[security]
            config = server.folder / "msmtprc"
            config.write_text(f"account default\nhost 127.0.0.1\n"
                              f"port {port_of(server, 'smtp', security)}\n"
                              f"from {BEN}\nauth plain\nuser {BEN}\npassword {PASSWORD}\n{tls}\n"
                              "tls_certcheck off\n")
            config.chmod(0o600)
            run("msmtp", "-C", config, ANN,
                input=letter(f"msmtp {security}").replace(b"\r\n", b"\n"))
        assert subjects(server) == [f"msmtp {s}" for s in SECURITY]


def test_smtplib_sends():
    with server_with() as server:
        for security in SECURITY:
            port = port_of(server, "smtp", security)
            if security == "tls":
                client = smtplib.SMTP_SSL("127.0.0.1", port, context=tls_context())
            else:
                client = smtplib.SMTP("127.0.0.1", port)
            if security == "starttls":
                client.starttls(context=tls_context())
            client.login(BEN, PASSWORD)
            client.sendmail(BEN, [ANN], letter(f"smtplib {security}"))
            client.quit()
        assert subjects(server) == [f"smtplib {s}" for s in SECURITY]


# --- curl reads ---

def test_curl_reads_by_imap():
    with server_with(letter("one"), letter("two")) as server:
        for security in SECURITY:
            scheme = "imaps" if security == "tls" else "imap"
            base = f"{scheme}://127.0.0.1:{port_of(server, 'imap', security)}"
            curl = ["curl", "-sSk", *(["--ssl-reqd"] if security == "starttls" else []),
                    "-u", f"{ANN}:{PASSWORD}"]
            assert b"Trash" in run(*curl, base + "/")
            assert b"Subject: two" in run(*curl, base + "/INBOX;UID=2")
            assert b"Subject: one" in run(*curl, base + "/INBOX;MAILINDEX=1;SECTION=HEADER")
            run(*curl, base + "/INBOX", "-X", r"UID STORE 1 +FLAGS \Flagged")
            assert b"* SEARCH 1" in run(*curl, base + "/INBOX?FLAGGED")
            run(*curl, base + "/INBOX", "-X", r"UID STORE 1 -FLAGS \Flagged")
        upload = server.folder / "up"
        upload.write_bytes(letter("uploaded"))
        run("curl", "-sSk", "-u", f"{ANN}:{PASSWORD}", "-T", upload,
            f"imaps://127.0.0.1:{server.ports['imaps']}/Drafts")
        assert subjects(server, "Drafts") == ["uploaded"]


def test_curl_reads_by_pop3():
    with server_with(letter("one"), letter("two")) as server:
        for security in SECURITY:
            scheme = "pop3s" if security == "tls" else "pop3"
            base = f"{scheme}://127.0.0.1:{port_of(server, 'pop3', security)}"
            curl = ["curl", "-sSk", *(["--ssl-reqd"] if security == "starttls" else []),
                    "-u", f"{ANN}:{PASSWORD}"]
            assert len(run(*curl, base + "/").split(b"\r\n")) == 3
            assert b"Subject: two" in run(*curl, base + "/2")
        run(*curl, base + "/1", "-X", "DELE", "-l")
        assert subjects(server) == ["two"]


# --- mbsync ---

def mbsync_config(server, security):
    folder = server.folder / f"mbsync-{security}"
    folder.mkdir(exist_ok=True)
    (folder / "mail").mkdir(exist_ok=True)
    mode = {"plain": "None", "starttls": "STARTTLS", "tls": "IMAPS"}[security]
    # mbsync trusts only the certificate that it is shown, and its name: that of localhost.
    config = folder / "mbsyncrc"
    config.write_text(f"""IMAPAccount a
Host localhost
Port {port_of(server, 'imap', security)}
User {ANN}
Pass "{PASSWORD}"
SSLType {mode}
CertificateFile {server.data}/tls/certificate.pem
AuthMechs {'LOGIN' if security == 'plain' else 'PLAIN'}

IMAPStore far
Account a

MaildirStore near
SubFolders Verbatim
Path {folder}/mail/
Inbox {folder}/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
""")
    return config, folder / "mail"


def mbsync(config):
    """What it did, as it tells at its end: +new *flags #expunged, far and near."""
    done = subprocess.run(["mbsync", "-c", str(config), "-a", "-V"], capture_output=True, text=True,
                          timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def maildir_files(folder):
    return sorted(f for part in ("cur", "new") for f in (folder / part).iterdir())


def test_mbsync():
    for security in SECURITY:
        with server_with(letter("one"), letter("two"), letter("three")) as server:
            config, mail = mbsync_config(server, security)
            mbsync(config)
            inbox = mail / "INBOX"
            assert len(maildir_files(inbox)) == 3 and (mail / "Trash").is_dir()
            bodies = sorted(f.read_bytes() for f in maildir_files(inbox))
            assert any(b"Subject: two" in b for b in bodies)
            before = [f.name for f in maildir_files(inbox)]
            assert_nothing_to_do(mbsync(config))
            assert [f.name for f in maildir_files(inbox)] == before
            # A flag here, a letter there, a deletion here: both sides end alike.
            one = next(f for f in maildir_files(inbox) if b"Subject: one" in f.read_bytes())
            one.rename(inbox / "cur" / (one.name.split(":")[0] + ":2,FS"))
            two = next(f for f in maildir_files(inbox) if b"Subject: two" in f.read_bytes())
            two.rename(inbox / "cur" / (two.name.split(":")[0] + ":2,T"))
            draft = letter("draft").replace(b"\r\n", b"\n")
            (mail / "Drafts" / "new" / "local.1.x").write_bytes(draft)
            with server.lmtp() as lmtp:
                lmtp.sendmail(BEN, [ANN], letter("four"))
            mbsync(config)
            assert sorted(subjects(server)) == ["four", "one", "three"]
            assert subjects(server, "Drafts") == ["draft"]
            imap = server.imap(ANN)
            imap.select("INBOX")
            assert imap.search(None, "FLAGGED", "SEEN")[1] == [b"1"]
            imap.logout()
            assert_nothing_to_do(mbsync(config))


def assert_nothing_to_do(output):
    for line in output.splitlines():
        if line.startswith(("Channels:", "C:")) or " M: " in line or "F: +" in line:
            assert "+0 *0 #0" in line.replace("  ", " "), output


# --- getmail ---

def getmail(server, kind, security, delete):
    folder = server.folder / f"getmail-{kind}-{security}"
    for part in ("", "md", "md/cur", "md/new", "md/tmp"):
        (folder / part).mkdir(exist_ok=True)
    retriever = "Simple" + kind.upper() + ("SSL" if security == "tls" else "") + "Retriever"
    # As root getmail delivers by a command only.
    deliver = folder / "deliver"
    deliver.write_text(f'#!/bin/sh\nexec cat >"$(mktemp {folder}/md/new/XXXXXXXX)"\n')
    deliver.chmod(0o755)
    (folder / "getmailrc").write_text(f"""[retriever]
type = {retriever}
server = 127.0.0.1
port = {port_of(server, kind, security)}
username = {ANN}
password = {PASSWORD}
{'mailboxes = ("INBOX",)' if kind == 'imap' else ''}

[destination]
type = MDA_external
path = {deliver}
allow_root_commands = true

[options]
delete = {delete}
read_all = false
verbose = 2
""")
    run("getmail", f"--getmaildir={folder}", cwd=folder)
    return len(maildir_files(folder / "md"))


def test_getmail():
    """Python's own SSL default would refuse a self-signed certificate; getmail does not check
    it."""
    for kind in ("imap", "pop3"):
        for security in ("plain", "tls"):
            with server_with(letter("one"), letter("two")) as server:
                assert getmail(server, kind, security, False) == 2
                # leaves a copy, takes nothing twice
                assert getmail(server, kind, security, False) == 2
                with server.lmtp() as lmtp:
                    lmtp.sendmail(BEN, [ANN], letter("three"))
                assert getmail(server, kind, security, False) == 3
                assert len(subjects(server)) == 3
                getmail(server, kind, security, True)
                assert subjects(server) == [], (kind, security)


# --- fetchmail ---

def fetchmail(server, kind, security, *options):
    """Delivers into a file by cat; 1 means that there was no new mail."""
    folder = server.folder / f"fetchmail-{kind}-{security}"
    folder.mkdir(exist_ok=True)
    config = folder / "rc"
    ssl = {"plain": "sslproto ''", "starttls": "sslproto TLS1.2+ no sslcertck",
           "tls": "ssl no sslcertck"}
    port = port_of(server, kind, security)
    config.write_text(f"""poll 127.0.0.1 service {port} protocol {kind.upper()}
user "{ANN}" password "{PASSWORD}" {ssl[security]} mda "cat >> {folder}/mbox"
""")
    config.chmod(0o600)
    run("fetchmail", "-f", config, "--idfile", folder / "ids", "--pidfile", folder / "pid",
        "--uidl", *options,
        codes=(0, 1), env={"HOME": str(folder), "FETCHMAILHOME": str(folder)})
    box = folder / "mbox"
    return box.read_bytes().count(b"Subject:") if box.exists() else 0


def test_fetchmail():
    for kind in ("imap", "pop3"):
        for security in SECURITY:
            with server_with(letter("one"), letter("two")) as server:
                assert fetchmail(server, kind, security, "--keep") == 2, (kind, security)
                assert fetchmail(server, kind, security, "--keep") == 2
                assert len(subjects(server)) == 2
                fetchmail(server, kind, security, "--nokeep", "--all")
                assert subjects(server) == [], (kind, security)


# --- mpop ---

def test_mpop():
    for security in SECURITY:
        with server_with(letter("one"), letter("two")) as server:
            folder = server.folder / "mpop"
            for part in ("", "md", "md/cur", "md/new", "md/tmp"):
                (folder / part).mkdir(exist_ok=True)
            tls = {"plain": "tls off", "starttls": "tls on\ntls_starttls on",
                   "tls": "tls on\ntls_starttls off"}[security]
            config = folder / "rc"
            config.write_text(f"account default\nhost 127.0.0.1\n"
                              f"port {port_of(server, 'pop3', security)}\n"
                              f"auth plain\nuser {ANN}\npassword {PASSWORD}\n{tls}\n"
                              f"tls_certcheck off\n"
                              f"uidls_file {folder}/uidls\ndelivery maildir {folder}/md\n")
            config.chmod(0o600)
            run("mpop", "-C", config, "--keep=on")
            run("mpop", "-C", config, "--keep=on")
            assert len(maildir_files(folder / "md")) == 2, security
            assert len(subjects(server)) == 2
            # Those that were fetched before are deleted now.
            run("mpop", "-C", config, "--keep=off")
            assert subjects(server) == [], security


# --- mutt ---

def mutt(server, security, keys, mailbox="INBOX"):
    """Opens a mailbox and presses keys."""
    scheme = "imaps" if security == "tls" else "imap"
    url = f"{scheme}://127.0.0.1:{port_of(server, 'imap', security)}/"
    config = server.folder / "muttrc"
    config.write_text(f"""set imap_user="{ANN}" imap_pass="{PASSWORD}"
set folder="{url}" spoolfile="{url}INBOX"
set ssl_starttls={'yes' if security == 'starttls' else 'no'}
set ssl_force_tls={'no' if security == 'plain' else 'yes'}
set ssl_verify_host=no ssl_verify_dates=no certificate_file="{server.data}/tls/certificate.pem"
set header_cache="{server.folder}/cache" wait_key=no delete=yes confirmappend=no copy=no quit=yes
set timeout=1 mail_check=1 move=no trash="" postponed="{url}Drafts" imap_check_subscribed=no
push "{keys}"
""")
    terminal("mutt", "-n", "-F", config, "-f", f"{url}{mailbox}", home=server.folder)


def terminal(*command, home, idle_keys=b""):
    """Runs a program in a terminal of its own until it ends. When it has shown nothing new for a
    second it gets the keys."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm", HOME=str(home))
        os.execvp(command[0], [str(c) for c in command])
    screen, deadline = b"", time.monotonic() + 60
    try:
        while time.monotonic() < deadline:
            if select.select([fd], [], [], 1)[0]:
                screen += os.read(fd, 65536)
            else:
                os.write(fd, idle_keys)
    except OSError:
        pass  # the program ended, and with it its terminal
    if time.monotonic() >= deadline:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(fd)
    assert status == 0, f"{command[0]} ended with {status}; its screen:\n{screen[-3000:]!r}"


def test_mutt():
    for security in SECURITY:
        with server_with(letter("one"), letter("two"), letter("three")) as server:
            # Flag the first, move the second to Archive, delete the third.
            mutt(server, security, "<first-entry><flag-message>"
                 "<save-message><kill-line>=Archive<enter>"
                 "<last-entry><delete-message><sync-mailbox><quit>")
            assert subjects(server) == ["one"], (security, subjects(server))
            assert subjects(server, "Archive") == ["two"]
            imap = server.imap(ANN)
            imap.select("INBOX")
            assert imap.search(None, "FLAGGED")[1] == [b"1"]
            imap.logout()
            mutt(server, security, "<quit>")


# --- Python's own clients ---

def python_imap(server, security):
    if security == "tls":
        return server.imap(ANN, tls=True)
    client = server.imap()
    if security == "starttls":
        client.starttls(tls_context())
    client.login(ANN, PASSWORD)
    return client


def test_imaplib():
    for security in SECURITY:
        with server_with(letter("one"), letter("two")) as server:
            imap = python_imap(server, security)
            assert imap.create("Work")[0] == "OK"
            assert any(b"Work" in line for line in imap.list()[1])
            assert imap.select("INBOX")[1] == [b"2"]
            assert imap.copy("1", "Work")[0] == "OK"
            assert imap.store("2", "+FLAGS", r"(\Deleted)")[0] == "OK"
            assert imap.expunge()[1] == [b"2"]
            assert imap.append("Work", r"(\Seen)", imaplib.Time2Internaldate(1e9),
                               letter("three"))[0] == "OK"
            assert imap.select("Work")[1] == [b"2"]
            assert imap.search(None, "SUBJECT", "three")[1] == [b"2"]
            assert imap.uid("SEARCH", "SEEN")[1] == [b"2"]
            assert imap.rename("Work", "Done")[0] == "OK"
            assert imap.subscribe("Done")[0] == "OK" and imap.lsub()[1]
            assert imap.status("Done", "(MESSAGES UIDNEXT UNSEEN)")[1] == [
                b"Done (MESSAGES 2 UIDNEXT 3 UNSEEN 1)"]
            assert imap.delete("Done")[0] == "OK"
            assert imap.logout()[0] == "BYE"


def test_poplib():
    for security in SECURITY:
        with server_with(letter("one"), letter("two", ".leading\r\n..dots")) as server:
            pop3 = server.pop3(tls=security == "tls")
            assert "UIDL" in pop3.capa() and "TOP" in pop3.capa()
            if security == "starttls":
                pop3.stls(tls_context())
            pop3.user(ANN)
            pop3.pass_(PASSWORD)
            assert pop3.stat()[0] == 2 and len(pop3.list()[1]) == 2
            ids = pop3.uidl()[1]
            assert [b".leading", b"..dots"] == pop3.retr(2)[1][-2:]
            assert b"Subject: one" in pop3.top(1, 0)[1] and b"hello" not in pop3.top(1, 0)[1]
            pop3.dele(1)
            pop3.rset()
            pop3.dele(2)
            pop3.quit()
            assert subjects(server) == ["one"]
            again = server.pop3(ANN)
            assert again.uidl()[1][0].split()[1] == ids[0].split()[1]
            again.quit()

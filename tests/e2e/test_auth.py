"""App passwords, and SCRAM as a client sees it: with our own client, where each byte can be wrong,
and with gsasl, msmtp, mpop, mbsync and mutt."""
import base64
import contextlib
import hashlib
import hmac
import imaplib
import os
import poplib
import shutil
import smtplib
import ssl
import subprocess
import time

import harness
from harness import PASSWORD, Server, eventually
from messages import text
from test_clients import terminal

ANN, BEN = "ann@example.test", "ben@example.test"
LETTER = text(f"From: {BEN}", f"To: {ANN}", "Subject: one", "Date: Tue, 03 Nov 2026 10:11:12 +0000",
              "", "x")
PASSWORDS = "[auth]\nscram = app-passwords\n"


@contextlib.contextmanager
def server_with(config=PASSWORDS):
    with Server(config=config) as server:
        server.account(ANN, BEN, hashed=True)
        yield server


def add(server, name, *options, address=ANN):
    secret = server.run("account", "app-password", "add", address, name, *options).stdout.strip()
    assert len(secret) == 34, secret
    return secret


def refused(what):
    """The server's answer to a login that must fail."""
    try:
        what()
    except (imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException) as e:
        return str(e)
    raise AssertionError("the login succeeded")


# --- app passwords ---

def test_app_passwords():
    with server_with() as server:
        phone, mail = add(server, "Ann's phone"), add(server, "büro", "--protocols",
                                                      "imap,submission")
        for secret in (phone, mail):
            server.imap(ANN, secret).logout()
            server.submission(ANN, secret).quit()
        server.pop3(ANN, phone).quit()
        told = refused(lambda: server.pop3(ANN, mail))
        assert "[AUTH] this app password is not for this protocol" in told
        assert "device=\"Ann's phone\"" in server.log()
        listed = server.run("account", "app-password", "list", ANN).stdout.splitlines()
        assert [line.split("\t")[:2] for line in listed] == [["Ann's phone", "all"],
                                                             ["büro", "imap,submission"]]
        assert not any("never" in line for line in listed), listed
        # The account's own password, and another account, know nothing of them.
        server.imap(ANN).logout()
        refused(lambda: server.imap(BEN, phone))
        # Taken back while the server runs; the other goes on; a start changes nothing.
        server.run("account", "app-password", "remove", ANN, "Ann's phone")
        refused(lambda: server.imap(ANN, phone))
        refused(lambda: server.pop3(ANN, phone))
        server.stop()
        server.start()
        server.imap(ANN, mail).logout()
        refused(lambda: server.imap(ANN, phone))


def test_app_password_commands():
    def check(server):
        server.account(ANN)
        add(server, "one")
        for words, told in (((ANN, "one"), "exists"), ((ANN, ""), "bad"), ((ANN, "x" * 65), "bad"),
                            ((BEN, "one"), "not found"),
                            ((ANN, "two", "--protocols", "http"), "imap, pop3"),
                            ((ANN, "two", "--protocols", ""), "protocols")):
            done = server.run("account", "app-password", "add", *words, check=False)
            assert done.returncode == 1 and told in done.stderr, (words, done.stderr)
        done = server.run("account", "app-password", "remove", ANN, "two", check=False)
        assert done.returncode == 1 and "two: not found" in done.stderr
        assert server.run("account", "app-password", "list",
                          ANN).stdout.startswith("one\tall\tmade ")
        server.run("account", "app-password", "remove", ANN, "one")
        assert server.run("account", "app-password", "list", ANN).stdout == ""
    with Server() as server:
        check(server)
    server = Server()
    try:
        server.run("domain", "add", "example.test")
        check(server)
    finally:
        shutil.rmtree(server.folder)


# --- taken back while sessions are open ---

def idling(server, *login):
    """An IMAP session in IDLE."""
    client = server.imap(*login)
    client.select()
    client.send(b"i IDLE\r\n")
    assert client.readline().startswith(b"+ ")
    client.sock.settimeout(30)
    return client


def sessions(server, *login):
    """One of each protocol in the middle of something: IMAP idling, POP3 with a message marked for
    deletion, submission with half a message sent."""
    pop3 = server.pop3(*login)
    pop3.dele(1)
    letter = server.submission(*login)
    letter.mail(login[0])
    letter.rcpt(BEN)
    assert letter.docmd("DATA")[0] == 354
    letter.send(b"Subject: half\r\n\r\nhalf\r\n")
    for client in pop3, letter:
        client.sock.settimeout(30)
    return idling(server, *login), pop3, letter


def check_ended(imap, pop3, letter, code, told):
    line = imap.readline().decode()
    assert line.startswith(f"* BYE [{code}] ") and told in line, line
    assert imap.readline() == b""
    answer = refused(pop3.quit)
    assert "-ERR [AUTH]" in answer and told in answer, answer
    code, answer = letter.getreply()
    assert code == 421 and told in answer.decode(), (code, answer)
    assert letter.file.read() == b""


def check_alive(imap, pop3, letter):
    imap.send(b"DONE\r\n")
    assert imap.readline().startswith(b"i OK")
    imap.logout()
    assert pop3.stat()[0] == 0
    pop3.rset()
    pop3.quit()
    assert letter.docmd(".")[0] == 250
    letter.quit()


def test_open_sessions_end():
    with server_with() as server:
        phone, tablet = add(server, "phone"), add(server, "tablet")
        server.smtp().sendmail(BEN, ANN, LETTER)
        logins = {"phone": (ANN, phone), "tablet": (ANN, tablet), "main": (ANN,), "ben": (BEN,)}
        server.smtp().sendmail(ANN, BEN, LETTER)
        ways = {name: sessions(server, *login) for name, login in logins.items()}
        # A lost phone.
        server.run("account", "app-password", "remove", ANN, "phone")
        check_ended(*ways["phone"], "EXPIRED", "taken back")
        assert "login-ended" in server.log()
        refused(lambda: server.imap(ANN, phone))
        # A new password, with the choice that sessions stay, and without.
        server.run("account", "password", "--keep-sessions", ANN, input="two\n")
        check_alive(*ways["main"])
        main = sessions(server, ANN, "two")
        server.run("account", "password", ANN, input="three\n")
        check_ended(*main, "EXPIRED", "changed")
        # An account that is disabled: whoever is in it, by whatever password.
        main = idling(server, ANN, "three")
        server.run("account", "disable", ANN)
        check_ended(*ways["tablet"], "CONTACTADMIN", "disabled")
        assert main.readline().startswith(b"* BYE [CONTACTADMIN]")
        server.run("account", "enable", ANN)
        # Nothing of what was half done came of it.
        pop3 = server.pop3(ANN, "three")
        assert pop3.stat()[0] == 1
        pop3.quit()
        # Removed; and nobody else was disturbed.
        main = sessions(server, ANN, tablet)
        server.run("account", "remove", ANN)
        check_ended(*main, "CONTACTADMIN", "removed")
        ben = ways["ben"]
        ben[2].docmd(".")
        ben[1].quit()
        ben[0].send(b"DONE\r\n")


def test_fewer_protocols():
    with server_with() as server:
        server.smtp().sendmail(BEN, ANN, LETTER)
        phone = add(server, "phone")
        imap, pop3, letter = sessions(server, ANN, phone)
        server.run("account", "app-password", "restrict", ANN, "phone", "--protocols", "imap")
        assert "no longer for this protocol" in refused(pop3.quit)
        assert letter.getreply()[0] == 421
        imap.send(b"DONE\r\n")
        assert imap.readline().startswith(b"i OK")
        assert "not for this protocol" in refused(lambda: server.pop3(ANN, phone))
        assert server.run("account", "app-password", "list", ANN).stdout.startswith("phone\timap\t")
        server.run("account", "app-password", "restrict", ANN, "phone", "--protocols", "all")
        server.pop3(ANN, phone).quit()
        for words, status, told in ((("phone",), 2, "use it as"),
                                    (("x", "--protocols", "imap"), 1, "not found"),
                                    (("phone", "--protocols", "http"), 1, "imap, pop3")):
            done = server.run("account", "app-password", "restrict", ANN, *words, check=False)
            assert done.returncode == status and told in done.stderr, (words, done.stderr)


# --- our own SCRAM client ---

class Scram:
    """Answers challenges; `change` may damage the last message on its way."""

    def __init__(self, name, password, user=ANN, header="n,,", data=b"", change=lambda s: s):
        self.hash = "sha1" if "SHA-1" in name else "sha256"
        self.name, self.user, self.password = name, user, password
        self.header, self.data = header, data
        self.change, self.turn = change, 0

    def mac(self, key, message):
        return hmac.new(key, message, self.hash).digest()

    def __call__(self, challenge):
        self.turn += 1
        if self.turn == 1:
            self.bare = f"n={self.user},r={base64.b64encode(os.urandom(12)).decode()}"
            return (self.header + self.bare).encode()
        if self.turn == 3:
            assert challenge == b"v=" + base64.b64encode(self.verdict), challenge
            return b""
        first = challenge.decode()
        self.fields = dict(part.split("=", 1) for part in first.split(","))
        bound = base64.b64encode(self.header.encode() + self.data).decode()
        last = f"c={bound},r={self.fields['r']}"
        message = f"{self.bare},{first},{last}".encode()
        salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(),
                                     base64.b64decode(self.fields["s"]),
                                     int(self.fields["i"]))
        client = self.mac(salted, b"Client Key")
        signature = self.mac(hashlib.new(self.hash, client).digest(), message)
        self.verdict = self.mac(self.mac(salted, b"Server Key"), message)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client, signature))).decode()
        return self.change(f"{last},p={proof}").encode()


def by_imap(server, scram, client=None):
    client = client or server.imap()
    client.authenticate(scram.name, scram)
    client.logout()


def by_pop3(server, scram):
    client = server.pop3()
    answer = client._shortcmd(f"AUTH {scram.name}")
    while answer.startswith(b"+ "):
        answer = client._shortcmd(base64.b64encode(scram(base64.b64decode(answer[2:]))).decode())
    assert answer.startswith(b"+OK"), answer
    client.quit()


def by_submission(server, scram):
    client = smtplib.SMTP("127.0.0.1", server.ports["submission"])
    client.ehlo()
    code, answer = client.docmd("AUTH", f"{scram.name} {base64.b64encode(scram(b'')).decode()}")
    while code == 334:
        code, answer = client.docmd(base64.b64encode(scram(base64.b64decode(answer))).decode())
    if code != 235:
        raise smtplib.SMTPException(f"{code} {answer}")
    client.quit()


def test_scram_in_each_protocol():
    with server_with() as server:
        secrets = [add(server, f"device {i}") for i in range(4)]
        for way in (by_imap, by_pop3, by_submission):
            for name in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
                for secret in secrets[:2]:
                    way(server, Scram(name, secret))
                way(server, Scram(name, secrets[3], user="Ann+tag@example.test"))
            refused(lambda: way(server, Scram("SCRAM-SHA-256", secrets[0][:-1] + "?")))
        server.run("account", "app-password", "remove", ANN, "device 0")
        first = Scram("SCRAM-SHA-256", secrets[0])
        assert "AUTHENTICATIONFAILED" in refused(lambda: by_imap(server, first))
        only = add(server, "only imap", "--protocols", "imap")
        by_imap(server, Scram("SCRAM-SHA-256", only))
        assert "not for this protocol" in refused(lambda: by_pop3(server,
                                                                  Scram("SCRAM-SHA-256", only)))
        server.run("account", "disable", ANN)
        assert "disabled" in refused(lambda: by_imap(server, Scram("SCRAM-SHA-256", secrets[1])))


def test_guesses_by_scram_are_slowed_down():
    """Each counts, though the server never sees what was guessed."""
    with server_with() as server:
        started = time.monotonic()
        for i in range(6):
            scram = Scram("SCRAM-SHA-1" if i % 2 else "SCRAM-SHA-256", f"guess {i}", user=BEN)
            refused(lambda: by_imap(server, scram))
        assert time.monotonic() - started > 6, "1, 2 and 4 s"


def test_names_that_do_not_exist_look_the_same():
    with server_with() as server:
        add(server, "one")
        salts = {}
        for user in (ANN, BEN, "nobody@example.test", "nobody@elsewhere.test"):
            for _ in range(2):
                scram = Scram("SCRAM-SHA-256", "wrong", user=user)
                assert "AUTHENTICATIONFAILED" in refused(lambda: by_imap(server, scram))
                assert salts.setdefault(user, scram.fields["s"]) == scram.fields["s"]
                assert scram.fields["i"] == "16384"
        assert len(set(salts.values())) == 4
        server.stop()
        server.start()
        scram = Scram("SCRAM-SHA-256", "wrong", user="nobody@example.test")
        refused(lambda: by_imap(server, scram))
        assert scram.fields["s"] == salts["nobody@example.test"]


def test_damaged_proofs():
    with server_with() as server:
        secret = add(server, "one")
        for change in (lambda s: s[:-5] + "AAAA=", lambda s: s.replace("c=biws", "c=eSws"),
                       lambda s: s + ",x=y",
                       lambda s: s.replace(",r=", ",r=x"), lambda s: "", lambda s: s[:20],
                       lambda s: "\0" * 50):
            refused(lambda: by_imap(server, Scram("SCRAM-SHA-256", secret, change=change)))
        by_imap(server, Scram("SCRAM-SHA-256", secret))


# --- the choice of passwords ---

def test_off_is_the_default():
    with Server() as server:
        server.account(ANN)
        assert not any("SCRAM" in c for c in server.imap().capabilities)
        refused(lambda: by_imap(server, Scram("SCRAM-SHA-256", add(server, "one"))))


def test_main_passwords():
    with server_with() as server:
        refused(lambda: by_imap(server, Scram("SCRAM-SHA-256", PASSWORD)))
    with server_with("[auth]\nscram = all\n") as server:
        secret = add(server, "one")
        for password in (PASSWORD, secret):
            by_imap(server, Scram("SCRAM-SHA-256", password))
            server.imap(ANN, password).logout()
        by_imap(server, Scram("SCRAM-SHA-1", secret))
        refused(lambda: by_imap(server, Scram("SCRAM-SHA-1", PASSWORD)))
        server.run("account", "password", ANN, input="grün und neu\n")
        refused(lambda: by_imap(server, Scram("SCRAM-SHA-256", PASSWORD)))
        by_imap(server, Scram("SCRAM-SHA-256", "grün und neu"))
        server.run("account", "password", "--password-hash", "{PLAIN}third", ANN)
        refused(lambda: by_imap(server, Scram("SCRAM-SHA-256", "grün und neu")))
        refused(lambda: by_imap(server, Scram("SCRAM-SHA-256", "third")))
        by_imap(server, Scram("SCRAM-SHA-256", secret))


# --- channel binding ---

def tls_client(server, version):
    context = harness.tls_context()
    context.minimum_version = context.maximum_version = version
    return imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=context)


def bound(server, client, kind, name="SCRAM-SHA-256-PLUS"):
    """The header and data of a binding to this client's channel."""
    if kind == "tls-unique":
        data = client.sock.get_channel_binding("tls-unique")
    else:
        data = hashlib.sha256(client.sock.getpeercert(binary_form=True)).digest()
    return {"name": name, "header": f"p={kind},,", "data": data}


def test_channel_binding():
    with server_with() as server:
        secret = add(server, "one")
        v12, v13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        for version, kind in ((v12, "tls-unique"), (v12, "tls-server-end-point"),
                              (v13, "tls-server-end-point")):
            for name in ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"):
                client = tls_client(server, version)
                by_imap(server, Scram(password=secret, **bound(server, client, kind, name)), client)
        # The binding of another channel: somebody stands in between.
        other, client = tls_client(server, v12), tls_client(server, v12)
        refused(lambda: by_imap(server,
                                Scram(password=secret, **bound(server, other, "tls-unique")),
                                client))
        # Kinds that this channel does not have.
        for version, kind in ((v13, "tls-unique"), (v12, "tls-exporter"), (v13, "tls-other")):
            client = tls_client(server, version)
            scram = Scram("SCRAM-SHA-256-PLUS", secret, header=f"p={kind},,", data=b"x" * 32)
            refused(lambda: by_imap(server, scram, client))
        # "I could bind, but you cannot": a lie, since PLUS is offered on TLS.
        client = tls_client(server, v13)
        refused(lambda: by_imap(server, Scram("SCRAM-SHA-256", secret, header="y,,"), client))
        by_imap(server, Scram("SCRAM-SHA-256", secret, header="y,,"))
        assert "AUTH=SCRAM-SHA-256-PLUS" in tls_client(server, v13).capabilities
        refused(lambda: by_imap(server,
                                Scram("SCRAM-SHA-256-PLUS", secret, header="p=tls-unique,,")))


class Resumed(imaplib.IMAP4_SSL):
    """Continues the TLS session of another client."""

    def __init__(self, other):
        self.other = other
        super().__init__("127.0.0.1", other.port, ssl_context=other.ssl_context)

    def _create_socket(self, timeout):
        plain = imaplib.IMAP4._create_socket(self, timeout)
        return self.ssl_context.wrap_socket(plain, server_hostname=self.host,
                                            session=self.other.sock.session)


def test_channel_binding_of_a_resumed_session():
    with server_with() as server:
        secret = add(server, "one")
        first = tls_client(server, ssl.TLSVersion.TLSv1_2)
        second = Resumed(first)
        assert second.sock.session_reused
        old, new = bound(server, first, "tls-unique"), bound(server, second, "tls-unique")
        assert old["data"] != new["data"]
        by_imap(server, Scram(password=secret, **new), second)
        third = Resumed(first)
        refused(lambda: by_imap(server, Scram(password=secret, **old), third))


# --- what is announced ---

def test_mechanisms_in_pop3():
    with server_with() as server:
        plain, tls = server.pop3(), server.pop3(tls=True)
        names = ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"]
        assert plain.capa()["SASL"] == names
        assert [x.decode() for x in plain._longcmd("AUTH")[1]] == names
        assert tls.capa()["SASL"] == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
                                      "SCRAM-SHA-1",
                                      "PLAIN", "LOGIN"]
        assert "APOP" in refused(lambda: plain._shortcmd("APOP ann@example.test 0123456789abcdef"))


# --- other people's clients ---

def gsasl(server, protocol, mechanism, password, *more):
    port = server.ports["imap" if protocol == "imap" else "submission"]
    done = subprocess.run(["gsasl", f"--connect=127.0.0.1:{port}", f"--{protocol}", "-m", mechanism,
                           "-a", ANN,
                           "-p", password, f"--x509-ca-file={server.data}/tls/certificate.pem",
                           *more],
                          input=b"", capture_output=True, timeout=60)
    return done.returncode


def test_gsasl():
    with server_with() as server:
        secret = add(server, "one")
        for protocol in ("imap", "smtp"):
            for name in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
                assert gsasl(server, protocol, name, secret, "--no-starttls") == 0, (protocol, name)
                assert gsasl(server, protocol, name, secret, "--starttls",
                             "--no-cb") == 0, (protocol, name)
                assert gsasl(server, protocol, f"{name}-PLUS", secret,
                             "--starttls") == 0, (protocol, name)
                assert gsasl(server, protocol, f"{name}-PLUS", secret, "--starttls",
                             "--priority=NORMAL:-VERS-TLS1.3") == 0, (protocol, name)
                assert gsasl(server, protocol, f"{name}-PLUS", "wrong", "--starttls") == 1
        # GnuTLS's tls-exporter, over TLS 1.3.
        assert "tls=TLSv1.3" in server.log() and "tls=TLSv1.2" in server.log()


def run(*command, input=None):
    done = subprocess.run([str(c) for c in command], input=input, capture_output=True, timeout=120)
    return done.returncode


def test_msmtp_and_mpop():
    with server_with() as server:
        secret = add(server, "one")
        for name in ("scram-sha-256", "scram-sha-1"):
            for tls, sending, fetching in (("off", "submission", "pop3"),
                                           ("on", "submissions", "pop3s")):
                # Two to be wrong: from the fourth failure of a name on answers wait.
                for user, password in ((ANN, secret), (ANN if tls == "on" else BEN, "wrong")):
                    good = password != "wrong"
                    common = f"host 127.0.0.1\nauth {name}\nuser {user}\ntls {tls}\n" + (
                        "tls_starttls off\ntls_certcheck off\n" if tls == "on" else "")
                    config = server.folder / "rc"
                    config.write_text(f"account default\nport {server.ports[sending]}\nfrom {ANN}\n"
                                      f"{common}"
                                      f"password {password}\n")
                    config.chmod(0o600)
                    status = run("msmtp", "-C", config, ANN, input=LETTER.replace(b"\r\n", b"\n"))
                    assert (status == 0) == good, (name, tls, good)
                    config.write_text(f"account default\nport {server.ports[fetching]}\n{common}"
                                      f"password {password}\nuidls_file {server.folder}/uidls\n"
                                      f"delivery mbox {server.folder}/mbox\n")
                    status = run("mpop", "-C", config)
                    assert (status == 0) == good, (name, tls, good)
        assert (server.folder / "mbox").read_bytes().count(b"\nSubject: one") == 4


def test_programs_that_choose_for_themselves():
    """mutt and mbsync take the best mechanism of Cyrus SASL: with an app password that is SCRAM."""
    with server_with() as server:
        secret = add(server, "one")
        with server.lmtp() as lmtp:
            lmtp.sendmail(BEN, [ANN], LETTER)
        url = f"imap://127.0.0.1:{server.ports['imap']}/"
        config = server.folder / "muttrc"
        config.write_text(f'set imap_user="{ANN}" imap_pass="{secret}"\n'
                          f'set folder="{url}" spoolfile="{url}INBOX"\n'
                          'set ssl_starttls=no ssl_force_tls=no delete=yes quit=yes move=no\n'
                          'push "<flag-message><sync-mailbox><quit>"\n')
        terminal("mutt", "-n", "-F", config, "-f", f"{url}INBOX", home=server.folder)
        imap = server.imap(ANN, secret)
        imap.select("INBOX")
        assert imap.search(None, "FLAGGED")[1] == [b"1"]
        imap.logout()
        (server.folder / "mail").mkdir()
        config.write_text(f'IMAPAccount a\nHost localhost\nPort {server.ports["imap"]}\n'
                          f'User {ANN}\nPass "{secret}"\nSSLType None\n'
                          'AuthMechs SCRAM-SHA-256\n\nIMAPStore far\nAccount a\n\n'
                          f"MaildirStore near\nPath {server.folder}/mail/\n"
                          f"Inbox {server.folder}/mail/INBOX\n\n"
                          "Channel all\nFar :far:\nNear :near:\nCreate Near\nSync Pull\n"
                          "SyncState *\n")
        assert run("mbsync", "-c", config, "-a") == 0
        eventually(lambda: server.log().count("device=one") >= 3)

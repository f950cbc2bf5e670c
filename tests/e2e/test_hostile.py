"""What attackers send, and what odd clients send: each gets its answer, and nobody else suffers."""
import base64
import socket
import struct
import threading

from harness import PASSWORD, Server, Wire, eventually
from imapwire import Imap
from messages import text

LETTER = text("From: x@y.test", "Subject: hello", "", "hello")
ANN = "ann@example.test"
MB = 1 << 20


def ehlo(server, name="smtp"):
    wire = server.connect(name)
    wire.until(b"220 ")
    wire.send("EHLO client.test\r\n")
    wire.until(b"250 ")
    return wire


def ask(wire, line):
    """Sends one SMTP line; the last line of the reply."""
    wire.send(line + "\r\n")
    while True:
        answer = wire.line()
        if answer[3:4] != b"-":
            return answer


def still_serves(server):
    """Another client is served as if nothing had happened."""
    imap = Imap(server, ANN)
    imap.select("INBOX")
    imap.close()


# --- SMTP ---

def test_smtp_refusals():
    config = "[limits]\nmessage_size = 100k\nrecipients = 5\nreceived = 10\n"
    with Server(config=config) as server:
        server.account(ANN)
        wire = ehlo(server)
        assert ask(wire, "RCPT TO:<ann@example.test>").startswith(b"503")
        assert ask(wire, "MAIL FROM:<x@y.test> SIZE=200000").startswith(b"552 5.3.4")
        assert ask(wire, "MAIL FROM:<x@y.test> NONSENSE=1").startswith(b"555 5.5.4")
        assert ask(wire, "MAIL FROM:<x@y.test>").startswith(b"250")
        assert ask(wire, "RCPT TO:<nobody@example.test>").startswith(b"550 5.1.1")
        assert ask(wire, "RCPT TO:<a@elsewhere.test>").startswith(b"550 5.7.1")
        for i in range(5):
            assert ask(wire, f"RCPT TO:<ann+{i}@example.test>").startswith(b"250")
        assert ask(wire, "RCPT TO:<ann+6@example.test>").startswith(b"452 4.5.3")
        assert ask(wire, "VRFY ann").startswith((b"252", b"502", b"550"))
        assert ask(wire, "DATA").startswith(b"354")
        wire.send(text("Subject: loop",
                       *["Received: from a by b; Tue, 03 Nov 2026 10:11:12 +0000"] * 11, "", "x"))
        assert ask(wire, ".").startswith(b"554 5.4.6")
        assert ask(wire, "MAIL FROM:<>").startswith(b"250")
        assert ask(wire, "RCPT TO:<ann@example.test>").startswith(b"250")
        assert ask(wire, "DATA").startswith(b"354")
        wire.send(b"Subject: big\r\n\r\n" + b"x" * 200000 + b"\r\n")
        assert ask(wire, ".").startswith(b"552 5.3.4")
        assert ask(wire, "NOOP").startswith(b"250")


def test_quota():
    with Server(config="[store]\nquota = 10k\n") as server:
        server.account(ANN)
        wire = ehlo(server)
        ask(wire, "MAIL FROM:<x@y.test> SIZE=20000")
        assert ask(wire, "RCPT TO:<ann@example.test>").startswith(b"552 5.2.2")
        ask(wire, "RSET")
        with server.smtp() as smtp:
            smtp.sendmail("x@y.test", [ANN], LETTER + b"x" * 8000)
        ask(wire, "MAIL FROM:<x@y.test> SIZE=5000")
        assert ask(wire, "RCPT TO:<ann@example.test>").startswith(b"452 4.2.2")
        wire.close()  # a server that stops gives an open transaction ten seconds
        imap = Imap(server, ANN)
        assert b"OVERQUOTA" in imap.append("INBOX", LETTER + b"y" * 8000)
        imap.select("INBOX")
        imap.command(r"STORE 1 +FLAGS (\Deleted)")
        imap.command("EXPUNGE")
        assert imap.append("INBOX", LETTER).startswith(b"OK")


SMUGGLED = (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n\n.\r\n")


def test_smtp_smuggling():
    """The end of the data is CRLF.CRLF and nothing else; a bare CR or LF is refused."""
    for end in SMUGGLED:
        with Server(listeners=("smtp", "lmtp", "imap")) as server:
            server.account(ANN)
            wire = ehlo(server)
            ask(wire, "MAIL FROM:<x@y.test>")
            ask(wire, "RCPT TO:<ann@example.test>")
            ask(wire, "DATA")
            wire.send(b"Subject: first\r\n\r\nbody" + end + b"MAIL FROM:<evil@y.test>\r\n"
                      b"RCPT TO:<ann@example.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n")
            assert wire.line().startswith(b"550"), end
            assert ask(wire, "NOOP").startswith(b"250"), end
            assert Imap(server, ANN).select("INBOX") == 0, end


def test_starttls_discards_what_came_before():
    """Commands sent in clear behind STARTTLS are not carried out inside TLS."""
    with Server() as server:
        server.account(ANN)
        wire = ehlo(server, "submission")
        wire.send("STARTTLS\r\nMAIL FROM:<evil@y.test>\r\n")
        assert wire.line().startswith(b"220")
        wire.starttls()
        assert ask(wire, "NOOP").startswith(b"250 2.0.0")
        wire = server.connect("imap")
        wire.line()
        wire.send("a STARTTLS\r\nb LOGOUT\r\n")
        wire.until(b"a OK")
        wire.starttls()
        wire.send("c NOOP\r\n")
        assert wire.line().startswith(b"c OK")
        wire = server.connect("pop3")
        wire.line()
        wire.send("STLS\r\nQUIT\r\n")
        assert wire.line().startswith(b"+OK")
        wire.starttls()
        wire.send("CAPA\r\n")
        assert wire.line().startswith(b"+OK")


def test_submission_needs_a_login_and_an_own_sender():
    with Server() as server:
        server.account(ANN, "ben@example.test")
        server.run("alias", "add", "info@example.test", ANN)
        wire = ehlo(server, "submission")
        assert ask(wire, f"MAIL FROM:<{ANN}>").startswith(b"530")
        with server.submission(ANN) as smtp:
            assert smtp.mail("ben@example.test")[0] == 553
            smtp.rset()
            assert smtp.mail("info@example.test")[0] == 250
            smtp.rset()
            assert smtp.mail("ann+tag@example.test")[0] == 250
            code, why = smtp.rcpt("x@elsewhere.test")
            assert 500 <= code < 600 and b"cannot be sent yet" in why, (code, why)


def test_submission_completes_the_header():
    with Server() as server:
        server.account(ANN, "ben@example.test")
        with server.submission("ben@example.test") as smtp:
            smtp.sendmail("ben@example.test", [ANN], text(
                "From: ben@example.test", "Bcc: secret@example.test,", "\tmore@example.test",
                "Subject: s",
                "", "Bcc: not a field"))
        imap = Imap(server, ANN)
        imap.select("INBOX")
        stored = imap.fetch(1, "BODY.PEEK[]")["BODY[]"]
        head, body = stored.split(b"\r\n\r\n", 1)
        assert b"secret" not in head and b"more@" not in head and body == b"Bcc: not a field\r\n"
        assert b"\r\nDate: " in head and b"\r\nMessage-ID: <" in head


def test_outlook_auth_login():
    """RFC-less AUTH LOGIN, with and without the name in the first line."""
    with Server() as server:
        server.account(ANN)
        wire = ehlo(server, "submission")
        name, password = (base64.b64encode(x.encode()).decode() for x in (ANN, PASSWORD))
        assert ask(wire, "AUTH LOGIN") == b"334 VXNlcm5hbWU6"
        assert ask(wire, name) == b"334 UGFzc3dvcmQ6"
        assert ask(wire, password).startswith(b"235")
        wire = ehlo(server, "submission")
        assert ask(wire, f"AUTH LOGIN {name}") == b"334 UGFzc3dvcmQ6"
        assert ask(wire, password).startswith(b"235")
        wire = ehlo(server, "submission")
        assert ask(wire, "AUTH PLAIN").startswith(b"334")
        assert ask(wire, "*").startswith(b"501")
        assert ask(wire, "AUTH PLAIN !!!!").startswith((b"501", b"535"))
        assert ask(wire, "AUTH CRAM-MD5").startswith(b"504")


def test_bad_commands_end_a_connection():
    with Server(config="[limits]\nerrors = 5\n") as server:
        for name, line in (("smtp", b"WHAT\r\n"), ("imap", b"a WHAT\r\n"), ("pop3", b"WHAT\r\n")):
            wire = server.connect(name)
            try:
                wire.send(line * 100)
                while wire.line():
                    pass
            except ConnectionError:
                pass  # closed while we still wrote


# --- PROXY, and who may log in without TLS ---

def proxy_header(source="192.0.2.7", target="198.51.100.1"):
    body = socket.inet_aton(source) + socket.inet_aton(target) + struct.pack("!HH", 40000, 143)
    return b"\r\n\r\n\0\r\nQUIT\n" + b"\x21\x11" + struct.pack("!H", len(body)) + body


def from_far(server, name):
    """A connection that seems to come from another host."""
    wire = Wire("127.0.0.1", server.ports[name])
    wire.send(proxy_header())
    return wire


def test_no_password_in_clear_from_far():
    with Server(config="[listen]\nproxy = imap pop3 submission\n") as server:
        server.account(ANN)
        wire = from_far(server, "imap")
        assert b"LOGINDISABLED" in wire.line()
        wire.send(f'a LOGIN {ANN} "{PASSWORD}"\r\n')
        assert wire.line().startswith(b"a NO [PRIVACYREQUIRED]")
        wire.send("b STARTTLS\r\n")
        wire.line()
        wire.starttls()
        wire.send(f'c LOGIN {ANN} "{PASSWORD}"\r\n')
        assert wire.until(b"c ")[-1].startswith(b"c OK")
        wire = from_far(server, "pop3")
        wire.line()
        wire.send(f"USER {ANN}\r\n")
        assert wire.line().startswith(b"-ERR")
        wire = from_far(server, "submission")
        wire.until(b"220 ")
        wire.send("EHLO c.test\r\n")
        assert not any(b"AUTH" in line for line in wire.until(b"250 "))
        assert ask(wire, "AUTH PLAIN AGFubgBwYXNz").startswith((b"538", b"530", b"503"))
        eventually(lambda: "192.0.2.7" in server.log())


# --- IMAP ---

def test_many_literals_before_login():
    """CVE-2024-34055: literals must not pile up."""
    with Server() as server:
        server.account(ANN)
        before = server.memory()
        for _ in range(5):
            wire = server.connect("imap")
            wire.line()
            try:
                wire.send(b"a LOGIN")
                for _ in range(2000):
                    wire.send(b" {50000+}\r\n" + b"x" * 50000)
                wire.send(b"\r\nz LOGOUT\r\n")
                while wire.line():
                    pass
            except ConnectionError:
                pass
        assert server.memory() - before < 64 * MB
        still_serves(server)


def test_floods_before_login():
    """CVE-2026-27857: parentheses; lines without an end; a literal that never comes."""
    with Server() as server:
        server.account(ANN)
        before = server.memory()
        for flood in (b"a SEARCH " + b"(" * 500000, b"x" * 3000000, b"a LOGIN {4000000000}\r\n",
                      b"a LOGIN {99999999999999999999}\r\n", b"\r\n" * 100000, b"\0" * 100000):
            wire = server.connect("imap")
            wire.line()
            try:
                wire.send(flood + b"\r\nz LOGOUT\r\n")
                wire.sock.shutdown(socket.SHUT_WR)
                while wire.line():
                    pass
            except ConnectionError:
                pass
        assert server.memory() - before < 64 * MB
        still_serves(server)


def test_wrong_passwords_do_not_stall_others():
    with Server() as server:
        server.account(ANN)
        stop = threading.Event()

        def storm():
            while not stop.is_set():
                try:
                    wire = server.connect("imap")
                    wire.line()
                    wire.send(f"a LOGIN nobody{id(wire)}@example.test wrong\r\n")
                    wire.line()
                    wire.close()
                except ConnectionError:
                    pass

        threads = [threading.Thread(target=storm) for _ in range(8)]
        imap = Imap(server, ANN)
        imap.select("INBOX")
        for thread in threads:
            thread.start()
        for _ in range(200):
            assert imap.noop().startswith(b"OK")
        stop.set()
        for thread in threads:
            thread.join()


def test_imap_quirks():
    with Server() as server:
        server.account(ANN)
        imap = Imap(server, ANN)
        for _ in range(3):
            imap.append("INBOX", LETTER)
        imap.append("INBOX", b"\r\n")
        wire = imap.wire
        # Empty lines before a command; ID in every form.
        wire.send("\r\n\r\na ID NIL\r\n")
        assert wire.line().startswith(b"* ID ") and wire.line().startswith(b"a OK")
        wire.send('b ID ("name" "x" "vendor" NIL)\r\n')
        assert wire.line().startswith(b"* ID ") and wire.line().startswith(b"b OK")
        # The root.
        imap.command('LIST "" ""')
        assert any(b'"/"' in u for u in imap.untagged)
        # Flags and permanent flags before data.
        assert imap.select("INBOX") == 4
        assert any(u.startswith(b"FLAGS (") for u in imap.untagged)
        assert any(rb"PERMANENTFLAGS" in u and rb"\*" in u for u in imap.untagged)
        # IDLE's end and the next commands in one packet.
        wire.send("c IDLE\r\n")
        assert wire.line().startswith(b"+")
        wire.send("DONE\r\nd NOOP\r\ne CHECK\r\n")
        wire.until(b"c OK")
        wire.until(b"d OK")
        wire.until(b"e OK")
        # A slice of a short body names its origin; past the end it is an empty string, not {0}.
        wire.send("f FETCH 1 BODY.PEEK[1]<0.393216>\r\n")
        assert b"BODY[1]<0> {7}" in wire.line()
        wire.until(b"f OK")
        wire.send("g FETCH 4 (BODY.PEEK[TEXT] BODY.PEEK[]<393216.393216>)\r\n")
        lines = b"\n".join(wire.until(b"g OK"))
        assert b'BODY[TEXT] ""' in lines and b'BODY[]<393216> ""' in lines and b"{0}" not in lines
        # Old Outlook's item; UIDs that are gone.
        assert imap.fetch(1, "RFC822.PEEK")
        assert imap.command("UID MOVE 999 Trash").startswith(b"OK")
        assert imap.command("UID COPY 999 Trash").startswith(b"OK")
        assert imap.command("FETCH 1:* (FLAGS) (CHANGEDSINCE 0)").startswith((b"OK", b"BAD"))
        assert imap.command("UID STORE 999 +FLAGS (x)").startswith(b"OK")


def test_capability_is_told_early():
    with Server() as server:
        server.account(ANN)
        wire = server.connect("imap")
        assert b"[CAPABILITY IMAP4rev1" in wire.line()
        wire.send(f'a LOGIN {ANN} "{PASSWORD}"\r\n')
        assert wire.until(b"a ")[-1].startswith(b"a OK [CAPABILITY IMAP4rev1")


def test_slow_reader_costs_bounded_memory():
    """A client that asks for much and reads nothing."""
    with Server() as server:
        server.account(ANN)
        imap = Imap(server, ANN)
        imap.append("INBOX", text("Subject: big", "", "x" * 70) * 200000)
        imap.select("INBOX")
        before = server.memory("VmRSS")
        wires = []
        for _ in range(20):
            other = Imap(server, ANN)
            other.select("INBOX")
            other.wire.send("x FETCH 1 BODY.PEEK[]\r\n" * 20)
            wires.append(other)
        still_serves(server)
        assert server.memory("VmRSS") - before < 120 * MB
        for other in wires:
            other.wire.close()


def test_pop3_refusals():
    with Server() as server:
        server.account(ANN)
        wire = server.connect("pop3")
        wire.line()
        wire.send("APOP ann 0123456789abcdef0123456789abcdef\r\nSTAT\r\nPASS x\r\n")
        assert all(wire.line().startswith(b"-ERR") for _ in range(3))
        wire.send(f"USER {ANN}\r\nPASS wrong\r\n")
        wire.line()
        assert wire.line().startswith(b"-ERR [AUTH]")
        wire.send("AUTH\r\n")
        assert b"PLAIN" in wire.until(b".")
        wire.send(f"USER {ANN}\r\nPASS {PASSWORD}\r\nRETR 1\r\nTOP 1\r\nDELE 0\r\n"
                  f"RETR 99999999999\r\nSTAT\r\n")
        answers = [wire.line()[:4] for _ in range(7)]
        assert answers == [b"+OK ", b"+OK ", b"-ERR", b"-ERR", b"-ERR", b"-ERR", b"+OK "] or \
            [a[:3] for a in answers] == [b"+OK", b"+OK", b"-ER", b"-ER", b"-ER", b"-ER",
                                         b"+OK"], answers


def test_http_at_the_smtp_port():
    with Server() as server:
        wire = server.connect("smtp")
        wire.until(b"220 ")
        wire.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nMAIL FROM:<x@y.test>\r\n")
        lines = []
        while True:
            line = wire.line()
            if not line:
                break
            lines.append(line)
        assert not any(line.startswith(b"250") for line in lines), lines

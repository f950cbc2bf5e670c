"""SMTP over TLS and from other hosts: what unit tests over a socketpair cannot show."""
import base64
import socket
import struct

from harness import PASSWORD, Server

LETTER = "From: x@elsewhere.test\r\nSubject: hello\r\n\r\nThe text.\r\n"
PLAIN = base64.b64encode(b"\0ann@example.test\0" + PASSWORD.encode()).decode()


def say(wire, line, want):
    """Sends a line; returns the reply, whose code (and more) must be `want`."""
    wire.send(line + "\r\n")
    return reply(wire, want)


def reply(wire, want):
    lines = []
    while not lines or lines[-1][3:4] == b"-":
        lines.append(wire.line())
    text = b"\n".join(lines).decode()
    assert text.startswith(want), f"want {want}, got {text}"
    return text


def proxy_header(source):
    """PROXY protocol v2: a TCP connection from that address to 198.51.100.1 or 2001:db8::1."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    target = "2001:db8::1" if family == socket.AF_INET6 else "198.51.100.1"
    body = (socket.inet_pton(family, source) + socket.inet_pton(family, target)
            + struct.pack("!HH", 4711, 587))
    kind = 0x21 if family == socket.AF_INET6 else 0x11
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x21, kind]) + struct.pack("!H", len(body)) + body


def last_message(server, login="ann@example.test"):
    with server.imap(login) as imap:
        imap.select("INBOX")
        return imap.fetch("*", "BODY[]")[1][0][1].decode()


def send_letter(wire, sender, recipient, want="250 2.0.0"):
    say(wire, f"MAIL FROM:<{sender}>", "250 2.1.0")
    say(wire, f"RCPT TO:<{recipient}>", "250 2.1.5")
    say(wire, "DATA", "354 ")
    say(wire, LETTER + ".", want)


def test_commands_before_tls_are_thrown_away():
    with Server() as server:
        server.account("ann@example.test")
        for name in ("smtp", "submission", "lmtp"):
            hello = "LHLO a" if name == "lmtp" else "EHLO a"
            wire = server.connect(name)
            reply(wire, "220 ")
            assert "STARTTLS" in say(wire, hello, "250")
            wire.send(f"STARTTLS\r\n{hello}\r\nMAIL FROM:<ann@example.test>\r\n"
                      f"RCPT TO:<ann@example.test>\r\nRSET\r\n")
            reply(wire, "220 2.0.0")
            wire.starttls()
            say(wire, "MAIL FROM:<ann@example.test>", "5")  # nothing of before counts
            assert "STARTTLS" not in say(wire, hello, "250")
            say(wire, "STARTTLS", "503 5.5.1")
            wire.close()


def test_login_does_not_outlive_starttls():
    with Server() as server:
        server.account("ann@example.test")
        wire = server.connect("submission")
        reply(wire, "220 ")
        say(wire, "EHLO a", "250")
        say(wire, f"AUTH PLAIN {PLAIN}", "235 2.7.0")
        say(wire, "STARTTLS", "220 2.0.0")
        wire.starttls()
        say(wire, "EHLO a", "250")
        say(wire, "MAIL FROM:<ann@example.test>", "530 5.7.0")
        say(wire, f"AUTH PLAIN {PLAIN}", "235 2.7.0")
        send_letter(wire, "ann@example.test", "ann@example.test")
        text = last_message(server)
        assert " with ESMTPSA\r\n\t(TLSv1.3 " in text, text


def test_trace_of_tls():
    with Server() as server:
        server.account("ann@example.test")
        wire = server.connect("smtp")
        reply(wire, "220 ")
        say(wire, "EHLO a", "250")
        say(wire, "STARTTLS", "220 2.0.0")
        wire.starttls()
        say(wire, "EHLO mx.elsewhere.test", "250")
        send_letter(wire, "x@elsewhere.test", "ann@example.test")
        text = last_message(server)
        assert text.startswith("Return-Path: <x@elsewhere.test>\r\n"
                               "Received: from mx.elsewhere.test ([127.0.0.1])\r\n\tby "), text
        assert " with ESMTPS\r\n\t(TLSv1.3 " in text, text


def test_no_password_in_clear_text_from_another_host():
    with Server(config="[listen]\nproxy = submission smtp\n") as server:
        server.account("ann@example.test")
        for source, literal in (("192.0.2.7", "[192.0.2.7]"),
                                ("2001:db8::7", "[IPv6:2001:db8::7]")):
            wire = server.connect("submission")
            wire.send(proxy_header(source))
            reply(wire, "220 ")
            assert "AUTH" not in say(wire, "EHLO a", "250")
            say(wire, "MAIL FROM:<ann@example.test>", "530 5.7.0 start TLS")
            say(wire, f"AUTH PLAIN {PLAIN}", "538 5.7.11")
            say(wire, "STARTTLS", "220 2.0.0")
            wire.starttls()
            assert "250-AUTH PLAIN LOGIN" in say(wire, "EHLO a", "250")
            say(wire, f"AUTH PLAIN {PLAIN}", "235 2.7.0")
            send_letter(wire, "ann@example.test", "ann@example.test")
            assert f"Received: from a ({literal})\r\n" in last_message(server)
            wire.close()

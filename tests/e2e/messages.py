"""Messages of our own making: hostile, odd, big. All have CRLF line ends."""
import random


def text(*lines):
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n"


def nested(depth):
    """A multipart in a multipart in a multipart."""
    head = b"Subject: nested\r\nMIME-Version: 1.0\r\n"
    out, end = b"", b""
    for i in range(depth):
        out += b'Content-Type: multipart/mixed; boundary="b%04d"\r\n\r\n--b%04d\r\n' % (i, i)
        end = b"--b%04d--\r\n" % i + end
    return head + out + b"Content-Type: text/plain\r\n\r\nbottom\r\n" + end


def hostile_messages():
    """(name, bytes). Each is something that broke a mail server or a client once."""
    rng = random.Random(7)
    yield "only a header", text("Subject: nothing else")
    yield "header without an end", text("Subject: a", "Broken line without colon", "", "body")
    yield "empty header, text", b"\r\nthe body\r\n"
    yield "dots", text("Subject: dots", "", ".", "..", "...", ". text", "")
    yield "end of data inside", text("Subject: x", "", "a", ".b", "QUIT", "From nobody")
    yield "raw 8-bit", b"Subject: gr\xfc\xdfe\r\n\r\n\xff\xfe\x80\r\n"
    yield "utf-8 header", text("Subject: größe \U0001f4ee", "From: Jörg <jörg@exämple.test>", "",
                               "x")
    yield "empty fields", text("From:", "To: ", "Subject:", "Date:", "Message-ID:", "", "x")
    yield "many folds", text("Subject: a", *[f" fold{i}" for i in range(300)], "", "x")
    yield "groups", text("To: undisclosed-recipients:;",
                         "Cc: A: b@c.test, \"d\" <e@f.test>;, g@h.test", "",
                         "x")
    yield "quotes and comments", text(
        'From: "a \\"b\\" c" (x (y) z) <@r.test,@s.test:u@v.test>', 'To: (only a comment)', "", "x")
    yield "unclosed", text('From: "never closed <a@b.test>', "To: <also@never", "Cc: (open", "",
                           "x")
    yield "many addresses", text("To: " + ",\r\n ".join(f"u{i}@x.test" for i in range(3000)), "",
                                 "x")
    yield "many parameters", text(
        "MIME-Version: 1.0",
        "Content-Type: text/plain" + "".join(f";\r\n p{i}=v" for i in range(3000)), "",
        "x")
    yield "2231 flood", text(
        "MIME-Version: 1.0",
        "Content-Type: text/plain" + "".join(f";\r\n name*{i}*=%41" for i in range(3000)), "", "x")
    yield "many parens", text("From: " + "(" * 5000, "", "x")
    yield "nested 40", nested(40)
    yield "nested 400", nested(400)
    yield "many parts", text("MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "",
                             *["--b\r\n\r\npart" for _ in range(3000)], "--b--")
    yield "boundary prefixes", text(
        "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b", "", "--b",
        "Content-Type: multipart/mixed; boundary=bb", "", "--bb", "", "inner", "--b", "", "outer",
        "--bb--",
        "--b--", "after")
    yield "boundary missing", text("MIME-Version: 1.0", "Content-Type: multipart/mixed", "", "--",
                                   "x")
    yield "boundary never seen", text("MIME-Version: 1.0",
                                      "Content-Type: multipart/mixed; boundary=q", "",
                                      "no part at all")
    yield "boundary never closed", text("MIME-Version: 1.0",
                                        "Content-Type: multipart/mixed; boundary=q",
                                        "", "--q", "", "open")
    yield "message in message", text(
        "MIME-Version: 1.0", "Content-Type: multipart/digest; boundary=d", "", "--d", "",
        "Subject: inner one", "From: a@b.test", "", "one", "--d", "", "Subject: inner two",
        "MIME-Version: 1.0", "Content-Type: multipart/alternative; boundary=e", "", "--e", "", "x",
        "--e",
        "Content-Type: text/html", "", "<p>", "--e--", "--d--")
    yield "base64 junk", text("MIME-Version: 1.0", "Content-Type: text/plain",
                              "Content-Transfer-Encoding: base64", "", "!!!!", "====", "QUJD",
                              "QQ=Q")
    yield "odd types", text("MIME-Version: 1.0", "Content-Type: ;;; /", "Content-Disposition: ;",
                            "Content-Transfer-Encoding: x-nothing", "Content-Language: de,,en", "",
                            "x")
    yield "two types", text("Content-Type: text/html", "Content-Type: text/plain", "", "x")
    yield "long words", text("Subject: =?utf-8?B?" + "QUJD" * 2000 + "?=", "", "x")
    yield "random bytes", b"Subject: noise\r\n\r\n" + bytes(
        b for b in rng.randbytes(20000) if b not in (10, 13)) + b"\r\n"
    for i in range(40):
        yield f"random structure {i}", random_message(rng)


PIECES = ["--b", "--b--", "--c", "", "", "text", "Content-Type: multipart/mixed; boundary=b",
          "Content-Type: multipart/alternative; boundary=\"c\"", "Content-Type: message/rfc822",
          "Content-Type: text/plain; charset=utf-8", "Subject: s", "From: a@b.test", " folded", ":",
          ".", "-- ",
          "Content-Transfer-Encoding: quoted-printable",
          "Content-Disposition: attachment; filename*=utf-8''x"]


def random_message(rng):
    return text("Subject: random", "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=b",
                "",
                *[rng.choice(PIECES) for _ in range(rng.randrange(60))])


def sized_message(size):
    """A message with one attachment, of about `size` bytes."""
    head = text("From: a@b.test", "To: ann@example.test", "Subject: big", "MIME-Version: 1.0",
                "Content-Type: multipart/mixed; boundary=big", "", "--big",
                "Content-Type: text/plain", "",
                "see the attachment", "--big", "Content-Type: application/octet-stream",
                "Content-Transfer-Encoding: base64", "")
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\r\n"
    return head + line * ((size - len(head)) // len(line)) + b"--big--\r\n"


def long_line_message(line_bytes, lines):
    body = b"".join(bytes([97 + i % 26]) * line_bytes + b"\r\n" for i in range(lines))
    return text("From: a@b.test", "Subject: long lines", "") + body

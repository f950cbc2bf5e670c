"""Every message comes back byte for byte, whichever way it came: by IMAP whole, in slices and part
by part, and by POP3. The corpus beside the repository, and hostile messages of our own."""
import re
import shutil
import tempfile
from pathlib import Path

import harness
from harness import CORPUS, PASSWORD, Server, Skip, corpus_files, crlf, eventually
from imapwire import Imap
from messages import hostile_messages, long_line_message, sized_message

TRACE = re.compile(rb"Return-Path: <[^\r\n]*>\r\nReceived: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*\Z")
MB = 1 << 20


def all_messages():
    """(name, bytes as they travel). The corpus may be missing; our own messages never are."""
    messages = [(name, raw) for name, raw in hostile_messages()]
    try:
        messages += [(str(f.relative_to(CORPUS)), crlf(f.read_bytes())) for f in corpus_files()]
    except Skip as why:
        print(f"note: {why}")
    return messages


def data_command(wire, message):
    """DATA with the bytes as they are: dots stuffed, nothing added but the end."""
    wire.send("DATA\r\n")
    assert wire.line().startswith(b"354"), "354 expected"
    body = re.sub(rb"(?m)^\.", b"..", message)
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    wire.send(body + b".\r\n")
    return wire.line()


def send_by(server, protocol, messages):
    """Sends all messages in one SMTP or LMTP session."""
    wire = server.connect(protocol)
    wire.until(b"220 ")
    wire.send(("LHLO" if protocol == "lmtp" else "EHLO") + " client.test\r\n")
    wire.until(b"250 ")
    for name, message in messages:
        wire.send("MAIL FROM:<sender@elsewhere.test> BODY=8BITMIME\r\n"
                  "RCPT TO:<ann@example.test>\r\n")
        assert wire.line().startswith(b"250") and wire.line().startswith(b"250"), name
        answer = data_command(wire, message)
        assert answer.startswith(b"250"), (name, answer)
    wire.send("QUIT\r\n")
    wire.close()


def append_all(server, messages):
    imap = Imap(server, "ann@example.test")
    for name, message in messages:
        answer = imap.append("INBOX", message)
        assert answer.startswith(b"OK"), (name, answer)
    imap.close()


def import_all(server, messages):
    folder = Path(tempfile.mkdtemp())
    try:
        for i, (_, message) in enumerate(messages):
            (folder / f"{i:05}.eml").write_bytes(message)
        server.run("import", "--account", "ann@example.test", str(folder))
    finally:
        shutil.rmtree(folder)


def check_trace(name, stored, message):
    """What SMTP and LMTP add stands before the message, and is nothing but trace fields."""
    assert stored.endswith(message), f"{name}: the message changed"
    trace = stored[:len(stored) - len(message)]
    assert TRACE.fullmatch(trace), f"{name}: {trace!r}"


def check_slices(imap, number, name, stored):
    n = len(stored)
    for begin in sorted({0, 1, n // 2, max(n - 1, 0), n, n + 10}):
        for length in (1, 100, 393216):
            got = imap.fetch(number, f"BODY.PEEK[]<{begin}.{length}>")[f"BODY[]<{begin}>"]
            assert got == stored[begin:begin + length], (name, begin, length)


def check_sections(imap, number, name, stored):
    item = imap.fetch(number, "(RFC822.SIZE BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[TEXT])")
    assert int(item["RFC822.SIZE"]) == len(stored), name
    assert item["BODY[HEADER]"] + item["BODY[TEXT]"] == stored, name
    for section, octets, lines in leaf_parts(item["BODYSTRUCTURE"]):
        body = imap.fetch(number, f"BODY.PEEK[{section}]")[f"BODY[{section}]"]
        assert len(body) == octets, (name, section, octets, len(body))
        assert body in stored, (name, section)
        if lines is not None:
            assert body.count(b"\n") == lines, (name, section, lines)


def leaf_parts(structure, prefix=""):
    """(section, octets, lines or None) of each part that is not multipart."""
    if isinstance(structure[0], list):
        for i, child in enumerate(c for c in structure if isinstance(c, list) and is_body(c)):
            yield from leaf_parts(child, f"{prefix}.{i + 1}" if prefix else str(i + 1))
        return
    kind = (structure[0] + b"/" + structure[1]).lower()
    lines = None
    if kind.startswith(b"text/"):
        lines = int(structure[7])
    elif kind == b"message/rfc822":
        lines = int(structure[9])
    yield prefix or "1", int(structure[6]), lines


def is_body(value):
    """A child of a multipart: a list whose first item is a list, or type, subtype, and more."""
    return bool(value) and (isinstance(value[0], list) or
                            (len(value) >= 7 and isinstance(value[0], bytes)))


def check_all(server, messages, traced):
    imap = Imap(server, "ann@example.test")
    pop3 = server.pop3("ann@example.test")
    assert imap.select("INBOX") == len(messages)
    for i, (name, message) in enumerate(messages, 1):
        stored = imap.fetch(i, "BODY.PEEK[]")["BODY[]"]
        if traced:
            check_trace(name, stored, message)
        else:
            assert stored == message, f"{name}: {stored[:200]!r}"
        check_slices(imap, i, name, stored)
        check_sections(imap, i, name, stored)
        check_pop3(pop3, i, name, stored)
    pop3.quit()
    imap.close()


def check_pop3(pop3, number, name, stored):
    """poplib drops the stuffing and the line ends; the last line gets one where it has none; the
    size counts it. NUL is not sent."""
    lines = pop3.retr(number)[1]
    want = stored if stored.endswith(b"\r\n") or not stored else stored + b"\r\n"
    want = want.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").replace(b"\0", b"\x80")
    assert b"".join(line + b"\r\n" for line in lines) == want, f"{name}: POP3"
    assert pop3.list(number).split()[-1] == b"%d" % len(want), f"{name}: LIST"


def way(send, traced):
    messages = all_messages()
    with Server() as server:
        server.account("ann@example.test")
        send(server, messages)
        check_all(server, messages, traced)


def test_by_smtp():
    way(lambda server, messages: send_by(server, "smtp", ended(messages)), True)


def test_by_lmtp():
    way(lambda server, messages: send_by(server, "lmtp", ended(messages)), True)


def ended(messages):
    """SMTP carries whole lines only."""
    for name, message in messages:
        assert not message or message.endswith(b"\r\n"), name
    return messages


def test_by_append():
    way(append_all, False)


def test_by_import():
    way(import_all, False)


# What clients ask for in lists, then odd cases; names that the facts do not keep among them.
FIELD_LISTS = (
    "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups In-Reply-To "
    "Content-Type "
    "Reply-To",
    "DATE SUBJECT FROM SENDER TO CC MESSAGE-ID IN-REPLY-TO REFERENCES LIST-ID LIST-UNSUBSCRIBE "
    "X-LABEL LINES",
    "date subject from content-type to cc reply-to message-id references in-reply-to "
    "list-unsubscribe",
    "sUbJeCt fRoM SUBJECT",
    "X-Nothing-Has-This",
    "From X-Odd",
    "Received Return-Path",
    "DKIM-Signature ARC-Seal Authentication-Results",
    "Content-Transfer-Encoding MIME-Version User-Agent X-Mailer X-Spam-Status Delivered-To",
)


def odd_headers():
    """(name, bytes): what a header section can be, beside the hostile messages."""
    yield "twice", b"From: a@b.test\r\nSubject: one\r\nfrom: c@d.test\r\nSUBJECT: two\r\n\r\nx"
    yield "folded", b"Subject: a\r\n b\r\n\tc\r\n \r\nTo: x@y.test\r\n\r\nFrom: body"
    yield "no end", b"From: a@b.test\r\nSubject: last"
    yield "no end but a line end", b"From: a@b.test\r\nSubject: last\r\n"
    yield "bare line feeds", b"From: a@b.test\nSubject: a\n b\nX-Odd: c\n\nSubject: body\n"
    yield "mixed line ends", b"From: a@b.test\n\tb\r\nSubject: a\r\n\nSubject: body\r\n"
    yield "bare carriage returns", b"From: a\rSubject: b\r\r\nTo: c\r\n\r\nx"
    yield "8-bit", b"Subject: gr\xfc\xdfe \xf0\x9f\x93\xae\r\nFrom\xe4: x\r\nFrom: y\r\n\r\nx"
    yield "blanks before colons", b"From : a\r\nSubject\t: b\r\nTo  x: c\r\n: d\r\n\r\nx"
    yield "no field at all", b"this is only text\r\nFrom the start\r\n\r\nx"
    yield "a long field", b"To: " + b"u@v.test,\r\n " * 1000 + b"w@x.test\r\nSubject: s\r\n\r\nx"
    yield "many names", b"".join(b"X-N%d: v\r\n" % i for i in range(300)) + b"Subject: s\r\n\r\nx"
    fill = b"X-Fill: %s\r\n" % (b"x" * 900) * 1300
    yield "a giant header", b"Subject: s\r\n" + fill + b"From: end\r\n\r\nx"


def chosen_fields(header, names):
    """HEADER.FIELDS as RFC 9051 s6.4.5.1 says, of the header section as it is."""
    wanted, out = {n.lower().encode() for n in names}, b""
    for field in re.findall(rb"[^\n]*\n(?:[ \t][^\n]*(?:\n|\Z))*|[^\n]+\Z", header):
        if field in (b"\n", b"\r\n"):
            return out + field
        name = re.match(rb"([!-9;-~]+)[ \t]*:", field)
        if name and name.group(1).lower() in wanted:
            out += field
    return out


def test_chosen_header_fields():
    """The answer that comes from what was kept at delivery is that of the header itself: a slice is
    always cut from the header."""
    with Server() as server:
        server.account("ann@example.test")
        messages = all_messages() + list(odd_headers())
        append_all(server, messages)
        imap = Imap(server, "ann@example.test")
        imap.select("INBOX")
        headers = fetch_all(imap, "BODY.PEEK[HEADER]", "BODY[HEADER]")
        for names in FIELD_LISTS:
            asked = f"BODY.PEEK[HEADER.FIELDS ({names})]"
            key = f"BODY[HEADER.FIELDS ({names.upper()})]"
            kept, cut = fetch_all(imap, asked, key), fetch_all(imap, asked + "<0.9999999>",
                                                               key + "<0>")
            for (name, _), header, a, b in zip(messages, headers, kept, cut, strict=True):
                assert a == b, f"{name}: {names}: {a!r}, of the header {b!r}"
                assert a == chosen_fields(header, names.split()), f"{name}: {names}: {a!r}"
            if names == FIELD_LISTS[-1]:
                one = imap.fetch(1, f"(UID FLAGS {asked} RFC822.SIZE)")
                assert one[key] == kept[0]
        imap.close()


def fetch_all(imap, item, key):
    assert imap.command(f"FETCH 1:* {item}").startswith(b"OK")
    return [answer[key] for answer in imap.fetched()]


def test_line_ends_of_appended_messages_are_kept():
    """APPEND and import of files with CRLF keep bytes that SMTP would refuse."""
    messages = [("bare LF", b"Subject: x\r\n\r\none\ntwo\r\n"),
                ("no line end", b"Subject: y\r\n\r\nend"),
                ("bare CR", b"Subject: z\r\n\r\na\rb\r\n"), ("only text", b"no header at all"),
                ("no body", b"Subject: only a header\r\n")]
    with Server() as server:
        server.account("ann@example.test")
        imap = Imap(server, "ann@example.test")
        for name, message in messages:
            assert imap.append("INBOX", message).startswith(b"OK"), name
        imap.select("INBOX")
        for i, (name, message) in enumerate(messages, 1):
            assert imap.fetch(i, "BODY.PEEK[]")["BODY[]"] == message, name
        imap.close()


def test_empty_message():
    with Server() as server:
        server.account("ann@example.test")
        imap = Imap(server, "ann@example.test")
        assert imap.append("INBOX", b"").startswith(b"OK")
        imap.select("INBOX")
        item = imap.fetch(1, "(RFC822.SIZE BODY.PEEK[] ENVELOPE BODYSTRUCTURE)")
        assert item["BODY[]"] == b"" and int(item["RFC822.SIZE"]) == 0
        assert server.pop3("ann@example.test").retr(1)[1] == []
        send_by(server, "smtp", [("empty", b"")])
        send_by(server, "lmtp", [("empty", b"")])
        imap.noop()
        for i in (2, 3):
            check_trace("empty", imap.fetch(i, "BODY.PEEK[]")["BODY[]"], b"")
        imap.close()


def big_ways(message):
    """One big message, all ways in and out, in bounded memory of the server."""
    with Server() as server:
        server.account("ann@example.test")
        before = server.memory("VmRSS")
        send_by(server, "smtp", [("big", message)])
        send_by(server, "lmtp", [("big", message)])
        append_all(server, [("big", message)])
        import_all(server, [("big", message)])
        imap = Imap(server, "ann@example.test")
        pop3 = server.pop3("ann@example.test")
        imap.select("INBOX")
        for i in range(1, 5):
            stored = imap.fetch(i, "BODY.PEEK[]")["BODY[]"]
            assert stored.endswith(message) and len(stored) - len(message) < 1000, i
            assert b"".join(line + b"\r\n" for line in pop3.retr(i)[1]) == stored, i
            check_slices(imap, i, "big", stored)
        imap.close()
        pop3.quit()
        return server.memory() - before


def test_message_of_50_mb():
    grown = big_ways(sized_message(50 * MB))
    print(f"note: the server grew by {grown >> 20} MiB for 50 MiB messages")
    # The store's write buffers (64 MiB, one filling while another is written) and its cache (256
    # MiB) hold what passes; a session that kept whole messages would add 50 MiB for each way. ASan
    # keeps freed memory for a while.
    assert grown < (900 if is_sanitized() else 350) * MB, grown


def is_sanitized():
    return b"__asan_init" in (harness.build / "postrider").read_bytes()


def test_lines_of_1_mb():
    big_ways(long_line_message(MB, 5))


def test_password_is_not_in_the_log():
    with Server() as server:
        server.account("ann@example.test", hashed=True)
        Imap(server, "ann@example.test").close()
        eventually(lambda: "login" in server.log())
        assert PASSWORD not in server.log()

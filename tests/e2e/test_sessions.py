"""Sessions see each other's changes, at once and by every protocol."""
import re
import smtplib
import threading

from harness import PASSWORD, Server, tls_context
from imapwire import Imap
from messages import text

LETTER = text("From: ben@example.test", "To: ann@example.test", "Subject: hello", "", "hello")
EXISTS = re.compile(rb"\* (\d+) EXISTS")


def idle(imap):
    imap.wire.send("i IDLE\r\n")
    assert imap.wire.line().startswith(b"+")


def wait_for(imap, pattern):
    """Reads untagged lines of an idling session until one matches."""
    while True:
        line = imap.answer()
        match = re.match(pattern, line)
        if match:
            return match


def done(imap):
    imap.wire.send("DONE\r\n")
    return imap.finish(b"i")


def two_sessions(server):
    server.account("ann@example.test")
    a, b = Imap(server, "ann@example.test"), Imap(server, "ann@example.test")
    for _ in range(3):
        a.append("INBOX", LETTER)
    assert a.select("INBOX") == 3 and b.select("INBOX") == 3
    return a, b


def test_idle_sees_smtp():
    with Server() as server:
        server.account("ann@example.test")
        imap = Imap(server, "ann@example.test")
        imap.select("INBOX")
        idle(imap)
        with server.smtp() as smtp:
            smtp.sendmail("x@elsewhere.test", ["ann@example.test"], LETTER)
        assert wait_for(imap, EXISTS).group(1) == b"1"
        assert done(imap).startswith(b"OK")
        stored = imap.fetch(1, "BODY.PEEK[]")["BODY[]"]
        assert stored.endswith(LETTER) and stored.startswith(b"Return-Path: <x@elsewhere.test>\r\n")
        imap.close()


def test_idle_sees_lmtp():
    with Server() as server:
        server.account("ann@example.test")
        imap = Imap(server, "ann@example.test")
        imap.select("INBOX")
        idle(imap)
        with server.lmtp() as lmtp:
            lmtp.sendmail("x@elsewhere.test", ["ann@example.test"], LETTER)
        assert wait_for(imap, EXISTS).group(1) == b"1"
        assert done(imap).startswith(b"OK")
        imap.close()


def test_the_main_job():
    """Submitted by a real client with TLS and login; the idling reader has it at once, POP3 gives
    the same bytes."""
    with Server() as server:
        server.account("ann@example.test", "ben@example.test")
        imap = Imap(server, "ann@example.test", tls=True)
        imap.select("INBOX")
        idle(imap)
        with server.submission("ben@example.test") as smtp:
            smtp.sendmail("ben@example.test", ["ann@example.test"], LETTER)
        assert wait_for(imap, EXISTS).group(1) == b"1"
        assert done(imap).startswith(b"OK")
        stored = imap.fetch(1, "BODY.PEEK[]")["BODY[]"]
        pop3 = server.pop3("ann@example.test", tls=True)
        assert b"".join(line + b"\r\n" for line in pop3.retr(1)[1]) == stored
        pop3.quit()
        assert stored.rstrip().endswith(b"hello") and b"\r\nDate: " in stored
        imap.close()


def test_submissions_with_tls_from_the_start():
    with Server() as server:
        server.account("ann@example.test")
        with smtplib.SMTP_SSL("127.0.0.1", server.ports["submissions"],
                              context=tls_context()) as smtp:
            smtp.login("ann@example.test", PASSWORD)
            smtp.sendmail("ann@example.test", ["ann@example.test"], LETTER)
        assert Imap(server, "ann@example.test").select("INBOX") == 1


def test_idle_sees_append():
    with Server() as server:
        a, b = two_sessions(server)
        idle(a)
        b.append("INBOX", LETTER)
        assert wait_for(a, EXISTS).group(1) == b"4"
        assert done(a).startswith(b"OK")


def test_idle_sees_pop3_deletion():
    with Server() as server:
        a, _ = two_sessions(server)
        idle(a)
        pop3 = server.pop3("ann@example.test")
        pop3.dele(2)
        pop3.quit()
        assert wait_for(a, rb"\* (\d+) EXPUNGE").group(1) == b"2"
        assert done(a).startswith(b"OK")


def test_idle_sees_flags_and_expunge():
    with Server() as server:
        a, b = two_sessions(server)
        idle(a)
        b.command(r"STORE 2 +FLAGS (\Flagged $Work)")
        flags = wait_for(a, rb"\* 2 FETCH \(.*FLAGS \(([^)]*)\)").group(1).split()
        assert b"\\Flagged" in flags and b"$Work" in flags
        b.command(r"STORE 1,3 +FLAGS.SILENT (\Deleted)")
        b.command("EXPUNGE")
        first = wait_for(a, rb"\* (\d+) EXPUNGE").group(1)
        second = wait_for(a, rb"\* (\d+) EXPUNGE").group(1)
        assert (first, second) in ((b"3", b"1"), (b"1", b"2"))
        assert done(a).startswith(b"OK")
        assert len(a.fetch(1, "(FLAGS UID)")["FLAGS"]) >= 2


def test_noop_sees_everything():
    with Server() as server:
        a, b = two_sessions(server)
        b.append("INBOX", LETTER)
        b.command(r"STORE 1 +FLAGS (\Answered)")
        a.noop()
        news = b"\n".join(a.untagged)
        assert b"4 EXISTS" in news and b"\\Answered" in news


def test_no_expunge_during_fetch_by_number():
    """RFC 3501 s7.4.1: message numbers stay while a FETCH by number runs."""
    with Server() as server:
        a, b = two_sessions(server)
        b.command(r"STORE 1 +FLAGS (\Deleted)")
        b.command("EXPUNGE")
        a.command("FETCH 2:3 UID")
        assert not any(u.endswith(b"EXPUNGE") for u in a.untagged)
        assert [f["UID"] for f in a.fetched()] == [b"2", b"3"]
        a.noop()
        assert b"1 EXPUNGE" in a.untagged


def test_move_is_seen_on_both_sides():
    with Server() as server:
        a, b = two_sessions(server)
        b.select("Trash")
        idle(b)
        answer = a.command("MOVE 2 Trash")
        assert answer.startswith(b"OK") and b"2 EXPUNGE" in a.untagged
        assert any(b"COPYUID" in u for u in a.untagged)
        assert wait_for(b, EXISTS).group(1) == b"1"
        assert done(b).startswith(b"OK")


def test_many_sessions_on_one_mailbox():
    """Deliveries and flag changes from many sides: all end with the same picture."""
    with Server() as server:
        server.account("ann@example.test")
        readers = [Imap(server, "ann@example.test") for _ in range(6)]
        for reader in readers:
            reader.select("INBOX")
        errors = []

        def deliver(n):
            try:
                with server.lmtp() as lmtp:
                    for _ in range(20):
                        lmtp.sendmail("x@y.test", ["ann@example.test"], LETTER)
            except BaseException as e:
                errors.append((n, e))

        def flag(n, reader):
            try:
                for _ in range(20):
                    reader.command(f"UID STORE 1:* +FLAGS.SILENT (flag{n})")
            except BaseException as e:
                errors.append((n, e))

        threads = [threading.Thread(target=deliver, args=(n,)) for n in range(4)]
        threads += [threading.Thread(target=flag, args=(n, r)) for n, r in enumerate(readers[:3])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, errors
        pictures = []
        for reader in readers:
            reader.noop()
            reader.command("FETCH 1:* (UID FLAGS)")
            pictures.append([(f["UID"], sorted(x for x in f["FLAGS"] if x != b"\\Recent"))
                             for f in reader.fetched()])
        assert len(pictures[0]) == 80 and all(p == pictures[0] for p in pictures)


def test_one_message_to_many_is_delivered_once_each():
    with Server() as server:
        people = [f"user{i}@example.test" for i in range(20)]
        server.account(*people)
        server.run("alias", "add", "all@example.test", *people)
        with server.smtp() as smtp:
            smtp.sendmail("x@y.test", ["all@example.test", people[0], "user1+tag@example.test"],
                          LETTER)
        for person in people:
            imap = Imap(server, person)
            assert imap.select("INBOX") == 1, person
            imap.close()

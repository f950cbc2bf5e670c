"""The engine's operations and the server's allocations fail, or the disk is slow: temporary
failures in each protocol's own words, readers go on, nothing acknowledged is lost, and full service
again without a restart. The server makes these faults itself: it has to be built with
-Dfaults=true."""
import threading

from faultwork import ANN, BOB, Control, read_all, readers_go_on, server_with_mail
from harness import eventually
from imapwire import Imap
from load import letter


def test_each_operation_of_the_engine_fails_once():
    """Whatever fails, each protocol says so in its own words, and all goes on after it."""
    with server_with_mail() as (server, work):
        control = Control(server)
        refusals = 0
        for error in ("io", "disk-full"):
            for nth in range(1, 41):
                control.fault(nth=nth, error=error)
                refusals += sum(bool(r) for r in work.all())
                control.heal()
        assert refusals > 40, "the faults were not felt"
        assert work.works()
        work.check()
        print(f"note: {refusals} refusals, {len(work.kept)} messages acknowledged")


def test_a_dead_disk_comes_back():
    """Writes and syncs fail until the disk is back; then all goes on without a restart."""
    with server_with_mail() as (server, work):
        control = Control(server)
        control.fault(nth=1, sticky=True)
        for _ in range(3):
            assert all(work.all())
        control.heal()
        eventually(work.works)
        work.check()
        read_all(server)


def test_a_disk_that_turns_read_only():
    """Nothing can be written, all can be read, until the disk takes writes again."""
    with server_with_mail() as (server, work):
        control = Control(server)
        probe = server.data / "store" / "probe"
        control.fault(nth=1, sticky=True, error="read-only")
        probe.mkdir()  # the file that is written to see whether the disk takes writes again
        for _ in range(3):
            assert all(work.all())
            readers_go_on(server)
        probe.rmdir()
        control.heal()
        eventually(work.works)
        work.check()
        read_all(server)


def test_after_a_failed_sync_readers_go_on():
    with server_with_mail() as (server, work):
        control = Control(server)
        reader = Imap(server, BOB)
        reader.append("INBOX", letter("bob-1", 200))
        reader.select("INBOX")
        # Once a write has failed the engine takes no more until it was brought back.
        nth, felt = 0, b""
        while not felt:
            nth += 1
            control.fault(nth=nth)
            felt = work.append()
        for _ in range(5):
            answer = reader.command("FETCH 1 (FLAGS BODY.PEEK[])")
            assert answer.startswith(b"OK"), answer
        control.heal()
        assert work.works()
        work.check()


def test_a_slow_disk_delays_only_those_who_write():
    with server_with_mail() as (server, work):
        control = Control(server)
        reader = Imap(server, BOB)
        reader.append("INBOX", letter("bob-1", 200))
        reader.select("INBOX")
        control.fault(slow_ms=1500)
        writers = [threading.Thread(target=work.append) for _ in range(4)]
        for writer in writers:
            writer.start()
        answers = 0
        while any(w.is_alive() for w in writers):
            assert reader.command("FETCH 1 (FLAGS BODY.PEEK[])").startswith(b"OK")
            answers += 1
        assert answers > 10, "a reader waited for the writers' disk"
        control.heal()
        work.check()


def test_each_allocation_fails_once():
    with server_with_mail() as (server, work):
        control = Control(server)
        for nth in [*range(1, 60), *range(60, 400, 17)]:
            control.fault(memory=nth)
            work.all()
        control.heal()
        eventually(work.works)
        work.check()
        read_all(server)


def test_a_session_whose_sync_fails_is_told():
    """What was held back is not said; the session ends with a word in its protocol's form, never
    without."""
    with server_with_mail() as (server, work):
        control = Control(server)
        byes = 0
        for nth in range(1, 9):
            imap = Imap(server, ANN)
            imap.select("INBOX")
            control.fault(nth=nth, sticky=True)
            imap.wire.send(f"x1 STORE 1 +FLAGS (kept{nth})\r\n")
            lines = [imap.wire.line()]
            while lines[-1] and not lines[-1].startswith((b"x1 ", b"* BYE")):
                lines.append(imap.wire.line())
            assert lines[-1], f"closed without a word: {lines}"
            if lines[-1].startswith(b"* BYE"):
                assert len(lines) == 1 and lines[0].startswith(b"* BYE [UNAVAILABLE] "), lines
                assert not imap.wire.line(), "more than the last word"
                byes += 1
            control.heal()
            imap.wire.close()
        assert byes > 0, "no sync failed"
        eventually(work.works)
        work.check()

"""Slow and rude clients: others are served, memory stays bounded, and the limits close those who
are too slow. `tests/crash/run --storm` does the same with ten thousand connections, and with
times."""
import re
import threading

from harness import Server, eventually
from storm import CLOSED_SOON, KINDS, READERS, Guesser, Slow, Writer, prepare, probing

SHORT = ("[limits]\nlogin_time = 3s\nsmtp_idle = 3s\nimap_idle = 3s\npop3_idle = 3s\n")
EACH = 12
# What a connection may cost at most: its output (256 KiB, and a message's piece) and its buffers.
BYTES_EACH = 1 << 20


def served(probes, n=10):
    """Every ordinary user gets n more things done."""
    before = [len(p.seconds) for p in probes]
    eventually(lambda: any(p.failed for p in probes) or
               all(len(p.seconds) >= b + n for p, b in zip(probes, before)), seconds=60)


def test_others_are_served_beside_slow_connections():
    with Server() as server:
        prepare(server)
        with probing(server, 2) as probes:
            served(probes)
            before = server.memory("VmRSS")
            slow = Slow(server, KINDS, EACH * len(KINDS), 0.5)
            slow.start()
            slow.ready.wait()
            assert slow.refused == 0
            served(probes, 50)
            grown = server.memory("VmHWM") - before
            assert grown < BYTES_EACH * EACH * len(KINDS) + (64 << 20), f"{grown >> 20} MiB"
            slow.stop()
            served(probes)


def test_slow_connections_are_closed():
    with Server(SHORT) as server:
        prepare(server)
        slow = Slow(server, CLOSED_SOON, 3 * len(CLOSED_SOON), 0.5)
        slow.start()
        slow.ready.wait()
        eventually(lambda: all(n == 3 for n in slow.closed.values()), seconds=60)
        slow.stop()


def test_readers_who_do_not_read_are_closed():
    with Server(SHORT) as server:
        prepare(server)
        slow = Slow(server, READERS, 5 * len(READERS), 0.5)
        slow.start()
        slow.ready.wait()
        for protocol, n in (("imap", 5 + 1), ("pop3", 5)):  # and the one of prepare
            ends = protocol + r"-close session=\d+ peer=\S+ login=target"
            eventually(lambda: len(re.findall(ends, server.log())) == n)
        slow.stop()


def test_others_are_served_in_a_storm_of_logins():
    with Server() as server:
        prepare(server)
        stopping = threading.Event()
        with probing(server, 2) as probes:
            guessers = [Guesser(server, stopping) for _ in range(20)]
            for guesser in guessers:
                guesser.start()
            served(probes, 30)
            stopping.set()


def test_fifty_sessions_on_one_account():
    with Server() as server:
        prepare(server)
        stopping = threading.Event()
        with probing(server, 2) as probes:
            writers = [Writer(server, i, stopping) for i in range(50)]
            for writer in writers:
                writer.start()
            served(probes, 30)
            eventually(lambda: all(w.done >= 2 or w.failed for w in writers), seconds=120)
            stopping.set()
            for writer in writers:
                writer.join(60)
                if writer.failed:
                    raise writer.failed

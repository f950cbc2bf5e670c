"""POP3 while memory fails or the disk is slow: each verb says -ERR [SYS/TEMP] and the session goes
on; QUIT removes what was marked or says that it did not, whatever the policy, and counts nothing
twice. Needs a build with -Dfaults=true."""
import base64
import contextlib
import re

from faultwork import Control
from harness import PASSWORD, Server, Wire, eventually
from popdevices import login_of, quiet
from test_clients import BEN, letter
from test_pop3_crash import POLICIES, Client, address_of, check, rounds_of_kills, view

# The allocation that fails, one after the other, and how many in a row have to be felt by nobody at
# the end.
PLACES, ENOUGH = (*range(1, 40), *range(40, 400, 3)), 6
SHORT = ("STAT", "LIST 1", "UIDL 1", "NOOP", "DELE 1", "RSET", "LANG en")
LONG = ("CAPA", "LIST", "UIDL", "RETR 1", "TOP 1 1", "LANG")


def server_with_policies(server):
    for policy in POLICIES:
        server.account(address_of(policy))
        quiet(server, address_of(policy))
        server.run("account", "pop3", address_of(policy), "--policy", policy)


def answer(wire, text, long=False):
    """The status line, with a long answer read to its end; b"" when the connection was closed."""
    with contextlib.suppress(OSError, AssertionError):
        wire.send(text + "\r\n")
        line = wire.line()
        if long and line.startswith(b"+OK"):
            wire.until(b".\r\n")
        return line
    return b""


def calm(control):
    """No more faults; an allocation that was to fail may be the control socket's."""
    def heal():
        with contextlib.suppress(OSError, ValueError):
            return control.fault().get("ok")
    eventually(heal)


class Places:
    """for nth in places: ... places.felt += 1 when it was"""

    def __iter__(self):
        quiet = 0
        for nth in PLACES:
            self.felt = 0
            yield nth
            quiet = 0 if self.felt else quiet + 1
            if quiet == ENOUGH:
                return
        raise AssertionError("faults were felt to the end")


def felt(line, text):
    """Whether the fault was felt: then in the one way that is allowed."""
    assert re.match(rb"\+OK|-ERR \[SYS/TEMP\]|\Z", line), (text, line)
    return not line.startswith(b"+OK")


def test_each_verb_without_memory():
    with Server() as server:
        server_with_policies(server)
        control, address = Control(server), address_of("keep")
        with server.lmtp() as lmtp:
            lmtp.sendmail(BEN, [address], letter("m0"))
        refusals = closed = 0
        wire = None
        places = Places()
        for nth in places:
            for text in (*SHORT, *LONG):
                if wire is None:
                    wire = Client(server, address).wire
                control.fault(memory=nth)
                line = answer(wire, text, text in LONG)
                calm(control)
                places.felt += felt(line, text)
                refusals += felt(line, text)
                if not line:
                    closed += 1
                    wire = None
                elif felt(line, text):  # the same session, the same verb
                    assert answer(wire, text, text in LONG).startswith(b"+OK"), (nth, text)
        assert view(server, address) == ["m0"]
        assert refusals > 3, "the faults were not felt"
        print(f"note: {refusals} refusals, {closed} of them closed connections")


def test_login_without_memory():
    with Server() as server:
        server_with_policies(server)
        control, address = Control(server), address_of("keep")
        plain = base64.b64encode(f"\0{address}\0{PASSWORD}".encode()).decode()
        refusals = closed = 0
        places = Places()
        for nth in places:
            for dialogue in ((f"USER {address}", f"PASS {PASSWORD}"), (f"AUTH PLAIN {plain}",),
                             ("CAPA", "QUIT")):
                control.fault(memory=nth)
                line = b""
                with contextlib.suppress(OSError):
                    wire = Wire("127.0.0.1", server.ports["pop3"])
                    line = wire.line()
                    for text in dialogue:
                        if not line.startswith(b"+OK"):
                            break
                        line = answer(wire, text, text == "CAPA")
                calm(control)
                places.felt += felt(line, dialogue[0])
                refusals += felt(line, dialogue[0])
                closed += not line
                wire.close()
        assert refusals > 3, "the faults were not felt"
        Client(server, address).ask("STAT")
        print(f"note: {refusals} refusals, {closed} of them closed connections")


def come_again(server, policy, there):
    """After a QUIT that was refused: nothing has happened, or all; then the program comes again.
    Whether it had to."""
    login = login_of("phone", address_of(policy))
    left = view(server, login)
    assert left in (there, there[-1:]), (policy, there, left)
    if left == there[-1:]:
        return False
    client = Client(server, login)
    client.delete(len(there) - 1)
    assert client.quit().startswith(b"+OK")
    return True


def test_quit_without_memory():
    """-ERR, or it has happened; in either case the next try makes it whole, and all is counted
    once."""
    with Server() as server:
        server_with_policies(server)
        control, refusals, closed, repeated = Control(server), 0, 0, 0
        for policy in POLICIES:
            gone, sent, address = [], [], address_of(policy)
            places = Places()
            for nth in places:
                names = [f"m{len(sent)}", f"m{len(sent) + 1}"]
                with server.lmtp() as lmtp:
                    for name in names:
                        lmtp.sendmail(BEN, [address], letter(name))
                sent += names
                client = Client(server, login_of("phone", address))
                there = client.names()
                assert there == [n for n in sent if n not in gone], (policy, nth)
                client.delete(len(there) - 1)
                control.fault(memory=nth)
                line = client.quit()
                calm(control)
                places.felt += felt(line, "QUIT")
                refusals += felt(line, "QUIT")
                closed += not line
                if not line.startswith(b"+OK"):
                    repeated += come_again(server, policy, there)
                gone += there[:-1]
            check(server, policy, gone, sent)
        assert refusals > 10, "the faults were not felt"
        print(f"note: {refusals} refusals, {closed} of them closed connections; {repeated} QUITs "
              f"had to be repeated")
        server.stop()
        server.run("check", "--blobs")
        server.start()


def test_killed_within_quit_on_a_slow_disk():
    """The kill falls into the sync, before it or behind it."""
    with Server() as server:
        def slow():
            Control(server).fault(slow_ms=150)
        happened = rounds_of_kills(server, [0.0, 0.01, 0.1, 0.2, 0.8], slow)
        print(f"note: of five QUITs each had happened before the kill: {happened}")

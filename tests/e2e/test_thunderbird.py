"""Thunderbird's POP3 beside two other devices: leave-on-server and delete cycles, then ledger and
journal."""
import random
import re

from harness import Server
from popdevices import Poplib, quiet, send
from test_clients import ANN, subjects
from thunderbird import Thunderbird

DAYS = 40


def count_of(server, device):
    """(sessions, fetched, removed) of the ledger."""
    told = server.run("account", "devices", ANN).stdout
    numbers = r"(\d+) sessions\tfetched (\d+) .*removed (\d+) \("
    found = re.search(rf"^{device}\t.*\n\tpop3\t.*?{numbers}", told, re.M)
    return tuple(map(int, found.groups()))


def events_of(server, who, *kinds):
    lines = server.run("account", "journal", ANN).stdout.splitlines()
    events = [line.split("\t") for line in lines]
    return sorted(e[4].split()[-1] for e in events if e[1] in kinds and e[3].endswith(f" {who}"))


def test_thunderbird():
    """It leaves mail on the server for days, then removes; two others do so at other times."""
    rng = random.Random(5)
    with Server() as server:
        server.account(ANN)
        quiet(server)
        with Thunderbird(server, "thunderbird", True) as thunderbird:
            others = [Poplib(server, "phone", True), Poplib(server, "desk", True)]
            sent, removed = [], []
            for day in range(DAYS):
                names = [f"d{day}-{i}" for i in range(rng.randrange(4))]
                send(server, *names)
                sent += names
                for device in rng.sample([thunderbird, *others], 3):
                    device.keep = rng.random() < 0.8 and day != DAYS - 1
                    device.turn()
                    got = sorted(n.decode() for n in device.got)
                    assert got == sorted(sent), (day, device.name)
                    if device is thunderbird and not device.keep:
                        removed = list(sent)
            assert removed == sent
            assert count_of(server, "thunderbird") == (thunderbird.sessions, len(sent), len(sent))
            assert events_of(server, "thunderbird", "fetched") == sorted(sent)
            assert events_of(server, "thunderbird", "moved", "hidden") == sorted(sent)
            assert subjects(server) == [] and sorted(subjects(server, "Trash")) == sorted(sent)
            # It left copies for a while, and others removed meanwhile.
            assert 0 < len(events_of(server, "thunderbird", "moved")) < len(sent)

"""The same operations on ever larger mailboxes and among ever more accounts, and imports."""
import subprocess
import time
from dataclasses import replace

from measure import Wrong, run_load, turn
from peers.peer import Broken
from processes import Group, Peak
from session import Session, say
from work import Box, Work

SECONDS = 1.0
DOVECOT_MESSAGES, DOVECOT_ACCOUNTS = 10_000, 1_000  # what Dovecot takes in within a minute
PARTS = ("mailbox", "accounts", "import")
ACCOUNTS = (10, 100, 1_000, 10_000, 100_000)

ANY = Box("", 1)
OPERATION = "microseconds of the server for one operation"


def imap(name, title, load=None, connections=1, **more):
    return Work(name, title, load or name, "imap", "", ANY, connections, **more)


IN_A_MAILBOX = [
    imap("select", "SELECT"),
    imap("newest-flags", "FETCH flags of the newest 20"),
    imap("newest-envelopes", "FETCH envelopes of the newest 20"),
    imap("any-body", "FETCH one body, anywhere"),
    imap("search-uid", "SEARCH by UID, 20 found"),
    imap("search-since", "SEARCH SINCE, a day or two found"),
    imap("store", "STORE one flag"),
    imap("phone", "session of a phone"),
    Work("pop3-newest", "POP3: login, STAT, UIDL, one RETR", "pop3-newest", "pop3", "", ANY, 1),
    imap("fetch-flags", "FETCH 1:* flags, each message"),
    imap("search-body", "SEARCH BODY, each message"),
    # Last: they change how many messages there are.
    Work("lmtp", "LMTP delivery", "lmtp", "lmtp", "", ANY, 1),
    imap("append", "APPEND"),
]
AMONG_ACCOUNTS = [
    imap("login", "login, 16 connections", connections=16),
    imap("phone", "session of a phone, 16 connections", connections=16),
    Work("pop3-newest", "POP3 session, 16 connections", "pop3-newest", "pop3", "", ANY, 16),
    Work("lmtp", "LMTP delivery, 64 connections", "lmtp", "lmtp", "", ANY, 64),
    imap("append", "APPEND, 16 connections", connections=16),
]


def up_to(largest, *sizes):
    return [n for n in sizes if n <= largest] or [largest]


def measure(arguments):
    """Yields the parts that were asked for as they are finished."""
    names = [name for name in arguments.servers if name != "cyrus"]
    largest = arguments.messages
    if {"mailbox", "accounts"} & set(arguments.growth):
        with Session(arguments, names) as servers:
            if "mailbox" in arguments.growth:
                yield mailboxes(servers, up_to(largest, 1_000, 10_000, 100_000, 1_000_000))
            if "accounts" in arguments.growth:
                yield accounts(servers, up_to(max(largest // 10, 10), *ACCOUNTS))
    if "import" in arguments.growth and "postrider" in names:
        # On a server of its own: its memory is then that of the import.
        with Session(arguments, ["postrider"]) as servers:
            yield imports(servers, arguments.folder, up_to(largest, 10_000, 100_000, 1_000_000))


def one(servers, peer, work):
    """Figures of one work after a warm-up; what is done message by message is counted so."""
    servers.warm_up(peer, work)
    # The first SELECT of a million messages and one search of them may take a second each.
    seconds = SECONDS if work.box.messages <= 100_000 else 3 * SECONDS
    words = servers.words(peer, work, seconds)
    figures = turn(peer, lambda: run_load(servers.place, words, seconds))
    if work.name == "search-body":
        figures["cpu_us"] /= work.box.messages
    return figures


def rows_for(names, works):
    return {(name, work.name): {"operation": work.title, "server": name, "cpu_us": {},
                                "p50_us": {}, "failed": ""}
            for name in names for work in works}


def steps(servers, works, sizes, box_of):
    """Each work at each size on each server; where a server fails it has no figure."""
    names = [name for name in servers.peers if name != "postfix"]
    rows = rows_for(names, works)
    for size in sizes:
        for name in names:
            peer, box = servers.peers[name], box_of(name, size)
            if box is None or name in servers.failed:
                continue
            say(f"growth: {size:,} on {peer.title}")
            for work in works:
                step(servers, peer, replace(work, box=box), rows[name, work.name], size)
    return list(rows.values())


def step(servers, peer, work, row, size):
    try:
        figures = one(servers, peer, work)
    except (Wrong, Broken) as why:
        row["failed"] = str(why)
        say(f"    {work.title}: {why}")
        return
    row["cpu_us"][str(size)], row["p50_us"][str(size)] = figures["cpu_us"], figures["p50_us"]
    say(f"    {work.title:<36} {figures['cpu_us']:>12,.2f} us CPU, p50 {figures['p50_us']:>10,} us")


def mailboxes(servers, sizes):
    def box_of(name, size):
        too_large = name == "dovecot" and size > DOVECOT_MESSAGES
        return None if too_large else Box(f"grow{size}-", 1, size, small=True)

    return {"name": "mailbox", "title": "messages in one mailbox", "steps": sizes,
            "note": f"{OPERATION}; 1 KiB messages; logarithmic",
            "rows": steps(servers, IN_A_MAILBOX, sizes, box_of)}


def accounts(servers, sizes):
    def box_of(name, size):
        too_many = name == "dovecot" and size > DOVECOT_ACCOUNTS
        return None if too_many else Box(f"many{size}-", size, 1, small=True)

    for peer in servers.peers.values():
        peer.cheap_passwords = True
    return {"name": "accounts", "title": "accounts", "steps": sizes,
            "note": f"{OPERATION}, one account after the other; 1 KiB messages; logarithmic",
            "rows": steps(servers, AMONG_ACCOUNTS, sizes, box_of)}


# --- import ---

FILLER = "".join(f"Line {n} of a message that was written to be counted.\n" for n in range(15))


def message(n):
    return (f"From: Ann <ann@a.test>\nTo: ben@bench.test\nSubject: letter {n}\n"
            f"Message-ID: <{n}@a.test>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n\n{FILLER}\n")


def write_mbox(path, messages):
    with open(path, "w") as mbox:
        for n in range(messages):
            mbox.write(f"From ann@a.test Thu Jan  1 00:00:00 2026\n{message(n)}")


def write_maildir(path, messages):
    for name in ("cur", "new", "tmp"):
        (path / name).mkdir(parents=True)
    for n in range(messages):
        with open(f"{path}/cur/{1_700_000_000 + n}.M{n}P1.a.test:2,S", "w") as file:
            file.write(message(n))


KINDS = {"mbox": write_mbox, "Maildir": write_maildir}
FIGURES = {"per_second": "messages a second", "server_cpu": "CPU of the server, us a message",
           "server": "peak memory of the server, MiB", "command": "peak memory of the command, MiB"}


def imports(servers, folder, sizes):
    """Time and memory of `postrider import` into a running server; the memory must not grow."""
    peer = servers.peers["postrider"]
    rows = {(kind, key): {"operation": f"{kind}: {title}", "server": "postrider", "values": {},
                          "failed": ""} for kind in KINDS for key, title in FIGURES.items()}
    for size in sizes:
        for kind, write in KINDS.items():
            say(f"import of {kind} of {size:,} messages")
            source = folder / f"import-{kind}"
            write(source, size)
            try:
                figures = import_one(peer, f"import-{kind}-{size}@bench.test".lower(), source, size)
                for key, value in figures.items():
                    rows[kind, key]["values"][str(size)] = value
            except (Wrong, Broken) as why:
                rows[kind, "per_second"]["failed"] = str(why)
                say(f"    {why}")
            finally:
                subprocess.run(["rm", "-rf", source])
    return {"name": "import", "title": "messages imported at once", "steps": sizes,
            "rows": list(rows.values())}


def import_one(peer, address, source, size):
    peer.resume()
    peer.need_accounts([address])
    command = Group("import")
    before, began = peer.group.cpu_us(), time.monotonic()
    try:
        with Peak([peer.group]) as server, Peak([command]) as own:
            process = command.spawn(peer.program("import", "--account", address, source),
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            told = process.communicate()[0]
        taken = time.monotonic() - began
        peer.group.settle()
        if process.returncode != 0 or f"{size} imported" not in told:
            raise Wrong(f"import ended with {process.returncode}: {told.strip()[-300:]}")
        used = (peer.group.cpu_us() - before) / size
    finally:
        command.remove()
        peer.pause()
    say(f"    {size / taken:,.0f} messages/s, server {used:,.1f} us each, "
        f"{server.bytes / 2**20:,.0f} MiB, command {own.bytes / 2**20:,.0f} MiB")
    return {"per_second": size / taken, "server_cpu": used, "server": server.bytes / 2**20,
            "command": own.bytes / 2**20}

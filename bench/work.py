"""The workloads: what each asks of a server, from which mailboxes, and the mark it has to reach."""
from dataclasses import dataclass

from limits import Needs


@dataclass(frozen=True)
class Box:
    """Accounts NAME1..NAMEn@bench.test whose INBOX holds `messages` before the first round."""
    name: str
    accounts: int
    messages: int = 0
    corpus: bool = False  # filled with the corpus beside the repository, not with made messages
    small: bool = False   # of 1 KiB instead of 4

    @property
    def format(self):
        return f"{self.name}%d@bench.test"

    def addresses(self):
        return [self.format % n for n in range(1, self.accounts + 1)]


USERS = Box("user", 100)
SENDERS = Box("smtp", 100)       # the load reads these mailboxes: nothing else may be in them
CORPUS_USERS = Box("reader", 100)
PHONES = Box("phone", 100, 100)
STORES = Box("store", 32, 100)
POPS = Box("pop", 8, 1_000)
BIG = Box("big", 1, 10_000)
CORPUS = Box("corpus", 1, 2_000, corpus=True)
WATCHED = Box("idle", 100)


@dataclass(frozen=True)
class Work:
    """One row of the table. ratio and cpu_ratio are the marks against Dovecot; None: no mark."""
    name: str
    title: str
    load: str        # what bench-load calls it
    listener: str    # the port it is given
    unit: str        # what is counted
    box: Box
    connections: int
    ratio: float = None
    cpu_ratio: float = None
    tls: bool = False
    corpus: bool = False  # the messages that are sent are the corpus
    others: tuple = ()    # listeners beside the first that it needs
    more: tuple = ()
    needs: Needs = None    # what bounds it on this machine


def in_both(name, title, ratio, ratio_tls, needs, needs_tls, **rest):
    """The same work plain and with TLS."""
    return [Work(name, title, ratio=ratio, needs=needs, **rest),
            Work(name + "-tls", title + ", TLS", ratio=ratio_tls, needs=needs_tls, tls=True,
                 **{**rest, "listener": rest["listener"] + "s"})]


ANSWER, SEALED = Needs(answer=True), Needs(answer=True, sealed=True)


def fetch(name, title, ratio, ratio_tls=None):
    return in_both(name, title, ratio, ratio_tls, ANSWER, SEALED, load=name, listener="imap",
                   unit="messages", box=BIG, connections=2)


def lmtp(name, title, connections, ratio=None, cpu_ratio=None, **more):
    more = {"box": USERS, **more}
    return Work(name, f"LMTP delivery{title}", "lmtp", "lmtp", "messages", ratio=ratio,
                cpu_ratio=cpu_ratio, connections=connections,
                needs=Needs(commits=1, threads=connections), **more)


def of_corpus(name, title):
    return Work(name + "-corpus", title, name, "imap", "messages", CORPUS, 2, needs=ANSWER)


# A phone stores one flag.
LOGIN, PHONE = {"session": "login"}, {"session": "phone", "commits": 1}

WORKS = [
    lmtp("lmtp-1", ", 1 connection", 1),
    lmtp("lmtp-8", ", 8 connections", 8),
    lmtp("lmtp-64", ", 64 connections", 64, 8, 10),
    lmtp("lmtp-corpus", " of the corpus, 8 connections", 8, box=CORPUS_USERS, corpus=True),
    Work("smtp", "SMTP to mailbox, 64 connections", "smtp-to-mailbox", "smtp", "messages", SENDERS,
         64, 20, 25, others=("imap",), needs=Needs(commits=1)),
    Work("append", "APPEND, 8 connections", "append", "imap", "messages", USERS, 8, 4,
         needs=Needs(commits=1, threads=8)),
    *fetch("fetch-flags", "FETCH 1:* flags", 2),
    *fetch("fetch-header-fields", "FETCH 1:* header fields", 5),
    *fetch("fetch-envelope", "FETCH 1:* envelope and structure", 10),
    *fetch("fetch-bodies", "FETCH 1:* whole messages", 6, 10),
    of_corpus("fetch-envelope", "FETCH 1:* envelope and structure, corpus"),
    of_corpus("fetch-bodies", "FETCH 1:* whole messages, corpus"),
    Work("select", "SELECT of 10,000, 8 sessions", "select", "imap", "commands", BIG, 8, 5,
         needs=Needs(round_trips=1)),
    Work("store", "STORE, 32 sessions", "store", "imap", "commands", STORES, 32, 2,
         needs=Needs(commits=1, threads=32)),
    Work("search-body", "SEARCH BODY in 10,000", "search-body", "imap", "searches", BIG, 1, 20,
         needs=Needs(scanned_bytes=BIG.messages * 4096)),
    *in_both("login", "login, 16 at a time", 10, 5, Needs(**LOGIN), Needs(handshakes=1, **LOGIN),
             load="login", listener="imap", unit="logins", box=PHONES, connections=16),
    *in_both("phone", "session of a phone, 16 at a time", 15, 8, Needs(**PHONE),
             Needs(handshakes=1, **PHONE), load="phone", listener="imap", unit="sessions",
             box=PHONES, connections=16),
    Work("pop3", "POP3 download, 4 sessions", "pop3", "pop3", "messages", POPS, 4, 6, needs=ANSWER),
    Work("mixed", "all at once", "mixed", "imap", "operations", PHONES, 64,
         others=("lmtp", "pop3")),
]

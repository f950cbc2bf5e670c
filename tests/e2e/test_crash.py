"""kill -9 in the middle of deliveries: nothing acknowledged is lost, nothing is there twice."""
import random
import re
import threading
import time

from harness import Server
from imapwire import Imap
from messages import text

ROUNDS, SENDERS = 5, 8


def letter(token):
    return text("From: x@y.test", f"Subject: {token}", f"X-Token: {token}", "", "text " * 200)


class Sender(threading.Thread):
    """Delivers until the server is gone; keeps what was tried and what was acknowledged."""

    def __init__(self, server, name, way):
        super().__init__()
        self.server, self.name_, self.way = server, name, way
        self.tried, self.acknowledged = [], []

    def run(self):
        try:
            getattr(self, self.way)()
        except (OSError, AssertionError, EOFError):
            pass  # the server was killed
        except Exception as e:
            if "closed" not in str(e).lower() and "Connection" not in str(e):
                raise

    def tokens(self):
        for i in range(100000):
            token = f"{self.name_}-{i}"
            self.tried.append(token)
            yield token

    def lmtp(self):
        with self.server.lmtp() as client:
            for token in self.tokens():
                client.sendmail("x@y.test", ["ann@example.test"], letter(token))
                self.acknowledged.append(token)

    def smtp(self):
        with self.server.smtp() as client:
            for token in self.tokens():
                client.sendmail("x@y.test", ["ann@example.test"], letter(token))
                self.acknowledged.append(token)

    def imap(self):
        client = Imap(self.server, "ann@example.test")
        for token in self.tokens():
            if client.append("INBOX", letter(token)).startswith(b"OK"):
                self.acknowledged.append(token)


def stored_tokens(server):
    imap = Imap(server, "ann@example.test")
    n = imap.select("INBOX")
    found = []
    if n:
        imap.command("FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (X-Token)])")
        for item in imap.fetched():
            value = next(v for k, v in item.items() if k.startswith("BODY["))
            found.append((int(item["UID"]), re.search(rb"X-Token: (\S+)", value).group(1).decode()))
    status = imap.command("STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)")
    assert status.startswith(b"OK")
    numbers = dict(re.findall(rb"(\w+) (\d+)", imap.untagged[-1]))
    imap.close()
    return found, {k.decode(): int(v) for k, v in numbers.items()}


def test_kill_in_the_middle_of_deliveries():
    rng = random.Random(4)
    server = Server()
    with server:
        server.account("ann@example.test")
        tried, acknowledged, before, seen_uids = set(), set(), None, {}
        for round_ in range(ROUNDS):
            senders = [Sender(server, f"r{round_}s{i}", ("lmtp", "smtp", "imap")[i % 3])
                       for i in range(SENDERS)]
            for sender in senders:
                sender.start()
            while sum(len(s.acknowledged) for s in senders) < 50:
                time.sleep(0.01)
            time.sleep(rng.random() * 0.3)
            server.kill()
            for sender in senders:
                sender.join()
                tried.update(sender.tried)
                acknowledged.update(sender.acknowledged)
            server.start()
            found, numbers = stored_tokens(server)
            tokens = [token for _, token in found]
            assert len(tokens) == len(set(tokens)), "a message is there twice"
            assert acknowledged <= set(tokens), sorted(acknowledged - set(tokens))[:5]
            assert set(tokens) <= tried
            for uid, token in found:
                assert seen_uids.setdefault(uid, token) == token, "a UID was used again"
            if before:
                assert numbers["UIDVALIDITY"] == before["UIDVALIDITY"]
                assert numbers["UIDNEXT"] >= before["UIDNEXT"]
                assert numbers["HIGHESTMODSEQ"] >= before["HIGHESTMODSEQ"]
            before = numbers
        print(f"note: {ROUNDS} kills, {len(acknowledged)} acknowledged messages, all there once")


def test_start_after_kill_of_an_idle_server():
    with Server() as server:
        server.account("ann@example.test")
        with server.lmtp() as client:
            client.sendmail("x@y.test", ["ann@example.test"], letter("one"))
        server.kill()
        server.start()
        assert stored_tokens(server)[0] == [(1, "one")]

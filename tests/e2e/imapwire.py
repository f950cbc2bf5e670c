"""A small exact IMAP client: answers as parsed values, bytes untouched."""
import re

from harness import PASSWORD


class Imap:
    """`fetch` gives a dict of one message's items; literals, strings and atoms are bytes, lists are
    lists, NIL is None."""

    def __init__(self, server, login=None, password=PASSWORD, tls=False):
        self.wire = server.connect("imaps" if tls else "imap", tls)
        self.greeting = self.wire.line()
        self.count = 0
        self.untagged = []  # answers of the last command, parsed
        if login:
            assert self.command(b"LOGIN " + quote(login) + b" " + quote(password)).startswith(b"OK")

    # --- reading ---

    def answer(self):
        """One answer line with its literals."""
        line = self.wire.file.readline()
        if not line:
            raise AssertionError("the server closed the connection")
        while True:
            match = re.search(rb"\{(\d+)\}\r\n\Z", line)
            if not match:
                return line[:-2]
            line += self.wire.read(int(match.group(1)))
            line += self.wire.file.readline()

    def command(self, text, literals=()):
        """Sends a command (with literals after `{n}` places); returns the tagged answer's rest."""
        self.count += 1
        tag = b"t%d" % self.count
        self.wire.send(tag + b" " + (text if isinstance(text, bytes) else text.encode()) + b"\r\n")
        self.untagged = []
        for literal in literals:
            answer = self.answer()
            if not answer.startswith(b"+"):
                return answer.split(b" ", 1)[1]
            self.wire.send(literal)
        return self.finish(tag)

    def finish(self, tag):
        while True:
            answer = self.answer()
            if answer.startswith(tag + b" "):
                return answer[len(tag) + 1:]
            if answer.startswith(b"* "):
                self.untagged.append(answer[2:])

    # --- commands ---

    def select(self, mailbox, command="SELECT"):
        """Number of messages."""
        answer = self.command(f'{command} "{mailbox}"')
        assert answer.startswith(b"OK"), answer
        return next(int(u.split()[0]) for u in self.untagged if u.endswith(b" EXISTS"))

    def fetch(self, number, items, uid=False):
        answer = self.command(f"{'UID ' if uid else ''}FETCH {number} {items}")
        assert answer.startswith(b"OK"), answer
        for fetched in self.fetched():
            if uid or fetched["seq"] == number:
                return fetched
        raise AssertionError(f"no answer for {number} {items}: {self.untagged}")

    def fetched(self):
        """All FETCH answers of the last command."""
        out = []
        for line in self.untagged:
            match = re.match(rb"(\d+) FETCH ", line)
            if match:
                values = parse(line[match.end():])[0]
                out.append({"seq": int(match.group(1)),
                            **{name(k): v for k, v in zip(values[::2], values[1::2])}})
        return out

    def append(self, mailbox, message, flags="", date=""):
        args = "".join(f" {x}" for x in (flags, date) if x)
        return self.command(f'APPEND "{mailbox}"{args} {{{len(message)}}}',
                            [message + b"\r\n"])

    def noop(self):
        return self.command("NOOP")

    def close(self):
        self.command("LOGOUT")
        self.wire.close()


def name(key):
    return key.decode().upper() if not isinstance(key, list) else str(key)


def quote(s):
    return b'"' + s.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


ATOM = re.compile(rb"[^\s()\"{\[]+(?:\[[^\]]*\](?:<\d+>)?)?")


def parse(data):
    """Parses values until the end: [values]."""
    values, at = parse_list(data, 0, False)
    assert at == len(data), data[at:at + 50]
    return values


def parse_list(data, at, nested):
    out = []
    while at < len(data):
        c = data[at:at + 1]
        if c == b" ":
            at += 1
        elif c == b"(":
            inner, at = parse_list(data, at + 1, True)
            out.append(inner)
        elif c == b")":
            assert nested, "unbalanced )"
            return out, at + 1
        elif c == b'"':
            end = at + 1
            while data[end:end + 1] != b'"':
                end += 2 if data[end:end + 1] == b"\\" else 1
            out.append(re.sub(rb"\\(.)", rb"\1", data[at + 1:end]))
            at = end + 1
        elif c == b"{":
            match = re.match(rb"\{(\d+)\}\r\n", data[at:at + 30])
            begin = at + match.end()
            at = begin + int(match.group(1))
            out.append(data[begin:at])
        else:
            match = ATOM.match(data, at)
            assert match, data[at:at + 40]
            out.append(None if match.group() == b"NIL" else match.group())
            at = match.end()
    assert not nested, "unbalanced ("
    return out, at

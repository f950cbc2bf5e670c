"""A hundred days of POP3: five accounts, each with another policy and three devices, with the
programs people use, and a clock that goes on by a day. Whatever the devices remove, each gets every
message once, nothing is lost, and ledger and journal tell what the programs did."""
import calendar
import random
import re
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor

from dayclock import DAY, Days
from harness import DOMAIN, Server
from popdevices import (Curl, Fetchmail, Getmail, GetmailImap, Mpop, Mutt, Poplib, names_in, quiet,
                        send)
from test_clients import subjects

LAST_DAY = 99
RETENTION = 30                      # days, as when nothing else is set
# days until a device comes again, and until one that removes at all does so again
LONGEST_AWAY, LONGEST_KEPT = 10, 24
# An account for each policy: its devices, and whether each ever removes. The first comes by its tag
# and by an app password of the same name in turns, the second by its tag, the third by an app
# password.
BOXES = {
    "keep": ((Poplib, True), (Curl, True), (GetmailImap, False)),
    "read": ((Poplib, True), (Mutt, True), (Fetchmail, False)),
    "archive": ((Poplib, True), (Mpop, True), (Fetchmail, True)),
    "trash": ((Poplib, True), (Getmail, True), (Mutt, True)),
    "delete": ((Poplib, False), (Mpop, True), (Getmail, False)),
}
TARGET = {"archive": "Archive", "trash": "Trash"}


class Box:
    """An account, and what its devices must see."""

    def __init__(self, server, policy, seed):
        self.server, self.policy, self.rng = server, policy, random.Random(seed)
        self.address = f"{policy}@{DOMAIN}"
        server.account(self.address)
        quiet(server, self.address)
        if policy != "trash":  # which is the default
            server.run("account", "pop3", self.address, "--policy", policy)
        self.sent = {}                    # name -> day
        # name -> (day, device) of the removal by which it left the Inbox
        self.left = {}
        self.devices, self.removes = [], {}
        self.removed = defaultdict(dict)  # device -> {name: day}
        self.fetched = defaultdict(dict)  # likewise
        self.last, self.last_removal = Counter(), Counter()
        for i, (kind, removes) in enumerate(BOXES[policy]):
            name = kind.__name__.lower()
            secret = server.run("account", "app-password", "add", self.address,
                                name).stdout.strip() if i != 1 else None
            device = kind(server, name, True, self.address, secret if i == 2 else None)
            device.secret = secret
            self.devices.append(device)
            self.removes[name] = removes

    def alternate(self, device, day):
        """A tag and an app password of one name are one device."""
        if device is self.devices[0]:
            user, domain = self.address.split("@")
            device.login = self.address if day % 2 else f"{user}+{device.name}@{domain}"
            device.password = device.secret if day % 2 else "correct horse battery"

    def visible(self, name):
        return [n for n in self.sent if n not in self.removed[name]]

    def day(self, day):
        names = [f"d{day}-{i}" for i in range(self.rng.randrange(1, 4))]
        send(self.server, *names, to=self.address)
        self.sent.update((n, day) for n in names)
        for device in self.rng.sample(self.devices, 3):
            away = day - self.last[device.name]
            often = 0.6 if type(device) is Poplib else 0.08
            if away >= LONGEST_AWAY or day == LAST_DAY or self.rng.random() < often:
                self.turn(device, day)

    def turn(self, device, day):
        name = device.name
        self.alternate(device, day)
        self.last[name] = day
        if type(device) is Poplib and self.rng.random() < 0.15:
            device.break_off()
        since = day - self.last_removal[name]
        device.keep = not self.removes[name] or (since < LONGEST_KEPT - LONGEST_AWAY
                                                 and self.rng.random() < 0.6)
        before = len(device.got)
        device.turn()
        self.check_got(device, device.got[before:], day)
        if not device.keep:
            self.last_removal[name] = day
            for n in self.visible(name):
                self.removed[name][n] = day
                if self.policy in ("archive", "trash", "delete"):
                    self.left.setdefault(n, (day, name))

    def check_got(self, device, new, day):
        new = [n.decode() for n in new]
        want = [n for n in self.sent if n not in self.fetched[device.name]]
        assert sorted(new) == sorted(want), (self.policy, device.name, day,
                                             sorted(set(new) ^ set(want)))
        self.fetched[device.name].update((n, day) for n in new)

    # --- what there is at the end ---

    def check(self, started):
        for device in self.devices:
            assert sorted(n.decode() for n in device.got) == sorted(self.sent), device.name
        self.check_mailboxes()
        self.check_ledger()
        self.check_journal(started)

    def check_mailboxes(self):
        inbox = subjects(self.server, login=self.address)
        assert sorted(inbox) == sorted(n for n in self.sent if n not in self.left), self.policy
        for mailbox in ("Archive", "Trash"):
            there = subjects(self.server, mailbox, self.address)
            may = set(self.left) if mailbox == TARGET.get(self.policy) else set()
            # From the trash they go when the retention time has passed, and only then.
            must = {n for n in may if mailbox == "Archive"
                    or self.left[n][0] > LAST_DAY - RETENTION}
            told = (self.policy, mailbox)
            assert len(there) == len(set(there)) and must <= set(there) <= may, told
            if mailbox == "Trash" and may:
                assert len(there) < len(may) - 20, "nothing has left the trash"
        if self.policy == "read":
            imap = self.server.imap(self.address)
            imap.select(readonly=True)
            assert imap.search(None, "UNSEEN")[1] == [b""]
            imap.logout()

    def check_ledger(self):
        """Sessions and counts of each device are what its program did."""
        told = self.server.run("account", "devices", self.address).stdout
        found = dict(re.findall(r"^(\S+\t.*\n\t\S+)\t(.*)$", told, re.M))
        found = {(key.split()[0], key.split()[-1]): numbers for key, numbers in found.items()}
        assert set(found) == {(d.name, d.protocol) for d in self.devices}, told
        for device in self.devices:
            numbers = re.search(r"(\d+) sessions\tfetched (\d+) \((\d+) bytes\)\tremoved (\d+) "
                                r"\((\d+)",
                                found[device.name, device.protocol])
            sessions, fetched, n_bytes, removed, _ = map(int, numbers.groups())
            assert (sessions, fetched, removed) == (
                device.sessions, len(device.got),
                len(self.removed[device.name])), (self.policy, device.name, told)
            if type(device) is Poplib:
                assert n_bytes == device.fetched_bytes, (self.policy, told)

    def expected_events(self, first):
        """(what, who, name) of all days from `first` on."""
        out = Counter({("delivered", "lmtp 127.0.0.1", n): 1 for n,
                       day in self.sent.items() if day >= first})
        leaving = {"archive": "moved", "trash": "moved", "delete": "removed"}
        for device in self.devices:
            who = f"pop3 127.0.0.1 {device.name}"
            if device.protocol == "pop3":
                out.update(("fetched", who, n) for n,
                           day in self.fetched[device.name].items() if day >= first)
            for n, day in self.removed[device.name].items():
                first_one = self.left.get(n, (None, None)) == (day, device.name)
                if day >= first:
                    out[leaving[self.policy] if first_one else "hidden", who, n] += 1
        return out

    def check_journal(self, started):
        """The last 25 days of it; what was read is told besides. It reaches as far back as the
        retention time."""
        first = LAST_DAY - 25
        told, found = self.server.run("account", "journal",
                                      self.address).stdout.splitlines(), Counter()
        for line in told:
            when, what, mailbox, who, message = line.split("\t")
            seconds = calendar.timegm(time.strptime(when, "%Y-%m-%d %H:%M:%S"))
            day = int((seconds + 1 - started) // DAY)
            name = message.split()[-1]
            if who == "system":  # empties the trash, and purges what was removed for good
                if what == "removed":
                    assert self.policy == "trash" and day - self.left[name][0] >= RETENTION, line
                else:
                    assert what == "purged" and self.policy in ("trash",
                                                                "delete") and day >= RETENTION, line
            elif day >= first and what != "read":
                found[what, who, name] += 1
            if what == "moved":
                assert mailbox == f"INBOX -> {TARGET[self.policy]}", line
        want = self.expected_events(first)
        assert found == want, (self.policy, list((found - want).items())[:5],
                               list((want - found).items())[:5])

    # --- putting back ---

    def removed_lately(self, device):
        """What it removed in the last 25 days, and what of that left the Inbox by it."""
        mine = [n for n, day in self.removed[device.name].items() if day > LAST_DAY - 25]
        return mine, [n for n in mine if self.left.get(n, (0, ""))[1] == device.name]

    def check_restore(self):
        """What one device removed comes back, under the unique-id as before; no other fetches
        anything again."""
        device = max(self.devices[:2],
                     key=lambda d: [len(names) for names in self.removed_lately(d)[::-1]])
        mine, back = self.removed_lately(device)
        assert mine and (back or self.policy in ("keep", "read")), "nothing was removed lately"
        done = self.server.run("account", "restore", self.address, "--since", "25d", "--by",
                               device.name)
        told = (self.policy, len(back), done.stdout)
        assert done.stdout.startswith(f"{len(back)} messages put back, "), told
        assert f"{len(mine)} shown" in done.stdout, (len(mine), done.stdout)
        inbox = subjects(self.server, login=self.address)
        assert sorted(inbox) == sorted([*(n for n in self.sent if n not in self.left),
                                        *back]), self.policy
        pop3 = self.server.pop3(device.login, device.password)
        there = {names_in(b"\n".join(pop3.top(int(n), 0)[1]))[0].decode() for n,
                 _ in map(bytes.split, pop3.uidl()[1])}
        pop3.quit()
        device.sessions += 1
        left = [n for n in self.sent if n not in self.removed[device.name]]
        # What another device removed longer ago than the retention time is in no view any more.
        old = {n for n in mine if n not in back and n in self.left
               and self.left[n][0] <= LAST_DAY - RETENTION}
        assert {*mine, *left} - old <= there <= {*mine, *left}, (self.policy, sorted(old), there)
        for other in self.devices:
            other.keep = True
            before = len(other.got)
            other.turn()
            again = sorted(n.decode() for n in other.got[before:])
            # A program forgets what it has removed, and may take that again.
            told = (self.policy, other.name, again)
            assert again == [] or (other is device and again == sorted({*mine} & there)), told
        self.check_ledger()


    def check_removal_by_imap(self):
        """getmail empties the Inbox by IMAP, and that comes back, too."""
        device = next(d for d in self.devices if d.protocol == "imap")
        before, device.keep = len(device.got), False
        device.turn()
        self.removed[device.name] = dict.fromkeys(self.sent, LAST_DAY)
        assert device.got[before:] == [] and subjects(self.server, login=self.address) == []
        self.check_ledger()
        done = self.server.run("account", "restore", self.address, "--since", "1h", "--by",
                               device.name)
        assert done.stdout.startswith(f"{len(self.sent)} messages put back"), done.stdout
        assert sorted(subjects(self.server, login=self.address)) == sorted(self.sent)


def at_once(fn, boxes):
    with ThreadPoolExecutor(max_workers=3) as pool:
        list(pool.map(fn, boxes))


def test_hundred_days():
    with Days() as days, Server(env=days.env) as server:
        boxes = [Box(server, policy, seed) for seed, policy in enumerate(BOXES)]
        started = time.time()
        for day in range(LAST_DAY + 1):
            if day:
                days.pass_on()
            if day % 40 == 20:
                server.stop()
                server.start(same_ports=True)
            at_once(lambda box: box.day(day), boxes)
        at_once(lambda box: box.check(started), boxes)
        at_once(lambda box: box.check_restore(), boxes)
        boxes[0].check_removal_by_imap()
        server.stop()
        server.run("check", "--blobs")
        server.start()
        print(f"note: {sum(d.sessions for b in boxes for d in b.devices)} sessions, "
              f"{sum(len(b.sent) for b in boxes)} messages, "
              f"{sum(len(r) for b in boxes for r in b.removed.values())} removals")

"""What the machine itself can do: bench-limits, one JSON line a limit; and the share of it that a
server reaches."""
import json
import statistics
import subprocess
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Needs:
    """What one operation cannot go without, however well a server is made."""
    commits: int = 0         # to a log that `threads` write together
    threads: int = 64
    round_trips: int = 0     # of the smallest question and answer
    session: str = ""        # connect, its requests and answers, close: what bench-limits calls it
    answer: bool = False     # its bytes go through loopback
    sealed: bool = False     # and are encrypted, and decrypted by the client
    handshakes: int = 0
    scanned_bytes: int = 0   # from memory


def measure(arguments):
    """{"lines": [...]} or {"failed": why}."""
    made = subprocess.run(["ninja", "-C", arguments.build, "--quiet", "bench/bench-limits"],
                          text=True, capture_output=True)
    if made.returncode != 0:
        return {"failed": (made.stdout + made.stderr).strip()[-300:]}
    program, seconds = arguments.build / "bench" / "bench-limits", min(arguments.seconds, 2)
    done = subprocess.run([program, "--seconds", str(seconds)], text=True, capture_output=True,
                          cwd=arguments.folder)
    if done.returncode != 0:
        return {"failed": done.stderr.strip()[-300:] or done.stdout.strip()[-300:]}
    return {"lines": [json.loads(line) for line in done.stdout.splitlines() if line.strip()]}


def found(lines, limit, figure, **where):
    """The figure of one line; None when it was not measured."""
    for line in lines:
        if line["limit"] == limit and all(line.get(k) == v for k, v in where.items()):
            return line.get(figure)
    return None


def costs(needs, lines, cores, bytes_each):
    """(words, times needed, how many a second) of each thing that the operation needs."""
    if needs["commits"]:
        threads = needs["threads"]
        yield (f"group commit, {threads} threads", needs["commits"],
               found(lines, "group-commit", "per_second", threads=threads))
    if needs["round_trips"]:
        yield (f"{needs['round_trips']} round trips", needs["round_trips"],
               found(lines, "round-trips", "per_second", connections=64))
    if needs.get("session"):
        yield (f"connections and bytes of a {needs['session']}", 1,
               found(lines, "sessions", "per_second", kind=needs["session"]))
    if needs["handshakes"]:
        each = found(lines, "handshakes", "server_per_cpu_second", key="ecdsa-p256", resumed=False)
        yield "handshake", needs["handshakes"], each and each * cores
    if needs["answer"]:
        copied = found(lines, "loopback-copy", "mb_per_second", connections=1)
        yield "loopback copy", bytes_each / 1e6, copied
    if needs["sealed"]:
        sealed = found(lines, "aes-gcm", "mb_per_second", bits=256)
        yield "AES-GCM, both sides", 2 * bytes_each / 1e6, sealed and sealed * cores
    if needs["scanned_bytes"]:
        yield "memcpy", needs["scanned_bytes"] / 1e6, found(lines, "memcpy", "mb_per_second")


def share(work, lines, cores):
    """{"of", "most_per_second", "share"} of one work's result, or None."""
    server = work["servers"].get("postrider", {})
    if not work.get("needs") or not server.get("summary"):
        return None
    bytes_each = statistics.median(r.get("bytes", 0) for r in server["rounds"])
    parts = list(costs(work["needs"], lines, cores, bytes_each))
    if not parts or not all(times and rate for _, times, rate in parts):
        return None
    most = 1 / sum(times / rate for _, times, rate in parts)
    return {"of": " + ".join(words for words, _, _ in parts), "most_per_second": most,
            "share": server["summary"]["per_second"]["median"] / most}


def give_shares(data):
    """Each work of the results gets its share of the limits that were found on this machine."""
    lines = data.get("limits", {}).get("lines", [])
    for work in data["works"]:
        work["limit"] = share(work, lines, data["machine"]["cores"])


def as_dict(needs):
    return asdict(needs) if needs else None

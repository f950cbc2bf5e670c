"""One turn of one workload on one server, and what the turns say when laid side by side."""
import json
import statistics
import subprocess

from processes import Peak

LOAD_SECONDS = 120  # the most that a turn may take beyond its own time


class Wrong(Exception):
    """An answer was wrong, or the load could not run: there is no figure, only this text."""


def ended(done):
    return f"bench-load ended with {done.returncode}: {done.stderr.strip()[-300:] or done.stdout}"


def run_load(place, words, seconds):
    """bench-load's JSON; Wrong when any answer was."""
    program = place.build / "bench" / "bench-load"
    words = [str(w) for w in (program, *words)]
    try:
        done = subprocess.run(words, text=True, capture_output=True, timeout=seconds + LOAD_SECONDS)
    except subprocess.TimeoutExpired:
        raise Wrong(f"bench-load did not end: {' '.join(words[1:])}") from None
    try:
        told = json.loads(done.stdout)
    except ValueError:
        raise Wrong(ended(done)) from None
    if told["failed"]:
        wrong, all_of_them = told["failed"], told["ok"] + told["failed"]
        raise Wrong(f"{wrong} of {all_of_them} wrong: {told['first_error']}")
    if not told["ok"]:
        raise Wrong("nothing was done in the time of a round")
    if done.returncode != 0:
        raise Wrong(ended(done))
    return told


def turn(peer, load, settle=3.0):
    """Calls load() on a server that is paused before and after; gives the figures of a round."""
    groups = peer.groups()
    peer.resume()
    try:
        before = sum(group.cpu_us() for group in groups)
        with Peak(groups) as peak:
            told = load()
        for group in groups:
            group.settle(settle)
        used = sum(group.cpu_us() for group in groups) - before
    finally:
        peer.pause()
    latency = told["latency_us"]
    return {"per_second": told["per_second"], "ok": told["ok"], "seconds": told["seconds"],
            "p50_us": latency["p50"], "p99_us": latency["p99"], "cpu_us": used / told["ok"],
            "memory": peak.bytes, "bytes": told["bytes"] / told["ok"],
            "load_cpu_us": told["load_cpu_us"] / told["ok"]}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summary(rounds):
    """The spread of each figure over the rounds of one server."""
    keys = ("per_second", "p50_us", "p99_us", "cpu_us", "memory")
    return {key: spread([r[key] for r in rounds]) for key in keys}


def ratios(ours, theirs):
    """Round by round: how many times faster, how many times less CPU, memory and waiting."""
    pairs = [pair for pair in zip(ours, theirs) if pair[0] and pair[1]]
    if not pairs:
        return None
    of = {"per_second": spread([a["per_second"] / b["per_second"] for a, b in pairs])}
    for key in ("cpu_us", "memory", "p50_us", "p99_us"):
        of[key] = spread([b[key] / max(a[key], 1e-9) for a, b in pairs])
    return of


def compare(result):
    """Adds to one work's result the ratios to each peer and to the best peer of each round."""
    servers = result["servers"]
    good = {name: s["rounds"] for name, s in servers.items() if not s["failed"] and s["rounds"]}
    for name, rounds in good.items():
        servers[name]["summary"] = summary(rounds)
    ours = good.pop("postrider", None)
    result["ratios"] = {}
    if not ours or not good:
        return result
    for name, rounds in good.items():
        result["ratios"][name] = ratios(ours, rounds)
    best = [{key: (max if key == "per_second" else min)(r[key] for r in rounds)
             for key in ("per_second", "cpu_us", "memory", "p50_us", "p99_us")}
            for rounds in zip(*good.values())]
    result["ratios"]["best"] = ratios(ours, best)
    return result


def marks(result):
    """What the issue asks for and whether it is reached: (what, ratio, mark, met) rows."""
    rows, found = [], result["ratios"].get("dovecot")
    for key, mark in (("per_second", result["mark"]), ("cpu_us", result["cpu_mark"])):
        if mark and found:
            rows.append((key, found[key]["median"], mark, found[key]["median"] >= mark))
    return rows

"""The benchmark's own machinery: a round on a real server, ratios and shares, the page; and that
wrong answers give no figures."""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import harness
from harness import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import limits  # noqa: E402
import measure  # noqa: E402
import plot  # noqa: E402
import report  # noqa: E402
from peers.peer import Place  # noqa: E402
from work import WORKS  # noqa: E402


def test_one_round():
    build = os.path.relpath(harness.build)  # as people write it
    done = subprocess.run([str(ROOT / "bench/run"), "--build", build, "--quick", "--seconds", "0.5",
                           "--only", "login", "--servers", "postrider", "--plain-passwords"],
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    work = json.loads((harness.build / "bench-results.json").read_text())["works"][0]
    server = work["servers"]["postrider"]
    assert work["name"] == "login" and server["failed"] == "", server
    found = server["rounds"][0]
    assert found["ok"] > 0 and found["cpu_us"] > 0 and found["memory"] > 1 << 20, found
    assert 0 < found["p50_us"] <= found["p99_us"], found


def fake_load(folder, answer, status):
    """A bench-load that says what the test wants."""
    program = folder / "bench" / "bench-load"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\necho '{answer}'\nexit {status}\n")
    program.chmod(0o755)
    return Place(folder, folder)


def test_wrong_answers_give_no_figure():
    good = json.dumps({"ok": 10, "failed": 0, "first_error": ""})
    bad = json.dumps({"ok": 10, "failed": 1, "first_error": "a body that was not sent"})
    none = json.dumps({"ok": 0, "failed": 0, "first_error": ""})
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        assert measure.run_load(fake_load(folder, good, 0), ["login"], 1) == json.loads(good)
        for answer, status in ((bad, 1), (bad, 0), (good, 1), (none, 0), ("", 2)):
            try:
                measure.run_load(fake_load(folder, answer, status), ["login"], 1)
            except measure.Wrong:
                continue
            raise AssertionError(f"{answer} with status {status} passed for a result")


def rounds(*per_second, cpu_us=10):
    return [{"per_second": n, "cpu_us": cpu_us, "memory": 1, "p50_us": 1, "p99_us": 1,
             "bytes": 1e6} for n in per_second]


def one_work():
    servers = {"postrider": {"title": "P", "rounds": rounds(100, 300, 400, cpu_us=1), "failed": ""},
               "dovecot": {"title": "D", "rounds": rounds(10, 10, 20), "failed": ""},
               "cyrus": {"title": "C", "rounds": rounds(20, 5, 5), "failed": "a wrong answer"}}
    return measure.compare({"name": "w", "title": "W", "unit": "u", "mark": 20, "cpu_mark": 11,
                            "servers": servers})


def test_ratios_are_of_neighbours():
    work = one_work()
    assert work["ratios"]["dovecot"]["per_second"] == {"median": 20, "min": 10, "max": 30}
    assert work["ratios"]["best"] == work["ratios"]["dovecot"] and "cyrus" not in work["ratios"]
    met = {what: met for what, _, _, met in measure.marks(work)}
    assert met == {"per_second": True, "cpu_us": False}


LINES = [{"limit": "group-commit", "threads": 64, "per_second": 600.0},
         {"limit": "group-commit", "threads": 8, "per_second": 1.0},
         {"limit": "round-trips", "connections": 64, "per_second": 1200.0},
         {"limit": "sessions", "kind": "login", "per_second": 900.0},
         {"limit": "sessions", "kind": "phone", "per_second": 600.0},
         {"limit": "handshakes", "key": "ecdsa-p256", "resumed": True,
          "server_per_cpu_second": 1.0},
         {"limit": "handshakes", "key": "ecdsa-p256", "resumed": False,
          "server_per_cpu_second": 300.0},
         {"limit": "loopback-copy", "connections": 1, "mb_per_second": 1000.0},
         {"limit": "aes-gcm", "bits": 256, "mb_per_second": 2000.0},
         {"limit": "memcpy", "mb_per_second": 3000.0}]


def share_of(lines=LINES, **needs):
    """The share that the made-up work (300 a second, 1 MB each) has of its limit on two cores."""
    work = {**one_work(), "needs": limits.as_dict(limits.Needs(**needs))}
    found = limits.share(work, lines, 2)
    return found and (found["of"], round(found["most_per_second"], 6), round(found["share"], 6))


def test_shares_of_limits():
    assert share_of(commits=1) == ("group commit, 64 threads", 600, 0.5)
    assert share_of(commits=1, round_trips=2) == (
        "group commit, 64 threads + 2 round trips", 300, 1)
    assert share_of(session="login") == ("connections and bytes of a login", 900, 0.333333)
    assert share_of(session="phone", commits=1) == (
        "group commit, 64 threads + connections and bytes of a phone", 300, 1)
    assert share_of(handshakes=1) == ("handshake", 600, 0.5)
    assert share_of(answer=True) == ("loopback copy", 1000, 0.3)
    # 1 ms to copy, and 2 MB to seal and open at 4,000 MB/s on both cores: 0.5 ms.
    assert share_of(answer=True, sealed=True) == (
        "loopback copy + AES-GCM, both sides", 666.666667, 0.45)
    assert share_of(scanned_bytes=10_000_000) == ("memcpy", 300, 1)


def test_limits_are_measured():
    """A short look at those that need no disk: every figure is there and none is nought."""
    subprocess.run(["ninja", "-C", str(harness.build), "--quiet", "bench/bench-limits"], check=True)
    done = subprocess.run([str(harness.build / "bench/bench-limits"), "--seconds", "0.1",
                           "sessions", "round-trips", "loopback-copy"],
                          text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    for kind in ("login", "phone"):
        each = limits.found(lines, "sessions", "server_cpu_us", kind=kind, at_a_time=16)
        assert each and limits.found(lines, "sessions", "client_cpu_us", kind=kind) > 0, lines
    for line in lines:
        assert all(value for value in line.values()), line
    for work in WORKS:  # every kind of session that a work needs is measured
        if work.needs and work.needs.session:
            assert limits.found(lines, "sessions", "per_second", kind=work.needs.session) > 0


def test_no_share_without_its_limit():
    assert share_of(lines=[], commits=1) is None
    failed = [{"limit": "group-commit", "failed": "no room"}]
    assert share_of(lines=failed, commits=1) is None
    assert share_of(commits=1, threads=32) is None and share_of() is None
    unmeasured = {**one_work(), "needs": limits.as_dict(limits.Needs(commits=1)),
                  "servers": {"postrider": {"rounds": [], "failed": "a wrong answer"}}}
    assert limits.share(unmeasured, LINES, 2) is None
    unlimited = [work.name for work in WORKS if not work.needs]
    assert unlimited == ["mixed"], unlimited


def test_shares_on_the_page():
    """A run without --limits has the limits that an earlier run found."""
    work = {**one_work(), "needs": limits.as_dict(limits.Needs(commits=1))}
    machine = {"cores": 2}
    limited = {"machine": machine, "versions": {}, "works": [], "growth": [],
               "limits": {"lines": LINES}}
    worked = {"machine": machine, "versions": {}, "works": [work], "growth": []}
    data = report.merge(report.merge({}, limited), worked)
    page = "<!-- begin: shares -->\n<!-- end: shares -->\n"
    assert "| W | group commit, 64 threads | 600 | 300 | 50 % |" in report.fill_page(page, data)
    assert data["works"][0]["limit"]["share"] == 0.5


def growth_part(name, *values):
    row = {"operation": "SELECT", "server": "postrider", "failed": "",
           "cpu_us": dict(values), "p50_us": {}}
    return {"name": name, "title": "messages", "note": "", "steps": [10, 100], "rows": [row]}


def test_growth_is_merged_and_drawn():
    machine, old = {"cores": 2}, growth_part("mailbox", ("10", 5.0))
    new = growth_part("mailbox", ("10", 7.0), ("100", 70.0))
    data = {"works": [], "versions": {}, "machine": machine}
    merged = report.merge({**data, "growth": [growth_part("accounts", ("10", 1.0)), old]},
                          {**data, "growth": [new]})
    assert [part["name"] for part in merged["growth"]] == ["accounts", "mailbox"]
    page = report.fill_page("<!-- begin: growth -->\n<!-- end: growth -->\n", merged)
    assert "| SELECT | Postrider | 7.00 | 70.0 |" in page and "5.00" not in page, page
    assert set(plot.pictures(merged)) >= {"growth-mailbox.svg", "growth-accounts.svg"}


def test_missed_marks():
    """Server 1 us, generator 4 us, 300 a second: 1.5 ms of two seconds."""
    work = one_work()
    for found in work["servers"]["postrider"]["rounds"]:
        found["load_cpu_us"] = 4
    data = {"works": [work], "growth": [], "machine": {"cores": 2}}
    rows = report.missed_table(data).splitlines()[2:]
    assert rows == ["| W | 11x CPU time | 10x | 1.00 | 4.00 | 0 % | – |"], rows
    work["servers"]["postrider"]["summary"]["per_second"]["median"] = 300_000
    assert "| 75 % |" in report.missed_table(data)
    met = {**work, "mark": 20, "cpu_mark": 10}
    assert report.missed_table({**data, "works": [met]}) == "None in the last run."


def test_page():
    data = {"works": [one_work()], "growth": []}
    text = report.fill_page("a\n<!-- begin: cpu -->\nold\n<!-- end: cpu -->\nb\n", data)
    assert "old" not in text and "11x: not met" in text
    assert text.startswith("a\n") and text.endswith("b\n")
    assert report.fill_page(text, data) == text

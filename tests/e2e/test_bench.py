"""The benchmark's own machinery: a round on a real server, and that wrong answers give no figures."""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import harness
from harness import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import measure  # noqa: E402
import report  # noqa: E402
from peers.peer import Place  # noqa: E402


def test_one_round():
    done = subprocess.run([str(ROOT / "bench/run"), "--build", str(harness.build), "--quick", "--seconds",
                           "0.5", "--only", "login", "--servers", "postrider"], text=True, capture_output=True)
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
    return [{"per_second": n, "cpu_us": cpu_us, "memory": 1, "p50_us": 1, "p99_us": 1} for n in per_second]


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
    assert [(what, met) for what, _, _, met in measure.marks(work)] == [("per_second", True), ("cpu_us", False)]


def test_page():
    data = {"works": [one_work()], "growth": []}
    text = report.fill_page("a\n<!-- begin: cpu -->\nold\n<!-- end: cpu -->\nb\n", data)
    assert "old" not in text and "11x: not met" in text and text.startswith("a\n") and text.endswith("b\n")
    assert report.fill_page(text, data) == text

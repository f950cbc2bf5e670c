#!/usr/bin/env python3
"""Runs all checks and prints "N passed, N failed" as its last line.

  ./check                 everything
  ./check --list          the names of the steps
  ./check unit e2e        only the steps whose names begin so
  ./check --keep-going    (default) every step runs even after a failure

Steps print their output only when they fail. Exit status 0 when nothing failed.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
BUILD_ASAN = ROOT / "build-asan"
BUILD_TSAN = ROOT / "build-tsan"
BUILD_FUZZ = ROOT / "build-fuzz"
BUILD_RELEASE = ROOT / "build-release"
FUZZ_SECONDS = int(os.environ.get("POSTRIDER_FUZZ_SECONDS", "15"))
SANITIZER_ENV = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": f"halt_on_error=1:suppressions={ROOT}/tests/tsan.supp",
}


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, name, ok, output=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {name}\n{output[-8000:]}", flush=True)


def run(command, timeout=1200, env=None, cwd=ROOT):
    """Returns (exit status, output). A timeout is a failure with status -1."""
    try:
        done = subprocess.run(command, cwd=cwd, timeout=timeout, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, **(env or {})})
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return -1, (e.stdout or b"").decode(errors="replace") + f"\ntimed out after {timeout} s"


def build(folder, options, compiler="gcc"):
    # ./run may have made the folder without the tests.
    again = ["--reconfigure"] if (folder / "build.ninja").exists() else []
    status, output = run(["meson", "setup", *again, str(folder), str(ROOT), *options],
                         env={"CC": compiler})
    if status != 0:
        return status, output
    return run(["ninja", "-C", str(folder)], timeout=2400)


def step_tools(tally):
    for tool in ("check-layers", "check-style", "check-headers"):
        status, output = run([str(ROOT / "tools" / tool)])
        tally.add(tool, status == 0, output)


def step_build(tally):
    status, output = build(BUILD, ["-Dtests=true"])
    tally.add("build with gcc", status == 0, output)


def step_build_release(tally):
    """As the README says; more optimization brings warnings of its own."""
    status, output = build(BUILD_RELEASE, ["--buildtype=release", "-Dtests=false"])
    tally.add("build for release", status == 0, output)


def step_build_clang(tally):
    status, output = build(BUILD_FUZZ, ["-Dfuzz=true", "-Dtests=false", "-Db_sanitize=address,undefined",
                                        "-Db_lundef=false"], "clang")
    tally.add("build with clang", status == 0, output)


def step_build_asan(tally):
    status, output = build(BUILD_ASAN, ["-Db_sanitize=address,undefined", "-Dfaults=true"])
    tally.add("build with ASan and UBSan", status == 0, output)


def step_build_tsan(tally):
    status, output = build(BUILD_TSAN, ["-Db_sanitize=thread"])
    tally.add("build with TSan", status == 0, output)


def unit_programs(folder):
    status, output = run(["meson", "introspect", "--tests", str(folder)])
    return json.loads(output) if status == 0 else []


def run_unit(folder, suites, tally, label):
    """Each cmocka test counts; a program that ends badly counts as one failure more."""
    programs = [p for p in unit_programs(folder)
                if suites is None or any(s.split(":")[-1] in suites for s in p["suite"])]
    if not programs:
        tally.add(f"unit tests {label}", False, "no test program was found")

    def one(program):
        return program, run(program["cmd"], timeout=program["timeout"] * 4,
                            env={**SANITIZER_ENV, **program["env"]}, cwd=folder)

    with ThreadPoolExecutor(max_workers=2) as pool:
        for program, (status, output) in pool.map(one, programs):
            good = len(re.findall(r"^\[       OK \]", output, re.M))
            tally.passed += good
            if status != 0 or good == 0:
                tally.add(f"{program['name']} {label}", False, output)


def step_unit(tally):
    run_unit(BUILD, None, tally, "")


def step_unit_asan(tally):
    run_unit(BUILD_ASAN, None, tally, "under ASan and UBSan")


def step_unit_tsan(tally):
    run_unit(BUILD_TSAN, {"net", "kv", "store", "auth", "serve"}, tally, "under TSan")


def step_fuzz(tally):
    """Every fuzzer: its kept inputs, then a short search."""
    fuzzers = sorted(p for p in (BUILD_FUZZ / "fuzz").glob("fuzz-*") if p.is_file())
    if not fuzzers:
        tally.add("fuzzers", False, "no fuzzer was built")

    def one(fuzzer):
        name = fuzzer.name.removeprefix("fuzz-")
        kept = [ROOT / "fuzz" / folder / name for folder in ("crashers", "seeds")]
        corpus = BUILD_FUZZ / "corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        command = [str(fuzzer), f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048",
                   "-max_len=65536", f"-artifact_prefix={corpus.parent}/{name}-"]
        dictionary = ROOT / "fuzz" / f"{name}.dict"
        if dictionary.exists():
            command.append(f"-dict={dictionary}")
        command += [str(corpus), *(str(folder) for folder in kept if folder.is_dir())]
        return name, run(command, timeout=FUZZ_SECONDS * 4 + 120, env=SANITIZER_ENV)

    with ThreadPoolExecutor(max_workers=2) as pool:
        for name, (status, output) in pool.map(one, fuzzers):
            tally.add(f"fuzz {name}", status == 0, output)


def run_e2e(tally, folder, modules, label):
    for module in modules:
        status, output = run([sys.executable, "-B", str(ROOT / "tests/e2e/run.py"), module.stem,
                              "--build", str(folder)], timeout=1800, env=SANITIZER_ENV)
        good = len(re.findall(r"^ok ", output, re.M))
        bad = len(re.findall(r"^FAIL ", output, re.M))
        skipped = re.findall(r"^skip (.*)", output, re.M)
        tally.passed += good
        tally.skipped += len(skipped)
        for line in skipped:
            print(f"skipped {line}", flush=True)
        if bad or status != 0 or good + len(skipped) == 0:
            tally.failed += max(bad, 1)
            print(f"FAILED {module.stem} {label}\n{output[-12000:]}", flush=True)


def e2e_modules():
    return sorted((ROOT / "tests/e2e").glob("test_*.py"))


def step_e2e(tally):
    run_e2e(tally, BUILD, e2e_modules(), "")


# Protocol tests that are worth a second run with sanitizers; the others drive slow clients.
SANITIZED = ("test_hostile", "test_sessions", "test_cli", "test_corpus", "test_faults")


def step_e2e_asan(tally):
    run_e2e(tally, BUILD_ASAN, [m for m in e2e_modules() if m.stem in SANITIZED],
            "under ASan and UBSan")


def step_e2e_tsan(tally):
    run_e2e(tally, BUILD_TSAN, [m for m in e2e_modules() if m.stem == "test_sessions"], "under TSan")


CRASH_ROUNDS = 15


def step_crash(tally):
    """The ledger's own tests, then rounds of load, kill, restart and comparison."""
    status, output = run([sys.executable, "-B", str(ROOT / "tests/crash/test_ledger.py")])
    match = re.search(r"^Ran (\d+) tests", output, re.M)
    if status == 0 and match:
        tally.passed += int(match.group(1))
    else:
        tally.add("test_ledger", False, output)
    status, output = run([sys.executable, "-B", str(ROOT / "tests/crash/run"), str(CRASH_ROUNDS),
                          "--build", str(BUILD)])
    good = len(re.findall(r"^round \d+: ", output, re.M))
    tally.passed += good
    if status != 0 or good != CRASH_ROUNDS:
        tally.add("crash", False, output)


STEPS = {
    "tools": step_tools,
    "build": step_build,
    "unit": step_unit,
    "build-release": step_build_release,
    "build-asan": step_build_asan,
    "unit-asan": step_unit_asan,
    "build-tsan": step_build_tsan,
    "unit-tsan": step_unit_tsan,
    "build-clang": step_build_clang,
    "fuzz": step_fuzz,
    "crash": step_crash,
    "e2e": step_e2e,
    "e2e-asan": step_e2e_asan,
    "e2e-tsan": step_e2e_tsan,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", action="store_true", help="print the steps")
    parser.add_argument("steps", nargs="*", help="run only steps whose names begin so")
    arguments = parser.parse_args()
    chosen = [s for s in STEPS if not arguments.steps or s.startswith(tuple(arguments.steps))]
    if arguments.list:
        print("\n".join(STEPS))
        return 0
    tally = Tally()
    for name in chosen:
        start = time.monotonic()
        before = (tally.passed, tally.failed)
        STEPS[name](tally)
        print(f"{name}: {tally.passed - before[0]} passed, {tally.failed - before[1]} failed, "
              f"{time.monotonic() - start:.0f} s", flush=True)
    if tally.passed == 0 and tally.failed == 0:
        tally.add("check", False, "nothing was run")
    if tally.skipped:
        print(f"{tally.skipped} skipped: see above")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Runs all checks and prints "N passed, N failed" as its last line.

  ./check                 everything
  ./check --list          the names of the steps
  ./check unit e2e        only the steps whose names begin so
  ./check --keep-going    (default) every step runs even after a failure

Steps print their output only when they fail; steps that do not need each other run side by side.
Exit status 0 when nothing failed.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
BUILD_ASAN = ROOT / "build-clang"
BUILD_TSAN = ROOT / "build-tsan"
BUILD_RELEASE = ROOT / "build-release"
FUZZ_SECONDS = int(os.environ.get("POSTRIDER_FUZZ_SECONDS", "15"))
# Most tests wait for disks, clients and timers: two of each kind, and three steps, keep two cores
# busy.
STEPS_AT_ONCE, PROGRAMS_AT_ONCE = 3, 2
# There are a hundred programs to link, and the usual linker takes four times as long. Gold has a
# thousand warnings about clang's sanitizer. The release is built as by those who install it.
LINKERS = {"gcc": "gold", "clang": "lld"}
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
            say(f"FAILED {name}\n{output[-12000:]}")

    def take(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def say(text):
    """In one piece, whoever else speaks."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(command, timeout=1200, env=None, cwd=ROOT):
    """Returns (exit status, output). A timeout is a failure with status -1."""
    try:
        done = subprocess.run(command, cwd=cwd, timeout=timeout, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, **(env or {})})
        return done.returncode, done.stdout.decode(errors="replace")
    except subprocess.TimeoutExpired as e:
        return -1, (e.stdout or b"").decode(errors="replace") + f"\ntimed out after {timeout} s"


def build(folder, options, compiler="gcc", suites=None):
    """All of it, or the program and the tests of some suites."""
    # ./run may have made the folder without the tests.
    again = ["--reconfigure"] if (folder / "build.ninja").exists() else []
    env = {"CC": compiler}
    if folder != BUILD_RELEASE and shutil.which(f"ld.{LINKERS[compiler]}"):
        env["CC_LD"] = LINKERS[compiler]
    status, output = run(["meson", "setup", *again, str(folder), str(ROOT), *options], env=env)
    if status != 0:
        return status, output
    targets = []
    if suites is not None:
        programs = unit_programs(folder, suites)
        targets = ["postrider", *(os.path.relpath(p["cmd"][0], folder) for p in programs)]
    return run(["ninja", "-C", str(folder), *targets], timeout=2400)


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


# Sanitizers see as much at -O1, and the compiler needs half the time.
SANITIZED_OPTIONS = ["-Doptimization=1"]
# Those that have threads, without the programs in which one thread works and the engine's own
# thread syncs, as it does in many others: they look at bytes and records, and are long.
TSAN_SUITES = ("net", "kv", "store", "auth", "serve")
NOT_UNDER_TSAN = ("auth-address", "auth-password", "auth-scram", "kv-salvage", "kv-salvage_log",
                  "serve-admin_find", "serve-alarm", "store-columns", "store-damage",
                  "store-faults", "store-fields", "store-records", "store-repair")


def step_build_asan(tally):
    """Clang has the fuzzers and sees more undefined behaviour; gcc makes the other builds."""
    status, output = build(BUILD_ASAN, ["-Db_sanitize=address,undefined", "-Db_lundef=false",
                                        "-Dfaults=true", "-Dfuzz=true", *SANITIZED_OPTIONS],
                           "clang")
    tally.add("build with clang, ASan and UBSan", status == 0, output)


def step_build_tsan(tally):
    status, output = build(BUILD_TSAN, ["-Db_sanitize=thread", *SANITIZED_OPTIONS],
                           suites=TSAN_SUITES)
    tally.add("build with TSan", status == 0, output)


def unit_programs(folder, suites):
    """What meson knows of the test programs of some suites, or of all."""
    status, output = run(["meson", "introspect", "--tests", str(folder)])
    programs = json.loads(output) if status == 0 else []
    left_out = NOT_UNDER_TSAN if folder == BUILD_TSAN else ()
    return [p for p in programs if p["name"] not in left_out
            and (suites is None or any(s.split(":")[-1] in suites for s in p["suite"]))]


def run_unit(folder, suites, tally, label):
    """Each cmocka test counts; a program that ends badly counts as one failure more."""
    # What may take longest begins first.
    programs = sorted(unit_programs(folder, suites), key=lambda p: -p["timeout"])
    if not programs:
        tally.add(f"unit tests {label}", False, "no test program was found")

    def one(program):
        return program, run(program["cmd"], timeout=program["timeout"] * 4,
                            env={**SANITIZER_ENV, **program["env"]}, cwd=folder)

    with ThreadPoolExecutor(max_workers=PROGRAMS_AT_ONCE) as pool:
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
    run_unit(BUILD_TSAN, TSAN_SUITES, tally, "under TSan")


def step_fuzz(tally):
    """Every fuzzer: its kept inputs, then a short search."""
    fuzzers = sorted(p for p in (BUILD_ASAN / "fuzz").glob("fuzz-*") if p.is_file())
    if not fuzzers:
        tally.add("fuzzers", False, "no fuzzer was built")

    def one(fuzzer):
        name = fuzzer.name.removeprefix("fuzz-")
        kept = [ROOT / "fuzz" / folder / name for folder in ("crashers", "seeds")]
        corpus = BUILD_ASAN / "corpus" / name
        corpus.mkdir(parents=True, exist_ok=True)
        command = [str(fuzzer), f"-max_total_time={FUZZ_SECONDS}", "-timeout=40",
                   "-rss_limit_mb=2048", "-max_len=65536",
                   f"-artifact_prefix={corpus.parent}/{name}-"]
        dictionary = ROOT / "fuzz" / f"{name}.dict"
        if dictionary.exists():
            command.append(f"-dict={dictionary}")
        command += [str(corpus), *(str(folder) for folder in kept if folder.is_dir())]
        return name, run(command, timeout=FUZZ_SECONDS * 4 + 120, env=SANITIZER_ENV)

    with ThreadPoolExecutor(max_workers=PROGRAMS_AT_ONCE) as pool:
        for name, (status, output) in pool.map(one, fuzzers):
            tally.add(f"fuzz {name}", status == 0, output)


def run_e2e(tally, folder, modules, label):
    def one(module):
        command = [sys.executable, "-B", str(ROOT / "tests/e2e/run.py"), module,
                   "--build", str(folder)]
        return module, run(command, timeout=1800, env=SANITIZER_ENV)

    with ThreadPoolExecutor(max_workers=PROGRAMS_AT_ONCE) as pool:
        for module, (status, output) in pool.map(one, modules):
            good = len(re.findall(r"^ok ", output, re.M))
            bad = len(re.findall(r"^FAIL ", output, re.M))
            skipped = re.findall(r"^skip (.*)", output, re.M)
            tally.passed += good
            tally.skipped += len(skipped)
            for line in skipped:
                say(f"skipped {line}")
            if bad or status != 0 or good + len(skipped) == 0:
                tally.add(f"{module} {label}", False, output)
                tally.failed += max(bad - 1, 0)


# Makes faults inside the server, which the shipped program cannot: a build with -Dfaults=true.
NEEDS_FAULTS = ("test_engine_faults", "test_pop3_faults")
# Protocol tests that are worth a second run with sanitizers; the others drive slow clients.
SANITIZED = ("test_faults", "test_hostile", "test_sessions", "test_cli", "test_corpus")
# What takes longest begins first.
LONG = ("test_bench", "test_clients", "test_load_limits", "test_sync_order")


def step_e2e(tally):
    modules = {p.stem for p in (ROOT / "tests/e2e").glob("test_*.py")} - set(NEEDS_FAULTS)
    run_e2e(tally, BUILD, [*LONG, *sorted(modules - set(LONG))], "")


def step_e2e_asan(tally):
    run_e2e(tally, BUILD_ASAN, [*NEEDS_FAULTS, *SANITIZED], "under ASan and UBSan")


def step_e2e_tsan(tally):
    run_e2e(tally, BUILD_TSAN, ["test_sessions"], "under TSan")


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


# What each step needs; the first that can begin does.
STEPS = {
    "tools": (step_tools, ()),
    "build": (step_build, ()),
    "build-asan": (step_build_asan, ()),
    "e2e": (step_e2e, ("build",)),
    "e2e-asan": (step_e2e_asan, ("build-asan",)),
    "unit": (step_unit, ("build",)),
    "build-tsan": (step_build_tsan, ()),
    "unit-asan": (step_unit_asan, ("build-asan",)),
    "unit-tsan": (step_unit_tsan, ("build-tsan",)),
    "e2e-tsan": (step_e2e_tsan, ("build-tsan",)),
    "crash": (step_crash, ("build",)),
    "fuzz": (step_fuzz, ("build-asan",)),
    "build-release": (step_build_release, ()),
}


def run_step(name, broken):
    """The tally of one step, told; `broken` are those it needs that have failed."""
    tally, start = Tally(), time.monotonic()
    try:
        if broken:
            tally.add(name, False, f"not run, as it needs what failed: {' '.join(broken)}")
        else:
            STEPS[name][0](tally)
    except Exception:
        tally.add(name, False, traceback.format_exc())
    say(f"{name}: {tally.passed} passed, {tally.failed} failed, {time.monotonic() - start:.0f} s")
    return tally


def run_steps(chosen, total):
    waiting, running, failed = list(chosen), {}, set()
    with ThreadPoolExecutor(max_workers=STEPS_AT_ONCE) as pool:
        while waiting or running:
            unfinished = {*waiting, *running.values()}
            able = [s for s in waiting if not unfinished.intersection(STEPS[s][1])]
            for name in able[:STEPS_AT_ONCE - len(running)]:
                waiting.remove(name)
                broken = sorted(failed.intersection(STEPS[name][1]))
                running[pool.submit(run_step, name, broken)] = name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                total.take(future.result())
                if future.result().failed:
                    failed.add(name)


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
    run_steps(chosen, tally)
    if tally.passed == 0 and tally.failed == 0:
        tally.add("check", False, "nothing was run")
    if tally.skipped:
        print(f"{tally.skipped} skipped: see above")
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())

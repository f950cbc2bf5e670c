#!/usr/bin/env python3
"""Runs one module of end-to-end tests: run.py test_name [--build DIR] [-k PART].

Every function whose name begins with test_ is one test. Prints "ok NAME SECONDS", "skip NAME: why"
or "FAIL NAME" with the trace. Exit status 0 when none failed.
"""
import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "crash")]
import harness  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("module")
    parser.add_argument("--build", default=str(harness.build))
    parser.add_argument("-k", default="", help="only tests whose name has this part")
    arguments = parser.parse_args()
    harness.build = Path(arguments.build).resolve()
    module = importlib.import_module(arguments.module)
    failed = 0
    for name, test in list(vars(module).items()):
        if not name.startswith("test_") or not callable(test) or arguments.k not in name:
            continue
        try:
            begin = time.monotonic()
            test()
            print(f"ok {arguments.module}.{name} {time.monotonic() - begin:.1f} s", flush=True)
        except harness.Skip as why:
            print(f"skip {arguments.module}.{name}: {why}", flush=True)
        except BaseException:
            failed += 1
            print(f"FAIL {arguments.module}.{name}\n{traceback.format_exc()}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

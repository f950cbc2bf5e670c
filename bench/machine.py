"""The build that is measured and the machine it runs on."""
import os
import platform
import re
import resource
import subprocess
import sys
import time
from pathlib import Path


POSTFIX_SERVICE = Path("/etc/systemd/system/multi-user.target.wants/postfix.service")


def prepare(root, peers):
    """The packages that the peers need, and as many open files as may be, for many sessions."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if not peers:
        return
    had_postfix = Path("/usr/sbin/postfix").exists()
    done = subprocess.run([root / "tools" / "install-packages", "build", "bench"])
    if done.returncode != 0:
        print("not all packages are there: what needs them is not measured", file=sys.stderr)
    if not had_postfix and POSTFIX_SERVICE.is_symlink():
        POSTFIX_SERVICE.unlink()  # its package would start it at the next boot


def build(root, folder):
    """A release build of the program and of the load generator, brought up to date."""
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", folder, root, "--buildtype=release",
                        "-Db_ndebug=if-release"], check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", folder, "--quiet", "postrider", "bench/bench-load"],
                          text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)


def sync_us(folder, times=200):
    """Median time of a 4 KiB append and fdatasync on the measurement's disk, in microseconds."""
    path, taken = folder / "sync", []
    with open(path, "wb", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - began) * 1e6)
    path.unlink()
    return round(sorted(taken)[times // 2], 1)


def filesystem(folder):
    done = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", folder], text=True,
                          capture_output=True)
    return done.stdout.strip()


def describe(root, folder):
    """Of the machine and of what is measured; loud when the disk is none."""
    memory = re.search(r"MemTotal: *(\d+)", Path("/proc/meminfo").read_text())
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    kind = filesystem(folder)
    if kind in ("tmpfs", "ramfs"):
        print(f"{folder} is {kind}: syncs cost nothing there, the figures say little",
              file=sys.stderr)
    commit = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"], text=True,
                            capture_output=True)
    return {"when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "commit": commit.stdout.strip(), "cores": os.cpu_count(),
            "processor": model[1] if model else platform.machine(),
            "memory_gib": round(int(memory[1]) / 2**20, 1), "kernel": platform.release(),
            "filesystem": kind, "sync_us": sync_us(folder), "load_average": os.getloadavg()[0]}

"""./run as a newcomer uses it: the table, each command of the table, Ctrl-C, a second start."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import harness
from harness import LISTENERS, eventually


class Run:
    """./run on a data folder, with ports that the system chooses."""

    def __init__(self, data, *words):
        self.out = tempfile.NamedTemporaryFile("r", suffix=".run")
        words = words or [w for n in LISTENERS for w in ("--listen", f"{n}=127.0.0.1:0")]
        self.process = subprocess.Popen(["./run", *words], cwd=harness.ROOT, start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=open(self.out.name, "w"),
                                        stderr=subprocess.STDOUT,
                                        env={**os.environ, "POSTRIDER_DATA": str(data)})

    def text(self):
        return Path(self.out.name).read_text()

    def table(self):
        """The rows after the heading: protocol, address, security, account, password, command."""
        eventually(lambda: "Ctrl-C stops" in self.text() or self.process.poll() is not None,
                   seconds=300)
        assert "Ctrl-C stops" in self.text(), self.text()
        lines = self.text().split("PROTOCOL", 1)[1].splitlines()[1:]
        return [re.split(r"  +", line, maxsplit=5) for line in lines if "127.0.0.1" in line]

    def ctrl_c(self):
        """As a terminal does it: to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        status = self.process.wait(timeout=60)
        return status


def test_the_table_and_its_commands():
    data = Path(tempfile.mkdtemp()) / "data"
    try:
        run = Run(data)
        rows = run.table()
        assert {row[0] for row in rows} == set(LISTENERS), rows
        for row in rows:
            done = subprocess.run(row[-1], shell=True, cwd=harness.ROOT, capture_output=True,
                                  text=True,
                                  timeout=60)
            assert done.returncode == 0, (row, done.stdout, done.stderr)
        letter = next(r[-1] for r in rows if r[0] == "imaps")
        assert "Welcome to your mailbox" in subprocess.run(
            letter, shell=True, capture_output=True, text=True).stdout
        assert run.ctrl_c() == 0, run.text()
        assert "stopped" in run.text() and " stopped " in (data / "log").read_text()
        # The second start has the same accounts and passwords.
        again = Run(data)
        assert [r[3:5] for r in again.table()] == [r[3:5] for r in rows]
        assert again.ctrl_c() == 0
        assert "installing" not in again.text()
    finally:
        shutil.rmtree(data.parent, ignore_errors=True)


def test_a_port_in_use_is_told():
    data = Path(tempfile.mkdtemp()) / "data"
    try:
        with harness.Server(listeners=("imap",)) as server:
            run = Run(data, "--listen", f"imap=127.0.0.1:{server.ports['imap']}")
            assert run.process.wait(timeout=120) == 1
            assert "in use" in run.text(), run.text()
    finally:
        shutil.rmtree(data.parent, ignore_errors=True)

"""What the machine itself can do: bench-limits, one JSON line a limit."""
import json
import subprocess


def measure(arguments):
    """{"lines": [...]} or {"failed": why}."""
    made = subprocess.run(["ninja", "-C", arguments.build, "--quiet", "bench/bench-limits"], text=True,
                          capture_output=True)
    if made.returncode != 0:
        return {"failed": (made.stdout + made.stderr).strip()[-300:]}
    program, seconds = arguments.build / "bench" / "bench-limits", min(arguments.seconds, 2)
    done = subprocess.run([program, "--seconds", str(seconds)], text=True, capture_output=True,
                          cwd=arguments.folder)
    if done.returncode != 0:
        return {"failed": done.stderr.strip()[-300:]}
    return {"lines": [json.loads(line) for line in done.stdout.splitlines() if line.strip()]}

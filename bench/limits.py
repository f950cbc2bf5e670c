"""What the machine itself can do: bench-limits, one JSON line a limit."""
import json
import subprocess


def measure(arguments):
    program = arguments.build / "bench" / "bench-limits"
    done = subprocess.run([program, "--seconds", str(min(arguments.seconds, 2))], text=True, capture_output=True,
                          cwd=arguments.folder)
    if done.returncode != 0:
        return {"failed": done.stderr.strip()[-300:]}
    return {"lines": [json.loads(line) for line in done.stdout.splitlines() if line.strip()]}

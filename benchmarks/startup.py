"""How fast the command line starts and simulates for the first time, and how fast and small one server of ours is.

Python keeps the bytecode of what it has imported once, as it does for a user; the first start does not count.

python benchmarks/startup.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import machine

from streamsim.real.plan import WORKER

PARAMETERS = {
    "filter": {"where": "len(record) > 3"},
    "copy": {},
    "work": {"service": "1 us"},
    "group": {"key": 1, "function": "count"},
}


SMALL = Path(__file__).with_name("small-records.toml")
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}


def command_s(*words: str) -> float:
    """Seconds until ``python -m streamsim …`` has ended."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "streamsim", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        env=ENVIRONMENT,
    )
    return time.perf_counter() - began


def command(*words: str, rounds: int) -> None:
    """Print the median and the range of a command's seconds."""
    command_s(*words)
    times = sorted(command_s(*words) for _ in range(rounds))
    shown = " ".join(Path(word).name for word in (words[:-2] if len(words) > 2 else words))
    print(f"python -m streamsim {shown}: median {statistics.median(times):.3f} s ({times[0]:.3f} to {times[-1]:.3f})")


def server(operator: str) -> tuple[float, float]:
    """Seconds from spawning a server to its first answer, and the MiB it holds then."""
    spec = json.dumps(
        {"name": operator, "operator": operator, "parameters": PARAMETERS[operator], "inputs": [0], "outputs": [1]}
    )
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-S", "-E", "-P", WORKER, spec], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"a record of some length\n")
        process.stdin.flush()
        if operator == "group":  # a barrier answers at the end of its input only: wait until it reads
            while b"pipe_read" not in Path(f"/proc/{process.pid}/wchan").read_bytes():
                time.sleep(0.0005)
        else:
            os.read(process.stdout.fileno(), 100)
        elapsed = time.perf_counter() - began
        status = Path(f"/proc/{process.pid}/status").read_text()
        resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
        process.stdin.close()
        process.stdout.read()
    return elapsed, resident


def main() -> None:
    """Print medians and ranges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    print(f"{machine()}; {rounds} rounds\n")
    command("--help", rounds=rounds)
    with tempfile.TemporaryDirectory() as folder:
        command("simulate", str(SMALL), "--engine", "compiled", "--output", folder, rounds=rounds)
    for operator in PARAMETERS:
        found = [server(operator) for _ in range(rounds)]
        starts = sorted(elapsed for elapsed, _ in found)
        print(
            f"server of '{operator}': first answer after {1e3 * statistics.median(starts):.0f} ms "
            f"({1e3 * starts[0]:.0f} to {1e3 * starts[-1]:.0f}), holds {max(size for _, size in found):.1f} MiB"
        )


if __name__ == "__main__":
    main()

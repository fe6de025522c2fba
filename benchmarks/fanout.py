"""How fast one stream is handed to several readers: our copy server against coreutils tee, consumers alike.

python benchmarks/fanout.py [--rounds 7] [--megabytes 1024] [--consumers 2 4]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from common import alternate, machine, median_ratio

from streamsim.loading import load
from streamsim.real.run import run
from streamsim.scenario import Scenario

CONSUMER = "wc -c"


def with_tee(text: Path, consumers: int) -> float:
    """Seconds that bash takes with `tee` into process substitutions and the last consumer on its output."""
    others = " ".join(f">({CONSUMER} >/dev/null)" for _ in range(consumers - 1))
    line = f"cat {text} | tee {others} | {CONSUMER} >/dev/null; wait"
    began = time.perf_counter()
    subprocess.run(["bash", "-c", line], check=True)
    return time.perf_counter() - began


def circuit(text: Path, consumers: int) -> Scenario:
    """The same as a circuit: a copy server is put where one output has several readers."""
    return load(
        {
            "sources": {"text": {"command": f"cat {text}"}},
            "stations": {f"count{n}": {"command": CONSUMER, "input": "text"} for n in range(consumers)},
            "sinks": {f"sink{n}": {"input": f"count{n}"} for n in range(consumers)},
        }
    )


def with_copy(scenario: Scenario) -> float:
    """Seconds that `streamsim run` takes once it has been started, the copy server's own start included."""
    began = time.perf_counter()
    run(scenario)
    return time.perf_counter() - began


def main() -> None:
    """Print medians and the ratio tee / copy for every number of consumers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=1024, help="MiB; 1024 is 1 GiB")
    parser.add_argument("--consumers", type=int, nargs="+", default=[2, 4])
    arguments = parser.parse_args()
    print(f"{machine()}; {arguments.megabytes} MiB, {arguments.rounds} rounds, alternated; median (quartiles)\n")
    print(f"| consumers (`{CONSUMER}`) | tee (s) | copy (s) | tee / copy |")
    print("| --- | --- | --- | --- |")
    # In memory where that is a place: what is compared is the handing on, not a disk.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        text = Path(directory) / "text"
        with text.open("wb") as file:
            for _ in range(arguments.megabytes):
                file.write(b"a line of text, as long as lines of text are wont to be: 64 bytes\n"[-64:] * (1 << 14))
        for consumers in arguments.consumers:
            scenario = circuit(text, consumers)
            times = alternate(
                arguments.rounds,
                {
                    "tee": lambda consumers=consumers: with_tee(text, consumers),
                    "copy": lambda scenario=scenario: with_copy(scenario),
                },
            )
            ratio, low, high = median_ratio(times["tee"], times["copy"])
            tee, copy = statistics.median(times["tee"]), statistics.median(times["copy"])
            print(f"| {consumers} | {tee:.3f} | {copy:.3f} | {ratio:.2f} ({low:.2f} to {high:.2f}) |", flush=True)


if __name__ == "__main__":
    main()

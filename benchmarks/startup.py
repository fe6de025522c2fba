"""How fast the command line starts and simulates for the first time, and how fast and small the servers of ours are.

Every operator that is shipped is started alone, as `run` starts it. "Ready": it has worked on twenty records and waits
for more; a source, its first bytes are there or it waits for the next. Then it is asked what it holds (Rss in
/proc/PID/smaps_rollup), and what of that it shares with nobody.

Python keeps the bytecode of what it has imported once, as it does for a user; the first start does not count.

python benchmarks/startup.py [--rounds 15] [--only NAME …]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fcntl import ioctl
from pathlib import Path
from termios import FIONREAD
from typing import Any

from common import asleep, machine

from streamsim import operators
from streamsim.formats import create as create_codec
from streamsim.formats import libraries as libraries_of_format
from streamsim.real.memory import keeping_memory
from streamsim.real.plan import WORKER

RECORDS = b"".join(b"%d,%d,%d\n" % (number, number % 7, number % 3) for number in range(20))
TYPED = {"name": "rows", "columns": ["i8", "f8"]}
PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "compress": [{"method": "gzip"}, {"method": "zstd"}],
    "convert": [{"to": "csv"}, {"to": {"name": "rows", "columns": ["i8", "i8", "f8"]}}, {"to": "arrow"}],
    "decompress": [{"method": "gzip"}, {"method": "zstd"}],
    "dedup": [{}, {"capacity": 1000}],
    "exec": [{"program": "true", "every": "1 s"}],
    "file": [{"paths": ["{directory}/records"]}],
    "generate": [{"count": 1_000_000_000}],
    "merge": [{"key": 1, "numeric": True}],
    "parse": [{"from": "json", "fields": ["bytes"]}, {"from": "pattern", "pattern": r"^(\d+),"}],
    "tail": [{"path": "{directory}/records"}],
    "tee": [{"file": "{directory}/copy"}],
    "top": [{}, {"capacity": 512}],
}
"""Those whose first example is not all there is to see."""
ON_ROWS: dict[str, dict[str, Any]] = {
    "filter": {"where": "int(column(1)) > 3"},
    "group": {"key": 1, "value": 2, "function": "mean"},
    "moments": {},
    "quantiles": {},
    "sample": {"every": 3},
}
"""Those that work on whole blocks of rows with types, by numpy."""

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


def cases(only: Sequence[str], directory: str) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every operator that is shipped, with parameters and the format of its records."""
    for name in only:
        for parameters in PARAMETERS.get(name, [next(iter(operators.describe(name).examples), {})]):
            text = json.dumps(parameters).replace("{directory}", directory)
            yield name, json.loads(text), "lines"
    for name, parameters in ON_ROWS.items():
        if name in only:
            yield name, parameters, TYPED


def records_for(name: str, parameters: dict[str, Any], format: Any) -> bytes:
    """Twenty records that this operator can read."""
    if name == "decompress":
        compress: Any = operators.create("compress", parameters)
        compressed: bytes = compress.run(RECORDS)
        return compressed
    if name == "parse" and parameters["from"] == "json":
        return b'{"bytes": 7}\n' * 20
    if format == TYPED:
        codec = create_codec(format)
        return codec.join([codec.row(row.split(b",")[:2], b",") for row in RECORDS.splitlines()])
    return RECORDS


def holds_bytes(reader: int) -> bool:
    """Whether something is in a pipe."""
    size = array("i", [0])
    ioctl(reader, FIONREAD, size)
    return size[0] > 0


def server(name: str, parameters: dict[str, Any], format: Any) -> tuple[float, float, float]:
    """Seconds from spawning a server until it is ready, the MiB that it holds then, and those of its own."""
    source = operators.describe(name).traits.source
    inputs = 0 if source else 1 if operators.takes_inputs(name, 1) else 2
    needed = operators.libraries(name, parameters) + libraries_of_format(format)
    with ExitStack() as stack:
        pipes = [os.pipe() for _ in range(inputs + (2 if name in ("partition", "route") else 1))]
        for end in (end for pipe in pipes for end in pipe):
            stack.callback(os.close, end)
        into, out = pipes[:inputs], pipes[inputs:]
        for _, writer in into:
            os.write(writer, records_for(name, parameters, format))
        spec = {
            "name": name, "operator": name, "parameters": operators.normal(name, parameters), "format": format,
            "inputs": [reader for reader, _ in into], "outputs": [writer for _, writer in out],
            "path": [sysconfig.get_path("platlib")] if needed else [],
        }  # fmt: skip
        began = time.perf_counter()
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-S", "-E", "-P", WORKER, json.dumps(spec)],
                pass_fds=[*spec["inputs"], *spec["outputs"]],
                env=keeping_memory(os.environ),
            )
        )
        stack.callback(process.kill)
        proc = Path(f"/proc/{process.pid}")
        while not (
            (source and holds_bytes(out[0][0]))
            or (not any(holds_bytes(reader) for reader, _ in into) and asleep(process.pid))
        ):
            if process.poll() is not None:
                raise SystemExit(f"the server of '{name}' has ended with status {process.returncode}")
            time.sleep(0.0002)
        elapsed = time.perf_counter() - began
        rollup = (proc / "smaps_rollup").read_text().splitlines()[1:]
    mib = {key: int(size) / 1024 for key, size, *_ in map(str.split, rollup)}
    return elapsed, mib["Rss:"], mib["Private_Clean:"] + mib["Private_Dirty:"]


def main() -> None:
    """Print medians and ranges."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", nargs="*", choices=operators.names(), default=operators.names(), help="operators")
    arguments = parser.parse_args()
    rounds = arguments.rounds
    print(f"{machine()}; {rounds} rounds\n")
    command("--help", rounds=rounds)
    with tempfile.TemporaryDirectory() as folder:
        command("simulate", str(SMALL), "--engine", "compiled", "--output", folder, rounds=rounds)
        (Path(folder) / "records").write_bytes(RECORDS * 10_000)
        print(
            "\n| server of | ready after (ms; range) | holds (MiB; MB) | of its own (MiB) |\n| --- | --- | --- | --- |"
        )
        for name, parameters, format in cases(arguments.only, folder):
            server(name, parameters, format)
            found = [server(name, parameters, format) for _ in range(rounds)]
            starts = sorted(1e3 * elapsed for elapsed, _, _ in found)
            holds = max(size for _, size, _ in found)
            needed = operators.libraries(name, parameters) + libraries_of_format(format)
            rows = " of rows with types" if format == TYPED else ""
            made_of = f" ({', '.join(dict.fromkeys(needed))})" if needed else ""
            shown = f"`{name}`{rows}{made_of}"
            print(
                f"| {shown} | {statistics.median(starts):.0f} ({starts[0]:.0f} to {starts[-1]:.0f}) "
                f"| {holds:.1f}; {holds * 1.048576:.1f} | {max(own for *_, own in found):.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

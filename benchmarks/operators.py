"""What Python operators cost: against a hand-written loop, a chain of ``for line in sys.stdin``, fixed batches.

python benchmarks/operators.py [lines] [rows] [latency] [batches] [--rounds 7] [--megabytes 1024]

- ``lines``: ``copy`` and ``filter`` of lines against loops written by hand over chunks of 64 KiB that do the same.
- ``rows``: two stages on typed rows against the same two stages as scripts that loop over ``sys.stdin``: core-seconds.
- ``latency``: the median time of a record through two stages at 10 000 records/s.
- ``batches``: three stages at full speed, adaptive against fixed batches of 4096 records.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import alternate, machine, median_ratio

from streamsim.loading import load
from streamsim.real.measure import measure, run_once
from streamsim.real.plan import WORKER
from streamsim.summary import summarise

PYTHON = [sys.executable, "-S", "-E", "-P"]
CHUNKS = "import os\nwhile chunk := os.read(0, 65536):\n    os.write(1, chunk)\n"
FILTER = """
import os
rest = b""
while chunk := os.read(0, 65536):
    end = chunk.rfind(b"\\n") + 1
    block, rest = rest + chunk[:end], chunk[end:]
    kept = [line for line in block.split(b"\\n")[:-1] if line.endswith(b"7")]
    if kept:
        os.write(1, b"\\n".join(kept) + b"\\n")
"""
STAGES = (
    "import sys\nfor line in sys.stdin:\n    if float(line.split(',')[1]) > 15:\n        sys.stdout.write(line)\n",
    "import sys\nn = 0\nfor line in sys.stdin:\n    if line.split(',')[0] == 'UA':\n        n += 1\nprint(n)\n",
)
TYPES = ["carrier:S2", "delay:f8"]


def server(operator: str, parameters: dict[str, Any], format: Any = "lines") -> list[str]:
    """The command line of a server, as the runner starts it."""
    import numpy

    spec = {"operator": operator, "parameters": parameters, "format": format}
    if format != "lines":
        spec["path"] = [str(Path(numpy.__file__).parents[1])]
    return [*PYTHON, WORKER, json.dumps(spec)]


def pipeline(file: Path, *stages: list[str]) -> tuple[float, float]:
    """Wall seconds and core-seconds (of the stages alone) of a file through stages into a reader that drops it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with (
        file.open("rb") as source,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as drain,
    ):
        processes, above = [], source
        for place, stage in enumerate(stages):
            last = place == len(stages) - 1
            processes.append(subprocess.Popen(stage, stdin=above, stdout=drain.stdin if last else subprocess.PIPE))
            if place:
                above.close()
            above = processes[-1].stdout or source
        assert drain.stdin is not None
        drain.stdin.close()
        for process in processes:
            assert process.wait() == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        drain.wait()
    wall = time.perf_counter() - began
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def compare(rounds: int, what: str, ours: list[str], theirs: list[str], file: Path) -> None:
    """Print the ratio of two stages over a file, by wall and by core-seconds, whole and without their starts."""
    empty = file.with_name("empty")
    empty.touch()
    found: dict[str, list[tuple[float, float]]] = {}

    def run(name: str, stage: list[str], source: Path) -> Callable[[], float]:
        def once() -> float:
            found.setdefault(name, []).append(pipeline(source, stage))
            return found[name][-1][0]

        return once

    alternate(rounds, {
        "ours": run("ours", ours, file), "theirs": run("theirs", theirs, file),
        "our start": run("our start", ours, empty), "their start": run("their start", theirs, empty),
    })  # fmt: skip
    for place, unit in ((0, "wall"), (1, "core")):
        times = {name: [one[place] for one in each] for name, each in found.items()}
        middle = {name: statistics.median(each) for name, each in times.items()}
        ratio, low, high = median_ratio(times["ours"], times["theirs"])
        running = (middle["ours"] - middle["our start"]) / (middle["theirs"] - middle["their start"])
        print(f"{what}: {unit} seconds {middle['ours']:.3f} : {middle['theirs']:.3f}, ratio {ratio:.3f} "
              f"({low:.3f} to {high:.3f}); without the starts ({middle['our start']:.3f} : "
              f"{middle['their start']:.3f}) {running:.3f}")  # fmt: skip


def lines(directory: Path, rounds: int, megabytes: int) -> None:
    """`copy` and `filter` against loops over chunks written by hand."""
    file = directory / "lines"
    text = b"".join(b"%d some words that make a record %d\n" % (number, number) for number in range(200_000))
    with file.open("wb") as target:
        for _ in range(max(1, (megabytes << 20) // len(text))):
            target.write(text)
    size = file.stat().st_size
    print(f"lines: {size >> 20} MiB of records of {len(text) / 200_000:.0f} bytes from the page cache")
    compare(rounds, "copy : hand-written", server("copy", {}), [*PYTHON, "-c", CHUNKS], file)
    os.truncate(file, size // 4)
    where = {"where": "endswith(record, '7')"}
    compare(rounds, "filter : hand-written", server("filter", where), [*PYTHON, "-c", FILTER], file)
    file.unlink()


def rows(directory: Path, rounds: int, megabytes: int) -> None:
    """Two stages on typed rows against two scripts that loop over lines: core-seconds, in all and for each record."""
    import numpy

    random = numpy.random.default_rng(1)
    count = megabytes * 10_000
    table = numpy.zeros(count, dtype="S2,<f8")
    table["f0"] = random.choice([b"UA", b"AA", b"DL"], count)
    table["f1"] = numpy.round(random.normal(12, 20, count), 1)
    text, binary = directory / "text", directory / "binary"
    table.tofile(binary)
    with text.open("w") as target:
        for start in range(0, count, 100_000):
            part = table[start : start + 100_000]
            target.writelines(
                f"{c.decode()},{d!r}\n" for c, d in zip(part["f0"].tolist(), part["f1"].tolist(), strict=True)
            )
    format = {"name": "rows", "columns": TYPES}
    ours = [
        server("filter", {"where": "float(column(2)) > 15"}, format),
        server("filter", {"where": "column(1) == 'UA'"}, format),
        server("count", {}, format),
    ]
    theirs = [[sys.executable, "-c", stage] for stage in STAGES]
    empty = directory / "empty"
    empty.touch()
    found: dict[str, list[float]] = {"ours": [], "theirs": [], "start of ours": [], "start of theirs": []}

    def once(name: str, file: Path, stages: list[list[str]]) -> Callable[[], float]:
        def run() -> float:
            found[name].append(pipeline(file, *stages)[1])
            return found[name][-1]

        return run

    alternate(rounds, {
        "ours": once("ours", binary, ours), "theirs": once("theirs", text, theirs),
        "start of ours": once("start of ours", empty, ours), "start of theirs": once("start of theirs", empty, theirs),
    })  # fmt: skip
    total, low, high = median_ratio(found["theirs"], found["ours"])
    middle = {name: statistics.median(times) for name, times in found.items()}
    print(f"rows: {count} records; core-seconds {middle['ours']:.3f} (start {middle['start of ours']:.3f}) against "
          f"{middle['theirs']:.3f} (start {middle['start of theirs']:.3f}): {total:.1f} times less "
          f"({low:.1f} to {high:.1f})")  # fmt: skip
    mine, other = (middle[name] - middle[f"start of {name}"] for name in ("ours", "theirs"))
    each = [1e9 * seconds / count for seconds in (mine, other)]
    print(f"rows: for each record {each[0]:.1f} ns against {each[1]:.0f} ns: {each[1] / each[0]:.1f} times less")
    for file in (text, binary):
        file.unlink()


def chain(rate: str | None, operator: str, records: int) -> dict[str, Any]:
    """A scenario of a generator and filters that keep everything."""
    stage = {"operator": operator, "where": "len(record) > 0"}
    source = {"operator": "generate", "count": records, "size": 40, **({"rate": rate} if rate else {})}
    return {
        "name": "chain",
        "sources": {"records": source},
        "stations": {"one": dict(stage), "two": dict(stage)},
        "measure": {"repetitions": 1, "warmup": 0},
    }


def latency(rounds: int) -> None:
    """The response times of records through two stages at 10 000 records/s."""
    quantiles: dict[str, list[float]] = {"p50": [], "p95": [], "p99": []}
    for _ in range(rounds):
        scenario = load(chain("10000 records/s", "filter", 20_000))
        response = summarise(measure(scenario), scenario.circuit, loads=scenario.loads).circuit.response_time
        assert response is not None
        for name, values in quantiles.items():
            value = getattr(response, name).value
            values.append(1e3 * value)
    shown = ", ".join(
        f"{name} {statistics.median(v):.3f} ms ({min(v):.3f} to {max(v):.3f})" for name, v in quantiles.items()
    )
    print(f"latency: two stages at 10 000 records/s, from due to written by the last: {shown}")


def batches(rounds: int) -> None:
    """Makespans at full speed, adaptive against fixed batches."""
    sys.path.insert(0, str(Path(__file__).parent))
    adaptive = load(chain(None, "filter", 3_000_000))
    fixed = load(chain(None, "fixed_batches:FixedFilter", 3_000_000))
    times = alternate(rounds, {
        "adaptive": lambda: run_once(adaptive, observe=False).makespan_s,
        "fixed": lambda: run_once(fixed, observe=False).makespan_s,
    })  # fmt: skip
    ratio, low, high = median_ratio(times["fixed"], times["adaptive"])
    middle = {name: statistics.median(each) for name, each in times.items()}
    print(f"batches: adaptive {middle['adaptive']:.3f} s, fixed batches of 4096 {middle['fixed']:.3f} s; "
          f"throughput {ratio:.3f} times ({low:.3f} to {high:.3f})")  # fmt: skip


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="lines, rows, latency, batches; default: all")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=1024)
    arguments = parser.parse_args()
    wanted = arguments.what or ["lines", "rows", "latency", "batches"]
    print(f"{machine()}; {arguments.rounds} rounds, alternated; medians (quartiles)\n")
    with tempfile.TemporaryDirectory() as directory:
        if "lines" in wanted:
            lines(Path(directory), arguments.rounds, arguments.megabytes)
        if "rows" in wanted:
            rows(Path(directory), arguments.rounds, arguments.megabytes)
    if "latency" in wanted:
        latency(arguments.rounds)
    if "batches" in wanted:
        batches(arguments.rounds)


if __name__ == "__main__":
    main()

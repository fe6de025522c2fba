"""Whether the buffer of `sort` is found as it is, and what it means for the simulation of spell-check.

    python benchmarks/buffers.py [--repetitions 5]

strace shows after how many bytes `sort` writes a temporary file, which it does whenever its buffer is full. What
filling costs is seen by feeding it 32 KiB at a time and reading its CPU time whenever it has fallen asleep: then the
kernel's account is exact. The
profile is fitted from what the sampler saw of other runs. Then the same validation runs are simulated and predicted
three times: with the profile as fitted, with the buffers where strace saw them, and with the work of `sort` spread
evenly over its input.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import statistics
import struct
import subprocess
import tempfile
import termios
import time
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from common import SCENARIOS, machine

import streamsim
from streamsim import verbs
from streamsim.scenario import Scenario
from streamsim.service import CurvePoint, Profile, ServiceModel

STATION = "sort"

STEP = 32768

FULL_S = 5e-3
"""A step that takes longer than this sorted a full buffer."""


def true_places(scenario: Scenario) -> tuple[list[int], int]:
    """After how many bytes `sort` found its buffer full, and how many there were."""
    source = scenario.circuit.station("python")
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "log"
        line = f"tr -cs A-Za-z '\\n' | tr A-Z a-z | strace -f -o {log} -e trace=read,openat sort -u > {os.devnull}"
        words = subprocess.Popen(["bash", "-c", line], stdin=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
        assert words.stdin is not None, "it was asked for"
        with words.stdin:
            for path in source.parameters["paths"]:
                words.stdin.write(Path(path).read_bytes())
        if words.wait():
            raise SystemExit("strace, tr and sort are needed")
        places, taken = [], 0
        for text in log.read_text(errors="replace").splitlines():
            if match := re.search(r"read\(0,.* = (\d+)$", text):
                taken += int(match[1])
            elif "openat" in text and "/sort" in text and "O_CREAT" in text:
                places.append(taken)
    return [place for place in places if place < taken], taken


def words_of(scenario: Scenario) -> bytes:
    """All that `sort` is given."""
    source = scenario.circuit.station("python")
    line = "tr -cs A-Za-z '\\n' | tr A-Z a-z"
    whole = b"".join(Path(path).read_bytes() for path in source.parameters["paths"])
    return subprocess.run(["bash", "-c", line], input=whole, stdout=subprocess.PIPE, check=True).stdout


def true_filling(words: bytes) -> tuple[float, float, float]:
    """What it costs `sort` to take a byte: in the first buffer, in the others (core-s), and the whole of a full one."""
    program = subprocess.Popen(
        ["sort", "-u"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env={**os.environ, "LC_ALL": "C"}
    )
    assert program.stdin is not None, "it was asked for"
    pipe, rows = program.stdin.fileno(), []
    with program.stdin:
        for start in range(0, len(words), STEP):
            os.write(pipe, words[start : start + STEP])
            rows.append(_cpu_once_asleep(program.pid, pipe))
    program.wait()
    steps = np.diff(rows, prepend=0.0)
    full = steps > FULL_S
    first = int(np.argmax(full))
    filling = float(steps[first:][~full[first:]].mean())
    return float(steps[1:first].mean()) / STEP, filling / STEP, float(np.median(steps[full])) - filling


def _cpu_once_asleep(pid: int, pipe: int) -> float:
    """The core-seconds of a process when it has emptied the pipe and sleeps."""
    while True:
        (left,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
        if not left and _asleep(pid):
            time.sleep(2e-4)
            if _asleep(pid):
                return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
        time.sleep(2e-4)


def _asleep(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def with_service(profile: Profile, gather_bytes: float, **changes: object) -> Profile:
    """The profile in which `sort` works otherwise."""
    station = profile.stations[STATION]
    service: ServiceModel = msgspec.structs.replace(station.service, **changes)
    changed = msgspec.structs.replace(station, service=service, gather_bytes=gather_bytes)
    return msgspec.structs.replace(profile, stations={**profile.stations, STATION: changed})


def exact(profile: Profile, places: list[int], total: int) -> Profile:
    """The profile in which the buffers are full at these places; the price of filling them as fitted."""
    service = profile.stations[STATION].service
    filling = service.filling_per_byte / service.per_byte
    points = [CurvePoint(0.0, 0.0)]
    for before, place in pairwise((0, *places, total)):
        points.append(CurvePoint(place / total, (filling * place + (1 - filling) * before) / total))
        points.append(
            CurvePoint(min(1.0, place / total + 1e-9), place / total)
        )  # the fluid model knows no upright step
    return with_service(profile, 0.0, curve=tuple(points))


def main() -> None:
    """Print what was found and what follows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    scenario = streamsim.load(SCENARIOS / "spell-check.toml")
    outcome = verbs.compare(scenario, repetitions=parser.parse_args().repetitions)
    places, total = true_places(scenario)
    sizes = [after - before for before, after in pairwise((0, *places))]
    found = outcome.profile.stations[STATION]
    print(machine())
    print(f"strace: {len(places)} full buffers, {statistics.mean(sizes):.0f} B (from {min(sizes)} to {max(sizes)})")
    first, filling, full_s = true_filling(words_of(scenario))
    print(f"fed by hand: filling {1e9 * filling:.2f} ns/B (the first buffer {1e9 * first:.2f}), {1e3 * full_s:.1f} ms "
          "of work on a full one")  # fmt: skip
    print(f"fitted: {found.gather_bytes:.0f} B, filling {1e9 * found.service.filling_per_byte:.2f} ns/B of "
          f"{1e9 * found.service.per_byte:.2f}\n")  # fmt: skip
    truth = outcome.measured.circuit.makespan
    print(f"measured {truth.value:.3f} s ± {100 * (truth.spread or 0):.1f} %\n")
    host = verbs.conditions(outcome.measured_trace.runs)
    for name, profile in (
        ("buffers as fitted", outcome.profile),
        ("buffers as strace saw them", exact(outcome.profile, places, total)),
        ("work spread evenly", with_service(outcome.profile, 0.0)),
    ):
        simulated = verbs.summarise(verbs.simulate(scenario, profile, host=host), scenario).circuit.makespan.value
        predicted = verbs.predict(scenario, profile, host=host).circuit.makespan.value
        errors = [100 * (value / truth.value - 1) for value in (simulated, predicted)]
        print(f"{name}: simulated {errors[0]:+.1f} %, predicted {errors[1]:+.1f} %")


if __name__ == "__main__":
    main()

"""Whether the buffer of `sort` is found as it is, and what it means for the simulation of spell-check.

    python benchmarks/buffers.py [--repetitions 5]

strace shows after how many bytes `sort` writes a temporary file, which it does whenever its buffer is full. The
profile is fitted from what the sampler saw of other runs. Then the same validation runs are simulated and predicted
three times: with the profile as fitted, with the buffers where strace saw them, and with the work of `sort` spread
evenly over its input.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import tempfile
from itertools import pairwise
from pathlib import Path

import msgspec
from common import SCENARIOS, machine

import streamsim
from streamsim import verbs
from streamsim.scenario import Scenario
from streamsim.service import CurvePoint, Profile, ServiceModel

STATION = "sort"


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

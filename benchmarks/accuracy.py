"""How far simulation and prediction are from reality, on every scenario, as written and with one core.

Each case calibrates and validates in alternation (see `streamsim.compare`); the fit never sees a validation run.

    python benchmarks/accuracy.py [--repetitions 5] [--only NAME …] [--output FILE.json] [--profiles]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from common import SCENARIOS, machine

import streamsim
from streamsim.files import to_json, write_whole
from streamsim.verbs import Outcome

CASES: tuple[dict[str, Any], ...] = ({}, {"host.cores": 1})


def case(path: Path, overrides: dict[str, Any], repetitions: int) -> Outcome:
    """Compare one scenario; `overrides` apply to the validation only."""
    return streamsim.compare(streamsim.load(path), streamsim.load(path, overrides=overrides), repetitions=repetitions)


def row(name: str, overrides: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    """What one case says: makespan in all worlds, errors, the measured spread, and the bottlenecks."""
    measured, simulated, predicted = outcome.measured, outcome.simulated, outcome.predicted
    truth = measured.circuit.makespan.value or float("nan")
    spread = measured.circuit.makespan.spread or 0.0
    errors = [(world.circuit.makespan.value or float("nan")) / truth - 1 for world in (simulated, predicted)]
    worlds = {"measured": measured, "simulated": simulated, "predicted": predicted}
    bottlenecks = {
        world: (
            found.station,
            found.share.value,
            found.runner_up,
            found.runner_up_share and found.runner_up_share.value,
        )
        for world, result in worlds.items()
        if (found := result.circuit.bottleneck) is not None
    }
    return {
        "scenario": name,
        "overrides": overrides,
        "measured_s": truth,
        "spread": spread,
        "simulated_error": errors[0],
        "predicted_error": errors[1],
        "simulated_ok": abs(errors[0]) <= max(0.10, spread),
        "predicted_ok": abs(errors[1]) <= max(0.15, spread),
        "bottlenecks": bottlenecks,
        "available_cores": measured.host.available_cores,
        "speed": measured.host.speed,
    }


def show(found: dict[str, Any]) -> str:
    """One line of the table."""
    case_name = found["scenario"] + ("" if not found["overrides"] else ", 1 core")
    names = [str(found["bottlenecks"].get(world, ("-",))[0]) for world in ("measured", "simulated", "predicted")]
    marks = ["" if found[key] else " !" for key in ("simulated_ok", "predicted_ok")]
    return (
        f"| {case_name} | {found['measured_s']:.3f} ± {100 * found['spread']:.1f} % "
        f"| {100 * found['simulated_error']:+.1f} %{marks[0]} | {100 * found['predicted_error']:+.1f} %{marks[1]} "
        f"| {' / '.join(names)} | {found['available_cores']:.2f} |"
    )


def main() -> None:
    """Run all cases and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--output", type=Path, default=None, help="write all figures there, as JSON")
    parser.add_argument("--profiles", action="store_true", help="renew the profiles beside the scenarios")
    arguments = parser.parse_args()
    print(f"{machine()}; {arguments.repetitions} repetitions, calibration and validation alternated\n")
    print("| scenario | measured makespan (s) | simulated | predicted | bottleneck in each world | cores left |")
    print("| --- | --- | --- | --- | --- | --- |")
    rows = []
    for path in sorted(SCENARIOS.glob("*.toml")):
        if arguments.only is not None and path.stem not in arguments.only:
            continue
        for overrides in CASES:
            outcome = case(path, overrides, arguments.repetitions)
            found = row(path.stem, overrides, outcome)
            if arguments.profiles and not overrides:
                write_whole(path.with_suffix(".profile.json"), to_json(outcome.profile))
            rows.append(found)
            print(show(found), flush=True)
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

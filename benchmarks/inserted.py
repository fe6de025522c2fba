"""What a circuit's shape inserts needs: copies, splits, merges and paced readers, as a real run of them was fitted.

The table in streamsim/assumed.py has round figures above these. Chunks are large in the first circuits, and single
records in the paced one.

    python benchmarks/inserted.py [--records 400000] [--repetitions 3]
"""

from __future__ import annotations

import argparse
from typing import Any

from common import machine

import streamsim
from streamsim.assumed import MOVES, PACES

PACE = 20_000


def circuits(records: int) -> dict[str, dict[str, Any]]:
    """Return a circuit for every way of sharing, one that copies, and one that is paced."""
    words = {"operator": "generate", "count": records, "kind": "words"}
    found = {
        by: {
            "sources": {"in": words},
            "stations": {"work": {"operator": "map", "to": "record", "parallelism": 2, "partition": by}},
        }
        for by in ("round-robin", "key", "least-loaded")
    }
    found["copy"] = {
        "sources": {"in": words},
        "stations": {name: {"command": "cat", "input": "in"} for name in ("one", "two")},
    }
    found["paced"] = {
        "sources": {"in": {**words, "count": 2 * PACE, "rate": PACE, "arrivals": "poisson"}},
        "stations": {"out": {"command": "cat"}},
    }
    return found


def main() -> None:
    """Print what each inserted station needs for a record, all in all, and to start."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=400_000)
    parser.add_argument("--repetitions", type=int, default=3)
    given = parser.parse_args()
    print(f"{machine()}; {given.records} words, {given.repetitions} repetitions\n")
    print("| circuit | station | us a record | chunk (records) | start (ms) |\n| --- | --- | ---: | ---: | ---: |")
    for name, document in circuits(given.records).items():
        scenario = streamsim.load({"name": name, **document})
        trace = streamsim.measure(scenario, repetitions=given.repetitions)
        profile = streamsim.fit(trace, scenario)
        for station in scenario.circuit.stations:
            if station.role not in ("copy", "split", "merge") and not (name == "paced" and station.role == "source"):
                continue
            one = profile.stations[station.name]
            records = one.records_in or one.records_out or 1.0
            size = one.bytes_in or one.bytes_out
            service = one.service
            chunks = sum(regime.chunks for regime in service.regimes) / given.repetitions or 1.0
            work = service.setup * chunks + service.per_record * records + service.per_byte * size
            print(
                f"| {name} | {station.name} | {1e6 * work / records:.3f} | {records / chunks:.0f} "
                f"| {1e3 * service.startup:.1f} |"
            )
    for what, one in (("moves", MOVES), ("paces", PACES)):
        each = f"{1e6 * one.setup:.0f} us a chunk, {1e6 * one.per_record:.1f} us a record"
        print(f"\nassumed of what {what}: {each}, {1e3 * one.startup:.0f} ms to start", end="")
    print()


if __name__ == "__main__":
    main()

"""Loops that are fed as fast as they take: a closed network whose population follows from what comes back.

Of what a loop has to do only a part is there at any time: what a record brings back can be worked on only when that
record has gone round. With y records served at the slowest station of the loop, N(y) are on their way: what came from
outside and what those y brought back, less y. While they are N, the loop is a closed network, which serves at least

    X(N) = N / (R + (N − 1)·D)        R one round alone, D the largest demand of a record

(balanced job bounds: Zahorjan, Sevcik, Eager and Galler, "Balanced job bound analysis of queueing networks",
Communications of the ACM 25(2), 1982, p. 137), with the host's cores as one of its stations. So all Y records take

    ∫ dy / X(N(y)) = Y·D + H·(R − D)        H = ∫ dy / N(y)

H is how many rounds have to follow one another: Y where one record after the other goes round, next to none where
many are there from the start, and then this is the utilisation law. It depends on selectivities alone. Where the
records are dealt out to several servers in blocks of b, a block is what is served by one of them, and H is the integral
of min(1, b / N(y)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamsim.analysis.prediction.fluid import FluidResult, Segment
from streamsim.analysis.prediction.segments import mean_chunk, moved, reading_demand
from streamsim.traffic import Flow, input_bytes, totals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamsim.analysis.prediction.case import Case
    from streamsim.scenario import Scenario
    from streamsim.service import StationProfile

STEPS = 32
"""Twice so many times the records on their way are counted, more often near the start and the end."""


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A loop as its population sees it: ``rounds`` (H) follow one another, counted at ``reference``, which serves
    ``records`` (Y)."""

    stations: tuple[str, ...]
    reference: str
    records: float
    rounds: float


def loops_of(scenario: Scenario, profiles: Mapping[str, StationProfile], flows: Mapping[str, Flow]) -> tuple[Loop, ...]:
    """Return the loops of a circuit, and how many rounds of each have to follow one another."""
    found = []
    for members in scenario.circuit.loops():
        names = tuple(name for name in flows if name in members)
        reference = max(names, key=lambda name: _each(scenario, profiles[name], flows[name], name))
        records = float(flows[reference].records_in)
        if records:
            rounds = _rounds(scenario, profiles, flows, reference, _block(scenario, profiles, reference))
            found.append(Loop(stations=names, reference=reference, records=records, rounds=rounds))
    return tuple(found)


def _each(scenario: Scenario, profile: StationProfile, flow: Flow, name: str) -> float:
    service = profile.service
    waiting = service.waiting_per_byte * flow.bytes_in + service.waiting_per_record * flow.records_in
    busy = reading_demand(profile, flow) / max(1.0, service.threads) + waiting
    return busy / scenario.circuit.station(name).parallelism


def _block(scenario: Scenario, profiles: Mapping[str, StationProfile], name: str) -> float:
    """Return how many records at once go to one of a station's servers."""
    split = profiles.get(f"{name}.split")
    if split is None or split.source == "declared":
        return 1.0
    if scenario.circuit.station(f"{name}.split").parameters.get("by", "round-robin") not in (
        "round-robin",
        "least-loaded",
    ):
        return 1.0
    return max(1.0, float(mean_chunk(split) / split.record_bytes))


def _rounds(
    scenario: Scenario,
    profiles: Mapping[str, StationProfile],
    flows: Mapping[str, Flow],
    reference: str,
    block: float,
) -> float:
    """Return H: the sum of min(1, block/N) over all records that the reference station serves."""
    size, records = flows[reference].bytes_in, flows[reference].records_in
    whole = float(size) / records

    def on_their_way(served: int) -> float:
        limited = totals(scenario, profiles, at_most={reference: round(served * whole)})
        offered = sum(input_bytes(scenario, profiles, limited, reference).values())
        return max(1.0, float(offered / whole - served) / block)

    early = {round(float(records) ** (step / STEPS)) - 1 for step in range(STEPS + 1)}
    marks = sorted(early | {records - 1 - mark for mark in early})
    population = [on_their_way(mark) for mark in marks]
    rounds = 1.0 / population[0]  # the first record goes round with those that came with it
    for place in range(len(marks) - 1):
        rounds += (marks[place + 1] - marks[place]) * (1 / population[place] + 1 / population[place + 1]) / 2
    return rounds


def round_of(case: Case, loop: Loop) -> tuple[float, float]:
    """Return R and D: the time of one round alone, and the largest demand of a record at a station or the cores (s)."""
    alone = largest = 0.0
    work: dict[str, float] = {}
    for name in loop.stations:
        profile, flow = case.profiles[name], case.flows[name]
        size, records = moved(flow)
        service = profile.service
        busy = reading_demand(profile, flow) / case.host.speed_when(case.host.available_cores) / loop.records
        waiting = (service.waiting_per_byte * size + service.waiting_per_record * records) / loop.records
        time = busy / max(1.0, min(service.threads, case.most_cores(name))) + waiting
        work[name] = busy
        alone += time
        largest = max(largest, time / case.servers[name])
    return alone, max(largest, case.crowding(work)[0])


def time_of(case: Case, loop: Loop) -> float:
    """Return how long a loop takes for all that goes round it (s)."""
    alone, largest = round_of(case, loop)
    return loop.records * largest + loop.rounds * max(0.0, alone - largest)


def makespan_of_loops(case: Case, fluid: FluidResult, segments: list[Segment]) -> float:
    """Return the makespan (s) with what it costs that records have to go round one after the other."""
    longer: dict[str, float] = {}
    for loop in case.loops:
        segment = next(one.name for one in segments[1:] if any(work.station == loop.reference for work in one.works))
        spent = fluid.ended[segment] - fluid.began[segment]
        longer[segment] = max(longer.get(segment, 0.0), time_of(case, loop) - spent)
    return fluid.makespan + sum(longer.values())


def loop_note(case: Case, loop: Loop) -> str:
    """Say what a loop was taken for."""
    alone, largest = round_of(case, loop)
    return (
        f"the loop through '{loop.reference}': a closed network whose population follows the selectivities (balanced "
        f"job bounds); of its {loop.records:.3g} records {loop.rounds:.3g} have to go round one after the other, a "
        f"round takes {1000 * alone:.3g} ms alone, and {1000 * largest:.3g} ms at the slowest place"
    )

"""Max-plus recursions leave every record where and when the SimPy interpreter does, bit for bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.errors import ModelError
from streamsim.families import distribution_of
from streamsim.models.records.interpret import Interpreter
from streamsim.models.records.laws import Gaps, Law
from streamsim.models.records.maxplus import MaxPlus, refusal
from streamsim.models.records.streams import Drawn, Even, Listed
from streamsim.models.records.table import Command, Pipe, Source, Station, Table
from streamsim.models.table import Pace

LAWS = [
    None,
    Law(distribution_of("exponential", 1.0)),
    Law(distribution_of("map", 3.0, 0.2)),
    Law(distribution_of("phase-type", 0.4)),
]
KEYS = Drawn(lambda rng, count: rng.integers(0, 9, count).astype(np.float64))


@st.composite
def sources(draw: Any) -> Source:
    """A source of any kind; it ends by its records or by the clock."""
    records = draw(st.integers(0, 150) | st.none())
    until_s = draw(st.just(math.inf) if records is not None else st.floats(1.0, 60.0))
    keys = draw(st.sampled_from([None, KEYS]))
    match draw(st.sampled_from(["gaps", "even", "listed", "saturated"])):
        case "gaps":
            pace = Pace(arrivals=draw(st.sampled_from(["poisson", "bursty"])), rate=draw(st.floats(0.3, 4.0)), scv=3.0)
            return Source(arrivals="gaps", stream=Gaps(pace), records=records, until_s=until_s, keys=keys)
        case "even":
            return Source(arrivals="times", stream=Even(draw(st.sampled_from([1.0, 0.7]))), records=records or 90,
                          until_s=until_s, keys=keys)  # fmt: skip
        case "listed":
            times = tuple(np.cumsum(draw(st.lists(st.sampled_from([0.0, 0.5, 2.0]), max_size=60))).tolist())
            return Source(arrivals="times", stream=Listed(times), until_s=until_s, keys=keys)
    return Source(records=records, until_s=until_s, keys=keys)


@st.composite
def tables(draw: Any) -> Table:
    """A source, stations in line or in branches that meet again in order, perhaps several servers at the end."""
    stations: list[Station] = []
    pipes: list[Pipe] = []

    def add(upstream: list[int], **more: Any) -> int:
        law = draw(st.sampled_from(LAWS))
        base = draw(st.sampled_from([0.25, 0.5, 1.0] if law is None else [0.3, 0.8]))
        row = {"base_s": base, "service": law, "delay_s": draw(st.sampled_from([0.0, 0.0, 0.125])), **more}
        stations.append(Station(name=f"s{len(stations)}", **row))
        for other in upstream:
            unit = draw(st.sampled_from(["records", "bytes"]))
            capacity = draw(st.none() | st.integers(1, 5))
            pipes.append(Pipe(upstream=other, downstream=len(stations) - 1, capacity=capacity, unit=unit))
        return len(stations) - 1

    source = draw(sources())
    begins = {"source": source, "split": draw(st.sampled_from(["turns", "key", "drawn"])), "weights": (1.0, 2.0, 1.0)}
    at_once = draw(st.booleans()) and source.arrivals != "saturated"
    last = add([], **(begins | ({"base_s": 0.0, "service": None, "delay_s": 0.0} if at_once else {})))
    if draw(st.booleans()):
        branches = [add([last]) for _ in range(3)]
        if draw(st.booleans()):
            last = add(branches, pick="next")
        else:
            return Table(stations=tuple(stations), pipes=tuple(pipes))
    for _ in range(draw(st.integers(0, 3))):
        last = add([last])
    if draw(st.booleans()):
        add([last], servers=draw(st.integers(1, 6)))
    return Table(stations=tuple(stations), pipes=tuple(pipes))


@settings(max_examples=80, deadline=None)
@given(table=tables(), seed=st.integers(0, 10_000), block=st.sampled_from([1, 7, 64, 4096]))
def test_departures_are_those_of_the_interpreter_bit_for_bit(table: Table, seed: int, block: int) -> None:
    assert refusal(table) is None
    law = Interpreter(table, np.random.SeedSequence(seed))
    law.run()
    engine = MaxPlus(table, np.random.SeedSequence(seed), log=True, block=block)
    found = [pair for born, left in engine.blocks() for pair in zip(born.tolist(), left.tolist(), strict=True)]
    assert sorted(found) == sorted((born, left) for left, born, *_ in law.exits)
    assert engine.departures is not None
    for number, blocks in enumerate(engine.departures):
        mine = sorted(np.concatenate(blocks).tolist()) if blocks else []
        assert mine == sorted(time for station, time, _ in law.departures if station == number)


@settings(max_examples=30, deadline=None)
@given(table=tables(), seed=st.integers(0, 10_000))
def test_times_spent_are_those_of_the_interpreter(table: Table, seed: int) -> None:
    law = Interpreter(table, np.random.SeedSequence(seed))
    law.run()
    engine = MaxPlus(table, np.random.SeedSequence(seed))
    for _ in engine.blocks():
        pass
    scale = max(1.0, law.clock.now) * 1e-9
    for number, station in enumerate(law.stations):
        times = np.sum([server.times for server in station.servers], axis=0)
        assert engine.busy_s[number] == pytest.approx(times[1], abs=scale)
        assert engine.blocked_s[number] == pytest.approx(times[4], abs=scale)
        assert engine.passed[number] == station.taken
        inputs = [law.pipes[pipe] for pipe in table.inputs(number) if table.pipes[pipe].unit == "records"]
        if len(inputs) == len(table.inputs(number)) and inputs:
            assert engine.waited_s[number] == pytest.approx(sum(pipe.area for pipe in inputs), abs=scale * 200)


def line(**more: Any) -> Table:
    stations = (Station(name="make", source=Source(records=5)), Station(**({"name": "take"} | more)))
    return Table(stations=stations, pipes=(Pipe(upstream=0, downstream=1),))


LATER = Command(time_s=1.0, target="take", parameter="service", value=2.0)
SLOTS = Pipe(upstream=0, downstream=1, capacity=4096, unit="pages")
OTHER = Station(name="other", source=Source(records=1))


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (line(barrier=True), "one record for one"),
        (line(host=0), "shares cores"),
        (line(size=Drawn(lambda rng, count: np.ones(count))), "differ in size"),
        (Table(stations=line().stations, pipes=(SLOTS,)), "split"),
        (Table(stations=line().stations, pipes=line().pipes, commands=(LATER,)), "changes"),
        (Table(stations=(*line().stations, OTHER), pipes=line().pipes), "several sources"),
    ],
)
def test_what_depends_on_time_is_refused_with_its_reason(table: Table, reason: str) -> None:
    found = refusal(table)
    assert found is not None and reason in found
    with pytest.raises(ModelError, match=reason):
        MaxPlus(table, np.random.SeedSequence(1))

"""Who interrupts whom, who ends early, and what is handed over: small timelines that both engines must give."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from streamsim.models.records.compiling import compile_table
from streamsim.models.records.interpret import Interpreter
from streamsim.models.records.steady import answer
from streamsim.models.records.table import Pipe, Source, Station
from tests.unit.modelled import PAGE, chain, giving, taking
from tests.unit.recorded import departures, ends, exits, source, table


def test_a_more_urgent_record_interrupts_the_least_urgent_service_which_goes_on_later(engine: Any) -> None:
    model = table(
        source("low", times=(0.0, 0.1), urgency=2),
        source("middle", times=(0.5,), urgency=1),
        source("high", times=(1.0,), urgency=0),
        Station(name="two", servers=2, base_s=2.0, preempts=True),
        pipes=[Pipe(upstream=k, downstream=3, classes=3) for k in range(3)],
    )
    one = engine(model, np.random.SeedSequence(1))
    one.run()
    left = [(t, b) for t, b, *_ in one.exits] if engine is Interpreter else one.exits()[1].tolist()
    # That of 0.1 gives way at 0.5 with 1.6 s left, that of 0 at 1 with 1 s left; at 2.5 the older one goes on.
    assert [tuple(pair) for pair in left] == [(2.5, 0.5), (3.0, 1.0), (3.5, 0.0), (4.6, 0.1)]


def test_a_reader_that_ends_early_ends_those_before_it_as_by_sigpipe(engine: Any) -> None:
    model = table(
        source(records=100),
        Station(name="work"),
        Station(name="head", base_s=0.0, takes=2),
        pipes=[Pipe(upstream=0, downstream=1, capacity=1), Pipe(upstream=1, downstream=2, capacity=1)],
    )
    assert exits(engine, model) == [(1.0, "head"), (2.0, "head")]
    taken, lost, now = ends(engine, model)
    assert taken == [5, 3, 2]  # the source: three that were worked on, one in the pipe, and one in its hand
    assert lost == [1, 2, 0]  # work learns at 3, when it writes
    assert now == 3.0


def test_who_still_has_a_reader_goes_on(engine: Any) -> None:
    model = table(
        source(records=4),
        Station(name="tee", base_s=1.0),
        Station(name="head", base_s=0.0, takes=1),
        Station(name="rest", base_s=0.0),
        pipes=[(0, 1), (1, 2), (1, 3)],
    )
    assert [time for time, name in exits(engine, model) if name == "rest"] == [1.0, 2.0, 3.0, 4.0]
    assert ends(engine, model)[1] == [0, 3, 0, 0]


def test_without_a_place_between_them_a_record_waits_in_the_hand_of_its_writer(engine: Any) -> None:
    model = table(
        Station(name="fast", source=Source(records=3)),
        Station(name="slow", base_s=5.0),
        pipes=[Pipe(upstream=0, downstream=1, capacity=0)],
    )
    assert exits(engine, model) == [(6.0, "slow"), (11.0, "slow"), (16.0, "slow")]
    assert departures(engine, model, 0) == [1.0, 6.0, 11.0]


def test_a_station_that_stopped_reading_when_it_was_measured_ends_early_in_a_simulation_by_records() -> None:
    head = msgspec.structs.replace(taking(setup=0.5), bytes_in=10.0 * PAGE, record_bytes=PAGE)
    all_of_it = msgspec.structs.replace(taking(setup=0.25), bytes_in=1000.0 * PAGE, bytes_out=1000.0 * PAGE)
    compiled = compile_table(*chain(giving(1000 * PAGE), all_of_it, head, operators=True))
    assert [row.takes for row in compiled.table.stations] == [None, None, 10]
    found = answer(compiled.table, precision=0.1)
    assert found.terminating
    assert found.samples[0].whole.taken[2] == 10
    assert 10 < found.samples[0].whole.taken[1] < 100  # what the pipes held, and no more

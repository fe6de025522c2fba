"""What would go on for ever, or for years, is refused in one line; what only looks like it is simulated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamsim.errors import ModelError
from streamsim.loading import load
from streamsim.models.records import lengths
from streamsim.models.records.check import check
from streamsim.models.records.laws import Gaps, Law
from streamsim.models.records.table import Pipe, Source, Station, Table
from streamsim.models.table import Pace
from streamsim.service import Distribution
from streamsim.simulating import simulate_result


def relay(name: str, **more: Any) -> Station:
    return Station(name=name, **{"base_s": 0.0, **more})


def joined(*pipes: tuple[int, int, int | None]) -> tuple[Pipe, ...]:
    return tuple(Pipe(upstream=above, downstream=below, capacity=limit) for above, below, limit in pipes)


MAKE = relay("make", source=Source())
SLOW = Station(name="slow")


@pytest.mark.parametrize(
    ("stations", "pipes"),
    [
        ((MAKE, relay("take")), joined((0, 1, 5))),
        ((MAKE, relay("pass"), relay("take")), joined((0, 1, 5), (1, 2, 0))),
        ((MAKE, relay("pass"), SLOW), joined((0, 1, 5), (1, 2, None))),
        ((MAKE, relay("drop", when_full="drop"), SLOW), joined((0, 1, 5), (1, 2, 5))),
        ((MAKE, relay("keep", barrier=True)), joined((0, 1, 5))),
        ((relay("make", source=Source(arrivals="closed")), relay("take")), joined((0, 1, 5))),
        ((MAKE, relay("other", source=Source()), relay("both", pick="join")), joined((0, 2, 5), (1, 2, 5))),
    ],
)
def test_a_source_that_nothing_ever_holds_up_is_refused(stations: tuple[Station, ...], pipes: tuple[Pipe, ...]) -> None:
    with pytest.raises(ModelError, match="would give records for ever at one instant"):
        check(Table(stations=stations, pipes=pipes))


@pytest.mark.parametrize(
    ("stations", "pipes"),
    [
        ((MAKE, SLOW), joined((0, 1, 5))),
        ((MAKE, relay("pass"), SLOW), joined((0, 1, 5), (1, 2, 5))),
        ((MAKE, relay("copy"), relay("take"), SLOW), joined((0, 1, 5), (1, 2, 5), (1, 3, 5))),
        ((MAKE, relay("head", takes=9)), joined((0, 1, 5))),
        ((relay("make", source=Source(arrivals="closed")), SLOW), joined((0, 1, None))),
        (
            (MAKE, Station(name="other", source=Source()), relay("both", pick="join")),
            joined((0, 2, 5), (1, 2, 5)),
        ),
    ],
)
def test_a_source_that_something_holds_up_is_not(stations: tuple[Station, ...], pipes: tuple[Pipe, ...]) -> None:
    check(Table(stations=stations, pipes=pipes))


def queue(*, service: dict[str, Any] | None = None, **more: Any) -> Any:
    return load(
        {
            "sources": {"make": {"operator": "generate", "rate": "800 records/s", "arrivals": "poisson"}},
            "stations": {"serve": {"operator": "work", "service": "1 ms"}},
            "service": {
                "make": {},
                "serve": {
                    "places": "unlimited",
                    **({"per_record": "1 ms", "scv": 1.0} if service is None else service),
                },
            },
            **more,
        }
    )


@pytest.mark.parametrize("end", [{"records": 10**12}, {"duration": "1000000000 s"}])
def test_a_run_of_years_is_refused_with_the_time_that_it_would_take(end: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"'make' gives about .* would take .* (days|years|hours) on one core"):
        simulate_result(queue(measure=end), engine="auto")


def test_a_precision_that_would_take_years_is_refused_with_the_time_that_it_would_take() -> None:
    with pytest.raises(ModelError, match=r"a precision of 1e-09 needs about .* would take .* ask for less"):
        simulate_result(queue(simulate={"precision": 1e-9}))


def test_a_circuit_in_which_nothing_takes_time_has_no_rate() -> None:
    document = queue(service={}, measure={"records": 50})
    saturated = load(
        {
            "sources": {"make": {"operator": "generate"}},
            "stations": {"serve": {"operator": "work", "service": "1 ms"}},
            "service": {"make": {}, "serve": {"places": 5}},
            "measure": {"records": 50},
        }
    )
    assert simulate_result(document).circuit.response_time.mean.value == 0.0  # type: ignore[union-attr]
    with pytest.raises(ModelError, match="nothing takes any time"):
        simulate_result(saturated)


def test_what_a_barrier_gives_at_one_instant_is_seen_from_the_start() -> None:
    found = simulate_result(
        load(
            {
                "sources": {"make": {"operator": "generate"}},
                "stations": {"rank": {"command": "sort"}},
                "service": {
                    "make": {"bytes": 4000, "record_bytes": 4},
                    "rank": {"barrier": True, "per_record": "1 ms", "record_bytes": 4},
                },
            }
        ),
        engine="auto",
    )
    assert found.circuit.makespan.value == pytest.approx(1.0)
    assert found.stations["rank"].utilisation.value == pytest.approx(1.0)
    assert found.circuit.records_per_s is not None and found.circuit.records_per_s.value == pytest.approx(1000.0)


@pytest.mark.parametrize(("others_per_s", "steady"), [(0.4, True), (0.8, False)])
def test_an_overload_of_the_less_urgent_alone_is_no_steady_state(
    others_per_s: float, steady: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lengths, "LONGEST_LOOK", 16384)  # MSER alone takes that for settled: the urgent are
    law = Law(Distribution(family="exponential", scv=1.0))
    loads = [
        Source(arrivals="gaps", stream=Gaps(Pace(arrivals="poisson", rate=rate)), urgency=rank)
        for rank, rate in enumerate((0.4, others_per_s))
    ]
    stations = (relay("urgent", source=loads[0]), relay("other", source=loads[1]), Station(name="serve", service=law))
    pipes = tuple(Pipe(upstream=place, downstream=2, classes=2) for place in (0, 1))
    _, found = lengths.find_warm_up(Table(stations=stations, pipes=pipes), "compiled", np.random.SeedSequence(1))
    assert found is steady

"""Tables of records for the networks of the known answers."""

from __future__ import annotations

from collections.abc import Sequence

from streamsim.families import distribution_of, erlang
from streamsim.models.records.laws import Gaps, Law
from streamsim.models.records.streams import Even, Variate
from streamsim.models.records.table import Pipe, Source, Station, Table
from streamsim.models.table import Pace
from streamsim.service import Distribution

EXPONENTIAL = Law(Distribution(family="exponential", scv=1.0))


def law(scv: float) -> Variate | None:
    """The service of that scv as the table of known answers means it: E2 for 0.5, balanced-means H2 above 1."""
    if scv == 0:
        return None
    if scv == 0.5:
        return Law(erlang(2))
    return EXPONENTIAL if scv == 1 else Law(distribution_of("hyperexponential", scv))


def poisson(rate: float, **more: object) -> Source:
    """A Poisson load."""
    return Source(arrivals="gaps", stream=Gaps(Pace(arrivals="poisson", rate=rate)), **more)  # type: ignore[arg-type]


def gaps(rate: float, scv: float) -> Source:
    """A renewal load of that scv: even, E2, Poisson, H2."""
    if scv == 0:
        return Source(arrivals="times", stream=Even(rate))
    if scv == 0.5:
        return Source(arrivals="gaps", stream=Scaled(Law(erlang(2)), 1 / rate))
    return Source(arrivals="gaps", stream=Gaps(Pace(arrivals="bursty", rate=rate, scv=scv)))


class Scaled:
    """A variate times a factor."""

    def __init__(self, variate: Variate, factor: float) -> None:
        self.variate, self.factor = variate, factor

    def blocks(self, rng):  # type: ignore[no-untyped-def]
        """Yield blocks."""
        return (self.factor * block for block in self.variate.blocks(rng))


def station(name: str, mean_s: float = 1.0, **more: object) -> Station:
    """A station with exponential service."""
    return Station(name=name, **{"base_s": mean_s, "service": EXPONENTIAL, **more})  # type: ignore[arg-type]


def source(load: Source, **more: object) -> Station:
    """A source that takes no time itself."""
    return Station(name="source", base_s=0.0, source=load, **more)  # type: ignore[arg-type]


def queue(load: Source, server: Station, **pipe: object) -> Table:
    """One station behind a pipe without a limit, unless `pipe` says otherwise."""
    return Table(stations=(source(load), server), pipes=(Pipe(upstream=0, downstream=1, **pipe),))  # type: ignore[arg-type]


def line(first: Station, means: Sequence[float], capacities: Sequence[int | None]) -> Table:
    """Exponential stations one after the other, each behind a pipe of so many records."""
    stations = (first, *(station(f"s{place}", mean) for place, mean in enumerate(means, start=1)))
    pipes = tuple(Pipe(upstream=k, downstream=k + 1, capacity=capacity) for k, capacity in enumerate(capacities))
    return Table(stations=stations, pipes=pipes)


def hub(load: Source, visits: Sequence[float], stations: Sequence[Station]) -> Table:
    """Records go back and forth between a hub that takes no time and stations, visited so often on average."""
    total = sum(visits) + 1.0
    weights = (*(visit / total for visit in visits), 1.0 / total)
    centre = Station(name="hub", base_s=0.0, split="drawn", weights=weights, pick="ready")
    leave = Station(name="leave", base_s=0.0)
    count = len(stations)
    pipes = [Pipe(upstream=0, downstream=1)]
    pipes += [Pipe(upstream=1, downstream=2 + k) for k in range(count)]
    pipes += [Pipe(upstream=1, downstream=2 + count)]
    pipes += [Pipe(upstream=2 + k, downstream=1) for k in range(count)]
    return Table(stations=(source(load), centre, *stations, leave), pipes=tuple(pipes))

"""Which station holds the circuit back: what relief of each would bring, how sure that is, and what would bite next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from streamsim.analysis.elasticity import Figures, elasticity, figures, throughput
from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.steered import steered
from streamsim.analysis.relief import DIGITS, candidates, relieved, throughput_elasticity, works
from streamsim.errors import ModelError
from streamsim.placement import HOST, are_cores
from streamsim.scenario import ScenarioKey
from streamsim.units import format_seconds

SCHEMA = "streamsim.bottleneck/1"
DRAWS = 200
"""Profiles drawn from the intervals of the one that was fitted: tells 50 from 57 % and 95 from 98 %."""
MATTERS = 0.005
"""Gains and elasticities below half a per cent are nothing."""
SMALLEST = 1e-3
"""Relief stops here: a thousandth of the demand is as good as none."""
SLACK = 0.03
"""Relief seems to lower throughput by at most so much for each per cent, and roundings."""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One station, the host's cores (``"host"``) or those that some are pinned to, and what its relief would bring.

    ``demand`` is by how many per cent throughput rises for each per cent less demand (at the host: for each per cent
    more core), ``p99_demand`` by how many the 99th percentile falls; 0 to about 1. The gains are relative:
    ``half_demand`` of half the demand (twice the cores), ``one_more`` of another server (core), ``double_pipe`` of
    pipes twice as large into it; those of p99 are negative where it falls. None where it does not apply.

    Relief lowers no throughput here: who has more room need not use it. Theory may say so by up to 2 %, since it takes
    the stations as perfectly in step while all take part in the stream, but as sharing the cores alike, the longest
    delayed by the others, while a sorter works on its buffer; larger pipes, or less work elsewhere, move work from the
    one to the other.
    """

    station: str
    demand: float
    p99_demand: float | None = None
    half_demand: float
    half_demand_p99: float | None = None
    one_more: float | None = None
    one_more_p99: float | None = None
    double_pipe: float | None = None
    double_pipe_p99: float | None = None


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """What bites next: once the demand of the first is down to ``demand`` of what it is (at the host: the cores up to
    ``1/demand``), ``throughput`` times as high as now."""

    station: str
    demand: float
    throughput: float


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of ``bottleneck``; ``causes`` are sorted, the first holds the circuit back most.

    ``confidence`` is the share of profiles, drawn from the intervals of the fitted one, under which the first cause
    stays the first; None where the profile does not know its intervals. ``ranking`` is that share for every cause that
    was ever first. ``basis`` says what ``throughput`` means.
    """

    schema: str = SCHEMA
    scenario: ScenarioKey
    saturated: bool
    basis: Literal["run", "largest load"]
    throughput: float
    throughput_unit: str
    p99_s: float | None = None
    causes: tuple[Cause, ...]
    confidence: float | None = None
    ranking: dict[str, float] = msgspec.field(default_factory=dict)
    following: Following | None = None
    notes: tuple[str, ...] = ()

    @property
    def first(self) -> Cause:
        """The cause whose relief would raise throughput most."""
        return self.causes[0]


def diagnose(case: Case, *, seed: int = 1) -> Diagnosis:
    """Name what holds a circuit back, by finite differences of the prediction.

    Parameters
    ----------
    seed : of the profiles that are drawn to say how sure the answer is.

    Raises ModelError where nothing takes any time.

    >>> from streamsim.loading import load
    >>> from streamsim.analysis.prediction.case import case_of
    >>> found = diagnose(case_of(load({
    ...     "sources": {"in": {"command": "seq 9"}}, "stations": {"a": {"command": "cat"}}, "host": {"cores": 2},
    ...     "service": {"in": {"bytes": 1000}, "a": {"per_byte": "1 ms"}}}), None))
    >>> found.first.station, round(found.first.demand, 6), round(found.first.half_demand, 6)
    ('a', 1.0, 1.0)
    """
    steering = steered(case)
    case = steering.case
    now = figures(case, steering.held_s)
    if not math.isfinite(now.throughput):
        raise ModelError("no station needs any time for its work, so that nothing holds the circuit back")
    causes = sorted(
        (cause_of(case, name, now, steering.held_s) for name in candidates(case)), key=_weight, reverse=True
    )
    likely = [cause.station for cause in causes]
    ranking, notes = confidence(case, likely, seed)
    amount, unit = _volume(case)
    return Diagnosis(
        scenario=case.scenario.key,
        saturated=not case.scenario.open or now.p99 is None,
        basis="largest load" if case.scenario.open else "run",
        throughput=now.throughput * amount,
        throughput_unit=unit,
        p99_s=now.p99,
        causes=tuple(causes),
        confidence=ranking.get(causes[0].station, 0.0) if ranking else None,
        ranking=ranking,
        following=_following(case, likely, now),
        notes=(*steering.notes, *steering.warnings, *_held(now, steering.held_s), *notes),
    )


def cause_of(case: Case, name: str, now: Figures, held_s: Mapping[str, float]) -> Cause:
    """Return what relief of one station, or of the host, would bring."""

    def after(relief: Case) -> Figures:
        return figures(relief, held_s)

    p99 = elasticity(case, lambda c, f: relieved(c, name, f), lambda c: after(c).p99) if now.p99 else None
    half = after(relieved(case, name, 0.5))
    more = max((after(one) for one in _one_more(case, name)), key=lambda one: one.throughput)
    pipe = after(case.with_capacity(name, 2.0)) if not are_cores(name) and case.inputs[name] else None
    return Cause(
        station=name,
        demand=max(0.0, _clean(throughput_elasticity(case, name))),
        p99_demand=_clean(p99) if p99 is not None else None,
        half_demand=_more(half, now),
        half_demand_p99=_gain(half.p99, now.p99),
        one_more=_more(more, now),
        one_more_p99=_gain(more.p99, now.p99),
        double_pipe=_more(pipe, now) if pipe else None,
        double_pipe_p99=_gain(pipe.p99, now.p99) if pipe else None,
    )


def _held(now: Figures, held_s: Mapping[str, float]) -> list[str]:
    """Say why there is no 99th percentile where a controller holds what waits."""
    if now.p99 is not None:
        return []
    return [
        f"before {name!r} records wait {format_seconds(wait_s)} on average, as its controller lets them; relief "
        "changes how many are kept, not how long they wait, and the 99th percentile is not known"
        for name, wait_s in held_s.items()
    ]


def confidence(case: Case, likely: Sequence[str], seed: int) -> tuple[dict[str, float], list[str]]:
    """Return how often each cause is the first when the demands are drawn from their intervals, and notes.

    Demands scatter independently, as the repetitions of the calibration did: a normal law whose 95 % interval is that
    of the profile, cut at a twentieth of the mean.

    Parameters
    ----------
    likely : all causes, the most likely first.
    """
    spreads = {name: case.profiles[name].demand_spread for name in case.order if works(case, name)}
    measured = [name for name in spreads if case.profiles[name].source == "fitted"]
    unknown = [name for name in measured if spreads[name] is None]
    if unknown:
        names = ", ".join(f"'{name}'" for name in unknown)
        return {}, [
            f"how sure this is cannot be said: the profile holds no interval of {names} (measured once, or by an older "
            "version); streamsim measure with two repetitions or more writes them"
        ]
    if not measured:
        return {}, ["all demands are declared, not measured: the answer is as good as they are"]
    rng = np.random.default_rng(seed)
    wins: dict[str, int] = {}
    for _ in range(DRAWS):
        drawn = case
        for name, spread in spreads.items():
            if spread:
                drawn = drawn.with_demand(name, max(0.05, 1 + float(rng.standard_normal()) * spread / 1.96))
        winner = _leader(drawn, likely)
        wins[winner] = wins.get(winner, 0) + 1
    return {name: count / DRAWS for name, count in sorted(wins.items(), key=lambda item: -item[1])}, []


def _following(case: Case, likely: Sequence[str], now: Figures) -> Following | None:
    """Relieve the first cause until another one holds the circuit back more, to 1 % of its demand."""
    first = likely[0]

    def leader(factor: float) -> str:
        return _leader(relieved(case, first, factor), likely)

    low, high = SMALLEST, 1.0
    if leader(low) == first:
        return None
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if leader(middle) == first else (middle, high)
    eased = throughput(relieved(case, first, low))
    return Following(station=leader(low), demand=low, throughput=eased / now.throughput)


def _leader(case: Case, likely: Sequence[str]) -> str:
    """Return whose relief brings most; of those that bring the same the first of `candidates`.

    The elasticities to the demands of all stations add up to at most 1 (all demands doubled, the run takes at most
    twice as long) and none is below −`SLACK` (see `Cause`), so that the rest need not be asked where one has more than
    is left for them.

    Parameters
    ----------
    likely : in which order to ask.
    """
    found = {name: round(throughput_elasticity(case, name), DIGITS) for name in likely if are_cores(name)}
    stations = [name for name in likely if not are_cores(name)]
    left = 1.0
    for k, name in enumerate(stations):
        if max(found.values(), default=0.0) > left + SLACK * (len(stations) - k):
            break
        found[name] = round(throughput_elasticity(case, name), DIGITS)
        left -= found[name]
    return max((name for name in candidates(case) if name in found), key=found.__getitem__)


def _weight(cause: Cause) -> tuple[float, float]:
    return round(cause.demand, DIGITS), round(cause.half_demand, DIGITS)


def _one_more(case: Case, name: str) -> list[Case]:
    """Return the ways to have a server more, a core more, or to pin those of some cores to one more that is there."""
    if name == HOST:
        return [case.with_cores(case.host.cores + 1)]
    if case.placement is None or not are_cores(name):
        return [case.with_servers(name, case.servers[name] + 1)]
    limit = next(one for one in case.placement.limits if one.label == name)
    inside = case.placement.inside(limit)
    others = [core for core in case.placement.cores if core not in limit.cores]
    return [case.with_pins({**case.pins, **dict.fromkeys(inside, (*limit.cores, core))}) for core in others]


def _more(then: Figures, now: Figures) -> float:
    return max(0.0, _clean(then.throughput / now.throughput - 1))


def _gain(then: float | None, now: float | None) -> float | None:
    if then is None or not now:
        return None
    return _clean(then / now - 1)


def _clean(value: float) -> float:
    """Return 0.0 in place of what is rounding, and not −0.0."""
    return round(value, 9) + 0.0


def _volume(case: Case) -> tuple[float, str]:
    """Return what one run moves, in the unit that the load counts in, else in bytes."""
    starts: Sequence[str] = [name for name in case.order if not case.inputs[name]]
    loads = [case.scenario.load_of(name) for name in case.order if name in case.scenario.loads]
    if any(load.rate is not None and load.rate.unit == "records" for load in loads):
        return float(sum(case.flows[name].records_out for name in starts)), "records/s"
    return float(sum(case.flows[name].bytes_in or case.flows[name].bytes_out for name in starts)), "B/s"

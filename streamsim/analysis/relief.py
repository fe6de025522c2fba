"""What relief of one station, or of cores, would bring: the order in which they hold a circuit back, by theory."""

from __future__ import annotations

from collections.abc import Mapping

from streamsim.analysis.elasticity import elasticity, throughput
from streamsim.analysis.prediction.case import Case
from streamsim.placement import HOST, are_cores, labels

DIGITS = 2
"""Elasticities that differ by less are the same: relief that brings 1.00 or 0.996 % is no question of cause."""


NEARLY, CROWDED = 0.65, 0.8
"""Who is at work for less than such a part of the busiest's time is not what holds back a circuit of narrow pipes;
cores that are used up leave less room for doubt than a station. Of 1000 random circuits (`benchmarks/bottlenecks.py`)
these miss two in which relief of another one brings 0.05 more."""


def candidates(case: Case) -> tuple[str, ...]:
    """Return what can be the cause: every station with work, cores that several are pinned to, and the host.

    Of those that would bring the same the first is named: relief of all cores relieves those that are pinned to, too.
    """
    pinned = labels(case.placement)[:-1] if case.placement is not None else []
    return (*(name for name in case.order if works(case, name)), *(name for name in pinned if name), HOST)


def works(case: Case, name: str) -> bool:
    """Whether a station needs any time for what it does."""
    service = case.profiles[name].service
    return any(getattr(service, key) for key in ("setup", "per_record", "per_byte", "finish", "output_per_byte",
                                                 "waiting_per_record", "waiting_per_byte"))  # fmt: skip


def relieved(case: Case, name: str, factor: float) -> Case:
    """Return the case in which a station needs `factor` times its demand, or the host has 1/factor times its cores."""
    return case.with_more_of(name, 1 / factor) if are_cores(name) else case.with_demand(name, factor)


def throughput_elasticity(case: Case, name: str) -> float:
    """Return by how many per cent throughput rises when a station's demand falls by one (the cores rise by one)."""
    found = elasticity(case, lambda c, f: relieved(c, name, f), throughput)
    return -(found or 0.0)


def gain_of_half(case: Case, name: str) -> float:
    """Return by which part throughput rises with half the demand (twice the cores)."""
    return throughput(relieved(case, name, 0.5)) / throughput(case) - 1


def order(case: Case, held: Mapping[str, float], shares: Mapping[str, float], *, narrow: bool) -> list[str]:
    """Return who holds the circuit back: stations and cores, who does so most first.

    Parameters
    ----------
    held : by the fluid model, for how long (s) each did (`FluidResult.held_back`): what relief brings where pipes have
        room and no loop turns.
    shares : which part of the time each is at work.
    narrow : whether narrow pipes, or loops, count too: then who is nearly as busy as the busiest may be the one, and
        what relief of each of them brings is asked. Of those that would bring the same, half the demand tells which
        bites first, as in `bottleneck.diagnose`.

    >>> from streamsim.loading import load
    >>> from streamsim.analysis.prediction.case import case_of
    >>> case = case_of(load({"sources": {"in": {"command": "seq 9"}}, "stations": {"a": {"command": "cat"}},
    ...     "host": {"cores": 2}, "service": {"in": {"bytes": 10, "per_byte": "1 s"}, "a": {"per_byte": "2 s"}}}), None)
    >>> order(case, {"a": 20.0}, {"in": 0.5, "a": 1.0, "host": 0.75}, narrow=False)
    ['a', 'host', 'in']
    """
    names = sorted(candidates(case), key=lambda name: (held.get(name, 0.0), shares.get(name, 0.0)), reverse=True)
    if not names or not narrow:
        return names
    least = shares.get(names[0], 0.0) * (CROWDED if are_cores(names[0]) else NEARLY)
    near = [name for name in names if shares.get(name, 0.0) >= least]
    if len(near) > 1:
        found = {name: round(throughput_elasticity(case, name), DIGITS) for name in near}
        top = max(found.values())
        ties = [name for name in near if found[name] == top]
        halves = {name: round(gain_of_half(case, name), DIGITS) for name in ties if len(ties) > 1}
        near.sort(key=lambda name: (found[name], halves.get(name, 0.0)), reverse=True)
    return [*near, *(name for name in names if name not in near)]

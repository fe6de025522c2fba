"""Who held a run back: the station, or the cores, whose relief would have raised throughput most.

A run has phases: a sorter takes in, sorts, gives out. In each of them something else may be the constraint, and what
is busy on average need not be it in any. So a run is cut into stretches of equal length, and each stretch is held
against the one station that was busiest in it; against the cores where they were used up. What held back most of the
run is the bottleneck. Where a phase lasts, that is the elasticity of throughput (`analysis.relief`): relief of all
others brings nothing there, and with the cores used up relief of a station brings as much as it uses of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from streamsim.circuit import Circuit
from streamsim.placement import Placement, core_shares, placement_of, stations_inside
from streamsim.result import Bottleneck, estimate
from streamsim.trace import Array, RunTrace

STRETCHES = 32
"""Long enough against a time slice of the scheduler, short enough against a phase."""
USED_UP = 0.8
"""Cores hold a stretch back when so much of them is used; others may need the rest."""
SATURATED = 0.95
"""Under a load of its own a circuit is held back by what is at work for this part of the makespan."""

Shares = dict[str, float]


def bottleneck_of(runs: tuple[RunTrace, ...], circuit: Circuit, paced: frozenset[str], late: bool) -> Bottleneck | None:
    """Return what held some runs back, and what did so next.

    Parameters
    ----------
    paced : the sources that give by the clock: they wait without holding anything back.
    late : whether a load that they give was not carried.

    ``share`` is the part of the makespan in which it was at work: a station running, or waiting for what its work
    waits for (a timer, a disk), all servers on average; cores used over those available.
    """
    spent = [run for run in runs if run.makespan_s > 0]
    at_work = [_Course(run, circuit, paced, stretches=1).shares[0] for run in spent]
    if not at_work or not at_work[0]:
        return None
    held = [relief(run, circuit, paced) for run in spent]

    def weight(name: str) -> tuple[float, float]:
        """Sort by what held back, then by what was busy; a station goes before a host as busy as itself."""
        return sum(run.get(name, 0.0) for run in held), sum(run.get(name, 0.0) for run in at_work)

    first, *rest = sorted(at_work[0], key=weight, reverse=True)
    shares = {name: estimate([found.get(name) for found in at_work], "") for name in (first, *rest[:1])}
    return Bottleneck(
        station=first,
        share=shares[first],
        runner_up=rest[0] if rest else None,
        runner_up_share=shares[rest[0]] if rest else None,
        saturated=not paced or late or (shares[first].value or 0.0) >= SATURATED,
    )


def relief(run: RunTrace, circuit: Circuit, paced: frozenset[str]) -> Shares:
    """Return by how many per cent each would raise throughput for each per cent of relief; who is left out: nothing.

    Under a load of its own that is the largest load that would hold: the run is one stretch, in which what is busiest
    on average would be the first to be used up.
    """
    course = _Course(run, circuit, paced, stretches=1 if paced else STRETCHES)
    found: Shares = {}
    for shares, used in zip(course.shares, course.cpu_s, strict=True):
        for name, part in held_back(shares, used, course.placement, used_up=0.0 if paced else USED_UP).items():
            found[name] = found.get(name, 0.0) + part / len(course.shares)
    return found


def held_back(
    shares: Mapping[str, float], cpu_s: Mapping[str, float], placement: Placement | None, *, used_up: float
) -> Shares:
    """Return who holds back a stretch of time in which nothing changes, and how much.

    Parameters
    ----------
    shares : how busy each station was, and the cores (``"host"``, ``"cores 0"``); stations are those in `cpu_s`.
    cpu_s : core-seconds that each station used.
    used_up : cores that are used less than this are not short.

    >>> held_back({"a": 0.7, "b": 0.3, "host": 1.0}, {"a": 7.0, "b": 3.0}, None, used_up=0.9)
    {'a': 0.7, 'b': 0.3, 'host': 1.0}
    >>> held_back({"a": 1.0, "b": 0.3, "host": 0.65}, {"a": 10.0, "b": 3.0}, None, used_up=0.9)
    {'a': 1.0}
    """
    station = max(cpu_s, key=lambda name: shares[name], default=None)
    cores = max((name for name in shares if name not in cpu_s), key=lambda name: shares[name], default=None)
    least = shares[station] if station is not None else 0.0
    if cores is None or shares[cores] <= least or shares[cores] < used_up:
        return {station: least} if station is not None and least > 0 else {}
    inside = {name: cpu_s[name] for name in stations_inside(placement, cores, cpu_s)}
    whole = math.fsum(inside.values())
    return {name: shares[cores] * used / whole for name, used in inside.items()} | {cores: shares[cores]}


class _Course:
    """What a run did in stretches of equal length: core-seconds of each station, how busy stations and cores were."""

    def __init__(self, run: RunTrace, circuit: Circuit, paced: frozenset[str], *, stretches: int) -> None:
        edges = np.linspace(0.0, run.makespan_s, stretches + 1)
        each_s = run.makespan_s / stretches

        def grown(name: str, curve: str) -> Array:
            station = run.stations[name]
            return np.diff(np.interp(edges, station.time_s, getattr(station, curve)))

        names = circuit.order()
        cpu = {name: grown(name, "cpu_s") for name in names}
        work = {name: grown(name, "running_s") + (name not in paced) * grown(name, "waiting_s") for name in names}
        self.placement = placement_of(circuit, run.host.cores)
        self.cpu_s = [{name: float(cpu[name][k]) for name in names} for k in range(stretches)]
        available = run.host.available_cores
        self.shares = [
            {name: min(1.0, float(work[name][k]) / each_s / run.stations[name].servers) for name in names}
            | {label: min(1.0, share) for label, share in core_shares(self.placement, used, available, each_s).items()}
            for k, used in enumerate(self.cpu_s)
        ]

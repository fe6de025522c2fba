"""Curves of a prediction: response time against load with its knee, and throughput against cores, each with bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from streamsim.analysis.elasticity import throughput
from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.fluid import solve
from streamsim.analysis.prediction.loads import spans
from streamsim.analysis.prediction.open_load import OpenAnswer, open_load
from streamsim.analysis.prediction.segments import moved, segments_of
from streamsim.analysis.queueing.gg1 import kingman

LOADS = (*(step / 40 for step in range(2, 38)), 0.94, 0.96, 0.97, 0.98, 0.985, 0.99)
"""Loads, as parts of the largest, at which the curve is computed: denser where it bends."""


@dataclass(frozen=True, kw_only=True)
class Knee:
    """Response times (s) at each of the ``loads`` (records/s): mean, 99th percentile, and bounds of the mean.

    ``least`` is without any waiting, ``most`` by Kingman's formula at every station. ``largest`` is the load that the
    circuit cannot carry, ``given`` that of the scenario. ``knee`` is where the mean response is least for the load
    that it buys: where load divided by mean response is largest (Kleinrock, "Power and deterministic rules of thumb for
    probabilistic problems in computer communications", ICC 1979).
    """

    loads: tuple[float, ...]
    mean: tuple[float, ...]
    p99: tuple[float, ...]
    least: tuple[float, ...]
    most: tuple[float, ...]
    largest: float
    given: float
    knee: float


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Throughput (bytes/s) at each number of ``cores``: by theory, and what no circuit of these stations can exceed.

    ``by_station`` is the slowest station alone, ``by_cores`` all work spread evenly over the cores that are available;
    ``available`` is that number at each. ``given`` is the scenario's number of cores.
    """

    cores: tuple[int, ...]
    available: tuple[float, ...]
    theory: tuple[float, ...]
    by_station: float
    by_cores: tuple[float, ...]
    given: int


def knee_of(case: Case) -> Knee | None:
    """Return how response times grow with the load; None where no source has a load of its own."""
    span = max(spans(case).values(), default=0.0)
    if not case.scenario.open or span <= 0:
        return None
    records = max(moved(case.flows[name])[1] for name in spans(case))
    given, largest = records / span, records * throughput(case)
    if not math.isfinite(largest) or records <= 0:
        return None
    points = []
    for part in LOADS:
        varied = case.with_rate(part * largest / given)
        segments, _ = segments_of(varied)
        answer = open_load(varied, solve(segments, varied.host, varied.limits))
        if answer.response_mean_s is not None and answer.response_quantiles_s[2] is not None:
            least, most = _bounds(answer)
            points.append((part * largest, answer.response_mean_s, answer.response_quantiles_s[2], least, most))
    if len(points) < 2:
        return None
    loads, mean, p99, least_s, most_s = (tuple(column) for column in zip(*points, strict=True))
    knee = max(range(len(loads)), key=lambda place: loads[place] / mean[place])
    return Knee(
        loads=loads, mean=mean, p99=p99, least=least_s, most=most_s, largest=largest, given=given, knee=loads[knee]
    )


def _bounds(answer: OpenAnswer) -> tuple[float, float]:
    """Return the mean response along the path without waiting, and with Kingman's wait at every station."""
    least = most = 0.0
    for name in answer.path:
        station = answer.stations[name]
        alone = (station.response_time_s or 0.0) - (station.wait_s or 0.0)
        least += alone
        most += alone + (station.wait_s or 0.0)
        asked = station.asked
        if asked is not None and asked.servers == 1:
            arrivals = asked.arrivals
            bound = kingman(arrivals.rate, asked.service_time, arrivals.scv, asked.service_scv).wait or 0.0
            most += max(0.0, bound - (station.wait_s or 0.0))
    return least, most


def scaling_of(case: Case) -> Scaling | None:
    """Return how the throughput of a saturated circuit grows with the cores; None under a load of its own."""
    size = sum(moved(case.flows[name])[0] for name in case.order if not case.inputs[name])
    if case.scenario.open or not size:
        return None
    given = case.scenario.host.cores
    cores = tuple(range(case.least_cores, max(4, 2 * given) + 1))
    if len(cores) > 16 and case.least_cores == 1:
        cores = tuple(sorted({1, given, *(round(2 ** (k / 2)) for k in range(2 * int(math.log2(cores[-1])) + 1))}))
    variants = [case.with_cores(count) for count in cores]
    segments, _ = segments_of(case)
    many = case.with_pins({}).with_cores(max(1, sum(case.servers.values())) * 4).host
    # a bound for every number of cores: as fast as they ever are
    plenty = solve(segments, msgspec.structs.replace(many, speed=(max(many.speed),)))
    slowest = max(plenty.running.values(), default=0.0)
    work = sum(plenty.cpu.values())
    return Scaling(
        cores=cores,
        available=tuple(one.host.available_cores for one in variants),
        theory=tuple(size * throughput(one) for one in variants),
        by_station=size / slowest if slowest else math.inf,
        by_cores=tuple(size * one.host.available_cores / work for one in variants) if work else (),
        given=given,
    )

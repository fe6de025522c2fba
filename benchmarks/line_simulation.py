"""Independent opponents for the queueing models: recursions of departure times in NumPy, many replications at once.

They share no code with streamsim: a line with blocking after service is D(i,n) = max(D(i−1,n), D(i,n−1), …) + service,
held back by D(i+1, n−B−1); a fork-join is the longest of K Lindley recursions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def line_throughput(
    service_times: Sequence[float], waiting_places: Sequence[int], *, seed: int, replications: int, records: int
) -> tuple[float, float]:
    """Return throughput and its standard error of a saturated exponential line, blocking after service.

    The first third of the records of each replication is warm-up, and more where pipes are long.
    """
    random = np.random.default_rng(seed)
    stations = len(service_times)
    lags = [places + 1 for places in waiting_places]
    # the last departures of stations 1 … N−1, each kept as long as the station before looks back
    kept = [np.full((lag, replications), -np.inf) for lag in lags]
    last = np.zeros((stations, replications))
    warm = max(records // 3, 20 * sum(lags))
    total = records + warm
    began = np.zeros(replications)
    for n in range(total):
        services = random.standard_exponential((stations, replications))
        arrival = None
        for i, mean in enumerate(service_times):
            start = last[i] if arrival is None else np.maximum(arrival, last[i])
            leave = start + mean * services[i]
            if i + 1 < stations:
                np.maximum(leave, kept[i][n % lags[i]], out=leave)
            last[i] = arrival = leave
        for i, lag in enumerate(lags):
            kept[i][n % lag] = last[i + 1]
        if n == warm - 1:
            began = last[-1].copy()
    spans = (last[-1] - began) / (total - warm)
    mean = float(spans.mean())
    return 1 / mean, float(spans.std(ddof=1) / math.sqrt(replications)) / mean**2


def fork_join_response(
    rate: float, branches: int, *, seed: int, replications: int, records: int
) -> tuple[float, float]:
    """Return mean response time and its standard error of a fork-join of exponential stations with mean 1."""
    random = np.random.default_rng(seed)
    waits = np.zeros((branches, replications))
    total = np.zeros(replications)
    warm = records // 4
    for n in range(records + warm):
        done = waits + random.standard_exponential((branches, replications))
        if n >= warm:
            total += done.max(axis=0)
        waits = np.maximum(0.0, done - random.standard_exponential(replications) / rate)
    means = total / records
    return float(means.mean()), float(means.std(ddof=1) / math.sqrt(replications))


def gamma_times(random: np.random.Generator, mean: float, scv: float, count: int) -> Array:
    """Return times of a gamma law (s); constant ones for an scv of 0."""
    return np.full(count, mean) if scv == 0 else random.gamma(1 / scv, mean * scv, count)


def tandem_responses(gaps: Array, services: Sequence[Array], *, chunks: bool) -> Array:
    """Return the response times (s) of the records of a line of single servers.

    Parameters
    ----------
    gaps : between arrivals (s); `services` the time of each record at each station (s).
    chunks : each server takes all that has come, and lets it go when all of it is served; else record by record.
    """
    came = np.cumsum(gaps)
    now = came
    for service in services:
        whole = np.cumsum(service)
        if not chunks:
            now = whole + np.maximum.accumulate(now - whole + service)
            continue
        gone = np.empty(len(service))
        clock, first = 0.0, 0
        while first < len(service):
            clock = max(clock, now[first])
            end = int(np.searchsorted(now, clock, side="right"))
            clock += whole[end - 1] - whole[first] + service[first]
            gone[first:end] = clock
            first = end
        now = gone
    return np.asarray(now - came)

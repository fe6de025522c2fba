"""Arrivals and services whose hidden phases are known, as MAP/MAP/1 takes them; what correlation does where it cannot.

A demand that is correlated with the next, and arrivals of an MMPP, are no renewal processes. One server with known
phases is answered exactly for both. Elsewhere they count as if independent, and `inflation` says how much longer
records then really wait.
"""

from __future__ import annotations

import numpy as np

from streamsim import markov
from streamsim.analysis.queueing.map_process import MarkovProcess, mmpp, poisson, renewal
from streamsim.analysis.queueing.phase_type import erlang, hyperexponential
from streamsim.families import moments
from streamsim.scenario import Load
from streamsim.service import Distribution

SEEN = 0.01
"""A lag-1 correlation below this is rounding, or the noise of a fit."""
MOST_PHASES = 12


def services_of(distribution: Distribution, time: float) -> MarkovProcess | None:
    """Return the process of services of this law and mean `time` (s, above 0); None where it has no (few) phases.

    >>> from streamsim.families import distribution_of
    >>> round(services_of(distribution_of("map", 4.0, 0.2), 0.5).rate, 9)
    2.0
    """
    family, parameters = distribution.family, distribution.parameters
    if family == "exponential":
        return poisson(1 / time)
    if family == "erlang" and parameters[0] <= MOST_PHASES:
        return renewal(erlang(round(parameters[0]), time))
    if family in ("map", "phase-type", "hyperexponential"):
        hidden, visible = _rates(distribution)
        return _process(hidden / time, visible / time) if len(hidden) <= MOST_PHASES else None
    return None


def arrivals_of(load: Load, rate: float) -> MarkovProcess | None:
    """Return the process by which a source of this load gives `rate` records a second; None where it has no phases.

    >>> arrivals_of(Load(arrivals="poisson"), 3.0).rate
    3.0
    """
    if load.arrivals == "poisson":
        return poisson(rate)
    if load.arrivals == "bursty":
        return renewal(hyperexponential(1 / rate, load.scv)) if load.scv > 1 else poisson(rate)
    if load.arrivals != "mmpp":
        return None
    count = len(load.states)
    stays = [state.stay_s for state in load.states]
    shares = [state.share for state in load.states]
    mean = sum(share * stay for share, stay in zip(shares, stays, strict=True)) / sum(stays)
    switching = [[0.0] * count for _ in range(count)]
    for place in range(count):
        switching[place][(place + 1) % count] += 1 / stays[place]
    return mmpp([share * rate / mean for share in shares], switching)


def correlation_of(distribution: Distribution) -> float:
    """Return the correlation of a demand with the next one; 0 where they are drawn independently."""
    return moments(distribution).correlation if distribution.family in ("map", "bootstrap") else 0.0


def long_run_scv(distribution: Distribution) -> float:
    """Return the variance of the sum of many demands over their number and squared mean: scv·(1 + 2·Σ correlations).

    A renewal process of that scv scatters as much in the long run, and makes records wait as long near saturation
    (Whitt, "Approximating a point process by a renewal process, I", Operations Research 30, 1982). With P the phases
    after each end, φ theirs in the long run and M the mean times, the covariances at all lags add up to
    φM[P(I − P + 1φ)⁻¹ − 1φ]M1.

    >>> from streamsim.families import distribution_of
    >>> round(long_run_scv(distribution_of("map", 4.0, 0.2)), 3)  # correlations fall by 0.2/0.375 a lag
    7.429
    """
    if distribution.family == "map":
        hidden, visible = markov.matrices(distribution)
        times = np.linalg.inv(-hidden)
        steps, now = times @ visible, markov.after_an_end(hidden, visible)
        forget = np.outer(np.ones(len(now)), now)
        all_lags = steps @ np.linalg.inv(np.eye(len(now)) - steps + forget) - forget
        mean = float(now @ times.sum(axis=1))
        return distribution.scv + 2 * float(now @ times @ all_lags @ times.sum(axis=1)) / mean**2
    if distribution.family == "bootstrap":
        values = np.asarray(distribution.values)
        centred = values - values.mean()
        circular = np.fft.irfft(np.abs(np.fft.rfft(centred)) ** 2, len(values)) / len(values)
        follows = (1 - 1 / distribution.parameters[0]) ** np.arange(len(values))
        return distribution.scv + 2 * float((circular * follows)[1:].sum()) / float(values.mean()) ** 2
    return distribution.scv


def inflation(distribution: Distribution, arrival_scv: float) -> float:
    """Return how many times as long as with independent demands records wait where the station is nearly saturated."""
    independent = arrival_scv + distribution.scv
    return (arrival_scv + long_run_scv(distribution)) / independent if independent > 0 else 1.0


def _rates(distribution: Distribution) -> tuple[markov.Array, markov.Array]:
    if distribution.family != "hyperexponential":
        return markov.matrices(distribution)
    chance, *rates = distribution.parameters
    ends = np.array(rates)
    return -np.diag(ends), np.outer(ends, [chance, 1 - chance])


def _process(hidden: markov.Array, visible: markov.Array) -> MarkovProcess:
    """Return the process with a diagonal that balances each row to the last digit."""
    silent = hidden.clip(min=0.0)
    np.fill_diagonal(silent, 0.0)
    eventful = visible.clip(min=0.0)
    np.fill_diagonal(silent, -(silent.sum(axis=1) + eventful.sum(axis=1)))
    return MarkovProcess(tuple(map(tuple, silent.tolist())), tuple(map(tuple, eventful.tolist())))

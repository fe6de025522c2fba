"""How many records there are at least where several servers a station share too few cores.

Taken as wanting a core independently of each other (`layers`), servers hinder each other too little: while the cores
are behind, all of them are. With more servers than cores a record waits for a core rather than for a server, and the
whole circuit is one queue before the cores, which are shared: M/G/m-PS, with as many inside as in M/M/m, whatever the
law of the demands.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from scipy.optimize import brentq

from streamsim.analysis.prediction.layers import FULL, Wants

CLOSE, FAR = 1e-3, 1e3
"""Relative: so near the least number is met; so many times it is far beyond."""


def number_sharing(load: float, cores: float) -> float:
    """Return the mean number in M/M/m, of which each that is served has a core; ∞ where it has no steady state.

    Parameters
    ----------
    load : core-seconds a second that are asked for, at least 0.
    cores : m, above 0; a fraction counts when as many are inside.

    >>> number_sharing(0.5, 1.0), round(number_sharing(1.6, 2.0), 9)
    (1.0, 4.444444444)
    """
    if load >= cores:
        return math.inf
    weights, number = [1.0], 0
    while number < cores:
        number += 1
        weights.append(weights[-1] * load / min(number, cores))
    ratio = load / cores  # from the last one on
    beyond = weights[-1] * ratio / (1 - ratio)
    inside = sum(place * weight for place, weight in enumerate(weights)) + beyond * (number + 1 / (1 - ratio))
    return inside / (sum(weights) + beyond)


def least_inside(wanted: Mapping[str, Wants], scvs: Mapping[str, float], arrival_scv: float, cores: float) -> float:
    """Return how many records are inside at least, on average; 0 where no station has several servers of its own.

    What waits beside what is served is halved by constant gaps, and by constant demands as far as records wait for
    servers, as a queue is (Allen and Cunneen's factor); more scatter than that of an exponential law adds nothing.

    Parameters
    ----------
    wanted : what the servers of each station want.
    scvs : of the demands of each station.
    """
    loads = {name: one.rate * one.work * one.servers for name, one in wanted.items()}
    load = sum(loads.values())
    if not load or all(one.servers == 1 for one in wanted.values()) or not load < cores:
        return 0.0
    kept = {name: (1 - min(scvs[name], 1.0)) / wanted[name].servers for name in wanted}
    scv = 1 - sum(loads[name] * kept[name] for name in wanted) / load
    return load + (number_sharing(load, cores) - load) * min(1.0, (min(arrival_scv, 1.0) + scv) / 2)


def crowded_stretch(
    stretch: Mapping[str, float],
    wanted: Mapping[str, Wants],
    inside: Callable[[Mapping[str, float]], float],
    least: float,
) -> dict[str, float]:
    """Return all stretches times the factor (at least 1) with which as many records are inside as there are at least.

    Parameters
    ----------
    inside : how many are inside with such stretches.
    """
    working = [name for name, one in wanted.items() if one.rate * one.work > 0]
    most = min(FULL / (wanted[name].rate * wanted[name].work * stretch[name]) for name in working)

    def times(factor: float) -> dict[str, float]:
        return {name: value * factor if name in working else value for name, value in stretch.items()}

    if most <= 1 or inside(stretch) >= least:
        return dict(stretch)

    def beyond(factor: float) -> float:
        return math.log(min(inside(times(factor)) / least, FAR))

    if beyond(most) <= 0:
        return times(most)
    factor: float = brentq(beyond, 1.0, most, xtol=CLOSE, rtol=CLOSE)
    return times(factor)

"""Records that leave together: a server takes all that is in the pipe, and answers when it has served all of it.

The models of `queueing` let every record go when it is served. A server that takes a chunk of several lets none of
them go before the last is done, so each is later than those models say, and the next station gets them all at once:
what is late at one station is late at the next too, so that the times along a path grow together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from streamsim.service import StationProfile

INSIDE = 0.6
"""Times ρ²: the correlation between a record's own wait and what it waits for those that came with it (from
simulations of two stations at loads of 0.3 to 0.85: 0, 0.16, 0.32, 0.43)."""


class Released(NamedTuple):
    """``late_s``: how much later than by itself a record leaves, on average; ``together``: how many records leave at
    once, as one of them sees it (itself included), and their ``variance``; ``own_variance``: what of that this station
    adds. ``deviation_s``: the standard deviation of a record's whole time at the station."""

    late_s: float
    together: float
    variance: float = 0.0
    own_variance: float = 0.0
    deviation_s: float = 0.0


ALONE_AND_AT_ONCE = Released(0.0, 1.0)


class Chunks(NamedTuple):
    """A single server with Poisson arrivals that serves all that has come, again and again: mean and variance of a
    record's time there (s, s²); how many records are in its chunk, and the variance of that."""

    mean: float
    variance: float
    together: float
    together_variance: float


def chunks(rate: float, service_s: float, scv: float) -> Chunks:
    """Answer such a server exactly, the service of a record taken for gamma.

    Parameters
    ----------
    rate : of Poisson arrivals (1/s), above 0, below 1/`service_s`.
    scv : of the service of a record, at least 0.

    With b, s₂ and s₃ the moments of the service, ρ = λb, N the records of a chunk and X their service, N is what came
    during the chunk before, or 1 after an idle time. So φ(s) = E[e^−sX] satisfies φ(s) = φ(σ) + φ(λ)(β(s) − 1), where
    β is the transform of the service and σ = λ(1 − β(s)). Its derivatives at 0 give, as a record sees them,
    e₁ = E[X²]/E[X] = s₂/(b(1 − ρ²)) and e₂ = E[X³]/E[X] = (3ρλs₂e₁ + s₃/b)/(1 − ρ³). One that comes during a chunk
    (chance ρ) waits for its rest, uniform in it, then for all that came during it.

    >>> found = chunks(0.5, 1.0, 1.0)
    >>> round(found.mean, 9), round(found.together, 9)
    (2.333333333, 1.666666667)
    """
    load = rate * service_s
    second = service_s**2 * (1 + scv)
    third = second * service_s * (1 + 2 * scv)
    squared = second / service_s / (1 - load**2)
    cubed = (3 * load * rate * second * squared + third / service_s) / (1 - load**3)
    mean = service_s + load * (squared / 2 + load * squared)
    busy = cubed * (1 / 3 + load + load**2) + squared * (service_s + 2 * service_s * load + rate * second) + second
    together = 1 + service_s * rate**2 * squared
    scatter = 1 + 3 * service_s * rate**2 * squared + service_s * rate**3 * cubed - together**2
    return Chunks(mean, (1 - load) * second + load * busy - mean**2, together, max(0.0, scatter))


def released(
    profile: StationProfile,
    *,
    wait_s: float,
    service_s: float,
    scv: float,
    utilisation: float,
    came_together: float,
    came_variance: float = 0.0,
) -> Released:
    """Return what serving whole chunks adds to the response of a record.

    Parameters
    ----------
    wait_s, service_s : of a record, served one by one (s).
    scv : of its service; ``utilisation`` of its server, below 1.
    came_together : how many records arrive at once with one, itself included, at least 1; its variance.

    With Poisson arrivals a response is b + W(1 + 2ρ)/(1 + ρ), with W the wait of Pollaczek and Khinchine (the mean of
    `chunks`, written with it). Of records that came together each waits for all. For other arrivals an approximation:
    the wait and its deviation are in the proportion of Poisson arrivals. A chunk is as large as one read at most.

    >>> from streamsim.service import StationProfile
    >>> found = released(StationProfile(), wait_s=1.0, service_s=1.0, scv=1.0, utilisation=0.5, came_together=1.0)
    >>> round(found.late_s, 9), round(found.together, 9)
    (0.333333333, 1.666666667)
    """
    most = max(1.0, profile.read_bytes / max(profile.record_bytes, 1.0))
    busy = min(max(utilisation, 0.0), 0.999)
    if busy == 0.0 or service_s <= 0.0:
        return Released(0.0, came_together, came_variance)
    alone = chunks(busy / service_s, service_s, scv)
    late = wait_s * busy / (1 + busy) + (min(came_together, most) - 1) * service_s
    by_poisson = busy * service_s * (1 + scv) / (2 * (1 - busy))
    longer = wait_s / by_poisson
    served = scv * service_s**2
    own = math.sqrt(served + max(0.0, alone.variance - served) * longer**2)
    others = service_s * min(math.sqrt(came_variance), most)
    return Released(
        late_s=late,
        together=min(most, came_together + alone.together - 1),
        variance=min(most**2, came_variance + alone.together_variance),
        own_variance=min(most**2, alone.together_variance),
        deviation_s=math.sqrt(own**2 + others**2 + 2 * INSIDE * busy**2 * own * others),
    )


class Along(NamedTuple):
    """One station of a path: how it releases, the time of a record at its server (s), its utilisation."""

    released: Released
    service_s: float
    utilisation: float


def variance_along(path: Sequence[Along], *, correlation: float = 0.0) -> float:
    """Return the variance (s²) of the sum of a record's times along a path of such stations.

    Parameters
    ----------
    correlation : of any two of the times, at least (0 to 1): what cores that they share do.

    The records that leave one station together wait for each other at all that follow: what that makes of the
    deviation there is how much both are correlated, less by 1 − ρ² for each station between that keeps them apart.

    >>> once = Released(0.0, 2.0, 1.0, 1.0, 2.0)
    >>> variance_along([Along(once, 1.0, 0.5)]), variance_along([Along(once, 1.0, 0.5), Along(once, 1.0, 0.5)])
    (4.0, 12.0)
    """
    whole = 0.0
    for place, here in enumerate(path):
        deviation = here.released.deviation_s
        whole += deviation**2
        kept = 1.0
        for before in reversed(path[:place]):
            part = math.sqrt(before.released.own_variance) * here.service_s * kept / deviation if deviation else 0.0
            whole += 2 * min(1.0, max(part, correlation)) * deviation * before.released.deviation_s
            kept *= 1 - before.utilisation**2
    return whole

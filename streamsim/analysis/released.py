"""Records that leave together: a server takes all that is in the pipe, and answers when it has served all of it.

The models of `queueing` let every record go when it is served. A server that takes a chunk of several lets none of
them go before the last is done, so each is later than those models say, and the next station gets them all at once.
"""

from __future__ import annotations

from typing import NamedTuple

from streamsim.service import StationProfile


class Released(NamedTuple):
    """``late_s``: how much later than by itself a record leaves, on average; ``together``: how many records leave at
    once, as one of them sees it (itself included)."""

    late_s: float
    together: float


ALONE_AND_AT_ONCE = Released(0.0, 1.0)


def released(
    profile: StationProfile, *, wait_s: float, service_s: float, scv: float, utilisation: float, came_together: float
) -> Released:
    """Return what serving whole chunks adds to the response of a record.

    Parameters
    ----------
    wait_s, service_s : of a record, served one by one (s).
    scv : of its service; ``utilisation`` of its server, below 1.
    came_together : how many records arrive at once with one, itself included, at least 1.

    With Poisson arrivals at rate λ, service of mean b and scv c², ρ = λb, let N be the records of a chunk and X = ΣS
    its service: N is what arrived during the chunk before, or 1 after an idle time. The second moments of N and X
    satisfy two linear equations, whose solution is E[N²]/E[N] = (1 + ρ²c²)/(1 − ρ²), E[X²]/E[X] = b(1 + c²)/(1 − ρ²).
    A record that comes during a chunk waits for the rest of it, E[X²]/2E[X] on average, and for the next one, which is
    b + ρE[X²]/E[X] long on average as the chunk in which it came was longer than most. So its response is
    b + W(1 + 2ρ)/(1 + ρ), with W the wait of Pollaczek and Khinchine. Of records that came together each waits for
    all. For other arrivals an approximation. A chunk is as large as one read at most.

    >>> from streamsim.service import StationProfile
    >>> found = released(StationProfile(), wait_s=1.0, service_s=1.0, scv=1.0, utilisation=0.5, came_together=1.0)
    >>> round(found.late_s, 9), round(found.together, 9)
    (0.333333333, 1.666666667)
    """
    most = max(1.0, profile.read_bytes / max(profile.record_bytes, 1.0))
    busy = min(max(utilisation, 0.0), 0.999)
    chunk = (1 + busy**2 * scv) / (1 - busy**2)
    late = wait_s * busy / (1 + busy) + (min(came_together, most) - 1) * service_s
    return Released(late, min(most, came_together + chunk - 1))

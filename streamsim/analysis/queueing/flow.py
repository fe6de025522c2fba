"""How variable the flow between stations is: the scv of departures, of merged flows and of split flows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamsim.analysis.queueing import checks
from streamsim.errors import ModelError


def departure_scv(utilisation: float, arrival_scv: float, service_scv: float, servers: int = 1) -> float:
    """Approximate the scv of the gaps between departures of a G/G/c station.

    c²d ≈ 1 + (1−ρ²)(c²a−1) + ρ²(c²s−1)/√c; for one server ρ²c²s + (1−ρ²)c²a. Exact for M/M/c.

    Parameters
    ----------
    utilisation : ρ, from 0 to 1; a saturated station has 1.
    arrival_scv, service_scv : variance / mean² of gaps and service times, at least 0.
    servers : c, at least 1.

    Raises ModelError for numbers outside these ranges.

    Source: Whitt, The Queueing Network Analyzer, BSTJ 62 (1983), equations (38) and (39); it follows from
    Marshall's formula with Kingman's wait.

    >>> departure_scv(utilisation=0.5, arrival_scv=1.0, service_scv=0.0)
    0.75
    """
    rho = checks.share("utilisation", utilisation)
    checks.non_negative("arrival_scv", arrival_scv)
    checks.non_negative("service_scv", service_scv)
    root = math.sqrt(checks.whole("servers", servers, least=1))
    # the formula 1 + (1−ρ²)(c²a−1) + ρ²(c²s−1)/√c with its terms collected, so that none is negative
    return (1 - rho**2) * arrival_scv + rho**2 * (1 - 1 / root) + rho**2 * service_scv / root


def marshall_departure_scv(
    arrival_rate: float, service_time: float, arrival_scv: float, service_scv: float, wait: float
) -> float:
    """Return the scv of the gaps between departures of a GI/G/1 queue whose mean wait is known, exactly.

    c²d = c²a + 2ρ²c²s − 2ρ(1−ρ)·wait/s.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0; ρ = λs below 1.
    arrival_scv, service_scv : variance / mean² of gaps and service times, at least 0.
    wait : mean wait in the queue, s, at least 0.

    Raises ModelError for numbers outside these ranges, and for a wait too long for these moments (it would
    make the scv negative).

    Source: Marshall, Some inequalities in queuing, Operations Research 16 (1968), 651-665; Whitt (1983),
    section 4.5.

    >>> marshall_departure_scv(0.5, 1.0, arrival_scv=1.0, service_scv=1.0, wait=1.0)
    1.0
    """
    rho = checks.non_negative("arrival_rate", arrival_rate) * checks.positive("service_time", service_time)
    checks.non_negative("arrival_scv", arrival_scv)
    checks.non_negative("service_scv", service_scv)
    checks.non_negative("wait", wait)
    if rho >= 1:
        raise ModelError(f"arrival_rate: {arrival_rate!r}/s saturates the station; use departure_scv(1, …)")
    scv = arrival_scv + 2 * rho**2 * service_scv - 2 * rho * (1 - rho) * wait / service_time
    if scv < -1e-9 * (arrival_scv + 2 * rho**2 * service_scv):
        raise ModelError(f"wait: {wait!r} s is longer than these rates and scv allow")
    return max(0.0, scv)


def superpose_scv(rates: Sequence[float], scvs: Sequence[float], utilisation: float = 1.0) -> float:
    """Approximate the scv of the gaps in merged independent flows, as the station that they feed sees it.

    c² ≈ w·Σpᵢc²ᵢ + 1−w, with pᵢ = λᵢ/Σλ, w = 1/(1 + 4(1−ρ)²(v−1)) and v = 1/Σp²ᵢ, the number of flows that
    count. A busy station sees the mean of the scv (w = 1), an idle one something nearer to Poisson.

    Parameters
    ----------
    rates : λᵢ, 1/s, at least 0, not all 0.
    scvs : c²ᵢ, at least 0, one for each rate.
    utilisation : ρ of the station that is fed, from 0 to 1.

    Raises ModelError for numbers outside these ranges.

    Source: Whitt (1983), equations (28) to (33); Albin, Operations Research 32 (1984), 1133-1162.

    >>> superpose_scv([1.0, 1.0], [0.0, 2.0])
    1.0
    >>> round(superpose_scv([1.0, 1.0], [0.0, 0.0], utilisation=0.5), 6)
    0.5
    """
    rho = checks.share("utilisation", utilisation)
    checks.same_length("scvs", scvs, len(rates))
    for name, numbers in (("rates", rates), ("scvs", scvs)):
        for index, number in enumerate(numbers):
            checks.non_negative(f"{name}[{index}]", number)
    largest = max(rates, default=0.0)
    if largest == 0:
        raise ModelError("rates: nothing flows, so there are no gaps; at least one rate above 0 belongs here")
    # relative to the largest first: the plain sum of the rates could overflow
    relative = [rate / largest for rate in rates]
    shares = [rate / math.fsum(relative) for rate in relative]
    flows = 1 / math.fsum(share * share for share in shares)
    weight = 1 / (1 + 4 * (1 - rho) ** 2 * (flows - 1))
    mean = math.fsum(share * scv for share, scv in zip(shares, scvs, strict=True))
    return weight * mean + (1 - weight)


def split_scv(scv: float, share: float) -> float:
    """Return the scv of the gaps in a part of a flow, each record being taken with the same chance.

    c²ᵢ = p·c² + 1−p. Exact for renewal flows.

    Parameters
    ----------
    scv : c² of the whole flow, at least 0.
    share : p, from 0 to 1; the rarer, the nearer to Poisson.

    Raises ModelError for numbers outside these ranges.

    Source: Whitt (1983), equation (36).

    >>> split_scv(3.0, share=0.5)
    2.0
    """
    checks.non_negative("scv", scv)
    checks.share("share", share)
    return share * scv + (1 - share)


def deal_scv(scv: float, outputs: int) -> float:
    """Return the scv of the gaps at each output where records are dealt round-robin.

    c²ᵢ = c²/n: n gaps of the whole flow make one gap of an output. Exact for renewal flows.

    Parameters
    ----------
    scv : c² of the whole flow, at least 0.
    outputs : n, at least 1.

    Raises ModelError for numbers outside these ranges.

    Source: the variance of a sum of independent gaps.

    >>> deal_scv(1.0, outputs=4)
    0.25
    """
    checks.non_negative("scv", scv)
    return scv / checks.whole("outputs", outputs, least=1)

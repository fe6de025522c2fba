"""M/D/c: c like servers with one queue, Poisson arrivals, constant service."""

from __future__ import annotations

import cmath
import math
from typing import Final

from streamsim.analysis.queueing.result import Load, Queue, saturated, steady

_SERIES_RATIO: Final = 0.85
"""Up to this ρ the series needs few terms and keeps every digit; the roots lose them where the wait is tiny."""


def mdc(arrival_rate: float, service_time: float, servers: int) -> Queue:
    """Solve the M/D/c queue exactly.

    Every s seconds the number at the station is what exceeded c plus the arrivals A of s seconds, so the number that
    waits is X = max(0, X + A − c), with A ~ Poisson(cρ). By Spitzer's identity
        in_queue = Σᵢ E[max(0, Aᵢ − ic)]/i,   P(wait > 0) = 1 − exp(−Σᵢ P(Aᵢ ≥ ic)/i),   Aᵢ ~ Poisson(icρ),
    which is Crommelin's series; near saturation, with the roots z_k ≠ 1 of z^c = e^(cρ(z−1)) in the unit disk,
        in_queue = ρ/(2(1−ρ)) − (c−1+cρ)/2 + Σ 1/(1−z_k),   P(wait > 0) = 1 − c(1−ρ) Π 1/(1−z_k).

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, s, above 0.
    servers : c, at least 1.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Crommelin, Delay probability formulae when the holding times are constant, P.O. Elec. Eng. J. 25 (1932),
    41-50; Janssen and van Leeuwaarden, Analytic computation schemes for the discrete-time bulk service queue, Queueing
    Systems 50 (2005), 141-163.

    >>> round(mdc(1.8, 1.0, servers=2).wait, 4)
    2.1469
    """
    load = Load(arrival_rate, service_time, servers)
    if load.saturated:
        return saturated("M/D/c", load, exact=True)
    if load.ratio == 0:
        return steady("M/D/c", load, 0.0, exact=True, probability_of_waiting=0.0)
    solve = _by_series if load.ratio <= _SERIES_RATIO else _by_roots
    in_queue, waiting = solve(servers, load.ratio)
    wait = max(0.0, in_queue) / servers / load.ratio * service_time
    return steady("M/D/c", load, wait, exact=True, probability_of_waiting=min(1.0, max(0.0, waiting)))


def _by_series(servers: int, ratio: float) -> tuple[float, float]:
    excess, reached = [], []
    for i in range(1, 100_000):
        mean, level = i * servers * ratio, i * servers
        # the terms of a Poisson law from `level` upwards fall at once, since its mean is below
        term = math.exp(level * math.log(mean) - mean - math.lgamma(level + 1))
        tail, beyond, j = term, 0.0, level
        while term > 1e-18 * tail:
            j += 1
            term *= mean / j
            tail += term
            beyond += (j - level) * term
        excess.append(beyond / i)
        reached.append(tail / i)
        if tail / i <= 1e-17 * reached[0] or tail == 0:
            break
    return math.fsum(excess), -math.expm1(-math.fsum(reached))


def _by_roots(servers: int, ratio: float) -> tuple[float, float]:
    total, product = 0.0, complex(1.0)
    for k in range(1, servers):
        turn = cmath.exp(2j * cmath.pi * k / servers)
        z = ratio * turn
        for _ in range(60):  # Newton's steps on z = turn·e^(ρ(z−1)); the map itself contracts
            image = turn * cmath.exp(ratio * (z - 1))
            step = (image - z) / (1 - ratio * image)
            z += step
            if abs(step) < 1e-15:
                break
        total += (1 / (1 - z)).real
        product /= 1 - z
    in_queue = ratio / (2 * (1 - ratio)) - (servers - 1 + servers * ratio) / 2 + total
    return in_queue, 1 - servers * (1 - ratio) * product.real


MODELS: Final = {"M/D/c": mdc}

"""GI/M/1: one server, exponential service, independent gaps: constant, gamma, hyperexponential or any other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.response_law import ResponseLaw
from streamsim.analysis.queueing.result import Load, Queue, saturated, steady
from streamsim.errors import ModelError

Complement = Callable[[float], float]
"""s ↦ 1 − E[e^(−s·gap)], the complement of the Laplace transform of the gaps; s in 1/s."""


def gm1(arrival_rate: float, service_time: float, complement: Complement) -> Queue:
    """Solve the GI/M/1 queue exactly, for gaps given by their Laplace transform.

    σ, the share of arrivals that wait, is the root below 1 of σ = E[e^(−μ(1−σ)·gap)], μ = 1/s. Then
    wait = σs/(1−σ), and the response time is exponential with rate μ(1−σ).

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    complement : s ↦ 1 − E[e^(−s·gap)] of gaps with mean 1/λ and scv below 10⁶, for s from 0 to μ. It is asked for
        instead of the transform because, near saturation, 1 − transform would lose the digits that matter.

    Raises ModelError for numbers outside these ranges, and for a complement that no gap of mean 1/λ has. A
    load of ρ ≥ 1 is answered with `saturated`.

    Source: Kleinrock, Queueing Systems I (1975), section 6.4.

    >>> poisson = lambda s: s / (s + 0.5)
    >>> round(gm1(arrival_rate=0.5, service_time=1.0, complement=poisson).wait, 12)
    1.0
    """
    load = Load(arrival_rate, service_time)
    if arrival_rate > 0:
        # 1 − E[e^(−s·gap)] is s·E[gap] for small s, short of it by the part (1+c²)/2 · s/λ
        gaps = complement(1e-9 * arrival_rate) / 1e-9
        if not abs(gaps - 1) < 1e-3:
            raise ModelError(f"complement: its mean gap is {gaps:.4g}/arrival_rate where 1/arrival_rate belongs")
    return _solve("GI/M/1", load, complement)


def dm1(arrival_rate: float, service_time: float) -> Queue:
    """Solve the D/M/1 queue, where arrivals come evenly, exactly.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Kleinrock (1975), section 6.4, with E[e^(−s·gap)] = e^(−s/λ).

    >>> round(dm1(arrival_rate=0.8, service_time=1.0).probability_of_waiting, 5)
    0.62863
    """
    return _solve("D/M/1", Load(arrival_rate, service_time), lambda s: -math.expm1(-s / arrival_rate))


def gamma_m1(arrival_rate: float, service_time: float, arrival_scv: float) -> Queue:
    """Solve the Γ/M/1 queue, where the gaps have a gamma law, exactly; E_k/M/1 is the case c² = 1/k.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    arrival_scv : c² of the gaps, at least 0 (0 is D/M/1, 1 is M/M/1).

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Kleinrock (1975), section 6.4, with E[e^(−s·gap)] = (1 + c²s/λ)^(−1/c²).

    >>> round(gamma_m1(arrival_rate=0.5, service_time=1.0, arrival_scv=1.0).wait, 12)
    1.0
    """
    load = Load(arrival_rate, service_time)
    checks.non_negative("arrival_scv", arrival_scv)

    def complement(s: float) -> float:
        gaps = s / arrival_rate
        spread = arrival_scv * gaps
        if spread <= 1e-16:  # log(1+x) is x to the last digit, and c² = 0 would divide by zero
            return -math.expm1(-gaps)
        if math.isinf(spread):  # the product overflowed, its logarithm does not
            logarithm = math.log(arrival_scv) + math.log(s) - math.log(arrival_rate)
        else:
            logarithm = math.log1p(spread)
        return -math.expm1(-logarithm / arrival_scv)

    return _solve("Gamma/M/1", load, complement)


def hyper_m1(arrival_rate: float, service_time: float, arrival_scv: float) -> Queue:
    """Solve the H2/M/1 queue, where the gaps mix two exponentials with balanced means, exactly.

    p₁,₂ = (1 ± √((c²−1)/(c²+1)))/2 and rates 2pᵢλ.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    arrival_scv : c² of the gaps, at least 1 (1 is M/M/1).

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Kleinrock (1975), section 6.4; balanced means as in Tijms, Stochastic Models (1994), appendix B.

    >>> round(hyper_m1(arrival_rate=0.5, service_time=1.0, arrival_scv=1.0).wait, 12)
    1.0
    """
    load = Load(arrival_rate, service_time)
    if checks.positive("arrival_scv", arrival_scv) < 1:
        raise ModelError(f"arrival_scv: {arrival_scv:.6g} is below 1, which no hyperexponential has; use Gamma/M/1")
    root = math.sqrt((arrival_scv - 1) / (arrival_scv + 1))
    likely = (1 + root) / 2
    rare = 1 / (arrival_scv + 1) / (1 + root)  # (1 − root)/2 without its cancellation

    def complement(s: float) -> float:
        return math.fsum(p * s / (2 * p * arrival_rate + s) for p in (likely, rare))

    return _solve("H2/M/1", load, complement)


def _solve(method: str, load: Load, complement: Complement) -> Queue:
    """Return the queue with these gaps, from the root δ = 1 − σ."""
    if load.saturated:
        return saturated(method, load, exact=True)
    service_rate = load.largest_rate
    calm = _share_not_waiting(load, complement)
    law = ResponseLaw(probability_of_waiting=1 - calm, drain_rate=service_rate * calm, service_rate=service_rate)
    wait = (1 - calm) * load.service_time / calm
    return steady(method, load, wait, exact=True, probability_of_waiting=1 - calm, response_law=law)


def _share_not_waiting(load: Load, complement: Complement) -> float:
    """Return δ in (0, 1] with complement(μδ) = δ.

    complement(μδ)/δ falls from 1/ρ at δ = 0 to less than 1 at δ = 1, so the root is the only one.
    """
    if load.arrival_rate == 0:
        return 1.0
    service_rate = load.largest_rate

    def surplus(delta: float) -> float:
        return complement(service_rate * delta) / delta - 1

    low = 1.0
    while surplus(low) < 0 and low > 1e-18:
        low /= 2
    if not surplus(low) >= 0:
        raise ModelError(
            "complement: no root below saturation; it is not that of any gaps of mean 1/arrival_rate, "
            f"or the load {load.ratio!r} is 1 but for rounding"
        )
    if low == 1.0:
        return 1.0
    # imported here because it takes longer to load than every model of this package together
    from scipy.optimize import brentq

    root = float(brentq(surplus, low, min(1.0, 2 * low), xtol=low * 1e-15, rtol=1e-14))
    # one step of δ ← complement(μδ), which contracts there, takes off what the tolerance left
    return complement(service_rate * root)


MODELS: Final = {"D/M/1": dm1, "Gamma/M/1": gamma_m1, "H2/M/1": hyper_m1}

"""The law of the response time: a mixture of two exponentials where all is Markovian, a matrix exponential else."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from streamsim.errors import ModelError


class ResponseLaw(msgspec.Struct, frozen=True, kw_only=True):
    """Wait with probability p an exponential time of rate d, then be served for one of rate μ, independently.

    P(T > t) = (1−p) e^(−μt) + p [e^(−dt) + d (e^(−dt) − e^(−μt)) / (μ−d)]

    That is the first-come-first-served M/M/c queue with p from Erlang C and d = cμ−λ, and the GI/M/1 queue
    with p = σ and d = μ(1−σ).

    Parameters
    ----------
    probability_of_waiting : from 0 to 1.
    drain_rate, service_rate : the two rates, 1/s, above 0.

    Source: Gross and Harris, Fundamentals of Queueing Theory, the M/M/c waiting times; Kleinrock (1975),
    sections 3.2 and 6.4.

    >>> law = ResponseLaw(probability_of_waiting=0.8, drain_rate=0.2, service_rate=1.0)
    >>> round(law.quantile(0.99), 6)
    23.025851
    """

    probability_of_waiting: float
    drain_rate: float
    service_rate: float

    def tail(self, time: float) -> float:
        """Return the probability that the response takes longer than `time` (s, at least 0).

        >>> ResponseLaw(probability_of_waiting=0.0, drain_rate=1.0, service_rate=1.0).tail(0.0)
        1.0
        """
        served = math.exp(-self.service_rate * time)
        drained = math.exp(-self.drain_rate * time)
        # The quotient (e^−dt − e^−μt)/(μ−d) written around the slower rate: it neither cancels nor overflows,
        # and at d = μ it takes its limit t·e^−μt.
        gap = abs(self.service_rate - self.drain_rate)
        quotient = max(served, drained) * (-math.expm1(-gap * time) / gap if gap > 0 else time)
        waited = drained + self.drain_rate * quotient
        return (1 - self.probability_of_waiting) * served + self.probability_of_waiting * waited

    def quantile(self, probability: float) -> float:
        """Return the time (s) within which the share `probability` (at least 0, below 1) is answered.

        Raises ModelError for a share outside that range.
        """
        late = self.probability_of_waiting / self.drain_rate + 1 / self.service_rate
        return quantile_of(self.tail, probability, late)


class MatrixLaw(msgspec.Struct, frozen=True, kw_only=True):
    """P(T > t) = left · e^(matrix·t) · right, as matrix-analytic models give it.

    Parameters
    ----------
    left, matrix, right : rates in 1/s; left · right = P(T > 0).
    mean : E[T], s, above 0.

    >>> law = MatrixLaw(left=(1.0,), matrix=((-2.0,),), right=(1.0,), mean=0.5)
    >>> round(law.quantile(0.99), 9)
    2.302585093
    """

    left: tuple[float, ...]
    matrix: tuple[tuple[float, ...], ...]
    right: tuple[float, ...]
    mean: float

    def tail(self, time: float) -> float:
        """Return the probability that the response takes longer than `time` (s, at least 0)."""
        import numpy as np
        from scipy.linalg import expm

        grown = expm(np.array(self.matrix) * time) @ np.array(self.right)
        return min(1.0, max(0.0, float(np.array(self.left) @ grown)))

    def quantile(self, probability: float) -> float:
        """Return the time (s) within which the share `probability` (at least 0, below 1) is answered.

        Raises ModelError for a share outside that range.
        """
        return quantile_of(self.tail, probability, self.mean)


def quantile_of(tail: Callable[[float], float], probability: float, scale: float) -> float:
    """Return where a tail that falls from 1 to 0 reaches 1 − probability; `scale` is a time (s) of its order.

    Raises ModelError for a share that is not at least 0 and below 1.

    >>> round(quantile_of(lambda time: math.exp(-time), 0.5, scale=1.0), 9)
    0.693147181
    """
    if not 0 <= probability < 1:
        raise ModelError(f"probability: {probability!r} stands where a number from 0 up to, not with, 1 belongs")
    if tail(0.0) <= 1 - probability:
        return 0.0
    # scipy.optimize takes longer to import than all models here together, and only quantiles need it.
    from scipy.optimize import brentq

    target = math.log1p(-probability)
    late = scale
    while _logarithm(tail(late)) > target:
        late *= 2

    def surplus(time: float) -> float:
        return _logarithm(tail(time)) - target

    return float(brentq(surplus, 0.0, late, xtol=late * 1e-15, rtol=1e-14))


def _logarithm(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf

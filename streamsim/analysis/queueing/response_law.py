"""The law of the response time where the wait is zero or exponential and the service is exponential."""

from __future__ import annotations

import math

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
        if not 0 <= probability < 1:
            raise ModelError(f"probability: {probability!r} stands where a number from 0 up to, not with, 1 belongs")
        if probability == 0:
            return 0.0
        # scipy.optimize takes longer to import than all models here together, and only quantiles need it.
        from scipy.optimize import brentq

        target = math.log1p(-probability)
        late = self.probability_of_waiting / self.drain_rate + 1 / self.service_rate
        while math.log(self.tail(late)) > target:
            late *= 2

        def surplus(time: float) -> float:
            return math.log(self.tail(time)) - target

        return float(brentq(surplus, 0.0, late, xtol=late * 1e-15, rtol=1e-14))

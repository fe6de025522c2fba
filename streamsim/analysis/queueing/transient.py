"""M/M/1 on its way: how many are there after some time, from a given number, steady state or not."""

from __future__ import annotations

import math

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.result import Load
from streamsim.errors import ModelError

MOST_STEPS = 30_000
"""Jumps of the chain that are followed at most; it bounds the time that an answer takes to seconds."""


class Transient(msgspec.Struct, frozen=True, kw_only=True):
    """The law of the number at the station at one time: `probabilities[n]`, its mean, and whether the server works."""

    probabilities: tuple[float, ...]
    in_system: float
    utilisation: float


def mm1_transient(arrival_rate: float, service_time: float, time: float, *, initial: int = 0) -> Transient:
    """Return the law of the number at an M/M/1 station after `time`, exactly but for a rest below 1e-12.

    By uniformisation: the chain jumps at the rate λ+μ, and the number of jumps in `time` is Poisson. It needs no
    steady state, so a saturated station has an answer too.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s = 1/μ, mean, s, above 0.
    time : s, at least 0; (λ+μ)·time at most 30,000.
    initial : records there at time 0, at least 0.

    Raises ModelError for numbers outside these ranges.

    Source: Jensen, Markoff chains as an aid in the study of Markoff processes, Skandinavisk Aktuarietidskrift 36
    (1953), 87-91; checked against Kleinrock (1975), section 2.13, equation (2.163).

    >>> round(mm1_transient(0.5, 1.0, 0.0, initial=3).in_system, 9)
    3.0
    >>> round(mm1_transient(0.5, 1.0, 500.0).in_system, 6)
    1.0
    """
    load = Load(arrival_rate, service_time)
    checks.non_negative("time", time)
    checks.countable("initial", initial, least=0)
    rate = arrival_rate + load.largest_rate
    jumps = rate * time
    if not jumps <= MOST_STEPS:
        raise ModelError(f"time: {time!r} s are {jumps:.3g} jumps of the chain, more than the {MOST_STEPS} followed")
    import numpy as np

    spread = 9 * math.sqrt(jumps) + 40
    first, last = max(0, int(jumps - spread)), int(jumps + spread)
    # upwards it can go no further than arrivals do; downwards no further than 0
    arrivals = arrival_rate * time
    reach = initial + int(arrivals + 9 * math.sqrt(arrivals) + 40)
    up, down = arrival_rate / rate, load.largest_rate / rate
    state = np.zeros(reach + 1)
    state[initial] = 1.0
    law = np.zeros(reach + 1)
    following = np.empty_like(state)
    for n in range(last + 1):
        if n >= first and jumps > 0:
            law += math.exp(n * math.log(jumps) - jumps - math.lgamma(n + 1)) * state
        following[1:] = up * state[:-1]
        following[0] = down * state[0]
        following[:-1] += down * state[1:]
        state, following = following, state
    if jumps == 0:
        law[initial] = 1.0
    law /= law.sum()
    return Transient(
        probabilities=tuple(float(share) for share in law),
        in_system=float(law @ np.arange(len(law))),
        utilisation=float(1 - law[0]),
    )

"""The law of the response time along a path of stations: laws by their transforms, quantiles by inversion.

The times at the stations of a path count as independent: exact for a line of M/M/1 stations (Reich, "Waiting times when
queues are in tandem", Annals of Mathematical Statistics 28, 1957), an approximation elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamsim.analysis.queueing.response_law import MatrixLaw

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

CONSTANT = 1e-6
"""Below this scv a time counts as constant."""

NO_SCATTER = 1e-12
"""Below this scv the sum of times counts as constant."""

TERMS, EULER = 12, 11
"""Terms of the inversion, and of Euler's summation of its tail: an error below 1e-6 for smooth laws."""


@dataclass(frozen=True)
class Law:
    """A time: wait for one, with the chance ``waits`` (0 to 1), that is gamma of mean ``wait`` (s, given that there is
    one) and scv ``wait_scv``, then serve for a gamma time of mean ``service`` (s) and scv ``service_scv``; ``shift``
    (s) comes on top. Exponential is a gamma of scv 1, constant one of scv 0.

    ``poisson`` (arrival rate, 1/s): the wait is that of M/G/1, by Pollaczek and Khinchine, whatever ``wait`` says
    (Kleinrock, Queueing Systems 1, 1975, equation 5.105). ``whole``: the law of wait and service together, whatever the
    others say but for ``shift``.
    """

    service: float
    service_scv: float
    waits: float = 0.0
    wait: float = 0.0
    wait_scv: float = 1.0
    shift: float = 0.0
    poisson: float | None = None
    whole: MatrixLaw | None = None

    @property
    def wait_moments(self) -> tuple[float, float]:
        """The mean (s) and the second moment (s²) of the wait, no wait included."""
        if self.poisson is None:
            mean = self.waits * self.wait
            return mean, mean * self.wait * (1 + self.wait_scv)
        idle = 1 - self.poisson * self.service
        second = self.service**2 * (1 + self.service_scv)
        third = second * self.service * (1 + 2 * self.service_scv)
        mean = self.poisson * second / (2 * idle)
        return mean, 2 * mean**2 + self.poisson * third / (3 * idle)

    @property
    def mean(self) -> float:
        """The mean (s)."""
        if self.whole is not None:
            return self.shift + self.whole.mean
        return self.shift + self.service + self.wait_moments[0]

    @property
    def variance(self) -> float:
        """The variance (s²)."""
        if self.whole is not None:  # E[T²] = 2·∫t·P(T > t)dt = 2·left·M⁻²·right
            matrix = np.array(self.whole.matrix)
            twice = np.linalg.solve(matrix, np.linalg.solve(matrix, np.array(self.whole.right)))
            return 2 * float(np.array(self.whole.left) @ twice) - self.whole.mean**2
        mean, second = self.wait_moments
        return second - mean**2 + self.service_scv * self.service**2


def quantiles(laws: Sequence[Law], probabilities: Sequence[float], *, correlation: float = 0.0) -> list[float]:
    """Return the quantiles (s) of the sum of times that are independent, or all correlated alike.

    Parameters
    ----------
    probabilities : above 0, below 1.
    correlation : of any two of the times, 0 to 1; above 0 the sum counts as gamma, by its mean and variance.

    Inverts the product of the transforms (Abate and Whitt, "Numerical inversion of Laplace transforms of probability
    distributions", ORSA Journal on Computing 7, 1995, the Euler method) and looks for the root, from the quantile of
    a gamma law of the same mean and variance on.

    >>> [round(time, 4) for time in quantiles([Law(1.0, 1.0)], [0.5, 0.99])]
    [0.6931, 4.6052]
    """
    mean, variance = sum(law.mean for law in laws), sum(law.variance for law in laws)
    variance += correlation * (sum(math.sqrt(law.variance) for law in laws) ** 2 - variance)
    first = gamma_quantiles(mean, variance, probabilities)
    if correlation > 0 or variance <= NO_SCATTER * mean**2:
        return first
    levels, guess = np.asarray(probabilities, dtype=float), np.asarray(first)
    path = _Path(laws)
    times = _roots(path, np.log1p(-levels), guess, mean + 60 * math.sqrt(variance))
    # Beside an atom (an idle station with constant service) the inversion rings, and a root may lie too late: no
    # quantile is above a higher one.
    order = np.argsort(levels)
    times[order] = np.minimum.accumulate(times[order][::-1])[::-1]
    return [float(time) for time in times]


def gamma_quantiles(mean: float, variance: float, probabilities: Sequence[float]) -> list[float]:
    """Return the quantiles (s) of a gamma law of this mean (s, at least 0) and variance (s²).

    >>> [round(time, 4) for time in gamma_quantiles(1.0, 1.0, [0.5, 0.99])]
    [0.6931, 4.6052]
    """
    if variance <= NO_SCATTER * mean**2:
        return [mean] * len(probabilities)
    from scipy.special import gammaincinv

    levels = np.asarray(probabilities, dtype=float)
    return [float(time) for time in gammaincinv(mean**2 / variance, levels) * variance / mean]


class _Path:
    """The product of the transforms of some laws, as arrays: one row a law."""

    def __init__(self, laws: Sequence[Law]) -> None:
        def column(values: list[float]) -> Array:
            return np.array(values)[:, None, None]

        constant = [law for law in laws if law.whole is None and law.service_scv < CONSTANT]
        self.shift = sum(law.shift for law in laws) + sum(law.service for law in constant)
        self.whole = [law.whole for law in laws if law.whole is not None]
        laws = [law for law in laws if law.whole is None]
        plain = [law for law in laws if law.poisson is None]
        served = [law for law in plain if law.service_scv >= CONSTANT and law.service > 0]
        waiting = [law for law in plain if law.waits * law.wait > 0]
        self.served = column([law.service for law in served]), column([law.service_scv for law in served])
        self.waiting = column([law.wait for law in waiting]), column([law.wait_scv for law in waiting])
        self.waits = column([law.waits for law in waiting])
        self.poisson = [law for law in laws if law.poisson is not None]

    def transform(self, s: Complex) -> Complex:
        """Return E[exp(−s·T)] of the sum of all times."""
        product = np.exp(-s * self.shift)
        if self.served[0].size:
            product *= _gamma(s, *self.served).prod(axis=0)
        if self.waits.size:
            product *= (1 - self.waits + self.waits * _gamma(s, *self.waiting)).prod(axis=0)
        for law in self.poisson:
            assert law.poisson is not None, "they were picked so"
            constant = law.service_scv < CONSTANT
            one = np.exp(-s * law.service) if constant else _gamma(s, law.service, law.service_scv)
            product *= (1 - law.poisson * law.service) * s / (s - law.poisson * (1 - one))
            if not constant:
                product *= one
        for whole in self.whole:
            product *= _matrix_transform(s, whole)
        return product

    def tails(self, times: Array) -> tuple[Array, Array]:
        """Return the chance that the sum takes longer than each of some times (s, above 0), and its densities (1/s)."""
        s = _NODES / times[:, None]
        product = self.transform(s)
        weights = _WEIGHTS / times[:, None]
        return (weights * ((1 - product) / s).real).sum(axis=1), (weights * product.real).sum(axis=1)


def _matrix_transform(s: Complex, law: MatrixLaw) -> Complex:
    """Return E[exp(−s·T)] = 1 − s·left·(s·I − M)⁻¹·right, P(T > t) being left·exp(M·t)·right."""
    matrix, right = np.array(law.matrix), np.array(law.right)
    solved = np.linalg.solve(s[..., None, None] * np.eye(len(right)) - matrix, right[:, None])[..., 0]
    return np.asarray(1 - s * (solved @ np.array(law.left)))


def _gamma(s: Complex, mean: Array | float, scv: Array | float) -> Complex:
    if np.all(np.equal(scv, 1.0)):
        return np.asarray(1 / (1 + s * mean))
    return np.asarray(np.exp(-np.log1p(s * mean * scv) / scv))


def _roots(path: _Path, targets: Array, guess: Array, most: float) -> Array:
    """Return the times at which the logarithm of the tail meets the targets: Newton, halving where that leaves."""
    low, high, times = np.zeros_like(guess), np.full_like(guess, most), guess
    for _ in range(60):
        above, densities = path.tails(times)
        with np.errstate(invalid="ignore", divide="ignore"):
            surplus = np.log(above) - targets
            steps = times + surplus * above / densities
        late = surplus > 0
        low, high = np.where(late, times, low), np.where(late, high, times)
        inside = (steps > low) & (steps < high) & (densities > 0)
        following = np.where(inside, steps, (low + high) / 2)
        if np.all(np.abs(following - times) <= 1e-6 * times):
            return following
        times = following
    return times


def _euler() -> tuple[Complex, NDArray[np.float64]]:
    """Return the nodes (for time 1) and the real weights of the Euler method."""
    shift = 18.4  # the discretisation error is exp(−18.4) = 1e-8
    places = np.arange(TERMS + EULER + 1)
    nodes = (shift + 2j * np.pi * places) / 2
    signs = np.where(places % 2 == 0, 1.0, -1.0)
    averaged = np.ones(len(places))
    for extra in range(1, EULER + 1):
        averaged[TERMS + extra] = sum(math.comb(EULER, k) for k in range(extra, EULER + 1)) / 2**EULER
    weights = math.exp(shift / 2) * signs * averaged
    weights[0] /= 2
    return np.asarray(nodes, dtype=np.complex128), weights


_NODES, _WEIGHTS = _euler()

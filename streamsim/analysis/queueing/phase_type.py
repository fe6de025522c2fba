"""Phase-type laws: a time as the way through exponential phases; moments, fits from moments, convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.errors import ModelError

if TYPE_CHECKING:
    import numpy as np

    Matrix = np.ndarray[Any, np.dtype[np.floating[Any]]]

MOST_PHASES = 200
"""An scv below 1/200 needs more phases than any chain here can carry."""


class PhaseType(msgspec.Struct, frozen=True):
    """A law of times: begin in phase i with chance αᵢ, leave it at the rate −Tᵢᵢ, to j at Tᵢⱼ, else be done.

    Parameters
    ----------
    initial : α, chances that add up to 1.
    generator : T, 1/s; rows add up to at most 0, and something leaves in the end.

    Raises ModelError for anything else.

    Source: Neuts, Matrix-Geometric Solutions in Stochastic Models (1981), chapter 2.

    >>> law = PhaseType((1.0, 0.0), ((-2.0, 2.0), (0.0, -2.0)))
    >>> law.mean, law.scv
    (1.0, 0.5)
    """

    initial: tuple[float, ...]
    generator: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        for index, chance in enumerate(self.initial):
            checks.share(f"initial[{index}]", chance)
        if not math.isclose(math.fsum(self.initial), 1.0, abs_tol=1e-9):
            raise ModelError(f"initial: adds up to {math.fsum(self.initial)!r} where 1 belongs")
        if len(self.generator) != len(self.initial) or any(len(row) != len(self.initial) for row in self.generator):
            raise ModelError(f"generator: not {len(self.initial)} rows of {len(self.initial)} rates, as initial has")
        for i, row in enumerate(self.generator):
            for j, rate in enumerate(row):
                if i != j:
                    checks.non_negative(f"generator[{i}][{j}]", rate)
            if not (math.isfinite(row[i]) and row[i] < 0):
                raise ModelError(f"generator[{i}][{i}]: {row[i]!r} stands where a finite rate below 0 belongs")
            if math.fsum(row) > -1e-12 * row[i]:
                raise ModelError(f"generator[{i}]: adds up to {math.fsum(row)!r} where at most 0 belongs")
        self._require_an_end()

    def _require_an_end(self) -> None:
        before = [[i for i, row in enumerate(self.generator) if i != j and row[j] > 0] for j in range(self.phases)]
        if len(reached({i for i, rate in enumerate(self.exits) if rate > 0}, before)) < self.phases:
            raise ModelError("generator: there are phases that never end; every phase needs a way out")

    @property
    def exits(self) -> tuple[float, ...]:
        """The rates (1/s) at which each phase is the last: −T·1."""
        return tuple(_exit(row, i) for i, row in enumerate(self.generator))

    @property
    def phases(self) -> int:
        """The number of phases."""
        return len(self.initial)

    @property
    def mean(self) -> float:
        """The mean (s)."""
        return self.moment(1)

    @property
    def scv(self) -> float:
        """The squared coefficient of variation, variance / mean²."""
        return self.moment(2) / self.moment(1) ** 2 - 1

    def moment(self, order: int) -> float:
        """Return E[Xⁿ] = n! α(−T)⁻ⁿ1 (sⁿ).

        >>> exponential(2.0).moment(2)
        8.0
        """
        import numpy as np

        checks.whole("order", order, least=1)
        alpha, generator = self.arrays()
        vector: Matrix = np.ones(self.phases)
        for _ in range(order):
            vector = np.asarray(np.linalg.solve(-generator, vector), dtype=np.float64)
        return math.factorial(order) * float(alpha @ vector)

    def arrays(self) -> tuple[Matrix, Matrix]:
        """Return α and T as numpy arrays."""
        import numpy as np

        return np.array(self.initial), np.array(self.generator)

    def tail(self, time: float) -> float:
        """Return P(X > time) = α e^(T·time) 1, for a time (s) of at least 0.

        >>> round(exponential(2.0).tail(2.0), 9)
        0.367879441
        """
        from scipy.linalg import expm

        checks.non_negative("time", time)
        alpha, generator = self.arrays()
        return float(alpha @ expm(generator * time).sum(axis=1))

    def scaled(self, mean: float) -> PhaseType:
        """Return the same shape with another mean (s).

        >>> erlang(2, 1.0).scaled(3.0).mean
        3.0
        """
        factor = self.mean / checks.positive("mean", mean)
        return PhaseType(self.initial, tuple(tuple(rate * factor for rate in row) for row in self.generator))


def reached(start: set[int], following: Sequence[Sequence[int]]) -> set[int]:
    """Return all that can be reached from the start, along `following[i]`, the neighbours of i.

    >>> sorted(reached({0}, [[1], [], [0]]))
    [0, 1]
    """
    found, waiting = set(start), list(start)
    while waiting:
        more = [j for j in following[waiting.pop()] if j not in found]
        found.update(more)
        waiting += more
    return found


def _exit(row: Sequence[float], index: int) -> float:
    """Return what a row leaves over, without the rounding that would make a phase end that does not."""
    rest = -math.fsum(row)
    return rest if rest > -1e-12 * row[index] else 0.0


def exponential(mean: float) -> PhaseType:
    """Return the exponential law of this mean (s, above 0).

    >>> exponential(4.0).scv
    1.0
    """
    return PhaseType((1.0,), ((-1 / checks.positive("mean", mean),),))


def erlang(phases: int, mean: float) -> PhaseType:
    """Return the sum of k like exponential phases, with scv 1/k.

    >>> erlang(4, 1.0).scv
    0.25
    """
    return _chain([checks.countable("phases", phases, least=1) / checks.positive("mean", mean)] * phases, phases)


def _chain(rates: Sequence[float], phases: int, start: Sequence[float] | None = None) -> PhaseType:
    initial = tuple(start) if start is not None else (1.0,) + (0.0,) * (phases - 1)
    rows = [[0.0] * phases for _ in rates]
    for i, rate in enumerate(rates):
        rows[i][i] = -rate
        if i + 1 < phases:
            rows[i][i + 1] = rate
    return PhaseType(initial, tuple(tuple(row) for row in rows))


def hyperexponential(mean: float, scv: float) -> PhaseType:
    """Return the mixture of two exponentials with balanced means, for an scv of at least 1.

    p₁,₂ = (1 ± √((c²−1)/(c²+1)))/2 and rates 2pᵢ/mean.

    Source: Tijms, Stochastic Models (1994), appendix B.

    >>> round(hyperexponential(1.0, 4.0).scv, 9)
    4.0
    """
    checks.positive("mean", mean)
    if checks.positive("scv", scv) < 1:
        raise ModelError(f"scv: {scv:.6g} is below 1, which no hyperexponential has")
    if scv == 1:
        return exponential(mean)
    root = math.sqrt((scv - 1) / (scv + 1))
    chances = ((1 + root) / 2, 1 / (scv + 1) / (1 + root))
    rates = [2 * chance / mean for chance in chances]
    return PhaseType(chances, ((-rates[0], 0.0), (0.0, -rates[1])))


def fit_two_moments(mean: float, scv: float) -> PhaseType:
    """Return a phase-type law with this mean and scv, with as few phases as they allow.

    Above 1 a hyperexponential with balanced means, at 1 an exponential, below 1 a sum of k−1 or k like phases:
    1/k ≤ c² ≤ 1/(k−1), k−1 phases with the chance p = (kc² − √(k(1+c²) − k²c²))/(1+c²), rates (k−p)/mean.

    Parameters
    ----------
    mean : s, above 0.
    scv : at least 1/200; a constant time is no phase-type law.

    Raises ModelError for numbers outside these ranges.

    Source: Tijms (1994), appendix B.

    >>> law = fit_two_moments(2.0, 0.7)
    >>> round(law.mean, 9), round(law.scv, 9), law.phases
    (2.0, 0.7, 2)
    """
    checks.positive("mean", mean)
    if checks.non_negative("scv", scv) < 1 / MOST_PHASES:
        raise ModelError(f"scv: {scv!r} needs more than {MOST_PHASES} phases; a (nearly) constant time is no such law")
    if scv >= 1:
        return hyperexponential(mean, scv)
    phases = math.ceil(1 / scv - 1e-9)
    short = (phases * scv - math.sqrt(max(0.0, phases * (1 + scv) - phases**2 * scv))) / (1 + scv)
    short = min(1.0, max(0.0, short))
    rate = (phases - short) / mean
    return _chain([rate] * phases, phases, start=(1 - short, short) + (0.0,) * (phases - 2))


def fit_three_moments(first: float, second: float, third: float) -> PhaseType:
    """Return the phase-type law of two phases with these three moments (s, s², s³).

    Raises ModelError where no law of two phases has them; the error says which moment is out of range.

    Source: Telek and Heindl, Matching moments for acyclic discrete and continuous phase-type distributions of
    second order, Int. J. Simulation 3 (2002), 47-57, table 1.

    >>> law = fit_three_moments(10.0, 160.0, 3500.0)
    >>> [round(law.moment(n), 6) for n in (1, 2, 3)]
    [10.0, 160.0, 3500.0]
    """
    for name, value in (("first", first), ("second", second), ("third", third)):
        checks.positive(name, value)
    scv = second / first**2 - 1
    if scv < 0.5 - 1e-9:
        raise ModelError(f"second: an scv of {scv:.4g} is below 0.5, the least of two phases")
    if abs(scv - 1) < 1e-9:
        if abs(third - 6 * first**3) > 1e-6 * third:
            raise ModelError(f"third: {third!r} stands where 6·first³ belongs; at scv 1 two phases are one")
        return exponential(first)
    # h₂, h₃ of Telek and Heindl; in terms of the reduced moments r_k = m_k / k!
    r1, r2, r3 = first, second / 2, third / 6
    low, high = _third_range(r1, r2, scv)
    if not low * (1 - 1e-9) <= r3 <= high * (1 + 1e-9):
        raise ModelError(f"third: {third!r} is outside {6 * low:.6g} to {6 * high:.6g}, what two phases can have")
    # both phases' rates are the roots of d₀x² − d₁x + d₂; the law is the chain λ₁ → λ₂ entered at 1 with chance p
    d0, d1, d2 = r1 * r3 - r2 * r2, r3 - r1 * r2, r2 - r1 * r1
    if abs(d0) < 1e-14 * r2 * r2:
        raise ModelError("third: these moments belong to one exponential phase")
    root = math.sqrt(max(0.0, d1 * d1 - 4 * d0 * d2))
    one, other = sorted(((d1 - root) / (2 * d0), (d1 + root) / (2 * d0)))
    if one <= 0:
        raise ModelError(f"third: {third!r} is not the third moment of any law of two phases")
    chance = min(1.0, max(0.0, one * (first - 1 / other)))
    return PhaseType((chance, 1 - chance), ((-one, one), (0.0, -other)))


def _third_range(r1: float, r2: float, scv: float) -> tuple[float, float]:
    """Return the least and the greatest m₃/6 of two phases with these first two reduced moments."""
    if scv > 1:
        return r2 * r2 / r1, math.inf
    half = math.sqrt(max(0.0, 2 * (1 - scv)))
    # the hypoexponential edge (chance 1) and the edge of two like phases
    edge = r1 * (2 * r2 - r1 * r1)
    like = r1**3 * (3 * (3 * scv - 1) + half * (1 - scv)) / 6
    return min(like, edge), max(like, edge)

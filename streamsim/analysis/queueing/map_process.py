"""Markovian arrival processes: flows whose gaps depend on a hidden phase, so that they may come in bursts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.phase_type import PhaseType, exponential, reached
from streamsim.errors import ModelError

if TYPE_CHECKING:
    from streamsim.analysis.queueing.phase_type import Matrix

Rates = tuple[tuple[float, ...], ...]


class MarkovProcess(msgspec.Struct, frozen=True):
    """A MAP: phases change silently at the rates D₀ and with an event at the rates D₁ (1/s).

    Events are arrivals, or the services of a server while it has work. D₀ + D₁ has rows that add up to 0.

    Parameters
    ----------
    silent : D₀; off the diagonal at least 0, on it minus all that leaves.
    eventful : D₁, at least 0, not all 0.

    Raises ModelError for anything else, and for phases that do not all lead to each other.

    Source: Neuts, A versatile Markovian point process, J. Appl. Prob. 16 (1979), 764-779.

    >>> round(mmpp([1.6, 0.2], [[0.0, 0.1], [0.1, 0.0]]).rate, 9)
    0.9
    """

    silent: Rates
    eventful: Rates

    def __post_init__(self) -> None:
        count = len(self.silent)
        if count == 0 or len(self.eventful) != count:
            raise ModelError(f"eventful: {len(self.eventful)} rows where {count} belong, as silent has")
        for name, rates in (("silent", self.silent), ("eventful", self.eventful)):
            for i, row in enumerate(rates):
                checks.same_length(f"{name}[{i}]", row, count)
                for j, rate in enumerate(row):
                    if name == "eventful" or i != j:
                        checks.non_negative(f"{name}[{i}][{j}]", rate)
        for i, row in enumerate(self.silent):
            left = math.fsum(row) + math.fsum(self.eventful[i])
            if not (math.isfinite(row[i]) and row[i] < 0 and abs(left) <= 1e-9 * -row[i]):
                raise ModelError(f"silent[{i}][{i}]: {row[i]!r} stands where minus all that leaves phase {i} belongs")
        if not any(rate > 0 for row in self.eventful for rate in row):
            raise ModelError("eventful: nothing ever happens; at least one rate above 0 belongs here")
        self._require_one_class()

    def _require_one_class(self) -> None:
        phases = range(len(self.silent))
        after = [[j for j in phases if i != j and self.silent[i][j] + self.eventful[i][j] > 0] for i in phases]
        before = [[i for i in phases if j in after[i]] for j in phases]
        for following, missing in ((after, "is never reached from"), (before, "never leads back to")):
            if lost := set(phases) - reached({0}, following):
                raise ModelError(f"silent: phase {min(lost)} {missing} phase 0; all must lead to each other")

    @property
    def phases(self) -> int:
        """The number of phases."""
        return len(self.silent)

    @property
    def rate(self) -> float:
        """Events per second in the long run."""
        _, eventful = self.arrays()
        return float(self.phase_shares() @ eventful.sum(axis=1))

    def phase_shares(self) -> Matrix:
        """Return the share of time in each phase."""
        import numpy as np

        silent, eventful = self.arrays()
        balance = (silent + eventful).T
        balance[-1] = 1.0
        right = np.zeros(self.phases)
        right[-1] = 1.0
        return np.asarray(np.linalg.solve(balance, right), dtype=np.float64)

    def arrays(self) -> tuple[Matrix, Matrix]:
        """Return D₀ and D₁ as numpy arrays."""
        import numpy as np

        return np.array(self.silent, dtype=float), np.array(self.eventful, dtype=float)


def poisson(rate: float) -> MarkovProcess:
    """Return a Poisson process (events/s, above 0).

    >>> poisson(2.0).rate
    2.0
    """
    return renewal(exponential(1 / checks.positive("rate", rate)))


def renewal(gap: PhaseType) -> MarkovProcess:
    """Return the process whose gaps are independent and have this law.

    >>> from streamsim.analysis.queueing.phase_type import erlang
    >>> renewal(erlang(2, 0.5)).rate
    2.0
    """
    eventful = tuple(tuple(ends * chance for chance in gap.initial) for ends in gap.exits)
    # the diagonal is what balances the row, so that rounding does not leave a phase that leaks
    silent = tuple(
        tuple(
            -math.fsum([*(rate for k, rate in enumerate(row) if k != i), *eventful[i]]) if i == j else row[j]
            for j in range(gap.phases)
        )
        for i, row in enumerate(gap.generator)
    )
    return MarkovProcess(silent, eventful)


def mmpp(rates: Sequence[float], switching: Sequence[Sequence[float]]) -> MarkovProcess:
    """Return the Poisson process whose rate (1/s) is that of a phase, which changes at the rates `switching` (1/s).

    The diagonal of `switching` is not looked at.

    >>> mmpp([3.0, 0.0], [[0.0, 1.0], [1.0, 0.0]]).rate
    1.5
    """
    count = len(rates)
    checks.same_length("switching", switching, count)
    silent, eventful = [], []
    for i, rate in enumerate(rates):
        checks.non_negative(f"rates[{i}]", rate)
        checks.same_length(f"switching[{i}]", switching[i], count)
        others = [checks.non_negative(f"switching[{i}][{j}]", switching[i][j]) for j in range(count) if j != i]
        leaving = math.fsum([*others, rate])
        silent.append(tuple(-leaving if i == j else float(switching[i][j]) for j in range(count)))
        eventful.append(tuple(float(rate) if i == j else 0.0 for j in range(count)))
    return MarkovProcess(tuple(silent), tuple(eventful))

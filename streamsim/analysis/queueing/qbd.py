"""Quasi-birth-death chains: levels 0, 1, 2, … of like phases, solved by Neuts' matrix-geometric method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from streamsim.errors import ModelError

if TYPE_CHECKING:
    from streamsim.analysis.queueing.phase_type import Matrix

ROUNDS = 60
"""Each doubles the levels that are looked at: 2⁶⁰ of them are enough for any load below 1 in double precision."""


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """The steady state: π₀ at level 0, π₁ Rⁿ⁻¹ at level n ≥ 1."""

    empty: Any
    first: Any
    rates: Any

    def phase_shares(self) -> Matrix:
        """Return the share of time in each phase at the levels from 1 up, Σ π₁ Rⁿ⁻¹."""
        import numpy as np

        inner = np.eye(len(self.rates)) - self.rates
        return np.asarray(np.linalg.solve(inner.T, self.first), dtype=np.float64)

    @property
    def mean_level(self) -> float:
        """Σ n π₁ Rⁿ⁻¹ 1 = π₁ (I−R)⁻² 1."""
        import numpy as np

        inner = np.eye(len(self.rates)) - self.rates
        return float(np.linalg.solve(inner.T, self.phase_shares()).sum())


def passage_matrix(up: Matrix, local: Matrix, down: Matrix) -> Matrix:
    """Return G: Gᵢⱼ is the chance that level n, left in phase i, is first left downwards into phase j.

    By logarithmic reduction, which doubles the levels it looks at in every round.

    Raises ModelError where it does not converge.

    Source: Latouche and Ramaswami, A logarithmic reduction algorithm for quasi-birth-death processes, J. Appl. Prob. 30
    (1993), 650-674.

    >>> import numpy as np
    >>> passage_matrix(np.array([[1.0]]), np.array([[-3.0]]), np.array([[2.0]]))
    array([[1.]])
    """
    import numpy as np

    identity = np.eye(len(local))
    higher, lower = np.linalg.solve(-local, up), np.linalg.solve(-local, down)
    passage, ahead = lower.copy(), higher.copy()
    for _ in range(ROUNDS):
        both = identity - higher @ lower - lower @ higher
        higher, lower = np.linalg.solve(both, higher @ higher), np.linalg.solve(both, lower @ lower)
        more = ahead @ lower
        passage += more
        ahead = ahead @ higher
        if float(np.abs(more).max()) < 1e-16:
            break
    short = float(np.abs(1 - passage.sum(axis=1)).max())
    if not np.isfinite(passage).all() or short > 1e-6:
        raise ModelError("the chain of levels does not come back to level 0: the load is 1 but for rounding")
    return np.asarray(passage, dtype=np.float64)


def solve_levels(
    up: Matrix, local: Matrix, down: Matrix, *, empty_up: Matrix, empty_local: Matrix, empty_down: Matrix
) -> Levels:
    """Return the steady state of a chain whose level 0 has rates of its own (all 1/s).

    Parameters
    ----------
    up, local, down : A₀, A₁, A₂ between the phases of levels from 1 up; A₁ has minus all that leaves on its diagonal.
    empty_up, empty_local, empty_down : from level 0 to 1, within level 0, and from level 1 to 0.

    Raises ModelError where the chain drifts upwards for ever, or does not converge.

    Source: Neuts, Matrix-Geometric Solutions in Stochastic Models (1981), chapter 1; R = A₀(−A₁−A₀G)⁻¹.
    """
    import numpy as np

    passage = passage_matrix(up, local, down)
    rates = np.linalg.solve((-local - up @ passage).T, up.T).T
    below, count = len(empty_local), len(local)
    balance = np.block([[empty_local, empty_up], [empty_down, local + rates @ down]])
    weights = np.concatenate([np.ones(below), np.linalg.solve(np.eye(count) - rates, np.ones(count))])
    # one balance equation follows from the others; the sum of all shares stands in its place
    system = balance.T.copy()
    system[0] = weights
    right = np.zeros(below + count)
    right[0] = 1.0
    solved = np.linalg.solve(system, right)
    if not np.isfinite(solved).all() or solved.min() < -1e-9:
        raise ModelError("the chain of levels has no steady state that can be computed: the load is 1 but for rounding")
    solved = np.maximum(solved, 0.0)
    return Levels(empty=solved[:below], first=solved[below:], rates=rates)

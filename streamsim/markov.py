"""Markovian arrival processes and phase-type distributions: from matrices to a `Distribution`, and their moments.

A time ends at a visible transition (D1); hidden ones (D0) move between phases inside it. A phase-type distribution is
such a process that begins every time anew: D1 = ends · initial (Neuts 1981, "Matrix-Geometric Solutions", ch. 2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ScenarioError
from streamsim.service import Distribution

Array = NDArray[np.float64]


def phase_type(initial: Sequence[float], rates: Sequence[Sequence[float]]) -> tuple[Distribution, float]:
    """Return a phase-type distribution as factor and mean.

    Parameters
    ----------
    initial : the chances to start in each of m phases, adding up to 1.
    rates : m × m; off the diagonal the rates (1/s) between phases, on it minus all that leave the phase. What a row
        lacks to 0 is the rate at which the service ends from there (Neuts 1981, section 2.2).

    >>> law, mean = phase_type([1, 0], [[-4, 4], [0, -4]]); round(law.scv, 9), round(mean, 9)
    (0.5, 0.5)
    """
    start, inside = np.asarray(initial, float), _square(rates, len(initial), "rates")
    if not math.isclose(start.sum(), 1.0, abs_tol=1e-3) or start.min() < 0:
        raise ScenarioError(f"the chances to start in must add up to 1, not {start.sum():g}")
    start = start / start.sum()
    ends = _exits(inside)
    _check_transient(inside)
    law, mean = _scaled("phase-type", inside, np.outer(ends, start))
    size = len(start)
    return Distribution(
        family="phase-type",
        scv=law.scv,
        parameters=(float(size), *start.tolist(), *(inside * mean).ravel().tolist()),
    ), mean


def markovian(hidden: Sequence[Sequence[float]], visible: Sequence[Sequence[float]]) -> tuple[Distribution, float]:
    """Return a Markovian arrival process as factor and mean: correlated times.

    Parameters
    ----------
    hidden, visible : m × m rates (1/s), D0 and D1 of Neuts (1979), "A versatile Markovian point process", J. Applied
        Probability 16: transitions without and with the end of a time; the rows of their sum add up to 0.

    >>> law, mean = markovian([[-1.7, 0.1], [0.1, -0.3]], [[1.6, 0], [0, 0.2]]); round(1 / mean, 9)
    0.9
    """
    before = _square(hidden, len(hidden), "hidden")
    after = _square(visible, len(hidden), "visible")
    if after.min() < 0 or not np.allclose(before.sum(1) + after.sum(1), 0.0, atol=1e-3 * abs(before).max()):
        raise ScenarioError("hidden and visible rates must be at least 0 off the diagonal and add up to 0 in each row")
    _check_transient(before)
    np.fill_diagonal(before, 0.0)
    np.fill_diagonal(before, -(before.sum(1) + after.sum(1)))  # what was printed with few digits, exactly
    return _scaled("map", before, after)


def matrices(distribution: Distribution) -> tuple[Array, Array]:
    """Return the hidden and the visible rates of a ``phase-type`` or ``map`` distribution, m × m each."""
    size, numbers = int(distribution.parameters[0]), np.asarray(distribution.parameters[1:])
    if distribution.family == "map":
        return numbers[: size * size].reshape(size, size), numbers[size * size :].reshape(size, size)
    initial, hidden = numbers[:size], numbers[size:].reshape(size, size)
    return hidden, np.outer((-hidden.sum(1)).clip(min=0.0), initial)


def after_an_end(hidden: Array, visible: Array) -> Array:
    """Return the chance of each phase just after a time has ended, in the long run, shape (m,)."""
    size = len(hidden)
    steps = np.linalg.solve(-hidden, visible)
    # One equation of φ(P − 1) = 0 follows from the others: φ·1 = 1 stands in its place.
    system = np.vstack([steps.T - np.eye(size), np.ones(size)])
    solution, *_ = np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)
    return np.asarray(solution, dtype=np.float64).clip(min=0.0)


def moments(hidden: Array, visible: Array) -> tuple[float, float, float]:
    """Return the mean of a time (s), its scv, and its correlation with the next.

    E X = φ M 1, E X² = 2 φ M² 1, E X₀X₁ = φ M P M 1, where M = (−D0)⁻¹, P = M D1 and φ P = φ.

    >>> moments(np.array([[-2.0]]), np.array([[2.0]]))
    (0.5, 1.0, 0.0)
    """
    inverse = np.linalg.inv(-hidden)
    steps = inverse @ visible
    now = after_an_end(hidden, visible)
    first = float(now @ inverse.sum(1))
    second = 2 * float(now @ inverse @ inverse.sum(1))
    joint = float(now @ inverse @ steps @ inverse.sum(1))
    variance = second - first**2
    return first, variance / first**2, (joint - first**2) / variance if variance > 0 else 0.0


def _square(rows: Sequence[Sequence[float]], size: int, name: str) -> Array:
    if size < 1 or len(rows) != size or any(len(row) != size for row in rows):
        raise ScenarioError(f"{name} must have {size} rows of {size} numbers each")
    matrix = np.array(rows, dtype=np.float64)
    off = matrix - np.diag(np.diag(matrix))
    if not np.isfinite(matrix).all() or off.min() < 0:
        raise ScenarioError(f"{name} must be finite, and at least 0 off the diagonal")
    return matrix


def _exits(inside: Array) -> Array:
    """Return the rate at which a service ends from each phase."""
    ends: Array = -inside.sum(1)
    if ends.min() < -1e-9 * abs(inside).max():
        raise ScenarioError("no row of the rates may add up to more than 0: what it lacks is how fast the service ends")
    return ends.clip(min=0.0)


def _check_transient(inside: Array) -> None:
    if np.diag(inside).max() >= 0 or np.linalg.eigvals(inside).real.max() >= 0:
        raise ScenarioError("from some phase the service never ends")


def _scaled(family: str, hidden: Array, visible: Array) -> tuple[Distribution, float]:
    """Return the process with time measured in its own mean, and that mean."""
    mean, scv, _ = moments(hidden, visible)
    parameters = (float(len(hidden)), *(hidden * mean).ravel().tolist(), *(visible * mean).ravel().tolist())
    return Distribution(family=family, scv=round(scv, 12), parameters=parameters), mean

"""The steady state of a finite Markov chain given by its transitions: dense, sparse, or by aggregation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DENSE = 50
"""Up to this many states elimination by hand is as quick as a sparse factorisation."""
DIRECT = 4_000
"""Up to this many states the factors of the sparse matrix stay small whatever its pattern."""
FAR = 1e6
"""How much likelier than the reference a state may be before it takes its place."""
ROUNDS = 400
RESIDUAL = 1e-11


def steady_state(
    source: Ints, target: Ints, rate: Floats, size: int, *, groupings: Sequence[Ints] = ()
) -> Floats:  # fmt: skip
    """Return the steady state p of the chain with these transitions: p·Q = 0, Σp = 1.

    Chains of up to 4000 states, and those without groupings, are solved directly. The others by aggregation and
    disaggregation: for each grouping the small chain of its groups is solved exactly and each group is scaled to
    what came out, then Gauss-Seidel sweeps smooth what the groups do not see.

    Parameters
    ----------
    source, target, rate : one entry a transition, rates 1/s; several between the same states add up.
    size : number of states; one class of them is recurrent.
    groupings : for each, the group of every state, numbered from 0; slow changes must show in some grouping.

    Raises ModelError where no solution is found.

    Source: Koury, McAllister and Stewart, Iterative methods for computing stationary distributions of nearly
    completely decomposable Markov chains, SIAM J. Alg. Disc. Meth. 5 (1984), 164-186.

    >>> steady_state(np.array([0, 1]), np.array([1, 0]), np.array([1.0, 3.0]), 2)
    array([0.75, 0.25])
    """
    if size == 1:
        return np.ones(1)
    inner = source != target
    source, target, rate = source[inner], target[inner], rate[inner]
    rate = rate / max(float(rate.max(initial=0.0)), 1e-300)
    if size <= DIRECT or not groupings:
        p = _direct(source, target, rate, size)
    else:
        p = _aggregated(source, target, rate, size, groupings)
    if not np.isfinite(p).all() or p.sum() <= 0:
        raise ModelError("the chain has no single steady state: rates are too far apart, or parts cannot be left")
    p = np.maximum(p, 0.0)
    shares: Floats = p / p.sum()
    return shares


def _direct(source: Ints, target: Ints, rate: Floats, size: int) -> Floats:
    """Solve with p = 1 at a likely state: what is left of the generator is an M-matrix, so tails keep their digits."""
    if size <= DENSE:
        return _eliminated(source, target, rate, size)
    generator = _generator(source, target, rate, size).tocsc()
    p = np.ones(size)
    reference = int(np.bincount(target, rate, size).argmax())
    for _ in range(6):
        p = _relative(generator, reference, size)
        likely = int(np.argmax(np.where(np.isfinite(p), np.abs(p), np.inf)))
        if likely == reference or abs(p[likely]) < FAR:
            break
        reference = likely  # all is relative to the reference, so it must not be a rare state
    return p


def _relative(generator: Any, reference: int, size: int) -> Floats:
    from scipy.sparse import linalg

    kept = np.flatnonzero(np.arange(size) != reference)
    right = -generator[:, [reference]].toarray().ravel()[kept]
    p = np.ones(size)
    # pivots from the diagonal only: an M-matrix needs no others, and then nothing positive is ever subtracted from
    # something positive but on the diagonal itself
    try:
        factors = linalg.splu(
            generator[kept][:, kept].tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        p[kept] = factors.solve(right)
    except RuntimeError:  # the factor is exactly singular
        return np.full(size, np.nan)
    return p


def _eliminated(source: Ints, target: Ints, rate: Floats, size: int) -> Floats:
    """Eliminate state by state without a subtraction, so that the rarest state is right to its last digits.

    Source: Grassmann, Taksar and Heyman, Regenerative analysis and steady state distributions for Markov chains,
    Operations Research 33 (1985), 1107-1116.
    """
    flow: Any = np.bincount(source * size + target, rate, size * size).reshape(size, size)
    for last in range(size - 1, 0, -1):
        out = flow[last, :last].sum()
        if out <= 0:
            return np.full(size, np.nan)
        flow[:last, last] /= out
        flow[:last, :last] += np.outer(flow[:last, last], flow[last, :last])
    p = np.ones(size)
    for state in range(1, size):
        p[state] = p[:state] @ flow[:state, state]
    return p


def _generator(source: Ints, target: Ints, rate: Floats, size: int) -> Any:
    """Return the transposed generator as a sparse matrix: column s holds what leaves state s."""
    from scipy import sparse

    moves = sparse.coo_matrix((rate, (target, source)), shape=(size, size)).tocsr()
    return (moves - sparse.diags(np.bincount(source, rate, size))).tocsr()


def _aggregated(source: Ints, target: Ints, rate: Floats, size: int, groupings: Sequence[Ints]) -> Floats:
    from scipy import sparse
    from scipy.sparse import linalg

    generator = _generator(source, target, rate, size)
    lower, upper = sparse.tril(generator, format="csc"), sparse.triu(generator, format="csc")
    # a triangle has no fill when its own order is kept, so its "factors" are a fast triangular solver
    options = {"SymmetricMode": True}
    forward = linalg.splu(lower, permc_spec="NATURAL", diag_pivot_thresh=0.0, options=options)
    backward = linalg.splu(upper, permc_spec="NATURAL", diag_pivot_thresh=0.0, options=options)
    above, below = generator - lower, generator - upper
    leaving = np.bincount(source, rate, size)
    p: Any = np.full(size, 1 / size)
    best, since = np.inf, 0
    for number in range(ROUNDS):
        for groups in groupings if number % 2 == 0 else reversed(groupings):
            p = _regrouped(source, target, rate, p, groups)
            for _ in range(2):
                p = backward.solve(-(below @ forward.solve(-(above @ p))))
                p = np.abs(p) / np.abs(p).sum()
        residual = float(np.abs(generator @ p).sum() / (leaving @ p))
        best, since = (residual, 0) if residual < 0.9 * best else (best, since + 1)
        if residual < RESIDUAL or since > 30:
            break
    # what rounding leaves is far below any digit shown; anything above that is no solution
    return np.asarray(p) if best < 1e-8 else np.full(size, np.nan)


def _regrouped(source: Ints, target: Ints, rate: Floats, p: Floats, groups: Ints) -> Floats:
    """Solve the chain of the groups, with the rates that p gives it, and scale p to it."""
    count = int(groups.max()) + 1
    mass = np.bincount(groups, p, count)
    crossing = groups[source] != groups[target]
    out, into = groups[source[crossing]], groups[target[crossing]]
    flow = rate[crossing] * p[source[crossing]] / np.maximum(mass[out], 1e-300)
    solved = np.maximum(_direct(out, into, flow, count), 0.0)
    if not np.isfinite(solved).all() or solved.sum() <= 0:
        return p
    scale = solved / solved.sum() / np.maximum(mass, 1e-300)
    scaled: Floats = p * scale[groups]
    return np.asarray(scaled / scaled.sum())


def grouped(columns: Ints, chosen: Sequence[int]) -> Ints:
    """Return the group of every state when only the chosen columns are looked at.

    >>> grouped(np.array([[0, 5], [1, 5], [0, 6]]), [0])
    array([0, 1, 0])
    """
    keys = np.zeros(len(columns), dtype=np.int64)
    for column in chosen:
        keys = keys * (int(columns[:, column].max()) + 1) + columns[:, column]
    groups: Ints = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    return groups

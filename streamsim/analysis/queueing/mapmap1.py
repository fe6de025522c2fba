"""MAP/MAP/1 and PH/PH/1: one server whose arrivals and services have hidden phases, solved exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.map_process import MarkovProcess, renewal
from streamsim.analysis.queueing.phase_type import PhaseType, fit_two_moments
from streamsim.analysis.queueing.response_law import MatrixLaw
from streamsim.analysis.queueing.result import Load, Queue, saturated, steady
from streamsim.errors import ModelError

if TYPE_CHECKING:
    from streamsim.analysis.queueing.phase_type import Matrix
    from streamsim.analysis.queueing.qbd import Levels

MOST_PHASES: Final = 400
"""Of arrivals times services: the matrices have the square of that."""
LAW_SIZE: Final = 150
"""The response law is given where its matrix is no larger; its exponential takes milliseconds then."""


def map_map_1(arrivals: MarkovProcess, services: MarkovProcess) -> Queue:
    """Solve the MAP/MAP/1 queue exactly: both flows may be correlated and bursty.

    The number at the station is the level of a quasi-birth-death chain with the phases of both. The services' phase
    stands still while there is nothing to serve.

    Parameters
    ----------
    arrivals, services : `silent` and `eventful` rates (1/s) between the phases, without and with an arrival or the end
        of a service; each row of both together adds up to 0. At most 400 phases when multiplied.

    Raises ModelError beyond that. A load of ρ ≥ 1 is answered with `saturated`.

    Source: Neuts, Matrix-Geometric Solutions in Stochastic Models (1981), chapters 3 and 5; the response law follows
    Ozawa, Sojourn time distributions in the queue defined by a general QBD process, Queueing Systems 53 (2006),
    203-211.

    >>> from streamsim.analysis.queueing.map_process import mmpp, poisson
    >>> round(map_map_1(mmpp([1.6, 0.2], [[0, 0.1], [0.1, 0]]), poisson(1.0)).in_system, 5)
    30.92267
    """
    return _solve("MAP/MAP/1", arrivals, services, Load(arrivals.rate, 1 / services.rate))


def ph_ph_1(arrival_rate: float, service_time: float, arrival_scv: float, service_scv: float) -> Queue:
    """Solve the PH/PH/1 queue exactly, for gaps and services of the phase-type laws that `fit_two_moments` gives.

    Balanced hyperexponentials above scv 1, sums of like exponential phases below. The answer is exact for these laws;
    other laws with the same scv have other waits.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    arrival_scv, service_scv : variance / mean² of gaps and service times, at least 1/200, and together at most 400
        phases.

    Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with `saturated`.

    Source: Neuts (1981), chapter 3.

    >>> round(ph_ph_1(0.8, 1.0, arrival_scv=0.5, service_scv=0.5).wait, 8)
    1.86526805
    """
    load = Load(arrival_rate, service_time)
    checks.non_negative("arrival_scv", arrival_scv)
    checks.non_negative("service_scv", service_scv)
    services = fit_two_moments(service_time, service_scv)
    if load.saturated:
        return saturated("PH/PH/1", load, exact=True)
    if load.ratio < 1e-12:  # gaps too long to compute with; the wait is below any digit
        return steady("PH/PH/1", load, 0.0, exact=True, probability_of_waiting=0.0)
    gaps = fit_two_moments(1 / arrival_rate, arrival_scv)
    return _solve("PH/PH/1", renewal(gaps), renewal(services), load)


def ph_ph_1_of(gaps: PhaseType, services: PhaseType) -> Queue:
    """Solve the PH/PH/1 queue exactly for given laws of gaps and services.

    >>> from streamsim.analysis.queueing.phase_type import exponential
    >>> round(ph_ph_1_of(exponential(2.0), exponential(1.0)).wait, 9)
    1.0
    """
    return _solve("PH/PH/1", renewal(gaps), renewal(services), Load(1 / gaps.mean, services.mean))


def _solve(method: str, arrivals: MarkovProcess, services: MarkovProcess, load: Load) -> Queue:
    if arrivals.phases * services.phases > MOST_PHASES:
        raise ModelError(
            f"{method}: {arrivals.phases}·{services.phases} phases where at most {MOST_PHASES} are solved; "
            "the scv are too far below 1"
        )
    if load.saturated:
        return saturated(method, load, exact=True)
    import numpy as np

    from streamsim.analysis.queueing.qbd import solve_levels

    # in units of the service time, so that no rate is far from 1
    arriving = [rates * load.service_time for rates in arrivals.arrays()]
    serving = [rates * load.service_time for rates in services.arrays()]
    still, calm = np.eye(services.phases), np.eye(arrivals.phases)
    up, down = np.kron(arriving[1], still), np.kron(calm, serving[1])
    levels = solve_levels(
        up,
        np.kron(arriving[0], still) + np.kron(calm, serving[0]),
        down,
        empty_up=up,
        empty_local=np.kron(arriving[0], still),
        empty_down=down,
    )
    leaving = np.kron(arriving[1].sum(axis=1), np.ones(services.phases))
    rate = load.ratio
    waiting = float(levels.phase_shares() @ leaving) / rate
    in_queue = levels.mean_level - float(levels.phase_shares().sum())
    wait = max(0.0, in_queue) / rate * load.service_time
    law = _response_law(levels, up, serving, load, wait + load.service_time)
    return steady(method, load, wait, exact=True, probability_of_waiting=min(1.0, waiting), response_law=law)


def _response_law(levels: Levels, up: Matrix, serving: list[Matrix], load: Load, mean: float) -> MatrixLaw | None:
    """Return the law of the response time, or None where its matrix would be too large.

    z_k(t), a vector over service phases, is the chance that k services take longer than t: z_k' = D₀z_k + D₁z_{k−1}.
    An arrival that finds n has n+1 before it is done, so what is wanted is Σ (weight of n)·z_{n+1}. With the weights
    π₁Rⁿ⁻¹ the sums v_j = Σ_n (π₁Rⁿ⁻¹)_j z_{n+1} close: v_j' = D₀v_j + Σ_l R_lj D₁v_l + (π₁)_j D₁z₁.
    """
    import numpy as np

    count, phases = len(levels.rates), len(serving[0])
    size = phases * (count + 1)
    if size > LAW_SIZE:
        return None
    matrix = np.zeros((size, size))  # the vector is (z₁, v₀, v₁, …)
    matrix[:phases, :phases] = serving[0]
    matrix[phases:, :phases] = np.kron(levels.first[:, None], serving[1])
    matrix[phases:, phases:] = np.kron(np.eye(count), serving[0]) + np.kron(levels.rates.T, serving[1])
    right = np.concatenate([np.ones(phases), np.repeat(levels.phase_shares(), phases)])
    # the arrival moves the arrival phase on and leaves the service phase; only the latter matters afterwards
    jump = up.reshape(count, -1, phases).sum(axis=1) / load.ratio
    left = np.concatenate([levels.empty @ jump, jump.ravel()])
    return MatrixLaw(
        left=tuple(left.tolist()),
        matrix=tuple(tuple(row) for row in (matrix / load.service_time).tolist()),
        right=tuple(right.tolist()),
        mean=mean,
    )


MODELS: Final = {"PH/PH/1": ph_ph_1}

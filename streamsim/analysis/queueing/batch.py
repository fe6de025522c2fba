"""Batches: records that arrive several at a time, at the instants of a Poisson process, for one server."""

from __future__ import annotations

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.result import Load, Queue, saturated, steady
from streamsim.errors import ModelError


def batch_mg1(batch_rate: float, mean_batch: float, batch_scv: float, service_time: float, service_scv: float) -> Queue:
    """Solve the M^X/G/1 queue exactly: batches of random size, each record served alone.

    With X the batch and ρ = λE[X]s, a record waits for the batches before its own as in M/G/1, and for the records
    of its own batch that go first:
        wait = λ(E[X]c²s² + E[X²]s²) / (2(1−ρ)) + s(E[X²]/E[X] − 1)/2.

    Parameters
    ----------
    batch_rate : λ, batches/s, at least 0.
    mean_batch : E[X], records, at least 1.
    batch_scv : variance / mean² of X, at least 0 (0: all alike; 1 − 1/E[X]: geometric).
    service_time : s, mean of one record, s, above 0.
    service_scv : c², at least 0.

    Returns the Queue of records. Raises ModelError for numbers outside these ranges. ρ ≥ 1 is answered with
    `saturated`.

    Source: Chaudhry and Templeton, A First Course in Bulk Queues (1983), section 3.2; Kleinrock (1975), section 4.5.

    >>> round(batch_mg1(0.4, 2.0, 0.0, 1.0, 1.0).wait, 9)
    6.5
    """
    load, excess = _batches(batch_rate, mean_batch, batch_scv, service_time)
    checks.non_negative("service_scv", service_scv)
    if load.saturated:
        return saturated("M^X/G/1", load, exact=True)
    before = load.ratio * service_time * (service_scv + excess + 1) / (2 * (1 - load.ratio))
    return steady("M^X/G/1", load, before + service_time * excess / 2, exact=True)


def batch_mm1(batch_rate: float, mean_batch: float, batch_scv: float, service_time: float) -> Queue:
    """Solve the M^X/M/1 queue exactly: `batch_mg1` with exponential service.

    in_system = ρ(1 + E[X²]/E[X]) / (2(1−ρ)).

    Source: Kleinrock, Queueing Systems I (1975), section 4.5.

    >>> round(batch_mm1(0.8, 1.0, 0.0, 1.0).wait, 9)
    4.0
    """
    load, excess = _batches(batch_rate, mean_batch, batch_scv, service_time)
    if load.saturated:
        return saturated("M^X/M/1", load, exact=True)
    before = load.ratio * service_time * (2 + excess) / (2 * (1 - load.ratio))
    return steady("M^X/M/1", load, before + service_time * excess / 2, exact=True)


def _batches(batch_rate: float, mean_batch: float, batch_scv: float, service_time: float) -> tuple[Load, float]:
    """Return the load in records, and E[X²]/E[X] − 1: how many records of a batch a record sees besides itself."""
    checks.non_negative("batch_rate", batch_rate)
    checks.non_negative("batch_scv", batch_scv)
    if checks.positive("mean_batch", mean_batch) < 1:
        raise ModelError(f"mean_batch: {mean_batch!r} stands where at least 1 belongs: a batch has a record")
    return Load(batch_rate * mean_batch, service_time), mean_batch * (1 + batch_scv) - 1

"""What serving whole chunks adds to response times, against such a queue followed record by record."""

from __future__ import annotations

import numpy as np
import pytest

from streamsim.analysis.queueing.mg1 import mg1
from streamsim.analysis.released import released
from streamsim.service import StationProfile


def responses(rate: float, service: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Serve all that has come, let all of it go at once, and so on."""
    came = np.cumsum(rng.exponential(1 / rate, len(service)))
    found = np.empty(len(service))
    now, first = 0.0, 0
    while first < len(service):
        now = max(now, came[first])
        end = int(np.searchsorted(came, now, side="right"))
        now += float(service[first:end].sum())
        found[first:end] = now - came[first:end]
        first = end
    return found


@pytest.mark.parametrize(("shape", "load"), [(1.0, 0.3), (1.0, 0.7), (2.0, 0.7), (0.5, 0.8)])
def test_poisson_arrivals_are_answered_exactly(shape: float, load: float) -> None:
    rng = np.random.default_rng([7, int(10 * load), int(10 * shape)])
    found = responses(load, rng.gamma(shape, 1 / shape, 600_000), rng).reshape(30, -1).mean(axis=1)
    queue = mg1(load, 1.0, 1 / shape)
    assert queue.wait is not None
    late = released(
        StationProfile(), wait_s=queue.wait, service_s=1.0, scv=1 / shape, utilisation=load, came_together=1.0
    ).late_s
    margin = 3.66 * found.std(ddof=1) / np.sqrt(30)  # 99.9 % of a t with 29 degrees of freedom
    assert abs(found.mean() - (1.0 + queue.wait + late)) < margin


def test_no_chunk_is_larger_than_a_read() -> None:
    small = StationProfile(read_bytes=640.0, record_bytes=64.0)
    found = released(small, wait_s=1.0, service_s=1.0, scv=1.0, utilisation=0.99, came_together=1000.0)
    assert found.together == 10
    assert found.late_s < 10

"""What serving whole chunks adds to response times, against such a queue followed record by record."""

from __future__ import annotations

import numpy as np
import pytest

from streamsim.analysis.prediction.released import Along, chunks, released, variance_along
from streamsim.analysis.prediction.response import gamma_quantiles
from streamsim.analysis.queueing.mg1 import mg1
from streamsim.service import StationProfile


def responses(rate: float, service: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Serve Poisson arrivals chunk by chunk."""
    return one_server(np.cumsum(rng.exponential(1 / rate, len(service))), service)


def one_server(came: np.ndarray, service: np.ndarray) -> np.ndarray:
    """Serve all that has come, let all of it go at once, and so on; return the time of each record there."""
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


@pytest.mark.parametrize(("shape", "load"), [(1.0, 0.5), (2.0, 0.7)])
def test_the_variance_of_a_response_is_exact_for_poisson_arrivals(shape: float, load: float) -> None:
    rng = np.random.default_rng([8, int(10 * load), int(10 * shape)])
    found = (responses(load, rng.gamma(shape, 1 / shape, 900_000), rng) ** 2).reshape(30, -1).mean(axis=1)
    answer = chunks(load, 1.0, 1 / shape)
    margin = 3.66 * found.std(ddof=1) / np.sqrt(30)
    assert abs(found.mean() - (answer.variance + answer.mean**2)) < margin


@pytest.mark.parametrize(("second", "load"), [(1.0, 0.5), (1.0, 0.7), (0.5, 0.7)])
def test_records_that_leave_together_lengthen_the_tail_of_two_stations(second: float, load: float) -> None:
    # docs/approximations.md: within 10 % on lines of up to three stations; as if independent it is 25 % too low
    rng = np.random.default_rng([9, int(10 * second), int(10 * load)])
    gaps = rng.exponential(1 / load, 300_000)
    came = np.cumsum(gaps)
    between = came + one_server(came, rng.exponential(1.0, len(came)))
    whole = between + one_server(between, rng.exponential(second, len(came))) - came
    first, mean, path, above = chunks(load, 1.0, 1.0), 0.0, [], None
    for service in (1.0, second):
        queue = mg1(load, service, 1.0)
        assert queue.wait is not None
        release = released(
            StationProfile(),
            wait_s=queue.wait,
            service_s=service,
            scv=1.0,
            utilisation=load * service,
            came_together=first.together if above else 1.0,
            came_variance=first.together_variance if above else 0.0,
        )
        mean += service + queue.wait + release.late_s
        path.append(Along(release, service, load * service))
        above = release
    (late,) = gamma_quantiles(mean, variance_along(path), [0.99])
    assert late == pytest.approx(np.quantile(whole[30_000:], 0.99), rel=0.1)


def test_no_chunk_is_larger_than_a_read() -> None:
    small = StationProfile(read_bytes=640.0, record_bytes=64.0)
    found = released(small, wait_s=1.0, service_s=1.0, scv=1.0, utilisation=0.99, came_together=1000.0)
    assert found.together == 10
    assert found.late_s < 10

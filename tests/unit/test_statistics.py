"""Streaming estimates agree with what keeping everything would give, and intervals with their textbook."""

from __future__ import annotations

import math
import os

import numpy as np
import pytest

from streamsim.families import distribution_of
from streamsim.models.records.laws import Gaps, Law
from streamsim.models.records.steady import answer
from streamsim.models.records.table import Pipe, Source, Station, Table
from streamsim.models.statistics.precision import how_many, widest
from streamsim.models.statistics.replications import replicate
from streamsim.models.statistics.streaming import BATCHES, BatchMeans, LogHistogram, Mean, around, mean_of
from streamsim.models.table import Pace
from streamsim.result import Estimate, estimate

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("cuts", [[1000], [1, 999], [0, 400, 1, 599]])
def test_a_mean_does_not_depend_on_how_the_stream_is_cut(cuts: list[int]) -> None:
    values = np.random.default_rng(1).lognormal(3.0, 1.5, size=1000)
    found, place = Mean(), 0
    for cut in cuts:
        found.add(values[place : place + cut])
        place += cut
    assert found.count == 1000
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000, 12_345])
def test_batches_are_means_of_neighbours_and_stay_few(count: int) -> None:
    values = np.random.default_rng(2).normal(size=count)
    whole, pieces = BatchMeans(), BatchMeans()
    whole.add(values)
    for place in range(0, count, 7):
        pieces.add(values[place : place + 7])
    for batches in (whole, pieces):
        size, means = batches.size, batches.means()
        assert len(means) < 2 * BATCHES
        expected = values[: len(means) * size].reshape(len(means), size).mean(axis=1)
        np.testing.assert_allclose(means, expected, atol=1e-12)
        assert count - len(means) * size < size


def test_the_interval_of_batches_of_a_correlated_series_covers_its_mean() -> None:
    # x' = 0.9 x + e has an asymptotic variance of 1/(1 − 0.9)²: an interval that forgets it is 4 times too narrow.
    rng, covered = np.random.default_rng(3), 0
    for _ in range(200):
        noise, value, series = rng.normal(size=20_000), 0.0, []
        for step in noise.tolist():
            value = 0.9 * value + step
            series.append(value)
        batches = BatchMeans()
        batches.add(np.array(series))
        found = batches.estimate("")
        assert found.low is not None and found.high is not None
        covered += found.low <= 0.0 <= found.high
        assert abs(batches.correlation()) < 0.6
    assert covered >= 181  # binomial(200, 0.95) has 99.9 % at or above 181


@pytest.mark.parametrize("level", [0.01, 0.5, 0.95, 0.99])
def test_a_quantile_of_the_histogram_is_off_by_no_more_than_a_bucket(level: float) -> None:
    values = np.random.default_rng(4).lognormal(-7.0, 3.0, size=50_000)
    halves = [LogHistogram(), LogHistogram()]
    halves[0].add(values[:30_000])
    halves[1].add(values[30_000:])
    halves[0].merge(*halves[1].filled())
    assert halves[0].total == 50_000
    assert halves[0].quantile(level) == pytest.approx(np.quantile(values, level), rel=2 * LogHistogram.ERROR)


def test_the_histogram_takes_zeros_and_giants() -> None:
    histogram = LogHistogram()
    histogram.add(np.array([0.0, 1e-300, 1.0, 1e300]))
    assert histogram.total == 4
    assert histogram.quantile(0.25) < 1e-15
    assert math.isnan(LogHistogram().quantile(0.5))


def test_the_interval_of_an_array_is_that_of_a_list() -> None:
    values = RNG.normal(size=12)
    one, other = mean_of(values, "s"), estimate(values.tolist(), "s")
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_sections_that_scatter_about_something_else_widen_the_interval() -> None:
    parts = np.array([1.0, 2.0, 3.0])
    centred, apart = around(2.0, parts, "s"), around(2.5, parts, "s")
    assert centred.low is not None and apart.low is not None
    assert 2.5 - apart.low > 2.0 - centred.low


def test_an_interval_that_is_missing_is_never_narrow_enough() -> None:
    assert widest([Estimate(value=1.0)]) == math.inf
    assert widest([Estimate(value=None)]) == math.inf
    assert how_many(10, math.inf, 0.1, 15) == 15
    assert how_many(15, 1.0, 0.1, 15) == 15


def test_a_precision_that_nothing_reaches_asks_for_the_most_there_may_be() -> None:
    assert how_many(10, 0.5, 1e-300, 1000) == 20
    assert how_many(600, 0.5, 1e-300, 1000) == 1000


def spawn_key(seed: np.random.SeedSequence) -> int:
    return int(seed.spawn_key[-1])


def slow_pair(seed: np.random.SeedSequence) -> tuple[int, int]:
    total = 0
    for number in range(3_000_000):
        total += number
    return int(seed.spawn_key[-1]), os.getpid()


def test_replications_come_in_the_order_of_their_seeds_stage_after_stage() -> None:
    asked = []

    def wanted(found: object) -> int:
        asked.append(len(found))  # type: ignore[arg-type]
        return {0: 3, 3: 5}.get(len(found), 5)  # type: ignore[arg-type]

    assert replicate(spawn_key, np.random.SeedSequence(1), wanted) == [0, 1, 2, 3, 4]
    assert asked == [0, 3, 5]


def test_the_seeds_are_the_children_that_spawning_gives() -> None:
    children = np.random.SeedSequence(9).spawn(3)
    found = replicate(lambda seed: seed.generate_state(2).tolist(), np.random.SeedSequence(9), lambda found: 3)
    assert found == [child.generate_state(2).tolist() for child in children]


def test_processes_give_the_same_results_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamsim.models.statistics.replications.WORTH_S", 0.0)
    found = replicate(slow_pair, np.random.SeedSequence(1), lambda found: 6 if len(found) < 6 else 8, workers=2)
    assert [number for number, _ in found] == list(range(8))
    assert len({process for _, process in found}) == 3  # this one for the first, two workers for the others


def test_one_replication_alone_has_an_interval_by_batch_means() -> None:
    slow = Station(name="s", service=Law(distribution_of("exponential", 1.0)))
    load = Source(arrivals="gaps", stream=Gaps(Pace(arrivals="poisson", rate=0.5)))
    table = Table(
        stations=(Station(name="source", base_s=0.0, source=load), slow), pipes=(Pipe(upstream=0, downstream=1),)
    )
    held = 0
    for seed in range(40):
        found = answer(table, precision=0.1, seed=seed, at_most=1)
        mean = found.response_mean()
        assert len(found.samples) == 1
        assert mean.low is not None
        assert mean.high is not None
        held += mean.low < 2.0 < mean.high
    assert held >= 34  # of 40 that hold with 0.95, fewer do with probability 0.003

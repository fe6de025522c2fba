"""Whether the records of a chunk scatter together or each by itself, told from chunks of several sizes."""

from __future__ import annotations

import numpy as np
import pytest

from streamsim.analysis.fitting.distributions import fit_distribution
from streamsim.analysis.fitting.scatter import scatter_of
from streamsim.models.random import chunk_factors
from streamsim.service import Distribution, ServiceModel


def test_records_of_their_own_are_fitted_by_the_chunks_of_one() -> None:
    rng = np.random.default_rng(1)
    records = rng.geometric(0.4, 6000)
    found = scatter_of(rng.gamma(2.0 * records) / (2.0 * records), records)
    assert found.of == "by-record"
    assert found.distribution.scv == pytest.approx(0.5, rel=0.1)


def test_without_chunks_of_one_the_scatter_of_a_record_follows_from_that_of_chunks() -> None:
    rng = np.random.default_rng(2)
    records = rng.integers(2, 15, 6000)
    found = scatter_of(rng.gamma(records) / records, records)
    assert (found.of, found.distribution.family) == ("by-record", "gamma")
    assert found.distribution.scv == pytest.approx(1.0, rel=0.1)


@pytest.mark.parametrize("records", [np.full(3000, 40), np.zeros(3000), np.full(3000, 3)])
def test_chunks_of_one_size_or_of_nobody_knows_how_many_scatter_as_they_are(records: np.ndarray) -> None:
    factors = np.random.default_rng(3).gamma(4.0, size=3000)
    assert scatter_of(factors, records).of == "by-chunk"


@pytest.mark.parametrize("records", [1.0, 7.0, 500.0])
def test_a_chunk_has_the_mean_of_its_records_factors(records: float) -> None:
    law = ServiceModel(distribution=Distribution(family="exponential", scv=1.0), scatters="by-record")
    draw = chunk_factors(law, np.random.default_rng(4))
    assert draw is not None
    drawn = np.array([draw(records) for _ in range(4000)])
    assert drawn.mean() == pytest.approx(1.0, abs=4 / np.sqrt(4000 * records))
    assert drawn.var() == pytest.approx(1 / records, rel=0.15)
    assert (drawn >= 0).all()


def test_a_few_huge_demands_do_not_shrink_the_others() -> None:
    data = np.concatenate([np.linspace(0.9, 1.1, 4000), np.full(12, 150.0)])
    found = fit_distribution(data)
    assert found.family == "empirical"
    median = found.quantiles[len(found.quantiles) // 2]
    assert median == pytest.approx(1.0 / data.mean(), rel=0.02)

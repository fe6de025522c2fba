"""Random streams have mean 1, the promised variation, and depend on nothing but seed and name."""

from __future__ import annotations

from itertools import islice, pairwise

import numpy as np
import pytest

from streamsim.errors import ModelError
from streamsim.families import distribution_of
from streamsim.models.random import due_times, factors, stream
from streamsim.models.table import Pace
from streamsim.service import Distribution

COUNT = 40_000
SEED = np.random.SeedSequence(7)


def drawn(distribution: Distribution) -> np.ndarray:
    draw = factors(distribution, stream(SEED, "s", "service"))
    assert draw is not None
    return np.array([draw() for _ in range(COUNT)])


WEIBULL_2 = Distribution(family="weibull", parameters=(2.0, 0.0, 2 / np.sqrt(np.pi)), scv=4 / np.pi - 1)
UNIFORM = Distribution(family="empirical", quantiles=(0.0, 0.5, 1.0, 1.5, 2.0), scv=1 / 3)


@pytest.mark.parametrize(
    "distribution",
    [
        Distribution(family="exponential", scv=1.0),
        distribution_of("gamma", 0.4),
        distribution_of("gamma", 3.0),
        distribution_of("lognormal", 0.5),
        distribution_of("hyperexponential", 4.0),
        WEIBULL_2,
        UNIFORM,
    ],
    ids=lambda distribution: f"{distribution.family} {distribution.scv:.2g}",
)
def test_factors_have_mean_one_and_the_promised_variation(distribution: Distribution) -> None:
    values = drawn(distribution)
    assert values.min() >= 0
    error = np.sqrt(distribution.scv / COUNT)
    assert values.mean() == pytest.approx(1.0, abs=5 * error)
    fourth = float(((values - 1) ** 4).mean())
    error_of_variance = np.sqrt(max(fourth - distribution.scv**2, 0) / COUNT)
    assert values.var() == pytest.approx(distribution.scv, abs=5 * error_of_variance + 1e-3)


def test_what_is_deterministic_draws_nothing() -> None:
    assert factors(Distribution(), stream(SEED, "s", "service")) is None


def test_quantiles_that_overrate_their_tail_are_brought_back_to_mean_one() -> None:
    heavy = Distribution(family="empirical", quantiles=(0.2, 0.6, 1.0, 6.0))
    assert drawn(heavy).mean() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(
    "distribution",
    [
        Distribution(family="cauchy"),
        Distribution(family="gamma", parameters=(1.0,)),
        Distribution(family="empirical", quantiles=(1.0,)),
    ],
)
def test_a_distribution_that_cannot_be_drawn_from_is_refused_by_name(distribution: Distribution) -> None:
    with pytest.raises(ModelError, match=distribution.family):
        factors(distribution, stream(SEED, "s", "service"))


def test_a_stream_depends_on_the_seed_and_its_name_alone() -> None:
    first = stream(SEED, "a", "service").random(4)
    stream(SEED, "b", "service").random(100)
    assert (stream(SEED, "a", "service").random(4) == first).all()
    others = [
        stream(SEED, "b", "service"),
        stream(SEED, "a", "arrivals"),
        stream(np.random.SeedSequence(8), "a", "service"),
        stream(SEED.spawn(1)[0], "a", "service"),
    ]
    for other in others:
        assert (other.random(4) != first).any()


@pytest.mark.parametrize(("arrivals", "scv"), [("poisson", 1.0), ("bursty", 4.0)])
def test_gaps_have_the_rate_and_the_variation(arrivals: str, scv: float) -> None:
    pace = Pace(arrivals=arrivals, rate=50.0, scv=scv)  # type: ignore[arg-type]
    times = list(islice(due_times(pace, stream(SEED, "s", "arrivals")), COUNT))
    gaps = np.array([later - earlier for earlier, later in pairwise(times)])
    assert times[0] == 0.0
    assert gaps.min() >= 0
    assert gaps.mean() == pytest.approx(1 / 50, rel=5 * np.sqrt(scv / COUNT))
    # The fourth moment bounds the error of a variance: 5 of its standard errors.
    error = np.sqrt(((gaps * 50 - 1) ** 4).mean() / COUNT)
    assert (gaps * 50).var() == pytest.approx(scv, abs=5 * error)


def test_even_arrivals_do_not_drift() -> None:
    pace = Pace(arrivals="even", rate=3.0)
    assert next(islice(due_times(pace, np.random.default_rng(1)), 999_999, None)) == 999_999 / 3.0


def test_arrivals_end_with_the_duration() -> None:
    pace = Pace(arrivals="even", rate=4.0, duration_s=1.0)
    assert list(due_times(pace, np.random.default_rng(1))) == [0.0, 0.25, 0.5, 0.75]


def test_unknown_arrivals_are_refused() -> None:
    with pytest.raises(ModelError, match="None"):
        next(due_times(Pace(), np.random.default_rng(1)))

"""Every family draws with the moments that its parameters say, however the drawing is cut."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from streamsim.errors import ModelError
from streamsim.families import (
    bootstrap,
    distribution_of,
    empirical,
    erlang,
    lognormal,
    moments,
    two_phases,
    weibull,
)
from streamsim.markov import markovian, phase_type
from streamsim.models.table import Pace
from streamsim.models.variates import drawing, gaps
from streamsim.service import Distribution

COUNT, BATCHES = 200_000, 50
SAMPLE = np.random.default_rng(3).gamma(2.0, size=500).cumsum() % 5 + 0.1

LAWS = {
    "exponential": Distribution(family="exponential", scv=1.0),
    "erlang by scv": distribution_of("erlang", 0.25),
    "erlang by phases": erlang(3),
    "gamma below 1": distribution_of("gamma", 0.4),
    "gamma above 1": distribution_of("gamma", 3.0),
    "lognormal by scv": distribution_of("lognormal", 0.5),
    "lognormal by sigma": lognormal(0.4),
    "weibull by scv": distribution_of("weibull", 2.0),
    "weibull by shape": weibull(2.0),
    "hyperexponential by scv": distribution_of("hyperexponential", 4.0),
    "hyperexponential by rates": two_phases(0.3, [5.0, 0.5])[0],
    "phase-type below 1": distribution_of("phase-type", 0.4),
    "phase-type above 1": distribution_of("phase-type", 2.5),
    "phase-type by rates": phase_type([0.8702, 0.1298], [[-0.15576, 0.15576], [0, -0.22659]])[0],
    "empirical": empirical(SAMPLE.tolist())[0],
    "map by scv and correlation": distribution_of("map", 4.0, 0.25),
    "map by rates": markovian([[-1.7, 0.1], [0.1, -0.3]], [[1.6, 0.0], [0.0, 0.2]])[0],
    "bootstrap": bootstrap(SAMPLE.tolist(), 20.0)[0],
}


def within_its_interval(values: np.ndarray, expected: float) -> bool:
    """Whether the mean lies within the sample's own interval: batch means, since neighbours may be correlated."""
    means = values[: len(values) // BATCHES * BATCHES].reshape(BATCHES, -1).mean(axis=1)
    # 18 laws with 3 moments each: at 99.99 % all hold in 99.5 % of all seeds.
    half = stats.t.ppf(1 - 0.5e-4, BATCHES - 1) * means.std(ddof=1) / math.sqrt(BATCHES)
    return abs(means.mean() - expected) <= half + 1e-12


@pytest.mark.parametrize("name", LAWS)
def test_mean_variation_and_correlation_are_the_promised_ones(name: str) -> None:
    law = LAWS[name]
    draw = drawing(law, np.random.default_rng(11))
    assert draw is not None
    values, truth = draw(COUNT), moments(law)
    assert values.min() >= 0
    assert truth.mean == pytest.approx(1.0)
    assert truth.scv == pytest.approx(law.scv)
    assert within_its_interval(values, 1.0)
    assert within_its_interval((values - 1) ** 2, truth.scv)
    assert within_its_interval((values[1:] - 1) * (values[:-1] - 1), truth.correlation * truth.scv)


@pytest.mark.parametrize("name", LAWS)
def test_how_a_drawing_is_cut_changes_nothing(name: str) -> None:
    whole = drawing(LAWS[name], np.random.default_rng(5))
    pieces = drawing(LAWS[name], np.random.default_rng(5))
    assert whole is not None and pieces is not None
    cut = np.concatenate([pieces(count) for count in (1, 7, 0, 512, 4097, 383)])
    np.testing.assert_array_equal(cut, whole(5000))


def test_the_gaps_of_a_load_that_changes_its_rate_have_the_moments_of_its_process() -> None:
    # The MMPP of the known answer "mmpp2_m_1": rates 1.6 and 0.2, leaving each at 0.1 a second; mean rate 0.9.
    pace = Pace(arrivals="mmpp", rate=0.9, states=((1.6, 10.0), (0.2, 10.0)))
    law, mean = markovian([[-1.7, 0.1], [0.1, -0.3]], [[1.6, 0.0], [0.0, 0.2]])
    values, truth = gaps(pace, np.random.default_rng(2))(COUNT) / mean, moments(law)
    assert mean == pytest.approx(1 / 0.9)
    assert within_its_interval(values, 1.0)
    assert within_its_interval((values[1:] - 1) * (values[:-1] - 1), truth.correlation * truth.scv)


@pytest.mark.parametrize("arrivals", ["poisson", "bursty", "mmpp"])
def test_how_gaps_are_cut_changes_nothing(arrivals: str) -> None:
    pace = Pace(arrivals=arrivals, rate=2.0, scv=4.0, states=((3.0, 1.0), (1.0, 1.0)))  # type: ignore[arg-type]
    one, other = gaps(pace, np.random.default_rng(5)), gaps(pace, np.random.default_rng(5))
    np.testing.assert_array_equal(np.concatenate([one(3), one(600), one(9)]), other(612))


def test_gaps_that_are_not_random_are_refused() -> None:
    with pytest.raises(ModelError, match="even"):
        gaps(Pace(arrivals="even", rate=1.0), np.random.default_rng(1))


def test_a_phase_type_with_published_moments_has_them() -> None:
    # BuTools, PH2From3Moments of [10, 160, 3500]: mean 10, E X² = 160, so scv = 160/100 − 1.
    law, mean = phase_type([0.8702, 0.1298], [[-0.15576, 0.15576], [0, -0.22659]])
    assert mean == pytest.approx(10, rel=2e-3)
    assert law.scv == pytest.approx(0.6, abs=5e-3)


def test_a_replayed_trace_keeps_its_order_inside_blocks() -> None:
    law = bootstrap(list(range(1, 101)), 1e9)[0]
    draw = drawing(law, np.random.default_rng(1))
    assert draw is not None
    steps = np.diff(draw(300) * 50.5)
    assert np.isclose(steps, 1).sum() >= 296  # only where the trace begins again is there another step

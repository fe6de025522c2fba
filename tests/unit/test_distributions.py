"""Fitting the scatter of a demand: the family that made the data is found again."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

from streamsim.analysis.fitting.distributions import density, fit_distribution
from streamsim.families import distribution_of


@pytest.mark.parametrize(
    ("family", "draw"),
    [
        ("exponential", lambda rng: rng.exponential(size=4000)),
        ("gamma", lambda rng: rng.gamma(4.0, size=4000)),
        ("lognormal", lambda rng: rng.lognormal(sigma=0.8, size=4000)),
        ("weibull", lambda rng: rng.weibull(3.0, size=4000)),
    ],
)
def test_the_family_that_made_the_data_is_found(family, draw) -> None:  # type: ignore[no-untyped-def]
    found = fit_distribution(draw(np.random.default_rng(7)) * 3e-4)
    assert found.family == family
    # 1.63/sqrt(n) is the 1 % point of the Kolmogorov-Smirnov statistic for large n
    assert found.ks is not None and found.ks < 1.63 / np.sqrt(4000)


def test_two_speeds_fit_no_family_and_become_empirical() -> None:
    rng = np.random.default_rng(3)
    found = fit_distribution(np.where(rng.random(3000) < 0.5, 1.0, 9.0) * rng.normal(1, 0.01, 3000))
    assert found.family == "empirical"
    assert np.mean(found.quantiles) == pytest.approx(1.0, rel=0.02)


def test_constant_demand_is_deterministic() -> None:
    assert fit_distribution(np.full(100, 3e-6)).family == "deterministic"


@pytest.mark.parametrize("family", ["exponential", "gamma", "lognormal", "hyperexponential"])
def test_a_declared_distribution_has_mean_one_and_its_scv(family: str) -> None:
    scv = 1.0 if family == "exponential" else 2.5
    law = distribution_of(family, scv)

    def moment(power: int) -> float:
        def weighted(x: float) -> float:
            values = density(law, np.array([x]))
            assert values is not None
            return float(x**power * values[0])

        return float(integrate.quad(weighted, 0, np.inf, limit=400)[0])

    assert moment(0) == pytest.approx(1.0, abs=1e-6)
    assert moment(1) == pytest.approx(1.0, abs=1e-6)
    assert moment(2) - 1 == pytest.approx(scv, rel=1e-4)

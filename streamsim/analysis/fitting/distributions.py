"""Which distribution the scatter of a demand follows: candidates by maximum likelihood, the best by AIC.

AIC = 2k − 2 ln L (Akaike 1974, "A new look at the statistical model identification", IEEE Trans. Automatic Control 19,
eq. 6), with k free parameters; the goodness of fit is the Kolmogorov–Smirnov distance to the data.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from streamsim.service import Distribution

Array = NDArray[np.float64]

ACCEPTED_KS = 0.1
"""A fitted family whose distribution function is nowhere further than this from the data is kept; else empirical."""
NARROW = 1e-4
"""Below this scv (1 % of deviation) a demand is as good as constant."""
QUANTILES = 64
MAX_SAMPLES = 20_000


def fit_distribution(factors: Array) -> Distribution:
    """Return the distribution of positive factors whose mean is (made) 1.

    Parameters
    ----------
    factors : shape (n,), positive; the demand of each chunk over what the model expected. Divided by their mean.

    >>> rng = np.random.default_rng(1)
    >>> fit_distribution(rng.exponential(size=2000)).family
    'exponential'
    >>> fit_distribution(np.ones(50)).family
    'deterministic'
    """
    data = np.asarray(factors, dtype=float)
    data = data[np.isfinite(data) & (data > 0)]
    if data.size < 2:
        return Distribution(samples=int(data.size))
    data = data / data.mean()
    scv = float(data.var(ddof=1))
    if scv < NARROW:
        return Distribution(scv=scv, samples=int(data.size))
    sample = data if data.size <= MAX_SAMPLES else data[:: data.size // MAX_SAMPLES + 1]
    candidates = [_score(family, parameters, sample) for family, parameters in _candidates(sample, scv)]
    best = min(candidates, key=lambda found: found[0])
    aic, ks, family, parameters = best
    if ks > ACCEPTED_KS or data.size < 30:
        levels = _levels(data)
        return Distribution(
            family="empirical",
            quantiles=tuple(float(level) for level in levels),
            scv=scv,
            aic=aic,
            ks=ks,
            samples=int(data.size),
        )
    return Distribution(family=family, parameters=parameters, scv=scv, aic=aic, ks=ks, samples=int(data.size))


def density(distribution: Distribution, at: Array) -> Array | None:
    """Return the density of the factor at these points; None where it has none (deterministic, empirical)."""
    frozen = frozen_distribution(distribution)
    if frozen is not None:
        return np.asarray(frozen.pdf(at), dtype=float)
    if distribution.family == "hyperexponential":
        p, fast, slow = distribution.parameters
        return p * fast * np.exp(-fast * at) + (1 - p) * slow * np.exp(-slow * at)
    return None


def frozen_distribution(distribution: Distribution) -> Any:
    """Return the SciPy distribution of the factor, or None where SciPy has none of that name."""
    kinds = {"gamma": stats.gamma, "lognormal": stats.lognorm, "weibull": stats.weibull_min}
    if distribution.family == "exponential":
        return stats.expon()
    kind = kinds.get(distribution.family)
    return kind(*distribution.parameters) if kind is not None else None


def _candidates(data: Array, scv: float) -> list[tuple[str, tuple[float, ...]]]:
    found: list[tuple[str, tuple[float, ...]]] = [("exponential", ())]
    logs = np.log(data)
    shape, _, scale = stats.gamma.fit(data, floc=0)
    found.append(("gamma", (float(shape), 0.0, float(scale))))
    found.append(("lognormal", (float(logs.std()), 0.0, float(np.exp(logs.mean())))))
    shape, _, scale = stats.weibull_min.fit(data, floc=0)
    found.append(("weibull", (float(shape), 0.0, float(scale))))
    if scv > 1.05:
        p = (1 + math.sqrt((scv - 1) / (scv + 1))) / 2
        found.append(("hyperexponential", (p, 2 * p, 2 * (1 - p))))
    return [(family, _with_mean_one(family, parameters)) for family, parameters in found]


def _with_mean_one(family: str, parameters: tuple[float, ...]) -> tuple[float, ...]:
    """Rescale so that the factor's mean is exactly 1: the demand itself carries the mean."""
    frozen = frozen_distribution(Distribution(family=family, parameters=parameters))
    if frozen is None or not parameters:
        return parameters
    shape, location, scale = parameters
    return (shape, location, scale / float(frozen.mean()))


def _score(family: str, parameters: tuple[float, ...], data: Array) -> tuple[float, float, str, tuple[float, ...]]:
    distribution = Distribution(family=family, parameters=parameters)
    values = density(distribution, data)
    assert values is not None, "every candidate has a density"
    with np.errstate(divide="ignore"):
        likelihood = float(np.log(np.maximum(values, 1e-300)).sum())
    free = {"exponential": 0, "hyperexponential": 1}.get(family, 1)
    ks = _distance(_cumulative(distribution, np.sort(data)))
    return 2 * free - 2 * likelihood, ks, family, parameters


def _distance(cumulative: Array) -> float:
    """Return the Kolmogorov–Smirnov distance, given the distribution function at the sorted data."""
    steps = np.arange(cumulative.size + 1) / cumulative.size
    return float(max((steps[1:] - cumulative).max(), (cumulative - steps[:-1]).max()))


def _cumulative(distribution: Distribution, at: Array) -> Array:
    frozen = frozen_distribution(distribution)
    if frozen is not None:
        return np.asarray(frozen.cdf(at), dtype=float)
    p, fast, slow = distribution.parameters
    return 1 - p * np.exp(-fast * at) - (1 - p) * np.exp(-slow * at)


def _levels(data: Array) -> Array:
    """Return equally spaced quantiles whose straight lines have the mean 1.

    The line from the last but one to the largest would overrate a heavy tail, and bringing the mean back would then
    shrink all others: so the last is where the line has the mean of the data beyond the last but one.
    """
    levels: Array = np.quantile(data, np.linspace(0, 1, QUANTILES + 1))
    beyond = data[data >= levels[-2]]
    levels[-1] = max(levels[-2], 2 * beyond.mean() - levels[-2])
    return levels / float((levels[:-1] + levels[1:]).mean() / 2)

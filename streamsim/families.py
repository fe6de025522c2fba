"""Families of distributions: from a mean and an scv, or from parameters, to a `Distribution`.

A `Distribution` is a factor of mean 1; the mean itself stands in the service model. What is given in seconds (rates, a
file of times) therefore comes back as the factor and its mean apart.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from streamsim.errors import ScenarioError
from streamsim.service import Distribution

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MOST_VALUES = 1_000_000
"""Values of a file of times: more would only make files and memory large."""


class Moments(NamedTuple):
    """The mean of a factor, its squared coefficient of variation, and the correlation of one with the next."""

    mean: float
    scv: float
    correlation: float


def distribution_of(family: str, scv: float, correlation: float = 0.0) -> Distribution:
    """Return the distribution of that family with mean 1, that scv and (``map`` alone) that lag-1 correlation.

    Gamma: shape 1/scv. Erlang: 1/scv phases, which must be a whole number. Lognormal: sigma² = ln(1 + scv). Weibull:
    the shape is solved for. Hyper-exponential: two phases with balanced means (Whitt 1982, "Approximating a point
    process by a renewal process, I", Operations Research 30, eq. 3.6). Phase-type: below 1 a mixture of two Erlangs of
    one rate (Tijms 1986, "Stochastic Modelling and Analysis", app. B), else the hyper-exponential. Map: that
    hyper-exponential, whose next phase is the one before with a chance that gives the correlation; at most
    (1 − 1/scv)/2.

    Raises ScenarioError where the family has no member with that scv and correlation.

    >>> distribution_of("gamma", 0.5).parameters
    (2.0, 0.0, 0.5)
    >>> distribution_of("erlang", 0.25).parameters
    (4.0,)
    """
    if correlation and family != "map":
        raise ScenarioError(f"a {family} service has no correlation; distribution = 'map' has")
    match family:
        case "deterministic" | "exponential":
            return Distribution(family=family, scv=scv)
        case "gamma" | "lognormal" | "weibull" if scv <= 0:
            raise ScenarioError(f"a {family} service needs an scv above 0, not {scv:g}")
        case "gamma":
            return Distribution(family=family, scv=scv, parameters=(1 / scv, 0.0, scv))
        case "lognormal":
            return lognormal(math.sqrt(math.log1p(scv)))
        case "weibull":
            return weibull(_weibull_shape(scv))
        case "erlang":
            return erlang(_phases(scv))
        case "hyperexponential" | "map" if scv < 1:
            name = "hyper-exponential" if family == "hyperexponential" else "correlated (map)"
            raise ScenarioError(f"a {name} service needs an scv of at least 1, not {scv:g}")
        case "hyperexponential":
            p = (1 + math.sqrt((scv - 1) / (scv + 1))) / 2
            return Distribution(family=family, scv=scv, parameters=(p, 2 * p, 2 * (1 - p)))
        case "phase-type":
            return _two_moments(scv)
        case "map":
            return _correlated(scv, correlation)
    raise ScenarioError(f"a {family} service is given by its parameters, not by an scv")


def erlang(phases: int) -> Distribution:
    """Return the Erlang distribution of so many phases: scv 1/phases.

    >>> erlang(2).scv
    0.5
    """
    return Distribution(family="erlang", scv=1 / phases, parameters=(float(phases),))


def lognormal(sigma: float) -> Distribution:
    """Return the lognormal distribution whose logarithm has that deviation: scv exp(sigma²) − 1."""
    return Distribution(
        family="lognormal", scv=math.expm1(sigma**2), parameters=(sigma, 0.0, math.exp(-(sigma**2) / 2))
    )


def weibull(shape: float) -> Distribution:
    """Return the Weibull distribution of that shape; below 1 its tail is heavier than the exponential one.

    >>> round(weibull(1.0).scv, 9)
    1.0
    """
    first, second = math.gamma(1 + 1 / shape), math.gamma(1 + 2 / shape)
    return Distribution(family="weibull", scv=second / first**2 - 1, parameters=(shape, 0.0, 1 / first))


def two_phases(probability: float, rates: Sequence[float | Sequence[float]]) -> tuple[Distribution, float]:
    """Return the hyper-exponential distribution of two phases with those rates (1/s), as factor and mean.

    >>> law, mean = two_phases(0.5, [1.0, 0.5]); law.parameters, mean
    ((0.5, 1.5, 0.75), 1.5)
    """
    if len(rates) != 2 or any(not isinstance(rate, int | float) or not 0 < rate < math.inf for rate in rates):
        raise ScenarioError(f"a hyper-exponential service has two rates above 0, not {list(rates)}")
    fast, slow = (float(rate) for rate in rates if isinstance(rate, int | float))
    mean = probability / fast + (1 - probability) / slow
    square = 2 * (probability / fast**2 + (1 - probability) / slow**2)
    scv = round(square / mean**2 - 1, 12)
    return Distribution(family="hyperexponential", scv=scv, parameters=(probability, fast * mean, slow * mean)), mean


def empirical(times: Sequence[float]) -> tuple[Distribution, float]:
    """Return the distribution of a sample (s), each of whose times is as likely as any other, as factor and mean.

    Nothing lies between or beyond the times of the file, so that its mean and scv are those of the answer: straight
    lines between quantiles halve the scv of ten times one of which is long, and of a heavy tail.

    >>> law, mean = empirical([1.0, 2.0, 3.0]); mean, law.values
    (2.0, (0.5, 1.0, 1.5))
    """
    values = _checked(times)
    _check_count(values)
    mean = float(values.mean())
    law = Distribution(family="empirical", values=tuple((values / mean).tolist()), samples=len(values))
    return _with_scv(law), mean


def bootstrap(times: Sequence[float], block: float) -> tuple[Distribution, float]:
    """Return a trace (s) to be replayed in blocks of that mean length, as factor and mean.

    The stationary bootstrap (Politis & Romano 1994, J. American Statistical Association 89, pp. 1303–1313): each time
    follows the one before in the trace, or with a chance of 1/block begins anew anywhere.

    >>> bootstrap([1.0, 3.0], 10)[0].values
    (0.5, 1.5)
    """
    values = _checked(times)
    _check_count(values)
    if not 1 <= block < math.inf:
        raise ScenarioError(f"a bootstrap takes a mean block of at least 1, not {block:g}")
    mean = float(values.mean())
    law = Distribution(
        family="bootstrap", parameters=(float(block),), values=tuple((values / mean).tolist()), samples=len(values)
    )
    return _with_scv(law), mean


def moments(distribution: Distribution) -> Moments:
    """Return the mean, the scv and the lag-1 correlation of a factor, from its parameters.

    >>> moments(distribution_of("map", 4.0, 0.2))
    Moments(mean=1.0, scv=4.0, correlation=0.2)
    """
    from streamsim import markov

    if distribution.family in ("phase-type", "map"):
        found = markov.moments(*markov.matrices(distribution))
        return Moments(*(round(value, 12) for value in found))
    if distribution.family == "empirical":
        return Moments(*(_of_values(distribution) if distribution.values else _piecewise(distribution.quantiles)), 0.0)
    if distribution.family == "bootstrap":
        return _replayed(distribution)
    family, parameters = distribution.family, distribution.parameters
    if family == "weibull":
        shape, low, scale = parameters
        first, second = math.gamma(1 + 1 / shape), math.gamma(1 + 2 / shape)
        mean = low + scale * first
        return Moments(mean, scale**2 * (second - first**2) / mean**2, 0.0)
    scv = {"deterministic": 0.0, "exponential": 1.0}.get(family, distribution.scv)
    return Moments(1.0, scv, 0.0)


def _phases(scv: float) -> int:
    phases = round(1 / scv) if scv > 0 else 0
    if phases < 1 or not math.isclose(phases * scv, 1.0, rel_tol=1e-3):
        near = sorted({1 / max(1, math.floor(1 / scv)), 1 / math.ceil(1 / scv)}) if scv > 0 else [0.5]
        raise ScenarioError(
            f"an Erlang service has an scv of 1/phases ({' or '.join(f'{one:.4g}' for one in near)}), not {scv:g}; "
            "distribution = 'phase-type' takes any"
        )
    return phases


def _weibull_shape(scv: float) -> float:
    from scipy.optimize import brentq

    def excess(shape: float) -> float:
        return math.lgamma(1 + 2 / shape) - 2 * math.lgamma(1 + 1 / shape) - math.log1p(scv)

    low, high = 1.0, 1.0
    while excess(high) > 0:
        high *= 2
    while excess(low) < 0:
        low /= 2
    return float(brentq(excess, low, high, xtol=1e-14)) if low < high else 1.0


def _two_moments(scv: float) -> Distribution:
    from streamsim.markov import phase_type

    if scv <= 0:
        raise ScenarioError(f"a phase-type service needs an scv above 0, not {scv:g}")
    if scv >= 1:
        p, fast, slow = distribution_of("hyperexponential", scv).parameters
        return phase_type([p, 1 - p], [[-fast, 0.0], [0.0, -slow]])[0]
    phases = math.ceil(1 / scv - 1e-9)
    skip = (phases * scv - math.sqrt(max(0.0, phases * (1 + scv) - phases**2 * scv))) / (1 + scv)
    rate = phases - skip
    initial = [1 - skip, skip] + [0.0] * (phases - 2) if phases > 1 else [1.0]
    rates = [[-rate if j == i else rate if j == i + 1 else 0.0 for j in range(phases)] for i in range(phases)]
    return phase_type(initial, rates)[0]


def _correlated(scv: float, correlation: float) -> Distribution:
    from streamsim.markov import markovian

    most = (1 - 1 / scv) / 2
    if not 0 <= correlation < most:
        raise ScenarioError(
            f"a correlation of {correlation:g} cannot be had with an scv of {scv:g}: from 0 to below {most:.4g}"
        )
    p, fast, slow = distribution_of("hyperexponential", scv).parameters
    stay = correlation / most if most else 0.0
    shares = [p, 1 - p]
    rates = [fast, slow]
    visible = [[rates[i] * (stay * (i == j) + (1 - stay) * shares[j]) for j in (0, 1)] for i in (0, 1)]
    return markovian([[-fast, 0.0], [0.0, -slow]], visible)[0]


def _checked(times: Sequence[float]) -> Array:
    import numpy as np

    values = np.asarray(times, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or values.min() < 0 or values.sum() <= 0:
        raise ScenarioError("a sample of times needs two or more numbers of at least 0, not all 0")
    return values


def _check_count(values: Array) -> None:
    if len(values) > MOST_VALUES:
        raise ScenarioError(f"a file of times has at most {MOST_VALUES} of them, not {len(values)}; take every n-th")


def _with_scv(law: Distribution) -> Distribution:
    import msgspec

    return msgspec.structs.replace(law, scv=moments(law).scv)


def _piecewise(levels: Sequence[float]) -> tuple[float, float]:
    """Return mean and scv of a quantile function that is straight between equally spaced levels."""
    pieces = list(itertools.pairwise(levels))
    mean = math.fsum((a + b) / 2 for a, b in pieces) / len(pieces)
    square = math.fsum((a * a + a * b + b * b) / 3 for a, b in pieces) / len(pieces)
    return mean, square / mean**2 - 1


def _of_values(distribution: Distribution) -> tuple[float, float]:
    import numpy as np

    values = np.asarray(distribution.values)
    mean = float(values.mean())
    return mean, float(values.var()) / mean**2


def _replayed(distribution: Distribution) -> Moments:
    """Return the moments of the stationary bootstrap: neighbours in the (circular) trace stay so with 1 − 1/block."""
    import numpy as np

    values = np.asarray(distribution.values)
    mean, scv = _of_values(distribution)
    variance = scv * mean**2
    together = float(np.mean(values * np.roll(values, -1))) - mean**2
    follows = 1 - 1 / distribution.parameters[0]
    return Moments(mean, scv, follows * together / variance if variance else 0.0)

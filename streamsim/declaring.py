"""What a ``[service.NAME]`` table declares: the profile of a station that was not measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from streamsim import families
from streamsim.checking import convert, quantity
from streamsim.errors import ScenarioError
from streamsim.sections import DistributionSection, ServiceSection
from streamsim.service import UNLIMITED, Distribution, ServiceModel, StationProfile
from streamsim.units import parse_bytes, parse_seconds

T = TypeVar("T")

_TIMES = ("setup", "per_record", "per_byte", "waiting_per_record")

_NEEDS: dict[str, tuple[str, ...]] = {
    "deterministic": (),
    "exponential": (),
    "erlang": ("shape",),
    "gamma": ("shape",),
    "lognormal": ("shape",),
    "weibull": ("shape",),
    "hyperexponential": ("probability", "rates"),
    "phase-type": ("initial", "rates"),
    "map": ("hidden", "visible"),
    "empirical": ("file",),
    "bootstrap": ("file",),
}
"""The parameters of each family; ``block`` of a bootstrap has a default."""


def declared(value: Any, path: str, directory: Path) -> StationProfile:
    """Return the profile that one ``[service.NAME]`` table stands for.

    Parameters
    ----------
    path : where the table stands in the scenario, for messages.
    directory : where relative names of files start.

    Raises ScenarioError for what does not fit.

    >>> declared({"per_record": "2 ms", "scv": 0.5, "distribution": "erlang"}, "service.a", Path()).service.per_record
    0.002
    """
    law = value.get("distribution") if isinstance(value, dict) else None
    if isinstance(law, dict):
        by_parameters, _ = convert(law, DistributionSection, f"{path}.distribution")
        value = {**value, "distribution": by_parameters}
    section, _ = convert(value, ServiceSection, path)
    times = {key: quantity(parse_seconds, getattr(section, key), f"{path}.{key}") for key in _TIMES}
    if isinstance(section.distribution, DistributionSection):
        distribution, mean = _by_parameters(section, law or {}, path, directory)
        if mean is not None and not any(times.values()):
            times["per_record"] = mean
    else:
        distribution = _by_scv(section, section.distribution, path)
    size = float(quantity(parse_bytes, section.bytes, f"{path}.bytes") or 0)
    return StationProfile(
        service=ServiceModel(scv=distribution.scv, distribution=distribution, scatters="by-record", **times),
        bytes_in=0.0 if size else 1.0,
        bytes_out=size or section.selectivity,
        records_in=None if size else 1.0 / section.record_bytes,
        records_out=(size or section.selectivity) / section.record_bytes,
        barrier=section.barrier,
        at_once=section.at_once,
        discipline=section.discipline,
        places=UNLIMITED if section.places == "unlimited" else section.places,
        record_bytes=section.record_bytes,
        shares=section.shares,
        source="declared",
    )


def _by_scv(section: ServiceSection, named: str | None, path: str) -> Distribution:
    by_scv = {0.0: "deterministic", 1.0: "exponential"}
    default = "map" if section.correlation else by_scv.get(section.scv, "gamma")
    family = named or default
    scv = {"deterministic": 0.0, "exponential": 1.0}.get(family, section.scv)
    if scv != section.scv and named and section.scv:
        raise ScenarioError(f"a service that is {family} has scv {scv:g}, not {section.scv:g}", path=f"{path}.scv")
    return _within(f"{path}.distribution", lambda: families.distribution_of(family, scv, section.correlation))


def _by_parameters(
    section: ServiceSection, given: dict[str, Any], path: str, directory: Path
) -> tuple[Distribution, float | None]:
    """Return the factor and, where the parameters say it, the mean in seconds."""
    law = section.distribution
    assert isinstance(law, DistributionSection), "asked for by the caller"
    place = f"{path}.distribution"
    needs = _NEEDS[law.family]
    for key in needs:
        if getattr(law, key) is None:
            raise ScenarioError(f"a distribution that is {law.family} needs {' and '.join(needs)}", path=place)
    for key in given:
        if key not in (*needs, "family") and not (key == "block" and law.family == "bootstrap"):
            known = f" (it has {', '.join(needs)})" if needs else ""
            raise ScenarioError(f"is no parameter of {law.family}{known}", path=f"{place}.{key}")
    for key in ("scv", "correlation"):
        if getattr(section, key):
            raise ScenarioError("follows from the parameters of the distribution; leave it out", path=f"{path}.{key}")
    return _within(place, lambda: _made(law, place, directory))


def _made(law: DistributionSection, place: str, directory: Path) -> tuple[Distribution, float | None]:
    family, shape = law.family, law.shape or 0.0
    match family:
        case "erlang":
            if shape != round(shape):
                raise ScenarioError(f"an Erlang service has a whole number of phases, not {shape:g}")
            return families.erlang(round(shape)), None
        case "gamma":
            return families.distribution_of(family, 1 / shape), None
        case "lognormal":
            return families.lognormal(shape), None
        case "weibull":
            return families.weibull(shape), None
        case "hyperexponential":
            return families.two_phases(law.probability or 0.0, law.rates or [])
        case "phase-type":
            from streamsim import markov  # with numpy, whose start `run` and `ctl` do without

            return markov.phase_type(law.initial or [], law.rates or [])  # type: ignore[arg-type]  # checked there
        case "map":
            from streamsim import markov

            return markov.markovian(law.hidden or [], law.visible or [])
        case "empirical":
            return families.empirical(_times(directory / str(law.file), place))
        case "bootstrap":
            return families.bootstrap(_times(directory / str(law.file), place), law.block)
    return families.distribution_of(family, 1.0 if family == "exponential" else 0.0), None


def _times(file: Path, place: str) -> list[float]:
    try:
        return [float(line) for line in file.read_text(encoding="utf-8").split()]
    except OSError as error:
        raise ScenarioError(f"{file}: {error.strerror}", path=f"{place}.file") from None
    except ValueError as error:
        raise ScenarioError(f"{file}: not one time (s) a line: {error}", path=f"{place}.file") from None


def _within(place: str, make: Callable[[], T]) -> T:
    """Make something; where that fails, say where in the scenario."""
    try:
        return make()
    except ScenarioError as error:
        raise ScenarioError(error.message, path=error.path or place) from None

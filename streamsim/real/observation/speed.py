"""How fast the cores were during one run, relative to the reference. Pure statistics over what the probes found.

A core's speed changes by a factor of two within 50 ms where neighbours share the silicon, so one probe of 25 ms says
little about a second (and correcting by it would add more noise than it takes away), while the mean of a second is
steady within some per cent. So the shape of the curve (speed by busy cores) comes from all probes of a session
together, and a run is corrected by its own samples only as far as their mean can be told from chance: it is shrunk
towards the session's by tau² / (tau² + s²/n) (James and Stein 1961; Efron and Morris 1973, JASA 68:117).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from streamsim.real.observation.probe import Speeds

_PRIOR_TAU = 0.03
"""How much the mean speed of runs differs (relative) until three of them tell: what a second differed by here."""


class SpeedLog:
    """All that the probes of a session have found."""

    def __init__(self, cores: int, reference_rate: float | None = None) -> None:
        self._cores = cores
        self._probes: list[Speeds] = []
        self._levels: list[float] = []
        self._inside: list[float] = []
        self._reference, self._given = reference_rate, reference_rate is not None

    def add(self, speeds: Speeds) -> None:
        """Note a probe."""
        self._probes.append(speeds)

    @property
    def reference_rate(self) -> float:
        """Units in a core-second at speed 1: given, or the mean of the probes before the first run."""
        if self._reference is None:
            self._reference = self._rate(1)
        return self._reference

    def _rate(self, busy: int) -> float:
        return statistics.fmean(probe.rates[busy - 1] for probe in self._probes)

    def shape(self) -> tuple[float, ...]:
        """Return the speed of each core with 1, 2, … busy, relative to one alone."""
        return tuple(self._rate(busy) / self._rate(1) for busy in range(1, self._cores + 1))

    def run(self, near: Sequence[Speeds], inside: Sequence[float], busy: float, cores: int) -> tuple[float, ...]:
        """Return the speed of each core with 1 … `cores` busy that applied during a run.

        Parameters
        ----------
        near : the probes just before and after it.
        inside : rates (units in a core-second) sampled during it, with `busy` cores busy on average.
        """
        base = self._rate(1) / self.reference_rate if self._given else 1.0
        shape = self.shape()
        samples = [probe.rates[k] / self._rate(k + 1) for probe in near for k in range(len(probe.rates))]
        if inside:
            expected = _between(shape, busy)
            mean = statistics.fmean(inside) / expected
            self._inside.append(mean)
            usual = statistics.fmean(self._inside)
            samples += [rate / expected / usual for rate in inside]
        level = self._level(samples)
        return tuple(base * level * speed for speed in shape[:cores])

    def _level(self, samples: list[float]) -> float:
        if len(samples) < 2:
            return 1.0
        mean = statistics.fmean(samples)
        chance = statistics.variance(samples) / len(samples)
        self._levels.append(mean)
        tau = _PRIOR_TAU**2
        if len(self._levels) >= 3:
            tau = max(0.0, statistics.variance(self._levels) - chance)
        if tau + chance == 0:
            return 1.0
        return 1.0 + (mean - 1.0) * tau / (tau + chance)


def _between(shape: Sequence[float], busy: float) -> float:
    place = min(max(busy, 1.0), float(len(shape))) - 1.0
    low = min(math.floor(place), max(0, len(shape) - 2))
    high = min(low + 1, len(shape) - 1)
    return shape[low] + (shape[high] - shape[low]) * (place - low)

"""How speed grows with servers: Amdahl's law and Gunther's universal scalability law, and their fits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.errors import ModelError


class Scaling(msgspec.Struct, frozen=True, kw_only=True):
    """X(N) = γN / (1 + α(N−1) + βN(N−1)), N servers.

    Parameters
    ----------
    alone : γ, throughput of one server, 1/s, above 0.
    contention : α, the share of work that only one at a time can do, 0 to 1.
    coherence : β, what each pair of servers costs to keep in agreement, at least 0.

    Raises ModelError for numbers outside these ranges.

    Source: Gunther, Guerrilla Capacity Planning (2007), chapter 4; Amdahl's law is β = 0.

    >>> round(Scaling(alone=1.0, contention=0.1).throughput(10), 6)
    5.263158
    """

    alone: float
    contention: float = 0.0
    coherence: float = 0.0

    def __post_init__(self) -> None:
        checks.positive("alone", self.alone)
        checks.share("contention", self.contention)
        checks.non_negative("coherence", self.coherence)

    def throughput(self, servers: float) -> float:
        """Return X (1/s) with N servers, N at least 1.

        Raises ModelError for fewer.
        """
        if not (math.isfinite(servers) and servers >= 1):
            raise ModelError(f"servers: {servers!r} stands where at least 1 belongs")
        slowing = 1 + self.contention * (servers - 1) + self.coherence * servers * (servers - 1)
        return self.alone * servers / slowing

    def speedup(self, servers: float) -> float:
        """Return X(N)/X(1)."""
        return self.throughput(servers) / self.alone

    @property
    def best_servers(self) -> int | None:
        """The number of servers with the highest throughput; None where more always help (β = 0, α < 1).

        >>> Scaling(alone=1.0, contention=0.02, coherence=0.0005).best_servers
        44
        """
        if self.contention >= 1:
            return 1
        if self.coherence == 0:
            return None
        low = max(1, math.floor(math.sqrt((1 - self.contention) / self.coherence)))
        return max((low, low + 1), key=self.throughput)

    @property
    def ceiling(self) -> float | None:
        """The throughput (1/s) that no number of servers exceeds; None where it grows for ever (α = β = 0)."""
        if self.best_servers is not None:
            return self.throughput(self.best_servers)
        return self.alone / self.contention if self.contention > 0 else None


def amdahl(parallel_share: float, servers: float) -> float:
    """Return the speedup 1 / ((1−p) + p/N) of work of which the share p runs on N servers.

    Raises ModelError for a share outside 0 to 1 and for fewer than one server.

    Source: Amdahl, Validity of the single processor approach, AFIPS Conf. Proc. 30 (1967), 483-485.

    >>> round(amdahl(0.9, 10), 6)
    5.263158
    """
    return Scaling(alone=1.0, contention=1 - checks.share("parallel_share", parallel_share)).throughput(servers)


def fit_scaling(servers: Sequence[float], throughputs: Sequence[float], *, coherence: bool = True) -> Scaling:
    """Fit the law to measured throughputs by least squares of relative errors, with no coefficient below 0.

    N/X = (1 + α(N−1) + βN(N−1))/γ is linear in 1/γ, α/γ and β/γ.

    Parameters
    ----------
    servers : N, at least 1, of at least three different sizes (two without coherence).
    throughputs : X, 1/s, above 0, one for each.
    coherence : False fits Amdahl's law.

    Raises ModelError for numbers outside these ranges.

    >>> law = Scaling(alone=100.0, contention=0.05, coherence=0.001)
    >>> fitted = fit_scaling([1, 2, 4, 8], [law.throughput(n) for n in (1, 2, 4, 8)])
    >>> round(fitted.contention, 6), round(fitted.coherence, 6)
    (0.05, 0.001)
    """
    checks.same_length("throughputs", throughputs, len(servers))
    for index, (count, rate) in enumerate(zip(servers, throughputs, strict=True)):
        checks.positive(f"throughputs[{index}]", rate)
        if not (math.isfinite(count) and count >= 1):
            raise ModelError(f"servers[{index}]: {count!r} stands where at least 1 belongs")
    unknown = 3 if coherence else 2
    if len(set(servers)) < unknown:
        raise ModelError(f"servers: {len(set(servers))} different sizes where at least {unknown} belong")
    import numpy as np
    from scipy.optimize import nnls

    counts, rates = np.array(servers, dtype=float), np.array(throughputs, dtype=float)
    columns = [np.ones_like(counts), counts - 1, counts * (counts - 1)][:unknown]
    # multiplied by X/N, so that every measurement's relative error counts alike
    found, _ = nnls(np.stack(columns, axis=1) * (rates / counts)[:, None], np.ones_like(counts))
    if found[0] <= 0:
        raise ModelError("throughputs: they grow faster than the servers; no such law fits")
    rest = [float(value / found[0]) for value in found[1:]]
    return Scaling(alone=float(1 / found[0]), contention=min(1.0, rest[0]), coherence=rest[1] if coherence else 0.0)

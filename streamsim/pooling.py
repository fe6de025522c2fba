"""The servers of a station as one: their traces added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from streamsim.trace import CURVES, StationTrace

_MOST_SAMPLES = 4000


def pooled(name: str, servers: Sequence[StationTrace]) -> StationTrace:
    """Return the trace of a station whose servers left these: every curve is the sum of theirs.

    Its life is theirs added up, so a time budget stays a budget of parts. Visits come in the order in which the
    chunks were got.
    """
    if len(servers) == 1:
        return replace(servers[0], name=name)
    times = np.unique(np.concatenate([one.time_s for one in servers]))
    if len(times) > _MOST_SAMPLES:
        times = times[np.unique(np.linspace(0, len(times) - 1, _MOST_SAMPLES).astype(np.intp))]
    curves = {
        curve: np.sum([np.interp(times, one.time_s, getattr(one, curve)) for one in servers], axis=0)
        for curve in CURVES
        if curve != "time_s"
    }
    visits = [one.visits for one in servers if one.visits is not None]
    whole = np.concatenate(visits) if len(visits) == len(servers) else None
    return StationTrace(
        name=name,
        started_s=min(one.started_s for one in servers),
        ended_s=max(one.ended_s for one in servers),
        time_s=times,
        threads=max(one.threads for one in servers),
        records_in=_sum([one.records_in for one in servers]),
        records_out=_sum([one.records_out for one in servers]),
        visits=whole[np.argsort(whole["got"], kind="stable")] if whole is not None else None,
        operator=all(one.operator for one in servers),
        rejected=_sum([one.rejected for one in servers]),
        rejection=next((one.rejection for one in servers if one.rejection), ""),
        servers=sum(one.servers for one in servers),
        **curves,
    )


def by_station(traces: Mapping[str, StationTrace], servers: Mapping[str, Sequence[str]]) -> dict[str, StationTrace]:
    """Return one trace for each station; ``servers`` names those of each, as `expansion.servers_of` does."""
    return {name: pooled(name, [traces[server] for server in names]) for name, names in servers.items()}


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None

"""What the solved chain of a section says about a station: how its servers spend their time, what waits before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from streamsim.analysis.queueing.lines.description import StationShares
from streamsim.analysis.queueing.lines.section import Section
from streamsim.analysis.queueing.lines.servers import Floats


class Solved(NamedTuple):
    """A section with its steady state, and the station (counted from the start of the line) that is asked about."""

    section: Section
    shares: Floats
    station: int


def shares_of(solved: Solved, at_hand: float | None = None) -> StationShares:
    """Return the time shares of a station's servers, and the mean numbers before it and at it.

    `at_hand` is the mean number that waits for a section's first station or is in service there, where it is known.
    """
    section, p, index = solved
    here = index - section.first
    servers = section.line.servers[index]
    after = section.line.blocking == "after-service"
    busy = section.busy[:, here]
    # after service a held-up server keeps its record; before service one is blocked that has a record and may not begin
    blocked = section.held[:, here] if after else np.minimum(section.columns[:, here], servers) - busy
    in_pipe = None
    if here > 0:
        inside = section.inside(here - 1)
        waiting = inside - section.held[:, here - 1] - busy if after else np.maximum(inside - servers, 0)
        in_pipe = max(0.0, float(p @ waiting))
    elif at_hand is not None:
        in_pipe = max(0.0, at_hand - float(p @ busy))
    # the idle share is summed for itself: 1 − share would lose the digits of a small one
    return StationShares(
        running=float(p @ busy) / servers,
        blocked=float(p @ blocked) / servers,
        starved=float(p @ (servers - busy - blocked)) / servers,
        in_pipe=in_pipe,
        in_system=None if in_pipe is None else in_pipe + float(p @ (busy + (section.held[:, here] if after else 0))),
    )

"""Open circuits in which a controller sheds so much load that no more waits before a station than it allows.

Such a station is busy all the time, so no queueing model knows how long records wait there: the controller does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.fluid import FluidResult
from streamsim.analysis.prediction.loads import spans
from streamsim.analysis.prediction.open_load import OpenAnswer, decompose, open_load
from streamsim.analysis.prediction.released import ALONE_AND_AT_ONCE

MOST_SHED, NEARLY_FULL = 0.05, 0.98
"""A controller that sheds load settles within this part of what can be carried; and at what part of it the other
stations are then answered."""


def answered(case: Case, fluid: FluidResult, needed_s: float, held_s: Mapping[str, float]) -> OpenAnswer:
    """Return the answer under an open load where controllers let no more wait before some stations than so long (s).

    What a controller lets wait counts only where more would wait without it: one that sheds nothing changes nothing.
    """
    free = open_load(case, fluid, needed_s)
    shorter = free.saturated or any(0 < wait_s < (free.stations[name].wait_s or 0.0) for name, wait_s in held_s.items())
    held = held_open(case, fluid, needed_s, held_s) if shorter else None
    return free if held is None else held


def held_open(case: Case, fluid: FluidResult, needed_s: float, held_s: Mapping[str, float]) -> OpenAnswer | None:
    """Return the answer where controllers let no more wait before some stations than so long (s); None where the load
    is too much even so.

    Such a station is busy all the time, so that the load is what it can do: the others are answered at a little less.
    """
    span = max(spans(case).values(), default=0.0)
    if not held_s or span <= 0 or needed_s > span * (1 + MOST_SHED):
        return None
    below = min(1.0, NEARLY_FULL * span / needed_s)
    calm = decompose(case.with_rate(below), span / below, fluid.ended.get("startup", 0.0), settled=held_s)
    if calm.response_mean_s is None:
        return None
    stations, mean = dict(calm.stations), calm.response_mean_s
    for name, wait_s in held_s.items():
        before = stations[name]
        told = (before.response_time_s or 0.0) - (before.wait_s or 0.0) - before.released.late_s + wait_s
        if name in calm.path:
            mean += told - (before.response_time_s or 0.0)
        stations[name] = replace(before, wait_s=wait_s, response_time_s=told, released=ALONE_AND_AT_ONCE)
    names = ", ".join(repr(name) for name in held_s)
    return replace(
        calm,
        makespan=calm.makespan - calm.response_mean_s + mean - span / below + span,
        stations=stations,
        response_mean_s=mean,
        response_quantiles_s=(None, None, None),
        exact=False,
        notes=(
            f"waits: before {names} what its controller lets wait, on average; every other station by itself",
            "response-time quantiles: not known where a controller holds what waits",
        ),
    )

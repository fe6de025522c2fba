"""From what a ``cascade`` noted along the stream to its filters: what part each lets through, and what it costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamsim.service import Filter
from streamsim.trace import Array, StationTrace

PARTS = 16
"""The stream is cut into so many parts with as many records each: filters need not be the same all along."""


def filters_of(traces: Sequence[StationTrace]) -> tuple[Filter, ...]:
    """Return the filters of a station, means over its runs; none where it is no cascade.

    Behind others a filter sees few records, and not such as came in. So in a part where it saw less than half as many
    as in the part where it saw most it is taken to be as it was on the whole; one that never saw anything lets all
    through for nothing.
    """
    courses = [np.array(trace.course) for trace in traces if len(trace.course) > 1]
    if not courses or len(courses) < len(traces):
        return ()
    moved: Array = np.sum([_parts(course) for course in courses], axis=0)
    count = (moved.shape[1] - 1) // 3
    records, seen, passed, cost = moved[:, 0], *np.split(moved[:, 1:], 3, axis=1)
    found = []
    for place in range(count):
        found.append(
            Filter(
                passes=tuple(np.minimum(_ratio(passed[:, place], seen[:, place], 1.0), 1.0).tolist()),
                costs=tuple(_ratio(cost[:, place], seen[:, place], 0.0).tolist()),
                seen=tuple(np.minimum(seen[:, place] / np.maximum(records, 1.0), 1.0).tolist()),
            )
        )
    return tuple(found)


def _parts(course: Array) -> Array:
    """Return by how much each column grew in each part of the records, the first column."""
    edges = np.linspace(0.0, course[-1, 0], PARTS + 1)
    columns = [np.diff(np.interp(edges, course[:, 0], column)) for column in course.T]
    found: Array = np.column_stack(columns)
    return found


def _ratio(above: Array, below: Array, unknown: float) -> Array:
    whole = float(above.sum() / below.sum()) if below.sum() > 0 else unknown
    enough = (below > 0) & (below >= 0.5 * below.max())
    found: Array = np.where(enough, above / np.where(enough, below, 1.0), whole)
    return found

"""The rhythm that a tool with a large buffer forces on the stations before it, as work curves for the fluid model.

A sorter fills its buffer, then sorts it and takes nothing. Meanwhile the stations before it go on until the pipes in
between are full; then they stand still. When the buffer is filled anew they have that much of their work behind them,
and only the rest of it can keep the sorter waiting. So in each cycle the sorter works in a *window* of the progress in
which a station before it does as much as the pipes hold between the two; the rest of the cycle belongs to the filling.
"""

from __future__ import annotations

from typing import NamedTuple

from streamsim.analysis.prediction.case import Case

_MOST_CYCLES = 16
"""One cycle is like another, so a few of them stand for many."""

_LAST = 1e-9


class Curve(NamedTuple):
    """The part of a station's work that is ``done`` (from 0 to 1) ``at`` each part of the stream; and the windows."""

    at: tuple[float, ...]
    done: tuple[float, ...]
    windows: tuple[tuple[float, float], ...]


class _Rhythm(NamedTuple):
    fills: float
    """How often the buffer is filled in the whole stream."""
    width: float
    """The part of a cycle that the window is wide: what the pipe right before the sorter holds."""
    ahead: float
    """The part of the stream by which a station can be ahead of the sorter."""


def rhythms(case: Case) -> dict[str, Curve]:
    """Return the work curves of the stations that gather, and of those before them, up to the next barrier."""
    found: dict[str, Curve] = {}
    rhythm: dict[str, _Rhythm] = {}
    for name in reversed(case.order):
        profile, flow = case.profiles[name], case.flows[name]
        if profile.service.curve:
            continue
        size = flow.bytes_in
        if profile.gather_bytes and size:
            fills = size / profile.gather_bytes
            held = sum(case.capacities[pipe.label] for pipe in case.inputs[name])
            rhythm[name] = _Rhythm(fills, min(1.0, held / profile.gather_bytes), 0.0)
            whole = profile.service.per_byte + profile.service.per_record * flow.records_in / size
            found[name] = curve(rhythm[name], 0.0, profile.service.filling_per_byte / whole if whole else 1.0)
        elif not profile.barrier:
            for pipe in case.outputs[name]:
                if pipe.downstream in rhythm:
                    fills, width, ahead = rhythm[pipe.downstream]
                    ahead += case.capacities[pipe.label] / max(flow.bytes_out, 1)
                    rhythm[name] = _Rhythm(fills, width, ahead)
                    found[name] = curve(rhythm[name], min(1.0, ahead * fills), 1.0)
    return found


def curve(rhythm: _Rhythm, window: float, end: float) -> Curve:
    """Return the curve of a station that has done these parts of a cycle's work at the end of the window and the cycle.

    A sorter has then done all the work on the buffer before, and the taking in for this one; a station before it what
    the pipes hold, and all of it. The last buffer is worked on when there is nothing left to take.

    >>> at, done, windows = curve(_Rhythm(2.0, 0.2, 0.0), 0.0, 0.2)
    >>> [round(place, 6) for place in at], [round(part, 6) for part in done]
    ([0.0, 0.5, 0.6, 1.0, 1.0], [0.0, 0.1, 0.5, 0.6, 1.0])
    >>> windows
    ((0.5, 0.6),)
    """
    count = min(max(1, round(rhythm.fills)), _MOST_CYCLES)
    length = 1.0 / count
    at, done, windows = [0.0], [0.0], []
    for cycle in range(count):
        if cycle:
            windows.append((at[-1], (cycle + rhythm.width) * length))
        if cycle and rhythm.width < 1.0:
            at.append((cycle + rhythm.width) * length)
            done.append((cycle + window) * length)
        at.append((cycle + 1) * length)
        done.append((cycle + end) * length)
    at[-1] = 1.0 - _LAST
    return Curve((*at, 1.0), (*done, 1.0), tuple(windows))

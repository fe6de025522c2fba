"""Lines too long for one chain: overlapping windows, each solved exactly with what its neighbours know.

A window is a section of two or more pipes. What it does not see of its neighbours enters as conditional chances and
rates: whether the first station has another record at hand after a completion, when one comes, whether the last
station is held up after a completion, and when it is freed. Each is asked of the neighbouring window, which sees all
that matters, given everything that both windows see. Given the window's whole state these would be exact; what is
left out is the little that the far pipes of a window add to what the near ones tell.

Source: the conditional closure is that of Brandwajn and Jow, An approximation method for tandem queues with blocking,
Operations Research 36 (1988), 73-83, for pairs of stations; here for any number, with what is held up kept as state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from streamsim.analysis.queueing.lines.answer import Solved, shares_of
from streamsim.analysis.queueing.lines.description import Line, LineAnswer
from streamsim.analysis.queueing.lines.section import (
    BE_FREED,
    BE_HELD,
    GAIN_HAND,
    KEEP_HAND,
    LOSE_HAND,
    STAY_FREE,
    Section,
    count_states,
)
from streamsim.analysis.queueing.lines.servers import Floats, Ints
from streamsim.analysis.queueing.lines.steady import steady_state
from streamsim.errors import ModelError

WIDEST = 4
WIDE_STATES = 2_000
"""Windows of three pipes and more are chosen while all of them stay below this size: more gains nothing visible."""
PAIR_STATES = 10_000
"""Windows of two pipes are worth this many, since those of one pipe err by several per cent."""
ROUNDS = 300
PRECISION = 1e-8
ENOUGH = 1e-4
APART = 0.02
"""Windows whose throughputs differ by more than this do not describe one line."""
SEEN = 1e-200
"""The share of time that states need for their conditional chances to be more than rounding."""
LEAST = 1e-9
"""Of the mean chance or rate; a smaller one is rounding too."""
MOST_STATES = 50_000
"""Of one window; phases and servers can make even a window of one pipe larger."""


def solve_by_windows(line: Line, pipes: int | None = None) -> LineAnswer:
    """Return the steady state of a line by windows of this many pipes, or of as many as stay small.

    Raises ModelError where the windows do not settle.
    """
    width = _width(line) if pipes is None else min(pipes, line.stations - 1)
    largest = _largest(line, width)
    if largest > MOST_STATES:
        raise ModelError(
            f"windows of {width} pipes of this line have up to {largest} states where at most {MOST_STATES} are "
            "solved; fewer phases (a larger scv) or fewer servers would do"
        )
    windows = [Section(line, first, first + width) for first in range(line.stations - width)]
    solved, throughputs = settle(line, windows, _steady)
    return _answer(line, windows, solved, throughputs)


def settle(
    line: Line, windows: Sequence[Section], solve: Callable[[Section], Floats], apart: float = APART
) -> tuple[list[Floats], Floats]:
    """Solve the windows in turn, there and back, until none changes what it tells its neighbours.

    Returns the steady state and the throughput (1/s) of each. Raises ModelError where they do not settle, or where
    their throughputs end further apart than the share `apart`.
    """
    solved: list[Floats | None] = [None] * len(windows)
    _begin(line, windows)
    throughputs, change, calm = np.zeros(len(windows)), np.inf, 0
    for number in range(ROUNDS):
        forth = range(len(windows))
        for index in forth if number % 2 == 0 else reversed(forth):
            window = windows[index]
            if index > 0 and (p := solved[index - 1]) is not None:
                _ask_before(window, windows[index - 1], p)
            if index + 1 < len(windows) and (p := solved[index + 1]) is not None:
                _ask_behind(window, windows[index + 1], p)
            solved[index] = solve(window)
        now = np.array([_throughput(window, p) for window, p in zip(windows, solved, strict=True)])
        change = float(np.abs(now / np.maximum(throughputs, 1e-300) - 1).max())
        throughputs = now
        calm = calm + 1 if change < PRECISION else 0
        if calm == 2 or len(windows) == 1:  # news travels one way in each round, so one calm round proves nothing
            break
    spread = float(np.ptp(throughputs) / throughputs.mean())
    if (change > ENOUGH or spread > apart) and len(windows) > 1:
        raise ModelError(
            f"the windows of this line do not settle: throughput still moves by {change:.1e}, and they differ by "
            f"{spread:.1e}"
        )
    return [p for p in solved if p is not None], throughputs


def _steady(window: Section) -> Floats:
    return steady_state(window.source, window.target, window.rates, window.size)


def _width(line: Line) -> int:
    for width in range(min(WIDEST, line.stations - 1), 1, -1):
        if _largest(line, width) <= (PAIR_STATES if width == 2 else WIDE_STATES):
            return width
    return 1


def _largest(line: Line, width: int) -> int:
    return max(count_states(line, first, first + width) for first in range(line.stations - width))


def _begin(line: Line, windows: Sequence[Section]) -> None:
    """Guess what the neighbours will say, before they have been asked."""
    rates = line.capacities
    for window in windows:
        window.boundary[LOSE_HAND] = 0.3
        window.boundary[GAIN_HAND] = 0.8 * rates[max(window.first - 1, 0)]
        window.boundary[BE_HELD] = 0.3
        window.boundary[BE_FREED] = 0.8 * rates[min(window.last + 1, line.stations - 1)]
        _complete(window)


def _complete(window: Section) -> None:
    window.boundary[KEEP_HAND] = np.maximum(1 - window.boundary[LOSE_HAND], LEAST)
    window.boundary[STAY_FREE] = np.maximum(1 - window.boundary[BE_HELD], LEAST)


def _throughput(window: Section, p: Floats | None) -> float:
    return float(p @ window.completing(1)) if p is not None else 0.0


def _ask_before(window: Section, before: Section, p: Floats) -> None:
    """Take over what the window one station earlier knows of the records at hand for this one's first station."""
    servers = window.line.servers[window.first]
    shared = window.pipes - 1
    # what both see: the pipes and servers from this window's first station on, and who is held up at the far end
    mine, theirs = _keys(
        [
            *((window.inside(j), before.inside(j + 1)) for j in range(shared)),
            (window.held[:, shared], before.held[:, before.pipes]),
            *((window.phase(j), before.phase(j + 1)) for j in range(window.pipes)),
        ]
    )
    at_hand = before.inside(0)
    enough = at_hand >= servers
    window.boundary[LOSE_HAND] = conditional(
        theirs[enough], p[enough] * (at_hand[enough] == servers), p[enough], mine, window.boundary[LOSE_HAND]
    )
    few = at_hand < servers
    mine = mine * (servers + 1) + window.at_hand()
    theirs = theirs * (servers + 1) + np.minimum(at_hand, servers)
    window.boundary[GAIN_HAND] = conditional(
        theirs[few], p[few] * before.completing(0)[few], p[few], mine, window.boundary[GAIN_HAND]
    )
    _complete(window)


def _ask_behind(window: Section, behind: Section, p: Floats) -> None:
    """Take over what the window one station later knows of how this one's last station is held up and freed."""
    station = behind.pipes - 1
    servers = window.line.servers[window.first + 1]
    mine, theirs = _keys(
        [
            (np.minimum(window.inside(0), servers), behind.at_hand()),
            *((window.inside(j), behind.inside(j - 1)) for j in range(1, window.pipes)),
            (window.held[:, window.pipes], behind.held[:, station]),
            *((window.phase(j), behind.phase(j - 1)) for j in range(1, window.pipes + 1)),
        ]
    )
    after = behind.held_up(_one_more(behind, station))[:, station] > 0
    free = behind.held[:, station] == 0
    window.boundary[BE_HELD] = conditional(theirs[free], p[free] * after[free], p[free], mine, window.boundary[BE_HELD])
    source, target = behind.source, behind.target
    freeing = behind.held[target, station] < behind.held[source, station]
    rates = np.bincount(source[freeing], behind.rates[freeing], behind.size)
    window.boundary[BE_FREED] = conditional(
        theirs[~free], p[~free] * rates[~free], p[~free], mine, window.boundary[BE_FREED]
    )
    _complete(window)


def _one_more(section: Section, station: int) -> Ints:
    columns = section.columns.copy()
    columns[:, 1 + station] += 1
    return columns


def _keys(pairs: Sequence[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Return one number for each combination of the columns, alike for both sections."""
    mine, theirs = np.zeros(len(pairs[0][0]), dtype=np.int64), np.zeros(len(pairs[0][1]), dtype=np.int64)
    for one, other in pairs:
        radix = int(max(one.max(), other.max())) + 1
        mine, theirs = mine * radix + one, theirs * radix + other
    return mine, theirs


def conditional(theirs: Ints, part: Floats, whole: Floats, mine: Ints, otherwise: Floats) -> Floats:
    """Return Σ part / Σ whole over the states with the same key, for each of my keys.

    A key that the other side never has gets the mean over all its keys.
    """
    if len(theirs) == 0:
        return otherwise
    keys, group = np.unique(theirs, return_inverse=True)
    parts, wholes = np.bincount(group, part, len(keys)), np.bincount(group, whole, len(keys))
    place = np.minimum(np.searchsorted(keys, mine), len(keys) - 1)
    known = (keys[place] == mine) & (wholes[place] > SEEN)
    least = 0.0
    if whole.sum() > SEEN:
        overall = part.sum() / whole.sum()
        otherwise, least = np.full(len(mine), overall), LEAST * overall
    mean: Floats = np.where(known, parts[place] / np.where(wholes[place] > 0, wholes[place], 1.0), otherwise)
    return np.maximum(mean, least)


def _answer(line: Line, windows: Sequence[Section], solved: Sequence[Floats], throughputs: Floats) -> LineAnswer:
    """Take every station from the window in whose middle it is."""
    stations = []
    for index in range(line.stations):
        middle = min(range(len(windows)), key=lambda w: abs(2 * index - windows[w].first - windows[w].last))
        stations.append(Solved(windows[middle], solved[middle], index))
    mean = float(throughputs.mean())
    return LineAnswer(
        method=f"windows of {windows[0].pipes} pipes",
        exact=len(windows) == 1,
        throughput=mean,
        stations=tuple(shares_of(station) for station in stations),
        states=sum(window.size for window in windows),
        spread=float(np.ptp(throughputs) / mean),
    )

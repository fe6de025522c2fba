"""Open lines: records reach the first station at random and wait as long as need be; the other pipes are finite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.lines.description import (
    Blocking,
    Line,
    LineAnswer,
    OpenLineAnswer,
    StationShares,
    line,
)
from streamsim.analysis.queueing.lines.saturated import Method, solve_line
from streamsim.analysis.queueing.map_process import MarkovProcess, renewal
from streamsim.analysis.queueing.phase_type import exponential, fit_two_moments
from streamsim.errors import ModelError

if TYPE_CHECKING:
    from streamsim.analysis.queueing.lines.section import Section
    from streamsim.analysis.queueing.lines.servers import Floats

MOST_PHASES: Final = 600
"""Of the line times the arrivals: the matrices of the levels have the square of that, and are full."""
OPEN_APART: Final = 0.1
"""How far the throughputs of windows may differ: those behind the first see of its endless queue only its end."""
WINDOW_PHASES: Final = 300
"""The first window is solved once a round, so it is kept smaller."""


def open_line(
    arrival_rate: float,
    service_times: Sequence[float],
    waiting_places: Sequence[int],
    *,
    arrival_scv: float = 1.0,
    service_scvs: Sequence[float] | None = None,
    servers: Sequence[int] | None = None,
    blocking: Blocking = "after-service",
    method: Method = "best",
) -> OpenLineAnswer:
    """Solve a line of stations with finite pipes that records reach at random; the first pipe has no end.

    A source that a full pipe stops is another thing: give it as the first station of `saturated_line`, with its gaps as
    services.

    Parameters
    ----------
    arrival_rate : 1/s, at least 0.
    service_times, waiting_places, service_scvs, servers, blocking : as for `saturated_line`; the waiting places are
        those of the N−1 pipes between stations.
    arrival_scv : of the gaps, at least 1/200, matched by a phase-type law; 1 is Poisson.
    method : "exact" for one chain of levels, "windows" for its decomposition, "best" for the chain where the rest of
        the line, times the phases of the arrivals, has at most 600 states.

    Raises ModelError for numbers outside these ranges, and where "exact" would need a larger chain. A rate of at least
    what the line can carry is answered with `saturated`.

    Source: Neuts, Matrix-Geometric Solutions in Stochastic Models (1981), section 5.1, for two stations in tandem.

    >>> answer = open_line(0.8, [1.0, 1.0, 1.0], [10, 10])
    >>> round(answer.response_time, 4), round(answer.stations[0].blocked, 6), round(answer.largest_rate, 4)
    (15.9229, 0.031118, 0.8944)
    """
    checks.non_negative("arrival_rate", arrival_rate)
    checks.non_negative("arrival_scv", arrival_scv)
    if method not in ("best", "exact", "windows"):
        raise ModelError(f"method: {method!r} stands where 'best', 'exact' or 'windows' belongs")
    given = line(service_times, waiting_places, service_scvs=service_scvs, servers=servers, blocking=blocking)
    if arrival_rate == 0:
        return _empty(given)
    gaps = exponential(1 / arrival_rate) if arrival_scv == 1 else fit_two_moments(1 / arrival_rate, arrival_scv)
    return solve_open_line(given, renewal(gaps), method=method)


def solve_open_line(line: Line, arrivals: MarkovProcess, *, method: Method = "best") -> OpenLineAnswer:
    """Solve an open line with given laws; see `open_line`. The arrivals may be any Markovian process.

    >>> from streamsim.analysis.queueing.map_process import mmpp
    >>> alone = Line(services=(exponential(1.0),), servers=(1,), waiting_places=())
    >>> round(solve_open_line(alone, mmpp([1.6, 0.2], [[0, 0.1], [0.1, 0]])).response_time, 5)
    34.35852
    """
    from streamsim.analysis.queueing.lines.section import Section, count_states

    capacity = solve_line(line, method=method)
    rate = arrivals.rate
    if rate >= capacity.throughput:
        return _saturated(capacity)
    # the section needs a station before it, which stands for the arrivals and is never looked at
    source = exponential(1 / rate)
    fed = Line(
        services=(source, *line.services),
        servers=(1, *line.servers),
        waiting_places=(0, *line.waiting_places),
        blocking=line.blocking,
    )
    states = count_states(fed, 1, line.stations) * arrivals.phases
    if method == "windows" or (method == "best" and states > MOST_PHASES):
        return _by_windows(fed, arrivals, capacity)
    if states > MOST_PHASES:
        raise ModelError(
            f"method: the exact chain of this line has levels of {states} states where at most {MOST_PHASES} are "
            "solved; 'windows' answers it approximately"
        )
    from streamsim.analysis.queueing.lines.answer import Solved, shares_of
    from streamsim.analysis.queueing.lines.levels import solve_endless

    section = Section(fed, 1, line.stations)
    solved = solve_endless(section, arrivals)
    stations = [
        shares_of(Solved(section, solved.shares, index), solved.at_hand) for index in range(1, line.stations + 1)
    ]
    return _steady(f"levels of {states} states", rate, capacity, stations, states, exact=True)


def _by_windows(fed: Line, arrivals: MarkovProcess, capacity: LineAnswer) -> OpenLineAnswer:
    """Solve the first window by its levels and the others as those of a saturated line."""
    from streamsim.analysis.queueing.lines.answer import Solved, shares_of
    from streamsim.analysis.queueing.lines.levels import solve_endless
    from streamsim.analysis.queueing.lines.section import Section, count_states
    from streamsim.analysis.queueing.lines.steady import steady_state
    from streamsim.analysis.queueing.lines.windows import settle

    stations = fed.stations - 1
    width = 1
    for wider in range(2, min(4, stations)):
        if count_states(fed, 1, 1 + wider) * arrivals.phases <= WINDOW_PHASES:
            width = wider
    windows = [Section(fed, first, first + width) for first in range(1, fed.stations - width)]
    at_hand = 0.0

    def solve(window: Section) -> Floats:
        nonlocal at_hand
        if window is not windows[0]:
            return steady_state(window.source, window.target, window.rates, window.size)
        solved = solve_endless(window, arrivals)
        at_hand = solved.at_hand
        return solved.shares

    shares, _ = settle(fed, windows, solve, OPEN_APART)
    found = []
    for index in range(1, stations + 1):
        nearest = min(range(len(windows)), key=lambda w: abs(2 * index - windows[w].first - windows[w].last))
        chosen = 0 if index == 1 else nearest
        found.append(shares_of(Solved(windows[chosen], shares[chosen], index), at_hand if index == 1 else None))
    states = sum(window.size for window in windows)
    return _steady(f"windows of {width} pipes", arrivals.rate, capacity, found, states, exact=len(windows) == 1)


def _steady(
    method: str, rate: float, capacity: LineAnswer, stations: Sequence[StationShares], states: int, *, exact: bool
) -> OpenLineAnswer:
    in_system = math.fsum(station.in_system or 0.0 for station in stations)
    return OpenLineAnswer(
        method=method,
        exact=exact,
        saturated=False,
        largest_rate=capacity.throughput,
        throughput=rate,
        response_time=in_system / rate,
        stations=tuple(stations),
        states=states,
    )


def _saturated(capacity: LineAnswer) -> OpenLineAnswer:
    return OpenLineAnswer(
        method=capacity.method,
        exact=capacity.exact,
        saturated=True,
        largest_rate=capacity.throughput,
        throughput=capacity.throughput,
        response_time=None,
        stations=None,
        states=capacity.states,
    )


def _empty(line: Line) -> OpenLineAnswer:
    """Answer a line that nothing reaches: a lone record would meet nobody."""
    capacity = solve_line(line)
    idle = StationShares(running=0.0, blocked=0.0, starved=1.0, in_pipe=0.0, in_system=0.0)
    return msgspec.structs.replace(
        _saturated(capacity),
        saturated=False,
        throughput=0.0,
        response_time=math.fsum(law.mean for law in line.services),
        stations=(idle,) * line.stations,
    )

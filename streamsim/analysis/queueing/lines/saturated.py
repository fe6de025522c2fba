"""Saturated lines: the first station is never short of work. One chain where it is small enough, windows above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Literal

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.lines.description import Blocking, Line, LineAnswer, StationShares, line
from streamsim.errors import ModelError

if TYPE_CHECKING:
    from streamsim.analysis.queueing.lines.section import Section
    from streamsim.analysis.queueing.lines.servers import Floats

Method = Literal["best", "exact", "windows"]
MOST_STATES: Final = 100_000


def saturated_line(
    service_times: Sequence[float],
    waiting_places: Sequence[int],
    *,
    service_scvs: Sequence[float] | None = None,
    servers: Sequence[int] | None = None,
    blocking: Blocking = "after-service",
    method: Method = "best",
    most_states: int = MOST_STATES,
) -> LineAnswer:
    """Solve a line of stations with finite pipes whose first station always has work.

    Parameters
    ----------
    service_times : means, s, above 0, one a station.
    waiting_places : in each of the N−1 pipes, service not counted, at least 0.
    service_scvs : variance / mean², at least 1/200, matched by phase-type laws; 1 (exponential) where absent. A line
        whose services are all constant (all 0) is answered as well.
    servers : at least 1; one each where absent.
    blocking : "after-service" as a full pipe does (a server holds what it has finished until there is room), or
        "before-service" (it begins only when room is sure).
    method : "exact" for the Markov chain of the whole line, "windows" for its decomposition (`windows`), "best" for
        the chain where it has at most `most_states` states.
    most_states : the largest chain that is solved.

    Raises ModelError for numbers outside these ranges, and where "exact" would need a larger chain.

    >>> answer = saturated_line([1.0, 1.0, 1.0], [0, 0])
    >>> round(answer.throughput, 6), answer.exact, answer.states
    (0.564103, True, 8)
    >>> round(answer.stations[0].blocked, 6)
    0.435897
    """
    checks.whole("most_states", most_states, least=1)
    if method not in ("best", "exact", "windows"):
        raise ModelError(f"method: {method!r} stands where 'best', 'exact' or 'windows' belongs")
    if service_scvs is not None and len(service_scvs) > 0 and all(scv == 0 for scv in service_scvs):
        return _constant(service_times, waiting_places, servers, blocking)
    return solve_line(line(service_times, waiting_places, service_scvs=service_scvs, servers=servers,
                           blocking=blocking), method=method, most_states=most_states)  # fmt: skip


def solve_line(line: Line, *, method: Method = "best", most_states: int = MOST_STATES) -> LineAnswer:
    """Solve a saturated line whose services are given as phase-type laws; see `saturated_line`.

    >>> from streamsim.analysis.queueing.phase_type import erlang
    >>> smooth = Line(services=(erlang(2, 1.0),) * 2, servers=(1, 1), waiting_places=(1,))
    >>> round(solve_line(smooth).throughput, 4)
    0.8214
    """
    if line.stations == 1:
        alone = StationShares(running=1.0, blocked=0.0, starved=0.0, in_pipe=None, in_system=None)
        return LineAnswer(method="one station", exact=True, throughput=line.capacities[0], stations=(alone,), states=1)
    from streamsim.analysis.queueing.lines.section import count_states
    from streamsim.analysis.queueing.lines.windows import solve_by_windows

    states = count_states(line, 0, line.stations - 1)
    if method == "windows" or (method == "best" and states > most_states):
        return solve_by_windows(line)
    if states > most_states:
        raise ModelError(
            f"method: the exact chain of this line has {states} states where at most {most_states} are solved; "
            "'windows' answers it approximately"
        )
    return _whole(line)


def _whole(line: Line) -> LineAnswer:
    from streamsim.analysis.queueing.lines.answer import Solved, shares_of
    from streamsim.analysis.queueing.lines.section import Section

    section = Section(line, 0, line.stations - 1)
    shares = steady_of(section)
    return LineAnswer(
        method=f"Markov chain of {section.size} states",
        exact=True,
        throughput=float(shares @ section.completing(section.pipes)),
        stations=tuple(shares_of(Solved(section, shares, index)) for index in range(line.stations)),
        states=section.size,
    )


def steady_of(section: Section) -> Floats:
    """Return the steady state of a section, grouped by neighbouring pipes where it is large."""
    from streamsim.analysis.queueing.lines.steady import DIRECT, grouped, steady_state

    pipes = section.pipes
    groupings = []
    if section.size > DIRECT and pipes > 2:
        for j in range(pipes - 1):
            phases = [pipes + 2 + station for station in range(j, j + 3)]
            groupings.append(grouped(section.columns, [1 + j, 2 + j, *phases]))
    return steady_state(section.source, section.target, section.rates, section.size, groupings=groupings)


def _constant(
    service_times: Sequence[float], waiting_places: Sequence[int], servers: Sequence[int] | None, blocking: Blocking
) -> LineAnswer:
    """Answer a line of constant services: the slowest station works all the time, and nobody else waits for luck.

    Source: the max-plus recursion of departures, whose cycle time is the longest service.
    """
    shape = line(service_times, waiting_places, servers=servers, blocking=blocking)
    if any(count > 1 for count in shape.servers) or blocking != "after-service":
        raise ModelError("service_scvs: constant services are answered for one server a station, after-service")
    throughput = min(shape.capacities)
    slowest = shape.capacities.index(throughput)
    stations = []
    for index, capacity in enumerate(shape.capacities):
        idle = max(0.0, 1 - throughput / capacity)
        blocked = idle if index < slowest else 0.0
        stations.append(
            StationShares(running=1 - idle, blocked=blocked, starved=idle - blocked, in_pipe=None, in_system=None)
        )
    return LineAnswer(method="constant services", exact=True, throughput=throughput, stations=tuple(stations), states=1)

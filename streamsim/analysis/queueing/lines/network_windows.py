"""Splits and merges too large for one chain: a window for every station, each exact with what the others know.

The closure is that of `windows`: what a window does not see is asked, as a conditional chance or rate, of the window
that sees it, given all that both see. A station's window has the station and, while that stays small, those that its
senders send to as well, and the senders.
"""

from __future__ import annotations

import numpy as np

from streamsim.analysis.queueing.lines.network import FiniteAnswer, FiniteNetwork, FiniteStation
from streamsim.analysis.queueing.lines.network_chain import IDLE
from streamsim.analysis.queueing.lines.network_window import MANY, Asked, Window, window_of
from streamsim.analysis.queueing.lines.servers import Floats, Ints
from streamsim.analysis.queueing.lines.steady import steady_state
from streamsim.analysis.queueing.lines.windows import conditional
from streamsim.errors import ModelError

WIDE_STATES = 3_000
MOST_STATES = 20_000
ROUNDS = 200
PRECISION = 1e-8
ENOUGH = 1e-4


def solve_network_by_windows(network: FiniteNetwork, wide_states: int = WIDE_STATES) -> FiniteAnswer:
    """Return the steady state of a feed-forward network, blocking after service, approximately.

    Windows are widened while they stay below `wide_states`.

    Raises ModelError for loops, closed networks and other kinds of blocking, and where the windows do not settle.
    """
    order = _order(network)
    windows = {station: _window(network, station, wide_states) for station in order}
    answers = {station: [_guess(network, window, question) for question in window.asked]
               for station, window in windows.items()}  # fmt: skip
    solved: dict[int, Floats] = {}
    before, change, calm = np.zeros(len(order)), np.inf, 0
    for number in range(ROUNDS):
        for station in order if number % 2 == 0 else reversed(order):
            window = windows[station]
            for index, question in enumerate(window.asked):
                told = _told(window, question, windows, answers, solved, answers[station][index])
                answers[station][index] = told
            solved[station] = steady_state(window.source, window.target, window.rates(answers[station]), window.size)
        now = np.array([_throughput(windows[station], solved[station], station) for station in order])
        change = float(np.abs(now / np.maximum(before, 1e-300) - 1).max())
        before = now
        calm = calm + 1 if change < PRECISION else 0
        if calm == 2:  # news travels one way in each round, so one calm round proves nothing
            break
    if change > ENOUGH:
        raise ModelError(f"the windows of this network do not settle: throughput still moves by {change:.1e}")
    return _answer(network, windows, solved)


def _order(network: FiniteNetwork) -> list[int]:
    """Return the stations that are not sources, each after all that send to it."""
    if network.population is not None or network.blocking != "after-service":
        raise ModelError(
            "method: windows are for open networks that block after service; this one needs the exact chain"
        )
    count = len(network.places)
    order: list[int] = list(network.saturated)
    while len(order) < count:
        ready = [
            j for j in range(count)
            if j not in order and all(i in order for i in range(count) if network.routing[i][j] > 0)
        ]  # fmt: skip
        if not ready:
            raise ModelError(
                "routing: there is a loop; windows are for circuits without feedback, take the exact chain"
            )
        order += ready
    return [station for station in order if station not in network.saturated]


def _window(network: FiniteNetwork, station: int, wide_states: int) -> Window:
    """Return the window of a station, with others that its senders send to, and the senders, while it is small."""
    count = len(network.places)
    inside = {station}
    best = window_of(network, [station], MOST_STATES)
    while best is not None:
        senders = {i for i in range(count) for j in inside if network.routing[i][j] > 0} - inside
        beside = {j for i in senders for j in range(count) if network.routing[i][j] > 0} - inside
        wider = None
        for more in (beside, senders - set(network.saturated)):
            if more and wider is None:
                wider = window_of(network, sorted(inside | more), wide_states)
                inside = inside | more if wider is not None else inside
        if wider is None:
            return best
        best = wider
    raise ModelError(
        f"the window of station {station} has more than {MOST_STATES} states; fewer places, senders or phases would do"
    )


def _guess(network: FiniteNetwork, window: Window, question: Asked) -> Floats:
    rate = 1 / network.services[question.station].mean
    values = {"more": 0.7, "held": 0.2, "gain": 0.7 * rate, "freed": 0.7 * rate}
    return np.full(window.size, values[question.what])


def _told(
    window: Window,
    question: Asked,
    windows: dict[int, Window],
    answers: dict[int, list[Floats]],
    solved: dict[int, Floats],
    otherwise: Floats,
) -> Floats:
    """Ask the window that sees what the question is about, and shares most with this one."""
    wanted = question.station if question.what in ("more", "gain") else question.other
    able = [s for s in solved if wanted in windows[s].inside and question.station in windows[s].stations]
    if not able:
        return otherwise
    chosen = max(able, key=lambda s: len(set(windows[s].stations) & set(window.stations)))
    other, p = windows[chosen], solved[chosen]
    place = other.stations.index(question.station)
    there, doing = other.coming[:, place], other.doing[:, place]
    if question.what == "more":
        part, whole = p * (there > MANY), p * (there >= MANY)
    elif question.what == "held":
        target = other.stations.index(question.other)
        whole = p * (doing > IDLE)
        part = whole * (other.there[:, target] >= other.network.places[question.other])
    else:
        rates = other.rates(answers[chosen])
        source, target_state = other.source, other.target
        if question.what == "gain":
            happens = there[target_state] > there[source]
            states = there == question.other
        else:
            held = -1 - question.other
            # it may be held again at once only by going through a service, so leaving shows as another doing
            happens = (doing[source] == held) & (doing[target_state] != held)
            states = doing == held
        flow = np.bincount(source[happens], rates[happens], other.size)
        part, whole = p * flow * states, p * states
    mine, theirs = _shared(window, other)
    seen = whole > 0
    return conditional(theirs[seen], part[seen], whole[seen], mine, otherwise)


def _shared(window: Window, other: Window) -> tuple[Ints, Ints]:
    """Return a number for each combination of what both windows see."""
    columns: list[tuple[Ints, Ints]] = []
    for station in sorted(set(window.stations) & set(other.stations)):
        here, there = window.stations.index(station), other.stations.index(station)
        one, two = window.coming[:, here], other.coming[:, there]
        if station not in window.inside or station not in other.inside:
            one, two = np.minimum(one, MANY), np.minimum(two, MANY)
        columns += [(one, two), (window.doing[:, here], other.doing[:, there])]
    mine, theirs = np.zeros(window.size, dtype=np.int64), np.zeros(other.size, dtype=np.int64)
    for one, two in columns:
        low = min(one.min(), two.min())
        radix = int(max(one.max(), two.max()) - low) + 1
        mine, theirs = mine * radix + one - low, theirs * radix + two - low
    return mine, theirs


def _throughput(window: Window, p: Floats, station: int) -> float:
    law = window.network.services[station]
    ends = np.array([0.0, *law.exits])
    return float(p @ ends[np.maximum(window.doing[:, window.stations.index(station)], 0)])


def _answer(network: FiniteNetwork, windows: dict[int, Window], solved: dict[int, Floats]) -> FiniteAnswer:
    stations: list[FiniteStation] = []
    lost = 0.0
    for station in range(len(network.places)):
        seeing = [s for s, window in windows.items() if station in window.stations]
        if not seeing:
            raise ModelError(f"routing: station {station} sends to nobody and gets nothing; it is no part of a network")
        # downstream windows see what holds a station, its own sees what is there
        chosen = station if station in windows else seeing[0]
        window, p = windows[chosen], solved[chosen]
        place = window.stations.index(station)
        doing = window.doing[:, place]
        held = tuple(float(p @ (doing == -1 - j)) for j in range(len(network.places)))
        running = float(p @ (doing > IDLE))
        source = station in network.saturated
        stations.append(
            FiniteStation(
                throughput=_throughput(window, p, station),
                running=running,
                blocked=sum(held),
                starved=max(0.0, 1 - running - sum(held)),
                held_by=held,
                in_system=1.0 if source else float(p @ window.there[:, place]),
            )
        )
        rate = network.arrival_rates[station]
        if rate > 0:
            lost += rate * float(p @ (window.there[:, place] >= network.places[station]))
    throughput = sum(one.throughput * network.leaves(index) for index, one in enumerate(stations))
    return FiniteAnswer(
        method=f"windows of up to {max(len(window.inside) for window in windows.values())} stations",
        exact=False,
        throughput=throughput,
        lost=lost,
        stations=tuple(stations),
        states=sum(window.size for window in windows.values()),
    )

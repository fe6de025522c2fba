"""The Markov chain of a network with finite places, state by state, and what its steady state says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamsim.analysis.queueing.lines.network import FiniteAnswer, FiniteNetwork, FiniteStation
from streamsim.analysis.queueing.lines.servers import Floats, Ints
from streamsim.analysis.queueing.lines.steady import DIRECT, grouped, steady_state
from streamsim.errors import ModelError

Bools = NDArray[np.bool_]

IDLE = 0


class TooLarge(ModelError):
    """The chain has more states than are solved."""


class State(NamedTuple):
    """Records at each station; what each server does (a phase from 1, `IDLE`, or −1−j: held by j); who waits for j."""

    there: tuple[int, ...]
    doing: tuple[int, ...]
    waiting: tuple[tuple[int, ...], ...]


class Draft:
    """A state that is being changed."""

    def __init__(self, network: FiniteNetwork, state: State) -> None:
        self.network = network
        self.there, self.doing = list(state.there), list(state.doing)
        self.waiting = [list(order) for order in state.waiting]

    def has_room(self, station: int) -> bool:
        """Whether one more record fits."""
        return self.there[station] < self.network.places[station]

    def leave(self, station: int) -> None:
        """Take the served record away; the first that waits for its place moves in, and so on upstream."""
        self.doing[station] = IDLE
        if station in self.network.saturated:
            return
        self.there[station] -= 1
        if self.waiting[station]:
            first = self.waiting[station].pop(0)
            self.there[station] += 1
            self.leave(first)

    def may_begin(self, station: int) -> bool:
        """Whether an idle server has a record, and room for it where that is asked before service."""
        if self.doing[station] != IDLE or not (self.there[station] or station in self.network.saturated):
            return False
        if self.network.blocking != "before-service":
            return True
        return all(self.has_room(j) for j, chance in enumerate(self.network.routing[station]) if chance > 0)

    def frozen(self) -> State:
        """Return the state as it is now."""
        return State(tuple(self.there), tuple(self.doing), tuple(map(tuple, self.waiting)))

    def begun(self) -> Iterator[tuple[float, State]]:
        """Begin every service that can begin, in each of its phases with its chance."""
        able = [station for station in range(len(self.there)) if self.may_begin(station)]
        if not able:
            yield 1.0, self.frozen()
            return
        station = able[0]
        for phase, chance in enumerate(self.network.services[station].initial):
            if chance > 0:
                self.doing[station] = phase + 1
                for more, state in Draft(self.network, self.frozen()).begun():
                    yield chance * more, state
        self.doing[station] = IDLE


def moves(network: FiniteNetwork, state: State) -> Iterator[tuple[float, State]]:
    """Yield every transition out of a state: its rate (1/s) and the state that follows."""
    for station, rate in enumerate(network.arrival_rates):
        draft = Draft(network, state)
        if rate > 0 and draft.has_room(station):
            draft.there[station] += 1
            yield from ((rate * chance, after) for chance, after in draft.begun())
    for station, phase in enumerate(state.doing):
        if phase <= IDLE:
            continue
        law = network.services[station]
        for other, rate in enumerate(law.generator[phase - 1]):
            if rate > 0:
                doing = (*state.doing[:station], other + 1, *state.doing[station + 1 :])
                yield rate, state._replace(doing=doing)
        ends = law.exits[phase - 1]
        if ends > 0:
            for chance, draft in _ended(network, state, station):
                yield from ((ends * chance * begun, after) for begun, after in draft.begun())


def _ended(network: FiniteNetwork, state: State, station: int) -> Iterator[tuple[float, Draft]]:
    """Yield where a record can go that a station has just served, with its chance and what becomes of the state."""
    leaving = network.leaves(station)
    if leaving > 0:
        draft = Draft(network, state)
        draft.leave(station)
        yield leaving, draft
    for target, chance in enumerate(network.routing[station]):
        if chance <= 0:
            continue
        draft = Draft(network, state)
        if target == station:
            draft.doing[station] = IDLE  # it goes to the end of its own queue, so nobody else gains a place
        elif draft.has_room(target):
            draft.there[target] += 1
            draft.leave(station)
        elif network.blocking == "repetitive":
            draft.doing[station] = IDLE
        else:
            draft.doing[station] = -1 - target
            draft.waiting[target].append(station)
        yield chance, draft


def _start(network: FiniteNetwork) -> State:
    count = len(network.places)
    there = [0] * count
    left = network.population or 0
    for station, room in enumerate(network.places):
        there[station] = min(left, room)
        left -= there[station]
    empty = State(tuple(there), (IDLE,) * count, ((),) * count)
    return next(state for _, state in Draft(network, empty).begun())


def solve_chain(network: FiniteNetwork, most_states: int) -> FiniteAnswer:
    """Return the steady state of a network.

    Raises TooLarge for more than `most_states` states, and ModelError for a network that can come to stand still.
    """
    places: dict[State, int] = {_start(network): 0}
    states = list(places)
    source, target, rate = [], [], []
    for number, state in enumerate(states):
        moved = False
        for speed, after in moves(network, state):
            if after not in places:
                if len(states) >= most_states:
                    raise TooLarge(f"the exact chain of this network has more than {most_states} states")
                places[after] = len(states)
                states.append(after)
            source.append(number)
            target.append(places[after])
            rate.append(speed)
            moved = moved or places[after] != number
        if not moved and (len(states) > 1 or number):
            raise ModelError(
                f"the network can come to stand still for ever, with {state.there} records at its stations and nobody"
                " free to go on; it needs more places or fewer records"
            )
    there, doing = np.array([state.there for state in states]), np.array([state.doing for state in states])
    groupings = _groupings(network, there, doing) if len(states) > DIRECT else []
    p = steady_state(np.array(source), np.array(target), np.array(rate), len(states), groupings=groupings)
    return _answer(network, p, there, doing)


def _groupings(network: FiniteNetwork, there: Ints, doing: Ints) -> list[Ints]:
    """Return a grouping for every pair of stations that send to each other."""
    columns = np.concatenate([there, doing - doing.min()], axis=1)
    count = len(network.places)
    pairs = [(i, j) for i in range(count) for j in range(count) if i != j and network.routing[i][j] > 0]
    return [grouped(columns, [i, j, count + i, count + j]) for i, j in pairs]


def _answer(network: FiniteNetwork, p: Floats, there: Ints, doing: Ints) -> FiniteAnswer:
    stations = []
    leaving = []
    room = there < np.array(network.places)
    for i, law in enumerate(network.services):
        ends = np.array([0.0, *law.exits])[np.maximum(doing[:, i], 0)]
        if network.blocking == "repetitive":
            passes = network.leaves(i) + sum(
                chance * (room[:, j] | (j == i)) for j, chance in enumerate(network.routing[i])
            )
            ends = ends * passes
        throughput = float(p @ ends)
        held = tuple(float(p @ _is_held(network, there, doing, i, j)) for j in range(len(network.places)))
        running = float(p @ (doing[:, i] > IDLE))
        blocked = sum(held)
        leaving.append(throughput * network.leaves(i))
        stations.append(
            FiniteStation(
                throughput=throughput,
                running=running,
                blocked=blocked,
                starved=max(0.0, 1 - running - blocked),
                held_by=held,
                in_system=1.0 if i in network.saturated else float(p @ there[:, i]),
            )
        )
    lost = sum(rate * float(p @ ~room[:, i]) for i, rate in enumerate(network.arrival_rates) if rate > 0)
    return FiniteAnswer(
        method=f"Markov chain of {len(p)} states",
        exact=True,
        throughput=stations[0].throughput if network.population is not None else float(sum(leaving)),
        lost=float(lost),
        stations=tuple(stations),
        states=len(p),
    )


def _is_held(network: FiniteNetwork, there: Ints, doing: Ints, station: int, target: int) -> Bools:
    """Tell the states in which a target keeps a station from going on."""
    if network.blocking == "before-service" and network.routing[station][target] > 0:
        has_work = (there[:, station] > 0) | (station in network.saturated)
        return np.asarray((doing[:, station] == IDLE) & has_work)
    return np.asarray(doing[:, station] == -1 - target)

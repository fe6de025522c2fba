"""A window of a network: some stations with all that is at them, and their senders seen from one side only.

Of a sender only what it is doing is kept, and whether no, one or more records are there. What the window does not see
enters as factors of its rates: whether a sender that has more than one record has more than two, when one reaches it,
whether a record sent out of the window finds a place, and when that place is free.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from streamsim.analysis.queueing.lines.network import FiniteNetwork
from streamsim.analysis.queueing.lines.network_chain import IDLE, State
from streamsim.analysis.queueing.lines.servers import Floats, Ints
from streamsim.errors import ModelError

MANY = 2
"""Records at a sender are told apart up to this number: none, one, more."""


class Asked(NamedTuple):
    """One thing that a window must ask of others: of which station, towards which, and with how many there."""

    what: str  # "more": still more than one after one left; "gain": one comes; "held": no place; "freed": a place
    station: int
    other: int


class Move(NamedTuple):
    """A transition: rate, the factors that it is multiplied by (1 − factor where negative), and where it leads."""

    rate: float
    factors: tuple[tuple[Asked, bool], ...]
    state: State


@dataclass(frozen=True)
class Window:
    """The chain of a window; `asked` are its questions, `use` which of them each transition is multiplied by.

    `there` counts the records at each station, `coming` also those that others hold for it: as soon as it has a place
    they are there, so that is what counts of a sender.
    """

    network: FiniteNetwork
    inside: tuple[int, ...]
    stations: tuple[int, ...]
    there: Ints
    coming: Ints
    doing: Ints
    source: Ints
    target: Ints
    base: Floats
    asked: tuple[Asked, ...]
    use: tuple[tuple[Ints, Ints, bool], ...]

    @property
    def size(self) -> int:
        """The number of states."""
        return len(self.there)

    def rates(self, answers: Sequence[Floats]) -> Floats:
        """Return all rates (1/s), given an answer in every state for each question."""
        rates = self.base.copy()
        for rows, question, positive in self.use:
            values = np.stack(answers)[question, self.source[rows]] if len(rows) else np.zeros(0)
            rates[rows] *= values if positive else 1 - values
        return rates


class _Draft:
    """A state of a window that is being changed, with the factors that its chance has taken on."""

    def __init__(self, window: _Rules, state: State, factors: tuple[tuple[Asked, bool], ...] = ()) -> None:
        self.rules, self.factors = window, factors
        self.there, self.doing = list(state.there), list(state.doing)
        self.waiting = [list(order) for order in state.waiting]

    def frozen(self) -> State:
        return State(tuple(self.there), tuple(self.doing), tuple(map(tuple, self.waiting)))

    def copy(self, *factors: tuple[Asked, bool]) -> _Draft:
        return _Draft(self.rules, self.frozen(), (*self.factors, *factors))

    def left(self, place: int) -> Iterator[_Draft]:
        """Yield what can follow when the served record of a station has left."""
        rules = self.rules
        station = rules.stations[place]
        self.doing[place] = IDLE
        if place < len(rules.inside):
            self.there[place] -= 1
            if self.waiting[place]:
                first = self.waiting[place].pop(0)
                self.there[place] += 1
                yield from self.left(rules.place[first])
            else:
                yield self
        elif station in rules.network.saturated:
            yield self
        elif self.there[place] < MANY:
            self.there[place] -= 1
            yield self
        else:
            question = Asked("more", station, MANY)
            yield self.copy((question, True))
            fewer = self.copy((question, False))
            fewer.there[place] -= 1
            yield fewer

    def begun(self, rate: float) -> Iterator[Move]:
        """Begin every service that can begin."""
        for place, station in enumerate(self.rules.stations):
            if self.doing[place] == IDLE and self.there[place] > 0:
                for phase, chance in enumerate(self.rules.network.services[station].initial):
                    if chance > 0:
                        next_one = self.copy()
                        next_one.doing[place] = phase + 1
                        yield from next_one.begun(rate * chance)
                return
        yield Move(rate, self.factors, self.frozen())


class _Rules:
    """What can happen in a window."""

    def __init__(self, network: FiniteNetwork, inside: Sequence[int]) -> None:
        senders = {i for i, row in enumerate(network.routing) if any(row[j] > 0 for j in inside)} - set(inside)
        self.network, self.inside = network, tuple(inside)
        self.stations = (*self.inside, *sorted(senders))
        self.place = {station: index for index, station in enumerate(self.stations)}

    def start(self) -> State:
        network = self.network
        there = tuple(MANY if station in network.saturated else 0 for station in self.stations)
        empty = State(there, (IDLE,) * len(there), ((),) * len(self.inside))
        return next(move.state for move in _Draft(self, empty).begun(1.0))

    def moves(self, state: State) -> Iterator[Move]:
        network = self.network
        for place, station in enumerate(self.stations):
            rate = network.arrival_rates[station]
            seen = place < len(self.inside)
            if seen and rate > 0 and state.there[place] < network.places[station]:
                draft = _Draft(self, state)
                draft.there[place] += 1
                yield from draft.begun(rate)
            if not seen and station not in network.saturated and state.there[place] < MANY:
                draft = _Draft(self, state, ((Asked("gain", station, state.there[place]), True),))
                draft.there[place] += 1
                yield from draft.begun(1.0)
            yield from self._served(state, place, station)

    def _served(self, state: State, place: int, station: int) -> Iterator[Move]:
        doing = state.doing[place]
        if doing < IDLE:
            holder = -1 - doing
            if holder not in self.inside:
                freed = _Draft(self, state, ((Asked("freed", station, holder), True),))
                for after in freed.left(place):
                    yield from after.begun(1.0)
            return
        if doing == IDLE:
            return
        law = self.network.services[station]
        for other, rate in enumerate(law.generator[doing - 1]):
            if rate > 0:
                yield Move(rate, (), state._replace(doing=(*state.doing[:place], other + 1, *state.doing[place + 1 :])))
        ends = law.exits[doing - 1]
        if ends > 0:
            for chance, draft in self._sent(state, place, station):
                yield from draft.begun(ends * chance)

    def _sent(self, state: State, place: int, station: int) -> Iterator[tuple[float, _Draft]]:
        network = self.network
        leaving = network.leaves(station)
        if leaving > 0:
            yield from ((leaving, after) for after in _Draft(self, state).left(place))
        for target, chance in enumerate(network.routing[station]):
            if chance <= 0:
                continue
            draft = _Draft(self, state)
            if target in self.inside:
                into = self.place[target]
                if draft.there[into] < network.places[target]:
                    draft.there[into] += 1
                    yield from ((chance, after) for after in draft.left(place))
                else:
                    draft.doing[place] = -1 - target
                    draft.waiting[into].append(station)
                    yield chance, draft
            else:
                question = Asked("held", station, target)
                held = draft.copy((question, True))
                held.doing[place] = -1 - target
                yield chance, held
                yield from ((chance, after) for after in draft.copy((question, False)).left(place))


def window_of(network: FiniteNetwork, inside: Sequence[int], most_states: int) -> Window | None:
    """Return the chain of a window, or None where it has more states than `most_states`."""
    rules = _Rules(network, inside)
    places = {rules.start(): 0}
    states = list(places)
    source, target, base = [], [], []
    factors: list[tuple[tuple[Asked, bool], ...]] = []
    for number, state in enumerate(states):
        for move in rules.moves(state):
            if move.state not in places:
                if len(states) >= most_states:
                    return None
                places[move.state] = len(states)
                states.append(move.state)
            source.append(number)
            target.append(places[move.state])
            base.append(move.rate)
            factors.append(move.factors)
    asked = sorted({question for used in factors for question, _ in used})
    index = {question: number for number, question in enumerate(asked)}
    use = []
    for position in range(max(map(len, factors), default=0)):
        for positive in (True, False):
            rows = [i for i, used in enumerate(factors) if len(used) > position and used[position][1] is positive]
            questions = [index[factors[i][position][0]] for i in rows]
            use.append((np.array(rows, dtype=np.int64), np.array(questions, dtype=np.int64), positive))
    there = np.array([state.there for state in states])
    extra = [0] * (len(rules.stations) - len(rules.inside))
    if not source:
        raise ModelError(f"routing: nothing ever happens at stations {list(inside)}; nobody sends them anything")
    return Window(
        network=network,
        inside=rules.inside,
        stations=rules.stations,
        there=there,
        coming=there + np.array([[*map(len, state.waiting), *extra] for state in states]),
        doing=np.array([state.doing for state in states]),
        source=np.array(source),
        target=np.array(target),
        base=np.array(base),
        asked=tuple(asked),
        use=tuple(use),
    )

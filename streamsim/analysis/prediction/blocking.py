"""Saturated circuits with finite pipes, record by record: how much blocking and starvation cost, in milliseconds.

Every pipe is answered alone, with what feeds it and what empties it as one server each: the time of either is the
station's own and what it loses, for each record of this pipe, at all its other pipes. The flow through all pipes must
agree, and that fixes the times. For lines this is the decomposition of Choong and Gershwin, "A decomposition method for
the approximate evaluation of capacitated transfer lines with unreliable machines and random processing times", IIE
Transactions 19 (1987); for trees of splits and joins see Gershwin, "Assembly/disassembly systems", IIE Transactions 23
(1991). Two-server lines are those of M/M/1/K, with K stretched by how little service scatters (heavy traffic).

Where one station deals, copies or sends by key to several, the branches hold each other up through it, as if they stood
in a line with their pipes between them (Ammar and Gershwin, "Equivalence relations in queueing models of fork/join
networks with blocking", Performance Evaluation 10, 1989): such a *knot* is answered as a whole, its ends put together
one by one. A station that takes no time is part of the knot, not an end of it.

It is what elasticities and what-ifs need: smooth, and right about who holds back whom; `queueing.lines` is more exact
and a thousand times slower.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from streamsim.analysis.prediction.rooms import Joint, Server, room, scatters, stretched, two

ROUNDS = 100
SETTLED = 1e-6
DAMPING = 0.5
CALM = 4
"""Rounds without news, there and back twice, after which nothing more is to come."""
LARGE = 300
"""Where every pipe has so much room, blocking costs less than a three-hundredth, and nothing is computed."""


def saturated_throughput(stations: Sequence[Server], pipes: Sequence[Joint]) -> float:
    """Return the records of the circuit per second that get through, where every source gives as fast as it may.

    Exact for two exponential stations of one server (M/M/1/K, blocking after service), and without limit of places.
    Infinite where no record takes any time.

    >>> round(saturated_throughput([Server(1.0), Server(1.0)], [Joint(0, 1, 2)]), 5)
    0.8
    >>> round(saturated_throughput([Server(1.0), Server(2.0, servers=4)], [Joint(0, 1, math.inf)]), 9)
    1.0
    """
    cycle = _Decomposition(stations, pipes).cycle()
    return 1 / cycle if cycle > 0 else math.inf


class _Decomposition:
    """Times are seconds for each record of the circuit; ``blocked`` and ``starved`` is what a pipe costs its ends."""

    def __init__(self, stations: Sequence[Server], pipes: Sequence[Joint]) -> None:
        self.pipes = pipes
        self.own = [one.time * one.visits / one.servers for one in stations]
        self.slowest = max(self.own)
        self.giving, self.taking = (scatters(stations, pipes, giving=one) for one in (True, False))
        self.rooms = [
            room(
                stations[pipe.upstream],
                stations[pipe.downstream],
                pipe,
                (self.giving[pipe.upstream] + self.taking[pipe.downstream]) / 2,
            )
            for pipe in pipes
        ]
        self.inputs: list[list[int]] = [[] for _ in stations]
        self.outputs: list[list[int]] = [[] for _ in stations]
        for number, pipe in enumerate(pipes):
            self.outputs[pipe.upstream].append(number)
            self.inputs[pipe.downstream].append(number)
        self.merges = [one.merges and len(self.inputs[place]) > 1 for place, one in enumerate(stations)]
        self.blocked = [0.0] * len(pipes)
        self.starved = [0.0] * len(pipes)
        self.period = [self.slowest] * len(pipes)
        self.idle = [0.0] * len(stations)
        self.above: dict[int, float] = {}
        self.below: dict[int, float] = {}
        """What the knot before (behind) a pipe needs without what is behind (before) the pipe."""
        self.knots = self._knots(stations)
        inside = {number for knot in self.knots.values() for number in knot.pipes}
        # in the order of the circuit: knots by their stations, the other pipes by what they leave
        self.turns: list[tuple[bool, int]] = []
        for place in range(len(stations)):
            if place in self.knots:
                self.turns.append((True, place))
            self.turns += [(False, number) for number in self.outputs[place] if number not in inside]

    def _knots(self, stations: Sequence[Server]) -> dict[int, _Knot]:
        found = {}
        for place, one in enumerate(stations):
            inputs, outputs = self.inputs[place], self.outputs[place]
            passes = self.own[place] <= 0 and len(inputs) == 1
            if (passes and len(outputs) == 1) or (len(outputs) > 1 and one.shares != "least"):
                found[place] = _Knot(
                    stations, self.pipes, place, inputs[0] if passes else None, outputs, self.giving, self.taking
                )
        return found

    def cycle(self) -> float:
        """Return the time between two records of the circuit (s)."""
        if self.slowest <= 0 or min(self.rooms, default=math.inf) >= LARGE:
            return self.slowest
        calm, pace = 0, 0.0
        for turn in range(ROUNDS):  # to and fro: what is blocked travels upstream, what is starved downstream
            order = self.turns if turn % 2 == 0 else reversed(self.turns)
            moved = max([self._tie(one) if knot else self._settle(one) for knot, one in order], default=0.0)
            before, pace = pace, sum(self.period)
            # in a ring of pipes who loses what at which is not settled, only how much everybody loses
            calm = calm + 1 if abs(pace - before) <= SETTLED * pace else 0
            if moved <= SETTLED * self.slowest or calm == CALM:
                break
        passing = {place for place, knot in self.knots.items() if knot.source is not None}
        return max(self._busy(place) + self.idle[place] for place in range(len(self.own)) if place not in passing)

    def _busy(self, place: int, but: int = -1) -> float:
        """Return what a station needs for itself and loses at its outputs, all but one."""
        return self.own[place] + sum(self.blocked[number] for number in self.outputs[place] if number != but)

    def _settle(self, number: int) -> float:
        """Answer one pipe alone with what is known of its ends; return how far that moved its losses."""
        above, below = self._above(number), self._below(number)
        found = two(above, below, self.rooms[number])
        return max(self._block(number, found, above), self._starve(number, found, below))

    def _tie(self, place: int) -> float:
        """Answer a knot with what is known of its ends; return how far that moved their losses."""
        knot = self.knots[place]
        source = knot.source
        own = self._above(source) if source is not None else self.own[place] + self.idle[place]
        ends = [own, *(self._below(number) for number in knot.outputs)]
        found = knot.together(ends)
        if source is None:
            moved = self._block(knot.outputs[0], found, own)  # on one of them what all of them cost
        else:
            self.below[source] = knot.together(ends, but=0)
            moved = max(self._block(source, found, own), self._starve(source, found, self.below[source]))
        for end, number in enumerate(knot.outputs, start=1):
            self.above[number] = knot.together(ends, but=end)
            moved = max(moved, self._starve(number, found, ends[end]))
        return moved

    def _block(self, number: int, found: float, above: float) -> float:
        step = DAMPING * (found - above - self.blocked[number])
        self.blocked[number] += step
        return abs(step)

    def _starve(self, number: int, found: float, below: float) -> float:
        step = DAMPING * (found - below - self.starved[number])
        self.starved[number] += step
        self.period[number] += DAMPING * (found - self.period[number])
        reader = self.pipes[number].downstream
        inputs = self.inputs[reader]
        if self.merges[reader]:
            self.idle[reader] = max(0.0, max(self.period[one] for one in inputs) - self._busy(reader))
        else:
            self.idle[reader] = sum(self.starved[one] for one in inputs)
        return abs(step)

    def _above(self, number: int) -> float:
        """Return how fast a pipe is filled where nothing behind it holds that up."""
        if number in self.above:
            return self.above[number]
        upstream = self.pipes[number].upstream
        return self._busy(upstream, but=number) + self.idle[upstream]

    def _below(self, number: int) -> float:
        """Return how fast the reader empties a pipe: of a merge what its other inputs leave of it."""
        if number in self.below:
            return self.below[number]
        reader = self.pipes[number].downstream
        busy = self._busy(reader)
        if not self.merges[reader]:
            return busy + sum(self.starved[one] for one in self.inputs[reader] if one != number)
        if busy <= 0:
            return 0.0
        whole = sum(self.pipes[one].visits for one in self.inputs[reader])
        own = self.pipes[number].visits
        period = max(busy, *(self.period[one] for one in self.inputs[reader]))
        return own / (whole / busy - (whole - own) / period)


class _Knot:
    """A station that shares out, or only passes on, with its ends: what gives to it, and what each output leads to.

    ``source`` is the pipe into it where it takes no time itself: whoever writes there is an end then. Else it is one.
    """

    def __init__(
        self,
        stations: Sequence[Server],
        pipes: Sequence[Joint],
        place: int,
        source: int | None,
        outputs: list[int],
        giving: Sequence[float],
        taking: Sequence[float],
    ) -> None:
        self.source, self.outputs = source, outputs
        self.pipes = outputs if source is None else [source, *outputs]
        one = stations[place]
        giver = one if source is None else stations[pipes[source].upstream]
        before = 0.0 if source is None else pipes[source].places + 1
        readers = [stations[pipes[number].downstream] for number in outputs]
        parts = [min(1.0, pipes[number].visits / one.visits) if one.visits else 1.0 for number in outputs]
        held = [0.0, *(pipes[number].places for number in outputs)]
        counts = [giver.servers, *(reader.servers for reader in readers)]
        # by key it scatters, too, how many of the records come this way
        drawn = [0.0, *(1 - part if one.shares == "random" else 0.0 for part in parts)]
        own = [giving[place], *(taking[pipes[number].downstream] for number in outputs)]
        self.rooms = [[math.inf] * len(held) for _ in held]
        for i in range(len(held)):
            for j in range(i + 1, len(held)):
                mine = own[i] + drawn[i]
                if i == 0:  # what gives, in the time of one record of the branch
                    mine = own[0] * parts[j - 1] + drawn[j]
                scatter = (mine + own[j] + (drawn[j] if i else 0.0)) / 2
                places = held[i] + held[j] + (before if i == 0 else 0.0)
                room = stretched(places + counts[i] + counts[j] - 1, scatter)
                self.rooms[i][j] = self.rooms[j][i] = room

    def together(self, ends: Sequence[float], but: int = -1) -> float:
        """Return the time between records of all ends (s each), from the slowest on, or of all but one."""
        order = sorted((end for end in range(len(ends)) if end != but), key=lambda end: -ends[end])
        first = order[0]
        found = ends[first]
        for end in order[1:]:
            found = two(found, ends[end], self.rooms[first][end])
        return found

"""One simulation of a table, whatever engine runs it: records that have left, in blocks, and sums by station."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from streamsim.errors import ModelError, nearest
from streamsim.models.records import layout as at
from streamsim.models.records.engine import Kernel
from streamsim.models.records.maxplus import MaxPlus, refusal
from streamsim.models.records.states import BLOCKED, RUNNABLE, RUNNING, WAITING
from streamsim.models.records.table import Table

if TYPE_CHECKING:
    from streamsim.models.records.interpret import Interpreter

Array = NDArray[np.float64]

ENGINES = ("maxplus", "compiled", "simpy")
_NOTHING = np.zeros(0)
BLOCK = 4096
"""Records that the kernel and SimPy answer at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Totals:
    """Sums since the start, one entry a station (servers together): times in s, ``held`` in record-seconds.

    ``cpu_s`` are the core-seconds of service, ``runnable_s`` what more it took, waking up and waiting for a core.

    ``held`` is what waited in the pipes before a station or was interrupted, ``in_pipe`` what waited in each pipe;
    NaN where a pipe counts bytes rather than records, or where the engine does not tell the inputs of a station apart.
    """

    taken: NDArray[np.int64]
    cpu_s: Array
    runnable_s: Array
    waiting_s: Array
    blocked_s: Array
    held: Array
    in_pipe: Array

    @property
    def inside(self) -> Array:
        """Record-seconds at each station and in the pipes before it."""
        return self.held + self.cpu_s + self.runnable_s + self.waiting_s + self.blocked_s

    def since(self, before: Totals) -> Totals:
        """Return the sums of the time since an earlier moment."""
        fields = [field.name for field in dataclasses.fields(self)]
        return Totals(**{name: getattr(self, name) - getattr(before, name) for name in fields})


class Run(Protocol):
    """A simulation that goes on for as long as it is asked to."""

    def advance(self, most: int) -> tuple[Array, Array]:
        """Return when the next records were due and when they left (s): at most so many, none at the end."""
        ...

    def origins(self) -> NDArray[np.int64] | None:
        """Return the source of each record that `advance` answered last; None where there is one source alone."""
        ...

    def totals(self) -> Totals:
        """Return the sums so far."""
        ...


def choose(table: Table, wanted: str = "auto") -> tuple[str, str]:
    """Return the engine for a table and why, in words.

    Raises ModelError where the engine that is `wanted` cannot run it.

    >>> from streamsim.models.records.table import Pipe, Source, Station
    >>> stations = (Station(name="make", source=Source(records=9)), Station(name="take"))
    >>> choose(Table(stations=stations, pipes=(Pipe(upstream=0, downstream=1),)))
    ('maxplus', 'no route and no order depends on time')
    """
    reason = refusal(table)
    if wanted == "auto":
        return ("maxplus", "no route and no order depends on time") if reason is None else ("compiled", reason)
    if wanted not in ENGINES:
        raise ModelError(f"there is no engine {wanted!r}{nearest(wanted, ENGINES)} (known: {', '.join(ENGINES)})")
    if wanted == "maxplus" and reason is not None:
        raise ModelError(f"max-plus recursions cannot run this: {reason}; --engine compiled can")
    return wanted, "asked for"


def several_sources(table: Table) -> bool:
    """Whether records come from more than one source."""
    return sum(row.source is not None for row in table.stations) > 1


def open_run(table: Table, engine: str, seed: np.random.SeedSequence) -> Run:
    """Begin a simulation with the engine of that name."""
    match engine:
        case "maxplus":
            return _MaxPlusRun(table, seed)
        case "compiled":
            return _KernelRun(table, seed)
        case "simpy":
            return _SimpyRun(table, seed)
    raise ModelError(f"there is no engine {engine!r}{nearest(engine, ENGINES)}")


class _MaxPlusRun:
    def __init__(self, table: Table, seed: np.random.SeedSequence) -> None:
        self._engine = MaxPlus(table, seed)

    def advance(self, most: int) -> tuple[Array, Array]:
        return self._engine.advance(most)

    def origins(self) -> NDArray[np.int64] | None:
        return None

    def totals(self) -> Totals:
        engine, table = self._engine, self._engine.table
        delays = np.array([station.delay_s for station in table.stations])
        return Totals(
            taken=engine.passed.copy(),
            cpu_s=engine.busy_s.copy(),
            runnable_s=np.zeros(len(table.stations)),
            waiting_s=engine.passed * delays,
            blocked_s=engine.blocked_s.copy(),
            held=engine.waited_s.copy(),
            in_pipe=np.array(
                [
                    engine.waited_s[pipe.downstream] if len(table.inputs(pipe.downstream)) == 1 else np.nan
                    for pipe in table.pipes
                ]
            ),
        )


class _KernelRun:
    def __init__(self, table: Table, seed: np.random.SeedSequence) -> None:
        self._engine = Kernel(table, seed, log="exits")
        self._run = steered(self._engine)
        self._more = True
        self._several = several_sources(table)
        self._origins: NDArray[np.int64] | None = None

    def advance(self, most: int) -> tuple[Array, Array]:
        engine = self._engine
        before = engine.exited
        while self._more and engine.exited == before:
            self._more = self._run(exits=before + min(most, BLOCK))
        numbers, times = engine.exits()
        engine.forget()
        self._origins = numbers[:, 1] if self._several else None
        return times[:, 1].copy(), times[:, 0].copy()

    def origins(self) -> NDArray[np.int64] | None:
        return self._origins

    def totals(self) -> Totals:
        engine, table = self._engine, self._engine.table
        states: list[list[float]] = []
        first = 0
        for number in range(len(table.stations)):
            servers = engine.servers[first : first + table.servers(number)]
            first += len(servers)
            states.append(
                [
                    sum(engine.real(server, at.TIMES + state) for server in servers)
                    for state in (RUNNING, RUNNABLE, WAITING, BLOCKED)
                ]
                + [sum(engine.real(server, at.CPU) for server in servers)]
            )
        areas = [
            engine.real(pipe, at.AREA) + engine.cell(pipe, at.LEVEL) * (engine.now - engine.real(pipe, at.LEVEL_SINCE))
            for pipe in engine.pipes
        ]
        taken = [engine.cell(station, at.TAKEN) for station in engine.stations]
        interrupted = [engine.real(station, at.INTERRUPTED_TIME) for station in engine.stations]
        return _totals(table, taken, states, areas, interrupted)


class _SimpyRun:
    def __init__(self, table: Table, seed: np.random.SeedSequence) -> None:
        from streamsim.models.records.interpret import Interpreter  # SimPy, which the other engines do without

        self._engine = Interpreter(table, seed)
        self._run = steered(self._engine)
        self._more = True
        self._several = several_sources(table)
        self._origins: NDArray[np.int64] | None = None

    def advance(self, most: int) -> tuple[Array, Array]:
        engine = self._engine
        before = engine.exited
        while self._more and engine.exited == before:
            self._more = self._run(exits=before + min(most, BLOCK))
        found = engine.exits
        engine.exits, engine.departures, engine.visits = [], [], []
        if not found:
            return _NOTHING, _NOTHING
        left, born, _, origins = zip(*found, strict=True)
        self._origins = np.array(origins, np.int64) if self._several else None
        return np.array(born), np.array(left)

    def origins(self) -> NDArray[np.int64] | None:
        return self._origins

    def totals(self) -> Totals:
        engine = self._engine
        states = [
            [sum(server.times[state] for server in station.servers) for state in (RUNNING, RUNNABLE, WAITING, BLOCKED)]
            + [sum(server.cpu_s for server in station.servers)]
            for station in engine.stations
        ]
        areas = [pipe.area + pipe.level * (engine.clock.now - pipe.since) for pipe in engine.pipes]
        taken = [station.taken for station in engine.stations]
        return _totals(engine.table, taken, states, areas, [station.interrupted_s for station in engine.stations])


def steered(engine: Interpreter | Kernel) -> Callable[..., bool]:
    """Return what runs a simulation: itself, or its controllers where it has any, and gives it its commands."""
    run: Callable[..., bool] = engine.run
    if engine.table.steering:
        from streamsim.models.records.steering import Steered  # SimPy, which most tables do without

        run = Steered(engine).run
    return _Commanded(engine, run).run if engine.table.commands else run


class _Commanded:
    """A simulation that is given the commands of its table, each at its time."""

    def __init__(self, engine: Interpreter | Kernel, run: Callable[..., bool]) -> None:
        self._engine, self._run = engine, run
        self._left = deque(sorted(engine.table.commands, key=lambda command: command.time_s))

    def run(self, until_s: float = math.inf, exits: int | None = None) -> bool:
        """Run all that happens before a time, or until so many records have left; whether more is to come."""
        engine = self._engine
        while self._left and self._left[0].time_s < until_s:
            self._run(self._left[0].time_s, exits)
            if exits is not None and engine.exited >= exits:
                return True
            engine.apply(self._left.popleft())
        return self._run(until_s, exits) or bool(self._left)


def _totals(
    table: Table, taken: list[int], states: list[list[float]], areas: list[float], interrupted: list[float]
) -> Totals:
    running, waking, waiting, blocked, cpu = np.array(states).T
    held = np.array(interrupted)
    in_pipe = np.array(
        [area if pipe.unit == "records" else np.nan for pipe, area in zip(table.pipes, areas, strict=True)]
    )
    np.add.at(held, [pipe.downstream for pipe in table.pipes], in_pipe)
    return Totals(
        taken=np.array(taken, np.int64),
        cpu_s=cpu,
        runnable_s=np.maximum(running - cpu, 0.0) + waking,  # but for rounding there is no less time than work
        waiting_s=waiting,
        blocked_s=blocked,
        held=held,
        in_pipe=in_pipe,
    )

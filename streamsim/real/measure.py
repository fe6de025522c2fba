"""Measuring a circuit: it runs for real, watched, several times, on a machine whose speed is probed in between."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from types import TracebackType
from typing import NamedTuple

import msgspec

from streamsim.errors import ControlError
from streamsim.expansion import expand, servers_of
from streamsim.places import check_runnable
from streamsim.pooling import by_station
from streamsim.real.control.conductor import Conductor, conducting
from streamsim.real.control.recording import Recorded, by_server
from streamsim.real.control.repeating import check_again, repeating
from streamsim.real.launch import Crew, launched
from streamsim.real.observation.assemble import busy_cores, plain_traces, station_traces, with_stolen
from streamsim.real.observation.host import check_environment, left_over, stolen_rate, usage
from streamsim.real.observation.observe import Observer
from streamsim.real.observation.probe import Probe, Speeds
from streamsim.real.observation.speed import SpeedLog
from streamsim.real.place import pin_set
from streamsim.real.plan import make_plan
from streamsim.real.starting import Setting
from streamsim.real.supervise import supervise
from streamsim.scenario import Scenario
from streamsim.service import HostProfile
from streamsim.trace import Done, PipeTrace, RunTrace, StationTrace, Trace

Progress = Callable[[int, int, str], None]
"""Called with how many runs are done, how many there are to be, and what is going on."""

_FRESH_S = 1.0
"""A probe no older than this is the one before the next run."""

_FIRST_PROBES = 4
_ATTEMPTS = 3


class _Seen(NamedTuple):
    stations: dict[str, StationTrace]
    pipes: dict[str, PipeTrace]
    rates: list[float]
    warnings: list[str]


class Session:
    """A machine made ready for measuring; leaving the block ends the probes.

    All runs of a session are relative to one reference speed, so a calibration and its validation belong in one.

    Parameters
    ----------
    cores : how many cores the runs may use at most.
    reference_rate : the probe's units in a core-second that speed 1 means (`HostProfile.probe_rate` of an earlier
        calibration); default: what is found now.

    Raises
    ------
    RunError : this is not Linux, or it has fewer cores.
    """

    def __init__(self, *, cores: int, reference_rate: float | None = None) -> None:
        check_environment()
        self._cpus = sorted(pin_set(cores, strict=True) or ())
        self._log = SpeedLog(cores, reference_rate)
        self._stack = ExitStack()
        self._last: Speeds | None = None
        self._runs = 0

    def __enter__(self) -> Session:
        self._probe = self._stack.enter_context(Probe(self._cpus))
        try:
            self._wake = self._probe.wake()
            for _ in range(_FIRST_PROBES):
                self._read()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def reference_rate(self) -> float:
        """The probe's units in a core-second that speed 1 means."""
        return self._log.reference_rate

    def _read(self) -> Speeds:
        speeds = self._last = self._probe.speeds()
        self._log.add(speeds)
        return speeds

    def run_once(
        self, scenario: Scenario, *, observe: bool = True, replay: tuple[Recorded, ...] | None = None
    ) -> RunTrace:
        """Run a scenario once and return what the run left behind.

        A run in which a station was stopped (SIGSTOP), or all stood still, says how long somebody slept, not how long
        anything takes: it is done again, at most twice, and the trace says so.

        ``replay``: the commands of an earlier run, done again at their bytes and times; the controllers rest then.

        Raises RunError where a station fails, ScenarioError where a file or a program is missing, ControlError where
        the recording has what cannot be done again in this circuit.
        """
        check_runnable(scenario.circuit, standard_input=False, file=scenario.file)
        said: list[str] = []
        for _ in range(_ATTEMPTS - 1):
            trace, disturbances = self._run_once(scenario, observe, replay)
            if not disturbances or trace.commands or replay:  # a command may have paused it
                break
            said += [f"a run was thrown away and done again: {text}" for text in disturbances]
        else:
            trace, _ = self._run_once(scenario, observe, replay)
        return dataclasses.replace(trace, warnings=(*trace.warnings, *said))

    def _run_once(
        self, scenario: Scenario, observe: bool, replay: tuple[Recorded, ...] | None
    ) -> tuple[RunTrace, list[str]]:
        plan = make_plan(_drawn(scenario, self._runs))
        again = replay or ()
        check_again(again, plan)
        if replaced := next((one for one in again if one.behind is not None), None):
            raise ControlError(
                f"swap of {replaced.station!r} cannot be done again: a measurement knows one program a station; use run"
            )
        self._runs += 1
        cpus = pin_set(scenario.host.cores, strict=True) or frozenset()
        before = self._last
        if before is None or time.monotonic() - before.time > _FRESH_S:
            before = self._read()
        # Of the run alone: what others did while the probes or the files were looked at is no matter of the run.
        began, own = {cpu: usage(cpu) for cpu in cpus}, time.process_time()
        setting = Setting(cpus=cpus, visits=observe, replay=by_server(again))
        late = tuple(command for command in again if command.timed)
        with (
            _kept_off(cpus) as shared,
            launched(plan, setting) as crew,
            conducting(scenario, crew, rest=replay is not None) as conductor,
            repeating(crew, late, time.monotonic()) as repeater,
        ):
            seen = _observed(crew, shared=shared) if observe else _unobserved(crew)
            own = (time.process_time() - own if shared else 0.0) + crew.overhead_s
            readings = [(began[cpu], usage(cpu)) for cpu in cpus]
        after = self._read()
        used = sum(child.cpu_s for child in crew.children)
        left = left_over(readings, used + own)
        rate = stolen_rate(readings)
        stations = by_station(
            {name: with_stolen(station, rate) for name, station in seen.stations.items()},
            servers_of(expand(scenario.circuit)),
        )
        makespan = max(station.ended_s for station in stations.values())
        busy = busy_cores(list(stations.values()), makespan, left.background_cores, len(cpus))
        speed = self._log.run(
            (before, after), seen.rates, busy=used / makespan + left.background_cores, cores=len(cpus)
        )
        trace = RunTrace(
            makespan_s=makespan,
            stations=stations,
            pipes=seen.pipes,
            host=HostProfile(
                cores=len(cpus),
                available_cores=left.available_cores,
                speed=speed,
                wake_near_s=self._wake.near_s,
                wake_far_s=self._wake.far_s,
                probe_rate=self.reference_rate,
            ),
            background_cores=left.background_cores,
            busy_time_s=busy[0],
            busy_cores=busy[1],
            warnings=(
                *(crew.warnings + seen.warnings),
                *(text for one in (conductor, repeater) if one is not None for text in one.warnings),
            ),
            commands=_done(conductor),
        )
        return trace, crew.disturbances


def _drawn(scenario: Scenario, run: int) -> Scenario:
    """Let each run of a session draw arrivals of its own: repetitions of one draw would seem to scatter less."""
    simulate = msgspec.structs.replace(scenario.simulate, seed=scenario.simulate.seed + run)
    return msgspec.structs.replace(scenario, simulate=simulate)


def _done(conductor: Conductor | None) -> tuple[Done, ...]:
    if conductor is None:
        return ()
    return tuple(Done(time_s, who, command.station, command.parameters) for time_s, who, command in conductor.done)


def _observed(crew: Crew, *, shared: bool) -> _Seen:
    # The speed of cores that the run does not use would say nothing of the run.
    with closing(Observer(crew, spin=shared)) as observer:
        observer.look()
        warnings = supervise(crew, observer)
        stations, pipes = station_traces(crew, observer)
        return _Seen(stations, pipes, list(observer.rates), warnings + observer.warnings())


def _unobserved(crew: Crew) -> _Seen:
    warnings = supervise(crew)
    return _Seen(plain_traces(crew), {}, [], [*warnings, "not observed: only lives and CPU times are known"])


@contextmanager
def _kept_off(cpus: Iterable[int]) -> Iterator[bool]:
    """Keep the runner's own work off the cores of the run, where there are others; yields whether it shares them."""
    allowed = os.sched_getaffinity(0)
    others = allowed - set(cpus)
    if not others:
        yield True
        return
    os.sched_setaffinity(0, others)
    try:
        yield False
    finally:
        os.sched_setaffinity(0, allowed)


def run_once(scenario: Scenario, *, observe: bool = True, reference_rate: float | None = None) -> RunTrace:
    """Run a scenario once, on a machine made ready for that alone; see `Session` for several runs."""
    with Session(cores=scenario.host.cores, reference_rate=reference_rate) as session:
        return session.run_once(scenario, observe=observe)


def measure(
    scenario: Scenario,
    *,
    observe: bool = True,
    progress: Progress | None = None,
    repetitions: int | None = None,
    reference_rate: float | None = None,
    replay: tuple[Recorded, ...] | None = None,
) -> Trace:
    """Run a scenario as often as it says, after its warm-up runs, and return what the runs left behind.

    Parameters
    ----------
    observe : whether to watch the stations; without, only their lives and CPU times are known.
    repetitions : how many runs count; default: what the scenario says.
    reference_rate : see `Session`.
    replay : the commands of an earlier run, done again in each; the scenario's controllers rest then.

    Raises
    ------
    ControlError : the recording has what cannot be done again in this circuit.
    RunError : a station failed, the machine has fewer cores than the scenario wants, or this is not Linux.
    ScenarioError : a file or a program is missing; nothing was started.
    """
    count = repetitions if repetitions is not None else scenario.measure.repetitions
    warmups = scenario.measure.warmup
    check_runnable(scenario.circuit, standard_input=False, file=scenario.file)
    runs = []
    with Session(cores=scenario.host.cores, reference_rate=reference_rate) as session:
        for number in range(warmups + count):
            if progress is not None:
                progress(number, warmups + count, "warming up" if number < warmups else "measuring")
            run = session.run_once(scenario, observe=observe, replay=replay)
            if number >= warmups:
                runs.append(run)
    if progress is not None:
        progress(warmups + count, warmups + count, "measured")
    return trace_of(scenario, runs)


def trace_of(scenario: Scenario, runs: Iterable[RunTrace]) -> Trace:
    """Put the runs of a scenario together; what several of them warn of is said once."""
    runs = tuple(runs)
    warnings = dict.fromkeys(warning for run in runs for warning in run.warnings)
    return Trace(world="measured", engine="pipes", scenario=scenario.key, runs=runs, warnings=tuple(warnings))

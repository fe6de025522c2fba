"""Simulate a scenario: SimPy runs the model table, once or until the answers are narrow enough."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from streamsim.adjustable import Replay
from streamsim.errors import ModelError
from streamsim.joining import merged
from streamsim.models.adjusting import Adjusted
from streamsim.models.circle import Circle, Entry
from streamsim.models.clock import Clock
from streamsim.models.host import Cores
from streamsim.models.output import Stopping
from streamsim.models.pipe import PAGE, Channel
from streamsim.models.random import stream
from streamsim.models.repeating import repeat
from streamsim.models.replaced import Replaced, arrange
from streamsim.models.sampling import Sampler
from streamsim.models.server import BLOCKED, STARVED, WAITING, Server
from streamsim.models.source import FastSource, PacedSource
from streamsim.models.station import Station
from streamsim.models.statistics.replications import replicate
from streamsim.models.steering import Steering
from streamsim.models.table import Model, StationRow, compile_model
from streamsim.placement import beyond
from streamsim.pooling import by_station
from streamsim.scenario import Scenario
from streamsim.service import HostProfile, Profile
from streamsim.trace import RunTrace, Trace

MOST_CHUNKS = 20_000_000
"""In one run: some ten minutes for each station that they pass."""


def simulate(
    scenario: Scenario,
    profile: Profile | None = None,
    *,
    host: HostProfile | None = None,
    seed: int | None = None,
    workers: int = 1,
    progress: Callable[[float, float, str], None] | None = None,
    replay: Replay | None = None,
) -> Trace:
    """Simulate a scenario on the services of a profile.

    Parameters
    ----------
    profile : what was measured; stations that it lacks must be declared in the scenario's ``[service]`` tables.
    host : the machine; by default that of the profile with the scenario's cores (`traffic.host_for`).
    seed : of all random numbers; by default the scenario's. The same seed gives the same trace, bit for bit.
    workers : processes that share the replications; how many changes nothing but the time.
    progress : called after each replication with how many are done, how many there will be at most, and a word.
    replay : what a real run was told, to be done again in the place of what controllers do.

    Returns
    -------
    Trace : one run for each replication: one where nothing is random, else as many as ``[simulate]`` asks for.

    Raises
    ------
    ProfileError : a station is neither measured nor declared, or it is not known how much a source gives.
    ModelError : the scenario has something that cannot be simulated, or the circuit deadlocks.

    >>> from streamsim.loading import load
    >>> scenario = load({"sources": {"make": {"command": "seq 9"}}, "stations": {"sum": {"command": "sum"}},
    ...                  "service": {"make": {"bytes": "64 KiB"}, "sum": {"per_byte": "1 us"}}})
    >>> round(simulate(scenario).runs[0].makespan_s, 3)
    0.066
    """
    model = compile_model(scenario, profile, host, replay=replay)
    _refuse_too_long(model)
    stopping = Stopping(merged(scenario), random=model.random)
    runs = replicate(
        partial(_replication, model),
        np.random.SeedSequence(scenario.simulate.seed if seed is None else seed),
        stopping.wanted,
        workers=workers,
        progress=None if progress is None else lambda done, _: progress(done, stopping.at_most, "simulating"),
    )
    return Trace(
        world="simulated",
        engine="simpy",
        scenario=scenario.key,
        runs=tuple(runs),
        warnings=(*beyond(scenario.circuit, model.host.cores), *stopping.warnings()),
    )


def _refuse_too_long(model: Model) -> None:
    """Raise ModelError where one run would move more chunks than anybody waits for, and than memory holds."""
    if any(row.stop_bytes is not None for row in model.stations):
        return  # how soon a reader that ends early ends the run is not known beforehand
    planned = {row.name: _chunks_of(row) for row in model.sources}
    name = max(planned, key=planned.__getitem__, default="")
    if name and planned[name] > MOST_CHUNKS:
        raise ModelError(
            f"source {name!r} gives about {planned[name]:.2g} chunks in each run (the most is {MOST_CHUNKS:.0e}): "
            "end it sooner (measure.records, measure.duration), simulate record by record (--engine auto), or predict"
        )


def _chunks_of(row: StationRow) -> float:
    """Return in about how many chunks a source gives all that it gives."""
    pace = row.pace
    if pace is None:
        return 0.0
    if pace.arrivals is None:
        return 0.0 if pace.duration_s is not None else row.flow.bytes_out / max(PAGE, row.write_bytes)
    records = float(row.flow.records_out)
    return records if pace.duration_s is None or not pace.rate else min(records, pace.duration_s * pace.rate)


def _replication(model: Model, seed: np.random.SeedSequence) -> RunTrace:
    return simulate_once(model, np.random.default_rng(seed))


def simulate_once(model: Model, rng: np.random.Generator) -> RunTrace:
    """Run the model table once, from start to end.

    Parameters
    ----------
    rng : where the streams of all stations are derived from (each by its name, see `random.stream`).

    Raises
    ------
    ModelError : the circuit deadlocks: names who waits for whom.

    >>> from streamsim.loading import load
    >>> scenario = load({"sources": {"make": {"command": "seq 9"}}, "service": {"make": {"bytes": 10, "setup": "2 s"}}})
    >>> simulate_once(compile_model(scenario, None), np.random.default_rng(1)).makespan_s
    2.0
    """
    seed = rng.bit_generator.seed_seq
    if not isinstance(seed, np.random.SeedSequence):
        raise ModelError("the generator was not made from a seed (numpy.random.default_rng makes such)")
    clock = Clock()
    clock.cores = Cores(clock, model.host, model.placement)
    channels = [Channel(row.label, row.capacity_bytes) for row in model.pipes]
    servers = [_server(row, clock, channels, seed) for row in model.stations]
    for members in _circles(model, servers):
        circle = Circle(members, channels)
        for server in members:
            server.circle = circle
    sampler = Sampler(clock, servers, channels, _first_step(model))
    steering = Steering(model, clock, servers)
    repeat(model, clock, servers)
    arrange(servers, channels)
    clock.ready.extend(servers)
    clock.hand_over()
    clock.run()
    _check_ended(servers, channels)
    makespan_s = max(server.ended_s or 0.0 for server in servers)
    sampler.finish(makespan_s)
    busy_time_s, busy_cores = sampler.busy_cores()
    return RunTrace(
        makespan_s=makespan_s,
        stations=by_station(sampler.station_traces(model), model.servers),
        pipes=sampler.pipe_traces(),
        host=model.host,
        background_cores=clock.cores.background,
        busy_time_s=busy_time_s,
        busy_cores=busy_cores,
        commands=tuple(steering.done),
    )


def _circles(model: Model, servers: list[Server]) -> list[list[Server]]:
    count = 1 + max((row.loop for row in model.stations if row.loop is not None), default=-1)
    return [[server for server in servers if server.row.loop == number] for number in range(count)]


def _server(row: StationRow, clock: Clock, channels: list[Channel], seed: np.random.SeedSequence) -> Server:
    inputs = [channels[entry.pipe] for entry in row.inputs if entry.pipe is not None]
    outputs = [channels[number] for number in row.outputs]
    service = stream(seed, row.name, "service")
    if row.back:
        return Entry(row, clock, inputs, outputs, service)
    if row.pace is None or (row.pace.arrivals is None and row.inputs):
        kind = Replaced if row.successors else Station if row.adjustable is None else Adjusted
        return kind(row, clock, inputs, outputs, service)
    paced = FastSource if row.pace.arrivals is None else PacedSource
    return paced(row, clock, inputs, outputs, service, stream(seed, row.name, "arrivals"))


def _first_step(model: Model) -> float:
    """The time between samples at first: a thousandth of what the run will take at least, less where it may be cut."""
    step = model.expected_s() / 1000 or 1e-6
    return step / 1024 if any(row.stop_bytes is not None for row in model.stations) else step


def _check_ended(servers: list[Server], channels: list[Channel]) -> None:
    stuck = [server for server in servers if server.ended_s is None]
    if not stuck:
        return
    doing = {STARVED: "waits for data from", BLOCKED: "is blocked by the full pipe", WAITING: "is paused"}
    lines = [
        f"{server.row.name!r} {doing[server.state]} {' and '.join(channel.label for channel in server.waits_for)} "
        f"after {server.bytes_in} bytes in and {server.bytes_out} out"
        for server in stuck
    ]
    raise ModelError(
        f"the circuit deadlocks at {servers[0].clock.now:.6g} s: {'; '.join(lines)}; a larger pipe may help"
    )

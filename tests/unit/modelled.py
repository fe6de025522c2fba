"""Small circuits with known demands, for the tests of the simulation."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamsim.circuit import Circuit, Pipe, Station
from streamsim.models import compile_model, simulate_once
from streamsim.models.server import COLUMNS
from streamsim.scenario import Host, Load, Scenario, Simulate
from streamsim.service import Distribution, HostProfile, Profile, ServiceModel, StationProfile
from streamsim.trace import RunTrace, StationTrace

PAGE = 4096
EXPONENTIAL = Distribution(family="exponential", scv=1.0)
BUDGET = ("running_s", "runnable_s", "starved_s", "blocked_s", "waiting_s")


def ideal_host(cores: int = 8, **changes: Any) -> HostProfile:
    """A host whose cores are all there, all equally fast, and that wakes sleepers in no time."""
    settings = {"cores": cores, "available_cores": float(cores), "wake_near_s": 0.0, "wake_far_s": 0.0}
    return HostProfile(**(settings | changes))


def giving(size: int, *, write: int = PAGE, record: float = PAGE, **service: Any) -> StationProfile:
    """The profile of a source of so many bytes."""
    return StationProfile(
        service=ServiceModel(**service),
        bytes_out=size,
        records_out=size / record,
        write_bytes=write,
        record_bytes=record,
    )


def taking(
    *, gives: float = 1.0, read: int = PAGE, write: int = PAGE, record: float = PAGE, **changes: Any
) -> StationProfile:
    """The profile of a station; ``gives`` bytes (and records) out per byte in; ``changes`` of profile or service."""
    known = set(StationProfile.__struct_fields__)
    own = {key: value for key, value in changes.items() if key in known}
    service = {key: value for key, value in changes.items() if key not in known}
    return StationProfile(
        **{
            "service": ServiceModel(**service),
            "bytes_in": 1e12,  # more than any source here gave: no reader ended early
            "bytes_out": gives * 1e12,
            "records_in": 1e12 / record,
            "records_out": gives * 1e12 / record,
            "read_bytes": read,
            "write_bytes": write,
            "record_bytes": record,
            **own,
        }
    )


def chain(
    *profiles: StationProfile,
    load: Load | None = None,
    slots: int | list[int] = 16,
    operators: bool = False,
    host: HostProfile | None = None,
    simulate: Simulate | None = None,
) -> tuple[Scenario, Profile]:
    """Stations s0 (the source), s1, … one after the other, on an ideal host unless another is given."""
    names = [f"s{number}" for number in range(len(profiles))]
    stations = [
        Station(
            name=name,
            command=None if operators else "tool",
            operator="map" if operators else None,
            role="station" if number else "source",
            inputs=(names[number - 1],) if number else (),
        )
        for number, name in enumerate(names)
    ]
    sizes = slots if isinstance(slots, list) else [slots] * (len(names) - 1)
    pipes = [Pipe(names[k], names[k + 1], size * PAGE) for k, size in enumerate(sizes)]
    host = host or ideal_host()
    scenario = Scenario(
        name="chain",
        circuit=Circuit(stations=tuple(stations), pipes=tuple(pipes)),
        loads={"s0": load} if load is not None else {},
        host=Host(cores=host.cores),
        simulate=simulate or Simulate(),
    )
    return scenario, Profile(host=host, stations=dict(zip(names, profiles, strict=True)))


def run(scenario: Scenario, profile: Profile, seed: int = 1) -> RunTrace:
    """Simulate once."""
    return simulate_once(compile_model(scenario, profile), np.random.default_rng(seed))


def budget(station: StationTrace) -> dict[str, float]:
    """Where the life of a station went (s)."""
    return {name: float(getattr(station, name)[-1]) for name in BUDGET}


def same_runs(one: RunTrace, other: RunTrace) -> bool:
    """Whether two runs are the same bit for bit."""
    stations = all(
        np.array_equal(getattr(one.stations[name], column), getattr(other.stations[name], column))
        for name in one.stations
        for column in COLUMNS
    )
    pipes = all(np.array_equal(one.pipes[label].level_bytes, other.pipes[label].level_bytes) for label in one.pipes)
    visits = all(
        (one.stations[name].visits is None and other.stations[name].visits is None)
        or np.array_equal(one.stations[name].visits, other.stations[name].visits)  # type: ignore[arg-type]
        for name in one.stations
    )
    return one.makespan_s == other.makespan_s and stations and pipes and visits

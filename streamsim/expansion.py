"""From a circuit with several servers at a station to one in which each server is a station of its own. Pure.

Every world may work on either: the circuit says who shares what, the expanded one has a station for each process.
"""

from __future__ import annotations

import msgspec

from streamsim.circuit import Circuit, Pipe, Station
from streamsim.service import StationProfile


def expand(circuit: Circuit) -> Circuit:
    """Return the circuit in which every station is one process.

    A station X of n servers becomes ``X.1`` … ``X.n``, whose ``server_of`` is X; what stands before and behind them
    (``X.split``, ``X.merge``) is joined to each. A circuit without such stations is returned as
    it is.

    >>> split, x = Station(name="x.split", operator="partition"), Station(name="x", command="sort", parallelism=2,
    ...                                                                   inputs=("x.split",))
    >>> merge = Station(name="x.merge", operator="interleave", inputs=("x",))
    >>> big = expand(Circuit((split, x, merge), (Pipe("x.split", "x"), Pipe("x", "x.merge"))))
    >>> [pipe.label for pipe in big.pipes]
    ['x.split->x.1', 'x.split->x.2', 'x.1->x.merge', 'x.2->x.merge']
    """
    servers = {
        station.name: tuple(f"{station.name}.{number}" for number in range(1, station.parallelism + 1))
        for station in circuit.stations
        if station.parallelism > 1
    }
    if not servers:
        return circuit
    stations: list[Station] = []
    for station in circuit.stations:
        inputs, labels = _inputs(station, circuit, servers)
        one = msgspec.structs.replace(station, inputs=inputs, labels=labels, parallelism=1)
        for name in servers.get(station.name, ()):
            stations.append(msgspec.structs.replace(one, name=name, server_of=station.name))
        if station.name not in servers:
            stations.append(one)
    pipes = tuple(
        Pipe(upstream, downstream, pipe.capacity_bytes, pipe.port)
        for pipe in circuit.pipes
        for upstream in servers.get(pipe.upstream, (pipe.upstream,))
        for downstream in servers.get(pipe.downstream, (pipe.downstream,))
    )
    return Circuit(tuple(stations), pipes, circuit.feeds, circuit.sinks)


def _inputs(
    station: Station, circuit: Circuit, servers: dict[str, tuple[str, ...]]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the inputs of a station, and their labels, where some come of several servers."""
    pipes = {pipe.source: pipe for pipe in circuit.inputs_of(station.name)}
    inputs: list[str] = []
    labels: list[str] = []
    for source, label in zip(station.inputs, station.labels or station.inputs, strict=True):
        pipe = pipes.get(source)
        names = servers.get(pipe.upstream, ()) if pipe is not None else ()
        port = f".{pipe.port}" if pipe is not None and pipe.port else ""
        inputs += [f"{name}{port}" for name in names] or [source]
        labels += [f"{name}{port}" for name in names] or [label]
    return tuple(inputs), tuple(labels)


def servers_of(circuit: Circuit) -> dict[str, tuple[str, ...]]:
    """Return the stations of an expanded circuit by the station of the circuit that they are servers of, in order.

    >>> servers_of(Circuit((Station(name="a"), Station(name="b.1", server_of="b"), Station(name="b.2", server_of="b"))))
    {'a': ('a',), 'b': ('b.1', 'b.2')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for station in circuit.stations:
        name = station.server_of or station.name
        found[name] = (*found.get(name, ()), station.name)
    return found


def share_of(profile: StationProfile, servers: int) -> StationProfile:
    """Return the profile of one of so many servers: what is spent once was measured of all of them together.

    >>> share_of(StationProfile(bytes_in=8.0, records_in=2.0), 2).bytes_in
    4.0
    """
    if servers == 1 or profile.source == "declared":
        return profile
    service = profile.service
    once = ("startup", "startup_waiting", "finish", "finish_waiting")
    parts = {name: getattr(service, name) / servers for name in once}
    amounts = {name: getattr(profile, name) for name in ("bytes_in", "bytes_out", "records_in", "records_out")}
    shared = {name: None if amount is None else amount / servers for name, amount in amounts.items()}
    return msgspec.structs.replace(profile, service=msgspec.structs.replace(service, **parts), **shared)

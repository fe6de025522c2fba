"""Which stations share a process: operators with ``fuse``, each with the operator above it. Pure."""

from __future__ import annotations

from streamsim import operators
from streamsim.circuit import Circuit, Station
from streamsim.errors import ScenarioError


def fused_groups(circuit: Circuit) -> dict[str, tuple[str, ...]]:
    """Return the stations that share a process, in the order of the stream, by the first of each group.

    Raises ScenarioError where a station that asks for it cannot share one, and says why.

    >>> from streamsim.circuit import Pipe
    >>> a, b = Station(name="a", operator="copy"), Station(name="b", operator="count", inputs=("a",), fuse=True)
    >>> fused_groups(Circuit((a, b), (Pipe("a", "b"),)))
    {'a': ('a', 'b')}
    """
    first: dict[str, str] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for name in circuit.order():
        station = circuit.station(name)
        if not station.fuse:
            continue
        above = _above(station, circuit)
        head = first[name] = first.get(above.name, above.name)
        groups[head] = (*groups.get(head, (head,)), name)
    return groups


def _above(station: Station, circuit: Circuit) -> Station:
    looped = {name for loop in circuit.loops() for name in loop}
    pipes = circuit.inputs_of(station.name)
    if station.operator is None:
        raise _refusal(station, "a command is a process of its own; only operators can share one")
    if len(station.inputs) != 1:
        raise _refusal(station, f"it has {len(station.inputs)} inputs, and could be fused with one of them only")
    if not pipes:
        raise _refusal(station, f"it reads the file {station.inputs[0]!r} itself; there is no operator above it")
    (pipe,) = pipes
    above = circuit.station(pipe.upstream)
    if above.operator is None:
        raise _refusal(station, f"above it stands {above.name!r}, a command; only operators can share a process")
    if above.ports or station.ports:
        raise _refusal(station, f"{(above if above.ports else station).name!r} has several outputs")
    if any(name in loop for loop in circuit.loops() for name in (station.name, above.name)):
        raise _refusal(station, "one of them is in a feedback loop")
    if len(circuit.outputs_of(above.name)) > 1 or circuit.sinks_of(above.name):
        raise _refusal(station, f"others read {above.name.removesuffix('.copy')!r} too")
    if station.parallelism > 1 or above.parallelism > 1:
        raise _refusal(station, "one of them has several servers")
    if station.name in looped or above.name in looped:
        raise _refusal(station, "it stands in a loop, whose servers keep account of every pipe")
    shape = next((one.operator for one in (station, above) if operators.find(str(one.operator)).shape), None)
    if shape is not None:
        raise _refusal(station, f"operator {shape!r} reads or writes in an order of its own")
    if (station.niceness, station.cores, station.environment) != (above.niceness, above.cores, above.environment):
        raise _refusal(station, f"its niceness, cores and env must be those of {above.name!r}")
    return above


def _refusal(station: Station, reason: str) -> ScenarioError:
    name = (station.server_of or station.name).removesuffix(".convert")
    return ScenarioError(f"cannot be fused: {reason}", path=f"stations.{name}.fuse")

"""From a table of ``[controllers]`` to a controller: its policy known, its parameters right, its stations able."""

from __future__ import annotations

from typing import Any

from streamsim import operators, policies, sections
from streamsim.checking import convert, quantity
from streamsim.circuit import Circuit, Station
from streamsim.errors import ScenarioError, nearest
from streamsim.fusion import fused_groups
from streamsim.operators.base import ByteOperator
from streamsim.policies.base import SYSTEM, Policy
from streamsim.scenario import Controller
from streamsim.units import parse_seconds

_LEAST_S = 1e-3


def controller(value: Any, path: str, circuit: Circuit) -> Controller:
    """Return the controller that a table describes.

    Raises ScenarioError at the path of what is wrong: the policy, a parameter, a station that is not there.
    """
    section, parameters = convert(value, sections.ControllerSection, path, open_ended=True)
    period_s = float(quantity(parse_seconds, section.period, f"{path}.period"))
    if period_s < _LEAST_S:
        raise ScenarioError(f"{section.period!r} is less than a millisecond", path=f"{path}.period")
    try:
        policy = policies.make(section.policy, parameters)
    except ScenarioError as error:
        raise ScenarioError(error.message, path=f"{path}.{error.path}") from None
    names = [station.name for station in circuit.stations]
    for name in policy.watched():
        where = next((f"{path}.{key}" for key, given in parameters.items() if given == name), f"{path}.policy")
        if name not in names:
            raise ScenarioError(f"there is no station {name!r}{nearest(name, names)}", path=where)
        station = circuit.station(name)
        if station.parallelism > 1:
            raise ScenarioError(f"{name!r} has {station.parallelism} servers: a controller steers one", path=where)
        if policy.changes and name == policy.watched()[0]:
            _refuse_unable(policy, station, circuit, where)
    if (lane := policy.lane()) is not None:
        _refuse_gaps(*lane, circuit, path)
    return Controller(policy=section.policy, period_s=period_s, parameters=parameters)


def refuse_rivals(controllers: dict[str, Controller]) -> None:
    """Raise ScenarioError where two controllers set the same thing: each would undo what the other did."""
    held: dict[tuple[str, str], str] = {}
    for key, one in controllers.items():
        policy = policies.make(one.policy, one.parameters)
        if not policy.changes or not policy.watched():
            continue
        what = (policy.changes, policy.watched()[0])
        if (other := held.setdefault(what, key)) != key:
            raise ScenarioError(f"{other!r} already sets the {what[0]} of {what[1]!r}", path=f"controllers.{key}")


def _refuse_unable(policy: Policy, station: Station, circuit: Circuit, path: str) -> None:
    """Raise ScenarioError where the parameter that a policy changes cannot change at this station."""
    name, changes = station.name, policy.changes
    if changes == "pipe" and not circuit.inputs_of(name):
        raise ScenarioError(f"{name!r} reads no pipe that could be sized", path=path)
    if changes == "pipe" and (head := _head(name, circuit)) != name:
        raise ScenarioError(f"{name!r} shares a process with {head!r}: no pipe stands between them", path=path)
    if changes in SYSTEM:
        return
    if station.operator is None:
        can = ", ".join(SYSTEM)
        raise ScenarioError(
            f"{name!r} is a Unix command ({station.program}): its {changes} cannot be set, only {can} can", path=path
        )
    free = operators.adjustable(station.operator)
    if changes not in free:
        raise ScenarioError(
            f"{name!r} is an operator '{station.operator}': its {changes} cannot be set while it runs "
            f"(what can: {', '.join((*free, *SYSTEM))})",
            path=path,
        )
    if policy.tried is not None:
        try:
            operators.normal(station.operator, {**station.parameters, changes: policy.tried})
        except ScenarioError as error:
            raise ScenarioError(f"the {changes} of {name!r} cannot be set: {error.message}", path=path) from None


def _head(name: str, circuit: Circuit) -> str:
    """Return the first of the stations with which one shares a process; itself where it has its own."""
    return next((group[0] for group in fused_groups(circuit).values() if name in group), name)


def _refuse_gaps(first: str, last: str, circuit: Circuit, path: str) -> None:
    """Raise ScenarioError where the records that a station takes are not just those that another above it gave."""
    reason = _uncounted(circuit.station(last))
    name = last
    while not reason:
        pipes = circuit.inputs_of(name)
        if len(circuit.station(name).inputs) != 1 or not pipes:
            reason = f"{name!r} reads something else"
            break
        if pipes[0].upstream == first and not pipes[0].port:
            return
        above = circuit.station(pipes[0].upstream)
        if pipes[0].port:
            reason = f"{name!r} reads {pipes[0].source!r}, a further output with other records"
        elif above.role in ("split", "loop"):
            reason = f"{above.name!r} gives {name!r} only some of them"
        elif above.role != "copy" and not above.one_to_one:
            reason = f"{above.name!r} between them does not give one record for each"
        name = above.name
    raise ScenarioError(
        f"what {last!r} takes has to be what {first!r} gives, or nobody knows how many records wait: {reason}",
        path=f"{path}.policy",
    )


def _uncounted(station: Station) -> str:
    """Return why nobody counts the records that a station takes; empty where somebody does."""
    if station.operator is None:
        return f"{station.name!r} is a Unix command ({station.program}), whose records are not counted"
    if issubclass(operators.find(station.operator), ByteOperator):
        return f"{station.name!r} ({station.operator}) passes bytes on and counts no records"
    return ""

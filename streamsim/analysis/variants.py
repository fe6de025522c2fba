"""Variants of a scenario: which changes keep what it computes, and how ``--set`` says them."""

from __future__ import annotations

from typing import Any

from streamsim import operators
from streamsim.analysis.prediction.case import Case
from streamsim.errors import ScenarioError
from streamsim.fusion import fused_groups
from streamsim.loading import load
from streamsim.policies import make
from streamsim.scenario import Scenario


def changes_of(found: Case, original: Case) -> dict[str, Any]:
    """Return what to ``--set`` to make one case of another."""
    changes: dict[str, Any] = {}
    for name, count in found.servers.items():
        if count != original.servers[name]:
            changes[f"stations.{name}.parallelism"] = count
    for name, pipes in found.inputs.items():
        if any(found.capacities[pipe.label] != original.capacities[pipe.label] for pipe in pipes):
            changes[f"stations.{_first(name)}.pipe.capacity"] = max(found.capacities[pipe.label] for pipe in pipes)
    for _, lower in found.fused:
        changes[f"stations.{_first(lower)}.fuse"] = True
    for name in found.order:
        pins = found.pins.get(name, ())
        if pins != original.pins.get(name, ()):
            changes |= {f"stations.{one}.cores": list(pins) for one in name.split("+")}  # of those that share a process
    if found.host.cores != original.scenario.host.cores:
        changes["host.cores"] = found.host.cores
    return changes


def variant_of(scenario: Scenario, changes: dict[str, Any]) -> Scenario:
    """Return the scenario with these changes on top of its own; raises ScenarioError where it would not be one."""
    return load(scenario.document, overrides={**scenario.overrides, **changes}, file=scenario.file)


def shareable(scenario: Scenario) -> tuple[list[str], list[str]]:
    """Return the stations that may have more servers and still compute the same, and notes on the others."""
    names, others = [], []
    steering = [make(one.policy, one.parameters) for one in scenario.controllers.values()]
    watched = list(dict.fromkeys(name for policy in steering for name in policy.watched()))
    together = [name for group in fused_groups(scenario.circuit).values() for name in group]
    for station in scenario.circuit.stations:
        if station.role != "station" or station.name in together or station.name in watched:
            continue
        keyed = station.operator is not None and _traits(station.operator).state in ("none", "keys")
        if (keyed or station.parallelism > 1 or station.one_to_one) and _loads(
            scenario, {f"stations.{station.name}.parallelism": station.parallelism + 1}
        ):
            names.append(station.name)
        else:
            others.append(station.name)
    notes = []
    if others:
        notes.append(
            f"left at their servers, since what they give may depend on all that they read: {', '.join(others)}"
        )
    if watched:
        notes.append(f"left at their servers, since a controller watches them: {', '.join(watched)}")
    if together:
        notes.append(f"left at one server, since they share a process: {', '.join(together)}")
    return names, notes


def fusible(case: Case) -> list[tuple[str, str]]:
    """Return neighbours that could share a process: operators of ours, one behind the other and nothing between."""
    pairs = []
    circuit = case.scenario.circuit
    for pipe in circuit.pipes:
        upper, lower = circuit.station(pipe.upstream), circuit.station(pipe.downstream)
        alone = (
            len(case.outputs[upper.name]) == 1 and len(case.inputs[lower.name]) == 1 and not circuit.feed_of(lower.name)
        )
        ours = all(one.role == "station" and one.operator is not None for one in (upper, lower))
        if alone and ours and _loads(case.scenario, {f"stations.{_first(lower.name)}.fuse": True}):
            pairs.append((upper.name, lower.name))
    return pairs


def _first(name: str) -> str:
    """Return the station that the scenario knows of those that share a process, to which what they read comes."""
    return name.split("+", maxsplit=1)[0]


def _traits(operator: str) -> Any:
    return operators.find(operator).traits


def _loads(scenario: Scenario, changes: dict[str, Any]) -> bool:
    try:
        variant_of(scenario, changes)
    except ScenarioError:
        return False
    return True

"""From a table of ``[controllers]`` to a controller: its policy known, its parameters right, its stations there."""

from __future__ import annotations

from typing import Any

from streamsim import policies, sections
from streamsim.circuit import Circuit
from streamsim.errors import ScenarioError, nearest
from streamsim.scenario import Controller
from streamsim.sections import convert, quantity
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
        if name not in names:
            where = next((key for key, given in parameters.items() if given == name), "policy")
            raise ScenarioError(f"there is no station {name!r}{nearest(name, names)}", path=f"{path}.{where}")
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

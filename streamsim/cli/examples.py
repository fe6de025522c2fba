"""Examples of operators: taken from the doctest at the head of each, so that they are known to be right."""

from __future__ import annotations

import ast
import sys
from typing import Any

from streamsim import operators


def as_session(name: str) -> str:
    """Return the first example of an operator as its doctest has it, or an empty string."""
    lines = (sys.modules[operators.find(name).__module__].__doc__ or "").splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith(">>> create(")]
    if not starts:
        return ""
    end = starts[0] + 1
    while end < len(lines) and lines[end] and not lines[end].startswith(">>> "):
        end += 1
    return "\n".join(["from streamsim.operators import create", *lines[starts[0] : end]]).replace(">>> ", "")


def example_parameters(name: str) -> dict[str, Any] | None:
    """Return the parameters in the first example of an operator, or None where it has none.

    >>> example_parameters("window")
    {'size': 2, 'column': 1, 'function': 'mean'}
    """
    session = as_session(name)
    if not session:
        return None if any(parameter.required for parameter in operators.describe(name).parameters) else {}
    for call in ast.walk(ast.parse(session.splitlines()[1])):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "create":
            found: dict[str, Any] = ast.literal_eval(call.args[1]) if len(call.args) > 1 else {}
            return found
    return None


def as_scenario(name: str) -> str:
    """Return a section of a scenario that uses the operator as its first example does."""
    import tomli_w

    parameters = example_parameters(name)
    if parameters is None:
        return ""
    kind = "sources" if operators.describe(name).traits.source else "stations"
    return tomli_w.dumps({kind: {name: {"operator": name, **parameters}}}).rstrip()

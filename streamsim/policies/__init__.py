"""Policies: what a controller does, as pure functions from what was seen to what is to be done; one file each.

Nothing here knows a process or a simulation: the same policy steers a real run and a simulated one.

==================  ============================================================================
policy              what it holds
==================  ============================================================================
``hold-latency``    sheds load so that what waits in front of a station waits no longer than a target
``fit-pipe``        sizes a pipe: large enough that its reader is not starved, no larger
``hold-error``      samples in front of a sketch as thinly as an error of its answer allows
``order-filters``   orders filters by what they let through for what they cost (an eddy)
==================  ============================================================================

>>> names()
('fit-pipe', 'hold-error', 'hold-latency', 'order-filters')
>>> make("hold-latency", {"station": "shed", "behind": "slow", "target": "50 ms"}).target_s
0.05
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from typing import Any

import msgspec

from streamsim.errors import ScenarioError, nearest
from streamsim.policies.base import Policy

__all__ = ["Policy", "find", "make", "names"]


def names() -> tuple[str, ...]:
    """Return the names of all built-in policies."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name.replace("_", "-") for name in modules if name != "base"))


def find(name: str) -> type[Policy]:
    """Return the class of a policy: a built-in one, or ``"package.module:Class"``.

    Raises ScenarioError, its path ``policy``, with the nearest known name where there is none.
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        if name not in names():
            raise ScenarioError(
                f"unknown policy {name!r}{nearest(name, names())} (known: {', '.join(names())}, "
                "or your own as package.module:Class)",
                path="policy",
            )
        module = f"{__name__}.{name.replace('-', '_')}"
        attribute = "".join(word.title() for word in name.split("-"))
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ScenarioError(f"policy {name!r} cannot be imported: {error}", path="policy") from None
    if not (isinstance(found, type) and issubclass(found, Policy)):
        raise ScenarioError(f"{name!r} is no policy: it is no subclass of streamsim.policies.Policy", path="policy")
    for method in ("watched", "decide"):
        if getattr(found, method) is getattr(Policy, method):
            raise ScenarioError(f"policy {name!r} has no method {method}", path="policy")
    return found


def make(name: str, parameters: Mapping[str, Any]) -> Policy:
    """Return a policy with these parameters, as a scenario file writes them.

    Raises ScenarioError whose path is ``policy`` or the parameter that is wrong.
    """
    kind = find(name)
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    for key in parameters:
        if key not in known:
            raise ScenarioError(
                f"policy {name!r} has no parameter {key!r}{nearest(key, known)} (it has {', '.join(known)})", path=key
            )
    given = {key: kind.read(key, value) for key, value in parameters.items()}
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        message, _, inside = str(error).partition(" - at `$.")
        missing = message.partition("required field `")[2].rstrip("`")
        raise ScenarioError(f"policy {name!r}: {message}", path=inside.rstrip("`") or missing or "policy") from None

"""Simulates circuits: `simulate` a scenario, or `simulate_once` the table that `compile_model` makes of it.

The names load on first use: a simulation by records needs neither the chunks nor SimPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamsim.models.simulation import simulate, simulate_once
    from streamsim.models.table import Model, compile_model

__all__ = ["Model", "compile_model", "simulate", "simulate_once"]

_HOMES = {
    "simulate": "streamsim.models.simulation",
    "simulate_once": "streamsim.models.simulation",
    "Model": "streamsim.models.table",
    "compile_model": "streamsim.models.table",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'streamsim.models' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)

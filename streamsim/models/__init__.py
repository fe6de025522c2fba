"""Simulates circuits: `simulate` a scenario, or `simulate_once` the table that `compile_model` makes of it."""

from __future__ import annotations

from streamsim.models.simulation import simulate, simulate_once
from streamsim.models.table import Model, compile_model

__all__ = ["Model", "compile_model", "simulate", "simulate_once"]

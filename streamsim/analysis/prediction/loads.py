"""How long the loads of a circuit's sources last, and how large they may be at most."""

from __future__ import annotations

from collections.abc import Mapping

from streamsim.analysis.prediction.case import Case
from streamsim.giving import arrival_times


def spans(case: Case) -> dict[str, float]:
    """Return how long each paced source takes to give everything at its own rate (s)."""
    spans, scenario, flows = {}, case.scenario, case.flows
    for name, load in scenario.loads.items():
        if load.open and name in flows:
            size, records = flows[name].bytes_out, flows[name].records_out
            if load.rate is None:
                spans[name] = float(arrival_times(scenario, name).max(initial=0.0)) / case.rate
            else:
                amount = size if load.rate.unit == "bytes" else records
                spans[name] = amount / load.rate.per_second / case.rate
    return spans


def largest_rates(case: Case, spans: dict[str, float], capacity_s: float) -> str:
    """Return in words the largest rate of each paced source at which the circuit keeps up.

    Parameters
    ----------
    spans : how long each takes to give everything at its own rate (s); `capacity_s` how long the circuit needs for it.
    """
    rates = []
    for name, span in spans.items():
        rate = case.scenario.load_of(name).rate
        if rate is not None and capacity_s > 0:
            rates.append(f"at most {rate.per_second * case.rate * span / capacity_s:.4g} {rate.unit}/s at '{name}'")
    return " and ".join(rates) or "a slower trace of times"


def too_much(case: Case, span: float, parts: Mapping[str, float]) -> tuple[str, ...]:
    """Return a warning where some stations by themselves cannot carry what comes to them, and what would hold; or none.

    Parameters
    ----------
    span : how long the load lasts (s); `parts` of what comes to them, by name, is what such stations could carry.
    """
    if not parts:
        return ()
    names = ", ".join(repr(name) for name in parts)
    least = largest_rates(case, spans(case), span / min(parts.values()))
    return (f"the load cannot be carried: {names} cannot keep up; it would hold {least}",)

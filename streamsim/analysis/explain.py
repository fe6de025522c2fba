"""How a prediction came about: the method of every station and of the circuit, and what other methods would say."""

from __future__ import annotations

from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.choice import alternatives
from streamsim.analysis.prediction.closed_loop import ClosedLoop, others
from streamsim.analysis.prediction.finite import Finite, Paced, finite
from streamsim.analysis.prediction.fluid import FluidResult
from streamsim.analysis.prediction.open_load import OpenAnswer
from streamsim.analysis.queueing.gg1 import kingman
from streamsim.placement import CORES
from streamsim.result import Alternative, Dataflow, Method

CIRCUIT = "circuit"


def methods(
    case: Case,
    fluid: FluidResult,
    answer: OpenAnswer | None,
    flow: Dataflow | str,
    pace: Paced | None = None,
    loop: ClosedLoop | None = None,
) -> dict[str, Method]:
    """Return the method of the circuit, and of each station under an open load, each with its alternatives."""
    found = {
        CIRCUIT: _saturated(case, fluid, flow, pace, loop) if answer is None or answer.saturated else _open(answer)
    }
    for name, station in (answer.stations if answer is not None else {}).items():
        if station.asked is None or station.choice is None:
            continue
        chosen = station.choice
        found[name] = Method(
            method=chosen.queue.method,
            exact=chosen.exact,
            why=chosen.why,
            of="mean wait",
            value=chosen.queue.wait,
            unit="s",
            alternatives=alternatives(station.asked, chosen.queue),
        )
    return found


def _saturated(
    case: Case, fluid: FluidResult, flow: Dataflow | str, pace: Paced | None, loop: ClosedLoop | None
) -> Method:
    scatter = [name for name in case.order if case.profiles[name].service.scv > 0]
    why = "every source gives as fast as it is taken: utilisation law on shared cores, piece by piece between barriers"
    if scatter:
        why += f"; that the work of {_names(scatter)} scatters is left to the pipes to absorb"
    slowest = max((fluid.running[name] for name in fluid.running), default=0.0)
    whole, where = case.crowding(fluid.cpu)
    on_cores = f"all work on {where}" if where.startswith(CORES) else "all work on the cores"
    found = [
        Alternative(method="slowest station alone", value=slowest, unit="s", note="a bound: nothing is faster"),
        Alternative(method=on_cores, value=whole, unit="s", note="a bound: nothing is faster"),
        _by_dataflow(case, flow),
    ]
    if loop is not None:
        startup = fluid.ended.get("startup", 0.0)
        records = loop.rate * (fluid.makespan - startup)
        for name, rate in others(loop).items():
            if isinstance(rate, str):
                found.append(Alternative(method=name, value=None, unit="s", note=f"does not apply: {rate}"))
                continue
            note = "a bound on the closed network" if ", " in name else "the same closed network"
            found.append(Alternative(method=name, value=startup + records / rate, unit="s", note=note))
        return Method(
            method=loop.method,
            exact=loop.exact,
            why=loop.why,
            of="makespan",
            value=fluid.makespan,
            unit="s",
            alternatives=tuple(found),
        )
    if pace is not None:
        return _by_records(case, fluid, pace, found)
    return Method(
        method="fluid",
        exact=not scatter,
        why=why,
        of="makespan",
        value=fluid.makespan,
        unit="s",
        alternatives=tuple(found),
    )


def _by_records(case: Case, fluid: FluidResult, pace: Paced, bounds: list[Alternative]) -> Method:
    circuit = finite(case)
    records = circuit.records if isinstance(circuit, Finite) else 0.0
    why = (
        "every source gives as fast as it is taken, every record has a declared demand that scatters, pipes are finite"
    )
    others = [
        Alternative(method=name, value=None, unit="s", note=f"does not apply: {said}")
        if isinstance(said, str)
        else Alternative(method=name, value=records / said, unit="s")
        for name, said in pace.others.items()
    ]
    return Method(
        method=pace.method,
        exact=pace.exact,
        why=why,
        of="makespan",
        value=fluid.makespan,
        unit="s",
        alternatives=(*others, *bounds),
    )


def _by_dataflow(case: Case, flow: Dataflow | str) -> Alternative:
    if isinstance(flow, str):
        return Alternative(method="synchronous dataflow", value=None, unit="s", note=f"does not apply: {flow}")
    starts = [name for name in case.order if not case.inputs[name]]
    records = sum(case.flows[name].records_out for name in starts)
    rate = flow.limited_per_s
    note = "as if every server had a core of its own" + ("" if flow.exact else ", and every record took the mean time")
    return Alternative(
        method="synchronous dataflow", value=records / rate if rate else None, unit="s", exact=flow.exact, note=note
    )


def _open(answer: OpenAnswer) -> Method:
    along = [answer.stations[name] for name in answer.path]
    asked = [(one.asked, one.choice) for one in along if one.asked is not None and one.choice is not None]
    bounds = []
    for one in along:
        if one.asked is not None and one.asked.servers == 1:
            station = one.asked
            given = station.arrivals.rate, station.service_time, station.arrivals.scv, station.service_scv
            bounds.append((kingman(*given).wait or 0.0) + (one.response_time_s or 0.0) - (one.wait_s or 0.0))
    least = sum((one.response_time_s or 0.0) - (one.wait_s or 0.0) for one in along)
    found = [Alternative(method="no waiting at all", value=least, unit="s", note="a bound: nothing is faster")]
    if len(bounds) == len(asked):
        note = "Kingman's formula at every station; an upper bound where arrivals are renewals"
        found.append(Alternative(method="heavy traffic", value=sum(bounds), unit="s", note=note))
    inexact = [name for name in answer.path if (c := answer.stations[name].choice) is not None and not c.exact]
    why = f"the sum over the longest path, {' -> '.join(answer.path)}"
    if inexact:
        why += f"; {_names(inexact)} {'is' if len(inexact) == 1 else 'are'} approximated"
    elif len(asked) > 1:
        plain = all(choice.queue.method.startswith("M/M/") for _, choice in asked)
        why += ", each exact" + (" (Jackson's theorem)" if plain else "")
    if not inexact and not answer.exact:
        why += "; what it takes to wake a reader that sleeps comes on top, by its mean"
    if answer.line:
        why += "; its pipes are narrow, so that the whole line is answered at once"
    return Method(
        method=answer.line or "decomposition",
        exact=answer.exact,
        why=why,
        of="mean response time",
        value=answer.response_mean_s,
        unit="s",
        alternatives=tuple(found),
    )


def _names(names: list[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"

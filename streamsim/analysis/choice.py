"""Which queueing model answers one station: the most exact whose assumptions hold, with its reasons.

A model is exact where what it assumes of arrivals, service, servers and cores is what the scenario says. What comes out
of another station is seldom as simple as that, so that most stations behind the first are approximations; the answer
says which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from streamsim.analysis.queueing import Queue, models
from streamsim.analysis.queueing.gg1 import kraemer_langenbach_belz
from streamsim.analysis.queueing.ggc import whitt
from streamsim.analysis.queueing.gm1 import dm1, hyper_m1
from streamsim.analysis.queueing.mapmap1 import ph_ph_1
from streamsim.analysis.queueing.mdc import mdc
from streamsim.analysis.queueing.mg1 import md1, mg1
from streamsim.analysis.queueing.mm1 import mm1
from streamsim.analysis.queueing.mmc import mmc
from streamsim.analysis.response import Law
from streamsim.errors import ModelError
from streamsim.result import Alternative

Kind = Literal["poisson", "even", "bursty", "general"]
"""What is known of the gaps: independent and exponential; constant; independent and two-phase; only their moments."""


PHASES = ("hyperexponential", "erlang")
"""Laws of service that two moments say all of, as phase-type laws do."""


@dataclass(frozen=True)
class Arrivals:
    """How records come to a station: ``rate`` (1/s), scv of the gaps, their kind, and why they are no simpler."""

    rate: float
    scv: float
    kind: Kind
    why: str = ""


@dataclass(frozen=True)
class Station:
    """One station as the models see it.

    ``service_time`` (s) is that of one record, other servers' use of the cores included; ``shared`` says that they do
    use them. ``family`` is the law of the service.
    """

    arrivals: Arrivals
    service_time: float
    service_scv: float
    family: str
    servers: int = 1
    shared: bool = False


@dataclass(frozen=True)
class Choice:
    """The model that was chosen: its answer, whether it is exact for this station, why it and why no better one."""

    queue: Queue
    exact: bool
    why: str
    law: Law | None


def choose(station: Station) -> Choice:
    """Answer a station by the most exact model whose assumptions it meets.

    >>> found = choose(Station(Arrivals(0.8, 1.0, "poisson"), 1.0, 0.0, "deterministic"))
    >>> found.queue.method, found.exact, found.queue.wait
    ('M/D/1', True, 2.0000000000000004)
    """
    arrivals, time, scv, servers = station.arrivals, station.service_time, station.service_scv, station.servers
    rate = arrivals.rate
    exponential = station.family == "exponential"
    doubts = _doubts(station)
    why = _facts(station)
    if arrivals.kind == "poisson" and servers == 1:
        queue = mm1(rate, time) if exponential else md1(rate, time) if scv == 0 else mg1(rate, time, scv)
    elif arrivals.kind == "poisson" and exponential:
        queue = mmc(rate, time, servers)
    elif arrivals.kind == "poisson" and scv == 0:
        queue = mdc(rate, time, servers)
    elif arrivals.kind in ("even", "bursty") and servers == 1 and exponential:
        queue = dm1(rate, time) if arrivals.kind == "even" else hyper_m1(rate, time, arrivals.scv)
    elif arrivals.kind == "bursty" and servers == 1 and station.family in PHASES:
        queue = ph_ph_1(rate, time, arrivals.scv, scv)
    elif servers == 1:
        queue = kraemer_langenbach_belz(rate, time, arrivals.scv, scv)
        why += "; no exact model is at hand, so by the first two moments"
    else:
        queue = whitt(rate, time, servers, arrivals.scv, scv)
        why += "; no exact model is at hand, so by the first two moments"
    exact = queue.exact and not doubts
    if queue.exact and doubts:
        why += f"; exact but for this: {doubts}"
    elif doubts:
        why += f"; {doubts}"
    return Choice(queue, exact, why, _law(station, queue))


def alternatives(station: Station, chosen: Queue) -> tuple[Alternative, ...]:
    """Return what every other station model says of the mean wait (s), and what it would assume."""
    known = {
        "arrival_rate": station.arrivals.rate,
        "service_time": station.service_time,
        "servers": station.servers,
        "arrival_scv": station.arrivals.scv,
        "service_scv": station.service_scv,
    }
    found = []
    for name, model in sorted(models().items()):
        wanted = _parameters(model)
        if name == chosen.method or not wanted <= known.keys() or ("servers" in wanted) != (station.servers > 1):
            continue
        note = _assumes(name, station)
        try:
            queue = model(**{key: known[key] for key in wanted})
        except ModelError as error:
            found.append(Alternative(method=name, value=None, unit="s", note=f"does not apply: {error}"))
            continue
        if queue.wait is not None:
            found.append(
                Alternative(method=name, value=queue.wait, unit="s", exact=queue.exact and not note, note=note)
            )
    return tuple(found)


def _parameters(model: object) -> set[str]:
    code = model.__code__  # type: ignore[attr-defined]  # every model is a plain function
    return set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])


def _assumes(name: str, station: Station) -> str:
    """Return what a model by its name assumes that this station does not keep."""
    gaps, _, rest = name.partition("/")
    wrong = []
    kinds = {"M": "poisson", "D": "even", "H2": "bursty"}
    if gaps in kinds and station.arrivals.kind != kinds[gaps]:
        wrong.append({"M": "Poisson arrivals", "D": "even arrivals", "H2": "two-phase gaps"}[gaps])
    renewal, laws = ("poisson", "bursty"), ("exponential", *PHASES)
    if gaps == "PH" and (station.arrivals.kind not in renewal or station.family not in laws):
        wrong.append("gaps and service of phase-type laws by two moments")
    if gaps == "Gamma":
        wrong.append("gaps of a gamma law")
    service = rest.partition("/")[0]
    if service == "M" and station.family != "exponential":
        wrong.append("exponential service")
    if service == "D" and station.service_scv > 0:
        wrong.append("constant service")
    if name.endswith("PS"):
        wrong.append("records served all at once")
    return f"assumes {' and '.join(wrong)}" if wrong else ""


def _facts(station: Station) -> str:
    gaps = {
        "poisson": "Poisson arrivals",
        "even": "even arrivals",
        "bursty": f"bursty arrivals (scv {station.arrivals.scv:.3g})",
        "general": f"arrivals of scv {station.arrivals.scv:.3g}",
    }[station.arrivals.kind]
    law = {"deterministic": "constant service", "exponential": "exponential service"}.get(station.family)
    law = law or f"{station.family} service (scv {station.service_scv:.3g})"
    return f"{gaps}, {law}, {station.servers} server{'s' if station.servers > 1 else ''}"


def _doubts(station: Station) -> str:
    doubts = [station.arrivals.why] if station.arrivals.why else []
    if station.shared:
        doubts.append("others want the cores too, which stretches its work by their mean")
    return " and ".join(doubts)


def _law(station: Station, queue: Queue) -> Law | None:
    """Return the law of the response time: exact for M/G/1 and where the model knows it, else a gamma wait."""
    if queue.wait is None:
        return None
    time, scv = station.service_time, station.service_scv
    own = Law(time, 1.0 if station.family == "exponential" else scv)
    if station.arrivals.kind == "poisson" and station.servers == 1 and station.family != "exponential":
        return replace(own, poisson=station.arrivals.rate)
    waits = queue.probability_of_waiting
    if waits is None:
        waits = min(1.0, queue.utilisation)
    if waits <= 0 or queue.wait <= 0:
        return own
    return replace(own, waits=waits, wait=queue.wait / waits)

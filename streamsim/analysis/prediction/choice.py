"""Which queueing model answers one station: the most exact whose assumptions hold, with its reasons.

A model is exact where what it assumes of arrivals, service, servers and cores is what the scenario says. What comes out
of another station is seldom as simple as that, so that most stations behind the first are approximations; the answer
says which.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from streamsim.analysis.prediction import markovian
from streamsim.analysis.prediction.response import Law
from streamsim.analysis.queueing import Queue, models
from streamsim.analysis.queueing.gg1 import kraemer_langenbach_belz
from streamsim.analysis.queueing.ggc import whitt
from streamsim.analysis.queueing.gm1 import dm1, hyper_m1
from streamsim.analysis.queueing.map_process import MarkovProcess, renewal
from streamsim.analysis.queueing.mapmap1 import map_map_1, ph_ph_1
from streamsim.analysis.queueing.mdc import mdc
from streamsim.analysis.queueing.mg1 import md1, mg1
from streamsim.analysis.queueing.mm1 import mm1
from streamsim.analysis.queueing.mmc import mmc
from streamsim.analysis.queueing.phase_type import fit_two_moments
from streamsim.analysis.queueing.response_law import MatrixLaw
from streamsim.errors import ModelError
from streamsim.result import Alternative
from streamsim.service import Distribution

Kind = Literal["poisson", "even", "bursty", "general"]
"""What is known of the gaps: independent and exponential; constant; independent and two-phase; only their moments."""


PHASES = ("hyperexponential", "erlang")
"""Laws of service that two moments say all of, as phase-type laws do."""

WHOLE = 40
"""Laws of the response time are inverted whole where their matrix is no larger: it is factorised a hundred times."""
LEAST_SCV = 0.1
"""Of gaps and service that are given phases: ten of them."""


@dataclass(frozen=True)
class Arrivals:
    """How records come to a station: ``rate`` (1/s), scv of the gaps, their kind, and why they are no simpler.

    ``process`` is the Markovian process that they are, where they come straight from a source that has one.
    """

    rate: float
    scv: float
    kind: Kind
    why: str = ""
    process: MarkovProcess | None = None


@dataclass(frozen=True)
class Station:
    """One station as the models see it.

    ``service_time`` (s) is that of one record, other servers' use of the cores included; ``shared`` says that they do
    use them. ``family`` is the law of the service, ``law`` the whole of it, as a factor, where it is the station's own.
    """

    arrivals: Arrivals
    service_time: float
    service_scv: float
    family: str
    servers: int = 1
    shared: bool = False
    law: Distribution | None = None

    @property
    def correlated(self) -> bool:
        """Whether each demand depends on the one before."""
        return self.law is not None and abs(markovian.correlation_of(self.law)) > markovian.SEEN


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
    phases, known = _phases(station), arrivals.process is not None
    if phases is not None:
        queue = map_map_1(*phases)
        why += "" if known else "; the gaps by their first two moments, as if independent"
    elif arrivals.kind == "poisson" and servers == 1:
        queue = mm1(rate, time) if exponential else md1(rate, time) if scv == 0 else mg1(rate, time, scv)
    elif arrivals.kind == "poisson" and exponential:
        queue = mmc(rate, time, servers)
    elif arrivals.kind == "poisson" and scv == 0:
        queue = mdc(rate, time, servers)
    elif arrivals.kind in ("even", "bursty") and servers == 1 and exponential:
        queue = dm1(rate, time) if arrivals.kind == "even" else hyper_m1(rate, time, arrivals.scv)
    elif arrivals.kind == "bursty" and servers == 1 and (station.family in PHASES or scv >= LEAST_SCV):
        queue = ph_ph_1(rate, time, arrivals.scv, scv)
        if station.family not in PHASES:
            doubts = " and ".join([doubts] * bool(doubts) + ["its service has other phases than two moments say"])
    elif servers == 1:
        queue = kraemer_langenbach_belz(rate, time, arrivals.scv, scv)
        why += "; no exact model is at hand, so by the first two moments"
    else:
        queue = whitt(rate, time, servers, arrivals.scv, scv)
        why += "; no exact model is at hand, so by the first two moments"
    exact = queue.exact and not doubts and (phases is None or known)
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


def _phases(station: Station) -> tuple[MarkovProcess, MarkovProcess] | None:
    """Return arrivals and services with their phases, where simpler models would lose what is correlated."""
    arrivals = station.arrivals
    if station.servers > 1 or station.shared or station.law is None:
        return None
    if not station.correlated and (arrivals.kind != "general" or arrivals.process is None):
        return None
    services = markovian.services_of(station.law, station.service_time)
    if services is None:
        return None
    return arrivals.process or renewal(fit_two_moments(1 / arrivals.rate, max(arrivals.scv, LEAST_SCV))), services


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
    if station.correlated and station.law is not None:
        law += f", correlation {markovian.correlation_of(station.law):.2g} of one with the next"
    return f"{gaps}, {law}, {station.servers} server{'s' if station.servers > 1 else ''}"


def _doubts(station: Station) -> str:
    answered = _phases(station) is not None
    by_counts = answered and station.arrivals.process is not None  # what its counts lose, its phases know
    doubts = [station.arrivals.why] if station.arrivals.why and not by_counts else []
    if station.correlated and not answered:
        doubts.append("each demand is correlated with the next, and counts as if it were not")
    if station.shared:
        doubts.append("others want the cores too, which stretches its work by their mean")
    return " and ".join(doubts)


def _law(station: Station, queue: Queue) -> Law | None:
    """Return the law of the response time: exact for M/G/1 and where the model knows it, else a gamma wait."""
    if queue.wait is None:
        return None
    time, scv = station.service_time, station.service_scv
    own = Law(time, 1.0 if station.family == "exponential" else scv)
    if isinstance(queue.response_law, MatrixLaw) and len(queue.response_law.left) <= WHOLE:
        return replace(own, whole=queue.response_law)
    if station.arrivals.kind == "poisson" and station.servers == 1 and station.family != "exponential":
        return replace(own, poisson=station.arrivals.rate)
    waits = queue.probability_of_waiting
    if waits is None:
        waits = min(1.0, queue.utilisation)
    if waits <= 0 or queue.wait <= 0:
        return own
    return replace(own, waits=waits, wait=queue.wait / waits)

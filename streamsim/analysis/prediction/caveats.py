"""What a prediction leaves out of what the scenario declares, station by station, and which way that errs."""

from __future__ import annotations

import math

from streamsim.analysis.prediction import markovian
from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.finite import Finite
from streamsim.analysis.prediction.open_load import OpenAnswer
from streamsim.analysis.prediction.pinned import Crowd
from streamsim.service import UNLIMITED

MAP_ANSWERED = "MAP/MAP/1"
FEW = 4
"""Records in a pipe, up to which a split by key is answered less well (docs/decisions/0027-knots.md)."""


def caveats(case: Case, answer: OpenAnswer | None, *, places_counted: bool) -> list[str]:
    """Return a warning for every station whose service is declared with what the answer cannot take into account.

    Parameters
    ----------
    answer : under a load of its own, else None.
    places_counted : whether the answer counts how many records wait before each station at most.
    """
    found = []
    for name in case.order:
        told = (_correlated(case, answer, name), _servers(case, name))
        found += [text for text in told if text]
        if not places_counted and (text := _places(case, name)):
            found.append(text)
    return found


def ordered_merges(case: Case) -> list[str]:
    """Return the merges that hold records back until it is their turn."""
    stations = case.scenario.circuit.stations
    return [one.name for one in stations if one.role == "merge" and (one.batches or one.operator == "reorder")]


def out_of_turn(merges: list[str]) -> str:
    """Return why there is no response time where merges hold records back until it is their turn."""
    return (
        f"response time: records wait at {' and '.join(merges)} until all that came before them are through; no model "
        "here knows for how long; streamsim simulate does (simulate.grain = 'records')"
    )


def by_key(circuit: Finite) -> list[str]:
    """Return a warning where records go by key through pipes that hold next to nothing: knots are less good there."""
    least = min(
        (pipe.places for pipe in circuit.pipes if circuit.servers[pipe.upstream].shares == "random"), default=math.inf
    )
    if least > FEW:
        return []
    records = "1 record" if least <= 1 else f"{least:.0f} records"
    return [
        f"records go by key through pipes that hold {records}: this answer may be some per cent too high or too low "
        "(streamsim simulate --engine auto knows better)"
    ]


def _correlated(case: Case, answer: OpenAnswer | None, name: str) -> str:
    law = case.profiles[name].service.distribution
    correlation = markovian.correlation_of(law)
    if abs(correlation) <= markovian.SEEN or not case.flows[name].records_in:
        return ""
    station = answer.stations.get(name) if answer is not None else None
    if station is not None and station.choice is not None and station.choice.queue.method == MAP_ANSWERED:
        return ""
    text = f"the demands of '{name}' are correlated ({correlation:.2f} from one to the next) and count as independent: "
    if station is not None and station.asked is not None:
        times = markovian.inflation(law, station.asked.arrivals.scv)
        way = "longer" if times >= 1 else "shorter"
        return f"{text}records wait {way} before it than this says, near saturation {times:.2g} times as long"
    way = "more" if markovian.long_run_scv(law) >= law.scv else "less"
    return f"{text}full and empty pipes cost {way} than this says; streamsim simulate knows how much"


def _servers(case: Case, name: str) -> str:
    """Several servers that each serve several at once have as many queues as servers, which no model here knows."""
    at_once, parallelism = case.profiles[name].at_once, case.scenario.circuit.station(name).parallelism
    if at_once == 1 or parallelism == 1:
        return ""
    return (
        f"service.{name}.at_once = {at_once}: with parallelism = {parallelism} its servers are answered as "
        f"{at_once * parallelism} that serve one record each, with a queue of its own each; records wait less than that"
    )


def pins_of(case: Case) -> list[str]:
    """Return a note for each set of cores that several stations share which are pinned there."""
    limits = case.limits
    if limits is None or case.placement is None:
        return []
    found = []
    if not Crowd(limits, case.servers).exact:
        found.append("waits for cores: there are too many pins to go through all states; others count by their means")
    for limit in case.placement.limits[:-1]:
        inside = case.placement.inside(limit)
        if len(inside) > 1:
            found.append(f"{limit.label}: shared by {', '.join(inside)}, which are pinned there")
    return found


def _places(case: Case, name: str) -> str:
    places = case.profiles[name].places
    if places is None or places >= UNLIMITED:
        return ""
    return (
        f"service.{name}.places = {places}: answered as if any number could wait before it; what a full place holds "
        "back upstream is left out (streamsim simulate counts it)"
    )

"""Streams of records between stations under an open load: rate, scatter of the gaps, and what stations do to them.

Known by two moments (Whitt 1983, "The Queueing Network Analyzer", Bell System Technical Journal 62(9), eq. 38 for
departures); Poisson streams stay Poisson where that is exact.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from streamsim.analysis.prediction import markovian
from streamsim.analysis.prediction.case import Case
from streamsim.analysis.prediction.choice import Arrivals, Choice, Kind, Station
from streamsim.analysis.prediction.segments import moved
from streamsim.analysis.queueing.flow import deal_scv, departure_scv, split_scv, superpose_scv
from streamsim.circuit import Pipe
from streamsim.scenario import Load
from streamsim.traffic import shares

NEARLY = 0.999
"""Of its utilisation a station's departures are told by so much at most."""


def of_source(case: Case, name: str, span: float) -> Arrivals:
    """Return what a source gives."""
    load = case.scenario.load_of(name)
    rate = rate_of(case, name, span)
    if load.arrivals == "even" and load.rate is not None:
        return Arrivals(rate, 0.0, "even")
    process = markovian.arrivals_of(load, rate) if rate > 0 else None
    if load.arrivals in ("poisson", "bursty"):
        return Arrivals(rate, load.scv, "poisson" if load.arrivals == "poisson" else "bursty", process=process)
    if load.arrivals == "mmpp":
        why = "what comes is known by the scatter of its counts"
        return Arrivals(rate, counts_scatter(load, rate), "general", why, process)
    return Arrivals(rate, load.scv, "general", "what comes follows a trace, of which only the moments count")


def counts_scatter(load: Load, rate: float) -> float:
    """Return variance over mean of the records in a long time of an MMPP that passes its states in a circle.

    A renewal stream of that scv scatters as much in the long run (asymptotic method: Whitt, "Approximating a point
    process by a renewal process, I", Operations Research 30, 1982). With D the generator and π its law, the limit is 1
    + 2·Σπᵢrᵢ(mᵢ)/rate, m the deviation matrix times the rates: Fischer and Meier-Hellstern, "The Markov-modulated
    Poisson process (MMPP) cookbook", Performance Evaluation 18, 1993, equation 13.

    Two states of equal stay T and rates r ± d: 1 + d²T/r.

    >>> from streamsim.scenario import LoadState
    >>> two = Load(arrivals="mmpp", states=(LoadState(share=1.5, stay_s=2.0), LoadState(share=0.5, stay_s=2.0)))
    >>> round(counts_scatter(two, rate=4.0), 9)
    3.0
    """
    count = len(load.states)
    leaving = np.array([1 / state.stay_s for state in load.states])
    generator = np.zeros((count, count))
    for place in range(count):
        generator[place, place] -= leaving[place]
        generator[place, (place + 1) % count] += leaving[place]
    law = (1 / leaving) / (1 / leaving).sum()
    rates = np.array([state.share for state in load.states]) * rate
    rates *= rate / float(law @ rates)
    deviation = np.linalg.solve(np.outer(np.ones(count), law) - generator, rates - float(law @ rates))
    return 1 + 2 * float((law * rates) @ deviation) / rate


def rate_of(case: Case, name: str, span: float) -> float:
    """Return how many records a second come to a station, or leave a source."""
    return moved(case.flows[name])[1] / span


def into(case: Case, stream: Arrivals, pipe: Pipe) -> Arrivals:
    """Return what of a station's output goes into one of its pipes."""
    circuit, name = case.scenario.circuit, pipe.upstream
    part = shares(circuit, case.profiles[name], name)[pipe.label] if len(case.outputs[name]) > 1 else 1.0
    if part == 1.0:
        return stream
    if circuit.station(name).parameters.get("by") == "round-robin":
        return dealt(stream, len(case.outputs[name]))
    return drawn(stream, part, "records go their ways as if at random")


def merged(streams: list[Arrivals]) -> Arrivals:
    """Return several streams as one, as if they were independent."""
    if len(streams) == 1 or not any(one.rate for one in streams):  # of streams in which nothing comes, any will do
        return streams[0]
    rate = sum(one.rate for one in streams)
    scv = superpose_scv([one.rate for one in streams], [one.scv for one in streams])
    poisson = all(one.kind == "poisson" for one in streams)
    return Arrivals(rate, scv, "poisson" if poisson else "general", "several streams come together as if independent")


def dealt(stream: Arrivals, outputs: int) -> Arrivals:
    """Return what each of several outputs gets that are dealt to in turn."""
    even = stream.kind == "even"
    why = stream.why or ("" if even else "records are dealt in turn")
    return Arrivals(stream.rate / outputs, deal_scv(stream.scv, outputs), "even" if even else "general", why)


def drawn(stream: Arrivals, part: float, why: str) -> Arrivals:
    """Return a part of a stream, taken out at random."""
    kind: Kind = "poisson" if stream.kind == "poisson" else "general"
    return Arrivals(stream.rate * part, split_scv(stream.scv, part), kind, stream.why or why)


def departures(asked: Station, choice: Choice) -> Arrivals:
    """Return what leaves a station: Poisson again behind M/M/c (Burke 1956), else known by its moments."""
    arrivals = asked.arrivals
    if arrivals.kind == "poisson" and asked.family == "exponential":
        return replace(arrivals, why=arrivals.why if not asked.shared else "the cores are shared before it")
    scv = departure_scv(min(choice.queue.utilisation, NEARLY), arrivals.scv, asked.service_scv, asked.servers)
    return Arrivals(arrivals.rate, scv, "general", "what comes is what another station lets out")


def together_again(arrivals: Arrivals, asked: Station, servers: int) -> Arrivals:
    """Return what servers that are dealt to in turn give together.

    Each of them sees a more even stream, but together they give what came: their streams are anything but independent.
    So they scatter it as servers of one queue do.
    """
    utilisation = min(asked.arrivals.rate * asked.service_time, NEARLY)
    scv = departure_scv(utilisation, arrivals.scv, asked.service_scv, servers)
    return Arrivals(arrivals.rate, scv, "general", "what comes is what servers that are dealt to in turn let out")


def thinned(stream: Arrivals, case: Case, name: str, span: float) -> Arrivals:
    """Return the stream after a station's selectivity: some records taken out at random, or several for each."""
    flow = case.flows[name]
    factor = flow.records_out / flow.records_in if flow.records_in else 1.0
    if abs(factor - 1) < 1e-3:
        return stream
    rate = flow.records_out / span
    if factor < 1:
        return drawn(stream, factor, "records drop out as if at random")
    return Arrivals(rate, factor * (1 + stream.scv) - 1, "general", "records come several at a time")

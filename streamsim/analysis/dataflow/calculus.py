"""Network calculus: the delay and the backlog that are never exceeded, where arrivals and service are bounded."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from streamsim.analysis.queueing import checks


class Bucket(msgspec.Struct, frozen=True):
    """Arrivals of which at most ``burst + rate·t`` records come in any time t (s): a token bucket."""

    burst: float
    rate: float

    def __post_init__(self) -> None:
        checks.non_negative("burst", self.burst)
        checks.non_negative("rate", self.rate)


class Service(msgspec.Struct, frozen=True):
    """A station that serves at least ``rate·(t − latency)`` records in any busy time t: a rate-latency server.

    One that takes at most s seconds for every record has the rate 1/s and no latency; c such servers c/s, and the
    latency s of the record that each may hold.
    """

    rate: float
    latency: float = 0.0

    def __post_init__(self) -> None:
        checks.positive("rate", self.rate)
        checks.non_negative("latency", self.latency)


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What is never exceeded: ``delay`` (s) of a record, ``backlog`` (records) inside; None where the load is too much.

    ``output`` bounds the departures.
    """

    delay: float | None
    backlog: float | None
    output: Bucket | None

    @property
    def saturated(self) -> bool:
        """Whether more comes than is served in the long run, so that nothing bounds the backlog."""
        return self.delay is None


def bound(arrivals: Bucket, service: Service, *, packet: float = 0.0) -> Bound:
    """Bound one station: delay ≤ T + b/R, backlog ≤ b + r·T, departures of burst b + r·T.

    Parameters
    ----------
    packet : what leaves at once only (1: whole records); the backlog and the burst of the departures are then those of
        the latency T + packet/R, and the delay is what it was (theorem 1.7.1 there).

    Source: Le Boudec and Thiran, Network Calculus (2001), theorems 1.4.1 to 1.4.3 and proposition 1.4.1; the curves
    are Cruz's, "A calculus for network delay", IEEE Trans. Information Theory 37 (1991), 114-141.

    >>> found = bound(Bucket(burst=10, rate=2), Service(rate=4, latency=1))
    >>> found.delay, found.backlog, found.output.burst
    (3.5, 12.0, 12.0)
    """
    if arrivals.rate > service.rate:
        return Bound(delay=None, backlog=None, output=None)
    checks.non_negative("packet", packet)
    backlog = arrivals.burst + arrivals.rate * (service.latency + packet / service.rate)
    return Bound(
        delay=service.latency + arrivals.burst / service.rate,
        backlog=backlog,
        output=Bucket(backlog, arrivals.rate),
    )


def line(arrivals: Bucket, services: Sequence[Service], *, packet: float = 0.0) -> Bound:
    """Bound a line of stations end to end: the burst is paid for only once.

    The stations together serve like one of the smallest rate and the sum of the latencies; where whole packets move,
    every station but the last adds the time that it takes for one.

    Parameters
    ----------
    arrivals : at most `burst` + `rate`·t records (rate: 1/s) in any time t.
    services : of each station; at least `rate`·(t − `latency`) records in a busy time t; latency in s, 0 if not given.
    packet : what leaves at once only (1: whole records).

    Source: Le Boudec and Thiran (2001), theorem 1.4.6 (concatenation) and section 1.4.3 ("pay bursts only once").

    >>> line(Bucket(10, 2), [Service(4, 1), Service(5, 1)]).delay
    4.5
    """
    checks.whole("services", len(services), least=1)
    moving = sum(packet / one.rate for one in services[:-1])
    together = Service(min(one.rate for one in services), sum(one.latency for one in services) + moving)
    return bound(arrivals, together, packet=packet)


def bucket_of(times: Sequence[float], rate: float) -> Bucket:
    """Return the smallest bucket of a rate (1/s, above 0) that holds arrivals at these times (s, sorted).

    >>> bucket_of([0.0, 0.0, 1.0, 2.0], rate=1.0).burst
    2.0
    """
    checks.positive("rate", rate)
    burst, level, last = 0.0, 0.0, None
    for time in times:
        if last is not None:
            level = max(0.0, level - rate * (time - last))
        level, last = level + 1, time
        burst = max(burst, level)
    return Bucket(burst, rate)

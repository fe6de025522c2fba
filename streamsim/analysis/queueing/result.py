"""What every single-station model answers with: a frozen `Queue`, and the `Load` that it was asked about."""

from __future__ import annotations

import math

import msgspec

from streamsim.analysis.queueing import checks
from streamsim.analysis.queueing.response_law import MatrixLaw, ResponseLaw
from streamsim.errors import ModelError


class Load(msgspec.Struct, frozen=True):
    """What is offered to one station; checked when it is made.

    Parameters
    ----------
    arrival_rate : 1/s, at least 0.
    service_time : mean, s, above 0.
    servers : at least 1.

    Raises ModelError for anything else.

    >>> load = Load(3.0, 0.5, servers=2)
    >>> load.offered, load.ratio, load.largest_rate, load.saturated
    (1.5, 0.75, 4.0, False)
    """

    arrival_rate: float
    service_time: float
    servers: int = 1

    def __post_init__(self) -> None:
        checks.non_negative("arrival_rate", self.arrival_rate)
        checks.positive("service_time", self.service_time)
        checks.countable("servers", self.servers, least=1)
        if not math.isfinite(self.largest_rate):
            raise ModelError(f"service_time: {self.service_time!r} s is too small to compute with")

    @property
    def offered(self) -> float:
        """The work offered, in busy servers (erlang): λ·s."""
        return self.arrival_rate * self.service_time

    @property
    def ratio(self) -> float:
        """The work offered for each server, λ·s/c: the utilisation where it is below 1."""
        return self.offered / self.servers

    @property
    def largest_rate(self) -> float:
        """The arrival rate (1/s) that keeps every server busy for ever: c/s."""
        return self.servers / self.service_time

    @property
    def saturated(self) -> bool:
        """Whether the servers cannot carry the load: ρ ≥ 1, where no steady state exists."""
        return self.ratio >= 1


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """One station in its steady state, or the answer that it has none.

    Times are means in seconds, rates are 1/s, the rest are numbers. `wait`, `response_time`, `in_queue`,
    `in_system` and `probability_of_waiting` are None where the station is saturated; `probability_of_waiting`
    is also None where the model does not give it. A saturated station works all the time, so its
    `utilisation` is 1 and its `throughput` is `largest_rate`, the arrival rate below which the load holds.
    `probability_of_loss` is above 0 only where places are limited. `exact` tells a theorem from an
    approximation.

    >>> from streamsim.analysis.queueing.mm1 import mm1
    >>> queue = mm1(arrival_rate=0.5, service_time=1.0)
    >>> queue.wait, queue.in_system, queue.saturated
    (1.0, 1.0, False)
    >>> mm1(arrival_rate=2.0, service_time=1.0).wait is None
    True
    """

    method: str
    exact: bool
    saturated: bool
    utilisation: float
    throughput: float
    largest_rate: float
    wait: float | None
    response_time: float | None
    in_queue: float | None
    in_system: float | None
    probability_of_waiting: float | None = None
    probability_of_loss: float = 0.0
    response_law: ResponseLaw | MatrixLaw | None = None

    def response_time_quantile(self, probability: float) -> float | None:
        """Return the time (s) within which the share `probability` of the responses comes: at least 0, below 1.

        None where the law is not known or there is no steady state. Raises ModelError for a share outside the
        range.

        >>> from streamsim.analysis.queueing.mm1 import mm1
        >>> round(mm1(arrival_rate=0.8, service_time=1.0).response_time_quantile(0.95), 6)
        14.978661
        """
        return None if self.response_law is None else self.response_law.quantile(probability)


def steady(
    method: str,
    load: Load,
    wait: float,
    *,
    exact: bool,
    probability_of_waiting: float | None = None,
    response_law: ResponseLaw | MatrixLaw | None = None,
) -> Queue:
    """Return the queue that follows from its mean wait (s) by Little's law, for a load below saturation.

    Raises ModelError where the numbers given were too large to compute with.

    >>> steady("M/M/1", Load(0.5, 1.0), 1.0, exact=True).in_queue
    0.5
    """
    response_time = wait + load.service_time
    queue = Queue(
        method=method,
        exact=exact,
        saturated=False,
        utilisation=load.ratio,
        throughput=float(load.arrival_rate),
        largest_rate=load.largest_rate,
        wait=wait,
        response_time=response_time,
        in_queue=load.arrival_rate * wait,
        in_system=load.arrival_rate * response_time,
        probability_of_waiting=probability_of_waiting,
        response_law=response_law,
    )
    require_finite(queue)
    return queue


def saturated(method: str, load: Load, *, exact: bool) -> Queue:
    """Return the answer for a load that the servers cannot carry.

    >>> saturated("M/M/1", Load(2.0, 1.0), exact=True).throughput
    1.0
    """
    return Queue(
        method=method,
        exact=exact,
        saturated=True,
        utilisation=1.0,
        throughput=load.largest_rate,
        largest_rate=load.largest_rate,
        wait=None,
        response_time=None,
        in_queue=None,
        in_system=None,
    )


def require_finite(queue: Queue) -> None:
    """Raise ModelError if a number overflowed, so that no infinity or nan ever leaves a model."""
    for name in queue.__struct_fields__:
        value = getattr(queue, name)
        if isinstance(value, float) and not math.isfinite(value):
            raise ModelError(f"{queue.method}: {name} overflowed; rates, times or scv are too large to compute with")

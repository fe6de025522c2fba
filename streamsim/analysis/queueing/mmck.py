"""M/M/c/K: c servers and K places, service included; who finds them taken is lost (M/M/1/K: c = 1)."""

from __future__ import annotations

from typing import Final

from streamsim.analysis.queueing import birth_death, checks
from streamsim.analysis.queueing.result import Load, Queue, require_finite


def mmck_probabilities(arrival_rate: float, service_time: float, servers: int, places: int) -> tuple[float, ...]:
    """Return the share of time with 0, 1, …, K at the station.

    p(n+1)/p(n) = λs / min(n+1, c).

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    servers : c, at least 1.
    places : K, waiting and in service, at least c.

    Raises ModelError for numbers outside these ranges.

    Source: Kleinrock (1975), sections 3.6 and 3.7; Bolch et al., Queueing Networks and Markov Chains (2006),
    the M/M/m/K system.

    >>> mmck_probabilities(arrival_rate=1.0, service_time=1.0, servers=1, places=3)
    (0.25, 0.25, 0.25, 0.25)
    """
    load = Load(arrival_rate, service_time, servers)
    checks.countable("places", places, least=servers)
    return _probabilities(load, places)


def mmck(arrival_rate: float, service_time: float, servers: int, places: int) -> Queue:
    """Solve the M/M/c/K queue exactly; the times are those of the arrivals that are let in.

    A station that turns arrivals away has a steady state at every load, so it is never `saturated`: look at
    `probability_of_loss` = p(K). `throughput` counts what is served; `largest_rate` = c/s is what it tends
    to.

    Parameters
    ----------
    arrival_rate : λ, 1/s, at least 0.
    service_time : s, mean, s, above 0.
    servers : c, at least 1.
    places : K, waiting and in service, at least c.

    Raises ModelError for numbers outside these ranges.

    Source: Kleinrock (1975), sections 3.6 and 3.7; Bolch et al. (2006), the M/M/m/K system.

    >>> mmck(arrival_rate=1.0, service_time=1.0, servers=1, places=10).in_system
    5.0
    """
    load = Load(arrival_rate, service_time, servers)
    checks.countable("places", places, least=servers)
    probabilities = _probabilities(load, places)
    # An arrival that is let in finds n < K at the station, in the proportions of the chain cut off at K−1.
    found = _probabilities(load, places - 1)
    wait = birth_death.mean([max(0, n - servers + 1) for n in range(places)], found) * (service_time / servers)
    states = range(places + 1)
    busy = birth_death.mean([min(n, servers) for n in states], probabilities)
    queue = Queue(
        method="M/M/c/K",
        exact=True,
        saturated=False,
        utilisation=busy / servers,
        throughput=busy / service_time,
        largest_rate=load.largest_rate,
        wait=wait,
        response_time=wait + service_time,
        in_queue=birth_death.mean([max(0, n - servers) for n in states], probabilities),
        in_system=birth_death.mean(states, probabilities),
        probability_of_waiting=birth_death.mean([float(n >= servers) for n in range(places)], found),
        probability_of_loss=probabilities[places],
    )
    require_finite(queue)
    return queue


def _probabilities(load: Load, places: int) -> tuple[float, ...]:
    """Return the steady state of the chain with this many places, which may be one less than the servers."""
    deaths = [float(min(n, load.servers)) for n in range(1, places + 1)]
    return birth_death.steady_state([load.offered] * places, deaths)


MODELS: Final = {"M/M/c/K": mmck}

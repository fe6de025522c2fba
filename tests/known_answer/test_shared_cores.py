"""Two layers, servers on shared cores, against a simulation in which they share the cores record by record."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from streamsim.analysis.prediction.layers import Wants, number_wanting, stretches, without
from streamsim.analysis.prediction.network import predict
from streamsim.loading import load
from streamsim.models.records.engine import Kernel
from streamsim.models.records.streams import Drawn
from streamsim.models.records.table import Host, Pipe, Source, Station, Table
from streamsim.service import HostProfile, Profile

RECORDS = 12_000


def exponential(mean: float) -> Drawn:
    return Drawn(lambda rng, count: mean * rng.standard_exponential(count))


def machine(cores: float) -> HostProfile:
    whole = int(np.ceil(cores))
    return HostProfile(cores=whole, available_cores=cores, speed=(1.0,) * whole, wake_near_s=0.0, wake_far_s=0.0)


def simulated(demands: list[float], cores: float, rate: float) -> float:
    """Return the mean response (s) of records that come as a Poisson stream, all services exponential."""
    gaps = Source(arrivals="gaps", stream=exponential(1 / rate), records=RECORDS)
    stations = [Station(name="in", source=gaps, base_s=0.0)]
    stations += [
        Station(name=f"s{place}", host=0, base_s=demand, service=exponential(1.0))
        for place, demand in enumerate(demands)
    ]
    pipes = tuple(Pipe(upstream=place, downstream=place + 1) for place in range(len(demands)))
    table = Table(stations=tuple(stations), pipes=pipes, hosts=(Host(name="host", profile=machine(cores)),))
    means = []
    for seed in (1, 2):
        engine = Kernel(table, np.random.SeedSequence(seed))
        engine.run()
        _, times = engine.exits()
        responses = times[:, 0] - times[:, 1]
        means.append(float(responses[RECORDS // 10 :].mean()))
    return sum(means) / len(means)


def predicted(demands: list[float], cores: float, rate: float) -> float:
    service: dict[str, Any] = {
        f"s{place}": {"per_record": demand, "scv": 1.0, "record_bytes": 100} for place, demand in enumerate(demands)
    }
    scenario = load(
        {
            "sources": {
                "in": {"operator": "generate", "count": RECORDS, "size": 100, "rate": rate, "arrivals": "poisson"}
            },
            "stations": {name: {"command": "cat"} for name in service},
            "service": {"in": {"bytes": RECORDS * 100, "record_bytes": 100}, **service},
        }
    )
    response = predict(scenario, Profile(), host=machine(cores)).circuit.response_time
    assert response is not None and response.mean.value is not None
    return response.mean.value


@pytest.mark.parametrize(
    ("demands", "cores", "rate"),
    [
        ([1e-3] * 3, 2.0, 450.0),
        ([1e-3] * 5, 3.0, 400.0),
        ([1e-3] * 4, 1.5, 280.0),  # background load leaves one and a half
        ([2e-3, 1e-3, 0.5e-3], 2.0, 350.0),
    ],
)
def test_responses_on_shared_cores_are_within_a_twelfth_of_simulation(
    demands: list[float], cores: float, rate: float
) -> None:
    # docs/analyst.md tabulates the approximation; without the fixed point the first three are 13 to 54 % too short
    assert predicted(demands, cores, rate) == pytest.approx(simulated(demands, cores, rate), rel=1 / 12)


def test_fewer_cores_never_shorten_the_work_and_background_load_counts() -> None:
    wants = {name: Wants(300.0, 1e-3) for name in "abc"}
    found = [stretches(wants, cores)["a"] for cores in (3.0, 2.0, 1.5, 1.0)]
    assert found[0] == 1.0
    assert found == sorted(found)


def test_taking_a_server_out_undoes_putting_it_in() -> None:
    servers = [(0.05, 1), (0.5, 2), (0.97, 1)]
    law = number_wanting(servers)
    assert sum(law) == pytest.approx(1.0)
    rest = number_wanting([(0.05, 1), (0.5, 2)])
    assert without(law, 0.97) == pytest.approx(rest, abs=1e-12)
    assert without(number_wanting([(0.5, 2), (0.97, 1), (0.05, 1)]), 0.05) == pytest.approx(
        number_wanting([(0.5, 2), (0.97, 1)]), abs=1e-12
    )


@pytest.mark.parametrize(("cores", "used"), [(2, 0.6), (2, 0.85), (3, 0.8)])
def test_with_plenty_of_servers_the_cores_are_one_queue_that_is_shared(cores: int, used: float) -> None:
    # M/M/m in its mean, as the cores are shared: more servers than cores wait for cores, not for each other
    rate = used * cores / 2e-3
    service: dict[str, Any] = {name: {"per_record": 1e-3, "scv": 1.0, "record_bytes": 100} for name in ("a", "b")}
    around = {f"{name}.{part}": {"record_bytes": 100} for name in ("a", "b") for part in ("split", "merge")}
    source = {"operator": "generate", "count": RECORDS, "size": 100, "rate": rate, "arrivals": "poisson"}
    stations = {name: {"command": "cat", "parallelism": 12} for name in ("a", "b")}
    scenario = load(
        {
            "sources": {"in": source},
            "stations": stations,
            "service": {"in": {"record_bytes": 100}, **service, **around},
        }
    )
    found = predict(scenario, Profile(), host=machine(cores)).circuit.response_time
    assert found is not None
    offered = used * cores
    weights = [offered**number / math.factorial(number) for number in range(cores)]
    last = offered**cores / math.factorial(cores) / (1 - used)
    waits = last / (sum(weights) + last)  # Erlang C
    assert found.mean.value == pytest.approx(2e-3 * (1 + waits / (cores * (1 - used))), rel=0.01)

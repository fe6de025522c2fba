"""Lines, splits and merges with finite pipes against simulations that share no code with them.

What is allowed is four standard errors of the simulation, from batches, and what the decomposition is held to.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from benchmarks.line_simulation import line_throughput
from streamsim.analysis.queueing.lines import finite_network, line, saturated_line, solve_network
from streamsim.analysis.queueing.lines.section import count_states
from streamsim.models.records import kernel
from streamsim.models.records.check import check
from streamsim.models.records.engine import Kernel
from streamsim.models.records.streams import Drawn
from streamsim.models.records.table import Pipe, Source, Station, Table

RECORDS = 400_000


def _law(mean: float, scv: float) -> Drawn:
    """Return the law that two moments are matched by: exponential, Erlang, or balanced hyperexponential."""
    if scv == 1:
        return Drawn(lambda rng, count: mean * rng.standard_exponential(count))
    if scv < 1:
        phases = round(1 / scv)
        return Drawn(lambda rng, count: mean / phases * rng.standard_gamma(phases, count))
    chance = (1 + math.sqrt((scv - 1) / (scv + 1))) / 2

    def draw(rng: np.random.Generator, count: int) -> Any:
        likely = rng.random(count) < chance
        return mean / (2 * np.where(likely, chance, 1 - chance)) * rng.standard_exponential(count)

    return Drawn(draw)


def _simulated(stations: list[Station], pipes: list[tuple[int, int, int]]) -> tuple[float, float]:
    """Return what leaves per second, and its standard error, by the compiled kernel."""
    rows = tuple(Pipe(upstream=a, downstream=b, capacity=places) for a, b, places in pipes)
    model = Kernel(check(Table(stations=tuple(stations), pipes=rows)), np.random.SeedSequence(7), log="exits")
    model.run()
    times = np.sort(model.exits()[1][:, 0])[RECORDS // 10 :]
    spans = np.diff(times[:: len(times) // 40])
    rate = (len(times) // 40) / spans.mean()
    return rate, rate * spans.std(ddof=1) / spans.mean() / math.sqrt(len(spans))


@pytest.mark.skipif(not kernel.COMPILED, reason="the kernel was not compiled, and would take minutes")
@pytest.mark.parametrize(
    ("times", "scvs", "servers", "places"),
    [
        ([1.0, 1.1, 0.9, 1.0, 1.2], [1.0] * 5, [1] * 5, [2, 1, 3, 2]),
        ([1.0, 2.2, 0.9, 1.0], [0.5, 1.0, 3.0, 0.5], [1, 2, 1, 1], [2, 1, 2]),
        ([1.0, 3.2, 2.0], [1.0] * 3, [1, 3, 2], [1, 2]),
    ],
)
def test_a_line_carries_what_the_simulated_one_does(
    times: list[float], scvs: list[float], servers: list[int], places: list[int]
) -> None:
    stations = [
        Station(
            name=f"s{i}", servers=servers[i], service=_law(times[i], scvs[i]),
            source=Source(records=RECORDS) if i == 0 else None,
        )
        for i in range(len(times))
    ]  # fmt: skip
    rate, spread = _simulated(stations, [(i, i + 1, room) for i, room in enumerate(places)])
    answer = saturated_line(times, places, service_scvs=scvs, servers=servers)
    assert answer.exact
    assert answer.throughput == pytest.approx(rate, abs=4 * spread)


@pytest.mark.skipif(not kernel.COMPILED, reason="the kernel was not compiled, and would take minutes")
def test_a_split_carries_what_the_simulated_one_does() -> None:
    def exponential(mean: float) -> Drawn:
        return _law(mean, 1.0)

    stations = [
        Station(name="a", service=exponential(1.0), source=Source(records=RECORDS), split="drawn", weights=(0.3, 0.7)),
        Station(name="b", service=exponential(2.5)),
        Station(name="c", service=exponential(1.4)),
    ]
    rate, spread = _simulated(stations, [(0, 1, 1), (0, 2, 2)])
    routing = [[0.0, 0.3, 0.7], [0.0] * 3, [0.0] * 3]
    # a place in the model is one in the pipe, and one at the server
    network = finite_network([1.0, 2.5, 1.4], [1, 2, 3], routing, saturated=[0])
    assert solve_network(network).throughput == pytest.approx(rate, abs=4 * spread)


@pytest.mark.parametrize("seed", range(4))
def test_a_line_above_the_exact_limit_is_within_three_per_cent_of_a_simulation(
    seed: int,
) -> None:
    generator = np.random.default_rng(seed)
    stations = 6 + 2 * (seed % 2)
    times = generator.uniform(0.7, 1.4, stations).tolist()
    places = [int(value) for value in generator.integers(4, 14, stations - 1)]
    assert count_states(line(times, places), 0, stations - 1) > 100_000
    answer = saturated_line(times, places)
    rate, spread = line_throughput(times, places, seed=seed, replications=200, records=2000)
    assert not answer.exact
    assert answer.throughput == pytest.approx(rate, abs=0.03 * rate + 4 * spread)

"""Recognising tools that fill a buffer before they work on it, from what an observer sees of them now and then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from streamsim.analysis.fitting.gather import NOTHING, Reading, gathering
from streamsim.trace import StationTrace

Array = NDArray[np.float64]


def reading(times: Array, taken: Array, cpu: Array, *, read: float = 65536.0) -> Reading:
    """A run in which a tool was seen at these times; what is no work is waiting for input."""
    none = np.zeros_like(times)
    one = StationTrace(
        name="tool", started_s=0.0, ended_s=float(times[-1]), time_s=times, bytes_in=taken, bytes_out=taken,
        cpu_s=cpu, running_s=cpu, runnable_s=none, starved_s=times - cpu, blocked_s=none, waiting_s=none,
        reads=taken / read, writes=taken / 32768,
    )  # fmt: skip
    return Reading(one, cpu, 0, len(times) - 1)


def sorter(sizes: Array, rng: np.random.Generator, *, apart_s: float, drift: float = 0.0) -> Reading:
    """A run of a tool that takes buffers of these sizes in 4 ms each, at 2 ns/B, and works 14 ms on each.

    It is seen every `apart_s` at random; the speed of its cores wanders by the part `drift`.
    """
    ends = np.cumsum(sizes)
    knots, taken, cpu = [0.0], [0.0], [0.0]
    for end, size in zip(ends, sizes, strict=True):
        slow = 1.0 + drift * rng.standard_normal()
        for passed, reached, spent in ((0.004, end, 2e-9 * size), (0.014 * slow, end, 0.014)):
            knots.append(knots[-1] + passed)
            taken.append(reached)
            cpu.append(cpu[-1] + spent)
    steps = rng.uniform(0.4, 1.6, round(2 * knots[-1] / apart_s)) * apart_s
    times = np.concatenate([[0.0], np.cumsum(steps)])
    times = np.append(times[times < knots[-1]], knots[-1])
    return reading(times, np.interp(times, knots, taken), np.interp(times, knots, cpu))


def test_a_buffer_of_a_power_of_two_is_recognised_by_its_phase() -> None:
    times = np.arange(0.0, 2.0, 0.002)
    block = 262144.0
    cycle = times % 0.02  # 2 ms to take 256 KiB, 18 ms to work on them
    taken = (np.floor(times / 0.02) + np.clip(cycle / 0.002, 0, 1)) * block
    cpu = (np.floor(times / 0.02) + np.clip((cycle - 0.002) / 0.018, 0, 1)) * 0.018
    assert gathering([reading(times, taken, cpu)], 65536.0) == (block, 0.0)


@pytest.mark.parametrize("apart_s", [0.003, 0.007])
def test_a_buffer_of_any_size_is_recognised_by_where_the_tool_stands_still(apart_s: float) -> None:
    rng = np.random.default_rng(3)
    sizes = 700_000 * rng.uniform(0.94, 1.06, 29)
    found = gathering([sorter(sizes, rng, apart_s=apart_s, drift=0.1) for _ in range(5)], 25_000.0)
    assert found.bytes == pytest.approx(700_000, rel=0.03)
    assert found.filling_per_byte == pytest.approx(2e-9, rel=0.5)


def test_buffers_that_nobody_saw_full_do_not_hide_the_others() -> None:
    rng = np.random.default_rng(4)
    sizes = np.full(29, 700_000.0)
    runs = [sorter(sizes, rng, apart_s=0.004) for _ in range(3)]
    late = [run.station.bytes_in > 9 * 700_000 for run in runs]
    seldom = []
    for run, hidden in zip(runs, late, strict=True):
        kept = ~hidden | (np.arange(len(hidden)) % 3 == 0)
        kept[-1] = True
        station = run.station
        seldom.append(reading(station.time_s[kept], station.bytes_in[kept], station.cpu_s[kept]))
    assert gathering(seldom, 25_000.0).bytes == pytest.approx(700_000, rel=0.03)


def test_what_filling_costs_is_told_by_bites_where_there_are_some() -> None:
    rng = np.random.default_rng(6)
    runs = [sorter(np.full(29, 700_000.0), rng, apart_s=0.005) for _ in range(3)]
    size = rng.uniform(4e4, 2e5, (3, 3))
    cost = 1.1e-9 * size * rng.uniform(0.9, 1.1, (3, 3))
    cost[0, 0] *= 3  # into memory that is new to the process
    bitten = [
        run._replace(station=replace(run.station, bites=np.column_stack([size[k], cost[k]])))
        for k, run in enumerate(runs)
    ]
    assert gathering(bitten, 25_000.0).filling_per_byte == pytest.approx(1.1e-9, rel=0.1)


def test_a_run_whose_places_a_short_read_has_shifted_does_not_hide_the_buffer() -> None:
    rng = np.random.default_rng(7)
    runs = [sorter(np.array([shift, *[700_000.0] * 28]), rng, apart_s=0.006) for shift in (700e3, 640e3, 700e3, 580e3)]
    assert gathering(runs, 16_384.0).bytes == pytest.approx(700_000, rel=0.03)


def test_a_tool_that_works_on_what_it_has_just_read_gathers_nothing() -> None:
    times = np.arange(0.0, 2.0, 0.002)
    assert gathering([reading(times, times * 1e7, times / 2, read=1e5)], 8192.0) == NOTHING


def test_a_tool_that_works_long_on_every_read_gathers_nothing() -> None:
    rng = np.random.default_rng(5)
    assert gathering([sorter(np.full(300, 65536.0), rng, apart_s=0.005) for _ in range(3)], 65536.0) == NOTHING

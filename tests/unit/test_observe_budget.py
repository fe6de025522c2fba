"""Splitting a life into its five states."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsim.real.observation.budget import Ledger, complete, threads_used
from streamsim.real.states import ACTIVE, BLOCKED, STARVED, WAITING


def test_a_sleep_between_two_sights_of_the_same_state_is_all_of_that_state() -> None:
    ledger = Ledger(0.0)
    ledger.settle(1.0, cpu=0.2, delay=0.1, state=BLOCKED)
    ledger.settle(2.0, cpu=0.5, delay=0.1, state=BLOCKED)
    assert ledger.shares == pytest.approx((0.5, 0.1, 0.0, 1.4, 0.0))


def test_more_cpu_than_time_is_running_all_the_time() -> None:
    ledger = Ledger(0.0)
    ledger.settle(1.0, cpu=3.0, delay=1.0, state=ACTIVE)
    assert ledger.shares == pytest.approx((0.75, 0.25, 0.0, 0.0, 0.0))


def test_a_sleep_that_nobody_saw_is_laid_to_what_is_likely() -> None:
    ledger = Ledger(0.0, STARVED)
    ledger.settle(1.0, cpu=0.25, delay=0.0, state=ACTIVE)
    assert ledger.blind
    assert ledger.shares.starved == pytest.approx(0.75)


def test_a_sleep_after_the_last_sight_is_laid_to_that() -> None:
    ledger = Ledger(0.0)
    ledger.settle(1.0, cpu=0.0, delay=0.0, state=WAITING)
    ledger.settle(3.0, cpu=0.5, delay=0.0, state=ACTIVE)
    assert not ledger.blind
    assert ledger.shares.waiting == pytest.approx(2.5)


steps = st.lists(
    st.tuples(st.floats(0.001, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.sampled_from((0, 1, 2, 3))),
    min_size=1,
    max_size=30,
)


@given(steps)
def test_the_states_add_up_to_the_life_at_every_moment_and_never_fall(
    life: list[tuple[float, float, float, int]],
) -> None:
    ledger = Ledger(0.0)
    time = cpu = delay = 0.0
    rows = [(0.0, 0.0, *ledger.shares, True)]
    for place, (span, used, queued, state) in enumerate(life):
        time, cpu = time + span, cpu + span * used
        delay += span * (1 - used) * queued
        settled = bool(state) or place == len(life) - 1
        if settled:
            ledger.settle(time, cpu=cpu, delay=delay, state=state)
        rows.append((time, cpu, *ledger.shares, settled))
    table = np.array(rows)
    shares = complete(table[:, 0], table[:, 1], table[:, 2:7].T, table[:, 7] > 0)
    assert shares.sum(axis=0) == pytest.approx(table[:, 0], abs=1e-9)
    assert (np.diff(shares, axis=1) >= -1e-12).all()
    assert shares[0, -1] == pytest.approx(cpu)


def test_between_settled_moments_running_follows_the_cpu_time() -> None:
    life = np.array([0.0, 1.0, 2.0, 4.0])
    cpu = np.array([0.0, 1.0, 1.0, 2.0])
    shares = np.zeros((5, 4))
    shares[:, 3] = (2.0, 0.0, 2.0, 0.0, 0.0)
    filled = complete(life, cpu, shares, np.array([True, False, False, True]))
    assert filled[0].tolist() == [0.0, 1.0, 1.0, 2.0]
    assert filled[2].tolist() == [0.0, 0.0, 1.0, 2.0]


def test_threads_are_counted_over_a_window_and_not_over_a_tick() -> None:
    time = np.array([0.0, 0.004, 0.104, 0.304])
    cpu = np.array([0.0, 0.012, 0.104, 0.504])
    assert threads_used(time, cpu, 0.1) == pytest.approx(2.0)
    assert threads_used(time[:3], cpu[:3], 0.1) == 1.0


def test_what_the_hypervisor_stole_is_waiting_for_a_core_and_no_sleep() -> None:
    from streamsim.real.observation.assemble import with_stolen
    from streamsim.trace import StationTrace

    time = np.linspace(0.0, 2.0, 5)
    none = np.zeros_like(time)
    station = StationTrace(
        name="a", started_s=0.0, ended_s=2.0, time_s=time, bytes_in=none, bytes_out=none, cpu_s=time / 2,
        running_s=time / 2, runnable_s=none, starved_s=time / 4, blocked_s=time / 4, waiting_s=none, reads=none,
        writes=none,
    )  # fmt: skip
    found = with_stolen(station, 0.2)
    assert found.runnable_s[-1] == pytest.approx(0.2)  # a fifth of the second that it ran
    assert found.starved_s[-1] == pytest.approx(0.4)
    whole = found.running_s + found.runnable_s + found.starved_s + found.blocked_s + found.waiting_s
    assert whole == pytest.approx(time)

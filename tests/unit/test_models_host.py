"""The cores are shared fairly, and ties go in station order."""

from __future__ import annotations

import pytest

from streamsim.models.clock import Clock
from streamsim.models.host import Cores
from streamsim.service import HostProfile
from tests.unit.modelled import ideal_host


class Task:
    """Stands for a server: notes when its work was done and what it got."""

    def __init__(self, index: int, done: list[tuple[int, float]], clock: Clock, group: int = 0) -> None:
        self.index, self.done, self.clock, self.group = index, done, clock, group
        self.kind = None
        self.running_from = self.cores_from = self.cores_s = self.running_s = 0.0

    def worked(self) -> None:
        assert self.kind is not None
        self.cores_s = self.kind.cores_s - self.cores_from
        self.running_s = self.kind.running_s - self.running_from

    def resume(self) -> None:
        self.done.append((self.index, self.clock.now))


def share(host: HostProfile, works: list[tuple[float, float]], order: list[int] | None = None) -> tuple:  # type: ignore[type-arg]
    """Start all works (amount, threads) at once; returns when each was done, in the order of their ends, and tasks."""
    clock = Clock()
    clock.cores = Cores(clock, host)
    done: list[tuple[int, float]] = []
    tasks = [Task(index, done, clock) for index in range(len(works))]
    for index in order or range(len(works)):
        clock.cores.start(tasks[index], *works[index])  # type: ignore[arg-type]
    clock.hand_over()
    clock.run()
    return done, tasks, clock.cores


def test_tasks_that_fit_do_not_disturb_each_other() -> None:
    done, _, _ = share(ideal_host(3), [(1.0, 1.0), (2.0, 1.0), (3.0, 1.0)])
    assert done == [(0, 1.0), (1, 2.0), (2, 3.0)]


def test_tasks_share_one_core_equally() -> None:
    done, tasks, cores = share(ideal_host(1), [(1.0, 1.0), (2.0, 1.0)])
    assert done == [(0, 2.0), (1, 3.0)]
    assert [task.running_s for task in tasks] == pytest.approx([1.0, 2.0])
    assert cores.busy_s == pytest.approx(3.0)


def test_ties_go_in_station_order_whoever_began_first() -> None:
    done, _, _ = share(ideal_host(2), [(1.0, 1.0)] * 5, order=[3, 1, 4, 0, 2])
    assert [index for index, _ in done] == [0, 1, 2, 3, 4]
    assert {time for _, time in done} == {2.5}


def test_ties_of_tasks_of_different_kinds_go_in_station_order_too() -> None:
    done, _, _ = share(ideal_host(8), [(2.0, 2.0), (1.0, 1.0), (2.0, 2.0), (1.0, 1.0)], order=[3, 2, 1, 0])
    assert done == [(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)]


def test_a_task_that_can_use_several_cores_takes_what_others_leave() -> None:
    # 3 cores: one for each of the two single-threaded tasks, of the third one too, and it could use 2.
    done, tasks, _ = share(ideal_host(3), [(6.0, 1.0), (6.0, 1.0), (3.0, 2.0)])
    assert done[0] == (2, 3.0)
    assert tasks[2].running_s == pytest.approx(3.0)
    # 4 cores: then it has its 2.
    done, tasks, _ = share(ideal_host(4), [(6.0, 1.0), (6.0, 1.0), (3.0, 2.0)])
    assert done[0] == (2, 1.5)
    assert tasks[2].cores_s == pytest.approx(3.0)
    assert tasks[2].running_s == pytest.approx(1.5)


def test_water_is_filled_up_from_the_least_demanding() -> None:
    # 2 cores for 1 + 4 threads: the single thread gets its fair half of them, one core; the other task the rest.
    done, tasks, _ = share(ideal_host(2), [(1.0, 1.0), (9.0, 4.0)])
    assert done == [(0, 1.0), (1, 5.0)]
    assert tasks[1].cores_s == pytest.approx(9.0)


def test_speed_depends_on_how_many_cores_are_asked_for() -> None:
    host = ideal_host(2, speed=(1.0, 0.5))
    done, _, _ = share(host, [(1.0, 1.0), (2.0, 1.0)])
    assert done == [(0, 2.0), (1, 3.0)]  # two at half speed, then one at full speed


def test_waking_is_far_only_while_a_core_is_idle_beside_the_wakers() -> None:
    clock = Clock()
    cores = clock.cores = Cores(clock, ideal_host(2, wake_near_s=1.0, wake_far_s=2.0))
    assert cores.wake_delay() == 2.0
    cores.start(Task(0, [], clock), 1.0, 1.0)  # type: ignore[arg-type]
    assert cores.wake_delay() == 1.0
    assert cores.wake_delay(by_timer=True) == 2.0
    single = Cores(clock, ideal_host(1, wake_near_s=1.0, wake_far_s=2.0))
    assert single.wake_delay() == 1.0

"""What the machine gives: speed, cores left over, how endings are judged, when to look again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from streamsim.analysis.fitting.gather import FEWEST_BITES
from streamsim.loading import load
from streamsim.real import measure
from streamsim.real.endings import judge, tail_of, was_cut
from streamsim.real.observation.host import Usage, check_environment, left_over, usage
from streamsim.real.observation.observe import SHARE
from streamsim.real.observation.pace import LONGEST_S, Switching, bites_wanted, period_s
from streamsim.real.observation.probe import Probe, Speeds
from streamsim.real.observation.speed import SpeedLog
from streamsim.real.pipes import Descriptors
from streamsim.real.plan import Process
from tests.patience import PATIENCE_S

GREP = Process(name="g", program="grep x", arguments=("grep", "x"), answers=(1,))
OTHER = Process(name="o", program="sort -z", arguments=("sort", "-z"))


def probed(*rates: float) -> Speeds:
    return Speeds(0.0, rates)


def test_the_reference_is_what_was_found_before_the_first_run() -> None:
    log = SpeedLog(1)
    for rate in (90.0, 110.0):
        log.add(probed(rate))
    assert log.reference_rate == 100.0
    log.add(probed(400.0))
    assert log.reference_rate == 100.0


def test_the_shape_comes_from_all_probes_together() -> None:
    log = SpeedLog(2)
    log.add(probed(100.0, 50.0))
    log.add(probed(100.0, 90.0))
    assert log.shape() == (1.0, 0.7)
    assert log.run((probed(100.0, 70.0), probed(100.0, 70.0)), [], 1.0, 2) == pytest.approx((1.0, 0.7))


def test_a_steady_machine_has_the_speed_that_its_probes_say() -> None:
    log = SpeedLog(1, reference_rate=50.0)
    for _ in range(5):
        log.add(probed(100.0))
    assert log.run((probed(100.0), probed(100.0)), [42.0, 42.0], 1.0, 1) == pytest.approx((2.0,))


def test_chance_is_not_taken_for_speed_and_a_real_change_is() -> None:
    noise = random.Random(1)
    log = SpeedLog(1)
    for _ in range(40):
        log.add(probed(noise.gauss(100, 20)))
    log.run((probed(100.0),), [noise.gauss(50, 10) for _ in range(30)], 1.0, 1)  # what the sample's rate is usually
    by_chance = log.run((probed(70.0),), [noise.gauss(50, 10) for _ in range(3)], 1.0, 1)[0]
    assert 0.9 < by_chance < 1.1
    slower = log.run((probed(50.0),) * 2, [noise.gauss(25, 2) for _ in range(100)], 1.0, 1)[0]
    assert slower < 0.75


def test_what_others_use_and_what_is_stolen_is_not_left_over() -> None:
    idle = (Usage(0.0, 0.0, 0.0), Usage(10.0, 0.0, 0.0))
    busy = (Usage(0.0, 5.0, 1.0), Usage(10.0, 15.0, 3.0))
    left = left_over([idle, busy], own_cpu_s=4.0)
    assert left.background_cores == pytest.approx(0.4)
    assert left.available_cores == pytest.approx(1.4)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_a_probe_finds_speeds_and_wakes_and_leaves_no_process() -> None:
    check_environment()
    cpus = sorted(os.sched_getaffinity(0))[:2]
    before = usage(cpus[0])
    with Probe(cpus) as probe:
        speeds, wake = probe.speeds(), probe.wake()
        pids = [process.pid for process in probe._processes]
    assert len(speeds.rates) == len(cpus) and min(speeds.rates) > 0
    assert 0 < wake.near_s < PATIENCE_S and 0 < wake.far_s < PATIENCE_S
    assert usage(cpus[0]).time > before.time
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("status", [0, signal.SIGPIPE, 141 << 8])
def test_an_end_and_a_broken_pipe_are_successes(status: int) -> None:
    assert not judge(OTHER, status).failed


def test_an_answer_is_a_success_with_a_word() -> None:
    assert judge(GREP, 1 << 8).failed is False and "status 1" in str(judge(GREP, 1 << 8).message)
    assert judge(GREP, 2 << 8).failed and judge(OTHER, 1 << 8).failed
    assert was_cut(OTHER, 141 << 8) and not was_cut(GREP, 1 << 8) and not was_cut(OTHER, 0)


def test_a_kill_hints_at_memory() -> None:
    assert judge(OTHER, signal.SIGKILL).message == "was killed by SIGKILL (out of memory?): sort -z"


def test_a_tail_is_short_whole_and_harmless() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"first\n" * 2000 + b"\x1b[2Jred\xff\n")
        file.flush()
        lines = tail_of(file.fileno()).splitlines()
    assert len(lines) == 20 and set(lines[:-1]) == {"first"} and lines[-1] == " [2Jred\ufffd"


def test_descriptors_stay_out_of_the_way_of_the_processes() -> None:
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208
    with Descriptors(200) as descriptors:
        read, write = descriptors.pipe()
        assert min(read, write) >= 200 and not os.get_inheritable(read)
        descriptors.close(read, read)
        assert len(descriptors) == 1
        with pytest.raises(BrokenPipeError):
            os.write(write, b"x")
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


def test_looking_costs_less_than_a_hundredth_of_a_core() -> None:
    assert SHARE <= 0.01
    periods = [period_s(elapsed) for elapsed in (0.0, 1.0, 30.0, 1000.0)]
    assert periods == sorted(periods)


def test_the_faster_processes_take_turns_the_less_often_they_are_looked_at() -> None:
    for elapsed in (0.0, 1.0, 30.0, 1000.0):
        periods = [period_s(elapsed, rate) for rate in (0.0, 12e3, 20e3, 50e3, 1e6)]
        assert periods == sorted(periods)
        assert periods[0] == periods[1] == period_s(elapsed)
        assert periods[-1] <= LONGEST_S
    assert FEWEST_BITES < bites_wanted(1e6) < bites_wanted(20e3) < bites_wanted(12e3) == bites_wanted(0.0)


def test_switches_are_averaged_over_bursts_and_forgotten_soon() -> None:
    switching, count = Switching(0.0), 0
    rates = []
    for step in range(1, 201):  # bursts of 5 ms in 20
        count += 200 if step % 4 == 0 else 0
        switching.note(step * 0.005, count)
        rates.append(switching.per_s)
    assert all(5e3 < rate < 16e3 for rate in rates[100:])
    assert sum(rates[100:]) / 100 == pytest.approx(10e3, rel=0.05)
    switching.note(2.0, count)
    assert switching.per_s < 1.0
    switching.note(1.0, count + 1000)  # the clock cannot go back, and what is counted twice counts once
    assert switching.per_s < 1.0


def test_importing_the_runtime_starts_nothing() -> None:
    script = "import os, streamsim.real.measure; print(len(os.listdir(f'/proc/{os.getpid()}/task')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    )
    assert done.stdout.split() == [b"1"]


def test_what_others_do_while_the_cores_are_probed_is_not_laid_to_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    busy_s, probe = 0.0, Probe.speeds

    def probing(one: Probe) -> Speeds:
        nonlocal busy_s
        busy_s += 100.0
        return probe(one)

    monkeypatch.setattr(Probe, "speeds", probing)
    monkeypatch.setattr(measure, "usage", lambda cpu: Usage(time.monotonic(), busy_s, 0.0))
    line = load({"name": "line", "sources": {"s": {"command": "seq 9"}}, "stations": {"t": {"command": "cat"}}})
    assert measure.run_once(line).background_cores == 0.0

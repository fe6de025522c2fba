"""Controllers in a simulation by chunks: the policies of real runs change pipes, samplers and the order of filters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamsim.adjustable import Change, Replay, Timed
from streamsim.errors import ControlError, ModelError
from streamsim.loading import load
from streamsim.models import simulate
from streamsim.models.pipe import Channel
from streamsim.models.steering import PIPE
from streamsim.scenario import Scenario
from streamsim.service import Filter, HostProfile, Profile, ServiceModel, StationProfile
from streamsim.verbs import replayed

SIZE = 1 << 22
HOST = HostProfile(cores=8, available_cores=8.0, wake_near_s=0.0, wake_far_s=0.0)


def circuit(stations: dict[str, Any], **controller: Any) -> Scenario:
    document = {"sources": {"make": {"command": "seq 9"}}, "stations": stations, "simulate": {"replications": 1}}
    return load({**document, **({"controllers": {"one": controller}} if controller else {})})


def profile(size: int = SIZE, **stations: StationProfile) -> Profile:
    make = StationProfile(bytes_out=size, records_out=size / 64, write_bytes=4096, record_bytes=64.0)
    return Profile(stations={"make": make, **stations})


def taking(size: int = SIZE, gives: float = 1.0, **changes: Any) -> StationProfile:
    known = {"bytes_in": size, "bytes_out": gives * size, "records_in": size / 64, "records_out": gives * size / 64}
    return StationProfile(**{**known, "record_bytes": 64.0, "write_bytes": 4096, **changes})


def test_a_pipe_grows_until_its_writer_need_not_wait_for_a_reader_that_works_in_spurts() -> None:
    stations = {"make2": {"command": "cat"}, "pack": {"command": "sort", "pipe": {"capacity": "8 KiB"}}}
    profiles = profile(
        make2=taking(service=ServiceModel(per_byte=1e-7)),
        pack=taking(service=ServiceModel(per_byte=1e-7), gather_bytes=1 << 18),
    )
    fixed = simulate(circuit(stations), profiles, host=HOST).runs[0]
    steered = circuit(stations, policy="fit-pipe", station="pack", period="1 ms", looks=10)
    held = simulate(steered, profiles, host=HOST).runs[0]
    sizes = [command.parameters[PIPE] for command in held.commands]
    assert sizes == sorted(sizes)
    assert max(sizes) >= 1 << 17
    # Alone each takes 0.42 s; one after the other, as with a pipe of nothing, 0.84 s.
    assert 0.42 < held.makespan_s < fixed.makespan_s / 1.3 < 0.84


def test_a_pipe_that_is_full_does_not_shrink() -> None:
    pipe = Channel("a", 65536)
    assert pipe.put(40_000) == 40_000
    assert not pipe.resize(32_768)
    assert (pipe.slots, pipe.capacity_bytes) == (16, 65536)
    assert pipe.resize(40_960)  # the kernel makes 64 KiB of it
    assert pipe.slots == 16
    pipe.get(30_000)
    assert pipe.resize(16_384)
    assert pipe.capacity_bytes == 16_384


def test_filters_are_put_into_the_order_that_costs_least() -> None:
    """100 ns and 200 ns a record let 0.9 through, 10 ns 0.1: in the best order a record costs 10 + 10 + 18 ns."""
    each = [(0.9, 100e-9), (0.9, 200e-9), (0.1, 10e-9)]
    filters = tuple(Filter(passes=(p,), costs=(c,), seen=(1.0,)) for p, c in each)
    size = 1 << 26
    # What it was measured to need is in any order that of all filters: the rest of a record costs nothing here.
    search = taking(size, 0.081, service=ServiceModel(per_record=310e-9), filters=filters)
    stations = {"search": {"operator": "cascade", "where": ["record != ''"] * 3}}
    free = simulate(circuit(stations), profile(size, search=search), host=HOST).runs[0]
    steered = circuit(stations, policy="order-filters", station="search", period="5 ms")
    held = simulate(steered, profile(size, search=search), host=HOST).runs[0]
    assert held.commands[-1].parameters["order"].startswith("3,") or held.commands[-2].parameters["order"][0] == "3"
    work = {name: float(run.stations["search"].cpu_s[-1]) * 64 / size for name, run in (("held", held), ("free", free))}
    assert work["free"] == pytest.approx(100e-9 + 0.9 * 200e-9 + 0.81 * 10e-9, rel=0.01)
    assert work["held"] < 0.4 * work["free"]
    for run in (held, free):
        assert run.stations["search"].bytes_out[-1] == pytest.approx(0.081 * size, rel=0.001)


def test_a_sampler_keeps_what_its_parameters_say_whatever_it_kept_when_it_was_measured() -> None:
    stations = {"thin": {"operator": "sample", "every": 4}, "last": {"command": "cat"}}
    run = simulate(circuit(stations), profile(thin=taking(gives=1.0), last=taking()), host=HOST).runs[0]
    assert run.stations["last"].bytes_in[-1] == SIZE // 4


def test_what_a_real_run_was_told_is_done_again_at_the_same_bytes(tmp_path: Path) -> None:
    log = tmp_path / "commands.jsonl"
    head = '{"schema":"streamsim.recording/1"}\n'
    line = '{{"time_s":0.0,"station":"thin","method":"{}","parameters":{},"byte":{}}}\n'
    log.write_text(
        head
        + line.format("set", '{"probability":0.5}', 1 << 20)
        + line.format("pause", "{}", 5)
        + line.format("resume", "{}", 5)
        + line.format("set", '{"probability":0.0}', 3 << 20)
    )
    stations = {"thin": {"operator": "sample", "probability": 1.0}, "last": {"command": "cat"}}
    scenario = circuit(stations, policy="hold-error", station="thin", error=0.001, window=1, period="1 ms")
    run = simulate(scenario, profile(thin=taking(), last=taking()), host=HOST, replay=replayed(log)).runs[0]
    records, kept = (2 << 20) / 64, run.stations["last"].bytes_in[-1] / 64 - (1 << 20) / 64
    assert kept == int(kept)
    assert abs(kept - records / 2) < 5 * (records / 4) ** 0.5  # each is kept by chance: five standard deviations
    assert run.commands == ()
    with pytest.raises(ModelError, match="what was recorded of 'last' cannot be simulated: it is a Unix command here"):
        simulate(scenario, profile(thin=taking(), last=taking()), host=HOST, replay=Replay({"last": [Change(1, {})]}))


def test_a_pause_adds_to_a_simulated_makespan_what_it_lasted(tmp_path: Path) -> None:
    stations = {"first": {"command": "cat"}, "last": {"command": "cat"}}
    scenario, known = circuit(stations), profile(first=taking(), last=taking(service=ServiceModel(per_byte=1e-6)))

    def makespan(*timed: Timed) -> float:
        return simulate(scenario, known, host=HOST, replay=Replay({}, timed)).runs[0].makespan_s

    free, half = makespan(), makespan() / 2
    paused = makespan(Timed(half, "last", "pause"), Timed(half + 7.0, "last", "resume"))
    assert 7.0 - 65536 * 1e-6 <= paused - free <= 7.0 + 1e-9  # what it has read at the time is still worked on
    assert makespan(Timed(half, "first", "resume")) == free
    assert makespan(Timed(2 * free, "last", "pause")) == free
    with pytest.raises(ModelError, match="'last' is paused"):
        makespan(Timed(half, "last", "pause"))
    with pytest.raises(ModelError, match="pause of 'make' cannot be simulated: it reads nothing"):
        makespan(Timed(half, "make", "pause"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"time_s":1,"station":"a","method":"scale","parameters":{"servers":0}}', "line 2: scale of 'a': .* >= 1"),
        ('{"time_s":1,"station":"a","method":"scale","parameters":{}}', "line 2: scale of 'a': .*`servers`"),
        ('{"time_s":1,"station":"a","method":"set","parameters":{"where":"1"}}', "where of 'a' cannot be simulated"),
        ('{"time_s":1,"station":"a","method":"set","parameters":{"niceness":20}}', "set of 'a': niceness: .* <= 19"),
        ('{"time_s":1,"station":"a","method":"set","parameters":{"cores":[-1]}}', "set of 'a': cores.*: .* >= 0"),
        ('{"time_s":1,"station":"a","method":"set","parameters":{"cores":[]}}', "set of 'a': cores: .*names no cores"),
        ('{"time_s":1,"station":"a","method":"set","parameters":{"cores":"all"}}', "set of 'a': cores: 'all' names no"),
        ('{"time_s":1,"station":"a","method":"set","parameters":{"pipe":"much"}}', "set of 'a': pipe: "),
        ('{"time_s":1,"station":"a","method":"pauze","parameters":{}}', "line 2: 'pauze' of 'a' has no byte.*'pause'"),
        ('{"time_s":-1,"station":"a","method":"pause","parameters":{}}', "line 2: not a recorded command.*>= 0"),
        ('{"time_s":1,"station":"a","method":"pause","parameters":{},"bite":1}', "line 2: .*unknown field `bite`"),
        ("{", "line 2: not a recorded command"),
    ],
)
def test_a_recording_is_refused_by_line_or_station_and_method(tmp_path: Path, line: str, says: str) -> None:
    log = tmp_path / "commands.jsonl"
    log.write_text('{"schema":"streamsim.recording/1"}\n' + line + "\n")
    with pytest.raises(ControlError, match=says):
        replayed(log)
    log.write_text(line)
    with pytest.raises(ControlError, match="line 1: no recording"):
        replayed(log)
    log.write_text('{"schema":"streamsim.recording/9"}')
    with pytest.raises(ControlError, match=r"line 1: a recording of schema 'streamsim\.recording/9'"):
        replayed(log)


def test_a_deadlock_is_seen_although_a_controller_goes_on_looking() -> None:
    document = {
        "sources": {"make": {"command": "seq 9"}},
        "stations": {
            "sort": {"command": "sort", "input": "make"},
            "plain": {"command": "cat", "input": "make"},
            "both": {"command": "comm - {plain}", "input": ["sort", "plain"]},
        },
        "controllers": {"one": {"policy": "fit-pipe", "station": "sort", "period": "1 ms"}},
    }
    known = profile(sort=taking(barrier=True), plain=taking(), both=taking(2 * SIZE))
    known.stations["make.copy"] = taking()
    with pytest.raises(ModelError, match="deadlocks"):
        simulate(load(document), known, host=HOST)


def test_what_cannot_be_simulated_is_refused_by_name() -> None:
    unmeasured = circuit(
        {"a": {"operator": "cascade", "where": ["1 > 0"]}}, station="a", period="5 ms", policy="order-filters"
    )
    with pytest.raises(ModelError, match="changes the order of 'a'"):
        simulate(unmeasured, profile(a=taking()), host=HOST)


def test_a_cascade_that_lets_little_through_wakes_its_reader_for_whole_records_only() -> None:
    filters = (Filter(passes=(16 / (SIZE / 64),), costs=(1e-8,), seen=(1.0,)),)
    stations = {"pick": {"operator": "cascade", "where": ["len(record) > 9"]}, "last": {"operator": "copy"}}
    profiles = profile(
        pick=taking(gives=16 * 64 / SIZE, service=ServiceModel(per_byte=1e-9), filters=filters),
        last=taking(16 * 64, service=ServiceModel(setup=1e-5), read_bytes=4096.0),
    )
    steered = circuit(stations, policy="order-filters", station="pick", period="1 ms")
    held = simulate(steered, profiles, host=HOST).runs[0]
    assert held.stations["last"].bytes_in[-1] == 16 * 64
    assert held.stations["last"].visits is not None
    taken = held.stations["last"].visits["taken"]
    assert not (taken[taken > 0] % 64).any()

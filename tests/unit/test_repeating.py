"""What a real run was told, done again in a simulation by chunks: its effect is known beforehand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamsim.adjustable import Change, Known, Replay, Timed, Turn
from streamsim.errors import ControlError, ModelError
from streamsim.loading import load
from streamsim.models import simulate
from streamsim.service import Distribution, HostProfile, ServiceModel, StationProfile
from streamsim.trace import RunTrace
from streamsim.verbs import replayed

SIZE = 1 << 20
PARTS = ("starved", "running", "runnable", "waiting", "blocked")


def host(cores: int) -> HostProfile:
    return HostProfile(cores=cores, available_cores=float(cores), wake_near_s=0.0, wake_far_s=0.0)


def pair(*timed: Timed, cores: int = 1, **table: Any) -> RunTrace:
    """Two stations that need a second of a core each, both from the start on, from sources that need none."""
    document = {
        "sources": {"make-a": {"command": "seq 9"}, "make-b": {"command": "seq 9"}},
        "stations": {"a": {"command": "cat", "input": "make-a"}, "b": {"command": "cat", "input": "make-b"}},
        "service": {
            **{f"make-{name}": {"bytes": SIZE} for name in "ab"},
            **{name: {"per_byte": 1 / SIZE} for name in "ab"},
        },
        **table,
    }
    return simulate(load(document), host=host(cores), replay=Replay({}, timed)).runs[0]


def end(run: RunTrace, name: str) -> float:
    return float(run.stations[name].time_s[-1])


def test_from_niceness_19_on_a_station_gets_what_the_kernels_weights_leave_it() -> None:
    run = pair(Timed(1.0, "a", "niceness", 19))
    # Each has had half a core for a second. Then b has 1024 parts of 1039, until its other half is done.
    assert end(run, "b") == pytest.approx(1.0 + 0.5 * (1024 + 15) / 1024, abs=1e-6)
    assert run.makespan_s == pytest.approx(2.0, abs=1e-6)
    raised = pair(Timed(1.0, "a", "niceness", 19), Timed(1.25, "a", "niceness", -20))
    left_a, left_b = 0.5 - 0.25 * 15 / 1039, 0.5 - 0.25 * 1024 / 1039
    assert end(raised, "a") == pytest.approx(1.25 + left_a * (88761 + 1024) / 88761, abs=1e-6)
    assert left_b < left_a
    assert raised.makespan_s == pytest.approx(2.0, abs=1e-6)


def test_niceness_changes_nothing_while_there_are_cores_enough() -> None:
    assert pair(Timed(0.5, "a", "niceness", 19), cores=2).makespan_s == pytest.approx(1.0, abs=1e-6)


def test_two_stations_that_are_put_on_one_core_take_twice_as_long_from_then_on() -> None:
    both = Timed(0.5, "a", "cores", cores=(1,)), Timed(0.5, "b", "cores", cores=(1,))
    assert pair(*both, cores=2).makespan_s == pytest.approx(0.5 + 2 * 0.5, abs=1e-6)
    apart = Timed(0.75, "b", "cores", cores=(0, 1))
    assert pair(*both, apart, cores=2).makespan_s == pytest.approx(0.5 + 0.25 + 0.375, abs=1e-6)
    weighed = pair(*both, Timed(0.5, "a", "niceness", 5), cores=2)
    assert end(weighed, "b") == pytest.approx(0.5 + 0.5 * (1024 + 335) / 1024, abs=1e-6)


def test_the_cores_of_the_scenario_hold_until_others_are_set() -> None:
    free: dict[str, dict[str, Any]] = {name: {"command": "cat", "input": f"make-{name}"} for name in "ab"}
    both = {name: {**station, "cores": [0]} for name, station in free.items()}
    assert pair(cores=2, stations=both).makespan_s == pytest.approx(2.0, abs=1e-6)
    freed = pair(Timed(1.0, "a", "cores", cores=(1,)), cores=2, stations=both)
    assert freed.makespan_s == pytest.approx(1.5, abs=1e-6)
    with pytest.raises(ModelError, match=r"the host has 2 cores, and b, a are pinned to CPUs 0, 5, 6: set host\.cores"):
        pair(Timed(1.0, "a", "cores", cores=(5, 6)), cores=2, stations={**both, "a": free["a"]})


def test_budgets_add_up_and_bytes_are_conserved_whatever_is_told_and_the_same_seed_gives_the_same_trace() -> None:
    rng = np.random.default_rng(5)
    timed = [Timed(0.1, "make-a", "niceness", 3)]
    for when in sorted(rng.uniform(0.0, 3.0, 60)):
        name, place, number = "ab"[int(rng.integers(2))], int(rng.integers(3)), int(rng.integers(-20, 20))
        timed.append(
            (
                Timed(float(when), name, "pipe", 4096 << (number + 20) // 5),
                Timed(float(when), name, "niceness", number),
                Timed(float(when), name, "cores", cores=((0,), (1,), (0, 1))[number % 3]),
            )[place]
        )
    table = {"service": {**{f"make-{name}": {"bytes": SIZE} for name in "ab"},
                         **{name: {"per_byte": "1 us", "scv": 1.0} for name in "ab"}}}  # fmt: skip
    run, again = (pair(*timed, cores=2, simulate={"replications": 1}, **table) for _ in range(2))
    for name in "ab":
        trace, other = run.stations[name], again.stations[name]
        assert trace.bytes_in[-1] == trace.bytes_out[-1] == SIZE
        spent = sum(
            getattr(trace, f"{part}_s")[-1] for part in ("starved", "running", "runnable", "waiting", "blocked")
        )
        assert spent == pytest.approx(end(run, name), rel=1e-9)
        assert np.array_equal(trace.cpu_s, other.cpu_s)
        assert np.array_equal(trace.time_s, other.time_s)


def test_a_recorded_set_of_several_things_is_done_again(tmp_path: Path) -> None:
    log = tmp_path / "commands.jsonl"
    log.write_text(
        '{"schema":"streamsim.recording/1"}\n'
        '{"time_s":0.5,"station":"a","method":"set","parameters":{"niceness":19,"cores":1,"pipe":"16 KiB"}}\n'
        '{"time_s":0.5,"station":"b","method":"set","parameters":{"cores":[1,1]}}\n'
    )
    again = replayed(log)
    assert [(one.what, one.size, one.cores) for one in again.timed] == [
        ("pipe", 16384, ()),
        ("cores", 0, (1,)),
        ("niceness", 19, ()),
        ("cores", 0, (1,)),
    ]
    run = pair(*again.timed, cores=2)
    assert end(run, "b") == pytest.approx(0.5 + 0.5 * (1024 + 15) / 1024, abs=1e-6)


def test_what_is_told_to_an_operator_that_shares_a_process_is_told_to_the_process() -> None:
    document = {
        "sources": {"make": {"command": "seq 9"}},
        "stations": {"keep": {"operator": "copy"}, "last": {"operator": "copy", "fuse": True}},
        "service": {"make": {"bytes": 65536}, "keep": {"per_byte": "1 us"}, "last": {}},
    }
    for name in ("keep", "last"):
        timed = Timed(0.0, name, "pause"), Timed(5.0, name, "resume")
        assert simulate(load(document), replay=Replay({}, timed)).runs[0].makespan_s > 5.0
    with pytest.raises(ModelError, match=r"a niceness of 'lost', which no server .* \(there are make, keep\+last\)"):
        simulate(load(document), replay=Replay({}, (Timed(0.0, "lost", "niceness", 1),)))


KEEP = {"operator": "filter", "where": "int(record) % 2 == 0"}


def changed(*changes: Change, known: tuple[Known, ...] = ()) -> RunTrace:
    """A filter that needs 1 us a byte and lets half through; elsewhere a map that needs 3 us and gives twice that."""
    document = {
        "sources": {"make": {"command": "seq 9"}, "other": {"command": "seq 9"}},
        "stations": {
            "keep": {**KEEP, "input": "make"},
            "twice": {"operator": "map", "to": "record + record", "input": "other"},
            "pick": {"operator": "sample", "every": 4, "input": "make"},
            "first": {"operator": "copy", "input": "keep"},
            "second": {"operator": "copy", "input": "twice"},
        },
        "service": {
            **{name: {"bytes": SIZE, "record_bytes": 16} for name in ("make", "other")},
            "keep": {"per_byte": "1 us", "selectivity": 0.5, "record_bytes": 16},
            "twice": {"per_byte": "3 us", "selectivity": 2.0, "record_bytes": 16},
            "pick": {"per_byte": "1 us", "selectivity": 0.25, "record_bytes": 16},
            **{name: {"record_bytes": 16} for name in ("first", "second")},
        },
    }
    by_station: dict[str, list[Change]] = {"keep": list(changes)}
    return simulate(load(document), host=host(8), replay=Replay(by_station, (), known)).runs[0]


def test_from_its_byte_on_a_station_needs_and_gives_what_the_program_that_is_put_there_does() -> None:
    quarter = SIZE // 4
    run = changed(Change(quarter, {"to": "record + record"}, "map"))
    assert run.stations["keep"].cpu_s[-1] == pytest.approx(1e-6 * (quarter + 3 * 3 * quarter), rel=1e-9)
    assert run.stations["first"].bytes_in[-1] == quarter // 2 + 3 * quarter * 2
    again = Change(3 * quarter, {"where": KEEP["where"]}, "filter")
    back = changed(Change(quarter, {"to": "record + record"}, "map"), again)
    assert back.stations["keep"].cpu_s[-1] == pytest.approx(1e-6 * (2 + 3 * 2) * quarter, rel=1e-9)
    assert back.stations["first"].bytes_in[-1] == quarter + 4 * quarter
    assert changed().stations["keep"].cpu_s[-1] == pytest.approx(1e-6 * SIZE, rel=1e-9)


def test_a_byte_past_the_end_of_the_input_changes_nothing_and_byte_0_changes_all() -> None:
    late, free = changed(Change(SIZE, {"to": "record + record"}, "map")), changed()
    assert (late.makespan_s, late.stations["first"].bytes_in[-1]) == (free.makespan_s, SIZE // 2)
    first = changed(Change(0, {"to": "record + record"}, "map"))
    assert first.stations["first"].bytes_in[-1] == 2 * SIZE
    assert first.stations["keep"].cpu_s[-1] == pytest.approx(3e-6 * SIZE, rel=1e-9)


def test_a_filter_becomes_a_sampler_which_keeps_what_its_parameters_say_then_and_when_they_are_set() -> None:
    half = SIZE // 2
    run = changed(Change(0, {"every": 4}, "sample"), Change(half, {"every": 8}))
    assert run.stations["first"].bytes_in[-1] == half // 4 + half // 8


def test_a_change_takes_the_server_the_work_that_was_recorded() -> None:
    change = Change(SIZE // 2, {"to": "record + record"}, "map")
    run, free = changed(change._replace(work_s=0.5)), changed(change)
    assert run.stations["keep"].cpu_s[-1] == pytest.approx(free.stations["keep"].cpu_s[-1] + 0.5, rel=1e-9)
    assert end(run, "keep") == pytest.approx(end(free, "keep") + 0.5, rel=1e-6)


def elsewhere(service: ServiceModel, **station: Any) -> Known:
    """A station of another circuit that gives what it takes."""
    scenario = load({"sources": {"a": {"command": "seq 9"}}, "stations": {"b": station}})
    return Known(scenario.circuit.station("b"), StationProfile(service=service, bytes_in=9.0, bytes_out=9.0))


def test_parameters_of_any_operator_are_set_where_a_profile_has_them() -> None:
    longer = Change(0, {"where": "len(record) > 3"})
    says = r"'keep' becomes 'filter' \(where = 'len\(record\) > 3'\) in the recording, and no profile .*--programs"
    with pytest.raises(ModelError, match=says):
        changed(longer)
    known = elsewhere(ServiceModel(per_byte=7e-6), operator="filter", where="len(record) > 3")
    run = changed(longer, known=(known,))
    assert run.stations["keep"].cpu_s[-1] == pytest.approx(7e-6 * SIZE, rel=1e-9)
    assert run.stations["first"].bytes_in[-1] == SIZE
    spaced = elsewhere(ServiceModel(per_byte=7e-6), operator="filter", where="(len( record ))>3")
    assert changed(longer, known=(spaced,)).stations["keep"].cpu_s[-1] == run.stations["keep"].cpu_s[-1]
    with pytest.raises(ModelError, match="'keep' becomes 'filter'"):  # on records of another format
        changed(longer, known=(Known(msgspec.structs.replace(known.station, format="rows"), known.profile),))


def test_random_services_change_with_the_program_and_the_same_seed_gives_the_same_trace() -> None:
    law = Distribution(family="exponential", scv=1.0)
    known = elsewhere(ServiceModel(per_byte=2e-6, scv=1.0, distribution=law), operator="map", to="record")
    runs = [changed(Change(SIZE // 2, {"to": "record"}, "map"), known=(known,)) for _ in range(2)]
    assert np.array_equal(runs[0].stations["keep"].cpu_s, runs[1].stations["keep"].cpu_s)
    work = runs[0].stations["keep"].cpu_s[-1]
    assert work != pytest.approx(1e-6 * SIZE * 1.5, rel=1e-6)
    assert work == pytest.approx(1e-6 * SIZE * 1.5, rel=1.0)


@pytest.mark.parametrize(
    ("station", "change", "says"),
    [
        ("keep", Change(0, {}, "top"), "'keep' changes from or to 'top', which gathers before it works"),
        ("make", Change(0, {}, "copy"), "what was recorded of 'make' cannot be simulated: it is a source"),
        ("tool", Change(0, {}, "copy"), "what was recorded of 'tool' cannot be simulated: it is a Unix command here"),
        ("kept", Change(0, {}, "copy"), r"of 'kept' cannot be simulated: there is no such station \(there are make, "),
        ("last", Change(0, {}, "copy"), r"of 'last' cannot be simulated: it shares the process 'one\+last'"),
    ],
)
def test_what_cannot_change_is_refused_by_name(station: str, change: Change, says: str) -> None:
    document = {
        "sources": {"make": {"command": "seq 9"}},
        "stations": {
            "keep": KEEP,
            "tool": {"command": "cat"},
            "one": {"operator": "copy"},
            "last": {"operator": "copy", "fuse": True},
        },
        "service": {"make": {"bytes": 1000}, "keep": {}, "tool": {}, "one": {}, "last": {}},
    }
    scenario = load({"sources": {"a": {"command": "seq 9"}}, "stations": {"b": {"operator": "top"}}})
    gathers = Known(scenario.circuit.station("b"), StationProfile(barrier=True))
    with pytest.raises(ModelError, match=says):
        simulate(load(document), replay=Replay({station: [change]}, (), (gathers,)))


def other_command(*turns: Turn, known: tuple[Known, ...] = (), **change: Any) -> RunTrace:
    """A command that needs 1 us a byte, between copies of what it takes; elsewhere one that needs 3 and gives half."""
    document = {
        "sources": {"make": {"command": "seq 9"}, "other": {"command": "seq 9"}},
        "stations": {
            "keep": {"operator": "copy", "input": "make"},
            "change": {"command": "tr a b", "input": "keep"},
            "last": {"operator": "copy", "input": "change"},
            "half": {"command": "cut  -c1-8", "input": "other"},
        },
        "service": {
            **{name: {"bytes": SIZE, "record_bytes": 16} for name in ("make", "other")},
            **{name: {"record_bytes": 16} for name in ("keep", "last")},
            "change": {"per_byte": "1 us", "record_bytes": 16, **change},
            "half": {"per_byte": "3 us", "selectivity": 0.5, "record_bytes": 16},
        },
    }
    return simulate(load(document), host=host(8), replay=Replay({}, (), known, turns)).runs[0]


def test_a_command_in_the_place_of_another_works_from_the_byte_on_when_the_other_has_ended() -> None:
    quarter = SIZE // 4
    run = other_command(Turn("keep", quarter, "change", "cut -c1-8"))
    assert run.stations["change"].cpu_s[-1] == pytest.approx(1e-6 * (quarter + 3 * 3 * quarter), rel=1e-9)
    assert run.stations["change"].bytes_in[-1] == SIZE
    assert run.stations["last"].bytes_in[-1] == quarter + 3 * quarter // 2
    back = other_command(Turn("keep", quarter, "change", "cut -c1-8"), Turn("keep", 3 * quarter, "change", "tr a b"))
    assert back.stations["last"].bytes_in[-1] == quarter + quarter + quarter
    assert back.stations["change"].cpu_s[-1] == pytest.approx(1e-6 * (2 + 3 * 2) * quarter, rel=1e-9)
    assert run.stations["change"].records_in == SIZE // 16
    late = other_command(Turn("keep", 2 * SIZE, "change", "cut -c1-8"))
    assert late.makespan_s == other_command().makespan_s


def test_an_old_command_that_gathers_writes_what_it_has_and_the_new_one_starts_then() -> None:
    half = SIZE // 2
    starting = Known(
        load({"sources": {"a": {"command": "seq 9"}}, "stations": {"b": {"command": "cat"}}}).circuit.station("b"),
        StationProfile(service=ServiceModel(per_byte=1e-6, startup=0.5), bytes_in=9.0, bytes_out=9.0),
    )
    run = other_command(Turn("keep", half, "change", "cat"), known=(starting,), barrier=True)
    assert run.stations["change"].cpu_s[-1] == pytest.approx(1e-6 * SIZE + 0.5, rel=1e-9)
    assert run.stations["last"].bytes_in[-1] == SIZE
    assert np.interp(1e-6 * half * 0.99, run.stations["last"].time_s, run.stations["last"].bytes_in) == 0
    assert np.interp(1e-6 * half + 0.49, run.stations["last"].time_s, run.stations["last"].bytes_in) == half


@pytest.mark.parametrize(
    ("turn", "says"),
    [
        (
            Turn("keep", 5, "change", "sed s/a/b/"),
            "'change' becomes 'sed s/a/b/' in the recording.*--programs",
        ),
        (Turn("make", 5, "change", "tr a b"), "swap of 'change' cannot be simulated: 'make' is no operator that reads"),
        (Turn("change", 5, "last", "tr a b"), "swap of 'last' cannot be simulated: it is no Unix command"),
        (Turn("kept", 5, "change", "tr a b"), "swap of 'change' cannot be simulated: no process here is 'kept' alone"),
    ],
)
def test_a_command_that_cannot_be_put_there_is_refused_by_name(turn: Turn, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        other_command(turn)


def test_a_recorded_swap_of_a_command_is_done_again(tmp_path: Path) -> None:
    log = tmp_path / "commands.jsonl"
    line = '{{"time_s":1,"station":"change","method":"{}","parameters":{},"byte":5,"behind":"keep"}}\n'
    log.write_text('{"schema":"streamsim.recording/1"}\n' + line.format("swap", '{"command":"cat","state":"new"}'))
    assert replayed(log).turns == (Turn("keep", 5, "change", "cat"),)
    for method, parameters in (("swap", "{}"), ("swap", '{"command":"a \'"}'), ("pause", '{"command":"cat"}')):
        log.write_text('{"schema":"streamsim.recording/1"}\n' + line.format(method, parameters))
        with pytest.raises(ControlError, match=f"{method} of 'change': no command is named that is put there"):
            replayed(log)


def test_what_commands_took_is_read_from_a_recording(tmp_path: Path) -> None:
    log = tmp_path / "commands.jsonl"
    log.write_text(
        '{"schema":"streamsim.recording/1"}\n'
        '{"time_s":1,"station":"a","method":"pause","parameters":{},"byte":7,"work_s":0.5}\n'
        '{"time_s":2,"station":"a","method":"scale","parameters":{"servers":1},"work_s":3,"ready_s":4,"moving_s":5}\n'
        '{"time_s":3,"station":"a","method":"set","parameters":{"every":2},"byte":9,"work_s":0.25}\n'
        '{"time_s":3,"station":"a","method":"swap","parameters":{"operator":"copy","parameters":{}},"byte":9}\n'
        '{"time_s":3,"station":"c","method":"swap","parameters":{"command":"wc"},"byte":9,"behind":"a","work_s":2}\n'
    )
    again = replayed(log)
    assert again.timed[0] == Timed(1, "a", "pause", work_s=0.5)
    assert again.timed[1] == Timed(2, "a", "scale", 1, work_s=3, ready_s=4, moving_s=5)
    assert [one.work_s for one in again.placed["a"]] == [0.25, 0.0]
    assert again.turns == (Turn("a", 9, "c", "wc", 2),)


def test_a_recorded_swap_is_checked_before_anything_is_simulated(tmp_path: Path) -> None:
    log = tmp_path / "commands.jsonl"
    for parameters, says in (
        ('{"parameters":{}}', "swap of 'a': .*missing required field `operator`"),
        ('{"operator":"fillter","parameters":{}}', "swap of 'a': .*unknown operator 'fillter'.*'filter'"),
        ('{"operator":"filter","parameters":{"were":"1"}}', "swap of 'a': .*were"),
        ('{"operator":"copy","parameters":{},"state":"old"}', "swap of 'a': .*'old'"),
    ):
        log.write_text(
            '{"schema":"streamsim.recording/1"}\n'
            f'{{"time_s":1,"station":"a","method":"swap","parameters":{parameters},"byte":5}}\n'
        )
        with pytest.raises(ControlError, match=says):
            replayed(log)

"""What passes each station: profiles, totals, hosts."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamsim.circuit import Circuit, Feed, Pipe, Station
from streamsim.errors import ModelError, ProfileError, ScenarioError
from streamsim.scenario import Host, Load, Scenario
from streamsim.service import HostProfile, Profile, ServiceModel, StationProfile
from streamsim.traffic import Flow, early_end, effective_profiles, host_for, totals
from streamsim.units import Rate

SOURCE = StationProfile(bytes_out=8000, records_out=100, record_bytes=80)
HALVE = StationProfile(bytes_in=8000, bytes_out=4000, records_in=100, records_out=100, record_bytes=80)
THIN = StationProfile(bytes_in=4000, bytes_out=400, records_in=100, records_out=10, record_bytes=40)


def chain(**changes: object) -> Scenario:
    circuit = Circuit(
        stations=(
            Station(name="src", command="make", role="source"),
            Station(name="halve", command="cut", inputs=("src",)),
            Station(name="thin", command="grep", inputs=("halve",)),
        ),
        pipes=(Pipe("src", "halve"), Pipe("halve", "thin")),
    )
    return Scenario(**{"name": "chain", "circuit": circuit, **changes})


def profiles(**changes: StationProfile) -> dict[str, StationProfile]:
    return {"src": SOURCE, "halve": HALVE, "thin": THIN, **changes}


def test_totals_follow_from_selectivities() -> None:
    assert totals(chain(), profiles()) == {
        "src": Flow(0, 8000, 0, 100),
        "halve": Flow(8000, 4000, 100, 100),
        "thin": Flow(4000, 400, 100, 10),
    }


def test_a_bigger_source_scales_what_comes_after() -> None:
    flows = totals(chain(source_bytes={"src": 80_000}), profiles())
    assert flows["thin"] == Flow(40_000, 4000, 1000, 100)


def test_a_load_ends_a_source_at_its_records() -> None:
    flows = totals(chain(loads={"src": Load(records=10)}), profiles())
    assert flows["src"] == Flow(0, 800, 0, 10)


def test_a_rate_and_a_duration_end_a_source() -> None:
    load = Load(rate=Rate(5.0, "records"), duration_s=4.0)
    assert totals(chain(loads={"src": load}), profiles())["src"] == Flow(0, 1600, 0, 20)


def test_a_rate_in_bytes_counts_records() -> None:
    load = Load(rate=Rate(400.0, "bytes"), duration_s=4.0)
    assert totals(chain(loads={"src": load}), profiles())["src"] == Flow(0, 1600, 0, 20)


def test_arrival_times_of_a_file_count_the_records(tmp_path: Path) -> None:
    times = tmp_path / "times"
    times.write_text("0.5\n0.1\n3\n")
    load = Load(arrivals="trace", times=str(times), duration_s=2.0)
    assert totals(chain(loads={"src": load}), profiles())["src"].records_out == 2


def test_arrival_times_that_are_no_times_are_refused(tmp_path: Path) -> None:
    times = tmp_path / "times"
    times.write_text("soon\n")
    with pytest.raises(ScenarioError, match=r"sources\.src\.times"):
        totals(chain(loads={"src": Load(arrivals="trace", times=str(times))}), profiles())


def test_a_file_without_arrival_times_is_refused_in_one_line(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    times = tmp_path / "times"
    times.write_text("")
    with pytest.raises(ScenarioError, match="no times; write one"):
        totals(chain(loads={"src": Load(arrivals="trace", times=str(times))}), profiles())
    assert not recwarn.list


def test_a_missing_file_of_arrival_times_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"sources\.src\.times"):
        totals(chain(loads={"src": Load(arrivals="trace", times="/nowhere/times")}), profiles())


def test_one_to_one_stations_keep_the_count_of_records_through_rounding() -> None:
    uneven = StationProfile(bytes_out=83_371, records_out=1000, record_bytes=83.371)
    first = StationProfile(bytes_in=83_371, bytes_out=41_111, records_in=1000, records_out=1000, record_bytes=83.371)
    second = StationProfile(bytes_in=41_111, bytes_out=41_111, records_in=1000, records_out=1000, record_bytes=41.111)
    known = {"src": uneven, "halve": first, "thin": second}
    for size in range(100_000, 100_200):
        flows = totals(chain(source_bytes={"src": size}), known)
        counts = {flows["src"].records_out, flows["halve"].records_in, flows["thin"].records_out}
        assert counts == {round(size / 83.371)}


def test_a_reader_that_ended_early_takes_a_fixed_number_of_bytes() -> None:
    head = StationProfile(bytes_in=1000, bytes_out=100, record_bytes=40)
    flows = totals(chain(source_bytes={"src": 8_000_000}), profiles(thin=head))
    assert (flows["thin"].bytes_in, flows["thin"].bytes_out) == (1000, 100)


def test_a_file_that_a_station_opens_counts_by_its_size() -> None:
    circuit = Circuit(stations=(Station(name="cut", command="cut", inputs=("file",)),), feeds=(Feed("file", "f"),))
    scenario = Scenario(name="feed", circuit=circuit, source_bytes={"file": 16_000})
    assert totals(scenario, {"cut": HALVE})["cut"] == Flow(16_000, 8000, 200, 200)
    unseen = Scenario(name="feed", circuit=circuit)
    assert totals(unseen, {"cut": HALVE})["cut"] == Flow(8000, 4000, 100, 100)


def test_a_declared_reader_of_an_unseen_file_is_refused() -> None:
    circuit = Circuit(stations=(Station(name="cut", command="cut", inputs=("file",)),), feeds=(Feed("file", "f"),))
    declared = StationProfile(bytes_in=1.0, bytes_out=1.0, source="declared")
    with pytest.raises(ProfileError, match=r"sources\.file"):
        totals(Scenario(name="feed", circuit=circuit), {"cut": declared})


def test_a_join_takes_the_sum_of_its_inputs() -> None:
    circuit = Circuit(
        stations=(
            Station(name="a", command="a", role="source"),
            Station(name="b", command="b", role="source"),
            Station(name="join", command="comm {a} {b}", inputs=("a", "b")),
        ),
        pipes=(Pipe("a", "join"), Pipe("b", "join")),
    )
    flows = totals(Scenario(name="j", circuit=circuit), {"a": SOURCE, "b": SOURCE, "join": HALVE})
    assert flows["join"] == Flow(16_000, 8000, 200, 200)


def test_a_declared_source_must_say_how_much_it_gives() -> None:
    endless = StationProfile(bytes_in=1.0, bytes_out=1.0, record_bytes=80, source="declared")
    with pytest.raises(ProfileError, match="how much source 'src' gives"):
        totals(chain(), profiles(src=endless))
    assert totals(chain(loads={"src": Load(records=3)}), profiles(src=endless))["src"].bytes_out == 240


def looped(selectivity: float) -> dict[str, int]:
    """Return the bytes into each station where a part of what c takes goes round again."""
    keep = StationProfile(bytes_in=1.0, bytes_out=1.0)
    circuit = Circuit(
        stations=(
            Station(name="a", command="a", role="source"),
            Station(name="b", operator="loop", inputs=("a", "c"), role="loop"),
            Station(name="c", operator="map", inputs=("b",)),
        ),
        pipes=(Pipe("a", "b"), Pipe("c", "b"), Pipe("b", "c")),
    )
    scenario = Scenario(name="loop", circuit=circuit)
    given = StationProfile(bytes_in=0.0, bytes_out=1000.0, source="declared")
    part = StationProfile(bytes_in=1.0, bytes_out=selectivity)
    return {name: flow.bytes_in for name, flow in totals(scenario, {"a": given, "b": keep, "c": part}).items()}


def test_what_goes_round_a_loop_is_the_sum_of_a_geometric_series() -> None:
    assert looped(0.0) == {"a": 0, "b": 1000, "c": 1000}
    assert looped(0.5)["b"] == pytest.approx(1000 / (1 - 0.5), abs=2)
    assert looped(0.9)["c"] == pytest.approx(1000 / (1 - 0.9), abs=20)  # each round loses less than a byte to rounding


def test_a_loop_that_brings_back_what_it_takes_has_no_bound_and_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match="the loop b -> c -> b brings back as much as it takes"):
        looped(1.0)


SPLIT = Circuit(
    stations=(
        Station(name="src", command="a", role="source"),
        Station(name="split", operator="partition", parameters={"by": "key"}, inputs=("src",), role="split"),
        Station(name="b", command="b", inputs=("split",)),
        Station(name="c", command="c", inputs=("split",)),
    ),
    pipes=(Pipe("src", "split"), Pipe("split", "b"), Pipe("split", "c")),
)


def test_a_split_gives_equal_parts_unless_the_profile_knows_better() -> None:
    keep = StationProfile(bytes_in=1.0, bytes_out=1.0, source="declared")
    known = {"src": StationProfile(bytes_in=0.0, bytes_out=1001.0, source="declared"), "b": keep, "c": keep}
    scenario = Scenario(name="split", circuit=SPLIT)
    flows = totals(scenario, known | {"split": keep})
    assert (flows["b"].bytes_in, flows["c"].bytes_in) in ((500, 501), (501, 500))
    measured = StationProfile(bytes_in=1000.0, bytes_out=1000.0, shares={"b": 0.2, "c": 0.6})
    fitted = {
        "src": StationProfile(bytes_out=1000.0),
        "split": measured,
        "b": StationProfile(bytes_in=250.0, bytes_out=250.0),
        "c": StationProfile(bytes_in=750.0, bytes_out=750.0),
    }
    flows = totals(scenario, fitted)
    assert (flows["b"].bytes_in, flows["c"].bytes_in) == (250, 750)
    assert early_end(scenario, fitted, "b") is None, "it got its part, and did not end early"


def test_how_much_leaves_by_a_port_only_the_profile_knows() -> None:
    circuit = Circuit(
        stations=(
            Station(name="src", command="a", role="source"),
            Station(name="r", operator="route", inputs=("src",), ports=("rest",)),
            Station(name="b", command="b", inputs=("r",)),
            Station(name="c", command="c", inputs=("r.rest",)),
        ),
        pipes=(Pipe("src", "r"), Pipe("r", "b"), Pipe("r", "c", port="rest")),
    )
    keep = StationProfile(bytes_in=1.0, bytes_out=1.0, source="declared")
    known = {"src": StationProfile(bytes_in=0.0, bytes_out=1000.0, source="declared"), "b": keep, "c": keep}
    scenario = Scenario(name="ports", circuit=circuit)
    with pytest.raises(ProfileError, match="leaves by its port 'rest' is not known"):
        totals(scenario, known | {"r": keep})
    knows = StationProfile(bytes_in=1.0, bytes_out=1.0, shares={"rest": 0.1}, source="declared")
    flows = totals(scenario, known | {"r": knows})
    assert (flows["b"].bytes_in, flows["c"].bytes_in) == (900, 100)


def test_a_profile_replaces_what_was_declared() -> None:
    declared = StationProfile(service=ServiceModel(setup=1.0), source="declared")
    scenario = chain(services={"src": declared, "halve": declared, "thin": declared})
    found = effective_profiles(scenario, Profile(stations={"halve": HALVE}))
    assert (found["src"], found["halve"]) == (declared, HALVE)
    assert effective_profiles(scenario, None)["thin"] == declared


def test_a_station_without_any_profile_is_named() -> None:
    with pytest.raises(ProfileError, match=r"'halve', 'thin' need; .*\[service\.halve\]"):
        effective_profiles(chain(), Profile(stations={"src": SOURCE}))


def test_the_host_of_the_profile_is_cut_to_the_cores_of_the_scenario() -> None:
    measured = Profile(host=HostProfile(cores=4, available_cores=3.6, speed=(1.0, 0.9, 0.8, 0.7)))
    host = host_for(chain(host=Host(cores=2)), measured)
    assert (host.cores, host.available_cores, host.speed) == (2, 1.8, (1.0, 0.9))
    assert host_for(chain(host=Host(cores=4)), measured) == measured.host
    assert host_for(chain(host=Host(cores=3)), None).available_cores == 3.0


def test_a_generator_asked_for_more_records_than_when_it_was_measured_gives_them() -> None:
    circuit = Circuit(
        stations=(Station(name="src", operator="generate", parameters={"count": 3000}, role="source"),), pipes=()
    )
    seen = StationProfile(bytes_out=64_000.0, records_out=1000.0, record_bytes=64.0)
    flows = totals(Scenario(name="more", circuit=circuit), {"src": seen})
    assert (flows["src"].bytes_out, flows["src"].records_out) == (192_000, 3000)
    declared = StationProfile(source="declared", bytes_in=1.0, record_bytes=10.0)
    flows = totals(Scenario(name="declared", circuit=circuit), {"src": declared})
    assert (flows["src"].bytes_out, flows["src"].records_out) == (30_000, 3000)


def test_what_a_change_inserts_between_measured_stations_is_assumed_and_beside_declared_ones_takes_no_time() -> None:
    circuit = Circuit(
        stations=(
            Station(name="src", command="make", role="source"),
            Station(name="work.split", operator="partition", inputs=("src",), role="split"),
        ),
        pipes=(Pipe("src", "work.split"),),
    )
    split = {
        source: effective_profiles(
            Scenario(name="more", circuit=circuit),
            Profile(stations={"src": StationProfile(bytes_out=80.0, record_bytes=8.0, source=source)}),
        )["work.split"]
        for source in ("fitted", "declared")
    }
    assert split["fitted"].note == "assumed, not measured" and split["fitted"].service.setup > 0
    assert split["declared"].service == ServiceModel()

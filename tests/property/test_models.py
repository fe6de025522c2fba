"""What holds for every simulated circuit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsim.circuit import Circuit, Pipe, Station
from streamsim.models import compile_model
from streamsim.scenario import Load, Scenario
from streamsim.service import Distribution, HostProfile, Profile, StationProfile
from streamsim.trace import RunTrace
from streamsim.units import Rate
from tests.unit.modelled import BUDGET, EXPONENTIAL, PAGE, chain, giving, ideal_host, run, same_runs, taking

SIZES = st.integers(300, 20_000)
TIMES = st.sampled_from([0.0, 1e-9, 3e-8])
SETUPS = st.sampled_from([0.0, 1e-6, 2e-5])
FAMILIES = st.sampled_from([Distribution(), EXPONENTIAL])

hosts = st.builds(
    lambda cores, part, slower, near, far: HostProfile(
        cores=cores, available_cores=cores * part, speed=(1.0, slower), wake_near_s=near, wake_far_s=far
    ),
    cores=st.integers(1, 4),
    part=st.sampled_from([0.7, 0.93, 1.0]),
    slower=st.sampled_from([0.6, 1.0]),
    near=st.sampled_from([0.0, 3e-6]),
    far=st.sampled_from([0.0, 4e-5]),
)


@st.composite
def stations(draw: st.DrawFn) -> StationProfile:
    """Any station of moderate demands."""
    barrier = draw(st.booleans())
    return taking(
        gives=draw(st.sampled_from([0.0, 0.37, 1.0, 2.5])),
        read=draw(SIZES),
        write=draw(SIZES),
        record=draw(st.sampled_from([1.0, 81.3])),
        barrier=barrier,
        held_bytes=0.0 if barrier else draw(st.sampled_from([0.0, 30_000.0])),
        setup=draw(SETUPS),
        per_byte=draw(TIMES),
        waiting_per_byte=draw(TIMES),
        distribution=draw(FAMILIES),
        startup=draw(st.sampled_from([0.0, 1e-3])),
        finish=draw(st.sampled_from([0.0, 1e-3])),
        finish_threads=draw(st.sampled_from([1.0, 1.7])),
        output_per_byte=draw(TIMES),
        threads=draw(st.sampled_from([1.0, 1.4])),
    )


@st.composite
def chains(draw: st.DrawFn) -> tuple[Scenario, Profile]:
    """A source and one to four stations, on any host, at full speed or paced."""
    rest = draw(st.lists(stations(), min_size=1, max_size=4))
    source = giving(
        draw(st.integers(0, 100_000)),
        write=draw(SIZES),
        record=81.3,
        per_byte=draw(TIMES),
        setup=draw(SETUPS),
        distribution=draw(FAMILIES),
    )
    rates = st.builds(lambda rate: Load(rate=Rate(rate, "records"), arrivals="poisson"), st.floats(1e4, 1e6))
    return chain(
        source,
        *rest,
        slots=draw(st.lists(st.sampled_from([1, 2, 16]), min_size=len(rest), max_size=len(rest))),
        operators=draw(st.booleans()),
        host=draw(hosts),
        load=draw(st.none() | rates),
    )


def check_budget(one: RunTrace) -> None:
    for station in one.stations.values():
        life = sum(getattr(station, part) for part in BUDGET)
        np.testing.assert_allclose(life, station.time_s, rtol=1e-9, atol=1e-12)


def check_bytes(one: RunTrace) -> None:
    for label in one.pipes:
        upstream, downstream = label.split("->")
        assert one.stations[upstream].bytes_out[-1] == one.stations[downstream].bytes_in[-1]
        assert one.pipes[label].level_bytes[-1] == 0


@settings(max_examples=60)
@given(chains())
def test_time_budgets_add_up_and_bytes_are_conserved(built: tuple[Scenario, Profile]) -> None:
    one = run(*built)
    check_budget(one)
    check_bytes(one)
    for row in compile_model(*built).stations:
        assert one.stations[row.name].bytes_out[-1] == row.flow.bytes_out


@settings(max_examples=25)
@given(chains())
def test_the_same_seed_gives_the_same_run(built: tuple[Scenario, Profile]) -> None:
    assert same_runs(run(*built), run(*built))


@settings(max_examples=40)
@given(chains())
def test_no_curve_ever_decreases_and_no_pipe_holds_more_than_it_can(built: tuple[Scenario, Profile]) -> None:
    one = run(*built)
    for station in one.stations.values():
        for name in ("time_s", "bytes_in", "bytes_out", "cpu_s", "reads", "writes", *BUDGET):
            assert (np.diff(getattr(station, name)) >= 0).all()
    for pipe in one.pipes.values():
        assert pipe.level_bytes.min() >= 0
        assert pipe.level_bytes.max() <= pipe.capacity_bytes


@settings(max_examples=40)
@given(chains())
def test_the_cores_do_what_the_stations_ask_for_and_no_more_than_there_is(built: tuple[Scenario, Profile]) -> None:
    one = run(*built)
    used = sum(float(station.cpu_s[-1]) for station in one.stations.values())
    assert used <= one.host.available_cores * one.makespan_s * (1 + 1e-9)
    spans = np.diff(one.busy_time_s, prepend=0.0)
    busy = float(((one.busy_cores - one.background_cores) * spans).sum())
    np.testing.assert_allclose(busy, used, rtol=1e-6, atol=1e-12)


@settings(max_examples=30)
@given(
    times=st.lists(st.sampled_from([0.1, 0.5, 1.0, 2.0]), min_size=2, max_size=4),
    slots=st.sampled_from([1, 2, 3, 8]),
    more=st.sampled_from([1, 2, 16]),
    family=FAMILIES,
    seed=st.integers(0, 99),
)
def test_larger_pipes_never_lower_the_throughput_of_a_chain_of_fixed_chunks(
    times: list[float], slots: int, more: int, family: Distribution, seed: int
) -> None:
    # Fixed chunks of a page, a core for each: departures are max-plus in the demands, so monotone in the capacities.
    parts = [
        giving(100 * PAGE, setup=times[0], distribution=family),
        *(taking(setup=time, distribution=family) for time in times[1:]),
    ]
    small = run(*chain(*parts, slots=slots), seed=seed)
    large = run(*chain(*parts, slots=slots + more), seed=seed)
    assert large.makespan_s <= small.makespan_s * (1 + 1e-12)


@settings(max_examples=30)
@given(first=SIZES, second=SIZES, write=SIZES, gives=st.sampled_from([0.31, 1.0, 3.0]))
def test_sizes_of_chunks_do_not_change_totals(first: int, second: int, write: int, gives: float) -> None:
    ends = []
    for read in (first, second):
        demand = {"per_byte": 1e-8, "per_record": 2e-7}
        one = run(
            *chain(
                giving(40_000, write=write, record=80),
                taking(read=read, write=write, record=80, gives=gives, **demand),
                taking(read=read, record=80, **demand),
                load=Load(rate=Rate(1e6, "records")),
            )
        )
        ends.append(
            [
                (float(station.bytes_in[-1]), float(station.bytes_out[-1]), station.records_in, station.records_out)
                for station in one.stations.values()
            ]
        )
        np.testing.assert_allclose(one.stations["s1"].cpu_s[-1], 40_000 * 1e-8 + 500 * 2e-7, rtol=1e-9)
    assert ends[0] == ends[1]


@settings(max_examples=40)
@given(records=st.integers(1, 400), record_bytes=st.floats(1, 300), reads=st.lists(SIZES, min_size=1, max_size=3))
def test_one_to_one_operators_count_the_same_records(records: int, record_bytes: float, reads: list[int]) -> None:
    size = round(records * record_bytes)
    one = run(
        *chain(
            giving(size, record=record_bytes, write=500),
            *(taking(read=read, record=record_bytes, setup=1e-6) for read in reads),
            operators=True,
        )
    )
    counts = {station.records_in for name, station in one.stations.items() if name != "s0"}
    counts |= {station.records_out for station in one.stations.values()}
    assert counts == {records}
    for station in one.stations.values():
        assert station.visits is not None
        assert station.visits["records_out"].sum() == records


@settings(max_examples=30)
@given(
    slow=TIMES,
    setup=SETUPS,
    read=st.integers(300, 8192),
    host=hosts,
    join=st.sampled_from(["comm {a} {b}", "own {a} {b}"]),
)
def test_forks_and_joins_conserve_bytes_and_time(
    slow: float, setup: float, read: int, host: HostProfile, join: str
) -> None:
    circuit = Circuit(
        stations=(
            Station(name="src", command="make", role="source"),
            Station(name="copy", operator="copy", inputs=("src",), role="copy"),
            Station(name="a", command="tool", inputs=("copy",)),
            Station(name="b", command="tool", inputs=("copy",)),
            Station(name="join", command=join, inputs=("a", "b"), labels=("a", "b")),
        ),
        pipes=tuple(
            Pipe(*ends) for ends in (("src", "copy"), ("copy", "a"), ("copy", "b"), ("a", "join"), ("b", "join"))
        ),
    )
    profiles = {
        "src": giving(50_000, record=80),
        "copy": taking(read=read, record=80),
        "a": taking(read=read, record=80, per_byte=slow, setup=setup, distribution=EXPONENTIAL),
        "b": taking(read=read, record=80, per_byte=1e-8, gives=0.5),
        "join": taking(read=read, record=80, per_byte=1e-9),
    }
    one = run(Scenario(name="fork", circuit=circuit), Profile(stations=profiles, host=host))
    check_budget(one)
    for reader, size in (("a", 50_000), ("b", 50_000), ("join", 75_000)):
        assert one.stations[reader].bytes_in[-1] == size


def test_an_ideal_host_is_as_fast_as_its_stations() -> None:
    one = run(*chain(giving(10 * PAGE, setup=1.0), host=ideal_host(3)))
    assert one.makespan_s == 10.0

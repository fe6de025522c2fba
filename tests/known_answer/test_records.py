"""The record-level engines against queues and networks with known answers; the tolerance is the run's own interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from streamsim.models.records.laws import Gaps
from streamsim.models.records.runs import choose
from streamsim.models.records.sample import Plan, Sample, replication
from streamsim.models.records.steady import Answer, answer
from streamsim.models.records.table import Pipe, Source, Station, Table
from streamsim.models.table import Pace
from streamsim.result import Estimate
from tests.known_answer.networks import gaps, hub, law, line, poisson, queue, source, station

KnownAnswer = dict[str, Any]
Known = Callable[[str], KnownAnswer]

LEVEL = 0.999
"""Of the intervals here: of some 60 of them, all hold in 94 % of all seeds."""


def holds(found: Estimate, expected: float) -> bool:
    """Whether an interval holds a value; an exact one where it is that value to nine digits."""
    assert found.value is not None
    if found.low is None or found.high is None or found.low == found.high:
        return found.value == pytest.approx(expected, rel=1e-9)
    return found.low <= expected <= found.high


def run(table: Table, precision: float = 0.02, engine: str = "auto") -> Answer:
    found = answer(table, precision=precision, seed=12, engine=engine)
    worst, fine = found.little()
    assert fine, f"Little's law is off by {worst}"
    return found


def fixed(table: Table, records: int = 5000, warm_up: int = 1000, count: int = 15) -> Answer:
    """So many replications of so many records: networks with many visits a record need no more, and take long."""
    engine, why = choose(table)
    plan = Plan(table=table, engine=engine, warm_up=warm_up, records=records)
    samples = tuple(replication(plan, seed) for seed in np.random.SeedSequence(12).spawn(count))
    return Answer(
        table=table, engine=engine, why=why, samples=samples, warm_up=warm_up, precision=1.0, settled=True,
        terminating=False, seconds=0.0,
    )  # fmt: skip


def response(found: Answer) -> Estimate:
    return found.mean(lambda sample: sample.response_mean_s, "s", level=LEVEL)


def throughput(found: Answer) -> Estimate:
    return found.mean(lambda sample: sample.throughput, "1/s", level=LEVEL)


def of_station(found: Answer, number: int, what: Callable[[Sample, int], float]) -> Estimate:
    return found.mean(lambda sample: what(sample, number), "", level=LEVEL)


def held(sample: Sample, number: int) -> float:
    return float(sample.window.held[number]) / sample.window_s


def there(sample: Sample, number: int) -> float:
    return float(sample.window.inside[number]) / sample.window_s


def busy(sample: Sample, number: int) -> float:
    return float(sample.window.cpu_s[number]) / sample.window_s


def wait(sample: Sample, number: int) -> float:
    return float(sample.window.held[number]) / float(sample.window.taken[number])


def stay(sample: Sample, number: int) -> float:
    return wait(sample, number) + float(sample.window.cpu_s[number]) / float(sample.window.taken[number])


def test_a_queue_has_the_known_mean_number_and_quantiles(known_answer: Known) -> None:
    expected = known_answer("mm1_rho08")["expected"]
    found = run(queue(poisson(0.8), station("s")))
    assert found.engine == "maxplus"
    assert holds(response(found), expected["W"])
    assert holds(of_station(found, 1, wait), expected["Wq"])
    assert holds(of_station(found, 1, there), expected["L"])
    assert holds(of_station(found, 1, busy), 1 - expected["p0"])
    for level in (95, 99):
        assert holds(found.quantile(level / 100, level=LEVEL), expected[f"T_p{level}"])


@pytest.mark.parametrize(
    ("name", "rate", "mean", "servers"), [("mm4_rho08", 3.2, 1.0, 4), ("mm3_ciw_paper", 10.0, 0.25, 3)]
)
def test_several_servers_wait_as_erlang_says(
    known_answer: Known, name: str, rate: float, mean: float, servers: int
) -> None:
    found = run(queue(poisson(rate), station("s", mean, servers=servers)))
    assert holds(of_station(found, 1, wait), known_answer(name)["expected"]["Wq"])


@pytest.mark.parametrize(
    ("name", "arrivals", "service"),
    [
        ("md1_rho08", 1, 0),
        ("me2_1_rho08", 1, 0.5),
        ("mh2_1_rho08_scv4", 1, 4),
        ("dm1_rho08", 0, 1),
        ("e2e2_1_rho08", 0.5, 0.5),
        ("h2e2_1_rho08", 4, 0.5),
        ("h2h2_1_rho08", 4, 4),
    ],
)
def test_a_single_server_waits_as_the_variations_say(
    known_answer: Known, name: str, arrivals: float, service: float
) -> None:
    expected = known_answer(name)["expected"]
    load = poisson(0.8) if arrivals == 1 else gaps(0.8, arrivals)
    found = run(queue(load, Station(name="s", base_s=1.0, service=law(service))), precision=0.06)
    assert holds(of_station(found, 1, wait), expected.get("Wq_exact", expected.get("Wq", expected.get("W", 1) - 1)))


def test_a_load_that_changes_its_rate_waits_as_its_markov_chain_says(known_answer: Known) -> None:
    row = known_answer("mmpp2_m_1")
    rates, switches = row["parameters"]["rates"], row["parameters"]["switch"]
    states = tuple((rate, 1 / switch) for rate, switch in zip(rates, switches, strict=True))
    load = Source(arrivals="gaps", stream=Gaps(Pace(arrivals="mmpp", rate=row["expected"]["lam"], states=states)))
    found = run(queue(load, station("s")), precision=0.1)
    assert holds(response(found), row["expected"]["W"])


def test_the_mean_of_a_long_run_varies_as_much_as_is_known(known_answer: Known) -> None:
    length, runs = 50_000, 400
    plan = Plan(table=queue(poisson(0.8), station("s")), engine="maxplus", warm_up=2000, records=length)
    samples = [replication(plan, seed) for seed in np.random.SeedSequence(4).spawn(runs)]
    means = np.array([wait(sample, 1) for sample in samples])
    variance = length * means.var(ddof=1)
    expected = known_answer("mm1_asymptotic_variance_Wq")["expected"]["n_var_mean_Wq"]
    # (n − 1)·s²/σ² is chi-square; the known one is a limit, which 50 000 records reach to 1 %.
    low, high = stats.chi2.ppf([0.0005, 0.9995], runs - 1) / (runs - 1)
    assert 0.99 * low <= variance / expected <= 1.01 * high


@pytest.mark.parametrize("places", [1, 2, 5, 10])
def test_two_saturated_stations_with_blocking_after_service(known_answer: Known, places: int) -> None:
    row = known_answer("two_station_saturated_BAS")
    table = line(station("first", source=Source()), [1.0], [places])
    expected = row["expected"]["X"][row["parameters"]["B"].index(places)]
    assert holds(throughput(run(table, precision=0.01)), expected)


@pytest.mark.parametrize("places", [1, 2, 3])
def test_three_saturated_stations_with_blocking_after_service(known_answer: Known, places: int) -> None:
    row = known_answer("three_station_saturated_BAS")
    table = line(station("first", source=Source()), [1.0, 1.0], [places, places])
    expected = row["expected"]["X"][row["parameters"]["B"].index(places)]
    assert holds(throughput(run(table, precision=0.01)), expected)


@pytest.mark.parametrize("places", [1, 5])
def test_two_saturated_stations_with_blocking_before_service(known_answer: Known, places: int) -> None:
    row = known_answer("two_station_saturated_BBS")
    table = line(station("first", source=Source(), when_full="before"), [1.0], [places])
    expected = row["expected"]["X"][row["parameters"]["B"].index(places)]
    assert holds(throughput(run(table, precision=0.04)), expected)


def test_an_open_line_with_finite_pipes(known_answer: Known) -> None:
    expected = known_answer("open_tandem3_B10_BAS_rho08")["expected"]
    found = run(line(source(poisson(0.8)), [1.0] * 3, [None, 10, 10]))
    assert holds(response(found), expected["T"])
    for number in (1, 2, 3):
        assert holds(of_station(found, number, there), expected[f"N{number}"])
    for number in (1, 2):
        blocked = found.mean(lambda one, k=number: float(one.window.blocked_s[k]) / one.window_s, "", level=LEVEL)  # type: ignore[misc]
        assert holds(blocked, expected[f"blocked{number}"])


def test_a_deterministic_line_runs_at_its_slowest_station(known_answer: Known) -> None:
    row = known_answer("deterministic_line")
    first, *others = row["parameters"]["service"]
    stations = (Station(name="first", base_s=first, source=Source()),
                *(Station(name=f"s{time}", base_s=time) for time in others))  # fmt: skip
    pipes = tuple(Pipe(upstream=k, downstream=k + 1, capacity=1) for k in range(len(others)))
    assert holds(throughput(run(Table(stations=stations, pipes=pipes))), row["expected"]["X"])


@pytest.mark.parametrize(
    ("name", "rate", "mean", "servers", "places"),
    [("mm1_10_lam1", 1.0, 1.0, 1, 10), ("mm3_7_lam40", 40.0, 1 / 30, 3, 7), ("mm4_6_lam50", 50.0, 0.1, 4, 6)],
)
def test_a_queue_that_turns_records_away(
    known_answer: Known, name: str, rate: float, mean: float, servers: int, places: int
) -> None:
    expected = known_answer(name)["expected"]
    server = station("s", mean, servers=servers)
    table = Table(
        stations=(source(poisson(rate), when_full="drop"), server),
        pipes=(Pipe(upstream=0, downstream=1, capacity=places - servers),),
    )
    found = run(table, precision=0.04)
    if "L" in expected:
        assert holds(of_station(found, 1, there), expected["L"])
    if "W" in expected:
        assert holds(response(found), expected["W"])
    if "pK" in expected:
        kept = found.mean(lambda one: float(one.window.taken[1]) / float(one.window.taken[0]), "", level=LEVEL)
        assert holds(kept, 1 - expected["pK"])


def test_records_that_come_back(known_answer: Known) -> None:
    row = known_answer("feedback_mm1")
    back = station("s", split="drawn", weights=(row["parameters"]["p"], 1 - row["parameters"]["p"]), pick="ready")
    table = Table(
        stations=(source(poisson(row["parameters"]["lam"])), back, Station(name="leave", base_s=0.0)),
        pipes=(Pipe(upstream=0, downstream=1), Pipe(upstream=1, downstream=1), Pipe(upstream=1, downstream=2)),
    )
    found = run(table, precision=0.05)
    assert holds(response(found), row["expected"]["T"])
    assert holds(of_station(found, 1, busy), row["expected"]["rho"])


def test_an_open_network_with_visits(known_answer: Known) -> None:
    row = known_answer("jain_34_1_open")
    parameters, expected = row["parameters"], row["expected"]
    stations = [station(f"s{k}", mean) for k, mean in enumerate(parameters["S"])]
    found = fixed(hub(poisson(parameters["lam"]), parameters["V"], stations))
    for place, (utilisation, time) in enumerate(zip(expected["U"], expected["R"], strict=True), start=2):
        assert holds(of_station(found, place, busy), utilisation)
        # The answers were printed with three digits.
        assert abs(float(of_station(found, place, stay).value or 0) - time) < 0.0005 + 4 * half(found, place, stay)


def half(found: Answer, place: int, what: Callable[[Sample, int], float]) -> float:
    one = found.mean(lambda sample: what(sample, place), "")
    return 0.0 if one.low is None or one.high is None else (one.high - one.low) / 2


def test_a_jackson_network_with_feedback(known_answer: Known) -> None:
    row = known_answer("jackson_bolch_7_4")
    parameters, expected = row["parameters"], row["expected"]
    routes, entry = parameters["P"], parameters["lam"].index(4)
    stations: list[Station] = [source(poisson(4.0))]
    pipes = [Pipe(upstream=0, downstream=1 + entry)]
    leave = 1 + len(routes)
    for number, (mean, chances) in enumerate(zip(parameters["S"], routes, strict=True)):
        goals = [(1 + k, chance) for k, chance in enumerate(chances) if chance > 0]
        rest = 1.0 - sum(chances)
        goals += [(leave, rest)] if rest > 1e-9 else []
        stations.append(station(f"s{number}", mean, split="drawn", weights=tuple(chance for _, chance in goals)))
        pipes += [Pipe(upstream=1 + number, downstream=goal) for goal, _ in goals]
    table = Table(stations=(*stations, Station(name="leave", base_s=0.0)), pipes=tuple(pipes))
    found = fixed(table)
    for number in range(len(routes)):
        rate = found.mean(lambda one, k=number: float(one.window.taken[1 + k]) / one.window_s, "", level=LEVEL)  # type: ignore[misc]
        assert holds(rate, expected["X"][number])
        number_there = of_station(found, 1 + number, there)
        # The answers were printed with three digits.
        assert number_there.low is not None and number_there.high is not None
        assert number_there.low - 0.0005 <= expected["Q"][number] <= number_there.high + 0.0005


def closed(population: int, think_s: float = 0.0) -> Source:
    stream = Gaps(Pace(arrivals="poisson", rate=1 / think_s)) if think_s else None
    return Source(arrivals="closed", in_flight=population, stream=stream)


@pytest.mark.parametrize("name", ["closed2_BAS_equal", "closed2_BAS_unequal"])
def test_two_closed_stations_while_the_first_has_room_for_all(known_answer: Known, name: str) -> None:
    row = known_answer(name)
    (one, other), places = row["parameters"]["mu"], row["parameters"]["K"]
    for population, expected in zip(row["parameters"]["N"], row["expected"]["X"], strict=True):
        if population > places[0]:
            break  # the source would hold a record that the last station should hold
        table = line(source(closed(population)), [1 / one, 1 / other], [None, places[1] - 1])
        found = throughput(run(table, precision=0.04))
        assert found.low is not None and found.high is not None
        assert found.low - 0.0005 <= expected <= found.high + 0.0005  # printed with three digits


def test_a_balanced_closed_line(known_answer: Known) -> None:
    row = known_answer("balanced_closed")
    parameters = row["parameters"]
    table = line(source(closed(parameters["N"])), [parameters["D"]] * parameters["M"], [None] * parameters["M"])
    assert holds(throughput(run(table, precision=0.04)), row["expected"]["X"])


def test_users_who_think_between_their_requests(known_answer: Known) -> None:
    row = known_answer("lazowska_p117_mva")
    demands = row["parameters"]["D"]
    table = line(source(closed(row["parameters"]["N"], row["parameters"]["Z"])), demands, [None] * len(demands))
    found = run(table, precision=0.04)
    assert holds(throughput(found), row["exact"]["X"])
    assert holds(response(found), row["exact"]["Rsys"])


def test_bounds_hold_for_users_who_think(known_answer: Known) -> None:
    row = known_answer("aba_bounds")
    parameters = row["parameters"]
    table = line(source(closed(parameters["N"], parameters["Z"])), parameters["D"], [None] * 2)
    found = run(table, precision=0.06)
    rate, time = throughput(found), response(found)
    assert rate.low is not None and rate.low <= row["expected"]["X_upper"] * (1 + row["tolerance"])
    assert time.high is not None and time.high >= row["expected"]["R_lower"] * (1 - row["tolerance"])


def test_a_closed_network_with_several_servers(known_answer: Known) -> None:
    row = known_answer("bolch_8_1_convolution")
    parameters = row["parameters"]
    stations = [
        station(f"s{k}", mean, servers=servers)
        for k, (mean, servers) in enumerate(zip(parameters["S"], parameters["m"], strict=True))
    ]
    found = fixed(hub(closed(parameters["N"]), parameters["V"], stations))
    rate = throughput(found)
    assert rate.low is not None and rate.high is not None
    assert rate.low - 0.0005 <= row["expected"]["X"] <= rate.high + 0.0005


def test_a_closed_network_with_think_time(known_answer: Known) -> None:
    row = known_answer("jain_34_2_mva")
    parameters = row["parameters"]
    stations = [station(f"s{k}", mean) for k, mean in enumerate(parameters["S"])]
    found = fixed(hub(closed(parameters["N"], parameters["Z"]), parameters["V"], stations))
    for place, expected in enumerate(row["expected"]["Q"], start=2):
        number = of_station(found, place, there)
        assert number.low is not None and number.high is not None
        assert number.low - 0.0005 <= expected <= number.high + 0.0005


def forked(ways: int, rate: float) -> Table:
    """A record goes to all stations at once and leaves when it is through the last of them."""
    branches = tuple(station(f"s{k}") for k in range(ways))
    pipes = tuple(Pipe(upstream=0, downstream=1 + k) for k in range(ways))
    pipes += tuple(Pipe(upstream=1 + k, downstream=1 + ways) for k in range(ways))
    return Table(
        stations=(source(poisson(rate)), *branches, Station(name="join", base_s=0.0, pick="join")), pipes=pipes
    )


def test_two_that_must_both_be_done(known_answer: Known) -> None:
    row = known_answer("fork_join_2_exact")
    assert holds(response(run(forked(2, row["parameters"]["lam"]), precision=0.04)), row["expected"]["R"])


def test_four_that_must_all_be_done_within_the_error_of_the_approximation(known_answer: Known) -> None:
    row = known_answer("fork_join_4_nelson_tantawi")
    found = response(run(forked(4, row["parameters"]["lam"][0]), precision=0.04))
    expected = row["expected"]["R"][0]
    assert found.low is not None and found.high is not None
    assert found.low / (1 + row["tolerance"]) <= expected <= found.high * (1 + row["tolerance"])


def test_a_line_of_one_visit_each(known_answer: Known) -> None:
    row = known_answer("pdq_passport")
    table = line(source(poisson(row["parameters"]["lam_per_s"])), row["parameters"]["demands"], [None] * 4)
    # Burke 1956: each station of an open line is an M/M/1 of its own.
    found = run(table, precision=0.15)
    assert holds(response(found), row["expected"]["Rsys"])
    for place, expected in enumerate(row["expected"]["R"], start=1):
        assert holds(of_station(found, place, stay), expected)

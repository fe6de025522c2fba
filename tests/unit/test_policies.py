"""Policies as pure functions: the same look gives the same decision, and each decision does what it is for."""

from __future__ import annotations

from typing import Any

import pytest

from streamsim import policies
from streamsim.errors import ScenarioError
from streamsim.loading import load
from streamsim.policies.base import Observation, Sight
from streamsim.service import Profile
from streamsim.simulating import simulate_result

EXAMPLES: dict[str, dict[str, Any]] = {
    "hold-latency": {"station": "a", "behind": "b", "target": "50 ms"},
    "fit-pipe": {"station": "a"},
    "hold-error": {"station": "a", "error": 0.05, "window": "1 s"},
    "order-filters": {"station": "a"},
}


def test_every_policy_is_known_here() -> None:
    assert set(EXAMPLES) == set(policies.names())


@pytest.mark.parametrize("name", policies.names())
def test_the_same_looks_give_the_same_decisions(name: str) -> None:
    policy = policies.make(name, EXAMPLES[name])
    looks = [
        Observation(
            number / 10,
            {
                one: Sight(records_in=number**2, records_out=number, capacity_bytes=65536,
                           waiting_bytes=number * 1000 % 65536,
                           state={"order": [0, 1], "seen": [number] * 2, "passed": [0, number], "cost_s": [1.0, 1.0]})
                for one in policy.watched()
            },
        )
        for number in range(100)
    ]  # fmt: skip
    decisions = []
    for _ in range(2):
        memory, made = policy.start(), []
        for look in looks:
            memory, commands = policy.decide(memory, look)
            made.append(commands)
        decisions.append(made)
    assert decisions[0] == decisions[1]


def test_load_is_shed_until_what_is_kept_can_be_served_in_time() -> None:
    """A fluid of 3000 records a second before a server of 1000: the queue settles near 50 of them, 50 ms."""
    policy = policies.make("hold-latency", EXAMPLES["hold-latency"])
    memory, kept, queue, offered, given, served = policy.start(), 1.0, 0.0, 0.0, 0.0, 0.0
    lengths = []
    for number in range(2000):
        offered += 30
        given += 30 * kept
        queue += 30 * kept
        taken = min(queue, 10.0)
        queue -= taken
        served += taken
        look = {"a": Sight(records_in=int(offered), records_out=int(given)), "b": Sight(records_in=int(served))}
        memory, commands = policy.decide(memory, Observation((number + 1) / 100, look))
        for command in commands:
            kept = command.parameters["probability"]
        lengths.append(queue)
    assert all(30 <= length <= 70 for length in lengths[-500:])
    assert kept == pytest.approx(1 / 3, rel=0.05)


def test_what_it_sees_inside_a_long_chunk_does_not_make_it_shed_what_could_be_served() -> None:
    """3000 records a second before a server of 1000 that takes all that waits at once, and counts when it is done."""
    policy = policies.make("hold-latency", EXAMPLES["hold-latency"])
    memory, kept, given, waiting, served, chunk, left = policy.start(), 1.0, 0.0, 0.0, 0, 0, 0
    for number in range(4000):  # milliseconds
        given, waiting = given + 3 * kept, waiting + 3 * kept
        left -= 1
        if left <= 0:
            served, chunk = served + chunk, int(waiting)
            left, waiting = chunk, waiting - chunk
        if number % 100 == 19:
            look = {"a": Sight(records_in=3 * (number + 1), records_out=int(given)), "b": Sight(records_in=served)}
            memory, commands = policy.decide(memory, Observation((number + 1) / 1000, look))
            for command in commands:
                kept = command.parameters["probability"]
    assert served > 3800  # of 4000


def test_nothing_is_shed_where_all_can_be_served() -> None:
    policy = policies.make("hold-latency", EXAMPLES["hold-latency"])
    memory: Any = policy.start()
    for number in range(100):
        count = 10 * number
        look = {"a": Sight(records_in=count, records_out=count), "b": Sight(records_in=count)}
        memory, commands = policy.decide(memory, Observation(number / 100, look))
        assert commands == ()


@pytest.mark.parametrize(
    ("levels", "wanted"),
    [([65536] * 20, 32768), ([0, 65536] * 10, 131072), ([0] * 20, None), ([20000] * 20, None), ([65536] * 19, None)],
)
def test_a_pipe_grows_while_both_ends_wait_in_turn_and_shrinks_where_it_is_always_full(
    levels: list[int], wanted: int | None
) -> None:
    policy = policies.make("fit-pipe", EXAMPLES["fit-pipe"])
    memory, found = policy.start(), None
    for level in levels:
        look = Observation(0.0, {"a": Sight(waiting_bytes=level, capacity_bytes=65536)})
        memory, commands = policy.decide(memory, look)
        for command in commands:
            found = command.parameters["pipe"]
    assert found == wanted


@pytest.mark.parametrize("rate", [100, 10_000, 1_000_000])
def test_each_window_keeps_the_records_that_its_error_needs(rate: int) -> None:
    policy = policies.make("hold-error", EXAMPLES["hold-error"])
    memory, kept = policy.start(), 1.0
    for number in range(20):
        memory, commands = policy.decide(memory, Observation(number / 10, {"a": Sight(records_in=rate * number // 10)}))
        for command in commands:
            kept = command.parameters["probability"]
    needed = 737.8  # ln(40) / (2 · 0.05²)
    assert kept * rate == pytest.approx(min(rate, 1.2 * needed), rel=0.03)


def test_filters_come_to_the_order_of_their_ranks_whatever_the_order_before() -> None:
    """Pass rates 0.9, 0.5, 0.1 at costs 1, 1, 4: ranks 0.1, 0.5, 0.225."""
    policy = policies.make("order-filters", EXAMPLES["order-filters"])
    pass_rates, costs = (0.9, 0.5, 0.1), (1.0, 1.0, 4.0)
    for start in ([0, 1, 2], [2, 1, 0], [2, 0, 1]):
        order, memory = list(start), policy.start()
        seen, passed, cost_s = [0.0] * 3, [0.0] * 3, [0.0] * 3
        for number in range(50):
            left = 1000.0
            for place in order:
                seen[place] += left
                cost_s[place] += left * costs[place] * 1e-6
                left *= pass_rates[place]
                passed[place] += left
            state = {"order": list(order), "seen": list(seen), "passed": list(passed), "cost_s": list(cost_s)}
            memory, commands = policy.decide(memory, Observation(float(number), {"a": Sight(state=state)}))
            for command in commands:
                order = [int(word) - 1 for word in command.parameters["order"].split(",")]
        assert order == [1, 2, 0]


def scenario(**controller: Any) -> Any:
    return load({
        "sources": {"make": {"operator": "generate", "count": 10}},
        "stations": {"thin": {"operator": "sample", "probability": 1.0}, "last": {"command": "cat"}},
        "controllers": {"one": controller},
    })  # fmt: skip


def test_a_controller_is_read_with_its_units() -> None:
    found = scenario(policy="hold-error", station="thin", error=0.1, window="500 ms", period="20 ms").controllers["one"]
    assert (found.policy, found.period_s) == ("hold-error", 0.02)


@pytest.mark.parametrize(
    ("controller", "path", "message"),
    [
        ({"policy": "hold-eror", "station": "thin"}, "policy", "did you mean 'hold-error'"),
        ({"policy": "fit-pipe", "station": "thinn"}, "station", "did you mean 'thin'"),
        ({"policy": "fit-pipe"}, "station", "required"),
        ({"policy": "fit-pipe", "station": "thin", "perod": 1}, "perod", "has no parameter"),
        ({"policy": "fit-pipe", "station": "thin", "period": "1 us"}, "period", "less than a millisecond"),
        ({"policy": "fit-pipe", "station": "thin", "least": "3 apples"}, "least", "apples"),
        ({"policy": "hold-error", "station": "thin", "error": 2, "window": 1}, "error", "<"),
        ({"policy": "os:path", "station": "thin"}, "policy", "no policy"),
        ({"policy": "no.such:Thing", "station": "thin"}, "policy", "cannot be imported"),
        ({"station": "thin"}, None, "policy"),
    ],
)
def test_a_wrong_controller_is_refused_where_it_is_wrong(
    controller: dict[str, Any], path: str | None, message: str
) -> None:
    with pytest.raises(ScenarioError, match=message) as caught:
        scenario(**controller)
    assert caught.value.path == ("controllers.one" if path is None else f"controllers.one.{path}")


def test_a_policy_steers_a_simulated_run_as_it_steers_a_real_one() -> None:
    """3000 records a second before a server of 1000: a third is kept, and waits about the target."""
    document = {
        "name": "shed",
        "sources": {"make": {"operator": "generate", "count": 9000, "rate": "3000 records/s", "arrivals": "poisson"}},
        "stations": {
            "shed": {"operator": "sample", "probability": 1.0},
            "serve": {"operator": "work", "service": "1 ms", "wait": True},
        },
        "sinks": {"nowhere": {}},
        "service": {
            "make": {"bytes": 45000, "record_bytes": 5},
            "shed": {"record_bytes": 5},
            "serve": {"waiting_per_record": "1 ms", "record_bytes": 5},
        },
        "simulate": {"replications": 3, "precision": 0.2},
    }
    controller = {"policy": "hold-latency", "station": "shed", "behind": "serve", "target": "50 ms", "period": "20 ms"}
    chunks = simulate_result(load({**document, "controllers": {"one": controller}}), Profile())
    assert chunks.stations["serve"].records_in.value == pytest.approx(3000, rel=0.2)
    by_record = {**document["simulate"], "grain": "records"}
    steered = load({**document, "simulate": by_record, "controllers": {"one": controller}})
    held = simulate_result(steered, Profile())
    assert simulate_result(steered, Profile(), engine="simpy").circuit == held.circuit  # both engines, bit for bit
    free = simulate_result(load({**document, "simulate": by_record}), Profile())
    assert held.engine == "compiled"
    assert held.circuit.response_time is not None
    assert free.circuit.response_time is not None
    assert 0.02 < held.circuit.response_time.mean.value < 0.2
    assert free.circuit.response_time.mean.value > 1.0
    assert held.stations["serve"].records_in.value == pytest.approx(3000, rel=0.2)
    assert held.stations["shed"].records_out.value == pytest.approx(held.stations["serve"].records_in.value)


STEERED: dict[str, Any] = {
    "name": "steered",
    "sources": {"make": {"operator": "generate", "count": 10}},
    "stations": {"shed": {"operator": "sample", "probability": 0.5}, "tool": {"operator": "map", "to": "record"}},
}


class Unfinished(policies.Policy, frozen=True, kw_only=True):
    """It watches something and decides nothing."""

    def watched(self) -> tuple[str, ...]:
        return ("shed",)


def test_two_controllers_do_not_set_the_same_thing() -> None:
    one = {"policy": "hold-latency", "station": "shed", "behind": "tool", "target": "1 s"}
    other = {"policy": "hold-error", "station": "shed", "error": 0.1, "window": 1}
    with pytest.raises(ScenarioError, match="'one' already sets the probability of 'shed'"):
        load({**STEERED, "controllers": {"one": one, "other": other}})
    pipe = {"policy": "fit-pipe", "station": "shed"}
    assert set(load({**STEERED, "controllers": {"one": one, "pipe": pipe}}).controllers) == {"one", "pipe"}


def test_a_policy_without_a_decision_is_refused_before_anything_runs() -> None:
    with pytest.raises(ScenarioError, match="has no method decide"):
        policies.find(f"{__name__}:Unfinished")


def steered(stations: dict[str, Any], **controller: Any) -> None:
    load({"sources": {"make": {"file": __file__}}, "stations": stations, "controllers": {"one": controller}})


THIN: dict[str, Any] = {"operator": "sample", "probability": 1.0}
WORK: dict[str, Any] = {"operator": "work", "service": "1 ms"}
LATENCY = {"policy": "hold-latency", "station": "thin", "behind": "last", "target": "50 ms"}
ERROR = {"policy": "hold-error", "station": "thin", "error": 0.1, "window": "1 s"}


@pytest.mark.parametrize(
    ("stations", "controller", "path", "message"),
    [
        ({"thin": {"command": "cat"}, "last": WORK}, LATENCY, "station", r"'thin' is a Unix command \(cat\): its prob"),
        ({"thin": WORK, "last": WORK}, LATENCY, "station", "an operator 'work': its probability cannot be set"),
        ({"thin": {"operator": "sample", "every": 3}}, ERROR, "station", "either 'every' or 'probability'"),
        ({"thin": {**THIN, "parallelism": 2}, "last": WORK}, LATENCY, "station", "has 2 servers"),
        ({"thin": THIN, "last": {"command": "cat"}}, LATENCY, "policy", "'last' is a Unix command"),
        ({"thin": THIN, "last": {"operator": "copy"}}, LATENCY, "policy", "counts no records"),
        (
            {"thin": THIN, "few": {"operator": "filter", "where": "len(record) > 3"}, "last": WORK},
            LATENCY, "policy", "'few' between them does not give one record for each",
        ),
        ({"last": WORK, "thin": THIN}, LATENCY, "policy", "has to be what 'thin' gives"),
        (
            {"thin": {**THIN, "split": "round-robin"}, "other": WORK, "last": {**WORK, "input": "thin"}},
            LATENCY, "policy", "gives 'last' only some of them",
        ),
        ({"thin": THIN}, {"policy": "order-filters", "station": "thin"}, "station", "its order cannot be set"),
        ({"a": {"command": "cat"}}, {"policy": "fit-pipe", "station": "a"}, "station", "reads no pipe"),
        ({"a": THIN, "b": {**WORK, "fuse": True}}, {"policy": "fit-pipe", "station": "b"}, "station", "with 'a'"),
    ],
)  # fmt: skip
def test_a_controller_that_could_not_work_is_refused(
    stations: dict[str, Any], controller: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(ScenarioError, match=message) as raised:
        steered(stations, **controller)
    assert raised.value.path == f"controllers.one.{path}"


def test_a_station_that_gives_a_record_for_each_may_stand_before_the_one_that_waits() -> None:
    steered({"thin": THIN, "upper": {"operator": "map", "to": "upper(record)"}, "last": WORK}, **LATENCY)
    steered({"thin": THIN, "upper": {"command": "tr a-z A-Z", "one_to_one": True}, "last": WORK}, **LATENCY)
    steered({"thin": THIN, "beside": {"command": "cat"}, "last": {**WORK, "input": "thin"}}, **LATENCY)

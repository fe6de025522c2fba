"""The analyst's verbs as somebody types them: bottleneck, whatif and predict --explain."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from tests.end_to_end.command_line import Run, one_line

PACED = """
[sources.in]
operator = "generate"
count = 5000
kind = "fixed"
size = 100
rate = "400 records/s"
arrivals = "poisson"
[stations.a]
operator = "work"
service = "1 ms"
[stations.b]
operator = "work"
service = "2 ms"
[host]
cores = 8
[service.in]
bytes = 500000
record_bytes = 100
[service.a]
per_record = "1 ms"
scv = 1.0
record_bytes = 100
[service.b]
per_record = "2 ms"
scv = 1.0
record_bytes = 100
"""

SMALL = """
[sources.in]
operator = "generate"
count = 100
kind = "fixed"
size = 100
rate = "100 records/s"
[stations.a]
operator = "work"
service = "1 ms"
[host]
cores = 1
[measure]
repetitions = 1
warmup = 0
[simulate]
replications = 3
[service.in]
bytes = 10000
record_bytes = 100
[service.a]
per_record = "1 ms"
record_bytes = 100
"""


@pytest.fixture
def paced(here: Path) -> str:
    (here / "paced.toml").write_text(PACED)
    return "paced.toml"


def test_bottleneck_names_it_and_writes_what_it_found(here: Path, run: Run, paced: str) -> None:
    ran = run("bottleneck", paced)
    assert ran.status == 0
    assert re.search(r"bottleneck: station 'b'.*1 % more throughput", ran.out)
    assert "the largest load that holds: 500 records/s" in ran.out
    assert re.search(r"next: station 'a', once station 'b' needs (49|50) % of what it needs now", ran.out)
    found = json.loads((here / "reports/paced/bottleneck.json").read_text())
    assert found["schema"] == "streamsim.bottleneck/1" and found["causes"][0]["station"] == "b"
    assert (here / "reports/paced/elasticity.svg").read_text().startswith("<?xml")


def test_bottleneck_as_json_is_the_file_and_nothing_else(here: Path, run: Run, paced: str) -> None:
    ran = run("bottleneck", paced, "--json", "--set", "host.cores=1")
    assert json.loads(ran.out) == json.loads((here / "reports/paced/bottleneck.json").read_text())
    assert json.loads(ran.out)["causes"][0]["station"] == "host"


def test_whatif_gives_words_that_can_be_typed_again(here: Path, run: Run, paced: str) -> None:
    ran = run("whatif", paced, "--rate", "1500 records/s", "--p99", "20 ms", "--top", "1")
    assert ran.status == 0
    (line,) = [line for line in ran.out.splitlines() if line.startswith("1  --set")]
    words = shlex.split(line)[1:]
    assert "sources.in.rate=1500 records/s" in words
    variant = json.loads((here / "reports/paced/whatif.json").read_text())["variants"][0]
    assert variant["p99_s"] <= 0.020 and variant["cores"] <= 8
    assert run("check", paced, *words).status == 0


def test_whatif_draws_what_more_processes_would_promise_and_marks_its_answers(here: Path, run: Run, paced: str) -> None:
    assert run("whatif", paced, "--rate", "1500 records/s", "--p99", "20 ms", "--top", "2").status == 0
    drawn = (here / "reports/paced/whatif.svg").read_text()
    assert drawn.startswith("<?xml") and "What is promised for what it costs" in drawn


def test_whatif_verifies_its_answer_by_simulation_and_by_a_real_run(here: Path, run: Run) -> None:
    # 100 records at 100/s that need 1 ms each, and 9 s allowed: no machine that runs the tests is so slow
    (here / "small.toml").write_text(SMALL)
    ran = run("whatif", "small.toml", "--p99", "9 s", "--cores", "1", "--top", "1", "--verify")
    assert ran.status == 0
    (variant,) = json.loads((here / "reports/small/whatif.json").read_text())["variants"]
    for world in ("simulated", "measured"):
        verified = variant["verified"][world]
        assert verified["reached"] is True and 0.001 <= verified["p99_s"] <= 9.0 and verified["makespan_s"] > 0.5
        assert re.search(rf"{world} +reached", ran.out)
    assert (here / "reports/small/whatif.svg").is_file()


def test_whatif_verifies_a_variant_whose_neighbours_share_a_process(here: Path, run: Run) -> None:
    second = '[stations.b]\noperator = "work"\nservice = "1 ms"\n[service.b]\nper_record = "1 ms"\nrecord_bytes = 100\n'
    (here / "small.toml").write_text(SMALL + second)
    ran = run("whatif", "small.toml", "--p99", "9 s", "--cores", "1", "--top", "1", "--verify")
    assert ran.status == 0 and "stations.b.fuse=true" in ran.out
    for world in ("simulated", "measured"):
        assert re.search(rf"{world} +reached", ran.out)


PINNED = """
[sources.in]
operator = "generate"
count = 200
kind = "fixed"
size = 100
rate = "400 records/s"
arrivals = "poisson"
[host]
cores = 2
[measure]
repetitions = 1
warmup = 0
[simulate]
replications = 3
[service.in]
bytes = 20000
record_bytes = 100
"""


def test_whatif_pins_stations_and_verifies_them_pinned(here: Path, run: Run) -> None:
    # heavy works for 0.8 of the time, and light and small would take its core now and then
    text = PINNED
    for name, demand in (("light", "0.7 ms"), ("heavy", "2 ms"), ("small", "0.7 ms")):
        text += f'[stations.{name}]\noperator = "work"\nservice = "{demand}"\n'
        text += f'[service.{name}]\nper_record = "{demand}"\nscv = 1.0\nrecord_bytes = 100\n'
    (here / "small.toml").write_text(text)
    ran = run("whatif", "small.toml", "--p99", "55 ms", "--top", "1", "--verify")
    assert ran.status == 0, ran.err
    (variant,) = json.loads((here / "reports/small/whatif.json").read_text())["variants"]
    assert variant["changes"] == {"stations.light.cores": [0], "stations.small.cores": [0]}
    assert "1  --set 'stations.light.cores=[0]' --set 'stations.small.cores=[0]'" in ran.out
    assert "pins buy at variant 1: p99" in ran.out
    assert variant["verified"]["simulated"]["p99_s"] > 0
    if len(os.sched_getaffinity(0)) > 1:
        assert variant["verified"]["measured"]["p99_s"] > 0


def test_whatif_says_what_the_work_takes_where_nothing_does(run: Run, paced: str) -> None:
    ran = run("whatif", paced, "--rate", "2000 records/s", "--p99", "1 s", "--cores", "2")
    assert ran.status == 0
    assert "nothing does" in ran.out
    assert "the work alone takes 6.0 cores at that load; try --cores 7" in ran.out
    far = run("whatif", paced, "--rate", "2e9 records/s").out
    assert "the work alone takes 6,000,000 cores at that load; more than 64 servers a station can use" in far
    assert "it would carry less than 0.1 % of the load" in far


def test_whatif_names_nothing_that_is_worse_than_the_scenario_as_it_is(run: Run, paced: str) -> None:
    still = run("whatif", paced, "--mean", "1 ns").out
    nearest = re.search(r"the nearest: (.*)\nmean (.*) ms, 99 %", still)
    assert nearest is not None
    alone = json.loads(run("predict", paced, "--json").out)["circuit"]["response_time"]["mean"]
    assert float(nearest[2]) <= alone["value"] * 1e3 * 1.01


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--p99", "-3 ms"], "--p99"),
        (["--p99", "3 apples"], "--p99"),
        (["--rate", "other=3"], "there is no source 'other'"),
        (["--rate", "-5 records/s", "--p99", "1 s"], "sources.in.rate"),
        (["--cores", "0", "--p99", "1 s"], "--cores"),
    ],
)
def test_whatif_refuses_what_means_nothing_in_one_line(run: Run, paced: str, words: list[str], message: str) -> None:
    ran = run("whatif", paced, *words)
    assert ran.status == 2
    assert message in one_line(ran.err)


def test_whatif_of_a_saturated_circuit_needs_something_to_reach(here: Path, run: Run) -> None:
    (here / "fast.toml").write_text(PACED.replace('rate = "400 records/s"\narrivals = "poisson"\n', ""))
    ran = run("whatif", "fast.toml")
    assert ran.status == 2 and "--makespan" in one_line(ran.err)
    assert "stations.b.parallelism=" in run("whatif", "fast.toml", "--makespan", "6 s").out


def test_predict_draws_nothing_unless_asked_to_explain(here: Path, run: Run, paced: str) -> None:
    assert run("predict", paced).status == 0
    assert [path.name for path in (here / "reports/paced").iterdir()] == ["predicted.json"]


def test_predict_explains_which_method_answered_and_draws_the_knee(here: Path, run: Run, paced: str) -> None:
    ran = run("predict", paced, "--explain")
    assert ran.status == 0
    assert re.search(r"a: mean wait +M/M/1 +667 us +exact +Poisson arrivals, exponential service, 1 server", ran.out)
    assert re.search(r"M/D/1 .*assumes constant service", ran.out)
    assert "as dataflow: one iteration is in 1, a 1, b 1 firings" in ran.out
    written = json.loads((here / "reports/paced/predicted.json").read_text())
    assert written["methods"]["circuit"]["exact"] is False  # a reader that sleeps must be woken first
    pictures = {"knee.svg", "utilisation.svg"}
    assert {path.name for path in (here / "reports/paced").glob("*.svg")} == pictures
    (here / "reports/paced/mine.svg").touch()
    (here / "reports/paced/report.html").touch()
    run("predict", paced)  # they are the report's now
    assert {path.name for path in (here / "reports/paced").glob("*.svg")} == {*pictures, "mine.svg"}
    (here / "reports/paced/report.html").unlink()
    run("predict", paced)
    assert {path.name for path in (here / "reports/paced").glob("*.svg")} == {"mine.svg"}


def test_any_model_of_theory_is_asked_with_numbers_of_ones_own(run: Run) -> None:
    listed = run("model")
    assert {"M/M/1", "MVA"} <= {one["name"] for one in json.loads(run("model", "--json").out)}
    taken = json.loads(run("model", "MVA", "--json").out)["parameters"]
    assert taken[0] == {"name": "populations", "required": True}
    long = run("model", "M/M/c/K probabilities", "arrival_rate=1", "service_time=1 s", "servers=1", "places=40").out
    assert len(long.splitlines()) >= 41
    assert max(map(len, long.splitlines())) <= 80
    assert listed.status == 0 and "M/M/c/K" in listed.out and "network calculus" in listed.out
    one = run("model", "M/M/1", "arrival_rate=800 records/s", "service_time=1 ms", "--json")
    assert json.loads(one.out)["response_time"] == pytest.approx(0.005)
    wrong = run("model", "M/M/1", "arrival_rate=800 records/s", "service_tim=1 ms")
    assert wrong.status == 2 and "did you mean 'service_time'" in one_line(wrong.err)


def test_model_says_why_what_is_saturated_has_no_waits(run: Run) -> None:
    asked = ("model", "M/M/1", "service_time=1 ms")
    assert "no mean" in run(*asked, "arrival_rate=1000").out
    assert "no mean" not in run(*asked, "arrival_rate=999").out

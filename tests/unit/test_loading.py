"""Scenario files: what is right is loaded as written, what is wrong is refused with its place, and nothing crashes."""

from __future__ import annotations

import copy
import datetime
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from streamsim.errors import ScenarioError
from streamsim.families import distribution_of
from streamsim.loading import load, parse_override

TWO: dict[str, Any] = {"sources": {"a": {"command": "seq 9"}}, "stations": {"b": {"command": "wc -l"}}}


def refused(document: Any, **options: Any) -> ScenarioError:
    with pytest.raises(ScenarioError) as caught:
        load(document, **options)
    return caught.value


def with_section(**sections: Any) -> dict[str, Any]:
    return TWO | sections


def test_a_file_is_loaded_with_its_name_and_its_directory(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("a\nb\n")
    file = tmp_path / "chain.toml"
    file.write_text('[sources.words]\nfile = "words.txt"\n[stations.sort]\ncommand = "sort"\n')
    scenario = load(file)
    assert (scenario.name, scenario.file, scenario.directory) == ("chain", str(file), tmp_path)
    assert scenario.circuit.feeds[0].file == str(tmp_path / "words.txt")
    assert scenario.source_bytes == {"words": 4}


def test_every_section_is_read() -> None:
    scenario = load(
        with_section(
            name="all",
            title="everything",
            host={"cores": 3},
            measure={"repetitions": 5, "duration": "2 min", "records": 7, "warmup": 0},
            simulate={"precision": 0.5, "seed": 9, "replications": 4},
            service={"b": {"setup": "1 ms", "per_record": "2 us", "per_byte": "3 ns", "scv": 0.5, "barrier": True}},
        )
    )
    assert (scenario.name, scenario.title, scenario.host.cores) == ("all", "everything", 3)
    assert (scenario.measure.repetitions, scenario.measure.duration_s, scenario.measure.records) == (5, 120.0, 7)
    assert scenario.measure.warmup == 0
    assert (scenario.simulate.precision, scenario.simulate.seed, scenario.simulate.replications) == (0.5, 9, 4)
    declared = scenario.services["b"]
    assert (declared.service.setup, declared.service.per_record, declared.service.per_byte) == (1e-3, 2e-6, 3e-9)
    assert declared.service.distribution.family == "gamma"
    assert declared.barrier


def test_without_a_host_section_all_cores_of_the_machine_count() -> None:
    assert load(TWO).host.cores == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ({"station": {}}, "station", "unknown section; did you mean 'stations'?"),
        ({"stations": []}, "stations", "not a table"),
        (with_section(service=3), "service", "not a table"),
        (with_section(service=[{}]), "service", "not a table"),
        (with_section(host={"coers": 2}), "host.coers", "unknown key; did you mean 'cores'?"),
        (with_section(measure={"repetition": 2}), "measure.repetition", "did you mean 'repetitions'?"),
        (with_section(host=3), "host", "not a table"),
        (with_section(host={"cores": 0}), "host.cores", ">= 1"),
        (with_section(host={"cores": "two"}), "host.cores", "'two'"),
        (with_section(host={"cores": True}), "host.cores", "bool"),
        (with_section(measure={"duration": "3 parsecs"}), "measure.duration", "unknown unit 'parsecs'"),
        (with_section(measure={"duration": 0}), "measure.duration", "no time"),
        (with_section(measure={"duration": math.inf}), "measure.duration", "not a finite number"),
        (with_section(simulate={"precision": 1.5}), "simulate.precision", "< 1"),
        (with_section(service={"c": {}}), "service.c", "no station of that name"),
        (with_section(service={"b": {"scv": math.nan}}), "service.b.scv", "not a finite number"),
        (with_section(service={"b": {"scv": -1}}), "service.b.scv", ">= 0"),
        (with_section(service={"b": {"distribution": "gama"}}), "service.b.distribution", "did you mean 'gamma'"),
        (with_section(service={"b": {"distribution": {"family": "a"}}}), "service.b.distribution.family", "'map'"),
        (with_section(service={"b": {"per_byte": "1 KiB"}}), "service.b.per_byte", "durations are"),
        (with_section(service={"b": {"distribution": "deterministic", "scv": 0.5}}), "service.b.scv", "has scv 0"),
        (with_section(name=""), "name", "cannot name a directory"),
        (with_section(name="../x"), "name", "cannot name a directory"),
        (with_section(name=".."), "name", "cannot name a directory"),
        (with_section(name="a\nb"), "name", "cannot name a directory"),
        (with_section(name="a\0b"), "name", "cannot name a directory"),
        (with_section(title=datetime.date(2020, 1, 1)), "title", "Expected `str`"),
        ({}, "stations", "nothing to run"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(document: dict[str, Any], path: str, words: str) -> None:
    error = refused(document, file="x.toml")
    assert error.path == path
    assert error.file == "x.toml"
    assert words in str(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a = ", "is not TOML"),
        (b"a = " + b"[" * 5000, "nested too deeply"),
        (b"a = " + b"9" * 5000, "is not TOML"),
        (b"\xff\xfe", "is not UTF-8 text: byte 0 is 0xff"),
        (b"a = 1\na = 2", "is not TOML"),
        (b"\0", "is not TOML"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    error = refused(file)
    assert error.file == str(file)
    assert words in str(error)


def test_a_byte_order_mark_is_no_part_of_the_scenario(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(b'\xef\xbb\xbf[stations.b]\r\ncommand = "wc"\r\n')
    assert load(file).circuit.order() == ("b",)


def test_a_named_pipe_that_nobody_writes_into_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.toml")
    assert "is a pipe, and nothing came out" in str(refused(tmp_path / "x.toml"))


def test_a_scenario_comes_through_a_pipe_and_its_paths_start_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a\n")
    reading, writing = os.pipe()
    os.write(writing, b'[sources.a]\nfile = "a.txt"\n[stations.b]\ncommand = "wc"\n')
    os.close(writing)
    try:
        scenario = load(Path(f"/dev/fd/{reading}"))
    finally:
        os.close(reading)
    assert scenario.circuit.feeds[0].file == str(tmp_path / "a.txt")


def test_a_file_without_an_end_is_refused() -> None:
    assert "more than 16 MiB" in str(refused(Path("/dev/zero")))


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "top-words.toml").write_text("[sources.text]\n")
    assert "no such file; did you mean 'top-words.toml'?" in str(refused(tmp_path / "top-word.toml"))
    assert "no such file" in str(refused(tmp_path / "nowhere" / "x.toml"))
    assert "cannot be read: Is a directory" in str(refused(tmp_path))


def test_overrides_change_the_scenario_but_not_its_digest() -> None:
    plain, changed = load(TWO), load(TWO, overrides={"host.cores": 1, "stations.b.command": "wc -c"})
    assert changed.host.cores == 1
    assert changed.circuit.station("b").command == "wc -c"
    assert changed.digest == plain.digest
    assert changed.key.overrides == {"host.cores": 1, "stations.b.command": "wc -c"}
    assert TWO["stations"]["b"]["command"] == "wc -l"


@pytest.mark.parametrize(
    ("override", "path", "words"),
    [
        ("stations.c.command=wc", "stations.c", "there is no 'c' to set"),
        ("sources.aa.rate=3", "sources.aa", "did you mean 'a'?"),
        ("stations.b.command.x=1", "stations.b.command", "has no parts to set"),
        ("stations.b.comand=wc", "stations.b.comand", "did you mean 'command'?"),
        ("hots.cores=1", "hots", "did you mean 'host'?"),
        ("host.cores=one", "host.cores", "'one'"),
        ("stations=1", "stations", "not a table"),
        (".=1", "", "unknown section"),
    ],
)
def test_an_override_that_fits_nowhere_is_refused(override: str, path: str, words: str) -> None:
    path_set, value = parse_override(override)
    error = refused(TWO, overrides={path_set: value})
    assert words in str(error)
    assert (error.path or "") == path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=1", 1),
        ("a.b=1.5", 1.5),
        ("a.b=true", True),
        ("a.b='x y'", "x y"),
        ("a.b=x y ", "x y"),
        ("a.b=[1, 2]", [1, 2]),
        ("a.b=20 records/s", "20 records/s"),
        ("a.b={c = 1}", {"c": 1}),
        ("a.b=sort -k2 -t= -n", "sort -k2 -t= -n"),
        ("a.b=", ""),
        ("a.b=1\nother = 2", "1\nother = 2"),
        ("a.b=" + "[" * 5000, "[" * 5000),
    ],
)
def test_a_value_to_set_is_toml_where_it_can_be(text: str, value: object) -> None:
    assert parse_override(text) == ("a.b", value)


@pytest.mark.parametrize("text", ["", "host.cores", "=1", " =1"])
def test_a_setting_without_path_or_value_is_refused(text: str) -> None:
    with pytest.raises(ScenarioError, match="path=value"):
        parse_override(text)


@given(st.permutations(["sources", "stations", "host"]), st.text(max_size=5))
def test_the_digest_knows_content_only(order: list[str], title: str) -> None:
    document = with_section(host={"cores": 2})
    shuffled = {key: document[key] for key in order} | {"title": title}
    assert load(shuffled).digest == load(document).digest


@pytest.mark.parametrize("change", [{"name": "other"}, {"host": {"cores": 7}}, {"stations": {"b": {"command": "wc"}}}])
def test_the_digest_changes_with_the_content(change: dict[str, Any]) -> None:
    assert load(TWO | change).digest != load(TWO).digest


def test_loading_does_not_keep_the_callers_mapping() -> None:
    document = {"sources": {"a": {"command": "seq 9"}}, "stations": {"b": {"command": "wc -l"}}}
    scenario = load(document)
    before = scenario.digest
    document["stations"]["b"]["command"] = "cat"
    assert scenario.digest == before


@pytest.mark.parametrize("family", ["gamma", "lognormal", "hyperexponential", "exponential", "deterministic"])
@pytest.mark.parametrize("scv", [1.0, 2.5, 9.0])
def test_a_declared_distribution_has_mean_one_and_its_scv(family: str, scv: float) -> None:
    found = distribution_of(family, scv)
    if family == "gamma":
        mean, variance = stats.gamma(*found.parameters).stats("mv")
    elif family == "lognormal":
        mean, variance = stats.lognorm(found.parameters[0], 0, found.parameters[2]).stats("mv")
    elif family == "hyperexponential":
        # Moments of a mixture of two exponentials: E[X] = sum p/r, E[X^2] = sum 2p/r^2.
        p, fast, slow = found.parameters
        mean = p / fast + (1 - p) / slow
        variance = 2 * p / fast**2 + 2 * (1 - p) / slow**2 - mean**2
    else:
        assert found.parameters == ()
        return
    assert mean == pytest.approx(1)
    assert variance == pytest.approx(scv)


@pytest.mark.parametrize(("family", "scv"), [("gamma", 0.0), ("lognormal", 0.0), ("hyperexponential", 0.5)])
def test_a_distribution_that_cannot_have_its_scv_is_refused(family: str, scv: float) -> None:
    with pytest.raises(ScenarioError, match="needs an scv"):
        distribution_of(family, scv)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.sampled_from(["cat", "seq 3", "{a}", "sort | uniq", "'", "64 KiB", "a", "b", "filter", "generate", "-"]),
)
KEYS = """
    name title sources stations sinks host measure simulate service a b c command operator input file files rate
    arrivals scv cores pipe capacity env format parallelism duration records seed where count bytes barrier
"""
WORDS = st.sampled_from(KEYS.split())
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
SECTIONS = st.dictionaries(WORDS, st.dictionaries(WORDS, VALUES, max_size=4) | VALUES, max_size=4)
DOCUMENTS = st.dictionaries(WORDS, VALUES | SECTIONS, max_size=5)
WHOLE: dict[str, Any] = {
    "name": "whole",
    "sources": {
        "a": {"command": "seq 9", "rate": "10 records/s", "arrivals": "bursty", "scv": 4.0},
        "g": {"operator": "generate", "count": 3},
    },
    "stations": {
        "b": {"command": "sort", "input": "a", "env": {"LC_ALL": "C"}, "pipe": {"capacity": "4 KiB"}},
        "c": {"command": "comm - {g}", "input": ["b", "g"]},
        "d": {"operator": "filter", "where": "len(record) > 1", "format": {"name": "csv", "header": True}},
    },
    "sinks": {"e": {"file": "out.txt"}, "f": {"input": "b"}},
    "host": {"cores": 2},
    "measure": {"duration": "3 s"},
    "service": {"b": {"per_byte": "3 ns", "selectivity": 0.5}},
}


def places_in(table: Any, here: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of everything in a nest of tables."""
    inside = table.items() if isinstance(table, dict) else ()
    return [place for key, value in inside for place in ((*here, key), *places_in(value, (*here, key)))]


def loads_or_is_refused(document: dict[str, Any], overrides: dict[str, Any]) -> bool:
    """Whether a scenario comes of it that is whole, or a refusal that says something; other exceptions come through."""
    try:
        scenario = load(document, overrides=overrides)
    except ScenarioError as error:
        return str(error).strip() != ""
    stations = scenario.circuit.stations
    return len(scenario.digest) == 16 and sorted(scenario.circuit.order()) == sorted(one.name for one in stations)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, st.dictionaries(st.lists(WORDS, min_size=1, max_size=3).map(".".join), VALUES, max_size=2))
def test_no_document_raises_anything_but_a_scenario_error(document: dict[str, Any], overrides: dict[str, Any]) -> None:
    assert loads_or_is_refused(document, overrides)


def test_the_whole_scenario_that_the_next_test_spoils_is_right() -> None:
    assert load(WHOLE).circuit.order() == ("a.command", "a", "g", "b", "b.copy", "c", "d")


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(places_in(WHOLE)), VALUES | st.text(max_size=3), st.booleans())
def test_no_spoilt_scenario_raises_anything_but_a_scenario_error(
    place: tuple[str, ...], value: Any, removed: bool
) -> None:
    document: dict[str, Any] = copy.deepcopy(WHOLE)
    table = document
    for key in place[:-1]:
        table = table[key]
    if removed:
        del table[place[-1]]
    else:
        table[place[-1]] = value
    assert loads_or_is_refused(document, {})
    assert loads_or_is_refused(WHOLE, {".".join(place): value})


@settings(max_examples=200)
@given(st.text())
def test_a_setting_is_refused_where_it_has_no_path_and_only_there(text: str) -> None:
    path, equals, _ = text.partition("=")
    if equals and path.strip():
        assert parse_override(text)[0] == path.strip()
    else:
        with pytest.raises(ScenarioError, match="path=value"):
            parse_override(text)

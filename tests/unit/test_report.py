"""The report: all files, one page that stands alone, and nothing in it that the comparison does not say."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamsim.analysis import plots
from streamsim.analysis.compare import Comparison, compare_results, error_text, verdict
from streamsim.analysis.report import to_html, write_report
from streamsim.analysis.wording import format_value
from streamsim.errors import ProfileError
from streamsim.result import read_result
from streamsim.service import read_profile
from tests.unit import traces, worlds

VOID = {"meta", "br", "hr", "img", "input", "link"}


class _Page(HTMLParser):
    """Checks the nesting of tags and keeps what tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()
        self.headers: list[dict[str, Any]] = []
        self.pictures: list[dict[str, Any]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags[tag] += 1
        self.ids.update([values["id"]] if values.get("id") else [])
        if tag == "th":
            self.headers.append(values)
        if tag == "svg":
            self.pictures.append(values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids.update([values["id"]] if values.get("id") else [])

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"{tag} was closed and never opened"
        assert self.open[-1] == tag, f"{tag} was closed inside {self.open[-1]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def inputs() -> plots.Inputs:
    return worlds.example_inputs(2)


@pytest.fixture
def one_plot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the quickest plot only, for tests of what stands around them."""
    for name in plots.ALL:
        if name != "throughput":
            monkeypatch.setitem(plots.ALL, name, lambda inputs: None)


@pytest.fixture(scope="module")
def directory(inputs: plots.Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("reports") / "example"
    write_report(target, inputs)
    return target


@pytest.fixture(scope="module")
def page(directory: Path) -> str:
    return (directory / "report.html").read_text(encoding="utf-8")


def test_everything_is_written_and_named_and_the_same_each_time(
    inputs: plots.Inputs, directory: Path, tmp_path: Path
) -> None:
    written = write_report(tmp_path / "new", inputs)
    assert {path.name for path in written} == {path.name for path in (tmp_path / "new").iterdir()}
    for path in written:
        assert path.read_bytes() == (directory / path.name).read_bytes(), path.name
    assert {path.name for path in written} >= {
        "measured.json", "simulated.json", "predicted.json", "profile.json", "comparison.json", "comparison.md",
        "throughput.svg", "budget.svg", "report.html",
    }  # fmt: skip


def test_files_read_back_as_what_they_were(inputs: plots.Inputs, directory: Path) -> None:
    assert read_result(directory / "measured.json") == inputs.measured
    assert read_result(directory / "predicted.json") == inputs.predicted
    assert read_profile(directory / "profile.json") == inputs.profile
    comparison = msgspec.json.decode((directory / "comparison.json").read_bytes(), type=Comparison)
    assert comparison == inputs.comparison


@pytest.mark.usefixtures("one_plot")
def test_a_plot_that_no_longer_applies_is_taken_away_and_nothing_else(inputs: plots.Inputs, tmp_path: Path) -> None:
    for name in ("response.svg", "mine.svg", "trace.npz"):
        (tmp_path / name).write_text("old")
    write_report(tmp_path, inputs)
    assert not (tmp_path / "response.svg").exists()
    assert (tmp_path / "mine.svg").read_text() == "old"
    assert (tmp_path / "trace.npz").exists()


def test_the_page_stands_alone(page: str) -> None:
    assert not re.findall(r"https?://", page)
    assert not re.findall(r'(?:href|src)="(?!#)', page)
    assert not re.findall(r"url\((?!#)", page)
    assert "<script" not in page
    assert "@import" not in page


def test_the_page_is_well_formed_and_its_ids_are_unique(page: str) -> None:
    found = _Page(page)
    assert [name for name, count in found.ids.items() if count > 1] == []
    assert found.tags["h1"] == 1


def test_references_inside_the_pictures_lead_somewhere(page: str) -> None:
    ids = _Page(page).ids
    wanted = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    assert wanted
    assert wanted <= set(ids)


def test_a_command_keeps_its_line_and_a_number_its_per_cent_sign(inputs: plots.Inputs) -> None:
    stations = [msgspec.structs.replace(one, command="tr ' ' '\n'") for one in inputs.circuit.stations]
    changed = replace(inputs, circuit=msgspec.structs.replace(inputs.circuit, stations=stations))
    page = to_html(changed, inputs.comparison or compare_results(inputs.measured), {})
    assert "tr &#39; &#39; &#39;\\n&#39;</code>" in page
    heading = page[page.index('class="verdict"') :].partition("</p>")[0]
    assert "\N{NO-BREAK SPACE}%" in heading and " %" not in heading


def test_pictures_have_a_name_and_a_caption_and_headers_a_scope(page: str) -> None:
    found = _Page(page)
    assert len(found.pictures) == found.tags["figure"] == found.tags["figcaption"] == 9
    assert all(picture["role"] == "img" and picture["aria-label"] for picture in found.pictures)
    assert all(header["scope"] in ("col", "row", "rowgroup") for header in found.headers)


def test_the_page_says_what_the_comparison_says(inputs: plots.Inputs, page: str) -> None:
    text = _Page(page).text
    assert verdict(inputs.comparison) in text
    for row in inputs.comparison.rows:
        if row.measured is not None:
            assert format_value(row.measured.value, row.unit) in text
            assert error_text(row, "simulated") in text
    for station in inputs.circuit.stations:
        assert station.program in text
    assert inputs.comparison.scenario.digest in text
    assert "predicted: a theory made up" in text


def test_the_captions_of_all_plots_are_there(directory: Path, page: str) -> None:
    text = _Page(page).text
    drawn = [path.stem for path in directory.glob("*.svg")]
    assert len(drawn) == 9
    assert all(plots.CAPTIONS[name] in text for name in drawn)


@pytest.mark.usefixtures("one_plot")
def test_whatever_users_write_is_escaped(inputs: plots.Inputs, tmp_path: Path) -> None:
    nasty = "<b onclick=x>&amp; 'quoted' \"twice\""
    circuit = traces.chain(["give", "take"], programs=["seq 9", f"awk {nasty}"])
    measured = traces.example_trace(circuit)
    measured = replace(measured, warnings=(nasty,))
    evil = replace(
        worlds.in_all_worlds(circuit, measured, traces.example_trace(circuit, world="simulated")), title=nasty
    )
    write_report(tmp_path, evil)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<b onclick" not in page
    assert _Page(page).text.count(nasty) >= 3


@pytest.mark.usefixtures("one_plot")
def test_overrides_and_warnings_are_shown(inputs: plots.Inputs, tmp_path: Path) -> None:
    key = msgspec.structs.replace(inputs.measured.scenario, overrides={"host.cores": 1})
    measured = msgspec.structs.replace(inputs.measured, scenario=key, warnings=("the clock jumped",))
    changed = plots.Inputs(circuit=inputs.circuit, measured=measured)
    write_report(tmp_path, changed)
    text = _Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "host.cores = 1" in text
    assert "measured: the clock jumped" in text


def test_theory_alone_makes_a_page_without_errors(inputs: plots.Inputs, tmp_path: Path) -> None:
    alone = plots.Inputs(circuit=inputs.circuit, predicted=inputs.predicted)
    written = {path.name for path in write_report(tmp_path, alone)}
    assert written == {
        "predicted.json",
        "comparison.json",
        "comparison.md",
        "throughput.svg",
        "utilisation.svg",
        "report.html",
    }
    found = _Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "By theory" in found.text
    assert " error " not in found.text


def test_a_report_of_nothing_is_refused_and_writes_nothing(inputs: plots.Inputs, tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="no result"):
        write_report(tmp_path / "none", plots.Inputs(circuit=inputs.circuit))
    assert not (tmp_path / "none").exists()


def test_an_open_load_shows_its_response_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in set(plots.ALL) - {"response"}:
        monkeypatch.setitem(plots.ALL, name, lambda inputs: None)
    write_report(tmp_path, worlds.open_inputs())
    text = _Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "Response time, 99th percentile" in text
    assert (tmp_path / "response.svg").exists()


@pytest.mark.usefixtures("one_plot")
def test_a_comparison_is_joined_where_none_is_given(inputs: plots.Inputs, directory: Path, tmp_path: Path) -> None:
    write_report(tmp_path, replace(inputs, comparison=None))
    joined = compare_results(inputs.measured, inputs.simulated, inputs.predicted)
    assert msgspec.json.decode((tmp_path / "comparison.json").read_bytes(), type=Comparison) == joined

"""What each verb answers and writes."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.command_line import Ran, Run, one_line, streamsim


def test_check_shows_the_circuit_and_runs_nothing(here: Path, run: Run) -> None:
    (here / "wide.toml").write_text("""
[sources.a]
command = "touch started"
rate = "10 records/s"
arrivals = "poisson"
[stations.sort]
operator = "group"
key = 1
pipe = { capacity = "16 KiB" }
[stations.left]
command = "cut -c1-3"
[stations.right]
command = "tr '\\n' '[x]'"
input = "sort"
[stations.both]
command = "paste - {right}"
input = ["left", "right"]
[sinks.out]
file = "out.txt"
""")
    ran = run("check", "wide.toml")
    assert ran.status == 0
    for fact in (
        r"sort +a +16 KiB +group key=1 +operator, barrier",
        r"right +sort.copy +256 KiB +tr '\\n' '\[x\]' +command",
        r"splits: sort\.copy",
        r"joins: both",
        r"load a: 10 records/s, poisson",
        r"sink out: both into .*/out\.txt",
        r"\nok\n$",
    ):
        assert re.search(fact, ran.out), fact
    assert not (here / "started").exists()
    assert not (here / "out.txt").exists()


def test_check_says_what_a_run_would_miss(here: Path, run: Run) -> None:
    ran = run("check", "--shell", "cat missing.txt | no-such-program")
    assert ran.status == 2
    assert "missing.txt" in one_line(ran.err)
    assert "ok" not in ran.out.splitlines()


def test_run_gives_what_the_shell_gives(here: Path, run: Run) -> None:
    line = "seq 3000 | tr 1 x | sort -r | head -n 100"
    ran = run("run", "--shell", line)
    expected = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout
    assert (ran.status, ran.out, ran.err) == (0, expected, "")


def test_run_reads_standard_input_where_no_source_is_named(here: Path) -> None:
    done = streamsim("run", "--shell", "cat | sort -r", input="1\n3\n2\n", cwd=here)
    assert (done.returncode, done.stdout, done.stderr) == (0, "3\n2\n1\n", "")


def test_measure_writes_its_files_and_prints_the_budget(measured: tuple[Path, Ran]) -> None:
    directory, ran = measured
    assert ran.status == 0, ran.err
    files = {path.name for path in (directory / "reports" / "parity").iterdir()}
    assert files == {"measured.json", "profile.json", "scenario.json", "trace.npz"}
    for heading in ("bytes in", "CPU", "utilisation", "starved", "running", "runnable", "waiting", "blocked"):
        assert heading in ran.out
    assert [word for word in ("numbers", "parity", "sort", "count") if f"\n{word} " not in ran.out] == []
    assert re.search(r"^makespan \d", ran.out, re.MULTILINE)
    assert re.search(r"^bottleneck: \w", ran.out, re.MULTILINE)
    assert "written: reports/parity/measured.json" in ran.out


@pytest.mark.parametrize("verb", ["simulate", "predict"])
def test_a_model_answers_in_the_shape_of_the_measurement(verb: str, beside_a_measurement: Path, run: Run) -> None:
    told, alone = run(verb, "parity.toml"), run(verb, "parity.toml", "--json")
    assert (told.status, alone.status) == (0, 0)
    assert re.search(r"^makespan \d", told.out, re.MULTILINE)
    result = json.loads(alone.out)
    written = json.loads((beside_a_measurement / "reports" / "parity" / f"{result['world']}.json").read_text())
    measurement = json.loads((beside_a_measurement / "reports" / "parity" / "measured.json").read_text())
    assert result == written
    assert result["stations"].keys() == measurement["stations"].keys()
    assert result["scenario"] == measurement["scenario"]


def test_what_set_changes_is_in_the_answer(beside_a_measurement: Path, run: Run) -> None:
    ran = run("predict", "parity.toml", "--set", "host.cores=1", "--set", "stations.sort.pipe.capacity=4 KiB", "--json")
    result = json.loads(ran.out)
    assert result["scenario"]["overrides"] == {"host.cores": 1, "stations.sort.pipe.capacity": "4 KiB"}
    assert result["host"]["cores"] == 1


def test_the_same_seed_gives_the_same_simulation(beside_a_measurement: Path, run: Run) -> None:
    first, second = (run("simulate", "parity.toml", "--seed", "7", "--json").out for _ in range(2))
    assert first == second


def test_fit_finds_the_profile_again(beside_a_measurement: Path, run: Run) -> None:
    profile = beside_a_measurement / "reports" / "parity" / "profile.json"
    before = profile.read_bytes()
    for trace in ("reports/parity", "reports/parity/trace.npz"):
        profile.unlink()
        ran = run("fit", trace)
        assert ran.status == 0
        assert profile.read_bytes() == before
    assert "parity" in ran.out


def test_models_take_a_profile_from_where_it_was_written(beside_a_measurement: Path, tmp_path: Path, run: Run) -> None:
    profile = beside_a_measurement / "reports" / "parity" / "profile.json"
    output = tmp_path / "elsewhere"
    assert run("predict", "parity.toml", "--profile", str(profile), "--output", str(output)).status == 0
    assert (output / "predicted.json").is_file()
    (output / "profile.json").write_bytes(profile.read_bytes().replace(b'"digest": "', b'"digest": "0'))
    ran = run("predict", "parity.toml", "--output", str(output))
    assert ran.status == 0
    assert "fitted on another version of 'parity'" in one_line(ran.err)


def test_compare_says_how_far_the_models_are_off(here: Path, run: Run) -> None:
    ran = run("compare", "parity.toml", "--set", "host.cores=1", "--json")
    assert ran.status == 0, ran.err
    comparison = json.loads(ran.out)
    directory = here / "reports" / "parity"
    assert comparison == json.loads((directory / "comparison.json").read_text())
    assert comparison["scenario"]["overrides"] == {"host.cores": 1}
    makespan = next(row for row in comparison["rows"] if (row["station"], row["metric"]) == ("circuit", "makespan"))
    values = {world: makespan[world]["value"] for world in ("measured", "simulated", "predicted")}
    assert makespan["simulated_error"] == pytest.approx(values["simulated"] / values["measured"] - 1)
    assert makespan["predicted_error"] == pytest.approx(values["predicted"] / values["measured"] - 1)
    assert json.loads((directory / "scenario.json").read_text())["overrides"] == {}, "the profile is of what is written"
    told = run("compare", "parity.toml", "--profile", str(directory / "profile.json"))
    assert told.status == 0, told.err
    assert "Makespan" in told.out
    assert re.search(r"^measured +\S", told.out, re.MULTILINE)
    assert "report: reports/parity/report.html" in told.out
    assert (directory / "report.html").is_file()


def test_a_shell_line_is_measured_like_a_file(here: Path, run: Run) -> None:
    ran = run("measure", "--shell", "seq 5000 | sort", "--set", "measure.warmup=0", "--repetitions", "1", "--json")
    assert ran.status == 0, ran.err
    assert set(json.loads(ran.out)["stations"]) == {"seq", "sort"}
    (directory,) = (here / "reports").iterdir()
    assert directory.name.startswith("shell-")


def test_an_imported_line_is_a_scenario(here: Path, run: Run) -> None:
    ran = run("import", "seq 9 | sort -r", "-o", "lines.toml")
    assert ran.status == 0
    assert "wrote lines.toml" in one_line(ran.err)
    assert run("check", "lines.toml").status == 0
    assert run("run", "lines.toml").out.split() == list("987654321")
    again = run("import", "seq 8 | sort -r", "-o", "lines.toml")
    assert again.status == 2
    assert "--force" in one_line(again.err)
    assert run("import", "seq 8 | sort -r", "-o", "lines.toml", "--force").status == 0
    assert "seq 8" in (here / "lines.toml").read_text()
    assert run("import", "seq 8 | sort -r").out.splitlines()[0] == "# Imported from the shell line"


def test_operators_lists_each_and_shows_one(run: Run) -> None:
    from streamsim import operators

    listed = run("operators").out
    assert [name for name in operators.names() if f"\n{name} " not in listed] == []
    shown = run("operators", "window").out
    assert 'operator = "window"' in shown
    assert [one.name for one in operators.describe("window").parameters if f"\n{one.name} " not in shown] == []


def test_every_operator_can_be_shown(run: Run) -> None:
    from streamsim import operators

    assert {name: run("operators", name).status for name in operators.names()} == dict.fromkeys(operators.names(), 0)


def test_schema_is_json_and_version_is_the_packages(run: Run) -> None:
    from streamsim import __version__

    assert json.loads(run("schema").out)["title"] == "streamsim scenario"
    assert run("--version").out == f"streamsim {__version__}\n"


@pytest.mark.parametrize(
    ("file", "station", "warned"),
    [
        ("a.gz", "command = 'wc -l'", "a.gz reaches x compressed, as it is; a station of operator = 'decompress'"),
        ("a.zip", "operator = 'count'", "a.zip reaches x compressed, as it is; member = 'NAME' of its source"),
        ("a.gz", "command = 'zcat'", None),
        ("a.gz", "operator = 'copy'", None),
        ("a.txt", "command = 'wc -l'", None),
    ],
)
def test_check_says_which_files_are_compressed(
    file: str, station: str, warned: str | None, here: Path, run: Run
) -> None:
    (here / file).touch()
    (here / "s.toml").write_text(f"sources.a.file = '{file}'\n[stations.x]\n{station}\n")
    ran = run("check", "s.toml")
    assert ran.status == 0
    assert warned in one_line(ran.err) if warned else not ran.err


def test_check_says_where_no_pipe_stands_between_two_stations(here: Path, run: Run) -> None:
    stations = ('a]\noperator = "copy"', 'b]\noperator = "count"\nfuse = true', 'c]\ncommand = "cat"')
    (here / "fused.toml").write_text("".join(f"[stations.{station}\n" for station in stations))
    rows = {line.split()[0]: line for line in run("check", "fused.toml").out.splitlines() if line.strip()}
    assert "the same process" in rows["b"] and "KiB" not in rows["b"] and "64 KiB" in rows["c"]

"""The command line as a user has it: what each verb answers and writes, and how it fails."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import pytest

from streamsim import verbs
from streamsim.cli import outcome
from streamsim.cli.progress import ProgressLine

SCENARIO = """
title = "Count what is even [or not]"

[sources.numbers]
command = "seq 20000"

[stations.parity]
operator = "map"
to = "str(int(record) % 2)"

[stations.sort]
command = "sort"
env = { LC_ALL = "C" }

[stations.count]
command = "uniq -c"

[measure]
repetitions = 1
warmup = 0
"""


class Ran:
    """What one command line gave."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


Run = Callable[..., Ran]


def streamsim(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    call = [sys.executable, "-m", "streamsim", *words]
    return subprocess.run(call, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload, no-any-return]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def in_this_process(*words: str) -> Ran:
        capfd.readouterr()
        status = outcome(words)
        captured = capfd.readouterr()
        return Ran(status, captured.out, captured.err)

    return in_this_process


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parity.toml").write_text(SCENARIO)
    return tmp_path


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A directory in which the scenario has been measured once, and what that printed."""
    directory = tmp_path_factory.mktemp("measured")
    (directory / "parity.toml").write_text(SCENARIO)
    done = streamsim("measure", "parity.toml", cwd=directory)
    return directory, Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def beside_a_measurement(measured: tuple[Path, Ran], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(measured[0])
    return measured[0]


def one_line(text: str) -> str:
    """Return the only line of an error message."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    return lines[0]


# What the verbs answer


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
        r"right +sort.copy +64 KiB +tr '\\n' '\[x\]' +command",
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
        assert (ran.status, ran.err) == (0, "")
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


# Operators as filters


@pytest.mark.parametrize(
    ("words", "given", "expected"),
    [
        (["sample", "--every", "2"], "1\n2\n3\n4\n", "2\n4\n"),
        (["sample", "--every=2"], "1\n2\n3\n4\n", "2\n4\n"),
        (["filter", "--where", "len(record) > 1"], "a\nbb\n", "bb\n"),
        (["group", "--key", "1", "--on-error", "skip"], "a\nb\na\n", "a,2\nb,1\n"),
        (["count", "--format", "rows", "--format.width", "2"], "abcd", "2 4\n"),
        (["generate", "--count", "3"], "", "1\n2\n3\n"),
    ],
)
def test_an_operator_is_a_filter(words: list[str], given: str, expected: str) -> None:
    done = streamsim("op", *words, input=given)
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_a_filter_shows_its_parameters(run: Run) -> None:
    ran = run("op", "window", "--help")
    assert ran.status == 0
    assert re.search(r"^  --size +how many records make a window: .* \(required\)$", ran.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["srot"], "unknown operator 'srot'"),
        (["filter"], "needs 'where'"),
        (["filter", "--where"], "--where needs a value"),
        (["filter", "--wher", "x"], "did you mean 'where'?"),
        (["filter", "where=x"], "parameters are written --name value"),
        (["sample", "--every", "x"], "'x' is not a whole number"),
        (["sample", "--every", "1", "--every", "2"], "given twice"),
        (["count", "--format", "cvs"], "did you mean 'csv'?"),
        (["count", "--format", "rows", "--format.with", "2"], "did you mean 'width'?"),
    ],
)
def test_a_filter_refuses_what_it_does_not_know(words: list[str], said: str, run: Run) -> None:
    ran = run("op", *words)
    assert (ran.status, ran.out) == (2, "")
    assert said in one_line(ran.err)


# How it fails


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mesure"], "no such command 'mesure'"),
        (["mesure"], "measure"),
        (["measure", "--jsn"], "there is no option '--jsn'; did you mean '--json'?"),
        (["measure", "parity.toml", "--repetitions", "few"], "--repetitions"),
        (["measure"], "give a scenario file or --shell 'LINE'"),
        (["measure", "parity.toml", "--shell", "seq 3"], "not both"),
        (["check", "parity.toml", "more"], "unexpected extra argument"),
        (["check", "party.toml"], "no such file; did you mean 'parity.toml'?"),
        (
            ["check", "parity.toml", "--set", "host.coers=1"],
            "parity.toml: host.coers: unknown key; did you mean 'cores'?",
        ),
        (["check", "parity.toml", "--set", "host.cores"], "path=value"),
        (["check", "--shell", "a && b"], "'&&'"),
        (["import", "if true; then a; fi"], "column 1"),
        (["predict", "parity.toml"], "there is no profile of 'parity'"),
        (["predict", "parity.toml", "--profile", "parity.toml"], "not a profile"),
        (["predict", "parity.toml", "--profile", "nowhere.json"], "nowhere.json: No such file or directory"),
        (["fit", "parity.toml"], "not a trace"),
        (["fit", "nowhere"], "No such file or directory"),
        (["operators", "fitler"], "did you mean 'filter'?"),
        (["measure", "--shell", "cat | sort"], "add a source"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(words: list[str], said: str, here: Path, run: Run) -> None:
    ran = run(*words)
    assert (ran.status, ran.out) == (2, "")
    assert one_line(ran.err).startswith("streamsim: ")
    assert said in ran.err


@pytest.mark.parametrize("verb", ["run", "measure", "compare"])
def test_a_station_that_fails_is_named_with_what_it_said(verb: str, here: Path, run: Run) -> None:
    ran = run(verb, "--shell", "seq 3 | bash -c 'echo no luck >&2; exit 3' | sort")
    assert (ran.status, ran.out) == (1, "")
    assert "streamsim: station 'bash': exited with status 3" in ran.err
    assert "no luck" in ran.err
    assert "Traceback" not in ran.err


def test_what_cannot_be_written_is_known_before_the_run(here: Path, run: Run) -> None:
    (here / "taken").write_text("")
    ran = run("measure", "--shell", "touch started | cat", "--output", "taken/reports")
    assert ran.status == 1
    assert "taken" in one_line(ran.err)
    assert not (here / "started").exists()


def test_a_full_disk_is_one_line(here: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "streamsim", "schema"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert one_line(done.stderr) == "streamsim: No space left on device"


def test_a_defect_is_one_line_unless_the_traceback_is_asked_for(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("two\nlines")

    monkeypatch.setattr(verbs, "predict", broken)
    monkeypatch.setattr(verbs, "find_profile", lambda _: verbs.Profile())
    ran = run("predict", "parity.toml")
    assert ran.status == 1
    assert one_line(ran.err).startswith("streamsim: internal error: ValueError: two\\nlines (STREAMSIM_DEBUG=1")
    monkeypatch.setenv("STREAMSIM_DEBUG", "1")
    with pytest.raises(ValueError, match="two"):
        run("predict", "parity.toml")


def test_control_characters_of_a_scenario_do_not_reach_the_terminal(here: Path, run: Run) -> None:
    (here / "evil.toml").write_text('title = "\\u001b[31mred"\n[stations.a]\ncommand = "printf \\u001b]0;x"\n')
    ran = run("check", "evil.toml")
    assert "\x1b" not in ran.out + ran.err
    assert "\\x1b[31mred" in ran.out
    assert "\x1b" not in run("check", "--shell", "seq 3 | \x1b[31mred").err


@pytest.mark.parametrize("words", [["schema"], ["--help"], ["operators"]])
def test_a_reader_that_goes_away_is_no_failure(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "streamsim", *words], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode in (0, 1 if words == ["--help"] else 0)  # the help is rich's to print, and so its status


def test_the_first_lines_of_a_run_will_do(here: Path) -> None:
    script = f"set -o pipefail; {sys.executable} -m streamsim run --shell 'yes | cat' | head -n 2"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "y\ny\n", "")


def test_ctrl_c_stops_everything_with_status_130(here: Path) -> None:
    line = "bash -c 'echo $$ ready; exec sleep 600' | cat"
    process = subprocess.Popen(
        [sys.executable, "-m", "streamsim", "run", "--shell", line],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    child = int(process.stdout.readline().split()[0])
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


# On a terminal


@contextmanager
def terminal_as_stderr() -> Iterator[int]:
    """Make a terminal standard error, and give its other end; pytest's own capture is taken off meanwhile."""
    master, slave = os.openpty()
    with os.fdopen(slave, "w") as stream, redirect_stderr(stream):
        yield master
    os.close(master)


def test_a_long_verb_shows_how_far_it_is_and_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamsim.cli.progress._PATIENCE_S", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    shown = ""
    with terminal_as_stderr() as terminal, ProgressLine() as progress:
        progress(1, 4, "measuring [b]")
        while " left" not in shown and select.select([terminal], [], [], 60)[0]:
            shown += os.read(terminal, 4096).decode()
    assert "measuring [b]" in shown
    assert re.search(r"0:00:\d\d.* left", shown)


def test_a_short_verb_shows_nothing() -> None:
    with terminal_as_stderr() as terminal:
        with ProgressLine() as progress:
            progress(1, 4, "measuring")
        assert select.select([terminal], [], [], 0)[0] == []


def test_progress_is_silent_where_nobody_looks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamsim.cli.progress._PATIENCE_S", 0.0)
    with ProgressLine() as progress:
        progress(1, 4, "measuring")
    assert capsys.readouterr() == ("", "")


def test_tables_fit_a_narrow_terminal(beside_a_measurement: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("simulate", "parity.toml").status == 0
    wide = run("simulate", "parity.toml").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    narrow = re.sub(r"\x1b\[[0-9;]*m", "", run("simulate", "parity.toml").out)
    head, narrow_rows = narrow.splitlines()[0], narrow.splitlines()[1:-3]
    assert head == wide.splitlines()[0]
    assert max(len(row) for row in narrow_rows) <= 80
    assert [word for word in ("utilisation", "starved", "blocked") if word not in narrow] == []
    assert wide.count("\nsort ") == 1
    assert narrow.count("\nsort ") == 2

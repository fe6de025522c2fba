"""How the command line fails: one line, the right status, nothing left behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streamsim import verbs
from streamsim.cli.output import warn
from tests.end_to_end.command_line import Run, one_line, streamsim
from tests.patience import PATIENCE_S


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
        (["check", "parity"], "no such file; did you mean 'parity.toml'?"),
        (["measure", "parity.toml", "-o", "parity.toml"], "parity.toml: is a file; --output names the directory"),
        (["compare", "parity.toml", "-o", "/dev/null/deep"], "/dev/null/deep: Not a directory"),
        (["import", "seq 3 | wc", "-o", "not/there/x.toml"], "there is no directory not/there to write x.toml into"),
        (["import", "seq 3 | wc", "-o", "."], ". is a directory; --output names the file"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(words: list[str], said: str, here: Path, run: Run) -> None:
    ran = run(*words)
    assert (ran.status, ran.out) == (2, "")
    assert one_line(ran.err).startswith("streamsim: ")
    assert said in ran.err


def test_a_missing_scenario_is_not_taken_for_another_toml_file(here: Path, run: Run) -> None:
    Path("pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    Path("broken.toml").write_text("[[", encoding="utf-8")
    for name in ("pyprojekt.toml", "brokn.toml"):
        assert one_line(run("check", name).err) == f"streamsim: {name}: no such file"


@pytest.mark.parametrize("words", ["check parity.toml", "run parity.toml", "--help", "op count"])
def test_a_closed_standard_output_is_refused_before_anything_runs(words: str, here: Path) -> None:
    script = f"exec {sys.executable} -m streamsim {words} <parity.toml >&-"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ran.returncode == 2
    assert one_line(ran.stderr) == "streamsim: standard output is closed; '> /dev/null' throws it away"


def test_closed_standard_input_and_error_are_no_files_of_the_run(here: Path) -> None:
    script = f"exec {sys.executable} -m streamsim run parity.toml <&- 2>&-"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ran.returncode == 0
    assert [line.split() for line in ran.stdout.splitlines()] == [["10000", "0"], ["10000", "1"]]
    script = f"{sys.executable} -m streamsim op count <&-"
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "standard input is closed" in one_line(ran.stderr)


def test_a_profile_of_another_scenario_is_said_to_be_that(here: Path, run: Run) -> None:
    Path("other.toml").write_text(Path("parity.toml").read_text(encoding="utf-8"), encoding="utf-8")
    assert run("measure", "other.toml").status == 0
    other = run("predict", "parity.toml", "--profile", "reports/other/profile.json")
    assert other.status == 0
    assert "the profile was fitted on 'other', not on 'parity'" in one_line(other.err)
    assert run("predict", "other.toml").err == ""
    older = run("predict", "other.toml", "--profile", "reports/other/profile.json", "--set", "host.cores=1")
    assert older.err == ""


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
    assert ran.status == 2
    assert "taken" in one_line(ran.err)
    assert not (here / "started").exists()


def test_warnings_that_differ_in_their_numbers_only_are_one(capsys: pytest.CaptureFixture[str]) -> None:
    warn(["took 2.5 % of a core", "odd", "took 13 % of a core", "odd", "took 2.5 % of a core"])
    assert capsys.readouterr().err.splitlines() == [
        "streamsim: warning: took 2.5 % of a core (and 1 more like it)",
        "streamsim: warning: odd",
    ]


@pytest.mark.parametrize("words", [["schema"], ["check", "parity.toml"]])
def test_a_full_disk_is_one_line(words: list[str], here: Path) -> None:
    command = [sys.executable, "-m", "streamsim", *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert one_line(done.stderr) == "streamsim: standard output: No space left on device"


def test_a_locale_without_the_letters_of_a_scenario_is_said_to_be_that(here: Path) -> None:
    (here / "words.toml").write_text("title = 'ü'\n[sources.s]\ncommand = 'echo ü'\n[stations.a]\ncommand = 'wc'\n")
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "streamsim", "run", "words.toml"]
    done = subprocess.run(command, env=ascii_only, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert one_line(done.stderr).endswith("set LC_ALL=C.UTF-8")


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
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_lines_of_a_run_will_do(here: Path) -> None:
    script = f"set -o pipefail; {sys.executable} -m streamsim run --shell 'yes | cat' | head -n 2"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
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
    _, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (130, "")
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


TOP_WORDS = ["predict", str(Path(__file__).parents[2] / "scenarios" / "top-words.toml")]


@pytest.mark.parametrize(
    ("mib", "words"),
    [(64, TOP_WORDS), (110, TOP_WORDS), (150, TOP_WORDS), (96, ["op", "quantiles"])],
)
def test_too_little_memory_for_the_libraries_is_said_in_one_line(mib: int, words: list[str]) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))

    done = streamsim(*words, preexec_fn=limited)
    assert done.returncode == 1
    assert "memory is not enough" in (said := one_line(done.stderr)) and f"allows {mib << 10} KiB" in said

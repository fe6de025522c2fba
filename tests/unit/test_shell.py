"""A shell line becomes a scenario: what maps to what."""

from __future__ import annotations

import shlex
import tomllib
from typing import Any

import pytest

from streamsim.shell import import_line, to_toml


def sections(line: str) -> dict[str, Any]:
    """The sections of an imported line without its head."""
    return {key: value for key, value in import_line(line).items() if key not in ("name", "title")}


def test_a_pipeline_is_a_source_and_its_stations_in_the_order_of_a_scenario_file() -> None:
    scenario = import_line(' zcat log.gz | grep x | sort -k2 | uniq -c > "top 10.txt" ', name="top")
    assert scenario == {
        "name": "top",
        "title": 'zcat log.gz | grep x | sort -k2 | uniq -c > "top 10.txt"',
        "sources": {"zcat": {"command": "zcat log.gz"}},
        "stations": {
            "grep": {"command": "grep x"},
            "sort": {"command": "sort -k2"},
            "uniq": {"command": "uniq -c"},
        },
        "sinks": {"out": {"file": "top 10.txt"}},
    }
    assert list(scenario) == ["name", "title", "sources", "stations", "sinks"]


def test_a_line_without_redirection_has_no_sink() -> None:
    assert set(sections("seq 9 | wc -l")) == {"sources", "stations"}


# Sources


@pytest.mark.parametrize(
    "line",
    ["cat data/flights.csv | wc -l", "wc -l < data/flights.csv", "< data/flights.csv wc -l",
     "cat<data/flights.csv|wc -l", "cat - < data/flights.csv | wc -l", "wc 0< data/flights.csv -l"],
)  # fmt: skip
def test_cat_of_a_file_and_redirected_input_are_a_file_source(line: str) -> None:
    assert sections(line) == {
        "sources": {"flights": {"file": "data/flights.csv"}},
        "stations": {"wc": {"command": "wc -l"}},
    }


@pytest.mark.parametrize(
    ("line", "source"),
    [
        ("cat a.log b.log | wc", {"a": {"files": ["a.log", "b.log"]}}),
        ("cat logs/*.log | wc", {"log": {"files": "logs/*.log"}}),
        ("cat 'my logs'/part-?.gz | wc", {"part": {"files": "my logs/part-?.gz"}}),
        ("cat '[x]'*.log | wc", {"x": {"files": "[[]x]*.log"}}),
        ("cat 'a[1]' b* | wc", {"a-1": {"files": ["a[[]1]", "b*"]}}),
        ("cat **.log | wc", {"log": {"files": "*.log"}}),
        ("cat -- a | wc", {"cat": {"command": "cat -- a"}}),
        ("cat -n a | wc", {"cat": {"command": "cat -n a"}}),
        ("cat a - | wc", {"standard-input": {"file": "-"}}),
        ("sort | cat", {"standard-input": {"file": "-"}}),
        ("grep -v x", {"standard-input": {"file": "-"}}),
        ("awk '{ print $1 }' | wc", {"standard-input": {"file": "-"}}),
        ("awk 'BEGIN { print 1 }' | wc", {"awk": {"command": "awk 'BEGIN { print 1 }'"}}),
        ("sort /etc/passwd | cat", {"sort": {"command": "sort /etc/passwd"}}),
        ("A=1 cat a | wc", {"cat": {"command": "cat a", "env": {"A": "1"}}}),
        ("cat /dev/urandom | wc", {"cat": {"command": "cat /dev/urandom"}}),
        ("wc < /dev/urandom", {"urandom": {"command": "cat /dev/urandom"}}),
        ("cat < -x | wc", {"x": {"file": "./-x"}}),
        ("cat | wc", {"standard-input": {"file": "-"}}),
        ("cat - | wc", {"standard-input": {"file": "-"}}),
        ("wc < /dev/stdin", {"standard-input": {"file": "-"}}),
    ],
)
def test_each_way_to_read_files_has_its_source(line: str, source: dict[str, Any]) -> None:
    assert sections(line)["sources"] == source


def test_a_source_that_reads_dev_null_needs_no_file() -> None:
    assert sections("seq 3 < /dev/null | wc")["sources"] == {"seq": {"command": "seq 3"}}


def test_a_command_fed_by_a_substitution_reads_its_last_command() -> None:
    assert sections("wc -l < <(seq 3 | tac)") == {
        "sources": {"seq": {"command": "seq 3"}},
        "stations": {"tac": {"command": "tac"}, "wc": {"command": "wc -l"}},
    }


def test_a_file_that_is_only_shown_or_copied_passes_through_cat() -> None:
    assert sections("cat a.txt > b.txt") == {
        "sources": {"a": {"file": "a.txt"}},
        "stations": {"cat": {"command": "cat"}},
        "sinks": {"out": {"file": "b.txt"}},
    }
    assert sections("cat a.txt")["stations"] == {"cat": {"command": "cat"}}
    assert sections("cat a.txt | tee b.txt | wc") == {
        "sources": {"a": {"file": "a.txt"}},
        "stations": {"cat": {"command": "cat"}, "wc": {"command": "wc"}},
        "sinks": {"b": {"file": "b.txt", "input": "cat"}},
    }


# Words


@pytest.mark.parametrize(
    "words",
    ["awk '{print $1}'", 'sed -e "s/a/b/"', r"grep a\ b\'c", "tr \\  _", "tr -d \\ ",
     'grep "a\\"b$"', "tr -s ' ' '\\n'", "cut -d' ' -f1",
     "xargs -I{} sh -c 'echo {} {}'", r"find . -exec ls {} \;", "awk -F '|' 1", "a '' \"\"", "make A=1 == -- -x",
     "jq '.[] | {a: .b}'", "bash -c 'for x in 1 2; do echo $x; done'", 'x "a\nb"', "q a!b a#b 1.5 é"],
)  # fmt: skip
def test_quoting_that_shlex_reads_as_bash_does_stays_as_it_was_written(words: str) -> None:
    assert sections(f"seq 3 | {words}")["stations"].popitem()[1]["command"] == words


@pytest.mark.parametrize(
    ("word", "argument"),
    [(r"$'a\tb'", "a\tb"), (r"$'it\'s'", "it's"), (r"-t$'\x41\u00e9\101\e'", "-tAéA\x1b"), (r"$'\xc3\xa9'", "é"),
     (r'"\$5 \`x\` \a"', "$5 `x` \\a"), ("a\\\nb", "ab"), ('"a\\\nb"', "ab"), ("$", "$"), ("a\\\n ", "a"),
     (r"$'a\\''b'", "a\\b"), (r"$'a\0b'c", "ac"), ("{a", "{a"), ("{}", "{}"), ("{\U0010b4bb}", "{\U0010b4bb}"),
     ("[x", "[x"), ("a~", "a~"), (r"\~/x", "~/x")],
)  # fmt: skip
def test_a_word_reaches_the_program_as_bash_would_pass_it(word: str, argument: str) -> None:
    assert shlex.split(sections(f"printf {word}")["sources"]["printf"]["command"]) == ["printf", argument]


def test_a_place_broken_up_by_quotes_is_an_ordinary_argument() -> None:
    command = sections("a {''python}")["sources"]["a"]["command"]
    assert "{python}" not in command
    assert shlex.split(command) == ["a", "{python}"]


def test_variables_before_a_command_are_its_environment() -> None:
    assert sections("LC_ALL=C sort -k2 a | A= B=\"x y\"'z' C='~' uniq") == {
        "sources": {"sort": {"command": "sort -k2 a", "env": {"LC_ALL": "C"}}},
        "stations": {"uniq": {"command": "uniq", "env": {"A": "", "B": "x yz", "C": "~"}}},
    }


def test_words_after_a_redirection_are_still_arguments() -> None:
    assert sections("sort > out.txt -r a")["sources"] == {"sort": {"command": "sort -r a"}}


def test_digits_that_touch_a_word_are_no_file_descriptor() -> None:
    assert sections("echo a2> f")["sources"] == {"echo": {"command": "echo a2"}}
    assert sections("echo 2 > f")["sources"] == {"echo": {"command": "echo 2"}}
    assert sections("echo 1> f")["sources"] == {"echo": {"command": "echo"}}


def test_comments_and_lines_that_go_on_after_a_pipe_are_read() -> None:
    assert sections("seq 3 | # count\n  wc -l # them") == sections("seq 3 | wc -l")


# Names


def test_stations_are_named_after_their_programs_and_stay_unique() -> None:
    scenario = sections("tr a b < tr.txt | /usr/bin/tr b c | 'g++' x | \"tr\" c d")
    assert list(scenario["sources"]) == ["tr"]
    assert list(scenario["stations"]) == ["tr-2", "tr-3", "g", "tr-4"]


def test_no_station_takes_a_name_that_an_argument_has_in_braces() -> None:
    scenario = sections("paste <(sort a) <(uniq b) | sed 's/{sort}/{uniq-2}/' | uniq")
    assert scenario["stations"]["paste"] == {"command": "paste {sort-2} {uniq}", "input": ["sort-2", "uniq"]}
    assert list(scenario["stations"]) == ["paste", "sed", "uniq-3"]


def test_an_input_is_not_named_after_a_place_that_the_loader_fills_in() -> None:
    assert sections("cat <(python a.py)")["stations"]["cat"]["command"] == "cat {python-2}"
    assert list(sections("python a.py | wc")["sources"]) == ["python"]


def test_no_station_takes_a_name_that_means_something_else_in_a_scenario() -> None:
    assert list(sections("cat stdin.txt | host | circuit")["stations"]) == ["host-2", "circuit-2"]
    assert list(sections("cat stdin.txt | host")["sources"]) == ["stdin-2"]


# Copies


def test_tee_of_a_file_is_a_sink_beside_the_next_station() -> None:
    assert sections("seq 3 | tee all.txt | wc -l > n.txt") == {
        "sources": {"seq": {"command": "seq 3"}},
        "stations": {"wc": {"command": "wc -l"}},
        "sinks": {"all": {"file": "all.txt", "input": "seq"}, "out": {"file": "n.txt", "input": "wc"}},
    }


def test_branches_of_tee_read_what_stands_before_it() -> None:
    assert sections("seq 9 | tac | tee >(head -2 | wc > two.txt) >(md5sum > sum) x | sort > all") == {
        "sources": {"seq": {"command": "seq 9"}},
        "stations": {
            "tac": {"command": "tac"},
            "head": {"command": "head -2"},
            "wc": {"command": "wc"},
            "md5sum": {"command": "md5sum", "input": "tac"},
            "sort": {"command": "sort", "input": "tac"},
        },
        "sinks": {
            "two": {"file": "two.txt", "input": "wc"},
            "sum": {"file": "sum", "input": "md5sum"},
            "x": {"file": "x", "input": "tac"},
            "out": {"file": "all", "input": "sort"},
        },
    }


def test_tee_into_dev_null_has_only_its_branches() -> None:
    expected = {
        "sources": {"seq": {"command": "seq 9"}},
        "stations": {"head": {"command": "head -2"}, "wc": {"command": "wc", "input": "seq"}},
        "sinks": {"h": {"file": "h", "input": "head"}, "w": {"file": "w", "input": "wc"}},
    }
    assert sections("seq 9 | tee >(head -2 > h) >(wc > w) > /dev/null") == expected
    assert sections("seq 9 | tee > /dev/null >(head -2 > h) -- /dev/null >(wc > w)") == expected


def test_a_tee_that_ends_the_line_also_writes_to_standard_output() -> None:
    assert sections("seq 9 | tee all.txt") == {
        "sources": {"seq": {"command": "seq 9"}},
        "stations": {"tee": {"command": "cat"}},
        "sinks": {"all": {"file": "all.txt", "input": "seq"}},
    }
    assert sections("seq 9 | tee all.txt > /dev/null") == {
        "sources": {"seq": {"command": "seq 9"}},
        "sinks": {"all": {"file": "all.txt"}},
    }


def test_one_open_branch_is_what_the_next_command_reads() -> None:
    assert sections("seq 9 | tee >(tac) > all | wc")["stations"] == {
        "tac": {"command": "tac"},
        "wc": {"command": "wc"},
    }


def test_output_to_a_substitution_goes_on_there() -> None:
    assert sections("seq 3 > >(wc -l > n)") == {
        "sources": {"seq": {"command": "seq 3"}},
        "stations": {"wc": {"command": "wc -l"}},
        "sinks": {"n": {"file": "n"}},
    }


def test_output_thrown_away_is_a_sink_without_a_file() -> None:
    assert sections("zcat a | sort > /dev/null")["sinks"] == {"out": {}}


# Substitutions


def test_a_process_substitution_is_an_input_that_stands_in_the_command() -> None:
    assert sections("comm -12 <(sort a.txt | uniq) <(cat b.txt) | wc -l") == {
        "sources": {"sort": {"command": "sort a.txt"}, "b": {"file": "b.txt"}},
        "stations": {
            "uniq": {"command": "uniq", "input": "sort"},
            "comm": {"command": "comm -12 {uniq} {b}", "input": ["uniq", "b"]},
            "wc": {"command": "wc -l"},
        },
    }


def test_standard_input_comes_before_the_inputs_named_in_braces() -> None:
    scenario = sections('seq 3 | paste -d"{}" --x=<(seq 4)y - <(seq 5)')
    assert scenario["stations"]["paste"] == {
        "command": 'paste -d"{}" --x={seq-2}y - {seq-3}',
        "input": ["seq", "seq-2", "seq-3"],
    }


def test_a_source_that_comes_later_in_the_line_does_not_change_what_a_station_reads() -> None:
    stations = sections("seq 3 | tac | paste - <(seq 4)")["stations"]
    assert stations["tac"] == {"command": "tac", "input": "seq"}


# TOML


def test_the_toml_names_the_line_and_reads_back_as_the_scenario() -> None:
    scenario = import_line("LC_ALL=C sort $'a\\tb' \\\n <(seq 3) | tee \"x\\\\\" | wc > /dev/null")
    text = to_toml(scenario)
    assert tomllib.loads(text) == scenario
    assert text.startswith(
        "# Imported from the shell line\n"
        "#   LC_ALL=C sort $'a\\tb' \\\n#    <(seq 3) | tee \"x\\\\\" | wc > /dev/null\n"
    )
    assert '"""' not in text


def test_control_characters_of_the_line_are_shown_not_copied_into_the_comment() -> None:
    scenario = import_line("printf 'a\x1b\rb'")
    assert "#   printf 'a\\x1b\\x0db'\n" in to_toml(scenario)
    assert tomllib.loads(to_toml(scenario)) == scenario

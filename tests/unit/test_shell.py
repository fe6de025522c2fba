"""A shell line becomes a scenario: what maps to what, and what is refused under which name."""

from __future__ import annotations

import shlex
import tomllib
from typing import Any

import pytest

from streamsim.errors import ScenarioError
from streamsim.shell import import_line, to_toml


def sections(line: str) -> dict[str, Any]:
    """The sections of an imported line without its head."""
    return {key: value for key, value in import_line(line).items() if key not in ("name", "title")}


def refusal(line: str) -> str:
    """The message with which a line is refused."""
    with pytest.raises(ScenarioError) as refused:
        import_line(line)
    return str(refused.value)


def test_a_pipeline_is_a_source_and_its_stations_in_the_order_of_a_scenario_file():
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


def test_a_line_without_redirection_has_no_sink():
    assert set(sections("seq 9 | wc -l")) == {"sources", "stations"}


# Sources


@pytest.mark.parametrize(
    "line",
    ["cat data/flights.csv | wc -l", "wc -l < data/flights.csv", "< data/flights.csv wc -l",
     "cat<data/flights.csv|wc -l", "cat - < data/flights.csv | wc -l", "wc 0< data/flights.csv -l"],
)  # fmt: skip
def test_cat_of_a_file_and_redirected_input_are_a_file_source(line):
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
        ("cat a - | wc", {"cat": {"command": "cat a -"}}),
        ("A=1 cat a | wc", {"cat": {"command": "cat a", "env": {"A": "1"}}}),
        ("cat /dev/urandom | wc", {"cat": {"command": "cat /dev/urandom"}}),
        ("wc < /dev/urandom", {"urandom": {"command": "cat /dev/urandom"}}),
        ("cat < -x | wc", {"x": {"file": "./-x"}}),
        ("cat | wc", {"standard-input": {"file": "-"}}),
        ("cat - | wc", {"standard-input": {"file": "-"}}),
        ("wc < /dev/stdin", {"standard-input": {"file": "-"}}),
    ],
)
def test_each_way_to_read_files_has_its_source(line, source):
    assert sections(line)["sources"] == source


def test_a_source_that_reads_dev_null_needs_no_file():
    assert sections("seq 3 < /dev/null | wc")["sources"] == {"seq": {"command": "seq 3"}}


def test_a_command_fed_by_a_substitution_reads_its_last_command():
    assert sections("wc -l < <(seq 3 | tac)") == {
        "sources": {"seq": {"command": "seq 3"}},
        "stations": {"tac": {"command": "tac"}, "wc": {"command": "wc -l"}},
    }


def test_a_file_that_is_only_shown_or_copied_passes_through_cat():
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
def test_quoting_that_shlex_reads_as_bash_does_stays_as_it_was_written(words):
    assert sections(f"seq 3 | {words}")["stations"].popitem()[1]["command"] == words


@pytest.mark.parametrize(
    ("word", "argument"),
    [(r"$'a\tb'", "a\tb"), (r"$'it\'s'", "it's"), (r"-t$'\x41\u00e9\101\e'", "-tAéA\x1b"), (r"$'\xc3\xa9'", "é"),
     (r'"\$5 \`x\` \a"', "$5 `x` \\a"), ("a\\\nb", "ab"), ('"a\\\nb"', "ab"), ("$", "$"), ("a\\\n ", "a"),
     (r"$'a\\''b'", "a\\b"), (r"$'a\0b'c", "ac"), ("{a", "{a"), ("{}", "{}"), ("{\U0010b4bb}", "{\U0010b4bb}"), ("[x", "[x"), ("a~", "a~"),
     (r"\~/x", "~/x")],
)  # fmt: skip
def test_a_word_reaches_the_program_as_bash_would_pass_it(word, argument):
    assert shlex.split(sections(f"printf {word}")["sources"]["printf"]["command"]) == ["printf", argument]


def test_variables_before_a_command_are_its_environment():
    assert sections("LC_ALL=C sort -k2 a | A= B=\"x y\"'z' C='~' uniq") == {
        "sources": {"sort": {"command": "sort -k2 a", "env": {"LC_ALL": "C"}}},
        "stations": {"uniq": {"command": "uniq", "env": {"A": "", "B": "x yz", "C": "~"}}},
    }


def test_words_after_a_redirection_are_still_arguments():
    assert sections("sort > out.txt -r a")["sources"] == {"sort": {"command": "sort -r a"}}


def test_digits_that_touch_a_word_are_no_file_descriptor():
    assert sections("echo a2> f")["sources"] == {"echo": {"command": "echo a2"}}
    assert sections("echo 2 > f")["sources"] == {"echo": {"command": "echo 2"}}
    assert sections("echo 1> f")["sources"] == {"echo": {"command": "echo"}}


def test_comments_and_lines_that_go_on_after_a_pipe_are_read():
    assert sections("seq 3 | # count\n  wc -l # them") == sections("seq 3 | wc -l")


# Names


def test_stations_are_named_after_their_programs_and_stay_unique():
    scenario = sections("tr a b < tr.txt | /usr/bin/tr b c | 'g++' x | \"tr\" c d")
    assert list(scenario["sources"]) == ["tr"]
    assert list(scenario["stations"]) == ["tr-2", "tr-3", "g", "tr-4"]


def test_no_station_takes_a_name_that_an_argument_has_in_braces():
    scenario = sections("paste <(sort a) <(uniq b) | sed 's/{sort}/{uniq-2}/' | uniq")
    assert scenario["stations"]["paste"] == {"command": "paste {sort-2} {uniq}", "input": ["sort-2", "uniq"]}
    assert list(scenario["stations"]) == ["paste", "sed", "uniq-3"]


def test_an_input_is_not_named_after_a_place_that_the_loader_fills_in():
    assert sections("cat <(python a.py)")["stations"]["cat"]["command"] == "cat {python-2}"
    assert list(sections("python a.py | wc")["sources"]) == ["python"]


def test_no_station_takes_a_name_that_means_something_else_in_a_scenario():
    assert list(sections("cat stdin.txt | host | circuit")["stations"]) == ["host-2", "circuit-2"]
    assert list(sections("cat stdin.txt | host")["sources"]) == ["stdin-2"]


# Copies


def test_tee_of_a_file_is_a_sink_beside_the_next_station():
    assert sections("seq 3 | tee all.txt | wc -l > n.txt") == {
        "sources": {"seq": {"command": "seq 3"}},
        "stations": {"wc": {"command": "wc -l"}},
        "sinks": {"all": {"file": "all.txt", "input": "seq"}, "out": {"file": "n.txt", "input": "wc"}},
    }


def test_branches_of_tee_read_what_stands_before_it():
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


def test_tee_into_dev_null_has_only_its_branches():
    expected = {
        "sources": {"seq": {"command": "seq 9"}},
        "stations": {"head": {"command": "head -2"}, "wc": {"command": "wc", "input": "seq"}},
        "sinks": {"h": {"file": "h", "input": "head"}, "w": {"file": "w", "input": "wc"}},
    }
    assert sections("seq 9 | tee >(head -2 > h) >(wc > w) > /dev/null") == expected
    assert sections("seq 9 | tee > /dev/null >(head -2 > h) -- /dev/null >(wc > w)") == expected


def test_a_tee_that_ends_the_line_also_writes_to_standard_output():
    assert sections("seq 9 | tee all.txt") == {
        "sources": {"seq": {"command": "seq 9"}},
        "stations": {"tee": {"command": "cat"}},
        "sinks": {"all": {"file": "all.txt", "input": "seq"}},
    }
    assert sections("seq 9 | tee all.txt > /dev/null") == {
        "sources": {"seq": {"command": "seq 9"}},
        "sinks": {"all": {"file": "all.txt"}},
    }


def test_one_open_branch_is_what_the_next_command_reads():
    assert sections("seq 9 | tee >(tac) > all | wc")["stations"] == {
        "tac": {"command": "tac"},
        "wc": {"command": "wc"},
    }


def test_output_to_a_substitution_goes_on_there():
    assert sections("seq 3 > >(wc -l > n)") == {
        "sources": {"seq": {"command": "seq 3"}},
        "stations": {"wc": {"command": "wc -l"}},
        "sinks": {"n": {"file": "n"}},
    }


def test_output_thrown_away_is_a_sink_without_a_file():
    assert sections("zcat a | sort > /dev/null")["sinks"] == {"out": {}}


# Substitutions


def test_a_process_substitution_is_an_input_that_stands_in_the_command():
    assert sections("comm -12 <(sort a.txt | uniq) <(cat b.txt) | wc -l") == {
        "sources": {"sort": {"command": "sort a.txt"}, "b": {"file": "b.txt"}},
        "stations": {
            "uniq": {"command": "uniq", "input": "sort"},
            "comm": {"command": "comm -12 {uniq} {b}", "input": ["uniq", "b"]},
            "wc": {"command": "wc -l"},
        },
    }


def test_standard_input_comes_before_the_inputs_named_in_braces():
    scenario = sections('seq 3 | paste -d"{}" --x=<(seq 4)y - <(seq 5)')
    assert scenario["stations"]["paste"] == {
        "command": 'paste -d"{}" --x={seq-2}y - {seq-3}',
        "input": ["seq", "seq-2", "seq-3"],
    }


def test_a_source_that_comes_later_in_the_line_does_not_change_what_a_station_reads():
    stations = sections("seq 3 | tac | paste - <(seq 4)")["stations"]
    assert stations["tac"] == {"command": "tac", "input": "seq"}


# TOML


def test_the_toml_names_the_line_and_reads_back_as_the_scenario():
    scenario = import_line("LC_ALL=C sort $'a\\tb' \\\n <(seq 3) | tee \"x\\\\\" | wc > /dev/null")
    text = to_toml(scenario)
    assert tomllib.loads(text) == scenario
    assert text.startswith(
        "# Imported from the shell line\n"
        "#   LC_ALL=C sort $'a\\tb' \\\n#    <(seq 3) | tee \"x\\\\\" | wc > /dev/null\n"
    )
    assert '"""' not in text


def test_control_characters_of_the_line_are_shown_not_copied_into_the_comment():
    scenario = import_line("printf 'a\x1b\rb'")
    assert "#   printf 'a\\x1b\\x0db'\n" in to_toml(scenario)
    assert tomllib.loads(to_toml(scenario)) == scenario


# Refusals


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("sort $X | uniq", "column 6: a variable '$X': "),
        ('sort "a $HOME" | uniq', "column 9: a variable '$HOME': "),
        ("sort ${X:-y}", "column 6: a parameter expansion '${X:-y}': "),
        ("é | sort $(ls 'a b')", "column 10: a command substitution '$(ls 'a b')': "),
        ("sort `ls`", "column 6: a command substitution '`ls`': "),
        ("head -$((1+2))", "column 7: an arithmetic expansion '$((1+2))': "),
        ("head -$[1+2]", "column 7: an arithmetic expansion '$[1+2]': "),
        ("grep x *.log | wc", "column 8: a wildcard '*.log': "),
        ("tr -d [abc] | wc", "column 7: a wildcard '[abc]': "),
        ("cat [^a]*", "column 5: a wildcard '[^a]*': "),
        ("cat [[:digit:]]", "column 5: a wildcard '[[:digit:]]': "),
        ("cat [a\"]\"]", "column 5: a wildcard '[a\"]\"]': "),
        ("sort < *.log", "column 8: a wildcard '*.log': "),
        ("sort ~/x", "column 6: a home directory '~/x': "),
        ("dd if=~/x", "column 4: a home directory 'if=~/x': "),
        ("A=x:~ dd", "column 1: a home directory 'A=x:~': "),
        ("sort {a,b}", "column 6: a brace expansion '{a,b}': "),
        ("seq {1..3}", "column 5: a brace expansion '{1..3}': "),
        ('grep $"x"', "column 6: a translated string '$\"x\"': "),
        ("a && b", "column 3: a list of commands '&&': "),
        ("a | b || c", "column 7: a list of commands '||': "),
        ("a; b", "column 2: a separator of commands ';': "),
        ("a | b &", "column 7: a background command '&': "),
        ("a\nb", "line 2, column 1: a second command 'b': "),
        ("(a | b) | c", "column 1: a subshell '(a | b)': "),
        ("{ a; } | c", "column 1: a group of commands '{ a; }': "),
        ("seq 3 | while read x; do echo $x; done", "column 9: a loop 'while read x; do echo $x; done': "),
        ("for x in 1; do a; done | b", "column 1: a loop 'for x in 1; do a; done': "),
        ("if a; then b; fi", "column 1: an if statement "),
        ("case a in b) c;; esac", "column 1: a case statement "),
        ("f() { a; }", "column 1: a function "),
        ("! a | b", "column 1: a negation '! a': "),
        ("[[ -f x ]]", "column 1: a test "),
        ("A=1", "column 1: a variable assignment 'A=1': "),
        ("A=(1 2) a", "column 1: an assignment of no plain value 'A=(1 2)': "),
        ("A+=1 a", "column 1: an assignment of no plain value 'A+=1': "),
        ("A=<(b) a", "column 1: an assignment of no plain value 'A=<(b)': "),
        ("export A=1", "column 1: a declaration 'export A=1': "),
        ("time a | b", "column 1: a keyword of the shell 'time': "),
        ("a | exec b", "column 5: a builtin of the shell 'exec': "),
        ("cat << E\nx\nE", "column 5: a here-document '<< E\nx\nE': "),
        ("cat << E | b", "column 5: a here-document '<< E | b': "),
        ("cat <<< x", "column 5: a here-string '<<< x': "),
        ("a 2>&1 | b", "column 3: a redirection of stderr '2>&1': streamsim keeps stderr and shows its tail"),
        ("a 2>/dev/null | b", "column 3: a redirection of stderr '2>/dev/null': streamsim keeps stderr and shows"),
        ("a &> b", "column 3: a redirection of stderr '&> b': "),
        ("a |& b", "column 3: a pipe of stderr '|&': "),
        ("a 3> b", "column 3: a redirection of a file descriptor '3> b': "),
        ("a <&3", "column 3: a redirection of a file descriptor '<&3': "),
        ("a <> b", "column 3: a redirection that reads and writes '<>': "),
        ("a | b >> c", "column 7: an appending redirection '>> c': a run writes whole files or nothing; write"),
        ("a | b < c", "column 7: an input redirection '< c': this command already reads from a pipe"),
        ("a | tee >(b < c)", "column 13: an input redirection '< c': this command already reads from a pipe"),
        ("a < b < c", "column 7: a second input redirection '< c': "),
        ("a > b > c", "column 7: a second output redirection '> c': "),
        ("a > b | c", "column 1: an output that goes elsewhere 'a > b': nothing is left for the next command"),
        ("a <(b > c)", "column 3: an output that goes elsewhere '<(b > c)': nothing is left for the command that"),
        ("a | tee >(b) | c", "column 5: a branch without an end 'tee >(b)': its output would mix"),
        ("a >(b)", "column 3: a process substitution '>(b)': only tee can write to '>(…)'"),
        ("a <()", "column 5: a missing command ')': "),
        ("a > x<(b)", "column 5: a process substitution 'x<(b)': "),
        ("a > <(b)", "column 3: an output redirection '> <(b)': "),
        ("a > /dev/stderr", "column 5: a device '/dev/stderr': "),
        ("a | tee /dev/tty | b", "column 9: a device '/dev/tty': "),
        ("a | tee -a b", "column 9: an option of tee '-a': a run writes whole files or nothing"),
        ("a | tee -p b", "column 9: an option of tee '-p': a copy has no options"),
        ("a | tee <(b)", "column 9: an operand of tee '<(b)': "),
        ("tee a | b", "column 1: a tee 'tee a': it has nothing to copy"),
        ("<(a) b", "column 1: no program '<(a)': "),
        ("'' b", "column 1: no program '''': "),
        ("> a", "column 1: no command '> a': "),
        ('a > ""', "column 5: an empty name '\"\"': "),
        ("a '{python}'", "column 3: a place ''{python}'': a scenario replaces {python}; write {''python}"),
        ("cat '{stdlib}/x'", "column 5: a place ''{stdlib}/x'': a scenario replaces {stdlib}"),
        ("a $'\\xff'", "column 3: bytes that are not UTF-8 '$'\\xff'': "),
        ("a $'\\cé'", "column 3: the escape of a $'…' string "),
        ("a | | b", "column 5: a syntax error '|': "),
        ("a |", "column 4: a missing command at the end of the line: "),
        ("| a", "column 1: a missing command '| a': "),
        ('a "b', "column 3: a syntax error '\"b': "),
        ("a 'b", "column 3: a syntax error ''b': "),
        ("a $'b\\'", "column 3: a quote that is never closed "),
        ("a $(b", "column 6: a missing ) at the end of the line: "),
        ("a\\\n#b", "line 2, column 1: a '#' inside a word '#b': "),
        ("a \r b", "column 3: white space '\\r ': "),
        ("a 'x\0'", "column 5: a NUL character "),
    ],
)  # fmt: skip
def test_what_a_scenario_cannot_express_is_refused_by_name_and_column(line, start):
    assert refusal(line).startswith(start)


def test_a_place_broken_up_by_quotes_is_an_ordinary_argument():
    command = sections("a {''python}")["sources"]["a"]["command"]
    assert "{python}" not in command
    assert shlex.split(command) == ["a", "{python}"]


def test_a_refusal_says_what_to_do_instead():
    assert refusal("sort $(ls)").endswith(
        "a scenario runs programs without a shell; write its value, or wrap what needs a shell in bash -c '…'"
    )
    assert sections("seq 3 | bash -c 'sort $(ls)'")["stations"] == {"bash": {"command": "bash -c 'sort $(ls)'"}}


def test_a_long_construct_is_shortened_in_the_message():
    message = refusal(f"a; b {'x' * 500}; c")
    assert len(refusal(f"while a; do b {'x' * 500}; done")) < len(message) + 100
    assert "…'" in refusal(f"while a; do b {'x' * 500}; done")


@pytest.mark.parametrize("line", ["", "  \n ", "# only a comment"])
def test_an_empty_line_is_refused(line):
    assert refusal(line).startswith("the shell line is empty; write a pipeline")


def test_a_line_that_is_no_unicode_text_is_refused():
    assert refusal("cat \udcff").startswith("the shell line is not UTF-8 text")


def test_a_line_nested_without_measure_is_refused():
    assert "nested too deeply" in refusal("a " + "<(a " * 2000 + ")" * 2000)

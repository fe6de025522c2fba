"""A shell line that a scenario cannot express is refused under the name of the construct, with its column."""

from __future__ import annotations

import pytest

from streamsim.errors import ScenarioError
from streamsim.shell import import_line


def refusal(line: str) -> str:
    """The message with which a line is refused."""
    with pytest.raises(ScenarioError) as refused:
        import_line(line)
    return str(refused.value)


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
def test_what_a_scenario_cannot_express_is_refused_by_name_and_column(line: str, start: str) -> None:
    assert refusal(line).startswith(start)


def test_a_refusal_says_what_to_do_instead() -> None:
    assert refusal("sort $(ls)").endswith(
        "a scenario runs programs without a shell; write its value, or wrap what needs a shell in bash -c '…'"
    )
    assert import_line("seq 3 | bash -c 'sort $(ls)'")["stations"] == {"bash": {"command": "bash -c 'sort $(ls)'"}}


def test_a_long_construct_is_shortened_in_the_message() -> None:
    message = refusal(f"while a; do b {'x' * 500}; done")
    assert message.startswith("column 1: a loop 'while a; do b xxx")
    assert "xxx…': " in message
    assert len(message) < 250


@pytest.mark.parametrize("line", ["", "  \n ", "# only a comment"])
def test_an_empty_line_is_refused(line: str) -> None:
    assert refusal(line).startswith("the shell line is empty; write a pipeline")


def test_a_line_that_is_no_unicode_text_is_refused() -> None:
    assert refusal("cat \udcff").startswith("the shell line is not UTF-8 text")


def test_a_line_nested_without_measure_is_refused() -> None:
    assert "nested too deeply" in refusal("a " + "<(a " * 2000 + ")" * 2000)

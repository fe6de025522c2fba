"""``operators``, ``op`` and ``schema``: what there is to write into a scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from streamsim.cli.output import example

if TYPE_CHECKING:
    from rich.table import Table


@example("streamsim operators", "streamsim operators window")
def operators(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One of them.", show_default=False)] = None,
) -> None:
    """List the built-in operators, or show one with its parameters and an example."""
    from inspect import cleandoc

    from rich.text import Text

    from streamsim import operators as known
    from streamsim.cli.examples import as_scenario, as_session
    from streamsim.cli.output import say, show

    if name is None:
        show(_listing())
        return
    found = known.describe(name)
    show(Text(f"{found.name}: {cleandoc(found.doc)}"))
    say(f"\n{traits(found.traits)}\n")
    if found.parameters:
        show(_parameters(found.parameters))
    if shown := as_scenario(name):
        say(f"\nIn a scenario:\n\n{shown}")
    if session := as_session(name):
        say(f"\nIn Python:\n\n{session}")


def _listing() -> Table:
    from streamsim import operators as known
    from streamsim.cli.tables import plain_table
    from streamsim.operators.base import MANY

    groups: dict[str, list[known.Description]] = {"sources": [], "write as they read": [], "write at the end": []}
    for found in map(known.describe, known.names()):
        kind = "sources" if found.traits.source else f"write {'at the end' if found.traits.barrier else 'as they read'}"
        groups[kind].append(found)
    table = plain_table("operator", "what it does", "inputs")
    for kind, members in groups.items():
        table.add_row()
        table.add_row("", f"{kind}:", style="dim")
        for found in members:
            inputs = {0: "", 1: "one", MANY: "any"}.get(found.traits.inputs, str(found.traits.inputs))
            table.add_row(found.name, found.summary, inputs)
    return table


def _parameters(parameters: tuple[Any, ...]) -> Table:
    from streamsim.cli.tables import plain_table

    table = plain_table("parameter", "meaning", "takes", "default")
    for parameter in parameters:
        default = "required" if parameter.required else parameter.shown_default
        table.add_row(parameter.name, parameter.doc, parameter.takes, default)
    return table


def traits(found: Any) -> str:
    """Return an operator's traits as a sentence."""
    from streamsim.operators.base import MANY

    inputs = {1: "one input", MANY: "any number of inputs"}.get(found.inputs, f"{found.inputs} inputs")
    reads = "Makes bytes" if found.source else f"Reads {inputs}"
    when = "writes nothing before its input has ended (a barrier)" if found.barrier else "writes as it reads"
    grows = {
        "none": "keeps nothing",
        "bounded": "keeps a bounded state",
        "keys": "keeps a state that grows with the distinct keys",
        "all": "keeps a state that grows with its input",
    }[found.state]
    return f"{reads}, {when}, {grows}."


@example(
    "streamsim op filter --where 'len(record) > 3' < words.txt",
    "seq 100 | streamsim op sample --every 10",
    "streamsim op window --help",
)
def op(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The operator, as streamsim operators lists it.")],
    parameters: Annotated[
        list[str] | None,
        typer.Argument(metavar="--PARAMETER VALUE", help="Its parameters.", show_default=False),
    ] = None,
) -> None:
    """Run one operator as a Unix filter, from standard input to standard output."""
    from streamsim.cli.filter import run_operator

    raise typer.Exit(run_operator(name, parameters or []))


@example("streamsim schema > streamsim.schema.json")
def schema() -> None:
    """Write the JSON Schema of scenario files, for editors and checkers."""
    from streamsim.cli.output import say
    from streamsim.files import to_json
    from streamsim.sections import json_schema

    say(to_json(json_schema()).decode(), end="")
